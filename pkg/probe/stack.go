package probe

import (
	"bytes"
	"strings"
)

// maxFrames bounds a stack; the kernel prints at most 64 (MAX_STACK_TRACE_DEPTH).
const maxFrames = 64

// parseStack reads /proc/PID/stack (fs/proc/base.c proc_pid_stack): one
// "[<0>] function+0x5e/0x90 [module]" a line, innermost first. The result has
// the function names alone and is empty, not nil, for a task without a stack.
func parseStack(data []byte) []string {
	frames := []string{}
	for len(data) > 0 && len(frames) < maxFrames {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte{'\n'})
		_, text, ok := strings.Cut(string(line), "] ")
		if !ok {
			continue
		}
		text, _, _ = strings.Cut(text, "+")
		text, _, _ = strings.Cut(strings.TrimSpace(text), " ")
		if text != "" {
			frames = append(frames, text)
		}
	}
	return frames
}

// readStack is the kernel stack of one task, nil when it could not be read.
func (r *reader) readStack(pid, tid int) []string {
	path := r.p.taskPath(pid, tid, "stack")
	data, err := r.read(path, firstRead)
	if err != nil {
		r.miss(fileStack, pid, path, err)
		return nil
	}
	return parseStack(data)
}
