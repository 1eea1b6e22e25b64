# SPDX-License-Identifier: GPL-2.0
"""Results as text."""


def rows(head, lines):
    """Aligned columns: the first to the left, the others to the right."""
    table = [head] + lines
    widths = [max(len(line[i]) for line in table) for i in range(len(head))]
    return "".join(
        (line[0].ljust(widths[0]) + "".join(
            "  " + cell.rjust(width) for cell, width in zip(line[1:], widths[1:]))
         ).rstrip() + "\n" for line in table)


def number(value, digits=0):
    return "-" if value is None else "%.*f" % (digits, value)


def by_place(results, bench, names, value, digits=0):
    """A row a series, a column a place."""
    places = [x for x in results.places(bench) if x]
    return rows([""] + [str(x) for x in places],
                [[name] + [number(value(name, x), digits) for x in places]
                 for name in names])


def idle(results):
    def added(name):
        base = results.get("idle", "module absent", 0)
        return results.get("idle", name, 0) - base

    return "Instructions for a UDP packet over loopback, sent and received\n" + rows(
        ["", "all", "added"],
        [[name, number(results.get("idle", name, 0)), "%+.0f" % added(name)]
         for name in results.series("idle")])


def lookup_added(results, series, x):
    """What a hook or a filter adds to a packet; None if it was not measured."""
    value, base = results.get("lookup", series, x), results.get("lookup", "no hook", 0)
    return None if value is None else value - base


def lookup(results):
    text = "Instructions added to a packet by number of rules, each a source prefix\n"
    text += by_place(results, "lookup",
                     [name for name in results.series("lookup")
                      if len(results.places("lookup", name)) > 1],
                     lambda name, x: lookup_added(results, name, x))
    for name in ("nft, no rule", "kraw, no rule"):
        text += "%s: %.0f\n" % (name, lookup_added(results, name, 0))
    return text


def receive(results):
    text = "Instructions for a packet, from the device on, by number of raw sockets\n"
    text += by_place(results, "receive", results.series("receive"),
                     lambda name, x: results.get("receive", name, x))
    for name in results.series("receive"):
        why = results.missing("receive", name, 1)
        if why:
            text += "%s: %s\n" % (name, why)
    return text


def dgram_ratio(results, kind, what, x):
    """Of a datagram's cost to UDP's: what is a series without the kind."""
    value, udp = (results.get("dgram", "%s, %s" % (name, what), x)
                  for name in (kind, "UDP"))
    return None if value is None or udp is None else value / udp


def dgram_series(results, sockets):
    """What was measured of UDP: by the number of sockets, or by length."""
    return [name[len("UDP, "):] for name in results.series("dgram")
            if name.startswith("UDP, ") and name.endswith("sockets") == sockets]


def dgram(results):
    text = ""
    for sockets, head in (
            (False, "Instructions for a datagram, by its bytes, and their ratio to UDP's"),
            (True, "Instructions from the device to the socket's queue, by bound sockets")):
        names = dgram_series(results, sockets)
        places = results.places("dgram", "UDP, " + names[0])
        lines = []
        for what in names:
            for kind in ("UDP", "ports", "plain"):
                lines.append(["%s, %s" % (kind, what)] + [
                    number(results.get("dgram", "%s, %s" % (kind, what), x)) for x in places])
                if not sockets:
                    lines[-1] += [number(dgram_ratio(results, kind, what, x), 2)
                                  for x in places]
        text += head + "\n" + rows(
            [""] + [str(x) for x in places] + ([] if sockets else [str(x) for x in places]),
            lines) + "\n"
    return text.rstrip("\n") + "\n"


def apply(results):
    series = results.series("apply")

    def million(name, x):
        value = results.get("apply", name, x)
        return None if value is None else value / 1e6

    return "Million instructions to put rules in force, by their number\n" + by_place(
        results, "apply", [name for name in series if ":" not in name], million, 1) + \
        "\nBytes of kernel memory a rule, besides counters and for those\n" + by_place(
            results, "apply", [name for name in series if ":" in name],
            lambda name, x: results.get("apply", name, x))


def text(results):
    """All tables."""
    parts = ["".join("%s: %s\n" % item for item in results.conditions.items())]
    parts += [table(results) for bench, table in (
        ("idle", idle), ("lookup", lookup), ("receive", receive),
        ("dgram", dgram), ("apply", apply))
              if results.has(bench)]
    return "\n".join(parts)
