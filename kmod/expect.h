/* SPDX-License-Identifier: GPL-2.0 */
/* What becomes of a packet that verdict all leaves to the kernel. */
#ifndef _KRAW_EXPECT_H
#define _KRAW_EXPECT_H

#include "net.h"
#include "record.h"
#include "watch.h"

struct kraw_proto;
struct sk_buff;
struct sock;

/* Of no use but behind kraw_recording(). */
void kraw_expect_note(const struct kraw_proto *proto, struct sk_buff *skb);
void kraw_expect_watch(const struct kraw_proto *proto, struct sk_buff *skb);
void kraw_expect_note_refused(const struct sock *sk, enum kraw_refusal why);
void kraw_expect_note_queued(const struct sock *sk);
void kraw_expect_settle(const struct kraw_proto *proto,
			enum kraw_stats_attr end);

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

/**
 * kraw_expect_refused - note that a raw socket has refused a copy
 * @sk:		which one, NULL: it is not known
 * @why:	...
 */
static __always_inline void kraw_expect_refused(const struct sock *sk,
						enum kraw_refusal why)
{
	if (kraw_recording())
		kraw_expect_note_refused(sk, why);
}

/**
 * kraw_expect_queued - note that a raw socket has a copy in its queue
 * @sk:		...
 *
 * With KRAW_ROOM_FIRST each one is told of, see watch.c.
 */
static __always_inline void kraw_expect_queued(const struct sock *sk)
{
	if (kraw_recording())
		kraw_expect_note_queued(sk);
}

#endif /* _KRAW_EXPECT_H */
