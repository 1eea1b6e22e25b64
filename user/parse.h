/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_PARSE_H
#define KRAW_PARSE_H

#include <stdbool.h>
#include <stdint.h>

/* The words of a command that are still to be read. */
struct args {
	char **word; /* ends with NULL */
};

/* A network, or no network while its length is 0. */
struct prefix {
	uint8_t addr[16];
	uint8_t len; /* bytes of the address: 4 or 16 */
	uint8_t bits;
};

struct range {
	uint32_t min, max;
};

/* The next word, or NULL at the end. */
const char *args_next(struct args *args);
const char *args_peek(const struct args *args);

/* Is it the next word? Takes it then. */
bool args_take(struct args *args, const char *word);

/* Is the next word a request for help? */
bool args_help(const struct args *args);

/* The word that must follow the keyword. */
int args_value(struct args *args, const char *keyword, const char **value);

/* Nothing may be left. */
int args_end(const struct args *args);

/*
 * Each reads one word, or tells what is wrong with it. The keyword before it is
 * named in errors.
 */
int parse_protocol(const char *word, uint8_t *number);
int parse_number(const char *keyword, const char *word, uint32_t max,
		 uint32_t *number);
int parse_range(const char *keyword, const char *word, uint32_t max,
		struct range *range);
int parse_prefix(const char *keyword, const char *word, struct prefix *prefix);
int parse_device(const char *keyword, const char *word);
int parse_dscp(const char *word, uint8_t *dscp);
int parse_mark(const char *word, uint32_t *mark, uint32_t *mask);
int parse_users(const char *word, struct range *uids);
int parse_rate(const char *word, uint32_t *rate);
int parse_burst(const char *word, uint32_t *burst);
int parse_comment(const char *word);

#endif /* KRAW_PARSE_H */
