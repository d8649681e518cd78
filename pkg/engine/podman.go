package engine

import (
	"os"
	"path/filepath"
	"strings"
)

// podmanHome says where the Podman behind the socket keeps its containers: data
// is its graph root, exec its run root. nil where it is not Podman, not on this
// host, or a user's own, which keeps them elsewhere.
func (e *Engine) podmanHome() *home {
	pid := e.enginePID(thorough)
	if pid == 0 || !strings.HasPrefix(commOf(e.opt.ProcRoot, pid), "podman") || !ownedByRoot(e.opt.ProcRoot, pid) {
		return nil
	}
	b, err := os.ReadFile(procPath(e.opt.ProcRoot, pid, "cmdline"))
	if err != nil || len(b) == 0 {
		return nil
	}
	argv := strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
	h := &home{pid: pid, podman: true}
	if h.fs, err = treeOf(e.opt.ProcRoot, pid); err != nil {
		return nil
	}
	graph, run := "/var/lib/containers/storage", "/run/containers/storage"
	if conf, err := h.fs.read("/etc/containers/storage.conf", maxConfig); err == nil {
		graph = firstOf(tomlValue(string(conf), "graphroot"), graph)
		run = firstOf(tomlValue(string(conf), "runroot"), run)
	}
	h.data = absolute(e.opt.DataRoot, flagValue(argv, "root"), graph)
	h.exec = absolute(e.opt.ExecRoot, flagValue(argv, "runroot"), run)
	return h
}

// tomlValue finds `key = "value"` in a file that has the key once, "" where it has
// not.
func tomlValue(text, key string) string {
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && strings.TrimSpace(name) == key {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return ""
}

// ownsConmon reports whether a conmon keeps a container of this Podman, by its
// bundle: GRAPHROOT/overlay-containers/ID/userdata.
func (h *home) ownsConmon(bundle string) answer {
	switch {
	case h == nil || !h.podman || bundle == "":
		return unknown
	case strings.HasPrefix(bundle, filepath.Clean(h.data)+"/"):
		return yes
	}
	return no
}
