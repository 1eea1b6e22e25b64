/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_DESCRIBE_H
#define KRAW_DESCRIBE_H

#include "output.h"

/* The man page lists the keys: they stay as they are. */
extern const struct field proto_fields[]; /* of struct proto */
extern const struct field rule_fields[]; /* of struct rule */

/* The part of them that a command to delete one needs. */
extern const struct field proto_name_fields[];
extern const struct field rule_name_fields[];

/* Pieces that other descriptions are made of. */
struct proto_stats;
json_t *families_json(unsigned int families);
json_t *counters_json(const struct proto_stats *stats);

#endif /* KRAW_DESCRIBE_H */
