// SPDX-License-Identifier: GPL-2.0
/*
 * The raw sockets of this network namespace. The kernel's sock_diag knows most
 * of a socket; where it is missing, the files in /proc/net do. And what is the
 * same with datagram sockets of claims, read elsewhere.
 */
#include "sockets.h"
#include "diag.h"
#include "error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How often, and how far apart, queues that are not empty are looked at. */
#define WATCH_TIMES 4
#define WATCH_PAUSE (50 * 1000 * 1000) /* ns */

struct raw_socket *raw_sockets_add(struct raw_sockets *sockets)
{
	struct raw_socket *entry;

	if (sockets->count == sockets->size) {
		sockets->size = sockets->size ? sockets->size * 2 : 32;
		sockets->entry = xrealloc(sockets->entry,
					  sockets->size *
						  sizeof(*sockets->entry));
	}
	entry = &sockets->entry[sockets->count++];
	memset(entry, 0, sizeof(*entry));
	return entry;
}

static void read_attr(const struct nlattr *attr, struct raw_socket *entry)
{
	const struct inet_diag_sockopt *options;
	struct diag_memory memory = { 0 };

	switch (mnl_attr_get_type(attr)) {
	case INET_DIAG_SKMEMINFO:
		diag_memory_get(attr, &memory);
		entry->limit = memory.limit;
		entry->drops = memory.drops;
		break;
	case INET_DIAG_SOCKOPT:
		if (mnl_attr_get_payload_len(attr) < sizeof(*options))
			break;
		options = mnl_attr_get_payload(attr);
		entry->hdrincl = options->hdrincl;
		entry->hdrincl_known = true;
		break;
	}
}

static int read_diag(const struct nlmsghdr *nlh, void *data)
{
	const struct inet_diag_msg *diag = mnl_nlmsg_get_payload(nlh);
	struct raw_sockets *sockets = data;
	struct raw_socket *entry;
	const struct nlattr *attr;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*diag))
		return MNL_CB_OK;
	entry = raw_sockets_add(sockets);
	entry->family = diag->idiag_family;
	/* A raw socket has no port, its protocol stands there. */
	entry->protocol = ntohs(diag->id.idiag_sport);
	memcpy(entry->local, diag->id.idiag_src, sizeof(entry->local));
	memcpy(entry->peer, diag->id.idiag_dst, sizeof(entry->peer));
	entry->device.index = diag->id.idiag_if;
	entry->device.known = true;
	entry->queue = diag->idiag_rqueue;
	entry->uid = diag->idiag_uid;
	entry->owners.inode = diag->idiag_inode;
	mnl_attr_for_each(attr, nlh, sizeof(*diag)) {
		read_attr(attr, entry);
	}
	return MNL_CB_OK;
}

static int read_all_diag(struct raw_sockets *sockets)
{
	struct inet_diag_req_raw request = {
		.sdiag_protocol = IPPROTO_RAW,
		.idiag_ext = 1 << (INET_DIAG_SKMEMINFO - 1),
		.idiag_states = UINT32_MAX,
	};
	int error;

	request.sdiag_family = AF_INET;
	error = diag_dump(&request, sizeof(request), read_diag, sockets);
	if (error)
		return error;
	request.sdiag_family = AF_INET6;
	return diag_dump(&request, sizeof(request), read_diag, sockets);
}

/* Each group of eight digits is a word of the address as it is in memory. */
static bool read_address(const char *digits, uint8_t family, uint8_t *address)
{
	unsigned int words = family == AF_INET ? 1 : 4;
	unsigned int i;
	uint32_t word;

	if (strlen(digits) != words * 8)
		return false;
	for (i = 0; i < words; i++) {
		if (sscanf(digits + i * 8, "%8" SCNx32, &word) != 1)
			return false;
		memcpy(address + i * 4, &word, sizeof(word));
	}
	return true;
}

static int read_proc(const char *path, uint8_t family,
		     struct raw_sockets *sockets)
{
	struct raw_socket one, *entry;
	char local[33], peer[33];
	unsigned int protocol;
	char line[512];
	FILE *file;

	file = fopen(path, "re");
	if (!file)
		return errno == ENOENT && family == AF_INET6 ? 0 : errno;
	while (fgets(line, sizeof(line), file)) {
		memset(&one, 0, sizeof(one));
		if (sscanf(line,
			   " %*d: %32[0-9A-F]:%x %32[0-9A-F]:%*x %*x %*x:%" SCNx32
			   " %*x:%*x %*x %" SCNu32 " %*u %" SCNu64
			   " %*d %*s %" SCNu32,
			   local, &protocol, peer, &one.queue, &one.uid,
			   &one.owners.inode, &one.drops) != 7)
			continue;
		if (!read_address(local, family, one.local) ||
		    !read_address(peer, family, one.peer))
			continue;
		one.family = family;
		one.protocol = protocol;
		entry = raw_sockets_add(sockets);
		*entry = one;
	}
	fclose(file);
	return 0;
}

static int read_all_proc(struct raw_sockets *sockets)
{
	sockets->count = 0;
	sockets->no_diag = true;
	return read_proc("/proc/net/raw", AF_INET, sockets) ?:
		       read_proc("/proc/net/raw6", AF_INET6, sockets);
}

static int by_inode(const void *a, const void *b)
{
	const struct raw_socket *one = a, *other = b;

	return (one->owners.inode > other->owners.inode) -
	       (one->owners.inode < other->owners.inode);
}

static int by_protocol(const void *a, const void *b)
{
	const struct raw_socket *one = a, *other = b;

	if (one->protocol != other->protocol)
		return one->protocol - other->protocol;
	if (one->family != other->family)
		return one->family == AF_INET ? -1 : 1;
	return by_inode(a, b);
}

/* Leaves those of one protocol. */
static void filter(struct raw_sockets *sockets, int protocol)
{
	size_t from, to = 0;

	for (from = 0; from < sockets->count; from++)
		if (sockets->entry[from].protocol == protocol)
			sockets->entry[to++] = sockets->entry[from];
	sockets->count = to;
}

/* In any order, without names of devices. */
static int read_sockets(struct raw_sockets *sockets)
{
	*sockets = (struct raw_sockets){ .dgram = sockets->dgram };
	if (sockets->dgram)
		return dgram_sockets_read(sockets);
	return read_all_diag(sockets) ? read_all_proc(sockets) : 0;
}

static void find_devices(struct raw_sockets *sockets)
{
	const struct device *last = NULL;
	size_t i;

	for (i = 0; i < sockets->count; i++) {
		struct device *device = &sockets->entry[i].device;

		if (!device->index)
			continue;
		/* Sockets on the same device often come in a row. */
		if (last && last->index == device->index)
			*device = *last;
		else
			device_find(device);
		last = device;
	}
}

static bool over_half(const struct raw_socket *entry)
{
	return entry->limit && entry->queue > entry->limit / 2;
}

static void complete(struct raw_sockets *sockets)
{
	size_t i;

	if (!sockets->count)
		return;
	qsort(sockets->entry, sockets->count, sizeof(*sockets->entry),
	      by_protocol);
	find_devices(sockets);
	for (i = 0; i < sockets->count; i++)
		if (over_half(&sockets->entry[i]))
			sockets->entry[i].unread = UNREAD_HALF;
}

int raw_sockets_get(struct raw_sockets *sockets, int protocol)
{
	int error;

	sockets->dgram = false;
	error = read_sockets(sockets);
	if (error)
		return error;
	if (protocol >= 0)
		filter(sockets, protocol);
	complete(sockets);
	return 0;
}

int dgram_sockets_get(struct raw_sockets *sockets)
{
	int error;

	sockets->dgram = true;
	error = read_sockets(sockets);
	if (error)
		sockets->count = 0;
	complete(sockets);
	return error;
}

/* Has something in its queue, and what becomes of it is not clear yet. */
static bool to_watch(const struct raw_socket *entry)
{
	return entry->queue && entry->unread == UNREAD_NO && !entry->shrank;
}

static void look_again(struct raw_socket *entry, const struct raw_sockets *now)
{
	const struct raw_socket *found = NULL;

	if (now->count)
		found = bsearch(entry, now->entry, now->count,
				sizeof(*now->entry), by_inode);
	entry->gone = !found;
	if (!found)
		return;
	entry->grew |= found->queue > entry->queue;
	entry->shrank |= found->queue < entry->queue;
	entry->queue = found->queue;
	entry->drops = found->drops;
	entry->unread = over_half(entry) ? UNREAD_HALF : UNREAD_NO;
}

/* Whether there is something to see a second time. */
static bool look(struct raw_sockets *sockets)
{
	struct raw_sockets now = { .dgram = sockets->dgram };
	bool more = false;
	size_t i;

	if (!read_sockets(&now)) {
		qsort(now.entry, now.count, sizeof(*now.entry), by_inode);
		for (i = 0; i < sockets->count; i++) {
			look_again(&sockets->entry[i], &now);
			more |= to_watch(&sockets->entry[i]);
		}
	}
	raw_sockets_clear(&now);
	return more;
}

void raw_sockets_watch(struct raw_sockets *sockets)
{
	const struct timespec pause = { .tv_nsec = WATCH_PAUSE };
	struct raw_socket *entry;
	unsigned int times = 0;
	bool needed = false;
	size_t i;

	for (i = 0; i < sockets->count; i++) {
		entry = &sockets->entry[i];
		needed |= !entry->owners.count || to_watch(entry);
	}
	while (needed && look(sockets) && ++times < WATCH_TIMES)
		nanosleep(&pause, NULL);
	for (i = 0; i < sockets->count; i++) {
		entry = &sockets->entry[i];
		if (entry->grew && to_watch(entry))
			entry->unread = UNREAD_GROWS;
	}
}

void raw_sockets_clear(struct raw_sockets *sockets)
{
	size_t i;

	for (i = 0; i < sockets->count; i++)
		owners_clear(&sockets->entry[i].owners);
	free(sockets->entry);
	memset(sockets, 0, sizeof(*sockets));
}
