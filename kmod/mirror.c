// SPDX-License-Identifier: GPL-2.0
/*
 * Mirror: a copy of a packet, link-layer header and all, leaves by another
 * device, as net/sched/act_mirred.c ("mirred egress mirror") does it. The device
 * is looked up by name for each packet: no reference keeps it from going away.
 *
 * No loops. A copy may come back: over a veth pair whose ends are both here, a
 * bridge, the loopback device, another namespace that forwards it. It matches the
 * same rule and would be mirrored again, for ever. So:
 *
 * 1. Nothing is mirrored onto the device that it came in by, nor onto that one's
 *    VRF.
 * 2. Every copy carries a mark, and a packet with the mark is not mirrored. The
 *    mark is a value for skb->hash, chosen at random when the module is loaded,
 *    and the flags of a hash that software made from layer 4. These belong to the
 *    packet and not to its bytes: the kernel takes them along wherever the packet
 *    goes within this host. skb_scrub_packet() and __dev_forward_skb() (veth,
 *    macvlan, another namespace), eth_type_trans(), the bridge, forwarding,
 *    address translation, fragmentation (skb_copy_hash()) and reassembly leave
 *    them alone, and a hash with the layer 4 flag also survives tunnels
 *    (skb_clear_hash_if_not_l4()) and is not calculated anew for RPS or a queue.
 *    There is one mark for all namespaces: two of them that mirror to each other
 *    are a loop as well. It says nothing of the packet's content, on purpose: who
 *    forwards a copy may change that, who changes the hash means to. A copy of a
 *    copy is the price. A flow whose own hash is the mark, which is one in 2^32,
 *    is not mirrored; nobody can choose it, since the kernel's hash has a secret
 *    key, and a device's hash has other flags.
 * 3. Who is sending a copy makes no other meanwhile: a device that delivers what is
 *    sent to it at once cannot exhaust the stack, whatever it does to the mark.
 *
 * What reads a packet out of the kernel and writes it in again (a process at a tun
 * device, a wire from one port to another, XDP that redirects) makes another
 * packet of it, as it does for tc.
 */
#include "mirror.h"

#include <linux/if_arp.h>
#include <linux/netdevice.h>
#include <linux/percpu.h>
#include <linux/random.h>
#include <linux/skbuff.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include "scope.h"

static u32 mark __ro_after_init;
static DEFINE_PER_CPU(struct kraw_scope *, sending);

static bool is_copy(const struct sk_buff *skb)
{
	return skb->hash == mark && skb->sw_hash && skb->l4_hash;
}

/* The device that it came in by. For a port of a VRF skb->dev is the VRF. */
static const struct net_device *came_by(struct net *net,
					enum kraw_family family,
					const struct sk_buff *skb)
{
	int sdif = family == KRAW_IPV4 ? inet_sdif(skb) : inet6_sdif(skb);

	return sdif ? dev_get_by_index_rcu(net, sdif) : skb->dev;
}

/*
 * From the IP header to the link-layer header. They are not always neighbours:
 * IPsec's transport mode has taken a header out between them.
 */
static bool push_link_header(struct sk_buff *copy)
{
	u32 len = copy->mac_len;

	if (skb_mac_header(copy) + len != skb_network_header(copy)) {
		if (skb_cow_head(copy, 0))
			return false;
		skb_mac_header_rebuild(copy);
	}
	skb_push_rcsum(copy, len);
	return true;
}

/*
 * A checksum that is still to be computed must begin in what is there: a virtual
 * machine can hand in a packet in which it does not, and the kernel warns.
 */
static bool can_sum(const struct sk_buff *copy)
{
	int start = skb_checksum_start_offset(copy);

	return copy->ip_summed != CHECKSUM_PARTIAL ||
	       (start >= 0 && start < (int)skb_headlen(copy));
}

/* A copy that is ready to leave by @dev, or NULL. */
static struct sk_buff *copy_for(struct net_device *dev,
				const struct net_device *from,
				struct sk_buff *skb)
{
	struct sk_buff *copy;

	/* An Ethernet device would take the IP header for one of Ethernet. */
	if (dev_is_mac_header_xmit(dev) &&
	    (!dev_is_mac_header_xmit(from) || !skb_mac_header_was_set(skb) ||
	     !skb->mac_len))
		return NULL;
	copy = skb_clone(skb, GFP_ATOMIC);
	if (!copy)
		return NULL;
	if (dev_is_mac_header_xmit(dev) && !push_link_header(copy))
		goto err_free;
	/* What the kernel has joined may be longer than a driver can stand. */
	if (!is_skb_forwardable(dev, copy) || !can_sum(copy))
		goto err_free;
	/* What belongs to the packet's way in. */
	nf_reset_ct(copy);
	skb_ext_reset(copy);
	skb_dst_drop(copy);
	skb_clear_tstamp(copy);
	copy->skb_iif = skb->dev->ifindex;
	copy->dev = dev;
	__skb_set_sw_hash(copy, mark, true);
	return copy;

err_free:
	kfree_skb(copy);
	return NULL;
}

/**
 * kraw_mirror_send - send a copy of a packet by a device
 * @net:	namespace of both
 * @name:	the device's
 * @family:	the packet's
 * @skb:	data at the IP header; stays as it is
 *
 * Context: RCU read side, bottom halves off. Returns whether the device has it.
 */
bool kraw_mirror_send(struct net *net, const char *name,
		      enum kraw_family family, struct sk_buff *skb)
{
	const struct net_device *from = came_by(net, family, skb);
	struct kraw_scope scope;
	struct net_device *dev;
	struct sk_buff *copy;
	int err;

	if (is_copy(skb) || kraw_scope_find(&sending) || !from)
		return false;
	dev = dev_get_by_name_rcu(net, name);
	if (!dev || dev == from || dev == skb->dev || !netif_carrier_ok(dev))
		return false;
	copy = copy_for(dev, from, skb);
	if (!copy)
		return false;
	kraw_scope_enter(&sending, &scope);
	err = dev_queue_xmit(copy);
	kraw_scope_leave(&sending, &scope);
	return !net_xmit_eval(err);
}

void __init kraw_mirror_init(void)
{
	do {
		mark = get_random_u32();
	} while (!mark);
}
