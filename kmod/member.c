// SPDX-License-Identifier: GPL-2.0
/*
 * Whether a socket is a member of the group that a packet is for: the group and,
 * with source filters, the source. The kernel's own functions for that cannot be
 * called from a module, the sockets' lists can be read.
 *
 * Context of everything here: RCU.
 */
#include "member.h"

#include <linux/igmp.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/if_inet6.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/sock.h>
#include "compat.h"

static bool source_listed4(const struct ip_sf_socklist *list, __be32 source)
{
	unsigned int i;

	for (i = 0; i < list->sl_count; i++)
		if (list->sl_addr[i] == source)
			return true;
	return false;
}

/* IPv4 membership; true for a packet that is for no group. */
bool kraw_member4(const struct sock *sk, const struct sk_buff *skb)
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
	if (list && source_listed4(list, iph->saddr))
		return mc->sfmode == MCAST_INCLUDE;
	return mc->sfmode == MCAST_EXCLUDE;
}

static bool source_listed6(const struct ip6_sf_socklist *list,
			   const struct in6_addr *source)
{
	unsigned int i;

	for (i = 0; i < list->sl_count; i++)
		if (ipv6_addr_equal(&list->sl_addr[i], source))
			return true;
	return false;
}

/* IPv6 membership, by any device as in the kernel; true without a group. */
bool kraw_member6(const struct sock *sk, const struct sk_buff *skb)
{
	const struct ipv6_pinfo *np = inet6_sk(sk);
	const struct ipv6hdr *hdr = ipv6_hdr(skb);
	const struct ip6_sf_socklist *list;
	const struct ipv6_mc_socklist *mc;

	if (!ipv6_addr_is_multicast(&hdr->daddr))
		return true;
	for (mc = rcu_dereference(np->ipv6_mc_list); mc;
	     mc = rcu_dereference(mc->next))
		if (ipv6_addr_equal(&mc->addr, &hdr->daddr))
			break;
	if (!mc)
		return kraw_sk_mc6_all(sk);
	list = rcu_dereference(mc->sflist);
	if (list && source_listed6(list, &hdr->saddr))
		return mc->sfmode == MCAST_INCLUDE;
	return mc->sfmode == MCAST_EXCLUDE;
}
