// SPDX-License-Identifier: GPL-2.0
/* The words of kraw listen and kraw send. */
#include "talk.h"
#include "error.h"
#include "names.h"

#include <string.h>
#include <sys/socket.h>

static int set_type(struct talk *talk, int type, const char *word)
{
	if (talk->type && talk->type != type)
		return fail("'%s': raw and dgram are two kinds of sockets, use one of them",
			    word);
	talk->type = type;
	return 0;
}

static int set_form(struct talk *talk, enum payload_form form, const char *word)
{
	if (talk->form && talk->form != form)
		return fail("'%s': use one of text, hex and json", word);
	talk->form = form;
	return 0;
}

static int parse_proto(struct args *args, struct talk *talk)
{
	const char *word;

	talk->has_proto = true;
	return args_value(args, "proto", &word) ?:
		       parse_protocol(word, &talk->proto);
}

static int parse_port(struct args *args, struct talk *talk)
{
	const char *word;
	uint32_t port = 0;
	int ret = args_value(args, "port", &word) ?:
			  parse_number("port", word, UINT16_MAX, &port);

	talk->has_port = true;
	talk->port = port;
	return ret;
}

static int parse_count(struct args *args, struct talk *talk)
{
	const char *word;
	int ret = args_value(args, "count", &word) ?:
			  parse_number("count", word, UINT32_MAX, &talk->count);

	if (!ret && !talk->count)
		ret = fail("count 0: at least 1");
	return ret;
}

static int parse_word(struct args *args, const char *word, struct talk *talk)
{
	if (!strcmp(canonical(word), "proto"))
		return parse_proto(args, talk);
	if (!strcmp(word, "port"))
		return parse_port(args, talk);
	if (!strcmp(word, "count"))
		return parse_count(args, talk);
	if (!strcmp(word, "dev"))
		return args_value(args, word, &talk->dev) ?:
			       parse_device(word, talk->dev);
	if (!strcmp(word, "file"))
		return args_value(args, word, &talk->file);
	if (!strcmp(word, "raw"))
		return set_type(talk, SOCK_RAW, word);
	if (!strcmp(word, "dgram"))
		return set_type(talk, SOCK_DGRAM, word);
	if (!strcmp(word, "text"))
		return set_form(talk, PAYLOAD_TEXT, word);
	if (!strcmp(word, "hex"))
		return set_form(talk, PAYLOAD_HEX, word);
	if (!strcmp(word, "json"))
		return set_form(talk, PAYLOAD_JSON, word);
	if (!strcmp(word, "exclusive"))
		talk->exclusive = true;
	else if (!strcmp(word, "echo"))
		talk->echo = true;
	else if (talk->address || !*word)
		return fail("'%s' is not understood here: see 'kraw help'",
			    word);
	else
		talk->address = word;
	return 0;
}

int talk_parse(struct args *args, const char *object, struct talk *talk)
{
	const char *word;
	int ret = 0;

	memset(talk, 0, sizeof(*talk));
	while (!ret && (word = args_next(args)))
		ret = parse_word(args, word, talk);
	if (ret)
		return ret;
	if (!talk->has_proto)
		return fail("which protocol? Say proto P, see 'kraw %s help'",
			    object);
	if (talk->type == SOCK_RAW && talk->has_port)
		return fail("port %u: raw sockets have no ports, leave out one of 'port' and 'raw'",
			    talk->port);
	if (talk->type == SOCK_RAW && talk->exclusive)
		return fail("exclusive: raw sockets all get their copy, nobody can have an address alone: leave out one of 'exclusive' and 'raw'");
	/* Only datagram sockets have these. */
	if (talk->has_port || talk->exclusive)
		talk->type = SOCK_DGRAM;
	return 0;
}
