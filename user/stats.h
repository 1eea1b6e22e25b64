/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_STATS_H
#define KRAW_STATS_H

#include <jansson.h>
#include <stdint.h>

struct proto;
struct proto_list;

/* Asks for the counters of a protocol, -1: of all; the list is to be cleared. */
int stats_get(int number, struct proto_list *list);

/* Calls the function for each protocol and family until it returns an error. */
int stats_each(const struct proto_list *list,
	       int (*each)(const struct proto *proto, unsigned int family,
			   void *data),
	       void *data);

const char *stats_family(unsigned int family);

/* All counters of a protocol in one family. */
json_t *stats_json(const struct proto *proto, unsigned int family);

/* In the text format that Prometheus reads. */
int stats_prometheus(const struct proto_list *list);

/* Again and again, until a signal or the end of who reads it. */
int stats_watch(int number, uint32_t seconds);

#endif /* KRAW_STATS_H */
