# SPDX-License-Identifier: GPL-2.0
"""
The story that `make demo` tells and the subject demo-steps asserts: what kraw
does to real packets, in six steps.  One text for both, so that the demo cannot
show what the tests do not check.

tell(stage, lab) walks through it.  The stage decides what becomes of it:

    stage.step(number, title)
    stage.command(text)                 run `kraw <text>`
    stage.note(text)
    stage.skip(what, why)               this kernel cannot show it
    stage.table(heads, rows)            rows of measured cells, each
                                        (label, [(got, expected), ...])
"""
import itertools
import struct

from . import packet, tool
from .ftrace import Calls
from .ftrace import available as tracing
from .netns import SOURCES
from .who import UNREACH, Probe

COUNT = 5
FAMILIES = (4, 6)
HEADS = ["raw socket", "kernel handler", "sender is told"]
SCTP_HEADS = ["raw reader", "ABORTs sent", "sender is told"]
SCTP_PORT = 9899

NOTHING = "nothing"
TOLD = {4: "protocol unreachable (3/2)",
        6: "unknown next header (4/1, at 6)"}

_ports = itertools.count(20000)


def told(family, icmp, count=COUNT):
    """ICMP errors in words."""
    if not icmp:
        return NOTHING
    if icmp == [UNREACH[family]] * count:
        return TOLD[family]
    return ", ".join("%d/%d at %d" % what for what in icmp)


def handled(receiver, family):
    """What kraw's own handler of 253 has consumed so far; None: no claim."""
    try:
        counters = tool.stats(253, receiver)
    except tool.Refused:
        return None
    return counters[family]["claim_handled"] if family in counters else None


def measure(lab, receiver, family, readers, src=None):
    """Send COUNT packets; the three cells of HEADS."""
    before = handled(receiver, family)
    with Probe(lab.left, receiver, 253, family, readers=readers,
               src=src) as probe:
        got = probe.send(COUNT)
    after = handled(receiver, family)
    return [str(got.raw[0]) if readers else "-",
            "-" if after is None else str(after - before),
            told(family, got.icmp)]


def rows(lab, expected, readers, receiver=None, label="", sources=None):
    """
    One row a family.  `expected` are the cells (raw, handler, told), where
    TOLD stands for the family's own words.
    """
    out = []
    for family in FAMILIES:
        src = sources[family] if sources else None
        got = measure(lab, receiver or lab.right, family, readers, src)
        want = [cell[family] if isinstance(cell, dict) else cell
                for cell in expected]
        title = ("%s IPv%d" % (label, family)).strip()
        out.append((title, list(zip(got, want))))
    return out


def order(lab, family):
    """
    The order in which one packet of protocol 253 reached a raw socket and
    kraw's handler, from the kernel functions that ran: names, first one first.
    """
    symbol = handler_symbol(lab.right, 253, family)
    with Probe(lab.left, lab.right, 253, family, readers=1) as probe:
        with Calls(raw="sock_queue_rcv_skb_reason",
                   handler="kraw:" + symbol) as calls:
            probe.send()
    return calls.order


def handler_symbol(namespace, proto, family):
    """The kernel handler's function, as `kraw show` names it; or None."""
    for entry in tool.ask("show", namespace):
        if entry["proto"] == proto:
            for handler in entry["handlers"]:
                if handler["family"] == "ipv%d" % family:
                    return handler["symbol"]
    return None


def inits(src, dst, count):
    """INIT chunks to a closed port: (packets, marks, initiate tags)."""
    packets, marks, tags = [], [], []
    for _ in range(count):
        port = next(_ports)
        tag = 0x6b720000 | port
        segment = packet.sctp_init(port, SCTP_PORT, tag)
        packets.append(packet.ip(src, dst, packet.SCTP, segment))
        marks.append(segment[:12])
        tags.append(tag)
    return packets, marks, tags


def aborts(answers, tags):
    """How many of these SCTP packets are ABORTs to the INITs with these tags."""
    found = 0
    for data in answers:
        sport, _, vtag, _, chunk = struct.unpack("!HHIIB", data[:13])
        found += sport == SCTP_PORT and chunk == 6 and vtag in tags
    return found


def sctp_measure(lab, family):
    """Five INITs; the three cells of SCTP_HEADS."""
    with Probe(lab.left, lab.right, packet.SCTP, family, readers=1,
               answers=True) as probe:
        packets, marks, tags = inits(probe.src, probe.dst, COUNT)
        got = probe.transmit(packets, marks)
    return [str(got.raw[0]), str(aborts(got.answers, tags)),
            told(family, got.icmp)]


def sctp_rows(lab, label, expected):
    """One row a family."""
    return [("%s IPv%d" % (label, family),
             list(zip(sctp_measure(lab, family), expected)))
            for family in FAMILIES]


# --- the six steps -----------------------------------------------------------

def nobody(stage, lab):
    """Step 1."""
    stage.step(1, "protocol 253, nobody listens: the sender is told")
    stage.table(HEADS, rows(lab, ["-", "-", TOLD], 0))


def reader(stage, lab):
    """Step 2."""
    stage.step(2, "a raw socket on 253: it receives, the sender hears nothing")
    stage.table(HEADS, rows(lab, ["5", "-", NOTHING], 1))


def claim(stage, lab):
    """Step 3."""
    stage.step(3, "claim 253: raw socket and kernel handler both, raw first")
    stage.command("-n right proto add 253 claim plain")
    stage.table(HEADS, rows(lab, ["5", "5", NOTHING], 1))
    if not tracing():
        stage.skip("order of receipt", "this kernel has no kprobe events")
        return
    stage.table(["order of receipt"],
                [("IPv%d" % family, [(", then ".join(order(lab, family)),
                                      "raw, then handler")])
                 for family in FAMILIES])


VERDICTS = [("raw", ["5", "0", NOTHING]),
            ("kernel", ["0", "5", NOTHING]),
            ("none", ["0", "0", NOTHING]),
            ("reject", ["0", "0", TOLD])]


def verdicts(stage, lab):
    """Step 4."""
    stage.step(4, "who receives, by protocol ...")
    table = []
    for verdict, cells in VERDICTS:
        stage.command("-n right proto set 253 deliver " + verdict)
        table += rows(lab, cells, 1, label="deliver " + verdict)
    stage.table(HEADS, table)
    stage.note("... and by rules on source prefixes, the others as before")
    stage.command("-n right proto set 253 deliver all")
    table = []
    for family in FAMILIES:
        for (verdict, _), (prefix, _) in zip(VERDICTS, SOURCES[family]):
            stage.command("-n right rule add proto 253 src %s deliver %s" %
                          (prefix, verdict))
    for index, (verdict, cells) in enumerate(VERDICTS):
        table += rows(lab, cells, 1, label="%s rule," % verdict,
                      sources={family: SOURCES[family][index][1]
                               for family in FAMILIES})
    table += rows(lab, ["5", "5", NOTHING], 1, label="no rule,")
    stage.table(HEADS, table)


def elsewhere(stage, lab):
    """Step 5."""
    stage.step(5, "another namespace, without the claim: as in step 1")
    stage.table(HEADS, rows(lab, ["-", "-", TOLD], 0, receiver=lab.other))
    stage.command("-n right proto del 253")


def sctp(stage, lab):
    """Step 6."""
    stage.step(6, "five SCTP INITs to a host with a raw reader and sctp.ko")
    loaded = tool.modprobe("sctp")
    if loaded.status:
        stage.table(["modprobe sctp"],
                    [("", [(loaded.err.strip(), "works")])])
        return
    table = sctp_rows(lab, "plain Linux", ["5", "5", NOTHING])
    stage.command("-n right proto add sctp deliver raw")
    table += sctp_rows(lab, "deliver raw", ["5", "0", NOTHING])
    stage.command("-n right proto set sctp deliver kernel")
    table += sctp_rows(lab, "deliver kernel", ["0", "5", NOTHING])
    stage.table(SCTP_HEADS, table)
    stage.table(["in lsmod"],
                [("sctp.ko", [("yes" if tool.loaded("sctp") else "no",
                               "yes")])])
    stage.command("-n right proto del sctp")


STEPS = [nobody, reader, claim, verdicts, elsewhere, sctp]


def tell(stage, lab):
    """All six steps, one after the other."""
    for step in STEPS:
        step(stage, lab)
