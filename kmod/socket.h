/* SPDX-License-Identifier: GPL-2.0 */
/* What sock_diag does not tell of the sockets of a namespace. */
#ifndef _KRAW_SOCKET_H
#define _KRAW_SOCKET_H

#include <linux/types.h>

struct netlink_callback;
struct sk_buff;
struct sock;

int kraw_socket_filter_fill(struct sk_buff *msg, const struct sock *sk,
			    u32 *flags);
int kraw_socket_dump(struct sk_buff *msg, struct netlink_callback *cb);

#endif /* _KRAW_SOCKET_H */
