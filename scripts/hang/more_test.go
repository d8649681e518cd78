package hang

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
)

// moreScenes are hangs and slowness that a limit or a device makes.
func moreScenes() []scene {
	eat := []string{"--memory", "8m", "--memory-swap", "8m", "--oom-kill-disable", "lab", "-n", "12", "eat"}
	slow := func(mode string) []string {
		return []string{"--device-write-bps", "DEVICE:1", "-v", "DIR:/data", "lab", "-f", "/data/file", mode}
	}
	limit := []string{"DEVICE, which its cgroup may use for 1 bytes in a second", "this call alone takes 68 min", "blkio.throttle.write_bps_device"}
	return []scene{
		{name: "throttled", run: slow("direct"), prepare: loopDevice, docker: commands[:1], fix: "write_bps_device",
			before: said{stuck, "likely", "WS213", limit}, dead: said{stuck, "certain", "WS213", limit}},
		{name: "throttled-lifted", run: slow("direct"), prepare: loopDevice, eases: "write_bps_device", before: said{stuck, "likely", "WS213", limit}},
		// The device is a file on a file system that is frozen.
		{name: "loop-frozen", run: []string{"-v", "DIR:/data", "lab", "-f", "/data/file", "direct"}, prepare: loopOnLoop, after: freezeBelow, docker: commands[1:2], fix: "fsfreeze -u",
			before: said{stuck, "likely", "WS214", []string{"DEVICE", "its kernel thread", "the file system is frozen", "fsfreeze -u DIR-below"}},
			dead:   said{stuck, "certain", "WS214", nil}},
		// A core dump into a directory whose server does not answer.
		{name: "core", run: []string{"--ulimit", "core=-1", "-v", "DIR:/mnt", "lab", "-f", "/mnt", "crash"}, prepare: silentFUSE, docker: commands[:1], fix: "/abort",
			before: said{stuck, anyhow, "WS210", []string{"CoreDumping 1", "--ulimit core=0"}}, dead: said{stuck, "certain", "WS210", []string{"CoreDumping 1"}}},
		// What is under way is not to be seen before, but the ring and the limit are.
		{name: "aio", run: slow("aio"), prepare: loopFile, docker: commands[1:2], race: commands[1:2], free: liftLimit,
			before: said{stuck, "assumed", "WS220", []string{"io_submit", "blkio.throttle.write_bps_device"}}, dead: said{stuck, "certain", "WS220", []string{"exit_aio"}}},
		// A log server that takes the connection and reads nothing.
		{name: "log-shrunk", run: []string{"--log-driver", "syslog", "--log-opt", "syslog-address=tcp://DEVICE", "lab", "flood"}, prepare: deafLog, docker: commands[:1], never: true, free: healed,
			before: said{stuck, "likely", "WS327", []string{"syslog", "does not read", "mode=non-blocking"}}},
		{name: "ok-zombies", killable: true, run: []string{"lab", "-n", "60", "zombies"}, docker: commands[1:2],
			before: said{diagnose.Killed, anyhow, "WS222", []string{"60 zombies", "--init"}}},
		{name: "oom-disabled", run: eat, eases: "docker update",
			before: said{diagnose.Killed, sure, "WS216", []string{"under_oom 1", "docker update --memory", "memory.oom_control"}}},
		{name: "ok-oom-disabled", killable: true, run: eat, docker: commands[:1], before: said{diagnose.Killed, sure, "WS216", nil}},
	}
}

// deafLog listens and never reads, and makes its receive buffer smaller while data is
// under way.
func deafLog(t *testing.T, _ *lab, p *played) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var taken []net.Conn
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.(*net.TCPConn).SetReadBuffer(4096)
			mu.Lock()
			taken = append(taken, c)
			mu.Unlock()
		}
	}()
	p.heal = append(p.heal, func() {
		_ = l.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range taken {
			_ = c.Close()
		}
	})
	p.device = l.Addr().String()
}

// healed lets the scene go by what ends it in any case.
func healed(p *played) error {
	for _, heal := range p.heal {
		heal()
	}
	return nil
}

// liftLimit lifts the write limit of the container's cgroup, which the dead init has
// left: it is found by the container's id.
func liftLimit(p *played) error {
	files, err := filepath.Glob("/sys/fs/cgroup/blkio/*/" + p.before.ID + "/blkio.throttle.write_bps_device")
	if err != nil || len(files) != 1 {
		return fmt.Errorf("found %v, %v", files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		return err
	}
	number, _, _ := strings.Cut(string(data), " ")
	return os.WriteFile(files[0], []byte(number+" 0"), 0o600)
}

// loopDevice is ext4 with the name of its device.
func loopDevice(t *testing.T, l *lab, p *played) {
	ext4(t, l, p)
	p.device = deviceOf(t, p.dir)
}

// loopFile has a file in it: what is written over is written asynchronously.
func loopFile(t *testing.T, l *lab, p *played) {
	loopDevice(t, l, p)
	sh(t, "dd if=/dev/zero of="+p.dir+"/file bs=8192 count=1 conv=fsync 2>&1; sync -f "+p.dir)
}

func deviceOf(t *testing.T, dir string) string {
	t.Helper()
	out, err := exec.Command("findmnt", "-n", "-o", "SOURCE", dir).Output()
	if err != nil {
		t.Fatalf("the device of %s: %v", dir, err)
	}
	return strings.TrimSpace(string(out))
}

// loopOnLoop makes a file system in a file on another.
func loopOnLoop(t *testing.T, _ *lab, p *played) {
	dir := makeDir(t, p)
	below, image := dir+"-below", filepath.Join(t.TempDir(), "image")
	p.tidy = append(p.tidy, func() {
		unmount(t, dir)
		unmount(t, below)
		if err := os.Remove(below); err != nil {
			t.Error(err)
		}
	})
	sh(t, fmt.Sprintf("mkdir %[1]s; truncate -s 64M %[2]s; mkfs.ext4 -q -F %[2]s; mount -o loop,noatime %[2]s %[1]s", below, image))
	sh(t, fmt.Sprintf("truncate -s 16M %[1]s/image; mkfs.ext4 -q -F %[1]s/image; mount -o loop,noatime %[1]s/image %[2]s", below, dir))
	p.device = deviceOf(t, dir)
}

// freezeBelow freezes the lower one; the guard thaws.
func freezeBelow(t *testing.T, _ *lab, p *played) {
	p.heal = append(p.heal, bed.Guard(t, "fsfreeze -u "+p.dir+"-below 2>/dev/null; true"))
	sh(t, "fsfreeze -f "+p.dir+"-below")
}

// ease runs the command that takes the trouble away. The init leaves its sleep,
// and docker stop ends it in order.
func (l *lab) ease(t *testing.T, s scene, p *played) {
	s.fix = s.eases
	s.letGo(t, l, p, map[string]bool{})
	if !bed.Eventually(3*time.Second, func() bool { return state(p.pid) == "S" }) {
		t.Errorf("after %q its state is %s", s.eases, state(p.pid))
	}
	after := l.ask(t, p.name)[0]
	start := time.Now()
	l.docker(t, "stop", "-t", "3", p.name)
	took := time.Since(start)
	if took > 2500*time.Millisecond || after.Verdict == stuck {
		t.Errorf("after %q: %s, and docker stop took %v", s.eases, words(after), took)
	}
	l.mu.Lock()
	l.rows = append(l.rows, fmt.Sprintf("%-16s %-30s %-30s %-34s %s", s.name, words(p.before), words(after), fmt.Sprintf("stop %.1f s rc 0", took.Seconds()), s.eases))
	l.mu.Unlock()
}

// state is the state letter of a process, "" when it is gone.
func state(pid int) string {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if i := strings.LastIndexByte(string(stat), ')'); i > 0 && len(stat) > i+2 {
		return string(stat[i+2])
	}
	return ""
}
