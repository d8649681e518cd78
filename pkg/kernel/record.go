package kernel

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The records of bpf/task.bpf.c. Each begins with kind and tgid.
const (
	recordTask    = 1
	recordActions = 2

	recordHead    = 16 // four 32-bit words
	recordTaskLen = recordHead + 8*8
	actionsMax    = 4096
	lastIgnore    = 1 // SIG_DFL is 0, SIG_IGN 1; more is a handler's address
)

// task is one task_record.
type task struct {
	tgid, tid, blocker uint32
	state              uint64 // task->__state
	startNS            uint64 // start of the group's leader, ns since boot
	signalFlags        uint64 // signal->flags
	blocked            uint64
	realBlocked        uint64
	pending            uint64
	sharedPending      uint64
	ptrace             uint64 // task->ptrace
}

// action is an entry of sighand->action that has a handler.
type action struct {
	signal  int
	handler uint64
	flags   uint64
}

// group is what the iterator said of one thread group.
type group struct {
	tasks   []task
	actions []action
}

// readRecords adds what in holds to groups, by PID, leaving out groups that want
// refuses.
func readRecords(in *bufio.Reader, groups map[int]*group, want func(pid int) bool) error {
	var buf [recordHead + actionsMax]byte
	for {
		if _, err := io.ReadFull(in, buf[:recordHead]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		size, err := bodyLen(buf[:])
		if err != nil {
			return err
		}
		rec := buf[:recordHead+size]
		if _, err := io.ReadFull(in, rec[recordHead:]); err != nil {
			return err
		}
		pid := int(word(rec, 4))
		if !want(pid) {
			continue
		}
		if groups[pid] == nil {
			groups[pid] = &group{}
		}
		groups[pid].add(rec)
	}
}

// bodyLen is how much follows a record's head.
func bodyLen(head []byte) (int, error) {
	switch kind := word(head, 0); kind {
	case recordTask:
		return recordTaskLen - recordHead, nil
	case recordActions:
		if size := int(half(head, 14)); size <= actionsMax {
			return size, nil
		}
		return 0, errors.New("actions record is too long")
	default:
		return 0, fmt.Errorf("record of unknown kind %d", kind)
	}
}

func (g *group) add(rec []byte) {
	if word(rec, 0) == recordActions {
		g.actions = parseActions(rec)
		return
	}
	u64 := func(i int) uint64 { return binary.NativeEndian.Uint64(rec[recordHead+8*i:]) }
	g.tasks = append(g.tasks, task{
		tgid: word(rec, 4), tid: word(rec, 8), blocker: word(rec, 12),
		state: u64(0), startNS: u64(1), signalFlags: u64(2),
		blocked: u64(3), realBlocked: u64(4), pending: u64(5), sharedPending: u64(6), ptrace: u64(7),
	})
}

// parseActions reads sighand->action as the kernel laid it out: entries of stride
// bytes with the handler and the flags at the given places.
func parseActions(rec []byte) []action {
	stride, handlerAt, flagsAt := int(half(rec, 8)), int(half(rec, 10)), int(half(rec, 12))
	if stride == 0 || handlerAt+8 > stride || flagsAt+8 > stride {
		return nil
	}
	var out []action
	table := rec[recordHead:]
	for sig := 1; sig <= 64 && len(table) >= stride; sig, table = sig+1, table[stride:] {
		a := action{
			signal:  sig,
			handler: binary.NativeEndian.Uint64(table[handlerAt:]),
			flags:   binary.NativeEndian.Uint64(table[flagsAt:]),
		}
		if a.handler > lastIgnore {
			out = append(out, a)
		}
	}
	return out
}

func half(b []byte, off int) uint16 { return binary.NativeEndian.Uint16(b[off:]) }
