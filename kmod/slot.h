/* SPDX-License-Identifier: GPL-2.0 */
/* Slots: the entries of the kernel's handler tables, host-wide. */
#ifndef _KRAW_SLOT_H
#define _KRAW_SLOT_H

#include "net.h"

struct netlink_ext_ack;
struct sk_buff;

/**
 * struct kraw_handler - who handles a protocol in the kernel
 * @symbol:	name of the handler function
 * @module:	name of its module; empty: built in
 * @flags:	bits KRAW_HANDLER_NO_POLICY, _FINAL, _KRAW
 */
struct kraw_handler {
	char symbol[64];
	char module[64];
	u32 flags;
};

/* Beside the bits KRAW_HANDLER_*: the namespace has this handler. */
#define KRAW_SLOT_HANDLED	BIT(31)

int kraw_slot_permit(struct sk_buff *request, struct netlink_ext_ack *extack);
int kraw_slot_check(u8 number, u8 families, struct netlink_ext_ack *extack);
int kraw_slot_get(u8 number, u8 families, struct netlink_ext_ack *extack);
void kraw_slot_put(u8 number, u8 families);
bool kraw_slot_held(u8 number, enum kraw_family family);
void kraw_slot_name(const void *function, struct kraw_handler *handler);
bool kraw_slot_handler(u8 number, enum kraw_family family,
		       struct kraw_handler *handler);
u32 kraw_slot_look(u8 number, enum kraw_family family, bool claimed);
bool kraw_slot_handled(u8 number, enum kraw_family family, bool claimed);
int kraw_slot_fill(struct sk_buff *msg, u8 number, enum kraw_family family,
		   const struct kraw_handler *handler);

#endif /* _KRAW_SLOT_H */
