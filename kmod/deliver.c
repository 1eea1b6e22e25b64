// SPDX-License-Identifier: GPL-2.0
/*
 * Carries an input verdict out.
 *
 * Verdict all lets the packet pass. The others end it in the hook, so what the
 * kernel would have done after the hook has to be done here, for the part that
 * the verdict leaves: ip_local_deliver_finish(), ip_protocol_deliver_rcu(),
 * ip6_input_finish() and ip6_protocol_deliver_rcu() are the models.
 *
 * Context of everything here: RCU read side, bottom halves off.
 */
#include "deliver.h"

#include <linux/netfilter.h>
#include <linux/skbuff.h>
#include <net/addrconf.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/protocol.h>
#include <net/xfrm.h>
#include "account.h"
#include "claim.h"
#include "decision.h"
#include "one.h"
#include "proto.h"
#include "rawsock.h"
#include "record.h"
#include "slot.h"
#include "stats.h"
#include "unreach.h"
#include "uapi/linux/kraw.h"

/*
 * Connection tracking confirms a connection in a hook of our own priority, and
 * who was registered last goes first. If that is us, confirm in its place.
 */
static unsigned int confirm(struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_NF_CONNTRACK)
	struct nf_conntrack *nfct = skb_nfct(skb);
	const struct nf_ct_hook *hook;

	if (!nfct || nf_ct_is_confirmed(container_of(nfct, struct nf_conn,
						     ct_general)))
		return NF_ACCEPT;
	hook = rcu_dereference(nf_ct_hook);
	if (hook && hook->confirm)
		return hook->confirm(skb);
#endif
	return NF_ACCEPT;
}

/* From the IP header to the transport header. */
static bool pull(enum kraw_family family, struct sk_buff *skb)
{
	skb_clear_delivery_time(skb);
	if (family == KRAW_IPV4) {
		__skb_pull(skb, skb_network_header_len(skb));
		return true;
	}
	return pskb_pull(skb, skb_transport_offset(skb));
}

/* Back to the IP header, as the hook got it. */
static void push(struct sk_buff *skb)
{
	skb_push(skb, skb->data - skb_network_header(skb));
}

static void count_delivered(struct net *net, enum kraw_family family,
			    struct sk_buff *skb)
{
	if (family == KRAW_IPV4)
		__IP_INC_STATS(net, IPSTATS_MIB_INDELIVERS);
	else
		__IP6_INC_STATS(net, ip6_dst_idev(skb_dst(skb)),
				IPSTATS_MIB_INDELIVERS);
}

/* As the kernel discards an IPv6 packet on its way up. */
static void discard6(struct net *net, struct sk_buff *skb,
		     enum skb_drop_reason reason)
{
	__IP6_INC_STATS(net, ip6_dst_idev(skb_dst(skb)), IPSTATS_MIB_INDISCARDS);
	kfree_skb_reason(skb, reason);
}

/* Whether the kernel has a handler for the protocol here. */
static bool handled(const struct kraw_proto *proto, enum kraw_family family)
{
	return kraw_slot_handled(proto->number, family,
				 kraw_proto_slots(proto) & BIT(family));
}

static void end(const struct kraw_proto *proto, enum kraw_family family,
		enum kraw_stats_attr where)
{
	kraw_stats_inc(proto->stats, family, where);
}

/* Nobody receives it: do what "unreach" says. Consumes the packet. */
void kraw_deliver_unwanted(const struct kraw_proto *proto,
			   enum kraw_family family, struct sk_buff *skb)
{
	bool allowed = kraw_unreach_drop(proto, family, skb,
					 kraw_unreach_wanted(proto->unreach,
							     false));

	end(proto, family, allowed ? KRAW_STATS_A_END_NOBODY :
				     KRAW_STATS_A_END_POLICY);
}

/* The kernel would not have it delivered, as an IPv6 packet. Consumes it. */
static void discard(struct net *net, const struct kraw_proto *proto,
		    struct sk_buff *skb, enum skb_drop_reason reason)
{
	discard6(net, skb, reason);
	end(proto, KRAW_IPV6, reason == SKB_DROP_REASON_XFRM_POLICY ?
			      KRAW_STATS_A_END_POLICY :
			      KRAW_STATS_A_END_DISCARD);
}

/* Raw sockets have it, no handler does: with "unreach always" that is told. */
static void answer_raw(const struct kraw_proto *proto, enum kraw_family family,
		       struct sk_buff *skb)
{
	if (kraw_unreach_wanted(proto->unreach, true) &&
	    kraw_unreach_policy(family, skb))
		kraw_unreach_answer(proto, family, skb);
}

static bool is_exact(const struct kraw_proto *proto)
{
	return proto->account == KRAW_ACCOUNT_EXACT;
}

/* Verdict raw: copies to raw sockets, and the end. Consumes the packet. */
static void raw(struct net *net, const struct kraw_proto *proto,
		enum kraw_family family, struct sk_buff *skb)
{
	struct kraw_rawsock_count count = { .exact = is_exact(proto) };

	kraw_rawsock_deliver(net, family, skb, proto->number, &count);
	kraw_account_raw(proto, family, &count);
	if (!kraw_rawsock_any(&count)) {
		kraw_deliver_unwanted(proto, family, skb);
		return;
	}
	end(proto, family, KRAW_STATS_A_END_RAW);
	count_delivered(net, family, skb);
	answer_raw(proto, family, skb);
	consume_skb(skb);
}

/*
 * Verdict one: the packet itself to one raw socket, and the end. Consumes the
 * packet, so what needs it comes before.
 */
static void one(struct net *net, const struct kraw_proto *proto,
		const struct kraw_decision *decision, enum kraw_family family,
		struct sk_buff *skb)
{
	u64 flow = kraw_one_flow(decision, family, skb, proto->number);
	struct kraw_rawsock_count count = { .exact = is_exact(proto) };
	struct sock *sk;

	sk = kraw_rawsock_choose(net, family, skb, proto->number, flow,
				 decision->one_reuseport, &count);
	if (!kraw_rawsock_any(&count)) {
		kraw_account_raw(proto, family, &count);
		if (!count.matched)
			kraw_stats_inc(proto->stats, family,
				       KRAW_STATS_A_ONE_NOBODY);
		kraw_deliver_unwanted(proto, family, skb);
		return;
	}
	if (count.next)
		kraw_stats_inc(proto->stats, family, KRAW_STATS_A_ONE_NEXT);
	count_delivered(net, family, skb);
	answer_raw(proto, family, skb);
	if (sk)
		kraw_rawsock_give(family, sk, skb, &count);
	else
		consume_skb(skb);
	kraw_account_raw(proto, family, &count);
	end(proto, family, KRAW_STATS_A_END_RAW);
}

/* A handler has returned. If it is that of a claim, it has asked the policy. */
static enum kraw_stats_attr handled_end(const struct kraw_proto *proto,
					enum kraw_family family,
					const struct kraw_claim_call *call)
{
	return call->refused && kraw_slot_held(proto->number, family) ?
	       KRAW_STATS_A_END_POLICY : KRAW_STATS_A_END_HANDLER;
}

static void kernel4(struct net *net, const struct kraw_proto *proto,
		    struct sk_buff *skb)
{
	const struct net_protocol *handler;
	int protocol = proto->number;
	struct kraw_claim_call call;
	bool first = true;

	for (;;) {
		handler = rcu_dereference(inet_protos[protocol]);
		if (!handler)
			break;
		if (!handler->no_policy) {
			if (!xfrm4_policy_check(NULL, XFRM_POLICY_IN, skb)) {
				kraw_record_handler(handler->handler,
						    KRAW_SOCKET_RESULT_POLICY);
				kfree_skb_reason(skb,
						 SKB_DROP_REASON_XFRM_POLICY);
				if (first)
					end(proto, KRAW_IPV4,
					    KRAW_STATS_A_END_POLICY);
				return;
			}
			nf_reset_ct(skb);
		}
		kraw_record_handler(handler->handler, KRAW_SOCKET_RESULT_COPY);
		if (first)
			kraw_stats_inc(proto->stats, KRAW_IPV4,
				       KRAW_STATS_A_KERNEL_HANDLED);
		/*
		 * Below zero: again, as another protocol (a tunnel was opened).
		 * The IP header still names the first one, so no raw socket
		 * would match the other, in the kernel neither.
		 */
		kraw_claim_call_begin(&call);
		protocol = -handler->handler(skb);
		kraw_claim_call_end(&call);
		if (first)
			end(proto, KRAW_IPV4,
			    handled_end(proto, KRAW_IPV4, &call));
		first = false;
		if (protocol <= 0) {
			__IP_INC_STATS(net, IPSTATS_MIB_INDELIVERS);
			return;
		}
		if (protocol >= KRAW_PROTOCOLS) {
			kfree_skb(skb);
			return;
		}
	}
	if (first)
		kraw_deliver_unwanted(proto, KRAW_IPV4, skb);
	else
		kraw_unreach_drop(proto, KRAW_IPV4, skb,
				  kraw_unreach_wanted(proto->unreach, false));
}

/**
 * kraw_deliver_member6 - whether an interface listens to a group
 * @dev:	not a VRF: its port
 * @group:	IPv6 multicast address
 * @source:	if it has source filters, to this source; any: to some source
 *
 * The kernel's ipv6_chk_mcast_addr() (net/ipv6/mcast.c) is not exported.
 */
bool kraw_deliver_member6(const struct net_device *dev,
			  const struct in6_addr *group,
			  const struct in6_addr *source)
{
	const struct inet6_dev *idev = __in6_dev_get(dev);
	const struct ip6_sf_list *listed;
	const struct ifmcaddr6 *mc;
	unsigned long excludes;

	if (!idev)
		return false;
	for (mc = rcu_dereference(idev->mc_list); mc;
	     mc = rcu_dereference(mc->next))
		if (ipv6_addr_equal(&mc->mca_addr, group))
			break;
	if (!mc || ipv6_addr_any(source))
		return mc;
	excludes = READ_ONCE(mc->mca_sfcount[MCAST_EXCLUDE]);
	for (listed = rcu_dereference(mc->mca_sources); listed;
	     listed = rcu_dereference(listed->sf_next))
		if (ipv6_addr_equal(&listed->sf_addr, source))
			break;
	if (!listed)
		return excludes;
	return READ_ONCE(listed->sf_count[MCAST_INCLUDE]) ||
	       READ_ONCE(listed->sf_count[MCAST_EXCLUDE]) != excludes;
}

/**
 * kraw_deliver_final6 - whether an upper-layer handler may have an IPv6 packet
 * @net:	its namespace
 * @skb:	data at the transport header
 * @nexthdr:	its protocol
 *
 * Returns 0, or why the kernel would discard it.
 */
enum skb_drop_reason kraw_deliver_final6(struct net *net, struct sk_buff *skb,
					 u8 nexthdr)
{
	const struct ipv6hdr *hdr = ipv6_hdr(skb);
	struct net_device *dev = skb->dev;
	int sdif = inet6_sdif(skb);

	if (sdif) {	/* skb->dev may be a VRF, membership is its port's */
		dev = dev_get_by_index_rcu(net, sdif);
		if (!dev)
			return SKB_DROP_REASON_NOT_SPECIFIED;
	}
	if (ipv6_addr_is_multicast(&hdr->daddr) &&
	    !kraw_deliver_member6(dev, &hdr->daddr, &hdr->saddr) &&
	    !ipv6_is_mld(skb, nexthdr, skb_network_header_len(skb)))
		return SKB_DROP_REASON_IP_INADDRERRORS;
	return 0;
}

static void kernel6(struct net *net, const struct kraw_proto *proto,
		    struct sk_buff *skb)
{
	struct inet6_dev *idev = ip6_dst_idev(skb_dst(skb));
	bool have_final = false, raw_matched = true, first = true;
	const struct inet6_protocol *handler;
	enum skb_drop_reason reason;
	struct kraw_claim_call call;
	u8 nexthdr = proto->number;
	int ret;

	for (;;) {
		if (!first) {
			struct kraw_rawsock_count count = {};

			kraw_rawsock_deliver(net, KRAW_IPV6, skb, nexthdr,
					     &count);
			raw_matched = kraw_rawsock_any(&count);
		}
		handler = rcu_dereference(inet6_protos[nexthdr]);
		if (!handler)
			break;
		reason = SKB_DROP_REASON_NOT_SPECIFIED;
		if (have_final) {
			/* Only encapsulation leads here: not to extensions. */
			if (!(handler->flags & INET6_PROTO_FINAL))
				goto discard;
		} else if (handler->flags & INET6_PROTO_FINAL) {
			have_final = true;
			/* What such a handler expects to have been done. */
			skb_postpull_rcsum(skb, skb_network_header(skb),
					   skb_network_header_len(skb));
			reason = kraw_deliver_final6(net, skb, nexthdr);
			if (reason) {
				kraw_record_handler(handler->handler,
						    KRAW_SOCKET_RESULT_MEMBER);
				goto discard;
			}
		}
		if (!(handler->flags & INET6_PROTO_NOPOLICY)) {
			if (!xfrm6_policy_check(NULL, XFRM_POLICY_IN, skb)) {
				kraw_record_handler(handler->handler,
						    KRAW_SOCKET_RESULT_POLICY);
				reason = SKB_DROP_REASON_XFRM_POLICY;
				goto discard;
			}
			nf_reset_ct(skb);
		}
		kraw_record_handler(handler->handler, KRAW_SOCKET_RESULT_COPY);
		if (first)
			kraw_stats_inc(proto->stats, KRAW_IPV6,
				       KRAW_STATS_A_KERNEL_HANDLED);
		kraw_claim_call_begin(&call);
		ret = handler->handler(skb);
		kraw_claim_call_end(&call);
		if (first)
			end(proto, KRAW_IPV6,
			    handled_end(proto, KRAW_IPV6, &call));
		first = false;
		if (!ret)
			__IP6_INC_STATS(net, idev, IPSTATS_MIB_INDELIVERS);
		if (ret <= 0)
			return;
		/* Again: behind the header that the handler took off. */
		idev = ip6_dst_idev(skb_dst(skb));
		if (handler->flags & INET6_PROTO_FINAL) {
			nexthdr = ret;
		} else {
			reason = SKB_DROP_REASON_NOT_SPECIFIED;
			if (!pskb_pull(skb, skb_transport_offset(skb)))
				goto discard;
			nexthdr = skb_network_header(skb)[IP6CB(skb)->nhoff];
		}
	}
	if (first) {
		kraw_deliver_unwanted(proto, KRAW_IPV6, skb);
	} else if (raw_matched) {
		__IP6_INC_STATS(net, idev, IPSTATS_MIB_INDELIVERS);
		consume_skb(skb);
	} else {
		kraw_unreach_drop(proto, KRAW_IPV6, skb, true);
	}
	return;

discard:
	if (first)
		discard(net, proto, skb, reason);
	else
		discard6(net, skb, reason);
}

static const u8 verdict_counter[KRAW_VERDICT_MAX + 1] = {
	[KRAW_VERDICT_ALL]	= KRAW_STATS_A_ALL,
	[KRAW_VERDICT_RAW]	= KRAW_STATS_A_RAW,
	[KRAW_VERDICT_KERNEL]	= KRAW_STATS_A_KERNEL,
	[KRAW_VERDICT_ONE]	= KRAW_STATS_A_ONE,
	[KRAW_VERDICT_NONE]	= KRAW_STATS_A_NONE,
	[KRAW_VERDICT_REJECT]	= KRAW_STATS_A_REJECT,
};

/* Any verdict but all. */
static noinline unsigned int carry_out(const struct kraw_proto *proto,
				       const struct kraw_decision *decision,
				       enum kraw_stats_attr dropped,
				       enum kraw_family family,
				       struct sk_buff *skb, struct net *net)
{
	switch (decision->verdict) {
	case KRAW_VERDICT_NONE:
		end(proto, family, dropped);
		return NF_DROP;
	case KRAW_VERDICT_REJECT:
		end(proto, family, dropped);
		kraw_unreach_drop(proto, family, skb, true);
		return NF_STOLEN;
	}
	if (confirm(skb) != NF_ACCEPT) {
		end(proto, family, KRAW_STATS_A_END_DISCARD);
		return NF_DROP;
	}
	if (!pull(family, skb))
		discard(net, proto, skb, SKB_DROP_REASON_NOT_SPECIFIED);
	else if (decision->verdict == KRAW_VERDICT_RAW)
		raw(net, proto, family, skb);
	else if (decision->verdict == KRAW_VERDICT_ONE)
		one(net, proto, decision, family, skb);
	else if (!handled(proto, family))
		kraw_deliver_unwanted(proto, family, skb);
	else if (family == KRAW_IPV4)
		kernel4(net, proto, skb);
	else
		kernel6(net, proto, skb);
	return NF_STOLEN;
}

/**
 * kraw_deliver - carry a verdict out
 * @proto:	the packet's protocol, managed
 * @decision:	its verdict is one for input
 * @dropped:	where the packet ends if nobody is to have it: KRAW_STATS_A_END_
 *		RULE, LIMIT or PROTO
 * @family:	the packet's
 * @skb:	data at the IP header, the transport header set
 * @state:	of the hook
 *
 * Returns a netfilter verdict: after NF_STOLEN the packet is consumed.
 */
unsigned int kraw_deliver(const struct kraw_proto *proto,
			  const struct kraw_decision *decision,
			  enum kraw_stats_attr dropped, enum kraw_family family,
			  struct sk_buff *skb, const struct nf_hook_state *state)
{
	u8 verdict = decision->verdict;

	kraw_stats_inc(proto->stats, family, verdict_counter[verdict]);
	if (verdict == KRAW_VERDICT_ALL)
		return kraw_account_all(proto, family, skb, state);
	return carry_out(proto, decision, dropped, family, skb, state->net);
}

/**
 * kraw_deliver_exthdr - let the kernel process one IPv6 extension header
 * @net:	the namespace
 * @skb:	data at the IPv6 header, the transport header at the extension
 * @nexthdr:	the extension's number
 *
 * One turn of ip6_protocol_deliver_rcu(): raw sockets of that number first, then
 * the kernel's handler, which moves the transport header and the next header's
 * offset behind it, joins fragments, or ends the packet. A packet that comes
 * back may still pass on: the kernel goes on where this left off.
 *
 * Returns NF_ACCEPT with the packet's data at the IPv6 header again, or
 * NF_STOLEN.
 */
int kraw_deliver_exthdr(struct net *net, struct sk_buff *skb, u8 nexthdr)
{
	struct kraw_rawsock_count count = {};
	const struct inet6_protocol *handler;
	struct inet6_dev *idev;
	int ret;

	idev = ip6_dst_idev(skb_dst(skb));
	if (!pull(KRAW_IPV6, skb)) {
		discard6(net, skb, SKB_DROP_REASON_NOT_SPECIFIED);
		return NF_STOLEN;
	}
	kraw_rawsock_deliver(net, KRAW_IPV6, skb, nexthdr, &count);
	handler = rcu_dereference(inet6_protos[nexthdr]);
	if (!handler) {	/* these are built in; without one, nobody's packet */
		discard6(net, skb, SKB_DROP_REASON_NOT_SPECIFIED);
		return NF_STOLEN;
	}
	ret = handler->handler(skb);
	if (!ret)
		__IP6_INC_STATS(net, idev, IPSTATS_MIB_INDELIVERS);
	if (ret <= 0)
		return NF_STOLEN;
	push(skb);
	return NF_ACCEPT;
}
