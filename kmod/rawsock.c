// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's raw sockets: which ones match a packet, and their copies.
 *
 * The kernel's own walk (net/ipv4/raw.c, net/ipv6/raw.c) cannot be called from
 * a module, its tables and its match can. What stands here between the match
 * and the socket's queue follows it step by step, so that bound address, peer,
 * device and VRF, filters, membership, policy and receive buffer keep their
 * effect. No other file includes <net/raw.h>.
 *
 * Context of everything here: RCU read side, bottom halves off. The tables are
 * walked under RCU; a socket is freed only after a grace period.
 */
#include "rawsock.h"

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/igmp.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>
#include <net/raw.h>
#include <net/rawv6.h>
#include <net/sock.h>
#include <net/xfrm.h>
#include "compat.h"
#include "one.h"

static struct hlist_head *bucket(struct net *net, enum kraw_family family,
				 u8 protocol)
{
	u32 hash = raw_hashfunc(net, protocol);

	return family == KRAW_IPV4 ? &raw_v4_hashinfo.ht[hash] :
				     &raw_v6_hashinfo.ht[hash];
}

/* The kernel's match: number, addresses, device; IPv6: membership as well. */
static bool match(struct net *net, enum kraw_family family, struct sock *sk,
		  struct sk_buff *skb, u8 protocol)
{
	if (family == KRAW_IPV4)
		return raw_v4_match(net, sk, protocol, ip_hdr(skb)->saddr,
				    ip_hdr(skb)->daddr, inet_iif(skb),
				    inet_sdif(skb));
	return raw_v6_match(net, sk, protocol, &ipv6_hdr(skb)->daddr,
			    &ipv6_hdr(skb)->saddr, inet6_iif(skb),
			    inet6_sdif(skb));
}

static bool icmp_allows(const struct sock *sk, const struct sk_buff *skb)
{
	struct icmphdr buf;
	const struct icmphdr *hdr;

	hdr = skb_header_pointer(skb, skb_transport_offset(skb), sizeof(buf),
				 &buf);
	if (!hdr)
		return false;
	/* The filter has a bit for the first 32 types only. */
	return hdr->type >= 32 || !(raw_sk(sk)->filter.data & BIT(hdr->type));
}

static bool icmp6_allows(const struct sock *sk, const struct sk_buff *skb)
{
	u8 buf[4];	/* the header without its body */
	const u8 *type;

	type = skb_header_pointer(skb, skb_transport_offset(skb), sizeof(buf),
				  buf);
	return type && !(raw6_sk(sk)->filter.data[*type / 32] & BIT(*type % 32));
}

static bool source_listed(const struct ip_sf_socklist *list, __be32 source)
{
	unsigned int i;

	for (i = 0; i < list->sl_count; i++)
		if (list->sl_addr[i] == source)
			return true;
	return false;
}

/* IPv4 membership: the group and, with source filters, the source. */
static bool member(const struct sock *sk, const struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);
	const struct ip_sf_socklist *list;
	const struct ip_mc_socklist *mc;
	int sdif = inet_sdif(skb);

	if (!ipv4_is_multicast(iph->daddr))
		return true;
	for (mc = rcu_dereference(inet_sk(sk)->mc_list); mc;
	     mc = rcu_dereference(mc->next_rcu))
		if (mc->multi.imr_multiaddr.s_addr == iph->daddr &&
		    (mc->multi.imr_ifindex == skb->dev->ifindex ||
		     (sdif && mc->multi.imr_ifindex == sdif)))
			break;
	if (!mc)
		return kraw_sk_mc_all(sk);
	list = rcu_dereference(mc->sflist);
	if (list && source_listed(list, iph->saddr))
		return mc->sfmode == MCAST_INCLUDE;
	return mc->sfmode == MCAST_EXCLUDE;
}

static bool allows(enum kraw_family family, const struct sock *sk,
		   const struct sk_buff *skb, u8 protocol)
{
	if (family == KRAW_IPV4)
		return (protocol != IPPROTO_ICMP || icmp_allows(sk, skb)) &&
		       member(sk, skb);
	return protocol != IPPROTO_ICMPV6 || icmp6_allows(sk, skb);
}

static int refuse(struct sock *sk, struct sk_buff *skb,
		  enum skb_drop_reason reason)
{
	kraw_sk_drops_inc(sk);
	kfree_skb_reason(skb, reason);
	return NET_RX_DROP;
}

/* Gives a copy to a socket, which consumes it. Returns NET_RX_*. */
static int rcv4(struct sock *sk, struct sk_buff *skb)
{
	if (!xfrm4_policy_check(sk, XFRM_POLICY_IN, skb))
		return refuse(sk, skb, SKB_DROP_REASON_XFRM_POLICY);
	nf_reset_ct(skb);
	skb_push(skb, skb->data - skb_network_header(skb));
	return sk->sk_backlog_rcv(sk, skb);
}

/*
 * IPv6 gives the payload only, and checks a checksum where the socket asks for
 * it (RFC 3542, IPV6_CHECKSUM).
 */
static int rcv6(struct sock *sk, struct sk_buff *skb)
{
	const struct in6_addr *saddr, *daddr;
	u8 protocol = inet_sk(sk)->inet_num;

	if (!xfrm6_policy_check(sk, XFRM_POLICY_IN, skb))
		return refuse(sk, skb, SKB_DROP_REASON_XFRM_POLICY);
	nf_reset_ct(skb);
	saddr = &ipv6_hdr(skb)->saddr;
	daddr = &ipv6_hdr(skb)->daddr;
	if (!raw6_sk(sk)->checksum)
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	if (skb->ip_summed == CHECKSUM_COMPLETE) {
		skb_postpull_rcsum(skb, skb_network_header(skb),
				   skb_network_header_len(skb));
		if (!csum_ipv6_magic(saddr, daddr, skb->len, protocol,
				     skb->csum))
			skb->ip_summed = CHECKSUM_UNNECESSARY;
	}
	if (!skb_csum_unnecessary(skb))
		skb->csum = ~csum_unfold(csum_ipv6_magic(saddr, daddr, skb->len,
							 protocol, 0));
	if (kraw_sk_hdrincl(sk) && skb_checksum_complete(skb))
		return refuse(sk, skb, SKB_DROP_REASON_SKB_CSUM);
	return sk->sk_backlog_rcv(sk, skb);
}

/**
 * kraw_rawsock_match - see whether any raw socket matches a packet
 * @net:	its namespace
 * @family:	its family
 * @skb:	with its network header set
 * @protocol:	the sockets' protocol number
 *
 * As in the kernel, a socket that will refuse the packet counts as well.
 */
bool kraw_rawsock_match(struct net *net, enum kraw_family family,
			struct sk_buff *skb, u8 protocol)
{
	struct sock *sk;

	sk_for_each_rcu(sk, bucket(net, family, protocol))
		if (match(net, family, sk, skb, protocol))
			return true;
	return false;
}

/* Consumes the packet. */
static void give(enum kraw_family family, struct sock *sk, struct sk_buff *skb,
		 struct kraw_rawsock_count *count)
{
	int ret = family == KRAW_IPV4 ? rcv4(sk, skb) : rcv6(sk, skb);

	if (ret == NET_RX_SUCCESS)
		count->copies++;
	else
		count->refused++;
}

/* Gives a copy to each socket that matches, with @reuseport or without. */
static void copy(struct net *net, enum kraw_family family, struct sk_buff *skb,
		 u8 protocol, bool reuseport, struct kraw_rawsock_count *count)
{
	struct sk_buff *clone;
	struct sock *sk;

	sk_for_each_rcu(sk, bucket(net, family, protocol)) {
		if (!reuseport && sk->sk_reuseport)
			continue;
		if (!match(net, family, sk, skb, protocol))
			continue;
		count->matched++;
		if (!allows(family, sk, skb, protocol)) {
			count->filtered++;
			continue;
		}
		clone = skb_clone(skb, GFP_ATOMIC);
		if (clone)
			give(family, sk, clone, count);
		else
			count->refused++;
	}
}

/**
 * kraw_rawsock_deliver - give a copy to each raw socket that matches a packet
 * @net:	its namespace
 * @family:	its family
 * @skb:	data at the transport header; stays the caller's
 * @protocol:	the sockets' protocol number
 * @count:	result
 */
void kraw_rawsock_deliver(struct net *net, enum kraw_family family,
			  struct sk_buff *skb, u8 protocol,
			  struct kraw_rawsock_count *count)
{
	memset(count, 0, sizeof(*count));
	copy(net, family, skb, protocol, true, count);
}

/* As the kernel asks before it queues. */
static bool full(const struct sock *sk)
{
	return atomic_read(&sk->sk_rmem_alloc) >= READ_ONCE(sk->sk_rcvbuf);
}

/**
 * kraw_rawsock_choose - choose one of the raw sockets that match a packet
 * @net:	its namespace
 * @family:	its family
 * @skb:	data at the transport header; stays the caller's
 * @protocol:	the sockets' protocol number
 * @flow:	from kraw_one_flow()
 * @reuseport:	only among those with SO_REUSEPORT; the others get copies
 * @count:	result, without what becomes of the packet itself. If sockets
 *		match and all of them refuse it by ICMP_FILTER or membership,
 *		one is counted
 *
 * The first in the flow's order that has room; if none has, the first, which
 * will refuse the packet and count that.
 *
 * A socket is asked for its weight before anything else. Most have none worth a
 * closer look then, about ln(n) of n do, so the walk costs little more than
 * finding the next socket.
 *
 * Returns the socket, for kraw_rawsock_give(), or NULL.
 */
struct sock *kraw_rawsock_choose(struct net *net, enum kraw_family family,
				 struct sk_buff *skb, u8 protocol, u64 flow,
				 bool reuseport,
				 struct kraw_rawsock_count *count)
{
	struct sock *sk, *first = NULL, *best = NULL;
	u64 weight, first_weight = 0, best_weight = 0;
	bool filtered = false;

	memset(count, 0, sizeof(*count));
	if (reuseport)
		copy(net, family, skb, protocol, false, count);
	/* first: of all, best: of those with room; so best_weight is less. */
	sk_for_each_rcu(sk, bucket(net, family, protocol)) {
		weight = kraw_one_weight(flow, sk);
		if (weight < best_weight)
			continue;
		if (weight < first_weight && full(sk))
			continue;
		if (reuseport && !sk->sk_reuseport)
			continue;
		if (!match(net, family, sk, skb, protocol))
			continue;
		if (!allows(family, sk, skb, protocol)) {
			filtered = true;
			continue;
		}
		if (weight >= first_weight) {
			first = sk;
			first_weight = weight;
		}
		if (!full(sk)) {
			best = sk;
			best_weight = weight;
		}
	}
	count->matched += first || filtered;
	count->filtered += !first && filtered;
	count->next = best && best != first;
	return best ?: first;
}

/**
 * kraw_rawsock_give - give a packet to the raw socket that was chosen for it
 * @family:	its family
 * @sk:		from kraw_rawsock_choose(), in the same RCU read side
 * @skb:	data at the transport header; is consumed
 * @count:	from kraw_rawsock_choose(); result
 *
 * The socket may still refuse it: by policy, by its filter, or because others
 * have filled its queue meanwhile.
 */
void kraw_rawsock_give(enum kraw_family family, struct sock *sk,
		       struct sk_buff *skb, struct kraw_rawsock_count *count)
{
	skb_orphan(skb);	/* early demultiplexing: a copy has no socket */
	give(family, sk, skb, count);
}
