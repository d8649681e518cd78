package probe

import (
	"context"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/evidence"
)

func benchContainer(b *testing.B, pids []int) {
	cgroupFor(b, anyHierarchy(), pids...)
	p := New(Config{})
	b.ReportAllocs()
	before, best := cpu(), time.Hour
	for b.Loop() {
		begin := time.Now()
		t := &evidence.Target{PID: pids[0], Container: &evidence.Container{ID: containerID, PID: pids[0]}}
		p.Container(context.Background(), t)
		if len(t.Processes) != len(pids) {
			b.Fatalf("%d processes, want %d: %+v", len(t.Processes), len(pids), t.Gaps)
		}
		best = min(best, time.Since(begin))
	}
	// On a busy machine the mean says nothing; these two do.
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-us/op")
	b.ReportMetric(float64(best.Microseconds()), "best-us")
}

// cpu is the processor time that this process has used.
func cpu() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
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
