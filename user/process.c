// SPDX-License-Identifier: GPL-2.0
#include "process.h"
#include "config.h"
#include "error.h"
#include "netlink.h"
#include "output.h"

#include <inttypes.h>
#include <linux/genetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* That of our process namespace; 0: it cannot be known. */
static uint32_t our_namespace(void)
{
	static uint32_t inode;
	struct stat about;

	if (!inode && !stat("/proc/self/ns/pid", &about))
		inode = about.st_ino;
	return inode;
}

/* One of the numbers of the process: ours, if it is that of our namespace. */
static void get_pid(const struct nlattr *nest, struct process *process)
{
	const struct nlattr *attrs[KRAW_PID_A_MAX + 1];
	uint32_t number = 0, inode = 0;

	nl_nest(nest, attrs, KRAW_PID_A_MAX);
	get_u32(attrs[KRAW_PID_A_NUMBER], &number);
	get_u32(attrs[KRAW_PID_A_NAMESPACE], &inode);
	if (inode && inode == our_namespace())
		process->pid = number;
}

void process_get(const struct nlmsghdr *nlh, struct process *process)
{
	const struct nlattr *attr;

	memset(process, 0, sizeof(*process));
	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(attr) == KRAW_A_PID)
			get_pid(attr, process);
		if (mnl_attr_get_type(attr) == KRAW_A_COMM && !process->comm)
			process->comm = get_text(attr);
	}
}

void process_clear(struct process *process)
{
	free(process->comm);
	process->comm = NULL;
}

json_t *process_json(const struct process *process)
{
	json_t *json = json_object();

	json_object_set_new(json, "name", output_string(process->comm));
	json_object_set_new(json, "pid",
			    process->pid ? json_integer(process->pid) :
					   json_null());
	return json;
}

char *process_text(const struct process *process)
{
	char *name, *text;

	if (!process->comm)
		return NULL;
	name = escape(process->comm);
	if (process->pid)
		text = xasprintf("%s pid %" PRIu32, name, process->pid);
	else
		text = xasprintf("%s of another pid namespace", name);
	free(name);
	return text;
}
