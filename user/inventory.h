/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_INVENTORY_H
#define KRAW_INVENTORY_H

#include "config.h"
#include "mroute.h"
#include "netns.h"
#include "sockets.h"

/* Who receives what in one network namespace. */
struct place {
	const struct netns *netns;
	bool entered; /* it could be looked at */
	bool module; /* protocols and handlers are known */
	bool details; /* what kraw.ko tells of sockets is known */
	bool dgrams; /* datagram sockets are known */
	struct proto_list protos;
	struct handler handlers[256][2]; /* no symbol: nobody */
	struct raw_sockets raw;
	struct raw_sockets dgram;
	struct packet_sockets packets;
	struct mroute mroute[2]; /* IPv4, IPv6 */
};

/* The same of all that were asked for. */
struct inventory {
	struct netns_list list;
	struct place *place; /* one each */
};

/*
 * Finds it all, in this network namespace or in all; to be cleared in any case.
 * What cannot be known is told in notes. Returns a status.
 */
int inventory_get(struct inventory *inventory, bool all);
void inventory_clear(struct inventory *inventory);

#endif /* KRAW_INVENTORY_H */
