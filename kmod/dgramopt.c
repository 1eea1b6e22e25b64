// SPDX-License-Identifier: GPL-2.0
/*
 * Options of datagram sockets. The kernel keeps them; what is here are one of our
 * own, and those that it would take and nobody would heed: they are refused, not
 * ignored.
 */
#include "dgram.h"

#include <linux/capability.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/sock.h>
#include "uapi/linux/kraw_socket.h"

/* Without ports it has no meaning, or the payload would be taken for one. */
static int needs_ports(const struct sock *sk)
{
	return kraw_dgram(sk)->has_ports ? 0 : -EOPNOTSUPP;
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

/* Before bind() only: what others were told when they did must remain true. */
static int set_exclusive(struct sock *sk, sockptr_t value, unsigned int len)
{
	int on, err = -EINVAL;

	if (len < sizeof(on))
		return -EINVAL;
	if (copy_from_sockptr(&on, value, sizeof(on)))
		return -EFAULT;
	lock_sock(sk);
	if (!inet_sk(sk)->inet_num &&
	    !(on && (sk->sk_reuse || sk->sk_reuseport))) {
		kraw_dgram(sk)->exclusive = on;
		err = 0;
	}
	release_sock(sk);
	return err;
}

static int get_exclusive(const struct sock *sk, char __user *value,
			 int __user *len)
{
	int on = kraw_dgram(sk)->exclusive, size;

	if (get_user(size, len))
		return -EFAULT;
	if (size < 0)
		return -EINVAL;
	size = min_t(int, size, sizeof(on));
	if (put_user(size, len) || copy_to_user(value, &on, size))
		return -EFAULT;
	return 0;
}

/* Of our own: the level is the protocol's number, which another level may be. */
static bool is_ours(const struct sock *sk, int level, int name)
{
	return level == sk->sk_protocol && name == KRAW_EXCLUSIVEADDRUSE;
}

int kraw_dgram_setsockopt(struct sock *sk, int level, int name,
			  sockptr_t value, unsigned int len)
{
	int err = 0;

	if (is_ours(sk, level, name))
		return set_exclusive(sk, value, len);
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
	if (is_ours(sk, level, name))
		return get_exclusive(sk, value, len);
	if (level == SOL_IP)
		return ip_getsockopt(sk, level, name, value, len);
	if (sk->sk_family == AF_INET6)
		return ipv6_getsockopt(sk, level, name, value, len);
	return -ENOPROTOOPT;
}
