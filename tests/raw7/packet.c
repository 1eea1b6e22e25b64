// SPDX-License-Identifier: GPL-2.0
#include "packet.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

union address address(const char *text)
{
	union address address;

	memset(&address, 0, sizeof(address));
	if (strchr(text, ':')) {
		address.in6.sin6_family = AF_INET6;
		inet_pton(AF_INET6, text, &address.in6.sin6_addr);
	} else {
		address.in.sin_family = AF_INET;
		inet_pton(AF_INET, text, &address.in.sin_addr);
	}
	return address;
}

socklen_t address_len(const union address *address)
{
	return address->sa.sa_family == AF_INET ? sizeof(address->in) :
						  sizeof(address->in6);
}

int address_family(int family)
{
	return family == V4 ? AF_INET : AF_INET6;
}

const void *address_bytes(const union address *address, size_t *len)
{
	if (address->sa.sa_family == AF_INET) {
		*len = sizeof(address->in.sin_addr);
		return &address->in.sin_addr;
	}
	*len = sizeof(address->in6.sin6_addr);
	return &address->in6.sin6_addr;
}

static uint32_t sum(uint32_t start, const void *data, size_t len)
{
	const uint8_t *bytes = data;
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		start += bytes[i] << 8 | bytes[i + 1];
	if (len & 1)
		start += bytes[len - 1] << 8;
	return start;
}

static uint16_t fold(uint32_t value)
{
	while (value >> 16)
		value = (value & 0xffff) + (value >> 16);
	return htons(~value & 0xffff);
}

uint16_t checksum(const void *data, size_t len)
{
	return fold(sum(0, data, len));
}

uint16_t checksum_upper(const char *src, const char *dst, uint8_t proto,
			const void *data, size_t len)
{
	union address from = address(src), to = address(dst);
	uint32_t value = proto + len;
	const void *bytes;
	size_t size;

	bytes = address_bytes(&from, &size);
	value = sum(value, bytes, size);
	bytes = address_bytes(&to, &size);
	value = sum(value, bytes, size);
	return fold(sum(value, data, len));
}

static size_t packet4(void *to, const char *src, const char *dst, uint8_t proto,
		      const void *body, size_t len)
{
	struct iphdr header = {
		.version = 4,
		.ihl = 5,
		.tot_len = htons(IP4_LEN + len),
		.id = htons(0x4711),
		.ttl = 64,
		.protocol = proto,
		.saddr = address(src).in.sin_addr.s_addr,
		.daddr = address(dst).in.sin_addr.s_addr,
	};

	header.check = checksum(&header, sizeof(header));
	memcpy(to, &header, sizeof(header));
	if (len)
		memcpy((uint8_t *)to + sizeof(header), body, len);
	return sizeof(header) + len;
}

size_t packet(void *to, const char *src, const char *dst, uint8_t proto,
	      const void *body, size_t len)
{
	struct ip6_hdr header;

	if (!strchr(src, ':'))
		return packet4(to, src, dst, proto, body, len);
	memset(&header, 0, sizeof(header));
	header.ip6_flow = htonl(6U << 28);
	header.ip6_plen = htons(len);
	header.ip6_nxt = proto;
	header.ip6_hlim = 64;
	header.ip6_src = address(src).in6.sin6_addr;
	header.ip6_dst = address(dst).in6.sin6_addr;
	memcpy(to, &header, sizeof(header));
	if (len)
		memcpy((uint8_t *)to + sizeof(header), body, len);
	return sizeof(header) + len;
}

size_t icmp(void *to, const char *src, const char *dst, uint8_t type,
	    uint8_t code, uint32_t rest, const void *body, size_t len)
{
	uint8_t *out = to;
	uint16_t check;

	memset(out, 0, 8);
	out[0] = type;
	out[1] = code;
	rest = htonl(rest);
	memcpy(out + 4, &rest, sizeof(rest));
	if (len)
		memcpy(out + 8, body, len);
	check = strchr(src, ':') ?
			checksum_upper(src, dst, IPPROTO_ICMPV6, out, 8 + len) :
			checksum(out, 8 + len);
	memcpy(out + 2, &check, sizeof(check));
	return 8 + len;
}

size_t udp(void *to, const char *src, const char *dst, uint16_t sport,
	   uint16_t dport, const void *body, size_t len)
{
	struct udphdr header = {
		.source = htons(sport),
		.dest = htons(dport),
		.len = htons(sizeof(header) + len),
	};
	uint8_t *out = to;

	memcpy(out, &header, sizeof(header));
	if (len)
		memcpy(out + sizeof(header), body, len);
	header.check = checksum_upper(src, dst, IPPROTO_UDP, out,
				      sizeof(header) + len);
	if (!header.check)
		header.check = 0xffff;
	memcpy(out, &header, sizeof(header));
	return sizeof(header) + len;
}

size_t tcp_syn(void *to, const char *src, const char *dst, uint16_t sport,
	       uint16_t dport, uint32_t seq)
{
	struct tcphdr header = {
		.source = htons(sport),
		.dest = htons(dport),
		.seq = htonl(seq),
		.doff = 5,
		.syn = 1,
		.window = htons(1024),
	};

	header.check = checksum_upper(src, dst, IPPROTO_TCP, &header,
				      sizeof(header));
	memcpy(to, &header, sizeof(header));
	return sizeof(header);
}
