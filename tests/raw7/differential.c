// SPDX-License-Identifier: GPL-2.0
/*
 * differential MODE SEED ROUNDS [FIRST [show]]: rounds of chance, see scene.h,
 * from number FIRST on; with "show" all that they consist of is shown. What is
 * received is compared with the model here, and written to the output so that
 * runs in different states can be compared with each other.
 *
 *	plain	as Linux does: without kraw, or with verdict all
 *	raw	verdict raw: raw sockets as before, and no handler
 *	one	verdict one: one of them, the same one for a flow
 *	any	verdict one by random: one of them
 *
 * A line a round: for each socket its number of packets, a hash of those that are
 * ours, and one of all that came, control data included; then what came back to
 * left, what UDP sockets had, and, every sixteen rounds, what changed in /proc/net.
 */
#include "case.h"
#include "counters.h"
#include "lab.h"
#include "log.h"
#include "model.h"
#include "scene.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNTERS_EVERY 16

enum mode { PLAIN, RAW, ONE, ANY };

static enum mode mode;
static bool verbose;
static struct scene scene;
static unsigned int number, failures;
static int senders[2][7];
/* of left: ICMP, TCP, errors about 253 and UDP; of right: UDP's port 4711 */
static int backs[2][2], errors[2][2], handlers[2];
static struct got got;
/* How many copies of each packet each socket has, and ICMP errors about it */
static int copies[READERS_MAX][PACKETS_MAX], unreachable[PACKETS_MAX];

static void failed(const char *what, int reader, int item)
{
	if (failures++ < 20)
		printf("# round %u, IPv%d, socket %d, packet %d: %s\n", number,
		       scene.family, reader, item, what);
}

/* --- what is always there --------------------------------------------------- */

static void open_fixed(int family)
{
	int six = family == V6, i;

	senders[LEFT][family] = sender(LEFT, family);
	senders[RIGHT][family] = sender(RIGHT, family);
	backs[six][0] = raw(LEFT, family, six ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	backs[six][1] = raw(LEFT, family, IPPROTO_TCP);
	errors[six][0] = raw(LEFT, family, 253);
	errors[six][1] = raw(LEFT, family, IPPROTO_UDP);
	for (i = 0; i < 2; i++)
		option(errors[six][i], six ? IPPROTO_IPV6 : IPPROTO_IP,
		       six ? IPV6_RECVERR : IP_RECVERR, 1);
	handlers[six] = sock(RIGHT, address_family(family), SOCK_DGRAM, 0);
	if (six)
		option(handlers[six], IPPROTO_IPV6, IPV6_V6ONLY, 1);
	bind_port(handlers[six], six ? "::" : "0.0.0.0", 4711);
}

/* --- receiving --------------------------------------------------------------- */

/*
 * All that a socket has, as a hash, whatever its order; each packet is shown to
 * `seen` as well.
 */
static uint64_t take(int fd, int domain, int proto, int *count,
		     bool (*seen)(int reader, uint64_t hash), int reader)
{
	uint64_t hash = 0, one;

	*count = 0;
	for (;;) {
		if (receive(fd, &got)) {
			one = hash_got(domain, proto, &got) ^
			      hash_control(&got) ^
			      hash_bytes(got.flags, &got.from,
					 domain == AF_INET ?
						 sizeof(got.from.in) :
						 sizeof(got.from.in6));
			(*count)++;
			if (seen)
				seen(reader, one);
		} else if (errno == EAGAIN) {
			return hash;
		} else {
			one = errno;
		}
		/* an answer may be before or behind a packet sent meanwhile */
		hash += one * HASH_START;
	}
}

/* The packet whose tag is there, -1 without one. */
static int tagged(const uint8_t *data, size_t len, size_t at)
{
	uint32_t round = htonl(number);

	if (len < at + TAG_LEN || memcmp(data + at, "tag", 3) ||
	    memcmp(data + at + 4, &round, sizeof(round)) ||
	    data[at + 3] >= scene.items_count)
		return -1;
	return data[at + 3];
}

static uint64_t own[READERS_MAX];

/* A packet that we have sent, not an answer to one? */
static bool seen_reader(int reader, uint64_t hash)
{
	const uint8_t *data;
	size_t len, at;
	int item;

	data = payload(scene.family, &got, &len);
	at = scene.readers[reader].proto == IPPROTO_TCP ? 20 : 8;
	item = tagged(data, len, at);
	if (item < 0 || data[0] != scene.items[item].body[0])
		return false;
	if (len != scene.items[item].body_len ||
	    memcmp(data, scene.items[item].body, len))
		failed("it has changed", reader, item);
	copies[reader][item]++;
	own[reader] = hash_bytes(own[reader], &hash, sizeof(hash));
	return true;
}

/* An unreachable, by its type, about which of our packets? */
static bool seen_error(int six, uint64_t hash)
{
	const uint8_t *data;
	size_t len, at;
	int item;

	(void)hash;
	data = payload(scene.family, &got, &len);
	if (len < 8 ||
	    (six ? data[0] != 4 || data[1] != 1 : data[0] != 3 || data[1] != 2))
		return false;
	for (at = 8; at + TAG_LEN <= len; at++) {
		item = tagged(data, len, at);
		if (item >= 0) {
			unreachable[item]++;
			return true;
		}
	}
	return false;
}

static uint64_t take_errors(int fd, int domain)
{
	uint64_t hash = HASH_START, one;
	socklen_t len = sizeof(int);
	int pending;

	while (receive_error(fd, &got)) {
		one = hash_got(domain, 0, &got) ^ hash_control(&got);
		hash = hash_bytes(hash, &one, sizeof(one));
	}
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &pending, &len);
	/* these sockets also receive: not interesting */
	while (recv(fd, got.data, sizeof(got.data), 0) >= 0)
		;
	return hash;
}

/* --- the model ----------------------------------------------------------------- */

/* As `all` and `raw` have it: each gets a copy. */
static void check_copies(void)
{
	const struct reader *reader;
	const struct item *item;
	bool wanted;
	int r, i;

	for (r = 0; r < scene.readers_count; r++) {
		reader = &scene.readers[r];
		for (i = 0; i < scene.items_count; i++) {
			item = &scene.items[i];
			wanted = model_matches(scene.family, reader, item) &&
				 model_admits(scene.family, reader, item) &&
				 model_keeps(scene.family, reader, item);
			if (copies[r][i] > wanted)
				failed("a copy too many", r, i);
			if (copies[r][i] < wanted && !reader->small)
				failed("no copy", r, i);
		}
	}
}

/* Who could be chosen, a bit each. */
static unsigned int candidates(const struct item *item)
{
	unsigned int set = 0;
	int r;

	for (r = 0; r < scene.readers_count; r++)
		if (model_matches(scene.family, &scene.readers[r], item) &&
		    model_admits(scene.family, &scene.readers[r], item))
			set |= 1U << r;
	return set;
}

static void check_one_of(int i)
{
	unsigned int set = candidates(&scene.items[i]);
	bool may_refuse = !set;
	int r, total = 0;

	for (r = 0; r < scene.readers_count; r++) {
		total += copies[r][i];
		if (copies[r][i] && !(set & 1U << r))
			failed("it was not to be chosen", r, i);
		if (!(set & 1U << r))
			continue;
		if (scene.readers[r].small ||
		    !model_keeps(scene.family, &scene.readers[r],
				 &scene.items[i]))
			may_refuse = true;
		else
			continue;
		if (copies[r][i] && !scene.readers[r].small)
			failed("it should have refused it", r, i);
	}
	if (total > 1)
		failed("more than one has it", -1, i);
	if (!total && !may_refuse)
		failed("nobody has it", -1, i);
}

/* The addresses, and with TCP and UDP the ports. */
static bool same_flow(const struct item *a, const struct item *b)
{
	if (a->from != b->from || a->to != b->to || a->proto != b->proto)
		return false;
	return (a->proto != IPPROTO_TCP && a->proto != IPPROTO_UDP) ||
	       !memcmp(a->body, b->body, 4);
}

static int receiver(int i)
{
	int r;

	for (r = 0; r < scene.readers_count; r++)
		if (copies[r][i])
			return r;
	return -1;
}

static bool any_small(unsigned int set)
{
	int r;

	for (r = 0; r < scene.readers_count; r++)
		if (set & 1U << r && scene.readers[r].small)
			return true;
	return false;
}

static void check_one(void)
{
	unsigned int set;
	int i, j, a, b;

	for (i = 0; i < scene.items_count; i++) {
		check_one_of(i);
		set = candidates(&scene.items[i]);
		for (j = 0; j < i && mode == ONE; j++) {
			a = receiver(i);
			b = receiver(j);
			if (same_flow(&scene.items[i], &scene.items[j]) &&
			    set == candidates(&scene.items[j]) &&
			    !any_small(set) && a >= 0 && b >= 0 && a != b)
				failed("its flow was with another", a, i);
		}
	}
}

/*
 * Is the sender to be told that nobody has the protocol? A socket with a full
 * queue is somebody in 6.1, and not in kernels that ask for room before they copy.
 */
static bool told(const struct item *item, bool *either)
{
	bool matched = false;
	int r;

	*either = false;
	if (item->from == SELF || item->to == GROUP || item->to == BROADCAST)
		return false;
	/* with a handler nobody is: it was asked, whatever it said */
	if (mode == PLAIN && item->proto < 89)
		return false;
	/* nor about ICMP of a type that the kernel does not know */
	if (item->proto == IPPROTO_ICMP && item->body[0] > 18)
		return false;
	*either = true;
	for (r = 0; r < scene.readers_count; r++) {
		if (!model_matches(scene.family, &scene.readers[r], item))
			continue;
		matched = true;
		*either &= scene.readers[r].small;
	}
	*either &= matched;
	return !matched;
}

static void check_told(void)
{
	bool wanted, either;
	int i;

	for (i = 0; i < scene.items_count; i++) {
		wanted = told(&scene.items[i], &either);
		if (unreachable[i] != wanted && !either)
			failed(unreachable[i] ? "unreachable was sent" :
						"no unreachable",
			       -1, i);
	}
}

/* --- a round --------------------------------------------------------------------- */

static void send_items(void)
{
	const struct item *item;
	const char *to;
	int i, piece, from;

	for (i = 0; i < scene.items_count; i++) {
		item = &scene.items[i];
		from = item->from == SELF ? RIGHT : LEFT;
		to = place_address(scene.family, item->to);
		for (piece = 0; piece < item->count; piece++)
			if (send_to(senders[from][scene.family],
				    item->pieces[piece].data,
				    item->pieces[piece].len, to) < 0)
				bail("round %u: send to %s", number, to);
	}
	settle();
}

static void show_readers(int domain)
{
	const struct reader *reader;
	uint64_t all;
	int r, count;

	for (r = 0; r < scene.readers_count; r++) {
		reader = &scene.readers[r];
		own[r] = HASH_START;
		all = take(reader->fd, domain, reader->proto, &count,
			   seen_reader, r);
		/* answers race with packets for the room of a small queue */
		if (reader->small && reader->proto < 89) {
			own[r] = 0;
			all = 0;
			count = 0;
		}
		printf(" %d:%d:%016llx:%016llx", reader->proto, count,
		       (unsigned long long)own[r], (unsigned long long)all);
	}
}

/* For who looks for the reason of a difference. */
static void show_scene(void)
{
	const struct reader *reader;
	const struct item *item;
	int i;

	for (i = 0; i < scene.readers_count; i++) {
		reader = &scene.readers[i];
		diag("socket %d: protocol %d, bound %d, connected %d, device %s, filter %d, member %d%s%s%s%s options %#x",
		     i, reader->proto, reader->bound, reader->connected,
		     reader->device ? reader->device : "-", reader->program,
		     reader->member, reader->not_all ? ", not all" : "",
		     reader->icmp_filtered ? ", ICMP filter" : "",
		     reader->checksum ? ", checksum" : "",
		     reader->small ? ", small" : "", reader->options);
	}
	for (i = 0; i < scene.items_count; i++) {
		item = &scene.items[i];
		diag("packet %d: protocol %d, from %d to %d, pieces %d, first byte %#x%s",
		     i, item->proto, item->from, item->to, item->count,
		     item->body[0], item->checksum_good ? ", checksum" : "");
	}
}

static void one_round(uint64_t seed)
{
	int six, domain, i, count;
	uint64_t hash;

	scene_make(&scene, seed, number);
	six = scene.family == V6;
	domain = address_family(scene.family);
	if (verbose)
		show_scene();
	memset(copies, 0, sizeof(copies));
	memset(unreachable, 0, sizeof(unreachable));
	/* to read them all takes as long as a round */
	if (number % COUNTERS_EVERY == 0)
		counters_remember();
	in(RIGHT);
	scene_open(&scene);
	send_items();
	printf("round %u IPv%d", number, scene.family);
	show_readers(domain);
	printf(" |");
	for (i = 0; i < 2; i++) {
		hash = take(backs[six][i], domain,
			    i	? IPPROTO_TCP :
			    six ? IPPROTO_ICMPV6 :
				  IPPROTO_ICMP,
			    &count, i ? NULL : seen_error, six);
		printf(" %d:%016llx", count, (unsigned long long)hash);
	}
	for (i = 0; i < 2; i++)
		printf(" %016llx",
		       (unsigned long long)take_errors(errors[six][i], domain));
	hash = take(handlers[six], AF_UNSPEC, 0, &count, NULL, 0);
	printf(" udp:%d:%016llx", count, (unsigned long long)hash);
	if (number % COUNTERS_EVERY == COUNTERS_EVERY - 1) {
		printf(" counters:%016llx",
		       (unsigned long long)counters_hash());
		if (verbose)
			counters_log();
	}
	putchar('\n');
	scene_close(&scene);
	if (mode >= ONE)
		check_one();
	else
		check_copies();
	check_told();
}

int main(int argc, char **argv)
{
	static const char *const modes[] = { "plain", "raw", "one", "any" };
	unsigned int rounds, first;
	uint64_t seed;

	if (argc < 4)
		return 2;
	while (strcmp(argv[1], modes[mode]))
		if (mode++ == ANY)
			return 2;
	seed = strtoull(argv[2], NULL, 0);
	rounds = strtoul(argv[3], NULL, 0);
	first = argc > 4 ? strtoul(argv[4], NULL, 0) : 0;
	lab_open();
	verbose = argc > 5;
	log_quiet(!verbose);
	open_fixed(V4);
	open_fixed(V6);
	settle();
	for (number = first; number < first + rounds; number++)
		one_round(seed);
	printf("# %u differences from the model\n", failures);
	return !!failures;
}
