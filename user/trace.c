// SPDX-License-Identifier: GPL-2.0
/* kraw trace: what becomes of each packet, as lines or as a capture file. */
#include "trace.h"
#include "capture.h"
#include "describe.h"
#include "error.h"
#include "live.h"
#include "subcommands.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/genetlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char trace_usage[] =
	"Usage: kraw trace [proto P] [hook HOOK] [MATCH ...] [VERDICT] [marked]\n"
	"                  [count N] [snaplen N] [-w FILE]\n"
	"A line for each packet of a managed protocol: what decided, who received it,\n"
	"who did not and why. Needs CAP_NET_ADMIN. Ends with Ctrl-C or after N packets.\n"
	"MATCH   as in 'kraw rule help'\n"
	"VERDICT := deliver { all | raw | kernel | one | none | reject } | allow | deny\n"
	"marked: only packets that a rule with 'trace' decides about.\n"
	"-w writes the packets to a file for tcpdump and Wireshark, - is standard output.\n"
	"With -j: a JSON object a line.\n";

/* Bytes of records that may wait for us; messages that are read at a time. */
#define ROOM  (32 * 1024 * 1024)
#define BATCH 256

#define ANSWER_MS    1000
#define ANSWER_TRIES 10

static struct {
	struct rule filter;
	const char *file; /* NULL: lines */
	struct capture *capture;
	uint32_t snaplen;
	bool has_snaplen;
	uint32_t count; /* 0: all */
	uint64_t told; /* records that were printed or written */
	uint64_t lost; /* as far as it is known */
	uint64_t lost_told; /* of these */
	bool has_totals;
	struct record totals;
} trace;

static int parse_count(struct args *args, const char *key, uint32_t min,
		       uint32_t max, uint32_t *value)
{
	const char *word;
	int ret = args_value(args, key, &word) ?:
			  parse_number(key, word, max, value);

	if (!ret && *value < min)
		ret = fail("%s %s: at least %u", key, word, min);
	return ret;
}

static int parse_word(struct args *args, const char *key)
{
	if (!strcmp(key, "count"))
		return parse_count(args, key, 1, UINT32_MAX, &trace.count);
	if (!strcmp(key, "snaplen")) {
		trace.has_snaplen = true;
		return parse_count(args, key, 0, KRAW_SNAPLEN_MAX,
				   &trace.snaplen);
	}
	if (!strcmp(key, "-w"))
		return args_value(args, key, &trace.file);
	if (!strcmp(key, "marked")) {
		trace.filter.set |= BIT(KRAW_RULE_A_TRACE);
		return 0;
	}
	return rule_parse_filter(args, key, &trace.filter);
}

static int parse(struct args *args)
{
	const char *word;
	int ret = 0;

	while (!ret && (word = args_next(args)))
		ret = parse_word(args, word);
	if (ret)
		return ret;
	if (trace.file && options.json)
		return fail("-w and -j: a capture file is no JSON, use one of them");
	if (trace.file && trace.has_snaplen && !trace.snaplen)
		return fail("snaplen 0: nothing of the packets would be in the file");
	if (trace.file && !trace.has_snaplen)
		trace.snaplen = KRAW_SNAPLEN_MAX;
	return rule_check_filter(&trace.filter);
}

/* Said where something is missing; of a file in the summary. */
static void print_lost(uint64_t lost)
{
	uint64_t more = lost - trace.lost_told;

	trace.lost_told = lost;
	if (trace.file)
		return;
	if (options.json)
		output_print(json_pack("{sI}", "lost", (json_int_t)more));
	else
		printf("# %" PRIu64
		       " packets were lost here: they came faster than they were read\n",
		       more);
}

static void print_record(struct record *record)
{
	record_owners(record);
	output_line(record_fields, record);
}

static bool enough(void)
{
	return trace.count && trace.told >= trace.count;
}

static int tell(struct record *record)
{
	if (enough())
		return 0;
	if (record->lost > trace.lost)
		trace.lost = record->lost;
	if (trace.lost > trace.lost_told)
		print_lost(trace.lost);
	trace.told++;
	if (enough())
		live_stop();
	if (!trace.capture) {
		print_record(record);
		return 0;
	}
	return capture_add(trace.capture, record->time, record->data,
			   record->data_len, record->len);
}

static int seen(const struct nlmsghdr *nlh, void *data)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	struct record record;
	int ret = 0;

	(void)data;
	if (genl->cmd != KRAW_CMD_TRACE && genl->cmd != KRAW_CMD_TRACE_STOP)
		return 0;
	ret = record_get(nlh, &record);
	if (!ret && genl->cmd == KRAW_CMD_TRACE)
		ret = tell(&record);
	else if (!ret)
		trace.totals = record;
	trace.has_totals |= genl->cmd == KRAW_CMD_TRACE_STOP;
	record_clear(&record);
	return ret;
}

static int flush(void)
{
	return trace.capture ? capture_flush(trace.capture) : live_flush();
}

/* Some of what is there; *none: that was all. */
static int read_some(bool *none)
{
	unsigned int i;

	*none = false;
	for (i = 0; i < BATCH && !live_gone(); i++) {
		switch (nl_events(seen, NULL)) {
		case NL_EVENT_NONE:
			*none = true;
			return flush();
		case NL_EVENT_SOME:
		case NL_EVENT_LOST: /* the records tell */
			break;
		case NL_EVENT_UNLOADED:
			return flush() ?:
				       refused("kraw.ko was unloaded: no more packets will come");
		case NL_EVENT_ERROR:
			return STATUS_REFUSED;
		}
	}
	return flush();
}

static int work(void *data)
{
	bool none;

	(void)data;
	return read_some(&none);
}

/* Waits for the answer to what was posted; records come in between. */
static int await(int fd, bool *answered)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	struct nl_refusal refusal;
	bool none = true;
	int ret = 0;

	*answered = false;
	while (!ret && !live_gone()) {
		if (none && poll(&poll_fd, 1, ANSWER_MS) <= 0)
			return 0;
		ret = read_some(&none);
		if (!ret && nl_answered(&refusal)) {
			*answered = true;
			return nl_conclude(&refusal, "trace");
		}
	}
	return ret;
}

static int start(int fd)
{
	struct nlattr *nest;
	struct nl_msg msg;
	bool answered;
	int ret;

	nl_begin(&msg, KRAW_CMD_TRACE, 0);
	nl_reserve(&msg, CONFIG_ROOM);
	/* The kernel has no use for what the program was compiled from. */
	trace.filter.set &= ~BIT(KRAW_RULE_A_EXPR);
	rule_put(msg.nlh, &trace.filter);
	nest = mnl_attr_nest_start(msg.nlh, KRAW_A_TRACE);
	mnl_attr_put_u32(msg.nlh, KRAW_TRACE_A_SNAPLEN, trace.snaplen);
	mnl_attr_nest_end(msg.nlh, nest);
	ret = nl_post(&msg) ?: await(fd, &answered);
	if (!ret && !answered)
		ret = refused("trace: the kernel does not answer");
	return ret;
}

/*
 * Asks for the totals. With a full receive buffer the answer gets lost, so it is
 * asked again when everything has been read; then there is room.
 */
static int stop(int fd)
{
	bool answered = false;
	struct nl_msg msg;
	int tries, ret = 0;

	for (tries = 0; !ret && !trace.has_totals && tries < ANSWER_TRIES;
	     tries++) {
		nl_begin(&msg, KRAW_CMD_TRACE_STOP, 0);
		ret = nl_post(&msg) ?: await(fd, &answered);
	}
	if (!ret && trace.has_totals)
		trace.lost = trace.totals.lost;
	if (!ret && trace.lost > trace.lost_told)
		print_lost(trace.lost);
	return ret ?: flush();
}

static void summary(void)
{
	fprintf(stderr, "%" PRIu64 " packet%s, %" PRIu64 " lost\n", trace.told,
		trace.told == 1 ? "" : "s", trace.lost);
}

int trace_main(struct args *args)
{
	int fd, ret;

	memset(&trace, 0, sizeof(trace));
	ret = parse(args) ?: nl_open();
	if (!ret && trace.file)
		ret = capture_open(&trace.capture, trace.file, trace.snaplen);
	if (!ret)
		ret = nl_listen(&fd, false, ROOM) ?: start(fd);
	if (!ret)
		ret = live_run(fd, !trace.file || !strcmp(trace.file, "-"),
			       work, NULL);
	if (!ret && !live_gone() && !enough())
		ret = stop(fd);
	if (capture_close(trace.capture) && !ret)
		ret = STATUS_REFUSED;
	if (!ret && !live_gone())
		summary();
	record_owners_forget();
	rule_clear(&trace.filter);
	/* Other commands of a batch do not want what may still come. */
	nl_close();
	return ret;
}
