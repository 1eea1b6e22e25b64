// SPDX-License-Identifier: GPL-2.0
#include "parse.h"
#include "error.h"
#include "names.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <linux/kraw.h>
#include <net/if.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

const char *args_peek(const struct args *args)
{
	return *args->word;
}

const char *args_next(struct args *args)
{
	return *args->word ? *args->word++ : NULL;
}

bool args_take(struct args *args, const char *word)
{
	if (!*args->word || strcmp(*args->word, word))
		return false;
	args->word++;
	return true;
}

bool args_help(const struct args *args)
{
	const char *word = *args->word;

	return word && (!strcmp(word, "help") || !strcmp(word, "-h") ||
			!strcmp(word, "-help") || !strcmp(word, "--help"));
}

int args_value(struct args *args, const char *keyword, const char **value)
{
	*value = args_next(args);
	if (!*value)
		return fail("'%s' needs a value: nothing follows it", keyword);
	return 0;
}

int args_end(const struct args *args)
{
	if (*args->word)
		return fail("'%s' is not understood here: see 'kraw help'",
			    *args->word);
	return 0;
}

enum digits { DIGITS_OK, DIGITS_NONE, DIGITS_TOO_BIG };

/* Decimal digits up to the end of the text, nothing else. */
static enum digits read_digits(const char *text, const char *end, uint32_t max,
			       uint32_t *number)
{
	uint64_t value = 0;
	bool big = false;

	if (text == end)
		return DIGITS_NONE;
	for (; text != end; text++) {
		if (!isdigit((unsigned char)*text))
			return DIGITS_NONE;
		value = value * 10 + (*text - '0');
		if (value > max) {
			big = true;
			value = 0;
		}
	}
	*number = value;
	return big ? DIGITS_TOO_BIG : DIGITS_OK;
}

int parse_number(const char *keyword, const char *word, uint32_t max,
		 uint32_t *number)
{
	switch (read_digits(word, word + strlen(word), max, number)) {
	case DIGITS_OK:
		return 0;
	case DIGITS_TOO_BIG:
		return fail("%s %s: too large, the largest value is %u",
			    keyword, word, max);
	default:
		return fail("%s '%s': not a number from 0 to %u", keyword, word,
			    max);
	}
}

int parse_protocol(const char *word, uint8_t *number)
{
	uint32_t value;
	int known;

	switch (read_digits(word, word + strlen(word), 255, &value)) {
	case DIGITS_OK:
		*number = value;
		return 0;
	case DIGITS_TOO_BIG:
		return fail("protocol %s: protocol numbers end at 255", word);
	default:
		known = protocol_number(word);
		/* /etc/protocols knows mptcp as 262. */
		if (known > 255)
			return fail("protocol %s: its number %d is the kernel's own, no packet carries it",
				    word, known);
		if (known < 0)
			return fail("protocol '%s': unknown name, use a number from 0 to 255 or a name of /etc/protocols",
				    word);
		*number = known;
		return 0;
	}
}

int parse_range(const char *keyword, const char *word, uint32_t max,
		struct range *range)
{
	const char *end = word + strlen(word);
	const char *dash = strchr(word, '-');
	enum digits low, high;

	low = read_digits(word, dash ? dash : end, max, &range->min);
	if (dash) {
		high = read_digits(dash + 1, end, max, &range->max);
	} else {
		high = low;
		range->max = range->min;
	}
	if (low == DIGITS_NONE || high == DIGITS_NONE)
		return fail("%s '%s': not a range, write A-B or A", keyword,
			    word);
	if (low == DIGITS_TOO_BIG || high == DIGITS_TOO_BIG)
		return fail("%s %s: out of range, the largest value is %u",
			    keyword, word, max);
	if (range->min > range->max)
		return fail("%s %s: the range is backwards, write %s %u-%u",
			    keyword, word, keyword, range->max, range->min);
	return 0;
}

/* Clears what lies behind the prefix; tells whether anything was there. */
static bool clear_host_bits(struct prefix *prefix)
{
	unsigned int i, keep;
	bool dirty = false;
	uint8_t mask;

	for (i = 0; i < prefix->len; i++) {
		keep = prefix->bits > i * 8 ? prefix->bits - i * 8 : 0;
		mask = keep >= 8 ? 0xff : (uint8_t)(0xff00 >> keep);
		if (prefix->addr[i] & ~mask)
			dirty = true;
		prefix->addr[i] &= mask;
	}
	return dirty;
}

int parse_prefix(const char *keyword, const char *word, struct prefix *prefix)
{
	const char *slash = strchr(word, '/');
	char address[INET6_ADDRSTRLEN] = "";
	size_t len = slash ? (size_t)(slash - word) : strlen(word);
	uint32_t bits, most;
	int family;

	memset(prefix, 0, sizeof(*prefix));
	if (len < sizeof(address))
		memcpy(address, word, len);
	family = strchr(address, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(family, address, prefix->addr) != 1)
		return fail("%s '%s': not an IP address or prefix, write ADDRESS or ADDRESS/BITS",
			    keyword, word);

	prefix->len = family == AF_INET ? 4 : 16;
	most = prefix->len * 8;
	bits = most;
	if (slash && read_digits(slash + 1, word + strlen(word), most, &bits))
		return fail("%s '%s': the prefix length must be a number from 0 to %u",
			    keyword, word, most);

	prefix->bits = bits;
	if (clear_host_bits(prefix)) {
		inet_ntop(family, prefix->addr, address, sizeof(address));
		return fail("%s %s: has bits behind the prefix, write %s/%u for the network or %.*s for the host",
			    keyword, word, address, bits, (int)len, word);
	}
	return 0;
}

int parse_device(const char *keyword, const char *word)
{
	if (!*word || strlen(word) >= IFNAMSIZ)
		return fail("%s '%s': a device name has 1 to %d characters",
			    keyword, word, IFNAMSIZ - 1);
	if (!if_nametoindex(word)) {
		if (errno == ENODEV || errno == ENXIO)
			return fail("%s %s: no such device in this network namespace, see 'ip link'",
				    keyword, word);
		return refused("%s %s: %s", keyword, word, strerror(errno));
	}
	return 0;
}

int parse_dscp(const char *word, uint8_t *dscp)
{
	int known = dscp_number(word);
	uint32_t value;

	switch (read_digits(word, word + strlen(word), KRAW_DSCP_MAX, &value)) {
	case DIGITS_OK:
		*dscp = value;
		return 0;
	case DIGITS_TOO_BIG:
		return fail("dscp %s: too large, the largest value is %d", word,
			    KRAW_DSCP_MAX);
	default:
		if (known < 0)
			return fail("dscp '%s': use a number from 0 to %d or a name: cs0 to cs7, af11 to af43, ef, va or le",
				    word, KRAW_DSCP_MAX);
		*dscp = known;
		return 0;
	}
}

/* Decimal digits, or 0x and hexadecimal ones. */
static bool read_bits(const char *text, const char *end, uint32_t *bits)
{
	uint64_t value = 0;

	if (end - text < 3 || text[0] != '0' || (text[1] | 0x20) != 'x')
		return read_digits(text, end, UINT32_MAX, bits) == DIGITS_OK;
	for (text += 2; text != end; text++) {
		int c = tolower((unsigned char)*text);

		if (!isxdigit(c))
			return false;
		value = value * 16 + (isdigit(c) ? c - '0' : c - 'a' + 10);
		if (value > UINT32_MAX)
			return false;
	}
	*bits = value;
	return true;
}

int parse_mark(const char *word, uint32_t *mark, uint32_t *mask)
{
	const char *end = word + strlen(word);
	const char *slash = strchr(word, '/');

	*mask = UINT32_MAX;
	if (!read_bits(word, slash ? slash : end, mark) ||
	    (slash && !read_bits(slash + 1, end, mask)))
		return fail("mark '%s': write VALUE or VALUE/MASK, decimal or as 0x10, up to 0xffffffff",
			    word);
	if (*mark & ~*mask)
		return fail("mark %s: the value has bits outside of the mask, write mark 0x%x/0x%x",
			    word, *mark & *mask, *mask);
	return 0;
}

int parse_users(const char *word, struct range *uids)
{
	const struct passwd *user;

	/* Names may have a dash in them, but start with no digit. */
	if (isdigit((unsigned char)*word))
		return parse_range("uid", word, UINT32_MAX, uids);
	user = getpwnam(word);
	if (!user)
		return fail("uid '%s': no such user here, use a user's name, a number or a range A-B",
			    word);
	uids->min = user->pw_uid;
	uids->max = user->pw_uid;
	return 0;
}

int parse_rate(const char *word, uint32_t *rate)
{
	const char *slash = strchr(word, '/');
	const char *end = slash ? slash : word + strlen(word);

	switch (read_digits(word, end, UINT32_MAX, rate)) {
	case DIGITS_NONE:
		return fail("limit '%s': not a rate, write R/s, packets a second",
			    word);
	case DIGITS_TOO_BIG:
		return fail("limit %s: too large, the largest rate is %u/s",
			    word, UINT32_MAX);
	default:
		break;
	}
	if (!slash || strcmp(slash, "/s"))
		return fail("limit '%s': rates are in packets a second and in nothing else, write R/s",
			    word);
	if (!*rate)
		return fail("limit %s: the rule would never match, the smallest rate is 1/s",
			    word);
	return 0;
}

int parse_burst(const char *word, uint32_t *burst)
{
	int ret = parse_number("burst", word, UINT32_MAX, burst);

	if (!ret && !*burst)
		ret = fail("burst 0: the rule would never match, the smallest burst is 1");
	return ret;
}

int parse_comment(const char *word)
{
	char *clean = escape(word);
	bool same = !strcmp(clean, word);

	free(clean);
	if (!same)
		return fail("comment '%s': control characters, and what is no valid UTF-8, are not possible",
			    word);
	if (strlen(word) > KRAW_COMMENT_MAX)
		return fail("comment: it has %zu bytes, %d are possible",
			    strlen(word), KRAW_COMMENT_MAX);
	return 0;
}
