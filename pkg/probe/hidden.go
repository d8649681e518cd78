package probe

import "golang.org/x/sys/unix"

// hiddenMatters is what a process that /proc does not show leaves open.
const hiddenMatters = "whether its processes live, and what they are: /proc hides those of others (hidepid)"

// hides reports whether /proc keeps the processes of others from us (hidepid).
// Process 1 is there for as long as its PID namespace is.
func (r *reader) hides() bool {
	var fs unix.Statfs_t
	if err := unix.Statfs(r.p.cfg.Proc, &fs); err != nil || fs.Type != unix.PROC_SUPER_MAGIC {
		return false
	}
	_, err := r.readStat(1)
	return err != nil
}
