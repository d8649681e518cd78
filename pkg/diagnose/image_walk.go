package diagnose

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/script"
)

// maxLinks bounds the way from PID 1 to the program: a script may start itself.
const maxLinks = 10

// defaultPath is what the engine looks through where an image sets no PATH.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// link is one program on the way from PID 1 to the application.
type link struct {
	argv    []string
	program evidence.Program
	row     *catalog.Program // nil: not known
	path    string           // of its file, "" when not known
	// pid1: everything before it has replaced itself, so it is PID 1.
	pid1 bool
	// behind is the init that started it, nil when there is none.
	behind *link

	// Of shells: what it runs.
	shell *shellLink
}

// shellLink is a shell and the text that it runs.
type shellLink struct {
	script  *script.Script // nil: not read, or not understood
	command bool           // -c
	text    string         // of -c
	file    string         // path of the script
	source  string         // where the script was read, as evidence
	local   string         // that file's path where it lies beside the Dockerfile
	args    []string
	none    bool   // neither: it reads its input
	trouble string // why script is nil
}

// walk follows an image's command to its program.
type walk struct {
	img   *evidence.Image
	links []link
	// wants are paths whose files would tell more.
	wants []string
	// missing is the program that is not in the image, "" when all is there.
	missing string
	refused string // why the file cannot be executed
	broken  *evidence.ImageFile
	// direct: it is the runtime that executes it. What a program starts may have
	// another root and PATH, and a text without #! is given to a shell (execvp).
	direct bool
}

// walkImage goes from the image's command as far as what was read allows.
func walkImage(img *evidence.Image) *walk {
	w := &walk{img: img, direct: !img.Run.Init}
	argv, _ := startCommand(img)
	w.follow(argv, true, nil)
	return w
}

// startCommand is what the runtime executes, and the instruction that gives its first
// word.
func startCommand(img *evidence.Image) (argv []string, from string) {
	entry, cmd, from := img.Entrypoint, img.Cmd, "ENTRYPOINT"
	if img.Run.Entrypoint != nil {
		// `docker run --entrypoint` drops the image's CMD; an empty one resets both.
		entry, cmd, from = slices.DeleteFunc(slices.Clone(img.Run.Entrypoint), func(s string) bool { return s == "" }), nil, "--entrypoint"
	}
	if img.Run.Cmd != nil {
		cmd = img.Run.Cmd
	}
	if len(entry) == 0 {
		from = "CMD"
		if img.Run.Cmd != nil {
			from = "command"
		}
	}
	return slices.Concat(entry, cmd), from
}

// follow adds the link that argv is, and goes on to what it starts.
func (w *walk) follow(argv []string, pid1 bool, behind *link) {
	// Steps are bounded too: a script may name itself as its interpreter.
	for step := 0; step < 4*maxLinks && len(w.links) < maxLinks && len(argv) > 0; step++ {
		w.direct = w.direct && len(w.links) == 0
		if rest, ok := catalog.Replaced(argv); ok {
			argv, w.direct = rest, false
			continue
		}
		if variable(argv[0]) {
			return
		}
		file, known := w.find(argv[0])
		if !known {
			return // w.wants says what is needed
		}
		if !w.direct && file != nil && textAlone(file.Head) {
			argv = append([]string{"/bin/sh", file.Path}, argv[1:]...) // as glibc's execvp does on ENOEXEC; musl's refuses it
			continue
		}
		if w.cannotStart(argv[0], file) {
			return
		}
		if interpreter := shebang(file); interpreter != nil {
			argv = append(interpreter, append([]string{file.Path}, argv[1:]...)...)
			continue
		}
		l := w.identify(argv, file, pid1, behind)
		w.links = append(w.links, l)
		self := &w.links[len(w.links)-1]
		switch {
		case l.shell != nil:
			w.readShell(self)
			w.afterShell(*self)
			return
		case l.row != nil && l.row.Kind == catalog.KindInit:
			next, ok := catalog.InitCommand(l.row, argv[1:])
			if !ok {
				return
			}
			argv, pid1, behind = next, false, self
		case l.row != nil && l.row.Kind == catalog.KindWrapper:
			next, ok := catalog.InitCommand(l.row, argv[1:])
			if !ok || len(l.row.Scripts) > 0 || l.row.ID == "su" || l.row.ID == "runuser" || l.row.ID == "sudo" || l.row.ID == "doas" {
				return // npm's script, su's user: not on the command line in a plain way
			}
			argv, pid1 = next, false
		default:
			return
		}
	}
}

// variable reports a word that only a running shell knows.
func variable(word string) bool { return strings.ContainsAny(word, "$`") }

// identify says who argv is.
func (w *walk) identify(argv []string, file *evidence.ImageFile, pid1 bool, behind *link) link {
	p := evidence.Process{Argv: argv}
	if file != nil {
		p.Exe = file.Path
	}
	l := link{argv: argv, program: catalog.Identify(&p), path: p.Exe, pid1: pid1, behind: behind}
	l.row = catalog.ByID(l.program.ID)
	if l.row == nil && file != nil { // a link with a name of its own: /usr/bin/node -> node-20.1
		p.Exe = ""
		if by := catalog.Identify(&p); catalog.ByID(by.ID) != nil {
			l.program, l.row = by, catalog.ByID(by.ID)
		}
	}
	if l.row != nil && l.row.Kind == catalog.KindShell {
		l.shell = &shellLink{}
	}
	return l
}

// find looks a program up as execvp does: in PATH it passes over what is not to be
// executed. known is false where files have to be read first; file is nil where
// there may be one that cannot be read.
func (w *walk) find(name string) (file *evidence.ImageFile, known bool) {
	paths, hidden := w.candidates(name)
	refused := &evidence.ImageFile{Path: name, Absent: true}
	for _, p := range paths {
		f, ok := w.img.Files[p]
		switch {
		case w.mounted(p) || ok && w.mounted(f.Path):
			hidden = true
		case !ok:
			w.wants = append(w.wants, p)
			return nil, false
		case f.Unread && w.alone(): // it may come with the base
		case f.Absent:
		case len(paths) > 1 && notExecutable(&f) != "":
			refused = &f
		default:
			return &f, true
		}
	}
	if hidden || w.alone() {
		return nil, true
	}
	return refused, true
}

// mounted reports a path that a mount of `docker run` covers: the image's own file
// is not seen there.
func (w *walk) mounted(p string) bool {
	return slices.ContainsFunc(w.img.Run.Mounts, func(at string) bool {
		at = path.Clean("/" + at)
		return p == at || at == "/" || strings.HasPrefix(p, at+"/")
	})
}

// alone: there is nothing but a Dockerfile, so no file is known to be absent.
func (w *walk) alone() bool { return w.img.Dockerfile != nil && w.img.Dockerfile.Alone }

// candidates are the paths at which a program is looked for; more: there are others.
func (w *walk) candidates(name string) (paths []string, more bool) {
	if strings.Contains(name, "/") {
		if !path.IsAbs(name) {
			name = "/" + cmp.Or(w.img.Run.WorkingDir, w.img.WorkingDir) + "/" + name
		}
		return []string{path.Clean(name)}, false
	}
	dirs := defaultPath
	for _, set := range []*string{w.img.Path, w.img.Run.Path} {
		if set != nil && *set != "" {
			dirs = *set
		}
	}
	for _, dir := range strings.Split(dirs, ":") {
		if path.IsAbs(dir) {
			paths = append(paths, path.Join(dir, name))
		} else {
			more = true // where the program that looks is at that moment
		}
	}
	return paths, more
}

// cannotStart notes a program that execve would refuse.
func (w *walk) cannotStart(name string, file *evidence.ImageFile) bool {
	why := ""
	switch {
	case file == nil || file.Unread:
		return false
	case file.Absent:
		why = "there is no such file in the image"
	case notExecutable(file) != "":
		why = notExecutable(file)
	case len(file.Head) == 0:
		return false // empty, or too long to be a script
	default:
		why = badHead(file.Head)
	}
	if why == "" {
		return false
	}
	w.missing, w.refused, w.broken = name, why, file
	return true
}

// notExecutable says why a file that is there is not to be executed, "" when it is.
func notExecutable(file *evidence.ImageFile) string {
	switch {
	case file.Unread:
	case file.Dir:
		return "it is a directory"
	case file.Source == "" && file.Mode&0o111 == 0:
		return "it is not executable"
	}
	return ""
}

// badHead says why the kernel does not execute a file that begins so, "" when it
// does.
func badHead(head []byte) string {
	first, _, _ := strings.Cut(string(head), "\n")
	switch {
	case strings.HasPrefix(first, "\x7fELF"):
		return ""
	case strings.HasPrefix(first, "#!") && strings.HasSuffix(first, "\r"):
		return "its first line ends in CR LF, so that the kernel looks for an interpreter whose name ends in CR"
	case strings.HasPrefix(first, "#!"):
		return ""
	case strings.HasPrefix(first, "\xef\xbb\xbf#!"):
		return "a byte order mark stands before #!"
	case textAlone(head):
		return "it is a text without #! in its first line: exec format error"
	}
	return ""
}

// textAlone reports a script that the kernel does not take for one.
func textAlone(head []byte) bool {
	return len(head) > 0 && !strings.HasPrefix(string(head), "#!") && looksLikeText(head)
}

// looksLikeText reports whether the bytes look like a script and not like a program.
func looksLikeText(head []byte) bool {
	return !slices.ContainsFunc(head[:min(len(head), 512)], func(b byte) bool { return b == 0 || b > 0x7e || b < ' ' && b != '\n' && b != '\t' && b != '\r' })
}

// shebang is the interpreter's command line as the kernel makes it: the program
// and the rest of the line as one argument. nil: the file is no script.
func shebang(file *evidence.ImageFile) []string {
	if file == nil || len(file.Head) < 3 || string(file.Head[:2]) != "#!" {
		return nil
	}
	first, _, _ := strings.Cut(string(file.Head[2:]), "\n")
	first = strings.TrimSpace(first)
	if first == "" {
		return nil
	}
	if i := strings.IndexAny(first, " \t"); i >= 0 {
		return []string{first[:i], strings.TrimSpace(first[i:])}
	}
	return []string{first}
}
