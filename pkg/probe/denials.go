package probe

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// maxDenials bounds what is kept of the kernel's log: a refused stop that is tried
// every minute has thousands of them.
const maxDenials = 200

// denials collects refusals from the records of the kernel's log.
type denials struct{ list []evidence.Denial }

// see takes one record. It always says no: nothing has to be kept beside. What a
// program has written into the log is not believed, be it through the device or,
// with CAP_AUDIT_WRITE, as a message for the audit (msg='...').
func (d *denials) see(m Message) bool {
	text := m.Text
	switch {
	case m.ByProgram, strings.Contains(text, "msg='"):
	case strings.Contains(text, "apparmor="):
		d.apparmor(text)
	case strings.Contains(text, "avc:"):
		d.selinux(text)
	}
	return false
}

func (d *denials) add(n evidence.Denial) {
	if len(d.list) == maxDenials {
		d.list = d.list[1:]
	}
	d.list = append(d.list, n)
}

// auditTime finds "audit(1619802203.636:26953)": seconds since 1970.
var auditTime = regexp.MustCompile(`audit\((\d+)\.(\d{3}):\d+\)`)

func atOf(text string) *time.Time {
	m := auditTime.FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	at, err := time.ParseDuration(m[1] + "." + m[2] + "s")
	if err != nil {
		return nil
	}
	t := time.Unix(0, int64(at)).UTC()
	return &t
}

// apparmor reads `apparmor="DENIED" operation="signal" profile="docker-default"
// pid=9289 comm="runc" requested_mask="receive" denied_mask="receive" signal=kill
// peer="runc"` (security/apparmor/ipc.c audit_signal_cb).
func (d *denials) apparmor(text string) {
	f := auditFields(text)
	switch f["apparmor"] {
	case "DENIED":
		if f["operation"] == "signal" && (f["denied_mask"] != "receive" && f["denied_mask"] != "send" || f["signal"] == "urg") {
			return // urg: the Go runtime wakes its own threads
		}
		if f["operation"] != "signal" && f["operation"] != "exec" {
			return
		}
		n := evidence.Denial{By: "apparmor", Operation: f["operation"], Comm: f["comm"], Label: f["profile"], Peer: f["peer"], Signal: f["signal"], Errno: "permission denied", At: atOf(text)}
		if f["denied_mask"] == "send" { // the sender's own profile forbids it
			n.Label, n.Peer = f["peer"], f["profile"]
		}
		d.add(n)
	case "STATUS":
		if f["operation"] == "profile_load" || f["operation"] == "profile_replace" || f["operation"] == "profile_remove" {
			d.void(f["name"])
		}
	}
}

// void marks what was said of a profile that has been loaded anew.
func (d *denials) void(profile string) {
	for i := range d.list {
		if n := &d.list[i]; n.By == "apparmor" && (n.Label == profile || n.Peer == profile) {
			n.Void = true
		}
	}
}

// selinux reads `avc:  denied  { signal } for  pid=895 comm="runc"
// scontext=A tcontext=B tclass=process permissive=0`.
func (d *denials) selinux(text string) {
	_, rest, ok := strings.Cut(text, "denied  {")
	what, rest, closed := strings.Cut(rest, "}")
	if !ok || !closed {
		return
	}
	f := auditFields(rest)
	if f["permissive"] == "1" || f["tclass"] != "process" {
		return
	}
	for _, word := range strings.Fields(what) {
		switch word {
		case "signal", "sigkill", "sigstop":
			d.add(evidence.Denial{By: "selinux", Operation: "signal", Signal: strings.TrimPrefix(word, "sig"), Comm: f["comm"],
				Label: f["tcontext"], Peer: f["scontext"], Errno: "permission denied", At: atOf(text)})
			return
		case "transition", "entrypoint", "execmem":
			d.add(evidence.Denial{By: "selinux", Operation: "exec", Comm: f["comm"], Label: f["tcontext"], Peer: f["scontext"], Errno: "permission denied", At: atOf(text)})
			return
		}
	}
}

// auditFields reads the name=value pairs of a record; a value in quotes may hold
// blanks. Names that come from processes (comm) are in hexadecimal digits where
// they hold odd bytes, so nothing in quotes can end them.
func auditFields(text string) map[string]string {
	out := map[string]string{}
	for text != "" {
		name, rest, ok := strings.Cut(text, "=")
		if !ok {
			break
		}
		if i := strings.LastIndexAny(name, " \t"); i >= 0 {
			name = name[i+1:]
		}
		var value string
		if quoted, isQuoted := strings.CutPrefix(rest, `"`); isQuoted {
			value, text, _ = strings.Cut(quoted, `"`)
		} else {
			value, text, _ = strings.Cut(rest, " ")
		}
		if _, twice := out[name]; !twice && len(value) <= 512 {
			out[name] = value
		}
	}
	return out
}

// refusals are the words of runc and crun for a signal that was denied.
var refusals = []string{"operation not permitted", "permission denied"}

// signalWords are how a runtime begins to say that its signal to the init failed:
// runc since 1.1, crun, and runc before, which put the place in its code first.
var signalWords = regexp.MustCompile(`^(unable to signal init|send signal to pidfd|kill container|\w+\.go:\d+: signaling init process caused):? `)

// parseRuntimeLog finds refused signals among the lines of the runtime's log:
// {"level":"error","msg":"unable to signal init: operation not permitted","time":...}.
// A failed exec of a program is written there too, with that program's name.
func parseRuntimeLog(b []byte) []evidence.Denial {
	var out []evidence.Denial
	for line := range strings.Lines(string(b)) {
		var entry struct{ Msg, Time string }
		if json.Unmarshal([]byte(line), &entry) != nil {
			continue // the first of a tail is cut
		}
		msg := strings.ToLower(entry.Msg)
		if !signalWords.MatchString(msg) {
			continue
		}
		msg = strings.TrimRight(msg, "\" \n") // runc before 1.0 has quotes around it
		for _, errno := range refusals {
			if !strings.HasSuffix(msg, errno) || len(out) == 64 {
				continue
			}
			n := evidence.Denial{By: "runtime", Operation: "signal", Errno: errno}
			if at, err := time.Parse(time.RFC3339, entry.Time); err == nil {
				utc := at.UTC()
				n.At = &utc
			}
			out = append(out, n)
		}
	}
	return out
}
