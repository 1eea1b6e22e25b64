// SPDX-License-Identifier: GPL-2.0
/* Counters of a protocol: life and reading. Writing is inline, in stats.h. */
#include "stats.h"

#include <linux/slab.h>
#include "memory.h"

/* Returns counters at zero with one reference, or NULL without memory. */
struct kraw_stats *kraw_stats_new(void)
{
	struct kraw_stats *stats;
	int cpu;

	stats = kmalloc(sizeof(*stats), KRAW_GFP);
	if (!stats)
		return NULL;
	stats->cpu = alloc_percpu_gfp(struct kraw_stats_cpu, KRAW_GFP);
	if (!stats->cpu) {
		kfree(stats);
		return NULL;
	}
	for_each_possible_cpu(cpu)
		u64_stats_init(&per_cpu_ptr(stats->cpu, cpu)->syncp);
	refcount_set(&stats->refs, 1);
	return stats;
}

struct kraw_stats *kraw_stats_get(struct kraw_stats *stats)
{
	refcount_inc(&stats->refs);
	return stats;
}

void kraw_stats_put(struct kraw_stats *stats)
{
	if (!refcount_dec_and_test(&stats->refs))
		return;
	free_percpu(stats->cpu);
	kfree(stats);
}

/* The sum of one counter over all CPUs, while they may go on counting. */
u64 kraw_stats_read(const struct kraw_stats *stats, enum kraw_family family,
		    enum kraw_stats_attr counter)
{
	u64 sum = 0;
	int i;

	for_each_possible_cpu(i) {
		const struct kraw_stats_cpu *cpu = per_cpu_ptr(stats->cpu, i);
		unsigned int start;
		u64 count;

		do {
			start = u64_stats_fetch_begin(&cpu->syncp);
			count = u64_stats_read(&cpu->count[counter][family]);
		} while (u64_stats_fetch_retry(&cpu->syncp, start));
		sum += count;
	}
	return sum;
}
