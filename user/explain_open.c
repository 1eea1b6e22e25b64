// SPDX-License-Identifier: GPL-2.0
/*
 * kraw explain open: whether somebody may open a datagram socket of a protocol.
 * The kernel is asked what it asks itself when one is opened.
 */
#include "describe.h"
#include "error.h"
#include "explain.h"
#include "names.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROTO_L2TP 115

/* Answers that are not the kernel's. */
enum {
	NO_MODULE = 254,
	LINUX = 255, /* the kernel has such sockets of its own */
};

/* A question and its answer. */
struct open {
	uint8_t proto;
	uint8_t family; /* one bit KRAW_FAMILY_* */
	bool has_uid, has_gid;
	uint32_t uid, gid;
	uint8_t result; /* enum kraw_open_result, or one of the above */
	struct users entry; /* the one that allows it, if any */
	bool elsewhere; /* another network namespace claims it */
};

static const struct names result_names = {
	"result",
	{
		{ "listed", KRAW_OPEN_RESULT_LISTED },
		{ "capable", KRAW_OPEN_RESULT_CAPABLE },
		{ "refused", KRAW_OPEN_RESULT_REFUSED },
		{ "unmanaged", KRAW_OPEN_RESULT_UNMANAGED },
		{ "unclaimed", KRAW_OPEN_RESULT_UNCLAIMED },
		{ "family", KRAW_OPEN_RESULT_FAMILY },
		{ "no-module", NO_MODULE },
		{ "linux", LINUX },
	},
};

static const struct open *asked(const void *object)
{
	return object;
}

static json_t *open_proto(const void *object)
{
	return json_integer(asked(object)->proto);
}

static json_t *open_family(const void *object)
{
	return json_string(name_of(&family_names, asked(object)->family));
}

static json_t *open_uid(const void *object)
{
	return asked(object)->has_uid ? json_integer(asked(object)->uid) : NULL;
}

static json_t *open_gid(const void *object)
{
	return asked(object)->has_gid ? json_integer(asked(object)->gid) : NULL;
}

static bool opens(const struct open *open)
{
	return open->result == KRAW_OPEN_RESULT_LISTED ||
	       open->result == KRAW_OPEN_RESULT_CAPABLE;
}

/* Null: Linux decides. */
static json_t *open_opens(const void *object)
{
	if (asked(object)->result == LINUX)
		return json_null();
	return json_boolean(opens(object));
}

/* The errno of socket(), by name. */
static const char *error_of(const struct open *open)
{
	if (opens(open) || open->result == LINUX)
		return NULL;
	return open->result == KRAW_OPEN_RESULT_REFUSED ? "EPERM" :
							  "EPROTONOSUPPORT";
}

static json_t *open_error(const void *object)
{
	const char *error = error_of(object);

	return error ? json_string(error) : json_null();
}

static json_t *open_outcome(const void *object)
{
	const char *error = error_of(object);

	if (asked(object)->result == LINUX)
		return json_string("not kraw's");
	return json_string(error ? error : "opens");
}

static json_t *open_result(const void *object)
{
	return json_string(name_of(&result_names, asked(object)->result));
}

static json_t *open_entry(const void *object)
{
	return asked(object)->entry.count ? users_json(&asked(object)->entry) :
					    NULL;
}

static json_t *open_elsewhere(const void *object)
{
	return json_boolean(asked(object)->elsewhere);
}

static const char *why(const struct open *open)
{
	switch (open->result) {
	case KRAW_OPEN_RESULT_LISTED:
		return "the claim's users have it";
	case KRAW_OPEN_RESULT_CAPABLE:
		return open->has_uid ?
			       "root has CAP_NET_RAW, unless it was taken away" :
			       "it has CAP_NET_RAW over this network namespace";
	case KRAW_OPEN_RESULT_REFUSED:
		return "it is not among the claim's users, and has no CAP_NET_RAW over this network namespace";
	case KRAW_OPEN_RESULT_UNCLAIMED:
		return open->elsewhere ?
			       "only another network namespace claims it" :
			       "it is managed without a claim";
	case KRAW_OPEN_RESULT_FAMILY:
		return open->elsewhere ?
			       "only another network namespace claims it in this family" :
			       "it is not claimed in this family";
	case NO_MODULE:
		return "kraw.ko is not loaded";
	case LINUX:
		return "Linux has datagram sockets of its own for this number, which cannot be claimed";
	default:
		return open->elsewhere ?
			       "only another network namespace claims it" :
			       "it is not managed";
	}
}

static json_t *open_why(const void *object)
{
	return json_string(why(object));
}

/* To be freed; NULL: there is nothing to do. */
static char *remedy(const struct open *open)
{
	switch (open->result) {
	case KRAW_OPEN_RESULT_REFUSED:
		if (open->has_gid && !open->has_uid)
			return xasprintf("adding gid %u to its users with 'kraw proto set %u users ...', or CAP_NET_RAW",
					 open->gid, open->proto);
		return xasprintf("adding uid %u to its users with 'kraw proto set %u users ...', or CAP_NET_RAW",
				 open->has_uid ? open->uid : geteuid(),
				 open->proto);
	case KRAW_OPEN_RESULT_UNCLAIMED:
		return xasprintf("'kraw proto set %u claim plain', or claim ports",
				 open->proto);
	case KRAW_OPEN_RESULT_FAMILY:
		return xasprintf("'kraw proto set %u family both'",
				 open->proto);
	case KRAW_OPEN_RESULT_UNMANAGED:
		return xasprintf("'kraw proto add %u claim plain', or claim ports",
				 open->proto);
	case NO_MODULE:
		return xasprintf("'modprobe kraw', then 'kraw proto add %u claim plain', or claim ports",
				 open->proto);
	default:
		return NULL;
	}
}

static json_t *open_remedy(const void *object)
{
	char *text = remedy(object);
	json_t *value = text ? json_string(text) : NULL;

	free(text);
	return value;
}

static const struct field open_fields[] = {
	{ "proto", "open", NULL, open_proto, .colour = COLOUR_NUMBER },
	{ "family", "", NULL, open_family },
	{ "uid", "uid", NULL, open_uid },
	{ "gid", "gid", NULL, open_gid },
	{ "opens", NULL, NULL, open_opens },
	{ "error", NULL, NULL, open_error },
	{ NULL, "->", NULL, open_outcome, .form = FORM_TEXT },
	{ "result", NULL, NULL, open_result },
	{ "entry", "users", NULL, open_entry, .form = FORM_USERS },
	{ "elsewhere", NULL, NULL, open_elsewhere },
	{ "why", "because", NULL, open_why, .form = FORM_TEXT },
	{ "remedy", "try", NULL, open_remedy, .form = FORM_TEXT },
	{ NULL },
};

static int parse_id(const char *keyword, const char *word,
		    int (*parse)(const char *word, struct range *ids),
		    bool *has, uint32_t *id)
{
	struct range ids;
	int ret;

	if (*has)
		return fail("'%s' is there twice", keyword);
	ret = parse(word, &ids);
	if (ret)
		return ret;
	if (ids.min != ids.max)
		return fail("%s %s: one at a time", keyword, word);
	*has = true;
	*id = ids.min;
	return 0;
}

static int parse_words(struct args *args, struct open *open)
{
	const char *keyword, *word;
	int ret = 0;

	while (!ret && args_peek(args)) {
		keyword = canonical(args_next(args));
		if (strcmp(keyword, "family") && strcmp(keyword, "uid") &&
		    strcmp(keyword, "gid"))
			return fail("'%s' is not understood here: use family, uid or gid",
				    keyword);
		ret = args_value(args, keyword, &word);
		if (ret)
			return ret;
		if (!strcmp(keyword, "family"))
			ret = name_parse(&family_names, word, &open->family);
		else if (!strcmp(keyword, "uid"))
			ret = parse_id(keyword, word, parse_users,
				       &open->has_uid, &open->uid);
		else
			ret = parse_id(keyword, word, parse_groups,
				       &open->has_gid, &open->gid);
	}
	return ret;
}

static int read_answer(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *nest[KRAW_OPEN_A_MAX + 1];
	const struct nlattr *attrs[KRAW_A_MAX + 1];
	struct open *open = data;
	int ret;

	ret = nl_attrs(nlh, attrs, KRAW_A_MAX);
	if (ret)
		return ret;
	if (!attrs[KRAW_A_OPEN])
		return refused("the kernel's answer has no socket in it");
	nl_nest(attrs[KRAW_A_OPEN], nest, KRAW_OPEN_A_MAX);
	get_u8(nest[KRAW_OPEN_A_RESULT], &open->result);
	open->elsewhere = nest[KRAW_OPEN_A_ELSEWHERE];
	if (nest[KRAW_OPEN_A_ENTRY])
		users_get_entry(nest[KRAW_OPEN_A_ENTRY], &open->entry);
	return 0;
}

/* Kernels of 7.x no longer have it. */
static bool has_udplite(void)
{
	FILE *file = fopen("/proc/net/protocols", "re");
	char line[256];
	bool has = false;

	if (!file)
		return true;
	while (!has && fgets(line, sizeof(line), file))
		has = !strncmp(line, "UDP-Lite ", strlen("UDP-Lite "));
	fclose(file);
	return has;
}

/* Numbers that Linux itself has datagram sockets of, L2TP's by a module. */
static bool is_linux(const struct open *open)
{
	switch (open->proto) {
	case IPPROTO_IP:
	case IPPROTO_UDP:
	case PROTO_L2TP:
		return true;
	case IPPROTO_UDPLITE:
		return has_udplite();
	case IPPROTO_ICMP:
		return open->family == KRAW_FAMILY_IPV4;
	case IPPROTO_ICMPV6:
		return open->family == KRAW_FAMILY_IPV6;
	default:
		return false;
	}
}

static int ask(struct open *open)
{
	struct nl_msg msg;
	struct nlattr *nest;
	int error;

	open->entry.count = 0;
	open->elsewhere = false;
	if (is_linux(open)) {
		open->result = LINUX;
		return 0;
	}
	error = nl_try_open();
	if (error == ENOENT) {
		open->result = NO_MODULE;
		return 0;
	}
	if (error)
		return nl_open();
	nl_begin(&msg, KRAW_CMD_OPEN_GET, 0);
	nest = mnl_attr_nest_start(msg.nlh, KRAW_A_OPEN);
	mnl_attr_put_u8(msg.nlh, KRAW_OPEN_A_PROTO, open->proto);
	mnl_attr_put_u8(msg.nlh, KRAW_OPEN_A_FAMILY, open->family);
	if (open->has_uid)
		mnl_attr_put_u32(msg.nlh, KRAW_OPEN_A_UID, open->uid);
	if (open->has_gid)
		mnl_attr_put_u32(msg.nlh, KRAW_OPEN_A_GID, open->gid);
	mnl_attr_nest_end(msg.nlh, nest);
	return nl_request(&msg, read_answer, open, "explain open");
}

int explain_open(struct args *args)
{
	struct open open = { 0 }, one;
	struct output *output;
	uint8_t family;
	const char *word;
	int ret;

	ret = args_value(args, "open", &word)		?:
		      parse_protocol(word, &open.proto) ?:
		      parse_words(args, &open);
	if (ret)
		return ret;
	if (!open.family)
		open.family = KRAW_FAMILY_IPV4 | KRAW_FAMILY_IPV6;
	output = output_begin(open_fields, OUTPUT_LINES);
	for (family = KRAW_FAMILY_IPV4; !ret && family <= KRAW_FAMILY_IPV6;
	     family <<= 1) {
		if (!(open.family & family))
			continue;
		one = open;
		one.family = family;
		ret = ask(&one);
		if (!ret)
			output_add(output, &one);
	}
	return output_end(output, ret);
}
