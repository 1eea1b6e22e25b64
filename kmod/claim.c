// SPDX-License-Identifier: GPL-2.0
/*
 * The protocol handlers that sit in kraw's slots.
 *
 * A slot is host-wide, a claim is one namespace's: for every other namespace
 * the handler does what Linux does without one. Raw sockets had their copies
 * before; that is the kernel's doing.
 *
 * .no_policy is set because without a handler the kernel checks the policy only
 * if no raw socket matched; each branch here checks where the kernel would.
 */
#include "claim.h"

#include <linux/rcupdate.h>
#include <linux/skbuff.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include "config.h"
#include "dgram.h"
#include "net.h"
#include "proto.h"
#include "rawsock.h"
#include "record.h"
#include "slot.h"
#include "stats.h"
#include "unreach.h"
#include "uapi/linux/kraw.h"

enum outcome {
	DELIVERED,	/* the packet counts as delivered to an upper layer */
	DROPPED,	/* it does not */
};

static DEFINE_PER_CPU(struct kraw_scope *, calls);

/**
 * kraw_claim_call_begin - learn what the handler of a claim does
 * @call:	result, on the caller's stack, up to kraw_claim_call_end(), which
 *		must follow. Where it leads to a tunnel's, which may lead to the
 *		handler of another claim, that one's is told
 *
 * A handler's return value says nothing of it in IPv4. Context: bottom halves off.
 */
void kraw_claim_call_begin(struct kraw_claim_call *call)
{
	call->refused = false;
	call->nobody = false;
	kraw_scope_enter(&calls, &call->scope);
}

/* Ends what this task has begun last. */
void kraw_claim_call_end(const struct kraw_claim_call *call)
{
	kraw_scope_leave(&calls, &call->scope);
}

/* For the caller, if it wants to know: nobody has the packet, and why. */
static void note(bool nobody)
{
	struct kraw_scope *scope = kraw_scope_find(&calls);
	struct kraw_claim_call *call;

	if (!scope)
		return;
	call = container_of(scope, struct kraw_claim_call, scope);
	call->nobody = nobody;
	call->refused = !nobody;
}

/* The claim of this namespace, or NULL. */
static const struct kraw_proto *claim_find(struct net *net, u8 number,
					   enum kraw_family family)
{
	const struct kraw_config *config;
	const struct kraw_proto *proto;

	config = rcu_dereference(kraw_net_rcu(net)->config);
	proto = config->proto[number];
	return kraw_proto_slots(proto) & BIT(family) ? proto : NULL;
}

/* Its datagram sockets have it; if there is none, we have, and nobody else. */
static enum outcome consume(struct net *net, const struct kraw_proto *proto,
			    enum kraw_family family, struct sk_buff *skb)
{
	if (kraw_dgram_rcv(net, proto, family, skb) != KRAW_DGRAM_NOBODY) {
		kraw_stats_inc(proto->stats, family,
			       KRAW_STATS_A_CLAIM_HANDLED);
		return DELIVERED;
	}
	if (!kraw_unreach_policy(family, skb)) {
		note(false);
		kraw_record_dgrams(proto->number, KRAW_DGRAM_RESULT_POLICY);
		kfree_skb_reason(skb, SKB_DROP_REASON_XFRM_POLICY);
		return DROPPED;
	}
	kraw_record_dgrams(proto->number, KRAW_DGRAM_RESULT_NOBODY);
	kraw_stats_inc(proto->stats, family, KRAW_STATS_A_CLAIM_HANDLED);
	kraw_stats_inc(proto->stats, family, KRAW_STATS_A_DGRAM_NOBODY);
	if (proto->claim == KRAW_CLAIM_PORTS)
		kraw_unreach_port(proto, family, skb);
	else if (kraw_unreach_wanted(proto->unreach, true))
		kraw_unreach_answer(proto, family, skb);
	consume_skb(skb);
	return DELIVERED;
}

static inline enum outcome handle(struct net *net, u8 number,
				  enum kraw_family family, struct sk_buff *skb)
{
	const struct kraw_proto *proto = NULL;

	/*
	 * Under FOU and GUE the IP header names the tunnel's protocol, and ours
	 * is not to be known: then it is nobody's here.
	 */
	if (kraw_slot_held(number, family))
		proto = claim_find(net, number, family);
	if (proto)
		return consume(net, proto, family, skb);
	if (kraw_rawsock_match(net, family, skb, number)) {
		consume_skb(skb);
		return DELIVERED;
	}
	note(kraw_unreach_drop(NULL, family, skb, true));
	return DROPPED;
}

static int claim4_rcv(struct sk_buff *skb)
{
	struct net *net = dev_net(skb->dev);

	/* The kernel counts a delivery whenever a handler returns: undo it. */
	if (handle(net, ip_hdr(skb)->protocol, KRAW_IPV4, skb) == DROPPED)
		__IP_ADD_STATS(net, IPSTATS_MIB_INDELIVERS, -1);
	return 0;
}

static int claim6_rcv(struct sk_buff *skb)
{
	u8 number = skb_network_header(skb)[IP6CB(skb)->nhoff];

	/* Below zero nothing is counted; above, the packet would go round. */
	if (handle(dev_net(skb->dev), number, KRAW_IPV6, skb) == DROPPED)
		return -1;
	return 0;
}

/* ICMP errors about what datagram sockets sent. Context: RCU. */
static int claim4_err(struct sk_buff *skb, u32 info)
{
	const struct iphdr *iph = (const struct iphdr *)skb->data;
	const struct kraw_proto *proto;

	proto = claim_find(dev_net(skb->dev), iph->protocol, KRAW_IPV4);
	if (proto)
		kraw_dgram4_error(proto, skb, info);
	return 0;
}

static int claim6_err(struct sk_buff *skb, struct inet6_skb_parm *opt, u8 type,
		      u8 code, int offset, __be32 info)
{
	u8 number = ((const struct ipv6hdr *)skb->data)->nexthdr;
	const struct kraw_proto *proto;
	__be16 frag_off;

	/* The kernel has come to the offset in this way, but tells no number. */
	if (ipv6_ext_hdr(number))
		ipv6_skip_exthdr(skb, sizeof(struct ipv6hdr), &number,
				 &frag_off);
	proto = claim_find(dev_net(skb->dev), number, KRAW_IPV6);
	if (proto)
		kraw_dgram6_error(proto, skb, type, code, offset, info);
	return 0;
}

const struct net_protocol kraw_claim4 = {
	.handler	= claim4_rcv,
	.err_handler	= claim4_err,
	.no_policy	= 1,
};

const struct inet6_protocol kraw_claim6 = {
	.handler	= claim6_rcv,
	.err_handler	= claim6_err,
	.flags		= INET6_PROTO_NOPOLICY | INET6_PROTO_FINAL,
};
