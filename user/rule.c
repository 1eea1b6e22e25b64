// SPDX-License-Identifier: GPL-2.0
#include "config.h"
#include "describe.h"
#include "error.h"
#include "subcommands.h"

#include <stdlib.h>

const char rule_usage[] =
	"Usage: kraw rule { add | replace } [hook HOOK] proto P [pref N] [handle H]\n"
	"                 [MATCH ...] [ACTION ...] { deliver VERDICT | allow | deny }\n"
	"       kraw rule del [hook HOOK] proto P { pref N | handle H }\n"
	"       kraw rule [ show [hook HOOK] [proto P] ]\n"
	"       kraw rule flush proto P [hook HOOK]\n"
	"HOOK    := input | output\n"
	"P       := number 0-255, or a name as in /etc/protocols\n"
	"MATCH   := src PREFIX | dst PREFIX | dev IF | ttl A-B | len A-B |\n"
	"           type A-B | dscp D | mark V[/M] | fragment |\n"
	"           match 'PCAP EXPRESSION' | bytecode PROGRAM   and for hook output\n"
	"           uid { A-B | USER } | hdrincl | spoofed\n"
	"D       := 0-63, cs0-cs7, af11-af43, ef, va or le\n"
	"ACTION  := limit R/s [burst N] | mirror dev IF (hook input) | trace |\n"
	"           comment TEXT\n"
	"VERDICT := all | raw | kernel | none | reject |       (hook input)\n"
	"           one [by { flow | random | cpu }] [reuseport]\n"
	"allow and deny are for hook output.\n";

static int rule_send(enum kraw_cmd cmd, const char *command,
		     const struct rule *rule)
{
	struct nl_msg msg;
	char *what;
	int ret;

	ret = nl_open();
	if (ret)
		return ret;
	nl_begin(&msg, cmd, 0);
	nl_reserve(&msg, CONFIG_ROOM);
	rule_put(msg.nlh, rule);
	what = xasprintf("rule %s proto %u", command, rule->proto);
	ret = nl_request(&msg, NULL, NULL, what);
	free(what);
	return ret;
}

static int rule_add(struct args *args)
{
	struct rule rule;
	int ret;

	ret = rule_parse_new(args, &rule);
	if (!ret)
		ret = rule_send(KRAW_CMD_RULE_ADD, "add", &rule);
	rule_clear(&rule);
	return ret;
}

static int rule_replace(struct args *args)
{
	const uint64_t names = BIT(KRAW_RULE_A_PREF) | BIT(KRAW_RULE_A_HANDLE);
	struct rule rule;
	int ret;

	ret = rule_parse(args, &rule);
	if (!ret && !(rule.set & names))
		ret = fail("which rule? Name it by 'pref N' or 'handle H'");
	if (!ret)
		ret = rule_send(KRAW_CMD_RULE_REPLACE, "replace", &rule);
	rule_clear(&rule);
	return ret;
}

static int rule_del(struct args *args)
{
	const uint64_t names = BIT(KRAW_RULE_A_PREF) | BIT(KRAW_RULE_A_HANDLE);
	struct rule rule;
	int ret;

	ret = rule_parse_name(args, &rule);
	if (ret)
		return ret;
	if (!(rule.set & BIT(KRAW_RULE_A_PROTO)))
		return fail("of which protocol? Add 'proto P'");
	if (!(rule.set & names))
		return fail("which rule? Name it by 'pref N' or 'handle H'; all of them: 'rule flush'");
	/* A handle says it all, "rule show -d" prints both. */
	if (rule.set & BIT(KRAW_RULE_A_HANDLE))
		rule.set &= ~BIT(KRAW_RULE_A_PREF);
	return rule_send(KRAW_CMD_RULE_DEL, "del", &rule);
}

static int rule_flush(struct args *args)
{
	struct rule rule;
	int ret;

	ret = rule_parse_name(args, &rule);
	if (ret)
		return ret;
	if (rule.set & (BIT(KRAW_RULE_A_PREF) | BIT(KRAW_RULE_A_HANDLE)))
		return fail("flush deletes all rules of a protocol: for one of them use 'rule del'");
	if (!(rule.set & BIT(KRAW_RULE_A_PROTO)))
		return fail("of which protocol? Add 'proto P'");
	return rule_send(KRAW_CMD_RULE_FLUSH, "flush", &rule);
}

static int show_answer(const struct nlmsghdr *nlh, void *output)
{
	struct rule rule;
	int ret;

	ret = rule_get(nlh, &rule);
	if (!ret)
		output_add(output, &rule);
	rule_clear(&rule);
	return ret;
}

static int rule_show(struct args *args)
{
	struct output *output;
	struct rule filter;
	struct nl_msg msg;
	int ret;

	ret = rule_parse_name(args, &filter);
	if (ret)
		return ret;
	if (filter.set & (BIT(KRAW_RULE_A_PREF) | BIT(KRAW_RULE_A_HANDLE)))
		return fail("'rule show' takes hook and proto only");
	ret = nl_open();
	if (ret)
		return ret;
	nl_begin(&msg, KRAW_CMD_RULE_GET, 0);
	if (filter.set)
		rule_put(msg.nlh, &filter);
	output = output_begin(rule_fields, OUTPUT_LINES);
	ret = nl_dump(&msg, show_answer, output, "rule show");
	return output_end(output, ret);
}

int rule_main(struct args *args)
{
	static const struct command commands[] = {
		{ "show", rule_show },	     { "add", rule_add },
		{ "replace", rule_replace }, { "del", rule_del },
		{ "flush", rule_flush },     { NULL, NULL },
	};

	return command_run(commands, "rule", args);
}
