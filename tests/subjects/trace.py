#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
The tracepoints of events/kraw, for perf and bpftrace, by tracefs: kraw_input and
kraw_output tell of each packet about which the hooks decide, what it is and what
decided, and of a rule with "trace"; kraw_deliver tells who got it, or not, and
why.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import ftrace, packet, sock, tap, tool
from krawtest.manage import managed
from krawtest.netns import Lab
from krawtest.outgoing import Outgoing
from krawtest.who import Marker, token

INPUT, DELIVER, OUTPUT = "kraw/kraw_input", "kraw/kraw_deliver", \
    "kraw/kraw_output"
HEAD = {4: 20, 6: 40}

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
marker = tap.cleanup(Marker(lab.l0, lab.r0))
if not ftrace.has_event(INPUT):
    tap.skip_all("no tracepoints in this kernel")
NETNS = str(os.stat("/run/netns/right").st_ino)


def handles():
    """{preference: handle}"""
    return {rule["pref"]: rule["handle"]
            for rule in tool.ask(["-d", "rule", "show", "proto", "253"],
                                 lab.right)}


def without(events, *keys):
    """The events without what is different each time."""
    return [{key: value for key, value in event.items() if key not in keys}
            for event in events]


def event(family, pref, verdict, length, **more):
    """The fields of one kraw_input but for the packet's address."""
    return {"event": "kraw_input", "netns": NETNS,
            "family": "ipv%d" % family, "proto": "253",
            "handle": str(handles()[pref]) if pref else "0", "pref": str(pref),
            "trace": "1" if pref and pref != 10 else "0",
            "verdict": verdict, "len": str(length), "dev": "r0",
            "src": lab.l0.addr[family], "dst": lab.r0.addr[family], **more}


@tap.each(4, 6)
def each_verdict(family):
    """Rules with trace are marked; one without, and the protocol, are not."""
    head = HEAD[family] + 8
    verdicts = ("all", "raw", "kernel", "none", "reject")
    rules = ["pref %d ttl %d trace deliver %s" % (number, number, verdict)
             for number, verdict in enumerate(verdicts, 1)]
    with managed(253, lab.right, "deliver none", *rules,
                 "pref 10 ttl 10 deliver raw",
                 "pref 4294967295 ttl 20 limit 1/s burst 1 trace deliver raw"):
        sender = sock.Sender(family, lab.left)
        with ftrace.Events(INPUT) as events:
            for ttl in (1, 2, 3, 4, 5, 10, 11, 20, 20):
                sender.send(packet.ip(lab.l0.addr[family],
                                      lab.r0.addr[family], 253,
                                      token() + bytes(ttl), ttl=ttl))
            me = lab.r0.addr[family]
            here = sock.Sender(family, lab.right)
            here.send(packet.ip(me, me, 253, token(), ttl=4))
            marker.flush()
            wanted = [event(family, number, verdict, head + number)
                      for number, verdict in enumerate(verdicts, 1)]
            wanted.append(event(family, 10, "raw", head + 10))
            wanted.append(event(family, 0, "none", head + 11))
            wanted += [event(family, 4294967295, "raw", head + 20),
                       event(family, 0, "none", head + 20)]
            wanted.append(event(family, 4, "none", head, dev="lo", src=me))
        sender.close()
        here.close()
        # the second one over the limit may just have come late enough
        seen = without(events.seen, "skbaddr")
        if len(seen) == len(wanted) and seen[-2]["verdict"] == "raw":
            wanted[-2] = wanted[-3]
        tap.is_(len(seen), len(wanted), "as many events as packets")
        for got, expected in zip(seen, wanted):
            tap.is_(got, expected, "pref %(pref)s, len %(len)s" % expected)


@tap.each(4, 6)
def who_gets_it(family):
    """What kraw does itself, and what the kernel is expected to do."""
    with managed(253, lab.right, "claim plain",
                 "pref 1 ttl 1 deliver raw", "pref 2 ttl 2 deliver kernel",
                 "pref 3 ttl 3 deliver reject"), \
            sock.Reader(253, family, lab.right) as reader, \
            sock.Reader(253, family, lab.right) as deaf, \
            ftrace.Events(INPUT, DELIVER) as events:
        deaf.filter(sock.REJECT)
        sender = sock.Sender(family, lab.left)
        for ttl in (1, 2, 3, 4):
            sender.send(packet.ip(lab.l0.addr[family], lab.r0.addr[family], 253,
                                  token(), ttl=ttl))
        marker.flush()
        inodes = {str(os.fstat(one.fileno()).st_ino): name
                  for name, one in (("reader", reader), ("deaf", deaf))}
        sender.close()
    packets, seen = [], []
    for one in events.seen:
        if one["event"] == "kraw_input":
            packets.append(one["skbaddr"])
            seen.append([])
        else:
            tap.is_((one["skbaddr"], one["netns"], one["proto"]),
                    (packets[-1], NETNS, "253"), "of this packet")
            seen[-1].append((one["to"], inodes.get(one["inode"]),
                             one["result"], one["expected"]))
    name = "claim%d_rcv" % family
    tap.ok(all(one["handler"].startswith(name) for one in events.seen
               if one.get("to") == "handler"), "the handler's name",
           events.seen)
    both = [("socket", "deaf", "filter"), ("socket", "reader", "copy")]
    handler = [("dgram", None, "nobody"), ("handler", None, "copy")]
    tap.is_([sorted(one, key=str) for one in seen],
            [[(*one, "0") for one in both], [(*one, "0") for one in handler],
             [("icmp", None, "sent", "0")],
             [(*one, "1") for one in handler + both]],
            "raw, kernel, reject, all")


@tap.each(4, 6)
def what_is_sent(family):
    """What no rule is about is told of as well."""
    out = Outgoing(lab.right, lab.r0, lab.l0)
    with managed(253, lab.right, "", "hook output pref 1 ttl 9 trace deny"), \
            ftrace.Events(OUTPUT, INPUT) as events:
        answers = [out.send(family, 253, ttl=ttl) for ttl in (9, 8)]
    out.close()
    tap.is_(answers, ["EPERM", "sent"], "the rule works")
    tap.is_([(one["event"], one["verdict"], one["trace"], one["dev"],
              one["src"], one["dst"]) for one in events.seen],
            [("kraw_output", verdict, trace, "r0", lab.r0.addr[family],
              lab.l0.addr[family])
             for verdict, trace in (("deny", "1"), ("allow", "0"))], "both")


@tap.case
def nobody_listens():
    """The rule does what it does."""
    with managed(253, lab.right, "deliver none", "trace deliver raw"), \
            sock.Reader(253, 4, lab.right) as reader:
        sender = sock.Sender(4, lab.left)
        sender.send(packet.ip(lab.l0.addr[4], lab.r0.addr[4], 253, token()))
        sender.close()
        marker.flush()
        tap.is_(len(reader.drain()), 1, "delivered")
        tap.is_([rule["trace"] for rule in
                 tool.ask("rule show proto 253", lab.right)], [True], "shown")
        saved = tool.do("save", lab.right)
        tap.has(saved, " trace ", "saved")


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    with ftrace.Events(INPUT, DELIVER, OUTPUT):
        tap.ok(module.unload(), "rmmod kraw while somebody listens")
    tap.ok(not ftrace.has_event(INPUT), "the events are gone")


tap.run()
