// SPDX-License-Identifier: GPL-2.0
/*
 * Sends or receives datagrams, UDP's or those of a protocol that kraw claims,
 * and prints what each took, in nanoseconds, one line a repetition.
 *
 * The other end is a tun device without any offload, so what is measured is one
 * side alone, with all checksums in software: when sending, the system call up to
 * the device; when receiving, from the device to the program. Over loopback it is
 * both sides.
 *
 * With QEMU's -icount a nanosecond is an instruction. The first repetition
 * warms up and is not printed.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DEVICE "bench0"	/* a tun device, set up already */
#define BATCH 50	/* fit into a receive buffer, and the device's queue */
#define PORT 20000	/* of the first socket */
#define PORT_THERE 7
#define MTU 1500

static const char usage[] =
	"Usage: datagrams [-6] [-p PROTOCOL [-w]] [-l LENGTH] [-k SOCKETS]\n"
	"                 [-n COUNT] [-r REPETITIONS] MODE\n"
	"  -p  datagram sockets of this protocol, otherwise UDP\n"
	"  -w  without ports\n"
	"  -k  bind so many sockets, to a port or an address each; the datagrams\n"
	"      go to them at random\n"
	"MODE: send      connected, to the device\n"
	"      sendto    the same, not connected\n"
	"      receive   from the device, and read\n"
	"      deliver   from the device to the socket's queue, and not read\n"
	"      loopback  connected, sent and received\n";

/* An address and port, IPv4 or IPv6. */
union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* What is written to the device for one of the sockets. */
struct packet {
	size_t socket;
	size_t length;
	uint8_t bytes[MTU];
};

static int family = AF_INET;
static int protocol = IPPROTO_UDP;
static bool has_ports = true;
static size_t length = 64;
static int *sockets;
static size_t sockets_count = 1;
static int tun = -1;
static uint8_t payload[MTU];

static socklen_t address_size(void)
{
	return family == AF_INET ? sizeof(struct sockaddr_in) :
				   sizeof(struct sockaddr_in6);
}

static union address address(const char *in, const char *in6, uint16_t port)
{
	union address a = { 0 };

	a.any.sa_family = family;
	if (!has_ports)
		port = 0;
	if (family == AF_INET) {
		a.in.sin_port = htons(port);
		inet_pton(AF_INET, in, &a.in.sin_addr);
	} else {
		a.in6.sin6_port = htons(port);
		inet_pton(AF_INET6, in6, &a.in6.sin6_addr);
	}
	return a;
}

/* Of the sockets, by number: a port each, or without ports an address each. */
static union address here(size_t i)
{
	union address a = address("10.255.255.1", "fd00::1", PORT + i);

	if (has_ports || !i)
		return a;
	/* in networks that are local as a whole */
	a = address("10.200.0.0", "fd00:1::", 0);
	if (family == AF_INET) {
		a.in.sin_addr.s_addr |= htonl(i);
	} else {
		a.in6.sin6_addr.s6_addr[14] = i >> 8;
		a.in6.sin6_addr.s6_addr[15] = i;
	}
	return a;
}

static union address there(void)
{
	return address("10.255.255.2", "fd00::2", PORT_THERE);
}

static int socket_bound(union address a)
{
	int fd = socket(family, SOCK_DGRAM, protocol), on = 1;

	if (fd < 0)
		err(1, "socket");
	/* not every address is a device's */
	if (setsockopt(fd, family == AF_INET ? SOL_IP : SOL_IPV6,
		       family == AF_INET ? IP_FREEBIND : IPV6_FREEBIND,
		       &on, sizeof(on)))
		err(1, "freebind");
	if (bind(fd, &a.any, address_size()))
		err(1, "bind");
	return fd;
}

static void socket_connect(int fd, union address a)
{
	if (connect(fd, &a.any, address_size()))
		err(1, "connect");
}

static void sockets_open(void)
{
	struct rlimit limit = { sockets_count + 64, sockets_count + 64 };
	size_t i;

	if (setrlimit(RLIMIT_NOFILE, &limit))
		err(1, "setrlimit");
	sockets = calloc(sockets_count, sizeof(*sockets));
	if (!sockets)
		err(1, "calloc");
	for (i = 0; i < sockets_count; i++)
		sockets[i] = socket_bound(here(i));
}

/* A device whose other end we are: what we write, the kernel receives. */
static void tun_open(void)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };

	tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	strcpy(request.ifr_name, DEVICE);
	if (tun < 0 || ioctl(tun, TUNSETIFF, &request))
		err(1, "tun device");
}

/* --- packets ---------------------------------------------------------------- */

static uint32_t sum(uint32_t sum, const void *data, size_t size)
{
	const uint8_t *byte = data;
	size_t i;

	for (i = 0; i < size; i++)
		sum += i % 2 ? byte[i] : byte[i] << 8;
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return htons(~(sum + (sum >> 16)));
}

static size_t ip4_write(uint8_t *to, size_t size, uint32_t *pseudo)
{
	struct iphdr *ip = (struct iphdr *)to;

	ip->version = 4;
	ip->ihl = 5;
	ip->ttl = 64;
	ip->protocol = protocol;
	ip->tot_len = htons(sizeof(*ip) + size);
	ip->saddr = there().in.sin_addr.s_addr;
	ip->check = fold(sum(0, ip, sizeof(*ip)));
	*pseudo = sum(protocol + size, &ip->saddr, 8);
	return sizeof(*ip);
}

static size_t ip6_write(uint8_t *to, size_t size, uint32_t *pseudo)
{
	struct ip6_hdr *ip = (struct ip6_hdr *)to;

	ip->ip6_vfc = 6 << 4;
	ip->ip6_plen = htons(size);
	ip->ip6_nxt = protocol;
	ip->ip6_hops = 64;
	ip->ip6_src = there().in6.sin6_addr;
	*pseudo = sum(protocol + size, &ip->ip6_src, 32);
	return sizeof(*ip);
}

/* A datagram from there to a socket of ours. */
static void packet_write(struct packet *packet, size_t socket)
{
	size_t header = has_ports ? sizeof(struct udphdr) : 0;
	union address to = here(socket);
	struct udphdr *udp;
	uint32_t pseudo;
	size_t ip;

	memset(packet->bytes, 0, 64);
	packet->socket = socket;
	if (family == AF_INET) {
		((struct iphdr *)packet->bytes)->daddr = to.in.sin_addr.s_addr;
		ip = ip4_write(packet->bytes, header + length, &pseudo);
	} else {
		((struct ip6_hdr *)packet->bytes)->ip6_dst = to.in6.sin6_addr;
		ip = ip6_write(packet->bytes, header + length, &pseudo);
	}
	packet->length = ip + header + length;
	memcpy(packet->bytes + ip + header, payload, length);
	if (!has_ports)
		return;
	udp = (struct udphdr *)(packet->bytes + ip);
	udp->source = htons(PORT_THERE);
	udp->dest = htons(PORT + socket);
	udp->len = htons(sizeof(*udp) + length);
	udp->check = fold(sum(pseudo, udp, sizeof(*udp) + length)) ?: 0xffff;
}

/* --- what is measured ----------------------------------------------------------- */

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* Reads what came out of the device; how many of the packets were ours. */
static size_t tun_drain(void)
{
	size_t protocol_at = family == AF_INET ? 9 : 6, ours = 0;
	uint8_t buffer[MTU];

	while (read(tun, buffer, sizeof(buffer)) > 0)
		ours += buffer[0] >> 4 == (family == AF_INET ? 4 : 6) &&
			buffer[protocol_at] == protocol;
	return ours;
}

static uint64_t send_some(size_t count, bool connected)
{
	socklen_t size = connected ? 0 : address_size();
	union address to = there();
	uint64_t time;
	size_t i;

	time = now();
	for (i = 0; i < count; i++)
		if (sendto(sockets[0], payload, length, 0,
			   connected ? NULL : &to.any, size) < 0)
			err(1, "send");
	time = now() - time;
	if (tun_drain() != count)
		errx(1, "datagrams were lost on their way out");
	return time;
}

static void receive(int fd)
{
	static uint8_t buffer[MTU];
	union address from;
	socklen_t size = sizeof(from);
	ssize_t got = recvfrom(fd, buffer, sizeof(buffer), MSG_DONTWAIT,
			       &from.any, &size);

	if (got < 0)
		err(1, "receive");
	if ((size_t)got != length)
		errx(1, "a datagram has another length");
}

static uint64_t receive_some(size_t count, bool read)
{
	static struct packet packets[BATCH];
	uint64_t time;
	size_t i;

	for (i = 0; i < count; i++)
		packet_write(&packets[i], random() % sockets_count);
	time = now();
	for (i = 0; i < count; i++) {
		if (write(tun, packets[i].bytes, packets[i].length) < 0)
			err(1, "write to tun");
		if (read)
			receive(sockets[packets[i].socket]);
	}
	time = now() - time;
	if (!read)
		for (i = 0; i < count; i++)
			receive(sockets[packets[i].socket]);
	return time;
}

static uint64_t loopback_some(size_t count, int from)
{
	uint64_t time = now();

	while (count--) {
		if (send(from, payload, length, 0) < 0)
			err(1, "send");
		receive(sockets[0]);
	}
	return now() - time;
}

static uint64_t some(const char *mode, size_t count, int from)
{
	if (!strcmp(mode, "send") || !strcmp(mode, "sendto"))
		return send_some(count, !mode[4]);
	if (!strcmp(mode, "receive") || !strcmp(mode, "deliver"))
		return receive_some(count, *mode == 'r');
	return loopback_some(count, from);
}

int main(int argc, char **argv)
{
	size_t count = 2000, repetitions = 6, rep, done, n, i;
	int from = -1, opt;
	const char *mode;
	uint64_t time;

	while ((opt = getopt(argc, argv, "6p:wl:k:n:r:")) != -1) {
		switch (opt) {
		case '6':
			family = AF_INET6;
			break;
		case 'p':
			protocol = atoi(optarg);
			break;
		case 'w':
			has_ports = false;
			break;
		case 'l':
			length = strtoul(optarg, NULL, 10);
			break;
		case 'k':
			sockets_count = strtoul(optarg, NULL, 10);
			break;
		case 'n':
			count = strtoul(optarg, NULL, 10);
			break;
		case 'r':
			repetitions = strtoul(optarg, NULL, 10);
			break;
		default:
			fputs(usage, stderr);
			return 1;
		}
	}
	mode = argv[optind];
	if (optind + 1 != argc || !count || !sockets_count || length > 1400 ||
	    !strstr(" send sendto receive deliver loopback ", mode)) {
		fputs(usage, stderr);
		return 1;
	}
	for (i = 0; i < length; i++)
		payload[i] = random();
	tun_open();
	sockets_open();
	if (!strcmp(mode, "send"))
		socket_connect(sockets[0], there());
	if (!strcmp(mode, "loopback")) {
		from = socket_bound(here(1));
		socket_connect(from, here(0));
	}
	/* Let the kernel end what was begun before us; the time is virtual. */
	sleep(1);
	tun_drain();
	for (rep = 0; rep < repetitions; rep++) {
		time = 0;
		for (done = 0; done < count; done += n) {
			n = count - done < BATCH ? count - done : BATCH;
			time += some(mode, n, from);
		}
		if (rep)
			printf("%.2f\n", (double)time / count);
	}
	return 0;
}
