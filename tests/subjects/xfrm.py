#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
IPsec: what a policy forbids reaches nobody by any verdict, silently and with
the counters of plain Linux, asked for each socket by itself; what comes in ESP
or AH, in transport mode, gets its verdict once it is opened.
"""
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, counters, outcome, packet, sock, tap, tool
from krawtest.counters import Watch
from krawtest.manage import Count, managed
from krawtest.netns import SOURCES, Lab
from krawtest.who import UNREACH, Probe, token

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())

VERDICTS = ("all", "raw", "kernel", "none", "reject")
# option of a socket's own policy, level
OWN_POLICY = {4: (socket.IPPROTO_IP, 17), 6: (socket.IPPROTO_IPV6, 35)}
BITS = {4: 32, 6: 128}


def one(family):
    mark = token()
    return [packet.ip(lab.l0.addr[family], lab.r0.addr[family], 253, mark)], \
        [mark]


def measure(family, number, blocking=()):
    """
    Outcome and IPsec counters of one packet, with this many raw sockets, some
    of which (by number) have a policy of their own that blocks.
    """
    readers = [sock.Reader(253, family, lab.right) for _ in range(number)]
    for index in blocking:
        own_policy(readers[index])
    try:
        def whole():
            with Watch(lab.right) as watch:
                got = outcome.once(lab, family, 253, lambda: one(family),
                                   readers)
            if any("Mcast" in name for name in watch.delta):
                return None
            return got, {name: value for name, value in watch.delta.items()
                         if name.startswith("Xfrm")}
        return clock.wait_until(whole)
    finally:
        for reader in readers:
            reader.close()


def own_policy(reader):
    """struct xfrm_userpolicy_info: incoming packets, any of them, block."""
    family = sock.FAMILY[reader.family]
    selector = bytes(32) + bytes(8) + struct.pack("=HBBB3xiI", family, 0, 0, 0,
                                                  0, 0)
    forever = struct.pack("=8Q", *([0xffffffffffffffff] * 4 + [0] * 4))
    policy = selector + forever + bytes(32) + struct.pack(
        "=IIBBBB4x", 0, 0, 0, 1, 0, 0)
    reader.sock.setsockopt(*OWN_POLICY[reader.family], policy)


def policies(family):
    """What stands in the way: (name, how to add it, how to delete it)."""
    selector = "src %s/%d dst %s/%d" % (lab.l0.addr[family], BITS[family],
                                        lab.r0.addr[family], BITS[family])
    ends = "src %s dst %s" % (lab.l0.addr[family], lab.r0.addr[family])
    remove = "xfrm policy delete dir in " + selector
    return [
        ("block", "xfrm policy add dir in %s action block" % selector, remove,
         "XfrmInPolBlock"),
        ("require ESP", "xfrm policy add dir in %s tmpl %s proto esp "
         "mode transport" % (selector, ends), remove, "XfrmInTmplMismatch"),
        ("no policy", "xfrm policy setdefault in block",
         "xfrm policy setdefault in accept", "XfrmInNoPols"),
    ]


@tap.each(4, 6)
def forbidden(family):
    """Nobody receives it, nobody is told, and each socket has asked."""
    for name, add, delete, counter in policies(family):
        lab.right.ip(add)
        try:
            plain = {readers: measure(family, readers) for readers in (0, 2)}
            for readers, asked in ((0, 1), (2, 2)):
                got, count = plain[readers]
                tap.is_((got.bodies, got.icmp, count),
                        ([[]] * readers, [], {counter: asked}),
                        "%s, plain Linux, %d raw sockets" % (name, readers))
            for verdict in VERDICTS:
                for claim in ("none", "plain"):
                    with managed(253, lab.right, "claim %s deliver %s" %
                                 (claim, verdict)):
                        with Count(253, family, lab.right) as count:
                            now = {readers: measure(family, readers)
                                   for readers in (0, 2)}
                    what = "%s, %s, claim %s" % (name, verdict, claim)
                    for readers in (0, 2):
                        forbidden_by(verdict, claim, counter, readers,
                                     now[readers], plain, what)
                    tap.ok("unreach" not in count.delta and
                           "claim_handled" not in count.delta and
                           "raw_copies" not in count.delta,
                           what + ": nobody had it", count.delta)
        finally:
            lab.right.ip(delete)


def forbidden_by(verdict, claim, counter, readers, now, plain, what):
    """One outcome."""
    got, count = now
    what = "%s, %d raw sockets" % (what, readers)
    asked = {"none": 0, "reject": 1, "kernel": 1,
             "raw": readers or 1}.get(verdict, readers or 1)
    if verdict == "all" and claim == "plain" and readers:
        asked += 1	# the handler asks, too
    tap.is_((got.bodies, got.icmp, count),
            ([[]] * readers, [], {counter: asked} if asked else {}), what)
    if claim == "none" and verdict in ("all", "raw"):
        tap.is_(now, plain[readers], what + ": as plain Linux")


@tap.each(4, 6)
def one_socket_only(family):
    """A policy of a socket's own concerns no other socket."""
    plain = measure(family, 3, blocking=(1,))
    tap.is_((plain[0].bodies, plain[1]),
            ([[0], [], [0]], {"XfrmInPolBlock": 1}), "plain Linux")
    for verdict in ("all", "raw"):
        with managed(253, lab.right, "deliver " + verdict):
            with Count(253, family, lab.right) as count:
                tap.is_(measure(family, 3, blocking=(1,)), plain,
                        "deliver " + verdict)
        if verdict == "raw":
            tap.is_({name: count.delta.get(name, 0) for name in
                     ("raw_matched", "raw_copies", "raw_refused")},
                    {"raw_matched": 3, "raw_copies": 2, "raw_refused": 1},
                    "counted as refused")
    alone = measure(family, 1, blocking=(0,))
    with managed(253, lab.right, "deliver raw"):
        tap.is_(measure(family, 1, blocking=(0,)), alone,
                "alone: it refuses, and the sender hears nothing")


# --- inside IPsec ------------------------------------------------------------

KEY = "0x" + "42" * 20
CIPHERS = {
    "esp": ["aead rfc4106(gcm(aes)) %s 128" % KEY,
            'auth hmac(sha256) %s enc cipher_null ""' % KEY],
    "ah": ["auth hmac(sha256) " + KEY],
}


def protect(family, proto, src):
    """Keys for transport mode from src, and right takes nothing else."""
    dst = lab.r0.addr[family]
    ends = "src %s dst %s" % (src, dst)
    error = None
    for cipher in CIPHERS[proto]:
        state = "xfrm state add %s proto %s spi 0x900 mode transport %s" % (
            ends, proto, cipher)
        try:
            lab.left.ip(state)
            lab.right.ip(state)
            break
        except RuntimeError as why:
            error = why
            lab.left.ip("xfrm state flush")
    else:
        raise tap.Skip("no %s here: %s" % (proto, error))
    lab.right.ip("xfrm policy add dir in src %s/%d dst %s/%d tmpl %s proto %s "
                 "mode transport" % (src, BITS[family], dst, BITS[family],
                                     ends, proto))


class Protected:
    """
    Sends from an ordinary raw socket, so that left's policy holds.  What is
    opened comes back to the protocol by a softirq of its own: wait for it.
    """
    def __init__(self, family, src, number):
        self.family, self.src = family, src
        self.readers = [sock.Reader(253, family, lab.right)
                        for _ in range(number)]
        self.icmp = sock.Reader(sock.ICMP_OF[family], family, lab.left)
        self.sender = sock.Reader(253, family, lab.left, bind=src)

    def send(self, there, body=b""):
        """What came of one packet; there() says that it was delivered."""
        mark = token()
        self.sender.sock.sendto(mark + body, (lab.r0.addr[self.family], 0))
        with Probe(lab.left, lab.right, 253, self.family) as probe:
            clock.wait_until(there)
            probe.flush()
        told = [packet.icmp_error(self.family, data)
                for data in self.icmp.drain()]
        return [[data == mark + body for data in reader.drain()]
                for reader in self.readers], \
            [error.what for error in told if error]

    def close(self):
        for one_of_them in self.readers + [self.icmp, self.sender]:
            one_of_them.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def out_policy(family, proto, src, action="add"):
    """What left does with packets from src to right."""
    dst = lab.r0.addr[family]
    line = "xfrm policy %s dir out src %s/%d dst %s/%d" % (
        action, src, BITS[family], dst, BITS[family])
    if action == "add":
        line += " tmpl src %s dst %s proto %s mode transport" % (src, dst,
                                                                 proto)
    lab.left.ip(line)


@tap.each((4, "esp"), (6, "esp"), (6, "ah"))
def opened(family, proto):
    """Each verdict, with two raw sockets, with and without a claim."""
    src = SOURCES[family][0][1]
    name = "IpInDelivers" if family == 4 else "Ip6InDelivers"
    try:
        protect(family, proto, src)
        with Probe(lab.left, lab.right, 253, family, readers=1,
                   src=src) as probe:
            tap.is_(probe.send()[:2], ([0], []), "not protected: refused")
        out_policy(family, proto, src)
        with Protected(family, src, 2) as traffic:
            before = counters.read(lab.right)[name]
            got = traffic.send(lambda: counters.read(lab.right)[name] > before)
            tap.is_(got, ([[True]] * 2, []), "plain Linux: opened")
            for verdict in VERDICTS:
                for claim in ("none", "plain"):
                    opened_by(traffic, proto, verdict, claim)
    finally:
        for space in (lab.left, lab.right):
            space.ip("xfrm policy flush", "xfrm state flush")


def opened_by(traffic, proto, verdict, claim):
    """One verdict."""
    family = traffic.family
    with managed(253, lab.right, "claim %s deliver %s" % (claim, verdict)):
        def seen():
            # AH is an extension header that kraw leaves to the kernel
            return tool.stats(253, lab.right)[family][verdict]
        got = traffic.send(seen)
        stats = tool.stats(253, lab.right)[family]
    copies = [[True]] * 2 if verdict in ("all", "raw") else [[]] * 2
    told = verdict == "reject" or verdict == "kernel" and claim == "none"
    tap.is_(got, (copies, [UNREACH[family]] * told),
            "%s, claim %s" % (verdict, claim))
    handled = claim == "plain" and verdict in ("all", "kernel")
    passed = int(proto == "ah")
    tap.is_((stats["seen"], stats[verdict], stats["passed"],
             stats["claim_handled"]), (1 + passed, 1, passed, int(handled)),
            "%s, claim %s: counted when it is open" % (verdict, claim))


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
