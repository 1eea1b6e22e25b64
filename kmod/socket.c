// SPDX-License-Identifier: GPL-2.0
/*
 * The raw and packet sockets of a namespace, and what the kernel's sock_diag
 * does not tell of them: filters, and who does multicast routing.
 *
 * It lists sockets and matches nothing: for that rawsock.c is the place.
 */
#include "socket.h"

#include <linux/filter.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/in.h>
#include <linux/mroute_base.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <net/genetlink.h>
#include <net/netlink.h>
#include <net/raw.h>
#include <net/rawv6.h>
#include <net/sock.h>
#include "compat.h"
#include "net.h"
#include "netlink.h"
#include "uapi/linux/kraw.h"

/* The lists that a dump goes through: a hash table a family, then one list. */
#define LISTS	(KRAW_FAMILIES * RAW_HTABLE_SIZE + 1)

static const struct hlist_head *list_of(struct net *net, unsigned int i)
{
	if (i < RAW_HTABLE_SIZE)
		return &raw_v4_hashinfo.ht[i];
	if (i < LISTS - 1)
		return &raw_v6_hashinfo.ht[i - RAW_HTABLE_SIZE];
#if IS_ENABLED(CONFIG_PACKET)
	return &net->packet.sklist;
#else
	return NULL;
#endif
}

static bool is_packet(const struct sock *sk)
{
	return sk->sk_family == AF_PACKET;
}

/* A program that starts with "return 0" lets nothing through. */
static bool refuses_all(const struct sock_fprog_kern *program)
{
	return program->filter[0].code == (BPF_RET | BPF_K) &&
	       !program->filter[0].k;
}

/**
 * kraw_socket_filter_fill - describe the filter of a socket, if it has one
 * @msg:	gets KRAW_SOCKET_A_FILTER
 * @sk:		the socket
 * @flags:	get KRAW_SOCKET_EBPF, KRAW_SOCKET_REFUSES_ALL
 *
 * Context: RCU. Returns 0 or -EMSGSIZE.
 */
int kraw_socket_filter_fill(struct sk_buff *msg, const struct sock *sk,
			    u32 *flags)
{
	const struct sk_filter *filter = rcu_dereference(sk->sk_filter);
	const struct sock_fprog_kern *program;

	if (!filter)
		return 0;
	program = filter->prog->orig_prog;
	if (!program) {
		*flags |= KRAW_SOCKET_EBPF;
		return nla_put_u32(msg, KRAW_SOCKET_A_FILTER,
				   filter->prog->len);
	}
	if (refuses_all(program))
		*flags |= KRAW_SOCKET_REFUSES_ALL;
	return nla_put_u32(msg, KRAW_SOCKET_A_FILTER, program->len);
}

static int icmp_filter_fill(struct sk_buff *msg, const struct sock *sk)
{
	if (sk->sk_family == AF_INET && inet_sk(sk)->inet_num == IPPROTO_ICMP)
		return nla_put(msg, KRAW_SOCKET_A_ICMP_FILTER,
			       sizeof(raw_sk(sk)->filter.data),
			       &raw_sk(sk)->filter.data);
	if (sk->sk_family == AF_INET6 &&
	    inet_sk(sk)->inet_num == IPPROTO_ICMPV6)
		return nla_put(msg, KRAW_SOCKET_A_ICMP_FILTER,
			       sizeof(raw6_sk(sk)->filter.data),
			       raw6_sk(sk)->filter.data);
	return 0;
}

static bool has_role(const struct mr_table *table, const struct sock *sk)
{
	return table && rcu_access_pointer(table->mroute_sk) == sk;
}

/*
 * The multicast routing table whose daemon has this socket, or NULL. Tables live
 * as long as their namespace. That of IPv6 is there if such a socket is.
 */
static const struct mr_table *table4(struct net *net, const struct sock *sk)
{
#if defined(CONFIG_IP_MROUTE_MULTIPLE_TABLES)
	const struct mr_table *table;

	list_for_each_entry_rcu(table, &net->ipv4.mr_tables, list)
		if (has_role(table, sk))
			return table;
#elif defined(CONFIG_IP_MROUTE)
	if (has_role(net->ipv4.mrt, sk))
		return net->ipv4.mrt;
#endif
	return NULL;
}

static const struct mr_table *table6(struct net *net, const struct sock *sk)
{
#if defined(CONFIG_IPV6_MROUTE_MULTIPLE_TABLES)
	const struct mr_table *table;

	list_for_each_entry_rcu(table, &net->ipv6.mr6_tables, list)
		if (has_role(table, sk))
			return table;
#elif defined(CONFIG_IPV6_MROUTE)
	if (has_role(net->ipv6.mrt6, sk))
		return net->ipv6.mrt6;
#endif
	return NULL;
}

static int mroute_fill(struct sk_buff *msg, struct net *net,
		       const struct sock *sk)
{
	const struct mr_table *table = NULL;

	if (sk->sk_family == AF_INET && inet_sk(sk)->inet_num == IPPROTO_IGMP)
		table = table4(net, sk);
	else if (sk->sk_family == AF_INET6 &&
		 inet_sk(sk)->inet_num == IPPROTO_ICMPV6)
		table = table6(net, sk);
	return table ? nla_put_u32(msg, KRAW_SOCKET_A_MROUTE, table->id) : 0;
}

static int raw_fill(struct sk_buff *msg, struct net *net, const struct sock *sk,
		    u32 *flags)
{
	u8 family = sk->sk_family == AF_INET ? KRAW_FAMILY_IPV4 :
					       KRAW_FAMILY_IPV6;

	if (kraw_sk_hdrincl(sk))
		*flags |= KRAW_SOCKET_HDRINCL;
	if (nla_put_u8(msg, KRAW_SOCKET_A_FAMILY, family) ||
	    nla_put_u8(msg, KRAW_SOCKET_A_PROTO, inet_sk(sk)->inet_num) ||
	    icmp_filter_fill(msg, sk) || mroute_fill(msg, net, sk))
		return -EMSGSIZE;
	return 0;
}

static int nest_fill(struct sk_buff *msg, struct net *net, struct sock *sk)
{
	struct nlattr *nest = nla_nest_start(msg, KRAW_A_SOCKET);
	u32 flags = 0;

	if (!nest || nla_put_u32(msg, KRAW_SOCKET_A_INODE, sock_i_ino(sk)) ||
	    (!is_packet(sk) && raw_fill(msg, net, sk, &flags)) ||
	    kraw_socket_filter_fill(msg, sk, &flags) ||
	    nla_put_u32(msg, KRAW_SOCKET_A_FLAGS, flags))
		return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return 0;
}

static int fill(struct sk_buff *msg, struct netlink_callback *cb,
		struct net *net, struct sock *sk)
{
	void *hdr = genlmsg_put(msg, NETLINK_CB(cb->skb).portid,
				cb->nlh->nlmsg_seq, &kraw_genl, NLM_F_MULTI,
				KRAW_CMD_SOCKET_GET);

	if (!hdr)
		return -EMSGSIZE;
	if (nest_fill(msg, net, sk)) {
		genlmsg_cancel(msg, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(msg, hdr);
	return 0;
}

/* From the socket with this index on; the index of the next one if it is full. */
static int dump_list(struct sk_buff *msg, struct netlink_callback *cb,
		     struct net *net, const struct hlist_head *list,
		     unsigned long *index)
{
	unsigned long i = 0;
	struct sock *sk;

	sk_for_each_rcu(sk, list) {
		if (!net_eq(sock_net(sk), net))
			continue;
		if (i >= *index && fill(msg, cb, net, sk)) {
			*index = i;
			return -EMSGSIZE;
		}
		i++;
	}
	*index = 0;
	return 0;
}

/**
 * kraw_socket_dump - answer KRAW_CMD_SOCKET_GET
 * @msg:	gets a message for each socket
 * @cb:		the cursor: a list, and an index in it
 *
 * The lists are walked under RCU. What comes and goes meanwhile may be missed,
 * or told twice, as in the kernel's own dumps of sockets.
 *
 * Returns the length of @msg, 0 at the end.
 */
int kraw_socket_dump(struct sk_buff *msg, struct netlink_callback *cb)
{
	struct net *net = sock_net(msg->sk);
	unsigned long index = cb->args[1];
	const struct hlist_head *list;
	unsigned int i;

	rcu_read_lock();
	for (i = cb->args[0]; i < LISTS; i++) {
		list = list_of(net, i);
		if (list && dump_list(msg, cb, net, list, &index))
			break;
	}
	rcu_read_unlock();
	cb->args[0] = i;
	cb->args[1] = index;
	return msg->len;
}
