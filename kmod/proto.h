/* SPDX-License-Identifier: GPL-2.0 */
/* A managed protocol: what is to happen to one protocol number's packets. */
#ifndef _KRAW_PROTO_H
#define _KRAW_PROTO_H

#include <linux/refcount.h>
#include <net/netlink.h>
#include "decision.h"
#include "users.h"
#include "uapi/linux/kraw.h"

struct kraw_binds;
struct kraw_ruleset;
struct kraw_stats;

#define KRAW_HOOKS	KRAW_HOOK_MAX	/* input and output */

/**
 * struct kraw_proto - one version of a managed protocol, read-only
 * @refs:	the configurations that it is in
 * @number:	protocol number
 * @families:	bits KRAW_FAMILY_*, not 0
 * @claim:	enum kraw_claim
 * @deliver:	what happens on input where no rule matches
 * @unreach:	enum kraw_unreach
 * @account:	enum kraw_account
 * @users:	who may open datagram sockets of the claim
 * @stats:	shared by its versions
 * @binds:	the sockets of the claim, shared by its versions; NULL: no claim
 * @rules:	by enum kraw_hook less one, NULL: none
 */
struct kraw_proto {
	refcount_t refs;
	u8 number;
	u8 families;
	u8 claim;
	struct kraw_decision deliver;
	u8 unreach;
	u8 account;
	struct kraw_users users;
	struct kraw_stats *stats;
	struct kraw_binds *binds;
	struct kraw_ruleset *rules[KRAW_HOOKS];
};

extern const struct nla_policy kraw_proto_policy[KRAW_PROTO_A_MAX + 1];
extern const struct nla_policy kraw_proto_name_policy[KRAW_PROTO_A_NUMBER + 1];

int kraw_proto_number(const struct nlattr *nest, struct netlink_ext_ack *extack);
int kraw_proto_check(u8 number, u8 families, const struct nlattr *attr,
		     struct netlink_ext_ack *extack);
struct kraw_proto *kraw_proto_parse(const struct nlattr *nest,
				    const struct kraw_proto *old,
				    struct netlink_ext_ack *extack);
struct kraw_proto *kraw_proto_with_rules(const struct kraw_proto *old, u8 hook,
					 struct kraw_ruleset *rules);
struct kraw_proto *kraw_proto_get(struct kraw_proto *proto);
void kraw_proto_put(struct kraw_proto *proto);
void kraw_proto_follow(struct kraw_proto *proto, const struct kraw_proto *old);
u32 kraw_proto_rules_count(const struct kraw_proto *proto);
u64 kraw_proto_insns_count(const struct kraw_proto *proto);

/* Bits KRAW_FAMILY_* of the handler slots that it needs; NULL: none. */
static inline u8 kraw_proto_slots(const struct kraw_proto *proto)
{
	return proto && proto->claim != KRAW_CLAIM_NONE ? proto->families : 0;
}

/* The rules of a hook, NULL: none. */
static inline struct kraw_ruleset *
kraw_proto_rules(const struct kraw_proto *proto, u8 hook)
{
	return proto->rules[hook - 1];
}

int kraw_proto_fill(struct sk_buff *msg, const struct kraw_proto *proto,
		    bool counters);

#endif /* _KRAW_PROTO_H */
