/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_DESCRIBE_SOCKET_H
#define KRAW_DESCRIBE_SOCKET_H

#include "describe.h"
#include "mroute.h"
#include "netns.h"
#include "sockets.h"

/* Each of these is shown with the namespace that it is in. */
struct raw_row {
	const struct netns *netns;
	const struct raw_socket *socket;
};

struct packet_row {
	const struct netns *netns;
	const struct packet_socket *socket;
};

struct role_row {
	const struct netns *netns;
	const struct mroute *mroute;
	const struct raw_socket *socket; /* NULL: none is to be seen */
};

/* Pieces that are the same for all kinds of sockets. */
json_t *socket_user(uint32_t uid); /* null: no name */
json_t *socket_user_text(uint32_t uid);
json_t *socket_netns(const struct netns *netns);
json_t *socket_device(const struct device *device);
json_t *socket_device_text(const struct device *device);
json_t *socket_filter_length(const struct socket_filter *filter);
json_t *socket_filter_kind(const struct socket_filter *filter);
json_t *socket_filter_refuses_all(const struct socket_filter *filter);
char *socket_filter_text(const struct socket_filter *filter); /* to be freed */

/* The man page lists the keys: they stay as they are. */
extern const struct field raw_fields[]; /* of struct raw_row */
extern const struct field dgram_fields[]; /* the same, of datagram sockets */
extern const struct field packet_fields[]; /* of struct packet_row */
extern const struct field role_fields[]; /* of struct role_row */

#endif /* KRAW_DESCRIBE_SOCKET_H */
