// SPDX-License-Identifier: GPL-2.0
/*
 * kraw bindtab: two sockets, every pair of options and addresses; may the second
 * one bind? Nothing is computed but what Winsock's table says: the kernel is asked.
 */
#include "bindtab.h"
#include "error.h"
#include "names.h"
#include "subcommands.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/kraw_socket.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const char bindtab_usage[] =
	"Usage: kraw bindtab [udp | tcp | raw | P]\n"
	"Which of two sockets may bind to the same port on this kernel: tries all pairs\n"
	"of options and addresses, with sockets of UDP, TCP, raw ones, or datagram\n"
	"sockets of a claimed protocol. The first one is across, the second one down.\n"
	"ANY, SPEC and specific are one address, another is a second one.\n"
	"EXCL    KRAW_EXCLUSIVEADDRUSE; REUSE SO_REUSEADDR; RPORT SO_REUSEPORT\n"
	"in use  EADDRINUSE; denied EACCES\n"
	"*       Winsock's table, with SO_EXCLUSIVEADDRUSE, says something else.\n"
	"With -j: an object a pair.\n";

/* Another program may take the port between two tries. */
#define PORT_TRIES 8

static struct {
	uint8_t proto;
	int type;
	const char *name;
	unsigned int options; /* bits: those that there are */
	bool has[STACKS]; /* sockets and addresses */
	bool another[STACKS];
	struct sockaddr_in v4[BIND_ADDRESSES];
	struct sockaddr_in6 v6[BIND_ADDRESSES];
	in_port_t port; /* in network byte order; 0: there are no ports */
	unsigned int cells, compared, departing;
} tab;

static int family_of(enum bind_stack stack)
{
	return stack == STACK_IPV4 ? AF_INET : AF_INET6;
}

static int open_socket(enum bind_stack stack)
{
	int only = stack == STACK_IPV6;
	int fd = socket(family_of(stack), tab.type | SOCK_CLOEXEC, tab.proto);

	if (fd >= 0 && stack != STACK_IPV4 && tab.type != SOCK_RAW)
		setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &only, sizeof(only));
	return fd;
}

static int set_option(int fd, enum bind_option option)
{
	int on = 1;

	switch (option) {
	case BIND_EXCLUSIVE:
		return setsockopt(fd, tab.proto, KRAW_EXCLUSIVEADDRUSE, &on,
				  sizeof(on));
	case BIND_REUSE:
		return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on,
				  sizeof(on));
	case BIND_REUSEPORT:
		return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on,
				  sizeof(on));
	default:
		return 0;
	}
}

static void map(struct sockaddr_in6 *v6, const struct sockaddr_in *v4)
{
	memset(v6, 0, sizeof(*v6));
	v6->sin6_family = AF_INET6;
	v6->sin6_addr.s6_addr[10] = 0xff;
	v6->sin6_addr.s6_addr[11] = 0xff;
	memcpy(&v6->sin6_addr.s6_addr[12], &v4->sin_addr, sizeof(v4->sin_addr));
}

static int bind_to(int fd, enum bind_stack stack, enum bind_address address,
		   in_port_t port)
{
	struct sockaddr_in v4 = tab.v4[address];
	struct sockaddr_in6 v6 = tab.v6[address];

	if (stack == STACK_IPV4) {
		v4.sin_port = port;
		return bind(fd, (struct sockaddr *)&v4, sizeof(v4));
	}
	if (stack == STACK_DUAL && address != BIND_ANY)
		map(&v6, &v4);
	v6.sin6_port = port;
	return bind(fd, (struct sockaddr *)&v6, sizeof(v6));
}

/* Bound as it says, or -1. */
static int bound(const struct bind_one *one)
{
	int fd = open_socket(one->stack), error;

	if (fd < 0)
		return -1;
	if (!set_option(fd, one->option) &&
	    !bind_to(fd, one->stack, one->address, tab.port))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* A port that nobody has; none if there are no ports. */
static int choose_port(void)
{
	struct sockaddr_in6 name = { 0 };
	socklen_t len = sizeof(name);
	enum bind_stack stack = tab.has[STACK_DUAL] ? STACK_DUAL :
				tab.has[STACK_IPV4] ? STACK_IPV4 :
						      STACK_IPV6;
	int fd = open_socket(stack), error = 0;

	if (fd < 0)
		return errno;
	if (bind_to(fd, stack, BIND_ANY, 0) ||
	    getsockname(fd, (struct sockaddr *)&name, &len))
		error = errno;
	close(fd);
	tab.port = tab.type == SOCK_RAW ? 0 : name.sin6_port;
	return error;
}

/* What Winsock's table says; it leaves out what does not overlap. */
static int winsock(const struct bind_one *first, const struct bind_one *second)
{
	if (second->address == BIND_ANOTHER)
		return 0;
	if (first->option == BIND_EXCLUSIVE)
		return second->option == BIND_REUSE ? EACCES : EADDRINUSE;
	return second->option == BIND_REUSE ? 0 : EADDRINUSE;
}

static int bound_first(const struct bind_one *first)
{
	int fd, tries;

	for (tries = 0; tries < PORT_TRIES; tries++) {
		fd = bound(first);
		/* Servers listen: others would not be in anybody's way. */
		if (fd >= 0 && tab.type == SOCK_STREAM && listen(fd, 1)) {
			close(fd);
			fd = -1;
		}
		if (fd >= 0 || errno != EADDRINUSE || !tab.port)
			return fd;
		choose_port();
	}
	return -1;
}

static void try(struct bind_cell *cell)
{
	int fd, other;

	fd = bound_first(&cell->first);
	if (fd < 0) {
		cell->first_error = errno;
		return;
	}
	other = bound(&cell->second);
	if (other < 0)
		cell->error = errno;
	else
		close(other);
	close(fd);
}

static void fill(struct bind_cell *cell, struct bind_one first,
		 struct bind_one second)
{
	memset(cell, 0, sizeof(*cell));
	cell->proto = tab.proto;
	cell->type = tab.name;
	cell->first = first;
	cell->second = second;
	cell->has_winsock = first.option != BIND_REUSEPORT &&
			    second.option != BIND_REUSEPORT;
	cell->winsock = winsock(&first, &second);
	try(cell);
	tab.cells++;
	tab.compared += cell->has_winsock && !cell->first_error;
	tab.departing += bind_departs(cell);
}

/* One line of a table. */
static void fill_row(struct bind_row *row, enum bind_stack first)
{
	unsigned int i;

	for (i = 0; i < BIND_FIRSTS; i++) {
		struct bind_one one = {
			first,
			i / 2,
			i % 2 ? BIND_SPECIFIC : BIND_ANY,
		};

		row->tried[i] = tab.options & 1 << one.option &&
				!(one.address == BIND_ANY &&
				  row->second.address == BIND_ANOTHER);
		if (row->tried[i])
			fill(&row->cell[i], one, row->second);
	}
}

static void add_row(struct output *output, const struct bind_row *row)
{
	unsigned int i;

	if (!options.json) {
		output_add(output, row);
		return;
	}
	for (i = 0; i < BIND_FIRSTS; i++)
		if (row->tried[i])
			output_add(output, &row->cell[i]);
}

static void one_table(struct output *output, enum bind_stack first,
		      enum bind_stack second)
{
	unsigned int i;

	for (i = 0; i < BIND_OPTIONS * BIND_ADDRESSES; i++) {
		struct bind_row row = {
			{ second, i / BIND_ADDRESSES, i % BIND_ADDRESSES },
		};

		if (!(tab.options & 1 << row.second.option) ||
		    (row.second.address == BIND_ANOTHER &&
		     !tab.another[second]))
			continue;
		fill_row(&row, first);
		add_row(output, &row);
	}
}

/* Each pair of stacks that can be in each other's way. */
static int all_tables(void)
{
	static const enum bind_stack pairs[][2] = {
		{ STACK_IPV4, STACK_IPV4 }, { STACK_IPV6, STACK_IPV6 },
		{ STACK_DUAL, STACK_IPV4 }, { STACK_IPV4, STACK_DUAL },
		{ STACK_DUAL, STACK_DUAL },
	};
	struct field *fields = bind_row_fields(tab.options);
	struct output *output;
	unsigned int i;
	int ret = 0;

	output = options.json ? output_begin(bind_cell_fields, OUTPUT_LINES) :
				NULL;
	for (i = 0; !ret && i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char *title = bind_title(pairs[i][0], pairs[i][1]);

		if (tab.has[pairs[i][0]] && tab.has[pairs[i][1]]) {
			if (!options.json)
				output = output_begin_titled(fields, title);
			one_table(output, pairs[i][0], pairs[i][1]);
			if (!options.json)
				ret = output_end(output, 0);
		}
		free(title);
	}
	if (options.json)
		ret = output_end(output, 0);
	free(fields);
	return ret;
}

static bool can_bind(enum bind_stack stack, enum bind_address address)
{
	int fd = open_socket(stack);
	bool can = fd >= 0 && !bind_to(fd, stack, address, 0);

	if (fd >= 0)
		close(fd);
	return can;
}

static bool is_known(enum bind_stack stack, const struct sockaddr *addr)
{
	const struct sockaddr_in6 *v6 = (const void *)addr;
	const struct sockaddr_in *v4 = (const void *)addr;

	if (stack == STACK_IPV4)
		return v4->sin_addr.s_addr ==
		       tab.v4[BIND_SPECIFIC].sin_addr.s_addr;
	return IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr) ||
	       IN6_ARE_ADDR_EQUAL(&v6->sin6_addr,
				  &tab.v6[BIND_SPECIFIC].sin6_addr);
}

/* A second address: one of this host's. */
static bool find_another(enum bind_stack stack, const struct ifaddrs *list)
{
	for (; list; list = list->ifa_next) {
		if (!list->ifa_addr ||
		    list->ifa_addr->sa_family != family_of(stack) ||
		    is_known(stack, list->ifa_addr))
			continue;
		if (stack == STACK_IPV4)
			tab.v4[BIND_ANOTHER].sin_addr = ((struct sockaddr_in *)
								 list->ifa_addr)
								->sin_addr;
		else
			tab.v6[BIND_ANOTHER]
				.sin6_addr = ((struct sockaddr_in6 *)
						      list->ifa_addr)
						     ->sin6_addr;
		if (can_bind(stack, BIND_ANOTHER))
			return true;
	}
	return false;
}

/* The loopback's, where nobody else looks for sockets. */
static void find_addresses(void)
{
	struct ifaddrs *list = NULL;
	unsigned int i;

	for (i = 0; i < BIND_ADDRESSES; i++) {
		tab.v4[i].sin_family = AF_INET;
		tab.v6[i].sin6_family = AF_INET6;
	}
	inet_pton(AF_INET, "127.0.0.1", &tab.v4[BIND_SPECIFIC].sin_addr);
	inet_pton(AF_INET, "127.0.0.2", &tab.v4[BIND_ANOTHER].sin_addr);
	inet_pton(AF_INET6, "::1", &tab.v6[BIND_SPECIFIC].sin6_addr);
	if (getifaddrs(&list))
		list = NULL;
	tab.has[STACK_IPV4] = can_bind(STACK_IPV4, BIND_SPECIFIC);
	tab.another[STACK_IPV4] = can_bind(STACK_IPV4, BIND_ANOTHER) ||
				  find_another(STACK_IPV4, list);
	tab.has[STACK_IPV6] = can_bind(STACK_IPV6, BIND_SPECIFIC);
	tab.another[STACK_IPV6] = find_another(STACK_IPV6, list);
	/* Raw sockets know no mapped addresses. */
	tab.has[STACK_DUAL] = can_bind(STACK_DUAL, BIND_SPECIFIC);
	tab.another[STACK_DUAL] = tab.another[STACK_IPV4];
	if (list)
		freeifaddrs(list);
}

static void find_options(void)
{
	int fd = open_socket(STACK_IPV4);

	if (fd < 0)
		fd = open_socket(STACK_IPV6);
	tab.options = 1 << BIND_NONE | 1 << BIND_REUSE;
	/* Raw sockets take it, and it means nothing to them. */
	if (tab.type != SOCK_RAW)
		tab.options |= 1 << BIND_REUSEPORT;
	if (fd >= 0 && !set_option(fd, BIND_EXCLUSIVE))
		tab.options |= 1 << BIND_EXCLUSIVE;
	if (fd >= 0)
		close(fd);
}

static int no_socket(int error)
{
	if (tab.type == SOCK_RAW && error == EPERM)
		return refused("bindtab raw: not permitted, raw sockets need CAP_NET_RAW (be root)");
	if (error == EPROTONOSUPPORT)
		return refused("bindtab %u: it has no datagram sockets: it is not claimed in this network namespace, see 'kraw proto help'",
			       tab.proto);
	if (error == EPERM)
		return refused("bindtab %u: not permitted, its claim does not let this user in (be root)",
			       tab.proto);
	return refused("bindtab %u: no socket: %s", tab.proto, strerror(error));
}

/* Both families, either, or why not. */
static int look(void)
{
	int fd = open_socket(STACK_IPV4), error;

	if (fd < 0)
		fd = open_socket(STACK_IPV6);
	if (fd < 0)
		return no_socket(errno);
	close(fd);
	find_addresses();
	find_options();
	if (!tab.has[STACK_IPV4] && !tab.has[STACK_IPV6]) {
		fd = open_socket(STACK_IPV4);
		error = fd < 0 || bind_to(fd, STACK_IPV4, BIND_SPECIFIC, 0) ?
				errno :
				0;
		if (fd >= 0)
			close(fd);
		if (error == EADDRINUSE)
			return refused("bindtab %u: a socket of this protocol is bound here, and without ports there is one address only: close it first",
				       tab.proto);
		return refused("bindtab %u: no address to bind to: is lo up? See 'ip address'",
			       tab.proto);
	}
	error = choose_port();
	if (error)
		return refused("bindtab %u: cannot bind to any address: %s",
			       tab.proto, strerror(error));
	return 0;
}

static void tell_missing(void)
{
	if (!tab.has[STACK_IPV4])
		note("without IPv4: no socket, or no address");
	if (!tab.has[STACK_IPV6])
		note("without IPv6: no socket, or no address");
	else if (!tab.another[STACK_IPV6])
		note("without another address of IPv6: this host has one only");
}

static int parse(struct args *args)
{
	const char *word = args_next(args) ?: "udp";

	tab.type = SOCK_DGRAM;
	tab.name = "dgram";
	if (!strcmp(word, "raw")) {
		tab.type = SOCK_RAW;
		tab.name = "raw";
		/* The one that receives nothing: nobody notices. */
		tab.proto = IPPROTO_RAW;
		return args_end(args);
	}
	if (parse_protocol(word, &tab.proto))
		return STATUS_USAGE;
	if (tab.proto == IPPROTO_TCP) {
		tab.type = SOCK_STREAM;
		tab.name = "stream";
	}
	return args_end(args);
}

int bindtab_main(struct args *args)
{
	const char *name;
	int ret;

	memset(&tab, 0, sizeof(tab));
	ret = parse(args) ?: look();
	if (ret)
		return ret;
	name = protocol_name(tab.proto);
	tell_missing();
	if (!options.json)
		printf("Protocol %u%s%s%s, %s sockets: the first bind across, the second one down.\n",
		       tab.proto, name ? " (" : "", name ?: "", name ? ")" : "",
		       tab.name);
	ret = all_tables();
	if (!ret && !options.json) {
		printf("\n%u of %u pairs are not as in Winsock's table.\n",
		       tab.departing, tab.compared);
		ret = output_flush();
	}
	return ret;
}
