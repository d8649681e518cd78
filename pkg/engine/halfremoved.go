package engine

import (
	"path/filepath"
	"slices"
	"time"
)

// halfAge is how old a container's directory without a configuration has to be: in
// the first moments of a container it has none yet.
const halfAge = 10 * time.Second

// halfRemoved are the directories of containers that no engine loads again: the
// configuration is gone, the engine does not know the id, and something in them
// was left. dockerd forgets a container whose removal failed in its directory as
// soon as it is restarted.
func (h *home) halfRemoved(known map[string]listed) []string {
	if h == nil || h.podman {
		return nil
	}
	var out []string
	for _, dir := range h.containerDirs() {
		ids, _ := h.fs.names(dir, maxContainers)
		for _, id := range ids {
			if path := filepath.Join(dir, id); h.isHalf(path, known) {
				out = append(out, path)
			}
		}
	}
	slices.Sort(out)
	return out[:min(len(out), maxEmpty)]
}

func (h *home) isHalf(path string, known map[string]listed) bool {
	id := filepath.Base(path)
	_, ok := known[id]
	return !ok && isID(id) && !h.fs.exists(filepath.Join(path, "config.v2.json")) && h.fs.age(path) >= halfAge
}

// stillHalf are those that are so a second time, by a newer list.
func (h *home) stillHalf(dirs []string, known map[string]listed) []string {
	return slices.DeleteFunc(dirs, func(path string) bool { return !h.isHalf(path, known) })
}

// age is how long ago a directory was last changed, 0 where that is not known.
func (t tree) age(path string) time.Duration {
	f, err := t.place(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || !st.IsDir() {
		return 0
	}
	return time.Since(st.ModTime())
}
