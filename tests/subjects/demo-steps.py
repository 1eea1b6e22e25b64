#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# leaves: sctp.ko, which cannot be unloaded
"""
Every step of `make demo`, asserted, and the order of receipt (raw sockets
before the kernel's handler, raw(7) R15) proved in two more ways.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import packet, sock, story, tap, tool
from krawtest.netns import Lab
from krawtest.order import Order
from krawtest.who import Probe


class Asserting:
    """A stage for krawtest.story: every measured cell is a test point."""
    def __init__(self):
        self._where = ""

    def step(self, number, title):
        self._where = "step %d" % number
        tap.diag("%d. %s" % (number, title))

    def command(self, text):
        tap.diag("kraw " + text)
        tool.do_alone(text)

    def note(self, text):
        tap.diag(text)

    def skip(self, what, why):
        tap.skip("%s, %s" % (self._where, what), why)

    def table(self, heads, rows):
        for label, cells in rows:
            for head, (got, expected) in zip(heads, cells):
                tap.is_(got, expected, "%s, %s: %s" % (self._where, label,
                                                       head))


lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
stage = Asserting()


@tap.each(*story.STEPS)
def demo(step):
    step(stage, lab)


def woken(family, answer, reader, send):
    """
    Names of the raw socket and of `answer`, the protocol that right sends in
    return, in the order in which the kernel reached them; for both orders of
    watching, which must not matter.
    """
    out = []
    watch = sock.Tap("r0", family, answer, lab.right)
    try:
        for sockets in ({"raw": reader, "answer": watch},
                        {"answer": watch, "raw": reader}):
            with Order(**sockets) as order:
                send()
                out.append(order.seen())
    finally:
        watch.close()
    return out


@tap.each(4, 6)
def raw_before_kraw(family):
    """With `unreach always`, kraw's handler answers what it consumes."""
    tool.do("proto add 253 claim plain unreach always", lab.right)
    try:
        with Probe(lab.left, lab.right, 253, family, readers=1) as probe:
            seen = woken(family, sock.ICMP_OF[family], probe.readers[0],
                         lambda: probe.send(drain=False))
        tap.is_(seen, [["raw", "answer"]] * 2,
                "raw reader before the handler's ICMP error")
        tap.is_(tool.stats(253, lab.right)[family]["claim_handled"], 2,
                "and it was the handler that answered")
    finally:
        tool.do("proto del 253", lab.right)


@tap.each(4, 6)
def an_answer_before_raw_is_seen_as_such(family):
    """
    The measurement can tell: where nobody but `unreach always` answers, that
    is done before the packet goes on to the raw sockets.
    """
    tool.do("proto add 253 unreach always", lab.right)
    try:
        with Probe(lab.left, lab.right, 253, family, readers=1) as probe:
            seen = woken(family, sock.ICMP_OF[family], probe.readers[0],
                         lambda: probe.send(drain=False))
        tap.is_(seen, [["answer", "raw"]] * 2, "the ICMP error first")
    finally:
        tool.do("proto del 253", lab.right)


@tap.each(4, 6)
def raw_before_sctp(family):
    """sctp.ko answers INIT with ABORT at once."""
    if not tool.loaded("sctp"):
        raise tap.Skip("sctp.ko could not be loaded")
    with Probe(lab.left, lab.right, packet.SCTP, family, readers=1) as probe:
        def send():
            packets, marks, _ = story.inits(probe.src, probe.dst, 1)
            probe.transmit(packets, marks, drain=False)
        for managed in (False, True):
            if managed:
                tool.do("proto add sctp deliver all", lab.right)
            tap.is_(woken(family, packet.SCTP, probe.readers[0], send),
                    [["raw", "answer"]] * 2, "raw reader before the ABORT, " +
                    ("deliver all" if managed else "not managed"))
        tool.do("proto del sctp", lab.right)


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
