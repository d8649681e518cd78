package catalog

import (
	"slices"
	"strings"
)

// Killable says whether SIGKILL ends a task in a wait.
type Killable string

// The answers.
const (
	KillableYes     Killable = "yes"     // interruptible, or TASK_KILLABLE
	KillableNo      Killable = "no"      // TASK_UNINTERRUPTIBLE
	KillableUnknown Killable = "unknown" // the frame alone does not tell
)

// Wait is one row of the wait-channel catalog.
type Wait struct {
	// Frames are kernel functions, without compiler suffixes; a row matches when
	// any frame of the stack, or the wait channel, is one of them.
	Frames []string
	Prefix bool // Frames are beginnings of names
	// Top: only the innermost frame counts, that of the scheduler and of the
	// primitives over it left out: these functions call many that wait by
	// themselves.
	Top bool
	// With: the row matches only if one of these is in the stack too; nil: always.
	With     []string
	Topic    string
	Killable Killable
	// Read: SIGKILL ends the wait only while nobody has read the request (FUSE).
	Read   bool
	Cause  string // the usual cause, in words
	WayOut string
	// Recorded: not provoked in the hang bed; from kernel source and public reports.
	Recorded bool
	Source   string
}

// waits, the most telling first: a frame high in the list names the cause even
// where a generic lock stands on top of the stack.
var waits = []Wait{
	{Frames: []string{"zap_pid_ns_processes"}, Topic: "pidns", Killable: KillableNo,
		Cause: "the PID namespace is being emptied and a task in it does not go away", WayOut: "free the task it waits for", Source: "kernel/pid_namespace.c"},
	// Not queued yet, so that nobody can have read it.
	{Frames: []string{"fuse_get_req", "__fuse_get_req"}, Top: true, Topic: "fuse", Killable: KillableYes,
		Cause: "a FUSE connection takes no more requests: it is new, or its background queue is full", WayOut: "restart or kill the FUSE server, or abort its connection", Source: "fs/fuse/dev.c wait_event_killable_exclusive"},
	// Whatever file system writes, the sleep is the same.
	{Frames: []string{"balance_dirty_pages"}, Top: true, Topic: "memory", Killable: KillableYes,
		Cause: "memory or dirty page limits", WayOut: "raise the limit", Source: "mm/page-writeback.c"},
	{Frames: []string{"request_wait_answer", "__fuse_simple_request", "fuse_simple_request"}, Topic: "fuse", Killable: KillableUnknown, Read: true,
		Cause: "a FUSE server does not answer", WayOut: "restart or kill the FUSE server, or abort its connection", Source: "fs/fuse/dev.c"},
	{Frames: []string{"folio_wait_bit_killable", "__folio_lock_killable", "__lock_page_killable", "wait_on_page_bit_killable"}, Topic: "page", Killable: KillableYes,
		Cause: "a page is being read", WayOut: "look at the file system under the file", Source: "mm/filemap.c"},
	{Frames: []string{"folio_put_wait_locked", "put_and_wait_on_page_locked"}, With: []string{"filemap_update_page", "filemap_get_pages", "filemap_read"}, Topic: "page", Killable: KillableYes,
		Cause: "a page is being read", WayOut: "look at the file system under the file", Source: "mm/filemap.c filemap_update_page"},
	{Frames: []string{"fuse_"}, Prefix: true, Topic: "fuse", Killable: KillableNo,
		Cause: "behind another task that waits for a FUSE server", WayOut: "restart or kill the FUSE server, or abort its connection", Source: "fs/fuse"},
	{Frames: []string{"autofs_wait"}, Topic: "autofs", Killable: KillableYes,
		Cause: "the automount daemon does not answer", WayOut: "restart the automount daemon", Source: "fs/autofs/waitq.c"},
	{Frames: []string{"wait_for_vfork_done"}, Topic: "vfork", Killable: KillableYes,
		Cause: "its vfork child has not yet called exec", WayOut: "look at the child", Source: "kernel/fork.c"},
	{Frames: []string{"__do_sys_vfork", "kernel_clone", "_do_fork", "do_fork"}, Top: true, Topic: "vfork", Killable: KillableYes,
		Cause: "its vfork child has not yet called exec", WayOut: "look at the child", Source: "kernel/fork.c"},
	{Frames: []string{"__refrigerator"}, Topic: "freezer", Killable: KillableNo,
		Cause: "its cgroup is frozen", WayOut: "docker unpause, or thaw the cgroup that was frozen", Source: "kernel/freezer.c"},
	{Frames: []string{"nfs_wait_on_request", "nfs_page_group_lock", "nfs_lock_and_join_requests", "nfs_page_set_headlock"}, Topic: "nfs", Killable: KillableNo, Recorded: true,
		Cause: "dirty pages to an NFS server that does not answer", WayOut: "restore the NFS server; umount -f", Source: "fs/nfs/write.c"},
	{Frames: []string{"rpc_wait_bit_killable", "nfs4_delay_killable", "nfs_wait_bit_killable", "nfs_set_open_stateid_locked", "nfs_iocounter_wait"}, Topic: "nfs", Killable: KillableYes, Recorded: true,
		Cause: "an NFS server does not answer", WayOut: "restore the NFS server; umount -f", Source: "net/sunrpc/sched.c, fs/nfs"},
	{Frames: []string{"wait_on_page_bit", "wait_on_page_writeback", "folio_wait_writeback", "folio_wait_bit", "__filemap_fdatawait_range"},
		With:  []string{"nfs_wb_all", "nfs_file_flush", "nfs4_file_flush", "nfs_file_fsync", "nfs_setattr", "nfs_release", "nfs_writepages"},
		Topic: "nfs", Killable: KillableNo, Recorded: true,
		Cause: "dirty pages to an NFS server that does not answer", WayOut: "restore the NFS server; umount -f", Source: "fs/nfs/file.c, mm/filemap.c"},
	{Frames: []string{"nfs_", "nfs3_", "nfs4_", "rpc_", "__rpc_", "xprt_"}, Prefix: true, Topic: "nfs", Killable: KillableUnknown, Recorded: true,
		Cause: "behind an NFS server that does not answer", WayOut: "restore the NFS server; umount -f", Source: "fs/nfs, net/sunrpc"},
	{Frames: []string{"wait_for_free_credits", "wait_for_response", "wait_for_compound_request"}, Topic: "cifs", Killable: KillableYes, Recorded: true,
		Cause: "an SMB server does not answer", WayOut: "restore the SMB server; umount -f", Source: "fs/smb/client/transport.c"},
	{Frames: []string{"wait_on_page_bit", "wait_on_page_writeback", "folio_wait_writeback", "folio_wait_bit", "__filemap_fdatawait_range"},
		With:  []string{"cifs_flush", "cifs_strict_fsync", "cifs_fsync", "cifs_setattr", "cifs_close"},
		Topic: "cifs", Killable: KillableNo, Recorded: true,
		Cause: "dirty pages to an SMB server that does not answer", WayOut: "restore the SMB server; umount -f", Source: "fs/smb/client/file.c, mm/filemap.c"},
	{Frames: []string{"cifs_", "smb2_", "SMB2_", "smb3_", "compound_send_recv"}, Prefix: true, Topic: "cifs", Killable: KillableUnknown, Recorded: true,
		Cause: "behind an SMB server that does not answer", WayOut: "restore the SMB server; umount -f", Source: "fs/smb/client"},
	// SIGKILL ends the wait, and then the client waits for the answer to its TFLUSH.
	{Frames: []string{"p9_client_rpc", "p9_virtio_zc_request", "p9_client_"}, Prefix: true, Topic: "9p", Killable: KillableUnknown, Recorded: true,
		Cause: "a 9p server does not answer", WayOut: "restart the host's 9p server", Source: "net/9p/client.c p9_client_flush"},
	{Frames: []string{"wait_caps_flush"}, Topic: "ceph", Killable: KillableNo, Recorded: true,
		Cause: "CephFS capabilities cannot be flushed", WayOut: "restore the MDS", Source: "fs/ceph"},
	{Frames: []string{"ceph_mdsc_do_request", "ceph_mdsc_wait_request", "ceph_osdc_wait_request"}, Top: true, Topic: "ceph", Killable: KillableYes, Recorded: true,
		Cause: "a Ceph server does not answer", WayOut: "restore the MDS or OSD", Source: "fs/ceph/mds_client.c wait_for_completion_killable_timeout"},
	{Frames: []string{"ceph_", "__ceph_", "rbd_"}, Prefix: true, Topic: "ceph", Killable: KillableUnknown, Recorded: true,
		Cause: "a Ceph server does not answer", WayOut: "restore the MDS or OSD", Source: "fs/ceph"},
	{Frames: []string{"mnt_want_write", "sb_start_write", "__sb_start_write", "sb_start_pagefault"}, Topic: "frozen-fs", Killable: KillableNo,
		Cause: "the file system is frozen", WayOut: "fsfreeze -u MOUNTPOINT", Source: "fs/super.c"},
	// sb_start_write is inlined: what stands in the stack is its caller.
	{Frames: []string{"percpu_rwsem_wait"}, With: []string{"vfs_write", "vfs_writev", "do_writev", "vfs_iter_write", "do_iter_write", "vfs_truncate", "do_truncate", "do_sys_ftruncate",
		"vfs_fallocate", "do_page_mkwrite", "filename_create", "do_unlinkat", "do_rmdir", "do_renameat2", "path_openat", "do_sendfile", "do_splice_direct", "vfs_copy_file_range", "file_start_write", "lo_rw_aio"},
		Topic: "frozen-fs", Killable: KillableNo,
		Cause: "the file system is frozen", WayOut: "fsfreeze -u MOUNTPOINT", Source: "include/linux/fs.h sb_start_write"},
	{Frames: []string{"percpu_rwsem_wait"}, Topic: "frozen-fs", Killable: KillableNo,
		Cause: "a per-CPU lock is held, most often a frozen file system", WayOut: "fsfreeze -u MOUNTPOINT", Source: "kernel/locking/percpu-rwsem.c"},
	{Frames: []string{"jbd2_log_wait_commit", "wait_transaction_locked", "wait_transaction_switching", "start_this_handle", "add_transaction_credits", "jbd2_journal_lock_updates",
		"do_get_write_access", "jbd2_log_do_checkpoint", "__jbd2_log_wait_for_space", "jbd2_journal_wait_updates", "jbd2_journal_commit_transaction", "jbd2_complete_transaction"}, Topic: "journal", Killable: KillableNo, Recorded: true,
		Cause: "the ext4 journal waits for its disk", WayOut: "look at the disk under the file system", Source: "fs/jbd2"},
	{Frames: []string{"xlog_grant_head_wait", "xfs_log_force", "xfs_log_force_seq", "xfs_log_force_lsn", "xfs_buf_lock", "xfs_buf_iowait", "xlog_wait", "xlog_wait_on_iclog", "xlog_cil_force_lsn"}, Topic: "journal", Killable: KillableNo, Recorded: true,
		Cause: "the XFS log waits for its disk", WayOut: "look at the disk under the file system", Source: "fs/xfs"},
	{Frames: []string{"wait_current_trans", "btrfs_commit_transaction", "btrfs_tree_lock", "__btrfs_tree_lock", "btrfs_tree_read_lock", "wait_for_commit", "btrfs_start_ordered_extent", "btrfs_wait_ordered_range",
		"btrfs_async_run_delayed_refs", "btrfs_delete_unused_bgs"}, Topic: "journal", Killable: KillableNo, Recorded: true,
		Cause: "a Btrfs transaction waits", WayOut: "look at the disk under the file system", Source: "fs/btrfs"},
	{Frames: []string{"txg_wait_synced", "txg_wait_open", "dmu_tx_wait", "zil_commit", "zio_wait", "cv_wait_common", "__cv_wait"}, Topic: "zfs", Killable: KillableNo, Recorded: true,
		Cause: "a ZFS pool does not come to the end of a transaction", WayOut: "zpool status; zpool clear POOL", Source: "OpenZFS module/os/linux/spl/spl-condvar.c"},
	{Frames: []string{"zfs_", "zpl_"}, Prefix: true, Topic: "zfs", Killable: KillableUnknown, Recorded: true,
		Cause: "behind a ZFS pool that does not come to the end of a transaction", WayOut: "zpool status; zpool clear POOL", Source: "OpenZFS"},
	{Frames: []string{"dm_suspend", "dm_wait_for_completion", "do_no_space"}, Topic: "device-mapper", Killable: KillableNo, Recorded: true,
		Cause: "a device-mapper device is suspended or full", WayOut: "dmsetup info; dmsetup resume NAME", Source: "drivers/md/dm.c"},
	{Frames: []string{"md_super_wait", "md_write_start", "wait_barrier", "raid5_get_active_stripe", "raid5_make_request", "md_flush_request", "md_handle_request", "freeze_array"}, Topic: "md", Killable: KillableNo, Recorded: true,
		Cause: "an MD array does not answer", WayOut: "cat /proc/mdstat", Source: "drivers/md"},
	{Frames: []string{"nbd_"}, Prefix: true, Topic: "nbd", Killable: KillableNo, Recorded: true,
		Cause: "the server of a network block device is gone", WayOut: "nbd-client -d DEVICE", Source: "drivers/block/nbd.c"},
	{Frames: []string{"scsi_block_when_processing_errors", "scsi_execute_cmd", "__scsi_execute", "scsi_execute", "scsi_test_unit_ready", "sd_check_events"}, Topic: "scsi", Killable: KillableNo, Recorded: true,
		Cause: "a SCSI device is in error handling", WayOut: "fix the path or delete the device", Source: "drivers/scsi"},
	{Frames: []string{"rq_qos_wait", "wbt_wait", "blk_mq_get_tag", "blk_queue_enter", "blk_mq_freeze_queue_wait", "blk_execute_rq", "submit_bio_wait", "blkdev_issue_flush",
		"__blkdev_direct_IO", "iomap_dio_rw", "__iomap_dio_rw", "dio_await_one", "blk_throtl_bio",
		"__wait_on_buffer", "sync_buffer", "sleep_on_buffer", "bt_get", "get_request", "nvme_wait_freeze"}, Topic: "block", Killable: KillableNo,
		Cause: "a block device is dead, full or throttled", WayOut: "look at the device and its limits (io.max, blkio.throttle)", Source: "block/"},
	{Frames: []string{"folio_wait_writeback", "folio_wait_bit", "__folio_lock", "__lock_page", "wait_on_page_writeback", "wait_on_page_bit"}, Topic: "page", Killable: KillableNo,
		Cause: "a page is locked by an input or output that does not end", WayOut: "look at the file system under the file", Source: "mm/filemap.c"},
	{Frames: []string{"d_alloc_parallel"}, Topic: "lookup", Killable: KillableNo,
		Cause: "another task looks up the same name and does not come back", WayOut: "free the first task", Source: "fs/dcache.c"},
	{Frames: []string{"nvidia_", "nv_", "nvkms_", "nvUvm", "os_acquire_", "uvm_", "rm_"}, Prefix: true, Topic: "gpu", Killable: KillableUnknown, Recorded: true,
		Cause: "the NVIDIA driver does not answer", WayOut: "nvidia-smi; reset the GPU or reboot", Source: "public reports"},
	{Frames: []string{"dma_fence_", "fence_wait_timeout", "drm_", "amdgpu_", "amd_sched_", "ttm_", "kfd_", "nouveau_", "i915_"}, Prefix: true, Topic: "gpu", Killable: KillableUnknown, Recorded: true,
		Cause: "the GPU does not finish", WayOut: "reset the GPU or reboot", Source: "drivers/gpu/drm"},
	{Frames: []string{"coredump_wait", "do_coredump", "wait_for_dump_helpers", "dump_emit", "coredump_task_exit"}, Topic: "coredump", Killable: KillableUnknown,
		Cause: "a core dump is being written", WayOut: "wait, or kill the core_pattern helper", Source: "fs/coredump.c"},
	{Frames: []string{"exit_aio", "io_uring_cancel_generic", "kill_ioctx"}, Topic: "aio", Killable: KillableNo, Recorded: true,
		Cause: "asynchronous input or output is outstanding at exit", WayOut: "look at the device", Source: "fs/aio.c, io_uring"},
	{Frames: []string{"swap_readpage", "swap_read_folio", "swapin_readahead", "read_swap_cache_async", "shrink_inactive_list", "try_to_free_pages", "try_to_free_mem_cgroup_pages", "reclaim_throttle"},
		Topic: "memory", Killable: KillableUnknown, Recorded: true,
		Cause: "memory is being won back, or read from swap", WayOut: "free memory; look at the swap device", Source: "mm/page_io.c, mm/vmscan.c"},
	{Frames: []string{"balance_dirty_pages", "throttle_direct_reclaim", "mem_cgroup_oom_synchronize", "mem_cgroup_handle_over_high"}, Topic: "memory", Killable: KillableYes,
		Cause: "memory or dirty page limits", WayOut: "raise the limit", Source: "mm/"},
	{Frames: []string{"ptrace_stop"}, Topic: "ptrace", Killable: KillableUnknown,
		Cause: "a tracer holds it", WayOut: "let the tracer go on, or end it", Source: "kernel/signal.c"},
	{Frames: []string{"do_signal_stop"}, Topic: "stopped", Killable: KillableYes,
		Cause: "it was stopped by a signal", WayOut: "kill -CONT", Source: "kernel/signal.c"},
	{Frames: []string{"path_openat", "do_last"}, Topic: "lookup", Killable: KillableUnknown,
		Cause: "a directory is locked by a task that does not come back", WayOut: "find the task that holds it", Source: "fs/namei.c"},
	// Kernels that show the locks themselves; newer ones hide them in the scheduler's
	// section, and what stands there is the caller.
	{Frames: []string{"__mutex_lock_killable_slowpath", "__mutex_lock_interruptible_slowpath", "mutex_lock_killable", "down_write_killable", "down_read_killable",
		"rwsem_down_write_failed_killable", "call_rwsem_down_write_failed_killable", "rwsem_down_read_failed_killable", "call_rwsem_down_read_failed_killable"},
		Topic: "lock", Killable: KillableYes, Recorded: true,
		Cause: "another task holds a lock", WayOut: "find the task that holds it", Source: "kernel/locking"},
	{Frames: []string{"mutex_lock", "__mutex_lock_slowpath", "down_write", "down_read", "call_rwsem_down_write_failed", "call_rwsem_down_read_failed"},
		Topic: "lock", Killable: KillableNo, Recorded: true,
		Cause: "another task holds a lock", WayOut: "find the task that holds it", Source: "kernel/locking"},
	{Frames: []string{"rwsem_down_", "__mutex_lock"}, Prefix: true, Topic: "lock", Killable: KillableUnknown, Recorded: true,
		Cause: "another task holds a lock", WayOut: "find the task that holds it", Source: "kernel/locking"},
}

// LookupWait finds the row for a sleeping task by its stack, innermost first, or
// by its wait channel alone; nil when no frame is known.
func LookupWait(stack []string, wchan string) *Wait {
	frames := stack
	if len(frames) == 0 && wchan != "" {
		frames = []string{wchan}
	}
	for i := range waits {
		for _, f := range waits[i].within(frames) {
			if waits[i].matches(TrimSuffix(f)) && waits[i].accompanied(frames) {
				return &waits[i]
			}
		}
	}
	return nil
}

// Exiting reports whether a task waits in its own exit. A wait there that SIGKILL
// would end elsewhere is not ended: get_signal() has taken the signal already, and
// an exiting task gets no more (kernel/signal.c wants_signal).
func Exiting(stack []string) bool {
	return slices.ContainsFunc(stack, func(f string) bool { return TrimSuffix(f) == "do_exit" })
}

// asleep are the functions by which everybody sleeps, on kernels that show them.
var asleep = []string{"__switch_to", "__schedule", "schedule", "schedule_timeout", "schedule_preempt_disabled", "io_schedule", "io_schedule_timeout",
	"bit_wait", "bit_wait_io", "__wait_on_bit", "out_of_line_wait_on_bit", "wait_for_common", "__wait_for_common", "do_wait_for_common", "wait_for_common_io",
	"wait_for_completion", "wait_for_completion_state", "wait_for_completion_killable", "wait_for_completion_killable_timeout", "wait_for_completion_timeout"}

// within is the part of a stack that a row looks at.
func (w *Wait) within(frames []string) []string {
	if !w.Top {
		return frames
	}
	for i, f := range frames {
		if !slices.Contains(asleep, TrimSuffix(f)) {
			return frames[i : i+1]
		}
	}
	return nil
}

func (w *Wait) matches(frame string) bool {
	for _, f := range w.Frames {
		if frame == f || w.Prefix && strings.HasPrefix(frame, f) {
			return true
		}
	}
	return false
}

// accompanied reports whether the stack has one of With.
func (w *Wait) accompanied(stack []string) bool {
	return w.With == nil || slices.ContainsFunc(stack, func(f string) bool { return slices.Contains(w.With, TrimSuffix(f)) })
}

// TrimSuffix removes what compilers add to a kernel function's name:
// do_sigtimedwait.isra.0 is do_sigtimedwait.
func TrimSuffix(frame string) string {
	if i := strings.IndexByte(frame, '.'); i > 0 {
		return frame[:i]
	}
	return frame
}
