/* SPDX-License-Identifier: GPL-2.0 */
/* A match: from the attributes of a rule and back. */
#ifndef _KRAW_MATCH_H
#define _KRAW_MATCH_H

#include <linux/types.h>

struct kraw_match;
struct net;
struct netlink_ext_ack;
struct nlattr;
struct sk_buff;

int kraw_match_parse(struct net *net, struct kraw_match *match, u8 hook,
		     struct nlattr **tb, struct netlink_ext_ack *extack);
int kraw_match_parse_bpf(struct kraw_match *match, const struct nlattr *nla,
			 struct netlink_ext_ack *extack);
int kraw_match_dev(struct net *net, char *name, const struct nlattr *nla,
		   struct netlink_ext_ack *extack);
int kraw_match_fill(struct sk_buff *msg, const struct kraw_match *match);

#endif /* _KRAW_MATCH_H */
