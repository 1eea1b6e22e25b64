/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_EVENT_H
#define KRAW_EVENT_H

#include "process.h"

#include <libmnl/libmnl.h>
#include <stdint.h>

/* Something has happened to a datagram socket. */
struct event {
	uint64_t set; /* BIT(KRAW_EVENT_A_...) of what is filled in */
	uint8_t kind; /* enum kraw_event_kind */
	uint8_t proto;
	uint8_t claim;
	uint8_t family; /* one bit KRAW_FAMILY_* */
	uint32_t inode, uid;
	uint8_t local[16], peer[16];
	uint16_t local_port, peer_port;
	uint32_t ifindex;
	struct process process;
};

/* Reads a notification; the event is to be cleared. Returns 0 or a status. */
int event_get(const struct nlmsghdr *nlh, struct event *event);
void event_clear(struct event *event);

#endif /* KRAW_EVENT_H */
