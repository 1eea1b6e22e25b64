// SPDX-License-Identifier: GPL-2.0
/* The commands of the netlink family that read: answers and dumps. */
#include "query.h"

#include <linux/err.h>
#include <linux/filter.h>
#include <linux/rcupdate.h>
#include <net/genetlink.h>
#include <net/netlink.h>
#include <net/sock.h>
#include "compat.h"
#include "config.h"
#include "explain.h"
#include "message.h"
#include "net.h"
#include "netlink.h"
#include "proto.h"
#include "rule.h"
#include "ruleset.h"
#include "slot.h"
#include "uapi/linux/kraw.h"

int kraw_query_proto(struct sk_buff *skb, struct genl_info *info)
{
	const struct nlattr *nest = kraw_message_nest(info, KRAW_A_PROTO);
	struct kraw_message object = { .counters = true };
	const struct kraw_config *config;
	struct sk_buff *msg;
	int number, err;

	if (!nest)
		return -EINVAL;
	number = kraw_proto_number(nest, info->extack);
	if (number < 0)
		return number;
	msg = kraw_message_new(0);
	if (!msg)
		return -ENOMEM;
	rcu_read_lock();
	config = rcu_dereference(kraw_net(genl_info_net(info))->config);
	object.generation = config->generation;
	object.proto = config->proto[number];
	err = -ENOENT;
	if (object.proto)
		err = kraw_message_fill(msg, info->snd_portid, info->snd_seq, 0,
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

int kraw_query_protos(struct sk_buff *msg, struct netlink_callback *cb)
{
	struct kraw_message object = { .counters = true };
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
		    kraw_message_fill(msg, NETLINK_CB(cb->skb).portid,
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

int kraw_query_rule(struct sk_buff *skb, struct genl_info *info)
{
	const struct nlattr *nest = kraw_message_nest(info, KRAW_A_RULE);
	struct kraw_message object = { .counters = true };
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
	msg = kraw_message_new(BPF_MAXINSNS * sizeof(struct sock_filter));
	if (!msg)
		return -ENOMEM;
	rcu_read_lock();
	config = rcu_dereference(kraw_net(genl_info_net(info))->config);
	object.generation = config->generation;
	err = rule_find(config, &name, &object.rule, info->extack);
	if (!err)
		err = kraw_message_fill(msg, info->snd_portid, info->snd_seq, 0,
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
int kraw_query_rules_start(struct netlink_callback *cb)
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
	if (insns_max + KRAW_MESSAGE_REST > NLMSG_GOODSIZE)
		cb->min_dump_alloc = insns_max + KRAW_MESSAGE_REST;
	return 0;
}

/*
 * A rule does not fit into an empty message: its program is longer than all
 * that were there when the dump began. Messages to come get the room, and this
 * one says nothing.
 */
static int dump_more_room(struct sk_buff *msg, struct netlink_callback *cb)
{
	const u16 room = BPF_MAXINSNS * sizeof(struct sock_filter) +
			 KRAW_MESSAGE_REST;

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
int kraw_query_rules(struct sk_buff *msg, struct netlink_callback *cb)
{
	const struct nlattr *nest = kraw_dump_attrs(cb)[KRAW_A_RULE];
	struct kraw_message object = { .counters = true };
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
			NL_SET_ERR_MSG_ATTR(cb->extack,
					    nla_find_nested(nest, filter.has_pref ?
							    KRAW_RULE_A_PREF :
							    KRAW_RULE_A_HANDLE),
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
			if (kraw_message_fill(msg, NETLINK_CB(cb->skb).portid,
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

int kraw_query_config(struct sk_buff *skb, struct genl_info *info)
{
	const struct kraw_config *config;
	struct kraw_message object = {};
	struct sk_buff *msg;
	int err;

	msg = kraw_message_new(0);
	if (!msg)
		return -ENOMEM;
	rcu_read_lock();
	config = rcu_dereference(kraw_net(genl_info_net(info))->config);
	object.generation = config->generation;
	object.config = config;
	err = kraw_message_fill(msg, info->snd_portid, info->snd_seq, 0,
				KRAW_CMD_CONFIG_GET, &object, NULL);
	rcu_read_unlock();
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
			  &kraw_genl, NLM_F_MULTI, KRAW_CMD_HANDLER_GET);
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

int kraw_query_handlers(struct sk_buff *msg, struct netlink_callback *cb)
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
				cb->nlh->nlmsg_seq, &kraw_genl, NLM_F_MULTI,
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
int kraw_query_explain(struct sk_buff *msg, struct netlink_callback *cb)
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

int kraw_query_explain_done(struct netlink_callback *cb)
{
	if (cb->args[0])
		kraw_explain_free((void *)cb->args[0]);
	return 0;
}
