#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
The packet path against the plainest model: random rules with every match there
is on input, random packets of both families, and a list in Python that is
tried from its head.  Each rule's packets and bytes, and the protocol's own
counters, are what the list says; also after rules were added, replaced and
deleted one by one, which leaves the others their counters.

Values come from few, so that rules overlap, shadow and repeat one another and
packets hit them.  Packets come by two devices, where a firewall rule sets the
mark from a header field, and by the loopback device, where the sender sets it.
"""
import ipaddress
import os
import random
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, packet, sock, tap, tool
from krawtest.client import Client, K, proto, rule
from krawtest.netns import Lab, veth

PROTO = 253
RULES = 200
PACKETS = 5000 if clock.SLOW == 1 else 1500
BATCH = PACKETS // 5		# packets between edits
EDITS = 40
SEED = 3

SRC = {4: ["10.9.0.1", "10.9.0.17", "10.9.0.18", "10.9.1.33", "192.0.2.1"],
       6: ["fd09::1", "fd09::1:1", "fd09::1:2", "fd09:1::33", "2001:db8::1"]}
DST = {4: ["10.9.0.2", "10.9.7.1", "10.9.7.2", "10.9.7.3"],
       6: ["fd09::2", "fd09:7::1", "fd09:7::2", "fd09:7::3"]}
BITS = {4: [0, 8, 23, 24, 30, 31, 32], 6: [0, 16, 32, 64, 112, 126, 127, 128]}
DEVS = ["r0", "r2", "lo"]
TTLS = [1, 2, 3, 63, 64, 255]
SIZES = [0, 1, 2, 3, 40, 1200]		# bytes of payload
LENS = [20, 21, 41, 42, 60, 61, 80, 1219, 1220, 1240]
TYPES = [0, 1, 127, 255]
DSCPS = [0, 1, 46, 63]
MARKS = [0, 1, 2, 0x10, 0x11, 0xffffffff]
MASKS = [0xffffffff, 1, 0x10, 0x11, 0xfffffffe]
VERDICTS = ["all", "raw", "kernel", "none", "reject"]

# A program, and what it says of a packet from its IP header on.
PROGRAMS = [
    # ldb [8]: TTL, or the first byte of the source
    ([(0x30, 0, 0, 8), (0x45, 0, 1, 1), (6, 0, 0, 1), (6, 0, 0, 0)],
     lambda data: data[8] & 1),
    # ld len
    ([(0x80, 0, 0, 0), (0x35, 0, 1, 62), (6, 0, 0, 1), (6, 0, 0, 0)],
     lambda data: len(data) >= 62),
    # ldb [41]: what is outside of the packet ends the program with 0
    ([(0x30, 0, 0, 41), (6, 0, 0, 1)], lambda data: len(data) > 41),
    # ldh [14], returned
    ([(0x28, 0, 0, 14), (0x54, 0, 0, 1), (0x16, 0, 0, 0)],
     lambda data: data[15] & 1),
]


# --- the model ---------------------------------------------------------------

class Packet:
    """What rules can see of a packet, and what to send."""
    def __init__(self):
        self.family = family = random.choice((4, 6))
        self.src, self.dst = (random.choice(x[family]) for x in (SRC, DST))
        self.nets = {"src": int(ipaddress.ip_address(self.src)),
                     "dst": int(ipaddress.ip_address(self.dst))}
        self.dev = random.choice(DEVS)
        self.ttl = random.choice(TTLS)
        self.dscp = random.choice(DSCPS)
        self.number = random.randrange(len(MARKS))
        self.mark = MARKS[self.number]
        kind = random.choice(["plain"] * 6 + ["fragment", "options"])
        self.fragment = kind == "fragment"
        size = 1200 if self.fragment else random.choice(SIZES)
        first = random.choice(TYPES)
        payload = bytes([first][:size]) + random.randbytes(max(size - 1, 0))
        self.type = first if payload else -1
        ds = self.dscp << 2 | random.choice((0, 2))	# not ECT, or ECT(0)
        # the number goes with the packet: see MARK
        if family == 4:
            fields = {"ttl": self.ttl, "tos": ds}
            self.data = packet.ipv4(
                self.src, self.dst, PROTO, payload, ident=self.number + 1,
                options=b"\1\1\1\1" if kind == "options" else b"", **fields)
        else:
            fields = {"hlim": self.ttl, "tclass": ds, "flow": self.number + 1}
            self.data = packet.ipv6(
                self.src, self.dst, packet.DSTOPTS, packet.options6(PROTO) +
                payload, **fields) if kind == "options" else packet.ipv6(
                    self.src, self.dst, PROTO, payload, **fields)
        self.len = len(self.data)
        self.parts = packet.fragments(
            self.src, self.dst, PROTO, payload, 800,
            ident=self.number + 1 if family == 4 else random.getrandbits(32),
            **fields) if self.fragment else [self.data]


def prefix(name, family):
    """A random prefix, as the kernel's words and as a check."""
    pool = {"src": SRC, "dst": DST}[name][family]
    net = ipaddress.ip_network("%s/%d" % (random.choice(pool),
                                          random.choice(BITS[family])), False)
    low, high = int(net[0]), int(net[-1])
    return ({name: str(net)},
            lambda p: p.family == family and low <= p.nets[name] <= high)


def span(name, pool):
    """A range, or one value."""
    low, high = sorted(random.choice(pool) for _ in range(2))
    if random.random() < 0.4:
        high = low
    return ({name + "_min": low, name + "_max": high},
            lambda p: low <= getattr(p, name) <= high)


def mark():
    mask = random.choice(MASKS)
    value = random.choice(MARKS) & mask
    return {"mark": value, "mark_mask": mask}, lambda p: p.mark & mask == value


def equal(name, pool):
    value = random.choice(pool)
    return {name: value}, lambda p: getattr(p, name) == value


def program():
    insns, check = random.choice(PROGRAMS)
    return {"bpf": insns}, lambda p: bool(check(p.data))


MATCHES = {
    "src": lambda family: prefix("src", family),
    "dst": lambda family: prefix("dst", family),
    "dev": lambda _: equal("dev", DEVS),
    "ttl": lambda _: span("ttl", TTLS),
    "len": lambda _: span("len", LENS),
    "type": lambda _: span("type", TYPES),
    "dscp": lambda _: equal("dscp", DSCPS),
    "mark": lambda _: mark(),
    "fragment": lambda _: ({"fragment": True}, lambda p: p.fragment),
    "bpf": lambda _: program(),
}


class Rule:
    """One of the model's; `like` another one but for preference and verdict."""
    def __init__(self, like=None, names=None):
        self.pref = random.randrange(60)
        self.verdict = random.choice(VERDICTS)
        self.handle = None
        self.packets = self.bytes = 0
        if like:
            self.words, self.checks = like.words, like.checks
            self.text = like.text
            return
        if names is None:
            names = random.sample(list(MATCHES),
                                  random.choice((2, 3, 3, 4, 4, 5)))
        family = random.choice((4, 6))
        made = [MATCHES[name](family) for name in sorted(names)]
        self.words = {k: v for words, _ in made for k, v in words.items()}
        self.checks = [check for _, check in made]
        self.text = repr(self.words)

    def key(self):
        """No two rules may have the same."""
        return self.pref, self.text

    def nest(self, **more):
        """For the kernel."""
        return rule(PROTO, self.verdict, pref=self.pref, **self.words, **more)


class Model:
    """Rules in their order, and what they count."""
    def __init__(self):
        self.rules = []
        self.families = {4: {}, 6: {}}

    def new(self, but=None):
        """A rule that may be added; some are like one that is there."""
        taken = {r.key() for r in self.rules if r is not but}
        while True:
            like = random.choice(self.rules) \
                if self.rules and random.random() < 0.1 else None
            one = Rule(like)
            if one.key() not in taken:
                return one

    def place(self, one):
        """Behind all of its preference."""
        at = sum(r.pref <= one.pref for r in self.rules)
        self.rules.insert(at, one)

    def classify(self, p):
        """The first that fits counts; if none does, the protocol's verdict."""
        verdict = "none"
        # as a loop it takes half of what any() or all() would
        for one in self.rules:
            for check in one.checks:
                if not check(p):
                    break
            else:
                one.packets += 1
                one.bytes += p.len
                verdict = one.verdict
                break
        counts = self.families[p.family]
        for name in ("seen", verdict):
            counts[name] = counts.get(name, 0) + 1

    def seen(self):
        """Packets so far."""
        return sum(c.get("seen", 0) for c in self.families.values())


# --- the kernel --------------------------------------------------------------

MARK = """table inet marks {
	chain prerouting {
		type filter hook prerouting priority 0;
		iifname "lo" accept
		meta mark set ip id map { %s }
		meta mark set ip6 flowlabel map { %s }
	}
}
"""

lab = tap.cleanup(Lab())
l2, r2 = veth(2, lab.left, "l2", lab.right, "r2")
module = tap.cleanup(tool.Module())
client = tap.cleanup(Client(lab.right))
lab.right.ip(*("addr add %s/%d dev lo" % (addr, bits)
               for family, bits in ((4, 32), (6, 128))
               for addr in DST[family][1:]))


class Sending:
    """By a device of left, as frames, or in right to itself."""
    def __init__(self):
        self.frames = {}
        for near, far in ((lab.l0, lab.r0), (l2, r2)):
            with lab.left:
                end = tap.cleanup(socket.socket(socket.AF_PACKET,
                                                socket.SOCK_RAW, 0))
            end.bind((near.device, 0))
            head = bytes.fromhex((far.mac + near.mac).replace(":", ""))
            self.frames[far.device] = end, head
        self.local = {}
        for family in (4, 6):
            for value in MARKS:
                sender = tap.cleanup(sock.Sender(family, lab.right))
                sender.sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK,
                                       struct.pack("=I", value))
                self.local[family, value] = sender.sock

    def send(self, p):
        """All of its parts."""
        for data in p.parts:
            if p.dev == "lo":
                self.local[p.family, p.mark].sendto(data, (p.dst, 0))
            else:
                end, head = self.frames[p.dev]
                end.send(head + struct.pack("!H", {4: 0x0800, 6: 0x86dd}
                                            [p.family]) + data)


def load_marks():
    """Have the firewall in right set the mark."""
    values = ", ".join("%d : 0x%x" % pair for pair in enumerate(MARKS, 1))
    done = lab.right.run("nft", "-f", "-", input=MARK % (values, values))
    if done.returncode:
        tap.bail("nft: " + done.stderr.splitlines()[0])


def compare(model, title):
    """Rules in their order with their counters, and the protocol's."""
    if not clock.wait_until(lambda: sum(
            s["seen"] for s in client.proto(PROTO)["stats"].values()) >=
            model.seen()):
        tap.diag("packets are missing")
    got = client.rules()
    tap.is_([(r["pref"], r["verdict"]) for r in got],
            [(r.pref, getattr(K, "VERDICT_" + r.verdict.upper()))
             for r in model.rules], title + ": the rules, in their order")
    for ours, theirs in zip(model.rules, got):
        ours.handle = ours.handle or theirs["handle"]
    tap.is_([r["handle"] for r in got], [r.handle for r in model.rules],
            title + ": whoever stayed has its handle")
    wrong = [(r.words, r.verdict, (g["packets"], g["bytes"]),
              (r.packets, r.bytes)) for r, g in zip(model.rules, got)
             if (g["packets"], g["bytes"]) != (r.packets, r.bytes)]
    tap.is_(wrong[:5], [], title + ": packets and bytes of each rule")
    stats = client.proto(PROTO)["stats"]
    for family, number in ((4, 1), (6, 2)):
        tap.is_({name: stats[number][name]
                 for name in ["seen", "passed"] + VERDICTS},
                {name: model.families[family].get(name, 0)
                 for name in ["seen", "passed"] + VERDICTS},
                "%s: the protocol's counters, IPv%d" % (title, family))


def edit(model):
    """One rule more, one less, or one in the place of another."""
    what = random.choice(("add", "del", "replace"))
    if what == "add":
        one = model.new()
        client.send(K.CMD_RULE_ADD, one.nest())
        model.place(one)
        return
    old = random.choice([r for r in model.rules if r.handle])
    if what == "del":
        client.send(K.CMD_RULE_DEL, rule(PROTO, handle=old.handle))
        model.rules.remove(old)
        return
    one = model.new(old)
    if random.random() < 0.5 and not any(
            r.pref == old.pref and r.text == one.text
            for r in model.rules if r is not old):
        one.pref = old.pref
    client.send(K.CMD_RULE_REPLACE, one.nest(handle=old.handle))
    one.handle = old.handle
    if one.pref == old.pref:	# it stays among its equals
        model.rules[model.rules.index(old)] = one
    else:
        model.rules.remove(old)
        model.place(one)


def send(model, sending, count):
    """Random packets, to the kernel and to the model."""
    for _ in range(count):
        p = Packet()
        sending.send(p)
        model.classify(p)


def told(model, title):
    """How much was tested."""
    hit = sum(r.packets > 0 for r in model.rules)
    tap.diag("%s: %d of %d rules were hit, %d of %d packets by a rule" %
             (title, hit, len(model.rules),
              sum(r.packets for r in model.rules), model.seen()))
    return hit


sending = Sending()
load_marks()


@tap.case
def each_match_alone():
    """Few rules, so that most packets get as far as each."""
    for name in MATCHES:
        model = Model()
        random.seed("%s %d" % (name, SEED))
        while len(model.rules) < 6:
            one = Rule(names=[name])
            if one.key() not in {r.key() for r in model.rules}:
                model.place(one)
            elif name in ("fragment", "bpf"):	# few can be different
                one.pref += 100
                if one.key() not in {r.key() for r in model.rules}:
                    model.place(one)
        client.apply()
        client.apply(proto(PROTO, deliver="none", unreach="never"),
                     *(r.nest() for r in model.rules))
        send(model, sending, 100)
        compare(model, name)
        tap.ok(any(r.packets for r in model.rules), name + ": has matched")


@tap.case
def two_hundred_rules():
    random.seed(SEED)
    model = Model()
    added = []
    while len(model.rules) < RULES:
        one = model.new()
        added.append(one)
        model.place(one)
    client.apply()
    client.apply(proto(PROTO, deliver="none", unreach="never"),
                 *(one.nest() for one in added))
    for number in range(PACKETS // BATCH):
        if number:
            for _ in range(EDITS):
                edit(model)
            if number == 4:	# all that is behind it is shadowed
                one = Rule(names=[])
                one.pref = 30
                client.send(K.CMD_RULE_ADD, one.nest())
                model.place(one)
        send(model, sending, BATCH)
        title = "after %d packets" % ((number + 1) * BATCH)
        compare(model, title)
        hit = told(model, title)
        if not number:
            tap.ok(hit > RULES // 4, "many rules were hit", hit)
            matched = sum(r.packets for r in model.rules)
            tap.ok(model.seen() // 4 < matched < model.seen(),
                   "neither all packets nor few", matched)


@tap.case
def nothing_is_left():
    client.apply()
    tap.is_(client.protos(), [], "nothing managed")


tap.run()
