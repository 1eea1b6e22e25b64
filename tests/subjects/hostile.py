#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Hostile packets, from a tun device, in pieces from a tap device, and from raw
sockets: truncated, fragments that overlap, options, chains of extension headers,
wrong lengths and checksums, what hardware would have joined, resubmission by
FOU, groups, broadcasts, martians.  They meet each hook and verdict, mirror, trace,
limits, datagram sockets and programs that read outside of them.  The kernel says
nothing, what kraw counts adds up, and the host goes on answering.

    make vm RUN=tests/subjects/hostile.py ARGS="SEED FIRST COUNT"

repeats some.
"""
import os
import re
import socket
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, inject, packet, sock, tap, tool
from krawtest.client import Client, K, genl, rule
from krawtest.dgram import Dgram
from krawtest.manage import check
from krawtest.netns import Lab
from krawtest.tracer import Tracer
from krawtest.tun import NAPI, NAPI_FRAGS, TAP, TUN, VNET_HDR, Tun

# CI has a hundred thousand on all its kernels together
PACKETS = 10000 if clock.SLOW > 1 else \
    65000 if os.environ["KRAW_KERNEL"].startswith("7.") else 25000
CHUNKS = 10
SO_TIMESTAMP = 29
MAC = "02:09:00:00:07:02"

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
tun = tap.cleanup(Tun(lab.right, 8, TUN | VNET_HDR))
frags = tap.cleanup(Tun(lab.right, 7, TAP | NAPI | NAPI_FRAGS | VNET_HDR, "tap7"))
quiet = tap.cleanup(Tun(lab.right, 6))
lab.right.ip("link set tap7 address " + MAC,
             "neigh replace %s lladdr 02:09:00:00:07:01 dev tap7 nud permanent" %
             frags.peer[4],
             "neigh replace %s lladdr 02:09:00:00:07:01 dev tap7 nud permanent" %
             frags.peer[6])
client = tap.cleanup(Client(lab.right))

# Programs that read where nothing is: each means something else by it.
OUTSIDE = [
    [(0x20, 0, 0, 0x7fffffff), (6, 0, 0, 1)],	# far behind
    [(0x20, 0, 0, 65535), (6, 0, 0, 1)],	# behind
    [(0x20, 0, 0, 0xfff00000 + 60000), (6, 0, 0, 1)],	# from the IP header
    [(0x28, 0, 0, 0xffe0000c), (6, 0, 0, 1)],	# the link-layer header
    [(0xb1, 0, 0, 0), (0x50, 0, 0, 0), (6, 0, 0, 1)],	# X: the header's length
    [(0x80, 0, 0, 0), (0x07, 0, 0, 0), (0x40, 0, 0, 0xffffffff), (6, 0, 0, 1)],
    [(0x20, 0, 0, 0xfffff000 + 8), (0x15, 1, 0, 0), (6, 0, 0, 0), (6, 0, 0, 1)],
    [(0x00, 0, 0, 0), (0x07, 0, 0, 3), (0x20, 0, 0, 0xfffff000 + 16),
     (6, 0, 0, 1)],				# netlink attributes
]
VERDICTS = {200: "all", 201: "raw", 202: "kernel", 203: "one", 204: "none",
            205: "reject"}
# the host's own: they keep working
OWN = {1: "all", 58: "all", 6: "raw", 17: "kernel"}
MANAGED = list(VERDICTS) + list(OWN) + [253, 254]
LEVEL = {4: socket.IPPROTO_IP, 6: socket.IPPROTO_IPV6}
GROUP = {4: "224.0.0.9", 6: "ff02::9"}


def configure():
    """Each verdict, with rules that limit, mirror, trace and read outside."""
    for number, verdict in {**VERDICTS, **OWN}.items():
        tool.do("proto add %d deliver %s account exact unreach %s" % (
            number, verdict, "always" if number % 2 else "auto"), lab.right)
    tool.do("proto add 253 claim plain account exact unreach always", lab.right)
    tool.do("proto add 254 claim ports account exact", lab.right)
    for number in MANAGED:
        words = "rule add proto %d " % number
        verdict = VERDICTS.get(number) or OWN.get(number) or "all"
        tool.do(words + "pref 10 ttl 0-1 limit 1/s burst 1 deliver all",
                lab.right)
        tool.do(words + "pref 20 type 200-255 mirror dev tun6 trace deliver " +
                verdict, lab.right)
        tool.do(words + "pref 30 len 1-60 mirror dev tap7 deliver " + verdict,
                lab.right)
        for i, program in enumerate(OUTSIDE):
            client.send(K.CMD_RULE_ADD, rule(number, verdict, pref=40 + i,
                                             bpf=program))
        tool.do(words + "pref 60 fragment dscp 5 deliver none", lab.right)
        tool.do(words.replace("rule add", "rule add hook output") +
                "pref 10 ttl 0-1 trace deny", lab.right)
        client.send(K.CMD_RULE_ADD, rule(number, "deny", pref=20, hook="output",
                                         bpf=OUTSIDE[number % 8],
                                         spoofed=True))


def listen():
    """Raw sockets, datagram sockets and packet sockets that have small queues."""
    ends = []
    for family in (4, 6):
        for number in MANAGED:
            for turn in range(2):
                one = sock.Reader(number, family, lab.right, rcvbuf=20000)
                if turn:
                    one.filter(OUTSIDE[(number + family) % 8])
                ends.append(one)
        for number, port in ((253, 0), (254, 7000), (254, 7001)):
            one = Dgram(family, lab.right, proto=number, port=port,
                        bind={4: "0.0.0.0", 6: "::"}[family], options=[
                            (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1),
                            (socket.SOL_SOCKET, SO_TIMESTAMP, 1),
                            (LEVEL[family], {4: 8, 6: 49}[family], 1),
                            (LEVEL[family], {4: 11, 6: 25}[family], 1)])
            sock.attach_filter(one.sock, sock.ACCEPT)
            with lab.right:
                index = socket.if_nametoindex(tun.device)
            one.set(LEVEL[family], {4: 35, 6: 20}[family],
                    socket.inet_pton(sock.FAMILY[family], GROUP[family]) +
                    struct.pack("=4xi" if family == 4 else "=i", index))
            ends.append(one)
    # whoever looks on makes the packet one of several that share its data
    with lab.right:
        looker = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                               socket.htons(sock.ETH_P_ALL))
    looker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return ends, looker


def fou():
    """Packets of 253 in UDP; False if the kernel has no such thing."""
    if tool.modprobe("fou").status:
        return False
    return not any(lab.right.run("ip", *words.split()).returncode for words in (
        "fou add port 5555 ipproto 253", "-6 fou add port 5555 ipproto 254"))


def answers():
    """The host answers an echo request of each family, by the quiet device."""
    quiet.drain()
    for family in (4, 6):
        src, dst = quiet.peer[family], quiet.addr[family]
        os.write(quiet.fd, packet.ip(src, dst, *packet.echo(
            src, dst, 7, 1, b"still there?")))
    found = [data[20] if data[0] >> 4 == 4 else data[40]
             for data in quiet.drain() if b"still there?" in data]
    return sorted(found) == [0, 129]


def send(seed, first, count, raw):
    """(taken, refused) of these packets."""
    fds = [tun.fd, frags.fd] + [one.fileno() for one in raw]
    done = subprocess.run([os.path.join(inject.BUILT, "packets")] +
                          [str(word) for word in [seed, first, count] + fds],
                          pass_fds=fds, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    found = re.match(r"(\d+) taken, (\d+) refused", done.stdout)
    if done.returncode or not found:
        raise RuntimeError("packets: %d: %s" % (done.returncode, done.stdout))
    return int(found[1]), int(found[2])


def drain(ends, tracers):
    """Read everything; the number of datagrams, and of records."""
    number = 0
    for one in ends:
        try:
            while one.sock.recv(70000, socket.MSG_TRUNC) >= b"":
                number += 1
        except OSError:		# nothing more, or an ICMP error
            pass
    for one in (tun, frags):
        one.drain()
    return number, sum(len(one.records()) for one in tracers)


@tap.case
def packets():
    words = [int(word) for word in sys.argv[1:]]
    seed, first, count = (words + [0, PACKETS])[:3] if words else \
        (int(os.environ.get("KRAW_SEED", 4711)), 0, PACKETS)
    tap.diag("seed %d, packets %d to %d" % (seed, first, first + count - 1))
    configure()
    ends, looker = listen()
    for one in ends:
        tap.cleanup(one)
    tap.diag("FOU: %s" % ("resubmits" if fou() else "not in this kernel"))
    with lab.right:
        raw = [socket.socket(kind, socket.SOCK_RAW, socket.IPPROTO_RAW)
               for kind in (socket.AF_INET, socket.AF_INET6)]
    raw[1].setsockopt(socket.IPPROTO_IPV6, sock.IPV6_HDRINCL, 1)
    raw[0].setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    tracers = [Tracer(lab.right, snaplen=500, rcvbuf=1 << 20),
               Tracer(lab.right, marked=True, snaplen=65528, rcvbuf=1 << 16,
                      bpf=OUTSIDE[4])]
    taken = refused = received = records = 0
    step = max(1, count // CHUNKS)
    for at in range(first, first + count, step):
        good, bad = send(seed, at, min(step, first + count - at), raw)
        taken, refused = taken + good, refused + bad
        got, told = drain(ends, tracers)
        received, records = received + got, records + told
        if not answers():
            tap.ok(False, "the host answers after packets %d to %d of seed %d" %
                   (at, at + step - 1, seed))
            return
        for number in MANAGED:
            check(number, lab.right)	# an exception, if not
    rows = tool.ask("stats", lab.right)
    seen = sum(row["seen"] for row in rows)
    tap.ok(True, "the host answers, and what is counted adds up")
    tap.diag("%d packets taken, %d refused by device or socket; %d seen by "
             "hook input, %d by output; %d received, %d records" %
             (taken, refused, seen, sum(row["output"] or 0 for row in rows),
              received, records))
    tap.ok(seen > taken // 4, "kraw has seen a good part of them")
    missing = sorted({name for name in rows[0] if name not in
                      ("proto", "family", "name") and
                      not any(row[name] for row in rows)})
    tap.diag("counters that are still at 0: " + ", ".join(missing))
    for one in tracers:
        seq, lost = one.stop()
        tap.ok(lost <= seq, "%d records, %d lost" % (seq, lost))
        one.close()
    for one in raw + [looker]:
        one.close()


@tap.case
def nothing_is_left():
    tool.do("flush force", lab.right)
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    client.close()
    lab.right.run("ip", "fou", "del", "port", "5555")
    lab.right.run("ip", "-6", "fou", "del", "port", "5555")


tap.run()
