// SPDX-License-Identifier: GPL-2.0
/*
 * Options of datagram sockets. The kernel keeps them, what is here are those that
 * it would take and nobody would heed: they are refused, not ignored.
 */
#include "dgram.h"

#include <linux/capability.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/sock.h>

/* Without ports it has no meaning, or the payload would be taken for one. */
static int needs_ports(const struct sock *sk)
{
	return kraw_dgram(sk)->binds->has_ports ? 0 : -EOPNOTSUPP;
}

/* Somebody else's address is for those who may open raw sockets. */
static int foreign_address(const struct sock *sk)
{
	return ns_capable(sock_net(sk)->user_ns, CAP_NET_RAW) ? 0 : -EPERM;
}

static int check4(const struct sock *sk, int name)
{
	switch (name) {
	case IP_OPTIONS:
	case IP_CHECKSUM:
	case IP_MINTTL:
	case IP_RECVERR_RFC4884:
		return -EOPNOTSUPP;
	case IP_BIND_ADDRESS_NO_PORT:
	case IP_RECVORIGDSTADDR:
		return needs_ports(sk);
	case IP_FREEBIND:
		return foreign_address(sk);
	default:
		return 0;
	}
}

static int check6(const struct sock *sk, int name)
{
	switch (name) {
	case IPV6_ADDRFORM:
	case IPV6_MINHOPCOUNT:
	case IPV6_RECVERR_RFC4884:
	case IPV6_RECVPATHMTU:
		return -EOPNOTSUPP;
	case IPV6_RECVORIGDSTADDR:
		return needs_ports(sk);
	case IPV6_FREEBIND:
		return foreign_address(sk);
	default:
		return 0;
	}
}

int kraw_dgram_setsockopt(struct sock *sk, int level, int name,
			  sockptr_t value, unsigned int len)
{
	int err = 0;

	if (level == SOL_IP)
		err = check4(sk, name);
	else if (level == SOL_IPV6 && sk->sk_family == AF_INET6)
		err = check6(sk, name);
	if (err)
		return err;
	if (level == SOL_IP)
		return ip_setsockopt(sk, level, name, value, len);
	if (sk->sk_family == AF_INET6)
		return ipv6_setsockopt(sk, level, name, value, len);
	return -ENOPROTOOPT;
}

int kraw_dgram_getsockopt(struct sock *sk, int level, int name,
			  char __user *value, int __user *len)
{
	if (level == SOL_IP)
		return ip_getsockopt(sk, level, name, value, len);
	if (sk->sk_family == AF_INET6)
		return ipv6_getsockopt(sk, level, name, value, len);
	return -ENOPROTOOPT;
}
