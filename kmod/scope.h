/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a task is at, on this CPU: a scope lies on the stack of the function that
 * enters and leaves it, and what is called in between finds it.
 *
 * Scopes are entered and left with bottom halves off, so a task stays on its CPU
 * meanwhile. Elsewhere this also keeps all other tasks away from what is this
 * CPU's, but not with PREEMPT_RT: since 6.18 there is no lock behind bottom halves
 * (CONFIG_PREEMPT_RT_NEEDS_BH_LOCK), and a task in the middle of a packet may have
 * to let another one on the same CPU begin with, or end, its own. So each scope
 * has its task's name on it, the innermost one comes first, and who looks for one
 * passes by those of others. These lie on stacks of tasks that cannot move away,
 * nor run while preemption is off: so nothing that is looked at can vanish.
 *
 * An interrupt finds the scopes of the task that it interrupts. It only reads; to
 * enter and to leave are one store each.
 */
#ifndef _KRAW_SCOPE_H
#define _KRAW_SCOPE_H

#include <linux/compiler.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>

/**
 * struct kraw_scope - to be the first member of what is found by it
 * @outer:	the one that was entered before on this CPU, NULL: none
 * @task:	whose it is
 */
struct kraw_scope {
	struct kraw_scope *outer;
	const struct task_struct *task;
};

/**
 * kraw_scope_enter - begin a scope
 * @top:	of this kind
 * @scope:	up to kraw_scope_leave(), which must follow; what it is part of is
 *		complete
 */
static inline void kraw_scope_enter(struct kraw_scope * __percpu *top,
				    struct kraw_scope *scope)
{
	scope->task = current;
	preempt_disable_nested();
	scope->outer = this_cpu_read(*top);
	barrier();	/* before an interrupt can find it */
	this_cpu_write(*top, scope);
	preempt_enable_nested();
}

/**
 * kraw_scope_leave - end a scope, the innermost one of this task
 * @top:	as when it was entered
 * @scope:	...
 */
static inline void kraw_scope_leave(struct kraw_scope * __percpu *top,
				    const struct kraw_scope *scope)
{
	struct kraw_scope *inner;

	preempt_disable_nested();
	inner = this_cpu_read(*top);
	if (likely(inner == scope)) {
		this_cpu_write(*top, scope->outer);
	} else {
		while (inner->outer != scope)
			inner = inner->outer;
		WRITE_ONCE(inner->outer, scope->outer);
	}
	preempt_enable_nested();
}

/**
 * kraw_scope_find - the innermost scope of this task
 * @top:	of this kind
 *
 * Any context. Returns NULL if there is none.
 */
static inline struct kraw_scope *
kraw_scope_find(struct kraw_scope * __percpu *top)
{
	struct kraw_scope *scope;

	/* Who is in a scope stays on its CPU, and finds at least that one. */
	if (likely(!this_cpu_read(*top)))
		return NULL;
	preempt_disable();
	for (scope = this_cpu_read(*top); scope; scope = READ_ONCE(scope->outer))
		if (scope->task == current)
			break;
	preempt_enable();
	return scope;
}

#endif /* _KRAW_SCOPE_H */
