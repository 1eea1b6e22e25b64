#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
A message of a dump ends where the next object does not fit.  Wherever in an
object that is, nothing is left of its beginning, and it comes whole in the next
message: something of a length that grows by four bytes a time stands in front
of objects that have everything.
"""
import itertools
import os
import socket
import struct
import sys
from contextlib import ExitStack

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, sock, tap, tool
from krawtest.client import Client, Dump, K, genl, packet, proto, rule, u8, u32
from krawtest.dgram import Dgram
from krawtest.manage import managed
from krawtest.netns import Lab

PROTO = 253
# Bytes. Attributes are aligned to four; but for flags the shortest has eight, so a
# kernel that is slow looks at one half of the places, and the others at the other.
EACH = 8
FIRST = 0 if clock.SLOW == 1 else 4
USERS_MAX = 16		# entries
ACCEPT = struct.pack("=HBBI", 6, 0, 0, 1)

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
client = tap.cleanup(Client(lab.right))


class Fresh(Client):
    """One that has not read anything yet: its first message is the smallest."""
    def __init__(self):
        with lab.right:
            self.nl = genl.Socket()
        self.family = client.family


def dump(command, *attributes):
    """What a dump has, and how much of that is in its first message."""
    with Fresh() as reader:
        reading = Dump(reader, command, *attributes)
        first = reading.step()
        return first + reading.rest(), len(first)


def without(found, *names):
    """Objects without what differs each time."""
    return [{k: v for k, v in one.items() if k not in names} for one in found]


# --- rules -------------------------------------------------------------------

def one_rule(hook, pref):
    """A rule with all that one of this hook can have."""
    more = {"dev": "r0", "bpf": ACCEPT, "expr": "ip", "comment": "whole",
            "ttl_min": 2, "len_max": 1400, "type_min": 7, "dscp": 8, "mark": 1,
            "fragment": True, "trace": True, "limit_rate": 100,
            "src": "10.9.0.16/28", "dst": "10.9.0.2/32", "pref": pref}
    if hook == "output":
        return rule(PROTO, "deny", hook="output", uid_min=1000, hdrincl=True,
                    spoofed=True, **more)
    return rule(PROTO, "one", one_by=K.ONE_BY_CPU, one_reuseport=True,
                extra=[genl.attr(K.RULE_A_MIRROR, b"r0\0")], **more)


@tap.each("input", "output")
def rules(hook):
    client.apply(proto(PROTO), rule(PROTO, hook=hook, pref=1, verdict={
                     "input": "raw", "output": "allow"}[hook], bpf=ACCEPT),
                 *(one_rule(hook, 10 + n) for n in range(12)),
                 proto(254), rule(254, "none", pref=7, comment="behind"))
    expected = without([one["rule"] for one in dump(K.CMD_RULE_GET)[0]],
                       "handle")[1:]
    tap.ok(len(expected) == 13 and all("comment" in one for one in expected),
           "they are there, and one of another protocol")
    wrong, ends = [], set()
    for length in range(FIRST, 600, EACH):
        client.send(K.CMD_RULE_REPLACE, rule(
            PROTO, hook=hook, pref=1, bpf=ACCEPT, expr="x" * length, verdict={
                "input": "raw", "output": "allow"}[hook]))
        found, first = dump(K.CMD_RULE_GET)
        ends.add(first)
        if without([one["rule"] for one in found], "handle")[1:] != expected:
            wrong.append("expression of %d bytes: %s" % (length, found))
    tap.ok(not wrong, "each comes whole, once, in order", "\n".join(wrong[:3]))
    tap.ok(len(ends) > 1, "one more or less fits in", sorted(ends))


# --- protocols ---------------------------------------------------------------

def users(twelve, twentyeight):
    """A list of so many entries of each size in bytes."""
    everybody = [u8(K.USER_A_KIND, K.USER_KIND_ALL)]
    one = [u8(K.USER_A_KIND, K.USER_KIND_UID), u32(K.USER_A_LOW, 7),
           u32(K.USER_A_HIGH, 7)]
    return genl.attr(K.PROTO_A_USERS,
                     [genl.attr(K.USERS_A_USER, everybody)] * twelve +
                     [genl.attr(K.USERS_A_USER, one)] * twentyeight)


def summands(length):
    """length = 12 a + 28 b, as (a, b); None: not with so few entries."""
    for b in range(USERS_MAX + 1):
        a, rest = divmod(length - 28 * b, 12)
        if not rest and 0 <= a <= USERS_MAX - b:
            return a, b
    return None


@tap.case
def protocols():
    one = {"families": K.FAMILY_IPV4, "deliver": "one", "claim": "plain",
           "extra": [genl.attr(K.PROTO_A_ONE_REUSEPORT), users(1, 1)]}
    client.apply(*(proto(number, claim="plain", families=K.FAMILY_IPV4)
                   for number in (200, 201)),
                 *(proto(number, **one) for number in range(240, 250)))
    expected = [one["proto"] for one in dump(K.CMD_PROTO_GET)[0]][2:]
    tap.is_(len(expected), 10, "they are there")
    wrong, ends = [], set()
    for first in (0, USERS_MAX):
        client.send(K.CMD_PROTO_SET, proto(201, extra=[users(0, first)]))
        for parts in filter(None, map(summands,
                                      range(12 + FIRST, 28 * USERS_MAX, EACH))):
            client.send(K.CMD_PROTO_SET, proto(200, extra=[users(*parts)]))
            found, end = dump(K.CMD_PROTO_GET)
            ends.add(end)
            if [one["proto"] for one in found][2:] != expected:
                wrong.append("%d and %d users: %s" % (*parts, found))
    tap.ok(not wrong, "each comes whole, once, in order", "\n".join(wrong[:3]))
    tap.ok(len(ends) > 1, "one more or less fits in", sorted(ends))


# --- sockets -----------------------------------------------------------------

def told(command, numbers, *keys):
    """The sockets of protocols that a dump names, each as often as it does."""
    found, first = dump(command)
    return sorted((one["socket"]["inode"], *map(one["socket"].get, keys))
                  for one in found
                  if one["socket"].get("proto") in numbers), first


def inode(one):
    """What names a socket."""
    return os.fstat(one.fileno()).st_ino


SOCKETS = 80
STEPS = 24		# more than enough for each place in one of them


@tap.each((4, 1), (6, 58))
def raw_sockets(family, number):
    """A filter makes what is told of a socket longer."""
    icmp = {4: bytes(4), 6: bytes(32)}[family]
    with ExitStack() as stack:
        sockets = [stack.enter_context(sock.Reader(number, family, lab.right))
                   for _ in range(SOCKETS)]
        # in a list of its own, behind theirs
        behind = stack.enter_context(sock.Reader(number + 1, family, lab.right))
        expected = {inode(one): (icmp, None) for one in sockets}
        expected[inode(behind)] = (None, None)
        wrong, ends = [], set()
        # from both ends: either may come first
        for one in itertools.chain(*zip(sockets[:STEPS], sockets[::-1])):
            one.filter(sock.ACCEPT)
            expected[inode(one)] = (icmp, 1)
            found, first = told(K.CMD_SOCKET_GET, (number, number + 1),
                                "icmp_filter", "filter")
            ends.add(first)
            if found != sorted((key, *more) for key, more in expected.items()):
                wrong.append("%s, not %s" % (found, expected))
    tap.ok(not wrong, "each once, whole", "\n".join(wrong[:3]))
    tap.ok(len(ends) > 1, "one more or less fits in", sorted(ends))


@tap.each(4, 6)
def datagram_sockets(family):
    """So does an address."""
    here = {4: "127.0.0.1", 6: "::1"}[family]
    raw = socket.inet_pton(sock.FAMILY[family], here)
    with managed(PROTO, lab.right, "claim ports"), \
            managed(254, lab.right, "claim plain"), ExitStack() as stack:
        sockets = [stack.enter_context(Dgram(family, lab.right, proto=PROTO))
                   for _ in range(SOCKETS)]
        behind = stack.enter_context(Dgram(family, lab.right, proto=254))
        expected = {inode(one): (None,) * 4 for one in sockets + [behind]}
        wrong, ends = [], set()
        # those that the cut is at first, and then those before it: it moves in them
        ahead = SOCKETS // 3
        for n, one in enumerate(sockets[ahead:][:STEPS] + sockets[:ahead]):
            one.sock.bind((here if n % 2 else "", 1000 + n))
            mine = [raw if n % 2 else None, 1000 + n, None, None]
            if n % 3:
                one.sock.connect((here, 7))
                mine = [raw, 1000 + n, raw, 7]
            expected[inode(one)] = tuple(mine)
            found, first = told(K.CMD_DGRAM_GET, (PROTO, 254), "local",
                                "local_port", "peer", "peer_port")
            ends.add(first)
            if found != sorted((key, *more) for key, more in expected.items()):
                wrong.append("%s, not %s" % (found, expected))
    tap.ok(not wrong, "each once, whole", "\n".join(wrong[:3]))
    tap.ok(len(ends) > 1, "one more or less fits in", sorted(ends))


# --- explanations ------------------------------------------------------------

def explained(family, number):
    """The steps to a packet's end, without the rule, and where it is cut."""
    found, first = dump(K.CMD_EXPLAIN, packet(
        number, lab.l0.addr[family], lab.r0.addr[family], payload=bytes(64)))
    return [{k: v for k, v in one.items() if k != "rule"} for one in found
            if one.get("step", {}).get("kind") != K.STEP_KIND_SHAPE], first


@tap.each(*((family, claim) for family in (4, 6)
            for claim in ("plain", "ports", None)))
def steps(family, claim):
    """The rule is the longest; the others come behind it."""
    number = 254 if claim == "ports" else 253
    long = ACCEPT * 380
    with ExitStack() as stack:
        client.apply(proto(number, claim=claim, deliver="none"),
                     rule(number, "all", pref=1, bpf=long, expr=""))
        stack.enter_context(sock.Reader(number, family, lab.right))
        if claim:
            stack.enter_context(Dgram(family, lab.right, proto=number))
        expected, wrong, ends = None, [], set()
        for length in range(FIRST, 720, EACH):
            client.send(K.CMD_RULE_REPLACE, rule(
                number, "all", pref=1, bpf=long, expr="x" * length))
            found, first = explained(family, number)
            for one in found:
                del one["generation"]
            ends.add(first)
            expected = expected or found
            if found != expected:
                wrong.append("expression of %d bytes: %s" % (length, found))
    tap.ok(not wrong, "each comes whole, once, in order",
           "\n".join(wrong[:3] + [str(expected)]))
    tap.ok(len(ends) > 2, "more or less of them fit in", sorted(ends))
    client.apply()


@tap.case
def shapes():
    """Each prefix length is a shape, and those of two are longer."""
    # none of them the packet's
    prefixes = ["%d.0.0.0/%d" % (0xf0 << 4 - min(n, 4) & 0xf0, n)
                for n in range(1, 33)]
    wrong, ends = [], set()
    for longer in range(0, 32, 2):
        rules_ = [rule(PROTO, "raw", pref=10 + n, src=src,
                       dst="0.0.0.0/8" if n < longer else None)
                  for n, src in enumerate(prefixes)] + \
            [rule(PROTO, "raw", pref=100 + n, dst=dst)
             for n, dst in enumerate(prefixes)]
        client.apply(proto(PROTO), *rules_)
        found, first = dump(K.CMD_EXPLAIN, packet(
            PROTO, lab.l0.addr[4], lab.r0.addr[4]))
        prefs = [one["step"]["pref"] for one in found
                 if one["step"]["kind"] == K.STEP_KIND_SHAPE]
        ends.add(first)
        if prefs != [10 + n for n in range(32)] + [100 + n for n in range(32)]:
            wrong.append("%d longer ones: %s" % (longer, prefs))
    tap.ok(not wrong, "each comes once, in order", "\n".join(wrong[:3]))
    tap.ok(len(ends) > 1, "one more or less fits in", sorted(ends))
    client.apply()


tap.run()
