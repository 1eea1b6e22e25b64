// SPDX-License-Identifier: GPL-2.0
/*
 * LD_PRELOAD: a program that opens a UDP socket gets one of protocol 253 instead
 * and does not know. What it asks of UDP alone (UDP_SEGMENT, ...) is left out.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <sys/socket.h>

int socket(int family, int type, int protocol)
{
	static int (*next)(int family, int type, int protocol);

	if (!next)
		next = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");
	if ((family == AF_INET || family == AF_INET6) &&
	    (type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) == SOCK_DGRAM &&
	    (!protocol || protocol == IPPROTO_UDP))
		protocol = 253;
	return next(family, type, protocol);
}
