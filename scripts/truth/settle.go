package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Settling: the tree must not change for settleQuiet; daemons that come up
// slowly have a text in their log instead (cases.Case.Ready), for readyMax.
const (
	settleMin   = 1500 * time.Millisecond
	settleQuiet = time.Second
	settleMax   = 8 * time.Second
	readyMax    = 40 * time.Second
	settleEvery = 200 * time.Millisecond
)

// settle waits until the processes of a container do what they will go on doing.
func settle(ctx context.Context, pid int) error {
	start := time.Now()
	var last string
	since := start
	for time.Since(start) < settleMax {
		now := tree(pid)
		if now == "" {
			return fmt.Errorf("the container ended by itself")
		}
		if now != last {
			last, since = now, time.Now()
		}
		if time.Since(start) >= settleMin && time.Since(since) >= settleQuiet {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(settleEvery):
		}
	}
	return nil // a tree that always changes is a case too (loops of short commands)
}

// tree describes the processes in the cgroup of pid, empty when there are none:
// what they are and how they take signals, but not what they are doing.
func tree(pid int) string {
	var b strings.Builder
	for _, p := range members(pid) {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p))
		if err != nil {
			continue
		}
		fmt.Fprintf(&b, "%d", p)
		for _, line := range bytes.Split(status, []byte("\n")) {
			for _, field := range []string{"Name:", "Threads:", "SigBlk:", "SigIgn:", "SigCgt:"} {
				if bytes.HasPrefix(line, []byte(field)) {
					fmt.Fprintf(&b, " %s", line[len(field)+1:])
				}
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// members are the processes in the same cgroup, exec'd ones too.
func members(pid int) []int {
	own, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return nil
	}
	return membersOf(cgroupDir(string(own)))
}

// cgroupDir is the directory of a process's cgroup, from its /proc/PID/cgroup:
// the one of the pids controller, or the only one.
func cgroupDir(lines string) string {
	dir := ""
	for line := range strings.Lines(lines) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		switch f[1] {
		case "pids":
			return filepath.Join("/sys/fs/cgroup/pids", f[2])
		case "":
			dir = filepath.Join("/sys/fs/cgroup", f[2])
		}
	}
	return dir
}

func membersOf(cgroup string) []int {
	b, err := os.ReadFile(filepath.Join(cgroup, "cgroup.procs"))
	if err != nil {
		return nil
	}
	var pids []int
	for _, f := range strings.Fields(string(b)) {
		if pid, err := strconv.Atoi(f); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// waitLog waits for a text in the container's log.
func (b *truthBed) waitLog(ctx context.Context, id, text string) error {
	for start := time.Now(); time.Since(start) < readyMax; {
		if strings.Contains(b.logs(ctx, id), text) {
			return nil
		}
		if running, _, _ := b.engine.Docker(ctx, "inspect", "-f", "{{.State.Running}}", id); strings.TrimSpace(running) != "true" {
			return fmt.Errorf("the container ended by itself")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * settleEvery):
		}
	}
	return fmt.Errorf("%q did not appear in the log within %v", text, readyMax)
}

// logs are both streams of the container's log.
func (b *truthBed) logs(ctx context.Context, id string) string {
	out, errOut, _ := b.engine.Docker(ctx, "logs", id)
	return out + errOut
}
