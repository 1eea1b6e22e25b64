// SPDX-License-Identifier: GPL-2.0
#include "hex.h"
#include "error.h"

#include <ctype.h>
#include <stdio.h>

static int digit(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	c = tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_read(const char *word, uint8_t *bytes, size_t *len)
{
	int high, low;

	*len = 0;
	while (*word) {
		high = digit(word[0]);
		low = high < 0 ? -1 : digit(word[1]);
		if (low < 0)
			return false;
		bytes[(*len)++] = high << 4 | low;
		word += 2;
		if (*word == ':' && word[1])
			word++;
	}
	return true;
}

char *hex_write(const uint8_t *bytes, size_t len)
{
	char *text = xalloc(2 * len + 1);
	size_t i;

	text[0] = '\0';
	for (i = 0; i < len; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	return text;
}
