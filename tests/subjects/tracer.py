#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Records of packets by netlink (KRAW_CMD_TRACE): what they say for each verdict
and hook, agrees with what happens to the packets; the filter, in the kernel; how
many were lost; who may have them and who not; and without a tracer no work.
"""
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, ftrace, packet, sock, system, tap, tool
from krawtest.client import Client, K, Refused, rule
from krawtest.manage import managed
from krawtest.netns import SOURCES, Lab
from krawtest.outgoing import Outgoing
from krawtest.tracer import Tracer
from krawtest.who import Probe, marker, token

PROTO = 253
HEAD = {4: 20, 6: 40}
TRACERS_MAX, SOCKETS_MAX = 8, 32
# three times as many packets at full speed; on the debug kernel less will do
COUNT = 3500 if clock.SLOW == 1 else 700
UNREACH = {4: (3, 2, None), 6: (4, 1, 6)}

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
flush = marker(lab.l0, lab.r0).flush


def names(prefix):
    """Number to name of an enum of the uapi header."""
    return {value: name[len(prefix):].lower() for name, value in
            vars(K).items() if name.startswith(prefix)}


VERDICT, RESULT = names("VERDICT_"), names("SOCKET_RESULT_")
ICMP, HOOK = names("ICMP_RESULT_"), names("HOOK_")


def inode(one):
    """Of a socket."""
    return os.fstat(one.fileno()).st_ino


class Record:
    """A record, in words."""
    def __init__(self, message):
        trace = message["trace"]
        self.all = trace
        self.data = message.get("data")
        self.hook = HOOK[trace["hook"]]
        self.verdict = VERDICT[trace.get("verdict", 0)]
        self.rule = trace.get("pref")
        self.sockets = {one["inode"]: RESULT[one["result"]]
                        for one in trace.get("socket", ())}
        self.handler = trace.get("handler") and (
            trace["handler"], RESULT[trace["handler_result"]])
        self.icmp = "icmp_result" in trace and (
            ICMP[trace["icmp_result"]], trace.get("icmp_type"),
            trace.get("icmp_code"), trace.get("icmp_pointer"))
        self.expected = trace.get("expected", False)


def records(tracer):
    """What a tracer has been told."""
    flush()
    return [Record(message) for message in tracer.records()]


def build(family, number=PROTO, src=None, dst=None, body=b"", **more):
    """A packet from left to right."""
    return packet.ip(src or lab.l0.addr[family], dst or lab.r0.addr[family],
                     number, token() + body, **more)


class Senders:
    """From left, in both families."""
    def __init__(self):
        self._senders = {family: sock.Sender(family, lab.left)
                         for family in (4, 6)}

    def send(self, *packets):
        """Complete packets."""
        for data in packets:
            self._senders[4 if data[0] >> 4 == 4 else 6].send(data)

    def close(self):
        """All sockets."""
        for sender in self._senders.values():
            sender.close()


left = tap.cleanup(Senders())


@tap.each(4, 6)
def each_verdict(family):
    """Receivers, with what each did, the rule, the ICMP error."""
    sent = ("sent", *UNREACH[family])
    with managed(PROTO, lab.right, "claim plain deliver raw",
                 "pref 1 ttl 1 deliver all", "pref 2 ttl 2 deliver one",
                 "pref 3 ttl 3 deliver kernel", "pref 4 ttl 4 deliver none",
                 "pref 5 ttl 5 deliver reject"), \
            sock.Reader(PROTO, family, lab.right) as reader, \
            sock.Reader(PROTO, family, lab.right) as deaf, \
            Tracer(lab.right, PROTO) as tracer:
        deaf.filter(sock.REJECT)
        both = {inode(reader): "copy", inode(deaf): "filter"}
        handler = ("claim%d_rcv" % family, "copy")
        left.send(*(build(family, ttl=ttl) for ttl in (9, 1, 2, 3, 4, 5)))
        got = records(tracer)
        one = {list(got[2].sockets)[0]: both[list(got[2].sockets)[0]]}
        tap.is_([(one.verdict, one.rule, one.sockets, one.handler, one.icmp,
                  one.expected) for one in got],
                [("raw", None, both, None, False, False),
                 ("all", 1, both, handler, False, True),
                 ("one", 2, one, None, False, False),
                 ("kernel", 3, {}, handler, False, False),
                 ("none", 4, {}, None, False, False),
                 ("reject", 5, {}, None, sent, False)], "as it is")
        copies = sum(record.sockets.get(inode(reader)) == "copy"
                     for record in got)
        tap.is_(len(reader.drain()), copies, "the reader agrees")
        tap.is_([one.all.get("module") for one in got if one.handler],
                ["kraw", "kraw"], "the handler's module")


@tap.each(4, 6)
def nobody_and_unreach(family):
    """The ICMP error, kraw's own and the one that the kernel will send."""
    sent, never = ("sent", *UNREACH[family]), ("never", None, None, None)
    lines = (("deliver all unreach auto", sent, True),
             ("deliver all unreach never", never, False),	# kraw ends it
             ("deliver raw unreach auto", sent, False),
             ("deliver raw unreach never", never, False),
             ("deliver kernel", sent, False))
    for words, icmp, expected in lines:
        with managed(PROTO, lab.right, words), \
                Tracer(lab.right) as tracer, \
                Probe(lab.left, lab.right, PROTO, family) as probe:
            errors = probe.send().icmp
            got = records(tracer)
            tap.is_([(one.icmp, one.expected, one.sockets, one.handler)
                     for one in got], [(icmp, expected, {}, None)], words)
            tap.is_(len(errors), int(icmp == sent), words + ": it is true")
    with managed(PROTO, lab.right, "deliver all unreach always"), \
            sock.Reader(PROTO, family, lab.right), \
            Tracer(lab.right) as tracer:
        left.send(build(family))
        tap.is_([(one.icmp, len(one.sockets)) for one in records(tracer)],
                [(sent, 1)], "unreach always, with a socket")


@tap.each(4, 6)
def why_a_socket_gets_nothing(family):
    """Queue, filter, ICMP filter, membership; a socket that does not match."""
    level = {4: socket.IPPROTO_IP, 6: socket.IPPROTO_IPV6}[family]
    icmp = {4: 1, 6: 58}[family]
    with managed(PROTO, lab.right, "deliver raw"), \
            sock.Reader(PROTO, family, lab.right) as small, \
            sock.Reader(PROTO, family, lab.right) as deaf, \
            sock.Reader(PROTO, family, lab.right, device="lo"), \
            Tracer(lab.right, PROTO) as tracer:
        deaf.filter(sock.REJECT)
        left.send(build(family, body=bytes(1000)))
        small.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        left.send(*(build(family, body=bytes(1200)) for _ in range(4)))
        got = [one.sockets for one in records(tracer)]
        tap.is_([one[inode(deaf)] for one in got], ["filter"] * 5, "filter")
        tap.is_((got[0][inode(small)], got[-1][inode(small)]),
                ("copy", "full"), "full")
        tap.is_([len(one) for one in got], [2] * 5, "two sockets match")
        tap.is_(len(small.drain()),
                [one[inode(small)] for one in got].count("copy"),
                "the queue agrees")
    with managed(icmp, lab.right, "deliver raw"), \
            sock.Reader(icmp, family, lab.right) as reader, \
            Tracer(lab.right, icmp, src=lab.l0.addr[family]) as tracer:
        option = {4: (255, 1), 6: (58, 1)}[family]
        reader.sock.setsockopt(*option, b"\xff" * {4: 4, 6: 32}[family])
        left.send(packet.ip(lab.l0.addr[family], lab.r0.addr[family],
                            *packet.echo(lab.l0.addr[family],
                                         lab.r0.addr[family], 1, 1)))
        tap.is_([one.sockets for one in records(tracer)],
                [{inode(reader): "icmp_filter"}], "ICMP filter")
    if family == 4:
        group = "224.0.0.5"
        with managed(PROTO, lab.right, "deliver raw"), \
                sock.Reader(PROTO, 4, lab.right) as member, \
                sock.Reader(PROTO, 4, lab.right) as other, \
                Tracer(lab.right, PROTO) as tracer:
            lab.left.ip("route replace 224.0.0.0/4 dev l0")
            member.sock.setsockopt(level, 35, socket.inet_aton(group) +
                                   socket.inet_aton(lab.r0.addr[4]))
            other.sock.setsockopt(level, 49, 0)		# IP_MULTICAST_ALL
            left.send(build(4, dst=group))
            tap.is_([one.sockets for one in records(tracer)],
                    [{inode(member): "copy", inode(other): "member"}],
                    "membership")


@tap.each(4, 6)
def what_is_sent(family):
    """Hook output: the sender, what decided; also what no rule is about."""
    out = Outgoing(lab.right, lab.r0, lab.l0)
    with managed(PROTO, lab.right, "", "hook output pref 7 ttl 9 deny"), \
            Tracer(lab.right, PROTO, hook="output") as tracer, \
            Tracer(lab.right, PROTO, hook="output", spoofed=True) as spoofed:
        tap.is_([out.send(family, PROTO, ttl=ttl, uid=uid)
                 for ttl, uid in ((9, 0), (8, 77))], ["EPERM", "sent"], "sent")
        out.send(family, PROTO, hdr=True, src=SOURCES[family][3][1])
        got = records(tracer)
        tap.is_([(one.hook, one.verdict, one.rule, one.all["dev"],
                  one.all["uid"]) for one in got],
                [("output", "deny", 7, "r0", 0),
                 ("output", "allow", None, "r0", 77),
                 ("output", "allow", None, "r0", 0)], "told of")
        tap.ok(all(one.all["sender"] for one in got), "with their senders")
        tap.is_([one.all["src"] for one in records(spoofed)],
                [got[2].all["src"]], "a match of hook output filters")
    out.close()


@tap.each(4, 6)
def what_a_record_has(family):
    """Addresses, device, length, time, the packet itself up to snaplen."""
    with managed(PROTO, lab.right, "deliver none", "trace ttl 5 deliver raw"), \
            Tracer(lab.right, snaplen=HEAD[family] + 4) as tracer, \
            Tracer(lab.right, snaplen=65528) as whole, \
            Tracer(lab.right) as bare:
        data = [build(family, body=bytes(1400)), build(family, ttl=5)]
        before = time.time()
        left.send(*data)
        got, all_of_it = records(tracer), records(whole)
        after = time.time()
        one = got[0].all
        inet = {4: socket.AF_INET, 6: socket.AF_INET6}[family]
        tap.is_({key: one[key] for key in ("src", "dst", "dev", "len", "proto",
                                           "seq", "lost")},
                {"src": socket.inet_pton(inet, lab.l0.addr[family]),
                 "dst": socket.inet_pton(inet, lab.r0.addr[family]),
                 "dev": "r0", "len": len(data[0]), "proto": PROTO, "seq": 1,
                 "lost": 0}, "the packet")
        tap.ok(before <= one["time"] / 1e9 <= after, "the time")
        # the kernel fills in the identification of an IPv4 packet
        tap.is_([len(one.data) for one in got], [HEAD[family] + 4] * 2,
                "cut at snaplen")
        tap.is_([one.data[20:] for one in all_of_it],
                [packet[20:] for packet in data], "whole")
        tap.is_([one.data for one in records(bare)], [None] * 2, "none")
        tap.is_([one.all.get("marked") for one in got], [None, True],
                "marked by a rule with trace")


FILTERS = [
    # arguments, which of the packets below pass it
    ({"proto": 254}, [5]),
    ({"proto": PROTO, "verdict": "raw"}, [1]),
    ({"verdict": "none"}, [0, 2, 3, 4]),
    ({"marked": True}, [2]),
    ({"hook": "output"}, []),
    ({"hook": "input"}, [0, 1, 2, 3, 4, 5]),
    ({"src": "SOURCE"}, [3]),
    ({"dev": "r0"}, [0, 1, 2, 3, 5]),
    ({"dev": "lo"}, [4]),
    ({"ttl_min": 7, "ttl_max": 8}, [1, 2]),
    ({"type_min": 0x6b, "type_max": 0x6b, "len_min": 200}, [0]),
    ({"bpf": "TTL 8"}, [2]),
    ({"proto": PROTO, "bpf": "TTL 8", "verdict": "raw"}, []),
]


@tap.each(4, 6)
def filters(family):
    """In the kernel, the same as those of rules; what passes none is free."""
    at = {4: 8, 6: 7}[family]
    ttl_8 = [(0x30, 0, 0, at), (0x15, 0, 1, 8), (6, 0, 0, 1), (6, 0, 0, 0)]
    me = lab.r0.addr[family]
    with managed(PROTO, lab.right, "deliver none", "ttl 7 deliver raw",
                 "ttl 8 trace deliver none"), \
            managed(254, lab.right, "deliver reject"), \
            sock.Reader(PROTO, family, lab.right):
        for start in range(0, len(FILTERS), TRACERS_MAX):
            tracers = []
            for arguments, wanted in FILTERS[start:start + TRACERS_MAX]:
                how = dict(arguments)
                if "src" in how:
                    how["src"] = SOURCES[family][0][0]
                if "bpf" in how:
                    how["bpf"] = ttl_8
                tracers.append((Tracer(lab.right, **how), arguments, wanted))
            packets = [build(family, body=bytes(300)), build(family, ttl=7),
                       build(family, ttl=8),
                       build(family, src=SOURCES[family][0][1])]
            left.send(*packets)
            here = sock.Sender(family, lab.right)
            packets.append(packet.ip(me, me, PROTO, token()))
            here.send(packets[4])
            here.close()
            packets.append(build(family, 254))
            left.send(packets[5])
            flush()
            for tracer, arguments, wanted in tracers:
                got = [one["trace"] for one in tracer.records()]
                tap.is_([(one["proto"], one["len"], one["src"]) for one in got],
                        [((packets[i][9] if family == 4 else packets[i][6]),
                          len(packets[i]),
                          packets[i][12:16] if family == 4 else
                          packets[i][8:24]) for i in wanted], str(arguments))
                tap.is_(tracer.stop(), (len(wanted), 0), "and no other counts")
                tracer.close()


@tap.each(4, 6)
def many_sockets(family):
    """The first are named, all are counted."""
    readers = [sock.Reader(PROTO, family, lab.right) for _ in range(40)]
    with managed(PROTO, lab.right, "deliver raw", "ttl 1 deliver all"), \
            Tracer(lab.right, snaplen=100) as tracer:
        left.send(build(family), build(family, ttl=1))
        tap.is_([(one.all["sockets"], len(one.all["socket"]),
                  set(one.sockets.values())) for one in records(tracer)],
                [(40, SOCKETS_MAX, {"copy"})] * 2, "40 sockets")
    for reader in readers:
        reader.close()


@tap.case
def only_of_this_namespace():
    """Nor does it get what is to be told to another socket."""
    with managed(PROTO, lab.right, "deliver none"), \
            managed(PROTO, lab.other, "deliver none"), \
            Tracer(lab.right) as here, Tracer(lab.other) as there, \
            Client(lab.right) as idle:
        there_sender = sock.Sender(4, lab.left)
        left.send(build(4), build(6))
        there_sender.send(packet.ip(lab.l1.addr[4], lab.o0.addr[4], PROTO,
                                    token()))
        marker(lab.l1, lab.o0).flush()
        there_sender.close()
        tap.is_([one.all["dev"] for one in records(here)], ["r0", "r0"],
                "here what is here")
        tap.is_([one.all["dev"] for one in records(there)], ["o0"],
                "there what is there")
        idle.nl.sock.setblocking(False)
        try:
            got = idle.nl.sock.recv(1 << 16)
        except BlockingIOError:
            got = None
        tap.is_(got, None, "nobody else")


@tap.case
def start_and_stop():
    with managed(PROTO, lab.right, "deliver none"), \
            Tracer(lab.right, start=False) as tracer:
        tap.is_(tracer.refusal(K.CMD_TRACE_STOP).name, "ENOENT",
                "a stop before the start")
        tracer.start()
        tap.is_(tracer.refusal(K.CMD_TRACE).name, "EEXIST", "twice")
        left.send(build(4))
        tap.is_(len(records(tracer)), 1, "told")
        tap.is_(tracer.stop(), (1, 0), "the totals")
        left.send(build(4))
        tap.is_(len(records(tracer)), 0, "not told any more")
        tap.is_(tracer.stop(), (1, 0), "the totals stay")
        tracer.start()
        left.send(build(4))
        tap.is_([one.all["seq"] for one in records(tracer)], [1], "anew")
        others = [Tracer(lab.right) for _ in range(TRACERS_MAX - 1)]
        tap.is_(len(others), TRACERS_MAX - 1, "as many as may")
        refusal = None
        try:
            Tracer(lab.right).close()
        except Refused as refused:
            refusal = refused.name
        tap.is_(refusal, "ENOSPC", "one more")
        Tracer(lab.other).close()
        others.pop().close()
        Tracer(lab.right).close()
        tap.ok(True, "in place of one that is closed, or elsewhere")
        for other in others:
            other.close()


@tap.case
def wrong_filters():
    with Client(lab.right) as client:
        for name, nest, error in (
                ("unknown device", rule(None, dev="nix"), "ENODEV"),
                ("uid without hook output", rule(None, uid_max=1), "EINVAL"),
                ("a preference", rule(None, pref=1), "EINVAL"),
                ("half an instruction", rule(None, bpf=b"abc"), "EINVAL"),
                ("a program that jumps away",
                 rule(None, bpf=[(0x05, 0, 0, 9)]), "EINVAL"),
                ("another family", rule(None, src="10.0.0.1", dst="::1"),
                 "EINVAL")):
            tap.is_(client.refusal(K.CMD_TRACE, nest).name, error, name)
        tap.is_(client.refusal(K.CMD_TRACE_STOP).name, "ENOENT",
                "none of them traces")


def full_speed(family, rcvbuf, count, read):
    """
    (records, totals) of as many packets, sent without a pause; read(): how
    often the tracer reads meanwhile.
    """
    with lab.left:
        out = socket.socket(sock.FAMILY[family], socket.SOCK_RAW, PROTO)
    out.connect((lab.r0.addr[family], 0))
    seen = []
    with Tracer(lab.right, PROTO, rcvbuf=rcvbuf) as tracer:
        for number in range(count):
            out.send(b"full speed")
            if read and number % read == 0:
                seen += tracer.records()
        flush()
        seen += tracer.records()
        totals = tracer.stop()
        after = tracer.records()
    out.close()
    return seen + after, totals


@tap.case
def ten_thousand_packets():
    """What was recorded and what was lost is what was sent."""
    # what waits for the receiver's softirq is not lost on the way
    system.write("/proc/sys/net/core/netdev_max_backlog", "20000\n")
    with managed(PROTO, lab.right, "deliver none"):
        for family, rcvbuf, read in ((4, 1 << 24, COUNT // 10),
                                     (6, 1 << 15, COUNT // 5), (4, 4096, 0)):
            got, (seen, lost) = full_speed(family, rcvbuf, COUNT, read)
            text = "IPv%d, buffer %d" % (family, rcvbuf)
            tap.is_(seen, COUNT, text + ": all were to be told")
            tap.is_(len(got) + lost, COUNT, text + ": recorded + lost = sent")
            numbers = [one["trace"]["seq"] for one in got]
            tap.is_(numbers, sorted(set(numbers)), text + ": in order")
            # what a record says was lost before it is what is missing
            gaps = [one["trace"]["seq"] - place - one["trace"]["lost"]
                    for place, one in enumerate(got, 1)]
            tap.is_(set(gaps), {0}, text + ": each tells what is missing")
            tap.is_(bool(lost), rcvbuf < 1 << 20, text + ": %d lost" % lost)


@tap.case
def a_tracer_that_does_not_read():
    """It costs others nothing but time: they get theirs, the packets pass."""
    with managed(PROTO, lab.right, "deliver raw"), \
            sock.Reader(PROTO, 4, lab.right, rcvbuf=1 << 20) as reader, \
            Tracer(lab.right, rcvbuf=4096) as lazy, \
            Tracer(lab.right) as keen:
        left.send(*(build(4) for _ in range(100)))
        got = records(keen)
        tap.is_((len(got), {one.all["lost"] for one in got}), (100, {0}),
                "another gets all")
        tap.is_(len(reader.drain()), 100, "all are delivered")
        held = len(lazy.records())
        tap.ok(0 < held < 100, "it holds what fits, %d" % held)
        tap.is_(lazy.stop(), (100, 100 - held), "the others are lost")


@tap.case
def no_tracer_no_work():
    """The functions that make records are not called."""
    if not ftrace.available():
        raise tap.Skip("no kprobe events")
    count = ftrace.Count("kraw_record_begin")
    try:
        with managed(PROTO, lab.right, "deliver raw", "hook output deny"):
            with Tracer(lab.other):
                pass

            def quiet():
                """A second after the last one the jumps are taken back."""
                before = count.read()
                left.send(build(4), build(6))
                flush()
                return count.read() == before
            tap.ok(clock.wait_until(quiet), "not called without a tracer")
            before = count.read()
            left.send(*(build(family) for family in (4, 6) for _ in range(20)))
            flush()
            tap.is_(count.read(), before, "40 packets: no call")
            with Tracer(lab.right):
                left.send(build(4), build(6))
                flush()
                tap.is_(count.read(), before + 2, "a tracer: one a packet")
    finally:
        count.close()


@tap.case
def the_end_of_the_module():
    """With a tracer open, and records in its queue."""
    tool.do("proto add 253 deliver none", lab.right)
    with Tracer(lab.right) as tracer:
        left.send(build(4), build(6))
        flush()
        tap.ok(module.unload(), "rmmod kraw")
        left.send(build(4))
        tap.is_(len(records(tracer)), 2, "what was told can be read")


tap.run()
