package cli

import (
	"io"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/term"
)

// System is all that a run takes from the machine: streams, environment, clock
// and the roots of the kernel's file systems. Host gives the real one; a test
// gives its own.
type System struct {
	In       io.Reader
	Out, Err io.Writer
	// Terminal tells whether Out is a terminal, and its width in columns (0: not known).
	Terminal func() (width int, ok bool)
	// ErrTerminal tells whether Err is a terminal; nil: it is not.
	ErrTerminal func() bool
	Getenv      func(string) string
	HomeDir     string
	TempDir     string // where the capture of a bug is put
	Now         func() time.Time
	// Proc and Sys are the roots of the kernel's file systems; "": /proc and /sys.
	Proc, Sys string
	// Version of the program; "": taken from the build.
	Version string
}

// Host is the System of this machine.
func Host(version string) System {
	home, _ := os.UserHomeDir() // unset in some service managers: then there is no docker config to read
	return System{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Terminal:    stdoutTerminal,
		ErrTerminal: func() bool { return term.IsTerminal(int(os.Stderr.Fd())) },
		Getenv:      os.Getenv,
		HomeDir:     home,
		TempDir:     os.TempDir(),
		Now:         time.Now,
		Version:     version,
	}
}

func stdoutTerminal() (int, bool) {
	fd := int(os.Stdout.Fd())
	if !term.IsTerminal(fd) {
		return 0, false
	}
	width, _, err := term.GetSize(fd)
	if err != nil {
		width = 0
	}
	return width, true
}

// version is what the linker said, else what `go install` recorded.
func (s System) version() string {
	if s.Version != "" {
		return s.Version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}
