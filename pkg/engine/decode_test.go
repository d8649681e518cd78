package engine

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/whystuck/whystuck/pkg/evidence"
)

func ptr[T any](v T) *T { return &v }

func decoded(t *testing.T, text string) *evidence.Container {
	t.Helper()
	var d document
	if err := decode([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	return d.container()
}

func TestDecodeInspect(t *testing.T) {
	got := decoded(t, `{"Id":"aa","Name":"/web","Created":"2026-01-01T00:00:00Z","RestartCount":2,"AppArmorProfile":"docker-default","ExecIDs":["e1"],
"State":{"Status":"running","Running":true,"Pid":42,"ExitCode":0,"Error":"","StartedAt":"2026-01-02T03:04:05.6Z","FinishedAt":"0001-01-01T00:00:00Z","Health":{"Status":"healthy","Log":[{"Output":"x"}]}},
"Config":{"Image":"shop:1","User":"app","Tty":true,"OpenStdin":true,"StopSignal":"SIGQUIT","StopTimeout":-1,"Env":["SECRET=1","TINI_SUBREAPER=","S6_KILL_GRACETIME=3=4"],
"Entrypoint":["/e"],"Cmd":["a","b"],"Labels":{"com.docker.compose.project":"p","com.docker.compose.service":"s","x":"y"}},
"HostConfig":{"Init":true,"PidMode":"host","RestartPolicy":{"Name":"on-failure","MaximumRetryCount":3},"AutoRemove":true,"Runtime":"runc","LogConfig":{"Type":"syslog","Config":{"mode":"non-blocking","syslog-address":"tcp://10.0.0.1:514","tag":"x"}},
"Privileged":true,"CapAdd":["KILL"],"CapDrop":["ALL"],"SecurityOpt":["label=disable"]}}`)
	want := &evidence.Container{
		ID: "aa", Name: "web", Image: "shop:1", Status: "running", PID: 42,
		StartedAt:  ptr(time.Date(2026, 1, 2, 3, 4, 5, 600000000, time.UTC)),
		StopSignal: "SIGQUIT", StopTimeout: ptr(-1), Init: ptr(true), Tty: true, OpenStdin: true, PidMode: "host",
		RestartPolicy: "on-failure", RestartMax: 3, RestartCount: 2, AutoRemove: true, Runtime: "runc", LogDriver: "syslog", LogMode: "non-blocking", LogAddress: "tcp://10.0.0.1:514",
		User: "app", Privileged: true, CapAdd: []string{"KILL"}, CapDrop: []string{"ALL"}, SecurityOpt: []string{"label=disable"},
		AppArmor: "docker-default", Health: "healthy", ExecIDs: []string{"e1"}, Entrypoint: []string{"/e"}, Cmd: []string{"a", "b"},
		Project: "p", Service: "s", Env: map[string]string{"TINI_SUBREAPER": "", "S6_KILL_GRACETIME": "3=4"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeState(t *testing.T) {
	const ended = `"StartedAt":"2026-01-01T00:00:00Z","FinishedAt":"2026-01-01T00:01:00Z"`
	for name, c := range map[string]struct {
		state, status string
		code          *int
		pid           int
	}{
		"never started":    {`"StartedAt":"0001-01-01T00:00:00Z","FinishedAt":"0001-01-01T00:00:00Z"`, "created", nil, 0},
		"start failed":     {`"ExitCode":127,"Error":"no such file"`, "created", ptr(127), 0},
		"running":          {`"Running":true,"Pid":7,"StartedAt":"2026-01-01T00:00:00Z"`, "running", nil, 7},
		"running again":    {`"Running":true,"Pid":7,` + ended, "running", nil, 7},
		"paused":           {`"Running":true,"Paused":true,"Pid":7`, "paused", nil, 7},
		"restarting":       {`"Running":true,"Restarting":true,"ExitCode":1,` + ended, "restarting", nil, 0},
		"exited":           {`"ExitCode":0,` + ended, "exited", ptr(0), 0},
		"removing":         {`"RemovalInProgress":true,"ExitCode":137,` + ended, "removing", ptr(137), 0},
		"dead":             {`"Dead":true,"ExitCode":137,` + ended, "dead", ptr(137), 0},
		"the API's status": {`"Status":"removing","Running":true,"Pid":3`, "removing", nil, 3},
		"negative PID":     {`"Status":"running","Running":true,"Pid":-3`, "running", nil, 0},
	} {
		got := decoded(t, `{"State":{`+c.state+`}}`)
		if got.Status != c.status || got.PID != c.pid || cmp.Diff(c.code, got.ExitCode) != "" {
			t.Errorf("%s: %s, exit code %v, PID %d", name, got.Status, got.ExitCode, got.PID)
		}
	}
}

// One odd field does not hide the others; a body that is no object is refused.
func TestDecodeOddBodies(t *testing.T) {
	got := decoded(t, `{"Id":"aa","Name":17,"ExecIDs":"none","State":{"Pid":5,"Running":"yes","Health":[]},
"Config":{"StopTimeout":"10","Entrypoint":"sh -c x","Cmd":{"a":1},"Env":null,"StopSignal":"15","Labels":[]},"HostConfig":{"Init":"no","RestartPolicy":"always","LogConfig":null,"PidMode":"host"}}`)
	want := &evidence.Container{ID: "aa", PID: 5, Status: "created", StopSignal: "15", Entrypoint: []string{"sh -c x"}, PidMode: "host"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, text := range []string{``, `[]`, `"x"`, `7`, `{"Id":"a"`, `<html>`} {
		if err := decode([]byte(text), new(document)); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	if got := decoded(t, `{"State":null,"Config":null,"HostConfig":null}`); cmp.Diff(&evidence.Container{}, got) != "" {
		t.Errorf("from nothing: %+v", got)
	}
}

func TestClip(t *testing.T) {
	if got := clip("aé", 2); got != "a" {
		t.Errorf("cut within a character: %q", got)
	}
	many := strings.Repeat(`"x",`, 5000) + `"` + strings.Repeat("y", 100000) + `"`
	got := decoded(t, `{"Config":{"Cmd":[`+many+`],"Entrypoint":["`+strings.Repeat("z", 100000)+`"]}}`)
	if len(got.Cmd) != maxWords || len(got.Entrypoint[0]) != maxText {
		t.Errorf("kept %d words, %d bytes", len(got.Cmd), len(got.Entrypoint[0]))
	}
}

// Whatever a file says, the evidence is bounded and can be written as JSON.
func FuzzDecodeConfig(f *testing.F) {
	f.Add([]byte(`{"ID":"aa","Name":"/web","State":{"Running":true,"Pid":42,"StartedAt":"2026-01-01T00:00:00Z"},"Config":{"Env":["TINI_SUBREAPER=1"],"Cmd":["a"]}}`))
	f.Add([]byte(`{"State":{"Health":{"Status":"none"}},"HostConfig":{"Init":null}}`))
	f.Add([]byte(`{"Config":{"Entrypoint":"x","StopTimeout":1e99}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var d document
		if decode(b, &d) != nil {
			return
		}
		c := d.container()
		if len(c.Cmd) > maxWords || len(c.StopSignal) > 64 || c.PID < 0 || c.Status == "" && d.State.value != nil {
			t.Errorf("%+v", c)
		}
		for name := range c.Env {
			if !strings.HasPrefix(name, "TINI_") && !strings.HasPrefix(name, "S6_") && !strings.HasPrefix(name, "DUMB_") {
				t.Errorf("kept the variable %q", name)
			}
		}
		if !utf8.ValidString(c.Name) {
			t.Errorf("name %q", c.Name)
		}
		if _, err := json.Marshal(c); err != nil {
			t.Error(err)
		}
	})
}

func FuzzParseState(f *testing.F) {
	f.Add([]byte(`{"id":"x","init_process_pid":42,"init_process_start":123456,"cgroup_paths":{"":"/sys"}}`))
	f.Add([]byte(`{"init_process_pid":"42"}`))
	f.Add([]byte(`{"init_process_pid":1,"init_process_start":-1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, ok := parseState(b); ok && s.PID <= 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestGroupPath(t *testing.T) {
	for want, dirs := range map[string]map[string]string{
		"/docker/x":                    {"": "/sys/fs/cgroup/docker/x"},
		"/system.slice/docker-x.scope": {"memory": "/sys/fs/cgroup/memory/system.slice/docker-x.scope", "cpu": "/sys/fs/cgroup/cpu,cpuacct/a"},
		"/docker/y":                    {"": "/elsewhere/docker/x", "freezer": "/sys/fs/cgroup/freezer/docker/y"},
		"/x":                           {"freezer": "/sys/fs/cgroup/freezer/../x"},
		"/docker/z":                    {"": "/sys/fs/cgroup/unified/docker/z"},
		"":                             {"cpu": "/sys/fs/cgroup/cpu/docker/x"},
	} {
		if got := groupPath(dirs); got != want {
			t.Errorf("%v: %q, want %q", dirs, got, want)
		}
	}
}

func TestParseState(t *testing.T) {
	s, ok := parseState([]byte(`{"id":"x","init_process_pid":42,"init_process_start":123456}`))
	if !ok || s != (runtimeState{PID: 42, Start: 123456}) {
		t.Errorf("%+v, %v", s, ok)
	}
	if s, ok := parseState([]byte(`{"init_process_pid":42,"cgroup_paths":{"":"/sys/fs/cgroup/docker/x"}}`)); !ok || s.cgroup != "/docker/x" {
		t.Errorf("%+v, %v", s, ok)
	}
	for _, text := range []string{``, `{}`, `{"init_process_pid":0}`, `{"init_process_pid":"x"}`, `[]`} {
		if s, ok := parseState([]byte(text)); ok {
			t.Errorf("%q gives %+v", text, s)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 99 1 1"))
	f.Add([]byte("7 (x) S"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, ok := parseStat(b); ok && (p.pid < 0 || p.ppid < 0) {
			t.Errorf("%+v", p)
		}
	})
}

func TestHistoryEvents(t *testing.T) {
	at := time.Unix(5, 0)
	var got []evidence.Event
	for _, e := range [][2]string{{"kill", "15"}, {"kill", "TERM"}, {"exec_start: sh -c secret", ""}, {"exec_die", ""}, {"health_status: healthy", ""}, {"kill", "-1"}, {"kill", "9999"}, {"die", ""}} {
		got = appendEvent(got, at, e[0], e[1])
	}
	want := []evidence.Event{
		{At: at.UTC(), Action: "kill", Signal: 15}, {At: at.UTC(), Action: "kill", Signal: 15}, {At: at.UTC(), Action: "health_status"},
		{At: at.UTC(), Action: "kill"}, {At: at.UTC(), Action: "kill"}, {At: at.UTC(), Action: "die"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
