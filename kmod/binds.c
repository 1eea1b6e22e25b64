// SPDX-License-Identifier: GPL-2.0
/*
 * The address table of a claim: which datagram socket has which address.
 *
 * A packet finds its socket with up to three lookups, from the one with its very
 * peer to the one with any address, however many sockets there are. Lookups run
 * under RCU; what binds, connects and closes holds the table's lock. An address
 * that changes is a new entry beside the old one, which goes afterwards: a packet
 * finds one of them at any time.
 */
#include "bind.h"

#include <linux/jhash.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include <net/sock.h>
#include <net/sock_reuseport.h>
#include <net/udp.h>
#include "dgram.h"
#include "memory.h"
#include "monitor.h"
#include "stats.h"
#include "uapi/linux/kraw.h"

#define FAMILIES_ALL	(KRAW_FAMILY_IPV4 | KRAW_FAMILY_IPV6)

/* These two are on the way of each packet: inline, calls would show. */
static __always_inline u32 key_hash(const void *data, u32 len, u32 seed)
{
	const struct kraw_bind_key *key = data;

	return jhash_3words(ipv6_addr_hash(&key->local),
			    ipv6_addr_hash(&key->peer),
			    (__force u32)key->lport << 16 |
			    (__force u32)key->pport, seed);
}

static __always_inline int key_compare(struct rhashtable_compare_arg *arg,
				       const void *object)
{
	const struct kraw_bind_key *key = arg->key;
	const struct kraw_bind *bind = object;

	return !(bind->key.lport == key->lport &&
		 bind->key.pport == key->pport &&
		 ipv6_addr_equal(&bind->key.local, &key->local) &&
		 ipv6_addr_equal(&bind->key.peer, &key->peer));
}

static const struct rhashtable_params pairs_params = {
	.head_offset		= offsetof(struct kraw_bind, pair),
	.key_offset		= offsetof(struct kraw_bind, key),
	.key_len		= sizeof(struct kraw_bind_key),
	.hashfn			= key_hash,
	.obj_cmpfn		= key_compare,
	.automatic_shrinking	= true,
};

static const struct rhashtable_params port_params = {
	.head_offset		= offsetof(struct kraw_bind, port),
	.key_offset		= offsetof(struct kraw_bind, key.lport),
	.key_len		= sizeof(__be16),
	.automatic_shrinking	= true,
};

/**
 * kraw_binds_new - make the table of a claim
 * @has_ports:	claim ports
 * @stats:	of the protocol
 *
 * Nobody may open a socket before kraw_binds_admit(). Returns it with one
 * reference, or NULL without memory.
 */
struct kraw_binds *kraw_binds_new(bool has_ports, struct kraw_stats *stats)
{
	struct kraw_binds *binds = kzalloc(sizeof(*binds), KRAW_GFP);

	if (!binds)
		return NULL;
	if (rhltable_init(&binds->pairs, &pairs_params))
		goto err_free;
	if (rhltable_init(&binds->by_port, &port_params))
		goto err_pairs;
	refcount_set(&binds->refs, 1);
	mutex_init(&binds->lock);
	INIT_LIST_HEAD(&binds->sockets);
	binds->has_ports = has_ports;
	binds->stats = kraw_stats_get(stats);
	return binds;

err_pairs:
	rhltable_destroy(&binds->pairs);
err_free:
	kfree(binds);
	return NULL;
}

struct kraw_binds *kraw_binds_get(struct kraw_binds *binds)
{
	if (binds)
		refcount_inc(&binds->refs);
	return binds;
}

/* Sleeps. The last reference goes after the packets that could see it. */
void kraw_binds_put(struct kraw_binds *binds)
{
	if (!binds || !refcount_dec_and_test(&binds->refs))
		return;
	rhltable_destroy(&binds->by_port);
	rhltable_destroy(&binds->pairs);
	kraw_stats_put(binds->stats);
	kfree(binds);
}

/* Has a table that nobody uses yet count elsewhere. */
void kraw_binds_count_in(struct kraw_binds *binds, struct kraw_stats *stats)
{
	kraw_stats_put(binds->stats);
	binds->stats = kraw_stats_get(stats);
}

/* Families that a socket was opened for. */
static u8 uses(const struct sock *sk)
{
	if (sk->sk_family == AF_INET)
		return KRAW_FAMILY_IPV4;
	return ipv6_only_sock(sk) ? KRAW_FAMILY_IPV6 : FAMILIES_ALL;
}

static unsigned int count_open(const struct kraw_binds *binds, u8 families)
{
	const struct kraw_dgram *dgram;
	unsigned int count = 0;

	list_for_each_entry(dgram, &binds->sockets, list)
		count += !dgram->closed &&
			 (uses(&dgram->inet.sk) & families);
	return count;
}

/* How many sockets are open for these families. */
unsigned int kraw_binds_open(struct kraw_binds *binds, u8 families)
{
	unsigned int count;

	mutex_lock(&binds->lock);
	count = count_open(binds, families);
	mutex_unlock(&binds->lock);
	return count;
}

/**
 * kraw_binds_shut - let nobody open another socket
 * @binds:	the table
 * @families:	bits KRAW_FAMILY_*: for these
 * @force:	even if some are open
 *
 * Returns 0, or how many sockets are open for them; then nothing has changed.
 */
unsigned int kraw_binds_shut(struct kraw_binds *binds, u8 families, bool force)
{
	unsigned int count;

	mutex_lock(&binds->lock);
	count = force ? 0 : count_open(binds, families);
	if (!count)
		WRITE_ONCE(binds->families, binds->families & ~families);
	mutex_unlock(&binds->lock);
	return count;
}

/* Sockets may be opened for these families, too. */
void kraw_binds_admit(struct kraw_binds *binds, u8 families)
{
	mutex_lock(&binds->lock);
	WRITE_ONCE(binds->families, binds->families | families);
	mutex_unlock(&binds->lock);
}

/**
 * kraw_binds_enter - open a socket
 * @binds:	the table, referenced; the reference is taken over on success
 * @dgram:	the socket
 *
 * Returns 0, or -EPROTONOSUPPORT: the claim has gone meanwhile.
 */
int kraw_binds_enter(struct kraw_binds *binds, struct kraw_dgram *dgram)
{
	u8 family = dgram->inet.sk.sk_family == AF_INET ? KRAW_FAMILY_IPV4 :
							  KRAW_FAMILY_IPV6;
	int err = -EPROTONOSUPPORT;

	mutex_lock(&binds->lock);
	if (binds->families & family) {
		dgram->binds = binds;
		dgram->has_ports = binds->has_ports;
		list_add_tail(&dgram->list, &binds->sockets);
		kraw_monitor_socket(dgram, KRAW_EVENT_KIND_OPEN);
		err = 0;
	}
	mutex_unlock(&binds->lock);
	return err;
}

static void count(struct kraw_binds *binds, const struct kraw_bind *bind, int n)
{
	if (!ipv6_addr_any(&bind->key.peer))
		WRITE_ONCE(binds->peers, binds->peers + n);
	else if (!ipv6_addr_any(&bind->key.local))
		WRITE_ONCE(binds->locals, binds->locals + n);
}

static void take_out(struct kraw_binds *binds, struct kraw_bind *bind)
{
	rhltable_remove(&binds->pairs, &bind->pair, pairs_params);
	count(binds, bind, -1);
	kfree_rcu(bind, rcu);
}

/**
 * kraw_binds_set - give a socket an address, in the place of its old one
 * @dgram:	the socket; its table is locked
 * @new:	is taken over in any case
 *
 * A packet for all sockets of a port may miss the socket at this instant.
 * Returns 0, or a negative error: -ENOMEM. Then a socket that had an address may
 * have none any more.
 */
int kraw_binds_set(struct kraw_dgram *dgram, struct kraw_bind *new)
{
	struct kraw_binds *binds = dgram->binds;
	struct kraw_bind *old = dgram->bind;
	int err;

	count(binds, new, 1);	/* before the first packet looks for it */
	err = rhltable_insert(&binds->pairs, &new->pair, pairs_params);
	if (err)
		goto err_count;
	if (old)
		rhltable_remove(&binds->by_port, &old->port, port_params);
	err = rhltable_insert(&binds->by_port, &new->port, port_params);
	if (err)
		goto err_pair;
	dgram->bind = new;
	kraw_monitor_socket(dgram, KRAW_EVENT_KIND_BIND);
	if (old)
		take_out(binds, old);
	return 0;

err_pair:
	rhltable_remove(&binds->pairs, &new->pair, pairs_params);
	count(binds, new, -1);
	/* Without the memory for one of its entries it has no address any more. */
	if (old) {
		kraw_monitor_socket(dgram, KRAW_EVENT_KIND_UNBIND);
		take_out(binds, old);
		dgram->bind = NULL;
	}
	kfree_rcu(new, rcu);
	return err;

err_count:
	count(binds, new, -1);
	kfree(new);
	return err;
}

/* Takes a socket's address out, if it has one. The table is locked. */
void kraw_binds_unset(struct kraw_dgram *dgram)
{
	struct kraw_binds *binds = dgram->binds;

	if (!dgram->bind)
		return;
	rhltable_remove(&binds->by_port, &dgram->bind->port, port_params);
	take_out(binds, dgram->bind);
	dgram->bind = NULL;
}

/**
 * kraw_binds_close - close sockets whose claim has gone
 * @binds:	the table
 * @families:	bits KRAW_FAMILY_*: those that are open for any of these
 *
 * Their file remains, and answers ENETDOWN. They may be in use meanwhile: nothing
 * here needs the socket's own lock.
 */
void kraw_binds_close(struct kraw_binds *binds, u8 families)
{
	struct kraw_dgram *dgram;
	struct sock *sk;

	mutex_lock(&binds->lock);
	list_for_each_entry(dgram, &binds->sockets, list) {
		sk = &dgram->inet.sk;
		if (dgram->closed || !(uses(sk) & families))
			continue;
		WRITE_ONCE(dgram->closed, true);
		kraw_monitor_socket(dgram, KRAW_EVENT_KIND_CLOSE);
		kraw_binds_unset(dgram);
		if (rcu_access_pointer(sk->sk_reuseport_cb))
			reuseport_detach_sock(sk);
		WRITE_ONCE(sk->sk_shutdown, SHUTDOWN_MASK);
		WRITE_ONCE(sk->sk_err, ENETDOWN);
		sk_error_report(sk);	/* wakes who waits */
	}
	mutex_unlock(&binds->lock);
}

/* Ends a socket's part in the table, if it has one. */
void kraw_binds_leave(struct kraw_dgram *dgram)
{
	struct kraw_binds *binds = dgram->binds;

	if (!binds)
		return;
	mutex_lock(&binds->lock);
	if (!dgram->closed)
		kraw_monitor_socket(dgram, KRAW_EVENT_KIND_CLOSE);
	kraw_binds_unset(dgram);
	if (rcu_access_pointer(dgram->inet.sk.sk_reuseport_cb))
		reuseport_detach_sock(&dgram->inet.sk);
	inet_sk(&dgram->inet.sk)->inet_num = 0;
	list_del(&dgram->list);
	dgram->binds = NULL;
	mutex_unlock(&binds->lock);
	kraw_binds_put(binds);
}

/*
 * The best of those with one key: bound to the device before any device, then
 * the one that was bound last.
 */
static struct sock *best_of(struct kraw_binds *binds,
			    const struct kraw_bind_key *key,
			    const struct kraw_arrival *at)
{
	const struct kraw_bind *bind, *best = NULL;
	struct rhlist_head *list, *pos;
	bool bound, best_bound = false;

	list = rhltable_lookup(&binds->pairs, key, pairs_params);
	rhl_for_each_entry_rcu(bind, pos, list, pair) {
		int dev = READ_ONCE(bind->sk->sk_bound_dev_if);

		if (!(bind->families & BIT(at->family)) ||
		    !udp_sk_bound_dev_eq(at->net, dev, at->dif, at->sdif))
			continue;
		bound = dev;
		if (best && (best_bound > bound ||
			     (best_bound == bound &&
			      best->serial > bind->serial)))
			continue;
		best = bind;
		best_bound = bound;
	}
	return best ? best->sk : NULL;
}

/**
 * kraw_binds_find - the socket that a packet is for
 * @binds:	the table
 * @key:	the packet's addresses and ports; is lost
 * @at:		where it came in
 *
 * Context: RCU. Returns it or NULL.
 */
struct sock *kraw_binds_find(struct kraw_binds *binds,
			     struct kraw_bind_key *key,
			     const struct kraw_arrival *at)
{
	struct sock *sk;

	if (READ_ONCE(binds->peers)) {
		sk = best_of(binds, key, at);
		if (sk)
			return sk;
	}
	key->peer = (struct in6_addr) {};
	key->pport = 0;
	if (READ_ONCE(binds->locals)) {
		sk = best_of(binds, key, at);
		if (sk)
			return sk;
	}
	key->local = (struct in6_addr) {};
	return best_of(binds, key, at);
}

/* All entries of a port, for rhl_for_each_entry_rcu(). Context: RCU. */
struct rhlist_head *kraw_binds_all(struct kraw_binds *binds, __be16 lport)
{
	return rhltable_lookup(&binds->by_port, &lport, port_params);
}

/* Whether an entry fits a packet that many may get. Context: RCU. */
bool kraw_bind_matches(const struct kraw_bind *bind,
		       const struct kraw_bind_key *key,
		       const struct kraw_arrival *at)
{
	if (!(bind->families & BIT(at->family)) ||
	    !udp_sk_bound_dev_eq(at->net, READ_ONCE(bind->sk->sk_bound_dev_if),
				 at->dif, at->sdif))
		return false;
	if (!ipv6_addr_any(&bind->key.local) &&
	    !ipv6_addr_equal(&bind->key.local, &key->local))
		return false;
	return ipv6_addr_any(&bind->key.peer) ||
	       (ipv6_addr_equal(&bind->key.peer, &key->peer) &&
		bind->key.pport == key->pport);
}
