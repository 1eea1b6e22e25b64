/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_SOCKETS_H
#define KRAW_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct socket_owner {
	char *name;
	pid_t pid;
	int fd;
};

/* A raw socket of this network namespace. */
struct raw_socket {
	uint8_t family; /* AF_INET or AF_INET6 */
	uint8_t protocol;
	uint8_t local[16], peer[16]; /* zero: any */
	uint32_t ifindex; /* 0: any device */
	bool no_device; /* the kernel did not tell it */
	uint32_t receive_queue; /* bytes */
	uint32_t drops;
	uint32_t uid;
	uint64_t inode;
	struct socket_owner *owner;
	size_t owners;
	bool hidden; /* nobody found, not everybody was visible */
};

struct raw_sockets {
	struct raw_socket *entry; /* by protocol, then family */
	size_t count, size;
	bool no_diag; /* read from /proc, which says less */
};

/*
 * Fills the list, to be cleared, with the sockets of one protocol or, if it is
 * negative, of all. That nothing can be read is told.
 */
int raw_sockets_get(struct raw_sockets *sockets, int protocol);
void raw_sockets_clear(struct raw_sockets *sockets);

#endif /* KRAW_SOCKETS_H */
