/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_OUTPUT_H
#define KRAW_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* What the user asked for, for the whole run. */
extern struct options {
	bool json;
	bool pretty;
	bool statistics;
	bool details;
	bool colour;
	bool all_netns;
	bool batch_input; /* standard input has commands */
} options;

/* How the value of a field is written as text. */
enum field_form {
	FORM_PLAIN, /* a number, or a word quoted where a shell needs it */
	FORM_TEXT, /* words for a person, not quoted */
	FORM_FLAG, /* true as nothing: its word says it all */
	FORM_LIMIT, /* { "rate": 10, "burst": 5 } as 10/s burst 5 */
	FORM_RANGE, /* [1, 5] as 1-5, [1, 1] as 1 */
	FORM_USERS, /* ["all"] or [{ "uid": [1, 5] }] as all or uid 1-5 */
	FORM_FAMILIES, /* ["ipv4"] as ipv4, both of them as both */
	FORM_COUNTERS, /* { "ipv4": { "seen": 1 } } on lines of their own */
};

/* When a field is shown. JSON has those "in text" always. */
enum field_when {
	FIELD_ALWAYS,
	FIELD_STATISTICS, /* with -s */
	FIELD_DETAILS, /* with -d */
	FIELD_DETAILS_TEXT, /* in text with -d */
	FIELD_HANDLE, /* the same, and in commands that name the object */
	FIELD_NETNS, /* in text when all network namespaces are shown */
	FIELD_INFO, /* no part of the configuration: not saved */
};

enum field_colour { COLOUR_NONE, COLOUR_NUMBER, COLOUR_VERDICT };

/*
 * One field of an object. The text is made of the JSON value: whatever is shown
 * in both ways is said once. A table of fields ends with one without get.
 */
struct field {
	const char *key; /* in JSON; NULL: text only */
	const char *word; /* before it on a line, "": nothing; NULL: not there */
	const char *head; /* of its column in a table; NULL: not there */
	json_t *(*get)(const void *object); /* NULL result: left out */
	enum field_form form;
	enum field_when when;
	enum field_colour colour;
};

/* A list of objects of one kind on standard output. */
struct output;

enum output_style {
	OUTPUT_LINES, /* a line of words each */
	OUTPUT_TABLE,
};

struct output *output_begin(const struct field *fields,
			    enum output_style style);

/* A table in text, with an empty line and a title before it if it has lines. */
struct output *output_begin_titled(const struct field *fields,
				   const char *title);
void output_add(struct output *output, const void *object);

/*
 * Writes what is left, a write error is told. After an error, which is passed
 * on, nothing more is written.
 */
int output_end(struct output *output, int error);

/* The object alone, where more may come: a line, in JSON or in words. */
void output_line(const struct field *fields, const void *object);

/* The object as JSON, as it would be in a list. */
json_t *output_json(const struct field *fields, const void *object);

/*
 * The object as the words of a command that makes it, with what makes up the
 * configuration and no more; HANDLE: also with what names it in the kernel.
 * Without colour, to be freed.
 */
char *output_words(const struct field *fields, const void *object, bool handle);

/* Prints the JSON value, a line of its own, and forgets it. */
void output_print(json_t *value);

/* Writes out what was printed; tells if that failed. */
int output_flush(void);

/* A string for JSON: what is no valid text is escaped; NULL: null. */
json_t *output_string(const char *text);

#endif /* KRAW_OUTPUT_H */
