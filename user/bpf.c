// SPDX-License-Identifier: GPL-2.0
/* First, see there. */
#include "libpcap.h"

#include "bpf.h"
#include "error.h"

#include <ctype.h>
#include <inttypes.h>
#include <linux/kraw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SNAPLEN 65535

/* On one line, without blanks at its ends. */
static int tidy(const char *expr, char **kept)
{
	char *text, *end;

	while (isspace((unsigned char)*expr))
		expr++;
	if (!*expr)
		return fail("match: the expression is empty, write one as in pcap-filter(7)");
	if (strlen(expr) > KRAW_EXPR_MAX)
		return fail("match: the expression has %zu characters, %d are possible",
			    strlen(expr), KRAW_EXPR_MAX);

	text = xstrdup(expr);
	for (end = text; *end; end++) {
		if (isspace((unsigned char)*end))
			*end = ' ';
		if (iscntrl((unsigned char)*end)) {
			fail("match '%s': control characters are not possible",
			     expr);
			free(text);
			return STATUS_USAGE;
		}
	}
	while (isspace((unsigned char)end[-1]))
		*--end = '\0';
	*kept = text;
	return 0;
}

/* A handle for compiling alone; it lives as long as the program does. */
static pcap_t *compiler(const struct libpcap *lib)
{
	static pcap_t *pcap;

	if (!pcap)
		pcap = lib->open_dead(DLT_RAW, SNAPLEN);
	return pcap;
}

static int copy_program(const struct bpf_program *program, const char *expr,
			struct sock_filter **code, unsigned int *len)
{
	unsigned int i;

	if (program->bf_len > BPF_MAX)
		return fail("match '%s': it makes %u instructions, %d are possible: split it into several rules",
			    expr, program->bf_len, BPF_MAX);
	*len = program->bf_len;
	*code = xalloc(*len * sizeof(**code));
	for (i = 0; i < *len; i++) {
		(*code)[i].code = program->bf_insns[i].code;
		(*code)[i].jt = program->bf_insns[i].jt;
		(*code)[i].jf = program->bf_insns[i].jf;
		(*code)[i].k = program->bf_insns[i].k;
	}
	return 0;
}

int bpf_compile(const char *expr, struct sock_filter **code, unsigned int *len,
		char **kept)
{
	const struct libpcap *lib;
	struct bpf_program program;
	pcap_t *pcap;
	int ret;

	ret = tidy(expr, kept);
	if (ret)
		return ret;
	ret = STATUS_REFUSED;
	lib = libpcap("match");
	if (!lib)
		goto out;
	pcap = compiler(lib);
	if (!pcap) {
		refused("match: libpcap does not work here");
		goto out;
	}
	if (lib->compile(pcap, &program, *kept, 1, PCAP_NETMASK_UNKNOWN) < 0) {
		ret = fail("match '%s': %s (packets start at their IP header here)",
			   *kept, lib->geterr(pcap));
		goto out;
	}
	ret = copy_program(&program, *kept, code, len);
	lib->freecode(&program);
out:
	if (ret) {
		free(*kept);
		*kept = NULL;
	}
	return ret;
}

int bpf_parse(const char *text, struct sock_filter **code, unsigned int *len)
{
	unsigned int count, i;
	const char *at = text;
	int used = 0;

	if (sscanf(at, "%u%n", &count, &used) != 1 || count < 1 ||
	    count > BPF_MAX)
		return fail("bytecode: starts with the number of instructions, 1 to %d",
			    BPF_MAX);
	at += used;
	*code = xalloc(count * sizeof(**code));
	for (i = 0; i < count; i++) {
		struct sock_filter *insn = &(*code)[i];

		used = 0;
		if (sscanf(at,
			   " , %" SCNu16 " %" SCNu8 " %" SCNu8 " %" SCNu32 "%n",
			   &insn->code, &insn->jt, &insn->jf, &insn->k,
			   &used) != 4)
			goto wrong;
		at += used;
	}
	if (*at)
		goto wrong;
	*len = count;
	return 0;
wrong:
	free(*code);
	*code = NULL;
	return fail("bytecode: instruction %u is wrong, write 'COUNT,CODE JT JF K,...'",
		    i + 1);
}

char *bpf_print(const struct sock_filter *code, unsigned int len)
{
	char *text = xalloc(16 + len * 32);
	unsigned int i, at;

	at = sprintf(text, "%u", len);
	for (i = 0; i < len; i++)
		at += sprintf(text + at, ",%u %u %u %u", code[i].code,
			      code[i].jt, code[i].jf, code[i].k);
	return text;
}
