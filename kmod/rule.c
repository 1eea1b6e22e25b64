// SPDX-License-Identifier: GPL-2.0
/* A rule: from netlink attributes and back, its life, its counters. */
#include "rule.h"

#include <linux/filter.h>
#include <linux/jhash.h>
#include <linux/netdevice.h>
#include <linux/netlink.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <net/ipv6.h>
#include <net/netlink.h>
#include "text.h"
#include "uapi/linux/kraw.h"

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
	struct nlattr *tb[KRAW_RULE_A_MAX + 1];
	int err;

	err = nla_parse_nested(tb, KRAW_RULE_A_MAX, nest, kraw_rule_policy,
			       extack);
	if (err)
		return err;
	*name = (struct kraw_rule_name) { .nest = nest };
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

static int verdict_check(u8 hook, const struct nlattr *attr,
			 struct netlink_ext_ack *extack)
{
	switch (nla_get_u8(attr)) {
	case KRAW_VERDICT_ALL:
	case KRAW_VERDICT_RAW:
	case KRAW_VERDICT_KERNEL:
	case KRAW_VERDICT_NONE:
	case KRAW_VERDICT_REJECT:
		return 0;
	case KRAW_VERDICT_ONE:
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "this kraw.ko has no verdict one yet");
		return -EOPNOTSUPP;
	default:
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "this verdict is not for the input hook: use all, raw, kernel, none or reject");
		return -EINVAL;
	}
}

static int prefix_parse(struct kraw_match *match, struct nlattr **tb, int attr,
			__be32 *addr, u8 *len, u16 field,
			struct netlink_ext_ack *extack)
{
	const struct nlattr *nla = tb[attr], *plen = tb[attr + 1];
	struct in6_addr net6;
	u8 family, bits;

	if (!nla) {
		if (!plen)
			return 0;
		NL_SET_ERR_MSG_ATTR(extack, plen,
				    "a prefix length needs an address");
		return -EINVAL;
	}
	switch (nla_len(nla)) {
	case sizeof(struct in_addr):
		family = KRAW_IPV4;
		break;
	case sizeof(struct in6_addr):
		family = KRAW_IPV6;
		break;
	default:
		NL_SET_ERR_MSG_ATTR(extack, nla,
				    "an address has 4 or 16 bytes");
		return -EINVAL;
	}
	bits = 8 * nla_len(nla);
	*len = plen ? nla_get_u8(plen) : bits;
	if (*len > bits) {
		NL_SET_ERR_MSG_ATTR(extack, plen,
				    "the prefix is longer than the address");
		return -EINVAL;
	}
	nla_memcpy(addr, nla, bits / 8);
	/* The unused words of an IPv4 address are zero, so one test does. */
	ipv6_addr_prefix(&net6, (struct in6_addr *)addr, *len);
	if (memcmp(&net6, addr, sizeof(net6))) {
		NL_SET_ERR_MSG_ATTR(extack, nla,
				    "the address has bits below its prefix length");
		return -EINVAL;
	}
	if (match->fields & (KRAW_FIELD_SRC | KRAW_FIELD_DST) &&
	    match->family != family) {
		NL_SET_ERR_MSG_ATTR(extack, nla,
				    "source and destination are of different families");
		return -EINVAL;
	}
	match->family = family;
	match->fields |= field;
	return 0;
}

static int dev_parse(struct net *net, struct kraw_match *match,
		     const struct nlattr *nla, struct netlink_ext_ack *extack)
{
	struct net_device *dev;

	if (!nla)
		return 0;
	rcu_read_lock();
	/* It may be an alternative name: keep the one that packets show. */
	dev = dev_get_by_name_rcu(net, nla_data(nla));
	if (dev)
		strscpy_pad(match->dev, dev->name, sizeof(match->dev));
	rcu_read_unlock();
	if (!dev) {
		NL_SET_ERR_MSG_ATTR(extack, nla,
				    "no such device in this network namespace");
		return -ENODEV;
	}
	match->fields |= KRAW_FIELD_DEV;
	return 0;
}

static int byte_range_parse(struct kraw_match *match, struct nlattr **tb,
			    int attr, u8 *min, u8 *max, u16 field,
			    struct netlink_ext_ack *extack)
{
	if (!tb[attr] && !tb[attr + 1])
		return 0;
	*min = tb[attr] ? nla_get_u8(tb[attr]) : 0;
	*max = tb[attr + 1] ? nla_get_u8(tb[attr + 1]) : U8_MAX;
	if (*min > *max) {
		NL_SET_ERR_MSG_ATTR(extack, tb[attr], "the range is backwards");
		return -EINVAL;
	}
	match->fields |= field;
	return 0;
}

static int len_parse(struct kraw_match *match, struct nlattr **tb,
		     struct netlink_ext_ack *extack)
{
	const struct nlattr *min = tb[KRAW_RULE_A_LEN_MIN];
	const struct nlattr *max = tb[KRAW_RULE_A_LEN_MAX];

	if (!min && !max)
		return 0;
	match->len_min = min ? nla_get_u32(min) : 0;
	match->len_max = max ? nla_get_u32(max) : U32_MAX;
	if (match->len_min > match->len_max) {
		NL_SET_ERR_MSG_ATTR(extack, min, "the range is backwards");
		return -EINVAL;
	}
	match->fields |= KRAW_FIELD_LEN;
	return 0;
}

static int bpf_parse(struct kraw_rule *rule, struct nlattr **tb,
		     struct netlink_ext_ack *extack)
{
	const struct nlattr *nla = tb[KRAW_RULE_A_BPF];
	const struct nlattr *expr = tb[KRAW_RULE_A_EXPR];
	struct sock_fprog_kern fprog;
	int err;

	if (!nla) {
		if (!expr)
			return 0;
		NL_SET_ERR_MSG_ATTR(extack, expr,
				    "an expression needs its program");
		return -EINVAL;
	}
	if (!nla_len(nla) || nla_len(nla) % sizeof(struct sock_filter)) {
		NL_SET_ERR_MSG_ATTR(extack, nla,
				    "the program is not a number of BPF instructions");
		return -EINVAL;
	}
	rule->insns_len = nla_len(nla);
	rule->insns = kvmalloc(rule->insns_len, GFP_KERNEL_ACCOUNT);
	if (!rule->insns)
		return -ENOMEM;
	nla_memcpy(rule->insns, nla, rule->insns_len);
	fprog.filter = rule->insns;
	fprog.len = rule->insns_len / sizeof(struct sock_filter);
	err = bpf_prog_create(&rule->match.prog, &fprog);
	if (err) {
		rule->match.prog = NULL;
		NL_SET_ERR_MSG_ATTR(extack, nla,
				    "the kernel refuses this BPF program");
		return err;
	}
	rule->match.fields |= KRAW_FIELD_BPF;
	if (expr) {
		rule->expr = nla_strdup(expr, GFP_KERNEL_ACCOUNT);
		if (!rule->expr)
			return -ENOMEM;
	}
	return 0;
}

static int parse(struct net *net, struct kraw_rule *rule, struct nlattr **tb,
		 const struct nlattr *nest, struct netlink_ext_ack *extack)
{
	struct kraw_match *match = &rule->match;
	int err;

	if (!tb[KRAW_RULE_A_VERDICT]) {
		NL_SET_ERR_MSG_ATTR(extack, nest, "a rule needs a verdict");
		return -EINVAL;
	}
	if (rule->hook != KRAW_HOOK_INPUT) {
		NL_SET_ERR_MSG_ATTR(extack, tb[KRAW_RULE_A_HOOK],
				    "this kraw.ko has no output hook yet");
		return -EOPNOTSUPP;
	}
	err = verdict_check(rule->hook, tb[KRAW_RULE_A_VERDICT], extack);
	if (err)
		return err;
	rule->verdict = nla_get_u8(tb[KRAW_RULE_A_VERDICT]);
	err = prefix_parse(match, tb, KRAW_RULE_A_SRC, match->src,
			   &match->src_len, KRAW_FIELD_SRC, extack);
	if (err)
		return err;
	err = prefix_parse(match, tb, KRAW_RULE_A_DST, match->dst,
			   &match->dst_len, KRAW_FIELD_DST, extack);
	if (err)
		return err;
	err = dev_parse(net, match, tb[KRAW_RULE_A_DEV], extack);
	if (err)
		return err;
	err = byte_range_parse(match, tb, KRAW_RULE_A_TTL_MIN, &match->ttl_min,
			       &match->ttl_max, KRAW_FIELD_TTL, extack);
	if (err)
		return err;
	err = byte_range_parse(match, tb, KRAW_RULE_A_TYPE_MIN,
			       &match->type_min, &match->type_max,
			       KRAW_FIELD_TYPE, extack);
	if (err)
		return err;
	err = len_parse(match, tb, extack);
	if (err)
		return err;
	return bpf_parse(rule, tb, extack);
}

static void rule_free(struct kraw_rule *rule)
{
	if (rule->match.prog)
		bpf_prog_destroy(rule->match.prog);
	kvfree(rule->insns);
	kfree(rule->expr);
	free_percpu(rule->cpu);
	kfree(rule);
}

/**
 * kraw_rule_parse - make a rule of a request
 * @net:	namespace, to look devices up in
 * @name:	from kraw_rule_name_parse(); its nest passed kraw_rule_policy
 * @extack:	gets the reason of a refusal
 *
 * Returns a rule with one reference and the preference and handle of @name, be
 * they given or not; or an error pointer: -EINVAL, -ENODEV, -EOPNOTSUPP, -ENOMEM.
 */
struct kraw_rule *kraw_rule_parse(struct net *net,
				  const struct kraw_rule_name *name,
				  struct netlink_ext_ack *extack)
{
	struct nlattr *tb[KRAW_RULE_A_MAX + 1];
	struct kraw_rule *rule;
	int err, cpu;

	err = nla_parse_nested(tb, KRAW_RULE_A_MAX, name->nest,
			       kraw_rule_policy, extack);
	if (err)
		return ERR_PTR(err);
	rule = kzalloc(sizeof(*rule), GFP_KERNEL_ACCOUNT);
	if (!rule)
		return ERR_PTR(-ENOMEM);
	refcount_set(&rule->refs, 1);
	rule->proto = name->proto;
	rule->hook = name->hook;
	rule->pref = name->pref;
	rule->handle = name->handle;
	rule->cpu = alloc_percpu_gfp(struct kraw_rule_cpu, GFP_KERNEL_ACCOUNT);
	if (!rule->cpu) {
		err = -ENOMEM;
		goto err_free;
	}
	for_each_possible_cpu(cpu)
		u64_stats_init(&per_cpu_ptr(rule->cpu, cpu)->syncp);
	err = parse(net, rule, tb, name->nest, extack);
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

/* Equal for rules of the same protocol with the same preference and matches. */
u32 kraw_rule_hash(const struct kraw_rule *rule)
{
	u32 hash = jhash(&rule->match, MATCH_SIZE, rule->proto);

	if (rule->insns)
		hash = jhash(rule->insns, rule->insns_len, hash);
	return jhash_1word(rule->pref, hash);
}

bool kraw_rule_same_match(const struct kraw_rule *a, const struct kraw_rule *b)
{
	return !memcmp(&a->match, &b->match, MATCH_SIZE) &&
	       a->insns_len == b->insns_len &&
	       (!a->insns_len || !memcmp(a->insns, b->insns, a->insns_len)) &&
	       !a->expr == !b->expr && (!a->expr || !strcmp(a->expr, b->expr));
}

/* Context: bottom halves off, so this CPU has no other writer. */
void kraw_rule_count(const struct kraw_rule *rule, u32 len)
{
	struct kraw_rule_cpu *cpu = this_cpu_ptr(rule->cpu);

	u64_stats_update_begin(&cpu->syncp);
	u64_stats_inc(&cpu->packets);
	u64_stats_add(&cpu->bytes, len);
	u64_stats_update_end(&cpu->syncp);
}

static int counters_fill(struct sk_buff *msg, const struct kraw_rule *rule)
{
	u64 packets = 0, bytes = 0;
	int i;

	for_each_possible_cpu(i) {
		const struct kraw_rule_cpu *cpu = per_cpu_ptr(rule->cpu, i);
		unsigned int start;
		u64 p, b;

		do {
			start = u64_stats_fetch_begin(&cpu->syncp);
			p = u64_stats_read(&cpu->packets);
			b = u64_stats_read(&cpu->bytes);
		} while (u64_stats_fetch_retry(&cpu->syncp, start));
		packets += p;
		bytes += b;
	}
	if (nla_put_u64_64bit(msg, KRAW_RULE_A_PACKETS, packets,
			      KRAW_RULE_A_PAD) ||
	    nla_put_u64_64bit(msg, KRAW_RULE_A_BYTES, bytes, KRAW_RULE_A_PAD))
		return -EMSGSIZE;
	return 0;
}

static int prefix_fill(struct sk_buff *msg, const struct kraw_match *match,
		       int attr, const __be32 *addr, u8 len)
{
	int size = match->family == KRAW_IPV4 ? sizeof(struct in_addr) :
						sizeof(struct in6_addr);

	if (nla_put(msg, attr, size, addr) || nla_put_u8(msg, attr + 1, len))
		return -EMSGSIZE;
	return 0;
}

static int match_fill(struct sk_buff *msg, const struct kraw_match *match)
{
	if (match->fields & KRAW_FIELD_SRC &&
	    prefix_fill(msg, match, KRAW_RULE_A_SRC, match->src,
			match->src_len))
		return -EMSGSIZE;
	if (match->fields & KRAW_FIELD_DST &&
	    prefix_fill(msg, match, KRAW_RULE_A_DST, match->dst,
			match->dst_len))
		return -EMSGSIZE;
	if (match->fields & KRAW_FIELD_DEV &&
	    nla_put_string(msg, KRAW_RULE_A_DEV, match->dev))
		return -EMSGSIZE;
	if (match->fields & KRAW_FIELD_TTL &&
	    (nla_put_u8(msg, KRAW_RULE_A_TTL_MIN, match->ttl_min) ||
	     nla_put_u8(msg, KRAW_RULE_A_TTL_MAX, match->ttl_max)))
		return -EMSGSIZE;
	if (match->fields & KRAW_FIELD_LEN &&
	    (nla_put_u32(msg, KRAW_RULE_A_LEN_MIN, match->len_min) ||
	     nla_put_u32(msg, KRAW_RULE_A_LEN_MAX, match->len_max)))
		return -EMSGSIZE;
	if (match->fields & KRAW_FIELD_TYPE &&
	    (nla_put_u8(msg, KRAW_RULE_A_TYPE_MIN, match->type_min) ||
	     nla_put_u8(msg, KRAW_RULE_A_TYPE_MAX, match->type_max)))
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
	    nla_put_u8(msg, KRAW_RULE_A_VERDICT, rule->verdict) ||
	    match_fill(msg, &rule->match) ||
	    (rule->insns && nla_put(msg, KRAW_RULE_A_BPF, rule->insns_len,
				    rule->insns)) ||
	    (rule->expr && nla_put_string(msg, KRAW_RULE_A_EXPR, rule->expr)) ||
	    (counters && counters_fill(msg, rule))) {
		nla_nest_cancel(msg, nest);
		return -EMSGSIZE;
	}
	nla_nest_end(msg, nest);
	return 0;
}
