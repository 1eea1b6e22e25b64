// SPDX-License-Identifier: GPL-2.0
#include "describe_socket.h"
#include "error.h"
#include "inventory.h"
#include "names.h"
#include "subcommands.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char show_usage[] =
	"Usage: kraw [-n NETNS | -all-netns] show [proto P]\n"
	"Who receives what: each protocol number that is managed, has a handler in the\n"
	"kernel, a raw socket or a datagram socket; then these sockets with their\n"
	"processes, who does multicast routing, and the packet sockets that see it too.\n"
	"Works without kraw.ko and without root, showing less. With -d: more columns.\n";

/* One protocol number in one network namespace. */
struct row {
	const struct place *place;
	int number; /* -1: what is no protocol's */
	const struct proto *proto; /* NULL: not managed */
	const struct handler *handler; /* two */
	const struct raw_socket *socket; /* the first of them */
	size_t sockets;
	const struct raw_socket *dgram; /* the same of datagram sockets */
	size_t dgrams;
};

static json_t *row_netns(const void *object)
{
	const struct row *row = object;

	return output_string(row->place->netns->name);
}

static json_t *row_number(const void *object)
{
	const struct row *row = object;

	return row->number < 0 ? json_null() : json_integer(row->number);
}

static json_t *row_name(const void *object)
{
	const struct row *row = object;

	return row->number < 0 ? NULL :
				 output_string(protocol_name(row->number));
}

/* Whether it is managed nobody can say without the module. */
static json_t *row_managed(const void *object)
{
	const struct row *row = object;

	if (row->number < 0)
		return NULL;
	return row->place->module ? json_boolean(row->proto) : json_null();
}

/* The field of the protocol's own description, null where it has none. */
static json_t *of_proto(const struct row *row, const char *key)
{
	const struct field *field = proto_fields;

	if (row->number < 0)
		return NULL;
	if (!row->proto)
		return json_null();
	while (!field->key || strcmp(field->key, key))
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

	if (row->number < 0)
		return NULL;
	if (!row->place->module)
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
	if (!row->place->module)
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

static json_t *row_dgram_count(const void *object)
{
	const struct row *row = object;

	return row->place->dgrams ? json_integer(row->dgrams) : json_null();
}

static json_t *socket_list(const struct row *row,
			   const struct raw_socket *first, size_t count,
			   const struct field *fields)
{
	struct raw_row one = { .netns = row->place->netns };
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < count; i++) {
		one.socket = &first[i];
		json_array_append_new(list, output_json(fields, &one));
	}
	return list;
}

static json_t *row_sockets(const void *object)
{
	const struct row *row = object;

	if (row->number < 0)
		return NULL;
	return socket_list(row, row->socket, row->sockets, raw_fields);
}

static json_t *row_dgrams(const void *object)
{
	const struct row *row = object;

	if (row->number < 0)
		return NULL;
	if (!row->place->dgrams)
		return json_null();
	return socket_list(row, row->dgram, row->dgrams, dgram_fields);
}

/* Whether the multicast routing role of that family is about this number. */
static bool role_concerns(uint8_t family, int number)
{
	switch (number) {
	case IPPROTO_IGMP:
		return family == AF_INET;
	case IPPROTO_ICMPV6:
		return family == AF_INET6;
	default:
		return number < 0 || number == IPPROTO_PIM;
	}
}

/* Calls it for each socket that has the role, or may have it. */
static void each_role(const struct place *place, int number,
		      void (*seen)(void *data, const struct role_row *role),
		      void *data)
{
	struct role_row role = { .netns = place->netns };
	size_t i, j;

	for (i = 0; i < 2; i++) {
		role.mroute = &place->mroute[i];
		role.socket = NULL;
		if (role.mroute->held < MROUTE_LIKELY ||
		    !role_concerns(role.mroute->family, number))
			continue;
		for (j = 0; j < role.mroute->count; j++) {
			role.socket = role.mroute->socket[j];
			seen(data, &role);
		}
		if (!role.mroute->count)
			seen(data, &role);
	}
}

static void append_role(void *list, const struct role_row *role)
{
	json_array_append_new(list, output_json(role_fields, role));
}

/* Left out where there is no such role; null: unknown. */
static json_t *row_roles(const void *object)
{
	const struct row *row = object;
	bool unknown = false, concerned = false;
	json_t *list;
	size_t i;

	for (i = 0; row->number >= 0 && i < 2; i++) {
		const struct mroute *mroute = &row->place->mroute[i];

		if (!role_concerns(mroute->family, row->number))
			continue;
		concerned = true;
		unknown |= mroute->held == MROUTE_UNKNOWN;
	}
	if (!concerned)
		return NULL;
	if (unknown)
		return json_null();
	list = json_array();
	each_role(row->place, row->number, append_role, list);
	return list;
}

static json_t *row_packet_sockets(const void *object)
{
	const struct row *row = object;
	const struct packet_sockets *packets = &row->place->packets;
	struct packet_row one = { .netns = row->place->netns };
	json_t *list;
	size_t i;

	if (row->number >= 0)
		return NULL;
	list = json_array();
	for (i = 0; i < packets->count; i++) {
		one.socket = &packets->entry[i];
		json_array_append_new(list, output_json(packet_fields, &one));
	}
	return list;
}

static const struct field row_fields[] = {
	{ "netns", NULL, "NETNS", row_netns, .form = FORM_TEXT,
	  .when = FIELD_NETNS },
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
	{ NULL, NULL, "DATAGRAM", row_dgram_count },
	{ "datagram_sockets", NULL, NULL, row_dgrams },
	{ "multicast_routing", NULL, NULL, row_roles },
	{ "packet_sockets", NULL, NULL, row_packet_sockets },
	{ NULL },
};

/* The sockets of one number, which are in a row. */
static const struct raw_socket *find_sockets(const struct raw_sockets *sockets,
					     int number, size_t *count)
{
	const struct raw_socket *first = NULL;
	size_t i;

	*count = 0;
	for (i = 0; i < sockets->count; i++) {
		if (sockets->entry[i].protocol != number)
			continue;
		if (!first)
			first = &sockets->entry[i];
		(*count)++;
	}
	return first;
}

/* Picks out one number; tells whether there is anything to say about it. */
static bool pick(const struct place *place, int number, struct row *row)
{
	size_t i;

	memset(row, 0, sizeof(*row));
	row->place = place;
	row->number = number;
	row->handler = place->handlers[number];
	for (i = 0; i < place->protos.count; i++)
		if (place->protos.entry[i].number == number)
			row->proto = &place->protos.entry[i];
	row->socket = find_sockets(&place->raw, number, &row->sockets);
	row->dgram = find_sockets(&place->dgram, number, &row->dgrams);
	return row->proto || row->handler[0].symbol || row->handler[1].symbol ||
	       row->sockets || row->dgrams;
}

/* The rows of one namespace; of a number that was asked for also an empty one. */
static void add_rows(struct output *output, const struct place *place,
		     int number)
{
	struct row row;
	int i;

	for (i = 0; i < 256; i++)
		if ((pick(place, i, &row) && number < 0) || i == number)
			output_add(output, &row);
	/* In JSON the packet sockets have an object of their own. */
	if (options.json && place->packets.count) {
		row = (struct row){ .place = place, .number = -1 };
		output_add(output, &row);
	}
}

/* Calls it for each namespace that could be looked at. */
static void each_place(const struct inventory *inventory,
		       void (*add)(struct output *output,
				   const struct place *place, int number),
		       struct output *output, int number)
{
	size_t i;

	for (i = 0; i < inventory->list.count; i++)
		if (inventory->place[i].entered)
			add(output, &inventory->place[i], number);
}

static void add_sockets(struct output *output, const struct place *place,
			const struct raw_sockets *sockets, int number)
{
	struct raw_row row = { .netns = place->netns };
	size_t i;

	for (i = 0; i < sockets->count; i++) {
		row.socket = &sockets->entry[i];
		if (number < 0 || row.socket->protocol == number)
			output_add(output, &row);
	}
}

static void add_raw(struct output *output, const struct place *place,
		    int number)
{
	add_sockets(output, place, &place->raw, number);
}

static void add_dgrams(struct output *output, const struct place *place,
		       int number)
{
	add_sockets(output, place, &place->dgram, number);
}

static void add_role(void *output, const struct role_row *role)
{
	output_add(output, role);
}

static void add_roles(struct output *output, const struct place *place,
		      int number)
{
	each_role(place, number, add_role, output);
}

static void add_packets(struct output *output, const struct place *place,
			int number)
{
	struct packet_row row = { .netns = place->netns };
	size_t i;

	(void)number; /* they see all of them */
	for (i = 0; i < place->packets.count; i++) {
		row.socket = &place->packets.entry[i];
		output_add(output, &row);
	}
}

static int print_table(const struct inventory *inventory, int number,
		       const char *title, const struct field *fields,
		       void (*add)(struct output *output,
				   const struct place *place, int number))
{
	struct output *output = output_begin_titled(fields, title);

	each_place(inventory, add, output, number);
	return output_end(output, 0);
}

static int print(const struct inventory *inventory, int number)
{
	struct output *output = output_begin(row_fields, OUTPUT_TABLE);
	int ret;

	each_place(inventory, add_rows, output, number);
	ret = output_end(output, 0);
	if (ret || options.json)
		return ret;
	return print_table(inventory, number, "Raw sockets:", raw_fields, add_raw) ?:
		       print_table(inventory, number, "Datagram sockets of claims:", dgram_fields, add_dgrams) ?:
		       print_table(inventory, number, "Multicast routing:", role_fields, add_roles) ?:
		       print_table(inventory, number,
				   "Packet sockets, which get copies too and silence nothing:",
				   packet_fields, add_packets);
}

int show_main(struct args *args)
{
	struct inventory inventory;
	int number;
	int ret;

	ret = parse_filter(args, &number);
	if (ret)
		return ret;
	ret = inventory_get(&inventory, options.all_netns);
	if (!ret)
		ret = print(&inventory, number);
	inventory_clear(&inventory);
	return ret;
}
