package probe

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// maxHungLines bounds what is taken of the log.
const maxHungLines = 64

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
	found, _ := p.Messages(ctx, func(m Message) bool { return !m.ByProgram && strings.HasPrefix(m.Text, hungPrefix) })
	for _, m := range found {
		l, ok := parseHung(m)
		if t := wanted[l.TID]; ok && t != nil && len(t.HungLog) < maxHungLines {
			t.HungLog = append(t.HungLog, l)
		}
	}
}

const hungPrefix = "INFO: task "

// The lines of kernel/hung_task.c. A comm has at most 15 bytes, of any kind.
var (
	hungFor = pattern(`^INFO: task (?s:(.{1,60}?)):(\d{1,8}) blocked (?:in I/O wait )?for more than (\d{1,9}) seconds`)
	hungOn  = pattern(`^INFO: task (?s:(.{1,60}?)):(\d{1,8}) (?:<\w+> )?(?:is )?blocked on an? ([a-z-]{1,20}) likely (?:owned|last held) by task (?s:(.{1,60}?)):(\d{1,8})(?: <\w+>)?\.?$`)
)

// pattern is compiled when it is first used: most looks read no log.
func pattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// parseHung reads one line of the watchdog. What a program has written into the log
// is not believed.
func parseHung(m Message) (l evidence.HungLine, ok bool) {
	if m.ByProgram || m.Since < 0 {
		return l, false
	}
	l.AtMillis = int(m.Since.Milliseconds())
	if f := hungFor().FindStringSubmatch(m.Text); f != nil {
		l.Comm, l.TID, l.Seconds = f[1], number10(f[2]), number10(f[3])
		return l, l.TID > 0
	}
	if f := hungOn().FindStringSubmatch(m.Text); f != nil {
		l.Comm, l.TID, l.Lock = f[1], number10(f[2]), f[3]
		l.OwnerComm, l.Owner = f[4], number10(f[5])
		return l, l.TID > 0 && l.Owner > 0
	}
	return l, false
}

// number10 reads digits that a pattern has matched.
func number10(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
