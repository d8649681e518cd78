package probe

import (
	"bytes"
	"strconv"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// parseSignalFD reads `sigmask:` of a signalfd's /proc/PID/fdinfo/N
// (fs/signalfd.c signalfd_show_fdinfo).
func parseSignalFD(data []byte) (evidence.SigSet, bool) {
	for len(data) > 0 {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte{'\n'})
		if v, ok := bytes.CutPrefix(line, []byte("sigmask:")); ok {
			set, err := evidence.ParseSigSet(string(bytes.TrimSpace(v)))
			return set, err == nil
		}
	}
	return 0, false
}

// maxWatched bounds the descriptors taken from one epoll set: a server may watch
// a hundred thousand, and one file has them all.
const maxWatched = 16384

// parseEpoll reads the `tfd:` lines of an epoll descriptor's fdinfo
// (fs/eventpoll.c ep_show_fdinfo): the descriptors that it watches.
func parseEpoll(data []byte) []int {
	var out []int
	for len(data) > 0 && len(out) < maxWatched {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte{'\n'})
		v, ok := bytes.CutPrefix(line, []byte("tfd:"))
		if !ok {
			continue
		}
		parts := bytes.Fields(v)
		if len(parts) == 0 {
			continue
		}
		if fd, err := strconv.Atoi(string(parts[0])); err == nil && fd >= 0 {
			out = append(out, fd)
		}
	}
	return out
}
