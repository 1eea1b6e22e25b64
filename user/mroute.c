// SPDX-License-Identifier: GPL-2.0
#include "mroute.h"
#include "error.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Only such a raw socket can set it up. */
static bool candidate(const struct raw_socket *entry, uint8_t family)
{
	return entry->family == family && !entry->gone &&
	       entry->protocol ==
		       (family == AF_INET ? IPPROTO_IGMP : IPPROTO_ICMPV6);
}

/*
 * How many have set it up, one a routing table: the kernel counts them in
 * conf/all/mc_forwarding. -1: unknown.
 */
static int count_roles(uint8_t family)
{
	const char *ip = family == AF_INET ? "ipv4" : "ipv6";
	char *path = xasprintf("/proc/sys/net/%s/conf/all/mc_forwarding", ip);
	int count = -1;
	FILE *file;

	file = fopen(path, "re");
	free(path);
	if (!file) {
		/* A kernel that cannot route multicast has no such file. */
		path = xasprintf("/proc/sys/net/%s/conf/all/forwarding", ip);
		file = errno == ENOENT ? fopen(path, "re") : NULL;
		free(path);
		if (file)
			count = 0;
	} else if (fscanf(file, "%d", &count) != 1) {
		count = -1;
	}
	if (file)
		fclose(file);
	return count;
}

static void collect(struct mroute *mroute, const struct raw_sockets *sockets,
		    bool details)
{
	const struct raw_socket *entry;
	size_t i;

	mroute->socket = xalloc((sockets->count + 1) * sizeof(*mroute->socket));
	for (i = 0; i < sockets->count; i++) {
		entry = &sockets->entry[i];
		if (details ? entry->mroute && entry->family == mroute->family :
			      candidate(entry, mroute->family))
			mroute->socket[mroute->count++] = entry;
	}
}

void mroute_get(struct mroute *mroute, uint8_t family,
		const struct raw_sockets *sockets, bool details)
{
	int roles;

	memset(mroute, 0, sizeof(*mroute));
	mroute->family = family;
	collect(mroute, sockets, details);
	if (details) {
		mroute->held = mroute->count ? MROUTE_CERTAIN : MROUTE_FREE;
		return;
	}
	roles = count_roles(family);
	if (roles < 0)
		mroute->held = MROUTE_UNKNOWN;
	else if (!roles)
		mroute->held = MROUTE_FREE;
	else if (mroute->count && mroute->count <= (size_t)roles)
		mroute->held = MROUTE_CERTAIN;
	else
		mroute->held = MROUTE_LIKELY;
	if (mroute->held < MROUTE_LIKELY)
		mroute->count = 0;
}

void mroute_clear(struct mroute *mroute)
{
	free(mroute->socket);
	memset(mroute, 0, sizeof(*mroute));
}
