#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
With `deliver raw` the same raw sockets receive the same packets as without
kraw, whatever keeps a packet from a socket: addresses, device, multicast
membership and its source filters, ICMP filters, socket filters, a full receive
buffer, a wrong checksum.  Each situation is measured without kraw, with
`deliver all` and with `deliver raw`; the first one has to be as written here,
the others like the first.
"""
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import packet, sock, tap, tool
from krawtest.manage import REFUSALS, Count, managed
from krawtest.netns import SOURCES, Lab
from krawtest.who import UNREACH, Probe, token

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
# where left sends multicasts, before the route that each of its devices has
lab.left.ip("route add 224.0.0.0/4 dev l0",
            "route add multicast ff00::/8 dev l0 table local metric 1")

OSPF = 89
GROUP = {4: "224.0.0.5", 6: "ff02::5"}
LEVEL = {4: socket.IPPROTO_IP, 6: socket.IPPROTO_IPV6}
MULTICAST_ALL = {4: 49, 6: 29}
JOIN_GROUP, BLOCK_SOURCE, JOIN_SOURCE_GROUP = 42, 43, 46
SO_RXQ_OVFL, SO_MEMINFO = 40, 55
ICMP_FILTER = {4: (255, 1), 6: (58, 1)}		# level, option
IPV6_CHECKSUM = 7


def device_index(device, namespace):
    """Index of a device in a namespace."""
    with namespace:
        return socket.if_nametoindex(device)


R0 = device_index("r0", lab.right)


def sockaddr(family, addr):
    """A struct sockaddr_storage."""
    if family == 4:
        text = struct.pack("=HH", socket.AF_INET, 0) + \
            socket.inet_aton(addr)
    else:
        text = struct.pack("=HHI", socket.AF_INET6, 0, 0) + \
            socket.inet_pton(socket.AF_INET6, addr)
    return text.ljust(128, b"\0")


def member(reader, option, source=None):
    """Join the group on r0, or change what it is joined for."""
    family = reader.family
    value = struct.pack("=I4x", R0) + sockaddr(family, GROUP[family])
    if source:
        value += sockaddr(family, source)
    reader.sock.setsockopt(LEVEL[family], option, value)


def drops(reader):
    """Packets that the socket has refused (SK_MEMINFO_DROPS)."""
    return struct.unpack_from("=I", reader.sock.getsockopt(
        socket.SOL_SOCKET, SO_MEMINFO, 36), 32)[0]


class Sockets:
    """Raw sockets of one protocol in right, by name."""
    def __init__(self, proto, family):
        self.proto, self.family = proto, family
        self.by_name = {}

    def add(self, name, **how):
        """One more; the arguments are those of sock.Reader."""
        reader = sock.Reader(self.proto, self.family, lab.right, **how)
        self.by_name[name] = reader
        return reader

    def measure(self, packets):
        """
        Send (packet, mark) and report, by name, (copies, drops), and the ICMP
        errors.
        """
        readers = list(self.by_name.values())
        with Probe(lab.left, lab.right, self.proto, self.family,
                   readers=readers) as probe:
            before = [drops(reader) for reader in readers]
            got = probe.transmit([data for data, _ in packets],
                                 [mark for _, mark in packets])
        result = {name: (copies, drops(reader) - old) for
                  name, reader, copies, old in
                  zip(self.by_name, readers, got.raw, before)}
        result["icmp"] = got.icmp
        return result

    def close(self):
        for reader in self.by_name.values():
            reader.close()


def made(proto, family, body=b"", src=None, dst=None):
    """A packet from left, and its mark."""
    mark = token()
    return packet.ip(src or lab.l0.addr[family], dst or lab.r0.addr[family],
                     proto, body + mark), mark


# --- the situations ----------------------------------------------------------

def addresses(sockets, family):
    """Bound address, connected peer, bound device, alone and together."""
    mine, peer = lab.r0.addr[family], lab.l0.addr[family]
    lo = {4: "127.0.0.1", 6: "::1"}[family]
    another = SOURCES[family][0][1]
    sockets.add("any")
    sockets.add("bound", bind=mine)
    sockets.add("bound elsewhere", bind=lo)
    sockets.add("connected", connect=peer)
    sockets.add("connected elsewhere", connect=another)
    sockets.add("r0", device="r0")
    sockets.add("lo", device="lo")
    sockets.add("all of it", device="r0", bind=mine, connect=peer)
    sockets.add("all but the device", device="lo", bind=mine)
    expected = {"any": (2, 0), "bound": (2, 0), "bound elsewhere": (0, 0),
                "connected": (1, 0), "connected elsewhere": (1, 0),
                "r0": (2, 0), "lo": (0, 0), "all of it": (1, 0),
                "all but the device": (0, 0), "icmp": []}
    yield "two sources", [made(253, family), made(253, family, src=another)], \
        expected
    if family == 4:
        to_all = dict(expected, **{"bound": (0, 0), "all of it": (0, 0),
                                   "connected": (0, 0),
                                   "connected elsewhere": (0, 0),
                                   "any": (1, 0), "r0": (1, 0)})
        yield "broadcast", [made(253, family, dst="10.9.0.255")], to_all


def nobody_matches(sockets, family):
    """No socket matches: unreachable, and a connected one is no exception."""
    sockets.add("connected elsewhere", connect=SOURCES[family][0][1])
    sockets.add("lo", device="lo")
    yield "one packet", [made(253, family)], \
        {"connected elsewhere": (0, 0), "lo": (0, 0),
         "icmp": [UNREACH[family]]}


def asks(family):
    """
    How a socket is bound that asks for membership: in IPv6 to its address, an
    unbound one receives any multicast.
    """
    return {"bind": lab.r0.addr[6]} if family == 6 else {}


def multicast(sockets, family):
    """OSPF's group, with and without membership."""
    here, there = lab.l0.addr[family], SOURCES[family][0][1]
    how = asks(family)

    def no_other(reader):
        """Not all multicasts that the host receives."""
        reader.sock.setsockopt(LEVEL[family], MULTICAST_ALL[family], 0)
        return reader

    member(sockets.add("member", **how), JOIN_GROUP)
    sockets.add("default", **how)
    no_other(sockets.add("without", **how))
    member(no_other(sockets.add("member, not all", **how)), JOIN_GROUP)
    member(sockets.add("include here", **how), JOIN_SOURCE_GROUP, here)
    member(sockets.add("include there", **how), JOIN_SOURCE_GROUP, there)
    excluding = sockets.add("exclude here", **how)
    member(excluding, JOIN_GROUP)
    member(excluding, BLOCK_SOURCE, here)
    excluding = sockets.add("exclude both", **how)
    member(excluding, JOIN_GROUP)
    member(excluding, BLOCK_SOURCE, here)
    member(excluding, BLOCK_SOURCE, there)
    member(sockets.add("member, r0", device="r0", **how), JOIN_GROUP)
    member(sockets.add("member, lo", device="lo"), JOIN_GROUP)
    if family == 4:
        member(sockets.add("bound", bind=lab.r0.addr[4]), JOIN_GROUP)
        member(sockets.add("bound to the group", bind=GROUP[4]), JOIN_GROUP)
    else:
        no_other(sockets.add("unbound"))
    every = {name: (1, 0) for name in sockets.by_name}
    every.update({"without": (0, 0), "member, lo": (0, 0), "icmp": []})
    if family == 4:
        every["bound"] = (0, 0)
    yield "from here", [made(OSPF, family, src=here, dst=GROUP[family])], \
        dict(every, **{"include there": (0, 0), "exclude here": (0, 0),
                       "exclude both": (0, 0)})
    yield "from there", [made(OSPF, family, src=there, dst=GROUP[family])], \
        dict(every, **{"include here": (0, 0), "exclude both": (0, 0)})


def members_elsewhere(sockets, family):
    """The host is in the group, but none of the raw sockets."""
    other = Sockets(254, family)
    member(other.add("member"), JOIN_GROUP)
    try:
        for name in ("without", "without either"):
            sockets.add(name, **asks(family)).sock.setsockopt(
                LEVEL[family], MULTICAST_ALL[family], 0)
        yield "one packet", [made(OSPF, family, dst=GROUP[family])], \
            {"without": (0, 0), "without either": (0, 0), "icmp": []}
    finally:
        other.close()


def icmp(family, kind, body=b""):
    """An ICMP message of this type, with its checksum, and its mark."""
    proto = sock.ICMP_OF[family]
    mark = token()
    src, dst = lab.l0.addr[family], lab.r0.addr[family]
    text = struct.pack("!BBHI", kind, 0, 0, 0) + body + mark
    head = packet.pseudo(src, dst, proto, len(text)) if family == 6 else b""
    text = text[:2] + struct.pack("!H", packet.checksum(head + text)) + text[4:]
    return packet.ip(src, dst, proto, text), mark


def icmp_filter(sockets, family):
    """ICMP_FILTER and ICMP6_FILTER; IPv4 has no bit for types above 31."""
    kinds = {4: (0, 8, 40), 6: (129, 128, 200)}[family]

    def blocking(*types):
        """A filter that blocks these types."""
        words = [0] * (1 if family == 4 else 8)
        for kind in types:
            words[kind // 32] |= 1 << kind % 32
        return struct.pack("=%dI" % len(words), *words)

    everything = b"\xff" * (4 if family == 4 else 32)
    for name, value in (("none", blocking()), ("first", blocking(kinds[0])),
                        ("second", blocking(kinds[1])), ("all", everything)):
        sockets.add(name).sock.setsockopt(*ICMP_FILTER[family], value)
    yield "three types", [icmp(family, kind) for kind in kinds], \
        {"none": (3, 0), "first": (2, 0), "second": (2, 0),
         "all": (int(family == 4), 0), "icmp": []}
    if family == 4:
        short = b"\0\0kraw!"	# one byte less than an ICMP header
        data = packet.ipv4(lab.l0.addr[4], lab.r0.addr[4], packet.ICMP, short)
        yield "too short", [(data, short)], \
            {"none": (0, 0), "first": (0, 0), "second": (0, 0), "all": (0, 0),
             "icmp": []}


def socket_filter(sockets, family):
    """A filter that rejects, one that accepts and one that cuts."""
    sockets.add("none")
    sockets.add("rejects").filter(sock.REJECT)
    sockets.add("accepts").filter(sock.ACCEPT)
    # what is left of a packet holds no mark any more
    sockets.add("cuts").filter([(0x06, 0, 0, 24 if family == 4 else 4)])
    yield "three packets", [made(253, family) for _ in range(3)], \
        {"none": (3, 0), "rejects": (0, 0), "accepts": (3, 0), "cuts": (0, 0),
         "icmp": []}


def only_rejecting(sockets, family):
    """A socket that matches and rejects silences the unreachable."""
    sockets.add("rejects").filter(sock.REJECT)
    yield "one packet", [made(253, family)], {"rejects": (0, 0), "icmp": []}


def full_buffer(sockets, family):
    """Some fit into the tiny buffer, the rest is dropped and counted."""
    many = [made(253, family, bytes(600)) for _ in range(12)]
    sockets.add("large")
    sockets.add("tiny", rcvbuf=1).sock.setsockopt(socket.SOL_SOCKET,
                                                  SO_RXQ_OVFL, 1)
    yield "twelve", many, {"large": (12, 0), "icmp": []}


def only_full(sockets, family):
    """Nobody else is there. sock.ROOM_FIRST says whether the senders are told."""
    # an ICMP error quotes them whole, up to the mark at their end
    many = [made(253, family, bytes(400)) for _ in range(12)]
    sockets.add("tiny", rcvbuf=1)
    yield "twelve", many, {}


def checksum6(sockets, family):
    """IPV6_CHECKSUM on and off; a filter makes Linux check early."""
    for name, offset in (("unchecked", -1), ("checked", 2), ("at 4", 4)):
        for filtered in ("", ", filter"):
            reader = sockets.add(name + filtered)
            reader.sock.setsockopt(socket.IPPROTO_IPV6, IPV6_CHECKSUM, offset)
            if filtered:
                reader.filter(sock.ACCEPT)
    for name, offset in (("header", -1), ("header, checked", 2)):
        reader = sockets.add(name)
        reader.sock.setsockopt(socket.IPPROTO_IPV6, sock.IPV6_HDRINCL, 1)
        reader.sock.setsockopt(socket.IPPROTO_IPV6, IPV6_CHECKSUM, offset)
    src, dst = lab.l0.addr[family], lab.r0.addr[family]
    all_of_it = {name: (1, 0) for name in sockets.by_name}
    for length in (0, 1, 700):
        mark = token()
        text = bytes(4) + mark + bytes(length)
        value = packet.checksum(packet.pseudo(src, dst, 253, len(text)) + text)
        for good in (True, False):
            field = struct.pack("!H", value if good else value ^ 0x100)
            yield "%s, %d bytes more" % ("good" if good else "bad", length), \
                [(packet.ipv6(src, dst, 253, text[:2] + field + text[4:]),
                  mark)], \
                {**{name: (1, 0) if good or "checked" != name.split(", ")[-1]
                    and not name.startswith(("checked", "at 4")) else (0, 1)
                    for name in all_of_it}, "icmp": []}


SITUATIONS = [
    (addresses, 253, (4, 6)), (nobody_matches, 253, (4, 6)),
    (multicast, OSPF, (4, 6)), (members_elsewhere, OSPF, (4, 6)),
    (icmp_filter, None, (4, 6)), (socket_filter, 253, (4, 6)),
    (only_rejecting, 253, (4, 6)), (full_buffer, 253, (4, 6)),
    (only_full, 253, (4, 6)), (checksum6, 253, (6,)),
]


def measure(situation, proto, family):
    """Make the sockets, send; {what was sent: who got it} and the expected."""
    sockets = Sockets(proto, family)
    got, expected = {}, {}
    try:
        for title, packets, wanted in situation(sockets, family):
            got[title] = sockets.measure(packets)
            expected[title] = wanted
    finally:
        sockets.close()
    return got, expected


# What neither marks nor socket drops tell: (copies, refused).
UNSEEN = {socket_filter: (3, 3), only_rejecting: (0, 1)}


def added_up(situation, got, count):
    """RAW_MATCHED and its parts, and what the sockets saw."""
    sockets = [result[name] for result in got.values() for name in result
               if name != "icmp"]
    copies, refused = UNSEEN.get(situation, (0, 0))
    copies += sum(number for number, _ in sockets)
    refused += sum(number for _, number in sockets)
    part = {name: count.get("raw_" + name, 0)
            for name in ("matched", "copies", "filtered", "refused")}
    tap.is_(part["matched"],
            part["copies"] + part["filtered"] + part["refused"],
            "RAW_MATCHED adds up")
    if situation is icmp_filter:
        # the hosts' own ICMPv6 is managed, too, and comes on top
        tap.ok(part["copies"] >= copies and part["filtered"] > 0,
               "RAW_COPIES and RAW_FILTERED", part)
    else:
        tap.is_((part["copies"], part["refused"]), (copies, refused),
                "RAW_COPIES and RAW_REFUSED are what the sockets saw")


# Why copies are refused, if they are.
REASON = {socket_filter: "raw_socket_filter",
          only_rejecting: "raw_socket_filter", full_buffer: "raw_full",
          only_full: "raw_full",
          checksum6: "raw_checksum"}


def why(situation, reasons, got):
    """All that is refused is refused for this reason."""
    refused = sum(reasons.values())
    reason = REASON.get(situation)
    tap.is_({name: number for name, number in reasons.items() if number},
            {reason: refused} if refused else {}, "reasons")
    if reason:
        tap.ok(refused, "there is one", got)


@tap.each(*((situation, family, proto or sock.ICMP_OF[family])
            for situation, proto, families in SITUATIONS
            for family in families))
def compared(situation, family, proto):
    plain, expected = measure(situation, proto, family)
    for title, wanted in expected.items():
        tap.is_({key: plain[title][key] for key in wanted}, wanted,
                "plain Linux: " + title)
    if situation is only_full:
        copies, lost = plain["twelve"]["tiny"]
        tap.is_((copies + lost, len(plain["twelve"]["icmp"])),
                (12, lost if sock.ROOM_FIRST else 0), "plain Linux: who is told")
    reasons = {}
    for verdict, account in (("all", "match"), ("all", "exact"),
                             ("raw", "match"), ("raw", "exact")):
        words = "deliver %s account %s" % (verdict, account)
        with managed(proto, lab.right, words):
            with Count(proto, family, lab.right) as count:
                got, _ = measure(situation, proto, family)
        for title in plain:
            tap.is_(got[title], plain[title], "%s: %s" % (words, title))
        tap.ok(count.delta.get(verdict), "kraw has seen them", count.delta)
        if words == "deliver all account match":
            continue
        added_up(situation, got, count.delta)
        if account == "exact":
            reasons[verdict] = {name: count.all.get(name, 0)
                                for name in REFUSALS}
            why(situation, reasons[verdict], got)
    if situation is not icmp_filter:	# the hosts' own are never the same
        tap.is_(reasons["all"], reasons["raw"],
                "the kernel's copies are refused for the same reasons")


@tap.each(4, 6)
def filtered_by_membership(family):
    """IPv4 membership is asked after the match, that of IPv6 is part of it."""
    with managed(OSPF, lab.right, "deliver raw"):
        with Count(OSPF, family, lab.right) as count:
            measure(members_elsewhere, OSPF, family)
    tap.is_(count.delta, {"seen": 1, "raw": 1, "raw_matched": 2,
                          "raw_filtered": 2} if family == 4 else
            {"seen": 1, "raw": 1, "unreach": 1}, "counters")


@tap.each(4, 6)
def the_queue_tells_of_drops(family):
    """SO_RXQ_OVFL: the next packet that fits carries the number."""
    with managed(253, lab.right, "deliver raw"), \
            sock.Reader(253, family, lab.right, rcvbuf=1) as reader, \
            Probe(lab.left, lab.right, 253, family, readers=[]) as probe:
        reader.sock.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
        probe.send(12, payload=bytes(600))
        there = len(reader.drain())
        tap.ok(0 < there < 12, "some of twelve are there", there)
        probe.send()
        _, notes, _, _ = reader.sock.recvmsg(2048, 64)
        tap.is_([struct.unpack("=I", data)[0] for _, kind, data in notes
                 if kind == SO_RXQ_OVFL], [12 - there], "the others are told")


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
