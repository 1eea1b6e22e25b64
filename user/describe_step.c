// SPDX-License-Identifier: GPL-2.0
/* The steps of an explanation: tokens for JSON, a person's words for text. */
#include "describe.h"
#include "error.h"
#include "explain.h"
#include "names.h"

#include <stdlib.h>
#include <string.h>

static const struct names kind_names = {
	"step",
	{
		{ "packet", KRAW_STEP_KIND_PACKET },
		{ "shape", KRAW_STEP_KIND_SHAPE },
		{ "rule", KRAW_STEP_KIND_RULE },
		{ "verdict", KRAW_STEP_KIND_VERDICT },
		{ "socket", KRAW_STEP_KIND_SOCKET },
		{ "handler", KRAW_STEP_KIND_HANDLER },
		{ "outcome", KRAW_STEP_KIND_OUTCOME },
		{ "dgram", KRAW_STEP_KIND_DGRAM },
	},
};

static const struct names decider_names = {
	"decider",
	{
		{ "linux", KRAW_DECIDER_LINUX },
		{ "proto", KRAW_DECIDER_PROTO },
		{ "rule", KRAW_DECIDER_RULE },
	},
};

static const struct names shape_names = {
	"result",
	{
		{ "miss", KRAW_SHAPE_RESULT_MISS },
		{ "hit", KRAW_SHAPE_RESULT_HIT },
		{ "other", KRAW_SHAPE_RESULT_OTHER },
		{ "limited", KRAW_SHAPE_RESULT_LIMITED },
	},
};

static const struct names field_names = {
	"field",
	{
		{ "src", KRAW_SHAPE_SRC },
		{ "dst", KRAW_SHAPE_DST },
		{ "dev", KRAW_SHAPE_DEV },
		{ "ttl", KRAW_SHAPE_TTL },
		{ "type", KRAW_SHAPE_TYPE },
		{ "dscp", KRAW_SHAPE_DSCP },
		{ "mark", KRAW_SHAPE_MARK },
		{ "fragment", KRAW_SHAPE_FRAGMENT },
	},
};

static bool has(const struct step *step, unsigned int attr)
{
	return step->set & BIT(attr);
}

static bool is(const struct step *step, unsigned int kind)
{
	return step->kind == kind;
}

static bool is_socket(const struct step *step)
{
	return is(step, KRAW_STEP_KIND_SOCKET) ||
	       is(step, KRAW_STEP_KIND_DGRAM);
}

static json_t *step_kind(const void *object)
{
	const struct step *step = object;

	return json_string(name_of(&kind_names, step->kind));
}

/* The packet, of which only its own step speaks. */
static const struct packet *packet_of(const struct step *step)
{
	return is(step, KRAW_STEP_KIND_PACKET) ? step->packet : NULL;
}

static json_t *packet_proto(const void *object)
{
	const struct packet *packet = packet_of(object);

	return packet ? json_integer(packet->proto) : NULL;
}

static json_t *packet_src(const void *object)
{
	const struct packet *packet = packet_of(object);

	return packet ? address_text(packet->family, packet->src) : NULL;
}

static json_t *packet_dst(const void *object)
{
	const struct packet *packet = packet_of(object);

	return packet ? address_text(packet->family, packet->dst) : NULL;
}

static json_t *packet_len(const void *object)
{
	const struct packet *packet = packet_of(object);

	return packet ? json_integer(packet->len) : NULL;
}

static json_t *packet_ttl(const void *object)
{
	const struct packet *packet = packet_of(object);

	return packet ? json_integer(packet->ttl) : NULL;
}

static json_t *packet_dscp(const void *object)
{
	const struct packet *packet = packet_of(object);

	return packet ? json_integer(packet->dscp) : NULL;
}

static json_t *packet_mark(const void *object)
{
	const struct packet *packet = packet_of(object);

	return packet ? json_integer(packet->mark) : NULL;
}

static json_t *packet_fragment(const void *object)
{
	const struct packet *packet = packet_of(object);

	return packet ?
		       json_boolean(packet->set & BIT(KRAW_PACKET_A_FRAGMENT)) :
		       NULL;
}

static json_t *packet_fragment_text(const void *object)
{
	const struct packet *packet = packet_of(object);

	return packet && packet->set & BIT(KRAW_PACKET_A_FRAGMENT) ?
		       json_string("fragment") :
		       NULL;
}

static json_t *step_dev(const void *object)
{
	const struct step *step = object;

	if (is(step, KRAW_STEP_KIND_PACKET))
		return output_string(step->packet->dev);
	return is_socket(step) ? output_string(step->dev) : NULL;
}

static json_t *shape_fields(const void *object)
{
	const struct step *step = object;
	unsigned int i;
	json_t *list;

	if (!is(step, KRAW_STEP_KIND_SHAPE))
		return NULL;
	list = json_array();
	for (i = 0; field_names.list[i].word; i++)
		if (step->fields & field_names.list[i].value)
			json_array_append_new(list,
					      json_string(field_names.list[i]
								  .word));
	return list;
}

static json_t *shape_family(const void *object)
{
	const struct step *step = object;

	return has(step, KRAW_STEP_A_FAMILY) ?
		       json_string(name_of(&family_names, step->family)) :
		       NULL;
}

static json_t *shape_src_prefix(const void *object)
{
	const struct step *step = object;

	return has(step, KRAW_STEP_A_SRC_PREFIX) ?
		       json_integer(step->src_prefix) :
		       NULL;
}

static json_t *shape_dst_prefix(const void *object)
{
	const struct step *step = object;

	return has(step, KRAW_STEP_A_DST_PREFIX) ?
		       json_integer(step->dst_prefix) :
		       NULL;
}

static json_t *shape_mark_mask(const void *object)
{
	const struct step *step = object;

	return has(step, KRAW_STEP_A_MARK_MASK) ?
		       json_integer(step->mark_mask) :
		       NULL;
}

/* "by src/24,dst/32,ttl" */
static json_t *shape_text(const void *object)
{
	const struct step *step = object;
	char text[128] = "", bits[16];
	unsigned int i, field;
	size_t len = 0;

	if (!is(step, KRAW_STEP_KIND_SHAPE))
		return NULL;
	for (i = 0; field_names.list[i].word; i++) {
		field = field_names.list[i].value;
		if (!(step->fields & field))
			continue;
		*bits = '\0';
		if (field == KRAW_SHAPE_SRC)
			snprintf(bits, sizeof(bits), "/%u", step->src_prefix);
		else if (field == KRAW_SHAPE_DST)
			snprintf(bits, sizeof(bits), "/%u", step->dst_prefix);
		else if (field == KRAW_SHAPE_MARK)
			snprintf(bits, sizeof(bits), "/0x%x", step->mark_mask);
		len += snprintf(text + len, sizeof(text) - len, "%s%s%s",
				len ? "," : "", field_names.list[i].word, bits);
	}
	return json_string(len ? text : "any");
}

static json_t *shape_rules(const void *object)
{
	const struct step *step = object;

	return has(step, KRAW_STEP_A_RULES) ? json_integer(step->rules) : NULL;
}

static json_t *shape_pref(const void *object)
{
	const struct step *step = object;

	return has(step, KRAW_STEP_A_PREF) ? json_integer(step->pref) : NULL;
}

static json_t *step_rule(const void *object)
{
	const struct step *step = object;

	return step->rule ? output_json(rule_fields, step->rule) : NULL;
}

static json_t *step_rule_text(const void *object)
{
	const struct step *step = object;
	json_t *value;
	char *text;

	if (!step->rule)
		return NULL;
	text = output_words(rule_fields, step->rule, true);
	value = json_string(text);
	free(text);
	return value;
}

static json_t *step_verdict(const void *object)
{
	const struct step *step = object;

	return has(step, KRAW_STEP_A_VERDICT) ?
		       json_string(name_of(&verdict_names, step->verdict)) :
		       NULL;
}

static json_t *step_decider(const void *object)
{
	const struct step *step = object;

	return has(step, KRAW_STEP_A_DECIDER) ?
		       json_string(name_of(&decider_names, step->decider)) :
		       NULL;
}

static json_t *step_unreach(const void *object)
{
	const struct step *step = object;

	return has(step, KRAW_STEP_A_UNREACH) ?
		       json_string(name_of(&unreach_names, step->unreach)) :
		       NULL;
}

static json_t *socket_local(const void *object)
{
	const struct step *step = object;

	return is_socket(step) ?
		       address_json(step->packet->family, step->local) :
		       NULL;
}

static json_t *socket_peer(const void *object)
{
	const struct step *step = object;

	return is_socket(step) ?
		       address_json(step->packet->family, step->peer) :
		       NULL;
}

static json_t *dgram_port(const struct step *step, uint16_t port)
{
	if (!is(step, KRAW_STEP_KIND_DGRAM))
		return NULL;
	return port ? json_integer(port) : json_null();
}

static json_t *dgram_local_port(const void *object)
{
	const struct step *step = object;

	return dgram_port(step, step->local_port);
}

static json_t *dgram_peer_port(const void *object)
{
	const struct step *step = object;

	return dgram_port(step, step->peer_port);
}

static json_t *socket_inode(const void *object)
{
	const struct step *step = object;

	return is_socket(step) ? json_integer(step->inode) : NULL;
}

static json_t *socket_processes(const void *object)
{
	const struct step *step = object;

	if (!is_socket(step))
		return NULL;
	return step->owners ? owners_json(step->owners) : json_array();
}

static json_t *socket_processes_text(const void *object)
{
	static const struct owners nobody;
	const struct step *step = object;

	if (!is_socket(step))
		return NULL;
	return owners_text(step->owners ? step->owners : &nobody);
}

static json_t *socket_matched(const void *object)
{
	const struct step *step = object;

	return is_socket(step) ? json_boolean(has(step, KRAW_STEP_A_MATCHED)) :
				 NULL;
}

static json_t *socket_chosen(const void *object)
{
	const struct step *step = object;

	return is_socket(step) ? json_boolean(has(step, KRAW_STEP_A_CHOSEN)) :
				 NULL;
}

static json_t *step_handler(const void *object)
{
	const struct step *step = object;

	if (!is(step, KRAW_STEP_KIND_HANDLER))
		return NULL;
	return step->handler ? output_json(handler_fields, step->handler) :
			       json_null();
}

static json_t *step_handler_text(const void *object)
{
	const struct step *step = object;

	return is(step, KRAW_STEP_KIND_HANDLER) ? handler_text(step->handler) :
						  NULL;
}

static json_t *step_receives(const void *object)
{
	const struct step *step = object;

	return is(step, KRAW_STEP_KIND_HANDLER) ||
			       is(step, KRAW_STEP_KIND_OUTCOME) ?
		       json_boolean(has(step, KRAW_STEP_A_RECEIVES)) :
		       NULL;
}

static json_t *outcome_receives(const void *object)
{
	const struct step *step = object;

	return is(step, KRAW_STEP_KIND_OUTCOME) ? step_receives(step) : NULL;
}

static json_t *outcome_matching(const void *object)
{
	const struct step *step = object;

	return has(step, KRAW_STEP_A_MATCHING) ? json_integer(step->matching) :
						 NULL;
}

static json_t *outcome_copies(const void *object)
{
	const struct step *step = object;

	return has(step, KRAW_STEP_A_COPIES) ? json_integer(step->copies) :
					       NULL;
}

/* Null: there is no claim of ours that gets it. */
static json_t *outcome_dgram_result(const void *object)
{
	const struct step *step = object;

	if (!is(step, KRAW_STEP_KIND_OUTCOME))
		return NULL;
	return has(step, KRAW_STEP_A_DGRAM_RESULT) ?
		       json_string(name_of(&dgram_result_names,
					   step->dgram_result)) :
		       json_null();
}

static json_t *outcome_dgrams(const void *object)
{
	const struct step *step = object;

	return has(step, KRAW_STEP_A_DGRAMS) ? json_integer(step->dgrams) :
					       NULL;
}

static json_t *outcome_policy(const void *object)
{
	const struct step *step = object;

	return is(step, KRAW_STEP_KIND_OUTCOME) ?
		       json_boolean(has(step, KRAW_STEP_A_POLICY)) :
		       NULL;
}

static json_t *outcome_icmp(const void *object)
{
	const struct step *step = object;
	json_t *icmp;

	if (!is(step, KRAW_STEP_KIND_OUTCOME))
		return NULL;
	if (!has(step, KRAW_STEP_A_ICMP_TYPE))
		return json_null();
	icmp = json_object();
	json_object_set_new(icmp, "type", json_integer(step->icmp_type));
	json_object_set_new(icmp, "code", json_integer(step->icmp_code));
	if (has(step, KRAW_STEP_A_ICMP_POINTER))
		json_object_set_new(icmp, "pointer",
				    json_integer(step->icmp_pointer));
	return icmp;
}

static json_t *outcome_icmp_result(const void *object)
{
	const struct step *step = object;

	return has(step, KRAW_STEP_A_ICMP_RESULT) ?
		       json_string(name_of(&icmp_result_names,
					   step->icmp_result)) :
		       NULL;
}

/* The token that tells what came of a shape or a socket. */
static json_t *step_result(const void *object)
{
	const struct step *step = object;

	if (is(step, KRAW_STEP_KIND_SHAPE))
		return json_string(name_of(&shape_names, step->shape_result));
	return is_socket(step) ? json_string(name_of(&socket_result_names,
						     step->socket_result)) :
				 NULL;
}

static json_t *step_text(const void *object)
{
	const char *text = step_phrase(object);

	return text ? json_string(text) : NULL;
}

static json_t *step_warning(const void *object)
{
	const struct step *step = object;

	return has(step, KRAW_STEP_A_POLICY) ?
		       json_string("(IPsec policies were not asked)") :
		       NULL;
}

const struct field step_fields[] = {
	{ "step", "", NULL, step_kind },
	{ "proto", "proto", NULL, packet_proto, .colour = COLOUR_NUMBER },
	{ "src", "src", NULL, packet_src },
	{ "dst", "dst", NULL, packet_dst },
	{ "fields", NULL, NULL, shape_fields },
	{ "family", NULL, NULL, shape_family },
	{ "src_prefix", NULL, NULL, shape_src_prefix },
	{ "dst_prefix", NULL, NULL, shape_dst_prefix },
	{ "mark_mask", NULL, NULL, shape_mark_mask },
	{ NULL, "", NULL, shape_text, .form = FORM_TEXT },
	{ "pref", "pref", NULL, shape_pref },
	{ "rules", "rules", NULL, shape_rules },
	{ "rule", NULL, NULL, step_rule },
	{ NULL, "", NULL, step_rule_text, .form = FORM_TEXT },
	{ "verdict", "", NULL, step_verdict, .colour = COLOUR_VERDICT },
	{ "decider", NULL, NULL, step_decider },
	{ "unreach", "unreach", NULL, step_unreach },
	{ "inode", "inode", NULL, socket_inode, .when = FIELD_DETAILS_TEXT },
	{ "local", "local", NULL, socket_local },
	{ "local_port", "port", NULL, dgram_local_port },
	{ "peer", "peer", NULL, socket_peer },
	{ "peer_port", "port", NULL, dgram_peer_port },
	{ "dev", "dev", NULL, step_dev },
	{ "len", "len", NULL, packet_len },
	{ "ttl", "ttl", NULL, packet_ttl },
	{ "dscp", "dscp", NULL, packet_dscp },
	{ "mark", "mark", NULL, packet_mark },
	{ "fragment", NULL, NULL, packet_fragment },
	{ NULL, "", NULL, packet_fragment_text, .form = FORM_TEXT },
	{ "processes", NULL, NULL, socket_processes },
	{ NULL, "process", NULL, socket_processes_text, .form = FORM_TEXT },
	{ "handler", NULL, NULL, step_handler },
	{ NULL, "", NULL, step_handler_text, .form = FORM_TEXT },
	{ "copies", "copies", NULL, outcome_copies },
	{ "matching", "matching", NULL, outcome_matching },
	{ "receives", NULL, NULL, step_receives },
	{ NULL, "handler", NULL, outcome_receives },
	{ "dgram_result", NULL, NULL, outcome_dgram_result },
	{ "dgrams", "dgrams", NULL, outcome_dgrams },
	{ "matched", NULL, NULL, socket_matched },
	{ "chosen", NULL, NULL, socket_chosen },
	{ "result", NULL, NULL, step_result },
	{ "icmp", NULL, NULL, outcome_icmp },
	{ "icmp_result", NULL, NULL, outcome_icmp_result },
	{ "policy", NULL, NULL, outcome_policy },
	{ NULL, "->", NULL, step_text, .form = FORM_TEXT },
	{ NULL, "", NULL, step_warning, .form = FORM_TEXT },
	{ NULL },
};
