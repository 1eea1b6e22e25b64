/* SPDX-License-Identifier: GPL-2.0 */
/* Carries an input verdict out. */
#ifndef _KRAW_DELIVER_H
#define _KRAW_DELIVER_H

#include "net.h"

struct kraw_decision;
struct kraw_proto;
struct sk_buff;

unsigned int kraw_deliver(struct net *net, const struct kraw_proto *proto,
			  const struct kraw_decision *decision,
			  enum kraw_family family, struct sk_buff *skb);
int kraw_deliver_exthdr(struct net *net, struct sk_buff *skb, u8 nexthdr);

#endif /* _KRAW_DELIVER_H */
