package probe

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// Message is one record of the kernel's log.
type Message struct {
	// Since is when it was written, since the boot (CLOCK_MONOTONIC, which does not
	// count suspension).
	Since time.Duration
	Text  string // without its prefix and its dictionary
	// ByProgram: a program has written it into /dev/kmsg, not the kernel. A privileged
	// container can.
	ByProgram bool
}

// Bounds of one reading of the kernel's log. A log of 16 MiB is the largest that
// distributions configure; its last records are the ones that matter, but it can
// be read from its beginning only.
const (
	maxLogBytes   = 32 << 20
	maxLogKept    = 2000
	logPatience   = 300 * time.Millisecond
	maxLogRecord  = 8192 // a shorter buffer makes read(2) fail (printk_ringbuffer)
	logDevice     = "/dev/kmsg"
	logMatters    = "what the kernel has said of it: refusals of security modules, tasks that hang"
	logDictionary = "\n "
)

// Messages reads the kernel's log and gives the records that keep wants, oldest
// first, at most the last 2,000. keep sees every record in its order; after a gap
// of kind timeout it may still be called. It never waits: the device is opened
// without blocking, and both the bytes and the time are bounded. A gap says why it
// is not whole.
func (p *Prober) Messages(ctx context.Context, keep func(Message) bool) ([]Message, *evidence.Gap) {
	ctx, cancel := context.WithTimeout(ctx, logPatience)
	defer cancel()
	type result struct {
		kept []Message
		gap  *evidence.Gap
	}
	// Opening a device of a sick host may hang as everything else.
	r, ok := runBatch(ctx, 1, logPatience, func(int) result {
		kept, gap := readLog(ctx, logDevice, keep)
		return result{kept, gap}
	}).result(0)
	if !ok {
		return nil, logGap(evidence.GapTimeout)
	}
	return r.kept, r.gap
}

func logGap(kind string) *evidence.Gap {
	return &evidence.Gap{Path: logDevice, Kind: kind, Matters: logMatters}
}

func readLog(ctx context.Context, device string, keep func(Message) bool) ([]Message, *evidence.Gap) {
	fd, err := unix.Open(device, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		kind := evidence.GapAbsent
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
			kind = evidence.GapDenied // kernel.dmesg_restrict
		}
		return nil, logGap(kind)
	}
	defer unix.Close(fd)
	return readRecords(ctx, func(b []byte) (int, error) { return unix.Read(fd, b) }, keep)
}

// readRecords reads one record with each call of read, until there is none.
func readRecords(ctx context.Context, read func([]byte) (int, error), keep func(Message) bool) ([]Message, *evidence.Gap) {
	var kept []Message
	b := make([]byte, maxLogRecord)
	for total := 0; total < maxLogBytes && ctx.Err() == nil; {
		n, err := read(b)
		switch {
		case errors.Is(err, unix.EPIPE), errors.Is(err, unix.EINTR), errors.Is(err, unix.EINVAL):
			total += 64 // overwritten while it was read, or too long: the next one follows
			continue
		case errors.Is(err, unix.EAGAIN) || err == nil && n == 0:
			return kept, nil
		case err != nil:
			kind := evidence.GapAbsent
			if errors.Is(err, unix.EPERM) {
				kind = evidence.GapDenied
			}
			return kept, logGap(kind)
		}
		total += n
		m, ok := parseRecord(b[:n])
		if !ok || !keep(m) {
			continue
		}
		if len(kept) == maxLogKept {
			kept = kept[1:]
		}
		kept = append(kept, m)
	}
	return kept, logGap(evidence.GapSkipped)
}

// parseRecord reads "6,1234,98765432,-;text\n KEY=value\n" (the kernel's
// Documentation/ABI/testing/dev-kmsg). Bytes that are not printable come escaped
// as \xNN.
func parseRecord(b []byte) (Message, bool) {
	head, text, ok := bytes.Cut(b, []byte(";"))
	fields := strings.SplitN(string(head), ",", 4)
	if !ok || len(fields) < 3 {
		return Message{}, false
	}
	micros, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		return Message{}, false
	}
	level, err := strconv.ParseUint(fields[0], 10, 32)
	if err != nil {
		return Message{}, false
	}
	if i := bytes.Index(text, []byte(logDictionary)); i >= 0 {
		text = text[:i]
	}
	// The level is the low three bits, above it stands the facility: 0 is the kernel's.
	return Message{Since: time.Duration(micros) * time.Microsecond, Text: strings.TrimRight(string(text), "\n"), ByProgram: level > 7}, true
}
