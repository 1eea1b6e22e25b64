// SPDX-License-Identifier: GPL-2.0
/* kraw send: sends datagrams, and waits for their echo if asked to. */
#include "error.h"
#include "live.h"
#include "subcommands.h"
#include "talk.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

const char send_usage[] =
	"Usage: kraw send proto P ADDRESS [port N] [raw | dgram] [dev IF]\n"
	"                 [exclusive] [count N] [echo] [text | hex | json] [file F]\n"
	"Sends datagrams of a protocol by a raw socket or, where that is refused, by a\n"
	"datagram socket of a claim; says which it got. Each line of standard input is\n"
	"one: text, bytes in hexadecimal, or an object that 'kraw listen json' printed.\n"
	"ADDRESS a name or an address.\n"
	"port, exclusive: of datagram sockets only.\n"
	"count N send each of them so many times.\n"
	"echo    wait for an answer to each of them, and print it.\n"
	"file F  the whole file is one datagram; with text, hex or json, each line is;\n"
	"        - is standard input.\n";

/* Who does not answer within these has not got it. */
#define ANSWER_MS 5000

static struct {
	struct talk talk;
	struct talk_sockets sockets;
	struct payload *payload;
	uint64_t sent, answered;
} says;

/* Milliseconds that are left of it. */
static int left(const struct timespec *begin)
{
	struct timespec now;
	int64_t passed;

	clock_gettime(CLOCK_MONOTONIC, &now);
	passed = (int64_t)(now.tv_sec - begin->tv_sec) * 1000 +
		 (now.tv_nsec - begin->tv_nsec) / 1000000;
	return passed < ANSWER_MS ? (int)(ANSWER_MS - passed) : 0;
}

static bool to_itself(const struct talk_socket *socket)
{
	if (socket->family == AF_INET)
		return socket->local.v4.sin_addr.s_addr ==
		       socket->peer.v4.sin_addr.s_addr;
	return !memcmp(&socket->local.v6.sin6_addr, &socket->peer.v6.sin6_addr,
		       sizeof(struct in6_addr));
}

/*
 * What is not marked as an answer, as kraw listen does it, may be what a raw
 * socket that sends to its own address has sent.
 */
static bool is_own(const struct talk_socket *socket,
		   const struct datagram *datagram)
{
	return socket->type == SOCK_RAW && !datagram->answer &&
	       to_itself(socket);
}

/* Without ports nothing tells it from those that it is meant for. */
static int check_peer(const struct talk_socket *socket)
{
	if (socket->type == SOCK_RAW || socket->local.v4.sin_port ||
	    !to_itself(socket))
		return 0;
	return refused("%s: an address of this host: without ports, a datagram socket that sends there hears itself and nobody else does: use raw",
		       says.talk.address);
}

static int await(const struct talk_socket *socket)
{
	struct pollfd fd = { .fd = socket->fd, .events = POLLIN };
	struct datagram datagram;
	struct timespec begin;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (;;) {
		switch (talk_receive(socket, &datagram)) {
		case TALK_SOME:
			if (is_own(socket, &datagram))
				continue;
			says.answered++;
			output_line(datagram_fields, &datagram);
			return live_flush();
		case TALK_NONE:
			if (poll(&fd, 1, left(&begin)) == 0)
				return refused("%s: no answer within %d seconds",
					       says.talk.address,
					       ANSWER_MS / 1000);
			continue;
		case TALK_ERROR:
			return STATUS_REFUSED;
		}
	}
}

static int send_one(const struct talk_socket *socket, const uint8_t *data,
		    size_t len)
{
	uint32_t i, count = says.talk.count ?: 1;
	int ret = 0;

	for (i = 0; !ret && i < count && !live_gone(); i++) {
		ret = talk_send(socket, data, len);
		if (ret)
			break;
		says.sent++;
		if (says.talk.echo)
			ret = await(socket);
	}
	return ret;
}

static int send_all(const struct talk_socket *socket)
{
	const uint8_t *data;
	bool end = false;
	size_t len;
	int ret = 0;

	while (!live_gone()) {
		ret = payload_next(says.payload, &data, &len, &end);
		if (ret || end)
			break;
		ret = send_one(socket, data, len);
		if (ret)
			break;
	}
	return ret;
}

/* An ICMP error may be here already; nobody else would tell of it. */
static int last_word(const struct talk_socket *socket)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(socket->fd, SOL_SOCKET, SO_ERROR, &error, &len) ||
	    !error)
		return 0;
	return talk_failed(socket, 0, error);
}

static void summary(void)
{
	fprintf(stderr, "%" PRIu64 " datagram%s sent", says.sent,
		says.sent == 1 ? "" : "s");
	if (says.talk.echo)
		fprintf(stderr, ", %" PRIu64 " answered", says.answered);
	fputc('\n', stderr);
}

static int run(void)
{
	const struct talk_socket *socket = &says.sockets.entry[0];
	int ret;

	if (!says.talk.address)
		return fail("to whom? Say an address");
	if (options.batch_input &&
	    (!says.talk.file || !strcmp(says.talk.file, "-")))
		return fail("standard input has the commands of this batch: say file F");
	ret = payload_open(&says.payload, &says.talk)	      ?:
		      talk_connect(&says.talk, &says.sockets) ?:
		      check_peer(socket);
	if (ret)
		return ret;
	output_line(talk_socket_fields, socket);
	ret = live_flush() ?: send_all(socket) ?: last_word(socket);
	if (!ret && !live_gone())
		summary();
	return ret;
}

int send_main(struct args *args)
{
	bool json = options.json;
	int ret;

	if (!args_peek(args)) {
		fputs(send_usage, stderr);
		return STATUS_USAGE;
	}
	memset(&says, 0, sizeof(says));
	ret = talk_parse(args, "send", &says.talk);
	if (ret)
		return ret;
	options.json |= says.talk.form == PAYLOAD_JSON;
	signal(SIGPIPE, SIG_IGN);
	ret = run();
	payload_close(says.payload);
	talk_close(&says.sockets);
	options.json = json;
	return ret;
}
