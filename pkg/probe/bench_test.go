package probe

import (
	"context"
	"fmt"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

func benchContainer(b *testing.B, pids []int) {
	cgroupFor(b, anyHierarchy(), pids...)
	p := New(Config{})
	b.ReportAllocs()
	for b.Loop() {
		t := &evidence.Target{PID: pids[0], Container: &evidence.Container{ID: containerID, PID: pids[0]}}
		p.Container(context.Background(), t)
		if len(t.Processes) != len(pids) {
			b.Fatalf("%d processes, want %d: %+v", len(t.Processes), len(pids), t.Gaps)
		}
	}
}

// BenchmarkContainer looks at containers of sleeping processes.
func BenchmarkContainer(b *testing.B) {
	for _, n := range []int{1, 50, 500} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var pids []int
			for range n {
				pids = append(pids, child(b, nil, "sleep", "600").Process.Pid)
			}
			benchContainer(b, pids)
		})
	}
}

// BenchmarkThreads200 looks at one process with 201 threads, as a JVM has.
func BenchmarkThreads200(b *testing.B) {
	cmd, _ := running(b, nil, "threads", "200")
	benchContainer(b, []int{cmd.Process.Pid})
}

func BenchmarkParseStatus(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseStatus([]byte(statusFull)); err != nil {
			b.Fatal(err)
		}
	}
}
