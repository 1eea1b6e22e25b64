#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# cpus: 2
"""
A hundred times each, under traffic of both families over veth and loopback:
insmod and rmmod, a namespace comes and goes, proto add and del with a claim,
apply.  Then a race of rmmod with requests and dumps.  In the end nothing is
left, memory has not grown, and packets go their way as in plain Linux.
"""
import ctypes
import mmap
import os
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, counters, insmod, system, tap, tool
from krawtest.client import Client, Dump, K, Refused, genl, proto, rule
from krawtest.flood import ADDR, READ, SENT, SLOT0, SLOTS, Flood
from krawtest.netns import Lab
from krawtest.route import (CREATE_EXCL, NEWADDR, NEWLINK, Route, addr, link,
                            up, veth)
from krawtest.who import Probe, UNREACH

PROTO = 253
# On the debug kernel they count; on the other one they show that nothing hangs.
ROUNDS = 100 if clock.SLOW > 1 else 25
LIMIT = 300 * clock.SLOW	# seconds for the rounds of one kind

_libc = ctypes.CDLL(None, use_errno=True)

lab = tap.cleanup(Lab())
# The kernel patches its code when the first hook of a kind comes and the last
# one goes.  QEMU's emulation of several CPUs loses such a patch now and then, a
# CPU runs into the old code for ever, and the watchdog barks; so there is always
# a hook, where no packet goes.
lab.other.run("nft", "add table inet keep; add chain inet keep input "
              "{ type filter hook input priority 0; }", check=True)
module = tap.cleanup(tool.Module())	# also loads what it needs
with Client() as one:
    HANDLERS = one.handlers()
insmod.unload()


flood = tap.cleanup(Flood(lab, PROTO))
EXPEDITED = "/sys/kernel/rcu_expedited"
system.write(EXPEDITED, "0")	# and in the end what it was


def expedite(on):
    """Have the kernel take its grace periods by interrupts to each CPU."""
    with open(EXPEDITED, "w") as file:
        file.write("%d" % on)


def rounds(func, count=ROUNDS):
    """
    Run func(i) for each round; points and a diagnostic about them.  A round is
    mostly grace periods, which the traffic fills: only in every fourth they are
    as long as they come.
    """
    start, sent, read = time.monotonic(), flood[SENT], flood[READ]
    done = 0
    while done < count and time.monotonic() - start < LIMIT:
        if done % 4 < 2:
            expedite(done % 4)
        func(done)
        done += 1
    expedite(0)
    tap.is_(done, count, "rounds in time")
    tap.diag("%d rounds in %.1f s, %d packets sent meanwhile, %d received" %
             (done, time.monotonic() - start, flood[SENT] - sent,
              flood[READ] - read))
    tap.ok(flood[SENT] - sent > count, "with traffic all the time")


def warmed_up(func, times):
    """
    The kernel's memory after so many rounds of func(i): what comes once has
    come. Where nobody can tell whether it grows, the rounds would be in vain.
    """
    for i in range(times if clock.SLOW == 1 else 0):
        func(i)
    return memory()


def memory():
    """Kilobytes that the kernel holds and cannot give back."""
    with open("/proc/meminfo") as file:
        lines = dict(line.split(":") for line in file)
    return sum(int(lines[name].split()[0])
               for name in ("SUnreclaim", "Percpu", "VmallocUsed"))


BOTH = ["0.0.0.0/0", "::/0"]
CONFIGS = [
    # claimed, everything to the raw sockets, many rules
    [proto(PROTO, claim="plain", deliver="raw"), proto(89)] +
    [rule(PROTO, "raw", pref=n, src=BOTH[n % 2], ttl_max=n, bpf=[(6, 0, 0, 1)])
     for n in range(1, 21)],
    # not claimed, one family, everything refused
    [proto(PROTO, families="ipv4", deliver="reject"),
     rule(PROTO, "none", pref=5, dev="lo")],
    # claimed, as before
    [proto(PROTO, claim="plain"), rule(PROTO, "kernel", pref=5, len_min=1)],
    [],
]


def churn_apply(client, i):
    client.apply(*CONFIGS[i % len(CONFIGS)])


# --- the rounds --------------------------------------------------------------

def load_and_unload(i):
    insmod.load()
    with Client(lab.right) as client:
        churn_apply(client, 4 * i + (0, 2)[i % 2])
        if i % 4 == 0:
            flood.turn()
    if not insmod.unload():
        raise TimeoutError("rmmod: kraw stays in use")


@tap.case
def insmod_and_rmmod():
    before = warmed_up(load_and_unload, 10)
    rounds(load_and_unload)
    # A load takes about 200 kB, a configuration of ours 20; a busy host alone
    # makes a difference of 130. What is smaller is kmemleak's.
    check_growth(before, ROUNDS * 10, load_and_unload)


def check_growth(before, limit, func):
    """
    Memory is what it was, but for `limit` kilobytes of noise.  A new page of
    per-CPU memory or of a slab is more than that, but it comes once: if memory
    has grown, as many rounds of func(i) again must not.
    """
    if clock.SLOW > 1:
        tap.skip("memory has not grown",
                 "KASAN keeps what is free; kmemleak tells at the end")
        return
    for again in (True, False):
        grown = clock.wait_until(lambda: memory() - before <= limit,
                                 seconds=3) or memory() - before
        tap.diag("it has grown by %d kB" % (memory() - before))
        if grown is True or not again:
            break
        before = memory()
        for i in range(ROUNDS):
            func(i)
    tap.ok(grown is True, "memory has not grown", "by %s kB, again" % grown)


@tap.case
def proto_add_and_del_with_a_claim():
    insmod.load()
    with Client(lab.right) as client:
        def once(i):
            client.send(K.CMD_PROTO_ADD, proto(
                PROTO, claim="plain",
                deliver=("raw", "all", "kernel", "reject")[i % 4]))
            client.send(K.CMD_RULE_ADD, rule(PROTO, "reject", ttl_max=i))
            if i % 4 == 0:
                flood.turn()
            client.send(K.CMD_PROTO_DEL, proto(PROTO))
        before = warmed_up(once, 10)
        rounds(once)
        check_growth(before, ROUNDS * 5, once)
        tap.is_(client.protos(), [], "nothing is managed")
        tap.is_(client.handlers(), HANDLERS, "the handler table is as before")


@tap.case
def apply():
    with Client(lab.right) as client:
        before = warmed_up(lambda i: churn_apply(client, i), 20)
        rounds(lambda i: churn_apply(client, i))
        check_growth(before, ROUNDS * 5, lambda i: churn_apply(client, i))
        client.apply(CONFIGS[0][0])
        flood.turn()
        seen = client.proto(PROTO)["stats"]
        tap.ok(seen[1]["seen"] and seen[2]["seen"],
               "the traffic passed by the module", seen)
        client.apply()
        tap.is_(client.handlers(), HANDLERS, "the handler table is as before")


# --- namespaces --------------------------------------------------------------

CLONE_NEWNET = 0x40000000


class Passing:
    """A namespace without a name, joined to `left` by a veth pair; managed."""
    def __init__(self, slot):
        device = "c%d" % slot
        with lab.left, Route() as route:
            near_fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
            os_unshare()
            far_fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
            route.send(NEWLINK, veth(
                (link(b"\2\0\0\0\0\1", device.encode()), near_fd),
                (link(b"\2\0\0\0\0\2", b"p0"), far_fd)), CREATE_EXCL)
            with Route() as inside:
                index = socket.if_nametoindex("p0")
                inside.send(NEWLINK, up(index))
                for family, bits in ((4, 24), (6, 64)):
                    inside.send(NEWADDR, addr(family, index, ADDR[family],
                                              bits), CREATE_EXCL)
            self.client = Client()
            enter(near_fd)
            index = socket.if_nametoindex(device)
            route.send(NEWLINK, up(index))
            flood[SLOT0 + slot] = index
            os.close(near_fd)
            os.close(far_fd)

    def close(self):
        """Let go of it: it ends when the kernel finds the time."""
        self.client.close()


def os_unshare():
    if _libc.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")


def enter(fd):
    if _libc.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def gone(slot):
    """Has the last namespace of this slot taken its device with it?"""
    with lab.left:
        return not os.path.exists("/proc/thread-self/net/dev_snmp6/c%d" % slot)


@tap.case
def namespaces_come_and_go():
    seen = [0, 0]

    def once(i):
        slot = i % SLOTS
        if not clock.wait_until(lambda: gone(slot)):
            raise TimeoutError("namespace %d does not end" % (i - SLOTS))
        space = Passing(slot)
        churn_apply(space.client, (0, 2)[i // SLOTS % 2])
        if i % 10 == 0:
            flood.turn()
            stats = space.client.proto(PROTO)["stats"]
            for family in (0, 1):
                seen[family] += stats[family + 1]["seen"]
        space.close()

    def settled():
        return all(gone(slot) for slot in range(SLOTS))

    for i in range(2 * SLOTS):
        once(i)
    clock.wait_until(settled)
    before = memory()
    rounds(once)
    tap.ok(clock.wait_until(settled), "all of them have ended")
    tap.ok(min(seen) > 0, "the traffic reached them", seen)
    with Client(lab.right) as client:
        tap.ok(clock.wait_until(lambda: client.handlers() == HANDLERS),
               "the handler table is as before", client.handlers())
    check_growth(before, ROUNDS * 20, once)


# --- rmmod against those who use it ------------------------------------------

@tap.case
def rmmod_with_a_dump_under_way():
    with Client(lab.right) as client:
        client.apply(proto(PROTO), *(rule(PROTO, "raw", pref=n)
                                     for n in range(1, 2001)))
        dump = Dump(client, K.CMD_RULE_GET)
        first = dump.step()
        tap.ok(0 < len(first) < 2000 and not dump.done, "it is under way")
        refused = not insmod.unload_once()
        tap.ok(refused, "rmmod has to wait")
        if refused:
            tap.is_(len(first) + len(dump.rest()), 2000, "the dump is whole")
        again = Dump(client, K.CMD_RULE_GET)
        again.step()
    # its reader went away
    tap.ok(insmod.unload(), "rmmod works when the dump is over")


def hammer(space, mode, counts, index):
    """
    In a child: requests or dumps for ever.  Every one of them is answered, or
    refused because there is no such family.
    """
    while True:
        try:
            with Client(space) as client:
                while True:
                    if mode == "dump":
                        client.send(K.CMD_RULE_GET, flags=genl.DUMP)
                        client.send(K.CMD_HANDLER_GET, flags=genl.DUMP)
                    else:
                        client.apply(*CONFIGS[counts[index] % 3])
                    counts[index] += 1
        except Refused as refused:
            # no such family; it goes just now, as the core says it of a dump
            if refused.name not in ("ENOENT", "EPROTONOSUPPORT"):
                counts[index + 8] = refused.errno
                return


@tap.case
def rmmod_against_requests_and_dumps():
    shared = mmap.mmap(-1, 4096)
    counts = memoryview(shared).cast("Q")
    children = []
    for index, (space, mode) in enumerate((
            (lab.right, "apply"), (lab.right, "dump"), (lab.other, "dump"))):
        pid = os.fork()
        if not pid:
            try:
                os.sched_setaffinity(0, range(os.cpu_count()))
                hammer(space, mode, counts, index)
            except BaseException as error:
                os.write(2, ("# %r\n" % error).encode())
            finally:
                os._exit(1)
        children.append(pid)
    failed = []

    def once(i):
        insmod.load()
        before = list(counts[:3])
        clock.wait_until(lambda: all(now > then for now, then in
                                     zip(counts[:3], before)), pause=0.001)
        # three who always ask may leave no gap for long
        if not insmod.unload(seconds=60):
            failed.append(i)
            raise TimeoutError("rmmod: kraw stays in use")

    try:
        rounds(once, 10 if clock.SLOW > 1 else 5)
        tap.is_(failed, [], "each rmmod worked")
        tap.is_([os.waitpid(pid, os.WNOHANG)[0] for pid in children],
                [0] * len(children), "each request was answered or unknown")
        tap.is_([os.strerror(e) for e in counts[8:11] if e], [], "errors")
        tap.diag("requests answered: %s" % list(counts[:3]))
        tap.ok(min(counts[:3]) > 0, "all of them were at work")
    finally:
        for pid in children:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass


# --- the end -----------------------------------------------------------------

@tap.case
def what_is_left():
    insmod.load()
    with Client(lab.right) as client:
        tap.is_(client.handlers(), HANDLERS, "the handler table is as before")
        tap.is_((client.protos(), client.rules()), ([], []),
                "nothing is managed")
    tap.ok(insmod.unload(), "rmmod")
    tap.ok(not tool.loaded(), "kraw is not loaded")


@tap.each(4, 6)
def as_in_plain_linux(family):
    flood.close()
    name = {4: "IpInUnknownProtos", 6: "Ip6InUnknownProtos"}[family]
    with Probe(lab.left, lab.right, PROTO, family) as probe, \
            counters.Watch(lab.right) as watch:
        got = probe.send(3)
    tap.is_(got.icmp, [UNREACH[family]] * 3, "unreachable")
    tap.is_(watch.delta.get(name), 3, name)
    with Probe(lab.left, lab.right, PROTO, family, readers=2) as probe:
        got = probe.send(3)
    tap.is_((got.raw, got.icmp), ([3, 3], []), "raw sockets get their packets")


tap.run()
