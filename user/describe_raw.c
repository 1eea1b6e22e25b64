// SPDX-License-Identifier: GPL-2.0
/* A raw socket, and a datagram socket of a claim, as fields. */
#include "describe_socket.h"
#include "error.h"
#include "names.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const struct raw_socket *raw(const void *object)
{
	const struct raw_row *row = object;

	return row->socket;
}

static json_t *raw_netns(const void *object)
{
	const struct raw_row *row = object;

	return socket_netns(row->netns);
}

static json_t *raw_protocol(const void *object)
{
	return json_integer(raw(object)->protocol);
}

static json_t *raw_family(const void *object)
{
	return json_string(raw(object)->family == AF_INET ? "ipv4" : "ipv6");
}

static json_t *raw_local(const void *object)
{
	return address_json(raw(object)->family, raw(object)->local);
}

static json_t *raw_peer(const void *object)
{
	return address_json(raw(object)->family, raw(object)->peer);
}

static json_t *raw_device(const void *object)
{
	return socket_device(&raw(object)->device);
}

static json_t *raw_device_text(const void *object)
{
	return socket_device_text(&raw(object)->device);
}

static json_t *raw_vrf(const void *object)
{
	if (!raw(object)->device.known)
		return NULL;
	return json_boolean(raw(object)->device.vrf);
}

static json_t *raw_queue(const void *object)
{
	return json_integer(raw(object)->queue);
}

static json_t *raw_limit(const void *object)
{
	return raw(object)->limit ? json_integer(raw(object)->limit) :
				    json_null();
}

static json_t *raw_drops(const void *object)
{
	return json_integer(raw(object)->drops);
}

static json_t *raw_uid(const void *object)
{
	return json_integer(raw(object)->uid);
}

static json_t *raw_user(const void *object)
{
	return socket_user(raw(object)->uid);
}

static json_t *raw_user_text(const void *object)
{
	return socket_user_text(raw(object)->uid);
}

static json_t *raw_inode(const void *object)
{
	return json_integer(raw(object)->owners.inode);
}

static json_t *raw_processes(const void *object)
{
	return owners_json(&raw(object)->owners);
}

static json_t *raw_processes_text(const void *object)
{
	return owners_text(&raw(object)->owners);
}

static json_t *raw_hdrincl(const void *object)
{
	return raw(object)->hdrincl_known ? json_boolean(raw(object)->hdrincl) :
					    json_null();
}

static json_t *raw_filter(const void *object)
{
	return socket_filter_length(&raw(object)->filter);
}

static json_t *raw_filter_kind(const void *object)
{
	return socket_filter_kind(&raw(object)->filter);
}

static json_t *raw_refuses_all(const void *object)
{
	return socket_filter_refuses_all(&raw(object)->filter);
}

/* The types that ICMP_FILTER knows of; 0: the socket has none. */
static unsigned int icmp_types(const struct raw_socket *entry)
{
	if (entry->family == AF_INET && entry->protocol == IPPROTO_ICMP)
		return 32;
	if (entry->family == AF_INET6 && entry->protocol == IPPROTO_ICMPV6)
		return 256;
	return 0;
}

static bool icmp_refused(const struct raw_socket *entry, unsigned int type)
{
	return entry->icmp_filter[type / 32] >> type % 32 & 1;
}

/* Whether fewer types pass than are refused: then these are listed. */
static bool icmp_lists_passing(const struct raw_socket *entry)
{
	unsigned int types = icmp_types(entry), refused_types = 0, i;

	for (i = 0; i < types; i++)
		refused_types += icmp_refused(entry, i);
	return refused_types > types / 2;
}

static json_t *raw_icmp_filter(const void *object)
{
	const struct raw_socket *entry = raw(object);
	bool passing = icmp_lists_passing(entry);
	unsigned int types = icmp_types(entry), i;
	json_t *filter, *list;

	if (!types)
		return NULL;
	if (!entry->icmp_filter_known)
		return json_null();
	list = json_array();
	for (i = 0; i < types; i++)
		if (icmp_refused(entry, i) != passing)
			json_array_append_new(list, json_integer(i));
	filter = json_object();
	json_object_set_new(filter, passing ? "passes" : "refuses", list);
	return filter;
}

/* "passes only echo-reply"; "" if it refuses nothing. */
static char *icmp_filter_text(const struct raw_socket *entry)
{
	bool passing = icmp_lists_passing(entry);
	unsigned int types = icmp_types(entry), i;
	char *text = NULL, *longer;
	const char *name;

	if (!types)
		return xstrdup("");
	if (!entry->icmp_filter_known)
		return xstrdup("ICMP_FILTER ?");
	for (i = 0; i < types; i++) {
		if (icmp_refused(entry, i) == passing)
			continue;
		name = icmp_type_name(entry->family, i);
		longer = name ? xasprintf("%s%s%s", text ? text : "",
					  text ? "," : "", name) :
				xasprintf("%s%s%u", text ? text : "",
					  text ? "," : "", i);
		free(text);
		text = longer;
	}
	if (!text)
		return xstrdup(passing ? "passes no type" : "");
	longer = xasprintf("%s %s", passing ? "passes only" : "refuses", text);
	free(text);
	return longer;
}

static json_t *raw_mroute(const void *object)
{
	if (!raw(object)->filter.known)
		return json_null();
	return json_boolean(raw(object)->mroute);
}

/* Adds words to a list of such, and frees them. */
static char *join(char *list, char *words)
{
	char *longer = xasprintf("%s%s%s", list, *list && *words ? ", " : "",
				 words);

	free(list);
	free(words);
	return longer;
}

static json_t *raw_options_text(const void *object)
{
	const struct raw_socket *entry = raw(object);
	char *text = xstrdup("");
	json_t *value;

	if (!entry->hdrincl_known)
		text = join(text, xstrdup("hdrincl ?"));
	else if (entry->hdrincl)
		text = join(text, xstrdup("hdrincl"));
	text = join(text, socket_filter_text(&entry->filter));
	text = join(text, icmp_filter_text(entry));
	if (entry->mroute)
		text = join(text, xstrdup("multicast routing"));
	value = json_string(*text ? text : "-");
	free(text);
	return value;
}

/* Signs of a socket that is only there to send, or is forgotten. */
static json_t *raw_unread(const void *object)
{
	switch (raw(object)->unread) {
	case UNREAD_HALF:
		return json_string("half full");
	case UNREAD_GROWS:
		return json_string("grows");
	default:
		return json_null();
	}
}

static json_t *raw_state_text(const void *object)
{
	switch (raw(object)->unread) {
	case UNREAD_HALF:
		return json_string("nobody reads: over half full");
	case UNREAD_GROWS:
		return json_string("nobody reads: only grows");
	default:
		return json_string(raw(object)->filter.refuses_all ?
					   "send-only: its filter refuses all" :
					   "-");
	}
}

const struct field raw_fields[] = {
	{ "netns", NULL, "NETNS", raw_netns, .form = FORM_TEXT,
	  .when = FIELD_NETNS },
	{ "proto", NULL, "PROTO", raw_protocol, .colour = COLOUR_NUMBER },
	{ "family", NULL, "FAMILY", raw_family },
	{ "local", NULL, "LOCAL", raw_local },
	{ "peer", NULL, "PEER", raw_peer },
	{ "dev", NULL, NULL, raw_device },
	{ NULL, NULL, "DEV", raw_device_text, .form = FORM_TEXT },
	{ "vrf", NULL, NULL, raw_vrf },
	{ "hdrincl", NULL, NULL, raw_hdrincl },
	{ "filter_length", NULL, NULL, raw_filter },
	{ "filter_kind", NULL, NULL, raw_filter_kind },
	{ "filter_refuses_all", NULL, NULL, raw_refuses_all },
	{ "icmp_filter", NULL, NULL, raw_icmp_filter },
	{ "multicast_routing", NULL, NULL, raw_mroute },
	{ "receive_queue", NULL, "RECV-Q", raw_queue },
	{ "receive_limit", NULL, "LIMIT", raw_limit },
	{ "drops", NULL, "DROPS", raw_drops },
	{ "unread", NULL, NULL, raw_unread },
	{ NULL, NULL, "OPTIONS", raw_options_text, .form = FORM_TEXT },
	{ "uid", NULL, NULL, raw_uid },
	{ "user", NULL, NULL, raw_user },
	{ NULL, NULL, "USER", raw_user_text, .form = FORM_TEXT },
	{ "inode", NULL, "INODE", raw_inode, .when = FIELD_DETAILS_TEXT },
	{ NULL, NULL, "STATE", raw_state_text, .form = FORM_TEXT },
	{ "processes", NULL, NULL, raw_processes },
	{ NULL, NULL, "PROCESS", raw_processes_text, .form = FORM_TEXT },
	{ NULL },
};

static json_t *dgram_receives(const void *object)
{
	return families_json(raw(object)->dgram.receives);
}

static json_t *port_json(uint16_t port)
{
	return port ? json_integer(port) : json_null();
}

static json_t *dgram_local_port(const void *object)
{
	return port_json(raw(object)->dgram.local_port);
}

static json_t *dgram_peer_port(const void *object)
{
	return port_json(raw(object)->dgram.peer_port);
}

static json_t *dgram_exclusive(const void *object)
{
	return json_boolean(raw(object)->dgram.exclusive);
}

static json_t *dgram_reuseaddr(const void *object)
{
	return json_boolean(raw(object)->dgram.reuseaddr);
}

static json_t *dgram_reuseport(const void *object)
{
	return json_boolean(raw(object)->dgram.reuseport);
}

static json_t *dgram_v6only(const void *object)
{
	if (raw(object)->family == AF_INET)
		return NULL;
	return json_boolean(raw(object)->dgram.v6only);
}

/* An IPv6 address that a socket is bound to says that already. */
static bool says_v6only(const struct raw_socket *entry)
{
	static const uint8_t any[sizeof(entry->local)];

	return entry->family == AF_INET6 && entry->dgram.v6only &&
	       !memcmp(entry->local, any, sizeof(any));
}

static json_t *dgram_options_text(const void *object)
{
	const struct raw_socket *entry = raw(object);
	char *text = xstrdup("");
	json_t *value;

	if (entry->dgram.exclusive)
		text = join(text, xstrdup("exclusive"));
	if (entry->dgram.reuseaddr)
		text = join(text, xstrdup("reuseaddr"));
	if (entry->dgram.reuseport)
		text = join(text, xstrdup("reuseport"));
	if (says_v6only(entry))
		text = join(text, xstrdup("v6only"));
	text = join(text, socket_filter_text(&entry->filter));
	value = json_string(*text ? text : "-");
	free(text);
	return value;
}

static json_t *dgram_state_text(const void *object)
{
	if (!raw(object)->dgram.receives)
		return json_string("not bound: gets nothing");
	if (raw(object)->unread == UNREAD_NO && raw(object)->filter.refuses_all)
		return json_string("its filter refuses all");
	return raw_state_text(object);
}

const struct field dgram_fields[] = {
	{ "netns", NULL, "NETNS", raw_netns, .form = FORM_TEXT,
	  .when = FIELD_NETNS },
	{ "proto", NULL, "PROTO", raw_protocol, .colour = COLOUR_NUMBER },
	{ "family", NULL, "FAMILY", raw_family },
	{ "receives", NULL, "RECEIVES", dgram_receives, .form = FORM_FAMILIES },
	{ "local", NULL, "LOCAL", raw_local },
	{ "local_port", NULL, "PORT", dgram_local_port },
	{ "peer", NULL, "PEER", raw_peer },
	{ "peer_port", NULL, "PEER-PORT", dgram_peer_port },
	{ "dev", NULL, NULL, raw_device },
	{ NULL, NULL, "DEV", raw_device_text, .form = FORM_TEXT },
	{ "vrf", NULL, NULL, raw_vrf },
	{ "exclusive", NULL, NULL, dgram_exclusive },
	{ "reuseaddr", NULL, NULL, dgram_reuseaddr },
	{ "reuseport", NULL, NULL, dgram_reuseport },
	{ "v6only", NULL, NULL, dgram_v6only },
	{ "filter_length", NULL, NULL, raw_filter },
	{ "filter_kind", NULL, NULL, raw_filter_kind },
	{ "filter_refuses_all", NULL, NULL, raw_refuses_all },
	{ "receive_queue", NULL, "RECV-Q", raw_queue },
	{ "receive_limit", NULL, "LIMIT", raw_limit },
	{ "drops", NULL, "DROPS", raw_drops },
	{ "unread", NULL, NULL, raw_unread },
	{ NULL, NULL, "OPTIONS", dgram_options_text, .form = FORM_TEXT },
	{ "uid", NULL, NULL, raw_uid },
	{ "user", NULL, NULL, raw_user },
	{ NULL, NULL, "USER", raw_user_text, .form = FORM_TEXT },
	{ "inode", NULL, "INODE", raw_inode, .when = FIELD_DETAILS_TEXT },
	{ NULL, NULL, "STATE", dgram_state_text, .form = FORM_TEXT },
	{ "processes", NULL, NULL, raw_processes },
	{ NULL, NULL, "PROCESS", raw_processes_text, .form = FORM_TEXT },
	{ NULL },
};
