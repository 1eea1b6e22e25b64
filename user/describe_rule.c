// SPDX-License-Identifier: GPL-2.0
#include "bpf.h"
#include "config.h"
#include "describe.h"
#include "error.h"
#include "names.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

static json_t *rule_handle(const void *object)
{
	const struct rule *rule = object;

	if (!(rule->set & BIT(KRAW_RULE_A_HANDLE)))
		return NULL;
	return json_integer(rule->handle);
}

static json_t *rule_hook(const void *object)
{
	const struct rule *rule = object;

	return rule->hook ? json_string(name_of(&hook_names, rule->hook)) :
			    NULL;
}

static json_t *rule_proto(const void *object)
{
	const struct rule *rule = object;

	return json_integer(rule->proto);
}

static json_t *rule_pref(const void *object)
{
	const struct rule *rule = object;

	if (!(rule->set & BIT(KRAW_RULE_A_PREF)))
		return NULL;
	return json_integer(rule->pref);
}

static json_t *prefix_json(const struct prefix *prefix)
{
	char address[INET6_ADDRSTRLEN];
	char *text;
	json_t *value;

	inet_ntop(prefix->len == 4 ? AF_INET : AF_INET6, prefix->addr, address,
		  sizeof(address));
	text = xasprintf("%s/%u", address, prefix->bits);
	value = json_string(text);
	free(text);
	return value;
}

static json_t *rule_src(const void *object)
{
	const struct rule *rule = object;

	if (!(rule->set & BIT(KRAW_RULE_A_SRC)))
		return NULL;
	return prefix_json(&rule->src);
}

static json_t *rule_dst(const void *object)
{
	const struct rule *rule = object;

	if (!(rule->set & BIT(KRAW_RULE_A_DST)))
		return NULL;
	return prefix_json(&rule->dst);
}

static json_t *rule_dev(const void *object)
{
	const struct rule *rule = object;

	if (!(rule->set & BIT(KRAW_RULE_A_DEV)))
		return NULL;
	return output_string(rule->dev);
}

static json_t *range_json(const struct range *range)
{
	json_t *list = json_array();

	json_array_append_new(list, json_integer(range->min));
	json_array_append_new(list, json_integer(range->max));
	return list;
}

static json_t *rule_ttl(const void *object)
{
	const struct rule *rule = object;

	if (!(rule->set & BIT(KRAW_RULE_A_TTL_MAX)))
		return NULL;
	return range_json(&rule->ttl);
}

static json_t *rule_len(const void *object)
{
	const struct rule *rule = object;

	if (!(rule->set & BIT(KRAW_RULE_A_LEN_MAX)))
		return NULL;
	return range_json(&rule->len);
}

static json_t *rule_type(const void *object)
{
	const struct rule *rule = object;

	if (!(rule->set & BIT(KRAW_RULE_A_TYPE_MAX)))
		return NULL;
	return range_json(&rule->type);
}

static json_t *rule_dscp(const void *object)
{
	const struct rule *rule = object;

	if (!(rule->set & BIT(KRAW_RULE_A_DSCP)))
		return NULL;
	return json_integer(rule->dscp);
}

static json_t *rule_mark(const void *object)
{
	const struct rule *rule = object;
	char text[32];

	if (!(rule->set & BIT(KRAW_RULE_A_MARK)))
		return NULL;
	if (rule->mark_mask == UINT32_MAX)
		snprintf(text, sizeof(text), "0x%x", rule->mark);
	else
		snprintf(text, sizeof(text), "0x%x/0x%x", rule->mark,
			 rule->mark_mask);
	return json_string(text);
}

/* What is said by being there. */
static json_t *flag_json(const void *object, unsigned int flag)
{
	const struct rule *rule = object;

	return rule->set & BIT(flag) ? json_true() : NULL;
}

static json_t *rule_fragment(const void *object)
{
	return flag_json(object, KRAW_RULE_A_FRAGMENT);
}

static json_t *rule_uid(const void *object)
{
	const struct rule *rule = object;

	if (!(rule->set & BIT(KRAW_RULE_A_UID_MAX)))
		return NULL;
	return range_json(&rule->uid);
}

static json_t *rule_hdrincl(const void *object)
{
	return flag_json(object, KRAW_RULE_A_HDRINCL);
}

static json_t *rule_spoofed(const void *object)
{
	return flag_json(object, KRAW_RULE_A_SPOOFED);
}

static json_t *rule_match(const void *object)
{
	const struct rule *rule = object;

	return rule->expr ? output_string(rule->expr) : NULL;
}

/* Only what nothing else says: a program that came without its expression. */
static json_t *rule_bytecode(const void *object)
{
	const struct rule *rule = object;
	json_t *value;
	char *text;

	if (rule->expr || !rule->bpf)
		return NULL;
	text = bpf_print(rule->bpf, rule->bpf_len);
	value = json_string(text);
	free(text);
	return value;
}

static json_t *rule_limit(const void *object)
{
	const struct rule *rule = object;
	json_t *limit;

	if (!(rule->set & BIT(KRAW_RULE_A_LIMIT_RATE)))
		return NULL;
	limit = json_object();
	json_object_set_new(limit, "rate", json_integer(rule->limit_rate));
	if (rule->set & BIT(KRAW_RULE_A_LIMIT_BURST))
		json_object_set_new(limit, "burst",
				    json_integer(rule->limit_burst));
	return limit;
}

static json_t *rule_mirror(const void *object)
{
	const struct rule *rule = object;

	if (!(rule->set & BIT(KRAW_RULE_A_MIRROR)))
		return NULL;
	return output_string(rule->mirror);
}

static json_t *rule_trace(const void *object)
{
	return flag_json(object, KRAW_RULE_A_TRACE);
}

static json_t *rule_comment(const void *object)
{
	const struct rule *rule = object;

	return rule->comment ? output_string(rule->comment) : NULL;
}

static json_t *rule_deliver(const void *object)
{
	const struct rule *rule = object;

	if (!rule->verdict || rule->hook == KRAW_HOOK_OUTPUT)
		return NULL;
	return json_string(name_of(&verdict_names, rule->verdict));
}

static json_t *rule_by(const void *object)
{
	const struct rule *rule = object;

	if (rule->verdict != KRAW_VERDICT_ONE)
		return NULL;
	return json_string(name_of(&one_by_names, rule->one_by));
}

static json_t *rule_reuseport(const void *object)
{
	return flag_json(object, KRAW_RULE_A_ONE_REUSEPORT);
}

static json_t *rule_verdict(const void *object)
{
	const struct rule *rule = object;

	if (!rule->verdict || rule->hook != KRAW_HOOK_OUTPUT)
		return NULL;
	return json_string(name_of(&verdict_names, rule->verdict));
}

static json_t *rule_packets(const void *object)
{
	const struct rule *rule = object;

	return json_integer(rule->packets);
}

static json_t *rule_bytes(const void *object)
{
	const struct rule *rule = object;

	return json_integer(rule->bytes);
}

static json_t *rule_limited(const void *object)
{
	const struct rule *rule = object;

	if (!(rule->set & BIT(KRAW_RULE_A_LIMITED)))
		return NULL;
	return json_integer(rule->limited);
}

static json_t *rule_generation(const void *object)
{
	const struct rule *rule = object;

	return json_integer(rule->generation);
}

const struct field rule_fields[] = {
	{ "handle", NULL, NULL, rule_handle },
	{ "hook", "hook", "HOOK", rule_hook },
	{ "proto", "proto", "PROTO", rule_proto, .colour = COLOUR_NUMBER },
	{ "pref", "pref", "PREF", rule_pref },
	{ NULL, "handle", NULL, rule_handle, .when = FIELD_HANDLE },
	{ "src", "src", NULL, rule_src },
	{ "dst", "dst", NULL, rule_dst },
	{ "dev", "dev", NULL, rule_dev },
	{ "ttl", "ttl", NULL, rule_ttl, .form = FORM_RANGE },
	{ "len", "len", NULL, rule_len, .form = FORM_RANGE },
	{ "type", "type", NULL, rule_type, .form = FORM_RANGE },
	{ "dscp", "dscp", NULL, rule_dscp },
	{ "mark", "mark", NULL, rule_mark },
	{ "fragment", "fragment", NULL, rule_fragment, .form = FORM_FLAG },
	{ "uid", "uid", NULL, rule_uid, .form = FORM_RANGE },
	{ "hdrincl", "hdrincl", NULL, rule_hdrincl, .form = FORM_FLAG },
	{ "spoofed", "spoofed", NULL, rule_spoofed, .form = FORM_FLAG },
	{ "match", "match", NULL, rule_match },
	{ "bytecode", "bytecode", NULL, rule_bytecode },
	{ "limit", "limit", NULL, rule_limit, .form = FORM_LIMIT },
	{ "mirror", "mirror dev", NULL, rule_mirror },
	{ "trace", "trace", NULL, rule_trace, .form = FORM_FLAG },
	{ "comment", "comment", NULL, rule_comment },
	{ "deliver", "deliver", "DELIVER", rule_deliver,
	  .colour = COLOUR_VERDICT },
	{ "by", "by", NULL, rule_by },
	{ "reuseport", "reuseport", NULL, rule_reuseport, .form = FORM_FLAG },
	{ "verdict", "", NULL, rule_verdict, .colour = COLOUR_VERDICT },
	{ "generation", NULL, NULL, rule_generation, .when = FIELD_DETAILS },
	{ "packets", "packets", NULL, rule_packets, .when = FIELD_STATISTICS },
	{ "bytes", "bytes", NULL, rule_bytes, .when = FIELD_STATISTICS },
	{ "limited", "limited", NULL, rule_limited, .when = FIELD_STATISTICS },
	{ NULL },
};

const struct field rule_name_fields[] = {
	{ "hook", "hook", NULL, rule_hook },
	{ "proto", "proto", NULL, rule_proto },
	{ "pref", "pref", NULL, rule_pref },
	{ "handle", "handle", NULL, rule_handle },
	{ NULL },
};
