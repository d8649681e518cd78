package probe

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whystuck/whystuck/pkg/evidence"
)

const statTail = " S 4098 4121 4121 34816 4121 4194560 100 0 0 0 7 9 0 0 20 0 3 0 266203 5832704 1 18446744073709551615 0 0 0 0 0 1 512 4096 16386 0 0 0 17 1 0 0 0 0 0\n"

func TestParseStat(t *testing.T) {
	want := stat{State: "S", PPID: 4098, PGRP: 4121, Session: 4121, TTY: 34816, Flags: 4194560, UTime: 7, STime: 9, Threads: 3, StartTicks: 266203,
		Legacy: legacyMasks{Pending: 1, Blocked: 512, Ignored: 4096, Caught: 16386}}
	for _, comm := range []string{"sh", "", "a b", "x) S 1 (y", "two\nlines", "))((", "runc:[2:INIT]"} {
		want.Comm = comm
		got, err := parseStat([]byte("4121 (" + comm + ")" + statTail))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", comm, diff)
		}
	}
	for _, bad := range []string{"", "1", "1 (sh", "1 (sh)", "1 (sh) S 1 2", "1 )sh( S", "1 (sh) S x" + statTail} {
		if got, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q gave %+v", bad, got)
		}
	}
}

func TestParseSyscall(t *testing.T) {
	const regs = " 0x7ffc00000001 0x0 0x1 0x2 0x3 0x4 0x7ffc12345678 0x7f0012345678\n"
	tests := map[string]struct {
		arch, text string
		want       *evidence.Syscall
	}{
		"running":                  {"amd64", "running\n", &evidence.Syscall{Running: true}},
		"outside a call":           {"amd64", "-1 0x7ffc0 0x7f00\n", &evidence.Syscall{NR: -1}},
		"sigwait on amd64":         {"amd64", "128" + regs, &evidence.Syscall{NR: 128, Name: "rt_sigtimedwait"}},
		"sigwait on arm64":         {"arm64", "137" + regs, &evidence.Syscall{NR: 137, Name: "rt_sigtimedwait"}},
		"an unknown call":          {"amd64", "9999" + regs, &evidence.Syscall{NR: 9999}},
		"an unknown architecture":  {"s390x", "128" + regs, &evidence.Syscall{NR: 128}},
		"a 32-bit program's write": {"amd64", "4 0x1 0x0 0x1 0x2 0x3 0x4 0xffffd000 0xf7fd0000\n", &evidence.Syscall{NR: 4}},
		"empty":                    {"amd64", "", nil},
		"no number":                {"amd64", "read" + regs, nil},
		"no hexadecimal":           {"amd64", "0 zz 0 0 0 0 0 0 0\n", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseSyscall([]byte(tt.text), tt.arch)
			if (err != nil) != (tt.want == nil) {
				t.Fatalf("error %v", err)
			}
			if got != nil && len(got.Args) != 0 {
				if len(got.Args) != 6 || tt.text[:4] != "4 0x" && got.Args[0] != 0x7ffc00000001 {
					t.Errorf("arguments %x", got.Args)
				}
				got.Args = nil
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The numbers that the rules rest on, from the kernel's own tables.
func TestSyscallNames(t *testing.T) {
	for nr, want := range map[int]string{0: "read", 7: "poll", 34: "pause", 56: "clone", 58: "vfork", 59: "execve", 61: "wait4", 128: "rt_sigtimedwait", 130: "rt_sigsuspend", 202: "futex", 219: "restart_syscall", 230: "clock_nanosleep", 232: "epoll_wait", 247: "waitid", 257: "openat", 262: "newfstatat", 270: "pselect6", 271: "ppoll", 281: "epoll_pwait", 288: "accept4", 426: "io_uring_enter", 441: "epoll_pwait2"} {
		if got := syscallName("amd64", nr); got != want {
			t.Errorf("amd64 %d: %q, want %q", nr, got, want)
		}
	}
	for nr, want := range map[int]string{22: "epoll_pwait", 63: "read", 72: "pselect6", 73: "ppoll", 79: "newfstatat", 95: "waitid", 98: "futex", 101: "nanosleep", 115: "clock_nanosleep", 128: "restart_syscall", 133: "rt_sigsuspend", 137: "rt_sigtimedwait", 220: "clone", 221: "execve", 260: "wait4"} {
		if got := syscallName("arm64", nr); got != want {
			t.Errorf("arm64 %d: %q, want %q", nr, got, want)
		}
	}
	if syscallName("amd64", -1) != "" || syscallName("amd64", 1<<30) != "" {
		t.Error("a number outside the table has a name")
	}
}

func TestParseStack(t *testing.T) {
	text := "[<0>] request_wait_answer+0x112/0x210\n[<0>] fuse_lookup_name+0xed/0x2e0 [fuse]\n[<ffffffff81a0>] do_wait.isra.0+0x1/0x2\nrubbish\n[<0>] 0xffffffffffffffff\n"
	want := []string{"request_wait_answer", "fuse_lookup_name", "do_wait.isra.0", "0xffffffffffffffff"}
	if diff := cmp.Diff(want, parseStack([]byte(text))); diff != "" {
		t.Error(diff)
	}
	if got := parseStack(nil); got == nil || len(got) != 0 {
		t.Errorf("no stack is %v, want empty and not nil", got)
	}
	if n := len(parseStack([]byte(strings.Repeat("[<0>] f+0x1/0x2\n", 1000)))); n != maxFrames {
		t.Errorf("%d frames", n)
	}
}

func TestParseWchan(t *testing.T) {
	tests := []struct {
		text, state string
		want        *string
	}{
		{"do_wait", "S", ptr("do_wait")},
		{"do_sigtimedwait.isra.0\n", "S", ptr("do_sigtimedwait.isra.0")},
		{"0", "R", ptr("")},
		{"0", "Z", ptr("")},
		{"0", "S", nil},
		{"0", "D", nil},
		{"", "S", nil},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, parseWchan([]byte(tt.text), tt.state)); diff != "" {
			t.Errorf("%q in %s: %s", tt.text, tt.state, diff)
		}
	}
}

func TestWantsStack(t *testing.T) {
	tests := []struct {
		state   string
		wchan   *string
		exiting bool
		want    bool
	}{
		{"S", ptr("futex_do_wait"), false, false},
		{"S", ptr("do_sigtimedwait.isra.0"), false, false},
		{"S", ptr("do_wait"), false, false},
		{"S", ptr("do_wait"), true, true}, // zap_pid_ns_processes
		{"S", ptr("request_wait_answer"), false, true},
		{"S", ptr("zap_pid_ns_processes"), false, true},
		{"S", nil, false, true},
		{"D", ptr("kernel_clone"), false, true},
		{"t", ptr("ptrace_stop"), false, true},
		{"T", ptr("do_signal_stop"), false, false},
		{"R", ptr(""), false, false},
	}
	for _, tt := range tests {
		if got := wantsStack(&evidence.Task{State: tt.state, Wchan: tt.wchan}, tt.exiting); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}

func TestParseFDInfo(t *testing.T) {
	mask, ok := parseSignalFD([]byte("pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t1035\nsigmask:\tfffffffe3ffbfa07\n"))
	if !ok || mask.String() != "fffffffe3ffbfa07" {
		t.Errorf("%v, %v", mask, ok)
	}
	if _, ok := parseSignalFD([]byte("pos:\t0\n")); ok {
		t.Error("no sigmask line, and yet a mask")
	}
	got := parseEpoll([]byte("pos:\t0\nflags:\t02\ntfd:        5 events:       19 data:  5  pos:0 ino:40b sdev:f\ntfd:       12 events: 8000001d data: 1\ntfd:\ntfd: x\n"))
	if diff := cmp.Diff([]int{5, 12}, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseSmallThings(t *testing.T) {
	if got := parseNS("pid:[4026531836]"); got != 4026531836 {
		t.Errorf("namespace %d", got)
	}
	for _, bad := range []string{"", "pid:[", "pid:[]", "mnt:[1]", "pid:[-1]"} {
		if parseNS(bad) != 0 {
			t.Errorf("%q is a namespace", bad)
		}
	}
	if got := eventFlag([]byte("populated 1\nfrozen 0\n"), "frozen"); got == nil || *got {
		t.Errorf("frozen %v", got)
	}
	if got := eventFlag([]byte("populated 1\n"), "frozen"); got != nil {
		t.Error("Linux 5.1 has no frozen line")
	}
	if diff := cmp.Diff([]int{12, 7}, parsePIDs([]byte("12\n0\n7\nx\n"))); diff != "" {
		t.Error(diff)
	}
}

func TestParseCmdline(t *testing.T) {
	tests := map[string][]string{
		"":                             {},
		"\x00\x00":                     {},
		"sh\x00-c\x00a b\x00":          {"sh", "-c", "a b"},
		"x\x00\x00y\x00":               {"x", "", "y"},
		"nginx: master\x00\x00\x00":    {"nginx: master"},
		strings.Repeat("a\x00", 10000): slicesRepeat("a", maxArgs),
	}
	for text, want := range tests {
		if diff := cmp.Diff(want, parseCmdline([]byte(text))); diff != "" {
			t.Errorf("%.20q: %s", text, diff)
		}
	}
}

func slicesRepeat(s string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = s
	}
	return out
}

func TestContainerPath(t *testing.T) {
	tests := map[string]string{
		"/docker/" + containerID:                                              "/docker/" + containerID,
		"/docker/" + containerID + "/init.scope":                              "/docker/" + containerID,
		"/system.slice/docker-" + containerID + ".scope":                      "/system.slice/docker-" + containerID + ".scope",
		"/machine.slice/libpod-" + containerID + ".scope/container":           "/machine.slice/libpod-" + containerID + ".scope",
		"/kubepods.slice/pod1.slice/cri-containerd-" + containerID + ".scope": "/kubepods.slice/pod1.slice/cri-containerd-" + containerID + ".scope",
		"/":                                  "",
		"/docker/" + strings.Repeat("a", 64): "",
	}
	for path, want := range tests {
		if got := containerPath(path, containerID); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if containerPath("/docker/x", "") != "" {
		t.Error("no id matches everything")
	}
}

func TestAddGaps(t *testing.T) {
	var target evidence.Target
	for _, path := range []string{"/proc/1/stack", "/proc/2/stack", "/proc/2/task/3/stack", "/proc/9/fdinfo/3", "/proc/9/fdinfo/4", "/proc/1", "/proc/2"} {
		addGaps(&target, evidence.Gap{Path: path, Kind: evidence.GapDenied, Matters: "m"})
	}
	addGaps(&target, evidence.Gap{Path: "/proc/1/stack", Kind: evidence.GapTimeout, Matters: "m"})
	var paths []string
	for _, g := range target.Gaps {
		paths = append(paths, g.Kind+" "+g.Path)
	}
	if diff := cmp.Diff([]string{"denied /proc/1/stack", "denied /proc/9/fdinfo/3", "denied /proc/1", "timeout /proc/1/stack"}, paths); diff != "" {
		t.Error(diff)
	}
}

func FuzzParsers(f *testing.F) {
	f.Add([]byte("4121 (sh)" + statTail))
	f.Add([]byte("202 0x1 0x2 0x3 0x4 0x5 0x6 0x7ffc00000000 0x8\n"))
	f.Add([]byte("[<0>] do_wait+0x1/0x2 [m]\n"))
	f.Add([]byte("sigmask:\t0000000000004000\ntfd: 5 events: 19\n"))
	f.Add([]byte("populated 1\nfrozen 0\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := parseStat(data); err == nil && s.State == "" {
			t.Error("a stat without state is no stat")
		}
		if s, err := parseSyscall(data, "amd64"); err == nil && s.Args != nil && len(s.Args) != 6 {
			t.Errorf("%d arguments", len(s.Args))
		}
		if frames := parseStack(data); frames == nil || len(frames) > maxFrames {
			t.Errorf("%d frames", len(frames))
		}
		for _, fd := range parseEpoll(data) {
			if fd < 0 {
				t.Error("negative descriptor")
			}
		}
		for _, pid := range parsePIDs(data) {
			if pid <= 0 {
				t.Error("a PID below 1")
			}
		}
		if argv := parseCmdline(data); argv == nil || len(argv) > maxArgs {
			t.Errorf("%d arguments", len(argv))
		}
		parseSignalFD(data)
		parseWchan(data, "S")
		eventFlag(data, "frozen")
	})
}
