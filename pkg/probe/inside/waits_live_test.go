package inside_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/scripts/bed"
)

// compile builds a C program of testdata.
func compile(t *testing.T, source string) string {
	t.Helper()
	bed.Require(t, "gcc")
	out := filepath.Join(t.TempDir(), "program")
	if text, err := exec.Command("gcc", "-O1", "-pthread", "-o", out, filepath.Join("testdata", source)).CombinedOutput(); err != nil {
		t.Fatalf("compiling %s: %v\n%s", source, err, text)
	}
	return out
}

func TestAwaited(t *testing.T) {
	lab := bed.StaticProgram(t)
	for mode, want := range map[string]evidence.SigSet{
		"sigwait":               evidence.SetOf(evidence.SIGTERM),
		"sigwait_unblocked":     evidence.SetOf(evidence.SIGTERM),
		"sigwait_other":         evidence.SetOf(evidence.SIGHUP),
		"thr_sigwait":           evidence.SetOf(evidence.SIGTERM),
		"thr_sigwait_main_open": evidence.SetOf(evidence.SIGTERM),
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p := start(t, lab, mode)
			got, gaps := p.settled(func(e evidence.Process) bool { return len(awaitedSets(e)) > 0 })
			if sets := awaitedSets(got); len(sets) != 1 || sets[0] != want || len(gaps) != 0 {
				t.Errorf("awaited %v, want %v; gaps %+v", sets, want, gaps)
			}
		})
	}
	t.Run("no sigwait", func(t *testing.T) {
		p := start(t, lab, "default")
		got, gaps := p.settled(func(e evidence.Process) bool { return e.State == "S" })
		if len(awaitedSets(got)) != 0 || len(gaps) != 0 {
			t.Errorf("awaited %v, gaps %+v", awaitedSets(got), gaps)
		}
	})
}

func awaitedSets(p evidence.Process) (out []evidence.SigSet) {
	for i := range p.Tasks {
		if a := p.Tasks[i].Awaited; a != nil {
			out = append(out, *a)
		}
	}
	return out
}

// TestTini: the init that waits for everything but what a bug raises.
func TestTini(t *testing.T) {
	name := "tini"
	if bed.Missing(name) != nil {
		name = "docker-init"
	}
	bed.Require(t, name)
	p := start(t, name, "-s", "--", "sleep", "60")
	got, _ := p.settled(func(e evidence.Process) bool { return len(awaitedSets(e)) == 1 })
	set := awaitedSets(got)[0]
	for _, n := range []int{evidence.SIGTERM, evidence.SIGINT, evidence.SIGHUP, evidence.SIGCHLD} {
		if !set.Has(n) {
			t.Errorf("%s not awaited: %s", evidence.SignalName(n), set)
		}
	}
	for _, n := range []int{evidence.SIGSEGV, evidence.SIGKILL, evidence.SIGSTOP, evidence.SIGTTIN} {
		if set.Has(n) {
			t.Errorf("%s awaited: %s", evidence.SignalName(n), set)
		}
	}
}

func TestWatched(t *testing.T) {
	waits := compile(t, "waits.c")
	calls := map[string]string{"poll": "poll", "ppoll": "poll", "select": "select", "pselect": "select"}
	for call, how := range calls {
		for _, in := range []string{"in", "out", "write"} {
			for _, args := range [][]string{{call, in}, {call, in, "thread"}} {
				t.Run(call+" "+in+" "+args[len(args)-1], func(t *testing.T) {
					t.Parallel()
					p := start(t, waits, args...)
					got, gaps := p.settled(func(e evidence.Process) bool {
						return len(e.SignalFDs) == 1 && e.SignalFDs[0].Watched != nil
					})
					fd := got.SignalFDs[0]
					if *fd.Watched != (in == "in") || in == "in" && fd.How != how || len(gaps) != 0 {
						t.Errorf("watched %t %q, gaps %+v", *fd.Watched, fd.How, gaps)
					}
				})
			}
		}
	}
}
