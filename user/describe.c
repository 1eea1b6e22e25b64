// SPDX-License-Identifier: GPL-2.0
#include "describe.h"
#include "config.h"
#include "counters.h"
#include "error.h"
#include "names.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

json_t *families_json(unsigned int families)
{
	json_t *list = json_array();

	if (families & KRAW_FAMILY_IPV4)
		json_array_append_new(list, json_string("ipv4"));
	if (families & KRAW_FAMILY_IPV6)
		json_array_append_new(list, json_string("ipv6"));
	return list;
}

static json_t *proto_number(const void *object)
{
	const struct proto *proto = object;

	return json_integer(proto->number);
}

static json_t *proto_name(const void *object)
{
	const struct proto *proto = object;

	return output_string(protocol_name(proto->number));
}

static json_t *proto_families(const void *object)
{
	const struct proto *proto = object;

	return families_json(proto->families);
}

static json_t *proto_claim(const void *object)
{
	const struct proto *proto = object;

	return json_string(name_of(&claim_names, proto->claim));
}

static json_t *proto_deliver(const void *object)
{
	const struct proto *proto = object;

	return json_string(name_of(&verdict_names, proto->deliver));
}

static json_t *proto_by(const void *object)
{
	const struct proto *proto = object;

	if (proto->deliver != KRAW_VERDICT_ONE)
		return NULL;
	return json_string(name_of(&one_by_names, proto->one_by));
}

static json_t *proto_reuseport(const void *object)
{
	const struct proto *proto = object;

	if (!(proto->set & BIT(KRAW_PROTO_A_ONE_REUSEPORT)))
		return NULL;
	return json_true();
}

static json_t *proto_unreach(const void *object)
{
	const struct proto *proto = object;

	return json_string(name_of(&unreach_names, proto->unreach));
}

static json_t *proto_account(const void *object)
{
	const struct proto *proto = object;

	return json_string(name_of(&account_names, proto->account));
}

/* In text only if it is not the default. */
static json_t *proto_account_text(const void *object)
{
	const struct proto *proto = object;

	return proto->account == KRAW_ACCOUNT_MATCH ? NULL :
						      proto_account(object);
}

static json_t *proto_users(const void *object)
{
	const struct proto *proto = object;

	/* None is the default, and all that there is without a claim. */
	return proto->users.count ? users_json(&proto->users) : NULL;
}

static json_t *proto_rules(const void *object)
{
	const struct proto *proto = object;

	if (!(proto->set & BIT(KRAW_PROTO_A_RULES)))
		return NULL;
	return json_integer(proto->rules);
}

static json_t *proto_counters(const void *object)
{
	const struct proto *proto = object;
	json_t *families = json_object();

	if (proto->stats[0].valid)
		json_object_set_new(families, "ipv4",
				    counters_json(&proto->stats[0]));
	if (proto->stats[1].valid)
		json_object_set_new(families, "ipv6",
				    counters_json(&proto->stats[1]));
	return families;
}

static json_t *proto_generation(const void *object)
{
	const struct proto *proto = object;

	return json_integer(proto->generation);
}

const struct field proto_fields[] = {
	{ "proto", "", "PROTO", proto_number, .colour = COLOUR_NUMBER },
	{ "name", NULL, "NAME", proto_name, .form = FORM_TEXT },
	{ "families", "family", "FAMILY", proto_families,
	  .form = FORM_FAMILIES },
	{ "claim", "claim", "CLAIM", proto_claim },
	{ "deliver", "deliver", "DELIVER", proto_deliver,
	  .colour = COLOUR_VERDICT },
	{ "by", "by", NULL, proto_by },
	{ "reuseport", "reuseport", NULL, proto_reuseport, .form = FORM_FLAG },
	{ "unreach", "unreach", "UNREACH", proto_unreach },
	{ "account", NULL, NULL, proto_account },
	{ NULL, "account", NULL, proto_account_text },
	{ "users", "users", NULL, proto_users, .form = FORM_USERS },
	{ "rules", "rules", "RULES", proto_rules, .when = FIELD_INFO },
	{ "generation", "generation", NULL, proto_generation,
	  .when = FIELD_DETAILS },
	{ "stats", "", NULL, proto_counters, .form = FORM_COUNTERS,
	  .when = FIELD_STATISTICS },
	{ NULL },
};

const struct field proto_name_fields[] = {
	{ "proto", "", "PROTO", proto_number },
	{ NULL },
};

static json_t *handler_family(const void *object)
{
	const struct handler *handler = object;

	return json_string(name_of(&family_names, handler->family));
}

static json_t *handler_symbol(const void *object)
{
	const struct handler *handler = object;

	return output_string(handler->symbol);
}

static json_t *handler_module(const void *object)
{
	const struct handler *handler = object;

	return output_string(handler->module);
}

static json_t *handler_is_kraw(const void *object)
{
	const struct handler *handler = object;

	return json_boolean(handler->flags & KRAW_HANDLER_KRAW);
}

static json_t *handler_is_here(const void *object)
{
	const struct handler *handler = object;

	return json_boolean(handler->flags & KRAW_HANDLER_HERE);
}

static json_t *handler_no_policy(const void *object)
{
	const struct handler *handler = object;

	return json_boolean(handler->flags & KRAW_HANDLER_NO_POLICY);
}

static json_t *handler_is_final(const void *object)
{
	const struct handler *handler = object;

	if (handler->family != KRAW_FAMILY_IPV6)
		return NULL;
	return json_boolean(handler->flags & KRAW_HANDLER_FINAL);
}

const struct field handler_fields[] = {
	{ "family", NULL, NULL, handler_family },
	{ "symbol", NULL, NULL, handler_symbol },
	{ "module", NULL, NULL, handler_module },
	{ "kraw", NULL, NULL, handler_is_kraw },
	{ "claimed_here", NULL, NULL, handler_is_here },
	{ "no_policy", NULL, NULL, handler_no_policy },
	{ "final", NULL, NULL, handler_is_final },
	{ NULL },
};

/* "gre_rcv [gre]", with details also what is built in, and what is unchecked. */
static char *handler_where(const struct handler *handler)
{
	bool unchecked = handler->flags & KRAW_HANDLER_NO_POLICY;
	const char *more = "";

	if (options.details && !handler->module)
		more = unchecked ? " (built in, no IPsec policy)" :
				   " (built in)";
	else if (options.details && unchecked)
		more = " (no IPsec policy)";
	if (!handler->module)
		return xasprintf("%s%s", handler->symbol, more);
	return xasprintf("%s [%s]%s", handler->symbol, handler->module, more);
}

json_t *handler_text(const struct handler *handler)
{
	json_t *value;
	char *text;

	if (!handler || !handler->symbol)
		return json_string("none");
	if (handler->flags & KRAW_HANDLER_HERE)
		return json_string("kraw (claimed here)");
	if (handler->flags & KRAW_HANDLER_KRAW)
		return json_string("kraw (claimed by another namespace)");
	text = handler_where(handler);
	value = output_string(text);
	free(text);
	return value;
}

json_t *address_text(uint8_t family, const uint8_t *address)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(family, address, text, sizeof(text));
	return json_string(text);
}

json_t *address_json(uint8_t family, const uint8_t *address)
{
	static const uint8_t any[16];

	if (!memcmp(address, any, family == AF_INET ? 4 : 16))
		return json_null();
	return address_text(family, address);
}
