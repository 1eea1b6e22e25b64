/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_NETLINK_H
#define KRAW_NETLINK_H

#include <libmnl/libmnl.h>
#include <linux/kraw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A message that is being written; its header moves when it grows. */
struct nl_msg {
	struct nlmsghdr *nlh;
	size_t size;
};

/* Why the kernel did not do it. */
struct nl_refusal {
	int error; /* an errno; 0: it did */
	char *text; /* its own words, or NULL */
	uint32_t offset; /* of the attribute at fault in the message; or 0 */
};

/* Sees one message of an answer; returns a status. */
typedef int (*nl_seen)(const struct nlmsghdr *nlh, void *data);

/*
 * Connects to the kernel's side in this network namespace; once for all, later
 * calls do nothing. Without the module: tells so.
 */
int nl_open(void);

/* The same in silence: 0 or an errno, ENOENT if the module is not loaded. */
int nl_try_open(void);
void nl_close(void);

/* A new request. It may be written before nl_open. Flags: NLM_F_... */
void nl_begin(struct nl_msg *msg, enum kraw_cmd cmd, uint16_t flags);

/* Makes room for this many bytes more. */
void nl_reserve(struct nl_msg *msg, size_t len);
void nl_free(struct nl_msg *msg);

/*
 * Sends the request and waits for the acknowledgement, frees the message. What
 * comes before it is shown to the function, if there is one. The refusal is
 * filled in, and to be cleared, in any case; the status tells of other errors.
 */
int nl_talk(struct nl_msg *msg, nl_seen seen, void *data,
	    struct nl_refusal *refusal);
void nl_refusal_clear(struct nl_refusal *refusal);

/*
 * Tells of the refusal, or of a warning, and clears it; returns the status. The
 * error starts with WHAT, if there is one.
 */
int nl_conclude(struct nl_refusal *refusal, const char *what);

/* nl_talk, and an error that starts with WHAT when the kernel refuses. */
int nl_request(struct nl_msg *msg, nl_seen seen, void *data, const char *what);

/*
 * A dump of one state: what a change interrupted is not shown to the function
 * but asked for again. Frees the message.
 */
int nl_dump(struct nl_msg *msg, nl_seen seen, void *data, const char *what);

/* The same, with the kernel's refusal as nl_talk has it. */
int nl_try_dump(struct nl_msg *msg, nl_seen seen, void *data, const char *what,
		struct nl_refusal *refusal);

/* The attributes of a message of the family, by number. */
int nl_attrs(const struct nlmsghdr *nlh, const struct nlattr **attrs,
	     uint16_t max);
/* The attributes in a nest, by number; those beyond max are left out. */
void nl_nest(const struct nlattr *nest, const struct nlattr **attrs,
	     uint16_t max);

/*
 * After nl_listen: what happens to datagram sockets comes as well. False if it
 * does not: without CAP_NET_ADMIN, or with a module that does not tell.
 */
bool nl_listen_sockets(void);

/*
 * From now on the descriptor, with a receive buffer of this size, can be polled
 * and is read with nl_events. CHANGES: the notifications of the configuration
 * come as well.
 */
int nl_listen(int *fd, bool changes, int size);

/*
 * Sends a request whose answer comes among the events; frees the message. The
 * last one posted is answered when the refusal is filled in, which is to be
 * cleared then.
 */
int nl_post(struct nl_msg *msg);
bool nl_answered(struct nl_refusal *refusal);

enum nl_event {
	NL_EVENT_NONE, /* nothing there now */
	NL_EVENT_SOME, /* the function saw some */
	NL_EVENT_LOST, /* the receive buffer was full in between */
	NL_EVENT_UNLOADED, /* the module is gone, no more will come */
	NL_EVENT_ERROR, /* told */
};

/* Reads what is there, without waiting. */
enum nl_event nl_events(nl_seen seen, void *data);

#endif /* KRAW_NETLINK_H */
