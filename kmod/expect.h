/* SPDX-License-Identifier: GPL-2.0 */
/* What becomes of a packet that verdict all leaves to the kernel. */
#ifndef _KRAW_EXPECT_H
#define _KRAW_EXPECT_H

#include "net.h"
#include "record.h"

struct kraw_proto;
struct sk_buff;

/* Of no use but behind kraw_recording(). */
void kraw_expect_note(const struct kraw_proto *proto, struct sk_buff *skb);

/**
 * kraw_expect - note what the kernel will do with a packet
 * @proto:	its protocol
 * @skb:	data at the IP header, the transport header set
 */
static __always_inline void kraw_expect(const struct kraw_proto *proto,
					struct sk_buff *skb)
{
	if (kraw_recording())
		kraw_expect_note(proto, skb);
}

#endif /* _KRAW_EXPECT_H */
