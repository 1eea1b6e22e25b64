/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_LIVE_H
#define KRAW_LIVE_H

#include <stdbool.h>

/*
 * Waits for events and lets the function work on them, until it fails, somebody
 * says that it is enough, or a signal (SIGINT, SIGTERM) does; that is no error.
 * The function should not work for long at a time, but nothing of what it leaves
 * is lost. STDOUT: a reader of standard output that goes away ends it as well.
 */
int live_run(int fd, bool to_stdout, int (*work)(void *data), void *data);

/*
 * From now on, or no longer, these signals wait for live_run: who is told that it
 * has begun may send one at once.
 */
void live_hold(bool hold);

/* It is enough. */
void live_stop(void);
bool live_stopped(void);

/* It is, since the reader of what is written has gone away. */
void live_leave(void);

/*
 * Writes out what was printed. A reader that went away is no error, nobody is
 * there to be told: it stops. Then live_gone() is true.
 */
int live_flush(void);
bool live_gone(void);

#endif /* KRAW_LIVE_H */
