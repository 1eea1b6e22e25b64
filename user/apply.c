// SPDX-License-Identifier: GPL-2.0
#include "config.h"
#include "error.h"
#include "lines.h"
#include "names.h"
#include "subcommands.h"

#include <stdlib.h>
#include <string.h>

const char apply_usage[] =
	"Usage: kraw apply [--check] [--force] [generation N] FILE\n"
	"Makes what FILE says the whole configuration of this network namespace, or\n"
	"changes nothing at all. FILE is as 'kraw save' prints it, - is standard input.\n"
	"  --check         only say whether it could be applied\n"
	"  --force         close datagram sockets whose claim goes\n"
	"  generation N    refuse if the configuration in force is another one\n";

const char flush_usage[] =
	"Usage: kraw flush [force]\n"
	"Removes all rules and protocols of this network namespace; with force, though\n"
	"datagram sockets of them are open.\n";

/* Where in the message a line of the file is. */
struct place {
	uint32_t offset;
	unsigned int line;
};

struct apply {
	const char *name; /* of the file */
	bool check, force;
	uint32_t *generation; /* NULL: any */
	struct nl_msg msg;
	struct place *place;
	size_t places, size;
	unsigned int proto_line[256]; /* that adds it; 0: none */
	bool any;
};

static void remember_place(struct apply *apply, unsigned int line)
{
	if (apply->places == apply->size) {
		apply->size = apply->size ? apply->size * 2 : 64;
		apply->place = xrealloc(apply->place,
					apply->size * sizeof(*apply->place));
	}
	apply->place[apply->places].offset = apply->msg.nlh->nlmsg_len;
	apply->place[apply->places].line = line;
	apply->places++;
}

/* The line that an attribute of the message comes from; 0: none. */
static unsigned int line_of(const struct apply *apply, uint32_t offset)
{
	size_t low = 0, high = apply->places;

	/* The last place that is not behind the offset */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (apply->place[middle].offset <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? apply->place[low - 1].line : 0;
}

static int add_proto(struct apply *apply, struct args *args, unsigned int line)
{
	struct proto proto;
	int ret;

	ret = proto_parse(args, &proto, false);
	if (ret)
		return ret;
	if (apply->proto_line[proto.number])
		return fail("protocol %u is added in line %u already",
			    proto.number, apply->proto_line[proto.number]);
	apply->proto_line[proto.number] = line;
	apply->any = true;
	proto_put(apply->msg.nlh, &proto);
	return 0;
}

static int add_rule(struct apply *apply, struct args *args)
{
	struct rule rule;
	int ret;

	ret = rule_parse_new(args, &rule);
	if (!ret && !apply->proto_line[rule.proto])
		ret = fail("a rule for protocol %u, which no line before adds: put 'proto add %u' above it",
			   rule.proto, rule.proto);
	if (!ret)
		rule_put(apply->msg.nlh, &rule);
	rule_clear(&rule);
	return ret;
}

static int add_line(struct apply *apply, struct args *args, unsigned int line)
{
	const char *object, *command;

	args_take(args, "kraw");
	object = args_next(args);
	command = object ? args_next(args) : NULL;
	if (!command)
		return fail("a line is 'proto add ...' or 'rule add ...'");
	nl_reserve(&apply->msg, CONFIG_ROOM);
	remember_place(apply, line);
	object = canonical(object);
	command = canonical(command);
	if (!strcmp(object, "proto") && !strcmp(command, "add"))
		return add_proto(apply, args, line);
	if (!strcmp(object, "rule") && !strcmp(command, "add"))
		return add_rule(apply, args);
	return fail("'%s %s' is not possible here: a line is 'proto add ...' or 'rule add ...'",
		    object, command);
}

static int read_file(struct apply *apply)
{
	struct lines lines;
	struct args args;
	int ret;

	ret = lines_open(&lines, apply->name);
	if (ret)
		return ret;
	for (;;) {
		ret = lines_next(&lines, &args);
		if (ret || !args_peek(&args))
			break;
		ret = add_line(apply, &args, lines.line);
		if (ret)
			break;
	}
	apply->name = lines.name;
	if (!ret && !apply->any)
		ret = fail("nothing to apply, no line adds a protocol; 'kraw flush' removes everything");
	lines_close(&lines);
	return ret;
}

static void begin(struct apply *apply)
{
	nl_begin(&apply->msg, KRAW_CMD_APPLY, 0);
	if (apply->check || apply->force)
		mnl_attr_put_u32(apply->msg.nlh, KRAW_A_FLAGS,
				 (apply->check ? KRAW_FLAG_CHECK : 0) |
					 (apply->force ? KRAW_FLAG_FORCE : 0));
	if (apply->generation)
		mnl_attr_put_u32(apply->msg.nlh, KRAW_A_GENERATION,
				 *apply->generation);
}

/* Sends the message; a refusal names the line that is at fault. */
static int commit(struct apply *apply)
{
	struct nl_refusal refusal;
	int ret;

	ret = nl_open() ?: nl_talk(&apply->msg, NULL, NULL, &refusal);
	if (ret)
		return ret;
	error_at(apply->name, line_of(apply, refusal.offset));
	ret = nl_conclude(&refusal, NULL);
	error_at(NULL, 0);
	return ret;
}

static int parse_words(struct args *args, struct apply *apply,
		       uint32_t *generation)
{
	const char *word;
	int ret;

	while ((word = args_next(args))) {
		if (!strcmp(word, "--check") || !strcmp(word, "-check")) {
			apply->check = true;
		} else if (!strcmp(word, "--force") ||
			   !strcmp(word, "-force")) {
			apply->force = true;
		} else if (!strcmp(word, "generation")) {
			ret = args_value(args, "generation", &word) ?:
				      parse_number("generation", word,
						   UINT32_MAX, generation);
			if (ret)
				return ret;
			apply->generation = generation;
		} else if (*word == '-' && word[1]) {
			return fail("apply has no option '%s': see 'kraw apply help'",
				    word);
		} else if (apply->name) {
			return fail("'%s': one file is applied at a time, it is the whole configuration",
				    word);
		} else {
			apply->name = word;
		}
	}
	if (!apply->name)
		return fail("which file? Name it, or - for standard input");
	return 0;
}

int apply_main(struct args *args)
{
	struct apply apply = { 0 };
	uint32_t generation;
	int ret;

	ret = parse_words(args, &apply, &generation);
	if (ret)
		return ret;
	begin(&apply);
	ret = read_file(&apply) ?: commit(&apply);
	nl_free(&apply.msg);
	free(apply.place);
	return ret;
}

int flush_main(struct args *args)
{
	bool force = args_take(args, "force");
	struct nl_msg msg;
	int ret;

	ret = args_end(args) ?: nl_open();
	if (ret)
		return ret;
	nl_begin(&msg, KRAW_CMD_APPLY, 0);
	if (force)
		mnl_attr_put_u32(msg.nlh, KRAW_A_FLAGS, KRAW_FLAG_FORCE);
	return nl_request(&msg, NULL, NULL, "flush");
}
