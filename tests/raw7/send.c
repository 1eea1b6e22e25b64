// SPDX-License-Identifier: GPL-2.0
/*
 * Where a datagram goes and what its header is, without a header of the
 * caller's: R13, R14, R16, R38.
 */
#include "case.h"
#include "lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define TEXT "send.c"

/* Behind right, by a route that the runner has made (see tests/lib/krawtest). */
#define BEHIND4 "10.77.0.1"
#define BEHIND6 "fd77::1"

static ssize_t send_with(int fd, int flags, const char *text)
{
	union address to = address(text);

	return sendto(fd, TEXT, strlen(TEXT), flags, &to.sa, address_len(&to));
}

HOLDS(R13, "MSG_DONTROUTE: attached networks only, not behind a gateway")
{
	int out = raw(LEFT, V4, 253);
	struct got got;

	hush(V4, 253);
	is(send_with(out, 0, BEHIND4), strlen(TEXT), "by the gateway");
	is(wire_drain(WIRE_L0, &got), 1, "it leaves");
	refused(send_with(out, MSG_DONTROUTE, BEHIND4), ENETUNREACH,
		"MSG_DONTROUTE behind a gateway");
	is(send_with(out, MSG_DONTROUTE, R4), strlen(TEXT), "on the network");
	is(wire_drain(WIRE_L0, &got), 1, "it leaves");
	option(out, SOL_SOCKET, SO_DONTROUTE, 1);
	refused(send_with(out, 0, BEHIND4), ENETUNREACH,
		"SO_DONTROUTE behind a gateway");
	is(send_with(out, 0, R4), strlen(TEXT), "on the network");
	is(wire_drain(WIRE_L0, &got), 1, "it leaves");
}

DIFFERS(R13v6, "MSG_DONTROUTE means nothing: the gateway is used",
	"net/ipv6/raw.c, rawv6_sendmsg()")
{
	int out = raw(LEFT, V6, 253);

	hush(V6, 253);
	is(send_with(out, MSG_DONTROUTE, BEHIND6), strlen(TEXT),
	   "behind a gateway");
	is(wire_drain(WIRE_L0, NULL), 1, "it leaves");
	option(out, SOL_SOCKET, SO_DONTROUTE, 1);
	is(send_with(out, 0, BEHIND6), strlen(TEXT), "SO_DONTROUTE");
	is(wire_drain(WIRE_L0, NULL), 1, "it leaves");
}

HOLDS(R14, "IP_TTL, IP_TOS and IP_OPTIONS are in the header")
{
	static const uint8_t options[] = { 7, 7, 4, 0, 0, 0, 0, 0 };
	int out = raw(LEFT, V4, 253);
	struct got got;

	hush(V4, 253);
	send_with(out, 0, R4);
	is(wire_drain(WIRE_L0, &got), 1, "it leaves");
	is(got.data[8], 64, "the default time to live");
	is(got.data[1], 0, "the default type of service");
	is(got.data[0], 0x45, "no options");
	option(out, IPPROTO_IP, IP_TTL, 7);
	option(out, IPPROTO_IP, IP_TOS, 0x48);
	send_with(out, 0, R4);
	is(wire_drain(WIRE_L0, &got), 1, "it leaves");
	is(got.data[8], 7, "the time to live");
	is(got.data[1], 0x48, "the type of service");
	if (setsockopt(out, IPPROTO_IP, IP_OPTIONS, options, sizeof(options)))
		bail("IP_OPTIONS");
	send_with(out, 0, R4);
	is(wire_drain(WIRE_L0, &got), 1, "it leaves");
	is(got.data[0], 0x47, "options");
	is(got.data[20], 7, "the one that records the route");
	is(got.data[28], TEXT[0], "the datagram behind them");
}

HOLDS(R14v6,
      "IPV6_UNICAST_HOPS, IPV6_TCLASS and IPV6_DSTOPTS are in the header")
{
	static const uint8_t options[] = { 0, 0, 1, 4, 0, 0, 0, 0 };
	int out = raw(LEFT, V6, 253);
	struct got got;

	hush(V6, 253);
	send_with(out, 0, R6);
	is(wire_drain(WIRE_L0, &got), 1, "it leaves");
	is(got.data[7], 64, "the default hop limit");
	is(got.data[6], 253, "no options");
	option(out, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 7);
	option(out, IPPROTO_IPV6, IPV6_TCLASS, 0x48);
	if (setsockopt(out, IPPROTO_IPV6, IPV6_DSTOPTS, options,
		       sizeof(options)))
		bail("IPV6_DSTOPTS");
	send_with(out, 0, R6);
	is(wire_drain(WIRE_L0, &got), 1, "it leaves");
	is(got.data[7], 7, "the hop limit");
	is((got.data[0] & 15) << 4 | got.data[1] >> 4, 0x48,
	   "the traffic class");
	is(got.data[6], IPPROTO_DSTOPTS, "destination options");
	is(got.data[40], 253, "then the protocol");
	is(got.data[48], TEXT[0], "then the datagram");
}

/* --- R16, R38: the port ---------------------------------------------------- */

static ssize_t send_port(int fd, const char *text, uint16_t port)
{
	union address to = address(text);

	if (to.sa.sa_family == AF_INET)
		to.in.sin_port = htons(port);
	else
		to.in6.sin6_port = htons(port);
	return sendto(fd, TEXT, strlen(TEXT), 0, &to.sa, address_len(&to));
}

static const uint16_t ports[] = { 0, 253, 254, 17, 0xffff };

HOLDS(R16, "sin_port does not matter to sendto(), bind() and connect()")
{
	int out = raw(LEFT, V4, 253);
	union address mine = address(L4), to = address(R4);
	struct got got;
	size_t i;

	hush(V4, 253);
	for (i = 0; i < sizeof(ports) / sizeof(*ports); i++) {
		is(send_port(out, R4, ports[i]), strlen(TEXT), "to %d",
		   ports[i]);
		is(wire_drain(WIRE_L0, &got), 1, "it leaves");
	}
	mine.in.sin_port = htons(254);
	to.in.sin_port = htons(17);
	is(bind(out, &mine.sa, sizeof(mine.in)), 0, "bind with one");
	is(connect(out, &to.sa, sizeof(to.in)), 0, "connect with one");
	is(send(out, TEXT, strlen(TEXT), 0), strlen(TEXT), "send");
	is(wire_drain(WIRE_L0, &got), 1, "it leaves");
	is(got.data[9], 253, "the socket's protocol");
}

HOLDS(R38, "the protocol is socket()'s, whatever is in sin_port")
{
	int out = raw(LEFT, V4, 253), whole = raw(LEFT, V4, IPPROTO_RAW);
	struct got got;
	size_t i;

	hush(V4, 253);
	hush(V4, 255);
	option(whole, IPPROTO_IP, IP_HDRINCL, 0);
	for (i = 0; i < sizeof(ports) / sizeof(*ports); i++) {
		send_port(out, R4, ports[i]);
		is(wire_drain(WIRE_L0, &got), 1, "it leaves");
		is(got.data[9], 253, "to %d: the socket's protocol", ports[i]);
		send_port(whole, R4, ports[i]);
		is(wire_drain(WIRE_L0, &got), 1, "it leaves");
		is(got.data[9], 255, "to %d: IPPROTO_RAW", ports[i]);
	}
}

DIFFERS(R16v6, "sin6_port is 0 or the socket's protocol, all else is EINVAL",
	"net/ipv6/raw.c, rawv6_sendmsg()")
{
	int out = raw(LEFT, V6, 253);
	size_t i;

	hush(V6, 253);
	for (i = 0; i < sizeof(ports) / sizeof(*ports); i++) {
		if (ports[i] == 0 || ports[i] == 253) {
			is(send_port(out, R6, ports[i]), strlen(TEXT), "to %d",
			   ports[i]);
			is(wire_drain(WIRE_L0, NULL), 1, "it leaves");
		} else {
			refused(send_port(out, R6, ports[i]), EINVAL,
				"another number");
		}
	}
}

DIFFERS(R38v6,
	"in an IPPROTO_RAW socket without IPV6_HDRINCL sin6_port is the "
	"protocol",
	"net/ipv6/raw.c, rawv6_sendmsg()")
{
	int out = raw(LEFT, V6, IPPROTO_RAW);
	struct got got;

	hush(V6, 253);
	hush(V6, 254);
	hush(V6, 255);
	option(out, IPPROTO_IPV6, 36 /* IPV6_HDRINCL */, 0);
	is(send_port(out, R6, 254), strlen(TEXT), "to 254");
	is(wire_drain(WIRE_L0, &got), 1, "it leaves");
	is(got.data[6], 254, "as protocol 254");
	is(send_port(out, R6, 0), strlen(TEXT), "to 0");
	is(wire_drain(WIRE_L0, &got), 1, "it leaves");
	is(got.data[6], 255, "as protocol 255");
	refused(send_port(out, R6, 256), EINVAL, "no protocol");
}

int main(int argc, char **argv)
{
	return cases_run(argc, argv);
}
