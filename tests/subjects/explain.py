#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# leaves: sctp.ko, which cannot be unloaded
"""
What `explain` says about a packet is what happens to it: a thousand random
packets in random configurations are explained, then sent, and every socket,
every rule, the handler and the ICMP error have to agree; each reason why a
socket gets nothing has a case of its own; and asking changes nothing.
"""
import json
import os
import random
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import counters, packet, sock, tap, tool
from krawtest.client import Client, Dump, K, genl, proto, rule, u8
from krawtest.client import packet as described
from krawtest.netns import SOURCES, Lab
from krawtest.who import UNREACH, Probe, token

SEED = int(os.environ.get("SEED", "1"))
PACKETS, EACH = 1000, 40

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
right = tap.cleanup(Client(lab.right))
other = tap.cleanup(Client(lab.other))
with_sctp = not tool.modprobe("sctp").status

OSPF, SCTP, ELSEWHERE, PLAIN = 89, 132, 252, 253
GROUP = {4: "224.0.0.5", 6: "ff02::5"}
LOOPBACK = {4: "127.0.0.1", 6: "::1"}
LEVEL = {4: socket.IPPROTO_IP, 6: socket.IPPROTO_IPV6}
MULTICAST_ALL = {4: 49, 6: 29}
JOIN_GROUP, BLOCK_SOURCE = 42, 43
IPV6_CHECKSUM = 7
SO_MEMINFO = 55
ICMP_FILTER = {4: (255, 1), 6: (58, 1)}
MARKED_TTL, MARK = 77, 5

# where left sends multicasts, before the route that each of its devices has
lab.left.ip("route add 224.0.0.0/4 dev l0",
            "route add multicast ff00::/8 dev l0 table local metric 1")
# right marks what comes with one TTL
lab.right.run("nft", "add table inet t; add chain inet t c "
              "{ type filter hook prerouting priority 0; }; "
              "add rule inet t c ip ttl %d meta mark set %d; "
              "add rule inet t c ip6 hoplimit %d meta mark set %d" %
              (MARKED_TTL, MARK, MARKED_TTL, MARK), check=True)
with lab.right:
    R0 = socket.if_nametoindex("r0")


def names(prefix):
    """Number to name of an enum of the uapi header."""
    return {value: name[len(prefix):].lower() for name, value in
            vars(K).items() if name.startswith(prefix)}


KIND, SHAPE = names("STEP_KIND_"), names("SHAPE_RESULT_")
SOCKET, ICMP = names("SOCKET_RESULT_"), names("ICMP_RESULT_")
VERDICT, DECIDER = names("VERDICT_"), names("DECIDER_")


class Said:
    """The steps of an explanation, sorted by kind."""
    def __init__(self, messages):
        self.messages = messages
        self.steps = [(KIND[m["step"]["kind"]], m) for m in messages]
        self.order = [kind for kind, _ in self.steps]
        self.shapes = [m["step"] for m in self.all("shape")]
        self.rule = next((m["rule"] for m in self.all("rule")), None)
        self.verdict = VERDICT[self.one("verdict")["verdict"]]
        self.decider = DECIDER[self.one("verdict")["decider"]]
        self.sockets = {m["step"]["inode"]:
                        SOCKET[m["step"]["socket_result"]]
                        for m in self.all("socket")}
        self.matched = {m["step"]["inode"] for m in self.all("socket")
                        if m["step"].get("matched")}
        outcome = self.one("outcome")
        self.copies, self.matching = outcome["copies"], outcome["matching"]
        self.receives = outcome.get("receives", False)
        self.icmp = ICMP[outcome["icmp_result"]]
        self.error = tuple(outcome.get("icmp_" + name, 0)
                           for name in ("type", "code", "pointer"))
        self.policy = outcome.get("policy", False)

    def all(self, kind):
        """The messages of one kind."""
        return [m for k, m in self.steps if k == kind]

    def one(self, kind):
        """The attributes of the only step of its kind."""
        message, = self.all(kind)
        return message["step"]


def explain(number, src, dst, client=right, **more):
    """What kraw says about a packet."""
    return Said(client.explain(number, src, dst, **more))


def inode(reader):
    """Of a socket."""
    return os.fstat(reader.fileno()).st_ino


def drops(reader):
    """Packets that a socket has refused (SK_MEMINFO_DROPS)."""
    return struct.unpack_from("=I", reader.sock.getsockopt(
        socket.SOL_SOCKET, SO_MEMINFO, 36), 32)[0]


def group_option(reader, option, source=None):
    """Join the group on r0, or change what it is joined for."""
    def address(text):
        if reader.family == 4:
            data = struct.pack("=HH", socket.AF_INET, 0) + \
                socket.inet_aton(text)
        else:
            data = struct.pack("=HHI", socket.AF_INET6, 0, 0) + \
                socket.inet_pton(socket.AF_INET6, text)
        return data.ljust(128, b"\0")
    value = struct.pack("=I4x", R0) + address(GROUP[reader.family])
    reader.sock.setsockopt(LEVEL[reader.family], option,
                           value + (address(source) if source else b""))
    return reader


def no_other(reader):
    """Groups of its own only."""
    reader.sock.setsockopt(LEVEL[reader.family], MULTICAST_ALL[reader.family],
                           0)
    return reader


def odd(family):
    """A socket filter: only an odd first byte of the payload."""
    return [(0x30, 0, 0, 20 if family == 4 else 0), (0x54, 0, 0, 1),
            (0x15, 1, 0, 0), (0x06, 0, 0, 0xffff), (0x06, 0, 0, 0)]


def fill(reader):
    """Fill the receive buffer of a socket that matches what left sends."""
    with Probe(lab.left, lab.right, reader.proto, reader.family) as probe:
        probe.transmit([packet.ip(probe.src, probe.dst, reader.proto,
                                  bytes(1200)) for _ in range(4)], [b"\1"])
    reader.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    used, size = struct.unpack_from("=II", reader.sock.getsockopt(
        socket.SOL_SOCKET, SO_MEMINFO, 36))
    reader.is_full = used >= size
    if not reader.is_full:	# it is not for this one
        reader.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 200000)
    return reader


class Reader(sock.Reader):
    """A raw socket in right."""
    def __init__(self, number, family, **how):
        super().__init__(number, family, lab.right, **how)
        self.proto, self.is_full = number, False

    def set(self, level, option, value):
        """setsockopt that returns the socket."""
        self.sock.setsockopt(level, option, value)
        return self


# The host is in the group, whatever the sockets of a case are.
members = {family: tap.cleanup(group_option(Reader(254, family),
                                            JOIN_GROUP)) for family in (4, 6)}


# --- random ------------------------------------------------------------------

class Scene:
    """A random configuration of one protocol and family, and its sockets."""
    def __init__(self, dice, family, number):
        self.dice, self.family, self.number = dice, family, number
        self.readers = []
        self.managed = number != ELSEWHERE and dice.random() < 0.9
        right.apply()
        for _ in range(dice.choice((0, 1, 3, 6, 8))):
            self.readers.append(self._reader())
        self._configure()

    def _reader(self):
        dice, family, number = self.dice, self.family, self.number
        how = {}
        if dice.random() < 0.25:
            how["bind"] = dice.choice((lab.r0.addr[family], LOOPBACK[family]))
        if dice.random() < 0.25:
            how["device"] = dice.choice(("r0", "r0", "lo"))
        if dice.random() < 0.25 and how.get("bind") != LOOPBACK[family] and \
                how.get("device") != "lo":	# from lo there is no way there
            how["connect"] = dice.choice((lab.l0.addr[family],
                                          SOURCES[family][0][1]))
        if how.get("device") == "r0" and how.get("bind") == LOOPBACK[family]:
            how.pop("device")
        reader = Reader(number, family, **how)
        if dice.random() < 0.15:
            fill(reader)
        if dice.random() < 0.3:
            reader.set(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if dice.random() < 0.3:
            reader.filter(dice.choice((sock.ACCEPT, sock.REJECT, odd(family))))
        if dice.random() < 0.2:
            no_other(reader)
        if dice.random() < 0.2:
            group_option(reader, JOIN_GROUP)
            if dice.random() < 0.5:
                group_option(reader, BLOCK_SOURCE, lab.l0.addr[family])
        if family == 6 and dice.random() < 0.1:
            reader.set(socket.IPPROTO_IPV6, IPV6_CHECKSUM, 2)
        return reader

    def _match(self):
        """Some fields of a rule."""
        dice, family = self.dice, self.family
        fields, extra = {}, []
        if dice.random() < 0.4:
            fields["src"] = dice.choice(
                [prefix for prefix, _ in SOURCES[dice.choice((family, family,
                                                              4))][:3]])
        if dice.random() < 0.3 and ":" not in fields.get("src", "") and \
                family == 4:
            fields["dst"] = dice.choice(("10.9.0.2", "10.9.0.0/24",
                                         "224.0.0.0/4"))
        if dice.random() < 0.2:
            fields["dev"] = dice.choice(("r0", "r0", "lo"))
        if dice.random() < 0.3:
            low = dice.choice((1, 30, 64, 77))
            fields["ttl_min"], fields["ttl_max"] = low, dice.choice((low, 255))
        if dice.random() < 0.3:
            low = dice.choice((20, 60, 200))
            fields["len_min"], fields["len_max"] = low, low + 200
        if dice.random() < 0.3:
            low = dice.randrange(4)
            fields["type_min"] = low
            fields["type_max"] = dice.choice((low, low + 1))
        if dice.random() < 0.2:
            fields["dscp"] = dice.randrange(3)
        if dice.random() < 0.2:
            extra += [sized(K.RULE_A_MARK, dice.choice((0, MARK))),
                      sized(K.RULE_A_MARK_MASK, dice.choice((5, 255)))]
        if dice.random() < 0.1:
            extra.append(flag(K.RULE_A_FRAGMENT))
        if dice.random() < 0.1:
            fields["bpf"] = odd(4) if family == 4 else \
                [(0x30, 0, 0, 40)] + odd(4)[1:]
        return fields, extra

    def _configure(self):
        dice = self.dice
        nests = [proto(PLAIN + 1)]
        if self.managed:
            claim = "plain" if self.number == PLAIN and dice.random() < 0.5 \
                else "none"
            nests.append(proto(
                self.number, claim=claim, deliver=self._verdict(),
                unreach=dice.choice(("auto", "never", "always"))))
            for _ in range(dice.choice((0, 2, 6, 15))):
                fields, extra = self._match()
                verdict = self._verdict()
                if verdict == "one":
                    extra.append(u8(K.RULE_A_ONE_BY, dice.choice(
                        (K.ONE_BY_FLOW, K.ONE_BY_CPU))))
                    if dice.random() < 0.5:
                        extra.append(flag(K.RULE_A_ONE_REUSEPORT))
                nests.append(rule(self.number, verdict, extra=extra,
                                  pref=dice.randrange(1, 12), **fields))
        try:
            right.apply(*nests)
        except OSError as error:
            if "EEXIST" not in str(error):	# the same rule twice
                raise
            self._configure()

    def _verdict(self):
        return self.dice.choice(("all", "all", "raw", "one", "kernel", "none",
                                 "reject"))

    def packets(self, count):
        """(packets on the wire, what to ask, mark) of each."""
        dice, family = self.dice, self.family
        for _ in range(count):
            src = dice.choice([lab.l0.addr[family]] +
                              [addr for _, addr in SOURCES[family][:3]])
            dst = dice.choice([lab.r0.addr[family]] * 6 + [GROUP[family]])
            if family == 4 and dice.random() < 0.1:
                dst = "10.9.0.255"
            ttl = dice.choice((1, 30, 64, MARKED_TTL, 255))
            dscp = dice.randrange(3)
            mark = token()
            payload = bytes([dice.randrange(5)]) + mark + \
                bytes(dice.choice((7, 20, 150, 700)))
            head = 20 if family == 4 else 40
            ask = {"src": src, "dst": dst, "dev": "r0", "ttl": ttl,
                   "dscp": dscp, "payload": payload,
                   "len": head + len(payload),
                   "mark": MARK if ttl == MARKED_TTL else 0}
            tos = {"tos" if family == 4 else "tclass": dscp << 2}
            if dst == lab.r0.addr[family] and len(payload) > 100 and \
                    dice.random() < 0.2:
                ask.update(ttl=64, dscp=0, mark=0, fragment=True)
                wire = packet.fragments(src, dst, self.number, payload, 64,
                                        ident=dice.randrange(1, 1 << 16))
            else:
                wire = [packet.ip(src, dst, self.number, payload, ttl=ttl,
                                  **tos)]
            yield wire, ask, mark

    def close(self):
        """Close the sockets."""
        for reader in self.readers:
            reader.close()


def sized(kind, value):
    """An attribute of four bytes."""
    return struct.pack("=HHI", 8, kind, value)


def flag(kind):
    """An attribute without a value."""
    return struct.pack("=HH", 4, kind)


def handler_counts(number, family):
    """How many packets the handler of a protocol in right has had."""
    count = 0
    for one in right.protos():
        if one["number"] == number:
            count += one["stats"].get(1 if family == 4 else 2, {}).get(
                "claim_handled", 0)
    if with_sctp and number == SCTP:
        with lab.right, open("/proc/thread-self/net/sctp/snmp") as file:
            count += sum(int(line.split()[1]) for line in file
                         if line.startswith("SctpInSCTPPacks"))
    return count


def observed(scene, batch):
    """Send; for each packet: which sockets got it, and the ICMP errors."""
    got = [(set(), []) for _ in batch]
    marks = [mark for _, _, mark in batch]
    icmp = sock.Reader(sock.ICMP_OF[scene.family], scene.family, lab.left)
    with icmp, Probe(lab.left, lab.right, scene.number, scene.family) as probe:
        probe.transmit([data for wire, _, _ in batch for data in wire], marks,
                       drain=False)
        errors = [packet.icmp_error(scene.family, data)
                  for data in icmp.drain()]
    for reader in scene.readers:
        for data in ([] if reader.is_full else reader.drain()):
            for (sockets, _), mark in zip(got, marks):
                if mark in data:
                    sockets.add(inode(reader))
    for error in errors:
        for (_, answers), mark in zip(got, marks):
            if error is not None and mark in error.quoted:
                answers.append(error.what)
    return got


def compare(scene, batch):
    """
    Explain and send; what did not agree, as lines, and how often each kind of
    outcome was said.
    """
    wrong, seen = [], {}
    for reader in scene.readers:
        if not reader.is_full:
            reader.drain()
    before = right.state()
    refused = [drops(reader) for reader in scene.readers]
    with counters.Watch(lab.right, whole=True) as watch:
        said = [explain(scene.number, **ask) for _, ask, _ in batch]
    # Hosts speak of their groups now and then.
    changed = {} if any("Mcast" in name for name in watch.delta) else \
        watch.delta
    if right.state() != before or changed or \
            [drops(reader) for reader in scene.readers] != refused:
        wrong.append("asking has changed something: %r" % changed)
    handled = handler_counts(scene.number, scene.family)
    ours = {inode(reader) for reader in scene.readers}
    for (_, ask, _), one, (sockets, icmp) in zip(batch, said,
                                                 observed(scene, batch)):
        copies = {name for name, what in one.sockets.items()
                  if what == "copy"}
        expected = [UNREACH[scene.family]] if one.icmp == "sent" else []
        if set(one.sockets) != ours or copies != sockets or \
                icmp != expected or len(copies) != one.copies:
            ask["payload"] = ask["payload"][:9]
            wrong.append("%r: said %s, %s, %s; were %s, %s" % (
                ask, one.verdict, one.sockets, one.icmp, sockets, icmp))
        for key in (one.verdict, "by " + one.decider, "icmp " + one.icmp,
                    "handler %s" % one.receives, *one.sockets.values()):
            seen[key] = seen.get(key, 0) + 1
    handled = handler_counts(scene.number, scene.family) - handled
    # SCTP does not count what is not for this host alone.
    expected = sum(one.receives for one, (_, ask, _) in zip(said, batch)
                   if counts(scene, ask))
    if handled != expected:
        wrong.append("the handler got %d, not %d" % (handled, expected))
    hits = {}
    for one in said:
        if one.rule:
            hits[one.rule["handle"]] = hits.get(one.rule["handle"], 0) + 1
    old = {one["handle"]: one["packets"] for one in before["rules"]}
    now = {one["handle"]: one["packets"] - old[one["handle"]]
           for one in right.rules() if one["packets"] != old[one["handle"]]}
    if now != hits:
        wrong.append("rules hit: %r, said %r" % (now, hits))
    return wrong, seen


def counts(scene, ask):
    """Whether the packet is one that the handler counts, if it gets it."""
    if scene.number == SCTP:
        return with_sctp and ask["dst"] == lab.r0.addr[scene.family]
    return scene.number == PLAIN


@tap.case
def random_packets():
    dice = random.Random(SEED)
    other.apply(proto(ELSEWHERE, claim="plain"))
    wrong, seen = [], {}
    for turn in range(PACKETS // EACH):
        family = (4, 6)[turn % 2]
        number = dice.choice((PLAIN, PLAIN, PLAIN, OSPF, SCTP, ELSEWHERE))
        scene = Scene(dice, family, number)
        try:
            lines, kinds = compare(scene, list(scene.packets(EACH)))
        finally:
            scene.close()
        wrong += ["turn %d, IPv%d, protocol %d: %s" %
                  (turn, family, number, line) for line in lines]
        for key, count in kinds.items():
            seen[key] = seen.get(key, 0) + count
    other.apply()
    right.apply()
    tap.diag("seed %d: %s" % (SEED, ", ".join(
        "%s %d" % pair for pair in sorted(seen.items()))))
    tap.is_(wrong[:5], [], "%d packets: explained as they went" % PACKETS)
    wanted = {"all", "raw", "one", "kernel", "none", "reject", "by linux",
              "by proto", "by rule", "icmp none", "icmp sent", "icmp never",
              "icmp silent", "handler True", "handler False", "copy",
              "verdict", "local", "peer", "device", "member", "filter", "full",
              "checksum", "not_chosen"}
    tap.is_(wanted - set(seen), set(), "and every outcome was among them")


# --- one by one --------------------------------------------------------------

class Sockets:
    """with Sockets(253, 4) as some: some.add("name", ...); some.ask(...)"""
    def __init__(self, number, family):
        self.number, self.family = number, family
        self.by_name = {}

    def add(self, name, **how):
        """One more; the arguments are those of sock.Reader."""
        self.by_name[name] = Reader(self.number, self.family, **how)
        return self.by_name[name]

    def results(self, said):
        """What an explanation says of each."""
        return {name: said.sockets.get(inode(reader))
                for name, reader in self.by_name.items()}

    def ask(self, dst=None, src=None, dev="r0", **more):
        """An explanation of a packet from left."""
        return explain(self.number, src or lab.l0.addr[self.family],
                       dst or lab.r0.addr[self.family], dev=dev, **more)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for reader in self.by_name.values():
            reader.close()


@tap.each(4, 6)
def each_reason(family):
    with Sockets(PLAIN, family) as some:
        some.add("any")
        some.add("all of it", bind=lab.r0.addr[family], device="r0",
                 connect=lab.l0.addr[family])
        some.add("local", bind=LOOPBACK[family])
        some.add("peer", connect=SOURCES[family][0][1])
        some.add("device", device="lo")
        some.add("filter").filter(sock.REJECT)
        some.add("odd").filter(odd(family))
        fill(some.add("full"))
        if family == 6:
            some.add("checksum").set(socket.IPPROTO_IPV6, IPV6_CHECKSUM, 2)
        said = some.ask(payload=b"\1\0\0\0kraw")
        expected = {name: "copy" if name in ("any", "all of it", "odd")
                    else name for name in some.by_name}
        tap.is_(some.results(said), expected, "each socket's reason")
        tap.is_(said.matched,
                {inode(some.by_name[name]) for name in some.by_name
                 if name not in ("local", "peer", "device")}, "who matches")
        tap.is_((said.decider, said.verdict, said.rule, said.icmp,
                 said.receives), ("linux", "all", None, "none", False),
                "nobody decides")
        said = some.ask(payload=b"\2\0\0\0kraw")
        tap.is_(some.results(said)["odd"], "filter",
                "a filter that reads the payload")


@tap.each(4, 6)
def groups(family):
    asks = {"bind": lab.r0.addr[6]} if family == 6 else {}
    with Sockets(OSPF, family) as some:
        group_option(some.add("copy", **asks), JOIN_GROUP)
        no_other(some.add("member", **asks))
        blocks = group_option(some.add("blocks", **asks), JOIN_GROUP)
        group_option(blocks, BLOCK_SOURCE, lab.l0.addr[family])
        said = some.ask(dst=GROUP[family])
        tap.is_(some.results(said), {"copy": "copy", "member": "member",
                                     "blocks": "member"}, "membership")
        right.apply(proto(OSPF, deliver="reject"))
        tap.is_(some.ask(dst=GROUP[family]).icmp, "silent",
                "no ICMP error about a packet to a group")
        right.apply()


@tap.each(4, 6)
def icmp_filters(family):
    number = sock.ICMP_OF[family]
    kinds = {4: (8, 0), 6: (128, 129)}[family]
    words = [0] * (1 if family == 4 else 8)
    words[kinds[0] // 32] = 1 << kinds[0] % 32

    def message(kind):
        """Of this type; sockets of ICMPv6 check its checksum."""
        body = struct.pack("!BBHI", kind, 0, 0, 0)
        head = packet.pseudo(lab.l0.addr[6], lab.r0.addr[6], number,
                             len(body)) if family == 6 else b""
        return body[:2] + struct.pack("!H", packet.checksum(head + body)) + \
            body[4:]

    with Sockets(number, family) as some:
        some.add("all")
        some.add("blocks").set(*ICMP_FILTER[family],
                               struct.pack("=%dI" % len(words), *words))
        for kind, result in zip(kinds, ("icmp_filter", "copy")):
            said = some.ask(payload=message(kind))
            tap.is_(some.results(said), {"all": "copy", "blocks": result},
                    "type %d" % kind)
            tap.is_(said.receives, True, "and the kernel's handler has it")
        handler = said.all("handler")[0]["handler"]
        tap.is_(handler["symbol"], {4: "icmp_rcv", 6: "icmpv6_rcv"}[family],
                "which is named")
        error = {4: 3, 6: 1}[family]
        right.apply(proto(number, deliver="reject"))
        tap.is_([some.ask(payload=message(kind)).icmp
                 for kind in (error, kinds[0])], ["silent", "sent"],
                "an ICMP error is not answered with another")
        right.apply()


@tap.case
def a_filter_that_could_change_something():
    fd = sock.ebpf()
    if fd < 0:
        raise tap.Skip("no eBPF")
    with Sockets(PLAIN, 4) as some:
        some.add("unknown").set(socket.SOL_SOCKET, 50, fd)	# SO_ATTACH_BPF
        said = some.ask()
        tap.is_(some.results(said), {"unknown": "unknown"}, "is not run")
        tap.is_((said.matching, said.copies), (1, 0), "and counted as no copy")
    os.close(fd)


@tap.each(4, 6)
def verdicts_and_unreach(family):
    elsewhere = {"bind": LOOPBACK[family]}
    for verdict, reader, unreach, icmp, socket_result in (
            ("all", {}, "always", "sent", "copy"),
            ("all", {}, "auto", "none", "copy"),
            ("all", elsewhere, "auto", "sent", "local"),
            ("all", elsewhere, "never", "never", "local"),
            ("raw", {}, "never", "none", "copy"),
            ("raw", {}, "always", "sent", "copy"),
            ("raw", elsewhere, "never", "never", "local"),
            ("one", {}, "auto", "none", "copy"),
            ("kernel", {}, "auto", "sent", "verdict"),
            ("kernel", elsewhere, "never", "never", "local"),
            ("none", {}, "always", "none", "verdict"),
            ("reject", {}, "never", "sent", "verdict")):
        right.apply(proto(PLAIN, deliver=verdict, unreach=unreach))
        with Sockets(PLAIN, family) as some:
            some.add("one", **reader)
            said = some.ask()
            tap.is_((said.decider, said.verdict, said.icmp,
                     some.results(said)["one"]),
                    ("proto", verdict, icmp, socket_result),
                    "%s, unreach %s, %s" % (verdict, unreach, socket_result))
            if icmp == "sent":
                tap.is_(said.error, UNREACH[family], "type, code, pointer")
    right.apply()


@tap.each(4, 6)
def handlers(family):
    right.apply(proto(PLAIN, claim="plain"))
    other.apply(proto(ELSEWHERE, claim="plain"))
    way = lab.l0.addr[family], lab.r0.addr[family]
    here, there = explain(PLAIN, *way), explain(ELSEWHERE, *way)
    nobody = explain(200, *way)
    tap.is_((here.receives, here.icmp), (True, "none"), "claimed here")
    tap.is_((there.receives, there.icmp), (False, "sent"),
            "claimed by another namespace: as without a handler")
    flags = [said.all("handler")[0]["handler"]["flags"] &
             (K.HANDLER_KRAW | K.HANDLER_HERE) for said in (here, there)]
    tap.is_(flags, [K.HANDLER_KRAW | K.HANDLER_HERE, K.HANDLER_KRAW],
            "whose it is")
    tap.is_((nobody.receives, nobody.icmp,
             "handler" in nobody.all("handler")[0]), (False, "sent", False),
            "nobody's")
    right.apply(proto(PLAIN, claim="plain", unreach="always"))
    said = explain(PLAIN, *way)
    tap.is_((said.receives, said.icmp), (True, "sent"),
            "to unreach always a claim's handler is nobody")
    right.apply(proto(PLAIN, families=K.FAMILY_IPV6 if family == 4 else
                      K.FAMILY_IPV4, deliver="none"))
    tap.is_(explain(PLAIN, *way).decider, "linux", "not managed in this family")
    right.apply()
    other.apply()


@tap.case
def shapes_in_their_order():
    right.apply(
        proto(PLAIN), rule(PLAIN, "none", pref=10, src="10.9.0.16/28"),
        rule(PLAIN, "none", pref=11, src="10.9.0.32/28"),
        rule(PLAIN, "none", pref=12, src="fd09::/16"),
        rule(PLAIN, "raw", pref=20, ttl_min=9, ttl_max=9, type_min=1,
             type_max=1),
        rule(PLAIN, "kernel", pref=30, dev="r0", ttl_min=1, ttl_max=200),
        rule(PLAIN, "reject", pref=40, dscp=1, dst="10.9.0.2",
             extra=[sized(K.RULE_A_MARK, 1), sized(K.RULE_A_MARK_MASK, 3)]),
        rule(PLAIN, "all", pref=50))
    way = lab.l0.addr[4], lab.r0.addr[4]

    def asked(**more):
        said = explain(PLAIN, *way, **more)
        return said, [(shape["pref"], SHAPE[shape["shape_result"]])
                      for shape in said.shapes]

    said, shapes = asked(payload=b"\2")
    tap.is_(shapes, [(10, "miss"), (12, "other"), (20, "miss"), (30, "hit")],
            "up to the last one that can be better")
    tap.is_((said.rule["pref"], said.verdict, said.decider),
            (30, "kernel", "rule"), "the rule that decides")
    tap.is_(said.order, ["packet"] + ["shape"] * 4 + ["rule", "verdict",
                                                      "handler", "outcome"],
            "the order of the steps")
    tap.is_([{name: shape.get(name) for name in (
        "fields", "family", "src_prefix", "dst_prefix", "rules")}
        for shape in said.shapes], [
            {"fields": K.SHAPE_SRC, "family": 1, "src_prefix": 28,
             "dst_prefix": None, "rules": 2},
            {"fields": K.SHAPE_SRC, "family": 2, "src_prefix": 16,
             "dst_prefix": None, "rules": 1},
            {"fields": K.SHAPE_TTL | K.SHAPE_TYPE, "family": None,
             "src_prefix": None, "dst_prefix": None, "rules": 1},
            {"fields": K.SHAPE_DEV, "family": None, "src_prefix": None,
             "dst_prefix": None, "rules": 1}], "what the rules look at")
    tap.is_(asked(ttl=9, payload=b"\1")[1][2:], [(20, "hit")],
            "a value, and no more shapes")
    said, shapes = asked(ttl=201, dscp=1, mark=5)
    tap.is_(shapes[2:], [(20, "other"), (30, "miss"), (40, "hit")],
            "a range that misses; no payload, so no type; a mark")
    tap.is_((said.shapes[4]["mark_mask"], said.shapes[4]["fields"],
             said.shapes[4]["dst_prefix"]),
            (3, K.SHAPE_DST | K.SHAPE_DSCP | K.SHAPE_MARK, 32), "its shape")
    said, shapes = asked(ttl=255)
    tap.is_((said.rule["pref"], shapes[-1]), (50, (50, "hit")),
            "the rule without a match")
    program = [(0x00, 0, 0, 1)] * 4095 + [(0x06, 0, 0, 1)]
    right.apply(proto(PLAIN), rule(PLAIN, "raw", pref=10, bpf=program))
    tap.is_(len(explain(PLAIN, *way).rule["bpf"]), 8 * 4096,
            "a rule with a long program")
    right.apply()


@tap.each(4, 6)
def marks_fragments_and_limits(family):
    way = lab.l0.addr[family], lab.r0.addr[family]
    limit = [sized(K.RULE_A_LIMIT_RATE, 1), sized(K.RULE_A_LIMIT_BURST, 1)]
    right.apply(
        proto(PLAIN), rule(PLAIN, "none", pref=1, extra=[
            sized(K.RULE_A_MARK, 4), sized(K.RULE_A_MARK_MASK, 4)]),
        rule(PLAIN, "raw", pref=2, extra=[flag(K.RULE_A_FRAGMENT)]),
        rule(PLAIN, "kernel", pref=3, extra=limit))
    tap.is_([explain(PLAIN, *way, **more).verdict for more in (
        {"mark": 5}, {"mark": 3, "fragment": True}, {}, {})],
            ["none", "raw", "kernel", "kernel"],
            "a mark, fragments, and a limit that asking does not use up")
    with Probe(lab.left, lab.right, PLAIN, family) as probe:
        probe.send()
    said = explain(PLAIN, *way)
    results = [SHAPE[shape["shape_result"]] for shape in said.shapes]
    tap.is_((said.verdict, said.decider, results.count("limited")),
            ("all", "proto", 1), "a packet does")
    right.apply()


@tap.case
def devices_and_routes():
    left, mine = lab.l0.addr[4], lab.r0.addr[4]
    for family in (4, 6):
        way = lab.l0.addr[family], lab.r0.addr[family]
        tap.is_(explain(PLAIN, *way).all("packet")[0]["packet"]["dev"], "r0",
                "IPv%d: by the device of the route to its source" % family)
        own = explain(PLAIN, way[1], way[1])
        tap.is_(own.all("packet")[0]["packet"]["dev"], "lo",
                "IPv%d: from this host by lo" % family)

    def refused(*args, **more):
        try:
            explain(PLAIN, *args, **more)
        except genl.Refused as error:
            return error.name if error.text else "without a text"
        return None
    tap.is_(refused(left, "10.9.0.77"), "EHOSTUNREACH", "not for this host")
    tap.is_(refused("fd09::1", "fd09::77"), "EHOSTUNREACH", "nor IPv6")
    tap.is_(refused("192.0.2.1", mine), "EHOSTUNREACH", "no route to it")
    tap.is_(refused("2001:db8::1", "fd09::2"), "EHOSTUNREACH", "nor IPv6")
    tap.is_(refused(left, "224.0.0.99"), "EHOSTUNREACH", "no such group here")
    tap.is_(refused("fd09::1", "ff02::99"), "EHOSTUNREACH", "nor IPv6")
    tap.is_(refused("ff02::5", "fd09::2", dev="r0"), "EHOSTUNREACH",
            "from a group")
    tap.is_(refused("127.0.0.1", mine, dev="r0"), "EHOSTUNREACH",
            "a loopback address from outside")
    tap.is_(explain(PLAIN, "192.0.2.1", mine, dev="r0").icmp, "silent",
            "there is no way back for an ICMP error")
    lab.right.ip("xfrm policy add src 198.51.100.0/24 dst 10.9.0.2 dir in")
    tap.is_(explain(PLAIN, left, mine).policy, True, "IPsec policies are told")
    lab.right.ip("xfrm policy flush")
    tap.is_(explain(PLAIN, left, mine).policy, False, "or that there are none")


@tap.each(4, 6)
def to_itself(family):
    way = lab.r0.addr[family]
    with Sockets(PLAIN, family) as some:
        some.add("any")
        some.add("r0", device="r0")
        some.add("lo", device="lo")
        some.add("bound", bind=way)
        said = explain(PLAIN, way, way)
        sender = sock.Sender(family, lab.right)
        sender.send(packet.ip(way, way, PLAIN, b"to myself"))
        sender.close()
        got = {name: "copy" if reader.drain() else None
               for name, reader in some.by_name.items()}
        tap.is_({name: result if result == "copy" else None
                 for name, result in some.results(said).items()}, got,
                "what this host sends to itself")


@tap.case
def one_instant():
    right.apply(proto(PLAIN), rule(PLAIN, "raw", pref=10))
    generation = right.generation()
    with Sockets(PLAIN, 4) as some:
        for number in range(900):
            some.add(number)
        dump = Dump(right, K.CMD_EXPLAIN,
                    described(PLAIN, lab.l0.addr[4], lab.r0.addr[4]))
        first = dump.step()
        with Client(lab.right) as client:
            client.apply()
        rest = dump.rest()
        said = Said(first + rest)
        results = set(some.results(said).values())
    tap.ok(rest, "the answer takes several messages")
    tap.is_(results, {"copy"}, "all 900 sockets")
    tap.is_((said.rule["pref"], said.copies), (10, 900), "rule and outcome")
    tap.is_(({m["generation"] for m in said.messages}, dump.interrupted),
            ({generation}, False), "of one configuration, whatever comes later")


# --- the tool ----------------------------------------------------------------

@tap.case
def the_tool():
    right.apply(proto(PLAIN), rule(PLAIN, "raw", pref=10, src="10.9.0.0/24"))
    words = "explain proto 253 src 10.9.0.1 dst 10.9.0.2 ttl 9 dscp af11 " \
        "mark 0x10 len 99 fragment payload 01:02ff"
    with Sockets(PLAIN, 4) as some:
        some.add("copy")
        some.add("lo", device="lo")
        text = tool.do_alone(words, lab.right)
        steps = json.loads(tool.do_alone("-j " + words, lab.right))
        inodes = {inode(one): name for name, one in some.by_name.items()}
    tap.is_([step["step"] for step in steps],
            ["packet", "shape", "rule", "verdict", "socket", "socket",
             "handler", "outcome"], "JSON: the steps")
    tap.is_(steps[0], {"step": "packet", "proto": 253, "src": "10.9.0.1",
                       "dst": "10.9.0.2", "dev": "r0", "len": 99, "ttl": 9,
                       "dscp": 10, "mark": 16, "fragment": True}, "the packet")
    tap.is_((steps[1]["fields"], steps[1]["src_prefix"], steps[1]["result"],
             steps[2]["rule"]["pref"], steps[3]["verdict"],
             steps[3]["decider"]), (["src"], 24, "hit", 10, "raw", "rule"),
            "shape, rule, verdict")
    tap.is_({inodes[step["inode"]]: (step["result"],
                                     step["processes"][0]["pid"])
             for step in steps[4:6]},
            {"copy": ("copy", os.getpid()), "lo": ("device", os.getpid())},
            "sockets and processes")
    tap.is_((steps[6]["handler"], steps[7]["copies"], steps[7]["icmp"]),
            (None, 1, None), "handler and outcome")
    lines = text.splitlines()
    tap.is_([line.split()[0] for line in lines],
            [step["step"] for step in steps], "text: a line each")
    for part in ("packet proto 253 src 10.9.0.1 dst 10.9.0.2 dev r0 len 99",
                 "shape src/24 pref 10 rules 1 -> one matches",
                 "deliver raw", "verdict raw unreach auto -> the rule decides",
                 "-> gets it", "-> nothing: is bound to another device",
                 "pid %d" % os.getpid(), "-> no ICMP error"):
        tap.has(text, part, "text: " + part)
    out = tool.do_alone("explain proto 253 src fd09::1 dst fd09::2", lab.right)
    tap.has(out, "ICMPv6 unrecognised next header is sent", "IPv6")
    right.apply()


@tap.case
def bad_input():
    base = "explain proto 253 src 10.9.0.1 dst 10.9.0.2"
    before = right.state()
    for words, part in (
            ("explain", "Usage"), ("explain src 10.9.0.1", "proto P"),
            ("explain proto 253 src 10.9.0.1", "dst ADDRESS"),
            ("explain proto 253 src 10.9.0.1 dst fd09::2", "families"),
            ("explain proto 253 src 10.9.0.0/24 dst 10.9.0.2", "not an IP"),
            ("explain proto 255 src 10.9.0.1 dst 10.9.0.2", "255"),
            ("explain proto 60 src fd09::1 dst fd09::2", "extension header"),
            (base + " dev none0", "no such device"),
            (base + " dev l0", "no such device"),
            (base + " payload abc", "hexadecimal"),
            (base + " payload zz", "hexadecimal"),
            (base + " payload " + "00" * 32769, "at most 32768"),
            (base + " len 19", "less than"),
            (base + " len 22 payload 010203", "less than"),
            (base + " len 65536", "no packet is so long"),
            (base + " ttl 256", "too large"), (base + " dscp 64", "63"),
            (base + " mark 1/3", "mask"), (base + " ttl 1 ttl 2", "twice"),
            (base + " colour 5", "not understood")):
        got = tool.refused(words.split(), lab.right)
        tap.ok(part in got.err and (part == "Usage" or
                                    got.err.count("\n") == 0) and
               len(got.err) < 70000, "kraw %s: one line" % words[:70],
               got.err[:300])
    for what, attribute, code in (
            ("no address", described(PLAIN), "EINVAL"),
            ("no protocol", described(None, "10.9.0.1", "10.9.0.2"), "EINVAL"),
            ("5 bytes", described(PLAIN, extra=[
                genl.attr(K.PACKET_A_SRC, bytes(5)),
                genl.attr(K.PACKET_A_DST, bytes(5))]), "EINVAL"),
            ("two families", described(PLAIN, "10.9.0.1", "fd09::2"),
             "EINVAL"),
            ("no packet", b"", "EINVAL"),
            ("no device", described(PLAIN, "10.9.0.1", "10.9.0.2", dev="l0"),
             "ENODEV"),
            ("IPv6, 65576 bytes", described(PLAIN, "fd09::1", "fd09::2",
                                            len=65576), "EINVAL")):
        got = right.refusal(K.CMD_EXPLAIN, attribute, flags=genl.DUMP)
        tap.ok(got and got.name == code and got.text, what, got)
    for family, most in ((4, 65535), (6, 65575)):
        said = explain(PLAIN, lab.l0.addr[family], lab.r0.addr[family],
                       len=most, payload=bytes(32768))
        tap.is_(said.all("packet")[0]["packet"]["len"], most,
                "IPv%d: the longest packet" % family)
    tap.is_(right.state(), before, "nothing has changed")


@tap.case
def without_the_module():
    tool.hang_up()
    right.close()
    other.close()
    module.unload()
    got = tool.refused("explain proto 253 src 10.9.0.1 dst 10.9.0.2",
                       lab.right)
    tap.ok(got.status == 2 and "not loaded" in got.err, "says so", got.err)


tap.run()
