// SPDX-License-Identifier: GPL-2.0
/*
 * Tracers: netlink sockets that are told what becomes of packets; record.c makes
 * the records.
 *
 * A tracer is the socket that asked, not a member of a multicast group. A group
 * knows neither a filter nor how much one member has lost; nor does the kernel
 * know in which namespace its members are, so that one tracer anywhere would
 * cost every namespace a message for each packet.
 *
 * Nor is it a port: between the end of a socket and the notice of it, somebody
 * else may take its port, whom packets are none of the business of. So the
 * socket itself is held, and records are put into its receive queue. Memory is
 * bounded by its receive buffer, and by KRAW_TRACERS_MAX in a namespace.
 *
 * The list is changed under the namespace's tracers_lock and walked under RCU.
 * To stop takes as long as the packets that are under way: of others nobody waits.
 */
#include "tracer.h"

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/mutex.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include <net/genetlink.h>
#include <net/sock.h>
#include "match.h"
#include "memory.h"
#include "netlink.h"
#include "record.h"
#include "rule.h"

/* A part of kraw_rule_policy: what tells packets apart. */
const struct nla_policy kraw_tracer_filter_policy[KRAW_RULE_A_MAX + 1] = {
	[KRAW_RULE_A_PROTO]	 = { .type = NLA_U8 },
	[KRAW_RULE_A_HOOK]	 = NLA_POLICY_RANGE(NLA_U8, KRAW_HOOK_INPUT,
						    KRAW_HOOK_MAX),
	[KRAW_RULE_A_VERDICT]	 = NLA_POLICY_RANGE(NLA_U8, KRAW_VERDICT_ALL,
						    KRAW_VERDICT_MAX),
	[KRAW_RULE_A_SRC]	 = { .type = NLA_BINARY,
				     .len = sizeof(struct in6_addr) },
	[KRAW_RULE_A_SRC_PREFIX] = NLA_POLICY_MAX(NLA_U8, 128),
	[KRAW_RULE_A_DST]	 = { .type = NLA_BINARY,
				     .len = sizeof(struct in6_addr) },
	[KRAW_RULE_A_DST_PREFIX] = NLA_POLICY_MAX(NLA_U8, 128),
	[KRAW_RULE_A_DEV]	 = { .type = NLA_NUL_STRING,
				     .len = IFNAMSIZ - 1 },
	[KRAW_RULE_A_TTL_MIN]	 = { .type = NLA_U8 },
	[KRAW_RULE_A_TTL_MAX]	 = { .type = NLA_U8 },
	[KRAW_RULE_A_LEN_MIN]	 = { .type = NLA_U32 },
	[KRAW_RULE_A_LEN_MAX]	 = { .type = NLA_U32 },
	[KRAW_RULE_A_TYPE_MIN]	 = { .type = NLA_U8 },
	[KRAW_RULE_A_TYPE_MAX]	 = { .type = NLA_U8 },
	[KRAW_RULE_A_BPF]	 = { .type = NLA_BINARY,
				     .len = BPF_MAXINSNS *
					    sizeof(struct sock_filter) },
	[KRAW_RULE_A_DSCP]	 = NLA_POLICY_MAX(NLA_U8, KRAW_DSCP_MAX),
	[KRAW_RULE_A_MARK]	 = { .type = NLA_U32 },
	[KRAW_RULE_A_MARK_MASK]	 = { .type = NLA_U32 },
	[KRAW_RULE_A_FRAGMENT]	 = { .type = NLA_FLAG },
	[KRAW_RULE_A_UID_MIN]	 = { .type = NLA_U32 },
	[KRAW_RULE_A_UID_MAX]	 = { .type = NLA_U32 },
	[KRAW_RULE_A_HDRINCL]	 = { .type = NLA_FLAG },
	[KRAW_RULE_A_SPOOFED]	 = { .type = NLA_FLAG },
	[KRAW_RULE_A_TRACE]	 = { .type = NLA_FLAG },
};

/* More than a policy's own limits can say. */
static struct netlink_range_validation snaplen_range = {
	.max = KRAW_SNAPLEN_MAX,
};

const struct nla_policy
kraw_tracer_options_policy[KRAW_TRACE_A_SNAPLEN + 1] = {
	[KRAW_TRACE_A_SNAPLEN]	= NLA_POLICY_FULL_RANGE(NLA_U32, &snaplen_range),
};

static int filter_parse(struct kraw_tracer *tracer, struct net *net,
			const struct nlattr *nest,
			struct netlink_ext_ack *extack)
{
	struct nlattr *tb[KRAW_RULE_A_MAX + 1];
	int err;

	err = nla_parse_nested(tb, KRAW_RULE_A_MAX, nest,
			       kraw_tracer_filter_policy, extack);
	if (err)
		return err;
	tracer->has_proto = tb[KRAW_RULE_A_PROTO];
	if (tracer->has_proto)
		tracer->proto = nla_get_u8(tb[KRAW_RULE_A_PROTO]);
	if (tb[KRAW_RULE_A_HOOK])
		tracer->hook = nla_get_u8(tb[KRAW_RULE_A_HOOK]);
	if (tb[KRAW_RULE_A_VERDICT])
		tracer->verdict = nla_get_u8(tb[KRAW_RULE_A_VERDICT]);
	tracer->marked = tb[KRAW_RULE_A_TRACE];
	err = kraw_match_parse(net, &tracer->match, tracer->hook, tb, extack);
	if (!err && tb[KRAW_RULE_A_BPF])
		err = kraw_match_parse_bpf(&tracer->match,
					   tb[KRAW_RULE_A_BPF], extack);
	return err;
}

static int options_parse(struct kraw_tracer *tracer, const struct nlattr *nest,
			 struct netlink_ext_ack *extack)
{
	struct nlattr *tb[KRAW_TRACE_A_SNAPLEN + 1];
	int err;

	err = nla_parse_nested(tb, KRAW_TRACE_A_SNAPLEN, nest,
			       kraw_tracer_options_policy, extack);
	if (!err && tb[KRAW_TRACE_A_SNAPLEN])
		tracer->snaplen = nla_get_u32(tb[KRAW_TRACE_A_SNAPLEN]);
	return err;
}

static int parse(struct kraw_tracer *tracer, struct genl_info *info)
{
	const struct nlattr *filter = info->attrs[KRAW_A_RULE];
	const struct nlattr *options = info->attrs[KRAW_A_TRACE];
	int err = 0;

	if (filter)
		err = filter_parse(tracer, genl_info_net(info), filter,
				   info->extack);
	if (!err && options)
		err = options_parse(tracer, options, info->extack);
	return err;
}

/* Packets may still come to it until a grace period has passed. */
static void tracer_free(struct rcu_head *rcu)
{
	struct kraw_tracer *tracer = container_of(rcu, struct kraw_tracer, rcu);

	if (tracer->match.prog)
		bpf_prog_destroy(tracer->match.prog);
	sock_put(tracer->sk);
	kfree(tracer);
}

static void unlink(struct kraw_tracer *tracer)
{
	list_del_rcu(&tracer->list);
	kraw_record_off_soon();
	call_rcu(&tracer->rcu, tracer_free);
}

static struct kraw_tracer *find(struct kraw_net *kn, const struct sock *sk)
{
	struct kraw_tracer *tracer;

	list_for_each_entry(tracer, &kn->tracers, list)
		if (tracer->sk == sk)
			return tracer;
	return NULL;
}

/* Takes the place of one that the socket has stopped. */
static int add(struct kraw_net *kn, struct kraw_tracer *tracer,
	       struct netlink_ext_ack *extack)
{
	struct kraw_tracer *old = find(kn, tracer->sk), *one;
	u32 count = 0;

	if (old && !old->stopped) {
		NL_SET_ERR_MSG(extack, "this socket traces already");
		return -EEXIST;
	}
	list_for_each_entry(one, &kn->tracers, list)
		count++;
	if (!old && count >= KRAW_TRACERS_MAX) {
		NL_SET_ERR_MSG(extack,
			       "as many sockets trace in this network namespace as may: 8");
		return -ENOSPC;
	}
	BUILD_BUG_ON(KRAW_TRACERS_MAX != 8);
	sock_hold(tracer->sk);
	if (old)
		unlink(old);
	list_add_tail_rcu(&tracer->list, &kn->tracers);
	kraw_record_on();
	return 0;
}

/* KRAW_CMD_TRACE */
int kraw_tracer_start(struct sk_buff *skb, struct genl_info *info)
{
	struct kraw_net *kn = kraw_net(genl_info_net(info));
	struct kraw_tracer *tracer;
	int err;

	tracer = kzalloc(sizeof(*tracer), KRAW_GFP);
	if (!tracer)
		return -ENOMEM;
	err = parse(tracer, info);
	if (err)
		goto err_free;
	tracer->portid = info->snd_portid;
	tracer->sk = NETLINK_CB(skb).sk;
	mutex_lock(&kn->tracers_lock);
	err = add(kn, tracer, info->extack);
	mutex_unlock(&kn->tracers_lock);
	if (!err)
		return 0;

err_free:	/* nobody has seen it: no grace period */
	if (tracer->match.prog)
		bpf_prog_destroy(tracer->match.prog);
	kfree(tracer);
	return err;
}

static int answer(struct genl_info *info, u64 seen, u64 lost)
{
	struct nlattr *nest;
	struct sk_buff *msg;
	void *hdr;

	msg = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!msg)
		return -ENOMEM;
	hdr = genlmsg_put_reply(msg, info, &kraw_genl, 0, KRAW_CMD_TRACE_STOP);
	nest = hdr ? nla_nest_start(msg, KRAW_A_TRACE) : NULL;
	if (!nest || nla_put_u64_64bit(msg, KRAW_TRACE_A_SEQ, seen,
				       KRAW_TRACE_A_PAD) ||
	    nla_put_u64_64bit(msg, KRAW_TRACE_A_LOST, lost,
			      KRAW_TRACE_A_PAD)) {
		nlmsg_free(msg);
		return -EMSGSIZE;
	}
	nla_nest_end(msg, nest);
	genlmsg_end(msg, hdr);
	return genlmsg_reply(msg, info);
}

/* KRAW_CMD_TRACE_STOP */
int kraw_tracer_stop(struct sk_buff *skb, struct genl_info *info)
{
	struct kraw_net *kn = kraw_net(genl_info_net(info));
	struct kraw_tracer *tracer;
	u64 seen = 0, lost = 0;

	mutex_lock(&kn->tracers_lock);
	tracer = find(kn, NETLINK_CB(skb).sk);
	if (tracer) {
		if (!tracer->stopped) {
			WRITE_ONCE(tracer->stopped, true);
			synchronize_net();	/* packets under way */
		}
		seen = atomic64_read(&tracer->seen);
		lost = atomic64_read(&tracer->lost);
	}
	mutex_unlock(&kn->tracers_lock);
	if (tracer)
		return answer(info, seen, lost);
	NL_SET_ERR_MSG(info->extack, "this socket does not trace");
	return -ENOENT;
}

/**
 * kraw_tracer_wants - whether a tracer is to be told of a packet
 * @tracer:	...
 * @about:	what is decided about it
 * @packet:	with everything that kraw_tracer_fields() asks for
 *
 * Context: RCU read side, bottom halves off.
 */
bool kraw_tracer_wants(const struct kraw_tracer *tracer,
		       const struct kraw_record_about *about,
		       const struct kraw_packet *packet)
{
	if (READ_ONCE(tracer->stopped))
		return false;
	if (tracer->has_proto && tracer->proto != about->number)
		return false;
	if (tracer->hook && tracer->hook != about->hook)
		return false;
	if (tracer->verdict && tracer->verdict != about->verdict)
		return false;
	if (tracer->marked && !(about->rule && about->rule->trace))
		return false;
	return kraw_classifier_fits(&tracer->match, packet);
}

/**
 * kraw_tracer_send - tell a tracer of a packet
 * @tracer:	...
 * @msg:	is consumed; NULL: there was no memory for it
 *
 * Context: RCU read side, any but hard interrupt. A socket that is closed
 * meanwhile forgets it.
 */
void kraw_tracer_send(struct kraw_tracer *tracer, struct sk_buff *msg)
{
	if (msg && !sock_queue_rcv_skb(tracer->sk, msg))
		return;
	atomic64_inc(&tracer->lost);
	kfree_skb(msg);
}

/* Bits KRAW_FIELD_* that any tracer asks for. Context: RCU. */
u16 kraw_tracer_fields(const struct kraw_net *kn)
{
	const struct kraw_tracer *tracer;
	u16 fields = 0;

	list_for_each_entry_rcu(tracer, &kn->tracers, list)
		fields |= tracer->match.fields;
	return fields;
}

/*
 * Tells of the end of each netlink socket of the host. A port alone does not
 * tell whose end it is: somebody may have it already, who traces as well.
 */
static int released(struct notifier_block *nb, unsigned long event, void *data)
{
	const struct netlink_notify *notify = data;
	struct kraw_tracer *tracer, *next;
	struct kraw_net *kn;

	if (event != NETLINK_URELEASE || notify->protocol != NETLINK_GENERIC)
		return NOTIFY_DONE;
	kn = kraw_net(notify->net);
	/* What the socket itself has added is seen without the lock. */
	if (list_empty_careful(&kn->tracers))
		return NOTIFY_DONE;
	mutex_lock(&kn->tracers_lock);
	list_for_each_entry_safe(tracer, next, &kn->tracers, list)
		if (tracer->portid == notify->portid &&
		    sock_flag(tracer->sk, SOCK_DEAD))
			unlink(tracer);
	mutex_unlock(&kn->tracers_lock);
	return NOTIFY_DONE;
}

static struct notifier_block notifier = { .notifier_call = released };

void kraw_tracer_net_init(struct kraw_net *kn)
{
	mutex_init(&kn->tracers_lock);
	INIT_LIST_HEAD(&kn->tracers);
}

/* Only if the module goes: while a namespace has sockets it does not end. */
void kraw_tracer_net_exit(struct kraw_net *kn)
{
	struct kraw_tracer *tracer, *next;

	mutex_lock(&kn->tracers_lock);
	list_for_each_entry_safe(tracer, next, &kn->tracers, list)
		unlink(tracer);
	mutex_unlock(&kn->tracers_lock);
}

/* After the namespaces, before the netlink family. */
int kraw_tracer_init(void)
{
	return netlink_register_notifier(&notifier);
}

/* Before the namespaces: no socket can ask any more, but they may be closed. */
void kraw_tracer_exit(void)
{
	netlink_unregister_notifier(&notifier);
}
