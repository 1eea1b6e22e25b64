# SPDX-License-Identifier: GPL-2.0
"""The figures that kraw is to reach, as ratios of what one run measured."""
from table import dgram_ratio, dgram_series, lookup_added, rows


def ratio(a, b):
    return None if a is None or b is None else a / b


def idle(series):
    def value(results):
        with_, without = (results.get("idle", name, 0) for name in (series, "module absent"))
        return None if with_ is None or without is None else round(with_ - without)
    return value


def lookup(a, b):
    """Of what two kinds of lookup add to a packet: (series, size) each."""
    return lambda results: ratio(lookup_added(results, *a), lookup_added(results, *b))


def receive(a, b):
    """Of the whole way of a packet, with 1024 raw sockets."""
    return lambda results: ratio(results.get("receive", a, 1024),
                                 results.get("receive", b, 1024))


def apply(a, b):
    return lambda results: ratio(results.get("apply", a, 100000),
                                 results.get("apply", b, 100000))


def dearest(ratios):
    """The largest, as it is printed; None if any is missing."""
    return None if None in ratios else round(max(ratios, default=0), 2) or None


def dgram(kind):
    """Of the whole way of a datagram to UDP's, checksums in software on both."""
    return lambda results: dearest([
        dgram_ratio(results, kind, what, x) for what in dgram_series(results, False)
        if "loopback" not in what for x in (64, 1400)])


def dgram_sockets(results):
    """Of 10 000 bound sockets to 10."""
    return dearest([
        ratio(*(results.get("dgram", "%s, %s" % (kind, what), x) for x in (10000, 10)))
        for kind in ("ports", "plain") for what in dgram_series(results, True)])


def memory(results):
    return results.get("apply", "kraw apply: memory", 100000)


# What, how to get it, least or most, the goal
FIGURES = [
    ("loaded and idle: instructions added to a UDP packet",
     idle("loaded and idle"), "<=", 0),
    ("another protocol managed: instructions added to a UDP packet",
     idle("another protocol managed"), "<=", 40),
    ("lookup at 100 000 rules / at 10, one prefix length",
     lookup(("kraw", 100000), ("kraw", 10)), "<=", 1.3),
    ("lookup at 100 000 rules / at 10, four prefix lengths",
     lookup(("kraw, four prefix lengths", 100000), ("kraw, four prefix lengths", 10)),
     "<=", 1.3),
    ("nft linear at 1 000 rules / kraw",
     lookup(("nft, a rule each", 1000), ("kraw", 1000)), ">=", 50),
    ("kraw / nft set of the same 10 000 prefixes",
     lookup(("kraw", 10000), ("nft, a set", 10000)), "<=", 1.0),
    ("1024 raw sockets, reject-all filters / deliver one",
     receive("reject-all filters", "deliver one"), ">=", 50),
    ("deliver none / nft drop in the same hook",
     receive("deliver none", "nft drop"), "<=", 1.0),
    ("a datagram of claim ports / UDP's, the dearest way", dgram("ports"), "<=", 1.0),
    ("a datagram of claim plain / UDP's, the dearest way", dgram("plain"), "<=", 0.99),
    ("a datagram among 10 000 bound sockets / among 10", dgram_sockets, "<=", 1.0),
    ("apply 100 000 rules / nft -f, a rule each",
     apply("kraw apply", "nft -f, a rule each"), "<=", 0.2),
    ("apply 100 000 rules / nft -f, a set",
     apply("kraw apply", "nft -f, a set"), "<=", 0.2),
    ("bytes of kernel memory a rule besides its counters",
     memory, "<=", 256),
]


def text(results):
    """A table of those figures whose benchmarks ran."""
    lines = []
    for what, value_of, sign, goal in FIGURES:
        value = value_of(results)
        if value is None:
            lines.append([what, "-", "%s %g" % (sign, goal), "not measured"])
            continue
        reached = value <= goal if sign == "<=" else value >= goal
        lines.append([what, "%d" % value if value == int(value) else
                      "%.2f" % value if value < 10 else "%.0f" % value,
                      "%s %g" % (sign, goal), "yes" if reached else "no"])
    return "Figures to reach\n" + rows(["", "is", "goal", "reached"], lines)
