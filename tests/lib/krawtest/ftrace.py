# SPDX-License-Identifier: GPL-2.0
"""
Which kernel functions ran, how often and in which order, by kprobe events, and
what tracepoints told.  One CPU's trace buffer is written in the order of events,
and a packet is received on one CPU.
"""
import os

_ROOT = "/sys/kernel/tracing"
_GROUP = "krawtest"


def _write(path, text, append=False):
    # not open(..., True), which seeks; these files do not like that
    fd = os.open(os.path.join(_ROOT, path),
                 os.O_WRONLY | (os.O_APPEND if append else 0))
    try:
        os.write(fd, (text + "\n").encode())
    finally:
        os.close(fd)


def available():
    """Can this kernel do it?"""
    return os.path.exists(_ROOT + "/kprobe_events")


class Calls:
    """
    with Calls(raw="raw_rcv", handler="kraw:some_symbol") as calls: ...
    calls.order is the list of the given names in the order of the calls.
    """
    def __init__(self, **functions):
        self._functions = functions
        self._dir = "instances/" + _GROUP
        self.order = []

    def __enter__(self):
        try:
            for name, function in self._functions.items():
                _write("kprobe_events",
                       "p:%s/%s %s" % (_GROUP, name, function), True)
            os.mkdir(os.path.join(_ROOT, self._dir))
            for name in self._functions:
                _write("%s/events/%s/%s/enable" % (self._dir, _GROUP, name),
                       "1")
        except OSError:
            self._remove()
            raise
        return self

    def __exit__(self, *_):
        with open(os.path.join(_ROOT, self._dir, "trace")) as file:
            for line in file:
                # task-pid [cpu] flags time: event: (function+0x0/0x10)
                words = line.split(": ")
                if not line.startswith("#") and len(words) > 2 and \
                   words[1] in self._functions:
                    self.order.append(words[1])
        self._remove()

    def _remove(self):
        for name in self._functions:
            try:
                _write("%s/events/%s/%s/enable" % (self._dir, _GROUP, name),
                       "0")
            except OSError:
                pass
        try:
            os.rmdir(os.path.join(_ROOT, self._dir))
        except OSError:
            pass
        for name in self._functions:
            try:
                _write("kprobe_events", "-:%s/%s" % (_GROUP, name), True)
            except OSError:
                pass


class Count:
    """How often a kernel function has been called, from now on."""
    def __init__(self, function):
        self._name = "count_" + function
        _write("kprobe_events", "p:%s/%s %s" % (_GROUP, self._name, function),
               True)
        _write("events/%s/%s/enable" % (_GROUP, self._name), "1")

    def read(self):
        """The number of calls."""
        with open(os.path.join(_ROOT, "kprobe_profile")) as file:
            for line in file:
                words = line.split()
                if words[0] == self._name:
                    return int(words[1])
        raise LookupError(self._name)

    def close(self):
        """Do not count any more."""
        _write("events/%s/%s/enable" % (_GROUP, self._name), "0")
        _write("kprobe_events", "-:%s/%s" % (_GROUP, self._name), True)


def has_event(name):
    """Is there a tracepoint of this name, "system/event"?"""
    return os.path.exists("%s/events/%s" % (_ROOT, name))


class Events:
    """
    with Events("kraw/kraw_input", "kraw/kraw_deliver") as events: ...
    events.seen is the list of their events, each a dictionary of the key=value
    words that it prints, with its name as "event".
    """
    def __init__(self, *names):
        self._dir = "instances/" + _GROUP
        self._names = names
        self.seen = []

    def __enter__(self):
        os.mkdir(os.path.join(_ROOT, self._dir))
        for name in self._names:
            _write("%s/events/%s/enable" % (self._dir, name), "1")
        return self

    def __exit__(self, *_):
        for name in self._names:
            if has_event(name):		# its module may be gone
                _write("%s/events/%s/enable" % (self._dir, name), "0")
        names = [name.split("/")[1] for name in self._names]
        with open(os.path.join(_ROOT, self._dir, "trace")) as file:
            for line in file:
                # task-pid [cpu] flags time: event: key=value ...
                words = line.split(": ", 2)
                if not line.startswith("#") and len(words) == 3 and \
                   words[1] in names:
                    self.seen.append({"event": words[1], **dict(
                        word.split("=", 1) for word in words[2].split()
                        if "=" in word)})
        os.rmdir(os.path.join(_ROOT, self._dir))
