// SPDX-License-Identifier: GPL-2.0
/*
 * Slots: the entries of inet_protos and inet6_protos that kraw holds.
 *
 * A slot is host-wide and knows no namespace; claims are counted, and the slot
 * is held as long as any namespace claims its number.
 */
#include "slot.h"

#include <linux/capability.h>
#include <linux/kallsyms.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/netlink.h>
#include <linux/string.h>
#include <net/netlink.h>
#include <net/protocol.h>
#include "claim.h"
#include "dgram.h"
#include "text.h"
#include "uapi/linux/kraw.h"

#define UNKNOWN	"unknown"	/* what a handler without a name is called */

static bool userns_claims;
module_param(userns_claims, bool, 0644);
MODULE_PARM_DESC(userns_claims,
		 "let CAP_NET_ADMIN over a user namespace take host-wide handler slots (default: no)");

static DEFINE_MUTEX(slots_lock);
static u32 claims[KRAW_PROTOCOLS][KRAW_FAMILIES];	/* under slots_lock */

/*
 * Numbers whose modules are known to come later: while kraw holds the slot,
 * loading one fails. NULL: not known.
 */
static const char *module_of(u8 number)
{
	switch (number) {
	case IPPROTO_IPIP:
		return "tunnel4";
	case IPPROTO_IPV6:
		return "tunnel4 or tunnel6";
	case IPPROTO_GRE:
		return "gre";
	case IPPROTO_ESP:
		return "esp4";
	case IPPROTO_AH:
		return "ah4";
	case IPPROTO_COMP:
		return "ipcomp or ipcomp6";
	case IPPROTO_L2TP:
		return "l2tp_ip or l2tp_ip6";
	case IPPROTO_SCTP:
		return "sctp";
	default:
		return NULL;
	}
}

static inline const void *entry4(u8 number, u32 *flags)
{
	const struct net_protocol *p = rcu_dereference(inet_protos[number]);

	if (!p)
		return NULL;
	if (p->no_policy)
		*flags |= KRAW_HANDLER_NO_POLICY;
	if (p == &kraw_claim4)
		*flags |= KRAW_HANDLER_KRAW;
	return p->handler;
}

static inline const void *entry6(u8 number, u32 *flags)
{
	const struct inet6_protocol *p = rcu_dereference(inet6_protos[number]);

	if (!p)
		return NULL;
	if (p->flags & INET6_PROTO_NOPOLICY)
		*flags |= KRAW_HANDLER_NO_POLICY;
	if (p->flags & INET6_PROTO_FINAL)
		*flags |= KRAW_HANDLER_FINAL;
	if (p == &kraw_claim6)
		*flags |= KRAW_HANDLER_KRAW;
	return p->handler;
}

/* The handler's function, NULL if there is none, and its bits KRAW_HANDLER_*. */
static inline const void *entry(u8 number, enum kraw_family family, u32 *flags)
{
	*flags = 0;
	return family == KRAW_IPV4 ? entry4(number, flags) :
				     entry6(number, flags);
}

/**
 * kraw_slot_look - what is to be known of the kernel's handler of a protocol
 * @number:	protocol number
 * @family:	in this family
 * @claimed:	the namespace claims it
 *
 * Context: RCU. Returns bits KRAW_HANDLER_NO_POLICY, _FINAL, _KRAW, and
 * KRAW_SLOT_HANDLED as kraw_slot_handled(); 0 without a handler.
 */
u32 kraw_slot_look(u8 number, enum kraw_family family, bool claimed)
{
	u32 flags;

	if (entry(number, family, &flags) &&
	    (claimed || !(flags & KRAW_HANDLER_KRAW)))
		flags |= KRAW_SLOT_HANDLED;
	return flags;
}

/**
 * kraw_slot_name - name a handler and its module
 * @function:	the handler; its module cannot go meanwhile (RCU read side)
 * @handler:	result: @symbol and @module
 *
 * Anybody may ask for it, so there is a name in it or none, never an address.
 */
void kraw_slot_name(const void *function, struct kraw_handler *handler)
{
	char *module;

	snprintf(handler->symbol, sizeof(handler->symbol), "%ps", function);
	/* A module without symbols, or no kallsyms: %ps shows the address. */
	if (!IS_ENABLED(CONFIG_KALLSYMS) ||
	    str_has_prefix(handler->symbol, "0x"))
		strscpy(handler->symbol, UNKNOWN, sizeof(handler->symbol));

	/* "symbol [module]" */
	handler->module[0] = '\0';
	module = strstr(handler->symbol, " [");
	if (module) {
		*module = '\0';
		strscpy(handler->module, module + 2, sizeof(handler->module));
		handler->module[strcspn(handler->module, " ]")] = '\0';
	}
}

/**
 * kraw_slot_handler - describe the kernel's handler of a protocol
 * @number:	protocol number
 * @family:	in this family
 * @handler:	result
 *
 * Returns false if there is none.
 */
bool kraw_slot_handler(u8 number, enum kraw_family family,
		       struct kraw_handler *handler)
{
	const void *function;

	/*
	 * The tables hold no reference to a handler's module, but deleting an
	 * entry waits for RCU readers before the module can go.
	 */
	rcu_read_lock();
	function = entry(number, family, &handler->flags);
	kraw_slot_name(function, handler);
	rcu_read_unlock();
	return function;
}

static int busy(u8 number, enum kraw_family family,
		struct netlink_ext_ack *extack)
{
	const char *ip = family == KRAW_IPV4 ? "IPv4" : "IPv6";
	struct kraw_handler holder;

	if (!kraw_slot_handler(number, family, &holder))
		kraw_text_refuse(extack, NULL,
				 "the kernel's handler of %s protocol %u is somebody else's",
				 ip, number);
	else if (holder.module[0])
		kraw_text_refuse(extack, NULL,
				 "%s protocol %u is handled by %s [%s]: unload that module, or manage it without a claim",
				 ip, number, holder.symbol, holder.module);
	else if (!strcmp(holder.symbol, UNKNOWN))
		kraw_text_refuse(extack, NULL,
				 "%s protocol %u is handled by something without a name: manage it without a claim",
				 ip, number);
	else
		kraw_text_refuse(extack, NULL,
				 "%s protocol %u is handled by %s, built in: manage it without a claim",
				 ip, number, holder.symbol);
	return -EBUSY;
}

/**
 * kraw_slot_permit - see whether the sender of a request may take slots
 * @request:	the message
 * @extack:	gets the reason of a refusal
 *
 * Returns 0 or -EPERM.
 */
int kraw_slot_permit(struct sk_buff *request, struct netlink_ext_ack *extack)
{
	if (READ_ONCE(userns_claims) || netlink_capable(request, CAP_NET_ADMIN))
		return 0;
	NL_SET_ERR_MSG(extack,
		       "a claim takes a host-wide slot: it needs CAP_NET_ADMIN on the host, or the module parameter userns_claims");
	return -EPERM;
}

/**
 * kraw_slot_check - see whether slots could be had now
 * @number:	protocol number
 * @families:	bits KRAW_FAMILY_*
 * @extack:	gets the reason of a refusal
 *
 * Returns 0 or -EBUSY.
 */
int kraw_slot_check(u8 number, u8 families, struct netlink_ext_ack *extack)
{
	int family, err = 0;

	mutex_lock(&slots_lock);
	for (family = 0; !err && family < KRAW_FAMILIES; family++) {
		struct kraw_handler holder;

		if (families & BIT(family) && !claims[number][family] &&
		    kraw_slot_handler(number, family, &holder))
			err = busy(number, family, extack);
	}
	mutex_unlock(&slots_lock);
	return err;
}

static void del(u8 number, enum kraw_family family)
{
	/* These wait until no CPU runs the handler for this number. */
	if (family == KRAW_IPV4)
		inet_del_protocol(&kraw_claim4, number);
	else
		inet6_del_protocol(&kraw_claim6, number);
}

static int take(u8 number, enum kraw_family family)
{
	if (claims[number][family]) {
		claims[number][family]++;
		return 0;
	}
	if (family == KRAW_IPV4 ? inet_add_protocol(&kraw_claim4, number) :
				  inet6_add_protocol(&kraw_claim6, number))
		return -EBUSY;
	if (kraw_dgram_register(number, family)) {
		del(number, family);
		return -ENOMEM;
	}
	claims[number][family] = 1;
	return 0;
}

static void give(u8 number, enum kraw_family family)
{
	if (--claims[number][family])
		return;
	kraw_dgram_unregister(number, family);
	del(number, family);
}

/**
 * kraw_slot_get - take slots for one more claim
 * @number:	protocol number
 * @families:	bits KRAW_FAMILY_*
 * @extack:	gets the reason of a refusal, or a warning
 *
 * Returns 0, or -EBUSY or -ENOMEM with nothing taken.
 */
int kraw_slot_get(u8 number, u8 families, struct netlink_ext_ack *extack)
{
	int family, err = 0;

	mutex_lock(&slots_lock);
	for (family = 0; family < KRAW_FAMILIES; family++) {
		if (!(families & BIT(family)))
			continue;
		err = take(number, family);
		if (err)
			break;
	}
	if (err) {
		if (err == -EBUSY)
			busy(number, family, extack);
		while (family--)
			if (families & BIT(family))
				give(number, family);
	} else if (module_of(number)) {
		kraw_text_refuse(extack, NULL,
				 "while protocol %u is claimed, the kernel's module for it (%s) cannot be loaded",
				 number, module_of(number));
	}
	mutex_unlock(&slots_lock);
	return err;
}

/* Gives slots back that kraw_slot_get() took. Sleeps for the last claim. */
void kraw_slot_put(u8 number, u8 families)
{
	int family;

	if (!families)
		return;
	mutex_lock(&slots_lock);
	for (family = 0; family < KRAW_FAMILIES; family++)
		if (families & BIT(family))
			give(number, family);
	mutex_unlock(&slots_lock);
}

/* Whether the slot is kraw's. Context: RCU. */
bool kraw_slot_held(u8 number, enum kraw_family family)
{
	return family == KRAW_IPV4 ?
	       rcu_access_pointer(inet_protos[number]) == &kraw_claim4 :
	       rcu_access_pointer(inet6_protos[number]) == &kraw_claim6;
}

/**
 * kraw_slot_handled - whether a namespace has a kernel handler for a protocol
 * @number:	protocol number
 * @family:	in this family
 * @claimed:	the namespace claims it
 *
 * kraw's own handler, in a slot that another namespace claims, is as good as
 * none. Context: RCU.
 */
bool kraw_slot_handled(u8 number, enum kraw_family family, bool claimed)
{
	if (kraw_slot_held(number, family))
		return claimed;
	if (family == KRAW_IPV4)
		return rcu_access_pointer(inet_protos[number]);
	return rcu_access_pointer(inet6_protos[number]);
}

/**
 * kraw_slot_fill - describe a handler in a message
 * @msg:	gets one KRAW_A_HANDLER
 * @number:	protocol number
 * @family:	...
 * @handler:	from kraw_slot_handler()
 *
 * Returns 0 or -EMSGSIZE; the caller cancels the message.
 */
int kraw_slot_fill(struct sk_buff *msg, u8 number, enum kraw_family family,
		   const struct kraw_handler *handler)
{
	struct nlattr *nest = nla_nest_start(msg, KRAW_A_HANDLER);

	if (!nest || nla_put_u8(msg, KRAW_HANDLER_A_NUMBER, number) ||
	    nla_put_u8(msg, KRAW_HANDLER_A_FAMILY, BIT(family)) ||
	    nla_put_string(msg, KRAW_HANDLER_A_SYMBOL, handler->symbol) ||
	    (handler->module[0] && nla_put_string(msg, KRAW_HANDLER_A_MODULE,
						  handler->module)) ||
	    nla_put_u32(msg, KRAW_HANDLER_A_FLAGS, handler->flags))
		return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return 0;
}
