/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints: events/kraw in tracefs. Only rules with "trace" come here, and a
 * tracepoint that nobody listens to is a jump that is not taken.
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

#endif /* _KRAW_TRACE_HELPERS */

/**
 * kraw_packet - a rule with "trace" decides about a packet
 * @net:	the namespace, given as its inode number
 * @rule:	the rule
 * @packet:	the packet
 */
TRACE_EVENT(kraw_packet,
	TP_PROTO(const struct net *net, const struct kraw_rule *rule,
		 const struct kraw_packet *packet),

	TP_ARGS(net, rule, packet),

	TP_STRUCT__entry(
		__field(u32, netns)
		__field(u8, hook)
		__field(u8, family)
		__field(u8, proto)
		__field(u8, verdict)
		__field(u32, handle)
		__field(u32, pref)
		__field(u32, len)
		__array(char, dev, IFNAMSIZ)
		__array(u8, src, sizeof(struct sockaddr_in6))
		__array(u8, dst, sizeof(struct sockaddr_in6))
	),

	TP_fast_assign(
		__entry->netns = net->ns.inum;
		__entry->hook = rule->hook;
		__entry->family = packet->family == KRAW_IPV4 ? 4 : 6;
		__entry->proto = rule->proto;
		__entry->verdict = rule->decision.verdict;
		__entry->handle = rule->handle;
		__entry->pref = rule->pref;
		__entry->len = packet->len;
		strscpy(__entry->dev, kraw_trace_dev(packet->skb), IFNAMSIZ);
		kraw_trace_addr(__entry->src, packet, packet->src);
		kraw_trace_addr(__entry->dst, packet, packet->dst);
	),

	TP_printk("netns=%u hook=%s family=ipv%u proto=%u handle=%u pref=%u verdict=%s len=%u dev=%s src=%pISc dst=%pISc",
		  __entry->netns,
		  __print_symbolic(__entry->hook,
				   { KRAW_HOOK_INPUT, "input" },
				   { KRAW_HOOK_OUTPUT, "output" }),
		  __entry->family, __entry->proto, __entry->handle,
		  __entry->pref,
		  __print_symbolic(__entry->verdict,
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

#endif /* _KRAW_TRACE_H */

/* Not in include/trace/events: Kbuild has this folder searched. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
