// SPDX-License-Identifier: GPL-2.0
#include "lab.h"
#include "case.h"
#include "counters.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The protocol of packets that only say that those before them have arrived. */
#define MARKER	  252
#define PATIENCE  60000 /* ms; what takes longer is broken, not slow */
#define SOCKS_MAX 300

static const char *const names[] = { "left", "right" };
static const char *const marker_addr[] = { L4, R4 };
static int spaces[2], markers[2], wires[WIRES];
static int socks[SOCKS_MAX], socks_count;

void in(enum ns ns)
{
	static int current = -1;

	if (current == (int)ns)
		return;
	current = ns;
	if (setns(spaces[ns], CLONE_NEWNET))
		bail("setns %s", names[ns]);
}

static int sock_open(enum ns ns, int family, int type, int proto)
{
	int fd;

	in(ns);
	fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, proto);
	if (fd < 0)
		bail("socket %d %d %d", family, type, proto);
	return fd;
}

static int wire_open(enum ns ns, const char *device)
{
	int fd = sock_open(ns, AF_PACKET, SOCK_DGRAM, 0);
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = if_nametoindex(device),
	};

	option(fd, SOL_SOCKET, SO_RCVBUFFORCE, 1 << 23);
	if (bind(fd, (struct sockaddr *)&ll, sizeof(ll)))
		bail("packet socket on %s", device);
	return fd;
}

void lab_open(void)
{
	char path[64];
	int ns;

	for (ns = LEFT; ns <= RIGHT; ns++) {
		snprintf(path, sizeof(path), "/run/netns/%s", names[ns]);
		spaces[ns] = open(path, O_RDONLY | O_CLOEXEC);
		if (spaces[ns] < 0)
			bail("%s", path);
		markers[ns] = sock_open(ns, AF_INET, SOCK_RAW, MARKER);
		counters_open(ns);
	}
	wires[WIRE_L0] = wire_open(LEFT, "l0");
	wires[WIRE_R0] = wire_open(RIGHT, "r0");
	wires[WIRE_LO] = wire_open(LEFT, "lo");
}

void lab_begin(const char *id)
{
	struct got got;
	int wire;

	settle();
	log_quiet(true);
	for (wire = 0; wire < WIRES; wire++)
		while (wire_next(wire, &got))
			;
	log_quiet(false);
	log_case(id);
	counters_remember();
}

void lab_end(void)
{
	settle();
	counters_log();
	while (socks_count)
		close(socks[--socks_count]);
	in(LEFT);
}

int sock(enum ns ns, int family, int type, int proto)
{
	int fd = sock_open(ns, family, type, proto);

	if (socks_count == SOCKS_MAX)
		bail("more than %d sockets", SOCKS_MAX);
	socks[socks_count++] = fd;
	return fd;
}

int raw(enum ns ns, int family, int proto)
{
	return sock(ns, address_family(family), SOCK_RAW, proto);
}

int sender(enum ns ns, int family)
{
	int fd = raw(ns, family, IPPROTO_RAW);

	option(fd, SOL_SOCKET, SO_BROADCAST, 1);
	return fd;
}

void hush(int family, int proto)
{
	raw(LEFT, family, proto);
	raw(RIGHT, family, proto);
}

void sock_close(int fd)
{
	int i;

	for (i = 0; i < socks_count; i++) {
		if (socks[i] != fd)
			continue;
		close(fd);
		socks[i] = socks[--socks_count];
		return;
	}
}

void option(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		bail("setsockopt %d/%d to %d", level, name, value);
}

int option_get(int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int value = 0;

	if (getsockopt(fd, level, name, &value, &len))
		bail("getsockopt %d/%d", level, name);
	return value;
}

void bind_to(int fd, const char *text)
{
	union address to = address(text);

	if (bind(fd, &to.sa, address_len(&to)))
		bail("bind to %s", text);
}

void bind_port(int fd, const char *text, uint16_t port)
{
	union address to = address(text);

	if (to.sa.sa_family == AF_INET)
		to.in.sin_port = htons(port);
	else
		to.in6.sin6_port = htons(port);
	if (bind(fd, &to.sa, address_len(&to)))
		bail("bind to %s, port %d", text, port);
}

void connect_to(int fd, const char *text)
{
	union address to = address(text);

	if (connect(fd, &to.sa, address_len(&to)))
		bail("connect to %s", text);
}

void sysctl_set(enum ns ns, const char *path, const char *value)
{
	char name[128];
	FILE *file;

	in(ns);
	snprintf(name, sizeof(name), "/proc/sys/net/%s", path);
	file = fopen(name, "we");
	if (!file)
		bail("%s", name);
	fprintf(file, "%s\n", value);
	if (fclose(file))
		bail("%s", name);
}

ssize_t send_to(int fd, const void *data, size_t len, const char *text)
{
	union address to = address(text);

	return sendto(fd, data, len, 0, &to.sa, address_len(&to));
}

void send_packet(int fd, const char *src, const char *dst, uint8_t proto,
		 const char *text)
{
	uint8_t data[2048];
	size_t len = packet(data, src, dst, proto, text, strlen(text));

	if (send_to(fd, data, len, dst) < 0)
		bail("send a packet of protocol %d from %s to %s", proto, src,
		     dst);
}

static void marker(enum ns from, enum ns to)
{
	struct pollfd ready = { .fd = markers[to], .events = POLLIN };
	uint8_t data[64];

	if (send_to(markers[from], "marker", 6, marker_addr[to]) < 0)
		bail("send a marker to %s", names[to]);
	if (poll(&ready, 1, PATIENCE) != 1)
		bail("no marker in %s", names[to]);
	while (recv(markers[to], data, sizeof(data), 0) > 0)
		;
}

void settle(void)
{
	/* there, back, and what was an answer to an answer */
	marker(LEFT, RIGHT);
	marker(RIGHT, LEFT);
	marker(LEFT, RIGHT);
}

static bool receive_by(int fd, struct got *got, int flags)
{
	struct iovec data = {
		.iov_base = got->data,
		.iov_len = sizeof(got->data),
	};
	struct msghdr msg = {
		.msg_name = &got->from,
		.msg_namelen = sizeof(got->from),
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = got->control,
		.msg_controllen = sizeof(got->control),
	};

	memset(&got->from, 0xee, sizeof(got->from));
	got->len = recvmsg(fd, &msg, MSG_DONTWAIT | flags);
	if (got->len < 0)
		return false;
	got->flags = msg.msg_flags;
	got->control_len = msg.msg_controllen;
	return true;
}

bool receive(int fd, struct got *got)
{
	if (!receive_by(fd, got, 0))
		return false;
	log_got(fd, got);
	return true;
}

bool receive_error(int fd, struct got *got)
{
	if (!receive_by(fd, got, MSG_ERRQUEUE))
		return false;
	log_got(fd, got);
	return true;
}

int drain(int fd, struct got *got)
{
	static struct got unwanted;
	int count = 0;

	settle();
	while (receive(fd, &unwanted)) {
		count++;
		if (got)
			*got = unwanted;
	}
	return count;
}

const void *control(const struct got *got, int level, int type)
{
	struct msghdr msg = {
		.msg_control = (void *)got->control,
		.msg_controllen = got->control_len,
	};
	struct cmsghdr *cmsg;

	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg))
		if (cmsg->cmsg_level == level && cmsg->cmsg_type == type)
			return CMSG_DATA(cmsg);
	return NULL;
}

const uint8_t *payload(int family, const struct got *got, size_t *len)
{
	size_t header = family == V4 ? (got->data[0] & 15) * 4 : 0;

	*len = got->len - header;
	return got->data + header;
}

bool carries(int family, const struct got *got, const char *text)
{
	size_t len;
	const uint8_t *data = payload(family, got, &len);

	return len >= strlen(text) && !memcmp(data, text, strlen(text));
}

/* Markers, and what IPv6 sends on its own (MLD, neighbour discovery). */
static bool of_nobody(const struct got *got)
{
	if (got->data[0] >> 4 == 4)
		return got->data[9] == MARKER;
	if (got->data[0] >> 4 != 6)
		return true;
	return (got->data[6] == IPPROTO_HOPOPTS && got->data[40] == 58) ||
	       (got->data[6] == IPPROTO_ICMPV6 && got->data[40] >= 130 &&
		got->data[40] <= 137);
}

bool wire_next(enum wire wire, struct got *got)
{
	struct sockaddr_ll from;
	socklen_t len;

	for (;;) {
		len = sizeof(from);
		got->len = recvfrom(wires[wire], got->data, sizeof(got->data),
				    MSG_DONTWAIT, (struct sockaddr *)&from,
				    &len);
		if (got->len < 0)
			return false;
		got->control_len = 0;
		got->flags = 0;
		if (from.sll_pkttype != PACKET_OUTGOING || of_nobody(got))
			continue;
		log_wire(wire, got);
		return true;
	}
}

int wire_drain(enum wire wire, struct got *got)
{
	static struct got unwanted;
	int count = 0;

	settle();
	while (wire_next(wire, &unwanted)) {
		count++;
		if (got)
			*got = unwanted;
	}
	return count;
}

bool silence(void)
{
	static struct got unwanted;
	int wire, seen = 0;

	settle();
	for (wire = 0; wire < WIRES; wire++)
		while (wire_next(wire, &unwanted))
			seen++;
	return is(seen, 0, "no packet leaves");
}

bool refused(ssize_t result, int error, const char *what)
{
	int got = result < 0 ? errno : 0;

	return is(got, error, "%s: %s", what, strerror(error)) & silence();
}

long counter(enum ns ns, const char *name)
{
	return counters_one(ns, name);
}
