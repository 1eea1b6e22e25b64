// SPDX-License-Identifier: GPL-2.0
/* From a record of the kernel's to what is known of a packet. */
#include "trace.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static void get_address(const struct nlattr *attr, struct record *record,
			uint8_t *address)
{
	uint16_t len = attr ? mnl_attr_get_payload_len(attr) : 0;

	if (len != 4 && len != 16)
		return;
	record->family = len == 4 ? AF_INET : AF_INET6;
	memcpy(address, mnl_attr_get_payload(attr), len);
}

static void get_receiver(const struct nlattr *nest, struct receivers *to)
{
	const struct nlattr *attrs[KRAW_TRACE_SOCKET_A_MAX + 1];
	struct receiver *receiver;

	if (to->count == RECEIVERS_MAX)
		return;
	receiver = &to->list[to->count++];
	nl_nest(nest, attrs, KRAW_TRACE_SOCKET_A_MAX);
	get_u32(attrs[KRAW_TRACE_SOCKET_A_INODE], &receiver->inode);
	get_u8(attrs[KRAW_TRACE_SOCKET_A_RESULT], &receiver->result);
}

static void get_packet(const struct nlattr *const *attrs, struct record *record)
{
	char *dev = get_text(attrs[KRAW_TRACE_A_DEV]);

	if (dev)
		strncpy(record->dev, dev, sizeof(record->dev) - 1);
	free(dev);
	get_u64(attrs[KRAW_TRACE_A_TIME], &record->time);
	get_u8(attrs[KRAW_TRACE_A_HOOK], &record->hook);
	get_u8(attrs[KRAW_TRACE_A_PROTO], &record->proto);
	get_address(attrs[KRAW_TRACE_A_SRC], record, record->src);
	get_address(attrs[KRAW_TRACE_A_DST], record, record->dst);
	get_u32(attrs[KRAW_TRACE_A_LEN], &record->len);
}

static void get_outcome(const struct nlattr *const *attrs,
			struct record *record)
{
	get_u8(attrs[KRAW_TRACE_A_VERDICT], &record->verdict);
	get_u32(attrs[KRAW_TRACE_A_HANDLE], &record->handle);
	get_u32(attrs[KRAW_TRACE_A_PREF], &record->pref);
	get_u32(attrs[KRAW_TRACE_A_SENDER], &record->sender);
	get_u32(attrs[KRAW_TRACE_A_UID], &record->uid);
	get_u32(attrs[KRAW_TRACE_A_SOCKETS], &record->raw.matching);
	get_u32(attrs[KRAW_TRACE_A_DGRAMS], &record->dgram.matching);
	get_u8(attrs[KRAW_TRACE_A_DGRAM_RESULT], &record->dgram_result);
	record->handler = get_text(attrs[KRAW_TRACE_A_HANDLER]);
	record->module = get_text(attrs[KRAW_TRACE_A_MODULE]);
	get_u8(attrs[KRAW_TRACE_A_HANDLER_RESULT], &record->handler_result);
	get_u8(attrs[KRAW_TRACE_A_ICMP_RESULT], &record->icmp_result);
	get_u8(attrs[KRAW_TRACE_A_ICMP_TYPE], &record->icmp_type);
	get_u8(attrs[KRAW_TRACE_A_ICMP_CODE], &record->icmp_code);
	get_u32(attrs[KRAW_TRACE_A_ICMP_POINTER], &record->icmp_pointer);
}

int record_get(const struct nlmsghdr *nlh, struct record *record)
{
	const struct nlattr *nest[KRAW_TRACE_A_MAX + 1];
	const struct nlattr *attrs[KRAW_A_MAX + 1];
	const struct nlattr *attr;
	unsigned int i;
	int ret;

	memset(record, 0, sizeof(*record));
	ret = nl_attrs(nlh, attrs, KRAW_A_MAX);
	if (ret)
		return ret;
	if (!attrs[KRAW_A_TRACE])
		return refused("the kernel's record has nothing in it");
	nl_nest(attrs[KRAW_A_TRACE], nest, KRAW_TRACE_A_MAX);
	for (i = 1; i <= KRAW_TRACE_A_MAX; i++)
		if (nest[i])
			record->set |= BIT(i);
	get_u64(nest[KRAW_TRACE_A_SEQ], &record->seq);
	get_u64(nest[KRAW_TRACE_A_LOST], &record->lost);
	get_packet(nest, record);
	get_outcome(nest, record);
	/* The table holds one of each kind. */
	mnl_attr_for_each_nested(attr, attrs[KRAW_A_TRACE]) {
		if (mnl_attr_get_type(attr) == KRAW_TRACE_A_SOCKET)
			get_receiver(attr, &record->raw);
		if (mnl_attr_get_type(attr) == KRAW_TRACE_A_DGRAM)
			get_receiver(attr, &record->dgram);
	}
	if (attrs[KRAW_A_DATA]) {
		record->data = mnl_attr_get_payload(attrs[KRAW_A_DATA]);
		record->data_len = mnl_attr_get_payload_len(attrs[KRAW_A_DATA]);
	}
	return 0;
}

void record_clear(struct record *record)
{
	free(record->handler);
	free(record->module);
}

/*
 * What is known of sockets, and since when. The raw sockets are all looked for at
 * once; nobody lists the datagram sockets, they are known when they receive.
 */
static struct {
	struct raw_sockets raw;
	bool valid; /* @raw is filled in */
	bool useless; /* it cannot be, which was told */
	struct owners **dgram;
	size_t dgrams;
	unsigned int looks;
	uint64_t first; /* of these, monotonic nanoseconds */
	uint64_t spent; /* on looking, nanoseconds */
} known;

static void forget_raw(void)
{
	if (known.valid)
		raw_sockets_clear(&known.raw);
	known.valid = false;
}

static void forget_dgram(size_t i)
{
	owners_clear(known.dgram[i]);
	free(known.dgram[i]);
	known.dgram[i] = known.dgram[--known.dgrams];
}

void record_owners_forget(void)
{
	forget_raw();
	while (known.dgrams)
		forget_dgram(known.dgrams - 1);
	free(known.dgram);
	known.dgram = NULL;
}

static const struct owners *find(uint32_t inode)
{
	size_t i;

	for (i = 0; known.valid && i < known.raw.count; i++)
		if (known.raw.entry[i].owners.inode == inode)
			return &known.raw.entry[i].owners;
	for (i = 0; i < known.dgrams; i++)
		if (known.dgram[i]->inode == inode)
			return known.dgram[i];
	return NULL;
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static void add_dgram(uint32_t inode)
{
	struct owners *owners;

	if (!inode || find(inode))
		return;
	owners = xalloc(sizeof(*owners));
	memset(owners, 0, sizeof(*owners));
	owners->inode = inode;
	known.dgram = xrealloc(known.dgram,
			       (known.dgrams + 1) * sizeof(*known.dgram));
	known.dgram[known.dgrams++] = owners;
}

/* All of them again: a socket may have gone to somebody else. */
static void find_owners(void)
{
	size_t i, count = known.valid ? known.raw.count : 0;
	struct owners **list;

	if (!count && !known.dgrams)
		return;
	list = xalloc((count + known.dgrams) * sizeof(*list));
	for (i = 0; i < count; i++)
		list[i] = &known.raw.entry[i].owners;
	for (i = 0; i < known.dgrams; i++)
		list[count + i] = known.dgram[i];
	owners_find(list, count + known.dgrams);
	free(list);
}

static void renew_dgrams(const struct receivers *dgram)
{
	size_t i;

	/* Those that nobody had are closed, or were never to be seen. */
	for (i = known.dgrams; i-- > 0;) {
		uint32_t inode = known.dgram[i]->inode;
		bool was_held = known.dgram[i]->count;

		forget_dgram(i);
		if (was_held)
			add_dgram(inode);
	}
	for (i = 0; i < dgram->count; i++)
		add_dgram(dgram->list[i].inode);
}

/*
 * To look is to walk through all processes: no more than a tenth of the time, but
 * for the first looks, when every socket is new.
 */
#define FIRST_LOOKS 32

static bool may_look(uint64_t begin)
{
	if (!known.first)
		known.first = begin;
	return known.looks < FIRST_LOOKS ||
	       known.spent <= (begin - known.first) / 10;
}

static void look_again(const struct record *record)
{
	uint64_t begin = now();

	if (!may_look(begin))
		return;
	forget_raw();
	if (!known.useless)
		known.useless = raw_sockets_get(&known.raw, -1);
	known.valid = !known.useless;
	renew_dgrams(&record->dgram);
	find_owners();
	known.spent += now() - begin;
	known.looks++;
}

static bool is_missing(uint32_t inode)
{
	return inode && !find(inode);
}

static bool any_missing(const struct receivers *receivers)
{
	size_t i;

	for (i = 0; i < receivers->count; i++)
		if (is_missing(receivers->list[i].inode))
			return true;
	return false;
}

static void set_owners(struct receivers *receivers)
{
	size_t i;

	for (i = 0; i < receivers->count; i++)
		receivers->list[i].owners = find(receivers->list[i].inode);
}

void record_owners(struct record *record)
{
	if (is_missing(record->sender) || any_missing(&record->raw) ||
	    any_missing(&record->dgram))
		look_again(record);
	record->sender_owners = find(record->sender);
	set_owners(&record->raw);
	set_owners(&record->dgram);
}
