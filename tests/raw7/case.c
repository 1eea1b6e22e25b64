// SPDX-License-Identifier: GPL-2.0
#include "case.h"
#include "lab.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct test_case *cases, **cases_end = &cases;
static bool failed;

void case_add(struct test_case *test)
{
	*cases_end = test;
	cases_end = &test->next;
}

static void comment(const char *before, const char *format, va_list args)
{
	printf("# %s", before);
	vprintf(format, args);
	putchar('\n');
}

bool ok(bool good, const char *format, ...)
{
	va_list args;

	if (good)
		return true;
	failed = true;
	va_start(args, format);
	comment("  not so: ", format, args);
	va_end(args);
	return false;
}

bool is(long got, long wanted, const char *format, ...)
{
	va_list args;

	if (got == wanted)
		return true;
	failed = true;
	va_start(args, format);
	comment("  not so: ", format, args);
	va_end(args);
	diag("    got %ld (%#lx), expected %ld (%#lx)", got, got, wanted,
	     wanted);
	return false;
}

void diag(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	comment("", format, args);
	va_end(args);
}

void bail(const char *format, ...)
{
	int error = errno;
	va_list args;

	printf("Bail out! ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf(": %s\n", strerror(error));
	exit(1);
}

static bool wanted(const struct test_case *test, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(test->id, argv[i]))
			return true;
	return argc < 2;
}

int cases_run(int argc, char **argv)
{
	const struct test_case *test;
	int count = 0, bad = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n");
	lab_open();
	for (test = cases; test; test = test->next) {
		if (!wanted(test, argc, argv))
			continue;
		failed = false;
		lab_begin(test->id);
		test->run();
		lab_end();
		bad += failed;
		printf("%sok %d - %s %s: %s%s%s%s\n", failed ? "not " : "",
		       ++count, test->id, test->verdict, test->title,
		       *test->where ? " [" : "", test->where,
		       *test->where ? "]" : "");
	}
	printf("1..%d\n", count);
	return bad || !count;
}
