/* SPDX-License-Identifier: GPL-2.0 */
/* The input hook: packets for this host, before raw sockets see them. */
#ifndef _KRAW_INPUT_H
#define _KRAW_INPUT_H

#include "net.h"

void kraw_input_init(struct kraw_net *kn);

#endif /* _KRAW_INPUT_H */
