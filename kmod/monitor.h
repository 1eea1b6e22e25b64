/* SPDX-License-Identifier: GPL-2.0 */
/* Tells listeners of datagram sockets that open, get an address, and close. */
#ifndef _KRAW_MONITOR_H
#define _KRAW_MONITOR_H

#include "uapi/linux/kraw.h"

struct kraw_dgram;

void kraw_monitor_socket(const struct kraw_dgram *dgram,
			 enum kraw_event_kind kind);

#endif /* _KRAW_MONITOR_H */
