// SPDX-License-Identifier: GPL-2.0
#include "lines.h"
#include "error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int lines_open(struct lines *lines, const char *name)
{
	memset(lines, 0, sizeof(*lines));
	lines->read = 1;
	lines->name = name;
	if (!strcmp(name, "-")) {
		lines->name = "<stdin>";
		lines->file = stdin;
		return 0;
	}
	lines->file = fopen(name, "re");
	if (!lines->file)
		return fail("cannot open %s: %s", name, strerror(errno));
	return 0;
}

void lines_close(struct lines *lines)
{
	if (lines->file && lines->file != stdin)
		fclose(lines->file);
	free(lines->text);
	free(lines->word);
	memset(lines, 0, sizeof(*lines));
	error_at(NULL, 0);
}

static void push(struct lines *lines, char c)
{
	if (lines->len == lines->size) {
		lines->size = lines->size ? lines->size * 2 : 256;
		lines->text = xrealloc(lines->text, lines->size);
	}
	lines->text[lines->len++] = c;
}

static int next_char(struct lines *lines)
{
	int c = getc_unlocked(lines->file);

	if (c == '\n')
		lines->read++;
	return c;
}

static void skip_comment(struct lines *lines)
{
	int c;

	do {
		c = next_char(lines);
	} while (c != '\n' && c != EOF);
}

/* Reads up to the closing quote. */
static int read_quoted(struct lines *lines, int quote)
{
	int c;

	for (;;) {
		c = next_char(lines);
		if (c == quote)
			return 0;
		if (c == '\\' && quote == '"') {
			c = next_char(lines);
			if (c == '\n')
				continue;
			if (c != '"' && c != '\\')
				push(lines, '\\');
		}
		if (c == '\n' || c == EOF)
			return fail("the quote %c is not closed on its line",
				    quote);
		push(lines, c);
	}
}

/* Reads the words of one line; the end is EOF. */
static int read_line(struct lines *lines, bool *end)
{
	bool inside = false;
	int c, ret;

	for (;;) {
		c = next_char(lines);
		/* Most characters, quickly: those with a meaning come before. */
		if (c > '\'' && c != '\\') {
			push(lines, c);
			inside = true;
			continue;
		}
		if (c == EOF || c == '\n' || c == ' ' || c == '\t' ||
		    c == '\r') {
			if (inside)
				push(lines, '\0');
			inside = false;
			*end = c == EOF;
			if (c == EOF || c == '\n')
				return 0;
			continue;
		}
		if (c == '#' && !inside) {
			skip_comment(lines);
			return 0;
		}
		if (c == '\0')
			return fail("a NUL byte: this is no text file");
		if (c == '\\') {
			c = next_char(lines);
			if (c == '\n' || c == EOF)
				continue;
			push(lines, c);
		} else if (c == '\'' || c == '"') {
			ret = read_quoted(lines, c);
			if (ret)
				return ret;
		} else {
			push(lines, c);
		}
		inside = true;
	}
}

static void split(struct lines *lines, struct args *args)
{
	size_t count = 0, at;

	for (at = 0; at < lines->len; at += strlen(lines->text + at) + 1)
		count++;
	if (count >= lines->words) {
		lines->words = count + 64;
		lines->word = xrealloc(lines->word,
				       lines->words * sizeof(*lines->word));
	}
	count = 0;
	for (at = 0; at < lines->len; at += strlen(lines->text + at) + 1)
		lines->word[count++] = lines->text + at;
	lines->word[count] = NULL;
	args->word = lines->word;
}

int lines_next(struct lines *lines, struct args *args)
{
	bool end = false;
	int ret;

	lines->len = 0;
	while (!lines->len && !end) {
		lines->line = lines->read;
		error_at(lines->name, lines->line);
		ret = read_line(lines, &end);
		if (ret)
			return ret;
	}
	split(lines, args);
	if (ferror(lines->file)) {
		error_at(lines->name, 0);
		return refused("cannot read it: %s", strerror(errno));
	}
	if (!args_peek(args))
		error_at(lines->name, 0);
	return 0;
}
