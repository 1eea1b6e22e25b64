// SPDX-License-Identifier: GPL-2.0
/*
 * Sizes: R26, R29, R30, R37. The path MTU to an address is learnt from an error
 * that right makes, and lasts as long as the namespace: each case has an address
 * of its own, behind right.
 */
#include "case.h"
#include "lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define DEVICE_MTU 1500
#define PATH_MTU   1300

static uint8_t body[70000];

static int level(int family)
{
	return family == V4 ? IPPROTO_IP : IPPROTO_IPV6;
}

/* Level and IP_PMTUDISC_DONT, WANT, DO ..., which are the same in IPv6. */
static void discover(int fd, int family, int value)
{
	option(fd, level(family),
	       family == V4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, value);
}

/* A socket bound to the address that the errors name. */
static int ours(int family, int discovery)
{
	int fd = raw(LEFT, family, 253);

	bind_to(fd, left(family));
	if (discovery >= 0)
		discover(fd, family, discovery);
	return fd;
}

/* right says that the path to `dst` takes PATH_MTU bytes. */
static void tell(int family, const char *dst)
{
	int proto = family == V4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	uint8_t quoted[128], message[256], data[512];
	int out = sender(RIGHT, family);
	size_t len;

	/* behind the header 8 bytes at least; who sent it does not matter */
	len = packet(quoted, left(family), dst, 253, "12345678", 8);
	len = icmp(message, right(family), left(family), family == V4 ? 3 : 2,
		   family == V4 ? 4 : 0, PATH_MTU, quoted, len);
	len = packet(data, right(family), left(family), proto, message, len);
	if (send_to(out, data, len, left(family)) < 0)
		bail("send an ICMP error");
	settle();
	sock_close(out);
}

/* The same while a socket asks for errors: IPv6 needs one, see R29v6. */
static void learn(int family, const char *dst)
{
	int asking = ours(family, -1);

	option(asking, level(family), family == V4 ? IP_RECVERR : IPV6_RECVERR,
	       1);
	tell(family, dst);
	sock_close(asking);
}

/* What left by l0: packets, the size of the longest, are they fragments? */
struct left_by {
	int packets, fragments, longest;
	bool dont_fragment;
};

static struct left_by look(int family)
{
	static struct got got;
	struct left_by result = { 0 };
	uint16_t offset;

	settle();
	while (wire_next(WIRE_L0, &got)) {
		result.packets++;
		if (got.len > result.longest)
			result.longest = got.len;
		if (family == V6) {
			result.fragments += got.data[6] == IPPROTO_FRAGMENT;
			continue;
		}
		offset = got.data[6] << 8 | got.data[7];
		result.fragments += !!(offset & 0x3fff);
		result.dont_fragment = offset & 0x4000;
	}
	return result;
}

static size_t fits(int family, size_t mtu)
{
	return mtu - header_len(family);
}

/* --- R26 -------------------------------------------------------------------- */

static void too_long(int family, const char *dst)
{
	int fd = ours(family, IP_PMTUDISC_DO);
	struct left_by seen;

	hush(family, 253);
	is(send_to(fd, body, fits(family, DEVICE_MTU), dst),
	   fits(family, DEVICE_MTU), "as long as the device's MTU");
	seen = look(family);
	is(seen.packets, 1, "one packet leaves");
	is(seen.longest, DEVICE_MTU, "of that length");
	refused(send_to(fd, body, fits(family, DEVICE_MTU) + 1, dst), EMSGSIZE,
		"one byte more");
	learn(family, dst);
	wire_drain(WIRE_R0, NULL);
	is(send_to(fd, body, fits(family, PATH_MTU), dst),
	   fits(family, PATH_MTU), "as long as the path's MTU");
	is(look(family).packets, 1, "one packet leaves");
	refused(send_to(fd, body, fits(family, PATH_MTU) + 1, dst), EMSGSIZE,
		"one byte more");
}

HOLDS(R26, "EMSGSIZE: longer than the path's MTU, with IP_PMTUDISC_DO")
{
	too_long(V4, "10.77.26.1");
}

HOLDS(R26v6, "EMSGSIZE: longer than the path's MTU, with IPV6_PMTUDISC_DO")
{
	too_long(V6, "fd77::26:1");
}

HOLDS(R26, "EMSGSIZE: longer than 64 KiB, whatever the socket says")
{
	int fd = ours(V4, IP_PMTUDISC_DONT);

	hush(V4, 253);
	is(send_to(fd, body, 65515, R4), 65515, "the longest datagram");
	ok(look(V4).fragments > 40, "leaves in parts");
	refused(send_to(fd, body, 65516, R4), EMSGSIZE, "one byte more");
	refused(send_to(fd, body, 65536, R4), EMSGSIZE, "65536 bytes");
	refused(send_to(fd, body, sizeof(body), R4), EMSGSIZE, "70000 bytes");
	option(fd, IPPROTO_IP, IP_HDRINCL, 1);
	refused(send_to(fd, body, 65536, R4), EMSGSIZE, "with a header");
}

HOLDS(R26v6, "EMSGSIZE: longer than 64 KiB, whatever the socket says")
{
	int fd = ours(V6, IP_PMTUDISC_DONT);

	hush(V6, 253);
	/* the length field does not count the header */
	is(send_to(fd, body, 65535, R6), 65535, "the longest datagram");
	ok(look(V6).fragments > 40, "leaves in parts");
	refused(send_to(fd, body, 65536, R6), EMSGSIZE, "one byte more");
	refused(send_to(fd, body, sizeof(body), R6), EMSGSIZE, "70000 bytes");
}

/* --- R29 -------------------------------------------------------------------- */

/* What the kernel remembers is what a connected socket is told. */
static int path_mtu(int family, const char *dst)
{
	int fd = ours(family, -1), mtu;

	connect_to(fd, dst);
	mtu = option_get(fd, level(family), family == V4 ? IP_MTU : IPV6_MTU);
	sock_close(fd);
	return mtu;
}

static void remembered(int family, const char *dst, const char *another)
{
	int fd = ours(family, -1);
	struct left_by seen;

	hush(family, 253);
	is(option_get(fd, level(family),
		      family == V4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER),
	   IP_PMTUDISC_WANT, "discovery is on");
	send_to(fd, body, 100, dst);
	seen = look(family);
	if (family == V4)
		ok(seen.dont_fragment, "packets say don't fragment");
	is(path_mtu(family, dst), DEVICE_MTU, "at first it is the device's");
	learn(family, dst);
	is(path_mtu(family, dst), PATH_MTU, "then what the error said");
	is(path_mtu(family, another), DEVICE_MTU, "for that address only");
}

HOLDS(R29, "discovery is on by default, the MTU of a path is remembered")
{
	remembered(V4, "10.77.29.1", "10.77.29.2");
}

HOLDS(R29v6, "discovery is on by default, the MTU of a path is remembered")
{
	remembered(V6, "fd77::29:1", "fd77::29:2");
}

/* Who has the error: nobody; a socket; one that asks. */
static int learnt(int family, const char *dst, bool socket, bool asks)
{
	int fd = -1;

	if (socket)
		fd = ours(family, -1);
	if (asks)
		option(fd, level(family),
		       family == V4 ? IP_RECVERR : IPV6_RECVERR, 1);
	tell(family, dst);
	if (socket)
		sock_close(fd);
	return path_mtu(family, dst);
}

DIFFERS(R29,
	"it is remembered only if a socket of the protocol is there to hear it",
	"net/ipv4/raw.c, raw_err()")
{
	is(learnt(V4, "10.77.29.4", false, false), DEVICE_MTU, "no socket");
	is(learnt(V4, "10.77.29.4", true, false), PATH_MTU, "a socket");
}

DIFFERS(R29v6,
	"it is remembered only if a socket hears it that is connected or asks for errors",
	"net/ipv6/raw.c, rawv6_err()")
{
	is(learnt(V6, "fd77::29:4", false, false), DEVICE_MTU, "no socket");
	is(learnt(V6, "fd77::29:4", true, false), DEVICE_MTU, "a socket");
	is(learnt(V6, "fd77::29:4", true, true), PATH_MTU, "one that asks");
}

static void by_default(int family, const char *dst)
{
	int fd = ours(family, -1);
	struct left_by seen;

	hush(family, 253);
	is(send_to(fd, body, DEVICE_MTU, dst), DEVICE_MTU,
	   "longer than the device's MTU");
	seen = look(family);
	is(seen.packets, 2, "two packets leave");
	is(seen.fragments, 2, "both fragments");
	learn(family, dst);
	look(family);
	is(send_to(fd, body, fits(family, PATH_MTU) + 1, dst),
	   fits(family, PATH_MTU) + 1, "longer than the path's");
	seen = look(family);
	is(seen.packets, 2, "two packets leave");
	is(seen.fragments, 2, "both fragments");
	ok(seen.longest <= PATH_MTU, "which fit the path");
	/* what fits is one packet, that no router may fragment */
	is(send_to(fd, body, fits(family, PATH_MTU), dst),
	   fits(family, PATH_MTU), "as long as the path's");
	seen = look(family);
	is(seen.packets, 1, "one packet leaves");
	is(seen.fragments, 0, "no fragment");
}

DIFFERS(R29,
	"by default a send that is too long is fragmented; EMSGSIZE needs "
	"IP_PMTUDISC_DO",
	"include/net/ip.h, ip_sk_ignore_df()")
{
	by_default(V4, "10.77.29.3");
}

DIFFERS(R29v6,
	"by default a send that is too long is fragmented; EMSGSIZE needs "
	"IPV6_PMTUDISC_DO",
	"net/ipv6/ip6_output.c, __ip6_append_data()")
{
	by_default(V6, "fd77::29:3");
}

/* --- R30 -------------------------------------------------------------------- */

static void fragmented(int family, int fd, const char *dst, bool may)
{
	struct left_by seen;

	is(send_to(fd, body, 3000, dst), 3000, "3000 bytes");
	seen = look(family);
	is(seen.packets, 3, "three packets leave");
	is(seen.fragments, 3, "all fragments");
	/* a fragment's payload is a multiple of eight bytes */
	is(seen.longest, family == V4 ? DEVICE_MTU : DEVICE_MTU - 4,
	   "as long as the device takes");
	if (family == V6)
		return;
	is(send_to(fd, body, 100, dst), 100, "100 bytes");
	seen = look(family);
	is(seen.dont_fragment, !may, "routers may fragment, too");
}

HOLDS(R30, "with discovery off what is too long is fragmented")
{
	int fd = ours(V4, IP_PMTUDISC_DONT);

	hush(V4, 253);
	fragmented(V4, fd, "10.77.30.1", true);
	sysctl_set(LEFT, "ipv4/ip_no_pmtu_disc", "1");
	fd = ours(V4, -1);
	sysctl_set(LEFT, "ipv4/ip_no_pmtu_disc", "0");
	is(option_get(fd, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_DONT,
	   "a socket that is opened with ip_no_pmtu_disc has it off");
	fragmented(V4, fd, "10.77.30.2", true);
}

HOLDS(R30v6, "with discovery off what is too long is fragmented")
{
	int fd = ours(V6, IP_PMTUDISC_DONT);

	hush(V6, 253);
	fragmented(V6, fd, "fd77::30:1", true);
}

/* --- R37 -------------------------------------------------------------------- */

static size_t made(int family, const char *dst, size_t len, uint8_t *data,
		   bool dont_fragment)
{
	len = packet(data, left(family), dst, 253, body,
		     len - header_len(family));
	if (family == V4 && dont_fragment)
		data[6] = 0x40;
	return len;
}

static void device_limit(int family, const char *dst)
{
	int out = sender(LEFT, family), value;
	uint8_t data[DEVICE_MTU + 1];
	struct left_by seen;
	size_t len;

	hush(family, 253);
	for (value = IP_PMTUDISC_DONT; value <= IP_PMTUDISC_PROBE; value++) {
		discover(out, family, value);
		len = made(family, dst, DEVICE_MTU, data, false);
		is(send_to(out, data, len, dst), len, "the device's MTU");
		seen = look(family);
		is(seen.packets, 1, "one packet leaves");
		is(seen.longest, DEVICE_MTU, "as it was");
		len = made(family, dst, DEVICE_MTU + 1, data, false);
		refused(send_to(out, data, len, dst), EMSGSIZE, "one more");
	}
}

HOLDS(R37, "with IP_HDRINCL the device's MTU is the limit, whatever is said")
{
	device_limit(V4, "10.77.37.1");
}

HOLDS(R37v6,
      "with IPV6_HDRINCL the device's MTU is the limit, whatever is said")
{
	device_limit(V6, "fd77::37:1");
}

DIFFERS(R37,
	"what fits the device and not the path is fragmented, unless it "
	"says don't fragment: EMSGSIZE",
	"net/ipv4/ip_output.c, ip_fragment()")
{
	const char *dst = "10.77.37.2";
	int out = sender(LEFT, V4);
	uint8_t data[DEVICE_MTU];
	static struct got error;
	struct left_by seen;
	size_t len;

	hush(V4, 253);
	learn(V4, dst);
	len = made(V4, dst, DEVICE_MTU, data, false);
	is(send_to(out, data, len, dst), len, "the device's MTU");
	seen = look(V4);
	is(seen.packets, 2, "two packets leave");
	is(seen.fragments, 2, "both fragments");
	ok(seen.longest <= PATH_MTU, "which fit the path");
	len = made(V4, dst, DEVICE_MTU, data, true);
	is(send_to(out, data, len, dst), -1, "don't fragment");
	is(errno, EMSGSIZE, "EMSGSIZE");
	is(wire_drain(WIRE_L0, NULL), 0, "nothing leaves");
	is(wire_drain(WIRE_LO, &error), 1, "this host tells itself");
	ok(error.data[20] == 3 && error.data[21] == 4, "fragmentation needed");
	/* whoever wants to find out the path's MTU */
	discover(out, V4, IP_PMTUDISC_PROBE);
	is(send_to(out, data, len, dst), len, "with IP_PMTUDISC_PROBE");
	seen = look(V4);
	is(seen.packets, 1, "one packet leaves");
	is(seen.longest, DEVICE_MTU, "as it was");
}

DIFFERS(R37v6, "what fits the device and not the path is EMSGSIZE",
	"net/ipv6/ip6_output.c, ip6_fragment()")
{
	const char *dst = "fd77::37:2";
	int out = sender(LEFT, V6);
	uint8_t data[DEVICE_MTU];
	static struct got error;
	size_t len;

	hush(V6, 253);
	learn(V6, dst);
	len = made(V6, dst, PATH_MTU, data, false);
	is(send_to(out, data, len, dst), len, "the path's MTU");
	is(look(V6).packets, 1, "one packet leaves");
	len = made(V6, dst, PATH_MTU + 1, data, false);
	is(send_to(out, data, len, dst), -1, "one byte more");
	is(errno, EMSGSIZE, "EMSGSIZE");
	is(wire_drain(WIRE_L0, NULL), 0, "nothing leaves");
	is(wire_drain(WIRE_LO, &error), 1, "this host tells itself");
	is(error.data[40], 2, "packet too big");
}

int main(int argc, char **argv)
{
	return cases_run(argc, argv);
}
