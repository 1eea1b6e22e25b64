# SPDX-License-Identifier: GPL-2.0
"""
Who received what.  A Probe sends packets of one protocol from one namespace to
another and reports, for exactly these packets,

    raw      how many of them each raw socket of the receiver got
    icmp     the ICMP errors that came back: a list of (type, code, pointer)
    answers  packets of the same protocol that came back (SCTP ABORT, TCP RST)

That something did NOT arrive is known without waiting for it: after the packets,
markers follow them on the same way, there and back.  Everything runs on one CPU
(see krawtest.netns), so whatever the packets caused at once is there when the
markers have arrived.
"""
import itertools
import os
import select
import socket
import struct
from collections import namedtuple

from . import clock, packet, sock

# Protocol unreachable; ICMPv6: unrecognised next header, at the pointer.
UNREACH = {4: (3, 2, 0), 6: (4, 1, 6)}

_tokens = itertools.count(1)

Receipt = namedtuple("Receipt", "raw icmp answers")


def token():
    """Eight bytes that no other packet of this run carries."""
    return struct.pack("!HHI", 0x6b72, os.getpid() & 0xffff, next(_tokens))


class Marker:
    """
    Frames over a link, there and back, to know that it is empty.  They are no
    IP packets: no counter, rule or firewall sees them.
    """
    ETHERTYPE = 0x88b5		# local experiments, IEEE 802

    def __init__(self, near, far):
        self._links = (near, far)
        self._socks = []
        self._serial = itertools.count(1)
        for link in self._links:
            with link.namespace:
                end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                    socket.htons(self.ETHERTYPE))
            end.bind((link.device, self.ETHERTYPE))
            end.setblocking(False)
            self._socks.append(end)

    def _pass(self, source, target):
        """Send one marker and wait for it."""
        text = b"marker %d" % next(self._serial)
        mac = bytes.fromhex(self._links[target].mac.replace(":", ""))
        me = bytes.fromhex(self._links[source].mac.replace(":", ""))
        until = clock.deadline()
        self._socks[source].send(mac + me +
                                 struct.pack("!H", self.ETHERTYPE) + text)
        end = self._socks[target]
        while select.select([end], [], [], clock.left(until))[0]:
            if end.recv(64)[14:14 + len(text)] == text:
                return
        raise TimeoutError("a marker was lost: the link is not as expected")

    def flush(self):
        """Return when everything sent before has been received, and answered."""
        self._pass(0, 1)
        self._pass(1, 0)

    def close(self):
        """Close both ends."""
        for end in self._socks:
            end.close()


def marker(near, far):
    """
    The Marker of a link.  It is kept until the namespace goes: to close a packet
    socket takes a grace period of the kernel's.
    """
    if near.marker is None:
        near.marker = Marker(near, far)
        near.namespace.at_close(near.marker.close)
    return near.marker


class Probe:
    """
    Probe(left, right, 253, 4, readers=2): two raw sockets at the receiver.

    readers    a number, or a list of sock.Reader that the caller made (and
               closes)
    src, dst   other addresses than the link's
    answers    also collect packets of this protocol that come back; this opens
               a raw socket of the protocol at the sender
    """
    def __init__(self, sender, receiver, proto, family, readers=0, src=None,
                 dst=None, answers=False):
        self.family = family
        self.proto = proto
        near, far = sender.links[receiver.name], receiver.links[sender.name]
        self.src = src or near.addr[family]
        self.dst = dst or far.addr[family]
        self._own = []
        self._marker = marker(near, far)
        self._sender = self._keep(sock.Sender(family, sender))
        self._icmp = self._keep(sock.Reader(sock.ICMP_OF[family], family,
                                            sender))
        self._back = self._keep(sock.Reader(proto, family, sender)) \
            if answers else None
        if isinstance(readers, int):
            readers = [self._keep(sock.Reader(proto, family, receiver))
                       for _ in range(readers)]
        self.readers = readers

    def _keep(self, thing):
        self._own.append(thing)
        return thing

    def send(self, count=1, payload=b"", ttl=64, src=None, dst=None,
             drain=True):
        """`count` packets that start with a unique token, then `payload`."""
        src, dst = src or self.src, dst or self.dst
        packets = [packet.ip(src, dst, self.proto, mark + payload, ttl=ttl)
                   for mark in (token() for _ in range(count))]
        return self.transmit(packets, [p[-8 - len(payload):][:8]
                                       for p in packets], drain)

    def transmit(self, packets, marks, drain=True):
        """
        Send complete IP packets.  `marks` are byte strings, one of which each
        packet, each copy of it and each ICMP error about it contains.  Without
        `drain` what came stays in the sockets, and None is returned.
        """
        for one in [self._icmp, self._back] + list(self.readers):
            if one is not None:
                one.drain()
        for data in packets:
            self._sender.send(data)
        self._marker.flush()
        if not drain:
            return None

        def ours(data):
            return any(mark in data for mark in marks)

        raw = [sum(map(ours, reader.drain())) for reader in self.readers]
        errors = [packet.icmp_error(self.family, data)
                  for data in self._icmp.drain()]
        icmp = [error.what for error in errors
                if error is not None and ours(error.quoted)]
        answers = self._back.drain() if self._back is not None else []
        return Receipt(raw, icmp, answers)

    def flush(self):
        """Wait until the path is empty in both directions."""
        self._marker.flush()

    def close(self):
        """Close all sockets that the probe opened."""
        while self._own:
            self._own.pop().close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
