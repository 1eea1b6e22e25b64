/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_BPF_H
#define KRAW_BPF_H

#include <linux/filter.h>

/* The kernel takes no longer program. */
#define BPF_MAX 4096

/*
 * Compiles a pcap expression for packets that start at their IP header. Both
 * results are to be freed: the program, and the expression as it is kept (on
 * one line).
 */
int bpf_compile(const char *expr, struct sock_filter **code, unsigned int *len,
		char **kept);

/* "2,48 0 0 9,6 0 0 1": a program as numbers, as iptables and tc write it. */
int bpf_parse(const char *text, struct sock_filter **code, unsigned int *len);
char *bpf_print(const struct sock_filter *code, unsigned int len);

#endif /* KRAW_BPF_H */
