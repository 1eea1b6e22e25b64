// SPDX-License-Identifier: GPL-2.0
#include "stats.h"
#include "config.h"
#include "counters.h"
#include "error.h"
#include "names.h"
#include "output.h"
#include "subcommands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char stats_usage[] =
	"Usage: kraw stats [proto P] [-w SECONDS | --prometheus]\n"
	"Packets of each managed protocol and family, since it is managed, and what\n"
	"became of them. The man page explains the counters.\n"
	"With -d: all counters that are not zero, in groups that add up.\n"
	"-w: again and again, with what came in a second; --prometheus: in the text\n"
	"format that Prometheus reads.\n";

/* One line: a protocol in one family. */
struct row {
	uint8_t number;
	const char *family;
	const struct proto_stats *stats;
};

static json_t *row_number(const void *object)
{
	const struct row *row = object;

	return json_integer(row->number);
}

static json_t *row_name(const void *object)
{
	const struct row *row = object;

	return output_string(protocol_name(row->number));
}

static json_t *row_family(const void *object)
{
	const struct row *row = object;

	return json_string(row->family);
}

/* Shown as "?" if it is not known. */
static json_t *row_counter(const struct row *row, unsigned int attr)
{
	if (!counter_known(row->stats, attr))
		return NULL;
	return counter_json(row->stats, attr);
}

#define COUNTER(name, attr)                           \
	static json_t *row_##name(const void *object) \
	{                                             \
		return row_counter(object, attr);     \
	}

COUNTER(seen, KRAW_STATS_A_SEEN)
COUNTER(all, KRAW_STATS_A_ALL)
COUNTER(raw, KRAW_STATS_A_RAW)
COUNTER(kernel, KRAW_STATS_A_KERNEL)
COUNTER(one, KRAW_STATS_A_ONE)
COUNTER(none, KRAW_STATS_A_NONE)
COUNTER(reject, KRAW_STATS_A_REJECT)
COUNTER(passed, KRAW_STATS_A_PASSED)
COUNTER(raw_copies, KRAW_STATS_A_RAW_COPIES)
COUNTER(raw_refused, KRAW_STATS_A_RAW_REFUSED)
COUNTER(unreach, KRAW_STATS_A_UNREACH)
COUNTER(deny, KRAW_STATS_A_DENY)
COUNTER(dgram, KRAW_STATS_A_DGRAM)

/* What a table has room for. */
static const struct field row_fields[] = {
	{ "proto", NULL, "PROTO", row_number, .colour = COLOUR_NUMBER },
	{ "name", NULL, "NAME", row_name, .form = FORM_TEXT },
	{ "family", NULL, "FAMILY", row_family },
	{ "seen", NULL, "SEEN", row_seen },
	{ "all", NULL, "ALL", row_all },
	{ "raw", NULL, "RAW", row_raw },
	{ "kernel", NULL, "KERNEL", row_kernel },
	{ "one", NULL, "ONE", row_one },
	{ "none", NULL, "NONE", row_none },
	{ "reject", NULL, "REJECT", row_reject },
	{ "passed", NULL, "PASSED", row_passed },
	{ "raw_copies", NULL, "RAW-COPIES", row_raw_copies },
	{ "raw_refused", NULL, "RAW-REFUSED", row_raw_refused },
	{ "unreach", NULL, "UNREACH", row_unreach },
	{ "deny", NULL, "DENY", row_deny },
	{ "dgram", NULL, "DGRAM", row_dgram },
	{ NULL },
};

int stats_each(const struct proto_list *list,
	       int (*each)(const struct proto *proto, unsigned int family,
			   void *data),
	       void *data)
{
	unsigned int family;
	int ret = 0;
	size_t i;

	for (i = 0; !ret && i < list->count; i++)
		for (family = 0; !ret && family < 2; family++)
			if (list->entry[i].stats[family].valid)
				ret = each(&list->entry[i], family, data);
	return ret;
}

const char *stats_family(unsigned int family)
{
	return family ? "ipv6" : "ipv4";
}

json_t *stats_json(const struct proto *proto, unsigned int family)
{
	struct row row = { proto->number, stats_family(family), NULL };
	json_t *json = json_object();

	json_object_set_new(json, "proto", row_number(&row));
	json_object_set_new(json, "name", row_name(&row));
	json_object_set_new(json, "family", row_family(&row));
	json_object_update_new(json, counters_json(&proto->stats[family]));
	return json;
}

static int one_answer(const struct nlmsghdr *nlh, void *data)
{
	struct proto_list *list = data;

	list->entry = xalloc(sizeof(*list->entry));
	list->count = 1;
	return proto_get(nlh, list->entry);
}

int stats_get(int number, struct proto_list *list)
{
	struct proto proto = { .number = number };
	struct nl_msg msg;
	char *what;
	int ret;

	if (number < 0)
		return proto_list_get(list);
	memset(list, 0, sizeof(*list));
	nl_begin(&msg, KRAW_CMD_PROTO_GET, 0);
	proto_put(msg.nlh, &proto);
	what = xasprintf("stats proto %d", number);
	ret = nl_request(&msg, one_answer, list, what);
	free(what);
	return ret;
}

static int add_json(const struct proto *proto, unsigned int family, void *data)
{
	json_array_append_new(data, stats_json(proto, family));
	return 0;
}

static int add_row(const struct proto *proto, unsigned int family, void *output)
{
	struct row row = { proto->number, stats_family(family),
			   &proto->stats[family] };

	output_add(output, &row);
	return 0;
}

/* "name 1, other 2": those of a group that are not zero, or not known. */
static void print_group(const struct counter_group *group,
			const struct proto_stats *stats)
{
	const char *before = group->title;
	unsigned int i, attr;

	for (i = 0; (attr = group->list[i].attr); i++) {
		bool known = counter_known(stats, attr);

		if (known && !stats->count[attr])
			continue;
		if (before)
			printf("    %-20s", before);
		else
			fputs(", ", stdout);
		before = NULL;
		if (group->label)
			printf("%s ", group->list[i].value);
		if (known)
			printf("%" PRIu64, stats->count[attr]);
		else
			putchar('?');
	}
	if (!before)
		putchar('\n');
}

static int print_groups(const struct proto *proto, unsigned int family,
			void *data)
{
	const char *name = protocol_name(proto->number);
	const struct counter_group *group;

	(void)data;
	printf("%u %s%s%s account %s\n", proto->number, name ? name : "",
	       name ? " " : "", stats_family(family),
	       name_of(&account_names, proto->account));
	for (group = counter_groups; group->title; group++)
		print_group(group, &proto->stats[family]);
	return 0;
}

static int show(const struct proto_list *list)
{
	struct output *output;

	if (options.json) {
		json_t *array = json_array();

		stats_each(list, add_json, array);
		output_print(array);
		return output_flush();
	}
	if (options.details) {
		stats_each(list, print_groups, NULL);
		return output_flush();
	}
	output = output_begin(row_fields, OUTPUT_TABLE);
	return output_end(output, stats_each(list, add_row, output));
}

/* Which protocol, and how it is to be shown. */
struct request {
	int number; /* -1: all */
	uint32_t seconds; /* 0: once */
	bool prometheus;
};

static int parse_word(struct args *args, const char *word,
		      struct request *request)
{
	uint8_t number;
	int ret;

	if (!strcmp(canonical(word), "proto")) {
		ret = args_value(args, "proto", &word) ?:
			      parse_protocol(word, &number);
		if (!ret)
			request->number = number;
		return ret;
	}
	if (!strcmp(word, "-w") || !strcmp(word, "-watch") ||
	    !strcmp(word, "--watch")) {
		ret = args_value(args, "-w", &word) ?:
			      parse_number("-w", word, 86400,
					   &request->seconds);
		if (!ret && !request->seconds)
			return fail("-w 0: give a number of seconds, 1 or more");
		return ret;
	}
	if (!strcmp(word, "-prometheus") || !strcmp(word, "--prometheus")) {
		request->prometheus = true;
		return 0;
	}
	return fail("'%s' is not understood here: see 'kraw stats help'", word);
}

static int parse(struct args *args, struct request *request)
{
	const char *word;
	int ret = 0;

	*request = (struct request){ .number = -1 };
	args_take(args, "show");
	while (!ret && (word = args_next(args)))
		ret = parse_word(args, word, request);
	if (ret)
		return ret;
	if (request->prometheus && request->seconds)
		return fail("--prometheus is a single look: leave out -w");
	if (request->prometheus && options.json)
		return fail("--prometheus is a format of its own: leave out -j");
	return 0;
}

int stats_main(struct args *args)
{
	struct proto_list list = { 0 };
	struct request request;
	int ret;

	ret = parse(args, &request) ?: nl_open();
	if (ret)
		return ret;
	if (request.seconds)
		return stats_watch(request.number, request.seconds);
	ret = stats_get(request.number, &list);
	if (!ret)
		ret = request.prometheus ? stats_prometheus(&list) :
					   show(&list);
	proto_list_clear(&list);
	return ret;
}
