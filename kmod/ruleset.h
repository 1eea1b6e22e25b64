/* SPDX-License-Identifier: GPL-2.0 */
/* A ruleset: all rules of one namespace, protocol and hook, in their order. */
#ifndef _KRAW_RULESET_H
#define _KRAW_RULESET_H

#include <linux/refcount.h>
#include <linux/types.h>

struct kraw_classifier;
struct kraw_classifier_seen;
struct kraw_packet;
struct kraw_rule;
struct kraw_rule_name;
struct netlink_ext_ack;

#define KRAW_RULESET_NONE	U32_MAX		/* no index */

/**
 * struct kraw_ruleset - read-only once it is built
 * @refs:	the protocol versions that use it
 * @count:	number of rules, never 0
 * @insns_max:	bytes of the longest BPF program
 * @insns:	instructions of all of them
 * @classifier:	built from their matches
 * @rules:	by preference; among equals in the order of their coming
 */
struct kraw_ruleset {
	refcount_t refs;
	u32 count;
	u16 insns_max;
	u64 insns;
	struct kraw_classifier *classifier;
	struct kraw_rule *rules[];
};

struct kraw_ruleset *kraw_ruleset_build(struct kraw_rule **rules, u32 count);
struct kraw_ruleset *kraw_ruleset_splice(const struct kraw_ruleset *old,
					 u32 without, u32 at,
					 struct kraw_rule *rule);
struct kraw_ruleset *kraw_ruleset_get(struct kraw_ruleset *set);
void kraw_ruleset_put(struct kraw_ruleset *set);
bool kraw_ruleset_has_pref(const struct kraw_ruleset *set, u32 pref);
u32 kraw_ruleset_end_of(const struct kraw_ruleset *set, u32 pref);
bool kraw_ruleset_has(const struct kraw_ruleset *set,
		      const struct kraw_rule *rule, u32 except);
int kraw_ruleset_find(const struct kraw_ruleset *set,
		      const struct kraw_rule_name *name,
		      struct netlink_ext_ack *extack);
u32 kraw_ruleset_lookup(const struct kraw_ruleset *set,
			const struct kraw_packet *packet, u32 from);
u32 kraw_ruleset_explain(const struct kraw_ruleset *set,
			 const struct kraw_packet *packet, u32 from,
			 const struct kraw_classifier_seen *seen);
u16 kraw_ruleset_fields(const struct kraw_ruleset *set);

#endif /* _KRAW_RULESET_H */
