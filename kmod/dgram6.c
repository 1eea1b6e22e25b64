// SPDX-License-Identifier: GPL-2.0
/* Datagram sockets and IPv6: sending and ICMPv6 errors. */
#include "dgram.h"

#include <linux/errqueue.h>
#include <linux/icmpv6.h>
#include <linux/skbuff.h>
#include <linux/uio.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/sock.h>
#include <net/transp_v6.h>
#include "compat.h"
#include "proto.h"

/**
 * struct send - a datagram on its way out
 * @sk:		its socket, not locked
 * @msg:	what the program gave
 * @len:	bytes of it
 * @fl6:	the flow
 * @ipc:	control data and options
 * @space:	...
 * @opt:	the socket's extension headers, referenced
 * @label:	the flow label, referenced
 * @connected:	nothing but the socket itself says where to
 */
struct send {
	struct sock *sk;
	struct msghdr *msg;
	size_t len;
	struct flowi6 fl6;
	struct ipcm6_cookie ipc;
	struct ipv6_txoptions space;
	struct ipv6_txoptions *opt;
	struct ip6_flowlabel *label;
	bool connected;
};

/* The flow label that the program asks for has to be one of its own. */
static int take_label(struct send *send)
{
	struct ip6_flowlabel *label;

	if (!(send->fl6.flowlabel & IPV6_FLOWLABEL_MASK) || send->label)
		return 0;
	label = fl6_sock_lookup(send->sk, send->fl6.flowlabel);
	if (IS_ERR(label))
		return -EINVAL;
	send->label = label;
	return 0;
}

static int read_destination(struct send *send)
{
	const struct sockaddr_in6 *sin6 = send->msg->msg_name;
	struct sock *sk = send->sk;
	struct flowi6 *fl6 = &send->fl6;

	if (!sin6) {
		if (sk->sk_state != TCP_ESTABLISHED)
			return -EDESTADDRREQ;
		fl6->daddr = sk->sk_v6_daddr;
		fl6->fl6_dport = inet_sk(sk)->inet_dport;
		fl6->flowlabel = inet6_sk(sk)->flow_label;
		send->connected = true;
	} else {
		fl6->daddr = sin6->sin6_addr;
		fl6->fl6_dport = sin6->sin6_port;
		if (kraw_sk_sndflow6(sk))
			fl6->flowlabel = sin6->sin6_flowinfo &
					 IPV6_FLOWINFO_MASK;
		if (send->msg->msg_namelen >= sizeof(*sin6) &&
		    sin6->sin6_scope_id &&
		    __ipv6_addr_needs_scope_id(__ipv6_addr_type(&fl6->daddr)))
			fl6->flowi6_oif = sin6->sin6_scope_id;
	}
	if (kraw_dgram(sk)->has_ports != !!fl6->fl6_dport)
		return -EINVAL;
	return sin6 ? take_label(send) : 0;
}

static int read_control(struct send *send)
{
	struct ipv6_txoptions *opt = &send->space;
	int err;

	opt->tot_len = sizeof(*opt);
	send->ipc.opt = opt;
	err = ip6_datagram_send_ctl(sock_net(send->sk), send->sk, send->msg,
				    &send->fl6, &send->ipc);
	if (err)
		return err;
	send->connected = false;
	if (!(opt->opt_nflen | opt->opt_flen))
		send->ipc.opt = NULL;
	return take_label(send);
}

static int read_options(struct send *send)
{
	struct ipv6_txoptions *opt;
	int err;

	if (send->msg->msg_controllen) {
		err = read_control(send);
		if (err)
			return err;
	}
	opt = send->ipc.opt;
	if (!opt) {
		send->opt = txopt_get(inet6_sk(send->sk));
		opt = send->opt;
	}
	if (send->label)
		opt = fl6_merge_options(&send->space, send->label, opt);
	send->ipc.opt = ipv6_fixup_options(&send->space, opt);
	return 0;
}

static struct dst_entry *route(struct send *send)
{
	const struct ipv6_pinfo *np = inet6_sk(send->sk);
	struct in6_addr *final_p, final;
	struct flowi6 *fl6 = &send->fl6;
	struct sock *sk = send->sk;

	fl6->flowi6_proto = sk->sk_protocol;
	fl6->flowi6_mark = send->ipc.sockc.mark;
	if (ipv6_addr_any(&fl6->saddr))
		fl6->saddr = np->saddr;
	fl6->fl6_sport = inet_sk(sk)->inet_sport;
	if (ipv6_addr_any(&fl6->daddr))
		fl6->daddr = in6addr_loopback;	/* as everywhere in IPv6 */
	final_p = fl6_update_dst(fl6, send->ipc.opt, &final);
	if (final_p)
		send->connected = false;
	if (!fl6->flowi6_oif && ipv6_addr_is_multicast(&fl6->daddr)) {
		fl6->flowi6_oif = np->mcast_oif;
		send->connected = false;
	} else if (!fl6->flowi6_oif) {
		fl6->flowi6_oif = np->ucast_oif;
	}
	security_sk_classify_flow(sk, flowi6_to_flowi_common(fl6));
	if (send->ipc.tclass < 0)
		send->ipc.tclass = np->tclass;
	fl6->flowlabel = ip6_make_flowinfo(send->ipc.tclass, fl6->flowlabel);
	return kraw_sk_route6(sk, fl6, final_p, send->connected);
}

/* The kernel computes a checksum as it copies; without ports nobody needs it. */
static int copy_plain(void *from, char *to, int offset, int len, int odd,
		      struct sk_buff *skb)
{
	struct msghdr *msg = from;

	return copy_from_iter_full(to, len, &msg->msg_iter) ? 0 : -EFAULT;
}

static __sum16 checksum(const struct flowi6 *fl6, unsigned int len, __wsum sum)
{
	return csum_ipv6_magic(&fl6->saddr, &fl6->daddr, len, fl6->flowi6_proto,
			       sum) ?: CSUM_MANGLED_0;
}

/* Our header in front of the first of the packets that wait. */
static void write_header(struct send *send)
{
	const struct flowi6 *fl6 = &inet_sk(send->sk)->cork.fl.u.ip6;
	struct sk_buff *skb = skb_peek(&send->sk->sk_write_queue);
	unsigned int len = send->len + sizeof(struct udphdr);
	struct udphdr *hdr = udp_hdr(skb);
	__wsum csum;

	hdr->source = fl6->fl6_sport;
	hdr->dest = fl6->fl6_dport;
	hdr->len = htons(len);
	hdr->check = 0;
	csum = csum_partial(hdr, sizeof(*hdr), 0);
	skb_queue_walk(&send->sk->sk_write_queue, skb)
		csum = csum_add(csum, skb->csum);
	hdr->check = checksum(fl6, len, csum);
}

static int too_long(const struct send *send, const struct dst_entry *dst,
		    unsigned int len)
{
	const struct ipv6_txoptions *opt = send->ipc.opt;

	/* IPV6_DONTFRAG: the kernel heeds it for UDP and raw sockets only. */
	return send->ipc.dontfrag &&
	       sizeof(struct ipv6hdr) + len +
	       (opt ? opt->opt_flen + opt->opt_nflen : 0) > dst_mtu(dst);
}

/* A full queue of a device is the network's loss, as for UDP. */
static int refused(const struct sock *sk, int err)
{
	return err == -ENOBUFS && !kraw_sk_recverr6(sk) ? 0 : err;
}

/*
 * Gives the kernel the datagram. It waits for room, and asks whether the socket
 * is shut down, only where there is a header in front of what it copies: without
 * ports the first bytes of the payload stand for one.
 */
static int append(struct send *send, struct dst_entry *dst)
{
	unsigned int header = kraw_dgram_header(send->sk);
	u8 first[sizeof(struct udphdr)];
	struct sock *sk = send->sk;
	unsigned int plain = 0;
	int err;

	if (!header) {
		plain = min(send->len, sizeof(first));
		if (!copy_from_iter_full(first, plain, &send->msg->msg_iter))
			return -EFAULT;
	}
	err = ip6_append_data(sk, header ? ip_generic_getfrag : copy_plain,
			      send->msg, send->len + header, header + plain,
			      &send->ipc, &send->fl6, container_of(dst, struct rt6_info, dst),
			      send->msg->msg_flags);
	if (err) {
		ip6_flush_pending_frames(sk);
		return err;
	}
	if (skb_queue_empty(&sk->sk_write_queue))
		return 0;	/* MSG_PROBE */
	if (header)
		write_header(send);
	else
		memcpy(skb_transport_header(skb_peek(&sk->sk_write_queue)),
		       first, plain);
	return refused(sk, ip6_push_pending_frames(sk));
}

/*
 * Whether it is a single packet without anything special: then it is built here,
 * without the socket's lock and the detour over its queue.
 */
static bool is_simple(const struct send *send, const struct dst_entry *dst)
{
	const struct ipv6_pinfo *np = inet6_sk(send->sk);

	return !send->ipc.opt && !dst->header_len && !dst_xfrm(dst) &&
	       !dst->lwtstate && !np->frag_size &&
	       !(send->msg->msg_flags & MSG_PROBE) &&
	       sizeof(struct ipv6hdr) + kraw_dgram_header(send->sk) +
	       send->len <= min(dst_mtu(dst), READ_ONCE(dst->dev->mtu));
}

static bool labels_flows(const struct sock *sk)
{
	return kraw_sk_labels6_set(sk) ?
	       kraw_sk_labels6(sk) : ip6_default_np_autolabel(sock_net(sk));
}

/* The IP header, as the kernel would write it; the length it writes itself. */
static void write_ip(struct send *send, struct sk_buff *skb)
{
	struct ipv6hdr *hdr = ipv6_hdr(skb);
	struct flowi6 *fl6 = &send->fl6;
	struct sock *sk = send->sk;

	ip6_flow_hdr(hdr, send->ipc.tclass,
		     ip6_make_flowlabel(sock_net(sk), skb, fl6->flowlabel,
					labels_flows(sk), fl6));
	hdr->hop_limit = send->ipc.hlimit;
	hdr->nexthdr = sk->sk_protocol;
	hdr->saddr = fl6->saddr;
	hdr->daddr = fl6->daddr;
}

static int transmit_simple(struct send *send, struct dst_entry *dst)
{
	struct net *net = sock_net(send->sk);
	struct sock *sk = send->sk;
	struct sk_buff *skb;
	int err;

	skb = kraw_dgram_build(sk, send->msg, send->len, dst,
			       sizeof(struct ipv6hdr));
	if (IS_ERR(skb))
		return PTR_ERR(skb);
	if (kraw_dgram_header(sk)) {
		kraw_dgram_write_header(skb, send->fl6.fl6_sport,
					send->fl6.fl6_dport);
		udp_hdr(skb)->check = checksum(&send->fl6,
					       skb->len - sizeof(struct ipv6hdr),
					       kraw_dgram_sum(skb));
	}
	write_ip(send, skb);
	skb->protocol = htons(ETH_P_IPV6);
	skb->ignore_df = ip6_sk_ignore_df(sk);
	kraw_dgram_dress(sk, skb, &send->ipc.sockc);
	skb_dst_set(skb, dst_clone(dst));
	rcu_read_lock();
	IP6_UPD_PO_STATS(net, ip6_dst_idev(dst), IPSTATS_MIB_OUT, skb->len);
	err = ip6_local_out(net, sk, skb);
	if (err > 0)
		err = net_xmit_errno(err);
	if (err)
		IP6_INC_STATS(net, ip6_dst_idev(dst), IPSTATS_MIB_OUTDISCARDS);
	rcu_read_unlock();
	return refused(sk, err);
}

static int transmit_appended(struct send *send, struct dst_entry *dst)
{
	struct sock *sk = send->sk;
	int err;

	lock_sock(sk);
	err = sk->sk_shutdown & SEND_SHUTDOWN ? -EPIPE : append(send, dst);
	release_sock(sk);
	return err;
}

static int transmit(struct send *send, struct dst_entry *dst)
{
	struct sock *sk = send->sk;
	int err;

	err = is_simple(send, dst) ? transmit_simple(send, dst) :
				     transmit_appended(send, dst);
	if (!err)
		kraw_dgram_count(sk, KRAW_IPV6, KRAW_STATS_A_DGRAM_SENT);
	return err;
}

static int send_on(struct send *send, struct dst_entry *dst)
{
	if (send->ipc.hlimit < 0)
		send->ipc.hlimit = ip6_sk_dst_hoplimit(inet6_sk(send->sk),
						       &send->fl6, dst);
	if (send->ipc.dontfrag < 0)
		send->ipc.dontfrag = kraw_sk_dontfrag6(send->sk);
	if (send->msg->msg_flags & MSG_CONFIRM) {
		if (send->msg->msg_flags & MSG_PROBE)
			dst_confirm_neigh(dst, &send->fl6.daddr);
		if (send->msg->msg_flags & MSG_PROBE && !send->len)
			return 0;
	}
	if (too_long(send, dst, send->len + kraw_dgram_header(send->sk)))
		return -EMSGSIZE;
	return transmit(send, dst);
}

static int send6(struct send *send)
{
	struct sock *sk = send->sk;
	struct dst_entry *dst;
	int err;

	if (READ_ONCE(kraw_dgram(sk)->closed))
		return -ENETDOWN;
	send->ipc.hlimit = -1;
	send->ipc.tclass = -1;
	send->ipc.dontfrag = -1;
	sockcm_init(&send->ipc.sockc, sk);
	send->ipc.sockc.mark = READ_ONCE(sk->sk_mark);
	send->fl6.flowi6_uid = sk->sk_uid;
	err = read_destination(send);
	if (err)
		return err;
	if (!send->fl6.flowi6_oif)
		send->fl6.flowi6_oif = READ_ONCE(sk->sk_bound_dev_if);
	if (!send->fl6.flowi6_oif)
		send->fl6.flowi6_oif =
			inet6_sk(sk)->sticky_pktinfo.ipi6_ifindex;
	err = kraw_bind_sender(sk);
	if (err)
		return err;
	err = read_options(send);
	if (err)
		return err;
	dst = route(send);
	if (IS_ERR(dst))
		return PTR_ERR(dst);
	err = send_on(send, dst);
	dst_release(dst);
	return err;
}

/* To an IPv4 address, written either way. */
static int send4(struct sock *sk, struct msghdr *msg, size_t len,
		 const struct in6_addr *mapped, __be16 port)
{
	void *name = msg->msg_name;
	int namelen = msg->msg_namelen;
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int err;

	if (ipv6_only_sock(sk))
		return -ENETUNREACH;
	if (mapped) {
		sin.sin_addr.s_addr = mapped->s6_addr32[3];
		sin.sin_port = port;
		msg->msg_name = &sin;
		msg->msg_namelen = sizeof(sin);
	}
	err = kraw_dgram4_sendmsg(sk, msg, len);
	msg->msg_name = name;
	msg->msg_namelen = namelen;
	return err;
}

/**
 * kraw_dgram6_sendmsg - send a datagram from an IPv6 socket
 * @sk:		not locked
 * @msg:	its name is a struct sockaddr_in6 or sockaddr_in, or NULL
 * @len:	bytes of the payload
 *
 * Returns @len or a negative error.
 */
int kraw_dgram6_sendmsg(struct sock *sk, struct msghdr *msg, size_t len)
{
	struct sockaddr_in6 *sin6 = msg->msg_name;
	struct send send = { .sk = sk, .msg = msg, .len = len };
	int err;

	if (len > IPV6_MAXPLEN)
		return -EMSGSIZE;
	if (msg->msg_flags & (MSG_OOB | MSG_MORE))
		return -EOPNOTSUPP;
	if (sin6) {
		if (msg->msg_namelen < offsetof(struct sockaddr, sa_data))
			return -EINVAL;
		if (sin6->sin6_family == AF_INET)
			return send4(sk, msg, len, NULL, 0);
		if (sin6->sin6_family == AF_UNSPEC) {
			msg->msg_name = NULL;
			msg->msg_namelen = 0;
			return kraw_dgram6_sendmsg(sk, msg, len);
		}
		if (sin6->sin6_family != AF_INET6)
			return -EAFNOSUPPORT;
		if (msg->msg_namelen < SIN6_LEN_RFC2133)
			return -EINVAL;
		if (ipv6_addr_any(&sin6->sin6_addr) &&
		    ipv6_addr_v4mapped(&inet6_sk(sk)->saddr))
			ipv6_addr_set_v4mapped(htonl(INADDR_LOOPBACK),
					       &sin6->sin6_addr);
		if (ipv6_addr_v4mapped(&sin6->sin6_addr))
			return send4(sk, msg, len, &sin6->sin6_addr,
				     sin6->sin6_port);
	} else if (sk->sk_state == TCP_ESTABLISHED &&
		   ipv6_addr_v4mapped(&sk->sk_v6_daddr)) {
		return send4(sk, msg, len, NULL, 0);
	}
	err = send6(&send);
	fl6_sock_release(send.label);
	txopt_put(send.opt);
	return err ?: len;
}

/* IPV6_RECVERR: an ICMPv6 error to the socket's queue, with what it quotes. */
static void queue_icmp(struct sock *sk, struct sk_buff *about, int err,
		       u32 info, unsigned int headers, __be16 port)
{
	const struct icmp6hdr *icmp = icmp6_hdr(about);
	struct sk_buff *skb = skb_clone(about, GFP_ATOMIC);
	const struct ipv6hdr *hdr;
	struct sock_exterr_skb *serr;

	if (!skb)
		return;
	hdr = (const struct ipv6hdr *)skb->data;
	skb->protocol = htons(ETH_P_IPV6);
	serr = SKB_EXT_ERR(skb);
	memset(&serr->ee, 0, sizeof(serr->ee));
	serr->ee.ee_errno = err;
	serr->ee.ee_origin = SO_EE_ORIGIN_ICMP6;
	serr->ee.ee_type = icmp->icmp6_type;
	serr->ee.ee_code = icmp->icmp6_code;
	serr->ee.ee_info = info;
	serr->addr_offset = (u8 *)&hdr->daddr - skb_network_header(skb);
	serr->port = port;
	if (!pskb_pull(skb, headers))
		goto free;
	skb_reset_transport_header(skb);
	if (!sock_queue_err_skb(sk, skb))
		return;
free:
	kfree_skb(skb);
}

/**
 * kraw_dgram6_error - hand an ICMPv6 error to the socket that it is about
 * @proto:	claimed
 * @skb:	data at the IPv6 header that the error quotes; stays the caller's
 * @type:	of the error
 * @code:	...
 * @offset:	of the upper layer, from there
 * @info:	of the error
 *
 * Context: RCU, bottom halves off.
 */
void kraw_dgram6_error(const struct kraw_proto *proto, struct sk_buff *skb,
		       u8 type, u8 code, int offset, __be32 info)
{
	const struct ipv6hdr *ip = (const struct ipv6hdr *)skb->data;
	const struct udphdr *hdr = (struct udphdr *)(skb->data + offset);
	struct net *net = dev_net(skb->dev);
	struct sock *sk;
	int fatal, err;

	sk = kraw_dgram_sender(net, proto, KRAW_IPV6, skb, &ip->saddr,
			       &ip->daddr, hdr);
	if (!sk) {
		__ICMP6_INC_STATS(net, __in6_dev_get(skb->dev),
				  ICMP6_MIB_INERRORS);
		return;
	}
	if (type == NDISC_REDIRECT) {
		kraw_sk_redirect6(skb, sk);
		return;
	}
	fatal = icmpv6_err_convert(type, code, &err);
	if (type == ICMPV6_PKT_TOOBIG) {
		if (!ip6_sk_accept_pmtu(sk))
			return;
		kraw_sk_update_pmtu6(skb, sk, info);
		fatal |= inet6_sk(sk)->pmtudisc != IPV6_PMTUDISC_DONT;
	}
	if (kraw_sk_recverr6(sk))
		queue_icmp(sk, skb, err, ntohl(info),
			   offset + kraw_dgram_header(sk),
			   kraw_dgram_header(sk) ? hdr->dest : 0);
	else if (!fatal || sk->sk_state != TCP_ESTABLISHED)
		return;
	sk->sk_err = err;
	sk_error_report(sk);
}
