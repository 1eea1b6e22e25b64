// SPDX-License-Identifier: GPL-2.0
/*
 * Whether a datagram socket of a protocol may be opened, and why: asked when one is,
 * and by whoever wants to know beforehand.
 */
#include "permit.h"

#include <linux/rcupdate.h>
#include <net/genetlink.h>
#include <net/netlink.h>
#include "config.h"
#include "message.h"
#include "netlink.h"
#include "proto.h"
#include "slot.h"

const struct nla_policy kraw_permit_policy[KRAW_OPEN_A_MAX + 1] = {
	[KRAW_OPEN_A_PROTO]	= { .type = NLA_U8 },
	[KRAW_OPEN_A_FAMILY]	= NLA_POLICY_RANGE(NLA_U8, KRAW_FAMILY_IPV4,
						   KRAW_FAMILY_IPV6),
	[KRAW_OPEN_A_UID]	= { .type = NLA_U32 },
	[KRAW_OPEN_A_GID]	= { .type = NLA_U32 },
};

/**
 * kraw_permit_ask - whether a socket may be opened
 * @net:	namespace
 * @number:	protocol number
 * @family:	...
 * @who:	wants to; NULL: the current process
 * @permit:	result, valid as long as RCU is held
 *
 * Context: RCU.
 */
void kraw_permit_ask(struct net *net, u8 number, enum kraw_family family,
		     const struct kraw_users_who *who,
		     struct kraw_permit *permit)
{
	const struct kraw_config *config = rcu_dereference(kraw_net(net)->config);
	const struct kraw_proto *proto = config->proto[number];

	permit->proto = proto;
	permit->entry = NULL;
	if (!proto)
		permit->result = KRAW_OPEN_RESULT_UNMANAGED;
	else if (!proto->binds)
		permit->result = KRAW_OPEN_RESULT_UNCLAIMED;
	else if (!kraw_config_managed(config, number, family))
		permit->result = KRAW_OPEN_RESULT_FAMILY;
	else
		permit->result = kraw_users_ask(&proto->users, net, who,
						&permit->entry);
}

/* What socket() says then: 0 or a negative error. */
int kraw_permit_error(const struct kraw_permit *permit)
{
	switch (permit->result) {
	case KRAW_OPEN_RESULT_LISTED:
	case KRAW_OPEN_RESULT_CAPABLE:
		return 0;
	case KRAW_OPEN_RESULT_REFUSED:
		return -EPERM;
	default:
		return -EPROTONOSUPPORT;
	}
}

/* The question, read and checked. */
struct question {
	u8 number;
	enum kraw_family family;
	struct kraw_users_who who;
	bool somebody;	/* @who, not the current process */
};

static int parse(struct question *ask, struct genl_info *info)
{
	const struct nlattr *nest = kraw_message_nest(info, KRAW_A_OPEN);
	struct nlattr *tb[KRAW_OPEN_A_MAX + 1];
	int err;

	if (!nest)
		return -EINVAL;
	err = nla_parse_nested(tb, KRAW_OPEN_A_MAX, nest, kraw_permit_policy,
			       info->extack);
	if (err)
		return err;
	if (!tb[KRAW_OPEN_A_PROTO] || !tb[KRAW_OPEN_A_FAMILY]) {
		NL_SET_ERR_MSG_ATTR(info->extack, nest,
				    "which socket? It needs a protocol and a family");
		return -EINVAL;
	}
	ask->number = nla_get_u8(tb[KRAW_OPEN_A_PROTO]);
	ask->family = nla_get_u8(tb[KRAW_OPEN_A_FAMILY]) == KRAW_FAMILY_IPV4 ?
		      KRAW_IPV4 : KRAW_IPV6;
	ask->who.has_uid = tb[KRAW_OPEN_A_UID];
	ask->who.has_gid = tb[KRAW_OPEN_A_GID];
	ask->somebody = ask->who.has_uid || ask->who.has_gid;
	if (ask->who.has_uid)
		ask->who.uid = nla_get_u32(tb[KRAW_OPEN_A_UID]);
	if (ask->who.has_gid)
		ask->who.gid = nla_get_u32(tb[KRAW_OPEN_A_GID]);
	return 0;
}

/* Context: RCU. */
static int nest_fill(struct sk_buff *msg, struct net *net,
		     const struct question *ask)
{
	struct nlattr *nest = nla_nest_start(msg, KRAW_A_OPEN);
	struct kraw_permit permit;
	bool elsewhere;

	kraw_permit_ask(net, ask->number, ask->family,
			ask->somebody ? &ask->who : NULL, &permit);
	elsewhere = kraw_slot_held(ask->number, ask->family) &&
		    !(kraw_proto_slots(permit.proto) & BIT(ask->family));
	if (!nest || nla_put_u8(msg, KRAW_OPEN_A_PROTO, ask->number) ||
	    nla_put_u8(msg, KRAW_OPEN_A_FAMILY, BIT(ask->family)) ||
	    nla_put_u8(msg, KRAW_OPEN_A_RESULT, permit.result) ||
	    (permit.entry && kraw_users_range_fill(msg, KRAW_OPEN_A_ENTRY,
						   permit.entry)) ||
	    (elsewhere && nla_put_flag(msg, KRAW_OPEN_A_ELSEWHERE)))
		return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return 0;
}

/* Answers KRAW_CMD_OPEN_GET. */
int kraw_permit_explain(struct sk_buff *skb, struct genl_info *info)
{
	struct question ask;
	struct sk_buff *msg;
	void *hdr;
	int err;

	err = parse(&ask, info);
	if (err)
		return err;
	msg = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
	if (!msg)
		return -ENOMEM;
	hdr = genlmsg_put_reply(msg, info, &kraw_genl, 0,
				KRAW_CMD_OPEN_GET);
	err = -EMSGSIZE;
	if (hdr) {
		rcu_read_lock();
		err = nest_fill(msg, genl_info_net(info), &ask);
		rcu_read_unlock();
	}
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	genlmsg_end(msg, hdr);
	return genlmsg_reply(msg, info);
}
