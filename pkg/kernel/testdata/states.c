// states MODE [FILE]: puts itself into one state that the tests then look at.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

void on_term(int sig) { (void)sig; }

static void handle(int sig, int flags)
{
	struct sigaction sa = {.sa_handler = on_term, .sa_flags = flags};
	sigaction(sig, &sa, NULL);
}

static sigset_t set_of(int a, int b)
{
	sigset_t s;
	sigemptyset(&s);
	sigaddset(&s, a);
	sigaddset(&s, b);
	return s;
}

static void block(int a, int b)
{
	sigset_t s = set_of(a, b);
	sigprocmask(SIG_BLOCK, &s, NULL);
}

static void wait_for(int a, int b)
{
	sigset_t s = set_of(a, b);
	for (;;)
		sigwaitinfo(&s, NULL);
}

static void *sleeper(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void *reader(void *file)
{
	char c;
	return read(*(int *)file, &c, 1) > 0 ? file : NULL;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	pthread_t t;

	if (strcmp(mode, "resethand") == 0) {
		handle(SIGTERM, SA_RESETHAND);
	} else if (strcmp(mode, "restart") == 0) {
		handle(SIGTERM, SA_RESTART);
		handle(SIGRTMAX, SA_NODEFER);
	} else if (strcmp(mode, "ignore") == 0) {
		signal(SIGTERM, SIG_IGN);
	} else if (strcmp(mode, "blocked") == 0) {
		block(SIGTERM, SIGTERM);
	} else if (strcmp(mode, "pending") == 0) {
		block(SIGTERM, SIGUSR1);
		kill(getpid(), SIGTERM);
		pthread_kill(pthread_self(), SIGUSR1);
	} else if (strcmp(mode, "sigwait") == 0) {
		block(SIGTERM, SIGTERM);
		wait_for(SIGTERM, SIGTERM);
	} else if (strcmp(mode, "sigwait-open") == 0) {
		wait_for(SIGTERM, SIGTERM);
	} else if (strcmp(mode, "sigwait-half") == 0) {
		block(SIGTERM, SIGUSR1);
		wait_for(SIGTERM, SIGHUP);
	} else if (strcmp(mode, "vfork") == 0) {
		if (vfork() == 0)
			for (;;)
				pause();
	} else if (strcmp(mode, "stopped") == 0) {
		raise(SIGSTOP);
	} else if (strcmp(mode, "leaderless") == 0) {
		handle(SIGTERM, 0);
		pthread_create(&t, NULL, sleeper, NULL);
		pthread_exit(NULL);
	} else if (strcmp(mode, "lock") == 0 && argc > 2) {
		int file = open(argv[2], O_RDONLY);
		pthread_create(&t, NULL, reader, &file);
		usleep(100000);
		reader(&file); // waits for the file position, which the first holds
	} else {
		fprintf(stderr, "states: no such mode\n");
		return 2;
	}
	for (;;)
		pause();
}
