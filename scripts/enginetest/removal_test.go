package enginetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
)

// disk is an engine whose data root is a file system of its own: one that can be
// frozen, turned read-only, and carries immutable files.
type disk struct {
	*lab
	d    *bed.Daemon
	data string
}

// newDisk starts the engine. What it leaves is undone also if this process dies.
func newDisk(t *testing.T, l *lab) *disk {
	t.Helper()
	bed.Require(t, "mkfs.ext4", "fsfreeze", "chattr", "unshare")
	dir, err := bed.TempDir()
	if err != nil {
		t.Fatal(err)
	}
	k := &disk{lab: l, data: filepath.Join(dir, "data")}
	image := dir + ".img"
	undo := bed.Guard(t, fmt.Sprintf("fsfreeze -u %[1]s; umount -R -l %[1]s; rm -f %[2]s; true", k.data, image)+" 2>/dev/null")
	t.Cleanup(undo)
	sh(t, fmt.Sprintf("mkdir %[1]s; truncate -s 300M %[2]s; mkfs.ext4 -q -F %[2]s; mount -o loop,noatime,errors=remount-ro %[2]s %[1]s", k.data, image))
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	if k.d, err = bed.NewDaemonWith(ctx, dir, bed.Options{Containerd: true, Args: []string{"--storage-driver", "overlay2"}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("end of the engine's log:\n%s", k.d.LogTail(4000))
		}
		_ = exec.Command("fsfreeze", "-u", k.data).Run()
		_ = exec.Command("chattr", "-R", "-i", "-a", k.data).Run()
		k.d.Stop()
	})
	if err := k.d.Import(ctx, "lab", map[string]string{"/siglab": bed.StaticProgram(t), "/mnt/": "", "/tmp/": ""}, `ENTRYPOINT ["/siglab"]`); err != nil {
		t.Fatal(err)
	}
	return k
}

// up starts a container and gives the directory of its own layer, which dockerd
// keeps: containerd's image store would leave it to containerd.
func (k *disk) up(t *testing.T, name string, flags ...string) (layer string) {
	t.Helper()
	if _, err := k.d.Run(t.Context(), append(append([]string{"--name", name}, flags...), "lab", "exit")...); err != nil {
		t.Fatal(err)
	}
	return k.docker(t, k.d, "inspect", "-f", "{{.GraphDriver.Data.UpperDir}}", name)
}

// held makes a file that nobody can unlink.
func held(t *testing.T, path, attribute string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	sh(t, "chattr +"+attribute+" "+path)
}

// fails holds that docker rm -f fails, with the kernel's words.
func (k *disk) fails(t *testing.T, name, words string) *command {
	t.Helper()
	rm := k.later(k.d, "rm", "-f", name)
	rm.returns(t, 20*time.Second)
	if rm.code != 1 || !strings.Contains(rm.message, words) {
		t.Errorf("docker rm -f %s: exit %d %s, want %q", name, rm.code, rm.message, words)
	}
	return rm
}

// freed takes the way out, and holds that the container is gone.
func (k *disk) freed(t *testing.T, a answer, words string) {
	t.Helper()
	cmd := a.fix(words)
	if cmd == "" {
		t.Fatalf("no fix with %q was printed:\n%s", words, a.text())
	}
	c := exec.CommandContext(t.Context(), "sh", "-ec", cmd)
	c.Env = k.d.Env()
	out, err := c.CombinedOutput()
	t.Logf("$ %s\n%s", cmd, out)
	if err != nil {
		t.Errorf("%s: %v", cmd, err)
	}
	k.gone(t, a.Name)
}

func (k *disk) gone(t *testing.T, name string) {
	t.Helper()
	if !bed.Eventually(10*time.Second, func() bool {
		return k.docker(t, k.d, "ps", "-aq", "--filter", "name=^"+name+"$") == ""
	}) {
		t.Errorf("%s is still there", name)
	}
}

// A file that nobody can unlink: in the layer, in the container's own directory,
// in an append-only directory, and one of a container that removes itself.
func (l *lab) removalHeld(t *testing.T) {
	k := newDisk(t, l)
	held(t, filepath.Join(k.up(t, "im"), "im"), "i")
	rm := k.fails(t, "im", "operation not permitted")
	a := k.ask(t, k.d, "im")
	a.wants(t, diagnose.NotRunning, []string{"WS328"}, "is immutable", "/diff/im", "State.Error")
	if a.exit != 1 || a.Confidence != diagnose.Certain {
		t.Errorf("exit code %d, %s", a.exit, a.Confidence)
	}
	k.fails(t, "im", "operation not permitted") // as foretold: again at once
	k.freed(t, a, "chattr -i")
	k.row(t, a, rm.sums())

	dir := filepath.Join(k.up(t, "ad"), "dir")
	sh(t, fmt.Sprintf("mkdir %[1]s; touch %[1]s/f; chattr +a %[1]s", dir))
	k.fails(t, "ad", "operation not permitted")
	a = k.ask(t, k.d, "ad")
	a.wants(t, diagnose.NotRunning, []string{"WS328"}, "is append-only (chattr +a): ", "/diff/dir")
	k.freed(t, a, "chattr -a")

	held(t, filepath.Join(k.up(t, "self", "--rm"), "x"), "i")
	a = k.ask(t, k.d, "self")
	a.wants(t, diagnose.Stops, nil)
	stop := k.later(k.d, "stop", "self")
	stop.returns(t, 20*time.Second)
	stop.told(t, a.Stop.Command) // with success, although the removal fails
	a = k.ask(t, k.d, "self")
	a.wants(t, diagnose.NotRunning, []string{"WS328"}, "is immutable", "/diff/x")
	k.freed(t, a, "chattr -i")
	k.forgets(t)
}

// forgets: dockerd does not keep the error over a restart, and loses a container
// whose configuration is gone already.
func (k *disk) forgets(t *testing.T) {
	held(t, filepath.Join(k.up(t, "words"), "im"), "i")
	k.fails(t, "words", "operation not permitted")
	k.up(t, "lost")
	dir := filepath.Join(k.data, "containers", k.id(t, k.d, "lost"))
	sh(t, "chattr +i "+dir+"/hosts")
	k.fails(t, "lost", "operation not permitted")
	a := k.ask(t, k.d, "lost")
	a.wants(t, diagnose.NotRunning, []string{"WS328"}, "is immutable (chattr +i): "+dir+"/hosts")

	k.d.Kill()
	a = k.ask(t, k.d, "words", "--data-root", k.d.DataRoot(), "--exec-root", k.d.ExecRoot())
	a.wants(t, diagnose.NotRunning, []string{"WS328", "WS309"}, "is immutable", "/diff/im")
	k.start(t)
	a = k.ask(t, k.d, "words")
	a.wants(t, diagnose.NotRunning, []string{"WS328"}, "is immutable", "/diff/im")
	if a.Confidence != diagnose.Likely {
		t.Errorf("%s without the engine's words", a.Confidence)
	}
	k.freed(t, a, "chattr -i")
	time.Sleep(11 * time.Second) // a younger directory may be that of a container that is just being made
	orphans := k.search(t, k.d, 0)
	orphans.hostFinding(t, "WS329", dir)
	sh(t, orphans.fix("rm -r --one-file-system "+dir))
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s: %v", dir, err)
	}
	if left := k.search(t, k.d, 0); len(left.report.Host.Findings) > 0 {
		t.Errorf("after the way out: %+v", left.report.Host.Findings)
	}
}

func (k *disk) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if err := k.d.Start(ctx); err != nil {
		t.Fatal(err)
	}
}

// hostFinding wants a finding about the engine as a whole, with its words.
func (a answer) hostFinding(t *testing.T, code, words string) {
	t.Helper()
	for _, f := range a.report.Host.Findings {
		if f.Code == code && strings.Contains(fmt.Sprint(f), words) {
			return
		}
	}
	t.Errorf("no %s with %q: %+v", code, words, a.report.Host.Findings)
}

// What is often said to hold a removal, and does not: mounts below its
// directories, its root file system in another mount namespace, a volume that
// another container has as well. Nor is a large container accused that takes long.
func (l *lab) removalFree(t *testing.T) {
	k := newDisk(t, l)
	layer := k.up(t, "free", "-v", "shared:/mnt")
	k.up(t, "other", "-v", "shared:/mnt")
	own := filepath.Join(k.data, "containers", k.id(t, k.d, "free"))
	holder := exec.Command("unshare", "-m", "--propagation", "private", "sleep", "60")
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Wait() }()
	defer func() { _ = holder.Process.Kill() }()
	merged := filepath.Join(filepath.Dir(layer), "merged")
	if !bed.Eventually(5*time.Second, func() bool {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", holder.Process.Pid))
		here, _ := os.Readlink("/proc/self/ns/mnt")
		there, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", holder.Process.Pid))
		return here != there && strings.Contains(string(b), merged)
	}) {
		t.Fatal("the other mount namespace does not hold it: this tests nothing")
	}
	sh(t, fmt.Sprintf("mkdir %[1]s/x %[2]s/x; mount -t tmpfs none %[1]s/x; mount -t tmpfs none %[2]s/x; mount -t tmpfs none %[3]s/tmp", layer, own, merged))
	rm := k.later(k.d, "rm", "-f", "free")
	rm.returns(t, 20*time.Second)
	if rm.code != 0 || rm.took > 4*time.Second {
		t.Errorf("mounts hold a removal: %s %s", rm.sums(), rm.message)
	}
	k.gone(t, "free")
	_ = holder.Process.Kill() // it holds the disks of the other scenes as well

	layer = k.up(t, "big")
	k.docker(t, k.d, "stop", "big")
	fill(t, layer)
	rm = k.later(k.d, "rm", "big")
	asked := 0
	for ; k.removing(t, "big"); asked++ {
		a := k.askAll(t, k.d, "big")
		for _, c := range a.report.Containers {
			one := answer{Container: c, report: a.report}
			t.Logf("%s: %s", one.words(), one.Headline)
			if a.exit != 0 || strings.Contains(one.words(), "WS328") || strings.Contains(one.words(), "WS311") {
				t.Errorf("a removal that goes on is accused: exit code %d\n%s", a.exit, one.text())
			}
		}
	}
	rm.returns(t, 60*time.Second)
	k.row(t, k.ask(t, k.d, "other"), fmt.Sprintf("%s, asked %d times", rm.sums(), asked))
}

// fill makes many files, so that a removal takes seconds.
func fill(t *testing.T, dir string) {
	t.Helper()
	many := filepath.Join(dir, "many")
	if err := os.Mkdir(many, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 50000 {
		f, err := os.Create(filepath.Join(many, fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
}

// removing waits for the engine to say so, false when it has got to the end.
func (k *disk) removing(t *testing.T, name string) bool {
	t.Helper()
	for {
		out, _, code := k.d.Docker(t.Context(), "inspect", "-f", "{{.State.Status}}", name)
		if code != 0 || strings.TrimSpace(out) == "removing" {
			return code == 0
		}
	}
}

// A frozen file system: before dockerd has written down that it removes, and in
// the midst of it.
func (l *lab) removalFrozen(t *testing.T) {
	k := newDisk(t, l)
	k.up(t, "noted")
	k.docker(t, k.d, "stop", "noted")
	healing(t, func() { _ = exec.Command("fsfreeze", "-u", k.data).Run() })
	sh(t, "fsfreeze -f "+k.data)
	rm := k.later(k.d, "rm", "noted")
	time.Sleep(6 * time.Second) // from 5 s on a wait is a long one
	a := k.ask(t, k.d, "noted")
	a.wants(t, diagnose.Stuck, []string{"WS311"}, "it has ended", "the file system is frozen", k.data)
	a.never(t)
	stop := k.later(k.d, "stop", "noted")
	time.Sleep(2 * time.Second)
	rm.waits(t)
	stop.waits(t)
	k.freed(t, a, "fsfreeze -u")
	rm.returns(t, 20*time.Second)
	stop.returns(t, 20*time.Second)

	layer := k.up(t, "midst")
	k.docker(t, k.d, "stop", "midst")
	fill(t, layer)
	rm = k.later(k.d, "rm", "midst")
	if !k.removing(t, "midst") {
		t.Fatal("it was gone too soon: this tests nothing")
	}
	sh(t, "fsfreeze -f "+k.data)
	time.Sleep(6 * time.Second)
	a = k.ask(t, k.d, "midst")
	a.wants(t, diagnose.NotRunning, []string{"WS311"}, "it is being removed", "the file system is frozen")
	if a.exit != 1 {
		t.Errorf("exit code %d", a.exit)
	}
	k.fails(t, "midst", "is already in progress")
	k.freed(t, a, "fsfreeze -u")
	rm.returns(t, 20*time.Second)
	k.row(t, a, rm.sums())
}

// An error has turned the file system read-only: no remount undoes that.
func (l *lab) removalReadOnly(t *testing.T) {
	k := newDisk(t, l)
	k.up(t, "ro")
	k.docker(t, k.d, "stop", "ro")
	device := strings.TrimSpace(outputOf(t, "findmnt", "-no", "SOURCE", k.data))
	trigger := filepath.Join("/sys/fs/ext4", filepath.Base(device), "trigger_fs_error")
	if err := os.WriteFile(trigger, []byte("1"), 0); err != nil {
		t.Skip("SKIPPED: the kernel cannot be told to find an error: ", err)
	}
	rm := k.fails(t, "ro", "read-only file system")
	if up := k.docker(t, k.d, "ps", "-a", "--format", "{{.Status}}"); !strings.HasPrefix(up, "Exited (0)") {
		t.Errorf("docker ps has its state: %s", up) // then --all finds it, and WS328's page is wrong
	}
	a := k.ask(t, k.d, "ro")
	a.wants(t, diagnose.NotRunning, []string{"WS328"}, "read-only: "+k.data, "fsck")
	if out, err := exec.Command("mount", "-o", "remount,rw", k.data).CombinedOutput(); err == nil {
		t.Errorf("a remount undoes it: %s", out)
	}
	image := filepath.Dir(k.data) + ".img"
	k.d.Kill()
	k.d.KillContainerd()
	sh(t, "umount -R "+k.data)
	// Another scene has a copy of all mounts for a moment.
	if !bed.Eventually(20*time.Second, func() bool { return outputOf(t, "losetup", "-j", image) == "" }) {
		t.Fatalf("the disk is still in use: %s", outputOf(t, "losetup", "-j", image))
	}
	sh(t, fmt.Sprintf("e2fsck -fy %[2]s || [ $? -lt 4 ]; mount -o loop,noatime %[2]s %[1]s", k.data, image))
	k.start(t)
	k.docker(t, k.d, "rm", "-f", "ro")
	k.gone(t, "ro")
	k.row(t, a, rm.sums())
}

func outputOf(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return string(out)
}
