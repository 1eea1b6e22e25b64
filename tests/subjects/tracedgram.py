#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Datagram sockets in records of packets: who a packet was for, what each did with
it, what was wrong with it, and the ICMP error; told where kraw hands the packet to
its handler, expected with verdict all; by netlink, tracepoint and kraw trace.
"""
import json
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import ftrace, packet, sock, tap, tool
from krawtest.client import K
from krawtest.dgram import SOL_IP, SOL_IPV6, Dgram
from krawtest.live import Trace
from krawtest.manage import managed
from krawtest.netns import Lab
from krawtest.tracer import Tracer
from krawtest.who import marker

PROTO = 253
REUSEPORT = (socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
PROTO_UNREACH = {4: ("sent", 3, 2), 6: ("sent", 4, 1)}
PORT_UNREACH = {4: ("sent", 3, 3), 6: ("sent", 1, 4)}
GROUP = {4: "239.1.2.3", 6: "ff05::123"}

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
flush = marker(lab.l0, lab.r0).flush
lab.left.ip("route replace 224.0.0.0/4 dev l0",
            "route replace table local ff05::/16 dev l0")
senders = {family: tap.cleanup(sock.Sender(family, lab.left))
           for family in (4, 6)}


def names(prefix):
    """Number to name of an enum of the uapi header."""
    return {value: name[len(prefix):].lower() for name, value in
            vars(K).items() if name.startswith(prefix)}


RESULT, DGRAM = names("SOCKET_RESULT_"), names("DGRAM_RESULT_")
ICMP = names("ICMP_RESULT_")


def inode(one):
    """Of a socket."""
    return os.fstat(one.fileno()).st_ino


def datagram(family, dport, data=b"data", ttl=64, dst=None, length=None,
             spoil=0):
    """With ports, from 1111; spoil: added to the checksum."""
    src, dst = lab.l0.addr[family], dst or lab.r0.addr[family]
    text = struct.pack("!HHHH", 1111, dport,
                       8 + len(data) if length is None else length, 0) + data
    check = packet.checksum(packet.pseudo(src, dst, PROTO, len(text)) +
                            text) or 0xffff
    return packet.ip(src, dst, PROTO, text[:6] +
                     struct.pack("!H", check ^ spoil) + text[8:], ttl=ttl)


def plain(family, data=b"data", **more):
    """Without."""
    return packet.ip(lab.l0.addr[family], lab.r0.addr[family], PROTO, data,
                     **more)


def send(family, *packets):
    """From left to right."""
    for one in packets:
        senders[family].send(one)
    flush()


def says(message):
    """(claim's result, {inode: result}, ICMP, expected) of a record."""
    trace = message["trace"]
    icmp = None
    if "icmp_result" in trace:
        icmp = tuple([ICMP[trace["icmp_result"]]] + [
            trace[key] for key in ("icmp_type", "icmp_code") if key in trace])
    return (DGRAM.get(trace.get("dgram_result")),
            {one["inode"]: RESULT[one["result"]]
             for one in trace.get("dgram", ())}, icmp,
            trace.get("expected", False))


def here(family, port=0, **how):
    """A socket in right."""
    return Dgram(family, lab.right, bind=lab.r0.addr[family], port=port, **how)


def each_outcome(family, verdict):
    """Returns (packets, what records say, drained) with this verdict."""
    ports = "claim ports deliver " + verdict
    got = []
    with managed(PROTO, lab.right, ports), here(family, 1) as good, \
            here(family, 2) as deaf, \
            here(family, 3, options=[(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                      1)]) as small, \
            Tracer(lab.right, PROTO) as tracer:
        sock.attach_filter(deaf.sock, sock.REJECT)
        full = [datagram(family, 3, bytes(1200)) for _ in range(4)]
        send(family, datagram(family, 1), datagram(family, 2),
             datagram(family, 9), datagram(family, 1, spoil=1),
             datagram(family, 1, length=7), datagram(family, 1, length=13),
             datagram(family, 1, length=9), *full)
        got = [says(one) for one in tracer.records()]
        return got, inode(good), inode(deaf), inode(small), \
            [len(one) for one in good.drain()], len(small.drain())


@tap.each(4, 6)
def what_becomes_of_it(family):
    """With verdict kernel it is told, with all expected: the same."""
    for verdict, expected in (("kernel", False), ("all", True)):
        got, good, deaf, small, sizes, queued = each_outcome(family, verdict)
        tap.is_(got[:7], [
            ("sockets", {good: "copy"}, None, expected),
            ("sockets", {deaf: "filter"}, None, expected),
            ("nobody", {}, PORT_UNREACH[family], expected),
            ("checksum", {}, None, expected),
            ("header", {}, None, expected),
            ("header", {}, None, expected),
            # a length of nine cuts the payload: the checksum is of more
            ("checksum", {}, None, expected)], verdict)
        tap.is_(sizes, [4], verdict + ": the reader agrees")
        results = [one[1][small] for one in got[7:]]
        tap.is_((results[0], results[-1]), ("copy", "full"),
                verdict + ": a full queue")
        tap.is_(results.count("copy"), queued, verdict + ": the queue agrees")


@tap.each(4, 6)
def plain_and_unreach(family):
    """No port unreachable; what "unreach" says; a raw socket beside it."""
    for words, icmp in (("claim plain", None),
                        ("claim plain unreach always", PROTO_UNREACH[family]),
                        ("claim ports unreach never", ("never",))):
        data = datagram(family, 7)
        for verdict, expected in (("kernel", False), ("all", True)):
            with managed(PROTO, lab.right, words + " deliver " + verdict), \
                    Tracer(lab.right) as tracer:
                send(family, data)
                tap.is_([says(one) for one in tracer.records()],
                        [("nobody", {}, icmp, expected)],
                        "%s, %s" % (words, verdict))
                with here(family, port=7 if "ports" in words else 0) as one:
                    send(family, data)
                    tap.is_([says(one) for one in tracer.records()],
                            [("sockets", {inode(one): "copy"}, None,
                              expected)], "%s, %s: a socket" % (words, verdict))


@tap.each(4, 6)
def beside_raw_sockets(family):
    """Each kind by itself; verdicts without a handler have no datagram part."""
    with managed(PROTO, lab.right, "claim plain", "pref 1 ttl 1 deliver raw",
                 "pref 2 ttl 2 deliver none"), \
            sock.Reader(PROTO, family, lab.right) as reader, \
            here(family) as one, Tracer(lab.right) as tracer:
        send(family, *(plain(family, ttl=ttl) for ttl in (1, 2, 64)))
        got = tracer.records()
        tap.is_([says(record) for record in got],
                [(None, {}, None, False), (None, {}, None, False),
                 ("sockets", {inode(one): "copy"}, None, True)],
                "datagram sockets")
        tap.is_([[each["inode"] for each in record["trace"].get("socket", ())]
                 for record in got], [[inode(reader)], [], [inode(reader)]],
                "raw sockets")
        tap.is_((len(reader.drain()), len(one.drain())), (2, 1), "it is true")


@tap.each(4, 6)
def for_many(family):
    """A multicast: each member, one of them with a filter, and nobody else."""
    level, join = {4: (SOL_IP, 35), 6: (SOL_IPV6, 20)}[family]
    everyone = {4: (SOL_IP, 49), 6: (SOL_IPV6, 29)}[family]
    with lab.right:
        index = socket.if_nametoindex("r0")
    request = {4: socket.inet_aton(GROUP[4]) + socket.inet_aton(
        lab.r0.addr[4]), 6: socket.inet_pton(socket.AF_INET6, GROUP[6]) +
        struct.pack("=I", index)}[family]
    with managed(PROTO, lab.right, "claim ports", "ttl 9 deliver kernel"), \
            Tracer(lab.right) as tracer:
        reuse = [(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1),
                 (*everyone, 0)]
        anyone = {4: "0.0.0.0", 6: "::"}[family]
        socks = [Dgram(family, lab.right, bind=anyone, port=5, options=reuse)
                 for _ in range(3)]
        for one in socks[:2]:
            one.set(level, join, request)
        sock.attach_filter(socks[1].sock, sock.REJECT)
        send(family, *(datagram(family, 5, ttl=ttl, dst=GROUP[family])
                       for ttl in (9, 64)))
        wanted = {inode(socks[0]): "copy", inode(socks[1]): "filter"}
        tap.is_([says(one) for one in tracer.records()],
                [("sockets", wanted, None, False),
                 ("sockets", wanted, None, True)], "told and expected")
        tap.is_([len(one.drain()) for one in socks], [2, 0, 0], "it is true")
        for one in socks:
            one.close()


@tap.each(4, 6)
def of_a_group(family):
    """SO_REUSEPORT: the one that gets it is the one that is expected."""
    with managed(PROTO, lab.right, "claim ports"), \
            Tracer(lab.right) as tracer:
        socks = [here(family, 6, options=[REUSEPORT]) for _ in range(4)]
        for _ in range(3):
            send(family, datagram(family, 6))
            told = [says(one)[1] for one in tracer.records()]
            tap.is_(told, [{inode(one): "copy"} for one in socks
                           if one.drain()], "this one")
        for one in socks:
            one.close()


@tap.each(4, 6)
def policy(family):
    """IPsec refuses it at the socket, or where there is none."""
    any_address = {4: "0.0.0.0/0", 6: "::/0"}[family]
    where = "src %s dst %s proto %d" % (any_address, any_address, PROTO)
    with managed(PROTO, lab.right, "claim plain deliver kernel"), \
            Tracer(lab.right) as tracer:
        lab.right.ip("xfrm policy add dir in %s action block" % where)
        try:
            with here(family) as one:
                send(family, plain(family))
                send_to = inode(one)
            send(family, plain(family))
        finally:
            lab.right.ip("xfrm policy delete dir in " + where)
        tap.is_([says(record) for record in tracer.records()],
                [("sockets", {send_to: "policy"}, None, False),
                 ("policy", {}, None, False)], "told")


@tap.each(4, 6)
def the_tracepoint(family):
    """kraw_deliver has the sockets, and 0 for a packet that none had."""
    if not ftrace.has_event("kraw/kraw_deliver"):
        raise tap.Skip("no tracepoints in this kernel")
    with managed(PROTO, lab.right, "claim ports", "ttl 9 deliver kernel"), \
            here(family, 1) as one, ftrace.Events("kraw/kraw_deliver") as seen:
        send(family, datagram(family, 1), datagram(family, 1, ttl=9),
             datagram(family, 2, ttl=9), datagram(family, 1, ttl=9, spoil=1))
        number = str(inode(one))
    tap.is_([(event["to"], event["inode"], event["result"], event["expected"])
             for event in seen.seen if event["to"] != "handler"],
            [("dgram", number, "copy", "1"), ("dgram", number, "copy", "0"),
             ("dgram", "0", "nobody", "0"), ("icmp", "0", "sent", "0"),
             ("dgram", "0", "checksum", "0")], "the events")


@tap.case
def the_tool():
    """Text and JSON name the process; a capture file has the packet as ever."""
    with managed(PROTO, lab.right, "claim ports", "ttl 9 deliver kernel"), \
            here(4, 1) as one, here(6, 1) as six:
        text, as_json = Trace(), Trace(options=["-j"])
        file = Trace("-w", "/tmp/dgram.pcap", "count", "2")
        packets = [datagram(4, 1), datagram(6, 1, ttl=9), datagram(4, 2),
                   datagram(6, 2, ttl=9), datagram(4, 1, spoil=1),
                   datagram(6, 1, length=7, ttl=9)]
        for data in packets:
            send(4 if data[0] >> 4 == 4 else 6, data)
        with open("/proc/self/comm") as stream:
            me = "%s pid %d fd " % (stream.read().strip(), os.getpid())
        handler = "handler claim%d_rcv [kraw] copy; "
        lines = [line.split(" -> ")[1] for line in text.lines(6)]
        tap.is_(lines, [
            handler % 4 + "dgram " + me + "%d copy (expected)" % one.fileno(),
            handler % 6 + "dgram " + me + "%d copy" % six.fileno(),
            handler % 4 + "no dgram socket; ICMP 3/3 (expected)",
            handler % 6 + "no dgram socket; ICMPv6 1/4",
            handler % 4 + "wrong checksum (expected)",
            handler % 6 + "header cut off or of a wrong length"], "text")
        rows = [json.loads(line)["dgram"] for line in as_json.lines(6)]
        for row in rows:
            for each in row["sockets"]:
                each["processes"] = [found["pid"] for found in
                                     each["processes"]]
        tap.is_(rows, [
            {"result": "sockets", "matching": 1, "sockets": [
                {"inode": inode(which), "result": "copy",
                 "processes": [os.getpid()]}]} for which in (one, six)] + [
                     {"result": result, "matching": 0, "sockets": []}
                     for result in ("nobody", "nobody", "checksum",
                                    "header")], "JSON")
        tap.is_(file.end(None)[::2], (0, "2 packets, 0 lost\n"), "a file")
        with open("/tmp/dgram.pcap", "rb") as stream:
            data = stream.read()[24:]
        # the kernel fills in the identification of an IPv4 packet
        tap.is_((len(data), data[16 + 20:16 + len(packets[0])]),
                (32 + len(packets[0]) + len(packets[1]), packets[0][20:]),
                "it has the packets")
        for running in (text, as_json):
            tap.is_(running.end(), (0, "", "6 packets, 0 lost\n"), "ends")


tap.run()
