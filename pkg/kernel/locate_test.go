package kernel

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/evidence"
)

func TestParseMapping(t *testing.T) {
	for line, want := range map[string]mapping{
		"55d0c0000000-55d0c0021000 r-xp 0000a000 08:01 131 /usr/bin/my prog (deleted)":     {0x55d0c0000000, 0x55d0c0021000, 0xa000, "/usr/bin/my prog (deleted)"},
		"7ffd3b5e2000-7ffd3b603000 rw-p 00000000 00:00 0                          [stack]": {0x7ffd3b5e2000, 0x7ffd3b603000, 0, ""},
		"7f0000000000-7f0000001000 rw-p 00000000 00:00 0 ":                                 {0x7f0000000000, 0x7f0000001000, 0, ""},
		"7f0000000000-7f0000001000 rw-s 00000000 00:0e 5 anon_inode:[io_uring]":            {0x7f0000000000, 0x7f0000001000, 0, ""},
	} {
		if got, ok := parseMapping([]byte(line)); !ok || got != want {
			t.Errorf("%q: %+v, %v, want %+v", line, got, ok, want)
		}
	}
	for _, line := range []string{"", "x", "1-2", "1 2 3 4 5 6", "zz-10 r 0 0 0 /x", "10-zz r 0 0 0 /x", "10-20 r zz 0 0 /x"} {
		if got, ok := parseMapping([]byte(line)); ok {
			t.Errorf("%q: read as %+v", line, got)
		}
	}
}

func FuzzParseMapping(f *testing.F) {
	f.Add([]byte("55d0c0000000-55d0c0021000 r-xp 0000a000 08:01 131 /usr/bin/x"))
	f.Fuzz(func(t *testing.T, line []byte) {
		if m, ok := parseMapping(line); ok && m.file != "" && m.file[0] != '/' {
			t.Errorf("%q: file %q", line, m.file)
		}
	})
}

func TestMountType(t *testing.T) {
	const text = "25 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n" +
		"31 25 0:27 / /a\\040-\\040ext4 rw - fuse.sshfs host rw\n" +
		"32 25 0:28 / /odd\n"
	for id, want := range map[uint64]string{25: "ext4", 31: "fuse.sshfs", 32: "", 34: ""} {
		if got := mountType([]byte(text), id); got != want {
			t.Errorf("mount %d: %q, want %q", id, got, want)
		}
	}
}

func TestSafeFile(t *testing.T) {
	here := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(here, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dir, err := unix.Open("/proc/self", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(dir)
	for path, safe := range map[string]bool{here: true, "/proc/version": false, "/dev/null": false, "/": false} {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := safeFile(dir, fd); (err == nil) != safe || err != nil && !errors.Is(err, errUnsafeFile) {
			t.Errorf("%s: %v, want safe %v", path, err, safe)
		}
		unix.Close(fd)
	}
}

func TestSafeToRead(t *testing.T) {
	yes, no := true, false
	tasks := func(states ...string) (all []evidence.Task) {
		for _, s := range states {
			all = append(all, evidence.Task{State: s})
		}
		return all
	}
	for name, c := range map[string]struct {
		p    evidence.Process
		want bool
	}{
		"asleep":            {evidence.Process{State: "S", Kernel: &evidence.Kernel{GroupExit: &no}, Tasks: tasks("S", "R")}, true},
		"leader in D":       {evidence.Process{State: "D", Kernel: &evidence.Kernel{}}, false},
		"a thread in D":     {evidence.Process{State: "S", Kernel: &evidence.Kernel{}, Tasks: tasks("S", "D")}, false},
		"exiting":           {evidence.Process{State: "S", Flags: 0x4, Kernel: &evidence.Kernel{}}, false},
		"being killed":      {evidence.Process{State: "S", Kernel: &evidence.Kernel{GroupExit: &yes}}, false},
		"stopped or traced": {evidence.Process{State: "T", Kernel: &evidence.Kernel{}}, false},
	} {
		if got := safeToRead(&c.p); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
