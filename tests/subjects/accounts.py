#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
What kraw counts of packets that Linux delivers is what becomes of them: refused
by a socket's filter, lost to a full queue, forbidden by IPsec, kept from a
handler, dropped by a hook behind kraw's, and each ICMP error.  The sums are
checked by krawtest.manage with each count; here are the stories, and `kraw
stats`.  subjects receivers and verdicts have the sockets' and verdicts' own.
"""
import json
import os
import signal
import socket
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import packet, sock, tap, tool
from krawtest.counters import Watch
from krawtest.manage import Count, check, managed
from krawtest.netns import SOURCES, Lab
from krawtest.who import UNREACH, Probe, token

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
lab.left.ip("route add 224.0.0.0/4 dev l0",
            "route add multicast ff00::/8 dev l0 table local metric 1")
GROUP = {4: "224.0.0.5", 6: "ff02::5"}
LEVEL = {4: socket.IPPROTO_IP, 6: socket.IPPROTO_IPV6}
JOIN_GROUP, BLOCK_SOURCE = 42, 43
BITS = {4: 32, 6: 128}
ACCOUNTS = ("match", "exact")


def sent(family, number=1, readers=0, proto=253, **how):
    """What a Probe reports of so many packets."""
    with Probe(lab.left, lab.right, proto, family, readers=readers,
               **how) as probe:
        return probe.send(number)


def counted(words, family, func, *rules, proto=253):
    """(what func() returns, all that kraw counted meanwhile)."""
    with managed(proto, lab.right, words, *rules):
        with Count(proto, family, lab.right) as count:
            got = func()
    return got, count.all


# --- the kernel delivers -----------------------------------------------------

@tap.each(4, 6)
def a_filter_that_rejects_everything(family):
    """Plain Linux takes it for a receiver; the counters know better."""
    with sock.Reader(253, family, lab.right) as reader:
        reader.filter(sock.REJECT)
        plain = sent(family, 5, [reader])
        tap.is_((plain.raw, plain.icmp), ([0], []),
                "plain Linux: nothing received, and nobody is told")
        for verdict in ("all", "raw"):
            got, count = counted("deliver %s account exact" % verdict, family,
                                 lambda: sent(family, 5, [reader]))
            tap.is_(got, plain, verdict + ": the same")
            tap.is_(count, {"seen": 5, verdict: 5, "end_raw": 5,
                            "raw_matched": 5, "raw_refused": 5,
                            "raw_socket_filter": 5}, verdict + ": all refused")
        _, count = counted("", family, lambda: sent(family, 5, [reader]))
        tap.is_((count["raw_matched"], count["raw_unknown"],
                 count["raw_copies"], count["end_raw"]), (5, 5, None, 5),
                "account match: five sockets matched, the rest is unknown")


@tap.each(4, 6)
def several_at_once(family):
    """Three fates of the copies of one packet, and a handler behind them."""
    with sock.Reader(253, family, lab.right, rcvbuf=1) as tiny, \
            sock.Reader(253, family, lab.right) as rejects, \
            sock.Reader(253, family, lab.right) as takes:
        rejects.filter(sock.REJECT)
        with Probe(lab.left, lab.right, 253, family, readers=[]) as probe:
            probe.send(12, payload=bytes(600))
        for words, more in (("", {"end_raw": 3}),
                            ("claim plain ", {"end_handler": 3,
                                              "claim_handled": 3,
                                              "dgram_nobody": 3})):
            got, count = counted(words + "account exact", family,
                                 lambda: sent(family, 3, [rejects, takes]))
            tap.is_((got.raw, got.icmp), ([0, 3], []), words + "received")
            tap.is_(count, {"seen": 3, "all": 3, "raw_matched": 9,
                            "raw_copies": 3, "raw_refused": 6, "raw_full": 3,
                            "raw_socket_filter": 3, **more},
                    words + "counted")
        tap.ok(tiny.drain(), "there was something in the full queue")


@tap.each(4, 6)
def a_handler_of_the_kernel(family):
    """Echo requests: the kernel answers, a raw socket has its copy."""
    src, dst = lab.l0.addr[family], lab.r0.addr[family]
    proto = sock.ICMP_OF[family]
    name = {4: "IcmpInEchos", 6: "Icmp6InEchos"}[family]

    def ping():
        data = [packet.ip(src, dst, *packet.echo(src, dst, 7, number, token()))
                for number in range(4)]
        with Watch(lab.right) as watch, \
                Probe(lab.left, lab.right, proto, family, readers=1) as probe:
            got = probe.transmit(data, [one[-8:] for one in data])
        return got.raw, watch.delta[name]
    # nothing but echo requests: hosts speak of neighbours, too
    rules = ["type %d deliver all" % {4: 8, 6: 128}[family]]
    for account in ACCOUNTS:
        with managed(proto, lab.right, "deliver kernel account " + account,
                     *rules):
            with Count(proto, family, lab.right) as count:
                got = ping()
        tap.is_(got, ([4], 4), account + ": a copy, and the handler")
        tap.is_((count.all["all"], count.all["raw_matched"]), (4, 4),
                account + ": a socket each")
        tap.is_((count.all.get("raw_copies"), count.all.get("raw_unknown"),
                 count.all["end_handler"]),
                (4 if account == "exact" else None,
                 None if account == "exact" else 4, count.all["seen"]),
                account + ": copies, handler")


@tap.each(4, 6)
def copies_of_a_handler(family):
    """
    UDP makes copies of a multicast, and drops those that its sockets refuse: they
    are no raw sockets'.
    """
    kind = sock.FAMILY[family]
    group, index = GROUP[family], None
    with lab.right:
        index = socket.if_nametoindex("r0")
        readers = [socket.socket(kind, socket.SOCK_DGRAM) for _ in range(3)]
    for reader in readers:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reader.bind(("", 4711))
        reader.setsockopt(LEVEL[family], JOIN_GROUP,
                          struct.pack("=I4x", index) + sockaddr(family, group))
        reader.setblocking(False)
        sock.attach_filter(reader, sock.REJECT)
    readers[2].setsockopt(socket.SOL_SOCKET, 27, 0)	# SO_DETACH_FILTER
    src = lab.l0.addr[family]

    def multicast():
        data = [packet.ip(src, group, 17,
                          packet.udp(src, group, 9, 4711, token()))
                for _ in range(2)]
        with Probe(lab.left, lab.right, 17, family, readers=1) as probe:
            got = probe.transmit(data, [one[-8:] for one in data]).raw
        return got, receive(readers[2])

    def receive(reader):
        number = 0
        try:
            while reader.recv(100):
                number += 1
        except BlockingIOError:
            return number
    plain = multicast()
    tap.is_(plain, ([2], 2), "plain Linux")
    got, count = counted("account exact", family, multicast, proto=17)
    tap.is_(got, plain, "the same")
    tap.is_(count, {"seen": 2, "all": 2, "end_handler": 2, "raw_matched": 2,
                    "raw_copies": 2}, "no refusal counted")
    for reader in readers:
        reader.close()


def sockaddr(family, addr):
    """A struct sockaddr_storage."""
    if family == 4:
        text = struct.pack("=HH", socket.AF_INET, 0) + socket.inet_aton(addr)
    else:
        text = struct.pack("=HHI", socket.AF_INET6, 0, 0) + \
            socket.inet_pton(socket.AF_INET6, addr)
    return text.ljust(128, b"\0")


@tap.each(*ACCOUNTS)
def no_member_of_the_group(account):
    """IPv6: the kernel keeps such packets from a handler (RFC 3810)."""
    with sock.Reader(254, 6, lab.right) as member:
        value = struct.pack("=I4x", 0) + sockaddr(6, GROUP[6])
        with lab.right:
            value = struct.pack("=I4x", socket.if_nametoindex("r0")) + \
                value[8:]
        member.sock.setsockopt(LEVEL[6], JOIN_GROUP, value)
        member.sock.setsockopt(LEVEL[6], BLOCK_SOURCE,
                               value + sockaddr(6, lab.l0.addr[6]))
        for verdict in ("all", "kernel"):
            for claim in ("claim plain", "claim none"):
                if (verdict, claim) == ("kernel", "claim none"):
                    continue	# nobody to keep it from
                with Watch(lab.right) as watch:
                    got, count = counted(
                        "%s deliver %s account %s" % (claim, verdict, account),
                        6, lambda: sent(6, 2, dst=GROUP[6]))
                discards = watch.delta.get("Ip6InDiscards", 0)
                expected = {"seen": 2, verdict: 2}
                if claim == "claim plain":
                    expected["end_discard"] = 2
                else:
                    expected["end_nobody"] = expected["unreach"] = 2
                    expected.update(
                        {"unreach_silent": 2} if account == "exact" else
                        {"unreach_unknown": 2, "unreach_sent": None,
                         "unreach_limited": None, "unreach_silent": None})
                tap.is_((got.icmp, discards, count),
                        ([], 2 if claim == "claim plain" else 0, expected),
                        "%s, %s" % (verdict, claim))


@tap.each(4, 6)
def claimed_here_and_elsewhere(family):
    """Whose claim it is decides where a packet ends."""
    both = [({}, {"end_nobody": 2, "unreach": 2, "unreach_sent": 2}),
            ({"readers": 1}, {"end_raw": 2, "raw_matched": 2,
                              "raw_copies": 2})]
    with managed(253, lab.other, "claim plain"):
        for how, expected in both:
            got, count = counted("account exact", family,
                                 lambda how=how: sent(family, 2, **how))
            tap.is_(count, {"seen": 2, "all": 2, **expected},
                    "claimed by another namespace, %s" % how)
            tap.is_(got.icmp, [] if how else [UNREACH[family]] * 2, "told")
        got, count = counted("claim plain account exact", family,
                             lambda: sent(family, 2))
        tap.is_(count, {"seen": 2, "all": 2, "end_handler": 2,
                        "claim_handled": 2, "dgram_nobody": 2},
                "claimed here, too")


@tap.each(4, 6)
def hooks_behind(family):
    """
    A chain of the same, the last priority, that was there before: it sees what it
    saw, and what it drops is counted.
    """
    name, proto = {4: ("ip", "ip protocol"), 6: ("ip6", "ip6 nexthdr")}[family]
    there, dropped = SOURCES[family][0][1], SOURCES[family][1][1]
    done = lab.right.run(
        "nft", "add table %(t)s t; add chain %(t)s t c { type filter hook input "
        "priority 2147483647; }; add rule %(t)s t c %(proto)s 253 counter; "
        "add rule %(t)s t c %(t)s saddr %(dropped)s drop" %
        {"t": name, "proto": proto, "dropped": dropped})
    if done.returncode:
        raise RuntimeError(done.stderr)

    def packets():
        text = lab.right.run("nft", "-j", "list", "table", name, "t").stdout
        return [expr["counter"]["packets"]
                for item in json.loads(text)["nftables"]
                for expr in item.get("rule", {}).get("expr", ())
                if "counter" in expr][0]
    try:
        for account in ACCOUNTS:
            before = packets()
            with managed(253, lab.right, "account " + account):
                with Count(253, family, lab.right) as count:
                    got = [sent(family, 2, 1, src=src)
                           for src in (there, dropped)]
            tap.is_([one.raw for one in got], [[2], [0]],
                    account + ": what it lets pass is received")
            tap.is_(packets() - before, 4, account + ": it saw all")
            if account == "exact":
                tap.is_(count.all, {"seen": 4, "all": 4, "end_raw": 2,
                                    "end_discard": 2, "raw_matched": 2,
                                    "raw_copies": 2}, "all is counted")
    finally:
        lab.right.run("nft", "flush ruleset")


@tap.each(4, 6)
def policies(family):
    """A packet that IPsec forbids, and one of two sockets with its own policy."""
    src = SOURCES[family][2][1]
    selector = "src %s/%d dst %s/%d" % (src, BITS[family], lab.r0.addr[family],
                                        BITS[family])
    lab.right.ip("xfrm policy add dir in %s action block" % selector)
    try:
        for claim, end in (("none", "end_policy"), ("plain", "end_policy")):
            for verdict in ("all", "kernel", "raw"):
                words = "claim %s deliver %s account " % (claim, verdict)
                _, count = counted(words + "exact", family,
                                   lambda: sent(family, 2, src=src))
                count.pop("kernel_handled", None)
                tap.is_(count, {"seen": 2, verdict: 2, end: 2},
                        words + "exact: forbidden")
            _, count = counted("claim " + claim, family,
                               lambda: sent(family, 2, src=src))
            tap.is_(count, {"seen": 2, "all": 2, "end_unknown": 2},
                    "claim %s account match: unknown" % claim)
        for verdict in ("all", "raw"):
            words = "deliver %s account exact" % verdict
            got, count = counted(words, family,
                                 lambda: sent(family, 2, 2, src=src))
            tap.is_((got.raw, count), ([0, 0], {
                "seen": 2, verdict: 2, "end_raw": 2, "raw_matched": 4,
                "raw_refused": 4, "raw_policy": 4}), words + ": each socket")
    finally:
        lab.right.ip("xfrm policy delete dir in " + selector)


# --- dropped -----------------------------------------------------------------

@tap.each(4, 6)
def by_rule_by_limit_by_protocol(family):
    burst = SOURCES[family][0][1]
    rules = ["pref 1 src %s limit 1/s burst 5 deliver raw" % burst,
             "pref 2 src %s deliver none" % burst,
             "pref 3 src %s deliver reject" % SOURCES[family][1][1]]
    with managed(253, lab.right, "deliver none account exact", *rules):
        with Count(253, family, lab.right) as count, \
                sock.Reader(253, family, lab.right) as reader:
            for src, number in ((burst, 9), (SOURCES[family][1][1], 2),
                                (lab.l0.addr[family], 3)):
                sent(family, number, [reader], src=src)
    got = count.all
    # a second may have passed meanwhile
    tap.ok(got["end_raw"] >= 5 and
           got["end_raw"] + got["end_limit"] == 9 and
           got["end_limit"] == got["limited"], "nine, a burst of five", got)
    tap.is_((got["end_rule"], got["end_proto"], got["none"] + got["reject"]),
            (2, 3, got["end_limit"] + 5), "by rule, by protocol, by verdict")
    tap.is_((got["unreach"], got["unreach_sent"]), (2, 2), "told")


# --- ICMP errors -------------------------------------------------------------

LIMIT = {4: ("net.ipv4.icmp_ratelimit", "net.ipv4.icmp_ratemask", 10000, 3),
         # a route of 64 bits gets four times as much
         6: ("net.ipv6.icmp.ratelimit", "net.ipv6.icmp.ratemask", 40000, 4)}
OUT = {4: "IcmpOutDestUnreachs", 6: "Icmp6OutParmProblems"}
BACK = {4: ("IcmpOutRateLimitHost", "IcmpOutRateLimitGlobal"),
        6: ("Icmp6OutRateLimitHost", "IcmpOutRateLimitGlobal")}


@tap.each(4, 6)
def sent_kept_back_suppressed(family):
    """As /proc/net/snmp and snmp6 count them."""
    peers = (addr for _, addr in SOURCES[family])
    limit, mask, value, kind = LIMIT[family]
    lab.right.sysctl(limit, value)
    lab.right.sysctl(mask, 1 << kind if family == 4 else kind)
    try:
        for words in ("deliver all", "deliver raw", "deliver reject",
                      "deliver all unreach always"):
            with Watch(lab.right) as watch:
                got, count = counted(words + " account exact", family, lambda:
                                     sent(family, 12, src=next(peers)))
            out = watch.delta.get(OUT[family], 0)
            back = sum(watch.delta.get(name, 0) for name in BACK[family])
            tap.ok(out and back, words + ": some were kept back", watch.delta)
            tap.is_((count["unreach"], count["unreach_sent"],
                     count["unreach_limited"], len(got.icmp)),
                    (12, out, back, out), words + ": counted as by Linux")
            tap.is_(count["end_proto" if "reject" in words else "end_nobody"],
                    12, words + ": where they ended")
    finally:
        lab.right.sysctl(limit, 0)
        lab.right.sysctl(mask, 0)
    with Watch(lab.right) as watch:
        _, count = counted("unreach never", family, lambda: sent(family, 3))
    tap.is_((count, watch.delta.get(OUT[family], 0)),
            ({"seen": 3, "all": 3, "end_nobody": 3, "unreach_never": 3}, 0),
            "suppressed")
    if family == 4:
        _, count = counted("account exact", 4,
                           lambda: sent(4, 2, dst="10.9.0.255"))
        tap.is_(count, {"seen": 2, "all": 2, "end_nobody": 2, "unreach": 2,
                        "unreach_silent": 2}, "broadcasts: Linux is silent")


# --- kraw stats --------------------------------------------------------------

def samples(text):
    """Prometheus' own reader: {(name, labels): value}, and the kinds."""
    from prometheus_client.parser import text_string_to_metric_families
    families = list(text_string_to_metric_families(text))
    return {(one.name, tuple(sorted(one.labels.items()))): one.value
            for family in families for one in family.samples}, \
        {family.type for family in families}, \
        [family.name for family in families if not family.documentation]


@tap.case
def prometheus():
    try:
        import prometheus_client	# noqa: F401
    except ImportError as why:
        raise tap.Skip("no python3-prometheus-client") from why
    with managed(6, lab.right), \
            managed(253, lab.right, "deliver raw account exact"):
        sent(4, 4, 2)
        sent(6, 3)
        text = tool.do("stats --prometheus", lab.right)
        rows = tool.stats(253, lab.right)
        one = tool.do("stats proto 253 --prometheus", lab.right)
    values, kinds, silent = samples(text)
    tap.is_((kinds, silent), ({"counter"}, []), "counters, all with help")
    tap.is_([name for name, _ in values if not name.endswith("_total")], [],
            "named as counters are")

    def value(name, family, **labels):
        labels.update(proto="253", name="", family="ipv%d" % family)
        return values.get((name, tuple(sorted(labels.items()))))

    def total(name, family):
        return sum(value for (found, labels), value in values.items()
                   if found == name and ("proto", "253") in labels and
                   ("family", "ipv%d" % family) in labels)
    for family in (4, 6):
        seen = value("kraw_packets_total", family)
        tap.is_((seen, total("kraw_verdicts_total", family),
                 total("kraw_outcomes_total", family)),
                (rows[family]["seen"],) * 3, "IPv%d: outcomes add up" % family)
        tap.is_(total("kraw_raw_copies_total", family),
                value("kraw_raw_matched_total", family), "and copies")
    tap.is_((value("kraw_raw_copies_total", 4, outcome="delivered"),
             value("kraw_unreach_total", 6, outcome="sent")), (8, 3), "values")
    tap.is_(samples(one)[0], {key: number for key, number in values.items()
                              if ("proto", "253") in key[1]},
            "one protocol alone")
    tap.ok(('name', 'tcp') in next(labels for _, labels in values
                                   if ("proto", "6") in labels), "a name")
    # what is not known is no sample
    with managed(253, lab.right):
        sent(4, 4, 1)
        values, _, _ = samples(tool.do("stats --prometheus", lab.right))
    tap.is_((value("kraw_raw_copies_total", 4, outcome="delivered"),
             value("kraw_raw_copies_total", 4, outcome="unknown")),
            (None, 4), "unknown is unknown")


@tap.case
def text():
    with managed(253, lab.right):
        sent(4, 4, 1)
        table = tool.do("stats proto 253", lab.right).splitlines()
        groups = tool.do_alone(["-d", "stats", "proto", "253"], lab.right)
    column = table[0].split().index("RAW-COPIES")
    tap.is_(table[1].split()[column], "?", "a table: unknown, not 0")
    tap.has(groups, "unknown 4", "-d says how many")
    tap.has(groups, "delivered ?", "-d: unknown, not 0")
    for words, part in (("stats -w", "-w"), ("stats -w 0", "1 or more"),
                        ("stats -w soon", "soon"),
                        ("stats --prometheus -w 1", "leave out -w"),
                        ("-j stats --prometheus", "leave out -j"),
                        ("stats proto 254 -w 1", "not managed"),
                        ("stats everything", "everything")):
        done = tool.refused(words, lab.right)
        tap.ok(len(done.err.splitlines()) == 1 and part in done.err, words,
               done)


def watching(*words):
    """A kraw that runs until it is told to end."""
    return subprocess.Popen(
        [tool.KRAW, "-n", "right", *words], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@tap.case
def watch():
    with managed(253, lab.right, "account exact"):
        kraw = watching("-j", "stats", "proto", "253", "-w", "1")
        first = json.loads(kraw.stdout.readline())
        tap.is_((first["seconds"], first["stats"][0]["rates"]["seen"]),
                (0.0, None), "no rate at first")
        sent(4, 40, 1)
        while True:
            line = json.loads(kraw.stdout.readline())
            row = line["stats"][0]
            if row["seen"] == 40:
                break
        number = row["rates"]["seen"] * line["seconds"]
        tap.ok(0 < number <= 40.01, "a rate", line)
        tap.is_(row["rates"]["raw_copies"], row["rates"]["seen"],
                "of copies, too")
        kraw.send_signal(signal.SIGINT)
        tap.is_((kraw.wait(), kraw.stderr.read()), (0, ""),
                "SIGINT: a clean end")
        kraw = watching("stats", "-w", "1")
        kraw.stdout.readline()
        kraw.stdout.close()
        tap.is_((kraw.wait(), kraw.stderr.read()), (0, ""),
                "nobody reads it: a quiet end")
        kraw = watching("stats", "proto", "253", "-w", "1")
        while "IPV4" not in kraw.stdout.readline().upper():
            pass
    _, errors = kraw.communicate()
    tap.is_((kraw.returncode, len(errors.splitlines())), (2, 1),
            "not managed any more: one line")


@tap.case
def settings():
    """account is a setting like the others."""
    tool.do("proto add 253 account exact", lab.right)
    saved = tool.do("save", lab.right)
    tap.has(saved, "account exact", "saved")
    tool.do("flush", lab.right)
    done = tool.kraw(["apply", "-"], lab.right, stdin=saved)
    tap.is_((done.status, done.err), (0, ""), "applied")
    shown, = tool.ask("proto show 253", lab.right)
    tap.is_(shown["account"], "exact", "shown")
    tool.do("proto set 253 deliver raw", lab.right)
    tap.is_(tool.ask("proto show 253", lab.right)[0]["account"], "exact",
            "it stays when others are set")
    tool.do("proto set 253 account match", lab.right)
    shown, = tool.ask("proto show 253", lab.right)
    tap.is_((shown["account"], shown["deliver"]), ("match", "raw"), "set")
    tap.has(tool.refused("proto set 253 account maybe", lab.right).err,
            "match, exact", "another word")
    check(253, lab.right)
    tool.do("proto del 253", lab.right)


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
