/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_MROUTE_H
#define KRAW_MROUTE_H

#include "sockets.h"

/*
 * The role of the multicast routing daemon: who has set it up (MRT_INIT,
 * MRT6_INIT) has the packets of unknown groups, and of PIM's registers; the next
 * one that asks for it is told "address already in use".
 */
enum mroute_held {
	MROUTE_UNKNOWN, /* it cannot be read */
	MROUTE_FREE,
	MROUTE_LIKELY, /* one of these sockets has it: more ask than there are roles */
	MROUTE_CERTAIN,
};

struct mroute {
	uint8_t family;
	enum mroute_held held;
	const struct raw_socket **socket; /* those that have, or may have it */
	size_t count;
};

/*
 * Finds it among the raw sockets of this network namespace, which are to stay
 * where they are; to be cleared. DETAILS: kraw.ko has told of them.
 */
void mroute_get(struct mroute *mroute, uint8_t family,
		const struct raw_sockets *sockets, bool details);
void mroute_clear(struct mroute *mroute);

#endif /* KRAW_MROUTE_H */
