package engine

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// unitDirs are where systemd finds its units, the one that wins first.
var unitDirs = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

const dockerUnit = "docker.service"

// unitCommand is the command line by which systemd would start a packaged
// engine, nil where there is no such unit. Of an engine that does not run it is all
// that is left of its flags.
func unitCommand(dirs []string, unit string) []string {
	var text strings.Builder
	for _, dir := range dirs {
		if b, err := (tree{}).read(filepath.Join(dir, unit), maxConfig); err == nil {
			text.Write(b)
			text.WriteByte('\n')
			break
		}
	}
	// Drop-ins of all directories count, in the order of their names.
	dropIns := map[string]string{}
	for _, dir := range slices.Backward(dirs) {
		files, _ := filepath.Glob(filepath.Join(dir, unit+".d", "*.conf"))
		for _, f := range files {
			dropIns[filepath.Base(f)] = f
		}
	}
	names := make([]string, 0, len(dropIns))
	for n := range dropIns {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		if b, err := (tree{}).read(dropIns[n], maxConfig); err == nil {
			text.Write(b)
			text.WriteByte('\n')
		}
	}
	return execStart(text.String())
}

// execStart is the last ExecStart of a unit; an empty one takes back what stood
// before. Variables (dockerd's usual $DOCKER_OPTS) are left out: their values are
// not known.
func execStart(unit string) []string {
	var argv []string
	unit = strings.ReplaceAll(unit, "\\\n", " ")
	for line := range strings.Lines(unit) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "ExecStart=")
		if !ok {
			continue
		}
		argv = nil
		for _, word := range strings.Fields(rest) {
			if word = strings.Trim(word, `"'`); !strings.HasPrefix(word, "$") {
				argv = append(argv, word)
			}
		}
	}
	return argv
}

// learnFromShims finds the run-time directory of an engine that does not run by
// the shims that have outlived it: those of containers that its files have. Other
// engines' shims prove nothing.
func (h *home) learnFromShims(proc string) {
	if h == nil || h.pid != 0 || h.data == "" {
		return
	}
	// The engine is dead: it was in no other container than we are.
	self, _ := os.Readlink(filepath.Join(proc, "self"))
	pid, _ := number(self)
	inside := groupsAround(proc, pid)
	keepers := shims(proc, scanProcesses(proc))
	if h.podman {
		h.learnFromConmons(keepers, &inside, proc)
		return
	}
	for _, s := range keepers {
		if s.owner != "" || !filepath.IsAbs(s.address) || !h.keeps(s.id) || !genuine(proc, s, &inside) {
			continue
		}
		if exec, managed := strings.CutSuffix(s.address, "/"+managedContainerd); managed {
			if h.exec == "" || !h.fs.exists(h.exec) {
				h.exec = exec
			}
		} else if h.containerd == "" {
			h.containerd = s.address
		}
		return
	}
}
