/* SPDX-License-Identifier: GPL-2.0 */
/* A limit: how many packets a second a rule may match. */
#ifndef _KRAW_LIMIT_H
#define _KRAW_LIMIT_H

#include <linux/types.h>

struct kraw_limit;
struct netlink_ext_ack;
struct nlattr;
struct sk_buff;

int kraw_limit_parse(struct kraw_limit **limit, struct nlattr **tb,
		     struct netlink_ext_ack *extack);
void kraw_limit_free(struct kraw_limit *limit);
bool kraw_limit_same(const struct kraw_limit *a, const struct kraw_limit *b);
int kraw_limit_fill(struct sk_buff *msg, const struct kraw_limit *limit,
		    bool counters);
bool kraw_limit_pass(struct kraw_limit *limit);
bool kraw_limit_allows(const struct kraw_limit *limit);

#endif /* _KRAW_LIMIT_H */
