// SPDX-License-Identifier: GPL-2.0
#include "config.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

void rule_clear(struct rule *rule)
{
	free(rule->bpf);
	free(rule->expr);
	free(rule->comment);
	memset(rule, 0, sizeof(*rule));
}

void handler_clear(struct handler *handler)
{
	free(handler->symbol);
	free(handler->module);
	memset(handler, 0, sizeof(*handler));
}

static void *grow(void *entries, size_t count, size_t *size, size_t each)
{
	if (count < *size)
		return entries;
	*size = *size ? *size * 2 : 16;
	return xrealloc(entries, *size * each);
}

static int add_proto(const struct nlmsghdr *nlh, void *data)
{
	struct proto_list *list = data;

	list->entry = grow(list->entry, list->count, &list->size,
			   sizeof(*list->entry));
	return proto_get(nlh, &list->entry[list->count++]);
}

static int add_rule(const struct nlmsghdr *nlh, void *data)
{
	struct rule_list *list = data;

	list->entry = grow(list->entry, list->count, &list->size,
			   sizeof(*list->entry));
	return rule_get(nlh, &list->entry[list->count++]);
}

int proto_list_get(struct proto_list *list)
{
	struct nl_msg msg;

	memset(list, 0, sizeof(*list));
	nl_begin(&msg, KRAW_CMD_PROTO_GET, 0);
	return nl_dump(&msg, add_proto, list, "proto show");
}

int rule_list_get(struct rule_list *list, const struct rule *filter)
{
	struct nl_msg msg;

	memset(list, 0, sizeof(*list));
	nl_begin(&msg, KRAW_CMD_RULE_GET, 0);
	if (filter && filter->set)
		rule_put(msg.nlh, filter);
	return nl_dump(&msg, add_rule, list, "rule show");
}

void proto_list_clear(struct proto_list *list)
{
	free(list->entry);
	memset(list, 0, sizeof(*list));
}

void rule_list_clear(struct rule_list *list)
{
	while (list->count)
		rule_clear(&list->entry[--list->count]);
	free(list->entry);
	memset(list, 0, sizeof(*list));
}
