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

/**
 * struct kraw_users_who - somebody who is not there; ids as in struct kraw_users
 * @has_uid:	...
 * @has_gid:	...
 * @uid:	if @has_uid; 0 is taken to have CAP_NET_RAW
 * @gid:	if @has_gid, his only group
 */
struct kraw_users_who {
	bool has_uid;
	bool has_gid;
	u32 uid;
	u32 gid;
};

extern const struct nla_policy kraw_users_policy[KRAW_USERS_A_MAX + 1];

int kraw_users_parse(struct kraw_users *users, const struct nlattr *nest,
		     struct netlink_ext_ack *extack);
int kraw_users_fill(struct sk_buff *msg, const struct kraw_users *users);
int kraw_users_range_fill(struct sk_buff *msg, int attr,
			  const struct kraw_users_range *range);
enum kraw_open_result kraw_users_ask(const struct kraw_users *users,
				     const struct net *net,
				     const struct kraw_users_who *who,
				     const struct kraw_users_range **entry);

#endif /* _KRAW_USERS_H */
