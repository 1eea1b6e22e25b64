/* SPDX-License-Identifier: GPL-2.0 */
/* What kraw listen and kraw send have in common. */
#ifndef KRAW_TALK_H
#define KRAW_TALK_H

#include "output.h"
#include "parse.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No datagram of any protocol carries more bytes. */
#define TALK_MAX 65535

/*
 * Answers are marked, by the traffic class LE (RFC 8622): who echoes answers none
 * that is. Two of them would go on for ever.
 */
#define TOS_ANSWER 0x04

/* How payload is written. */
enum payload_form {
	PAYLOAD_BYTES, /* as it is; no form was asked for */
	PAYLOAD_TEXT,
	PAYLOAD_HEX,
	PAYLOAD_JSON, /* as an object that kraw listen prints */
};

/* What the user asked for. */
struct talk {
	uint8_t proto;
	const char *address; /* a name is possible; NULL: any */
	uint16_t port;
	int type; /* SOCK_RAW, SOCK_DGRAM; 0: raw first */
	const char *dev; /* NULL: any */
	uint32_t count; /* 0: without end, or once */
	enum payload_form form;
	const char *file; /* NULL: standard input or output */
	bool has_proto, has_port, exclusive, echo;
};

/* Reads the words behind "listen" or "send". */
int talk_parse(struct args *args, const char *object, struct talk *talk);

union talk_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* One socket, and what there is to tell of it. */
struct talk_socket {
	const struct talk *talk;
	int fd;
	int type; /* SOCK_RAW or SOCK_DGRAM */
	int family; /* AF_INET or AF_INET6 */
	unsigned int families; /* KRAW_FAMILY_...: whose packets it gets */
	union talk_address local;
	union talk_address peer; /* of the family 0: not connected */
};

/* A socket each for IPv4 and IPv6, or one for both. */
struct talk_sockets {
	struct talk_socket entry[2];
	size_t count;
};

/*
 * Opens what was asked for: raw sockets, or else datagram sockets; or tells why
 * not, and what would help. To be closed in any case.
 */
int talk_listen(const struct talk *talk, struct talk_sockets *sockets);
int talk_connect(const struct talk *talk, struct talk_sockets *sockets);
void talk_close(struct talk_sockets *sockets);

/* A datagram that was received; the data are valid until the next one is. */
struct datagram {
	const struct talk *talk;
	union talk_address from, to;
	char dev[IFNAMSIZ]; /* it came in by; empty: not known */
	bool answer; /* of a kraw listen that echoes */
	const uint8_t *data;
	size_t len;
};

enum talk_event {
	TALK_NONE, /* nothing there now */
	TALK_SOME,
	TALK_ERROR, /* told */
};

/* Receives one, without waiting. */
enum talk_event talk_receive(const struct talk_socket *socket,
			     struct datagram *datagram);

/* How many datagrams did not find room in the socket's queue. */
uint32_t talk_lost(const struct talk_socket *socket);

/* Sends it back to where it came from; an error is an errno. */
int talk_answer(const struct talk_socket *socket,
		const struct datagram *datagram);

/* Sends to the peer, or tells why not. */
int talk_send(const struct talk_socket *socket, const uint8_t *data,
	      size_t len);

/* Why a socket that is connected does not work, when the kernel says so. */
int talk_failed(const struct talk_socket *socket, size_t len, int error);

extern const struct field talk_socket_fields[]; /* of struct talk_socket */
extern const struct field datagram_fields[]; /* of struct datagram */

/* The next datagram of the input; *end: there is none. */
struct payload;
int payload_open(struct payload **payload, const struct talk *talk);
int payload_next(struct payload *payload, const uint8_t **data, size_t *len,
		 bool *end);
void payload_close(struct payload *payload);

#endif /* KRAW_TALK_H */
