// SPDX-License-Identifier: GPL-2.0
/*
 * Counters of rules come in blocks. The kernel's allocator of memory per CPU
 * searches its bitmaps for each object: with 100 000 small ones that was half of
 * all that the kernel did to put as many rules in force.
 *
 * A block is charged to the memory cgroup of who needed it first. Its other
 * places go to whoever comes next in the same namespace: nobody holds blocks of
 * somebody else's, or waits while another one's memory is being looked for.
 */
#include "counter.h"

#include <linux/bitmap.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include "memory.h"

#define PLACES	64

/**
 * struct kraw_counter_pool - the blocks of a namespace; outlives it with its rules
 * @refs:	the namespace, and blocks
 * @lock:	guards @spare, and what is free in blocks
 * @spare:	blocks with a free place
 */
struct kraw_counter_pool {
	refcount_t refs;
	struct mutex lock;	/* see above */
	struct list_head spare;
};

/**
 * struct kraw_counter_block - so many counters
 * @pool:	whose it is, referenced
 * @list:	in @pool's list while a place is free
 * @used:	the places that are not
 * @cpu:	the counters, %PLACES for each CPU
 */
struct kraw_counter_block {
	struct kraw_counter_pool *pool;
	struct list_head list;
	DECLARE_BITMAP(used, PLACES);
	struct kraw_counter_cpu __percpu *cpu;
};

static struct kraw_counter_pool *pool_new(void)
{
	struct kraw_counter_pool *pool = kmalloc(sizeof(*pool), KRAW_GFP);

	if (!pool)
		return NULL;
	refcount_set(&pool->refs, 1);
	mutex_init(&pool->lock);
	INIT_LIST_HEAD(&pool->spare);
	return pool;
}

/* Gives up a reference; NULL: there is none. */
void kraw_counter_pool_put(struct kraw_counter_pool *pool)
{
	if (pool && refcount_dec_and_test(&pool->refs))
		kfree(pool);
}

static struct kraw_counter_block *block_new(struct kraw_counter_pool *pool)
{
	struct kraw_counter_block *block;

	block = kzalloc(sizeof(*block), KRAW_GFP);
	if (!block)
		return NULL;
	block->cpu = __alloc_percpu_gfp(array_size(PLACES, sizeof(*block->cpu)),
					__alignof__(*block->cpu),
					KRAW_GFP);
	if (!block->cpu) {
		kfree(block);
		return NULL;
	}
	refcount_inc(&pool->refs);
	block->pool = pool;
	list_add(&block->list, &pool->spare);
	return block;
}

static void block_free(struct kraw_counter_block *block)
{
	list_del(&block->list);
	free_percpu(block->cpu);
	kfree(block);
}

/**
 * kraw_counter_alloc - get a counter at zero
 * @counter:	result
 * @pool:	of the namespace, which is locked; made for its first counter
 *
 * May sleep. Returns 0 or -ENOMEM.
 */
int kraw_counter_alloc(struct kraw_counter *counter,
		       struct kraw_counter_pool **pool)
{
	struct kraw_counter_block *block;
	unsigned int place;
	int cpu;

	if (!*pool)
		*pool = pool_new();
	if (!*pool)
		return -ENOMEM;
	mutex_lock(&(*pool)->lock);
	block = list_first_entry_or_null(&(*pool)->spare,
					 struct kraw_counter_block, list) ?:
		block_new(*pool);
	if (!block) {
		mutex_unlock(&(*pool)->lock);
		return -ENOMEM;
	}
	place = find_first_zero_bit(block->used, PLACES);
	__set_bit(place, block->used);
	if (bitmap_full(block->used, PLACES))
		list_del_init(&block->list);
	mutex_unlock(&(*pool)->lock);

	counter->block = block;
	counter->cpu = block->cpu + place;
	for_each_possible_cpu(cpu) {
		struct kraw_counter_cpu *c = per_cpu_ptr(counter->cpu, cpu);

		memset(c, 0, sizeof(*c));
		u64_stats_init(&c->syncp);
	}
	return 0;
}

/**
 * kraw_counter_free - give a counter back
 * @counter:	nobody counts with it any more; if @block is NULL, there is none
 *
 * May sleep.
 */
void kraw_counter_free(struct kraw_counter *counter)
{
	struct kraw_counter_block *block = counter->block;
	struct kraw_counter_pool *pool;
	bool empty;

	if (!block)
		return;
	pool = block->pool;
	mutex_lock(&pool->lock);
	if (bitmap_full(block->used, PLACES))
		list_add(&block->list, &pool->spare);
	__clear_bit(counter->cpu - block->cpu, block->used);
	empty = bitmap_empty(block->used, PLACES);
	if (empty)
		block_free(block);
	mutex_unlock(&pool->lock);
	if (empty)
		kraw_counter_pool_put(pool);
}

/**
 * kraw_counter_read - add up what the CPUs counted
 * @counter:	may be written to meanwhile
 * @packets:	result
 * @bytes:	result
 */
void kraw_counter_read(const struct kraw_counter *counter, u64 *packets,
		       u64 *bytes)
{
	int i;

	*packets = 0;
	*bytes = 0;
	for_each_possible_cpu(i) {
		const struct kraw_counter_cpu *cpu = per_cpu_ptr(counter->cpu, i);
		unsigned int start;
		u64 p, b;

		do {
			start = u64_stats_fetch_begin(&cpu->syncp);
			p = u64_stats_read(&cpu->packets);
			b = u64_stats_read(&cpu->bytes);
		} while (u64_stats_fetch_retry(&cpu->syncp, start));
		*packets += p;
		*bytes += b;
	}
}
