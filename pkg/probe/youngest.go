package probe

import (
	"bytes"
	"math"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// firstStep is how many PIDs are listed first, from the last that was given on down.
const firstStep = 512

// pidOffset is the read position of PID 0 in /proc (fs/proc/base.c TGID_OFFSET). It
// is not documented, so what is read behind it has to prove itself: we must be there.
const pidOffset = 258

// youngest goes through the processes of the host, those with the highest numbers
// first, until each has enough; whole: it has seen all. The list of a crowd costs
// more than a look at its youngest, so it is read in parts, from its end.
func (r *reader) youngest(each func(pid int) bool) (whole bool) {
	self, last := r.selfPID(), r.lastPID()
	to := math.MaxInt
	for step := firstStep; ; step *= 2 {
		from := max(0, min(to, last)-step)
		pids, err := r.pidsBetween(from, to)
		if to == math.MaxInt && !slices.Contains(pids, self) {
			from = 0
			pids, err = r.pidsBetween(from, to)
		}
		if err != nil {
			return false
		}
		for _, pid := range slices.Backward(pids) {
			if !each(pid) {
				return false
			}
		}
		if from == 0 {
			return true
		}
		to = from
	}
}

// selfPID is ours as this /proc counts, 0 where it is not known.
func (r *reader) selfPID() int {
	text, _ := readLink(r.p.cfg.Proc + "/self")
	pid, _ := strconv.Atoi(text)
	return pid
}

// lastPID is the one that was given last, 0 where it is not known: then all are
// listed at once. It is the last word of loadavg.
func (r *reader) lastPID() int {
	data, _ := r.read(r.p.cfg.Proc+"/loadavg", 128)
	words := bytes.Fields(data)
	if len(words) == 0 {
		return 0
	}
	pid, _ := strconv.Atoi(string(words[len(words)-1]))
	return pid
}

// pidsBetween lists the processes from a PID on, up to another, in rising order.
func (r *reader) pidsBetween(from, to int) ([]int, error) {
	fd, err := unix.Open(r.p.cfg.Proc, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if from > 0 {
		if _, err := unix.Seek(fd, int64(from)+pidOffset, unix.SEEK_SET); err != nil {
			return nil, err
		}
	}
	var out []int
	buf := make([]byte, 8<<10)
	var list []string
	for {
		n, err := unix.ReadDirent(fd, buf)
		if err != nil && err != unix.EINTR || n == 0 {
			return out, err
		}
		_, _, list = unix.ParseDirent(buf[:max(n, 0)], -1, list[:0])
		for _, name := range list {
			pid, err := strconv.Atoi(name)
			switch {
			case err != nil || pid < from:
			case pid >= to:
				return out, nil
			default:
				out = append(out, pid)
			}
		}
	}
}
