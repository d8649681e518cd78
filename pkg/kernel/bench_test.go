package kernel

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// cpuTime reports the processor's share of each round beside the wall clock's,
// which other work on the machine distorts.
func cpuTime(b *testing.B) func() {
	used := func() int64 {
		var u unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") }
}

// BenchmarkLoad is the whole start, beside that of the library's own loader.
func BenchmarkLoad(b *testing.B) {
	require(b)
	b.Run("cut types", func(b *testing.B) {
		defer cpuTime(b)()
		for b.Loop() {
			p, err := load()
			if err != nil {
				b.Fatal(err)
			}
			p.close()
		}
	})
	b.Run("library", func(b *testing.B) {
		defer cpuTime(b)()
		for b.Loop() {
			spec, err := ebpf.LoadCollectionSpec("bpf/task_bpfel.o")
			if err != nil {
				b.Fatal(err)
			}
			c, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Cache: btf.NewCache()})
			if err != nil {
				b.Fatal(err)
			}
			c.Close()
		}
	})
}

func BenchmarkCoreTypes(b *testing.B) {
	raw := readBTF(b)
	defer cpuTime(b)()
	for b.Loop() {
		if _, _, err := coreTypes(raw, readStructs, attachFunc); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRead reads 1 to 5,000 processes on a host with 200 and 5,000 sleeping
// ones made for it, one by one and in a pass over all.
func BenchmarkRead(b *testing.B) {
	require(b)
	for _, host := range []int{200, 5000} {
		pids := sleepers(b, host)
		for _, n := range []int{1, 5, 16, 64, host} {
			for _, one := range []bool{true, false} {
				if one && n > 64 {
					continue
				}
				name := fmt.Sprintf("host=%d/read=%d/%s", host, n, map[bool]string{true: "one-by-one", false: "pass"}[one])
				b.Run(name, func(b *testing.B) { benchRead(b, pids[:n], one) })
			}
		}
	}
}

func benchRead(b *testing.B, pids []int, one bool) {
	p, err := load() // anew, so that the filter holds these alone
	if err != nil {
		b.Fatal(err)
	}
	defer p.close()
	if err := p.setWanted(pids); err != nil {
		b.Fatal(err)
	}
	in := bufio.NewReaderSize(nil, 32<<10)
	defer cpuTime(b)()
	for b.Loop() {
		groups := map[int]*group{}
		passes := []int{0}
		if one {
			passes = pids
		}
		for _, pid := range passes {
			if err := p.pass(pid, in, groups, func(pid int) bool { return true }); err != nil {
				b.Fatal(err)
			}
		}
		if len(groups) != len(pids) {
			b.Fatalf("%d of %d processes", len(groups), len(pids))
		}
	}
}

// sleepers starts n processes that sleep until the benchmark ends.
func sleepers(b *testing.B, n int) []int {
	b.Helper()
	pids := make([]int, 0, n)
	for range n {
		cmd := exec.Command("sleep", "1000")
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
		pids = append(pids, cmd.Process.Pid)
	}
	time.Sleep(time.Second)
	return pids
}

// BenchmarkSession is what a caller waits for: start, read one process, close.
func BenchmarkSession(b *testing.B) {
	require(b)
	defer cpuTime(b)()
	for b.Loop() {
		s := Start(context.Background())
		t := &evidence.Target{Processes: []evidence.Process{{PID: os.Getpid()}}}
		if err := s.Annotate(context.Background(), []*evidence.Target{t}); err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
	b.ReportMetric(float64(peakKiB(b)), "peak-KiB")
}

func peakKiB(b *testing.B) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(status))
	i := slices.Index(fields, "VmHWM:")
	n, _ := strconv.Atoi(fields[i+1])
	return n
}
