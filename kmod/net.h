/* SPDX-License-Identifier: GPL-2.0 */
/* What kraw keeps of a network namespace. */
#ifndef _KRAW_NET_H
#define _KRAW_NET_H

#include <linux/mutex.h>
#include <linux/netfilter.h>
#include <net/net_namespace.h>

struct kraw_config;

#define KRAW_PROTOCOLS	256	/* an IP protocol number is one byte */

/* Index of a family in arrays; its bit in masks is BIT() of it. */
enum kraw_family {
	KRAW_IPV4,
	KRAW_IPV6,
	KRAW_FAMILIES
};

/**
 * struct kraw_net - kraw in one network namespace
 * @net:	the namespace; outlives this
 * @lock:	serialises edits: guards everything below, and the pointer @config
 *		against other writers
 * @config:	what is managed, never NULL; read under RCU
 * @generation:	number of the configuration in force, never 0
 * @last_handle: the newest rule's handle
 * @hooked:	bits of the families whose hook is registered
 * @ops:	the input hooks; the hook core identifies them by address
 */
struct kraw_net {
	struct net *net;
	struct mutex lock;	/* see above */
	struct kraw_config __rcu *config;
	u32 generation;
	u32 last_handle;
	u8 hooked;
	struct nf_hook_ops ops[KRAW_FAMILIES];
};

struct kraw_net *kraw_net(const struct net *net);

#endif /* _KRAW_NET_H */
