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
import os
import re
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, sock, tap, tool
from krawtest.manage import REFUSALS, check, managed
from krawtest.netns import SOURCES, Lab

BURST = 32
TOTAL = {4: 200000, 6: 64000} if clock.SLOW == 1 else {4: 20000, 6: 6400}
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
    pktgen in right: a thread on each CPU hands packets to the stack as if they
    had come in by r0.
    """
    WHERE = "/proc/thread-self/net/pktgen/"

    def __init__(self):
        self._devices = ["r0@%d" % number for number in range(len(cpus))]
        for cpu, device in zip(cpus, self._devices):
            self._write("kpktgend_%d" % cpu, "rem_device_all")
            self._write("kpktgend_%d" % cpu, "add_device " + device)

    def _write(self, name, *lines):
        with lab.right:
            for line in lines:
                with open(self.WHERE + name, "w") as file:
                    file.write(line + "\n")

    def send(self, family, total):
        """So many packets in all, as fast as possible; how many they were."""
        each = total // len(self._devices)
        for number, device in enumerate(self._devices):
            lines = ["count %d" % each, "delay 0",
                     "xmit_mode netif_receive", "burst %d" % BURST,
                     "pkt_size 66",
                     "dst_mac " + lab.r0.mac, "src_mac " + lab.l0.mac,
                     "udp_dst_min 9", "udp_dst_max 9"]
            if family == 4:
                # one of the prefixes of the rules each, and none
                lines += ["dst_min " + lab.r0.addr[4],
                          "dst_max " + lab.r0.addr[4],
                          "src_min 10.9.0.16", "src_max 10.9.0.79",
                          "flag IPSRC_RND"]
            else:
                lines += ["dst6 " + lab.r0.addr[6],
                          "src6 " + SOURCES[6][number][1]]
            self._write(device, *lines)
        self._write("pgctrl", "start")
        sent = 0
        for device in self._devices:
            with lab.right, open(self.WHERE + device) as file:
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
generator = tap.cleanup(Generator())


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


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
