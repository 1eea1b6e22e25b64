#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Datagram sockets of a claim with ports: the header and its checksum on the wire,
ports that are chosen, what is broken or for nobody, and who hears of errors.
"""
import array
import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import packet, sock, tap, tool
from krawtest.dgram import SOL_IP, SOL_IPV6, Dgram, error, user
from krawtest.manage import Count, managed
from krawtest.netns import SOURCES, Lab
from krawtest.who import marker

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
flush = marker(lab.l0, lab.r0).flush

PROTO = 253
SOL_SOCKET = socket.SOL_SOCKET
SO_NO_CHECK = 11
LEVEL = {4: SOL_IP, 6: SOL_IPV6}
RECVERR = {4: 11, 6: 25}
ORIGDSTADDR = {4: 20, 6: 74}
ANY = {4: "0.0.0.0", 6: "::"}
REUSE = (SOL_SOCKET, socket.SO_REUSEADDR, 1)
PORT_UNREACH = {4: (3, 3, 0), 6: (1, 4, 0)}


def here(family, port=0, **how):
    """A socket in right, bound to the link's address if there is a port."""
    if port:
        how.setdefault("bind", lab.r0.addr[family])
    return Dgram(family, lab.right, port=port, **how)


@contextlib.contextmanager
def both(family, words=""):
    """The protocol claimed at both ends; a socket on port 1111 in left."""
    with managed(PROTO, lab.left, "claim ports"), \
            managed(PROTO, lab.right, "claim ports " + words), \
            Dgram(family, lab.left, bind=lab.l0.addr[family],
                  port=1111) as left:
        left.to = lab.r0.addr[family]
        yield left


def checksum(src, dst, text):
    """The right checksum of our header and payload."""
    return packet.checksum(packet.pseudo(src, dst, PROTO, len(text)) +
                           text) or 0xffff


def datagram(family, dport, data, sport=1111, length=None, check=None,
             src=None, dst=None):
    """A packet from left to right, right unless it is told to be wrong."""
    src, dst = src or lab.l0.addr[family], dst or lab.r0.addr[family]
    text = struct.pack("!HHHH", sport, dport,
                       8 + len(data) if length is None else length, 0) + data
    whole = text[:length] if length is not None and length >= 8 else text
    value = checksum(src, dst, whole) if check is None else check
    return packet.ip(src, dst, PROTO,
                     text[:6] + struct.pack("!H", value) + text[8:])


@contextlib.contextmanager
def injected(family):
    """A function that sends packets from left."""
    with contextlib.closing(sock.Sender(family, lab.left)) as sender:
        def inject(*packets):
            for one in packets:
                sender.send(one)
            flush()
        yield inject


@tap.each(4, 6)
def names(family):
    mine, theirs = lab.r0.addr[family], lab.l0.addr[family]
    with both(family) as left, here(family, 2222) as one:
        tap.is_(one.sock.getsockname()[:2], (mine, 2222), "bound")
        left.send(b"in", mine, 2222)
        tap.is_(one.wait(), (b"in", theirs, 1111), "address and port")
        one.send(b"out", theirs, 1111)
        tap.is_(left.wait(), (b"out", mine, 2222), "the way back")
        tap.is_(error(one.send, b"x", theirs, 0), "EINVAL", "send to port 0")
        one.sock.connect((theirs, 1112))
        left.send(b"not the peer's port", mine, 2222)
        flush()
        tap.is_(one.drain(), [], "connected to another port")
        one.sock.connect((theirs, 1111))
        tap.is_(one.sock.getpeername()[:2], (theirs, 1111), "getpeername")
        one.send(b"connected")
        tap.is_(left.wait()[0], b"connected", "send")
        with here(family, 2222, bind=ANY[family], options=[REUSE]) as rest:
            left.send(b"x", mine, 2222)
            tap.is_(one.wait()[0], b"x", "the connected one is asked first")
            with injected(family) as inject:
                inject(datagram(family, 2222, b"y", sport=9))
            tap.is_(rest.wait(), (b"y", theirs, 9), "others go to the rest")
        with user(1000):
            tap.is_(error(left.sock.bind, (theirs, 5)), "EACCES",
                    "a privileged port")
        tap.is_(error(here, family, 2222), "EADDRINUSE", "in use")
        tap.is_(error(here, family, 2223), None, "another port")


@tap.each(4, 6)
def on_the_wire(family):
    src, dst = lab.l0.addr[family], lab.r0.addr[family]
    with both(family) as left, here(family, 2222) as right, \
            contextlib.closing(sock.Tap("l0", family, PROTO,
                                        lab.left)) as wire:
        for data in (b"", b"x", b"hello", bytes(range(256)), os.urandom(1400)):
            left.send(data, dst, 2222)
            text = packet.Seen(wire.drain()[0]).payload
            tap.is_(struct.unpack("!HHH", text[:6]),
                    (1111, 2222, 8 + len(data)), "%d bytes: header" % len(data))
            tap.is_(text[6:8], struct.pack("!H", checksum(
                src, dst, text[:6] + b"\0\0" + data)), "checksum")
            tap.is_(right.wait()[0], data, "received")
        left.set(SOL_SOCKET, SO_NO_CHECK)
        left.send(b"unchecked", dst, 2222)
        text = packet.Seen(wire.drain()[0]).payload
        tap.is_(text[6:8] == b"\0\0", family == 4,
                "SO_NO_CHECK: none in IPv4, nevertheless in IPv6")
        tap.is_(right.wait()[0], b"unchecked", "received")


@tap.each(4, 6)
def sizes(family):
    most = {4: 65507, 6: 65527}[family]
    room = (SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    with both(family) as left, here(family, 2222, options=[room]) as right:
        left.set(SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        for size in (1472, 1473, 8192, 8193, 30001, 65507, most):
            data = os.urandom(size)
            left.send(data, left.to, 2222)
            tap.is_(right.wait()[0] == data, True, "%d bytes" % size)
        for size in (most + 1, 65536):
            tap.is_(error(left.send, bytes(size), left.to, 2222), "EMSGSIZE",
                    "%d bytes" % size)


@tap.each(4, 6)
def broken(family):
    with both(family), here(family, 2222) as right, \
            injected(family) as inject:
        head = struct.pack("!HHH", 1111, 2222, 8)
        bad = [datagram(family, 2222, b"data", check=0x1234),
               datagram(family, 2222, b"data", length=7),
               datagram(family, 2222, b"data", length=0),
               datagram(family, 2222, b"data", length=13)]
        bad += [packet.ip(lab.l0.addr[family], lab.r0.addr[family], PROTO,
                          head[:length]) for length in range(7)]
        if family == 6:
            bad.append(datagram(6, 2222, b"data", check=0))
        with Count(PROTO, family, lab.right) as count:
            inject(*bad)
        tap.is_(right.drain(), [], "nothing of it is received")
        tap.is_(count.delta, {"seen": len(bad), "all": len(bad),
                              "claim_handled": len(bad),
                              "dgram_bad": len(bad)}, "counters")
        with contextlib.closing(sock.Reader(sock.ICMP_OF[family], family,
                                            lab.left)) as icmp:
            inject(datagram(family, 4444, b"data", check=0x1234))
            tap.is_(icmp.drain(), [], "nor answered")
        good = [datagram(family, 2222, b"as it is"),
                datagram(family, 2222, b"longer than it says", length=14)]
        if family == 4:
            good.append(datagram(4, 2222, b"unchecked", check=0))
        inject(*good)
        tap.is_(right.drain(), [b"as it is", b"longer"] +
                [b"unchecked"] * (family == 4), "what is good is")


@tap.each(4, 6)
def nobody_listens(family):
    mine, theirs = lab.r0.addr[family], lab.l0.addr[family]
    source = "src %s dst %s payload %s" % (
        theirs, mine, "045715b3000c0000" + "00000000")
    with both(family) as left, here(family, 2222), \
            contextlib.closing(sock.Reader(sock.ICMP_OF[family], family,
                                           lab.left)) as icmp:
        def answers():
            flush()
            errors = [packet.icmp_error(family, data) for data in icmp.drain()]
            return [one.what for one in errors if one]
        with Count(PROTO, family, lab.right) as count:
            left.send(b"8 bytes!", mine, 5555)
            tap.is_(answers(), [PORT_UNREACH[family]], "port unreachable")
        tap.is_(count.delta, {"seen": 1, "all": 1, "claim_handled": 1,
                              "dgram_nobody": 1, "unreach": 1}, "counters")
        said = tool.ask("explain proto 253 " + source, lab.right)
        tap.is_([step["icmp"]["code"] for step in said if step.get("icmp")],
                [PORT_UNREACH[family][1]], "as explain says")
        with here(family, 5555):
            said = tool.ask("explain proto 253 " + source, lab.right)
            tap.is_([step for step in said if step.get("icmp")], [],
                    "which knows the socket, too")
            left.send(b"8 bytes!", mine, 5555)
            tap.is_(answers(), [], "somebody does")
        tool.do("proto set 253 unreach never", lab.right)
        left.send(b"8 bytes!", mine, 5555)
        tap.is_(answers(), [], "unreach never")
        tool.do("proto set 253 unreach always", lab.right)
        left.send(b"8 bytes!", mine, 5555)
        tap.is_(answers(), [PORT_UNREACH[family]], "unreach always")
        left.set(SOL_SOCKET, socket.SO_BROADCAST)
        if family == 4:
            left.send(b"8 bytes!", "10.9.0.255", 5555)
            tap.is_(answers(), [], "not for a broadcast")


@tap.each(4, 6)
def errors(family):
    """Of two sockets the one that has sent the packet hears of it."""
    level, recverr = LEVEL[family], RECVERR[family]
    with both(family) as left, \
            Dgram(family, lab.left, bind=lab.l0.addr[family],
                  port=1112) as other:
        for one in (left, other):
            one.set(level, recverr)
        other.send(b"what I sent", left.to, 5555)
        flush()
        tap.is_(left.sock.getsockopt(SOL_SOCKET, socket.SO_ERROR), 0,
                "not the other one")
        tap.is_(error(other.sock.recv, 10), "ECONNREFUSED", "the sender")
        data, notes, _ = other.control(flags=socket.MSG_ERRQUEUE)
        tap.is_((data, struct.unpack_from("=IBBB", notes[level, recverr])),
                (b"what I sent", (111, {4: 2, 6: 3}[family],
                                  *PORT_UNREACH[family][:2])), "and its queue")
        other.set(level, recverr, 0)
        other.sock.connect((left.to, 5555))
        other.send(b"again")
        flush()
        tap.is_(error(other.sock.recv, 10), "ECONNREFUSED", "connected")
        other.sock.connect((left.to, 5556))
        left.send(b"not mine", left.to, 5556)
        flush()
        tap.is_(other.sock.getsockopt(SOL_SOCKET, socket.SO_ERROR), 0,
                "another one's error")


@tap.each(4, 6)
def chosen_ports(family):
    sysctl = "net.ipv4.ip_local_port_range"
    before = lab.right.sysctl(sysctl)
    lab.right.sysctl(sysctl, "40000 40999")
    with both(family) as left, contextlib.ExitStack() as stack:
        ones = [stack.enter_context(here(family)) for _ in range(20)]
        for one in ones:
            one.send(b"x", lab.l0.addr[family], 1111)
        ports = [left.wait()[2] for _ in ones]
        tap.is_([one.sock.getsockname()[1] for one in ones], ports,
                "each has the port that it sends from")
        tap.ok(all(40000 <= port <= 40999 for port in ports) and
               len(set(ports)) == 20, "of its own, in the range", ports)
        steps = [b - a for a, b in zip(ports, ports[1:])]
        tap.ok(len(set(steps)) > 10, "at random", ports)
        left.send(b"answer", left.to, ports[7])
        tap.is_(ones[7].wait()[0], b"answer", "an answer comes back")
        bound = stack.enter_context(here(family, bind=lab.r0.addr[family]))
        ports.append(bound.sock.getsockname()[1])
        tap.ok(40000 <= ports[-1] <= 40999, "bind to port 0")
        if family == 4:
            late = stack.enter_context(here(4, bind=lab.r0.addr[4],
                                            options=[(SOL_IP, 24, 1)]))
            before_send = late.sock.getsockname()[1]
            late.send(b"late", lab.l0.addr[4], 1111)
            ports.append(late.sock.getsockname()[1])
            tap.is_((before_send, left.wait()[2]),
                    (0, late.sock.getsockname()[1]),
                    "IP_BIND_ADDRESS_NO_PORT: not before it sends")
        lab.right.sysctl(sysctl, "40000 40004")
        lab.right.sysctl("net.ipv4.ip_local_reserved_ports", "40003")
        full = [stack.enter_context(here(family, options=[REUSE]))
                for _ in range(5)]
        got = [error(one.sock.bind, (ANY[family], 0)) for one in full]
        taken = {port for port in ports if port in (40000, 40001, 40002, 40004)}
        tap.is_(got.count(None), 4 - len(taken),
                "as many as are free, without the reserved, reuse or not")
        tap.is_(set(got) - {None}, {"EADDRINUSE"}, "then none")
        last = stack.enter_context(here(family))
        tap.is_((error(last.send, b"x", lab.l0.addr[family], 1111),
                 error(last.sock.connect, (lab.l0.addr[family], 1111))),
                ("EAGAIN", "EAGAIN"), "send, connect")
        lab.right.sysctl("net.ipv4.ip_local_reserved_ports", "")
    lab.right.sysctl(sysctl, before.replace("\t", " "))


@tap.each(4, 6)
def many(family):
    """A socket for each of a thousand ports, and a raw one."""
    number = 1000
    with both(family) as left, contextlib.ExitStack() as stack, \
            sock.Reader(PROTO, family, lab.right, rcvbuf=1 << 22) as raw:
        ones = [stack.enter_context(here(family, 10000 + n))
                for n in range(number)]
        for at in (0, 1, number // 2, number - 1):
            left.send(b"%d" % at, left.to, 10000 + at)
        flush()
        tap.is_({at: one.drain() for at, one in enumerate(ones)
                 if at in (0, 1, 2, 500, 999)},
                {0: [b"0"], 1: [b"1"], 2: [], 500: [b"500"], 999: [b"999"]},
                "each gets its own")
        tap.is_(len(raw.drain()), 4, "the raw socket gets every packet")


@tap.each(4, 6)
def where_it_went(family):
    """IP_RECVORIGDSTADDR, and SIOCINQ without the header."""
    level, option = LEVEL[family], ORIGDSTADDR[family]
    with both(family) as left, \
            here(family, 2222, options=[(level, option, 1)]) as one:
        left.send(b"x", left.to, 2222)
        _, notes, _ = one.control()
        tap.is_(struct.unpack_from("!H", notes[level, option], 2)[0], 2222,
                "the port")
        left.send(b"12345", left.to, 2222)
        flush()
        value = array.array("i", [0])
        fcntl.ioctl(one.fileno(), 0x541b, value)
        tap.is_(value[0], 5, "SIOCINQ")
        # the payload starts with 'y'; the filter sees the header, as UDP's does
        sock.attach_filter(one.sock, [(0x30, 0, 0, 8), (0x15, 0, 1, 0x79),
                                      (6, 0, 0, 0xffffffff), (6, 0, 0, 0)])
        one.drain()
        left.send(b"yes", left.to, 2222)
        left.send(b"no", left.to, 2222)
        flush()
        tap.is_(one.drain(), [b"yes"], "a socket filter")
        sock.attach_filter(one.sock, [(6, 0, 0, 4)])
        left.send(b"cut", left.to, 2222)
        tap.is_(one.wait()[0], b"", "one that cuts leaves the header")


@tap.each(4, 6)
def reuseport(family):
    group = (SOL_SOCKET, socket.SO_REUSEPORT, 1)
    with both(family), contextlib.ExitStack() as stack, \
            injected(family) as inject:
        ones = [stack.enter_context(here(family, 2222, options=[group]))
                for _ in range(4)]
        tap.is_(error(here, family, 2222, options=[group]), None,
                "one more of the same user's")
        inject(*(datagram(family, 2222, b"%d" % port, sport=port)
                 for port in range(1, 201) for _ in range(2)))
        got = [one.drain() for one in ones]
        tap.ok(all(40 <= len(one) <= 180 for one in got), "shared",
               list(map(len, got)))
        tap.is_(sum(len(set(one)) for one in got), 200, "by flow")
        # load the first byte of the payload, modulo 4
        program = struct.pack("HBBI", 0x30, 0, 0, 0) + \
            struct.pack("HBBI", 0x54, 0, 0, 3) + \
            struct.pack("HBBI", 0x16, 0, 0, 0)
        buffer = ctypes.create_string_buffer(program)
        ones[0].set(SOL_SOCKET, 51,
                    struct.pack("HP", 3, ctypes.addressof(buffer)))
        inject(*(datagram(family, 2222, bytes([n]), sport=n + 1)
                 for n in range(8)))
        tap.is_([one.drain() for one in ones],
                [[bytes([n]), bytes([n + 4])] for n in range(4)],
                "by a program, which sees the payload")


@tap.case
def kinds_of_claims():
    """One turns into the other only without sockets; dual stack with ports."""
    with both(4) as left, here(6, 2222, bind="::") as one:
        left.send(b"four", left.to, 2222)
        tap.is_(one.wait(), (b"four", "::ffff:" + lab.l0.addr[4], 1111),
                "IPv4 to an IPv6 socket")
        one.send(b"back", "::ffff:" + lab.l0.addr[4], 1111)
        tap.is_(left.wait()[::2], (b"back", 2222), "and back")
        tap.is_(error(here, 4, 2222), "EADDRINUSE", "one port in both")
        tap.has(tool.refused("proto set 253 claim plain", lab.right).err,
                "1 open datagram socket", "claim plain instead: refused")
    with managed(PROTO, lab.right, "claim ports"):
        tool.do("proto set 253 claim plain", lab.right)
        tap.is_(error(here, 4, 2222), "EINVAL", "without ports now")
        tool.do_alone(["apply", "-"], lab.right,
                      stdin="proto add 253 claim ports\n")
        tap.is_(error(here, 4, 2222), None, "and with them again")
        tap.is_(tool.ask("proto show 253", lab.right)[0]["claim"], "ports",
                "as proto show says")


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
