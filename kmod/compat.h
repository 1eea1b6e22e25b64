/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every difference between kernels. Keyed on what compat-probe found in the
 * headers, not on version numbers: stable releases change prototypes too.
 */
#ifndef _KRAW_COMPAT_H
#define _KRAW_COMPAT_H

#include <net/genetlink.h>
#include <net/inet_sock.h>
#include <net/sock.h>

/* Socket flags: bit-fields until 6.5, then bits in inet_flags. */
#ifdef KRAW_HAVE_INET_FLAGS
#define kraw_sk_mc_all(sk)	inet_test_bit(MC_ALL, sk)
#define kraw_sk_hdrincl(sk)	inet_test_bit(HDRINCL, sk)
#define kraw_sk_recverr(sk)	inet_test_bit(RECVERR, sk)
#define kraw_sk_recverr6(sk)	inet6_test_bit(RECVERR6, sk)
#define kraw_sk_mc6_all(sk)	inet6_test_bit(MC6_ALL, sk)
#else
#define kraw_sk_mc_all(sk)	(inet_sk(sk)->mc_all)
#define kraw_sk_hdrincl(sk)	(inet_sk(sk)->hdrincl)
#define kraw_sk_recverr(sk)	(inet_sk(sk)->recverr)
#define kraw_sk_recverr6(sk)	(inet6_sk(sk)->recverr)
#define kraw_sk_mc6_all(sk)	(inet6_sk(sk)->mc_all)
#endif

/* A socket's drop counter: an atomic_t until 6.17. */
#ifdef KRAW_HAVE_SK_DROPS_INC
#define kraw_sk_drops_inc(sk)	sk_drops_inc(sk)
#define kraw_sk_drops(sk)	sk_drops_read(sk)
#else
#define kraw_sk_drops_inc(sk)	atomic_inc(&(sk)->sk_drops)
#define kraw_sk_drops(sk)	atomic_read(&(sk)->sk_drops)
#endif

/* The parsed attributes of a dump request: wrapped in a genl_info since 6.6. */
#ifdef KRAW_HAVE_GENL_INFO_DUMP
#define kraw_dump_attrs(cb)	(genl_info_dump(cb)->attrs)
#else
#define kraw_dump_attrs(cb)	(genl_dumpit_info(cb)->attrs)
#endif

/* ICMP errors kept back by rate limits: counted since 6.5, and in later 6.1.y. */
#ifdef KRAW_HAVE_ICMP_RATELIMIT
#define KRAW_ICMP_LIMITED_KNOWN	true
#else
#define KRAW_ICMP_LIMITED_KNOWN	false
#endif

/* Those of this CPU, of both families: the global limit's are IPv4's. */
static inline unsigned long kraw_icmp_limited(const struct net *net)
{
#ifdef KRAW_HAVE_ICMP_RATELIMIT
	return this_cpu_read(net->mib.icmp_statistics->mibs[ICMP_MIB_RATELIMITGLOBAL]) +
	       this_cpu_read(net->mib.icmp_statistics->mibs[ICMP_MIB_RATELIMITHOST]) +
	       this_cpu_read(net->mib.icmpv6_statistics->mibs[ICMP6_MIB_RATELIMITHOST]);
#else
	return 0;
#endif
}

/* A probe of the tracepoint kfree_skb, which tells of a socket since 6.11. */
#ifdef KRAW_HAVE_KFREE_SKB_RX_SK
#define KRAW_KFREE_SKB_PROBE(probe, function)				\
	static void probe(void *unused, struct sk_buff *skb,		\
			  void *location, enum skb_drop_reason reason,	\
			  struct sock *rx_sk)				\
	{								\
		function(skb, location, reason);			\
	}
#else
#define KRAW_KFREE_SKB_PROBE(probe, function)				\
	static void probe(void *unused, struct sk_buff *skb,		\
			  void *location, enum skb_drop_reason reason)	\
	{								\
		function(skb, location, reason);			\
	}
#endif

#endif /* _KRAW_COMPAT_H */
