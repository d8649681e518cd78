package kernel

import (
	"bytes"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// What became of a signal: the res field of signal_generate
// (include/trace/events/signal.h).
const (
	SignalQueued    = 0 // TRACE_SIGNAL_DELIVERED
	SignalDiscarded = 1 // TRACE_SIGNAL_IGNORED
	SignalPending   = 2 // TRACE_SIGNAL_ALREADY_PENDING: one of its kind waits already
)

// SignalFromKernel is the code of a signal that the kernel sent by itself.
const SignalFromKernel = 128 // SI_KERNEL

// SignalEvent is one line of the trace. Numbers are the host's.
type SignalEvent struct {
	At        time.Time
	Delivered bool // a thread takes the signal; else it is sent
	Signal    int
	Code      int // si_code: 0 from kill(2), SignalFromKernel
	// PID and Comm are of the task that sent it, or that takes it. Comm is hostile.
	PID  int
	Comm string
	// Target and Result are of a sending: the task that it is for, and one of the
	// Signal constants above.
	Target, Result int
	// Handler is of a delivery: the handler's address, 0 default action, 1 ignored.
	Handler uint64
}

const traceMark = "whystuck begins"

// traceParser reads the text of trace_pipe. A comm is up to 15 bytes of anything,
// blanks and newlines included: the head is found by what cannot stand in so few
// bytes, the numbers behind a comm from the end of the line, and a line that says
// nothing is tried once more with the next.
type traceParser struct {
	marked time.Time     // our clock at the mark
	mark   time.Duration // the trace's clock there
	rest   []byte        // a line without its end
	torn   []byte        // lines that said nothing yet
}

var (
	traceHead     = pattern(`(?s)^ *(.{0,16})-(\d+) +(?:\( *[-\d]+\) +)?\[\d{3,}\] [^ ]{4,6} +(\d+)\.(\d{6}): (signal_generate|signal_deliver|tracing_mark_write): (.*)$`)
	traceGenerate = pattern(`(?s)^sig=(\d+) errno=-?\d+ code=(-?\d+) comm=.{0,16} pid=(\d+) grp=\d res=(\d)$`)
	traceDeliver  = pattern(`^sig=(\d+) errno=-?\d+ code=(-?\d+) sa_handler=([0-9a-f]+) sa_flags=[0-9a-f]+$`)
)

// pattern is compiled when it is first used: most runs trace nothing.
func pattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// maxTorn bounds what is kept of lines that say nothing: two comms.
const maxTorn = 400

func (p *traceParser) parse(text []byte) []SignalEvent {
	var out []SignalEvent
	p.rest = append(p.rest, text...)
	for {
		line, rest, ok := bytes.Cut(p.rest, []byte{'\n'})
		if !ok {
			return out
		}
		p.rest = rest
		if e, ok := p.line(line); ok {
			out = append(out, e)
		}
	}
}

// line reads one line, together with torn ones before it where it must be.
func (p *traceParser) line(line []byte) (SignalEvent, bool) {
	for _, text := range [][]byte{line, append(bytes.Clone(p.torn), line...)} {
		if e, known, event := p.read(text); known {
			p.torn = nil
			return e, event
		}
	}
	p.torn = append(append(p.torn, line...), '\n')
	if len(p.torn) > maxTorn {
		p.torn = nil
	}
	return SignalEvent{}, false
}

// read parses a whole record. event is false for the mark.
func (p *traceParser) read(text []byte) (e SignalEvent, known, event bool) {
	head := traceHead().FindSubmatch(text)
	if head == nil {
		return e, false, false
	}
	at := time.Duration(number(head[3]))*time.Second + time.Duration(number(head[4]))*time.Microsecond
	e = SignalEvent{PID: int(number(head[2])), Comm: string(bytes.TrimLeft(head[1], " ")), At: p.marked.Add(at - p.mark)}
	switch string(head[5]) {
	case "tracing_mark_write":
		if string(head[6]) == traceMark {
			p.mark = at
		}
		return e, true, false
	case "signal_deliver":
		f := traceDeliver().FindSubmatch(head[6])
		if f == nil {
			return e, false, false
		}
		e.Delivered = true
		e.Signal, e.Code = int(number(f[1])), int(number(f[2]))
		e.Handler, _ = strconv.ParseUint(string(f[3]), 16, 64)
		return e, true, true
	}
	f := traceGenerate().FindSubmatch(head[6])
	if f == nil {
		return e, false, false
	}
	e.Signal, e.Code, e.Target, e.Result = int(number(f[1])), int(number(f[2])), int(number(f[3])), int(number(f[4]))
	return e, true, true
}

func number(b []byte) int64 {
	n, _ := strconv.ParseInt(string(b), 10, 64)
	return n
}
