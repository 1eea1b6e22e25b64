/* SPDX-License-Identifier: GPL-2.0 */
/* Who may bind beside whom, tried on this kernel. */
#ifndef KRAW_BINDTAB_H
#define KRAW_BINDTAB_H

#include "output.h"

#include <stdbool.h>
#include <stdint.h>

/* In the order of Winsock's table, and what it does not know behind. */
enum bind_option {
	BIND_EXCLUSIVE,
	BIND_NONE,
	BIND_REUSE,
	BIND_REUSEPORT,
	BIND_OPTIONS,
};

enum bind_address {
	BIND_ANY,
	BIND_SPECIFIC,
	BIND_ANOTHER, /* specific, and not the first one's */
	BIND_ADDRESSES,
};

/* The families of a socket, and what its addresses look like. */
enum bind_stack { STACK_IPV4, STACK_IPV6, STACK_DUAL, STACKS };

/* A socket that is bound. */
struct bind_one {
	enum bind_stack stack;
	enum bind_option option;
	enum bind_address address;
};

/* Two sockets of one protocol, with the same port: may the second one? */
struct bind_cell {
	uint8_t proto;
	const char *type;
	struct bind_one first, second;
	int first_error; /* an errno: the second was not tried */
	int error;
	bool has_winsock; /* its table knows these options */
	int winsock;
};

/* Those of one second socket, by option and address (any, specific) of the first. */
#define BIND_FIRSTS (BIND_OPTIONS * 2)

struct bind_row {
	struct bind_one second;
	struct bind_cell cell[BIND_FIRSTS];
	bool tried[BIND_FIRSTS]; /* not all of them make sense */
};

bool bind_departs(const struct bind_cell *cell);

extern const struct field bind_cell_fields[];

/* The columns of a table of such rows, for these options (bits); to be freed. */
struct field *bind_row_fields(unsigned int bits);

/* "IPv4, then dual stack", for a title; to be freed. */
char *bind_title(enum bind_stack first, enum bind_stack second);

#endif /* KRAW_BINDTAB_H */
