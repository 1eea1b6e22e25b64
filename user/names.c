// SPDX-License-Identifier: GPL-2.0
#include "names.h"
#include "error.h"

#include <ctype.h>
#include <linux/kraw.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

const struct names family_names = {
	"family",
	{
		{ "ipv4", KRAW_FAMILY_IPV4 },
		{ "ipv6", KRAW_FAMILY_IPV6 },
		{ "both", KRAW_FAMILY_IPV4 | KRAW_FAMILY_IPV6 },
	},
};

const struct names claim_names = {
	"claim",
	{
		{ "none", KRAW_CLAIM_NONE },
		{ "plain", KRAW_CLAIM_PLAIN },
		{ "ports", KRAW_CLAIM_PORTS },
	},
};

const struct names verdict_names = {
	"verdict",
	{
		{ "all", KRAW_VERDICT_ALL },
		{ "raw", KRAW_VERDICT_RAW },
		{ "kernel", KRAW_VERDICT_KERNEL },
		{ "one", KRAW_VERDICT_ONE },
		{ "none", KRAW_VERDICT_NONE },
		{ "reject", KRAW_VERDICT_REJECT },
		{ "allow", KRAW_VERDICT_ALLOW },
		{ "deny", KRAW_VERDICT_DENY },
	},
};

const struct names one_by_names = {
	"way to choose one",
	{
		{ "flow", KRAW_ONE_BY_FLOW },
		{ "random", KRAW_ONE_BY_RANDOM },
		{ "cpu", KRAW_ONE_BY_CPU },
	},
};

const struct names unreach_names = {
	"unreach",
	{
		{ "auto", KRAW_UNREACH_AUTO },
		{ "never", KRAW_UNREACH_NEVER },
		{ "always", KRAW_UNREACH_ALWAYS },
	},
};

const struct names account_names = {
	"account",
	{
		{ "match", KRAW_ACCOUNT_MATCH },
		{ "exact", KRAW_ACCOUNT_EXACT },
	},
};

const struct names hook_names = {
	"hook",
	{
		{ "input", KRAW_HOOK_INPUT },
		{ "output", KRAW_HOOK_OUTPUT },
	},
};

const struct names socket_result_names = {
	"result",
	{
		{ "copy", KRAW_SOCKET_RESULT_COPY },
		{ "verdict", KRAW_SOCKET_RESULT_VERDICT },
		{ "local", KRAW_SOCKET_RESULT_LOCAL },
		{ "peer", KRAW_SOCKET_RESULT_PEER },
		{ "device", KRAW_SOCKET_RESULT_DEVICE },
		{ "member", KRAW_SOCKET_RESULT_MEMBER },
		{ "icmp_filter", KRAW_SOCKET_RESULT_ICMP_FILTER },
		{ "checksum", KRAW_SOCKET_RESULT_CHECKSUM },
		{ "filter", KRAW_SOCKET_RESULT_FILTER },
		{ "full", KRAW_SOCKET_RESULT_FULL },
		{ "unknown", KRAW_SOCKET_RESULT_UNKNOWN },
		{ "not_chosen", KRAW_SOCKET_RESULT_NOT_CHOSEN },
		{ "policy", KRAW_SOCKET_RESULT_POLICY },
		{ "refused", KRAW_SOCKET_RESULT_REFUSED },
	},
};

const struct names event_names = {
	"event",
	{
		{ "open", KRAW_EVENT_KIND_OPEN },
		{ "bind", KRAW_EVENT_KIND_BIND },
		{ "unbind", KRAW_EVENT_KIND_UNBIND },
		{ "close", KRAW_EVENT_KIND_CLOSE },
	},
};

const struct names dgram_result_names = {
	"result",
	{
		{ "sockets", KRAW_DGRAM_RESULT_SOCKETS },
		{ "nobody", KRAW_DGRAM_RESULT_NOBODY },
		{ "policy", KRAW_DGRAM_RESULT_POLICY },
		{ "header", KRAW_DGRAM_RESULT_HEADER },
		{ "checksum", KRAW_DGRAM_RESULT_CHECKSUM },
	},
};

const struct names icmp_result_names = {
	"result",
	{
		{ "none", KRAW_ICMP_RESULT_NONE },
		{ "sent", KRAW_ICMP_RESULT_SENT },
		{ "never", KRAW_ICMP_RESULT_NEVER },
		{ "silent", KRAW_ICMP_RESULT_SILENT },
	},
};

const char *name_of(const struct names *names, unsigned int value)
{
	unsigned int i;

	for (i = 0; names->list[i].word; i++)
		if (names->list[i].value == value)
			return names->list[i].word;
	return "unknown";
}

/* Tells which words there are. */
static int name_unknown(const struct names *names, const char *word)
{
	char known[128] = "";
	unsigned int i;
	size_t len = 0;

	for (i = 0; names->list[i].word; i++)
		len += snprintf(known + len, sizeof(known) - len, "%s%s",
				i ? ", " : "", names->list[i].word);
	return fail("'%s' is no %s: use one of %s", word, names->what, known);
}

int name_parse(const struct names *names, const char *word, uint8_t *value)
{
	unsigned int i;

	for (i = 0; names->list[i].word; i++) {
		if (!strcmp(word, names->list[i].word)) {
			*value = names->list[i].value;
			return 0;
		}
	}
	return name_unknown(names, word);
}

/* For machines without /etc/protocols, as many containers are. */
static const struct {
	const char *name;
	uint8_t number;
} protocols[] = {
	{ "icmp", 1 },	       { "igmp", 2 },	    { "ipencap", 4 },
	{ "tcp", 6 },	       { "egp", 8 },	    { "igp", 9 },
	{ "udp", 17 },	       { "dccp", 33 },	    { "ipv6", 41 },
	{ "ipv6-route", 43 },  { "ipv6-frag", 44 }, { "rsvp", 46 },
	{ "gre", 47 },	       { "esp", 50 },	    { "ah", 51 },
	{ "ipv6-icmp", 58 },   { "icmpv6", 58 },    { "ipv6-nonxt", 59 },
	{ "ipv6-opts", 60 },   { "eigrp", 88 },	    { "ospf", 89 },
	{ "ipip", 94 },	       { "pim", 103 },	    { "ipcomp", 108 },
	{ "vrrp", 112 },       { "l2tp", 115 },	    { "isis", 124 },
	{ "sctp", 132 },       { "udplite", 136 },  { "mobility-header", 135 },
	{ "mpls-in-ip", 137 }, { "hip", 139 },	    { "shim6", 140 },
	{ "ethernet", 143 },
};

const char *protocol_name(uint8_t number)
{
	/* A table may name each many times, so the system's list is read once. */
	static const char *names[256];
	static bool known;
	const struct protoent *entry;
	unsigned int i;

	if (known)
		return names[number];
	known = true;
	setprotoent(1);
	while ((entry = getprotoent())) {
		/* There 0 is called "ip", which is not what it means in a packet. */
		i = entry->p_proto;
		if (i && i < ARRAY_SIZE(names) && !names[i])
			names[i] = xstrdup(entry->p_name);
	}
	endprotoent();
	for (i = 0; i < ARRAY_SIZE(protocols); i++)
		if (!names[protocols[i].number])
			names[protocols[i].number] = protocols[i].name;
	return names[number];
}

int protocol_number(const char *name)
{
	const struct protoent *entry;
	unsigned int i;

	entry = getprotobyname(name);
	if (entry)
		return entry->p_proto;
	for (i = 0; i < ARRAY_SIZE(protocols); i++)
		if (!strcasecmp(protocols[i].name, name))
			return protocols[i].number;
	return -1;
}

int dscp_number(const char *name)
{
	size_t len = strlen(name);

	/* Class selectors, RFC 2474; assured forwarding, RFC 2597 */
	if (len == 3 && !strncasecmp(name, "cs", 2) && name[2] >= '0' &&
	    name[2] <= '7')
		return (name[2] - '0') * 8;
	if (len == 4 && !strncasecmp(name, "af", 2) && name[2] >= '1' &&
	    name[2] <= '4' && name[3] >= '1' && name[3] <= '3')
		return (name[2] - '0') * 8 + (name[3] - '0') * 2;
	/* RFC 3246, RFC 5865, RFC 8622 */
	if (!strcasecmp(name, "ef"))
		return 46;
	if (!strcasecmp(name, "va"))
		return 44;
	if (!strcasecmp(name, "le"))
		return 1;
	return -1;
}

const char *icmp_type_name(uint8_t family, unsigned int type)
{
	/* As nft(8) calls them. */
	static const struct {
		uint8_t family, type;
		const char *name;
	} names[] = {
		{ AF_INET, 0, "echo-reply" },
		{ AF_INET, 3, "destination-unreachable" },
		{ AF_INET, 4, "source-quench" },
		{ AF_INET, 5, "redirect" },
		{ AF_INET, 8, "echo-request" },
		{ AF_INET, 9, "router-advertisement" },
		{ AF_INET, 10, "router-solicitation" },
		{ AF_INET, 11, "time-exceeded" },
		{ AF_INET, 12, "parameter-problem" },
		{ AF_INET, 13, "timestamp-request" },
		{ AF_INET, 14, "timestamp-reply" },
		{ AF_INET6, 1, "destination-unreachable" },
		{ AF_INET6, 2, "packet-too-big" },
		{ AF_INET6, 3, "time-exceeded" },
		{ AF_INET6, 4, "parameter-problem" },
		{ AF_INET6, 128, "echo-request" },
		{ AF_INET6, 129, "echo-reply" },
		{ AF_INET6, 130, "mld-listener-query" },
		{ AF_INET6, 131, "mld-listener-report" },
		{ AF_INET6, 132, "mld-listener-done" },
		{ AF_INET6, 133, "nd-router-solicit" },
		{ AF_INET6, 134, "nd-router-advert" },
		{ AF_INET6, 135, "nd-neighbor-solicit" },
		{ AF_INET6, 136, "nd-neighbor-advert" },
		{ AF_INET6, 137, "nd-redirect" },
		{ AF_INET6, 143, "mld2-listener-report" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].family == family && names[i].type == type)
			return names[i].name;
	return NULL;
}

const char *extension_header(uint8_t number)
{
	switch (number) {
	case 0:
		return "hop-by-hop options";
	case 43:
		return "routing";
	case 44:
		return "fragment";
	case 50:
		return "encapsulating security payload";
	case 51:
		return "authentication";
	case 59:
		return "no next header";
	case 60:
		return "destination options";
	case 135:
		return "mobility";
	case 139:
		return "host identity";
	case 140:
		return "shim6";
	default:
		return NULL;
	}
}

const char *canonical(const char *word)
{
	static const struct {
		const char *brief, *full;
	} forms[] = {
		{ "p", "proto" }, { "r", "rule" },     { "a", "add" },
		{ "d", "del" },	  { "delete", "del" }, { "list", "show" },
		{ "ls", "show" }, { "lst", "show" },
	};
	unsigned int i;

	/* A file of many rules asks this for every other word. */
	for (i = 0; i < ARRAY_SIZE(forms); i++)
		if (*word == *forms[i].brief && !strcmp(word, forms[i].brief))
			return forms[i].full;
	return word;
}
