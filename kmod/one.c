// SPDX-License-Identifier: GPL-2.0
/* Verdict one: what a flow is. */
#include "one.h"

#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/random.h>
#include <linux/siphash.h>
#include <linux/skbuff.h>
#include <linux/smp.h>
#include "decision.h"
#include "uapi/linux/kraw.h"

/* Nobody outside can tell which flows share a reader. Set before any packet. */
static siphash_key_t key __ro_after_init;

void __init kraw_one_init(void)
{
	get_random_bytes(&key, sizeof(key));
}

/* Ports or SPI, 0 without any, or where the packet is too short for them. */
static u32 ports(const struct sk_buff *skb, u8 protocol)
{
	int offset = proto_ports_offset(protocol);
	const u32 *found;
	u32 buf;

	if (offset < 0)
		return 0;
	found = skb_header_pointer(skb, skb_transport_offset(skb) + offset,
				   sizeof(buf), &buf);
	return found ? *found : 0;
}

static u64 flow4(const struct sk_buff *skb, u8 protocol)
{
	const struct iphdr *iph = ip_hdr(skb);

	return siphash_3u32((__force u32)iph->saddr, (__force u32)iph->daddr,
			    ports(skb, protocol), &key);
}

static u64 flow6(const struct sk_buff *skb, u8 protocol)
{
	struct {
		struct in6_addr saddr;
		struct in6_addr daddr;
		u64 ports;
	} __aligned(8) flow = {
		.saddr = ipv6_hdr(skb)->saddr,
		.daddr = ipv6_hdr(skb)->daddr,
		.ports = ports(skb, protocol),
	};

	return siphash(&flow, sizeof(flow), &key);
}

/**
 * kraw_one_flow - what a packet has in common with those for the same socket
 * @decision:	verdict one
 * @family:	the packet's
 * @skb:	its network and transport headers set
 * @protocol:	its protocol
 *
 * Context: no preemption. Returns a hash, all bits of which are random.
 */
u64 kraw_one_flow(const struct kraw_decision *decision, enum kraw_family family,
		  const struct sk_buff *skb, u8 protocol)
{
	switch (decision->one_by) {
	case KRAW_ONE_BY_RANDOM:
		return get_random_u64();
	case KRAW_ONE_BY_CPU:
		return siphash_1u32(smp_processor_id(), &key);
	}
	return family == KRAW_IPV4 ? flow4(skb, protocol) :
				     flow6(skb, protocol);
}
