// SPDX-License-Identifier: GPL-2.0
/* A module that does what kraw must not, to see that the VM notices. */
#include <linux/module.h>
#include <linux/slab.h>

static char *fault = "";
module_param(fault, charp, 0);
MODULE_PARM_DESC(fault, "warn, leak or oops");

static int __init faulty_init(void)
{

	if (!strcmp(fault, "warn"))
		WARN(1, "kraw_faulty: on purpose\n");
	if (!strcmp(fault, "oops"))
		*(volatile int *)8 = 0;
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
