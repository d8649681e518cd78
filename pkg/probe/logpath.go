package probe

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// LogPaths fills t.Log of those targets whose log driver sends over TCP or a unix
// socket, and only where nothing moves on one of dockerd's connections to the
// receiver, or there is none over TCP. It reads the table of connections of
// dockerd's network namespace once, and the rest where something waits in it.
func (p *Prober) LogPaths(ctx context.Context, daemon int, targets []*evidence.Target) {
	ends := make([]endpoint, len(targets))
	for i, t := range targets {
		ends[i] = logEndpoint(t.Container.LogDriver, t.Container.LogAddress)
	}
	if daemon <= 0 || !slices.ContainsFunc(ends, func(e endpoint) bool { return e.known() || e.path != "" }) {
		return
	}
	found, _ := runBatch(ctx, 1, p.cfg.Total, func(int) []*evidence.LogPath {
		r := p.newReader()
		defer r.close()
		out := r.logPaths(ctx, daemon, ends)
		r.unixPaths(ctx, daemon, ends, out)
		return out
	}).result(0)
	for i, path := range found {
		targets[i].Log = path
	}
}

// endpoint is the receiver of a log: a port, and an address where that is not a
// name, which is never looked up; or the path of a unix socket.
type endpoint struct {
	ip   net.IP
	port int
	path string
}

// known reports whether it is one of TCP.
func (e endpoint) known() bool { return e.port != 0 }

// logEndpoint reads an option of a log driver, zero where it is an address that
// takes whatever comes.
func logEndpoint(driver, address string) endpoint {
	if driver == "fluentd" && address == "" {
		address = "localhost:24224" // its default (moby daemon/logger/fluentd)
	}
	if driver == "syslog" && address == "" {
		return endpoint{path: localLog()}
	}
	if address == "" {
		return endpoint{}
	}
	if !strings.Contains(address, "://") {
		address = "tcp://" + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return endpoint{}
	}
	if u.Scheme == "unix" || u.Scheme == "unixgram" {
		return endpoint{path: u.Path}
	}
	port, usual := u.Port(), map[string]string{"tcp": "", "tcp+tls": "", "tls": "", "http": "80", "https": "443"}
	byScheme, ok := usual[u.Scheme]
	if !ok {
		return endpoint{} // a datagram waits for nobody
	}
	if port == "" {
		port = byScheme
	}
	if port == "" {
		port = map[string]string{"fluentd": "24224", "syslog": "514"}[driver]
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return endpoint{}
	}
	return endpoint{ip: net.ParseIP(u.Hostname()), port: n}
}

// tcpRow is one connection in a table of /proc/PID/net/tcp.
type tcpRow struct {
	local, remote string // as printed there
	unsent        int
	// shut: the timer is that of a shut window (icsk_pending ICSK_TIME_PROBE0), or of
	// a repetition that has been put off again and again.
	shut  bool
	inode string
}

// deaf reports whether something waits for a peer who takes nothing.
func (r *tcpRow) deaf() bool { return r.shut && r.unsent > 0 }

// putOff is from when on, in hundredths of a second, the time until a repetition is
// nothing that the distance to the peer makes: it begins with 20 for most, is doubled
// each time, and falls back as soon as something is acknowledged.
const putOff = 300

// shutTimer reads "tr", "retrnsmt" and "rto". Where a peer makes its receive buffer
// smaller while data is under way, the kernel repeats in place of a probe, and does
// not count that (net/ipv4/tcp_timer.c tcp_retransmit_timer, !snd_wnd). What it does
// count is a peer that is gone, who is given up after a time: another matter.
func shutTimer(f []string) bool {
	timer, _, _ := strings.Cut(f[5], ":")
	if timer != "01" || len(f) < 13 || strings.Trim(f[6], "0") != "" {
		return timer == "04"
	}
	rto, err := strconv.Atoi(f[12])
	return err == nil && rto >= putOff
}

// maxLogTable bounds the table, in bytes: some 25,000 connections.
const maxLogTable = 4 << 20

// connectionsOf are the established connections in a process's network namespace,
// by inode; nil where a table could not be read, or not to its end: who is not in
// it may be connected.
func (r *reader) connectionsOf(pid int) map[string]tcpRow {
	out := map[string]tcpRow{}
	for _, name := range []string{"net/tcp", "net/tcp6"} {
		data, err := r.read(r.p.pidPath(pid, name), maxLogTable)
		if errors.Is(err, fs.ErrNotExist) && name == "net/tcp6" {
			continue // a kernel without IPv6
		}
		if err != nil || len(data) >= maxLogTable {
			return nil
		}
		for line := range bytes.Lines(data) {
			if row, ok := parseTCP(line); ok {
				out[row.inode] = row
			}
		}
	}
	return out
}

// parseTCP reads a line of an established connection: "sl local_address
// rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode"
// (Documentation/networking/proc_net_tcp.rst).
func parseTCP(line []byte) (tcpRow, bool) {
	f := strings.Fields(string(line))
	if len(f) < 10 || f[3] != "01" {
		return tcpRow{}, false
	}
	tx, _, _ := strings.Cut(f[4], ":")
	n, err := strconv.ParseUint(tx, 16, 32)
	if err != nil {
		return tcpRow{}, false
	}
	return tcpRow{f[1], f[2], int(n), shutTimer(f), f[9]}, true
}

// leadsTo reports whether a printed address is that of a receiver.
func (e endpoint) leadsTo(printed string) bool {
	ip, port := parseHexAddress(printed)
	return port == e.port && (e.ip == nil || e.ip.Equal(ip))
}

// parseHexAddress reads "0100007F:1F90": the words of the address in the byte
// order of the machine, which is little-endian wherever Docker runs but on s390x.
func parseHexAddress(printed string) (net.IP, int) {
	addr, port, _ := strings.Cut(printed, ":")
	ip, err := hex.DecodeString(addr)
	n, errPort := strconv.ParseUint(port, 16, 16)
	if err != nil || errPort != nil || len(ip)%4 != 0 {
		return nil, 0
	}
	for word := range slices.Chunk(ip, 4) {
		slices.Reverse(word)
	}
	return ip, int(n)
}

// logPaths takes the first look, and the second where something waits.
func (r *reader) logPaths(ctx context.Context, daemon int, ends []endpoint) []*evidence.LogPath {
	out := make([]*evidence.LogPath, len(ends))
	if !slices.ContainsFunc(ends, endpoint.known) {
		return out
	}
	first := r.connectionsOf(daemon)
	if first == nil {
		return out
	}
	waits := func(row tcpRow) bool {
		return row.deaf() && slices.ContainsFunc(ends, func(e endpoint) bool { return e.known() && e.leadsTo(row.remote) })
	}
	var deaf []tcpRow
	for _, row := range first {
		if waits(row) {
			deaf = append(deaf, row)
		}
	}
	var second map[string]tcpRow
	if len(deaf) > 0 {
		select {
		case <-time.After(r.p.cfg.Interval):
		case <-ctx.Done():
			return out
		}
		second = r.connectionsOf(daemon)
	}
	var own map[string]bool
	if len(deaf) > 0 {
		own = r.socketsOf(daemon)
	}
	for i, e := range ends {
		if e.known() {
			out[i] = r.logPath(e, first, second, own)
		}
	}
	return out
}

// logPath sums up dockerd's own connections to one receiver; nil where there are
// some and they move.
func (r *reader) logPath(e endpoint, first, second map[string]tcpRow, own map[string]bool) *evidence.LogPath {
	path := &evidence.LogPath{}
	var worst tcpRow
	var deaf []string
	anybodys := 0
	for inode, row := range first {
		if !e.leadsTo(row.remote) {
			continue
		}
		if anybodys++; !own[inode] {
			continue
		}
		path.Connections++
		if again, ok := second[inode]; ok && row.deaf() && again.deaf() && again.unsent >= row.unsent {
			path.Deaf++
			deaf = append(deaf, inode)
			if row.unsent > worst.unsent {
				worst = row
			}
		}
	}
	switch {
	case anybodys == 0:
		return path // nobody here is connected to it
	case path.Deaf == 0:
		return nil
	}
	path.Unsent = worst.unsent
	ip, port := parseHexAddress(worst.remote)
	path.Peer = net.JoinHostPort(ip.String(), strconv.Itoa(port))
	path.Full = r.fullOf(e, deaf)
	r.findReader(path, worst, first)
	return path
}

// fullOf counts those of dockerd's sockets whose send buffer has no room left; nil
// where that is not known, as in another network namespace.
func (r *reader) fullOf(e endpoint, inodes []string) *int {
	d, err := openDiag()
	if err != nil {
		return nil
	}
	defer d.close()
	seen, full := 0, 0
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		mem, err := d.tcpMem(family, e.port)
		for inode, m := range mem {
			if err == nil && slices.Contains(inodes, strconv.FormatUint(uint64(inode), 10)) {
				seen++
				if filled(m.wmemQueued, m.sndbuf) {
					full++
				}
			}
		}
	}
	if seen < len(inodes) {
		return nil
	}
	return &full
}

// socketsOf are the inodes of a process's sockets.
func (r *reader) socketsOf(pid int) map[string]bool {
	out := map[string]bool{}
	fds, _, _ := numbers(r.p.pidPath(pid, fileFD.name), maxSockets)
	for _, fd := range fds {
		if to, err := readLink(r.p.pidPath(pid, fileFD.name, strconv.Itoa(fd))); err == nil && strings.HasPrefix(to, "socket:[") {
			out[strings.TrimSuffix(strings.TrimPrefix(to, "socket:["), "]")] = true
		}
	}
	return out
}

// findReader names the process that should read the other end of a connection.
func (r *reader) findReader(path *evidence.LogPath, row tcpRow, rows map[string]tcpRow) {
	for inode, other := range rows {
		if other.local != row.remote || other.remote != row.local || inode == "0" {
			continue
		}
		r.nameReader(path, inode)
	}
}

// nameReader says who holds the other end, by its inode.
func (r *reader) nameReader(path *evidence.LogPath, inode string) {
	path.ReaderPID = r.holderOf("socket:["+inode+"]", time.Now().Add(2*r.p.cfg.ReadTimeout))
	path.ReaderComm = r.comm(path.ReaderPID)
	if st, err := r.readStat(path.ReaderPID); err == nil && path.ReaderPID != 0 {
		path.ReaderState = st.State
	}
}

// holderOf searches the host for the first process with a descriptor, until the
// time is up; 0: none.
func (r *reader) holderOf(link string, until time.Time) int {
	pids, _, _ := numbers(r.p.cfg.Proc, 1<<22)
	for _, pid := range pids {
		if time.Now().After(until) {
			return 0
		}
		fds, _, _ := numbers(r.p.pidPath(pid, fileFD.name), maxSockets)
		for _, fd := range fds {
			if to, err := readLink(r.p.pidPath(pid, fileFD.name, strconv.Itoa(fd))); err == nil && to == link {
				return pid
			}
		}
	}
	return 0
}
