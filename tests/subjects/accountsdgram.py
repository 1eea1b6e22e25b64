#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
What comes to the datagram sockets of a claim is counted by what becomes of it,
and adds up: received, refused by filter, policy or a full queue, for nobody, with a
broken header or checksum; to one socket and to many, beside raw sockets.
"""
import contextlib
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import packet, sock, tap, tool
from krawtest.dgram import SOL_IP, SOL_IPV6, Dgram
from krawtest.manage import Count, managed
from krawtest.netns import Lab
from krawtest.sock import FAMILY
from krawtest.who import marker

PROTO = 253
GROUP = {4: "224.0.0.5", 6: "ff02::5"}
REUSE = (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
SO_MEMINFO = 55
SMALL = (socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
ANY = {4: "0.0.0.0", 6: "::"}

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
flush = marker(lab.l0, lab.r0).flush
lab.left.ip("route add 224.0.0.0/4 dev l0",
            "route add multicast ff00::/8 dev l0 table local metric 1")
with lab.right:
    R0 = socket.if_nametoindex("r0")


def here(family, port=1, **how):
    """A socket in right, on the link's address."""
    return Dgram(family, lab.right, bind=how.pop("bind", lab.r0.addr[family]),
                 port=port, **how)


class Source:
    """Sends packets from left that are right unless they are told to be wrong."""
    def __init__(self, family):
        self._family = family
        self._sender = sock.Sender(family, lab.left)

    def send(self, count=1, port=1, wrong=0, check=0, data=b"data", cut=None,
             dst=None):
        """wrong: added to the length, check: to the checksum; cut: bytes."""
        src = lab.l0.addr[self._family]
        dst = dst or lab.r0.addr[self._family]
        text = struct.pack("!HHHH", 9, port, 8 + len(data) + wrong, 0) + data
        value = packet.checksum(packet.pseudo(src, dst, PROTO, len(text)) +
                                text) or 0xffff
        text = text[:6] + struct.pack("!H", value ^ check) + text[8:]
        for _ in range(count):
            self._sender.send(packet.ip(src, dst, PROTO, text[:cut]))
        flush()

    def close(self):
        """Close the socket."""
        self._sender.close()


@contextlib.contextmanager
def claimed(family, words=""):
    """(a source, a function that insists on what is counted meanwhile)"""
    @contextlib.contextmanager
    def counts(name, seen, **wanted):
        with Count(PROTO, family, lab.right) as count:
            yield
        basic = {"seen": seen, "all": seen, "end_handler": seen,
                 "claim_handled": seen} if seen else {}
        tap.is_({key: value for key, value in count.all.items() if value},
                {**basic, **wanted}, name)
    with contextlib.closing(Source(family)) as source, \
            managed(PROTO, lab.right, "claim ports " + words):
        yield source, counts


@tap.each(*((family, words) for words in ("", "account exact")
            for family in (4, 6)))
def one_socket(family, words):
    with claimed(family, words) as (source, counts), here(family) as one:
        with counts("received", 3, dgram=3):
            source.send(3)
        tap.is_(len(one.drain()), 3, "by the socket")
        with counts("a wrong checksum", 2, dgram_bad=2, dgram_checksum=2):
            source.send(2, check=1)
        with counts("a wrong length", 3, dgram_bad=3, dgram_header=3):
            source.send(wrong=1)
            source.send(2, wrong=-9)
        with counts("cut off", 1, dgram_bad=1, dgram_header=1):
            source.send(cut=7)
        with counts("another port", 2, dgram_nobody=2, unreach=2,
                    unreach_sent=2):
            source.send(2, port=2)
        sock.attach_filter(one.sock, sock.REJECT)
        with counts("its filter", 2, dgram_refused=2, dgram_filter=2):
            source.send(2)
        tap.is_(one.drain(), [], "nothing of all that came to the socket")
        with counts("nothing", 0):
            flush()


@tap.each(4, 6)
def a_full_queue(family):
    with claimed(family) as (source, counts), \
            here(family, options=[SMALL]) as one:
        with Count(PROTO, family, lab.right) as count:
            source.send(40, data=bytes(500))
        came = len(one.drain())
        tap.is_({key: value for key, value in count.all.items() if value},
                {"seen": 40, "all": 40, "end_handler": 40,
                 "claim_handled": 40, "dgram": came, "dgram_refused": 40 - came,
                 "dgram_full": 40 - came}, "what came, and what did not")
        tap.ok(0 < came < 40, "there is some of both", came)
        with counts("and again", 1, dgram=1):
            source.send()


@tap.each(4, 6)
def policy(family):
    """An IPsec policy that blocks what is for a socket, and what is for none."""
    with claimed(family) as (source, counts), here(family) as one:
        lab.right.ip("xfrm policy add dir in src %s dst %s proto %d action "
                     "block" % (lab.l0.addr[family], lab.r0.addr[family],
                                PROTO))
        try:
            with Count(PROTO, family, lab.right) as count:
                source.send(2)
            tap.is_((count.all.get("dgram_policy"),
                     count.all.get("dgram_refused"), one.drain()),
                    (2, 2, []), "refused by policy")
            tap.is_(struct.unpack("=9I", one.sock.getsockopt(
                socket.SOL_SOCKET, SO_MEMINFO, 36))[8], 2,
                    "and dropped at the socket, as of UDP")
        finally:
            lab.right.ip("xfrm policy flush")
        with counts("without it", 1, dgram=1):
            source.send()


@tap.each(4, 6)
def many_sockets(family):
    """A multicast: each socket that it is for counts, the packet once."""
    join = struct.pack("=I4x", R0) + struct.pack("=HH", FAMILY[family], 0) + \
        bytes(4 * (family == 6)) + socket.inet_pton(FAMILY[family],
                                                    GROUP[family])
    with claimed(family) as (source, counts), contextlib.ExitStack() as stack:
        mine = [stack.enter_context(here(family, bind=ANY[family],
                                         options=[REUSE])) for _ in range(3)]
        for one in mine:
            one.set({4: SOL_IP, 6: SOL_IPV6}[family], 42,
                    join.ljust(136, b"\0"))
        sock.attach_filter(mine[0].sock, sock.REJECT)
        with counts("two receive it, one refuses", 2, dgram=4,
                    dgram_refused=2, dgram_filter=2):
            source.send(2, dst=GROUP[family])
        tap.is_([len(one.drain()) for one in mine], [0, 2, 2], "as it was")
        with counts("on another port", 1, dgram_nobody=1, unreach=1,
                    unreach_silent=1):
            source.send(port=5, dst=GROUP[family])


@tap.each(4, 6)
def beside_raw_sockets(family):
    with claimed(family, "account exact") as (source, counts), \
            here(family) as one, \
            sock.Reader(PROTO, family, lab.right) as takes, \
            sock.Reader(PROTO, family, lab.right) as rejects:
        rejects.filter(sock.REJECT)
        with counts("each by itself", 2, dgram=2, raw_matched=4, raw_copies=2,
                    raw_refused=2, raw_socket_filter=2):
            source.send(2)
        tap.is_((len(one.drain()), len(takes.drain())), (2, 2), "as it was")
        with counts("a broken one", 1, dgram_bad=1, dgram_checksum=1,
                    raw_matched=2, raw_copies=1, raw_refused=1,
                    raw_socket_filter=1):
            source.send(check=1)
        tap.is_((len(one.drain()), len(takes.drain())), (0, 1),
                "is for raw sockets only")
        tool.do("proto set 253 deliver raw", lab.right)
        with Count(PROTO, family, lab.right) as count:
            source.send()
        tap.ok(not any(key.startswith(("dgram", "claim"))
                       for key in count.all), "a verdict without the claim",
               count.all)


@tap.case
def prometheus():
    with claimed(4) as (source, _), here(4):
        source.send(2, check=1)
        source.send(wrong=1)
        text = tool.do_alone(["stats", "--prometheus"], lab.right)
        told = {line.split('outcome="')[1].split('"')[0]: line.split()[-1]
                for line in text.splitlines()
                if line.startswith("kraw_dgram_total") and "ipv4" in line}
        tap.is_(told, {"delivered": "0", "policy": "0", "socket_filter": "0",
                       "full": "0", "memory": "0", "nobody": "0",
                       "header": "1", "checksum": "2"}, "each outcome once")


tap.run()
