// SPDX-License-Identifier: GPL-2.0
/* Hooks of a namespace, registered for the families that need them. */
#include "hooks.h"

#include <linux/netfilter.h>

/**
 * kraw_hooks_init - prepare a hook in each family; registers nothing
 * @kn:		namespace; the functions find it in their @priv
 * @hooks:	result
 * @ops:	KRAW_FAMILIES of them, by family
 */
void kraw_hooks_init(struct kraw_net *kn, struct kraw_hooks *hooks,
		     const struct nf_hook_ops *ops)
{
	int family;

	for (family = 0; family < KRAW_FAMILIES; family++) {
		hooks->ops[family] = ops[family];
		hooks->ops[family].priv = kn;
	}
}

/**
 * kraw_hooks_register - register a hook in families that have it not yet
 * @kn:		namespace, locked
 * @hooks:	one of its
 * @families:	bits KRAW_FAMILY_*
 *
 * Returns 0, or a negative error with the hook as it was.
 */
int kraw_hooks_register(struct kraw_net *kn, struct kraw_hooks *hooks,
			u8 families)
{
	u8 before = hooks->families;
	int family, err;

	for (family = 0; family < KRAW_FAMILIES; family++) {
		if (!(families & ~hooks->families & BIT(family)))
			continue;
		err = nf_register_net_hook(kn->net, &hooks->ops[family]);
		if (err) {
			kraw_hooks_unregister(kn, hooks,
					      hooks->families & ~before);
			return err;
		}
		hooks->families |= BIT(family);
	}
	return 0;
}

/*
 * Unregisters a hook in these families. It may still run afterwards, until a
 * grace period has passed; the configuration lives as long.
 */
void kraw_hooks_unregister(struct kraw_net *kn, struct kraw_hooks *hooks,
			   u8 families)
{
	int family;

	for (family = 0; family < KRAW_FAMILIES; family++) {
		if (!(families & hooks->families & BIT(family)))
			continue;
		nf_unregister_net_hook(kn->net, &hooks->ops[family]);
		hooks->families &= ~BIT(family);
	}
}
