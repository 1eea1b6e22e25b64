/* SPDX-License-Identifier: GPL-2.0 */
/* Tracers: netlink sockets that are told what becomes of packets. */
#ifndef _KRAW_TRACER_H
#define _KRAW_TRACER_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <net/netlink.h>
#include "classifier.h"
#include "net.h"
#include "uapi/linux/kraw.h"

struct genl_info;
struct kraw_record_about;
struct sock;

#define KRAW_TRACERS_MAX	8	/* in a namespace */

/**
 * struct kraw_tracer - a socket that is told of packets
 * @list:	in struct kraw_net, walked under RCU
 * @rcu:	frees it
 * @sk:		the socket, with a reference
 * @portid:	its port
 * @stopped:	it asked for no more records
 * @has_proto:	only of protocol @proto
 * @marked:	only packets that a rule with "trace" decides about
 * @proto:	...
 * @hook:	enum kraw_hook; 0: both
 * @verdict:	enum kraw_verdict; 0: any
 * @snaplen:	bytes of each packet that it wants
 * @match:	what packets must be like
 * @seen:	packets that it is to be told of, lost ones as well
 * @lost:	those of them that it was not told of
 */
struct kraw_tracer {
	struct list_head list;
	struct rcu_head rcu;
	struct sock *sk;
	u32 portid;
	bool stopped;
	bool has_proto;
	bool marked;
	u8 proto;
	u8 hook;
	u8 verdict;
	u32 snaplen;
	struct kraw_match match;
	atomic64_t seen;
	atomic64_t lost;
};

extern const struct nla_policy kraw_tracer_filter_policy[KRAW_RULE_A_MAX + 1];
extern const struct nla_policy
	kraw_tracer_options_policy[KRAW_TRACE_A_SNAPLEN + 1];

int kraw_tracer_start(struct sk_buff *skb, struct genl_info *info);
int kraw_tracer_stop(struct sk_buff *skb, struct genl_info *info);
bool kraw_tracer_wants(const struct kraw_tracer *tracer,
		       const struct kraw_record_about *about,
		       const struct kraw_packet *packet);
void kraw_tracer_send(struct kraw_tracer *tracer, struct sk_buff *msg);
u16 kraw_tracer_fields(const struct kraw_net *kn);

int kraw_tracer_init(void);
void kraw_tracer_exit(void);
void kraw_tracer_net_init(struct kraw_net *kn);
void kraw_tracer_net_exit(struct kraw_net *kn);

#endif /* _KRAW_TRACER_H */
