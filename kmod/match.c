// SPDX-License-Identifier: GPL-2.0
/* A match: from the attributes of a rule and back. */
#include "match.h"

#include <linux/filter.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/netlink.h>
#include <linux/string.h>
#include <net/ipv6.h>
#include <net/netlink.h>
#include "classifier.h"
#include "memory.h"
#include "net.h"
#include "uapi/linux/kraw.h"

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

/**
 * kraw_match_dev - read the name of a device that must exist
 * @net:	namespace, to look it up in
 * @name:	result, IFNAMSIZ bytes, padded with zeroes
 * @nla:	the attribute
 * @extack:	gets the reason of a refusal
 *
 * Returns 0 or -ENODEV.
 */
int kraw_match_dev(struct net *net, char *name, const struct nlattr *nla,
		   struct netlink_ext_ack *extack)
{
	struct net_device *dev;

	rcu_read_lock();
	/* It may be an alternative name: keep the one that packets show. */
	dev = dev_get_by_name_rcu(net, nla_data(nla));
	if (dev)
		strscpy_pad(name, dev->name, IFNAMSIZ);
	rcu_read_unlock();
	if (dev)
		return 0;
	NL_SET_ERR_MSG_ATTR(extack, nla,
			    "no such device in this network namespace");
	return -ENODEV;
}

/* Takes over a range that was read, if it is one. */
static int range_take(struct kraw_match *match, u16 field, bool backwards,
		      const struct nlattr *min, struct netlink_ext_ack *extack)
{
	if (backwards) {
		NL_SET_ERR_MSG_ATTR(extack, min, "the range is backwards");
		return -EINVAL;
	}
	match->fields |= field;
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
	return range_take(match, field, *min > *max, tb[attr], extack);
}

static int word_range_parse(struct kraw_match *match, struct nlattr **tb,
			    int attr, u32 *min, u32 *max, u16 field,
			    struct netlink_ext_ack *extack)
{
	if (!tb[attr] && !tb[attr + 1])
		return 0;
	*min = tb[attr] ? nla_get_u32(tb[attr]) : 0;
	*max = tb[attr + 1] ? nla_get_u32(tb[attr + 1]) : U32_MAX;
	return range_take(match, field, *min > *max, tb[attr], extack);
}

static int mark_parse(struct kraw_match *match, struct nlattr **tb,
		      struct netlink_ext_ack *extack)
{
	const struct nlattr *mark = tb[KRAW_RULE_A_MARK];
	const struct nlattr *mask = tb[KRAW_RULE_A_MARK_MASK];

	if (!mark) {
		if (!mask)
			return 0;
		NL_SET_ERR_MSG_ATTR(extack, mask, "a mask needs a mark");
		return -EINVAL;
	}
	match->mark = nla_get_u32(mark);
	match->mark_mask = mask ? nla_get_u32(mask) : U32_MAX;
	if (!match->mark_mask) {
		NL_SET_ERR_MSG_ATTR(extack, mask,
				    "a mask of no bits looks at nothing: leave the mark out");
		return -EINVAL;
	}
	if (match->mark & ~match->mark_mask) {
		NL_SET_ERR_MSG_ATTR(extack, mark,
				    "the mark has bits outside of its mask");
		return -EINVAL;
	}
	match->fields |= KRAW_FIELD_MARK;
	return 0;
}

static void flag_parse(struct kraw_match *match, const struct nlattr *nla,
		       u16 field)
{
	if (nla)
		match->fields |= field;
}

/* Only a sender has these. */
static int sender_parse(struct kraw_match *match, u8 hook, struct nlattr **tb,
			struct netlink_ext_ack *extack)
{
	static const u8 attrs[] = {
		KRAW_RULE_A_UID_MIN, KRAW_RULE_A_UID_MAX, KRAW_RULE_A_HDRINCL,
		KRAW_RULE_A_SPOOFED,
	};
	int i;

	for (i = 0; hook != KRAW_HOOK_OUTPUT && i < ARRAY_SIZE(attrs); i++) {
		if (!tb[attrs[i]])
			continue;
		NL_SET_ERR_MSG_ATTR(extack, tb[attrs[i]],
				    "uid, hdrincl and spoofed are for the output hook: packets that come in have no sender here");
		return -EINVAL;
	}
	flag_parse(match, tb[KRAW_RULE_A_HDRINCL], KRAW_FIELD_HDRINCL);
	flag_parse(match, tb[KRAW_RULE_A_SPOOFED], KRAW_FIELD_SPOOFED);
	return word_range_parse(match, tb, KRAW_RULE_A_UID_MIN, &match->uid_min,
				&match->uid_max, KRAW_FIELD_UID, extack);
}

static int addresses_parse(struct kraw_match *match, struct nlattr **tb,
			   struct netlink_ext_ack *extack)
{
	int err;

	err = prefix_parse(match, tb, KRAW_RULE_A_SRC, match->src,
			   &match->src_len, KRAW_FIELD_SRC, extack);
	return err ?: prefix_parse(match, tb, KRAW_RULE_A_DST, match->dst,
				   &match->dst_len, KRAW_FIELD_DST, extack);
}

static int ranges_parse(struct kraw_match *match, struct nlattr **tb,
			struct netlink_ext_ack *extack)
{
	int err;

	err = byte_range_parse(match, tb, KRAW_RULE_A_TTL_MIN, &match->ttl_min,
			       &match->ttl_max, KRAW_FIELD_TTL, extack);
	if (err)
		return err;
	err = byte_range_parse(match, tb, KRAW_RULE_A_TYPE_MIN,
			       &match->type_min, &match->type_max,
			       KRAW_FIELD_TYPE, extack);
	if (err)
		return err;
	return word_range_parse(match, tb, KRAW_RULE_A_LEN_MIN, &match->len_min,
				&match->len_max, KRAW_FIELD_LEN, extack);
}

/**
 * kraw_match_parse - read the matches of a rule, but for its BPF program
 * @net:	namespace, to look devices up in
 * @match:	result; zero before
 * @hook:	enum kraw_hook: some are for one hook only
 * @tb:		the rule's attributes, which passed its policy
 * @extack:	gets the reason of a refusal
 *
 * Returns 0, -EINVAL or -ENODEV.
 */
int kraw_match_parse(struct net *net, struct kraw_match *match, u8 hook,
		     struct nlattr **tb, struct netlink_ext_ack *extack)
{
	int err;

	err = addresses_parse(match, tb, extack);
	if (err)
		return err;
	if (tb[KRAW_RULE_A_DEV]) {
		err = kraw_match_dev(net, match->dev, tb[KRAW_RULE_A_DEV],
				     extack);
		if (err)
			return err;
		match->fields |= KRAW_FIELD_DEV;
	}
	if (tb[KRAW_RULE_A_DSCP]) {
		match->dscp = nla_get_u8(tb[KRAW_RULE_A_DSCP]);
		match->fields |= KRAW_FIELD_DSCP;
	}
	flag_parse(match, tb[KRAW_RULE_A_FRAGMENT], KRAW_FIELD_FRAGMENT);
	err = ranges_parse(match, tb, extack);
	if (err)
		return err;
	err = mark_parse(match, tb, extack);
	return err ?: sender_parse(match, hook, tb, extack);
}

/* Why there is no program. ENOTSUPP is the kernel's own, users do not know it. */
static int bpf_refused(int err, const struct nlattr *nla,
		       struct netlink_ext_ack *extack)
{
	if (err == -ENOTSUPP) {
		NL_SET_ERR_MSG_ATTR(extack, nla,
				    "the kernel cannot compile this BPF program: no memory, or as much as net.core.bpf_jit_limit allows is in use");
		return -ENOMEM;
	}
	if (err != -ENOMEM)
		NL_SET_ERR_MSG_ATTR(extack, nla,
				    "the kernel refuses this BPF program");
	return err;
}

/*
 * Whether the memory cgroup has about as much as a program takes, while it is made
 * an eBPF one of up to four times the instructions. The kernel would not refuse
 * to make it but have somebody killed, see memory.h.
 */
static bool bpf_room(unsigned int len)
{
	void *room = kvmalloc(array_size(len, 5 * sizeof(struct bpf_insn)) +
			      3 * PAGE_SIZE, KRAW_GFP);

	kvfree(room);
	return room;
}

/**
 * kraw_match_parse_bpf - read the BPF program of a match
 * @match:	result; unused before
 * @nla:	array of struct sock_filter
 * @extack:	gets the reason of a refusal
 *
 * Returns 0, -EINVAL or -ENOMEM. The program is destroyed after a grace period.
 */
int kraw_match_parse_bpf(struct kraw_match *match, const struct nlattr *nla,
			 struct netlink_ext_ack *extack)
{
	struct sock_fprog_kern fprog = {
		.filter = nla_data(nla),
		.len = nla_len(nla) / sizeof(struct sock_filter),
	};
	int err;

	if (!nla_len(nla) || nla_len(nla) % sizeof(struct sock_filter)) {
		NL_SET_ERR_MSG_ATTR(extack, nla,
				    "the program is not a number of BPF instructions");
		return -EINVAL;
	}
	if (!bpf_room(fprog.len))
		return -ENOMEM;
	err = bpf_prog_create(&match->prog, &fprog);
	if (err) {
		match->prog = NULL;
		return bpf_refused(err, nla, extack);
	}
	match->fields |= KRAW_FIELD_BPF;
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

static int byte_range_fill(struct sk_buff *msg, int attr, u8 min, u8 max)
{
	if (nla_put_u8(msg, attr, min) || nla_put_u8(msg, attr + 1, max))
		return -EMSGSIZE;
	return 0;
}

static int word_range_fill(struct sk_buff *msg, int attr, u32 min, u32 max)
{
	if (nla_put_u32(msg, attr, min) || nla_put_u32(msg, attr + 1, max))
		return -EMSGSIZE;
	return 0;
}

static int flag_fill(struct sk_buff *msg, int attr, bool set)
{
	return set ? nla_put_flag(msg, attr) : 0;
}

/* The fields that most matches do not have. */
static int rare_fill(struct sk_buff *msg, const struct kraw_match *match)
{
	u16 fields = match->fields;

	if (fields & KRAW_FIELD_DSCP &&
	    nla_put_u8(msg, KRAW_RULE_A_DSCP, match->dscp))
		return -EMSGSIZE;
	if (fields & KRAW_FIELD_MARK &&
	    (nla_put_u32(msg, KRAW_RULE_A_MARK, match->mark) ||
	     nla_put_u32(msg, KRAW_RULE_A_MARK_MASK, match->mark_mask)))
		return -EMSGSIZE;
	if (fields & KRAW_FIELD_UID &&
	    word_range_fill(msg, KRAW_RULE_A_UID_MIN, match->uid_min,
			    match->uid_max))
		return -EMSGSIZE;
	if (flag_fill(msg, KRAW_RULE_A_FRAGMENT, fields & KRAW_FIELD_FRAGMENT) ||
	    flag_fill(msg, KRAW_RULE_A_HDRINCL, fields & KRAW_FIELD_HDRINCL) ||
	    flag_fill(msg, KRAW_RULE_A_SPOOFED, fields & KRAW_FIELD_SPOOFED))
		return -EMSGSIZE;
	return 0;
}

/**
 * kraw_match_fill - describe a match, but for its BPF program
 * @msg:	in the nest of its rule
 * @match:	...
 *
 * Returns 0 or -EMSGSIZE; the caller cancels the nest.
 */
int kraw_match_fill(struct sk_buff *msg, const struct kraw_match *match)
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
	    byte_range_fill(msg, KRAW_RULE_A_TTL_MIN, match->ttl_min,
			    match->ttl_max))
		return -EMSGSIZE;
	if (match->fields & KRAW_FIELD_LEN &&
	    word_range_fill(msg, KRAW_RULE_A_LEN_MIN, match->len_min,
			    match->len_max))
		return -EMSGSIZE;
	if (match->fields & KRAW_FIELD_TYPE &&
	    byte_range_fill(msg, KRAW_RULE_A_TYPE_MIN, match->type_min,
			    match->type_max))
		return -EMSGSIZE;
	return rare_fill(msg, match);
}
