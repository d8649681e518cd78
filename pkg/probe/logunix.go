package probe

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// unixLink is one of dockerd's sockets that is connected to the socket of a
// receiver.
type unixLink struct {
	inode, peer uint32
	path        string // of the receiver
	mem         sockMem
}

// deaf reports whether something waits in it that the receiver has not taken.
func (l *unixLink) deaf() bool { return l.mem.wmemAlloc > 1 } // 1: the kernel's own count of a socket with nothing queued

// unixPaths does for receivers on a unix socket what logPaths does for TCP. Only
// sock_diag says who is connected to whom, and only of the observer's own network
// namespace.
func (r *reader) unixPaths(ctx context.Context, daemon int, ends []endpoint, out []*evidence.LogPath) {
	if !slices.ContainsFunc(ends, func(e endpoint) bool { return e.path != "" }) || !r.p.surelySameNet(daemon) {
		return
	}
	named, nameless := r.unixSockets(daemon, ends)
	if len(named) == 0 {
		return
	}
	d, err := openDiag()
	if err != nil {
		return
	}
	defer d.close()
	own := r.socketsOf(daemon)
	nameless = slices.DeleteFunc(nameless, func(inode uint32) bool { return !own[strconv.FormatUint(uint64(inode), 10)] })
	first := d.linksTo(ctx, named, nameless)
	if !slices.ContainsFunc(first, func(l unixLink) bool { return l.deaf() }) {
		return
	}
	select {
	case <-time.After(r.p.cfg.Interval):
	case <-ctx.Done():
		return
	}
	second := d.linksTo(ctx, named, nameless)
	for i, e := range ends {
		if e.path != "" {
			out[i] = r.unixPath(e, first, second)
		}
	}
}

// surelySameNet reports whether a process is known to share the observer's network
// namespace.
func (p *Prober) surelySameNet(pid int) bool {
	own, err := readLink(p.cfg.Proc + "/self/ns/net")
	theirs, errTheirs := readLink(p.pidPath(pid, "ns/net"))
	return err == nil && errTheirs == nil && own == theirs
}

// unixSockets are the sockets bound to (or taken at) one of the wanted paths, and
// those without a name, as a client's is: "Num RefCount Protocol Flags Type St
// Inode Path".
func (r *reader) unixSockets(pid int, ends []endpoint) (named map[uint32]string, nameless []uint32) {
	named = map[uint32]string{}
	data, err := r.read(r.p.pidPath(pid, "net/unix"), maxLogTable)
	if err != nil {
		return named, nil
	}
	for line := range bytes.Lines(data) {
		f := strings.Fields(string(line))
		if len(f) < 7 {
			continue
		}
		inode, err := strconv.ParseUint(f[6], 10, 32)
		switch {
		case err != nil:
		case len(f) == 7:
			nameless = append(nameless, uint32(inode))
		case slices.ContainsFunc(ends, func(e endpoint) bool { return e.path != "" && e.path == f[7] }):
			named[uint32(inode)] = f[7]
		}
	}
	return named, nameless
}

// linksTo are those of some sockets that are connected to a named one. The kernel
// goes through all of the host's for each.
func (d *diag) linksTo(ctx context.Context, named map[uint32]string, from []uint32) []unixLink {
	var out []unixLink
	for _, inode := range from[:min(len(from), maxSockets)] {
		if ctx.Err() != nil {
			break
		}
		if peer, mem, err := d.unixSocket(inode); err == nil && named[peer] != "" {
			out = append(out, unixLink{inode, peer, named[peer], mem})
		}
	}
	return out
}

// unixPath sums up the links to one receiver; nil where they move.
func (r *reader) unixPath(e endpoint, first, second []unixLink) *evidence.LogPath {
	path, full, reader := &evidence.LogPath{Unix: true, Peer: e.path}, 0, uint32(0)
	for _, l := range first {
		if l.path != e.path {
			continue
		}
		path.Connections++
		i := slices.IndexFunc(second, func(q unixLink) bool { return q.inode == l.inode })
		if i < 0 || !l.deaf() || second[i].mem.wmemAlloc < l.mem.wmemAlloc {
			continue
		}
		path.Deaf++
		reader = l.peer
		path.Unsent = max(path.Unsent, int(l.mem.wmemAlloc))
		if filled(l.mem.wmemAlloc, l.mem.sndbuf) {
			full++
		}
	}
	if path.Deaf == 0 {
		return nil
	}
	path.Full = &full
	r.nameReader(path, strconv.FormatUint(uint64(reader), 10))
	return path
}

// filled reports whether there is as good as no room left in a send buffer. A writer
// that found none sleeps on until a third of it is free again.
func filled(used, size uint32) bool { return uint64(used)*10 >= uint64(size)*9 }

// localLog is where syslog goes without an address (moby's srslog), by its real
// name: systemd makes it a link.
func localLog() string {
	const usual = "/dev/log"
	if to, err := filepath.EvalSymlinks(usual); err == nil {
		return to
	}
	return usual
}
