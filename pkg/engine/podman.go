package engine

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Podman keeps nothing in memory: its service may end at any time, and every
// podman command works without it. All of it lies below two directories, its graph
// root and its run root, which take the places of dockerd's data and exec root.

// podmanConfigs are where root's Podman finds its storage.conf, the one that wins
// first.
var podmanConfigs = []string{"/etc/containers/storage.conf", "/usr/share/containers/storage.conf"}

// podmanUser is whose Podman it is, and what the surroundings say of its
// directories.
type podmanUser struct {
	uid    int
	home   string
	conf   string // CONTAINERS_STORAGE_CONF
	config string // XDG_CONFIG_HOME, or what takes its place
	data   string // XDG_DATA_HOME
	run    string // XDG_RUNTIME_DIR
}

// userOf reads a user's surroundings. Root's Podman goes by none of the XDG
// variables.
func userOf(uid int, env map[string]string) podmanUser {
	u := podmanUser{uid: uid, home: env["HOME"], conf: env["CONTAINERS_STORAGE_CONF"], run: "/run"}
	if uid == 0 {
		return u
	}
	below := func(variable, fallback string) string {
		if env[variable] != "" || u.home == "" {
			return env[variable]
		}
		return filepath.Join(u.home, fallback)
	}
	u.config, u.data = below("XDG_CONFIG_HOME", ".config"), below("XDG_DATA_HOME", ".local/share")
	u.run = firstOf(env["XDG_RUNTIME_DIR"], filepath.Join("/run/user", strconv.Itoa(uid)))
	return u
}

// podmanOf is where a running Podman keeps its containers, nil for what cannot be
// read.
func podmanOf(proc string, pid int) *home {
	argv := commandLine(proc, pid)
	if argv == nil {
		return nil
	}
	h := &home{pid: pid}
	var err error
	if h.fs, err = treeOf(proc, pid); err != nil {
		return nil
	}
	h.configurePodman(argv, userOf(ownerOf(proc, pid), environOf(proc, pid)))
	return h
}

// configurePodman finds the directories as Podman does: its flags, then
// storage.conf, then the usual places (containers/storage, types/options.go).
func (h *home) configurePodman(argv []string, u podmanUser) {
	h.podman, h.rootless, h.runtimes = true, u.uid != 0, u.run
	graph, run := "/var/lib/containers/storage", "/run/containers/storage"
	confs := podmanConfigs
	if h.rootless {
		graph, run = "", filepath.Join(u.run, "containers")
		if u.data != "" {
			graph = filepath.Join(u.data, "containers/storage")
		}
		confs = nil
		if u.config != "" {
			confs = []string{filepath.Join(u.config, "containers/storage.conf")}
		}
		if path := h.rootlessPath(u); path != "" {
			graph = path
		}
	}
	if u.conf != "" {
		confs = []string{u.conf}
	}
	conf := h.firstConf(confs)
	h.data = absolute(flagValue(argv, "root"), tomlValue(conf, "graphroot"), graph)
	h.exec = absolute(flagValue(argv, "runroot"), tomlValue(conf, "runroot"), run)
	h.fs.owner = u.uid // from here on: the administrator's configuration is root's
}

// rootlessPath is what the administrator's storage.conf says for all users; "":
// nothing, or something that only Podman itself can expand.
func (h *home) rootlessPath(u podmanUser) string {
	path := tomlValue(h.firstConf(podmanConfigs), "rootless_storage_path")
	known := true
	path = os.Expand(path, func(name string) string {
		switch name {
		case "HOME":
			known = known && u.home != ""
			return u.home
		case "UID":
			return strconv.Itoa(u.uid)
		}
		known = false
		return ""
	})
	if !known {
		return ""
	}
	return path
}

func (h *home) firstConf(files []string) string {
	for _, f := range files {
		if b, err := h.fs.read(f, maxConfig); err == nil {
			return string(b)
		}
	}
	return ""
}

// tomlValue finds `key = "value"` in a file that has the key once, "" where it has
// not.
func tomlValue(text, key string) string {
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.TrimSpace(name) != key {
			continue
		}
		if _, value, ok = strings.Cut(value, `"`); !ok {
			return ""
		}
		value, _, _ = strings.Cut(value, `"`) // a remark may follow
		return value
	}
	return ""
}

// ownsConmon reports whether a conmon keeps a container of this Podman, by its
// bundle, GRAPHROOT/overlay-containers/ID/userdata, and by its user: anybody may
// call a program so, and give it any arguments.
func (h *home) ownsConmon(s shim) answer {
	switch {
	case h == nil || !h.podman || h.data == "" || s.bundle == "":
		return unknown
	case s.user == h.fs.owner && strings.HasPrefix(s.bundle, filepath.Clean(h.data)+"/"):
		return yes
	}
	return no
}
