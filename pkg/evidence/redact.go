package evidence

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// Redact removes from s, in place, what a host's owner may not want to hand out:
// argument lists, executables, environment, paths and the texts of traps. The
// facts that rules take from them (Program, Trap.Exits, ...) stay, so the
// verdict stays: run catalog.Annotate first. Names of containers, images,
// processes (comm) and signal handlers' symbols stay too.
func Redact(s *Snapshot) {
	s.Redacted = true
	if s.Host.Engine != nil {
		s.Host.Engine.Endpoint = maskEndpoint(s.Host.Engine.Endpoint)
		s.Host.Engine.DataRoot, s.Host.Engine.ExecRoot = "", ""
		redactParts(s.Host.Engine.Parts)
	}
	if s.Leftovers != nil {
		for i := range s.Leftovers.EmptyCgroups { // how many there are stays
			s.Leftovers.EmptyCgroups[i] = ""
		}
		for i := range s.Leftovers.HalfRemoved {
			s.Leftovers.HalfRemoved[i] = ""
		}
	}
	for i := range s.Errors {
		s.Errors[i].Message = maskPaths(s.Errors[i].Message)
	}
	for i := range s.Targets {
		redactTarget(&s.Targets[i])
	}
}

func redactTarget(t *Target) {
	if t.Container != nil {
		redactContainer(t.Container)
	}
	if t.Identity != nil {
		t.Identity.Reason = maskPaths(t.Identity.Reason)
	}
	if t.Cgroup != nil {
		t.Cgroup.Path = maskCgroup(t.Cgroup.Path)
		t.Cgroup.FrozenBy = maskCgroup(t.Cgroup.FrozenBy)
	}
	for i := range t.Processes {
		redactProcess(&t.Processes[i])
	}
	for i := range t.Devices {
		d := &t.Devices[i]
		d.Backing, d.DMName = "", "" // volumes are named after customers
		redactAbout(d.BackingOn)
		for j := range d.Limits {
			d.Limits[j].File = ""
		}
	}
	if t.Memory != nil {
		t.Memory.Path = maskCgroup(t.Memory.Path)
	}
	if t.Others != nil {
		for i := range t.Others.Tasks {
			redactAbout(t.Others.Tasks[i].About)
		}
	}
	if t.Log != nil {
		t.Log.Peer = ""
	}
	redactParts(t.Shims)
	redactParts(t.Clients)
	if t.Birth != nil {
		t.Birth.LastError = maskPaths(t.Birth.LastError)
	}
	redactRemoval(t.Removal)
	for i := range t.Gaps {
		t.Gaps[i].Path = maskGap(t.Gaps[i].Path)
		t.Gaps[i].Matters = maskPaths(t.Gaps[i].Matters)
	}
}

func redactRemoval(r *Removal) {
	if r == nil {
		return
	}
	r.Dirs = nil
	for i := range r.Held {
		r.Held[i].Path = ""
	}
	if r.Mount != nil {
		r.Mount.Point, r.Mount.Source = "", ""
	}
}

func redactParts(parts []Part) {
	for i := range parts {
		p := &parts[i]
		p.Address = ""
		if p.Process != nil {
			redactProcess(p.Process)
		}
		for j := range p.Below {
			redactProcess(&p.Below[j])
		}
	}
}

func redactContainer(c *Container) {
	c.Entrypoint, c.Cmd = nil, nil
	c.LogAddress = ""
	c.Error = maskPaths(unlinkPaths.ReplaceAllString(c.Error, "${1}"+masked+": "))
	c.Cgroup = maskCgroup(c.Cgroup)
	for i := range c.Remains {
		c.Remains[i].Path = ""
	}
	for i, opt := range c.SecurityOpt {
		c.SecurityOpt[i] = maskSecurityOpt(opt)
	}
	for name, value := range c.Env {
		switch {
		case !slices.Contains(KeptEnv, name):
			delete(c.Env, name)
		case !isNumber(value):
			// That it is set is the fact; what it is set to may be anything.
			c.Env[name] = ""
		}
	}
}

func redactProcess(p *Process) {
	p.Argv, p.Exe = nil, ""
	for i := range p.Tasks {
		redactAbout(p.Tasks[i].About)
	}
	for i := range p.AIO {
		redactAbout(&p.AIO[i])
	}
	for i, link := range p.Stdio {
		p.Stdio[i] = maskLink(link)
	}
	if p.Program != nil {
		if p.Program.Display != "" {
			p.Program.Display = path.Base(p.Program.Display)
		}
		for name, value := range p.Program.Options {
			p.Program.Options[name] = maskPaths(value)
		}
	}
	if p.Kernel != nil {
		for name, h := range p.Kernel.Handlers {
			h.File = ""
			p.Kernel.Handlers[name] = h
		}
	}
	if p.Inside != nil {
		redactInside(p.Inside)
	}
}

// redactAbout keeps the kind of file system and the device number.
func redactAbout(a *About) {
	if a != nil {
		a.Path, a.Mount, a.HostMount, a.Source = "", "", "", ""
	}
}

func redactInside(in *Inside) {
	if in.Bash != nil {
		for name, trap := range in.Bash.Traps {
			trap.Text = ""
			in.Bash.Traps[name] = trap
		}
	}
	if in.Go != nil {
		in.Go.Path = ""
	}
}

// unlinkPaths are the files that a removal failed at: the container has named them,
// with spaces and colons as it likes. The kernel's word stands last.
var unlinkPaths = regexp.MustCompile(`(?s)((?:unlinkat|openat|remove|open|lstat) )/.*: `)

// masked stands for a removed path.
const masked = "(path)"

// maskPaths replaces every word that holds a slash. Errors of the engine quote
// commands and mounts: `exec: "/srv/acme/run": permission denied`.
func maskPaths(text string) string {
	if !strings.Contains(text, "/") {
		return text
	}
	words := strings.Split(text, " ")
	for i, w := range words {
		if strings.Contains(w, "/") {
			words[i] = masked
		}
	}
	return strings.Join(words, " ")
}

// maskEndpoint keeps the scheme, and the whole of the well-known socket: others
// hold user and host names.
func maskEndpoint(endpoint string) string {
	scheme, rest, ok := strings.Cut(endpoint, "://")
	switch {
	case !ok:
		return maskPaths(endpoint)
	case scheme == "unix" && (rest == "/var/run/docker.sock" || rest == "/run/docker.sock"):
		return endpoint
	}
	return scheme + "://" + masked
}

// maskGap keeps the files of /proc and /sys that carry no name of the container
// (/proc/4121/stack) and drops the tail of those that do (/proc/4121/root/srv).
func maskGap(p string) string {
	if !strings.Contains(p, "/") {
		return p
	}
	parts := strings.Split(strings.TrimPrefix(p, "/"), "/")
	if parts[0] != "proc" {
		return masked
	}
	for i, part := range parts[1:] {
		if !isNumber(part) && !isPlainWord(part) || part == "root" || part == "cwd" {
			return "/" + strings.Join(parts[:i+1], "/") + "/" + masked
		}
	}
	return p
}

// maskLink keeps what a descriptor is (pipe:[1], socket:[2], /dev/null, a
// terminal) and drops which file.
func maskLink(link string) string {
	kind, id, ok := strings.Cut(link, ":[")
	switch {
	case ok && isPlainWord(kind) && isNumber(strings.TrimSuffix(id, "]")):
		return link
	case link == "/dev/null", link == "/dev/console", link == "/dev/tty", link == "":
		return link
	case strings.HasPrefix(link, "/dev/pts/") && isNumber(strings.TrimPrefix(link, "/dev/pts/")):
		return link
	}
	return masked
}

// maskCgroup keeps the parts every host has and container ids; the others are
// names of units and users. Equal paths stay equal, which "frozen by this
// cgroup or by an ancestor" rests on.
func maskCgroup(p string) string {
	parts := strings.Split(p, "/")
	for i, part := range parts {
		if !isCgroupWord(part) {
			parts[i] = "*"
		}
	}
	return strings.Join(parts, "/")
}

func isCgroupWord(part string) bool {
	switch part {
	case "", "sys", "fs", "cgroup", "unified", "freezer", "docker", "system.slice", "user.slice", "machine.slice", "kubepods", "kubepods.slice", "init.scope":
		return true
	}
	id := strings.TrimSuffix(strings.TrimPrefix(part, "docker-"), ".scope")
	return len(id) == 64 && strings.Trim(id, "0123456789abcdef") == ""
}

// maskSecurityOpt keeps the key and a plain value (apparmor=docker-default); a
// seccomp profile may stand there whole, as JSON.
func maskSecurityOpt(opt string) string {
	i := strings.IndexAny(opt, "=:")
	if i < 0 {
		if isPlainWord(opt) {
			return opt
		}
		return masked
	}
	if key, value := opt[:i], opt[i+1:]; isPlainWord(key) && !isPlainWord(value) {
		return opt[:i+1] + masked
	} else if !isPlainWord(key) {
		return masked
	}
	return opt
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// isPlainWord: letters, digits, - and _, at most 40 bytes.
func isPlainWord(s string) bool {
	if s == "" || len(s) > 40 {
		return false
	}
	for _, r := range s {
		if !(r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			return false
		}
	}
	return true
}
