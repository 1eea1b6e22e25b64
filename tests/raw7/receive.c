// SPDX-License-Identifier: GPL-2.0
/*
 * What a raw socket receives, and when: R03, R05, R07, R15, R17, R31, R32, R33,
 * R35.
 */
#include "case.h"
#include "lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define TEXT "receive.c"

/* --- R03: the header ----------------------------------------------------- */

HOLDS(R03, "the IPv4 header, options included, is before the data as it came")
{
	int reader = raw(RIGHT, V4, 253), out = sender(LEFT, V4);
	uint8_t data[IP4_LEN + 4 + sizeof(TEXT)];
	struct iphdr *header = (struct iphdr *)data;
	struct got got;

	send_packet(out, L4, R4, 253, TEXT);
	is(drain(reader, &got), 1, "it arrives");
	is(got.len, IP4_LEN + strlen(TEXT), "header and data");
	packet(data, L4, R4, 253, TEXT, strlen(TEXT));
	ok(!memcmp(got.data, data, got.len),
	   "byte by byte, length in network order");

	/* four options that do nothing */
	packet(data, L4, R4, 253, "\1\1\1\1" TEXT, 4 + strlen(TEXT));
	header->ihl = 6;
	header->check = 0;
	header->check = checksum(data, 24);
	send_to(out, data, IP4_LEN + 4 + strlen(TEXT), R4);
	is(drain(reader, &got), 1, "a packet with options arrives");
	is(got.len, IP4_LEN + 4 + strlen(TEXT), "options and all");
	ok(!memcmp(got.data, data, got.len), "byte by byte");
}

HOLDS(R03v6, "the IPv6 header is never there, nor are extension headers")
{
	int reader = raw(RIGHT, V6, 253), out = sender(LEFT, V6);
	uint8_t data[128];
	struct got got;
	size_t len;

	send_packet(out, L6, R6, 253, TEXT);
	is(drain(reader, &got), 1, "it arrives");
	is(got.len, strlen(TEXT), "data only");
	ok(!memcmp(got.data, TEXT, strlen(TEXT)), "byte by byte");

	/* destination options: next header, no more than 8 bytes, padding */
	len = packet(data, L6, R6, IPPROTO_DSTOPTS, "\xfd\0\1\4\0\0\0\0" TEXT,
		     8 + strlen(TEXT));
	send_to(out, data, len, R6);
	is(drain(reader, &got), 1, "behind destination options it arrives");
	is(got.len, strlen(TEXT), "data only");
	ok(!memcmp(got.data, TEXT, strlen(TEXT)), "byte by byte");
}

/* --- R05: all of a protocol, packets and errors --------------------------- */

/* Three sockets of the number, one of another, and a packet of each. */
static void all_of_a_protocol(int family)
{
	int first = raw(RIGHT, family, 253), second = raw(RIGHT, family, 253);
	int third = raw(RIGHT, family, 253), another = raw(RIGHT, family, 254);
	int elsewhere = raw(LEFT, family, 253), out = sender(LEFT, family);
	struct got got;

	send_packet(out, left(family), right(family), 253, "253");
	send_packet(out, other(family), right(family), 253, "253 again");
	send_packet(out, left(family), right(family), 254, "254");
	is(drain(first, NULL), 2, "the first socket has both of its protocol");
	is(drain(second, NULL), 2, "the second as well");
	ok(drain(third, &got) == 2 && carries(family, &got, "253 again"),
	   "the third as well");
	ok(drain(another, &got) == 1 && carries(family, &got, "254"),
	   "that of the other protocol has the other one");
	is(drain(elsewhere, NULL), 0, "that of another namespace has none");
}

/*
 * An error about what another socket has sent: nobody listens on the UDP port.
 * All raw UDP sockets that ask for errors are told.
 */
static void all_errors(int family)
{
	int level = family == V4 ? IPPROTO_IP : IPPROTO_IPV6;
	int name = family == V4 ? IP_RECVERR : IPV6_RECVERR;
	int teller = raw(LEFT, family, IPPROTO_UDP);
	int another = raw(LEFT, family, 253);
	int udp_socket = sock(LEFT, address_family(family), SOCK_DGRAM, 0);
	union address to = address(right(family));
	struct got got;

	option(teller, level, name, 1);
	option(another, level, name, 1);
	if (family == V4)
		to.in.sin_port = htons(9);
	else
		to.in6.sin6_port = htons(9);
	bind_port(udp_socket, left(family), 4711);
	sendto(udp_socket, TEXT, strlen(TEXT), 0, &to.sa, address_len(&to));
	settle();
	ok(receive_error(teller, &got), "a raw UDP socket has the error");
	ok(!receive_error(another, &got), "one of another protocol has not");
}

HOLDS(R05, "every raw socket has every packet of its protocol")
{
	all_of_a_protocol(V4);
}

HOLDS(R05, "and every error about one, whoever sent it")
{
	all_errors(V4);
}

HOLDS(R05v6, "every raw socket has every packet of its protocol")
{
	all_of_a_protocol(V6);
}

HOLDS(R05v6, "and every error about one, whoever sent it")
{
	all_errors(V6);
}

/* A queue for some packets and one for all; who has lost how many is told. */
static void full_queue(int family)
{
	int small = raw(RIGHT, family, 253), large = raw(RIGHT, family, 253);
	int out = sender(LEFT, family), i, had;
	const uint32_t *lost;
	struct got got;

	option(small, SOL_SOCKET, SO_RCVBUF, 1);
	option(small, SOL_SOCKET, SO_RXQ_OVFL, 1);
	for (i = 0; i < 20; i++)
		send_packet(out, left(family), right(family), 253, TEXT);
	is(drain(large, NULL), 20, "who has room has them all");
	had = drain(small, &got);
	ok(had > 0 && had < 20, "who has not has the first ones: %d", had);
	send_packet(out, left(family), right(family), 253, "room again");
	ok(drain(small, &got) == 1 && carries(family, &got, "room again"),
	   "and what comes when there is room again");
	lost = control(&got, SOL_SOCKET, SO_RXQ_OVFL);
	ok(lost && (int)*lost == 20 - had, "SO_RXQ_OVFL counts the others");
}

DIFFERS(R05, "what finds the queue full is lost, to that socket only",
	"net/core/sock.c, __sock_queue_rcv_skb()")
{
	full_queue(V4);
}

DIFFERS(R05v6, "what finds the queue full is lost, to that socket only",
	"net/core/sock.c, __sock_queue_rcv_skb()")
{
	full_queue(V6);
}

/* Nobody, a socket elsewhere, one that refuses all it gets. */
static int unreachables(int family)
{
	static struct got got;
	int count = 0;

	settle();
	while (wire_next(WIRE_R0, &got))
		count += family == V4 ?
				 got.data[9] == IPPROTO_ICMP &&
					 got.data[20] == 3 &&
					 got.data[21] == 2 :
				 got.data[6] == IPPROTO_ICMPV6 &&
					 got.data[40] == 4 && got.data[41] == 1;
	return count;
}

static void somebody(int family)
{
	struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog reject = { .len = 1, .filter = &none };
	int out = sender(LEFT, family), reader, tap;

	send_packet(out, left(family), right(family), 253, TEXT);
	is(unreachables(family), 1, "nobody: the sender is told");
	reader = raw(RIGHT, family, 254);
	tap = sock(RIGHT, AF_PACKET, SOCK_DGRAM, htons(3));
	send_packet(out, left(family), right(family), 253, TEXT);
	is(unreachables(family), 1, "another protocol's, a packet socket");
	sock_close(tap);
	reader = raw(RIGHT, family, 253);
	connect_to(reader, other(family));
	send_packet(out, left(family), right(family), 253, TEXT);
	is(unreachables(family), 1, "one that is connected elsewhere");
	reader = raw(RIGHT, family, 253);
	if (setsockopt(reader, SOL_SOCKET, SO_ATTACH_FILTER, &reject,
		       sizeof(reject)))
		bail("SO_ATTACH_FILTER");
	send_packet(out, left(family), right(family), 253, TEXT);
	is(unreachables(family), 0, "one that matches, and refuses it");
	is(drain(reader, NULL), 0, "it has nothing");
	sock_close(reader);
	raw(RIGHT, family, 253);
	send_packet(out, left(family), right(family), 253, TEXT);
	is(unreachables(family), 0, "one that has it");
}

HOLDS(R05,
      "a socket that matches silences the unreachable, even if its filter refuses")
{
	somebody(V4);
}

HOLDS(R05v6,
      "a socket that matches silences the unreachable, even if its filter refuses")
{
	somebody(V6);
}

/* --- R07: IPPROTO_RAW ----------------------------------------------------- */

static void of_raw(int family)
{
	static const uint8_t protos[] = { 1, 6, 17, 58, 89, 253, 254 };
	int reader = raw(RIGHT, family, IPPROTO_RAW);
	int out = sender(LEFT, family);
	struct got got;
	size_t i;

	for (i = 0; i < sizeof(protos); i++)
		send_packet(out, left(family), right(family), protos[i], TEXT);
	is(drain(reader, NULL), 0, "nothing of other protocols");
	send_packet(out, left(family), right(family), IPPROTO_RAW, TEXT);
	ok(drain(reader, &got) == 1 && carries(family, &got, TEXT),
	   "a packet of protocol 255");
}

DIFFERS(R07, "it receives packets of protocol 255, and only these",
	"net/ipv4/raw.c, raw_v4_match()")
{
	of_raw(V4);
}

DIFFERS(R07v6, "it receives packets of protocol 255, and only these",
	"net/ipv6/raw.c, raw_v6_match()")
{
	of_raw(V6);
}

/* --- R15: who is first ---------------------------------------------------- */

#define READERS 3

/*
 * The kernel lists a socket as ready in the order in which they became so, and
 * epoll_wait() reports them in it; in which order they were added does not
 * matter, so we try both.
 */
static void watch(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };

	event.data.fd = fd;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		bail("epoll_ctl");
}

static void raw_before_udp(int family, bool handler_first)
{
	int socket = sock(RIGHT, address_family(family), SOCK_DGRAM, 0);
	int epoll = epoll_create1(EPOLL_CLOEXEC), out = sender(LEFT, family);
	int readers[READERS], i, count;
	struct epoll_event events[READERS + 1];
	uint8_t data[128], body[64];
	struct got got;
	size_t len;

	bind_port(socket, right(family), 4711);
	if (handler_first)
		watch(epoll, socket);
	for (i = 0; i < READERS; i++) {
		readers[i] = raw(RIGHT, family, IPPROTO_UDP);
		watch(epoll, readers[i]);
	}
	if (!handler_first)
		watch(epoll, socket);
	len = udp(body, left(family), right(family), 4712, 4711, TEXT,
		  strlen(TEXT));
	len = packet(data, left(family), right(family), IPPROTO_UDP, body, len);
	send_to(out, data, len, right(family));
	settle();
	count = epoll_wait(epoll, events, READERS + 1, 0);
	close(epoll);
	is(count, READERS + 1, "all of them have it");
	for (i = 0; i < count; i++)
		ok((events[i].data.fd == socket) == (i == READERS),
		   "ready at place %d", i);
	for (i = 0; i < READERS; i++) {
		is(drain(readers[i], NULL), 1, "raw socket %d has a copy", i);
		sock_close(readers[i]);
	}
	is(drain(socket, &got), 1, "and the UDP socket the packet");
	sock_close(socket);
}

HOLDS(R15, "all raw sockets have it before the kernel's handler (UDP)")
{
	raw_before_udp(V4, false);
	raw_before_udp(V4, true);
}

HOLDS(R15v6, "all raw sockets have it before the kernel's handler (UDP)")
{
	raw_before_udp(V6, false);
	raw_before_udp(V6, true);
}

/*
 * The answer to an echo request leaves r0 before epoll sees the reader, if the
 * handler were first: a packet socket there is ready when the answer leaves.
 */
static void raw_before_echo(int family)
{
	int proto = family == V4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	int reader = raw(RIGHT, family, proto), out = sender(LEFT, family);
	int answer = raw(LEFT, family, proto);
	int epoll = epoll_create1(EPOLL_CLOEXEC), count;
	struct epoll_event events[2];
	uint8_t data[128], body[64];
	struct got got;
	size_t len;

	watch(epoll, answer);
	watch(epoll, reader);
	len = icmp(body, left(family), right(family), family == V4 ? 8 : 128, 0,
		   0x47110001, TEXT, strlen(TEXT));
	len = packet(data, left(family), right(family), proto, body, len);
	send_to(out, data, len, right(family));
	settle();
	count = epoll_wait(epoll, events, 2, 0);
	close(epoll);
	is(count, 2, "the request and its answer arrive");
	is(events[0].data.fd, reader, "the raw socket has the request first");
	is(drain(reader, NULL), 1, "the reader has the request only");
	is(drain(answer, &got), 1, "the sender's side has the answer");
}

HOLDS(R15, "the raw socket has an echo request before it is answered")
{
	raw_before_echo(V4);
}

HOLDS(R15v6, "the raw socket has an echo request before it is answered")
{
	raw_before_echo(V6);
}

/* --- R17: the address on receive ------------------------------------------ */

static void port_on_receive(int family)
{
	int reader = raw(RIGHT, family, 253), out = sender(LEFT, family);
	union address from = address(left(family));
	const void *got_bytes, *bytes;
	struct got got;
	size_t len;

	send_packet(out, left(family), right(family), 253, TEXT);
	is(drain(reader, &got), 1, "it arrives");
	is(got.from.sa.sa_family, address_family(family), "the family");
	got_bytes = address_bytes(&got.from, &len);
	bytes = address_bytes(&from, &len);
	ok(!memcmp(got_bytes, bytes, len), "the sender's address");
	is(family == V4 ? got.from.in.sin_port : got.from.in6.sin6_port, 0,
	   "port 0");
}

DIFFERS(R17, "sin_port is always 0", "net/ipv4/raw.c, raw_recvmsg()")
{
	port_on_receive(V4);
}

DIFFERS(R17v6, "sin6_port is always 0", "net/ipv6/raw.c, rawv6_recvmsg()")
{
	port_on_receive(V6);
}

/* --- R31, R32: narrower --------------------------------------------------- */

static void bound(int family)
{
	int any = raw(LEFT, family, 253), one = raw(LEFT, family, 253);
	int another = raw(LEFT, family, 253), out = sender(RIGHT, family);
	int fd = raw(LEFT, family, 253);
	union address nobody = address(family == V4 ? "10.8.0.1" : "fd08::1");

	bind_to(one, left(family));
	bind_to(another, other(family));
	send_packet(out, right(family), left(family), 253, TEXT);
	is(drain(any, NULL), 1, "an unbound socket has it");
	is(drain(one, NULL), 1, "so has one that is bound to its address");
	is(drain(another, NULL), 0, "one that is bound to another has not");
	send_packet(out, right(family), other(family), 253, TEXT);
	is(drain(any, NULL), 1, "the unbound one has that to another address");
	is(drain(one, NULL), 0, "the first bound one has not");
	is(drain(another, NULL), 1, "the second has");
	is(bind(fd, &nobody.sa, address_len(&nobody)), -1,
	   "no address of ours");
	is(errno, EADDRNOTAVAIL, "is refused");
}

HOLDS(R31, "a bound socket has what is sent to its address, an unbound one all")
{
	bound(V4);
}

HOLDS(R31v6,
      "a bound socket has what is sent to its address, an unbound one all")
{
	bound(V6);
}

static void device(int fd, const char *name)
{
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, strlen(name)))
		bail("SO_BINDTODEVICE %s", name);
}

static void narrowed(int family)
{
	int any = raw(LEFT, family, 253), l0 = raw(LEFT, family, 253);
	int lo = raw(LEFT, family, 253), out = sender(RIGHT, family);

	device(l0, "l0");
	device(lo, "lo");
	send_packet(out, right(family), left(family), 253, TEXT);
	is(drain(any, NULL), 1, "a socket of no device has it");
	is(drain(l0, NULL), 1, "so has one of the device that it came by");
	is(drain(lo, NULL), 0, "one of another device has not");
	wire_drain(WIRE_L0, NULL);
	is(send_to(l0, TEXT, strlen(TEXT), right(family)), strlen(TEXT),
	   "and it sends by its device");
	is(wire_drain(WIRE_L0, NULL), 1, "as seen there");
}

HOLDS(R32, "SO_BINDTODEVICE: only what came by that device")
{
	narrowed(V4);
}

HOLDS(R32v6, "SO_BINDTODEVICE: only what came by that device")
{
	narrowed(V6);
}

/* All of it goes over lo, as its packet socket sees. */
static void from_this_host(int family)
{
	int any = raw(LEFT, family, 253), l0 = raw(LEFT, family, 253);
	int lo = raw(LEFT, family, 253), out = sender(LEFT, family);

	device(l0, "l0");
	device(lo, "lo");
	send_packet(out, left(family), left(family), 253, TEXT);
	is(wire_drain(WIRE_LO, NULL), 1, "it goes over lo");
	is(drain(any, NULL), 1, "a socket of no device has it");
	is(drain(l0, NULL), 1, "so has one of l0, whose address it is");
	is(drain(lo, NULL), 0, "one of lo has not");
	send_packet(out, left(family), loopback(family), 253, TEXT);
	is(wire_drain(WIRE_LO, NULL), 1, "to lo's address");
	is(drain(l0, NULL), 0, "one of l0 has not");
	is(drain(lo, NULL), 1, "one of lo has");
}

DIFFERS(R32,
	"from this host to itself: the device is the one with the address, "
	"though the packet goes over lo",
	"net/ipv4/route.c, ip_route_output_key_hash_rcu()")
{
	from_this_host(V4);
}

DIFFERS(R32v6,
	"from this host to itself: the device is the one with the "
	"address, though the packet goes over lo",
	"net/ipv6/ip6_input.c, ip6_rcv_core()")
{
	from_this_host(V6);
}

/* --- R33: fragments ------------------------------------------------------- */

/* Two parts of 16 bytes and the rest of TEXT16. */
#define TEXT16 "0123456789abcdefthe rest"

static void send_fragments(int family, int out)
{
	uint8_t data[128], part[64] = { 253, 0, 0, 1, 0, 0, 0x47, 0x11 };
	struct iphdr *header = (struct iphdr *)data;
	size_t len;

	if (family == V4) {
		len = packet(data, L4, R4, 253, TEXT16, 16);
		header->frag_off = htons(0x2000);
		send_to(out, data, len, R4);
		len = packet(data, L4, R4, 253, TEXT16 + 16,
			     strlen(TEXT16) - 16);
		header->frag_off = htons(2);
		send_to(out, data, len, R4);
		return;
	}
	memcpy(part + 8, TEXT16, 16);
	len = packet(data, L6, R6, IPPROTO_FRAGMENT, part, 24);
	send_to(out, data, len, R6);
	part[3] = 16;
	memcpy(part + 8, TEXT16 + 16, strlen(TEXT16) - 16);
	len = packet(data, L6, R6, IPPROTO_FRAGMENT, part,
		     8 + strlen(TEXT16) - 16);
	send_to(out, data, len, R6);
}

static void fragments(int family)
{
	int reader = raw(RIGHT, family, 253), out = sender(LEFT, family);
	int tap, seen = 0, parts = 0;
	struct got got;

	in(RIGHT);
	tap = sock(RIGHT, AF_PACKET, SOCK_DGRAM,
		   htons(family == V4 ? 0x0800 : 0x86dd));
	settle();
	while (recv(tap, got.data, sizeof(got.data), 0) > 0)
		;
	send_fragments(family, out);
	send_packet(out, left(family), right(family), 253, "whole");
	settle();
	while ((got.len = recv(tap, got.data, sizeof(got.data), 0)) > 0) {
		if (family == V4 && got.data[9] != 253)
			continue;
		if (family == V6 && got.data[6] != 253 &&
		    got.data[6] != IPPROTO_FRAGMENT)
			continue;
		seen++;
		parts += family == V4 ? !!(got.data[6] & 0x3f || got.data[7]) :
					got.data[6] == IPPROTO_FRAGMENT;
	}
	is(seen, 3, "a packet socket has both fragments and the whole packet");
	is(parts, 2, "as they came");
	ok(receive(reader, &got) && carries(family, &got, TEXT16),
	   "a raw socket has them joined");
	ok(receive(reader, &got) && carries(family, &got, "whole"),
	   "and the whole one");
	ok(!receive(reader, &got), "and no more");
}

HOLDS(R33, "a packet socket has fragments, a raw socket what they make")
{
	fragments(V4);
}

HOLDS(R33v6, "a packet socket has fragments, a raw socket what they make")
{
	fragments(V6);
}

/* --- R35: protocols of the kernel ----------------------------------------- */

static void taps_icmp(int family)
{
	int proto = family == V4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	const char *requests = family == V4 ? "IcmpInEchos" : "Icmp6InEchos";
	const char *replies = family == V4 ? "IcmpOutEchoReps" :
					     "Icmp6OutEchoReplies";
	int reader = raw(RIGHT, family, proto), out = sender(LEFT, family);
	int answer = raw(LEFT, family, proto);
	long before = counter(RIGHT, requests), sent = counter(RIGHT, replies);
	uint8_t data[128], body[64];
	const uint8_t *message;
	struct got got;
	size_t len;

	len = icmp(body, left(family), right(family), family == V4 ? 8 : 128, 0,
		   0x47110002, TEXT, strlen(TEXT));
	len = packet(data, left(family), right(family), proto, body, len);
	send_to(out, data, len, right(family));
	is(drain(reader, &got), 1, "the raw socket has the request");
	message = payload(family, &got, &len);
	ok(len == 8 + strlen(TEXT) && message[0] == body[0], "as it was sent");
	is(counter(RIGHT, requests) - before, 1, "so has the kernel");
	is(counter(RIGHT, replies) - sent, 1, "which answers");
	is(drain(answer, &got), 1, "the answer arrives");
	message = payload(family, &got, &len);
	is(message[0], family == V4 ? 0 : 129, "an echo reply");
	ok(len == 8 + strlen(TEXT) && !memcmp(message + 4, body + 4, len - 4),
	   "to our request");
}

static void taps_tcp(int family)
{
	int reader = raw(RIGHT, family, IPPROTO_TCP);
	int out = sender(LEFT, family), answer = raw(LEFT, family, IPPROTO_TCP);
	long resets = counter(RIGHT, "TcpOutRsts");
	uint8_t data[128], body[64];
	const uint8_t *segment;
	struct got got;
	size_t len;

	len = tcp_syn(body, left(family), right(family), 4713, 9, 4714);
	len = packet(data, left(family), right(family), IPPROTO_TCP, body, len);
	send_to(out, data, len, right(family));
	is(drain(reader, &got), 1, "the raw socket has the SYN");
	segment = payload(family, &got, &len);
	ok(len == 20 && !memcmp(segment, body, 20), "as it was sent");
	is(counter(RIGHT, "TcpOutRsts") - resets, 1, "the kernel answers");
	is(drain(answer, &got), 1, "the answer arrives");
	segment = payload(family, &got, &len);
	ok(len == 20 && segment[13] & 4, "a reset");
}

HOLDS(R35, "ICMP: the raw socket and the kernel have the packet")
{
	taps_icmp(V4);
}

HOLDS(R35, "TCP: the raw socket and the kernel have the packet")
{
	taps_tcp(V4);
}

HOLDS(R35v6, "ICMPv6: the raw socket and the kernel have the packet")
{
	taps_icmp(V6);
}

HOLDS(R35v6, "TCP: the raw socket and the kernel have the packet")
{
	taps_tcp(V6);
}

int main(int argc, char **argv)
{
	return cases_run(argc, argv);
}
