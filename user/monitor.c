// SPDX-License-Identifier: GPL-2.0
#include "config.h"
#include "describe.h"
#include "error.h"
#include "event.h"
#include "live.h"
#include "process.h"
#include "subcommands.h"

#include <inttypes.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char monitor_usage[] =
	"Usage: kraw monitor\n"
	"Prints each change of the configuration of this network namespace when it\n"
	"happens: [GENERATION], the command that makes the same change, and who did\n"
	"it: the process and its netlink port. And, behind a #, the datagram sockets\n"
	"of claims that open, get an address or lose it, and close, with their process:\n"
	"that needs CAP_NET_ADMIN.\n"
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

/* Who has changed something, and what there is now if it was everything. */
struct context {
	uint32_t port;
	struct process process; /* to be cleared */
	bool whole;
	uint32_t protos, rules;
};

static int context_get(const struct nlmsghdr *nlh, struct context *context)
{
	const struct nlattr *attrs[KRAW_A_MAX + 1];
	int ret;

	memset(context, 0, sizeof(*context));
	ret = nl_attrs(nlh, attrs, KRAW_A_MAX);
	if (ret)
		return ret;
	context->port = nlh->nlmsg_pid;
	process_get(nlh, &context->process);
	context->whole = get_u32(attrs[KRAW_A_PROTO_COUNT], &context->protos);
	get_u32(attrs[KRAW_A_RULE_COUNT], &context->rules);
	return 0;
}

/* Nothing is left of the whole configuration. */
static bool is_flush(const struct context *context)
{
	return context->whole && !context->protos;
}

static void add_context(json_t *json, const struct context *context)
{
	json_t *by = process_json(&context->process);

	if (context->whole) {
		json_object_set_new(json, "protos",
				    json_integer(context->protos));
		json_object_set_new(json, "rules",
				    json_integer(context->rules));
	}
	json_object_set_new(by, "port", json_integer(context->port));
	json_object_set_new(json, "by", by);
}

/* A comment, to be able to paste the line. */
static void print_context(const struct context *context)
{
	char *process = process_text(&context->process);

	if (context->whole && !is_flush(context))
		printf("  # %" PRIu32 " protocol%s, %" PRIu32 " rule%s",
		       context->protos, context->protos == 1 ? "" : "s",
		       context->rules, context->rules == 1 ? "" : "s");
	fputs("  # by ", stdout);
	if (process)
		printf("%s ", process);
	printf("port %" PRIu32 "\n", context->port);
	free(process);
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
			const struct context *context,
			const struct field *words, const struct field *all,
			const void *object)
{
	const char *event = is_flush(context) ? "flush" : event_name(cmd);
	char *text;

	if (options.json) {
		json_t *json = json_object();

		json_object_set_new(json, "event", json_string(event));
		json_object_set_new(json, "generation",
				    json_integer(generation));
		if (all)
			json_object_update_new(json, output_json(all, object));
		add_context(json, context);
		print_json(json);
		return;
	}
	printf("[%u] %s", generation, event);
	if (words) {
		text = output_words(words, object,
				    cmd == KRAW_CMD_RULE_REPLACE);
		printf(" %s", text);
		free(text);
	}
	print_context(context);
}

static void print_lost(void)
{
	if (options.json)
		print_json(json_pack("{ss}", "event", "lost"));
	else
		puts("# changes were lost here: they came faster than they were read");
}

static int proto_event(const struct nlmsghdr *nlh, uint8_t cmd,
		       const struct context *context)
{
	struct proto proto;
	int ret;

	ret = proto_get(nlh, &proto);
	if (!ret)
		print_event(cmd, proto.generation, context,
			    cmd == KRAW_CMD_PROTO_DEL ? proto_name_fields :
							proto_fields,
			    proto_fields, &proto);
	return ret;
}

static int rule_event(const struct nlmsghdr *nlh, uint8_t cmd,
		      const struct context *context)
{
	const struct field *words = rule_fields;
	struct rule rule;
	int ret;

	if (cmd == KRAW_CMD_RULE_DEL || cmd == KRAW_CMD_RULE_FLUSH)
		words = rule_name_fields;
	ret = rule_get(nlh, &rule);
	if (!ret)
		print_event(cmd, rule.generation, context, words, rule_fields,
			    &rule);
	rule_clear(&rule);
	return ret;
}

static int other_event(const struct nlmsghdr *nlh, uint8_t cmd,
		       const struct context *context)
{
	const struct nlattr *attrs[KRAW_A_MAX + 1];
	uint32_t generation = 0;
	int ret;

	ret = nl_attrs(nlh, attrs, KRAW_A_MAX);
	if (ret)
		return ret;
	if (attrs[KRAW_A_GENERATION])
		generation = mnl_attr_get_u32(attrs[KRAW_A_GENERATION]);
	print_event(cmd, generation, context, NULL, NULL, NULL);
	return 0;
}

static int event(const struct nlmsghdr *nlh, uint8_t cmd,
		 const struct context *context)
{
	switch (cmd) {
	case KRAW_CMD_PROTO_ADD:
	case KRAW_CMD_PROTO_SET:
	case KRAW_CMD_PROTO_DEL:
		return proto_event(nlh, cmd, context);
	case KRAW_CMD_RULE_ADD:
	case KRAW_CMD_RULE_REPLACE:
	case KRAW_CMD_RULE_DEL:
	case KRAW_CMD_RULE_FLUSH:
		return rule_event(nlh, cmd, context);
	case KRAW_CMD_APPLY:
		return other_event(nlh, cmd, context);
	default: /* of a newer module */
		return 0;
	}
}

/* No command does the same, so the line is a comment. */
static int socket_event(const struct nlmsghdr *nlh)
{
	struct event event;
	int ret = event_get(nlh, &event);

	if (ret)
		return ret;
	if (options.json) {
		print_json(output_json(event_fields, &event));
	} else {
		fputs("# ", stdout);
		output_line(event_fields, &event);
	}
	event_clear(&event);
	return 0;
}

static int print_message(const struct nlmsghdr *nlh, void *data)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	struct context context;
	int ret;

	(void)data;
	if (genl->cmd == KRAW_CMD_SOCKET_EVENT)
		return socket_event(nlh);
	ret = context_get(nlh, &context) ?: event(nlh, genl->cmd, &context);
	process_clear(&context.process);
	return ret;
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
	if (ret)
		return ret;
	if (!nl_listen_sockets())
		note("datagram sockets are not shown: that needs CAP_NET_ADMIN in this network namespace");
	return live_run(fd, true, read_events, NULL);
}
