# SPDX-License-Identifier: GPL-2.0
"""
The kernel's own counters of a namespace: /proc/net/snmp, snmp6, netstat and
xfrm_stat as one dictionary, and the difference between two of them.
"""


def _pairs(text):
    """snmp and netstat: a line of names, then a line of values."""
    lines = text.splitlines()
    for names, values in zip(lines[::2], lines[1::2]):
        group = names.split()[0].rstrip(":")
        for name, value in zip(names.split()[1:], values.split()[1:]):
            yield group + name, int(value)


def _columns(text):
    """snmp6 and xfrm_stat: name and value on each line."""
    for line in text.splitlines():
        name, value = line.split()
        yield name, int(value)


_FILES = [("snmp", _pairs), ("netstat", _pairs), ("snmp6", _columns),
          ("xfrm_stat", _columns)]


def read(namespace):
    """All counters, such as IpInUnknownProtos, Icmp6OutParmProblems."""
    out = {}
    with namespace:
        for name, parse in _FILES:
            try:
                with open("/proc/thread-self/net/" + name) as file:
                    out.update(parse(file.read()))
            except FileNotFoundError:
                pass
    return out


def delta(before, after):
    """What changed, and by how much."""
    return {name: value - before.get(name, 0)
            for name, value in after.items()
            if value != before.get(name, 0)}


class Watch:
    """
    with Watch(ns) as watch: ... ; watch.delta holds what changed meanwhile.
    """
    def __init__(self, namespace):
        self._namespace = namespace
        self.delta = {}

    def __enter__(self):
        self._before = read(self._namespace)
        return self

    def __exit__(self, *_):
        self.delta = delta(self._before, read(self._namespace))
