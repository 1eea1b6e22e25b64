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

void kraw_unreach_answer(const struct kraw_proto *proto,
			 enum kraw_family family, struct sk_buff *skb);
void kraw_unreach_drop(const struct kraw_proto *proto,
		       enum kraw_family family, struct sk_buff *skb,
		       bool answer);
bool kraw_unreach_policy(enum kraw_family family, struct sk_buff *skb);
bool kraw_unreach_silent(enum kraw_family family, const struct sk_buff *skb);

#endif /* _KRAW_UNREACH_H */
