#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Hook output: what raw sockets of a namespace send is allowed or denied by rules,
each match by itself, with and without the sender's own IP header, whatever chain
of headers leads to the protocol; a denied sender gets EPERM and nothing leaves.
What the kernel itself sends, other namespaces, other kinds of sockets and what
comes in are not touched; the hook is there while rules for it are.
"""
import os
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, ftrace, hooks, netns, packet, sock, tap, tool
from krawtest.counters import Watch
from krawtest.manage import Count, managed
from krawtest.netns import SOURCES, Lab
from krawtest.outgoing import IP_RECVERR, IPV6_RECVERR, Outgoing, Wire, raw, \
    said
from krawtest.who import Probe, token

lab = tap.cleanup(Lab())
ME, PEER = lab.r0.addr, lab.l0.addr
LEVEL = {4: socket.IPPROTO_IP, 6: socket.IPPROTO_IPV6}
HEAD = {4: 20, 6: 40}
FOREIGN = {4: "192.0.2.1", 6: "2001:db8::1"}
LISTABLE = hooks.listable()
passage = tap.cleanup(hooks.Passage()) if ftrace.available() else None
at_first = {family: passage.points(lab.left, lab.right, family)
            for family in (4, 6)} if passage else {}
module = tap.cleanup(tool.Module())
out = tap.cleanup(Outgoing(lab.right, lab.r0, lab.l0))


def denying(proto, *words, namespace=lab.right, also=""):
    """Managed, with rules of hook output that end in deny."""
    return managed(proto, namespace, also,
                   *("hook output %s deny" % one for one in words))


def packets(proto=253):
    """What the rules of hook output counted: (packets, bytes)."""
    return [(rule["packets"], rule["bytes"]) for rule in
            tool.ask("-s rule show hook output proto %d" % proto, lab.right)]


def counted(delta):
    """Of the counters that went up, those of hook output."""
    return tuple(delta.get(name, 0) for name in ("output", "allow", "deny"))


# --- which packets -----------------------------------------------------------

def matches(family):
    """(words, those that match, those that do not): arguments of send()."""
    every, ip, ttl = {4: ("0.0.0.0/0", "ip", 8), 6: ("::/0", "ip6", 7)}[family]
    prefix, inside = SOURCES[family][0]
    second = {4: "10.9.0.222", 6: "fd09:222::1"}[family]
    head = HEAD[family] + 8
    own = {"hdr": True}
    part = {"chain": lambda data: (packet.FRAGMENT, packet.fragment6(
        253, 0, 1, 7) + data)} if family == 6 else {"frag": 0x2000}
    later = {"chain": lambda data: (packet.FRAGMENT, packet.fragment6(
        253, 64, 1, 7) + data)} if family == 6 else {"frag": 0x2008}
    return [
        ("", [{}, own], []),
        ("src " + ME[family], [{}, own], [{"src": second},
                                          {**own, "src": second}]),
        ("src " + every, [{}, own], []),
        ("dst " + prefix, [{"dst": inside}, {**own, "dst": inside}], [{}, own]),
        ("dev r0", [{}, own], [{"dst": ME[family]},
                               {**own, "dst": ME[family]}]),
        ("dev lo", [{"dst": ME[family]}, {**own, "dst": ME[family]}],
         [{}, own]),
        ("ttl 10-20", [{"ttl": 10}, {**own, "ttl": 20}],
         [{"ttl": 9}, {**own, "ttl": 21}]),
        ("ttl 255", [{"ttl": 255}, {**own, "ttl": 255}], [{}, own]),
        ("len %d-%d" % (head + 2, head + 900),
         [{"body": bytes(2)}, {**own, "body": bytes(900)}],
         [{"body": bytes(1)}, {**own, "body": bytes(901)}]),
        # longer than the device takes at once: asked before it is cut
        ("len %d" % (head + 3000), [{"body": bytes(3000)}], [{}]),
        ("dscp ef", [{"tos": 46 << 2}, {**own, "tos": 46 << 2 | 1}],
         [{"tos": 45 << 2}, {**own, "tos": 47 << 2}]),
        ("mark 0x10/0xf0", [{"mark": 0x10}, {**own, "mark": 0xf1f}],
         [{"mark": 0x20}, own, {}]),
        ("type 3-9", [{"pre": b"\3"}, {**own, "pre": b"\x09"}],
         [{"pre": b"\2"}, {**own, "pre": b"\x0a"},
          # where a datagram goes on there is no first byte
          {**own, **later, "pre": b"\3"}]),
        ("fragment", [{**own, **part}, {**own, **later}],
         [{}, own, {"body": bytes(3000)}]),
        ("uid 1000-1999", [{"uid": 1000}, {**own, "uid": 1999}],
         [{}, {"uid": 999}, {**own, "uid": 2000}]),
        ("uid root", [{}, own], [{"uid": 1}]),
        ("hdrincl", [own], [{}]),
        ("spoofed", [{**own, "src": FOREIGN[family]}, {**own, "src": inside}],
         [{}, own, {**own, "src": second}, {"src": second}]),
        ("match '%s[%d] == 7'" % (ip, ttl), [{"ttl": 7}, {**own, "ttl": 7}],
         [{"ttl": 8}, {**own, "ttl": 8}]),
        ("match '%s proto 253 and dst host %s'" % (ip, inside),
         [{"dst": inside}], [{}, own]),
        ("uid 5 hdrincl spoofed dst %s ttl 9 match 'len > %d'" %
         (prefix, head),
         [{**own, "uid": 5, "src": FOREIGN[family], "dst": inside, "ttl": 9,
           "body": b"x"}],
         [{**own, "uid": 5, "src": FOREIGN[family], "dst": inside, "ttl": 9},
          {**own, "uid": 5, "dst": inside, "ttl": 9, "body": b"x"},
          {**own, "src": FOREIGN[family], "dst": inside, "ttl": 9,
           "body": b"x"}]),
    ]


lab.right.ip("addr add 10.9.0.222/32 dev r0",
             "addr add fd09:222::1/128 dev r0 nodad")


@tap.each(4, 6)
def each_match(family):
    for words, taken, left in matches(family):
        with denying(253, words), Count(253, family, lab.right) as count:
            got = [out.send(family, 253, **how) for how in taken + left]
            rules = packets()
        tap.is_(got, ["EPERM"] * len(taken) + ["sent"] * len(left),
                words or "any")
        # a datagram that goes on elsewhere is none of the protocol's there
        tap.is_(rules[0][0], len(taken), (words or "any") + ": the rule counts")
    with denying(253, "ttl 9"), Count(253, family, lab.right) as count:
        for ttl in (9, 9, 8):
            out.send(family, 253, ttl=ttl, body=b"four")
        tap.is_(packets(), [(2, 2 * (HEAD[family] + 12))], "packets and bytes")
    with managed(253, lab.right, "", "hook output ttl 9 deny"):
        with Count(253, family, lab.right) as count:
            for ttl in (9, 9, 8):
                out.send(family, 253, ttl=ttl)
        tap.is_(count.delta, {"output": 3, "deny": 2, "allow": 1},
                "what the protocol counts, and nothing else")


@tap.each((4, 6), (6, 4))
def one_family_only(family, other):
    every = {4: "0.0.0.0/0", 6: "::/0"}
    with denying(253, "src " + every[family], "match '%s'" %
                 {4: "ip", 6: "ip6"}[family]):
        tap.is_([out.send(one, 253) for one in (family, other)],
                ["EPERM", "sent"], "a rule says nothing of the other family")
    with denying(253, "", also="family ipv%d" % family):
        tap.is_([out.send(one, 253, hdr=True) for one in (family, other)],
                ["EPERM", "sent"], "nor does what is managed in one family")


@tap.each(4, 6)
def the_first_one_wins(family):
    with managed(253, lab.right, "",
                 "hook output pref 10 ttl 9 allow",
                 "hook output pref 20 ttl 5-9 deny",
                 "hook output pref 30 uid root allow",
                 "hook output pref 40 deny"):
        tap.is_([out.send(family, 253, ttl=ttl, uid=uid)
                 for ttl, uid in ((9, 0), (8, 0), (3, 0), (3, 1))],
                ["sent", "EPERM", "sent", "EPERM"], "by preference")
        tap.is_([count for count, _ in packets()], [1, 1, 1, 1],
                "each counts its own")


@tap.each(4, 6)
def limits_and_trace(family):
    """As on input: above its limit the next rule is asked, trace tells."""
    with managed(253, lab.right, "",
                 "hook output pref 1 limit 1/s burst 3 trace allow",
                 "hook output pref 2 deny"), \
            ftrace.Events("kraw/kraw_output") as events, \
            Count(253, family, lab.right) as count:
        begin = time.monotonic()
        got = [out.send(family, 253) for _ in range(6)]
        refilled = int(time.monotonic() - begin) + 1
        (allowed, _), (denied, _) = packets()
    tap.is_(got[:3], ["sent"] * 3, "the burst leaves")
    tap.is_(allowed + denied, 6, "each packet is decided by one of the two")
    tap.ok(3 <= allowed <= 3 + refilled, "what is above it does not",
           "%d in %d s" % (allowed, refilled))
    tap.is_(got.count("EPERM"), denied, "its sender gets EPERM")
    tap.is_(count.delta.get("limited"), denied, "counted as limited")
    tap.is_([(one["dev"], one["verdict"]) for one in events.seen
             if one["trace"] == "1"], [("r0", "allow")] * allowed,
            "trace marks the others")


@tap.each(4, 6)
def edits(family):
    """On a socket that stays open."""
    with managed(253, lab.right), raw(family, 253, lab.right) as sender:
        def send():
            mark = token()
            return out.attempt(lambda: sender.sendto(mark, (PEER[family], 0)),
                               mark)
        tap.is_(send(), "sent", "no rule")
        tool.do("rule add hook output proto 253 pref 10 deny", lab.right)
        tap.is_(send(), "EPERM", "added")
        tool.do("rule replace hook output proto 253 pref 10 allow", lab.right)
        tap.is_(send(), "sent", "replaced")
        tool.do("rule replace hook output proto 253 pref 10 deny", lab.right)
        tap.is_(send(), "EPERM", "and back")
        tool.do("rule add proto 253 pref 10 deliver none", lab.right)
        tool.do("rule flush proto 253 hook input", lab.right)
        tap.is_(send(), "EPERM", "rules of hook input come and go")
        tool.do("rule del hook output proto 253 pref 10", lab.right)
        tap.is_(send(), "sent", "deleted")
        tool.do("rule add hook output proto 253 deny", lab.right)
        saved = tool.do("save", lab.right)
        tool.do("flush", lab.right)
        tap.is_(send(), "sent", "flushed")
        done = tool.kraw(["apply", "-"], lab.right, stdin=saved)
        tap.is_((done.status, send()), (0, "EPERM"), "saved and applied")


@tap.each(4, 6)
def the_error(family):
    """Is told whether the sender asks for errors or not, and counted."""
    option = {4: IP_RECVERR, 6: IPV6_RECVERR}[family]
    with denying(253, ""):
        for hdr in (False, True):
            for on in (0, 1):
                with Watch(lab.right) as watch:
                    got = out.send(family, 253, hdr=hdr, options=[
                        (LEVEL[family], option, on)])
                tap.is_(got, "EPERM", "RECVERR %d, own header %s" % (on, hdr))
                tap.is_(watch.delta.get({4: "IpOutDiscards",
                                         6: "Ip6OutDiscards"}[family]), 1,
                        "the kernel counts it as discarded")


@tap.each(4, 6)
def firewalls_do_not_see_it(family):
    """It is gone before connection tracking, and before any nft chain."""
    done = lab.right.run("nft", "-f", "-", input="""table inet t {
	chain c {
		type filter hook output priority -2147483647;
		meta l4proto 253 ct state untracked,new counter
		meta l4proto 253 meta mark set 1 counter
	}
}""")
    tap.is_(done.stderr, "", "a chain of the first priority")
    with denying(253, "mark 1", "ttl 9"):
        got = [out.send(family, 253, ttl=ttl, hdr=hdr) for ttl in (9, 10)
               for hdr in (False, True)]
    tap.is_(got, ["EPERM"] * 2 + ["sent"] * 2,
            "denied, and what a firewall marks is not seen")
    listed = lab.right.run("nft", "list", "ruleset").stdout
    lab.right.run("nft", "flush", "ruleset")
    tap.has(listed, "counter packets 2 ", "it sees what was allowed")


# --- chains of headers -------------------------------------------------------

def tcp(family, mark, **how):
    return packet.tcp(how.pop("src", ME[family]), PEER[family], 9, 9,
                      data=mark)


def chains():
    """(name, next header, bytes in front, expected)."""
    dst, hop = packet.DSTOPTS, packet.HOPOPTS
    rout, frag = packet.ROUTING, packet.FRAGMENT
    opt, part = packet.options6, packet.fragment6
    return [
        ("destination options", dst, opt(6), "EPERM"),
        ("long ones", dst, opt(6, bytes([1, 60]) + bytes(60)), "EPERM"),
        ("hop-by-hop options", hop, opt(6), "EPERM"),
        ("a routing header", rout, packet.routing6(6, [PEER[6]]), "EPERM"),
        ("all of them", hop, opt(dst) + opt(rout) + packet.routing6(dst) +
         opt(6), "EPERM"),
        ("authentication", 51, struct.pack("!BBHII", 6, 4, 0, 1, 1) +
         bytes(12), "EPERM"),
        ("a first fragment", frag, part(6, 0, 1, 5), "EPERM"),
        ("a later fragment", frag, part(6, 64, 1, 5), "EPERM"),
        ("a fragment that is all", frag, part(6, 0, 0, 5), "EPERM"),
        ("options in a first fragment", frag, part(dst, 0, 1, 5) + opt(6),
         "EPERM"),
        # to these a careless receiver might find TCP
        ("a later fragment of options", frag, part(dst, 64, 1, 5), "EPERM"),
        ("options that go on in the next fragment", frag,
         part(dst, 0, 1, 5) + bytes([6, 9, 1, 4]), "EPERM"),
        ("options that break off", dst, bytes([253, 255]), "EPERM"),
        # these lead elsewhere
        ("options before another protocol", dst, opt(253), "sent"),
        ("a later fragment of another", frag, part(253, 64, 1, 5), "sent"),
        ("no next header", 59, b"", "sent"),
        ("options before no next header", dst, opt(59), "sent"),
        ("ESP", 50, struct.pack("!II", 1, 1), "sent"),
        ("another protocol", 253, opt(6), "sent"),
    ]


@tap.case
def chains_that_lead_to_the_protocol():
    with denying(6, ""):
        for name, nexthdr, front, expected in chains():
            mark = token()
            data = packet.ipv6(ME[6], PEER[6], nexthdr,
                               front + tcp(6, mark))
            tap.is_(out.whole(6, data, mark), expected, name)
            if not nexthdr:		# there are no such sockets
                continue
            # the same without an IP header of its own
            with raw(6, nexthdr, lab.right) as sender:
                tap.is_(out.attempt(lambda: sender.sendto(
                    front + tcp(6, mark), (PEER[6], 0)), mark), expected,
                    name + ", from a socket of that number")


@tap.case
def chains_that_break_off_ask_everybody():
    broken = packet.ipv6(ME[6], PEER[6], packet.DSTOPTS, b"\6\xff" + bytes(6) +
                         b"broken")
    with denying(253, "ttl 1"), denying(6, "uid 7"), \
            managed(17, lab.right, "", "hook output hdrincl uid 8 allow"):
        tap.is_([out.whole(6, broken, b"broken", uid=uid)
                 for uid in (0, 7, 8)], ["sent", "EPERM", "sent"],
                "one may deny it, all have to allow it")
    with denying(253, "src 0.0.0.0/0"):
        tap.is_(out.whole(6, broken, b"broken"), "sent",
                "rules of the other family are not asked")


@tap.case
def headers_that_the_kernel_adds():
    """IPV6_HOPOPTS, IPV6_RTHDR, IPV6_DSTOPTS, IP_OPTIONS of a raw socket."""
    for name, option, value in (
            ("hop-by-hop", 54, packet.options6(0)),
            ("destination", 59, packet.options6(0)),
            ("routing", 57, packet.routing6(0, [PEER[6]], 4, 0)[:8])):
        sticky = [(LEVEL[6], option, value)]
        if said(lambda: raw(6, 6, lab.right, options=sticky).close()) != "sent":
            tap.skip(name, "not with this kernel")
            continue
        with denying(6, "type 107"):
            tap.is_(out.send(6, 6, options=sticky), "EPERM",
                    name + ": denied, by its first byte behind them")
            tap.is_(out.send(6, 253, options=sticky), "sent",
                    name + ": another protocol")
    with denying(6, "type 107"):
        four = [(LEVEL[4], 4, b"\1\1\1\1")]
        tap.is_(out.send(4, 6, options=four), "EPERM", "IPv4 options")
        tap.is_(out.send(4, 253, options=four), "sent", "another protocol")


@tap.case
def fragments_of_the_sender():
    with denying(6, ""):
        for family in (4, 6):
            mark = token()
            got = [out.whole(family, data, mark[:4]) for data in
                   packet.fragments(ME[family], PEER[family], 6, mark * 3, 8)]
            tap.is_(got, ["EPERM"] * 3, "IPv%d: none leaves" % family)


# --- spoofed -----------------------------------------------------------------

lab.right.ip("addr add 10.9.50.1/32 dev lo", "addr add fd09:50::1/128 dev lo",
             "route add local 10.9.60.0/24 dev lo",
             "route add local fd09:60::/64 dev lo",
             "link add far type veth peer name away",
             "link set far up", "link set away up",
             "addr add fd09:70::1/64 dev far nodad")
lab.right.sysctl("net.ipv6.conf.far.forwarding", 1)
SPOOFED = {
    4: [("10.9.0.3", True), ("192.0.2.1", True), ("224.0.0.1", True),
        ("255.255.255.255", True), ("10.9.0.255", True), (PEER[4], True),
        (ME[4], False), ("10.9.50.1", False), ("127.0.0.1", False),
        ("127.8.8.8", False), ("10.9.60.77", False),
        # the kernel fills it in
        ("0.0.0.0", False)],
    6: [("fd09::3", True), ("2001:db8::1", True), ("ff02::1", True),
        (PEER[6], True), ("::", True), ("fe80::1234", True),
        (ME[6], False), ("fd09:50::1", False), ("::1", False),
        ("fd09:60::77", False), ("fd09:70::1", False),
        # the subnet router's, since far forwards
        ("fd09:70::", False)],
}


@tap.each(4, 6)
def sources(family):
    """Any address of the namespace will do, on whatever device it is."""
    with denying(253, "spoofed"):
        for src, spoofed in SPOOFED[family]:
            tap.is_(out.send(family, 253, hdr=True, src=src),
                    "EPERM" if spoofed else "sent", src)


@tap.case
def link_local_sources():
    with denying(253, "spoofed"):
        for device in ("r0", "far"):
            tap.is_(out.send(6, 253, hdr=True,
                             src=lab.right.link_local(device)), "sent",
                    "of " + device)
        tap.is_(out.send(6, 253, hdr=True, src="fe80::99"), "EPERM",
                "of nobody")
        lab.right.sysctl("net.ipv6.conf.away.accept_dad", 1)
        lab.right.sysctl("net.ipv6.conf.away.dad_transmits", 1000)
        lab.right.ip("addr add fd09:71::1/64 dev away")
        tap.is_(out.send(6, 253, hdr=True, src="fd09:71::1"), "EPERM",
                "an address that may be another's, too, is not ours yet")


# --- what is not touched -----------------------------------------------------

GROUP = {4: "239.1.2.3", 6: "ff15::77"}
OWN = (6, 17, 1, 58, 2)


def listener(family, namespace):
    with namespace:
        sock_ = socket.socket(sock.FAMILY[family], socket.SOCK_STREAM)
    sock_.settimeout(clock.PATIENCE * clock.SLOW)
    sock_.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock_.bind(("::" if family == 6 else "0.0.0.0", 7))
    sock_.listen()
    return sock_


def connect(family, client, server, addr):
    """A TCP connection, bytes both ways: what arrived."""
    with listener(family, server) as listening:
        with client:
            one = socket.socket(sock.FAMILY[family], socket.SOCK_STREAM)
        one.settimeout(clock.PATIENCE * clock.SLOW)
        with one:
            one.connect((addr, 7))
            other, _ = listening.accept()
            with other:
                one.sendall(b"there")
                other.sendall(b"back")
                return other.recv(9), one.recv(9)


def refused(family, kind, namespace, addr):
    """What a client hears from a port that nobody has."""
    with namespace:
        one = socket.socket(sock.FAMILY[family], kind)
    one.settimeout(clock.PATIENCE * clock.SLOW)

    def talk():
        one.connect((addr, 5))
        one.send(b"hello")
        one.recv(9)
    with one:
        return said(talk)


def ping(family, namespace, addr):
    """Echo request from a datagram socket, and its answer."""
    with namespace:
        one = socket.socket(sock.FAMILY[family], socket.SOCK_DGRAM,
                            sock.ICMP_OF[family])
    one.settimeout(clock.PATIENCE * clock.SLOW)
    with one:
        one.sendto(packet.echo(addr, addr, 1, 1, b"ping")[1], (addr, 0))
        return one.recv(99)[8:]


def join(family, namespace):
    """Join a group; was it reported on the wire?"""
    wanted = {4: lambda data: data[0] >> 4 == 4 and data[9] == 2,
              6: lambda data: data[0] >> 4 == 6 and data[6] == 0 and
              data[40] == 58 and data[48] == 143}[family]
    with namespace:
        one = socket.socket(sock.FAMILY[family], socket.SOCK_DGRAM)
        index = socket.if_nametoindex("r0")
    addr = socket.inet_pton(sock.FAMILY[family], GROUP[family])
    wire = Wire("r0", namespace)
    with one:
        one.setsockopt(LEVEL[family], {4: 35, 6: 20}[family],
                       addr + struct.pack("=II", 0, index) if family == 4 else
                       addr + struct.pack("=I", index))
        got = wire.wait(wanted)
    wire.close()
    return got


@tap.each(4, 6)
def the_kernel_itself(family):
    """With everything denied that it sends from raw sockets of its own."""
    for space in (lab.left, lab.right):
        space.sysctl("net.ipv4.ping_group_range", "0 2147483647")
    for proto in OWN:
        tool.do("proto add %d" % proto, lab.right)
        tool.do("rule add hook output proto %d deny" % proto, lab.right)
    try:
        for proto in OWN:
            tap.is_([out.send(family, proto, hdr=hdr) for hdr in (False, True)],
                    ["EPERM"] * 2, "raw sockets: protocol %d" % proto)
        both = (b"there", b"back")
        tap.is_(connect(family, lab.right, lab.left, PEER[family]), both,
                "a TCP connection to outside")
        tap.is_(connect(family, lab.left, lab.right, ME[family]), both,
                "and from outside")
        for kind, name in ((socket.SOCK_STREAM, "TCP reset"),
                           (socket.SOCK_DGRAM, "port unreachable")):
            tap.is_(refused(family, kind, lab.left, ME[family]),
                    "ECONNREFUSED", name)
        tap.is_(ping(family, lab.left, ME[family]), b"ping", "echo reply")
        tap.is_(ping(family, lab.right, PEER[family]), b"ping",
                "echo request from a datagram socket")
        tap.ok(join(family, lab.right), "membership report")
        if family == 6:
            lab.right.ip("neigh del fd09::1 dev r0")
            lab.left.ip("neigh del fd09::2 dev l0")
            tap.is_(ping(6, lab.right, PEER[6]), b"ping",
                    "neighbour solicitation and advertisement")
        counts = {proto: counted(tool.stats(proto, lab.right)[family])
                  for proto in OWN}
        tap.is_(counts, dict.fromkeys(OWN, (2, 0, 2)),
                "only raw sockets are counted")
    finally:
        tool.do("flush", lab.right)
        for end, peer in ((lab.r0, lab.l0), (lab.l0, lab.r0)):
            end.namespace.ip("neigh replace %s lladdr %s dev %s nud permanent" %
                             (peer.addr[6], peer.mac, end.device))


@tap.each(4, 6)
def what_comes_in(family):
    with denying(253, "", also="claim plain"), \
            Probe(lab.left, lab.right, 253, family, readers=1) as probe, \
            Count(253, family, lab.right) as count:
        tap.is_(probe.send().raw, [1], "is received")
    with denying(253, "", also="deliver none"), \
            Probe(lab.left, lab.right, 253, family, readers=1) as probe:
        with Count(253, family, lab.right) as count:
            tap.is_(probe.send().raw, [0], "or not, as ever")
        tap.is_(count.delta, {"seen": 1, "none": 1}, "and counted as ever")


@tap.case
def other_namespaces():
    there = Outgoing(lab.other, lab.o0, lab.l1)
    with denying(253, ""), denying(6, ""):
        for family in (4, 6):
            for proto in (253, 6):
                tap.is_([there.send(family, proto, hdr=hdr)
                         for hdr in (False, True)], ["sent"] * 2,
                        "IPv%d, protocol %d" % (family, proto))
    there.close()


@tap.case
def another_protocol():
    with denying(253, ""):
        for family in (4, 6):
            for proto in (254, 6, 17):
                tap.is_([out.send(family, proto, hdr=hdr)
                         for hdr in (False, True)], ["sent"] * 2,
                        "IPv%d, protocol %d" % (family, proto))


@tap.case
def around_a_packet():
    """What a tunnel or IPsec puts around it, no raw socket has sent."""
    if tool.modprobe("ipip").status and not os.path.exists("/sys/module/ipip"):
        raise tap.Skip("no IPIP here")
    lab.right.ip("link add t0 type ipip local 10.9.0.2 remote 10.9.0.1",
                 "link set t0 up", "addr add 10.99.0.1/24 dev t0")
    with denying(4, ""), denying(253, "ttl 9"):
        tap.is_([out.send(4, 253, dst="10.99.0.2", ttl=ttl) for ttl in (8, 9)],
                ["sent", "EPERM"], "IPIP around what is allowed")
        tap.is_(out.send(4, 4), "EPERM", "IPIP of a raw socket's own making")
        tap.is_(counted(tool.stats(4, lab.right)[4]), (1, 0, 1), "counters")
    lab.right.ip("link del t0")


CIPHERS = ["auth hmac(sha256) 0x%s enc cipher_null \"\"" % ("42" * 20),
           "aead rfc4106(gcm(aes)) 0x%s 128" % ("42" * 20)]


@tap.each(4, 6)
def ipsec(family):
    ends = "src %s dst %s" % (ME[family], PEER[family])
    bits = {4: 32, 6: 128}[family]
    for cipher in CIPHERS:
        if not lab.right.run("ip", "xfrm", "state", "add", *ends.split(),
                             "proto", "esp", "spi", "0x900", "mode",
                             "transport", *cipher.replace('"', "").split(),
                             *([""] if "null" in cipher else [])).returncode:
            break
    else:
        raise tap.Skip("no ESP here")
    lab.right.ip("xfrm policy add dir out src %s/%d dst %s/%d tmpl %s proto "
                 "esp mode transport" % (ME[family], bits, PEER[family], bits,
                                         ends))
    wire = Wire("r0", lab.right)
    esp = {4: lambda data: data[0] >> 4 == 4 and data[9] == 50,
           6: lambda data: data[0] >> 4 == 6 and data[6] == 50}[family]
    also = "family ipv4"		# 50 is an extension header of IPv6
    with denying(50, "", also=also), denying(253, "ttl 9"), \
            raw(family, 253, lab.right) as sender, \
            raw(family, 253, lab.right, ttl=9) as denied:
        tap.is_(said(lambda: sender.sendto(b"esp", (PEER[family], 0))), "sent",
                "allowed before it was ESP")
        tap.ok(wire.wait(esp), "and left as ESP")
        tap.is_(said(lambda: denied.sendto(b"esp", (PEER[family], 0))),
                "EPERM", "denied before it would be")
        tap.is_(counted(tool.stats(253, lab.right)[family]), (2, 1, 1),
                "counted once")
    wire.close()
    lab.right.ip("xfrm policy flush", "xfrm state flush")


# --- packet sockets ----------------------------------------------------------

def frame(family, mark):
    """A TCP segment in its Ethernet frame."""
    return bytes.fromhex((lab.l0.mac + lab.r0.mac).replace(":", "")) + \
        {4: b"\x08\x00", 6: b"\x86\xdd"}[family] + \
        packet.ip(ME[family], PEER[family], 6, tcp(family, mark))


EGRESS = """table netdev t {
	chain c {
		type filter hook egress device r0 priority 0;
		meta l4proto tcp drop
	}
}"""


@tap.each((4, "with a queue"), (6, "with a queue"), (4, "without"))
def packet_sockets_bypass_it(family, queue):
    """And an nft chain at the device's egress does not let them."""
    with lab.right:
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    if queue == "without":
        sender.setsockopt(263, 20, 1)		# PACKET_QDISC_BYPASS
    there = sock.Reader(6, family, lab.left)
    with sender, denying(6, ""), Probe(lab.left, lab.right, 252,
                                       family) as way:
        def arrives():
            there.drain()
            mark = token()
            said(lambda: sender.sendto(frame(family, mark), ("r0", 0)))
            way.flush()
            return sum(mark in data for data in there.drain())
        tap.is_(arrives(), 1, "denied to raw sockets, it arrives all the same")
        tap.is_(counted(tool.stats(6, lab.right)[family]), (0, 0, 0),
                "and is not seen")
        done = lab.right.run("nft", "-f", "-", input=EGRESS)
        if done.returncode:
            tap.skip("nft egress", done.stderr.splitlines()[0])
        else:
            tap.is_(arrives(), 0, "nft egress drops it")
            lab.right.run("nft", "flush", "ruleset")
    there.close()


# --- VRF ---------------------------------------------------------------------

@tap.each("without a queue", "watched", "with a queue")
def vrf(kind):
    """A packet passes the hook for the VRF and for its port."""
    if not os.path.exists("/sys/module/vrf") and tool.modprobe("vrf").status:
        raise tap.Skip("no VRF devices here")
    third, = netns.namespaces("third")
    near, far = netns.veth(5, lab.right, "rv", third, "tv")
    lab.right.ip("link add red type vrf table 10", "link set red up",
                 "link set rv master red")
    lab.right.ip("addr replace %s/64 dev rv nodad" % near.addr[6],
                 *("neigh replace %s lladdr %s dev rv nud permanent" %
                   (far.addr[family], far.mac) for family in (4, 6)))
    tap_ = None
    if kind == "with a queue":
        lab.right.run("tc", "qdisc", "add", "dev", "red", "root", "pfifo")
    elif kind == "watched":
        tap_ = Wire("red", lab.right)
    there = Outgoing(lab.right, near, far)
    twice = kind == "with a queue"
    for family in (4, 6):
        for hdr in (False, True):
            name = "IPv%d%s: " % (family, ", own header" if hdr else "")

            def send(**how):
                return there.send(family, 253, hdr=hdr, device="red", **how)
            with denying(253, "ttl 9"):
                tap.is_([send(ttl=ttl) for ttl in (9, 8)], ["EPERM", "sent"],
                        name + "denied and allowed")
                if not twice:
                    tap.is_(counted(tool.stats(253, lab.right)[family]),
                            (2, 1, 1), name + "each counted once")
            with denying(253, "dev red"):
                tap.is_(send(), "EPERM", name + "leaves by the VRF")
            with denying(253, "dev rv"):
                if not twice:
                    tap.is_(send(), "EPERM", name + "leaves by its port")
            with denying(253, "spoofed"):
                tap.is_(send(), "sent", name + "an address in the VRF")
                if hdr:
                    tap.is_(send(src=FOREIGN[family]), "EPERM",
                            name + "another's address")
                    tap.is_(send(src=ME[family]), "sent",
                            name + "an address outside of it, but ours")
    there.close()
    if tap_:
        tap_.close()
    lab.right.ip("link del rv", "link del red")
    third.close()


# --- the hook ----------------------------------------------------------------

def points():
    """Kraw's hooks on the way from left to right and back."""
    return [passage.points(lab.left, lab.right, family) - at_first[family]
            for family in (4, 6)]


def listed():
    """[["ip", "output"], ...] as nft has it."""
    return sorted(line.split()[:2] for line in hooks.of_module(lab.right))


def hooks_are(input_, output, name):
    """Families in which there is a hook."""
    if LISTABLE:
        words = {4: "ip", 6: "ip6"}
        tap.is_(listed(), sorted([[words[f], "input"] for f in input_] +
                                 [[words[f], "output"] for f in output]),
                name + ", says nft")
    if passage:
        tap.is_(points(), [(f in input_) + (f in output) for f in (4, 6)],
                name + ", packets say")


@tap.case
def the_hook_comes_and_goes():
    tap.ok(LISTABLE or passage, "hooks can be seen")
    hooks_are([], [], "nothing managed")
    tool.do("proto add 253", lab.right)
    tool.do("rule add proto 253 deliver raw", lab.right)
    hooks_are([4, 6], [], "rules of hook input only")
    tool.do("rule add hook output proto 253 pref 5 deny", lab.right)
    hooks_are([4, 6], [4, 6], "one of hook output")
    tool.do("proto add 254 family ipv4", lab.right)
    tool.do("rule add hook output proto 254 allow", lab.right)
    tool.do("rule del hook output proto 253 pref 5", lab.right)
    hooks_are([4, 6], [4], "one of a protocol of one family")
    tool.do("proto set 254 family ipv6", lab.right)
    hooks_are([4, 6], [6], "then of the other")
    tool.do("rule flush proto 254", lab.right)
    hooks_are([4, 6], [], "without rules")
    tool.do("rule add hook output proto 254 allow", lab.right)
    tool.do("proto del 253", lab.right)
    hooks_are([6], [6], "the other protocol alone")
    tool.do("proto del 254", lab.right)
    hooks_are([], [], "nothing managed")
    for family in (4, 6):
        tap.is_([out.send(family, 253, hdr=hdr) for hdr in (False, True)],
                ["sent"] * 2, "IPv%d: everything is as before" % family)


@tap.case
def the_end():
    tool.do("proto add 253", lab.right)
    tool.do("rule add hook output proto 253 deny", lab.right)
    tap.is_([out.send(family, 253) for family in (4, 6)], ["EPERM"] * 2,
            "denied")
    tap.ok(module.unload(), "rmmod with rules of hook output")
    tap.is_([out.send(family, 253) for family in (4, 6)], ["sent"] * 2,
            "plain Linux again")


tap.run()
