package evidence

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func TestRedactSample(t *testing.T) {
	s := sample()
	Redact(s)
	if !s.Redacted {
		t.Error("the snapshot does not say that it is redacted")
	}
	var buf bytes.Buffer
	if err := Write(&buf, s); err != nil {
		t.Fatal(err)
	}
	if i := strings.Index(buf.String(), "acme"); i >= 0 {
		t.Errorf("a secret is left: ...%s", buf.String()[max(0, i-80):i+20])
	}
	p := s.Targets[0].Processes[0]
	if p.Program.Display != "entry.sh" {
		t.Errorf("display is %q, want the base name", p.Program.Display)
	}
	trap := p.Inside.Bash.Traps["SIGTERM"]
	if !trap.Exits || trap.Code == nil || *trap.Code != 3 {
		t.Error("the facts of a trap went with its text")
	}
	if p.Kernel.Handlers["SIGTERM"].Symbol != "trap_handler" {
		t.Error("the handler's symbol is gone")
	}
	env := s.Targets[0].Container.Env
	if len(env) != 2 || env["S6_KILL_GRACETIME"] != "3000" {
		t.Errorf("environment is %v, want the numbers that rules use and that TINI_SUBREAPER is set", env)
	}
}

func TestMasks(t *testing.T) {
	id := strings.Repeat("0f", 32)
	tests := []struct {
		name, in, want string
		mask           func(string) string
	}{
		{"own cgroup", "/docker/" + id, "/docker/" + id, maskCgroup},
		{"systemd cgroup", "/system.slice/docker-" + id + ".scope", "/system.slice/docker-" + id + ".scope", maskCgroup},
		{"named cgroup", "/acme/" + id + "/x", "/*/" + id + "/*", maskCgroup},
		{"no cgroup", "", "", maskCgroup},
		{"stack", "/proc/1/task/2/stack", "/proc/1/task/2/stack", maskGap},
		{"a file of the container", "/proc/1/root/srv/x", "/proc/1/(path)", maskGap},
		{"not proc", "/var/lib/docker/x", "(path)", maskGap},
		{"odd proc", "/proc/1/fd/a b", "/proc/1/fd/(path)", maskGap},
		{"words", "docker inspect", "docker inspect", maskGap},
		{"pipe", "pipe:[12]", "pipe:[12]", maskLink},
		{"false pipe", "pipe:[a]", "(path)", maskLink},
		{"file", "/srv/x", "(path)", maskLink},
		{"deleted", "/x (deleted)", "(path)", maskLink},
		{"terminal", "/dev/pts/0", "/dev/pts/0", maskLink},
		{"default socket", "unix:///var/run/docker.sock", "unix:///var/run/docker.sock", maskEndpoint},
		{"home socket", "unix:///home/ann/docker.sock", "unix://(path)", maskEndpoint},
		{"host", "tcp://build.example:2376", "tcp://(path)", maskEndpoint},
		{"odd endpoint", "/x/y", "(path)", maskEndpoint},
		{"profile name", "apparmor=docker-default", "apparmor=docker-default", maskSecurityOpt},
		{"label", "label:disable", "label:disable", maskSecurityOpt},
		{"bare", "no-new-privileges", "no-new-privileges", maskSecurityOpt},
		{"inline profile", `seccomp={"a":1}`, "seccomp=(path)", maskSecurityOpt},
		{"odd option", "a b=c", "(path)", maskSecurityOpt},
		{"odd bare", "a b", "(path)", maskSecurityOpt},
		{"quoted path", `exec: "/a/b": no`, "exec: (path) no", maskPaths},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.mask(tt.in); got != tt.want {
				t.Errorf("%q becomes %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

// mayStay are the text fields that keep what they hold: names that the reader
// needs, words of the kernel and of the engine. A new field of text must either
// be redacted or be put here on purpose.
var mayStay = map[string]bool{
	"Snapshot.Format": true, "Snapshot.Version": true, "Host.Kernel": true, "Host.Arch": true, "Host.Cgroup": true, "Host.Sources": true,
	"Engine.Name": true, "Engine.Version": true, "Engine.APIVersion": true, "Engine.Trouble": true, "TargetError.Target": true,
	"Target.Asked": true, "Target.Kind": true,
	"Container.ID": true, "Container.Name": true, "Container.Image": true, "Container.Status": true, "Container.Source": true,
	"Container.StopSignal": true, "Container.PidMode": true, "Container.RestartPolicy": true, "Container.Runtime": true,
	"Container.LogDriver": true, "Container.LogMode": true, "LogPath.ReaderComm": true, "LogPath.ReaderState": true, "Container.User": true, "Container.CapAdd": true, "Container.CapDrop": true, "Container.AppArmor": true,
	"Container.Health": true, "Container.ExecIDs": true, "Container.Project": true, "Container.Service": true,
	"Container.InspectTrouble": true, "Remain.Kind": true, "BashInside.Running": true,
	"Cgroup.Freezer": true, "Event.Action": true, "Gap.Kind": true,
	"Process.Comm": true, "Process.State": true, "Process.TracerComm": true, "Process.TracerState": true, "Process.TracerCall": true, "Task.Comm": true, "Task.State": true, "Task.Wchan": true,
	"Task.Stack": true, "Syscall.Name": true, "SecondLook.State": true, "SignalFD.How": true,
	"Program.ID": true, "Program.By": true, "Program.Display": true, // its base name
	"Handler.Symbol": true, "GoInside.Version": true,
	"Part.Role": true, "Part.Trouble": true,
	"OtherTask.Comm": true, "OtherTask.State": true, "OtherTask.Wchan": true, "OtherTask.Stack": true, "OtherTask.Container": true, "OtherTask.Name": true,
	"MountUser.Container": true, "MountUser.Name": true, "MountUser.Comm": true,
	"HungLine.Comm": true, "HungLine.OwnerComm": true, "HungLine.Lock": true,
	"BlockDevice.Number": true, "BlockDevice.Name": true, "BlockDevice.Disk": true, "BlockDevice.Holders": true, "BlockDevice.Slaves": true,
	"BlockDevice.State": true, "IOLimit.Kind": true,
	"Security.LSMs": true, "Security.Foreign": true, "Security.BPF": true,
	"Denial.By": true, "Denial.Operation": true, "Denial.Comm": true, "Denial.Label": true, "Denial.Peer": true, "Denial.Signal": true, "Denial.Errno": true,
	"Sender.Role": true, "Sender.Comm": true, "Credentials.Label": true,
	"RemovalMount.FSType": true, "HeldFile.Kind": true,
	"About.FSType": true, "About.Device": true, "About.Under": true, "About.Via": true, "FUSEConn.ServerComm": true, "FUSEConn.ServerState": true,
}

const planted = "/srv/acme secret"

func TestRedactLeavesNoTextFieldUnconsidered(t *testing.T) {
	var s Snapshot
	plant(reflect.ValueOf(&s).Elem())
	Redact(&s)
	kept := map[string]bool{}
	find(reflect.ValueOf(&s).Elem(), "", kept)
	for field := range kept {
		if !mayStay[field] {
			t.Errorf("%s keeps its text when redacted", field)
		}
	}
	for field := range mayStay {
		if !kept[field] {
			t.Errorf("%s is listed as kept and is not", field)
		}
	}
}

// plant fills everything that can hold text, to any depth.
func plant(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(planted)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		plant(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		plant(v.Index(0))
	case reflect.Map:
		e := reflect.New(v.Type().Elem()).Elem()
		plant(e)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("k"), e)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				plant(v.Field(i))
			}
		}
	}
}

func find(v reflect.Value, field string, kept map[string]bool) {
	switch v.Kind() {
	case reflect.String:
		if strings.Contains(v.String(), "acme") || strings.Contains(v.String(), "secret") && v.String() != "(path) secret" {
			kept[field] = true
		}
	case reflect.Pointer:
		if !v.IsNil() {
			find(v.Elem(), field, kept)
		}
	case reflect.Slice:
		for i := range v.Len() {
			find(v.Index(i), field, kept)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			find(v.MapIndex(k), field, kept)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				find(v.Field(i), v.Type().Name()+"."+f.Name, kept)
			}
		}
	}
}

// A file's name has spaces and colons as the container likes; the kernel's word stays.
func TestRedactRemovalError(t *testing.T) {
	c := &Container{Error: `driver "overlay2" failed to remove root filesystem: unlinkat /d/diff/acme: our customers: operation not permitted`}
	redactContainer(c)
	if want := `driver "overlay2" failed to remove root filesystem: unlinkat (path): operation not permitted`; c.Error != want {
		t.Error(c.Error)
	}
}
