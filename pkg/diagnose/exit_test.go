package diagnose

import (
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// TestWaitInExit: SIGKILL does not reach a task in its exit, whatever the wait is
// elsewhere; a stack that says so is enough, the process need not be dying.
func TestWaitInExit(t *testing.T) {
	nfs := []string{"rpc_wait_bit_killable", "nfs4_do_close", "nfs_file_release", "__fput", "task_work_run"}
	wakeKill := &evidence.Kernel{Tasks: []evidence.KernelTask{{TID: 100, State: 0x102}}}
	long := 60_000
	cases := []struct {
		name   string
		stack  []string
		kernel *evidence.Kernel
		want   Verdict
		conf   Confidence
	}{
		{"a killable wait", nfs, nil, Killed, Certain},
		{"the same, by the kernel's word", nfs, wakeKill, Killed, Certain},
		{"in its exit", append(nfs[:len(nfs):len(nfs)], "do_exit", "do_group_exit"), nil, Stuck, Likely},
		{"in its exit, by the kernel's word", append(nfs[:len(nfs):len(nfs)], "do_exit"), wakeKill, Stuck, Likely},
		{"a GPU that does not finish, in its exit", []string{"dma_fence_default_wait", "drm_release", "__fput", "do_exit"}, nil, Stuck, Assumed},
		{"a slow disk, in its exit", []string{"jbd2_log_wait_commit", "ext4_evict_inode", "do_exit"}, nil, Stuck, Assumed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			q := proc{pid: 100, ns: 1, call: "pause", change: func(p *evidence.Process) {
				p.State, p.Tasks[0].State, p.Kernel = "D", "D", c.kernel
				p.Tasks[0].Stack = c.stack
				p.Tasks[0].Again = &evidence.SecondLook{State: "D", SleptMillis: &long}
			}}
			want(t, Judge(snapshot(q), Options{}).Containers[0], c.want, c.conf)
		})
	}
}
