// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin for QEMU's TCG: how many instructions did the guest execute where?
 * At the end it writes "address count" to the file that out= names, one line a
 * translation block, which is a piece of straight code.
 *
 * Debian does not package the header of the plugin interface, so the few
 * functions that are used are declared here (version 1, QEMU 4.2 and later).
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define INLINE_ADD_U64 0

struct qemu_plugin_tb;
typedef uint64_t plugin_id;

extern void qemu_plugin_register_vcpu_tb_trans_cb(
	plugin_id id, void (*cb)(plugin_id id, struct qemu_plugin_tb *tb));
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb,
						     int op, void *counter,
						     uint64_t add);
extern void qemu_plugin_register_atexit_cb(plugin_id id,
					   void (*cb)(plugin_id id, void *data),
					   void *data);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);

EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc,
			       char **argv);

/* Blocks by address, open addressing; a slot stays where it is. */
#define SLOTS_BITS 21
#define SLOTS (1U << SLOTS_BITS)
static struct slot {
	uint64_t address;
	uint64_t count;
} slots[SLOTS];
static char out[4096];

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	uint64_t address = qemu_plugin_tb_vaddr(tb);
	uint32_t i = address * 0x9e3779b97f4a7c15ULL >> (64 - SLOTS_BITS);

	(void)id;
	while (slots[i].address && slots[i].address != address)
		i = (i + 1) % SLOTS;
	slots[i].address = address;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64,
						 &slots[i].count,
						 qemu_plugin_tb_n_insns(tb));
}

static void ended(plugin_id id, void *data)
{
	FILE *file = fopen(out, "w");
	uint32_t i;

	(void)id;
	(void)data;
	if (!file)
		return;
	for (i = 0; i < SLOTS; i++)
		if (slots[i].count)
			fprintf(file, "%" PRIx64 " %" PRIu64 "\n",
				slots[i].address, slots[i].count);
	fclose(file);
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	int i;

	(void)info;
	for (i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4))
			snprintf(out, sizeof(out), "%s", argv[i] + 4);
	if (!*out)
		return 1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, ended, NULL);
	return 0;
}
