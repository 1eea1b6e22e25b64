/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's raw sockets. */
#ifndef _KRAW_RAWSOCK_H
#define _KRAW_RAWSOCK_H

#include <linux/in6.h>
#include "net.h"
#include "watch.h"

struct sk_buff;
struct sock;

/**
 * struct kraw_rawsock_count - what became of a packet's copies
 * @exact:	set by the caller: the kernel can be watched, see watch.h
 * @matched:	sockets that it matched
 * @copies:	queued
 * @filtered:	refused by ICMP_FILTER, ICMP6_FILTER or multicast membership
 * @refused:	by enum kraw_refusal; filter and full are unknown unless @exact
 * @passed:	of those refused, the ones that count as no receiver: they were
 *		full, and this kernel passes over them
 * @next:	kraw_rawsock_choose(): the first choice had no room, another has
 */
struct kraw_rawsock_count {
	bool exact;
	u32 matched;
	u32 copies;
	u32 filtered;
	u32 refused[KRAW_REFUSALS];
	u32 passed;
	bool next;
};

/* Whether any socket has, as the kernel sees it, received the packet. */
static inline bool kraw_rawsock_any(const struct kraw_rawsock_count *count)
{
	return count->matched > count->passed;
}

/**
 * struct kraw_rawsock_found - what raw sockets say before there are copies; in
 *	registers
 * @matched:	as in struct kraw_rawsock_count
 * @filtered:	...
 * @passed:	...
 */
struct kraw_rawsock_found {
	u32 matched;
	u32 filtered;
	u32 passed;
};

/* As kraw_rawsock_any(), before there are copies. */
static inline bool kraw_rawsock_found_any(struct kraw_rawsock_found found)
{
	return found.matched > found.passed;
}

/**
 * struct kraw_rawsock - a raw socket, or a datagram socket of a claim, and what it
 *	would do with a packet
 * @sk:	itself; under RCU
 * @inode:	names it
 * @ifindex:	bound to this device; 0: to none
 * @local:	bound to this address, IPv4 in the first word; zero: to none
 * @peer:	connected to this address, as @local
 * @lport:	bound to this port, in host byte order; 0: there are none
 * @pport:	connected to this port, as @lport
 * @matched:	it matches, whether it accepts the packet or not
 * @passed:	... but is full, and this kernel passes over it
 * @chosen:	verdict one chooses it; of datagram sockets: it gets it alone
 * @result:	enum kraw_socket_result
 */
struct kraw_rawsock {
	const struct sock *sk;
	u32 inode;
	int ifindex;
	struct in6_addr local;
	struct in6_addr peer;
	u16 lport;
	u16 pport;
	bool matched;
	bool passed;
	bool chosen;
	u8 result;
};

/**
 * struct kraw_rawsock_asked - who asks what raw sockets would do
 * @seen:	is told of each socket of the protocol, match or no match; of
 *		datagram sockets those of the packet's port
 * @data:	for @seen
 * @one:	verdict one is to choose
 * @reuseport:	... only among those with SO_REUSEPORT
 * @flow:	... by this, from kraw_one_flow()
 */
struct kraw_rawsock_asked {
	void (*seen)(void *data, const struct kraw_rawsock *about);
	void *data;
	bool one;
	bool reuseport;
	u64 flow;
};

u32 kraw_rawsock_inode(const struct sock *sk);
enum kraw_socket_result kraw_rawsock_refused(enum kraw_refusal why);
bool kraw_rawsock_match(struct net *net, enum kraw_family family,
			struct sk_buff *skb, u8 protocol);
struct kraw_rawsock_found kraw_rawsock_ask(struct net *net,
					   enum kraw_family family,
					   struct sk_buff *skb, u8 protocol);
void kraw_rawsock_deliver(struct net *net, enum kraw_family family,
			  struct sk_buff *skb, u8 protocol,
			  struct kraw_rawsock_count *count);
struct sock *kraw_rawsock_choose(struct net *net, enum kraw_family family,
				 struct sk_buff *skb, u8 protocol, u64 flow,
				 bool reuseport,
				 struct kraw_rawsock_count *count);
void kraw_rawsock_give(enum kraw_family family, struct sock *sk,
		       struct sk_buff *skb, struct kraw_rawsock_count *count);
void kraw_rawsock_explain(struct net *net, enum kraw_family family,
			  struct sk_buff *skb, u8 protocol,
			  const struct kraw_rawsock_asked *asked);

#endif /* _KRAW_RAWSOCK_H */
