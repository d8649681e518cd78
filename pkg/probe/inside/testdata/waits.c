//go:build ignore

// waits sleeps in one of the calls that keep their descriptors in memory, with
// a signalfd for SIGTERM that is in the set, or is not.
//
//	waits poll|ppoll|select|pselect in|out|write [thread]
//
// "write" has the descriptor in the set of those to write to; "thread" does it
// in a second thread while the first sleeps in pause.
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <unistd.h>

static char **args;
static int sfd;

static void *sleeper(void *unused)
{
	struct pollfd set[3] = {{.fd = -1, .events = POLLIN}, {.fd = 0, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
	fd_set in, out;
	sigset_t none;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(0, &in);
	if (strcmp(args[2], "in") == 0) {
		set[2].fd = sfd;
		FD_SET(sfd, &in);
	} else if (strcmp(args[2], "write") == 0) {
		set[2] = (struct pollfd){.fd = sfd, .events = POLLPRI};
		FD_SET(sfd, &out);
	}
	sigprocmask(SIG_SETMASK, NULL, &none);
	if (strcmp(args[1], "poll") == 0)
		poll(set, 3, -1);
	else if (strcmp(args[1], "ppoll") == 0)
		ppoll(set, 3, NULL, &none);
	else if (strcmp(args[1], "select") == 0)
		select(sfd + 1, &in, NULL, strcmp(args[2], "write") == 0 ? &in : NULL, NULL);
	else
		pselect(sfd + 1, &in, NULL, NULL, NULL, &none);
	return unused;
}

int main(int argc, char **argv)
{
	sigset_t term;
	pthread_t t;

	if (argc < 3)
		return 2;
	args = argv;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	sfd = signalfd(-1, &term, 0);
	if (argc == 3)
		sleeper(NULL);
	else if (pthread_create(&t, NULL, sleeper, NULL) == 0)
		for (;;)
			pause();
	return 1;
}
