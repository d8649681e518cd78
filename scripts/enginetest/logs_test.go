package enginetest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
)

// receiverArg makes this program a receiver of logs, which reads.
const receiverArg = "receive-logs"

// receive prints its address and reads whatever comes, until its input ends: on a
// port of its own, or on a unix socket.
func receive(network, address string) error {
	l, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, c) }()
		}
	}()
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// receiver starts one that ends with the scene.
func receiver(t *testing.T, network, at string) (pid int, address string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], receiverArg, network, at)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	address, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid, strings.TrimSpace(address)
}

// stands is from when on a receiver is not taken for a slow one, and the time to
// fill all that lies before it.
const stands = 9 * time.Second

// logTo are the options of a container whose log goes to an address.
func logTo(driver, option, address string, more ...string) []string {
	return append([]string{"--log-driver", driver, "--log-opt", option + "=" + address}, append(more, "lab", "flood")...)
}

// A receiver that is stopped: docker stop does not return before it goes on, and
// that is said beforehand.
func (l *lab) logStopped(t *testing.T) {
	pid, address := receiver(t, "tcp", "127.0.0.1:0")
	l.run(t, l.plain, "log-stopped", logTo("syslog", "syslog-address", "tcp://"+address)...)
	hold(t, pid)
	time.Sleep(stands)
	a := l.ask(t, l.plain, "log-stopped")
	a.wants(t, diagnose.Stuck, []string{"WS327", "WS221"}, address, fmt.Sprintf("kill -CONT %d", pid))
	a.never(t)
	a.sure(t, diagnose.Likely)
	stop := l.later(l.plain, "stop", "-t", "1", "log-stopped")
	time.Sleep(14 * time.Second) // the copying of the log is given up after 10 s
	stop.waits(t)
	if up := l.docker(t, l.plain, "ps", "--filter", "name=log-stopped", "--format", "{{.Status}}"); !strings.HasPrefix(up, "Up") {
		t.Errorf("docker ps says %q", up)
	}
	after := l.ask(t, l.plain, "log-stopped")
	after.wants(t, diagnose.Stuck, []string{"WS321"}, "syslog at "+address)
	a.wayOut(t, "kill -CONT")
	stop.returns(t, 20*time.Second)
	l.exits(t, "log-stopped")
	l.row(t, a, stop.sums())
}

// The same with docker kill, fluentd, and connections that are cut.
func (l *lab) logCut(t *testing.T) {
	pid, address := receiver(t, "tcp", "127.0.0.1:0")
	l.run(t, l.plain, "log-cut", logTo("fluentd", "fluentd-address", address)...)
	hold(t, pid)
	time.Sleep(stands)
	a := l.ask(t, l.plain, "log-cut")
	a.wants(t, diagnose.Stuck, []string{"WS327"}, "fluentd at "+address, "ss -K dst 127.0.0.1")
	a.never(t)
	a.sure(t, diagnose.Likely)
	kill := l.later(l.plain, "kill", "log-cut")
	time.Sleep(14 * time.Second)
	kill.waits(t)
	l.ask(t, l.plain, "log-cut").wayOut(t, "ss -K")
	kill.returns(t, 30*time.Second)
	l.exits(t, "log-cut")
	l.row(t, a, kill.sums())
}

// mode=non-blocking keeps the program going, and not the exit.
func (l *lab) logRing(t *testing.T) {
	pid, address := receiver(t, "tcp", "127.0.0.1:0")
	l.run(t, l.plain, "log-ring", logTo("gelf", "gelf-address", "tcp://"+address, "--log-opt", "mode=non-blocking")...)
	hold(t, pid)
	time.Sleep(stands)
	a := l.ask(t, l.plain, "log-ring")
	a.wants(t, diagnose.Stuck, []string{"WS327"}, "gelf at "+address)
	a.never(t)
	a.sure(t, diagnose.Assumed)
	rm := l.later(l.plain, "rm", "-f", "log-ring")
	time.Sleep(14 * time.Second)
	rm.waits(t)
	l.ask(t, l.plain, "log-ring").wants(t, diagnose.Stuck, []string{"WS321"})
	a.wayOut(t, "kill -CONT")
	rm.returns(t, 20*time.Second)
	l.row(t, a, rm.sums())
}

// A receiver on a unix socket, and docker rm -f.
func (l *lab) logUnix(t *testing.T) {
	pid, path := receiver(t, "unix", filepath.Join(t.TempDir(), "log.sock"))
	l.run(t, l.plain, "log-unix", logTo("syslog", "syslog-address", "unix://"+path)...)
	hold(t, pid)
	time.Sleep(stands)
	a := l.ask(t, l.plain, "log-unix")
	a.wants(t, diagnose.Stuck, []string{"WS327"}, path, fmt.Sprintf("kill -CONT %d", pid))
	a.never(t)
	a.sure(t, diagnose.Likely)
	rm := l.later(l.plain, "rm", "-f", "log-unix")
	time.Sleep(14 * time.Second)
	rm.waits(t)
	a.wayOut(t, "kill -CONT")
	rm.returns(t, 30*time.Second)
	l.row(t, a, rm.sums())
}

// A receiver that reads is not accused, however much it is sent.
func (l *lab) logRead(t *testing.T) {
	_, address := receiver(t, "tcp", "127.0.0.1:0")
	l.run(t, l.plain, "log-read", logTo("syslog", "syslog-address", "tcp://"+address)...)
	time.Sleep(2 * time.Second)
	a := l.ask(t, l.plain, "log-read")
	a.wants(t, diagnose.Stops, nil)
	a.innocent(t)
	stop := l.later(l.plain, "stop", "log-read")
	stop.returns(t, 20*time.Second)
	stop.told(t, a.Stop.Command)
	l.row(t, a, stop.sums())
}

// sure holds the confidence of an answer.
func (a answer) sure(t *testing.T, want diagnose.Confidence) {
	t.Helper()
	if a.Confidence != want {
		t.Errorf("%s: %s, want %s", a.Name, a.Confidence, want)
	}
}

// A frozen file system: the scene has an engine of its own whose containers' directory lies on a file
// system that is frozen: dockerd itself hangs, and answers.
func (l *lab) logFrozen(t *testing.T) {
	bed.Require(t, "mkfs.ext4", "fsfreeze")
	d := bed.StartDaemon(t)
	if err := d.Import(t.Context(), "lab", map[string]string{"/siglab": bed.StaticProgram(t)}, `ENTRYPOINT ["/siglab"]`); err != nil {
		t.Fatal(err)
	}
	dir, image := d.DataRoot()+"/containers", filepath.Join(t.TempDir(), "image")
	t.Cleanup(bed.Guard(t, "umount "+dir+" 2>/dev/null; true"))
	sh(t, fmt.Sprintf("truncate -s 64M %[1]s; mkfs.ext4 -q -F %[1]s; mount -o loop %[1]s %[2]s", image, dir))
	l.run(t, d, "writes", "lab", "flood")
	l.run(t, d, "quiet", "lab", "exit")
	thaw := healing(t, bed.Guard(t, "fsfreeze -u "+dir+" 2>/dev/null; true"))
	sh(t, "fsfreeze -f "+dir)
	time.Sleep(stands)
	quiet := l.ask(t, d, "quiet")
	quiet.wants(t, diagnose.Stuck, []string{"WS327"}, "fsfreeze -u "+dir)
	quiet.sure(t, diagnose.Assumed)
	a := l.ask(t, d, "writes")
	a.wants(t, diagnose.Stuck, []string{"WS327", "WS221"}, "fsfreeze -u "+dir, "json.log")
	a.sure(t, diagnose.Likely)
	stop, stopQuiet := l.later(d, "stop", "-t", "1", "writes"), l.later(d, "stop", "-t", "1", "quiet")
	time.Sleep(14 * time.Second)
	stop.waits(t)
	stopQuiet.waits(t)
	a.wayOut(t, "fsfreeze -u")
	stop.returns(t, 30*time.Second)
	stopQuiet.returns(t, 30*time.Second)
	thaw()
	for _, name := range []string{"writes", "quiet"} {
		if s := l.state(t, d, name); !strings.HasPrefix(s, "exited") {
			t.Errorf("after the way out: %s %s", name, s)
		}
	}
	l.row(t, a, stop.sums()+", "+stopQuiet.sums())
}
