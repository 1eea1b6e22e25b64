# SPDX-License-Identifier: GPL-2.0
"""
A protocol that is managed for a while, and what kraw counted meanwhile.  What is
counted has to add up, and whoever counts here finds out if it does not.
"""
import contextlib

from . import tool

# What came, by verdict: SEEN is their sum.
PARTS = ("all", "raw", "kernel", "one", "none", "reject", "passed")
# Where it ended: SEEN is their sum, with PASSED.
ENDS = ("end_handler", "end_raw", "end_nobody", "end_policy", "end_discard",
        "end_rule", "end_limit", "end_proto", "end_unknown")
REFUSALS = ("raw_policy", "raw_checksum", "raw_socket_filter", "raw_full",
            "raw_memory", "raw_refused_unknown")
DGRAM = ("dgram_policy", "dgram_filter", "dgram_full", "dgram_memory")
BAD = ("dgram_header", "dgram_checksum")
ICMP = ("unreach_sent", "unreach_limited", "unreach_silent", "unreach_unknown")
SUMS = {
    "seen by verdict": ("seen", PARTS),
    "seen by end": ("seen", ENDS + ("passed",)),
    "raw_matched": ("raw_matched", ("raw_copies", "raw_filtered",
                                    "raw_refused", "raw_unknown")),
    "raw_refused": ("raw_refused", REFUSALS),
    "dgram_refused": ("dgram_refused", DGRAM),
    "dgram_bad": ("dgram_bad", BAD),
    "unreach": ("unreach", ICMP),
    "output": ("output", ("allow", "deny")),
}
# Counters that say more of what another one counts.
DETAILS = ENDS + REFUSALS + DGRAM + BAD + ICMP + ("raw_unknown",)


def wrong(row):
    """The sums that are not right in a row of `kraw stats`, in words."""
    out = []
    for name, (whole, parts) in SUMS.items():
        known = [row[part] for part in parts if row[part] is not None]
        if row[whole] is None:
            continue
        # what is null is not known: then the others are not all
        if sum(known) > row[whole] or \
                (len(known) == len(parts) and sum(known) != row[whole]):
            out.append("%s: %d is not %s" % (name, row[whole], " + ".join(
                "%s %s" % (row[part], part) for part in parts)))
    return out


def check(proto, namespace):
    """Insist that all counters of a protocol add up; the rows by family."""
    rows = tool.stats(proto, namespace)
    for family, row in rows.items():
        if wrong(row):
            raise ArithmeticError("protocol %s, IPv%d: %s" %
                                  (proto, family, "; ".join(wrong(row))))
    return rows


def went_up(before, after):
    """
    All counters of one family that went up, and by how much; None if it is not
    known.
    """
    return {name: None if None in (after[name], before[name])
            else after[name] - before[name] for name in after
            if name not in ("proto", "family", "name") and
            after[name] != before[name]}


def counted(before, after):
    """The same without the details."""
    return {name: value for name, value in went_up(before, after).items()
            if name not in DETAILS and value is not None}


class Count:
    """
    with Count(253, 4, ns) as count: ... ; count.delta holds the counters that
    went up meanwhile, count.all the details, too.
    """
    def __init__(self, proto, family, namespace):
        self._where = proto, family, namespace
        self.delta = {}
        self.all = {}

    def _read(self):
        proto, family, namespace = self._where
        return check(proto, namespace)[family]

    def __enter__(self):
        self._before = self._read()
        return self

    def __exit__(self, *_):
        after = self._read()
        self.delta = counted(self._before, after)
        self.all = went_up(self._before, after)


@contextlib.contextmanager
def managed(proto, namespace, words="", *rules):
    """
    with managed(253, ns, "deliver raw", "src 10.9.0.0/24 deliver none"): the
    protocol is managed, with these rules.
    """
    tool.do("proto add %s %s" % (proto, words), namespace)
    try:
        for rule in rules:
            tool.do("rule add proto %s %s" % (proto, rule), namespace)
        yield
        check(proto, namespace)
    finally:
        tool.do("proto del %s" % proto, namespace)
