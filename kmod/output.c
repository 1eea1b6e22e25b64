// SPDX-License-Identifier: GPL-2.0
/*
 * The output hook: LOCAL_OUT at the first priority, registered only while a
 * protocol of the family has rules for it. First, so that rules see what the
 * sender wrote and not what a firewall made of it, fragments and not what
 * connection tracking joins from them; and a denied packet leaves no trace in
 * conntrack. The one that drops it here lets the sender's call fail: EPERM.
 *
 * The hook runs in the sender's context, in an RCU read side and with bottom
 * halves on. What it reads, the configuration and all below it, is read-only
 * and freed after a grace period. What it writes are per-CPU counters that the
 * input hook writes as well, so it turns bottom halves off for that.
 */
#include "output.h"

#include <linux/bottom_half.h>
#include <linux/inetdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/rcupdate.h>
#include <net/addrconf.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/l3mdev.h>
#include <net/route.h>
#include <net/sock.h>
#include "classifier.h"
#include "classify.h"
#include "compat.h"
#include "config.h"
#include "hooks.h"
#include "packet.h"
#include "proto.h"
#include "record.h"
#include "rule.h"
#include "ruleset.h"
#include "stats.h"
#include "tracer.h"
#include "uapi/linux/kraw.h"

#define NO_PAYLOAD	-1	/* it begins in another fragment */

/*
 * What is sent.
 * @state:	of the hook; its socket is the sender
 * @skb:	data at the IP header; the transport header may not be set
 * @payload:	offset of the upper layer's first byte, or NO_PAYLOAD
 * @fragment:	a part of a datagram
 */
struct sent {
	const struct nf_hook_state *state;
	const struct sk_buff *skb;
	int payload;
	bool fragment;
};

/*
 * A raw socket that a process opened? The kernel has raw sockets of its own,
 * from which it sends ICMP, MLD, neighbour discovery and TCP resets.
 */
static bool is_raw(const struct sock *sk)
{
	return sk && sk_fullsock(sk) && sk->sk_type == SOCK_RAW &&
	       !sk->sk_kern_sock &&
	       (sk->sk_family == AF_INET || sk->sk_family == AF_INET6);
}

/*
 * Is this a packet as a raw socket of this namespace sent it? A tunnel's packet
 * around it has another sender or none; IPsec's has a mark. A packet in a VRF
 * comes here twice, with the VRF as its device and then with the real one; only
 * what happens the second time reaches the sender.
 */
static bool is_ours(enum kraw_family family, const struct sk_buff *skb,
		    const struct nf_hook_state *state)
{
	if (likely(!is_raw(state->sk)))
		return false;
	if (!net_eq(sock_net(state->sk), state->net))
		return false;
	if (family == KRAW_IPV4 ? IPCB(skb)->flags & IPSKB_XFRM_TRANSFORMED :
				  IP6CB(skb)->flags & IP6SKB_XFRM_TRANSFORMED)
		return false;
	return !netif_is_l3_master(state->out) ||
	       skb_dst(skb)->dev == state->out;
}

/* An address of any device here, or of a prefix with a local route. */
static bool is_local4(struct net *net, const struct net_device *out,
		      __be32 addr)
{
	return __ip_dev_find(net, addr, false) ||
	       inet_addr_type_dev_table(net, out, addr) == RTN_LOCAL;
}

/* The kernel keeps the addresses of a VRF apart: ask for those of @out's, too. */
static bool is_local6(struct net *net, const struct net_device *out,
		      const struct in6_addr *addr)
{
	struct flowi6 fl6 = { .daddr = *addr };
	struct dst_entry *dst;
	u32 flags;

	if (ipv6_chk_addr(net, addr, NULL, 0) ||
	    ipv6_chk_addr(net, addr, out, 0))
		return true;
	/* An anycast address, or of a prefix with a local route. */
	dst = ip6_route_lookup(net, &fl6, NULL, 0);
	flags = container_of(dst, struct rt6_info, dst)->rt6i_flags;
	dst_release(dst);
	return flags & (RTF_LOCAL | RTF_ANYCAST);
}

static bool is_spoofed(enum kraw_family family, const struct sent *sent)
{
	const struct net_device *out = sent->state->out;
	struct net *net = sent->state->net;

	if (family == KRAW_IPV4)
		return !is_local4(net, out, ip_hdr(sent->skb)->saddr);
	return !is_local6(net, out, &ipv6_hdr(sent->skb)->saddr);
}

/* The device that it leaves by and, if that is a port of a VRF, the VRF. */
static void read_devices(struct kraw_packet *packet,
			 const struct net_device *out)
{
	const struct net_device *vrf;

	packet->dev[0] = out->name;
	vrf = l3mdev_master_dev_rcu(out);
	if (vrf)
		packet->dev[1] = vrf->name;
}

/* What rules ask of a packet, as far as any does. */
static void read_sent(struct kraw_packet *packet, enum kraw_family family,
		      const struct sent *sent, u16 fields)
{
	const struct sock *sk = sent->state->sk;

	kraw_packet_read(packet, family, sent->skb,
			 fields & ~(KRAW_FIELD_TYPE | KRAW_FIELD_FRAGMENT));
	if (fields & KRAW_FIELD_TYPE && sent->payload != NO_PAYLOAD)
		kraw_packet_type(packet, sent->payload);
	if (sent->fragment)
		packet->is |= KRAW_FIELD_FRAGMENT;
	if (kraw_sk_hdrincl(sk))
		packet->is |= KRAW_FIELD_HDRINCL;
	if (fields & KRAW_FIELD_SPOOFED && is_spoofed(family, sent))
		packet->is |= KRAW_FIELD_SPOOFED;
	if (fields & KRAW_FIELD_UID)
		packet->uid = from_kuid_munged(sent->state->net->user_ns,
					       READ_ONCE(sk->sk_uid));
	if (fields & KRAW_FIELD_DEV)
		read_devices(packet, sent->state->out);
}

static const struct kraw_rule *lookup(const struct kraw_proto *proto,
				      const struct kraw_ruleset *rules,
				      enum kraw_family family,
				      const struct sent *sent)
{
	struct kraw_packet packet;
	bool limited;	/* what is not denied leaves, limit or not */

	read_sent(&packet, family, sent, kraw_ruleset_fields(rules));
	return kraw_classify(sent->state->net, proto, rules, &packet, &limited);
}

/* Tells of a packet about which is decided. */
static noinline void record(const struct kraw_proto *proto,
			    const struct kraw_rule *rule,
			    enum kraw_family family, const struct sent *sent)
{
	struct net *net = sent->state->net;
	const struct kraw_record_about about = {
		.net = net, .proto = proto, .rule = rule,
		.sender = sent->state->sk, .number = proto->number,
		.hook = KRAW_HOOK_OUTPUT,
		.verdict = rule ? rule->decision.verdict : KRAW_VERDICT_ALLOW,
	};
	struct kraw_record record;
	struct kraw_packet packet;

	read_sent(&packet, family, sent, kraw_tracer_fields(kraw_net(net)) |
					 KRAW_FIELD_DEV | KRAW_FIELD_UID);
	kraw_record_begin(&record, &about, &packet);
	kraw_record_end(&record);
}

/* Returns NF_ACCEPT or NF_DROP; what no rule is about may leave. */
static unsigned int decide(const struct kraw_config *config, u8 number,
			   enum kraw_family family, const struct sent *sent)
{
	const struct kraw_proto *proto = config->proto[number];
	const struct kraw_ruleset *rules;
	const struct kraw_rule *rule;
	bool deny;

	if (!proto || !(proto->families & BIT(family)))
		return NF_ACCEPT;
	rules = kraw_proto_rules(proto, KRAW_HOOK_OUTPUT);
	if (!rules)
		return NF_ACCEPT;
	local_bh_disable();
	rule = lookup(proto, rules, family, sent);
	deny = rule && rule->decision.verdict == KRAW_VERDICT_DENY;
	kraw_stats_inc(proto->stats, family, KRAW_STATS_A_OUTPUT);
	kraw_stats_inc(proto->stats, family,
		       deny ? KRAW_STATS_A_DENY : KRAW_STATS_A_ALLOW);
	if (kraw_recording())
		record(proto, rule, family, sent);
	local_bh_enable();
	return deny ? NF_DROP : NF_ACCEPT;
}

static unsigned int kraw_output4(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	const struct kraw_net *kn = priv;
	const struct iphdr *iph = ip_hdr(skb);
	struct sent sent = { .state = state, .skb = skb };

	if (likely(!is_ours(KRAW_IPV4, skb, state)))
		return NF_ACCEPT;
	sent.fragment = ip_is_fragment(iph);
	sent.payload = iph->frag_off & htons(IP_OFFSET) ? NO_PAYLOAD :
		       skb_network_offset(skb) + ip_hdrlen(skb);
	return decide(rcu_dereference(kn->config), iph->protocol, KRAW_IPV4,
		      &sent);
}

/*
 * A sender can write a chain of extension headers that breaks off, or a later
 * fragment that says nothing but that an extension header follows. No honest
 * one does; to a careless receiver the datagram may be of any protocol. So each
 * protocol with rules is asked, and all of them have to allow it.
 */
static unsigned int decide_unknown(const struct kraw_config *config,
				   const struct sent *sent)
{
	int i;

	for (i = 0; i < KRAW_PROTOCOLS; i++)
		if (decide(config, i, KRAW_IPV6, sent) == NF_DROP)
			return NF_DROP;
	return NF_ACCEPT;
}

static unsigned int kraw_output6(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	const struct kraw_net *kn = priv;
	const struct kraw_config *config;
	struct sent sent = { .state = state, .skb = skb };
	unsigned short frag_off = 0;
	unsigned int offset = 0;
	int end, flags = 0;

	if (likely(!is_ours(KRAW_IPV6, skb, state)))
		return NF_ACCEPT;
	config = rcu_dereference(kn->config);
	end = ipv6_find_hdr(skb, &offset, -1, &frag_off, &flags);
	/* without the latest stable releases it believes any header's length */
	if (end >= 0 && !frag_off && offset > skb->len)
		end = -EBADMSG;
	sent.fragment = flags & IP6_FH_F_FRAG;
	sent.payload = end < 0 || frag_off ? NO_PAYLOAD : offset;
	if (end < 0)
		return decide_unknown(config, &sent);
	return decide(config, end, KRAW_IPV6, &sent);
}

static const struct nf_hook_ops hooks[KRAW_FAMILIES] = {
	[KRAW_IPV4] = {
		.hook		= kraw_output4,
		.pf		= NFPROTO_IPV4,
		.hooknum	= NF_INET_LOCAL_OUT,
		.priority	= NF_IP_PRI_FIRST,
	},
	[KRAW_IPV6] = {
		.hook		= kraw_output6,
		.pf		= NFPROTO_IPV6,
		.hooknum	= NF_INET_LOCAL_OUT,
		.priority	= NF_IP6_PRI_FIRST,
	},
};

void kraw_output_init(struct kraw_net *kn)
{
	kraw_hooks_init(kn, &kn->output, hooks);
}
