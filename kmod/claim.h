/* SPDX-License-Identifier: GPL-2.0 */
/* The protocol handlers that sit in kraw's slots. */
#ifndef _KRAW_CLAIM_H
#define _KRAW_CLAIM_H

#include <net/protocol.h>
#include "scope.h"

/**
 * struct kraw_claim_call - a call that leads to the handler of a claim
 * @scope:	how long it lasts
 * @refused:	IPsec policy has refused the packet there
 * @nobody:	this namespace claims nothing, and nobody was there to receive it
 */
struct kraw_claim_call {
	struct kraw_scope scope;
	bool refused;
	bool nobody;
};

void kraw_claim_call_begin(struct kraw_claim_call *call);
void kraw_claim_call_end(const struct kraw_claim_call *call);

extern const struct net_protocol kraw_claim4;
extern const struct inet6_protocol kraw_claim6;

#endif /* _KRAW_CLAIM_H */
