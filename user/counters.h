/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_COUNTERS_H
#define KRAW_COUNTERS_H

#include <jansson.h>
#include <linux/kraw.h>
#include <stdbool.h>

struct proto_stats;

/* The name of a counter in JSON, or NULL. */
const char *counter_name(unsigned int attr);

/*
 * Whether the counter holds all that it should: the kernel also counts what it
 * could not tell apart.
 */
bool counter_known(const struct proto_stats *stats, unsigned int attr);

/* Its value, null if it is not known. */
json_t *counter_json(const struct proto_stats *stats, unsigned int attr);

/* All of them, by name. */
json_t *counters_json(const struct proto_stats *stats);

/* Counters of one kind: each packet, or copy, is in one of them. */
struct counter_group {
	const char *title; /* for a person */
	const char *metric; /* for Prometheus */
	const char *help;
	const char *label; /* what tells them apart; NULL: there is one only */
	struct {
		unsigned int attr;
		const char *value; /* of the label */
	} list[12]; /* ends with attribute 0 */
};

/* Ends with one without a title. */
extern const struct counter_group counter_groups[];

#endif /* KRAW_COUNTERS_H */
