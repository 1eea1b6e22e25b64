// SPDX-License-Identifier: GPL-2.0
/*
 * Counting what becomes of packets.
 *
 * With every verdict but all kraw carries it out and knows. With verdict all the
 * kernel delivers, and there are two ways to know, see enum kraw_account:
 *
 * match: before the packet passes on, the raw sockets that match are counted, by
 * the walk that delivers with the other verdicts. What their filters and queues
 * say, and what IPsec policy says where there is any, is unknown.
 *
 * exact: the hook does not return the packet but calls what would be called
 * next, the hooks behind it and then the kernel's delivery; all that this task
 * does in between happens to this packet, and is watched (watch.c). Of ICMP errors
 * the kernel's own counters tell.
 *
 * Each packet is counted once by where it ended, in the function that has
 * counted it as seen, whatever changes meanwhile: so the sum is always right.
 */
#include "account.h"

#include <linux/minmax.h>
#include <linux/netfilter.h>
#include <linux/rcupdate.h>
#include <linux/skbuff.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/xfrm.h>
#include "claim.h"
#include "compat.h"
#include "deliver.h"
#include "expect.h"
#include "proto.h"
#include "rawsock.h"
#include "slot.h"
#include "stats.h"
#include "unreach.h"
#include "watch.h"
#include "uapi/linux/kraw.h"

/**
 * struct outlook - what can be told of a packet before the kernel delivers it
 * @raw:	the raw sockets that match
 * @handler:	bits KRAW_HANDLER_* of the kernel's handler, KRAW_SLOT_HANDLED
 * @policy:	IPsec policy may refuse it
 *
 * For each packet: small, and given by value, to be in registers.
 */
struct outlook {
	struct kraw_rawsock_found raw;
	u32 handler;
	bool policy;
};

static bool is_handled(struct outlook out)
{
	return out.handler & KRAW_SLOT_HANDLED;
}

/**
 * kraw_account_raw - count what became of a packet at raw sockets
 * @proto:	its protocol
 * @family:	its family
 * @count:	all of it
 */
void kraw_account_raw(const struct kraw_proto *proto, enum kraw_family family,
		      const struct kraw_rawsock_count *count)
{
	const struct kraw_stats *stats = proto->stats;
	u32 refused;
	int i;

	static_assert(KRAW_STATS_A_RAW_REFUSED_UNKNOWN -
		      KRAW_STATS_A_RAW_POLICY == KRAW_REFUSAL_UNKNOWN);
	if (!count->matched)
		return;
	kraw_stats_add(stats, family, KRAW_STATS_A_RAW_MATCHED, count->matched);
	if (count->copies)
		kraw_stats_add(stats, family, KRAW_STATS_A_RAW_COPIES,
			       count->copies);
	if (count->filtered)
		kraw_stats_add(stats, family, KRAW_STATS_A_RAW_FILTERED,
			       count->filtered);
	refused = count->matched - count->copies - count->filtered;
	if (!refused)
		return;
	kraw_stats_add(stats, family, KRAW_STATS_A_RAW_REFUSED, refused);
	for (i = 0; i < KRAW_REFUSALS; i++)
		if (count->refused[i])
			kraw_stats_add(stats, family, KRAW_STATS_A_RAW_POLICY + i,
				       count->refused[i]);
}

/* As the policy check begins: with nothing to ask it says yes. */
static bool policy_asked(struct net *net, enum kraw_family family,
			 struct sk_buff *skb)
{
	return !__xfrm_check_nopolicy(net, skb, XFRM_POLICY_IN) &&
	       !__xfrm_check_dev_nopolicy(skb, XFRM_POLICY_IN,
					  family == KRAW_IPV4 ? AF_INET :
								AF_INET6);
}

static struct outlook look(struct net *net, const struct kraw_proto *proto,
			   enum kraw_family family, struct sk_buff *skb)
{
	return (struct outlook) {
		.raw = kraw_rawsock_ask(net, family, skb, proto->number),
		.handler = kraw_slot_look(proto->number, family,
					  kraw_proto_slots(proto) & BIT(family)),
		.policy = policy_asked(net, family, skb),
	};
}

/* Before a handler of the upper layer the kernel asks for membership. */
static bool membership_asked(enum kraw_family family, const struct sk_buff *skb,
			     struct outlook out)
{
	return family == KRAW_IPV6 && out.handler & KRAW_HANDLER_FINAL &&
	       ipv6_addr_is_multicast(&ipv6_hdr(skb)->daddr);
}

static enum kraw_stats_attr forecast(struct net *net,
				     const struct kraw_proto *proto,
				     enum kraw_family family,
				     struct sk_buff *skb, struct outlook out)
{
	bool policy = out.policy;

	if (is_handled(out)) {
		/* A claim's handler asks for itself. */
		if (out.handler & KRAW_HANDLER_NO_POLICY &&
		    !(out.handler & KRAW_HANDLER_KRAW))
			policy = false;
		if (policy)
			return KRAW_STATS_A_END_UNKNOWN;
		if (membership_asked(family, skb, out) &&
		    kraw_deliver_final6(net, skb, proto->number))
			return KRAW_STATS_A_END_DISCARD;
		return KRAW_STATS_A_END_HANDLER;
	}
	if (kraw_rawsock_found_any(out.raw))
		return KRAW_STATS_A_END_RAW;
	return policy ? KRAW_STATS_A_END_UNKNOWN : KRAW_STATS_A_END_NOBODY;
}

/* What becomes of copies for raw sockets is unknown. */
static void count_found(const struct kraw_proto *proto, enum kraw_family family,
			struct kraw_rawsock_found raw)
{
	const struct kraw_stats *stats = proto->stats;

	if (!raw.matched)
		return;
	kraw_stats_add(stats, family, KRAW_STATS_A_RAW_MATCHED, raw.matched);
	if (raw.filtered)
		kraw_stats_add(stats, family, KRAW_STATS_A_RAW_FILTERED,
			       raw.filtered);
	if (raw.matched != raw.filtered)
		kraw_stats_add(stats, family, KRAW_STATS_A_RAW_UNKNOWN,
			       raw.matched - raw.filtered);
}

static inline unsigned int match(struct net *net,
				 const struct kraw_proto *proto,
				 enum kraw_family family, struct sk_buff *skb,
				 struct outlook out)
{
	enum kraw_stats_attr end = forecast(net, proto, family, skb, out);

	kraw_expect(proto, skb);
	count_found(proto, family, out.raw);
	if (end == KRAW_STATS_A_END_NOBODY) {
		kraw_stats_inc(proto->stats, family, KRAW_STATS_A_UNREACH);
		kraw_stats_inc(proto->stats, family,
			       KRAW_STATS_A_UNREACH_UNKNOWN);
	}
	kraw_stats_inc(proto->stats, family, end);
	return NF_ACCEPT;
}

/*
 * The hooks of LOCAL_IN, and which of them comes behind ours; if ours is not
 * there, because it is being unregistered, NULL.
 */
static const struct nf_hook_entries *hooks_behind(struct net *net,
						  enum kraw_family family,
						  unsigned int *next)
{
	const struct kraw_net *kn = kraw_net(net);
	const struct nf_hook_entries *hooks;
	unsigned int i;

	hooks = family == KRAW_IPV4 ?
		rcu_dereference(net->nf.hooks_ipv4[NF_INET_LOCAL_IN]) :
		rcu_dereference(net->nf.hooks_ipv6[NF_INET_LOCAL_IN]);
	if (!hooks)
		return NULL;
	for (i = hooks->num_hook_entries; i--;) {
		if (hooks->hooks[i].hook == kn->input.ops[family].hook) {
			*next = i + 1;
			return hooks;
		}
	}
	return NULL;
}

/*
 * What became of copies. Where the kernel passes over full sockets it says nothing
 * of that, and a queue that was full when it was asked may have room a moment
 * later, or the other way round: so there copies are those that were seen in
 * queues, and who has neither one nor refused one was passed over. Elsewhere who
 * has not refused one has it. A socket may have been opened since it was asked.
 */
static void count_copies(struct kraw_rawsock_count *raw,
			 const struct kraw_watch *watch)
{
	u32 refused = 0;
	int i;

	for (i = 0; i < KRAW_REFUSALS; i++) {
		raw->refused[i] = watch->refused[i];
		refused += watch->refused[i];
	}
	raw->matched = max(raw->matched,
			   raw->filtered + refused + watch->queued);
	raw->copies = raw->matched - raw->filtered - refused;
	if (KRAW_ROOM_FIRST) {
		raw->passed = raw->copies - watch->queued;
		raw->copies = watch->queued;
		raw->refused[KRAW_REFUSAL_FULL] += raw->passed;
	}
}

static u64 unknown_protos(struct net *net, enum kraw_family family)
{
	return family == KRAW_IPV4 ?
	       this_cpu_read(net->mib.ip_statistics->mibs[IPSTATS_MIB_INUNKNOWNPROTOS]) :
	       this_cpu_read(net->mib.ipv6_statistics->mibs[IPSTATS_MIB_INUNKNOWNPROTOS]);
}

/* Lets the kernel deliver, and counts what it did. Consumes the packet. */
static enum kraw_stats_attr deliver(const struct kraw_proto *proto,
				    enum kraw_family family,
				    struct sk_buff *skb,
				    const struct nf_hook_state *state,
				    struct outlook out)
{
	struct kraw_rawsock_count raw = {
		.matched = out.raw.matched, .filtered = out.raw.filtered,
	};
	struct net *net = state->net;
	struct kraw_claim_call call;
	struct kraw_icmp_seen icmp;
	struct kraw_watch watch;
	u64 unknown;

	unknown = unknown_protos(net, family);
	kraw_unreach_look(net, family, &icmp);
	if (kraw_recording())
		kraw_expect_watch(proto, skb);
	kraw_claim_call_begin(&call);
	kraw_watch_begin(&watch, family, proto->number, skb);
	state->okfn(net, state->sk, skb);
	kraw_watch_end(&watch);
	kraw_claim_call_end(&call);

	count_copies(&raw, &watch);
	kraw_account_raw(proto, family, &raw);

	if (is_handled(out)) {
		if (watch.policy)
			return KRAW_STATS_A_END_POLICY;
		if (watch.discarded)
			return KRAW_STATS_A_END_DISCARD;
		/* A claim's handler asks the policy by itself. */
		return call.refused && out.handler & KRAW_HANDLER_KRAW ?
		       KRAW_STATS_A_END_POLICY : KRAW_STATS_A_END_HANDLER;
	}
	if (!watch.nobody && !call.nobody)
		return kraw_rawsock_any(&raw) ? KRAW_STATS_A_END_RAW :
						KRAW_STATS_A_END_POLICY;
	/* IPv4 has the same reason for both. */
	if (out.policy && unknown == unknown_protos(net, family))
		return KRAW_STATS_A_END_POLICY;
	kraw_unreach_count(net, proto, family, &icmp);
	return KRAW_STATS_A_END_NOBODY;
}

static noinline unsigned int exact(const struct kraw_proto *proto,
				   enum kraw_family family, struct sk_buff *skb,
				   const struct nf_hook_state *state,
				   struct outlook out)
{
	const struct nf_hook_entries *hooks;
	enum kraw_stats_attr end;
	unsigned int next;
	int ret = 1;

	hooks = hooks_behind(state->net, family, &next);
	/* Headers that the kernel would have to move first: copies would be. */
	if (!hooks || !pskb_may_pull(skb, skb_transport_offset(skb)))
		return match(state->net, proto, family, skb, out);
	/* A handler and nothing to stop the packet: it can as well pass on. */
	if (!kraw_recording() &&
	    next == hooks->num_hook_entries && is_handled(out) && !out.policy &&
	    out.raw.matched == out.raw.filtered &&
	    !membership_asked(family, skb, out)) {
		struct kraw_rawsock_count raw = {
			.matched = out.raw.matched,
			.filtered = out.raw.filtered,
		};

		kraw_account_raw(proto, family, &raw);
		kraw_stats_inc(proto->stats, family, KRAW_STATS_A_END_HANDLER);
		return NF_ACCEPT;
	}
	if (next < hooks->num_hook_entries) {
		struct nf_hook_state behind = *state;

		ret = nf_hook_slow(skb, &behind, hooks, next);
	}
	if (ret == 1)
		end = deliver(proto, family, skb, state, out);
	else if (ret)
		end = KRAW_STATS_A_END_DISCARD;
	else
		end = KRAW_STATS_A_END_UNKNOWN;	/* queued, or stolen */
	if (kraw_recording())
		kraw_expect_settle(proto, end);
	kraw_stats_inc(proto->stats, family, end);
	return NF_STOLEN;
}

/* The kernel would pass over all raw sockets there are: so they learn of it. */
static void pass_over(struct net *net, const struct kraw_proto *proto,
		      enum kraw_family family, struct sk_buff *skb)
{
	struct kraw_rawsock_count count = {
		.exact = proto->account == KRAW_ACCOUNT_EXACT,
	};

	kraw_rawsock_deliver(net, family, skb, proto->number, &count);
	kraw_account_raw(proto, family, &count);
}

/**
 * kraw_account_all - verdict all: let the kernel deliver, and count it
 * @proto:	the packet's protocol, managed
 * @family:	the packet's
 * @skb:	data at the IP header, the transport header set
 * @state:	of the input hook
 *
 * Only "unreach" may have a word in it. Context: RCU read side, bottom halves
 * off. Returns a netfilter verdict: after NF_STOLEN the packet is consumed.
 */
unsigned int kraw_account_all(const struct kraw_proto *proto,
			      enum kraw_family family, struct sk_buff *skb,
			      const struct nf_hook_state *state)
{
	struct net *net = state->net;
	struct outlook out = look(net, proto, family, skb);

	/* A claim's handler answers for itself. */
	if (!is_handled(out) && kraw_rawsock_found_any(out.raw) &&
	    kraw_unreach_wanted(proto->unreach, true) &&
	    kraw_unreach_policy(family, skb))
		kraw_unreach_answer(proto, family, skb);
	if (!is_handled(out) && !kraw_rawsock_found_any(out.raw) &&
	    !kraw_unreach_wanted(proto->unreach, false)) {
		if (out.raw.matched)
			pass_over(net, proto, family, skb);
		kraw_deliver_unwanted(proto, family, skb);
		return NF_STOLEN;
	}
	/* If none matched, the kernel answers. */
	if (proto->account == KRAW_ACCOUNT_EXACT)
		return exact(proto, family, skb, state, out);
	return match(net, proto, family, skb, out);
}
