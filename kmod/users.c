// SPDX-License-Identifier: GPL-2.0
/* Who may open datagram sockets of a claimed protocol. */
#include "users.h"

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/netlink.h>
#include <linux/uidgid.h>
#include <net/net_namespace.h>

static const struct nla_policy user_policy[KRAW_USER_A_MAX + 1] = {
	[KRAW_USER_A_KIND]	= NLA_POLICY_MAX(NLA_U8, KRAW_USER_KIND_GID),
	[KRAW_USER_A_LOW]	= { .type = NLA_U32 },
	[KRAW_USER_A_HIGH]	= { .type = NLA_U32 },
};

const struct nla_policy kraw_users_policy[KRAW_USERS_A_MAX + 1] = {
	[KRAW_USERS_A_USER]	= NLA_POLICY_NESTED(user_policy),
};

static int parse_range(struct kraw_users_range *range,
		       const struct nlattr *nest,
		       struct netlink_ext_ack *extack)
{
	struct nlattr *tb[KRAW_USER_A_MAX + 1];
	int err;

	err = nla_parse_nested(tb, KRAW_USER_A_MAX, nest, user_policy, extack);
	if (err)
		return err;
	if (!tb[KRAW_USER_A_KIND]) {
		NL_SET_ERR_MSG_ATTR(extack, nest,
				    "an entry of the users needs a kind: all, uid or gid");
		return -EINVAL;
	}
	range->kind = nla_get_u8(tb[KRAW_USER_A_KIND]);
	range->min = tb[KRAW_USER_A_LOW] ? nla_get_u32(tb[KRAW_USER_A_LOW]) : 0;
	range->max = tb[KRAW_USER_A_HIGH] ?
		     nla_get_u32(tb[KRAW_USER_A_HIGH]) : U32_MAX;
	if (range->min > range->max) {
		NL_SET_ERR_MSG_ATTR(extack, nest,
				    "the range of users is backwards: it starts above its end");
		return -EINVAL;
	}
	if (range->kind == KRAW_USER_KIND_ALL &&
	    (tb[KRAW_USER_A_LOW] || tb[KRAW_USER_A_HIGH])) {
		NL_SET_ERR_MSG_ATTR(extack, nest,
				    "all users are no range of them");
		return -EINVAL;
	}
	return 0;
}

/**
 * kraw_users_parse - read the list of a request
 * @users:	result
 * @nest:	KRAW_PROTO_A_USERS, already validated
 * @extack:	gets the reason of a refusal
 *
 * Returns 0, -EINVAL or -E2BIG.
 */
int kraw_users_parse(struct kraw_users *users, const struct nlattr *nest,
		     struct netlink_ext_ack *extack)
{
	const struct nlattr *nla;
	int rem, err;

	users->count = 0;
	nla_for_each_nested(nla, nest, rem) {
		if (users->count == KRAW_USERS_MAX) {
			NL_SET_ERR_MSG_ATTR(extack, nla,
					    "too many entries of users: make them ranges, or use a group");
			return -E2BIG;
		}
		err = parse_range(&users->range[users->count], nla, extack);
		if (err)
			return err;
		users->count++;
	}
	return 0;
}

/* Puts an entry as a nest of this kind. Returns 0 or -EMSGSIZE. */
int kraw_users_range_fill(struct sk_buff *msg, int attr,
			  const struct kraw_users_range *range)
{
	struct nlattr *nest = nla_nest_start(msg, attr);

	if (!nest || nla_put_u8(msg, KRAW_USER_A_KIND, range->kind))
		return -EMSGSIZE;
	if (range->kind != KRAW_USER_KIND_ALL &&
	    (nla_put_u32(msg, KRAW_USER_A_LOW, range->min) ||
	     nla_put_u32(msg, KRAW_USER_A_HIGH, range->max)))
		return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return 0;
}

/* Puts KRAW_PROTO_A_USERS. Returns 0 or -EMSGSIZE; the caller cancels. */
int kraw_users_fill(struct sk_buff *msg, const struct kraw_users *users)
{
	struct nlattr *nest = nla_nest_start(msg, KRAW_PROTO_A_USERS);
	unsigned int i;

	if (!nest)
		return -EMSGSIZE;
	for (i = 0; i < users->count; i++)
		if (kraw_users_range_fill(msg, KRAW_USERS_A_USER,
					  &users->range[i]))
			return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return 0;
}

static bool in(const struct kraw_users_range *range, u32 id)
{
	return id != (u32)-1 && id >= range->min && id <= range->max;
}

/* Of the current process. */
static bool in_group(const struct kraw_users_range *range,
		     struct user_namespace *ns)
{
	const struct cred *cred = current_cred();
	unsigned int i;

	if (in(range, from_kgid(ns, cred->fsgid)))
		return true;
	for (i = 0; i < cred->group_info->ngroups; i++)
		if (in(range, from_kgid(ns, cred->group_info->gid[i])))
			return true;
	return false;
}

static bool covers(const struct kraw_users_range *range,
		   const struct kraw_users_who *who, struct user_namespace *ns)
{
	switch (range->kind) {
	case KRAW_USER_KIND_ALL:
		return true;
	case KRAW_USER_KIND_UID:
		if (who)
			return who->has_uid && in(range, who->uid);
		return in(range, from_kuid(ns, current_fsuid()));
	default:
		if (who)
			return who->has_gid && in(range, who->gid);
		return in_group(range, ns);
	}
}

/**
 * kraw_users_ask - whether somebody may open a socket
 * @users:	of the claim
 * @net:	its namespace
 * @who:	NULL: the current process
 * @entry:	set to the entry that allows it, if one does
 */
enum kraw_open_result kraw_users_ask(const struct kraw_users *users,
				     const struct net *net,
				     const struct kraw_users_who *who,
				     const struct kraw_users_range **entry)
{
	unsigned int i;
	bool capable;

	for (i = 0; i < users->count; i++)
		if (covers(&users->range[i], who, net->user_ns)) {
			*entry = &users->range[i];
			return KRAW_OPEN_RESULT_LISTED;
		}
	if (who)
		capable = who->has_uid && !who->uid;
	else
		capable = ns_capable(net->user_ns, CAP_NET_RAW);
	return capable ? KRAW_OPEN_RESULT_CAPABLE : KRAW_OPEN_RESULT_REFUSED;
}
