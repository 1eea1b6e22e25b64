#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
A loaded module that manages nothing leaves no trace in any namespace: no hook,
no handler, no packet type, no protocol, no sysctl.  What is managed shows, in
its namespace only, and is gone after del, flush and the namespace's end.

Hooks are looked for by `nft list hooks` where the kernel can list them, and by
sending packets and counting whether they meet one (krawtest.hooks).
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, ftrace, hooks, tap, tool
from krawtest.netns import Lab, Namespace
from krawtest.who import UNREACH, Probe

lab = tap.cleanup(Lab())
EVERYWHERE = [lab.left, lab.right, lab.other]


def proc(name):
    """A table of the kernel, without the columns that count users."""
    with open("/proc/thread-self/net/" + name) as file:
        if name == "protocols":		# protocol, size, sockets, memory ...
            return sorted((w[0], w[1], w[6]) for w in map(str.split, file))
        return file.read()


def sysctls():
    """The names of all sysctls of this namespace's networking."""
    return sorted(os.path.join(where, name)
                  for where, _, names in os.walk("/proc/sys/net")
                  for name in names)


def outside():
    """Everything that can be seen of a module that should not be seen."""
    tables = {}
    for space in EVERYWHERE:
        with space:
            tables[space.name] = (proc("protocols"), proc("ptype"), sysctls())
    return tables


def listed():
    """kraw's hooks by nft, in the initial namespace and in all of ours."""
    found = {"init": hooks.of_module()}
    found.update((space.name, hooks.of_module(space)) for space in EVERYWHERE)
    return {name: sorted(line.split()[0] for line in lines)
            for name, lines in found.items() if lines}


def points():
    """Occupied hook points on the way from left to a namespace and back."""
    return {(space.name, name): passage.points(lab.left, space, family)
            for space in (lab.right, lab.other)
            for family, name in ((4, "ip"), (6, "ip6"))}


def met():
    """Kraw's hooks by packets: they meet one more than at first, or do not."""
    found = {}
    for (space, name), count in points().items():
        if count != at_first[space, name]:
            found.setdefault(space, []).append(
                name if count == at_first[space, name] + 1 else
                "%s: %d points instead of %d" % (name, count,
                                                 at_first[space, name]))
    return found


def hooks_are(expected, name):
    """Hooks by family: {"right": ["ip", "ip6"]}."""
    if LISTABLE:
        tap.is_(listed(), expected, name + ", says nft")
    if passage:
        tap.is_(met(), expected, name + ", packets say")


def claimed(namespace=None):
    """Slots that kraw holds, host-wide: (number, family)."""
    return [(entry["proto"], handler["family"])
            for entry in tool.ask("show", namespace)
            for handler in entry["handlers"] if handler["kraw"]]


LISTABLE = hooks.listable()
passage = tap.cleanup(hooks.Passage()) if ftrace.available() else None
at_first = points() if passage else {}
if not LISTABLE:
    tap.diag("this kernel does not list hooks: nft would show none, ever")
before = outside()
module = tap.cleanup(tool.Module())


@tap.case
def hooks_can_be_seen():
    """Else `no hook` would mean nothing."""
    tap.ok(LISTABLE or passage, "by nft or by kprobe events")
    # AppArmor has some on kernels that it marks packets on
    there = hooks.lines(lab.other) if LISTABLE else []
    lab.other.run("nft", "add table ip t; add chain ip t c "
                  "{ type filter hook input priority 0; }")
    if LISTABLE:
        tap.is_([line.split()[:2] for line in hooks.lines(lab.other)
                 if line not in there],
                [["ip", "input"]], "nft lists a hook that is there")
    if passage:
        tap.is_(met(), {"other": ["ip"]}, "packets meet it")
    lab.other.run("nft", "flush ruleset")
    hooks_are({}, "gone")


@tap.case
def loaded_and_idle():
    hooks_are({}, "no hook in any namespace")
    tap.is_(claimed(), [], "no handler")
    after = outside()
    for name in before:
        for what, old, new in zip(("/proc/net/protocols", "/proc/net/ptype",
                                   "sysctls"), before[name], after[name]):
            tap.ok(old == new, "%s unchanged in %s" % (what, name))


@tap.each(("both families", "", ["ip", "ip6"]),
          ("one family", "family ipv4", ["ip"]),
          ("one family", "family ipv6", ["ip6"]))
def managed(_, words, where):
    tool.do("proto add 253 " + words, lab.right)
    hooks_are({"right": where}, "hooks only where it is managed")
    tap.is_(claimed(), [], "no handler without a claim")
    tool.do("proto del 253", lab.right)
    hooks_are({}, "no hook after del")


@tap.case
def two_protocols():
    tool.do("proto add 253", lab.right)
    tool.do("proto add 254 claim plain", lab.right)
    hooks_are({"right": ["ip", "ip6"]}, "one hook a family, not a protocol")
    tap.is_(claimed(), [(254, "ipv4"), (254, "ipv6")], "the claim's handlers")
    tool.do("proto del 254", lab.right)
    hooks_are({"right": ["ip", "ip6"]}, "still there for the first")
    tap.is_(claimed(), [], "handlers gone with their claim")
    tool.do("proto del 253", lab.right)
    hooks_are({}, "gone with the last")


@tap.case
def families_come_and_go():
    tool.do("proto add 253 family ipv4 claim plain", lab.right)
    tap.is_(claimed(), [(253, "ipv4")], "one slot")
    tool.do("proto set 253 family ipv6", lab.right)
    hooks_are({"right": ["ip6"]}, "one hook after the change")
    tap.is_(claimed(), [(253, "ipv6")], "the other slot")
    tool.do("proto del 253", lab.right)


@tap.case
def claim_of_two_namespaces():
    tool.do("proto add 253 claim plain", lab.right)
    tool.do("proto add 253 claim plain", lab.other)
    hooks_are({"right": ["ip", "ip6"], "other": ["ip", "ip6"]}, "hooks in both")
    tool.do("proto del 253", lab.right)
    tap.is_(claimed(), [(253, "ipv4"), (253, "ipv6")],
            "the slot stays for the other")
    with Probe(lab.left, lab.right, 253, 4) as probe:
        tap.is_(probe.send().icmp, [UNREACH[4]],
                "unreachable again where the claim was given up")
    with Probe(lab.left, lab.other, 253, 4) as probe:
        tap.is_(probe.send().icmp, [], "consumed where it was not")
    tool.do("proto del 253", lab.other)
    tap.is_(claimed(), [], "the slot goes with its last user")


@tap.case
def flush():
    tool.do("proto add 253 claim plain", lab.right)
    tool.do("proto add 254", lab.right)
    tool.do("rule add proto 254 ttl 1-1 deliver none", lab.right)
    tool.do("flush", lab.right)
    hooks_are({}, "no hook after flush")
    tap.is_(claimed(), [], "no handler after flush")
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")


@tap.case
def the_end_of_a_namespace():
    short = Namespace("short")
    tool.do("proto add 253 claim plain", short)
    tool.do("rule add proto 253 ttl 1-1 deliver none", short)
    if LISTABLE:
        tap.is_(len(hooks.of_module(short)), 2, "hooks in the new namespace")
    tap.is_(claimed(), [(253, "ipv4"), (253, "ipv6")], "and its slots")
    short.close()
    tap.ok(clock.wait_until(lambda: not claimed()),
           "slots are given up with the namespace")
    hooks_are({}, "no hook elsewhere")


@tap.case
def unloaded():
    tool.do("proto add 253 claim plain", lab.right)
    tap.ok(module.unload(), "rmmod while something is managed")
    hooks_are({}, "no hook after rmmod")
    after = outside()
    tap.ok(before == after, "all tables as before insmod")
    with Probe(lab.left, lab.right, 253, 4) as probe:
        tap.is_(probe.send().icmp, [UNREACH[4]], "unreachable as ever")


tap.run()
