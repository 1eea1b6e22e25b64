// SPDX-License-Identifier: GPL-2.0
#include "config.h"
#include "describe.h"
#include "error.h"
#include "names.h"
#include "sockets.h"
#include "subcommands.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char show_usage[] =
	"Usage: kraw show [proto P]\n"
	"Who receives what: each protocol number that is managed, has a handler in the\n"
	"kernel or a raw socket. Works without kraw.ko and without root, showing less.\n";

/* Everything that is known. */
struct inventory {
	bool module; /* protocols and handlers are known */
	struct proto_list protos;
	struct handler handlers[256][2]; /* no symbol: nobody */
	struct raw_sockets sockets;
};

/* One protocol number of it. */
struct row {
	const struct inventory *all;
	uint8_t number;
	const struct proto *proto; /* NULL: not managed */
	const struct handler *handler; /* two */
	const struct raw_socket *socket; /* the first of them */
	size_t sockets;
};

static json_t *socket_protocol(const void *object)
{
	const struct raw_socket *entry = object;

	return json_integer(entry->protocol);
}

static json_t *socket_family(const void *object)
{
	const struct raw_socket *entry = object;

	return json_string(entry->family == AF_INET ? "ipv4" : "ipv6");
}

static json_t *socket_local(const void *object)
{
	const struct raw_socket *entry = object;

	return address_json(entry->family, entry->local);
}

static json_t *socket_peer(const void *object)
{
	const struct raw_socket *entry = object;

	return address_json(entry->family, entry->peer);
}

static json_t *socket_device(const void *object)
{
	const struct raw_socket *entry = object;
	char name[IFNAMSIZ];

	if (entry->no_device)
		return NULL;
	if (!entry->ifindex)
		return json_null();
	if (!if_indextoname(entry->ifindex, name))
		snprintf(name, sizeof(name), "if%u", entry->ifindex);
	return output_string(name);
}

static json_t *socket_queue(const void *object)
{
	const struct raw_socket *entry = object;

	return json_integer(entry->receive_queue);
}

static json_t *socket_drops(const void *object)
{
	const struct raw_socket *entry = object;

	return json_integer(entry->drops);
}

static json_t *socket_uid(const void *object)
{
	const struct raw_socket *entry = object;

	return json_integer(entry->uid);
}

static json_t *socket_inode(const void *object)
{
	const struct raw_socket *entry = object;

	return json_integer(entry->inode);
}

static json_t *socket_processes(const void *object)
{
	return processes_json(object);
}

static const struct field socket_fields[] = {
	{ "proto", NULL, "PROTO", socket_protocol, .colour = COLOUR_NUMBER },
	{ "family", NULL, "FAMILY", socket_family },
	{ "local", NULL, "LOCAL", socket_local },
	{ "peer", NULL, "PEER", socket_peer },
	{ "dev", NULL, "DEV", socket_device, .form = FORM_TEXT },
	{ "receive_queue", NULL, "RECV-Q", socket_queue },
	{ "drops", NULL, "DROPS", socket_drops },
	{ "uid", NULL, "UID", socket_uid, .when = FIELD_DETAILS_TEXT },
	{ "inode", NULL, "INODE", socket_inode, .when = FIELD_DETAILS_TEXT },
	{ "processes", NULL, "PROCESS", socket_processes,
	  .form = FORM_PROCESSES },
	{ NULL },
};

static json_t *row_number(const void *object)
{
	const struct row *row = object;

	return json_integer(row->number);
}

static json_t *row_name(const void *object)
{
	const struct row *row = object;

	return output_string(protocol_name(row->number));
}

/* Whether it is managed nobody can say without the module. */
static json_t *row_managed(const void *object)
{
	const struct row *row = object;

	return row->all->module ? json_boolean(row->proto) : json_null();
}

/* The field of the protocol's own description, null where it has none. */
static json_t *of_proto(const struct row *row, const char *key)
{
	const struct field *field = proto_fields;

	if (!row->proto)
		return json_null();
	while (strcmp(field->key, key))
		field++;
	return field->get(row->proto);
}

static json_t *row_families(const void *object)
{
	return of_proto(object, "families");
}

static json_t *row_deliver(const void *object)
{
	return of_proto(object, "deliver");
}

static json_t *row_claim(const void *object)
{
	return of_proto(object, "claim");
}

static json_t *row_unreach(const void *object)
{
	return of_proto(object, "unreach");
}

static json_t *row_rules(const void *object)
{
	return of_proto(object, "rules");
}

static json_t *row_handlers(const void *object)
{
	const struct row *row = object;
	unsigned int i;
	json_t *list;

	if (!row->all->module)
		return json_null();
	list = json_array();
	for (i = 0; i < 2; i++)
		if (row->handler[i].symbol)
			json_array_append_new(list,
					      output_json(handler_fields,
							  &row->handler[i]));
	return list;
}

static json_t *row_handler(const struct row *row, unsigned int family)
{
	if (!row->all->module)
		return json_string("unknown");
	return handler_text(&row->handler[family]);
}

static json_t *row_handler_ipv4(const void *object)
{
	return row_handler(object, 0);
}

static json_t *row_handler_ipv6(const void *object)
{
	return row_handler(object, 1);
}

static json_t *row_count(const void *object)
{
	const struct row *row = object;

	return json_integer(row->sockets);
}

static json_t *row_sockets(const void *object)
{
	const struct row *row = object;
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < row->sockets; i++)
		json_array_append_new(list, output_json(socket_fields,
							&row->socket[i]));
	return list;
}

static const struct field row_fields[] = {
	{ "proto", NULL, "PROTO", row_number, .colour = COLOUR_NUMBER },
	{ "name", NULL, "NAME", row_name, .form = FORM_TEXT },
	{ "managed", NULL, NULL, row_managed },
	{ "families", NULL, "FAMILY", row_families, .form = FORM_FAMILIES },
	{ "deliver", NULL, "DELIVER", row_deliver, .colour = COLOUR_VERDICT },
	{ "claim", NULL, "CLAIM", row_claim },
	{ "unreach", NULL, "UNREACH", row_unreach },
	{ "rules", NULL, "RULES", row_rules },
	{ "handlers", NULL, NULL, row_handlers },
	{ NULL, NULL, "IPV4-HANDLER", row_handler_ipv4, .form = FORM_TEXT },
	{ NULL, NULL, "IPV6-HANDLER", row_handler_ipv6, .form = FORM_TEXT },
	{ NULL, NULL, "SOCKETS", row_count },
	{ "sockets", NULL, NULL, row_sockets },
	{ NULL },
};

static int add_handler(const struct nlmsghdr *nlh, void *data)
{
	struct inventory *all = data;
	struct handler handler, *entry;
	int ret;

	ret = handler_get(nlh, &handler);
	if (ret)
		return ret;
	entry = &all->handlers[handler.number]
			      [handler.family == KRAW_FAMILY_IPV6];
	handler_clear(entry);
	*entry = handler;
	if (!entry->symbol)
		entry->symbol = xstrdup("?");
	return 0;
}

/* What only the module knows; not having it is no error. */
static int ask_module(struct inventory *all)
{
	struct nl_msg msg;
	int error;

	error = nl_try_open();
	if (error == ENOENT) {
		note("kraw.ko is not loaded: kernel handlers and managed protocols are unknown, load it with 'modprobe kraw' or 'insmod kraw.ko'");
		return 0;
	}
	if (error) {
		note("kernel handlers and managed protocols are unknown: netlink: %s",
		     strerror(error));
		return 0;
	}
	all->module = true;
	nl_begin(&msg, KRAW_CMD_HANDLER_GET, 0);
	return nl_dump(&msg, add_handler, all, "show") ?:
		       proto_list_get(&all->protos);
}

static int take_inventory(struct inventory *all, int number)
{
	size_t unknown = 0, i;
	int ret;

	ret = ask_module(all) ?: raw_sockets_get(&all->sockets, number);
	if (ret)
		return ret;
	if (all->sockets.no_diag && all->sockets.count)
		note("the devices that raw sockets are bound to are unknown: the kernel has no raw_diag, try 'modprobe raw_diag'");
	for (i = 0; i < all->sockets.count; i++)
		unknown += all->sockets.entry[i].hidden;
	if (unknown)
		note("raw sockets whose owner is unknown: %zu; it needs root to look into the processes of others",
		     unknown);
	return 0;
}

static void forget_inventory(struct inventory *all)
{
	unsigned int i;

	for (i = 0; i < 256; i++) {
		handler_clear(&all->handlers[i][0]);
		handler_clear(&all->handlers[i][1]);
	}
	proto_list_clear(&all->protos);
	raw_sockets_clear(&all->sockets);
}

/* Picks out one number; tells whether there is anything to say about it. */
static bool pick(const struct inventory *all, uint8_t number, struct row *row)
{
	size_t i;

	memset(row, 0, sizeof(*row));
	row->all = all;
	row->number = number;
	row->handler = all->handlers[number];
	for (i = 0; i < all->protos.count; i++)
		if (all->protos.entry[i].number == number)
			row->proto = &all->protos.entry[i];
	for (i = 0; i < all->sockets.count; i++) {
		if (all->sockets.entry[i].protocol != number)
			continue;
		if (!row->socket)
			row->socket = &all->sockets.entry[i];
		row->sockets++;
	}
	return row->proto || row->handler[0].symbol || row->handler[1].symbol ||
	       row->sockets;
}

static void print_sockets(const struct raw_sockets *sockets)
{
	struct output *output;
	size_t i;

	if (!sockets->count)
		return;
	puts("\nRaw sockets:");

	output = output_begin(socket_fields, OUTPUT_TABLE);
	for (i = 0; i < sockets->count; i++)
		output_add(output, &sockets->entry[i]);
	output_end(output, 0);
}

int show_main(struct args *args)
{
	struct inventory all = { 0 };
	struct output *output;
	struct row row;
	int number, i;
	int ret;

	ret = parse_filter(args, &number);
	if (ret)
		return ret;
	ret = take_inventory(&all, number);
	output = output_begin(row_fields, OUTPUT_TABLE);
	/* A number that was asked for is answered, also with nothing. */
	for (i = 0; i < 256; i++)
		if ((pick(&all, i, &row) && number < 0) || i == number)
			output_add(output, &row);
	ret = output_end(output, ret);
	if (!ret && !options.json) {
		print_sockets(&all.sockets);
		ret = output_flush();
	}
	forget_inventory(&all);
	return ret;
}
