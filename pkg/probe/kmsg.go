package probe

import (
	"bytes"
	"context"
	"regexp"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// Bounds of one reading of the kernel's log: it may hold megabytes.
const (
	kmsgBytes = 4 << 20
	kmsgTime  = 60 * time.Millisecond
	kmsgLines = 64
)

// HungTasks reads what the kernel's watchdog has written about tasks of the targets
// that hang, and fills Target.HungLog. The log is read without waiting, and only
// where there is such a task.
func (p *Prober) HungTasks(ctx context.Context, targets []evidence.Target) {
	wanted := map[int]*evidence.Target{}
	for i := range targets {
		for j := range targets[i].Processes {
			for k := range targets[i].Processes[j].Tasks {
				if t := &targets[i].Processes[j].Tasks[k]; t.State == "D" && mayHang(t) {
					wanted[t.TID] = &targets[i]
				}
			}
		}
	}
	if len(wanted) == 0 {
		return
	}
	lines, ok := runBatch(ctx, 1, p.cfg.ReadTimeout, func(int) []evidence.HungLine {
		return readKmsg(p.cfg.Kmsg, time.Now().Add(kmsgTime))
	}).result(0)
	if !ok {
		return
	}
	for _, l := range lines {
		if t := wanted[l.TID]; t != nil && len(t.HungLog) < kmsgLines {
			t.HungLog = append(t.HungLog, l)
		}
	}
}

// readKmsg takes the watchdog's lines from /dev/kmsg, which gives one record a read
// (Documentation/ABI/testing/dev-kmsg). nil where it may not be read.
func readKmsg(path string, until time.Time) []evidence.HungLine {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	var out []evidence.HungLine
	buf := make([]byte, 8<<10)
	for total := 0; total < kmsgBytes && time.Now().Before(until); {
		n, err := unix.Read(fd, buf)
		if err == unix.EPIPE || err == unix.EINTR { // overwritten meanwhile: the next is there
			continue
		}
		if err != nil || n <= 0 {
			break
		}
		total += n
		if l, ok := parseHung(buf[:n]); ok {
			out = append(out, l)
			out = out[max(0, len(out)-256):]
		}
	}
	return out
}

// The lines of kernel/hung_task.c. A comm has at most 15 bytes, of any kind.
var (
	hungFor = regexp.MustCompile(`^INFO: task (?s:(.{1,60}?)):(\d{1,8}) blocked (?:in I/O wait )?for more than (\d{1,9}) seconds`)
	hungOn  = regexp.MustCompile(`^INFO: task (?s:(.{1,60}?)):(\d{1,8}) (?:<\w+> )?(?:is )?blocked on an? ([a-z-]{1,20}) likely (?:owned|last held) by task (?s:(.{1,60}?)):(\d{1,8})(?: <\w+>)?\.?$`)
)

// parseHung reads one record, "prefix,sequence,microseconds,flags;text\n KEY=value".
// The prefix is the level, with the facility above it: what user space has written
// into the log has another facility than the kernel and is not believed.
func parseHung(record []byte) (l evidence.HungLine, ok bool) {
	head, text, found := bytes.Cut(record, []byte{';'})
	f := bytes.SplitN(head, []byte{','}, 4)
	if !found || len(f) < 3 || !bytes.HasPrefix(text, []byte("INFO: task ")) {
		return l, false
	}
	prefix, err1 := strconv.ParseUint(string(f[0]), 10, 32)
	micros, err2 := strconv.ParseInt(string(f[2]), 10, 64)
	if err1 != nil || err2 != nil || prefix > 7 || micros < 0 {
		return l, false
	}
	text, _, _ = bytes.Cut(text, []byte{'\n'})
	l.AtMillis = int(micros / 1000)
	if m := hungFor.FindSubmatch(text); m != nil {
		l.Comm, l.TID, l.Seconds = string(m[1]), number10(m[2]), number10(m[3])
		return l, l.TID > 0
	}
	if m := hungOn.FindSubmatch(text); m != nil {
		l.Comm, l.TID, l.Lock = string(m[1]), number10(m[2]), string(m[3])
		l.OwnerComm, l.Owner = string(m[4]), number10(m[5])
		return l, l.TID > 0 && l.Owner > 0
	}
	return l, false
}

// number10 reads digits that a pattern has matched.
func number10(b []byte) int {
	n, _ := strconv.Atoi(string(b))
	return n
}
