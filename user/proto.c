// SPDX-License-Identifier: GPL-2.0
#include "config.h"
#include "describe.h"
#include "error.h"
#include "subcommands.h"

#include <stdlib.h>

const char proto_usage[] =
	"Usage: kraw proto { add | set } P [family FAMILY] [claim CLAIM]\n"
	"                  [deliver VERDICT] [unreach UNREACH] [users USERS]\n"
	"                  [force]\n"
	"       kraw proto del P [force]\n"
	"       kraw proto [ show [P] ]\n"
	"P       := number 0-255, or a name as in /etc/protocols\n"
	"FAMILY  := ipv4 | ipv6 | both\n"
	"CLAIM   := none | plain | ports\n"
	"VERDICT := all | raw | kernel | none | reject |\n"
	"           one [by { flow | random | cpu }] [reuseport]\n"
	"UNREACH := auto | never | always\n"
	"USERS   := none | all | { uid A[-B] | gid A[-B] } ...\n"
	"force: closes datagram sockets that the change leaves without their claim\n";

static int proto_send(enum kraw_cmd cmd, const char *command,
		      const struct proto *proto, bool force)
{
	struct nl_msg msg;
	char *what;
	int ret;

	ret = nl_open();
	if (ret)
		return ret;
	nl_begin(&msg, cmd, 0);
	if (force)
		mnl_attr_put_u32(msg.nlh, KRAW_A_FLAGS, KRAW_FLAG_FORCE);
	proto_put(msg.nlh, proto);
	what = xasprintf("proto %s %u", command, proto->number);
	ret = nl_request(&msg, NULL, NULL, what);
	free(what);
	return ret;
}

static int proto_add(struct args *args)
{
	struct proto proto;

	return proto_parse(args, &proto, false) ?:
		       proto_send(KRAW_CMD_PROTO_ADD, "add", &proto, false);
}

static int proto_set(struct args *args)
{
	struct proto proto;

	return proto_parse(args, &proto, true) ?:
		       proto_send(KRAW_CMD_PROTO_SET, "set", &proto,
				  proto.force);
}

static int proto_del(struct args *args)
{
	struct proto proto = { 0 };
	const char *word = args_next(args);
	bool force;

	if (!word)
		return fail("which protocol? Give its number or name");
	force = args_take(args, "force");
	return parse_protocol(word, &proto.number) ?:
		       args_end(args)		   ?:
		       proto_send(KRAW_CMD_PROTO_DEL, "del", &proto, force);
}

static int show_answer(const struct nlmsghdr *nlh, void *output)
{
	struct proto proto;
	int ret;

	ret = proto_get(nlh, &proto);
	if (!ret)
		output_add(output, &proto);
	return ret;
}

static int show_one(const char *word)
{
	struct proto proto = { 0 };
	struct output *output;
	struct nl_msg msg;
	char *what;
	int ret;

	ret = parse_protocol(word, &proto.number) ?: nl_open();
	if (ret)
		return ret;
	nl_begin(&msg, KRAW_CMD_PROTO_GET, 0);
	proto_put(msg.nlh, &proto);
	what = xasprintf("proto show %u", proto.number);
	output = output_begin(proto_fields, OUTPUT_LINES);
	ret = nl_request(&msg, show_answer, output, what);
	free(what);
	return output_end(output, ret);
}

static int show_all(void)
{
	struct output *output;
	struct nl_msg msg;
	int ret;

	ret = nl_open();
	if (ret)
		return ret;
	nl_begin(&msg, KRAW_CMD_PROTO_GET, 0);
	output = output_begin(proto_fields, OUTPUT_LINES);
	ret = nl_dump(&msg, show_answer, output, "proto show");
	return output_end(output, ret);
}

static int proto_show(struct args *args)
{
	const char *word;

	/* "show proto P" is what fingers expect that know the other objects. */
	args_take(args, "proto");
	word = args_next(args);
	if (!word)
		return show_all();
	return args_end(args) ?: show_one(word);
}

int proto_main(struct args *args)
{
	static const struct command commands[] = {
		{ "show", proto_show }, { "add", proto_add },
		{ "set", proto_set },	{ "del", proto_del },
		{ NULL, NULL },
	};

	return command_run(commands, "proto", args);
}
