/* SPDX-License-Identifier: GPL-2.0 */
/* Memory that somebody makes kraw allocate by asking for something. */
#ifndef _KRAW_MEMORY_H
#define _KRAW_MEMORY_H

#include <linux/gfp.h>

/*
 * It is charged to the memory cgroup of who asks, what lasts and what is only needed
 * on the way. A cgroup that has no more is a reason to refuse: a rule is no process's,
 * so to kill one, as the kernel would without MAYFAIL, gets nothing back. Nor
 * is that worth a stack trace in the log.
 */
#define KRAW_GFP	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

#endif /* _KRAW_MEMORY_H */
