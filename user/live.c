// SPDX-License-Identifier: GPL-2.0
/* What monitor and trace have in common: they go on until they are stopped. */
#include "live.h"
#include "error.h"
#include "output.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

static struct {
	bool stopped;
	bool gone; /* the reader of standard output */
} live;

void live_stop(void)
{
	live.stopped = true;
}

bool live_stopped(void)
{
	return live.stopped;
}

bool live_gone(void)
{
	return live.gone;
}

void live_leave(void)
{
	live.gone = true;
	live.stopped = true;
}

int live_flush(void)
{
	if (!fflush(stdout))
		return 0;
	if (errno != EPIPE)
		return output_flush();
	live_leave();
	return 0;
}

/* Signals are read as events are: in turn, however many of these there are. */
static int catch_signals(sigset_t *signals)
{
	sigemptyset(signals);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGTERM);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, signals, NULL))
		return -1;
	return signalfd(-1, signals, SFD_CLOEXEC);
}

void live_hold(bool hold)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &signals, NULL);
}

static int run(struct pollfd *fds, int (*work)(void *data), void *data)
{
	int ret = 0;

	while (!ret && !live.stopped) {
		if (poll(fds, 3, -1) < 0 && errno != EINTR)
			return refused("cannot wait for events: %s",
				       strerror(errno));
		if (fds[1].revents)
			live.stopped = true;
		if (fds[2].revents & (POLLERR | POLLHUP))
			live_leave();
		if (fds[0].revents && !live.stopped)
			ret = work(data);
	}
	return ret;
}

int live_run(int fd, bool to_stdout, int (*work)(void *data), void *data)
{
	struct pollfd fds[] = {
		{ .fd = fd, .events = POLLIN },
		{ .events = POLLIN },
		/* Of standard output only the errors. */
		{ .fd = to_stdout ? STDOUT_FILENO : -1 },
	};
	sigset_t signals;
	int ret;

	live.stopped = live.gone;
	fds[1].fd = catch_signals(&signals);
	if (fds[1].fd < 0)
		return refused("cannot wait for signals: %s", strerror(errno));
	ret = run(fds, work, data);
	close(fds[1].fd);
	/* The signal has been heeded; a second one ends what is left to do. */
	while (sigtimedwait(&signals, NULL, &(struct timespec){ 0 }) > 0)
		;
	sigprocmask(SIG_UNBLOCK, &signals, NULL);
	return ret;
}
