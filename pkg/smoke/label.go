package smoke

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Label is on every container of `whystuck image`. Its value says who made it, so
// that what an interrupted run left can be told from what another run is using.
const Label = "io.whystuck.image"

// Creator is the process that made a container.
type Creator struct {
	PID   int
	Start uint64 // ticks since boot
	Boot  string // the kernel's boot id
	PIDNS string // of its PID namespace: the number means something there alone
	// Until is when the run is over at the latest, by the creator's clock: the only
	// thing that says anything about a creator on another machine.
	Until time.Time
}

// margin is what a run may take beyond its own deadlines.
const margin = 15 * time.Minute

func (r *run) label() string {
	c := self(r.Look.Proc)
	c.Until = r.Now().Add(r.Ready.timeout() + margin)
	if t := r.Spec.StopTimeout; t != nil && *t > 0 {
		c.Until = c.Until.Add(time.Duration(*t) * time.Second)
	}
	return c.String()
}

func (c Creator) String() string {
	return fmt.Sprintf("pid=%d start=%d boot=%s pidns=%s until=%d", c.PID, c.Start, c.Boot, c.PIDNS, c.Until.Unix())
}

// parseCreator reads a label; false for one that no run of ours has written.
func parseCreator(label string) (Creator, bool) {
	var c Creator
	for _, word := range strings.Fields(label) {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "pid":
			c.PID, _ = strconv.Atoi(value)
		case "start":
			c.Start, _ = strconv.ParseUint(value, 10, 64)
		case "boot":
			c.Boot = value
		case "pidns":
			c.PIDNS = value
		case "until":
			n, _ := strconv.ParseInt(value, 10, 64)
			c.Until = time.Unix(n, 0)
		}
	}
	return c, c.PID > 0 && c.Boot != "" && c.Until.Unix() > 0
}

// self is this process as a Creator. proc: root of procfs, "": /proc.
func self(proc string) Creator {
	c := Creator{PID: os.Getpid(), Boot: bootID(proc)}
	c.Start, _ = startOf(proc, c.PID)
	c.PIDNS = pidNS(proc)
	return c
}

func procRoot(proc string) string {
	if proc == "" {
		return "/proc"
	}
	return proc
}

func bootID(proc string) string {
	b, err := os.ReadFile(procRoot(proc) + "/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}

// pidNS is the number of our own PID namespace.
func pidNS(proc string) string {
	link, err := os.Readlink(procRoot(proc) + "/self/ns/pid")
	if err != nil {
		return "unknown"
	}
	return strings.Trim(strings.TrimPrefix(link, "pid:"), "[]")
}

// startOf is field 22 of /proc/PID/stat; false when there is no such process.
func startOf(proc string, pid int) (uint64, bool) {
	b, err := os.ReadFile(fmt.Sprintf("%s/%d/stat", procRoot(proc), pid))
	if err != nil {
		return 0, false
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(f) < 20 || f[0] == "Z" || f[0] == "X" {
		return 0, false
	}
	n, err := strconv.ParseUint(f[19], 10, 64)
	return n, err == nil
}

// over reports whether the creator's run has ended, as far as can be told from
// here: by the process itself where its number means something, by its own
// deadline elsewhere.
func (c Creator) over(proc string, now time.Time) bool {
	if c.Boot == bootID(proc) && c.PIDNS == pidNS(proc) && c.Boot != "unknown" && c.PIDNS != "unknown" {
		start, lives := startOf(proc, c.PID)
		return !lives || start != c.Start
	}
	return now.After(c.Until)
}
