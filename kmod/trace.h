/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints: events/kraw in tracefs. They tell of each packet of a managed
 * protocol what record.c notes; a tracepoint that nobody listens to does nothing.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kraw

#if !defined(_KRAW_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _KRAW_TRACE_H

#include <linux/in.h>
#include <linux/in6.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/socket.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <net/dst.h>
#include <net/net_namespace.h>
#include "classifier.h"
#include "record.h"
#include "rule.h"
#include "uapi/linux/kraw.h"

#ifndef _KRAW_TRACE_HELPERS
#define _KRAW_TRACE_HELPERS

/* A socket address, so that one format prints both families. */
static inline void kraw_trace_addr(void *to, const struct kraw_packet *packet,
				   const __be32 *addr)
{
	struct sockaddr_in6 *sin6 = to;
	struct sockaddr_in *sin = to;

	memset(to, 0, sizeof(*sin6));
	if (packet->family == KRAW_IPV4) {
		sin->sin_family = AF_INET;
		sin->sin_addr.s_addr = addr[0];
	} else {
		sin6->sin6_family = AF_INET6;
		memcpy(&sin6->sin6_addr, addr, sizeof(sin6->sin6_addr));
	}
}

/* The device that a packet came in by, or leaves by. */
static inline const char *kraw_trace_dev(const struct sk_buff *skb)
{
	if (skb->dev)
		return skb->dev->name;
	return skb_dst(skb) ? skb_dst(skb)->dev->name : "";
}

#define KRAW_TRACE_ICMP	0x80	/* with an enum kraw_icmp_result as result */
#define KRAW_TRACE_DGRAM 0x40	/* with an enum kraw_dgram_result as result */

#endif /* _KRAW_TRACE_HELPERS */

/**
 * kraw_packet - a hook has decided about a packet
 * @record:	what it has decided. The namespace is given as its inode number, the
 *		packet's address names it in kraw_deliver
 * @packet:	the packet
 *
 * handle is 0 if no rule decided, verdict 0 if the packet is left to the kernel;
 * trace tells of a rule that has "trace".
 */
DECLARE_EVENT_CLASS(kraw_packet,
	TP_PROTO(const struct kraw_record *record,
		 const struct kraw_packet *packet),

	TP_ARGS(record, packet),

	TP_STRUCT__entry(
		__field(const void *, skbaddr)
		__field(u32, netns)
		__field(u8, family)
		__field(u8, proto)
		__field(u8, verdict)
		__field(u8, trace)
		__field(u32, handle)
		__field(u32, pref)
		__field(u32, len)
		__array(char, dev, IFNAMSIZ)
		__array(u8, src, sizeof(struct sockaddr_in6))
		__array(u8, dst, sizeof(struct sockaddr_in6))
	),

	TP_fast_assign(
		const struct kraw_rule *rule = record->about.rule;

		__entry->skbaddr = record->skb;
		__entry->netns = record->about.net->ns.inum;
		__entry->family = packet->family == KRAW_IPV4 ? 4 : 6;
		__entry->proto = record->about.number;
		__entry->verdict = record->about.verdict;
		__entry->trace = rule && rule->trace;
		__entry->handle = rule ? rule->handle : 0;
		__entry->pref = rule ? rule->pref : 0;
		__entry->len = packet->len;
		strscpy(__entry->dev, kraw_trace_dev(packet->skb), IFNAMSIZ);
		kraw_trace_addr(__entry->src, packet, packet->src);
		kraw_trace_addr(__entry->dst, packet, packet->dst);
	),

	TP_printk("netns=%u skbaddr=%p family=ipv%u proto=%u handle=%u pref=%u trace=%u verdict=%s len=%u dev=%s src=%pISc dst=%pISc",
		  __entry->netns, __entry->skbaddr, __entry->family,
		  __entry->proto, __entry->handle, __entry->pref,
		  __entry->trace,
		  __print_symbolic(__entry->verdict,
				   { KRAW_VERDICT_UNSPEC, "passed" },
				   { KRAW_VERDICT_ALL, "all" },
				   { KRAW_VERDICT_RAW, "raw" },
				   { KRAW_VERDICT_KERNEL, "kernel" },
				   { KRAW_VERDICT_ONE, "one" },
				   { KRAW_VERDICT_NONE, "none" },
				   { KRAW_VERDICT_REJECT, "reject" },
				   { KRAW_VERDICT_ALLOW, "allow" },
				   { KRAW_VERDICT_DENY, "deny" }),
		  __entry->len, __entry->dev, __entry->src, __entry->dst)
);

/* A packet that has come in. */
DEFINE_EVENT_FN(kraw_packet, kraw_input,
	TP_PROTO(const struct kraw_record *record,
		 const struct kraw_packet *packet),
	TP_ARGS(record, packet),
	kraw_record_on, kraw_record_off
);

/* A packet that a raw socket sends. */
DEFINE_EVENT_FN(kraw_packet, kraw_output,
	TP_PROTO(const struct kraw_record *record,
		 const struct kraw_packet *packet),
	TP_ARGS(record, packet),
	kraw_record_on, kraw_record_off
);

/**
 * kraw_deliver - who gets a packet of kraw_input, or does not
 * @record:	the packet. With verdict all, expected: the kernel delivers it later
 * @to:		enum kraw_record_to
 * @inode:	names the socket; 0: no datagram socket has it
 * @handler:	the kernel's handler
 * @result:	enum kraw_socket_result; to the sender: enum kraw_icmp_result; to no
 *		datagram socket: enum kraw_dgram_result and KRAW_TRACE_DGRAM
 */
TRACE_EVENT_FN(kraw_deliver,
	TP_PROTO(const struct kraw_record *record, u8 to, u32 inode,
		 const void *handler, u8 result),

	TP_ARGS(record, to, inode, handler, result),

	TP_STRUCT__entry(
		__field(const void *, skbaddr)
		__field(const void *, handler)
		__field(u32, netns)
		__field(u32, inode)
		__field(u8, family)
		__field(u8, proto)
		__field(u8, to)
		__field(u8, result)
		__field(u8, expected)
	),

	TP_fast_assign(
		__entry->skbaddr = record->skb;
		__entry->handler = handler;
		__entry->netns = record->about.net->ns.inum;
		__entry->inode = inode;
		__entry->family = record->family == KRAW_IPV4 ? 4 : 6;
		__entry->proto = record->about.number;
		__entry->to = to;
		__entry->result = to == KRAW_RECORD_TO_ICMP ?
				  result | KRAW_TRACE_ICMP : result;
		__entry->expected = record->expected;
	),

	TP_printk("netns=%u skbaddr=%p family=ipv%u proto=%u to=%s inode=%u result=%s expected=%u handler=%ps",
		  __entry->netns, __entry->skbaddr, __entry->family,
		  __entry->proto,
		  __print_symbolic(__entry->to,
				   { KRAW_RECORD_TO_SOCKET, "socket" },
				   { KRAW_RECORD_TO_HANDLER, "handler" },
				   { KRAW_RECORD_TO_ICMP, "icmp" },
				   { KRAW_RECORD_TO_DGRAM, "dgram" }),
		  __entry->inode,
		  __print_symbolic(__entry->result,
				   { KRAW_SOCKET_RESULT_COPY, "copy" },
				   { KRAW_SOCKET_RESULT_MEMBER, "member" },
				   { KRAW_SOCKET_RESULT_ICMP_FILTER, "icmp_filter" },
				   { KRAW_SOCKET_RESULT_CHECKSUM, "checksum" },
				   { KRAW_SOCKET_RESULT_FILTER, "filter" },
				   { KRAW_SOCKET_RESULT_FULL, "full" },
				   { KRAW_SOCKET_RESULT_UNKNOWN, "unknown" },
				   { KRAW_SOCKET_RESULT_POLICY, "policy" },
				   { KRAW_SOCKET_RESULT_REFUSED, "refused" },
				   { KRAW_TRACE_DGRAM | KRAW_DGRAM_RESULT_NOBODY, "nobody" },
				   { KRAW_TRACE_DGRAM | KRAW_DGRAM_RESULT_POLICY, "policy" },
				   { KRAW_TRACE_DGRAM | KRAW_DGRAM_RESULT_HEADER, "header" },
				   { KRAW_TRACE_DGRAM | KRAW_DGRAM_RESULT_CHECKSUM, "checksum" },
				   { KRAW_TRACE_ICMP | KRAW_ICMP_RESULT_SENT, "sent" },
				   { KRAW_TRACE_ICMP | KRAW_ICMP_RESULT_NEVER, "never" },
				   { KRAW_TRACE_ICMP | KRAW_ICMP_RESULT_SILENT, "silent" }),
		  __entry->expected, __entry->handler),

	kraw_record_on, kraw_record_off
);

#endif /* _KRAW_TRACE_H */

/* Not in include/trace/events: Kbuild has this folder searched. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
