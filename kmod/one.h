/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Verdict one: in which order the raw sockets are chosen.
 *
 * Rendezvous hashing (highest random weight): each pair of a flow and a socket
 * has a weight, and of the sockets that match, the one with the largest gets the
 * flow. The order of two sockets depends on nothing but the flow and these two.
 * So a socket that goes leaves its flows to the next in their order, one that
 * comes takes its share from everybody, and all other flows stay.
 */
#ifndef _KRAW_ONE_H
#define _KRAW_ONE_H

#include <linux/math64.h>
#include "net.h"

struct hlist_node;
struct kraw_decision;
struct sk_buff;
struct sock;

void kraw_one_init(void);
u64 kraw_one_flow(const struct kraw_decision *decision, enum kraw_family family,
		  const struct sk_buff *skb, u8 protocol);

/* Both halves of a product in one. */
static inline u64 kraw_one_fold(u64 a, u64 b)
{
#if defined(CONFIG_ARCH_SUPPORTS_INT128) && defined(__SIZEOF_INT128__)
	/* one instruction; the function below would take two */
	__uint128_t product = (__uint128_t)a * b;

	return (u64)product ^ (u64)(product >> 64);
#else
	return a * b ^ mul_u64_u64_shr(a, b, 64);
#endif
}

/**
 * kraw_one_weight - weight of a socket for a flow
 * @flow:	from kraw_one_flow(): all bits are random
 * @socket:	its node in the list of raw sockets: an address that is its own for
 *		as long as it is there
 *
 * With many sockets this is what a packet costs, hence no better hash than is
 * needed. The flow brings the randomness; the first product, of 128 bits, spreads
 * the few bits in which two addresses differ, and only with its upper half folded
 * down does the second one compare what is no longer linear in the address: as
 * even as a full 64-bit mixer, for sockets side by side in one slab as well.
 * Without the second product, or with a sum in the place of the exclusive or, it
 * is not.
 */
static inline u64 kraw_one_weight(u64 flow, const struct hlist_node *socket)
{
	return kraw_one_fold(flow ^ (unsigned long)socket,
			     0x9e3779b97f4a7c15ULL) * 0xd6e8feb86659fd93ULL;
}

#endif /* _KRAW_ONE_H */
