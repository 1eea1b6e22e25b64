// SPDX-License-Identifier: GPL-2.0
/*
 * The generic netlink family "kraw": policies, commands, dumps, notifications.
 * uapi/linux/kraw.h specifies the messages. Attributes of a protocol are read
 * and written by proto.c, those of a rule by rule.c; what changes is made by
 * change.c and apply.c.
 */
#include "netlink.h"

#include <linux/err.h>
#include <linux/filter.h>
#include <linux/rcupdate.h>
#include <net/genetlink.h>
#include <net/netlink.h>
#include <net/sock.h>
#include "change.h"
#include "compat.h"
#include "config.h"
#include "explain.h"
#include "net.h"
#include "proto.h"
#include "rule.h"
#include "ruleset.h"
#include "sample.h"
#include "slot.h"
#include "uapi/linux/kraw.h"

static struct genl_family family;

/* Everything that changes the configuration takes the expected generation. */
#define GENERATION	NLA_POLICY_MIN(NLA_U32, 1)

static const struct nla_policy proto_policy[KRAW_A_MAX + 1] = {
	[KRAW_A_GENERATION] = GENERATION,
	[KRAW_A_PROTO] = NLA_POLICY_NESTED(kraw_proto_policy),
};

static const struct nla_policy proto_name_policy[KRAW_A_MAX + 1] = {
	[KRAW_A_GENERATION] = GENERATION,
	[KRAW_A_PROTO] = NLA_POLICY_NESTED(kraw_proto_name_policy),
};

static const struct nla_policy proto_get_policy[KRAW_A_MAX + 1] = {
	[KRAW_A_PROTO] = NLA_POLICY_NESTED(kraw_proto_name_policy),
};

static const struct nla_policy rule_policy[KRAW_A_MAX + 1] = {
	[KRAW_A_GENERATION] = GENERATION,
	[KRAW_A_RULE] = NLA_POLICY_NESTED(kraw_rule_policy),
};

static const struct nla_policy rule_name_policy[KRAW_A_MAX + 1] = {
	[KRAW_A_GENERATION] = GENERATION,
	[KRAW_A_RULE] = NLA_POLICY_NESTED(kraw_rule_name_policy),
};

static const struct nla_policy rule_scope_policy[KRAW_A_MAX + 1] = {
	[KRAW_A_GENERATION] = GENERATION,
	[KRAW_A_RULE] = NLA_POLICY_NESTED(kraw_rule_scope_policy),
};

static const struct nla_policy rule_get_policy[KRAW_A_MAX + 1] = {
	[KRAW_A_RULE] = NLA_POLICY_NESTED(kraw_rule_name_policy),
};

static const struct nla_policy apply_policy[KRAW_A_MAX + 1] = {
	[KRAW_A_GENERATION] = GENERATION,
	[KRAW_A_FLAGS] = NLA_POLICY_MASK(NLA_U32, KRAW_FLAG_CHECK),
	[KRAW_A_PROTO] = NLA_POLICY_NESTED(kraw_proto_policy),
	[KRAW_A_RULE] = NLA_POLICY_NESTED(kraw_rule_policy),
};

static const struct nla_policy explain_policy[KRAW_A_MAX + 1] = {
	[KRAW_A_PACKET] = NLA_POLICY_NESTED(kraw_sample_policy),
};

/* For commands without attributes: without a policy all would be ignored. */
static const struct nla_policy no_policy[KRAW_A_MAX + 1] = {
	[KRAW_A_GENERATION] = { .type = NLA_REJECT },
};

/* The one nest that most commands need; NULL: refused. */
static const struct nlattr *required(struct genl_info *info, int attr)
{
	if (info->attrs[attr])
		return info->attrs[attr];
	if (attr == KRAW_A_PROTO)
		NL_SET_ERR_MSG(info->extack, "the request names no protocol");
	else
		NL_SET_ERR_MSG(info->extack, "the request names no rule");
	return NULL;
}

/*
 * Messages.
 */

/* What a message is about. */
struct object {
	u32 generation;
	const struct kraw_proto *proto;
	const struct kraw_rule *rule;
	const struct kraw_rule_name *flushed;
	bool counters;
};

static int flushed_fill(struct sk_buff *msg, const struct kraw_rule_name *name)
{
	struct nlattr *nest = nla_nest_start(msg, KRAW_A_RULE);

	if (!nest || nla_put_u8(msg, KRAW_RULE_A_PROTO, name->proto) ||
	    (name->has_hook && nla_put_u8(msg, KRAW_RULE_A_HOOK, name->hook)))
		return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return 0;
}

static int message_fill(struct sk_buff *msg, u32 portid, u32 seq, int flags,
			u8 cmd, const struct object *object,
			struct netlink_callback *cb)
{
	void *hdr = genlmsg_put(msg, portid, seq, &family, flags, cmd);

	if (!hdr)
		return -EMSGSIZE;
	if (cb)
		genl_dump_check_consistent(cb, hdr);
	if (nla_put_u32(msg, KRAW_A_GENERATION, object->generation) ||
	    (object->proto &&
	     kraw_proto_fill(msg, object->proto, object->counters)) ||
	    (object->rule &&
	     kraw_rule_fill(msg, object->rule, object->counters)) ||
	    (object->flushed && flushed_fill(msg, object->flushed))) {
		genlmsg_cancel(msg, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(msg, hdr);
	return 0;
}

/* More than all of a rule takes in a message, but for its program. */
#define RULE_REST	(KRAW_EXPR_MAX + 1024)

/* A message with one object; a rule's program has up to @insns_len bytes. */
static struct sk_buff *message_new(u16 insns_len)
{
	return genlmsg_new(max_t(size_t, GENLMSG_DEFAULT_SIZE,
				 insns_len + RULE_REST), GFP_KERNEL);
}

static void notify(const struct kraw_change *change)
{
	struct genl_info *info = change->info;
	struct net *net = genl_info_net(info);
	struct object object = {
		.generation = change->generation,
		.proto = change->proto,
		.rule = change->rule,
		.flushed = change->flushed,
	};
	struct sk_buff *msg;

	/* NLM_F_ECHO goes to the sender, be anybody listening or not. */
	if (!genl_has_listeners(&family, net, 0) &&
	    !(info->nlhdr->nlmsg_flags & NLM_F_ECHO))
		return;
	msg = message_new(change->rule ? change->rule->insns_len : 0);
	if (!msg)
		goto err;
	if (message_fill(msg, info->snd_portid, info->snd_seq, 0,
			 info->genlhdr->cmd, &object, NULL)) {
		nlmsg_free(msg);
		goto err;
	}
	genl_notify(&family, msg, info, 0, GFP_KERNEL);
	return;

err:	/* tell listeners that they have missed something */
	genl_set_err(&family, net, info->snd_portid, 0, -ENOBUFS);
}

/*
 * Commands that change something.
 */

static int cmd_change(struct sk_buff *skb, struct genl_info *info)
{
	static const u8 nests[KRAW_CMD_MAX + 1] = {
		[KRAW_CMD_PROTO_ADD] = KRAW_A_PROTO,
		[KRAW_CMD_PROTO_SET] = KRAW_A_PROTO,
		[KRAW_CMD_PROTO_DEL] = KRAW_A_PROTO,
		[KRAW_CMD_RULE_ADD] = KRAW_A_RULE,
		[KRAW_CMD_RULE_REPLACE] = KRAW_A_RULE,
		[KRAW_CMD_RULE_DEL] = KRAW_A_RULE,
		[KRAW_CMD_RULE_FLUSH] = KRAW_A_RULE,
	};
	u8 nest = nests[info->genlhdr->cmd];

	if (nest && !required(info, nest))
		return -EINVAL;
	return kraw_change(skb, info, nest ? info->attrs[nest] : NULL, notify);
}

/*
 * Commands that read.
 */

static int cmd_proto_get(struct sk_buff *skb, struct genl_info *info)
{
	const struct nlattr *nest = required(info, KRAW_A_PROTO);
	struct object object = { .counters = true };
	const struct kraw_config *config;
	struct sk_buff *msg;
	int number, err;

	if (!nest)
		return -EINVAL;
	number = kraw_proto_number(nest, info->extack);
	if (number < 0)
		return number;
	msg = message_new(0);
	if (!msg)
		return -ENOMEM;
	rcu_read_lock();
	config = rcu_dereference(kraw_net(genl_info_net(info))->config);
	object.generation = config->generation;
	object.proto = config->proto[number];
	err = -ENOENT;
	if (object.proto)
		err = message_fill(msg, info->snd_portid, info->snd_seq, 0,
				   KRAW_CMD_PROTO_GET, &object, NULL);
	rcu_read_unlock();
	if (!err)
		return genlmsg_reply(msg, info);
	nlmsg_free(msg);
	if (err == -ENOENT)
		NL_SET_ERR_MSG_ATTR(info->extack, nest,
				    "this protocol is not managed here");
	return err;
}

static int dump_proto(struct sk_buff *msg, struct netlink_callback *cb)
{
	struct object object = { .counters = true };
	const struct kraw_config *config;
	int number;

	if (kraw_dump_attrs(cb)[KRAW_A_PROTO]) {
		NL_SET_ERR_MSG_ATTR(cb->extack,
				    kraw_dump_attrs(cb)[KRAW_A_PROTO],
				    "a dump is of all protocols: ask for one without NLM_F_DUMP");
		return -EINVAL;
	}
	rcu_read_lock();
	config = rcu_dereference(kraw_net(sock_net(msg->sk))->config);
	cb->seq = config->generation;
	object.generation = config->generation;
	for (number = cb->args[0]; number < KRAW_PROTOCOLS; number++) {
		object.proto = config->proto[number];
		if (object.proto &&
		    message_fill(msg, NETLINK_CB(cb->skb).portid,
				 cb->nlh->nlmsg_seq, NLM_F_MULTI,
				 KRAW_CMD_PROTO_GET, &object, cb))
			break;
	}
	rcu_read_unlock();
	cb->args[0] = number;
	return msg->len;
}

static int rule_find(const struct kraw_config *config,
		     const struct kraw_rule_name *name,
		     const struct kraw_rule **rule,
		     struct netlink_ext_ack *extack)
{
	const struct kraw_proto *proto = config->proto[name->proto];
	const struct kraw_ruleset *set;
	int index, err;

	err = kraw_rule_name_check_old(name, extack);
	if (err)
		return err;
	set = proto ? kraw_proto_rules(proto, name->hook) : NULL;
	index = kraw_ruleset_find(set, name, extack);
	if (index < 0)
		return index;
	*rule = set->rules[index];
	return 0;
}

static int cmd_rule_get(struct sk_buff *skb, struct genl_info *info)
{
	const struct nlattr *nest = required(info, KRAW_A_RULE);
	struct object object = { .counters = true };
	const struct kraw_config *config;
	struct kraw_rule_name name;
	struct sk_buff *msg;
	int err;

	if (!nest)
		return -EINVAL;
	err = kraw_rule_name_parse_full(&name, nest, info->extack);
	if (err)
		return err;
	/* The longest that there may be: the rule's own is known too late. */
	msg = message_new(BPF_MAXINSNS * sizeof(struct sock_filter));
	if (!msg)
		return -ENOMEM;
	rcu_read_lock();
	config = rcu_dereference(kraw_net(genl_info_net(info))->config);
	object.generation = config->generation;
	err = rule_find(config, &name, &object.rule, info->extack);
	if (!err)
		err = message_fill(msg, info->snd_portid, info->snd_seq, 0,
				   KRAW_CMD_RULE_GET, &object, NULL);
	rcu_read_unlock();
	if (!err)
		return genlmsg_reply(msg, info);
	nlmsg_free(msg);
	return err;
}

/* A dump goes through the rulesets by protocol, then hook; NULL: none there. */
static const struct kraw_ruleset *dump_ruleset(const struct kraw_config *config,
					       int i)
{
	const struct kraw_proto *proto = config->proto[i / KRAW_HOOKS];

	return proto ? kraw_proto_rules(proto, i % KRAW_HOOKS + 1) : NULL;
}

/*
 * A rule with a long program does not fit into the usual dump message. The
 * size is only raised where there is one: readers with a small buffer lose
 * what is cut off.
 */
static int dump_rule_start(struct netlink_callback *cb)
{
	const struct kraw_config *config;
	const struct kraw_ruleset *set;
	u16 insns_max = 0;
	int i;

	rcu_read_lock();
	config = rcu_dereference(kraw_net(sock_net(cb->skb->sk))->config);
	for (i = 0; i < KRAW_PROTOCOLS * KRAW_HOOKS; i++) {
		set = dump_ruleset(config, i);
		if (set)
			insns_max = max(insns_max, set->insns_max);
	}
	rcu_read_unlock();
	if (insns_max + RULE_REST > NLMSG_GOODSIZE)
		cb->min_dump_alloc = insns_max + RULE_REST;
	return 0;
}

/*
 * A rule does not fit into an empty message: its program is longer than all
 * that were there when the dump began. Messages to come get the room, and this
 * one says nothing.
 */
static int dump_more_room(struct sk_buff *msg, struct netlink_callback *cb)
{
	const u16 room = BPF_MAXINSNS * sizeof(struct sock_filter) + RULE_REST;

	if (cb->min_dump_alloc == room ||
	    !nlmsg_put(msg, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
		       NLMSG_NOOP, 0, NLM_F_MULTI))
		return -EMSGSIZE;
	cb->min_dump_alloc = room;
	return msg->len;
}

static bool rule_dump_skips(const struct kraw_rule_name *filter, int i)
{
	return (filter->has_proto && filter->proto != i / KRAW_HOOKS) ||
	       (filter->has_hook && filter->hook != i % KRAW_HOOKS + 1);
}

/*
 * The cursor is a ruleset and an index in it. If something changes
 * meanwhile the index may miss its rule: the generation in cb->seq tells.
 */
static int dump_rule(struct sk_buff *msg, struct netlink_callback *cb)
{
	const struct nlattr *nest = kraw_dump_attrs(cb)[KRAW_A_RULE];
	struct object object = { .counters = true };
	struct kraw_rule_name filter = {};
	const struct kraw_config *config;
	const struct kraw_ruleset *set;
	unsigned long index;
	int i, err;

	if (nest) {
		err = kraw_rule_name_parse(&filter, nest, cb->extack);
		if (err)
			return err;
		if (filter.has_pref || filter.has_handle) {
			NL_SET_ERR_MSG_ATTR(cb->extack, nest,
					    "a dump can be narrowed to a protocol and a hook only");
			return -EINVAL;
		}
	}
	rcu_read_lock();
	config = rcu_dereference(kraw_net(sock_net(msg->sk))->config);
	cb->seq = config->generation;
	object.generation = config->generation;
	index = cb->args[1];
	for (i = cb->args[0]; i < KRAW_PROTOCOLS * KRAW_HOOKS; i++) {
		if (rule_dump_skips(&filter, i))
			continue;
		set = dump_ruleset(config, i);
		for (; set && index < set->count; index++) {
			object.rule = set->rules[index];
			if (message_fill(msg, NETLINK_CB(cb->skb).portid,
					 cb->nlh->nlmsg_seq, NLM_F_MULTI,
					 KRAW_CMD_RULE_GET, &object, cb))
				goto full;
		}
		index = 0;
	}
full:
	rcu_read_unlock();
	cb->args[0] = i;
	cb->args[1] = index;
	if (!msg->len && i < KRAW_PROTOCOLS * KRAW_HOOKS)
		return dump_more_room(msg, cb);
	return msg->len;
}

static int cmd_config_get(struct sk_buff *skb, struct genl_info *info)
{
	const struct kraw_config *config;
	struct object object = {};
	struct sk_buff *msg;
	int err;

	msg = message_new(0);
	if (!msg)
		return -ENOMEM;
	rcu_read_lock();
	config = rcu_dereference(kraw_net(genl_info_net(info))->config);
	object.generation = config->generation;
	rcu_read_unlock();
	err = message_fill(msg, info->snd_portid, info->snd_seq, 0,
			   KRAW_CMD_CONFIG_GET, &object, NULL);
	if (!err)
		return genlmsg_reply(msg, info);
	nlmsg_free(msg);
	return err;
}

static int handler_fill(struct sk_buff *msg, struct netlink_callback *cb,
			u8 number, enum kraw_family fam,
			const struct kraw_handler *handler)
{
	void *hdr;

	hdr = genlmsg_put(msg, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			  &family, NLM_F_MULTI, KRAW_CMD_HANDLER_GET);
	if (!hdr)
		return -EMSGSIZE;
	if (kraw_slot_fill(msg, number, fam, handler)) {
		genlmsg_cancel(msg, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(msg, hdr);
	return 0;
}

static bool claimed_here(struct net *net, u8 number, enum kraw_family fam)
{
	const struct kraw_config *config;
	bool here;

	rcu_read_lock();
	config = rcu_dereference(kraw_net(net)->config);
	here = kraw_proto_slots(config->proto[number]) & BIT(fam);
	rcu_read_unlock();
	return here;
}

static int dump_handler(struct sk_buff *msg, struct netlink_callback *cb)
{
	int i;

	for (i = cb->args[0]; i < KRAW_PROTOCOLS * KRAW_FAMILIES; i++) {
		u8 number = i / KRAW_FAMILIES, fam = i % KRAW_FAMILIES;
		struct kraw_handler handler;

		if (!kraw_slot_handler(number, fam, &handler))
			continue;
		if (handler.flags & KRAW_HANDLER_KRAW &&
		    claimed_here(sock_net(msg->sk), number, fam))
			handler.flags |= KRAW_HANDLER_HERE;
		if (handler_fill(msg, cb, number, fam, &handler))
			break;
	}
	cb->args[0] = i;
	return msg->len;
}

static int step_fill(struct sk_buff *msg, struct netlink_callback *cb,
		     const struct kraw_explain *explain, u32 step)
{
	void *hdr = genlmsg_put(msg, NETLINK_CB(cb->skb).portid,
				cb->nlh->nlmsg_seq, &family, NLM_F_MULTI,
				KRAW_CMD_EXPLAIN);

	if (!hdr)
		return -EMSGSIZE;
	if (nla_put_u32(msg, KRAW_A_GENERATION, explain->generation) ||
	    kraw_explain_fill(msg, explain, step)) {
		genlmsg_cancel(msg, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(msg, hdr);
	return 0;
}

/* Finds everything out. Not in .start: that has no extack before 6.2. */
static int dump_explain_begin(struct sk_buff *msg, struct netlink_callback *cb)
{
	const struct nlattr *nest = kraw_dump_attrs(cb)[KRAW_A_PACKET];
	struct kraw_explain *explain;

	if (!nest) {
		NL_SET_ERR_MSG(cb->extack, "the request describes no packet");
		return -EINVAL;
	}
	explain = kraw_explain_new(sock_net(msg->sk), nest, cb->extack);
	if (IS_ERR(explain))
		return PTR_ERR(explain);
	cb->args[0] = (long)explain;
	return 0;
}

/*
 * What was found is kept in cb->args[0], the cursor is the next step. So the
 * answer is of one instant and no change can interrupt it.
 */
static int dump_explain(struct sk_buff *msg, struct netlink_callback *cb)
{
	const struct kraw_explain *explain;
	u32 step = cb->args[1];
	int err;

	if (!cb->args[0]) {
		err = dump_explain_begin(msg, cb);
		if (err)
			return err;
	}
	explain = (void *)cb->args[0];
	while (step < kraw_explain_steps(explain) &&
	       !step_fill(msg, cb, explain, step))
		step++;
	cb->args[1] = step;
	if (!msg->len && step < kraw_explain_steps(explain))
		return dump_more_room(msg, cb);
	return msg->len;
}

static int dump_explain_done(struct netlink_callback *cb)
{
	if (cb->args[0])
		kraw_explain_free((void *)cb->args[0]);
	return 0;
}

#define CHANGE(command, attrs) {				\
	.cmd		= KRAW_CMD_##command,			\
	.flags		= GENL_UNS_ADMIN_PERM,			\
	.doit		= cmd_change,				\
	.policy		= attrs,				\
	.maxattr	= KRAW_A_MAX,				\
}

static const struct genl_ops ops[] = {
	CHANGE(PROTO_ADD, proto_policy),
	CHANGE(PROTO_SET, proto_policy),
	CHANGE(PROTO_DEL, proto_name_policy),
	{
		.cmd		= KRAW_CMD_PROTO_GET,
		.doit		= cmd_proto_get,
		.dumpit		= dump_proto,
		.policy		= proto_get_policy,
		.maxattr	= KRAW_A_MAX,
	},
	CHANGE(RULE_ADD, rule_policy),
	CHANGE(RULE_REPLACE, rule_policy),
	CHANGE(RULE_DEL, rule_name_policy),
	CHANGE(RULE_FLUSH, rule_scope_policy),
	{
		.cmd		= KRAW_CMD_RULE_GET,
		.doit		= cmd_rule_get,
		.start		= dump_rule_start,
		.dumpit		= dump_rule,
		.policy		= rule_get_policy,
		.maxattr	= KRAW_A_MAX,
	},
	CHANGE(APPLY, apply_policy),
	{
		.cmd		= KRAW_CMD_HANDLER_GET,
		.dumpit		= dump_handler,
		.policy		= no_policy,
		.maxattr	= KRAW_A_MAX,
	},
	{
		.cmd		= KRAW_CMD_CONFIG_GET,
		.doit		= cmd_config_get,
		.policy		= no_policy,
		.maxattr	= KRAW_A_MAX,
	},
	{
		.cmd		= KRAW_CMD_EXPLAIN,
		.flags		= GENL_UNS_ADMIN_PERM,
		.dumpit		= dump_explain,
		.done		= dump_explain_done,
		.policy		= explain_policy,
		.maxattr	= KRAW_A_MAX,
	},
};

static const struct genl_multicast_group groups[] = {
	{ .name = KRAW_MCGRP_CONFIG },
};

static struct genl_family family __ro_after_init = {
	.name		= KRAW_GENL_NAME,
	.version	= KRAW_GENL_VERSION,
	.netnsok	= true,
	.parallel_ops	= true,	/* edits lock their namespace */
	.module		= THIS_MODULE,
	.ops		= ops,
	.n_ops		= ARRAY_SIZE(ops),
	.mcgrps		= groups,
	.n_mcgrps	= ARRAY_SIZE(groups),
};

int __init kraw_netlink_init(void)
{
	return genl_register_family(&family);
}

void kraw_netlink_exit(void)
{
	genl_unregister_family(&family);
}
