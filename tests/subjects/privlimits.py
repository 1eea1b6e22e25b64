#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
What root of a user namespace can use up: all of it is charged to his memory cgroup,
a full one is a reason to refuse and not to kill, what cannot be charged has a limit
with a name, and others do not notice.  The numbers: Documentation/privileges.rst.
"""
import gc
import os
import resource
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, memory, tap, tool
from krawtest.client import Client, K, genl, proto, rule
from krawtest.netns import Lab
from krawtest.people import Other
from krawtest.who import Probe

PROTO = 253
PARAMETERS = "/sys/module/kraw/parameters/"
MANY = 600
OWNER = "root of a user namespace"
ROOM = 3 << 20

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
_kept = []		# in a person's process


def parameter(name, value):
    """Set one of the module's; what it was."""
    with open(PARAMETERS + name, "r+") as file:
        before = file.read().strip()
        file.seek(0)
        file.write("%s\n" % value)
    return before


# --- what he does ------------------------------------------------------------

def send(command, *nests):
    """None, or the name and text of the refusal."""
    with Client() as client:
        client.nl.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        refused = client.refusal(command, b"".join(nests))
    return refused and [refused.name, refused.text]


def _rules(count, **more):
    return [rule(PROTO, "none", pref=1, src="10.%d.%d.%d" %
                 (n >> 16, n >> 8 & 255, n & 255), **more)
            for n in range(count)]


def plain_rules(count):
    """Rules with nothing but a source and a limit."""
    return send(K.CMD_APPLY, proto(PROTO),
                *_rules(count, limit_rate=1000))


def full_rules(count):
    """Rules with all that is small."""
    mirror = genl.attr(K.RULE_A_MIRROR, b"lo\0")
    return send(K.CMD_APPLY, proto(PROTO), *_rules(
        count, limit_rate=1000, comment="c" * 100, extra=[mirror]))


def _program(length):
    """So many instructions that do nothing, the last one excepted."""
    return [(0x00, 0, 0, 1)] * (length - 1) + [(0x06, 0, 0, 0)]


def bpf_rules(count, length):
    """Rules with programs, all in one message."""
    return send(K.CMD_APPLY, proto(PROTO), *_rules(
        count, bpf=_program(length), expr="e" * 200))


def protocols(count):
    """So many protocols."""
    return send(K.CMD_APPLY, *(proto(n, K.FAMILY_IPV4)
                               for n in range(1, count + 1)))


def nothing():
    """As if nothing had been."""
    return send(K.CMD_APPLY)


def sockets(count):
    """Open and bound: how many there are, and why no more."""
    send(K.CMD_APPLY, proto(PROTO, claim="ports"))
    try:
        for _ in range(count):
            one = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM, PROTO)
            _kept.append(one)
            one.bind(("::", 0))
    except OSError as error:
        return [len(_kept), genl.errno_name(error.errno)]
    return [len(_kept), None]


def close():
    """All sockets."""
    while _kept:
        _kept.pop().close()


def prepare(kind):
    """
    The messages, made before he is in the cgroup: Python's own memory is none of
    what is tested, and a process that has no more of that is killed.
    """
    gc.disable()
    _kept.append(Client())
    _kept[0].nl.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    if kind == "rules":
        every = _rules(8500, limit_rate=1000)
        _kept.extend((K.CMD_APPLY, proto(PROTO) + b"".join(every[:count]), 500)
                     for count in range(500, 8501, 500))
    else:
        long = b"".join(struct.pack("=HBBI", *step) for step in _program(4096))
        _kept.append((K.CMD_APPLY, proto(PROTO), 0))
        _kept.extend((K.CMD_RULE_ADD, rule(PROTO, "none", pref=n, bpf=long), 1)
                     for n in range(1, 60))
    # What a fork has left to be copied when it is written to is copied now: a
    # count of references is in every object.
    memory.own()
    return memory.shared()


def until_refused():
    """How many rules there are at the end, by our count and kraw's; why."""
    count, client = 0, _kept[0]
    for command, data, more in _kept[1:]:
        refused = client.refusal(command, data)
        if refused:
            break
        count += more
    return [count, refused and [refused.name, refused.text],
            client.protos()[0]["rules"]]


def trace(count):
    """So many sockets that trace: the refusal of the last one."""
    refused = None
    for _ in range(count):
        _kept.append(Client())
        refused = _kept[-1].refusal(K.CMD_TRACE)
    return refused and [refused.name, refused.text]


# --- charged -----------------------------------------------------------------

def needs_cgroups(exact=False):
    """Skip without; what a debug kernel has of its own is nobody's either."""
    if not memory.there_is():
        raise tap.Skip("this kernel has no memory cgroups")
    if exact and clock.SLOW > 1:
        raise tap.Skip("this kernel allocates for itself with each object")
    if exact and not os.path.exists("/proc/slabinfo"):
        raise tap.Skip("this kernel does not count objects")


def charged(other, what, func, *args, but=(), seen=True):
    """
    Nothing of the small things that it makes is taken out of the caches that
    nobody is charged for.
    """
    before = memory.slabs(r"kmalloc-(cg-)?\d")
    tap.is_(other.ask(func, *args), None, what)
    grown = memory.grown(before, memory.slabs(r"kmalloc-(cg-)?\d"))
    free = {name: count for name, count in grown.items() if "-cg-" not in name
            and name not in but and count >= MANY // 3}
    tap.is_(free, {}, what + ": nobody is charged for these")
    tap.ok(not seen or sum(count for name, count in grown.items() if "-cg-" in name and
               count > 0) >= args[0] * 2 // 3, what + ": he is for others",
           grown)


@tap.case
def rules_are_charged():
    needs_cgroups(exact=True)
    with memory.Cgroup("charged") as group, Other(OWNER, lab.right) as other:
        group.add(other.pid)
        other.ask(nothing)
        percpu = group.stat("percpu")
        charged(other, "rules", full_rules, MANY)
        cpus = os.cpu_count()
        # 16 bytes of a counter, 32 of a limit
        tap.ok(group.stat("percpu") - percpu >= MANY * 48 * cpus,
               "memory per CPU is", group.stat("percpu") - percpu)
        other.ask(nothing)
        # the kernel itself has a small object for each piece of vmalloc memory
        charged(other, "programs", bpf_rules, MANY // 4, 130,
                but=(memory.kmalloc(64),))
        other.ask(nothing)
        percpu = group.stat("percpu")
        charged(other, "protocols", protocols, 200, seen=False)
        tap.ok(group.stat("percpu") - percpu >= 200 * 500 * cpus,
               "memory per CPU of protocols is",
               group.stat("percpu") - percpu)
        other.ask(nothing)


@tap.case
def sockets_are_charged():
    needs_cgroups(exact=True)
    with memory.Cgroup("charged") as group, Other(OWNER, lab.right) as other:
        group.add(other.pid)
        before = parameter("userns_claims", 1)
        other.ask(sockets, 1)
        used, slabs = group.used(), memory.slabs(r"kmalloc-\d")
        tap.is_(other.ask(sockets, MANY), [MANY + 1, None], "sockets")
        free = {name: count for name, count in memory.grown(
            slabs, memory.slabs(r"kmalloc-\d")).items() if count >= MANY // 3}
        for size in (16, 32):	# AppArmor's, of any socket
            free.pop(memory.kmalloc(size), None)
        tap.is_(free, {}, "nobody is charged for these")
        tap.ok(group.used() - used >= MANY * 1500, "he is for them",
               group.used() - used)
        count, why = other.ask(sockets, 1 << 20)
        tap.is_(why, "EMFILE", "%d of them: RLIMIT_NOFILE is the end" % count)
        other.ask(close)
        parameter("userns_claims", before)


# --- refused -----------------------------------------------------------------

def others_go_on(what):
    """Another namespace receives, and can be configured."""
    with Client(lab.other) as client:
        client.apply(proto(PROTO, deliver="raw"),
                     rule(PROTO, "raw", pref=1, bpf=_program(4096)))
    for family in (4, 6):
        with Probe(lab.left, lab.other, PROTO, family, readers=1) as probe:
            tap.is_(probe.send(2).raw, [2],
                    "%s: others receive, IPv%d" % (what, family))
    with Client(lab.other) as client:
        client.apply()


@tap.each("rules", "programs")
def a_full_cgroup(kind):
    needs_cgroups()
    with memory.Cgroup("full") as group:
        with Other(OWNER, lab.right) as other:
            resource.prlimit(other.pid, resource.RLIMIT_MEMLOCK,
                             [resource.RLIM_INFINITY] * 2)
            tap.is_(other.ask(prepare, kind), 0, "his memory is his own")
            group.add(other.pid)
            other.ask(plain_rules, 100)	# its memory is touched
            other.ask(nothing)
            start = group.used()
            group.limit(start + ROOM)
            count, refused, there = other.ask(until_refused)
            tap.diag("%d rules in %d kB" % (count,
                                            (group.used() - start) >> 10))
            tap.is_(refused and refused[0], "ENOMEM", "is refused")
            tap.is_(there, count, "and has changed nothing")
            tap.is_(group.killed(), 0, "nobody is killed")
            others_go_on("while it is full")
            tap.is_(other.ask(nothing), None, "it can be emptied")
            tap.ok(clock.wait_until(
                lambda: group.used() < start + ROOM * 2 // 3),
                "and then is", group.used() - start)
            tap.is_(other.ask(plain_rules, 100), None, "and used again")
    tap.ok(not os.path.exists(group.path), "with the namespace it goes")


@tap.case
def limits_with_a_name():
    with Other(OWNER, lab.right) as other:
        before = parameter("rules_max", 5)
        tap.is_(other.ask(plain_rules, 5), None, "as many rules as may be")
        refused = other.ask(plain_rules, 6)
        tap.is_(refused and refused[0], "ENOSPC", "one more")
        tap.has(refused[1], "the module parameter rules_max allows 5", "why")
        parameter("rules_max", before)

        before = parameter("bpf_max", 20)
        tap.is_(before, "262144", "instructions: the default")
        tap.is_(other.ask(bpf_rules, 2, 10), None, "as many as may be")
        for count, length in ((3, 10), (2, 11), (1, 21)):
            refused = other.ask(bpf_rules, count, length)
            tap.is_(refused and refused[0], "ENOSPC",
                    "%d times %d" % (count, length))
            tap.has(refused[1], "the module parameter bpf_max allows 20", "why")
        tap.is_(other.ask(bpf_rules, 1, 20), None, "one program of that length")
        with Client(lab.other) as client:
            client.apply(proto(PROTO), rule(PROTO, "raw", bpf=_program(20)))
            tap.ok(True, "others have as many of their own")
            client.apply()
        parameter("bpf_max", 3)
        tap.is_(other.ask(bpf_rules, 1, 19), None,
                "lowered: what there is may become less")
        refused = other.ask(bpf_rules, 1, 20)
        tap.is_(refused and refused[0], "ENOSPC", "and not more")
        parameter("bpf_max", before)
        other.ask(nothing)


@tap.case
def tracers():
    with Other(OWNER, lab.right) as other:
        tap.is_(other.ask(trace, 8), None, "eight sockets")
        refused = other.ask(trace, 1)
        tap.is_(refused and refused[0], "ENOSPC", "one more")
        with Client(lab.other) as client:
            tap.is_(client.refusal(K.CMD_TRACE), None, "others may still")
        other.ask(close)


tap.run()
