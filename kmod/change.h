/* SPDX-License-Identifier: GPL-2.0 */
/* What the commands of the netlink family change. */
#ifndef _KRAW_CHANGE_H
#define _KRAW_CHANGE_H

#include <linux/types.h>

struct genl_info;
struct kraw_config;
struct kraw_edit;
struct kraw_proto;
struct kraw_rule;
struct kraw_rule_name;
struct netlink_ext_ack;
struct nlattr;
struct sk_buff;

/**
 * struct kraw_change - what a command has changed
 * @info:	the request
 * @generation:	of the configuration that came of it
 * @proto:	added, set or deleted, NULL: none
 * @rule:	added, replaced or deleted, NULL: none
 * @flushed:	whose rules were flushed, NULL: nobody's
 * @config:	what came of it, if all of it may be different; or NULL
 */
struct kraw_change {
	struct genl_info *info;
	u32 generation;
	const struct kraw_proto *proto;
	const struct kraw_rule *rule;
	const struct kraw_rule_name *flushed;
	const struct kraw_config *config;
};

int kraw_change(struct sk_buff *skb, struct genl_info *info,
		const struct nlattr *nest,
		void (*done)(const struct kraw_change *change));
int kraw_change_default_pref(u32 last, bool any, u32 *pref,
			     const struct nlattr *nest,
			     struct netlink_ext_ack *extack);

/* apply.c */
int kraw_apply(struct kraw_edit *edit, const struct genl_info *info);

#endif /* _KRAW_CHANGE_H */
