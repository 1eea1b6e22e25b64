// SPDX-License-Identifier: GPL-2.0
#include "scene.h"
#include "case.h"

#include <arpa/inet.h>
#include <net/if.h> /* before linux/icmp.h, which brings the kernel's */
#include <linux/filter.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif
#define SOL_RAW_ 255

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* --- chance ---------------------------------------------------------------- */

static uint64_t state;

/* xorshift64*, by George Marsaglia and Sebastiano Vigna */
static uint32_t chance(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (state * 0x2545f4914f6cdd1dULL) >> 32;
}

static void chance_start(uint64_t seed, unsigned int number)
{
	int i;

	state = (seed + 1) * 0x9e3779b97f4a7c15ULL ^
		(number + 1) * 0xbf58476d1ce4e5b9ULL;
	if (!state)
		state = 1;
	for (i = 0; i < 8; i++)
		chance();
}

static unsigned int below(unsigned int limit)
{
	return chance() % limit;
}

static bool one_in(unsigned int count)
{
	return !below(count);
}

/* --- addresses ------------------------------------------------------------- */

const char *place_address(int family, enum place place)
{
	switch (place) {
	case MINE:
		return right(family);
	case SECOND:
		return family == V4 ? RIGHT2_4 : RIGHT2_6;
	case LOCAL:
		return loopback(family);
	case GROUP:
		return family == V4 ? GROUP4 : GROUP6;
	case BROADCAST:
		return BROADCAST4;
	case NO_PLACE:
		break;
	}
	return NULL;
}

const char *peer_address(int family, enum peer peer)
{
	switch (peer) {
	case PEER:
		return left(family);
	case PEER2:
		return other(family);
	case SELF:
		return right(family);
	case NO_PEER:
		break;
	}
	return NULL;
}

/* --- by chance: sockets ----------------------------------------------------- */

static void make_reader(int family, struct reader *reader, int proto)
{
	bool icmp_proto = proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
	size_t i;

	memset(reader, 0, sizeof(*reader));
	reader->fd = -1;
	reader->proto = proto;
	if (one_in(3))
		reader->bound = (enum place[]){ MINE, SECOND, LOCAL,
						GROUP }[below(4)];
	if (one_in(4))
		reader->connected = (enum peer[]){ PEER, PEER2,
						   SELF }[below(3)];
	if (one_in(4))
		reader->device = one_in(3) ? "lo" : "r0";
	/* an address of lo is no source on r0 */
	if (reader->bound == LOCAL || reader->bound == GROUP)
		reader->connected = NO_PEER;
	if (reader->device && reader->connected)
		reader->device = "r0";
	if (reader->bound == GROUP && family == V6)
		reader->device = "r0";
	/* the kernel's choice of our address is not ours to know */
	if (family == V6 && reader->connected && !reader->bound)
		reader->bound = MINE;
	/* in IPv6 an address has to be the device's */
	if (family == V6 && reader->bound)
		reader->device = reader->bound == LOCAL ? NULL : reader->device;
	if (family == V6 && reader->device && reader->bound)
		reader->device = "r0";
	if (one_in(3))
		reader->program = below(PROGRAMS);
	if (one_in(4))
		reader->member = below(MEMBERS);
	reader->not_all = one_in(3);
	reader->icmp_filtered = icmp_proto && one_in(2);
	for (i = 0; i < sizeof(reader->icmp_filter); i++)
		reader->icmp_filter[i] = chance();
	reader->checksum = family == V6 && proto >= 253 && one_in(3);
	reader->small = one_in(6);
	reader->options = below(OPTIONS);
}

/* --- by chance: packets ----------------------------------------------------- */

static size_t make_icmp(int family, struct item *item, const char *src,
			const char *dst, const uint8_t *tag)
{
	static const uint8_t types4[] = { 8, 8, 0, 15, 37, 40, 200 };
	static const uint8_t types6[] = { 128, 128, 129, 160, 200, 201 };
	uint8_t type = family == V4 ? types4[below(COUNT(types4))] :
				      types6[below(COUNT(types6))];

	item->tag_at = 8;
	return icmp(item->body, src, dst, type, 0, chance(), tag, TAG_LEN + 8);
}

static size_t make_tcp(struct item *item, const char *src, const char *dst,
		       const uint8_t *tag)
{
	uint16_t check;
	size_t len;

	len = tcp_syn(item->body, src, dst, 4000 + below(3), 9, chance());
	memcpy(item->body + len, tag, TAG_LEN + 8);
	len += TAG_LEN + 8;
	memset(item->body + 16, 0, 2);
	check = checksum_upper(src, dst, IPPROTO_TCP, item->body, len);
	memcpy(item->body + 16, &check, sizeof(check));
	item->tag_at = 20;
	return len;
}

/* Two bytes, then two that may be a checksum, then four of no meaning. */
static size_t make_other(struct item *item, const char *src, const char *dst,
			 const uint8_t *tag)
{
	size_t len = 8 + TAG_LEN + 8;
	uint16_t check;
	int i;

	for (i = 0; i < 8; i++)
		item->body[i] = chance();
	memcpy(item->body + 8, tag, TAG_LEN + 8);
	item->tag_at = 8;
	item->checksum_good = one_in(2);
	if (!item->checksum_good)
		return len;
	memset(item->body + 2, 0, 2);
	check = checksum_upper(src, dst, item->proto, item->body, len);
	memcpy(item->body + 2, &check, sizeof(check));
	return len;
}

static void mutate_header(int family, uint8_t *data)
{
	struct iphdr *header = (struct iphdr *)data;

	if (family == V6) {
		data[0] = 0x60 | below(16);
		data[1] = below(256);
		data[7] = 1 + below(255);
		return;
	}
	header->tos = below(256);
	header->ttl = 1 + below(255);
	header->id = htons(1 + below(0xffff));
	if (one_in(3))
		header->frag_off = htons(0x4000);
	header->check = 0;
	header->check = checksum(header, sizeof(*header));
}

/*
 * Where the second piece starts. IPv6 wants the whole header of the upper layer in
 * the first one (RFC 7112).
 */
static size_t second(const struct item *item)
{
	return item->proto == IPPROTO_TCP ? 24 : 16;
}

static void split4(struct item *item, const char *src, const char *dst)
{
	uint16_t id = htons(1 + below(0xffff)), offset;
	struct iphdr *header;
	size_t at, len;
	int i;

	for (i = 0; i < 2; i++) {
		at = i ? second(item) : 0;
		len = i ? item->body_len - at : second(item);
		item->pieces[i].len = packet(item->pieces[i].data, src, dst,
					     item->proto, item->body + at, len);
		header = (struct iphdr *)item->pieces[i].data;
		offset = i ? at / 8 : 0x2000;
		header->frag_off = htons(offset);
		header->id = id;
		header->check = 0;
		header->check = checksum(header, sizeof(*header));
	}
	item->count = 2;
}

static void split6(struct item *item, const char *src, const char *dst)
{
	uint8_t part[256] = { 0 };
	uint32_t id = chance();
	size_t at, len;
	int i;

	part[0] = item->proto;
	memcpy(part + 4, &id, sizeof(id));
	for (i = 0; i < 2; i++) {
		at = i ? second(item) : 0;
		len = i ? item->body_len - at : second(item);
		part[3] = i ? at : 1;
		memcpy(part + 8, item->body + at, len);
		item->pieces[i].len = packet(item->pieces[i].data, src, dst,
					     IPPROTO_FRAGMENT, part, 8 + len);
	}
	item->count = 2;
}

/* Destination options before the payload. */
static void extended6(struct item *item, const char *src, const char *dst)
{
	uint8_t data[256] = { 0, 0, 1, 4 };

	data[0] = item->proto;
	memcpy(data + 8, item->body, item->body_len);
	item->pieces[0].len = packet(item->pieces[0].data, src, dst,
				     IPPROTO_DSTOPTS, data, 8 + item->body_len);
	item->count = 1;
}

static void make_item(int family, struct item *item, int proto,
		      const uint8_t *tag)
{
	const char *src, *dst;
	struct piece *piece = &item->pieces[0];

	memset(item, 0, sizeof(*item));
	item->proto = proto;
	item->from = (enum peer[]){ PEER, PEER, PEER2, SELF }[below(4)];
	if (item->from == SELF)
		item->to = (enum place[]){ MINE, SECOND, LOCAL }[below(3)];
	else
		item->to = (enum place[]){ MINE,   MINE,  MINE,
					   SECOND, GROUP, BROADCAST }[below(6)];
	if (item->to == BROADCAST && family == V6)
		item->to = GROUP;
	src = item->to == LOCAL ? loopback(family) :
				  peer_address(family, item->from);
	dst = place_address(family, item->to);
	switch (proto) {
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		item->body_len = make_icmp(family, item, src, dst, tag);
		break;
	case IPPROTO_UDP:
		item->tag_at = 8;
		item->body_len = udp(item->body, src, dst, 4000 + below(3),
				     one_in(2) ? 4711 : 9, tag, TAG_LEN + 8);
		break;
	case IPPROTO_TCP:
		item->body_len = make_tcp(item, src, dst, tag);
		break;
	default:
		item->body_len = make_other(item, src, dst, tag);
	}
	if (one_in(5)) {
		if (family == V4)
			split4(item, src, dst);
		else
			split6(item, src, dst);
		return;
	}
	if (family == V6 && one_in(6)) {
		extended6(item, src, dst);
		return;
	}
	piece->len = packet(piece->data, src, dst, proto, item->body,
			    item->body_len);
	mutate_header(family, piece->data);
	item->count = 1;
}

void scene_make(struct scene *scene, uint64_t seed, unsigned int number)
{
	static const int protos4[] = { 253, 253, 254, 89, 1, 17, 6 };
	static const int protos6[] = { 253, 253, 254, 89, 58, 17, 6 };
	uint8_t tag[TAG_LEN + 8] = "tag";
	int protos[2], i;

	memset(scene, 0, sizeof(*scene));
	chance_start(seed, number);
	scene->family = one_in(2) ? V4 : V6;
	for (i = 0; i < 2; i++)
		protos[i] = scene->family == V4 ?
				    protos4[below(COUNT(protos4))] :
				    protos6[below(COUNT(protos6))];
	scene->readers_count = below(READERS_MAX + 1);
	for (i = 0; i < scene->readers_count; i++)
		make_reader(scene->family, &scene->readers[i],
			    protos[one_in(4)]);
	scene->items_count = 1 + below(PACKETS_MAX);
	for (i = 0; i < scene->items_count; i++) {
		tag[3] = i;
		number = htonl(number);
		memcpy(tag + 4, &number, sizeof(number));
		number = ntohl(number);
		make_item(scene->family, &scene->items[i], protos[one_in(4)],
			  tag);
	}
}

/* --- opening ----------------------------------------------------------------- */

static void attach(int family, int fd, enum program program)
{
	/* the first byte behind the IPv4 header, which IPv6 does not have */
	struct sock_filter even[] = {
		BPF_STMT(family == V4 ? BPF_LDX | BPF_B | BPF_MSH :
					BPF_LDX | BPF_W | BPF_IMM,
			 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
	};
	struct sock_filter simple[] = {
		BPF_STMT(BPF_RET | BPF_K, program == ACCEPT ? 0xffff : 0),
	};
	struct sock_fprog code = {
		.len = program == EVEN ? COUNT(even) : COUNT(simple),
		.filter = program == EVEN ? even : simple,
	};

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &code, sizeof(code)))
		bail("SO_ATTACH_FILTER");
}

static void join(int family, const struct reader *reader)
{
	int level = family == V4 ? IPPROTO_IP : IPPROTO_IPV6, r0;
	enum member member = reader->member;
	int fd = reader->fd;
	struct group_source_req source;
	union address group, peer;
	struct group_req req;

	r0 = if_nametoindex("r0");
	group = address(place_address(family, GROUP));
	peer = address(peer_address(family, PEER));
	memset(&source, 0, sizeof(source));
	source.gsr_interface = r0;
	memcpy(&source.gsr_group, &group, sizeof(group));
	memcpy(&source.gsr_source, &peer, sizeof(peer));
	if (member == INCLUDE_PEER) {
		if (setsockopt(fd, level, MCAST_JOIN_SOURCE_GROUP, &source,
			       sizeof(source)))
			bail("MCAST_JOIN_SOURCE_GROUP");
		return;
	}
	memset(&req, 0, sizeof(req));
	req.gr_interface = r0;
	memcpy(&req.gr_group, &group, sizeof(group));
	if (setsockopt(fd, level, MCAST_JOIN_GROUP, &req, sizeof(req)))
		bail("MCAST_JOIN_GROUP");
	if (member == EXCLUDE_PEER &&
	    setsockopt(fd, level, MCAST_BLOCK_SOURCE, &source, sizeof(source)))
		bail("MCAST_BLOCK_SOURCE");
}

/* The kernel counts types in words, the lowest bit first. */
static uint32_t word(const uint8_t *bits)
{
	return bits[0] | bits[1] << 8 | bits[2] << 16 | (uint32_t)bits[3] << 24;
}

static void icmp_filter(int family, const struct reader *reader)
{
	struct icmp6_filter filter6;
	struct icmp_filter filter;
	size_t i;

	if (family == V4) {
		filter.data = word(reader->icmp_filter);
		if (setsockopt(reader->fd, SOL_RAW_, ICMP_FILTER, &filter,
			       sizeof(filter)))
			bail("ICMP_FILTER");
		return;
	}
	for (i = 0; i < COUNT(filter6.icmp6_filt); i++)
		filter6.icmp6_filt[i] = word(reader->icmp_filter + 4 * i);
	if (setsockopt(reader->fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter6,
		       sizeof(filter6)))
		bail("ICMP6_FILTER");
}

static void options4(const struct reader *reader)
{
	if (reader->options & OPTION_INFO)
		option(reader->fd, IPPROTO_IP, IP_PKTINFO, 1);
	if (reader->options & OPTION_TTL)
		option(reader->fd, IPPROTO_IP, IP_RECVTTL, 1);
	if (reader->options & OPTION_TOS)
		option(reader->fd, IPPROTO_IP, IP_RECVTOS, 1);
	if (reader->options & OPTION_HEADERS)
		option(reader->fd, IPPROTO_IP, IP_RECVOPTS, 1);
}

static void options6(const struct reader *reader)
{
	if (reader->options & OPTION_INFO)
		option(reader->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	if (reader->options & OPTION_TTL)
		option(reader->fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
	if (reader->options & OPTION_TOS)
		option(reader->fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
	if (reader->options & OPTION_HEADERS)
		option(reader->fd, IPPROTO_IPV6, IPV6_RECVDSTOPTS, 1);
}

static void open_reader(int family, struct reader *reader)
{
	reader->fd = raw(RIGHT, family, reader->proto);
	if (family == V4)
		options4(reader);
	else
		options6(reader);
	if (reader->options & OPTION_TIME)
		option(reader->fd, SOL_SOCKET, SO_TIMESTAMP, 1);
	if (reader->options & OPTION_DROPS)
		option(reader->fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
	if (reader->small)
		option(reader->fd, SOL_SOCKET, SO_RCVBUF, 1);
	if (reader->device &&
	    setsockopt(reader->fd, SOL_SOCKET, SO_BINDTODEVICE, reader->device,
		       strlen(reader->device)))
		bail("SO_BINDTODEVICE");
	if (reader->icmp_filtered)
		icmp_filter(family, reader);
	if (reader->program)
		attach(family, reader->fd, reader->program);
	if (reader->member)
		join(family, reader);
	if (reader->not_all)
		option(reader->fd, family == V4 ? IPPROTO_IP : IPPROTO_IPV6,
		       family == V4 ? IP_MULTICAST_ALL : IPV6_MULTICAST_ALL, 0);
	if (reader->checksum)
		option(reader->fd, IPPROTO_IPV6, IPV6_CHECKSUM, 2);
	if (reader->bound)
		bind_to(reader->fd, place_address(family, reader->bound));
	if (reader->connected)
		connect_to(reader->fd, peer_address(family, reader->connected));
}

void scene_open(struct scene *scene)
{
	int i;

	for (i = 0; i < scene->readers_count; i++)
		open_reader(scene->family, &scene->readers[i]);
}

void scene_close(struct scene *scene)
{
	int i;

	for (i = 0; i < scene->readers_count; i++)
		sock_close(scene->readers[i].fd);
}
