package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// members are the PIDs of the cgroup that pid is in: what a container consists
// of, and pid itself: a zombie has left its cgroup (on v1 it is in the root one,
// with the whole machine). It reads the "pids" controller of cgroup v1, or the
// unified hierarchy.
func members(pid int) []string {
	own := []string{strconv.Itoa(pid)}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return own
	}
	for _, line := range strings.Split(string(b), "\n") {
		f := strings.SplitN(line, ":", 3)
		if len(f) != 3 || f[1] != "pids" && f[1] != "" || f[2] == "/" {
			continue
		}
		procs, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", f[1], f[2], "cgroup.procs"))
		if err == nil {
			pids := append(own, strings.Fields(string(procs))...)
			slices.Sort(pids)
			return slices.Compact(pids)
		}
	}
	return own
}

// fields of /proc/PID/status that a look must not change.
var fields = []string{"Name:", "State:", "PPid:", "TracerPid:", "Threads:", "SigPnd:", "ShdPnd:", "SigBlk:", "SigIgn:", "SigCgt:"}

// picture is the state of all threads of a container as the kernel tells it.
func picture(pid int) string {
	var b strings.Builder
	for _, p := range members(pid) {
		tasks, _ := filepath.Glob("/proc/" + p + "/task/*")
		for _, task := range tasks {
			status, err := os.ReadFile(task + "/status")
			if err != nil {
				continue // it has just ended
			}
			fmt.Fprintln(&b, task)
			for _, line := range strings.Split(string(status), "\n") {
				if slices.ContainsFunc(fields, func(f string) bool { return strings.HasPrefix(line, f) }) {
					fmt.Fprintln(&b, "  ", line)
				}
			}
		}
	}
	return b.String()
}

// settle waits until the container's threads have looked the same for a second,
// at most ten: a shell that loops never does.
func settle(t *testing.T, pid int) {
	t.Helper()
	if pid == 0 {
		return
	}
	same, last := 0, ""
	for range 50 {
		time.Sleep(200 * time.Millisecond)
		now := picture(pid)
		if now == last {
			same++
		} else {
			same, last = 0, now
		}
		if same == 5 {
			return
		}
	}
}

// samePicture tells whether the container still looks as it did. A program that
// wakes up now and then (tini does each second) may be caught awake, so it looks
// a few times.
func samePicture(pid int, before string) (now string, same bool) {
	for range 10 {
		now = picture(pid)
		if now == before {
			return now, true
		}
		time.Sleep(100 * time.Millisecond)
	}
	return now, false
}
