package probe

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// Listens reports whether the network namespace of a process has a TCP listener
// on a port. Where that namespace may be shared with others (the host's, another
// container's), the listener has to be a descriptor of one of members. It needs
// no network: the tables are those of /proc/PID/net/tcp and tcp6.
func (p *Prober) Listens(pid, port int, members []Member, shared bool) bool {
	r := p.newReader()
	defer r.close()
	for _, name := range []string{"net/tcp", "net/tcp6"} {
		data, err := r.read(p.pidPath(pid, name), maxRead)
		if err != nil {
			continue // a kernel without IPv6 has no tcp6
		}
		for _, inode := range listeners(data, port) {
			if !shared || p.holdsSocket(members, inode) {
				return true
			}
		}
	}
	return false
}

// listeners are the inodes of the sockets that listen on a port (state 0A,
// TCP_LISTEN), from "sl local_address rem_address st ... uid timeout inode".
func listeners(table []byte, port int) []string {
	want := fmt.Sprintf(":%04X", port)
	var out []string
	for line := range bytes.Lines(table) {
		f := strings.Fields(string(line))
		if len(f) > 9 && f[3] == "0A" && strings.HasSuffix(f[1], want) {
			out = append(out, f[9])
		}
	}
	return out
}

func (p *Prober) holdsSocket(members []Member, inode string) bool {
	link := "socket:[" + inode + "]"
	for _, m := range members {
		fds, _, _ := numbers(p.pidPath(m.PID, fileFD.name), maxSockets)
		for _, fd := range fds {
			if to, err := readLink(p.pidPath(m.PID, fileFD.name, strconv.Itoa(fd))); err == nil && to == link {
				return true
			}
		}
	}
	return false
}

// maxSockets bounds how many descriptors of a process are compared.
const maxSockets = 4096
