// SPDX-License-Identifier: GPL-2.0
#include "model.h"

#include <string.h>

/* The source of what this host sends itself over lo is lo's address. */
static bool from(const struct item *item, enum peer peer)
{
	return item->from == peer && item->to != LOCAL;
}

/* The device that a packet counts as having come by, see R32 in receive.c. */
static const char *device(const struct item *item)
{
	return item->to == LOCAL ? "lo" : "r0";
}

/* What a socket says to a packet for the group. */
static bool member(const struct reader *reader, const struct item *item)
{
	switch (reader->member) {
	case JOINED:
		return true;
	case INCLUDE_PEER:
		return item->from == PEER;
	case EXCLUDE_PEER:
		return item->from != PEER;
	default:
		return !reader->not_all;
	}
}

bool model_matches(int family, const struct reader *reader,
		   const struct item *item)
{
	bool address;

	if (reader->proto != item->proto)
		return false;
	if (reader->connected && !from(item, reader->connected))
		return false;
	if (reader->device && strcmp(reader->device, device(item)))
		return false;
	/* connect() binds to the address that it would send from */
	if (!reader->bound && reader->connected)
		address = item->to == MINE;
	else
		address = !reader->bound || reader->bound == item->to;
	if (family == V6 && item->to == GROUP && !address)
		address = member(reader, item);
	return address;
}

bool model_admits(int family, const struct reader *reader,
		  const struct item *item)
{
	uint8_t type = item->body[0];

	if (family == V4 && item->to == GROUP && !member(reader, item))
		return false;
	if (!reader->icmp_filtered || (family == V4 && type >= 32))
		return true;
	return !(reader->icmp_filter[type / 8] & 1 << type % 8);
}

bool model_keeps(int family, const struct reader *reader,
		 const struct item *item)
{
	(void)family;
	if (reader->checksum && !item->checksum_good)
		return false;
	switch (reader->program) {
	case REJECT:
		return false;
	case EVEN:
		return !(item->body[0] & 1);
	default:
		return true;
	}
}
