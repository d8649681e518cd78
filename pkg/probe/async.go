package probe

import (
	"bytes"
	"slices"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

const (
	// maxRings bounds the processes whose maps are searched for a ring.
	maxRings = 64
	// maxRingFiles bounds the descriptors of one that are looked at.
	maxRingFiles = 256
	// maxRingMaps bounds what is read of maps.
	maxRingMaps = 4 << 20
)

// ringName ends the line of maps of a ring that io_setup has made (fs/aio.c
// aio_setup_ring). It is deleted from its birth on.
const ringName = " /[aio] (deleted)"

// passAsync looks for processes that hand input and output to the kernel with
// io_submit, and for the file systems that their files lie on: at its exit such a one
// waits for all that is under way there. Most hosts have none, which one number tells.
func (l *look) passAsync() {
	inUse, ok := once(l, l.p.cfg.ReadTimeout, func(r *reader) bool {
		n, err := r.number(r.p.cfg.Proc + "/sys/fs/aio-nr")
		return err == nil && n > 0
	})
	if !ok || !inUse {
		return
	}
	pids := l.pids(func(p *evidence.Process) bool { return !p.Brief && mayTouch(p) && memoryFree(p) })
	each(l, fileMaps, l.p.cfg.ReadTimeout, pids[:min(len(pids), maxRings)], (*reader).ringFiles, func(pid int, found []evidence.About) {
		l.process(pid).AIO = found
	})
}

// ringFiles are the file systems under the files of a process that has a ring, one
// of each; nil where it has none.
func (r *reader) ringFiles(pid int) []evidence.About {
	data, err := r.read(r.p.pidPath(pid, fileMaps.name), maxRingMaps)
	if err != nil || !hasRing(data) {
		return nil
	}
	table, _ := r.mounts(r.p.pidPath(pid, fileMounts.name))
	fds, _, _ := numbers(r.p.pidPath(pid, fileFD.name), maxRingFiles)
	out := []evidence.About{}
	for _, fd := range fds {
		path, m := r.descriptor(pid, pid, fd, table)
		if m == nil {
			continue
		}
		a := evidence.About{Path: path, Via: evidence.ViaAIO}
		setMount(&a, m)
		if !slices.ContainsFunc(out, func(b evidence.About) bool { return b.Device == a.Device }) && len(out) < maxDevices {
			out = append(out, a)
		}
	}
	return out
}

// hasRing: the ring is mapped shared, from the kernel's own file system, which has
// no device of a disk (its major number is 0).
func hasRing(maps []byte) bool {
	for line := range bytes.Lines(maps) {
		line = bytes.TrimRight(line, "\n")
		if !bytes.HasSuffix(line, []byte(ringName)) {
			continue
		}
		if f := strings.Fields(string(line)); len(f) == 7 && f[1] == "rw-s" && strings.HasPrefix(f[3], "00:") {
			return true
		}
	}
	return false
}
