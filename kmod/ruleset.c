// SPDX-License-Identifier: GPL-2.0
/* A ruleset: built from rules, edited by building another one. */
#include "ruleset.h"

#include <linux/err.h>
#include <linux/filter.h>
#include <linux/mm.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include "breathe.h"
#include "classifier.h"
#include "memory.h"
#include "rule.h"

static struct kraw_ruleset *alloc(u32 count)
{
	struct kraw_ruleset *set;

	set = kvmalloc(struct_size(set, rules, count), KRAW_GFP);
	if (!set)
		return NULL;
	refcount_set(&set->refs, 1);
	set->count = count;
	set->classifier = NULL;
	return set;
}

static void ruleset_free(struct kraw_ruleset *set)
{
	kraw_classifier_free(set->classifier);
	kvfree(set);
}

static int compile(struct kraw_ruleset *set)
{
	const struct kraw_match **matches;
	u32 i;

	matches = kvmalloc_array(set->count, sizeof(*matches), KRAW_GFP);
	if (!matches)
		return -ENOMEM;
	set->insns_max = 0;
	set->insns = 0;
	for (i = 0; i < set->count; i++) {
		matches[i] = &set->rules[i]->match;
		set->insns_max = max(set->insns_max, set->rules[i]->insns_len);
		set->insns += set->rules[i]->insns_len /
			      sizeof(struct sock_filter);
		kraw_breathe(i);
	}
	set->classifier = kraw_classifier_build(matches, set->count);
	kvfree(matches);
	return set->classifier ? 0 : -ENOMEM;
}

/* Compiles a set and takes its references, or frees it. */
static struct kraw_ruleset *finish(struct kraw_ruleset *set)
{
	u32 i;

	if (compile(set)) {
		ruleset_free(set);
		return NULL;
	}
	for (i = 0; i < set->count; i++) {
		kraw_rule_get(set->rules[i]);
		kraw_breathe(i);
	}
	return set;
}

/**
 * kraw_ruleset_build - build a ruleset
 * @rules:	in their order; the set takes a reference of its own to each
 * @count:	their number, not 0
 *
 * Returns the set with one reference, or NULL without memory.
 */
struct kraw_ruleset *kraw_ruleset_build(struct kraw_rule **rules, u32 count)
{
	struct kraw_ruleset *set = alloc(count);

	if (!set)
		return NULL;
	memcpy(set->rules, rules, array_size(count, sizeof(*rules)));
	return finish(set);
}

/**
 * kraw_ruleset_splice - the same ruleset with one rule less, more or other
 * @old:	may be NULL: no rules
 * @without:	index of a rule to leave out, or KRAW_RULESET_NONE
 * @at:		index in @old that @rule comes before
 * @rule:	what to put there, or NULL
 *
 * The result must not be empty. Returns it with one reference, or NULL without
 * memory.
 */
struct kraw_ruleset *kraw_ruleset_splice(const struct kraw_ruleset *old,
					 u32 without, u32 at,
					 struct kraw_rule *rule)
{
	u32 i, count = old ? old->count : 0;
	struct kraw_ruleset *set;
	struct kraw_rule **to;

	set = alloc(count - (without != KRAW_RULESET_NONE) + !!rule);
	if (!set)
		return NULL;
	to = set->rules;
	for (i = 0; i <= count; i++) {
		if (i == at && rule)
			*to++ = rule;
		if (i < count && i != without)
			*to++ = old->rules[i];
	}
	return finish(set);
}

struct kraw_ruleset *kraw_ruleset_get(struct kraw_ruleset *set)
{
	if (set)
		refcount_inc(&set->refs);
	return set;
}

/* The last reference goes after a grace period, with a configuration. Sleeps. */
void kraw_ruleset_put(struct kraw_ruleset *set)
{
	u32 i;

	if (!set || !refcount_dec_and_test(&set->refs))
		return;
	for (i = 0; i < set->count; i++) {
		kraw_rule_put(set->rules[i]);
		kraw_breathe(i);
	}
	ruleset_free(set);
}

/* Index of the first rule behind those of this preference. */
u32 kraw_ruleset_end_of(const struct kraw_ruleset *set, u32 pref)
{
	u32 low = 0, high = set ? set->count : 0;

	while (low < high) {
		u32 mid = low + (high - low) / 2;

		if (set->rules[mid]->pref <= pref)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Whether any rule has this preference. */
bool kraw_ruleset_has_pref(const struct kraw_ruleset *set, u32 pref)
{
	u32 end = kraw_ruleset_end_of(set, pref);

	return end && set->rules[end - 1]->pref == pref;
}

/* Whether a rule with the same preference and matches is in it, but @except. */
bool kraw_ruleset_has(const struct kraw_ruleset *set,
		      const struct kraw_rule *rule, u32 except)
{
	u32 i = kraw_ruleset_end_of(set, rule->pref);

	while (i-- && set->rules[i]->pref == rule->pref)
		if (i != except && kraw_rule_same_match(set->rules[i], rule))
			return true;
	return false;
}

/**
 * kraw_ruleset_find - find a rule by its handle or its preference
 * @set:	may be NULL: no rules
 * @name:	with at least one of them; with both, both must fit
 * @extack:	gets the reason of a refusal
 *
 * Returns the rule's index, -ENOENT, or -ENOTUNIQ if only the preference is
 * given and several rules have it.
 */
int kraw_ruleset_find(const struct kraw_ruleset *set,
		      const struct kraw_rule_name *name,
		      struct netlink_ext_ack *extack)
{
	u32 i;

	if (name->has_handle) {
		for (i = 0; set && i < set->count; i++)
			if (set->rules[i]->handle == name->handle &&
			    (!name->has_pref ||
			     set->rules[i]->pref == name->pref))
				return i;
		NL_SET_ERR_MSG_ATTR(extack, name->nest,
				    "no rule of this protocol and hook has this handle");
		return -ENOENT;
	}
	if (!kraw_ruleset_has_pref(set, name->pref)) {
		NL_SET_ERR_MSG_ATTR(extack, name->nest,
				    "no rule of this protocol and hook has this preference");
		return -ENOENT;
	}
	i = kraw_ruleset_end_of(set, name->pref);
	if (i > 1 && set->rules[i - 2]->pref == name->pref) {
		NL_SET_ERR_MSG_ATTR(extack, name->nest,
				    "several rules have this preference: name one by its handle");
		return -ENOTUNIQ;
	}
	return i - 1;
}

/*
 * Index of the first rule from @from on that a packet matches, be it over its
 * limit or not, or KRAW_RULESET_NONE. Context: as the classifier.
 */
u32 kraw_ruleset_lookup(const struct kraw_ruleset *set,
			const struct kraw_packet *packet, u32 from)
{
	BUILD_BUG_ON(KRAW_RULESET_NONE != KRAW_CLASSIFIER_NONE);
	return kraw_classifier_lookup(set->classifier, packet, from);
}

/* As kraw_ruleset_lookup(); @seen is shown where it looks. */
u32 kraw_ruleset_explain(const struct kraw_ruleset *set,
			 const struct kraw_packet *packet, u32 from,
			 const struct kraw_classifier_seen *seen)
{
	return kraw_classifier_walk(set->classifier, packet, from, seen);
}

/* What a packet must offer to kraw_ruleset_lookup(). */
u16 kraw_ruleset_fields(const struct kraw_ruleset *set)
{
	return kraw_classifier_fields(set->classifier);
}
