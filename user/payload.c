// SPDX-License-Identifier: GPL-2.0
/* What kraw send sends: a file as it is, or lines, a datagram each. */
#include "error.h"
#include "hex.h"
#include "talk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct payload {
	const char *name;
	FILE *file;
	enum payload_form form;
	unsigned int line;
	char *text; /* what was read */
	size_t size;
	uint8_t *bytes; /* what that means, if it means something else */
};

int payload_open(struct payload **payload, const struct talk *talk)
{
	struct payload *new = xalloc(sizeof(*new));

	*payload = memset(new, 0, sizeof(*new));
	new->name = talk->file ?: "-";
	/* Lines, where nobody has asked for anything else. */
	new->form = talk->file ? talk->form : talk->form ?: PAYLOAD_TEXT;
	if (!strcmp(new->name, "-")) {
		new->name = "<stdin>";
		new->file = stdin;
		return 0;
	}
	new->file = fopen(new->name, "re");
	if (!new->file)
		return fail("cannot open %s: %s", new->name, strerror(errno));
	return 0;
}

static int too_long(const struct payload *payload)
{
	return fail("%s: more than %u bytes, which no datagram can carry",
		    payload->name, TALK_MAX);
}

static int cannot_read(const struct payload *payload)
{
	return fail("cannot read %s: %s", payload->name, strerror(errno));
}

/* All that is there is one datagram. */
static int next_bytes(struct payload *payload, const uint8_t **data,
		      size_t *len, bool *end)
{
	*end = payload->line++;
	if (*end)
		return 0;
	payload->text = xalloc(TALK_MAX + 1);
	*len = fread(payload->text, 1, TALK_MAX + 1, payload->file);
	if (ferror(payload->file))
		return cannot_read(payload);
	*data = (const uint8_t *)payload->text;
	return *len > TALK_MAX ? too_long(payload) : 0;
}

static int read_hex(struct payload *payload, const char *text,
		    const uint8_t **data, size_t *len)
{
	free(payload->bytes);
	payload->bytes = xalloc(strlen(text) / 2 + 1);
	*data = payload->bytes;
	if (!hex_read(text, payload->bytes, len))
		return fail("%s:%u: not bytes in hexadecimal, write two digits each",
			    payload->name, payload->line);
	return 0;
}

/* Other events than datagrams are passed over. */
static int read_json(struct payload *payload, const uint8_t **data, size_t *len,
		     bool *other)
{
	const char *event, *text;
	json_error_t error;
	json_t *object;
	int ret;

	object = json_loads(payload->text, 0, &error);
	if (!object)
		return fail("%s:%u: no JSON object: %s", payload->name,
			    payload->line, error.text);
	event = json_string_value(json_object_get(object, "event"));
	text = json_string_value(json_object_get(object, "data"));
	*other = event && strcmp(event, "datagram") != 0;
	if (*other)
		ret = 0;
	else if (text)
		ret = read_hex(payload, text, data, len);
	else
		ret = fail("%s:%u: no \"data\" with bytes in hexadecimal in this object",
			   payload->name, payload->line);
	json_decref(object);
	return ret;
}

static int next_line(struct payload *payload, const uint8_t **data, size_t *len,
		     bool *end)
{
	ssize_t got = getline(&payload->text, &payload->size, payload->file);
	bool other = false;
	int ret = 0;

	*end = got < 0;
	if (*end)
		return ferror(payload->file) ? cannot_read(payload) : 0;
	payload->line++;
	if (payload->text[got - 1] == '\n')
		payload->text[--got] = '\0';
	*data = (const uint8_t *)payload->text;
	*len = got;
	if (payload->form == PAYLOAD_HEX)
		ret = read_hex(payload, payload->text, data, len);
	else if (payload->form == PAYLOAD_JSON)
		ret = read_json(payload, data, len, &other);
	if (other)
		return next_line(payload, data, len, end);
	if (!ret && *len > TALK_MAX)
		ret = too_long(payload);
	return ret;
}

int payload_next(struct payload *payload, const uint8_t **data, size_t *len,
		 bool *end)
{
	if (payload->form == PAYLOAD_BYTES)
		return next_bytes(payload, data, len, end);
	return next_line(payload, data, len, end);
}

void payload_close(struct payload *payload)
{
	if (!payload)
		return;
	if (payload->file && payload->file != stdin)
		fclose(payload->file);
	free(payload->text);
	free(payload->bytes);
	free(payload);
}
