/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_SUBCOMMANDS_H
#define KRAW_SUBCOMMANDS_H

#include "parse.h"

/* Each reads the words behind its name and returns a status. */
int apply_main(struct args *args);
int bindtab_main(struct args *args);
int explain_main(struct args *args);
int flush_main(struct args *args);
int listen_main(struct args *args);
int monitor_main(struct args *args);
int proto_main(struct args *args);
int rule_main(struct args *args);
int save_main(struct args *args);
int send_main(struct args *args);
int show_main(struct args *args);
int stats_main(struct args *args);
int trace_main(struct args *args);

extern const char apply_usage[];
extern const char bindtab_usage[];
extern const char explain_usage[];
extern const char flush_usage[];
extern const char listen_usage[];
extern const char monitor_usage[];
extern const char proto_usage[];
extern const char rule_usage[];
extern const char save_usage[];
extern const char send_usage[];
extern const char show_usage[];
extern const char stats_usage[];
extern const char trace_usage[];

/* The commands of an object, the first one is meant when no word follows. */
struct command {
	const char *name;
	int (*run)(struct args *args);
};

int command_run(const struct command *commands, const char *object,
		struct args *args);

/* Runs one whole command: "proto add 253". */
int subcommand_run(struct args *args);

/* "[proto P]" and no more; *number is -1 without it. */
int parse_filter(struct args *args, int *number);

#endif /* KRAW_SUBCOMMANDS_H */
