package engine

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// Bounds of a search for files that nobody can unlink.
const (
	maxHeldEntries = 20000
	maxHeldDepth   = 64
	maxHeld        = 8
)

// heldSearch goes through what is left of a container. What lies there was named
// by the container: no file is opened but directories, no link is followed, and
// no mount is entered, so that no server of a file system is asked. The attributes
// come from statx, which opens nothing.
type heldSearch struct {
	ctx context.Context
	out *evidence.Removal
}

// beneath: nothing outside of the directory, through no link, onto no other mount.
const beneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV

// openDir opens a directory below another.
func openDir(at int, name string) (*os.File, error) {
	fd, err := unix.Openat2(at, name, &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NONBLOCK | unix.O_CLOEXEC, Resolve: beneath})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// below searches one of a container's directories, and looks at the one that it
// lies in: in an immutable directory nothing can be unlinked either.
func (s *heldSearch) below(base int, root, dir string) {
	f, err := openDir(base, dir)
	if err != nil {
		if err != unix.ENOENT { // else it has been removed
			s.out.Whole = false
		}
		return
	}
	s.out.Dirs = append(s.out.Dirs, filepath.Join(root, dir))
	for _, d := range []string{filepath.Dir(dir), dir} {
		s.look(base, d, filepath.Join(root, d))
	}
	s.entries(f, filepath.Join(root, dir), 0)
}

// entries goes through an open directory, and closes it.
func (s *heldSearch) entries(f *os.File, path string, depth int) {
	defer f.Close()
	for {
		names, err := f.Readdirnames(256)
		slices.Sort(names)
		for _, name := range names {
			if s.out.Entries >= maxHeldEntries || len(s.out.Held) >= maxHeld || s.ctx.Err() != nil {
				s.out.Whole = false
				return
			}
			s.out.Entries++
			s.entry(int(f.Fd()), name, filepath.Join(path, name), depth)
		}
		if err != nil {
			s.out.Whole = s.out.Whole && err == io.EOF
			return
		}
	}
}

func (s *heldSearch) entry(at int, name, path string, depth int) {
	if !s.look(at, name, path) {
		return
	}
	sub, err := openDir(at, name)
	if err != nil || depth >= maxHeldDepth {
		s.out.Whole = false
		if err == nil {
			_ = sub.Close()
		}
		return
	}
	s.entries(sub, path, depth+1)
}

// look notes what the kernel lets nobody unlink, and reports whether it is a
// directory. Where a file system does not tell its attributes the bits are zero.
func (s *heldSearch) look(at int, name, path string) (dir bool) {
	var st unix.Statx_t
	const flags = unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT | unix.AT_STATX_DONT_SYNC
	if err := unix.Statx(at, name, flags, unix.STATX_TYPE, &st); err != nil {
		s.out.Whole = s.out.Whole && err == unix.ENOENT
		return false
	}
	kind := ""
	switch {
	case st.Attributes&unix.STATX_ATTR_IMMUTABLE != 0:
		kind = evidence.HeldImmutable
	case st.Attributes&unix.STATX_ATTR_APPEND != 0:
		kind = evidence.HeldAppendOnly
	}
	found := evidence.HeldFile{Path: clip(path, maxText), Kind: kind}
	if kind != "" && !slices.Contains(s.out.Held, found) {
		s.out.Held = append(s.out.Held, found)
	}
	return st.Mode&unix.S_IFMT == unix.S_IFDIR
}
