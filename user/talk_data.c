// SPDX-License-Identifier: GPL-2.0
/* Datagrams of kraw listen and kraw send, whatever socket they come by. */
#include "talk.h"
#include "error.h"

#include <errno.h>
#include <linux/kraw.h>
#include <linux/sock_diag.h>
#include <netinet/ip.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define TOS_MASK      0xfc /* the other bits are the network's */
#define IP_HEADER_MAX 60

/* Where an answer has to come from: our address that was meant; or family 0. */
static struct {
	union talk_address address;
	unsigned int index;
} meant;

static void set_v4(union talk_address *to, struct in_addr addr)
{
	memset(to, 0, sizeof(*to));
	to->v4.sin_family = AF_INET;
	to->v4.sin_addr = addr;
}

/* An IPv6 socket tells IPv4 addresses in a form of its own. */
static void unmap(union talk_address *address)
{
	in_port_t port = address->v6.sin6_port;
	struct in_addr v4;

	if (address->any.sa_family != AF_INET6 ||
	    !IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr))
		return;
	memcpy(&v4, &address->v6.sin6_addr.s6_addr[12], sizeof(v4));
	set_v4(address, v4);
	address->v4.sin_port = port;
}

static void read_info4(const struct in_pktinfo *info, struct datagram *datagram)
{
	set_v4(&datagram->to, info->ipi_addr);
	set_v4(&meant.address, info->ipi_spec_dst);
	meant.index = info->ipi_ifindex;
}

static void read_info6(const struct in6_pktinfo *info,
		       struct datagram *datagram)
{
	struct sockaddr_in6 *to = &datagram->to.v6;

	/* IPv4 has said it in its own words. */
	if (IN6_IS_ADDR_V4MAPPED(&info->ipi6_addr))
		return;
	memset(&datagram->to, 0, sizeof(datagram->to));
	to->sin6_family = AF_INET6;
	to->sin6_addr = info->ipi6_addr;
	if (IN6_IS_ADDR_LINKLOCAL(&to->sin6_addr))
		to->sin6_scope_id = info->ipi6_ifindex;
	meant.index = info->ipi6_ifindex;
	if (!IN6_IS_ADDR_MULTICAST(&to->sin6_addr))
		meant.address = datagram->to;
}

static void read_control(struct msghdr *msg, struct datagram *datagram)
{
	struct cmsghdr *one;
	int class;

	meant.index = 0;
	meant.address.any.sa_family = 0;
	for (one = CMSG_FIRSTHDR(msg); one; one = CMSG_NXTHDR(msg, one)) {
		const void *data = CMSG_DATA(one);

		if (one->cmsg_level == SOL_IP && one->cmsg_type == IP_PKTINFO) {
			read_info4(data, datagram);
		} else if (one->cmsg_level == SOL_IPV6 &&
			   one->cmsg_type == IPV6_PKTINFO) {
			read_info6(data, datagram);
		} else if (one->cmsg_level == SOL_IP &&
			   one->cmsg_type == IP_TOS) {
			datagram->answer = (*(const uint8_t *)data &
					    TOS_MASK) == TOS_ANSWER;
		} else if (one->cmsg_level == SOL_IPV6 &&
			   one->cmsg_type == IPV6_TCLASS) {
			memcpy(&class, data, sizeof(class));
			datagram->answer = (class & TOS_MASK) == TOS_ANSWER;
		}
	}
	if (meant.index && !if_indextoname(meant.index, datagram->dev))
		datagram->dev[0] = '\0';
}

/* A raw socket of IPv4 has the header before the payload. */
static void skip_header(struct datagram *datagram)
{
	size_t len = datagram->len ? (datagram->data[0] & 15) * 4 : 0;

	if (len > datagram->len)
		len = datagram->len;
	datagram->data += len;
	datagram->len -= len;
}

enum talk_event talk_receive(const struct talk_socket *socket,
			     struct datagram *datagram)
{
	static _Alignas(struct cmsghdr) char control[512];
	static uint8_t data[IP_HEADER_MAX + TALK_MAX];
	struct iovec room = { data, sizeof(data) };
	struct msghdr msg = {
		.msg_name = &datagram->from,
		.msg_namelen = sizeof(datagram->from),
		.msg_iov = &room,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got;

	memset(datagram, 0, sizeof(*datagram));
	datagram->talk = socket->talk;
	do {
		got = recvmsg(socket->fd, &msg, MSG_DONTWAIT);
	} while (got < 0 && errno == EINTR);
	if (got < 0 && errno == EAGAIN)
		return TALK_NONE;
	if (got < 0) {
		talk_failed(socket, 0, errno);
		return TALK_ERROR;
	}
	datagram->data = data;
	datagram->len = got;
	if (socket->type == SOCK_RAW && socket->family == AF_INET)
		skip_header(datagram);
	read_control(&msg, datagram);
	unmap(&datagram->from);
	return TALK_SOME;
}

uint32_t talk_lost(const struct talk_socket *socket)
{
	uint32_t values[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof(values);

	getsockopt(socket->fd, SOL_SOCKET, SO_MEMINFO, values, &len);
	return values[SK_MEMINFO_DROPS];
}

/* The address of ours that was meant is the one that answers. */
static void write_control(struct msghdr *msg)
{
	struct cmsghdr *one = msg->msg_control;
	struct in_pktinfo *v4 = (void *)CMSG_DATA(one);
	struct in6_pktinfo *v6 = (void *)CMSG_DATA(one);

	memset(one, 0, msg->msg_controllen);
	if (meant.address.any.sa_family == AF_INET) {
		one->cmsg_level = SOL_IP;
		one->cmsg_type = IP_PKTINFO;
		one->cmsg_len = CMSG_LEN(sizeof(*v4));
		v4->ipi_spec_dst = meant.address.v4.sin_addr;
		msg->msg_controllen = CMSG_SPACE(sizeof(*v4));
	} else if (meant.address.any.sa_family == AF_INET6) {
		one->cmsg_level = SOL_IPV6;
		one->cmsg_type = IPV6_PKTINFO;
		one->cmsg_len = CMSG_LEN(sizeof(*v6));
		v6->ipi6_addr = meant.address.v6.sin6_addr;
		v6->ipi6_ifindex = meant.address.v6.sin6_scope_id;
		msg->msg_controllen = CMSG_SPACE(sizeof(*v6));
	} else {
		msg->msg_control = NULL;
		msg->msg_controllen = 0;
	}
}

/* As a socket of IPv6 wants an address of IPv4. */
static void map(union talk_address *address)
{
	struct sockaddr_in v4 = address->v4;
	uint8_t *to = address->v6.sin6_addr.s6_addr;

	memset(address, 0, sizeof(*address));
	address->v6.sin6_family = AF_INET6;
	address->v6.sin6_port = v4.sin_port;
	to[10] = 0xff;
	to[11] = 0xff;
	memcpy(to + 12, &v4.sin_addr, sizeof(v4.sin_addr));
}

int talk_answer(const struct talk_socket *socket,
		const struct datagram *datagram)
{
	_Alignas(struct cmsghdr) char control[64];
	union talk_address to = datagram->from;
	struct iovec data = { (void *)datagram->data, datagram->len };
	struct msghdr msg = {
		.msg_name = &to,
		.msg_namelen = sizeof(to.v6),
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};

	write_control(&msg);
	if (socket->family == AF_INET)
		msg.msg_namelen = sizeof(to.v4);
	else if (to.any.sa_family == AF_INET)
		map(&to);
	return sendmsg(socket->fd, &msg, 0) < 0 ? errno : 0;
}

int talk_send(const struct talk_socket *socket, const uint8_t *data, size_t len)
{
	ssize_t sent;

	do {
		sent = send(socket->fd, data, len, 0);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? talk_failed(socket, len, errno) : 0;
}

int talk_failed(const struct talk_socket *socket, size_t len, int error)
{
	const struct talk *talk = socket->talk;
	const char *to = talk->address ?: "any address";

	switch (error) {
	case ENETDOWN:
		return refused("protocol %u: the claim, or the device, has gone",
			       talk->proto);
	case ENOPROTOOPT:
	case EPROTO:
		return refused("%s: nobody takes packets of protocol %u there: protocol unreachable",
			       to, talk->proto);
	case ECONNREFUSED:
		return refused("%s: nobody listens on port %u there: port unreachable",
			       to, talk->port);
	case ENETUNREACH:
	case EHOSTUNREACH:
		return refused("%s: cannot be reached: %s", to,
			       strerror(error));
	case EMSGSIZE:
		return refused("%zu bytes are too many for a datagram: at most 65515 fit in IPv4 and 65535 in IPv6, 8 less with ports",
			       len);
	case EPERM:
		return refused("%s: the packet may not leave: a rule of hook output or the firewall denies it",
			       to);
	case EINVAL:
		if (socket->type == SOCK_DGRAM && !talk->port)
			return refused("protocol %u has ports here: say port N",
				       talk->proto);
		if (socket->type == SOCK_DGRAM)
			return refused("port %u: protocol %u has no ports here: leave it out",
				       talk->port, talk->proto);
		/* fall through */
	default:
		return refused("%s: protocol %u: %s", to, talk->proto,
			       strerror(error));
	}
}
