// SPDX-License-Identifier: GPL-2.0
/*
 * The classifier: tuple space search.
 *
 * Matches that fix the same fields in the same way (source and destination of
 * one prefix length each, a device, one value of the payload's first byte or of
 * the TTL) have one *shape* and share one hash table, whose key is those
 * fields. A packet is looked up once in each table: its fields are cut down to
 * the shape, hashed, and the bucket's matches compared. What cannot be hashed,
 * ranges and BPF programs, is checked on these candidates.
 *
 * Every match has a rank, its place in the list. A bucket is sorted by rank, so
 * its first fit is its best; tables are visited in the order of the best rank
 * in them, and the search stops at the first table that cannot do better than
 * what was found. So the cost follows the number of shapes, not of matches.
 *
 * Tables, buckets and entries are laid out in three arrays that are filled once
 * and then only read.
 */
#include "classifier.h"

#include <linux/filter.h>
#include <linux/inetdevice.h>
#include <linux/jhash.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>
#include <net/ipv6.h>
#include "net.h"

#define NO_ENTRY	U32_MAX
#define NO_RANK	U32_MAX

/* The fields that are part of a key. */
#define HASHED	(KRAW_FIELD_SRC | KRAW_FIELD_DST | KRAW_FIELD_DEV | \
		 KRAW_FIELD_TTL | KRAW_FIELD_TYPE)

/*
 * What a match fixes, exactly. Keys of one shape have the same unused bytes, all
 * zero, so shapes and keys can be compared and hashed as bytes.
 */
struct shape {
	u8 fields;	/* bits KRAW_FIELD_*, all of HASHED */
	u8 family;	/* of src and dst */
	u8 src_len;
	u8 dst_len;
};

struct tuple {
	__be32 src[4];
	__be32 dst[4];
	char dev[IFNAMSIZ];
	u8 ttl;
	u8 type;
	u8 zero[2];
};

/* A match in its bucket. */
struct entry {
	const struct kraw_match *match;
	u32 rank;
	u32 hash;	/* of its key */
	u32 next;	/* the next one by rank in this bucket, or NO_ENTRY */
};

/**
 * struct table - all matches of one shape
 * @shape:	theirs
 * @best:	their best rank
 * @count:	their number
 * @bucket:	index of the first bucket
 * @mask:	number of buckets less one
 */
struct table {
	struct shape shape;
	u32 best;
	u32 count;
	u32 bucket;
	u32 mask;
};

/**
 * struct kraw_classifier - read-only once it is built
 * @fields:	the fields that any of its matches asks for
 * @tables_count: number of tables
 * @count:	number of matches
 * @tables:	by their best rank
 * @buckets:	of all tables: an entry each, or NO_ENTRY
 * @entries:	of all tables
 */
struct kraw_classifier {
	u16 fields;
	u32 tables_count;
	u32 count;
	struct table *tables;
	u32 *buckets;
	struct entry *entries;
};

static bool one_value(u8 min, u8 max)
{
	return min == max;
}

static struct shape shape_of(const struct kraw_match *m)
{
	struct shape shape = {};

	shape.fields = m->fields & HASHED;
	/* A range has no key: it is checked on the candidates. */
	if (!one_value(m->ttl_min, m->ttl_max))
		shape.fields &= ~KRAW_FIELD_TTL;
	if (!one_value(m->type_min, m->type_max))
		shape.fields &= ~KRAW_FIELD_TYPE;
	if (m->fields & (KRAW_FIELD_SRC | KRAW_FIELD_DST))
		shape.family = m->family;
	if (m->fields & KRAW_FIELD_SRC)
		shape.src_len = m->src_len;
	if (m->fields & KRAW_FIELD_DST)
		shape.dst_len = m->dst_len;
	return shape;
}

static void cut(__be32 *to, const __be32 *addr, u8 family, u8 len)
{
	if (family == KRAW_IPV4)
		to[0] = addr[0] & inet_make_mask(len);
	else
		ipv6_addr_prefix((struct in6_addr *)to,
				 (const struct in6_addr *)addr, len);
}

static u32 key_hash(const struct tuple *key)
{
	return jhash2((const u32 *)key, sizeof(*key) / sizeof(u32), 0);
}

static u32 match_hash(const struct kraw_match *m, const struct shape *shape)
{
	struct tuple key = {};

	BUILD_BUG_ON(sizeof(key) % sizeof(u32));
	if (shape->fields & KRAW_FIELD_SRC)
		memcpy(key.src, m->src, sizeof(key.src));
	if (shape->fields & KRAW_FIELD_DST)
		memcpy(key.dst, m->dst, sizeof(key.dst));
	if (shape->fields & KRAW_FIELD_DEV)
		memcpy(key.dev, m->dev, sizeof(key.dev));
	if (shape->fields & KRAW_FIELD_TTL)
		key.ttl = m->ttl_min;
	if (shape->fields & KRAW_FIELD_TYPE)
		key.type = m->type_min;
	return key_hash(&key);
}

/* The key of a packet in a table, but for the device's name. */
static bool packet_key(struct tuple *key, const struct shape *shape,
		       const struct kraw_packet *p)
{
	if (shape->fields & (KRAW_FIELD_SRC | KRAW_FIELD_DST) &&
	    shape->family != p->family)
		return false;
	memset(key, 0, sizeof(*key));
	if (shape->fields & KRAW_FIELD_SRC)
		cut(key->src, p->src, p->family, shape->src_len);
	if (shape->fields & KRAW_FIELD_DST)
		cut(key->dst, p->dst, p->family, shape->dst_len);
	if (shape->fields & KRAW_FIELD_TTL)
		key->ttl = p->ttl;
	if (shape->fields & KRAW_FIELD_TYPE) {
		if (p->type < 0)
			return false;
		key->type = p->type;
	}
	return true;
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

/* All of a match, the dearest last. Equal hashes promise nothing yet. */
static bool fits(const struct kraw_match *m, const struct kraw_packet *p)
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
	return !(m->fields & KRAW_FIELD_BPF) ||
	       bpf_prog_run_save_cb(m->prog, (struct sk_buff *)p->skb);
}

/* The best entry of a bucket that fits and is better than rank @best. */
static const struct entry *search(const struct kraw_classifier *classifier,
				  const struct table *table, u32 hash, u32 best,
				  const struct kraw_packet *p)
{
	u32 i = classifier->buckets[table->bucket + (hash & table->mask)];

	for (; i != NO_ENTRY; i = classifier->entries[i].next) {
		const struct entry *entry = &classifier->entries[i];

		if (entry->rank >= best)
			return NULL;
		if (entry->hash == hash && fits(entry->match, p))
			return entry;
	}
	return NULL;
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
	const struct entry *entry, *found = NULL;
	u32 best = NO_RANK, t;
	struct tuple key;
	int dev;

	for (t = 0; t < classifier->tables_count; t++) {
		const struct table *table = &classifier->tables[t];

		if (table->best >= best)
			break;
		if (!packet_key(&key, &table->shape, packet))
			continue;
		/* A port of a VRF is known by two names. */
		for (dev = 0; dev < 2; dev++) {
			if (table->shape.fields & KRAW_FIELD_DEV) {
				if (!packet->dev[dev])
					continue;
				strscpy_pad(key.dev, packet->dev[dev],
					    sizeof(key.dev));
			} else if (dev) {
				break;
			}
			entry = search(classifier, table, key_hash(&key), best,
				       packet);
			if (entry) {
				found = entry;
				best = entry->rank;
			}
		}
	}
	return found ? found->match : NULL;
}

/* Only when no reader can hold it any more. */
void kraw_classifier_free(struct kraw_classifier *classifier)
{
	if (!classifier)
		return;
	kvfree(classifier->tables);
	kvfree(classifier->buckets);
	kvfree(classifier->entries);
	kfree(classifier);
}

/* What struct kraw_packet has to offer to a lookup; the rest may be left out. */
u16 kraw_classifier_fields(const struct kraw_classifier *classifier)
{
	return classifier->fields;
}

/* By shape, then by rank: so a shape's entries are neighbours. */
static int entry_cmp(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;
	struct shape shape_a = shape_of(a->match);
	struct shape shape_b = shape_of(b->match);
	int cmp = memcmp(&shape_a, &shape_b, sizeof(shape_a));

	if (cmp)
		return cmp;
	return a->rank < b->rank ? -1 : 1;
}

static int table_cmp(const void *left, const void *right)
{
	const struct table *a = left, *b = right;

	return a->best < b->best ? -1 : 1;
}

static bool same_shape(const struct kraw_match *a, const struct kraw_match *b)
{
	struct shape shape_a = shape_of(a);
	struct shape shape_b = shape_of(b);

	return !memcmp(&shape_a, &shape_b, sizeof(shape_a));
}

/* Splits the sorted entries into tables. Returns the number of buckets needed. */
static u32 tables_fill(struct kraw_classifier *classifier)
{
	struct table *table = NULL;
	u32 i, buckets = 0;

	for (i = 0; i < classifier->count; i++) {
		const struct entry *entry = &classifier->entries[i];

		if (!table || !same_shape(entry[-1].match, entry->match)) {
			if (table)
				buckets += roundup_pow_of_two(table->count);
			table = &classifier->tables[classifier->tables_count++];
			table->shape = shape_of(entry->match);
			table->best = entry->rank;
			table->count = 0;
			table->bucket = buckets;
		}
		table->count++;
		table->mask = roundup_pow_of_two(table->count) - 1;
	}
	return table ? buckets + table->mask + 1 : 0;
}

/* Puts the entries into their buckets: from the back, so the best come first. */
static void buckets_fill(struct kraw_classifier *classifier)
{
	u32 t, i = classifier->count;

	for (t = classifier->tables_count; t--; ) {
		const struct table *table = &classifier->tables[t];
		u32 left;

		for (left = table->count; left--; ) {
			struct entry *entry = &classifier->entries[--i];
			u32 *bucket;

			entry->hash = match_hash(entry->match, &table->shape);
			bucket = &classifier->buckets[table->bucket +
						      (entry->hash & table->mask)];
			entry->next = *bucket;
			*bucket = i;
		}
	}
}

static u32 shapes_count(const struct kraw_classifier *classifier)
{
	u32 i, shapes = 0;

	for (i = 0; i < classifier->count; i++)
		shapes += !i || !same_shape(classifier->entries[i - 1].match,
					    classifier->entries[i].match);
	return shapes;
}

static int fill(struct kraw_classifier *classifier)
{
	u32 buckets;

	sort(classifier->entries, classifier->count, sizeof(struct entry),
	     entry_cmp, NULL);
	classifier->tables = kvcalloc(shapes_count(classifier),
				      sizeof(struct table), GFP_KERNEL_ACCOUNT);
	if (!classifier->tables)
		return -ENOMEM;
	buckets = tables_fill(classifier);
	classifier->buckets = kvmalloc_array(buckets, sizeof(u32),
					     GFP_KERNEL_ACCOUNT);
	if (!classifier->buckets)
		return -ENOMEM;
	memset32(classifier->buckets, NO_ENTRY, buckets);
	buckets_fill(classifier);
	/* The entries keep their places: tables are visited by their best. */
	sort(classifier->tables, classifier->tables_count,
	     sizeof(struct table), table_cmp, NULL);
	return 0;
}

/**
 * kraw_classifier_build - build the structure for a list of matches
 * @matches:	first match wins; they must outlive the classifier
 * @count:	their number, not 0
 *
 * Returns the classifier, or NULL without memory. May sleep.
 */
struct kraw_classifier *
kraw_classifier_build(const struct kraw_match *const *matches, u32 count)
{
	struct kraw_classifier *classifier;
	u32 i;

	classifier = kzalloc(sizeof(*classifier), GFP_KERNEL_ACCOUNT);
	if (!classifier)
		return NULL;
	classifier->count = count;
	classifier->entries = kvmalloc_array(count, sizeof(struct entry),
					     GFP_KERNEL_ACCOUNT);
	if (!classifier->entries)
		goto err;
	for (i = 0; i < count; i++) {
		classifier->entries[i].match = matches[i];
		classifier->entries[i].rank = i;
		classifier->fields |= matches[i]->fields;
	}
	if (fill(classifier))
		goto err;
	return classifier;

err:
	kraw_classifier_free(classifier);
	return NULL;
}
