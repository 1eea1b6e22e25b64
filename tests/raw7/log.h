/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a case received, in the output, so that two runs can be compared: the
 * bytes as a hash, without what the kernel chooses anew each time, and the
 * control data.
 */
#ifndef RAW7_LOG_H
#define RAW7_LOG_H

#include "lab.h"

#define HASH_START 0xcbf29ce484222325ULL

uint64_t hash_bytes(uint64_t hash, const void *data, size_t len);
/* What a socket of this domain and protocol got. */
uint64_t hash_got(int domain, int proto, const struct got *got);
/* Its control data: types, values, of timestamps only that they are there. */
uint64_t hash_control(const struct got *got);

void log_case(const char *id);
void log_quiet(bool quiet);
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_got(int fd, const struct got *got);
void log_wire(enum wire wire, const struct got *got);

#endif /* RAW7_LOG_H */
