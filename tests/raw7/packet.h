/* SPDX-License-Identifier: GPL-2.0 */
/* Addresses, and IP packets as bytes. */
#ifndef RAW7_PACKET_H
#define RAW7_PACKET_H

#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <stddef.h>
#include <stdint.h>

/* A header that a test writes or reads: its numbers are in network order. */
#define V4	   4
#define V6	   6
#define IP4_LEN	   sizeof(struct iphdr)
#define IP6_LEN	   sizeof(struct ip6_hdr)
#define PACKET_MAX 66000

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* The family is V6 if there is a colon in the text. */
union address address(const char *text);
socklen_t address_len(const union address *address);
int address_family(int family); /* V4: AF_INET */
/* The address itself: 4 or 16 bytes */
const void *address_bytes(const union address *address, size_t *len);

uint16_t checksum(const void *data, size_t len);
/* With the pseudo header; in network order. */
uint16_t checksum_upper(const char *src, const char *dst, uint8_t proto,
			const void *data, size_t len);

/*
 * Write a header and what follows it to `to`, of PACKET_MAX bytes; the length
 * of all. Every field is filled: identification 0x4711, time to live 64, flow
 * label 0.
 */
size_t packet(void *to, const char *src, const char *dst, uint8_t proto,
	      const void *body, size_t len);
/* An ICMP or ICMPv6 message with its checksum. */
size_t icmp(void *to, const char *src, const char *dst, uint8_t type,
	    uint8_t code, uint32_t rest, const void *body, size_t len);
/* A UDP datagram with its checksum. */
size_t udp(void *to, const char *src, const char *dst, uint16_t sport,
	   uint16_t dport, const void *body, size_t len);
/* A TCP SYN with its checksum. */
size_t tcp_syn(void *to, const char *src, const char *dst, uint16_t sport,
	       uint16_t dport, uint32_t seq);

#endif /* RAW7_PACKET_H */
