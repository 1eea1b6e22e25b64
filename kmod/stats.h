/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters of a protocol: per CPU and 64 bits wide.
 *
 * Writers run with bottom halves off (the input hook, a protocol handler) and
 * need no lock: a CPU has one writer at a time, or with PREEMPT_RT, where one task
 * may interrupt another, an addition that is one step for its CPU (u64_stats_t on
 * 64 bits) or not to be interrupted (u64_stats_sync on 32 bits, which also keeps
 * readers from seeing half a counter).
 */
#ifndef _KRAW_STATS_H
#define _KRAW_STATS_H

#include <linux/percpu.h>
#include <linux/refcount.h>
#include <linux/u64_stats_sync.h>
#include "net.h"
#include "uapi/linux/kraw.h"

/* Counters are numbered as their attributes, from KRAW_STATS_A_SEEN on. */
#define KRAW_STATS_LAST	KRAW_STATS_A_MAX

/* By the counter first: that is known when a place that counts is compiled. */
struct kraw_stats_cpu {
	u64_stats_t count[KRAW_STATS_LAST + 1][KRAW_FAMILIES];
	struct u64_stats_sync syncp;
};

/**
 * struct kraw_stats - counters of one managed protocol
 * @refs:	the versions of the protocol that count here
 * @cpu:	the counters
 */
struct kraw_stats {
	refcount_t refs;
	struct kraw_stats_cpu __percpu *cpu;
};

struct kraw_stats *kraw_stats_new(void);
struct kraw_stats *kraw_stats_get(struct kraw_stats *stats);
void kraw_stats_put(struct kraw_stats *stats);
u64 kraw_stats_read(const struct kraw_stats *stats, enum kraw_family family,
		    enum kraw_stats_attr counter);

static inline void kraw_stats_add(const struct kraw_stats *stats,
				  enum kraw_family family,
				  enum kraw_stats_attr counter, u32 n)
{
	struct kraw_stats_cpu *cpu = this_cpu_ptr(stats->cpu);

	u64_stats_update_begin(&cpu->syncp);
	u64_stats_add(&cpu->count[counter][family], n);
	u64_stats_update_end(&cpu->syncp);
}

static inline void kraw_stats_inc(const struct kraw_stats *stats,
				  enum kraw_family family,
				  enum kraw_stats_attr counter)
{
	kraw_stats_add(stats, family, counter, 1);
}

#endif /* _KRAW_STATS_H */
