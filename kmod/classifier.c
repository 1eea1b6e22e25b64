// SPDX-License-Identifier: GPL-2.0
/*
 * The classifier: tuple space search.
 *
 * Matches that fix the same fields in the same way (source and destination of
 * one prefix length each, a device, a mark under one mask, one value of the TTL,
 * ...) have one *shape* and share one hash table, whose key is those fields. A
 * packet is looked up once in each table: its fields are cut down to the shape,
 * hashed, and the bucket's matches compared. What cannot be hashed, ranges and
 * BPF programs, is checked on these candidates.
 *
 * Every match has a rank, its place in the list. A bucket is sorted by rank, so
 * its first fit is its best; tables are visited in the order of the best rank
 * in them, and the search stops at the first table that cannot do better than
 * what was found. So the cost follows the number of shapes, not of matches.
 *
 * Tables, buckets and entries are laid out in three arrays that are filled once
 * and then only read. Filling them takes time in proportion to the number of
 * matches, and gives up the CPU now and then.
 */
#include "classifier.h"

#include <linux/filter.h>
#include <linux/inetdevice.h>
#include <linux/jhash.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <net/ipv6.h>
#include "breathe.h"
#include "memory.h"
#include "net.h"

#define NONE	KRAW_CLASSIFIER_NONE

/* The fields that tell shapes apart, and those that take one byte of a key. */
#define SHAPED	(KRAW_FIELD_SRC | KRAW_FIELD_DST | KRAW_FIELD_DEV | \
		 KRAW_FIELD_TTL | KRAW_FIELD_TYPE | KRAW_FIELD_DSCP | \
		 KRAW_FIELD_MARK | KRAW_FIELD_UID | KRAW_FIELD_FLAGS)
#define BYTES	(KRAW_FIELD_TTL | KRAW_FIELD_TYPE | KRAW_FIELD_DSCP)

#define DEV_WORDS	(IFNAMSIZ / sizeof(u32))

/* Without holes, so that shapes can be compared and hashed as bytes. */
struct shape {
	u16 fields;	/* bits KRAW_FIELD_*, all of SHAPED */
	u8 family;	/* of src and dst */
	u8 src_len;
	u8 dst_len;
	u8 zero[3];
	u32 mark_mask;
};

/* The fields of a shape, one after the other, the device's name last. */
struct tuple {
	u32 words[4 + 4 + 1 + 1 + 1 + DEV_WORDS];
	u32 count;
};

/* A match, at the index that is its rank. */
struct entry {
	const struct kraw_match *match;
	u32 hash;	/* of its key */
	u32 next;	/* the next one by rank in this bucket, or NONE */
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
 * @buckets:	of all tables: an entry each, or NONE
 * @entries:	of all tables, by rank
 */
struct kraw_classifier {
	u16 fields;
	u32 tables_count;
	u32 count;
	struct table *tables;
	u32 *buckets;
	struct entry *entries;
};

static struct shape shape_of(const struct kraw_match *m)
{
	struct shape shape = {};

	BUILD_BUG_ON(sizeof(shape) != 12);
	shape.fields = m->fields & SHAPED;
	/* A range has no key: it is checked on the candidates. */
	if (m->ttl_min != m->ttl_max)
		shape.fields &= ~KRAW_FIELD_TTL;
	if (m->type_min != m->type_max)
		shape.fields &= ~KRAW_FIELD_TYPE;
	if (m->uid_min != m->uid_max)
		shape.fields &= ~KRAW_FIELD_UID;
	if (m->fields & (KRAW_FIELD_SRC | KRAW_FIELD_DST))
		shape.family = m->family;
	if (m->fields & KRAW_FIELD_SRC)
		shape.src_len = m->src_len;
	if (m->fields & KRAW_FIELD_DST)
		shape.dst_len = m->dst_len;
	if (m->fields & KRAW_FIELD_MARK)
		shape.mark_mask = m->mark_mask;
	return shape;
}

static u32 shape_hash(const struct shape *shape)
{
	return jhash(shape, sizeof(*shape), 0);
}

static void key_add(struct tuple *key, u32 word)
{
	key->words[key->count++] = word;
}

static void key_add_prefix(struct tuple *key, const __be32 *addr, u8 len)
{
	for (; len >= 32; len -= 32)
		key_add(key, (__force u32)*addr++);
	if (len)
		key_add(key, (__force u32)(*addr & inet_make_mask(len)));
}

static void key_add_bytes(struct tuple *key, u16 fields, u8 ttl, u8 type, u8 dscp)
{
	u32 word = 0;

	if (!(fields & BYTES))
		return;
	if (fields & KRAW_FIELD_TTL)
		word = ttl;
	if (fields & KRAW_FIELD_TYPE)
		word |= type << 8;
	if (fields & KRAW_FIELD_DSCP)
		word |= dscp << 16;
	key_add(key, word);
}

/* Without the device's name, which comes behind all that this adds. */
static void packet_key(struct tuple *key, const struct shape *shape,
		       const struct kraw_packet *p)
{
	u16 fields = shape->fields;

	key->count = 0;
	if (fields & KRAW_FIELD_SRC)
		key_add_prefix(key, p->src, shape->src_len);
	if (fields & KRAW_FIELD_DST)
		key_add_prefix(key, p->dst, shape->dst_len);
	key_add_bytes(key, fields, p->ttl, p->type, p->dscp);
	if (fields & KRAW_FIELD_MARK)
		key_add(key, p->mark & shape->mark_mask);
	if (fields & KRAW_FIELD_UID)
		key_add(key, p->uid);
}

static u32 key_hash(const struct tuple *key)
{
	return jhash2(key->words, key->count, 0);
}

/* The hash of @key with a device's name behind it, padded with zeroes. */
static u32 key_hash_dev(struct tuple *key, const char *dev)
{
	BUILD_BUG_ON(IFNAMSIZ % sizeof(u32));
	strscpy_pad((char *)&key->words[key->count], dev, IFNAMSIZ);
	return jhash2(key->words, key->count + DEV_WORDS, 0);
}

/* As the key of a packet that has just the values of the match. */
static u32 match_hash(const struct kraw_match *m, const struct shape *shape)
{
	const struct kraw_packet like = {
		.src = m->src, .dst = m->dst, .ttl = m->ttl_min,
		.type = m->type_min, .dscp = m->dscp, .mark = m->mark,
		.uid = m->uid_min,
	};
	struct tuple key;

	packet_key(&key, shape, &like);
	return shape->fields & KRAW_FIELD_DEV ? key_hash_dev(&key, m->dev) :
						key_hash(&key);
}

/* Whether a table can have any match for a packet. */
static bool possible(const struct shape *shape, const struct kraw_packet *p)
{
	if (shape->fields & (KRAW_FIELD_SRC | KRAW_FIELD_DST) &&
	    shape->family != p->family)
		return false;
	if (shape->fields & KRAW_FIELD_FLAGS & ~p->is)
		return false;
	return !(shape->fields & KRAW_FIELD_TYPE) || p->type >= 0;
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

/* The fields that most matches do not have. */
static bool rare_fits(const struct kraw_match *m, const struct kraw_packet *p)
{
	if (m->fields & KRAW_FIELD_FLAGS & ~p->is)
		return false;
	if (m->fields & KRAW_FIELD_DSCP && p->dscp != m->dscp)
		return false;
	if (m->fields & KRAW_FIELD_MARK && (p->mark & m->mark_mask) != m->mark)
		return false;
	return !(m->fields & KRAW_FIELD_UID) ||
	       (p->uid >= m->uid_min && p->uid <= m->uid_max);
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
	if (!(m->fields & ~(KRAW_FIELD_SRC | KRAW_FIELD_DST)))
		return true;
	if (m->fields & KRAW_FIELD_TTL &&
	    (p->ttl < m->ttl_min || p->ttl > m->ttl_max))
		return false;
	if (m->fields & KRAW_FIELD_LEN &&
	    (p->len < m->len_min || p->len > m->len_max))
		return false;
	if (m->fields & KRAW_FIELD_TYPE &&
	    (p->type < m->type_min || p->type > m->type_max))
		return false;
	if (!rare_fits(m, p))
		return false;
	if (m->fields & KRAW_FIELD_DEV && !dev_match(m->dev, p->dev))
		return false;
	return !(m->fields & KRAW_FIELD_BPF) ||
	       bpf_prog_run_save_cb(m->prog, (struct sk_buff *)p->skb);
}

/* Whether a packet, with all that is asked for, fits one match alone. */
bool kraw_classifier_fits(const struct kraw_match *match,
			  const struct kraw_packet *packet)
{
	return fits(match, packet);
}

/* The best rank of a bucket that fits, from @from on and below @end, or @end. */
static u32 search(const struct kraw_classifier *classifier,
		  const struct table *table, u32 hash, u32 from, u32 end,
		  const struct kraw_packet *p)
{
	u32 i = classifier->buckets[table->bucket + (hash & table->mask)];

	/* NONE is above every end. */
	for (; i < end; i = classifier->entries[i].next) {
		const struct entry *entry = &classifier->entries[i];

		if (entry->hash == hash && i >= from && fits(entry->match, p))
			return i;
	}
	return end;
}

static void show(const struct table *table, bool possible, u32 found,
		 const struct kraw_classifier_seen *seen)
{
	struct kraw_classifier_shape shape = {
		.fields = table->shape.fields,
		.family = table->shape.family,
		.src_len = table->shape.src_len,
		.dst_len = table->shape.dst_len,
		.mark_mask = table->shape.mark_mask,
		.best = table->best,
		.count = table->count,
		.possible = possible,
		.found = found,
	};

	seen->shape(seen->data, &shape);
}

/* The one search there is; @seen is NULL where packets go. */
static __always_inline u32 walk(const struct kraw_classifier *classifier,
				const struct kraw_packet *packet, u32 from,
				const struct kraw_classifier_seen *seen)
{
	u32 best = NONE, before, t;
	struct tuple key;
	int dev;

	for (t = 0; t < classifier->tables_count; t++) {
		const struct table *table = &classifier->tables[t];

		if (table->best >= best)
			break;
		if (!possible(&table->shape, packet)) {
			if (seen)
				show(table, false, NONE, seen);
			continue;
		}
		before = best;
		packet_key(&key, &table->shape, packet);
		if (!(table->shape.fields & KRAW_FIELD_DEV))
			best = search(classifier, table, key_hash(&key), from,
				      best, packet);
		/* A port of a VRF is known by two names. */
		for (dev = 0; table->shape.fields & KRAW_FIELD_DEV && dev < 2;
		     dev++)
			if (packet->dev[dev])
				best = search(classifier, table,
					      key_hash_dev(&key,
							   packet->dev[dev]),
					      from, best, packet);
		if (seen)
			show(table, true, best != before ? best : NONE, seen);
	}
	return best;
}

/**
 * kraw_classifier_lookup - find the first match
 * @classifier:	held by RCU or by a reference
 * @packet:	with everything that kraw_classifier_fields() asks for
 * @from:	matches before this one do not count
 *
 * Context: bottom halves off. Returns the index of the match in the list that
 * the classifier was built from, or KRAW_CLASSIFIER_NONE.
 */
u32 kraw_classifier_lookup(const struct kraw_classifier *classifier,
			   const struct kraw_packet *packet, u32 from)
{
	return walk(classifier, packet, from, NULL);
}

/**
 * kraw_classifier_walk - find the first match, and tell where it was looked for
 * @classifier:	as for kraw_classifier_lookup(), whose search this is
 * @packet:	...
 * @from:	...
 * @seen:	is shown each shape that is asked
 *
 * Context and result: as kraw_classifier_lookup().
 */
u32 kraw_classifier_walk(const struct kraw_classifier *classifier,
			 const struct kraw_packet *packet, u32 from,
			 const struct kraw_classifier_seen *seen)
{
	return walk(classifier, packet, from, seen);
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

/*
 * Numbers the shapes in the order of their coming: entry->hash becomes the
 * number of its match's shape. Returns the number of shapes. A shape is found
 * again by its first entry, in @buckets and along entry->next.
 */
static u32 shapes_number(struct kraw_classifier *classifier, u32 *buckets,
			 u32 mask)
{
	struct entry *entries = classifier->entries;
	u32 i, j, shapes = 0;

	memset32(buckets, NONE, mask + 1);
	for (i = 0; i < classifier->count; i++) {
		struct shape shape = shape_of(entries[i].match), other;
		u32 *bucket = &buckets[shape_hash(&shape) & mask];

		for (j = *bucket; j != NONE; j = entries[j].next) {
			other = shape_of(entries[j].match);
			if (!memcmp(&shape, &other, sizeof(shape)))
				break;
		}
		if (j == NONE) {
			entries[i].next = *bucket;
			*bucket = i;
			entries[i].hash = shapes++;
		} else {
			entries[i].hash = entries[j].hash;
		}
		kraw_breathe(i);
	}
	return shapes;
}

/* The tables of the numbered shapes. Returns the number of buckets needed. */
static u32 tables_fill(struct kraw_classifier *classifier)
{
	u32 i, buckets = 0;

	for (i = 0; i < classifier->count; i++) {
		struct entry *entry = &classifier->entries[i];
		struct table *table = &classifier->tables[entry->hash];

		if (!table->count++) {
			table->shape = shape_of(entry->match);
			table->best = i;
		}
		kraw_breathe(i);
	}
	for (i = 0; i < classifier->tables_count; i++) {
		struct table *table = &classifier->tables[i];

		table->bucket = buckets;
		table->mask = roundup_pow_of_two(table->count) - 1;
		buckets += table->mask + 1;
	}
	return buckets;
}

/* Puts the entries into their buckets: from the back, so the best come first. */
static void buckets_fill(struct kraw_classifier *classifier)
{
	u32 i = classifier->count;

	while (i--) {
		struct entry *entry = &classifier->entries[i];
		const struct table *table = &classifier->tables[entry->hash];
		u32 *bucket;

		entry->hash = match_hash(entry->match, &table->shape);
		bucket = &classifier->buckets[table->bucket +
					      (entry->hash & table->mask)];
		entry->next = *bucket;
		*bucket = i;
		kraw_breathe(i);
	}
}

static int fill(struct kraw_classifier *classifier)
{
	u32 mask = roundup_pow_of_two(classifier->count) - 1;
	u32 *scratch, buckets;

	scratch = kvmalloc_array(mask + 1, sizeof(u32), KRAW_GFP);
	if (!scratch)
		return -ENOMEM;
	classifier->tables_count = shapes_number(classifier, scratch, mask);
	kvfree(scratch);
	classifier->tables = kvcalloc(classifier->tables_count,
				      sizeof(struct table), KRAW_GFP);
	if (!classifier->tables)
		return -ENOMEM;
	buckets = tables_fill(classifier);
	classifier->buckets = kvmalloc_array(buckets, sizeof(u32),
					     KRAW_GFP);
	if (!classifier->buckets)
		return -ENOMEM;
	memset32(classifier->buckets, NONE, buckets);
	buckets_fill(classifier);
	return 0;
}

/**
 * kraw_classifier_build - build the structure for a list of matches
 * @matches:	first match wins; they must outlive the classifier
 * @count:	their number, not 0 and below KRAW_CLASSIFIER_NONE
 *
 * Returns the classifier, or NULL without memory. May sleep.
 */
struct kraw_classifier *
kraw_classifier_build(const struct kraw_match *const *matches, u32 count)
{
	struct kraw_classifier *classifier;
	u32 i;

	classifier = kzalloc(sizeof(*classifier), KRAW_GFP);
	if (!classifier)
		return NULL;
	classifier->count = count;
	classifier->entries = kvmalloc_array(count, sizeof(struct entry),
					     KRAW_GFP);
	if (!classifier->entries)
		goto err;
	for (i = 0; i < count; i++) {
		classifier->entries[i].match = matches[i];
		classifier->fields |= matches[i]->fields;
		kraw_breathe(i);
	}
	if (fill(classifier))
		goto err;
	return classifier;

err:
	kraw_classifier_free(classifier);
	return NULL;
}
