/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_TRACE_H
#define KRAW_TRACE_H

#include "config.h"
#include "sockets.h"

/* A raw socket that matched a packet, or a datagram socket that it is for. */
struct receiver {
	uint32_t inode; /* 0: closed meanwhile */
	uint8_t result; /* enum kraw_socket_result */
	const struct owners *owners; /* NULL: not found */
};

#define RECEIVERS_MAX 64 /* the kernel names fewer */

/* Those of one kind. */
struct receivers {
	uint32_t matching; /* the named ones, and others */
	struct receiver list[RECEIVERS_MAX];
	size_t count;
};

/* What became of a packet. */
struct record {
	uint64_t set; /* BIT(KRAW_TRACE_A_...) of what is filled in */
	uint64_t time; /* nanoseconds since 1970 */
	uint64_t seq, lost;
	uint8_t hook;
	uint8_t proto;
	uint8_t family; /* AF_INET or AF_INET6 */
	uint8_t src[16], dst[16];
	char dev[IFNAMSIZ];
	uint32_t len;
	uint8_t verdict;
	uint32_t handle, pref;
	uint32_t sender, uid;
	const struct owners *sender_owners; /* NULL: not found */
	struct receivers raw, dgram;
	uint8_t dgram_result;
	char *handler; /* to be freed, as is ... */
	char *module;
	uint8_t handler_result;
	uint8_t icmp_result, icmp_type, icmp_code;
	uint32_t icmp_pointer;
	const uint8_t *data; /* in the message */
	size_t data_len;
};

/* Reads a message; the record is to be cleared. */
int record_get(const struct nlmsghdr *nlh, struct record *record);
void record_clear(struct record *record);

/*
 * Finds out who holds the sockets of a record: best effort, the kernel names
 * inodes. What is found is valid until the next call.
 */
void record_owners(struct record *record);
void record_owners_forget(void);

#endif /* KRAW_TRACE_H */
