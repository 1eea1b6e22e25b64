/* SPDX-License-Identifier: GPL-2.0 */
/* A rule: matches and a verdict, with its preference and its counters. */
#ifndef _KRAW_RULE_H
#define _KRAW_RULE_H

#include <linux/refcount.h>
#include <net/netlink.h>
#include "classifier.h"
#include "counter.h"
#include "decision.h"
#include "net.h"
#include "uapi/linux/kraw.h"

struct kraw_limit;
struct sock_filter;

/**
 * struct kraw_rule - read-only once it is in a ruleset, its counters apart
 * @refs:	the rulesets that it is in
 * @pref:	preference, lowest first
 * @handle:	names it in its namespace, never 0
 * @proto:	protocol number
 * @hook:	enum kraw_hook
 * @decision:	what happens to packets that match
 * @trace:	tracers hear of packets that match
 * @insns_len:	bytes at @insns
 * @match:	the matches
 * @insns:	the classic BPF program as it came, NULL without one
 * @expr:	what it was compiled from, NULL if that is not known
 * @comment:	NULL: none
 * @counter:	of packets whose first match it was
 * @limit:	NULL: none
 * @mirror:	name of the device, NULL: none
 */
struct kraw_rule {
	refcount_t refs;
	u32 pref;
	u32 handle;
	u8 proto;
	u8 hook;
	struct kraw_decision decision;
	bool trace;
	u16 insns_len;
	struct kraw_match match;
	struct sock_filter *insns;
	char *expr;
	char *comment;
	struct kraw_counter counter;
	struct kraw_limit *limit;
	char *mirror;
};

/**
 * struct kraw_rule_name - how a request names a rule, or a place for one
 * @nest:	the attribute that does, for error messages
 * @tb:		all attributes in it, valid
 * @handle_attr: the attribute with the handle, for error messages
 * @proto:	protocol number
 * @hook:	enum kraw_hook
 * @has_proto:	@proto is given
 * @has_hook:	@hook is given, and not the default
 * @has_pref:	@pref is given
 * @has_handle:	@handle is given
 * @pref:	preference
 * @handle:	handle
 */
struct kraw_rule_name {
	const struct nlattr *nest;
	struct nlattr *tb[KRAW_RULE_A_MAX + 1];
	const struct nlattr *handle_attr;
	u8 proto;
	u8 hook;
	bool has_proto;
	bool has_hook;
	bool has_pref;
	bool has_handle;
	u32 pref;
	u32 handle;
};

/* A whole rule; its name alone; protocol and hook alone. */
extern const struct nla_policy kraw_rule_policy[KRAW_RULE_A_MAX + 1];
extern const struct nla_policy kraw_rule_name_policy[KRAW_RULE_A_HANDLE + 1];
extern const struct nla_policy kraw_rule_scope_policy[KRAW_RULE_A_HOOK + 1];

int kraw_rule_name_parse(struct kraw_rule_name *name, const struct nlattr *nest,
			 struct netlink_ext_ack *extack);
int kraw_rule_name_parse_full(struct kraw_rule_name *name,
			      const struct nlattr *nest,
			      struct netlink_ext_ack *extack);
int kraw_rule_name_check_new(const struct kraw_rule_name *name,
			     struct netlink_ext_ack *extack);
int kraw_rule_name_check_old(const struct kraw_rule_name *name,
			     struct netlink_ext_ack *extack);
struct kraw_rule *kraw_rule_parse(struct net *net,
				  struct kraw_rule_name *name,
				  struct netlink_ext_ack *extack);
struct kraw_rule *kraw_rule_get(struct kraw_rule *rule);
void kraw_rule_put(struct kraw_rule *rule);
u32 kraw_rule_hash(const struct kraw_rule *rule);
bool kraw_rule_same_match(const struct kraw_rule *a, const struct kraw_rule *b);
bool kraw_rule_same_action(const struct kraw_rule *a, const struct kraw_rule *b);
int kraw_rule_fill(struct sk_buff *msg, const struct kraw_rule *rule,
		   bool counters);
void kraw_rule_count(const struct kraw_rule *rule, u32 len);

int kraw_rule_init(void);
void kraw_rule_exit(void);

#endif /* _KRAW_RULE_H */
