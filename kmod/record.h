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
#include "scope.h"
#include "tracer.h"
#include "watch.h"
#include "uapi/linux/kraw.h"

#define KRAW_RECORD_SOCKETS_MAX	32	/* sockets that are named, of each kind */

/* Who gets something, for tracepoints. */
enum kraw_record_to {
	KRAW_RECORD_TO_SOCKET,	/* a raw socket, the packet */
	KRAW_RECORD_TO_HANDLER,	/* the kernel's handler, the packet */
	KRAW_RECORD_TO_ICMP,	/* the sender, an ICMP error */
	KRAW_RECORD_TO_DGRAM,	/* a datagram socket of a claim, the packet */
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
 * struct kraw_record_sockets - sockets of one kind that a packet is for
 * @count:	how many; the first ones are in @socket
 * @socket:	a socket and its enum kraw_socket_result; while its kernel delivers
 *		with "account exact", raw sockets: which one, and whether it is open
 *		what that is
 */
struct kraw_record_sockets {
	u32 count;
	struct {
		const struct sock *sk;
		u32 inode;
		u8 result;
		bool open;
	} socket[KRAW_RECORD_SOCKETS_MAX];
};

/**
 * struct kraw_record_open - what the kernel does with copies for raw sockets
 * @watched:	it is being watched
 * @likely:	sockets of which it is open what they do, by what was expected
 * @queued:	copies queued at one of them, not known which
 * @refused:	copies refused by one of them, not known which, by enum kraw_refusal
 */
struct kraw_record_open {
	bool watched;
	u32 likely[KRAW_SOCKET_RESULT_REFUSED + 1];
	u32 queued;
	u32 refused[KRAW_REFUSALS];
};

/**
 * struct kraw_record - one packet, while it is being delivered
 * @scope:	its delivery
 * @about:	...
 * @skb:	names it, for tracepoints; may be gone
 * @family:	enum kraw_family
 * @wanted:	somebody wants to know of it
 * @expected:	what is noted now is what the kernel will do
 * @icmp:	enum kraw_icmp_result
 * @icmp_port:	it is port unreachable
 * @icmp_pointer: of an ICMPv6 error
 * @silent:	the kernel answers no such packet
 * @open:	with verdict all and "account exact"
 * @handler_result: enum kraw_socket_result
 * @handler:	function of the kernel's handler, NULL: none
 * @has_dgram:	a claim's handler has looked for datagram sockets
 * @dgram:	enum kraw_dgram_result
 * @sockets:	raw sockets that matched
 * @dgrams:	datagram sockets that it was for
 * @copies:	tracers in @copy
 * @copy:	a tracer and its message, NULL: no memory; its nest and number
 */
struct kraw_record {
	struct kraw_scope scope;
	struct kraw_record_about about;
	const void *skb;
	u8 family;
	bool wanted;
	bool expected;
	u8 icmp;
	bool icmp_port;
	bool silent;
	u8 handler_result;
	bool has_dgram;
	u8 dgram;
	u8 copies;
	u32 icmp_pointer;
	const void *handler;
	struct kraw_record_sockets sockets;
	struct kraw_record_sockets dgrams;
	struct kraw_record_open open;
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
struct kraw_record *kraw_record_current(void);

/* Of no use but behind kraw_recording(). */
void kraw_record_note_socket(u32 inode, u8 result);
void kraw_record_note_handler(const void *handler, u8 result);
void kraw_record_note_icmp(enum kraw_family family, const struct sk_buff *skb,
			   u8 result, bool port);
void kraw_record_note_dgram(u8 number, u32 inode, u8 result);
void kraw_record_note_dgrams(u8 number, u8 result);
void kraw_record_tell_socket(const struct kraw_record *record, u32 i);
void kraw_record_note_asked(struct kraw_record *record);

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
 * @port:	of a port, not of the protocol
 */
static __always_inline void kraw_record_icmp(enum kraw_family family,
					     const struct sk_buff *skb,
					     u8 result, bool port)
{
	if (kraw_recording())
		kraw_record_note_icmp(family, skb, result, port);
}

/**
 * kraw_record_dgrams - note what a claim's handler has found
 * @number:	the protocol
 * @result:	enum kraw_dgram_result; implied if it is for sockets
 */
static __always_inline void kraw_record_dgrams(u8 number, u8 result)
{
	if (kraw_recording())
		kraw_record_note_dgrams(number, result);
}

int kraw_record_on(void);
void kraw_record_off(void);
void kraw_record_off_soon(void);
void kraw_record_exit(void);

#endif /* _KRAW_RECORD_H */
