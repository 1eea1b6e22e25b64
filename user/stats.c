// SPDX-License-Identifier: GPL-2.0
#include "config.h"
#include "describe.h"
#include "error.h"
#include "names.h"
#include "subcommands.h"

#include <stdlib.h>

const char stats_usage[] =
	"Usage: kraw stats [proto P]\n"
	"Packets of each managed protocol and family, since it is managed.\n"
	"With -d: all counters that there are. The man page explains them.\n";

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

#define COUNTER(name, attr)                                   \
	static json_t *row_##name(const void *object)         \
	{                                                     \
		const struct row *row = object;               \
                                                              \
		return json_integer(row->stats->count[attr]); \
	}

COUNTER(seen, KRAW_STATS_A_SEEN)
COUNTER(all, KRAW_STATS_A_ALL)
COUNTER(raw, KRAW_STATS_A_RAW)
COUNTER(kernel, KRAW_STATS_A_KERNEL)
COUNTER(one, KRAW_STATS_A_ONE)
COUNTER(none, KRAW_STATS_A_NONE)
COUNTER(reject, KRAW_STATS_A_REJECT)
COUNTER(passed, KRAW_STATS_A_PASSED)
COUNTER(raw_matched, KRAW_STATS_A_RAW_MATCHED)
COUNTER(raw_copies, KRAW_STATS_A_RAW_COPIES)
COUNTER(raw_filtered, KRAW_STATS_A_RAW_FILTERED)
COUNTER(raw_refused, KRAW_STATS_A_RAW_REFUSED)
COUNTER(kernel_handled, KRAW_STATS_A_KERNEL_HANDLED)
COUNTER(one_next, KRAW_STATS_A_ONE_NEXT)
COUNTER(one_nobody, KRAW_STATS_A_ONE_NOBODY)
COUNTER(claim_handled, KRAW_STATS_A_CLAIM_HANDLED)
COUNTER(unreach, KRAW_STATS_A_UNREACH)
COUNTER(unreach_never, KRAW_STATS_A_UNREACH_NEVER)
COUNTER(limited, KRAW_STATS_A_LIMITED)
COUNTER(mirrored, KRAW_STATS_A_MIRRORED)
COUNTER(mirror_failed, KRAW_STATS_A_MIRROR_FAILED)
COUNTER(output, KRAW_STATS_A_OUTPUT)
COUNTER(allow, KRAW_STATS_A_ALLOW)
COUNTER(deny, KRAW_STATS_A_DENY)

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
	{ "raw_matched", NULL, "RAW-MATCHED", row_raw_matched,
	  .when = FIELD_DETAILS_TEXT },
	{ "raw_copies", NULL, "RAW-COPIES", row_raw_copies },
	{ "raw_filtered", NULL, "RAW-FILTERED", row_raw_filtered,
	  .when = FIELD_DETAILS_TEXT },
	{ "raw_refused", NULL, "RAW-REFUSED", row_raw_refused,
	  .when = FIELD_DETAILS_TEXT },
	{ "kernel_handled", NULL, "KERNEL-HANDLED", row_kernel_handled,
	  .when = FIELD_DETAILS_TEXT },
	{ "one_next", NULL, "ONE-NEXT", row_one_next,
	  .when = FIELD_DETAILS_TEXT },
	{ "one_nobody", NULL, "ONE-NOBODY", row_one_nobody,
	  .when = FIELD_DETAILS_TEXT },
	{ "claim_handled", NULL, "CLAIM-HANDLED", row_claim_handled,
	  .when = FIELD_DETAILS_TEXT },
	{ "unreach", NULL, "UNREACH", row_unreach },
	{ "unreach_never", NULL, "UNREACH-NEVER", row_unreach_never,
	  .when = FIELD_DETAILS_TEXT },
	{ "limited", NULL, "LIMITED", row_limited, .when = FIELD_DETAILS_TEXT },
	{ "mirrored", NULL, "MIRRORED", row_mirrored,
	  .when = FIELD_DETAILS_TEXT },
	{ "mirror_failed", NULL, "MIRROR-FAILED", row_mirror_failed,
	  .when = FIELD_DETAILS_TEXT },
	{ "output", NULL, "OUTPUT", row_output, .when = FIELD_DETAILS_TEXT },
	{ "allow", NULL, "ALLOW", row_allow, .when = FIELD_DETAILS_TEXT },
	{ "deny", NULL, "DENY", row_deny },
	{ NULL },
};

static int show_answer(const struct nlmsghdr *nlh, void *output)
{
	static const char *const families[] = { "ipv4", "ipv6" };
	struct proto proto;
	unsigned int i;
	int ret;

	ret = proto_get(nlh, &proto);
	for (i = 0; !ret && i < 2; i++) {
		struct row row = { proto.number, families[i], &proto.stats[i] };

		if (proto.stats[i].valid)
			output_add(output, &row);
	}
	return ret;
}

int stats_main(struct args *args)
{
	struct proto proto = { 0 };
	struct output *output;
	struct nl_msg msg;
	int ret, number;

	args_take(args, "show");
	ret = parse_filter(args, &number) ?: nl_open();
	if (ret)
		return ret;
	nl_begin(&msg, KRAW_CMD_PROTO_GET, 0);
	output = output_begin(row_fields, OUTPUT_TABLE);
	if (number < 0) {
		ret = nl_dump(&msg, show_answer, output, "stats");
	} else {
		char *what = xasprintf("stats proto %d", number);

		proto.number = number;
		proto_put(msg.nlh, &proto);
		ret = nl_request(&msg, show_answer, output, what);
		free(what);
	}
	return output_end(output, ret);
}
