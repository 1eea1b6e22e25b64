/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_CAPTURE_H
#define KRAW_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

/*
 * A capture file as tcpdump and Wireshark read it: packets from their IP header
 * on (LINKTYPE_RAW), times in nanoseconds.
 */
struct capture;

/* "-" is the standard output; a file that is there is overwritten. */
int capture_open(struct capture **capture, const char *name, uint32_t snaplen);

/*
 * A packet, LEN bytes long, HELD of which are at DATA, at this time since 1970.
 * Errors
 * may be told by a later call. Then nothing more is written, and a regular file
 * is cut back to the packets that are whole.
 */
int capture_add(struct capture *capture, uint64_t time, const void *data,
		size_t held, size_t len);
int capture_flush(struct capture *capture);

/* Also closes what failed, and NULL. */
int capture_close(struct capture *capture);

#endif /* KRAW_CAPTURE_H */
