#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Records under verdict all with "account exact": the kernel delivers while kraw
watches, so they tell what has become of the packet at each socket, and nothing
is expected.
"""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import packet, sock, tap, tool
from krawtest.client import K
from krawtest.dgram import Dgram
from krawtest.manage import Count, managed
from krawtest.netns import Lab
from krawtest.tracer import Tracer
from krawtest.who import marker, token

PROTO = 253
UNREACH = {4: ("sent", 3, 2), 6: ("sent", 4, 1)}
EXACT = "account exact"

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
flush = marker(lab.l0, lab.r0).flush
senders = {family: tap.cleanup(sock.Sender(family, lab.left))
           for family in (4, 6)}


def names(prefix):
    """Number to name of an enum of the uapi header."""
    return {value: name[len(prefix):].lower() for name, value in
            vars(K).items() if name.startswith(prefix)}


RESULT, ICMP = names("SOCKET_RESULT_"), names("ICMP_RESULT_")


def inode(one):
    """Of a socket."""
    return os.fstat(one.fileno()).st_ino


def send(family, size=0):
    """A packet from left to right."""
    senders[family].send(packet.ip(lab.l0.addr[family], lab.r0.addr[family],
                                   PROTO, token() + bytes(size)))
    flush()


def says(tracer):
    """[({inode: result}, handler's result, ICMP, expected)] of its records."""
    out = []
    for message in tracer.records():
        trace = message["trace"]
        icmp = None
        if "icmp_result" in trace:
            icmp = tuple([ICMP[trace["icmp_result"]]] + [
                trace[key] for key in ("icmp_type", "icmp_code")
                if key in trace])
        out.append(({one["inode"]: RESULT[one["result"]]
                     for one in trace.get("socket", ())},
                    RESULT.get(trace.get("handler_result")), icmp,
                    trace.get("expected", False)))
    return out


@tap.each(4, 6)
def at_each_socket(family):
    """A queue, a filter, both, in every order; the queues agree."""
    for order in ("copy", "filter", "full"), ("full", "filter", "copy"), \
            ("filter", "full", "copy"):
        with managed(PROTO, lab.right, EXACT):
            socks = {name: sock.Reader(PROTO, family, lab.right)
                     for name in order}
            socks["filter"].filter(sock.REJECT)
            socks["full"].sock.setsockopt(socket.SOL_SOCKET,
                                          socket.SO_RCVBUF, 1)
            for _ in range(4):
                send(family, 1200)
            with Tracer(lab.right, PROTO) as tracer, \
                    Count(PROTO, family, lab.right) as count:
                send(family, 1200)
                tap.is_(says(tracer), [
                    ({inode(one): name for name, one in socks.items()}, None,
                     None, False)], "told, in the order " + ", ".join(order))
            tap.is_({name: count.all.get(name, 0) for name in
                     ("raw_copies", "raw_full", "raw_socket_filter")},
                    {"raw_copies": 1, "raw_full": 1, "raw_socket_filter": 1},
                    "the counters agree")
            tap.is_(len(socks["copy"].drain()), 5, "the reader agrees")
            for one in socks.values():
                one.close()


@tap.each(4, 6)
def handlers_and_nobody(family):
    """The handler of a claim with its datagram sockets; an ICMP error."""
    with managed(PROTO, lab.right, EXACT), Tracer(lab.right) as tracer:
        send(family)
        tap.is_(says(tracer), [({}, None, UNREACH[family], False)], "nobody")
    with managed(PROTO, lab.right, "claim plain " + EXACT), \
            sock.Reader(PROTO, family, lab.right) as reader, \
            Dgram(family, lab.right, bind=lab.r0.addr[family]) as one, \
            Tracer(lab.right) as tracer:
        send(family)
        message, = tracer.records()
        send(family)
        tap.is_(says(tracer), [({inode(reader): "copy"}, "copy", None, False)],
                "a claim")
        tap.is_([(each["inode"], RESULT[each["result"]])
                 for each in message["trace"]["dgram"]],
                [(inode(one), "copy")], "its datagram socket")
        tap.is_((len(reader.drain()), len(one.drain())), (2, 2), "it is true")


@tap.each(4, 6)
def policy(family):
    """All of them, for one reason."""
    any_address = {4: "0.0.0.0/0", 6: "::/0"}[family]
    where = "src %s dst %s proto %d" % (any_address, any_address, PROTO)
    with managed(PROTO, lab.right, EXACT), \
            sock.Reader(PROTO, family, lab.right) as one, \
            sock.Reader(PROTO, family, lab.right) as two, \
            Tracer(lab.right) as tracer:
        lab.right.ip("xfrm policy add dir in %s action block" % where)
        try:
            send(family)
        finally:
            lab.right.ip("xfrm policy delete dir in " + where)
        tap.is_(says(tracer), [({inode(one): "policy", inode(two): "policy"},
                                None, None, False)], "told")


@tap.each(4, 6)
def a_program_that_is_not_run(family):
    """eBPF: what was unknown before is known afterwards."""
    program = sock.ebpf()
    if program < 0:
        raise tap.Skip("no eBPF")
    with managed(PROTO, lab.right, EXACT), \
            sock.Reader(PROTO, family, lab.right) as one, \
            sock.Reader(PROTO, family, lab.right) as deaf, \
            Tracer(lab.right) as tracer:
        one.sock.setsockopt(socket.SOL_SOCKET, 50, program)  # SO_ATTACH_BPF
        deaf.filter(sock.REJECT)
        send(family)
        tap.is_(says(tracer), [({inode(one): "copy", inode(deaf): "filter"},
                                None, None, False)], "told")
    os.close(program)


@tap.each(4, 6)
def without_exact(family):
    """The same record is expected, and wrong where nobody could know."""
    with managed(PROTO, lab.right), \
            sock.Reader(PROTO, family, lab.right) as one, \
            Tracer(lab.right) as tracer:
        send(family)
        tap.is_(says(tracer), [({inode(one): "copy"}, None, None, True)],
                "expected")


tap.run()
