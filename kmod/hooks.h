/* SPDX-License-Identifier: GPL-2.0 */
/* Hooks of a namespace, registered for the families that need them. */
#ifndef _KRAW_HOOKS_H
#define _KRAW_HOOKS_H

#include "net.h"

void kraw_hooks_init(struct kraw_net *kn, struct kraw_hooks *hooks,
		     const struct nf_hook_ops *ops);
int kraw_hooks_register(struct kraw_net *kn, struct kraw_hooks *hooks,
			u8 families);
void kraw_hooks_unregister(struct kraw_net *kn, struct kraw_hooks *hooks,
			   u8 families);

#endif /* _KRAW_HOOKS_H */
