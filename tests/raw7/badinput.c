// SPDX-License-Identifier: GPL-2.0
/*
 * The errors that raw(7) lists, each provoked, and no packet left: R23, R24, R25,
 * R27. R26 is in mtu.c, R28 in error.c, EPERM in open.c.
 */
#include "case.h"
#include "lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TEXT "badinput.c"

/* --- R23: EACCES ----------------------------------------------------------- */

HOLDS(R23, "EACCES: to a broadcast address without SO_BROADCAST")
{
	static const char *const all[] = { "10.9.0.255", "255.255.255.255" };
	int out = raw(LEFT, V4, 253), whole = raw(LEFT, V4, IPPROTO_RAW);
	uint8_t data[128];
	size_t i, len;

	hush(V4, 253);
	for (i = 0; i < 2; i++) {
		option(out, SOL_SOCKET, SO_BROADCAST, 0);
		option(whole, SOL_SOCKET, SO_BROADCAST, 0);
		len = packet(data, L4, all[i], 253, TEXT, strlen(TEXT));
		/* without a default route we have to say where */
		if (i) {
			if (setsockopt(out, SOL_SOCKET, SO_BINDTODEVICE, "l0",
				       2) ||
			    setsockopt(whole, SOL_SOCKET, SO_BINDTODEVICE, "l0",
				       2))
				bail("SO_BINDTODEVICE");
		}
		refused(send_to(out, TEXT, strlen(TEXT), all[i]), EACCES,
			all[i]);
		refused(send_to(whole, data, len, all[i]), EACCES,
			"with a header");
		option(out, SOL_SOCKET, SO_BROADCAST, 1);
		option(whole, SOL_SOCKET, SO_BROADCAST, 1);
		is(send_to(out, TEXT, strlen(TEXT), all[i]), strlen(TEXT),
		   "with SO_BROADCAST");
		is(send_to(whole, data, len, all[i]), len,
		   "with SO_BROADCAST and a header");
		is(wire_drain(WIRE_L0, NULL), 2, "both leave");
	}
}

/* --- R24: EFAULT ----------------------------------------------------------- */

/* Memory that nobody may touch. */
static void *nowhere(void)
{
	void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	if (page == MAP_FAILED)
		bail("mmap");
	return page;
}

static void bad_memory(int family)
{
	int level = family == V4 ? IPPROTO_IP : IPPROTO_IPV6;
	int ttl = family == V4 ? IP_TTL : IPV6_UNICAST_HOPS;
	int out = raw(LEFT, family, 253), whole = raw(LEFT, family, 255);
	int reader = raw(RIGHT, family, 253);
	union address to = address(right(family));
	void *page = nowhere();
	socklen_t len = sizeof(int);
	struct iovec data = { .iov_base = (void *)TEXT, .iov_len = 8 };
	struct msghdr msg = {
		.msg_name = &to,
		.msg_namelen = address_len(&to),
		.msg_iov = &data,
		.msg_iovlen = 1,
	};

	hush(family, 253);
	refused(send_to(out, page, 8, right(family)), EFAULT, "data");
	refused(send_to(whole, page, 80, right(family)), EFAULT,
		"data with a header");
	refused(sendto(out, TEXT, 8, 0, page, address_len(&to)), EFAULT,
		"address");
	msg.msg_iov = page;
	refused(sendmsg(out, &msg, 0), EFAULT, "vector");
	msg.msg_iov = &data;
	msg.msg_control = page;
	msg.msg_controllen = 64;
	refused(sendmsg(out, &msg, 0), EFAULT, "control data");
	/* glibc would read the message itself, were it not for the kernel */
	refused(bind(out, page, address_len(&to)), EFAULT, "bind");
	refused(connect(out, page, address_len(&to)), EFAULT, "connect");
	refused(setsockopt(out, level, ttl, page, sizeof(int)), EFAULT,
		"setsockopt");
	refused(getsockopt(out, level, ttl, page, &len), EFAULT, "getsockopt");
	is(send_to(out, TEXT, 8, right(family)), 8, "a good one");
	is(wire_drain(WIRE_L0, NULL), 1, "leaves");
	is(recv(reader, page, 8, 0), -1, "recv");
	is(errno, EFAULT, "EFAULT");
	munmap(page, 4096);
}

HOLDS(R24,
      "EFAULT: data, addresses, vectors, options in memory that is not there")
{
	bad_memory(V4);
}

HOLDS(R24v6,
      "EFAULT: data, addresses, vectors, options in memory that is not there")
{
	bad_memory(V6);
}

/* --- R25: EINVAL ----------------------------------------------------------- */

HOLDS(R25, "EINVAL: lengths, headers, options and numbers that cannot be")
{
	int out = raw(LEFT, V4, 253), whole = raw(LEFT, V4, IPPROTO_RAW);
	union address to = address(R4);
	uint8_t data[128];
	size_t len, i;

	hush(V4, 253);
	for (i = 1; i < sizeof(to.in); i++)
		refused(sendto(out, TEXT, 8, 0, &to.sa, i), EINVAL,
			"a part of an address");
	refused(bind(out, &to.sa, sizeof(to.in) - 1), EINVAL, "bind to one");
	refused(connect(out, &to.sa, sizeof(to.in) - 1), EINVAL,
		"connect to one");
	len = packet(data, L4, R4, 253, TEXT, strlen(TEXT));
	for (i = 1; i < IP4_LEN; i++)
		refused(send_to(whole, data, i, R4), EINVAL,
			"a part of a header");
	for (i = 0; i < 5; i++) {
		data[0] = 0x40 | i;
		refused(send_to(whole, data, len, R4), EINVAL,
			"a header that says it is shorter than one");
	}
	data[0] = 0x4f;
	refused(send_to(whole, data, len, R4), EINVAL,
		"a header that says it is longer than all");
	data[0] = 0x45;
	if (setsockopt(whole, IPPROTO_IP, IP_OPTIONS, "\1\1\1\1", 4))
		bail("IP_OPTIONS");
	refused(send_to(whole, data, len, R4), EINVAL,
		"IP_OPTIONS beside a header");
	refused(setsockopt(out, IPPROTO_IP, IP_TTL, &(int){ 256 }, sizeof(int)),
		EINVAL, "a time to live of 256");
	refused(setsockopt(out, IPPROTO_IP, IP_MTU_DISCOVER, &(int){ 6 },
			   sizeof(int)),
		EINVAL, "a discovery that is not known");
	refused(setsockopt(out, IPPROTO_IP, IP_OPTIONS, "\7\1\0\0", 4), EINVAL,
		"an option that is shorter than its header");
	in(LEFT);
	is(socket(AF_INET, SOCK_RAW, -1), -1, "protocol -1");
	is(errno, EINVAL, "EINVAL");
	is(socket(AF_INET, SOCK_RAW, 1000), -1, "protocol 1000");
	is(errno, EINVAL, "EINVAL");
}

DIFFERS(R25,
	"other errors for arguments: EAFNOSUPPORT, EDESTADDRREQ, ENOPROTOOPT, EPROTONOSUPPORT",
	"net/ipv4/raw.c, raw_sendmsg(); net/ipv4/af_inet.c, inet_create()")
{
	int out = raw(LEFT, V4, 253);
	union address to = address(R4);

	hush(V4, 253);
	to.sa.sa_family = AF_UNIX;
	refused(sendto(out, TEXT, 8, 0, &to.sa, sizeof(to.in)), EAFNOSUPPORT,
		"an address of another family");
	refused(send(out, TEXT, 8, 0), EDESTADDRREQ, "no address");
	refused(setsockopt(out, IPPROTO_IP, 63, &(int){ 1 }, sizeof(int)),
		ENOPROTOOPT, "an option that is not known");
	in(LEFT);
	is(socket(AF_INET, SOCK_RAW, 0), -1, "protocol 0");
	is(errno, EPROTONOSUPPORT, "EPROTONOSUPPORT");
	/* no family is this family: so it was once */
	to.sa.sa_family = AF_UNSPEC;
	is(sendto(out, TEXT, 8, 0, &to.sa, sizeof(to.in)), 8, "AF_UNSPEC");
	is(wire_drain(WIRE_L0, NULL), 1, "leaves");
}

HOLDS(R25v6, "EINVAL: lengths, headers, options and numbers that cannot be")
{
	int out = raw(LEFT, V6, 253), whole = raw(LEFT, V6, IPPROTO_RAW);
	union address to = address(R6);
	uint8_t data[128];
	size_t i;

	hush(V6, 253);
	for (i = 1; i < 24; i++)
		refused(sendto(out, TEXT, 8, 0, &to.sa, i), EINVAL,
			"a part of an address");
	refused(bind(out, &to.sa, 23), EINVAL, "bind to one");
	refused(connect(out, &to.sa, 23), EINVAL, "connect to one");
	packet(data, L6, R6, 253, TEXT, strlen(TEXT));
	for (i = 1; i < IP6_LEN; i++)
		refused(send_to(whole, data, i, R6), EINVAL,
			"a part of a header");
	refused(setsockopt(out, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &(int){ 256 },
			   sizeof(int)),
		EINVAL, "a hop limit of 256");
	refused(setsockopt(out, IPPROTO_IPV6, IPV6_CHECKSUM, &(int){ 3 },
			   sizeof(int)),
		EINVAL, "a checksum at an odd offset");
	/* a checksum behind the end is noticed when there is one */
	option(out, IPPROTO_IPV6, IPV6_CHECKSUM, 8);
	refused(send_to(out, TEXT, 8, R6), EINVAL, "a checksum behind the end");
	in(LEFT);
	is(socket(AF_INET6, SOCK_RAW, 1000), -1, "protocol 1000");
	is(errno, EINVAL, "EINVAL");
}

/* --- R27: EOPNOTSUPP ------------------------------------------------------- */

static void flags(int family)
{
	int out = raw(LEFT, family, 253), whole = raw(LEFT, family, 255);
	union address to = address(right(family));
	uint8_t data[128];
	size_t len;

	hush(family, 253);
	len = packet(data, left(family), right(family), 253, TEXT, 8);
	refused(sendto(out, TEXT, 8, MSG_OOB, &to.sa, address_len(&to)),
		EOPNOTSUPP, "send with MSG_OOB");
	refused(sendto(whole, data, len, MSG_OOB, &to.sa, address_len(&to)),
		EOPNOTSUPP, "with a header");
	refused(recv(out, data, sizeof(data), MSG_OOB), EOPNOTSUPP,
		"receive with MSG_OOB");
	refused(listen(out, 1), EOPNOTSUPP, "listen");
	refused(accept(out, NULL, NULL), EOPNOTSUPP, "accept");
}

HOLDS(R27, "EOPNOTSUPP: MSG_OOB both ways, listen and accept")
{
	flags(V4);
}

HOLDS(R27v6, "EOPNOTSUPP: MSG_OOB both ways, listen and accept")
{
	flags(V6);
}

int main(int argc, char **argv)
{
	return cases_run(argc, argv);
}
