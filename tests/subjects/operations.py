#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# leaves: sctp.ko, which cannot be unloaded
"""
When what is around kraw fails: a reader that dies or hangs, a tool that is
killed, a module that comes later; and the way back to plain Linux in one command.
Documentation/operations.rst tells the stories.
"""
import os
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import packet, sock, story, tap, tool
from krawtest.manage import Count, check, managed
from krawtest.netns import Lab
from krawtest.who import Probe, UNREACH

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
SEED = int(os.environ.get("KRAW_SEED", 4711))


class Process:
    """A process that holds a raw socket and nothing else."""
    def __init__(self, proto, family, namespace):
        ready, tell = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            with sock.Reader(proto, family, namespace):
                os.write(tell, b"x")
                signal.pause()
            os._exit(0)
        os.close(tell)
        os.read(ready, 1)
        os.close(ready)

    def crash(self):
        """Return when it is gone, and its socket."""
        os.kill(self.pid, signal.SIGSEGV)
        os.waitpid(self.pid, 0)


def told(family, proto=253):
    """What the sender of one packet is told, with nobody of ours there."""
    with Probe(lab.left, lab.right, proto, family) as probe:
        return probe.send().icmp


# --- back to plain Linux -------------------------------------------------------

def fill():
    """Something of everything that can be configured."""
    for text in ("proto add 253 claim plain deliver none",
                 "proto add tcp deliver reject",
                 "rule add proto 253 src 10.9.0.0/24 limit 10/s deliver none",
                 "rule add proto 253 src fd09::/64 deliver reject",
                 "rule add hook output proto 253 deny"):
        tool.do(text, lab.right)


@tap.each("flush", "rmmod")
def back(how):
    fill()
    tap.is_([told(family) for family in (4, 6)], [[], [UNREACH[6]]],
            "as configured")
    if how == "flush":
        tool.do("flush", lab.right)
        tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
        tap.is_(tool.ask("rule show", lab.right), [], "no rule")
    else:
        tap.ok(module.unload(), "it goes as it is")
    tap.is_([told(family) for family in (4, 6)], [[UNREACH[4]], [UNREACH[6]]],
            "the sender is told")
    tap.is_([handler for family in (4, 6) for handler in
             [story.handler_symbol(lab.right, 253, family)] if handler], [],
            "no handler")
    for family in (4, 6):
        with sock.Reader(253, family, lab.left) as reader:
            sender = sock.Sender(family, lab.right)
            sender.send(packet.ip(lab.r0.addr[family], lab.l0.addr[family],
                                  253, b"out"))
            sender.close()
            tap.is_(len(reader.wait()), 1, "raw sockets send again, IPv%d" %
                    family)
    if how == "rmmod":
        module.load()
        tap.is_(tool.ask("proto show", lab.right), [], "and comes back empty")


# --- readers -----------------------------------------------------------------

@tap.each(4, 6)
def reader_dies(family):
    with managed(253, lab.right, "deliver raw"):
        process = Process(253, family, lab.right)
        tap.is_(told(family), [], "a reader: nothing is said")
        process.crash()
        tap.is_(told(family), [UNREACH[family]], "it has crashed: as nobody")
        tool.do("proto set 253 unreach never", lab.right)
        tap.is_(told(family), [], "unreach never: nothing")
        with Probe(lab.left, lab.right, 253, family, readers=1) as probe:
            got = probe.send(3)
        tap.is_((got.raw, got.icmp), ([3], []), "the next one has all at once")


@tap.each(4, 6)
def reader_hangs(family):
    with managed(253, lab.right, "deliver raw"), \
            sock.Reader(253, family, lab.right, rcvbuf=1) as hangs, \
            Probe(lab.left, lab.right, 253, family, readers=1) as probe, \
            Count(253, family, lab.right) as count:
        got = probe.send(20, payload=bytes(1000))
        tap.is_((got.raw, got.icmp), ([20], []),
                "the other has all, and nobody is told")
    kept = 20 - count.all.get("raw_refused", 0)
    tap.ok(0 < kept < 20, "one that hangs has some", kept)
    tap.is_(count.all["raw_copies"], 20 + kept, "and all is counted")
    with managed(253, lab.right, "deliver raw"), \
            sock.Reader(253, family, lab.right, rcvbuf=1) as hangs:
        with Probe(lab.left, lab.right, 253, family) as probe:
            told_of = probe.send(20, payload=bytes(1000)).icmp
        kept = len(hangs.drain())
        tap.is_(told_of, [UNREACH[family]] * (20 - kept)
                if sock.ROOM_FIRST else [],
                "alone, too: it is a reader for Linux"
                if not sock.ROOM_FIRST else "alone: as nobody, as in Linux")
        tap.ok(kept, "which can still read")


# --- the tool ------------------------------------------------------------------

def configuration(count, net):
    """`count` rules."""
    return "proto add 253\n" + "".join(
        "rule add proto 253 src 10.%d.%d.%d deliver none\n" %
        (net, n >> 8, n & 255) for n in range(count))


@tap.case
def tool_is_killed():
    """At any moment: all of a file is in force, or nothing."""
    counts = (1000, 1500)
    for count in counts:
        with open("/run/%d.kraw" % count, "w") as file:
            file.write(configuration(count, count // 100))
    tool.do("apply /run/1000.kraw", lab.right)
    begin = time.monotonic()
    tool.do_alone("apply /run/1500.kraw", lab.right)
    whole = time.monotonic() - begin
    chance = random.Random(SEED)
    now, seen = 1500, []
    for _ in range(12):
        other = counts[now == counts[0]]
        with subprocess.Popen(["kraw", "-n", lab.right.name, "apply",
                               "/run/%d.kraw" % other],
                              stderr=subprocess.PIPE) as process:
            try:
                process.wait(chance.uniform(whole / 2, whole * 1.2))
            except subprocess.TimeoutExpired:
                process.kill()
            process.wait()
        rules = check_rules()
        seen.append(rules)
        now = rules if rules in counts else now
    tap.is_([rules for rules in seen if rules not in counts], [],
            "the old rules or the new ones (%s)" % seen)
    tool.do("apply /run/1000.kraw", lab.right)
    tap.is_(check_rules(), 1000, "and the next apply works")
    tool.do("flush", lab.right)


def check_rules():
    """How many rules there are, all of one file."""
    nets = [rule["src"].split(".")[1] for rule in
            tool.ask("rule show proto 253", lab.right)]
    return len(nets) if len(set(nets)) == 1 else set(nets)


# --- modules that come later -------------------------------------------------------

@tap.case
def module_comes_later():
    """SCTP, managed before there is anything to manage."""
    with managed("sctp", lab.right, "deliver raw"):
        for family in (4, 6):
            tap.is_(story.handler_symbol(lab.right, 132, family), None,
                    "no handler yet, IPv%d" % family)
        tap.is_(tool.modprobe("sctp").status, 0, "sctp.ko loads")
        for family in (4, 6):
            tap.isnt(story.handler_symbol(lab.right, 132, family), None,
                     "it has the entry, IPv%d" % family)
            tap.is_(story.sctp_measure(lab, family),
                    ["5", "0", story.NOTHING], "but hears nothing")
        # a crashed stack does not make the kernel's speak
        with Probe(lab.left, lab.right, packet.SCTP, 4, answers=True) as probe:
            packets, marks, tags = story.inits(probe.src, probe.dst, 5)
            got = probe.transmit(packets, marks)
        tap.is_((story.aborts(got.answers, tags), set(got.icmp)),
                (0, {UNREACH[4]}), "without a reader neither")
        tool.do("proto set sctp deliver all", lab.right)
        for family in (4, 6):
            tap.is_(story.sctp_measure(lab, family),
                    ["5", "5", story.NOTHING], "until it is let")
        check("sctp", lab.right)


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
