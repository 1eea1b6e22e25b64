#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
What kraw does not concern stays exactly as it is.  The same traffic goes to a
namespace without the module, with the module idle, with the number claimed
elsewhere, with it managed here (deliver all), and with the module gone again:
the same receivers, the same ICMP errors, the same counters of the kernel.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, packet, tap, tool
from krawtest.counters import Watch
from krawtest.manage import check, managed
from krawtest.netns import Lab
from krawtest.who import UNREACH, Probe

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module(load=False))

# What left sends from these addresses, an IPsec policy in `other` blocks.
BLOCKED = {4: "10.9.1.9", 6: "fd09:1::9"}
lab.left.ip("addr add %s/24 dev l1" % BLOCKED[4],
            "addr add %s/64 dev l1 nodad" % BLOCKED[6])
lab.other.ip(*("neigh replace %s lladdr %s dev o0 nud permanent" %
               (BLOCKED[family], lab.l1.mac) for family in (4, 6)),
             "xfrm policy add dir in src %s/32 dst 0.0.0.0/0 action block" %
             BLOCKED[4],
             "xfrm policy add dir in src %s/128 dst ::/0 action block" %
             BLOCKED[6])
MARK = b"transparent-mark"


def plain(probe):
    return probe.send(3)


def expired(probe):
    """A last hop is no reason to drop."""
    return probe.send(ttl=1)


def empty(probe):
    """No payload at all; nothing to recognise copies by, so counters speak."""
    return probe.transmit([packet.ip(probe.src, probe.dst, 253, b"")], [MARK])


def fragmented(probe):
    body = MARK + bytes(480)
    return probe.transmit(packet.fragments(probe.src, probe.dst, 253, body, 96),
                          [MARK])


def with_options(probe):
    """IPv4 options; an IPv6 destination options header before the protocol."""
    if probe.family == 4:
        data = packet.ipv4(probe.src, probe.dst, 253, MARK,
                           options=b"\x01" * 4)
    else:
        data = packet.ipv6(probe.src, probe.dst, packet.DSTOPTS,
                           packet.options6(253) + MARK)
    return probe.transmit([data], [MARK])


def to_everyone(probe):
    """A broadcast is never answered with unreachable."""
    return probe.send(dst="10.9.1.255")


def another_number(probe):
    """254 is nobody's, ever."""
    with Probe(lab.left, lab.other, 254, probe.family,
               src=probe.src) as other:
        return other.send(2)


TRAFFIC = {
    4: [plain, expired, empty, fragmented, with_options, to_everyone,
        another_number],
    6: [plain, expired, empty, fragmented, with_options, another_number],
}


def once(traffic, family, readers, src):
    """
    What came of one kind of traffic: the receipt, and the counters that changed
    in other and in left.  The only multicasts here are those that IPv6 sends on
    its own (MLD): one of them spoils the counters, so measure anew.
    """
    def measured():
        with Probe(lab.left, lab.other, 253, family, readers=readers,
                   src=src) as probe:
            probe.flush()
            with Watch(lab.other) as there, Watch(lab.left) as here:
                got = traffic(probe)
        if any("Mcast" in name for side in (there, here)
               for name in side.delta):
            return None
        return got, there.delta, here.delta
    return clock.wait_until(measured)


def measure(family):
    """All traffic, with and without a reader and a policy."""
    return {"%s, %s%s" % (traffic.__name__.replace("_", " "), reader, policy):
            once(traffic, family, readers, src)
            for policy, src in (("", None),
                                (", blocked by policy", BLOCKED[family]))
            for readers, reader in ((0, "nobody"), (1, "a reader"))
            for traffic in TRAFFIC[family]}


BASE = {}


@tap.each(4, 6)
def without_the_module(family):
    BASE[family] = base = measure(family)
    group, told = ("Ip", "IcmpOutDestUnreachs") if family == 4 else \
                  ("Ip6", "Icmp6OutParmProblems")
    got, there, _ = base["plain, nobody"]
    tap.is_(got.icmp, [UNREACH[family]] * 3, "nobody: unreachable")
    tap.is_(there.get(group + "InUnknownProtos"), 3, "InUnknownProtos counts")
    tap.is_(there.get(told), 3, "ICMP errors count")
    got, there, _ = base["plain, a reader"]
    tap.is_((got.raw, got.icmp), ([3], []), "a reader: no ICMP")
    tap.is_(there.get(group + "InDelivers"), 3, "InDelivers counts")
    got, there, _ = base["plain, nobody, blocked by policy"]
    tap.is_(got.icmp, [], "policy: silence")
    tap.is_(there.get("XfrmInPolBlock"), 3, "the policy counts")
    got, there, _ = base["plain, a reader, blocked by policy"]
    tap.is_(got.raw, [0], "policy: not even the reader")
    again = measure(family)
    tap.ok(again == base, "the measurement repeats itself",
           difference(base, again))


def difference(base, now):
    """Where two measurements differ, in words."""
    out = []
    for name in base:
        for part, one, two in zip(("received", "counters there",
                                   "counters here"), base[name], now[name]):
            if one != two:
                out.append("%s, %s:\n  was %s\n  is  %s" %
                           (name, part, one, two))
    return "\n".join(out)


def compare(family, title):
    """Measure again; one point for each kind of traffic."""
    now = measure(family)
    for name, old in BASE[family].items():
        tap.ok(now[name] == old, "%s: %s" % (title, name),
               difference({name: old}, now))


@tap.case
def load():
    module.load()
    tap.ok(tool.loaded(), "insmod")


@tap.each(4, 6)
def idle(family):
    compare(family, "module loaded")


@tap.each(4, 6)
def claimed_elsewhere(family):
    tool.do("proto add 253 claim plain deliver none", lab.right)
    try:
        with Probe(lab.left, lab.right, 253, family) as probe:
            tap.is_(probe.send().icmp, [], "the claim is in force in right")
        compare(family, "claimed in right")
    finally:
        tool.do("proto del 253", lab.right)


@tap.each(*((family, account) for account in ("match", "exact")
            for family in (4, 6)))
def managed_here(family, account):
    with managed(253, lab.other, "account " + account):
        compare(family, "managed here")
        seen = check(253, lab.other)[family]
    tap.ok(seen["seen"] > 0, "kraw has seen them")
    tap.is_(seen["all"], seen["seen"], "and all had verdict all")
    counts_tell(seen, family, account)


@tap.each(*((family, account) for account in ("match", "exact")
            for family in (4, 6)))
def managed_here_and_claimed_elsewhere(family, account):
    with managed(253, lab.right, "claim plain"), \
            managed(253, lab.other, "account " + account):
        compare(family, "managed here, claimed in right")
        counts_tell(check(253, lab.other)[family], family, account)


def counts_tell(seen, family, account):
    """
    What kraw says about the traffic of one measurement, which once() may have
    repeated, is what the kernel's counters say.
    """
    unknown = seen["end_unknown"]
    if account == "match":
        # with a policy here nobody knows whether the unanswered are forbidden
        tap.ok(unknown and not seen["end_policy"],
               "where a policy may forbid is unknown", seen)
        return
    tap.is_((unknown, seen["raw_unknown"], seen["unreach_unknown"]),
            (0, 0, 0), "nothing is unknown")
    tap.ok(seen["end_policy"] and seen["end_raw"] and seen["end_nobody"] and
           seen["raw_policy"] and seen["raw_copies"], "all of it happened",
           seen)
    tap.is_(seen["end_policy"], seen["raw_policy"],
            "half of what the policy forbids was for a raw socket")
    silent = int(family == 4)	# the broadcast
    tap.is_((seen["unreach_sent"] > 0, seen["unreach_silent"] >= silent),
            (True, True), "who was told")


@tap.case
def unload():
    tap.ok(module.unload(), "rmmod")


@tap.each(4, 6)
def after_all(family):
    compare(family, "module gone")


tap.run()
