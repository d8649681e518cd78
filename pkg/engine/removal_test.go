package engine

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// leftOf is a data root with what is left of one container: its directory and its
// layer, whose name is another one.
func leftOf(t *testing.T, full, layer string) *home {
	t.Helper()
	data := t.TempDir()
	put(t, data+"/image/overlay2/layerdb/mounts/"+full+"/mount-id", layer)
	put(t, data+"/containers/"+full+"/hosts", "x")
	put(t, data+"/overlay2/"+layer+"/diff/etc/resolv.conf", "x")
	return &home{data: data, exec: data, namespace: defaultNamespace}
}

func chattr(t *testing.T, attribute, path string) {
	t.Helper()
	if out, err := exec.Command("chattr", "+"+attribute, path).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: chattr +%s: %v %s", attribute, err, out)
	}
	t.Cleanup(func() { _ = exec.Command("chattr", "-"+attribute, path).Run() })
}

func kinds(r *evidence.Removal) map[string]string {
	out := map[string]string{}
	for _, h := range r.Held {
		out[h.Path] = h.Kind
	}
	return out
}

// What nobody can unlink is found in the layer, in the container's own directory,
// and in the directory above it.
func TestRemovalFindsAttributes(t *testing.T) {
	full, layer := id("aa"), id("bb")
	h := leftOf(t, full, layer)
	r := h.removal(t.Context(), "/proc", full)
	if len(r.Held) != 0 || !r.Whole || r.Entries != 4 || len(r.Dirs) != 2 {
		t.Errorf("nothing holds it: %+v", r)
	}
	inLayer, own := h.data+"/overlay2/"+layer+"/diff/etc", h.data+"/containers/"+full+"/hosts"
	chattr(t, "a", inLayer)
	chattr(t, "i", own)
	chattr(t, "i", h.data+"/overlay2")
	r = h.removal(t.Context(), "/proc", full)
	got := kinds(r)
	if len(got) != 3 || got[inLayer] != evidence.HeldAppendOnly || got[own] != evidence.HeldImmutable || got[h.data+"/overlay2"] != evidence.HeldImmutable {
		t.Errorf("%v", got)
	}
}

// A container's files are hostile: no FIFO is opened, no link followed, no other
// mount entered, and the search has an end.
func TestRemovalSearchIsSafe(t *testing.T) {
	full, layer := id("aa"), id("bb")
	h := leftOf(t, full, layer)
	diff, elsewhere := h.data+"/overlay2/"+layer+"/diff", t.TempDir()
	put(t, elsewhere+"/held", "x")
	chattr(t, "i", elsewhere+"/held")
	if err := unix.Mkfifo(diff+"/fifo", 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, diff+"/link"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	r := h.removal(t.Context(), "/proc", full)
	if len(r.Held) != 0 || !r.Whole || time.Since(began) > 2*time.Second {
		t.Errorf("%+v", r)
	}
	if err := os.Mkdir(diff+"/mnt", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(elsewhere, diff+"/mnt", "", unix.MS_BIND, ""); err == nil {
		defer func() { _ = unix.Unmount(diff+"/mnt", unix.MNT_DETACH) }()
		if err := unix.Mount("none", diff+"/mnt", "tmpfs", 0, ""); err == nil {
			defer func() { _ = unix.Unmount(diff+"/mnt", unix.MNT_DETACH) }()
		}
		if r = h.removal(t.Context(), "/proc", full); len(r.Held) != 0 || r.Whole {
			t.Errorf("what lies on another mount: %+v", r)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if r = h.removal(ended, "/proc", full); r.Whole || r.Entries != 0 {
		t.Errorf("without time: %+v", r)
	}
}

// A link in the place of the layer, and a layer that is no name, lead nowhere.
func TestRemovalStaysInside(t *testing.T) {
	full := id("aa")
	h := leftOf(t, full, id("bb"))
	put(t, h.data+"/image/overlay2/layerdb/mounts/"+full+"/mount-id", "../../../etc")
	if r := h.removal(t.Context(), "/proc", full); len(r.Dirs) != 1 {
		t.Errorf("%+v", r)
	}
	layer := id("bb")
	h = leftOf(t, full, layer)
	dir := h.data + "/overlay2/" + layer
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc", dir); err != nil {
		t.Fatal(err)
	}
	if r := h.removal(t.Context(), "/proc", full); len(r.Dirs) != 1 || r.Whole {
		t.Errorf("%+v", r)
	}
}

func TestSwapFiles(t *testing.T) {
	proc := t.TempDir()
	put(t, proc+"/swaps", "Filename\tType\tSize\tUsed\tPriority\n/d/x/sw file 4092 0 -2\n/d/xy/sw file 1 0 -3\n/d/x/dev partition 1 0 -4\n")
	got := swapFiles(tree{}, proc, []string{"/d/x"})
	if !slices.Equal(got, []evidence.HeldFile{{Path: "/d/x/sw", Kind: evidence.HeldSwap}}) {
		t.Errorf("%+v", got)
	}
}

func TestReadOnlyMount(t *testing.T) {
	for _, c := range []struct {
		mount, super string
		want         bool
	}{{"rw", "rw", false}, {"ro", "rw", true}, {"rw", "ro", true}, {"rw", "emergency_ro", true}, {"rw", "errors=remount-ro", false}} {
		m := &procfs.MountInfo{Options: map[string]string{c.mount: ""}, SuperOptions: map[string]string{c.super: ""}}
		if readOnly(m) != c.want {
			t.Errorf("%+v", c)
		}
	}
	h := &home{data: "/proc", pid: os.Getpid()}
	if m := h.mountOf("/proc", "/proc/self"); m == nil || m.FSType != "proc" {
		t.Errorf("the mount of /proc/self: %+v", m)
	}
}

// Half removed is what is old, has no configuration, and is not known.
func TestHalfRemoved(t *testing.T) {
	h := &home{data: t.TempDir()}
	old, young, known, whole := id("aa"), id("bb"), id("cc"), id("dd")
	for _, full := range []string{old, young, known, whole, "not-an-id"} {
		dir := filepath.Join(h.data, "containers", full)
		put(t, dir+"/hosts", "x")
		if full == whole {
			put(t, dir+"/config.v2.json", "damaged")
		}
		if full != young {
			past := time.Now().Add(-time.Minute)
			if err := os.Chtimes(dir, past, past); err != nil {
				t.Fatal(err)
			}
		}
	}
	list := map[string]listed{known: {id: known}}
	got := h.halfRemoved(list)
	if len(got) != 1 || filepath.Base(got[0]) != old {
		t.Errorf("%v", got)
	}
	if still := h.stillHalf(slices.Clone(got), map[string]listed{old: {id: old}}); len(still) != 0 {
		t.Errorf("known by now: %v", still)
	}
	if err := os.RemoveAll(got[0]); err != nil {
		t.Fatal(err)
	}
	if still := h.stillHalf(got, list); len(still) != 0 {
		t.Errorf("gone by now: %v", still)
	}
}
