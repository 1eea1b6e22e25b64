// SPDX-License-Identifier: GPL-2.0
/*
 * Sends every datagram back to where it came from, IPv4 and IPv6.
 *
 *	cc -o echo-server echo-server.c
 *	echo-server PROTOCOL [PORT]
 *
 * for a protocol that is claimed: kraw proto add 253 claim plain users all, or with
 * a port, claim ports. A UDP server differs in the third argument of socket().
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	struct sockaddr_in6 me = { .sin6_family = AF_INET6 };
	struct sockaddr_in6 peer;
	socklen_t peer_len;
	static char data[65536];
	ssize_t len;
	int fd;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: %s PROTOCOL [PORT]\n", argv[0]);
		return 1;
	}
	fd = socket(AF_INET6, SOCK_DGRAM, atoi(argv[1]));
	if (fd < 0 && errno == EPROTONOSUPPORT) {
		fprintf(stderr, "protocol %s is not claimed here\n", argv[1]);
		return 1;
	}
	if (fd < 0) {
		perror("socket");
		return 1;
	}
	me.sin6_port = htons(argc == 3 ? atoi(argv[2]) : 0);
	if (bind(fd, (struct sockaddr *)&me, sizeof(me))) {
		perror("bind");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		peer_len = sizeof(peer);
		len = recvfrom(fd, data, sizeof(data), 0,
			       (struct sockaddr *)&peer, &peer_len);
		if (len < 0 && errno == ENETDOWN) {
			fprintf(stderr, "the claim has gone\n");
			return 1;
		}
		if (len < 0) {
			perror("recvfrom");
			continue;
		}
		if (sendto(fd, data, len, 0, (struct sockaddr *)&peer,
			   peer_len) < 0)
			perror("sendto");
	}
}
