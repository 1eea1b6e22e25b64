/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_DIAG_H
#define KRAW_DIAG_H

#include <libmnl/libmnl.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A dump of the kernel's sock_diag in this network namespace, which loads its
 * module for it if it may. Returns 0 or an errno: ENOENT without that module.
 */
int diag_dump(const void *request, size_t len, mnl_cb_t seen, void *data);

/* What SK_MEMINFO has of a socket, in bytes but for the drops. */
struct diag_memory {
	uint32_t queue, limit, drops;
};

/* Reads such an attribute, if it is one and long enough. */
void diag_memory_get(const struct nlattr *attr, struct diag_memory *memory);

#endif /* KRAW_DIAG_H */
