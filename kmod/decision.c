// SPDX-License-Identifier: GPL-2.0
/* A decision: a verdict with what belongs to it, read from attributes. */
#include "decision.h"

#include <linux/netlink.h>
#include <net/netlink.h>
#include "uapi/linux/kraw.h"

static int verdict_check(u8 hook, const struct nlattr *attr,
			 struct netlink_ext_ack *extack)
{
	bool output = nla_get_u8(attr) >= KRAW_VERDICT_ALLOW;
	bool wanted = hook == KRAW_HOOK_OUTPUT;

	if (output == wanted)
		return 0;
	if (output)
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "this verdict is not for the input hook: use all, raw, kernel, one, none or reject");
	else
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "this verdict is not for the output hook: use allow or deny");
	return -EINVAL;
}

/**
 * kraw_decision_parse - read a verdict and what belongs to it
 * @decision:	what was decided before, or zero; result
 * @hook:	enum kraw_hook that it is for
 * @verdict:	u8, enum kraw_verdict, or NULL: stays
 * @by:		u8, enum kraw_one_by, or NULL: the default with @verdict, else
 *		stays; only with verdict one
 * @reuseport:	flag, or NULL, as @by
 * @extack:	gets the reason of a refusal
 *
 * Returns 0 or -EINVAL.
 */
int kraw_decision_parse(struct kraw_decision *decision, u8 hook,
			const struct nlattr *verdict, const struct nlattr *by,
			const struct nlattr *reuseport,
			struct netlink_ext_ack *extack)
{
	int err;

	if (verdict) {
		err = verdict_check(hook, verdict, extack);
		if (err)
			return err;
		*decision = (struct kraw_decision) {
			.verdict = nla_get_u8(verdict),
			.one_by = KRAW_ONE_BY_FLOW,
		};
	}
	if (decision->verdict != KRAW_VERDICT_ONE && (by || reuseport)) {
		NL_SET_ERR_MSG_ATTR(extack, by ?: reuseport,
				    "this is for verdict one: no other one chooses");
		return -EINVAL;
	}
	if (by)
		decision->one_by = nla_get_u8(by);
	if (reuseport)
		decision->one_reuseport = true;
	return 0;
}

bool kraw_decision_same(const struct kraw_decision *a,
			const struct kraw_decision *b)
{
	return a->verdict == b->verdict && a->one_by == b->one_by &&
	       a->one_reuseport == b->one_reuseport;
}
