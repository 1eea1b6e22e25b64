#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Two routers, FRR's ospfd and ospf6d in each: neighbours are Full while OSPF is
managed with verdict all, are lost with none and come back with all, and the
counters tell where the packets went.
"""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, tap, tool
from krawtest.daemons import Frr
from krawtest.manage import check, went_up
from krawtest.netns import Lab

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
PATIENCE = 60
ASK = {4: ("ospfd", "show ip ospf neighbor"),
       6: ("ospf6d", "show ipv6 ospf6 neighbor")}


def vty(daemon, command):
    """
    What a daemon in right answers, nothing while it starts; the end is three
    zeroes and a status.
    """
    with socket.socket(socket.AF_UNIX) as vtysh:
        vtysh.settimeout(PATIENCE)
        try:
            vtysh.connect("/run/frr-right/%s.vty" % daemon)
        except (FileNotFoundError, ConnectionRefusedError):
            return ""
        vtysh.sendall(command.encode() + b"\0")
        text = b""
        while len(text) < 4 or text[-4:-1] != bytes(3):
            part = vtysh.recv(65536)
            if not part:
                break
            text += part
    return text[:-4].decode()


def full(family):
    """Has right a neighbour that it has all in common with?"""
    return "Full" in vty(*ASK[family])


def come_to(family, state):
    """Wait until the neighbour is Full, or is not."""
    return clock.wait_until(lambda: full(family) == state, PATIENCE, 0.2)


def meanwhile(func):
    """What func() returns, and what kraw counted, by family."""
    before = check("ospf", lab.right)
    got = func()
    after = check("ospf", lab.right)
    return got, {family: went_up(before[family], after[family])
                 for family in (4, 6)}


@tap.case
def story():
    left, right = Frr(lab.l0, 1), None
    try:
        tool.do("proto add ospf account exact", lab.right)
        right = Frr(lab.r0, 2)
        for family in (4, 6):
            tap.ok(come_to(family, True), "all: IPv%d: Full" % family,
                   vty(*ASK[family]))
        rows = check("ospf", lab.right)
        for family in (4, 6):
            row = rows[family]
            tap.ok(row["raw_copies"] and row["seen"] == row["all"] ==
                   row["end_raw"] + row["end_nobody"],
                   "all: IPv%d: raw sockets have had copies" % family, row)
            tap.is_(row["raw_refused"], 0, "all: and refused none")

        tool.do("proto set ospf deliver none", lab.right)
        _, count = meanwhile(lambda: [
            tap.ok(come_to(family, False), "none: IPv%d: lost" % family,
                   vty(*ASK[family])) for family in (4, 6)])
        for family in (4, 6):
            tap.ok(count[family]["end_proto"], "none: IPv%d: dropped" % family)
            tap.is_(count[family], dict.fromkeys(
                ("seen", "none", "end_proto"), count[family]["seen"]),
                "none: and nothing else")

        tool.do("proto set ospf deliver all", lab.right)
        _, count = meanwhile(lambda: [
            tap.ok(come_to(family, True), "all: IPv%d: Full again" % family,
                   vty(*ASK[family])) for family in (4, 6)])
        for family in (4, 6):
            tap.ok(count[family]["raw_copies"] and
                   "end_proto" not in count[family],
                   "all: IPv%d: copies again" % family, count[family])
    finally:
        if right:
            right.close()
        left.close()
    tool.do("proto del ospf", lab.right)


@tap.case
def nothing_is_left():
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
