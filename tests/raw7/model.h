/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What Linux does with a packet and a raw socket, said once more: what matches,
 * what a socket that matches lets in, and what it keeps. The differential suite
 * compares the kernel with it, without kraw and with the verdicts raw and one.
 */
#ifndef RAW7_MODEL_H
#define RAW7_MODEL_H

#include "scene.h"

/*
 * Number, addresses, peer, device and, in IPv6, membership: there is a receiver,
 * so nobody is told that there is none.
 */
bool model_matches(int family, const struct reader *reader,
		   const struct item *item);
/* ICMP filter and, in IPv4, membership. */
bool model_admits(int family, const struct reader *reader,
		  const struct item *item);
/* The socket's own filter, and IPV6_CHECKSUM. */
bool model_keeps(int family, const struct reader *reader,
		 const struct item *item);

#endif /* RAW7_MODEL_H */
