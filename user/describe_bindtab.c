// SPDX-License-Identifier: GPL-2.0
/* What kraw bindtab has found out: cells for JSON, tables for a person. */
#include "bindtab.h"
#include "error.h"
#include "names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const options_words[BIND_OPTIONS] = {
	[BIND_EXCLUSIVE] = "exclusive",
	[BIND_NONE] = "none",
	[BIND_REUSE] = "reuse",
	[BIND_REUSEPORT] = "reuseport",
};

static const char *const address_words[BIND_ADDRESSES] = {
	[BIND_ANY] = "any",
	[BIND_SPECIFIC] = "specific",
	[BIND_ANOTHER] = "another",
};

static const char *const stack_words[STACKS] = {
	[STACK_IPV4] = "ipv4",
	[STACK_IPV6] = "ipv6",
	[STACK_DUAL] = "dual",
};

bool bind_departs(const struct bind_cell *cell)
{
	return cell->has_winsock && !cell->first_error &&
	       cell->error != cell->winsock;
}

/* "EADDRINUSE", or null for success. */
static json_t *error_json(int error)
{
	return error ? json_string(strerrorname_np(error) ?: "?") : json_null();
}

static json_t *cell_proto(const void *object)
{
	const struct bind_cell *cell = object;

	return json_integer(cell->proto);
}

static json_t *cell_name(const void *object)
{
	const struct bind_cell *cell = object;

	return output_string(protocol_name(cell->proto));
}

static json_t *cell_type(const void *object)
{
	const struct bind_cell *cell = object;

	return json_string(cell->type);
}

#define ONE(which)                                                      \
	static json_t *which##_family(const void *object)               \
	{                                                               \
		const struct bind_cell *cell = object;                  \
                                                                        \
		return json_string(stack_words[cell->which.stack]);     \
	}                                                               \
	static json_t *which##_option(const void *object)               \
	{                                                               \
		const struct bind_cell *cell = object;                  \
                                                                        \
		return json_string(options_words[cell->which.option]);  \
	}                                                               \
	static json_t *which##_address(const void *object)              \
	{                                                               \
		const struct bind_cell *cell = object;                  \
                                                                        \
		return json_string(address_words[cell->which.address]); \
	}

ONE(first)
ONE(second)

static json_t *cell_first_error(const void *object)
{
	const struct bind_cell *cell = object;

	return error_json(cell->first_error);
}

static json_t *cell_error(const void *object)
{
	const struct bind_cell *cell = object;

	return error_json(cell->error);
}

static json_t *cell_winsock(const void *object)
{
	const struct bind_cell *cell = object;

	return cell->has_winsock ? error_json(cell->winsock) : NULL;
}

static json_t *cell_departs(const void *object)
{
	return json_boolean(bind_departs(object));
}

const struct field bind_cell_fields[] = {
	{ "proto", NULL, NULL, cell_proto },
	{ "name", NULL, NULL, cell_name },
	{ "type", NULL, NULL, cell_type },
	{ "first_family", NULL, NULL, first_family },
	{ "first_option", NULL, NULL, first_option },
	{ "first_address", NULL, NULL, first_address },
	{ "first_error", NULL, NULL, cell_first_error },
	{ "second_family", NULL, NULL, second_family },
	{ "second_option", NULL, NULL, second_option },
	{ "second_address", NULL, NULL, second_address },
	{ "error", NULL, NULL, cell_error },
	{ "winsock", NULL, NULL, cell_winsock },
	{ "departs", NULL, NULL, cell_departs },
	{ NULL },
};

static json_t *row_option(const void *object)
{
	const struct bind_row *row = object;

	return json_string(options_words[row->second.option]);
}

static json_t *row_address(const void *object)
{
	const struct bind_row *row = object;

	return json_string(address_words[row->second.address]);
}

/* In a word; a star where Winsock says something else. */
static json_t *row_cell(const struct bind_row *row, unsigned int column)
{
	const struct bind_cell *cell = &row->cell[column];
	const char *word;
	json_t *value;
	char *text;

	if (!row->tried[column] || cell->first_error)
		word = "-";
	else if (!cell->error)
		word = "ok";
	else if (cell->error == EADDRINUSE)
		word = "in use";
	else if (cell->error == EACCES)
		word = "denied";
	else
		word = strerrorname_np(cell->error) ?: "?";
	text = xasprintf("%s%s", word, bind_departs(cell) ? " *" : "");
	value = json_string(text);
	free(text);
	return value;
}

#define COLUMN(n)                                   \
	static json_t *row_cell##n(const void *row) \
	{                                           \
		return row_cell(row, n);            \
	}

COLUMN(0)
COLUMN(1)
COLUMN(2)
COLUMN(3)
COLUMN(4)
COLUMN(5)
COLUMN(6)
COLUMN(7)

struct field *bind_row_fields(unsigned int bits)
{
	static const struct field left[] = {
		{ NULL, NULL, "SECOND", row_option },
		{ NULL, NULL, "ADDRESS", row_address },
	};
	static const struct field columns[BIND_FIRSTS] = {
		{ NULL, NULL, "EXCL/ANY", row_cell0, .form = FORM_TEXT },
		{ NULL, NULL, "EXCL/SPEC", row_cell1, .form = FORM_TEXT },
		{ NULL, NULL, "NONE/ANY", row_cell2, .form = FORM_TEXT },
		{ NULL, NULL, "NONE/SPEC", row_cell3, .form = FORM_TEXT },
		{ NULL, NULL, "REUSE/ANY", row_cell4, .form = FORM_TEXT },
		{ NULL, NULL, "REUSE/SPEC", row_cell5, .form = FORM_TEXT },
		{ NULL, NULL, "RPORT/ANY", row_cell6, .form = FORM_TEXT },
		{ NULL, NULL, "RPORT/SPEC", row_cell7, .form = FORM_TEXT },
	};
	struct field *fields = xalloc(sizeof(left) + sizeof(columns) +
				      sizeof(*fields));
	size_t count = 2;
	unsigned int i;

	memcpy(fields, left, sizeof(left));
	for (i = 0; i < BIND_FIRSTS; i++)
		if (bits & 1 << i / 2)
			fields[count++] = columns[i];
	fields[count] = (struct field){ NULL };
	return fields;
}

char *bind_title(enum bind_stack first, enum bind_stack second)
{
	static const char *const words[STACKS] = {
		[STACK_IPV4] = "IPv4",
		[STACK_IPV6] = "IPv6",
		[STACK_DUAL] = "dual stack",
	};

	if (first == second)
		return xasprintf("Both %s", words[first]);
	return xasprintf("First %s, second %s", words[first], words[second]);
}
