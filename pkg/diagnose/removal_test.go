package diagnose

import (
	"strings"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// deadSnapshot is a container whose removal has failed with these words.
func deadSnapshot(words string, left *evidence.Removal) *evidence.Snapshot {
	s := snapshot(proc{pid: 100, ns: 1})
	t := &s.Targets[0]
	t.Processes, t.PID, t.Removal = nil, 0, left
	t.Container.Status, t.Container.PID, t.Container.Error = "dead", 0, words
	s.Host.Engine = &evidence.Engine{Name: "docker", Version: "29.0.0", Endpoint: "unix:///var/run/docker.sock"}
	return s
}

const layerError = `driver "overlay2" failed to remove root filesystem: unlinkat /data/overlay2/x/diff/f: `

// TestDead: what dockerd said, what was found, and neither.
func TestDead(t *testing.T) {
	held := func(kinds ...string) *evidence.Removal {
		r := &evidence.Removal{Whole: true}
		for _, k := range kinds {
			r.Held = append(r.Held, evidence.HeldFile{Path: "/data/overlay2/x/diff/f", Kind: k})
		}
		return r
	}
	mount := func(readOnly bool) *evidence.Removal {
		return &evidence.Removal{Whole: true, Mount: &evidence.RemovalMount{Point: "/data", FSType: "ext4", ReadOnly: readOnly}}
	}
	for _, c := range []struct {
		name, words string
		left        *evidence.Removal
		code        string
		conf        Confidence
		says, fix   string // a part of the headline, of the first command
	}{
		{"immutable", layerError + "operation not permitted", held("immutable"), "WS328", Certain, "immutable (chattr +i): /data", "sudo chattr -i /data/overlay2/x/diff/f && docker rm -f web"},
		{"append-only", layerError + "operation not permitted", held("append-only"), "WS328", Certain, "append-only", "sudo chattr -a "},
		{"swapped to", layerError + "operation not permitted", held("swap"), "WS328", Certain, "swaps to", "sudo swapoff "},
		{"two", layerError + "operation not permitted", held("immutable", "append-only"), "WS328", Certain, "and 1 more", "/f && sudo chattr -a "},
		{"denied, and nothing is found", layerError + "operation not permitted", &evidence.Removal{Whole: true}, "WS328", Certain, "operation not permitted", "docker rm -f web"},
		{"not looked at", layerError + "operation not permitted", nil, "WS328", Certain, "operation not permitted", "docker rm -f web"},
		{"immutable, after a restart", "", held("immutable"), "WS328", Likely, "immutable", "sudo chattr -i "},
		{"read-only", layerError + "read-only file system", mount(true), "WS328", Certain, "read-only: /data", ""},
		{"read-only, the mount not known", layerError + "read-only file system", nil, "WS328", Certain, "read-only", ""},
		{"read-only, after a restart", "", mount(true), "WS328", Likely, "read-only: /data", ""},
		{"busy", layerError + "device or resource busy", nil, "WS328", Certain, "mount point", "sudo grep -l 0123456789ab /proc/"},
		{"filled again", layerError + "directory not empty", nil, "WS328", Certain, "filled again", "docker rm -f web"},
		{"another error", layerError + "input/output error", held("immutable"), "WS328", Certain, "input/output error", "docker rm -f web"},
		{"cut off", "", mount(false), "WS308", Likely, "not finished", "docker rm -f web"},
		{"cut off, not looked at", "", nil, "WS308", Likely, "not finished", "docker rm -f web"},
		{"the error of its start", "OCI runtime create failed: operation not permitted", mount(false), "WS308", Likely, "not finished", "docker rm -f web"},
	} {
		got := Judge(deadSnapshot(c.words, c.left), Options{}).Containers[0]
		f := got.Findings[0]
		if got.Verdict != NotRunning || len(got.Findings) != 1 || f.Code != c.code || got.Confidence != c.conf || f.Severity != SeverityError {
			t.Errorf("%s: %s %s %+v", c.name, got.Verdict, got.Confidence, got.Findings)
		}
		if !strings.Contains(got.Headline, c.says) || !strings.Contains(f.Fixes[0].Command, c.fix) {
			t.Errorf("%s: %q, %q", c.name, got.Headline, f.Fixes[0].Command)
		}
	}
}

// A file is called as the container likes.
func TestHostileFile(t *testing.T) {
	for _, path := range []string{"/data/x; reboot", "/data/$(reboot)", "-R/", strings.Repeat("/long", 100)} {
		left := &evidence.Removal{Whole: true, Held: []evidence.HeldFile{{Path: path, Kind: evidence.HeldImmutable}}}
		s := deadSnapshot(layerError+"operation not permitted", left)
		for _, x := range Judge(s, Options{}).Containers[0].Findings[0].Fixes {
			if x.Command != "" {
				t.Errorf("%s: %s", path, x.Command)
			}
		}
	}
}

// A kind that a later version has named makes no command.
func TestUnknownHolder(t *testing.T) {
	for _, words := range []string{"", layerError + "operation not permitted"} {
		s := deadSnapshot(words, &evidence.Removal{Held: []evidence.HeldFile{{Path: "/d/x", Kind: "verity"}}})
		if f := Judge(s, Options{}).Containers[0].Findings[0]; strings.Contains(f.Fixes[0].Command, "/d/x") || strings.Contains(f.Summary, "/d/x") {
			t.Errorf("%q: %+v", words, f)
		}
	}
}

// The kernel's word is the last: a file that is called like another is no holder.
func TestErrorEnds(t *testing.T) {
	s := deadSnapshot(`driver "overlay2" failed to remove root filesystem: unlinkat /d/diff/read-only file system: operation not permitted`,
		&evidence.Removal{Whole: true, Held: []evidence.HeldFile{{Path: "/d/diff/x", Kind: evidence.HeldImmutable}}})
	if got := Judge(s, Options{}).Containers[0].Headline; !strings.Contains(got, "immutable") {
		t.Error(got)
	}
}

// By the files of an engine that is gone: it wrote that the removal was under way.
func TestRemovalOfDeadEngine(t *testing.T) {
	s := deadSnapshot("", &evidence.Removal{Whole: true, Held: []evidence.HeldFile{{Path: "/d/x", Kind: evidence.HeldImmutable}}})
	k := s.Targets[0].Container
	k.Status, k.Source, k.Inspected, s.Host.Engine.Trouble = "removing", "engine-files", false, "refused"
	if got := Judge(s, Options{}).Containers[0]; got.Findings[0].Code != "WS328" {
		t.Errorf("%+v", got.Findings)
	}
}

// Docker's commands for what has ended hang where dockerd does, and only there.
func TestEndedAndLocked(t *testing.T) {
	for state, want := range map[string]Verdict{"D": Stuck, "S": NotRunning} {
		s := deadSnapshot("", nil)
		k := s.Targets[0].Container
		k.Status, k.InspectTrouble = "exited", evidence.GapTimeout
		s.Host.Engine.Parts = []evidence.Part{partIn(evidence.RoleDaemon, 50, state)}
		got := Judge(s, Options{}).Containers[0]
		if got.Verdict != want || want == Stuck && (got.Findings[0].Code != "WS311" || got.Rm.Command.Returns || got.Confidence == Certain) {
			t.Errorf("dockerd in %s: %s %+v", state, got.Verdict, got.Findings)
		}
	}
}

// A removal in which dockerd hangs: of several threads the one in this container.
func TestRemovalHangs(t *testing.T) {
	s := deadSnapshot("", nil)
	s.Targets[0].Container.Status = "removing"
	d := partIn(evidence.RoleDaemon, 50, "D")
	own := d.Process.Tasks[0]
	own.TID, own.About = 51, &evidence.About{Path: "/data/containers/0123456789abcdef/hosts"}
	d.Process.Tasks = append(d.Process.Tasks, own)
	s.Host.Engine.Parts = []evidence.Part{d}
	got := Judge(s, Options{}).Containers[0]
	if got.Verdict != NotRunning || got.Findings[0].Code != "WS311" || got.Findings[0].TID != 51 || got.Findings[0].Severity != SeverityError {
		t.Errorf("%s %+v", got.Verdict, got.Findings)
	}
	moment := 200
	for i := range d.Process.Tasks {
		d.Process.Tasks[i].Again = &evidence.SecondLook{AfterMillis: 30, State: "D", SleptMillis: &moment}
	}
	got = Judge(s, Options{}).Containers[0]
	if f := got.Findings[0]; f.Code != "WS308" || f.Severity != SeverityWarning || len(f.Evidence) < 3 {
		t.Errorf("a wait of a moment: %+v", got.Findings)
	}
}

// TestAutoRemoval: --rm in the course of each command, and of no other container.
func TestAutoRemoval(t *testing.T) {
	for _, auto := range []bool{true, false} {
		s := snapshot(proc{pid: 100, ns: 1, call: "pause", ign: []int{tTERM}})
		s.Targets[0].Container.AutoRemove = auto
		got := Judge(s, Options{}).Containers[0]
		last := got.Stop.Steps[len(got.Stop.Steps)-1]
		if told := last.Action == "removal (--rm)" && last.AtSeconds == 10; told != auto {
			t.Errorf("--rm %v: %+v", auto, got.Stop.Steps)
		}
		if told := len(got.Kill.Steps) == 2; told != auto {
			t.Errorf("--rm %v: %+v", auto, got.Kill.Steps)
		}
		if told := strings.Contains(got.Rm.Steps[1].Effect, "anonymous volumes stay"); told != auto {
			t.Errorf("--rm %v: %+v", auto, got.Rm.Steps)
		}
	}
}

// TestHalfRemoved: a directory that is no word for a command is counted, not shown.
func TestHalfRemoved(t *testing.T) {
	s := &evidence.Snapshot{Leftovers: &evidence.Leftovers{HalfRemoved: []string{"", "/data root/containers/x", "/data/containers/y"}}}
	got := Judge(s, Options{}).Host.Findings
	if len(got) != 1 || got[0].Code != "WS329" || !strings.HasPrefix(got[0].Summary, "3 ") || len(got[0].Fixes) != 1 {
		t.Errorf("%+v", got)
	}
}
