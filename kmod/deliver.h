/* SPDX-License-Identifier: GPL-2.0 */
/* Carries an input verdict out. */
#ifndef _KRAW_DELIVER_H
#define _KRAW_DELIVER_H

#include <linux/skbuff.h>
#include "net.h"
#include "uapi/linux/kraw.h"

struct in6_addr;
struct kraw_decision;
struct kraw_proto;
struct nf_hook_state;

unsigned int kraw_deliver(const struct kraw_proto *proto,
			  const struct kraw_decision *decision,
			  enum kraw_stats_attr dropped, enum kraw_family family,
			  struct sk_buff *skb,
			  const struct nf_hook_state *state);
void kraw_deliver_unwanted(const struct kraw_proto *proto,
			   enum kraw_family family, struct sk_buff *skb);
int kraw_deliver_exthdr(struct net *net, struct sk_buff *skb, u8 nexthdr);
bool kraw_deliver_member6(const struct net_device *dev,
			  const struct in6_addr *group,
			  const struct in6_addr *source);
enum skb_drop_reason kraw_deliver_final6(struct net *net, struct sk_buff *skb,
					 u8 nexthdr);

#endif /* _KRAW_DELIVER_H */
