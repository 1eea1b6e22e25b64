// SPDX-License-Identifier: GPL-2.0
#include "error.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	const char *file;
	unsigned int line;
} where;

void error_at(const char *file, unsigned int line)
{
	where.file = file;
	where.line = line;
}

static void out_of_memory(void)
{
	fputs("Error: out of memory.\n", stderr);
	exit(STATUS_REFUSED);
}

void *xalloc(size_t size)
{
	return xrealloc(NULL, size);
}

void *xrealloc(void *old, size_t size)
{
	void *new = realloc(old, size);

	if (!new)
		out_of_memory();
	return new;
}

char *xstrdup(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		out_of_memory();
	return copy;
}

static char *format(const char *fmt, va_list args)
{
	char *text;

	if (vasprintf(&text, fmt, args) < 0)
		out_of_memory();
	return text;
}

char *xasprintf(const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	text = format(fmt, args);
	va_end(args);
	return text;
}

/* How many bytes a printable UTF-8 character has here; 0: there is none. */
static size_t printable(const unsigned char *c)
{
	uint32_t code;
	size_t len, i;

	if (c[0] < 0x80)
		return c[0] >= 0x20 && c[0] != 0x7f;
	if (c[0] >= 0xc2 && c[0] <= 0xdf)
		len = 2;
	else if (c[0] >= 0xe0 && c[0] <= 0xef)
		len = 3;
	else if (c[0] >= 0xf0 && c[0] <= 0xf4)
		len = 4;
	else
		return 0;

	code = c[0] & (0x7f >> len);
	for (i = 1; i < len; i++) {
		if ((c[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (c[i] & 0x3f);
	}
	/* The C1 controls; what is written longer than it has to be; UTF-16 */
	if (code < 0xa0 || (len == 3 && code < 0x800) ||
	    (len == 4 && code < 0x10000) || code > 0x10ffff ||
	    (code >= 0xd800 && code <= 0xdfff))
		return 0;
	/* What turns the direction of writing makes a line lie. */
	if (code == 0x2028 || code == 0x2029 ||
	    (code >= 0x202a && code <= 0x202e) ||
	    (code >= 0x2066 && code <= 0x2069))
		return 0;
	return len;
}

char *escape(const char *text)
{
	char *out = xalloc(4 * strlen(text) + 1);
	size_t len, at = 0;

	while (*text) {
		len = printable((const unsigned char *)text);
		if (len) {
			memcpy(out + at, text, len);
			at += len;
			text += len;
		} else {
			at += sprintf(out + at, "\\x%02x",
				      (unsigned char)*text++);
		}
	}
	out[at] = '\0';
	return out;
}

static void tell(const char *kind, const char *fmt, va_list args)
{
	char *raw = format(fmt, args);
	char *text = escape(raw);
	size_t len = strlen(text);
	const char *stop = len && text[len - 1] == '.' ? "" : ".";
	char *file = escape(where.file ? where.file : "");

	/* Whatever was printed before comes first, also in a shared file. */
	fflush(stdout);
	if (where.file && where.line)
		fprintf(stderr, "%s: %s:%u: %s%s\n", kind, file, where.line,
			text, stop);
	else if (where.file)
		fprintf(stderr, "%s: %s: %s%s\n", kind, file, text, stop);
	else
		fprintf(stderr, "%s: %s%s\n", kind, text, stop);
	free(file);
	free(text);
	free(raw);
}

int fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	tell("Error", fmt, args);
	va_end(args);
	return STATUS_USAGE;
}

int refused(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	tell("Error", fmt, args);
	va_end(args);
	return STATUS_REFUSED;
}

void note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	tell("note", fmt, args);
	va_end(args);
}
