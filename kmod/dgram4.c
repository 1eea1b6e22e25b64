// SPDX-License-Identifier: GPL-2.0
/*
 * Datagram sockets and IPv4: sending, what goes with a packet that is received,
 * and ICMP errors.
 *
 * The kernel's own way to append data to a packet and to read control data is
 * closed to modules. So a packet is built here at once, and the IP layer cuts it
 * in fragments where it must.
 */
#include "dgram.h"

#include <linux/errqueue.h>
#include <linux/icmp.h>
#include <linux/inetdevice.h>
#include <linux/skbuff.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/l3mdev.h>
#include <net/route.h>
#include <net/sock.h>
#include "compat.h"
#include "proto.h"

/**
 * struct send - a datagram on its way out
 * @sk:		its socket, not locked
 * @msg:	what the program gave
 * @len:	bytes of it
 * @ipc:	control data and options
 * @daddr:	address and
 * @dport:	port of the other end
 * @connected:	nothing but the socket itself says where to
 * @fl4:	the flow
 * @rt:		the route, referenced
 */
struct send {
	struct sock *sk;
	struct msghdr *msg;
	size_t len;
	struct ipcm_cookie ipc;
	__be32 daddr;
	__be16 dport;
	bool connected;
	struct flowi4 fl4;
	struct rtable *rt;
};

static int read_destination(struct send *send)
{
	const struct sockaddr_in *sin = send->msg->msg_name;
	bool has_ports = kraw_dgram(send->sk)->has_ports;

	if (!sin) {
		if (send->sk->sk_state != TCP_ESTABLISHED)
			return -EDESTADDRREQ;
		send->daddr = inet_sk(send->sk)->inet_daddr;
		send->dport = inet_sk(send->sk)->inet_dport;
		send->connected = true;
	} else {
		if (send->msg->msg_namelen < sizeof(*sin))
			return -EINVAL;
		if (sin->sin_family != AF_INET && sin->sin_family != AF_UNSPEC)
			return -EAFNOSUPPORT;
		send->daddr = sin->sin_addr.s_addr;
		send->dport = sin->sin_port;
		send->connected = false;
	}
	return has_ports == !!send->dport ? 0 : -EINVAL;
}

static int control_info(struct send *send, const struct cmsghdr *cmsg)
{
	const struct in_pktinfo *info = CMSG_DATA(cmsg);

	if (cmsg->cmsg_len != CMSG_LEN(sizeof(*info)))
		return -EINVAL;
	if (info->ipi_ifindex)
		send->ipc.oif = info->ipi_ifindex;
	send->ipc.addr = info->ipi_spec_dst.s_addr;
	return 0;
}

/* From an IPv6 socket. */
static int control_info6(struct send *send, const struct cmsghdr *cmsg)
{
	const struct in6_pktinfo *info = CMSG_DATA(cmsg);

	if (cmsg->cmsg_len < CMSG_LEN(sizeof(*info)) ||
	    !ipv6_addr_v4mapped(&info->ipi6_addr))
		return -EINVAL;
	if (info->ipi6_ifindex)
		send->ipc.oif = info->ipi6_ifindex;
	send->ipc.addr = info->ipi6_addr.s6_addr32[3];
	return 0;
}

/* A number of the given range, in an int or, if that may be, in a byte. */
static int control_number(const struct cmsghdr *cmsg, int min, bool byte)
{
	int value;

	if (cmsg->cmsg_len == CMSG_LEN(sizeof(int)))
		value = *(int *)CMSG_DATA(cmsg);
	else if (byte && cmsg->cmsg_len == CMSG_LEN(sizeof(u8)))
		value = *(u8 *)CMSG_DATA(cmsg);
	else
		return -EINVAL;
	return value < min || value > 255 ? -EINVAL : value;
}

static int control_one(struct send *send, struct cmsghdr *cmsg)
{
	int value;

	if (cmsg->cmsg_level == SOL_SOCKET)
		return kraw_sock_cmsg_send(send->sk, send->msg, cmsg,
					   &send->ipc.sockc);
	if (cmsg->cmsg_level == SOL_IPV6 && cmsg->cmsg_type == IPV6_PKTINFO &&
	    send->sk->sk_family == AF_INET6)
		return control_info6(send, cmsg);
	if (cmsg->cmsg_level != SOL_IP)
		return 0;
	switch (cmsg->cmsg_type) {
	case IP_PKTINFO:
		return control_info(send, cmsg);
	case IP_TTL:
		value = control_number(cmsg, 1, false);
		if (value > 0)
			send->ipc.ttl = value;
		return min(value, 0);
	case IP_TOS:
		value = control_number(cmsg, 0, true);
		if (value >= 0)
			kraw_ipc_set_tos(&send->ipc, value);
		return min(value, 0);
	case IP_RETOPTS:	/* IP options: the kernel's alone to write */
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
}

static int read_control(struct send *send)
{
	struct cmsghdr *cmsg;
	int err;

	for_each_cmsghdr(cmsg, send->msg) {
		if (!CMSG_OK(send->msg, cmsg))
			return -EINVAL;
		err = control_one(send, cmsg);
		if (err)
			return err;
		send->connected = false;
	}
	return 0;
}

/* IP_UNICAST_IF, IP_MULTICAST_IF. */
static void choose_device(struct send *send)
{
	const struct inet_sock *inet = inet_sk(send->sk);
	struct net *net = sock_net(send->sk);
	int *oif = &send->ipc.oif;

	if (ipv4_is_multicast(send->daddr)) {
		if (!*oif || netif_index_is_l3_master(net, *oif))
			*oif = inet->mc_index;
		if (!send->ipc.addr)
			send->ipc.addr = inet->mc_addr;
		send->connected = false;
	} else if (!*oif) {
		*oif = inet->uc_index;
	} else if (ipv4_is_lbcast(send->daddr) && inet->uc_index &&
		   *oif == l3mdev_master_ifindex_by_index(net,
							  inet->uc_index)) {
		*oif = inet->uc_index;	/* a port of the VRF it is bound to */
	}
}

static u8 choose_tos(const struct send *send)
{
	return send->ipc.tos != -1 ? send->ipc.tos :
				     READ_ONCE(inet_sk(send->sk)->tos);
}

static int route(struct send *send)
{
	struct inet_sock *inet = inet_sk(send->sk);
	struct flowi4 *fl4 = &send->fl4;
	struct sock *sk = send->sk;
	bool on_link = sock_flag(sk, SOCK_LOCALROUTE) ||
		       send->msg->msg_flags & MSG_DONTROUTE;

	if (on_link)
		send->connected = false;
	choose_device(send);
	if (send->connected) {
		send->rt = (struct rtable *)sk_dst_check(sk, 0);
		if (send->rt) {
			fl4->daddr = send->daddr;
			fl4->saddr = send->ipc.addr;
			return 0;
		}
	}
	/* A source that is not ours is refused here, unless IP_TRANSPARENT. */
	flowi4_init_output(fl4, send->ipc.oif, send->ipc.sockc.mark,
			   kraw_flow_tos(choose_tos(send), on_link),
			   kraw_flow_scope(on_link), sk->sk_protocol,
			   inet_sk_flowi_flags(sk), send->daddr,
			   send->ipc.addr, send->dport, inet->inet_sport,
			   sk->sk_uid);
	security_sk_classify_flow(sk, flowi4_to_flowi_common(fl4));
	send->rt = ip_route_output_flow(sock_net(sk), fl4, sk);
	if (IS_ERR(send->rt)) {
		if (PTR_ERR(send->rt) == -ENETUNREACH)
			IP_INC_STATS(sock_net(sk), IPSTATS_MIB_OUTNOROUTES);
		return PTR_ERR(send->rt);
	}
	if (send->rt->rt_flags & RTCF_BROADCAST &&
	    !sock_flag(sk, SOCK_BROADCAST)) {
		ip_rt_put(send->rt);
		return -EACCES;
	}
	if (send->connected)
		sk_dst_set(sk, dst_clone(&send->rt->dst));
	return 0;
}

/* IP_RECVERR: tells the sender, in its error queue, of a size that would do. */
static void queue_too_long(const struct send *send, u32 mtu)
{
	struct sock_exterr_skb *serr;
	struct sk_buff *skb;

	if (!kraw_sk_recverr(send->sk))
		return;
	skb = alloc_skb(sizeof(struct iphdr), GFP_KERNEL);
	if (!skb)
		return;
	skb_put_zero(skb, sizeof(struct iphdr));
	skb_reset_network_header(skb);
	ip_hdr(skb)->daddr = send->fl4.daddr;
	serr = SKB_EXT_ERR(skb);
	memset(serr, 0, sizeof(*serr));
	serr->ee.ee_errno = EMSGSIZE;
	serr->ee.ee_origin = SO_EE_ORIGIN_LOCAL;
	serr->ee.ee_info = mtu;
	serr->addr_offset = offsetof(struct iphdr, daddr);
	serr->port = send->dport;
	__skb_pull(skb, sizeof(struct iphdr));
	skb_reset_transport_header(skb);
	if (sock_queue_err_skb(send->sk, skb))
		kfree_skb(skb);
}

static int check_size(const struct send *send, unsigned int headers)
{
	const struct dst_entry *dst = &send->rt->dst;
	unsigned int mtu, max;

	mtu = ip_sk_use_pmtu(send->sk) ? dst_mtu(dst) :
					 READ_ONCE(dst->dev->mtu);
	max = ip_sk_ignore_df(send->sk) ? IP_MAX_MTU : min(mtu, IP_MAX_MTU);
	if (send->len <= max - headers)
		return 0;
	queue_too_long(send, mtu);
	return -EMSGSIZE;
}

/* Our header, its checksum over the pseudo-header with our protocol. */
static void write_header(const struct send *send, struct sk_buff *skb)
{
	unsigned int len = skb->len - skb_transport_offset(skb);

	kraw_dgram_write_header(skb, inet_sk(send->sk)->inet_sport,
				send->dport);
	if (send->sk->sk_no_check_tx)
		return;
	udp_hdr(skb)->check = csum_tcpudp_magic(send->fl4.saddr,
						send->fl4.daddr, len,
						send->sk->sk_protocol,
						kraw_dgram_sum(skb)) ?:
			      CSUM_MANGLED_0;
}

static u8 choose_ttl(const struct send *send)
{
	struct inet_sock *inet = inet_sk(send->sk);

	if (send->ipc.ttl)
		return send->ipc.ttl;
	if (send->rt->rt_type == RTN_MULTICAST)
		return inet->mc_ttl;
	return inet->uc_ttl < 0 ? ip4_dst_hoplimit(&send->rt->dst) :
				  inet->uc_ttl;
}

/* The IP header, as the kernel would write it. */
static void write_ip(const struct send *send, struct sk_buff *skb)
{
	struct inet_sock *inet = inet_sk(send->sk);
	struct dst_entry *dst = &send->rt->dst;
	struct sock *sk = send->sk;
	struct iphdr *iph = ip_hdr(skb);

	skb->ignore_df = ip_sk_ignore_df(sk);
	iph->version = 4;
	iph->ihl = 5;
	iph->tos = choose_tos(send);
	iph->frag_off = 0;
	if (inet->pmtudisc == IP_PMTUDISC_DO ||
	    inet->pmtudisc == IP_PMTUDISC_PROBE ||
	    (skb->len <= dst_mtu(dst) && ip_dont_fragment(sk, dst)))
		iph->frag_off = htons(IP_DF);
	iph->ttl = choose_ttl(send);
	iph->protocol = sk->sk_protocol;
	iph->saddr = send->fl4.saddr;
	iph->daddr = send->fl4.daddr;
	ip_select_ident(sock_net(sk), skb, sk);
}

static struct sk_buff *build(struct send *send)
{
	unsigned int header = kraw_dgram_header(send->sk);
	struct dst_entry *dst = &send->rt->dst;
	struct sk_buff *skb;
	int err;

	err = check_size(send, sizeof(struct iphdr) + header);
	if (err)
		return ERR_PTR(err);
	skb = kraw_dgram_build(send->sk, send->msg, send->len, dst,
			       sizeof(struct iphdr));
	if (IS_ERR(skb))
		return skb;
	if (header)
		write_header(send, skb);
	write_ip(send, skb);
	skb->protocol = htons(ETH_P_IP);
	kraw_dgram_dress(send->sk, skb, &send->ipc.sockc);
	skb->priority = kraw_ipc_priority(&send->ipc, send->sk);
	skb_dst_set(skb, dst);	/* with the reference */
	send->rt = NULL;
	return skb;
}

/* MSG_CONFIRM. Returns whether there is nothing to send but this. */
static bool confirm(const struct send *send)
{
	if (!(send->msg->msg_flags & MSG_CONFIRM))
		return false;
	if (send->msg->msg_flags & MSG_PROBE)
		dst_confirm_neigh(&send->rt->dst, &send->fl4.daddr);
	return send->msg->msg_flags & MSG_PROBE && !send->len;
}

static int transmit(struct send *send)
{
	struct sock *sk = send->sk;
	struct sk_buff *skb;
	int err;

	if (confirm(send))
		return 0;
	skb = build(send);
	if (IS_ERR(skb))
		return PTR_ERR(skb);
	err = ip_local_out(sock_net(sk), sk, skb);
	if (err > 0)
		err = net_xmit_errno(err);
	if (err == -ENOBUFS && !kraw_sk_recverr(sk))
		err = 0;
	if (!err)
		kraw_dgram_count(sk, KRAW_IPV4, KRAW_STATS_A_DGRAM_SENT);
	return err;
}

/**
 * kraw_dgram4_sendmsg - send an IPv4 datagram
 * @sk:		of either family; not locked
 * @msg:	its name is a struct sockaddr_in, or NULL
 * @len:	bytes of the payload
 *
 * Returns @len or a negative error.
 */
int kraw_dgram4_sendmsg(struct sock *sk, struct msghdr *msg, size_t len)
{
	struct send send = { .sk = sk, .msg = msg, .len = len };
	int err;

	if (len > IP_MAX_MTU)
		return -EMSGSIZE;
	if (msg->msg_flags & (MSG_OOB | MSG_MORE))
		return -EOPNOTSUPP;
	if (READ_ONCE(kraw_dgram(sk)->closed))
		return -ENETDOWN;
	/* An IPv6 socket's claim may not be for IPv4. */
	if (!(READ_ONCE(kraw_dgram(sk)->binds->families) & KRAW_FAMILY_IPV4))
		return -ENETUNREACH;
	err = read_destination(&send);
	if (err)
		return err;
	err = kraw_bind_sender(sk);
	if (err)
		return err;
	ipcm_init_sk(&send.ipc, inet_sk(sk));
	if (msg->msg_controllen) {
		err = read_control(&send);
		if (err)
			return err;
	}
	err = route(&send);
	if (err)
		return err;
	err = transmit(&send);
	ip_rt_put(send.rt);
	return err ?: len;
}

/*
 * IP_PKTINFO, IPV6_PKTINFO: the device, and the address of ours to answer from.
 * They go where the kernel expects them.
 */
void kraw_dgram4_prepare(const struct sock *sk, struct sk_buff *skb)
{
	struct in_pktinfo *info = PKTINFO_SKB_CB(skb);
	const struct rtable *rt = skb_rtable(skb);
	const struct iphdr *iph = ip_hdr(skb);

	if (!(kraw_sk_cmsg_flags(sk) & IP_CMSG_PKTINFO) && !ipv6_sk_rxinfo(sk)) {
		info->ipi_ifindex = 0;
		info->ipi_spec_dst.s_addr = 0;
		return;
	}
	/* What was here before starts with the device, too. */
	if (info->ipi_ifindex == LOOPBACK_IFINDEX)
		info->ipi_ifindex = inet_iif(skb);
	else if (ipv4_l3mdev_skb(IPCB(skb)->flags) && rt->rt_iif)
		info->ipi_ifindex = rt->rt_iif;
	if (rt->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST))
		info->ipi_spec_dst.s_addr = inet_select_addr(skb->dev,
							     iph->saddr,
							     RT_SCOPE_LINK);
	else
		info->ipi_spec_dst.s_addr = iph->daddr;
}

/* IP_RECVERR: an ICMP error to the socket's queue, with what it quotes. */
static void queue_icmp(struct sock *sk, struct sk_buff *about, int err,
		       u32 info, unsigned int headers)
{
	struct sk_buff *skb = skb_clone(about, GFP_ATOMIC);
	struct sock_exterr_skb *serr;
	const struct iphdr *iph;

	if (!skb)
		return;
	iph = (const struct iphdr *)skb->data;
	serr = SKB_EXT_ERR(skb);
	memset(&serr->ee, 0, sizeof(serr->ee));
	serr->ee.ee_errno = err;
	serr->ee.ee_origin = SO_EE_ORIGIN_ICMP;
	serr->ee.ee_type = icmp_hdr(skb)->type;
	serr->ee.ee_code = icmp_hdr(skb)->code;
	serr->ee.ee_info = info;
	serr->addr_offset = (u8 *)&iph->daddr - skb_network_header(skb);
	serr->port = kraw_dgram_header(sk) ?
		     ((struct udphdr *)(skb->data + iph->ihl * 4))->dest : 0;
	if (!pskb_pull(skb, headers))
		goto free;
	skb_reset_transport_header(skb);
	if (!sock_queue_err_skb(sk, skb))
		return;
free:
	kfree_skb(skb);
}

/* The error (below 0) of an ICMP message, and whether it is for good; 0: none. */
static int convert(struct sock *sk, struct sk_buff *skb, u32 info, bool *fatal)
{
	const struct icmphdr *icmp = icmp_hdr(skb);

	*fatal = false;
	switch (icmp->type) {
	case ICMP_SOURCE_QUENCH:
		return 0;
	case ICMP_REDIRECT:
		kraw_sk_redirect4(skb, sk);
		return 0;
	case ICMP_PARAMETERPROB:
		*fatal = true;
		return -EPROTO;
	case ICMP_DEST_UNREACH:
		if (icmp->code == ICMP_FRAG_NEEDED) {
			kraw_sk_update_pmtu4(skb, sk, info);
			*fatal = true;
			return inet_sk(sk)->pmtudisc != IP_PMTUDISC_DONT ?
			       -EMSGSIZE : 0;
		}
		if (icmp->code > NR_ICMP_UNREACH)
			return -EHOSTUNREACH;
		*fatal = icmp_err_convert[icmp->code].fatal;
		return -icmp_err_convert[icmp->code].errno;
	default:
		return -EHOSTUNREACH;
	}
}

/**
 * kraw_dgram4_error - hand an ICMP error to the socket that it is about
 * @proto:	claimed
 * @skb:	data at the IP header that the error quotes; stays the caller's
 * @info:	of the error
 *
 * Context: RCU, bottom halves off.
 */
void kraw_dgram4_error(const struct kraw_proto *proto, struct sk_buff *skb,
		       u32 info)
{
	const struct iphdr *iph = (const struct iphdr *)skb->data;
	struct net *net = dev_net(skb->dev);
	struct sock *sk;
	bool fatal;
	int err;

	sk = kraw_dgram_sender(net, proto, KRAW_IPV4, skb, &iph->saddr,
			       &iph->daddr,
			       (struct udphdr *)(skb->data + iph->ihl * 4));
	if (!sk) {
		__ICMP_INC_STATS(net, ICMP_MIB_INERRORS);
		return;
	}
	err = -convert(sk, skb, info, &fatal);
	if (!err)
		return;
	if (kraw_sk_recverr(sk))
		queue_icmp(sk, skb, err, info,
			   iph->ihl * 4 + kraw_dgram_header(sk));
	else if (!fatal || sk->sk_state != TCP_ESTABLISHED)
		return;
	sk->sk_err = err;
	sk_error_report(sk);
}
