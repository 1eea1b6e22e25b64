/* SPDX-License-Identifier: GPL-2.0 */
/* Mirror: a copy of a packet leaves by another device. */
#ifndef _KRAW_MIRROR_H
#define _KRAW_MIRROR_H

#include "net.h"

struct sk_buff;

bool kraw_mirror_send(struct net *net, const char *name,
		      enum kraw_family family, struct sk_buff *skb);

void kraw_mirror_init(void);

#endif /* _KRAW_MIRROR_H */
