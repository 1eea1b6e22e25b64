// SPDX-License-Identifier: GPL-2.0
/*
 * From the words of a command to a protocol or a rule. What is refused here
 * would be refused by the kernel too; here we know better what was meant.
 */
#include "bpf.h"
#include "config.h"
#include "error.h"
#include "names.h"

#include <string.h>

/* Marks an attribute as given; a second time is an error. */
static int mark(uint64_t *set, unsigned int attr, const char *keyword)
{
	if (*set & BIT(attr))
		return fail("'%s' is given twice", keyword);
	*set |= BIT(attr);
	return 0;
}

/* Reads the word after a keyword that is one of an enumeration. */
static int parse_name(struct args *args, const char *keyword,
		      const struct names *names, uint8_t *value)
{
	const char *word;
	int ret = args_value(args, keyword, &word);

	return ret ? ret : name_parse(names, word, value);
}

static int parse_u32(struct args *args, const char *keyword, uint32_t *value)
{
	const char *word;
	int ret = args_value(args, keyword, &word);

	return ret ? ret : parse_number(keyword, word, UINT32_MAX, value);
}

/* A verdict on input; those on output have other words. */
static int parse_deliver(struct args *args, uint8_t *verdict)
{
	int ret = parse_name(args, "deliver", &verdict_names, verdict);

	if (ret)
		return ret;
	if (*verdict == KRAW_VERDICT_ALLOW || *verdict == KRAW_VERDICT_DENY)
		return fail("deliver %s: packets that come in are delivered to all, raw, kernel, one, none or reject",
			    name_of(&verdict_names, *verdict));
	return 0;
}

/* What may follow "deliver one". */
static int parse_one(struct args *args, uint64_t *set, unsigned int by_attr,
		     unsigned int reuseport_attr, uint8_t *by)
{
	int ret = 0;

	while (!ret) {
		if (args_take(args, "by"))
			ret = mark(set, by_attr, "by") ?:
				      parse_name(args, "by", &one_by_names, by);
		else if (args_take(args, "reuseport"))
			ret = mark(set, reuseport_attr, "reuseport");
		else
			break;
	}
	return ret;
}

/* Words that follow others only; any other one is none of ours. */
static bool stray_word(const char *key, int *ret)
{
	if (!strcmp(key, "by") || !strcmp(key, "reuseport"))
		*ret = fail("'%s' is possible right behind 'deliver one' only",
			    key);
	else if (!strcmp(key, "burst"))
		*ret = fail("'burst' is possible right behind 'limit R/s' only");
	else
		return false;
	return true;
}

/* Numbers that the kernel's IP layers keep for themselves. */
static int check_number(const struct proto *proto, bool set)
{
	const char *header = extension_header(proto->number);
	bool ipv6 = proto->families & KRAW_FAMILY_IPV6;

	if (proto->number == 255)
		return fail("255 cannot be managed: the number is reserved, no packet carries it");
	if (proto->number == 0)
		return fail("0 cannot be managed: on IPv6 it is the hop-by-hop options header, on IPv4 it means no protocol");
	/* What is not named on "set" stays, so it was good when it was added. */
	if (set && !(proto->set & BIT(KRAW_PROTO_A_FAMILIES)))
		return 0;
	if (header && ipv6)
		return fail("%u is an IPv6 extension header (%s) and no protocol there: use 'family ipv4'",
			    proto->number, header);
	return 0;
}

static int proto_deliver(struct args *args, struct proto *proto)
{
	int ret = mark(&proto->set, KRAW_PROTO_A_DELIVER, "deliver") ?:
			  parse_deliver(args, &proto->deliver);

	if (ret || proto->deliver != KRAW_VERDICT_ONE)
		return ret;
	return parse_one(args, &proto->set, KRAW_PROTO_A_ONE_BY,
			 KRAW_PROTO_A_ONE_REUSEPORT, &proto->one_by);
}

static int proto_word(struct args *args, const char *key, struct proto *proto)
{
	uint32_t ignored;
	int ret;

	if (!strcmp(key, "family"))
		return mark(&proto->set, KRAW_PROTO_A_FAMILIES, key) ?:
			       parse_name(args, key, &family_names,
					  &proto->families);
	if (!strcmp(key, "claim"))
		return mark(&proto->set, KRAW_PROTO_A_CLAIM, key) ?:
			       parse_name(args, key, &claim_names,
					  &proto->claim);
	if (!strcmp(key, "deliver"))
		return proto_deliver(args, proto);
	if (!strcmp(key, "unreach"))
		return mark(&proto->set, KRAW_PROTO_A_UNREACH, key) ?:
			       parse_name(args, key, &unreach_names,
					  &proto->unreach);
	if (!strcmp(key, "account"))
		return mark(&proto->set, KRAW_PROTO_A_ACCOUNT, key) ?:
			       parse_name(args, key, &account_names,
					  &proto->account);
	if (!strcmp(key, "users"))
		return mark(&proto->set, KRAW_PROTO_A_USERS, key) ?:
			       users_parse(args, &proto->users);
	/* So that a line of "proto show" can be pasted. */
	if (!strcmp(key, "rules"))
		return parse_u32(args, key, &ignored);
	if (strcmp(key, "burst") && stray_word(key, &ret))
		return ret;
	return fail("'%s' is not understood here: use family, claim, deliver, unreach, account or users",
		    key);
}

int proto_parse(struct args *args, struct proto *proto, bool set)
{
	const char *word = args_next(args);
	int ret;

	memset(proto, 0, sizeof(*proto));
	proto->families = KRAW_FAMILY_IPV4 | KRAW_FAMILY_IPV6;
	proto->deliver = KRAW_VERDICT_ALL;
	if (!word)
		return fail("which protocol? Give its number or name");
	ret = parse_protocol(word, &proto->number);
	while (!ret && (word = args_next(args)))
		if (set && !strcmp(word, "force"))
			proto->force = true;
		else
			ret = proto_word(args, word, proto);
	if (ret)
		return ret;
	if (set && !proto->set)
		return fail("nothing to set: use family, claim, deliver, unreach, account or users");
	return check_number(proto, set);
}

static int rule_prefix(struct args *args, const char *key,
		       struct prefix *prefix)
{
	const char *word;
	int ret = args_value(args, key, &word);

	return ret ? ret : parse_prefix(key, word, prefix);
}

static int rule_range(struct args *args, const char *key, uint32_t max,
		      struct range *range)
{
	const char *word;
	int ret = args_value(args, key, &word);

	return ret ? ret : parse_range(key, word, max, range);
}

static int rule_device(struct args *args, const char *key,
		       char device[IFNAMSIZ])
{
	const char *word;
	int ret;

	ret = args_value(args, key, &word) ?: parse_device(key, word);
	if (!ret)
		memcpy(device, word, strlen(word) + 1);
	return ret;
}

static int rule_program(struct args *args, const char *key, struct rule *rule)
{
	const char *word;
	int ret;

	ret = mark(&rule->set, KRAW_RULE_A_BPF, "match") ?:
		      args_value(args, key, &word);
	if (ret)
		return ret;
	if (!strcmp(key, "bytecode"))
		return bpf_parse(word, &rule->bpf, &rule->bpf_len);
	rule->set |= BIT(KRAW_RULE_A_EXPR);
	return bpf_compile(word, &rule->bpf, &rule->bpf_len, &rule->expr);
}

/* The words that say which rule; tells whether this is one of them. */
static bool name_word(struct args *args, const char *key, struct rule *rule,
		      int *ret)
{
	const char *word;

	if (!strcmp(key, "hook")) {
		*ret = mark(&rule->set, KRAW_RULE_A_HOOK, key) ?:
			       parse_name(args, key, &hook_names, &rule->hook);
	} else if (!strcmp(canonical(key), "proto")) {
		*ret = mark(&rule->set, KRAW_RULE_A_PROTO, "proto") ?:
			       args_value(args, "proto", &word)	    ?:
			       parse_protocol(word, &rule->proto);
	} else if (!strcmp(key, "pref")) {
		*ret = mark(&rule->set, KRAW_RULE_A_PREF, key) ?:
			       parse_u32(args, key, &rule->pref);
	} else if (!strcmp(key, "handle")) {
		*ret = mark(&rule->set, KRAW_RULE_A_HANDLE, key) ?:
			       parse_u32(args, key, &rule->handle);
	} else {
		return false;
	}
	return true;
}

/* What a packet is. */
static bool packet_word(struct args *args, const char *key, struct rule *rule,
			int *ret)
{
	const char *word;

	if (!strcmp(key, "src"))
		*ret = mark(&rule->set, KRAW_RULE_A_SRC, key) ?:
			       rule_prefix(args, key, &rule->src);
	else if (!strcmp(key, "dst"))
		*ret = mark(&rule->set, KRAW_RULE_A_DST, key) ?:
			       rule_prefix(args, key, &rule->dst);
	else if (!strcmp(key, "ttl"))
		*ret = mark(&rule->set, KRAW_RULE_A_TTL_MAX, key) ?:
			       rule_range(args, key, UINT8_MAX, &rule->ttl);
	else if (!strcmp(key, "len"))
		*ret = mark(&rule->set, KRAW_RULE_A_LEN_MAX, key) ?:
			       rule_range(args, key, UINT32_MAX, &rule->len);
	else if (!strcmp(key, "type"))
		*ret = mark(&rule->set, KRAW_RULE_A_TYPE_MAX, key) ?:
			       rule_range(args, key, UINT8_MAX, &rule->type);
	else if (!strcmp(key, "dscp"))
		*ret = mark(&rule->set, KRAW_RULE_A_DSCP, key) ?:
			       args_value(args, key, &word)    ?:
			       parse_dscp(word, &rule->dscp);
	else if (!strcmp(key, "match") || !strcmp(key, "bytecode"))
		*ret = rule_program(args, key, rule);
	else
		return false;
	return true;
}

/* What the kernel knows of it: how it came, who sent it. */
static bool context_word(struct args *args, const char *key, struct rule *rule,
			 int *ret)
{
	const char *word;

	if (!strcmp(key, "dev"))
		*ret = mark(&rule->set, KRAW_RULE_A_DEV, key) ?:
			       rule_device(args, key, rule->dev);
	else if (!strcmp(key, "mark"))
		*ret = mark(&rule->set, KRAW_RULE_A_MARK, key) ?:
			       args_value(args, key, &word)    ?:
			       parse_mark(word, &rule->mark, &rule->mark_mask);
	else if (!strcmp(key, "fragment"))
		*ret = mark(&rule->set, KRAW_RULE_A_FRAGMENT, key);
	else if (!strcmp(key, "uid"))
		*ret = mark(&rule->set, KRAW_RULE_A_UID_MAX, key) ?:
			       args_value(args, key, &word)	  ?:
			       parse_users(word, &rule->uid);
	else if (!strcmp(key, "hdrincl"))
		*ret = mark(&rule->set, KRAW_RULE_A_HDRINCL, key);
	else if (!strcmp(key, "spoofed"))
		*ret = mark(&rule->set, KRAW_RULE_A_SPOOFED, key);
	else
		return false;
	return true;
}

static int rule_limit(struct args *args, struct rule *rule)
{
	const char *word;
	int ret;

	ret = mark(&rule->set, KRAW_RULE_A_LIMIT_RATE, "limit") ?:
		      args_value(args, "limit", &word)		?:
		      parse_rate(word, &rule->limit_rate);
	if (ret || !args_take(args, "burst"))
		return ret;
	rule->set |= BIT(KRAW_RULE_A_LIMIT_BURST);
	return args_value(args, "burst", &word) ?:
		       parse_burst(word, &rule->limit_burst);
}

static int rule_mirror(struct args *args, struct rule *rule)
{
	int ret = mark(&rule->set, KRAW_RULE_A_MIRROR, "mirror");

	if (!ret && !args_take(args, "dev"))
		ret = fail("mirror: to which device? Write 'mirror dev IF'");
	return ret ? ret : rule_device(args, "mirror dev", rule->mirror);
}

static int rule_comment(struct args *args, struct rule *rule)
{
	const char *word;
	int ret;

	ret = mark(&rule->set, KRAW_RULE_A_COMMENT, "comment") ?:
		      args_value(args, "comment", &word)       ?:
		      parse_comment(word);
	if (!ret)
		rule->comment = xstrdup(word);
	return ret;
}

/* What a rule does beside its verdict. */
static bool action_word(struct args *args, const char *key, struct rule *rule,
			int *ret)
{
	if (!strcmp(key, "limit"))
		*ret = rule_limit(args, rule);
	else if (!strcmp(key, "mirror"))
		*ret = rule_mirror(args, rule);
	else if (!strcmp(key, "trace"))
		*ret = mark(&rule->set, KRAW_RULE_A_TRACE, key);
	else if (!strcmp(key, "comment"))
		*ret = rule_comment(args, rule);
	else
		return false;
	return true;
}

static int rule_deliver(struct args *args, struct rule *rule)
{
	int ret = parse_deliver(args, &rule->verdict);

	if (ret || rule->verdict != KRAW_VERDICT_ONE)
		return ret;
	return parse_one(args, &rule->set, KRAW_RULE_A_ONE_BY,
			 KRAW_RULE_A_ONE_REUSEPORT, &rule->one_by);
}

static bool verdict_word(struct args *args, const char *key, struct rule *rule,
			 int *ret)
{
	bool deliver = !strcmp(key, "deliver");

	if (!deliver && strcmp(key, "allow") && strcmp(key, "deny"))
		return false;
	if (rule->set & BIT(KRAW_RULE_A_VERDICT))
		*ret = fail("'%s': the rule has a verdict already", key);
	else if (deliver)
		*ret = rule_deliver(args, rule);
	else
		*ret = name_parse(&verdict_names, key, &rule->verdict);
	rule->set |= BIT(KRAW_RULE_A_VERDICT);
	return true;
}

static int rule_word(struct args *args, const char *key, struct rule *rule)
{
	int ret = 0;

	if (name_word(args, key, rule, &ret) ||
	    packet_word(args, key, rule, &ret) ||
	    context_word(args, key, rule, &ret) ||
	    action_word(args, key, rule, &ret) ||
	    verdict_word(args, key, rule, &ret) || stray_word(key, &ret))
		return ret;
	return fail("'%s' is not understood in a rule: see 'kraw rule help'",
		    key);
}

/* Words that one hook only has a meaning for. */
static int check_hook(const struct rule *rule)
{
	static const struct {
		unsigned int attr;
		const char *word;
	} output_only[] = {
		{ KRAW_RULE_A_UID_MAX, "uid" },
		{ KRAW_RULE_A_HDRINCL, "hdrincl" },
		{ KRAW_RULE_A_SPOOFED, "spoofed" },
	};
	unsigned int i;

	if (rule->hook == KRAW_HOOK_OUTPUT) {
		if (rule->set & BIT(KRAW_RULE_A_MIRROR))
			return fail("mirror: copies packets that come in, leave it out on hook output");
		return 0;
	}
	for (i = 0; i < sizeof(output_only) / sizeof(output_only[0]); i++)
		if (rule->set & BIT(output_only[i].attr))
			return fail("%s: tells about packets that are sent here, use it with 'hook output' only",
				    output_only[i].word);
	return 0;
}

/* A verdict is for one hook; addresses are of one family. */
static int check_together(const struct rule *rule)
{
	bool output = rule->hook == KRAW_HOOK_OUTPUT;
	bool output_verdict = rule->verdict == KRAW_VERDICT_ALLOW ||
			      rule->verdict == KRAW_VERDICT_DENY;

	if (output && !output_verdict)
		return fail("deliver %s: hook output decides what may leave, use 'allow' or 'deny'",
			    name_of(&verdict_names, rule->verdict));
	if (!output && output_verdict)
		return fail("%s: is for hook output, on hook input use 'deliver VERDICT'",
			    name_of(&verdict_names, rule->verdict));
	if ((rule->set & BIT(KRAW_RULE_A_SRC)) &&
	    (rule->set & BIT(KRAW_RULE_A_DST)) &&
	    rule->src.len != rule->dst.len)
		return fail("src and dst: one is IPv4 and the other IPv6, no packet has both");
	return check_hook(rule);
}

static int check_rule(const struct rule *rule)
{
	bool output = rule->hook == KRAW_HOOK_OUTPUT;

	if (!(rule->set & BIT(KRAW_RULE_A_PROTO)))
		return fail("the rule names no protocol: add 'proto P'");
	if (!(rule->set & BIT(KRAW_RULE_A_VERDICT)))
		return fail("the rule has no verdict: add '%s'",
			    output ? "allow' or 'deny" : "deliver VERDICT");
	return check_together(rule);
}

int rule_parse(struct args *args, struct rule *rule)
{
	const char *word;
	int ret = 0;

	memset(rule, 0, sizeof(*rule));
	rule->hook = KRAW_HOOK_INPUT;
	while (!ret && (word = args_next(args)))
		ret = rule_word(args, word, rule);
	return ret ? ret : check_rule(rule);
}

int rule_parse_new(struct args *args, struct rule *rule)
{
	int ret = rule_parse(args, rule);

	if (!ret && (rule->set & BIT(KRAW_RULE_A_HANDLE)))
		ret = fail("handle: a new rule gets its handle from the kernel, leave it out or use 'rule replace'");
	return ret;
}

int rule_parse_filter(struct args *args, const char *key, struct rule *rule)
{
	bool names = strcmp(key, "pref") && strcmp(key, "handle");
	int ret = 0;

	if ((names && name_word(args, key, rule, &ret)) ||
	    packet_word(args, key, rule, &ret) ||
	    context_word(args, key, rule, &ret) ||
	    verdict_word(args, key, rule, &ret) || stray_word(key, &ret))
		return ret;
	return fail("'%s' is not understood in a filter: see 'kraw trace help'",
		    key);
}

int rule_check_filter(const struct rule *rule)
{
	struct rule like = *rule;

	/* What is not said does not stand in the way. */
	if (!(rule->set & BIT(KRAW_RULE_A_VERDICT)))
		like.verdict = rule->hook == KRAW_HOOK_OUTPUT ?
				       KRAW_VERDICT_ALLOW :
				       KRAW_VERDICT_ALL;
	else if (!(rule->set & BIT(KRAW_RULE_A_HOOK)))
		like.hook = rule->verdict == KRAW_VERDICT_ALLOW ||
					    rule->verdict == KRAW_VERDICT_DENY ?
				    KRAW_HOOK_OUTPUT :
				    KRAW_HOOK_INPUT;
	if (rule->set &
	    (BIT(KRAW_RULE_A_ONE_BY) | BIT(KRAW_RULE_A_ONE_REUSEPORT)))
		return fail("deliver one: how it chooses is no part of a filter, leave 'by' and 'reuseport' out");
	return check_together(&like);
}

int rule_parse_name(struct args *args, struct rule *rule)
{
	const char *word;
	int ret = 0;

	memset(rule, 0, sizeof(*rule));
	while (!ret && (word = args_next(args)))
		if (!name_word(args, word, rule, &ret))
			ret = fail("'%s' is not understood here: use hook, proto, pref or handle",
				   word);
	return ret;
}
