// SPDX-License-Identifier: GPL-2.0
/*
 * Binds a datagram socket to any address and a port that nobody else may bind:
 * KRAW_EXCLUSIVEADDRUSE, kraw's SO_EXCLUSIVEADDRUSE.
 *
 *	cc -o exclusive-bind -I../../kmod/uapi exclusive-bind.c
 *	exclusive-bind { 4 | 6 } dgram PROTOCOL PORT
 *
 * for a protocol that is claimed: kraw proto add 253 claim ports.
 */
#include <errno.h>
#include <linux/kraw_socket.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return 1;
}

static long number(const char *word, long min, long max)
{
	char *end;
	long value = strtol(word, &end, 10);

	return *word && !*end && value >= min && value <= max ? value : -1;
}

int main(int argc, char **argv)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };
	long family, protocol, port;
	int fd, err, on = 1;

	if (argc != 5) {
		fprintf(stderr, "usage: %s { 4 | 6 } dgram PROTOCOL PORT\n", argv[0]);
		return 1;
	}
	family = number(argv[1], 4, 6);
	protocol = number(argv[3], 1, 254);
	port = number(argv[4], 1, 65534);
	if ((family != 4 && family != 6) || strcmp(argv[2], "dgram") || protocol < 0) {
		fprintf(stderr, "the family is 4 or 6, the type dgram, the protocol a number\n");
		return 1;
	}
	if (port < 0) {
		fprintf(stderr, "port '%s': use a port from 1 to 65534\n", argv[4]);
		return 1;
	}
	fd = socket(family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM, protocol);
	if (fd < 0)
		return fail("socket");
	if (setsockopt(fd, protocol, KRAW_EXCLUSIVEADDRUSE, &on, sizeof(on)))
		return fail("KRAW_EXCLUSIVEADDRUSE");
	sin.sin_port = htons(port);
	sin6.sin6_port = htons(port);
	err = family == 4 ? bind(fd, (struct sockaddr *)&sin, sizeof(sin)) :
			    bind(fd, (struct sockaddr *)&sin6, sizeof(sin6));
	if (err && errno == EACCES) {
		fprintf(stderr, "bind: access denied\n");
		return 2;
	}
	if (err)
		return fail("bind");
	printf("bound to port %ld, and nobody else can\n", port);
	fflush(stdout);
	getchar();	/* until its input ends */
	return 0;
}
