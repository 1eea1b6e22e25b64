#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# cpus: 2
"""
Limits: above its rate a rule does not match and the next one is asked, each
refusal counted; the rate holds for one CPU and for two together, in both
families; the burst is what it says, also after a long silence; apply keeps the
bucket of a rule that stays.  What passed is compared with the time that has
passed, never with a time that something should take.
"""
import json
import os
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, netns, packet, sock, tap, tool
from krawtest.client import Client, K, proto, rule, u32
from krawtest.manage import Count, managed
from krawtest.netns import Lab
from krawtest.session import Session
from krawtest.who import Marker, token

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
marker = tap.cleanup(Marker(lab.l0, lab.r0))
listing = Session(tool.KRAW, "right", True, ["-s", "-d"])
lab.right.at_close(listing.close)
SECONDS = 1.5		# a measurement
MAX = 2 ** 32 - 1


def rules():
    """The rules of protocol 253 with their counters."""
    return json.loads(listing.run("rule show proto 253")[0] or "[]")


def counts():
    """[(packets, limited)] in the order of the rules."""
    return [(one["packets"], one.get("limited")) for one in rules()]


class Sender:
    """Packets from left to right, all alike; counts the time it takes."""
    def __init__(self, family):
        self._sock = sock.Sender(family, lab.left)
        self.data = packet.ip(lab.l0.addr[family], lab.r0.addr[family], 253,
                              token())

    def burst(self, number):
        """Send them as fast as possible; the seconds that it took."""
        start = time.monotonic()
        for _ in range(number):
            self._sock.send(self.data)
        marker.flush()
        return time.monotonic() - start

    def close(self):
        self._sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def silence(seconds):
    """Nothing to wait for but the clock."""
    until = time.monotonic() + seconds
    clock.wait_until(lambda: time.monotonic() >= until, seconds + 10)


# --- the rate ----------------------------------------------------------------

def flood(family, cpus, seconds):
    """A process on each CPU sends what it can: (packets, seconds) in all."""
    children = []
    go_read, go_write = os.pipe()
    for cpu in cpus:
        read, write = os.pipe()
        pid = os.fork()
        if pid:
            os.close(write)
            children.append((pid, read))
            continue
        try:
            netns.pin(cpu)
            os.close(go_write)
            with Sender(family) as sender:
                send, data = sender._sock.send, sender.data
                os.read(go_read, 1)		# until all are ready
                start, number = time.monotonic(), 0
                while time.monotonic() < start + seconds:
                    for _ in range(20):
                        send(data)
                    number += 20
                os.write(write, struct.pack("=Qdd", number, start,
                                            time.monotonic()))
        finally:
            os._exit(0)
    os.close(go_read)
    os.close(go_write)
    told = []
    for pid, read in children:
        told.append(struct.unpack("=Qdd", os.read(read, 24)))
        os.close(read)
        os.waitpid(pid, 0)
    marker.flush()
    return (sum(number for number, _, _ in told),
            max(end for _, _, end in told) -
            min(start for _, start, _ in told))


CPUS = list(range(os.cpu_count()))


def measured(family, cpus, rate, burst):
    """
    Flood a rule with this limit: (packets sent, passed, limited, those that the
    next rule had, seconds).  What the bucket may still hold at the end, because
    a sender was held up, is used up before the time is taken.
    """
    tool.do("rule flush proto 253", lab.right)
    tool.do("rule add proto 253 limit %d/s burst %d deliver none" %
            (rate, burst), lab.right)
    tool.do("rule add proto 253 deliver none", lab.right)
    number, seconds = flood(family, cpus, SECONDS)
    with Sender(family) as sender:
        start, level = time.monotonic(), counts()[0][1]
        # as many over the limit again: it was empty for a while. A machine that
        # has become so slow that it stays below the rate is measured anew.
        until = clock.deadline(2)
        while counts()[0][1] < level + 50 and clock.left(until):
            sender.burst(50)
            number += 50
        seconds += time.monotonic() - start
    (passed, limited), (rest, _) = counts()
    return number, passed, limited, rest, seconds


@tap.each((4, 1), (6, 1), (4, 2), (6, 2))
def the_rate_holds(family, cpus):
    """With one CPU that sends and with two."""
    if len(CPUS) < cpus:
        raise tap.Skip("only %d CPU" % len(CPUS))
    with managed(253, lab.right, "deliver none"):
        number, seconds = flood(family, CPUS[:cpus], 0.5)
        # a part of what one of them sends alone: each could use it up
        rate = max(20, int(number / seconds / cpus / 3))
        reached = []
        for _ in range(6):
            burst = max(5, rate // 2)
            number, passed, limited, rest, seconds = \
                measured(family, CPUS[:cpus], rate, burst)
            real = (passed - burst) / seconds
            tap.diag("%.0f/s offered, %d/s allowed, %.3f s: %d passed, %.4f" %
                     (number / seconds, rate, seconds, passed, real / rate))
            reached.append(real / rate)
            # A sender that stood still for longer than a burst lasts has lost
            # what it did not ask for: then it is measured again.
            enough = number > 1.5 * (rate * seconds + burst)
            if enough and real / rate >= 0.95:
                break
            rate = max(20, rate // 2)	# a busy machine, now
        tap.ok(enough, "enough packets to see a limit", number)
        tap.ok(reached[-1] >= 0.95 and max(reached) <= 1.05,
               "the rate, within 5 %, and never more", reached)
        tap.is_((passed + limited, limited), (number, rest),
                "every packet passed, or went to the next rule")


@tap.case
def below_the_rate_nothing_is_lost():
    """Two CPUs that send what is allowed are not limited."""
    with managed(253, lab.right, "deliver none"):
        # the machine may stand still in one of these
        most = max(number / seconds for number, seconds in
                   (flood(4, CPUS[:2], 0.2) for _ in range(3)))
        # many times that, for a busy machine; but no burst that holds them all
        tool.do("rule add proto 253 limit %d/s burst %d deliver none" %
                (40 * most, most / 4), lab.right)
        number, seconds = flood(4, CPUS[:2], 1.0)
        tap.is_(counts(), [(number, 0)], "all passed")


# --- the burst ---------------------------------------------------------------

@tap.each(4, 6)
def burst_and_silence(family):
    """A burst at once, then by the rate; after a silence one burst again."""
    rate, burst, sent = 80, 10, 60
    with managed(253, lab.right, "deliver none",
                 "limit %d/s burst %d deliver none" % (rate, burst)), \
            Sender(family) as sender:
        start = time.monotonic()
        passed = 0
        for which in ("new", "after a silence", "after another"):
            if which != "new":
                # four times what fills the bucket
                silence(4 * burst / rate)
            before = counts()[0][0]
            took = sender.burst(sent)
            passed = counts()[0][0]
            tap.ok(burst <= passed - before <= burst + took * rate + 1,
                   which + ": one burst",
                   "%d passed in %.3f s" % (passed - before, took))
        total = time.monotonic() - start
        tap.ok(passed <= burst + total * rate + 1, "never above the rate")


@tap.each((1, 1, 1), (1, 7, 7), (1, None, 5), (49, None, 5), (60, None, 6),
          (1000, 300, 300))
def first_burst(rate, burst, wanted):
    """Exactly what it says, or what the default says."""
    words = "limit %d/s%s" % (rate, "" if burst is None else
                              " burst %d" % burst)
    with managed(253, lab.right, "deliver none", words + " deliver none"), \
            Sender(4) as sender:
        got = rules()[0]["limit"]
        tap.is_(got, {"rate": rate, "burst": wanted}, words + ": shown")
        took = sender.burst(2 * wanted + 10)
        passed, limited = counts()[0]
        tap.ok(wanted <= passed <= wanted + took * rate + 1,
               words + ": passed", "%d in %.3f s" % (passed, took))
        tap.is_(passed + limited, 2 * wanted + 10, words + ": the others")


@tap.each((MAX, MAX), (MAX, None), (MAX, 1), (1, MAX), (1000000000, 1000))
def no_limit_in_practice(rate, burst):
    """The ends of the ranges: nothing overflows."""
    words = "limit %d/s%s" % (rate, "" if burst is None else
                              " burst %d" % burst)
    with managed(253, lab.right, "deliver none", words + " deliver none"), \
            Sender(4) as sender:
        sender.burst(500)
        silence(0.1)
        sender.burst(500)
        tap.is_(counts(), [(1000, 0)], words)


# --- what else ---------------------------------------------------------------

@tap.each(4, 6)
def next_rule(family):
    """Behind a rule over its limit the search goes on, also at the same pref."""
    with managed(253, lab.right, "deliver none",
                 "pref 1 ttl 0-255 limit 1/s burst 3 deliver raw",
                 "pref 2 len 1-65535 limit 1/s burst 4 deliver none",
                 "pref 2 type 0-255 limit 1/s burst 5 deliver reject",
                 "pref 3 ttl 1-255 deliver raw"), \
            sock.Reader(253, family, lab.right) as reader, \
            Sender(family) as sender, Count(253, family, lab.right) as count:
        took = sender.burst(100)
        copies = len(reader.drain())
        (a, a_more), (b, b_more), (c, c_more), (d, _) = counts()
    slack = int(took) + 1
    for name, got, burst in (("first", a, 3), ("second", b, 4),
                             ("third", c, 5)):
        tap.ok(burst <= got <= burst + slack, name + ": its burst", got)
    tap.is_((a + a_more, b + b_more, c + c_more, d),
            (100, a_more, b_more, c_more), "each has what the others left")
    tap.is_((copies, count.delta["raw"], count.delta["none"],
             count.delta["reject"]), (a + d, a + d, b, c), "the verdicts")
    tap.is_(count.delta["limited"], a_more + b_more + c_more,
            "limited, by protocol")


@tap.case
def no_rule_behind():
    """Over the last limit the protocol's verdict counts."""
    with managed(253, lab.right, "deliver raw",
                 "limit 1/s burst 2 deliver none"), \
            sock.Reader(253, 4, lab.right) as reader, Sender(4) as sender:
        sender.burst(20)
        passed, limited = counts()[0]
        tap.is_((passed + limited, len(reader.drain())), (20, limited),
                "the rest as the protocol says")


@tap.case
def apply_keeps_the_bucket():
    """And its counters, if the rule stays; another limit is another bucket."""
    text = "proto add 253 deliver none\nrule add proto 253 pref 5 " \
           "limit %d/s burst %d%s deliver none\n"

    def apply(rate, burst, more=""):
        tool.do_alone("apply -", lab.right, stdin=text % (rate, burst, more))

    with managed(253, lab.right, "deliver none"), Sender(4) as sender:
        apply(1, 20)
        start = time.monotonic()
        sender.burst(50)
        first = counts()[0]
        tap.ok(first[0] >= 20, "one burst", first)
        apply(1, 20)
        sender.burst(50)
        again = counts()[0]
        tap.ok(again[0] <= 20 + time.monotonic() - start + 1 and
               sum(again) == 100, "the same again: no new burst", again)
        for words in ((1, 21), (2, 21), (2, 21, " trace"),
                      (2, 21, " trace comment x")):
            apply(*words)
            tap.is_(counts(), [(0, 0)], "%s: a new rule" % (words,))
            sender.burst(30)
            tap.ok(counts()[0][0] >= 21, "%s: a new burst" % (words,))
        saved = tool.do("save", lab.right)
        tap.has(saved, "limit 2/s burst 21", "saved")
        before = counts()
        tool.do_alone("apply -", lab.right, stdin=saved)
        tap.is_(counts(), before, "what save prints keeps it, too")


@tap.case
def replaced_while_packets_come():
    """The bucket belongs to the rule: nothing uses one that is gone."""
    with managed(253, lab.right, "deliver none"):
        pid = os.fork()
        if not pid:
            try:
                netns.pin(CPUS[-1])
                with Sender(4) as sender:
                    while os.getppid() != 1:
                        sender._sock.send(sender.data)
            finally:
                os._exit(0)
        try:
            for number in range(200):
                tool.do("rule replace proto 253 pref 1 limit %d/s deliver none"
                        % (number % 7 * 1000 + 1), lab.right)
        finally:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        marker.flush()
        tap.is_(len(rules()), 1, "replaced 200 times")


@tap.case
def bad_input():
    """A reason, and nothing changed."""
    with Client(lab.right) as client:
        client.send(K.CMD_PROTO_ADD, proto(253))
        try:
            state = client.state()
            for name, attributes, error in (
                    ("a rate of 0", [u32(K.RULE_A_LIMIT_RATE, 0)], "ERANGE"),
                    ("a burst of 0", [u32(K.RULE_A_LIMIT_RATE, 1),
                                      u32(K.RULE_A_LIMIT_BURST, 0)], "ERANGE"),
                    ("a burst alone", [u32(K.RULE_A_LIMIT_BURST, 1)],
                     "EINVAL")):
                got = client.refusal(K.CMD_RULE_ADD,
                                     rule(253, "none", extra=attributes))
                tap.is_(got and got.name, error, name)
            tap.has(got.text, "rate", "says what is missing")
            tap.is_(client.state(), state, "nothing changed")
        finally:
            client.send(K.CMD_PROTO_DEL, proto(253))


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
