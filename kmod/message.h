/* SPDX-License-Identifier: GPL-2.0 */
/* Messages of the netlink family: what all commands read and write alike. */
#ifndef _KRAW_MESSAGE_H
#define _KRAW_MESSAGE_H

#include <linux/types.h>
#include "uapi/linux/kraw.h"

struct genl_info;
struct kraw_config;
struct kraw_proto;
struct kraw_rule;
struct kraw_rule_name;
struct net;
struct netlink_callback;
struct nlattr;
struct sk_buff;
struct task_struct;

/* More than all of a rule takes in a message, but for its program. */
#define KRAW_MESSAGE_REST	(KRAW_EXPR_MAX + 2048)

/**
 * struct kraw_message - what a message is about; NULL: not about such a thing
 * @generation:	of the configuration described
 * @proto:	a protocol
 * @rule:	a rule
 * @flushed:	whose rules are gone
 * @config:	the whole configuration, of which the size is told
 * @doer:	the process that has changed it
 * @net:	with @doer: the namespace whose members are told
 * @counters:	with counters
 */
struct kraw_message {
	u32 generation;
	const struct kraw_proto *proto;
	const struct kraw_rule *rule;
	const struct kraw_rule_name *flushed;
	const struct kraw_config *config;
	struct task_struct *doer;
	const struct net *net;
	bool counters;
};

const struct nlattr *kraw_message_nest(struct genl_info *info, int attr);
int kraw_message_fill(struct sk_buff *msg, u32 portid, u32 seq, int flags,
		      u8 cmd, const struct kraw_message *about,
		      struct netlink_callback *cb);
struct sk_buff *kraw_message_new(u16 insns_len);
size_t kraw_message_doer_size(struct task_struct *task);
int kraw_message_doer_fill(struct sk_buff *msg, struct task_struct *task,
			   const struct net *net);

#endif /* _KRAW_MESSAGE_H */
