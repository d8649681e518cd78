package render

import (
	"fmt"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

const (
	lastStandard = evidence.SIGSYS // 31; the real-time signals follow
	// manySignals: from so many of the 31 on, what is missing is shorter to say.
	manySignals = 20
)

// neverSet can be neither caught, blocked nor ignored; "all" goes without them.
var neverSet = evidence.SetOf(evidence.SIGKILL, evidence.SIGSTOP)

// setWords names a set in as few words as say it all:
//
//	SIGINT SIGTERM
//	all but SIGTSTP SIGTTIN
//	SIGTERM SIGRTMIN..SIGRTMAX
func setWords(s evidence.SigSet) string {
	var named, missing []string
	standard := 0
	for n := 1; n <= lastStandard; n++ {
		switch {
		case s.Has(n):
			standard++
			named = append(named, evidence.SignalName(n))
		case !neverSet.Has(n):
			missing = append(missing, evidence.SignalName(n))
		}
	}
	realtime, full := realtimeWords(s)
	if standard < manySignals {
		return strings.Join(append(named, realtime...), " ")
	}
	text := "all"
	switch {
	case full:
	case len(realtime) == 0:
		missing = append(missing, "the real-time ones")
	}
	if len(missing) > 0 {
		text += " but " + strings.Join(missing, " ")
	}
	if !full && len(realtime) > 0 {
		text += ", and " + strings.Join(realtime, " ")
	}
	return text
}

// realtimeWords names signals 32 to 64, with runs of three and more as ranges;
// full is set where none that a program can use is missing.
func realtimeWords(s evidence.SigSet) (words []string, full bool) {
	full = true
	for n := evidence.SIGRTMIN; n <= evidence.SIGRTMAX; n++ {
		full = full && s.Has(n)
	}
	for n := lastStandard + 1; n <= evidence.SIGRTMAX; n++ {
		if !s.Has(n) {
			continue
		}
		end := n
		for s.Has(end + 1) {
			end++
		}
		if end-n < 2 {
			words = append(words, evidence.SignalName(n))
			continue
		}
		words = append(words, evidence.SignalName(n)+".."+evidence.SignalName(end))
		n = end
	}
	return words, full
}

// saFlags are the names of sigaction's flags (asm-generic/signal-defs.h).
// SA_RESTORER is not among them: on x86 libc sets it always.
var saFlags = []struct {
	bit  uint64
	name string
}{
	{0x1, "SA_NOCLDSTOP"}, {0x2, "SA_NOCLDWAIT"}, {0x4, "SA_SIGINFO"}, {0x8000000, "SA_ONSTACK"},
	{0x10000000, "SA_RESTART"}, {0x40000000, "SA_NODEFER"}, {0x80000000, "SA_RESETHAND"},
}

const saRestorer = 0x4000000

func flagWords(flags uint64) string {
	flags &^= saRestorer
	var names []string
	for _, f := range saFlags {
		if flags&f.bit != 0 {
			names = append(names, f.name)
			flags &^= f.bit
		}
	}
	if flags != 0 {
		names = append(names, fmt.Sprintf("%#x", flags))
	}
	return strings.Join(names, " ")
}

// handlerWords is where a handler lies: "sigterm_handler in /usr/sbin/nginx,
// SA_RESTART", as near as the evidence comes.
func handlerWords(h evidence.Handler) string {
	where := fmt.Sprintf("at %#x", h.Address)
	switch {
	case h.Symbol != "" && h.File != "":
		where = h.Symbol + " in " + h.File
	case h.Symbol != "":
		where = h.Symbol
	case h.File != "":
		where = fmt.Sprintf("in %s at %#x", h.File, h.Offset)
	}
	if flags := flagWords(h.Flags); flags != "" {
		where += ", " + flags
	}
	return where
}
