// lab is one program with the states that a probe has to see. Each mode prints
// "ready", with numbers where the test needs some, when it is where it should be.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void ready(const char *words) {
	printf("ready %s\n", words);
	fflush(stdout);
}

// end_with makes us die with our parent, even if that is dead already. The init
// of a nested namespace sees 0 as its parent and dies with its own.
static void end_with(pid_t parent) {
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent && getppid() != 0)
		_exit(0);
}

static void on_signal(int n) { (void)n; }

static sigset_t set_of(int a, int b) {
	sigset_t s;
	sigemptyset(&s);
	sigaddset(&s, a);
	sigaddset(&s, b);
	return s;
}

static int sleep_for_ever(void *arg) {
	(void)arg;
	for (;;)
		pause();
}

static void *thread_sleeps(void *arg) { return sleep_for_ever(arg), NULL; }

static void *thread_waits_signal(void *arg) {
	int n;
	for (;;)
		sigwait((sigset_t *)arg, &n);
}

static pthread_t thread(void *(*f)(void *), void *arg) {
	pthread_t t;
	if (pthread_create(&t, NULL, f, arg) != 0)
		exit(1);
	return t;
}

// masks: TERM caught, HUP ignored, USR1 blocked and pending.
static void masks(void) {
	sigset_t s = set_of(SIGUSR1, SIGUSR1);
	signal(SIGTERM, on_signal);
	signal(SIGHUP, SIG_IGN);
	sigprocmask(SIG_BLOCK, &s, NULL);
	kill(getpid(), SIGUSR1);
	ready("");
	sleep_for_ever(NULL);
}

// sigwait: TERM and INT awaited, as tini does.
static void wait_signal(void) {
	sigset_t s = set_of(SIGTERM, SIGINT);
	int n;
	sigprocmask(SIG_BLOCK, &s, NULL);
	ready("");
	sigwait(&s, &n);
}

// sigfd-*: TERM and INT blocked, a signalfd for them, and who waits on it.
static void signal_fd(const char *how) {
	sigset_t s = set_of(SIGTERM, SIGINT);
	struct epoll_event ev = {.events = EPOLLIN};
	struct signalfd_siginfo info;
	char words[64];
	int fd, inner, outer;
	sigprocmask(SIG_BLOCK, &s, NULL);
	fd = signalfd(-1, &s, SFD_CLOEXEC);
	inner = epoll_create1(0);
	outer = epoll_create1(0);
	snprintf(words, sizeof words, "%d", fd);
	ready(words);
	if (strcmp(how, "read") == 0)
		(void)!read(fd, &info, sizeof info);
	if (strcmp(how, "poll") == 0) {
		struct pollfd p = {fd, POLLIN, 0};
		poll(&p, 1, -1);
	}
	if (strcmp(how, "epoll") == 0) {
		epoll_ctl(inner, EPOLL_CTL_ADD, fd, &ev);
		epoll_wait(inner, &ev, 1, -1);
	}
	if (strcmp(how, "nested") == 0) {
		epoll_ctl(inner, EPOLL_CTL_ADD, fd, &ev);
		epoll_ctl(outer, EPOLL_CTL_ADD, inner, &ev);
		epoll_wait(outer, &ev, 1, -1);
	}
	if (strcmp(how, "other") == 0) // an epoll set without it
		epoll_wait(outer, &ev, 1, -1);
	sleep_for_ever(NULL);
}

static char stack[65536];

static int vfork_child(void *arg) {
	(void)arg;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return sleep_for_ever(NULL);
}

// vfork: a parent in D until its child execs, which it never does.
static void vfork_parent(void) {
	ready("");
	clone(vfork_child, stack + sizeof stack, CLONE_VFORK | CLONE_VM | SIGCHLD, NULL);
}

// zombie: the leader is gone, a thread lives.
static void zombie_leader(void) {
	thread(thread_sleeps, NULL);
	ready("");
	pthread_exit(NULL);
}

// threads N: N threads in pause.
static void threads(int n) {
	while (n-- > 0)
		thread(thread_sleeps, NULL);
	ready("");
	sleep_for_ever(NULL);
}

// name: a comm made to break parsers.
static void odd_name(void) {
	prctl(PR_SET_NAME, "a) S 1\n(\\x", 0, 0, 0);
	ready("");
	sleep_for_ever(NULL);
}

// tree: a child and a grandchild in a PID namespace nested one deeper, and a
// child that a thread made.
static void *make_child(void *arg) {
	pid_t *child = arg, parent = getpid();
	if ((*child = fork()) == 0) {
		end_with(parent);
		sleep_for_ever(NULL);
	}
	return sleep_for_ever(NULL), NULL;
}

static void tree(void) {
	volatile pid_t of_thread = 0;
	pid_t parent = getpid(), nested = fork();
	if (nested == 0) {
		end_with(parent);
		unshare(CLONE_NEWPID);
		parent = getpid();
		if (fork() == 0)
			end_with(parent);
		sleep_for_ever(NULL);
	}
	thread(make_child, (void *)&of_thread);
	while (of_thread == 0)
		usleep(1000);
	usleep(50000);
	ready("");
	sleep_for_ever(NULL);
}

// traced PID: attach to it and never wait again.
static void tracer(int pid) {
	if (ptrace(PTRACE_ATTACH, pid, 0, 0) != 0)
		exit(1);
	waitpid(pid, NULL, 0);
	ready("");
	sleep_for_ever(NULL);
}

// reaper: the init of a namespace that dies while somebody who joined from
// outside is a zombie that his parent does not reap. join PID FD does that part.
static void join(int pid) {
	char path[64];
	char words[64];
	pid_t child;
	snprintf(path, sizeof path, "/proc/%d/ns/pid", pid);
	int fd = open(path, O_RDONLY);
	if (fd < 0 || setns(fd, CLONE_NEWPID) != 0)
		exit(1);
	if ((child = fork()) == 0)
		sleep_for_ever(NULL);
	snprintf(words, sizeof words, "%d", child);
	ready(words);
	sleep_for_ever(NULL);
}

// maplock FILE: FILE's page never comes. One process reads it through our
// /proc/PID/mem, holding our mmap lock, and another that shares our memory
// waits to write-lock it: whoever reads our cmdline now waits behind that one.
// We ourselves sleep in pause, as innocent as can be.
static void *page;

static int wants_lock(void *arg) {
	(void)arg;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return 0;
}

static void map_lock(const char *file) {
	char path[64], words[64], c;
	int fd = open(file, O_RDONLY);
	page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	if (fd < 0 || page == MAP_FAILED)
		exit(1);
	snprintf(path, sizeof path, "/proc/%d/mem", getpid());
	pid_t parent = getpid(), holder = fork();
	if (holder == 0) {
		end_with(parent);
		int mem = open(path, O_RDONLY);
		(void)!pread(mem, &c, 1, (off_t)(uintptr_t)page);
		_exit(0);
	}
	usleep(200000);
	pid_t waiter = clone(wants_lock, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
	usleep(200000);
	snprintf(words, sizeof words, "%d %d", holder, waiter);
	ready(words);
	sleep_for_ever(NULL);
}

// crowd N: N alike children asleep, 60 with a handler for TERM, and one each that
// is stopped, in D, in sigwait without blocking, of two threads, and one that
// blocks a signal. Their PIDs are said in this order.
static pid_t crowd_child(int kind) {
	sigset_t s = set_of(SIGTERM, SIGTERM);
	pid_t parent = getpid(), child = fork();
	int n;
	if (child != 0)
		return child;
	end_with(parent);
	switch (kind) {
	case 1: signal(SIGTERM, on_signal); break;
	case 2: raise(SIGSTOP); break;
	case 3: clone(vfork_child, stack + sizeof stack, CLONE_VFORK | CLONE_VM | SIGCHLD, NULL); break;
	case 4: sigwait(&s, &n); break;
	case 5: thread(thread_sleeps, NULL); break;
	case 6: sigprocmask(SIG_BLOCK, &s, NULL); break;
	}
	return sleep_for_ever(NULL);
}

static void crowd(int n) {
	char words[80];
	pid_t odd[5];
	int i;
	for (i = 0; i < n / 2; i++)
		crowd_child(0);
	for (i = 0; i < 5; i++) // in the middle: the oldest and the youngest are looked at anyhow
		odd[i] = crowd_child(i + 2);
	for (i = n / 2; i < n; i++)
		crowd_child(0);
	for (i = 0; i < 60; i++)
		crowd_child(1);
	usleep(200000);
	snprintf(words, sizeof words, "%d %d %d %d %d", odd[0], odd[1], odd[2], odd[3], odd[4]);
	ready(words);
	sleep_for_ever(NULL);
}

int main(int argc, char **argv) {
	const char *mode = argc > 1 ? argv[1] : "";
	sigset_t s = set_of(SIGTERM, SIGTERM);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (strcmp(mode, "masks") == 0)
		masks();
	if (strcmp(mode, "sigwait") == 0)
		wait_signal();
	if (strcmp(mode, "sigwait-thread") == 0) {
		thread(thread_waits_signal, &s);
		ready("");
		sleep_for_ever(NULL);
	}
	if (strcmp(mode, "signalfd") == 0)
		signal_fd(argv[2]);
	if (strcmp(mode, "vfork") == 0)
		vfork_parent();
	if (strcmp(mode, "zombie") == 0)
		zombie_leader();
	if (strcmp(mode, "threads") == 0)
		threads(atoi(argv[2]));
	if (strcmp(mode, "crowd") == 0)
		crowd(atoi(argv[2]));
	if (strcmp(mode, "name") == 0)
		odd_name();
	if (strcmp(mode, "tree") == 0)
		tree();
	if (strcmp(mode, "trace") == 0)
		tracer(atoi(argv[2]));
	if (strcmp(mode, "join") == 0)
		join(atoi(argv[2]));
	if (strcmp(mode, "maplock") == 0)
		map_lock(argv[2]);
	if (strcmp(mode, "spin") == 0) {
		ready("");
		for (;;)
			;
	}
	return 2;
}
