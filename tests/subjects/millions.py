#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# cpus: 2
"""
Counters are exact: two CPUs receive packets as fast as they can, the kernel's
packet generator says how many, and not one is missing in any sum.

    make vm RUN=tests/subjects/millions.py CPUS=2 ARGS=10000000

sends ten million IPv4 packets, and half as many of IPv6, instead of some
hundred thousand.
"""
import contextlib
import os
import re
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, sock, tap, tool
from krawtest.manage import REFUSALS, check, managed
from krawtest.netns import SOURCES, Lab

BURST = 32
TOTAL = {4: 100000, 6: 32000} if clock.SLOW == 1 else {4: 20000, 6: 6400}
if len(sys.argv) > 1:
    TOTAL = {4: int(sys.argv[1]), 6: int(sys.argv[1]) // 2}
# whole bursts on each of two CPUs
TOTAL = {family: total - total % (2 * BURST)
         for family, total in TOTAL.items()}

cpus = sorted(os.sched_getaffinity(0))[:2]
lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
UDP = 17	# what pktgen sends


class Generator:
    """
    pktgen in the namespace of a Link: a thread of its own on each CPU hands
    packets to the stack as if they had come in there, from the other end.
    """
    WHERE = "/proc/thread-self/net/pktgen/"

    def __init__(self, link, peer):
        self._link, self._peer = link, peer
        self._devices = ["%s@%d" % (link.device, number)
                         for number in range(len(cpus))]

    def _write(self, name, *lines):
        with self._link.namespace:
            for line in lines:
                with open(self.WHERE + name, "w") as file:
                    file.write(line + "\n")

    def send(self, family, total):
        """So many packets in all, as fast as possible; how many they were."""
        each = total // len(self._devices)
        for number, device in enumerate(self._devices):
            # anew: a device that has sent IPv6 goes on with it
            self._write("kpktgend_%d" % cpus[number], "rem_device_all",
                        "add_device " + device)
            lines = ["count %d" % each, "delay 0",
                     "xmit_mode netif_receive", "burst %d" % BURST,
                     "pkt_size 66",
                     "dst_mac " + self._link.mac, "src_mac " + self._peer.mac,
                     "udp_dst_min 9", "udp_dst_max 9"]
            if family == 4:
                # one of the prefixes of the rules each, and none
                net = self._link.addr[4].rpartition(".")[0]
                lines += ["dst_min " + self._link.addr[4],
                          "dst_max " + self._link.addr[4],
                          "src_min %s.16" % net, "src_max %s.79" % net,
                          "flag IPSRC_RND"]
            else:
                lines += ["dst6 " + self._link.addr[6],
                          "src6 " + SOURCES[6][number][1]]
            self._write(device, *lines)
        self._write("pgctrl", "start")
        sent = 0
        for device in self._devices:
            with self._link.namespace, open(self.WHERE + device) as file:
                text = file.read()
            found = re.search(r"pkts-sofar: (\d+)\s+errors: (\d+)", text)
            if found is None or found[2] != "0":
                raise RuntimeError("pktgen: " + text)
            sent += int(found[1])
        return sent

    def close(self):
        for cpu in cpus:
            self._write("kpktgend_%d" % cpu, "rem_device_all")


if tool.modprobe("pktgen").status:
    tap.skip_all("this kernel has no packet generator")
tap.cleanup(lambda: tool.command("rmmod", "pktgen"))
generator = tap.cleanup(Generator(lab.r0, lab.l0))
second = tap.cleanup(Generator(lab.o0, lab.l1))


def rules():
    """Packets of each rule, by preference."""
    return {one["pref"]: one["packets"]
            for one in tool.ask("-s rule show proto udp", lab.right)}


@tap.each(4, 6)
def not_one_is_missing(family):
    """
    Three verdicts: a raw socket that reads nothing and rejects nothing, one that
    rejects everything, nobody; each on both CPUs.
    """
    prefixes = [prefix for prefix, _ in SOURCES[family]]
    with managed(UDP, lab.right, "deliver none account exact",
                 "pref 1 src %s deliver raw" % prefixes[0],
                 "pref 2 src %s deliver all" % prefixes[1]), \
            sock.Reader(UDP, family, lab.right, rcvbuf=1) as tiny, \
            sock.Reader(UDP, family, lab.right) as rejects, \
            lab.right, \
            socket.socket(sock.FAMILY[family], socket.SOCK_DGRAM) as port:
        port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        port.bind(("", 9))
        rejects.filter(sock.REJECT)
        start = time.monotonic()
        sent = generator.send(family, TOTAL[family])
        took = time.monotonic() - start
        row = check(UDP, lab.right)[family]
        matched = rules()
        queued = len(tiny.drain())
    tap.diag("%d packets in %.1f s" % (sent, took))
    tap.is_(sent, TOTAL[family], "the generator has sent them")
    tap.is_(row["seen"], sent, "all are seen")
    tap.is_(row["raw"] + row["all"] + row["none"], sent, "by verdict")
    tap.is_((row["end_raw"], row["end_handler"], row["end_proto"]),
            (row["raw"], row["all"], row["none"]), "by where they ended")
    tap.is_((matched[1], matched[2]), (row["raw"], row["all"]),
            "the rules have counted as many")
    both = row["raw"] + row["all"]
    tap.ok(row["raw"] and row["all"], "of each kind there are some", row)
    tap.is_((row["raw_matched"], row["raw_socket_filter"],
             row["raw_copies"] + row["raw_full"]), (2 * both, both, both),
            "copies: one socket refuses all, the other what it has no room for")
    tap.is_((row["raw_copies"], sum(row[name] for name in REFUSALS)),
            (queued, 2 * both - queued), "it has what was counted as copies")


@tap.each(4, 6)
def while_somebody_reads(family):
    """
    A queue that is full at one moment and has room at the next, on both CPUs:
    what is counted as copies is what its reader gets.
    """
    read, stop = 0, threading.Event()

    def reading():
        nonlocal read
        while not stop.is_set():
            read += len(reader.drain())
            reader.headers.clear()

    with managed(UDP, lab.right, "deliver all account exact"), \
            sock.Reader(UDP, family, lab.right, rcvbuf=8192) as reader:
        thread = threading.Thread(target=reading)
        thread.start()
        try:
            sent = generator.send(family, TOTAL[family])
        finally:
            stop.set()
            thread.join()
        read += len(reader.drain())
        row = check(UDP, lab.right)[family]
    tap.diag("%d packets, %d read" % (sent, read))
    tap.ok(read and read != sent, "some are read, some find the queue full")
    tap.is_((row["raw_matched"], row["raw_copies"], row["raw_full"]),
            (sent, read, sent - read), "it has what was counted as copies")


@tap.each(4, 6)
def two_on_each_cpu(family):
    """
    Two namespaces whose packets come on the same CPUs, each by its own thread:
    with PREEMPT_RT one thread may have to stop in the middle of a packet while the
    other goes on with its own.
    """
    total = TOTAL[family] // 4
    total -= total % (2 * BURST)
    with contextlib.ExitStack() as stack:
        threads = []
        for space, by in ((lab.right, generator), (lab.other, second)):
            stack.enter_context(managed(UDP, space,
                                        "deliver all account exact"))
            for program in (None, sock.REJECT):
                one = sock.Reader(UDP, family, space, rcvbuf=1 << 24)
                stack.callback(one.close)
                if program:
                    one.filter(program)
            threads.append(threading.Thread(target=by.send,
                                            args=(family, total)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for space in (lab.right, lab.other):
            row = check(UDP, space)[family]
            tap.is_((row["seen"], row["raw_matched"], row["raw_socket_filter"],
                     row["raw_copies"] + row["raw_full"]),
                    (total, 2 * total, total, total),
                    "in %s: one socket refuses all, the other none" %
                    space.name)


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
