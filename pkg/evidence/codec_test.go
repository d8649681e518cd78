package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func ptr[T any](v T) *T { return &v }

// sample has something in every part that redaction or the codec treats apart.
func sample() *Snapshot {
	return &Snapshot{
		Format: SnapshotFormat, Schema: SnapshotSchema, Version: "0.1.0",
		TakenAt: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC),
		Host: Host{
			Kernel: "6.1.0", Arch: "amd64", Cgroup: "v1", EUID: 0,
			Engine:  &Engine{Name: "docker", Version: "20.10.24", APIVersion: "1.41", Endpoint: "unix:///run/user/1000/docker.sock"},
			Sources: []string{"docker-api", "proc"},
		},
		Errors: []TargetError{{Target: "wbe", Message: "no such container: wbe", ExitCode: 2}},
		Targets: []Target{{
			Asked: "web", Kind: KindContainer, PID: 4121, HostPIDNS: ptr(false),
			Container: &Container{
				ID: strings.Repeat("ab", 32), Name: "web", Image: "shop:1.2", Status: "running", Source: "docker-api", Inspected: true,
				Error: `exec: "/srv/acme/run": permission denied`, StopTimeout: ptr(3),
				Entrypoint: []string{"/bin/sh", "-c"}, Cmd: []string{"node /srv/acme/server.js <&0; true"},
				SecurityOpt: []string{"apparmor=docker-default", "no-new-privileges", `seccomp={"defaultAction":"acme"}`},
				Env:         map[string]string{"TINI_SUBREAPER": "acme", "S6_KILL_GRACETIME": "3000", "PASSWORD": "acme"},
			},
			Identity: &Identity{CgroupMatches: ptr(true), Alive: true, Here: true},
			Cgroup:   &Cgroup{Path: "/docker/" + strings.Repeat("ab", 32), FrozenBy: "/acme.slice"},
			Processes: []Process{{
				PID: 4121, PPID: 1, NSPIDs: []int{4121, 1}, Comm: "bash", Argv: []string{"bash", "/srv/acme/entry.sh"}, Exe: "/opt/acme/bash", State: "S",
				Signals: &Signals{Caught: SetOf(SIGTERM), Queued: -1, QueueLimit: -1},
				Tasks:   []Task{{TID: 4121, State: "S", Wchan: ptr("do_wait"), Blocked: ptr(SetOf(SIGCHLD))}},
				Stdio:   []string{"pipe:[77]", "/dev/pts/3", "/srv/acme/log"},
				Program: &Program{ID: "bash", By: "exe", Display: "/srv/acme/entry.sh", Options: map[string]string{"script": "true"}},
				Kernel:  &Kernel{Handlers: map[string]Handler{"SIGTERM": {Address: 1, File: "/opt/acme/bash", Symbol: "trap_handler"}}},
				Inside: &Inside{
					Bash: &BashInside{Traps: map[string]Trap{"SIGTERM": {Text: "acme --stop; exit 3", Exits: true, Code: ptr(3)}}},
					Go:   &GoInside{Version: "go1.22.1", Path: "acme.example/server"},
				},
			}},
			Gaps: []Gap{{Path: "/proc/4121/stack", Kind: GapDenied, Matters: "cannot name it"}, {Path: "/proc/4121/root/srv/acme/run", Kind: GapTimeout}},
		}},
	}
}

func TestRoundTrip(t *testing.T) {
	var buf bytes.Buffer
	if err := Write(&buf, sample()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(buf.String(), "server.js <&0") {
		t.Error("argument lists are written with HTML escapes")
	}
	got, err := Read(&buf)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), got); diff != "" {
		t.Errorf("what was read differs from what was written (-want +got):\n%s", diff)
	}
}

func TestRead(t *testing.T) {
	good := `{"format":"whystuck-snapshot","schema":1,"targets":[]}`
	tests := []struct {
		name, in string
		is       error
		says     string
	}{
		{"empty", "", ErrForeign, "empty"},
		{"blank", " \n", ErrForeign, "empty"},
		{"text", "hello", ErrForeign, "no JSON from byte 1"},
		{"binary", "\x7fELF\x00\x00", ErrForeign, "no JSON"},
		{"other object", `{"a":1}`, ErrForeign, "whystuck-snapshot"},
		{"array", `[1,2]`, ErrForeign, "array"},
		{"null", `null`, ErrForeign, "whystuck-snapshot"},
		{"number", `12`, ErrForeign, "number"},
		{"inspect output", `[{"Id":"x","State":{}}]`, ErrForeign, ""},
		{"a report", `{"schema":1,"version":"x","containers":[]}`, ErrForeign, "whystuck capture"},
		{"newer", `{"format":"whystuck-snapshot","schema":2,"targets":{"new":"form"}}`, ErrNewer, "schema 2"},
		{"schema absent", `{"format":"whystuck-snapshot"}`, ErrDamaged, "schema 0"},
		{"schema negative", `{"format":"whystuck-snapshot","schema":-1}`, ErrDamaged, "schema -1"},
		{"truncated", good[:len(good)-9], ErrDamaged, "cut short after"},
		{"two documents", good + good, ErrDamaged, "no JSON from byte"},
		{"field of another kind", `{"format":"whystuck-snapshot","schema":1,"targets":[{"pid":"x"}]}`, ErrDamaged, `field "targets.pid" holds a string`},
		{"number too large", `{"format":"whystuck-snapshot","schema":1,"targets":[{"pid":1e99}]}`, ErrDamaged, "field"},
		{"bad signal set", `{"format":"whystuck-snapshot","schema":1,"targets":[{"processes":[{"signals":{"ignored":"xyz"}}]}]}`, ErrDamaged, "wrong form"},
		{"bad time", `{"format":"whystuck-snapshot","schema":1,"taken_at":"x"}`, ErrDamaged, "wrong form"},
		{"deep", strings.Repeat("[", 20000), ErrForeign, ""},
		{"good", good, nil, ""},
		{"unknown field", `{"format":"whystuck-snapshot","schema":1,"later":{"x":[1]},"targets":[]}`, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Read(strings.NewReader(tt.in))
			if !errors.Is(err, tt.is) {
				t.Fatalf("Read: %v, want %v", err, tt.is)
			}
			if err == nil && s == nil || err != nil && s != nil {
				t.Fatalf("Read gave %v and %v", s, err)
			}
			if err != nil && (!strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n")) {
				t.Errorf("Read says %q, want one line with %q", err, tt.says)
			}
		})
	}
}

// endless never ends: without a bound Read would take all memory.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestReadIsBounded(t *testing.T) {
	if _, err := readBounded(endless{}, 1<<20); !errors.Is(err, ErrTooLarge) {
		t.Errorf("an endless input gives %v, want %v", err, ErrTooLarge)
	}
}

type broken struct{ error }

func (b broken) Read([]byte) (int, error) { return 0, b.error }
func (b broken) Write([]byte) (int, error) {
	return 0, b.error
}

func TestCodecReportsIOErrors(t *testing.T) {
	cause := errors.New("device gone")
	if _, err := Read(broken{cause}); !errors.Is(err, cause) {
		t.Errorf("Read lost the cause: %v", err)
	}
	if err := Write(broken{cause}, sample()); !errors.Is(err, cause) {
		t.Errorf("Write lost the cause: %v", err)
	}
}

// FuzzRead: whatever the input, Read returns; what it accepts can be redacted
// and written, and reads back.
func FuzzRead(f *testing.F) {
	var buf bytes.Buffer
	if err := Write(&buf, sample()); err != nil {
		f.Fatal(err)
	}
	f.Add(buf.Bytes())
	f.Add([]byte(`{"format":"whystuck-snapshot","schema":1,"targets":[{"container":null,"processes":[{"inside":{"bash":{}}}]}]}`))
	f.Add([]byte(`{"format":"whystuck-snapshot","schema":9}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		Redact(s)
		var out bytes.Buffer
		if err := Write(&out, s); err != nil {
			var unsupported *json.MarshalerError
			if errors.As(err, &unsupported) {
				return // a year beyond 9999 reads but cannot be written
			}
			t.Fatal(err)
		}
		if _, err := Read(&out); err != nil {
			t.Fatalf("what was written does not read: %v", err)
		}
	})
}
