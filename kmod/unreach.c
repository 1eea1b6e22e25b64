// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel does with a packet that nobody receives: the branches
 * without a handler in ip_protocol_deliver_rcu() (net/ipv4/ip_input.c) and
 * ip6_protocol_deliver_rcu() (net/ipv6/ip6_input.c), which modules cannot call.
 *
 * Context of everything here: RCU read side, bottom halves off.
 */
#include "unreach.h"

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/skbuff.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/ip6_route.h>
#include <net/xfrm.h>
#include "proto.h"
#include "stats.h"

/* Whether IPsec policy lets the host take this packet. */
bool kraw_unreach_policy(enum kraw_family family, struct sk_buff *skb)
{
	return family == KRAW_IPV4 ?
	       xfrm4_policy_check(NULL, XFRM_POLICY_IN, skb) :
	       xfrm6_policy_check(NULL, XFRM_POLICY_IN, skb);
}

/**
 * kraw_unreach_answer - tell the sender that nobody receives this protocol
 * @proto:	counts it; NULL: not managed
 * @family:	of the packet
 * @skb:	stays the caller's
 *
 * The kernel's own sender decides: it is silent for broadcasts, multicasts and
 * ICMP errors, and limits the rate. In IPv6 the pointer is that of the next
 * header field (RFC 4443, section 3.4).
 */
void kraw_unreach_answer(const struct kraw_proto *proto,
			 enum kraw_family family, struct sk_buff *skb)
{
	if (proto)
		kraw_stats_inc(proto->stats, family, KRAW_STATS_A_UNREACH);
	if (family == KRAW_IPV4)
		icmp_send(skb, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, 0);
	else
		icmpv6_send(skb, ICMPV6_PARAMPROB, ICMPV6_UNK_NEXTHDR,
			    IP6CB(skb)->nhoff);
}

static void count_unknown(enum kraw_family family, struct sk_buff *skb)
{
	struct net *net = dev_net(skb->dev);

	if (family == KRAW_IPV4)
		__IP_INC_STATS(net, IPSTATS_MIB_INUNKNOWNPROTOS);
	else
		__IP6_INC_STATS(net, ip6_dst_idev(skb_dst(skb)),
				IPSTATS_MIB_INUNKNOWNPROTOS);
}

/**
 * kraw_unreach_drop - end a packet that nobody receives
 * @proto:	counts it; NULL: not managed
 * @family:	of the packet
 * @skb:	is consumed
 * @answer:	tell the sender
 */
void kraw_unreach_drop(const struct kraw_proto *proto,
		       enum kraw_family family, struct sk_buff *skb,
		       bool answer)
{
	if (!kraw_unreach_policy(family, skb)) {
		kfree_skb_reason(skb, family == KRAW_IPV4 ?
				 SKB_DROP_REASON_IP_NOPROTO :
				 SKB_DROP_REASON_XFRM_POLICY);
		return;
	}
	count_unknown(family, skb);
	if (answer)
		kraw_unreach_answer(proto, family, skb);
	else if (proto)
		kraw_stats_inc(proto->stats, family, KRAW_STATS_A_UNREACH_NEVER);
	kfree_skb_reason(skb, SKB_DROP_REASON_IP_NOPROTO);
}
