/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_OWNERS_H
#define KRAW_OWNERS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Who has a socket, and by which descriptor. */
struct owner {
	char *name;
	pid_t pid;
	pid_t thread; /* that has descriptors of its own; 0: the whole process */
	int fd;
};

/* Why somebody who has a socket may not have been found. */
enum owners_blind {
	OWNERS_ALL_SEEN, /* there is nobody in our process namespace */
	OWNERS_NO_PROC,
	OWNERS_HIDEPID, /* /proc does not list the processes of others */
	OWNERS_OTHERS, /* descriptors of others were not to be seen */
};

struct owners {
	uint64_t inode; /* of the socket */
	struct owner *list;
	size_t count;
	enum owners_blind blind; /* with nobody in the list */
};

/* Looks for all of them in /proc, once; the pointers get another order. */
void owners_find(struct owners **sockets, size_t count);
void owners_clear(struct owners *owners);

/* null: somebody may have it, who cannot be seen */
json_t *owners_json(const struct owners *owners);
json_t *owners_text(const struct owners *owners);

/* What would help, for a note; or NULL. */
const char *owners_advice(enum owners_blind blind);

#endif /* KRAW_OWNERS_H */
