// SPDX-License-Identifier: GPL-2.0
/* Counters in the text format that Prometheus reads, version 0.0.4. */
#include "config.h"
#include "counters.h"
#include "names.h"
#include "output.h"
#include "stats.h"

#include <inttypes.h>
#include <stdio.h>

/* A label's value, in quotes. */
static void print_label(const char *name, const char *value)
{
	printf("%s=\"", name);
	for (; *value; value++) {
		if (*value == '\n')
			fputs("\\n", stdout);
		else if (*value == '"' || *value == '\\')
			printf("\\%c", *value);
		else
			putchar(*value);
	}
	putchar('"');
}

/* What is not known is left out: that is what the format has for it. */
static int print_samples(const struct proto *proto, unsigned int family,
			 void *data)
{
	const struct proto_stats *stats = &proto->stats[family];
	const char *name = protocol_name(proto->number);
	const struct counter_group *group = data;
	unsigned int i, attr;

	for (i = 0; (attr = group->list[i].attr); i++) {
		if (!counter_known(stats, attr))
			continue;
		printf("%s{proto=\"%u\",", group->metric, proto->number);
		print_label("name", name ? name : "");
		printf(",family=\"%s\"", stats_family(family));
		if (group->label) {
			putchar(',');
			print_label(group->label, group->list[i].value);
		}
		printf("} %" PRIu64 "\n", stats->count[attr]);
	}
	return 0;
}

int stats_prometheus(const struct proto_list *list)
{
	const struct counter_group *group;

	for (group = counter_groups; group->title; group++) {
		printf("# HELP %s %s\n# TYPE %s counter\n", group->metric,
		       group->help, group->metric);
		stats_each(list, print_samples, (void *)group);
	}
	return output_flush();
}
