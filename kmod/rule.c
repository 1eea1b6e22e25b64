// SPDX-License-Identifier: GPL-2.0
/* A rule: from netlink attributes and back, its life, its counters. */
#include "rule.h"

#include <linux/filter.h>
#include <linux/jhash.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <net/netlink.h>
#include "decision.h"
#include "limit.h"
#include "match.h"
#include "memory.h"
#include "uapi/linux/kraw.h"

/* Rules may be many: a cache of their own wastes less than a general one. */
static struct kmem_cache *cache;

const struct nla_policy kraw_rule_policy[KRAW_RULE_A_MAX + 1] = {
	[KRAW_RULE_A_PROTO]	 = { .type = NLA_U8 },
	[KRAW_RULE_A_HOOK]	 = NLA_POLICY_RANGE(NLA_U8, KRAW_HOOK_INPUT,
						    KRAW_HOOK_MAX),
	[KRAW_RULE_A_PREF]	 = { .type = NLA_U32 },
	[KRAW_RULE_A_HANDLE]	 = NLA_POLICY_MIN(NLA_U32, 1),
	[KRAW_RULE_A_VERDICT]	 = NLA_POLICY_RANGE(NLA_U8, KRAW_VERDICT_ALL,
						    KRAW_VERDICT_MAX),
	[KRAW_RULE_A_SRC]	 = { .type = NLA_BINARY,
				     .len = sizeof(struct in6_addr) },
	[KRAW_RULE_A_SRC_PREFIX] = NLA_POLICY_MAX(NLA_U8, 128),
	[KRAW_RULE_A_DST]	 = { .type = NLA_BINARY,
				     .len = sizeof(struct in6_addr) },
	[KRAW_RULE_A_DST_PREFIX] = NLA_POLICY_MAX(NLA_U8, 128),
	[KRAW_RULE_A_DEV]	 = { .type = NLA_NUL_STRING,
				     .len = IFNAMSIZ - 1 },
	[KRAW_RULE_A_TTL_MIN]	 = { .type = NLA_U8 },
	[KRAW_RULE_A_TTL_MAX]	 = { .type = NLA_U8 },
	[KRAW_RULE_A_LEN_MIN]	 = { .type = NLA_U32 },
	[KRAW_RULE_A_LEN_MAX]	 = { .type = NLA_U32 },
	[KRAW_RULE_A_TYPE_MIN]	 = { .type = NLA_U8 },
	[KRAW_RULE_A_TYPE_MAX]	 = { .type = NLA_U8 },
	[KRAW_RULE_A_BPF]	 = { .type = NLA_BINARY,
				     .len = BPF_MAXINSNS *
					    sizeof(struct sock_filter) },
	[KRAW_RULE_A_EXPR]	 = { .type = NLA_NUL_STRING,
				     .len = KRAW_EXPR_MAX },
	[KRAW_RULE_A_DSCP]	 = NLA_POLICY_MAX(NLA_U8, KRAW_DSCP_MAX),
	[KRAW_RULE_A_MARK]	 = { .type = NLA_U32 },
	[KRAW_RULE_A_MARK_MASK]	 = { .type = NLA_U32 },
	[KRAW_RULE_A_FRAGMENT]	 = { .type = NLA_FLAG },
	[KRAW_RULE_A_UID_MIN]	 = { .type = NLA_U32 },
	[KRAW_RULE_A_UID_MAX]	 = { .type = NLA_U32 },
	[KRAW_RULE_A_HDRINCL]	 = { .type = NLA_FLAG },
	[KRAW_RULE_A_SPOOFED]	 = { .type = NLA_FLAG },
	[KRAW_RULE_A_ONE_BY]	 = NLA_POLICY_MAX(NLA_U8, KRAW_ONE_BY_MAX),
	[KRAW_RULE_A_ONE_REUSEPORT] = { .type = NLA_FLAG },
	[KRAW_RULE_A_LIMIT_RATE] = NLA_POLICY_MIN(NLA_U32, 1),
	[KRAW_RULE_A_LIMIT_BURST] = NLA_POLICY_MIN(NLA_U32, 1),
	[KRAW_RULE_A_MIRROR]	 = { .type = NLA_NUL_STRING,
				     .len = IFNAMSIZ - 1 },
	[KRAW_RULE_A_TRACE]	 = { .type = NLA_FLAG },
	[KRAW_RULE_A_COMMENT]	 = { .type = NLA_NUL_STRING,
				     .len = KRAW_COMMENT_MAX },
};

const struct nla_policy kraw_rule_name_policy[KRAW_RULE_A_HANDLE + 1] = {
	[KRAW_RULE_A_PROTO]	 = { .type = NLA_U8 },
	[KRAW_RULE_A_HOOK]	 = NLA_POLICY_RANGE(NLA_U8, KRAW_HOOK_INPUT,
						    KRAW_HOOK_MAX),
	[KRAW_RULE_A_PREF]	 = { .type = NLA_U32 },
	[KRAW_RULE_A_HANDLE]	 = NLA_POLICY_MIN(NLA_U32, 1),
};

const struct nla_policy kraw_rule_scope_policy[KRAW_RULE_A_HOOK + 1] = {
	[KRAW_RULE_A_PROTO]	 = { .type = NLA_U8 },
	[KRAW_RULE_A_HOOK]	 = NLA_POLICY_RANGE(NLA_U8, KRAW_HOOK_INPUT,
						    KRAW_HOOK_MAX),
};

/**
 * kraw_rule_name_parse - read which rule a request speaks of
 * @name:	result
 * @nest:	KRAW_A_RULE, already validated by one of the policies above
 * @extack:	gets the reason of a refusal
 *
 * Returns 0 or -EINVAL.
 */
int kraw_rule_name_parse(struct kraw_rule_name *name, const struct nlattr *nest,
			 struct netlink_ext_ack *extack)
{
	struct nlattr **tb = name->tb;
	int err;

	*name = (struct kraw_rule_name) { .nest = nest };
	err = nla_parse_nested(tb, KRAW_RULE_A_MAX, nest, kraw_rule_policy,
			       extack);
	if (err)
		return err;
	name->has_proto = tb[KRAW_RULE_A_PROTO];
	if (name->has_proto)
		name->proto = nla_get_u8(tb[KRAW_RULE_A_PROTO]);
	name->hook = KRAW_HOOK_INPUT;
	name->has_hook = tb[KRAW_RULE_A_HOOK];
	if (name->has_hook)
		name->hook = nla_get_u8(tb[KRAW_RULE_A_HOOK]);
	name->has_pref = tb[KRAW_RULE_A_PREF];
	if (name->has_pref)
		name->pref = nla_get_u32(tb[KRAW_RULE_A_PREF]);
	name->handle_attr = tb[KRAW_RULE_A_HANDLE];
	name->has_handle = name->handle_attr;
	if (name->has_handle)
		name->handle = nla_get_u32(tb[KRAW_RULE_A_HANDLE]);
	return 0;
}

/* For a new rule: the kernel chooses its handle. Returns 0 or -EINVAL. */
int kraw_rule_name_check_new(const struct kraw_rule_name *name,
			     struct netlink_ext_ack *extack)
{
	if (!name->has_handle)
		return 0;
	NL_SET_ERR_MSG_ATTR(extack, name->handle_attr,
			    "the handle of a new rule is not yours to choose");
	return -EINVAL;
}

/* For a rule that is there: something has to name it. Returns 0 or -EINVAL. */
int kraw_rule_name_check_old(const struct kraw_rule_name *name,
			     struct netlink_ext_ack *extack)
{
	if (name->has_pref || name->has_handle)
		return 0;
	NL_SET_ERR_MSG_ATTR(extack, name->nest,
			    "name the rule by preference or handle");
	return -EINVAL;
}

/* As kraw_rule_name_parse(), where the protocol has to be named. */
int kraw_rule_name_parse_full(struct kraw_rule_name *name,
			      const struct nlattr *nest,
			      struct netlink_ext_ack *extack)
{
	int err = kraw_rule_name_parse(name, nest, extack);

	if (!err && !name->has_proto) {
		NL_SET_ERR_MSG_ATTR(extack, nest, "a rule needs a protocol");
		err = -EINVAL;
	}
	return err;
}

static int bpf_parse(struct kraw_rule *rule, struct nlattr **tb,
		     struct netlink_ext_ack *extack)
{
	const struct nlattr *nla = tb[KRAW_RULE_A_BPF];
	const struct nlattr *expr = tb[KRAW_RULE_A_EXPR];
	int err;

	if (!nla) {
		if (!expr)
			return 0;
		NL_SET_ERR_MSG_ATTR(extack, expr,
				    "an expression needs its program");
		return -EINVAL;
	}
	err = kraw_match_parse_bpf(&rule->match, nla, extack);
	if (err)
		return err;
	rule->insns_len = nla_len(nla);
	rule->insns = kvmalloc(rule->insns_len, KRAW_GFP);
	if (!rule->insns)
		return -ENOMEM;
	nla_memcpy(rule->insns, nla, rule->insns_len);
	if (expr) {
		rule->expr = nla_strdup(expr, KRAW_GFP);
		if (!rule->expr)
			return -ENOMEM;
	}
	return 0;
}

static int mirror_parse(struct net *net, struct kraw_rule *rule,
			const struct nlattr *nla,
			struct netlink_ext_ack *extack)
{
	if (!nla)
		return 0;
	if (rule->hook != KRAW_HOOK_INPUT) {
		NL_SET_ERR_MSG_ATTR(extack, nla,
				    "mirror is for the input hook: tc mirrors what a device sends");
		return -EINVAL;
	}
	rule->mirror = kmalloc(IFNAMSIZ, KRAW_GFP);
	if (!rule->mirror)
		return -ENOMEM;
	return kraw_match_dev(net, rule->mirror, nla, extack);
}

/* What else the rule does, beside its verdict. */
static int options_parse(struct net *net, struct kraw_rule *rule,
			 struct nlattr **tb, struct netlink_ext_ack *extack)
{
	const struct nlattr *comment = tb[KRAW_RULE_A_COMMENT];
	int err;

	err = kraw_limit_parse(&rule->limit, tb, extack);
	if (err)
		return err;
	err = mirror_parse(net, rule, tb[KRAW_RULE_A_MIRROR], extack);
	if (err)
		return err;
	rule->trace = tb[KRAW_RULE_A_TRACE];
	if (comment) {
		rule->comment = nla_strdup(comment, KRAW_GFP);
		if (!rule->comment)
			return -ENOMEM;
	}
	return 0;
}

static int parse(struct net *net, struct kraw_rule *rule, struct nlattr **tb,
		 const struct nlattr *nest, struct netlink_ext_ack *extack)
{
	int err;

	if (!tb[KRAW_RULE_A_VERDICT]) {
		NL_SET_ERR_MSG_ATTR(extack, nest, "a rule needs a verdict");
		return -EINVAL;
	}
	err = kraw_decision_parse(&rule->decision, rule->hook,
				  tb[KRAW_RULE_A_VERDICT],
				  tb[KRAW_RULE_A_ONE_BY],
				  tb[KRAW_RULE_A_ONE_REUSEPORT], extack);
	if (err)
		return err;
	err = kraw_match_parse(net, &rule->match, rule->hook, tb, extack);
	if (err)
		return err;
	err = bpf_parse(rule, tb, extack);
	return err ?: options_parse(net, rule, tb, extack);
}

static void rule_free(struct kraw_rule *rule)
{
	if (rule->match.prog)
		bpf_prog_destroy(rule->match.prog);
	kvfree(rule->insns);
	kfree(rule->expr);
	kfree(rule->comment);
	kraw_counter_free(&rule->counter);
	kraw_limit_free(rule->limit);
	kfree(rule->mirror);
	kmem_cache_free(cache, rule);
}

/**
 * kraw_rule_parse - make a rule of a request
 * @net:	namespace, locked by an edit
 * @name:	from kraw_rule_name_parse()
 * @extack:	gets the reason of a refusal
 *
 * Returns a rule with one reference and the preference and handle of @name, be
 * they given or not; or an error pointer: -EINVAL, -ENODEV, -EOPNOTSUPP, -ENOMEM.
 */
struct kraw_rule *kraw_rule_parse(struct net *net,
				  struct kraw_rule_name *name,
				  struct netlink_ext_ack *extack)
{
	struct kraw_rule *rule;
	int err;

	rule = kmem_cache_zalloc(cache, KRAW_GFP);
	if (!rule)
		return ERR_PTR(-ENOMEM);
	refcount_set(&rule->refs, 1);
	rule->proto = name->proto;
	rule->hook = name->hook;
	rule->pref = name->pref;
	rule->handle = name->handle;
	err = kraw_counter_alloc(&rule->counter, &kraw_net(net)->counters);
	if (err)
		goto err_free;
	err = parse(net, rule, name->tb, name->nest, extack);
	if (err)
		goto err_free;
	return rule;

err_free:
	rule_free(rule);
	return ERR_PTR(err);
}

struct kraw_rule *kraw_rule_get(struct kraw_rule *rule)
{
	refcount_inc(&rule->refs);
	return rule;
}

/* The last reference goes after a grace period, with a configuration. */
void kraw_rule_put(struct kraw_rule *rule)
{
	if (refcount_dec_and_test(&rule->refs))
		rule_free(rule);
}

/* The compiled program, at the end, is compared by its instructions. */
#define MATCH_SIZE	offsetof(struct kraw_match, prog)

/* Equal for rules of one protocol and hook with equal preference and matches. */
u32 kraw_rule_hash(const struct kraw_rule *rule)
{
	u32 hash = jhash(&rule->match, MATCH_SIZE,
			 rule->proto << 8 | rule->hook);

	if (rule->insns)
		hash = jhash(rule->insns, rule->insns_len, hash);
	return jhash_1word(rule->pref, hash);
}

static bool same_text(const char *a, const char *b)
{
	return !a == !b && (!a || !strcmp(a, b));
}

bool kraw_rule_same_match(const struct kraw_rule *a, const struct kraw_rule *b)
{
	return !memcmp(&a->match, &b->match, MATCH_SIZE) &&
	       a->insns_len == b->insns_len &&
	       (!a->insns_len || !memcmp(a->insns, b->insns, a->insns_len)) &&
	       same_text(a->expr, b->expr);
}

/* Whether the two do the same with the packets that they match. */
bool kraw_rule_same_action(const struct kraw_rule *a, const struct kraw_rule *b)
{
	return kraw_decision_same(&a->decision, &b->decision) &&
	       kraw_limit_same(a->limit, b->limit) &&
	       same_text(a->mirror, b->mirror) && a->trace == b->trace &&
	       same_text(a->comment, b->comment);
}

/* Context: bottom halves off. */
void kraw_rule_count(const struct kraw_rule *rule, u32 len)
{
	kraw_counter_add(&rule->counter, len);
}

static int counters_fill(struct sk_buff *msg, const struct kraw_rule *rule)
{
	u64 packets, bytes;

	kraw_counter_read(&rule->counter, &packets, &bytes);
	if (nla_put_u64_64bit(msg, KRAW_RULE_A_PACKETS, packets,
			      KRAW_RULE_A_PAD) ||
	    nla_put_u64_64bit(msg, KRAW_RULE_A_BYTES, bytes, KRAW_RULE_A_PAD))
		return -EMSGSIZE;
	return 0;
}

static int decision_fill(struct sk_buff *msg,
			 const struct kraw_decision *decision)
{
	if (nla_put_u8(msg, KRAW_RULE_A_VERDICT, decision->verdict))
		return -EMSGSIZE;
	if (decision->verdict != KRAW_VERDICT_ONE)
		return 0;
	if (nla_put_u8(msg, KRAW_RULE_A_ONE_BY, decision->one_by) ||
	    (decision->one_reuseport &&
	     nla_put_flag(msg, KRAW_RULE_A_ONE_REUSEPORT)))
		return -EMSGSIZE;
	return 0;
}

static int options_fill(struct sk_buff *msg, const struct kraw_rule *rule,
			bool counters)
{
	if ((rule->limit && kraw_limit_fill(msg, rule->limit, counters)) ||
	    (rule->mirror &&
	     nla_put_string(msg, KRAW_RULE_A_MIRROR, rule->mirror)) ||
	    (rule->trace && nla_put_flag(msg, KRAW_RULE_A_TRACE)) ||
	    (rule->comment &&
	     nla_put_string(msg, KRAW_RULE_A_COMMENT, rule->comment)))
		return -EMSGSIZE;
	return 0;
}

/**
 * kraw_rule_fill - describe a rule in a message
 * @msg:	gets one KRAW_A_RULE
 * @rule:	held by RCU, a lock or a reference
 * @counters:	with its counters
 *
 * Returns 0 or -EMSGSIZE, with @msg as it was.
 */
int kraw_rule_fill(struct sk_buff *msg, const struct kraw_rule *rule,
		   bool counters)
{
	struct nlattr *nest = nla_nest_start(msg, KRAW_A_RULE);

	if (!nest)
		return -EMSGSIZE;
	if (nla_put_u8(msg, KRAW_RULE_A_PROTO, rule->proto) ||
	    nla_put_u8(msg, KRAW_RULE_A_HOOK, rule->hook) ||
	    nla_put_u32(msg, KRAW_RULE_A_PREF, rule->pref) ||
	    nla_put_u32(msg, KRAW_RULE_A_HANDLE, rule->handle) ||
	    decision_fill(msg, &rule->decision) ||
	    kraw_match_fill(msg, &rule->match) ||
	    (rule->insns && nla_put(msg, KRAW_RULE_A_BPF, rule->insns_len,
				    rule->insns)) ||
	    (rule->expr && nla_put_string(msg, KRAW_RULE_A_EXPR, rule->expr)) ||
	    options_fill(msg, rule, counters) ||
	    (counters && counters_fill(msg, rule))) {
		nla_nest_cancel(msg, nest);
		return -EMSGSIZE;
	}
	nla_nest_end(msg, nest);
	return 0;
}

int __init kraw_rule_init(void)
{
	cache = KMEM_CACHE(kraw_rule, SLAB_ACCOUNT);
	return cache ? 0 : -ENOMEM;
}

/* After the last rule. */
void kraw_rule_exit(void)
{
	kmem_cache_destroy(cache);
}
