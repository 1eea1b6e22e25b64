// SPDX-License-Identifier: GPL-2.0
/*
 * What becomes of a packet that verdict all leaves to the kernel, for its record.
 *
 * The kernel delivers after the hook, and the record cannot wait for it: what the
 * kernel will do is asked for in advance, as "explain" asks, and marked as
 * expected.
 *
 * Context of everything here: RCU read side, bottom halves off.
 */
#include "expect.h"

#include <linux/skbuff.h>
#include <net/protocol.h>
#include "deliver.h"
#include "dgram.h"
#include "proto.h"
#include "rawsock.h"
#include "slot.h"
#include "unreach.h"

static void expect_socket(void *data, const struct kraw_rawsock *socket)
{
	if (socket->matched)
		kraw_record_note_socket(socket->inode, socket->result);
}

static const void *handler_of(u8 number, enum kraw_family family)
{
	const struct inet6_protocol *p6;
	const struct net_protocol *p4;

	if (family == KRAW_IPV4) {
		p4 = rcu_dereference(inet_protos[number]);
		return p4 ? p4->handler : NULL;
	}
	p6 = rcu_dereference(inet6_protos[number]);
	return p6 ? p6->handler : NULL;
}

static bool is_final6(u8 number)
{
	const struct inet6_protocol *p = rcu_dereference(inet6_protos[number]);

	return p && p->flags & INET6_PROTO_FINAL;
}

/* Returns whether the handler will have it. */
static bool expect_handler(const struct kraw_record *record,
			   struct sk_buff *skb)
{
	u8 number = record->about.number, result = KRAW_SOCKET_RESULT_COPY;
	const void *handler = handler_of(number, record->family);

	if (record->family == KRAW_IPV6 && is_final6(number) &&
	    kraw_deliver_final6(record->about.net, skb, number))
		result = KRAW_SOCKET_RESULT_MEMBER;
	if (handler)
		kraw_record_note_handler(handler, result);
	return handler && result == KRAW_SOCKET_RESULT_COPY;
}

/* As consume() in claim.c. */
static void expect_claim(const struct kraw_record *record,
			 const struct kraw_proto *proto, struct sk_buff *skb)
{
	bool ports = proto->claim == KRAW_CLAIM_PORTS;

	if (!kraw_dgram_expect(record->about.net, proto, record->family, skb))
		return;
	if (ports || kraw_unreach_wanted(proto->unreach, true))
		kraw_record_note_icmp(record->family, skb,
				      proto->unreach == KRAW_UNREACH_NEVER ?
				      KRAW_ICMP_RESULT_NEVER :
				      KRAW_ICMP_RESULT_SENT, ports);
}

/* As kraw_expect(). */
void kraw_expect_note(const struct kraw_proto *proto, struct sk_buff *skb)
{
	const struct kraw_rawsock_asked asked = { .seen = expect_socket };
	struct kraw_record *record = kraw_record_current();
	int offset = skb_transport_offset(skb);
	enum kraw_family family;
	bool claimed, handled;

	if (!record || record->about.proto != proto)
		return;
	family = record->family;
	record->expected = true;
	if (!pskb_may_pull(skb, offset))
		return;
	claimed = kraw_proto_slots(proto) & BIT(family);
	handled = kraw_slot_handled(proto->number, family, claimed);
	__skb_pull(skb, offset);
	kraw_rawsock_explain(record->about.net, family, skb, proto->number,
			     &asked);
	if (handled && expect_handler(record, skb) && claimed)
		expect_claim(record, proto, skb);
	__skb_push(skb, offset);
	/* With "unreach never" kraw ends it, and tells by itself. */
	if (!handled && !record->sockets.count)
		kraw_record_note_icmp(family, skb, KRAW_ICMP_RESULT_SENT,
				      false);
}
