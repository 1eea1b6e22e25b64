/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The classifier: matches in, a read-only lookup structure out. It knows
 * packets, and neither sockets nor netlink.
 */
#ifndef _KRAW_CLASSIFIER_H
#define _KRAW_CLASSIFIER_H

#include <linux/if.h>
#include <linux/types.h>

struct bpf_prog;
struct sk_buff;

/* The fields that a match fixes. */
#define KRAW_FIELD_SRC	BIT(0)
#define KRAW_FIELD_DST	BIT(1)
#define KRAW_FIELD_DEV	BIT(2)
#define KRAW_FIELD_TTL	BIT(3)
#define KRAW_FIELD_LEN	BIT(4)
#define KRAW_FIELD_TYPE	BIT(5)
#define KRAW_FIELD_BPF	BIT(6)
#define KRAW_FIELD_DSCP	BIT(7)
#define KRAW_FIELD_MARK	BIT(8)
#define KRAW_FIELD_UID	BIT(9)
/* These have no value: the packet is such a one. */
#define KRAW_FIELD_FRAGMENT	BIT(10)
#define KRAW_FIELD_HDRINCL	BIT(11)
#define KRAW_FIELD_SPOOFED	BIT(12)
#define KRAW_FIELD_FLAGS	(KRAW_FIELD_FRAGMENT | KRAW_FIELD_HDRINCL | \
				 KRAW_FIELD_SPOOFED)

#define KRAW_CLASSIFIER_NONE	U32_MAX	/* no match */

/**
 * struct kraw_match - what a packet must be like; unused fields are zero
 * @fields:	bits KRAW_FIELD_*: only these count
 * @family:	the family of @src and @dst as an enum kraw_family; without them 0
 * @src_len:	prefix length in bits
 * @dst_len:	prefix length in bits
 * @ttl_min:	IPv4 TTL or IPv6 hop limit, both ends included
 * @ttl_max:	...
 * @type_min:	first byte of the payload, both ends included
 * @type_max:	...
 * @dscp:	DS field without the ECN bits, 0 to 63
 * @mark:	the packet's mark under @mark_mask, no bits outside of it
 * @mark_mask:	not 0 with KRAW_FIELD_MARK
 * @uid_min:	owner of the sending socket, both ends included
 * @uid_max:	...
 * @len_min:	bytes of the datagram with its IP header, both ends included
 * @len_max:	...
 * @src:	network byte order, no bits below the prefix; IPv4 in the first word
 * @dst:	...
 * @dev:	name of the input device, or of the VRF that it belongs to, or of
 *		the output device, padded with zeroes
 * @prog:	sees the packet from its IP header on, matches unless it returns 0;
 *		stays the last: what is before it can be compared as bytes
 */
struct kraw_match {
	u16 fields;
	u8 family;
	u8 src_len;
	u8 dst_len;
	u8 ttl_min;
	u8 ttl_max;
	u8 type_min;
	u8 type_max;
	u8 dscp;
	u32 mark;
	u32 mark_mask;
	u32 uid_min;
	u32 uid_max;
	u32 len_min;
	u32 len_max;
	__be32 src[4];
	__be32 dst[4];
	char dev[IFNAMSIZ];
	struct bpf_prog *prog;
};

/**
 * struct kraw_packet - what a match can ask of a packet, gathered once
 * @skb:	data at the IP header
 * @is:		bits of KRAW_FIELD_FLAGS
 * @family:	enum kraw_family
 * @ttl:	TTL or hop limit
 * @type:	first byte of the payload, -1 if there is none
 * @len:	bytes, with the IP header
 * @src:	as in the IP header
 * @dst:	...
 * @dscp:	DS field without the ECN bits
 * @mark:	...
 * @uid:	owner of the sending socket
 * @dev:	names of the input device and of its VRF, or of the output device;
 *		NULL: none
 */
struct kraw_packet {
	const struct sk_buff *skb;
	u16 is;
	u8 family;
	u8 ttl;
	u8 dscp;
	s16 type;
	u32 mark;
	u32 uid;
	u32 len;
	const __be32 *src;
	const __be32 *dst;
	const char *dev[2];
};

/**
 * struct kraw_classifier_shape - what matches of one shape have in common
 * @fields:	bits KRAW_FIELD_* that they are hashed by
 * @family:	of @src_len and @dst_len, an enum kraw_family
 * @src_len:	prefix length in bits
 * @dst_len:	prefix length in bits
 * @mark_mask:	...
 * @best:	index of the first of them
 * @count:	their number
 * @possible:	the packet is such a one that they can match
 * @found:	index of the one that matches, better than all before, or
 *		KRAW_CLASSIFIER_NONE
 */
struct kraw_classifier_shape {
	u16 fields;
	u8 family;
	u8 src_len;
	u8 dst_len;
	bool possible;
	u32 mark_mask;
	u32 best;
	u32 count;
	u32 found;
};

/* Who is shown the shapes that a search asks. */
struct kraw_classifier_seen {
	void (*shape)(void *data, const struct kraw_classifier_shape *shape);
	void *data;
};

struct kraw_classifier;

struct kraw_classifier *
kraw_classifier_build(const struct kraw_match *const *matches, u32 count);
void kraw_classifier_free(struct kraw_classifier *classifier);
u16 kraw_classifier_fields(const struct kraw_classifier *classifier);
bool kraw_classifier_fits(const struct kraw_match *match,
			  const struct kraw_packet *packet);
u32 kraw_classifier_lookup(const struct kraw_classifier *classifier,
			   const struct kraw_packet *packet, u32 from);
u32 kraw_classifier_walk(const struct kraw_classifier *classifier,
			 const struct kraw_packet *packet, u32 from,
			 const struct kraw_classifier_seen *seen);

#endif /* _KRAW_CLASSIFIER_H */
