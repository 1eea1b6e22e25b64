#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
What `explain` says of the datagram sockets of a claim is what happens: random
packets to random sockets are explained, then sent, and every socket and the ICMP
errors have to agree; and each reason why one gets nothing has a case of its own.
"""
import contextlib
import os
import random
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import packet, sock, tap, tool
from krawtest.client import Client, K
from krawtest.dgram import SOL_IP, SOL_IPV6, Dgram
from krawtest.manage import check, managed
from krawtest.netns import SOURCES, Lab
from krawtest.sock import FAMILY, ICMP_OF
from krawtest.who import marker

SEED = int(os.environ.get("SEED", "1"))
ROUNDS, SOCKETS, PACKETS = 8, 7, 12
PROTO = 253
GROUP = {4: "224.0.0.5", 6: "ff02::5"}
ANY = {4: "0.0.0.0", 6: "::"}
LOOPBACK = {4: "127.0.0.1", 6: "::1"}
REUSE = (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
PORT = (socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
ONLY = (SOL_IPV6, socket.IPV6_V6ONLY, 1)
JOIN_GROUP = 42

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
client = tap.cleanup(Client(lab.right))
flush = marker(lab.l0, lab.r0).flush
lab.left.ip("route add 224.0.0.0/4 dev l0",
            "route add multicast ff00::/8 dev l0 table local metric 1")
with lab.right:
    R0 = socket.if_nametoindex("r0")


def names(prefix):
    """Number to name of an enum of the uapi header."""
    return {value: name[len(prefix):].lower() for name, value in
            vars(K).items() if name.startswith(prefix)}


KIND, RESULT = names("STEP_KIND_"), names("SOCKET_RESULT_")
ICMP, WHOLE = names("ICMP_RESULT_"), names("DGRAM_RESULT_")


def inode(one):
    """Of a socket."""
    return os.fstat(one.fileno()).st_ino


def packed(address):
    """As bytes."""
    return socket.inet_pton(FAMILY[6 if ":" in address else 4], address)


def join(one, family):
    """Make a socket a member of the group."""
    request = struct.pack("=I4x", R0) + struct.pack(
        "=HH", FAMILY[family], 0) + bytes(4 * (family == 6)) + \
        socket.inet_pton(FAMILY[family], GROUP[family])
    one.setsockopt({4: SOL_IP, 6: SOL_IPV6}[family], JOIN_GROUP,
                   request.ljust(136, b"\0"))


def text_of(family, ports, dport, src, dst, sport=1111, data=b"data", wrong=0):
    """What follows the IP header; wrong: added to the length."""
    if not ports:
        return data
    text = struct.pack("!HHHH", sport, dport, 8 + len(data) + wrong, 0) + data
    value = packet.checksum(packet.pseudo(src, dst, PROTO, len(text)) +
                            text) or 0xffff
    return text[:6] + struct.pack("!H", value) + text[8:]


class Told:
    """An explanation."""
    def __init__(self, src, dst, payload):
        steps = [m["step"] for m in client.explain(PROTO, src, dst, dev="r0",
                                                   payload=payload)]
        self.sockets = {one["inode"]: one for one in steps
                        if KIND[one["kind"]] == "dgram"}
        self.outcome = steps[-1]
        self.result = WHOLE.get(self.outcome.get("dgram_result"))
        self.icmp = ICMP[self.outcome["icmp_result"]]

    def of(self, one):
        """What is said of a socket; None: it is not listed."""
        found = self.sockets.get(inode(one))
        return found and RESULT[found["socket_result"]]

    def gets(self):
        """The inodes of those that get it."""
        return {key for key, one in self.sockets.items()
                if RESULT[one["socket_result"]] == "copy"}


# --- random sockets, random packets ------------------------------------------

class World:
    """Random sockets in right, of a claim with or without ports."""
    def __init__(self, dice, family, ports):
        self._dice, self._family, self._ports = dice, family, ports
        self.sockets = []
        for _ in range(SOCKETS):
            with contextlib.suppress(OSError):	# in use, and so on
                self.sockets.append(self._make())

    def _make(self):
        dice, family = self._dice, self._family
        kind = 6 if family == 4 and dice.random() < .2 else family
        options = [one for one in (REUSE, PORT) if dice.random() < .4]
        if kind == 6 and dice.random() < .3:
            options.append(ONLY)
        if dice.random() < .2:
            options.append((socket.SOL_SOCKET, socket.SO_BINDTODEVICE,
                            dice.choice((b"r0\0", b"lo\0"))))
        where = ANY[kind] if kind != family else dice.choice(
            (ANY, LOOPBACK, lab.r0.addr, lab.r0.addr, lab.r0.addr))[family]
        one = Dgram(kind, lab.right, options=options, bind=where,
                    port=dice.choice((1, 1, 2)) if self._ports else 0)
        try:
            if kind == family and dice.random() < .3:
                one.sock.connect((dice.choice(self.sources()),
                                  dice.choice((1111, 1112))
                                  if self._ports else 0))
            if kind == family and dice.random() < .3:
                join(one.sock, family)
            if dice.random() < .2:
                sock.attach_filter(one.sock, dice.choice((sock.ACCEPT,
                                                          sock.REJECT)))
        except OSError:
            one.close()
            raise
        return one

    def sources(self):
        """Addresses that left sends from."""
        return [lab.l0.addr[self._family],
                SOURCES[self._family][0][1]]

    def packet(self):
        """(source, destination, what follows the IP header)"""
        dice = self._dice
        src = dice.choice(self.sources())
        dst = dice.choice((lab.r0.addr, lab.r0.addr, GROUP))[self._family]
        return src, dst, text_of(self._family, self._ports,
                                 dice.choice((1, 1, 2, 3)), src, dst,
                                 dice.choice((1111, 1112)),
                                 wrong=dice.choice((0,) * 8 + (1, -9)))

    def got(self):
        """The inodes of those that something has come to."""
        return {inode(one) for one in self.sockets if one.drain()}

    def close(self):
        """Close them all."""
        for one in self.sockets:
            one.close()


@tap.each(*((family, claim) for claim in ("ports", "plain")
            for family in (4, 6)))
def random_packets(family, claim):
    dice = random.Random("%s %s %s" % (SEED, family, claim))
    wrong, errors, seen = [], 0, set()
    with contextlib.closing(sock.Sender(family, lab.left)) as sender, \
            sock.Reader(ICMP_OF[family], family, lab.left) as icmp, \
            sock.Reader(254, family, lab.right) as member:
        join(member.sock, family)
        for number in range(ROUNDS):
            unreach = dice.choice(("auto", "auto", "always", "never"))
            with managed(PROTO, lab.right, "claim %s unreach %s" %
                         (claim, unreach)), \
                    contextlib.closing(World(dice, family,
                                             claim == "ports")) as world:
                for _ in range(PACKETS):
                    src, dst, payload = world.packet()
                    told = Told(src, dst, payload)
                    sender.send(packet.ip(src, dst, PROTO, payload))
                    flush()
                    got = world.got()
                    seen |= {told.of(one) for one in world.sockets}
                    seen.add(told.result)
                    errors += told.icmp == "sent"
                    if got != told.gets() or \
                            len(got) != told.outcome["dgrams"]:
                        wrong.append((number, src, dst, payload[:8],
                                      told.gets(), got))
                check(PROTO, lab.right)
        tap.is_(wrong, [], "who gets what (SEED=%d)" % SEED)
        kinds = {4: (3,), 6: (1, 4)}[family]
        came = [one for one in icmp.wait(errors) if one[0] in kinds]
        flush()
        came += [one for one in icmp.drain() if one[0] in kinds]
        tap.is_(len(came), errors, "ICMP errors")
    missing = {"copy", "peer", "device", "not_chosen", "filter", "member",
               "sockets", "nobody"} - seen
    tap.ok(len(missing) < 4, "most of what there is to be told was", missing)


# --- one by one --------------------------------------------------------------

@contextlib.contextmanager
def claimed(family, claim="ports", words=""):
    """(a function that explains a packet, one that sends it as well)"""
    src, dst = lab.l0.addr[family], lab.r0.addr[family]
    sender = sock.Sender(family, lab.left)

    def explain(dport=1, sport=1111, **how):
        return Told(src, dst, text_of(family, claim == "ports", dport, src,
                                      dst, sport, **how))

    def send(count=1):
        for _ in range(count):
            sender.send(packet.ip(src, dst, PROTO, text_of(
                family, claim == "ports", 1, src, dst)))
        flush()
    with managed(PROTO, lab.right, "claim %s %s" % (claim, words)):
        yield explain, send
    sender.close()


def here(family, port=1, **how):
    """A socket in right."""
    return Dgram(family, lab.right, bind=how.pop("bind", lab.r0.addr[family]),
                 port=port, **how)


@tap.each(4, 6)
def reasons(family):
    with claimed(family) as (explain, send):
        told = explain()
        tap.is_((told.result, told.icmp, told.sockets),
                ("nobody", "sent", {}), "nobody listens: port unreachable")
        tap.is_((told.outcome["icmp_type"], told.outcome["icmp_code"]),
                {4: (3, 3), 6: (1, 4)}[family], "of this kind")
        with here(family) as one, here(family, 2) as other, \
                here(10 - family), \
                here(family, bind=ANY[family], options=[REUSE]) as rest, \
                here(family, bind=LOOPBACK[family],
                     options=[REUSE]) as third:
            told = explain()
            tap.is_([told.of(it) for it in (one, rest, third, other)],
                    ["copy", "not_chosen", "local", None],
                    "of one's own port only, the best fit")
            mine = told.sockets[inode(one)]
            tap.is_((mine["local_port"], mine.get("peer_port"),
                     mine.get("chosen"), mine.get("matched")),
                    (1, None, True, True), "which is described")
            one.sock.connect((lab.l0.addr[family], 9))
            told = explain()
            tap.is_([told.of(it) for it in (one, rest)], ["peer", "copy"],
                    "connected to another port")
            tap.is_([told.sockets[inode(one)][key]
                     for key in ("local", "peer", "peer_port")],
                    [packed(lab.r0.addr[family]), packed(lab.l0.addr[family]),
                     9], "which is told")
            tap.is_(len(told.sockets), 3, "none of the other family's")
            tap.is_(explain(sport=9).of(one), "copy", "but for that")
            with lab.right:
                rest.set(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
            told = explain()
            tap.is_((told.of(rest), told.result), ("device", "nobody"),
                    "another device")
        with here(family) as one:
            sock.attach_filter(one.sock, sock.REJECT)
            told = explain()
            tap.is_((told.of(one), told.result, told.icmp),
                    ("filter", "sockets", "none"), "its filter")
            fd = sock.ebpf()
            if fd >= 0:
                one.set(socket.SOL_SOCKET, 50, fd)	# SO_ATTACH_BPF
                tap.is_(explain().of(one), "unknown", "an eBPF filter")
                os.close(fd)
        with here(family, options=[(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                    1)]) as one:
            tap.is_(explain().of(one), "copy", "an empty queue")
            send(30)
            tap.is_(explain().of(one), "full", "a full queue")
            one.drain()
            tap.is_(explain().of(one), "copy", "and an empty one again")
        for wrong in (1, -9):
            tap.is_(explain(wrong=wrong).result, "header", "a wrong length")
        told = Told(lab.l0.addr[family], lab.r0.addr[family], b"short")
        tap.is_((told.result, told.icmp), ("header", "none"), "a short header")
    with claimed(family, words="unreach never") as (explain, _):
        tap.is_(explain().icmp, "never", "unreach never")
    with claimed(family, words="deliver raw") as (explain, _), here(family):
        told = explain()
        tap.is_((told.result, told.sockets), (None, {}),
                "a verdict that leaves the claim out")


@tap.each(4, 6)
def members(family):
    """What is for many is for those that have joined."""
    only = {4: (SOL_IP, 49, 0), 6: (SOL_IPV6, 29, 0)}[family]	# _MULTICAST_ALL
    with claimed(family), \
            here(family, bind=ANY[family], options=[REUSE, only]) as one, \
            here(family, bind=ANY[family], options=[REUSE, only]) as other:
        join(one.sock, family)
        src = lab.l0.addr[family]
        told = Told(src, GROUP[family], text_of(family, True, 1, src,
                                                GROUP[family]))
        tap.is_([told.of(one), told.of(other)], ["copy", "member"], "not others")


@tap.each(4, 6)
def groups(family):
    """SO_REUSEPORT: the flow decides, as it does for packets."""
    with claimed(family) as (explain, send):
        made = [here(family, options=[PORT]) for _ in range(4)]
        try:
            told = explain()
            chosen = told.gets()
            tap.is_((len(chosen), sorted(told.of(one) for one in made)),
                    (1, ["copy"] + ["not_chosen"] * 3), "one of them")
            send(5)
            tap.is_([len(one.drain()) for one in made
                     if inode(one) in chosen], [5], "which gets the flow")
            tap.is_(len(set().union(*(explain(sport=port).gets()
                                      for port in range(2000, 2040)))), 4,
                    "other flows, others")
        finally:
            for one in made:
                one.close()


@tap.each(4, 6)
def plain(family):
    mine = lab.r0.addr[family]
    with claimed(family, "plain") as (explain, _):
        told = explain()
        tap.is_((told.result, told.icmp), ("nobody", "none"),
                "nobody listens: no error")
        with Dgram(family, lab.right) as unbound, \
                Dgram(family, lab.right, bind=mine) as one, \
                sock.Reader(PROTO, family, lab.right) as raw:
            told = explain()
            tap.is_((told.of(one), told.of(unbound)), ("copy", None),
                    "bound; one without an address is not listed")
            tap.ok("local_port" not in told.sockets[inode(one)], "no port")
            tap.is_((told.outcome["copies"], told.outcome["dgrams"]), (1, 1),
                    "beside a raw socket")
            tap.ok(inode(raw) not in told.sockets, "which is none of them")
    with claimed(family, "plain", "unreach always") as (explain, _):
        tap.is_(explain().icmp, "sent", "unreach always")


@tap.each(4, 6)
def in_words(family):
    src, dst = lab.l0.addr[family], lab.r0.addr[family]
    words = "explain proto 253 src %s dst %s " % (src, dst)
    with claimed(family), here(family, 7) as one:
        told = tool.ask(words + "sport 5 dport 7", lab.right)
        mine, = (step for step in told if step["step"] == "dgram")
        tap.is_({key: mine[key] for key in ("local", "local_port", "peer",
                                            "peer_port", "inode", "matched",
                                            "chosen", "result")},
                {"local": dst, "local_port": 7, "peer": None,
                 "peer_port": None, "inode": inode(one), "matched": True,
                 "chosen": True, "result": "copy"}, "JSON")
        tap.is_([(p["pid"], p["fd"]) for p in mine["processes"]],
                [(os.getpid(), one.fileno())], "with its process")
        tap.is_((told[-1]["dgram_result"], told[-1]["dgrams"]),
                ("sockets", 1), "and what comes of it")
        text = tool.do(words + "sport 5 dport 7 payload 00", lab.right)
        tap.has(text, "port 7", "in words")
        tap.has(text.splitlines()[-2], "gets it", "it gets it")
        tap.has(tool.do(words + "dport 8 len 100", lab.right),
                "ICMP port unreachable is sent", "another port")
        tap.has(tool.do(words, lab.right), "dropped: the header with ports",
                "without a header")
        for bad in ("sport 65536", "dport", "sport 1 sport 2",
                    "dport 7 len 30 payload 000102030405"):
            if family == 6 and "len" in bad:
                bad = bad.replace("30", "50")
            tap.has(tool.refused(words + bad, lab.right).err, "Error", bad)
    tap.is_(tool.ask(words, lab.right)[-1]["dgram_result"], None,
            "without a claim: null")


tap.run()
