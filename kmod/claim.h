/* SPDX-License-Identifier: GPL-2.0 */
/* The protocol handlers that sit in kraw's slots. */
#ifndef _KRAW_CLAIM_H
#define _KRAW_CLAIM_H

#include <net/protocol.h>

extern const struct net_protocol kraw_claim4;
extern const struct inet6_protocol kraw_claim6;

#endif /* _KRAW_CLAIM_H */
