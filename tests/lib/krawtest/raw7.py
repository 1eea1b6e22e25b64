# SPDX-License-Identifier: GPL-2.0
"""
The programs of tests/raw7, run in the two namespaces that they expect, and what
they said: a list of Case.
"""
import os
import re
import socket
import struct
import subprocess

from . import clock, counters, tool
from .netns import SOURCES, namespaces, pin, veth

TESTS = os.path.normpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILT = os.path.join(TESTS, "..", ".cache", "build", "raw7")
GROUPS = ["open", "receive", "header", "send", "option", "error", "mtu",
          "badinput"]
GROUP = {4: "224.0.0.5", 6: "ff02::5"}
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
        # a second address of right, and where left sends multicasts
        self.right.ip("addr add 10.9.0.3/24 dev r0",
                      "addr add fd09::3/64 dev r0 nodad")
        self.left.ip("neigh replace 10.9.0.3 lladdr %s dev l0 nud permanent" %
                     self.r0.mac,
                     "neigh replace fd09::3 lladdr %s dev l0 nud permanent" %
                     self.r0.mac,
                     "route add 224.0.0.0/4 dev l0",
                     "route add multicast ff00::/8 dev l0 table local metric 1")
        for name in ("igmpv3", "igmpv2"):
            self.right.sysctl("net.ipv4.conf.r0.%s_unsolicited_report_interval"
                              % name, 10)
        # a fragment that stays alone says so only when we are gone
        for space in self.spaces:
            space.sysctl("net.ipv4.ipfrag_time", 3600)
            space.sysctl("net.ipv6.ip6frag_time", 3600)
        # in OSPF's groups all the time: whoever joins then has no news
        self._member = [self._join(socket.AF_INET, GROUP[4]),
                        self._join(socket.AF_INET6, GROUP[6])]
        self._reports, self._since = None, 0
        clock.wait_until(self._quiet, pause=0.1)

    def _join(self, family, group):
        with self.right:
            member = socket.socket(family, socket.SOCK_DGRAM)
            index = socket.if_nametoindex("r0")
        if family == socket.AF_INET:
            member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                              struct.pack("=4s4si", socket.inet_aton(group),
                                          bytes(4), index))
        else:
            member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                              socket.inet_pton(family, group) +
                              struct.pack("=i", index))
        return member

    def _quiet(self):
        """
        No more membership reports: those that the links cause by coming up are
        over.
        """
        before, self._reports = self._reports, [
            counters.read(space).get(name, 0) for space in self.spaces
            for name in ("Icmp6OutMLDv2Reports", "IpExtOutMcastPkts")]
        now = clock.deadline(0)
        if before != self._reports:
            self._since = now
        return now - self._since > 0.5

    def close(self):
        """Delete them."""
        for member in self._member:
            member.close()
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


# Extension headers of IPv6, which nobody can manage there.
_EXTENSIONS = (0, 43, 44, 50, 51, 59, 60, 135, 139, 140)
ALL = "/run/raw7.kraw"


def manage(space, deliver, numbers=range(1, 255), v6_only=()):
    """
    Every protocol of a namespace is managed, with this verdict; counted exactly,
    where kraw can do so.  0 (in IPv4) and 255 are nobody's to manage.
    """
    # what it understands it says when it does not understand
    exact = " account exact" if "account" in \
        tool.kraw("proto add 253 nonsense").err else ""
    lines = []
    for number in numbers:
        family = "ipv4" if number in _EXTENSIONS else \
                 "ipv6" if number in v6_only else "both"
        lines.append("proto add %d family %s deliver %s%s\n" %
                     (number, family, deliver, exact))
    with open(ALL, "w") as file:
        file.write("".join(lines))
    tool.do_alone("apply " + ALL, space)


def seen(space):
    """
    How many packets kraw saw there, and how many of them passed: by verdict all,
    or because of an extension header that it does not walk.
    """
    rows = tool.ask("stats", space)
    return (sum(row["seen"] for row in rows),
            sum(row["all"] + row["passed"] for row in rows))
