//go:build ignore

// siglab takes signals in every way there is, one per mode, and logs what it
// hears, so that a test can hold a forecast against it.
//
//	siglab [-s SIGNAL] [-n N] [-f PATH] MODE
//
// -s is the signal that the mode is about (a number, default 15), -n a number of
// seconds, children or threads (default 3), -f a path. The modes stand in the
// table at the end of this file; `siglab list` prints them. Each prints READY
// once it is set up, and "HEARD signal pid" from its handlers and waits.
//
// Compiled with gcc -static -pthread; it runs in an image that has nothing else.

#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int sig = SIGTERM;
static int count = 3;
static const char *path = "";
static char *self;

// ---- small parts

static void say(const char *line)
{
	if (write(1, line, strlen(line)) < 0)
		_exit(3); // nobody reads the log: nothing to test
}

static void ready(void) { say("READY\n"); }

// heard is safe inside a handler: no stdio, no allocation.
static void heard(int s)
{
	char b[32] = "HEARD ", *p = b + 6;
	for (int n = 0, v = s; n < 2; n++, v = getpid()) {
		char d[12];
		int i = 0;
		do
			d[i++] = '0' + v % 10;
		while ((v /= 10) > 0);
		while (i > 0)
			*p++ = d[--i];
		*p++ = n == 0 ? ' ' : '\n';
	}
	*p = 0;
	say(b);
}

static void doze(int seconds)
{
	struct timespec left = {seconds, 0};
	while (nanosleep(&left, &left) != 0)
		;
}

static void forever(void)
{
	for (;;)
		pause();
}

static void handle(int s, void (*f)(int), int flags)
{
	struct sigaction a = {.sa_handler = f, .sa_flags = flags};
	sigaction(s, &a, NULL);
}

static sigset_t only(int s)
{
	sigset_t set;
	sigemptyset(&set);
	if (s != 0)
		sigaddset(&set, s);
	return set;
}

static void mask(int how, int s)
{
	sigset_t set = only(s);
	pthread_sigmask(how, &set, NULL);
}

static void await(int s)
{
	sigset_t set = only(s);
	while (sigwaitinfo(&set, NULL) != s)
		;
	heard(s);
	exit(0);
}

// ---- handlers

static void on_exit0(int s) { heard(s); _exit(0); }
static void on_exit143(int s) { heard(s); _exit(128 + s); }
static void on_noop(int s) { heard(s); }
static void on_slow(int s) { heard(s); doze(count); say("DONE\n"); _exit(0); }
static void on_hang(int s) { heard(s); forever(); }
static void on_abort(int s) { heard(s); abort(); }

static void on_reraise(int s)
{
	heard(s);
	signal(s, SIG_DFL);
	raise(s);
}

static void on_reraise_exit(int s)
{
	on_reraise(s);
	mask(SIG_UNBLOCK, s); // a default action as PID 1: the kernel drops it
	_exit(128 + s);
}

static volatile pid_t child;
static void on_forward(int s) { heard(s); kill(child, s); }

// ---- one task

static void m_default(void) { ready(); forever(); }
static void m_handler(void (*f)(int)) { handle(sig, f, 0); ready(); forever(); }
static void m_exit(void) { m_handler(on_exit0); }
static void m_exit143(void) { m_handler(on_exit143); }
static void m_noop(void) { m_handler(on_noop); }
static void m_slow(void) { m_handler(on_slow); }
static void m_hang(void) { m_handler(on_hang); }
static void m_abort(void) { m_handler(on_abort); }
static void m_reraise(void) { m_handler(on_reraise); }
static void m_reraise_exit(void) { m_handler(on_reraise_exit); }
static void m_ign(void) { m_handler(SIG_IGN); }
static void m_blocked(void) { mask(SIG_BLOCK, sig); ready(); forever(); }
static void m_blocked_handler(void) { mask(SIG_BLOCK, sig); m_exit(); }

static void m_blocked_poll(void)
{
	mask(SIG_BLOCK, sig);
	ready();
	for (;;) {
		sigset_t p;
		usleep(200 * 1000);
		sigpending(&p);
		if (sigismember(&p, sig)) {
			heard(sig);
			exit(0);
		}
	}
}

static void m_blocked_window(void)
{
	sigset_t none = only(0);
	struct timespec t = {0, 200 * 1000 * 1000};
	mask(SIG_BLOCK, sig);
	handle(sig, on_exit0, 0);
	ready();
	for (;;) {
		poll(NULL, 0, 300);
		ppoll(NULL, 0, &t, &none);
	}
}

static void m_sigsuspend(void)
{
	sigset_t none = only(0);
	mask(SIG_BLOCK, sig);
	handle(sig, on_exit0, 0);
	ready();
	for (;;)
		sigsuspend(&none);
}

static void m_sigwait(void) { mask(SIG_BLOCK, sig); ready(); await(sig); }
static void m_sigwait_unblocked(void) { ready(); await(sig); }
static void m_sigwait_other(void) { mask(SIG_BLOCK, sig); mask(SIG_BLOCK, SIGHUP); ready(); await(SIGHUP); }

static int got;
static void on_flag(int s) { heard(s); got = 1; }

static void flag(int flags)
{
	int p[2];
	char c;
	if (pipe(p) != 0)
		exit(3);
	handle(sig, on_flag, flags);
	ready();
	while (!got)
		if (read(p[0], &c, 1) < 0 && got)
			exit(0);
}
static void m_flag_restart(void) { flag(SA_RESTART); }
static void m_flag_norestart(void) { flag(0); }

static void m_reload(void)
{
	handle(SIGHUP, on_noop, 0);
	handle(SIGUSR1, SIG_IGN, 0);
	m_exit();
}

// m_flood fills whatever takes its output; it waits a little, so that one that is
// read costs little.
static void m_flood(void)
{
	static char line[4096];
	handle(sig, on_exit0, 0);
	memset(line, 'x', sizeof line - 1);
	line[sizeof line - 1] = '\n';
	ready();
	for (;;) {
		if (write(1, line, sizeof line) < 0)
			_exit(3);
		usleep(200);
	}
}

static void m_selfstop(void) { handle(sig, on_exit0, 0); ready(); raise(SIGSTOP); forever(); }

static void m_hostile(void)
{
	char *argv[] = {"evil\033[2J\033]0;owned\007\r\nFORGED LINE", "\u202Eright\xff\xfe", "-s", "15", "default", NULL};
	if (strcmp(path, "again") != 0) {
		setenv("SIGLAB", "again", 1);
		execv(self, argv);
		exit(3);
	}
	prctl(PR_SET_NAME, "\033[31mred\r\n\xff");
	m_default();
}

// ---- signalfd

static int sfd(void)
{
	sigset_t set = only(sig);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static void take(int fd)
{
	struct signalfd_siginfo i;
	if (read(fd, &i, sizeof i) == sizeof i) {
		heard(i.ssi_signo);
		exit(0);
	}
}

static void epoll_on(int fd, int sfd)
{
	struct epoll_event e = {.events = EPOLLIN};
	int ep = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
	ready();
	for (;;)
		if (epoll_wait(ep, &e, 1, -1) == 1)
			take(sfd);
}

static void m_sfd_epoll(void) { mask(SIG_BLOCK, sig); int fd = sfd(); epoll_on(fd, fd); }
static void m_sfd_read(void) { mask(SIG_BLOCK, sig); int fd = sfd(); ready(); for (;;) take(fd); }
static void m_sfd_unread(void) { mask(SIG_BLOCK, sig); sfd(); m_default(); }
static void m_sfd_unblocked(void) { int fd = sfd(); epoll_on(fd, fd); }

static void m_sfd_poll(void)
{
	mask(SIG_BLOCK, sig);
	struct pollfd p = {.fd = sfd(), .events = POLLIN};
	ready();
	for (;;)
		if (poll(&p, 1, -1) == 1)
			take(p.fd);
}

static void m_sfd_epoll_other(void)
{
	int p[2];
	if (pipe(p) != 0)
		exit(3);
	mask(SIG_BLOCK, sig);
	epoll_on(p[0], sfd());
}

// ---- threads

static void *t_pause(void *arg) { (void)arg; forever(); return NULL; }
static void *t_open(void *arg) { mask(SIG_UNBLOCK, sig); return t_pause(arg); }
static void *t_await(void *arg) { mask(SIG_BLOCK, sig); await(sig); return arg; }

static void thread(void *(*f)(void *))
{
	pthread_t t;
	if (pthread_create(&t, NULL, f, NULL) != 0)
		exit(3);
	usleep(50 * 1000); // it sets its mask before we say READY
}

static void m_thr_open_dfl(void) { mask(SIG_BLOCK, sig); thread(t_open); m_default(); }
static void m_thr_open_handler(void) { mask(SIG_BLOCK, sig); thread(t_open); m_exit(); }
static void m_thr_all_blocked(void) { mask(SIG_BLOCK, sig); thread(t_pause); m_exit(); }
static void m_thr_sigwait(void) { mask(SIG_BLOCK, sig); thread(t_await); m_default(); }
static void m_thr_sigwait_main_open(void) { thread(t_await); m_default(); }
static void m_threads(void) { for (int i = 0; i < count; i++) thread(t_pause); m_default(); }

static void m_zombie_leader(void)
{
	handle(sig, on_exit0, 0);
	thread(t_pause);
	ready();
	pthread_exit(NULL);
}

// ---- several processes

static pid_t spawn(void (*f)(void))
{
	pid_t p = fork();
	if (p == 0) {
		f();
		exit(0);
	}
	return p;
}

static void reap(void)
{
	int st;
	while (waitpid(child, &st, 0) != child)
		;
	exit(WIFSIGNALED(st) ? 128 + WTERMSIG(st) : WEXITSTATUS(st));
}

static void m_fork_wait(void) { child = spawn(m_exit); reap(); }
static void m_unblock_exit(void) { handle(sig, on_exit0, 0); mask(SIG_UNBLOCK, sig); m_exit(); }

// The signal is blocked until the child is known: a handler before that would
// signal process group 0, itself in it, for ever.
static void m_fork_forward(void)
{
	mask(SIG_BLOCK, sig);
	child = spawn(m_unblock_exit);
	handle(sig, on_forward, 0);
	mask(SIG_UNBLOCK, sig);
	reap();
}

static void m_fork_ign(void) { child = spawn(m_ign); m_exit(); }
static void m_grandchild(void) { child = spawn(m_fork_wait); reap(); }
static void m_sleepers(void) { for (int i = 0; i < count; i++) spawn(forever); m_default(); }
static void m_forks(void) { for (ready();;) if (spawn(forever) < 0) usleep(1000); }
static void nothing(void) {}
static void m_zombies(void) { for (int i = 0; i < count; i++) spawn(nothing); m_default(); }

static void m_vfork(void)
{
	handle(sig, on_exit0, 0);
	if (vfork() == 0)
		m_default(); // the parent sleeps in vfork until this one ends
	forever();
}

// ---- paths, for a file system that does not answer

static void m_stat(void) { struct stat st; ready(); stat(path, &st); say("BACK\n"); forever(); }

static void m_read(void)
{
	char c;
	ready();
	int fd = open(path, O_RDONLY);
	if (read(fd, &c, 1) >= 0)
		say("BACK\n");
	forever();
}

static void m_late_stat(void) { struct stat st; ready(); doze(count); stat(path, &st); say("BACK\n"); forever(); }
static void m_map(void)
{
	int fd = open(path, O_RDONLY);
	volatile char *m = mmap(NULL, 1, PROT_READ, MAP_PRIVATE, fd, 0);
	if (m == MAP_FAILED)
		exit(3);
	ready();
	(void)*m;
	forever();
}

// ---- memory that whoever looks at it would hang on

static char **args;

// over puts a page of the file -f over page, so that the next one who reads it
// has to ask the file system. MADV_RANDOM: no reading ahead, so that the fault
// itself asks.
static void over(char *page)
{
	int fd = open(path, O_RDONLY);
	if (mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) != page || madvise(page, 4096, MADV_RANDOM) != 0)
		exit(3);
}

static char *page_in(char *p) { return (char *)((((unsigned long)p + 4095) & ~4095UL) + 4096); }

// m_argv_trap lays it over its own command line: exec first, for one that is long
// enough to have a page to itself.
static void m_argv_trap(void)
{
	static char pad[20000];
	char *last = args[0];
	for (char **a = args; *a != NULL; a++)
		last = *a;
	if (strlen(last) < sizeof pad - 1) {
		memset(pad, 'x', sizeof pad - 1);
		execl("/proc/self/exe", self, "-f", path, "argv_trap", pad, NULL);
		exit(3);
	}
	over(page_in(last));
	m_exit();
}

static void *t_stat_at(void *at) { struct stat st; stat(at, &st); return at; }

// m_path_trap does it with the path of a call in which a thread hangs: the kernel
// has read it, and then it is gone.
static void m_path_trap(void)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t t;
	snprintf(page, 4096, "%.*shang", (int)(strrchr(path, '/') + 1 - path), path);
	if (pthread_create(&t, NULL, t_stat_at, page) != 0)
		exit(3);
	doze(1);
	over(page);
	m_exit();
}

// m_map_lock: one process reads a page of -f in our memory and so holds our lock on
// it, and one that shares our memory waits to change it: whoever reads our command
// line waits behind that one. We ourselves sleep in pause, as innocent as can be.
static char *page;

static void m_peek(void)
{
	char name[64], c;
	snprintf(name, sizeof name, "/proc/%d/mem", getppid());
	if (pread(open(name, O_RDONLY), &c, 1, (off_t)(unsigned long)page) < 0)
		exit(3);
}

static int change(void *arg)
{
	mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	forever();
	return arg != NULL;
}

static void m_map_lock(void)
{
	static char stack[65536];
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	over(page);
	spawn(m_peek);
	doze(1);
	if (clone(change, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL) < 0)
		exit(3);
	m_exit();
}

// m_unmap: a thread takes away a mapping of -f that it has written to, which waits
// for the writing; another waits to change the memory.
static void *t_unmap(void *arg)
{
	char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, open(path, O_RDWR), 0);
	if (m == MAP_FAILED)
		exit(3);
	*m = 1;
	munmap(m, 4096);
	return arg;
}

static void *t_change(void *arg) { doze(1); change(NULL); return arg; }
static void m_unmap(void) { thread(t_unmap); thread(t_change); m_exit(); }

static void m_exec(void) { ready(); execl(path, path, NULL); say("BACK\n"); forever(); }

static void m_write(void)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	ready();
	while (write(fd, "x", 1) == 1)
		usleep(50 * 1000);
	exit(3);
}

// direct writes past the page cache, so that it waits for the device itself.
static void m_direct(void)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_DIRECT, 0600);
	void *m = NULL;
	if (posix_memalign(&m, 4096, 4096) != 0)
		exit(3);
	memset(m, 'x', 4096);
	handle(sig, on_exit0, 0);
	ready();
	for (;;)
		if (pwrite(fd, m, 4096, 0) != 4096)
			exit(3);
		else
			usleep(50 * 1000);
}

static void *t_write(void *arg) { m_write(); return arg; }
static void m_thr_write(void) { thread(t_write); m_exit(); }
static void m_child_write(void) { child = spawn(m_write); m_exit(); }

// ---- memory: touches -n megabytes, more than it may have

static void m_eat(void)
{
	handle(sig, on_exit0, 0);
	ready();
	for (int i = 0; i < count; i++) {
		char *m = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		for (int k = 0; m != MAP_FAILED && k < 1 << 20; k += 4096)
			m[k] = 1;
	}
	say("BACK\n");
	forever();
}

// ---- asynchronous output, outstanding at exit

static void m_aio(void)
{
	static char buf[8192] __attribute__((aligned(4096)));
	aio_context_t ring = 0;
	int fd = open(path, O_WRONLY | O_CREAT | O_DIRECT, 0600);
	struct iocb one = {.aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = fd, .aio_buf = (unsigned long)buf, .aio_nbytes = 4096};
	struct iocb *list[] = {&one};
	handle(sig, on_exit0, 0);
	if (fd < 0 || syscall(SYS_io_setup, 4, &ring) != 0 || syscall(SYS_io_submit, ring, 1, list) != 1)
		exit(3);
	ready();
	forever();
}

// ---- a crash that writes a core dump into the directory -f

static void m_crash(void)
{
	if (chdir(path) != 0)
		exit(3);
	ready();
	*(volatile int *)0 = 0;
}

static void m_child_crash(void) { child = spawn(m_crash); m_exit(); }

// ---- a process that joins the PID namespace of PID -n, as nsenter does

static void join(void)
{
	char ns[64];
	snprintf(ns, sizeof ns, "/proc/%d/ns/pid", count);
	if (setns(open(ns, O_RDONLY | O_CLOEXEC), CLONE_NEWPID) != 0)
		exit(4);
	child = spawn(forever);
	ready();
}

static void m_join(void) { join(); reap(); }
static void m_join_hold(void) { join(); forever(); }

static void *t_stat(void *arg) { struct stat st; stat(path, &st); return arg; }
static void m_thr_stat(void) { thread(t_stat); m_exit(); }
static void m_child_stat(void) { child = spawn(m_stat); m_exit(); }

// ---- a tracer: -n is the traced PID

static void m_trace(void)
{
	int st;
	if (ptrace(PTRACE_SEIZE, count, 0, 0) != 0)
		exit(4);
	ready();
	while (waitpid(count, &st, __WALL) == count && WIFSTOPPED(st))
		ptrace(PTRACE_CONT, count, 0, st >> 16 ? 0 : WSTOPSIG(st));
}

// hold stops the traced PID and leaves it stopped.
static void hold(int options)
{
	int st;
	if (ptrace(PTRACE_SEIZE, count, 0, options) != 0 || ptrace(PTRACE_INTERRUPT, count, 0, 0) != 0)
		exit(4);
	waitpid(count, &st, __WALL);
	ready();
}

static void m_trace_hold(void)
{
	int st;
	hold(0);
	while (waitpid(count, &st, __WALL) == count && WIFSTOPPED(st))
		;
}

static void m_trace_idle(void) { hold(0); forever(); }
static void m_trace_hung(void) { hold(0); raise(SIGSTOP); }
static void m_trace_exit_hung(void) { hold(PTRACE_O_TRACEEXIT); raise(SIGSTOP); }

static void m_list(void);

static const struct mode {
	const char *name;
	void (*run)(void);
	const char *what;
} modes[] = {
	{"default", m_default, "default action"},
	{"exit", m_exit, "handler: exit 0"},
	{"exit143", m_exit143, "handler: exit 128+signal"},
	{"noop", m_noop, "handler that does nothing"},
	{"slow", m_slow, "handler: sleep -n seconds, exit 0"},
	{"hang", m_hang, "handler that never returns"},
	{"abort", m_abort, "handler: abort, 134"},
	{"reraise", m_reraise, "handler: set default, raise"},
	{"reraise_exit", m_reraise_exit, "the same, then exit 128+signal"},
	{"ign", m_ign, "SIG_IGN"},
	{"blocked", m_blocked, "blocked, default action"},
	{"blocked_handler", m_blocked_handler, "blocked, with a handler"},
	{"blocked_poll", m_blocked_poll, "blocked, sigpending every 0.2 s, exit 0"},
	{"blocked_window", m_blocked_window, "blocked but for ppoll every 0.3 s, handler: exit 0"},
	{"sigsuspend", m_sigsuspend, "blocked but for sigsuspend, handler: exit 0"},
	{"sigwait", m_sigwait, "blocked and waited for, exit 0"},
	{"sigwait_unblocked", m_sigwait_unblocked, "waited for without blocking"},
	{"sigwait_other", m_sigwait_other, "blocked, waits for HUP"},
	{"flag_restart", m_flag_restart, "handler sets a flag; read restarts"},
	{"flag_norestart", m_flag_norestart, "handler sets a flag; read ends, exit 0"},
	{"reload", m_reload, "handler, exit 0; HUP handled, USR1 ignored"},
	{"selfstop", m_selfstop, "stops itself (not as PID 1); handler: exit 0"},
	{"hostile", m_hostile, "default action; escape sequences in comm and argv"},
	{"sfd_epoll", m_sfd_epoll, "signalfd in an epoll set, exit 0"},
	{"sfd_poll", m_sfd_poll, "signalfd in poll, exit 0"},
	{"sfd_read", m_sfd_read, "signalfd in read, exit 0"},
	{"sfd_unread", m_sfd_unread, "signalfd, nobody waits"},
	{"sfd_unblocked", m_sfd_unblocked, "signalfd, signal not blocked"},
	{"sfd_epoll_other", m_sfd_epoll_other, "signalfd not in the epoll set"},
	{"thr_open_dfl", m_thr_open_dfl, "main blocks, thread open, default action"},
	{"thr_open_handler", m_thr_open_handler, "main blocks, thread open, handler: exit 0"},
	{"thr_all_blocked", m_thr_all_blocked, "all block, handler"},
	{"thr_sigwait", m_thr_sigwait, "all block, thread waits, exit 0"},
	{"thr_sigwait_main_open", m_thr_sigwait_main_open, "thread waits, main open, default action"},
	{"threads", m_threads, "-n threads, default action"},
	{"zombie_leader", m_zombie_leader, "handler; main thread ended, another lives"},
	{"fork_wait", m_fork_wait, "default action; waits for a child with a handler"},
	{"fork_forward", m_fork_forward, "passes the signal to its child, waits, same code"},
	{"fork_ign", m_fork_ign, "handler: exit 0; child ignores"},
	{"grandchild", m_grandchild, "two waiting parents, grandchild has the handler"},
	{"sleepers", m_sleepers, "default action, -n children"},
	{"forks", m_forks, "default action, as many children as there may be"},
	{"zombies", m_zombies, "default action, -n zombie children"},
	{"vfork", m_vfork, "handler; in vfork for ever"},
	{"stat", m_stat, "default action; stat of -f"},
	{"read", m_read, "default action; open and read of -f"},
	{"thr_stat", m_thr_stat, "handler: exit 0; a thread in stat of -f"},
	{"child_stat", m_child_stat, "handler: exit 0; a child in stat of -f"},
	{"late_stat", m_late_stat, "default action; stat of -f after -n seconds"},
	{"map", m_map, "default action; touches a mapping of -f"},
	{"argv_trap", m_argv_trap, "handler: exit 0; its command line lies in -f"},
	{"path_trap", m_path_trap, "handler: exit 0; a thread in stat of a path that lies in -f"},
	{"map_lock", m_map_lock, "handler: exit 0; its memory lock is held by a reader of -f"},
	{"unmap", m_unmap, "handler: exit 0; a thread unmaps -f, which it has written to"},
	{"exec", m_exec, "default action; execs -f"},
	{"write", m_write, "default action; writes to -f every 0.05 s"},
	{"direct", m_direct, "handler: exit 0; writes to -f with O_DIRECT"},
	{"thr_write", m_thr_write, "handler: exit 0; a thread writes to -f"},
	{"child_write", m_child_write, "handler: exit 0; a child writes to -f"},
	{"eat", m_eat, "handler: exit 0; touches -n megabytes"},
	{"aio", m_aio, "handler: exit 0; an asynchronous write to -f is outstanding"},
	{"crash", m_crash, "crashes in the directory -f"},
	{"child_crash", m_child_crash, "handler: exit 0; a child crashes in the directory -f"},
	{"join", m_join, "has a child in the PID namespace of PID -n"},
	{"join_hold", m_join_hold, "the same, and never waits for it"},
	{"trace", m_trace, "traces PID -n, passes its signals on"},
	{"trace_hold", m_trace_hold, "traces PID -n and keeps it stopped"},
	{"trace_idle", m_trace_idle, "the same, and never waits again"},
	{"trace_hung", m_trace_hung, "the same, then is stopped itself"},
	{"trace_exit_hung", m_trace_exit_hung, "the same, and holds the exit too"},
	{"flood", m_flood, "handler: exit 0; writes to stdout without end"},
	{"list", m_list, "prints this list"},
};

static void m_list(void)
{
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
		printf("%-22s %s\n", modes[i].name, modes[i].what);
}

int main(int argc, char **argv)
{
	self = argv[0];
	args = argv;
	if (getenv("SIGLAB") != NULL) {
		path = getenv("SIGLAB");
		m_hostile();
	}
	for (int c; (c = getopt(argc, argv, "+s:n:f:")) != -1;)
		switch (c) {
		case 's': sig = atoi(optarg); break;
		case 'n': count = atoi(optarg); break;
		case 'f': path = optarg; break;
		default: return 2;
		}
	for (size_t i = 0; optind < argc && i < sizeof modes / sizeof *modes; i++)
		if (strcmp(argv[optind], modes[i].name) == 0) {
			modes[i].run();
			return 0;
		}
	fprintf(stderr, "siglab: no such mode; see siglab list\n");
	return 2;
}
