// SPDX-License-Identifier: GPL-2.0
/* Which rule decides about a packet: the first one not over its limit. */
#include "classify.h"

#include "classifier.h"
#include "limit.h"
#include "proto.h"
#include "rule.h"
#include "ruleset.h"
#include "stats.h"
#include "uapi/linux/kraw.h"

/**
 * kraw_classify - find the rule that decides about a packet, and count it there
 * @net:	the namespace
 * @proto:	the packet's protocol, managed
 * @rules:	its rules of the hook
 * @packet:	with everything that kraw_ruleset_fields() asks for
 * @limited:	set if a rule would have matched but for its limit
 *
 * A rule over its limit counts that, and the search goes on behind it.
 *
 * Context: RCU read side, bottom halves off. Returns the rule, or NULL if none
 * matches.
 */
const struct kraw_rule *kraw_classify(struct net *net,
				      const struct kraw_proto *proto,
				      const struct kraw_ruleset *rules,
				      const struct kraw_packet *packet,
				      bool *limited)
{
	const struct kraw_rule *rule;
	u32 i;

	for (i = kraw_ruleset_lookup(rules, packet, 0);
	     i != KRAW_RULESET_NONE;
	     i = kraw_ruleset_lookup(rules, packet, i + 1)) {
		rule = rules->rules[i];
		if (likely(!rule->limit) || kraw_limit_pass(rule->limit)) {
			kraw_rule_count(rule, packet->len);
			return rule;
		}
		kraw_stats_inc(proto->stats, packet->family,
			       KRAW_STATS_A_LIMITED);
		*limited = true;
	}
	return NULL;
}
