// SPDX-License-Identifier: GPL-2.0
/*
 * The configuration of a namespace: built aside, swapped in with one pointer.
 *
 * Every change, from one protocol's verdict to a whole file, is an edit: begin,
 * set, commit, end. A packet sees the configuration before or the one
 * after, never a mixture. What can fail, taking slots and registering hooks,
 * comes before the swap and is taken back if something else fails; what cannot
 * fail, giving up what only the old configuration needed, comes after it.
 */
#include "config.h"

#include <linux/lockdep.h>
#include <linux/moduleparam.h>
#include <linux/netlink.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include "bind.h"
#include "counter.h"
#include "hooks.h"
#include "memory.h"
#include "proto.h"
#include "slot.h"
#include "text.h"
#include "watch.h"

static unsigned int rules_max = 1048576;
module_param(rules_max, uint, 0644);
MODULE_PARM_DESC(rules_max, "rules that a network namespace may have");

/*
 * What the kernel's compiler makes of BPF programs is charged to nobody, and there
 * is only so much for the whole host (net.core.bpf_jit_limit). A packet may have
 * to go through all of them, too.
 */
static unsigned int bpf_max = 262144;
module_param(bpf_max, uint, 0644);
MODULE_PARM_DESC(bpf_max,
		 "instructions that the BPF programs of a network namespace's rules may have together");

/* The configuration of a namespace that was never configured. */
static struct kraw_config nothing = { .generation = 1 };

/* Frees configurations: some hold many rules, too many for a softirq. */
static struct workqueue_struct *wq;

static void config_free(struct kraw_config *config)
{
	int i;

	for (i = 0; i < KRAW_PROTOCOLS; i++)
		if (config->proto[i])
			kraw_proto_put(config->proto[i]);
	/* Here and not before: packets were counted by it up to now. */
	if (config->watches)
		kraw_watch_put();
	kfree(config);
}

static void free_work(struct work_struct *work)
{
	config_free(container_of(to_rcu_work(work), struct kraw_config, work));
}

static void retire(struct kraw_config *config)
{
	if (config == &nothing)
		return;
	INIT_RCU_WORK(&config->work, free_work);
	queue_rcu_work(wq, &config->work);
}

/**
 * kraw_edit_begin - start an edit
 * @edit:	with @kn, @request and @extack set; the namespace is locked until
 *		kraw_edit_end() if this returns 0
 * @from_scratch: start with nothing instead of with what is in force
 *
 * Returns 0 or -ENOMEM.
 */
int kraw_edit_begin(struct kraw_edit *edit, bool from_scratch)
{
	struct kraw_net *kn = edit->kn;
	int i;

	edit->new = kzalloc(sizeof(*edit->new), KRAW_GFP);
	edit->origin = kcalloc(KRAW_PROTOCOLS, sizeof(*edit->origin),
			       KRAW_GFP);
	if (!edit->new || !edit->origin) {
		kfree(edit->new);
		kfree(edit->origin);
		return -ENOMEM;
	}
	mutex_lock(&kn->lock);
	edit->old = rcu_dereference_protected(kn->config,
					      lockdep_is_held(&kn->lock));
	edit->last_handle = kn->last_handle;
	edit->committed = false;
	for (i = 0; !from_scratch && i < KRAW_PROTOCOLS; i++)
		if (edit->old->proto[i])
			edit->new->proto[i] = kraw_proto_get(edit->old->proto[i]);
	return 0;
}

/**
 * kraw_edit_set - put a protocol in its place
 * @edit:	under way
 * @number:	protocol number
 * @proto:	the reference is taken over; NULL: not managed any more
 * @origin:	the attribute that asks for it, for error messages; may be NULL
 */
void kraw_edit_set(struct kraw_edit *edit, u8 number, struct kraw_proto *proto,
		   const struct nlattr *origin)
{
	if (edit->new->proto[number])
		kraw_proto_put(edit->new->proto[number]);
	edit->new->proto[number] = proto;
	edit->origin[number] = origin;
}

static u8 slots_added(const struct kraw_edit *edit, int number)
{
	return kraw_proto_slots(edit->new->proto[number]) &
	       ~kraw_proto_slots(edit->old->proto[number]);
}

static u8 slots_removed(const struct kraw_edit *edit, int number)
{
	return kraw_proto_slots(edit->old->proto[number]) &
	       ~kraw_proto_slots(edit->new->proto[number]);
}

/* Gives back the slots that were added for the numbers below @end. */
static void slots_undo(const struct kraw_edit *edit, int end)
{
	while (end--)
		kraw_slot_put(end, slots_added(edit, end));
}

/* Does what @how does for the slots that one number needs in addition. */
static int slots_ask(const struct kraw_edit *edit, int number,
		     int (*how)(u8 number, u8 families,
				struct netlink_ext_ack *extack))
{
	u8 added = slots_added(edit, number);
	int err;

	if (!added)
		return 0;
	err = kraw_slot_permit(edit->request, edit->extack);
	if (!err)
		err = how(number, added, edit->extack);
	if (err && edit->origin[number])
		NL_SET_BAD_ATTR(edit->extack, edit->origin[number]);
	return err;
}

static int slots_take(const struct kraw_edit *edit)
{
	int i, err;

	for (i = 0; i < KRAW_PROTOCOLS; i++) {
		err = slots_ask(edit, i, kraw_slot_get);
		if (err) {
			slots_undo(edit, i);
			return err;
		}
	}
	return 0;
}

/* Bits KRAW_FAMILY_* of a claim whose datagram sockets an edit leaves without. */
static u8 binds_removed(const struct kraw_edit *edit, int number)
{
	const struct kraw_proto *old = edit->old->proto[number];
	const struct kraw_proto *new = edit->new->proto[number];

	if (!old || !old->binds)
		return 0;
	return new && new->binds == old->binds ? old->families & ~new->families :
						 old->families;
}

/* Lets sockets be opened again, of the numbers below @end. */
static void binds_undo(const struct kraw_edit *edit, int end)
{
	while (end--)
		if (binds_removed(edit, end))
			kraw_binds_admit(edit->old->proto[end]->binds,
					 binds_removed(edit, end));
}

static int binds_busy(const struct kraw_edit *edit, int number,
		      unsigned int open)
{
	kraw_text_refuse(edit->extack, edit->origin[number],
			 "the claim of protocol %d has %u open datagram %s: close them, or use force",
			 number, open, open == 1 ? "socket" : "sockets");
	return -EBUSY;
}

/* Those that are open hold their claim, unless they are to be closed. */
static int binds_check(const struct kraw_edit *edit)
{
	unsigned int open;
	int i;

	for (i = 0; !edit->force && i < KRAW_PROTOCOLS; i++) {
		if (!binds_removed(edit, i))
			continue;
		open = kraw_binds_open(edit->old->proto[i]->binds,
				       binds_removed(edit, i));
		if (open)
			return binds_busy(edit, i, open);
	}
	return 0;
}

/* Nobody opens a socket of a claim that goes. */
static int binds_shut(const struct kraw_edit *edit)
{
	unsigned int open;
	int i;

	for (i = 0; i < KRAW_PROTOCOLS; i++) {
		if (!binds_removed(edit, i))
			continue;
		open = kraw_binds_shut(edit->old->proto[i]->binds,
				       binds_removed(edit, i), edit->force);
		if (open) {
			binds_undo(edit, i);
			return binds_busy(edit, i, open);
		}
	}
	return 0;
}

/* Closes what is open nevertheless. */
static void binds_close(const struct kraw_edit *edit)
{
	int i;

	for (i = 0; edit->force && i < KRAW_PROTOCOLS; i++)
		if (binds_removed(edit, i))
			kraw_binds_close(edit->old->proto[i]->binds,
					 binds_removed(edit, i));
}

static void binds_admit(const struct kraw_edit *edit)
{
	const struct kraw_proto *proto;
	int i;

	for (i = 0; i < KRAW_PROTOCOLS; i++) {
		proto = edit->new->proto[i];
		if (proto && proto->binds)
			kraw_binds_admit(proto->binds, proto->families);
	}
}

/* What hooks a configuration needs. */
static void summarise(struct kraw_config *config)
{
	const struct kraw_proto *proto;
	int i;

	for (i = 0; i < KRAW_PROTOCOLS; i++) {
		proto = config->proto[i];
		if (!proto)
			continue;
		config->families |= proto->families;
		config->exact |= proto->account == KRAW_ACCOUNT_EXACT;
		if (kraw_proto_rules(proto, KRAW_HOOK_OUTPUT))
			config->output |= proto->families;
	}
}

/* A configuration holds the watch until no packet can meet it any more. */
static int watch_get(const struct kraw_edit *edit)
{
	int err;

	if (!edit->new->exact)
		return 0;
	err = kraw_watch_get();
	if (err)
		NL_SET_ERR_MSG(edit->extack,
			       "account exact: cannot attach to the tracepoints kfree_skb and sock_rcvqueue_full");
	edit->new->watches = !err;
	return err;
}

static int hooks_register(struct kraw_net *kn, const struct kraw_config *config)
{
	u8 before = kn->input.families;
	int err;

	err = kraw_hooks_register(kn, &kn->input, config->families);
	if (err)
		return err;
	err = kraw_hooks_register(kn, &kn->output, config->output);
	if (err)
		kraw_hooks_unregister(kn, &kn->input, ~before);
	return err;
}

/* Unregisters what a configuration does not need. */
static void hooks_unregister(struct kraw_net *kn,
			     const struct kraw_config *config)
{
	kraw_hooks_unregister(kn, &kn->output, ~config->output);
	kraw_hooks_unregister(kn, &kn->input, ~config->families);
}

/**
 * kraw_config_count - tell the size of a configuration
 * @config:	held by RCU or by an edit
 * @protos:	result: managed protocols
 * @rules:	result: rules of all of them
 */
void kraw_config_count(const struct kraw_config *config, u32 *protos,
		       u32 *rules)
{
	int i;

	*protos = 0;
	*rules = 0;
	for (i = 0; i < KRAW_PROTOCOLS; i++) {
		*protos += !!config->proto[i];
		*rules += kraw_proto_rules_count(config->proto[i]);
	}
}

static u32 rules_count(const struct kraw_config *config)
{
	u32 protos, rules;

	kraw_config_count(config, &protos, &rules);
	return rules;
}

static u64 insns_count(const struct kraw_config *config)
{
	u64 count = 0;
	int i;

	for (i = 0; i < KRAW_PROTOCOLS; i++)
		count += kraw_proto_insns_count(config->proto[i]);
	return count;
}

/* More only up to the maximum, which may have been lowered since. */
static int rules_check(const struct kraw_edit *edit)
{
	u64 count = rules_count(edit->new), max = READ_ONCE(rules_max);

	if (count > max && count > rules_count(edit->old)) {
		kraw_text_refuse(edit->extack, NULL,
				 "too many rules for this namespace: the module parameter rules_max allows %llu",
				 max);
		return -ENOSPC;
	}
	count = insns_count(edit->new);
	max = READ_ONCE(bpf_max);
	if (count > max && count > insns_count(edit->old)) {
		kraw_text_refuse(edit->extack, NULL,
				 "too many BPF instructions in the rules of this namespace: the module parameter bpf_max allows %llu",
				 max);
		return -ENOSPC;
	}
	return 0;
}

/**
 * kraw_edit_check - see whether an edit could be committed now
 * @edit:	under way; goes on
 *
 * Changes nothing. Returns 0, -ENOSPC (too many rules or instructions), -EPERM (a claim is not
 * the sender's to make) or -EBUSY (somebody else has the slot, or sockets are
 * open).
 */
int kraw_edit_check(struct kraw_edit *edit)
{
	int i, err;

	err = rules_check(edit);
	for (i = 0; !err && i < KRAW_PROTOCOLS; i++)
		err = slots_ask(edit, i, kraw_slot_check);
	return err ?: binds_check(edit);
}

/**
 * kraw_edit_handle - choose the handle of a new rule
 * @edit:	under way
 * @handle:	result, never used before in this namespace
 *
 * Returns 0 or -EOVERFLOW, after four thousand million rules.
 */
int kraw_edit_handle(struct kraw_edit *edit, u32 *handle)
{
	if (edit->last_handle == U32_MAX) {
		NL_SET_ERR_MSG(edit->extack,
			       "this namespace has no rule handles left: reload the module");
		return -EOVERFLOW;
	}
	*handle = ++edit->last_handle;
	return 0;
}

/**
 * kraw_edit_commit - put an edit in force
 * @edit:	under way; both configurations can be read until kraw_edit_end()
 *
 * Returns 0, or with nothing changed: -ENOSPC, -EPERM, -EBUSY (a slot, or open
 * sockets), -EOPNOTSUPP, -ENOMEM.
 */
int kraw_edit_commit(struct kraw_edit *edit)
{
	struct kraw_net *kn = edit->kn;
	int i, err;

	summarise(edit->new);
	err = rules_check(edit);
	if (err)
		return err;
	err = watch_get(edit);
	if (err)
		return err;
	err = slots_take(edit);
	if (err)
		return err;
	err = hooks_register(kn, edit->new);
	if (err)
		goto err_slots;
	err = binds_shut(edit);
	if (err)
		goto err_hooks;
	if (!++kn->generation)
		kn->generation = 1;
	edit->new->generation = kn->generation;
	kn->last_handle = edit->last_handle;
	rcu_assign_pointer(kn->config, edit->new);
	edit->committed = true;
	binds_admit(edit);
	binds_close(edit);

	hooks_unregister(kn, edit->new);
	for (i = 0; i < KRAW_PROTOCOLS; i++)
		kraw_slot_put(i, slots_removed(edit, i));
	return 0;

err_hooks:
	hooks_unregister(kn, edit->old);
err_slots:
	slots_undo(edit, KRAW_PROTOCOLS);
	return err;
}

/* Ends an edit; if it was not committed, nothing has changed. */
void kraw_edit_end(struct kraw_edit *edit)
{
	mutex_unlock(&edit->kn->lock);
	kfree(edit->origin);
	if (edit->committed)
		retire(edit->old);
	else
		config_free(edit->new);
}

void kraw_config_net_init(struct kraw_net *kn)
{
	mutex_init(&kn->lock);
	kn->generation = nothing.generation;
	RCU_INIT_POINTER(kn->config, &nothing);
}

/*
 * Back to nothing. The hooks go first: what comes after that is plain Linux.
 * No edit can be under way: no socket of the namespace is left.
 */
void kraw_config_net_exit(struct kraw_net *kn)
{
	struct kraw_config *old;
	int i;

	mutex_lock(&kn->lock);
	old = rcu_dereference_protected(kn->config, lockdep_is_held(&kn->lock));
	hooks_unregister(kn, &nothing);
	rcu_assign_pointer(kn->config, &nothing);
	for (i = 0; i < KRAW_PROTOCOLS; i++)
		kraw_slot_put(i, kraw_proto_slots(old->proto[i]));
	retire(old);
	kraw_counter_pool_put(kn->counters);
	kn->counters = NULL;
	mutex_unlock(&kn->lock);
}

int kraw_config_init(void)
{
	wq = alloc_workqueue("kraw", WQ_UNBOUND, 0);
	return wq ? 0 : -ENOMEM;
}

/* After the last namespace: waits for configurations that wait for readers. */
void kraw_config_exit(void)
{
	rcu_barrier();
	destroy_workqueue(wq);
	kraw_watch_exit();
}
