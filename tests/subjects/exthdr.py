#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
IPv6 extension headers before a managed protocol: they are processed as without
kraw, with the same ICMP errors and counters, whatever the verdict; raw sockets
get the payload behind them; the unreachable points at the next header field
that named the protocol; what kraw does not walk passes on to the kernel.
"""
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import outcome, packet, sock, tap, tool
from krawtest.manage import Count, managed
from krawtest.netns import Lab
from krawtest.packet import DSTOPTS, HOPOPTS, ROUTING
from krawtest.who import Probe, token

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
# where left sends multicasts, before the route that each of its devices has
lab.left.ip("route add multicast ff00::/8 dev l0 table local metric 1")

SRC, DST = lab.l0.addr[6], lab.r0.addr[6]
VERDICTS = ("all", "raw", "kernel", "none", "reject")
AH = 51
LOOSE = struct.pack("!BB4x", 0x1e, 4)	# unknown, to be skipped


def unknown(action):
    """An unknown option; the upper two bits say what to do."""
    return struct.pack("!BB4x", action << 6 | 0x1e, 4)


def chain(*headers, dst=DST):
    """
    Makes a packet with these headers, (number, function of the next header's
    number), before protocol 253; and its payload.
    """
    def make():
        mark = token()
        data, following = mark, 253
        for number, header in reversed(headers):
            data, following = header(following) + data, number
        return [packet.ipv6(SRC, dst, following, data)], [mark]
    return make


def options(number, content=b""):
    return number, lambda following: packet.options6(following, content)


def routing(kind, left, addrs=()):
    return ROUTING, lambda following: packet.routing6(following, addrs, kind,
                                                      left)


def cut_short():
    """A header that is longer than the packet."""
    return [packet.ipv6(SRC, DST, DSTOPTS, bytes([253, 9]) + token())], []


# name: (packet, does it arrive, the ICMP error when nobody is there)
UNREACH, UNKNOWN, FIELD = (4, 1), (4, 2), (4, 0)
TRAFFIC = {
    "none": (chain(), 1, UNREACH + (6,)),
    "hop by hop": (chain(options(HOPOPTS)), 1, UNREACH + (40,)),
    "destination options": (chain(options(DSTOPTS)), 1, UNREACH + (40,)),
    "long destination options":
        (chain(options(DSTOPTS, LOOSE * 3)), 1, UNREACH + (40,)),
    "routing 0, none left": (chain(routing(0, 0)), 1, UNREACH + (40,)),
    "routing 253, none left":
        (chain(routing(253, 0, [SRC])), 1, UNREACH + (40,)),
    "routing 0, one left": (chain(routing(0, 1, [DST])), 0, FIELD + (42,)),
    "routing 253, one left, behind options":
        (chain(options(DSTOPTS), routing(253, 1, [DST])), 0, FIELD + (50,)),
    "four headers":
        (chain(options(HOPOPTS), options(DSTOPTS), routing(0, 0),
               options(DSTOPTS)), 1, UNREACH + (64,)),
    "destination options twice":
        (chain(options(DSTOPTS, LOOSE * 2), options(DSTOPTS)), 1,
         UNREACH + (56,)),
    "unknown option, skip": (chain(options(DSTOPTS, unknown(0))), 1,
                             UNREACH + (40,)),
    "unknown option, drop": (chain(options(DSTOPTS, unknown(1))), 0, None),
    "unknown option, tell": (chain(options(DSTOPTS, unknown(2))), 0,
                             UNKNOWN + (42,)),
    "unknown option, tell unless multicast":
        (chain(options(DSTOPTS), options(DSTOPTS, unknown(3))), 0,
         UNKNOWN + (50,)),
    "unknown option hop by hop, tell":
        (chain(options(HOPOPTS, unknown(2))), 0, UNKNOWN + (42,)),
    "unknown option behind routing":
        (chain(routing(0, 0), options(DSTOPTS, unknown(2))), 0,
         UNKNOWN + (50,)),
    "cut short": (cut_short, 0, None),
}


arriving = 0		# packets sent so far that arrive


def measure(number):
    """All traffic with this many raw sockets of protocol 253."""
    def counted(make, arrives):
        """What an IPv6 multicast has spoilt is measured, so made, anew."""
        def made():
            global arriving
            arriving += arrives
            return make()
        return made
    return {name: outcome.with_readers(lab, 6, 253, counted(make, arrives),
                                       number)
            for name, (make, arrives, _) in TRAFFIC.items()}


BASE = {}


@tap.case
def plain_linux():
    for readers in (0, 2):
        BASE[readers] = measure(readers)
    for name, (_, arrives, icmp) in TRAFFIC.items():
        tap.is_((BASE[2][name].bodies, BASE[0][name].icmp),
                ([[0] * arrives] * 2, [icmp] if icmp else []), name)


@tap.each(*VERDICTS)
def compared(verdict):
    before = arriving
    with managed(253, lab.right, "deliver " + verdict):
        with Count(253, 6, lab.right) as count:
            now = {readers: measure(readers) for readers in (0, 2)}
    tap.is_((count.delta["seen"], count.delta[verdict]),
            (arriving - before,) * 2, "kraw has seen those that arrive")
    for readers, outcomes in now.items():
        for name, got in outcomes.items():
            tap.is_(*outcome.by_verdict(verdict, got, BASE[readers][name],
                                        BASE[0][name]),
                    "%s, %d raw sockets" % (name, readers))


@tap.each("all", "kernel")
def to_a_handler(verdict):
    """A claim's handler gets them, and its answer points at the same place."""
    whole = sum(arrives for _, arrives, _ in TRAFFIC.values())
    for unreach in ("never", "always"):
        with managed(253, lab.right, "claim plain deliver %s unreach %s" %
                     (verdict, unreach)):
            with Count(253, 6, lab.right) as count:
                now = measure(0)
        tap.is_(count.delta["claim_handled"], whole,
                "unreach %s: the handler had them" % unreach)
        for name, got in now.items():
            expected = BASE[0][name].icmp
            if unreach == "never":
                expected = [error for error in expected
                            if error[:2] != UNREACH]
            tap.is_(got.icmp, expected, "unreach %s: %s" % (unreach, name))


@tap.case
def what_a_rule_sees():
    """From the IPv6 header on; `type` is the first byte behind the chain."""
    first = token()[0]
    with managed(253, lab.right, "deliver none",
                 "pref 1 type %d match 'ip6[6] == 60 and ip6[40] == 253' "
                 "deliver raw" % first,
                 "pref 2 type %d match 'ip6[6] == 0 and ip6[40] == 60' "
                 "len 88 deliver raw" % first):
        for name, wanted in (("none", []), ("destination options", [0]),
                             ("hop by hop", []), ("four headers", []),
                             ("destination options twice", [])):
            tap.is_(outcome.with_readers(lab, 6, 253, TRAFFIC[name][0],
                                         1).bodies, [wanted], name)
        make = chain(options(HOPOPTS), options(DSTOPTS),
                     options(DSTOPTS, LOOSE * 3))
        tap.is_(outcome.with_readers(lab, 6, 253, make, 1).bodies, [[0]],
                "three headers, by length")


@tap.each(DSTOPTS, ROUTING)
def sockets_of_the_header(number):
    """A raw socket of an extension header's number gets what it gets."""
    names = ("destination options", "routing 0, none left", "four headers",
             "unknown option, tell", "routing 0, one left")

    def each_header():
        out = {}
        for name in names:
            packets, payloads = TRAFFIC[name][0]()
            with sock.Reader(number, 6, lab.right) as reader, \
                    Probe(lab.left, lab.right, 253, 6) as probe:
                probe.transmit(packets, [])
                out[name] = [data.replace(payloads[0], b"")
                             for data in reader.drain()]
        return out

    plain = each_header()
    tap.is_(len(plain["four headers"]), 2 if number == DSTOPTS else 1,
            "plain Linux: one copy each")
    for verdict in VERDICTS:
        with managed(253, lab.right, "deliver " + verdict):
            tap.is_(each_header(), plain, "deliver " + verdict)


@tap.case
def to_a_multicast_address():
    """Of these errors only one may be sent for a multicast (RFC 4443)."""
    with lab.right:
        member = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                          socket.inet_pton(socket.AF_INET6, "ff02::5") +
                          struct.pack("=I", socket.if_nametoindex("r0")))

    def errors():
        out = []
        for header in (options(DSTOPTS), options(DSTOPTS, unknown(2)),
                       options(DSTOPTS, unknown(3))):
            packets, _ = chain(header, dst="ff02::5")()
            with Probe(lab.left, lab.right, 253, 6) as probe:
                out.append(probe.transmit(packets, [b""]).icmp)
        return out

    plain = errors()
    tap.is_(plain, [[], [UNKNOWN + (42,)], []], "plain Linux")
    for verdict in VERDICTS:
        with managed(253, lab.right, "deliver " + verdict):
            tap.is_(errors(), plain, "deliver " + verdict)
    member.close()


@tap.case
def authentication_header():
    """Without a security association: the kernel's, whatever that does."""
    def ah():
        mark = token()
        return [packet.ipv6(SRC, DST, AH, struct.pack("!BBHII12x", 253, 4, 0,
                                                      0x1234, 1) + mark)], \
            [mark]

    def behind_options():
        mark = token()
        header = struct.pack("!BBHII12x", 253, 4, 0, 0x1234, 1)
        return [packet.ipv6(SRC, DST, DSTOPTS, packet.options6(AH) + header +
                            mark)], [mark]

    for handler in ("without ah6", "with ah6"):
        if handler == "with ah6" and tool.modprobe("ah6").status:
            tap.skip(handler, "no ah6 here")
            break
        for make in (ah, behind_options):
            name = handler + ", " + make.__name__.replace("_", " ")
            plain = outcome.with_readers(lab, 6, 253, make, 1)
            tap.is_(plain.bodies, [[]], name + ": plain Linux discards it")
            for verdict in VERDICTS:
                with managed(253, lab.right, "deliver " + verdict):
                    with Count(253, 6, lab.right) as count:
                        now = outcome.with_readers(lab, 6, 253, make, 1)
                tap.is_(now._asdict(), plain._asdict(),
                        "%s: deliver %s" % (name, verdict))
                tap.ok(count.delta and count.delta ==
                       {"seen": count.delta["seen"],
                        "passed": count.delta["seen"]},
                       "%s: counted as passed" % name, count.delta)


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
