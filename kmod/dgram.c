// SPDX-License-Identifier: GPL-2.0
/*
 * The datagram sockets of claimed protocols: socket(AF_INET or AF_INET6,
 * SOCK_DGRAM, P). Their life, their addresses, and what the kernel calls.
 *
 * The kernel finds a socket type by number, host-wide, so one is registered
 * while kraw holds the number's slot; whether the namespace claims the protocol
 * and the user may have a socket is asked when one is opened. A socket holds the
 * module, its namespace and its claim's table. It is found by packets under RCU
 * and freed after a grace period.
 */
#include "dgram.h"

#include <asm/ioctls.h>
#include <linux/bpf-cgroup.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <net/inet_common.h>
#include <net/ip.h>
#include <net/protocol.h>
#include <net/sock.h>
#include <net/transp_v6.h>
#include <net/udp.h>
#include "compat.h"
#include "permit.h"
#include "proto.h"

/* The table of the claim, referenced, if a socket may be opened; or an error. */
static struct kraw_binds *permit(const struct sock *sk)
{
	struct kraw_permit permit;
	struct kraw_binds *binds;
	int err;

	rcu_read_lock();
	kraw_permit_ask(sock_net(sk), sk->sk_protocol,
			sk->sk_family == AF_INET ? KRAW_IPV4 : KRAW_IPV6, NULL,
			&permit);
	err = kraw_permit_error(&permit);
	binds = err ? ERR_PTR(err) : kraw_binds_get(permit.proto->binds);
	rcu_read_unlock();
	return binds;
}

static int init(struct sock *sk)
{
	struct kraw_binds *binds = permit(sk);
	int err;

	if (IS_ERR(binds))
		return PTR_ERR(binds);
	sock_set_flag(sk, SOCK_RCU_FREE);
	err = kraw_binds_enter(binds, kraw_dgram(sk));
	if (err)
		kraw_binds_put(binds);
	return err;
}

static void destroy(struct sock *sk)
{
	kraw_binds_leave(kraw_dgram(sk));
}

static void destroy6(struct sock *sk)
{
	lock_sock(sk);
	ip6_flush_pending_frames(sk);
	release_sock(sk);
	destroy(sk);
}

static void close(struct sock *sk, long timeout)
{
	sk_common_release(sk);
}

static int hash(struct sock *sk)
{
	return 0;	/* a socket that is not bound is in no table */
}

static int pre_connect4(struct sock *sk, struct sockaddr_unsized *addr,
			int len)
{
	if (len < sizeof(struct sockaddr_in))
		return -EINVAL;
	return kraw_bpf_connect4(sk, addr, &len);
}

static int pre_connect6(struct sock *sk, struct sockaddr_unsized *addr,
			int len)
{
	if (addr->sa_family == AF_INET)
		return ipv6_only_sock(sk) ? -EAFNOSUPPORT :
					    pre_connect4(sk, addr, len);
	if (len < SIN6_LEN_RFC2133)
		return -EINVAL;
	return kraw_bpf_connect6(sk, addr, &len);
}

/* Back to where it was before it was connected. */
static int dissolve(struct sock *sk)
{
	struct kraw_bind *room = kraw_bind_reserve();
	int err;

	if (!room)
		return -ENOMEM;
	err = __udp_disconnect(sk, 0);
	if (!err && inet_sk(sk)->inet_num)
		return kraw_bind_peer(sk, room);
	kfree(room);
	return err;
}

static int disconnect(struct sock *sk, int flags)
{
	int err;

	lock_sock(sk);
	err = dissolve(sk);
	release_sock(sk);
	return err;
}

static int do_connect(struct sock *sk, struct sockaddr_unsized *addr, int len)
{
	bool has_ports = kraw_dgram(sk)->has_ports;
	int err, dev = sk->sk_bound_dev_if;
	struct kraw_bind *room;

	if (has_ports && kraw_bind_auto(sk))
		return -EAGAIN;
	room = kraw_bind_reserve();
	if (!room)
		return -ENOMEM;
	err = sk->sk_family == AF_INET ?
	      __ip4_datagram_connect(sk, addr, len) :
	      __ip6_datagram_connect(sk, addr, len);
	if (err) {
		kfree(room);
		return err;
	}
	/* Without ports its peer is what tells it from others: not before. */
	if (inet_sk(sk)->inet_num) {
		err = kraw_bind_peer(sk, room);
	} else {
		kfree(room);
		err = kraw_bind_auto(sk);
	}
	if (err) {
		dissolve(sk);
		WRITE_ONCE(sk->sk_bound_dev_if, dev);
	}
	return err;
}

static int connect(struct sock *sk, struct sockaddr_unsized *addr, int len)
{
	const struct sockaddr_in *sin = (struct sockaddr_in *)addr;
	int err;

	/* The port has one place in both families. */
	if (len < offsetofend(struct sockaddr_in, sin_port) ||
	    (sin->sin_port && !kraw_dgram(sk)->has_ports))
		return -EINVAL;
	lock_sock(sk);
	err = do_connect(sk, addr, len);
	release_sock(sk);
	return err;
}

static unsigned int first_length(struct sock *sk)
{
	const struct sk_buff *skb;
	unsigned int len = 0;

	spin_lock_bh(&sk->sk_receive_queue.lock);
	skb = skb_peek(&sk->sk_receive_queue);
	if (skb)
		len = skb->len - kraw_dgram_header(sk);
	spin_unlock_bh(&sk->sk_receive_queue.lock);
	return len;
}

static int ioctl(struct sock *sk, int cmd, KRAW_IOCTL_PARAM)
{
	switch (cmd) {
	case SIOCOUTQ:
		return kraw_ioctl_put(sk_wmem_alloc_get(sk), arg);
	case SIOCINQ:
		return kraw_ioctl_put(first_length(sk), arg);
	default:
		return -ENOIOCTLCMD;
	}
}

static struct proto prot4 = {
	.name		= "KRAW",
	.owner		= THIS_MODULE,
	.close		= close,
	.pre_connect	= pre_connect4,
	.connect	= connect,
	.disconnect	= disconnect,
	.ioctl		= ioctl,
	.init		= init,
	.destroy	= destroy,
	.setsockopt	= kraw_dgram_setsockopt,
	.getsockopt	= kraw_dgram_getsockopt,
	.sendmsg	= kraw_dgram4_sendmsg,
	.recvmsg	= kraw_dgram_recvmsg,
	.release_cb	= ip4_datagram_release_cb,
	.hash		= hash,
	.unhash		= kraw_bind_drop,
	.get_port	= kraw_bind_port,
	.put_port	= kraw_bind_drop,
	.no_autobind	= true,		/* sending does it itself */
	.obj_size	= sizeof(struct kraw_dgram),
};

static struct proto prot6 = {
	.name		= "KRAWv6",
	.owner		= THIS_MODULE,
	.close		= close,
	.pre_connect	= pre_connect6,
	.connect	= connect,
	.disconnect	= disconnect,
	.ioctl		= ioctl,
	.init		= init,
	.destroy	= destroy6,
	.setsockopt	= kraw_dgram_setsockopt,
	.getsockopt	= kraw_dgram_getsockopt,
	.sendmsg	= kraw_dgram6_sendmsg,
	.recvmsg	= kraw_dgram_recvmsg,
	.release_cb	= ip6_datagram_release_cb,
	.hash		= hash,
	.unhash		= kraw_bind_drop,
	.get_port	= kraw_bind_port,
	.put_port	= kraw_bind_drop,
	.no_autobind	= true,
	.obj_size	= sizeof(struct kraw_dgram6),
	KRAW_PINFO_OFFSET(struct kraw_dgram6, inet6)
};

/* Without ports the kernel's number of the socket is not one. */
static int bound(struct socket *sock, int err)
{
	if (!err && !kraw_dgram(sock->sk)->has_ports)
		inet_sk(sock->sk)->inet_sport = 0;
	return err;
}

static int bind4(struct socket *sock, struct sockaddr_unsized *addr, int len)
{
	return bound(sock, inet_bind(sock, addr, len));
}

static int bind6(struct socket *sock, struct sockaddr_unsized *addr, int len)
{
	return bound(sock, inet6_bind(sock, addr, len));
}

/* As the kernel's, which would bind before it connects. */
static int op_connect(struct socket *sock, struct sockaddr_unsized *addr,
		      int len, int flags)
{
	struct sock *sk = sock->sk;
	int err;

	if (len < sizeof(addr->sa_family))
		return -EINVAL;
	if (addr->sa_family == AF_UNSPEC)
		return disconnect(sk, flags);
	if (BPF_CGROUP_PRE_CONNECT_ENABLED(sk)) {
		err = sk->sk_prot->pre_connect(sk, addr, len);
		if (err)
			return err;
	}
	return connect(sk, addr, len);
}

/*
 * The kernel's functions take a peer without a port for none. Locked here, the
 * state and the address belong together.
 */
static int getname4(struct socket *sock, struct sockaddr *addr, int peer)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)addr;
	struct sock *sk = sock->sk;
	int err = sizeof(*sin);

	if (!peer || kraw_dgram(sk)->has_ports)
		return inet_getname(sock, addr, peer);
	lock_sock(sk);
	if (sk->sk_state == TCP_ESTABLISHED) {
		memset(sin, 0, sizeof(*sin));
		sin->sin_family = AF_INET;
		sin->sin_addr.s_addr = inet_sk(sk)->inet_daddr;
		kraw_bpf_getname(sk, addr, &err, CGROUP_INET4_GETPEERNAME);
	} else {
		err = -ENOTCONN;
	}
	release_sock(sk);
	return err;
}

static int getname6(struct socket *sock, struct sockaddr *addr, int peer)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)addr;
	struct sock *sk = sock->sk;
	int err = sizeof(*sin6);

	if (!peer || kraw_dgram(sk)->has_ports)
		return inet6_getname(sock, addr, peer);
	lock_sock(sk);
	if (sk->sk_state == TCP_ESTABLISHED) {
		memset(sin6, 0, sizeof(*sin6));
		sin6->sin6_family = AF_INET6;
		sin6->sin6_addr = sk->sk_v6_daddr;
		if (kraw_sk_sndflow6(sk))
			sin6->sin6_flowinfo = inet6_sk(sk)->flow_label;
		sin6->sin6_scope_id = ipv6_iface_scope_id(&sin6->sin6_addr,
							  sk->sk_bound_dev_if);
		kraw_bpf_getname(sk, addr, &err, CGROUP_INET6_GETPEERNAME);
	} else {
		err = -ENOTCONN;
	}
	release_sock(sk);
	return err;
}

static const struct proto_ops ops4 = {
	.family		= PF_INET,
	.owner		= THIS_MODULE,
	.release	= inet_release,
	.bind		= bind4,
	.connect	= op_connect,
	.socketpair	= sock_no_socketpair,
	.accept		= sock_no_accept,
	.getname	= getname4,
	.poll		= datagram_poll,
	.ioctl		= inet_ioctl,
	.gettstamp	= sock_gettstamp,
	.listen		= sock_no_listen,
	.shutdown	= inet_shutdown,
	.setsockopt	= sock_common_setsockopt,
	.getsockopt	= sock_common_getsockopt,
	.sendmsg	= inet_sendmsg,
	.recvmsg	= inet_recvmsg,
	.mmap		= sock_no_mmap,
};

static const struct proto_ops ops6 = {
	.family		= PF_INET6,
	.owner		= THIS_MODULE,
	.release	= inet6_release,
	.bind		= bind6,
	.connect	= op_connect,
	.socketpair	= sock_no_socketpair,
	.accept		= sock_no_accept,
	.getname	= getname6,
	.poll		= datagram_poll,
	.ioctl		= inet6_ioctl,
	.gettstamp	= sock_gettstamp,
	.listen		= sock_no_listen,
	.shutdown	= inet_shutdown,
	.setsockopt	= sock_common_setsockopt,
	.getsockopt	= sock_common_getsockopt,
	.sendmsg	= inet_sendmsg,
	.recvmsg	= inet_recvmsg,
	.mmap		= sock_no_mmap,
#ifdef CONFIG_COMPAT
	.compat_ioctl	= inet6_compat_ioctl,
#endif
};

/*
 * By number and family, made when first needed. Under the lock of slot.c.
 *
 * They stay until the module goes: inet6_create() (net/ipv6/af_inet6.c) looks at
 * the one that it has found once more after its RCU read side. By then its socket
 * holds the module.
 */
static struct inet_protosw *types[KRAW_PROTOCOLS][KRAW_FAMILIES];

/*
 * The kernel lists these in /proc/net/protocols: not before somebody claims
 * something. They stay until the module goes, as sockets may. Under the slots'
 * lock.
 */
static bool registered;

static int register_protos(void)
{
	int err;

	if (registered)
		return 0;
	err = proto_register(&prot4, 1);
	if (err)
		return err;
	err = proto_register(&prot6, 1);
	if (err)
		proto_unregister(&prot4);
	registered = !err;
	return err;
}

/**
 * kraw_dgram_register - make a protocol's sockets known to the kernel
 * @number:	protocol number, whose slot of this family is kraw's
 * @family:	...
 *
 * Only of type SOCK_DGRAM: one of type SOCK_RAW would be in the way of raw
 * sockets. Returns 0 or -ENOMEM.
 */
int kraw_dgram_register(u8 number, enum kraw_family family)
{
	struct inet_protosw *type = types[number][family];
	int err;

	err = register_protos();
	if (err)
		return err;
	if (!type) {
		type = kzalloc(sizeof(*type), GFP_KERNEL);
		if (!type)
			return -ENOMEM;
		type->type = SOCK_DGRAM;
		type->protocol = number;
		type->prot = family == KRAW_IPV4 ? &prot4 : &prot6;
		type->ops = family == KRAW_IPV4 ? &ops4 : &ops6;
		types[number][family] = type;
	}
	if (family == KRAW_IPV4)
		inet_register_protosw(type);
	else
		err = inet6_register_protosw(type);
	return err;
}

/* The opposite. Sleeps until nobody can find it any more. */
void kraw_dgram_unregister(u8 number, enum kraw_family family)
{
	if (family == KRAW_IPV4)
		inet_unregister_protosw(types[number][family]);
	else
		inet6_unregister_protosw(types[number][family]);
}

/* After the last slot; sockets hold the module. */
void kraw_dgram_exit(void)
{
	int number, family;

	if (!registered)
		return;
	for (number = 0; number < KRAW_PROTOCOLS; number++)
		for (family = 0; family < KRAW_FAMILIES; family++)
			kfree(types[number][family]);
	proto_unregister(&prot6);
	proto_unregister(&prot4);
}
