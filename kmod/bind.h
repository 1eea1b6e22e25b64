/* SPDX-License-Identifier: GPL-2.0 */
/* The address table of a claim: which datagram socket has which address. */
#ifndef _KRAW_BIND_H
#define _KRAW_BIND_H

#include <linux/in6.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/rhashtable.h>
#include "net.h"

struct kraw_dgram;
struct kraw_stats;
struct sk_buff;
struct sock;

/**
 * struct kraw_bind_key - what a packet is looked up by
 * @local:	address of this host, IPv4 as v4-mapped; ::: any, of both families
 * @peer:	the same of the other end; ::: any
 * @lport:	port of this host, 0 without ports
 * @pport:	port of the other end, 0: any
 */
struct kraw_bind_key {
	struct in6_addr local;
	struct in6_addr peer;
	__be16 lport;
	__be16 pport;
};

/**
 * struct kraw_bind - an address that a socket has; read-only once it is in the
 *	table
 * @pair:	in kraw_binds.pairs
 * @port:	in kraw_binds.by_port
 * @key:	...
 * @sk:		the socket; it outlives this by a grace period
 * @serial:	later binds have higher ones
 * @families:	bits KRAW_FAMILY_* of the packets that it is for
 * @implied:	a claim without ports: taken by connect(), not by bind()
 * @rcu:	frees it
 */
struct kraw_bind {
	struct rhlist_head pair;
	struct rhlist_head port;
	struct kraw_bind_key key;
	struct sock *sk;
	u64 serial;
	u8 families;
	bool implied;
	struct rcu_head rcu;
};

/**
 * struct kraw_binds - the sockets of a claim
 * @refs:	versions of the protocol, and sockets
 * @has_ports:	claim ports, not claim plain
 * @families:	bits KRAW_FAMILY_* that sockets may be opened for; under @lock
 * @lock:	serialises opening, binding and closing; guards all but what
 *		packets read under RCU: @pairs, @by_port, and the counts
 * @sockets:	all that are open, bound or not
 * @pairs:	struct kraw_bind by its key
 * @by_port:	struct kraw_bind by kraw_bind_key.lport
 * @peers:	how many of them have a peer
 * @locals:	how many have an address of this host, and no peer
 * @serial:	of the last bind
 * @stats:	of the protocol
 */
struct kraw_binds {
	refcount_t refs;
	bool has_ports;
	u8 families;
	struct mutex lock;	/* see above */
	struct list_head sockets;
	struct rhltable pairs;
	struct rhltable by_port;
	unsigned int peers;
	unsigned int locals;
	u64 serial;
	struct kraw_stats *stats;
};

/**
 * struct kraw_arrival - where a packet came in, for the choice of its socket
 * @net:	namespace
 * @family:	...
 * @dif:	index of the device
 * @sdif:	index of the port, if @dif is a VRF device; else 0
 */
struct kraw_arrival {
	struct net *net;
	enum kraw_family family;
	int dif;
	int sdif;
};

struct kraw_binds *kraw_binds_new(bool has_ports, struct kraw_stats *stats);
struct kraw_binds *kraw_binds_get(struct kraw_binds *binds);
void kraw_binds_put(struct kraw_binds *binds);
void kraw_binds_count_in(struct kraw_binds *binds, struct kraw_stats *stats);
unsigned int kraw_binds_open(struct kraw_binds *binds, u8 families);
unsigned int kraw_binds_shut(struct kraw_binds *binds, u8 families, bool force);
void kraw_binds_close(struct kraw_binds *binds, u8 families);
void kraw_binds_admit(struct kraw_binds *binds, u8 families);
int kraw_binds_enter(struct kraw_binds *binds, struct kraw_dgram *dgram);
void kraw_binds_leave(struct kraw_dgram *dgram);
int kraw_binds_set(struct kraw_dgram *dgram, struct kraw_bind *new);
void kraw_binds_unset(struct kraw_dgram *dgram);
struct sock *kraw_binds_find(struct kraw_binds *binds,
			     struct kraw_bind_key *key,
			     const struct kraw_arrival *at);
struct rhlist_head *kraw_binds_all(struct kraw_binds *binds,
				   __be16 lport);
bool kraw_bind_matches(const struct kraw_bind *bind,
		       const struct kraw_bind_key *key,
		       const struct kraw_arrival *at);

/* bind.c */
int kraw_bind_port(struct sock *sk, unsigned short port);
int kraw_bind_auto(struct sock *sk);
int kraw_bind_sender(struct sock *sk);
struct kraw_bind *kraw_bind_reserve(void);
int kraw_bind_peer(struct sock *sk, struct kraw_bind *new);
void kraw_bind_drop(struct sock *sk);

#endif /* _KRAW_BIND_H */
