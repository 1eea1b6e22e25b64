#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Every verdict, with no, one and two raw sockets, with and without a claim, with
every `unreach`: who receives, what the sender is told, and what kraw counts.
The expectations are the sentences of kmod/uapi/linux/kraw.h, not the code.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import sock, tap, tool
from krawtest.manage import Count, check, managed, went_up
from krawtest.netns import SOURCES, Lab
from krawtest.who import UNREACH, Probe

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())

VERDICTS = ("all", "raw", "kernel", "none", "reject")
UNREACHES = ("auto", "never", "always")


def expected(verdict, claim, unreach, readers, dropped="end_proto"):
    """
    What one packet does: copies a socket, whether the sender is told, and the
    counters that go up with account exact.
    """
    copies = 1 if verdict in ("all", "raw") else 0
    handler = claim == "plain" and verdict in ("all", "kernel")
    nobody = not handler and not (copies and readers)

    if verdict in ("none", "reject"):	# "decide that themselves"
        told = verdict == "reject"
    elif unreach == "auto":		# "no raw socket and no handler had it"
        told = nobody
    else:				# "not even then", "raw sockets or not";
        told = unreach == "always"	# a claim without a socket answers, too

    counters = {"seen": 1, verdict: 1}
    if copies and readers:
        counters.update(raw_matched=readers, raw_copies=readers)
    counters[dropped if verdict in ("none", "reject") else
             "end_handler" if handler else
             "end_nobody" if nobody else "end_raw"] = 1
    if handler:
        counters.update(claim_handled=1, dgram_nobody=1)
        if verdict == "kernel":
            counters["kernel_handled"] = 1
    if told:
        counters.update(unreach=1, unreach_sent=1)
    if unreach == "never" and nobody and verdict in ("all", "raw", "kernel"):
        counters["unreach_never"] = 1
    return [copies] * readers, told, counters


def send(families, readers):
    """One packet in each family, with this many raw sockets."""
    got = {}
    for family in families:
        with Probe(lab.left, lab.right, 253, family,
                   readers=readers) as probe:
            got[family] = probe.send()
    return got


tool.do("proto add 253 account exact", lab.right)
CELLS = [(claim, verdict, unreach) for claim in ("none", "plain")
         for verdict in VERDICTS for unreach in UNREACHES]


@tap.each(*CELLS)
def cell(claim, verdict, unreach):
    tool.do("proto set 253 claim %s deliver %s unreach %s" %
            (claim, verdict, unreach), lab.right)
    before = tool.stats(253, lab.right)
    for readers in (0, 1, 2):
        raw, told, counters = expected(verdict, claim, unreach, readers)
        got = send((4, 6), readers)
        after = check(253, lab.right)
        for family in (4, 6):
            tap.is_({"raw": got[family].raw, "icmp": got[family].icmp,
                     **went_up(before[family], after[family])},
                    {"raw": raw, "icmp": [UNREACH[family]] * told, **counters},
                    "%d raw sockets, IPv%d" % (readers, family))
        before = after


@tap.each(*((claim, readers) for claim in ("none", "plain")
            for readers in (0, 2)))
def unless_exact(claim, readers):
    """What the kernel does itself is not known then, and not said to be 0."""
    with managed(254, lab.right, "claim " + claim):
        for family in (4, 6):
            with Count(254, family, lab.right) as count, \
                    Probe(lab.left, lab.right, 254, family,
                          readers=readers) as probe:
                probe.send()
            counters = {"seen": 1, "all": 1}
            if claim == "plain":
                counters.update(claim_handled=1, dgram_nobody=1)
            counters["end_handler" if claim == "plain" else
                     "end_raw" if readers else "end_nobody"] = 1
            if readers:
                counters.update(raw_matched=readers, raw_unknown=readers)
                counters.update(dict.fromkeys((
                    "raw_copies", "raw_refused", "raw_policy", "raw_checksum",
                    "raw_socket_filter", "raw_full", "raw_memory")))
            elif claim == "none":
                counters.update(unreach=1, unreach_unknown=1)
                counters.update(dict.fromkeys((
                    "unreach_sent", "unreach_limited", "unreach_silent")))
            tap.is_(count.all, counters, "IPv%d" % family)


@tap.each(*VERDICTS)
def by_a_rule(verdict):
    """The same by a rule; what the rule does not match has the other verdict."""
    other = "none" if verdict == "all" else "all"
    tool.do("proto set 253 claim plain unreach auto deliver " + other,
            lab.right)
    for family in (4, 6):
        prefix, inside = SOURCES[family][0]
        tool.do("rule add proto 253 pref %d src %s deliver %s" %
                (family, prefix, verdict), lab.right)
        for src, rule in ((inside, verdict), (SOURCES[family][1][1], other)):
            raw, told, counters = expected(
                rule, "plain", "auto", 1,
                "end_rule" if rule == verdict else "end_proto")
            with Count(253, family, lab.right) as count, \
                    Probe(lab.left, lab.right, 253, family, readers=1,
                          src=src) as probe:
                got = probe.send()
            tap.is_({"raw": got.raw, "icmp": got.icmp, **count.all},
                    {"raw": raw, "icmp": [UNREACH[family]] * told, **counters},
                    "IPv%d from %s: %s" % (family, src, rule))
    tool.do("rule flush proto 253", lab.right)


@tap.each(4, 6)
def a_socket_that_refuses_has_matched(family):
    """As in Linux: its filter rejects the packet, and the sender hears nothing."""
    tool.do("proto set 253 claim none deliver raw unreach auto", lab.right)
    with sock.Reader(253, family, lab.right) as reader, \
            sock.Reader(253, family, lab.right) as willing:
        reader.filter(sock.REJECT)
        with Count(253, family, lab.right) as count, \
                Probe(lab.left, lab.right, 253, family,
                      readers=[reader, willing]) as probe:
            got = probe.send()
        tap.is_((got.raw, got.icmp), ([0, 1], []), "only the other one")
        tap.is_(count.all,
                {"seen": 1, "raw": 1, "raw_matched": 2, "raw_copies": 1,
                 "raw_refused": 1, "raw_socket_filter": 1, "end_raw": 1},
                "counted as refused by its filter")


@tap.case
def other_addresses_do_not_match():
    """A socket bound to another address, or connected to another peer."""
    tool.do("proto set 253 claim none deliver raw unreach auto", lab.right)
    for family in (4, 6):
        for how in ({"bind": {4: "127.0.0.1", 6: "::1"}[family]},
                    {"connect": SOURCES[family][0][1]}, {"device": "lo"}):
            with sock.Reader(253, family, lab.right, **how) as reader:
                with Probe(lab.left, lab.right, 253, family,
                           readers=[reader]) as probe:
                    got = probe.send()
            tap.is_((got.raw, got.icmp), ([0], [UNREACH[family]]),
                    "IPv%d: %s" % (family, next(iter(how))))
        for how in ({"bind": lab.r0.addr[family]},
                    {"connect": lab.l0.addr[family]}, {"device": "r0"}):
            with sock.Reader(253, family, lab.right, **how) as reader:
                with Probe(lab.left, lab.right, 253, family,
                           readers=[reader]) as probe:
                    got = probe.send()
            tap.is_((got.raw, got.icmp), ([1], []),
                    "IPv%d: %s, its own" % (family, next(iter(how))))


@tap.case
def nothing_is_left():
    tool.do("proto del 253", lab.right)
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
