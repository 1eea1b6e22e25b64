/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_NETNS_H
#define KRAW_NETNS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A network namespace. */
struct netns {
	char *name; /* as the option -n takes it; NULL: ours, without a name */
	char *path; /* that leads to it */
	dev_t device; /* with the inode it is unique */
	ino_t inode; /* 0: unknown */
};

struct netns_list {
	struct netns *entry; /* ours is the first */
	size_t count, size;
	bool no_proc; /* those without a name could not be looked for */
	bool hidden; /* those of some processes were not to be seen */
	int home; /* a descriptor of ours, or -1 */
	bool away; /* we have left it */
};

/*
 * Everything that follows happens in the network namespace of this name, or of
 * this path if there is a slash in it.
 */
int netns_enter(const char *name);

/* Ours alone, or all that have a name or a process. To be cleared. */
void netns_list_get(struct netns_list *list, bool all);
void netns_list_clear(struct netns_list *list);

/* Goes there, or back; says nothing. Returns 0 or an errno. */
int netns_switch(struct netns_list *list, size_t index);

#endif /* KRAW_NETNS_H */
