// SPDX-License-Identifier: GPL-2.0
/* From a protocol or a rule to the attributes of a message. */
#include "config.h"

void proto_put(struct nlmsghdr *nlh, const struct proto *proto)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, KRAW_A_PROTO);

	mnl_attr_put_u8(nlh, KRAW_PROTO_A_NUMBER, proto->number);
	if (proto->set & BIT(KRAW_PROTO_A_FAMILIES))
		mnl_attr_put_u8(nlh, KRAW_PROTO_A_FAMILIES, proto->families);
	if (proto->set & BIT(KRAW_PROTO_A_CLAIM))
		mnl_attr_put_u8(nlh, KRAW_PROTO_A_CLAIM, proto->claim);
	if (proto->set & BIT(KRAW_PROTO_A_DELIVER))
		mnl_attr_put_u8(nlh, KRAW_PROTO_A_DELIVER, proto->deliver);
	if (proto->set & BIT(KRAW_PROTO_A_ONE_BY))
		mnl_attr_put_u8(nlh, KRAW_PROTO_A_ONE_BY, proto->one_by);
	if (proto->set & BIT(KRAW_PROTO_A_ONE_REUSEPORT))
		mnl_attr_put(nlh, KRAW_PROTO_A_ONE_REUSEPORT, 0, "");
	if (proto->set & BIT(KRAW_PROTO_A_UNREACH))
		mnl_attr_put_u8(nlh, KRAW_PROTO_A_UNREACH, proto->unreach);
	if (proto->set & BIT(KRAW_PROTO_A_ACCOUNT))
		mnl_attr_put_u8(nlh, KRAW_PROTO_A_ACCOUNT, proto->account);
	if (proto->set & BIT(KRAW_PROTO_A_USERS))
		users_put(nlh, &proto->users);
	mnl_attr_nest_end(nlh, nest);
}

static void put_prefix(struct nlmsghdr *nlh, const struct prefix *prefix,
		       uint16_t address, uint16_t bits)
{
	mnl_attr_put(nlh, address, prefix->len, prefix->addr);
	mnl_attr_put_u8(nlh, bits, prefix->bits);
}

static void put_flag(struct nlmsghdr *nlh, const struct rule *rule,
		     uint16_t flag)
{
	if (rule->set & BIT(flag))
		mnl_attr_put(nlh, flag, 0, "");
}

static void put_matches(struct nlmsghdr *nlh, const struct rule *rule)
{
	if (rule->set & BIT(KRAW_RULE_A_SRC))
		put_prefix(nlh, &rule->src, KRAW_RULE_A_SRC,
			   KRAW_RULE_A_SRC_PREFIX);
	if (rule->set & BIT(KRAW_RULE_A_DST))
		put_prefix(nlh, &rule->dst, KRAW_RULE_A_DST,
			   KRAW_RULE_A_DST_PREFIX);
	if (rule->set & BIT(KRAW_RULE_A_DEV))
		mnl_attr_put_strz(nlh, KRAW_RULE_A_DEV, rule->dev);
	if (rule->set & BIT(KRAW_RULE_A_TTL_MAX)) {
		mnl_attr_put_u8(nlh, KRAW_RULE_A_TTL_MIN, rule->ttl.min);
		mnl_attr_put_u8(nlh, KRAW_RULE_A_TTL_MAX, rule->ttl.max);
	}
	if (rule->set & BIT(KRAW_RULE_A_LEN_MAX)) {
		mnl_attr_put_u32(nlh, KRAW_RULE_A_LEN_MIN, rule->len.min);
		mnl_attr_put_u32(nlh, KRAW_RULE_A_LEN_MAX, rule->len.max);
	}
	if (rule->set & BIT(KRAW_RULE_A_TYPE_MAX)) {
		mnl_attr_put_u8(nlh, KRAW_RULE_A_TYPE_MIN, rule->type.min);
		mnl_attr_put_u8(nlh, KRAW_RULE_A_TYPE_MAX, rule->type.max);
	}
	if (rule->set & BIT(KRAW_RULE_A_BPF))
		mnl_attr_put(nlh, KRAW_RULE_A_BPF,
			     rule->bpf_len * sizeof(*rule->bpf), rule->bpf);
	if (rule->set & BIT(KRAW_RULE_A_EXPR))
		mnl_attr_put_strz(nlh, KRAW_RULE_A_EXPR, rule->expr);
	if (rule->set & BIT(KRAW_RULE_A_DSCP))
		mnl_attr_put_u8(nlh, KRAW_RULE_A_DSCP, rule->dscp);
	if (rule->set & BIT(KRAW_RULE_A_MARK)) {
		mnl_attr_put_u32(nlh, KRAW_RULE_A_MARK, rule->mark);
		mnl_attr_put_u32(nlh, KRAW_RULE_A_MARK_MASK, rule->mark_mask);
	}
	put_flag(nlh, rule, KRAW_RULE_A_FRAGMENT);
	if (rule->set & BIT(KRAW_RULE_A_UID_MAX)) {
		mnl_attr_put_u32(nlh, KRAW_RULE_A_UID_MIN, rule->uid.min);
		mnl_attr_put_u32(nlh, KRAW_RULE_A_UID_MAX, rule->uid.max);
	}
	put_flag(nlh, rule, KRAW_RULE_A_HDRINCL);
	put_flag(nlh, rule, KRAW_RULE_A_SPOOFED);
}

/* What a rule does beside its verdict, and what is said of it. */
static void put_actions(struct nlmsghdr *nlh, const struct rule *rule)
{
	if (rule->set & BIT(KRAW_RULE_A_ONE_BY))
		mnl_attr_put_u8(nlh, KRAW_RULE_A_ONE_BY, rule->one_by);
	put_flag(nlh, rule, KRAW_RULE_A_ONE_REUSEPORT);
	if (rule->set & BIT(KRAW_RULE_A_LIMIT_RATE))
		mnl_attr_put_u32(nlh, KRAW_RULE_A_LIMIT_RATE, rule->limit_rate);
	if (rule->set & BIT(KRAW_RULE_A_LIMIT_BURST))
		mnl_attr_put_u32(nlh, KRAW_RULE_A_LIMIT_BURST,
				 rule->limit_burst);
	if (rule->set & BIT(KRAW_RULE_A_MIRROR))
		mnl_attr_put_strz(nlh, KRAW_RULE_A_MIRROR, rule->mirror);
	put_flag(nlh, rule, KRAW_RULE_A_TRACE);
	if (rule->set & BIT(KRAW_RULE_A_COMMENT))
		mnl_attr_put_strz(nlh, KRAW_RULE_A_COMMENT, rule->comment);
}

void rule_put(struct nlmsghdr *nlh, const struct rule *rule)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, KRAW_A_RULE);

	if (rule->set & BIT(KRAW_RULE_A_PROTO))
		mnl_attr_put_u8(nlh, KRAW_RULE_A_PROTO, rule->proto);
	if (rule->set & BIT(KRAW_RULE_A_HOOK))
		mnl_attr_put_u8(nlh, KRAW_RULE_A_HOOK, rule->hook);
	if (rule->set & BIT(KRAW_RULE_A_PREF))
		mnl_attr_put_u32(nlh, KRAW_RULE_A_PREF, rule->pref);
	if (rule->set & BIT(KRAW_RULE_A_HANDLE))
		mnl_attr_put_u32(nlh, KRAW_RULE_A_HANDLE, rule->handle);
	if (rule->set & BIT(KRAW_RULE_A_VERDICT))
		mnl_attr_put_u8(nlh, KRAW_RULE_A_VERDICT, rule->verdict);
	put_matches(nlh, rule);
	put_actions(nlh, rule);
	mnl_attr_nest_end(nlh, nest);
}
