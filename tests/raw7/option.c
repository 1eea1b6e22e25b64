// SPDX-License-Identifier: GPL-2.0
/* Options of the socket: R18, R19, R39. */
#include "case.h"
#include "lab.h"

#include <errno.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <string.h>
#include <unistd.h>

#ifndef SOL_RAW
#define SOL_RAW 255
#endif

/* --- R18: ICMP filters ----------------------------------------------------- */

/* An ICMP message of each type to right; how many does the reader have? */
static int of_all_types(int family, int reader, bool *has)
{
	int proto = family == V4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	static struct got got;
	int out = sender(LEFT, family), type, count = 0;
	const uint8_t *message;
	uint8_t data[128], body[64];
	size_t len;

	memset(has, 0, 256);
	for (type = 0; type < 256; type++) {
		/* neighbour discovery and listener reports change something */
		if (family == V6 && type >= 130 && type <= 143)
			continue;
		len = icmp(body, left(family), right(family), type, 0, 0,
			   "........", 8);
		len = packet(data, left(family), right(family), proto, body,
			     len);
		send_to(out, data, len, right(family));
		if (type % 16)
			continue;
		settle();
		while (receive(reader, &got)) {
			message = payload(family, &got, &len);
			has[message[0]] = true;
			count++;
		}
	}
	settle();
	while (receive(reader, &got)) {
		message = payload(family, &got, &len);
		has[message[0]] = true;
		count++;
	}
	sock_close(out);
	return count;
}

HOLDS(R18, "the filter's bits reject their types, at first there are none")
{
	int reader = raw(RIGHT, V4, IPPROTO_ICMP), type;
	struct icmp_filter filter;
	socklen_t len = sizeof(filter);
	bool has[256];

	is(of_all_types(V4, reader, has), 256, "at first it has all types");
	ok(!getsockopt(reader, SOL_RAW, ICMP_FILTER, &filter, &len) &&
		   len == 4 && filter.data == 0,
	   "and an empty filter");
	filter.data = 0x55555555;
	setsockopt(reader, SOL_RAW, ICMP_FILTER, &filter, sizeof(filter));
	of_all_types(V4, reader, has);
	for (type = 0; type < 32; type++)
		is(has[type], type & 1, "even ones rejected: type %d", type);
	filter.data = ~(1U << 8);
	setsockopt(reader, SOL_RAW, ICMP_FILTER, &filter, sizeof(filter));
	of_all_types(V4, reader, has);
	for (type = 0; type < 32; type++)
		is(has[type], type == 8, "all but echo: type %d", type);
}

HOLDS(R18, "types above 31 have no bit: they are never rejected")
{
	int reader = raw(RIGHT, V4, IPPROTO_ICMP), type;
	struct icmp_filter filter = { .data = ~0U };
	bool has[256];

	setsockopt(reader, SOL_RAW, ICMP_FILTER, &filter, sizeof(filter));
	is(of_all_types(V4, reader, has), 224, "it has all of them");
	for (type = 0; type < 256; type++)
		is(has[type], type >= 32, "type %d", type);
}

HOLDS(R18v6,
      "ICMP6_FILTER passes and blocks each of 256 types, at first it passes all")
{
	int reader = raw(RIGHT, V6, IPPROTO_ICMPV6), type;
	struct icmp6_filter filter;
	bool has[256];

	is(of_all_types(V6, reader, has), 242, "at first it has all types");
	memset(&filter, 0x55, sizeof(filter));
	setsockopt(reader, IPPROTO_ICMPV6, ICMP6_FILTER, &filter,
		   sizeof(filter));
	is(of_all_types(V6, reader, has), 121, "even ones rejected");
	for (type = 0; type < 256; type++)
		if (type < 130 || type > 143)
			is(has[type], type & 1, "type %d", type);
	ICMP6_FILTER_SETBLOCKALL(&filter);
	ICMP6_FILTER_SETPASS(200, &filter);
	setsockopt(reader, IPPROTO_ICMPV6, ICMP6_FILTER, &filter,
		   sizeof(filter));
	is(of_all_types(V6, reader, has), 1, "all but one");
	ok(has[200], "type 200");
}

/* errno of setsockopt() with an int, 0 if it works */
static int set(int fd, int level, int name)
{
	int value = 0;

	return setsockopt(fd, level, name, &value, sizeof(value)) ? errno : 0;
}

static int get(int fd, int level, int name)
{
	char value[256] = { 0 }; /* IPV6_FLOWLABEL_MGR reads it */
	socklen_t len = sizeof(value);

	return getsockopt(fd, level, name, value, &len) ? errno : 0;
}

DIFFERS(R18, "IPPROTO_RAW as the level is for ICMP_FILTER of ICMP sockets only",
	"net/ipv4/raw.c, raw_setsockopt()")
{
	int icmp_socket = raw(LEFT, V4, IPPROTO_ICMP), name;
	int another = raw(LEFT, V4, 253);

	is(set(icmp_socket, IPPROTO_RAW, ICMP_FILTER), 0, "ICMP_FILTER");
	is(get(icmp_socket, IPPROTO_RAW, ICMP_FILTER), 0, "ICMP_FILTER, get");
	is(set(another, IPPROTO_RAW, ICMP_FILTER), EOPNOTSUPP,
	   "of another protocol");
	is(get(another, IPPROTO_RAW, ICMP_FILTER), EOPNOTSUPP,
	   "of another protocol, get");
	for (name = 0; name < 256; name++) {
		if (name == ICMP_FILTER)
			continue;
		is(set(icmp_socket, IPPROTO_RAW, name), ENOPROTOOPT,
		   "option %d", name);
		is(get(icmp_socket, IPPROTO_RAW, name), ENOPROTOOPT,
		   "option %d, get", name);
	}
	is(set(another, IPPROTO_IP, IP_HDRINCL), 0, "others: level IPPROTO_IP");
}

DIFFERS(R18v6, "IPPROTO_RAW as the level is for IPV6_CHECKSUM and IPV6_HDRINCL",
	"net/ipv6/raw.c, do_rawv6_setsockopt()")
{
	int icmp_socket = raw(LEFT, V6, IPPROTO_ICMPV6), name;
	int another = raw(LEFT, V6, 253), wanted;

	is(set(icmp_socket, IPPROTO_ICMPV6, ICMP6_FILTER), 0, "ICMP6_FILTER");
	is(set(another, IPPROTO_ICMPV6, ICMP6_FILTER), EOPNOTSUPP,
	   "of another protocol");
	for (name = 0; name < 256; name++) {
		wanted = name == IPV6_CHECKSUM || name == 36 ? 0 : ENOPROTOOPT;
		is(set(another, IPPROTO_RAW, name), wanted, "option %d", name);
		is(get(another, IPPROTO_RAW, name), wanted, "option %d, get",
		   name);
	}
}

/* --- R19: options of datagram sockets -------------------------------------- */

/* Numbers from 64 on are netfilter's and multicast routing's. */
static void as_datagram(int family)
{
	int level = family == V4 ? IPPROTO_IP : IPPROTO_IPV6, name, taken = 0;
	int domain = address_family(family), datagram, ours;

	for (name = 0; name < (family == V4 ? 64 : 128); name++) {
		/* 64 is netfilter's, too */
		if (family == V6 && (name == 64 || name == IPV6_V6ONLY))
			continue;
		/* anew each time: some options decide about others */
		datagram = sock(LEFT, domain, SOCK_DGRAM, 0);
		ours = sock(LEFT, domain, SOCK_RAW, 253);
		if (!set(datagram, level, name)) {
			taken++;
			is(set(ours, level, name), 0, "option %d is taken",
			   name);
		}
		if (!get(datagram, level, name))
			is(get(ours, level, name), 0, "option %d can be read",
			   name);
		sock_close(datagram);
		sock_close(ours);
	}
	ok(taken > 15, "options are taken at all: %d", taken);
}

HOLDS(R19, "what a UDP socket takes at IPPROTO_IP a raw socket takes, too")
{
	as_datagram(V4);
}

HOLDS(R19v6, "what a UDP socket takes at IPPROTO_IPV6 a raw socket takes, too")
{
	as_datagram(V6);
}

DIFFERS(R19v6, "all but IPV6_V6ONLY: a raw socket is for IPv6 only, and EINVAL",
	"net/ipv6/ipv6_sockglue.c, do_ipv6_setsockopt()")
{
	int ours = raw(LEFT, V6, 253), reader = raw(RIGHT, V6, 253);
	int datagram = sock(LEFT, AF_INET6, SOCK_DGRAM, 0);
	union address mapped = address("::ffff:10.9.0.1");

	is(set(datagram, IPPROTO_IPV6, IPV6_V6ONLY), 0,
	   "a UDP socket takes it");
	is(set(ours, IPPROTO_IPV6, IPV6_V6ONLY), EINVAL,
	   "a raw socket does not");
	is(bind(ours, &mapped.sa, sizeof(mapped.in6)), -1,
	   "nor an IPv4 address");
	is(errno, EADDRNOTAVAIL, "in an IPv6 one");
	send_packet(sender(LEFT, V4), L4, R4, 253, "IPv4");
	is(drain(reader, NULL), 0, "IPv4 packets do not come");
}

/* And they do something: what IP_PKTINFO, IP_RECVTTL and IP_RECVTOS tell. */
HOLDS(R19, "and they mean the same: control data")
{
	int reader = raw(RIGHT, V4, 253), out = raw(LEFT, V4, 253);
	const struct in_pktinfo *info;
	const uint8_t *tos;
	const int *ttl;
	struct got got;

	bind_to(out, L4);
	option(reader, IPPROTO_IP, IP_PKTINFO, 1);
	option(reader, IPPROTO_IP, IP_RECVTTL, 1);
	option(reader, IPPROTO_IP, IP_RECVTOS, 1);
	option(out, IPPROTO_IP, IP_TTL, 33);
	option(out, IPPROTO_IP, IP_TOS, 0x20);
	send_to(out, "x", 1, R4);
	is(drain(reader, &got), 1, "it arrives");
	info = control(&got, IPPROTO_IP, IP_PKTINFO);
	ok(info && info->ipi_addr.s_addr == address(R4).in.sin_addr.s_addr,
	   "the address it was sent to");
	ttl = control(&got, IPPROTO_IP, IP_TTL);
	ok(ttl && *ttl == 33, "its time to live");
	tos = control(&got, IPPROTO_IP, IP_TOS);
	ok(tos && *tos == 0x20, "its type of service");
}

HOLDS(R19v6, "and they mean the same: control data")
{
	int reader = raw(RIGHT, V6, 253), out = raw(LEFT, V6, 253);
	union address there = address(R6);
	const struct in6_pktinfo *info;
	const int *hops, *tclass;
	struct got got;

	option(reader, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	option(reader, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
	option(reader, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
	option(out, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 33);
	option(out, IPPROTO_IPV6, IPV6_TCLASS, 0x20);
	send_to(out, "x", 1, R6);
	is(drain(reader, &got), 1, "it arrives");
	info = control(&got, IPPROTO_IPV6, IPV6_PKTINFO);
	ok(info && !memcmp(&info->ipi6_addr, &there.in6.sin6_addr, 16),
	   "the address it was sent to");
	hops = control(&got, IPPROTO_IPV6, IPV6_HOPLIMIT);
	ok(hops && *hops == 33, "its hop limit");
	tclass = control(&got, IPPROTO_IPV6, IPV6_TCLASS);
	ok(tclass && *tclass == 0x20, "its traffic class");
}

/* --- R39: SO_BSDCOMPAT ----------------------------------------------------- */

static void no_change(int family)
{
	int plain = raw(LEFT, family, 253), bsd = raw(LEFT, family, 253);
	int both[] = { plain, bsd };
	size_t i;

	option(bsd, SOL_SOCKET, SO_BSDCOMPAT, 1);
	is(option_get(bsd, SOL_SOCKET, SO_BSDCOMPAT), 0, "it is not kept");
	for (i = 0; i < 2; i++) {
		bind_to(both[i], left(family));
		connect_to(both[i], right(family));
	}
	/* nobody has the protocol there: what was an error stays one */
	for (i = 0; i < 2; i++) {
		send(both[i], "12345678", 8, 0);
		settle();
		is(option_get(plain, SOL_SOCKET, SO_ERROR),
		   option_get(bsd, SOL_SOCKET, SO_ERROR),
		   "the same error with and without it");
	}
	send(bsd, "12345678", 8, 0);
	settle();
	is(option_get(bsd, SOL_SOCKET, SO_ERROR),
	   family == V4 ? ENOPROTOOPT : EPROTO, "unreachable is told");
}

HOLDS(R39, "SO_BSDCOMPAT is taken, not kept, and changes nothing")
{
	no_change(V4);
}

HOLDS(R39v6, "SO_BSDCOMPAT is taken, not kept, and changes nothing")
{
	no_change(V6);
}

int main(int argc, char **argv)
{
	return cases_run(argc, argv);
}
