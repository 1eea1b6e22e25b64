// SPDX-License-Identifier: GPL-2.0
/* Sockets and datagrams of kraw listen and kraw send, for JSON and for a person. */
#include "describe.h"
#include "error.h"
#include "hex.h"
#include "names.h"
#include "talk.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static json_t *address(const union talk_address *addr)
{
	char text[NI_MAXHOST];

	if (!addr->any.sa_family ||
	    getnameinfo(&addr->any, sizeof(*addr), text, sizeof(text), NULL, 0,
			NI_NUMERICHOST))
		return NULL;
	return json_string(text);
}

/* In one place in both families; none: left out. */
static json_t *port(const union talk_address *addr)
{
	in_port_t number = addr->v4.sin_port;

	return number ? json_integer(ntohs(number)) : NULL;
}

static bool connected(const struct talk_socket *socket)
{
	return socket->peer.any.sa_family;
}

static json_t *socket_event(const void *object)
{
	return json_string(connected(object) ? "sending" : "listening");
}

static json_t *socket_proto(const void *object)
{
	const struct talk_socket *socket = object;

	return json_integer(socket->talk->proto);
}

static json_t *socket_name(const void *object)
{
	const struct talk_socket *socket = object;

	return output_string(protocol_name(socket->talk->proto));
}

static json_t *socket_type(const void *object)
{
	const struct talk_socket *socket = object;

	return json_string(socket->type == SOCK_RAW ? "raw" : "dgram");
}

static json_t *socket_families(const void *object)
{
	const struct talk_socket *socket = object;

	return families_json(socket->families);
}

static json_t *socket_at(const void *object)
{
	const struct talk_socket *socket = object;

	return connected(socket) ? NULL : address(&socket->local);
}

static json_t *socket_from(const void *object)
{
	const struct talk_socket *socket = object;

	return connected(socket) ? address(&socket->local) : NULL;
}

static json_t *socket_port(const void *object)
{
	const struct talk_socket *socket = object;

	return port(&socket->local);
}

static json_t *socket_peer(const void *object)
{
	const struct talk_socket *socket = object;

	return address(&socket->peer);
}

static json_t *socket_peer_port(const void *object)
{
	const struct talk_socket *socket = object;

	if (!connected(socket) || socket->type == SOCK_RAW)
		return NULL;
	return port(&socket->peer);
}

static json_t *socket_dev(const void *object)
{
	const struct talk_socket *socket = object;

	return socket->talk->dev ? output_string(socket->talk->dev) : NULL;
}

static json_t *socket_exclusive(const void *object)
{
	const struct talk_socket *socket = object;

	return socket->talk->exclusive ? json_true() : NULL;
}

const struct field talk_socket_fields[] = {
	{ "event", "", NULL, socket_event, .form = FORM_TEXT },
	{ "proto", "proto", NULL, socket_proto, .colour = COLOUR_NUMBER },
	{ "name", NULL, NULL, socket_name },
	{ "type", "type", NULL, socket_type },
	{ "families", "family", NULL, socket_families, .form = FORM_FAMILIES },
	{ "local", "at", NULL, socket_at },
	{ "local", "from", NULL, socket_from },
	{ "local_port", "port", NULL, socket_port },
	{ "peer", "to", NULL, socket_peer },
	{ "peer_port", "port", NULL, socket_peer_port },
	{ "dev", "dev", NULL, socket_dev },
	{ "exclusive", "exclusive", NULL, socket_exclusive, .form = FORM_FLAG },
	{ NULL },
};

static json_t *datagram_event(const void *object)
{
	(void)object;
	return json_string("datagram");
}

static json_t *datagram_from(const void *object)
{
	const struct datagram *datagram = object;

	return address(&datagram->from);
}

static json_t *datagram_port(const void *object)
{
	const struct datagram *datagram = object;

	return port(&datagram->from);
}

static json_t *datagram_to(const void *object)
{
	const struct datagram *datagram = object;

	return address(&datagram->to);
}

static json_t *datagram_dev(const void *object)
{
	const struct datagram *datagram = object;

	return *datagram->dev ? output_string(datagram->dev) : NULL;
}

static json_t *datagram_len(const void *object)
{
	const struct datagram *datagram = object;

	return json_integer(datagram->len);
}

static json_t *datagram_answer(const void *object)
{
	const struct datagram *datagram = object;

	return datagram->answer ? json_true() : NULL;
}

static json_t *datagram_data(const void *object)
{
	const struct datagram *datagram = object;
	char *text = hex_write(datagram->data, datagram->len);
	json_t *value = json_string(text);

	free(text);
	return value;
}

/* What a terminal might obey is escaped; so is a byte of zero. */
static json_t *escaped(const uint8_t *data, size_t len)
{
	char *part = xalloc(len + 1), *text = xalloc(4 * len + 1);
	size_t at = 0, out = 0;
	json_t *value;
	char *clean;

	memcpy(part, data, len);
	part[len] = '\0';
	while (at < len) {
		clean = escape(part + at);
		at += strlen(part + at) + 1;
		out += sprintf(text + out, "%s%s", clean,
			       at <= len ? "\\x00" : "");
		free(clean);
	}
	text[out] = '\0';
	value = json_string(text);
	free(part);
	free(text);
	return value;
}

static json_t *datagram_payload(const void *object)
{
	const struct datagram *datagram = object;

	if (!datagram->len)
		return NULL;
	if (datagram->talk->form == PAYLOAD_HEX)
		return datagram_data(object);
	return escaped(datagram->data, datagram->len);
}

const struct field datagram_fields[] = {
	{ "event", NULL, NULL, datagram_event },
	{ "from", "from", NULL, datagram_from },
	{ "from_port", "port", NULL, datagram_port },
	{ "to", "to", NULL, datagram_to },
	{ "dev", "dev", NULL, datagram_dev },
	{ "len", "len", NULL, datagram_len },
	{ "answer", "answer", NULL, datagram_answer, .form = FORM_FLAG },
	{ "data", NULL, NULL, datagram_data },
	{ NULL, "", NULL, datagram_payload, .form = FORM_TEXT },
	{ NULL },
};
