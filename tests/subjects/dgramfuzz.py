#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# cpus: 2
"""
Datagram sockets under random calls, and under many openings, binds and closings
from two CPUs while packets come: nothing breaks, nothing is left, and what is
bound in the meantime still receives.
"""
import ctypes
import errno
import os
import random
import signal
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, tap, tool
from krawtest.dgram import Dgram
from krawtest.manage import managed
from krawtest.netns import Lab
from krawtest.sock import FAMILY

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
libc = ctypes.CDLL(None, use_errno=True)
CALLS = 100000 if clock.SLOW == 1 else 20000
# On each of two CPUs: on the debug kernel they count.
TURNS = 5000 if clock.SLOW > 1 else 1000
CLOSED = 5000 if clock.SLOW == 1 else 1000
CLAIMS = {253: "plain", 254: "ports"}
LEVELS = [0, 1, 41, 253, 254, 17, 255]
MINE = {4: "10.9.0.2", 6: "fd09::2"}


ADDRESSES = {family: [socket.inet_pton(FAMILY[family], text) for text in texts]
             for family, texts in (
                 (4, (MINE[4], "0.0.0.0", "127.0.0.1", "224.0.0.9",
                      "10.9.0.255")),
                 (6, (MINE[6], "::", "::1", "ff02::9", "::ffff:10.9.0.2")))}


class Dice(random.Random):
    """What is random about a call. choice() and randrange() cost as much as it."""
    def below(self, end):
        """A number."""
        return int(self.random() * end)

    def pick(self, *some):
        """One of these."""
        return some[int(self.random() * len(some))]


def sockaddr(dice):
    """Something that looks like an address, more or less."""
    family = dice.pick(4, 6, 4, 6, 0)
    if not family:
        return dice.randbytes(dice.below(40))
    address = dice.pick(*ADDRESSES[family])
    port = dice.pick(0, 0, 7000, 7001, dice.below(65536))
    data = struct.pack("=H", FAMILY[family]) + struct.pack("!H", port) + \
        (address + bytes(8) if family == 4 else bytes(4) + address + bytes(4))
    return data if dice.below(9) else data[:dice.below(len(data))]


def random_call(dice, fds):
    """One call; 0 or an errno."""
    fd = dice.pick(*fds)
    kind = dice.below(8)
    data = dice.randbytes(dice.pick(0, 1, 4, 4, 4, 8, 16, 40, 200))
    if kind < 3:
        level, option = dice.pick(*LEVELS), dice.below(90)
        if dice.random() < 0.05:
            option = 0x6b01
        if kind == 2:
            size = ctypes.c_int(dice.pick(0, 1, 4, 64, -1))
            buffer = ctypes.create_string_buffer(256)
            return libc.getsockopt(fd, level, option, buffer,
                                   ctypes.byref(size))
        if dice.random() < 0.5:
            data = struct.pack("=i", dice.pick(0, 1, 2, 255, -1))
        return libc.setsockopt(fd, level, option, data, len(data))
    if kind == 5:
        return libc.recv(fd, ctypes.create_string_buffer(512), 512,
                         dice.pick(0, 2, 0x20, 0x2000) | 0x40)
    if kind == 6:
        return libc.shutdown(fd, dice.below(3)) \
            if dice.random() < 0.02 else 0
    address = sockaddr(dice)
    if kind == 3:
        return libc.bind(fd, address, len(address))
    if kind == 4:
        return libc.connect(fd, address, len(address))
    return libc.sendto(fd, data, len(data),
                       dice.pick(0, 0, 0, 4, 0x800, 0x8000) | 0x40,
                       address if dice.random() < 0.8 else None, len(address))


@tap.case
def random_calls():
    seed = random.randrange(1 << 32)
    tap.diag("seed %d" % seed)
    dice = Dice(seed)
    with managed(253, lab.right, "claim plain"), \
            managed(254, lab.right, "claim ports"):
        done = good = 0
        while done < CALLS:
            with lab.right:
                ones = [socket.socket(FAMILY[family], socket.SOCK_DGRAM, proto)
                        for family in (4, 6) for proto in CLAIMS]
            for one in ones:
                one.setblocking(False)
            fds = [one.fileno() for one in ones]
            for _ in range(500):
                good += random_call(dice, fds) >= 0
            done += 500
            for one in ones:
                one.close()
        tap.ok(good > CALLS // 20, "%d calls: nothing breaks" % done, good)
        for family in (4, 6):
            for proto in CLAIMS:
                with Dgram(family, lab.right, proto=proto, bind=MINE[family],
                           port=7000 * (proto == 254)) as one:
                    one.send(b"x", MINE[family], 7000 * (proto == 254))
                    tap.is_(one.wait()[0], b"x",
                            "IPv%d, %d: as before" % (family, proto))


def churn(cpu, turns, seed):
    """In a process: open, bind or connect, send, close; the number of binds."""
    os.sched_setaffinity(0, {cpu})
    rng = random.Random(seed)
    bound, kept = 0, []
    for _ in range(turns):
        family, proto = rng.choice([4, 6]), rng.choice([253, 254])
        one = socket.socket(FAMILY[family], socket.SOCK_DGRAM, proto)
        one.setblocking(False)
        port = 0 if proto == 253 else rng.choice([0, 7000, 7001, 7002])
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            if rng.random() < 0.3:
                one.setsockopt(socket.SOL_SOCKET, option, 1)
        try:
            one.bind((MINE[family], port))
            bound += 1
            one.sendto(b"x", (MINE[family], port or 7001 * (proto == 254)))
            one.connect((MINE[family], 7001 * (proto == 254)))
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES,
                                   errno.ECONNREFUSED, errno.EAGAIN,
                                   errno.ENOBUFS):
                raise
        kept.append(one)
        if len(kept) > 8:
            kept.pop(rng.randrange(8)).close()
    return bound


@tap.case
def from_two_cpus():
    cpus = sorted(os.sched_getaffinity(0) | {0, 1})[:2]
    with managed(253, lab.left, "claim plain"), \
            managed(253, lab.right, "claim plain"), \
            managed(254, lab.right, "claim ports"), \
            Dgram(4, lab.right, bind="127.0.0.1") as steady, lab.right:
        children = []
        for cpu in cpus:
            pid = os.fork()
            if not pid:
                try:
                    os._exit(0 if churn(cpu, TURNS, cpu) > TURNS // 20 else 1)
                finally:
                    os._exit(2)
            children.append(pid)
        sent = got = 0
        running = list(children)
        status = []
        while running:
            # half of the time: the two need theirs
            start = time.monotonic()
            steady.send(b"%d" % sent, "127.0.0.1")
            sent += 1
            got += len(steady.drain())
            for pid in list(running):
                ended, code = os.waitpid(pid, os.WNOHANG)
                if ended:
                    running.remove(pid)
                    status.append(os.waitstatus_to_exitcode(code))
            time.sleep(time.monotonic() - start)
        tap.is_(status, [0, 0], "%d sockets opened on each CPU" % TURNS)
        # ksoftirqd may still have the last one
        while got < sent:
            try:
                steady.wait()
            except TimeoutError:
                break
            got += 1
        tap.is_(got, sent, "one that is bound meanwhile misses nothing")


def sender(cpu, ready):
    """In a process: packets to a port without an end."""
    os.sched_setaffinity(0, {cpu})
    ones = [socket.socket(FAMILY[family], socket.SOCK_DGRAM, 254)
            for family in (4, 6)]
    for one, family in zip(ones, (4, 6)):
        one.connect((MINE[family], 7000))
        one.setblocking(False)
    os.write(ready, b"x")
    while True:
        for one in ones:
            try:
                one.send(b"x")
            except OSError as error:
                if error.errno not in (errno.ECONNREFUSED, errno.EAGAIN,
                                       errno.ENOBUFS, errno.EACCES):
                    raise


@tap.case
def closed_under_packets():
    """A packet may have found a socket that closes at the same instant."""
    cpus = sorted(os.sched_getaffinity(0) | {0, 1})[:2]
    ready, told = os.pipe()
    with managed(254, lab.right, "claim ports"), lab.right:
        pid = os.fork()
        if not pid:
            try:
                sender(cpus[1], told)
            finally:
                os._exit(1)
        os.read(ready, 1)
        os.sched_setaffinity(0, {cpus[0]})
        got = turn = 0
        while turn < CLOSED:
            turn += 1
            family = (4, 6)[turn % 2]
            with socket.socket(FAMILY[family], socket.SOCK_DGRAM, 254) as one:
                one.bind((MINE[family], 7000))
                one.setblocking(False)
                try:
                    # one that is given a packet is closed with others coming
                    got += len(one.recv(16)) if turn % 4 < 2 else 0
                except BlockingIOError:
                    pass
        os.sched_setaffinity(0, set(cpus))
        tap.is_(os.waitpid(pid, os.WNOHANG), (0, 0), "the sender goes on")
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        rows = tool.stats(254, lab.right)
        tap.ok(all(rows[family]["dgram"] for family in MINE),
               "%d sockets closed under packets: %d and %d came, %d were read" %
               (turn, rows[4]["dgram"], rows[6]["dgram"], got))


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
