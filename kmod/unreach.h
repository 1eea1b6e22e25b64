/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel does with a packet that nobody receives. */
#ifndef _KRAW_UNREACH_H
#define _KRAW_UNREACH_H

#include "net.h"

struct kraw_proto;
struct sk_buff;

void kraw_unreach_answer(const struct kraw_proto *proto,
			 enum kraw_family family, struct sk_buff *skb);
void kraw_unreach_drop(const struct kraw_proto *proto,
		       enum kraw_family family, struct sk_buff *skb,
		       bool answer);
bool kraw_unreach_policy(enum kraw_family family, struct sk_buff *skb);

#endif /* _KRAW_UNREACH_H */
