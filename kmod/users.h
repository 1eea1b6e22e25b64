/* SPDX-License-Identifier: GPL-2.0 */
/* Who may open datagram sockets of a claimed protocol. */
#ifndef _KRAW_USERS_H
#define _KRAW_USERS_H

#include <net/netlink.h>
#include "uapi/linux/kraw.h"

#define KRAW_USERS_MAX	16

/**
 * struct kraw_users - a list of users and groups; whoever has CAP_NET_RAW may in
 *	any case
 * @count:	of @range
 * @range:	kind is enum kraw_user_kind; ids as the user namespace of the
 *		network namespace sees them, both ends belong to the range
 */
struct kraw_users {
	unsigned int count;
	struct kraw_users_range {
		u8 kind;
		u32 min;
		u32 max;
	} range[KRAW_USERS_MAX];
};

extern const struct nla_policy kraw_users_policy[KRAW_USERS_A_MAX + 1];

int kraw_users_parse(struct kraw_users *users, const struct nlattr *nest,
		     struct netlink_ext_ack *extack);
int kraw_users_fill(struct sk_buff *msg, const struct kraw_users *users);
bool kraw_users_allow(const struct kraw_users *users, const struct net *net);

#endif /* _KRAW_USERS_H */
