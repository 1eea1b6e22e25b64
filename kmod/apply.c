// SPDX-License-Identifier: GPL-2.0
/*
 * KRAW_CMD_APPLY: a whole configuration in one message.
 *
 * What stays as it was keeps its counters: a protocol its own, and a rule with
 * the same preference, matches and action is the old rule itself. Rules are
 * many and may all be alike, so both that and the search for duplicates go
 * through hash tables.
 */
#include "change.h"

#include <linux/err.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sort.h>
#include <net/genetlink.h>
#include "breathe.h"
#include "config.h"
#include "memory.h"
#include "proto.h"
#include "rule.h"
#include "ruleset.h"
#include "stats.h"
#include "uapi/linux/kraw.h"

#define NO_ENTRY	U32_MAX

/* A rule in a table. */
struct entry {
	struct kraw_rule *rule;	/* NULL: an old one that is in use again */
	u32 next;		/* entry in the same bucket, or NO_ENTRY */
	u32 seq;		/* place in the message */
};

/* Rules by their hash; filled from the front. */
struct table {
	u32 count;
	u32 mask;
	u32 *buckets;
	struct entry *entries;
};

static void table_free(struct table *table)
{
	kvfree(table->buckets);
	kvfree(table->entries);
}

static int table_alloc(struct table *table, u32 size)
{
	u32 buckets = roundup_pow_of_two(max(size, 16U));

	table->count = 0;
	table->mask = buckets - 1;
	table->buckets = kvmalloc_array(buckets, sizeof(u32), KRAW_GFP);
	table->entries = kvmalloc_array(max(size, 1U), sizeof(struct entry),
					KRAW_GFP);
	if (!table->buckets || !table->entries) {
		table_free(table);
		return -ENOMEM;
	}
	memset32(table->buckets, NO_ENTRY, buckets);
	return 0;
}

static void table_add(struct table *table, struct kraw_rule *rule, u32 hash)
{
	u32 *bucket = &table->buckets[hash & table->mask];

	table->entries[table->count] = (struct entry) {
		.rule = rule, .next = *bucket, .seq = table->count,
	};
	*bucket = table->count++;
}

/* The entry of a rule like this one, or NULL. */
static struct entry *table_find(const struct table *table,
				const struct kraw_rule *rule, u32 hash)
{
	u32 i = table->buckets[hash & table->mask];

	for (; i != NO_ENTRY; i = table->entries[i].next) {
		const struct kraw_rule *other = table->entries[i].rule;

		if (other && other->proto == rule->proto &&
		    other->hook == rule->hook && other->pref == rule->pref &&
		    kraw_rule_same_match(other, rule))
			return &table->entries[i];
	}
	return NULL;
}

/*
 * By protocol, then hook, preference, place in the message. sort() itself never
 * gives up the CPU.
 */
static int entry_cmp(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	cond_resched();
	if (a->rule->proto != b->rule->proto)
		return a->rule->proto < b->rule->proto ? -1 : 1;
	if (a->rule->hook != b->rule->hook)
		return a->rule->hook < b->rule->hook ? -1 : 1;
	if (a->rule->pref != b->rule->pref)
		return a->rule->pref < b->rule->pref ? -1 : 1;
	return a->seq < b->seq ? -1 : 1;
}

/* Most files are in order: finding that out is cheaper than sorting them. */
static void table_sort(struct table *table)
{
	u32 i;

	for (i = 1; i < table->count; i++)
		if (entry_cmp(&table->entries[i - 1], &table->entries[i]) > 0)
			break;
	if (i < table->count)
		sort(table->entries, table->count, sizeof(struct entry),
		     entry_cmp, NULL);
}

/**
 * struct apply - an apply under way
 * @edit:	started from scratch
 * @old:	the rules in force
 * @new:	the rules to come; holds a reference to each
 * @last_pref:	highest preference by protocol and hook so far
 * @has_rules:	whether there is one
 */
struct apply {
	struct kraw_edit *edit;
	struct table old;
	struct table new;
	u32 last_pref[KRAW_PROTOCOLS][KRAW_HOOKS];
	bool has_rules[KRAW_PROTOCOLS][KRAW_HOOKS];
};

static int old_rules(struct apply *apply)
{
	const struct kraw_config *config = apply->edit->old;
	const struct kraw_ruleset *set;
	u32 i, count = 0;
	int number, hook, err;

	for (number = 0; number < KRAW_PROTOCOLS; number++)
		count += kraw_proto_rules_count(config->proto[number]);
	err = table_alloc(&apply->old, count);
	if (err)
		return err;
	for (number = 0; number < KRAW_PROTOCOLS; number++) {
		if (!config->proto[number])
			continue;
		for (hook = 1; hook <= KRAW_HOOKS; hook++) {
			set = kraw_proto_rules(config->proto[number], hook);
			for (i = 0; set && i < set->count; i++) {
				table_add(&apply->old, set->rules[i],
					  kraw_rule_hash(set->rules[i]));
				kraw_breathe(i);
			}
		}
	}
	return 0;
}

static int add_proto(struct apply *apply, const struct nlattr *nest)
{
	struct kraw_edit *edit = apply->edit;
	struct kraw_proto *proto, *old;
	int number;

	number = kraw_proto_number(nest, edit->extack);
	if (number < 0)
		return number;
	if (edit->new->proto[number]) {
		NL_SET_ERR_MSG_ATTR(edit->extack, nest,
				    "this protocol is in the configuration already");
		return -EEXIST;
	}
	proto = kraw_proto_parse(nest, NULL, edit->extack);
	if (IS_ERR(proto))
		return PTR_ERR(proto);
	old = edit->old->proto[number];
	if (old)
		kraw_proto_follow(proto, old);
	kraw_edit_set(edit, number, proto, nest);
	return 0;
}

static int name_rule(struct apply *apply, const struct nlattr *nest,
		     struct kraw_rule_name *name)
{
	struct netlink_ext_ack *extack = apply->edit->extack;
	bool *has_rules;
	u32 *last;
	int err;

	err = kraw_rule_name_parse_full(name, nest, extack);
	if (err)
		return err;
	if (!apply->edit->new->proto[name->proto]) {
		NL_SET_ERR_MSG_ATTR(extack, nest,
				    "the rule's protocol is not in the configuration before it");
		return -ENOENT;
	}
	err = kraw_rule_name_check_new(name, extack);
	if (err)
		return err;
	last = &apply->last_pref[name->proto][name->hook - 1];
	has_rules = &apply->has_rules[name->proto][name->hook - 1];
	if (!name->has_pref) {
		err = kraw_change_default_pref(*last, *has_rules, &name->pref,
					       nest, extack);
		if (err)
			return err;
	}
	*last = max(*last, name->pref);
	*has_rules = true;
	return 0;
}

static int add_rule(struct apply *apply, const struct nlattr *nest)
{
	struct kraw_rule_name name;
	struct kraw_rule *rule;
	struct entry *like;
	u32 hash;
	int err;

	err = name_rule(apply, nest, &name);
	if (err)
		return err;
	rule = kraw_rule_parse(apply->edit->kn->net, &name,
			       apply->edit->extack);
	if (IS_ERR(rule))
		return PTR_ERR(rule);
	hash = kraw_rule_hash(rule);
	if (table_find(&apply->new, rule, hash)) {
		NL_SET_ERR_MSG_ATTR(apply->edit->extack, nest,
				    "a rule with this preference and these matches is in the configuration already");
		err = -EEXIST;
		goto err_put;
	}
	like = table_find(&apply->old, rule, hash);
	if (like && kraw_rule_same_action(like->rule, rule)) {
		kraw_rule_put(rule);
		rule = kraw_rule_get(like->rule);
		like->rule = NULL;
	} else {
		err = kraw_edit_handle(apply->edit, &rule->handle);
		if (err)
			goto err_put;
	}
	table_add(&apply->new, rule, hash);
	return 0;

err_put:
	kraw_rule_put(rule);
	return err;
}

/* Gives each hook of a protocol its rules, which are sorted. */
static int build(struct apply *apply)
{
	struct kraw_config *config = apply->edit->new;
	struct table *table = &apply->new;
	struct kraw_rule **rules;
	u32 i, first;
	int err = 0;

	if (!table->count)
		return 0;
	rules = kvmalloc_array(table->count, sizeof(*rules), KRAW_GFP);
	if (!rules)
		return -ENOMEM;
	for (i = 0; i < table->count; i++)
		rules[i] = table->entries[i].rule;
	for (first = 0; !err && first < table->count; first = i) {
		/* Not published yet, and nobody else's: it may be changed. */
		struct kraw_proto *proto = config->proto[rules[first]->proto];
		u8 hook = rules[first]->hook;

		for (i = first; i < table->count; i++) {
			if (rules[i]->proto != rules[first]->proto ||
			    rules[i]->hook != hook)
				break;
			kraw_breathe(i);
		}
		proto->rules[hook - 1] = kraw_ruleset_build(rules + first,
							    i - first);
		if (!proto->rules[hook - 1])
			err = -ENOMEM;
	}
	kvfree(rules);
	return err;
}

static int read_all(struct apply *apply, const struct genl_info *info)
{
	const struct nlattr *nla;
	int rem, err = 0;

	nlmsg_for_each_attr(nla, info->nlhdr, GENL_HDRLEN, rem) {
		if (nla_type(nla) == KRAW_A_PROTO)
			err = add_proto(apply, nla);
		else if (nla_type(nla) == KRAW_A_RULE)
			err = add_rule(apply, nla);
		if (err)
			return err;
		cond_resched();
	}
	table_sort(&apply->new);
	return build(apply);
}

/**
 * kraw_apply - fill an edit with what a message holds
 * @edit:	started from scratch
 * @info:	the message
 *
 * Returns 0 or a negative error; then the edit is to be ended.
 */
int kraw_apply(struct kraw_edit *edit, const struct genl_info *info)
{
	const struct nlattr *nla;
	struct apply *apply;
	u32 i, count = 0;
	int rem, err;

	nlmsg_for_each_attr(nla, info->nlhdr, GENL_HDRLEN, rem)
		count += nla_type(nla) == KRAW_A_RULE;
	apply = kzalloc(sizeof(*apply), KRAW_GFP);
	if (!apply)
		return -ENOMEM;
	apply->edit = edit;
	err = old_rules(apply);
	if (err)
		goto free;
	err = table_alloc(&apply->new, count);
	if (err)
		goto free_old;
	err = read_all(apply, info);
	for (i = 0; i < apply->new.count; i++) {
		kraw_rule_put(apply->new.entries[i].rule);
		kraw_breathe(i);
	}
	table_free(&apply->new);
free_old:
	table_free(&apply->old);
free:
	kfree(apply);
	return err;
}
