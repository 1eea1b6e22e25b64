// SPDX-License-Identifier: GPL-2.0
/*
 * The datagram sockets of a namespace, listed.
 *
 * Everybody may know what the kernel's sock_diag tells everybody of UDP's sockets;
 * their filters are for who has CAP_NET_ADMIN over the namespace, as there.
 */
#include "dgram.h"

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/netlink.h>
#include <linux/rcupdate.h>
#include <net/genetlink.h>
#include <net/netlink.h>
#include <net/sock.h>
#include "compat.h"
#include "config.h"
#include "netlink.h"
#include "proto.h"
#include "socket.h"
#include "uapi/linux/kraw.h"

/**
 * kraw_dgram_address_fill - tell an address of a socket, if it has one
 * @msg:	message
 * @attr:	binary, 4 or 16 bytes, network byte order
 * @sk:		IPv6 sockets have IPv4 addresses as v4-mapped ones
 * @addr:	zero: none
 *
 * Returns 0 or -EMSGSIZE.
 */
int kraw_dgram_address_fill(struct sk_buff *msg, int attr,
			    const struct sock *sk, const struct in6_addr *addr)
{
	if (ipv6_addr_any(addr))
		return 0;
	if (sk->sk_family == AF_INET)
		return nla_put_in_addr(msg, attr, addr->s6_addr32[3]);
	return nla_put_in6_addr(msg, attr, addr);
}

static int bind_fill(struct sk_buff *msg, const struct kraw_bind *bind)
{
	const struct kraw_bind_key *key = &bind->key;

	if (nla_put_u8(msg, KRAW_SOCKET_A_RECEIVES, bind->families) ||
	    kraw_dgram_address_fill(msg, KRAW_SOCKET_A_LOCAL, bind->sk,
				    &key->local) ||
	    kraw_dgram_address_fill(msg, KRAW_SOCKET_A_PEER, bind->sk,
				    &key->peer))
		return -EMSGSIZE;
	if (key->lport && nla_put_u16(msg, KRAW_SOCKET_A_LOCAL_PORT,
				      ntohs(key->lport)))
		return -EMSGSIZE;
	return key->pport ? nla_put_u16(msg, KRAW_SOCKET_A_PEER_PORT,
					ntohs(key->pport)) : 0;
}

static int memory_fill(struct sk_buff *msg, const struct sock *sk)
{
	if (nla_put_u32(msg, KRAW_SOCKET_A_QUEUE, sk_rmem_alloc_get(sk)) ||
	    nla_put_u32(msg, KRAW_SOCKET_A_LIMIT, READ_ONCE(sk->sk_rcvbuf)) ||
	    nla_put_u32(msg, KRAW_SOCKET_A_DROPS, kraw_sk_drops(sk)))
		return -EMSGSIZE;
	return 0;
}

/* Here no filter is an answer, too. */
static int filter_fill(struct sk_buff *msg, const struct sock *sk, u32 *flags)
{
	int err;

	rcu_read_lock();
	if (rcu_access_pointer(sk->sk_filter))
		err = kraw_socket_filter_fill(msg, sk, flags);
	else
		err = nla_put_u32(msg, KRAW_SOCKET_A_FILTER, 0);
	rcu_read_unlock();
	return err;
}

static u32 options(const struct kraw_dgram *dgram)
{
	const struct sock *sk = &dgram->inet.sk;
	u32 flags = 0;

	if (dgram->exclusive)
		flags |= KRAW_SOCKET_EXCLUSIVE;
	if (sk->sk_reuse)
		flags |= KRAW_SOCKET_REUSEADDR;
	if (sk->sk_reuseport)
		flags |= KRAW_SOCKET_REUSEPORT;
	if (ipv6_only_sock(sk))
		flags |= KRAW_SOCKET_V6ONLY;
	return flags;
}

/**
 * kraw_dgram_fill - describe a datagram socket
 * @msg:	gets KRAW_A_SOCKET
 * @dgram:	the socket; its table is locked
 * @user_ns:	whoever reads it has his ids from here
 * @admin:	he may know of filters
 *
 * Returns 0 or -EMSGSIZE; the caller cancels the message.
 */
int kraw_dgram_fill(struct sk_buff *msg, struct kraw_dgram *dgram,
		    struct user_namespace *user_ns, bool admin)
{
	struct nlattr *nest = nla_nest_start(msg, KRAW_A_SOCKET);
	struct sock *sk = &dgram->inet.sk;
	int dev = READ_ONCE(sk->sk_bound_dev_if);
	u32 flags = options(dgram);

	if (!nest || nla_put_u32(msg, KRAW_SOCKET_A_INODE, sock_i_ino(sk)) ||
	    nla_put_u8(msg, KRAW_SOCKET_A_FAMILY,
		       sk->sk_family == AF_INET ? KRAW_FAMILY_IPV4 :
						  KRAW_FAMILY_IPV6) ||
	    nla_put_u8(msg, KRAW_SOCKET_A_PROTO, sk->sk_protocol) ||
	    (dgram->bind && bind_fill(msg, dgram->bind)) ||
	    (dev && nla_put_u32(msg, KRAW_SOCKET_A_IFINDEX, dev)) ||
	    nla_put_u32(msg, KRAW_SOCKET_A_UID,
			from_kuid_munged(user_ns, READ_ONCE(sk->sk_uid))) ||
	    memory_fill(msg, sk) ||
	    (admin && filter_fill(msg, sk, &flags)) ||
	    nla_put_u32(msg, KRAW_SOCKET_A_FLAGS, flags))
		return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return 0;
}

static int fill(struct sk_buff *msg, struct netlink_callback *cb,
		struct kraw_dgram *dgram)
{
	void *hdr = genlmsg_put(msg, NETLINK_CB(cb->skb).portid,
				cb->nlh->nlmsg_seq, &kraw_genl, NLM_F_MULTI,
				KRAW_CMD_DGRAM_GET);

	if (!hdr)
		return -EMSGSIZE;
	if (kraw_dgram_fill(msg, dgram, sk_user_ns(NETLINK_CB(cb->skb).sk),
			    netlink_net_capable(cb->skb, CAP_NET_ADMIN))) {
		genlmsg_cancel(msg, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(msg, hdr);
	return 0;
}

/* From the socket with this index on; the index of the next one if it is full. */
static int dump_table(struct sk_buff *msg, struct netlink_callback *cb,
		      struct kraw_binds *binds, unsigned long *index)
{
	struct kraw_dgram *dgram;
	unsigned long i = 0;
	int err = 0;

	mutex_lock(&binds->lock);
	list_for_each_entry(dgram, &binds->sockets, list) {
		if (dgram->closed)
			continue;
		if (i >= *index) {
			err = fill(msg, cb, dgram);
			if (err)
				break;
		}
		i++;
	}
	mutex_unlock(&binds->lock);
	*index = err ? i : 0;
	return err;
}

/* The table of the claim, referenced, or NULL. */
static struct kraw_binds *table_of(struct net *net, unsigned int number)
{
	const struct kraw_proto *proto;
	struct kraw_binds *binds;

	rcu_read_lock();
	proto = rcu_dereference(kraw_net(net)->config)->proto[number];
	binds = proto ? kraw_binds_get(proto->binds) : NULL;
	rcu_read_unlock();
	return binds;
}

/**
 * kraw_dgram_dump - answer KRAW_CMD_DGRAM_GET
 * @msg:	gets a message for each socket
 * @cb:		the cursor: a protocol number, and an index among its sockets
 *
 * Sockets that come and go meanwhile may be missed, or told twice.
 *
 * Returns the length of @msg, 0 at the end.
 */
int kraw_dgram_dump(struct sk_buff *msg, struct netlink_callback *cb)
{
	unsigned long index = cb->args[1];
	struct kraw_binds *binds;
	unsigned int i;
	int err;

	for (i = cb->args[0]; i < KRAW_PROTOCOLS; i++) {
		binds = table_of(sock_net(msg->sk), i);
		if (!binds)
			continue;
		err = dump_table(msg, cb, binds, &index);
		kraw_binds_put(binds);
		if (err)
			break;
	}
	cb->args[0] = i;
	cb->args[1] = index;
	return msg->len;
}
