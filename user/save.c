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

struct config {
	uint32_t generation;
	struct proto_list protos;
	struct rule_list rules;
};

static void forget(struct config *config)
{
	proto_list_clear(&config->protos);
	rule_list_clear(&config->rules);
}

/* All of it in one state: what changed in between is read anew. */
static int read_all(struct config *config)
{
	unsigned int tries;
	uint32_t after;
	int ret;

	for (tries = 0; tries < SAVE_TRIES; tries++) {
		ret = generation_get(&config->generation)	  ?:
			      proto_list_get(&config->protos)	  ?:
			      rule_list_get(&config->rules, NULL) ?:
			      generation_get(&after);
		if (ret || after == config->generation)
			return ret;
		forget(config);
	}
	return refused("save: the configuration keeps changing: try again");
}

static void print_line(const char *command, const struct field *fields,
		       const void *object)
{
	char *words = output_words(fields, object, false);

	printf("%s %s\n", command, words);
	free(words);
}

static void print_all(const struct config *config)
{
	size_t i;

	printf("# kraw configuration, generation %u\n", config->generation);
	if (!config->protos.count)
		puts("# nothing is managed: 'kraw flush' brings this about");
	for (i = 0; i < config->protos.count; i++)
		print_line("proto add", proto_fields, &config->protos.entry[i]);
	for (i = 0; i < config->rules.count; i++)
		print_line("rule add", rule_fields, &config->rules.entry[i]);
}

int save_main(struct args *args)
{
	struct config config = { 0 };
	int ret;

	ret = args_end(args) ?: nl_open();
	if (!ret)
		ret = read_all(&config);
	if (!ret) {
		print_all(&config);
		ret = output_flush();
	}
	forget(&config);
	return ret;
}
