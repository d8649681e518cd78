package probe

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// Senders notes who signals the container and with which rights: the engine
// (pid, 0: not known), its shim, and what the container's init has against them.
// A refusal that the runtime has met before stands in its log.
func (p *Prober) Senders(ctx context.Context, t *evidence.Target, engine int) {
	if t.Container == nil || t.Identity == nil || !t.Identity.Alive || !t.Identity.Here {
		return
	}
	l := p.newLook(ctx, t)
	defer func() { l.cancel() }()
	init := l.process(t.PID)
	if init == nil {
		return
	}
	ppid := init.PPID
	type seen struct {
		receiver *evidence.Credentials
		senders  []evidence.Sender
		refusals []evidence.Denial
	}
	got, _ := once(l, l.p.cfg.ReadTimeout, func(r *reader) seen {
		s := seen{receiver: r.credentials(t.PID)}
		if d := r.sender(evidence.SenderDaemon, engine, ""); d != nil {
			s.senders = append(s.senders, *d)
		}
		if d := r.sender(evidence.SenderRuntime, ppid, "containerd-shim"); d != nil {
			s.senders = append(s.senders, *d)
			s.refusals = r.runtimeRefusals(ppid)
		}
		// Podman runs the runtime itself; conmon does not signal.
		if d := r.sender(evidence.SenderRuntime, engine, "podman"); d != nil {
			s.senders = append(s.senders, *d)
		}
		return s
	})
	t.Receiver, t.Senders, t.Refusals = got.receiver, got.senders, got.refusals
}

// sender is nil for a process that is not there or goes by another name.
func (r *reader) sender(role string, pid int, comm string) *evidence.Sender {
	if pid <= 1 {
		return nil
	}
	c := r.credentials(pid)
	if c == nil {
		return nil
	}
	name, err := r.read(r.p.pidPath(pid, "comm"), 64)
	if err != nil || !strings.HasPrefix(string(name), comm) {
		return nil
	}
	return &evidence.Sender{Role: role, PID: pid, Comm: strings.TrimSuffix(string(name), "\n"), Credentials: *c}
}

// credentials reads status, ns/user and the label; nil where status cannot be
// read.
func (r *reader) credentials(pid int) *evidence.Credentials {
	data, err := r.read(r.p.pidPath(pid, "status"), maxRead)
	if err != nil {
		return nil
	}
	s, _ := parseStatus(data)
	c := &evidence.Credentials{UID: s.UID, CapEff: s.CapEff, CapBnd: s.CapBnd, Seccomp: s.Seccomp}
	if text, err := readLink(r.p.pidPath(pid, "ns/user")); err == nil {
		c.UserNS = parseNS(strings.Replace(text, "user:", "pid:", 1))
		c.UserNSOwner = namespaceOwner(r.p.pidPath(pid, "ns/user"))
	}
	c.Label = r.label(pid)
	return c
}

// label is the security module's name for a process. attr/current belongs to the
// first module that labels, attr/apparmor/current to AppArmor alone (Linux 5.8).
func (r *reader) label(pid int) string {
	for _, file := range []string{"attr/apparmor/current", "attr/current"} {
		data, err := r.read(r.p.pidPath(pid, file), 4096)
		if err == nil && len(data) > 0 {
			return string(bytes.TrimRight(data, "\n\x00"))
		}
	}
	return ""
}

// nsGetOwnerUID is NS_GET_OWNER_UID of ioctl_ns(2).
const nsGetOwnerUID = 0xb704

// namespaceOwner is the user who made a user namespace, nil where the kernel
// does not say.
func namespaceOwner(path string) *int {
	fd, err := open(path)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	uid, err := unix.IoctlGetUint32(fd, nsGetOwnerUID)
	if err != nil {
		return nil
	}
	n := int(uid)
	return &n
}

// maxRuntimeLog is how much of the end of the runtime's log is read.
const maxRuntimeLog = 32 << 10

// runtimeRefusals reads log.json of the bundle, which is the shim's working
// directory. It lies in memory (tmpfs), whatever the container's disks do.
func (r *reader) runtimeRefusals(shim int) []evidence.Denial {
	bundle, err := readLink(r.p.pidPath(shim, "cwd"))
	if err != nil || !filepath.IsAbs(bundle) {
		return nil
	}
	fd, err := open(filepath.Join(bundle, "log.json"))
	if err != nil {
		return nil
	}
	f := os.NewFile(uintptr(fd), "log.json")
	defer f.Close()
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return nil
	}
	if st.Size() > maxRuntimeLog {
		if _, err := f.Seek(-maxRuntimeLog, io.SeekEnd); err != nil {
			return nil
		}
	}
	b, err := io.ReadAll(io.LimitReader(f, maxRuntimeLog))
	if err != nil {
		return nil
	}
	return parseRuntimeLog(b)
}

// HostSecurity reads what may deny a signal on this host, and with log what the
// kernel has said of denials.
func (p *Prober) HostSecurity(ctx context.Context, log bool) (*evidence.Security, []evidence.Gap) {
	s := &evidence.Security{}
	if b, err := os.ReadFile(filepath.Join(p.cfg.Sys, "kernel/security/lsm")); err == nil {
		s.LSMs = strings.Split(strings.TrimSpace(string(b)), ",")
	}
	if b, err := os.ReadFile(filepath.Join(p.cfg.Proc, "sys/kernel/tainted")); err == nil && foreignTaint(string(b)) {
		if b, err := os.ReadFile(filepath.Join(p.cfg.Proc, "modules")); err == nil {
			s.Foreign = foreignModules(string(b))
		}
	}
	if !log {
		return s, nil
	}
	var d denials
	_, gap := p.Messages(ctx, d.see)
	if gap == nil || gap.Kind != evidence.GapTimeout { // else see may go on, and the list is not ours yet
		s.Denials = d.list
	}
	if gap != nil {
		return s, []evidence.Gap{*gap}
	}
	return s, nil
}

// Bits of /proc/sys/kernel/tainted (the kernel's tainted-kernels.rst): a
// proprietary module, one that was forced, one from outside the tree, one without
// a signature.
const foreignBits = 1<<0 | 1<<1 | 1<<12 | 1<<13

func foreignTaint(text string) bool {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
	return err == nil && n&foreignBits != 0
}

// foreignModules reads /proc/modules: "name size refs users state address (OE)".
func foreignModules(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 7 || len(out) == 32 {
			continue
		}
		if taint := f[len(f)-1]; strings.HasPrefix(taint, "(") && strings.ContainsAny(taint, "POFE") {
			out = append(out, f[0])
		}
	}
	return out
}
