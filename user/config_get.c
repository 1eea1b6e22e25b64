// SPDX-License-Identifier: GPL-2.0
/* From the kernel's answers to protocols, rules and handlers. */
#include "config.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

/*
 * The answers of the kernel are read with the same care as any input: what has
 * another size than it should is left out.
 */
bool get_u8(const struct nlattr *attr, uint8_t *value)
{
	if (!attr || mnl_attr_validate(attr, MNL_TYPE_U8) < 0)
		return false;
	*value = mnl_attr_get_u8(attr);
	return true;
}

bool get_u16(const struct nlattr *attr, uint16_t *value)
{
	if (!attr || mnl_attr_validate(attr, MNL_TYPE_U16) < 0)
		return false;
	*value = mnl_attr_get_u16(attr);
	return true;
}

bool get_u32(const struct nlattr *attr, uint32_t *value)
{
	if (!attr || mnl_attr_validate(attr, MNL_TYPE_U32) < 0)
		return false;
	*value = mnl_attr_get_u32(attr);
	return true;
}

bool get_u64(const struct nlattr *attr, uint64_t *value)
{
	if (!attr || mnl_attr_validate(attr, MNL_TYPE_U64) < 0)
		return false;
	*value = mnl_attr_get_u64(attr);
	return true;
}

char *get_text(const struct nlattr *attr)
{
	char *text;

	if (!attr || mnl_attr_validate(attr, MNL_TYPE_STRING) < 0)
		return NULL;
	text = strndup(mnl_attr_get_payload(attr),
		       mnl_attr_get_payload_len(attr));
	return text ? text : xstrdup("");
}

static void get_stats(const struct nlattr *nest, struct proto *proto)
{
	const struct nlattr *attrs[KRAW_STATS_A_MAX + 1];
	struct proto_stats *stats;
	unsigned int i;
	uint8_t family;

	nl_nest(nest, attrs, KRAW_STATS_A_MAX);
	if (!get_u8(attrs[KRAW_STATS_A_FAMILY], &family))
		return;
	stats = &proto->stats[family == KRAW_FAMILY_IPV4 ? 0 : 1];
	stats->valid = true;
	for (i = KRAW_STATS_A_SEEN; i <= KRAW_STATS_A_MAX; i++)
		get_u64(attrs[i], &stats->count[i]);
}

int proto_get(const struct nlmsghdr *nlh, struct proto *proto)
{
	const struct nlattr *nest[KRAW_PROTO_A_MAX + 1];
	const struct nlattr *attrs[KRAW_A_MAX + 1];
	const struct nlattr *attr;
	int ret;

	memset(proto, 0, sizeof(*proto));
	ret = nl_attrs(nlh, attrs, KRAW_A_MAX);
	if (ret)
		return ret;
	get_u32(attrs[KRAW_A_GENERATION], &proto->generation);
	if (!attrs[KRAW_A_PROTO])
		return refused("the kernel's answer has no protocol in it");

	nl_nest(attrs[KRAW_A_PROTO], nest, KRAW_PROTO_A_MAX);
	get_u8(nest[KRAW_PROTO_A_NUMBER], &proto->number);
	if (get_u8(nest[KRAW_PROTO_A_FAMILIES], &proto->families))
		proto->set |= BIT(KRAW_PROTO_A_FAMILIES);
	if (get_u8(nest[KRAW_PROTO_A_CLAIM], &proto->claim))
		proto->set |= BIT(KRAW_PROTO_A_CLAIM);
	if (get_u8(nest[KRAW_PROTO_A_DELIVER], &proto->deliver))
		proto->set |= BIT(KRAW_PROTO_A_DELIVER);
	if (get_u8(nest[KRAW_PROTO_A_ONE_BY], &proto->one_by))
		proto->set |= BIT(KRAW_PROTO_A_ONE_BY);
	if (nest[KRAW_PROTO_A_ONE_REUSEPORT])
		proto->set |= BIT(KRAW_PROTO_A_ONE_REUSEPORT);
	if (get_u8(nest[KRAW_PROTO_A_UNREACH], &proto->unreach))
		proto->set |= BIT(KRAW_PROTO_A_UNREACH);
	if (get_u8(nest[KRAW_PROTO_A_ACCOUNT], &proto->account))
		proto->set |= BIT(KRAW_PROTO_A_ACCOUNT);
	if (nest[KRAW_PROTO_A_USERS]) {
		users_get(nest[KRAW_PROTO_A_USERS], &proto->users);
		proto->set |= BIT(KRAW_PROTO_A_USERS);
	}
	if (get_u32(nest[KRAW_PROTO_A_RULES], &proto->rules))
		proto->set |= BIT(KRAW_PROTO_A_RULES);
	/* The table holds one of each kind, the counters come once a family. */
	mnl_attr_for_each_nested(attr, attrs[KRAW_A_PROTO])
		if (mnl_attr_get_type(attr) == KRAW_PROTO_A_STATS)
			get_stats(attr, proto);
	return 0;
}

static bool get_prefix(const struct nlattr *address, const struct nlattr *bits,
		       struct prefix *prefix)
{
	uint16_t len;

	if (!address)
		return false;
	len = mnl_attr_get_payload_len(address);
	if (len != 4 && len != 16)
		return false;
	memcpy(prefix->addr, mnl_attr_get_payload(address), len);
	prefix->len = len;
	prefix->bits = len * 8;
	get_u8(bits, &prefix->bits);
	return true;
}

/* Reads a range of bytes; an end that is missing is that of all bytes. */
static bool get_range8(const struct nlattr *low, const struct nlattr *high,
		       struct range *range)
{
	uint8_t min = 0, max = UINT8_MAX;
	bool there = get_u8(low, &min);

	there |= get_u8(high, &max);
	range->min = min;
	range->max = max;
	return there;
}

static bool get_range32(const struct nlattr *low, const struct nlattr *high,
			struct range *range)
{
	bool there;

	range->min = 0;
	range->max = UINT32_MAX;
	there = get_u32(low, &range->min);
	there |= get_u32(high, &range->max);
	return there;
}

static bool get_device(const struct nlattr *attr, char device[IFNAMSIZ])
{
	char *name = get_text(attr);

	if (!name)
		return false;
	strncpy(device, name, IFNAMSIZ - 1);
	free(name);
	return true;
}

static void get_flag(const struct nlattr **nest, struct rule *rule,
		     unsigned int flag)
{
	if (nest[flag])
		rule->set |= BIT(flag);
}

static void get_matches(const struct nlattr **nest, struct rule *rule)
{
	const struct nlattr *bpf = nest[KRAW_RULE_A_BPF];

	if (get_prefix(nest[KRAW_RULE_A_SRC], nest[KRAW_RULE_A_SRC_PREFIX],
		       &rule->src))
		rule->set |= BIT(KRAW_RULE_A_SRC);
	if (get_prefix(nest[KRAW_RULE_A_DST], nest[KRAW_RULE_A_DST_PREFIX],
		       &rule->dst))
		rule->set |= BIT(KRAW_RULE_A_DST);
	if (get_device(nest[KRAW_RULE_A_DEV], rule->dev))
		rule->set |= BIT(KRAW_RULE_A_DEV);
	if (get_range8(nest[KRAW_RULE_A_TTL_MIN], nest[KRAW_RULE_A_TTL_MAX],
		       &rule->ttl))
		rule->set |= BIT(KRAW_RULE_A_TTL_MAX);
	if (get_range32(nest[KRAW_RULE_A_LEN_MIN], nest[KRAW_RULE_A_LEN_MAX],
			&rule->len))
		rule->set |= BIT(KRAW_RULE_A_LEN_MAX);
	if (get_range8(nest[KRAW_RULE_A_TYPE_MIN], nest[KRAW_RULE_A_TYPE_MAX],
		       &rule->type))
		rule->set |= BIT(KRAW_RULE_A_TYPE_MAX);
	if (bpf && mnl_attr_get_payload_len(bpf) >= sizeof(*rule->bpf)) {
		rule->bpf_len = mnl_attr_get_payload_len(bpf) /
				sizeof(*rule->bpf);
		rule->bpf = xalloc(rule->bpf_len * sizeof(*rule->bpf));
		memcpy(rule->bpf, mnl_attr_get_payload(bpf),
		       rule->bpf_len * sizeof(*rule->bpf));
		rule->set |= BIT(KRAW_RULE_A_BPF);
	}
	rule->expr = get_text(nest[KRAW_RULE_A_EXPR]);
	if (rule->expr)
		rule->set |= BIT(KRAW_RULE_A_EXPR);
}

static void get_more_matches(const struct nlattr **nest, struct rule *rule)
{
	if (get_u8(nest[KRAW_RULE_A_DSCP], &rule->dscp))
		rule->set |= BIT(KRAW_RULE_A_DSCP);
	rule->mark_mask = UINT32_MAX;
	get_u32(nest[KRAW_RULE_A_MARK_MASK], &rule->mark_mask);
	if (get_u32(nest[KRAW_RULE_A_MARK], &rule->mark))
		rule->set |= BIT(KRAW_RULE_A_MARK);
	get_flag(nest, rule, KRAW_RULE_A_FRAGMENT);
	if (get_range32(nest[KRAW_RULE_A_UID_MIN], nest[KRAW_RULE_A_UID_MAX],
			&rule->uid))
		rule->set |= BIT(KRAW_RULE_A_UID_MAX);
	get_flag(nest, rule, KRAW_RULE_A_HDRINCL);
	get_flag(nest, rule, KRAW_RULE_A_SPOOFED);
}

static void get_actions(const struct nlattr **nest, struct rule *rule)
{
	if (get_u8(nest[KRAW_RULE_A_ONE_BY], &rule->one_by))
		rule->set |= BIT(KRAW_RULE_A_ONE_BY);
	get_flag(nest, rule, KRAW_RULE_A_ONE_REUSEPORT);
	if (get_u32(nest[KRAW_RULE_A_LIMIT_RATE], &rule->limit_rate))
		rule->set |= BIT(KRAW_RULE_A_LIMIT_RATE);
	if (get_u32(nest[KRAW_RULE_A_LIMIT_BURST], &rule->limit_burst))
		rule->set |= BIT(KRAW_RULE_A_LIMIT_BURST);
	if (get_device(nest[KRAW_RULE_A_MIRROR], rule->mirror))
		rule->set |= BIT(KRAW_RULE_A_MIRROR);
	get_flag(nest, rule, KRAW_RULE_A_TRACE);
	rule->comment = get_text(nest[KRAW_RULE_A_COMMENT]);
	if (rule->comment)
		rule->set |= BIT(KRAW_RULE_A_COMMENT);
}

int rule_get(const struct nlmsghdr *nlh, struct rule *rule)
{
	const struct nlattr *nest[KRAW_RULE_A_MAX + 1];
	const struct nlattr *attrs[KRAW_A_MAX + 1];
	int ret;

	memset(rule, 0, sizeof(*rule));
	ret = nl_attrs(nlh, attrs, KRAW_A_MAX);
	if (ret)
		return ret;
	get_u32(attrs[KRAW_A_GENERATION], &rule->generation);
	if (!attrs[KRAW_A_RULE])
		return refused("the kernel's answer has no rule in it");

	nl_nest(attrs[KRAW_A_RULE], nest, KRAW_RULE_A_MAX);
	if (get_u8(nest[KRAW_RULE_A_PROTO], &rule->proto))
		rule->set |= BIT(KRAW_RULE_A_PROTO);
	if (get_u8(nest[KRAW_RULE_A_HOOK], &rule->hook))
		rule->set |= BIT(KRAW_RULE_A_HOOK);
	if (get_u32(nest[KRAW_RULE_A_PREF], &rule->pref))
		rule->set |= BIT(KRAW_RULE_A_PREF);
	if (get_u32(nest[KRAW_RULE_A_HANDLE], &rule->handle))
		rule->set |= BIT(KRAW_RULE_A_HANDLE);
	if (get_u8(nest[KRAW_RULE_A_VERDICT], &rule->verdict))
		rule->set |= BIT(KRAW_RULE_A_VERDICT);
	get_matches(nest, rule);
	get_more_matches(nest, rule);
	get_actions(nest, rule);
	if (get_u64(nest[KRAW_RULE_A_PACKETS], &rule->packets))
		rule->set |= BIT(KRAW_RULE_A_PACKETS);
	if (get_u64(nest[KRAW_RULE_A_BYTES], &rule->bytes))
		rule->set |= BIT(KRAW_RULE_A_BYTES);
	if (get_u64(nest[KRAW_RULE_A_LIMITED], &rule->limited))
		rule->set |= BIT(KRAW_RULE_A_LIMITED);
	return 0;
}

int handler_get(const struct nlmsghdr *nlh, struct handler *handler)
{
	const struct nlattr *nest[KRAW_HANDLER_A_MAX + 1];
	const struct nlattr *attrs[KRAW_A_MAX + 1];
	int ret;

	memset(handler, 0, sizeof(*handler));
	ret = nl_attrs(nlh, attrs, KRAW_A_MAX);
	if (ret)
		return ret;
	if (!attrs[KRAW_A_HANDLER])
		return refused("the kernel's answer has no handler in it");
	nl_nest(attrs[KRAW_A_HANDLER], nest, KRAW_HANDLER_A_MAX);
	get_u8(nest[KRAW_HANDLER_A_NUMBER], &handler->number);
	get_u8(nest[KRAW_HANDLER_A_FAMILY], &handler->family);
	get_u32(nest[KRAW_HANDLER_A_FLAGS], &handler->flags);
	handler->symbol = get_text(nest[KRAW_HANDLER_A_SYMBOL]);
	handler->module = get_text(nest[KRAW_HANDLER_A_MODULE]);
	return 0;
}

static int read_generation(const struct nlmsghdr *nlh, void *generation)
{
	const struct nlattr *attrs[KRAW_A_MAX + 1];
	int ret;

	ret = nl_attrs(nlh, attrs, KRAW_A_MAX);
	if (!ret && !get_u32(attrs[KRAW_A_GENERATION], generation))
		ret = refused("the kernel's answer has no generation in it");
	return ret;
}

int generation_get(uint32_t *generation)
{
	struct nl_msg msg;

	*generation = 0;
	nl_begin(&msg, KRAW_CMD_CONFIG_GET, 0);
	return nl_request(&msg, read_generation, generation, "configuration");
}
