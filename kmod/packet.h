/* SPDX-License-Identifier: GPL-2.0 */
/* What rules can ask of a packet, read from it. */
#ifndef _KRAW_PACKET_H
#define _KRAW_PACKET_H

#include "classifier.h"
#include "net.h"

void kraw_packet_read(struct kraw_packet *packet, enum kraw_family family,
		      const struct sk_buff *skb, u16 fields);
void kraw_packet_type(struct kraw_packet *packet, int offset);
void kraw_packet_devices(struct kraw_packet *packet, struct net *net);

#endif /* _KRAW_PACKET_H */
