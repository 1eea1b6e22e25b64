// SPDX-License-Identifier: GPL-2.0
/*
 * A limit: a token bucket that many CPUs take from.
 *
 * The bucket is one word: the time at which it will be full again if nobody
 * takes anything more (the generic cell rate algorithm). A token costs the time
 * that the rate needs for one; what lies between now and @full is missing, and
 * @depth is the time that fills an empty bucket. A word in the past is a full
 * bucket, so a long time without packets gives one burst and not more.
 *
 * Every CPU that wrote this word for every packet would fetch its cache line
 * from another one. So a CPU takes several tokens at once and spends them alone:
 *
 * - While the bucket is more than half full there is no need to be thrifty: it
 *   takes a whole batch, 1/256 of a second's tokens.
 * - Else it takes as many as it can use soon: it begins with one and doubles
 *   that when it comes back within a period, 1/256 of a second, up to the batch.
 * - If there are not as many, it waits, and only reads the word, until a period
 *   has passed since it took some; then it takes what there is.
 *
 * So a CPU writes the word some hundred times a second, whatever comes. With a
 * small burst the batch and the period are smaller: all CPUs together never hold
 * more than half of a burst, and a quarter of the time that fills the bucket is
 * the longest period.
 *
 * Tokens on a CPU lapse at the time that the word had when it took them: by then
 * the bucket has been refilled, if no other CPU took any, and to spend them as
 * well would exceed the burst. Otherwise they are lost, which only happens to a
 * CPU without a packet for half the time that fills the bucket, and it loses no
 * more than it spent just before.
 *
 * What this is exact to: over any time the rate holds, but for what lapses; the
 * burst is exceeded by no more than the tokens on the CPUs. Rates and bursts with
 * a batch of one, all rates below 512, are exact.
 *
 * The clock is CLOCK_MONOTONIC: it goes on evenly and CPUs agree on it to some
 * nanoseconds, which sched_clock() does not promise: where the TSCs differ, its
 * time may jump by a tick between two CPUs, and so would the bucket. The variant
 * for any context does without the sequence lock's retry; that it may step back
 * by nanoseconds when the clock's rate is adjusted only makes a token later.
 * Times are u64 nanoseconds: the slowest bucket, 2^32 packets at one a second,
 * takes 2^62 of them, so neither this sum nor the clock can overflow it.
 */
#include "limit.h"

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/netlink.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/u64_stats_sync.h>
#include <net/netlink.h>
#include "memory.h"
#include "uapi/linux/kraw.h"

#define BATCHES_PER_SEC	256
#define COST_SHIFT	32
#define BURST_MIN	5	/* of the default */

/*
 * What one CPU has. One writer: it cannot be interrupted by another.
 * @until:	when the tokens lapse
 * @taken:	when it took some
 * @tokens:	that it may spend
 * @want:	how many it takes when there are not plenty, never 0
 * @limited:	packets over the limit
 */
struct limit_cpu {
	u64 until;
	u64 taken;
	u32 tokens;
	u32 want;
	u64_stats_t limited;
	struct u64_stats_sync syncp;
};

/**
 * struct kraw_limit - read-only, but for the last one and the CPUs' own
 * @rate:	packets a second
 * @burst:	packets at once
 * @batch:	tokens that a CPU takes at most, never 0
 * @period:	ns, see above
 * @depth:	ns that fill an empty bucket
 * @cost:	ns for one token, COST_SHIFT bits behind the point
 * @cpu:	...
 * @full:	ns, when the bucket is full; alone in its cache line
 */
struct kraw_limit {
	u32 rate;
	u32 burst;
	u32 batch;
	u64 period;
	u64 depth;
	u64 cost;
	struct limit_cpu __percpu *cpu;
	atomic64_t full ____cacheline_aligned_in_smp;
};

static void set(struct kraw_limit *limit, u32 rate, u32 burst)
{
	limit->rate = rate;
	limit->burst = burst;
	limit->batch = max(1U, min(rate / BATCHES_PER_SEC,
				   burst / (2 * num_possible_cpus())));
	limit->depth = div_u64((u64)burst * NSEC_PER_SEC, rate);
	limit->period = min_t(u64, NSEC_PER_SEC / BATCHES_PER_SEC,
			      limit->depth / 4);
	limit->cost = div_u64((u64)NSEC_PER_SEC << COST_SHIFT, rate);
}

/**
 * kraw_limit_parse - read the limit of a rule
 * @limit:	result, NULL without one
 * @tb:		the rule's attributes, which passed its policy
 * @extack:	gets the reason of a refusal
 *
 * Returns 0, -EINVAL or -ENOMEM.
 */
int kraw_limit_parse(struct kraw_limit **limit, struct nlattr **tb,
		     struct netlink_ext_ack *extack)
{
	const struct nlattr *rate = tb[KRAW_RULE_A_LIMIT_RATE];
	const struct nlattr *burst = tb[KRAW_RULE_A_LIMIT_BURST];
	struct kraw_limit *new;
	int i;

	*limit = NULL;
	if (!rate) {
		if (!burst)
			return 0;
		NL_SET_ERR_MSG_ATTR(extack, burst, "a burst needs a rate");
		return -EINVAL;
	}
	new = kzalloc(sizeof(*new), KRAW_GFP);
	if (!new)
		return -ENOMEM;
	new->cpu = alloc_percpu_gfp(struct limit_cpu, KRAW_GFP);
	if (!new->cpu) {
		kfree(new);
		return -ENOMEM;
	}
	for_each_possible_cpu(i) {
		struct limit_cpu *cpu = per_cpu_ptr(new->cpu, i);

		cpu->want = 1;
		u64_stats_init(&cpu->syncp);
	}
	set(new, nla_get_u32(rate), burst ? nla_get_u32(burst) :
				    max_t(u32, nla_get_u32(rate) / 10,
					  BURST_MIN));
	*limit = new;
	return 0;
}

void kraw_limit_free(struct kraw_limit *limit)
{
	if (!limit)
		return;
	free_percpu(limit->cpu);
	kfree(limit);
}

/* Whether they allow the same; each may be NULL. */
bool kraw_limit_same(const struct kraw_limit *a, const struct kraw_limit *b)
{
	if (!a || !b)
		return a == b;
	return a->rate == b->rate && a->burst == b->burst;
}

static u64 limited(const struct kraw_limit *limit)
{
	u64 sum = 0;
	int i;

	for_each_possible_cpu(i) {
		const struct limit_cpu *cpu = per_cpu_ptr(limit->cpu, i);
		unsigned int start;
		u64 count;

		do {
			start = u64_stats_fetch_begin(&cpu->syncp);
			count = u64_stats_read(&cpu->limited);
		} while (u64_stats_fetch_retry(&cpu->syncp, start));
		sum += count;
	}
	return sum;
}

/**
 * kraw_limit_fill - describe a limit
 * @msg:	in the nest of its rule
 * @limit:	...
 * @counters:	with its counter
 *
 * Returns 0 or -EMSGSIZE; the caller cancels the nest.
 */
int kraw_limit_fill(struct sk_buff *msg, const struct kraw_limit *limit,
		    bool counters)
{
	if (nla_put_u32(msg, KRAW_RULE_A_LIMIT_RATE, limit->rate) ||
	    nla_put_u32(msg, KRAW_RULE_A_LIMIT_BURST, limit->burst) ||
	    (counters && nla_put_u64_64bit(msg, KRAW_RULE_A_LIMITED,
					   limited(limit), KRAW_RULE_A_PAD)))
		return -EMSGSIZE;
	return 0;
}

/* The product is at most that of one token at one a second, 2^62. */
static u64 cost(const struct kraw_limit *limit, u32 tokens)
{
	return tokens * limit->cost >> COST_SHIFT;
}

/*
 * How many tokens to take from a bucket that has @room nanoseconds' worth of
 * them; 0: none, the packet is over the limit. @soon: within a period of the
 * last time.
 */
static u32 choose(const struct kraw_limit *limit, const struct limit_cpu *cpu,
		  u64 room, bool soon)
{
	u32 want = room > limit->depth / 2 ? limit->batch : cpu->want;

	if (cost(limit, want) <= room)
		return want;
	if (soon || cost(limit, 1) > room)
		return 0;
	return max_t(u32, 1, div_u64(room * limit->rate, NSEC_PER_SEC));
}

/* Takes tokens and spends one of them. */
static bool take(struct kraw_limit *limit, struct limit_cpu *cpu, u64 now)
{
	bool soon = now - cpu->taken < limit->period;
	s64 full = atomic64_read(&limit->full);
	u32 tokens;
	u64 next;

	if (cpu->tokens)	/* they have lapsed: it took too many */
		cpu->want = 1;
	cpu->tokens = 0;
	do {
		u64 missing = (u64)full > now ? full - now : 0;

		tokens = choose(limit, cpu,
				limit->depth - min(missing, limit->depth),
				soon);
		if (!tokens)
			return false;
		next = now + missing + cost(limit, tokens);
	} while (!atomic64_try_cmpxchg(&limit->full, &full, next));
	cpu->tokens = tokens - 1;
	cpu->until = next;
	cpu->taken = now;
	if (soon)
		cpu->want = min(2 * cpu->want, limit->batch);
	return true;
}

static bool pass(struct kraw_limit *limit, struct limit_cpu *cpu, u64 now)
{
	if (cpu->tokens && now < cpu->until) {
		cpu->tokens--;
		return true;
	}
	if (take(limit, cpu, now))
		return true;
	u64_stats_update_begin(&cpu->syncp);
	u64_stats_inc(&cpu->limited);
	u64_stats_update_end(&cpu->syncp);
	return false;
}

/**
 * kraw_limit_pass - ask for one packet, and count it if it is over the limit
 * @limit:	of a rule that matched it
 *
 * Context: bottom halves off, which keeps other writers away; with PREEMPT_RT
 * preemption has to be.
 */
bool kraw_limit_pass(struct kraw_limit *limit)
{
	bool passed;

	preempt_disable_nested();
	passed = pass(limit, this_cpu_ptr(limit->cpu),
		      ktime_get_mono_fast_ns());
	preempt_enable_nested();
	return passed;
}

/* @cpu: a copy */
static bool allows(const struct kraw_limit *limit, struct limit_cpu cpu,
		   u64 now)
{
	u64 full = atomic64_read(&limit->full);
	u64 missing = full > now ? full - now : 0;

	if (cpu.tokens && now < cpu.until)
		return true;
	if (cpu.tokens)
		cpu.want = 1;
	return choose(limit, &cpu, limit->depth - min(missing, limit->depth),
		      now - cpu.taken < limit->period);
}

/**
 * kraw_limit_allows - whether one packet would pass now, without taking anything
 * @limit:	of a rule that matches it
 *
 * Context: as kraw_limit_pass(), of which this is the answer.
 */
bool kraw_limit_allows(const struct kraw_limit *limit)
{
	bool allowed;

	preempt_disable_nested();
	allowed = allows(limit, *this_cpu_ptr(limit->cpu),
			 ktime_get_mono_fast_ns());
	preempt_enable_nested();
	return allowed;
}
