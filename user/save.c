// SPDX-License-Identifier: GPL-2.0
#include "config.h"
#include "describe.h"
#include "error.h"
#include "subcommands.h"

#include <stdio.h>
#include <stdlib.h>

/* The configuration is read in two parts; so often may it change in between. */
#define SAVE_TRIES 100

const char save_usage[] =
	"Usage: kraw save\n"
	"Prints the configuration of this network namespace as 'kraw apply' takes it.\n";

/* Do both lists describe the same configuration? */
static bool consistent(const struct proto_list *protos,
		       const struct rule_list *rules)
{
	size_t expected = 0;
	size_t i;

	for (i = 0; i < protos->count; i++)
		expected += protos->entry[i].rules;
	if (expected != rules->count)
		return false;
	for (i = 0; i < rules->count; i++)
		if (rules->entry[i].generation != protos->entry[0].generation)
			return false;
	return true;
}

static int read_all(struct proto_list *protos, struct rule_list *rules)
{
	unsigned int tries;
	int ret;

	for (tries = 0; tries < SAVE_TRIES; tries++) {
		ret = proto_list_get(protos);
		if (!ret)
			ret = rule_list_get(rules, NULL);
		if (ret || consistent(protos, rules))
			return ret;
		proto_list_clear(protos);
		rule_list_clear(rules);
	}
	return refused("save: the configuration keeps changing: try again");
}

static void print_line(const char *command, const struct field *fields,
		       const void *object)
{
	char *words = output_words(fields, object, true);

	printf("%s %s\n", command, words);
	free(words);
}

static void print_all(const struct proto_list *protos,
		      const struct rule_list *rules)
{
	size_t i;

	if (!protos->count) {
		puts("# kraw configuration: nothing is managed, as after 'kraw flush'");
		return;
	}
	printf("# kraw configuration, generation %u\n",
	       protos->entry[0].generation);
	for (i = 0; i < protos->count; i++)
		print_line("proto add", proto_fields, &protos->entry[i]);
	for (i = 0; i < rules->count; i++)
		print_line("rule add", rule_fields, &rules->entry[i]);
}

int save_main(struct args *args)
{
	struct proto_list protos = { 0 };
	struct rule_list rules = { 0 };
	int ret;

	ret = args_end(args) ?: nl_open();
	if (!ret)
		ret = read_all(&protos, &rules);
	if (!ret) {
		print_all(&protos, &rules);
		ret = output_flush();
	}
	proto_list_clear(&protos);
	rule_list_clear(&rules);
	return ret;
}
