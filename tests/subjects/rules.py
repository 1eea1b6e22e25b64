#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Rules: each match takes what it says and nothing else, to the ends of its range;
the first rule by preference, then by age, wins and alone counts; a rule of one
family never sees the other; replace, del and flush.  And connection tracking
beside them: who is delivered is confirmed, whoever came first.
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import packet, sock, tap, tool
from krawtest.manage import managed
from krawtest.netns import SOURCES, Lab
from krawtest.session import Session
from krawtest.who import UNREACH, Marker, Probe, token

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
marker = tap.cleanup(Marker(lab.l0, lab.r0))

# more addresses of right, for rules on the destination
DST = {4: "10.9.7.%d", 6: "fd09:7::%d"}
lab.right.ip(*("addr add %s/%d dev lo" % (DST[family] % host, bits)
               for family, bits in ((4, 32), (6, 128)) for host in (1, 2, 3)))
lab.left.ip("route add 10.9.7.0/24 via 10.9.0.2",
            "route add fd09:7::/64 via fd09::2")
HEAD = {4: 20, 6: 40}
listing = Session(tool.KRAW, "right", True, ["-s", "-d"])
lab.right.at_close(listing.close)


def rules():
    """The rules of protocol 253 with their counters."""
    out, err = listing.run("rule show proto 253")
    if err:
        raise tool.Refused(err)
    return json.loads(out or "[]")


def counters():
    """{handle: (packets, bytes)}"""
    return {rule["handle"]: (rule["packets"], rule["bytes"])
            for rule in rules()}


class Traffic:
    """Sends to right, one raw socket of protocol 253 there."""
    def __init__(self, family):
        self.family = family
        self._here = sock.Sender(family, lab.left)
        self._there = sock.Sender(family, lab.right)
        self._reader = sock.Reader(253, family, lab.right)
        self.sent = 0

    def packet(self, body=b"", src=None, dst=None, **more):
        mark = more.pop("mark", None)
        return packet.ip(src or lab.l0.addr[self.family],
                         dst or lab.r0.addr[self.family], 253,
                         token() + body if mark is None else mark, **more)

    def received(self, data, local=False):
        """Send it, from left or from right itself; how many copies came?"""
        self._reader.drain()
        (self._there if local else self._here).send(data)
        marker.flush()
        return len(self._reader.drain())

    def close(self):
        for one in (self._here, self._there, self._reader):
            one.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# --- each match --------------------------------------------------------------

def matches(family):
    """(words, those that match, those that do not): arguments of packet()."""
    head = HEAD[family] + 8
    # 8 addresses at the ends of their prefixes, none of which left has
    inside, outside = {
        4: (["10.9.0.16", "10.9.0.31"], ["10.9.0.15", "10.9.0.32"]),
        6: (["fd09::1:0", "fd09::1:ffff"], ["fd09::ffff", "fd09::2:0"]),
    }[family]
    prefix = SOURCES[family][0][0]
    me = lab.l0.addr[family]
    every, ip, ttl = {4: ("0.0.0.0/0", "ip", 8), 6: ("::/0", "ip6", 7)}[family]
    pair = {4: "10.9.7.2/31", 6: "fd09:7::2/127"}[family]
    return [
        ("src " + prefix, [{"src": src} for src in inside],
         [{"src": src} for src in outside]),
        ("src " + me, [{}], [{"src": inside[0]}]),
        ("src " + every, [{}, {"src": inside[0]}], []),
        ("dst " + pair, [{"dst": DST[family] % 2}, {"dst": DST[family] % 3}],
         [{"dst": DST[family] % 1}, {}]),
        ("dst %s src %s" % (pair, prefix),
         [{"dst": DST[family] % 2, "src": inside[0]}],
         [{"dst": DST[family] % 2}, {"src": inside[0]}]),
        ("dev r0", [{}], [{"local": True, "src": lab.r0.addr[family]}]),
        ("dev lo", [{"local": True, "src": lab.r0.addr[family]}], [{}]),
        ("ttl 10-20", [{"ttl": 10}, {"ttl": 20}], [{"ttl": 9}, {"ttl": 21}]),
        ("ttl 255", [{"ttl": 255}], [{"ttl": 254}, {"ttl": 1}]),
        ("ttl 1-255", [{"ttl": 1}, {"ttl": 255}], []),
        ("len %d-%d" % (head + 2, head + 900),
         [{"body": bytes(2)}, {"body": bytes(900)}],
         [{"body": bytes(1)}, {"body": bytes(901)}]),
        ("len %d" % HEAD[family], [{"mark": b""}], [{"mark": b"x"}]),
        ("type 3-9", [{"mark": b"\3"}, {"mark": b"\x09more"}],
         [{"mark": b"\2"}, {"mark": b"\x0a"}, {"mark": b""}]),
        ("type 0", [{"mark": b"\0"}], [{"mark": b"\1"}, {"mark": b""}]),
        ("type 0-255", [{"mark": b"\0"}, {"mark": b"\xff"}], [{"mark": b""}]),
        ("match '%s[%d] == 7'" % (ip, ttl), [{"ttl": 7}], [{"ttl": 8}]),
        ("match '%s proto 253 and src host %s'" % (ip, me), [{}],
         [{"src": inside[0]}]),
        ("match 'greater %d'" % (head + 10), [{"body": bytes(10)}],
         [{"body": bytes(9)}]),
        ("src %s dst %s dev r0 ttl 30-40 len %d type 1 match '%s[%d] != 33'" %
         (prefix, pair, HEAD[family] + 3, ip, ttl),
         [{"src": inside[0], "dst": DST[family] % 2, "ttl": 32,
           "mark": b"\1\2\3"}],
         [{"src": outside[0], "dst": DST[family] % 2, "ttl": 32,
           "mark": b"\1\2\3"},
          {"src": inside[0], "dst": DST[family] % 1, "ttl": 32,
           "mark": b"\1\2\3"},
          {"src": inside[0], "dst": DST[family] % 2, "ttl": 41,
           "mark": b"\1\2\3"},
          {"src": inside[0], "dst": DST[family] % 2, "ttl": 32,
           "mark": b"\1\2\3\4"},
          {"src": inside[0], "dst": DST[family] % 2, "ttl": 32,
           "mark": b"\2\2\3"},
          {"src": inside[0], "dst": DST[family] % 2, "ttl": 33,
           "mark": b"\1\2\3"}]),
    ]


@tap.each(4, 6)
def each_match(family):
    """A rule that gives to nobody what the protocol gives to raw sockets."""
    with managed(253, lab.right, "deliver raw"), Traffic(family) as traffic:
        for words, taken, left in matches(family):
            tool.do("rule add proto 253 %s deliver none" % words, lab.right)
            sizes, got = 0, []
            for how in taken + left:
                how = dict(how)
                local = how.pop("local", False)
                data = traffic.packet(**how)
                got.append(traffic.received(data, local))
                if len(got) <= len(taken):
                    sizes += len(data)
            tap.is_(got, [0] * len(taken) + [1] * len(left), words)
            tap.is_(list(counters().values()), [(len(taken), sizes)],
                    words + ": packets and bytes")
            tool.do("rule flush proto 253", lab.right)


@tap.each((4, 6), (6, 4))
def one_family_only(family, other):
    """A rule with an address says nothing of the other family."""
    every = {4: "0.0.0.0/0", 6: "::/0"}
    expression = {4: "ip", 6: "ip6"}
    for words in ("src " + every[family], "dst " + every[family],
                  "match '%s'" % expression[family]):
        with managed(253, lab.right, "deliver raw", words + " deliver none"):
            for which, wanted in ((family, 0), (other, 1)):
                with Traffic(which) as traffic:
                    tap.is_(traffic.received(traffic.packet()), wanted,
                            "%s: IPv%d" % (words, which))
            tap.is_([packets for packets, _ in counters().values()], [1],
                    words + ": counted once")


# --- which one ---------------------------------------------------------------

@tap.each(4, 6)
def the_first_one_wins(family):
    """By preference, not by the order in which they were added."""
    prefix, inside = SOURCES[family][0]
    with managed(253, lab.right, "deliver none",
                 "pref 30 deliver reject",
                 "pref 10 src %s deliver raw" % prefix,
                 "pref 20 type 7 deliver none",
                 "pref 4294967295 ttl 0-255 deliver raw"), \
            Probe(lab.left, lab.right, 253, family, readers=1) as probe, \
            Traffic(family) as traffic:

        def sent(**how):
            data = traffic.packet(**how)
            got = probe.transmit([data], [b""])
            return got.raw + [len(got.icmp)]
        tap.is_(sent(src=inside, mark=b"\7seven"), [1, 0], "all of them: 10")
        tap.is_(sent(mark=b"\7seven"), [0, 0], "two of them: 20")
        tap.is_(sent(mark=b"\6seven"), [0, 1], "any: 30")
        tap.is_({rule["pref"]: rule["packets"] for rule in rules()},
                {10: 1, 20: 1, 30: 1, 4294967295: 0}, "each counts its own")
        tap.is_([rule["pref"] for rule in rules()],
                [10, 20, 30, 4294967295], "listed in their order")
        tap.ok("preference" in tool.refused(
            "rule add proto 253 src %s deliver raw" % inside, lab.right).err,
            "none is left for one that names none")
        tool.do("rule del proto 253 pref 10", lab.right)
        tap.is_(sent(src=inside, mark=b"\7seven"), [0, 0], "10 deleted: 20")
        tool.do("rule del proto 253 pref 20", lab.right)
        tap.is_(sent(src=inside, mark=b"\7seven"), [0, 1], "20 deleted: 30")
        tool.do("rule add proto 253 pref 0 src %s deliver raw" % inside,
                lab.right)
        tap.is_(sent(src=inside), [1, 0], "0 is before all")
        tool.do("rule flush proto 253", lab.right)
        tap.is_((rules(), sent(src=inside)), ([], [0, 0]),
                "flushed: the protocol's verdict")


@tap.each(4, 6)
def the_older_of_equals_wins(family):
    prefix, inside = SOURCES[family][0]
    with managed(253, lab.right, "deliver none", "pref 5 ttl 64 deliver raw",
                 "pref 5 src %s deliver none" % prefix,
                 "pref 5 len 1-65535 deliver none"), \
            Traffic(family) as traffic:
        tap.is_(traffic.received(traffic.packet(src=inside)), 1,
                "the oldest of three")
        tap.is_([rule["packets"] for rule in rules()], [1, 0, 0],
                "alone counts")
        oldest = rules()[0]["handle"]
        tool.do("rule del proto 253 handle %d" % oldest, lab.right)
        tap.is_(traffic.received(traffic.packet(src=inside)), 0,
                "deleted by its handle: the next one")
        tap.is_([rule["packets"] for rule in rules()], [1, 0], "that counts")
        tool.do("rule add proto 253 pref 5 ttl 64 deliver raw", lab.right)
        tap.is_(traffic.received(traffic.packet(src=inside)), 0,
                "added again it is the youngest")


@tap.each(4, 6)
def replaced(family):
    """The handle stays, the counters start anew, the rest changes."""
    prefix, inside = SOURCES[family][0]
    with managed(253, lab.right, "deliver reject",
                 "pref 5 src %s deliver none" % prefix,
                 "pref 6 ttl 64 deliver raw"), Traffic(family) as traffic:
        tap.is_(traffic.received(traffic.packet(src=inside)), 0, "before")
        first, second = rules()
        tool.do("rule replace proto 253 pref 5 src %s deliver raw" % prefix,
                lab.right)
        now = rules()[0]
        tap.is_((now["handle"], now["pref"], now["deliver"], now["packets"],
                 now["bytes"]), (first["handle"], 5, "raw", 0, 0),
                "by preference")
        tap.is_(traffic.received(traffic.packet(src=inside)), 1,
                "another verdict")
        tap.is_(rules()[0]["packets"], 1, "counts again")
        tool.do("rule replace proto 253 handle %d pref 9 len 1-65535 "
                "deliver none" % first["handle"], lab.right)
        tap.is_([rule["handle"] for rule in rules()],
                [second["handle"], first["handle"]],
                "by handle, with another preference: behind the other")
        tap.is_(traffic.received(traffic.packet(src=inside)), 1,
                "the other one has it")
        tap.is_([rule["packets"] for rule in rules()], [1, 0], "and counts it")
        tool.do("rule replace proto 253 pref 7 src %s deliver none" % prefix,
                lab.right)
        tap.is_(len(rules()), 3, "nothing there to replace: added")


@tap.case
def counters_add_up():
    """Many packets of many sizes, by rule and by protocol."""
    with managed(253, lab.right, "deliver raw", "pref 1 ttl 1 deliver none",
                 "pref 2 ttl 2 deliver reject", "pref 3 ttl 3 deliver raw",
                 "pref 4 ttl 4 deliver all", "pref 5 ttl 5 deliver kernel"):
        expected = {}
        for family in (4, 6):
            with Traffic(family) as traffic:
                for number in range(40):
                    ttl = number % 7 + 1
                    data = traffic.packet(body=bytes(number * 13), ttl=ttl)
                    traffic.received(data)
                    packets, size = expected.get(ttl, (0, 0))
                    expected[ttl] = (packets + 1, size + len(data))
        tap.is_({rule["pref"]: (rule["packets"], rule["bytes"])
                 for rule in rules()},
                {ttl: expected[ttl] for ttl in range(1, 6)}, "each rule")
        stats = tool.stats(253, lab.right)
        for part, ttls in (("none", (1,)), ("reject", (2,)),
                           ("raw", (3, 6, 7)), ("all", (4,)),
                           ("kernel", (5,))):
            tap.is_(stats[4][part] + stats[6][part],
                    sum(expected[ttl][0] for ttl in ttls),
                    "verdict " + part)


# --- connection tracking -----------------------------------------------------

VERDICTS = ("all", "raw", "kernel", "none", "reject")
TABLE = """table inet kraw {
	chain out {
		type filter hook output priority 0;
%s	}
}
"""


def flows():
    """(family, verdict, source): a connection each."""
    return [(family, verdict, SOURCES[family][number][1])
            for family in (4, 6) for number, verdict in enumerate(VERDICTS)]


def load(proto):
    """Count what right sends back within a connection."""
    lines = "".join("\t\tmeta l4proto %d %s daddr %s ct state established "
                    "counter\n" % (proto, {4: "ip", 6: "ip6"}[family], source)
                    for family, _, source in flows())
    done = lab.right.run("nft", "-f", "-", input=TABLE % lines)
    if done.returncode:
        raise tap.Skip("no connection tracking in nft: " +
                       done.stderr.splitlines()[0])


def established():
    """The counters, in the order of flows()."""
    done = lab.right.run("nft", "-j", "list", "table", "inet", "kraw")
    return [part["counter"]["packets"]
            for one in json.loads(done.stdout)["nftables"] if "rule" in one
            for part in one["rule"]["expr"] if "counter" in part]


@tap.each((253, "conntrack first"), (254, "kraw first"))
def connections(proto, order):
    """
    What is delivered is a connection: the answer belongs to it.  Whether what
    is not delivered is one depends on whose hook comes first, and is not told.
    """
    words = ["src %s deliver %s" % (source, verdict)
             for _, verdict, source in flows()]
    if order == "conntrack first":
        load(proto)
    with managed(proto, lab.right, "claim plain", *words):
        if order == "kraw first":
            load(proto)
        try:
            for family, verdict, source in flows():
                me = lab.r0.addr[family]
                with Probe(lab.left, lab.right, proto, family, readers=1,
                           src=source) as probe:
                    got = probe.send()
                    tap.is_((got.raw, got.icmp),
                            ([int(verdict in ("all", "raw"))],
                             [UNREACH[family]] * (verdict == "reject")),
                            "IPv%d %s: delivered" % (family, verdict))
                sender = sock.Sender(family, lab.right)
                sender.send(packet.ip(me, source, proto, token()))
                sender.close()
            for (family, verdict, _), count in zip(flows(), established()):
                if verdict in ("all", "raw", "kernel"):
                    tap.is_(count, 1, "IPv%d %s: the answer is established" %
                            (family, verdict))
        finally:
            lab.right.run("nft", "delete", "table", "inet", "kraw")


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
