// SPDX-License-Identifier: GPL-2.0
/* What raw sockets and packet sockets have in common, and the role of one. */
#include "describe_socket.h"
#include "error.h"

#include <pwd.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Many sockets in a row are the same user's, and a look-up may be slow. */
json_t *socket_user(uint32_t uid)
{
	static struct {
		bool valid;
		uint32_t uid;
		char *name;
	} last;
	const struct passwd *user;

	if (!last.valid || last.uid != uid) {
		user = getpwuid(uid);
		free(last.name);
		last.name = user ? xstrdup(user->pw_name) : NULL;
		last.uid = uid;
		last.valid = true;
	}
	return output_string(last.name);
}

json_t *socket_user_text(uint32_t uid)
{
	json_t *name = socket_user(uid);

	if (!json_is_null(name))
		return name;
	json_decref(name);
	return json_integer(uid);
}

json_t *socket_netns(const struct netns *netns)
{
	return output_string(netns->name);
}

/* Missing: unknown; null: not bound. */
json_t *socket_device(const struct device *device)
{
	if (!device->known)
		return NULL;
	return output_string(device->index ? device->name : NULL);
}

json_t *socket_device_text(const struct device *device)
{
	json_t *value;
	char *text;

	if (!device->index || !device->vrf)
		return socket_device(device);
	text = xasprintf("%s (VRF)", device->name);
	value = output_string(text);
	free(text);
	return value;
}

json_t *socket_filter_length(const struct socket_filter *filter)
{
	return filter->known ? json_integer(filter->length) : json_null();
}

json_t *socket_filter_kind(const struct socket_filter *filter)
{
	if (!filter->known || !filter->length)
		return json_null();
	return json_string(filter->ebpf ? "ebpf" : "classic");
}

json_t *socket_filter_refuses_all(const struct socket_filter *filter)
{
	return filter->known ? json_boolean(filter->refuses_all) : json_null();
}

char *socket_filter_text(const struct socket_filter *filter)
{
	if (!filter->known || !filter->length)
		return xstrdup(filter->known ? "" : "filter ?");
	return xasprintf("%sfilter %u", filter->ebpf ? "eBPF " : "",
			 filter->length);
}

static json_t *role_netns(const void *object)
{
	const struct role_row *row = object;

	return socket_netns(row->netns);
}

static json_t *role_family(const void *object)
{
	const struct role_row *row = object;

	return json_string(row->mroute->family == AF_INET ? "ipv4" : "ipv6");
}

static json_t *role_table(const void *object)
{
	const struct role_row *row = object;

	return row->socket && row->socket->mroute ?
		       json_integer(row->socket->mroute_table) :
		       json_null();
}

static json_t *role_certain(const void *object)
{
	const struct role_row *row = object;

	return json_boolean(row->mroute->held == MROUTE_CERTAIN);
}

/* How the holder is known. */
static json_t *role_why(const void *object)
{
	const struct role_row *row = object;

	if (!row->socket)
		return json_string("somebody has it, no socket that could be it is to be seen");
	if (row->socket->mroute)
		return json_string("certain: the kernel's table names the socket");
	if (row->mroute->held == MROUTE_CERTAIN)
		return json_string("certain: no other socket could have it");
	return json_string("perhaps: one of several that could have it");
}

static json_t *role_inode(const void *object)
{
	const struct role_row *row = object;

	return row->socket ? json_integer(row->socket->owners.inode) :
			     json_null();
}

static json_t *role_processes(const void *object)
{
	const struct role_row *row = object;

	return row->socket ? owners_json(&row->socket->owners) : json_null();
}

static json_t *role_processes_text(const void *object)
{
	const struct role_row *row = object;

	return row->socket ? owners_text(&row->socket->owners) :
			     json_string("unknown");
}

const struct field role_fields[] = {
	{ "netns", NULL, "NETNS", role_netns, .form = FORM_TEXT,
	  .when = FIELD_NETNS },
	{ "family", NULL, "FAMILY", role_family },
	{ "table", NULL, "TABLE", role_table },
	{ "inode", NULL, "INODE", role_inode, .when = FIELD_DETAILS_TEXT },
	{ "certain", NULL, NULL, role_certain },
	{ "processes", NULL, NULL, role_processes },
	{ NULL, NULL, "HELD BY", role_processes_text, .form = FORM_TEXT },
	{ "why", NULL, "HOW SURE", role_why, .form = FORM_TEXT },
	{ NULL },
};
