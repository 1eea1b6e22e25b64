// SPDX-License-Identifier: GPL-2.0
/*
 * The steps of an explanation, as attributes: the packet, the shapes, the rule
 * if one decides, the verdict, the sockets, the handler, a claim's datagram
 * sockets, the outcome.
 */
#include "explain.h"

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <net/netlink.h>
#include "rule.h"
#include "uapi/linux/kraw.h"

/* The kind of a step, and its index among those of the kind. */
static enum kraw_step_kind kind_of(const struct kraw_explain *explain,
				   u32 step, u32 *index)
{
	const struct {
		enum kraw_step_kind kind;
		u32 count;
	} parts[] = {
		{ KRAW_STEP_KIND_PACKET, 1 },
		{ KRAW_STEP_KIND_SHAPE, explain->shapes_count },
		{ KRAW_STEP_KIND_RULE, !!explain->rule },
		{ KRAW_STEP_KIND_VERDICT, 1 },
		{ KRAW_STEP_KIND_SOCKET, explain->sockets_count },
		{ KRAW_STEP_KIND_HANDLER, 1 },
		{ KRAW_STEP_KIND_DGRAM, explain->dgrams_count },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		if (step < parts[i].count) {
			*index = step;
			return parts[i].kind;
		}
		step -= parts[i].count;
	}
	*index = step;
	return KRAW_STEP_KIND_OUTCOME;
}

/* Number of an explanation's steps, and of its messages. */
u32 kraw_explain_steps(const struct kraw_explain *explain)
{
	return 4 + explain->shapes_count + explain->sockets_count +
	       explain->dgrams_count + !!explain->rule;
}

static u32 shape_fields(u16 fields)
{
	static const struct {
		u16 ours;
		u32 theirs;
	} names[] = {
		{ KRAW_FIELD_SRC, KRAW_SHAPE_SRC },
		{ KRAW_FIELD_DST, KRAW_SHAPE_DST },
		{ KRAW_FIELD_DEV, KRAW_SHAPE_DEV },
		{ KRAW_FIELD_TTL, KRAW_SHAPE_TTL },
		{ KRAW_FIELD_TYPE, KRAW_SHAPE_TYPE },
		{ KRAW_FIELD_DSCP, KRAW_SHAPE_DSCP },
		{ KRAW_FIELD_MARK, KRAW_SHAPE_MARK },
		{ KRAW_FIELD_FRAGMENT, KRAW_SHAPE_FRAGMENT },
	};
	u32 result = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (fields & names[i].ours)
			result |= names[i].theirs;
	return result;
}

static int shape_fill(struct sk_buff *msg,
		      const struct kraw_explain_shape *about)
{
	const struct kraw_classifier_shape *shape = &about->shape;
	u8 result = KRAW_SHAPE_RESULT_MISS;

	if (!shape->possible)
		result = KRAW_SHAPE_RESULT_OTHER;
	else if (about->limited)
		result = KRAW_SHAPE_RESULT_LIMITED;
	else if (shape->found != KRAW_CLASSIFIER_NONE)
		result = KRAW_SHAPE_RESULT_HIT;
	if (nla_put_u32(msg, KRAW_STEP_A_FIELDS, shape_fields(shape->fields)) ||
	    nla_put_u32(msg, KRAW_STEP_A_PREF, about->pref) ||
	    nla_put_u32(msg, KRAW_STEP_A_RULES, shape->count) ||
	    nla_put_u8(msg, KRAW_STEP_A_SHAPE_RESULT, result))
		return -EMSGSIZE;
	if (shape->fields & (KRAW_FIELD_SRC | KRAW_FIELD_DST) &&
	    nla_put_u8(msg, KRAW_STEP_A_FAMILY, BIT(shape->family)))
		return -EMSGSIZE;
	if (shape->fields & KRAW_FIELD_SRC &&
	    nla_put_u8(msg, KRAW_STEP_A_SRC_PREFIX, shape->src_len))
		return -EMSGSIZE;
	if (shape->fields & KRAW_FIELD_DST &&
	    nla_put_u8(msg, KRAW_STEP_A_DST_PREFIX, shape->dst_len))
		return -EMSGSIZE;
	if (shape->fields & KRAW_FIELD_MARK &&
	    nla_put_u32(msg, KRAW_STEP_A_MARK_MASK, shape->mark_mask))
		return -EMSGSIZE;
	return 0;
}

static int verdict_fill(struct sk_buff *msg, const struct kraw_explain *explain)
{
	if (nla_put_u8(msg, KRAW_STEP_A_DECIDER, explain->decider) ||
	    nla_put_u8(msg, KRAW_STEP_A_VERDICT, explain->decision.verdict) ||
	    nla_put_u8(msg, KRAW_STEP_A_UNREACH, explain->unreach))
		return -EMSGSIZE;
	return 0;
}

static int address_fill(struct sk_buff *msg, int attr, enum kraw_family family,
			const struct in6_addr *addr)
{
	static const struct in6_addr any;
	int size = family == KRAW_IPV4 ? sizeof(struct in_addr) : sizeof(*addr);

	return memcmp(addr, &any, size) ? nla_put(msg, attr, size, addr) : 0;
}

static int device_fill(struct sk_buff *msg, struct net *net, int ifindex)
{
	const struct net_device *dev;
	int err;

	if (nla_put_u32(msg, KRAW_STEP_A_IFINDEX, ifindex))
		return -EMSGSIZE;
	rcu_read_lock();
	dev = dev_get_by_index_rcu(net, ifindex);
	err = dev ? nla_put_string(msg, KRAW_STEP_A_DEV, dev->name) : 0;
	rcu_read_unlock();
	return err;
}

static int socket_fill(struct sk_buff *msg, const struct kraw_explain *explain,
		       const struct kraw_rawsock *socket)
{
	enum kraw_family family = explain->sample.family;

	if (nla_put_u32(msg, KRAW_STEP_A_INODE, socket->inode) ||
	    address_fill(msg, KRAW_STEP_A_LOCAL, family, &socket->local) ||
	    address_fill(msg, KRAW_STEP_A_PEER, family, &socket->peer) ||
	    (socket->ifindex &&
	     device_fill(msg, sock_net(msg->sk), socket->ifindex)) ||
	    (socket->lport &&
	     nla_put_u16(msg, KRAW_STEP_A_LOCAL_PORT, socket->lport)) ||
	    (socket->pport &&
	     nla_put_u16(msg, KRAW_STEP_A_PEER_PORT, socket->pport)) ||
	    (socket->matched && nla_put_flag(msg, KRAW_STEP_A_MATCHED)) ||
	    (socket->chosen && nla_put_flag(msg, KRAW_STEP_A_CHOSEN)) ||
	    nla_put_u8(msg, KRAW_STEP_A_SOCKET_RESULT, socket->result))
		return -EMSGSIZE;
	return 0;
}

static int receives_fill(struct sk_buff *msg, const struct kraw_explain *explain)
{
	return explain->receives ? nla_put_flag(msg, KRAW_STEP_A_RECEIVES) : 0;
}

static int icmp_fill(struct sk_buff *msg, const struct kraw_explain *explain)
{
	if (nla_put_u8(msg, KRAW_STEP_A_ICMP_RESULT, explain->icmp))
		return -EMSGSIZE;
	if (explain->icmp != KRAW_ICMP_RESULT_SENT)
		return 0;
	if (explain->sample.family == KRAW_IPV4)
		return nla_put_u8(msg, KRAW_STEP_A_ICMP_TYPE,
				  ICMP_DEST_UNREACH) ||
		       nla_put_u8(msg, KRAW_STEP_A_ICMP_CODE,
				  explain->ports ? ICMP_PORT_UNREACH :
						   ICMP_PROT_UNREACH) ?
		       -EMSGSIZE : 0;
	if (explain->ports)
		return nla_put_u8(msg, KRAW_STEP_A_ICMP_TYPE,
				  ICMPV6_DEST_UNREACH) ||
		       nla_put_u8(msg, KRAW_STEP_A_ICMP_CODE,
				  ICMPV6_PORT_UNREACH) ? -EMSGSIZE : 0;
	return nla_put_u8(msg, KRAW_STEP_A_ICMP_TYPE, ICMPV6_PARAMPROB) ||
	       nla_put_u8(msg, KRAW_STEP_A_ICMP_CODE, ICMPV6_UNK_NEXTHDR) ||
	       nla_put_u32(msg, KRAW_STEP_A_ICMP_POINTER,
			   offsetof(struct ipv6hdr, nexthdr)) ? -EMSGSIZE : 0;
}

static int dgrams_fill(struct sk_buff *msg, const struct kraw_explain *explain)
{
	if (!explain->dgram)
		return 0;
	return nla_put_u8(msg, KRAW_STEP_A_DGRAM_RESULT,
			  explain->dgram_result) ||
	       nla_put_u32(msg, KRAW_STEP_A_DGRAMS, explain->dgrams_got) ?
	       -EMSGSIZE : 0;
}

static int outcome_fill(struct sk_buff *msg, const struct kraw_explain *explain)
{
	if (nla_put_u32(msg, KRAW_STEP_A_MATCHING, explain->matching) ||
	    nla_put_u32(msg, KRAW_STEP_A_COPIES, explain->copies) ||
	    receives_fill(msg, explain) || dgrams_fill(msg, explain) ||
	    (explain->policy && nla_put_flag(msg, KRAW_STEP_A_POLICY)))
		return -EMSGSIZE;
	return icmp_fill(msg, explain);
}

/* What belongs into the nest of a step. */
static int attrs_fill(struct sk_buff *msg, const struct kraw_explain *explain,
		      enum kraw_step_kind kind, u32 index)
{
	switch (kind) {
	case KRAW_STEP_KIND_SHAPE:
		return shape_fill(msg, &explain->shapes[index]);
	case KRAW_STEP_KIND_VERDICT:
		return verdict_fill(msg, explain);
	case KRAW_STEP_KIND_SOCKET:
		return socket_fill(msg, explain, &explain->sockets[index]);
	case KRAW_STEP_KIND_HANDLER:
		return receives_fill(msg, explain);
	case KRAW_STEP_KIND_DGRAM:
		return socket_fill(msg, explain, &explain->dgrams[index]);
	case KRAW_STEP_KIND_OUTCOME:
		return outcome_fill(msg, explain);
	default:
		return 0;
	}
}

/* What a step has beside its nest. */
static int nests_fill(struct sk_buff *msg, const struct kraw_explain *explain,
		      enum kraw_step_kind kind)
{
	const struct kraw_sample *sample = &explain->sample;

	switch (kind) {
	case KRAW_STEP_KIND_PACKET:
		return kraw_sample_fill(msg, sample);
	case KRAW_STEP_KIND_RULE:
		return kraw_rule_fill(msg, explain->rule, false);
	case KRAW_STEP_KIND_HANDLER:
		return explain->has_handler ?
		       kraw_slot_fill(msg, sample->proto, sample->family,
				      &explain->handler) : 0;
	default:
		return 0;
	}
}

/**
 * kraw_explain_fill - describe a step in a message
 * @msg:	gets KRAW_A_STEP and what belongs to it
 * @explain:	...
 * @step:	from 0 on, below kraw_explain_steps()
 *
 * Returns 0 or -EMSGSIZE; the caller cancels the message.
 */
int kraw_explain_fill(struct sk_buff *msg, const struct kraw_explain *explain,
		      u32 step)
{
	struct nlattr *nest = nla_nest_start(msg, KRAW_A_STEP);
	enum kraw_step_kind kind;
	u32 index;

	kind = kind_of(explain, step, &index);
	if (!nest || nla_put_u8(msg, KRAW_STEP_A_KIND, kind) ||
	    attrs_fill(msg, explain, kind, index))
		return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return nests_fill(msg, explain, kind);
}
