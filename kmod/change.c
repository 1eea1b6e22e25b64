// SPDX-License-Identifier: GPL-2.0
/*
 * What the commands of the netlink family change: one edit each, committed or
 * ended without a trace.
 */
#include "change.h"

#include <linux/err.h>
#include <linux/overflow.h>
#include <net/genetlink.h>
#include "config.h"
#include "net.h"
#include "proto.h"
#include "rule.h"
#include "ruleset.h"
#include "uapi/linux/kraw.h"

#define PREF_STEP	10	/* room between rules that name no preference */

/* Where a request speaks of a protocol that must be managed. */
static struct kraw_proto *find(struct kraw_edit *edit, const struct nlattr *nest,
			       int number)
{
	if (number < 0)
		return ERR_PTR(number);
	if (!edit->new->proto[number]) {
		NL_SET_ERR_MSG_ATTR(edit->extack, nest,
				    "this protocol is not managed here");
		return ERR_PTR(-ENOENT);
	}
	return edit->new->proto[number];
}

static int proto_add(struct kraw_edit *edit, const struct nlattr *nest,
		     struct kraw_change *change)
{
	int number = kraw_proto_number(nest, edit->extack);
	struct kraw_proto *proto;

	if (number < 0)
		return number;
	if (edit->new->proto[number]) {
		NL_SET_ERR_MSG_ATTR(edit->extack, nest,
				    "this protocol is managed already: set changes it");
		return -EEXIST;
	}
	proto = kraw_proto_parse(nest, NULL, edit->extack);
	if (IS_ERR(proto))
		return PTR_ERR(proto);
	kraw_edit_set(edit, number, proto, nest);
	change->proto = proto;
	return 0;
}

static int proto_set(struct kraw_edit *edit, const struct nlattr *nest,
		     struct kraw_change *change)
{
	struct kraw_proto *proto;

	proto = find(edit, nest, kraw_proto_number(nest, edit->extack));
	if (IS_ERR(proto))
		return PTR_ERR(proto);
	proto = kraw_proto_parse(nest, proto, edit->extack);
	if (IS_ERR(proto))
		return PTR_ERR(proto);
	kraw_edit_set(edit, proto->number, proto, nest);
	change->proto = proto;
	return 0;
}

static int proto_del(struct kraw_edit *edit, const struct nlattr *nest,
		     struct kraw_change *change)
{
	struct kraw_proto *proto;

	proto = find(edit, nest, kraw_proto_number(nest, edit->extack));
	if (IS_ERR(proto))
		return PTR_ERR(proto);
	/* The configuration in force still holds it. */
	change->proto = proto;
	kraw_edit_set(edit, proto->number, NULL, nest);
	return 0;
}

/* Gives a hook of a protocol other rules: takes over the reference to them. */
static int set_rules(struct kraw_edit *edit, const struct kraw_proto *proto,
		     u8 hook, struct kraw_ruleset *rules)
{
	struct kraw_proto *next = kraw_proto_with_rules(proto, hook, rules);

	if (!next) {
		kraw_ruleset_put(rules);
		return -ENOMEM;
	}
	kraw_edit_set(edit, next->number, next, NULL);
	return 0;
}

/**
 * kraw_change_default_pref - choose the preference of a rule that names none
 * @last:	the highest in use
 * @any:	there is one in use
 * @pref:	result
 * @nest:	the rule, for error messages
 * @extack:	gets the reason of a refusal
 *
 * Returns 0 or -ERANGE.
 */
int kraw_change_default_pref(u32 last, bool any, u32 *pref,
			     const struct nlattr *nest,
			     struct netlink_ext_ack *extack)
{
	if (check_add_overflow(any ? last : 0U, (u32)PREF_STEP, pref)) {
		NL_SET_ERR_MSG_ATTR(extack, nest,
				    "no preference is left above the highest: name one");
		return -ERANGE;
	}
	return 0;
}

/* Puts a new rule in the place of the one at @without, or beside all others. */
static int rule_put_in(struct kraw_edit *edit, const struct kraw_proto *proto,
		       struct kraw_rule_name *name, u32 without,
		       struct kraw_change *change)
{
	const struct kraw_ruleset *set = kraw_proto_rules(proto, name->hook);
	struct kraw_ruleset *rules;
	struct kraw_rule *rule;
	int err;
	u32 at;

	rule = kraw_rule_parse(edit->kn->net, name, edit->extack);
	if (IS_ERR(rule))
		return PTR_ERR(rule);
	err = -EEXIST;
	if (set && kraw_ruleset_has(set, rule, without)) {
		NL_SET_ERR_MSG_ATTR(edit->extack, name->nest,
				    "a rule with this preference and these matches is there already");
		goto put;
	}
	at = kraw_ruleset_end_of(set, rule->pref);
	if (without != KRAW_RULESET_NONE &&
	    set->rules[without]->pref == rule->pref)
		at = without;
	err = -ENOMEM;
	rules = kraw_ruleset_splice(set, without, at, rule);
	if (!rules)
		goto put;
	change->rule = rule;
	err = set_rules(edit, proto, name->hook, rules);
put:	/* the ruleset has references of its own */
	kraw_rule_put(rule);
	return err;
}

static int rule_add(struct kraw_edit *edit, const struct kraw_proto *proto,
		    struct kraw_rule_name *name, struct kraw_change *change)
{
	const struct kraw_ruleset *set = kraw_proto_rules(proto, name->hook);
	int err;

	if (!name->has_pref) {
		err = kraw_change_default_pref(set ?
					       set->rules[set->count - 1]->pref :
					       0, set, &name->pref, name->nest,
					       edit->extack);
		if (err)
			return err;
	}
	err = kraw_edit_handle(edit, &name->handle);
	if (err)
		return err;
	return rule_put_in(edit, proto, name, KRAW_RULESET_NONE, change);
}

static int rule_replace(struct kraw_edit *edit, const struct kraw_proto *proto,
			struct kraw_rule_name *name,
			struct kraw_change *change)
{
	const struct kraw_ruleset *set = kraw_proto_rules(proto, name->hook);
	struct kraw_rule_name old = *name;
	int index, err;

	err = kraw_rule_name_check_old(name, edit->extack);
	if (err)
		return err;
	/* With a handle, the preference is the new one. */
	if (name->has_handle)
		old.has_pref = false;
	else if (!kraw_ruleset_has_pref(set, name->pref))
		return rule_add(edit, proto, name, change);
	index = kraw_ruleset_find(set, &old, edit->extack);
	if (index < 0)
		return index;
	name->handle = set->rules[index]->handle;
	if (!name->has_pref)
		name->pref = set->rules[index]->pref;
	return rule_put_in(edit, proto, name, index, change);
}

static int rule_del(struct kraw_edit *edit, const struct kraw_proto *proto,
		    const struct kraw_rule_name *name,
		    struct kraw_change *change)
{
	const struct kraw_ruleset *set = kraw_proto_rules(proto, name->hook);
	struct kraw_ruleset *rules = NULL;
	int index, err;

	err = kraw_rule_name_check_old(name, edit->extack);
	if (err)
		return err;
	index = kraw_ruleset_find(set, name, edit->extack);
	if (index < 0)
		return index;
	change->rule = set->rules[index];
	if (set->count > 1) {
		rules = kraw_ruleset_splice(set, index, KRAW_RULESET_NONE,
					    NULL);
		if (!rules)
			return -ENOMEM;
	}
	return set_rules(edit, proto, name->hook, rules);
}

/* Those of one hook if the request names one, else of both. */
static int rule_flush(struct kraw_edit *edit, u8 number,
		      const struct kraw_rule_name *name)
{
	int hook, err = 0;

	for (hook = 1; !err && hook <= KRAW_HOOKS; hook++) {
		if (name->has_hook && name->hook != hook)
			continue;
		if (kraw_proto_rules(edit->new->proto[number], hook))
			err = set_rules(edit, edit->new->proto[number], hook,
					NULL);
	}
	return err;
}

static int rule_command(struct kraw_edit *edit, const struct nlattr *nest,
			u8 cmd, struct kraw_rule_name *name,
			struct kraw_change *change)
{
	const struct kraw_proto *proto;
	int err;

	err = kraw_rule_name_parse_full(name, nest, edit->extack);
	if (err)
		return err;
	proto = find(edit, nest, name->proto);
	if (IS_ERR(proto))
		return PTR_ERR(proto);
	switch (cmd) {
	case KRAW_CMD_RULE_ADD:
		err = kraw_rule_name_check_new(name, edit->extack);
		return err ?: rule_add(edit, proto, name, change);
	case KRAW_CMD_RULE_REPLACE:
		return rule_replace(edit, proto, name, change);
	case KRAW_CMD_RULE_DEL:
		return rule_del(edit, proto, name, change);
	default:
		change->flushed = name;
		return rule_flush(edit, name->proto, name);
	}
}

static int generation_check(const struct kraw_edit *edit,
			    const struct genl_info *info)
{
	const struct nlattr *nla = info->attrs[KRAW_A_GENERATION];

	if (!nla || nla_get_u32(nla) == edit->old->generation)
		return 0;
	NL_SET_ERR_MSG_ATTR(edit->extack, nla,
			    "the configuration has changed: another generation is in force");
	return -ESTALE;
}

static int command(struct kraw_edit *edit, const struct genl_info *info,
		   const struct nlattr *nest, struct kraw_rule_name *name,
		   struct kraw_change *change)
{
	switch (info->genlhdr->cmd) {
	case KRAW_CMD_PROTO_ADD:
		return proto_add(edit, nest, change);
	case KRAW_CMD_PROTO_SET:
		return proto_set(edit, nest, change);
	case KRAW_CMD_PROTO_DEL:
		return proto_del(edit, nest, change);
	case KRAW_CMD_APPLY:
		change->config = edit->new;
		return kraw_apply(edit, info);
	default:
		return rule_command(edit, nest, info->genlhdr->cmd, name,
				    change);
	}
}

static u32 flags_of(const struct genl_info *info)
{
	const struct nlattr *flags = info->attrs[KRAW_A_FLAGS];

	return flags ? nla_get_u32(flags) : 0;
}

/**
 * kraw_change - carry out a command that changes something
 * @skb:	the request
 * @info:	the request, parsed
 * @nest:	the nest that it is about, NULL for KRAW_CMD_APPLY
 * @done:	called with what has changed, before anything else can change
 *
 * Returns 0 or a negative error with nothing changed.
 */
int kraw_change(struct sk_buff *skb, struct genl_info *info,
		const struct nlattr *nest,
		void (*done)(const struct kraw_change *change))
{
	struct kraw_edit edit = {
		.kn = kraw_net(genl_info_net(info)),
		.request = skb,
		.extack = info->extack,
		.force = flags_of(info) & KRAW_FLAG_FORCE,
	};
	struct kraw_change change = { .info = info };
	struct kraw_rule_name name;
	int err;

	err = kraw_edit_begin(&edit, info->genlhdr->cmd == KRAW_CMD_APPLY);
	if (err)
		return err;
	err = generation_check(&edit, info);
	if (!err)
		err = command(&edit, info, nest, &name, &change);
	if (!err && flags_of(info) & KRAW_FLAG_CHECK) {
		err = kraw_edit_check(&edit);
	} else if (!err) {
		err = kraw_edit_commit(&edit);
		change.generation = edit.new->generation;
		if (!err)
			done(&change);
	}
	kraw_edit_end(&edit);
	return err;
}
