// SPDX-License-Identifier: GPL-2.0
#include "config.h"
#include "describe.h"
#include "error.h"
#include "live.h"
#include "subcommands.h"

#include <linux/genetlink.h>
#include <stdio.h>
#include <stdlib.h>

const char monitor_usage[] =
	"Usage: kraw monitor\n"
	"Prints each change of the configuration of this network namespace when it\n"
	"happens: [GENERATION] and the command that makes the same change.\n"
	"With -j: a JSON object a line.\n";

/* Bytes of changes that may wait for us; changes that are read at a time. */
#define ROOM  (8 * 1024 * 1024)
#define BATCH 256

static const char *event_name(uint8_t cmd)
{
	switch (cmd) {
	case KRAW_CMD_PROTO_ADD:
		return "proto add";
	case KRAW_CMD_PROTO_SET:
		return "proto set";
	case KRAW_CMD_PROTO_DEL:
		return "proto del";
	case KRAW_CMD_RULE_ADD:
		return "rule add";
	case KRAW_CMD_RULE_REPLACE:
		return "rule replace";
	case KRAW_CMD_RULE_DEL:
		return "rule del";
	case KRAW_CMD_RULE_FLUSH:
		return "rule flush";
	case KRAW_CMD_APPLY:
		return "apply";
	default:
		return NULL;
	}
}

static void print_json(json_t *json)
{
	json_dumpf(json, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(json);
}

/*
 * The text is the command that does the same, so it has the words that the
 * command needs and no more; JSON has everything that is known of the object.
 */
static void print_event(uint8_t cmd, uint32_t generation,
			const struct field *words, const struct field *all,
			const void *object)
{
	char *text;

	if (options.json) {
		json_t *json = json_object();

		json_object_set_new(json, "event",
				    json_string(event_name(cmd)));
		json_object_set_new(json, "generation",
				    json_integer(generation));
		if (all)
			json_object_update_new(json, output_json(all, object));
		print_json(json);
		return;
	}
	printf("[%u] %s", generation, event_name(cmd));
	if (words) {
		text = output_words(words, object,
				    cmd == KRAW_CMD_RULE_REPLACE);
		printf(" %s", text);
		free(text);
	}
	putchar('\n');
}

static void print_lost(void)
{
	if (options.json)
		print_json(json_pack("{ss}", "event", "lost"));
	else
		puts("# changes were lost here: they came faster than they were read");
}

static int proto_event(const struct nlmsghdr *nlh, uint8_t cmd)
{
	struct proto proto;
	int ret;

	ret = proto_get(nlh, &proto);
	if (!ret)
		print_event(cmd, proto.generation,
			    cmd == KRAW_CMD_PROTO_DEL ? proto_name_fields :
							proto_fields,
			    proto_fields, &proto);
	return ret;
}

static int rule_event(const struct nlmsghdr *nlh, uint8_t cmd)
{
	const struct field *words = rule_fields;
	struct rule rule;
	int ret;

	if (cmd == KRAW_CMD_RULE_DEL || cmd == KRAW_CMD_RULE_FLUSH)
		words = rule_name_fields;
	ret = rule_get(nlh, &rule);
	if (!ret)
		print_event(cmd, rule.generation, words, rule_fields, &rule);
	rule_clear(&rule);
	return ret;
}

static int other_event(const struct nlmsghdr *nlh, uint8_t cmd)
{
	const struct nlattr *attrs[KRAW_A_MAX + 1];
	uint32_t generation = 0;
	int ret;

	ret = nl_attrs(nlh, attrs, KRAW_A_MAX);
	if (ret)
		return ret;
	if (attrs[KRAW_A_GENERATION])
		generation = mnl_attr_get_u32(attrs[KRAW_A_GENERATION]);
	print_event(cmd, generation, NULL, NULL, NULL);
	return 0;
}

static int print_message(const struct nlmsghdr *nlh, void *data)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);

	(void)data;
	switch (genl->cmd) {
	case KRAW_CMD_PROTO_ADD:
	case KRAW_CMD_PROTO_SET:
	case KRAW_CMD_PROTO_DEL:
		return proto_event(nlh, genl->cmd);
	case KRAW_CMD_RULE_ADD:
	case KRAW_CMD_RULE_REPLACE:
	case KRAW_CMD_RULE_DEL:
	case KRAW_CMD_RULE_FLUSH:
		return rule_event(nlh, genl->cmd);
	case KRAW_CMD_APPLY:
		return other_event(nlh, genl->cmd);
	default: /* of a newer module */
		return 0;
	}
}

static int read_events(void *data)
{
	unsigned int i;

	(void)data;
	for (i = 0; i < BATCH; i++) {
		switch (nl_events(print_message, NULL)) {
		case NL_EVENT_NONE:
			return 0;
		case NL_EVENT_SOME:
			break;
		case NL_EVENT_LOST:
			print_lost();
			break;
		case NL_EVENT_UNLOADED:
			return live_flush() ?:
				       refused("kraw.ko was unloaded: no more changes will come");
		case NL_EVENT_ERROR:
			return STATUS_REFUSED;
		}
		if (live_flush())
			return STATUS_REFUSED;
		if (live_stopped())
			return 0;
	}
	return 0;
}

int monitor_main(struct args *args)
{
	int fd, ret;

	ret = args_end(args) ?: nl_open() ?: nl_listen(&fd, true, ROOM);
	return ret ? ret : live_run(fd, true, read_events, NULL);
}
