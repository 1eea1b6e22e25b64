#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Verdict reject: nobody receives the packet, and the sender is told as Linux
tells it of a protocol that it does not know - the same bytes, the same limits,
and silence where an ICMP error must not be sent.
"""
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import packet, sock, tap, tool
from krawtest.counters import Watch
from krawtest.manage import Count, managed
from krawtest.netns import SOURCES, Lab
from krawtest.who import UNREACH, Marker, Probe, token

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
# where left sends multicasts, before the route that each of its devices has
lab.left.ip("route add 224.0.0.0/4 dev l0",
            "route add multicast ff00::/8 dev l0 table local metric 1")

BROADCAST_MAC = "ff:ff:ff:ff:ff:ff"
GROUP_MAC = {4: "01:00:5e:00:00:01", 6: "33:33:00:00:00:01"}
ETHERTYPE = {4: 0x0800, 6: 0x86dd}
MANY = 20
BURST = 6	# answers to one peer before the limit holds (XRLIM_BURST_FACTOR)


def errors(family, packets):
    """The ICMP errors that these packets cause: (header, message) each."""
    with sock.Reader(sock.ICMP_OF[family], family, lab.left) as reader, \
            Probe(lab.left, lab.right, 253, family) as probe:
        probe.flush()
        reader.drain()
        del reader.headers[:]
        probe.transmit(packets, [])
        messages = reader.drain()
    # an IPv4 header without its ident and its checksum
    heads = [head[:4] + head[6:10] + head[12:] for head in reader.headers]
    return list(zip(heads or [b""] * len(messages), messages))


def inject(family, data, mac=None):
    """Send an IP packet to a link address of choice; the ICMP errors."""
    frame = bytes.fromhex((mac or lab.r0.mac).replace(":", "")) + \
        bytes.fromhex(lab.l0.mac.replace(":", "")) + \
        struct.pack("!H", ETHERTYPE[family]) + data
    marker = Marker(lab.l0, lab.r0)
    with lab.left:
        link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    with sock.Reader(sock.ICMP_OF[family], family, lab.left) as reader:
        link.bind(("l0", 0))
        link.send(frame)
        marker.flush()
        told = [packet.icmp_error(family, one) for one in reader.drain()]
    link.close()
    marker.close()
    return [error.what for error in told if error]


def samples(family):
    """Packets of protocol 253 of many forms, by name."""
    src, dst = lab.l0.addr[family], lab.r0.addr[family]
    # without an ident Linux would choose one
    more = {"ident": 0x6b72} if family == 4 else {}

    def ip(*args, **words):
        return packet.ip(*args, **words, **more)

    out = {
        "short": [ip(src, dst, 253, b"kraw")],
        "empty": [ip(src, dst, 253, b"")],
        "full": [ip(src, dst, 253, bytes(range(256)) * 5)],
        "last hop": [ip(src, dst, 253, token(), ttl=1)],
    }
    if family == 4:
        out.update({
            "type of service": [ip(src, dst, 253, token(), tos=0xb8)],
            "options": [ip(src, dst, 253, token(), options=b"\x01" * 4)],
            "fragments": packet.fragments(src, dst, 253, bytes(500), 104),
        })
    else:
        out.update({
            "traffic class": [ip(src, dst, 253, token(), tclass=0xb8)],
            "options": [ip(src, dst, packet.DSTOPTS,
                           packet.options6(253) + token())],
            "fragments": packet.fragments(src, dst, 253, bytes(500), 104),
        })
    return out


@tap.each(4, 6)
def told_as_linux_tells_it(family):
    sent = samples(family)
    plain = {name: errors(family, data) for name, data in sent.items()}
    limit = {4: 576 - 28, 6: 1280 - 48}[family]	# of what is quoted
    (_, message), = plain["full"]
    tap.is_(packet.icmp_error(family, message).what, UNREACH[family],
            "plain Linux: type, code, pointer")
    tap.is_(packet.icmp_error(family, message).quoted,
            sent["full"][0][:limit], "plain Linux: the quoted packet")
    for words in ("deliver reject", "claim plain deliver reject",
                  "deliver reject unreach never"):
        with managed(253, lab.right, words):
            with Count(253, family, lab.right) as count:
                now = {name: errors(family, data)
                       for name, data in sent.items()}
        for name in sent:
            tap.ok(now[name] == plain[name], "%s: %s" % (words, name),
                   "%r\n%r" % (now[name], plain[name]))
        tap.is_(count.delta, dict.fromkeys(("seen", "reject", "unreach"),
                                           len(sent)), words + ": counters")


@tap.each(4, 6)
def nobody_else_has_it(family):
    """Neither raw sockets nor the kernel's own protocols."""
    src, dst = lab.l0.addr[family], lab.r0.addr[family]
    mark = token()
    bodies = {packet.UDP: packet.udp(src, dst, 3000, 3001, mark),
              packet.TCP: packet.tcp(src, dst, 3000, 3001, data=mark)}
    bodies.update([packet.echo(src, dst, 1, 1, mark)])
    for proto, body in bodies.items():
        with managed(proto, lab.right, "",
                     "src %s deliver reject" % src):
            with Watch(lab.right) as watch, \
                    Probe(lab.left, lab.right, proto, family, readers=1,
                          answers=True) as probe:
                got = probe.transmit([packet.ip(src, dst, proto, body)],
                                     [mark])
        answers = [data for data in got.answers
                   if packet.icmp_error(family, data) is None or
                   proto not in sock.ICMP_OF.values()]
        tap.is_((got.raw, got.icmp), ([0], [UNREACH[family]]),
                "protocol %d: unreachable" % proto)
        tap.is_([data for data in answers if mark in data or
                 proto == packet.TCP], [], "protocol %d: no answer" % proto)
        tap.is_(watch.delta.get("IpInUnknownProtos" if family == 4 else
                                "Ip6InUnknownProtos"), 1,
                "protocol %d: counted as unknown" % proto)


@tap.each(4, 6)
def not_for_many(family):
    """Silence for what was not sent to this host alone."""
    src, dst = lab.l0.addr[family], lab.r0.addr[family]

    def data(dst=dst, src=src):
        return packet.ip(src, dst, 253, token())

    cases = [("to this host", data(), None),
             ("broadcast of the link", data(), BROADCAST_MAC),
             ("multicast of the link", data(), GROUP_MAC[family])]
    if family == 4:
        cases += [("broadcast of the network", data("10.9.0.255"), None),
                  ("limited broadcast", data("255.255.255.255"), None),
                  ("multicast", data("224.0.0.1"), GROUP_MAC[4])]
    else:
        cases += [("multicast", data("ff02::1"), GROUP_MAC[6]),
                  ("no source", data(src="::"), None)]

    def answers():
        return {name: inject(family, frame, mac) for name, frame, mac in cases}

    plain = answers()
    tap.is_(plain, {name: [UNREACH[family]] if name == "to this host" else []
                    for name, _, _ in cases}, "plain Linux")
    with managed(253, lab.right, "deliver reject"):
        with Count(253, family, lab.right) as count:
            now = answers()
        tap.is_(now, plain, "rejected")
        tap.is_(count.delta.get("reject"), len(cases), "kraw has seen all")


@tap.each(4, 6)
def never_for_an_error(family):
    """ICMP is managed, and errors are rejected: still no answer to them."""
    src, dst = lab.l0.addr[family], lab.r0.addr[family]
    proto = sock.ICMP_OF[family]
    # unknown types: 40 is an error by Linux's reckoning, 100 by RFC 4443
    kinds = {4: (3, 5, 11, 12, 40), 6: (1, 2, 3, 4, 100)}[family]

    def error(kind):
        # our own packet in it, so that nothing acts on it
        quoted = packet.ip(dst, src, 253, token())
        text = struct.pack("!BBHI", kind, 0, 0, 0) + quoted
        head = packet.pseudo(src, dst, proto, len(text)) if family == 6 \
            else b""
        return packet.ip(src, dst, proto, text[:2] + struct.pack(
            "!H", packet.checksum(head + text)) + text[4:])

    _, request = packet.echo(src, dst, 1, 1, token())
    ping = packet.ip(src, dst, proto, request)
    rules = ["type %d deliver reject" % kind for kind in kinds]
    with managed(proto, lab.right, "", *rules):
        for kind in kinds:
            with Count(proto, family, lab.right) as count:
                got = inject(family, error(kind))
            tap.is_((got, count.delta.get("reject")), ([], 1),
                    "type %d: rejected, silently" % kind)
        tap.is_(inject(family, ping), [], "an echo request is answered")
        tool.do("rule add proto %d type %d deliver reject" %
                (proto, request[0]), lab.right)
        tap.is_(inject(family, ping), [UNREACH[family]],
                "an echo request that is rejected: unreachable")
        if family == 4:
            # no type at all: no rule on types can match
            tool.do("rule flush proto 1", lab.right)
            tool.do("proto set 1 deliver reject", lab.right)
            tap.is_(inject(4, packet.ipv4(src, dst, proto, b"")), [],
                    "ICMP without a type: silently")


LIMIT = {4: ("net.ipv4.icmp_ratelimit", "net.ipv4.icmp_ratemask", 10000, 3),
         # a route of 64 bits gets four times as much, but not in 7.3
         6: ("net.ipv6.icmp.ratelimit", "net.ipv6.icmp.ratemask", 40000, 4)}
OUT = {4: "IcmpOutDestUnreachs", 6: "Icmp6OutParmProblems"}


@tap.each(4, 6)
def limited_as_all_icmp(family):
    """
    As many answers to one peer as in plain Linux; a peer each, because the
    limit has a memory.
    """
    peers = (addr for _, addr in SOURCES[family])
    limit, mask, value, kind = LIMIT[family]

    def answers(peer):
        with Watch(lab.right) as watch, \
                Probe(lab.left, lab.right, 253, family, src=peer) as probe:
            got = probe.send(MANY)
        return len(got.icmp), watch.delta.get(OUT[family], 0)

    lab.right.sysctl(limit, value)
    lab.right.sysctl(mask, 1 << kind if family == 4 else kind)
    try:
        plain = answers(next(peers))
        if family == 6 and plain == (1, 1):
            lab.right.sysctl(limit, value // 4)
            plain = answers(next(peers))
        tap.is_(plain, (BURST, BURST), "plain Linux: a burst, no more")
        with managed(253, lab.right, "deliver reject"):
            with Count(253, family, lab.right) as count:
                tap.is_(answers(next(peers)), plain, "rejected")
            tap.is_(count.delta["unreach"], MANY,
                    "counted before the limit")
            lab.right.sysctl(mask, 0)
            tap.is_(answers(next(peers)), (MANY, MANY),
                    "this type is not limited")
            lab.right.sysctl(mask, 1 << kind if family == 4 else kind)
            lab.right.sysctl(limit, 0)
            tap.is_(answers(next(peers)), (MANY, MANY), "no limit")
    finally:
        lab.right.sysctl(limit, 0)
        lab.right.sysctl(mask, 0)


@tap.each(4, 6)
def to_itself(family):
    """Over the loopback device, where there is no limit."""
    me = lab.r0.addr[family]
    limit, mask, value, kind = LIMIT[family]

    def answers():
        sender = sock.Sender(family, lab.right)
        mark = token()
        with sock.Reader(sock.ICMP_OF[family], family, lab.right) as reader:
            for _ in range(MANY):
                sender.send(packet.ip(me, me, 253, mark))
            told = [packet.icmp_error(family, data)
                    for data in reader.wait(MANY)]
        sender.close()
        return [error.what for error in told if error and mark in error.quoted]

    lab.right.sysctl(limit, value)
    lab.right.sysctl(mask, 1 << kind if family == 4 else kind)
    try:
        plain = answers()
        tap.is_(plain, [UNREACH[family]] * MANY, "plain Linux")
        with managed(253, lab.right, "deliver reject"):
            tap.is_(answers(), plain, "rejected")
    finally:
        lab.right.sysctl(limit, 0)
        lab.right.sysctl(mask, 0)


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
