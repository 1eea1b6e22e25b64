// SPDX-License-Identifier: GPL-2.0
/* What happens to datagram sockets: from the message to a line or JSON. */
#include "event.h"
#include "config.h"
#include "describe.h"
#include "error.h"
#include "names.h"
#include "netlink.h"

#include <linux/genetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void get_address(const struct nlattr *attr, uint8_t *address)
{
	uint16_t len = attr ? mnl_attr_get_payload_len(attr) : 0;

	if (len == 4 || len == 16)
		memcpy(address, mnl_attr_get_payload(attr), len);
}

int event_get(const struct nlmsghdr *nlh, struct event *event)
{
	const struct nlattr *nest[KRAW_EVENT_A_MAX + 1];
	const struct nlattr *attrs[KRAW_A_MAX + 1];
	unsigned int i;
	int ret;

	memset(event, 0, sizeof(*event));
	ret = nl_attrs(nlh, attrs, KRAW_A_MAX);
	if (ret)
		return ret;
	if (!attrs[KRAW_A_EVENT])
		return refused("the kernel's message has nothing in it");
	nl_nest(attrs[KRAW_A_EVENT], nest, KRAW_EVENT_A_MAX);
	for (i = 1; i <= KRAW_EVENT_A_MAX; i++)
		if (nest[i])
			event->set |= BIT(i);
	get_u8(nest[KRAW_EVENT_A_KIND], &event->kind);
	get_u8(nest[KRAW_EVENT_A_PROTO], &event->proto);
	get_u8(nest[KRAW_EVENT_A_CLAIM], &event->claim);
	get_u8(nest[KRAW_EVENT_A_FAMILY], &event->family);
	get_u32(nest[KRAW_EVENT_A_INODE], &event->inode);
	get_u32(nest[KRAW_EVENT_A_UID], &event->uid);
	get_address(nest[KRAW_EVENT_A_LOCAL], event->local);
	get_address(nest[KRAW_EVENT_A_PEER], event->peer);
	get_u16(nest[KRAW_EVENT_A_LOCAL_PORT], &event->local_port);
	get_u16(nest[KRAW_EVENT_A_PEER_PORT], &event->peer_port);
	get_u32(nest[KRAW_EVENT_A_IFINDEX], &event->ifindex);
	process_get(nlh, &event->process);
	return 0;
}

void event_clear(struct event *event)
{
	process_clear(&event->process);
}

static bool has(const struct event *event, unsigned int attr)
{
	return event->set & BIT(attr);
}

static json_t *event_kind_text(const void *object)
{
	const struct event *event = object;

	return json_string(name_of(&event_names, event->kind));
}

static json_t *event_kind(const void *object)
{
	const struct event *event = object;

	return json_sprintf("socket %s", name_of(&event_names, event->kind));
}

static json_t *event_proto(const void *object)
{
	const struct event *event = object;

	return json_integer(event->proto);
}

static json_t *event_name(const void *object)
{
	const struct event *event = object;

	return output_string(protocol_name(event->proto));
}

static json_t *event_family(const void *object)
{
	const struct event *event = object;

	return json_string(event->family == KRAW_FAMILY_IPV4 ? "ipv4" : "ipv6");
}

static json_t *event_claim(const void *object)
{
	const struct event *event = object;

	return json_string(name_of(&claim_names, event->claim));
}

static json_t *event_inode(const void *object)
{
	const struct event *event = object;

	return json_integer(event->inode);
}

static json_t *event_uid(const void *object)
{
	const struct event *event = object;

	return json_integer(event->uid);
}

static json_t *address(const struct event *event, const uint8_t *bytes)
{
	return address_text(event->family == KRAW_FAMILY_IPV4 ? AF_INET :
								AF_INET6,
			    bytes);
}

static json_t *event_local(const void *object)
{
	const struct event *event = object;

	return has(event, KRAW_EVENT_A_LOCAL) ? address(event, event->local) :
						NULL;
}

static json_t *event_local_port(const void *object)
{
	const struct event *event = object;

	return has(event, KRAW_EVENT_A_LOCAL_PORT) ?
		       json_integer(event->local_port) :
		       NULL;
}

static json_t *event_peer(const void *object)
{
	const struct event *event = object;

	return has(event, KRAW_EVENT_A_PEER) ? address(event, event->peer) :
					       NULL;
}

static json_t *event_peer_port(const void *object)
{
	const struct event *event = object;

	return has(event, KRAW_EVENT_A_PEER_PORT) ?
		       json_integer(event->peer_port) :
		       NULL;
}

static json_t *event_dev(const void *object)
{
	const struct event *event = object;
	char name[IF_NAMESIZE];

	if (!has(event, KRAW_EVENT_A_IFINDEX))
		return NULL;
	if (!if_indextoname(event->ifindex, name))
		return json_sprintf("if%u", event->ifindex);
	return output_string(name);
}

static json_t *event_exclusive(const void *object)
{
	const struct event *event = object;

	return has(event, KRAW_EVENT_A_EXCLUSIVE) ? json_true() : NULL;
}

static json_t *event_by(const void *object)
{
	const struct event *event = object;

	return process_json(&event->process);
}

static json_t *event_by_text(const void *object)
{
	const struct event *event = object;
	char *text = process_text(&event->process);
	json_t *value = text ? output_string(text) : json_string("the kernel");

	free(text);
	return value;
}

const struct field event_fields[] = {
	{ "event", NULL, NULL, event_kind },
	{ NULL, "socket", NULL, event_kind_text },
	{ "proto", "proto", NULL, event_proto, .colour = COLOUR_NUMBER },
	{ "name", NULL, NULL, event_name },
	{ "claim", "claim", NULL, event_claim },
	{ "family", "family", NULL, event_family },
	{ "local", "local", NULL, event_local },
	{ "port", "port", NULL, event_local_port },
	{ "peer", "peer", NULL, event_peer },
	{ "peer_port", "peer_port", NULL, event_peer_port },
	{ "dev", "dev", NULL, event_dev },
	{ "exclusive", "exclusive", NULL, event_exclusive, .form = FORM_FLAG },
	{ "inode", "inode", NULL, event_inode },
	{ "uid", "uid", NULL, event_uid },
	{ "by", NULL, NULL, event_by },
	{ NULL, "by", NULL, event_by_text, .form = FORM_TEXT },
	{ NULL },
};
