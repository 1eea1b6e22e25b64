// SPDX-License-Identifier: GPL-2.0
/* What kraw.ko knows of sockets and the kernel's sock_diag does not tell. */
#include "config.h"
#include "error.h"
#include "netlink.h"
#include "sockets.h"

#include <linux/kraw.h>
#include <stdlib.h>
#include <string.h>

struct lists {
	struct raw_socket **raw; /* by inode */
	size_t raws;
	struct packet_socket **packet; /* by inode */
	size_t packets;
};

static int by_inode_raw(const void *a, const void *b)
{
	const struct raw_socket *one = *(struct raw_socket *const *)a;
	const struct raw_socket *other = *(struct raw_socket *const *)b;

	return (one->owners.inode > other->owners.inode) -
	       (one->owners.inode < other->owners.inode);
}

static int by_inode_packet(const void *a, const void *b)
{
	const struct packet_socket *one = *(struct packet_socket *const *)a;
	const struct packet_socket *other = *(struct packet_socket *const *)b;

	return (one->owners.inode > other->owners.inode) -
	       (one->owners.inode < other->owners.inode);
}

static struct raw_socket *find_raw(const struct lists *lists, uint64_t inode)
{
	struct raw_socket key = { .owners.inode = inode }, *wanted = &key;
	struct raw_socket **found = NULL;

	if (lists->raws)
		found = bsearch(&wanted, lists->raw, lists->raws,
				sizeof(wanted), by_inode_raw);
	return found ? *found : NULL;
}

static struct packet_socket *find_packet(const struct lists *lists,
					 uint64_t inode)
{
	struct packet_socket key = { .owners.inode = inode }, *wanted = &key;
	struct packet_socket **found = NULL;

	if (lists->packets)
		found = bsearch(&wanted, lists->packet, lists->packets,
				sizeof(wanted), by_inode_packet);
	return found ? *found : NULL;
}

static void read_filter(const struct nlattr **nest, uint32_t flags,
			struct socket_filter *filter)
{
	filter->known = true;
	filter->length = 0;
	get_u32(nest[KRAW_SOCKET_A_FILTER], &filter->length);
	filter->ebpf = flags & KRAW_SOCKET_EBPF;
	filter->refuses_all = flags & KRAW_SOCKET_REFUSES_ALL;
}

static void read_raw(const struct nlattr **nest, uint32_t flags,
		     struct raw_socket *entry)
{
	const struct nlattr *icmp = nest[KRAW_SOCKET_A_ICMP_FILTER];
	uint16_t len;

	entry->hdrincl = flags & KRAW_SOCKET_HDRINCL;
	entry->hdrincl_known = true;
	read_filter(nest, flags, &entry->filter);
	entry->icmp_filter_known = true;
	if (icmp) {
		len = mnl_attr_get_payload_len(icmp);
		if (len > sizeof(entry->icmp_filter))
			len = sizeof(entry->icmp_filter);
		memcpy(entry->icmp_filter, mnl_attr_get_payload(icmp), len);
	}
	entry->mroute = get_u32(nest[KRAW_SOCKET_A_MROUTE],
				&entry->mroute_table);
}

static int read_socket(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *nest[KRAW_SOCKET_A_MAX + 1];
	const struct nlattr *attrs[KRAW_A_MAX + 1];
	uint32_t inode = 0, flags = 0;
	struct packet_socket *packet;
	struct raw_socket *raw;
	int ret;

	ret = nl_attrs(nlh, attrs, KRAW_A_MAX);
	if (ret)
		return ret;
	if (!attrs[KRAW_A_SOCKET])
		return refused("the kernel's answer has no socket in it");
	nl_nest(attrs[KRAW_A_SOCKET], nest, KRAW_SOCKET_A_MAX);
	get_u32(nest[KRAW_SOCKET_A_INODE], &inode);
	get_u32(nest[KRAW_SOCKET_A_FLAGS], &flags);
	raw = find_raw(data, inode);
	if (raw)
		read_raw(nest, flags, raw);
	packet = find_packet(data, inode);
	if (packet)
		read_filter(nest, flags, &packet->filter);
	return 0;
}

int socket_details_get(struct raw_sockets *raw, struct packet_sockets *packets)
{
	struct lists lists = { .raws = raw->count, .packets = packets->count };
	struct nl_refusal refusal;
	struct nl_msg msg;
	int error;
	size_t i;

	lists.raw = xalloc((raw->count + 1) * sizeof(*lists.raw));
	for (i = 0; i < raw->count; i++)
		lists.raw[i] = &raw->entry[i];
	qsort(lists.raw, lists.raws, sizeof(*lists.raw), by_inode_raw);
	lists.packet = xalloc((packets->count + 1) * sizeof(*lists.packet));
	for (i = 0; i < packets->count; i++)
		lists.packet[i] = &packets->entry[i];
	qsort(lists.packet, lists.packets, sizeof(*lists.packet),
	      by_inode_packet);

	nl_begin(&msg, KRAW_CMD_SOCKET_GET, 0);
	error = nl_try_dump(&msg, read_socket, &lists, "show", &refusal);
	if (!error)
		error = refusal.error;
	nl_refusal_clear(&refusal);
	free(lists.raw);
	free(lists.packet);
	return error;
}
