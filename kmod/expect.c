// SPDX-License-Identifier: GPL-2.0
/*
 * What becomes of a packet that verdict all leaves to the kernel, for its record.
 *
 * The kernel delivers after the hook, and the record cannot wait for it: what the
 * kernel will do is asked for in advance, as "explain" asks, and marked as
 * expected.
 *
 * With "account exact" the kernel delivers while the hook waits, and is watched:
 * the record tells what has become of the packet. Which raw socket refuses a copy
 * Linux 6.1 tells if its queue is full (sock_rcvqueue_full), and else only that one
 * has, and why (kfree_skb); which one has a copy in its queue is known from 6.10
 * on (sk_data_ready), and of the others, those that say nothing were passed over.
 * So this is put together with what was expected: if as many have refused for each
 * reason as were expected to, it was these, since a filter in classic BPF answers
 * a packet in one way only. If all have for one reason, that is clear, too. Else
 * it remains unknown, and is said to be.
 *
 * Context of everything here: RCU read side, bottom halves off.
 */
#include "expect.h"

#include <linux/skbuff.h>
#include <net/ipv6.h>
#include <net/protocol.h>
#include "compat.h"
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

static void watch_socket(void *data, const struct kraw_rawsock *socket)
{
	struct kraw_record *record = data;
	struct kraw_record_sockets *to = &record->sockets;
	bool open = socket->result != KRAW_SOCKET_RESULT_MEMBER &&
		    socket->result != KRAW_SOCKET_RESULT_ICMP_FILTER;
	u32 i;

	if (!socket->matched)
		return;
	if (open)
		record->open.likely[socket->result]++;
	i = to->count++;
	if (i >= KRAW_RECORD_SOCKETS_MAX)
		return;
	to->socket[i].sk = socket->sk;
	to->socket[i].inode = socket->inode;
	to->socket[i].result = socket->result;
	to->socket[i].open = open;
}

/**
 * kraw_expect_watch - prepare for the kernel's delivery of a packet, now
 * @proto:	its protocol
 * @skb:	as for kraw_expect()
 *
 * kraw_expect_settle() must follow.
 */
void kraw_expect_watch(const struct kraw_proto *proto, struct sk_buff *skb)
{
	struct kraw_record *record = kraw_record_current();
	struct kraw_rawsock_asked asked = { .seen = watch_socket };
	int offset = skb_transport_offset(skb);

	if (!record || record->about.proto != proto)
		return;
	asked.data = record;
	memset(&record->open, 0, sizeof(record->open));
	record->open.watched = true;
	/* Afterwards there is no packet to ask. */
	record->silent = kraw_unreach_silent(record->family, skb);
	if (record->family == KRAW_IPV6)
		record->icmp_pointer = IP6CB(skb)->nhoff;
	__skb_pull(skb, offset);
	kraw_rawsock_explain(record->about.net, record->family, skb,
			     proto->number, &asked);
	__skb_push(skb, offset);
}

static u32 named(const struct kraw_record *record)
{
	return min_t(u32, record->sockets.count, KRAW_RECORD_SOCKETS_MAX);
}

/* What a socket has done; returns false if it is not one of the open ones. */
static bool close(struct kraw_record *record, const struct sock *sk, u8 result)
{
	u32 i;

	for (i = 0; sk && i < named(record); i++) {
		if (record->sockets.socket[i].sk != sk ||
		    !record->sockets.socket[i].open)
			continue;
		record->open.likely[record->sockets.socket[i].result]--;
		record->sockets.socket[i].result = result;
		record->sockets.socket[i].open = false;
		return true;
	}
	return false;
}

/* As kraw_expect_refused(). Any context: in an interrupt it is nothing of ours. */
void kraw_expect_note_refused(const struct sock *sk, enum kraw_refusal why)
{
	struct kraw_record *record = kraw_record_current();

	if (record && record->open.watched &&
	    !close(record, sk, kraw_rawsock_refused(why)))
		record->open.refused[why]++;
}

/* As kraw_expect_queued(). */
void kraw_expect_note_queued(const struct sock *sk)
{
	struct kraw_record *record = kraw_record_current();

	if (record && record->open.watched &&
	    !close(record, sk, KRAW_SOCKET_RESULT_COPY))
		record->open.queued++;
}

/* How many sockets are open. */
static u32 open_sockets(const struct kraw_record_open *open)
{
	u32 i, count = 0;

	for (i = 0; i < ARRAY_SIZE(open->likely); i++)
		count += open->likely[i];
	return count;
}

/* Those that have neither a copy nor refused one were full, and passed over. */
static void note_passed(struct kraw_record_open *open)
{
	u32 i, told = open->queued;

	for (i = 0; i < KRAW_REFUSALS; i++)
		told += open->refused[i];
	if (open_sockets(open) > told)
		open->refused[KRAW_REFUSAL_FULL] += open_sockets(open) - told;
}

/* The only reason that there was, if each open socket has refused; or -1. */
static int only_reason(const struct kraw_record_open *open)
{
	u32 i, count = open_sockets(open);

	for (i = 0; i < KRAW_REFUSALS; i++)
		if (open->refused[i])
			return open->refused[i] == count ? (int)i : -1;
	return -1;
}

/* What has become of a copy at an open socket of which @likely was expected. */
static u8 settled(const struct kraw_record_open *open, u8 likely)
{
	const u32 *refused = open->refused, *sockets = open->likely;
	u32 filter = refused[KRAW_REFUSAL_FILTER] -
		     sockets[KRAW_SOCKET_RESULT_FILTER];
	bool plain = refused[KRAW_REFUSAL_CHECKSUM] ==
		     sockets[KRAW_SOCKET_RESULT_CHECKSUM] &&
		     !refused[KRAW_REFUSAL_POLICY] &&
		     !refused[KRAW_REFUSAL_MEMORY] &&
		     refused[KRAW_REFUSAL_FULL] ==
		     (KRAW_ROOM_FIRST ? sockets[KRAW_SOCKET_RESULT_FULL] : 0) &&
		     !refused[KRAW_REFUSAL_UNKNOWN];
	int only = only_reason(open);

	/* Those with eBPF have taken it all, or refused it all. */
	if (plain && (!filter || filter == sockets[KRAW_SOCKET_RESULT_UNKNOWN])) {
		if (likely == KRAW_SOCKET_RESULT_UNKNOWN && filter)
			return KRAW_SOCKET_RESULT_FILTER;
		if (likely == KRAW_SOCKET_RESULT_UNKNOWN)
			return KRAW_SOCKET_RESULT_COPY;
		/* Elsewhere it would have told: so it was read from. */
		if (likely == KRAW_SOCKET_RESULT_FULL && !KRAW_ROOM_FIRST)
			return KRAW_SOCKET_RESULT_COPY;
		return likely;
	}
	return only < 0 ? KRAW_SOCKET_RESULT_UNKNOWN :
			  kraw_rawsock_refused(only);
}

static void settle_handler(struct kraw_record *record, enum kraw_stats_attr end)
{
	const void *handler = handler_of(record->about.number, record->family);
	u8 result = KRAW_SOCKET_RESULT_COPY;

	/* A claim's handler gets the packet, whatever policy says. */
	if (end == KRAW_STATS_A_END_POLICY &&
	    !kraw_slot_held(record->about.number, record->family))
		result = KRAW_SOCKET_RESULT_POLICY;
	else if (end == KRAW_STATS_A_END_DISCARD)
		result = KRAW_SOCKET_RESULT_MEMBER;
	if (handler)
		kraw_record_note_handler(handler, result);
}

/**
 * kraw_expect_settle - note what the kernel has done with a packet
 * @proto:	its protocol
 * @end:	where it ended
 */
void kraw_expect_settle(const struct kraw_proto *proto,
			enum kraw_stats_attr end)
{
	struct kraw_record *record = kraw_record_current();
	bool claimed;
	u32 i;

	if (!record || record->about.proto != proto || !record->open.watched)
		return;
	record->open.watched = false;
	if (KRAW_ROOM_FIRST)
		note_passed(&record->open);
	for (i = 0; i < named(record); i++) {
		if (record->sockets.socket[i].open)
			record->sockets.socket[i].result =
				settled(&record->open,
					record->sockets.socket[i].result);
		kraw_record_tell_socket(record, i);
	}
	claimed = kraw_proto_slots(proto) & BIT(record->family);
	if (kraw_slot_handled(proto->number, record->family, claimed))
		settle_handler(record, end);
	else if (end == KRAW_STATS_A_END_NOBODY)
		kraw_record_note_asked(record);
}
