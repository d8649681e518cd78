package kernel

import (
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

func TestFillPIDReuse(t *testing.T) {
	g := func() *group { return &group{tasks: []task{{tgid: 7, tid: 7, startNS: 1_239_999_999}}} }
	for ticks, want := range map[uint64]bool{0: true, 123: true, 124: false, 122: false} {
		p := evidence.Process{PID: 7, StartTicks: ticks}
		fill(&p, g())
		if got := p.Kernel != nil; got != want {
			t.Errorf("start ticks %d: filled %v, want %v", ticks, got, want)
		}
	}
	p := evidence.Process{PID: 7}
	if fill(&p, nil); p.Kernel != nil {
		t.Error("filled from nothing")
	}
}

func TestFillFlags(t *testing.T) {
	for flags, want := range map[uint64][2]bool{0: {}, 0x40: {true, false}, 0x44: {true, true}, 0x4: {false, true}} {
		var p evidence.Process
		fill(&p, &group{tasks: []task{{signalFlags: flags}}})
		if got := [2]bool{*p.Kernel.Unkillable, *p.Kernel.GroupExit}; got != want {
			t.Errorf("signal->flags %#x: unkillable and group exit %v, want %v", flags, got, want)
		}
	}
}

func TestSetAwaited(t *testing.T) {
	text := func(s string) *string { return &s }
	known := evidence.SigSet(0xff)
	waiting := task{realBlocked: 0b1110, blocked: 0b1000}
	cases := []struct {
		name string
		in   evidence.Task
		k    task
		want *evidence.SigSet
	}{
		{"by wchan", evidence.Task{Wchan: text("do_sigtimedwait.isra.0")}, waiting, ptr(0b0110)},
		{"by syscall", evidence.Task{Syscall: &evidence.Syscall{Name: "rt_sigtimedwait"}}, waiting, ptr(0b0110)},
		{"only the iterator saw it", evidence.Task{}, waiting, ptr(0b0110)},
		{"already read from memory", evidence.Task{Awaited: &known, Wchan: text("do_sigtimedwait")}, waiting, &known},
		{"elsewhere when /proc looked", evidence.Task{Wchan: text("do_wait")}, waiting, nil},
		{"nothing awaited was blocked", evidence.Task{Wchan: text("do_sigtimedwait")}, task{blocked: 1}, nil},
		{"all still blocked", evidence.Task{}, task{realBlocked: 1, blocked: 1}, nil},
	}
	for _, c := range cases {
		setAwaited(&c.in, c.k)
		if got := c.in.Awaited; (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func ptr(s evidence.SigSet) *evidence.SigSet { return &s }
