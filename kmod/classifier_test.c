// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: the classifier against the plainest thing that could work, a list
 * tried from its head. Random rulesets of a few values each, so that matches
 * overlap, shadow and repeat one another; random packets of the same values,
 * so that they hit.
 *
 * A module of its own that includes the classifier: it needs nothing else of
 * kraw.
 */
#include <kunit/test.h>
#include <linux/filter.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <net/ipv6.h>
#include "classifier.c"

#define RULESETS	1000
#define LOOKUPS		1000	/* in each ruleset */
#define RULES_MAX	200
#define MANY		100000	/* matches in one ruleset */
#define MANY_LOOKUPS	10000
#define MANY_NAIVE	50	/* of them compared with the list */

static const char *const devices[] = { "eth0", "eth1", "vrf0", "a-long-name-dev" };

static __no_sanitize_address bool within(const __be32 *addr,
					 const __be32 *prefix, u32 len)
{
	for (; len >= 32; len -= 32)
		if (*addr++ != *prefix++)
			return false;
	return !len || !((*addr ^ *prefix) & htonl(~0U << (32 - len)));
}

/*
 * As the module's own, without what the classifier replaced it with. It runs a
 * hundred times for each lookup: what costs least comes first, and KASAN is for
 * the classifier.
 */
static __no_sanitize_address bool
naive_fits(const struct kraw_match *m, const struct kraw_packet *p)
{
	if (m->fields & (KRAW_FIELD_SRC | KRAW_FIELD_DST) &&
	    m->family != p->family)
		return false;
	if (m->fields & KRAW_FIELD_FRAGMENT && !(p->is & KRAW_FIELD_FRAGMENT))
		return false;
	if (m->fields & KRAW_FIELD_HDRINCL && !(p->is & KRAW_FIELD_HDRINCL))
		return false;
	if (m->fields & KRAW_FIELD_SPOOFED && !(p->is & KRAW_FIELD_SPOOFED))
		return false;
	if (m->fields & KRAW_FIELD_DSCP && m->dscp != p->dscp)
		return false;
	if (m->fields & KRAW_FIELD_MARK &&
	    (p->mark & m->mark_mask) != (m->mark & m->mark_mask))
		return false;
	if (m->fields & KRAW_FIELD_UID &&
	    !(m->uid_min <= p->uid && p->uid <= m->uid_max))
		return false;
	if (m->fields & KRAW_FIELD_TTL &&
	    !(m->ttl_min <= p->ttl && p->ttl <= m->ttl_max))
		return false;
	if (m->fields & KRAW_FIELD_LEN &&
	    !(m->len_min <= p->len && p->len <= m->len_max))
		return false;
	if (m->fields & KRAW_FIELD_TYPE &&
	    !(m->type_min <= p->type && p->type <= m->type_max))
		return false;
	if (m->fields & KRAW_FIELD_SRC && !within(p->src, m->src, m->src_len))
		return false;
	if (m->fields & KRAW_FIELD_DST && !within(p->dst, m->dst, m->dst_len))
		return false;
	if (m->fields & KRAW_FIELD_DEV) {
		bool first = p->dev[0] && !strcmp(m->dev, p->dev[0]);
		bool second = p->dev[1] && !strcmp(m->dev, p->dev[1]);

		if (!first && !second)
			return false;
	}
	return !(m->fields & KRAW_FIELD_BPF) ||
	       bpf_prog_run_save_cb(m->prog, (struct sk_buff *)p->skb);
}

static __no_sanitize_address u32 naive(const struct kraw_match *const *matches,
				       u32 count, const struct kraw_packet *p,
				       u32 from)
{
	u32 i;

	for (i = from; i < count; i++)
		if (naive_fits(matches[i], p))
			return i;
	return KRAW_CLASSIFIER_NONE;
}

struct world {
	struct rnd_state rnd;
	struct bpf_prog *prog;
	struct sk_buff *skb;
};

static u32 below(struct world *w, u32 end)
{
	return prandom_u32_state(&w->rnd) % end;
}

/* One of few addresses, alike at the front. */
static void random_addr(struct world *w, u8 family, __be32 *addr)
{
	memset(addr, 0, 16);
	addr[0] = htonl(0x0a000000 | below(w, 2) << 16 | below(w, 2) << 7 |
			below(w, 4));
	if (family == KRAW_IPV6)
		addr[3] = htonl(below(w, 2) << 31 | below(w, 4));
}

static u8 random_prefix(struct world *w, u8 family, __be32 *addr)
{
	static const u8 len4[] = { 0, 8, 15, 24, 25, 31, 32 };
	static const u8 len6[] = { 0, 8, 25, 32, 97, 127, 128 };
	u8 len = family == KRAW_IPV4 ? len4[below(w, ARRAY_SIZE(len4))] :
				       len6[below(w, ARRAY_SIZE(len6))];
	struct in6_addr cut;

	random_addr(w, family, addr);
	ipv6_addr_prefix(&cut, (struct in6_addr *)addr, len);
	memcpy(addr, &cut, sizeof(cut));
	return len;
}

static void random_range(struct world *w, u32 end, u32 *min, u32 *max)
{
	*min = below(w, end);
	*max = below(w, 2) ? *min : *min + below(w, end - *min);
}

static void random_match(struct world *w, struct kraw_match *m, u16 fields)
{
	u32 min, max;

	memset(m, 0, sizeof(*m));
	m->fields = fields;
	if (fields & (KRAW_FIELD_SRC | KRAW_FIELD_DST))
		m->family = below(w, KRAW_FAMILIES);
	if (fields & KRAW_FIELD_SRC)
		m->src_len = random_prefix(w, m->family, m->src);
	if (fields & KRAW_FIELD_DST)
		m->dst_len = random_prefix(w, m->family, m->dst);
	if (fields & KRAW_FIELD_DEV)
		strscpy_pad(m->dev, devices[below(w, ARRAY_SIZE(devices))],
			    sizeof(m->dev));
	if (fields & KRAW_FIELD_TTL) {
		random_range(w, 4, &min, &max);
		m->ttl_min = min;
		m->ttl_max = max;
	}
	if (fields & KRAW_FIELD_LEN)
		random_range(w, 100, &m->len_min, &m->len_max);
	if (fields & KRAW_FIELD_TYPE) {
		random_range(w, 4, &min, &max);
		m->type_min = min;
		m->type_max = max;
	}
	if (fields & KRAW_FIELD_DSCP)
		m->dscp = below(w, 4);
	if (fields & KRAW_FIELD_MARK) {
		m->mark_mask = below(w, 2) ? U32_MAX : 1 + below(w, 7);
		m->mark = below(w, 8) & m->mark_mask;
	}
	if (fields & KRAW_FIELD_UID)
		random_range(w, 4, &m->uid_min, &m->uid_max);
	if (fields & KRAW_FIELD_BPF)
		m->prog = w->prog;
}

static void random_packet(struct world *w, struct kraw_packet *p, __be32 *src,
			  __be32 *dst)
{
	p->skb = w->skb;
	w->skb->data[0] = below(w, 2);	/* what the program looks at */
	p->family = below(w, KRAW_FAMILIES);
	random_addr(w, p->family, src);
	random_addr(w, p->family, dst);
	p->src = src;
	p->dst = dst;
	p->ttl = below(w, 4);
	p->type = (int)below(w, 5) - 1;
	p->len = below(w, 100);
	p->dscp = below(w, 4);
	p->mark = below(w, 8);
	p->uid = below(w, 4);
	p->is = prandom_u32_state(&w->rnd) & KRAW_FIELD_FLAGS;
	p->dev[0] = devices[below(w, ARRAY_SIZE(devices))];
	p->dev[1] = below(w, 2) ? devices[below(w, ARRAY_SIZE(devices))] : NULL;
}

static u32 lookup(const struct kraw_classifier *classifier,
		  const struct kraw_match *const *matches, u32 count,
		  const struct kraw_packet *p, u32 from, u32 *wrong)
{
	u32 found;

	local_bh_disable();
	found = kraw_classifier_lookup(classifier, p, from);
	*wrong += found != naive(matches, count, p, from);
	local_bh_enable();
	return found;
}

/* Compares @lookups lookups; returns how many found a match. */
static u32 compare(struct kunit *test, struct world *w,
		   const struct kraw_match *const *matches, u32 count,
		   u32 lookups)
{
	struct kraw_classifier *classifier;
	u32 i, found, hits = 0, wrong = 0;
	__be32 src[4], dst[4];
	struct kraw_packet p;

	classifier = kraw_classifier_build(matches, count);
	KUNIT_ASSERT_NOT_NULL(test, classifier);
	for (i = 0; i < lookups; i++) {
		random_packet(w, &p, src, dst);
		found = lookup(classifier, matches, count, &p, 0, &wrong);
		hits += found != KRAW_CLASSIFIER_NONE;
		/* Now and then, on from the match that was found. */
		while (found != KRAW_CLASSIFIER_NONE && !below(w, 4))
			found = lookup(classifier, matches, count, &p,
				       found + 1, &wrong);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0U);
	kraw_classifier_free(classifier);
	cond_resched();
	return hits;
}

static int world_init(struct kunit *test)
{
	/* Matches if the packet's first byte is not zero. */
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct sock_fprog_kern fprog = {
		.len = ARRAY_SIZE(insns), .filter = insns,
	};
	struct world *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);

	if (!w)
		return -ENOMEM;
	prandom_seed_state(&w->rnd, 20);
	w->skb = alloc_skb(128, GFP_KERNEL);
	if (!w->skb)
		return -ENOMEM;
	skb_put_zero(w->skb, 100);
	test->priv = w;
	return bpf_prog_create(&w->prog, &fprog);
}

static void world_exit(struct kunit *test)
{
	struct world *w = test->priv;

	if (w->prog)
		bpf_prog_destroy(w->prog);
	kfree_skb(w->skb);
}

static struct kraw_match *alloc_matches(struct kunit *test,
					const struct kraw_match ***pointers)
{
	struct kraw_match *matches;
	u32 i;

	matches = kunit_kcalloc(test, RULES_MAX, sizeof(*matches), GFP_KERNEL);
	*pointers = kunit_kcalloc(test, RULES_MAX, sizeof(**pointers),
				  GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, matches);
	KUNIT_ASSERT_NOT_NULL(test, *pointers);
	for (i = 0; i < RULES_MAX; i++)
		(*pointers)[i] = &matches[i];
	return matches;
}

#define ALL_FIELDS	(KRAW_FIELD_SRC | KRAW_FIELD_DST | KRAW_FIELD_DEV | \
			 KRAW_FIELD_TTL | KRAW_FIELD_LEN | KRAW_FIELD_TYPE | \
			 KRAW_FIELD_BPF | KRAW_FIELD_DSCP | KRAW_FIELD_MARK | \
			 KRAW_FIELD_UID | KRAW_FIELD_FLAGS)

/* Mostly one to five; rarely none, which matches everything. */
static u16 few_fields(struct world *w)
{
	u16 fields = ALL_FIELDS & prandom_u32_state(&w->rnd) &
		     prandom_u32_state(&w->rnd);

	return below(w, 2) ? fields : fields & prandom_u32_state(&w->rnd);
}

static void random_rulesets(struct kunit *test)
{
	const struct kraw_match **pointers;
	struct kraw_match *matches = alloc_matches(test, &pointers);
	struct world *w = test->priv;
	u32 r, i, count, hits = 0;

	for (r = 0; r < RULESETS; r++) {
		count = 1 + below(w, RULES_MAX);
		for (i = 0; i < count; i++) {
			if (i && !below(w, 10))	/* a duplicate */
				matches[i] = matches[below(w, i)];
			else
				random_match(w, &matches[i], few_fields(w));
		}
		hits += compare(test, w, pointers, count, LOOKUPS);
	}
	kunit_info(test, "%u rulesets, %u lookups, %u hits", RULESETS,
		   RULESETS * LOOKUPS, hits);
	/* Neither all nor none, or nothing was tested. */
	KUNIT_EXPECT_GT(test, hits, RULESETS * LOOKUPS / 10);
}

/* Every field alone, and every pair of fields. */
static void fields(struct kunit *test)
{
	const struct kraw_match **pointers;
	struct kraw_match *matches = alloc_matches(test, &pointers);
	struct world *w = test->priv;
	u32 a, b, i, hits;

	for (a = 1; a <= ALL_FIELDS; a <<= 1) {
		for (b = 1; b <= a; b <<= 1) {
			for (i = 0; i < 8; i++)
				random_match(w, &matches[i], a | b);
			hits = compare(test, w, pointers, 8, LOOKUPS);
			KUNIT_EXPECT_GT(test, hits, 0U);
		}
	}
}

/* What is behind a match for everything is never found. */
static void shadowed(struct kunit *test)
{
	const struct kraw_match **pointers;
	struct kraw_match *matches = alloc_matches(test, &pointers);
	struct world *w = test->priv;
	u32 at, i;

	for (at = 0; at < 20; at++) {
		for (i = 0; i < 20; i++)
			random_match(w, &matches[i], i == at ? 0 : ALL_FIELDS &
				     prandom_u32_state(&w->rnd));
		KUNIT_EXPECT_EQ(test, compare(test, w, pointers, 20, LOOKUPS),
				(u32)LOOKUPS);
	}
}

/* As rules that are many: a source, seldom more; now and then a duplicate. */
static void one_of_many(struct world *w, struct kraw_match *matches, u32 i)
{
	static const u16 more[] = {
		0, 0, 0, 0, KRAW_FIELD_DST, KRAW_FIELD_TTL, KRAW_FIELD_DEV,
		KRAW_FIELD_DSCP | KRAW_FIELD_TYPE, KRAW_FIELD_MARK,
	};
	static const u8 bits[] = { 24, 28, 31, 32 };
	struct kraw_match *m = &matches[i];
	struct in6_addr addr = {}, cut;

	if (i && !below(w, 10)) {
		*m = matches[below(w, i)];
		return;
	}
	random_match(w, m, KRAW_FIELD_SRC | more[below(w, ARRAY_SIZE(more))]);
	m->src_len = bits[below(w, ARRAY_SIZE(bits))];
	if (m->family == KRAW_IPV6) {
		m->src_len += 96;
		addr.s6_addr32[0] = htonl(0x20010db8);
		addr.s6_addr32[3] = htonl(below(w, 1 << 24));
	} else {
		addr.s6_addr32[0] = htonl(0x0a000000 | below(w, 1 << 24));
	}
	ipv6_addr_prefix(&cut, &addr, m->src_len);
	memcpy(m->src, &cut, sizeof(cut));
}

/* A packet that this match of one_of_many() fits; the addresses are written. */
static void packet_for(struct world *w, const struct kraw_match *m,
		       struct kraw_packet *p, __be32 *src, __be32 *dst)
{
	random_packet(w, p, src, dst);
	p->family = m->family;
	memcpy(src, m->src, sizeof(m->src));
	if (m->fields & KRAW_FIELD_DST)
		memcpy(dst, m->dst, sizeof(m->dst));
	if (m->fields & KRAW_FIELD_TTL)
		p->ttl = m->ttl_max;
	if (m->fields & KRAW_FIELD_TYPE)
		p->type = m->type_max;
	if (m->fields & KRAW_FIELD_DSCP)
		p->dscp = m->dscp;
	if (m->fields & KRAW_FIELD_MARK)
		p->mark = m->mark | (p->mark & ~m->mark_mask);
	if (m->fields & KRAW_FIELD_DEV)
		p->dev[below(w, 2)] = m->dev;
}

/*
 * Each packet fits a match that is known, so what is found fits, too, and is
 * not behind it; a few are looked for in the whole list.
 */
static void many_lookups(struct kunit *test, struct world *w,
			 const struct kraw_match *const *matches,
			 const struct kraw_classifier *classifier)
{
	u32 i, at, found, earlier = 0, wrong = 0;
	__be32 src[4], dst[4];
	struct kraw_packet p;

	for (i = 0; i < MANY_LOOKUPS; i++) {
		at = below(w, MANY);
		packet_for(w, matches[at], &p, src, dst);
		local_bh_disable();
		found = kraw_classifier_lookup(classifier, &p, 0);
		local_bh_enable();
		wrong += found > at || !naive_fits(matches[found], &p);
		earlier += found < at;
		if (i < MANY_NAIVE)
			wrong += found != naive(matches, MANY, &p, 0);
		cond_resched();
	}
	kunit_info(test, "%u matches, %u lookups, %u shadowed, %u shapes", MANY,
		   MANY_LOOKUPS, earlier, classifier->tables_count);
	KUNIT_EXPECT_EQ(test, wrong, 0U);
	KUNIT_EXPECT_GT(test, earlier, 0U);
}

static void many_matches(struct kunit *test)
{
	struct kraw_classifier *classifier = NULL;
	const struct kraw_match **pointers;
	struct world *w = test->priv;
	struct kraw_match *matches;
	u32 i;

	matches = kvcalloc(MANY, sizeof(*matches), GFP_KERNEL);
	pointers = kvcalloc(MANY, sizeof(*pointers), GFP_KERNEL);
	if (matches && pointers) {
		for (i = 0; i < MANY; i++) {
			one_of_many(w, matches, i);
			pointers[i] = &matches[i];
			cond_resched();
		}
		classifier = kraw_classifier_build(pointers, MANY);
	}
	KUNIT_EXPECT_NOT_NULL(test, classifier);
	if (classifier) {
		many_lookups(test, w, pointers, classifier);
		kraw_classifier_free(classifier);
	}
	kvfree(pointers);
	kvfree(matches);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(fields),
	KUNIT_CASE(shadowed),
	KUNIT_CASE(random_rulesets),
	KUNIT_CASE(many_matches),
	{}
};

static struct kunit_suite suite = {
	.name = "kraw_classifier",
	.init = world_init,
	.exit = world_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("Tests of kraw's classifier");
MODULE_LICENSE("GPL");
