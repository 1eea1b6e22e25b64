// SPDX-License-Identifier: GPL-2.0
/*
 * Sockets for kraw listen and kraw send. A system need not offer raw sockets, nor
 * to everybody: these come first, then datagram sockets, then words that help.
 */
#include "talk.h"
#include "error.h"

#include <errno.h>
#include <linux/kraw.h>
#include <linux/kraw_socket.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* How far we came; a later step says more than an earlier one. */
enum step {
	STEP_NONE,
	STEP_SOCKET,
	STEP_DEVICE,
	STEP_EXCLUSIVE,
	STEP_BIND,
	STEP_CONNECT,
};

struct failure {
	enum step step;
	int error;
	struct talk_socket socket;
};

/* Somebody who is not let in is told so, though the other family has no claim. */
static void failed(struct failure *failure, enum step step,
		   struct talk_socket *socket)
{
	int error = errno;

	if (step > failure->step ||
	    (step == failure->step && failure->error != EPERM)) {
		failure->step = step;
		failure->error = error;
		failure->socket = *socket;
	}
	if (socket->fd >= 0)
		close(socket->fd);
	socket->fd = -1;
}

static void set_flag(int fd, int level, int name, int value)
{
	/* What a kind of socket does not know is not told of its datagrams. */
	setsockopt(fd, level, name, &value, sizeof(value));
}

static void set_flags(const struct talk_socket *socket, bool mark)
{
	set_flag(socket->fd, SOL_SOCKET, SO_BROADCAST, 1);
	set_flag(socket->fd, SOL_IP, IP_PKTINFO, 1);
	set_flag(socket->fd, SOL_IP, IP_RECVTOS, 1);
	if (mark)
		set_flag(socket->fd, SOL_IP, IP_TOS, TOS_ANSWER);
	if (socket->family == AF_INET)
		return;
	set_flag(socket->fd, SOL_IPV6, IPV6_RECVPKTINFO, 1);
	set_flag(socket->fd, SOL_IPV6, IPV6_RECVTCLASS, 1);
	if (mark)
		set_flag(socket->fd, SOL_IPV6, IPV6_TCLASS, TOS_ANSWER);
}

/* A socket with the options that have to be set first. */
static bool open_one(struct talk_socket *new, struct failure *failure)
{
	const struct talk *talk = new->talk;
	int on = 1;

	new->fd = socket(new->family, new->type | SOCK_CLOEXEC | SOCK_NONBLOCK,
			 talk->proto);
	if (new->fd < 0) {
		failed(failure, STEP_SOCKET, new);
		return false;
	}
	if (talk->dev && setsockopt(new->fd, SOL_SOCKET, SO_BINDTODEVICE,
				    talk->dev, strlen(talk->dev))) {
		failed(failure, STEP_DEVICE, new);
		return false;
	}
	if (talk->exclusive &&
	    setsockopt(new->fd, talk->proto, KRAW_EXCLUSIVEADDRUSE, &on,
		       sizeof(on))) {
		failed(failure, STEP_EXCLUSIVE, new);
		return false;
	}
	return true;
}

/* Its own address; the kernel shows a raw socket's protocol as its port. */
static void read_local(struct talk_socket *socket)
{
	socklen_t len = sizeof(socket->local);

	getsockname(socket->fd, &socket->local.any, &len);
	if (socket->type == SOCK_RAW)
		socket->local.v4.sin_port = 0;
}

/* Does an IPv6 socket of this protocol get IPv4, too? A claim may lack it. */
static bool has_ipv4(uint8_t proto)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, proto);

	if (fd < 0)
		return errno != EPROTONOSUPPORT;
	close(fd);
	return true;
}

static void add(struct talk_sockets *sockets, struct talk_socket *socket,
		bool dual)
{
	socket->families = socket->family == AF_INET ? KRAW_FAMILY_IPV4 :
						       KRAW_FAMILY_IPV6;
	if (dual && has_ipv4(socket->talk->proto))
		socket->families |= KRAW_FAMILY_IPV4;
	read_local(socket);
	sockets->entry[sockets->count++] = *socket;
}

static bool bind_one(struct talk_sockets *sockets, struct talk_socket *new,
		     const struct addrinfo *info, bool dual,
		     struct failure *failure)
{
	int only = !dual;

	if (!open_one(new, failure))
		return false;
	set_flags(new, new->talk->echo);
	if (new->family == AF_INET6 &&new->type == SOCK_DGRAM)
		set_flag(new->fd, SOL_IPV6, IPV6_V6ONLY, only);
	if (bind(new->fd, info->ai_addr, info->ai_addrlen)) {
		failed(failure, STEP_BIND, new);
		return false;
	}
	add(sockets, new, dual);
	return true;
}

static const struct addrinfo *find(const struct addrinfo *list, int family)
{
	for (; list; list = list->ai_next)
		if (list->ai_family == family)
			return list;
	return NULL;
}

/*
 * A datagram socket of IPv6 is enough for both families. Of raw sockets, which
 * know no mapped addresses, it takes two; so it does with a name that has
 * addresses in both.
 */
static void listen_as(const struct talk *talk, int type,
		      const struct addrinfo *list, struct talk_sockets *sockets,
		      struct failure *failure)
{
	static const int families[] = { AF_INET6, AF_INET };
	const struct addrinfo *info;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct talk_socket new = { talk, -1, type, families[i] };
		bool dual = type == SOCK_DGRAM && families[i] == AF_INET6 &&
			    !talk->address;

		info = find(list, families[i]);
		if (info &&
		    (bind_one(sockets, &new, info, dual, failure) && dual))
			break;
		/* What is taken is not had by asking for less. */
		if (dual && failure->step > STEP_SOCKET)
			break;
	}
}

/* The first address that works. */
static void connect_as(const struct talk *talk, int type,
		       const struct addrinfo *list,
		       struct talk_sockets *sockets, struct failure *failure)
{
	for (; list && !sockets->count; list = list->ai_next) {
		struct talk_socket new = { talk, -1, type, list->ai_family };

		memcpy(&new.peer, list->ai_addr, list->ai_addrlen);
		if (!open_one(&new, failure))
			continue;
		set_flags(&new, false);
		if (connect(new.fd, list->ai_addr, list->ai_addrlen))
			failed(failure, STEP_CONNECT, &new);
		else
			add(sockets, &new, false);
	}
}

static const char *reason(const struct failure *failure, int type)
{
	if (failure->error == EPERM && type == SOCK_RAW)
		return "not permitted, it needs CAP_NET_RAW";
	if (failure->error == EPERM)
		return "its claim does not let this user in";
	if (failure->error == EPROTONOSUPPORT && type == SOCK_DGRAM)
		return "it is not claimed in this network namespace";
	return strerror(failure->error);
}

/* No socket at all: why, and who can do what about it. */
static int no_socket(const struct talk *talk, const struct failure *raw,
		     const struct failure *dgram)
{
	bool others = geteuid() || raw->error == EPERM;
	char users[32] = "";

	if (others)
		snprintf(users, sizeof(users), " users uid %u", geteuid());
	if (talk->type == SOCK_RAW && raw->error == EPERM)
		return refused("protocol %u: no raw socket: %s: be root, or leave out 'raw' to try a datagram socket",
			       talk->proto, reason(raw, SOCK_RAW));
	if (talk->type == SOCK_RAW)
		return refused("protocol %u: no raw socket: %s", talk->proto,
			       reason(raw, SOCK_RAW));
	if (raw->step && dgram->error == EPROTONOSUPPORT)
		return refused("protocol %u: no raw socket: %s; no datagram socket: %s: be root, or let root do 'kraw proto add %u claim plain%s'",
			       talk->proto, reason(raw, SOCK_RAW),
			       reason(dgram, SOCK_DGRAM), talk->proto, users);
	if (dgram->error == EPROTONOSUPPORT)
		return refused("protocol %u: no datagram socket: %s: 'kraw proto add %u claim %s%s' does that, as root",
			       talk->proto, reason(dgram, SOCK_DGRAM),
			       talk->proto, talk->port ? "ports" : "plain",
			       users);
	if (dgram->error == EPERM)
		return refused("protocol %u: %s%s%sno datagram socket: %s: be root, or let root do 'kraw proto set %u users uid %u'",
			       talk->proto, raw->step ? "no raw socket: " : "",
			       raw->step ? reason(raw, SOCK_RAW) : "",
			       raw->step ? "; " : "", reason(dgram, SOCK_DGRAM),
			       talk->proto, geteuid());
	return refused("protocol %u: no socket: %s", talk->proto,
		       reason(dgram, SOCK_DGRAM));
}

static int cannot_bind(const struct talk *talk, const struct failure *failure)
{
	const char *address = talk->address ?: "any address";
	bool dgram = failure->socket.type == SOCK_DGRAM;

	switch (failure->error) {
	case EADDRINUSE:
		if (talk->port)
			return refused("%s, port %u: taken, another socket is bound to it: use another port",
				       address, talk->port);
		return refused("%s: taken, another socket of protocol %u is bound to it",
			       address, talk->proto);
	case EACCES:
		return refused("port %u: not permitted, ports below net.ipv4.ip_unprivileged_port_start need CAP_NET_BIND_SERVICE: use one above",
			       talk->port);
	case EADDRNOTAVAIL:
		return refused("%s: no address of this host, see 'ip address'",
			       address);
	case EINVAL:
		if (dgram && talk->port)
			return refused("port %u: protocol %u is claimed without ports: leave it out, or let root do 'kraw proto set %u claim ports'",
				       talk->port, talk->proto, talk->proto);
		if (failure->socket.family == AF_INET6)
			return refused("%s: of which device? Write ADDRESS%%IF",
				       address);
		/* fall through */
	default:
		return refused("%s: cannot bind to it: %s", address,
			       strerror(failure->error));
	}
}

static int step_failed(const struct talk *talk, const struct failure *failure)
{
	switch (failure->step) {
	case STEP_DEVICE:
		return refused("dev %s: %s", talk->dev,
			       strerror(failure->error));
	case STEP_EXCLUSIVE:
		if (failure->error == ENOPROTOOPT)
			return refused("exclusive: protocol %u is the kernel's own here, its sockets have no such option: those of a claim have",
				       talk->proto);
		return refused("exclusive: %s", strerror(failure->error));
	case STEP_BIND:
		return cannot_bind(talk, failure);
	default:
		return talk_failed(&failure->socket, 0, failure->error);
	}
}

static int resolve(const struct talk *talk, bool passive,
		   struct addrinfo **list)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0),
		.ai_socktype = SOCK_DGRAM,
	};
	char port[8];
	int error;

	snprintf(port, sizeof(port), "%u", talk->port);
	error = getaddrinfo(talk->address, port, &hints, list);
	if (error == EAI_SYSTEM)
		return refused("'%s': %s", talk->address, strerror(errno));
	if (error)
		return fail("'%s': not a word that is known here, nor an address, nor a name that has one: %s",
			    talk->address, gai_strerror(error));
	return 0;
}

typedef void (*opener)(const struct talk *talk, int type,
		       const struct addrinfo *list,
		       struct talk_sockets *sockets, struct failure *failure);

static int open_some(const struct talk *talk, bool passive, opener open_as,
		     struct talk_sockets *sockets)
{
	struct failure raw = { 0 }, dgram = { 0 };
	struct addrinfo *list;
	int ret;

	memset(sockets, 0, sizeof(*sockets));
	ret = resolve(talk, passive, &list);
	if (ret)
		return ret;
	if (talk->type != SOCK_DGRAM)
		open_as(talk, SOCK_RAW, list, sockets, &raw);
	/* Where raw sockets are to be had, the other kind would do no better. */
	if (talk->type != SOCK_RAW && !sockets->count &&
	    raw.step <= STEP_SOCKET)
		open_as(talk, SOCK_DGRAM, list, sockets, &dgram);
	freeaddrinfo(list);
	if (sockets->count && raw.step == STEP_SOCKET &&
	    sockets->entry[0].type == SOCK_DGRAM)
		note("no raw socket: %s: a datagram socket instead",
		     reason(&raw, SOCK_RAW));
	if (sockets->count)
		return 0;
	if (raw.step > STEP_SOCKET)
		return step_failed(talk, &raw);
	if (dgram.step > STEP_SOCKET)
		return step_failed(talk, &dgram);
	return no_socket(talk, &raw, &dgram);
}

int talk_listen(const struct talk *talk, struct talk_sockets *sockets)
{
	return open_some(talk, true, listen_as, sockets);
}

int talk_connect(const struct talk *talk, struct talk_sockets *sockets)
{
	return open_some(talk, false, connect_as, sockets);
}

void talk_close(struct talk_sockets *sockets)
{
	while (sockets->count)
		close(sockets->entry[--sockets->count].fd);
}
