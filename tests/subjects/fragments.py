#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Fragmented datagrams: whatever the order and whatever the verdict, they are
joined as without kraw - the same counters, the same ICMP errors - and who the
verdict names receives each whole datagram exactly once.  Fragments of other
protocols are left alone.
"""
import itertools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, outcome, packet, sock, tap, tool
from krawtest.counters import Watch
from krawtest.manage import Count, managed
from krawtest.netns import SOURCES, Lab
from krawtest.who import Probe, token

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())

VERDICTS = ("all", "raw", "kernel", "none", "reject")
SIZE = 96
idents = itertools.count(0x100)


# --- the datagrams -----------------------------------------------------------

class Datagram:
    """A body that starts with a mark, and its fragments."""
    def __init__(self, family, proto, src, length=400, before=b""):
        self.src = src or lab.l0.addr[family]
        self.body = token() + bytes(i & 0xff for i in range(length))
        self.parts = packet.fragments(
            self.src, lab.r0.addr[family],
            packet.DSTOPTS if before else proto, before + self.body, SIZE,
            ident=next(idents))


def in_order(family, proto, src=None):
    one = Datagram(family, proto, src)
    return one.parts, [one.body]


def reversed_(family, proto, src=None):
    one = Datagram(family, proto, src)
    return one.parts[::-1], [one.body]


def first_one_last(family, proto, src=None):
    one = Datagram(family, proto, src)
    return one.parts[1:] + one.parts[:1], [one.body]


def two_mixed(family, proto, src=None):
    """Two datagrams, alternating, one of them backwards."""
    one, two = (Datagram(family, proto, src) for _ in range(2))
    parts = [part for pair in zip(one.parts, two.parts[::-1]) for part in pair]
    return parts, [one.body, two.body]


def one_twice(family, proto, src=None):
    """A fragment that comes again before the last one."""
    one = Datagram(family, proto, src)
    return one.parts[:2] + one.parts[1:], [one.body]


def overlapping(family, proto, src=None):
    """Two that disagree: the whole datagram is discarded."""
    one = Datagram(family, proto, src)
    other = packet.fragments(one.src, lab.r0.addr[family], proto,
                             b"x" * 200, 104, ident=next(idents) - 1)
    return one.parts[:2] + other[1:2], []


def two_pieces(family, proto, src=None):
    one = Datagram(family, proto, src, length=SIZE)
    return one.parts, [one.body]


def options_within(family, proto, src=None):
    """Destination options in the fragmentable part."""
    one = Datagram(family, proto, src, before=packet.options6(proto))
    return one.parts, [one.body]


def options_within_reversed(family, proto, src=None):
    one = Datagram(family, proto, src, before=packet.options6(proto))
    return one.parts[::-1], [one.body]


def with_headers(one, number, header):
    """Each fragment with a header before its fragment header."""
    out = []
    for part in one.parts:
        seen = packet.Seen(part)
        out.append(packet.ipv6(seen.src, seen.dst, number,
                               header + seen.payload))
    return out


def options_outside(family, proto, src=None):
    """Destination options before the fragment header."""
    one = Datagram(family, proto, src)
    return with_headers(one, packet.DSTOPTS,
                        packet.options6(packet.FRAGMENT)), [one.body]


def hop_by_hop_outside(family, proto, src=None):
    one = Datagram(family, proto, src)
    return with_headers(one, packet.HOPOPTS,
                        packet.options6(packet.FRAGMENT)), [one.body]


def atomic(family, proto, src=None):
    """A fragment header, but no fragment (RFC 6946)."""
    mark = token()
    return [packet.ipv6(src or lab.l0.addr[6], lab.r0.addr[6], packet.FRAGMENT,
                        packet.fragment6(proto, 0, 0, next(idents)) + mark)], \
        [mark]


def not_a_multiple(family, proto, src=None):
    """Not the last one, and its length is no multiple of 8."""
    mark = token() + b"x"
    return [packet.ipv6(src or lab.l0.addr[6], lab.r0.addr[6], packet.FRAGMENT,
                        packet.fragment6(proto, 0, 1, next(idents)) + mark)], []


def chain_cut(family, proto, src=None):
    """The first fragment ends within the extension headers (RFC 7112)."""
    one = Datagram(family, proto, src,
                   before=packet.options6(proto, bytes(SIZE)))
    return one.parts, []


COMMON = [in_order, reversed_, first_one_last, two_mixed, one_twice,
          overlapping, two_pieces]
TRAFFIC = {
    4: COMMON,
    6: COMMON + [options_within, options_within_reversed, options_outside,
                 hop_by_hop_outside, atomic, not_a_multiple, chain_cut],
}

# --- what comes of them ------------------------------------------------------

def once(family, proto, traffic, readers=(), src=None):
    """Send one kind of traffic to these raw sockets."""
    return outcome.once(lab, family, proto,
                        lambda: traffic(family, proto, src), readers)


def complete(family, traffic):
    """How many whole datagrams this traffic makes."""
    return len(traffic(family, 253, None)[1])


def name_of(traffic):
    return traffic.__name__.strip("_").replace("_", " ")


def measure(family, proto, number):
    """All traffic with this many raw sockets."""
    readers = [sock.Reader(proto, family, lab.right) for _ in range(number)]
    try:
        return {traffic: once(family, proto, traffic, readers)
                for traffic in TRAFFIC[family]}
    finally:
        for reader in readers:
            reader.close()


@tap.each(4, 6)
def one_is_missing(family):
    """
    A datagram that never becomes whole: time exceeded, as in plain Linux, and
    nobody gets anything.  One source for each verdict, so one wait for all.
    """
    patience = "net.ipv4.ipfrag_time" if family == 4 else \
        "net.ipv6.ip6frag_time"
    lab.right.sysctl(patience, 1)
    sources = [addr for _, addr in SOURCES[family]][:len(VERDICTS)]
    exceeded = {4: (11, 1, 0), 6: (3, 1, 0)}[family]
    group = "Ip" if family == 4 else "Ip6"

    def measured():
        with Watch(lab.right) as watch, \
                sock.Reader(sock.ICMP_OF[family], family, lab.left) as icmp, \
                sock.Reader(253, family, lab.right) as reader, \
                Probe(lab.left, lab.right, 253, family) as probe:
            errors = []
            for source in sources:
                parts = Datagram(family, 253, source).parts
                probe.transmit(parts[:2] + parts[3:], [])

            def told():
                errors.extend(error.what for error in (
                    packet.icmp_error(family, data) for data in icmp.drain())
                    if error)
                return len(errors) >= len(sources)
            clock.wait_until(told)
            bodies = reader.drain()
        return bodies, errors, {name: value for name, value in
                                watch.delta.items()
                                if name.startswith(group + "Reasm")}

    plain = measured()
    tap.is_(plain[:2], ([], [exceeded] * len(sources)), "plain Linux")
    rules = ["src %s deliver %s" % (source, verdict)
             for source, verdict in zip(sources, VERDICTS)]
    with managed(253, lab.right, "", *rules):
        with Count(253, family, lab.right) as count:
            now = measured()
        tap.is_(now[:2], plain[:2], "with kraw: the same")
        tap.is_(now[2], plain[2], "the same counters")
        tap.is_(count.delta, {}, "kraw has seen none")
    # nothing that stays incomplete disturbs the other cases
    lab.right.sysctl(patience, 600)


BASE = {}


@tap.each(4, 6)
def plain_linux(family):
    for readers in (0, 2):
        BASE[family, readers] = measure(family, 253, readers)
        for traffic, got in BASE[family, readers].items():
            whole = complete(family, traffic)
            tap.is_([sorted(bodies) for bodies in got.bodies],
                    [list(range(whole))] * readers,
                    "%s, %d raw sockets: each gets %d" %
                    (name_of(traffic), readers, whole))
    group = "Ip" if family == 4 else "Ip6"
    got = BASE[family, 2][two_mixed].counters
    tap.is_((got.get(group + "ReasmReqds"), got.get(group + "ReasmOKs")),
            (10, 2), "reassembly is counted")
    tap.ok(BASE[family, 0][in_order].icmp, "nobody: unreachable")


@tap.each(*((family, verdict) for family in (4, 6) for verdict in VERDICTS))
def whole_or_nothing(family, verdict):
    """By verdict, with and without raw sockets, compared with plain Linux."""
    whole = 2 * sum(complete(family, traffic) for traffic in TRAFFIC[family])
    with managed(253, lab.right, "deliver " + verdict):
        with Count(253, family, lab.right) as count:
            outcomes = {readers: measure(family, 253, readers)
                        for readers in (0, 2)}
        tap.is_((count.delta["seen"], count.delta[verdict]), (whole, whole),
                "kraw has seen whole datagrams, and no fragments")
    for readers in outcomes:
        for traffic in TRAFFIC[family]:
            tap.is_(*outcome.by_verdict(verdict, outcomes[readers][traffic],
                                        BASE[family, readers][traffic],
                                        BASE[family, 0][traffic]),
                    "%s, %d raw sockets" % (name_of(traffic), readers))


def measure_one(family, traffic, number):
    """One kind of traffic with this many raw sockets."""
    return outcome.with_readers(lab, family, 253,
                                lambda: traffic(family, 253, None), number)


@tap.each(4, 6)
def to_a_handler(family):
    """A claim's handler gets whole datagrams, too."""
    with managed(253, lab.right, "claim plain deliver kernel"):
        for traffic in (in_order, reversed_, two_mixed):
            with Count(253, family, lab.right) as count:
                got = measure_one(family, traffic, 1)
            whole = complete(family, traffic)
            tap.is_((got.bodies, got.icmp, count.delta.get("claim_handled")),
                    ([[]], [], whole), name_of(traffic))


@tap.each(4, 6)
def by_rules(family):
    """
    A rule sees the joined datagram: its length, its first byte, and the
    source of all its fragments.
    """
    # IP header and the mark before the 400 bytes
    length = {4: 20, 6: 40}[family] + 8 + 400
    with managed(253, lab.right, "deliver none",
                 "pref 1 len %d type %d deliver raw" % (length, token()[0])):
        got = measure_one(family, reversed_, 1)
        tap.is_(got.bodies, [[0]], "exact length and first byte")
        if family == 6:
            # an extension header that was processed is still part of it
            tap.is_(measure_one(family, options_outside, 1).bodies, [[]],
                    "with options it is longer")
    for verdict, bodies in (("raw", [[0]]), ("none", [[]])):
        with managed(253, lab.right, "deliver " +
                     ("none" if verdict == "raw" else "raw"),
                     "src %s deliver %s" % (SOURCES[family][0][0], verdict)):
            for source, wanted in ((SOURCES[family][0][1], bodies),
                                   (None, [[]] if bodies[0] else [[0]])):
                with sock.Reader(253, family, lab.right) as reader:
                    got = once(family, 253, reversed_, [reader], src=source)
                tap.is_(got.bodies, wanted, "%s by source, from %s" %
                        (verdict, "there" if source else "elsewhere"))


@tap.each(4, 6)
def other_protocols(family):
    """Fragments of what is not managed, with another number managed."""
    def all_of_it():
        return {(traffic, readers): got for readers in (0, 1)
                for traffic, got in measure(family, 254, readers).items()}
    plain = all_of_it()
    with managed(253, lab.right, "deliver none"):
        with Count(253, family, lab.right) as count:
            now = all_of_it()
        tap.is_(count.delta, {}, "kraw counts none of them")
    for (traffic, readers), got in plain.items():
        tap.is_(now[traffic, readers]._asdict(), got._asdict(),
                "%s, %d raw sockets" % (name_of(traffic), readers))


@tap.each(4, 6)
def echo_in_fragments(family):
    """The kernel's own ping still answers fragmented requests."""
    src, dst = lab.l0.addr[family], lab.r0.addr[family]

    def answers():
        mark = token()
        proto, request = packet.echo(src, dst, 7, 7, mark + bytes(300))
        with Probe(lab.left, lab.right, proto, family, answers=True) as probe:
            got = probe.transmit(packet.fragments(src, dst, proto, request,
                                                  SIZE, ident=next(idents)),
                                 [mark])
        return [data[0] for data in got.answers if mark in data]

    reply = {4: 0, 6: 129}[family]
    tap.is_(answers(), [reply], "plain Linux")
    with managed(253, lab.right, "deliver none"):
        tap.is_(answers(), [reply], "253 is managed")


@tap.case
def sockets_of_the_fragment_header():
    """A raw socket of protocol 44 gets each fragment, as in plain Linux."""
    def each_fragment(traffic):
        parts, _ = traffic(6, 253, None)
        with sock.Reader(packet.FRAGMENT, 6, lab.right) as reader, \
                Probe(lab.left, lab.right, 253, 6, readers=1) as probe:
            probe.transmit(parts, [])
            return [alike(data) for data in reader.drain()]

    def alike(data):
        """Without ident and mark, which differ each time."""
        data = data[:4] + data[8:]
        mark = data.find(token()[:4])
        return data if mark < 0 else data[:mark] + data[mark + 8:]

    kinds = (in_order, reversed_, options_within, options_outside, atomic,
             overlapping)
    plain = {traffic: each_fragment(traffic) for traffic in kinds}
    tap.is_(len(plain[in_order]), 5, "plain Linux: five fragments")
    for verdict in VERDICTS:
        with managed(253, lab.right, "deliver " + verdict):
            for traffic in kinds:
                tap.is_(each_fragment(traffic), plain[traffic],
                        "%s, %s" % (verdict, name_of(traffic)))


@tap.each(4, 6)
def joined_by_conntrack(family):
    """Connection tracking joins fragments before the hook."""
    table = "table inet t { chain c { type filter hook prerouting " \
        "priority 0; ct state new accept; }; }"
    done = lab.right.run("nft", table)
    if done.returncode:
        raise tap.Skip("no connection tracking in nft: " +
                       done.stderr.splitlines()[0])
    kinds = [traffic for traffic in TRAFFIC[family]
             if traffic not in (overlapping, one_twice)]

    def all_of_it(number):
        return {traffic: measure_one(family, traffic, number)
                for traffic in kinds}
    try:
        plain = all_of_it(1)
        with managed(253, lab.right, "deliver raw"):
            now = all_of_it(1)
            for traffic in kinds:
                tap.is_(now[traffic]._asdict(), plain[traffic]._asdict(),
                        "raw, " + name_of(traffic))
            tool.do("proto set 253 deliver none", lab.right)
            tap.is_(measure_one(family, reversed_, 1).bodies, [[]], "none")
    finally:
        lab.right.run("nft", "delete table inet t")


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
