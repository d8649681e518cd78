package probe

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// status is /proc/PID/status or /proc/PID/task/TID/status
// (Documentation/filesystems/proc.rst, fs/proc/array.c proc_pid_status). A nil
// pointer is a line that was not there: gVisor prints no Sig lines, and an
// absent mask is not an empty one.
type status struct {
	Name                                   string
	State                                  string // the letter
	Tgid, PPID, TracerPID                  int
	NSPIDs                                 []int
	Threads                                int // 0: line absent
	UID                                    []int
	SigQ                                   *[2]int // queued, limit
	SigPnd, ShdPnd, SigBlk, SigIgn, SigCgt *evidence.SigSet
	CapEff, CapBnd                         *uint64
	Seccomp                                *int
	CoreDumping                            *bool
	VolSwitches, InvolSwitches             uint64
}

// parseStatus reads every line it knows and skips the others. A line that is
// not as documented stays absent; the first such line is the error, returned
// with all that could be read.
func parseStatus(data []byte) (status, error) {
	var s status
	var first error
	for len(data) > 0 {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte{'\n'})
		key, value, ok := bytes.Cut(line, []byte{':'})
		if !ok {
			continue
		}
		if err := s.set(string(key), bytes.Trim(value, " \t")); err != nil && first == nil {
			first = fmt.Errorf("status line %.80q: %w", line, err)
		}
	}
	return s, first
}

func (s *status) set(key string, v []byte) (err error) {
	switch key {
	case "Name":
		s.Name = unescapeName(string(v))
	case "State":
		if len(v) == 0 {
			return errParse
		}
		s.State = string(v[:1])
	case "Tgid":
		s.Tgid, err = atoi(v)
	case "PPid":
		s.PPID, err = atoi(v)
	case "TracerPid":
		s.TracerPID, err = atoi(v)
	case "NSpid":
		s.NSPIDs, err = fields(v, 33) // the kernel nests 32 PID namespaces
	case "Threads":
		s.Threads, err = atoi(v)
	case "Uid":
		s.UID, err = fields(v, 4)
	case "voluntary_ctxt_switches":
		s.VolSwitches, err = strconv.ParseUint(string(v), 10, 64)
	case "nonvoluntary_ctxt_switches":
		s.InvolSwitches, err = strconv.ParseUint(string(v), 10, 64)
	default:
		return s.setSignal(key, v)
	}
	return err
}

// setSignal takes the lines whose absence has to be told from zero.
func (s *status) setSignal(key string, v []byte) (err error) {
	switch key {
	case "SigQ":
		s.SigQ, err = sigQ(v)
	case "SigPnd":
		s.SigPnd, err = sigSet(v)
	case "ShdPnd":
		s.ShdPnd, err = sigSet(v)
	case "SigBlk":
		s.SigBlk, err = sigSet(v)
	case "SigIgn":
		s.SigIgn, err = sigSet(v)
	case "SigCgt":
		s.SigCgt, err = sigSet(v)
	case "CapEff":
		var n uint64
		if n, err = strconv.ParseUint(string(v), 16, 64); err == nil {
			s.CapEff = &n
		}
	case "CapBnd":
		var n uint64
		if n, err = strconv.ParseUint(string(v), 16, 64); err == nil {
			s.CapBnd = &n
		}
	case "Seccomp":
		var n int
		if n, err = atoi(v); err == nil {
			s.Seccomp = &n
		}
	case "CoreDumping":
		var n int
		if n, err = atoi(v); err == nil {
			on := n != 0
			s.CoreDumping = &on
		}
	}
	return err
}

// signals is what the thread group shares, nil unless every mask was there.
func (s *status) signals() *evidence.Signals {
	if s.SigIgn == nil || s.SigCgt == nil || s.ShdPnd == nil {
		return nil
	}
	out := &evidence.Signals{Ignored: *s.SigIgn, Caught: *s.SigCgt, Pending: *s.ShdPnd, Queued: -1, QueueLimit: -1}
	if s.SigQ != nil {
		out.Queued, out.QueueLimit = s.SigQ[0], s.SigQ[1]
	}
	return out
}

func sigSet(v []byte) (*evidence.SigSet, error) {
	set, err := evidence.ParseSigSet(string(v))
	if err != nil {
		return nil, err
	}
	return &set, nil
}

// sigQ reads "queued/limit". The limit is an unsigned long: RLIM_INFINITY does
// not fit an int and becomes -1, not known.
func sigQ(v []byte) (*[2]int, error) {
	queued, limit, ok := bytes.Cut(v, []byte{'/'})
	if !ok {
		return nil, errParse
	}
	n, err := atoi(queued)
	if err != nil {
		return nil, err
	}
	if _, err := strconv.ParseUint(string(limit), 10, 64); err != nil {
		return nil, err
	}
	m, err := atoi(limit)
	if err != nil {
		m = -1
	}
	return &[2]int{n, m}, nil
}

func atoi(v []byte) (int, error) { return strconv.Atoi(string(v)) }

// fields reads up to limit numbers separated by blanks.
func fields(v []byte, limit int) ([]int, error) {
	parts := bytes.Fields(v)
	if len(parts) == 0 || len(parts) > limit {
		return nil, errParse
	}
	out := make([]int, len(parts))
	for i, part := range parts {
		n, err := atoi(part)
		if err != nil {
			return nil, err
		}
		out[i] = n
	}
	return out, nil
}

// unescapeName undoes what the kernel does to Name, where alone a newline and a
// backslash are escaped (fs/proc/array.c proc_task_name).
func unescapeName(name string) string {
	if !strings.Contains(name, `\`) {
		return name
	}
	return strings.NewReplacer(`\\`, `\`, `\n`, "\n").Replace(name)
}
