// SPDX-License-Identifier: GPL-2.0
/*
 * The record of a packet: begun when a hook has decided, noted in while the
 * verdict is carried out, sent at the end.
 *
 * The record lies on the hook's stack and is a scope: what happens to a packet
 * after a hook has decided happens before the hook returns. Only verdict all ends
 * before anything has happened: what comes of that is expect.c's to say.
 *
 * The packet may be gone at the end, so what is told of it is written into each
 * tracer's message at the beginning.
 */
#include "record.h"

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/netdevice.h>
#include <linux/rculist.h>
#include <linux/skbuff.h>
#include <linux/timekeeping.h>
#include <net/genetlink.h>
#include <net/ipv6.h>
#include "classifier.h"
#include "netlink.h"
#include "proto.h"
#include "rawsock.h"
#include "rule.h"
#include "slot.h"
#include "trace.h"
#include "tracer.h"
#include "unreach.h"

/* More than all of a message takes, but for the packet and the sockets. */
#define ROOM		640
/* More than is written at the end, and what a socket takes. */
#define ROOM_END	320
#define ROOM_SOCKET	(3 * NLA_HDRLEN + 2 * NLA_ALIGN(sizeof(u32)))

#define GFP_RECORD	(GFP_ATOMIC | __GFP_NOWARN)

DEFINE_STATIC_KEY_DEFERRED_FALSE(kraw_record_key, HZ);

static DEFINE_PER_CPU(struct kraw_scope *, recorded);

static int addresses_fill(struct sk_buff *msg, const struct kraw_packet *packet)
{
	int size = packet->family == KRAW_IPV4 ? sizeof(struct in_addr) :
						 sizeof(struct in6_addr);

	return nla_put(msg, KRAW_TRACE_A_SRC, size, packet->src) ?:
	       nla_put(msg, KRAW_TRACE_A_DST, size, packet->dst);
}

/* A packet that comes in by a port of a VRF has the VRF's name first. */
static const char *device_of(const struct kraw_record *record,
			     const struct kraw_packet *packet)
{
	if (record->about.hook == KRAW_HOOK_INPUT && packet->dev[1])
		return packet->dev[1];
	return packet->dev[0];
}

static int decision_fill(struct sk_buff *msg, const struct kraw_record *record)
{
	const struct kraw_rule *rule = record->about.rule;

	if (record->about.verdict &&
	    nla_put_u8(msg, KRAW_TRACE_A_VERDICT, record->about.verdict))
		return -EMSGSIZE;
	if (!rule)
		return 0;
	if (nla_put_u32(msg, KRAW_TRACE_A_HANDLE, rule->handle) ||
	    nla_put_u32(msg, KRAW_TRACE_A_PREF, rule->pref))
		return -EMSGSIZE;
	return rule->trace ? nla_put_flag(msg, KRAW_TRACE_A_MARKED) : 0;
}

static int sender_fill(struct sk_buff *msg, const struct kraw_record *record,
		       const struct kraw_packet *packet)
{
	if (!record->about.sender)
		return 0;
	return nla_put_u32(msg, KRAW_TRACE_A_SENDER,
			   kraw_rawsock_inode(record->about.sender)) ?:
	       nla_put_u32(msg, KRAW_TRACE_A_UID, packet->uid);
}

static int packet_fill(struct sk_buff *msg, const struct kraw_record *record,
		       const struct kraw_packet *packet, u64 now)
{
	const char *dev = device_of(record, packet);

	if (nla_put_u64_64bit(msg, KRAW_TRACE_A_TIME, now, KRAW_TRACE_A_PAD) ||
	    nla_put_u8(msg, KRAW_TRACE_A_HOOK, record->about.hook) ||
	    nla_put_u8(msg, KRAW_TRACE_A_PROTO, record->about.number) ||
	    nla_put_u32(msg, KRAW_TRACE_A_LEN, packet->len) ||
	    addresses_fill(msg, packet) ||
	    (dev && nla_put_string(msg, KRAW_TRACE_A_DEV, dev)) ||
	    decision_fill(msg, record))
		return -EMSGSIZE;
	return sender_fill(msg, record, packet);
}

static int data_fill(struct sk_buff *msg, const struct sk_buff *skb, u32 len)
{
	struct nlattr *nla;

	if (!len)
		return 0;
	nla = nla_reserve(msg, KRAW_A_DATA, len);
	return nla ? skb_copy_bits(skb, 0, nla_data(nla), len) : -EMSGSIZE;
}

/* The part of a message that is known at the beginning; its nest stays open. */
static struct sk_buff *message_begin(const struct kraw_record *record,
				     const struct kraw_tracer *tracer,
				     const struct kraw_packet *packet, u64 now,
				     u32 *at)
{
	u32 len = min(tracer->snaplen, packet->skb->len);
	struct sk_buff *msg;
	struct nlattr *nest;

	msg = genlmsg_new(ROOM + nla_total_size(len), GFP_RECORD);
	if (!msg)
		return NULL;
	if (!genlmsg_put(msg, tracer->portid, 0, &kraw_genl, 0,
			 KRAW_CMD_TRACE) ||
	    data_fill(msg, packet->skb, len))
		goto err;
	nest = nla_nest_start(msg, KRAW_A_TRACE);
	if (!nest || packet_fill(msg, record, packet, now))
		goto err;
	*at = (u8 *)nest - msg->data;
	return msg;

err:
	nlmsg_free(msg);
	return NULL;
}

static u32 named(const struct kraw_record_sockets *sockets)
{
	return min_t(u32, sockets->count, KRAW_RECORD_SOCKETS_MAX);
}

static int sockets_fill(struct sk_buff *msg,
			const struct kraw_record_sockets *sockets, int count,
			int each)
{
	struct nlattr *nest;
	u32 i;

	if (!sockets->count)
		return 0;
	if (nla_put_u32(msg, count, sockets->count))
		return -EMSGSIZE;
	for (i = 0; i < named(sockets); i++) {
		nest = nla_nest_start(msg, each);
		if (!nest || nla_put_u32(msg, KRAW_TRACE_SOCKET_A_INODE,
					 sockets->socket[i].inode) ||
		    nla_put_u8(msg, KRAW_TRACE_SOCKET_A_RESULT,
			       sockets->socket[i].result))
			return -EMSGSIZE;
		nla_nest_end(msg, nest);
	}
	return 0;
}

static int dgrams_fill(struct sk_buff *msg, const struct kraw_record *record)
{
	if (!record->has_dgram)
		return 0;
	return nla_put_u8(msg, KRAW_TRACE_A_DGRAM_RESULT, record->dgram) ?:
	       sockets_fill(msg, &record->dgrams, KRAW_TRACE_A_DGRAMS,
			    KRAW_TRACE_A_DGRAM);
}

static int handler_fill(struct sk_buff *msg, const struct kraw_record *record)
{
	struct kraw_handler handler;

	if (!record->handler)
		return 0;
	kraw_slot_name(record->handler, &handler);
	if (nla_put_string(msg, KRAW_TRACE_A_HANDLER, handler.symbol) ||
	    (handler.module[0] &&
	     nla_put_string(msg, KRAW_TRACE_A_MODULE, handler.module)))
		return -EMSGSIZE;
	return nla_put_u8(msg, KRAW_TRACE_A_HANDLER_RESULT,
			  record->handler_result);
}

static int icmp_fill(struct sk_buff *msg, const struct kraw_record *record)
{
	bool v4 = record->family == KRAW_IPV4, port = record->icmp_port;
	u8 type, code;

	if (record->icmp == KRAW_ICMP_RESULT_NONE)
		return 0;
	if (nla_put_u8(msg, KRAW_TRACE_A_ICMP_RESULT, record->icmp))
		return -EMSGSIZE;
	if (record->icmp != KRAW_ICMP_RESULT_SENT)
		return 0;
	if (v4) {
		type = ICMP_DEST_UNREACH;
		code = port ? ICMP_PORT_UNREACH : ICMP_PROT_UNREACH;
	} else {
		type = port ? ICMPV6_DEST_UNREACH : ICMPV6_PARAMPROB;
		code = port ? ICMPV6_PORT_UNREACH : ICMPV6_UNK_NEXTHDR;
	}
	if (nla_put_u8(msg, KRAW_TRACE_A_ICMP_TYPE, type) ||
	    nla_put_u8(msg, KRAW_TRACE_A_ICMP_CODE, code))
		return -EMSGSIZE;
	return v4 || port ? 0 : nla_put_u32(msg, KRAW_TRACE_A_ICMP_POINTER,
					    record->icmp_pointer);
}

static int message_end(const struct kraw_record *record, int i)
{
	const struct kraw_tracer *tracer = record->copy[i].tracer;
	struct sk_buff *msg = record->copy[i].msg;
	int room;

	room = ROOM_END + ROOM_SOCKET * (named(&record->sockets) +
					 named(&record->dgrams));
	if (skb_tailroom(msg) < room &&
	    pskb_expand_head(msg, 0, room - skb_tailroom(msg), GFP_RECORD))
		return -ENOMEM;
	if ((record->expected && nla_put_flag(msg, KRAW_TRACE_A_EXPECTED)) ||
	    sockets_fill(msg, &record->sockets, KRAW_TRACE_A_SOCKETS,
			 KRAW_TRACE_A_SOCKET) ||
	    handler_fill(msg, record) || dgrams_fill(msg, record) ||
	    icmp_fill(msg, record) ||
	    nla_put_u64_64bit(msg, KRAW_TRACE_A_SEQ, record->copy[i].seq,
			      KRAW_TRACE_A_PAD) ||
	    nla_put_u64_64bit(msg, KRAW_TRACE_A_LOST,
			      atomic64_read(&tracer->lost), KRAW_TRACE_A_PAD))
		return -EMSGSIZE;
	nla_nest_end(msg, (struct nlattr *)(msg->data + record->copy[i].nest));
	nlmsg_end(msg, nlmsg_hdr(msg));
	return 0;
}

/* Who is to be told: from here on they count the packet. */
static void choose(struct kraw_record *record, const struct kraw_packet *packet)
{
	const struct kraw_net *kn = kraw_net(record->about.net);
	struct kraw_tracer *tracer;
	u64 now = 0;
	int i;

	list_for_each_entry_rcu(tracer, &kn->tracers, list) {
		/* One takes the place of another: there may seem to be more. */
		if (record->copies == KRAW_TRACERS_MAX)
			break;
		if (!kraw_tracer_wants(tracer, &record->about, packet))
			continue;
		now = now ?: ktime_get_real_ns();
		i = record->copies++;
		record->copy[i].tracer = tracer;
		record->copy[i].seq = atomic64_inc_return(&tracer->seen);
		record->copy[i].msg = message_begin(record, tracer, packet, now,
						    &record->copy[i].nest);
	}
}

/* Whether the packet cannot be answered is asked as in "explain". */
static u8 icmp_sent(enum kraw_family family, const struct sk_buff *skb)
{
	return kraw_unreach_silent(family, skb) ? KRAW_ICMP_RESULT_SILENT :
						  KRAW_ICMP_RESULT_SENT;
}

static bool tracepoints(void)
{
	return trace_kraw_input_enabled() || trace_kraw_deliver_enabled() ||
	       trace_kraw_output_enabled();
}

/**
 * kraw_record_begin - begin the record of a packet
 * @record:	up to kraw_record_end(), which must follow
 * @about:	what is decided about it
 * @packet:	the packet, data at its IP header. With everything that
 *		kraw_tracer_fields() asks for; pointers into it are stale afterwards
 *
 * Context: RCU read side, bottom halves off.
 */
void kraw_record_begin(struct kraw_record *record,
		       const struct kraw_record_about *about,
		       const struct kraw_packet *packet)
{
	record->about = *about;
	record->skb = packet->skb;
	record->family = packet->family;
	record->expected = false;
	record->icmp = KRAW_ICMP_RESULT_NONE;
	record->handler = NULL;
	record->has_dgram = false;
	record->open.watched = false;
	record->sockets.count = 0;
	record->dgrams.count = 0;
	record->copies = 0;
	choose(record, packet);
	record->wanted = record->copies || tracepoints();
	kraw_scope_enter(&recorded, &record->scope);
	if (!record->wanted)
		return;
	if (about->hook == KRAW_HOOK_INPUT)
		trace_kraw_input(record, packet);
	else
		trace_kraw_output(record, packet);
}

/* Ends a record and sends it. */
void kraw_record_end(struct kraw_record *record)
{
	int i;

	kraw_scope_leave(&recorded, &record->scope);
	for (i = 0; i < record->copies; i++) {
		struct sk_buff *msg = record->copy[i].msg;

		if (msg && message_end(record, i)) {
			nlmsg_free(msg);
			msg = NULL;
		}
		kraw_tracer_send(record->copy[i].tracer, msg);
	}
}

/* That of the packet which this task is at, NULL: nobody wants to know of it. */
struct kraw_record *kraw_record_current(void)
{
	struct kraw_scope *scope = kraw_scope_find(&recorded);
	struct kraw_record *record;

	if (!scope)
		return NULL;
	record = container_of(scope, struct kraw_record, scope);
	return record->wanted ? record : NULL;
}

static void add(struct kraw_record_sockets *to, u32 inode, u8 result)
{
	u32 i = to->count++;

	if (i >= KRAW_RECORD_SOCKETS_MAX)
		return;
	to->socket[i].inode = inode;
	to->socket[i].result = result;
}

/**
 * kraw_record_note_socket - note that a raw socket matches
 * @inode:	names it
 * @result:	what became of the packet there, enum kraw_socket_result
 */
void kraw_record_note_socket(u32 inode, u8 result)
{
	struct kraw_record *record = kraw_record_current();

	if (!record)
		return;
	trace_kraw_deliver(record, KRAW_RECORD_TO_SOCKET, inode, NULL, result);
	add(&record->sockets, inode, result);
}

/*
 * The record, if it is of this protocol: that of a packet from which IPsec has
 * taken another one is not that one's.
 */
static struct kraw_record *record_of(u8 number)
{
	struct kraw_record *record = kraw_record_current();

	return record && record->about.number == number ? record : NULL;
}

/**
 * kraw_record_note_dgram - note that the packet is for a datagram socket
 * @number:	the protocol
 * @inode:	names the socket
 * @result:	what became of it there, enum kraw_socket_result
 */
void kraw_record_note_dgram(u8 number, u32 inode, u8 result)
{
	struct kraw_record *record = record_of(number);

	if (!record)
		return;
	trace_kraw_deliver(record, KRAW_RECORD_TO_DGRAM, inode, NULL, result);
	record->has_dgram = true;
	record->dgram = KRAW_DGRAM_RESULT_SOCKETS;
	add(&record->dgrams, inode, result);
}

/* As kraw_record_dgrams(). */
void kraw_record_note_dgrams(u8 number, u8 result)
{
	struct kraw_record *record = record_of(number);

	if (!record)
		return;
	trace_kraw_deliver(record, KRAW_RECORD_TO_DGRAM, 0, NULL,
			   result | KRAW_TRACE_DGRAM);
	record->has_dgram = true;
	record->dgram = result;
}

/* As kraw_record_handler(). */
void kraw_record_note_handler(const void *handler, u8 result)
{
	struct kraw_record *record = kraw_record_current();

	if (!record)
		return;
	trace_kraw_deliver(record, KRAW_RECORD_TO_HANDLER, 0, handler, result);
	record->handler = handler;
	record->handler_result = result;
}

/* As kraw_record_icmp(). */
void kraw_record_note_icmp(enum kraw_family family, const struct sk_buff *skb,
			   u8 result, bool port)
{
	struct kraw_record *record = kraw_record_current();

	if (!record)
		return;
	if (result == KRAW_ICMP_RESULT_SENT)
		result = icmp_sent(family, skb);
	trace_kraw_deliver(record, KRAW_RECORD_TO_ICMP, 0, NULL, result);
	record->icmp = result;
	record->icmp_port = port;
	if (family == KRAW_IPV6)
		record->icmp_pointer = IP6CB(skb)->nhoff;
}

/* A raw socket that is in the record already is told of by the tracepoint. */
void kraw_record_tell_socket(const struct kraw_record *record, u32 i)
{
	trace_kraw_deliver(record, KRAW_RECORD_TO_SOCKET,
			   record->sockets.socket[i].inode, NULL,
			   record->sockets.socket[i].result);
}

/* The kernel has asked its sender by itself for an error; the packet is gone. */
void kraw_record_note_asked(struct kraw_record *record)
{
	record->icmp = record->silent ? KRAW_ICMP_RESULT_SILENT :
					KRAW_ICMP_RESULT_SENT;
	record->icmp_port = false;
	trace_kraw_deliver(record, KRAW_RECORD_TO_ICMP, 0, NULL, record->icmp);
}

/* For one more who listens; tracepoints want a result. May sleep. */
int kraw_record_on(void)
{
	static_branch_inc(&kraw_record_key.key);
	return 0;
}

/* For one less, at once: only the administrator of the host uses tracepoints. */
void kraw_record_off(void)
{
	static_branch_dec(&kraw_record_key.key);
}

/*
 * For one less. Any user may have a namespace and tracers in it: the kernel's
 * code is not patched more than once a second for them.
 */
void kraw_record_off_soon(void)
{
	static_branch_slow_dec_deferred(&kraw_record_key);
}

/* After the last tracer. */
void kraw_record_exit(void)
{
	static_key_deferred_flush(&kraw_record_key);
}
