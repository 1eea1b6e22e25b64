/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A round of the differential suite: some raw sockets in right, some packets for
 * them, all by chance. The same seed and number make the same round.
 */
#ifndef RAW7_SCENE_H
#define RAW7_SCENE_H

#include "lab.h"

#define READERS_MAX 6
#define PACKETS_MAX 6
#define TAG_LEN	    8

#define RIGHT2_4   "10.9.0.3"
#define RIGHT2_6   "fd09::3"
#define GROUP4	   "224.0.0.5"
#define GROUP6	   "ff02::5"
#define BROADCAST4 "10.9.0.255"

/* Where a socket is bound or a packet goes, in right. */
enum place { NO_PLACE, MINE, SECOND, LOCAL, GROUP, BROADCAST };

/* Who sends, or is connected to. */
enum peer { NO_PEER, PEER, PEER2, SELF };

enum program { NO_PROGRAM, ACCEPT, REJECT, EVEN, PROGRAMS };

/* Of the group, on r0. */
enum member { NO_MEMBER, JOINED, INCLUDE_PEER, EXCLUDE_PEER, MEMBERS };

enum {
	OPTION_INFO = 1,
	OPTION_TTL = 2,
	OPTION_TOS = 4,
	OPTION_TIME = 8,
	OPTION_DROPS = 16,
	OPTION_HEADERS = 32,
	OPTIONS = 64,
};

/* One of our raw sockets. */
struct reader {
	int fd;
	int proto;
	enum place bound;
	enum peer connected;
	const char *device; /* or NULL */
	enum program program; /* the socket's filter */
	enum member member;
	bool not_all; /* multicasts of groups that others joined */
	bool icmp_filtered;
	uint8_t icmp_filter[32]; /* a bit for each type; IPv4 has 32 types */
	bool checksum; /* IPV6_CHECKSUM, at 2 */
	bool small; /* a receive buffer for some packets only */
	unsigned int options;
};

struct piece {
	uint8_t data[256];
	size_t len;
};

/* One of our packets, as it is sent: in one or two pieces. */
struct item {
	enum peer from;
	enum place to;
	int proto;
	struct piece pieces[2];
	int count;
	/* what raw sockets of IPv6 receive, in IPv4 behind the header */
	uint8_t body[128];
	size_t body_len;
	size_t tag_at; /* in the body */
	bool checksum_good; /* at 2 */
};

struct scene {
	int family;
	struct reader readers[READERS_MAX];
	int readers_count;
	struct item items[PACKETS_MAX];
	int items_count;
};

void scene_make(struct scene *scene, uint64_t seed, unsigned int number);
/* Open the sockets, in the namespace right, where we are. */
void scene_open(struct scene *scene);
void scene_close(struct scene *scene);
const char *place_address(int family, enum place place);
const char *peer_address(int family, enum peer peer);

#endif /* RAW7_SCENE_H */
