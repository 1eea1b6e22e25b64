// SPDX-License-Identifier: GPL-2.0
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *running = "";
static bool silent;

uint64_t hash_bytes(uint64_t hash, const void *data, size_t len)
{
	const uint8_t *bytes = data;
	size_t i;

	/* FNV-1a */
	for (i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ULL;
	return hash;
}

/*
 * Where the kernel's own choice is in an IP packet: identification and checksum
 * in IPv4, the flow label in IPv6, in a packet that an ICMP error quotes as well,
 * and in the checksum of that.
 */
static void mask_ip(uint8_t *data, ssize_t len);

static void mask_icmp(uint8_t *data, ssize_t len, bool error)
{
	if (len < 8 || !error)
		return;
	memset(data + 2, 0, 2);
	mask_ip(data + 8, len - 8);
}

static void mask_upper(uint8_t proto, uint8_t *data, ssize_t len)
{
	if (len < 1)
		return;
	if (proto == IPPROTO_ICMP)
		mask_icmp(data, len,
			  (data[0] >= 3 && data[0] <= 5) || data[0] == 11 ||
				  data[0] == 12);
	else if (proto == IPPROTO_ICMPV6)
		mask_icmp(data, len, data[0] < 128);
}

static void mask_ip(uint8_t *data, ssize_t len)
{
	ssize_t header;

	if (len < (ssize_t)IP4_LEN)
		return;
	if (data[0] >> 4 == 4) {
		memset(data + 4, 0, 2);
		memset(data + 10, 0, 2);
		header = (data[0] & 15) * 4;
		mask_upper(data[9], data + header, len - header);
	} else if (data[0] >> 4 == 6 && len >= (ssize_t)IP6_LEN) {
		memset(data + 2, 0, 2);
		data[1] &= 0xf0;
		/* the identification of a fragment */
		if (data[6] == IPPROTO_FRAGMENT && len >= 48)
			memset(data + 44, 0, 4);
		mask_upper(data[6], data + IP6_LEN, len - IP6_LEN);
	}
}

uint64_t hash_got(int domain, int proto, const struct got *got)
{
	static uint8_t copy[PACKET_MAX];
	size_t len = got->len;

	memcpy(copy, got->data, len);
	if (domain == AF_INET || domain == AF_PACKET)
		mask_ip(copy, len);
	else if (domain == AF_INET6)
		mask_upper(proto, copy, len);
	return hash_bytes(HASH_START, copy, len);
}

static bool is_time(const struct cmsghdr *cmsg)
{
	return cmsg->cmsg_level == SOL_SOCKET &&
	       (cmsg->cmsg_type == SO_TIMESTAMP ||
		cmsg->cmsg_type == SO_TIMESTAMPNS ||
		cmsg->cmsg_type == SO_TIMESTAMPING);
}

uint64_t hash_control(const struct got *got)
{
	struct msghdr msg = {
		.msg_control = (void *)got->control,
		.msg_controllen = got->control_len,
	};
	uint64_t hash = HASH_START;
	struct cmsghdr *cmsg;

	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		hash = hash_bytes(hash, &cmsg->cmsg_level,
				  sizeof(cmsg->cmsg_level));
		hash = hash_bytes(hash, &cmsg->cmsg_type,
				  sizeof(cmsg->cmsg_type));
		if (!is_time(cmsg))
			hash = hash_bytes(hash, CMSG_DATA(cmsg),
					  cmsg->cmsg_len - CMSG_LEN(0));
	}
	return hash;
}

void log_case(const char *id)
{
	running = id;
}

void log_quiet(bool quiet)
{
	silent = quiet;
}

void log_line(const char *format, ...)
{
	va_list args;

	if (silent)
		return;
	printf("#= %s ", running);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static int number(int fd, int name)
{
	socklen_t len = sizeof(int);
	int value = 0;

	getsockopt(fd, SOL_SOCKET, name, &value, &len);
	return value;
}

void log_got(int fd, const struct got *got)
{
	int domain = number(fd, SO_DOMAIN), proto = number(fd, SO_PROTOCOL);

	log_line("socket %d/%d: %zd bytes %016llx control %016llx flags %#x",
		 domain, proto, got->len,
		 (unsigned long long)hash_got(domain, proto, got),
		 (unsigned long long)hash_control(got), got->flags);
}

void log_wire(enum wire wire, const struct got *got)
{
	static const char *const names[] = { "l0", "r0", "lo" };

	log_line("left by %s: %zd bytes %016llx", names[wire], got->len,
		 (unsigned long long)hash_got(AF_PACKET, 0, got));
}
