// SPDX-License-Identifier: GPL-2.0
/*
 * Tells listeners of datagram sockets that open, get an address, and close.
 *
 * They have a multicast group of their own, for two reasons. Whoever may open
 * such sockets can make as many of these messages as he likes, and they must not
 * push the changes of the configuration out of somebody's receive buffer. And
 * they name the process that has a socket, which sock_diag tells nobody and
 * /proc/PID/fd only those who may trace the process: to join the group takes
 * CAP_NET_ADMIN over the namespace.
 *
 * Messages are sent under the lock of the claim's table, so that their order is
 * that of the events: whoever takes an address that another one has given up is
 * told of after that one.
 */
#include "monitor.h"

#include <linux/in6.h>
#include <net/genetlink.h>
#include <net/ipv6.h>
#include <net/sock.h>
#include "dgram.h"
#include "message.h"
#include "netlink.h"
#include "rawsock.h"

#define ROOM	512	/* more than all of a message takes */

static int port_fill(struct sk_buff *msg, int attr, __be16 port)
{
	return port ? nla_put_u16(msg, attr, ntohs(port)) : 0;
}

static int bind_fill(struct sk_buff *msg, const struct kraw_bind *bind)
{
	const struct kraw_bind_key *key = &bind->key;
	int dev = READ_ONCE(bind->sk->sk_bound_dev_if);

	if (kraw_dgram_address_fill(msg, KRAW_EVENT_A_LOCAL, bind->sk,
				    &key->local) ||
	    kraw_dgram_address_fill(msg, KRAW_EVENT_A_PEER, bind->sk,
				    &key->peer) ||
	    port_fill(msg, KRAW_EVENT_A_LOCAL_PORT, key->lport) ||
	    port_fill(msg, KRAW_EVENT_A_PEER_PORT, key->pport))
		return -EMSGSIZE;
	return dev ? nla_put_u32(msg, KRAW_EVENT_A_IFINDEX, dev) : 0;
}

static int event_fill(struct sk_buff *msg, const struct kraw_dgram *dgram,
		      enum kraw_event_kind kind)
{
	const struct sock *sk = &dgram->inet.sk;
	struct user_namespace *users = sock_net(sk)->user_ns;
	struct nlattr *nest = nla_nest_start(msg, KRAW_A_EVENT);

	if (!nest || nla_put_u8(msg, KRAW_EVENT_A_KIND, kind) ||
	    nla_put_u8(msg, KRAW_EVENT_A_PROTO, sk->sk_protocol) ||
	    nla_put_u8(msg, KRAW_EVENT_A_CLAIM, dgram->has_ports ?
		       KRAW_CLAIM_PORTS : KRAW_CLAIM_PLAIN) ||
	    nla_put_u8(msg, KRAW_EVENT_A_FAMILY, sk->sk_family == AF_INET ?
		       KRAW_FAMILY_IPV4 : KRAW_FAMILY_IPV6) ||
	    nla_put_u32(msg, KRAW_EVENT_A_INODE, kraw_rawsock_inode(sk)) ||
	    nla_put_u32(msg, KRAW_EVENT_A_UID,
			from_kuid_munged(users, sk->sk_uid)) ||
	    (dgram->exclusive && nla_put_flag(msg, KRAW_EVENT_A_EXCLUSIVE)) ||
	    (dgram->bind && bind_fill(msg, dgram->bind)))
		return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return 0;
}

static struct sk_buff *event_message(const struct kraw_dgram *dgram,
				     enum kraw_event_kind kind)
{
	struct net *net = sock_net(&dgram->inet.sk);
	struct sk_buff *msg;
	void *hdr;

	msg = genlmsg_new(ROOM + kraw_message_doer_size(current), GFP_KERNEL);
	if (!msg)
		return NULL;
	hdr = genlmsg_put(msg, 0, 0, &kraw_genl, 0, KRAW_CMD_SOCKET_EVENT);
	/* The kernel itself closes what is left over somewhere: that is nobody. */
	if (!hdr || event_fill(msg, dgram, kind) ||
	    (!(current->flags & PF_KTHREAD) &&
	     kraw_message_doer_fill(msg, current, net))) {
		nlmsg_free(msg);
		return NULL;
	}
	genlmsg_end(msg, hdr);
	return msg;
}

/**
 * kraw_monitor_socket - tell of a datagram socket, if anybody listens
 * @dgram:	the socket, in its table, which is locked
 * @kind:	what happens to it, after it got an address, before it loses it
 *
 * Nobody listens on the host: no more than a look at that. May sleep.
 */
void kraw_monitor_socket(const struct kraw_dgram *dgram,
			 enum kraw_event_kind kind)
{
	struct net *net = sock_net(&dgram->inet.sk);
	struct sk_buff *msg;

	if (!genl_has_listeners(&kraw_genl, net, KRAW_NETLINK_SOCKETS))
		return;
	msg = event_message(dgram, kind);
	if (msg)
		genlmsg_multicast_netns(&kraw_genl, net, msg, 0,
					KRAW_NETLINK_SOCKETS, GFP_KERNEL);
	else	/* tell listeners that they have missed something */
		genl_set_err(&kraw_genl, net, 0, KRAW_NETLINK_SOCKETS,
			     -ENOBUFS);
}
