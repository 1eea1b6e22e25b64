// SPDX-License-Identifier: GPL-2.0
/*
 * A packet that is described: from netlink attributes to what the input hook
 * would get, and back to attributes.
 *
 * It is never received: no counter, tap or filter of the way in sees it. Only
 * the routing tables are asked, as they would be: whether it is for this host,
 * by which device it comes.
 */
#include "sample.h"

#include <linux/inetdevice.h>
#include <linux/netdevice.h>
#include <linux/netlink.h>
#include <linux/skbuff.h>
#include <net/dsfield.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/l3mdev.h>
#include <net/ndisc.h>
#include <net/route.h>
#include "deliver.h"
#include "match.h"
#include "proto.h"

const struct nla_policy kraw_sample_policy[KRAW_PACKET_A_MAX + 1] = {
	[KRAW_PACKET_A_PROTO]	 = { .type = NLA_U8 },
	[KRAW_PACKET_A_SRC]	 = { .type = NLA_BINARY,
				     .len = sizeof(struct in6_addr) },
	[KRAW_PACKET_A_DST]	 = { .type = NLA_BINARY,
				     .len = sizeof(struct in6_addr) },
	[KRAW_PACKET_A_DEV]	 = { .type = NLA_NUL_STRING,
				     .len = IFNAMSIZ - 1 },
	[KRAW_PACKET_A_LEN]	 = { .type = NLA_U32 },
	[KRAW_PACKET_A_TTL]	 = { .type = NLA_U8 },
	[KRAW_PACKET_A_DSCP]	 = NLA_POLICY_MAX(NLA_U8, KRAW_DSCP_MAX),
	[KRAW_PACKET_A_MARK]	 = { .type = NLA_U32 },
	[KRAW_PACKET_A_FRAGMENT] = { .type = NLA_FLAG },
	[KRAW_PACKET_A_PAYLOAD]	 = { .type = NLA_BINARY,
				     .len = KRAW_PAYLOAD_MAX },
};

static u32 header_len(const struct kraw_sample *sample)
{
	return sample->family == KRAW_IPV4 ? sizeof(struct iphdr) :
					     sizeof(struct ipv6hdr);
}

/* The length fields of both headers have 16 bits; IPv6 counts the payload. */
static u32 len_max(const struct kraw_sample *sample)
{
	return sample->family == KRAW_IPV4 ? U16_MAX :
					     U16_MAX + sizeof(struct ipv6hdr);
}

static int addresses_parse(struct kraw_sample *sample, struct nlattr **tb,
			   const struct nlattr *nest,
			   struct netlink_ext_ack *extack)
{
	const struct nlattr *src = tb[KRAW_PACKET_A_SRC];
	const struct nlattr *dst = tb[KRAW_PACKET_A_DST];

	if (!src || !dst) {
		NL_SET_ERR_MSG_ATTR(extack, nest,
				    "a packet needs a source and a destination address");
		return -EINVAL;
	}
	if (nla_len(src) != sizeof(struct in_addr) &&
	    nla_len(src) != sizeof(struct in6_addr)) {
		NL_SET_ERR_MSG_ATTR(extack, src, "an address has 4 or 16 bytes");
		return -EINVAL;
	}
	if (nla_len(dst) != nla_len(src)) {
		NL_SET_ERR_MSG_ATTR(extack, dst,
				    "source and destination are of different families");
		return -EINVAL;
	}
	sample->family = nla_len(src) == sizeof(struct in_addr) ? KRAW_IPV4 :
								  KRAW_IPV6;
	nla_memcpy(&sample->src, src, sizeof(sample->src));
	nla_memcpy(&sample->dst, dst, sizeof(sample->dst));
	return 0;
}

static int len_parse(struct kraw_sample *sample, struct nlattr **tb,
		     struct netlink_ext_ack *extack)
{
	const struct nlattr *payload = tb[KRAW_PACKET_A_PAYLOAD];
	const struct nlattr *len = tb[KRAW_PACKET_A_LEN];
	u32 least = header_len(sample) + (payload ? nla_len(payload) : 0);

	sample->len = len ? nla_get_u32(len) : least;
	if (sample->len < least) {
		NL_SET_ERR_MSG_ATTR(extack, len,
				    "the length is less than that of IP header and payload");
		return -EINVAL;
	}
	if (sample->len > len_max(sample)) {
		NL_SET_ERR_MSG_ATTR(extack, len,
				    "no packet is so long: IPv4 ends at 65535 bytes, IPv6 at 65575");
		return -EINVAL;
	}
	return 0;
}

static int parse(struct net *net, struct kraw_sample *sample,
		 struct nlattr **tb, const struct nlattr *nest,
		 struct netlink_ext_ack *extack)
{
	int err;

	memset(sample, 0, sizeof(*sample));
	if (!tb[KRAW_PACKET_A_PROTO]) {
		NL_SET_ERR_MSG_ATTR(extack, nest, "a packet needs a protocol");
		return -EINVAL;
	}
	sample->proto = nla_get_u8(tb[KRAW_PACKET_A_PROTO]);
	err = addresses_parse(sample, tb, nest, extack);
	if (err)
		return err;
	err = kraw_proto_check(sample->proto, BIT(sample->family),
			       tb[KRAW_PACKET_A_PROTO], extack);
	if (err)
		return err;
	sample->ttl = tb[KRAW_PACKET_A_TTL] ?
		      nla_get_u8(tb[KRAW_PACKET_A_TTL]) : 64;
	if (tb[KRAW_PACKET_A_DSCP])
		sample->dscp = nla_get_u8(tb[KRAW_PACKET_A_DSCP]);
	if (tb[KRAW_PACKET_A_MARK])
		sample->mark = nla_get_u32(tb[KRAW_PACKET_A_MARK]);
	sample->fragment = tb[KRAW_PACKET_A_FRAGMENT];
	if (tb[KRAW_PACKET_A_DEV]) {
		err = kraw_match_dev(net, sample->dev, tb[KRAW_PACKET_A_DEV],
				     extack);
		if (err)
			return err;
	}
	return len_parse(sample, tb, extack);
}

static void header4(struct sk_buff *skb, const struct kraw_sample *sample)
{
	struct iphdr *iph = ip_hdr(skb);

	iph->version = 4;
	iph->ihl = sizeof(*iph) / 4;
	iph->tos = sample->dscp << 2;
	iph->tot_len = htons(sample->len);
	iph->ttl = sample->ttl;
	iph->protocol = sample->proto;
	iph->saddr = sample->src.s6_addr32[0];
	iph->daddr = sample->dst.s6_addr32[0];
	ip_send_check(iph);
	skb->protocol = htons(ETH_P_IP);
}

static void header6(struct sk_buff *skb, const struct kraw_sample *sample)
{
	struct ipv6hdr *hdr = ipv6_hdr(skb);

	ip6_flow_hdr(hdr, sample->dscp << 2, 0);
	hdr->payload_len = htons(sample->len - sizeof(*hdr));
	hdr->nexthdr = sample->proto;
	hdr->hop_limit = sample->ttl;
	hdr->saddr = sample->src;
	hdr->daddr = sample->dst;
	skb->protocol = htons(ETH_P_IPV6);
}

/**
 * kraw_sample_build - make a packet of its description
 * @net:	namespace, to look its device up in
 * @sample:	result: what is described, with defaults; the device may be left
 *		to kraw_sample_arrive()
 * @nest:	KRAW_A_PACKET, already validated by kraw_sample_policy
 * @extack:	gets the reason of a refusal
 *
 * Returns the packet, linear, data at the IP header, the transport header set;
 * or an error pointer: -EINVAL, -ENODEV, -ENOMEM. May sleep.
 */
struct sk_buff *kraw_sample_build(struct net *net, struct kraw_sample *sample,
				  const struct nlattr *nest,
				  struct netlink_ext_ack *extack)
{
	struct nlattr *tb[KRAW_PACKET_A_MAX + 1];
	const struct nlattr *payload;
	struct sk_buff *skb;
	int err;

	err = nla_parse_nested(tb, KRAW_PACKET_A_MAX, nest, kraw_sample_policy,
			       extack);
	if (!err)
		err = parse(net, sample, tb, nest, extack);
	if (err)
		return ERR_PTR(err);
	skb = alloc_skb(sample->len, GFP_KERNEL | __GFP_NOWARN);
	if (!skb)
		return ERR_PTR(-ENOMEM);
	skb_put_zero(skb, sample->len);
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, header_len(sample));
	if (sample->family == KRAW_IPV4)
		header4(skb, sample);
	else
		header6(skb, sample);
	payload = tb[KRAW_PACKET_A_PAYLOAD];
	if (payload)
		nla_memcpy(skb_transport_header(skb), payload, nla_len(payload));
	skb->mark = sample->mark;
	return skb;
}

/* What to say of a packet that the kernel finds no route for. */
static int route_error(int err)
{
	return err == -ENOBUFS || err == -ENOMEM ? -ENOMEM : -EHOSTUNREACH;
}

/*
 * The device by which this host sends to the source, or NULL: it sends nothing
 * there; or an error pointer: without memory that is not to be known. @oif: by
 * this one, or in this VRF, only. Context: RCU.
 */
static struct net_device *device_to4(struct net *net,
				     const struct kraw_sample *sample,
				     u32 mark, int oif)
{
	struct flowi4 fl4 = {
		.daddr = sample->src.s6_addr32[0],
		.flowi4_mark = mark,
		.flowi4_oif = oif,
	};
	struct rtable *rt = ip_route_output_key(net, &fl4);
	struct net_device *dev;

	if (IS_ERR(rt))
		return route_error(PTR_ERR(rt)) == -ENOMEM ? ERR_PTR(-ENOMEM) :
							     NULL;
	dev = rt->dst.dev;
	ip_rt_put(rt);
	return dev;
}

static struct net_device *device_to6(struct net *net,
				     const struct kraw_sample *sample,
				     u32 mark, int oif)
{
	struct flowi6 fl6 = {
		.daddr = sample->src,
		.flowi6_mark = mark,
		.flowi6_oif = oif,
	};
	struct dst_entry *dst = ip6_route_output(net, NULL, &fl6);
	struct net_device *dev = dst->error ? NULL : dst->dev;

	dst_release(dst);
	return dev;
}

/* Neighbour discovery stays with the port of a VRF. */
static bool is_ndisc(const struct sk_buff *skb)
{
	const u8 *type = skb_transport_header(skb);

	return ipv6_hdr(skb)->nexthdr == IPPROTO_ICMPV6 &&
	       skb->len > skb_transport_offset(skb) &&
	       *type >= NDISC_ROUTER_SOLICITATION && *type <= NDISC_REDIRECT;
}

/* As the packet looks behind its device and, for a port, behind the VRF. */
static void device_set(struct sk_buff *skb, const struct kraw_sample *sample,
		       struct net_device *dev)
{
	struct net_device *vrf = NULL;

	memset(skb->cb, 0, sizeof(skb->cb));
	if (netif_is_l3_slave(dev))
		vrf = netdev_master_upper_dev_get_rcu(dev);
	else if (netif_is_l3_master(dev))
		vrf = dev;
	if (sample->family == KRAW_IPV4) {
		IPCB(skb)->iif = dev->ifindex;
		if (vrf)
			IPCB(skb)->flags |= IPSKB_L3SLAVE;
		if (sample->fragment)
			IPCB(skb)->frag_max_size = IPV4_MIN_MTU;
	} else {
		if (is_ndisc(skb))
			vrf = NULL;
		IP6CB(skb)->iif = dev->ifindex;
		IP6CB(skb)->nhoff = offsetof(struct ipv6hdr, nexthdr);
		if (vrf)
			IP6CB(skb)->flags |= IP6SKB_L3SLAVE;
		if (sample->fragment)
			IP6CB(skb)->frag_max_size = IPV6_MIN_MTU;
	}
	skb->dev = vrf ?: dev;
	skb->skb_iif = skb->dev->ifindex;
}

/* What is sent to lo keeps the route that it was sent by. */
static int route_loopback4(struct net *net, struct sk_buff *skb)
{
	struct flowi4 fl4 = {
		.daddr = ip_hdr(skb)->daddr,
		.saddr = ip_hdr(skb)->saddr,
		.flowi4_mark = skb->mark,
		.flowi4_flags = FLOWI_FLAG_ANYSRC,
	};
	struct rtable *rt = ip_route_output_key(net, &fl4);

	if (IS_ERR(rt))
		return route_error(PTR_ERR(rt));
	skb_dst_set(skb, &rt->dst);
	return rt->dst.dev == skb->dev ? 0 : -EHOSTUNREACH;
}

static int route4(struct net *net, struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);
	unsigned int flags;
	int err;

	if (skb->dev->flags & IFF_LOOPBACK)
		err = route_loopback4(net, skb);
	else
		err = ip_route_input_noref(skb, iph->daddr, iph->saddr, 0,
					   skb->dev);
	if (err)
		return route_error(err);
	flags = skb_rtable(skb)->rt_flags;
	if (flags & RTCF_BROADCAST)
		skb->pkt_type = PACKET_BROADCAST;
	else if (flags & RTCF_MULTICAST)
		skb->pkt_type = PACKET_MULTICAST;
	return flags & RTCF_LOCAL ? 0 : -EHOSTUNREACH;
}

/* What ip6_rcv_core() asks of addresses. */
static bool addresses_good6(const struct sk_buff *skb)
{
	const struct ipv6hdr *hdr = ipv6_hdr(skb);
	bool lo = skb->dev->flags & IFF_LOOPBACK;

	if (ipv6_addr_is_multicast(&hdr->saddr))
		return false;
	if (!lo && !netif_is_l3_master(skb->dev) &&
	    (ipv6_addr_loopback(&hdr->saddr) ||
	     ipv6_addr_loopback(&hdr->daddr)))
		return false;
	if (!ipv6_addr_is_multicast(&hdr->daddr))
		return true;
	return IPV6_ADDR_MC_SCOPE(&hdr->daddr) > 1 ||
	       (lo && IPV6_ADDR_MC_SCOPE(&hdr->daddr));
}

static int route6(struct net *net, struct sk_buff *skb, struct net_device *dev)
{
	const struct ipv6hdr *hdr = ipv6_hdr(skb);
	struct flowi6 fl6 = {
		.flowi6_iif = rt6_need_strict(&hdr->daddr) ? dev->ifindex :
							     skb->dev->ifindex,
		.daddr = hdr->daddr,
		.saddr = hdr->saddr,
		.flowlabel = ip6_flowinfo(hdr),
		.flowi6_mark = skb->mark,
		.flowi6_proto = hdr->nexthdr,
	};
	struct dst_entry *dst;

	if (!addresses_good6(skb))
		return -EHOSTUNREACH;
	dst = ip6_route_input_lookup(net, skb->dev, &fl6, skb,
				     RT6_LOOKUP_F_HAS_SADDR);
	skb_dst_set(skb, dst);
	if (dst->error)
		return route_error(dst->error);
	/* What this host sends to itself counts as come by the real device. */
	if (skb->dev->flags & IFF_LOOPBACK && ip6_dst_idev(dst))
		IP6CB(skb)->iif = ip6_dst_idev(dst)->dev->ifindex;
	if (ipv6_addr_is_multicast(&hdr->daddr)) {
		skb->pkt_type = PACKET_MULTICAST;
		return kraw_deliver_member6(dev, &hdr->daddr, &in6addr_any) ?
		       0 : -EHOSTUNREACH;
	}
	return container_of(dst, struct rt6_info, dst)->rt6i_flags &
	       (RTF_LOCAL | RTF_ANYCAST) ? 0 : -EHOSTUNREACH;
}

static bool to_group(enum kraw_family family, const struct sk_buff *skb)
{
	return family == KRAW_IPV4 ? ipv4_is_multicast(ip_hdr(skb)->daddr) :
	       ipv6_addr_is_multicast(&ipv6_hdr(skb)->daddr);
}

/**
 * kraw_sample_arrive - bring a described packet to the input hook
 * @net:	its namespace
 * @sample:	its description, with the device afterwards
 * @skb:	from kraw_sample_build(); may come here again
 * @extack:	gets the reason of a refusal
 *
 * Context: RCU read side, bottom halves off. Returns 0 with device and route set,
 * which are the caller's as long as that context lasts; or -ENODEV,
 * -EHOSTUNREACH, -ENOMEM.
 */
int kraw_sample_arrive(struct net *net, struct kraw_sample *sample,
		       struct sk_buff *skb, struct netlink_ext_ack *extack)
{
	struct net_device *dev;
	int err;

	if (sample->dev[0])
		dev = dev_get_by_name_rcu(net, sample->dev);
	else if (sample->family == KRAW_IPV4)
		dev = device_to4(net, sample, sample->mark, 0);
	else
		dev = device_to6(net, sample, sample->mark, 0);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	if (!dev) {
		NL_SET_ERR_MSG(extack,
			       "this host has no route to the source: say by which device the packet comes in");
		return -EHOSTUNREACH;
	}
	strscpy_pad(sample->dev, dev->name, IFNAMSIZ);
	skb_dst_drop(skb);
	skb->pkt_type = PACKET_HOST;
	device_set(skb, sample, dev);
	err = sample->family == KRAW_IPV4 ? route4(net, skb) :
					    route6(net, skb, dev);
	if (!err)
		return 0;
	skb_dst_drop(skb);
	if (err == -ENOMEM)
		return err;
	if (to_group(sample->family, skb))
		NL_SET_ERR_MSG(extack,
			       "such a packet comes to no socket and no handler: nobody here has joined its group on this device, or its addresses are refused");
	else
		NL_SET_ERR_MSG(extack,
			       "such a packet comes to no socket and no handler: coming in by this device it is not for this host, or its addresses are refused");
	return -EHOSTUNREACH;
}

/**
 * kraw_sample_route_back - whether this host has a route to a packet's source
 * @net:	its namespace
 * @sample:	its description
 * @skb:	the packet, arrived
 *
 * As the kernel looks for one before it sends an ICMP error. Context: as
 * kraw_sample_arrive().
 */
bool kraw_sample_route_back(struct net *net, const struct kraw_sample *sample,
			    const struct sk_buff *skb)
{
	int oif = l3mdev_master_ifindex_rcu(skb->dev);

	if (sample->family == KRAW_IPV4)
		return device_to4(net, sample, 0, oif);
	if (rt6_need_strict(&sample->src))
		oif = IP6CB(skb)->iif;
	return device_to6(net, sample, 0, oif);
}

/**
 * kraw_sample_fill - describe a packet in a message
 * @msg:	gets one KRAW_A_PACKET
 * @sample:	...
 *
 * Returns 0 or -EMSGSIZE; the caller cancels the message.
 */
int kraw_sample_fill(struct sk_buff *msg, const struct kraw_sample *sample)
{
	struct nlattr *nest = nla_nest_start(msg, KRAW_A_PACKET);
	int size = sample->family == KRAW_IPV4 ? sizeof(struct in_addr) :
						 sizeof(struct in6_addr);

	if (!nest || nla_put_u8(msg, KRAW_PACKET_A_PROTO, sample->proto) ||
	    nla_put(msg, KRAW_PACKET_A_SRC, size, &sample->src) ||
	    nla_put(msg, KRAW_PACKET_A_DST, size, &sample->dst) ||
	    nla_put_string(msg, KRAW_PACKET_A_DEV, sample->dev) ||
	    nla_put_u32(msg, KRAW_PACKET_A_LEN, sample->len) ||
	    nla_put_u8(msg, KRAW_PACKET_A_TTL, sample->ttl) ||
	    nla_put_u8(msg, KRAW_PACKET_A_DSCP, sample->dscp) ||
	    nla_put_u32(msg, KRAW_PACKET_A_MARK, sample->mark) ||
	    (sample->fragment && nla_put_flag(msg, KRAW_PACKET_A_FRAGMENT)))
		return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return 0;
}
