#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# cpus: 2
"""
A hundred thousand rules in a namespace, of both families: what they take of
memory, that packets find theirs, one rule among them added, replaced and
deleted, how long packets wait for that, and the end of it: rules_max.
"""
import contextlib
import mmap
import os
import random
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, packet, sock, tap, tool
from krawtest.client import Client, K, proto, read, rule
from krawtest.netns import Lab, pin

PROTO = 253
FILE = "/run/many.kraw"
MANY = 100000 if clock.SLOW == 1 else 10000
SAMPLES = 500 if clock.SLOW == 1 else 100
# Between two packets: a slow kernel must find time for the rest, too.
PAUSE = 0.001 if clock.SLOW == 1 else 0.01
WINDOWS = 7 if clock.SLOW == 1 else 3	# of time, with edits and without
SECOND = 1			# of them without edits, at most
BOUND = 4			# times longer that packets may wait
LIMIT = 256			# bytes a rule, besides its counters
VERDICTS = ("raw", "kernel", "none")
STEADY = "10.98.0.1"		# whose rule is the first
LAST = MANY - 2			# number of the last one of the others
RULES_MAX = "/sys/module/kraw/parameters/rules_max"

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
client = tap.cleanup(Client(lab.right))
random.seed(4)


# --- the rules ---------------------------------------------------------------

def source(n):
    """The address of rule n: even numbers are IPv6."""
    n += 1
    return "10.%d.%d.%d" % (100 + (n >> 16), n >> 8 & 255, n & 255) if n % 2 \
        else "fd10::%x:%x" % (n >> 16, n & 0xffff)


def pref(n):
    """Its preference: there is room in between."""
    return 10 * n + 10


def verdict(n):
    """Its verdict."""
    return VERDICTS[n % 3]


def line(n):
    """It, as a command."""
    return "rule add proto 253 pref %d src %s deliver %s\n" % (
        pref(n), source(n), verdict(n))


def write(count):
    """A file with so many rules: one for STEADY and the first of those."""
    with open(FILE, "w") as file:
        file.write("proto add 253 deliver reject unreach never\n"
                   "rule add proto 253 pref 1 src %s deliver raw\n" % STEADY)
        file.writelines(map(line, range(count - 1)))


def get(number):
    """One rule, by its preference."""
    answer, = client.send(K.CMD_RULE_GET, rule(PROTO, pref=number))
    return read(answer.payload)["rule"]


def count():
    """The number of rules."""
    return client.proto(PROTO)["rules"]


class Sending:
    """Frames from any source."""
    def __init__(self):
        with lab.left:
            self._link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._link.bind((lab.l0.device, 0))
        self._head = bytes.fromhex((lab.r0.mac + lab.l0.mac).replace(":", ""))

    def send(self, src, body=b"many"):
        """One packet."""
        family = 6 if ":" in src else 4
        self._link.send(self._head + struct.pack(
            "!H", {4: 0x0800, 6: 0x86dd}[family]) +
            packet.ip(src, lab.r0.addr[family], PROTO, body))

    def close(self):
        """Close the socket."""
        self._link.close()


sending = tap.cleanup(Sending())


def seen():
    """The protocol's counters of both families, summed up."""
    both = client.proto(PROTO)["stats"].values()
    return {name: sum(s.get(name, 0) for s in both)
            for name in ("seen", "reject") + VERDICTS}


def sent(sources):
    """Send from each of them; what the protocol's counters say of it."""
    before = seen()
    for src in sources:
        sending.send(src)
    clock.wait_until(lambda: seen()["seen"] >= before["seen"] + len(sources),
                     pause=0.001)
    return {name: value - before[name] for name, value in seen().items()
            if value != before[name]}


# --- memory ------------------------------------------------------------------

def slabs():
    """Bytes in the slabs of rules, of whatever name the cache is now."""
    where = "/sys/kernel/slab/kraw_rule/"
    if not os.path.exists(where + "slabs"):
        return 0		# this kernel does not tell
    with open(where + "slabs") as file, open(where + "order") as order:
        return int(file.read().split()[0]) * 4096 << int(order.read())


def meminfo():
    """Bytes of the kernel's own, by kind."""
    with open("/proc/meminfo") as file:
        lines = dict(line.split(":") for line in file)
    return {name: 1024 * int(lines[name].split()[0])
            for name in ("SUnreclaim", "VmallocUsed", "Percpu")}


def used(before):
    """
    Bytes a rule since then.  Counters are per-CPU memory and not in it, but
    what the kernel keeps books of them with is.
    """
    now = meminfo()
    return sum(now[name] - before[name]
               for name in ("SUnreclaim", "VmallocUsed")) / MANY


@tap.case
def applied():
    write(MANY)
    client.apply(proto(PROTO), rule(PROTO, "raw"))	# what one takes anyway
    before, slab = meminfo(), slabs()
    start = time.monotonic()
    tool.do("apply " + FILE, lab.right)
    tap.diag("%d rules applied in %.1f s" % (MANY, time.monotonic() - start))
    tap.is_(count(), MANY, "all are there")
    # what it needed for a while is given back a grace period later
    clock.wait_until(lambda: used(before) <= LIMIT, seconds=3)
    now = meminfo()
    tap.diag("bytes a rule: %.1f; struct kraw_rule %.1f; %s" % (
        used(before), (slabs() - slab) / MANY, ", ".join(
            "%s %.1f" % (name, (now[name] - before[name]) / MANY)
            for name in now)))
    if clock.SLOW > 1:
        tap.skip("memory", "debugging adds to each object")
    else:
        tap.ok((slabs() - slab) / MANY < used(before) <= LIMIT,
               "at most %d bytes a rule, besides its counters" % LIMIT,
               used(before))


@tap.case
def found():
    chosen = random.sample(range(LAST + 1), SAMPLES)
    for n in (0, 1, LAST - 1, LAST):	# the ends
        if n not in chosen:
            chosen.append(n)
    counts = {name: sum(verdict(n) == name for n in chosen)
              for name in VERDICTS}
    tap.is_(sent([source(n) for n in chosen]),
            {"seen": len(chosen), **counts}, "verdicts of a sample")
    wrong = {n: (r["packets"], r["bytes"]) for n in chosen
             for r in [get(pref(n))]
             if (r["packets"], r["bytes"]) !=
             (1, (44 if ":" in source(n) else 24))}
    tap.is_(wrong, {}, "each rule of it has counted its packet")
    others = ["10.99.0.1", "fd10::ffff:1", source(LAST + 1), source(LAST + 2)]
    tap.is_(sent(others), {"seen": 4, "reject": 4}, "and nobody the others")


# --- one rule among them -----------------------------------------------------

@tap.each(0, 1, MANY // 2, MANY // 2 + 1, LAST - 1, LAST)
def one_rule_edited(n):
    """Another one for the same packets before it, and what becomes of them."""
    src, at, own = source(n), pref(n) - 5, verdict(n)
    before = get(pref(n))
    client.send(K.CMD_RULE_ADD, rule(PROTO, "reject", pref=at, src=src))
    tap.is_((count(), sent([src])), (MANY + 1, {"seen": 1, "reject": 1}),
            "added: it wins")
    first = get(at)
    tap.is_(first["packets"], 1, "and counts")
    client.send(K.CMD_RULE_REPLACE, rule(PROTO, "kernel", pref=at, src=src,
                                         ttl_max=64))
    tap.is_(sent([src]), {"seen": 1, "kernel": 1}, "replaced")
    second = get(at)
    tap.is_((second["handle"], second["packets"]), (first["handle"], 1),
            "it keeps its handle and counts anew")
    client.send(K.CMD_RULE_DEL, rule(PROTO, handle=first["handle"]))
    tap.is_((count(), sent([src])), (MANY, {"seen": 1, own: 1}),
            "deleted: as before")
    after = get(pref(n))
    tap.is_((after["handle"], after["packets"]),
            (before["handle"], before["packets"] + 1),
            "the other one has kept its counters")


# --- without a pause ---------------------------------------------------------

class Steady:
    """
    A process on one CPU that sends a packet, waits for it at a raw socket, and
    does that again after a pause.  It goes before everybody else, so whatever keeps it
    waiting keeps the kernel from its work.  .longest() is the longest time
    between two arrivals since it was asked last.
    """
    TURN, LONGEST, STOP = range(3)

    def __init__(self, cpu):
        self._counts = memoryview(mmap.mmap(-1, 4096)).cast("Q")
        self._reader = sock.Reader(PROTO, 4, lab.right)
        self._pid = os.fork()
        if not self._pid:
            try:
                pin(cpu)
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
                self._child()
                os._exit(0)
            finally:
                os._exit(1)

    def _child(self):
        counts, last, turn = self._counts, 0, 0
        while not counts[self.STOP]:
            sending.send(STEADY)
            self._reader.wait()
            self._reader.headers.clear()
            now = time.monotonic_ns()
            if counts[self.TURN] != turn:	# asked: begin anew
                counts[self.LONGEST], turn = 0, counts[self.TURN]
            elif last:
                counts[self.LONGEST] = max(counts[self.LONGEST], now - last)
            last = now
            time.sleep(PAUSE)

    def begin(self):
        """Forget what was."""
        self._counts[self.TURN] += 1
        clock.wait_until(lambda: not self._counts[self.LONGEST], pause=0)

    def longest(self):
        """Milliseconds since begin()."""
        return self._counts[self.LONGEST] / 1e6

    def close(self):
        """End it."""
        self._counts[self.STOP] = 1
        status = os.waitpid(self._pid, 0)[1]
        self._reader.close()
        return not status


def idle(seconds):
    """Keep the CPU as busy as an edit does."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


def edit(n):
    """Three edits in the middle."""
    one = rule(PROTO, "none", pref=pref(MANY // 2) - 1, ttl_max=n)
    client.send(K.CMD_RULE_ADD, one)
    client.send(K.CMD_RULE_REPLACE, one)
    client.send(K.CMD_RULE_DEL, rule(PROTO, pref=pref(MANY // 2) - 1))


def apply(_):
    """All rules anew: they stay as they are."""
    tool.do("apply " + FILE, lab.right)


@tap.each(("edits", "the same CPU"), ("edits", "another CPU"),
          ("apply", "the same CPU"))
def without_a_pause(what, where):
    """
    The longest gap of a window of time, with edits in it and without.  The
    machine has pauses of its own: of several windows one that is right will do.
    """
    func, windows = {"edits": (edit, WINDOWS), "apply": (apply, 1)}[what]
    with_it, before = [], []
    with contextlib.closing(Steady(where == "another CPU")) as steady:
        for n in range(windows):
            steady.begin()
            start = time.monotonic()
            func(n)
            took = time.monotonic() - start
            with_it.append(steady.longest())
            steady.begin()
            idle(min(took, SECOND))
            before.append(steady.longest())
            # A lock held meanwhile would make a gap as long as all of it.
            if min(with_it) <= took * 1000 / 8:
                break
    for name, some in ((what, with_it), ("without", before)):
        tap.diag("%s: longest gaps, ms: %s" %
                 (name, " ".join("%.1f" % gap for gap in sorted(some))))
    tap.diag("%.1f ms against %.1f ms: %.1f times; took %.0f ms" % (
        min(with_it), min(before), min(with_it) / min(before), took * 1000))
    # The machine has gaps of its own, which no bound on the time of day
    # survives.
    tap.ok(min(with_it) <= max(BOUND * min(before) + 10, took * 1000 / 8),
           "packets do not wait for it", (with_it, before, took))


# --- the end of it -----------------------------------------------------------

@contextlib.contextmanager
def rules_max(value):
    """The module parameter, for a while."""
    with open(RULES_MAX) as file:
        before = file.read()
    with open(RULES_MAX, "w") as file:
        file.write("%d\n" % value)
    try:
        yield
    finally:
        with open(RULES_MAX, "w") as file:
            file.write(before)


def full(words, value, title, stdin=None):
    """A refusal for want of room, and nothing has changed."""
    before = client.generation(), count()
    told = tool.refused(words, lab.right, stdin)
    tap.is_(told.status, 2, title + ": exit status")
    tap.ok("rules_max" in told.err and str(value) in told.err and
           told.err.startswith("Error: ") and "\n" not in told.err,
           title + ": one line that names the parameter", told.err)
    tap.is_((client.generation(), count()), before,
            title + ": nothing has changed")


@tap.case
def rules_max_reached():
    with rules_max(MANY):
        full("rule add proto 253 src 10.1.1.1 deliver raw", MANY, "one more")
        refused = client.refusal(K.CMD_RULE_ADD, rule(PROTO, "raw", pref=1))
        tap.is_(refused and refused.name, "ENOSPC", "by netlink")
        full("rule replace proto 253 pref 2 src 10.1.1.1 deliver raw", MANY,
             "replace of what is not there")
        with open(FILE, "a") as file:
            file.write(line(LAST + 1))
        full("apply " + FILE, MANY, "apply of one more")
        full("apply --check " + FILE, MANY, "apply --check of one more")
        client.send(K.CMD_RULE_REPLACE, rule(PROTO, "raw", pref=pref(1),
                                             src=source(1), ttl_max=64))
        tap.is_(sent([source(1)]), {"seen": 1, "raw": 1},
                "one in the place of another is possible")
        client.send(K.CMD_RULE_DEL, rule(PROTO, pref=pref(1)))
        client.send(K.CMD_RULE_ADD, rule(PROTO, "kernel", pref=pref(1),
                                         src=source(1)))
        tap.is_((count(), sent([source(1)])), (MANY, {"seen": 1, "kernel": 1}),
                "and one less, one more")
        with Client(lab.other) as other:
            other.apply(proto(PROTO), rule(PROTO, "raw"))
            tap.is_(len(other.rules()), 1, "another namespace has its own")
            other.apply()
    with rules_max(5):
        tap.is_((count(), sent([source(3)])), (MANY, {"seen": 1, "raw": 1}),
                "lowered: what is there stays")
        full("rule add proto 253 src 10.1.1.1 deliver raw", 5, "lowered")
        client.send(K.CMD_RULE_REPLACE, rule(PROTO, "none", pref=pref(3),
                                             src=source(3)))
        tap.is_(sent([source(3)]), {"seen": 1, "none": 1},
                "lowered: replaced all the same")
        client.send(K.CMD_RULE_DEL, rule(PROTO, pref=pref(3)))
        tap.is_(count(), MANY - 1, "lowered: and deleted")
        full("rule add proto 253 src 10.1.1.1 deliver raw", 5,
             "lowered: but not added again")
        write(10)
        tool.do("apply " + FILE, lab.right)
        tap.is_(count(), 10, "lowered: apply of fewer is no addition")
        write(6)
        client.apply()
        full_when_empty()


def full_when_empty():
    """Six rules where five are allowed, from nothing."""
    told = tool.refused("apply " + FILE, lab.right)
    tap.ok(told.status == 2 and "rules_max allows 5" in told.err,
           "six rules of five: refused", told.err)
    tap.is_(client.protos(), [], "six rules of five: nothing is managed")
    write(5)
    tool.do("apply " + FILE, lab.right)
    tap.is_(count(), 5, "five of five")
    client.apply()


@tap.case
def nothing_is_left():
    tap.is_(client.protos(), [], "nothing managed")
    tap.ok(clock.wait_until(lambda: slabs() < 1 << 20),
           "the memory is given back", slabs())
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
