/* SPDX-License-Identifier: GPL-2.0 */
/* A packet that is described, to ask what would become of it. */
#ifndef _KRAW_SAMPLE_H
#define _KRAW_SAMPLE_H

#include <linux/if.h>
#include <linux/in6.h>
#include <net/netlink.h>
#include "net.h"
#include "uapi/linux/kraw.h"

struct sk_buff;

/**
 * struct kraw_sample - a described packet
 * @family:	...
 * @proto:	protocol number
 * @ttl:	TTL or hop limit
 * @dscp:	DS field without the ECN bits
 * @fragment:	it came in fragments
 * @len:	bytes with the IP header
 * @mark:	...
 * @src:	IPv4 in the first word
 * @dst:	...
 * @dev:	name of the device by which it comes in; empty: not chosen yet
 */
struct kraw_sample {
	enum kraw_family family;
	u8 proto;
	u8 ttl;
	u8 dscp;
	bool fragment;
	u32 len;
	u32 mark;
	struct in6_addr src;
	struct in6_addr dst;
	char dev[IFNAMSIZ];
};

extern const struct nla_policy kraw_sample_policy[KRAW_PACKET_A_MAX + 1];

struct sk_buff *kraw_sample_build(struct net *net, struct kraw_sample *sample,
				  const struct nlattr *nest,
				  struct netlink_ext_ack *extack);
int kraw_sample_arrive(struct net *net, struct kraw_sample *sample,
		       struct sk_buff *skb, struct netlink_ext_ack *extack);
bool kraw_sample_route_back(struct net *net, const struct kraw_sample *sample,
			    const struct sk_buff *skb);
int kraw_sample_fill(struct sk_buff *msg, const struct kraw_sample *sample);

#endif /* _KRAW_SAMPLE_H */
