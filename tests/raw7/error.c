// SPDX-License-Identifier: GPL-2.0
/*
 * ICMP errors, made in right, and which sockets of left they reach: R20, R21,
 * R22, R28, R34.
 */
#include "case.h"
#include "lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <string.h>
#include <unistd.h>

#define TEXT "error.c, sent to right"
#define MTU  1500 /* the link's: no news */

/* An error and what it is for a socket; fatal ones are told without asking. */
struct error {
	uint8_t type, code;
	uint32_t rest;
	int error;
	bool fatal;
};

static const struct error errors4[] = {
	{ 3, 0, 0, ENETUNREACH, false },   { 3, 1, 0, EHOSTUNREACH, false },
	{ 3, 2, 0, ENOPROTOOPT, true },	   { 3, 3, 0, ECONNREFUSED, true },
	{ 3, 4, MTU, EMSGSIZE, true },	   { 3, 5, 0, EOPNOTSUPP, false },
	{ 3, 6, 0, ENETUNREACH, true },	   { 3, 7, 0, EHOSTDOWN, true },
	{ 3, 8, 0, ENONET, true },	   { 3, 9, 0, ENETUNREACH, true },
	{ 3, 10, 0, EHOSTUNREACH, true },  { 3, 11, 0, ENETUNREACH, false },
	{ 3, 12, 0, EHOSTUNREACH, false }, { 3, 13, 0, EHOSTUNREACH, true },
	{ 3, 14, 0, EHOSTUNREACH, true },  { 3, 15, 0, EHOSTUNREACH, true },
	{ 11, 0, 0, EHOSTUNREACH, false }, { 12, 0, 1U << 24, EPROTO, true },
};

static const struct error errors6[] = {
	{ 1, 0, 0, ENETUNREACH, false },  { 1, 1, 0, EACCES, true },
	{ 1, 2, 0, EHOSTUNREACH, false }, { 1, 3, 0, EHOSTUNREACH, false },
	{ 1, 4, 0, ECONNREFUSED, true },  { 1, 5, 0, EACCES, true },
	{ 1, 6, 0, EACCES, true },	  { 2, 0, MTU, EMSGSIZE, false },
	{ 3, 0, 0, EHOSTUNREACH, false }, { 3, 1, 0, EHOSTUNREACH, false },
	{ 4, 0, 6, EPROTO, true },	  { 4, 1, 6, EPROTO, true },
	{ 4, 2, 40, EPROTO, true },
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* right says this about a packet of protocol 253 from left. */
static void tell(int family, const struct error *error)
{
	int proto = family == V4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	uint8_t quoted[128], message[256], data[512];
	int out = sender(RIGHT, family);
	size_t len;

	len = packet(quoted, left(family), right(family), 253, TEXT,
		     strlen(TEXT));
	len = icmp(message, right(family), left(family), error->type,
		   error->code, error->rest, quoted, len);
	len = packet(data, right(family), left(family), proto, message, len);
	if (send_to(out, data, len, left(family)) < 0)
		bail("send an ICMP error");
	settle();
	sock_close(out);
}

static void asks(int family, int fd)
{
	if (family == V4)
		option(fd, IPPROTO_IP, IP_RECVERR, 1);
	else
		option(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
}

enum kind { PLAIN, ASKING, CONNECTED, BOTH, KINDS };

/* One of each kind; the address is bound or it could be another of left's. */
static void four(int family, int *fds)
{
	int kind;

	for (kind = PLAIN; kind < KINDS; kind++) {
		fds[kind] = raw(LEFT, family, 253);
		bind_to(fds[kind], left(family));
	}
	asks(family, fds[ASKING]);
	asks(family, fds[BOTH]);
	connect_to(fds[CONNECTED], right(family));
	connect_to(fds[BOTH], right(family));
}

static int told(int fd)
{
	return option_get(fd, SOL_SOCKET, SO_ERROR);
}

/* --- R20 ------------------------------------------------------------------- */

static void unconnected(int family, const struct error *errors, size_t count)
{
	int fds[KINDS], queued;
	struct got got;
	size_t i;

	four(family, fds);
	for (i = 0; i < count; i++) {
		tell(family, &errors[i]);
		is(told(fds[PLAIN]), 0, "%d/%d: nothing is told",
		   errors[i].type, errors[i].code);
		ok(!receive_error(fds[PLAIN], &got), "nor queued");
		is(send_to(fds[PLAIN], TEXT, strlen(TEXT), right(family)),
		   strlen(TEXT), "and send works");
		/* the answer to that: nobody has the protocol in right */
		settle();
		for (queued = 0; receive_error(fds[ASKING], &got); queued++)
			;
		is(queued, 2, "%d/%d: who asks is told of both", errors[i].type,
		   errors[i].code);
		while (receive_error(fds[BOTH], &got))
			;
		told(fds[ASKING]);
		told(fds[BOTH]);
		told(fds[CONNECTED]);
	}
}

HOLDS(R20, "an unconnected socket that does not ask is told no network error")
{
	unconnected(V4, errors4, COUNT(errors4));
}

HOLDS(R20v6, "an unconnected socket that does not ask is told no network error")
{
	unconnected(V6, errors6, COUNT(errors6));
}

/* --- R21, R28 --------------------------------------------------------------- */

static void connected(int family, const struct error *errors, size_t count)
{
	int fds[KINDS];
	struct got got;
	size_t i;

	four(family, fds);
	for (i = 0; i < count; i++) {
		tell(family, &errors[i]);
		is(told(fds[CONNECTED]), errors[i].fatal ? errors[i].error : 0,
		   "%d/%d: what a connected socket is told", errors[i].type,
		   errors[i].code);
		ok(!receive_error(fds[CONNECTED], &got), "nothing is queued");
		while (receive_error(fds[BOTH], &got))
			;
		while (receive_error(fds[ASKING], &got))
			;
	}
}

DIFFERS(R21,
	"EMSGSIZE and EPROTO, and each unreachable that counts as fatal: "
	"codes 2, 3, 6 to 10 and 13 to 15",
	"net/ipv4/raw.c, raw_err(); net/ipv4/icmp.c, icmp_err_convert[]")
{
	connected(V4, errors4, COUNT(errors4));
}

DIFFERS(R21v6,
	"EPROTO, and each unreachable that counts as fatal: codes 1 and "
	"4 to 6; EMSGSIZE not, unless with IPV6_PMTUDISC_DO",
	"net/ipv6/raw.c, rawv6_err(); net/ipv6/icmp.c, icmpv6_err_convert()")
{
	static const struct error too_big = { 2, 0, MTU, EMSGSIZE, true };
	int fd;

	connected(V6, errors6, COUNT(errors6));
	fd = raw(LEFT, V6, 253);
	bind_to(fd, L6);
	connect_to(fd, R6);
	option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO);
	tell(V6, &too_big);
	is(told(fd), EMSGSIZE, "packet too big, with IPV6_PMTUDISC_DO");
}

/* recv() has it, once, and so has SO_ERROR. */
static void parameter_problem(int family, const struct error *error)
{
	int fds[KINDS], kind;
	struct got got;

	four(family, fds);
	tell(family, error);
	wire_drain(WIRE_R0, NULL);
	for (kind = ASKING; kind < KINDS; kind++) {
		refused(recv(fds[kind], got.data, sizeof(got.data), 0), EPROTO,
			"recv");
		is(recv(fds[kind], got.data, sizeof(got.data), 0), -1,
		   "the second time");
		is(errno, EAGAIN, "it is gone");
	}
	tell(family, error);
	for (kind = ASKING; kind < KINDS; kind++)
		is(told(fds[kind]), EPROTO, "SO_ERROR");
	is(told(fds[PLAIN]), 0, "who neither asks nor is connected has not");
}

HOLDS(R28, "EPROTO from recv(): a parameter problem came in")
{
	parameter_problem(V4, &errors4[COUNT(errors4) - 1]);
}

HOLDS(R28v6, "EPROTO from recv(): a parameter problem came in")
{
	parameter_problem(V6, &errors6[COUNT(errors6) - 1]);
}

/* An error that is pending, and send(): with a header of ours and without. */
static void pending(int family, const struct error *error)
{
	int level = family == V4 ? IPPROTO_IP : IPPROTO_IPV6;
	int fds[KINDS], kind;
	uint8_t data[128];
	size_t len;

	hush(family, 253);
	four(family, fds);
	tell(family, error);
	wire_drain(WIRE_R0, NULL);
	for (kind = ASKING; kind < KINDS; kind++) {
		is(send_to(fds[kind], TEXT, strlen(TEXT), right(family)),
		   strlen(TEXT), "send works");
		is(wire_drain(WIRE_L0, NULL), 1, "and the packet leaves");
	}
	len = packet(data, left(family), right(family), 253, TEXT,
		     strlen(TEXT));
	for (kind = ASKING; kind < KINDS; kind++) {
		option(fds[kind], level, family == V4 ? IP_HDRINCL : 36, 1);
		refused(send_to(fds[kind], data, len, right(family)), EPROTO,
			"send with a header");
		is(send_to(fds[kind], data, len, right(family)), len,
		   "the second time it works");
		is(wire_drain(WIRE_L0, NULL), 1, "and the packet leaves");
	}
}

DIFFERS(R28, "send() without IP_HDRINCL never has it, with IP_HDRINCL it has",
	"net/ipv4/ip_output.c, __ip_append_data(); net/core/sock.c, "
	"sock_alloc_send_pskb()")
{
	pending(V4, &errors4[COUNT(errors4) - 1]);
}

DIFFERS(R28v6,
	"send() without IPV6_HDRINCL never has it, with IPV6_HDRINCL it has",
	"net/ipv6/ip6_output.c, __ip6_append_data(); net/core/sock.c, "
	"sock_alloc_send_pskb()")
{
	pending(V6, &errors6[COUNT(errors6) - 1]);
}

/* --- R22 -------------------------------------------------------------------- */

/* One entry, which says all there is to say. */
static void queued(int family, int fd, const struct error *error)
{
	int level = family == V4 ? IPPROTO_IP : IPPROTO_IPV6;
	int name = family == V4 ? IP_RECVERR : IPV6_RECVERR;
	const struct sock_extended_err *entry;
	union address offender;
	struct got got;

	if (!ok(receive_error(fd, &got), "%d/%d: it is queued", error->type,
		error->code))
		return;
	entry = control(&got, level, name);
	if (!ok(entry, "with its control data"))
		return;
	is(entry->ee_errno, error->error, "%d/%d: the error", error->type,
	   error->code);
	is(entry->ee_origin,
	   family == V4 ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6, "origin");
	is(entry->ee_type, error->type, "type");
	is(entry->ee_code, error->code, "code");
	if (error->error == EMSGSIZE)
		is(entry->ee_info, MTU, "the MTU");
	memcpy(&offender, SO_EE_OFFENDER(entry), sizeof(offender));
	is(offender.sa.sa_family, address_family(family),
	   "who said it: family");
	if (family == V4)
		is(offender.in.sin_addr.s_addr, address(R4).in.sin_addr.s_addr,
		   "who said it");
	ok(got.len == (ssize_t)strlen(TEXT) &&
		   !memcmp(got.data, TEXT, strlen(TEXT)),
	   "what was sent");
	ok(got.flags & MSG_ERRQUEUE, "MSG_ERRQUEUE");
	ok(!receive_error(fd, &got), "one entry");
}

static void all_queued(int family, const struct error *errors, size_t count)
{
	int fds[KINDS];
	size_t i;

	four(family, fds);
	for (i = 0; i < count; i++) {
		tell(family, &errors[i]);
		queued(family, fds[ASKING], &errors[i]);
		queued(family, fds[BOTH], &errors[i]);
	}
}

HOLDS(R22,
      "with IP_RECVERR each unreachable, time exceeded and parameter problem is queued")
{
	all_queued(V4, errors4, COUNT(errors4));
}

DIFFERS(R22,
	"a source quench, a redirect and an expired reassembly are not queued",
	"net/ipv4/raw.c, raw_err(); net/ipv4/icmp.c, icmp_unreach()")
{
	static const struct error others[] = { { 4, 0, 0, 0, false },
					       { 5, 1, 0x0a090002, 0, false },
					       { 11, 1, 0, 0, false } };
	int fds[KINDS], kind;
	struct got got;
	size_t i;

	four(V4, fds);
	for (i = 0; i < COUNT(others); i++) {
		tell(V4, &others[i]);
		for (kind = PLAIN; kind < KINDS; kind++) {
			is(told(fds[kind]), 0, "nothing is told");
			ok(!receive_error(fds[kind], &got), "nor queued");
		}
	}
}

/* Nobody has the protocol in right, which says so: about 7 bytes, and 8. */
static void short_quote(int family)
{
	int fd = raw(LEFT, family, 253);
	struct got got;

	asks(family, fd);
	bind_to(fd, left(family));
	send_to(fd, TEXT, 7, right(family));
	is(wire_drain(WIRE_L0, NULL), 1, "7 bytes leave");
	is(wire_drain(WIRE_R0, NULL), 1, "unreachable comes");
	ok(!receive_error(fd, &got), "nothing is queued");
	is(told(fd), 0, "nor told");
	send_to(fd, TEXT, 8, right(family));
	is(wire_drain(WIRE_R0, NULL), 1, "about 8 bytes");
	ok(receive_error(fd, &got), "it is queued");
}

DIFFERS(R22, "an error about a packet of less than 8 bytes reaches nobody",
	"net/ipv4/icmp.c, icmp_socket_deliver()")
{
	short_quote(V4);
}

DIFFERS(R22v6, "an error about a packet of less than 8 bytes reaches nobody",
	"net/ipv6/icmp.c, icmpv6_notify()")
{
	short_quote(V6);
}

HOLDS(R22v6,
      "with IPV6_RECVERR each unreachable, packet too big, time exceeded and parameter problem is queued")
{
	all_queued(V6, errors6, COUNT(errors6));
}

/* --- R34 -------------------------------------------------------------------- */

static void datagram_socket(int family)
{
	int level = family == V4 ? IPPROTO_IP : IPPROTO_IPV6;
	int name = family == V4 ? IP_RECVERR : IPV6_RECVERR, i;
	const struct sock_extended_err *entry;
	union address to = address(right(family));
	struct got got;
	int fds[3];

	if (family == V4)
		to.in.sin_port = htons(9);
	else
		to.in6.sin6_port = htons(9);
	for (i = 0; i < 3; i++)
		fds[i] = sock(LEFT, address_family(family), SOCK_DGRAM, 0);
	asks(family, fds[0]);
	asks(family, fds[1]);
	/* the second has a port, too, but sends nothing; the third asks nothing */
	for (i = 0; i < 3; i++)
		bind_port(fds[i], left(family), 4711 + i);
	sendto(fds[0], TEXT, strlen(TEXT), 0, &to.sa, address_len(&to));
	sendto(fds[2], TEXT, strlen(TEXT), 0, &to.sa, address_len(&to));
	settle();
	if (ok(receive_error(fds[0], &got), "who sent it is told")) {
		entry = control(&got, level, name);
		ok(entry && entry->ee_errno == ECONNREFUSED, "ECONNREFUSED");
		ok(!memcmp(got.data, TEXT, strlen(TEXT)), "about what");
	}
	ok(!receive_error(fds[0], &got), "once");
	ok(!receive_error(fds[1], &got), "another is not");
	is(told(fds[1]), 0, "nothing at all");
	ok(!receive_error(fds[2], &got), "nor is one that did not ask");
	is(told(fds[2]), 0, "nothing at all");
}

HOLDS(R34,
      "IP_RECVERR on a UDP socket reports the errors about its own datagrams")
{
	datagram_socket(V4);
}

HOLDS(R34v6,
      "IPV6_RECVERR on a UDP socket reports the errors about its own datagrams")
{
	datagram_socket(V6);
}

int main(int argc, char **argv)
{
	return cases_run(argc, argv);
}
