/* SPDX-License-Identifier: GPL-2.0 */
/* The datagram sockets of claimed protocols. */
#ifndef _KRAW_DGRAM_H
#define _KRAW_DGRAM_H

#include <linux/ipv6.h>
#include <linux/list.h>
#include <linux/udp.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>
#include "bind.h"
#include "compat.h"
#include "net.h"
#include "stats.h"
#include "uapi/linux/kraw.h"

struct kraw_proto;
struct kraw_rawsock_asked;
struct netlink_callback;
struct sk_buff;
struct user_namespace;

/**
 * struct kraw_dgram - a datagram socket
 * @inet:	the kernel's part; first
 * @binds:	the table of its claim, referenced; NULL once it is closed, while
 *		packets may still come to it
 * @has_ports:	as its table; fixed, and all of it that packets look at here
 * @list:	in kraw_binds.sockets
 * @bind:	its address, NULL: none; under kraw_binds.lock
 * @closed:	its claim has gone by force; set under kraw_binds.lock
 * @exclusive:	KRAW_EXCLUSIVEADDRUSE; fixed once there is an address
 */
struct kraw_dgram {
	struct inet_sock inet;
	struct kraw_binds *binds;
	struct list_head list;
	struct kraw_bind *bind;
	bool has_ports;
	bool exclusive;
	bool closed;
};

/* IPv6's part is at the end: older kernels find it there. */
struct kraw_dgram6 {
	struct kraw_dgram dgram;
	struct ipv6_pinfo inet6;
};

static inline struct kraw_dgram *kraw_dgram(const struct sock *sk)
{
	return (struct kraw_dgram *)sk;
}

/* Bytes of ours between the IP header and the payload. */
static inline unsigned int kraw_dgram_header(const struct sock *sk)
{
	return kraw_dgram(sk)->has_ports ? sizeof(struct udphdr) : 0;
}

/* Counts what a socket does, outside of the packet path. */
static inline void kraw_dgram_count(const struct sock *sk,
				    enum kraw_family family,
				    enum kraw_stats_attr counter)
{
	local_bh_disable();
	kraw_stats_inc(kraw_dgram(sk)->binds->stats, family, counter);
	local_bh_enable();
}

void kraw_dgram_exit(void);
int kraw_dgram_register(u8 number, enum kraw_family family);
void kraw_dgram_unregister(u8 number, enum kraw_family family);

/* dgramin.c */
/* What became of a packet. */
enum kraw_dgram_outcome {
	KRAW_DGRAM_HAD,		/* sockets had it, be it that they refused it */
	KRAW_DGRAM_BAD,		/* it is broken, and dropped */
	KRAW_DGRAM_NOBODY,	/* it is for no socket, and still the caller's */
};

enum kraw_dgram_outcome kraw_dgram_rcv(struct net *net,
				       const struct kraw_proto *proto,
				       enum kraw_family family,
				       struct sk_buff *skb);
enum kraw_dgram_result kraw_dgram_explain(struct net *net,
					  const struct kraw_proto *proto,
					  enum kraw_family family,
					  struct sk_buff *skb,
					  const struct kraw_rawsock_asked *asked);
bool kraw_dgram_expect(struct net *net, const struct kraw_proto *proto,
		       enum kraw_family family, struct sk_buff *skb);
struct sock *kraw_dgram_sender(struct net *net, const struct kraw_proto *proto,
			       enum kraw_family family, struct sk_buff *skb,
			       const void *saddr, const void *daddr,
			       const struct udphdr *hdr);
KRAW_RECVMSG(kraw_dgram_recvmsg);

/* dgramout.c */
struct sk_buff *kraw_dgram_build(struct sock *sk, struct msghdr *msg, size_t len,
				 const struct dst_entry *dst, unsigned int ip);
void kraw_dgram_write_header(struct sk_buff *skb, __be16 source, __be16 dest);
__wsum kraw_dgram_sum(const struct sk_buff *skb);
void kraw_dgram_dress(const struct sock *sk, struct sk_buff *skb,
		      const struct sockcm_cookie *cookie);

/* dgramopt.c */
int kraw_dgram_setsockopt(struct sock *sk, int level, int name,
			  sockptr_t value, unsigned int len);
int kraw_dgram_getsockopt(struct sock *sk, int level, int name,
			  char __user *value, int __user *len);

/* dgramget.c */
int kraw_dgram_fill(struct sk_buff *msg, struct kraw_dgram *dgram,
		    struct user_namespace *user_ns, bool admin);
int kraw_dgram_address_fill(struct sk_buff *msg, int attr,
			    const struct sock *sk, const struct in6_addr *addr);
int kraw_dgram_dump(struct sk_buff *msg, struct netlink_callback *cb);

/* dgram4.c */
int kraw_dgram4_sendmsg(struct sock *sk, struct msghdr *msg, size_t len);
void kraw_dgram4_prepare(const struct sock *sk, struct sk_buff *skb);
void kraw_dgram4_error(const struct kraw_proto *proto, struct sk_buff *skb,
		       u32 info);

/* dgram6.c */
int kraw_dgram6_sendmsg(struct sock *sk, struct msghdr *msg, size_t len);
void kraw_dgram6_error(const struct kraw_proto *proto, struct sk_buff *skb,
		       u8 type, u8 code, int offset, __be32 info);

#endif /* _KRAW_DGRAM_H */
