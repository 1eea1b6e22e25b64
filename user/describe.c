// SPDX-License-Identifier: GPL-2.0
#include "describe.h"
#include "bpf.h"
#include "config.h"
#include "error.h"
#include "names.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static const char *const counter_names[KRAW_STATS_A_MAX + 1] = {
	[KRAW_STATS_A_SEEN] = "seen",
	[KRAW_STATS_A_ALL] = "all",
	[KRAW_STATS_A_RAW] = "raw",
	[KRAW_STATS_A_KERNEL] = "kernel",
	[KRAW_STATS_A_NONE] = "none",
	[KRAW_STATS_A_REJECT] = "reject",
	[KRAW_STATS_A_PASSED] = "passed",
	[KRAW_STATS_A_RAW_MATCHED] = "raw_matched",
	[KRAW_STATS_A_RAW_COPIES] = "raw_copies",
	[KRAW_STATS_A_RAW_FILTERED] = "raw_filtered",
	[KRAW_STATS_A_RAW_REFUSED] = "raw_refused",
	[KRAW_STATS_A_KERNEL_HANDLED] = "kernel_handled",
	[KRAW_STATS_A_CLAIM_HANDLED] = "claim_handled",
	[KRAW_STATS_A_UNREACH] = "unreach",
	[KRAW_STATS_A_UNREACH_NEVER] = "unreach_never",
};

json_t *families_json(unsigned int families)
{
	json_t *list = json_array();

	if (families & KRAW_FAMILY_IPV4)
		json_array_append_new(list, json_string("ipv4"));
	if (families & KRAW_FAMILY_IPV6)
		json_array_append_new(list, json_string("ipv6"));
	return list;
}

json_t *counters_json(const struct proto_stats *stats)
{
	json_t *counters = json_object();
	unsigned int i;

	for (i = 0; i <= KRAW_STATS_A_MAX; i++)
		if (counter_names[i])
			json_object_set_new(counters, counter_names[i],
					    json_integer(stats->count[i]));
	return counters;
}

static json_t *proto_number(const void *object)
{
	const struct proto *proto = object;

	return json_integer(proto->number);
}

static json_t *proto_name(const void *object)
{
	const struct proto *proto = object;

	return output_string(protocol_name(proto->number));
}

static json_t *proto_families(const void *object)
{
	const struct proto *proto = object;

	return families_json(proto->families);
}

static json_t *proto_claim(const void *object)
{
	const struct proto *proto = object;

	return json_string(name_of(&claim_names, proto->claim));
}

static json_t *proto_deliver(const void *object)
{
	const struct proto *proto = object;

	return json_string(name_of(&verdict_names, proto->deliver));
}

static json_t *proto_unreach(const void *object)
{
	const struct proto *proto = object;

	return json_string(name_of(&unreach_names, proto->unreach));
}

static json_t *proto_rules(const void *object)
{
	const struct proto *proto = object;

	if (!(proto->set & BIT(KRAW_PROTO_A_RULES)))
		return NULL;
	return json_integer(proto->rules);
}

static json_t *proto_counters(const void *object)
{
	const struct proto *proto = object;
	json_t *families = json_object();

	if (proto->stats[0].valid)
		json_object_set_new(families, "ipv4",
				    counters_json(&proto->stats[0]));
	if (proto->stats[1].valid)
		json_object_set_new(families, "ipv6",
				    counters_json(&proto->stats[1]));
	return families;
}

static json_t *proto_generation(const void *object)
{
	const struct proto *proto = object;

	return json_integer(proto->generation);
}

const struct field proto_fields[] = {
	{ "proto", "", "PROTO", proto_number, .colour = COLOUR_NUMBER },
	{ "name", NULL, "NAME", proto_name, .form = FORM_TEXT },
	{ "families", "family", "FAMILY", proto_families,
	  .form = FORM_FAMILIES },
	{ "claim", "claim", "CLAIM", proto_claim },
	{ "deliver", "deliver", "DELIVER", proto_deliver,
	  .colour = COLOUR_VERDICT },
	{ "unreach", "unreach", "UNREACH", proto_unreach },
	{ "rules", "rules", "RULES", proto_rules, .when = FIELD_INFO },
	{ "generation", "generation", NULL, proto_generation,
	  .when = FIELD_DETAILS },
	{ "stats", "", NULL, proto_counters, .form = FORM_COUNTERS,
	  .when = FIELD_STATISTICS },
	{ NULL },
};

const struct field proto_name_fields[] = {
	{ "proto", "", "PROTO", proto_number },
	{ NULL },
};

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

static json_t *rule_deliver(const void *object)
{
	const struct rule *rule = object;

	if (!rule->verdict || rule->hook == KRAW_HOOK_OUTPUT)
		return NULL;
	return json_string(name_of(&verdict_names, rule->verdict));
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
	{ "match", "match", NULL, rule_match },
	{ "bytecode", "bytecode", NULL, rule_bytecode },
	{ "deliver", "deliver", "DELIVER", rule_deliver,
	  .colour = COLOUR_VERDICT },
	{ "verdict", "", NULL, rule_verdict, .colour = COLOUR_VERDICT },
	{ "generation", NULL, NULL, rule_generation, .when = FIELD_DETAILS },
	{ "packets", "packets", NULL, rule_packets, .when = FIELD_STATISTICS },
	{ "bytes", "bytes", NULL, rule_bytes, .when = FIELD_STATISTICS },
	{ NULL },
};

const struct field rule_name_fields[] = {
	{ "hook", "hook", NULL, rule_hook },
	{ "proto", "proto", NULL, rule_proto },
	{ "pref", "pref", NULL, rule_pref },
	{ "handle", "handle", NULL, rule_handle },
	{ NULL },
};
