/* SPDX-License-Identifier: GPL-2.0 */
/* Counters of rules: packets and bytes, per CPU. */
#ifndef _KRAW_COUNTER_H
#define _KRAW_COUNTER_H

#include <linux/percpu.h>
#include <linux/u64_stats_sync.h>

struct kraw_counter_block;
struct kraw_counter_pool;

struct kraw_counter_cpu {
	u64_stats_t packets;
	u64_stats_t bytes;
	struct u64_stats_sync syncp;
};

/**
 * struct kraw_counter - the counter of one rule
 * @block:	what it is a part of
 * @cpu:	written as those of struct kraw_stats
 */
struct kraw_counter {
	struct kraw_counter_block *block;
	struct kraw_counter_cpu __percpu *cpu;
};

int kraw_counter_alloc(struct kraw_counter *counter,
		       struct kraw_counter_pool **pool);
void kraw_counter_pool_put(struct kraw_counter_pool *pool);
void kraw_counter_free(struct kraw_counter *counter);
void kraw_counter_read(const struct kraw_counter *counter, u64 *packets,
		       u64 *bytes);

/* Context: bottom halves off. */
static inline void kraw_counter_add(const struct kraw_counter *counter, u32 len)
{
	struct kraw_counter_cpu *cpu = this_cpu_ptr(counter->cpu);

	u64_stats_update_begin(&cpu->syncp);
	u64_stats_inc(&cpu->packets);
	u64_stats_add(&cpu->bytes, len);
	u64_stats_update_end(&cpu->syncp);
}

#endif /* _KRAW_COUNTER_H */
