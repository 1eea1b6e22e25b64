// SPDX-License-Identifier: GPL-2.0
/* A packet socket, as fields. */
#include "describe_socket.h"

#include <linux/if_ether.h>
#include <stdlib.h>
#include <sys/socket.h>

static const struct packet_socket *packet(const void *object)
{
	const struct packet_row *row = object;

	return row->socket;
}

static json_t *packet_netns(const void *object)
{
	const struct packet_row *row = object;

	return socket_netns(row->netns);
}

static json_t *packet_type(const void *object)
{
	switch (packet(object)->type) {
	case SOCK_RAW:
		return json_string("raw");
	case SOCK_DGRAM:
		return json_string("dgram");
	default:
		return json_string("packet");
	}
}

static json_t *packet_protocol(const void *object)
{
	switch (packet(object)->protocol) {
	case ETH_P_ALL:
		return json_string("all");
	case ETH_P_IP:
		return json_string("ipv4");
	default:
		return json_string("ipv6");
	}
}

static json_t *packet_device(const void *object)
{
	return socket_device(&packet(object)->device);
}

static json_t *packet_device_text(const void *object)
{
	return socket_device_text(&packet(object)->device);
}

static json_t *packet_filter(const void *object)
{
	return socket_filter_length(&packet(object)->filter);
}

static json_t *packet_filter_kind(const void *object)
{
	return socket_filter_kind(&packet(object)->filter);
}

static json_t *packet_refuses_all(const void *object)
{
	return socket_filter_refuses_all(&packet(object)->filter);
}

static json_t *packet_filter_text(const void *object)
{
	char *text = socket_filter_text(&packet(object)->filter);
	json_t *value = json_string(*text ? text : "-");

	free(text);
	return value;
}

static json_t *packet_queue(const void *object)
{
	return packet(object)->has_memory ?
		       json_integer(packet(object)->queue) :
		       json_null();
}

static json_t *packet_limit(const void *object)
{
	return packet(object)->has_memory ?
		       json_integer(packet(object)->limit) :
		       json_null();
}

static json_t *packet_drops(const void *object)
{
	return packet(object)->has_memory ?
		       json_integer(packet(object)->drops) :
		       json_null();
}

static json_t *packet_uid(const void *object)
{
	return packet(object)->uid_known ? json_integer(packet(object)->uid) :
					   json_null();
}

static json_t *packet_user(const void *object)
{
	return packet(object)->uid_known ? socket_user(packet(object)->uid) :
					   json_null();
}

static json_t *packet_user_text(const void *object)
{
	return packet(object)->uid_known ?
		       socket_user_text(packet(object)->uid) :
		       json_string("?");
}

static json_t *packet_inode(const void *object)
{
	return json_integer(packet(object)->owners.inode);
}

static json_t *packet_processes(const void *object)
{
	return owners_json(&packet(object)->owners);
}

static json_t *packet_processes_text(const void *object)
{
	return owners_text(&packet(object)->owners);
}

const struct field packet_fields[] = {
	{ "netns", NULL, "NETNS", packet_netns, .form = FORM_TEXT,
	  .when = FIELD_NETNS },
	{ "type", NULL, "TYPE", packet_type },
	{ "protocol", NULL, "PROTOCOL", packet_protocol },
	{ "dev", NULL, NULL, packet_device },
	{ NULL, NULL, "DEV", packet_device_text, .form = FORM_TEXT },
	{ "filter_length", NULL, NULL, packet_filter },
	{ "filter_kind", NULL, NULL, packet_filter_kind },
	{ "filter_refuses_all", NULL, NULL, packet_refuses_all },
	{ NULL, NULL, "FILTER", packet_filter_text, .form = FORM_TEXT },
	{ "receive_queue", NULL, "RECV-Q", packet_queue },
	{ "receive_limit", NULL, "LIMIT", packet_limit },
	{ "drops", NULL, "DROPS", packet_drops },
	{ "uid", NULL, NULL, packet_uid },
	{ "user", NULL, NULL, packet_user },
	{ NULL, NULL, "USER", packet_user_text, .form = FORM_TEXT },
	{ "inode", NULL, "INODE", packet_inode, .when = FIELD_DETAILS_TEXT },
	{ "processes", NULL, NULL, packet_processes },
	{ NULL, NULL, "PROCESS", packet_processes_text, .form = FORM_TEXT },
	{ NULL },
};
