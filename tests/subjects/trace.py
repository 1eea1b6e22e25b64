#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
The tracepoint kraw:kraw_packet: told of each packet for which a rule with
"trace" decides, and of no other, with what the packet and the rule are.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import ftrace, packet, sock, tap, tool
from krawtest.manage import managed
from krawtest.netns import Lab
from krawtest.who import Marker, token

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
marker = tap.cleanup(Marker(lab.l0, lab.r0))
if not ftrace.has_event("kraw/kraw_packet"):
    tap.skip_all("no tracepoints in this kernel")


def handles():
    """{preference: handle}"""
    return {rule["pref"]: rule["handle"]
            for rule in tool.ask(["-d", "rule", "show", "proto", "253"],
                                 lab.right)}


def event(family, pref, verdict, length, **more):
    """The fields of one event."""
    return {"netns": str(os.stat("/run/netns/right").st_ino), "hook": "input",
            "family": "ipv%d" % family, "proto": "253",
            "handle": str(handles()[pref]), "pref": str(pref),
            "verdict": verdict, "len": str(length), "dev": "r0",
            "src": lab.l0.addr[family], "dst": lab.r0.addr[family], **more}


@tap.each(4, 6)
def traced_rules(family):
    """Each verdict; rules without trace, and the protocol, say nothing."""
    head = {4: 20, 6: 40}[family] + 8
    verdicts = ("all", "raw", "kernel", "none", "reject")
    rules = ["pref %d ttl %d trace deliver %s" % (number, number, verdict)
             for number, verdict in enumerate(verdicts, 1)]
    with managed(253, lab.right, "deliver none", *rules,
                 "pref 10 ttl 10 deliver raw",
                 "pref 4294967295 ttl 20 limit 1/s burst 1 trace deliver raw"):
        sender = sock.Sender(family, lab.left)
        with ftrace.Events("kraw/kraw_packet") as events:
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
            wanted.append(event(family, 4294967295, "raw", head + 20))
            wanted.append(event(family, 4, "none", head, dev="lo", src=me))
        sender.close()
        here.close()
        # the second one over the limit may just have come late enough
        if len(events.seen) == len(wanted) + 1:
            wanted.insert(-1, wanted[-2])
        tap.is_(len(events.seen), len(wanted), "as many events as packets")
        for got, expected in zip(events.seen, wanted):
            tap.is_(got, expected, "pref " + expected["pref"])


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
    tap.ok(module.unload(), "rmmod kraw")
    tap.ok(not ftrace.has_event("kraw/kraw_packet"), "the event is gone")


tap.run()
