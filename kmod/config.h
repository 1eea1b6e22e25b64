/* SPDX-License-Identifier: GPL-2.0 */
/* The configuration of a namespace: built aside, swapped in with one pointer. */
#ifndef _KRAW_CONFIG_H
#define _KRAW_CONFIG_H

#include <linux/workqueue.h>
#include "net.h"
#include "proto.h"

struct netlink_ext_ack;
struct nlattr;
struct sk_buff;

/**
 * struct kraw_config - read-only once it is published
 * @generation:	its number, not 0
 * @families:	bits KRAW_FAMILY_*: any protocol's
 * @output:	bits KRAW_FAMILY_*: of any protocol with rules of hook output
 * @exact:	some protocol has "account exact"
 * @watches:	it holds what kraw_watch_get() gave
 * @proto:	managed protocols by number, NULL: not managed
 * @work:	frees it after a grace period
 */
struct kraw_config {
	u32 generation;
	u8 families;
	u8 output;
	bool exact;
	bool watches;
	struct kraw_proto *proto[KRAW_PROTOCOLS];
	struct rcu_work work;
};

/**
 * struct kraw_edit - an edit of a namespace's configuration under way
 * @kn:		the namespace
 * @old:	the configuration in force
 * @new:	the one to come
 * @request:	the message that asks for it: its sender's capabilities count
 * @extack:	gets the reason of a refusal
 * @origin:	by protocol number, the attribute that asks for @new's version
 * @last_handle: the newest rule's handle, if the edit is committed
 * @force:	close datagram sockets that are in the way
 * @committed:	@new is in force
 */
struct kraw_edit {
	struct kraw_net *kn;
	struct kraw_config *old;
	struct kraw_config *new;
	struct sk_buff *request;
	struct netlink_ext_ack *extack;
	const struct nlattr **origin;
	u32 last_handle;
	bool force;
	bool committed;
};

/* A number's protocol, if it is managed in this family; or NULL. */
static inline const struct kraw_proto *
kraw_config_managed(const struct kraw_config *config, u8 number,
		    enum kraw_family family)
{
	const struct kraw_proto *proto = config->proto[number];

	return proto && proto->families & BIT(family) ? proto : NULL;
}

void kraw_config_count(const struct kraw_config *config, u32 *protos,
		       u32 *rules);
int kraw_edit_begin(struct kraw_edit *edit, bool from_scratch);
void kraw_edit_set(struct kraw_edit *edit, u8 number, struct kraw_proto *proto,
		   const struct nlattr *origin);
int kraw_edit_check(struct kraw_edit *edit);
int kraw_edit_commit(struct kraw_edit *edit);
int kraw_edit_handle(struct kraw_edit *edit, u32 *handle);
void kraw_edit_end(struct kraw_edit *edit);

int kraw_config_init(void);
void kraw_config_exit(void);
void kraw_config_net_init(struct kraw_net *kn);
void kraw_config_net_exit(struct kraw_net *kn);

#endif /* _KRAW_CONFIG_H */
