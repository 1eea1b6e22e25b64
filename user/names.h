/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_NAMES_H
#define KRAW_NAMES_H

#include <stdbool.h>
#include <stdint.h>

/* The words of one enumeration of the kernel's interface. */
struct names {
	const char *what; /* for errors: "verdict" */
	struct {
		const char *word;
		unsigned int value;
	} list[16]; /* ends at a word that is NULL */
};

extern const struct names family_names;
extern const struct names claim_names;
extern const struct names verdict_names;
extern const struct names one_by_names;
extern const struct names unreach_names;
extern const struct names account_names;
extern const struct names hook_names;
extern const struct names socket_result_names;
extern const struct names icmp_result_names;
extern const struct names dgram_result_names;
extern const struct names event_names;

/* The word for a value; a value that is not known: "unknown". */
const char *name_of(const struct names *names, unsigned int value);

/* The value of a word, or tells which words there are. */
int name_parse(const struct names *names, const char *word, uint8_t *value);

/* The name of a protocol number, or NULL. */
const char *protocol_name(uint8_t number);

/* The number of a DSCP name (cs0, af11, ef), in any case, or -1. */
int dscp_number(const char *name);

/* The number of a protocol name, or -1. */
int protocol_number(const char *name);

/* The name of an ICMP or ICMPv6 type, or NULL. */
const char *icmp_type_name(uint8_t family, unsigned int type);

/* The IPv6 extension header that this number stands for, or NULL. */
const char *extension_header(uint8_t number);

/*
 * The full word for one of the few short forms, which the man page lists; any
 * other word is returned as it is.
 */
const char *canonical(const char *word);

#endif /* KRAW_NAMES_H */
