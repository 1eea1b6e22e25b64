// SPDX-License-Identifier: GPL-2.0
/*
 * Watching what the kernel does with a packet, for "account exact".
 *
 * Between begin and end everything that this task does happens to the packet
 * that is watched, or in an interrupt to something else. Tracepoints of the
 * kernel's tell of it: kfree_skb, of each packet that is dropped, with a reason,
 * sock_rcvqueue_full and, where the kernel may pass over a socket without a word
 * (KRAW_ROOM_FIRST), sk_data_ready, of each one that has something new to read.
 * They are attached only while some protocol with "account exact" is managed, on
 * the whole host; each packet dropped anywhere, or queued, then costs a look at
 * one variable of this CPU.
 *
 * A copy is known by its data, which it shares with the packet, and a raw
 * socket's copy by the function that drops it: the kernel's handlers make
 * copies too. Which function that is the tracepoint says by an address; names
 * are looked up once for each.
 *
 * Context: bottom halves off from begin to end, see scope.h; probes, any.
 */
#include "watch.h"

#include <linux/errno.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/skbuff.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <net/sock.h>
#include <trace/events/skb.h>
#include "compat.h"
#include "expect.h"

static DEFINE_PER_CPU(struct kraw_scope *, watched);

static DEFINE_MUTEX(lock);	/* guards what follows */
static unsigned int users;
static struct tracepoint *queue_full;
static struct tracepoint *data_ready;

/* Who has dropped a packet. */
enum dropper {
	UNKNOWN,
	OTHER,
	RAW,		/* a raw socket's receive function */
	DELIVERY,	/* what gives packets to handlers */
};

/*
 * Droppers by the address that they call from. Places fill up and are never
 * freed, so a reader needs no lock: it sees an address with its dropper, or as
 * UNKNOWN. Module text that is replaced was no dropper of ours before either.
 */
static struct {
	const void *address;
	u8 dropper;	/* enum dropper */
} droppers[16];

static enum dropper dropper_by_name(const void *address)
{
	/* Compilers put some of these into their callers, so both are here. */
	static const struct {
		const char *name;
		u8 dropper;
	} names[] = {
		{ "raw_rcv", RAW },
		{ "raw_v4_input", RAW },
		{ "raw_local_deliver", RAW },
		{ "rawv6_rcv", RAW },
		{ "ipv6_raw_deliver", RAW },
		{ "raw6_local_deliver", RAW },
		{ "ip_protocol_deliver_rcu", DELIVERY },
		{ "ip_local_deliver_finish", DELIVERY },
		{ "ip6_protocol_deliver_rcu", DELIVERY },
		{ "ip6_input_finish", DELIVERY },
	};
	char symbol[64];
	int i;

	snprintf(symbol, sizeof(symbol), "%ps", address);
	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (str_has_prefix(symbol, names[i].name))
			return names[i].dropper;
	return OTHER;
}

static enum dropper dropper(const void *address)
{
	enum dropper found = UNKNOWN;
	int i;

	for (i = 0; i < ARRAY_SIZE(droppers); i++) {
		const void *there = READ_ONCE(droppers[i].address);

		if (!there)
			there = cmpxchg(&droppers[i].address, NULL, address);
		if (there && there != address)
			continue;
		if (there)
			found = READ_ONCE(droppers[i].dropper);
		if (found == UNKNOWN) {
			found = dropper_by_name(address);
			WRITE_ONCE(droppers[i].dropper, found);
		}
		return found;
	}
	return dropper_by_name(address);
}

/*
 * Why a raw socket dropped a copy. The kernel gives reasons in IPv4; in IPv6 it
 * gave none for long, and what it has done to the copy so far must tell: the
 * checksum is calculated before the route is let go, and filter and queue are
 * asked after that.
 */
static enum kraw_refusal refusal(const struct kraw_watch *watch,
				 const struct sk_buff *skb,
				 enum skb_drop_reason reason)
{
	if (skb == watch->full)
		return KRAW_REFUSAL_FULL;
	switch (reason) {
	case SKB_DROP_REASON_XFRM_POLICY:
		return KRAW_REFUSAL_POLICY;
	case SKB_DROP_REASON_SKB_CSUM:
		return KRAW_REFUSAL_CHECKSUM;
	case SKB_DROP_REASON_SOCKET_FILTER:
		return KRAW_REFUSAL_FILTER;
	case SKB_DROP_REASON_SOCKET_RCVBUFF:
		return KRAW_REFUSAL_FULL;
	case SKB_DROP_REASON_PROTO_MEM:
		return KRAW_REFUSAL_MEMORY;
	default:
		break;
	}
	if (!skb_dst(skb))
		return KRAW_REFUSAL_FILTER;
	return skb->csum_complete_sw && !skb->csum_valid ?
	       KRAW_REFUSAL_CHECKSUM : KRAW_REFUSAL_POLICY;
}

static struct kraw_watch *current_watch(void)
{
	struct kraw_scope *scope = kraw_scope_find(&watched);

	return scope ? container_of(scope, struct kraw_watch, scope) : NULL;
}

/* A packet is dropped. Any context. */
static void see_drop(const struct sk_buff *skb, const void *location,
		     enum skb_drop_reason reason, const struct sock *sk)
{
	struct kraw_watch *watch = current_watch();
	enum kraw_refusal why;

	if (likely(!watch) || skb->head != watch->head)
		return;
	switch (dropper(location)) {
	case RAW:
		if (skb == watch->skb)
			break;
		why = refusal(watch, skb, reason);
		watch->refused[why]++;
		if (skb == watch->full)
			sk = watch->full_sk;
		kraw_expect_refused(sk, why);
		/* The next copy may get its place in memory. */
		watch->full = NULL;
		break;
	case DELIVERY:
		if (skb != watch->skb)
			break;
		if (reason == SKB_DROP_REASON_XFRM_POLICY)
			watch->policy = true;
		else if (reason == SKB_DROP_REASON_IP_NOPROTO)
			watch->nobody = true;
		else
			watch->discarded = true;
		break;
	default:
		break;
	}
}

KRAW_KFREE_SKB_PROBE(dropped, see_drop)

/* The tracepoint sock_rcvqueue_full: a packet will be dropped. Any context. */
static void met_full(void *unused, struct sock *sk, struct sk_buff *skb)
{
	struct kraw_watch *watch = current_watch();

	if (!watch || skb->head != watch->head)
		return;
	watch->full = skb;
	watch->full_sk = sk;
}

/* The tracepoint sk_data_ready: a socket has one more to read. Any context. */
static void queued(void *unused, const struct sock *sk)
{
	struct kraw_watch *watch = current_watch();

	if (likely(!watch) || sk->sk_type != SOCK_RAW ||
	    sk->sk_family != (watch->family == KRAW_IPV4 ? AF_INET :
							   AF_INET6) ||
	    inet_sk(sk)->inet_num != watch->number)
		return;
	watch->queued++;
	kraw_expect_queued(sk);
}

/**
 * kraw_watch_begin - watch what happens to a packet and its copies
 * @watch:	result, on the caller's stack, up to kraw_watch_end(), which must
 *		follow
 * @family:	its family
 * @number:	the raw sockets' protocol number
 * @skb:	the packet
 */
void kraw_watch_begin(struct kraw_watch *watch, enum kraw_family family,
		      u8 number, const struct sk_buff *skb)
{
	*watch = (struct kraw_watch) {
		.family = family,
		.number = number,
		.skb = skb,
		.head = skb->head,
	};
	kraw_scope_enter(&watched, &watch->scope);
}

/* Ends what this task has begun last. */
void kraw_watch_end(const struct kraw_watch *watch)
{
	kraw_scope_leave(&watched, &watch->scope);
}

/* The kernel exports kfree_skb, but the others have to be looked for. */
static void find(struct tracepoint *tracepoint, void *unused)
{
	if (!strcmp(tracepoint->name, "sock_rcvqueue_full"))
		queue_full = tracepoint;
	else if (!strcmp(tracepoint->name, "sk_data_ready"))
		data_ready = tracepoint;
}

static int attach(void)
{
	int err;

	for_each_kernel_tracepoint(find, NULL);
	if (!queue_full || (KRAW_ROOM_FIRST && !data_ready))
		return -EOPNOTSUPP;
	err = tracepoint_probe_register(queue_full, met_full, NULL);
	if (err)
		return err;
	err = register_trace_kfree_skb(dropped, NULL);
	if (err)
		goto err_full;
	if (KRAW_ROOM_FIRST)
		err = tracepoint_probe_register(data_ready, queued, NULL);
	if (err)
		goto err_dropped;
	return 0;

err_dropped:
	unregister_trace_kfree_skb(dropped, NULL);
err_full:
	tracepoint_probe_unregister(queue_full, met_full, NULL);
	return err;
}

/**
 * kraw_watch_get - make watching possible
 *
 * May sleep. Returns 0, -EOPNOTSUPP (this kernel has no tracepoints) or
 * -ENOMEM.
 */
int kraw_watch_get(void)
{
	int err = 0;

	mutex_lock(&lock);
	if (!users)
		err = attach();
	if (!err)
		users++;
	mutex_unlock(&lock);
	return err;
}

/* Gives back what kraw_watch_get() gave. May sleep. */
void kraw_watch_put(void)
{
	mutex_lock(&lock);
	if (!--users) {
		if (KRAW_ROOM_FIRST)
			tracepoint_probe_unregister(data_ready, queued, NULL);
		unregister_trace_kfree_skb(dropped, NULL);
		tracepoint_probe_unregister(queue_full, met_full, NULL);
	}
	mutex_unlock(&lock);
}

/* After the last put: no CPU runs a probe any more. */
void kraw_watch_exit(void)
{
	tracepoint_synchronize_unregister();
}
