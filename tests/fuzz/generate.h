/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Messages by chance: from a grammar (see grammar.py), good ones and such that
 * are wrong in one place or several. The same seed makes the same messages.
 */
#ifndef KRAW_FUZZ_GENERATE_H
#define KRAW_FUZZ_GENERATE_H

#include "rng.h"

#include <stddef.h>
#include <stdint.h>

/* Reads the grammar; exits if it makes no sense. */
void grammar_read(const char *path);

/*
 * Writes one message, all of its header included, at most size bytes; its length.
 * wrong: how much of it is to be wrong, 0: nothing. It need not be what its header
 * says.
 */
size_t generate(struct rng *rng, uint8_t *data, size_t size, uint16_t family,
		uint32_t seq, int wrong);

#endif
