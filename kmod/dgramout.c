// SPDX-License-Identifier: GPL-2.0
/* What datagrams of both families have in common on their way out. */
#include "dgram.h"

#include <linux/err.h>
#include <linux/skbuff.h>
#include <linux/uio.h>
#include <net/dst.h>
#include <net/sock.h>
#include "compat.h"

/* Larger ones are not in one piece: that needs many pages side by side. */
#define LINEAR_MAX	(2 * PAGE_SIZE)

static int copy_in(struct sk_buff *skb, unsigned int offset, struct msghdr *msg,
		   size_t len)
{
	if (skb_is_nonlinear(skb))
		return skb_copy_datagram_from_iter(skb, offset, &msg->msg_iter,
						   len);
	return copy_from_iter_full(skb->data + offset, len, &msg->msg_iter) ?
	       0 : -EFAULT;
}

/**
 * kraw_dgram_build - make a packet of a datagram
 * @sk:		its socket, not locked; waits for room in its buffer
 * @msg:	what the program gave
 * @len:	bytes of it
 * @dst:	the route
 * @ip:		bytes of the IP header
 *
 * Returns it with room for the headers, of which none is written, or an ERR_PTR.
 */
struct sk_buff *kraw_dgram_build(struct sock *sk, struct msghdr *msg, size_t len,
				 const struct dst_entry *dst, unsigned int ip)
{
	unsigned int room = LL_RESERVED_SPACE(dst->dev) + dst->header_len;
	unsigned int headers = ip + kraw_dgram_header(sk);
	size_t linear = min_t(size_t, len, LINEAR_MAX);
	struct sk_buff *skb;
	int err;

	skb = sock_alloc_send_pskb(sk, room + headers + linear +
				   dst->trailer_len, len - linear,
				   msg->msg_flags & MSG_DONTWAIT, &err,
				   PAGE_ALLOC_COSTLY_ORDER);
	if (!skb)
		return ERR_PTR(err);
	skb_reserve(skb, room);
	skb_reset_network_header(skb);
	skb_put(skb, headers + linear);
	skb_set_transport_header(skb, ip);
	skb->data_len = len - linear;
	skb->len += skb->data_len;
	err = copy_in(skb, headers, msg, len);
	if (err) {
		kfree_skb(skb);
		return ERR_PTR(err);
	}
	return skb;
}

/**
 * kraw_dgram_write_header - write our header, without its checksum
 * @skb:	from kraw_dgram_build()
 * @source:	port of ours
 * @dest:	port of the other end
 */
void kraw_dgram_write_header(struct sk_buff *skb, __be16 source, __be16 dest)
{
	struct udphdr *hdr = udp_hdr(skb);

	hdr->source = source;
	hdr->dest = dest;
	hdr->len = htons(skb->len - skb_transport_offset(skb));
	hdr->check = 0;
}

/* The sum of all behind the IP header. */
__wsum kraw_dgram_sum(const struct sk_buff *skb)
{
	unsigned int offset = skb_transport_offset(skb);

	if (skb_is_nonlinear(skb))
		return skb_checksum(skb, offset, skb->len - offset, 0);
	return csum_partial(skb_transport_header(skb), skb->len - offset, 0);
}

/* What goes with a packet, besides its headers. */
void kraw_dgram_dress(const struct sock *sk, struct sk_buff *skb,
		      const struct sockcm_cookie *cookie)
{
	skb->priority = kraw_sockc_priority(cookie, sk);
	skb->mark = cookie->mark;
	kraw_skb_times(skb, sk, cookie);
}
