/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a socket would say to a packet: asked in advance, without any effect.
 * Context: RCU read side.
 */
#ifndef _KRAW_ASK_H
#define _KRAW_ASK_H

#include <linux/filter.h>
#include <net/sock.h>
#include "uapi/linux/kraw.h"

/* As the kernel asks before it queues. */
static inline bool kraw_ask_full(const struct sock *sk)
{
	return atomic_read(&sk->sk_rmem_alloc) >= READ_ONCE(sk->sk_rcvbuf);
}

/* A classic BPF program reads the packet and has no other effect. */
static inline enum kraw_socket_result kraw_ask_filter(struct sock *sk,
						      struct sk_buff *skb)
{
	const struct sk_filter *filter = rcu_dereference(sk->sk_filter);

	if (!filter)
		return KRAW_SOCKET_RESULT_COPY;
	if (!bpf_prog_was_classic(filter->prog))
		return KRAW_SOCKET_RESULT_UNKNOWN;
	return bpf_prog_run_save_cb(filter->prog, skb) ?
	       KRAW_SOCKET_RESULT_COPY : KRAW_SOCKET_RESULT_FILTER;
}

/* The filter first, then the queue. */
static inline enum kraw_socket_result kraw_ask_queue(struct sock *sk,
						     struct sk_buff *skb)
{
	enum kraw_socket_result result = kraw_ask_filter(sk, skb);

	return result == KRAW_SOCKET_RESULT_COPY && kraw_ask_full(sk) ?
	       KRAW_SOCKET_RESULT_FULL : result;
}

#endif /* _KRAW_ASK_H */
