// SPDX-License-Identifier: GPL-2.0
/* Messages of the netlink family: what all commands read and write alike. */
#include "message.h"

#include <linux/sched.h>
#include <net/genetlink.h>
#include "config.h"
#include "netlink.h"
#include "proto.h"
#include "rule.h"

/* The one nest that most commands need; NULL: refused. */
const struct nlattr *kraw_message_nest(struct genl_info *info, int attr)
{
	if (info->attrs[attr])
		return info->attrs[attr];
	if (attr == KRAW_A_PROTO)
		NL_SET_ERR_MSG(info->extack, "the request names no protocol");
	else
		NL_SET_ERR_MSG(info->extack, "the request names no rule");
	return NULL;
}

static int flushed_fill(struct sk_buff *msg, const struct kraw_rule_name *name)
{
	struct nlattr *nest = nla_nest_start(msg, KRAW_A_RULE);

	if (!nest || nla_put_u8(msg, KRAW_RULE_A_PROTO, name->proto) ||
	    (name->has_hook && nla_put_u8(msg, KRAW_RULE_A_HOOK, name->hook)))
		return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return 0;
}

static int config_fill(struct sk_buff *msg, const struct kraw_config *config)
{
	u32 protos, rules;

	kraw_config_count(config, &protos, &rules);
	return nla_put_u32(msg, KRAW_A_PROTO_COUNT, protos) ?:
	       nla_put_u32(msg, KRAW_A_RULE_COUNT, rules);
}

static int doer_fill(struct sk_buff *msg, struct task_struct *task)
{
	char comm[TASK_COMM_LEN];

	get_task_comm(comm, task);
	return nla_put_u32(msg, KRAW_A_PID, task_tgid_nr(task)) ?:
	       nla_put_string(msg, KRAW_A_COMM, comm);
}

/**
 * kraw_message_fill - write a message
 * @msg:	with room for it
 * @portid:	of who gets it
 * @seq:	of the request
 * @flags:	NLM_F_MULTI in a dump
 * @cmd:	enum kraw_cmd
 * @about:	what it is about
 * @cb:		the dump, for its generation; NULL: none
 *
 * Returns 0 or -EMSGSIZE, with @msg as it was.
 */
int kraw_message_fill(struct sk_buff *msg, u32 portid, u32 seq, int flags,
		      u8 cmd, const struct kraw_message *about,
		      struct netlink_callback *cb)
{
	void *hdr = genlmsg_put(msg, portid, seq, &kraw_genl, flags, cmd);

	if (!hdr)
		return -EMSGSIZE;
	if (cb)
		genl_dump_check_consistent(cb, hdr);
	if (nla_put_u32(msg, KRAW_A_GENERATION, about->generation) ||
	    (about->proto &&
	     kraw_proto_fill(msg, about->proto, about->counters)) ||
	    (about->rule &&
	     kraw_rule_fill(msg, about->rule, about->counters)) ||
	    (about->flushed && flushed_fill(msg, about->flushed)) ||
	    (about->config && config_fill(msg, about->config)) ||
	    (about->doer && doer_fill(msg, about->doer))) {
		genlmsg_cancel(msg, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(msg, hdr);
	return 0;
}

/* A message with one object; a rule's program has up to @insns_len bytes. */
struct sk_buff *kraw_message_new(u16 insns_len)
{
	return genlmsg_new(max_t(size_t, GENLMSG_DEFAULT_SIZE,
				 insns_len + KRAW_MESSAGE_REST), GFP_KERNEL);
}
