/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_EXPLAIN_H
#define KRAW_EXPLAIN_H

#include "config.h"
#include "owners.h"

/* A packet, as the user or the kernel describes it. */
struct packet {
	uint32_t set; /* BIT(KRAW_PACKET_A_...) of what is filled in */
	uint8_t proto;
	uint8_t family; /* AF_INET or AF_INET6 */
	uint8_t src[16], dst[16];
	char dev[IFNAMSIZ];
	uint32_t len;
	uint8_t ttl;
	uint8_t dscp;
	uint32_t mark;
	uint8_t *payload; /* to be freed */
	size_t payload_len;
	bool has_sport,
		has_dport; /* of a claim with ports, before the payload */
	uint16_t sport, dport;
};

/* One step of the kernel's answer; which fields count depends on its kind. */
struct step {
	uint8_t kind; /* enum kraw_step_kind */
	uint64_t set; /* BIT(KRAW_STEP_A_...) of what is filled in */
	const struct packet *packet; /* of all steps */
	const struct rule *rule;
	const struct handler *handler; /* NULL: none */
	uint32_t fields;
	uint8_t family; /* one bit KRAW_FAMILY_* */
	uint8_t src_prefix, dst_prefix;
	uint32_t mark_mask;
	uint32_t pref, rules;
	uint8_t shape_result;
	uint8_t decider, verdict, unreach;
	uint32_t inode;
	uint8_t local[16], peer[16]; /* zero: any */
	uint16_t local_port, peer_port; /* zero: none */
	char *dev; /* to be freed; NULL: any */
	uint8_t socket_result;
	const struct owners *owners; /* NULL: not found again */
	uint32_t matching, copies;
	uint8_t dgram_result;
	uint32_t dgrams;
	uint8_t icmp_result, icmp_type, icmp_code;
	uint32_t icmp_pointer;
};

/* What came of it, in the words of a person; NULL: it speaks for itself. */
const char *step_phrase(const struct step *step);

/* The rest of the command "kraw explain open". */
int explain_open(struct args *args);

#endif /* KRAW_EXPLAIN_H */
