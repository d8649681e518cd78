package engine

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestTomlValue(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "",
		"[storage]\ngraphroot = \"/srv\"\n": "/srv",
		"#graphroot = \"/no\"\n  graphroot=\"/srv\" # \"why\"\n": "/srv",
		"graphroot = 5\n":             "",
		"graphroot_mode = \"/no\"\n":  "",
		"rootless = \"/graphroot\"\n": "",
	} {
		if got := tomlValue(text, "graphroot"); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// The flags win over storage.conf, and that over the usual places.
func TestConfigurePodman(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "c/containers/storage.conf"), "[storage]\ngraphroot = \"/conf/graph\"\n")
	put(t, filepath.Join(dir, "other.conf"), "graphroot = \"/other\"\nrunroot = \"/otherrun\"\n")
	service := []string{"podman", "system", "service"}
	flags := []string{"podman", "--root", "/flag", "--runroot=/flagrun", "system", "service"}
	env := func(pairs ...string) map[string]string {
		out := map[string]string{"HOME": dir}
		for i := 0; i < len(pairs); i += 2 {
			out[pairs[i]] = pairs[i+1]
		}
		return out
	}
	for name, c := range map[string]struct {
		argv                 []string
		uid                  int
		env                  map[string]string
		data, exec, runtimes string
	}{
		"flags":             {flags, 0, env(), "/flag", "/flagrun", "/run"},
		"a user, bare":      {service, 77, env(), dir + "/.local/share/containers/storage", "/run/user/77/containers", "/run/user/77"},
		"a user's conf":     {service, 77, env("XDG_CONFIG_HOME", dir+"/c", "XDG_RUNTIME_DIR", "/r"), "/conf/graph", "/r/containers", "/r"},
		"a user's data":     {service, 77, env("XDG_DATA_HOME", "/d"), "/d/containers/storage", "/run/user/77/containers", "/run/user/77"},
		"the variable":      {service, 77, env("XDG_CONFIG_HOME", dir+"/c", "CONTAINERS_STORAGE_CONF", dir+"/other.conf"), "/other", "/otherrun", "/run/user/77"},
		"no home":           {service, 77, nil, "", "/run/user/77/containers", "/run/user/77"},
		"root, no XDG":      {flags, 0, env("XDG_RUNTIME_DIR", "/r"), "/flag", "/flagrun", "/run"},
		"a relative --root": {[]string{"podman", "--root", "x"}, 77, env(), "", "/run/user/77/containers", "/run/user/77"},
	} {
		h := &home{}
		h.configurePodman(c.argv, userOf(c.uid, c.env))
		if h.data != c.data || h.exec != c.exec || h.runtimes != c.runtimes || !h.podman || h.rootless != (c.uid != 0) {
			t.Errorf("%s: %+v", name, h)
		}
	}
}

// Only a default socket tells whose dead Podman it was.
func TestSocketUser(t *testing.T) {
	e := &Engine{opt: Options{Getenv: func(string) string { return "" }}}
	for path, uid := range map[string]int{
		"/run/podman/podman.sock": 0, "/var/run/podman/podman.sock": 0, "/run/user/65534/podman/podman.sock": 65534,
		"/run/user/0/podman/podman.sock": -1, "/run/user/x/podman/podman.sock": -1, "/tmp/podman/podman.sock": -1,
		"/run/podman.sock": -1, "/run/docker.sock": -1, "65534/podman/podman.sock": -1,
	} {
		u, ok := e.socketUser(path)
		if ok != (uid >= 0) || ok && u.uid != uid {
			t.Errorf("%s: %+v %v", path, u, ok)
		}
	}
}

// store is a Podman's two roots below a directory, with containers.
type store struct {
	t         *testing.T
	dir, list string
}

func (s *store) add(id, name, metadata, spec string, pid int) {
	s.t.Helper()
	if s.list != "" {
		s.list += ","
	}
	s.list += fmt.Sprintf(`{"id":%q,"names":[%q],"metadata":%s}`, id, name, strconv.Quote(metadata))
	put(s.t, s.dir+"/data/overlay-containers/containers.json", "["+s.list+"]")
	if spec != "" {
		put(s.t, s.dir+"/data/overlay-containers/"+id+"/userdata/config.json", spec)
	}
	if pid != 0 {
		put(s.t, s.dir+"/exec/overlay-containers/"+id+"/userdata/pidfile", strconv.Itoa(pid))
	}
}

func (s *store) record(id string, pid int, start uint64) {
	put(s.t, s.dir+"/run/runc/"+id+"/state.json", fmt.Sprintf(`{"init_process_pid":%d,"init_process_start":%d}`, pid, start))
}

// The containers of a Podman are in plain files, all but what its database has.
func TestPodmanFiles(t *testing.T) {
	s := &store{t: t, dir: t.TempDir()}
	mine := os.Getpid()
	spec := `{"process":{"terminal":true,"user":{"uid":33},"args":["/app","-x"],"env":["TINI_SUBREAPER=1","SECRET=x"]},
		"annotations":{"org.opencontainers.image.stopSignal":"10","io.podman.annotations.init":"TRUE","io.podman.annotations.autoremove":"TRUE"},
		"linux":{"namespaces":[{"type":"pid"},{"type":"mount"}]}}`
	s.add(id("a1"), "web", `{"image-name":"shop:1","name":"web"}`, spec, mine)
	s.record(id("a1"), mine, 77)
	s.add(id("a2"), "new", `{"image-name":"shop:1","name":"old"}`, "", 0)
	s.add(id("a3"), "done", `{"name":"done"}`, `{"annotations":{},"linux":{}}`, mine) // its number was given away
	s.add(id("a4"), "alpine-working-container", ``, "", 0)                            // Buildah's
	s.add(id("a5"), "crun", `{"name":"crun"}`, spec, mine)
	put(t, s.dir+"/run/crun/"+id("a5")+"/status", fmt.Sprintf(`{"pid":%d,"process-start-time":5}`, mine))
	s.record(id("a3"), mine+1, 5) // not the PID on file
	h := &home{podman: true, data: s.dir + "/data", exec: s.dir + "/exec", runtimes: s.dir + "/run"}
	list, err := h.list(t.Context(), "/proc")
	if err != nil || len(list) != 4 {
		t.Fatalf("%d, %v: %+v", len(list), err, list)
	}
	web := list[0].known
	if web.Name != "web" || web.Image != "shop:1" || web.PID != mine || web.Status != "running" || web.StopSignal != "10" || web.StopTimeout != nil ||
		web.User != "33" || !web.Tty || !web.AutoRemove || web.Init == nil || !*web.Init || web.PidMode != "" || len(web.Env) != 1 || strings.Join(web.Cmd, " ") != "/app -x" {
		t.Errorf("%+v", web)
	}
	for i, want := range []string{"running web", "created new", "exited done", "running crun"} {
		if got := list[i].known; got.Status+" "+got.Name != want || (got.PID != 0) != strings.HasPrefix(want, "running") {
			t.Errorf("%d: %s %s %d, want %s", i, got.Status, got.Name, got.PID, want)
		}
	}
	if list[2].known.PidMode != "host" {
		t.Errorf("no PID namespace of its own: %q", list[2].known.PidMode)
	}
	if r := h.record(id("a1")); r.PID != mine || r.Start != 77 {
		t.Errorf("runc's record: %+v", r)
	}
	if r := h.record(id("a5")); r.PID != mine || r.Start != 5 {
		t.Errorf("crun's record: %+v", r)
	}
	if r := h.record(id("a3")); r.PID != 0 {
		t.Errorf("a record with another PID: %+v", r)
	}
	if c := h.podmanFile(t.Context(), "/proc", id("a1")); c == nil || c.Name != "web" {
		t.Errorf("one of them: %+v", c)
	}
}

// Without the run root nothing says which containers run.
func TestPodmanFilesMissing(t *testing.T) {
	s := &store{t: t, dir: t.TempDir()}
	s.add(id("a1"), "web", `{"name":"web"}`, "", 0)
	h := &home{podman: true, data: s.dir + "/data"}
	if _, err := h.list(t.Context(), "/proc"); err != errNoRunRoot {
		t.Errorf("without a run root: %v", err)
	}
	h.exec = s.dir + "/exec"
	put(t, s.dir+"/data/overlay-containers/containers.json", `[{"id":`)
	if _, err := h.list(t.Context(), "/proc"); err == nil {
		t.Error("half a file was taken for all")
	}
	h.data = s.dir + "/exec"
	if _, err := h.list(t.Context(), "/proc"); err == nil {
		t.Error("a directory without containers was taken for an engine's")
	}
}

// A directory that the user names is Podman's where it looks like one.
func TestNamedPodman(t *testing.T) {
	s := &store{t: t, dir: t.TempDir()}
	s.add(id("a1"), "web", `{"name":"web"}`, "", 0)
	for dir, want := range map[string]bool{s.dir + "/data": true, s.dir: false, "/nonexistent": false} {
		e := &Engine{opt: Options{DataRoot: dir, ProcRoot: "/proc"}}
		if h := e.orderedHome(nil); h.podman != want {
			t.Errorf("%s: %+v", dir, h)
		}
	}
}

// The run root of which nothing is known is where a conmon of the store writes.
func TestLearnFromConmons(t *testing.T) {
	s := &store{t: t, dir: t.TempDir()}
	s.add(id("a1"), "web", `{"name":"web"}`, "{}", 0)
	keeper := func(id, data, run string) shim {
		return shim{id: id, owner: "Podman or CRI-O", bundle: data + "/overlay-containers/" + id + "/userdata", pidFile: run + "/overlay-containers/" + id + "/userdata/pidfile"}
	}
	none := []string{}
	for name, c := range map[string]struct {
		keeper shim
		want   string
	}{
		"its own":           {keeper(id("a1"), s.dir+"/data", "/run/x"), "/run/x"},
		"another store's":   {keeper(id("a1"), "/elsewhere", "/run/x"), ""},
		"one that is gone":  {keeper(id("b1"), s.dir+"/data", "/run/x"), ""},
		"another container": {shim{id: id("a1"), bundle: s.dir + "/data/overlay-containers/x/userdata", pidFile: "/run/x/overlay-containers/other/userdata/pidfile"}, ""},
	} {
		h := &home{podman: true, data: s.dir + "/data"}
		h.learnFromConmons([]shim{c.keeper}, &none, t.TempDir())
		if h.exec != c.want {
			t.Errorf("%s: %q, want %q", name, h.exec, c.want)
		}
	}
}

// Who names no engine and has no Docker is told of Podman's socket; who names one
// is not.
func TestPodmanHint(t *testing.T) {
	dir := shortDir(t)
	path := filepath.Join(dir, "podman/podman.sock")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"XDG_RUNTIME_DIR": dir}
	open := func(trouble, host string) string {
		e, err := Open(t.Context(), Options{Host: host, HomeDir: dir, Getenv: func(name string) string { return env[name] }})
		if err != nil {
			t.Fatal(err)
		}
		e.setTrouble(trouble)
		return e.unreachable(os.ErrNotExist, "").Message
	}
	hint := "Podman's socket is at " + path + ": export DOCKER_HOST=unix://" + path
	put(t, path, "a file is no socket")
	if text := open(troubleGone, ""); strings.Contains(text, hint) {
		t.Errorf("a file was taken for a socket: %s", text)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for trouble, want := range map[string]bool{troubleGone: true, troubleRefused: true, troubleTimeout: false, troubleDenied: false} {
		if text := open(trouble, ""); strings.Contains(text, hint) != want {
			t.Errorf("%s: %s", trouble, text)
		}
		if text := open(trouble, "unix:///run/docker.sock"); strings.Contains(text, hint) {
			t.Errorf("%s, with -H: %s", trouble, text)
		}
	}
}

// Below a conmon podman itself may be at work, to book the end of a container: it is
// no process of that.
func TestKept(t *testing.T) {
	proc := t.TempDir()
	put(t, proc+"/12/status", "Name:\tpodman\nNSpid:\t12\t1\n") // Podman in a container
	put(t, proc+"/13/status", "Name:\tpodman\nNSpid:\t13\n")
	s := &survey{e: &Engine{opt: Options{ProcRoot: proc}}, procs: processes{
		{pid: 10, comm: "conmon"}, {pid: 11, ppid: 10, comm: "app"}, {pid: 12, ppid: 10, comm: podmanComm}, {pid: 13, ppid: 10, comm: podmanComm}}}
	if got := fmt.Sprint(s.kept(shim{pid: 10, bundle: "/b"}), s.kept(shim{pid: 10})); got != "[11 12] [11 12 13]" {
		t.Error(got)
	}
}

// A stop of Podman's is told once, and again when the container is stopped anew.
func TestNewStops(t *testing.T) {
	var told []string
	each := func(e Event) { told = append(told, e.Action+" "+e.Name) }
	web, db := listed{id: id("a1"), names: []string{"/web"}, status: "stopping"}, listed{id: id("a2"), names: []string{"/db"}, status: "running"}
	known := newStops([]listed{web, db}, nil, time.Now(), each)
	known = newStops([]listed{web, db}, known, time.Now(), each)
	web.status = "exited"
	known = newStops([]listed{web, db}, known, time.Now(), each)
	web.status, db.status = "stopping", "stopping"
	newStops([]listed{web, db}, known, time.Now(), each)
	if got := strings.Join(told, ", "); got != "stopping web, stopping web, stopping db" {
		t.Error(got)
	}
}
