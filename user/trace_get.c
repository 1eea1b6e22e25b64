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

static void get_receiver(const struct nlattr *nest, struct record *record)
{
	const struct nlattr *attrs[KRAW_TRACE_SOCKET_A_MAX + 1];
	struct receiver *receiver;

	if (record->receivers == RECEIVERS_MAX)
		return;
	receiver = &record->receiver[record->receivers++];
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
	get_u32(attrs[KRAW_TRACE_A_SOCKETS], &record->sockets);
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
	mnl_attr_for_each_nested(attr, attrs[KRAW_A_TRACE])
		if (mnl_attr_get_type(attr) == KRAW_TRACE_A_SOCKET)
			get_receiver(attr, record);
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

/* What is known of the raw sockets, and since when. */
static struct {
	struct raw_sockets sockets;
	bool valid;
	bool useless; /* it cannot be known, which was told */
	uint64_t next; /* when to look again, monotonic nanoseconds */
} known;

void record_owners_forget(void)
{
	if (known.valid)
		raw_sockets_clear(&known.sockets);
	known.valid = false;
}

static const struct owners *find(uint32_t inode)
{
	size_t i;

	for (i = 0; known.valid && i < known.sockets.count; i++)
		if (known.sockets.entry[i].owners.inode == inode)
			return &known.sockets.entry[i].owners;
	return NULL;
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static void find_owners(struct raw_sockets *sockets)
{
	struct owners **list;
	size_t i;

	if (!sockets->count)
		return;
	list = xalloc(sockets->count * sizeof(*list));
	for (i = 0; i < sockets->count; i++)
		list[i] = &sockets->entry[i].owners;
	owners_find(list, sockets->count);
	free(list);
}

/* To look is to walk through all processes: no more than a tenth of the time. */
static void look_again(void)
{
	uint64_t begin = now();

	if (known.useless || begin < known.next)
		return;
	record_owners_forget();
	known.useless = raw_sockets_get(&known.sockets, -1);
	find_owners(&known.sockets);
	known.valid = true;
	known.next = begin + 10 * (now() - begin);
}

void record_owners(struct record *record)
{
	bool missing = record->sender && !find(record->sender);
	struct receiver *receiver;
	size_t i;

	for (i = 0; i < record->receivers; i++)
		missing |= !find(record->receiver[i].inode);
	if (missing)
		look_again();
	record->sender_owners = find(record->sender);
	for (i = 0; i < record->receivers; i++) {
		receiver = &record->receiver[i];
		receiver->owners = find(receiver->inode);
	}
}
