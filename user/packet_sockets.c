// SPDX-License-Identifier: GPL-2.0
/*
 * The packet sockets of this network namespace that see IP packets: they get
 * copies of frames below IP, whatever becomes of the packets there.
 */
#include "sockets.h"
#include "diag.h"
#include "error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/packet_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

bool packet_socket_sees(const struct packet_socket *entry, uint8_t family)
{
	return entry->protocol == ETH_P_ALL ||
	       entry->protocol == (family == AF_INET ? ETH_P_IP : ETH_P_IPV6);
}

static bool sees_ip(const struct packet_socket *entry)
{
	return packet_socket_sees(entry, AF_INET) ||
	       packet_socket_sees(entry, AF_INET6);
}

static void add_socket(struct packet_sockets *sockets,
		       const struct packet_socket *entry)
{
	if (!sees_ip(entry))
		return;
	if (sockets->count == sockets->size) {
		sockets->size = sockets->size ? sockets->size * 2 : 16;
		sockets->entry = xrealloc(sockets->entry,
					  sockets->size *
						  sizeof(*sockets->entry));
	}
	sockets->entry[sockets->count++] = *entry;
}

static void read_info(const struct nlattr *attr, struct packet_socket *entry)
{
	const struct packet_diag_info *info = mnl_attr_get_payload(attr);

	if (mnl_attr_get_payload_len(attr) < sizeof(*info))
		return;
	entry->device.index = info->pdi_index;
	entry->device.known = true;
}

/* Empty: who asks may not know, be there a filter or not. */
static void read_filter(const struct nlattr *attr, struct packet_socket *entry)
{
	const struct sock_filter *first = mnl_attr_get_payload(attr);
	size_t length = mnl_attr_get_payload_len(attr) / sizeof(*first);

	entry->filter.known = length;
	entry->filter.length = length;
	entry->filter.refuses_all = length &&
				    first->code == (BPF_RET | BPF_K) &&
				    !first->k;
}

static void read_attr(const struct nlattr *attr, struct packet_socket *entry)
{
	struct diag_memory memory = { 0 };

	switch (mnl_attr_get_type(attr)) {
	case PACKET_DIAG_INFO:
		read_info(attr, entry);
		break;
	case PACKET_DIAG_UID:
		if (mnl_attr_validate(attr, MNL_TYPE_U32) < 0)
			break;
		entry->uid = mnl_attr_get_u32(attr);
		entry->uid_known = true;
		break;
	case PACKET_DIAG_MEMINFO:
		diag_memory_get(attr, &memory);
		entry->queue = memory.queue;
		entry->limit = memory.limit;
		entry->drops = memory.drops;
		entry->has_memory = true;
		break;
	case PACKET_DIAG_FILTER:
		read_filter(attr, entry);
		break;
	}
}

static int read_diag(const struct nlmsghdr *nlh, void *data)
{
	const struct packet_diag_msg *diag = mnl_nlmsg_get_payload(nlh);
	struct packet_socket entry = { 0 };
	const struct nlattr *attr;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*diag))
		return MNL_CB_OK;
	entry.owners.inode = diag->pdiag_ino;
	entry.type = diag->pdiag_type;
	entry.protocol = diag->pdiag_num;
	/* Without one nothing is said; kraw.ko also knows of eBPF filters. */
	entry.filter.known = true;
	mnl_attr_for_each(attr, nlh, sizeof(*diag)) {
		read_attr(attr, &entry);
	}
	add_socket(data, &entry);
	return MNL_CB_OK;
}

static int read_all_diag(struct packet_sockets *sockets)
{
	struct packet_diag_req request = {
		.sdiag_family = AF_PACKET,
		.pdiag_show = PACKET_SHOW_INFO | PACKET_SHOW_MEMINFO |
			      PACKET_SHOW_FILTER,
	};

	return diag_dump(&request, sizeof(request), read_diag, sockets);
}

static int read_all_proc(struct packet_sockets *sockets)
{
	struct packet_socket one;
	unsigned int type, protocol;
	char line[256];
	FILE *file;

	sockets->count = 0;
	sockets->no_diag = true;
	file = fopen("/proc/net/packet", "re");
	if (!file)
		return errno;
	while (fgets(line, sizeof(line), file)) {
		memset(&one, 0, sizeof(one));
		if (sscanf(line,
			   "%*s %*d %u %x %" SCNu32 " %*d %*u %" SCNu32
			   " %" SCNu64,
			   &type, &protocol, &one.device.index, &one.uid,
			   &one.owners.inode) != 5)
			continue;
		one.type = type;
		one.protocol = protocol;
		one.device.known = true;
		one.uid_known = true;
		add_socket(sockets, &one);
	}
	fclose(file);
	return 0;
}

static void read_sockets(struct packet_sockets *sockets)
{
	memset(sockets, 0, sizeof(*sockets));
	if (read_all_diag(sockets))
		sockets->error = read_all_proc(sockets);
}

int packet_sockets_get(struct packet_sockets *sockets)
{
	size_t i;

	read_sockets(sockets);
	for (i = 0; i < sockets->count; i++)
		device_find(&sockets->entry[i].device);
	return sockets->error;
}

static bool is_there(const struct packet_sockets *sockets, uint64_t inode)
{
	size_t i;

	for (i = 0; i < sockets->count; i++)
		if (sockets->entry[i].owners.inode == inode)
			return true;
	return false;
}

void packet_sockets_check(struct packet_sockets *sockets)
{
	struct packet_sockets now = { 0 };
	struct packet_socket *entry;
	size_t from, to = 0;
	bool read = false;

	for (from = 0; from < sockets->count; from++) {
		entry = &sockets->entry[from];
		if (!entry->owners.count && !read) {
			read_sockets(&now);
			read = true;
		}
		if (entry->owners.count || now.error ||
		    is_there(&now, entry->owners.inode))
			sockets->entry[to++] = *entry;
	}
	sockets->count = to;
	packet_sockets_clear(&now);
}

void packet_sockets_clear(struct packet_sockets *sockets)
{
	size_t i;

	for (i = 0; i < sockets->count; i++)
		owners_clear(&sockets->entry[i].owners);
	free(sockets->entry);
	memset(sockets, 0, sizeof(*sockets));
}
