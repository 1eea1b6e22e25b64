#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
What programs rarely do with datagram sockets, and what rarely happens to them:
control data of other sizes and of the other family, addresses that stand for
others, ICMP messages that are no plain errors, routes that change, a device that
takes nothing, programs of a control group that are asked first.
"""
import contextlib
import ctypes
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import packet, sock, syscalls, tap, tool
from krawtest.client import Client, K, proto, u32
from krawtest.dgram import SOL_IP, SOL_IPV6, Dgram, call, error, pair
from krawtest.manage import managed
from krawtest.netns import SOURCES, Lab
from krawtest.tracer import Tracer
from krawtest.who import marker

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
flush = marker(lab.l0, lab.r0).flush

SOL_SOCKET = socket.SOL_SOCKET
REUSEPORT = (SOL_SOCKET, socket.SO_REUSEPORT, 1)
REUSE = (SOL_SOCKET, socket.SO_REUSEADDR, 1)
LEVEL = {4: SOL_IP, 6: SOL_IPV6}
ANY = {4: "0.0.0.0", 6: "::"}
RECVERR = {4: 11, 6: 25}
IP_TOS, IP_PKTINFO, IP_RECVTOS, IP_MTU_DISCOVER, IP_UNICAST_IF = 1, 8, 13, 10, 50
IPV6_PKTINFO, IPV6_FLOWINFO_SEND, IPV6_FLOWLABEL_MGR = 50, 33, 32
MTU = 1500
HEADER = {4: 20, 6: 40}


def index_of(namespace, device):
    """Of a device."""
    with namespace:
        return socket.if_nametoindex(device)


# --- addresses and control data ----------------------------------------------

@tap.case
def a_type_of_service_in_one_byte():
    with pair(lab, 4, (SOL_IP, IP_RECVTOS, 1)) as (left, right):
        left.sock.sendmsg([b"x"], [(SOL_IP, IP_TOS, b"\x28")], 0, (left.to, 0))
        tap.is_(right.control()[1].get((SOL_IP, IP_TOS)), b"\x28",
                "it is the packet's")


@tap.case
def a_broadcast_and_the_address_to_answer_from():
    with pair(lab, 4, (SOL_IP, IP_PKTINFO, 1), bind="0.0.0.0") as (left, right):
        left.set(SOL_SOCKET, socket.SO_BROADCAST)
        left.send(b"to all", "10.9.0.255")
        info = right.control()[1][SOL_IP, IP_PKTINFO]
        tap.is_(struct.unpack("=i4s4s", info),
                (index_of(lab.right, "r0"), socket.inet_aton(left.to),
                 socket.inet_aton("10.9.0.255")), "IP_PKTINFO has both")


@tap.case
def an_ipv6_socket_says_where_an_ipv4_packet_comes_from():
    source = SOURCES[4][0][1]
    index = index_of(lab.left, "l0")

    def info(address, size=20):
        return [(SOL_IPV6, IPV6_PKTINFO, (socket.inet_pton(
            socket.AF_INET6, address) + struct.pack("=i", index))[:size])]
    with pair(lab, 4) as (_, right), \
            Dgram(6, lab.left, bind="::ffff:" + source) as mapped:
        to = ("::ffff:" + lab.r0.addr[4], 0)
        for origin in (source, SOURCES[4][1][1]):
            mapped.sock.sendmsg([b"x"], info("::ffff:" + origin), 0, to)
            tap.is_(right.wait()[:2], (b"x", origin), "IPV6_PKTINFO")
        for what, notes in (("not an IPv4 address", info(lab.l0.addr[6])),
                            ("a short one", info("::ffff:" + source, 12))):
            tap.is_(error(mapped.sock.sendmsg, [b"x"], notes, 0, to), "EINVAL",
                    what)


@tap.case
def a_device_that_the_packet_goes_by():
    """For a group: nobody's neighbour has to be known."""
    index = index_of(lab.left, "l1")
    mapped = socket.inet_pton(socket.AF_INET6, "::ffff:" + lab.l0.addr[4])
    with managed(253, lab.left, "claim plain"), \
            Dgram(4, lab.left, bind=lab.l0.addr[4], options=[REUSE]) as four, \
            Dgram(6, lab.left, bind="::ffff:" + lab.l0.addr[4],
                  options=[REUSE]) as six, \
            contextlib.closing(sock.Tap("l1", 4, 253, lab.left)) as wire:
        for one, to, note in (
                (four, "239.1.2.3", (SOL_IP, IP_PKTINFO, struct.pack(
                    "=i8x", index))),
                (six, "::ffff:239.1.2.3", (SOL_IPV6, IPV6_PKTINFO,
                                           mapped + struct.pack("=i", index)))):
            one.sock.sendmsg([b"x"], [note], 0, (to, 0))
            tap.is_([packet.Seen(got).dst for got in wire.drain()],
                    ["239.1.2.3"], "IPv%d socket: goes by it" % one.family)


@tap.case
def an_ipv6_socket_hears_where_an_ipv4_packet_came_to():
    with pair(lab, 4) as (left, right), \
            Dgram(6, lab.right, bind="::", options=[REUSE, (
                SOL_IPV6, socket.IPV6_RECVPKTINFO, 1)]) as mapped:
        right.close()
        left.send(b"x", left.to)
        info = mapped.control()[1].get((SOL_IPV6, IPV6_PKTINFO))
        tap.is_(info and struct.unpack("=16si", info),
                (socket.inet_pton(socket.AF_INET6, "::ffff:" + left.to),
                 index_of(lab.right, "r0")), "IPV6_PKTINFO")


def sendto(one, data, length, name):
    """sendto() with any address, as bytes: None, or the name of the error."""
    return call("sendto", one.fileno(), data, length, 0, name, len(name))


@tap.case
def addresses_that_stand_for_others():
    with pair(lab, 6) as (left, right):
        right.sock.connect((right.to, 0))
        unspec = struct.pack("=H26x", socket.AF_UNSPEC)
        tap.is_(sendto(right, b"abc", 3, unspec), None, "AF_UNSPEC")
        tap.is_(left.wait()[0], b"abc", "is where it is connected to")
        tap.is_(sendto(left, b"abc", 3, unspec), "EDESTADDRREQ",
                "and nowhere without")
        tap.is_(sendto(left, None, 3, struct.pack("=HHI", 10, 0, 0) + b"".join(
            [socket.inet_pton(socket.AF_INET6, left.to), bytes(4)])),
                "EFAULT", "data that is not there")
        tap.is_(sendto(left, None, 3000, struct.pack("=HHI", 10, 0, 0) +
                       socket.inet_pton(socket.AF_INET6, left.to) + bytes(4)),
                "EFAULT", "nor so much that it would be in fragments")
        tap.is_(error(left.send, b"x", "2001:db8::9"), "ENETUNREACH",
                "no route")
        with Dgram(6, lab.left, bind="::", options=[REUSE]) as any_, \
                Dgram(4, lab.right, bind=lab.r0.addr[4]) as right4:
            name = struct.pack("=HH", socket.AF_INET, 0) + \
                socket.inet_aton(lab.r0.addr[4]) + bytes(8)
            tap.is_(sendto(any_, b"four", 4, name), None,
                    "an IPv4 address, to an IPv6 socket")
            tap.is_(right4.wait()[:2], (b"four", lab.l0.addr[4]), "arrives")
            any_.send(b"here", "::")
            tap.is_(any_.wait()[:2], (b"here", "::1"), ":: is this host")
            # every interface has one, and only the scope tells them apart
            local = lab.right.link_local("r0")
            with Dgram(6, lab.right, bind="::", options=[REUSE]) as all_:
                for data, device in ((b"elsewhere", "l1"), (b"scoped", "l0")):
                    any_.sock.sendto(data, (local, 0, 0,
                                            index_of(lab.left, device)))
                tap.is_(all_.wait()[0], b"scoped", "a scope")


@tap.case
def a_way_that_the_program_chooses():
    """A routing header of type 2 (RFC 6275) names the end, another one the way."""
    with pair(lab, 6) as (left, _), \
            contextlib.closing(sock.Tap("l0", 6, 43, lab.left)) as wire:
        route = struct.pack("=BBBB4x", 0, 2, 2, 1) + \
            socket.inet_pton(socket.AF_INET6, left.to)
        failed = error(left.sock.sendmsg, [b"x"], [(SOL_IPV6, 57, route)], 0,
                       ("2001:db8::9", 0))
        if failed == "EINVAL":
            raise tap.Skip("this kernel knows no such header")
        tap.is_(failed, None, "IPV6_RTHDR")
        tap.is_([packet.Seen(one).dst for one in wire.drain()], [left.to],
                "goes there first")


@tap.case
def a_peer_with_a_flow_label():
    with pair(lab, 6) as (left, _), \
            contextlib.closing(sock.Tap("l0", 6, 253, lab.left)) as wire:
        request = socket.inet_pton(socket.AF_INET6, left.to) + \
            struct.pack("!I", 0x12345) + struct.pack("=BBHHH4x", 0, 1, 1, 0, 0)
        left.set(SOL_IPV6, IPV6_FLOWINFO_SEND)
        left.set(SOL_IPV6, IPV6_FLOWLABEL_MGR, request)
        left.sock.connect((left.to, 0, 0x12345, 0))
        tap.is_(left.sock.getpeername(), (left.to, 0, 0x12345, 0),
                "getpeername() has it")
        left.send(b"x")
        tap.is_([one[1:4].hex() for one in wire.drain()], ["012345"],
                "and so has what is sent")


@tap.case
def a_broadcast_by_one_port_of_a_vrf():
    lab.left.ip("link add vrf9 type vrf table 9", "link set vrf9 up",
                *(line % {"n": n} for n in (8, 9) for line in (
                    "link add dum%(n)d type dummy",
                    "link set dum%(n)d master vrf9",
                    "addr add 10.9.%(n)d.1/24 brd + dev dum%(n)d",
                    "link set dum%(n)d up")))
    ports = ("dum8", "dum9")
    wires = [sock.Tap(port, 4, 253, lab.left) for port in ports]
    with managed(253, lab.left, "claim plain"), \
            Dgram(4, lab.left, bind="10.9.9.1", options=[
                (SOL_SOCKET, socket.SO_BINDTODEVICE, b"vrf9"),
                (SOL_SOCKET, socket.SO_BROADCAST, 1)]) as one:
        for number, port in enumerate(ports):
            one.set(SOL_IP, IP_UNICAST_IF, struct.pack(
                "!I", index_of(lab.left, port)))
            one.send(b"to all", "255.255.255.255")
            tap.is_([len(wire.drain()) for wire in wires],
                    [1 - number, number], "IP_UNICAST_IF: by " + port)
    for wire in wires:
        wire.close()
    told = []
    with managed(253, lab.left, "claim plain"):
        for number, port in ((253, 0), (socket.IPPROTO_UDP, 7000)):
            with Dgram(4, lab.left, proto=number, bind="10.9.9.1", port=port,
                       options=[(SOL_SOCKET, socket.SO_BINDTODEVICE, b"vrf9"),
                                (SOL_IP, IP_PKTINFO, 1)]) as one:
                one.send(b"to myself", "10.9.9.1", port)
                told.append(one.control()[1][SOL_IP, IP_PKTINFO])
    tap.is_(told[0], told[1], "IP_PKTINFO of what it sends to itself: as UDP's")
    lab.left.ip("link del dum8", "link del dum9", "link del vrf9")


# --- the way out -------------------------------------------------------------

@tap.each(4, 6)
def probing_a_path(family):
    """IP_PMTUDISC_PROBE: the device counts, not what a route has learnt."""
    with pair(lab, family) as (left, right):
        lab.left.ip("route add %s dev l0 mtu 1400" % left.to)
        left.set(LEVEL[family], {4: IP_MTU_DISCOVER, 6: 23}[family], 2)
        tap.is_(error(left.send, bytes(MTU - HEADER[family]), left.to),
                "EMSGSIZE", "what a route has learnt, without")
        left.set(LEVEL[family], {4: IP_MTU_DISCOVER, 6: 23}[family], 3)
        left.send(bytes(MTU - HEADER[family]), left.to)
        tap.is_(len(right.wait()[0]), MTU - HEADER[family], "what fits")
        tap.is_(error(left.send, bytes(MTU - HEADER[family] + 1), left.to),
                "EMSGSIZE", "one byte more")
        lab.left.ip("route del %s dev l0" % left.to)


@tap.each(4, 6)
def a_route_that_changes(family):
    foreign = {4: "192.0.2.77", 6: "2001:db8::77"}[family]
    with pair(lab, family) as (left, right):
        left.sock.connect((left.to, 0))
        for n in range(2):
            left.send(b"%d" % n)
            tap.is_(right.wait()[0], b"%d" % n, "connected")
            lab.left.ip("route replace %s dev l0" % foreign)
        lab.left.ip("route add unreachable " + left.to)
        tap.is_(error(left.send, b"lost"), "EHOSTUNREACH", "a route to nowhere")
        lab.left.ip("route del unreachable " + left.to)
        left.send(b"then")
        tap.is_(right.wait()[0], b"then", "by the new table")
    lab.left.ip("route del %s dev l0" % foreign)


@tap.each(4, 6)
def a_device_that_takes_nothing(family):
    with pair(lab, family) as (left, right):
        lab.left.run("tc", "qdisc", "replace", "dev", "l0", "root", "pfifo",
                     "limit", "0")
        try:
            tap.is_(error(left.send, b"lost", left.to), None,
                    "nobody wants to know")
            left.set(LEVEL[family], RECVERR[family])
            tap.is_(error(left.send, b"lost", left.to), "ENOBUFS",
                    "IP_RECVERR: told")
        finally:
            lab.left.run("tc", "qdisc", "del", "dev", "l0", "root")
        left.send(b"found", left.to)
        tap.is_(right.wait()[0], b"found", "with a queue again")


# --- ICMP --------------------------------------------------------------------

def icmp(family, kind, code, body, ttl=64, src=None):
    """An ICMP message from right to left."""
    src, dst = src or lab.r0.addr[family], lab.l0.addr[family]
    proto = sock.ICMP_OF[family]
    text = struct.pack("!BBH", kind, code, 0) + body
    head = packet.pseudo(src, dst, proto, len(text)) if family == 6 else b""
    text = text[:2] + struct.pack("!H", packet.checksum(head + text)) + text[4:]
    with contextlib.closing(sock.Sender(family, lab.right)) as sender:
        sender.send(packet.ip(src, dst, proto, text, ttl=ttl))
    flush()


def pending(one):
    """The number of the error that the socket was told of."""
    return one.sock.getsockopt(SOL_SOCKET, socket.SO_ERROR)


@tap.each(4, 6)
def messages_that_are_no_plain_errors(family):
    with pair(lab, family) as (left, right):
        left.sock.connect((left.to, 0))
        about = packet.ip(lab.l0.addr[family], left.to, 253, bytes(8))
        if family == 4:
            icmp(4, 12, 0, bytes(4) + about)
            tap.is_(pending(left), 71, "parameter problem: EPROTO")
            left.set(SOL_IP, RECVERR[4])
            icmp(4, 4, 0, bytes(4) + about)
            tap.is_(pending(left), 0, "source quench: nothing")
            left.set(SOL_IP, RECVERR[4], 0)
            icmp(4, 5, 1, socket.inet_aton(SOURCES[4][0][1]) + about)
        else:
            target = socket.inet_pton(socket.AF_INET6, left.to)
            about += bytes(-len(about) % 8)
            icmp(6, 137, 0, bytes(4) + target + target + struct.pack(
                "!BB6x", 4, 1 + len(about) // 8) + about, ttl=255,
                 src=lab.right.link_local("r0"))
        tap.is_(pending(left), 0, "redirect: no error")
        left.send(b"still")
        tap.is_(right.wait()[0], b"still", "and it goes on")


@tap.each(4, 6)
def a_redirect(family):
    """
    There is a better gateway: the route of what is connected takes it.  The kernel
    looks for a route of IPv6 by the socket's device only.
    """
    there = {4: "192.0.2.77", 6: "2001:db8::77"}[family]
    new = {4: "10.9.0.9", 6: "fe80::9"}[family]
    old = lab.r0.addr[4] if family == 4 else lab.right.link_local("r0")
    lab.left.ip("neigh add %s lladdr 02:00:00:00:00:09 dev l0" % new,
                "route add %s via %s dev l0" % (there, old))

    def way():
        words = lab.left.run("ip", "route", "get", there).stdout.split()
        return words[words.index("via") + 1]
    with managed(253, lab.left, "claim plain"), \
            Dgram(family, lab.left, bind=lab.l0.addr[family], connect=there,
                  options=[(SOL_SOCKET, socket.SO_BINDTODEVICE, b"l0")]) as one:
        before = way()
        about = packet.ip(lab.l0.addr[family], there, 253, bytes(8))
        if family == 4:
            icmp(4, 5, 1, socket.inet_aton(new) + about)
        else:
            about += bytes(-len(about) % 8)
            icmp(6, 137, 0, bytes(4) + b"".join(
                socket.inet_pton(socket.AF_INET6, addr)
                for addr in (new, there)) + struct.pack(
                    "!BB6x", 4, 1 + len(about) // 8) + about, ttl=255, src=old)
        tap.is_((before, way()), (old, new), "is taken")
        tap.is_(pending(one), 0, "and is no error")
    lab.left.ip("route del %s via %s dev l0" % (there, old),
                "neigh del %s dev l0" % new)


# --- groups, and claims that go ----------------------------------------------

@tap.each(4, 6)
def a_group_that_a_program_chooses_of(family):
    """An eBPF program is not run to explain: what it would say is unknown."""
    fd = sock.ebpf()
    if fd < 0:
        raise tap.Skip("no eBPF here")
    with pair(lab, family, REUSEPORT) as (left, one), \
            Dgram(family, lab.right, bind=left.to, options=[REUSEPORT]) as two, \
            Dgram(family, lab.right, bind=ANY[family], options=[REUSE]) as rest, \
            Client(lab.right) as client:
        one.set(SOL_SOCKET, 52, fd)		# SO_ATTACH_REUSEPORT_EBPF
        os.close(fd)
        inodes = {os.fstat(it.fileno()).st_ino: name for it, name in
                  ((one, "one"), (two, "two"), (rest, "rest"))}
        found = {inodes[it["step"]["inode"]]: (it["step"]["socket_result"],
                                               it["step"].get("chosen", False))
                 for it in client.explain(253, lab.l0.addr[family], left.to)
                 if it["step"]["kind"] == K.STEP_KIND_DGRAM}
        tap.is_(found, {"one": (K.SOCKET_RESULT_UNKNOWN, False),
                        "two": (K.SOCKET_RESULT_UNKNOWN, False),
                        "rest": (K.SOCKET_RESULT_NOT_CHOSEN, False)},
                "explained: none is chosen yet")
        with Tracer(lab.right, proto=253) as tracer:
            left.send(b"x", left.to)
            flush()
            record, = [it["trace"] for it in tracer.records()]
        tap.is_([it["result"] for it in record["dgram"]],
                [K.SOCKET_RESULT_UNKNOWN], "recorded")
        tap.is_(len(one.drain()) + len(two.drain()), 1, "one has it")


@tap.each(4, 6)
def a_member_of_two_groups(family):
    groups = {4: ("239.1.2.3", "239.1.2.4"), 6: ("ff05::3", "ff05::4")}[family]
    index = index_of(lab.right, "r0")
    with pair(lab, family, bind=ANY[family]) as (left, right):
        if family == 4:
            left.set(SOL_IP, socket.IP_MULTICAST_IF, socket.inet_aton(
                lab.l0.addr[4]))
        else:
            left.set(SOL_IPV6, socket.IPV6_MULTICAST_IF, index_of(
                lab.left, "l0"))
        for group in groups:
            raw = socket.inet_pton(right.sock.family, group)
            if family == 4:
                right.set(SOL_IP, socket.IP_ADD_MEMBERSHIP,
                          raw + struct.pack("=4xi", index))
            else:
                right.set(SOL_IPV6, socket.IPV6_JOIN_GROUP,
                          raw + struct.pack("=i", index))
        for group in groups:
            left.send(group.encode(), group)
            tap.is_(right.wait()[0], group.encode(), group)


@tap.each(4, 6)
def a_peer_that_another_one_has(family):
    peers = [SOURCES[family][n][1] for n in range(2)]
    with managed(253, lab.right, "claim plain"), \
            Dgram(family, lab.right, connect=peers[0]), \
            Dgram(family, lab.right, connect=peers[1]) as one:
        tap.is_(error(one.sock.connect, (peers[0], 0)), "EADDRINUSE",
                "cannot be had")


@tap.each(4, 6)
def a_socket_that_leaves_its_group(family):
    with pair(lab, family) as (left, right), \
            Dgram(family, lab.right, options=[REUSEPORT]) as one:
        right.close()
        one.sock.connect((left.sock.getsockname()[0], 0))
        left.send(b"first", left.to)
        tap.is_(one.wait()[0], b"first", "connected")
        call("connect", one.fileno(), struct.pack("=H14x", 0), 16)
        left.send(b"lost", left.to)
        flush()
        tap.is_(one.drain(), [], "dissolved: it has no address")
        one.sock.connect((left.sock.getsockname()[0], 0))
        left.send(b"second", left.to)
        tap.is_(one.wait()[0], b"second", "connected again")


@tap.case
def a_claim_that_goes_by_force():
    with managed(253, lab.left, "claim plain"), Client(lab.right) as client, \
            Dgram(4, lab.left, bind=lab.l0.addr[4]) as left:
        client.send(K.CMD_PROTO_ADD, proto(253, claim="plain"))
        four = Dgram(4, lab.right, bind=lab.r0.addr[4], options=[REUSEPORT])
        six = Dgram(6, lab.right, bind=lab.r0.addr[6], options=[REUSEPORT])
        late = Dgram(6, lab.right)
        client.send(K.CMD_PROTO_SET, u32(K.A_FLAGS, K.FLAG_FORCE),
                    proto(253, families=K.FAMILY_IPV4))
        tap.is_(error(six.sock.recv, 1), "ENETDOWN", "that of IPv6 is closed")
        tap.is_(error(late.sock.bind, ("::1", 0)), "ENETDOWN",
                "and one without an address gets none")
        left.send(b"x", lab.r0.addr[4])
        tap.is_(four.wait()[0], b"x", "that of IPv4 goes on")
        listed = [it for it in client._dump(K.CMD_DGRAM_GET)]
        tap.is_([it["socket"]["inode"] for it in listed],
                [os.fstat(four.fileno()).st_ino], "and is the only one told of")
        client.send(K.CMD_PROTO_DEL, u32(K.A_FLAGS, K.FLAG_FORCE), proto(253))
        tap.is_(error(four.sock.recv, 1), "ENETDOWN", "now it is, too")
        for one in (four, six, late):
            one.close()


@tap.case
def two_claims_that_are_to_go_and_one_that_cannot():
    with Client(lab.right) as client:
        client.apply(*(proto(number, claim="plain") for number in (252, 253)))
        with Dgram(4, lab.right, proto=253):
            found = client.refusal(K.CMD_APPLY)
            tap.is_(found and found.name, "EBUSY", "its socket is open")
            tap.is_([it["number"] for it in client.protos()], [252, 253],
                    "both are there")
            tap.is_(error(Dgram, 4, lab.right, proto=252), None,
                    "the other one admits sockets as before")
        client.apply()


# --- programs of a control group ---------------------------------------------

CGROUP = "/sys/fs/cgroup/krawtest"
PROG_LOAD, PROG_ATTACH, PROG_DETACH = 5, 8, 9
SOCK_ADDR = 18
CONNECT = {4: 10, 6: 11}
GETPEERNAME = {4: 29, 6: 30}


def _bpf(command, attr):
    return syscalls.call("bpf", command, ctypes.create_string_buffer(attr),
                         len(attr))


@contextlib.contextmanager
def asked_first(kind, answer):
    """In our control group a program is asked that answers 0 (no) or 1."""
    code = ctypes.create_string_buffer(struct.pack(
        "=BBhiBBhi", 0xb7, 0, 0, answer, 0x95, 0, 0, 0))
    licence = ctypes.create_string_buffer(b"GPL")
    fd = _bpf(PROG_LOAD, struct.pack(
        "=IIQQIIQII16sII", SOCK_ADDR, 2, ctypes.addressof(code),
        ctypes.addressof(licence), 0, 0, 0, 0, 0, b"", 0, kind))
    group = os.open(CGROUP, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _bpf(PROG_ATTACH, struct.pack("=IIII", group, fd, kind, 0))
        yield
        _bpf(PROG_DETACH, struct.pack("=IIII", group, fd, kind, 0))
    finally:
        os.close(group)
        os.close(fd)


@tap.each(4, 6)
def a_control_group(family):
    os.makedirs(CGROUP, exist_ok=True)
    with open(CGROUP + "/cgroup.procs", "w") as procs:
        procs.write("0")
    with pair(lab, family) as (left, _), Dgram(6, lab.left) as six:
        to = (left.to, 0)
        with asked_first(CONNECT[family], 0):
            tap.is_(error(left.sock.connect, to), "EPERM", "connect: no")
            if family == 4:
                mapped = struct.pack("=HH", socket.AF_INET, 0) + \
                    socket.inet_aton(left.to) + bytes(8)
                tap.is_(call("connect", six.fileno(), mapped, 16), "EPERM",
                        "nor an IPv6 socket with an IPv4 address")
                six.set(SOL_IPV6, socket.IPV6_V6ONLY)
                tap.is_(call("connect", six.fileno(), mapped, 16),
                        "EAFNOSUPPORT", "which one for IPv6 only has not")
            short = struct.pack("=H10x", left.sock.family)
            tap.is_(call("connect", left.fileno(), short, len(short)),
                    "EINVAL", "a short address")
        with asked_first(CONNECT[family], 1):
            tap.is_(error(left.sock.connect, to), None, "connect: yes")
        with asked_first(GETPEERNAME[family], 1):
            tap.is_(left.sock.getpeername()[0], left.to, "getpeername")
    with open("/sys/fs/cgroup/cgroup.procs", "w") as procs:
        procs.write("0")
    os.rmdir(CGROUP)


tap.run()
