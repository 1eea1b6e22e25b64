/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * kraw: who receives an IP protocol's packets
 *
 * The generic netlink family "kraw", version 1. This comment is the
 * specification of the messages; Documentation/netlink/specs/kraw.yaml says
 * the same in the kernel's schema, and a test holds the two together.
 *
 * Every message carries attributes of enum kraw_attr at its top level. Integers
 * are in host byte order; addresses, and nothing else, are in network byte
 * order. Parsing is strict: an unknown or malformed attribute refuses the whole
 * message with -EINVAL, a value or length out of its limits with -ERANGE. Of an
 * attribute that may come once the last one counts. Every refusal carries an
 * extended acknowledgment (NLMSGERR_ATTR_MSG) and, where an attribute is at
 * fault, its offset.
 *
 * Namespaces: a message speaks of the network namespace of the socket that
 * sent it. Commands that change something need CAP_NET_ADMIN over that
 * namespace. A claim takes a slot of a host-wide table and needs CAP_NET_ADMIN
 * in the initial user namespace too, unless the module parameter
 * "userns_claims" is set. Reading needs no privilege, but for
 * KRAW_CMD_EXPLAIN, KRAW_CMD_TRACE and KRAW_CMD_SOCKET_GET.
 *
 * Every command that changes something accepts KRAW_A_GENERATION, the
 * generation that the sender expects; another one in force answers -ESTALE.
 * Either all of a message takes effect, at one instant, or nothing does.
 *
 * KRAW_CMD_PROTO_ADD			manage a protocol; -EEXIST if it is managed
 *	KRAW_A_PROTO nest
 *		KRAW_PROTO_A_NUMBER	u8, required
 *		KRAW_PROTO_A_FAMILIES	u8, bits KRAW_FAMILY_*; default both
 *		KRAW_PROTO_A_CLAIM	u8, enum kraw_claim; default none
 *		KRAW_PROTO_A_DELIVER	u8, enum kraw_verdict; default all
 *		KRAW_PROTO_A_UNREACH	u8, enum kraw_unreach; default auto
 *		KRAW_PROTO_A_ONE_BY	u8, enum kraw_one_by; only with verdict one;
 *					default flow
 *		KRAW_PROTO_A_ONE_REUSEPORT flag; only with verdict one: chooses among
 *					the sockets with SO_REUSEPORT, the others get
 *					their copies
 *		KRAW_PROTO_A_ACCOUNT	u8, enum kraw_account; default match;
 *					-EOPNOTSUPP: this kernel cannot say more
 *		KRAW_PROTO_A_USERS nest	who may open datagram sockets of a claim beside
 *					those with CAP_NET_RAW over the namespace;
 *					default nobody
 *			KRAW_USERS_A_USER nest	any number up to 16
 *				KRAW_USER_A_KIND	u8, enum kraw_user_kind, required
 *				KRAW_USER_A_LOW		u32, uid or gid as the user
 *				KRAW_USER_A_HIGH	u32  namespace of the network
 *							namespace sees it; both
 *							belong to the range; default
 *							0 and the largest
 *	KRAW_A_GENERATION		u32, optional
 *
 * KRAW_CMD_PROTO_SET			change what is named, keep the rest; -ENOENT
 *	as KRAW_CMD_PROTO_ADD; the ONE_ attributes go with DELIVER: naming it sets
 *	them too; USERS replaces the whole list. -EBUSY: datagram sockets are open
 *	that the change would leave without their claim; KRAW_FLAG_FORCE closes them,
 *	their readers and writers get ENETDOWN
 *	KRAW_A_FLAGS			u32, bits KRAW_FLAG_*, optional
 *
 * KRAW_CMD_PROTO_DEL			stop managing it, with all its rules; -ENOENT;
 *					-EBUSY: datagram sockets of its claim are open,
 *					see KRAW_CMD_PROTO_SET
 *	KRAW_A_PROTO nest
 *		KRAW_PROTO_A_NUMBER	u8, required
 *	KRAW_A_FLAGS			u32, bits KRAW_FLAG_*, optional
 *	KRAW_A_GENERATION		u32, optional
 *
 * KRAW_CMD_PROTO_GET			do: one protocol, -ENOENT; dump: all
 *	KRAW_A_PROTO nest		(do only)
 *		KRAW_PROTO_A_NUMBER	u8, required
 *    answer (one message a protocol), and the notification of ADD, SET, DEL:
 *	KRAW_A_GENERATION		u32, of the configuration described
 *	KRAW_A_PROTO nest
 *		KRAW_PROTO_A_NUMBER, _FAMILIES, _CLAIM, _DELIVER, _UNREACH, _ONE_*,
 *		_ACCOUNT
 *		KRAW_PROTO_A_USERS	unless nobody is listed
 *		KRAW_PROTO_A_RULES	u32, number of its rules
 *		KRAW_PROTO_A_STATS nest	once for each managed family (answers only)
 *			KRAW_STATS_A_FAMILY	u8, one bit KRAW_FAMILY_*
 *			KRAW_STATS_A_SEEN ...	u64 each, see enum kraw_stats_attr
 *
 * KRAW_CMD_RULE_ADD			add a rule; -EEXIST if one with the same
 *					preference and matches is there
 *	KRAW_A_RULE nest
 *		KRAW_RULE_A_PROTO	u8, required; must be managed: -ENOENT
 *		KRAW_RULE_A_HOOK	u8, enum kraw_hook; default input
 *		KRAW_RULE_A_PREF	u32; default: 10 above the highest in use.
 *					Among equal ones the older goes first
 *		KRAW_RULE_A_VERDICT	u8, enum kraw_verdict, required
 *		matches, all optional, all must hold:
 *		KRAW_RULE_A_SRC		binary, 4 or 16 bytes, network byte order
 *		KRAW_RULE_A_SRC_PREFIX	u8, bits; default all; no host bits in SRC
 *		KRAW_RULE_A_DST		as SRC, of the same family
 *		KRAW_RULE_A_DST_PREFIX	as SRC_PREFIX
 *		KRAW_RULE_A_DEV		string, name of a device that exists; input:
 *					the packet came in by it, or by a port of
 *					this VRF device; output: it leaves by it.
 *					Compared by name at each packet
 *		KRAW_RULE_A_TTL_MIN	u8, IPv4 TTL or IPv6 hop limit
 *		KRAW_RULE_A_TTL_MAX	u8; both ends belong to the range; a missing
 *					MIN is 0, a missing MAX the largest value
 *		KRAW_RULE_A_LEN_MIN	u32, bytes of the datagram, IP header included
 *		KRAW_RULE_A_LEN_MAX	u32
 *		KRAW_RULE_A_TYPE_MIN	u8, first byte after the IP header (v6: after
 *		KRAW_RULE_A_TYPE_MAX	u8  the extension headers); no byte: no match,
 *					nor in a fragment but the first (output)
 *		KRAW_RULE_A_DSCP	u8, 0 to 63: DS field without ECN (RFC 2474)
 *		KRAW_RULE_A_MARK	u32, the packet's mark under MARK_MASK; no
 *					bits outside of it
 *		KRAW_RULE_A_MARK_MASK	u32; default all bits
 *		KRAW_RULE_A_FRAGMENT	flag; input: came in fragments (the kernel has
 *					joined them); output: is a fragment, of
 *					the sender's own making
 *		output only:
 *		KRAW_RULE_A_UID_MIN	u32, owner of the sending socket, as the user
 *		KRAW_RULE_A_UID_MAX	u32  namespace of the network namespace sees it
 *		KRAW_RULE_A_HDRINCL	flag; the sender wrote the IP header
 *		KRAW_RULE_A_SPOOFED	flag; the source is no address of this network
 *					namespace, 0.0.0.0 and :: are not, either
 *		KRAW_RULE_A_BPF		binary, array of struct sock_filter, 1 to 4096
 *					of them (a nest holds 64 KiB); sees the packet
 *					from its IP header; matches unless it returns 0
 *		KRAW_RULE_A_EXPR	string, what BPF was compiled from; kept and
 *					shown, never interpreted; needs BPF
 *		what else it does, all optional:
 *		KRAW_RULE_A_ONE_BY	as KRAW_PROTO_A_ONE_BY
 *		KRAW_RULE_A_ONE_REUSEPORT as KRAW_PROTO_A_ONE_REUSEPORT
 *		KRAW_RULE_A_LIMIT_RATE	u32, packets a second, not 0: above it the rule
 *					does not match, the next ones are asked
 *		KRAW_RULE_A_LIMIT_BURST	u32, packets at once, not 0; needs RATE;
 *					default: a tenth of a second's, at least 5
 *		KRAW_RULE_A_MIRROR	string, name of a device that exists: a copy
 *					leaves by it, link-layer header and all;
 *					input only. Found by name at each packet
 *		KRAW_RULE_A_TRACE	flag: mark the packet for tracers
 *		KRAW_RULE_A_COMMENT	string; kept and shown, never interpreted
 *	KRAW_A_GENERATION		u32, optional
 *	-ENOSPC: the namespace has as many rules as the module parameter
 *	"rules_max" allows, or their programs as many instructions as "bpf_max".
 *
 * KRAW_CMD_RULE_REPLACE		put a rule in the place of another one
 *	as KRAW_CMD_RULE_ADD, with KRAW_RULE_A_PREF or KRAW_RULE_A_HANDLE required:
 *	of the rule with that handle (-ENOENT), or the only one with that
 *	preference (-ENOTUNIQ if several; none: as KRAW_CMD_RULE_ADD).
 *	The handle stays; the counters start anew.
 *
 * KRAW_CMD_RULE_DEL			-ENOENT; -ENOTUNIQ: several have this preference
 *	KRAW_A_RULE nest
 *		KRAW_RULE_A_PROTO	u8, required
 *		KRAW_RULE_A_HOOK	u8, default input
 *		KRAW_RULE_A_PREF	u32, or
 *		KRAW_RULE_A_HANDLE	u32, or both, then both must fit
 *	KRAW_A_GENERATION		u32, optional
 *
 * KRAW_CMD_RULE_FLUSH			delete all rules of a protocol and hook
 *	KRAW_A_RULE nest
 *		KRAW_RULE_A_PROTO	u8, required
 *		KRAW_RULE_A_HOOK	u8, default: both hooks
 *	KRAW_A_GENERATION		u32, optional
 *
 * KRAW_CMD_RULE_GET			do: one rule, as RULE_DEL names it; dump
 *	KRAW_A_RULE nest		(dump: optional filter)
 *		KRAW_RULE_A_PROTO	u8, optional in a filter
 *		KRAW_RULE_A_HOOK	u8, optional in a filter
 *    answer (one message a rule), and the notification of ADD, REPLACE, DEL, FLUSH
 *    (FLUSH: PROTO and, if it was given, HOOK only):
 *	KRAW_A_GENERATION		u32
 *	KRAW_A_RULE nest
 *		KRAW_RULE_A_HANDLE	u32, unique in the namespace, never 0
 *		the attributes of KRAW_CMD_RULE_ADD; both ends of each range
 *		KRAW_RULE_A_PACKETS	u64, packets whose first match this rule was
 *		KRAW_RULE_A_BYTES	u64, their LEN   (answers only)
 *		KRAW_RULE_A_LIMITED	u64, packets that matched but for the limit
 *					(answers only, with a limit)
 *
 * KRAW_CMD_APPLY			the whole configuration of the namespace
 *	KRAW_A_PROTO nest		any number, as in PROTO_ADD
 *	KRAW_A_RULE nest		any number, as in RULE_ADD, each after the
 *					KRAW_A_PROTO of its protocol
 *	KRAW_A_FLAGS			u32, bits KRAW_FLAG_*
 *	KRAW_A_GENERATION		u32, optional
 *	What is not named is removed; no KRAW_A_PROTO at all: nothing is managed
 *	any more. A protocol that stays keeps its counters, and so does a rule
 *	whose preference, matches, verdict and options stay. A claim that stays keeps
 *	its datagram sockets; -EBUSY: sockets of one that would go are open.
 *    notification: as KRAW_CMD_CONFIG_GET answers
 *
 * KRAW_CMD_HANDLER_GET			dump only: the kernel's handler table
 *    answer (one message an entry), sorted by number, then family:
 *	KRAW_A_HANDLER nest
 *		KRAW_HANDLER_A_NUMBER	u8
 *		KRAW_HANDLER_A_FAMILY	u8, one bit KRAW_FAMILY_*
 *		KRAW_HANDLER_A_SYMBOL	string, the handler function's name; "unknown": the
 *					kernel has none, its module has no symbols
 *		KRAW_HANDLER_A_MODULE	string; absent: built in, or unknown
 *		KRAW_HANDLER_A_FLAGS	u32, bits KRAW_HANDLER_*
 *
 * KRAW_CMD_CONFIG_GET			do only: the configuration as a whole
 *    answer:
 *	KRAW_A_GENERATION		u32
 *	KRAW_A_PROTO_COUNT		u32, managed protocols
 *	KRAW_A_RULE_COUNT		u32, rules of all of them
 *
 * KRAW_CMD_EXPLAIN			dump only: what would happen to a packet that
 *					comes in. Needs CAP_NET_ADMIN over the namespace:
 *					it names sockets and runs their filters.
 *					Nothing is delivered, sent or counted
 *	KRAW_A_PACKET nest		required
 *		KRAW_PACKET_A_PROTO	u8, required; no IPv6 extension header
 *		KRAW_PACKET_A_SRC	binary, 4 or 16 bytes, required
 *		KRAW_PACKET_A_DST	as SRC, of the same family, required
 *		KRAW_PACKET_A_DEV	string, device by which it comes in; default:
 *					that of the route to SRC
 *		KRAW_PACKET_A_LEN	u32, bytes with the IP header; default: as
 *					PAYLOAD needs; zeroes follow PAYLOAD
 *		KRAW_PACKET_A_TTL	u8; default 64
 *		KRAW_PACKET_A_DSCP	u8; default 0
 *		KRAW_PACKET_A_MARK	u32; default 0
 *		KRAW_PACKET_A_FRAGMENT	flag: came in fragments
 *		KRAW_PACKET_A_PAYLOAD	binary, what follows the IP header, at most
 *					KRAW_PAYLOAD_MAX bytes; default: nothing
 *	-EHOSTUNREACH: such a packet does not come so far: it is not for this host,
 *	or the kernel refuses its addresses.
 *    answer, one message a step, in this order; the whole answer is of one
 *    instant, and of the configuration whose generation it carries:
 *	KRAW_A_GENERATION		u32
 *	KRAW_A_STEP nest
 *		KRAW_STEP_A_KIND	u8, enum kraw_step_kind
 *		and with kind
 *		PACKET			what is explained; in the message also
 *	KRAW_A_PACKET nest		as in the request, defaults filled in, without
 *					PAYLOAD
 *		SHAPE			rules that look at the same fields; one step each
 *					in the order of asking, up to the last one that
 *					could have a better rule:
 *		KRAW_STEP_A_FIELDS	u32, bits KRAW_SHAPE_*
 *		KRAW_STEP_A_FAMILY	u8, one bit KRAW_FAMILY_*, with SRC or DST
 *		KRAW_STEP_A_SRC_PREFIX	u8, bits
 *		KRAW_STEP_A_DST_PREFIX	u8, bits
 *		KRAW_STEP_A_MARK_MASK	u32
 *		KRAW_STEP_A_PREF	u32, the lowest of its rules
 *		KRAW_STEP_A_RULES	u32, their number
 *		KRAW_STEP_A_SHAPE_RESULT u8, enum kraw_shape_result
 *		RULE			the rule that matches first; in the message also
 *	KRAW_A_RULE nest		as KRAW_CMD_RULE_GET answers, without counters
 *		VERDICT
 *		KRAW_STEP_A_DECIDER	u8, enum kraw_decider
 *		KRAW_STEP_A_VERDICT	u8, enum kraw_verdict; LINUX: all
 *		KRAW_STEP_A_UNREACH	u8, enum kraw_unreach; LINUX: auto
 *		SOCKET			one step for each raw socket of this protocol
 *					and family in the namespace
 *		KRAW_STEP_A_INODE	u32, as in /proc/PID/fd and sock_diag
 *		KRAW_STEP_A_LOCAL	binary, bound address; absent: any
 *		KRAW_STEP_A_PEER	binary, connected to; absent: any
 *		KRAW_STEP_A_IFINDEX	u32, bound to this device; absent: any
 *		KRAW_STEP_A_DEV		string, its name
 *		KRAW_STEP_A_MATCHED	flag: counts as a receiver of the packet, even
 *					if it refuses it
 *		KRAW_STEP_A_CHOSEN	flag: verdict one chooses it, be the packet
 *					accepted or not
 *		KRAW_STEP_A_SOCKET_RESULT u8, enum kraw_socket_result
 *		HANDLER			the kernel's handler, in the message also
 *	KRAW_A_HANDLER nest		as KRAW_CMD_HANDLER_GET; absent: none
 *		KRAW_STEP_A_RECEIVES	flag: it gets the packet
 *		DGRAM			if that is a claim of ours, one step for each
 *					datagram socket that has the packet's port and may
 *					have packets of this family
 *		KRAW_STEP_A_INODE to _SOCKET_RESULT as with SOCKET; CHOSEN: it gets it
 *					alone, by its address or by its group
 *		KRAW_STEP_A_LOCAL_PORT	u16; absent: there are no ports
 *		KRAW_STEP_A_PEER_PORT	u16, connected to; absent: any
 *		OUTCOME
 *		KRAW_STEP_A_MATCHING	u32, raw sockets that match
 *		KRAW_STEP_A_COPIES	u32, raw sockets that get a copy
 *		KRAW_STEP_A_RECEIVES	flag: the kernel's handler gets the packet
 *		KRAW_STEP_A_DGRAM_RESULT u8, enum kraw_dgram_result: what a claim of ours
 *					makes of it; absent: it does not get it. The
 *					checksum is taken for good
 *		KRAW_STEP_A_DGRAMS	u32, with it: datagram sockets that get the packet
 *		KRAW_STEP_A_POLICY	flag: IPsec policies of the namespace were not
 *					asked, and may refuse what is said here
 *		KRAW_STEP_A_ICMP_RESULT	u8, enum kraw_icmp_result
 *		KRAW_STEP_A_ICMP_TYPE	u8, with ICMP_RESULT sent; ICMPv6 in IPv6
 *		KRAW_STEP_A_ICMP_CODE	u8
 *		KRAW_STEP_A_ICMP_POINTER u32, IPv6 only
 *	The ICMP error is kraw's or Linux's own; what a handler that gets the packet
 *	answers is not told, nor is the rate limit asked.
 *
 * KRAW_CMD_TRACE			do only: tell this socket what becomes of packets
 *					of managed protocols. Needs CAP_NET_ADMIN over the
 *					namespace. Ends when the socket is closed.
 *					-EEXIST: it is told already; -ENOSPC: the
 *					namespace has 8 such sockets
 *	KRAW_A_RULE nest		optional: packets like those only, of
 *		KRAW_RULE_A_PROTO	u8
 *		KRAW_RULE_A_HOOK	u8; default both
 *		KRAW_RULE_A_VERDICT	u8, enum kraw_verdict
 *		KRAW_RULE_A_TRACE	flag: those that a rule with TRACE decides about
 *		KRAW_RULE_A_SRC ... KRAW_RULE_A_BPF	the matches, as in RULE_ADD;
 *					those of hook output need HOOK
 *	KRAW_A_TRACE nest		optional
 *		KRAW_TRACE_A_SNAPLEN	u32, bytes of each packet that are wanted, at
 *					most KRAW_SNAPLEN_MAX; default 0
 *    records, one message a packet, without being asked, to this socket alone:
 *	KRAW_A_TRACE nest
 *		KRAW_TRACE_A_TIME	u64, nanoseconds since 1970 (CLOCK_REALTIME), when
 *					the hook had the packet
 *		KRAW_TRACE_A_HOOK	u8, enum kraw_hook
 *		KRAW_TRACE_A_PROTO	u8
 *		KRAW_TRACE_A_SRC	binary, 4 or 16 bytes, network byte order
 *		KRAW_TRACE_A_DST	as SRC
 *		KRAW_TRACE_A_DEV	string, device that it came in by (of a VRF the
 *					port), or leaves by; absent: unknown
 *		KRAW_TRACE_A_LEN	u32, bytes of the datagram, IP header included
 *		KRAW_TRACE_A_VERDICT	u8, enum kraw_verdict; absent: none, left to the
 *					kernel as KRAW_STATS_A_PASSED counts it
 *		KRAW_TRACE_A_HANDLE	u32, of the rule that decided; absent: the protocol
 *		KRAW_TRACE_A_PREF	u32, of that rule
 *		KRAW_TRACE_A_MARKED	flag: that rule has TRACE
 *		KRAW_TRACE_A_EXPECTED	flag, with verdict all: the kernel delivers after
 *					this record; what it says of receivers and ICMP
 *					is what the kernel will do, as far as can be
 *					seen. Not with KRAW_ACCOUNT_EXACT
 *		KRAW_TRACE_A_SENDER	u32, output: inode of the sending socket
 *		KRAW_TRACE_A_UID	u32, output: its owner, as RULE_A_UID_MIN
 *		KRAW_TRACE_A_SOCKETS	u32, raw sockets that match; absent: none
 *		KRAW_TRACE_A_SOCKET nest one for each of these, up to 32
 *			KRAW_TRACE_SOCKET_A_INODE	u32; 0: closed meanwhile
 *			KRAW_TRACE_SOCKET_A_RESULT	u8, enum kraw_socket_result
 *		KRAW_TRACE_A_HANDLER	string, name of the kernel's handler that got the
 *					packet or was to get it
 *		KRAW_TRACE_A_MODULE	string; absent: built in
 *		KRAW_TRACE_A_HANDLER_RESULT u8, enum kraw_socket_result: COPY, POLICY
 *					or MEMBER
 *		KRAW_TRACE_A_DGRAM_RESULT u8, enum kraw_dgram_result: what a claim's
 *					handler made of it; absent: it did not get it
 *		KRAW_TRACE_A_DGRAMS	u32, datagram sockets that it is for; absent: none
 *		KRAW_TRACE_A_DGRAM nest	one for each of these, up to 32, as SOCKET
 *		KRAW_TRACE_A_ICMP_RESULT, _ICMP_TYPE, _ICMP_CODE, _ICMP_POINTER as in
 *					KRAW_A_STEP; no ICMP_RESULT: none
 *		KRAW_TRACE_A_SEQ	u64, number of the packet among those that this
 *					socket is to be told of, from 1 on. CPUs may
 *					overtake each other
 *		KRAW_TRACE_A_LOST	u64, how many of these it was not told of so far:
 *					its receive buffer was full, or no memory
 *	KRAW_A_DATA			binary, the packet from its IP header on, its first
 *					SNAPLEN bytes; absent with SNAPLEN 0
 *
 * KRAW_CMD_TRACE_STOP			do only: no more records; -ENOENT. Once it has been
 *					answered there is none under way. May be repeated;
 *					KRAW_CMD_TRACE starts anew
 *    answer:
 *	KRAW_A_TRACE nest
 *		KRAW_TRACE_A_SEQ	u64, packets it was to be told of
 *		KRAW_TRACE_A_LOST	u64, those of them it was not told of
 * KRAW_CMD_SOCKET_GET			dump only: what sock_diag does not tell of raw and
 *					packet sockets. Needs CAP_NET_ADMIN over the
 *					namespace
 *    answer (one message a socket):
 *	KRAW_A_SOCKET nest
 *		KRAW_SOCKET_A_INODE	u32, as in /proc/PID/fd and sock_diag
 *		KRAW_SOCKET_A_FAMILY	u8, one bit KRAW_FAMILY_*; absent: packet socket
 *		KRAW_SOCKET_A_PROTO	u8, raw sockets only
 *		KRAW_SOCKET_A_FLAGS	u32, bits KRAW_SOCKET_*
 *		KRAW_SOCKET_A_FILTER	u32, instructions of its socket filter;
 *					absent: it has none
 *		KRAW_SOCKET_A_ICMP_FILTER ICMP_FILTER or ICMP6_FILTER: one u32 or eight
 *					of them, a bit set for each type that is
 *					refused; absent: not such a socket
 *		KRAW_SOCKET_A_MROUTE	u32, multicast routing table that it has set up
 *					(MRT_INIT, MRT6_INIT); absent: none
 *
 * KRAW_CMD_DGRAM_GET			dump only: the datagram sockets of the claims of
 *					the namespace, as sock_diag tells of others.
 *					Whose claim was taken away by force is left out
 *    answer (one message a socket), sorted by protocol:
 *	KRAW_A_SOCKET nest
 *		KRAW_SOCKET_A_INODE, _PROTO as above
 *		KRAW_SOCKET_A_FAMILY	u8, one bit KRAW_FAMILY_*: that of its addresses
 *		KRAW_SOCKET_A_RECEIVES	u8, bits KRAW_FAMILY_*: of packets that it may
 *					get; absent: none, it has no address yet
 *		KRAW_SOCKET_A_LOCAL	binary, 4 or 16 bytes, network byte order: bound to
 *					it; absent: any
 *		KRAW_SOCKET_A_PEER	as LOCAL, connected to it
 *		KRAW_SOCKET_A_LOCAL_PORT u16; absent: none
 *		KRAW_SOCKET_A_PEER_PORT	u16; absent: any
 *		KRAW_SOCKET_A_IFINDEX	u32, bound to this device; absent: any
 *		KRAW_SOCKET_A_UID	u32, owner, as the asking process's user namespace
 *					sees it
 *		KRAW_SOCKET_A_QUEUE	u32, bytes of memory in its receive queue
 *		KRAW_SOCKET_A_LIMIT	u32, how many there may be
 *		KRAW_SOCKET_A_DROPS	u32, packets for it that it did not get
 *		KRAW_SOCKET_A_FLAGS	u32, bits KRAW_SOCKET_*
 *	Only with CAP_NET_ADMIN over the namespace:
 *		KRAW_SOCKET_A_FILTER	u32; 0: it has no socket filter
 *		KRAW_SOCKET_EBPF and _REFUSES_ALL in KRAW_SOCKET_A_FLAGS
 *
 * KRAW_CMD_OPEN_GET			do only: whether a datagram socket may be opened,
 *					socket(AF_INET or AF_INET6, SOCK_DGRAM, PROTO)
 *	KRAW_A_OPEN nest		required
 *		KRAW_OPEN_A_PROTO	u8, required
 *		KRAW_OPEN_A_FAMILY	u8, one bit KRAW_FAMILY_*, required
 *		KRAW_OPEN_A_UID		u32, by somebody with these ids, as the user
 *		KRAW_OPEN_A_GID		u32  namespace of the network namespace sees them,
 *					and no capability unless UID is 0; default: by
 *					the process that asks
 *    answer:
 *	KRAW_A_OPEN nest
 *		KRAW_OPEN_A_PROTO, _FAMILY as in the request
 *		KRAW_OPEN_A_RESULT	u8, enum kraw_open_result
 *		KRAW_OPEN_A_ENTRY nest	as KRAW_USERS_A_USER, with RESULT listed: the
 *					entry that allows it
 *		KRAW_OPEN_A_ELSEWHERE	flag: another network namespace claims it, and this
 *					one does not
 *	What Linux itself has datagram sockets of (UDP, ...) is not known here.
 *
 * Notifications of changes go to the multicast group "config" of the namespace, and
 * to the sender alone if it asked with NLM_F_ECHO. Their command is the one that
 * caused them, their port id that of its sender, and they say which process that
 * is:
 *	KRAW_A_PID nest			its number, once for each pid namespace that it
 *					is in and that belongs to the user namespace of
 *					the network namespace, the outermost first
 *		KRAW_PID_A_NUMBER	u32
 *		KRAW_PID_A_NAMESPACE	u32, inode number of /proc/PID/ns/pid there
 *	KRAW_A_COMM			string, its name, which is its own to choose
 *
 * KRAW_CMD_SOCKET_EVENT		never asked for: goes to the multicast group
 *					"sockets" of the namespace, which it needs
 *					CAP_NET_ADMIN over it to join
 *	KRAW_A_EVENT nest		a datagram socket
 *		KRAW_EVENT_A_KIND	u8, enum kraw_event_kind
 *		KRAW_EVENT_A_PROTO	u8
 *		KRAW_EVENT_A_CLAIM	u8, enum kraw_claim: PLAIN or PORTS
 *		KRAW_EVENT_A_FAMILY	u8, one bit KRAW_FAMILY_*: the socket's own
 *		KRAW_EVENT_A_INODE	u32, as in /proc/PID/fd
 *		KRAW_EVENT_A_UID	u32, its owner, as KRAW_RULE_A_UID_MIN
 *		KRAW_EVENT_A_LOCAL	binary, 4 or 16 bytes, network byte order; an
 *					address of IPv4 that an IPv6 socket has is
 *					v4-mapped; absent: any, or none
 *		KRAW_EVENT_A_LOCAL_PORT	u16; absent: none
 *		KRAW_EVENT_A_PEER	as LOCAL, connected to; absent: to nobody
 *		KRAW_EVENT_A_PEER_PORT	u16
 *		KRAW_EVENT_A_IFINDEX	u32, bound to this device; absent: to none
 *		KRAW_EVENT_A_EXCLUSIVE	flag, KRAW_EXCLUSIVEADDRUSE
 *	KRAW_A_PID nest, KRAW_A_COMM	the process that does it, as above; absent: the
 *					kernel by itself
 *
 * Dumps may be interrupted by a change: NLM_F_DUMP_INTR is set then.
 */
#ifndef _UAPI_LINUX_KRAW_H
#define _UAPI_LINUX_KRAW_H

#define KRAW_GENL_NAME		"kraw"
#define KRAW_GENL_VERSION	1
#define KRAW_MCGRP_CONFIG	"config"
#define KRAW_MCGRP_SOCKETS	"sockets"

enum kraw_cmd {
	KRAW_CMD_UNSPEC,
	KRAW_CMD_PROTO_ADD,
	KRAW_CMD_PROTO_SET,
	KRAW_CMD_PROTO_DEL,
	KRAW_CMD_PROTO_GET,
	KRAW_CMD_RULE_ADD,
	KRAW_CMD_RULE_REPLACE,
	KRAW_CMD_RULE_DEL,
	KRAW_CMD_RULE_FLUSH,
	KRAW_CMD_RULE_GET,
	KRAW_CMD_APPLY,
	KRAW_CMD_HANDLER_GET,
	KRAW_CMD_CONFIG_GET,
	KRAW_CMD_EXPLAIN,
	KRAW_CMD_TRACE,
	KRAW_CMD_TRACE_STOP,
	KRAW_CMD_SOCKET_GET,
	KRAW_CMD_SOCKET_EVENT,
	KRAW_CMD_DGRAM_GET,
	KRAW_CMD_OPEN_GET,

	__KRAW_CMD_MAX,
	KRAW_CMD_MAX = __KRAW_CMD_MAX - 1
};

enum kraw_attr {
	KRAW_A_UNSPEC,
	KRAW_A_GENERATION,	/* u32 */
	KRAW_A_FLAGS,		/* u32, bits KRAW_FLAG_* */
	KRAW_A_PROTO,		/* nest of enum kraw_proto_attr */
	KRAW_A_RULE,		/* nest of enum kraw_rule_attr */
	KRAW_A_HANDLER,		/* nest of enum kraw_handler_attr */
	KRAW_A_PAD,
	KRAW_A_PACKET,		/* nest of enum kraw_packet_attr */
	KRAW_A_STEP,		/* nest of enum kraw_step_attr */
	KRAW_A_TRACE,		/* nest of enum kraw_trace_attr */
	KRAW_A_DATA,		/* bytes of a packet */
	KRAW_A_SOCKET,		/* nest of enum kraw_socket_attr */
	KRAW_A_PID,		/* nest of enum kraw_pid_attr */
	KRAW_A_COMM,		/* string, name of a process */
	KRAW_A_PROTO_COUNT,	/* u32 */
	KRAW_A_RULE_COUNT,	/* u32 */
	KRAW_A_EVENT,		/* nest of enum kraw_event_attr */
	KRAW_A_OPEN,		/* nest of enum kraw_open_attr */

	__KRAW_A_MAX,
	KRAW_A_MAX = __KRAW_A_MAX - 1
};

/* KRAW_A_FLAGS */
#define KRAW_FLAG_CHECK		0x1	/* check, change nothing */
#define KRAW_FLAG_FORCE		0x2	/* close datagram sockets that are in the way */

/*
 * KRAW_PROTO_A_FAMILIES, KRAW_STATS_A_FAMILY, KRAW_HANDLER_A_FAMILY,
 * KRAW_STEP_A_FAMILY, KRAW_SOCKET_A_FAMILY, KRAW_SOCKET_A_RECEIVES,
 * KRAW_OPEN_A_FAMILY, KRAW_EVENT_A_FAMILY
 */
#define KRAW_FAMILY_IPV4	0x1
#define KRAW_FAMILY_IPV6	0x2

enum kraw_proto_attr {
	KRAW_PROTO_A_UNSPEC,
	KRAW_PROTO_A_NUMBER,	/* u8 */
	KRAW_PROTO_A_FAMILIES,	/* u8, bits KRAW_FAMILY_* */
	KRAW_PROTO_A_CLAIM,	/* u8, enum kraw_claim */
	KRAW_PROTO_A_DELIVER,	/* u8, enum kraw_verdict */
	KRAW_PROTO_A_UNREACH,	/* u8, enum kraw_unreach */
	KRAW_PROTO_A_RULES,	/* u32 */
	KRAW_PROTO_A_STATS,	/* nest of enum kraw_stats_attr */
	KRAW_PROTO_A_ONE_BY,	/* u8, enum kraw_one_by */
	KRAW_PROTO_A_ONE_REUSEPORT, /* flag */
	KRAW_PROTO_A_ACCOUNT,	/* u8, enum kraw_account */
	KRAW_PROTO_A_USERS,	/* nest of enum kraw_users_attr */

	__KRAW_PROTO_A_MAX,
	KRAW_PROTO_A_MAX = __KRAW_PROTO_A_MAX - 1
};

/* Who is the protocol's handler in the kernel. */
enum kraw_claim {
	KRAW_CLAIM_NONE,	/* whoever it was, or nobody */
	KRAW_CLAIM_PLAIN,	/* kraw; payload starts after the IP header */
	KRAW_CLAIM_PORTS,	/* kraw; a header laid out as UDP's follows */

	__KRAW_CLAIM_MAX,
	KRAW_CLAIM_MAX = __KRAW_CLAIM_MAX - 1
};

enum kraw_users_attr {
	KRAW_USERS_A_UNSPEC,
	KRAW_USERS_A_USER,	/* nest of enum kraw_user_attr */

	__KRAW_USERS_A_MAX,
	KRAW_USERS_A_MAX = __KRAW_USERS_A_MAX - 1
};

enum kraw_user_attr {
	KRAW_USER_A_UNSPEC,
	KRAW_USER_A_KIND,	/* u8, enum kraw_user_kind */
	KRAW_USER_A_LOW,	/* u32 */
	KRAW_USER_A_HIGH,	/* u32 */

	__KRAW_USER_A_MAX,
	KRAW_USER_A_MAX = __KRAW_USER_A_MAX - 1
};

/* Who may open a datagram socket. */
enum kraw_user_kind {
	KRAW_USER_KIND_ALL,	/* everybody; no LOW and HIGH */
	KRAW_USER_KIND_UID,	/* users */
	KRAW_USER_KIND_GID,	/* members of groups, supplementary ones too */
};

/* Who receives a packet. */
enum kraw_verdict {
	KRAW_VERDICT_UNSPEC,
	KRAW_VERDICT_ALL,	/* input: as without kraw */
	KRAW_VERDICT_RAW,	/* input: every matching raw socket, no handler */
	KRAW_VERDICT_KERNEL,	/* input: the kernel's handler, no raw socket */
	KRAW_VERDICT_ONE,	/* input: one matching raw socket, no handler */
	KRAW_VERDICT_NONE,	/* input: nobody, silently */
	KRAW_VERDICT_REJECT,	/* input: nobody, and an ICMP error says so */
	KRAW_VERDICT_ALLOW,	/* output: may leave */
	KRAW_VERDICT_DENY,	/* output: dropped, the sender gets EPERM */

	__KRAW_VERDICT_MAX,
	KRAW_VERDICT_MAX = __KRAW_VERDICT_MAX - 1
};

/* How verdict one chooses among the raw sockets that match. */
enum kraw_one_by {
	KRAW_ONE_BY_FLOW,	/* addresses; ports or SPI where there are any */
	KRAW_ONE_BY_RANDOM,	/* anew for each packet */
	KRAW_ONE_BY_CPU,	/* the CPU that the packet is processed on */

	__KRAW_ONE_BY_MAX,
	KRAW_ONE_BY_MAX = __KRAW_ONE_BY_MAX - 1
};

/*
 * Whether a packet that nobody received is answered with ICMP protocol
 * unreachable (RFC 792, type 3 code 2) or ICMPv6 unrecognised next header
 * (RFC 4443, type 4 code 1). Verdicts none and reject decide that themselves.
 * To ALWAYS a claim's own handler is nobody, unless a datagram socket has the
 * packet. With a claim with ports the error is port unreachable (type 3 code 3,
 * and type 1 code 4), which AUTO sends, too.
 */
enum kraw_unreach {
	KRAW_UNREACH_AUTO,	/* when no raw socket and no handler had it */
	KRAW_UNREACH_NEVER,	/* not even then */
	KRAW_UNREACH_ALWAYS,	/* when no handler had it, raw sockets or not */

	__KRAW_UNREACH_MAX,
	KRAW_UNREACH_MAX = __KRAW_UNREACH_MAX - 1
};

/*
 * How closely the counters follow what the kernel does itself: all that comes of
 * verdict all, and why a raw socket refused a copy.
 */
enum kraw_account {
	KRAW_ACCOUNT_MATCH,	/* by the sockets that match: the rest is unknown */
	KRAW_ACCOUNT_EXACT,	/* by what the kernel did with each copy */

	__KRAW_ACCOUNT_MAX,
	KRAW_ACCOUNT_MAX = __KRAW_ACCOUNT_MAX - 1
};

enum kraw_hook {
	KRAW_HOOK_UNSPEC,
	KRAW_HOOK_INPUT,	/* packets for this host, before raw sockets */
	KRAW_HOOK_OUTPUT,	/* what raw sockets here send */

	__KRAW_HOOK_MAX,
	KRAW_HOOK_MAX = __KRAW_HOOK_MAX - 1
};

enum kraw_rule_attr {
	KRAW_RULE_A_UNSPEC,
	KRAW_RULE_A_PROTO,	/* u8 */
	KRAW_RULE_A_HOOK,	/* u8, enum kraw_hook */
	KRAW_RULE_A_PREF,	/* u32 */
	KRAW_RULE_A_HANDLE,	/* u32 */
	KRAW_RULE_A_VERDICT,	/* u8, enum kraw_verdict */
	KRAW_RULE_A_SRC,	/* 4 or 16 bytes, network byte order */
	KRAW_RULE_A_SRC_PREFIX,	/* u8, bits */
	KRAW_RULE_A_DST,	/* 4 or 16 bytes, network byte order */
	KRAW_RULE_A_DST_PREFIX,	/* u8, bits */
	KRAW_RULE_A_DEV,	/* string, device name */
	KRAW_RULE_A_TTL_MIN,	/* u8 */
	KRAW_RULE_A_TTL_MAX,	/* u8 */
	KRAW_RULE_A_LEN_MIN,	/* u32, bytes */
	KRAW_RULE_A_LEN_MAX,	/* u32, bytes */
	KRAW_RULE_A_TYPE_MIN,	/* u8 */
	KRAW_RULE_A_TYPE_MAX,	/* u8 */
	KRAW_RULE_A_BPF,	/* array of struct sock_filter */
	KRAW_RULE_A_EXPR,	/* string */
	KRAW_RULE_A_PACKETS,	/* u64 */
	KRAW_RULE_A_BYTES,	/* u64 */
	KRAW_RULE_A_PAD,
	KRAW_RULE_A_DSCP,	/* u8 */
	KRAW_RULE_A_MARK,	/* u32 */
	KRAW_RULE_A_MARK_MASK,	/* u32 */
	KRAW_RULE_A_FRAGMENT,	/* flag */
	KRAW_RULE_A_UID_MIN,	/* u32 */
	KRAW_RULE_A_UID_MAX,	/* u32 */
	KRAW_RULE_A_HDRINCL,	/* flag */
	KRAW_RULE_A_SPOOFED,	/* flag */
	KRAW_RULE_A_ONE_BY,	/* u8, enum kraw_one_by */
	KRAW_RULE_A_ONE_REUSEPORT, /* flag */
	KRAW_RULE_A_LIMIT_RATE,	/* u32, packets a second */
	KRAW_RULE_A_LIMIT_BURST, /* u32, packets */
	KRAW_RULE_A_MIRROR,	/* string, device name */
	KRAW_RULE_A_TRACE,	/* flag */
	KRAW_RULE_A_COMMENT,	/* string */
	KRAW_RULE_A_LIMITED,	/* u64 */

	__KRAW_RULE_A_MAX,
	KRAW_RULE_A_MAX = __KRAW_RULE_A_MAX - 1
};

#define KRAW_EXPR_MAX	1024	/* bytes of KRAW_RULE_A_EXPR, without the NUL */
#define KRAW_COMMENT_MAX 128	/* bytes of KRAW_RULE_A_COMMENT, without the NUL */
#define KRAW_DSCP_MAX	63

/*
 * Counters of one protocol in one family, u64 each, since the protocol is
 * managed. Of packets that came, each is in one of
 *	SEEN = ALL + RAW + KERNEL + ONE + NONE + REJECT + PASSED
 * by its verdict, and by where it ended in one of
 *	SEEN = END_HANDLER + END_RAW + END_NOBODY + END_POLICY + END_DISCARD +
 *	       END_RULE + END_LIMIT + END_PROTO + END_UNKNOWN + PASSED
 * and what raw sockets here sent:
 *	OUTPUT = ALLOW + DENY
 * A packet that passes and comes back (IPsec in transport mode does that) is
 * counted each time.
 *
 * Raw sockets that matched, summed up over the packets with verdict all, raw or
 * one, each with what became of its copy:
 *	RAW_MATCHED = RAW_COPIES + RAW_FILTERED + RAW_REFUSED + RAW_UNKNOWN
 *	RAW_REFUSED = RAW_POLICY + RAW_CHECKSUM + RAW_SOCKET_FILTER + RAW_FULL +
 *		      RAW_MEMORY + RAW_REFUSED_UNKNOWN
 * Of a packet with verdict one the socket that is chosen counts alone, with what
 * became of the packet; if all that match are out of the question by ICMP_FILTER
 * or membership, one of them as FILTERED. Those that get copies beside a group
 * count as with verdict raw.
 *
 * ICMP errors asked of the kernel's sender, by kraw or by the kernel itself:
 *	UNREACH = UNREACH_SENT + UNREACH_LIMITED + UNREACH_SILENT +
 *		  UNREACH_UNKNOWN
 *
 * Of what is counted in an _UNKNOWN, kraw has not seen which of the others it
 * is: these are lower bounds then. With KRAW_ACCOUNT_EXACT it stays 0, but for
 * END_UNKNOWN of a packet that another netfilter hook queued or took behind this
 * one.
 *
 * Of CLAIM_HANDLED, a packet with one destination counts once: CLAIM_HANDLED =
 * DGRAM + DGRAM_REFUSED + DGRAM_NOBODY + DGRAM_BAD; of others each socket counts.
 *	DGRAM_REFUSED = DGRAM_POLICY + DGRAM_FILTER + DGRAM_FULL + DGRAM_MEMORY
 *	DGRAM_BAD = DGRAM_HEADER + DGRAM_CHECKSUM
 */
enum kraw_stats_attr {
	KRAW_STATS_A_UNSPEC,
	KRAW_STATS_A_FAMILY,		/* u8, one bit KRAW_FAMILY_* */
	KRAW_STATS_A_SEEN,		/* came to the input hook */
	KRAW_STATS_A_ALL,		/* by verdict ... */
	KRAW_STATS_A_RAW,
	KRAW_STATS_A_KERNEL,
	KRAW_STATS_A_NONE,
	KRAW_STATS_A_REJECT,
	KRAW_STATS_A_PASSED,		/* left to the kernel: IPsec before it */
	KRAW_STATS_A_RAW_MATCHED,	/* raw sockets, see above */
	KRAW_STATS_A_RAW_COPIES,	/* of these: got their copy */
	KRAW_STATS_A_RAW_FILTERED,	/* refused by ICMP_FILTER or membership */
	KRAW_STATS_A_RAW_REFUSED,	/* refused: policy, filter, queue, memory */
	KRAW_STATS_A_KERNEL_HANDLED,	/* verdict kernel: a handler had it */
	KRAW_STATS_A_CLAIM_HANDLED,	/* kraw's handler had it: see DGRAM_* */
	KRAW_STATS_A_UNREACH,		/* ICMP errors, before their rate limit */
	KRAW_STATS_A_UNREACH_NEVER,	/* suppressed by unreach never */
	KRAW_STATS_A_PAD,
	KRAW_STATS_A_ONE,		/* by verdict, as above */
	KRAW_STATS_A_ONE_NEXT,		/* of these: first choice full, another not */
	KRAW_STATS_A_ONE_NOBODY,	/* of these: no raw socket matched */
	KRAW_STATS_A_LIMITED,		/* a rule did not match for its limit */
	KRAW_STATS_A_MIRRORED,		/* copies handed to a mirror's device */
	KRAW_STATS_A_MIRROR_FAILED,	/* no device, too long for it, a loop, ... */
	KRAW_STATS_A_OUTPUT,		/* came to its rules of hook output */
	KRAW_STATS_A_ALLOW,		/* by verdict ... */
	KRAW_STATS_A_DENY,
	KRAW_STATS_A_END_HANDLER,	/* ended: a handler of the kernel had it */
	KRAW_STATS_A_END_RAW,		/* no handler, raw sockets matched */
	KRAW_STATS_A_END_NOBODY,	/* neither: nobody had it */
	KRAW_STATS_A_END_POLICY,	/* IPsec policy forbade it */
	KRAW_STATS_A_END_DISCARD,	/* the kernel would not have it delivered */
	KRAW_STATS_A_END_RULE,		/* dropped by the verdict of a rule */
	KRAW_STATS_A_END_LIMIT,		/* dropped; a rule over its limit was not asked */
	KRAW_STATS_A_END_PROTO,		/* dropped by the protocol's own verdict */
	KRAW_STATS_A_END_UNKNOWN,	/* one of the above */
	KRAW_STATS_A_RAW_UNKNOWN,	/* got their copy or refused it */
	KRAW_STATS_A_RAW_POLICY,	/* refused by IPsec policy */
	KRAW_STATS_A_RAW_CHECKSUM,	/* refused: wrong checksum (IPV6_CHECKSUM) */
	KRAW_STATS_A_RAW_SOCKET_FILTER,	/* refused by the socket's filter, or that of
					 * its control group, or an LSM
					 */
	KRAW_STATS_A_RAW_FULL,		/* refused: its receive queue was full */
	KRAW_STATS_A_RAW_MEMORY,	/* no memory for a copy */
	KRAW_STATS_A_RAW_REFUSED_UNKNOWN, /* refused by a filter or a full queue */
	KRAW_STATS_A_UNREACH_SENT,	/* ICMP errors that left */
	KRAW_STATS_A_UNREACH_LIMITED,	/* the rate limit was against it */
	KRAW_STATS_A_UNREACH_SILENT,	/* Linux does not answer such a packet */
	KRAW_STATS_A_UNREACH_UNKNOWN,	/* one of these */
	KRAW_STATS_A_DGRAM,		/* claim: datagram sockets that got it */
	KRAW_STATS_A_DGRAM_REFUSED,	/* that refused it: policy, filter, queue */
	KRAW_STATS_A_DGRAM_NOBODY,	/* packets that were for no socket */
	KRAW_STATS_A_DGRAM_BAD,		/* packets with a broken header: ports only */
	KRAW_STATS_A_DGRAM_SENT,	/* datagrams that sockets sent */
	KRAW_STATS_A_DGRAM_POLICY,	/* refused by IPsec policy */
	KRAW_STATS_A_DGRAM_FILTER,	/* refused as RAW_SOCKET_FILTER */
	KRAW_STATS_A_DGRAM_FULL,	/* refused: its receive queue was full */
	KRAW_STATS_A_DGRAM_MEMORY,	/* refused: no memory */
	KRAW_STATS_A_DGRAM_HEADER,	/* bad: cut off, or its length is wrong */
	KRAW_STATS_A_DGRAM_CHECKSUM,	/* bad: wrong checksum */

	__KRAW_STATS_A_MAX,
	KRAW_STATS_A_MAX = __KRAW_STATS_A_MAX - 1
};

enum kraw_handler_attr {
	KRAW_HANDLER_A_UNSPEC,
	KRAW_HANDLER_A_NUMBER,	/* u8 */
	KRAW_HANDLER_A_FAMILY,	/* u8, one bit KRAW_FAMILY_* */
	KRAW_HANDLER_A_SYMBOL,	/* string */
	KRAW_HANDLER_A_MODULE,	/* string */
	KRAW_HANDLER_A_FLAGS,	/* u32, bits KRAW_HANDLER_* */

	__KRAW_HANDLER_A_MAX,
	KRAW_HANDLER_A_MAX = __KRAW_HANDLER_A_MAX - 1
};

/* KRAW_HANDLER_A_FLAGS */
#define KRAW_HANDLER_NO_POLICY	0x1	/* runs without the XFRM check */
#define KRAW_HANDLER_FINAL	0x2	/* IPv6: an upper layer, no extension */
#define KRAW_HANDLER_KRAW	0x4	/* it is kraw's */
#define KRAW_HANDLER_HERE	0x8	/* claimed by this namespace */

/* A packet that is described, to have it explained. */
enum kraw_packet_attr {
	KRAW_PACKET_A_UNSPEC,
	KRAW_PACKET_A_PROTO,	/* u8 */
	KRAW_PACKET_A_SRC,	/* 4 or 16 bytes, network byte order */
	KRAW_PACKET_A_DST,	/* 4 or 16 bytes, network byte order */
	KRAW_PACKET_A_DEV,	/* string, device name */
	KRAW_PACKET_A_LEN,	/* u32, bytes */
	KRAW_PACKET_A_TTL,	/* u8 */
	KRAW_PACKET_A_DSCP,	/* u8 */
	KRAW_PACKET_A_MARK,	/* u32 */
	KRAW_PACKET_A_FRAGMENT,	/* flag */
	KRAW_PACKET_A_PAYLOAD,	/* bytes */

	__KRAW_PACKET_A_MAX,
	KRAW_PACKET_A_MAX = __KRAW_PACKET_A_MAX - 1
};

#define KRAW_PAYLOAD_MAX 32768	/* bytes of KRAW_PACKET_A_PAYLOAD */

enum kraw_step_attr {
	KRAW_STEP_A_UNSPEC,
	KRAW_STEP_A_KIND,	/* u8, enum kraw_step_kind */
	KRAW_STEP_A_FIELDS,	/* u32, bits KRAW_SHAPE_* */
	KRAW_STEP_A_FAMILY,	/* u8, one bit KRAW_FAMILY_* */
	KRAW_STEP_A_SRC_PREFIX,	/* u8, bits */
	KRAW_STEP_A_DST_PREFIX,	/* u8, bits */
	KRAW_STEP_A_MARK_MASK,	/* u32 */
	KRAW_STEP_A_PREF,	/* u32 */
	KRAW_STEP_A_RULES,	/* u32 */
	KRAW_STEP_A_SHAPE_RESULT, /* u8, enum kraw_shape_result */
	KRAW_STEP_A_DECIDER,	/* u8, enum kraw_decider */
	KRAW_STEP_A_VERDICT,	/* u8, enum kraw_verdict */
	KRAW_STEP_A_UNREACH,	/* u8, enum kraw_unreach */
	KRAW_STEP_A_INODE,	/* u32 */
	KRAW_STEP_A_LOCAL,	/* 4 or 16 bytes, network byte order */
	KRAW_STEP_A_PEER,	/* 4 or 16 bytes, network byte order */
	KRAW_STEP_A_IFINDEX,	/* u32 */
	KRAW_STEP_A_DEV,	/* string, device name */
	KRAW_STEP_A_MATCHED,	/* flag */
	KRAW_STEP_A_CHOSEN,	/* flag */
	KRAW_STEP_A_SOCKET_RESULT, /* u8, enum kraw_socket_result */
	KRAW_STEP_A_RECEIVES,	/* flag */
	KRAW_STEP_A_MATCHING,	/* u32 */
	KRAW_STEP_A_COPIES,	/* u32 */
	KRAW_STEP_A_POLICY,	/* flag */
	KRAW_STEP_A_ICMP_RESULT, /* u8, enum kraw_icmp_result */
	KRAW_STEP_A_ICMP_TYPE,	/* u8 */
	KRAW_STEP_A_ICMP_CODE,	/* u8 */
	KRAW_STEP_A_ICMP_POINTER, /* u32 */
	KRAW_STEP_A_LOCAL_PORT,	/* u16 */
	KRAW_STEP_A_PEER_PORT,	/* u16 */
	KRAW_STEP_A_DGRAM_RESULT, /* u8, enum kraw_dgram_result */
	KRAW_STEP_A_DGRAMS,	/* u32 */

	__KRAW_STEP_A_MAX,
	KRAW_STEP_A_MAX = __KRAW_STEP_A_MAX - 1
};

enum kraw_step_kind {
	KRAW_STEP_KIND_PACKET,	/* the packet that is explained */
	KRAW_STEP_KIND_SHAPE,	/* rules that look at the same fields */
	KRAW_STEP_KIND_RULE,	/* the rule that decides */
	KRAW_STEP_KIND_VERDICT,	/* what is decided */
	KRAW_STEP_KIND_SOCKET,	/* a raw socket */
	KRAW_STEP_KIND_HANDLER,	/* the kernel's handler */
	KRAW_STEP_KIND_OUTCOME,	/* what comes of it all */
	KRAW_STEP_KIND_DGRAM,	/* a datagram socket of a claim */
};

/* KRAW_STEP_A_FIELDS: what rules of one shape have to be equal to */
#define KRAW_SHAPE_SRC		0x1
#define KRAW_SHAPE_DST		0x2
#define KRAW_SHAPE_DEV		0x4
#define KRAW_SHAPE_TTL		0x8	/* a single value, not a range */
#define KRAW_SHAPE_TYPE		0x10	/* a single value */
#define KRAW_SHAPE_DSCP		0x20
#define KRAW_SHAPE_MARK		0x40
#define KRAW_SHAPE_FRAGMENT	0x80

enum kraw_shape_result {
	KRAW_SHAPE_RESULT_MISS,	/* no rule of it matches, or none that is better */
	KRAW_SHAPE_RESULT_HIT,	/* one does, the best so far */
	KRAW_SHAPE_RESULT_OTHER, /* none can match such a packet: it is of the other
				  * family, or has no such field
				  */
	KRAW_SHAPE_RESULT_LIMITED, /* one does, but for its limit: the search starts
				    * anew behind it, which asks shapes again
				    */
};

/* Who has decided. */
enum kraw_decider {
	KRAW_DECIDER_LINUX,	/* nobody: the protocol is not managed */
	KRAW_DECIDER_PROTO,	/* the protocol: no rule matches */
	KRAW_DECIDER_RULE,	/* a rule */
};

/* What becomes of a packet at a raw socket, and why. */
enum kraw_socket_result {
	KRAW_SOCKET_RESULT_COPY, /* gets its copy */
	KRAW_SOCKET_RESULT_VERDICT, /* would match, but the verdict is against it */
	KRAW_SOCKET_RESULT_LOCAL, /* is bound to another address */
	KRAW_SOCKET_RESULT_PEER, /* is connected to another address */
	KRAW_SOCKET_RESULT_DEVICE, /* is bound to another device */
	KRAW_SOCKET_RESULT_MEMBER, /* no member of the group, or not for its source */
	KRAW_SOCKET_RESULT_ICMP_FILTER, /* ICMP_FILTER or ICMP6_FILTER */
	KRAW_SOCKET_RESULT_CHECKSUM, /* IPV6_CHECKSUM, and it is wrong */
	KRAW_SOCKET_RESULT_FILTER, /* its socket filter rejects it */
	KRAW_SOCKET_RESULT_FULL, /* its receive buffer is full */
	KRAW_SOCKET_RESULT_UNKNOWN, /* has an eBPF filter, which is not run: it might
				     * change what it stands on; in traces also: one of
				     * several has refused it, not known which
				     */
	KRAW_SOCKET_RESULT_NOT_CHOSEN, /* verdict one chooses another one, or another
					* datagram socket gets it
					*/
	KRAW_SOCKET_RESULT_POLICY, /* IPsec policy refuses it. Traces only, as is ... */
	KRAW_SOCKET_RESULT_REFUSED, /* ... not queued for another reason: a filter in
				     * eBPF, no memory, others filled the buffer
				     */
};

/* Whether protocol unreachable or unrecognised next header is sent. */
enum kraw_icmp_result {
	KRAW_ICMP_RESULT_NONE,	/* there is no reason to */
	KRAW_ICMP_RESULT_SENT,	/* it is */
	KRAW_ICMP_RESULT_NEVER,	/* unreach never forbids it */
	KRAW_ICMP_RESULT_SILENT, /* Linux does not answer such a packet: to a group
				  * or broadcast, from where there is no way back
				  * to, or an ICMP error
				  */
};

/* What a claim's handler makes of a packet. */
enum kraw_dgram_result {
	KRAW_DGRAM_RESULT_SOCKETS, /* it is for datagram sockets */
	KRAW_DGRAM_RESULT_NOBODY, /* it is for none */
	KRAW_DGRAM_RESULT_POLICY, /* the same, and IPsec policy refuses it */
	KRAW_DGRAM_RESULT_HEADER, /* ports: the header or its length is wrong */
	KRAW_DGRAM_RESULT_CHECKSUM, /* ports: the checksum is wrong */
};

#define KRAW_SNAPLEN_MAX 65528	/* bytes of KRAW_A_DATA */

/* What became of a packet. */
enum kraw_trace_attr {
	KRAW_TRACE_A_UNSPEC,
	KRAW_TRACE_A_SNAPLEN,	/* u32, bytes */
	KRAW_TRACE_A_SEQ,	/* u64 */
	KRAW_TRACE_A_LOST,	/* u64, packets */
	KRAW_TRACE_A_TIME,	/* u64, nanoseconds */
	KRAW_TRACE_A_PAD,
	KRAW_TRACE_A_HOOK,	/* u8, enum kraw_hook */
	KRAW_TRACE_A_PROTO,	/* u8 */
	KRAW_TRACE_A_SRC,	/* 4 or 16 bytes, network byte order */
	KRAW_TRACE_A_DST,	/* 4 or 16 bytes, network byte order */
	KRAW_TRACE_A_DEV,	/* string, device name */
	KRAW_TRACE_A_LEN,	/* u32, bytes */
	KRAW_TRACE_A_VERDICT,	/* u8, enum kraw_verdict */
	KRAW_TRACE_A_HANDLE,	/* u32 */
	KRAW_TRACE_A_PREF,	/* u32 */
	KRAW_TRACE_A_MARKED,	/* flag */
	KRAW_TRACE_A_EXPECTED,	/* flag */
	KRAW_TRACE_A_SENDER,	/* u32, inode */
	KRAW_TRACE_A_UID,	/* u32 */
	KRAW_TRACE_A_SOCKETS,	/* u32 */
	KRAW_TRACE_A_SOCKET,	/* nest of enum kraw_trace_socket_attr */
	KRAW_TRACE_A_HANDLER,	/* string */
	KRAW_TRACE_A_MODULE,	/* string */
	KRAW_TRACE_A_HANDLER_RESULT, /* u8, enum kraw_socket_result */
	KRAW_TRACE_A_ICMP_RESULT, /* u8, enum kraw_icmp_result */
	KRAW_TRACE_A_ICMP_TYPE,	/* u8 */
	KRAW_TRACE_A_ICMP_CODE,	/* u8 */
	KRAW_TRACE_A_ICMP_POINTER, /* u32 */
	KRAW_TRACE_A_DGRAM_RESULT, /* u8, enum kraw_dgram_result */
	KRAW_TRACE_A_DGRAMS,	/* u32 */
	KRAW_TRACE_A_DGRAM,	/* nest of enum kraw_trace_socket_attr */

	__KRAW_TRACE_A_MAX,
	KRAW_TRACE_A_MAX = __KRAW_TRACE_A_MAX - 1
};

/* A raw socket that matches a packet, or a datagram socket that it is for. */
enum kraw_trace_socket_attr {
	KRAW_TRACE_SOCKET_A_UNSPEC,
	KRAW_TRACE_SOCKET_A_INODE,	/* u32 */
	KRAW_TRACE_SOCKET_A_RESULT,	/* u8, enum kraw_socket_result */

	__KRAW_TRACE_SOCKET_A_MAX,
	KRAW_TRACE_SOCKET_A_MAX = __KRAW_TRACE_SOCKET_A_MAX - 1
};

/* A raw socket, a packet socket, or a datagram socket of a claim. */
enum kraw_socket_attr {
	KRAW_SOCKET_A_UNSPEC,
	KRAW_SOCKET_A_INODE,	/* u32 */
	KRAW_SOCKET_A_FAMILY,	/* u8, one bit KRAW_FAMILY_* */
	KRAW_SOCKET_A_PROTO,	/* u8 */
	KRAW_SOCKET_A_FLAGS,	/* u32, bits KRAW_SOCKET_* */
	KRAW_SOCKET_A_FILTER,	/* u32, instructions */
	KRAW_SOCKET_A_ICMP_FILTER, /* array of u32 */
	KRAW_SOCKET_A_MROUTE,	/* u32, number of a table */
	KRAW_SOCKET_A_RECEIVES,	/* u8, bits KRAW_FAMILY_* */
	KRAW_SOCKET_A_LOCAL,	/* 4 or 16 bytes, network byte order */
	KRAW_SOCKET_A_PEER,	/* 4 or 16 bytes, network byte order */
	KRAW_SOCKET_A_LOCAL_PORT, /* u16 */
	KRAW_SOCKET_A_PEER_PORT, /* u16 */
	KRAW_SOCKET_A_IFINDEX,	/* u32 */
	KRAW_SOCKET_A_UID,	/* u32 */
	KRAW_SOCKET_A_QUEUE,	/* u32, bytes */
	KRAW_SOCKET_A_LIMIT,	/* u32, bytes */
	KRAW_SOCKET_A_DROPS,	/* u32, packets */

	__KRAW_SOCKET_A_MAX,
	KRAW_SOCKET_A_MAX = __KRAW_SOCKET_A_MAX - 1
};

/* KRAW_SOCKET_A_FLAGS */
#define KRAW_SOCKET_HDRINCL	0x1	/* writes its own IP headers */
#define KRAW_SOCKET_EBPF	0x2	/* its filter is eBPF, not classic */
#define KRAW_SOCKET_REFUSES_ALL	0x4	/* its filter starts with "return 0" */
#define KRAW_SOCKET_EXCLUSIVE	0x8	/* KRAW_EXCLUSIVEADDRUSE */
#define KRAW_SOCKET_REUSEADDR	0x10	/* SO_REUSEADDR */
#define KRAW_SOCKET_REUSEPORT	0x20	/* SO_REUSEPORT */
#define KRAW_SOCKET_V6ONLY	0x40	/* IPV6_V6ONLY */

/* A datagram socket that somebody wants to open. */
enum kraw_open_attr {
	KRAW_OPEN_A_UNSPEC,
	KRAW_OPEN_A_PROTO,	/* u8 */
	KRAW_OPEN_A_FAMILY,	/* u8, one bit KRAW_FAMILY_* */
	KRAW_OPEN_A_UID,	/* u32 */
	KRAW_OPEN_A_GID,	/* u32 */
	KRAW_OPEN_A_RESULT,	/* u8, enum kraw_open_result */
	KRAW_OPEN_A_ENTRY,	/* nest of enum kraw_user_attr */
	KRAW_OPEN_A_ELSEWHERE,	/* flag */

	__KRAW_OPEN_A_MAX,
	KRAW_OPEN_A_MAX = __KRAW_OPEN_A_MAX - 1
};

/* What socket() says, and why. */
enum kraw_open_result {
	KRAW_OPEN_RESULT_LISTED, /* it opens: the claim's users have an entry for it */
	KRAW_OPEN_RESULT_CAPABLE, /* it opens: with CAP_NET_RAW over the namespace */
	KRAW_OPEN_RESULT_REFUSED, /* EPERM: neither */
	KRAW_OPEN_RESULT_UNMANAGED, /* EPROTONOSUPPORT: this namespace does not manage it */
	KRAW_OPEN_RESULT_UNCLAIMED, /* EPROTONOSUPPORT: it is managed without a claim */
	KRAW_OPEN_RESULT_FAMILY, /* EPROTONOSUPPORT: it is claimed in the other family */
};

/* A process, in one of the pid namespaces that it is in. */
enum kraw_pid_attr {
	KRAW_PID_A_UNSPEC,
	KRAW_PID_A_NUMBER,	/* u32 */
	KRAW_PID_A_NAMESPACE,	/* u32, inode */

	__KRAW_PID_A_MAX,
	KRAW_PID_A_MAX = __KRAW_PID_A_MAX - 1
};

/* Something happens to a datagram socket. */
enum kraw_event_attr {
	KRAW_EVENT_A_UNSPEC,
	KRAW_EVENT_A_KIND,	/* u8, enum kraw_event_kind */
	KRAW_EVENT_A_PROTO,	/* u8 */
	KRAW_EVENT_A_CLAIM,	/* u8, enum kraw_claim */
	KRAW_EVENT_A_FAMILY,	/* u8, one bit KRAW_FAMILY_* */
	KRAW_EVENT_A_INODE,	/* u32 */
	KRAW_EVENT_A_UID,	/* u32 */
	KRAW_EVENT_A_LOCAL,	/* 4 or 16 bytes, network byte order */
	KRAW_EVENT_A_LOCAL_PORT, /* u16 */
	KRAW_EVENT_A_PEER,	/* 4 or 16 bytes, network byte order */
	KRAW_EVENT_A_PEER_PORT,	/* u16 */
	KRAW_EVENT_A_IFINDEX,	/* u32 */
	KRAW_EVENT_A_EXCLUSIVE,	/* flag */

	__KRAW_EVENT_A_MAX,
	KRAW_EVENT_A_MAX = __KRAW_EVENT_A_MAX - 1
};

enum kraw_event_kind {
	KRAW_EVENT_KIND_OPEN,	/* it is opened */
	KRAW_EVENT_KIND_BIND,	/* gets an address, or another one, or a peer */
	KRAW_EVENT_KIND_UNBIND,	/* loses it, and stays open */
	KRAW_EVENT_KIND_CLOSE,	/* is closed, or its claim goes by force */
};

#endif /* _UAPI_LINUX_KRAW_H */
