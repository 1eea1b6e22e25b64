#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# cpus: 2
"""
Ten thousand swaps under traffic: a packet meets the old ruleset or the new one,
never a mixture, and rules that stay count on.

Two rulesets, opposite in whom they serve and in the order of it.  Their own
verdict is `all`, which no packet may ever get to:

            pref 1          100 ...                   900          1000
    EVEN    Y -> none       fillers, each of a        Z -> none    X -> raw
    ODD     X -> kernel     shape of its own          Z -> none    Y -> reject

X, Y and Z are kinds of packets, told apart by their first byte.  Whoever starts
to look in EVEN and goes on in ODD passes by both rules for X, and the other way
round; whoever finds a place in the one and looks it up in the other takes X for
Y.  So the verdicts' counters tell: raw + kernel is what was sent of X, none +
reject what was sent of the others, all is 0.  Raw socket and sender confirm it.
Z's rule is in both and stays: it counts every Z.

The sender has a CPU of its own, where the packets are received, too.
"""
import contextlib
import mmap
import os
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, counters, packet, sock, system, tap, tool
from krawtest.client import Client, K, proto, rule
from krawtest.netns import Lab

PROTO = 253
SWAPS = 10000 if clock.SLOW == 1 else 400
EDITS = 300 if clock.SLOW == 1 else 60
MANY = 1000			# rules, for edits of one among them
FILLERS = 6			# in each family
NUMBER = {4: 1, 6: 2}		# of a family in netlink
VERDICTS = ("all", "raw", "kernel", "one", "none", "reject", "passed")
X, Y, Z = range(3)

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
client = tap.cleanup(Client(lab.right))
if os.cpu_count() < 2:
    tap.bail("this needs two CPUs")
# what the sender's CPU has no time for waits, and is not lost
system.write("/proc/sys/net/core/netdev_max_backlog", "100000\n")


class Flood:
    """
    A process on the other CPU that sends `kinds` of both families in turn, a
    quarter of the time, and counts in memory that we share.
    """
    STOP = 6

    def __init__(self, kinds):
        self._kinds = kinds
        self._counts = memoryview(mmap.mmap(-1, 4096)).cast("Q")
        with lab.left:
            self._link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._link.bind((lab.l0.device, 0))
        self._pid = os.fork()
        if not self._pid:
            try:
                os.sched_setaffinity(0, {1})
                self._child()
                os._exit(0)
            finally:
                os._exit(1)

    def _frame(self, family, kind):
        """All of a packet but the number at its end; Z has no payload."""
        body = {X: b"X" * 32, Y: b"\xff" * 32, Z: b""}[kind]
        return bytes.fromhex((lab.r0.mac + lab.l0.mac).replace(":", "")) + \
            struct.pack("!H", {4: 0x0800, 6: 0x86dd}[family]) + \
            packet.ip(lab.l0.addr[family], lab.r0.addr[family], PROTO, body +
                      bytes(8 if body else 0))

    def _child(self):
        frames = [(family, kind, 3 * (family == 6) + kind,
                   self._frame(family, kind))
                  for family in (4, 6) for kind in self._kinds]
        while not self._counts[self.STOP]:
            start = time.monotonic()
            for _, kind, at, data in 4 * frames:
                number = self._counts[at] + 1
                if kind != Z:
                    data = data[:-8] + struct.pack("!Q", number)
                self._link.send(data)
                self._counts[at] = number
            time.sleep(3 * (time.monotonic() - start))

    def sent(self, family, kind):
        """How many so far."""
        return self._counts[3 * (family == 6) + kind]

    def close(self):
        """End it; True if all went well."""
        if not self._pid:
            return True
        self._counts[self.STOP] = 1
        status = os.waitpid(self._pid, 0)[1]
        self._pid = 0
        self._link.close()
        return not status


class Reader:
    """What a raw socket gets: how many, and whether each once."""
    def __init__(self, family):
        self._sock = sock.Reader(PROTO, family, lab.right)
        # SO_RCVBUFFORCE
        self._sock.sock.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)
        self.count = self._last = 0
        self.wrong = []

    def drain(self):
        """Take what is there."""
        for data in self._sock.drain():
            number, = struct.unpack("!Q", data[-8:])
            if data[:1] != b"X" or number <= self._last:
                self.wrong.append(data)
            self._last = number
            self.count += 1
        self._sock.headers.clear()

    def close(self):
        """Close the socket."""
        self._sock.close()


@contextlib.contextmanager
def traffic(*kinds):
    """A Flood, and a Reader by family, that end in any case."""
    flood = Flood(kinds)
    readers = {family: Reader(family) for family in (4, 6)}
    try:
        yield flood, readers
    finally:
        flood.close()
        for reader in readers.values():
            reader.close()


def stats():
    """The protocol's counters by family."""
    found = client.proto(PROTO)["stats"]
    return {family: found[NUMBER[family]] for family in (4, 6)}


def settle(flood, readers, kinds):
    """Stop; wait until what was sent has been counted, and drained."""
    tap.ok(flood.close(), "the sender has sent all")
    sent = {family: sum(flood.sent(family, kind) for kind in kinds)
            for family in (4, 6)}
    clock.wait_until(lambda: all(stats()[f]["seen"] >= sent[f] for f in sent))
    for reader in readers.values():
        reader.drain()
    found = stats()
    tap.is_({family: found[family]["seen"] for family in sent}, sent,
            "each packet was seen once")
    return found


X_MATCH = {"type_min": 0, "type_max": 127}
Y_MATCH = {"type_min": 128, "type_max": 255}
Z_RULE = rule(PROTO, "none", pref=900, len_max=40)


def fillers():
    """Rules of many shapes that no packet matches."""
    for n in range(FILLERS):
        yield rule(PROTO, "all", pref=100 + n, src="192.0.2.0/%d" % (24 + n)
                   if n <= 8 else "192.0.2.0/24", dst="192.0.0.0/%d" % (4 + n))
        yield rule(PROTO, "all", pref=200 + n, src="2001:db8::/%d" % (32 + n))


EVEN = [proto(PROTO, unreach="never"),
        rule(PROTO, "none", pref=1, **Y_MATCH), *fillers(), Z_RULE,
        rule(PROTO, "raw", pref=1000, **X_MATCH)]
ODD = [proto(PROTO, unreach="never"),
       rule(PROTO, "kernel", pref=1, **X_MATCH), *fillers(), Z_RULE,
       rule(PROTO, "reject", pref=1000, **Y_MATCH)]

REJECTED = {4: "IcmpInDestUnreachs", 6: "Icmp6InParmProblems"}


@tap.case
def ten_thousand_swaps():
    client.apply(*EVEN)
    z_handle = client.rules()[-2]["handle"]
    before = counters.read(lab.left)

    def rejected():
        now = counters.read(lab.left)
        return {f: now.get(name, 0) - before.get(name, 0)
                for f, name in REJECTED.items()}

    with traffic(X, Y, Z) as (flood, readers):
        start = time.monotonic()
        for n in range(1, SWAPS + 1):
            client.apply(*(ODD if n & 1 else EVEN))
            if n % 100 == 0:
                for reader in readers.values():
                    reader.drain()
        took = time.monotonic() - start
        found = settle(flood, readers, (X, Y, Z))
        # the last errors are on their way to left on the other CPU
        clock.wait_until(lambda: all(errors >= found[f]["reject"]
                                     for f, errors in rejected().items()))
    last = client.rules()
    total = sum(found[family]["seen"] for family in found)
    tap.diag("%d swaps in %.1f s, %d packets meanwhile" % (SWAPS, took, total))
    tap.ok(total > SWAPS // 2, "there was traffic all the time", total)
    for family in (4, 6):
        count = {name: found[family].get(name, 0) for name in VERDICTS}
        sent = [flood.sent(family, kind) for kind in (X, Y, Z)]
        title = "IPv%d: " % family
        tap.diag(title + "sent %s, %s" % (sent, count))
        tap.is_(count["raw"] + count["kernel"], sent[X],
                title + "each X met one ruleset")
        tap.is_(count["none"] + count["reject"], sent[Y] + sent[Z],
                title + "each Y, too")
        tap.is_([count[name] for name in ("all", "one", "passed")], [0] * 3,
                title + "none passed by both")
        tap.ok(min(count["raw"], count["kernel"], count["reject"],
                   count["none"] - sent[Z]) > 0,
               title + "both have been met by both", count)
        tap.is_((readers[family].count, readers[family].wrong[:3]),
                (count["raw"], []),
                title + "the raw socket got just those of verdict raw, once")
        tap.is_(rejected()[family], count["reject"],
                title + "so many errors came back")
    z_rule = last[-2]
    sent = {family: flood.sent(family, Z) for family in (4, 6)}
    tap.is_((z_rule["handle"], z_rule["packets"], z_rule["bytes"]),
            (z_handle, sum(sent.values()), 20 * sent[4] + 40 * sent[6]),
            "the rule that stayed counted every Z")
    client.apply()


# --- one rule among many -----------------------------------------------------

def many():
    """Rules that no packet matches, but for the one in their middle."""
    return [rule(PROTO, "all", pref=10 * n, src="198.18.%d.%d" %
                 (n >> 8, n & 255)) for n in range(1, MANY)]


def edited(name, edit, more):
    """
    Under traffic of X and Z, edit(n) again and again; then the rules have
    counted what the verdicts have, and there are so many more.  Returns how
    often X passed by the edited one.
    """
    client.apply(proto(PROTO, unreach="never"), *many(), Z_RULE,
                 rule(PROTO, "none", pref=4294967295, **X_MATCH))
    before = {r["handle"]: r for r in client.rules()}
    with traffic(X, Z) as (flood, readers):
        start = time.monotonic()
        for n in range(EDITS):
            edit(n)
            if n % 50 == 0:
                for reader in readers.values():
                    reader.drain()
        took = time.monotonic() - start
        found = settle(flood, readers, (X, Z))
    rules = client.rules()
    by_pref = {r["pref"]: r for r in rules}
    total = {name: sum(found[f].get(name, 0) for f in found)
             for name in VERDICTS}
    tap.diag("%s: %d edits in %.1f s, %s" % (name, EDITS, took, total))
    sent = {kind: sum(flood.sent(f, kind) for f in (4, 6)) for kind in (X, Z)}
    tap.is_(total["raw"] + total["kernel"] + total["none"], sent[X] + sent[Z],
            name + ": each packet in one column")
    tap.is_([total["all"], total["reject"]], [0, 0], name + ": and no other")
    tap.ok(total["raw"] and total["kernel"], name + ": the rule was met", total)
    tap.is_([readers[f].count for f in (4, 6)],
            [found[f]["raw"] for f in (4, 6)],
            name + ": the raw socket got those of verdict raw")
    tap.is_(by_pref[900]["packets"], sent[Z], name + ": Z's rule counts on")
    tap.is_(by_pref[4294967295]["packets"], total["none"] - sent[Z],
            name + ": so does the last one, for who passed by the edited one")
    stay = [r for r in rules if r["handle"] in before]
    tap.is_([r["handle"] for r in stay], list(before),
            name + ": all others stay, in their order")
    tap.is_(len(rules) - len(stay), more, name + ": and so many are new")
    client.apply()
    return by_pref[4294967295]["packets"]


@tap.case
def replaced_again_and_again():
    """Between two verdicts; once it is there no X passes by it."""
    def edit(n):
        client.send(K.CMD_RULE_REPLACE, rule(
            PROTO, ("raw", "kernel")[n & 1], pref=5005, **X_MATCH))
    edited("replace", edit, 1)


@tap.case
def added_and_deleted_again_and_again():
    """Without it, X gets as far as the last rule."""
    def edit(n):
        if n % 2:
            client.send(K.CMD_RULE_DEL, rule(PROTO, pref=5005))
        else:
            client.send(K.CMD_RULE_ADD, rule(
                PROTO, ("raw", "kernel")[n // 2 & 1], pref=5005, **X_MATCH))
    passed = edited("add and del", edit, 0)
    tap.ok(passed, "add and del: some passed by", passed)


@tap.case
def nothing_is_left():
    tap.is_(client.protos(), [], "nothing managed")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
