package probe

import (
	"context"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// maxSpaces bounds the mount namespaces whose tables are read.
const maxSpaces = 64

// space is one mount namespace, by one process in it.
type space struct {
	user    evidence.MountUser
	devices map[string]bool
}

// addSpace notes a process whose mount namespace was not seen yet.
func (c *crew) addSpace(r *reader, pid int, st *stat) {
	if len(c.spaces) >= maxSpaces || st.Flags&pfKthread != 0 || st.dying() {
		return
	}
	ns, err := readLink(r.p.pidPath(pid, "ns/mnt"))
	if err != nil || c.seenSpaces[ns] {
		return
	}
	if c.seenSpaces == nil {
		c.seenSpaces = map[string]bool{}
	}
	c.seenSpaces[ns] = true
	c.spaces = append(c.spaces, space{user: evidence.MountUser{PID: pid, Comm: st.Comm}})
}

// readSpaces reads the mount table of each namespace that is a container's.
func (p *Prober) readSpaces(ctx context.Context, c *crew) {
	in := c.spaces
	b := runBatch(ctx, len(in), p.cfg.ReadTimeout, func(i int) space {
		r := p.newReader()
		defer r.close()
		s := space{user: in[i].user, devices: map[string]bool{}}
		if s.user.Container = r.containerOf(s.user.PID); s.user.Container == "" {
			return s
		}
		table, _ := r.mounts(p.pidPath(s.user.PID, fileMounts.name))
		for j := range table {
			s.devices[table[j].device] = true
		}
		return s
	})
	for i := range in {
		if s, ok := b.result(i); ok {
			c.spaces[i] = s
		}
	}
}

// mountedIn lists the other containers that have one of the devices mounted.
func (c *crew) mountedIn(devices map[string]bool, id string) []evidence.MountUser {
	var out []evidence.MountUser
	seen := map[string]bool{id: true, "": true}
	for i := range c.spaces {
		s := &c.spaces[i]
		if seen[s.user.Container] || len(out) == maxOthersTarget {
			continue
		}
		for d := range devices {
			if s.devices[d] {
				seen[s.user.Container] = true
				out = append(out, s.user)
				break
			}
		}
	}
	return out
}
