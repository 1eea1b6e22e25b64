// SPDX-License-Identifier: GPL-2.0
#include "counters.h"
#include "config.h"

static const char *const names[KRAW_STATS_A_MAX + 1] = {
	[KRAW_STATS_A_SEEN] = "seen",
	[KRAW_STATS_A_ALL] = "all",
	[KRAW_STATS_A_RAW] = "raw",
	[KRAW_STATS_A_KERNEL] = "kernel",
	[KRAW_STATS_A_ONE] = "one",
	[KRAW_STATS_A_NONE] = "none",
	[KRAW_STATS_A_REJECT] = "reject",
	[KRAW_STATS_A_PASSED] = "passed",
	[KRAW_STATS_A_END_HANDLER] = "end_handler",
	[KRAW_STATS_A_END_RAW] = "end_raw",
	[KRAW_STATS_A_END_NOBODY] = "end_nobody",
	[KRAW_STATS_A_END_POLICY] = "end_policy",
	[KRAW_STATS_A_END_DISCARD] = "end_discard",
	[KRAW_STATS_A_END_RULE] = "end_rule",
	[KRAW_STATS_A_END_LIMIT] = "end_limit",
	[KRAW_STATS_A_END_PROTO] = "end_proto",
	[KRAW_STATS_A_END_UNKNOWN] = "end_unknown",
	[KRAW_STATS_A_RAW_MATCHED] = "raw_matched",
	[KRAW_STATS_A_RAW_COPIES] = "raw_copies",
	[KRAW_STATS_A_RAW_FILTERED] = "raw_filtered",
	[KRAW_STATS_A_RAW_REFUSED] = "raw_refused",
	[KRAW_STATS_A_RAW_UNKNOWN] = "raw_unknown",
	[KRAW_STATS_A_RAW_POLICY] = "raw_policy",
	[KRAW_STATS_A_RAW_CHECKSUM] = "raw_checksum",
	[KRAW_STATS_A_RAW_SOCKET_FILTER] = "raw_socket_filter",
	[KRAW_STATS_A_RAW_FULL] = "raw_full",
	[KRAW_STATS_A_RAW_MEMORY] = "raw_memory",
	[KRAW_STATS_A_RAW_REFUSED_UNKNOWN] = "raw_refused_unknown",
	[KRAW_STATS_A_KERNEL_HANDLED] = "kernel_handled",
	[KRAW_STATS_A_ONE_NEXT] = "one_next",
	[KRAW_STATS_A_ONE_NOBODY] = "one_nobody",
	[KRAW_STATS_A_CLAIM_HANDLED] = "claim_handled",
	[KRAW_STATS_A_DGRAM] = "dgram",
	[KRAW_STATS_A_DGRAM_REFUSED] = "dgram_refused",
	[KRAW_STATS_A_DGRAM_NOBODY] = "dgram_nobody",
	[KRAW_STATS_A_DGRAM_BAD] = "dgram_bad",
	[KRAW_STATS_A_DGRAM_SENT] = "dgram_sent",
	[KRAW_STATS_A_DGRAM_POLICY] = "dgram_policy",
	[KRAW_STATS_A_DGRAM_FILTER] = "dgram_filter",
	[KRAW_STATS_A_DGRAM_FULL] = "dgram_full",
	[KRAW_STATS_A_DGRAM_MEMORY] = "dgram_memory",
	[KRAW_STATS_A_DGRAM_HEADER] = "dgram_header",
	[KRAW_STATS_A_DGRAM_CHECKSUM] = "dgram_checksum",
	[KRAW_STATS_A_UNREACH] = "unreach",
	[KRAW_STATS_A_UNREACH_SENT] = "unreach_sent",
	[KRAW_STATS_A_UNREACH_LIMITED] = "unreach_limited",
	[KRAW_STATS_A_UNREACH_SILENT] = "unreach_silent",
	[KRAW_STATS_A_UNREACH_UNKNOWN] = "unreach_unknown",
	[KRAW_STATS_A_UNREACH_NEVER] = "unreach_never",
	[KRAW_STATS_A_LIMITED] = "limited",
	[KRAW_STATS_A_MIRRORED] = "mirrored",
	[KRAW_STATS_A_MIRROR_FAILED] = "mirror_failed",
	[KRAW_STATS_A_OUTPUT] = "output",
	[KRAW_STATS_A_ALLOW] = "allow",
	[KRAW_STATS_A_DENY] = "deny",
};

const struct counter_group counter_groups[] = {
	{ "packets",
	  "kraw_packets_total",
	  "Packets of a managed protocol that came in.",
	  NULL,
	  { { KRAW_STATS_A_SEEN, "seen" } } },
	{ "by verdict",
	  "kraw_verdicts_total",
	  "Packets by verdict, or passed without one; adds up to kraw_packets_total.",
	  "verdict",
	  { { KRAW_STATS_A_ALL, "all" },
	    { KRAW_STATS_A_RAW, "raw" },
	    { KRAW_STATS_A_KERNEL, "kernel" },
	    { KRAW_STATS_A_ONE, "one" },
	    { KRAW_STATS_A_NONE, "none" },
	    { KRAW_STATS_A_REJECT, "reject" },
	    { KRAW_STATS_A_PASSED, "passed" } } },
	{ "by outcome",
	  "kraw_outcomes_total",
	  "Packets by where they ended; adds up to kraw_packets_total.",
	  "outcome",
	  { { KRAW_STATS_A_END_HANDLER, "handler" },
	    { KRAW_STATS_A_END_RAW, "raw" },
	    { KRAW_STATS_A_END_NOBODY, "nobody" },
	    { KRAW_STATS_A_END_POLICY, "policy" },
	    { KRAW_STATS_A_END_DISCARD, "discard" },
	    { KRAW_STATS_A_END_RULE, "rule" },
	    { KRAW_STATS_A_END_LIMIT, "limit" },
	    { KRAW_STATS_A_END_PROTO, "proto" },
	    { KRAW_STATS_A_END_UNKNOWN, "unknown" },
	    { KRAW_STATS_A_PASSED, "passed" } } },
	{ "raw sockets matched",
	  "kraw_raw_matched_total",
	  "Raw sockets that matched a packet.",
	  NULL,
	  { { KRAW_STATS_A_RAW_MATCHED, "matched" } } },
	{ "their copies",
	  "kraw_raw_copies_total",
	  "Copies for raw sockets by outcome; adds up to kraw_raw_matched_total.",
	  "outcome",
	  { { KRAW_STATS_A_RAW_COPIES, "delivered" },
	    { KRAW_STATS_A_RAW_FILTERED, "filtered" },
	    { KRAW_STATS_A_RAW_POLICY, "policy" },
	    { KRAW_STATS_A_RAW_CHECKSUM, "checksum" },
	    { KRAW_STATS_A_RAW_SOCKET_FILTER, "socket_filter" },
	    { KRAW_STATS_A_RAW_FULL, "full" },
	    { KRAW_STATS_A_RAW_MEMORY, "memory" },
	    { KRAW_STATS_A_RAW_REFUSED_UNKNOWN, "refused_unknown" },
	    { KRAW_STATS_A_RAW_UNKNOWN, "unknown" } } },
	{ "ICMP errors",
	  "kraw_unreach_total",
	  "ICMP errors for packets that nobody received, by outcome.",
	  "outcome",
	  { { KRAW_STATS_A_UNREACH_SENT, "sent" },
	    { KRAW_STATS_A_UNREACH_LIMITED, "limited" },
	    { KRAW_STATS_A_UNREACH_SILENT, "silent" },
	    { KRAW_STATS_A_UNREACH_NEVER, "never" },
	    { KRAW_STATS_A_UNREACH_UNKNOWN, "unknown" } } },
	{ "handed to a handler",
	  "kraw_handled_total",
	  "Packets by handler: the kernel's by verdict kernel, kraw's own of a claim.",
	  "handler",
	  { { KRAW_STATS_A_KERNEL_HANDLED, "kernel" },
	    { KRAW_STATS_A_CLAIM_HANDLED, "claim" } } },
	{ "datagram sockets",
	  "kraw_dgram_total",
	  "Packets of a claim by what became of them at its datagram sockets; of those with several destinations each socket counts.",
	  "outcome",
	  { { KRAW_STATS_A_DGRAM, "delivered" },
	    { KRAW_STATS_A_DGRAM_POLICY, "policy" },
	    { KRAW_STATS_A_DGRAM_FILTER, "socket_filter" },
	    { KRAW_STATS_A_DGRAM_FULL, "full" },
	    { KRAW_STATS_A_DGRAM_MEMORY, "memory" },
	    { KRAW_STATS_A_DGRAM_NOBODY, "nobody" },
	    { KRAW_STATS_A_DGRAM_HEADER, "header" },
	    { KRAW_STATS_A_DGRAM_CHECKSUM, "checksum" } } },
	{ "sent by datagram sockets",
	  "kraw_dgram_sent_total",
	  "Datagrams that the datagram sockets of a claim have sent.",
	  NULL,
	  { { KRAW_STATS_A_DGRAM_SENT, "sent" } } },
	{ "choices of one",
	  "kraw_one_total",
	  "Packets with verdict one for which another socket than the first, or none, was found.",
	  "choice",
	  { { KRAW_STATS_A_ONE_NEXT, "next" },
	    { KRAW_STATS_A_ONE_NOBODY, "nobody" } } },
	{ "over a limit",
	  "kraw_limited_total",
	  "Rules that did not match for their limit, counted at each packet.",
	  NULL,
	  { { KRAW_STATS_A_LIMITED, "limited" } } },
	{ "mirrors",
	  "kraw_mirror_total",
	  "Copies for another device by outcome.",
	  "outcome",
	  { { KRAW_STATS_A_MIRRORED, "mirrored" },
	    { KRAW_STATS_A_MIRROR_FAILED, "failed" } } },
	{ "sent by raw sockets",
	  "kraw_output_total",
	  "Packets of raw sockets by verdict of their rules.",
	  "verdict",
	  { { KRAW_STATS_A_ALLOW, "allow" }, { KRAW_STATS_A_DENY, "deny" } } },
	{ NULL },
};

const char *counter_name(unsigned int attr)
{
	return attr <= KRAW_STATS_A_MAX ? names[attr] : NULL;
}

bool counter_known(const struct proto_stats *stats, unsigned int attr)
{
	switch (attr) {
	case KRAW_STATS_A_RAW_SOCKET_FILTER:
	case KRAW_STATS_A_RAW_FULL:
		if (stats->count[KRAW_STATS_A_RAW_REFUSED_UNKNOWN])
			return false;
		/* fall through */
	case KRAW_STATS_A_RAW_COPIES:
	case KRAW_STATS_A_RAW_REFUSED:
	case KRAW_STATS_A_RAW_POLICY:
	case KRAW_STATS_A_RAW_CHECKSUM:
	case KRAW_STATS_A_RAW_MEMORY:
		return !stats->count[KRAW_STATS_A_RAW_UNKNOWN];
	case KRAW_STATS_A_UNREACH_SENT:
	case KRAW_STATS_A_UNREACH_LIMITED:
	case KRAW_STATS_A_UNREACH_SILENT:
		return !stats->count[KRAW_STATS_A_UNREACH_UNKNOWN];
	default:
		return true;
	}
}

json_t *counter_json(const struct proto_stats *stats, unsigned int attr)
{
	if (!counter_known(stats, attr))
		return json_null();
	return json_integer(stats->count[attr]);
}

json_t *counters_json(const struct proto_stats *stats)
{
	json_t *counters = json_object();
	unsigned int i;

	for (i = 0; i <= KRAW_STATS_A_MAX; i++)
		if (names[i])
			json_object_set_new(counters, names[i],
					    counter_json(stats, i));
	return counters;
}
