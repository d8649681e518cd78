package kernel

import (
	"bufio"
	"context"
	"fmt"
)

// fewPIDs is up to how many processes are walked one by one where the kernel can
// do that (Linux 6.1). One such walk costs 20 us of processor time however many
// processes the host has; a pass over all costs 0.8 us for each of the host's.
const fewPIDs = 64

// read runs the iterator for the given thread groups. Those that are gone are
// absent from the result.
func (p *program) read(ctx context.Context, pids []int) (map[int]*group, error) {
	wanted := make(map[int]bool, len(pids))
	for _, pid := range pids {
		wanted[pid] = true
	}
	passes := []int{0} // one, over all
	if p.onePID && len(pids) <= fewPIDs {
		passes = pids
	}
	if err := p.setWanted(pids); err != nil {
		return nil, fmt.Errorf("naming the wanted processes: %w", err)
	}
	groups := make(map[int]*group, len(pids))
	in := bufio.NewReaderSize(nil, 32<<10) // what the kernel hands out at most
	for _, pid := range passes {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := p.pass(pid, in, groups, func(pid int) bool { return wanted[pid] }); err != nil {
			return nil, err
		}
	}
	return groups, nil
}

// pass reads one walk: over process pid, or over all for 0.
func (p *program) pass(pid int, in *bufio.Reader, groups map[int]*group, want func(pid int) bool) error {
	f, err := openIterator(p.fd, pid)
	if err != nil {
		return err
	}
	defer f.Close()
	in.Reset(f)
	return readRecords(in, groups, want)
}

// setWanted adds the processes to the program's filter. What an earlier read left
// there only costs time, for read asks again. Key 0 switches the filter off, for
// more processes than the map holds.
func (p *program) setWanted(pids []int) error {
	if p.named+len(pids) >= int(p.wanted.MaxEntries()) {
		return p.wanted.Put(uint32(0), uint8(1))
	}
	keys := make([]uint32, len(pids))
	for i, pid := range pids {
		keys[i] = uint32(pid)
	}
	p.named += len(pids)
	_, err := p.wanted.BatchUpdate(keys, make([]uint8, len(keys)), nil)
	return err
}
