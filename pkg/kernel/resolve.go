package kernel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// resolveTimeout bounds one Resolve beside its context: reading another process's
// maps waits for its mmap_lock, and reading its files for their disk.
const resolveTimeout = 300 * time.Millisecond

// pfExiting is PF_EXITING of Process.Flags.
const pfExiting = 0x4

// Resolve adds File, Offset and Symbol to the handler that Annotate found for
// signal sig in p. It does nothing where sig is not caught. A file without symbols
// gives Symbol "". What could not be read is returned as gaps.
//
// The read takes the process's memory lock and opens its file, so it is done for
// a sleeping process only: never for one that is dying or has a thread in D.
func (s *Session) Resolve(ctx context.Context, p *evidence.Process, sig int) []evidence.Gap {
	name := evidence.SignalName(sig)
	if p.Kernel == nil {
		return nil
	}
	h, caught := p.Kernel.Handlers[name]
	if !caught {
		return nil
	}
	path := fmt.Sprintf("/proc/%d/maps", p.PID)
	if !safeToRead(p) {
		return []evidence.Gap{handlerGap(path, evidence.GapSkipped)}
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	at, err := s.locateWithin(ctx, p.PID, p.StartTicks, h.Address)
	h.File, h.Offset, h.Symbol = at.file, at.offset, at.symbol
	p.Kernel.Handlers[name] = h
	if err != nil { // the file may be known even so
		return []evidence.Gap{handlerGap(path, gapKind(err))}
	}
	return nil
}

// safeToRead: a thread in D may hold the memory lock for ever, and a dying process
// has no memory.
func safeToRead(p *evidence.Process) bool {
	dying := p.Kernel.GroupExit != nil && *p.Kernel.GroupExit
	if p.State != "S" || p.Flags&pfExiting != 0 || dying {
		return false
	}
	for i := range p.Tasks {
		if p.Tasks[i].State == "D" {
			return false
		}
	}
	return true
}

func handlerGap(path, kind string) evidence.Gap {
	return evidence.Gap{Path: path, Kind: kind, Matters: "cannot name the signal handler"}
}

func gapKind(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return evidence.GapTimeout
	case errors.Is(err, fs.ErrPermission):
		return evidence.GapDenied
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ESRCH):
		return evidence.GapGone
	case errors.Is(err, errUnsafeFile):
		return evidence.GapSkipped
	}
	return evidence.GapAbsent
}
