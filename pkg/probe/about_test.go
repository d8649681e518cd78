package probe

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/evidence"
)

const mountTable = `25 1 259:2 / / rw,relatime shared:1 - ext4 /dev/root rw
40 25 0:74 / /mnt/a\040b rw,nosuid shared:9 master:2 - fuse.sshfs ann@host:/srv\134x rw,user_id=0
41 25 7:0 / /data rw - ext4 /dev/loop0 rw
42 25 8:1 /sub /data rw - xfs /dev/sda1 rw
43 25 0:50 / /merged rw - overlay overlay rw,lowerdir=/l1:/l2,upperdir=/var/up\040per,workdir=/w
cut off 44 25 0:51 / /x`

func TestParseMounts(t *testing.T) {
	got := parseMounts([]byte(mountTable))
	want := []mount{
		{id: 25, device: "259:2", root: "/", point: "/", fsType: "ext4", source: "/dev/root"},
		{id: 40, device: "0:74", root: "/", point: "/mnt/a b", fsType: "fuse.sshfs", source: `ann@host:/srv\x`},
		{id: 41, device: "7:0", root: "/", point: "/data", fsType: "ext4", source: "/dev/loop0"},
		{id: 42, device: "8:1", root: "/sub", point: "/data", fsType: "xfs", source: "/dev/sda1"},
		{id: 43, device: "0:50", root: "/", point: "/merged", fsType: "overlay", source: "overlay", upper: "/var/up per"},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(mount{})); d != "" {
		t.Error(d)
	}
}

func TestMountOf(t *testing.T) {
	table := parseMounts([]byte(mountTable))
	for path, want := range map[string]int{
		"/": 25, "/etc/x": 25, "/mnt/a b": 40, "/mnt/a b/c": 40, "/mnt/a bc": 25,
		"/data/file": 42, // the later mount hides the earlier
		"/database":  25,
	} {
		if m := mountOf(table, path); m == nil || m.id != want {
			t.Errorf("%s is on %+v, want mount %d", path, m, want)
		}
	}
	if m := mountOf(table[1:], "/etc"); m != nil {
		t.Errorf("a path on no mount of the table is on %+v", m)
	}
}

// A path that a symbolic link leads elsewhere must not name a wrong mount.
func TestSettle(t *testing.T) {
	table := parseMounts([]byte(mountTable))
	fuse := evidence.Task{State: "S", Stack: []string{"request_wait_answer", "fuse_lookup"}}
	r := &reader{}
	a := &evidence.About{Path: "/etc/link", Via: evidence.ViaArgument}
	setMount(a, mountOf(table, a.Path))
	r.settle(a, &fuse, table, table)
	if a.Device != "0:74" || a.HostMount != "/mnt/a b" || a.Via != evidence.ViaArgument {
		t.Errorf("got %+v, want the only FUSE mount", a)
	}
	a = &evidence.About{Path: "/data/link", Via: evidence.ViaArgument}
	two := append(table, mount{device: "0:80", point: "/other", fsType: "fuse"})
	setMount(a, mountOf(two, a.Path))
	if r.settle(a, &fuse, two, table); a.Mount != "" || a.Device != "" {
		t.Errorf("got %+v of two FUSE mounts, want none", a)
	}
}

func FuzzMounts(f *testing.F) {
	f.Add([]byte(mountTable), "/data/x")
	f.Add([]byte("1 2 0:1 / / rw - \\777 \\0 upperdir=\n"), "")
	f.Fuzz(func(t *testing.T, data []byte, path string) {
		table := parseMounts(data)
		if m := mountOf(table, path); m != nil && !below(path, m.point) {
			t.Errorf("%q is not below %q", path, m.point)
		}
	})
}

func TestConnectionOf(t *testing.T) {
	for device, want := range map[string]int{"0:74": 74, "8:1": 8<<20 | 1, "0": -1, "": -1, "x:1": -1, "-1:2": -1, "0:99999999": -1} {
		conn, _, ok := connectionOf(device)
		if !ok {
			conn = -1
		}
		if conn != want {
			t.Errorf("%q is connection %d, want %d", device, conn, want)
		}
	}
}

func TestCallArguments(t *testing.T) {
	args := []uint64{0xffffffff00000005, 0x1000, 7, 0, 0xffffffff, 0}
	for name, want := range map[string]int{"write": 5, "splice": 7, "mmap": -1, "openat": -1, "": -1} {
		fd, ok := callFD(&evidence.Syscall{Name: name, Args: args})
		if !ok {
			fd = -1
		}
		if fd != want {
			t.Errorf("%s is about descriptor %d, want %d", name, fd, want)
		}
	}
	for name, want := range map[string]pathCall{"execve": {-1, 0}, "newfstatat": {0, 1}, "symlinkat": {1, 2}} {
		if got, ok := callPath(&evidence.Syscall{Name: name, Args: args}); !ok || got != want {
			t.Errorf("%s: %v, %v; want %v", name, got, ok, want)
		}
	}
	if _, ok := callPath(&evidence.Syscall{Name: "openat", NR: 257}); ok {
		t.Error("a call without arguments has a path")
	}
}

// Memory is not touched where a thread hangs in a page fault, or where nothing
// is known of a thread in D.
func TestMemoryFree(t *testing.T) {
	for _, tt := range []struct {
		task evidence.Task
		want bool
	}{
		{evidence.Task{State: "S", Stack: []string{"request_wait_answer", "fuse_lookup"}}, true},
		{evidence.Task{State: "D", Stack: []string{"path_openat", "do_filp_open"}}, true},
		{evidence.Task{State: "D", Stack: []string{"request_wait_answer", "filemap_fault", "handle_mm_fault"}}, false},
		{evidence.Task{State: "S", Stack: []string{"handle_userfault", "do_user_addr_fault"}}, false},
		{evidence.Task{State: "D", Stack: []string{"vm_mmap_pgoff"}}, false},
		{evidence.Task{State: "D"}, false},
	} {
		p := &evidence.Process{State: "S", Tasks: []evidence.Task{{State: "S"}, tt.task}}
		if got := memoryFree(p); got != tt.want {
			t.Errorf("%+v: %v", tt.task, got)
		}
	}
}

// A real process: how long it has slept, and a string of its memory.
func TestSlept(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	time.Sleep(1200 * time.Millisecond)
	r := New(Config{}).newReader()
	defer r.close()
	start := time.Now()
	ms := r.slept(cmd.Process.Pid, cmd.Process.Pid)
	if ms == nil {
		t.Skip("this kernel's sched files do not tell")
	}
	if *ms < 700 || *ms > 3000 {
		t.Errorf("slept %d ms, want about 1200", *ms)
	}
	t.Logf("slept %d ms, read in %v", *ms, time.Since(start))
}

func TestParseSched(t *testing.T) {
	text := "sleep (2, #threads: 1)\n---\nse.exec_start      :       6474272.602223\nse.vruntime : 1\n"
	if ms, ok := parseExecStart([]byte(text)); !ok || ms != 6474272.602223 {
		t.Errorf("%v, %v", ms, ok)
	}
	if _, ok := parseExecStart([]byte("se.vruntime : 1\n")); ok {
		t.Error("no se.exec_start, and a time")
	}
	stat := "7 (a) b) S " + strings.Repeat("0 ", 35) + "3 0 0\n"
	if cpu, ok := parseCPU([]byte(stat)); !ok || cpu != 3 {
		t.Errorf("CPU %d, %v", cpu, ok)
	}
}

// A string that ends before a page that is not there, and one that does not.
func TestReadString(t *testing.T) {
	page := os.Getpagesize()
	mem, err := unix.Mmap(-1, 0, 2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	if err := unix.Mprotect(mem[page:], unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	const text = "/mnt/x"
	at := page - len(text) - 1
	copy(mem[at:], text)
	addr := uint64(uintptr(unsafe.Pointer(&mem[at])))
	r := New(Config{}).newReader()
	defer r.close()
	if got, ok := r.readString(os.Getpid(), addr); !ok || got != text {
		t.Errorf("got %q, %v", got, ok)
	}
	mem[page-1] = 'y'
	if got, ok := r.readString(os.Getpid(), addr); ok {
		t.Errorf("got %q of a string without an end", got)
	}
	if _, ok := r.readString(os.Getpid(), 0); ok {
		t.Error("a string at NULL")
	}
}

// The time of each task that may hang is asked for, of few the file; and a wait that
// shows S in its own exit is one of them.
func TestHangingTasks(t *testing.T) {
	l := &look{t: &evidence.Target{Processes: []evidence.Process{{PID: 5}}}}
	for i := range maxAbout + 4 {
		l.t.Processes[0].Tasks = append(l.t.Processes[0].Tasks, evidence.Task{TID: 5 + i, State: "D", Stack: []string{"percpu_rwsem_wait"}, Again: &evidence.SecondLook{State: "D"}})
	}
	if few, all := len(l.hangingTasks(maxAbout)[5]), len(l.hangingTasks(maxAgain)[5]); few != maxAbout || all != maxAbout+4 {
		t.Errorf("%d and %d tasks, want %d and %d", few, all, maxAbout, maxAbout+4)
	}
	wchan := "io_uring_cancel_generic"
	uring := evidence.Task{State: "S", Wchan: &wchan, Stack: []string{wchan, "do_exit"}, Again: &evidence.SecondLook{State: "S"}}
	if !restless(&uring) || !mayHang(&uring) {
		t.Error("an exit that waits for io_uring gets no second look")
	}
	zombie := evidence.Process{PID: 7, State: "Z", TracerPID: 8, Tasks: []evidence.Task{{TID: 7, State: "Z"}}}
	if len(restlessTasks([]evidence.Process{zombie})) != 1 {
		t.Error("a zombie that its tracer may fetch gets no second look")
	}
}

// Only who is stuck on the same device is in the same trouble, and only who has
// been so for longer than a disk takes. The owner of a lock is named in any case.
func TestStuckWith(t *testing.T) {
	ms := func(n int) *int { return &n }
	on := func(device, under string) *evidence.About {
		return &evidence.About{Device: device, Under: under, FSType: "ext4"}
	}
	task := evidence.Task{TID: 5, State: "D", Wchan: new(string), Again: &evidence.SecondLook{State: "D"}, About: on("7:0", "")}
	target := &evidence.Target{Processes: []evidence.Process{{PID: 5, State: "D", Tasks: []evidence.Task{task}}}}
	c := crew{whole: true, tasks: []evidence.OtherTask{
		{PID: 5, TID: 5, About: on("7:0", ""), SleptMillis: ms(9000)},                         // the target's own
		{PID: 6, TID: 6, About: on("7:0", ""), SleptMillis: ms(2000)},                         // the same file system
		{PID: 7, TID: 7, About: on("0:99", "7:0"), SleptMillis: ms(5000)},                     // an overlay on it
		{PID: 8, TID: 8, About: on("7:0", ""), SleptMillis: ms(20)},                           // a moment's wait
		{PID: 9, TID: 9, About: on("8:0", ""), SleptMillis: ms(9000)},                         // another file system
		{PID: 10, TID: 11, SleptMillis: ms(0)},                                                // owns the lock
		{PID: 12, TID: 12},                                                                    // nothing is known of it
		{PID: 13, TID: 13, About: on("7:0", ""), SleptMillis: ms(9000), Wchan: "autofs_wait"}, // killable
	}}
	got := c.stuckWith(target, []int{11})
	var tids []int
	for _, o := range got.Tasks {
		tids = append(tids, o.TID)
	}
	if d := cmp.Diff([]int{7, 6, 11}, tids); d != "" || got.Count != 3 || !got.Whole {
		t.Errorf("count %d, %s", got.Count, d)
	}
}
