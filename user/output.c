// SPDX-License-Identifier: GPL-2.0
#include "output.h"
#include "error.h"

#include <errno.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options options;

struct output {
	const struct field *fields;
	enum output_style style;
	const char *title;
	json_t *list; /* JSON: everything up to the end */
	struct libscols_table *table;
};

/* Text that grows. */
struct text {
	char *data;
	size_t len;
	FILE *file;
};

static void text_open(struct text *text)
{
	text->file = open_memstream(&text->data, &text->len);
	if (!text->file)
		exit(refused("out of memory"));
}

static char *text_close(struct text *text)
{
	if (fclose(text->file))
		exit(refused("out of memory"));
	return text->data;
}

static bool wanted(const struct field *field, bool json)
{
	switch (field->when) {
	case FIELD_STATISTICS:
		return options.statistics;
	case FIELD_DETAILS:
		return options.details;
	case FIELD_DETAILS_TEXT:
	case FIELD_HANDLE:
		return json || options.details;
	case FIELD_NETNS:
		return json || options.all_netns;
	default:
		return true;
	}
}

json_t *output_string(const char *text)
{
	json_t *value;
	char *clean;

	if (!text)
		return json_null();
	clean = escape(text);
	value = json_string(clean);
	free(clean);
	return value;
}

json_t *output_json(const struct field *fields, const void *object)
{
	json_t *json = json_object();
	const struct field *field;
	json_t *value;

	for (field = fields; field->get; field++) {
		if (!field->key || !wanted(field, true))
			continue;
		value = field->get(object);
		if (value)
			json_object_set_new(json, field->key, value);
	}
	return json;
}

/* A word in quotes, if a shell would take it for anything else. */
static void write_quoted(FILE *file, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-_./:,@%+=";

	if (*word && word[strspn(word, plain)] == '\0') {
		fputs(word, file);
		return;
	}
	fputc('\'', file);
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", file);
		else
			fputc(*word, file);
	}
	fputc('\'', file);
}

static void write_scalar(FILE *file, const json_t *value, bool quote)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		if (quote)
			write_quoted(file, json_string_value(value));
		else
			fputs(json_string_value(value), file);
		break;
	case JSON_INTEGER:
		fprintf(file, "%" JSON_INTEGER_FORMAT,
			json_integer_value(value));
		break;
	case JSON_REAL:
		fprintf(file, "%.1f", json_real_value(value));
		break;
	case JSON_TRUE:
		fputs("yes", file);
		break;
	case JSON_FALSE:
		fputs("no", file);
		break;
	default:
		fputc('-', file);
	}
}

static void write_counters(FILE *file, json_t *families)
{
	const char *family, *key;
	json_t *counters, *count;

	json_object_foreach(families, family, counters) {
		fprintf(file, "\n    %s", family);
		json_object_foreach(counters, key, count) {
			fprintf(file, " %s ", key);
			if (json_is_null(count))
				fputc('?', file);
			else
				write_scalar(file, count, false);
		}
	}
}

static void write_families(FILE *file, const json_t *list)
{
	if (json_array_size(list) == 2)
		fputs("both", file);
	else if (!json_array_size(list))
		fputc('-', file);
	else
		write_scalar(file, json_array_get(list, 0), false);
}

static void write_range(FILE *file, const json_t *range)
{
	const json_t *min = json_array_get(range, 0);
	const json_t *max = json_array_get(range, 1);

	write_scalar(file, min, false);
	if (json_integer_value(min) != json_integer_value(max)) {
		fputc('-', file);
		write_scalar(file, max, false);
	}
}

/* An entry is "all", or a kind with its range. */
static void write_users(FILE *file, const json_t *users)
{
	const json_t *user, *range;
	const char *kind;
	size_t i;

	json_array_foreach(users, i, user) {
		if (i)
			fputc(' ', file);
		if (json_is_string(user)) {
			write_scalar(file, user, false);
			continue;
		}
		kind = json_object_get(user, "uid") ? "uid" : "gid";
		range = json_object_get(user, kind);
		fprintf(file, "%s ", kind);
		write_range(file, range);
	}
}

static void write_limit(FILE *file, const json_t *limit)
{
	const json_t *burst = json_object_get(limit, "burst");

	write_scalar(file, json_object_get(limit, "rate"), false);
	fputs("/s", file);
	if (burst) {
		fputs(" burst ", file);
		write_scalar(file, burst, false);
	}
}

static void write_value(FILE *file, const struct field *field, json_t *value)
{
	switch (field->form) {
	case FORM_PLAIN:
		write_scalar(file, value, true);
		break;
	case FORM_TEXT:
		write_scalar(file, value, false);
		break;
	case FORM_FLAG:
		break;
	case FORM_LIMIT:
		write_limit(file, value);
		break;
	case FORM_RANGE:
		write_range(file, value);
		break;
	case FORM_USERS:
		write_users(file, value);
		break;
	case FORM_FAMILIES:
		write_families(file, value);
		break;
	case FORM_COUNTERS:
		write_counters(file, value);
		break;
	}
}

/* Green: somebody receives it; red: nobody does. */
static const char *colour_of(const struct field *field, const json_t *value)
{
	const char *verdict;

	if (!options.colour)
		return NULL;
	switch (field->colour) {
	case COLOUR_NUMBER:
		return "\033[1m";
	case COLOUR_VERDICT:
		verdict = json_string_value(value);
		if (!verdict)
			return NULL;
		if (!strcmp(verdict, "none") || !strcmp(verdict, "reject") ||
		    !strcmp(verdict, "deny"))
			return "\033[31m";
		return "\033[32m";
	default:
		return NULL;
	}
}

static bool always(const struct field *field)
{
	return field->when == FIELD_ALWAYS;
}

static bool always_or_handle(const struct field *field)
{
	return field->when == FIELD_ALWAYS || field->when == FIELD_HANDLE;
}

static bool wanted_in_text(const struct field *field)
{
	return wanted(field, false);
}

static void write_words(FILE *file, const struct field *fields,
			const void *object,
			bool (*chosen)(const struct field *field))
{
	const struct field *field;
	bool first = true;

	for (field = fields; field->get; field++) {
		const char *colour;
		json_t *value;

		if (!field->word || !chosen(field))
			continue;
		value = field->get(object);
		if (!value)
			continue;
		colour = colour_of(field, value);
		if (!first && field->form != FORM_COUNTERS)
			fputc(' ', file);
		if (*field->word)
			fprintf(file, "%s%s", field->word,
				field->form == FORM_FLAG ? "" : " ");
		if (colour)
			fputs(colour, file);
		write_value(file, field, value);
		if (colour)
			fputs("\033[0m", file);
		first = false;
		json_decref(value);
	}
}

char *output_words(const struct field *fields, const void *object, bool handle)
{
	bool colour = options.colour;
	struct text text;

	options.colour = false;
	text_open(&text);
	write_words(text.file, fields, object,
		    handle ? always_or_handle : always);
	options.colour = colour;
	return text_close(&text);
}

void output_print(json_t *value)
{
	size_t flags = options.pretty ? JSON_INDENT(4) : JSON_COMPACT;

	json_dumpf(value, stdout, flags);
	putchar('\n');
	json_decref(value);
}

void output_line(const struct field *fields, const void *object)
{
	if (options.json) {
		output_print(output_json(fields, object));
		return;
	}
	write_words(stdout, fields, object, wanted_in_text);
	putchar('\n');
}

int output_flush(void)
{
	if (fflush(stdout) || ferror(stdout))
		return refused("cannot write the output: %s", strerror(errno));
	return 0;
}

static void begin_table(struct output *output)
{
	const struct field *field;
	struct libscols_column *column;

	output->table = scols_new_table();
	if (!output->table)
		exit(refused("out of memory"));
	scols_table_enable_colors(output->table, options.colour);
	for (field = output->fields; field->get; field++) {
		if (!field->head || !wanted(field, false))
			continue;
		column = scols_table_new_column(output->table, field->head, 0,
						0);
		if (column && options.colour)
			scols_cell_set_color(scols_column_get_header(column),
					     "bold");
	}
}

static void add_row(struct output *output, const void *object)
{
	struct libscols_line *line;
	const struct field *field;
	struct text text;
	size_t column = 0;
	json_t *value;

	line = scols_table_new_line(output->table, NULL);
	if (!line)
		exit(refused("out of memory"));
	for (field = output->fields; field->get; field++) {
		if (!field->head || !wanted(field, false))
			continue;
		value = field->get(object);
		text_open(&text);
		if (value)
			write_value(text.file, field, value);
		else
			fputc('?', text.file);
		text_close(&text);
		if (json_is_number(value))
			scols_column_set_flags(scols_table_get_column(output->table,
								      column),
					       SCOLS_FL_RIGHT);
		scols_line_refer_data(line, column, text.data);
		if (value && colour_of(field, value))
			scols_cell_set_color(scols_line_get_cell(line, column),
					     colour_of(field, value));
		json_decref(value);
		column++;
	}
}

struct output *output_begin(const struct field *fields, enum output_style style)
{
	struct output *output = xalloc(sizeof(*output));

	memset(output, 0, sizeof(*output));
	output->fields = fields;
	output->style = style;
	if (options.json)
		output->list = json_array();
	else if (style == OUTPUT_TABLE)
		begin_table(output);
	return output;
}

struct output *output_begin_titled(const struct field *fields,
				   const char *title)
{
	struct output *output = output_begin(fields, OUTPUT_TABLE);

	output->title = title;
	return output;
}

void output_add(struct output *output, const void *object)
{
	if (options.json) {
		json_array_append_new(output->list,
				      output_json(output->fields, object));
	} else if (output->style == OUTPUT_TABLE) {
		add_row(output, object);
	} else {
		output_line(output->fields, object);
	}
}

int output_end(struct output *output, int error)
{
	if (options.json && error) {
		json_decref(output->list);
	} else if (options.json) {
		output_print(output->list);
	} else if (output->table) {
		if (!error && scols_table_get_nlines(output->table)) {
			if (output->title)
				printf("\n%s\n", output->title);
			scols_print_table(output->table);
		}
		scols_unref_table(output->table);
	}
	free(output);
	return error ? error : output_flush();
}
