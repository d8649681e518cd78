package render

import (
	"bytes"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

const allStandard = evidence.SigSet(0x7ffbfeff) // 1 to 31 without KILL and STOP

// goCaught is what a Go 1.26 program catches: fffffffd7fc1feff.
const goCaught = evidence.SigSet(0xfffffffd7fc1feff)

func TestSetWords(t *testing.T) {
	set := evidence.SetOf
	tests := []struct {
		set  evidence.SigSet
		want string
	}{
		{0, ""},
		{set(15, 2), "SIGINT SIGTERM"},
		{set(15, 33), "SIGTERM SIG33"},
		{set(34, 35, 36, 37, 64), "SIGRTMIN..SIGRTMIN+3 SIGRTMAX"},
		{set(34, 35), "SIGRTMIN SIGRTMIN+1"},
		{allStandard, "all but the real-time ones"},
		{allStandard | 0xffffffff<<32, "all"},
		{^evidence.SigSet(0), "all"},
		{goCaught, "all but SIGCONT SIGTSTP SIGTTIN SIGTTOU, and SIG33 SIGRTMIN+1..SIGRTMAX"},
		{0xfffffffe3fcbfa07, "all but SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGSEGV SIGTTIN SIGTTOU SIGSYS"}, // tini
		{allStandard &^ set(15), "all but SIGTERM the real-time ones"},
	}
	for _, tt := range tests {
		if got := setWords(tt.set); got != tt.want {
			t.Errorf("setWords(%s) = %q, want %q", tt.set, got, tt.want)
		}
	}
}

func TestHandlerWords(t *testing.T) {
	tests := []struct {
		h    evidence.Handler
		want string
	}{
		{evidence.Handler{Address: 0x40169a}, "at 0x40169a"},
		{evidence.Handler{File: "/usr/bin/node", Offset: 0x77, Flags: 0x84000000}, "in /usr/bin/node at 0x77, SA_RESETHAND"},
		{evidence.Handler{File: "/usr/sbin/nginx", Symbol: "ngx_signal_handler", Flags: 0x14000004}, "ngx_signal_handler in /usr/sbin/nginx, SA_SIGINFO SA_RESTART"},
		{evidence.Handler{Symbol: "f", Flags: 0x400}, "f, 0x400"},
	}
	for _, tt := range tests {
		if got := handlerWords(tt.h); got != tt.want {
			t.Errorf("handlerWords(%+v) = %q, want %q", tt.h, got, tt.want)
		}
	}
}

func sigset(n ...int) *evidence.SigSet { return ptr(evidence.SetOf(n...)) }

// signalsSnapshot has every way in which a process can hold a signal.
func signalsSnapshot() *evidence.Snapshot {
	threads := []evidence.Task{{TID: 300, State: "S", Comm: "server", Blocked: sigset(), Pending: sigset()}}
	for i := range 8 {
		threads = append(threads, evidence.Task{TID: 301 + i, State: "S", Comm: "worker", Blocked: sigset(evidence.SIGTSTP, evidence.SIGWINCH), Pending: sigset()})
	}
	threads = append(threads, evidence.Task{TID: 320, State: "S", Comm: "waiter", Wchan: ptr("do_sigtimedwait.isra.0"), Blocked: sigset(), Pending: sigset(evidence.SIGUSR1), Awaited: sigset(evidence.SIGTERM, evidence.SIGINT)})
	handler := evidence.Handler{Address: 0x46a0, File: "/app", Symbol: "runtime.sigtramp", Flags: 0x1c000004}
	handlers := map[string]evidence.Handler{}
	for _, n := range goCaught.Signals() {
		handlers[evidence.SignalName(n)] = handler
	}
	return &evidence.Snapshot{Targets: []evidence.Target{
		{Asked: "web", Kind: evidence.KindContainer, PID: 100, Container: &evidence.Container{Name: "web", Image: "shop:1.2"},
			Processes: []evidence.Process{
				{PID: 100, NSPIDs: []int{100, 1}, Comm: "tini", Argv: []string{"tini", "--", "app"}, Signals: &evidence.Signals{Ignored: evidence.SetOf(evidence.SIGTTIN, evidence.SIGTTOU)},
					Tasks: []evidence.Task{{TID: 100, State: "S", Wchan: ptr("do_sigtimedwait.isra.0"), Blocked: sigset(), Pending: sigset()}}},
				{PID: 300, NSPIDs: []int{300, 8}, Comm: "server", Argv: []string{"/srv/server", "--listen", ":80"}, Signals: &evidence.Signals{Ignored: evidence.SetOf(evidence.SIGPIPE), Caught: evidence.SetOf(evidence.SIGTERM, evidence.SIGINT, evidence.SIGCHLD), Pending: evidence.SetOf(evidence.SIGCHLD)},
					Tasks: threads, SignalFDs: []evidence.SignalFD{{FD: 5, Mask: evidence.SetOf(evidence.SIGTERM), Watched: ptr(true), How: "epoll"}, {FD: 6, Mask: evidence.SetOf(evidence.SIGHUP), Watched: ptr(false)}, {FD: 7}},
					Kernel: &evidence.Kernel{Handlers: map[string]evidence.Handler{
						"SIGTERM": {Symbol: "on_stop", File: "/srv/server", Flags: 0x14000000}, "SIGINT": {Symbol: "on_stop", File: "/srv/server", Flags: 0x14000000}, "SIGCHLD": {File: "/srv/server", Offset: 0x1200}}}},
				{PID: 400, NSPIDs: []int{400, 9}, Comm: "api", Argv: []string{"api"}, Signals: &evidence.Signals{Caught: goCaught}, Tasks: []evidence.Task{{TID: 400, Blocked: sigset()}}, Kernel: &evidence.Kernel{Handlers: handlers}},
				{PID: 500, NSPIDs: []int{500, 10}, Comm: "sleep", Argv: []string{"sleep", "1000"}, Signals: &evidence.Signals{}, Tasks: []evidence.Task{{TID: 500, Blocked: sigset(), Pending: sigset()}}},
				{PID: 550, NSPIDs: []int{550, 10}, Comm: "bash", Signals: &evidence.Signals{Caught: evidence.SetOf(evidence.SIGTERM)}, Tasks: []evidence.Task{{TID: 550, Blocked: sigset(evidence.SIGCHLD)}},
					Inside: &evidence.Inside{Bash: &evidence.BashInside{Traps: map[string]evidence.Trap{"SIGTERM": {Text: "kill $pid\nexit 3", Exits: true}, "EXIT": {Exits: true}, "SIGHUP": {Ignored: true}, "SIGINT": {}}}}},
				{PID: 560, NSPIDs: []int{560, 10}, Comm: "node", Signals: &evidence.Signals{Caught: evidence.SetOf(evidence.SIGTERM, evidence.SIGINT)}, Tasks: []evidence.Task{{TID: 560, Blocked: sigset()}},
					Inside: &evidence.Inside{Node: &evidence.NodeInside{UserHandlers: []int{evidence.SIGTERM, 99}}, PHP: &evidence.PHPInside{}, Go: &evidence.GoInside{Wanted: sigset()}}},
				{PID: 600, NSPIDs: []int{600, 11}, Comm: "nginx", Signals: &evidence.Signals{}, Tasks: []evidence.Task{{TID: 600, Blocked: sigset()}},
					Kernel: &evidence.Kernel{Tasks: []evidence.KernelTask{{TID: 600, RealBlocked: evidence.SetOf(evidence.SIGTERM)}}}},
			},
			Gaps: []evidence.Gap{{Path: "/proc/100/mem", Kind: evidence.GapDenied, Matters: "cannot tell what tini waits for"}}},
		{Asked: "4242", Kind: evidence.KindProcess, PID: 4242, Processes: []evidence.Process{{PID: 4242, Comm: "guest", Tasks: []evidence.Task{{TID: 4242}}}}},
		{Asked: "gone", Kind: evidence.KindContainer, Container: &evidence.Container{Name: "gone", Image: "x"}},
	}}
}

func TestSignalsGolden(t *testing.T) {
	for name, o := range map[string]Options{
		"signals.txt": {Width: 100}, "signals-60.txt": {Width: 60}, "signals-no-trunc.txt": {Width: 100, NoTrunc: true},
	} {
		var b bytes.Buffer
		if err := Signals(&b, signalsSnapshot(), o); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
	}
}
