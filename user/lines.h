/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_LINES_H
#define KRAW_LINES_H

#include "parse.h"

#include <stddef.h>
#include <stdio.h>

/*
 * A file of commands, one a line: words between blanks; '...' and "..." hold
 * blanks; a backslash takes the next character as it is, at the end of a line
 * it joins the next one; # at the start of a word begins a comment.
 */
struct lines {
	const char *name;
	FILE *file;
	unsigned int line; /* that the words of lines_next start in */
	unsigned int read; /* line that is read next */
	char *text; /* the words, each with its NUL */
	size_t len, size;
	char **word;
	size_t words;
};

/* "-" is the standard input. */
int lines_open(struct lines *lines, const char *name);

/*
 * The words of the next line that has some, valid until the next call; none at
 * all: the end. Errors from now on, also those of others, name the line.
 */
int lines_next(struct lines *lines, struct args *args);
void lines_close(struct lines *lines);

#endif /* KRAW_LINES_H */
