#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
raw(7), every statement, is as true with kraw as without it.  The programs of
tests/raw7 run three times in one boot: without the module; with the module
loaded and idle; with every protocol managed in both namespaces, deliver all.
Each case passes each time, and what it saw is the same: the bytes and the
control data that sockets received, what left each device, the errors, every
change of /proc/net/snmp and snmp6.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, raw7, tap, tool

module = tap.cleanup(tool.Module(load=False))
# a slow kernel takes minutes for all: those that receive
GROUPS = raw7.GROUPS if clock.SLOW == 1 else ["open", "receive", "error"]
BASE = {}
# Listener reports come when they want to: such a case is measured again.
UNASKED = ("MLDv2", "Type143")


def once(groups, prepare):
    """The cases of some groups, in new namespaces, by name; what kraw saw."""
    with raw7.Lab() as lab:
        if prepare:
            for space in lab.spaces:
                prepare(space)
        found = {case.name: case for case in raw7.run(groups)}
        return found, [raw7.seen(space) for space in lab.spaces
                       if prepare]


def measure(prepare=None):
    """All cases, and what kraw saw in the two namespaces."""
    found, seen = once(GROUPS, prepare)
    for _ in range(3):
        spoilt = sorted({case.group for case in found.values()
                         if any(word in line for line in case.log
                                for word in UNASKED)})
        if not spoilt:
            break
        found.update(once(spoilt, prepare)[0])
    return found, seen


def compare(found, title):
    """One point for each case: it passes, and saw what it saw at first."""
    for name, case in found.items():
        base = BASE.get(name)
        same = base is not None and base.log == case.log
        tap.ok(case.good and same, "%s: %s" % (title, name),
               "\n".join(case.comments + (difference(base, case)
                                          if base else ["  not there before"])))
    tap.is_(len(found), len(BASE), "%s: all cases" % title)


def difference(base, case):
    """Lines that only one of them has."""
    return ["  was " + line for line in base.log if line not in case.log] + \
           ["  is  " + line for line in case.log if line not in base.log]


@tap.case
def without_the_module():
    BASE.update(measure()[0])
    for name, case in BASE.items():
        tap.ok(case.good, name, "\n".join(case.comments))
    tap.ok(sum(len(case.log) for case in BASE.values()) > 500,
           "there is something to compare")


@tap.case
def loaded_and_idle():
    module.load()
    compare(measure()[0], "idle")


@tap.case
def all_managed():
    found, seen = measure(lambda space: raw7.manage(space, "all"))
    compare(found, "managed")
    for name, (packets, passed) in zip(("left", "right"), seen):
        tap.ok(packets > 500, "kraw saw packets in " + name, packets)
        tap.is_(passed, packets, "all had verdict all in " + name)


@tap.case
def differences_are_seen():
    """With another verdict they are not the same: the comparison works."""
    found, _ = once(["receive"], lambda space: raw7.manage(space, "raw"))
    other = [name for name, case in found.items()
             if case.log != BASE[name].log or not case.good]
    for name in ("R15 holds: all raw sockets", "R35 holds: ICMP",
                 "R35v6 holds: TCP"):
        tap.ok(any(name in one for one in other), "deliver raw: not %s" % name)


tap.run()
