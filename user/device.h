/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_DEVICE_H
#define KRAW_DEVICE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

/* A network device that a socket is bound to. */
struct device {
	bool known; /* that it is bound, or is not */
	uint32_t index; /* 0: not bound */
	char name[IFNAMSIZ];
	bool vrf;
};

/*
 * Fills in name and kind by the index, in this network namespace. A device that
 * is gone is called by its index.
 */
void device_find(struct device *device);

#endif /* KRAW_DEVICE_H */
