# SPDX-License-Identifier: GPL-2.0
"""
The kernel's own counters of a namespace: /proc/net/snmp, snmp6, netstat and
xfrm_stat, and what changed in them.  The names are those of the files, with the
group in front where there is one: IpInUnknownProtos, Icmp6OutParmProblems.
"""
import os

# The first two: a line of names, then a line of values; the others: a name and
# a value on each line.
_PAIRED = ("snmp", "netstat")
_FILES = _PAIRED + ("snmp6", "xfrm_stat")


def _text(path):
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return b""
    try:
        text = b""
        while True:
            part = os.read(fd, 65536)
            if not part:
                return text
            text += part
    finally:
        os.close(fd)


def _snapshot(namespace):
    """The files, by name, as lines of bytes."""
    with namespace:
        return {name: _text("/proc/thread-self/net/" + name).splitlines()
                for name in _FILES}


def _values(name, lines, at):
    """The counters on line `at`: (name, value) pairs."""
    if name in _PAIRED:
        names, values = lines[at - at % 2].split(), lines[at | 1].split()
        group = names[0].rstrip(b":")
        return [((group + one).decode(), int(value))
                for one, value in zip(names[1:], values[1:])]
    one, value = lines[at].split()
    return [(one.decode(), int(value))]


def _dict(name, lines):
    out = {}
    for at in range(0, len(lines), 2 if name in _PAIRED else 1):
        out.update(_values(name, lines, at))
    return out


def _changed(name, old, new):
    """
    The counters, before and after, on the lines that changed.  Lines come and
    go, too: some counters are only shown when they are not zero.
    """
    if len(old) != len(new):
        return _dict(name, old), _dict(name, new)
    lines = [at for at in range(len(new)) if old[at] != new[at]]
    return (dict(pair for at in lines for pair in _values(name, old, at)),
            dict(pair for at in lines for pair in _values(name, new, at)))


def _delta(before, after):
    out = {}
    for name in _FILES:
        old, new = _changed(name, before[name], after[name])
        for key, value in new.items():
            if value != old.get(key, 0):
                out[key] = value - old.get(key, 0)
    return out


def read(namespace):
    """All counters as one dictionary."""
    out = {}
    for name, lines in _snapshot(namespace).items():
        out.update(_dict(name, lines))
    return out


def _whole(namespace):
    """A snapshot of one moment: nothing happened between two of its files."""
    now = _snapshot(namespace)
    for _ in range(10):
        before, now = now, _snapshot(namespace)
        if before == now:
            break
    return now


class Watch:
    """
    with Watch(ns) as watch: ... ; watch.delta holds what changed meanwhile, and
    by how much.  What comes by itself, a membership report say, may count in one
    file and not in another; not with `whole`, which costs twice as much.
    """
    def __init__(self, namespace, whole=False):
        self._namespace = namespace
        self._read = _whole if whole else _snapshot
        self.delta = {}

    def __enter__(self):
        self._before = self._read(self._namespace)
        return self

    def __exit__(self, *_):
        self.delta = _delta(self._before, self._read(self._namespace))
