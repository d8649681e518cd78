package diagnose

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// titles are the rules' titles and severities. A code is for ever; each has its
// page in docs/rules.
var titles = map[string]struct{ title, severity string }{
	"WS101": {"PID 1 drops the signal: it has no handler", SeverityError},
	"WS102": {"the signal is ignored", SeverityError},
	"WS103": {"the signal is blocked, and nobody waits for it", SeverityError},
	"WS104": {"shell entrypoint does not pass the signal on", SeverityError},
	"WS105": {"a trap is held back by a foreground child", SeverityError},
	"WS106": {"a process below has a handler and never gets the signal", SeverityError},
	"WS107": {"the init passes the signal on, and its child does not end", SeverityError},
	"WS108": {"a process is cut off before its handler can finish", SeverityWarning},
	"WS109": {"node's own handler does not end PID 1", SeverityError},
	"WS110": {"the program takes this signal for something else", SeverityError},
	"WS111": {"a handler runs, and what it does cannot be seen before", SeverityInfo},
	"WS112": {"the runtime swallows or delays the signal", SeverityError},
	"WS113": {"the init may not signal its child", SeverityError},
	"WS114": {"the graceful end may take longer than the timeout", SeverityError},
	"WS115": {"an interactive shell ignores SIGTERM", SeverityError},
	"WS116": {"this signal does not end anything by default", SeverityError},
	"WS117": {"it waits for the signal without blocking it", SeverityError},
	"WS118": {"a signalfd that nobody reads", SeverityError},
	"WS119": {"a Go program without signal.Notify ends at once", SeverityInfo},
	"WS120": {"a stop is already running", SeverityInfo},
	"WS201": {"uninterruptible sleep that SIGKILL cannot end", SeverityError},
	"WS202": {"stopped", SeverityError},
	"WS203": {"held by a tracer", SeverityError},
	"WS204": {"SIGKILL is pending, and it still lives", SeverityError},
	"WS205": {"the PID namespace does not empty", SeverityError},
	"WS206": {"the leader is a zombie, other threads live", SeverityError},
	"WS207": {"frozen, and not by docker pause", SeverityError},
	"WS208": {"in D, but SIGKILL ends it", SeverityInfo},
	"WS209": {"a FUSE server does not answer", SeverityError},
	"WS210": {"a core dump is being written", SeverityWarning},
	"WS211": {"others are stuck on the same thing", SeverityWarning},
	"WS212": {"another task holds what it waits for", SeverityError},
	"WS213": {"a block device is throttled", SeverityError},
	"WS214": {"a block device does not answer", SeverityError},
	"WS215": {"a process from outside is in its PID namespace", SeverityWarning},
	"WS216": {"out of memory, and the OOM killer is disabled", SeverityError},
	"WS217": {"slowed down by its memory limit", SeverityWarning},
	"WS218": {"the host is slow, everything is late", SeverityInfo},
	"WS219": {"it spins in the kernel", SeverityError},
	"WS220": {"input or output is outstanding at its exit", SeverityError},
	"WS221": {"its output is not read", SeverityError},
	"WS222": {"zombies pile up", SeverityWarning},
	"WS224": {"nothing but a reboot frees it", SeverityError},
	"WS301": {"running for the engine, and no such process", SeverityError},
	"WS302": {"forgotten by the engine, and alive", SeverityError},
	"WS303": {"docker inspect of this container hangs", SeverityError},
	"WS304": {"the engine does not answer", SeverityError},
	"WS305": {"not a process of this kernel", SeverityWarning},
	"WS306": {"the restart policy brings it back", SeverityWarning},
	"WS307": {"paused", SeverityInfo},
	"WS308": {"stuck in its start or removal", SeverityError},
	"WS323": {"up, and its program has not begun", SeverityError},
	"WS324": {"containerd has just been started", SeverityInfo},
	"WS326": {"a known defect of this engine's version", SeverityWarning},
	"WS327": {"its log cannot be written, and the exit waits for that", SeverityError},
	"WS328": {"its removal fails: something holds its files", SeverityError},
	"WS329": {"a half-removed container's directory is left", SeverityInfo},
	"WS330": {"a shim without a container", SeverityWarning},
	"WS331": {"the runtime's state without a container", SeverityWarning},
	"WS332": {"booked as exited, and alive", SeverityError},
	"WS333": {"an empty cgroup is left", SeverityInfo},
	"WS309": {"dockerd is not running", SeverityError},
	"WS310": {"dockerd is stopped", SeverityError},
	"WS311": {"dockerd itself hangs in the kernel", SeverityError},
	"WS312": {"containerd is not running", SeverityError},
	"WS313": {"containerd is stopped", SeverityError},
	"WS314": {"the container's shim is stopped", SeverityError},
	"WS315": {"the container's shim hangs in the kernel", SeverityError},
	"WS316": {"the container's shim is gone", SeverityError},
	"WS317": {"two shims for one container", SeverityWarning},
	"WS318": {"a shim is left over", SeverityWarning},
	"WS319": {"the runtime below the shim does not end", SeverityError},
	"WS320": {"an exec holds back the end of the container", SeverityError},
	"WS321": {"the engine hangs in the handling of the exit", SeverityError},
	"WS322": {"stuck in its start: the runtime hangs", SeverityError},
	"WS401": {"the signal is denied", SeverityError},
	"WS402": {"the engine may not signal the container's user", SeverityError},
	"WS403": {"AppArmor refuses the engine's signals", SeverityError},
	"WS404": {"SELinux refuses the engine's signals", SeverityError},
	"WS405": {"the start was denied", SeverityWarning},
	"WS501": {"odd stop signal", SeverityWarning},
	"WS502": {"unusual stop timeout", SeverityWarning},
	"WS503": {"STOPSIGNAL SIGKILL", SeverityWarning},
	"WS504": {"a shell stays in front of the program", SeverityError},
	"WS505": {"the entrypoint script starts the program without exec", SeverityError},
	"WS506": {"the script's trap cannot run while its program does", SeverityError},
	"WS507": {"the script waits for its programs and passes no signal on", SeverityError},
	"WS508": {"the program wants another stop signal", SeverityWarning},
	"WS509": {"a stop signal that the program does not know", SeverityWarning},
	"WS510": {"an init is part of the image", SeverityInfo},
	"WS511": {"brackets that Docker does not take for a list", SeverityError},
	"WS512": {"a wrapper stands between the stop signal and the program", SeverityWarning},
	"WS513": {"an interpreter as PID 1 leaves the signal to its program", SeverityWarning},
	"WS514": {"a program that leaves signals at their default is PID 1", SeverityError},
	"WS515": {"the image starts an interactive shell", SeverityInfo},
	"WS516": {"the image cannot start its command", SeverityError},
	"WS517": {"the script ignores the stop signal", SeverityError},
	"WS518": {"a helper keeps the container alive beside the program", SeverityError},
	"WS519": {"not as the policy demands", SeverityError},
	"WS530": {"it ended before it was ready", SeverityError},
	"WS531": {"it did not become ready", SeverityError},
	"WS532": {"foretold otherwise than seen: our bug", SeverityError},
	"WS533": {"the container could not be started", SeverityError},
	"WS535": {"not the same every time", SeverityWarning},
	"WS536": {"the handler does not end it as assumed", SeverityError},
	"WS537": {"it ended by itself during its stop", SeverityError},
}

// newFinding starts a finding of a rule about a process (nil: about none).
func newFinding(code string, p *evidence.Process) Finding {
	t := titles[code]
	f := Finding{Code: code, Title: t.title, Severity: t.severity, Evidence: []Evidence{}, Fixes: []Fix{}}
	if p != nil {
		f.PID, f.NSPID, f.TID = p.PID, p.NSPID(), p.PID
	}
	return f
}

// safeWord reports whether a word can stand in a shell command as it is. What
// cannot is not printed as a command at all.
func safeWord(s string) bool {
	if s == "" || len(s) > 200 || s[0] == '-' {
		return false
	}
	for _, r := range s {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/:@%+,=", r) {
			return false
		}
	}
	return true
}

// command is a command line with one word from outside, "" when that word is not
// safe.
func command(format, word string) string {
	if !safeWord(word) {
		return ""
	}
	return fmt.Sprintf(format, word)
}

// jsonArgv is an argv in exec form, "" when it holds what should not be pasted.
func jsonArgv(argv []string) string {
	if len(argv) == 0 || len(argv) > 32 {
		return ""
	}
	parts := make([]string, 0, len(argv))
	for _, a := range argv {
		if len(a) > 300 || !utf8.ValidString(a) || strings.ContainsFunc(a, unprintable) {
			return ""
		}
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false) // `&&` is to be read by people
		if err := enc.Encode(a); err != nil {
			return ""
		}
		parts = append(parts, strings.TrimSpace(b.String()))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// unprintable reports control characters and the format characters that reorder
// or hide text.
func unprintable(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x200b && r <= 0x200f || r >= 0x202a && r <= 0x202e ||
		r >= 0x2060 && r <= 0x206f || r == 0xfeff || r >= 0xe0000 && r <= 0xe007f
}

// Severity is a rule's severity in general, other for a code that is not known. A
// finding can be milder where it is not sure.
func Severity(code, other string) string {
	if t, ok := titles[code]; ok {
		return t.severity
	}
	return other
}

// Titles gives every rule's title by its code.
func Titles() map[string]string {
	out := make(map[string]string, len(titles))
	for code, t := range titles {
		out[code] = t.title
	}
	return out
}
