package inside

import (
	"strings"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/memory"
)

func TestParseStat(t *testing.T) {
	rest := " 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2"
	for text, want := range map[string]struct {
		state byte
		start uint64
	}{
		"12 (bash) S" + rest:      {'S', 98765},
		"12 (a) R (b c) D" + rest: {'D', 98765},
		"12 (\n) S\n) Z" + rest:   {'Z', 98765},
	} {
		state, start, err := parseStat([]byte(text))
		if err != nil || state != want.state || start != want.start {
			t.Errorf("%q: %c %d %v", text, state, start, err)
		}
	}
	for _, text := range []string{"", "12", "12 (bash", "12 (bash)", "12 (bash) S 1 2", "12 (bash) SS" + rest, strings.Replace("1 (b) S"+rest, "98765", "x", 1)} {
		if _, _, err := parseStat([]byte(text)); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

func TestMountType(t *testing.T) {
	const mounts = `22 1 0:20 / / rw,relatime shared:1 - overlay overlay rw,lowerdir=/a
23 22 0:21 / /proc rw - proc proc rw
24 22 0:44 / /data\040- rw master:2 shared:9 - fuse.sshfs host:/ rw
25 22 259:1 / /disk rw - ext4 /dev/nvme0n1p1 rw
junk
26 22 0:50 / /short
`
	for _, c := range []struct{ id, dev, want string }{
		{"22", "0:20", "overlay"},
		{"24", "9:9", "fuse.sshfs"},
		{"", "259:1", "ext4"},
		{"", "0:44", "fuse.sshfs"},
		{"26", "", ""},
		{"99", "0:20", ""},
		{"", "8:8", ""},
	} {
		if got := mountType([]byte(mounts), c.id, c.dev); got != c.want {
			t.Errorf("mount %q %q: %q, want %q", c.id, c.dev, got, c.want)
		}
	}
	for _, bad := range []string{"", "fuse", "fuse.sshfs", "nfs", "nfs4", "cifs", "9p", "virtiofs", "ceph", "proc"} {
		if memory.Local(bad) {
			t.Errorf("%q counts as local", bad)
		}
	}
}

func TestProgramHint(t *testing.T) {
	golike := ^evidence.SigSet(0)
	for _, c := range []struct {
		p    evidence.Process
		want string
	}{
		{evidence.Process{Exe: "/usr/bin/bash"}, programBash},
		{evidence.Process{Exe: "/bin/sh (deleted)"}, programBash},
		{evidence.Process{Argv: []string{"-bash"}}, programBash},
		{evidence.Process{Exe: "/bin/dash", Argv: []string{"bash"}}, ""},
		{evidence.Process{Exe: "/bin/busybox", Argv: []string{"sh"}}, ""},
		{evidence.Process{Exe: "/usr/local/bin/node"}, programNode},
		{evidence.Process{Exe: "/usr/bin/nodejs"}, programNode},
		{evidence.Process{Exe: "/usr/bin/php8.2"}, programPHP},
		{evidence.Process{Exe: "/usr/sbin/php-fpm8.2"}, ""},
		{evidence.Process{Exe: "/app", Signals: &evidence.Signals{Caught: golike}}, programGo},
		{evidence.Process{Exe: "/app", Signals: &evidence.Signals{}}, ""},
		{evidence.Process{}, ""},
	} {
		if got := programHint(&c.p); got != c.want {
			t.Errorf("%s %v: %q, want %q", c.p.Exe, c.p.Argv, got, c.want)
		}
	}
}

func TestUntouchable(t *testing.T) {
	for _, c := range []struct {
		p  evidence.Process
		ok bool
	}{
		{evidence.Process{State: "S"}, true},
		{evidence.Process{State: "R"}, true},
		{evidence.Process{State: "S", Flags: 0x400100}, true},
		{evidence.Process{State: "S", Flags: 0x4}, false},
		{evidence.Process{State: "R", Flags: 0x400}, false},
		{evidence.Process{State: "S", Tasks: []evidence.Task{{State: "S"}, {TID: 7, State: "D"}}}, false},
		{evidence.Process{State: "D"}, false},
		{evidence.Process{PID: 7, State: "D", Tasks: []evidence.Task{{TID: 7, State: "D", Again: &evidence.SecondLook{State: "S"}}}}, true},
		{evidence.Process{PID: 7, State: "D", Tasks: []evidence.Task{{TID: 7, State: "D", Again: &evidence.SecondLook{State: "D", Moved: true}}}}, false},
		{evidence.Process{PID: 7, State: "S", Tasks: []evidence.Task{{TID: 8, State: "D", Again: &evidence.SecondLook{State: "R"}}}}, true},
		{evidence.Process{State: "T"}, false},
		{evidence.Process{State: "t"}, false},
		{evidence.Process{State: "Z"}, false},
		{evidence.Process{}, false},
	} {
		if got := untouchable(&c.p); (got == "") != c.ok {
			t.Errorf("%+v: %q", c.p, got)
		}
	}
}

func TestAuxv(t *testing.T) {
	good := words(64, map[int]uint64{0: 5, 8: 13, 16: 9, 24: 0x401000})
	if entry, phnum, err := parseAuxv(good); entry != 0x401000 || phnum != 13 || err != nil {
		t.Errorf("%#x %d %v", entry, phnum, err)
	}
	for _, bad := range [][]byte{nil, good[:15], good[:16], words(48, map[int]uint64{16: 9, 24: 1})} {
		if _, _, err := parseAuxv(bad); err == nil {
			t.Errorf("%x: no error", bad)
		}
	}
}

func TestSets(t *testing.T) {
	m := fakeMemory{0x1000: {3, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0}}
	poll, err := pollSet(m, 0x1000, 3)
	if err != nil || !poll(3) || poll(4) || poll(0) {
		t.Errorf("poll: %v", err)
	}
	sel, err := selectSet(m, 10, 0x1000)
	if err != nil || !sel(0) || !sel(1) || sel(2) || sel(11) || sel(-1) || sel(1<<40) {
		t.Errorf("select: %v", err)
	}
	for _, n := range []uint64{4, 5000, 1 << 63, ^uint64(0)} {
		if _, err := pollSet(m, 0x1000, n); err == nil {
			t.Errorf("poll of %d: no error", n)
		}
	}
	for _, n := range []uint64{1000, 1 << 40, ^uint64(0)} {
		if _, err := selectSet(m, n, 0x1000); err == nil {
			t.Errorf("select of %d: no error", n)
		}
	}
	if set, err := selectSet(m, 5, 0); err != nil || set(1) {
		t.Errorf("select without a set: %v", err)
	}
}

func TestIsCall(t *testing.T) {
	s := &evidence.Syscall{NR: 128, Args: []uint64{0x7ffe0010, 0, 0, 8, 0, 0xffffffffffffffff}}
	for line, want := range map[string]bool{
		"128 0x7ffe0010 0x0 0x0 0x8 0x0 0xffffffffffffffff 0x7ffd 0x7f00\n": true,
		"128 0x7ffe0010 0x0 0x0 0x8 0x0 0xfffffffffffffff 0x7ffd 0x7f00\n":  false,
		"128 0x7ffe0018 0x0 0x0 0x8 0x0 0xffffffffffffffff 0x7ffd 0x7f00\n": false,
		"running\n": false, "": false, "1280x7ffe0010": false,
	} {
		if got := isCall([]byte(line), s); got != want {
			t.Errorf("%q: %t", line, got)
		}
	}
}
