/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_DESCRIBE_H
#define KRAW_DESCRIBE_H

#include "output.h"

/* The man page lists the keys: they stay as they are. */
extern const struct field proto_fields[]; /* of struct proto */
extern const struct field rule_fields[]; /* of struct rule */
extern const struct field handler_fields[]; /* of struct handler */
extern const struct field step_fields[]; /* of struct step */
extern const struct field record_fields[]; /* of struct record */
extern const struct field event_fields[]; /* of struct event */

/* The part of them that a command to delete one needs. */
extern const struct field proto_name_fields[];
extern const struct field rule_name_fields[];

/* Pieces that other descriptions are made of. */
struct handler;
json_t *handler_text(const struct handler *handler); /* for a person */
json_t *address_text(uint8_t family, const uint8_t *address);
json_t *address_json(uint8_t family, const uint8_t *address); /* zero: null */
json_t *families_json(unsigned int families);
/* Who may open datagram sockets. */
struct users;
json_t *users_json(const struct users *users);

#endif /* KRAW_DESCRIBE_H */
