// SPDX-License-Identifier: GPL-2.0
/*
 * What datagram sockets receive: from the handler of the claim to the socket's
 * queue, and from there to the program.
 *
 * The handler's part runs in an RCU read side with bottom halves off and takes no
 * lock but that of the socket's own queue.
 */
#include "dgram.h"

#include <linux/filter.h>
#include <linux/jhash.h>
#include <linux/once.h>
#include <linux/rcupdate.h>
#include <linux/skbuff.h>
#include <net/inet_common.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>
#include <net/route.h>
#include <net/sock.h>
#include <net/sock_reuseport.h>
#include <net/transp_v6.h>
#include <net/xfrm.h>
#include "ask.h"
#include "compat.h"
#include "member.h"
#include "proto.h"
#include "rawsock.h"
#include "record.h"
#include "stats.h"
#include "uapi/linux/kraw.h"

/* Reads the addresses and, with ports, those of a packet or its sender's. */
static __always_inline void read_key(struct kraw_bind_key *key,
				     enum kraw_family family,
				     const void *local, const void *peer,
				     __be16 lport, __be16 pport)
{
	if (family == KRAW_IPV4) {
		ipv6_addr_set_v4mapped(*(const __be32 *)local, &key->local);
		ipv6_addr_set_v4mapped(*(const __be32 *)peer, &key->peer);
	} else {
		key->local = *(const struct in6_addr *)local;
		key->peer = *(const struct in6_addr *)peer;
	}
	key->lport = lport;
	key->pport = pport;
}

static __always_inline void read_arrival(struct kraw_arrival *at,
					 struct net *net,
					 enum kraw_family family,
					 struct sk_buff *skb)
{
	at->net = net;
	at->family = family;
	if (family == KRAW_IPV4) {
		at->dif = inet_iif(skb);
		at->sdif = inet_sdif(skb);
	} else {
		at->dif = inet6_iif(skb);
		at->sdif = inet6_sdif(skb);
	}
}

/**
 * kraw_dgram_sender - the socket that has sent a packet
 * @net:	namespace
 * @proto:	claimed
 * @family:	...
 * @skb:	an ICMP error about it
 * @saddr:	its source, that is ours
 * @daddr:	its destination
 * @hdr:	what follows its IP header, eight bytes at least
 *
 * Context: RCU. Returns it or NULL.
 */
struct sock *kraw_dgram_sender(struct net *net, const struct kraw_proto *proto,
			       enum kraw_family family, struct sk_buff *skb,
			       const void *saddr, const void *daddr,
			       const struct udphdr *hdr)
{
	struct kraw_bind_key key;
	struct kraw_arrival at;

	read_arrival(&at, net, family, skb);
	if (proto->binds->has_ports)
		read_key(&key, family, saddr, daddr, hdr->source, hdr->dest);
	else
		read_key(&key, family, saddr, daddr, 0, 0);
	return kraw_binds_find(proto->binds, &key, &at);
}

/* The socket's filter, which cannot cut our header off, and its queue. */
static __always_inline enum kraw_socket_result
queue(struct sock *sk, struct sk_buff *skb, enum skb_drop_reason *reason)
{
	int err;

	*reason = SKB_DROP_REASON_SOCKET_FILTER;
	if (sk_filter_trim_cap(sk, skb, kraw_dgram_header(sk) ?: 1))
		return KRAW_SOCKET_RESULT_FILTER;
	*reason = SKB_DROP_REASON_SOCKET_RCVBUFF;
	err = __sock_queue_rcv_skb(sk, skb);
	if (likely(!err))
		return KRAW_SOCKET_RESULT_COPY;
	/* Else what all sockets of the kind may have is used up. */
	return err == -ENOMEM ? KRAW_SOCKET_RESULT_FULL :
				KRAW_SOCKET_RESULT_REFUSED;
}

static void note(const struct kraw_proto *proto, const struct sock *sk,
		 enum kraw_socket_result result)
{
	if (kraw_recording())
		kraw_record_note_dgram(proto->number, kraw_rawsock_inode(sk),
				       result);
}

static noinline void count_refused(const struct kraw_proto *proto,
				   enum kraw_family family,
				   enum kraw_socket_result result)
{
	enum kraw_stats_attr why;

	switch (result) {
	case KRAW_SOCKET_RESULT_POLICY:
		why = KRAW_STATS_A_DGRAM_POLICY;
		break;
	case KRAW_SOCKET_RESULT_FILTER:
		why = KRAW_STATS_A_DGRAM_FILTER;
		break;
	case KRAW_SOCKET_RESULT_FULL:
		why = KRAW_STATS_A_DGRAM_FULL;
		break;
	default:
		why = KRAW_STATS_A_DGRAM_MEMORY;
	}
	kraw_stats_inc(proto->stats, family, KRAW_STATS_A_DGRAM_REFUSED);
	kraw_stats_inc(proto->stats, family, why);
}

/* @noted: for a record, if somebody wants it */
static __always_inline void do_give(const struct kraw_proto *proto,
				    enum kraw_family family, struct sock *sk,
				    struct sk_buff *skb, bool noted)
{
	enum skb_drop_reason reason = SKB_DROP_REASON_XFRM_POLICY;
	enum kraw_socket_result result = KRAW_SOCKET_RESULT_POLICY;

	if (!(family == KRAW_IPV4 ?
	      xfrm4_policy_check(sk, XFRM_POLICY_IN, skb) :
	      xfrm6_policy_check(sk, XFRM_POLICY_IN, skb))) {
		kraw_sk_drops_inc(sk);
		goto refuse;
	}
	nf_reset_ct(skb);
	if (family == KRAW_IPV4)
		kraw_dgram4_prepare(sk, skb);
	skb_dst_drop(skb);
	result = queue(sk, skb, &reason);
	if (result == KRAW_SOCKET_RESULT_COPY) {
		if (noted)
			note(proto, sk, result);
		kraw_stats_inc(proto->stats, family, KRAW_STATS_A_DGRAM);
		return;
	}
refuse:
	if (noted)
		note(proto, sk, result);
	count_refused(proto, family, result);
	kfree_skb_reason(skb, reason);
}

/* Apart: what it needs besides is not to cost those who listen to nothing. */
static noinline void give_noted(const struct kraw_proto *proto,
				enum kraw_family family, struct sock *sk,
				struct sk_buff *skb)
{
	do_give(proto, family, sk, skb, true);
}

/* Consumes the packet. */
static void give(const struct kraw_proto *proto, enum kraw_family family,
		 struct sock *sk, struct sk_buff *skb)
{
	if (kraw_recording())
		give_noted(proto, family, sk, skb);
	else
		do_give(proto, family, sk, skb, false);
}

static bool is_member(struct sock *sk, enum kraw_family family,
		      const struct sk_buff *skb)
{
	return family == KRAW_IPV4 ? kraw_member4(sk, skb) :
				     kraw_member6(sk, skb);
}

/* Of a packet that is for many. */
static bool is_for(const struct kraw_bind *bind, const struct sk_buff *skb,
		   const struct kraw_bind_key *key,
		   const struct kraw_arrival *at)
{
	return kraw_bind_matches(bind, key, at) &&
	       is_member(bind->sk, at->family, skb);
}

/* A copy to each socket that it is for; the last one gets the packet. */
static bool give_all(const struct kraw_proto *proto, struct sk_buff *skb,
		     const struct kraw_bind_key *key,
		     const struct kraw_arrival *at)
{
	struct rhlist_head *list, *pos;
	const struct kraw_bind *bind;
	struct sock *last = NULL;
	struct sk_buff *clone;

	list = kraw_binds_all(proto->binds, key->lport);
	rhl_for_each_entry_rcu(bind, pos, list, port) {
		if (!is_for(bind, skb, key, at))
			continue;
		clone = last ? skb_clone(skb, GFP_ATOMIC) : NULL;
		if (clone) {
			give(proto, at->family, last, clone);
		} else if (last) {
			note(proto, last, KRAW_SOCKET_RESULT_REFUSED);
			count_refused(proto, at->family,
				      KRAW_SOCKET_RESULT_REFUSED);
		}
		last = bind->sk;
	}
	if (last)
		give(proto, at->family, last, skb);
	return last;
}

/* Our header is there, and as much as it says. */
static __always_inline bool is_whole(struct sk_buff *skb)
{
	const struct udphdr *hdr;
	unsigned int len;

	if (!pskb_may_pull(skb, sizeof(*hdr)))
		return false;
	hdr = (struct udphdr *)skb->data;
	len = ntohs(hdr->len);
	return len >= sizeof(*hdr) && len <= skb->len &&
	       (len == skb->len || !pskb_trim_rcsum(skb, len));
}

/* The checksum of the whole; in IPv4 there may be none. */
static bool is_good(u8 number, enum kraw_family family, struct sk_buff *skb)
{
	const struct udphdr *hdr = (struct udphdr *)skb->data;

	if (family == KRAW_IPV4)
		return !skb_checksum_validate_zero_check(skb, number,
							 hdr->check,
							 inet_compute_pseudo);
	return hdr->check &&
	       !skb_checksum_validate(skb, number, ip6_compute_pseudo);
}

static bool for_many(enum kraw_family family, const struct sk_buff *skb)
{
	if (family == KRAW_IPV4)
		return skb_rtable(skb)->rt_flags &
		       (RTCF_BROADCAST | RTCF_MULTICAST);
	return ipv6_addr_is_multicast(&ipv6_hdr(skb)->daddr);
}

static __always_inline void read_addresses(const struct kraw_proto *proto,
					   enum kraw_family family,
					   const struct sk_buff *skb,
					   struct kraw_bind_key *key)
{
	const struct udphdr *hdr = (struct udphdr *)skb->data;
	__be16 lport = 0, pport = 0;

	if (proto->binds->has_ports) {
		lport = hdr->dest;
		pport = hdr->source;
	}
	if (family == KRAW_IPV4)
		read_key(key, family, &ip_hdr(skb)->daddr, &ip_hdr(skb)->saddr,
			 lport, pport);
	else
		read_key(key, family, &ipv6_hdr(skb)->daddr,
			 &ipv6_hdr(skb)->saddr, lport, pport);
}

/*
 * Returns what is wrong with the packet, or KRAW_DGRAM_RESULT_SOCKETS; its
 * checksum may be left out. Inline: what it fills need not be cleared then.
 */
static __always_inline enum kraw_dgram_result
read_packet(struct net *net, const struct kraw_proto *proto,
	    enum kraw_family family, struct sk_buff *skb, bool checked,
	    struct kraw_bind_key *key, struct kraw_arrival *at)
{
	if (proto->binds->has_ports) {
		if (!is_whole(skb))
			return KRAW_DGRAM_RESULT_HEADER;
		if (checked && !is_good(proto->number, family, skb))
			return KRAW_DGRAM_RESULT_CHECKSUM;
	}
	read_addresses(proto, family, skb, key);
	read_arrival(at, net, family, skb);
	return KRAW_DGRAM_RESULT_SOCKETS;
}

/* SO_REUSEPORT: one of the group, by flow or by its program. */
static noinline struct sock *of_group(struct sock *sk,
				      const struct kraw_proto *proto,
				      enum kraw_family family,
				      struct sk_buff *skb)
{
	static u32 seed __read_mostly;
	struct kraw_bind_key key;
	u32 hash;

	if (sk->sk_state == TCP_ESTABLISHED)
		return sk;
	read_addresses(proto, family, skb, &key);
	net_get_random_once(&seed, sizeof(seed));
	hash = jhash_3words(ipv6_addr_hash(&key.peer),
			    ipv6_addr_hash(&key.local),
			    (__force u32)key.lport << 16 |
			    (__force u32)key.pport, seed);
	return reuseport_select_sock(sk, hash, skb, kraw_dgram_header(sk)) ?:
	       sk;
}

/**
 * kraw_dgram_rcv - give a packet to its sockets
 * @net:	namespace
 * @proto:	claimed
 * @family:	...
 * @skb:	data at the transport header; is consumed but for KRAW_DGRAM_NOBODY
 */
enum kraw_dgram_outcome kraw_dgram_rcv(struct net *net,
				       const struct kraw_proto *proto,
				       enum kraw_family family,
				       struct sk_buff *skb)
{
	enum kraw_dgram_result result;
	struct kraw_bind_key key;
	struct kraw_arrival at;
	struct sock *sk;

	result = read_packet(net, proto, family, skb, true, &key, &at);
	if (result != KRAW_DGRAM_RESULT_SOCKETS) {
		kraw_record_dgrams(proto->number, result);
		kraw_stats_inc(proto->stats, family, KRAW_STATS_A_DGRAM_BAD);
		kraw_stats_inc(proto->stats, family,
			       result == KRAW_DGRAM_RESULT_HEADER ?
			       KRAW_STATS_A_DGRAM_HEADER :
			       KRAW_STATS_A_DGRAM_CHECKSUM);
		kfree_skb(skb);
		return KRAW_DGRAM_BAD;
	}
	if (for_many(family, skb))
		return give_all(proto, skb, &key, &at) ? KRAW_DGRAM_HAD :
							 KRAW_DGRAM_NOBODY;
	sk = kraw_binds_find(proto->binds, &key, &at);
	if (!sk)
		return KRAW_DGRAM_NOBODY;
	if (sk->sk_reuseport)
		sk = of_group(sk, proto, family, skb);
	give(proto, family, sk, skb);
	return KRAW_DGRAM_HAD;
}

/* The group's own program would be run twice. */
static bool is_doubtful(const struct sock *sk)
{
	const struct sock_reuseport *group;
	const struct bpf_prog *prog;

	if (!sk->sk_reuseport || sk->sk_state == TCP_ESTABLISHED)
		return false;
	group = rcu_dereference(sk->sk_reuseport_cb);
	prog = group ? rcu_dereference(group->prog) : NULL;
	return prog && !bpf_prog_was_classic(prog);
}

/* Why a packet is not for an entry; or it is. */
static enum kraw_socket_result mismatch(const struct kraw_bind *bind,
					const struct kraw_bind_key *key,
					const struct kraw_arrival *at)
{
	const struct kraw_bind_key *own = &bind->key;

	if (kraw_bind_matches(bind, key, at))
		return KRAW_SOCKET_RESULT_COPY;
	if (!ipv6_addr_any(&own->local) &&
	    !ipv6_addr_equal(&own->local, &key->local))
		return KRAW_SOCKET_RESULT_LOCAL;
	if (!ipv6_addr_any(&own->peer) &&
	    (!ipv6_addr_equal(&own->peer, &key->peer) ||
	     own->pport != key->pport))
		return KRAW_SOCKET_RESULT_PEER;
	return KRAW_SOCKET_RESULT_DEVICE;
}

/* The socket that gets it alone; NULL: many may. */
struct choice {
	struct sock *sk;
	const void *doubtful;	/* its group, if that decides and is not asked */
};

static enum kraw_socket_result result_of(const struct kraw_bind *bind,
					 struct sk_buff *skb,
					 const struct kraw_arrival *at,
					 const struct choice *choice, bool many)
{
	if (many)
		return is_member(bind->sk, at->family, skb) ?
		       kraw_ask_queue(bind->sk, skb) :
		       KRAW_SOCKET_RESULT_MEMBER;
	if (choice->doubtful &&
	    rcu_access_pointer(bind->sk->sk_reuseport_cb) == choice->doubtful)
		return KRAW_SOCKET_RESULT_UNKNOWN;
	if (choice->doubtful || bind->sk != choice->sk)
		return KRAW_SOCKET_RESULT_NOT_CHOSEN;
	return kraw_ask_queue(bind->sk, skb);
}

static void describe(const struct kraw_bind *bind, enum kraw_family family,
		     struct kraw_rawsock *about)
{
	const struct kraw_bind_key *key = &bind->key;

	memset(about, 0, sizeof(*about));
	about->inode = kraw_rawsock_inode(bind->sk);
	about->ifindex = READ_ONCE(bind->sk->sk_bound_dev_if);
	about->lport = ntohs(key->lport);
	about->pport = ntohs(key->pport);
	if (family == KRAW_IPV6) {
		about->local = key->local;
		about->peer = key->peer;
	} else {
		/* The last word of a v4-mapped address, and of none. */
		about->local.s6_addr32[0] = key->local.s6_addr32[3];
		about->peer.s6_addr32[0] = key->peer.s6_addr32[3];
	}
}

/**
 * kraw_dgram_explain - what kraw_dgram_rcv() would do, without doing it
 * @net:	namespace
 * @proto:	claimed
 * @family:	...
 * @skb:	data at the transport header, linear, with nobody else; its checksum
 *		is taken for good
 * @asked:	is told of each socket that has the packet's port, in this family
 *
 * IPsec policy is not asked: that would count. Context: RCU.
 */
enum kraw_dgram_result kraw_dgram_explain(struct net *net,
					  const struct kraw_proto *proto,
					  enum kraw_family family,
					  struct sk_buff *skb,
					  const struct kraw_rawsock_asked *asked)
{
	bool many = for_many(family, skb), got = false;
	struct kraw_bind_key key, scratch;
	enum kraw_dgram_result result;
	struct rhlist_head *list, *pos;
	const struct kraw_bind *bind;
	struct choice choice = {};
	struct kraw_rawsock about;
	struct kraw_arrival at;

	result = read_packet(net, proto, family, skb, false, &key, &at);
	if (result != KRAW_DGRAM_RESULT_SOCKETS)
		return result;
	if (!many) {
		scratch = key;
		choice.sk = kraw_binds_find(proto->binds, &scratch, &at);
		if (choice.sk && is_doubtful(choice.sk))
			choice.doubtful =
				rcu_access_pointer(choice.sk->sk_reuseport_cb);
		else if (choice.sk)
			choice.sk = of_group(choice.sk, proto, family,
					     skb);
	}
	list = kraw_binds_all(proto->binds, key.lport);
	rhl_for_each_entry_rcu(bind, pos, list, port) {
		if (!(bind->families & BIT(family)))
			continue;
		describe(bind, family, &about);
		about.result = mismatch(bind, &key, &at);
		about.matched = about.result == KRAW_SOCKET_RESULT_COPY;
		if (about.matched)
			about.result = result_of(bind, skb, &at, &choice, many);
		about.chosen = bind->sk == choice.sk && !choice.doubtful;
		got |= about.matched &&
		       about.result != KRAW_SOCKET_RESULT_MEMBER;
		asked->seen(asked->data, &about);
	}
	if (!many)
		got = choice.sk;
	return got ? KRAW_DGRAM_RESULT_SOCKETS : KRAW_DGRAM_RESULT_NOBODY;
}

/* Notes whom it is for; returns what is wrong with it, if that is so. */
static enum kraw_dgram_result expect(struct net *net,
				     const struct kraw_proto *proto,
				     enum kraw_family family,
				     struct sk_buff *skb)
{
	enum kraw_dgram_result result;
	struct rhlist_head *list, *pos;
	const struct kraw_bind *bind;
	struct kraw_bind_key key;
	struct kraw_arrival at;
	struct sock *sk;

	result = read_packet(net, proto, family, skb, true, &key, &at);
	if (result != KRAW_DGRAM_RESULT_SOCKETS)
		return result;
	if (!for_many(family, skb)) {
		sk = kraw_binds_find(proto->binds, &key, &at);
		if (!sk)
			return KRAW_DGRAM_RESULT_NOBODY;
		if (is_doubtful(sk)) {
			note(proto, sk, KRAW_SOCKET_RESULT_UNKNOWN);
		} else {
			if (sk->sk_reuseport)
				sk = of_group(sk, proto, family, skb);
			note(proto, sk, kraw_ask_queue(sk, skb));
		}
		return result;
	}
	result = KRAW_DGRAM_RESULT_NOBODY;
	list = kraw_binds_all(proto->binds, key.lport);
	rhl_for_each_entry_rcu(bind, pos, list, port) {
		if (!is_for(bind, skb, &key, &at))
			continue;
		note(proto, bind->sk, kraw_ask_queue(bind->sk, skb));
		result = KRAW_DGRAM_RESULT_SOCKETS;
	}
	return result;
}

/**
 * kraw_dgram_expect - note what kraw_dgram_rcv() is going to do
 * @net:	namespace
 * @proto:	claimed
 * @family:	...
 * @skb:	data at the transport header; stays as it is
 *
 * Returns whether nobody will have it, and the sender is to be told.
 */
bool kraw_dgram_expect(struct net *net, const struct kraw_proto *proto,
		       enum kraw_family family, struct sk_buff *skb)
{
	struct sk_buff *clone = skb_clone(skb, GFP_ATOMIC | __GFP_NOWARN);
	enum kraw_dgram_result result;

	if (!clone)
		return false;
	result = expect(net, proto, family, clone);
	if (result != KRAW_DGRAM_RESULT_SOCKETS)
		kraw_record_dgrams(proto->number, result);
	consume_skb(clone);
	return result == KRAW_DGRAM_RESULT_NOBODY;
}

/* The address that a datagram came from. */
static int read_name(const struct sock *sk, const struct sk_buff *skb,
		     void *name)
{
	__be16 port = kraw_dgram_header(sk) ? udp_hdr(skb)->source : 0;
	struct sockaddr_in6 *sin6 = name;
	struct sockaddr_in *sin = name;

	if (sk->sk_family == AF_INET) {
		memset(sin, 0, sizeof(*sin));
		sin->sin_family = AF_INET;
		sin->sin_port = port;
		sin->sin_addr.s_addr = ip_hdr(skb)->saddr;
		return sizeof(*sin);
	}
	memset(sin6, 0, sizeof(*sin6));
	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = port;
	if (skb->protocol == htons(ETH_P_IP)) {
		ipv6_addr_set_v4mapped(ip_hdr(skb)->saddr, &sin6->sin6_addr);
	} else {
		sin6->sin6_addr = ipv6_hdr(skb)->saddr;
		sin6->sin6_scope_id = ipv6_iface_scope_id(&sin6->sin6_addr,
							  inet6_iif(skb));
	}
	return sizeof(*sin6);
}

/* IPV6_PKTINFO of an IPv4 datagram. */
static void put_mapped_info(struct msghdr *msg, const struct sk_buff *skb)
{
	struct in6_pktinfo info;

	info.ipi6_ifindex = PKTINFO_SKB_CB(skb)->ipi_ifindex;
	ipv6_addr_set_v4mapped(ip_hdr(skb)->daddr, &info.ipi6_addr);
	put_cmsg(msg, SOL_IPV6, IPV6_PKTINFO, sizeof(info), &info);
}

static void put_control(struct sock *sk, struct msghdr *msg,
			struct sk_buff *skb)
{
	sock_recv_cmsgs(msg, sk, skb);
	if (skb->protocol == htons(ETH_P_IPV6)) {
		if (inet6_sk(sk)->rxopt.all)
			ip6_datagram_recv_ctl(sk, msg, skb);
		return;
	}
	if (sk->sk_family == AF_INET6 && inet6_sk(sk)->rxopt.bits.rxinfo)
		put_mapped_info(msg, skb);
	if (kraw_sk_cmsg_flags(sk))
		ip_cmsg_recv_offset(msg, sk, skb, kraw_dgram_header(sk), 0);
}

/* Mostly it is in one piece. */
static int copy_out(const struct sk_buff *skb, unsigned int offset,
		    struct msghdr *msg, size_t len)
{
	if (offset + len > skb_headlen(skb))
		return skb_copy_datagram_msg(skb, offset, msg, len);
	return copy_to_iter(skb->data + offset, len, &msg->msg_iter) == len ?
	       0 : -EFAULT;
}

KRAW_RECVMSG(kraw_dgram_recvmsg)
{
	unsigned int header = kraw_dgram_header(sk);
	struct sk_buff *skb;
	size_t size, copied;
	int err;

	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (flags & MSG_ERRQUEUE) {
		err = kraw_inet_recv_error(sk, msg, len);
		kraw_recvmsg_named(msg, addr_len);
		return err;
	}
	skb = skb_recv_datagram(sk, flags, &err);
	if (!skb)
		return READ_ONCE(kraw_dgram(sk)->closed) ? -ENETDOWN : err;
	size = skb->len - header;
	copied = min(len, size);
	if (copied < size)
		msg->msg_flags |= MSG_TRUNC;
	err = copy_out(skb, header, msg, copied);
	if (!err) {
		if (msg->msg_name) {
			msg->msg_namelen = read_name(sk, skb,
						     msg->msg_name);
			kraw_recvmsg_named(msg, addr_len);
		}
		put_control(sk, msg, skb);
		err = flags & MSG_TRUNC ? size : copied;
	}
	skb_free_datagram(sk, skb);
	return err;
}
