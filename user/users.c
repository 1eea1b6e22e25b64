// SPDX-License-Identifier: GPL-2.0
/* Who may open datagram sockets of a claim: words, message and JSON. */
#include "config.h"
#include "describe.h"
#include "error.h"

#include <grp.h>
#include <string.h>

static int add(struct users *users, uint8_t kind, struct range ids)
{
	if (users->count == USERS_MAX)
		return fail("users: no more than %u entries: make them ranges, or use a group",
			    USERS_MAX);
	users->entry[users->count].kind = kind;
	users->entry[users->count].ids = ids;
	users->count++;
	return 0;
}

int parse_groups(const char *word, struct range *gids)
{
	const struct group *group;

	if (*word >= '0' && *word <= '9')
		return parse_range("gid", word, UINT32_MAX, gids);
	group = getgrnam(word);
	if (!group)
		return fail("gid '%s': no such group here, use a group's name, a number or a range A-B",
			    word);
	gids->min = group->gr_gid;
	gids->max = group->gr_gid;
	return 0;
}

int users_parse(struct args *args, struct users *users)
{
	const struct range everybody = { 0, UINT32_MAX };
	struct range ids;
	const char *word;
	int ret = 0;

	users->count = 0;
	if (args_take(args, "none"))
		return 0;
	if (args_take(args, "all"))
		return add(users, KRAW_USER_KIND_ALL, everybody);
	while (!ret) {
		if (args_take(args, "uid"))
			ret = args_value(args, "uid", &word)  ?:
				      parse_users(word, &ids) ?:
				      add(users, KRAW_USER_KIND_UID, ids);
		else if (args_take(args, "gid"))
			ret = args_value(args, "gid", &word)   ?:
				      parse_groups(word, &ids) ?:
				      add(users, KRAW_USER_KIND_GID, ids);
		else
			break;
	}
	if (!ret && !users->count)
		return fail("users: write none, all, or any of uid A-B and gid A-B");
	return ret;
}

void users_put(struct nlmsghdr *nlh, const struct users *users)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, KRAW_PROTO_A_USERS);
	size_t i;

	for (i = 0; i < users->count; i++) {
		const struct user *user = &users->entry[i];
		struct nlattr *one = mnl_attr_nest_start(nlh,
							 KRAW_USERS_A_USER);

		mnl_attr_put_u8(nlh, KRAW_USER_A_KIND, user->kind);
		if (user->kind != KRAW_USER_KIND_ALL) {
			mnl_attr_put_u32(nlh, KRAW_USER_A_LOW, user->ids.min);
			mnl_attr_put_u32(nlh, KRAW_USER_A_HIGH, user->ids.max);
		}
		mnl_attr_nest_end(nlh, one);
	}
	mnl_attr_nest_end(nlh, nest);
}

void users_get_entry(const struct nlattr *nest, struct users *users)
{
	const struct nlattr *attrs[KRAW_USER_A_MAX + 1];
	struct user *user = &users->entry[users->count];

	if (users->count == USERS_MAX)
		return;
	user->kind = KRAW_USER_KIND_ALL;
	user->ids.min = 0;
	user->ids.max = UINT32_MAX;
	nl_nest(nest, attrs, KRAW_USER_A_MAX);
	if (!get_u8(attrs[KRAW_USER_A_KIND], &user->kind))
		return;
	get_u32(attrs[KRAW_USER_A_LOW], &user->ids.min);
	get_u32(attrs[KRAW_USER_A_HIGH], &user->ids.max);
	users->count++;
}

void users_get(const struct nlattr *nest, struct users *users)
{
	const struct nlattr *attr;

	users->count = 0;
	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) == KRAW_USERS_A_USER)
			users_get_entry(attr, users);
	}
}

/* ["all"], or [{ "uid": [1000, 1999] }, { "gid": [5, 5] }]. */
json_t *users_json(const struct users *users)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < users->count; i++) {
		const struct user *user = &users->entry[i];
		json_t *range, *one;

		if (user->kind == KRAW_USER_KIND_ALL) {
			json_array_append_new(list, json_string("all"));
			continue;
		}
		range = json_array();
		json_array_append_new(range, json_integer(user->ids.min));
		json_array_append_new(range, json_integer(user->ids.max));
		one = json_object();
		json_object_set_new(one,
				    user->kind == KRAW_USER_KIND_UID ? "uid" :
								       "gid",
				    range);
		json_array_append_new(list, one);
	}
	return list;
}
