// SPDX-License-Identifier: GPL-2.0
#include "netlink.h"
#include "error.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* A rule with the longest program and a whole message around it. */
#define RECEIVE_ROOM (256 * 1024)

/* A dump that was interrupted this often will not end well. */
#define DUMP_TRIES 200

static struct {
	struct mnl_socket *sock;
	uint16_t family;
	uint32_t config_group;
	uint32_t sockets_group; /* 0: there is none */
	uint32_t seq;
	bool answered; /* the last request that was posted */
	struct nl_refusal posted;
} nl;

/* What came in answer to one request, one message after the other. */
struct answer {
	char *data;
	size_t len, size;
	bool interrupted;
};

static void answer_free(struct answer *answer)
{
	free(answer->data);
	memset(answer, 0, sizeof(*answer));
}

static void put_header(struct nl_msg *msg, uint16_t type, uint8_t cmd,
		       uint8_t version, uint16_t flags)
{
	struct genlmsghdr *genl;

	/* Zeroed: libmnl leaves what is between two attributes as it is. */
	msg->size = MNL_SOCKET_BUFFER_SIZE;
	msg->nlh = memset(xalloc(msg->size), 0, msg->size);
	mnl_nlmsg_put_header(msg->nlh);
	msg->nlh->nlmsg_type = type;
	msg->nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	genl = mnl_nlmsg_put_extra_header(msg->nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = version;
}

void nl_begin(struct nl_msg *msg, enum kraw_cmd cmd, uint16_t flags)
{
	put_header(msg, 0, cmd, KRAW_GENL_VERSION, flags);
}

void nl_reserve(struct nl_msg *msg, size_t len)
{
	size_t need = msg->nlh->nlmsg_len + len;
	size_t old = msg->size;

	if (need <= msg->size)
		return;
	while (msg->size < need)
		msg->size *= 2;
	msg->nlh = xrealloc(msg->nlh, msg->size);
	memset((char *)msg->nlh + old, 0, msg->size - old);
}

void nl_free(struct nl_msg *msg)
{
	free(msg->nlh);
	msg->nlh = NULL;
}

void nl_refusal_clear(struct nl_refusal *refusal)
{
	free(refusal->text);
	memset(refusal, 0, sizeof(*refusal));
}

/* The words of the refusal: the kernel's own or, without them, ours. */
static char *refusal_text(const struct nl_refusal *refusal)
{
	const char *text = refusal->text;

	/* The check that genetlink makes for us says nothing. */
	if (refusal->error == EPERM && !text)
		return xstrdup("not permitted: it needs CAP_NET_ADMIN in this network namespace (be root here)");
	if (refusal->error == EPERM && !strstr(text, "CAP_"))
		return xasprintf("%s (it needs CAP_NET_ADMIN)", text);
	if (text && *text)
		return xstrdup(text);
	return xstrdup(strerror(refusal->error));
}

/* Reads the extended acknowledgement behind the error number. */
static void read_refusal(const struct nlmsghdr *nlh, struct nl_refusal *refusal)
{
	const struct nlattr *attr;
	size_t offset;
	int error;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(error)) {
		refusal->error = EBADMSG;
		return;
	}
	memcpy(&error, mnl_nlmsg_get_payload(nlh), sizeof(error));
	refusal->error = -error;
	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;

	/* An error repeats the header of our request; the end of a dump not. */
	offset = nlh->nlmsg_type == NLMSG_ERROR ? sizeof(struct nlmsgerr) :
						  sizeof(error);
	mnl_attr_for_each(attr, nlh, offset) {
		switch (mnl_attr_get_type(attr)) {
		case NLMSGERR_ATTR_MSG:
			if (mnl_attr_validate(attr, MNL_TYPE_STRING) < 0)
				break;
			free(refusal->text);
			refusal->text = strndup(mnl_attr_get_payload(attr),
						mnl_attr_get_payload_len(attr));
			break;
		case NLMSGERR_ATTR_OFFS:
			if (mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
				refusal->offset = mnl_attr_get_u32(attr);
			break;
		}
	}
}

/* The kernel looks at the send buffer before it takes a long message. */
static void make_room(const struct nl_msg *msg)
{
	int fd = mnl_socket_get_fd(nl.sock);
	int size = msg->nlh->nlmsg_len;

	if (size < 128 * 1024)
		return;
	size += 64 * 1024;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static int send_request(struct nl_msg *msg)
{
	ssize_t sent;

	if (!++nl.seq)
		nl.seq = 1;
	msg->nlh->nlmsg_seq = nl.seq;
	if (!msg->nlh->nlmsg_type)
		msg->nlh->nlmsg_type = nl.family;
	make_room(msg);
	do {
		sent = mnl_socket_sendto(nl.sock, msg->nlh,
					 msg->nlh->nlmsg_len);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? errno : 0;
}

/* Adds what one read gives; tells how much that was, or returns an errno. */
static int receive(struct answer *answer, size_t *added)
{
	ssize_t got;

	if (answer->size - answer->len < RECEIVE_ROOM) {
		answer->size = answer->size * 2 + 2 * RECEIVE_ROOM;
		answer->data = xrealloc(answer->data, answer->size);
	}
	do {
		got = mnl_socket_recvfrom(nl.sock, answer->data + answer->len,
					  answer->size - answer->len);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno;
	*added = got;
	return 0;
}

/*
 * Collects the answer to the last request up to its end. Returns a status; what
 * the kernel said at the end is in the refusal.
 */
static int collect(struct answer *answer, struct nl_refusal *refusal)
{
	unsigned int portid = mnl_socket_get_portid(nl.sock);
	const struct nlmsghdr *nlh;
	size_t added = 0;
	int len, ret;

	for (;;) {
		ret = receive(answer, &added);
		if (ret)
			return refused("cannot read the kernel's answer: %s",
				       strerror(ret));
		nlh = (const void *)(answer->data + answer->len);
		len = added;
		for (; mnl_nlmsg_ok(nlh, len);
		     nlh = mnl_nlmsg_next(nlh, &len)) {
			/* The late rest of an earlier answer */
			if (nlh->nlmsg_seq != nl.seq ||
			    (nlh->nlmsg_pid && nlh->nlmsg_pid != portid))
				continue;
			if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
				answer->interrupted = true;
			if (nlh->nlmsg_type == NLMSG_ERROR ||
			    nlh->nlmsg_type == NLMSG_DONE) {
				read_refusal(nlh, refusal);
				answer->len += added - len;
				return 0;
			}
		}
		answer->len += added;
	}
}

static int show_answer(const struct answer *answer, nl_seen seen, void *data)
{
	const struct nlmsghdr *nlh = (const void *)answer->data;
	int len = answer->len;
	int ret;

	if (!seen)
		return 0;
	for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		if (nlh->nlmsg_seq != nl.seq ||
		    nlh->nlmsg_type < NLMSG_MIN_TYPE)
			continue;
		ret = seen(nlh, data);
		if (ret)
			return ret;
	}
	return 0;
}

int nl_talk(struct nl_msg *msg, nl_seen seen, void *data,
	    struct nl_refusal *refusal)
{
	struct answer answer = { 0 };
	int ret = 0;

	memset(refusal, 0, sizeof(*refusal));
	msg->nlh->nlmsg_flags |= NLM_F_ACK;
	refusal->error = send_request(msg);
	nl_free(msg);
	if (refusal->error == EMSGSIZE)
		refusal->text =
			xstrdup("the request is longer than this socket may send: raise net.core.wmem_max or be root on the host");
	if (refusal->error)
		return 0;

	ret = collect(&answer, refusal);
	if (!ret && !refusal->error)
		ret = show_answer(&answer, seen, data);
	answer_free(&answer);
	return ret;
}

int nl_conclude(struct nl_refusal *refusal, const char *what)
{
	int ret = 0;
	char *text;

	if (refusal->error) {
		text = refusal_text(refusal);
		ret = what ? refused("%s: %s", what, text) :
			     refused("%s", text);
		free(text);
	} else if (refusal->text && *refusal->text) {
		/* Done, and yet there is something to say. */
		note("%s", refusal->text);
	}
	nl_refusal_clear(refusal);
	return ret;
}

int nl_request(struct nl_msg *msg, nl_seen seen, void *data, const char *what)
{
	struct nl_refusal refusal;
	int ret;

	ret = nl_talk(msg, seen, data, &refusal);
	if (ret) {
		nl_refusal_clear(&refusal);
		return ret;
	}
	return nl_conclude(&refusal, what);
}

int nl_try_dump(struct nl_msg *msg, nl_seen seen, void *data, const char *what,
		struct nl_refusal *refusal)
{
	const struct timespec pause = { .tv_nsec = 5 * 1000 * 1000 };
	struct answer answer = { 0 };
	unsigned int tries;
	int ret = 0;

	memset(refusal, 0, sizeof(*refusal));
	msg->nlh->nlmsg_flags |= NLM_F_DUMP;
	for (tries = 0; tries < DUMP_TRIES; tries++) {
		nl_refusal_clear(refusal);
		answer_free(&answer);
		refusal->error = send_request(msg);
		if (refusal->error)
			break;
		ret = collect(&answer, refusal);
		if (ret)
			break;
		if (!answer.interrupted && refusal->error != EINTR)
			break;
		nanosleep(&pause, NULL);
	}
	nl_free(msg);
	if (!ret && tries == DUMP_TRIES)
		ret = refused("%s: the configuration keeps changing: try again",
			      what);
	if (!ret && !refusal->error)
		ret = show_answer(&answer, seen, data);
	answer_free(&answer);
	return ret;
}

int nl_dump(struct nl_msg *msg, nl_seen seen, void *data, const char *what)
{
	struct nl_refusal refusal;
	int ret;

	ret = nl_try_dump(msg, seen, data, what, &refusal);
	if (!ret)
		ret = nl_conclude(&refusal, what);
	nl_refusal_clear(&refusal);
	return ret;
}

struct attr_table {
	const struct nlattr **attrs;
	uint16_t max;
};

static int sort_attr(const struct nlattr *attr, void *data)
{
	struct attr_table *table = data;
	uint16_t type = mnl_attr_get_type(attr);

	if (type <= table->max)
		table->attrs[type] = attr;
	return MNL_CB_OK;
}

int nl_attrs(const struct nlmsghdr *nlh, const struct nlattr **attrs,
	     uint16_t max)
{
	struct attr_table table = { attrs, max };

	memset(attrs, 0, (max + 1) * sizeof(*attrs));
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(struct genlmsghdr))
		return refused("the kernel's answer is cut short");
	mnl_attr_parse(nlh, sizeof(struct genlmsghdr), sort_attr, &table);
	return 0;
}

void nl_nest(const struct nlattr *nest, const struct nlattr **attrs,
	     uint16_t max)
{
	struct attr_table table = { attrs, max };

	memset(attrs, 0, (max + 1) * sizeof(*attrs));
	mnl_attr_parse_nested(nest, sort_attr, &table);
}

static void read_group(const struct nlattr *groups, const char *wanted,
		       uint32_t *id)
{
	const struct nlattr *attrs[CTRL_ATTR_MCAST_GRP_MAX + 1];
	const struct nlattr *group;

	mnl_attr_for_each_nested(group, groups) {
		nl_nest(group, attrs, CTRL_ATTR_MCAST_GRP_MAX);
		if (attrs[CTRL_ATTR_MCAST_GRP_NAME] &&
		    attrs[CTRL_ATTR_MCAST_GRP_ID] &&
		    !strcmp(mnl_attr_get_str(attrs[CTRL_ATTR_MCAST_GRP_NAME]),
			    wanted))
			*id = mnl_attr_get_u32(attrs[CTRL_ATTR_MCAST_GRP_ID]);
	}
}

static int read_family(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attrs[CTRL_ATTR_MAX + 1];
	int ret;

	(void)data;
	ret = nl_attrs(nlh, attrs, CTRL_ATTR_MAX);
	if (ret)
		return ret;
	if (attrs[CTRL_ATTR_FAMILY_ID])
		nl.family = mnl_attr_get_u16(attrs[CTRL_ATTR_FAMILY_ID]);
	if (attrs[CTRL_ATTR_MCAST_GROUPS]) {
		read_group(attrs[CTRL_ATTR_MCAST_GROUPS], KRAW_MCGRP_CONFIG,
			   &nl.config_group);
		read_group(attrs[CTRL_ATTR_MCAST_GROUPS], KRAW_MCGRP_SOCKETS,
			   &nl.sockets_group);
	}
	return 0;
}

static int resolve_family(void)
{
	struct nl_refusal refusal;
	struct nl_msg msg;
	int error;

	put_header(&msg, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 2, 0);
	mnl_attr_put_strz(msg.nlh, CTRL_ATTR_FAMILY_NAME, KRAW_GENL_NAME);
	if (nl_talk(&msg, read_family, NULL, &refusal))
		error = EBADMSG;
	else
		error = refusal.error;
	nl_refusal_clear(&refusal);
	if (!error && !nl.family)
		error = EBADMSG;
	return error;
}

static int connect_socket(void)
{
	int on = 1;

	nl.sock = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!nl.sock)
		return errno;
	if (mnl_socket_bind(nl.sock, 0, MNL_SOCKET_AUTOPID) < 0)
		return errno;
	/*
	 * NETLINK_CAP_ACK: without it a refusal repeats the whole request,
	 * which fails for a long one. The offset counts in the request anyway.
	 */
	if (mnl_socket_setsockopt(nl.sock, NETLINK_EXT_ACK, &on, sizeof(on)) ||
	    mnl_socket_setsockopt(nl.sock, NETLINK_CAP_ACK, &on, sizeof(on)) ||
	    mnl_socket_setsockopt(nl.sock, NETLINK_GET_STRICT_CHK, &on,
				  sizeof(on)))
		return errno;
	return 0;
}

int nl_try_open(void)
{
	int error;

	if (nl.sock)
		return 0;
	error = connect_socket();
	if (!error)
		error = resolve_family();
	if (error)
		nl_close();
	return error;
}

int nl_open(void)
{
	int error = nl_try_open();

	if (error == ENOENT)
		return refused("kraw.ko is not loaded: load it with 'modprobe kraw' or 'insmod kraw.ko'");
	if (error)
		return refused("cannot talk to the kernel over netlink: %s",
			       strerror(error));
	return 0;
}

void nl_close(void)
{
	if (nl.sock)
		mnl_socket_close(nl.sock);
	memset(&nl, 0, sizeof(nl));
}

int nl_listen(int *fd, bool changes, int size)
{
	int controller = GENL_ID_CTRL;
	int group = nl.config_group;

	*fd = mnl_socket_get_fd(nl.sock);
	if (setsockopt(*fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(*fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if ((changes && mnl_socket_setsockopt(nl.sock, NETLINK_ADD_MEMBERSHIP,
					      &group, sizeof(group))) ||
	    mnl_socket_setsockopt(nl.sock, NETLINK_ADD_MEMBERSHIP, &controller,
				  sizeof(controller)))
		return refused("cannot listen to changes: %s", strerror(errno));
	return 0;
}

bool nl_listen_sockets(void)
{
	int group = nl.sockets_group;

	return group && !mnl_socket_setsockopt(nl.sock, NETLINK_ADD_MEMBERSHIP,
					       &group, sizeof(group));
}

int nl_post(struct nl_msg *msg)
{
	int error;

	msg->nlh->nlmsg_flags |= NLM_F_ACK;
	nl.answered = false;
	error = send_request(msg);
	nl_free(msg);
	return error ? refused("cannot ask the kernel: %s", strerror(error)) :
		       0;
}

bool nl_answered(struct nl_refusal *refusal)
{
	if (!nl.answered)
		return false;
	*refusal = nl.posted;
	memset(&nl.posted, 0, sizeof(nl.posted));
	return true;
}

/* The end of the answer to the last request. */
static bool is_answer(const struct nlmsghdr *nlh)
{
	if (nlh->nlmsg_type != NLMSG_ERROR || nlh->nlmsg_seq != nl.seq)
		return false;
	nl_refusal_clear(&nl.posted);
	read_refusal(nlh, &nl.posted);
	nl.answered = true;
	return true;
}

/* Does the controller say that our family went away? */
static bool is_unload(const struct nlmsghdr *nlh)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attrs[CTRL_ATTR_MAX + 1];

	return nlh->nlmsg_type == GENL_ID_CTRL &&
	       !nl_attrs(nlh, attrs, CTRL_ATTR_MAX) &&
	       genl->cmd == CTRL_CMD_DELFAMILY && attrs[CTRL_ATTR_FAMILY_ID] &&
	       mnl_attr_get_u16(attrs[CTRL_ATTR_FAMILY_ID]) == nl.family;
}

enum nl_event nl_events(nl_seen seen, void *data)
{
	static _Alignas(struct nlmsghdr) char buffer[RECEIVE_ROOM];
	const struct nlmsghdr *nlh = (const void *)buffer;
	ssize_t got;
	int len;

	got = recv(mnl_socket_get_fd(nl.sock), buffer, sizeof(buffer),
		   MSG_DONTWAIT);
	if (got < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return NL_EVENT_NONE;
		if (errno == ENOBUFS)
			return NL_EVENT_LOST;
		refused("cannot read changes: %s", strerror(errno));
		return NL_EVENT_ERROR;
	}
	len = got;
	for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		if (is_answer(nlh))
			continue;
		if (is_unload(nlh))
			return NL_EVENT_UNLOADED;
		if (nlh->nlmsg_type == nl.family && seen(nlh, data))
			return NL_EVENT_ERROR;
	}
	return NL_EVENT_SOME;
}
