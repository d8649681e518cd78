package engine

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// engines is a made-up /proc with one engine, PID 77, and a container's state in
// an exec root. home is the engine asked; another's data root is at other.
func engines(t *testing.T, full string) (e *Engine, h *home, other string) {
	t.Helper()
	root := t.TempDir()
	proc, other := filepath.Join(root, "proc"), filepath.Join(root, "other")
	link := func(name, target string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, name); err != nil {
			t.Fatal(err)
		}
	}
	link(proc+"/self/ns/mnt", "mnt:[1]")
	link(proc+"/77/ns/mnt", "mnt:[1]")
	link(proc+"/77/root", "/")
	put(t, proc+"/77/comm", "dockerd\n")
	put(t, proc+"/77/cmdline", "dockerd\x00--data-root\x00"+other+"\x00")
	put(t, proc+"/77/stat", "77 (dockerd) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 99 1 1\n")
	put(t, root+"/exec/runtime-runc/moby/"+full+"/state.json", "{}")
	h = &home{data: root + "/ours", exec: root + "/exec", namespace: defaultNamespace}
	e, err := Open(t.Context(), Options{Host: "unix://" + root + "/s", ProcRoot: proc, HomeDir: "/nonexistent", Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	e.cgroups = root + "/cgroup"
	return e, h, other
}

// What another live engine has is no orphan, also where both share an exec root.
func TestSharedExecRoot(t *testing.T) {
	full := id("aa")
	e, h, other := engines(t, full)
	look := func() int { return len(e.survey(h, orphaned(nil)).candidates(nil)) }
	if n := look(); n != 1 {
		t.Errorf("%d orphans of nobody's state below the exec root, want 1", n)
	}
	put(t, other+"/containers/"+full+"/config.v2.json", "{}")
	if n := look(); n != 0 {
		t.Errorf("%d orphans, which the other engine has", n)
	}
}

// A name is answered with what is proven to be of the engine asked.
func TestForgottenNeedsProof(t *testing.T) {
	full := id("aa")
	e, h, other := engines(t, full)
	e.home, e.effort, e.sought = h, thorough, time.Now()
	e.trouble = troubleGone // its files were listed
	if target, err := e.forgotten(t.Context(), full); target == nil {
		t.Errorf("state below its exec root: %+v", err)
	}
	h.exec = other // where nothing is
	if err := os.MkdirAll(e.cgroups+"/unified/docker/"+full, 0o755); err != nil {
		t.Fatal(err)
	}
	if target, err := e.forgotten(t.Context(), full); target != nil || err.ExitCode == 0 {
		t.Errorf("a cgroup that PID 77 may have made: %+v, %+v", target, err)
	}
}

// Without a second answer nothing is confirmed.
func TestUnconfirmed(t *testing.T) {
	full := id("aa")
	e, h, _ := engines(t, full)
	found := []*remains{{id: full, members: []int{os.Getpid()}}}
	got, _, err := e.confirmed(t.Context(), h, found)
	var asError *Error
	if len(got) != 0 || !errors.As(err, &asError) || asError.ExitCode != ExitNoEngine {
		t.Errorf("%+v, %v", got, err)
	}
}

// An engine that was not there is found when it comes, and its PID is not kept
// when it goes.
func TestHomeChanges(t *testing.T) {
	e, _, other := engines(t, id("aa"))
	home := func(peer int) *home {
		t.Helper()
		e.conn.peer, e.sought = peer, time.Time{}
		h, _ := e.homeOf(t.Context(), thorough)
		return h
	}
	if h := home(0); h != nil {
		t.Errorf("no engine: %+v", h)
	}
	if h := home(77); h == nil || h.pid != 77 || h.data != other {
		t.Fatalf("it came: %+v", h)
	}
	put(t, e.opt.ProcRoot+"/77/comm", "sleep\n")
	if h := home(77); h == nil || h.pid != 0 || h.data != other {
		t.Errorf("it went, and its PID is another's: %+v", h)
	}
}
