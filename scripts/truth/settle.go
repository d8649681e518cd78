package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/whystuck/whystuck/scripts/bed"
)

// Settling: for settleQuiet the processes must stay the same, must not have
// computed for more than settleTicks, and must not be seen waiting for a CPU or a
// disk: on a loaded machine an interpreter that is still importing looks the same
// for seconds, and gets too little time to be noticed by that. Some daemons have a text in their
// log besides (cases.Case.Ready), for readyMax. Loops of short commands never
// settle, and are looked at after busyMax.
const (
	settleMin   = 1500 * time.Millisecond
	settleQuiet = time.Second
	settleTicks = 4 // of 1/100 s
	settleMax   = 30 * time.Second
	busyMax     = 3 * time.Second
	readyMax    = 40 * time.Second
	settleEvery = 200 * time.Millisecond
)

// settle waits until the processes of a container do what they will go on doing.
func settle(ctx context.Context, id string, busy bool) error {
	start := time.Now()
	limit := settleMax
	if busy {
		limit = busyMax
	}
	var last string
	var computed int
	since := start
	for time.Since(start) < limit {
		now, ticks, waiting := tree(id)
		if now == "" {
			return fmt.Errorf("the container ended by itself")
		}
		if now != last || ticks > computed+settleTicks || waiting {
			last, computed, since = now, ticks, time.Now()
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

// tree describes the processes of a container, empty when there are none:
// what they are and how they take signals, but not what they are doing; how long
// they have computed, in ticks of 1/100 s; and whether one waits for a CPU or a
// disk just now.
func tree(id string) (description string, ticks int, waiting bool) {
	var b strings.Builder
	for _, p := range members(id) {
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
		f := stat(fmt.Sprintf("/proc/%d/stat", p))
		for i := 11; i < 13 && i < len(f); i++ { // utime and stime of all threads
			n, _ := strconv.Atoi(f[i])
			ticks += n
		}
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p))
		for _, task := range tasks {
			f := stat(task)
			waiting = waiting || len(f) > 0 && (f[0] == "R" || f[0] == "D")
		}
	}
	return b.String(), ticks, waiting
}

// stat are the fields of a stat file from the third, the state, on: they follow
// the last ), as the name may hold anything.
func stat(path string) []string {
	b, _ := os.ReadFile(path)
	return strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
}

// members are the processes of a container, exec'd ones too: those in its
// cgroup, which is found by the container's id. /proc/PID/cgroup would not do:
// it says / once the main thread has ended.
func members(id string) []int {
	for _, pattern := range []string{"/sys/fs/cgroup/pids/*/", "/sys/fs/cgroup/*/"} {
		dirs, _ := filepath.Glob(pattern + id)
		for _, dir := range dirs {
			if pids := bed.MembersBelow(dir); len(pids) > 0 {
				return pids
			}
		}
	}
	return nil
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
