// SPDX-License-Identifier: GPL-2.0
/*
 * packets SEED FIRST COUNT TUN TAP RAW4 RAW6: hostile packets to descriptors that
 * the caller has opened: a tun device and a tap device with IFF_NAPI_FRAGS, both
 * with a virtio_net header, and raw sockets that take IP headers. The host is
 * 10.9.8.2 and fd09:8::2 on tun, 10.9.7.2 and fd09:7::2 on tap, where its link
 * address is 02:09:00:00:07:02.
 *
 * What packet N is, is a matter of SEED and N alone. Some are several: a datagram
 * in fragments that overlap, are missing, or come twice.
 */
#include "rng.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define SIZE_MAX_IP 65535
#define ROOM	    (SIZE_MAX_IP + 4096)

struct packet {
	uint8_t data[ROOM];
	uint32_t len;
	uint32_t header; /* where the payload starts */
	int family;
	uint8_t proto;
};

static struct rng rng;
static int tun_fd, tap_fd, raw_fd[2];
static unsigned long taken, refused;

static uint32_t below(uint32_t end)
{
	return rng_below(&rng, end);
}

static bool one_in(uint32_t cases)
{
	return rng_one_in(&rng, cases);
}

static void fill(uint8_t *data, uint32_t len)
{
	while (len--)
		*data++ = (uint8_t)rng_next(&rng);
}

static uint32_t sum(const uint8_t *data, uint32_t len, uint32_t total)
{
	for (; len > 1; data += 2, len -= 2)
		total += (uint32_t)data[0] << 8 | data[1];
	if (len)
		total += (uint32_t)data[0] << 8;
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return total;
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* --- addresses ---------------------------------------------------------- */

static const char *const to4[] = {
	"224.0.0.9", "224.0.0.1", "10.9.8.255", "255.255.255.255", "127.0.0.1",
	"0.0.0.0",   "240.1.2.3", "10.9.8.77",	"10.9.7.2",	   "192.0.2.1",
};

static const char *const from4[] = {
	"10.9.8.77",	   "10.9.8.2",	 "127.0.0.1", "0.0.0.0",   "224.0.0.9",
	"255.255.255.255", "10.9.8.255", "192.0.2.1", "240.1.2.3",
};

static const char *const to6[] = {
	"ff02::9", "ff02::1",	 "ff01::1",   "ff05::9",	 "::1",
	"::",	   "fd09:8::77", "fd09:7::2", "::ffff:10.9.8.2", "2001:db8::1",
};

static const char *const from6[] = {
	"fd09:8::77", "fd09:8::2",	 "::1",		"::", "ff02::9",
	"fe80::1",    "::ffff:10.9.8.1", "2001:db8::1",
};

#define ANY(list) (list)[below(sizeof(list) / sizeof(*(list)))]

static void address(uint8_t *at, int family, bool tap, bool source)
{
	char text[32];
	const char *chosen = text;

	if (!one_in(4))
		snprintf(text, sizeof(text),
			 family == AF_INET ? "10.9.%d.%d" : "fd09:%d::%d",
			 tap ? 7 : 8, source ? 1 : 2);
	else if (family == AF_INET)
		chosen = source ? ANY(from4) : ANY(to4);
	else
		chosen = source ? ANY(from6) : ANY(to6);
	inet_pton(family, chosen, at);
}

/* --- what is in a datagram ---------------------------------------------- */

static uint8_t protocol(void)
{
	static const uint8_t numbers[] = {
		200, 201, 202, 203, 204, 205, 253, 253, 254, 254, 1, 58, 6, 17,
	};

	return one_in(30) ? (uint8_t)rng_next(&rng) : ANY(numbers);
}

static uint32_t payload_size(void)
{
	switch (below(8)) {
	case 0:
		return below(9);
	case 1:
		return 1200 + below(400);
	case 2:
		return one_in(4) ? below(SIZE_MAX_IP - 4000) : below(9000);
	default:
		return below(200);
	}
}

/* A header with ports and a checksum over it all, right or nearly so. */
static void ports(struct packet *p, const uint8_t *pseudo, uint32_t pseudo_len,
		  uint32_t len)
{
	uint8_t *at = p->data + p->header;
	uint32_t total;

	if (len < 8)
		return;
	put16(at, 7000 + below(3));
	put16(at + 2, one_in(3) ? 5555 : 7000 + below(3)); /* FOU */
	put16(at + 4, one_in(8) ? rng_next(&rng) : len);
	put16(at + 6, 0);
	total = sum(pseudo, pseudo_len, p->proto + len);
	total = ~sum(at, len, total) & 0xffff;
	put16(at + 6, total ? total : 0xffff);
	if (one_in(8))
		put16(at + 6, one_in(2) ? 0 : rng_next(&rng));
}

static void payload(struct packet *p, const uint8_t *pseudo,
		    uint32_t pseudo_len)
{
	static const uint8_t types[] = { 0,   3,   5,	8,   11,  12,  13,
					 128, 129, 130, 131, 133, 134, 135,
					 136, 137, 1,	2,   4 };
	uint32_t len = payload_size();
	uint8_t *at = p->data + p->header;

	if (p->header + len > SIZE_MAX_IP)
		len = SIZE_MAX_IP - p->header;
	p->len = p->header + len;
	fill(at, len < 300 ? len : 300);
	if (len > 300)
		memset(at + 300, (int)len, len - 300);
	if (p->proto == 254 || p->proto == 17) {
		ports(p, pseudo, pseudo_len, len);
	} else if ((p->proto == 1 || p->proto == 58) && len >= 8) {
		at[0] = ANY(types);
		put16(at + 2, 0);
		put16(at + 2, ~sum(at, len,
				   p->proto == 1 ? 0 :
						   sum(pseudo, pseudo_len,
						       p->proto + len)));
	}
}

/* --- IPv4 --------------------------------------------------------------- */

static uint32_t options4(uint8_t *at)
{
	static const uint8_t kinds[] = { 0,   1,   7,	68,  131,
					 137, 130, 134, 148, 136 };
	uint32_t len = 4 * below(11), used = 0;

	while (used < len) {
		uint8_t kind = ANY(kinds);
		uint32_t size = kind < 2 ? 1 : 3 + below(12);

		if (used + size > len)
			size = len - used;
		fill(at + used, size);
		at[used] = kind;
		if (size > 1)
			at[used + 1] = (uint8_t)(one_in(6) ? rng_next(&rng) :
							     size);
		if (size > 2)
			at[used + 2] = (uint8_t)(one_in(4) ? rng_next(&rng) :
							     4);
		used += size;
	}
	return len;
}

static void finish4(struct packet *p)
{
	uint8_t *ip = p->data;
	uint32_t len = (ip[0] & 15U) * 4;

	put16(ip + 10, 0);
	put16(ip + 10, ~sum(ip, len < p->len ? len : p->len, 0));
}

static void make4(struct packet *p, bool tap)
{
	uint8_t *ip = p->data;

	p->header = 20;
	if (one_in(6))
		p->header += options4(ip + 20);
	ip[0] = (uint8_t)(0x40 | p->header / 4);
	ip[1] = (uint8_t)rng_next(&rng);
	put16(ip + 4, rng_next(&rng));
	put16(ip + 6, 0);
	ip[8] = one_in(8) ? (uint8_t)below(2) : 64;
	ip[9] = p->proto;
	address(ip + 12, AF_INET, tap, true);
	address(ip + 16, AF_INET, tap, false);
	payload(p, ip + 12, 8);
	put16(ip + 2, p->len);
}

/* What a header must not say. */
static void spoil4(struct packet *p)
{
	uint8_t *ip = p->data;

	switch (below(6)) {
	case 0:
		ip[0] = (uint8_t)rng_next(&rng);
		break;
	case 1:
		put16(ip + 2, one_in(2) ? below(60) : rng_next(&rng));
		break;
	case 2:
		put16(ip + 6, rng_next(&rng));
		break;
	case 3:
		p->len = below(p->len + 1);
		break;
	case 4:
		put16(ip + 6, 0x2000 | (p->header > 20));
		break;
	default:
		ip[below(20)] ^= (uint8_t)(1 << below(8));
		break;
	}
}

/* --- IPv6 --------------------------------------------------------------- */

/* One extension header; its length. */
static uint32_t extension(uint8_t *at, uint8_t kind, uint8_t next)
{
	static const uint8_t routing[] = { 0, 2, 3, 4, 5, 253 };
	uint32_t len = 8 * (1 + (one_in(3) ? below(8) : 0));

	fill(at, len);
	at[0] = next;
	at[1] = (uint8_t)(len / 8 - 1);
	if (kind == 44) {
		len = 8;
		put16(at + 2, one_in(3) ? rng_next(&rng) : below(2));
	} else if (kind == 43) {
		at[2] = ANY(routing);
		at[3] = (uint8_t)(one_in(2) ? 0 : below(4));
	} else if (kind == 51) {
		at[1] = (uint8_t)(len / 4 - 2);
	} else if (!one_in(4)) { /* options: one PadN */
		at[2] = 1;
		at[3] = (uint8_t)(len - 4);
		if (one_in(8)) /* jumbo payload */
			memcpy(at + 2, "\xc2\x04", 2);
	}
	if (one_in(12))
		at[1] = (uint8_t)rng_next(&rng);
	return len;
}

static void make6(struct packet *p, bool tap)
{
	static const uint8_t kinds[] = { 60, 60, 43, 44,  60,  0,
					 51, 50, 59, 135, 139, 140 };
	uint8_t *ip = p->data, *next = ip + 6, pseudo[32];
	uint32_t headers = one_in(3) ? 1 + below(one_in(10) ? 60 : 4) : 0;

	memset(ip, 0, 8);
	ip[0] = 0x60;
	ip[1] = (uint8_t)below(256);
	ip[7] = one_in(8) ? (uint8_t)below(2) : 64;
	address(ip + 8, AF_INET6, tap, true);
	address(ip + 24, AF_INET6, tap, false);
	memcpy(pseudo, ip + 8, sizeof(pseudo));
	p->header = 40;
	*next = p->proto;
	while (headers--) {
		uint8_t kind = one_in(3) ? ANY(kinds) : kinds[below(4)];

		*next = kind;
		next = p->data + p->header;
		p->header += extension(next, kind, p->proto);
	}
	payload(p, pseudo, sizeof(pseudo));
	put16(ip + 4, p->len - 40);
}

static void spoil6(struct packet *p)
{
	uint8_t *ip = p->data;

	switch (below(5)) {
	case 0:
		ip[0] = (uint8_t)rng_next(&rng);
		break;
	case 1:
		put16(ip + 4, one_in(2) ? 0 : rng_next(&rng));
		break;
	case 2:
		p->len = below(p->len + 1);
		break;
	case 3:
		ip[40 + below(p->header > 40 ? p->header - 40 :
					       8)] ^= (uint8_t)(1 << below(8));
		break;
	default:
		ip[below(40)] ^= (uint8_t)(1 << below(8));
		break;
	}
}

/* --- sending ------------------------------------------------------------ */

static void count(ssize_t ret)
{
	if (ret >= 0)
		taken++;
	else
		refused++;
}

static struct virtio_net_hdr offload(const struct packet *p)
{
	static const uint8_t types[] = {
		VIRTIO_NET_HDR_GSO_TCPV4,
		VIRTIO_NET_HDR_GSO_TCPV6,
		VIRTIO_NET_HDR_GSO_UDP,
		5 /* UDP_L4 */,
		VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN,
	};
	struct virtio_net_hdr hdr = { 0 };

	/* a length of the linear part: a long packet is in pages then */
	if (one_in(3))
		hdr.hdr_len = (uint16_t)below(one_in(2) ? 128 : 4000);
	if (one_in(4)) {
		hdr.flags = one_in(2) ? VIRTIO_NET_HDR_F_NEEDS_CSUM :
					VIRTIO_NET_HDR_F_DATA_VALID;
		hdr.csum_start = (uint16_t)(one_in(3) ? below(p->len + 1) :
							p->header);
		hdr.csum_offset = (uint16_t)(one_in(3) ? below(40) : 6);
	}
	if (one_in(6)) {
		hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		hdr.csum_start = (uint16_t)p->header;
		hdr.csum_offset = p->proto == 6 ? 16 : 6;
		hdr.gso_type = ANY(types);
		hdr.gso_size = (uint16_t)(one_in(4) ? rng_next(&rng) :
						      1 + below(1400));
		hdr.hdr_len = (uint16_t)(p->header + below(24));
	}
	return hdr;
}

static void by_tun(const struct packet *p)
{
	struct virtio_net_hdr hdr = offload(p);
	struct iovec iov[] = { { &hdr, sizeof(hdr) },
			       { (void *)p->data, p->len } };

	count(writev(tun_fd, iov, 2));
}

/* In pieces, which become the fragments of an skb. */
static void by_tap(const struct packet *p)
{
	static const uint8_t macs[][6] = {
		{ 2, 9, 0, 0, 7, 2 },
		{ 2, 9, 0, 0, 7, 2 },
		{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
		{ 1, 0, 0x5e, 0, 0, 9 },
		{ 2, 9, 0, 0, 7, 99 },
	};
	struct virtio_net_hdr hdr = offload(p);
	uint8_t link[14] = { 0 };
	struct iovec iov[16];
	uint32_t at = 0;
	int pieces = 2;

	memcpy(link, ANY(macs), 6);
	link[6] = 2;
	put16(link + 12, p->family == AF_INET ? 0x0800 : 0x86dd);
	if (one_in(40))
		put16(link + 12, one_in(2) ? 0x8100 : rng_next(&rng));
	iov[0] = (struct iovec){ &hdr, sizeof(hdr) };
	iov[1] = (struct iovec){ link, sizeof(link) };
	while (at < p->len && pieces < 16) {
		uint32_t len = 1 + below(one_in(2) ? 60 : 4096);

		if (len > p->len - at)
			len = p->len - at;
		iov[pieces++] = (struct iovec){ (void *)(p->data + at), len };
		at += len;
	}
	count(writev(tap_fd, iov, pieces));
}

static void by_raw(const struct packet *p)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct sockaddr_in6 to_6 = { .sin6_family = AF_INET6 };

	if (p->family == AF_INET) {
		memcpy(&to.sin_addr, p->data + 16, 4);
		count(sendto(raw_fd[0], p->data, p->len, MSG_DONTWAIT,
			     (struct sockaddr *)&to, sizeof(to)));
	} else {
		memcpy(&to_6.sin6_addr, p->data + 24, 16);
		count(sendto(raw_fd[1], p->data, p->len, MSG_DONTWAIT,
			     (struct sockaddr *)&to_6, sizeof(to_6)));
	}
}

/* A datagram's fragments, in a wrong order, overlapping, twice, or not at all. */
static void fragments(const struct packet *whole, bool tap)
{
	static struct packet part;
	bool v4 = whole->family == AF_INET;
	uint32_t head = v4 ? whole->header : 40, skip = v4 ? 0 : 8;
	uint32_t body = whole->len - head, count_down = 2 + below(6);
	uint32_t ident = rng_next(&rng), step = (body / 3 + 8) & ~7U;

	while (count_down--) {
		uint32_t at = one_in(3) ? 8 * below(body / 8 + 1) :
					  step * below(4);
		uint32_t len = one_in(3) ? 8 * (1 + below(20)) : step;
		bool more = true;

		if (at > body)
			at = body & ~7U;
		if (at + len >= body) {
			len = body - at;
			more = false;
		}
		memcpy(part.data, whole->data, head);
		memcpy(part.data + head + skip, whole->data + head + at, len);
		part.len = head + skip + len;
		part.header = head;
		part.family = whole->family;
		part.proto = whole->proto;
		if (v4) {
			put16(part.data + 2, part.len);
			put16(part.data + 4, ident);
			put16(part.data + 6, (more ? 0x2000 : 0) | at / 8);
			finish4(&part);
		} else {
			put16(part.data + 4, part.len - 40);
			part.data[40] = whole->data[6];
			part.data[41] = 0;
			part.data[6] = 44;
			put16(part.data + 42, at | more);
			put16(part.data + 44, ident >> 16);
			put16(part.data + 46, ident);
		}
		if (tap)
			by_tap(&part);
		else
			by_tun(&part);
	}
}

static void one(uint64_t seed, uint64_t number)
{
	static struct packet p;
	bool tap;

	rng_seed(&rng, seed, number, 0);
	tap = one_in(3);
	p.family = one_in(2) ? AF_INET : AF_INET6;
	p.proto = protocol();
	if (p.family == AF_INET)
		make4(&p, tap);
	else
		make6(&p, tap);
	if (one_in(10)) {
		fragments(&p, tap);
		return;
	}
	if (one_in(4) && p.family == AF_INET)
		spoil4(&p);
	else if (one_in(4))
		spoil6(&p);
	if (p.family == AF_INET && !one_in(20))
		finish4(&p);
	if (one_in(10))
		by_raw(&p);
	else if (tap)
		by_tap(&p);
	else
		by_tun(&p);
}

int main(int argc, char **argv)
{
	uint64_t seed, number, end;

	if (argc != 8)
		errx(2, "packets SEED FIRST COUNT TUN TAP RAW4 RAW6");
	seed = strtoull(argv[1], NULL, 0);
	number = strtoull(argv[2], NULL, 0);
	end = number + strtoull(argv[3], NULL, 0);
	tun_fd = atoi(argv[4]);
	tap_fd = atoi(argv[5]);
	raw_fd[0] = atoi(argv[6]);
	raw_fd[1] = atoi(argv[7]);
	for (; number < end; number++)
		one(seed, number);
	printf("%lu taken, %lu refused\n", taken, refused);
	return 0;
}
