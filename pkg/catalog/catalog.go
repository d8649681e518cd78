// Package catalog is what is known about programs and kernels, as tables:
// shells, inits, wrappers, runtimes, applications and wait channels.
//
// A row names where its knowledge comes from (Source) and the measured case of
// the truth bed that proves it (Case). The package matches what was seen against
// its rows and says what the row says; it holds no judgement about a container
// (that is diagnose), reads nothing and knows no clock.
//
// Names come from the container and are hostile: a row matches only the base
// name, and diagnose accepts a row's behaviour only where the masks that the
// kernel printed agree with it.
package catalog

import "github.com/whystuck/whystuck/pkg/evidence"

// Kind is the part a program plays between a stop signal and the application.
type Kind string

// The kinds of programs.
const (
	KindShell   Kind = "shell"
	KindInit    Kind = "init"    // made to be PID 1: passes signals, reaps
	KindWrapper Kind = "wrapper" // runs one command under other conditions
	KindRuntime Kind = "runtime" // runs somebody's program
	KindApp     Kind = "app"     // has its own documented stop signals
	KindTool    Kind = "tool"    // small programs that take the default action
)

// Program is one row: who it is and what it does with signals.
type Program struct {
	ID   string
	Kind Kind
	// Names are base names of the executable or of argv[0].
	Names []string
	// Scripts are base names of the script (or -m module) an interpreter runs.
	Scripts []string
	// Titles are beginnings of a rewritten process title, e.g. "npm ".
	Titles []string
	// Plain: it keeps the SIG_IGN that it was started with, so a child of a shell
	// with neither INT nor QUIT ignored was not started with `&`.
	Plain bool
	// NeverWaits: it neither uses sigwait nor signalfd, so its masks mean what
	// they say even where its system call could not be read.
	NeverWaits bool
	// Quick: it starts in milliseconds, so one that computes is not one that is
	// still starting.
	Quick bool
	// Fetches: it fetches its signals by sigwait or a signalfd. Where that could
	// not be seen, its masks would say that it drops them.
	Fetches bool
	// Forward says how an init or wrapper passes signals on; nil: it does not.
	Forward *Forward
	// Responses by signal number; a signal that is missing is not known.
	Responses map[int]Response
	// Stop is the stop signal that the program's own manual or image asks for
	// where that is not SIGTERM, 0: SIGTERM. StopFor says what SIGTERM does wrong.
	Stop    int
	StopFor string
	// Flags are command line options that change the behaviour.
	Flags  []Flag
	Source string // where the behaviour is documented or was read
	Case   string // the truth bed's case
}

// Flag is a command line option that rules use: it sets Option (to "true", or to
// its value).
type Flag struct {
	Names  []string // as typed: -g, --single-child
	Option string
	Value  bool // takes a value, attached or as the next argument
}

// Ends says whether a response ends the program.
type Ends int

// The three answers.
const (
	EndsUnknown Ends = iota // the program's own code decides
	EndsYes
	EndsNo
)

// Drain names what a graceful ending waits for; only an idle program ends soon.
type Drain string

// What may be waited for.
const (
	DrainNone    Drain = ""
	DrainTCP     Drain = "connections" // established TCP connections
	DrainClients Drain = "clients"     // PostgreSQL backends
	DrainWorkers Drain = "workers"     // worker processes with work in hand
	DrainSave    Drain = "save"        // a write that may fail
)

// Response is what a program does when a signal reaches its handler.
type Response struct {
	Ends  Ends
	Code  int     // exit status, -1 when not known
	After float64 // seconds it takes when idle
	Drain Drain   // what it waits for first
	// AtLeast: it never ends sooner than this many seconds (squid waits 30).
	AtLeast float64
	Means   string // in words: "fast shutdown", "reloads its configuration"
	// Instead is the signal that really ends it, "" if none is better.
	Instead string
}

// Reach says whom a forwarder signals.
type Reach string

// The reaches.
const (
	ReachChild    Reach = "child"    // its one child
	ReachGroup    Reach = "group"    // its child's process group
	ReachChildren Reach = "children" // every direct child
	ReachTree     Reach = "tree"     // every descendant
	ReachNobody   Reach = "nobody"   // it leaves without a word
)

// Code says what a forwarder's exit status is.
type Code string

// The kinds of exit status.
const (
	CodeChild   Code = "child"   // the child's, 128+n if a signal ended it
	CodeFixed   Code = "fixed"   // Forward.Status
	CodeUnknown Code = "unknown" // not known
)

// Forward is how an init or wrapper passes a signal on.
type Forward struct {
	// Passes are the signals that it passes; the others are taken by Responses
	// or by the general rules.
	Passes evidence.SigSet
	Reach  Reach
	// Send is the signal that the others get, 0: the same.
	Send int
	// Waits: it ends only when the child (or the children) ended.
	Waits bool
	// Grace: after so many seconds it SIGKILLs what is left; 0: it never does.
	Grace float64
	// Fixed: it takes so many seconds in any case.
	Fixed float64
	// Adds is what its own ending takes after the child's, in seconds.
	Adds   float64
	Code   Code
	Status int
	// SignalledStatus, when not nil, is its exit status as PID 1 if a signal
	// ended the child (npm: 1, sudo: 0).
	SignalledStatus *int
	// NeedsCapKill: what happens where it may not signal its child: "exits" (with
	// status 1) or "lost".
	WithoutCapKill string
}

// Annotate fills, in every process of the snapshot, the facts that rules take
// from argv, exe, paths and trap texts, so that redaction loses no verdict.
func Annotate(s *evidence.Snapshot) {
	byComm := map[string]*evidence.Program{} // of crowds, whose comm is all there is
	for i := range s.Targets {
		for j := range s.Targets[i].Processes {
			p := &s.Targets[i].Processes[j]
			if p.Program == nil && p.Brief {
				p.Program = byComm[p.Comm]
			}
			if p.Program == nil {
				prog := Identify(p)
				p.Program = &prog
			}
			if p.Brief {
				byComm[p.Comm] = p.Program
			}
			annotateTraps(p)
			fromConfig(p, s.Targets[i].Container)
		}
	}
}

// fromConfig takes options that a program has written over in its own argv from
// the container's command (redis sets a title).
func fromConfig(p *evidence.Process, k *evidence.Container) {
	if k == nil || p.Program == nil || p.Program.ID != "redis" || p.Program.Options["save"] != "" {
		return
	}
	if redisSavesNothing(append(append([]string{}, k.Entrypoint...), k.Cmd...)) {
		p.Program.Options = map[string]string{"save": "off"}
	}
}

// ByID returns the row with this ID, nil if there is none.
func ByID(id string) *Program {
	if id == "" {
		return nil
	}
	for _, table := range tables() {
		for i := range table {
			if table[i].ID == id {
				return &table[i]
			}
		}
	}
	return nil
}

// tables lists every table of rows, the more special first.
func tables() [][]Program {
	return [][]Program{inits, wrappers, shells, apps, runtimes, tools}
}

// Programs lists every row, the more special tables first.
func Programs() []Program {
	var out []Program
	for _, table := range tables() {
		out = append(out, table...)
	}
	return out
}
