// SPDX-License-Identifier: GPL-2.0
/*
 * Sends packets over loopback and prints what each took, in nanoseconds, one
 * line a repetition. Sending and receiving happen in the same system call: the
 * loopback device's softirq runs at its end, so the time is the whole way of a
 * packet to where it ends.
 *
 * With QEMU's -icount a nanosecond is an instruction. The first repetition
 * warms up and is not printed.
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/ip.h>
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
#define HERE "10.255.255.1"	/* its address */
#define THERE "10.255.255.2"
#define PROTOCOL 253
#define PAYLOAD 32

static const char usage[] =
	"Usage: packets [-u] [-n COUNT] [-r REPETITIONS] [-b BATCH] [-s FILE]\n"
	"               [-k SOCKETS [-f FILE]]\n"
	"  -u  UDP, sent and received; otherwise raw protocol 253\n"
	"  -b  empty the sockets after so many packets, outside the measured time\n"
	"  -s  source addresses, one a line, used in turn\n"
	"  -k  open so many raw sockets on 253 first\n"
	"  -f  attach a classic BPF program to each: code jt jf k, one a line\n";

struct packet {
	struct iphdr ip;
	char payload[PAYLOAD];
};

static in_addr_t *sources;
static size_t sources_count;
static int *readers;
static size_t readers_count;

static void *xrealloc(void *old, size_t size)
{
	void *new = realloc(old, size);

	if (!new)
		err(1, "realloc");
	return new;
}

static FILE *xfopen(const char *name)
{
	FILE *file = fopen(name, "r");

	if (!file)
		err(1, "%s", name);
	return file;
}

static void sources_read(const char *name)
{
	FILE *file = xfopen(name);
	char line[64];

	while (fgets(line, sizeof(line), file)) {
		sources = xrealloc(sources, (sources_count + 1) * sizeof(*sources));
		line[strcspn(line, "\n")] = '\0';
		if (inet_pton(AF_INET, line, &sources[sources_count++]) != 1)
			errx(1, "%s: no address: %s", name, line);
	}
	fclose(file);
}

static struct sock_fprog program_read(const char *name)
{
	struct sock_fprog program = { 0 };
	FILE *file = xfopen(name);
	unsigned int code, jt, jf, k;

	while (fscanf(file, "%u %u %u %u", &code, &jt, &jf, &k) == 4) {
		program.filter = xrealloc(program.filter, (program.len + 1) *
					  sizeof(*program.filter));
		program.filter[program.len++] = (struct sock_filter){
			.code = code, .jt = jt, .jf = jf, .k = k,
		};
	}
	fclose(file);
	return program;
}

static void readers_open(size_t count, const char *filter)
{
	struct rlimit limit = { count + 64, count + 64 };
	struct sock_fprog program = { 0 };
	size_t i;

	if (setrlimit(RLIMIT_NOFILE, &limit))
		err(1, "setrlimit");
	if (filter)
		program = program_read(filter);
	readers = xrealloc(NULL, count * sizeof(*readers));
	for (i = 0; i < count; i++) {
		readers[i] = socket(AF_INET, SOCK_RAW, PROTOCOL);
		if (readers[i] < 0)
			err(1, "raw socket");
		if (filter && setsockopt(readers[i], SOL_SOCKET, SO_ATTACH_FILTER,
					 &program, sizeof(program)))
			err(1, "SO_ATTACH_FILTER");
	}
	readers_count = count;
}

static void readers_drain(void)
{
	char buffer[256];
	size_t i;

	for (i = 0; i < readers_count; i++)
		while (recv(readers[i], buffer, sizeof(buffer), MSG_DONTWAIT) >= 0)
			;
}

static uint16_t checksum(const struct iphdr *ip)
{
	const uint16_t *word = (const uint16_t *)ip;
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < sizeof(*ip) / 2; i++)
		sum += word[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* Nanoseconds for @count packets; @next is where to go on in the sources. */
static uint64_t tun_send(int fd, size_t count, size_t *next)
{
	struct packet packet = {
		.ip = {
			.version = 4, .ihl = 5, .ttl = 64, .protocol = PROTOCOL,
			.tot_len = htons(sizeof(packet)), .id = htons(1),
			.daddr = inet_addr(HERE), .saddr = inet_addr(THERE),
		},
	};
	uint64_t begin = now();

	while (count--) {
		if (sources_count) {
			packet.ip.saddr = sources[*next];
			if (++*next == sources_count)
				*next = 0;
		}
		packet.ip.check = 0;
		packet.ip.check = checksum(&packet.ip);
		if (write(fd, &packet, sizeof(packet)) != sizeof(packet))
			err(1, "write to tun");
	}
	return now() - begin;
}

/* Nanoseconds for @count UDP packets, sent and received. */
static uint64_t udp_send(int from, int to, size_t count)
{
	char payload[PAYLOAD] = { 0 };
	uint64_t begin = now();

	while (count--)
		if (send(from, payload, sizeof(payload), 0) < 0 ||
		    recv(to, payload, sizeof(payload), 0) < 0)
			err(1, "UDP");
	return now() - begin;
}

static void udp_open(int *from, int *to)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);

	*from = socket(AF_INET, SOCK_DGRAM, 0);
	*to = socket(AF_INET, SOCK_DGRAM, 0);
	if (*from < 0 || *to < 0 ||
	    bind(*to, (struct sockaddr *)&addr, sizeof(addr)) ||
	    getsockname(*to, (struct sockaddr *)&addr, &len) ||
	    connect(*from, (struct sockaddr *)&addr, len))
		err(1, "UDP socket");
}

/* A device whose other end we are: what we write, the kernel receives. */
static int tun_open(void)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR);

	strcpy(request.ifr_name, DEVICE);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request))
		err(1, "tun device");
	return fd;
}

int main(int argc, char **argv)
{
	size_t count = 2000, repetitions = 6, batch = 0, sockets = 0;
	const char *filter = NULL;
	size_t next = 0, rep;
	bool udp = false;
	int from, to = -1, opt;

	while ((opt = getopt(argc, argv, "un:r:b:s:k:f:")) != -1) {
		switch (opt) {
		case 'u':
			udp = true;
			break;
		case 'n':
			count = strtoul(optarg, NULL, 10);
			break;
		case 'r':
			repetitions = strtoul(optarg, NULL, 10);
			break;
		case 'b':
			batch = strtoul(optarg, NULL, 10);
			break;
		case 's':
			sources_read(optarg);
			break;
		case 'k':
			sockets = strtoul(optarg, NULL, 10);
			break;
		case 'f':
			filter = optarg;
			break;
		default:
			fputs(usage, stderr);
			return 1;
		}
	}
	if (optind < argc || !count) {
		fputs(usage, stderr);
		return 1;
	}
	if (!batch || batch > count)
		batch = count;
	if (sockets)
		readers_open(sockets, filter);
	if (udp)
		udp_open(&from, &to);
	else
		from = tun_open();
	/* Let the kernel end what was begun before us; the time is virtual. */
	sleep(1);
	for (rep = 0; rep < repetitions; rep++) {
		uint64_t time = 0;
		size_t done, n;

		for (done = 0; done < count; done += n) {
			n = count - done < batch ? count - done : batch;
			time += udp ? udp_send(from, to, n) :
				      tun_send(from, n, &next);
			readers_drain();
		}
		if (rep)
			printf("%.2f\n", (double)time / count);
	}
	return 0;
}
