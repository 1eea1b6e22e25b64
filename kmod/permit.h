/* SPDX-License-Identifier: GPL-2.0 */
/* Whether a datagram socket of a protocol may be opened, and why. */
#ifndef _KRAW_PERMIT_H
#define _KRAW_PERMIT_H

#include <net/netlink.h>
#include "net.h"
#include "users.h"
#include "uapi/linux/kraw.h"

struct genl_info;
struct kraw_proto;
struct sk_buff;

/**
 * struct kraw_permit - an answer
 * @result:	enum kraw_open_result
 * @proto:	managed, be it in another family; or NULL
 * @entry:	the entry of its users that allows it, or NULL
 */
struct kraw_permit {
	u8 result;
	const struct kraw_proto *proto;
	const struct kraw_users_range *entry;
};

extern const struct nla_policy kraw_permit_policy[KRAW_OPEN_A_MAX + 1];

void kraw_permit_ask(struct net *net, u8 number, enum kraw_family family,
		     const struct kraw_users_who *who,
		     struct kraw_permit *permit);
int kraw_permit_error(const struct kraw_permit *permit);
int kraw_permit_explain(struct sk_buff *skb, struct genl_info *info);

#endif /* _KRAW_PERMIT_H */
