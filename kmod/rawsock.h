/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's raw sockets. */
#ifndef _KRAW_RAWSOCK_H
#define _KRAW_RAWSOCK_H

#include "net.h"

struct sk_buff;
struct sock;

/**
 * struct kraw_rawsock_count - what became of a packet's copies
 * @matched:	sockets that it matched
 * @copies:	queued
 * @filtered:	refused by ICMP_FILTER, ICMP6_FILTER or multicast membership
 * @refused:	refused by policy, socket filter, checksum, a full queue or lack
 *		of memory
 * @next:	kraw_rawsock_choose(): the first choice had no room, another has
 */
struct kraw_rawsock_count {
	u32 matched;
	u32 copies;
	u32 filtered;
	u32 refused;
	bool next;
};

bool kraw_rawsock_match(struct net *net, enum kraw_family family,
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

#endif /* _KRAW_RAWSOCK_H */
