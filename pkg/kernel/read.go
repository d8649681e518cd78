package kernel

import (
	"context"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
)

// fewPIDs is up to how many processes are walked one by one where the kernel can
// do that (Linux 6.1): opening and reading one costs FILL us however many
// processes the host has, while a pass over the whole host costs FILL us for each of them.
const fewPIDs = 16

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
	for _, pid := range passes {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := p.pass(pid, groups, wanted); err != nil {
			return nil, err
		}
	}
	return groups, nil
}

// pass reads one walk: over process pid, or over all for 0.
func (p *program) pass(pid int, groups map[int]*group, wanted map[int]bool) error {
	f, err := openIterator(p.fd, pid)
	if err != nil {
		return err
	}
	defer f.Close()
	return readRecords(f, groups, func(pid int) bool { return wanted[pid] })
}

// setWanted adds the processes to the program's filter. What an earlier read left
// there only costs time: read asks again. Key 0 switches the filter off, for more
// processes than the map holds.
func (p *program) setWanted(pids []int) error {
	keys := make([]uint32, len(pids))
	for i, pid := range pids {
		keys[i] = uint32(pid)
	}
	_, err := p.maps["wanted"].BatchUpdate(keys, make([]uint8, len(keys)), nil)
	if err == nil || !errors.Is(err, ebpf.ErrKeyExist) && len(keys) <= int(p.maps["wanted"].MaxEntries())/2 {
		return err
	}
	return p.maps["wanted"].Put(uint32(0), uint8(1))
}
