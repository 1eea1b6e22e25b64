// SPDX-License-Identifier: GPL-2.0
/* A managed protocol: from netlink attributes and back, and its life. */
#include "proto.h"

#include <linux/err.h>
#include <linux/in.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include <net/netlink.h>
#include "bind.h"
#include "memory.h"
#include "ruleset.h"
#include "stats.h"
#include "text.h"
#include "uapi/linux/kraw.h"

#define FAMILIES_ALL	(KRAW_FAMILY_IPV4 | KRAW_FAMILY_IPV6)

const struct nla_policy kraw_proto_policy[KRAW_PROTO_A_MAX + 1] = {
	[KRAW_PROTO_A_NUMBER]	= { .type = NLA_U8 },
	[KRAW_PROTO_A_FAMILIES]	= NLA_POLICY_RANGE(NLA_U8, 1, FAMILIES_ALL),
	[KRAW_PROTO_A_CLAIM]	= NLA_POLICY_MAX(NLA_U8, KRAW_CLAIM_MAX),
	[KRAW_PROTO_A_DELIVER]	= NLA_POLICY_RANGE(NLA_U8, KRAW_VERDICT_ALL,
						   KRAW_VERDICT_MAX),
	[KRAW_PROTO_A_UNREACH]	= NLA_POLICY_MAX(NLA_U8, KRAW_UNREACH_MAX),
	[KRAW_PROTO_A_ONE_BY]	= NLA_POLICY_MAX(NLA_U8, KRAW_ONE_BY_MAX),
	[KRAW_PROTO_A_ONE_REUSEPORT] = { .type = NLA_FLAG },
	[KRAW_PROTO_A_ACCOUNT]	= NLA_POLICY_MAX(NLA_U8, KRAW_ACCOUNT_MAX),
	[KRAW_PROTO_A_USERS]	= NLA_POLICY_NESTED(kraw_users_policy),
};

const struct nla_policy kraw_proto_name_policy[KRAW_PROTO_A_NUMBER + 1] = {
	[KRAW_PROTO_A_NUMBER]	= { .type = NLA_U8 },
};

/**
 * kraw_proto_number - read which protocol a request speaks of
 * @nest:	KRAW_A_PROTO, already validated by one of the policies above
 * @extack:	gets the reason of a refusal
 *
 * Returns the number or -EINVAL.
 */
int kraw_proto_number(const struct nlattr *nest, struct netlink_ext_ack *extack)
{
	struct nlattr *tb[KRAW_PROTO_A_MAX + 1];
	int err;

	err = nla_parse_nested(tb, KRAW_PROTO_A_MAX, nest, kraw_proto_policy,
			       extack);
	if (err)
		return err;
	if (!tb[KRAW_PROTO_A_NUMBER]) {
		NL_SET_ERR_MSG_ATTR(extack, nest, "a protocol needs a number");
		return -EINVAL;
	}
	return nla_get_u8(tb[KRAW_PROTO_A_NUMBER]);
}

/* Extension headers are parts of the chain, no receiver's: RFC 8200, IANA. */
static bool is_ext_header(u8 number)
{
	switch (number) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_FRAGMENT:
	case IPPROTO_ESP:
	case IPPROTO_AH:
	case IPPROTO_NONE:
	case IPPROTO_DSTOPTS:
	case IPPROTO_MH:
	case 139:	/* HIP */
	case 140:	/* shim6 */
		return true;
	default:
		return false;
	}
}

/**
 * kraw_proto_check - see whether packets of a protocol can come to a receiver
 * @number:	protocol number
 * @families:	bits KRAW_FAMILY_*
 * @attr:	the attribute at fault
 * @extack:	gets the reason of a refusal
 *
 * Returns 0 or -EINVAL.
 */
int kraw_proto_check(u8 number, u8 families, const struct nlattr *attr,
		     struct netlink_ext_ack *extack)
{
	if (number == IPPROTO_RAW) {
		kraw_text_refuse(extack, attr,
				 "protocol 255 is reserved: no packet carries it");
		return -EINVAL;
	}
	if (families & KRAW_FAMILY_IPV6 && is_ext_header(number)) {
		kraw_text_refuse(extack, attr,
				 "%u is an IPv6 extension header, not a protocol: use it with IPv4 only",
				 number);
		return -EINVAL;
	}
	if (families & KRAW_FAMILY_IPV4 && !number) {
		kraw_text_refuse(extack, attr,
				 "protocol 0 is IPv6 hop-by-hop options: no IPv4 packet carries it");
		return -EINVAL;
	}
	return 0;
}

static int parse(struct kraw_proto *proto, const struct nlattr *nest,
		 struct netlink_ext_ack *extack)
{
	struct nlattr *tb[KRAW_PROTO_A_MAX + 1];
	int err;

	err = nla_parse_nested(tb, KRAW_PROTO_A_MAX, nest, kraw_proto_policy,
			       extack);
	if (err)
		return err;
	if (tb[KRAW_PROTO_A_FAMILIES])
		proto->families = nla_get_u8(tb[KRAW_PROTO_A_FAMILIES]);
	if (tb[KRAW_PROTO_A_CLAIM])
		proto->claim = nla_get_u8(tb[KRAW_PROTO_A_CLAIM]);
	if (tb[KRAW_PROTO_A_UNREACH])
		proto->unreach = nla_get_u8(tb[KRAW_PROTO_A_UNREACH]);
	if (tb[KRAW_PROTO_A_ACCOUNT])
		proto->account = nla_get_u8(tb[KRAW_PROTO_A_ACCOUNT]);
	if (tb[KRAW_PROTO_A_USERS]) {
		err = kraw_users_parse(&proto->users, tb[KRAW_PROTO_A_USERS],
				       extack);
		if (err)
			return err;
	}
	if (proto->claim == KRAW_CLAIM_NONE) {
		if (tb[KRAW_PROTO_A_USERS] && proto->users.count) {
			NL_SET_ERR_MSG_ATTR(extack, tb[KRAW_PROTO_A_USERS],
					    "users are of a claim: claim plain or ports");
			return -EINVAL;
		}
		proto->users.count = 0;
	}
	err = kraw_decision_parse(&proto->deliver, KRAW_HOOK_INPUT,
				  tb[KRAW_PROTO_A_DELIVER],
				  tb[KRAW_PROTO_A_ONE_BY],
				  tb[KRAW_PROTO_A_ONE_REUSEPORT], extack);
	if (err)
		return err;
	return kraw_proto_check(proto->number, proto->families, nest, extack);
}

/* A version of @old, or a first one, for the caller to complete. */
static struct kraw_proto *next_version(const struct kraw_proto *old)
{
	struct kraw_proto *proto = kzalloc(sizeof(*proto), KRAW_GFP);

	if (!proto)
		return NULL;
	refcount_set(&proto->refs, 1);
	if (!old) {
		proto->stats = kraw_stats_new();
		if (!proto->stats) {
			kfree(proto);
			return NULL;
		}
		return proto;
	}
	proto->number = old->number;
	proto->families = old->families;
	proto->claim = old->claim;
	proto->deliver = old->deliver;
	proto->unreach = old->unreach;
	proto->account = old->account;
	proto->users = old->users;
	proto->stats = kraw_stats_get(old->stats);
	proto->binds = kraw_binds_get(old->binds);
	return proto;
}

/* Gives a version the sockets that its claim wants; those of another kind go. */
static int set_binds(struct kraw_proto *proto)
{
	bool has_ports = proto->claim == KRAW_CLAIM_PORTS;

	if (proto->binds && (proto->claim == KRAW_CLAIM_NONE ||
			     proto->binds->has_ports != has_ports)) {
		kraw_binds_put(proto->binds);
		proto->binds = NULL;
	}
	if (proto->claim == KRAW_CLAIM_NONE || proto->binds)
		return 0;
	proto->binds = kraw_binds_new(has_ports, proto->stats);
	return proto->binds ? 0 : -ENOMEM;
}

/**
 * kraw_proto_parse - make a version of a protocol of a request
 * @nest:	KRAW_A_PROTO, already validated by kraw_proto_policy
 * @old:	what is not in @nest stays as in this one, and so do rules and
 *		counters; NULL: a new protocol
 * @extack:	gets the reason of a refusal
 *
 * Returns it with one reference, or an error pointer: -EINVAL, -EOPNOTSUPP,
 * -ENOMEM.
 */
struct kraw_proto *kraw_proto_parse(const struct nlattr *nest,
				    const struct kraw_proto *old,
				    struct netlink_ext_ack *extack)
{
	int number = kraw_proto_number(nest, extack);
	struct kraw_proto *proto;
	int err, i;

	if (number < 0)
		return ERR_PTR(number);
	proto = next_version(old);
	if (!proto)
		return ERR_PTR(-ENOMEM);
	if (old) {
		for (i = 0; i < KRAW_HOOKS; i++)
			proto->rules[i] = kraw_ruleset_get(old->rules[i]);
	} else {
		proto->number = number;
		proto->families = FAMILIES_ALL;
		proto->claim = KRAW_CLAIM_NONE;
		proto->deliver.verdict = KRAW_VERDICT_ALL;
		proto->unreach = KRAW_UNREACH_AUTO;
		proto->account = KRAW_ACCOUNT_MATCH;
	}
	err = parse(proto, nest, extack);
	if (!err)
		err = set_binds(proto);
	if (err) {
		kraw_proto_put(proto);
		return ERR_PTR(err);
	}
	return proto;
}

/**
 * kraw_proto_with_rules - a version of a protocol with other rules of a hook
 * @old:	the version to follow
 * @hook:	enum kraw_hook
 * @rules:	the rules, NULL: none; the caller's reference to them is taken
 *		over on success
 *
 * Returns it with one reference, or NULL without memory.
 */
struct kraw_proto *kraw_proto_with_rules(const struct kraw_proto *old, u8 hook,
					 struct kraw_ruleset *rules)
{
	struct kraw_proto *proto = next_version(old);
	int i;

	if (!proto)
		return NULL;
	for (i = 0; i < KRAW_HOOKS; i++)
		proto->rules[i] = i == hook - 1 ? rules :
				  kraw_ruleset_get(old->rules[i]);
	return proto;
}

struct kraw_proto *kraw_proto_get(struct kraw_proto *proto)
{
	refcount_inc(&proto->refs);
	return proto;
}

/* The last reference of a published one goes after a grace period. */
void kraw_proto_put(struct kraw_proto *proto)
{
	int i;

	if (!refcount_dec_and_test(&proto->refs))
		return;
	for (i = 0; i < KRAW_HOOKS; i++)
		kraw_ruleset_put(proto->rules[i]);
	kraw_binds_put(proto->binds);
	kraw_stats_put(proto->stats);
	kfree(proto);
}

/**
 * kraw_proto_follow - take over the counters and sockets of another one
 * @proto:	of the same number, not published yet
 * @old:	what it is to replace
 */
void kraw_proto_follow(struct kraw_proto *proto, const struct kraw_proto *old)
{
	kraw_stats_put(proto->stats);
	proto->stats = kraw_stats_get(old->stats);
	if (!proto->binds)
		return;
	if (old->binds && old->binds->has_ports == proto->binds->has_ports) {
		kraw_binds_put(proto->binds);
		proto->binds = kraw_binds_get(old->binds);
	} else {
		kraw_binds_count_in(proto->binds, proto->stats);
	}
}

/* Number of the rules of all hooks; NULL: none. */
u32 kraw_proto_rules_count(const struct kraw_proto *proto)
{
	u32 count = 0;
	int i;

	for (i = 0; proto && i < KRAW_HOOKS; i++)
		if (proto->rules[i])
			count += proto->rules[i]->count;
	return count;
}

/* Instructions of all BPF programs of its rules; NULL: none. */
u64 kraw_proto_insns_count(const struct kraw_proto *proto)
{
	u64 count = 0;
	int i;

	for (i = 0; proto && i < KRAW_HOOKS; i++)
		if (proto->rules[i])
			count += proto->rules[i]->insns;
	return count;
}

static int stats_fill(struct sk_buff *msg, const struct kraw_proto *proto,
		      enum kraw_family family)
{
	struct nlattr *nest = nla_nest_start(msg, KRAW_PROTO_A_STATS);
	int i;

	if (!nest || nla_put_u8(msg, KRAW_STATS_A_FAMILY, BIT(family)))
		return -EMSGSIZE;
	for (i = KRAW_STATS_A_SEEN; i <= KRAW_STATS_LAST; i++)
		if (i != KRAW_STATS_A_PAD &&
		    nla_put_u64_64bit(msg, i,
				      kraw_stats_read(proto->stats, family, i),
				      KRAW_STATS_A_PAD))
			return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return 0;
}

/**
 * kraw_proto_fill - describe a protocol in a message
 * @msg:	gets one KRAW_A_PROTO
 * @proto:	held by RCU, a lock or a reference
 * @counters:	with its counters
 *
 * Returns 0 or -EMSGSIZE, with @msg as it was.
 */
int kraw_proto_fill(struct sk_buff *msg, const struct kraw_proto *proto,
		    bool counters)
{
	struct nlattr *nest = nla_nest_start(msg, KRAW_A_PROTO);
	int family;

	if (!nest)
		return -EMSGSIZE;
	if (nla_put_u8(msg, KRAW_PROTO_A_NUMBER, proto->number) ||
	    nla_put_u8(msg, KRAW_PROTO_A_FAMILIES, proto->families) ||
	    nla_put_u8(msg, KRAW_PROTO_A_CLAIM, proto->claim) ||
	    nla_put_u8(msg, KRAW_PROTO_A_DELIVER, proto->deliver.verdict) ||
	    nla_put_u8(msg, KRAW_PROTO_A_UNREACH, proto->unreach) ||
	    nla_put_u8(msg, KRAW_PROTO_A_ACCOUNT, proto->account) ||
	    nla_put_u32(msg, KRAW_PROTO_A_RULES,
			kraw_proto_rules_count(proto)))
		goto cancel;
	if (proto->deliver.verdict == KRAW_VERDICT_ONE &&
	    (nla_put_u8(msg, KRAW_PROTO_A_ONE_BY, proto->deliver.one_by) ||
	     (proto->deliver.one_reuseport &&
	      nla_put_flag(msg, KRAW_PROTO_A_ONE_REUSEPORT))))
		goto cancel;
	if (proto->users.count &&
	    kraw_users_fill(msg, &proto->users))
		goto cancel;
	for (family = 0; counters && family < KRAW_FAMILIES; family++)
		if (proto->families & BIT(family) &&
		    stats_fill(msg, proto, family))
			goto cancel;
	nla_nest_end(msg, nest);
	return 0;

cancel:
	nla_nest_cancel(msg, nest);
	return -EMSGSIZE;
}
