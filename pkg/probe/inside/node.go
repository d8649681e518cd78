package inside

import (
	"fmt"
	"sort"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// uv_signal_t of libuv 1.19 to 1.52 on 64-bit Linux (include/uv.h, uv/unix.h,
// uv/tree.h), which Node 10 to 25 carry. Offsets in bytes.
const (
	uvLoop, uvType, uvSignum   = 8, 16, 104
	uvLeft, uvRight            = 112, 120
	uvParent, uvColour         = 128, 136
	uvHandleSize, uvSignalType = 152, 16 // UV_SIGNAL of uv_handle_type
	maxHandles, maxDepth       = 256, 32
)

// readNode reads the signals that JavaScript code listens for. process.on(
// 'SIGTERM') starts a uv_signal_t, which lies in libuv's tree of all that are
// started; Node's own handlers, which have the same place in SigCgt, do not.
func readNode(img *image, m peeker, p *evidence.Process) (*evidence.NodeInside, error) {
	syms, err := img.exported("node_module_register")
	if err != nil {
		return nil, fileError{err}
	}
	if len(syms) == 0 {
		return nil, fileError{fmt.Errorf("program does not export node_module_register: %w", errUnknown)}
	}
	// A static variable of 8 bytes, only its pointer to the root.
	tree, err := img.hidden("uv__signal_tree", 8, true)
	if err != nil {
		return nil, fileError{err}
	}
	return nodeFrom(tree.addr, m, p)
}

func nodeFrom(tree uint64, m peeker, p *evidence.Process) (*evidence.NodeInside, error) {
	head, err := m.peek(tree, 8)
	if err != nil {
		return nil, err
	}
	w := treeWalk{m: m, seen: map[uint64]bool{}}
	if err := w.walk(le64(head), 0, 0); err != nil {
		return nil, err
	}
	return &evidence.NodeInside{UserHandlers: w.handlers(p)}, nil
}

// treeWalk walks a red-black tree of handles in order.
type treeWalk struct {
	m       peeker
	seen    map[uint64]bool
	signals []int // in the tree's order, which is rising
}

// walk reads the subtree at addr. Everything that a handle of a known layout
// must be is checked: type, number, order, and that its parent is its parent.
// One that is not so means another layout, or a tree that changes just now.
func (w *treeWalk) walk(addr, parent uint64, depth int) error {
	if addr == 0 {
		return nil
	}
	if depth > maxDepth || len(w.seen) >= maxHandles || w.seen[addr] || addr%8 != 0 {
		return fmt.Errorf("tree of signal handles at %#x: %w", addr, errUnknown)
	}
	w.seen[addr] = true
	h, err := w.m.peek(addr, uvHandleSize)
	if err != nil {
		return err
	}
	n := int(int32(le32(h[uvSignum:])))
	if le32(h[uvType:]) != uvSignalType || le64(h[uvLoop:]) == 0 || le64(h[uvParent:]) != parent || le32(h[uvColour:]) > 1 || n < 1 || n > 64 {
		return fmt.Errorf("signal handle at %#x: %w", addr, errUnknown)
	}
	if err := w.walk(le64(h[uvLeft:]), addr, depth+1); err != nil {
		return err
	}
	if last := len(w.signals) - 1; last >= 0 && w.signals[last] > n {
		return fmt.Errorf("signal handles out of order at %#x: %w", addr, errUnknown)
	}
	w.signals = append(w.signals, n)
	return w.walk(le64(h[uvRight:]), addr, depth+1)
}

// handlers are the signals of the tree, each once. One that the kernel does not
// show as caught had its handler taken away since (or was sent once to a
// handler of Node's own that resets itself): it listens in vain.
func (w *treeWalk) handlers(p *evidence.Process) []int {
	out := []int{}
	for i, n := range w.signals {
		if i > 0 && w.signals[i-1] == n {
			continue
		}
		if p.Signals == nil || p.Signals.Caught.Has(n) {
			out = append(out, n)
		}
	}
	sort.Ints(out)
	return out
}
