/* SPDX-License-Identifier: GPL-2.0 */
/* Whether a socket is a member of the group that a packet is for. */
#ifndef _KRAW_MEMBER_H
#define _KRAW_MEMBER_H

#include <linux/types.h>

struct sk_buff;
struct sock;

bool kraw_member4(const struct sock *sk, const struct sk_buff *skb);
bool kraw_member6(const struct sock *sk, const struct sk_buff *skb);

#endif /* _KRAW_MEMBER_H */
