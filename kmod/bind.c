// SPDX-License-Identifier: GPL-2.0
/*
 * Binding: which address a datagram socket may have beside others, and how it
 * comes to it.
 */
#include "bind.h"

#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <net/inet_sock.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/sock.h>
#include <net/sock_reuseport.h>
#include <net/udp.h>
#include "dgram.h"
#include "memory.h"
#include "monitor.h"
#include "uapi/linux/kraw.h"

#define FAMILIES_ALL	(KRAW_FAMILY_IPV4 | KRAW_FAMILY_IPV6)

static void set_v4(struct in6_addr *to, __be32 addr)
{
	if (addr)
		ipv6_addr_set_v4mapped(addr, to);
	else
		*to = in6addr_any;
}

/* The key that a socket's addresses make. */
static void read_key(const struct sock *sk, struct kraw_bind_key *key)
{
	const struct inet_sock *inet = inet_sk(sk);
	bool connected = sk->sk_state == TCP_ESTABLISHED;

	memset(key, 0, sizeof(*key));
	if (sk->sk_family == AF_INET) {
		set_v4(&key->local, inet->inet_rcv_saddr);
		if (connected)
			set_v4(&key->peer, inet->inet_daddr);
	} else {
		if (!ipv6_addr_v4mapped(&sk->sk_v6_rcv_saddr) ||
		    inet->inet_rcv_saddr)
			key->local = sk->sk_v6_rcv_saddr;
		if (connected)
			key->peer = sk->sk_v6_daddr;
	}
	if (connected)
		key->pport = inet->inet_dport;
}

/* The families whose packets its address lets in. */
static u8 read_families(const struct sock *sk)
{
	if (sk->sk_family == AF_INET)
		return KRAW_FAMILY_IPV4;
	if (ipv6_addr_v4mapped(&sk->sk_v6_rcv_saddr))
		return KRAW_FAMILY_IPV4;
	if (ipv6_addr_any(&sk->sk_v6_rcv_saddr) && !ipv6_only_sock(sk))
		return FAMILIES_ALL;
	return KRAW_FAMILY_IPV6;
}

/* Whether some packet would fit both. */
static bool overlap(const struct kraw_bind *a, const struct kraw_bind *b)
{
	int adev = READ_ONCE(a->sk->sk_bound_dev_if);
	int bdev = READ_ONCE(b->sk->sk_bound_dev_if);

	if (!(a->families & b->families) || (adev && bdev && adev != bdev))
		return false;
	return ipv6_addr_any(&a->key.local) || ipv6_addr_any(&b->key.local) ||
	       ipv6_addr_equal(&a->key.local, &b->key.local);
}

/*
 * Without ports, programs that only connect would be in each other's way on
 * their common address; their peers tell them apart.
 */
static bool apart(const struct kraw_bind *a, const struct kraw_bind *b)
{
	return (a->implied || b->implied) &&
	       !ipv6_addr_equal(&a->key.peer, &b->key.peer);
}

static bool same_user(const struct sock *a, const struct sock *b)
{
	return uid_eq(a->sk_uid, b->sk_uid);
}

static bool is_exclusive(const struct sock *sk)
{
	return kraw_dgram(sk)->exclusive;
}

/*
 * What a bind says to one that is there: SO_REUSEADDR takes over, but only from
 * the same user, or from one that has it set, too; and never from one that is
 * exclusive.
 */
static int conflict(const struct kraw_bind *new, const struct kraw_bind *old)
{
	struct sock *sk = new->sk, *other = old->sk;

	if (sk == other || !overlap(new, old))
		return 0;
	if (is_exclusive(sk) || is_exclusive(other))
		return sk->sk_reuse ? -EACCES : -EADDRINUSE;
	if (sk->sk_reuseport && other->sk_reuseport && same_user(sk, other))
		return 0;
	if (apart(new, old) && same_user(sk, other))
		return 0;
	if (!sk->sk_reuse)
		return -EADDRINUSE;
	return same_user(sk, other) || other->sk_reuse ? 0 : -EACCES;
}

/* The first of those on the port that a new one is in conflict with. */
static int conflicts(struct kraw_binds *binds,
		     const struct kraw_bind *new)
{
	struct rhlist_head *list, *pos;
	struct kraw_bind *old;
	int err = 0;

	rcu_read_lock();
	list = kraw_binds_all(binds, new->key.lport);
	rhl_for_each_entry_rcu(old, pos, list, port) {
		err = conflict(new, old);
		if (err)
			break;
	}
	rcu_read_unlock();
	return err;
}

/* Whether nobody at all is in the way: a port that we choose is not shared. */
static bool is_free(struct kraw_binds *binds, const struct kraw_bind *new)
{
	struct rhlist_head *list, *pos;
	struct kraw_bind *old;
	bool is_free = true;

	rcu_read_lock();
	list = kraw_binds_all(binds, new->key.lport);
	rhl_for_each_entry_rcu(old, pos, list, port)
		is_free &= !overlap(new, old);
	rcu_read_unlock();
	return is_free;
}

/* Chooses a port that is free, from a random one on. */
static int choose_port(struct kraw_binds *binds, struct kraw_bind *new)
{
	struct net *net = sock_net(new->sk);
	unsigned int start, count, i, port;
	int low, high;

	inet_get_local_port_range(net, &low, &high);
	count = high - low + 1;
	start = reciprocal_scale(get_random_u32(), count);
	for (i = 0; i < count; i++) {
		port = low + (start + i) % count;
		if (inet_is_local_reserved_port(net, port))
			continue;
		new->key.lport = htons(port);
		if (is_free(binds, new))
			return 0;
	}
	return -EADDRINUSE;
}

/* SO_REUSEPORT: joins the group of the same user's at this address. */
static int join_group(struct kraw_binds *binds,
		      const struct kraw_bind *new)
{
	bool any = ipv6_addr_any(&new->key.local);
	struct rhlist_head *list, *pos;
	struct sock *sk = new->sk;
	struct kraw_bind *old;
	int err = -ENOENT;

	if (!sk->sk_reuseport)
		return 0;
	rcu_read_lock();
	list = kraw_binds_all(binds, new->key.lport);
	rhl_for_each_entry_rcu(old, pos, list, port) {
		if (old->sk == sk || !old->sk->sk_reuseport ||
		    !same_user(old->sk, sk) ||
		    old->families != new->families ||
		    old->sk->sk_family != sk->sk_family ||
		    old->sk->sk_bound_dev_if != sk->sk_bound_dev_if ||
		    !ipv6_addr_equal(&old->key.local, &new->key.local) ||
		    !rcu_access_pointer(old->sk->sk_reuseport_cb))
			continue;
		err = reuseport_add_sock(sk, old->sk, any);
		break;
	}
	rcu_read_unlock();
	return err == -ENOENT ? reuseport_alloc(sk, any) : err;
}

/* Memory for an address to come, for kraw_bind_peer(); NULL without. */
struct kraw_bind *kraw_bind_reserve(void)
{
	return kzalloc(sizeof(struct kraw_bind), KRAW_GFP);
}

static void fill(struct kraw_bind *bind, struct sock *sk)
{
	bind->sk = sk;
	read_key(sk, &bind->key);
	bind->families = read_families(sk);
}

/* How a socket comes to its address. */
enum how {
	NAMED,		/* bind() */
	SENT,		/* it sends without */
	CONNECTED,	/* it connects without; its peer is set */
};

static int enter(struct kraw_binds *binds, struct kraw_dgram *dgram,
		 struct kraw_bind *new, unsigned short port, enum how how)
{
	struct sock *sk = new->sk;
	int err;

	if (dgram->closed) {
		kfree(new);
		return -ENETDOWN;
	}
	/* The kernel lets nobody refuse SO_REUSEADDR when it is set. */
	if (is_exclusive(sk) && (sk->sk_reuse || sk->sk_reuseport)) {
		kfree(new);
		return -EINVAL;
	}
	/* A family that is not claimed has no addresses. */
	if (!(new->families & binds->families)) {
		kfree(new);
		return -EADDRNOTAVAIL;
	}
	new->key.lport = htons(port);
	new->implied = how == CONNECTED && !binds->has_ports;
	if (binds->has_ports && !port)
		err = choose_port(binds, new);
	else
		err = conflicts(binds, new);
	if (!err)
		err = join_group(binds, new);
	if (err) {
		kfree(new);
		return err;
	}
	port = ntohs(new->key.lport);
	new->serial = ++binds->serial;
	err = kraw_binds_set(dgram, new);
	if (err) {
		if (rcu_access_pointer(sk->sk_reuseport_cb))
			reuseport_detach_sock(sk);
		return err;
	}
	/* Not 0: the kernel takes it for bound. Without ports as a raw socket. */
	inet_sk(sk)->inet_num = binds->has_ports ? port : sk->sk_protocol;
	return 0;
}

static int bind(struct sock *sk, unsigned short port, enum how how)
{
	struct kraw_dgram *dgram = kraw_dgram(sk);
	struct kraw_binds *binds = dgram->binds;
	struct kraw_bind *new = kraw_bind_reserve();
	int err;

	if (!new)
		return -ENOMEM;
	fill(new, sk);
	mutex_lock(&binds->lock);
	err = enter(binds, dgram, new, port, how);
	mutex_unlock(&binds->lock);
	return err;
}

/**
 * kraw_bind_port - bind a socket to its address
 * @sk:		locked, its address set
 * @port:	in host byte order, 0: any
 *
 * Returns 0, -EINVAL (no ports here, or exclusive and shared at once), -EADDRINUSE,
 * -EACCES (another user's, or exclusive), -EADDRNOTAVAIL (its family is not claimed)
 * -ENOMEM, or -ENETDOWN (its claim has gone).
 */
int kraw_bind_port(struct sock *sk, unsigned short port)
{
	struct kraw_binds *binds = kraw_dgram(sk)->binds;
	int err;

	if (port && !binds->has_ports)
		return -EINVAL;
	err = bind(sk, port, NAMED);
	/* Without ports there is no other mark of a name that was chosen. */
	if (!err && !binds->has_ports)
		sk->sk_userlocks |= SOCK_BINDPORT_LOCK;
	return err;
}

/**
 * kraw_bind_auto - give a socket an address that has none
 * @sk:		locked; connected, if there are no ports and its peer is to
 *		tell it from others
 *
 * Returns 0 or as kraw_bind_port().
 */
int kraw_bind_auto(struct sock *sk)
{
	int err;

	if (inet_sk(sk)->inet_num)
		return 0;
	err = bind(sk, 0, sk->sk_state == TCP_ESTABLISHED ? CONNECTED : SENT);
	if (!err && kraw_dgram(sk)->has_ports)
		inet_sk(sk)->inet_sport = htons(inet_sk(sk)->inet_num);
	return err;
}

/**
 * kraw_bind_sender - give a socket that sends an address, if it has none
 * @sk:		not locked
 *
 * Returns 0, -EAGAIN (no port is free), or as kraw_bind_port().
 */
int kraw_bind_sender(struct sock *sk)
{
	int err;

	if (likely(READ_ONCE(inet_sk(sk)->inet_num)))
		return 0;
	lock_sock(sk);
	err = kraw_bind_auto(sk);
	release_sock(sk);
	return err == -EADDRINUSE && kraw_dgram(sk)->has_ports ?
	       -EAGAIN : err;
}

/**
 * kraw_bind_peer - put a bound socket where its new addresses belong
 * @sk:		locked; it has been connected, or its connection dissolved
 * @new:	from kraw_bind_reserve(), before that: what it was connected to is
 *		forgotten now; is taken over
 *
 * Returns 0, -ENOMEM, -EADDRNOTAVAIL (its family is not claimed), or -EADDRINUSE
 * or -EACCES if its peer was all that told it from others.
 */
int kraw_bind_peer(struct sock *sk, struct kraw_bind *new)
{
	struct kraw_dgram *dgram = kraw_dgram(sk);
	struct kraw_binds *binds = dgram->binds;
	const struct kraw_bind *old;
	int err = 0;

	fill(new, sk);
	mutex_lock(&binds->lock);
	old = dgram->bind;
	if (old) {
		new->key.lport = old->key.lport;
		new->serial = old->serial;
		new->implied = old->implied;
		if (!(new->families & binds->families))
			err = -EADDRNOTAVAIL;
		else if (new->implied)
			err = conflicts(binds, new);
		if (err)
			kfree(new);
		else
			err = kraw_binds_set(dgram, new);
	} else {
		kfree(new);
		if (dgram->closed)
			err = -ENETDOWN;
	}
	mutex_unlock(&binds->lock);
	return err;
}

/* Takes a socket's address away, if it has one. It must be locked, or closing. */
void kraw_bind_drop(struct sock *sk)
{
	struct kraw_dgram *dgram = kraw_dgram(sk);

	if (!dgram->binds)
		return;
	mutex_lock(&dgram->binds->lock);
	if (dgram->bind)
		kraw_monitor_socket(dgram, KRAW_EVENT_KIND_UNBIND);
	kraw_binds_unset(dgram);
	/* Under the lock: who joins a group finds it by its sockets' addresses. */
	if (rcu_access_pointer(sk->sk_reuseport_cb))
		reuseport_detach_sock(sk);
	mutex_unlock(&dgram->binds->lock);
	inet_sk(sk)->inet_num = 0;
}
