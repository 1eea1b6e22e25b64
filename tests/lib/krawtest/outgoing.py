# SPDX-License-Identifier: GPL-2.0
"""
What raw sockets send: whether the call worked, and whether the packet left.

    out = Outgoing(lab.right, lab.r0, lab.l0)
    out.send(4, 253, hdr=True, ttl=3)	# "sent", or "EPERM"

Both are told by outsiders: the call's error and a packet socket on the device,
which sees the packet while it is being sent.  Where they disagree the answer is
something else, which no test expects.
"""
import errno
import os
import select
import socket

from . import clock, packet, sock
from .who import token

SO_MARK = 36
IP_TOS, IP_TTL, IP_RECVERR = 1, 2, 11
IPV6_UNICAST_HOPS, IPV6_RECVERR, IPV6_TCLASS = 16, 25, 67
_PKTTYPE = 0xfffff000 + 4
_LEVEL = {4: socket.IPPROTO_IP, 6: socket.IPPROTO_IPV6}


class Wire(sock.Tap):
    """Everything that leaves by a device; seen(mark) counts packets with it."""
    def __init__(self, device, namespace):
        self._open(device, [
            (0x28, 0, 0, _PKTTYPE), (0x15, 0, 1, 4), (0x06, 0, 0, 0xffffffff),
            (0x06, 0, 0, 0)], namespace)

    def seen(self, mark):
        """How many of them carry it?"""
        return sum(mark in data for data in self.drain())

    def wait(self, wanted, seconds=clock.PATIENCE):
        """Is there a packet for which wanted(data) is true, within that time?"""
        until = clock.deadline(seconds)
        while True:
            if any(map(wanted, self.drain())):
                return True
            if not select.select([self.sock], [], [], clock.left(until))[0]:
                return False


def raw(family, proto, namespace, hdr=False, device=None, mark=None, uid=None,
        ttl=None, tos=None, bind=None, options=()):
    """A raw socket that sends; options are (level, name, value)."""
    with namespace:
        out = socket.socket(sock.FAMILY[family], socket.SOCK_RAW, proto)
    if hdr:
        out.setsockopt(_LEVEL[family], {4: socket.IP_HDRINCL,
                                        6: sock.IPV6_HDRINCL}[family], 1)
    if device is not None:
        out.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE,
                       device.encode())
    if mark is not None:
        out.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
    if uid is not None:
        os.fchown(out.fileno(), uid, -1)
    if ttl is not None:
        out.setsockopt(_LEVEL[family], {4: IP_TTL, 6: IPV6_UNICAST_HOPS}
                       [family], ttl)
    if tos is not None:
        out.setsockopt(_LEVEL[family], {4: IP_TOS, 6: IPV6_TCLASS}[family],
                       tos)
    if bind is not None:
        out.bind((bind, 0))
    for option in options:
        out.setsockopt(*option)
    return out


def said(call):
    """How a call ended: "sent", or the name of the error."""
    try:
        call()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    return "sent"


class Outgoing:
    """Sends from one namespace by one link, `near`, to its other end."""
    def __init__(self, namespace, near, far):
        self.namespace, self.near, self.far = namespace, near, far
        self.wire = Wire(near.device, namespace)

    def attempt(self, call, mark, local=False):
        """
        call() sends a packet with this mark: "sent" and seen on the wire, or
        the name of the error and not seen.  To a local address nothing is seen.
        """
        self.wire.drain()
        answer = said(call)
        seen = self.wire.seen(mark)
        if local or seen == (answer == "sent"):
            return answer
        return "%s, but seen %d times" % (answer, seen)

    def send(self, family, proto, body=b"", pre=b"", src=None, dst=None,
             hdr=False, ttl=None, tos=None, chain=None, **how):
        """
        One packet: `pre`, eight bytes that no other has, `body`.  chain(data)
        puts extension headers before it: (next header, bytes).  The rest is
        for raw().
        """
        mark = token()
        data = pre + mark + body
        target = dst or self.far.addr[family]
        local = target == self.near.addr[family]
        nexthdr = proto
        if chain is not None:
            nexthdr, data = chain(data)
        if hdr:
            more = {"tos" if family == 4 else "tclass": tos or 0}
            if "frag" in how:
                more["frag"] = how.pop("frag")
            data = packet.ip(src or self.near.addr[family], target, nexthdr,
                             data, ttl=64 if ttl is None else ttl, **more)
            out = raw(family, proto, self.namespace, True, **how)
        else:
            out = raw(family, nexthdr, self.namespace, ttl=ttl, tos=tos,
                      bind=src, **how)
        with out:
            return self.attempt(lambda: out.sendto(data, (target, 0)), mark,
                                local)

    def whole(self, family, data, mark, **how):
        """A complete packet, from a socket of no protocol."""
        with raw(family, socket.IPPROTO_RAW, self.namespace, True,
                 **how) as out:
            return self.attempt(
                lambda: out.sendto(data, (packet.Seen(data).dst, 0)), mark)

    def close(self):
        """Close the packet socket."""
        self.wire.close()
