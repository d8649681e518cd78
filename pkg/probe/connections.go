package probe

import (
	"bytes"
	"context"
	"os"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// maxNetTable bounds the reading of a table of connections, in bytes: that there
// is one is enough to know.
const maxNetTable = 256 << 10

// Connections fills t.TCPEstablished: how many established TCP connections the
// target's own network namespace has (at least, where the table is long). It
// stays nil where the namespace is the observer's or could not be read. The
// tables are those of /proc/PID/net/tcp and tcp6
// (Documentation/networking/proc_net_tcp.rst); reading them takes none of the
// target's locks.
func (p *Prober) Connections(_ context.Context, t *evidence.Target) {
	if t.PID <= 0 || p.sameNet(t.PID) {
		return
	}
	r := p.newReader()
	defer r.close()
	total, known := 0, false
	for _, name := range []string{"net/tcp", "net/tcp6"} {
		data, err := r.read(p.pidPath(t.PID, name), maxNetTable)
		if err != nil {
			continue // a kernel without IPv6 has no tcp6
		}
		known = true
		total += established(data)
	}
	if known {
		t.TCPEstablished = &total
	}
}

// sameNet reports whether a process shares the observer's network namespace, or
// that could not be told.
func (p *Prober) sameNet(pid int) bool {
	own, err := os.Readlink(p.pidPath(os.Getpid(), "ns/net"))
	if err != nil {
		return true
	}
	theirs, err := os.Readlink(p.pidPath(pid, "ns/net"))
	return err != nil || own == theirs
}

// established counts the rows in state 01 (TCP_ESTABLISHED) of a table.
func established(table []byte) int {
	n := 0
	for line := range bytes.Lines(table) {
		f := bytes.Fields(line)
		if len(f) > 3 && string(f[3]) == "01" {
			n++
		}
	}
	return n
}
