/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_SOCKETS_H
#define KRAW_SOCKETS_H

#include "device.h"
#include "owners.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is known of a socket's filter depends on who asks, and whom. */
struct socket_filter {
	bool known;
	uint32_t length; /* instructions; 0: there is none */
	bool ebpf;
	bool refuses_all;
};

/* Signs that nobody reads from a socket. */
enum unread {
	UNREAD_NO,
	UNREAD_HALF, /* its queue is more than half full */
	UNREAD_GROWS, /* its queue grew while we looked, and never shrank */
};

/* What a datagram socket has, and a raw socket has not. */
struct dgram_socket {
	uint8_t receives; /* KRAW_FAMILY_*; 0: it has no address yet */
	uint16_t local_port, peer_port; /* 0: none */
	bool exclusive, reuseaddr, reuseport, v6only;
};

/* A raw socket of a network namespace, or a datagram socket of a claim. */
struct raw_socket {
	struct owners owners; /* and its inode */
	uint8_t family; /* AF_INET or AF_INET6 */
	uint8_t protocol;
	uint8_t local[16], peer[16]; /* zero: any */
	struct device device; /* that it is bound to */
	uint32_t queue, limit; /* bytes; no limit: it is unknown */
	uint32_t drops;
	uint32_t uid;
	bool hdrincl, hdrincl_known;
	struct socket_filter filter;
	uint32_t icmp_filter[8]; /* a bit for each type that is refused */
	bool icmp_filter_known;
	bool mroute; /* has set up multicast routing */
	uint32_t mroute_table;
	enum unread unread;
	bool grew, shrank; /* its queue, while we looked */
	bool gone; /* while we looked */
	struct dgram_socket dgram;
};

struct raw_sockets {
	struct raw_socket *entry; /* by protocol, then family */
	size_t count, size;
	bool no_diag; /* read from /proc, which says less */
	bool dgram; /* datagram sockets of claims, not raw sockets */
};

/* A packet socket (AF_PACKET) that receives something. */
struct packet_socket {
	struct owners owners;
	uint8_t type; /* SOCK_RAW, SOCK_DGRAM or SOCK_PACKET */
	uint16_t protocol; /* an ethertype, or ETH_P_ALL */
	struct device device;
	bool has_memory; /* what follows is known */
	uint32_t queue, limit, drops;
	uint32_t uid;
	bool uid_known;
	struct socket_filter filter;
};

struct packet_sockets {
	struct packet_socket *entry;
	size_t count, size;
	bool no_diag;
	int error; /* an errno: nothing could be read */
};

/*
 * Fills the list, to be cleared, with the sockets of one protocol or, if it is
 * negative, of all; without their owners. Returns 0 or an errno.
 */
int raw_sockets_get(struct raw_sockets *sockets, int protocol);
void raw_sockets_clear(struct raw_sockets *sockets);

/* The same with datagram sockets, which kraw.ko knows; it must be there. */
int dgram_sockets_get(struct raw_sockets *sockets);

/* For those who read them: one more, empty; all, in any order, without devices. */
struct raw_socket *raw_sockets_add(struct raw_sockets *sockets);
int dgram_sockets_read(struct raw_sockets *sockets);

/*
 * Looks a second time: who is gone meanwhile, whose queue has grown. Sleeps for
 * a moment if a queue is to be watched.
 */
void raw_sockets_watch(struct raw_sockets *sockets);

/* The same for the packet sockets that see IP packets. */
int packet_sockets_get(struct packet_sockets *sockets);

/* Forgets those that have no owner because they are gone meanwhile. */
void packet_sockets_check(struct packet_sockets *sockets);
void packet_sockets_clear(struct packet_sockets *sockets);

/* Whether a packet socket may see a protocol of that family. */
bool packet_socket_sees(const struct packet_socket *entry, uint8_t family);

/*
 * Adds what only kraw.ko knows; it must be there. Returns 0 or an errno, EPERM
 * without the capability.
 */
int socket_details_get(struct raw_sockets *raw, struct packet_sockets *packets);

#endif /* KRAW_SOCKETS_H */
