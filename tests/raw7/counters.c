// SPDX-License-Identifier: GPL-2.0
#include "counters.h"
#include "case.h"
#include "log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX     65536
#define COUNTERS_MAX 2000

struct value {
	const char *group, *name;
	int group_len, name_len;
	long value;
};

/* A look at both files of a namespace; names point into the text. */
struct look {
	char text[2][TEXT_MAX];
	struct value values[COUNTERS_MAX];
	int count;
};

static int files[2][2];
static struct look before[2], now;

void counters_open(enum ns ns)
{
	static const char *const paths[] = { "/proc/thread-self/net/snmp",
					     "/proc/thread-self/net/snmp6" };
	int i;

	in(ns);
	for (i = 0; i < 2; i++) {
		files[ns][i] = open(paths[i], O_RDONLY | O_CLOEXEC);
		if (files[ns][i] < 0)
			bail("%s", paths[i]);
	}
}

static void add(struct look *look, const char *group, int group_len,
		const char *name, int name_len, long value)
{
	if (look->count == COUNTERS_MAX)
		bail("more than %d counters", COUNTERS_MAX);
	look->values[look->count++] = (struct value){
		.group = group,
		.group_len = group_len,
		.name = name,
		.name_len = name_len,
		.value = value,
	};
}

/* "Ip: A B\nIp: 1 2\n": a line of names, then one of values */
static void parse_pairs(struct look *look, char *text)
{
	char *names, *values, *end;
	int group_len, len;

	for (names = text; *names; names = strchr(values, '\n') + 1) {
		values = strchr(names, '\n');
		if (!values)
			return;
		values++;
		group_len = strcspn(names, ":");
		end = values + group_len + 1;
		text = names + group_len + 1;
		while (*text == ' ') {
			text++;
			len = strcspn(text, " \n");
			add(look, names, group_len, text, len,
			    strtol(end, &end, 10));
			text += len;
		}
	}
}

/* "Ip6InReceives   \t1\n" */
static void parse_lines(struct look *look, char *text)
{
	char *end;
	int len;

	while (*text) {
		len = strcspn(text, " \t");
		add(look, text, 0, text, len, strtol(text + len, &end, 10));
		text = end + strspn(end, " \t\n");
	}
}

static void take(enum ns ns, struct look *look)
{
	ssize_t len, part;
	int i;

	look->count = 0;
	for (i = 0; i < 2; i++) {
		len = 0;
		do {
			part = pread(files[ns][i], look->text[i] + len,
				     TEXT_MAX - 1 - len, len);
			if (part < 0)
				bail("read counters");
			len += part;
		} while (part);
		look->text[i][len] = '\0';
	}
	parse_pairs(look, look->text[0]);
	parse_lines(look, look->text[1]);
}

static bool named(const struct value *value, const char *name)
{
	return !strncmp(name, value->group, value->group_len) &&
	       !strncmp(name + value->group_len, value->name,
			value->name_len) &&
	       !name[value->group_len + value->name_len];
}

long counters_one(enum ns ns, const char *name)
{
	int i;

	take(ns, &now);
	for (i = 0; i < now.count; i++)
		if (named(&now.values[i], name))
			return now.values[i].value;
	/* snmp6 has a line for a type of ICMP once there was one */
	return 0;
}

void counters_remember(void)
{
	take(LEFT, &before[LEFT]);
	take(RIGHT, &before[RIGHT]);
}

/* Where a counter is in an earlier look, whose lines may be fewer. */
static long earlier(const struct look *look, const struct value *value, int at)
{
	const struct value *old;

	for (; at >= 0; at--) {
		if (at >= look->count)
			continue;
		old = &look->values[at];
		if (old->name_len == value->name_len &&
		    old->group_len == value->group_len &&
		    !strncmp(old->name, value->name, value->name_len) &&
		    !strncmp(old->group, value->group, value->group_len))
			return old->value;
	}
	return 0;
}

static uint64_t changes(bool print)
{
	const struct value *value;
	uint64_t hash = HASH_START;
	int ns, i;
	long delta;

	for (ns = LEFT; ns <= RIGHT; ns++) {
		take(ns, &now);
		for (i = 0; i < now.count; i++) {
			value = &now.values[i];
			delta = value->value - earlier(&before[ns], value, i);
			if (!delta)
				continue;
			hash = hash_bytes(hash, value->name, value->name_len);
			hash = hash_bytes(hash, &delta, sizeof(delta));
			if (print)
				log_line("counter %s %.*s%.*s %ld",
					 ns == LEFT ? "left" : "right",
					 value->group_len, value->group,
					 value->name_len, value->name, delta);
		}
	}
	return hash;
}

void counters_log(void)
{
	changes(true);
}

uint64_t counters_hash(void)
{
	return changes(false);
}
