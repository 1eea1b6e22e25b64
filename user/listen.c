// SPDX-License-Identifier: GPL-2.0
/* kraw listen: a line for each datagram that comes; echoes them if asked to. */
#include "error.h"
#include "hex.h"
#include "live.h"
#include "subcommands.h"
#include "talk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

const char listen_usage[] =
	"Usage: kraw listen proto P [ADDRESS] [port N] [raw | dgram] [dev IF]\n"
	"                   [exclusive] [count N] [echo] [text | hex | json] [file F]\n"
	"Receives datagrams of a protocol on raw sockets or, where these are refused, on\n"
	"a datagram socket of a claim; says which it got, and then a line a datagram.\n"
	"Ends with Ctrl-C or after N of them.\n"
	"ADDRESS a name or an address of this host; by default any, IPv4 and IPv6.\n"
	"port, exclusive: of datagram sockets only.\n"
	"echo    send each datagram back.\n"
	"file F  the payload goes there, as it is or, with text, hex or json, in lines;\n"
	"        - is standard output.\n"
	"With -j or json: a JSON object a line.\n";

/* Datagrams that are read at a time. */
#define BATCH 256

static struct {
	struct talk talk;
	struct talk_sockets sockets;
	FILE *file; /* of the payload; NULL: lines */
	uint64_t told, answered;
} hears;

static bool to_stdout(void)
{
	return !hears.talk.file || !strcmp(hears.talk.file, "-");
}

static bool enough(void)
{
	return hears.talk.count && hears.told >= hears.talk.count;
}

/* Into the file, in the form that was asked for. */
static void write_payload(const struct datagram *datagram)
{
	json_t *json;
	char *text;

	switch (hears.talk.form) {
	case PAYLOAD_HEX:
		text = hex_write(datagram->data, datagram->len);
		fprintf(hears.file, "%s\n", text);
		free(text);
		return;
	case PAYLOAD_JSON:
		json = output_json(datagram_fields, datagram);
		json_dumpf(json, hears.file, JSON_COMPACT);
		putc('\n', hears.file);
		json_decref(json);
		return;
	default:
		fwrite(datagram->data, 1, datagram->len, hears.file);
		if (hears.talk.form == PAYLOAD_TEXT)
			putc('\n', hears.file);
	}
}

/* A reader of a pipe that goes away is no error. */
static int flush(void)
{
	if (!hears.file || hears.file == stdout)
		return live_flush();
	if (!fflush(hears.file))
		return 0;
	if (errno != EPIPE)
		return refused("%s: cannot write: %s", hears.talk.file,
			       strerror(errno));
	live_leave();
	return 0;
}

static void echo(const struct talk_socket *socket,
		 const struct datagram *datagram)
{
	int error;

	if (datagram->answer)
		return;
	error = talk_answer(socket, datagram);
	if (error)
		note("a datagram of %zu bytes was not sent back: %s",
		     datagram->len, strerror(error));
	else
		hears.answered++;
}

static void tell(const struct talk_socket *socket,
		 const struct datagram *datagram)
{
	hears.told++;
	if (hears.file)
		write_payload(datagram);
	else
		output_line(datagram_fields, datagram);
	if (hears.talk.echo)
		echo(socket, datagram);
	if (enough())
		live_stop();
}

static int read_some(const struct talk_socket *socket)
{
	struct datagram datagram;
	unsigned int i;

	for (i = 0; i < BATCH && !live_stopped(); i++) {
		switch (talk_receive(socket, &datagram)) {
		case TALK_NONE:
			return 0;
		case TALK_SOME:
			tell(socket, &datagram);
			break;
		case TALK_ERROR:
			return STATUS_REFUSED;
		}
	}
	return 0;
}

static int work(void *data)
{
	size_t i;
	int ret = 0;

	(void)data;
	for (i = 0; !ret && i < hears.sockets.count; i++)
		ret = read_some(&hears.sockets.entry[i]);
	return flush() ?: ret;
}

static int open_file(void)
{
	if (!hears.talk.file)
		return 0;
	hears.file = to_stdout() ? stdout : fopen(hears.talk.file, "we");
	if (!hears.file)
		return refused("%s: cannot write: %s", hears.talk.file,
			       strerror(errno));
	return 0;
}

static void close_file(void)
{
	if (hears.file && hears.file != stdout)
		fclose(hears.file);
}

/* Says which sockets there are; not between the bytes of a payload. */
static int say(void)
{
	const struct talk_socket *socket;
	char *words;
	size_t i;

	for (i = 0; i < hears.sockets.count; i++) {
		socket = &hears.sockets.entry[i];
		if (hears.file != stdout) {
			output_line(talk_socket_fields, socket);
			continue;
		}
		words = output_words(talk_socket_fields, socket, false);
		fprintf(stderr, "%s\n", words);
		free(words);
	}
	return live_flush();
}

/* One descriptor for all sockets, or -1. */
static int join(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = epoll_create1(EPOLL_CLOEXEC);
	size_t i;

	for (i = 0; fd >= 0 && i < hears.sockets.count; i++)
		if (epoll_ctl(fd, EPOLL_CTL_ADD, hears.sockets.entry[i].fd,
			      &event)) {
			close(fd);
			fd = -1;
		}
	return fd;
}

static void summary(void)
{
	uint64_t lost = 0;
	size_t i;

	for (i = 0; i < hears.sockets.count; i++)
		lost += talk_lost(&hears.sockets.entry[i]);
	fprintf(stderr, "%" PRIu64 " datagram%s, %" PRIu64 " lost", hears.told,
		hears.told == 1 ? "" : "s", lost);
	if (hears.talk.echo)
		fprintf(stderr, ", %" PRIu64 " sent back", hears.answered);
	fputc('\n', stderr);
}

static int run(void)
{
	int fd, ret;

	ret = talk_listen(&hears.talk, &hears.sockets) ?: open_file();
	if (ret)
		return ret;
	fd = join();
	if (fd < 0)
		return refused("cannot wait for datagrams: %s",
			       strerror(errno));
	live_hold(true);
	ret = say() ?: live_run(fd, to_stdout(), work, NULL);
	live_hold(false);
	close(fd);
	if (!ret && !live_gone())
		summary();
	return ret;
}

int listen_main(struct args *args)
{
	bool json = options.json;
	int ret;

	if (!args_peek(args)) {
		fputs(listen_usage, stderr);
		return STATUS_USAGE;
	}
	memset(&hears, 0, sizeof(hears));
	ret = talk_parse(args, "listen", &hears.talk);
	if (ret)
		return ret;
	options.json |= hears.talk.form == PAYLOAD_JSON;
	ret = run();
	talk_close(&hears.sockets);
	close_file();
	options.json = json;
	return ret;
}
