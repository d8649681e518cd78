package inside_test

import (
	"context"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/probe/inside"
	"github.com/whystuck/whystuck/scripts/bed"
)

// BenchmarkAnnotate is the time for one process, file in the page cache.
func BenchmarkAnnotate(b *testing.B) {
	lab := func() *program { return start(b, bed.StaticProgram(b), "sigwait") }
	none := func() *program { return start(b, bed.StaticProgram(b), "default") }
	bash := func() *program { return start(b, "bash", "-c", bashTraps+"sleep 600 & wait") }
	gone := func() *program { return start(b, buildGo(b, "local"), "term") }
	run(b, "nothing to read", none)
	run(b, "sigwait", lab)
	run(b, "bash", bash)
	run(b, "go", gone)
	run(b, "node", func() *program {
		bed.Require(b, "node")
		return start(b, "node", "-e", "process.on('SIGTERM', () => {}); setTimeout(() => {}, 1e6)")
	})
	run(b, "php", func() *program {
		bed.Require(b, "php")
		return start(b, "php", "-r", "sleep(1000);")
	})
}

func run(b *testing.B, name string, begin func() *program) {
	b.Run(name, func(b *testing.B) {
		p := begin()
		time.Sleep(500 * time.Millisecond)
		got, _ := look(b, p.cmd.Process.Pid)
		b.ReportAllocs()
		for b.Loop() {
			e := got
			e.Inside = nil
			e.Tasks = append([]evidence.Task(nil), got.Tasks...)
			for i := range e.Tasks {
				e.Tasks[i].Awaited = nil
			}
			inside.Annotate(context.Background(), &e, "/proc")
		}
	})
}
