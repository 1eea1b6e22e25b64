// SPDX-License-Identifier: GPL-2.0
/*
 * Headers that the caller supplies, and what the kernel does to them: R02, R06,
 * R08, R09, R10, R11, R12, R36; by loopback and by a real device.
 */
#include "case.h"
#include "lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define TEXT "header.c"

#ifndef IPV6_HDRINCL
#define IPV6_HDRINCL 36
#endif

/* Where a packet goes and who sees it leave. */
struct way {
	enum wire wire;
	const char *src, *dst;
};

static const struct way ways4[] = { { WIRE_L0, L4, R4 },
				    { WIRE_LO, LO4, LO4 } };
static const struct way ways6[] = { { WIRE_L0, L6, R6 },
				    { WIRE_LO, LO6, LO6 } };

#define EACH(way, ways)                    \
	for (const struct way *way = ways; \
	     way < ways + sizeof(ways) / sizeof(*ways); way++)

/* --- R02: whose header ---------------------------------------------------- */

static void whose_header(int family, const struct way *way)
{
	int level = family == V4 ? IPPROTO_IP : IPPROTO_IPV6;
	int name = family == V4 ? IP_HDRINCL : IPV6_HDRINCL;
	int out = raw(LEFT, family, 253);
	uint8_t data[128];
	struct got got;
	size_t len;

	hush(family, 253);
	hush(family, 254);
	is(option_get(out, level, name), 0, "off at first");
	len = packet(data, way->src, way->dst, 254, TEXT, strlen(TEXT));
	send_to(out, data, len, way->dst);
	is(wire_drain(way->wire, &got), 1, "off: a packet leaves");
	is(got.len, header_len(family) + len, "a header before all of ours");
	is(got.data[family == V4 ? 9 : 6], 253, "of the socket's protocol");
	option(out, level, name, 1);
	send_to(out, data, len, way->dst);
	is(wire_drain(way->wire, &got), 1, "on: a packet leaves");
	is(got.len, len, "as long as ours");
	ok(!memcmp(got.data, data, len), "which it is");
	option(out, level, name, 0);
	send_to(out, TEXT, strlen(TEXT), way->dst);
	is(wire_drain(way->wire, &got), 1, "off again: a packet leaves");
	is(got.len, header_len(family) + strlen(TEXT), "with a header");
}

HOLDS(R02, "the kernel makes the header unless IP_HDRINCL is on")
{
	EACH(way, ways4)
	whose_header(V4, way);
}

HOLDS(R02v6, "the kernel makes the header unless IPV6_HDRINCL is on")
{
	EACH(way, ways6)
	whose_header(V6, way);
}

/* --- R06: IPPROTO_RAW ----------------------------------------------------- */

static void any_protocol(int family)
{
	int level = family == V4 ? IPPROTO_IP : IPPROTO_IPV6;
	int name = family == V4 ? IP_HDRINCL : IPV6_HDRINCL;
	int out = raw(LEFT, family, IPPROTO_RAW), proto, seen = 0, as_sent = 0;
	uint8_t data[128];
	struct got got;
	size_t len;

	is(option_get(out, level, name), 1, "it has the option from the start");
	/* our markers' number is 252, and neighbour discovery is not shown */
	for (proto = 0; proto < 256; proto++) {
		if (proto == 252 || (family == V6 && proto == 0))
			continue;
		len = packet(data, left(family), right(family), proto, TEXT,
			     strlen(TEXT));
		send_to(out, data, len, right(family));
		seen += wire_next(WIRE_L0, &got);
		as_sent += got.len == (ssize_t)len &&
			   !memcmp(got.data, data, len);
	}
	is(seen, family == V4 ? 255 : 254, "a packet of each number leaves");
	is(as_sent, seen, "as it was made");
	option(out, level, name, 0);
	send_to(out, TEXT, strlen(TEXT), right(family));
	is(wire_drain(WIRE_L0, &got), 1, "with the option off");
	is(got.data[family == V4 ? 9 : 6], IPPROTO_RAW, "it is protocol 255");
}

HOLDS(R06, "IPPROTO_RAW implies IP_HDRINCL and sends any protocol")
{
	any_protocol(V4);
}

HOLDS(R06v6, "IPPROTO_RAW implies IPV6_HDRINCL and sends any protocol")
{
	any_protocol(V6);
}

/* --- R08 to R11: what is filled in ---------------------------------------- */

/* It leaves; by lo, so may what the kernel has to say about it. */
static void leaves(enum wire wire, struct got *got)
{
	static struct got more;

	if (!ok(wire_next(wire, got), "the packet leaves"))
		return;
	settle();
	while (wire_next(wire, &more))
		ok(wire == WIRE_LO && more.data[9] == IPPROTO_ICMP &&
			   got->data[9] != IPPROTO_ICMP,
		   "and no other");
}

/*
 * Send a header with one field changed and its checksum wrong, and see what
 * leaves.
 */
static const struct iphdr *sent4(const struct way *way, struct iphdr *header,
				 struct got *got)
{
	int reader = raw(LEFT, V4,
			 253); /* or else lo has an unreachable, too */
	int out = raw(LEFT, V4, IPPROTO_RAW);
	uint8_t data[128];
	size_t len;

	len = packet(data, way->src, way->dst, 253, TEXT, strlen(TEXT));
	memcpy(data, header, sizeof(*header));
	is(send_to(out, data, len, way->dst), len, "it can be sent");
	leaves(way->wire, got);
	is(got->len, len, "as long as ours");
	sock_close(out);
	sock_close(reader);
	return (const struct iphdr *)got->data;
}

static struct iphdr made4(const struct way *way)
{
	uint8_t data[128];
	struct iphdr header;

	packet(data, way->src, way->dst, 253, TEXT, strlen(TEXT));
	memcpy(&header, data, sizeof(header));
	return header;
}

HOLDS(R08, "the checksum is filled in, right, wrong or zero as it was")
{
	static const uint16_t changes[] = { 0, 1, 0x1234 };
	const struct iphdr *sent;
	struct iphdr header;
	struct got got;
	size_t i;

	EACH(way, ways4)
	{
		for (i = 0; i < 3; i++) {
			header = made4(way);
			header.check = changes[i] ? header.check ^ changes[i] :
						    0;
			sent = sent4(way, &header, &got);
			is(checksum(sent, sizeof(*sent)), 0, "it is right");
		}
	}
}

HOLDS(R09, "the source address is filled in when zero, and only then")
{
	const struct iphdr *sent;
	struct iphdr header;
	struct got got;

	EACH(way, ways4)
	{
		header = made4(way);
		header.saddr = 0;
		sent = sent4(way, &header, &got);
		is(sent->saddr, address(way->src).in.sin_addr.s_addr,
		   "zero: the address of the way out");
		header.saddr = address("192.0.2.1").in.sin_addr.s_addr;
		sent = sent4(way, &header, &got);
		is(sent->saddr, header.saddr, "not zero: anybody's");
	}
}

HOLDS(R10, "the identification is filled in when zero, and only then")
{
	const struct iphdr *sent;
	struct iphdr header;
	int i, filled = 0;
	struct got got;

	EACH(way, ways4)
	{
		/* the kernel counts, so of four one at most may be zero */
		for (i = 0; i < 4; i++) {
			header = made4(way);
			header.id = 0;
			sent = sent4(way, &header, &got);
			filled += sent->id != 0;
		}
		header.id = htons(0x4711);
		sent = sent4(way, &header, &got);
		is(sent->id, htons(0x4711), "not zero: as it was");
	}
	ok(filled >= 6, "zero: filled in, %d of 8", filled);
}

DIFFERS(R10, "with the don't fragment bit an identification of zero stays",
	"include/net/ip.h, ip_select_ident_segs()")
{
	const struct iphdr *sent;
	struct iphdr header;
	struct got got;
	int i;

	EACH(way, ways4)
	{
		for (i = 0; i < 4; i++) {
			header = made4(way);
			header.id = 0;
			header.frag_off = htons(0x4000);
			sent = sent4(way, &header, &got);
			is(sent->id, 0, "zero");
		}
	}
}

HOLDS(R11, "the total length is filled in, in network order, whatever it was")
{
	uint16_t lens[5];
	const struct iphdr *sent;
	struct iphdr header;
	struct got got;
	size_t i;

	EACH(way, ways4)
	{
		header = made4(way);
		lens[0] = 0;
		lens[1] = header.tot_len;
		/* as FreeBSD before 11 wanted it: in host order */
		lens[2] = ntohs(header.tot_len);
		lens[3] = htons(20);
		lens[4] = 0xffff;
		for (i = 0; i < 5; i++) {
			header = made4(way);
			header.tot_len = lens[i];
			sent = sent4(way, &header, &got);
			is(ntohs(sent->tot_len), got.len, "for %#x", lens[i]);
		}
	}
}

HOLDS(R11, "the fragment offset is in network order, too, and left alone")
{
	const struct iphdr *sent;
	struct iphdr header;
	struct got got;

	EACH(way, ways4)
	{
		header = made4(way);
		header.frag_off = htons(0x2001);
		sent = sent4(way, &header, &got);
		is(sent->frag_off, htons(0x2001), "more fragments, offset 8");
	}
}

/* Nothing of an IPv6 header is filled in. */
static void left_alone6(const struct way *way)
{
	int out = raw(LEFT, V6, IPPROTO_RAW);
	struct ip6_hdr *header;
	struct got got;
	uint8_t data[128];
	size_t len;

	hush(V6, 253);
	len = packet(data, way->src, way->dst, 253, TEXT, strlen(TEXT));
	header = (struct ip6_hdr *)data;
	memset(&header->ip6_src, 0, sizeof(header->ip6_src));
	header->ip6_plen = htons(3);
	header->ip6_flow = htonl(0x6ab54321);
	is(send_to(out, data, len, way->dst), len, "it can be sent");
	is(wire_drain(way->wire, &got), 1, "one packet leaves");
	ok(got.len == (ssize_t)len && !memcmp(got.data, data, len),
	   "as it was made");
	sock_close(out);
}

DIFFERS(R09v6, "IPV6_HDRINCL fills in nothing: a source of zero stays",
	"net/ipv6/raw.c, rawv6_send_hdrinc()")
{
	EACH(way, ways6)
	left_alone6(way);
}

DIFFERS(R11v6, "IPV6_HDRINCL fills in nothing: a wrong payload length stays",
	"net/ipv6/raw.c, rawv6_send_hdrinc()")
{
	EACH(way, ways6)
	left_alone6(way);
}

/* The new API's own checksum, which is in the payload: RFC 3542, 3.1. */
HOLDS(R08v6, "IPV6_CHECKSUM fills in the upper layer's checksum, and checks it")
{
	int out = raw(LEFT, V6, 253), reader = raw(RIGHT, V6, 253);
	int plain = raw(RIGHT, V6, 253), whole = sender(LEFT, V6);
	uint8_t data[64] = "....\xaa\xaa" TEXT;
	char from[INET6_ADDRSTRLEN];
	struct got got;

	is(option_get(out, IPPROTO_IPV6, IPV6_CHECKSUM), -1, "off at first");
	option(out, IPPROTO_IPV6, IPV6_CHECKSUM, 4);
	option(reader, IPPROTO_IPV6, IPV6_CHECKSUM, 4);
	send_to(out, data, 14, R6);
	ok(drain(reader, &got) == 1 && got.len == 14, "it arrives");
	inet_ntop(AF_INET6, &got.from.in6.sin6_addr, from, sizeof(from));
	is(checksum_upper(from, R6, 253, got.data, 14), 0, "with its checksum");
	is(drain(plain, NULL), 1, "also at a socket that does not ask");
	send_packet(whole, L6, R6, 253, "no checksum in here");
	is(drain(reader, NULL), 0, "a wrong one does not arrive");
	is(drain(plain, NULL), 1, "but at a socket that does not ask");
	ok(setsockopt(out, IPPROTO_IPV6, IPV6_CHECKSUM, &(int){ 3 },
		      sizeof(int)) < 0 &&
		   errno == EINVAL,
	   "an odd offset is refused");
}

/* --- R12: the address of sendto() ----------------------------------------- */

/* To the wire's other end by sendto(), to nobody by the header. */
static void decides(int family)
{
	const char *nobody = family == V4 ? "192.0.2.7" : "2001:db8::7";
	int out = raw(LEFT, family, IPPROTO_RAW);
	int reader = raw(LEFT, family, 253), there = raw(RIGHT, family, 253);
	uint8_t data[128];
	struct got got;
	size_t len;

	len = packet(data, left(family), nobody, 253, TEXT, strlen(TEXT));
	is(send_to(out, data, len, nobody), -1, "the header's has no route");
	is(errno, ENETUNREACH, "says sendto()");
	is(send_to(out, data, len, right(family)), len, "with another address");
	is(wire_drain(WIRE_L0, &got), 1, "it leaves by that one's device");
	ok(!memcmp(got.data, data, len), "the header as it was");
	is(send_to(out, data, len, loopback(family)), len, "with lo's address");
	is(wire_drain(WIRE_LO, &got), 1, "it leaves by lo");
	ok(!memcmp(got.data, data, len), "the header as it was");
	is(wire_drain(WIRE_L0, NULL), 0, "and not by l0");
	is(drain(there, NULL), 0, "it was not for right");
	/* lo hands over the route with the packet: nobody looks for another */
	is(drain(reader, NULL), 1,
	   "by lo it arrives, whatever the header says");
	len = packet(data, left(family), right(family), 253, TEXT,
		     strlen(TEXT));
	is(send_to(out, data, len, loopback(family)), len, "to right, over lo");
	is(drain(there, NULL), 0, "does not arrive there");
	is(drain(reader, NULL), 1, "but here");
}

HOLDS(R12, "the address of sendto() decides the way, the header stays")
{
	decides(V4);
}

HOLDS(R12v6, "the address of sendto() decides the way, the header stays")
{
	decides(V6);
}

/* --- R36: nothing else ---------------------------------------------------- */

HOLDS(R36, "nothing else of the header is changed, valid or not")
{
	static const struct {
		const char *what;
		uint8_t at, value;
	} changes[] = {
		{ "all bits of TOS", 1, 0xff }, { "reserved bit", 6, 0x80 },
		{ "more fragments", 6, 0x20 },	{ "offset", 7, 0x10 },
		{ "time to live 0", 8, 0 },	{ "time to live 255", 8, 255 },
		{ "protocol 0", 9, 0 },
	};
	struct iphdr header, wanted;
	const struct iphdr *sent;
	struct got got;
	size_t i;

	EACH(way, ways4)
	{
		for (i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
			header = made4(way);
			((uint8_t *)&header)[changes[i].at] = changes[i].value;
			wanted = header;
			wanted.check = 0;
			wanted.check = checksum(&wanted, sizeof(wanted));
			sent = sent4(way, &header, &got);
			ok(!memcmp(sent, &wanted, sizeof(wanted)), "%s",
			   changes[i].what);
			ok(!memcmp(got.data + sizeof(wanted), TEXT,
				   strlen(TEXT)),
			   "the payload");
		}
	}
}

/* Options that nobody understands: a number, a length, whatever. */
HOLDS(R36, "nor are options, valid or not")
{
	static const char *const options[] = {
		"\1\1\1\1", /* nothing */
		"\7\4\4\0", /* record route, no room */
		"\xee\4\0\0", /* unknown */
		"\x44\xff\xff\xff", /* beyond the end */
	};
	int out = raw(LEFT, V4, IPPROTO_RAW);
	struct iphdr *header;
	uint8_t data[128];
	struct got got;
	size_t i, len;

	hush(V4, 253);
	EACH(way, ways4)
	{
		for (i = 0; i < sizeof(options) / sizeof(*options); i++) {
			len = packet(data, way->src, way->dst, 253, "????" TEXT,
				     4 + strlen(TEXT));
			header = (struct iphdr *)data;
			header->ihl = 6;
			memcpy(data + IP4_LEN, options[i], 4);
			header->check = 0;
			header->check = checksum(data, 24);
			is(send_to(out, data, len, way->dst), len, "sent");
			leaves(way->wire, &got);
			ok(got.len == (ssize_t)len &&
				   !memcmp(got.data, data, len),
			   "options %zu", i);
		}
	}
}

HOLDS(R36v6, "nothing of the header is changed, valid or not")
{
	int out = raw(LEFT, V6, IPPROTO_RAW), i;
	uint8_t data[128];
	struct got got;
	size_t len;

	hush(V6, 253);
	hush(V6, 253 ^ 0xa5);
	EACH(way, ways6)
	{
		/* without the version: the wire's socket goes by it */
		for (i = 1; i < 24; i++) {
			len = packet(data, way->src, way->dst, 253, TEXT,
				     strlen(TEXT));
			data[i] ^= 0xa5;
			is(send_to(out, data, len, way->dst), len, "sent");
			is(wire_drain(way->wire, &got), 1, "leaves");
			ok(got.len == (ssize_t)len &&
				   !memcmp(got.data, data, len),
			   "byte %d", i);
		}
	}
}

int main(int argc, char **argv)
{
	return cases_run(argc, argv);
}
