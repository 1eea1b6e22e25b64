// SPDX-License-Identifier: GPL-2.0
/* The datagram sockets of claims in this network namespace, from kraw.ko. */
#include "config.h"
#include "error.h"
#include "netlink.h"
#include "sockets.h"

#include <linux/kraw.h>
#include <string.h>
#include <sys/socket.h>

static void get_address(const struct nlattr *attr, uint8_t *address)
{
	uint16_t len = attr ? mnl_attr_get_payload_len(attr) : 0;

	if (len == 4 || len == 16)
		memcpy(address, mnl_attr_get_payload(attr), len);
}

static void read_flags(uint32_t flags, struct raw_socket *entry)
{
	entry->dgram.exclusive = flags & KRAW_SOCKET_EXCLUSIVE;
	entry->dgram.reuseaddr = flags & KRAW_SOCKET_REUSEADDR;
	entry->dgram.reuseport = flags & KRAW_SOCKET_REUSEPORT;
	entry->dgram.v6only = flags & KRAW_SOCKET_V6ONLY;
	entry->filter.ebpf = flags & KRAW_SOCKET_EBPF;
	entry->filter.refuses_all = flags & KRAW_SOCKET_REFUSES_ALL;
}

static void read_nest(const struct nlattr **nest, struct raw_socket *entry)
{
	uint32_t inode = 0, flags = 0;
	uint8_t family = 0;

	get_u32(nest[KRAW_SOCKET_A_INODE], &inode);
	entry->owners.inode = inode;
	get_u8(nest[KRAW_SOCKET_A_FAMILY], &family);
	entry->family = family == KRAW_FAMILY_IPV4 ? AF_INET : AF_INET6;
	get_u8(nest[KRAW_SOCKET_A_PROTO], &entry->protocol);
	get_u8(nest[KRAW_SOCKET_A_RECEIVES], &entry->dgram.receives);
	get_address(nest[KRAW_SOCKET_A_LOCAL], entry->local);
	get_address(nest[KRAW_SOCKET_A_PEER], entry->peer);
	get_u16(nest[KRAW_SOCKET_A_LOCAL_PORT], &entry->dgram.local_port);
	get_u16(nest[KRAW_SOCKET_A_PEER_PORT], &entry->dgram.peer_port);
	entry->device.known = true;
	get_u32(nest[KRAW_SOCKET_A_IFINDEX], &entry->device.index);
	get_u32(nest[KRAW_SOCKET_A_UID], &entry->uid);
	get_u32(nest[KRAW_SOCKET_A_QUEUE], &entry->queue);
	get_u32(nest[KRAW_SOCKET_A_LIMIT], &entry->limit);
	get_u32(nest[KRAW_SOCKET_A_DROPS], &entry->drops);
	entry->filter.known = get_u32(nest[KRAW_SOCKET_A_FILTER],
				      &entry->filter.length);
	get_u32(nest[KRAW_SOCKET_A_FLAGS], &flags);
	read_flags(flags, entry);
}

static int read_socket(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *nest[KRAW_SOCKET_A_MAX + 1];
	const struct nlattr *attrs[KRAW_A_MAX + 1];
	int ret;

	ret = nl_attrs(nlh, attrs, KRAW_A_MAX);
	if (ret)
		return ret;
	if (!attrs[KRAW_A_SOCKET])
		return refused("the kernel's answer has no socket in it");
	nl_nest(attrs[KRAW_A_SOCKET], nest, KRAW_SOCKET_A_MAX);
	read_nest(nest, raw_sockets_add(data));
	return 0;
}

int dgram_sockets_read(struct raw_sockets *sockets)
{
	struct nl_refusal refusal;
	struct nl_msg msg;
	int error;

	error = nl_try_open();
	if (error)
		return error;
	nl_begin(&msg, KRAW_CMD_DGRAM_GET, 0);
	error = nl_try_dump(&msg, read_socket, sockets, "show", &refusal);
	if (!error)
		error = refusal.error;
	nl_refusal_clear(&refusal);
	return error;
}
