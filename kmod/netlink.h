/* SPDX-License-Identifier: GPL-2.0 */
/* The generic netlink family "kraw". */
#ifndef _KRAW_NETLINK_H
#define _KRAW_NETLINK_H

struct genl_family;

/* Multicast groups: places in the family's list. */
enum {
	KRAW_NETLINK_CONFIG,
	KRAW_NETLINK_SOCKETS,
};

extern struct genl_family kraw_genl;

int kraw_netlink_init(void);
void kraw_netlink_exit(void);

#endif /* _KRAW_NETLINK_H */
