// SPDX-License-Identifier: GPL-2.0
/* Counters again and again, with what came in a second. */
#include "config.h"
#include "counters.h"
#include "error.h"
#include "names.h"
#include "output.h"
#include "stats.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

/* A reader that went away is no error: nobody is there to be told. */
static void unread(int signal)
{
	(void)signal;
	_exit(STATUS_OK);
}

/* Two looks at the counters; the first time there is no earlier one. */
struct interval {
	struct proto_list now, before;
	struct timespec at, at_before;
	double seconds; /* between them; 0: the first time */
};

/* A protocol in one family. */
struct row {
	const struct proto *proto;
	unsigned int family;
	const struct interval *interval;
};

static const struct proto_stats *stats_before(const struct row *row)
{
	const struct proto_list *before = &row->interval->before;
	size_t i;

	for (i = 0; i < before->count; i++)
		if (before->entry[i].number == row->proto->number &&
		    before->entry[i].stats[row->family].valid)
			return &before->entry[i].stats[row->family];
	return NULL;
}

/* Of one second; null: not known, or the protocol was not managed before. */
static json_t *rate(const struct row *row, unsigned int attr)
{
	const struct proto_stats *now = &row->proto->stats[row->family];
	const struct proto_stats *before = stats_before(row);

	if (!before || !row->interval->seconds || !counter_known(now, attr) ||
	    now->count[attr] < before->count[attr])
		return json_null();
	return json_real((double)(now->count[attr] - before->count[attr]) /
			 row->interval->seconds);
}

static json_t *row_number(const void *object)
{
	const struct row *row = object;

	return json_integer(row->proto->number);
}

static json_t *row_name(const void *object)
{
	const struct row *row = object;

	return output_string(protocol_name(row->proto->number));
}

static json_t *row_family(const void *object)
{
	const struct row *row = object;

	return json_string(stats_family(row->family));
}

static json_t *row_seen(const void *object)
{
	const struct row *row = object;

	return counter_json(&row->proto->stats[row->family], KRAW_STATS_A_SEEN);
}

#define RATE(name, attr)                               \
	static json_t *rate_##name(const void *object) \
	{                                              \
		return rate(object, attr);             \
	}

RATE(seen, KRAW_STATS_A_SEEN)
RATE(handler, KRAW_STATS_A_END_HANDLER)
RATE(raw, KRAW_STATS_A_END_RAW)
RATE(nobody, KRAW_STATS_A_END_NOBODY)
RATE(none, KRAW_STATS_A_NONE)
RATE(reject, KRAW_STATS_A_REJECT)
RATE(copies, KRAW_STATS_A_RAW_COPIES)
RATE(refused, KRAW_STATS_A_RAW_REFUSED)
RATE(unreach, KRAW_STATS_A_UNREACH)

static const struct field fields[] = {
	{ "proto", NULL, "PROTO", row_number, .colour = COLOUR_NUMBER },
	{ "name", NULL, "NAME", row_name, .form = FORM_TEXT },
	{ "family", NULL, "FAMILY", row_family },
	{ "seen", NULL, "SEEN", row_seen },
	{ "seen", NULL, "SEEN/S", rate_seen },
	{ "handler", NULL, "HANDLER/S", rate_handler },
	{ "raw", NULL, "RAW/S", rate_raw },
	{ "nobody", NULL, "NOBODY/S", rate_nobody },
	{ "none", NULL, "NONE/S", rate_none },
	{ "reject", NULL, "REJECT/S", rate_reject },
	{ "copies", NULL, "RAW-COPIES/S", rate_copies },
	{ "refused", NULL, "RAW-REFUSED/S", rate_refused },
	{ "unreach", NULL, "UNREACH/S", rate_unreach },
	{ NULL },
};

static int add_row(const struct proto *proto, unsigned int family, void *data)
{
	struct {
		struct output *output;
		const struct interval *interval;
	} *to = data;
	struct row row = { proto, family, to->interval };

	output_add(to->output, &row);
	return 0;
}

static int print_table(const struct interval *interval)
{
	struct {
		struct output *output;
		const struct interval *interval;
	} to = { NULL, interval };
	time_t now = time(NULL);
	struct tm tm;
	char text[16] = "";

	if (localtime_r(&now, &tm))
		strftime(text, sizeof(text), "%H:%M:%S", &tm);
	puts(text);
	to.output = output_begin(fields, OUTPUT_TABLE);
	stats_each(&interval->now, add_row, &to);
	return output_end(to.output, 0);
}

struct json_list {
	json_t *array;
	const struct interval *interval;
};

static int add_json(const struct proto *proto, unsigned int family, void *data)
{
	const struct json_list *list = data;
	struct row row = { proto, family, list->interval };
	json_t *json = stats_json(proto, family);
	json_t *rates = json_object();
	unsigned int i;

	for (i = 0; i <= KRAW_STATS_A_MAX; i++)
		if (counter_name(i))
			json_object_set_new(rates, counter_name(i),
					    rate(&row, i));
	json_object_set_new(json, "rates", rates);
	json_array_append_new(list->array, json);
	return 0;
}

/* An object a line, for one interval. */
static int print_json(const struct interval *interval)
{
	struct json_list list = { json_array(), interval };
	json_t *json = json_object();

	json_object_set_new(json, "time", json_integer(time(NULL)));
	json_object_set_new(json, "seconds", json_real(interval->seconds));
	stats_each(&interval->now, add_json, &list);
	json_object_set_new(json, "stats", list.array);
	json_dumpf(json, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(json);
	return output_flush();
}

static int look(int number, struct interval *interval)
{
	proto_list_clear(&interval->before);
	interval->before = interval->now;
	interval->at_before = interval->at;
	interval->now = (struct proto_list){ 0 };
	clock_gettime(CLOCK_MONOTONIC, &interval->at);
	if (interval->at_before.tv_sec || interval->at_before.tv_nsec)
		interval->seconds = (double)(interval->at.tv_sec -
					     interval->at_before.tv_sec) +
				    (double)(interval->at.tv_nsec -
					     interval->at_before.tv_nsec) /
					    1e9;
	return stats_get(number, &interval->now);
}

/* Signals come in while we wait, and at no other time. */
static void catch_signals(sigset_t *waiting)
{
	struct sigaction action = { .sa_handler = stop };
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, waiting);
	sigdelset(waiting, SIGINT);
	sigdelset(waiting, SIGTERM);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, unread);
}

int stats_watch(int number, uint32_t seconds)
{
	struct timespec pause = { .tv_sec = seconds };
	struct interval interval = { 0 };
	sigset_t waiting;
	int ret = 0;

	catch_signals(&waiting);
	while (!ret && !stopped) {
		/* Only its errors: the reader of our output went away. */
		struct pollfd out = { STDOUT_FILENO, 0, 0 };

		ret = look(number, &interval);
		if (!ret)
			ret = options.json ? print_json(&interval) :
					     print_table(&interval);
		if (!ret && !stopped && ppoll(&out, 1, &pause, &waiting) > 0)
			break;
	}
	proto_list_clear(&interval.now);
	proto_list_clear(&interval.before);
	return ret;
}
