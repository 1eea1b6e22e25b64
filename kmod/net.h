/* SPDX-License-Identifier: GPL-2.0 */
/* What kraw keeps of a network namespace. */
#ifndef _KRAW_NET_H
#define _KRAW_NET_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/netfilter.h>
#include <linux/rcupdate.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

struct kraw_config;
struct kraw_counter_pool;

#define KRAW_PROTOCOLS	256	/* an IP protocol number is one byte */

/* Index of a family in arrays; its bit in masks is BIT() of it. */
enum kraw_family {
	KRAW_IPV4,
	KRAW_IPV6,
	KRAW_FAMILIES
};

/**
 * struct kraw_hooks - a hook of kraw's in a namespace, by family
 * @families:	bits of the families that it is registered for
 * @ops:	by family; the hook core identifies them by address
 */
struct kraw_hooks {
	u8 families;
	struct nf_hook_ops ops[KRAW_FAMILIES];
};

/**
 * struct kraw_net - kraw in one network namespace
 * @net:	the namespace; outlives this
 * @lock:	serialises edits: guards everything below up to @output, and the
 *		pointer @config against other writers
 * @config:	what is managed, never NULL; read under RCU
 * @generation:	number of the configuration in force, never 0
 * @last_handle: the newest rule's handle
 * @counters:	of rules, NULL before the first one
 * @input:	hook, registered while a protocol of the family is managed
 * @output:	hook, registered while one has rules for what is sent
 * @tracers_lock: guards @tracers, see tracer.c
 * @tracers:	who is told of packets
 */
struct kraw_net {
	struct net *net;
	struct mutex lock;	/* see above */
	struct kraw_config __rcu *config;
	u32 generation;
	u32 last_handle;
	struct kraw_counter_pool *counters;
	struct kraw_hooks input;
	struct kraw_hooks output;
	struct mutex tracers_lock;	/* see above */
	struct list_head tracers;
};

extern unsigned int kraw_net_id;

struct kraw_net *kraw_net(const struct net *net);

/* The same in an RCU read side: the kernel's own function would begin another. */
static inline struct kraw_net *kraw_net_rcu(const struct net *net)
{
	return rcu_dereference(net->gen)->ptr[kraw_net_id];
}

#endif /* _KRAW_NET_H */
