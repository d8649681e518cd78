package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// command is one row of the table.
type command struct {
	name string
	argv []string
	// fine are the exit codes of a run that did its work.
	fine []int
}

func commands(program string) []command {
	judged := []int{0, 1, 3}
	return []command{
		{"whystuck NAME", []string{program, plain}, judged},
		{"whystuck NAME (kernel)", []string{program, handler}, judged},
		{"docker inspect", []string{"docker", "inspect", plain}, []int{0}},
		{"docker top", []string{"docker", "top", plain}, []int{0}},
		{"whystuck --all", []string{program, "--all"}, judged},
		{"ps -eLo ...", []string{"ps", "-eLo", "pid,tid,stat,wchan:32,blocked,ignored,caught"}, []int{0}},
		{"whystuck version", []string{program, "version"}, []int{0}},
	}
}

// result is what one command took over all rounds.
type result struct {
	median, least time.Duration // wall time
	// cpu is the median of user and system time: what is left to compare on a
	// machine that does something else meanwhile.
	cpu time.Duration
	// rss is the most memory resident in any run, in bytes.
	rss int64
}

// measure runs every command once a round, so that what else the machine does
// falls on all of them alike. The first round only warms the caches.
func measure(ctx context.Context, all []command, env []string, runs int) (map[string]result, error) {
	walls, cpus := make(map[string][]time.Duration), make(map[string][]time.Duration)
	results := make(map[string]result)
	for round := range runs + 1 {
		for _, c := range all {
			wall, cpu, rss, err := once(ctx, c, env)
			if err != nil {
				return nil, err
			}
			if round == 0 {
				continue
			}
			r := results[c.name]
			r.rss = max(r.rss, rss)
			results[c.name] = r
			walls[c.name] = append(walls[c.name], wall)
			cpus[c.name] = append(cpus[c.name], cpu)
		}
	}
	for name, all := range walls {
		r := results[name]
		r.median, r.least, r.cpu = median(all), slices.Min(all), median(cpus[name])
		results[name] = r
	}
	return results, nil
}

// once runs a command to its end and gives its wall time, its processor time
// and its memory in bytes. The memory is the kernel's own count; that
// includes what this process had when it forked, so nothing below our own 10 MiB
// can be told.
func once(ctx context.Context, c command, env []string) (wall, cpu time.Duration, rss int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	cmd.Env = env
	var said strings.Builder
	cmd.Stderr = &said
	start := time.Now()
	err = cmd.Run()
	wall = time.Since(start)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || !slices.Contains(c.fine, cmd.ProcessState.ExitCode()) {
		return 0, 0, 0, fmt.Errorf("%s: %v: %s", strings.Join(c.argv, " "), err, said.String())
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0, 0, 0, fmt.Errorf("%s: the kernel counted no memory", c.name)
	}
	return wall, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), usage.Maxrss * 1024, nil
}

func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	if len(sorted) == 0 {
		return 0
	}
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
