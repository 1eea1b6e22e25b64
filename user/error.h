/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_ERROR_H
#define KRAW_ERROR_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Functions that can fail return 0 or one of these, after they have told the
 * user what is wrong; a caller passes it on.
 */
enum status {
	STATUS_OK = 0,
	STATUS_USAGE = 1, /* what we were told makes no sense */
	STATUS_REFUSED = 2, /* the kernel, or the system, refused it */
};

/* One line on standard error, a full stop added; returns STATUS_USAGE. */
int fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same, but returns STATUS_REFUSED. */
int refused(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A line that starts with "note:", about something that is missing. */
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Where later errors are, until the next call; no file: nowhere special. */
void error_at(const char *file, unsigned int line);

/* Out of memory ends the program: nothing that it does can be half done. */
void *xalloc(size_t size);
void *xrealloc(void *old, size_t size);
char *xstrdup(const char *text);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * The text with everything that a terminal might obey, or that is no valid
 * UTF-8, written as \xNN. To be freed.
 */
char *escape(const char *text);

#endif /* KRAW_ERROR_H */
