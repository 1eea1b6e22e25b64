// SPDX-License-Identifier: GPL-2.0
/*
 * The generic netlink family "kraw": policies, commands, notifications.
 * uapi/linux/kraw.h specifies the messages. Attributes of a protocol are read
 * and written by proto.c, those of a rule by rule.c; what changes is made by
 * change.c and apply.c, what is asked answered by query.c.
 */
#include "netlink.h"

#include <net/genetlink.h>
#include <net/netlink.h>
#include "change.h"
#include "dgram.h"
#include "message.h"
#include "permit.h"
#include "proto.h"
#include "query.h"
#include "rule.h"
#include "sample.h"
#include "socket.h"
#include "tracer.h"
#include "uapi/linux/kraw.h"

/* Everything that changes the configuration takes the expected generation. */
#define GENERATION	NLA_POLICY_MIN(NLA_U32, 1)
/* And what may close datagram sockets is told whether to. */
#define FLAGS		NLA_POLICY_MASK(NLA_U32, KRAW_FLAG_CHECK | KRAW_FLAG_FORCE)

static const struct nla_policy proto_policy[KRAW_A_MAX + 1] = {
	[KRAW_A_GENERATION] = GENERATION,
	[KRAW_A_PROTO] = NLA_POLICY_NESTED(kraw_proto_policy),
};

static const struct nla_policy proto_set_policy[KRAW_A_MAX + 1] = {
	[KRAW_A_GENERATION] = GENERATION,
	[KRAW_A_FLAGS] = FLAGS,
	[KRAW_A_PROTO] = NLA_POLICY_NESTED(kraw_proto_policy),
};

static const struct nla_policy proto_name_policy[KRAW_A_MAX + 1] = {
	[KRAW_A_GENERATION] = GENERATION,
	[KRAW_A_FLAGS] = FLAGS,
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
	[KRAW_A_FLAGS] = FLAGS,
	[KRAW_A_PROTO] = NLA_POLICY_NESTED(kraw_proto_policy),
	[KRAW_A_RULE] = NLA_POLICY_NESTED(kraw_rule_policy),
};

static const struct nla_policy explain_policy[KRAW_A_MAX + 1] = {
	[KRAW_A_PACKET] = NLA_POLICY_NESTED(kraw_sample_policy),
};

static const struct nla_policy open_policy[KRAW_A_MAX + 1] = {
	[KRAW_A_OPEN] = NLA_POLICY_NESTED(kraw_permit_policy),
};

static const struct nla_policy trace_policy[KRAW_A_MAX + 1] = {
	[KRAW_A_RULE] = NLA_POLICY_NESTED(kraw_tracer_filter_policy),
	[KRAW_A_TRACE] = NLA_POLICY_NESTED(kraw_tracer_options_policy),
};

/* For commands without attributes: without a policy all would be ignored. */
static const struct nla_policy no_policy[KRAW_A_MAX + 1] = {
	[KRAW_A_GENERATION] = { .type = NLA_REJECT },
};

static void notify(const struct kraw_change *change)
{
	struct genl_info *info = change->info;
	struct net *net = genl_info_net(info);
	struct kraw_message object = {
		.generation = change->generation,
		.proto = change->proto,
		.rule = change->rule,
		.flushed = change->flushed,
		.config = change->config,
		.doer = current,
		.net = net,
	};
	struct sk_buff *msg;

	/* NLM_F_ECHO goes to the sender, be anybody listening or not. */
	if (!genl_has_listeners(&kraw_genl, net, KRAW_NETLINK_CONFIG) &&
	    !(info->nlhdr->nlmsg_flags & NLM_F_ECHO))
		return;
	msg = kraw_message_new(change->rule ? change->rule->insns_len : 0);
	if (!msg)
		goto err;
	if (kraw_message_fill(msg, info->snd_portid, info->snd_seq, 0,
			      info->genlhdr->cmd, &object, NULL)) {
		nlmsg_free(msg);
		goto err;
	}
	genl_notify(&kraw_genl, msg, info, KRAW_NETLINK_CONFIG, GFP_KERNEL);
	return;

err:	/* tell listeners that they have missed something */
	genl_set_err(&kraw_genl, net, info->snd_portid, KRAW_NETLINK_CONFIG,
		     -ENOBUFS);
}

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

	if (nest && !kraw_message_nest(info, nest))
		return -EINVAL;
	return kraw_change(skb, info, nest ? info->attrs[nest] : NULL, notify);
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
	CHANGE(PROTO_SET, proto_set_policy),
	CHANGE(PROTO_DEL, proto_name_policy),
	{
		.cmd		= KRAW_CMD_PROTO_GET,
		.doit		= kraw_query_proto,
		.dumpit		= kraw_query_protos,
		.policy		= proto_get_policy,
		.maxattr	= KRAW_A_MAX,
	},
	CHANGE(RULE_ADD, rule_policy),
	CHANGE(RULE_REPLACE, rule_policy),
	CHANGE(RULE_DEL, rule_name_policy),
	CHANGE(RULE_FLUSH, rule_scope_policy),
	{
		.cmd		= KRAW_CMD_RULE_GET,
		.doit		= kraw_query_rule,
		.start		= kraw_query_rules_start,
		.dumpit		= kraw_query_rules,
		.policy		= rule_get_policy,
		.maxattr	= KRAW_A_MAX,
	},
	CHANGE(APPLY, apply_policy),
	{
		.cmd		= KRAW_CMD_HANDLER_GET,
		.dumpit		= kraw_query_handlers,
		.policy		= no_policy,
		.maxattr	= KRAW_A_MAX,
	},
	{
		.cmd		= KRAW_CMD_CONFIG_GET,
		.doit		= kraw_query_config,
		.policy		= no_policy,
		.maxattr	= KRAW_A_MAX,
	},
	{
		.cmd		= KRAW_CMD_EXPLAIN,
		.flags		= GENL_UNS_ADMIN_PERM,
		.dumpit		= kraw_query_explain,
		.done		= kraw_query_explain_done,
		.policy		= explain_policy,
		.maxattr	= KRAW_A_MAX,
	},
	{
		.cmd		= KRAW_CMD_TRACE,
		.flags		= GENL_UNS_ADMIN_PERM,
		.doit		= kraw_tracer_start,
		.policy		= trace_policy,
		.maxattr	= KRAW_A_MAX,
	},
	{
		.cmd		= KRAW_CMD_TRACE_STOP,
		.flags		= GENL_UNS_ADMIN_PERM,
		.doit		= kraw_tracer_stop,
		.policy		= no_policy,
		.maxattr	= KRAW_A_MAX,
	},
	{
		.cmd		= KRAW_CMD_SOCKET_GET,
		.flags		= GENL_UNS_ADMIN_PERM,
		.dumpit		= kraw_socket_dump,
		.policy		= no_policy,
		.maxattr	= KRAW_A_MAX,
	},
	{
		.cmd		= KRAW_CMD_DGRAM_GET,
		.dumpit		= kraw_dgram_dump,
		.policy		= no_policy,
		.maxattr	= KRAW_A_MAX,
	},
	{
		.cmd		= KRAW_CMD_OPEN_GET,
		.doit		= kraw_permit_explain,
		.policy		= open_policy,
		.maxattr	= KRAW_A_MAX,
	},
};

static const struct genl_multicast_group groups[] = {
	[KRAW_NETLINK_CONFIG] = { .name = KRAW_MCGRP_CONFIG },
	[KRAW_NETLINK_SOCKETS] = {
		.name	= KRAW_MCGRP_SOCKETS,
		.flags	= GENL_MCAST_CAP_NET_ADMIN,
	},
};

struct genl_family kraw_genl __ro_after_init = {
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
	return genl_register_family(&kraw_genl);
}

void kraw_netlink_exit(void)
{
	genl_unregister_family(&kraw_genl);
}
