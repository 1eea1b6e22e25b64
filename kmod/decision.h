/* SPDX-License-Identifier: GPL-2.0 */
/* A decision: a verdict with what belongs to it. */
#ifndef _KRAW_DECISION_H
#define _KRAW_DECISION_H

#include <linux/types.h>

struct netlink_ext_ack;
struct nlattr;

/**
 * struct kraw_decision - what is to be done with a packet
 * @verdict:	enum kraw_verdict
 * @one_by:	enum kraw_one_by, 0 with other verdicts than one
 * @one_reuseport: choose among the sockets with SO_REUSEPORT only; false with
 *		other verdicts than one
 */
struct kraw_decision {
	u8 verdict;
	u8 one_by;
	bool one_reuseport;
};

int kraw_decision_parse(struct kraw_decision *decision, u8 hook,
			const struct nlattr *verdict, const struct nlattr *by,
			const struct nlattr *reuseport,
			struct netlink_ext_ack *extack);
bool kraw_decision_same(const struct kraw_decision *a,
			const struct kraw_decision *b);

#endif /* _KRAW_DECISION_H */
