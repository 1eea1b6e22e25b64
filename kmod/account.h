/* SPDX-License-Identifier: GPL-2.0 */
/* Counting what becomes of packets. */
#ifndef _KRAW_ACCOUNT_H
#define _KRAW_ACCOUNT_H

#include "net.h"

struct kraw_proto;
struct kraw_rawsock_count;
struct nf_hook_state;
struct sk_buff;

void kraw_account_raw(const struct kraw_proto *proto, enum kraw_family family,
		      const struct kraw_rawsock_count *count);
unsigned int kraw_account_all(const struct kraw_proto *proto,
			      enum kraw_family family, struct sk_buff *skb,
			      const struct nf_hook_state *state);

#endif /* _KRAW_ACCOUNT_H */
