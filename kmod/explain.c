// SPDX-License-Identifier: GPL-2.0
/*
 * What would happen to a packet: the way of input.c and deliver.c, asked instead
 * of gone.
 *
 * The same functions answer as for real packets: what a packet is read as, the
 * classifier's search, the sockets' match and choice, what "unreach" wants.
 * Nothing is counted, queued or sent.
 *
 * All of it is found in one RCU read side with bottom halves off, as a packet
 * would find it, and kept; messages are made of it afterwards, at the reader's
 * leisure. Lists that turn out too short are made longer and everything is found
 * anew.
 */
#include "explain.h"

#include <linux/err.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <net/xfrm.h>
#include "config.h"
#include "deliver.h"
#include "dgram.h"
#include "limit.h"
#include "memory.h"
#include "one.h"
#include "packet.h"
#include "proto.h"
#include "rule.h"
#include "ruleset.h"
#include "unreach.h"

/* One search of a ruleset. */
struct search {
	struct kraw_explain *explain;
	const struct kraw_ruleset *rules;
};

static void shape_seen(void *data, const struct kraw_classifier_shape *shape)
{
	const struct search *search = data;
	struct kraw_explain *explain = search->explain;
	struct kraw_explain_shape *to;

	if (explain->shapes_count++ >= explain->shapes_size)
		return;
	to = &explain->shapes[explain->shapes_count - 1];
	to->shape = *shape;
	to->limited = false;
	to->pref = search->rules->rules[shape->best]->pref;
}

/* The shape that had the rule with this index. */
static void shape_limited(struct kraw_explain *explain, u32 index)
{
	u32 i = min(explain->shapes_count, explain->shapes_size);

	while (i--)
		if (explain->shapes[i].shape.found == index) {
			explain->shapes[i].limited = true;
			return;
		}
}

/* As classify() in input.c and kraw_classify(). */
static const struct kraw_rule *classify(struct kraw_explain *explain,
					struct net *net,
					const struct kraw_proto *proto,
					const struct sk_buff *skb)
{
	struct search search = {
		.explain = explain,
		.rules = kraw_proto_rules(proto, KRAW_HOOK_INPUT),
	};
	const struct kraw_classifier_seen seen = { shape_seen, &search };
	const struct kraw_rule *rule;
	struct kraw_packet packet;
	u32 i;

	if (!search.rules)
		return NULL;
	kraw_packet_read(&packet, explain->sample.family, skb,
			 kraw_ruleset_fields(search.rules));
	kraw_packet_devices(&packet, net);
	for (i = kraw_ruleset_explain(search.rules, &packet, 0, &seen);
	     i != KRAW_RULESET_NONE;
	     i = kraw_ruleset_explain(search.rules, &packet, i + 1, &seen)) {
		rule = search.rules->rules[i];
		if (!rule->limit || kraw_limit_allows(rule->limit))
			return rule;
		shape_limited(explain, i);
	}
	return NULL;
}

static void decide(struct kraw_explain *explain, struct net *net,
		   const struct kraw_proto *proto, const struct sk_buff *skb)
{
	const struct kraw_rule *rule;

	explain->decision = (struct kraw_decision) {
		.verdict = KRAW_VERDICT_ALL,
	};
	explain->unreach = KRAW_UNREACH_AUTO;
	explain->decider = KRAW_DECIDER_LINUX;
	if (!proto)
		return;
	rule = classify(explain, net, proto, skb);
	explain->unreach = proto->unreach;
	explain->decision = rule ? rule->decision : proto->deliver;
	explain->decider = rule ? KRAW_DECIDER_RULE : KRAW_DECIDER_PROTO;
	/* The configuration that we read holds it as well. */
	if (rule)
		explain->rule = kraw_rule_get((struct kraw_rule *)rule);
}

/* Whether the verdict lets raw sockets have the packet. */
static bool to_sockets(u8 verdict)
{
	return verdict == KRAW_VERDICT_ALL || verdict == KRAW_VERDICT_RAW ||
	       verdict == KRAW_VERDICT_ONE;
}

static bool to_handler(u8 verdict)
{
	return verdict == KRAW_VERDICT_ALL || verdict == KRAW_VERDICT_KERNEL;
}

static void socket_seen(void *data, const struct kraw_rawsock *socket)
{
	struct kraw_explain *explain = data;
	struct kraw_rawsock *to;

	explain->matching += socket->matched && !socket->passed;
	if (to_sockets(explain->decision.verdict))
		explain->copies += socket->result == KRAW_SOCKET_RESULT_COPY;
	if (explain->sockets_count++ >= explain->sockets_size)
		return;
	to = &explain->sockets[explain->sockets_count - 1];
	*to = *socket;
	if (socket->matched && !to_sockets(explain->decision.verdict))
		to->result = KRAW_SOCKET_RESULT_VERDICT;
}

static void ask_sockets(struct kraw_explain *explain, struct net *net,
			struct sk_buff *skb)
{
	const struct kraw_sample *sample = &explain->sample;
	struct kraw_rawsock_asked asked = {
		.seen = socket_seen,
		.data = explain,
		.one = explain->decision.verdict == KRAW_VERDICT_ONE,
		.reuseport = explain->decision.one_reuseport,
	};

	if (asked.one)
		asked.flow = kraw_one_flow(&explain->decision, sample->family,
					   skb, sample->proto);
	kraw_rawsock_explain(net, sample->family, skb, sample->proto, &asked);
}

static void dgram_seen(void *data, const struct kraw_rawsock *socket)
{
	struct kraw_explain *explain = data;

	explain->dgrams_got += socket->result == KRAW_SOCKET_RESULT_COPY;
	if (explain->dgrams_count++ < explain->dgrams_size)
		explain->dgrams[explain->dgrams_count - 1] = *socket;
}

/* As all(), kernel4(), kernel6() in deliver.c and the kernel itself. */
static void ask_handler(struct kraw_explain *explain, struct net *net,
			const struct kraw_proto *proto, struct sk_buff *skb,
			bool handled)
{
	const struct kraw_rawsock_asked asked = { dgram_seen, explain };
	const struct kraw_sample *sample = &explain->sample;
	bool final;

	explain->has_handler = kraw_slot_handler(sample->proto, sample->family,
						 &explain->handler);
	if (explain->handler.flags & KRAW_HANDLER_KRAW &&
	    kraw_proto_slots(proto) & BIT(sample->family))
		explain->handler.flags |= KRAW_HANDLER_HERE;
	final = explain->handler.flags & KRAW_HANDLER_FINAL;
	explain->receives = handled && to_handler(explain->decision.verdict) &&
			    !(final && kraw_deliver_final6(net, skb,
							   sample->proto));
	explain->ports = false;
	explain->dgram = false;
	explain->dgrams_count = 0;
	explain->dgrams_got = 0;
	if (!explain->receives ||
	    !(explain->handler.flags & KRAW_HANDLER_HERE))
		return;
	explain->ports = proto->claim == KRAW_CLAIM_PORTS;
	explain->dgram = true;
	explain->dgram_result = kraw_dgram_explain(net, proto, sample->family,
						   skb, &asked);
}

/* Whether deliver.c, claim.c or the kernel itself would ask for ICMP. */
static bool icmp_wanted(const struct kraw_explain *explain, bool handled,
			u8 unreach)
{
	u8 verdict = explain->decision.verdict;

	if (verdict == KRAW_VERDICT_NONE || verdict == KRAW_VERDICT_REJECT)
		return verdict == KRAW_VERDICT_REJECT;
	/* Only a claim's own handler leaves the question to "unreach". */
	if (handled && to_handler(verdict))
		return explain->dgram &&
		       explain->dgram_result == KRAW_DGRAM_RESULT_NOBODY &&
		       kraw_unreach_wanted(unreach, !explain->ports);
	return kraw_unreach_wanted(unreach, to_sockets(verdict) &&
					    explain->matching);
}

static void ask_icmp(struct kraw_explain *explain, struct net *net,
		     const struct sk_buff *skb, bool handled)
{
	const struct kraw_sample *sample = &explain->sample;

	if (!icmp_wanted(explain, handled, explain->unreach))
		explain->icmp = icmp_wanted(explain, handled,
					    KRAW_UNREACH_AUTO) ?
				KRAW_ICMP_RESULT_NEVER : KRAW_ICMP_RESULT_NONE;
	else if (kraw_unreach_silent(sample->family, skb) ||
		 !kraw_sample_route_back(net, sample, skb))
		explain->icmp = KRAW_ICMP_RESULT_SILENT;
	else
		explain->icmp = KRAW_ICMP_RESULT_SENT;
}

/* Whether IPsec could refuse the packet: asking would count. */
static bool has_policy(struct net *net, struct sk_buff *skb)
{
#ifdef CONFIG_XFRM
	return !(skb_dst(skb)->flags & DST_NOPOLICY) &&
	       !__xfrm_check_nopolicy(net, skb, XFRM_POLICY_IN);
#else
	return false;
#endif
}

/* Context: RCU read side, bottom halves off. */
static int ask(struct kraw_explain *explain, struct net *net,
	       struct sk_buff *skb, struct netlink_ext_ack *extack)
{
	struct kraw_sample *sample = &explain->sample;
	const struct kraw_config *config;
	const struct kraw_proto *proto;
	bool handled;
	int err;

	err = kraw_sample_arrive(net, sample, skb, extack);
	if (err)
		return err;
	config = rcu_dereference(kraw_net(net)->config);
	explain->generation = config->generation;
	proto = kraw_config_managed(config, sample->proto, sample->family);
	explain->shapes_count = 0;
	decide(explain, net, proto, skb);

	explain->sockets_count = 0;
	explain->matching = 0;
	explain->copies = 0;
	__skb_pull(skb, skb_transport_offset(skb));
	ask_sockets(explain, net, skb);
	handled = kraw_slot_handled(sample->proto, sample->family,
				    kraw_proto_slots(proto) &
				    BIT(sample->family));
	ask_handler(explain, net, proto, skb, handled);
	ask_icmp(explain, net, skb, handled);
	skb_push(skb, -skb_network_offset(skb));
	explain->policy = has_policy(net, skb);
	skb_dst_drop(skb);
	return 0;
}

/* Room for what the last ask() found, and a bit; false: there was enough. */
static int lists_grow(struct kraw_explain *explain)
{
	u32 shapes = explain->shapes_count, sockets = explain->sockets_count;
	u32 dgrams = explain->dgrams_count;

	if (shapes <= explain->shapes_size &&
	    sockets <= explain->sockets_size && dgrams <= explain->dgrams_size)
		return 0;
	kvfree(explain->shapes);
	kvfree(explain->sockets);
	kvfree(explain->dgrams);
	explain->shapes_size = shapes + 16;
	explain->sockets_size = sockets + 16;
	explain->dgrams_size = dgrams + 16;
	explain->shapes = kvmalloc_array(explain->shapes_size,
					 sizeof(*explain->shapes),
					 KRAW_GFP);
	explain->sockets = kvmalloc_array(explain->sockets_size,
					  sizeof(*explain->sockets),
					  KRAW_GFP);
	explain->dgrams = kvmalloc_array(explain->dgrams_size,
					 sizeof(*explain->dgrams),
					 KRAW_GFP);
	return explain->shapes && explain->sockets && explain->dgrams ?
	       -EAGAIN : -ENOMEM;
}

/* The last reference to a rule may be ours: this does not run under RCU. */
static void rule_put(struct kraw_explain *explain)
{
	if (explain->rule)
		kraw_rule_put(explain->rule);
	explain->rule = NULL;
}

static int ask_all(struct kraw_explain *explain, struct net *net,
		   struct sk_buff *skb, struct netlink_ext_ack *extack)
{
	int err;

	do {
		rule_put(explain);
		local_bh_disable();
		rcu_read_lock();
		err = ask(explain, net, skb, extack);
		rcu_read_unlock();
		local_bh_enable();
		if (!err)
			err = lists_grow(explain);
		cond_resched();
	} while (err == -EAGAIN);
	return err;
}

/**
 * kraw_explain_new - find out what would happen to a packet
 * @net:	the namespace that it comes to
 * @nest:	KRAW_A_PACKET, already validated by kraw_sample_policy
 * @extack:	gets the reason of a refusal
 *
 * Returns what was found, or an error pointer: -EINVAL, -ENODEV, -EHOSTUNREACH,
 * -ENOMEM. May sleep.
 */
struct kraw_explain *kraw_explain_new(struct net *net, const struct nlattr *nest,
				      struct netlink_ext_ack *extack)
{
	struct kraw_explain *explain;
	struct sk_buff *skb;
	int err;

	explain = kzalloc(sizeof(*explain), KRAW_GFP);
	if (!explain)
		return ERR_PTR(-ENOMEM);
	skb = kraw_sample_build(net, &explain->sample, nest, extack);
	if (IS_ERR(skb)) {
		err = PTR_ERR(skb);
		goto err_free;
	}
	err = ask_all(explain, net, skb, extack);
	consume_skb(skb);
	if (!err)
		return explain;

err_free:
	kraw_explain_free(explain);
	return ERR_PTR(err);
}

void kraw_explain_free(struct kraw_explain *explain)
{
	rule_put(explain);
	kvfree(explain->shapes);
	kvfree(explain->sockets);
	kvfree(explain->dgrams);
	kfree(explain);
}
