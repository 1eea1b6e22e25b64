/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_CONFIG_H
#define KRAW_CONFIG_H

#include "netlink.h"
#include "parse.h"

#include <linux/filter.h>
#include <net/if.h>

#define BIT(n) (1ULL << (n))

/* The most bytes that a rule or a protocol takes in a message. */
#define CONFIG_ROOM (48 * 1024)

/* Who may open datagram sockets of a claim; the kernel takes no more. */
#define USERS_MAX 16

struct users {
	size_t count;
	struct user {
		uint8_t kind;
		struct range ids;
	} entry[USERS_MAX];
};

/* A managed protocol; families and counters in the order of KRAW_FAMILY_*. */
struct proto {
	uint64_t set; /* BIT(KRAW_PROTO_A_...) of what is filled in */
	uint8_t number;
	uint8_t families;
	uint8_t claim;
	uint8_t deliver;
	uint8_t one_by; /* with verdict one */
	uint8_t unreach;
	uint8_t account;
	struct users users;
	bool force; /* in words of "proto set" only */
	uint32_t rules;
	uint32_t generation;
	struct proto_stats {
		bool valid;
		uint64_t count[KRAW_STATS_A_MAX + 1];
	} stats[2];
};

struct rule {
	uint64_t set; /* BIT(KRAW_RULE_A_...) of what is filled in; a flag's value */
	uint8_t proto;
	uint8_t hook;
	uint8_t verdict;
	uint8_t one_by; /* with verdict one */
	uint32_t pref;
	uint32_t handle;
	struct prefix src, dst;
	char dev[IFNAMSIZ];
	struct range ttl, len, type, uid; /* there if their _MAX is set */
	uint8_t dscp;
	uint32_t mark, mark_mask; /* both there if MARK is set */
	struct sock_filter *bpf;
	unsigned int bpf_len;
	char *expr;
	uint32_t limit_rate, limit_burst; /* packets a second, packets */
	char mirror[IFNAMSIZ];
	char *comment;
	uint64_t packets, bytes, limited;
	uint32_t generation;
};

struct handler {
	uint8_t number;
	uint8_t family;
	uint32_t flags;
	char *symbol;
	char *module; /* NULL: built in */
};

void rule_clear(struct rule *rule);
void handler_clear(struct handler *handler);

/* Writes what is set into a message with enough room. */
void proto_put(struct nlmsghdr *nlh, const struct proto *proto);
void rule_put(struct nlmsghdr *nlh, const struct rule *rule);

/*
 * Reads an attribute, if it is there and of the right size; or else leaves the
 * value alone. The text is to be freed, or NULL.
 */
bool get_u8(const struct nlattr *attr, uint8_t *value);
bool get_u16(const struct nlattr *attr, uint16_t *value);
bool get_u32(const struct nlattr *attr, uint32_t *value);
bool get_u64(const struct nlattr *attr, uint64_t *value);
char *get_text(const struct nlattr *attr);

/* Reads an answer or a notification; the rule is to be cleared. */
int proto_get(const struct nlmsghdr *nlh, struct proto *proto);
int rule_get(const struct nlmsghdr *nlh, struct rule *rule);
int handler_get(const struct nlmsghdr *nlh, struct handler *handler);

/*
 * Reads the words of a command: P with what may follow it. SET is for "proto
 * set", where nothing has a default.
 */
int proto_parse(struct args *args, struct proto *proto, bool set);

/*
 * The words after "rule replace" and, without a handle, after "rule add". The
 * rule is to be cleared in any case.
 */
int rule_parse(struct args *args, struct rule *rule);
int rule_parse_new(struct args *args, struct rule *rule);

/*
 * A word of a filter, with its value: proto, hook, a match, a verdict. When all
 * are read, rule_check_filter looks whether they go together.
 */
int rule_parse_filter(struct args *args, const char *key, struct rule *rule);
int rule_check_filter(const struct rule *rule);

/* "[hook H] proto P [pref N] [handle H]": what names rules; no matches. */
int rule_parse_name(struct args *args, struct rule *rule);

/* The words after "users"; and to and from KRAW_PROTO_A_USERS. */
int users_parse(struct args *args, struct users *users);
void users_put(struct nlmsghdr *nlh, const struct users *users);
void users_get(const struct nlattr *nest, struct users *users);

/* The same with one of its entries, which is added. */
void users_get_entry(const struct nlattr *nest, struct users *users);

/* A group's name, a number or a range. */
int parse_groups(const char *word, struct range *gids);

/* A list of protocols or rules of one configuration. */
struct proto_list {
	struct proto *entry;
	size_t count, size;
};

struct rule_list {
	struct rule *entry;
	size_t count, size;
};

/* Asks the kernel; the filter may be NULL; the list is to be cleared. */
int proto_list_get(struct proto_list *list);
int rule_list_get(struct rule_list *list, const struct rule *filter);
void proto_list_clear(struct proto_list *list);
void rule_list_clear(struct rule_list *list);

/* Asks for the generation of the configuration in force. */
int generation_get(uint32_t *generation);

#endif /* KRAW_CONFIG_H */
