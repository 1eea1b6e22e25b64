/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every difference between kernels. Keyed on what compat-probe found in the
 * headers, not on version numbers: stable releases change prototypes too.
 */
#ifndef _KRAW_COMPAT_H
#define _KRAW_COMPAT_H

#include <net/genetlink.h>
#include <net/inet_common.h>
#include <net/inet_dscp.h>
#include <net/inet_sock.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/l3mdev.h>
#include <net/route.h>
#include <net/sock.h>

/* Socket flags: bit-fields until 6.5, then bits in inet_flags. */
#ifdef KRAW_HAVE_INET_FLAGS
#define kraw_sk_mc_all(sk)	inet_test_bit(MC_ALL, sk)
#define kraw_sk_hdrincl(sk)	inet_test_bit(HDRINCL, sk)
#define kraw_sk_recverr(sk)	inet_test_bit(RECVERR, sk)
#define kraw_sk_recverr6(sk)	inet6_test_bit(RECVERR6, sk)
#define kraw_sk_mc6_all(sk)	inet6_test_bit(MC6_ALL, sk)
#define kraw_sk_sndflow6(sk)	inet6_test_bit(SNDFLOW, sk)
#define kraw_sk_dontfrag6(sk)	inet6_test_bit(DONTFRAG, sk)
#define kraw_sk_labels6_set(sk)	inet6_test_bit(AUTOFLOWLABEL_SET, sk)
#define kraw_sk_labels6(sk)	inet6_test_bit(AUTOFLOWLABEL, sk)
#define kraw_sk_cmsg_flags(sk)	inet_cmsg_flags(inet_sk(sk))
#else
#define kraw_sk_mc_all(sk)	(inet_sk(sk)->mc_all)
#define kraw_sk_hdrincl(sk)	(inet_sk(sk)->hdrincl)
#define kraw_sk_recverr(sk)	(inet_sk(sk)->recverr)
#define kraw_sk_recverr6(sk)	(inet6_sk(sk)->recverr)
#define kraw_sk_mc6_all(sk)	(inet6_sk(sk)->mc_all)
#define kraw_sk_sndflow6(sk)	(inet6_sk(sk)->sndflow)
#define kraw_sk_dontfrag6(sk)	(inet6_sk(sk)->dontfrag)
#define kraw_sk_labels6_set(sk)	(inet6_sk(sk)->autoflowlabel_set)
#define kraw_sk_labels6(sk)	(inet6_sk(sk)->autoflowlabel)
#define kraw_sk_cmsg_flags(sk)	(inet_sk(sk)->cmsg_flags)
#endif

/* A socket's drop counter: an atomic_t until 6.17. */
#ifdef KRAW_HAVE_SK_DROPS_INC
#define kraw_sk_drops_inc(sk)	sk_drops_inc(sk)
#define kraw_sk_drops(sk)	sk_drops_read(sk)
#else
#define kraw_sk_drops_inc(sk)	atomic_inc(&(sk)->sk_drops)
#define kraw_sk_drops(sk)	atomic_read(&(sk)->sk_drops)
#endif

/*
 * Since 6.10 the kernel passes over a raw socket whose queue is full before it
 * asks anything else of it: who has only such sockets is told that nobody has the
 * protocol.
 */
#ifdef KRAW_HAVE_ROOM_FIRST
#define KRAW_ROOM_FIRST	true
#else
#define KRAW_ROOM_FIRST	false
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
#ifdef KRAW_HAVE_KFREE_SKB_CONST_SK
#define KRAW_KFREE_SKB_RX_SK	const struct sock *rx_sk
#else
#define KRAW_KFREE_SKB_RX_SK	struct sock *rx_sk
#endif
#define KRAW_KFREE_SKB_PROBE(probe, function)				\
	static void probe(void *unused, struct sk_buff *skb,		\
			  void *location, enum skb_drop_reason reason,	\
			  KRAW_KFREE_SKB_RX_SK)				\
	{								\
		function(skb, location, reason, rx_sk);			\
	}
#else
#define KRAW_KFREE_SKB_PROBE(probe, function)				\
	static void probe(void *unused, struct sk_buff *skb,		\
			  void *location, enum skb_drop_reason reason)	\
	{								\
		function(skb, location, reason, NULL);			\
	}
#endif

/* Where IPv6's part of a socket is: its end, or since 6.4 where its type says. */
#ifdef KRAW_HAVE_PINFO_OFFSET
#define KRAW_PINFO_OFFSET(type, member)					\
	.ipv6_pinfo_offset = offsetof(type, member),
#else
#define KRAW_PINFO_OFFSET(type, member)
#endif

/* What bind() and connect() are given: a type of its own since 6.19. */
#ifndef KRAW_HAVE_SOCKADDR_UNSIZED
#define sockaddr_unsized	sockaddr
#endif

/* Programs of cgroups may change the length of an address since 6.7. */
#ifdef KRAW_HAVE_BPF_ADDR_LEN
#define kraw_bpf_connect4(sk, addr, len)				\
	BPF_CGROUP_RUN_PROG_INET4_CONNECT_LOCK(sk, addr, len)
#define kraw_bpf_connect6(sk, addr, len)				\
	BPF_CGROUP_RUN_PROG_INET6_CONNECT_LOCK(sk, addr, len)
#define kraw_bpf_getname(sk, addr, len, type)				\
	BPF_CGROUP_RUN_SA_PROG(sk, addr, len, type)
#else
#define kraw_bpf_connect4(sk, addr, len)				\
	BPF_CGROUP_RUN_PROG_INET4_CONNECT_LOCK(sk, addr)
#define kraw_bpf_connect6(sk, addr, len)				\
	BPF_CGROUP_RUN_PROG_INET6_CONNECT_LOCK(sk, addr)
#define kraw_bpf_getname(sk, addr, len, type)				\
	BPF_CGROUP_RUN_SA_PROG(sk, addr, type)
#endif

/* A protocol's ioctl() puts an int in the user's memory; since 6.5 its caller does. */
#ifdef KRAW_HAVE_IOCTL_INT
#define KRAW_IOCTL_PARAM		int *arg
#define kraw_ioctl_put(value, arg)	(*(arg) = (value), 0)
#else
#define KRAW_IOCTL_PARAM		unsigned long arg
#define kraw_ioctl_put(value, arg)	put_user(value, (int __user *)(arg))
#endif

/* A protocol's recvmsg(): later ones leave the name's length in the message. */
#ifdef KRAW_HAVE_RECVMSG_NAMELEN
#define KRAW_RECVMSG(name)						\
	int name(struct sock *sk, struct msghdr *msg, size_t len, int flags)
#define kraw_recvmsg_named(msg, addr_len)	((void)0)
#define kraw_inet_recv_error(sk, msg, len)	inet_recv_error(sk, msg, len)
#else
#define KRAW_RECVMSG(name)						\
	int name(struct sock *sk, struct msghdr *msg, size_t len,	\
		 int flags, int *addr_len)
#define kraw_recvmsg_named(msg, addr_len)				\
	(*(addr_len) = (msg)->msg_namelen)

static inline int kraw_inet_recv_error(struct sock *sk, struct msghdr *msg,
				       int len)
{
	return inet_recv_error(sk, msg, len, &msg->msg_namelen);
}
#endif

/* Control data of SOL_SOCKET: later kernels do not ask for its message. */
#ifdef KRAW_HAVE_SOCK_CMSG_ALONE
#define kraw_sock_cmsg_send(sk, msg, cmsg, sockc)			\
	__sock_cmsg_send(sk, cmsg, sockc)
#else
#define kraw_sock_cmsg_send(sk, msg, cmsg, sockc)			\
	__sock_cmsg_send(sk, msg, cmsg, sockc)
#endif

/*
 * The TOS of a datagram and the priority that goes with it: since 6.14 the latter
 * is the socket's from the beginning.
 */
static inline void kraw_ipc_set_tos(struct ipcm_cookie *ipc, u8 tos)
{
	ipc->tos = tos;
#ifdef KRAW_HAVE_SOCKC_PRIORITY
	ipc->sockc.priority = rt_tos2priority(tos);
#else
	ipc->priority = rt_tos2priority(tos);
#endif
}

static inline u32 kraw_sockc_priority(const struct sockcm_cookie *sockc,
				      const struct sock *sk)
{
#ifdef KRAW_HAVE_SOCKC_PRIORITY
	return sockc->priority;
#else
	return READ_ONCE(sk->sk_priority);
#endif
}

static inline u32 kraw_ipc_priority(const struct ipcm_cookie *ipc,
				    const struct sock *sk)
{
#ifdef KRAW_HAVE_SOCKC_PRIORITY
	return ipc->sockc.priority;
#else
	return ipc->tos != -1 ? ipc->priority : READ_ONCE(sk->sk_priority);
#endif
}

/* What a route is looked up with: "on this link" was a bit of the TOS once. */
#ifdef KRAW_HAVE_RTO_ONLINK
static inline u8 kraw_flow_tos(u8 tos, bool on_link)
{
	return RT_TOS(tos) | (on_link ? RTO_ONLINK : 0);
}

static inline u8 kraw_flow_scope(bool on_link)
{
	return RT_SCOPE_UNIVERSE;
}
#else
static inline u8 kraw_flow_tos(u8 tos, bool on_link)
{
	return tos & INET_DSCP_MASK;
}

static inline u8 kraw_flow_scope(bool on_link)
{
	return on_link ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}
#endif

/* When a packet is to leave, and whether the sender wants to know when it did. */
static inline void kraw_skb_times(struct sk_buff *skb, const struct sock *sk,
				  const struct sockcm_cookie *sockc)
{
#ifdef KRAW_HAVE_DELIVERY_CLOCK
	skb_set_delivery_type_by_clockid(skb, sockc->transmit_time,
					 sk->sk_clockid);
#else
	skb->tstamp = sockc->transmit_time;
#endif
#ifdef KRAW_HAVE_TX_TIMESTAMP_SOCKC
	skb_setup_tx_timestamp(skb, sockc);
#else
	skb_setup_tx_timestamp(skb, sockc->tsflags);
#endif
}

/*
 * What ICMP errors tell of a socket's route. The kernel's functions that do this
 * for a socket are closed to modules in 7.3; those for everybody's routes leave
 * the socket's own copy stale, and releasing the socket renews it. For IPv4 they
 * know nothing of the socket's mark.
 */
#ifdef KRAW_HAVE_SK_ROUTES
#define kraw_sk_update_pmtu4(skb, sk, mtu)	ipv4_sk_update_pmtu(skb, sk, mtu)
#define kraw_sk_redirect4(skb, sk)		ipv4_sk_redirect(skb, sk)
#define kraw_sk_update_pmtu6(skb, sk, mtu)	ip6_sk_update_pmtu(skb, sk, mtu)
#define kraw_sk_redirect6(skb, sk)		ip6_sk_redirect(skb, sk)
#define kraw_sk_route6(sk, fl6, final, connected)			\
	ip6_sk_dst_lookup_flow(sk, fl6, final, connected)
#else
static inline void kraw_sk_renew_route(struct sock *sk)
{
	bh_lock_sock(sk);
	if (!sock_owned_by_user(sk))
		sk->sk_prot->release_cb(sk);
	bh_unlock_sock(sk);
}

static inline void kraw_sk_update_pmtu4(struct sk_buff *skb, struct sock *sk,
					u32 mtu)
{
	if (!ip_sk_accept_pmtu(sk))
		return;
	ipv4_update_pmtu(skb, sock_net(sk), mtu, sk->sk_bound_dev_if,
			 sk->sk_protocol);
	kraw_sk_renew_route(sk);
}

static inline void kraw_sk_redirect4(struct sk_buff *skb, struct sock *sk)
{
	ipv4_redirect(skb, sock_net(sk), sk->sk_bound_dev_if, sk->sk_protocol);
}

static inline void kraw_sk_update_pmtu6(struct sk_buff *skb, struct sock *sk,
					__be32 mtu)
{
	ip6_update_pmtu(skb, sock_net(sk), mtu,
			sk->sk_bound_dev_if ?: l3mdev_master_ifindex(skb->dev),
			READ_ONCE(sk->sk_mark), READ_ONCE(sk->sk_uid));
	kraw_sk_renew_route(sk);
}

static inline void kraw_sk_redirect6(struct sk_buff *skb, struct sock *sk)
{
	ip6_redirect(skb, sock_net(sk), sk->sk_bound_dev_if,
		     READ_ONCE(sk->sk_mark), READ_ONCE(sk->sk_uid));
}

/* Looked up each time: where the kernel keeps it is closed, too. */
static inline struct dst_entry *kraw_sk_route6(struct sock *sk,
					       struct flowi6 *fl6,
					       const struct in6_addr *final,
					       bool connected)
{
	return ip6_dst_lookup_flow(sock_net(sk), sk, fl6, final);
}
#endif

#endif /* _KRAW_COMPAT_H */
