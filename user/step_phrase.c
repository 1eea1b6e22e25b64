// SPDX-License-Identifier: GPL-2.0
/* What came of a step of an explanation, in the words of a person. */
#include "explain.h"

static const char *decider_text(const struct step *step)
{
	switch (step->decider) {
	case KRAW_DECIDER_RULE:
		return "the rule decides";
	case KRAW_DECIDER_PROTO:
		return "the protocol decides, no rule matches";
	default:
		return "not managed: as without kraw";
	}
}

static const char *shape_result_text(const struct step *step)
{
	switch (step->shape_result) {
	case KRAW_SHAPE_RESULT_HIT:
		return "one matches, the best so far";
	case KRAW_SHAPE_RESULT_LIMITED:
		return "one matches, but for its limit: on behind it";
	case KRAW_SHAPE_RESULT_OTHER:
		return "not for such a packet";
	default:
		return "none matches that is better";
	}
}

static const char *socket_result_text(const struct step *step)
{
	static const char *const text[] = {
		[KRAW_SOCKET_RESULT_COPY] = "gets it",
		[KRAW_SOCKET_RESULT_VERDICT] =
			"nothing: matches, but the verdict leaves raw sockets out",
		[KRAW_SOCKET_RESULT_LOCAL] =
			"nothing: is bound to another address",
		[KRAW_SOCKET_RESULT_PEER] =
			"nothing: is connected to another address",
		[KRAW_SOCKET_RESULT_DEVICE] =
			"nothing: is bound to another device",
		[KRAW_SOCKET_RESULT_MEMBER] =
			"nothing: is not in the group, or not for this source",
		[KRAW_SOCKET_RESULT_ICMP_FILTER] =
			"nothing: its ICMP filter refuses the type",
		[KRAW_SOCKET_RESULT_CHECKSUM] =
			"nothing: it checks the checksum, which is wrong",
		[KRAW_SOCKET_RESULT_FILTER] =
			"nothing: its socket filter rejects it",
		[KRAW_SOCKET_RESULT_FULL] = "nothing: its receive buffer is full",
		[KRAW_SOCKET_RESULT_UNKNOWN] =
			"unknown: it has an eBPF filter, which is not run",
		[KRAW_SOCKET_RESULT_NOT_CHOSEN] = "nothing: another one is chosen",
	};

	if (step->socket_result >= sizeof(text) / sizeof(text[0]))
		return "unknown";
	return text[step->socket_result];
}

static const char *dgram_result_text(const struct step *step)
{
	switch (step->socket_result) {
	case KRAW_SOCKET_RESULT_UNKNOWN:
		return "unknown: it or its group has an eBPF program, which is not run";
	case KRAW_SOCKET_RESULT_NOT_CHOSEN:
		return "nothing: another one fits better, or is chosen from the group";
	default:
		return socket_result_text(step);
	}
}

static const char *outcome_text(const struct step *step)
{
	if (step->set & BIT(KRAW_STEP_A_DGRAM_RESULT) &&
	    step->dgram_result == KRAW_DGRAM_RESULT_HEADER)
		return "dropped: the header with ports is cut off, or its length is wrong";
	switch (step->icmp_result) {
	case KRAW_ICMP_RESULT_SENT:
		/* The first types of both; codes 3 and 4 of them are of ports. */
		if (step->icmp_code == 3 || step->icmp_code == 4)
			return "ICMP port unreachable is sent";
		return step->set & BIT(KRAW_STEP_A_ICMP_POINTER) ?
			       "ICMPv6 unrecognised next header is sent" :
			       "ICMP protocol unreachable is sent";
	case KRAW_ICMP_RESULT_NEVER:
		return "no ICMP error: unreach never";
	case KRAW_ICMP_RESULT_SILENT:
		return "no ICMP error: Linux does not answer such a packet";
	default:
		return "no ICMP error";
	}
}

const char *step_phrase(const struct step *step)
{
	switch (step->kind) {
	case KRAW_STEP_KIND_SHAPE:
		return shape_result_text(step);
	case KRAW_STEP_KIND_VERDICT:
		return decider_text(step);
	case KRAW_STEP_KIND_SOCKET:
		return socket_result_text(step);
	case KRAW_STEP_KIND_DGRAM:
		return dgram_result_text(step);
	case KRAW_STEP_KIND_HANDLER:
		if (!step->handler)
			return NULL;
		return step->set & BIT(KRAW_STEP_A_RECEIVES) ? "gets it" :
							       "nothing";
	case KRAW_STEP_KIND_OUTCOME:
		return outcome_text(step);
	default:
		return NULL;
	}
}
