#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# cpus: 2
# boot: slub_debug=U
"""
Everything at once: packets come while processes on two CPUs change the
configuration, take it away again, open and bind sockets, listen to traces and
stop reading, and make devices, VRFs and namespaces; in each round one of them is
killed, wherever it is, and another takes its place.  After twenty, or at the end,
all of them end: then nothing of what they made is left, by the kernel's own
account of its memory, and the module is unloaded and loaded.

    make vm RUN=tests/subjects/storm.py ARGS="ROUNDS SEED"
"""
import contextlib
import ctypes
import errno
import mmap
import os
import random
import signal
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, insmod, objects, tap, tool
from krawtest.client import Client, K, Refused, genl, proto, rule, u32
from krawtest.dgram import Dgram
from krawtest.flood import READ, SENT, Flood
from krawtest.netns import Lab
from krawtest.route import (CREATE_EXCL, DELLINK, LINKINFO, MASTER, NEWLINK,
                            Route, link, up)
from krawtest.sock import FAMILY
from krawtest.tracer import Tracer

words = [int(word) for word in sys.argv[1:]]
ROUNDS = words[0] if words else 10
SEED = words[1] if len(words) > 1 else random.randrange(1 << 32)
CENSUS = 20		# rounds from one to the next
NUMBERS = (253, 254)
MINE = {4: "10.9.0.2", 6: "fd09::2"}
BOTH = ["0.0.0.0/0", "::/0"]
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

lab = tap.cleanup(Lab())
# see churn.py: QEMU and a hook that comes and goes
lab.other.run("nft", "add table inet keep; add chain inet keep input "
              "{ type filter hook input priority 0; }", check=True)
# a socket of a protocol that nobody claims looks for a module
with open("/proc/sys/kernel/modprobe", "w") as file:
    file.write("\n")
module = tap.cleanup(tool.Module())
VRF = not tool.modprobe("vrf").status
for one in ("dummy", "veth"):
    tool.modprobe(one)
insmod.unload()


# --- what is counted ---------------------------------------------------------

KINDS = ("protocols", "rules", "rulesets", "raw sockets", "datagram sockets",
         "binds", "listeners", "traces", "devices", "VRFs", "namespaces",
         "processes", "loads")
_memory = mmap.mmap(-1, 4096)
made = memoryview(_memory).cast("Q")
TURNS = 256		# + index of a worker: its turns


def count(kind, number=1):
    """What was made; lost if two do it at the same instant."""
    made[KINDS.index(kind)] += number


# What the kernel answers to those who come too late or are in each other's way.
MEANWHILE = {"EEXIST", "ENOENT", "EBUSY", "ENODEV", "ESRCH", "ENOSPC"}
SOCKET = {errno.EADDRINUSE, errno.EACCES, errno.ECONNREFUSED, errno.EAGAIN,
          errno.ENOBUFS, errno.ENETDOWN, errno.EPROTONOSUPPORT, errno.EINVAL,
          errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.EDESTADDRREQ,
          errno.ENODEV, errno.ENOPROTOOPT, errno.EHOSTUNREACH,
          errno.ESOCKTNOSUPPORT, errno.ENOTCONN, errno.EPROTO}


@contextlib.contextmanager
def meanwhile():
    """Requests that another's may have overtaken."""
    try:
        yield
    except Refused as refused:
        if refused.name not in MEANWHILE:
            raise


# --- who does it -------------------------------------------------------------

def some_rules(rng, number, most=20):
    rules = []
    for _ in range(rng.randrange(most)):
        verdict = rng.choice(["raw", "kernel", "none", "reject", "all", "one"])
        more = rng.choice([
            {}, {"dev": rng.choice(["r0", "lo", "d0", "v1"])},
            {"ttl_max": rng.randrange(256)}, {"trace": True},
            {"limit_rate": rng.randrange(1, 1000)}, {"comment": "storm"},
            {"bpf": [(6, 0, 0, rng.randrange(2))]}, {"src": rng.choice(BOTH)}])
        rules.append(rule(number, verdict, **more))
    return rules


def some_proto(rng, number):
    claim = rng.choice(["plain", "ports", None])
    return proto(number, claim=claim, deliver=rng.choice(
        ["all", "raw", "reject"] + (["kernel", "one"] if claim else [])))


def configure(rng):
    """Adds, sets, applies."""
    with Client(lab.right) as client:
        while True:
            number = rng.choice(NUMBERS)
            kind = rng.randrange(4)
            with meanwhile():
                if kind == 0:
                    client.send(K.CMD_PROTO_ADD, some_proto(rng, number))
                    count("protocols")
                elif kind == 1:
                    client.send(K.CMD_PROTO_SET, some_proto(rng, number),
                                u32(K.A_FLAGS, K.FLAG_FORCE))
                elif kind == 2:
                    for one in some_rules(rng, number, 4):
                        client.send(K.CMD_RULE_ADD, one)
                        count("rules")
                else:
                    rules = some_rules(rng, number)
                    client.send(K.CMD_APPLY, u32(K.A_FLAGS, K.FLAG_FORCE),
                                some_proto(rng, number), *rules)
                    count("rulesets")
                    count("rules", len(rules))
            yield


def take_away(rng):
    """Deletes, flushes, and reads in between."""
    with Client(lab.right) as client:
        while True:
            with meanwhile():
                kind = rng.randrange(4)
                if kind == 0:
                    client.send(K.CMD_PROTO_DEL, proto(rng.choice(NUMBERS)),
                                u32(K.A_FLAGS, K.FLAG_FORCE))
                elif kind == 1:
                    client.send(K.CMD_RULE_FLUSH,
                                rule(rng.choice(NUMBERS)))
                elif kind == 2:
                    client.rules()
                else:
                    client.send(K.CMD_SOCKET_GET, flags=genl.DUMP)
            yield


def use_sockets(rng):
    """Opens, binds, connects, sends, reads, closes."""
    kept = []
    while True:
        family, number = rng.choice([4, 6]), rng.choice(NUMBERS)
        with contextlib.suppress(OSError), lab.right:
            if rng.randrange(4) == 0:
                kept.append(socket.socket(FAMILY[family], socket.SOCK_RAW,
                                          number))
                count("raw sockets")
            else:
                kept.append(socket.socket(FAMILY[family], socket.SOCK_DGRAM,
                                          number))
                count("datagram sockets")
            kept[-1].setblocking(False)
        for one in rng.sample(kept, min(len(kept), 3)):
            try:
                use(rng, one)
            except OSError as error:
                if error.errno not in SOCKET:
                    raise
        while len(kept) > 12:
            kept.pop(rng.randrange(len(kept))).close()
        yield


def use(rng, one):
    family = 4 if one.family == socket.AF_INET else 6
    port = rng.choice([0, 0, 7000, 7001]) \
        if one.type == socket.SOCK_DGRAM else 0
    kind = rng.randrange(7)
    if kind == 0:
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            one.setsockopt(socket.SOL_SOCKET, option, rng.randrange(2))
        one.bind((MINE[family], port))
        count("binds")
    elif kind == 1:
        one.connect((MINE[family], port))
    elif kind in (2, 3):
        one.sendto(b"storm", (MINE[family], port))
    elif kind == 4:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE,
                       rng.choice([b"r0", b"d0", b"v1", b""]) + b"\0")
    else:
        one.recv(2048)


def listen(rng):
    """Listens to what changes and what comes, reads a bit, and then not."""
    kept = []
    while True:
        # one that has joined may overflow before it is asked anything
        with contextlib.suppress(OSError), meanwhile():
            if rng.randrange(2):
                client = Client(lab.right)
                kept.append(client)
                for group in client.family.groups.values():
                    client.nl.join(group)
                count("listeners")
            else:
                kept.append(Tracer(lab.right, proto=rng.choice(
                    (None,) + NUMBERS), rcvbuf=rng.choice([4096, 1 << 20]),
                    snaplen=rng.choice([None, 64])))
                count("traces")
        for one in rng.sample(kept, min(len(kept), 2)):
            one.nl.sock.setblocking(False)
            with contextlib.suppress(BlockingIOError, OSError):
                for _ in range(rng.randrange(8)):
                    one.nl.sock.recv(65536)
        while len(kept) > 4:
            kept.pop(rng.randrange(len(kept))).close()
        yield


def kind_of(name, data=b""):
    return genl.attr(LINKINFO, [genl.attr(1, name)] +
                     ([genl.attr(2, data)] if data else []))


def make_devices(rng):
    """A device, a VRF that it is put in and taken out of, and their end."""
    mac = b"\2\0\0\0\1\1"
    with lab.right, Route() as route:
        while True:
            try:
                route.send(NEWLINK, link(mac, b"d0", [kind_of(b"dummy")]),
                           CREATE_EXCL)
                count("devices")
                device = socket.if_nametoindex("d0")
                route.send(NEWLINK, up(device))
                if VRF and rng.randrange(2):
                    route.send(NEWLINK, link(mac, b"v1", [kind_of(
                        b"vrf", genl.attr(1, struct.pack("=I", 77)))]),
                        CREATE_EXCL)
                    count("VRFs")
                    vrf = socket.if_nametoindex("v1")
                    route.send(NEWLINK, up(vrf))
                    yield
                    route.send(NEWLINK, struct.pack("=BxHiII", 0, 0, device, 0,
                                                    0) +
                               genl.attr(MASTER, struct.pack("=I", vrf)))
                yield
            except OSError as error:
                # left behind by one that was killed
                if error.errno not in (errno.EEXIST, errno.ENODEV):
                    raise
            for name in rng.sample(["d0", "v1"], 2):
                with contextlib.suppress(OSError):
                    index = socket.if_nametoindex(name)
                    route.send(DELLINK, struct.pack("=BxHiII", 0, 0, index, 0,
                                                    0))
            yield


def make_namespaces(rng):
    """One that is configured, with sockets in use, and gone."""
    while True:
        if _libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        count("namespaces")
        with Client() as client:
            # the slots may be another namespace's
            with meanwhile():
                client.send(K.CMD_APPLY, some_proto(rng, 253),
                            *some_rules(rng, 253))
                count("rulesets")
                with contextlib.suppress(OSError), \
                        socket.socket(socket.AF_INET, socket.SOCK_DGRAM,
                                      253) as one:
                    count("datagram sockets")
                    one.bind(("", 0))
                    count("binds")
        yield


WORKERS = (configure, take_away, use_sockets, use_sockets, listen,
           make_devices, make_namespaces)


class Worker:
    """One of them, as a process."""
    def __init__(self, index, seed):
        self.index, self.seed = index, seed
        count("processes")
        self.pid = os.fork()
        if not self.pid:
            try:
                self._child()
            except BaseException as error:
                os.write(2, ("# %s, seed %d: %r\n" % (
                    WORKERS[index].__name__, seed, error)).encode())
            finally:
                os._exit(1)

    def _child(self):
        os.sched_setaffinity(0, {self.index % os.cpu_count()})
        os.nice(2)
        for _ in WORKERS[self.index](random.Random(self.seed)):
            made[TURNS + self.index] += 1

    def is_there(self):
        """It ends only when it is killed."""
        return os.waitpid(self.pid, os.WNOHANG) == (0, 0)

    def kill(self):
        """True, if that was its end."""
        os.kill(self.pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]) == \
            -signal.SIGKILL


# --- the rounds --------------------------------------------------------------

def census():
    """What is there of the kinds that the kernel lists, beside its memory."""
    with Client(lab.right) as client, lab.right:
        found = {"protocols": len(client.protos()),
                 "rules": len(client.rules()),
                 "datagram sockets": len(client.send(K.CMD_DGRAM_GET,
                                                     flags=genl.DUMP)),
                 "devices": len([name for _, name in socket.if_nameindex()
                                 if name in ("d0", "v1")])}
    found["their memory"] = objects.of_cache("KRAW") + \
        objects.of_cache("KRAWv6")
    # the lab's three, and the kernel frees one that has ended when it ends
    # the next one, or the one after that
    found["namespaces"] = max(0, objects.of_cache("net_namespace") - 5)
    return found


def take_everything_away():
    """As an administrator would: kraw flush, and the devices."""
    with Client(lab.right) as client:
        client.send(K.CMD_APPLY, u32(K.A_FLAGS, K.FLAG_FORCE))
    with lab.right, Route() as route:
        for name in ("d0", "v1"):
            with contextlib.suppress(OSError):
                route.send(DELLINK, struct.pack(
                    "=BxHiII", 0, 0, socket.if_nametoindex(name), 0, 0))


def end_a_namespace():
    """So that the kernel frees those that have ended before."""
    pid = os.fork()
    if not pid:
        os._exit(1 if _libc.unshare(CLONE_NEWNET) else 0)
    os.waitpid(pid, 0)


def settled(here):
    """Whether everything is as it was: it takes the kernel some time."""
    end_a_namespace()
    return clock.wait_until(lambda: census() == here, 1, 0.05)


def warm_up():
    """What the module makes once and keeps: first claims, its first table."""
    with Client(lab.right) as client:
        client.apply(*(proto(number, claim="ports") for number in NUMBERS),
                     rule(253, "raw"))
        client.apply()


class Storm:
    """All workers, and what has happened to them."""
    def __init__(self):
        self.rng = random.Random(SEED)
        self.workers = []
        self.ended = 0		# by themselves
        self.round = 0

    def start(self):
        self.workers = [Worker(index, self.rng.randrange(1 << 32))
                        for index in range(len(WORKERS))]

    @staticmethod
    def turns():
        """Of all of them together."""
        return sum(made[TURNS + index] for index in range(len(WORKERS)))

    def turn(self):
        """
        One round: somebody who has been at work, or at one thing while the
        others got on, is killed.
        """
        index = self.rng.randrange(len(WORKERS))
        before, all_before = made[TURNS + index], self.turns()
        more = self.rng.randrange(4)
        if not clock.wait_until(lambda: made[TURNS + index] > before + more or
                                self.turns() > all_before + 100,
                                60, pause=0.002):
            raise TimeoutError("nobody gets on")
        self.ended += not self.workers[index].kill()
        self.workers[index] = Worker(index, self.rng.randrange(1 << 32))
        self.round += 1

    def stop(self):
        for one in self.workers:
            self.ended += not one.kill()
        self.workers = []


storm = Storm()


@tap.case
def what_linux_keeps():
    """A datagram to an address that nobody has asked for before."""
    if not objects.there_are():
        raise tap.Skip("this kernel does not note who allocates")
    insmod.load()
    warm_up()
    first = objects.made_by("kraw")
    with Client(lab.right) as client:
        client.apply(proto(253, claim="ports"))
        lab.right.ip("address add fd77::1/128 dev lo")
        with Dgram(6, lab.right, connect="fd77::1", to_port=5) as sock:
            sock.send(b"storm")
            tap.ok(objects.made_by("kraw") - first, "a socket's memory is seen")
        client.apply()
    lab.right.ip("address del fd77::1/128 dev lo")
    if clock.SLOW > 1:
        tap.skip("its neighbour and its route are the kernel's",
                 "KASAN keeps what is free")
    else:
        tap.is_(sorted(objects.left_of("kraw", first, 10).items()), [],
                "its neighbour and its route are the kernel's")
    insmod.unload()


def child(func):
    """A process that does this until it is killed."""
    pid = os.fork()
    if not pid:
        try:
            func()
        finally:
            os._exit(1)
    return pid


def open_sockets():
    """On one CPU, where others wait in the middle of the same."""
    os.sched_setaffinity(0, {os.cpu_count() - 1})
    with lab.right:
        while True:
            _libc.close(_libc.socket(socket.AF_INET6, socket.SOCK_DGRAM, 253))


@tap.case
def opened_while_its_claim_goes():
    """
    Who opens a socket may have to wait in the middle of it until its claim is
    gone: the kernel still looks at what it has found, which inet6_create() in
    net/ipv6/af_inet6.c does after its RCU read side. KASAN would tell.
    """
    insmod.load()
    others = [child(open_sockets) for _ in range(12)]
    try:
        with Client(lab.right) as client:
            for _ in range(30 if clock.SLOW > 1 else 3):
                client.apply(proto(253, claim="plain"))
                client.send(K.CMD_APPLY, u32(K.A_FLAGS, K.FLAG_FORCE))
    finally:
        for pid in others:
            os.kill(pid, signal.SIGKILL)
    tap.is_([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
             for pid in others], [-signal.SIGKILL] * len(others),
            "all were there to be killed")
    insmod.unload()


@tap.case
def everything_at_once():
    tap.diag("seed %d" % SEED)
    flood = tap.cleanup(Flood(lab, 253))
    total, left, memory, busy = {}, {}, [], 0
    while storm.round < ROUNDS and not left and not memory:
        insmod.load()
        count("loads")
        warm_up()
        first, here = objects.made_by("kraw"), census()
        storm.start()
        try:
            for _ in range(min(CENSUS, ROUNDS - storm.round)):
                storm.turn()
                if storm.round % 2 == 0:
                    busy = max(busy, sum(census().values()) -
                               sum(here.values()))
        finally:
            storm.stop()
        take_everything_away()
        # memory goes after a grace period
        clock.wait_until(lambda: settled(here), 30, 0.2)
        memory = sorted(objects.left_of("kraw", first, 30).items())
        total = census()
        left = {kind: total[kind] - here[kind] for kind in total
                if total[kind] != here[kind]}
        if not insmod.unload():
            raise TimeoutError("rmmod: kraw stays in use")
    tap.is_(storm.round, ROUNDS, "rounds")
    tap.is_(storm.ended, 0, "nobody ended but by being killed")
    tap.is_(left, {}, "nothing is left of what was made")
    tap.is_(memory, [], "nothing is left of the module's memory")
    # without an account of memory there are only rules and the like to count
    tap.ok(busy > (5 if objects.there_are() else 0),
           "while it went on there was more", busy)
    for index, kind in enumerate(KINDS):
        tap.diag("%-17s %7d made" % (kind, made[index]))
    tap.diag("%d packets sent meanwhile, %d received" %
             (flood[SENT], flood[READ]))
    tap.is_([kind for index, kind in enumerate(KINDS)
             if not made[index] and (VRF or kind != "VRFs")], [],
            "some of each kind were made")
    tap.ok(flood[SENT] > ROUNDS, "with packets all the time")


@tap.case
def nothing_is_left():
    tap.ok(not tool.loaded(), "rmmod kraw")
    with open("/proc/net/protocols") as file:
        tap.ok("KRAW" not in file.read(), "its sockets' protocols are gone")


tap.run()
