// SPDX-License-Identifier: GPL-2.0
/*
 * The inventory is made in three steps: the sockets of each namespace, the
 * processes that hold them in one walk through /proc, and a second look at the
 * sockets, because some are gone by then and some queues have grown.
 */
#include "inventory.h"
#include "error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* What is missing somewhere, to be told once. */
struct missing {
	int module; /* an errno */
	int details;
	int dgrams;
	bool raw_diag, packet_diag;
	int packets;
	size_t not_entered;
	int not_entered_error;
	enum owners_blind blind;
	size_t unowned;
	bool roles;
};

static int add_handler(const struct nlmsghdr *nlh, void *data)
{
	struct place *place = data;
	struct handler handler, *entry;
	int ret;

	ret = handler_get(nlh, &handler);
	if (ret)
		return ret;
	entry = &place->handlers[handler.number]
				[handler.family == KRAW_FAMILY_IPV6];
	handler_clear(entry);
	*entry = handler;
	if (!entry->symbol)
		entry->symbol = xstrdup("?");
	return 0;
}

/* What only the module knows; not having it is no error. */
static int ask_module(struct place *place, struct missing *missing)
{
	struct nl_msg msg;
	int error, ret;

	error = nl_try_open();
	if (error) {
		missing->module = error;
		return 0;
	}
	place->module = true;
	nl_begin(&msg, KRAW_CMD_HANDLER_GET, 0);
	ret = nl_dump(&msg, add_handler, place, "show") ?:
		      proto_list_get(&place->protos);
	if (ret)
		return ret;
	error = socket_details_get(&place->raw, &place->packets);
	place->details = !error;
	if (error)
		missing->details = error;
	error = dgram_sockets_get(&place->dgram);
	place->dgrams = !error;
	if (error)
		missing->dgrams = error;
	return 0;
}

static int look(struct place *place, struct missing *missing)
{
	int error;

	place->entered = true;
	error = raw_sockets_get(&place->raw, -1);
	if (error)
		return refused("cannot read the raw sockets: neither sock_diag nor /proc/net/raw works here: %s",
			       strerror(error));
	missing->raw_diag |= place->raw.no_diag && place->raw.count;
	error = packet_sockets_get(&place->packets);
	if (error)
		missing->packets = error;
	missing->packet_diag |= place->packets.no_diag && place->packets.count;
	return ask_module(place, missing);
}

static void find_owners(struct inventory *inventory)
{
	struct owners **sockets = NULL;
	size_t count = 0, i, j;

	for (i = 0; i < inventory->list.count; i++)
		count += inventory->place[i].raw.count +
			 inventory->place[i].dgram.count +
			 inventory->place[i].packets.count;
	sockets = xalloc((count + 1) * sizeof(*sockets));
	count = 0;
	for (i = 0; i < inventory->list.count; i++) {
		struct place *place = &inventory->place[i];

		for (j = 0; j < place->raw.count; j++)
			sockets[count++] = &place->raw.entry[j].owners;
		for (j = 0; j < place->dgram.count; j++)
			sockets[count++] = &place->dgram.entry[j].owners;
		for (j = 0; j < place->packets.count; j++)
			sockets[count++] = &place->packets.entry[j].owners;
	}
	owners_find(sockets, count);
	free(sockets);
}

/* A socket that has nobody and is not there any more was closed meanwhile. */
static void forget_gone(struct raw_sockets *raw)
{
	size_t from, to = 0;

	for (from = 0; from < raw->count; from++)
		if (raw->entry[from].owners.count || !raw->entry[from].gone)
			raw->entry[to++] = raw->entry[from];
	raw->count = to;
}

static void note_owners(const struct owners *owners, struct missing *missing)
{
	if (owners->count || owners->blind == OWNERS_ALL_SEEN)
		return;
	missing->blind = owners->blind;
	missing->unowned++;
}

static void look_again(struct place *place, struct missing *missing)
{
	size_t i;

	raw_sockets_watch(&place->raw);
	forget_gone(&place->raw);
	if (place->dgrams) {
		raw_sockets_watch(&place->dgram);
		forget_gone(&place->dgram);
	}
	packet_sockets_check(&place->packets);
	for (i = 0; i < 2; i++) {
		mroute_get(&place->mroute[i], i ? AF_INET6 : AF_INET,
			   &place->raw, place->details);
		missing->roles |= place->mroute[i].held == MROUTE_UNKNOWN;
	}
	for (i = 0; i < place->raw.count; i++)
		note_owners(&place->raw.entry[i].owners, missing);
	for (i = 0; i < place->dgram.count; i++)
		note_owners(&place->dgram.entry[i].owners, missing);
	for (i = 0; i < place->packets.count; i++)
		note_owners(&place->packets.entry[i].owners, missing);
}

static void tell_module(const struct missing *missing)
{
	static const char *const what =
		"kernel handlers, managed protocols, datagram sockets and filters of raw sockets are unknown";

	if (missing->module == ENOENT)
		note("kraw.ko is not loaded: %s, load it with 'modprobe kraw' or 'insmod kraw.ko'",
		     what);
	else if (missing->module)
		note("%s: netlink: %s", what, strerror(missing->module));
	else if (missing->details == EPERM)
		note("filters of raw sockets are unknown: it needs CAP_NET_ADMIN in this network namespace");
	else if (missing->details == EOPNOTSUPP)
		note("filters of raw sockets are unknown: the kraw.ko that is loaded is older than this tool");
	else if (missing->details)
		note("filters of raw sockets are unknown: %s",
		     strerror(missing->details));
	if (missing->dgrams == EOPNOTSUPP)
		note("datagram sockets of claims are unknown: the kraw.ko that is loaded is older than this tool");
	else if (missing->dgrams)
		note("datagram sockets of claims are unknown: %s",
		     strerror(missing->dgrams));
}

static void tell(const struct missing *missing, const struct netns_list *list)
{
	tell_module(missing);
	if (missing->raw_diag)
		note("devices, limits and IP_HDRINCL of raw sockets are unknown: the kernel has no raw_diag, try 'modprobe raw_diag'");
	if (missing->packets)
		note("packet sockets are unknown: neither sock_diag nor /proc/net/packet works here: %s",
		     strerror(missing->packets));
	if (missing->packet_diag)
		note("filters and queues of packet sockets are unknown: the kernel has no packet_diag, try 'modprobe af_packet_diag'");
	if (missing->roles)
		note("who does multicast routing is unknown: there is neither kraw.ko nor /proc/sys to ask");
	if (missing->unowned)
		note("sockets whose owner is unknown: %zu; %s",
		     missing->unowned, owners_advice(missing->blind));
	if (list->home >= 0 && list->hidden)
		note("network namespaces of some processes are unknown: it needs root on the host to look at them");
	if (missing->not_entered)
		note("network namespaces that cannot be entered: %zu: %s%s",
		     missing->not_entered, strerror(missing->not_entered_error),
		     missing->not_entered_error == EPERM ?
			     ": it needs CAP_SYS_ADMIN" :
			     "");
}

/* Calls it in each of the namespaces, and returns to ours. */
static int everywhere(struct inventory *inventory,
		      int (*visit)(struct place *place,
				   struct missing *missing),
		      struct missing *missing)
{
	int ret = 0, error;
	size_t i;

	for (i = 0; !ret && i < inventory->list.count; i++) {
		error = i ? netns_switch(&inventory->list, i) : 0;
		if (error == ENOENT)
			continue; /* its process is gone */
		if (error) {
			missing->not_entered++;
			missing->not_entered_error = error;
			continue;
		}
		/* A connection speaks of the namespace that it was made in. */
		if (inventory->list.count > 1)
			nl_close();
		ret = visit(&inventory->place[i], missing);
	}
	if (inventory->list.count > 1) {
		nl_close();
		error = netns_switch(&inventory->list, 0);
		if (error && !ret)
			ret = refused("cannot return to this network namespace: %s",
				      strerror(error));
	}
	return ret;
}

static int visit_again(struct place *place, struct missing *missing)
{
	if (place->entered)
		look_again(place, missing);
	return 0;
}

int inventory_get(struct inventory *inventory, bool all)
{
	struct missing missing = { 0 };
	size_t i, size;
	int ret;

	memset(inventory, 0, sizeof(*inventory));
	netns_list_get(&inventory->list, all);
	size = inventory->list.count * sizeof(*inventory->place);
	inventory->place = memset(xalloc(size), 0, size);
	for (i = 0; i < inventory->list.count; i++)
		inventory->place[i].netns = &inventory->list.entry[i];

	ret = everywhere(inventory, look, &missing);
	if (ret)
		return ret;
	find_owners(inventory);
	missing.not_entered = 0;
	ret = everywhere(inventory, visit_again, &missing);
	if (!ret)
		tell(&missing, &inventory->list);
	return ret;
}

static void place_clear(struct place *place)
{
	unsigned int i;

	for (i = 0; i < 256; i++) {
		handler_clear(&place->handlers[i][0]);
		handler_clear(&place->handlers[i][1]);
	}
	proto_list_clear(&place->protos);
	for (i = 0; i < 2; i++)
		mroute_clear(&place->mroute[i]);
	raw_sockets_clear(&place->raw);
	raw_sockets_clear(&place->dgram);
	packet_sockets_clear(&place->packets);
}

void inventory_clear(struct inventory *inventory)
{
	size_t i;

	for (i = 0; inventory->place && i < inventory->list.count; i++)
		place_clear(&inventory->place[i]);
	free(inventory->place);
	inventory->place = NULL;
	netns_list_clear(&inventory->list);
}
