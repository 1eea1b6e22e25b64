#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Sockets and packets by chance, the same ones in each state of one boot: without
the module; with the module loaded and idle; with everything managed, deliver all.
What each raw socket received, control data included, what came back to the
sender and what changed in /proc/net is the same, round by round.  With deliver
raw each raw socket still has the same, and with deliver one exactly one of those
that a model of Linux's own rules allows.  See tests/raw7/differential.c.
"""
import os
import subprocess
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, raw7, tap, tool

KERNEL = os.environ["KRAW_KERNEL"]
# Each kernel has rounds of its own.
SEED = int(os.environ.get("KRAW_SEED", 4711 if KERNEL == "stock" else
                          zlib.crc32(KERNEL.encode()) % 10000))
ROUNDS = 2000 if clock.SLOW == 1 else 200
COUNTED = 16		# rounds whose counters are read together
# what the rounds consist of
PROTOS = (1, 6, 17, 58, 89, 253, 254)

module = tap.cleanup(tool.Module(load=False))
BASE = {}


def play(mode, rounds=ROUNDS, first=0, seed=SEED):
    """The rounds, {number: line}, and how often the model was wrong."""
    done = subprocess.run([raw7.program("differential"), mode, str(seed),
                           str(rounds), str(first)], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    lines = {int(line.split()[1]): line for line in done.stdout.splitlines()
             if line.startswith("round ")}
    return lines, [line for line in done.stdout.splitlines()
                   if not line.startswith("round ")]


def by_model(said, title):
    tap.is_(said, ["# 0 differences from the model"], title + ": as the model")


def sockets(line):
    """
    What each socket had of ours; None where the kernel's answers, which are
    others with other verdicts, compete for the room in its queue.
    """
    parts = line.split(" |")[0].split()[3:]
    return [None if part.split(":")[2] == "0" * 16 else part.split(":")[2]
            for part in parts]


def without_counters(line):
    return line.split(" counters:")[0]


def compare(title, rounds=ROUNDS):
    """
    The rounds once more.  A counter that is not ours to cause, a membership
    report say, is not there when they are repeated.
    """
    now, said = play("plain", rounds)
    differ = [number for number in range(rounds)
              if now.get(number) != BASE[number]]
    for number in [number for number in differ if without_counters(
            now.get(number, "")) == without_counters(BASE[number])][:20]:
        again, _ = play("plain", COUNTED, number - COUNTED + 1)
        if again.get(number) == BASE[number]:
            differ.remove(number)
    tap.is_(len(now), rounds, title + ": all rounds")
    tap.is_(differ, [], title + ": each round is the same")
    for number in differ[:5]:
        tap.diag("was " + BASE[number])
        tap.diag("is  " + now.get(number, "not there"))
    by_model(said, title)


@tap.case
def without_the_module():
    tap.diag("KRAW_SEED=%d" % SEED)
    with raw7.Lab():
        now, said = play("plain")
        BASE.update(now)
        tap.is_(len(BASE), ROUNDS, "%d rounds" % ROUNDS)
        by_model(said, "plain")
        compare("a second time", ROUNDS // 10)
    readers = [part for line in BASE.values()
               for part in line.split(" |")[0].split()[3:]]
    counts = [int(part.split(":")[1]) for part in readers]
    tap.ok(len(readers) > ROUNDS, "%d sockets" % len(readers))
    tap.ok(sum(counts) > ROUNDS, "%d packets received" % sum(counts))
    tap.ok(counts.count(0) > ROUNDS / 4, "%d sockets that had none" %
           counts.count(0))


@tap.case
def loaded_and_idle():
    module.load()
    with raw7.Lab():
        compare("idle")


@tap.case
def all_managed():
    with raw7.Lab() as lab:
        for space in lab.spaces:
            raw7.manage(space, "all")
        compare("managed")
        for space in lab.spaces:
            packets, passed = raw7.seen(space)
            tap.ok(packets > ROUNDS / 2, "kraw saw packets in %s" % space.name,
                   packets)
            tap.is_(passed, packets, "none was decided about in " + space.name)


@tap.case
def deliver_raw():
    with raw7.Lab() as lab:
        raw7.manage(lab.right, "raw", PROTOS)
        now, said = play("raw")
        by_model(said, "raw")
        differ = [number for number in BASE
                  if sockets(now[number]) != sockets(BASE[number])]
        tap.is_(differ, [], "each socket has what it had without kraw")
        for number in differ[:5]:
            tap.diag("was " + BASE[number])
            tap.diag("is  " + now[number])
        answers = [number for number in BASE
                   if now[number].split(" |")[1] !=
                   BASE[number].split(" |")[1]]
        tap.ok(len(answers) > ROUNDS / 10, "handlers do not answer any more: "
               "%d rounds are different for the sender" % len(answers))


@tap.each("flow", "random")
def deliver_one(by):
    with raw7.Lab() as lab:
        raw7.manage(lab.right, "one by " + by, PROTOS)
        rounds = ROUNDS if by == "flow" else ROUNDS // 4
        now, said = play("one" if by == "flow" else "any", rounds)
        by_model(said, "one by " + by)
        less = sum(sockets(now[number]) != sockets(BASE[number])
                   for number in now)
        tap.ok(less > rounds / 10,
               "%d rounds are different for the sockets" % less)


@tap.case
def differences_are_seen():
    """deliver all where raw or one is expected, and the reverse, is noticed."""
    with raw7.Lab() as lab:
        raw7.manage(lab.right, "all", PROTOS)
        for mode in ("raw", "one"):
            _, said = play(mode, 100)
            tap.isnt(said, ["# 0 differences from the model"],
                     "deliver all is not " + mode)
        tool.do("flush", lab.right)
        raw7.manage(lab.right, "raw", PROTOS)
        now, said = play("plain", 100)
        tap.isnt(said, ["# 0 differences from the model"],
                 "deliver raw is not plain Linux: the model")
        tap.ok(any(now[number] != BASE[number] for number in now),
               "deliver raw is not plain Linux: the comparison")


tap.run()
