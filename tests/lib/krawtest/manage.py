# SPDX-License-Identifier: GPL-2.0
"""
A protocol that is managed for a while, and what kraw counted meanwhile.
"""
import contextlib

from . import tool

# What came, by verdict: SEEN is their sum.
PARTS = ("all", "raw", "kernel", "one", "none", "reject", "passed")


def counted(before, after):
    """The counters of one family that went up, and by how much."""
    return {name: after[name] - before[name] for name in after
            if name not in ("proto", "family", "name") and
            after[name] != before[name]}


class Count:
    """
    with Count(253, 4, ns) as count: ... ; count.delta holds the counters that
    went up meanwhile.
    """
    def __init__(self, proto, family, namespace):
        self._where = proto, family, namespace
        self.delta = {}

    def _read(self):
        proto, family, namespace = self._where
        return tool.stats(proto, namespace)[family]

    def __enter__(self):
        self._before = self._read()
        return self

    def __exit__(self, *_):
        self.delta = counted(self._before, self._read())


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
    finally:
        tool.do("proto del %s" % proto, namespace)
