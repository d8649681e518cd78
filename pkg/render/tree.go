package render

import (
	"fmt"
	"sort"
	"strings"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// maxTree is how many lines the process tree takes.
const maxTree = 20

// node is one process, or several identical siblings, in the tree.
type node struct {
	p      *diagnose.Process
	kids   []*node
	times  int  // of identical siblings, 1 for one process
	size   int  // processes in it and below
	notice bool // must not be lost when the tree is cut
	depth  int
}

// forest builds the tree by parent PID. A process whose parent is not in the
// list, or is below itself in a list that was made up, is a root.
func forest(c diagnose.Container) []*node {
	byPID := map[int]*node{}
	all := make([]*node, 0, len(c.Processes))
	for i := range c.Processes {
		n := &node{p: &c.Processes[i], times: 1}
		all = append(all, n)
		if byPID[n.p.PID] == nil {
			byPID[n.p.PID] = n
		}
	}
	sort.SliceStable(all, func(i, j int) bool {
		if a, b := shownPID(all[i].p), shownPID(all[j].p); a != b {
			return a < b
		}
		return all[i].p.PID < all[j].p.PID
	})
	markNotice(all, c)
	var roots []*node
	for _, n := range all {
		if parent := byPID[n.p.PPID]; parent != nil && parent != n {
			parent.kids = append(parent.kids, n)
		} else {
			roots = append(roots, n)
		}
	}
	return unloop(roots, all)
}

// unloop makes a root of one process of every circle of parents, so that all of
// them are shown and none twice.
func unloop(roots, all []*node) []*node {
	seen := map[*node]bool{}
	for _, n := range roots {
		visit(n, 0, seen)
	}
	for _, n := range all {
		if !seen[n] {
			visit(n, 0, seen)
			roots = append(roots, n)
		}
	}
	return roots
}

func visit(n *node, depth int, seen map[*node]bool) {
	seen[n] = true
	n.size, n.depth = 1, depth
	kids := n.kids[:0]
	for _, k := range n.kids {
		if !seen[k] {
			visit(k, depth+1, seen)
			kids = append(kids, k)
			n.size += k.size
		}
	}
	n.kids = kids
}

// markNotice marks the processes that the answer is about.
func markNotice(all []*node, c diagnose.Container) {
	named := map[int]bool{}
	for _, f := range c.Findings {
		named[f.PID] = true
	}
	if c.Stop != nil {
		for _, pid := range c.Stop.KilledUnheard {
			named[pid] = true
		}
	}
	for _, n := range all {
		n.notice = named[n.p.PID] || n.p.Effect == "cannot-die" || held(n.p) != ""
	}
}

// fold joins siblings that read the same, from the leaves up. Each shape of
// subtree gets a number, so that whole subtrees are compared at the price of one
// line; it returns the numbers of the list as it was.
func fold(list []*node, shapes map[string]int) ([]*node, []int) {
	first := map[int]*node{}
	out := make([]*node, 0, len(list))
	ids := make([]int, 0, len(list))
	for _, n := range list {
		var below []int
		n.kids, below = fold(n.kids, shapes)
		key := fmt.Sprintf("%q %q %q %q %q %v", command(n.p), n.p.Signal, n.p.Effect, n.p.Note, held(n.p), below)
		id, known := shapes[key]
		if !known {
			id = len(shapes)
			shapes[key] = id
		}
		ids = append(ids, id)
		if twin := first[id]; twin != nil {
			twin.times++
			twin.notice = twin.notice || n.notice
			continue
		}
		first[id] = n
		out = append(out, n)
	}
	return out, ids
}

// prune keeps at most maxTree lines: those that the answer is about, with their
// parents, and then from the top. It returns how many processes were left out.
func prune(roots []*node) ([]*node, int) {
	var order []*node
	parent := map[*node]*node{}
	var list func(*node)
	list = func(n *node) {
		order = append(order, n)
		for _, k := range n.kids {
			parent[k] = n
			list(k)
		}
	}
	for _, n := range roots {
		list(n)
	}
	if len(order) <= maxTree {
		return roots, 0
	}
	keep := map[*node]bool{}
	add := func(n *node) {
		var path []*node
		for ; n != nil && !keep[n]; n = parent[n] {
			path = append(path, n)
		}
		if len(keep)+len(path) <= maxTree {
			for _, m := range path {
				keep[m] = true
			}
		}
	}
	for _, n := range order {
		if n.notice {
			add(n)
		}
	}
	for _, n := range order {
		add(n)
	}
	return filter(roots, keep, 1)
}

// filter takes out what is not kept; times is how many of this branch there are.
func filter(list []*node, keep map[*node]bool, times int) ([]*node, int) {
	var out []*node
	hidden := 0
	for _, n := range list {
		if !keep[n] {
			hidden += n.size * n.times * times
			continue
		}
		var below int
		n.kids, below = filter(n.kids, keep, n.times*times)
		hidden += below
		out = append(out, n)
	}
	return out, hidden
}

// shownPID is the PID as the container's people know it.
func shownPID(p *diagnose.Process) int {
	if p.NSPID > 0 {
		return p.NSPID
	}
	return p.PID
}

// held is the state of a process that does not just sleep or run: the letter of
// its leader, or of a thread that is worse off than its leader.
func held(p *diagnose.Process) string {
	for _, t := range p.Tasks {
		if t.TID != p.PID && strings.ContainsAny(t.State, "DTt") && !strings.Contains(t.State, p.State) {
			return "thread " + t.State
		}
	}
	if strings.ContainsAny(p.State, "DTtZX") {
		return p.State
	}
	return ""
}

// command is a process's command line as one would type it, "comm" where it is
// not known. A program's path is cut to its name.
func command(p *diagnose.Process) string {
	if len(p.Argv) == 0 {
		return p.Comm
	}
	if len(p.Argv) == 1 && !strings.HasPrefix(p.Argv[0], "/") {
		return p.Argv[0] // or a title that the program has written itself
	}
	var b strings.Builder
	b.WriteString(quoted(program(p.Argv[0])))
	for _, arg := range p.Argv[1:] {
		b.WriteString(" " + quoted(arg))
	}
	return b.String()
}

func program(path string) string {
	if i := strings.LastIndexByte(path, '/'); strings.HasPrefix(path, "/") && i+1 < len(path) {
		return path[i+1:]
	}
	return path
}

// quoted puts an argument in quotes where the reader could not tell its ends.
func quoted(arg string) string {
	if arg != "" && !strings.ContainsAny(arg, " \"'`$&|;<>()*?") {
		return arg
	}
	return `"` + strings.ReplaceAll(arg, `"`, `\"`) + `"`
}
