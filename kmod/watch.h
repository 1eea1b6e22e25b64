/* SPDX-License-Identifier: GPL-2.0 */
/* Watching what the kernel does with a packet, for "account exact". */
#ifndef _KRAW_WATCH_H
#define _KRAW_WATCH_H

#include <linux/types.h>
#include "net.h"
#include "scope.h"

struct sk_buff;
struct sock;

/* Why a raw socket refused a copy, in the order of KRAW_STATS_A_RAW_POLICY ... */
enum kraw_refusal {
	KRAW_REFUSAL_POLICY,
	KRAW_REFUSAL_CHECKSUM,
	KRAW_REFUSAL_FILTER,
	KRAW_REFUSAL_FULL,
	KRAW_REFUSAL_MEMORY,
	KRAW_REFUSAL_UNKNOWN,	/* filter or full */
	KRAW_REFUSALS
};

/**
 * struct kraw_watch - a packet that is watched
 * @scope:	in which it is
 * @family:	enum kraw_family
 * @number:	protocol number of the raw sockets whose queues are watched
 * @skb:	the packet; its copies share its data
 * @head:	of that data
 * @full:	the last one of them that met a full queue
 * @full_sk:	whose that was
 * @refused:	copies that raw sockets refused, by enum kraw_refusal
 * @queued:	copies that raw sockets have; with KRAW_ROOM_FIRST only
 * @policy:	the packet itself was refused by IPsec policy
 * @nobody:	the kernel has found nobody to give it to
 * @discarded:	it was discarded on its way to a handler, for another reason
 */
struct kraw_watch {
	struct kraw_scope scope;
	u8 family;
	u8 number;
	const struct sk_buff *skb;
	const unsigned char *head;
	const struct sk_buff *full;
	const struct sock *full_sk;
	u32 refused[KRAW_REFUSALS];
	u32 queued;
	bool policy;
	bool nobody;
	bool discarded;
};

void kraw_watch_begin(struct kraw_watch *watch, enum kraw_family family,
		      u8 number, const struct sk_buff *skb);
void kraw_watch_end(const struct kraw_watch *watch);

int kraw_watch_get(void);
void kraw_watch_put(void);
void kraw_watch_exit(void);

#endif /* _KRAW_WATCH_H */
