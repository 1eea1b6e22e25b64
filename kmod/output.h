/* SPDX-License-Identifier: GPL-2.0 */
/* The output hook: what raw sockets of this namespace send. */
#ifndef _KRAW_OUTPUT_H
#define _KRAW_OUTPUT_H

#include "net.h"

void kraw_output_init(struct kraw_net *kn);

#endif /* _KRAW_OUTPUT_H */
