package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// What sock_diag(7) is asked and answers (include/uapi/linux: sock_diag.h,
// inet_diag.h, unix_diag.h). It says of the observer's own network namespace how
// much memory a socket's queues take, which no file does, and who a unix socket is
// connected to.
const (
	sockDiagByFamily = 20 // SOCK_DIAG_BY_FAMILY
	inetSkmeminfo    = 7  // INET_DIAG_SKMEMINFO
	unixPeer         = 2  // UNIX_DIAG_PEER
	unixMeminfo      = 5  // UNIX_DIAG_MEMINFO
	showPeerAndMem   = 0x4 | 0x20
	onlyEstablished  = 1 << 1 // TCP_ESTABLISHED
	inetMsgLen       = 72
	unixMsgLen       = 16
)

// sockMem are a socket's queues, in bytes as the kernel counts memory (SK_MEMINFO_*).
type sockMem struct{ wmemAlloc, sndbuf, wmemQueued uint32 }

func parseSockMem(b []byte) (m sockMem, ok bool) {
	if len(b) < 24 {
		return m, false
	}
	return sockMem{binary.NativeEndian.Uint32(b[8:]), binary.NativeEndian.Uint32(b[12:]), binary.NativeEndian.Uint32(b[20:])}, true
}

// diag is a connection to sock_diag.
type diag struct{ fd int }

// diagPatience bounds the wait for an answer, which comes at once.
var diagPatience = unix.Timeval{Usec: 200_000}

func openDiag() (*diag, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("opening sock_diag: %w", err)
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &diagPatience); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("opening sock_diag: %w", err)
	}
	return &diag{fd}, nil
}

func (d *diag) close() { _ = unix.Close(d.fd) }

// tcpMem are the queues of the established connections to a port, by inode.
func (d *diag) tcpMem(family uint8, port int) (map[uint32]sockMem, error) {
	req := make([]byte, 56)
	req[0], req[1], req[2] = family, unix.IPPROTO_TCP, 1<<(inetSkmeminfo-1)
	binary.NativeEndian.PutUint32(req[4:], onlyEstablished)
	binary.BigEndian.PutUint16(req[10:], uint16(port))
	out := map[uint32]sockMem{}
	err := d.ask(req, unix.NLM_F_DUMP, func(msg []byte) {
		if len(msg) < inetMsgLen {
			return
		}
		if m, ok := parseSockMem(attribute(msg[inetMsgLen:], inetSkmeminfo)); ok {
			out[binary.NativeEndian.Uint32(msg[68:])] = m
		}
	})
	return out, err
}

// unixSocket is the peer of a unix socket, by inode, and its queues.
func (d *diag) unixSocket(inode uint32) (peer uint32, m sockMem, err error) {
	req := make([]byte, 24)
	req[0] = unix.AF_UNIX
	binary.NativeEndian.PutUint32(req[4:], ^uint32(0))
	binary.NativeEndian.PutUint32(req[8:], inode)
	binary.NativeEndian.PutUint32(req[12:], showPeerAndMem)
	binary.NativeEndian.PutUint64(req[16:], ^uint64(0)) // any cookie
	err = d.ask(req, 0, func(msg []byte) {
		if len(msg) < unixMsgLen {
			return
		}
		if b := attribute(msg[unixMsgLen:], unixPeer); len(b) >= 4 {
			peer = binary.NativeEndian.Uint32(b)
		}
		m, _ = parseSockMem(attribute(msg[unixMsgLen:], unixMeminfo))
	})
	return peer, m, err
}

// attribute finds one of a message's attributes, nil if it has none such.
func attribute(b []byte, kind uint16) []byte {
	for len(b) >= 4 {
		n := int(binary.NativeEndian.Uint16(b))
		if n < 4 || n > len(b) {
			return nil
		}
		if binary.NativeEndian.Uint16(b[2:]) == kind {
			return b[4:n]
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	return nil
}

// ask sends a request and hands over what comes.
func (d *diag) ask(req []byte, flags uint16, take func(msg []byte)) error {
	msg := make([]byte, unix.NLMSG_HDRLEN, unix.NLMSG_HDRLEN+len(req))
	binary.NativeEndian.PutUint32(msg, uint32(cap(msg)))
	binary.NativeEndian.PutUint16(msg[4:], sockDiagByFamily)
	binary.NativeEndian.PutUint16(msg[6:], unix.NLM_F_REQUEST|flags)
	if err := unix.Sendto(d.fd, append(msg, req...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("asking sock_diag: %w", err)
	}
	buf := make([]byte, 64<<10)
	for {
		n, _, err := unix.Recvfrom(d.fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading from sock_diag: %w", err)
		}
		list, err := syscall.ParseNetlinkMessage(buf[:n])
		if err != nil {
			return fmt.Errorf("reading from sock_diag: %w", err)
		}
		for _, m := range list {
			switch m.Header.Type {
			case unix.NLMSG_DONE:
				return nil
			case unix.NLMSG_ERROR:
				return errors.New("sock_diag knows no such socket")
			}
			take(m.Data)
		}
		if flags&unix.NLM_F_DUMP == 0 {
			return nil
		}
	}
}
