/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What becomes of a packet, noted down for tracers and tracepoints.
 *
 * The functions that decide and deliver note what they do. As long as nobody
 * listens, in any namespace, a note is a jump that is not taken.
 */
#ifndef _KRAW_RECORD_H
#define _KRAW_RECORD_H

#include <linux/jump_label_ratelimit.h>
#include "net.h"
#include "tracer.h"
#include "uapi/linux/kraw.h"

#define KRAW_RECORD_SOCKETS_MAX	32	/* sockets that are named */

/* Who gets something, for tracepoints. */
enum kraw_record_to {
	KRAW_RECORD_TO_SOCKET,	/* a raw socket, the packet */
	KRAW_RECORD_TO_HANDLER,	/* the kernel's handler, the packet */
	KRAW_RECORD_TO_ICMP,	/* the sender, an ICMP error */
};

struct kraw_packet;
struct kraw_proto;
struct kraw_rule;
struct kraw_tracer;
struct sk_buff;
struct sock;

/* On while there is a tracer or a tracepoint in use, and up to a second longer. */
extern struct static_key_false_deferred kraw_record_key;

/**
 * struct kraw_record_about - what is decided about a packet
 * @net:	its namespace
 * @proto:	its protocol, managed
 * @rule:	the rule that decides, NULL: none
 * @sender:	output: the sending socket
 * @number:	protocol number
 * @hook:	enum kraw_hook
 * @verdict:	enum kraw_verdict; 0: left to the kernel without one
 */
struct kraw_record_about {
	struct net *net;
	const struct kraw_proto *proto;
	const struct kraw_rule *rule;
	const struct sock *sender;
	u8 number;
	u8 hook;
	u8 verdict;
};

/**
 * struct kraw_record - one packet, while it is being delivered
 * @about:	...
 * @outer:	the packet whose delivery has led to this one's, NULL: none
 * @skb:	names it, for tracepoints; may be gone
 * @family:	enum kraw_family
 * @expected:	what is noted now is what the kernel will do
 * @icmp:	enum kraw_icmp_result
 * @icmp_pointer: of an ICMPv6 error
 * @handler_result: enum kraw_socket_result
 * @handler:	function of the kernel's handler, NULL: none
 * @sockets:	raw sockets that matched; the first ones are in @socket
 * @copies:	tracers in @copy
 * @socket:	a raw socket and its enum kraw_socket_result
 * @copy:	a tracer and its message, NULL: no memory; its nest and number
 */
struct kraw_record {
	struct kraw_record_about about;
	struct kraw_record *outer;
	const void *skb;
	u8 family;
	bool expected;
	u8 icmp;
	u8 handler_result;
	u8 copies;
	u32 icmp_pointer;
	const void *handler;
	u32 sockets;
	struct {
		u32 inode;
		u8 result;
	} socket[KRAW_RECORD_SOCKETS_MAX];
	struct {
		struct kraw_tracer *tracer;
		struct sk_buff *msg;
		u32 nest;
		u64 seq;
	} copy[KRAW_TRACERS_MAX];
};

static __always_inline bool kraw_recording(void)
{
	return static_branch_unlikely(&kraw_record_key.key);
}

void kraw_record_begin(struct kraw_record *record,
		       const struct kraw_record_about *about,
		       const struct kraw_packet *packet);
void kraw_record_end(struct kraw_record *record);

/* Of no use but behind kraw_recording(). */
void kraw_record_note_socket(u32 inode, u8 result);
void kraw_record_note_handler(const void *handler, u8 result);
void kraw_record_note_icmp(enum kraw_family family, const struct sk_buff *skb,
			   u8 result);

/**
 * kraw_record_handler - note that a kernel handler is given the packet, or not
 * @handler:	its function
 * @result:	enum kraw_socket_result
 */
static __always_inline void kraw_record_handler(const void *handler, u8 result)
{
	if (kraw_recording())
		kraw_record_note_handler(handler, result);
}

/**
 * kraw_record_icmp - note that the sender is told, or not
 * @family:	of the packet
 * @skb:	...
 * @result:	KRAW_ICMP_RESULT_SENT or _NEVER
 */
static __always_inline void kraw_record_icmp(enum kraw_family family,
					     const struct sk_buff *skb,
					     u8 result)
{
	if (kraw_recording())
		kraw_record_note_icmp(family, skb, result);
}

int kraw_record_on(void);
void kraw_record_off(void);
void kraw_record_off_soon(void);
void kraw_record_exit(void);

#endif /* _KRAW_RECORD_H */
