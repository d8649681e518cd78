package probe

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whystuck/whystuck/pkg/evidence"
)

const statusFull = `Name:	docker-init
Umask:	0022
State:	S (sleeping)
Tgid:	28914
Ngid:	0
Pid:	28914
PPid:	28890
TracerPid:	77
Uid:	1	2	3	4
Gid:	0	0	0	0
FDSize:	64
Groups:	0 1 2
NStgid:	28914	1
NSpid:	28914	1
NSpgid:	28914	1
NSsid:	28914	1
VmPeak:	    2548 kB
CoreDumping:	0
THP_enabled:	1
Threads:	3
SigQ:	5/96365
SigPnd:	0000000000000400
ShdPnd:	0000000000004000
SigBlk:	0000000000010000
SigIgn:	0000000000300000
SigCgt:	0000000000000002
CapInh:	0000000000000000
CapEff:	00000000a80425fb
NoNewPrivs:	0
Seccomp:	2
Speculation_Store_Bypass:	vulnerable
voluntary_ctxt_switches:	23
nonvoluntary_ctxt_switches:	1
`

func set(signals ...int) *evidence.SigSet { s := evidence.SetOf(signals...); return &s }

func ptr[T any](v T) *T { return &v }

func TestParseStatus(t *testing.T) {
	got, err := parseStatus([]byte(statusFull))
	if err != nil {
		t.Fatal(err)
	}
	want := status{
		Name: "docker-init", State: "S", Tgid: 28914, PPID: 28890, TracerPID: 77,
		NSPIDs: []int{28914, 1}, Threads: 3, UID: []int{1, 2, 3, 4}, SigQ: &[2]int{5, 96365},
		SigPnd: set(evidence.SIGUSR1 + 1), ShdPnd: set(evidence.SIGTERM), SigBlk: set(evidence.SIGCHLD),
		SigIgn: set(evidence.SIGTTIN, evidence.SIGTTOU), SigCgt: set(evidence.SIGINT),
		CapEff: ptr(uint64(0xa80425fb)), Seccomp: ptr(2), CoreDumping: ptr(false),
		VolSwitches: 23, InvolSwitches: 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseStatusOddities(t *testing.T) {
	tests := map[string]struct {
		text    string
		err     bool
		signals *evidence.Signals
		check   func(status) bool
	}{
		"gVisor prints no signal lines": {
			text: "Name:\tsh\nState:\tS (sleeping)\nTgid:\t1\nThreads:\t1\nSeccomp:\t0\n",
			check: func(s status) bool {
				return s.SigBlk == nil && s.SigCgt == nil && s.CoreDumping == nil && *s.Seccomp == 0
			},
		},
		"masks of zero are there": {
			text:    "ShdPnd:\t0000000000000000\nSigIgn:\t0000000000000000\nSigCgt:\t0000000000000000\n",
			signals: &evidence.Signals{Queued: -1, QueueLimit: -1},
			check:   func(s status) bool { return s.SigBlk == nil },
		},
		"MIPS has 128 signals": {
			text: "ShdPnd:\t" + strings.Repeat("0", 32) + "\nSigIgn:\t" + strings.Repeat("0", 32) + "\nSigCgt:\t" + strings.Repeat("0", 30) + "02\n",
			err:  true,
		},
		"cut in the middle of a mask line": {
			text:  "State:\tD (disk sleep)\nSigIgn:\t0000000000000006\nSigCgt:",
			err:   true,
			check: func(s status) bool { return s.State == "D" && s.SigIgn != nil },
		},
		"a name with newline and backslash": {
			text:  "Name:\ta\\nb\\\\n\n",
			check: func(s status) bool { return s.Name == "a\nb\\n" },
		},
		"a name that looks like a line": {
			text:  "Name:\tSigCgt:\t0\n",
			check: func(s status) bool { return s.Name == "SigCgt:\t0" && s.SigCgt == nil },
		},
		"no limit on queued signals": {
			text:  "SigQ:\t3/18446744073709551615\n",
			check: func(s status) bool { return *s.SigQ == [2]int{3, -1} },
		},
		"numbers that are none": {
			text:  "Threads:\tmany\nPPid:\t7\n",
			err:   true,
			check: func(s status) bool { return s.Threads == 0 && s.PPID == 7 },
		},
		"state without a letter": {text: "State:\t\n", err: true},
		"empty":                  {},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := parseStatus([]byte(tt.text))
			if (err != nil) != tt.err {
				t.Errorf("error %v, want one: %v", err, tt.err)
			}
			if diff := cmp.Diff(tt.signals, s.signals()); diff != "" {
				t.Error(diff)
			}
			if tt.check != nil && !tt.check(s) {
				t.Errorf("got %+v", s)
			}
		})
	}
}

func FuzzParseStatus(f *testing.F) {
	f.Add([]byte(statusFull))
	f.Add([]byte("SigQ:\t1/\nSigPnd: -1\nNSpid:\nName:\\"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, _ := parseStatus(data)
		if len(s.State) > 1 || len(s.NSPIDs) > 33 || len(s.UID) > 4 {
			t.Errorf("unbounded: %+v", s)
		}
		if got := s.signals(); got != nil && (s.SigIgn == nil || s.SigCgt == nil || s.ShdPnd == nil) {
			t.Error("signals made up")
		}
	})
}
