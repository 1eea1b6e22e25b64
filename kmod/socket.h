/* SPDX-License-Identifier: GPL-2.0 */
/* What sock_diag does not tell of the sockets of a namespace. */
#ifndef _KRAW_SOCKET_H
#define _KRAW_SOCKET_H

struct netlink_callback;
struct sk_buff;

int kraw_socket_dump(struct sk_buff *msg, struct netlink_callback *cb);

#endif /* _KRAW_SOCKET_H */
