// SPDX-License-Identifier: GPL-2.0
/* Records of packets: tokens for JSON, a line for a person. */
#include "describe.h"
#include "error.h"
#include "hex.h"
#include "names.h"
#include "trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static bool has(const struct record *record, unsigned int attr)
{
	return record->set & BIT(attr);
}

/* JSON: the date, and UTC; text: the time of day here. */
static json_t *time_json(const struct record *record, bool utc)
{
	time_t seconds = record->time / 1000000000;
	char text[64];
	struct tm tm;
	size_t len;

	if (utc)
		gmtime_r(&seconds, &tm);
	else
		localtime_r(&seconds, &tm);
	len = strftime(text, sizeof(text), utc ? "%Y-%m-%dT%T" : "%T", &tm);
	snprintf(text + len, sizeof(text) - len, ".%09" PRIu64 "%s",
		 record->time % 1000000000, utc ? "Z" : "");
	return json_string(text);
}

static json_t *record_time(const void *object)
{
	return time_json(object, true);
}

static json_t *record_time_text(const void *object)
{
	return time_json(object, false);
}

static json_t *record_hook(const void *object)
{
	const struct record *record = object;

	return json_string(name_of(&hook_names, record->hook));
}

static json_t *record_proto(const void *object)
{
	const struct record *record = object;

	return json_integer(record->proto);
}

static json_t *record_name(const void *object)
{
	const struct record *record = object;

	return output_string(protocol_name(record->proto));
}

static json_t *record_src(const void *object)
{
	const struct record *record = object;

	return address_text(record->family, record->src);
}

static json_t *record_dst(const void *object)
{
	const struct record *record = object;

	return address_text(record->family, record->dst);
}

static json_t *record_dev(const void *object)
{
	const struct record *record = object;

	return record->dev[0] ? output_string(record->dev) : NULL;
}

static json_t *record_len(const void *object)
{
	const struct record *record = object;

	return json_integer(record->len);
}

static json_t *record_rule(const void *object)
{
	const struct record *record = object;

	if (!has(record, KRAW_TRACE_A_HANDLE))
		return NULL;
	return json_integer(record->handle);
}

static json_t *record_pref(const void *object)
{
	const struct record *record = object;

	if (!has(record, KRAW_TRACE_A_HANDLE))
		return NULL;
	return json_integer(record->pref);
}

static json_t *record_marked(const void *object)
{
	const struct record *record = object;

	return has(record, KRAW_TRACE_A_MARKED) ? json_true() : NULL;
}

static json_t *record_verdict(const void *object)
{
	const struct record *record = object;

	if (!has(record, KRAW_TRACE_A_VERDICT))
		return json_string("passed");
	return json_string(name_of(&verdict_names, record->verdict));
}

static json_t *record_expected(const void *object)
{
	const struct record *record = object;

	return json_boolean(has(record, KRAW_TRACE_A_EXPECTED));
}

/* Who holds a socket that may not have been found. */
static json_t *found_json(const struct owners *owners)
{
	return owners ? owners_json(owners) : json_null();
}

static json_t *record_sender(const void *object)
{
	const struct record *record = object;
	json_t *sender;

	if (!has(record, KRAW_TRACE_A_SENDER))
		return NULL;
	sender = json_object();
	json_object_set_new(sender, "inode", json_integer(record->sender));
	json_object_set_new(sender, "uid", json_integer(record->uid));
	json_object_set_new(sender, "processes",
			    found_json(record->sender_owners));
	return sender;
}

static json_t *record_matching(const void *object)
{
	const struct record *record = object;

	return json_integer(record->raw.matching);
}

static json_t *receivers_json(const struct receivers *receivers)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < receivers->count; i++) {
		const struct receiver *receiver = &receivers->list[i];
		json_t *json = json_object();

		json_object_set_new(json, "inode",
				    json_integer(receiver->inode));
		json_object_set_new(json, "result",
				    json_string(name_of(&socket_result_names,
							receiver->result)));
		json_object_set_new(json, "processes",
				    found_json(receiver->owners));
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *record_sockets(const void *object)
{
	const struct record *record = object;

	return receivers_json(&record->raw);
}

/* null: no handler of a claim's was asked */
static json_t *record_dgram(const void *object)
{
	const struct record *record = object;
	json_t *dgram;

	if (!has(record, KRAW_TRACE_A_DGRAM_RESULT))
		return json_null();
	dgram = json_object();
	json_object_set_new(dgram, "result",
			    json_string(name_of(&dgram_result_names,
						record->dgram_result)));
	json_object_set_new(dgram, "matching",
			    json_integer(record->dgram.matching));
	json_object_set_new(dgram, "sockets", receivers_json(&record->dgram));
	return dgram;
}

static json_t *record_handler(const void *object)
{
	const struct record *record = object;
	json_t *handler;

	if (!record->handler)
		return json_null();
	handler = json_object();
	json_object_set_new(handler, "symbol", output_string(record->handler));
	json_object_set_new(handler, "module", output_string(record->module));
	json_object_set_new(handler, "result",
			    json_string(name_of(&socket_result_names,
						record->handler_result)));
	return handler;
}

static json_t *record_icmp(const void *object)
{
	const struct record *record = object;
	json_t *icmp;

	if (!has(record, KRAW_TRACE_A_ICMP_TYPE))
		return json_null();
	icmp = json_object();
	json_object_set_new(icmp, "type", json_integer(record->icmp_type));
	json_object_set_new(icmp, "code", json_integer(record->icmp_code));
	if (has(record, KRAW_TRACE_A_ICMP_POINTER))
		json_object_set_new(icmp, "pointer",
				    json_integer(record->icmp_pointer));
	return icmp;
}

static json_t *record_icmp_result(const void *object)
{
	const struct record *record = object;

	return json_string(name_of(&icmp_result_names, record->icmp_result));
}

static json_t *record_seq(const void *object)
{
	const struct record *record = object;

	return json_integer(record->seq);
}

static json_t *record_lost(const void *object)
{
	const struct record *record = object;

	return json_integer(record->lost);
}

static json_t *record_data(const void *object)
{
	const struct record *record = object;
	json_t *value;
	char *text;

	if (!record->data)
		return NULL;
	text = hex_write(record->data, record->data_len);
	value = json_string(text);
	free(text);
	return value;
}

static void write_owner(FILE *file, uint32_t inode, const struct owners *owners)
{
	size_t i;

	if (!owners || !owners->count) {
		fprintf(file, "socket %" PRIu32, inode);
		return;
	}
	for (i = 0; i < owners->count; i++)
		fprintf(file, "%s%s pid %d fd %d", i ? ", " : "",
			owners->list[i].name, (int)owners->list[i].pid,
			owners->list[i].fd);
}

static void write_icmp(FILE *file, const struct record *record)
{
	switch (record->icmp_result) {
	case KRAW_ICMP_RESULT_SENT:
		fprintf(file, "; %s %u/%u",
			record->family == AF_INET6 ? "ICMPv6" : "ICMP",
			record->icmp_type, record->icmp_code);
		break;
	case KRAW_ICMP_RESULT_NEVER:
		fputs("; no ICMP error: unreach never", file);
		break;
	case KRAW_ICMP_RESULT_SILENT:
		fputs("; no ICMP error: Linux does not answer it", file);
		break;
	}
}

static void write_sockets(FILE *file, const struct receivers *receivers,
			  const char *kind)
{
	size_t i;

	for (i = 0; i < receivers->count; i++) {
		fprintf(file, "; %s", kind);
		write_owner(file, receivers->list[i].inode,
			    receivers->list[i].owners);
		fprintf(file, " %s",
			name_of(&socket_result_names,
				receivers->list[i].result));
	}
	if (receivers->matching > receivers->count)
		fprintf(file, "; %zu more %ssockets",
			receivers->matching - receivers->count, kind);
}

/* What a claim's handler, that has just been named, made of it. */
static void write_dgram(FILE *file, const struct record *record)
{
	switch (record->dgram_result) {
	case KRAW_DGRAM_RESULT_SOCKETS:
		write_sockets(file, &record->dgram, "dgram ");
		break;
	case KRAW_DGRAM_RESULT_NOBODY:
		fputs("; no dgram socket", file);
		break;
	case KRAW_DGRAM_RESULT_POLICY:
		fputs("; no dgram socket, and IPsec policy", file);
		break;
	case KRAW_DGRAM_RESULT_HEADER:
		fputs("; header cut off or of a wrong length", file);
		break;
	case KRAW_DGRAM_RESULT_CHECKSUM:
		fputs("; wrong checksum", file);
		break;
	}
}

static void write_receivers(FILE *file, const struct record *record)
{
	write_sockets(file, &record->raw, "");
	if (record->handler)
		fprintf(file, "; handler %s%s%s%s %s", record->handler,
			record->module ? " [" : "",
			record->module ? record->module : "",
			record->module ? "]" : "",
			name_of(&socket_result_names, record->handler_result));
	if (has(record, KRAW_TRACE_A_DGRAM_RESULT))
		write_dgram(file, record);
}

/* Who got it and who not, and why. */
static json_t *record_outcome(const void *object)
{
	const struct record *record = object;
	json_t *value;
	size_t len;
	FILE *file;
	char *text;

	file = open_memstream(&text, &len);
	if (!file)
		exit(refused("out of memory"));
	if (has(record, KRAW_TRACE_A_SENDER)) {
		fputs("; from ", file);
		write_owner(file, record->sender, record->sender_owners);
		fprintf(file, " uid %" PRIu32, record->uid);
	}
	write_receivers(file, record);
	write_icmp(file, record);
	if (fclose(file))
		exit(refused("out of memory"));
	value = NULL;
	if (*text)
		value = output_string(text + 2);
	free(text);
	return value;
}

static json_t *record_expected_text(const void *object)
{
	const struct record *record = object;

	if (!has(record, KRAW_TRACE_A_EXPECTED))
		return NULL;
	return json_string("(expected)");
}

const struct field record_fields[] = {
	{ "time", NULL, NULL, record_time },
	{ NULL, "", NULL, record_time_text, .form = FORM_TEXT },
	{ "hook", "", NULL, record_hook },
	{ "proto", "proto", NULL, record_proto, .colour = COLOUR_NUMBER },
	{ "name", NULL, NULL, record_name },
	{ "src", "src", NULL, record_src },
	{ "dst", "dst", NULL, record_dst },
	{ "dev", "dev", NULL, record_dev },
	{ "len", "len", NULL, record_len },
	{ "pref", "pref", NULL, record_pref },
	{ "rule", "handle", NULL, record_rule, .when = FIELD_DETAILS_TEXT },
	{ "marked", "marked", NULL, record_marked, .form = FORM_FLAG },
	{ "verdict", "", NULL, record_verdict, .colour = COLOUR_VERDICT },
	{ "expected", NULL, NULL, record_expected },
	{ "sender", NULL, NULL, record_sender },
	{ "matching", NULL, NULL, record_matching },
	{ "sockets", NULL, NULL, record_sockets },
	{ "handler", NULL, NULL, record_handler },
	{ "dgram", NULL, NULL, record_dgram },
	{ "icmp", NULL, NULL, record_icmp },
	{ "icmp_result", NULL, NULL, record_icmp_result },
	{ "data", NULL, NULL, record_data },
	{ "seq", NULL, NULL, record_seq },
	{ "lost", NULL, NULL, record_lost },
	{ NULL, "->", NULL, record_outcome, .form = FORM_TEXT },
	{ NULL, "", NULL, record_expected_text, .form = FORM_TEXT },
	{ NULL },
};
