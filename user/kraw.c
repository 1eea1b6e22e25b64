// SPDX-License-Identifier: GPL-2.0
#include "error.h"
#include "lines.h"
#include "names.h"
#include "netlink.h"
#include "netns.h"
#include "output.h"
#include "subcommands.h"
#include "version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *name;
	int (*main)(struct args *args);
	const char *usage;
	const char *purpose;
} subcommands[] = {
	{ "show", show_main, show_usage,
	  "who receives what: handlers, sockets, verdicts" },
	{ "proto", proto_main, proto_usage, "the managed protocols" },
	{ "rule", rule_main, rule_usage, "the rules of managed protocols" },
	{ "stats", stats_main, stats_usage, "counters of managed protocols" },
	{ "explain", explain_main, explain_usage,
	  "what would happen to a packet, step by step" },
	{ "trace", trace_main, trace_usage,
	  "what becomes of each packet, live" },
	{ "monitor", monitor_main, monitor_usage,
	  "changes of the configuration, live" },
	{ "listen", listen_main, listen_usage,
	  "receive datagrams, by raw or datagram sockets" },
	{ "send", send_main, send_usage, "send some" },
	{ "bindtab", bindtab_main, bindtab_usage,
	  "which sockets may share a port, on this very kernel" },
	{ "save", save_main, save_usage,
	  "the whole configuration, as apply takes it" },
	{ "apply", apply_main, apply_usage,
	  "make a file the whole configuration" },
	{ "flush", flush_main, flush_usage, "manage nothing any more" },
};

static struct {
	const char *netns;
	const char *batch;
	bool force;
} run;

static void print_help(FILE *file)
{
	unsigned int i;

	fputs("Usage: kraw [OPTIONS] OBJECT [COMMAND] [ARGUMENTS]\n"
	      "       kraw [OPTIONS] -b FILE\n"
	      "\n"
	      "OBJECT:\n",
	      file);
	for (i = 0; i < ARRAY_SIZE(subcommands); i++)
		fprintf(file, "  %-10s%s\n", subcommands[i].name,
			subcommands[i].purpose);
	fputs("\n"
	      "OPTIONS:\n"
	      "  -j, -json         print JSON\n"
	      "  -p, -pretty       JSON on several lines, indented\n"
	      "  -s, -statistics   print counters too\n"
	      "  -d, -details      print more\n"
	      "  -n, -netns NAME   work in this network namespace, or in that of a path\n"
	      "  -all-netns        show: all network namespaces\n"
	      "  -b, -batch FILE   run the commands in FILE, one a line; - is standard input\n"
	      "  -force            go on after an error in a batch\n"
	      "  -c, -color[=auto|always|never]\n"
	      "  -V, -version      print the version\n"
	      "  -h, -help         print this\n"
	      "\n"
	      "See 'kraw OBJECT help', kraw(8).\n",
	      file);
}

int command_run(const struct command *commands, const char *object,
		struct args *args)
{
	const struct command *command;
	char known[128] = "";
	const char *word;
	size_t len = 0;

	if (!args_peek(args))
		return commands->run(args);
	word = canonical(args_next(args));
	for (command = commands; command->name; command++) {
		if (!strcmp(word, command->name))
			return command->run(args);
		len += snprintf(known + len, sizeof(known) - len, "%s%s",
				len ? ", " : "", command->name);
	}
	return fail("%s has no command '%s': use one of %s", object, word,
		    known);
}

int parse_filter(struct args *args, int *number)
{
	const char *word;
	uint8_t value;
	int ret;

	*number = -1;
	if (!args_peek(args))
		return 0;
	if (strcmp(canonical(args_peek(args)), "proto"))
		return args_end(args);
	args_next(args);
	ret = args_value(args, "proto", &word);
	if (!ret)
		ret = parse_protocol(word, &value);
	if (!ret)
		*number = value;
	return ret ? ret : args_end(args);
}

/* "kraw proto help", "kraw proto add help" */
static bool asks_help(const struct args *args)
{
	struct args rest = *args;

	if (args_help(&rest))
		return true;
	args_next(&rest);
	return args_help(&rest) && !rest.word[1];
}

int subcommand_run(struct args *args)
{
	const char *name;
	unsigned int i;

	if (args_help(args)) {
		print_help(stdout);
		return output_flush();
	}
	name = canonical(args_next(args));
	for (i = 0; i < ARRAY_SIZE(subcommands); i++) {
		if (strcmp(name, subcommands[i].name))
			continue;
		if (asks_help(args)) {
			fputs(subcommands[i].usage, stdout);
			return output_flush();
		}
		if (options.all_netns && subcommands[i].main != show_main)
			return fail("-all-netns is for show: %s works in one network namespace, choose it with -n",
				    name);
		return subcommands[i].main(args);
	}
	return fail("'%s' is no object of kraw: see 'kraw help'", name);
}

static int run_batch(const char *name)
{
	struct lines lines;
	struct args args;
	int first = 0;
	int ret;

	ret = lines_open(&lines, name);
	options.batch_input = !strcmp(name, "-");
	while (!ret) {
		ret = lines_next(&lines, &args);
		if (ret || !args_peek(&args))
			break;
		args_take(&args, "kraw");
		if (args_peek(&args))
			ret = subcommand_run(&args);
		if (!first)
			first = ret;
		if (run.force)
			ret = 0;
	}
	lines_close(&lines);
	return ret ? ret : first;
}

static int set_colour(const char *when)
{
	if (!when || !strcmp(when, "always"))
		options.colour = true;
	else if (!strcmp(when, "never"))
		options.colour = false;
	else if (strcmp(when, "auto"))
		return fail("-color=%s: use auto, always or never", when);
	return 0;
}

static bool is_option(const char *word, const char *brief, const char *full)
{
	word += word[1] == '-' ? 2 : 1;
	return (brief && !strcmp(word, brief)) || !strcmp(word, full);
}

/* One option; *done: there is nothing more to do. */
static int read_option(struct args *args, bool *done)
{
	const char *word = args_next(args);
	const char *value = strchr(word, '=');

	if (is_option(word, "j", "json")) {
		options.json = true;
	} else if (is_option(word, "p", "pretty")) {
		options.pretty = true;
	} else if (is_option(word, "s", "statistics") ||
		   is_option(word, "stats", "statistics")) {
		options.statistics = true;
	} else if (is_option(word, "d", "details")) {
		options.details = true;
	} else if (is_option(word, "n", "netns")) {
		return args_value(args, word, &run.netns);
	} else if (is_option(word, NULL, "all-netns")) {
		options.all_netns = true;
	} else if (is_option(word, "b", "batch")) {
		return args_value(args, word, &run.batch);
	} else if (is_option(word, NULL, "force")) {
		run.force = true;
	} else if (is_option(word, "c", "color") || !strncmp(word, "-c=", 3) ||
		   !strncmp(word, "-color=", 7) ||
		   !strncmp(word, "--color=", 8)) {
		return set_colour(value ? value + 1 : NULL);
	} else if (is_option(word, "V", "version")) {
		puts("kraw, version " KRAW_VERSION);
		*done = true;
		return output_flush();
	} else if (is_option(word, "h", "help")) {
		print_help(stdout);
		*done = true;
		return output_flush();
	} else {
		return fail("unknown option '%s': see 'kraw help'", word);
	}
	return 0;
}

static int run_all(struct args *args)
{
	const char *no_colour = getenv("NO_COLOR");
	bool done = false;
	int ret = 0;

	options.colour = isatty(STDOUT_FILENO) && !(no_colour && *no_colour);
	while (!ret && !done && args_peek(args) && *args_peek(args) == '-')
		ret = read_option(args, &done);
	if (ret || done)
		return ret;
	if (run.netns) {
		ret = netns_enter(run.netns);
		if (ret)
			return ret;
	}
	if (run.batch)
		return args_end(args) ?: run_batch(run.batch);
	if (!args_peek(args)) {
		print_help(stderr);
		return STATUS_USAGE;
	}
	return subcommand_run(args);
}

int main(int argc, char **argv)
{
	struct args args = { argc ? argv + 1 : argv };
	int ret = run_all(&args);

	nl_close();
	return ret;
}
