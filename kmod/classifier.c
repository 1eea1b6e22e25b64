// SPDX-License-Identifier: GPL-2.0
/*
 * The classifier: a list, tried from its head. The interface is made for a
 * structure whose cost does not follow the number of rules.
 */
#include "classifier.h"

#include <linux/filter.h>
#include <linux/inetdevice.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <net/ipv6.h>
#include "net.h"

/**
 * struct kraw_classifier - read-only once it is built
 * @fields:	the fields that any of its matches asks for
 * @count:	number of matches
 * @matches:	in the order of their preference; owned by the rules
 */
struct kraw_classifier {
	u16 fields;
	u32 count;
	const struct kraw_match *matches[];
};

/**
 * kraw_classifier_build - build the structure for a list of matches
 * @matches:	first match wins; they must outlive the classifier
 * @count:	their number
 *
 * Returns the classifier, or NULL without memory. May sleep.
 */
struct kraw_classifier *
kraw_classifier_build(const struct kraw_match *const *matches, u32 count)
{
	struct kraw_classifier *classifier;
	u32 i;

	classifier = kvmalloc(struct_size(classifier, matches, count),
			      GFP_KERNEL_ACCOUNT);
	if (!classifier)
		return NULL;
	classifier->fields = 0;
	classifier->count = count;
	for (i = 0; i < count; i++) {
		classifier->matches[i] = matches[i];
		classifier->fields |= matches[i]->fields;
	}
	return classifier;
}

/* Only when no reader can hold it any more. */
void kraw_classifier_free(struct kraw_classifier *classifier)
{
	kvfree(classifier);
}

/* What struct kraw_packet has to offer to a lookup; the rest may be left out. */
u16 kraw_classifier_fields(const struct kraw_classifier *classifier)
{
	return classifier->fields;
}

static bool prefix_match(u8 family, const __be32 *prefix, u8 len,
			 const __be32 *addr)
{
	if (family == KRAW_IPV4)
		return !((prefix[0] ^ addr[0]) & inet_make_mask(len));
	return ipv6_prefix_equal((const struct in6_addr *)prefix,
				 (const struct in6_addr *)addr, len);
}

static bool dev_match(const char *name, const char *const dev[2])
{
	return (dev[0] && !strncmp(name, dev[0], IFNAMSIZ)) ||
	       (dev[1] && !strncmp(name, dev[1], IFNAMSIZ));
}

static bool match(const struct kraw_match *m, const struct kraw_packet *p)
{
	if (m->fields & (KRAW_FIELD_SRC | KRAW_FIELD_DST) &&
	    m->family != p->family)
		return false;
	if (m->fields & KRAW_FIELD_SRC &&
	    !prefix_match(m->family, m->src, m->src_len, p->src))
		return false;
	if (m->fields & KRAW_FIELD_DST &&
	    !prefix_match(m->family, m->dst, m->dst_len, p->dst))
		return false;
	if (m->fields & KRAW_FIELD_TTL &&
	    (p->ttl < m->ttl_min || p->ttl > m->ttl_max))
		return false;
	if (m->fields & KRAW_FIELD_LEN &&
	    (p->len < m->len_min || p->len > m->len_max))
		return false;
	if (m->fields & KRAW_FIELD_TYPE &&
	    (p->type < m->type_min || p->type > m->type_max))
		return false;
	if (m->fields & KRAW_FIELD_DEV && !dev_match(m->dev, p->dev))
		return false;
	/* The dearest last. */
	if (m->fields & KRAW_FIELD_BPF &&
	    !bpf_prog_run_save_cb(m->prog, (struct sk_buff *)p->skb))
		return false;
	return true;
}

/**
 * kraw_classifier_lookup - find the first match
 * @classifier:	held by RCU or by a reference
 * @packet:	with everything that kraw_classifier_fields() asks for
 *
 * Context: bottom halves off. Returns one of the matches the classifier was
 * built from, or NULL.
 */
const struct kraw_match *
kraw_classifier_lookup(const struct kraw_classifier *classifier,
		       const struct kraw_packet *packet)
{
	u32 i;

	for (i = 0; i < classifier->count; i++)
		if (match(classifier->matches[i], packet))
			return classifier->matches[i];
	return NULL;
}
