/* SPDX-License-Identifier: GPL-2.0 */
/* Which rule decides about a packet. Both hooks ask this. */
#ifndef _KRAW_CLASSIFY_H
#define _KRAW_CLASSIFY_H

#include "net.h"

struct kraw_packet;
struct kraw_proto;
struct kraw_rule;
struct kraw_ruleset;

const struct kraw_rule *kraw_classify(struct net *net,
				      const struct kraw_proto *proto,
				      const struct kraw_ruleset *rules,
				      const struct kraw_packet *packet,
				      bool *limited);

#endif /* _KRAW_CLASSIFY_H */
