/* SPDX-License-Identifier: GPL-2.0 */
/* /proc/net/snmp and snmp6 of the two namespaces. */
#ifndef RAW7_COUNTERS_H
#define RAW7_COUNTERS_H

#include "lab.h"

/* We are in the namespace or go there. */
void counters_open(enum ns ns);
long counters_one(enum ns ns, const char *name);
/* Write what has changed since counters_remember() to the output. */
void counters_remember(void);
void counters_log(void);
/* The same as a number, for comparisons; changes as with counters_log(). */
uint64_t counters_hash(void);

#endif /* RAW7_COUNTERS_H */
