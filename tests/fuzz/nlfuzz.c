// SPDX-License-Identifier: GPL-2.0
/*
 * nlfuzz GRAMMAR FAMILY SEED FIRST EPISODES MESSAGES: hostile messages to the
 * netlink family with the number FAMILY, in the network namespace of the caller.
 *
 * In an episode two threads send MESSAGES each, good ones and broken ones, single
 * and many in a datagram, and read as much of the answers as chance wants. A third
 * one sends good ones only, a fourth one packets, and opens sockets. Then the
 * configuration is flushed and has to be empty, and the kernel's log is looked
 * through. What each thread does in an episode is a matter of SEED and the
 * episode's number alone.
 *
 * Ends with status 1 at the first finding, and says which episode it was.
 */
#include "cover.h"
#include "generate.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "../../kmod/uapi/linux/kraw.h"

#define THREADS	 2
#define SOCKETS	 3 /* of a thread */
#define DATAGRAM 65536
#define MESSAGE	 2048 /* but for a few */

static uint16_t family;
static uint64_t seed, episode;
static unsigned long messages;
static atomic_bool stop;
static atomic_ulong sent, accepted, packets;

static void finding(const char *what)
{
	printf("finding: %s (seed %llu, episode %llu)\n", what,
	       (unsigned long long)seed, (unsigned long long)episode);
	fflush(stdout);
	_exit(1);
}

static int netlink(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	int one = 1, size = 1 << 18;

	if (fd < 0)
		err(2, "netlink socket");
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return fd;
}

/* --- those who send messages ------------------------------------------- */

/* How far the kernel goes to the next message; 0: it goes no further. */
static size_t next(const uint8_t *data, size_t len)
{
	struct nlmsghdr head;

	if (len < sizeof(head))
		return 0;
	memcpy(&head, data, sizeof(head));
	if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > len)
		return 0;
	return NLMSG_ALIGN(head.nlmsg_len) < len ? NLMSG_ALIGN(head.nlmsg_len) :
						   len;
}

/* The messages that the kernel finds; at least one is said to be there. */
static unsigned long count_messages(const uint8_t *data, size_t len)
{
	unsigned long count = 0;
	size_t step;

	for (; (step = next(data, len)); data += step, len -= step)
		count++;
	return count ? count : 1;
}

/* A datagram; its length, and how many messages are in it. */
static size_t fill(struct rng *rng, uint8_t *data, bool is_hostile,
		   unsigned long *made)
{
	uint32_t count = rng_one_in(rng, 4) ? 1 : 1 + rng_below(rng, 48);
	size_t room = rng_one_in(rng, 100) ? DATAGRAM / 2 : MESSAGE;
	size_t start, len = 0;

	if (!is_hostile)
		count = 1;
	while (count-- && len + room <= DATAGRAM) {
		int wrong = is_hostile ? (int)rng_below(rng, 4) : 0;

		start = len;
		len += generate(rng, data + len, room, family, rng_next(rng),
				wrong);
		if (!is_hostile || !rng_one_in(rng, 64))
			while (len & 3)
				data[len++] = 0;
		/* what comes behind is mostly for nothing */
		if (next(data + start, len - start) != len - start &&
		    !rng_one_in(rng, 8))
			break;
	}
	*made += count_messages(data, len);
	return len;
}

/* Reads so many datagrams at most; a dump goes on only as it is read. */
static void drain(int fd, uint32_t most)
{
	static _Thread_local _Alignas(8) uint8_t answer[32768];
	const struct nlmsghdr *head = (const void *)answer;

	while (most-- && recv(fd, answer, sizeof(answer), MSG_DONTWAIT) >= 0)
		if (head->nlmsg_type == NLMSG_ERROR &&
		    !*(const int *)(head + 1))
			accepted++;
}

static void talk(struct rng *rng, unsigned long count, bool is_hostile)
{
	int fds[SOCKETS];
	uint8_t *data = malloc(DATAGRAM + 8);
	unsigned long made = 0;

	if (!data)
		err(2, "memory");
	for (int i = 0; i < SOCKETS; i++)
		fds[i] = netlink();
	while (made < count && !(stop && !is_hostile)) {
		int *fd = &fds[rng_below(rng, SOCKETS)];
		size_t len = fill(rng, data, is_hostile, &made);

		if (send(*fd, data, len, MSG_DONTWAIT) < 0 && errno == EINVAL)
			finding("send says EINVAL");
		drain(*fd, rng_one_in(rng, 4) ? rng_below(rng, 4) : 1000);
		cover_note();
		if (rng_one_in(rng, 64)) { /* whatever it was doing */
			close(*fd);
			*fd = netlink();
		}
		if (!is_hostile)
			usleep(300);
	}
	sent += made;
	for (int i = 0; i < SOCKETS; i++)
		close(fds[i]);
	free(data);
}

static void *hostile(void *arg)
{
	struct rng rng;

	rng_seed(&rng, seed, episode, *(int *)arg);
	cover_begin();
	talk(&rng, messages, true);
	cover_end();
	return NULL;
}

static void *good(void *arg)
{
	struct rng rng;

	(void)arg;
	rng_seed(&rng, seed, episode, THREADS);
	talk(&rng, (unsigned long)-1, false);
	return NULL;
}

/* --- packets meanwhile -------------------------------------------------- */

static const uint8_t numbers[] = { 200, 201, 202, 253, 254 };

struct ends {
	int raw[2][sizeof(numbers)];
	int dgram;
};

static void discard(int fd)
{
	uint8_t byte;

	while (recv(fd, &byte, 1, MSG_DONTWAIT) >= 0)
		;
}

static void one_packet(struct rng *rng, struct ends *ends)
{
	struct sockaddr_in to4 = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6,
				    .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	uint32_t i = rng_below(rng, sizeof(numbers));
	uint8_t data[256];

	for (size_t at = 0; at < sizeof(data); at++)
		data[at] = (uint8_t)rng_next(rng);
	if (rng_one_in(rng, 2))
		sendto(ends->raw[0][i], data, rng_below(rng, sizeof(data)),
		       MSG_DONTWAIT, (struct sockaddr *)&to4, sizeof(to4));
	else
		sendto(ends->raw[1][i], data, rng_below(rng, sizeof(data)),
		       MSG_DONTWAIT, (struct sockaddr *)&to6, sizeof(to6));
	packets++;
	if (!rng_one_in(rng, 8))
		return;
	for (i = 0; i < sizeof(numbers); i++) {
		discard(ends->raw[0][i]);
		discard(ends->raw[1][i]);
	}
	if (ends->dgram >= 0)
		close(ends->dgram);
	ends->dgram = socket(AF_INET, SOCK_DGRAM,
			     numbers[rng_below(rng, sizeof(numbers))]);
	if (ends->dgram >= 0)
		connect(ends->dgram, (struct sockaddr *)&to4, sizeof(to4));
}

static void *traffic(void *arg)
{
	struct ends ends = { .dgram = -1 };
	struct rng rng;

	(void)arg;
	rng_seed(&rng, seed, episode, THREADS + 1);
	for (size_t i = 0; i < sizeof(numbers); i++) {
		ends.raw[0][i] = socket(AF_INET, SOCK_RAW, numbers[i]);
		ends.raw[1][i] = socket(AF_INET6, SOCK_RAW, numbers[i]);
	}
	while (!stop) {
		one_packet(&rng, &ends);
		usleep(300);
	}
	for (size_t i = 0; i < sizeof(numbers); i++) {
		close(ends.raw[0][i]);
		close(ends.raw[1][i]);
	}
	if (ends.dgram >= 0)
		close(ends.dgram);
	return NULL;
}

/* --- what holds whatever was sent --------------------------------------- */

/* Sends a request without a fault and waits for its answer; its length. */
static ssize_t ask(uint8_t cmd, const struct nlattr *attr, uint8_t *answer,
		   size_t size)
{
	struct {
		struct nlmsghdr head;
		struct genlmsghdr genl;
		uint8_t attr[8];
	} request = {
		.head = { .nlmsg_len = sizeof(request),
			  .nlmsg_type = family,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
			  .nlmsg_seq = 1 },
		.genl = { .cmd = cmd, .version = 1 },
	};
	struct pollfd poll_fd = { .events = POLLIN };
	ssize_t len;

	if (attr)
		memcpy(request.attr, attr, sizeof(request.attr));
	else
		request.head.nlmsg_len -= sizeof(request.attr);
	poll_fd.fd = netlink();
	if (send(poll_fd.fd, &request, request.head.nlmsg_len, 0) < 0)
		finding("the family takes no message");
	if (poll(&poll_fd, 1, 60000) != 1)
		finding("the family does not answer");
	len = recv(poll_fd.fd, answer, size, 0);
	close(poll_fd.fd);
	return len;
}

static uint32_t number_in(const uint8_t *answer, ssize_t len, uint16_t type)
{
	ssize_t at = NLMSG_LENGTH(GENL_HDRLEN);

	while (at + 8 <= len) {
		const struct nlattr *nla = (const void *)(answer + at);

		if ((nla->nla_type & NLA_TYPE_MASK) == type)
			return *(const uint32_t *)(nla + 1);
		at += NLA_ALIGN(nla->nla_len);
	}
	finding("an answer without what it should have");
	return 0;
}

static void check_flush(void)
{
	struct {
		struct nlattr head;
		uint32_t flags;
	} force = { { sizeof(force), KRAW_A_FLAGS }, KRAW_FLAG_FORCE };
	_Alignas(8) uint8_t answer[4096];
	const struct nlmsghdr *head = (const void *)answer;
	ssize_t len;

	len = ask(KRAW_CMD_APPLY, &force.head, answer, sizeof(answer));
	if (len < (ssize_t)(sizeof(*head) + sizeof(int)) ||
	    head->nlmsg_type != NLMSG_ERROR || *(const int *)(head + 1))
		finding("flush does not work");
	len = ask(KRAW_CMD_CONFIG_GET, NULL, answer, sizeof(answer));
	if (len < (ssize_t)sizeof(*head) || head->nlmsg_type != family)
		finding("no configuration");
	if (number_in(answer, len, KRAW_A_PROTO_COUNT) ||
	    number_in(answer, len, KRAW_A_RULE_COUNT))
		finding("something is left after flush");
}

static bool is_complaint(const char *line)
{
	static const char *const starts[] = {
		"BUG",	      "WARNING",     "UBSAN",  "Oops",
		"KASAN",      "Call Trace:", "ODEBUG", "general protection",
		"kernel BUG", "refcount_t:", "INFO:",  "rcu: INFO:",
		"watchdog:",
	};

	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++)
		if (!strncmp(line, starts[i], strlen(starts[i])))
			return true;
	return strstr(line, "suspicious RCU usage") ||
	       strstr(line, "possible circular locking") ||
	       strstr(line, "inconsistent lock state");
}

static void check_log(int kmsg)
{
	char line[8192], *text;
	ssize_t len;

	while ((len = read(kmsg, line, sizeof(line) - 1)) > 0 ||
	       (len < 0 && errno == EPIPE)) {
		if (len < 0)
			continue; /* some have been overwritten */
		line[len] = '\0';
		text = strchr(line, ';');
		if (text && is_complaint(text + 1)) {
			text[1 + strcspn(text + 1, "\n")] = '\0';
			finding(text + 1);
		}
	}
}

static void run_episode(void)
{
	void *(*other[])(void *) = { good, traffic };
	pthread_t threads[THREADS], others[2];
	int ids[THREADS];

	stop = false;
	for (int i = 0; i < 2; i++)
		if (pthread_create(&others[i], NULL, other[i], NULL))
			errx(2, "no thread");
	for (int i = 0; i < THREADS; i++) {
		ids[i] = i;
		if (pthread_create(&threads[i], NULL, hostile, &ids[i]))
			errx(2, "no thread");
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	stop = true;
	for (int i = 0; i < 2; i++)
		pthread_join(others[i], NULL);
}

int main(int argc, char **argv)
{
	uint64_t first, count;
	int kmsg;

	if (argc != 7)
		errx(2, "nlfuzz GRAMMAR FAMILY SEED FIRST EPISODES MESSAGES");
	grammar_read(argv[1]);
	family = (uint16_t)strtoul(argv[2], NULL, 0);
	seed = strtoull(argv[3], NULL, 0);
	first = strtoull(argv[4], NULL, 0);
	count = strtoull(argv[5], NULL, 0);
	messages = strtoul(argv[6], NULL, 0);
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg < 0 || lseek(kmsg, 0, SEEK_END) < 0)
		err(2, "/dev/kmsg");
	for (episode = first; episode < first + count; episode++) {
		run_episode();
		check_flush();
		check_log(kmsg);
		if (cover_count())
			printf("episode %llu: %lu places of code reached\n",
			       (unsigned long long)episode, cover_count());
	}
	printf("%lu messages, %lu packets, next episode %llu; %lu changes\n",
	       sent, packets, (unsigned long long)episode, accepted);
	return 0;
}
