/* SPDX-License-Identifier: GPL-2.0 */
/* What would happen to a packet. */
#ifndef _KRAW_EXPLAIN_H
#define _KRAW_EXPLAIN_H

#include "classifier.h"
#include "decision.h"
#include "net.h"
#include "rawsock.h"
#include "sample.h"
#include "slot.h"

struct kraw_rule;
struct netlink_ext_ack;
struct nlattr;

/* Rules of one shape, which the packet was compared with. */
struct kraw_explain_shape {
	struct kraw_classifier_shape shape;
	u32 pref;	/* the lowest of its rules */
	bool limited;	/* the rule found is over its limit */
};

/**
 * struct kraw_explain - what would happen to a packet, found at one instant
 * @generation:	of the configuration
 * @sample:	the packet
 * @rule:	the rule that decides, with a reference; NULL: none
 * @decider:	enum kraw_decider
 * @decision:	...
 * @unreach:	enum kraw_unreach
 * @handler:	the kernel's, if @has_handler
 * @has_handler: ...
 * @receives:	the handler gets the packet
 * @dgram:	a claim of ours gets the packet, ...
 * @dgram_result: ... and this is what it makes of it: enum kraw_dgram_result
 * @ports:	it is a claim with ports, whose handler tells of a port
 * @policy:	IPsec policies were not asked
 * @matching:	raw sockets that match
 * @copies:	raw sockets that get a copy
 * @icmp:	enum kraw_icmp_result
 * @shapes:	those asked, in their order
 * @shapes_count: ...
 * @shapes_size: room at @shapes
 * @sockets:	the raw sockets of the protocol
 * @sockets_count: ...
 * @sockets_size: room at @sockets
 * @dgrams:	the datagram sockets of the packet's port
 * @dgrams_count: ...
 * @dgrams_size: room at @dgrams
 * @dgrams_got:	those that get it
 */
struct kraw_explain {
	u32 generation;
	struct kraw_sample sample;
	struct kraw_rule *rule;
	u8 decider;
	struct kraw_decision decision;
	u8 unreach;
	struct kraw_handler handler;
	bool has_handler;
	bool receives;
	bool dgram;
	u8 dgram_result;
	bool ports;
	bool policy;
	u32 matching;
	u32 copies;
	u8 icmp;
	struct kraw_explain_shape *shapes;
	u32 shapes_count;
	u32 shapes_size;
	struct kraw_rawsock *sockets;
	u32 sockets_count;
	u32 sockets_size;
	struct kraw_rawsock *dgrams;
	u32 dgrams_count;
	u32 dgrams_size;
	u32 dgrams_got;
};

struct kraw_explain *kraw_explain_new(struct net *net, const struct nlattr *nest,
				      struct netlink_ext_ack *extack);
void kraw_explain_free(struct kraw_explain *explain);

/* step.c */
u32 kraw_explain_steps(const struct kraw_explain *explain);
int kraw_explain_fill(struct sk_buff *msg, const struct kraw_explain *explain,
		      u32 step);

#endif /* _KRAW_EXPLAIN_H */
