/* SPDX-License-Identifier: GPL-2.0 */
/* Long loops in process context: let others run now and then. */
#ifndef _KRAW_BREATHE_H
#define _KRAW_BREATHE_H

#include <linux/sched.h>
#include <linux/types.h>

/*
 * To be called in each round @i of a loop over rules. They may be a hundred
 * thousand, each a cache miss, and a kernel without preemption would give the
 * CPU to nobody before the end, not even to the thread that receives packets
 * when there are many. May sleep.
 */
static inline void kraw_breathe(u32 i)
{
	if (!(i % 256))
		cond_resched();
}

#endif /* _KRAW_BREATHE_H */
