// SPDX-License-Identifier: (MIT OR GPL-2.0-only)
//
// An iterator over tasks: called once per task while its link's file is read.
// It reads what /proc does not print of a task's signal handling, as fixed
// binary records. It stops, locks and touches nothing.
//
// Members are read by helper (BPF_CORE_READ), not by plain dereference: at each
// pointer that is followed plainly the verifier searches all of the kernel's types
// by name (btf_nested_type_is_trusted), which took it 9 ms in all on Linux 6.18
// instead of 1 ms.
//
// Needs Linux 5.8 (iter/task) with BTF. Only the members that are read are
// declared; CO-RE finds where the running kernel keeps them.
// Built by scripts/check-bpf.sh; task_bpfel.o beside it is committed.

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

enum { BPF_MAP_TYPE_HASH = 1, BPF_MAP_TYPE_ARRAY = 2, BPF_F_NO_PREALLOC = 1 };

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define NSIG 64			    // _NSIG of all but MIPS
#define PF_KTHREAD 0x00200000	    // include/linux/sched.h
#define TASK_UNINTERRUPTIBLE 0x0002 // include/linux/sched.h

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	unsigned long sig[1];
} sigset_t;

typedef struct {
	long counter;
} atomic_long_t;

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct sigaction {
	void *sa_handler;
	unsigned long sa_flags;
};

struct k_sigaction {
	struct sigaction sa;
};

struct sighand_struct {
	struct k_sigaction action[NSIG];
};

struct sigpending {
	sigset_t signal;
};

struct signal_struct {
	unsigned int flags;
	struct sigpending shared_pending;
};

struct task_struct {
	unsigned int __state;
	unsigned int flags;
	unsigned int ptrace;
	int tgid;
	struct pid *thread_pid;
	struct task_struct *group_leader;
	__u64 start_boottime;
	sigset_t blocked;
	sigset_t real_blocked;
	struct sigpending pending;
	struct signal_struct *signal;
	struct sighand_struct *sighand;
	unsigned long blocker;
};

struct task_struct___before_5_14 {
	volatile long state;
};

struct mutex {
	atomic_long_t owner;
};

struct rw_semaphore {
	atomic_long_t owner;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

// The records, which record.go decodes. They have no padding.
enum { KIND_TASK = 1, KIND_ACTIONS = 2 };

struct task_record {
	__u32 kind;
	__u32 tgid; // as the reader's PID namespace numbers it
	__u32 tid;
	__u32 blocker; // TID that owns the lock the task waits for, 0: not known
	__u64 state;
	__u64 start_boottime; // of the thread group's leader, ns
	__u64 signal_flags;
	__u64 blocked;
	__u64 real_blocked;
	__u64 pending;
	__u64 shared_pending;
	__u64 ptrace; // PT_ flags; the tracer's options from bit 3 on
};

// An action_record is followed by size bytes of sighand->action, entry 0 being
// signal 1. The loop over it is user space's: unrolled here it would take the
// verifier 10 ms at every start.
struct action_record {
	__u32 kind;
	__u32 tgid;
	__u16 stride; // sizeof(struct k_sigaction)
	__u16 handler_at;
	__u16 flags_at;
	__u16 size;
};

#define ACTIONS_MAX 4096 // 64 of 32 bytes on x86 and ARM

// wanted holds the thread groups to report; key 0 means all. The kernel before
// 6.1 ignores an iterator's own PID filter without a word, so it is checked here.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, __u8);
} wanted SEC(".maps");

// view is the reader's own PID namespace: task_active_pid_ns(current), which is
// also the one whose tasks the iterator walks (bpf_iter_init_seq_pidns).
struct view {
	struct pid_namespace *ns; // 0: not asked yet
	__u32 level;
};

// scratch has what outlives a call, or does not fit on its stack of 512 bytes.
// Only one reader uses it, and one read at a time.
struct scratch {
	struct view view;
	__u8 actions[ACTIONS_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

char LICENSE[] SEC("license") = "Dual MIT/GPL"; // iterators print by GPL helpers

static __always_inline struct upid upid_at(struct pid *pid, __u32 level)
{
	struct upid u = {};
	void *at = (void *)__builtin_preserve_access_index(&pid->numbers);

	bpf_probe_read_kernel(&u, sizeof(u), at + level * bpf_core_type_size(struct upid));
	return u;
}

static __always_inline void reader_view(struct view *v)
{
	if (v->ns)
		return;
	struct task_struct *me = (void *)bpf_get_current_task();
	struct pid *pid = BPF_CORE_READ(me, thread_pid);

	v->level = BPF_CORE_READ(pid, level);
	v->ns = upid_at(pid, v->level).ns;
}

// nr_of is pid_nr_ns(): 0 for a task that the reader's namespace does not have.
static __always_inline __u32 nr_of(struct task_struct *t, struct view *v)
{
	struct pid *pid = BPF_CORE_READ(t, thread_pid);
	struct upid u;

	if (!pid || BPF_CORE_READ(pid, level) < v->level)
		return 0;
	u = upid_at(pid, v->level);
	return u.ns == v->ns ? u.nr : 0;
}

// tgid_of is task_tgid_nr_ns(). Most readers live in the first namespace.
static __always_inline __u32 tgid_of(struct task_struct *t, struct view *v)
{
	if (v->level == 0)
		return BPF_CORE_READ(t, tgid);
	return nr_of(BPF_CORE_READ(t, group_leader), v);
}

// lock_owner follows task->blocker (include/linux/hung_task.h: the lock's address,
// its type in the low two bits) to the task that holds the lock. Only where the
// lock names its owner surely: a mutex, and a rw_semaphore held by a writer. A
// semaphore and a reader-held rw_semaphore keep a last holder, who may be gone.
static __always_inline __u32 lock_owner(struct task_struct *task, struct view *v)
{
	unsigned long word, owner = 0;

	if (!bpf_core_field_exists(task->blocker))
		return 0;
	word = BPF_CORE_READ(task, blocker);
	if (!word)
		return 0;
	switch (word & 3) {
	case 0: // BLOCKER_TYPE_MUTEX; MUTEX_FLAGS are the low three bits
		if (!bpf_core_field_exists(((struct mutex *)0)->owner))
			return 0; // PREEMPT_RT
		bpf_probe_read_kernel(&owner, sizeof(owner), &((struct mutex *)word)->owner);
		owner &= ~7UL;
		break;
	case 2: // BLOCKER_TYPE_RWSEM_READER, _WRITER: who waits, not who holds
	case 3:
		if (!bpf_core_field_exists(((struct rw_semaphore *)0)->owner))
			return 0;
		word &= ~3UL;
		bpf_probe_read_kernel(&owner, sizeof(owner), &((struct rw_semaphore *)word)->owner);
		if (owner & 1) // RWSEM_READER_OWNED
			return 0;
		owner &= ~3UL;
		break;
	}
	return owner ? nr_of((struct task_struct *)owner, v) : 0;
}

// write_actions reports sighand->action, which the thread group shares.
static __always_inline void write_actions(struct seq_file *seq, struct task_struct *task, __u32 tgid, __u8 *copy)
{
	struct sighand_struct *hand = BPF_CORE_READ(task, sighand); // NULL after __exit_signal()
	__u32 size = bpf_core_field_size(hand->action);
	struct action_record r = {
		.kind = KIND_ACTIONS,
		.tgid = tgid,
		.stride = bpf_core_type_size(struct k_sigaction),
		.handler_at = bpf_core_field_offset(struct sigaction, sa_handler),
		.flags_at = bpf_core_field_offset(struct sigaction, sa_flags),
		.size = size,
	};

	if (!hand || size > ACTIONS_MAX)
		return;
	if (bpf_probe_read_kernel(copy, size, __builtin_preserve_access_index(&hand->action)))
		return;
	bpf_seq_write(seq, &r, sizeof(r));
	bpf_seq_write(seq, copy, size);
}

static __always_inline __u64 state_of(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return BPF_CORE_READ(task, __state);
	return BPF_CORE_READ((struct task_struct___before_5_14 *)task, state);
}

SEC("iter/task")
int dump_task(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct task_record r = {.kind = KIND_TASK};
	struct task_struct *leader;
	struct scratch *own;
	__u32 zero = 0; // the scratch's index, and "all" among the wanted

	// The call after the last task has none.
	if (!task || !(own = bpf_map_lookup_elem(&scratch, &zero)))
		return 0;
	reader_view(&own->view);
	r.tgid = tgid_of(task, &own->view);
	if (!bpf_map_lookup_elem(&wanted, &r.tgid) && !bpf_map_lookup_elem(&wanted, &zero))
		return 0;
	// Kernel threads are told by their flag, not by a missing mm: a dying PID 1
	// that waits for its namespace in zap_pid_ns_processes() has given its mm back
	// and is just what is asked for.
	if (BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return 0;

	leader = BPF_CORE_READ(task, group_leader);
	r.tid = nr_of(task, &own->view);
	r.state = state_of(task);
	r.start_boottime = BPF_CORE_READ(leader, start_boottime);
	r.signal_flags = BPF_CORE_READ(task, signal, flags);
	r.blocked = BPF_CORE_READ(task, blocked.sig[0]);
	r.real_blocked = BPF_CORE_READ(task, real_blocked.sig[0]);
	r.pending = BPF_CORE_READ(task, pending.signal.sig[0]);
	r.shared_pending = BPF_CORE_READ(task, signal, shared_pending.signal.sig[0]);
	r.ptrace = BPF_CORE_READ(task, ptrace);
	if (r.state & TASK_UNINTERRUPTIBLE)
		r.blocker = lock_owner(task, &own->view);
	bpf_seq_write(seq, &r, sizeof(r));

	// Once per thread group. A leader that has exited before its threads keeps its
	// sighand, and its place in the walk, until the last of them is gone.
	if (task == leader)
		write_actions(seq, task, r.tgid, own->actions);
	return 0;
}
