#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Verdict kernel and handlers that are not like the usual ones: those that leave
IPsec policy to their caller (GRE), and those that give a packet back as another
protocol's (UDP with a FOU port).  What comes of it is what comes of it without
a rule.
"""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import packet, sock, tap, tool
from krawtest.client import K
from krawtest.manage import Count, managed
from krawtest.netns import Lab
from krawtest.tracer import Tracer
from krawtest.who import marker

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
flush = marker(lab.l0, lab.r0).flush
GRE, UDP, INNER = 47, 17, 253
PORT = {INNER: 5555, 60: 5556, GRE: 5557}	# nobody's, an extension's, a handler's
ENDS = ("end_handler", "end_policy", "end_nobody", "end_discard")


def send(family, proto, body):
    """From left to right."""
    sender = sock.Sender(family, lab.left)
    sender.send(packet.ip(lab.l0.addr[family], lab.r0.addr[family], proto,
                          body))
    sender.close()
    flush()


def ended(count):
    """What was counted of the ends."""
    return {name: value for name, value in count.all.items()
            if name in ENDS}


@tap.each(4, 6)
def a_policy_that_the_handler_does_not_ask(family):
    mine, theirs = lab.r0.addr[family], lab.l0.addr[family]
    lab.right.ip("link add gre9 type %s local %s remote %s" % (
        {4: "gre", 6: "ip6gre"}[family], mine, theirs), "link set gre9 up")
    body = struct.pack("!HH", 0, 0x0800) + packet.ip("10.99.0.1", "10.99.0.2",
                                                     INNER, b"x")
    with managed(GRE, lab.right, "deliver kernel"):
        with Count(GRE, family, lab.right) as count:
            send(family, GRE, body)
        tap.is_(ended(count), {"end_handler": 1}, "without a policy")
        lab.right.ip("xfrm policy add src %s dst %s proto gre dir in action "
                     "block" % (theirs, mine))
        with Count(GRE, family, lab.right) as count:
            send(family, GRE, body)
        tap.is_(ended(count), {"end_policy": 1}, "it says no")
        tool.kraw("proto set %d deliver all account exact" % GRE, lab.right)
        with Tracer(lab.right, proto=GRE) as tracer:
            send(family, GRE, body)
            record, = [one["trace"] for one in tracer.records()]
        tap.is_(record.get("handler_result"), K.SOCKET_RESULT_POLICY,
                "and to the kernel, which is watched")
        tool.kraw("proto set %d deliver kernel account match" % GRE, lab.right)
        lab.right.ip("xfrm policy flush")
        with Count(GRE, family, lab.right) as count:
            send(family, GRE, body)
        tap.is_(ended(count), {"end_handler": 1}, "and without one again")
    lab.right.ip("link del gre9")


@tap.case
def what_ipsec_has_to_open_first():
    """An authentication header leads to it; nobody has the key."""
    head = struct.pack("!BBHII12x", INNER, 4, 0, 7, 1)
    with managed(INNER, lab.right, "deliver none"), \
            Tracer(lab.right, proto=INNER) as tracer:
        with Count(INNER, 6, lab.right) as count:
            send(6, 51, head + b"x")
        tap.is_(count.delta, {"seen": 1, "passed": 1}, "passed on")
        records = [one["trace"] for one in tracer.records()]
    tap.is_([(one["proto"], one.get("verdict")) for one in records],
            [(INNER, None)], "recorded, without a verdict")


def outcome(family, proto, reader):
    """Who has a packet that FOU gives back: (the reader, ICMP errors)."""
    body = packet.udp(lab.l0.addr[family], lab.r0.addr[family], 7,
                      PORT[proto], bytes(16))
    with sock.Reader(sock.ICMP_OF[family], family, lab.left) as told:
        send(family, UDP, body)
        errors = [one for one in told.drain()
                  if one[:1] in {4: (b"\3",), 6: (b"\1", b"\4")}[family]]
    return len(reader.drain()) if reader else 0, len(errors)


@tap.each(4, 6)
def a_packet_that_comes_back_as_another_protocols(family):
    if tool.modprobe("fou").status or tool.modprobe("fou6").status:
        raise tap.Skip("no FOU here")
    tool.modprobe({4: "ip_gre", 6: "ip6_gre"}[family])
    for proto, port in PORT.items():
        lab.right.run("ip", "-%d" % family, "fou", "add", "port", str(port),
                      "ipproto", str(proto), check=True)
    for proto in PORT:
        for there in (False, True):
            reader = sock.Reader(INNER, family, lab.right) if there else None
            linux = outcome(family, proto, reader)
            with managed(UDP, lab.right, "deliver kernel"):
                with Count(UDP, family, lab.right) as count:
                    ours = outcome(family, proto, reader)
            what = "%d, %s raw socket" % (proto, "a" if there else "no")
            tap.is_(ours, linux, what + ": as without a rule")
            tap.is_(ended(count), {"end_handler": 1}, what + ": counted once")
            if reader:
                reader.close()
    for port in PORT.values():
        lab.right.run("ip", "-%d" % family, "fou", "del", "port", str(port),
                      check=True)


tap.run()
