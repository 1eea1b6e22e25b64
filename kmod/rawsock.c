// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's raw sockets: which ones match a packet, and their copies.
 *
 * The kernel's own walk (net/ipv4/raw.c, net/ipv6/raw.c) cannot be called from
 * a module, its tables and its match can. What stands here between the match
 * and the socket's queue follows it step by step, so that bound address, peer,
 * device and VRF, filters, membership, policy and receive buffer keep their
 * effect. No other file includes <net/raw.h>, but socket.c, which lists sockets.
 *
 * Context of everything here: RCU read side, bottom halves off. The tables are
 * walked under RCU; a socket is freed only after a grace period.
 */
#include "rawsock.h"

#include <linux/icmp.h>
#include <linux/icmpv6.h>
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
#include "ask.h"
#include "compat.h"
#include "member.h"
#include "one.h"
#include "record.h"
#include "uapi/linux/kraw.h"

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

/* What a socket that matches says to the packet before any policy is asked. */
static enum kraw_socket_result admits(enum kraw_family family,
				      const struct sock *sk,
				      const struct sk_buff *skb, u8 protocol)
{
	if (family == KRAW_IPV4) {
		if (protocol == IPPROTO_ICMP && !icmp_allows(sk, skb))
			return KRAW_SOCKET_RESULT_ICMP_FILTER;
		if (ipv4_is_multicast(ip_hdr(skb)->daddr) &&
		    !kraw_member4(sk, skb))
			return KRAW_SOCKET_RESULT_MEMBER;
	} else if (protocol == IPPROTO_ICMPV6 && !icmp6_allows(sk, skb)) {
		return KRAW_SOCKET_RESULT_ICMP_FILTER;
	}
	return KRAW_SOCKET_RESULT_COPY;
}

/* What becomes of a copy: it is queued, or refused. */
#define QUEUED	KRAW_REFUSALS

static enum kraw_refusal refuse(struct sock *sk, struct sk_buff *skb,
				enum skb_drop_reason reason,
				enum kraw_refusal why)
{
	kraw_sk_drops_inc(sk);
	kfree_skb_reason(skb, reason);
	return why;
}

/* The same as queue(), and finds out why it is refused. */
static noinline enum kraw_refusal queue_watched(struct sock *sk,
						struct sk_buff *skb)
{
	struct kraw_watch watch;
	int ret;

	kraw_watch_begin(&watch, sk->sk_family == AF_INET ? KRAW_IPV4 :
							    KRAW_IPV6,
			 inet_sk(sk)->inet_num, skb);
	ret = sk->sk_backlog_rcv(sk, skb);
	kraw_watch_end(&watch);
	if (ret == NET_RX_SUCCESS)
		return QUEUED;
	return watch.full == skb ? KRAW_REFUSAL_FULL : KRAW_REFUSAL_FILTER;
}

/* Through the socket's filter into its queue; the kernel does not say why not. */
static inline enum kraw_refusal queue(struct sock *sk, struct sk_buff *skb,
				      bool exact)
{
	if (exact)
		return queue_watched(sk, skb);
	return sk->sk_backlog_rcv(sk, skb) == NET_RX_SUCCESS ?
	       QUEUED : KRAW_REFUSAL_UNKNOWN;
}

/* Gives a copy to a socket, which consumes it. */
static enum kraw_refusal rcv4(struct sock *sk, struct sk_buff *skb, bool exact)
{
	if (!xfrm4_policy_check(sk, XFRM_POLICY_IN, skb))
		return refuse(sk, skb, SKB_DROP_REASON_XFRM_POLICY,
			      KRAW_REFUSAL_POLICY);
	nf_reset_ct(skb);
	skb_push(skb, skb->data - skb_network_header(skb));
	return queue(sk, skb, exact);
}

/*
 * IPv6 gives the payload only, and checks a checksum where the socket asks for
 * it (RFC 3542, IPV6_CHECKSUM).
 */
static enum kraw_refusal rcv6(struct sock *sk, struct sk_buff *skb, bool exact)
{
	const struct in6_addr *saddr, *daddr;
	u8 protocol = inet_sk(sk)->inet_num;

	if (!xfrm6_policy_check(sk, XFRM_POLICY_IN, skb))
		return refuse(sk, skb, SKB_DROP_REASON_XFRM_POLICY,
			      KRAW_REFUSAL_POLICY);
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
	/* The second half of this is the kernel's to ask; here it is counted. */
	if ((kraw_sk_hdrincl(sk) || raw6_sk(sk)->checksum ||
	     rcu_access_pointer(sk->sk_filter)) && skb_checksum_complete(skb))
		return refuse(sk, skb, SKB_DROP_REASON_SKB_CSUM,
			      KRAW_REFUSAL_CHECKSUM);
	return queue(sk, skb, exact);
}

/**
 * kraw_rawsock_inode - the number that names a socket to user space
 * @sk:		under RCU, or held
 *
 * Returns the same as sock_i_ino(), without its lock: the inode of a socket that
 * is being closed is freed after a grace period. 0: it is closed.
 */
u32 kraw_rawsock_inode(const struct sock *sk)
{
	struct socket *socket;

	socket = READ_ONCE(sk->sk_socket);
	return socket ? SOCK_INODE(socket)->i_ino : 0;
}

static void note(const struct sock *sk, enum kraw_socket_result result)
{
	if (kraw_recording())
		kraw_record_note_socket(kraw_rawsock_inode(sk), result);
}

/* As the kernel asks before it queues. */
static bool full(const struct sock *sk)
{
	return atomic_read(&sk->sk_rmem_alloc) >= READ_ONCE(sk->sk_rcvbuf);
}

/* A socket that matches, and that the kernel passes over. */
static bool passed_over(const struct sock *sk)
{
	return KRAW_ROOM_FIRST && full(sk);
}

static void pass_over(struct sock *sk, struct kraw_rawsock_count *count)
{
	kraw_sk_drops_inc(sk);
	count->passed++;
	count->refused[count->exact ? KRAW_REFUSAL_FULL :
				      KRAW_REFUSAL_UNKNOWN]++;
	note(sk, KRAW_SOCKET_RESULT_FULL);
}

/* Whether the last in a socket's queue is a copy of the packet. */
static bool has_copy(struct sock *sk, const struct sk_buff *skb)
{
	struct sk_buff_head *queue = &sk->sk_receive_queue;
	const struct sk_buff *last;
	unsigned long flags;
	bool same;

	spin_lock_irqsave(&queue->lock, flags);
	last = skb_peek_tail(queue);
	same = last && last->head == skb->head;
	spin_unlock_irqrestore(&queue->lock, flags);
	return same;
}

/**
 * kraw_rawsock_match - see whether any raw socket has matched a packet
 * @net:	its namespace
 * @family:	its family
 * @skb:	with its network header set
 * @protocol:	the sockets' protocol number
 *
 * As in the kernel, a socket that has refused the packet counts as well. Comes
 * after the kernel's delivery to raw sockets: one that is full now may be so by its
 * copy.
 */
bool kraw_rawsock_match(struct net *net, enum kraw_family family,
			struct sk_buff *skb, u8 protocol)
{
	struct sock *sk;

	sk_for_each_rcu(sk, bucket(net, family, protocol))
		if (match(net, family, sk, skb, protocol) &&
		    (!passed_over(sk) || has_copy(sk, skb)))
			return true;
	return false;
}

static noinline struct kraw_rawsock_found ask(struct hlist_head *head,
					      struct net *net,
					      enum kraw_family family,
					      struct sk_buff *skb, u8 protocol)
{
	struct kraw_rawsock_found found = {};
	struct sock *sk;

	sk_for_each_rcu(sk, head) {
		if (!match(net, family, sk, skb, protocol))
			continue;
		found.matched++;
		if (passed_over(sk))
			found.passed++;
		else if (admits(family, sk, skb, protocol) !=
			 KRAW_SOCKET_RESULT_COPY)
			found.filtered++;
	}
	return found;
}

/**
 * kraw_rawsock_ask - count the raw sockets that match a packet
 * @net:	its namespace
 * @family:	its family
 * @skb:	its network and transport headers set
 * @protocol:	the sockets' protocol number
 *
 * Returns those that match, and of these how many filter the packet, and how many
 * will be passed over.
 */
struct kraw_rawsock_found kraw_rawsock_ask(struct net *net,
					   enum kraw_family family,
					   struct sk_buff *skb, u8 protocol)
{
	struct hlist_head *head = bucket(net, family, protocol);

	if (likely(hlist_empty(head)))
		return (struct kraw_rawsock_found) {};
	return ask(head, net, family, skb, protocol);
}

/* IPV6_CHECKSUM: whether it is asked for, and wrong. */
static bool checksum_wrong(const struct sock *sk, const struct sk_buff *skb)
{
	if (!raw6_sk(sk)->checksum)
		return false;
	return csum_ipv6_magic(&ipv6_hdr(skb)->saddr, &ipv6_hdr(skb)->daddr,
			       skb->len, inet_sk(sk)->inet_num,
			       skb_checksum(skb, 0, skb->len, 0));
}

/* As rcv4() and rcv6(), and what the kernel's functions do behind them. */
static enum kraw_socket_result receives(enum kraw_family family,
					struct sock *sk, struct sk_buff *skb)
{
	unsigned int header = skb->data - skb_network_header(skb);
	enum kraw_socket_result result;

	if (family == KRAW_IPV6 && checksum_wrong(sk, skb))
		return KRAW_SOCKET_RESULT_CHECKSUM;
	if (family == KRAW_IPV4)
		skb_push(skb, header);
	result = kraw_ask_queue(sk, skb);
	if (family == KRAW_IPV4)
		__skb_pull(skb, header);
	return result;
}

/**
 * kraw_rawsock_refused - how a refusal is called in records
 * @why:	anything but KRAW_REFUSAL_UNKNOWN, of which no more is known
 */
enum kraw_socket_result kraw_rawsock_refused(enum kraw_refusal why)
{
	switch (why) {
	case KRAW_REFUSAL_POLICY:
		return KRAW_SOCKET_RESULT_POLICY;
	case KRAW_REFUSAL_CHECKSUM:
		return KRAW_SOCKET_RESULT_CHECKSUM;
	case KRAW_REFUSAL_FILTER:
		return KRAW_SOCKET_RESULT_FILTER;
	case KRAW_REFUSAL_FULL:
		return KRAW_SOCKET_RESULT_FULL;
	default:
		return KRAW_SOCKET_RESULT_REFUSED;
	}
}

/* What to tell of a copy. @likely: what was to be expected of it. */
static enum kraw_socket_result told(enum kraw_refusal why,
				    enum kraw_socket_result likely)
{
	if (why == QUEUED)
		return KRAW_SOCKET_RESULT_COPY;
	if (why == KRAW_REFUSAL_UNKNOWN &&
	    likely != KRAW_SOCKET_RESULT_COPY &&
	    likely != KRAW_SOCKET_RESULT_UNKNOWN)
		return likely;
	return kraw_rawsock_refused(why);
}

/* Consumes the packet. */
static void give(enum kraw_family family, struct sock *sk, struct sk_buff *skb,
		 struct kraw_rawsock_count *count)
{
	enum kraw_socket_result likely = KRAW_SOCKET_RESULT_COPY;
	enum kraw_refusal why;

	/* Afterwards there is no packet to ask about. */
	if (kraw_recording())
		likely = receives(family, sk, skb);
	why = family == KRAW_IPV4 ? rcv4(sk, skb, count->exact) :
				    rcv6(sk, skb, count->exact);
	if (why == QUEUED)
		count->copies++;
	else
		count->refused[why]++;
	note(sk, told(why, likely));
}

/* Gives a copy to each socket that matches, with @reuseport or without. */
static void copy(struct net *net, enum kraw_family family, struct sk_buff *skb,
		 u8 protocol, bool reuseport, struct kraw_rawsock_count *count)
{
	enum kraw_socket_result result;
	struct sk_buff *clone;
	struct sock *sk;

	sk_for_each_rcu(sk, bucket(net, family, protocol)) {
		if (!reuseport && sk->sk_reuseport)
			continue;
		if (!match(net, family, sk, skb, protocol))
			continue;
		count->matched++;
		if (passed_over(sk)) {
			pass_over(sk, count);
			continue;
		}
		result = admits(family, sk, skb, protocol);
		if (result != KRAW_SOCKET_RESULT_COPY) {
			count->filtered++;
			note(sk, result);
			continue;
		}
		clone = skb_clone(skb, GFP_ATOMIC);
		if (clone) {
			give(family, sk, clone, count);
		} else {
			count->refused[KRAW_REFUSAL_MEMORY]++;
			note(sk, KRAW_SOCKET_RESULT_REFUSED);
		}
	}
}

/**
 * kraw_rawsock_deliver - give a copy to each raw socket that matches a packet
 * @net:	its namespace
 * @family:	its family
 * @skb:	data at the transport header; stays the caller's
 * @protocol:	the sockets' protocol number
 * @count:	zero but for @exact; result
 */
void kraw_rawsock_deliver(struct net *net, enum kraw_family family,
			  struct sk_buff *skb, u8 protocol,
			  struct kraw_rawsock_count *count)
{
	copy(net, family, skb, protocol, true, count);
}

/*
 * From @node on, the first whose weight is at least @least, or NULL. With many
 * sockets this loop is all that counts: it looks at nothing but the list.
 */
static struct hlist_node *heavy(struct hlist_node *node, u64 flow, u64 least,
				u64 *weight)
{
	for (; node; node = rcu_dereference_raw(hlist_next_rcu(node))) {
		*weight = kraw_one_weight(flow, node);
		if (*weight >= least)
			break;
	}
	return node;
}

/*
 * The first in the flow's order that has room; if none has, the first, which
 * will refuse the packet and count that.
 *
 * A socket is asked for its weight before anything else. Most have none worth a
 * closer look then, about ln(n) of n do, so the walk costs little more than
 * finding the next socket.
 */
static struct sock *choose(struct net *net, enum kraw_family family,
			   struct sk_buff *skb, u8 protocol, u64 flow,
			   bool reuseport, struct kraw_rawsock_count *count)
{
	struct hlist_head *head = bucket(net, family, protocol);
	u64 weight, first_weight = 0, best_weight = 0;
	struct sock *sk, *first = NULL, *best = NULL;
	enum kraw_socket_result result;
	struct hlist_node *node;
	bool filtered = false;

	/* first: of all, best: of those with room; so best_weight is less. */
	for (node = rcu_dereference_raw(hlist_first_rcu(head));
	     (node = heavy(node, flow, best_weight, &weight));
	     node = rcu_dereference_raw(hlist_next_rcu(node))) {
		sk = hlist_entry(node, struct sock, sk_node);
		if (weight < first_weight && kraw_ask_full(sk))
			continue;
		if (reuseport && !sk->sk_reuseport)
			continue;
		if (!match(net, family, sk, skb, protocol))
			continue;
		result = admits(family, sk, skb, protocol);
		if (result != KRAW_SOCKET_RESULT_COPY) {
			filtered = true;
			note(sk, result);
			continue;
		}
		if (weight >= first_weight) {
			first = sk;
			first_weight = weight;
		}
		if (!kraw_ask_full(sk)) {
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
 * kraw_rawsock_choose - choose one of the raw sockets that match a packet
 * @net:	its namespace
 * @family:	its family
 * @skb:	data at the transport header; stays the caller's
 * @protocol:	the sockets' protocol number
 * @flow:	from kraw_one_flow()
 * @reuseport:	only among those with SO_REUSEPORT; the others get copies
 * @count:	zero but for @exact; result, without what becomes of the packet
 *		itself. If sockets match and all of them refuse it by
 *		ICMP_FILTER or membership, one is counted
 *
 * Returns the socket, for kraw_rawsock_give(), or NULL.
 */
struct sock *kraw_rawsock_choose(struct net *net, enum kraw_family family,
				 struct sk_buff *skb, u8 protocol, u64 flow,
				 bool reuseport,
				 struct kraw_rawsock_count *count)
{
	struct sock *sk;

	if (reuseport)
		copy(net, family, skb, protocol, false, count);
	sk = choose(net, family, skb, protocol, flow, reuseport, count);
	if (!sk || !passed_over(sk))
		return sk;
	pass_over(sk, count);
	return NULL;
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

/*
 * Explaining: what deliver() would find, without doing any of it. A socket's
 * own XFRM policy is left out, asking it would count.
 */

/* Why a socket of the packet's protocol does not match. */
static enum kraw_socket_result mismatch4(const struct sock *sk,
					 const struct sk_buff *skb)
{
	const struct inet_sock *inet = inet_sk(sk);

	if (inet->inet_rcv_saddr && inet->inet_rcv_saddr != ip_hdr(skb)->daddr)
		return KRAW_SOCKET_RESULT_LOCAL;
	if (inet->inet_daddr && inet->inet_daddr != ip_hdr(skb)->saddr)
		return KRAW_SOCKET_RESULT_PEER;
	return KRAW_SOCKET_RESULT_DEVICE;
}

static enum kraw_socket_result mismatch6(struct net *net, const struct sock *sk,
					 const struct sk_buff *skb)
{
	const struct ipv6hdr *hdr = ipv6_hdr(skb);
	bool group = ipv6_addr_is_multicast(&hdr->daddr);

	if (!group && !ipv6_addr_any(&sk->sk_v6_rcv_saddr) &&
	    !ipv6_addr_equal(&sk->sk_v6_rcv_saddr, &hdr->daddr))
		return KRAW_SOCKET_RESULT_LOCAL;
	if (!ipv6_addr_any(&sk->sk_v6_daddr) &&
	    !ipv6_addr_equal(&sk->sk_v6_daddr, &hdr->saddr))
		return KRAW_SOCKET_RESULT_PEER;
	if (!group ||
	    !raw_sk_bound_dev_eq(net, READ_ONCE(sk->sk_bound_dev_if),
				 inet6_iif(skb), inet6_sdif(skb)))
		return KRAW_SOCKET_RESULT_DEVICE;
	return KRAW_SOCKET_RESULT_MEMBER;
}

static void explain(struct net *net, enum kraw_family family, struct sock *sk,
		    struct sk_buff *skb, u8 protocol, struct kraw_rawsock *about)
{
	const struct inet_sock *inet = inet_sk(sk);

	memset(about, 0, sizeof(*about));
	about->sk = sk;
	about->inode = kraw_rawsock_inode(sk);
	about->ifindex = READ_ONCE(sk->sk_bound_dev_if);
	if (family == KRAW_IPV4) {
		about->local.s6_addr32[0] = inet->inet_rcv_saddr;
		about->peer.s6_addr32[0] = inet->inet_daddr;
	} else {
		about->local = sk->sk_v6_rcv_saddr;
		about->peer = sk->sk_v6_daddr;
	}
	about->matched = match(net, family, sk, skb, protocol);
	about->passed = about->matched && passed_over(sk);
	if (about->passed)
		about->result = KRAW_SOCKET_RESULT_FULL;
	else if (about->matched)
		about->result = admits(family, sk, skb, protocol);
	else
		about->result = family == KRAW_IPV4 ? mismatch4(sk, skb) :
						      mismatch6(net, sk, skb);
	if (about->result == KRAW_SOCKET_RESULT_COPY)
		about->result = receives(family, sk, skb);
}

/*
 * Verdict one: those that are not chosen are not asked for more than the choice
 * needs to know.
 */
static void explain_one(struct sock *sk, struct kraw_rawsock *about,
			const struct sock *chosen)
{
	about->chosen = sk == chosen;
	if (about->chosen || !about->matched ||
	    about->result == KRAW_SOCKET_RESULT_ICMP_FILTER ||
	    about->result == KRAW_SOCKET_RESULT_MEMBER)
		return;
	about->result = kraw_ask_full(sk) ? KRAW_SOCKET_RESULT_FULL :
					    KRAW_SOCKET_RESULT_NOT_CHOSEN;
}

/**
 * kraw_rawsock_explain - tell what each raw socket would do with a packet
 * @net:	its namespace
 * @family:	its family
 * @skb:	data at the transport header, linear, with nobody else
 * @protocol:	the sockets' protocol number
 * @asked:	who asks
 *
 * Delivers nothing, counts nothing.
 */
void kraw_rawsock_explain(struct net *net, enum kraw_family family,
			  struct sk_buff *skb, u8 protocol,
			  const struct kraw_rawsock_asked *asked)
{
	struct kraw_rawsock_count count = {};
	struct sock *sk, *chosen = NULL;
	struct kraw_rawsock about;

	if (asked->one)
		chosen = choose(net, family, skb, protocol, asked->flow,
				asked->reuseport, &count);
	sk_for_each_rcu(sk, bucket(net, family, protocol)) {
		if (!net_eq(sock_net(sk), net) ||
		    inet_sk(sk)->inet_num != protocol)
			continue;
		explain(net, family, sk, skb, protocol, &about);
		if (asked->one && (!asked->reuseport || sk->sk_reuseport))
			explain_one(sk, &about, chosen);
		asked->seen(asked->data, &about);
	}
}
