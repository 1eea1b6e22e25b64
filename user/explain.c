// SPDX-License-Identifier: GPL-2.0
/* kraw explain: a packet described by the user, and the kernel's answer. */
#include "explain.h"
#include "describe.h"
#include "error.h"
#include "hex.h"
#include "names.h"
#include "subcommands.h"

#include <arpa/inet.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

const char explain_usage[] =
	"Usage: kraw explain proto P src ADDRESS dst ADDRESS [dev IF] [len N] [ttl N]\n"
	"                    [dscp D] [mark M] [fragment] [sport N] [dport N]\n"
	"                    [payload HEX]\n"
	"What would happen to such a packet if it came in, step by step. Needs\n"
	"CAP_NET_ADMIN. len is that of the whole packet, zeroes follow the payload.\n"
	"sport and dport put the header of a claim with ports before the payload.\n"
	"       kraw explain open P [family { ipv4 | ipv6 }] [uid USER] [gid GROUP]\n"
	"Whether we, or somebody, may open a datagram socket of this protocol, and why.\n";

/* Everything that comes of one question. */
struct answer {
	struct packet packet;
	struct rule rule;
	struct handler handler;
	struct owners *owners; /* of the sockets, in the order of their steps */
	size_t sockets;
	struct step *step;
	size_t count, size;
};

static int parse_address(const char *keyword, const char *word,
			 struct packet *packet, uint8_t *address)
{
	int family = strchr(word, ':') ? AF_INET6 : AF_INET;

	if (inet_pton(family, word, address) != 1)
		return fail("%s '%s': not an IP address", keyword, word);
	if (packet->family && packet->family != family)
		return fail("%s %s: source and destination are of different families",
			    keyword, word);
	packet->family = family;
	return 0;
}

static int parse_payload(const char *word, struct packet *packet)
{
	free(packet->payload);
	packet->payload = xalloc(strlen(word) / 2 + 1);
	if (!hex_read(word, packet->payload, &packet->payload_len))
		return fail("payload '%s': not bytes in hexadecimal, write two digits each",
			    word);
	if (packet->payload_len > KRAW_PAYLOAD_MAX)
		return fail("payload: %zu bytes are too many, at most %u: say how long the packet is with len, zeroes are added",
			    packet->payload_len, KRAW_PAYLOAD_MAX);
	return 0;
}

static int parse_byte(const char *keyword, const char *word, uint8_t *value)
{
	uint32_t number;
	int ret = parse_number(keyword, word, UINT8_MAX, &number);

	if (!ret)
		*value = number;
	return ret;
}

static int parse_dev(const char *word, struct packet *packet)
{
	int ret = parse_device("dev", word);

	if (!ret)
		strncpy(packet->dev, word, sizeof(packet->dev) - 1);
	return ret;
}

static int parse_packet_mark(const char *word, struct packet *packet)
{
	uint32_t mask;

	if (strchr(word, '/'))
		return fail("mark %s: a packet has a mark and no mask, write mark VALUE",
			    word);
	return parse_mark(word, &packet->mark, &mask);
}

static int parse_value(const char *keyword, const char *word,
		       struct packet *packet, unsigned int attr)
{
	switch (attr) {
	case KRAW_PACKET_A_PROTO:
		return parse_protocol(word, &packet->proto);
	case KRAW_PACKET_A_SRC:
		return parse_address(keyword, word, packet, packet->src);
	case KRAW_PACKET_A_DST:
		return parse_address(keyword, word, packet, packet->dst);
	case KRAW_PACKET_A_DEV:
		return parse_dev(word, packet);
	case KRAW_PACKET_A_LEN:
		return parse_number(keyword, word, UINT32_MAX, &packet->len);
	case KRAW_PACKET_A_TTL:
		return parse_byte(keyword, word, &packet->ttl);
	case KRAW_PACKET_A_DSCP:
		return parse_dscp(word, &packet->dscp);
	case KRAW_PACKET_A_MARK:
		return parse_packet_mark(word, packet);
	default:
		return parse_payload(word, packet);
	}
}

static unsigned int attr_of(const char *word)
{
	static const char *const words[KRAW_PACKET_A_MAX + 1] = {
		[KRAW_PACKET_A_PROTO] = "proto",
		[KRAW_PACKET_A_SRC] = "src",
		[KRAW_PACKET_A_DST] = "dst",
		[KRAW_PACKET_A_DEV] = "dev",
		[KRAW_PACKET_A_LEN] = "len",
		[KRAW_PACKET_A_TTL] = "ttl",
		[KRAW_PACKET_A_DSCP] = "dscp",
		[KRAW_PACKET_A_MARK] = "mark",
		[KRAW_PACKET_A_FRAGMENT] = "fragment",
		[KRAW_PACKET_A_PAYLOAD] = "payload",
	};
	unsigned int attr;

	for (attr = 1; attr <= KRAW_PACKET_A_MAX; attr++)
		if (words[attr] && !strcmp(word, words[attr]))
			return attr;
	return 0;
}

/* The ports, which are no attributes: they become part of the payload. */
static int parse_port(struct args *args, const char *keyword, bool *has,
		      uint16_t *port)
{
	const char *word;
	uint32_t number;
	int ret;

	if (*has)
		return fail("'%s' is there twice", keyword);
	ret = args_value(args, keyword, &word) ?:
		      parse_number(keyword, word, UINT16_MAX, &number);
	if (ret)
		return ret;
	*has = true;
	*port = number;
	return 0;
}

/* UDP's layout; nobody looks at the checksum. */
static int add_header(struct packet *packet)
{
	uint32_t before = packet->family == AF_INET ? 20 : 40;
	uint32_t len = packet->payload_len + sizeof(struct udphdr);
	struct udphdr header = { 0 };
	uint8_t *payload;

	if (packet->set & BIT(KRAW_PACKET_A_LEN)) {
		if (packet->len < before + len)
			return fail("len %u: too short for the headers and the payload, %u at least",
				    packet->len, before + len);
		len = packet->len - before;
	}
	if (len > UINT16_MAX ||
	    packet->payload_len + sizeof(header) > KRAW_PAYLOAD_MAX)
		return fail("the packet is too long for a header with ports");
	header.source = htons(packet->sport);
	header.dest = htons(packet->dport);
	header.len = htons(len);
	payload = xalloc(packet->payload_len + sizeof(header));
	memcpy(payload, &header, sizeof(header));
	if (packet->payload_len)
		memcpy(payload + sizeof(header), packet->payload,
		       packet->payload_len);
	free(packet->payload);
	packet->payload = payload;
	packet->payload_len += sizeof(header);
	packet->set |= BIT(KRAW_PACKET_A_PAYLOAD);
	return 0;
}

static int parse_word(struct args *args, struct packet *packet)
{
	const char *keyword = canonical(args_next(args)), *word;
	unsigned int attr;

	if (!strcmp(keyword, "sport"))
		return parse_port(args, keyword, &packet->has_sport,
				  &packet->sport);
	if (!strcmp(keyword, "dport"))
		return parse_port(args, keyword, &packet->has_dport,
				  &packet->dport);
	attr = attr_of(keyword);
	if (!attr)
		return fail("'%s' is not understood here: see 'kraw explain help'",
			    keyword);
	if (packet->set & BIT(attr))
		return fail("'%s' is there twice", keyword);
	packet->set |= BIT(attr);
	if (attr == KRAW_PACKET_A_FRAGMENT)
		return 0;
	return args_value(args, keyword, &word) ?:
		       parse_value(keyword, word, packet, attr);
}

static int packet_parse(struct args *args, struct packet *packet)
{
	int ret = 0;

	while (!ret && args_peek(args))
		ret = parse_word(args, packet);
	if (ret)
		return ret;
	if (!(packet->set & BIT(KRAW_PACKET_A_PROTO)))
		return fail("which protocol? Say proto P");
	if (!(packet->set & BIT(KRAW_PACKET_A_SRC)) ||
	    !(packet->set & BIT(KRAW_PACKET_A_DST)))
		return fail("from where to where? Say src ADDRESS and dst ADDRESS");
	if (packet->has_sport || packet->has_dport)
		return add_header(packet);
	return 0;
}

static void packet_put(struct nl_msg *msg, const struct packet *packet)
{
	size_t len = packet->family == AF_INET ? 4 : 16;
	struct nlmsghdr *nlh;
	struct nlattr *nest;

	nl_reserve(msg, packet->payload_len + 256);
	nlh = msg->nlh;
	nest = mnl_attr_nest_start(nlh, KRAW_A_PACKET);
	mnl_attr_put_u8(nlh, KRAW_PACKET_A_PROTO, packet->proto);
	mnl_attr_put(nlh, KRAW_PACKET_A_SRC, len, packet->src);
	mnl_attr_put(nlh, KRAW_PACKET_A_DST, len, packet->dst);
	if (packet->set & BIT(KRAW_PACKET_A_DEV))
		mnl_attr_put_strz(nlh, KRAW_PACKET_A_DEV, packet->dev);
	if (packet->set & BIT(KRAW_PACKET_A_LEN))
		mnl_attr_put_u32(nlh, KRAW_PACKET_A_LEN, packet->len);
	if (packet->set & BIT(KRAW_PACKET_A_TTL))
		mnl_attr_put_u8(nlh, KRAW_PACKET_A_TTL, packet->ttl);
	if (packet->set & BIT(KRAW_PACKET_A_DSCP))
		mnl_attr_put_u8(nlh, KRAW_PACKET_A_DSCP, packet->dscp);
	if (packet->set & BIT(KRAW_PACKET_A_MARK))
		mnl_attr_put_u32(nlh, KRAW_PACKET_A_MARK, packet->mark);
	if (packet->set & BIT(KRAW_PACKET_A_FRAGMENT))
		mnl_attr_put(nlh, KRAW_PACKET_A_FRAGMENT, 0, NULL);
	if (packet->set & BIT(KRAW_PACKET_A_PAYLOAD))
		mnl_attr_put(nlh, KRAW_PACKET_A_PAYLOAD, packet->payload_len,
			     packet->payload);
	mnl_attr_nest_end(nlh, nest);
}

/* What the kernel has added to the description. */
static void packet_get(const struct nlattr *nest, struct packet *packet)
{
	const struct nlattr *attrs[KRAW_PACKET_A_MAX + 1];
	char *dev;

	nl_nest(nest, attrs, KRAW_PACKET_A_MAX);
	get_u32(attrs[KRAW_PACKET_A_LEN], &packet->len);
	get_u8(attrs[KRAW_PACKET_A_TTL], &packet->ttl);
	dev = get_text(attrs[KRAW_PACKET_A_DEV]);
	if (dev)
		strncpy(packet->dev, dev, sizeof(packet->dev) - 1);
	free(dev);
}

static void get_address(const struct nlattr *attr, uint8_t *address)
{
	uint16_t len = attr ? mnl_attr_get_payload_len(attr) : 0;

	if (len == 4 || len == 16)
		memcpy(address, mnl_attr_get_payload(attr), len);
}

static void step_get(const struct nlattr *nest, struct step *step)
{
	const struct nlattr *attrs[KRAW_STEP_A_MAX + 1];
	unsigned int i;

	nl_nest(nest, attrs, KRAW_STEP_A_MAX);
	for (i = 1; i <= KRAW_STEP_A_MAX; i++)
		if (attrs[i])
			step->set |= BIT(i);
	get_u8(attrs[KRAW_STEP_A_KIND], &step->kind);
	get_u32(attrs[KRAW_STEP_A_FIELDS], &step->fields);
	get_u8(attrs[KRAW_STEP_A_FAMILY], &step->family);
	get_u8(attrs[KRAW_STEP_A_SRC_PREFIX], &step->src_prefix);
	get_u8(attrs[KRAW_STEP_A_DST_PREFIX], &step->dst_prefix);
	get_u32(attrs[KRAW_STEP_A_MARK_MASK], &step->mark_mask);
	get_u32(attrs[KRAW_STEP_A_PREF], &step->pref);
	get_u32(attrs[KRAW_STEP_A_RULES], &step->rules);
	get_u8(attrs[KRAW_STEP_A_SHAPE_RESULT], &step->shape_result);
	get_u8(attrs[KRAW_STEP_A_DECIDER], &step->decider);
	get_u8(attrs[KRAW_STEP_A_VERDICT], &step->verdict);
	get_u8(attrs[KRAW_STEP_A_UNREACH], &step->unreach);
	get_u32(attrs[KRAW_STEP_A_INODE], &step->inode);
	get_address(attrs[KRAW_STEP_A_LOCAL], step->local);
	get_address(attrs[KRAW_STEP_A_PEER], step->peer);
	step->dev = get_text(attrs[KRAW_STEP_A_DEV]);
	get_u8(attrs[KRAW_STEP_A_SOCKET_RESULT], &step->socket_result);
	get_u32(attrs[KRAW_STEP_A_MATCHING], &step->matching);
	get_u32(attrs[KRAW_STEP_A_COPIES], &step->copies);
	get_u16(attrs[KRAW_STEP_A_LOCAL_PORT], &step->local_port);
	get_u16(attrs[KRAW_STEP_A_PEER_PORT], &step->peer_port);
	get_u8(attrs[KRAW_STEP_A_DGRAM_RESULT], &step->dgram_result);
	get_u32(attrs[KRAW_STEP_A_DGRAMS], &step->dgrams);
	get_u8(attrs[KRAW_STEP_A_ICMP_RESULT], &step->icmp_result);
	get_u8(attrs[KRAW_STEP_A_ICMP_TYPE], &step->icmp_type);
	get_u8(attrs[KRAW_STEP_A_ICMP_CODE], &step->icmp_code);
	get_u32(attrs[KRAW_STEP_A_ICMP_POINTER], &step->icmp_pointer);
}

static struct step *add_step(struct answer *answer)
{
	if (answer->count == answer->size) {
		answer->size = answer->size ? answer->size * 2 : 32;
		answer->step = xrealloc(answer->step,
					answer->size * sizeof(*answer->step));
	}
	memset(&answer->step[answer->count], 0, sizeof(*answer->step));
	return &answer->step[answer->count++];
}

static int message_get(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attrs[KRAW_A_MAX + 1];
	struct answer *answer = data;
	struct step *step;
	int ret;

	ret = nl_attrs(nlh, attrs, KRAW_A_MAX);
	if (ret)
		return ret;
	if (!attrs[KRAW_A_STEP])
		return refused("the kernel's answer has no step in it");
	step = add_step(answer);
	step_get(attrs[KRAW_A_STEP], step);
	step->packet = &answer->packet;
	if (attrs[KRAW_A_PACKET])
		packet_get(attrs[KRAW_A_PACKET], &answer->packet);
	if (attrs[KRAW_A_RULE]) {
		rule_clear(&answer->rule);
		ret = rule_get(nlh, &answer->rule);
		step->rule = &answer->rule;
	}
	if (!ret && attrs[KRAW_A_HANDLER]) {
		handler_clear(&answer->handler);
		ret = handler_get(nlh, &answer->handler);
		step->handler = &answer->handler;
	}
	return ret;
}

/* The processes that hold the sockets: best effort, the kernel names inodes. */
static void find_owners(struct answer *answer)
{
	struct owners **sockets;
	size_t i, count = 0;

	answer->owners = xalloc((answer->count + 1) * sizeof(*answer->owners));
	sockets = xalloc((answer->count + 1) * sizeof(*sockets));
	for (i = 0; i < answer->count; i++) {
		if (answer->step[i].kind != KRAW_STEP_KIND_SOCKET &&
		    answer->step[i].kind != KRAW_STEP_KIND_DGRAM)
			continue;
		answer->owners[count] = (struct owners){
			.inode = answer->step[i].inode,
		};
		answer->step[i].owners = &answer->owners[count];
		sockets[count] = &answer->owners[count];
		count++;
	}
	answer->sockets = count;
	owners_find(sockets, count);
	free(sockets);
}

static void answer_clear(struct answer *answer)
{
	size_t i;

	for (i = 0; i < answer->count; i++)
		free(answer->step[i].dev);
	free(answer->step);
	free(answer->packet.payload);
	rule_clear(&answer->rule);
	handler_clear(&answer->handler);
	for (i = 0; i < answer->sockets; i++)
		owners_clear(&answer->owners[i]);
	free(answer->owners);
}

static int ask(struct answer *answer)
{
	struct nl_msg msg;
	int ret;

	ret = nl_open();
	if (ret)
		return ret;
	nl_begin(&msg, KRAW_CMD_EXPLAIN, 0);
	packet_put(&msg, &answer->packet);
	ret = nl_dump(&msg, message_get, answer, "explain");
	if (!ret)
		find_owners(answer);
	return ret;
}

int explain_main(struct args *args)
{
	struct answer answer = { 0 };
	struct output *output;
	size_t i;
	int ret;

	if (!args_peek(args)) {
		fputs(explain_usage, stderr);
		return STATUS_USAGE;
	}
	if (args_take(args, "open"))
		return explain_open(args);
	ret = packet_parse(args, &answer.packet);
	if (!ret)
		ret = ask(&answer);
	if (!ret) {
		output = output_begin(step_fields, OUTPUT_LINES);
		for (i = 0; i < answer.count; i++)
			output_add(output, &answer.step[i]);
		ret = output_end(output, 0);
	}
	answer_clear(&answer);
	return ret;
}
