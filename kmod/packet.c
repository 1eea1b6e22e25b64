// SPDX-License-Identifier: GPL-2.0
/* What rules can ask of a packet, read from it as far as any rule asks. */
#include "packet.h"

#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <net/dsfield.h>
#include <net/ip.h>
#include <net/ipv6.h>

static void read4(struct kraw_packet *packet, const struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);

	packet->src = &iph->saddr;
	packet->dst = &iph->daddr;
	packet->ttl = iph->ttl;
	packet->dscp = ipv4_get_dsfield(iph) >> 2;
}

static void read6(struct kraw_packet *packet, const struct sk_buff *skb)
{
	const struct ipv6hdr *hdr = ipv6_hdr(skb);

	packet->src = hdr->saddr.s6_addr32;
	packet->dst = hdr->daddr.s6_addr32;
	packet->ttl = hdr->hop_limit;
	packet->dscp = ipv6_get_dsfield(hdr) >> 2;
}

/* Whether the kernel has put the packet together from fragments. */
static bool joined(enum kraw_family family, const struct sk_buff *skb)
{
	return family == KRAW_IPV4 ? IPCB(skb)->frag_max_size :
				     IP6CB(skb)->frag_max_size;
}

/**
 * kraw_packet_read - read what the packet itself says
 * @packet:	result; what only one hook knows (devices, sender) is empty
 * @family:	the packet's
 * @skb:	data at the IP header, the transport header set
 * @fields:	bits KRAW_FIELD_*; others may be left out
 */
void kraw_packet_read(struct kraw_packet *packet, enum kraw_family family,
		      const struct sk_buff *skb, u16 fields)
{
	*packet = (struct kraw_packet) {
		.skb = skb, .family = family, .len = skb->len, .type = -1,
		.mark = skb->mark,
	};
	if (family == KRAW_IPV4)
		read4(packet, skb);
	else
		read6(packet, skb);
	if (fields & KRAW_FIELD_TYPE)
		kraw_packet_type(packet, skb_transport_offset(skb));
	if (fields & KRAW_FIELD_FRAGMENT && joined(family, skb))
		packet->is |= KRAW_FIELD_FRAGMENT;
}

/**
 * kraw_packet_type - read the first byte of the payload
 * @packet:	from kraw_packet_read()
 * @offset:	where the payload starts, from the packet's data
 */
void kraw_packet_type(struct kraw_packet *packet, int offset)
{
	const u8 *type;
	u8 buf;

	type = skb_header_pointer(packet->skb, offset, sizeof(buf), &buf);
	if (type)
		packet->type = *type;
}

/**
 * kraw_packet_devices - name the devices that a packet came in by
 * @packet:	from kraw_packet_read()
 * @net:	its namespace
 *
 * For a port of a VRF these are the VRF, which skb->dev is, and the port.
 * Context: RCU read side.
 */
void kraw_packet_devices(struct kraw_packet *packet, struct net *net)
{
	const struct sk_buff *skb = packet->skb;
	int sdif = packet->family == KRAW_IPV4 ? inet_sdif(skb) :
						 inet6_sdif(skb);
	const struct net_device *port;

	packet->dev[0] = skb->dev->name;
	if (!sdif)
		return;
	port = dev_get_by_index_rcu(net, sdif);
	if (port)
		packet->dev[1] = port->name;
}
