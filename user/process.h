/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_PROCESS_H
#define KRAW_PROCESS_H

#include <jansson.h>
#include <libmnl/libmnl.h>
#include <stdint.h>

/* Who did something, as a notification tells. */
struct process {
	uint32_t pid; /* as our process namespace counts; 0: not in there */
	char *comm; /* NULL: unknown */
};

/* Reads the attributes of a message; the process is to be cleared. */
void process_get(const struct nlmsghdr *nlh, struct process *process);
void process_clear(struct process *process);

/* An object with "name" and "pid", either may be null. */
json_t *process_json(const struct process *process);

/* "NAME pid N", to be freed; NULL: nothing is known. */
char *process_text(const struct process *process);

#endif /* KRAW_PROCESS_H */
