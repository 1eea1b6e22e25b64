// SPDX-License-Identifier: GPL-2.0
/* A module that does what kraw must not, to see that the VM notices. */
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

static char *fault = "";
module_param(fault, charp, 0);
MODULE_PARM_DESC(fault, "warn, leak, oops, rcu, reader, lock, sleep, shift or free");

static DEFINE_MUTEX(one);
static DEFINE_MUTEX(two);
static DEFINE_SPINLOCK(spin);

/* In the one order, then in the other. */
static void lock(void)
{
	mutex_lock(&one);
	mutex_lock(&two);
	mutex_unlock(&two);
	mutex_unlock(&one);
	mutex_lock(&two);
	mutex_lock(&one);
	mutex_unlock(&one);
	mutex_unlock(&two);
}

static void sleep(void)
{
	spin_lock(&spin);
	mutex_lock(&one);
	mutex_unlock(&one);
	spin_unlock(&spin);
}

/* What RCU protects, without telling it. */
static void rcu(void)
{
	static int __rcu *pointer;

	barrier_data(rcu_dereference(pointer));
}

static void reader(void)
{
	rcu_read_lock();
	mutex_lock(&one);
	mutex_unlock(&one);
	rcu_read_unlock();
}

static void shift(void)
{
	int by = 40;

	OPTIMIZER_HIDE_VAR(by);
	by = 1 << by;
	OPTIMIZER_HIDE_VAR(by);
}

static void use_after_free(void)
{
	char *byte = kmalloc(1, GFP_KERNEL);

	kfree(byte);
	OPTIMIZER_HIDE_VAR(byte);
	if (byte)
		WRITE_ONCE(*byte, 1);
}

static int __init faulty_init(void)
{
	if (!strcmp(fault, "warn"))
		WARN(1, "kraw_faulty: on purpose\n");
	if (!strcmp(fault, "oops"))
		*(volatile int *)8 = 0;
	if (!strcmp(fault, "rcu"))
		rcu();
	if (!strcmp(fault, "reader"))
		reader();
	if (!strcmp(fault, "lock"))
		lock();
	if (!strcmp(fault, "sleep"))
		sleep();
	if (!strcmp(fault, "shift"))
		shift();
	if (!strcmp(fault, "free"))
		use_after_free();
	if (!strcmp(fault, "leak"))
		barrier_data(kmalloc(1000, GFP_KERNEL));
	return 0;
}

static void __exit faulty_exit(void)
{
}

module_init(faulty_init);
module_exit(faulty_exit);
MODULE_DESCRIPTION("Misbehaves on purpose");
MODULE_LICENSE("GPL");
