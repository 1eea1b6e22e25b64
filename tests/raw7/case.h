/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Test cases, after the kernel's kselftest_harness.h, for TAP: a case is named
 * by the statement of raw(7) that it proves, and says whether the kernel does
 * what the page says:
 *
 *	HOLDS(R03, "the header is part of the data")
 *	{
 *		ok(condition, "what was expected, %d", value);
 *	}
 *
 *	DIFFERS(R17, "it is 0", "net/ipv4/raw.c, raw_recvmsg()")
 *
 * A case passes if all its ok() do. What differs is a finding: its case asserts
 * what the kernel really does, and its title says so and names who decides it.
 * A group of cases is a program; it prints one line a case.
 */
#ifndef RAW7_CASE_H
#define RAW7_CASE_H

#include <stdbool.h>

struct test_case {
	const char *id, *verdict, *title, *where;
	void (*run)(void);
	struct test_case *next;
};

#define CASE_NAME_(line) case_##line
#define CASE_INFO_(line) info_##line
#define CASE_ADD_(line)	 add_##line
#define CASE_(id_, verdict_, title_, where_, line)                     \
	static void CASE_NAME_(line)(void);                            \
	static struct test_case CASE_INFO_(line) = {                   \
		.id = #id_,                                            \
		.verdict = verdict_,                                   \
		.title = title_,                                       \
		.where = where_,                                       \
		.run = CASE_NAME_(line),                               \
	};                                                             \
	static __attribute__((constructor)) void CASE_ADD_(line)(void) \
	{                                                              \
		case_add(&CASE_INFO_(line));                           \
	}                                                              \
	static void CASE_NAME_(line)(void)
#define CASE_AT_(id, verdict, title, where, line) \
	CASE_(id, verdict, title, where, line)
#define HOLDS(id, title) CASE_AT_(id, "holds", title, "", __LINE__)
#define DIFFERS(id, title, where) \
	CASE_AT_(id, "differs", title, where, __LINE__)

void case_add(struct test_case *test);

/* A condition of the running case; the text says what should have been. */
bool ok(bool good, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The same for two numbers, which are shown. */
bool is(long got, long wanted, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A comment in the output. */
void diag(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A call of ours failed: the program makes no sense any more. */
void bail(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));

/* Run all cases, or those whose id is an argument; main()'s value. */
int cases_run(int argc, char **argv);

#endif /* RAW7_CASE_H */
