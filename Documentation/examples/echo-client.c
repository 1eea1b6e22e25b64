// SPDX-License-Identifier: GPL-2.0
/*
 * Sends a datagram and prints the answer, if one comes within two seconds.
 *
 *	cc -o echo-client echo-client.c
 *	echo-client PROTOCOL ADDRESS PORT TEXT
 *
 * The port is 0 for a protocol that is claimed without ports.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

static int fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST,
				  .ai_socktype = SOCK_DGRAM };
	struct timeval patience = { .tv_sec = 2 };
	struct addrinfo *to;
	char data[65536];
	ssize_t len;
	int fd, err;

	if (argc != 5) {
		fprintf(stderr, "usage: %s PROTOCOL ADDRESS PORT TEXT\n", argv[0]);
		return 1;
	}
	err = getaddrinfo(argv[2], argv[3], &hints, &to);
	if (err) {
		fprintf(stderr, "%s: %s\n", argv[2], gai_strerror(err));
		return 1;
	}
	fd = socket(to->ai_family, SOCK_DGRAM, atoi(argv[1]));
	if (fd < 0)
		return fail("socket");
	/* Connected, so that errors from the network are told. */
	if (connect(fd, to->ai_addr, to->ai_addrlen))
		return fail("connect");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (send(fd, argv[4], strlen(argv[4]), 0) < 0)
		return fail("send");
	len = recv(fd, data, sizeof(data), 0);
	if (len < 0)
		return fail("recv");
	printf("%.*s\n", (int)len, data);
	freeaddrinfo(to);
	return 0;
}
