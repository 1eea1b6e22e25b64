#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
What programs do with a datagram socket of a claim without ports: flags, control
data, options, sizes and fragments, groups, errors; and what is refused, by name.
"""
import array
import contextlib
import ctypes
import fcntl
import os
import select
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, packet, sock, tap, tool
from krawtest.dgram import SOL_IP, SOL_IPV6, Dgram, call, error, pair, user
from krawtest.manage import Count, managed
from krawtest.netns import SOURCES, Lab
from krawtest.who import marker

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
flush = marker(lab.l0, lab.r0).flush
for space, device in ((lab.left, "l0"), (lab.right, "r0")):
    space.ip("route add 224.0.0.0/4 dev " + device,
             "route add multicast ff00::/8 dev %s table local metric 1" % device)

SOL_SOCKET = socket.SOL_SOCKET
SO_RXQ_OVFL, SO_TIMESTAMPNS, SO_TIMESTAMPING, SO_NO_CHECK = 40, 35, 37, 11
IP_RECVERR, IP_MTU_DISCOVER, IP_MTU, IP_RECVTTL, IP_RECVTOS = 11, 10, 14, 12, 13
IP_PKTINFO, IP_FREEBIND, IP_MULTICAST_ALL, IP_UNICAST_IF = 8, 15, 49, 50
IPV6_RECVERR, IPV6_MTU_DISCOVER, IPV6_DONTFRAG, IPV6_FREEBIND = 25, 23, 62, 78
IPV6_UNICAST_HOPS, IPV6_MULTICAST_ALL, IPV6_FLOWINFO_SEND = 16, 29, 33
IPV6_FLOWLABEL_MGR, IPV6_FLOWINFO = 32, 11
JOIN_GROUP, LEAVE_GROUP, JOIN_SOURCE, BLOCK_SOURCE = 42, 45, 46, 43
SIOCOUTQ, SIOCINQ = 0x5411, 0x541b
MSG_CONFIRM, MSG_PROBE = 0x800, 0x10
LEVEL = {4: SOL_IP, 6: SOL_IPV6}
ANY = {4: "0.0.0.0", 6: "::"}
GROUP = {4: "239.1.2.3", 6: "ff05::4b:72"}
MTU = 1500
HEADER = {4: 20, 6: 40}
MOST = {4: 65535 - 20, 6: 65535}


def number(one, request):
    """An ioctl that answers with an int."""
    value = array.array("i", [0])
    fcntl.ioctl(one.fileno(), request, value)
    return value[0]


@tap.each(4, 6)
def flags(family):
    with pair(lab, family) as (left, right):
        recv = right.sock.recv
        tap.is_(error(recv, 10, socket.MSG_DONTWAIT), "EAGAIN", "nothing there")
        left.send(b"0123456789", left.to)
        left.send(b"next", left.to)
        flush()
        tap.is_(number(right, SIOCINQ), 10, "SIOCINQ")
        tap.is_(recv(100, socket.MSG_PEEK), b"0123456789", "MSG_PEEK")
        tap.is_(recv(4, socket.MSG_PEEK), b"0123", "peek at a part")
        buffer = bytearray(4)
        tap.is_(right.sock.recv_into(buffer, 4,
                                     socket.MSG_PEEK | socket.MSG_TRUNC), 10,
                "MSG_TRUNC: the whole length")
        data, _, got = right.control(4)
        tap.is_((data, got & socket.MSG_TRUNC), (b"0123", socket.MSG_TRUNC),
                "cut, and told so")
        tap.is_(recv(100), b"next", "the rest is gone, the next one is there")
        tap.is_(error(recv, 10, socket.MSG_OOB), "EOPNOTSUPP", "MSG_OOB")
        for name, value in (("MSG_OOB", socket.MSG_OOB),
                            ("MSG_MORE", 0x8000)):
            tap.is_(error(left.sock.sendto, b"x", value, (left.to, 0)),
                    "EOPNOTSUPP", "send: " + name)
        left.sock.sendto(b"", MSG_PROBE | MSG_CONFIRM, (left.to, 0))
        left.sock.sendto(b"c", MSG_CONFIRM, (left.to, 0))
        left.sock.sendto(b"d", socket.MSG_DONTROUTE, (left.to, 0))
        flush()
        tap.is_(right.drain(), [b"c", b"d"],
                "MSG_PROBE sends nothing, MSG_CONFIRM and MSG_DONTROUTE do")
        left.send(b"", left.to)
        tap.is_(right.wait()[0], b"", "an empty datagram")
        tap.is_(call("recv", right.fileno(), None, 10, 0), "EAGAIN",
                "nothing there: NULL does not matter")
        left.send(b"x", left.to)
        flush()
        tap.is_(call("recv", right.fileno(), None, 10, 0), "EFAULT", "NULL")


@tap.each(4, 6)
def waiting(family):
    with pair(lab, family) as (left, right):
        poll = select.poll()
        poll.register(right, select.POLLIN | select.POLLOUT)
        epoll = select.epoll()
        epoll.register(right, select.EPOLLIN)
        tap.is_(poll.poll(0), [(right.fileno(), select.POLLOUT)],
                "poll: writable")
        left.send(b"x", left.to)
        flush()
        tap.is_(poll.poll(0)[0][1], select.POLLIN | select.POLLOUT,
                "poll: readable")
        tap.is_(epoll.poll(0), [(right.fileno(), select.EPOLLIN)], "epoll")
        epoll.close()
        right.drain()
        right.sock.connect((right.to, 0))
        right.sock.shutdown(socket.SHUT_WR)
        tap.is_(error(right.send, b"x"), "EPIPE", "shut down for writing")
        left.send(b"still", left.to)
        tap.is_(right.wait()[0], b"still", "but not for reading")
        right.sock.shutdown(socket.SHUT_RD)
        tap.ok(poll.poll(0)[0][1] & select.POLLIN, "poll: the end is readable")
        right.sock.setblocking(True)
        tap.is_(right.sock.recv(10), b"", "reads as the end")
        tap.is_(error(right.sock.listen), "EOPNOTSUPP", "listen")


@tap.each(4, 6)
def sizes(family):
    with pair(lab, family, (SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)) as (left, right):
        left.set(SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        most = MOST[family]
        with contextlib.closing(sock.Tap("l0", family, 253,
                                         lab.left)) as wire:
            for size in (1, 100, MTU - HEADER[family]):
                data = os.urandom(size)
                left.send(data, left.to)
                tap.is_(right.wait()[0], data, "%d bytes" % size)
                tap.is_(len(wire.drain()), 1, "in one packet")
        for size in (MTU - HEADER[family] + 1, 8192, 8193, 20000, most - 1,
                     most):
            data = os.urandom(size)
            left.send(data, left.to)
            tap.is_(right.wait()[0] == data, True,
                    "%d bytes, in fragments" % size)
        for size in (most + 1, 65536, 100000):
            tap.is_(error(left.send, bytes(size), left.to), "EMSGSIZE",
                    "%d bytes" % size)


@tap.each(4, 6)
def path_mtu(family):
    """IP_MTU_DISCOVER, and a router that says that a packet is too big."""
    level, option = LEVEL[family], {4: IP_MTU_DISCOVER, 6: IPV6_MTU_DISCOVER}
    fits = bytes(MTU - HEADER[family])
    with pair(lab, family) as (left, right):
        left.set(level, option[family], 2)	# IP_PMTUDISC_DO
        left.set(level, {4: IP_RECVERR, 6: IPV6_RECVERR}[family])
        left.send(fits, left.to)
        tap.is_(len(right.wait()[0]), len(fits), "what fits")
        tap.is_(error(left.send, fits + b"x", left.to), "EMSGSIZE",
                "one byte more")
        data, notes, _ = left.control(flags=socket.MSG_ERRQUEUE)
        note = notes[level, {4: IP_RECVERR, 6: IPV6_RECVERR}[family]]
        tap.is_((data, struct.unpack_from("=IBBBxI", note)),
                (b"", (90, 1, 0, 0, MTU)), "its error queue knows the MTU")
        if family == 6:
            left.set(level, option[family], 0)
            left.set(level, IPV6_DONTFRAG)
            tap.is_(error(left.send, fits + b"x", left.to), "EMSGSIZE",
                    "IPV6_DONTFRAG")
            left.set(level, IPV6_DONTFRAG, 0)
        left.set(level, option[family], 0)	# IP_PMTUDISC_DONT
        left.send(fits + b"x", left.to)
        tap.is_(len(right.wait()[0]), len(fits) + 1, "IP_PMTUDISC_DONT")
        left.set(level, option[family], 2)
        left.sock.connect((left.to, 0))
        tap.is_(left.sock.getsockopt(level, {4: IP_MTU, 6: 24}[family]), MTU,
                "IP_MTU")
        too_big(family, left, fits)
        tap.is_(left.sock.getsockopt(level, {4: IP_MTU, 6: 24}[family]), 1300,
                "the route has learnt it")
        tap.is_(error(left.send, fits), "EMSGSIZE", "and so have we")
    lab.left.run("ip", "-%d" % family, "route", "flush", "cache")


def quoted(family, body=bytes(8)):
    """A packet that the socket in left sent to right."""
    return packet.ip(lab.l0.addr[family], lab.r0.addr[family], 253, body)


def icmp(family, kind, code, info=0, body=bytes(8)):
    """An ICMP error from right about such a packet, sent."""
    text = struct.pack("!BBHI", kind, code, 0, info) + quoted(family, body)
    src, dst = lab.r0.addr[family], lab.l0.addr[family]
    proto = sock.ICMP_OF[family]
    head = packet.pseudo(src, dst, proto, len(text)) if family == 6 else b""
    text = text[:2] + struct.pack("!H", packet.checksum(head + text)) + text[4:]
    with contextlib.closing(sock.Sender(family, lab.right)) as sender:
        sender.send(packet.ip(src, dst, proto, text))
    flush()


def too_big(family, left, fits):
    """The router's word, and what becomes of it."""
    level = LEVEL[family]
    kind, code = {4: (3, 4), 6: (2, 0)}[family]
    icmp(family, kind, code, 1300, fits[:1200] if family == 6 else fits[:500])
    tap.is_(left.sock.getsockopt(SOL_SOCKET, socket.SO_ERROR), 90,
            "too big: the socket hears of it")
    _, notes, _ = left.control(flags=socket.MSG_ERRQUEUE)
    note = notes[level, {4: IP_RECVERR, 6: IPV6_RECVERR}[family]]
    tap.is_(struct.unpack_from("=IBBBxI", note),
            (90, {4: 2, 6: 3}[family], kind, code, 1300), "and from whom")


@tap.each(4, 6)
def icmp_errors(family):
    level, recverr = LEVEL[family], {4: IP_RECVERR, 6: IPV6_RECVERR}[family]
    port = {4: (3, 3), 6: (1, 4)}[family]	# as fatal as any
    with pair(lab, family) as (left, right):
        icmp(family, *port)
        tap.is_(left.sock.getsockopt(SOL_SOCKET, socket.SO_ERROR), 0,
                "not connected, without IP_RECVERR: not told")
        left.set(level, recverr)
        icmp(family, *port, body=b"what I sent")
        tap.is_(error(left.sock.recv, 10), "ECONNREFUSED", "IP_RECVERR")
        data, notes, flags_ = left.control(flags=socket.MSG_ERRQUEUE)
        note = notes[level, recverr]
        tap.is_(data, b"what I sent", "the queue has what it quotes")
        tap.ok(flags_ & socket.MSG_ERRQUEUE, "and says so")
        offender = note[16 + 4:16 + 8] if family == 4 else note[16 + 8:16 + 24]
        tap.is_((struct.unpack_from("=IBBB", note),
                 socket.inet_ntop(right.sock.family, offender)),
                ((111, {4: 2, 6: 3}[family], *port), lab.r0.addr[family]),
                "and from whom")
        left.set(level, recverr, 0)
        left.sock.connect((left.to, 0))
        icmp(family, *port)
        tap.is_(error(left.sock.recv, 10), "ECONNREFUSED", "connected")
        icmp(family, {4: 11, 6: 3}[family], 0)
        tap.is_(left.sock.getsockopt(SOL_SOCKET, socket.SO_ERROR), 0,
                "time exceeded may pass: not told")
        left.sock.connect((SOURCES[family][0][1], 0))
        icmp(family, *port)
        tap.is_(left.sock.getsockopt(SOL_SOCKET, socket.SO_ERROR), 0,
                "connected to somebody else: not told")
        with Dgram(family, lab.left, bind=SOURCES[family][1][1]) as other:
            other.set(level, recverr)
            icmp(family, *port)
            tap.is_(other.sock.getsockopt(SOL_SOCKET, socket.SO_ERROR), 0,
                    "nor is another socket")


@tap.each(4, 6)
def a_host_without_the_protocol(family):
    """Its answer, protocol unreachable, comes to whoever is connected."""
    with managed(253, lab.left, "claim plain"), \
            Dgram(family, lab.left, connect=lab.r0.addr[family]) as one:
        one.send(b"hello")
        flush()
        tap.is_(error(one.sock.recv, 10), "EAGAIN",
                "the kernel wants eight bytes in what an error quotes")
        one.send(b"8 bytes!")
        flush()
        tap.is_(error(one.sock.recv, 10), {4: "ENOPROTOOPT", 6: "EPROTO"}[
            family], "the socket is told")


@tap.each(4, 6)
def control_data(family):
    index = {}
    for space_, name in ((lab.left, "l0"), (lab.right, "r0")):
        with space_:
            index[name] = socket.if_nametoindex(name)
    if family == 4:
        options = [(SOL_IP, IP_PKTINFO, 1), (SOL_IP, IP_RECVTTL, 1),
                   (SOL_IP, IP_RECVTOS, 1)]
        ttl, tos = (SOL_IP, 2), (SOL_IP, 1)
    else:
        options = [(SOL_IPV6, socket.IPV6_RECVPKTINFO, 1),
                   (SOL_IPV6, socket.IPV6_RECVHOPLIMIT, 1),
                   (SOL_IPV6, socket.IPV6_RECVTCLASS, 1)]
        ttl, tos = (SOL_IPV6, 52), (SOL_IPV6, 67)
    with pair(lab, family, *options, bind=ANY[family]) as (left, right):
        def values():
            _, notes, _ = right.control()
            info = notes[(SOL_IP, IP_PKTINFO) if family == 4 else
                         (SOL_IPV6, 50)]
            at = struct.unpack("=i4s4s", info) if family == 4 else \
                struct.unpack("=16si", info)
            dst = at[2] if family == 4 else at[0]
            return (at[0] if family == 4 else at[1],
                    socket.inet_ntop(right.sock.family, dst),
                    *(int.from_bytes(notes[kind], sys.byteorder)
                      for kind in (ttl, tos)))
        left.send(b"x", left.to)
        tap.is_(values(), (index["r0"], left.to, 64, 0), "as by default")
        if family == 4:
            left.set(SOL_IP, socket.IP_TTL, 9).set(SOL_IP, socket.IP_TOS, 0x28)
        else:
            left.set(SOL_IPV6, IPV6_UNICAST_HOPS, 9)
            left.set(SOL_IPV6, socket.IPV6_TCLASS, 0x28)
        left.send(b"x", left.to)
        tap.is_(values()[2:], (9, 0x28), "the sender's options")
        source = SOURCES[family][0][1]
        packed = socket.inet_pton(left.sock.family, source)
        if family == 4:
            notes = [(SOL_IP, 2, struct.pack("=i", 7)),
                     (SOL_IP, 1, struct.pack("=i", 0x10)),
                     (SOL_IP, IP_PKTINFO, struct.pack("=i", index["l0"]) +
                      packed + bytes(4))]
        else:
            notes = [(SOL_IPV6, 52, struct.pack("=i", 7)),
                     (SOL_IPV6, 67, struct.pack("=i", 0x10)),
                     (SOL_IPV6, 50, packed + struct.pack("=i", index["l0"]))]
        left.sock.sendmsg([b"with ", b"notes"], notes, 0, (left.to, 0))
        select.select([right], [], [], 10)
        data, name = right.sock.recvfrom(100, socket.MSG_PEEK)
        tap.is_((data, name[0]), (b"with notes", source),
                "IP_PKTINFO chooses the source")
        tap.is_(values()[2:], (7, 0x10), "control data of one datagram")
        bad_control(family, left, index)


def bad_control(family, left, index):
    """Control data that is wrong."""
    foreign = socket.inet_pton(left.sock.family,
                               {4: "192.0.2.1", 6: "2001:db8::1"}[family])
    kinds = {4: (2, 1, IP_PKTINFO), 6: (52, 67, 50)}[family]
    info = struct.pack("=i", index["l0"]) + foreign + bytes(4) \
        if family == 4 else foreign + struct.pack("=i", index["l0"])
    wrong = [("a TTL of 300", kinds[0], struct.pack("=i", 300), "EINVAL"),
             ("a TTL of one byte", kinds[0], b"\x01", "EINVAL"),
             ("a TOS of 256", kinds[1], struct.pack("=i", 256), "EINVAL"),
             ("a foreign source", kinds[2], info,
              {4: "ENETUNREACH", 6: "EINVAL"}[family]),
             ("a short source", kinds[2], info[:5], "EINVAL"),
             ("an unknown one", 99, struct.pack("=i", 1), "EINVAL")]
    if family == 4:
        wrong.append(("IP options", 7, bytes(4), "EOPNOTSUPP"))
    for what, kind, value, name in wrong:
        tap.is_(error(left.sock.sendmsg, [b"x"], [(LEVEL[family], kind, value)],
                      0, (left.to, 0)), name, what)


@tap.each(4, 6)
def stamps(family):
    with pair(lab, family, (SOL_SOCKET, SO_TIMESTAMPNS, 1)) as (left, right):
        left.send(b"x", left.to)
        _, notes, _ = right.control()
        tap.ok(len(notes.get((SOL_SOCKET, SO_TIMESTAMPNS), b"")) == 16,
               "SO_TIMESTAMPNS", notes)
        # TX_SOFTWARE, RX_SOFTWARE, SOFTWARE
        right.set(SOL_SOCKET, SO_TIMESTAMPNS, 0)
        right.set(SOL_SOCKET, SO_TIMESTAMPING, 1 << 3 | 1 << 4)
        left.set(SOL_SOCKET, SO_TIMESTAMPING, 1 << 1 | 1 << 4)

        def stamped():
            left.send(b"stamped", left.to)
            return (SOL_SOCKET, SO_TIMESTAMPING) in right.control()[1]
        # a work item switches the stamps of received packets on
        tap.ok(clock.wait_until(stamped), "received")
        _, notes, _ = left.control(flags=socket.MSG_ERRQUEUE)
        tap.ok((SOL_SOCKET, SO_TIMESTAMPING) in notes, "sent", notes)


@tap.each(4, 6)
def memory(family):
    with pair(lab, family, (SOL_SOCKET, SO_RXQ_OVFL, 1),
              (SOL_SOCKET, socket.SO_RCVBUF, 1)) as (left, right):
        with Count(253, family, lab.right) as count:
            for _ in range(12):
                left.send(bytes(700), left.to)
            flush()
        there = len(right.drain())
        tap.ok(0 < there < 12, "some of twelve are there", there)
        tap.is_((count.delta["dgram"], count.delta["dgram_refused"]),
                (there, 12 - there), "counted")
        left.send(b"x", left.to)
        _, notes, _ = right.control()
        tap.is_(struct.unpack("=I", notes[SOL_SOCKET, SO_RXQ_OVFL]),
                (12 - there,), "SO_RXQ_OVFL")
        # what waits for a neighbour that nobody knows is in nobody's hands yet
        there = {4: "10.9.0.200", 6: "fd09::200"}[family]
        tap.is_(number(left, SIOCOUTQ), 0, "SIOCOUTQ: nothing")
        left.set(SOL_SOCKET, socket.SO_SNDBUF, 1)
        sent, err = 0, None
        while sent < 1000 and not err:
            err = error(left.send, bytes(1000), there)
            sent += not err
        tap.is_((err, sent > 0), ("EAGAIN", True), "the send buffer is full")
        tap.ok(number(left, SIOCOUTQ) > 1000, "SIOCOUTQ")
        tap.is_(select.select([], [left], [], 0)[1], [], "not writable")
        lab.left.ip("neigh replace %s lladdr %s dev l0 nud permanent" %
                    (there, lab.r0.mac))
        tap.is_(select.select([], [left], [], 10)[1], [left], "writable again")


@tap.each(4, 6)
def filters(family):
    with pair(lab, family) as (left, right):
        # the first byte of the payload is 'y'
        sock.attach_filter(right.sock, [(0x30, 0, 0, 0), (0x15, 0, 1, 0x79),
                                        (6, 0, 0, 0xffffffff), (6, 0, 0, 0)])
        with Count(253, family, lab.right) as count:
            for data in (b"yes", b"no", b"y", b""):
                left.send(data, left.to)
            flush()
        tap.is_(right.drain(), [b"yes", b"y"], "what the filter lets in")
        tap.is_(count.delta, {"seen": 4, "all": 4, "claim_handled": 4,
                              "dgram": 2, "dgram_refused": 2}, "counters")


@tap.each(4, 6)
def mark_and_priority(family):
    rules = "add table inet t\nadd chain inet t c { type filter hook output " \
        "priority 0; }\nadd rule inet t c meta mark 7 counter\n" \
        "add rule inet t c meta priority 5 counter\n"
    with pair(lab, family) as (left, _):
        lab.left.run("nft", "-f", "-", input=rules)
        left.send(b"x", left.to)
        left.set(SOL_SOCKET, socket.SO_MARK, 7).send(b"x", left.to)
        left.set(SOL_SOCKET, socket.SO_PRIORITY, 5).send(b"x", left.to)
        left.sock.sendmsg([b"x"], [(SOL_SOCKET, socket.SO_MARK,
                                    struct.pack("=I", 8))], 0, (left.to, 0))
        out = lab.left.run("nft", "list", "table", "inet", "t").stdout
        tap.is_([line.split("packets ")[1].split()[0]
                 for line in out.splitlines() if "packets" in line],
                ["2", "2"], "SO_MARK and SO_PRIORITY, seen by nft")
        lab.left.run("nft", "delete", "table", "inet", "t")


@tap.each(4, 6)
def devices(family):
    mine = lab.r0.addr[family]
    device = (SOL_SOCKET, socket.SO_BINDTODEVICE)
    with pair(lab, family, (*device, b"r0"), bind=ANY[family]) as (left, right), \
            Dgram(family, lab.right, bind=ANY[family],
                  options=[(*device, b"lo")]) as lo:
        left.send(b"from the link", mine)
        flush()
        tap.is_((right.drain(), lo.drain()), ([b"from the link"], []),
                "SO_BINDTODEVICE")
        tap.is_(error(Dgram, family, lab.right, bind=ANY[family]),
                "EADDRINUSE", "any device is in use")
        with Dgram(family, lab.right, bind=mine,
                   options=[(SOL_SOCKET, socket.SO_REUSEADDR, 1)]) as reuse:
            left.send(b"x", mine)
            tap.is_(reuse.wait()[0], b"x", "the address goes before the device")
        lo.send(b"y", {4: "127.0.0.1", 6: "::1"}[family])
        tap.is_(lo.wait()[0], b"y", "over lo")


@tap.each(4, 6)
def vrf(family):
    """A socket bound to a VRF, and one bound to nothing."""
    lab.right.ip("link add vrf9 type vrf table 9", "link set vrf9 up",
                 "link add dum9 type dummy", "link set dum9 master vrf9",
                 "addr add 10.9.9.1/24 dev dum9", "link set dum9 up",
                 "addr add fd09:9::1/64 dev dum9 nodad")
    address = {4: "10.9.9.1", 6: "fd09:9::1"}[family]
    with managed(253, lab.right, "claim plain"), \
            Dgram(family, lab.right, bind=address, options=[
                (SOL_SOCKET, socket.SO_BINDTODEVICE, b"vrf9")]) as inside, \
            Dgram(family, lab.right, bind=ANY[family], options=[
                (SOL_SOCKET, socket.SO_REUSEADDR, 1)]) as outside:
        inside.send(b"in the VRF", address)
        tap.is_(inside.wait()[:2], (b"in the VRF", address), "inside")
        tap.is_(outside.drain(), [], "not outside")
    lab.right.ip("link del dum9", "link del vrf9")


def member(one, option, source=None):
    """Join or leave the group on r0."""
    with lab.right:
        index = socket.if_nametoindex("r0")

    def address(text):
        raw = socket.inet_pton(one.sock.family, text)
        head = struct.pack("=HH", one.sock.family, 0)
        return (head + (raw if one.family == 4 else bytes(4) + raw)).ljust(
            128, b"\0")
    value = struct.pack("=I4x", index) + address(GROUP[one.family])
    one.set(LEVEL[one.family], option,
            value + (address(source) if source else b""))


@tap.each(4, 6)
def groups(family):
    everything = (LEVEL[family],
                  {4: IP_MULTICAST_ALL, 6: IPV6_MULTICAST_ALL}[family], 0)
    reuse = (SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with pair(lab, family, everything, reuse, bind=ANY[family]) as (left, right), \
            Dgram(family, lab.right, bind=GROUP[family],
                  options=[everything, reuse]) as second:
        left.send(b"too early", GROUP[family])
        flush()
        tap.is_((right.drain(), second.drain()), ([], []), "no member")
        member(right, JOIN_GROUP)
        left.send(b"one", GROUP[family])
        flush()
        tap.is_((right.drain(), second.drain()), ([b"one"], []), "one member")
        member(second, JOIN_SOURCE, lab.l0.addr[family])
        with Count(253, family, lab.right) as count:
            left.send(b"both", GROUP[family])
            flush()
        tap.is_((right.drain(), second.drain()), ([b"both"], [b"both"]),
                "two members")
        tap.is_(count.delta, {"seen": 1, "all": 1, "claim_handled": 1,
                              "dgram": 2}, "counters")
        member(right, BLOCK_SOURCE, lab.l0.addr[family])
        left.send(b"blocked", GROUP[family])
        flush()
        tap.is_((right.drain(), second.drain()), ([], [b"blocked"]),
                "a source that one blocks")
        hops = {4: socket.IP_MULTICAST_TTL, 6: socket.IPV6_MULTICAST_HOPS}
        loop = {4: socket.IP_MULTICAST_LOOP, 6: socket.IPV6_MULTICAST_LOOP}
        left.set(LEVEL[family], hops[family], 33)
        with contextlib.closing(sock.Tap("l0", family, 253, lab.left)) as wire:
            left.send(b"far", GROUP[family])
            tap.is_([packet.Seen(one).ttl for one in wire.drain()], [33],
                    "IP_MULTICAST_TTL")
        right.send(b"to myself", GROUP[family])
        tap.is_(right.wait()[0], b"to myself", "IP_MULTICAST_LOOP")
        right.set(LEVEL[family], loop[family], 0)
        right.send(b"not to myself", GROUP[family])
        tap.is_(right.drain(), [], "and without")
        tap.is_(error(right.set, LEVEL[family], hops[family], 256), "EINVAL",
                "a TTL of 256")


@tap.case
def broadcast():
    with pair(lab, 4, bind="0.0.0.0") as (left, right):
        for address in ("255.255.255.255", "10.9.0.255"):
            tap.is_(error(left.send, b"x", address), "EACCES",
                    "without SO_BROADCAST: " + address)
        tap.is_(error(left.sock.connect, ("10.9.0.255", 0)), "EACCES",
                "nor connect")
        left.set(SOL_SOCKET, socket.SO_BROADCAST)
        left.send(b"to all", "10.9.0.255")
        tap.is_(right.wait()[0], b"to all", "with SO_BROADCAST")


@tap.each(4, 6)
def refused_by_name(family):
    """What would be ignored is refused instead."""
    with managed(253, lab.right, "claim plain"), \
            Dgram(family, lab.right) as one:
        options = [("IP_OPTIONS", SOL_IP, 4, b""),
                   ("IP_MINTTL", SOL_IP, 21, 5),
                   ("IP_CHECKSUM", SOL_IP, 23, 1),
                   ("IP_BIND_ADDRESS_NO_PORT", SOL_IP, 24, 1),
                   ("IP_RECVERR_RFC4884", SOL_IP, 26, 1),
                   ("IP_RECVORIGDSTADDR without ports", SOL_IP, 20, 1)]
        if family == 6:
            options += [("IPV6_ADDRFORM", SOL_IPV6, 1, socket.AF_INET),
                        ("IPV6_MINHOPCOUNT", SOL_IPV6, 73, 5),
                        ("IPV6_RECVPATHMTU", SOL_IPV6, 60, 1),
                        ("IPV6_RECVERR_RFC4884", SOL_IPV6, 31, 1),
                        ("IPV6_RECVORIGDSTADDR", SOL_IPV6, 74, 1)]
        for name, level, option, value in options:
            tap.is_(error(one.set, level, option, value), "EOPNOTSUPP", name)
        for name, level, option in (("IP_HDRINCL", SOL_IP, 3),
                                    ("an unknown one of IP", SOL_IP, 4000),
                                    ("of the protocol", 253, 77),
                                    ("of UDP", socket.SOL_UDP, 1)):
            tap.is_(error(one.set, level, option, 1), "ENOPROTOOPT", name)
            if name != "IP_HDRINCL":
                tap.is_(error(one.sock.getsockopt, level, option),
                        "ENOPROTOOPT", "and to ask for " + name)
        tap.is_(error(one.sock.getsockopt, SOL_SOCKET, 4000), "ENOPROTOOPT",
                "an unknown one of the socket's")
        freebind = (LEVEL[family], {4: IP_FREEBIND, 6: IPV6_FREEBIND}[family])
        with user(1000):
            tap.is_(error(one.set, *freebind), "EPERM",
                    "IP_FREEBIND without the right")
        foreign = {4: "192.0.2.1", 6: "2001:db8::1"}[family]
        one.set(*freebind)
        tap.is_(error(one.sock.bind, (foreign, 0)), None, "with it")
        tap.is_(call("setsockopt", one.fileno(), SOL_SOCKET, socket.SO_RCVBUF,
                     None, 4), "EFAULT", "NULL")
        tap.is_(call("getsockopt", one.fileno(), SOL_SOCKET, socket.SO_RCVBUF,
                     None, None), "EFAULT", "NULL to write to")


@tap.each(4, 6)
def reuseport(family):
    """A group of one user's shares the load by flow; others stay out."""
    group = (SOL_SOCKET, socket.SO_REUSEPORT, 1)
    mine = lab.r0.addr[family]
    with pair(lab, family, group) as (left, one), contextlib.ExitStack() as stack:
        members = [one] + [stack.enter_context(
            Dgram(family, lab.right, bind=mine, options=[group]))
            for _ in range(3)]
        tap.is_(error(Dgram, family, lab.right, bind=mine), "EADDRINUSE",
                "without SO_REUSEPORT")
        with contextlib.closing(sock.Sender(family, lab.left)) as sender:
            for n in range(256):
                src = "10.77.0.%d" % n if family == 4 else "fd77::%x" % (n + 1)
                for _ in range(2):
                    sender.send(packet.ip(src, mine, 253, src.encode()))
        flush()
        got = [member_.drain() for member_ in members]
        tap.is_(sum(map(len, got)), 512, "all are there")
        tap.ok(all(32 <= len(one_) <= 256 for one_ in got), "shared",
               list(map(len, got)))
        tap.is_(sum(len(set(one_)) for one_ in got), 256,
                "a flow stays with one")
        members[3].close()
        left.send(b"x", mine)
        flush()
        tap.is_(sum(len(one_.drain()) for one_ in members[:3]), 1,
                "when one is closed, the others have its share")


@tap.case
def flow_labels():
    with pair(lab, 6) as (left, right):
        request = socket.inet_pton(socket.AF_INET6, left.to) + \
            struct.pack("!I", 0x12345) + struct.pack("=BBHHH4x", 0, 1, 1, 0, 0)
        left.set(SOL_IPV6, IPV6_FLOWINFO_SEND)
        left.set(SOL_IPV6, IPV6_FLOWLABEL_MGR, request)
        tap.is_(error(left.sock.sendto, b"x", (left.to, 0, 0x54321, 0)),
                "EINVAL", "a label that is not the socket's")
        right.set(SOL_IPV6, IPV6_FLOWINFO)
        left.sock.sendto(b"labelled", (left.to, 0, 0x12345, 0))
        _, notes, _ = right.control()
        tap.is_(notes.get((SOL_IPV6, IPV6_FLOWINFO)),
                struct.pack("!I", 0x12345), "one that is")


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
