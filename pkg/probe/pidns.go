package probe

import (
	"slices"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// scanNS finds every process of a PID namespace by reading all ns/pid links of
// the host: 31 ms with 5,000 processes. false: not all could be read in time.
func (l *look) scanNS(inode uint64) ([]int, bool) {
	pids, ok := once(l, l.p.cfg.Total, func(r *reader) []int {
		all, _, err := numbers(r.p.cfg.Proc, 1<<22)
		if err != nil {
			r.miss(filePIDNS, 0, r.p.cfg.Proc, err)
		}
		return r.inNamespace(all, inode)
	})
	if !ok {
		l.gap(evidence.GapTimeout, l.p.pidPath(l.t.PID, filePIDNS.name), filePIDNS.matters)
	}
	return pids, ok
}

// inNamespace picks the processes of a PID namespace. One whose link may not be
// read is no member if it has no number below the observer's namespace; the
// first that may be one is noted, and that is enough.
func (r *reader) inNamespace(all []int, inode uint64) []int {
	var out []int
	noted := false
	for _, pid := range all {
		path := r.p.pidPath(pid, filePIDNS.name)
		text, err := readLink(path)
		if err == nil && parseNS(text) == inode {
			out = append(out, pid)
		}
		if !denied(err) || noted {
			continue
		}
		if s := r.peek(pid); s == nil || len(s.NSPIDs) != 1 {
			r.miss(filePIDNS, pid, path, err)
			noted = true
		}
	}
	return out
}

// descendants are the given processes and all below them, in nested PID
// namespaces too: a child never lives in a namespace above its parent's.
func (l *look) descendants(roots []int) ([]int, bool) {
	return once(l, l.p.cfg.Total, func(r *reader) []int {
		children := r.childrenOf
		if !exists(r.p.taskPath(roots[0], roots[0], "children")) {
			children = r.childrenByParent() // a kernel without CONFIG_PROC_CHILDREN
		}
		seen := make(map[int]bool, len(roots))
		out := []int{}
		for todo := slices.Clone(roots); len(todo) > 0 && len(out) < maxTasksTarget; todo = todo[1:] {
			pid := todo[0]
			if seen[pid] {
				continue
			}
			seen[pid] = true
			out = append(out, pid)
			todo = append(todo, children(pid)...)
		}
		return out
	})
}

// childrenOf reads /proc/PID/task/*/children: a child belongs to the thread that
// made it.
func (r *reader) childrenOf(pid int) []int {
	tids, _, err := numbers(r.p.pidPath(pid, "task"), maxTasksProcess)
	if err != nil {
		return nil
	}
	var out []int
	for _, tid := range tids {
		if data, err := r.read(r.p.taskPath(pid, tid, "children"), maxRead); err == nil {
			out = append(out, parsePIDs(data)...)
		}
	}
	return out
}

// childrenByParent builds the tree from every process's stat.
func (r *reader) childrenByParent() func(int) []int {
	tree := map[int][]int{}
	all, _, _ := numbers(r.p.cfg.Proc, 1<<22)
	for _, pid := range all {
		if st, err := r.readStat(pid); err == nil {
			tree[st.PPID] = append(tree[st.PPID], pid)
		}
	}
	return func(pid int) []int { return tree[pid] }
}
