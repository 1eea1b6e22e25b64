// SPDX-License-Identifier: GPL-2.0
/* Messages by chance, see generate.h. */
#include "generate.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>

#define DEPTH_MAX 6
#define GOOD_MAX  16

enum kind {
	KIND_NONE,
	KIND_FLAG,
	KIND_U8,
	KIND_U16,
	KIND_U32,
	KIND_U64,
	KIND_BINARY,
	KIND_STRING,
	KIND_NEST,
	KINDS
};

struct value {
	uint16_t len;
	uint8_t bytes[64];
};

/* An attribute, or what is inside of a command. */
struct attr {
	uint16_t number;
	enum kind kind;
	bool required, multi;
	uint64_t min, max, mask;
	uint32_t min_len, max_len;
	struct value good[GOOD_MAX];
	uint32_t goods;
	struct attr *inside;
	uint32_t count;
};

struct command {
	uint8_t number;
	bool dump;
	struct attr top;
};

static struct command *commands;
static uint32_t commands_count;

/* A message in the making. */
struct out {
	uint8_t *data;
	size_t len, size;
	struct rng *rng;
	uint32_t errors; /* one place in so many is wrong; 0: none */
	uint32_t rare; /* one in so many optional attributes is there */
};

/* --- the grammar -------------------------------------------------------- */

static bool is_wrong(struct out *out)
{
	return out->errors && rng_one_in(out->rng, out->errors);
}

static void *grown(void *array, uint32_t count, size_t size)
{
	array = reallocarray(array, count + 1, size);
	if (!array)
		err(1, "memory");
	memset((char *)array + count * size, 0, size);
	return array;
}

static void read_good(struct attr *attr, char *text)
{
	for (char *word = strtok(text, " \n"); word;
	     word = strtok(NULL, " \n")) {
		struct value *value = &attr->good[attr->goods];
		unsigned int byte;

		if (attr->goods == GOOD_MAX ||
		    strlen(word) / 2 > sizeof(value->bytes))
			errx(1, "grammar: too much of '%s'", word);
		value->len = 0;
		for (; sscanf(word, "%2x", &byte) == 1; word += 2)
			value->bytes[value->len++] = (uint8_t)byte;
		attr->goods++;
	}
}

static void read_attr(struct attr **path, const char *line, char *text)
{
	unsigned int depth, number, kind, required, multi, min_len, max_len;
	unsigned long long min, max, mask;
	struct attr *parent, *attr;
	int end = 0;

	if (sscanf(line, "%u %u %u %u %u %llu %llu %llu %u %u %n", &depth,
		   &number, &kind, &required, &multi, &min, &max, &mask,
		   &min_len, &max_len, &end) != 10 ||
	    !depth || depth >= DEPTH_MAX || kind >= KINDS)
		errx(1, "grammar: %s", line);
	parent = path[depth - 1];
	parent->inside = grown(parent->inside, parent->count, sizeof(*attr));
	attr = &parent->inside[parent->count++];
	path[depth] = attr;
	attr->number = (uint16_t)number;
	attr->kind = kind;
	attr->required = required;
	attr->multi = multi;
	attr->min = min;
	attr->max = max;
	attr->mask = mask;
	attr->min_len = min_len;
	attr->max_len = max_len;
	read_good(attr, text + end);
}

void grammar_read(const char *path)
{
	struct attr *above[DEPTH_MAX] = { NULL };
	FILE *file = fopen(path, "r");
	char line[4096], text[4096];
	unsigned int number, mode;

	if (!file)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "command %u %u", &number, &mode) == 2) {
			commands = grown(commands, commands_count,
					 sizeof(*commands));
			commands[commands_count].number = (uint8_t)number;
			commands[commands_count].dump = mode;
			above[0] = &commands[commands_count++].top;
		} else if (above[0]) {
			memcpy(text, line, sizeof(text));
			read_attr(above, line, text);
		}
	}
	fclose(file);
	if (!commands_count)
		errx(1, "%s: no command", path);
}

/* --- attributes --------------------------------------------------------- */

static void put(struct out *out, const void *data, size_t len)
{
	if (len > out->size - out->len)
		len = out->size - out->len;
	memcpy(out->data + out->len, data, len);
	out->len += len;
}

static void put_random(struct out *out, size_t len)
{
	while (len--) {
		uint8_t byte = (uint8_t)rng_next(out->rng);

		put(out, &byte, 1);
	}
}

static void pad(struct out *out)
{
	static const uint8_t zeroes[4];

	if (!is_wrong(out))
		put(out, zeroes, -out->len & 3);
}

/* A number at the ends of a range, or near them, or inside. */
static uint64_t pick(struct out *out, const struct attr *attr)
{
	struct rng *rng = out->rng;
	uint64_t span = attr->max - attr->min;

	if (attr->mask && !is_wrong(out))
		return rng_next(rng) & attr->mask;
	if (is_wrong(out))
		return rng_one_in(rng, 2) ? attr->max + 1 : attr->min - 1;
	if (is_wrong(out))
		return rng_next(rng);
	switch (rng_below(rng, 4)) {
	case 0:
		return attr->min;
	case 1:
		return attr->max;
	default:
		return attr->min + rng_below(rng, span > 0xffff ?
							  0xffff :
							  (uint32_t)span + 1);
	}
}

static void put_number(struct out *out, const struct attr *attr)
{
	size_t size = (size_t)1 << (attr->kind - KIND_U8);
	uint64_t value = pick(out, attr);
	const char *low = (const char *)&value;

	if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
		low += sizeof(value) - size;
	put(out, low, size);
}

static void put_bytes(struct out *out, const struct attr *attr)
{
	uint32_t max = attr->max_len ? attr->max_len : 32;
	uint32_t len = attr->min_len + rng_below(out->rng, 24);

	if (rng_one_in(out->rng, 200))
		len = max; /* the longest is long: seldom */
	if (is_wrong(out))
		len = max + 1 + rng_below(out->rng, 8);
	if (attr->kind == KIND_STRING) {
		for (; len > 1; len--)
			put(out, "a", 1);
		put(out, "", !is_wrong(out));
	} else {
		put_random(out, len);
	}
}

static void put_inside(struct out *out, const struct attr *nest, int depth);

static void put_value(struct out *out, const struct attr *attr, int depth)
{
	const struct value *good;

	if (is_wrong(out)) {
		put_random(out, rng_below(out->rng, 12));
		return;
	}
	if (attr->goods && !rng_one_in(out->rng, 8)) {
		good = &attr->good[rng_below(out->rng, attr->goods)];
		put(out, good->bytes, good->len);
		return;
	}
	switch (attr->kind) {
	case KIND_U8:
	case KIND_U16:
	case KIND_U32:
	case KIND_U64:
		put_number(out, attr);
		break;
	case KIND_BINARY:
	case KIND_STRING:
		put_bytes(out, attr);
		break;
	case KIND_NEST:
		put_inside(out, attr, depth + 1);
		break;
	default:
		break;
	}
}

static void put_attr(struct out *out, const struct attr *attr, int depth)
{
	struct nlattr head = { .nla_type = attr->number };
	size_t start = out->len, len;

	if (attr->kind == KIND_NEST)
		head.nla_type |= NLA_F_NESTED;
	if (is_wrong(out))
		head.nla_type ^= NLA_F_NESTED;
	if (is_wrong(out))
		head.nla_type = (uint16_t)rng_next(out->rng);
	if (is_wrong(out))
		head.nla_type += rng_one_in(out->rng, 2) ? 1 : -1;
	put(out, &head, sizeof(head));
	put_value(out, attr, depth);
	len = out->len - start;
	if (is_wrong(out))
		len += rng_one_in(out->rng, 2) ? 1 : -1;
	if (is_wrong(out))
		len = rng_next(out->rng);
	head.nla_len = (uint16_t)len;
	if (start + sizeof(head) <= out->size)
		memcpy(out->data + start, &head, sizeof(head));
	pad(out);
}

static bool is_there(struct out *out, const struct attr *attr, int depth)
{
	if (attr->required)
		return !is_wrong(out);
	if (depth == 0) /* generation and flags mostly lead to nothing */
		return rng_one_in(out->rng, attr->kind == KIND_NEST ? 2 : 8);
	return rng_one_in(out->rng, out->rare);
}

/* Which attributes are in a nest, in which order and how often. */
static void put_inside(struct out *out, const struct attr *nest, int depth)
{
	uint32_t i, first = 0;

	if (is_wrong(out))
		first = rng_below(out->rng, nest->count);
	for (i = 0; i < nest->count; i++) {
		const struct attr
			*attr = &nest->inside[(i + first) % nest->count];
		uint32_t times = is_there(out, attr, depth);

		if (times && attr->multi) /* seldom more than anybody needs */
			times += rng_below(out->rng,
					   rng_one_in(out->rng, 16) ? 64 : 4);
		if (is_wrong(out))
			times++;
		while (times--)
			put_attr(out, attr, depth);
	}
	/* one that does not belong there, or is deeper than it should be */
	if (is_wrong(out) && depth < DEPTH_MAX && nest->count)
		put_attr(out,
			 rng_one_in(out->rng, 2) ?
				 nest :
				 &nest->inside[rng_below(out->rng, nest->count)],
			 depth + 1);
}

/* --- messages ----------------------------------------------------------- */

static uint16_t flags(struct out *out, bool dump)
{
	uint16_t good = NLM_F_REQUEST | NLM_F_ACK;

	if (dump)
		good |= NLM_F_DUMP;
	else if (rng_one_in(out->rng, 8))
		good |= NLM_F_ECHO;
	if (is_wrong(out))
		good ^= (uint16_t)(1 << rng_below(out->rng, 16));
	if (is_wrong(out))
		good = (uint16_t)rng_next(out->rng);
	return good;
}

size_t generate(struct rng *rng, uint8_t *data, size_t size, uint16_t family,
		uint32_t seq, int wrong)
{
	const struct command
		*command = &commands[rng_below(rng, commands_count)];
	struct out out = { .data = data,
			   .size = size,
			   .rng = rng,
			   .errors = wrong ? 64U / (uint32_t)wrong : 0,
			   .rare = 4 + rng_below(rng, 20) };
	struct genlmsghdr genl = { .cmd = command->number, .version = 1 };
	struct nlmsghdr head = { .nlmsg_type = family, .nlmsg_seq = seq };

	if (is_wrong(&out))
		genl.cmd = (uint8_t)rng_below(rng, 24);
	if (is_wrong(&out))
		genl.version = (uint8_t)rng_next(rng);
	if (is_wrong(&out))
		genl.reserved = (uint16_t)rng_next(rng);
	head.nlmsg_flags = flags(&out, command->dump);
	if (is_wrong(&out)) /* control messages, the controller's too */
		head.nlmsg_type = (uint16_t)rng_below(rng, 17);
	put(&out, &head, sizeof(head));
	put(&out, &genl, sizeof(genl));
	put_inside(&out, &command->top, 0);
	if (is_wrong(&out))
		put_random(&out, rng_below(rng, 40));
	if (is_wrong(&out))
		out.len -= rng_below(rng, (uint32_t)out.len - 4);
	head.nlmsg_len = (uint32_t)out.len;
	if (is_wrong(&out))
		head.nlmsg_len = rng_one_in(rng, 2) ?
					 rng_next(rng) :
					 rng_below(rng, (uint32_t)out.len + 20);
	if (out.len >= sizeof(head))
		memcpy(data, &head, sizeof(head));
	return out.len;
}
