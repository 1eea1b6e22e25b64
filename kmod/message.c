// SPDX-License-Identifier: GPL-2.0
/* Messages of the netlink family: what all commands read and write alike. */
#include "message.h"

#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/user_namespace.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>
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

/* Whether a process namespace belongs to who owns a network namespace. */
static bool belongs(const struct pid_namespace *pids, const struct net *net)
{
	const struct user_namespace *users = pids->user_ns;

	while (users && users->level > net->user_ns->level)
		users = users->parent;
	return users == net->user_ns;
}

static int pid_fill(struct sk_buff *msg, const struct upid *upid)
{
	struct nlattr *nest = nla_nest_start(msg, KRAW_A_PID);

	if (!nest || nla_put_u32(msg, KRAW_PID_A_NUMBER, upid->nr) ||
	    nla_put_u32(msg, KRAW_PID_A_NAMESPACE, upid->ns->ns.inum))
		return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return 0;
}

/* Bytes that kraw_message_doer_fill() needs at most. */
size_t kraw_message_doer_size(struct task_struct *task)
{
	return nla_total_size(TASK_COMM_LEN) +
	       (task_tgid(task)->level + 1) *
	       nla_total_size(2 * nla_total_size(sizeof(u32)));
}

/**
 * kraw_message_doer_fill - write which process does something
 * @msg:	with room for it
 * @task:	the current process
 * @net:	the namespace whose members are told
 *
 * A process has a number in each process namespace that it is in, one inside of
 * the other, and nobody knows in which ones those who listen are. So all are told,
 * each with its namespace, for the reader to find the own one; but none of those
 * that are outside of what the network namespace's owner owns: these numbers are
 * not to be seen from the inside, in /proc neither.
 *
 * Returns 0 or -EMSGSIZE.
 */
int kraw_message_doer_fill(struct sk_buff *msg, struct task_struct *task,
			   const struct net *net)
{
	const struct pid *pid = task_tgid(task);
	char comm[TASK_COMM_LEN];
	unsigned int i;

	for (i = 0; i <= pid->level; i++)
		if (belongs(pid->numbers[i].ns, net) &&
		    pid_fill(msg, &pid->numbers[i]))
			return -EMSGSIZE;
	get_task_comm(comm, task);
	return nla_put_string(msg, KRAW_A_COMM, comm);
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
	    (about->doer &&
	     kraw_message_doer_fill(msg, about->doer, about->net))) {
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
