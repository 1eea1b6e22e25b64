# SPDX-License-Identifier: GPL-2.0
"""
The programs of tests/raw7, run in the two namespaces that they expect, and what
they said: a list of Case.
"""
import os
import re
import subprocess

from . import clock, counters
from .netns import SOURCES, namespaces, pin, veth

TESTS = os.path.normpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILT = os.path.join(TESTS, "..", ".cache", "build", "raw7")
GROUPS = ["open", "receive", "header", "send", "option", "error", "mtu",
          "badinput"]
_POINT = re.compile(r"(not )?ok \d+ - (\w+) (holds|differs): (.*?)"
                    r"(?: \[([^\]]*)\])?$")


class Lab:
    """left and right, see tests/raw7/lab.h; .spaces are both."""
    def __init__(self):
        pin()
        self.left, self.right = self.spaces = namespaces("left", "right")
        extra = [(family, addr) for family in SOURCES
                 for _, addr in SOURCES[family]]
        self.l0, self.r0 = veth(0, self.left, "l0", self.right, "r0", extra)
        # what is behind a gateway, from left's point of view
        self.left.ip("route add 10.77.0.0/16 via %s" % self.r0.addr[4],
                     "route add fd77::/64 via %s" % self.r0.addr[6])
        self.right.ip("route add local 10.77.0.0/16 dev lo",
                      "route add local fd77::/64 dev lo")
        self._mld, self._since = None, 0
        clock.wait_until(self._quiet, pause=0.2)

    def _quiet(self):
        """
        No more listener reports: those that the links cause by coming up, a
        second late, are over.
        """
        before, self._mld = self._mld, [
            counters.read(space).get("Icmp6OutMLDv2Reports", 0)
            for space in self.spaces]
        with open("/proc/uptime") as file:
            up = float(file.read().split()[0])
        if before != self._mld:
            self._since = up
        return up - self._since > 1.5

    def close(self):
        """Delete them."""
        for space in self.spaces:
            space.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Case:
    """
    One case: .group, .id, .verdict, .title, .where (who decides what differs),
    .good, .log (what it received and counted, for comparisons), .comments.
    """
    def __init__(self, group, point, log, comments):
        self.group, self.log, self.comments = group, log, comments
        self.good = not point[1]
        self.id, self.verdict, self.title = point[2], point[3], point[4]
        self.where = point[5] or ""

    @property
    def name(self):
        """What names it among all others."""
        return "%s: %s %s: %s" % (self.group, self.id, self.verdict,
                                  self.title)


def cases(group, text):
    """The cases in a program's output, which ends as it should."""
    found, log, comments = [], [], []
    for line in text.splitlines():
        point = _POINT.match(line)
        if point:
            found.append(Case(group, point, log, comments))
            log, comments = [], []
        elif line.startswith("#="):
            log.append(line)
        elif line.startswith("#"):
            comments.append(line)
    if not found or not text.endswith("1..%d\n" % len(found)):
        raise RuntimeError("%s did not end: %s" %
                           (group, "\n".join(text.splitlines()[-3:])))
    return found


def program(name):
    """Where it is; make build makes it."""
    return os.path.join(BUILT, name)


def run(groups=GROUPS):
    """Run these groups, in a Lab; their cases."""
    found = []
    for group in groups:
        done = subprocess.run([program(group)], text=True,
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        found += cases(group, done.stdout)
    return found
