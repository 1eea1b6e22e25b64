#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# cpus: 2
# leaves: sctp.ko, which cannot be unloaded
"""
`deliver one`: exactly one of the raw sockets that match gets a packet.  Which
one is the flow's; it changes only when that socket goes, when one comes that is
before it in the flow's order, or while its buffer is full.  What a chosen socket
refuses nobody gets, and whatever does not match is never chosen.
"""
import contextlib
import itertools
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, netns, packet, sock, tap, tool
from krawtest.manage import Count, managed
from krawtest.netns import SOURCES, Lab
from krawtest.who import UNREACH, Probe

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
lab.left.ip("route add 224.0.0.0/4 dev l0",
            "route add multicast ff00::/8 dev l0 table local metric 1")

SO_REUSEPORT, SO_RCVBUFFORCE, SO_MEMINFO = 15, 33, 55
OSPF, DCCP, ESP, AH, UDPLITE = 89, 33, 50, 51, 136
MANY = clock.SLOW == 1	# packets cost much on a debug kernel
READERS, FLOWS = 8, 4096 if MANY else 1024
serial = itertools.count(1)


def opened(stack, number, family, proto=253, room=16 << 20, **how):
    """Raw sockets in right that can queue whatever a case sends."""
    readers = [stack.enter_context(sock.Reader(proto, family, lab.right, **how))
               for _ in range(number)]
    for reader in readers:
        if room:
            reader.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, room)
    return readers


def source(family, number):
    """An address of nobody's, a different one for each number."""
    return "10.%d.%d.%d" % (32 + (number >> 16), number >> 8 & 255,
                            number & 255) if family == 4 else \
        "fd20::%x:%x" % (number >> 16, number & 0xffff)


def by_source(family, numbers, proto=253):
    """Packets of as many flows; each ends in four bytes of its own."""
    dst = lab.r0.addr[family]
    for number in numbers:
        yield packet.ip(source(family, number), dst, proto,
                        bytes(8) + struct.pack("!I", next(serial)))


def by_head(family, proto, heads, ahead=b"", src=None):
    """Packets of one pair of addresses that begin with `ahead` and a head."""
    src = src or lab.l0.addr[family]
    for head in heads:
        yield packet.ip(src, lab.r0.addr[family], proto,
                        ahead + head + bytes(16) +
                        struct.pack("!I", next(serial)))


def deal(probe, readers, packets):
    """
    Send; for each packet the indices of the readers that got it: a list with
    one entry is what `deliver one` is about.
    """
    packets = list(packets)
    number = {data[-4:]: i for i, data in enumerate(packets)}
    had = [[] for _ in packets]
    probe.readers = readers
    probe.transmit(packets, (), drain=False)
    for index, reader in enumerate(readers):
        for data in reader.drain():
            if data[-4:] in number:
                had[number[data[-4:]]].append(index)
    return had


def probed(family, proto=253):
    """A Probe from left to right."""
    return Probe(lab.left, lab.right, proto, family)


def owners(had, name):
    """The one reader of each packet, after a look that there is exactly one."""
    tap.is_([i for i, who in enumerate(had) if len(who) != 1], [],
            name + ": each packet has one reader")
    return [who[0] if who else None for who in had]


def shares(owner, readers):
    """How many packets each reader got."""
    return [owner.count(index) for index in range(readers)]


def within(share, part, flows, sigma=4.5):
    """
    As even as chance is: a share of `flows` independent draws; one in 150 000
    honest ones is further off than this.
    """
    mean = flows * part
    return abs(share - mean) <= sigma * (mean * (1 - part)) ** 0.5


def drops(reader):
    """Packets that the socket has refused (SK_MEMINFO_DROPS)."""
    return struct.unpack_from("=I", reader.sock.getsockopt(
        socket.SOL_SOCKET, SO_MEMINFO, 36), 32)[0]


# --- the choice --------------------------------------------------------------

@tap.each(4, 6)
def even(family):
    """
    Shares of 8 readers.  Of 4096 flows chance alone leaves a share 4 % off (one
    sigma), so the 10 % are asked of four times as many; each 4096 of them, on a
    debug kernel a quarter of that, must be what chance allows.
    """
    sent = []
    with managed(253, lab.right, "deliver one"), \
            contextlib.ExitStack() as stack, probed(family) as probe, \
            Count(253, family, lab.right) as count:
        readers = opened(stack, READERS, family)
        for first in range(0, 4 * FLOWS if MANY else FLOWS, FLOWS):
            part = owners(deal(probe, readers, by_source(
                family, range(first, first + FLOWS))), "from %d on" % first)
            got = shares(part, READERS)
            tap.ok(all(within(share, 1 / READERS, FLOWS) for share in got),
                   "as even as chance is", got)
            sent += part
    got = shares(sent, READERS)
    tap.diag("IPv%d: %s" % (family, got))
    if MANY:
        tap.ok(all(abs(share * READERS / len(sent) - 1) <= 0.1
                   for share in got), "within 10 % of even", got)
    tap.is_(count.delta, {"seen": len(sent), "one": len(sent),
                          "raw_matched": len(sent), "raw_copies": len(sent)},
            "counters")


@tap.each(4, 6)
def few_and_many_readers(family):
    flows = 2048 if MANY else 640
    with managed(253, lab.right, "deliver one"), probed(family) as probe:
        for number in (1, 2, 3, 64):
            with contextlib.ExitStack() as stack:
                readers = opened(stack, number, family)
                got = shares(owners(deal(probe, readers, by_source(
                    family, range(flows))), "%d readers" % number), number)
            # few draws each: far off on one side is less rare
            tap.ok(all(within(share, 1 / number, flows, 7) for share in got),
                   "%d readers: even" % number, got)


@tap.each(4, 6)
def who_comes_and_who_goes(family):
    """A flow stays; one reader's end moves its flows, a new one takes a share."""
    flows = range(FLOWS // 2)
    with managed(253, lab.right, "deliver one"), \
            contextlib.ExitStack() as stack, probed(family) as probe:
        readers = opened(stack, READERS, family)
        before = owners(deal(probe, readers, by_source(family, flows)),
                        "before")
        for again in range(2):
            tap.is_(owners(deal(probe, readers, by_source(family, flows)),
                           "again"), before, "a flow stays with its reader")
        gone = 3
        readers[gone].close()
        rest = readers[:gone] + readers[gone + 1:]
        index = [readers.index(reader) for reader in rest]
        after = [index[i] for i in owners(deal(
            probe, rest, by_source(family, flows)), "after a reader's end")]
        tap.is_([now for was, now in zip(before, after)
                 if was != gone and was != now], [], "no other flow moved")
        moved = [now for was, now in zip(before, after) if was == gone]
        tap.ok(all(within(moved.count(i), 1 / len(rest), len(moved), 5)
                   for i in index), "its flows went to all others alike",
               [moved.count(i) for i in index])
        new, = opened(stack, 1, family)
        last = [index[i] if i < len(index) else None for i in owners(deal(
            probe, rest + [new], by_source(family, flows)), "a new one")]
        tap.is_([now for was, now in zip(after, last)
                 if now is not None and now != was], [],
                "what moved, moved to the new one")
        tap.ok(within(last.count(None), 1 / READERS, len(last)),
               "its share is one of eight", last.count(None))


SPI_AT_4 = bytes(4)


@tap.each(*((proto, family, ahead)
            for proto, ahead in ((packet.UDP, b""), (packet.TCP, b""),
                                 (packet.SCTP, b""), (DCCP, b""),
                                 (UDPLITE, b""), (ESP, b""), (AH, SPI_AT_4))
            for family in (4, 6) if proto not in (ESP, AH) or family == 4))
def ports_belong_to_the_flow(proto, family, ahead):
    """Or an SPI.  Nothing behind them does, and to AH, nothing before it."""
    heads = [struct.pack("!HH", 1000 + n, 7) for n in range(200)]
    words = "deliver one" if proto not in (ESP, AH) else \
        "family ipv4 deliver one"
    with managed(proto, lab.right, words), contextlib.ExitStack() as stack, \
            probed(family, proto) as probe:
        readers = opened(stack, READERS, family, proto)
        first = owners(deal(probe, readers, by_head(family, proto, heads,
                                                    ahead)), "once")
        tap.ok(all(within(share, 1 / READERS, len(heads), 5)
                   for share in shares(first, READERS)), "the flows spread",
               shares(first, READERS))
        # other bytes behind the head
        again = by_head(family, proto, [head + b"\1" for head in heads], ahead)
        tap.is_(owners(deal(probe, readers, again), "again"), first,
                "the same flows, the same readers")
        if ahead:
            again = by_head(family, proto, heads, b"\1\2\3\4")
            tap.is_(owners(deal(probe, readers, again), "another header"),
                    first, "what is before the SPI is no part of it")
        other = owners(deal(probe, readers, by_head(
            family, proto, heads, ahead, src=SOURCES[family][0][1])), "another")
        tap.ok(other != first, "the addresses belong to it as well")


@tap.each(4, 6)
def without_ports_the_addresses_are_the_flow(family):
    heads = [struct.pack("!I", 1 << n) for n in range(32)]
    with managed(253, lab.right, "deliver one"), \
            contextlib.ExitStack() as stack, probed(family) as probe:
        readers = opened(stack, READERS, family)
        owner = owners(deal(probe, readers, by_head(family, 253, heads)),
                       "32 payloads")
        tap.is_(len(set(owner)), 1, "one reader")
    with managed(packet.UDP, lab.right, "deliver one"), \
            contextlib.ExitStack() as stack, \
            probed(family, packet.UDP) as probe:
        reader, = opened(stack, 1, family, packet.UDP)
        for short in (b"", b"\1", b"\1\2\3"):
            probe.readers = [reader]
            probe.transmit([packet.ip(probe.src, probe.dst, packet.UDP,
                                      short)], (), drain=False)
            tap.is_(reader.drain(), [short], "%d bytes of UDP" % len(short))


@tap.each(4, 6)
def by_random(family):
    with managed(253, lab.right, "deliver one by random"), \
            contextlib.ExitStack() as stack, probed(family) as probe:
        readers = opened(stack, READERS, family)
        got = shares(owners(deal(probe, readers, by_source(
            family, [1] * 2000)), "one flow"), READERS)
        tap.ok(all(within(share, 1 / READERS, 2000) for share in got),
               "it spreads over all readers", got)


@tap.each(4, 6)
def by_cpu(family):
    """All flows of a CPU have one reader; another CPU has, at times, another."""
    cpus = sorted(os.sched_getaffinity(1))
    if len(cpus) < 2:
        raise tap.Skip("one CPU")
    apart = False
    with managed(253, lab.right, "deliver one by cpu"), \
            probed(family) as probe, contextlib.ExitStack() as others:
        for _ in range(20):
            # The choice depends on where a reader is in memory: not where one
            # of the last round was.
            others.enter_context(sock.Reader(254, family, lab.right))
            with contextlib.ExitStack() as stack:
                readers = opened(stack, READERS, family)
                had = []
                for cpu in cpus[:2] * 2:
                    netns.pin(cpu)
                    owner = owners(deal(probe, readers, by_source(
                        family, range(40))), "CPU %d" % cpu)
                    netns.pin(cpus[0])
                    tap.is_(len(set(owner)), 1, "all flows, one reader")
                    had.append(owner[0])
            tap.is_(had[2:], had[:2], "and again the same")
            if had[0] != had[1]:
                apart = True
                break
    tap.ok(apart, "two CPUs, two readers")


# --- full and refusing readers -----------------------------------------------

@tap.each(4, 6)
def full_buffers(family):
    """One flow: its first reader, when that is full the next, and so on."""
    with managed(253, lab.right, "deliver one"), \
            contextlib.ExitStack() as stack, probed(family) as probe:
        readers = opened(stack, 3, family, room=0, rcvbuf=1)
        probe.readers = []
        order, next_ = [], 0
        for _ in range(60):
            with Count(253, family, lab.right) as count:
                before = [drops(reader) for reader in readers]
                sent, = by_source(family, [7])
                probe.transmit([sent], (), drain=False)
            dropped = [drops(reader) - old
                       for reader, old in zip(readers, before)]
            if count.delta.get("raw_refused"):
                break
            tap.is_((count.delta.get("raw_copies"), sum(dropped)), (1, 0),
                    "nothing is lost while there is room")
            next_ += count.delta.get("one_next", 0)
        got = [reader.drain() for reader in readers]
        order = sorted(range(3), key=lambda i: got[i][0][-4:])
        tap.is_([data[-4:] for i in order for data in got[i]],
                sorted(data[-4:] for some in got for data in some),
                "one after the other was filled")
        tap.is_(next_, sum(len(got[i]) for i in order[1:]),
                "ONE_NEXT: what the first had no room for")
        told = {"unreach": 1} if sock.ROOM_FIRST else {}
        tap.is_(count.delta, {"seen": 1, "one": 1, "raw_matched": 1,
                              "raw_refused": 1, **told}, "all full: refused")
        tap.is_(dropped, [int(i == order[0]) for i in range(3)],
                "the first one's drop")
        owner = owners(deal(probe, readers, by_source(family, [7])),
                       "room again")
        tap.is_(owner, order[:1], "the first one again")


@tap.each(4, 6)
def a_full_reader_costs_the_others_flows_nothing(family):
    flows = range(300)
    with managed(253, lab.right, "deliver one"), \
            contextlib.ExitStack() as stack, probed(family) as probe:
        readers = opened(stack, 4, family)
        before = owners(deal(probe, readers, by_source(family, flows)),
                        "before")
        readers[0].sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        own = [n for n in flows if before[n] == 0]
        with Count(253, family, lab.right) as count:
            after = owners(deal(probe, readers, by_source(family, flows)),
                           "nothing is lost")
        tap.is_([n for n in flows if before[n] and before[n] != after[n]], [],
                "the others keep their flows")
        tap.is_(count.delta["one_next"], len([n for n in own if after[n]]),
                "ONE_NEXT")
        tap.ok(0 < after.count(0) < len(own), "some had room", after.count(0))


@tap.each(4, 6)
def a_filter_has_the_last_word(family):
    with managed(253, lab.right, "deliver one"), \
            contextlib.ExitStack() as stack, probed(family) as probe:
        readers = opened(stack, 4, family)
        flows = range(100)
        before = owners(deal(probe, readers, by_source(family, flows)),
                        "before")
        readers[1].filter(sock.REJECT)
        with Count(253, family, lab.right) as count:
            after = deal(probe, readers, by_source(family, flows))
        tap.is_(after, [[] if who == 1 else [who] for who in before],
                "nobody else gets what it refuses")
        tap.is_(count.delta, {"seen": 100, "one": 100, "raw_matched": 100,
                              "raw_copies": 100 - before.count(1),
                              "raw_refused": before.count(1)}, "counters")
        for reader in readers:
            reader.filter(sock.REJECT)
        probe.readers = readers
        tap.is_(probe.send(4).icmp, [], "as a receiver, it is none the less")


# --- who can be chosen -------------------------------------------------------

@tap.each(4, 6)
def only_what_matches(family):
    """Bound, connected and device-bound sockets, where they match and where not."""
    lo = {4: "127.0.0.1", 6: "::1"}[family]
    away = SOURCES[family][0][1]
    here, peer = lab.r0.addr[family], lab.l0.addr[family]
    heads = [struct.pack("!HH", n, 9) for n in range(200)]
    with managed(packet.UDP, lab.right, "deliver one"), \
            contextlib.ExitStack() as stack, \
            probed(family, packet.UDP) as probe:
        def add(**how):
            return opened(stack, 1, family, packet.UDP, **how)
        readers = add(bind=lo) + add(connect=away) + add(device="lo") + \
            add(bind=here, device="lo") + add(bind=here, connect=away)
        readers += add() + add(bind=here) + add(connect=peer) + \
            add(device="r0") + add(bind=here, connect=peer, device="r0")
        stack.enter_context(sock.Reader(253, family, lab.right))
        stack.enter_context(sock.Reader(packet.UDP, 10 - family, lab.right))
        got = shares(owners(deal(probe, readers, by_head(
            family, packet.UDP, heads)), "ten sockets"), 10)
        tap.is_(got[:5], [0] * 5, "elsewhere: never")
        tap.ok(all(within(share, 1 / 5, 200) for share in got[5:]),
               "here: each its share", got)


ICMP_FILTER = {4: (255, 1), 6: (58, 1)}		# level, option


def blocking(family, kind):
    """An ICMP filter that blocks this type."""
    words = [0] * (1 if family == 4 else 8)
    words[kind // 32] |= 1 << kind % 32
    return struct.pack("=%dI" % len(words), *words)


@tap.each(4, 6)
def icmp_filters(family):
    """A socket that blocks the type is none to choose; if all do, none is."""
    proto, kind = sock.ICMP_OF[family], {4: 13, 6: 200}[family]

    def messages(number):
        for n in range(number):
            src = source(family, n)
            text = struct.pack("!BBHI", kind, 0, 0, next(serial))
            head = packet.pseudo(src, lab.r0.addr[6], proto, len(text)) \
                if family == 6 else b""
            yield packet.ip(src, lab.r0.addr[family], proto, text[:2] +
                            struct.pack("!H", packet.checksum(head + text)) +
                            text[4:])

    with managed(proto, lab.right, "deliver one"), \
            contextlib.ExitStack() as stack, probed(family, proto) as probe:
        readers = opened(stack, 4, family, proto)
        for reader in readers[:2]:
            reader.sock.setsockopt(*ICMP_FILTER[family],
                                   blocking(family, kind))
        got = shares(owners(deal(probe, readers, messages(100)), "two block"),
                     4)
        tap.is_(got[:2], [0, 0], "those never")
        tap.ok(min(got[2:]) > 20, "the others share", got)
        for reader in readers[2:]:
            reader.sock.setsockopt(*ICMP_FILTER[family],
                                   blocking(family, kind))
        with Count(proto, family, lab.right) as count:
            had = deal(probe, readers, messages(10))
        tap.is_(had, [[]] * 10, "all block: nobody")
        if family == 4:
            tap.is_(count.delta, {"seen": 10, "one": 10, "raw_matched": 10,
                                  "raw_filtered": 10}, "counters")
        tap.ok(count.delta.get("one_nobody", 0) == 0,
               "a socket that matches is somebody", count.delta)


@tap.each(4, 6)
def multicast(family):
    """Members only, and sockets that take all multicasts of the host."""
    group = {4: "224.0.0.5", 6: "ff02::5"}[family]
    level, every = {4: (0, 49), 6: (41, 29)}[family]
    how = {"bind": lab.r0.addr[6]} if family == 6 else {}
    with lab.right:
        index = socket.if_nametoindex("r0")
    if family == 4:
        join = struct.pack("=I4xHH", index, socket.AF_INET, 0) + \
            socket.inet_aton(group)
    else:
        join = struct.pack("=I4xHHI", index, socket.AF_INET6, 0, 0) + \
            socket.inet_pton(socket.AF_INET6, group)
    with managed(OSPF, lab.right, "deliver one"), \
            contextlib.ExitStack() as stack, probed(family, OSPF) as probe:
        readers = opened(stack, 4, family, OSPF, **how)
        for reader in readers:
            reader.sock.setsockopt(level, every, 0)
        for reader in readers[2:]:
            reader.sock.setsockopt(level, 42, join.ljust(136, b"\0"))
        got = shares(owners(deal(probe, readers, (
            packet.ip(source(family, n), group, OSPF,
                      struct.pack("!I", next(serial))) for n in range(100))),
            "two members"), 4)
        tap.is_(got[:2], [0, 0], "no member, no packet")
        tap.ok(min(got[2:]) > 20, "the members share", got)


@tap.each(*((family, unreach) for family in (4, 6)
            for unreach in ("auto", "never", "always")))
def nobody(family, unreach):
    """Counted, then as `unreach` says; and as it says when somebody is there."""
    for words in ("deliver one", "deliver one by random reuseport"):
        with managed(253, lab.right, "unreach %s %s" % (unreach, words)), \
                contextlib.ExitStack() as stack:
            opened(stack, 1, family, bind={4: "127.0.0.1", 6: "::1"}[family])
            with Probe(lab.left, lab.right, 253, family) as probe, \
                    Count(253, family, lab.right) as count:
                got = probe.send()
            tap.is_(got.icmp, [UNREACH[family]] * (unreach != "never"),
                    words + ": what the sender is told")
            tap.is_(count.delta, {"seen": 1, "one": 1, "one_nobody": 1,
                                  "unreach_never" if unreach == "never" else
                                  "unreach": 1}, words + ": counters")
            with Probe(lab.left, lab.right, 253, family,
                       readers=opened(stack, 1, family)) as probe, \
                    Count(253, family, lab.right) as count:
                got = probe.send()
            told = unreach == "always"
            tap.is_((got.raw, got.icmp), ([1], [UNREACH[family]] * told),
                    words + ": with a reader")
            tap.is_(count.delta, {"seen": 1, "one": 1, "raw_matched": 1,
                                  "raw_copies": 1, **({"unreach": 1} if told
                                                      else {})},
                    words + ": its counters")


# --- reuseport ---------------------------------------------------------------

def grouped(readers):
    """Put them into the group."""
    for reader in readers:
        reader.sock.setsockopt(socket.SOL_SOCKET, SO_REUSEPORT, 1)
    return readers


@tap.each(4, 6)
def a_group_beside_others(family):
    flows = range(400)
    with managed(253, lab.right, "deliver one reuseport"), \
            contextlib.ExitStack() as stack, probed(family) as probe:
        alone = opened(stack, 2, family)
        with Count(253, family, lab.right) as count:
            had = deal(probe, alone, by_source(family, flows))
        tap.is_(had, [[0, 1]] * 400, "without a group: copies for all")
        tap.is_(count.delta, {"seen": 400, "one": 400, "raw_matched": 800,
                              "raw_copies": 800}, "and its counters")
        group = grouped(opened(stack, 3, family))
        grouped(opened(stack, 1, family, device="lo"))	# a member, no match
        with Count(253, family, lab.right) as count:
            had = deal(probe, alone + group, by_source(family, flows))
        tap.is_([who[:2] for who in had], [[0, 1]] * 400,
                "those outside of the group all get a copy")
        owner = owners([who[2:] for who in had], "the group")
        tap.ok(all(within(owner.count(i), 1 / 3, 400) for i in (2, 3, 4)),
               "each member its share", [owner.count(i) for i in (2, 3, 4)])
        tap.is_(count.delta, {"seen": 400, "one": 400, "raw_matched": 1200,
                              "raw_copies": 1200}, "and its counters")
        tool.do("proto set 253 deliver one", lab.right)
        owner = owners(deal(probe, alone + group, by_source(family, flows)),
                       "without reuseport")
        tap.is_(set(owner), set(range(5)), "all of them are candidates")


@tap.each(4, 6)
def a_rule_with_a_group(family):
    """The options are the rule's, not the protocol's."""
    with managed(253, lab.right, "deliver one",
                 "src %s deliver one by random reuseport" %
                 SOURCES[family][0][0], "src %s deliver none" %
                 SOURCES[family][1][0]), \
            contextlib.ExitStack() as stack, probed(family) as probe:
        readers = opened(stack, 1, family) + \
            grouped(opened(stack, 2, family))
        expected = ((SOURCES[family][0][1], {(0, 1), (0, 2)}),
                    (SOURCES[family][1][1], {()}))
        for src, wanted in expected:
            had = deal(probe, readers, by_head(family, 253, [b""] * 40,
                                               src=src))
            tap.is_(set(map(tuple, had)), wanted, "from " + src)
        had = deal(probe, readers, by_head(family, 253, [b""] * 40))
        tap.ok(len(set(map(tuple, had))) == 1 and len(had[0]) == 1,
               "from elsewhere: by flow, to one", had)


# --- what one reader gets, and nobody else -----------------------------------

@tap.each(4, 6)
def the_same_bytes_and_notes(family):
    """It gets the packet itself, and sees what its copy would have shown."""
    level, options = {4: (0, (8, 12, 13)), 6: (41, (49, 51, 66))}[family]

    def measured(words):
        with managed(253, lab.right, words), \
                contextlib.ExitStack() as stack, probed(family) as probe:
            reader, = opened(stack, 1, family)
            for option in options:	# packet info, hop limit, traffic class
                reader.sock.setsockopt(level, option, 1)
            probe.readers = [reader]
            # without a number of its own, the sender's host gives it one
            number = {"ident": 9} if family == 4 else {}
            sent = [packet.ip(probe.src, probe.dst, 253, b"short", ttl=7,
                              **number),
                    packet.ip(probe.src, probe.dst, 253, b"", **number)] + \
                packet.fragments(probe.src, probe.dst, 253, b"body" * 200, 512)
            probe.transmit(sent, (), drain=False)
            got = []
            with contextlib.suppress(BlockingIOError):
                while True:
                    got.append(reader.sock.recvmsg(65536, 512))
            return got
    with_copy, itself = measured("deliver raw"), measured("deliver one")
    tap.is_(len(with_copy), 3, "two packets and a joined one")
    tap.ok(all(notes for _, notes, _, _ in with_copy), "with notes", with_copy)
    tap.is_(itself, with_copy, "deliver one: the same")


@tap.case
def tcp_and_sctp_keep_silent():
    """The kernel's handler does not see what a reader gets, nor what none does."""
    tool.modprobe("sctp")
    for family in (4, 6):
        src, dst = lab.l0.addr[family], lab.r0.addr[family]
        segment = packet.tcp(src, dst, 4000, 4001)
        init = packet.sctp_init(4000, 4001, 77)
        for proto, body in ((packet.TCP, segment), (packet.SCTP, init)):
            for words in (None, "deliver one", "deliver one unreach never"):
                readers = int(words == "deliver one")
                with contextlib.ExitStack() as stack:
                    if words:
                        stack.enter_context(managed(proto, lab.right, words))
                    probe = stack.enter_context(
                        Probe(lab.left, lab.right, proto, family,
                              readers=readers, answers=True))
                    got = probe.transmit([packet.ip(src, dst, proto, body)],
                                         [body[:8]])
                tap.is_((got.raw, len(got.answers)),
                        ([1] * readers, int(words is None)),
                        "protocol %d, IPv%d, %s" % (proto, family, words))


@tap.each(4, 6)
def another_namespace(family):
    with managed(253, lab.right, "deliver one"):
        with Probe(lab.left, lab.other, 253, family, readers=3) as probe:
            tap.is_(probe.send(5).raw, [5, 5, 5], "all get their copies")


@tap.each(4, 6)
def readers_that_come_and_go_meanwhile(family):
    """Nothing twice, and what stable readers miss is the others' share."""
    cpus = sorted(os.sched_getaffinity(1))
    with managed(253, lab.right, "deliver one"), \
            contextlib.ExitStack() as stack, probed(family) as probe:
        readers = opened(stack, 4, family)
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                netns.pin(cpus[-1])
                for _ in range(100000):
                    with sock.Reader(253, family, lab.right):
                        pass
            os._exit(0)
        try:
            had = deal(probe, readers, by_source(family, range(2000)))
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)
        tap.is_([who for who in had if len(who) > 1], [], "nothing twice")
        missed = had.count([])
        tap.ok(missed < 700, "most of it stays", missed)
        after = owners(deal(probe, readers, by_source(family, range(2000))),
                       "afterwards")
        tap.is_([n for n, who in enumerate(had) if who and
                 who != [after[n]]], [], "and nobody's flow had moved")


@tap.case
def what_is_shown():
    """The options are shown where they are, and naming deliver sets them anew."""
    def shown():
        row, = tool.ask("proto show 253", lab.right)
        return row["deliver"], row.get("by"), row.get("reuseport", False)
    with managed(253, lab.right, "deliver one by cpu reuseport"):
        tap.is_(shown(), ("one", "cpu", True), "added")
        tool.do("proto set 253 unreach never", lab.right)
        tap.is_(shown(), ("one", "cpu", True), "another thing set")
        tool.do("proto set 253 deliver one", lab.right)
        tap.is_(shown()[0::2], ("one", False), "deliver one alone")
        told = tool.refused("proto set 253 by random deliver raw", lab.right)
        tap.ok("deliver one" in told.err, "by without one", told.err)
        tap.is_(shown()[0], "one", "and nothing changed")


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
