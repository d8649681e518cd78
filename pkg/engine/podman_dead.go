package engine

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

const podmanUnit = "podman.service"

// isPodmanSocket: it is named as Podman's is, whoever made it.
func isPodmanSocket(path string) bool { return filepath.Base(path) == "podman.sock" }

// socket is the endpoint's socket, or where a link at its place leads: the package
// podman-docker makes /run/docker.sock one to Podman's.
func (e *Engine) socket() string {
	if to, err := os.Readlink(e.at.socket); err == nil && filepath.IsAbs(to) {
		return to
	}
	return e.at.socket
}

// socketUser is the user whose Podman listens at a socket by default: root's is
// /run/podman/podman.sock, a user's /run/user/UID/podman/podman.sock. false for
// another socket: whose it is, nothing proves.
func (e *Engine) socketUser(path string) (podmanUser, bool) {
	path = strings.TrimPrefix(path, "/var")
	if path == "/run/podman/podman.sock" {
		return userOf(0, nil), true
	}
	run, ok := strings.CutSuffix(path, "/podman/podman.sock")
	if !ok {
		return podmanUser{}, false
	}
	if own := os.Getuid(); own != 0 && run == e.opt.Getenv("XDG_RUNTIME_DIR") {
		return e.ownUser(own), true
	}
	uid, ok := number(strings.TrimPrefix(run, "/run/user/"))
	if !ok || run == strconv.Itoa(uid) || uid == 0 {
		return podmanUser{}, false
	}
	if uid == os.Getuid() {
		return e.ownUser(uid), true
	}
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return podmanUser{}, false
	}
	return userOf(uid, map[string]string{"HOME": u.HomeDir, "XDG_RUNTIME_DIR": run}), true
}

// podmanHint names Podman's socket to somebody who named no engine, where there is
// no Docker: it is not asked unbidden, because its containers are others.
func (e *Engine) podmanHint() string {
	var dirs []string
	if run := e.opt.Getenv("XDG_RUNTIME_DIR"); run != "" {
		dirs = append(dirs, run)
	}
	for _, dir := range append(dirs, "/run") {
		path := filepath.Join(dir, "podman/podman.sock")
		if st, err := os.Stat(path); err == nil && st.Mode()&os.ModeSocket != 0 {
			return fmt.Sprintf("; Podman's socket is at %s: export DOCKER_HOST=unix://%s", clip(path, 256), clip(path, 256))
		}
	}
	return ""
}

// ownUser is whoever runs this program.
func (e *Engine) ownUser(uid int) podmanUser {
	env := map[string]string{"HOME": e.opt.HomeDir}
	for _, name := range []string{"CONTAINERS_STORAGE_CONF", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"} {
		env[name] = e.opt.Getenv(name)
	}
	return userOf(uid, env)
}

// deadPodman is the home of a Podman whose service does not run; nil for a socket
// that is not the default one of anybody.
func (e *Engine) deadPodman() *home {
	u, ok := e.socketUser(e.socket())
	if !ok {
		return nil
	}
	dirs := unitDirs
	if u.uid != 0 {
		dirs = []string{filepath.Join(u.config, "systemd/user"), "/etc/systemd/user", "/usr/lib/systemd/user"}
	}
	h := &home{}
	h.configurePodman(unitCommand(dirs, podmanUnit), u)
	return h
}

// namedPodman makes h a Podman's where the directory that the user has named is
// one of its roots: they look like no dockerd's.
func (h *home) namedPodman() {
	if h.podman || !h.fs.exists(filepath.Join(h.data, "libpod")) && len(h.podmanDirs()) == 0 {
		return
	}
	uid := fileOwner(h.data)
	h.podman, h.rootless, h.runtimes, h.fs.owner = true, uid != 0, userOf(uid, nil).run, uid
	h.besideRunRoot()
}

// besideRunRoot: a user's run root is XDG_RUNTIME_DIR/containers by default, and
// the runtime keeps its state beside it.
func (h *home) besideRunRoot() {
	if dir, ok := strings.CutSuffix(h.exec, "/containers"); ok && h.rootless {
		h.runtimes = dir
	}
}

// learnFromConmons finds the run root of a Podman of which only the graph root is
// known, by a conmon that keeps one of its containers: it is told to write
// RUNROOT/overlay-containers/ID/userdata/pidfile.
func (h *home) learnFromConmons(keepers []shim, inside *[]string, proc string) {
	if h.exec != "" {
		return
	}
	for _, s := range keepers {
		if h.ownsConmon(s) != yes || !h.keeps(s.id) || !genuine(proc, s, inside) {
			continue
		}
		if dir, ok := strings.CutSuffix(s.pidFile, filepath.Join("/", s.id, "userdata/pidfile")); ok {
			h.exec = filepath.Dir(dir)
			h.besideRunRoot()
			return
		}
	}
}
