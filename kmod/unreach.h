/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel does with a packet that nobody receives. */
#ifndef _KRAW_UNREACH_H
#define _KRAW_UNREACH_H

#include "net.h"
#include "uapi/linux/kraw.h"

struct kraw_proto;
struct sk_buff;

/**
 * kraw_unreach_wanted - whether the sender is to be told
 * @unreach:	enum kraw_unreach
 * @had:	somebody had the packet, if no handler of the kernel's own
 */
static inline bool kraw_unreach_wanted(u8 unreach, bool had)
{
	return had ? unreach == KRAW_UNREACH_ALWAYS :
		     unreach != KRAW_UNREACH_NEVER;
}

/**
 * struct kraw_icmp_seen - what the kernel's sender of ICMP errors has counted
 * @sent:	messages sent
 * @limited:	... and kept back by the rate limits
 *
 * Of this CPU: what has changed between two looks with bottom halves off, the
 * packet in hand has changed. With PREEMPT_RT since 6.18 another task may have
 * sent one on this CPU in between; then an error that was kept back is taken for
 * one that was sent.
 */
struct kraw_icmp_seen {
	unsigned long sent;
	unsigned long limited;
};

void kraw_unreach_look(struct net *net, enum kraw_family family,
		       struct kraw_icmp_seen *seen);
void kraw_unreach_count(struct net *net, const struct kraw_proto *proto,
			enum kraw_family family,
			const struct kraw_icmp_seen *before);
void kraw_unreach_answer(const struct kraw_proto *proto,
			 enum kraw_family family, struct sk_buff *skb);
void kraw_unreach_port(const struct kraw_proto *proto,
		       enum kraw_family family, struct sk_buff *skb);
bool kraw_unreach_drop(const struct kraw_proto *proto,
		       enum kraw_family family, struct sk_buff *skb,
		       bool answer);
bool kraw_unreach_policy(enum kraw_family family, struct sk_buff *skb);
bool kraw_unreach_silent(enum kraw_family family, const struct sk_buff *skb);

#endif /* _KRAW_UNREACH_H */
