/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The two namespaces that the tests run in, what is sent and received there, and
 * who sees it from outside:
 *
 *	 left                          right
 *	+---------------------+       +---------------------+
 *	| l0  10.9.0.1/24     |-------| r0  10.9.0.2/24     |
 *	|     fd09::1/64      |       |     fd09::2/64      |
 *	|     + others        |       +---------------------+
 *	+---------------------+
 *
 * They are krawtest.netns', who runs us makes them. Everything is on one CPU, so
 * packets stay in order on their way through the veth pair, and after settle()
 * all that was sent has arrived, and so have the answers.
 *
 * Whatever a case receives is written to the output, what changes from run to
 * run masked, and so are the counters of /proc/net that it changed: two runs are
 * compared by comparing their output.
 */
#ifndef RAW7_LAB_H
#define RAW7_LAB_H

#include "packet.h"

#include <stdbool.h>
#include <sys/types.h>

enum ns { LEFT, RIGHT };

/* Packet sockets: what leaves by a device. */
enum wire { WIRE_L0, WIRE_R0, WIRE_LO /* left's */, WIRES };

#define L4  "10.9.0.1"
#define L6  "fd09::1"
#define R4  "10.9.0.2"
#define R6  "fd09::2"
#define LO4 "127.0.0.1"
#define LO6 "::1"
/* of left, too */
#define OTHER4 "10.9.0.17"
#define OTHER6 "fd09::1:1"

static inline const char *left(int family)
{
	return family == V4 ? L4 : L6;
}

static inline const char *right(int family)
{
	return family == V4 ? R4 : R6;
}

static inline const char *other(int family)
{
	return family == V4 ? OTHER4 : OTHER6;
}

static inline const char *loopback(int family)
{
	return family == V4 ? LO4 : LO6;
}

static inline size_t header_len(int family)
{
	return family == V4 ? IP4_LEN : IP6_LEN;
}

/* For case.c. */
void lab_open(void);
void lab_begin(const char *id);
void lab_end(void);

/* Enter a namespace. */
void in(enum ns ns);
/* A socket of a namespace, not blocking; it ends with the case. */
int sock(enum ns ns, int family, int type, int proto);
int raw(enum ns ns, int family, int proto);
/* A raw socket that takes whole packets, and receives none of those tests send. */
int sender(enum ns ns, int family);
/* Readers in both namespaces, so that nobody says that there are none. */
void hush(int family, int proto);
/* Close before the end of the case. */
void sock_close(int fd);
/* Our setsockopt(), bind(), connect(): they work. */
void option(int fd, int level, int name, int value);
int option_get(int fd, int level, int name);
void bind_to(int fd, const char *text);
/* A UDP socket's: a port of the kernel's choice would differ each time. */
void bind_port(int fd, const char *text, uint16_t port);
void connect_to(int fd, const char *text);
void sysctl_set(enum ns ns, const char *path, const char *value);

/* sendto(); -1 and errno */
ssize_t send_to(int fd, const void *data, size_t len, const char *text);
/* A packet of `proto` with this text after the header, from a sender(). */
void send_packet(int fd, const char *src, const char *dst, uint8_t proto,
		 const char *text);
void settle(void);

struct got {
	uint8_t data[PACKET_MAX];
	ssize_t len;
	int flags;
	union address from;
	uint8_t control[512] __attribute__((aligned(8)));
	size_t control_len;
};

/* What is there now, without waiting; false and errno if there is none. */
bool receive(int fd, struct got *got);
bool receive_error(int fd, struct got *got);
/* settle(), then receive all: how many? The last one is in `got`, if given. */
int drain(int fd, struct got *got);
/* One control message, or NULL. */
const void *control(const struct got *got, int level, int type);
/* The payload of what a raw socket got, behind the IPv4 header. */
const uint8_t *payload(int family, const struct got *got, size_t *len);
/* Is this text (without its NUL) the payload, or, for carries, its beginning? */
bool carries(int family, const struct got *got, const char *text);

/* The next packet that left by a device, from its IP header on. */
bool wire_next(enum wire wire, struct got *got);
/* settle(), then how many? The last one is in `got`, if given. */
int wire_drain(enum wire wire, struct got *got);
/* Nothing has left, by any device, since the last look at them. */
bool silence(void);
/* The call failed with this error, and no packet has left. */
bool refused(ssize_t result, int error, const char *what);

/* A counter of /proc/net/snmp ("IpInReceives") or snmp6 ("Ip6InReceives"). */
long counter(enum ns ns, const char *name);

#endif /* RAW7_LAB_H */
