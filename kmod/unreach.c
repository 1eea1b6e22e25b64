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
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/route.h>
#include <net/xfrm.h>
#include "compat.h"
#include "proto.h"
#include "record.h"
#include "stats.h"

/* Whether IPsec policy lets the host take this packet. */
bool kraw_unreach_policy(enum kraw_family family, struct sk_buff *skb)
{
	return family == KRAW_IPV4 ?
	       xfrm4_policy_check(NULL, XFRM_POLICY_IN, skb) :
	       xfrm6_policy_check(NULL, XFRM_POLICY_IN, skb);
}

/* Looks at the kernel's counters of ICMP errors. */
void kraw_unreach_look(struct net *net, enum kraw_family family,
		       struct kraw_icmp_seen *seen)
{
	seen->sent = family == KRAW_IPV4 ?
		     this_cpu_read(net->mib.icmp_statistics->mibs[ICMP_MIB_OUTMSGS]) :
		     this_cpu_read(net->mib.icmpv6_statistics->mibs[ICMP6_MIB_OUTMSGS]);
	seen->limited = kraw_icmp_limited(net);
}

/**
 * kraw_unreach_count - count what has become of an ICMP error
 * @net:	the namespace
 * @proto:	counts it
 * @family:	of the packet that it is about
 * @before:	a look from before the kernel was asked for it
 */
void kraw_unreach_count(struct net *net, const struct kraw_proto *proto,
			enum kraw_family family,
			const struct kraw_icmp_seen *before)
{
	struct kraw_icmp_seen now;

	kraw_unreach_look(net, family, &now);
	kraw_stats_inc(proto->stats, family, KRAW_STATS_A_UNREACH);
	kraw_stats_inc(proto->stats, family,
		       now.sent != before->sent ? KRAW_STATS_A_UNREACH_SENT :
		       now.limited != before->limited ?
		       KRAW_STATS_A_UNREACH_LIMITED :
		       KRAW_ICMP_LIMITED_KNOWN ? KRAW_STATS_A_UNREACH_SILENT :
		       KRAW_STATS_A_UNREACH_UNKNOWN);
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
	struct net *net = dev_net(skb->dev);
	struct kraw_icmp_seen before;

	kraw_record_icmp(family, skb, KRAW_ICMP_RESULT_SENT, false);
	kraw_unreach_look(net, family, &before);
	if (family == KRAW_IPV4)
		icmp_send(skb, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, 0);
	else
		icmpv6_send(skb, ICMPV6_PARAMPROB, ICMPV6_UNK_NEXTHDR,
			    IP6CB(skb)->nhoff);
	if (proto)
		kraw_unreach_count(net, proto, family, &before);
}

/**
 * kraw_unreach_port - tell the sender that nobody has this port
 * @proto:	claimed with ports
 * @family:	of the packet
 * @skb:	stays the caller's
 *
 * RFC 1122, section 4.1.3.1, and RFC 4443, section 3.1; "unreach never" is heeded.
 */
void kraw_unreach_port(const struct kraw_proto *proto,
		       enum kraw_family family, struct sk_buff *skb)
{
	struct net *net = dev_net(skb->dev);
	struct kraw_icmp_seen before;

	if (proto->unreach == KRAW_UNREACH_NEVER) {
		kraw_record_icmp(family, skb, KRAW_ICMP_RESULT_NEVER, true);
		kraw_stats_inc(proto->stats, family, KRAW_STATS_A_UNREACH_NEVER);
		return;
	}
	kraw_record_icmp(family, skb, KRAW_ICMP_RESULT_SENT, true);
	kraw_unreach_look(net, family, &before);
	if (family == KRAW_IPV4)
		icmp_send(skb, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0);
	else
		icmpv6_send(skb, ICMPV6_DEST_UNREACH, ICMPV6_PORT_UNREACH, 0);
	kraw_unreach_count(net, proto, family, &before);
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
 *
 * Returns whether IPsec policy would have let somebody receive it.
 */
bool kraw_unreach_drop(const struct kraw_proto *proto,
		       enum kraw_family family, struct sk_buff *skb,
		       bool answer)
{
	if (!kraw_unreach_policy(family, skb)) {
		kfree_skb_reason(skb, family == KRAW_IPV4 ?
				 SKB_DROP_REASON_IP_NOPROTO :
				 SKB_DROP_REASON_XFRM_POLICY);
		return false;
	}
	count_unknown(family, skb);
	if (answer)
		kraw_unreach_answer(proto, family, skb);
	else
		kraw_record_icmp(family, skb, KRAW_ICMP_RESULT_NEVER, false);
	if (!answer && proto)
		kraw_stats_inc(proto->stats, family, KRAW_STATS_A_UNREACH_NEVER);
	kfree_skb_reason(skb, SKB_DROP_REASON_IP_NOPROTO);
	return true;
}

/* An ICMP message that is no error; nobody answers an error with another. */
static bool icmp_asks(const struct sk_buff *skb)
{
	const u8 *type;
	u8 buf;

	type = skb_header_pointer(skb, skb_transport_offset(skb), sizeof(buf),
				  &buf);
	if (!type)
		return false;
	switch (*type) {
	case ICMP_ECHOREPLY:
	case ICMP_ECHO:
	case ICMP_TIMESTAMP ... NR_ICMP_TYPES:
		return true;
	default:
		return false;
	}
}

static bool icmp6_asks(const struct sk_buff *skb)
{
	const u8 *type;
	u8 buf;

	type = skb_header_pointer(skb, skb_transport_offset(skb), sizeof(buf),
				  &buf);
	return type && *type & ICMPV6_INFOMSG_MASK;
}

/**
 * kraw_unreach_silent - whether the kernel's sender will not answer a packet
 * @family:	of the packet
 * @skb:	routed, the transport header set
 *
 * What icmp_send() and icmp6_send() look at in the packet itself. They may be
 * silent for other reasons too: no way back, no memory, the rate limit.
 */
bool kraw_unreach_silent(enum kraw_family family, const struct sk_buff *skb)
{
	const struct ipv6hdr *hdr = ipv6_hdr(skb);

	if (skb->pkt_type != PACKET_HOST)
		return true;
	if (family == KRAW_IPV4)
		return skb_rtable(skb)->rt_flags &
		       (RTCF_BROADCAST | RTCF_MULTICAST) ||
		       (ip_hdr(skb)->protocol == IPPROTO_ICMP &&
			!icmp_asks(skb));
	return ipv6_addr_is_multicast(&hdr->daddr) ||
	       ipv6_addr_any(&hdr->saddr) ||
	       ipv6_addr_is_multicast(&hdr->saddr) ||
	       (hdr->nexthdr == NEXTHDR_ICMP && !icmp6_asks(skb));
}
