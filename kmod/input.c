// SPDX-License-Identifier: GPL-2.0
/*
 * The input hook: LOCAL_IN at the last priority, after every filter and before
 * raw sockets. It is registered only while the namespace manages a protocol of
 * the family.
 *
 * The hook runs in an RCU read side with bottom halves off. What it reads, the
 * configuration and all below it, is read-only and freed after a grace period;
 * what it writes are per-CPU counters.
 */
#include "input.h"

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/rcupdate.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include "classifier.h"
#include "classify.h"
#include "config.h"
#include "deliver.h"
#include "hooks.h"
#include "mirror.h"
#include "packet.h"
#include "proto.h"
#include "record.h"
#include "rule.h"
#include "ruleset.h"
#include "stats.h"
#include "uapi/linux/kraw.h"

static void mirror(struct net *net, const struct kraw_proto *proto,
		   const struct kraw_rule *rule, enum kraw_family family,
		   struct sk_buff *skb)
{
	kraw_stats_inc(proto->stats, family,
		       kraw_mirror_send(net, rule->mirror, family, skb) ?
		       KRAW_STATS_A_MIRRORED : KRAW_STATS_A_MIRROR_FAILED);
}

/*
 * The rule that decides, NULL: the protocol does; and where the packet ends if
 * that is to drop it.
 */
static const struct kraw_rule *classify(struct net *net,
					const struct kraw_proto *proto,
					const struct kraw_ruleset *rules,
					enum kraw_family family,
					struct sk_buff *skb,
					enum kraw_stats_attr *dropped)
{
	const struct kraw_rule *rule;
	struct kraw_packet packet;
	bool limited = false;
	u16 fields;

	*dropped = KRAW_STATS_A_END_PROTO;
	fields = kraw_ruleset_fields(rules);
	kraw_packet_read(&packet, family, skb, fields);
	if (fields & KRAW_FIELD_DEV)
		kraw_packet_devices(&packet, net);
	rule = kraw_classify(net, proto, rules, &packet, &limited);
	if (limited)
		*dropped = KRAW_STATS_A_END_LIMIT;
	else if (rule)
		*dropped = KRAW_STATS_A_END_RULE;
	if (rule && unlikely(rule->mirror))
		mirror(net, proto, rule, family, skb);
	return rule;
}

/* Begins the record of a packet. Without a verdict it is left to the kernel. */
static void record_begin(struct kraw_record *record, struct net *net,
			 const struct kraw_proto *proto,
			 const struct kraw_rule *rule, u8 verdict,
			 enum kraw_family family, struct sk_buff *skb)
{
	const struct kraw_record_about about = {
		.net = net, .proto = proto, .rule = rule,
		.number = proto->number, .hook = KRAW_HOOK_INPUT,
		.verdict = verdict,
	};
	struct kraw_packet packet;

	kraw_packet_read(&packet, family, skb,
			 KRAW_FIELD_TYPE | KRAW_FIELD_FRAGMENT);
	kraw_packet_devices(&packet, net);
	kraw_record_begin(record, &about, &packet);
}

/* As kraw_deliver(), and tells of it. */
static noinline unsigned int deliver_recorded(const struct kraw_proto *proto,
					      const struct kraw_rule *rule,
					      const struct kraw_decision *decision,
					      enum kraw_stats_attr dropped,
					      enum kraw_family family,
					      struct sk_buff *skb,
					      const struct nf_hook_state *state)
{
	struct kraw_record record;
	unsigned int ret;

	record_begin(&record, state->net, proto, rule, decision->verdict,
		     family, skb);
	ret = kraw_deliver(proto, decision, dropped, family, skb, state);
	kraw_record_end(&record);
	return ret;
}

static noinline void passed_recorded(struct net *net,
				     const struct kraw_proto *proto,
				     struct sk_buff *skb)
{
	struct kraw_record record;

	record_begin(&record, net, proto, NULL, KRAW_VERDICT_UNSPEC, KRAW_IPV6,
		     skb);
	kraw_record_end(&record);
}

/* @rule decides, NULL: the protocol does. */
static inline unsigned int deliver(const struct kraw_proto *proto,
				   const struct kraw_rule *rule,
				   enum kraw_stats_attr dropped,
				   enum kraw_family family, struct sk_buff *skb,
				   const struct nf_hook_state *state)
{
	const struct kraw_decision *decision = rule ? &rule->decision :
						      &proto->deliver;

	if (kraw_recording())
		return deliver_recorded(proto, rule, decision, dropped, family,
					skb, state);
	return kraw_deliver(proto, decision, dropped, family, skb, state);
}

/* What rules need on the stack is not cleared for packets without any. */
static noinline unsigned int
decide_by_rules(const struct kraw_proto *proto,
		const struct kraw_ruleset *rules, enum kraw_family family,
		struct sk_buff *skb, const struct nf_hook_state *state)
{
	enum kraw_stats_attr dropped;
	const struct kraw_rule *rule;

	rule = classify(state->net, proto, rules, family, skb, &dropped);
	return deliver(proto, rule, dropped, family, skb, state);
}

static unsigned int decide(const struct kraw_proto *proto,
			   enum kraw_family family, struct sk_buff *skb,
			   const struct nf_hook_state *state)
{
	const struct kraw_ruleset *rules;

	kraw_stats_inc(proto->stats, family, KRAW_STATS_A_SEEN);
	rules = kraw_proto_rules(proto, KRAW_HOOK_INPUT);
	if (rules)
		return decide_by_rules(proto, rules, family, skb, state);
	return deliver(proto, NULL, KRAW_STATS_A_END_PROTO, family, skb, state);
}

static unsigned int kraw_input4(void *priv, struct sk_buff *skb,
				const struct nf_hook_state *state)
{
	const struct kraw_net *kn = priv;
	const struct kraw_proto *proto;

	proto = kraw_config_managed(rcu_dereference(kn->config),
				    ip_hdr(skb)->protocol, KRAW_IPV4);
	if (likely(!proto))
		return NF_ACCEPT;
	return decide(proto, KRAW_IPV4, skb, state);
}

enum chain {
	CHAIN_FOREIGN,	/* does not lead to a managed protocol */
	CHAIN_MANAGED,	/* it does, or may */
};

/*
 * Where does a chain of extension headers lead? Every fragment of a datagram
 * must get an answer with which the last one to arrive gets it right: they
 * agree on the fragment header's next header, and only the first one knows
 * more, if that is an extension again. So a doubt is CHAIN_MANAGED, and the
 * question comes up again when the kernel has joined the fragments.
 */
static enum chain chain_end(const struct kraw_config *config,
			    const struct sk_buff *skb, u8 nexthdr, u8 *end)
{
	struct frag_hdr buf;
	const struct frag_hdr *frag;
	__be16 frag_off;
	int off;

	*end = nexthdr;
	off = ipv6_skip_exthdr(skb, skb_transport_offset(skb), end, &frag_off);
	if (off < 0)
		return nexthdr == NEXTHDR_FRAGMENT ? CHAIN_MANAGED :
						     CHAIN_FOREIGN;
	if (*end == NEXTHDR_FRAGMENT) {	/* not the first one */
		frag = skb_header_pointer(skb, off, sizeof(buf), &buf);
		if (!frag || ipv6_ext_hdr(frag->nexthdr))
			return CHAIN_MANAGED;
		*end = frag->nexthdr;
	}
	return kraw_config_managed(config, *end, KRAW_IPV6) ? CHAIN_MANAGED :
							      CHAIN_FOREIGN;
}

/*
 * LOCAL_IN comes before the extension headers of IPv6 are processed. Those that
 * lead to a managed protocol are given to the kernel's handlers from here, in
 * their order, which also joins fragments; then the hook has what raw sockets
 * would get. An IPsec header is not walked: the kernel opens it and, in
 * transport mode, the packet comes to this hook again.
 */
static unsigned int kraw_input6(void *priv, struct sk_buff *skb,
				const struct nf_hook_state *state)
{
	const struct kraw_net *kn = priv;
	const struct kraw_config *config = rcu_dereference(kn->config);
	const struct kraw_proto *proto;
	u8 nexthdr, end;

	for (;;) {
		nexthdr = skb_network_header(skb)[IP6CB(skb)->nhoff];
		if (likely(!ipv6_ext_hdr(nexthdr)))
			break;
		if (chain_end(config, skb, nexthdr, &end) == CHAIN_FOREIGN)
			return NF_ACCEPT;
		if (nexthdr != NEXTHDR_FRAGMENT && nexthdr != NEXTHDR_DEST &&
		    nexthdr != NEXTHDR_ROUTING) {
			proto = kraw_config_managed(config, end, KRAW_IPV6);
			if (proto) {
				kraw_stats_inc(proto->stats, KRAW_IPV6,
					       KRAW_STATS_A_SEEN);
				kraw_stats_inc(proto->stats, KRAW_IPV6,
					       KRAW_STATS_A_PASSED);
				if (kraw_recording())
					passed_recorded(state->net, proto, skb);
			}
			return NF_ACCEPT;
		}
		if (kraw_deliver_exthdr(state->net, skb, nexthdr) != NF_ACCEPT)
			return NF_STOLEN;
	}
	proto = kraw_config_managed(config, nexthdr, KRAW_IPV6);
	if (likely(!proto))
		return NF_ACCEPT;
	return decide(proto, KRAW_IPV6, skb, state);
}

static const struct nf_hook_ops hooks[KRAW_FAMILIES] = {
	[KRAW_IPV4] = {
		.hook		= kraw_input4,
		.pf		= NFPROTO_IPV4,
		.hooknum	= NF_INET_LOCAL_IN,
		.priority	= NF_IP_PRI_LAST,
	},
	[KRAW_IPV6] = {
		.hook		= kraw_input6,
		.pf		= NFPROTO_IPV6,
		.hooknum	= NF_INET_LOCAL_IN,
		.priority	= NF_IP6_PRI_LAST,
	},
};

void kraw_input_init(struct kraw_net *kn)
{
	kraw_hooks_init(kn, &kn->input, hooks);
}
