package probe

import "strings"

// parseWchan reads /proc/PID/wchan (fs/proc/base.c proc_pid_wchan): the kernel
// function that a task sleeps in. "0" is printed for a task that does not
// sleep and for one that we may not look at; only the state tells which. nil:
// the kernel would not say.
func parseWchan(data []byte, state string) *string {
	name := strings.TrimSpace(string(data))
	if name != "0" && name != "" {
		return &name
	}
	switch state {
	case "R", "Z", "X":
		empty := ""
		return &empty
	}
	return nil
}

// ordinaryWait tells the functions in which healthy programs wait for work.
// Their stack adds nothing, and a stack costs as much as all the rest of a
// thread. Whoever sleeps anywhere else, S included, has its stack read: a FUSE
// request (request_wait_answer) looks as harmless as these until the signal comes.
func ordinaryWait(wchan string) bool {
	switch bareSymbol(wchan) {
	case "futex_wait", "futex_wait_queue", "futex_wait_queue_me", "futex_do_wait",
		"ep_poll", "do_epoll_wait", "poll_schedule_timeout", "do_sys_poll", "do_poll", "do_select",
		"hrtimer_nanosleep", "do_nanosleep", "common_nsleep", "io_cqring_wait",
		"pipe_read", "anon_pipe_read", "pipe_wait_readable", "n_tty_read", "wait_woken",
		"sk_wait_data", "inet_csk_accept", "unix_stream_read_generic", "unix_stream_data_wait", "unix_accept",
		"__skb_wait_for_more_packets", "do_sigtimedwait", "sigsuspend", "__do_sys_pause", "__x64_sys_pause", "__arm64_sys_pause",
		"signalfd_read_iter", "signalfd_read", "signalfd_dequeue", "inotify_read", "eventfd_read", "do_msgrcv",
		"do_wait", "kernel_wait4", "do_signal_stop":
		return true
	}
	return false
}

// bareSymbol is a kernel symbol without what the compiler hung on it (.isra.0,
// .constprop.0, .part.0, .llvm.123).
func bareSymbol(name string) string {
	bare, _, _ := strings.Cut(name, ".")
	return bare
}
