/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_HEX_H
#define KRAW_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Bytes written in hexadecimal: pairs of digits; colons between them, as many
 * tools print them, are fine. There must be room for half of the word's length.
 * False: the word is something else.
 */
bool hex_read(const char *word, uint8_t *bytes, size_t *len);

/* The digits without anything in between, to be freed. */
char *hex_write(const uint8_t *bytes, size_t len);

#endif /* KRAW_HEX_H */
