#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Who may do what: each cell of the tables in Documentation/privileges.rst.

A person is a process that tries every row and says what came of it; the page says
what should have.  Rows run in an order in which they do not disturb each other;
who was refused must not have changed anything.
"""
import contextlib
import fcntl
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, privileges, sock, syscalls, system, tap, tool
from krawtest.client import Client, K, genl, proto, read, rule, u8, u32
from krawtest.client import packet as packet_nest
from krawtest.dgram import user
from krawtest.netns import Lab
from krawtest.people import NOBODY, Other

PARAMETERS = "/sys/module/kraw/parameters/"
EVENTS = "/sys/kernel/tracing/events/kraw"
# Ports for all, plain for nobody, for a user, for a group; not claimed.
ALL, NONE, UID, GID, NO_CLAIM, DENIED = 253, 254, 251, 252, 200, 201
WORK = 99			# managed and not by the rows
EXCLUSIVE = 0x6b01		# KRAW_EXCLUSIVEADDRUSE
OTHERS, TAKEN, MINE = 4242, 7001, 7002
IP_PKTINFO = 8
BOTH = (4, 6)
LOCAL = {4: "127.0.0.1", 6: "::1"}
FOREIGN = {4: "192.0.2.77", 6: "2001:db8::77"}

PEOPLE = {"user": "user", "net_raw": "CAP_NET_RAW",
          "net_admin": "CAP_NET_ADMIN", "root": "root",
          "own": "root of a user namespace",
          "foreign": "root of a user namespace, not of the network's"}

lab = tap.cleanup(Lab())
system.no_autoload()
module = tap.cleanup(tool.Module())
TABLE = privileges.rows()


def outcome(func, *args):
    """"yes", or the name of the error."""
    try:
        func(*args)
    except OSError as error:
        return getattr(error, "name", None) or genl.errno_name(error.errno)
    return "yes"


# --- netlink -----------------------------------------------------------------

def _flags(bits):
    return u32(K.A_FLAGS, bits)


def _users(*ranges):
    """The nest KRAW_PROTO_A_USERS of (kind, low, high)."""
    return genl.attr(K.PROTO_A_USERS, [genl.attr(
        K.USERS_A_USER, [u8(K.USER_A_KIND, kind)] +
        ([] if low is None else [u32(K.USER_A_LOW, low),
                                 u32(K.USER_A_HIGH, high)]))
        for kind, low, high in ranges])


_CLAIM = proto(WORK, claim="plain")
_OPEN = genl.attr(K.A_OPEN, [u8(K.OPEN_A_PROTO, ALL),
                             u8(K.OPEN_A_FAMILY, K.FAMILY_IPV4)])

# What, then (command, attributes, dump or not) each; in this order.
NETLINK = {
    "proto-add": [(K.CMD_PROTO_ADD, proto(WORK), 0)],
    "proto-set": [(K.CMD_PROTO_SET, proto(WORK, deliver="raw"), 0)],
    "proto-set, force": [(K.CMD_PROTO_SET, _flags(K.FLAG_FORCE) +
                          proto(WORK, deliver="all"), 0)],
    "proto-set, a claim": [(K.CMD_PROTO_SET, _CLAIM, 0)],
    "proto-get": [(K.CMD_PROTO_GET, proto(ALL), 0),
                  (K.CMD_PROTO_GET, b"", genl.DUMP)],
    "rule-add": [(K.CMD_RULE_ADD, rule(WORK, "none", pref=10), 0)],
    "rule-replace": [(K.CMD_RULE_REPLACE, rule(WORK, "raw", pref=10), 0)],
    "rule-del": [(K.CMD_RULE_DEL, rule(WORK, pref=10), 0)],
    "rule-flush": [(K.CMD_RULE_FLUSH, rule(WORK), 0)],
    "rule-get": [(K.CMD_RULE_GET, rule(ALL, pref=7), 0),
                 (K.CMD_RULE_GET, b"", genl.DUMP)],
    "handler-get": [(K.CMD_HANDLER_GET, b"", genl.DUMP)],
    "config-get": [(K.CMD_CONFIG_GET, b"", 0)],
    "explain": [(K.CMD_EXPLAIN, packet_nest(ALL, addr, addr), genl.DUMP)
                for addr in LOCAL.values()],
    "trace": [(K.CMD_TRACE, b"", 0)],
    "trace-stop": [(K.CMD_TRACE_STOP, b"", 0)],
    "socket-get": [(K.CMD_SOCKET_GET, b"", genl.DUMP)],
    "dgram-get": [(K.CMD_DGRAM_GET, b"", genl.DUMP)],
    "open-get": [(K.CMD_OPEN_GET, _OPEN, 0)],
    "proto-del": [(K.CMD_PROTO_DEL, proto(WORK), 0)],
    "proto-add, a claim": [(K.CMD_PROTO_ADD, _CLAIM, 0)],
    "proto-del, force": [(K.CMD_PROTO_DEL,
                          _flags(K.FLAG_FORCE) + proto(WORK), 0)],
    "apply, check": [(K.CMD_APPLY, _flags(K.FLAG_CHECK) + proto(WORK), 0)],
    "apply, check of a claim": [(K.CMD_APPLY, _flags(K.FLAG_CHECK) + _CLAIM,
                                 0)],
    "apply": [(K.CMD_APPLY, proto(WORK), 0)],
    "apply, a claim": [(K.CMD_APPLY, _CLAIM, 0)],
    "apply, force": [(K.CMD_APPLY, _flags(K.FLAG_FORCE), 0)],
}


def _same(outcomes):
    """What all say alike."""
    return " / ".join(dict.fromkeys(outcomes))


def netlink():
    """Each row of netlink's: what came of it."""
    found = {}
    with Client() as client:
        for what, requests in NETLINK.items():
            # there has to be something to delete
            if what == "proto-del, force" and found["proto-del"] == "yes" and \
                    found["proto-add, a claim"] != "yes":
                client.send(K.CMD_PROTO_ADD, proto(WORK))
            found[what] = _same(
                outcome(lambda: client.send(command, data, flags=flags))
                for command, data, flags in requests)
        for group, number in client.family.groups.items():
            found["join " + group] = outcome(client.nl.join, number)
        event = outcome(client.send, K.CMD_SOCKET_EVENT)
    return found, event


def filters():
    """Whether the filters of datagram sockets are told."""
    with Client() as client:
        told = [read(m.payload)["socket"] for m in client.send(
            K.CMD_DGRAM_GET, flags=genl.DUMP)]
    return "nothing" if not told else \
        "yes" if all("filter" in one for one in told) else \
        "no" if not any("filter" in one for one in told) else "some"


# --- sockets -----------------------------------------------------------------

def _dgram(family, number=ALL):
    return socket.socket(sock.FAMILY[family], socket.SOCK_DGRAM, number)


def _set(level, name, value=1):
    def func(family):
        with _dgram(family) as one:
            one.setsockopt(level, name, value)
    return func


def _each(level4, name4, level6, name6, value=1):
    def func(family):
        with _dgram(family) as one:
            one.setsockopt(*((level4, name4) if family == 4 else
                             (level6, name6)), value)
    return func


def _opens(number):
    return lambda family: _dgram(family, number).close()


def _bind(port, *options):
    def func(family):
        with _dgram(family) as one:
            for option in options:
                one.setsockopt(*option)
            one.bind((LOCAL[family], port))
    return func


def _raw(family):
    socket.socket(sock.FAMILY[family], socket.SOCK_RAW, ALL).close()


def _raw_denied(family):
    with socket.socket(sock.FAMILY[family], socket.SOCK_RAW, DENIED) as one:
        one.sendto(b"denied", (LOCAL[family], 0))


def _packet(_):
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()


def _devices(family):
    with _dgram(family) as one:
        for _ in range(2):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")


def _talk(family, notes=(), mark=None):
    with _dgram(family) as one:
        one.bind((LOCAL[family], 0))
        if mark is not None:
            notes = [(socket.SOL_SOCKET, 36, struct.pack("=I", mark))]
        one.sendmsg([b"to myself"], notes, 0, one.getsockname())
        one.settimeout(clock.PATIENCE * clock.SLOW)
        one.recv(100)


def _spoof(family):
    source = socket.inet_pton(sock.FAMILY[family], FOREIGN[family])
    _talk(family, [(socket.SOL_IP, IP_PKTINFO,
                    struct.pack("=i4s4s", 0, source, source))] if family == 4
          else [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO,
                 source + struct.pack("=I", 0))])


def _filter(family):
    with _dgram(family) as one:
        sock.attach_filter(one, sock.ACCEPT)


_REUSE = (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

SOCKETS = {
    "raw socket": _raw,
    "raw socket, sends what a rule denies": _raw_denied,
    "packet socket": _packet,
    "datagram socket, users none": _opens(NONE),
    "datagram socket, users all": _opens(ALL),
    "datagram socket, users uid (his)": _opens(UID),
    "datagram socket, users gid (not his)": _opens(GID),
    "datagram socket, no claim": _opens(NO_CLAIM),
    "bind to port 0": _bind(0),
    "bind to port 7777": _bind(7777),
    "bind to port 77": _bind(77),
    "bind over an exclusive one": _bind(TAKEN),
    "the same with SO_REUSEADDR": _bind(TAKEN, _REUSE),
    "SO_REUSEADDR over another user's": _bind(MINE, _REUSE),
    "KRAW_EXCLUSIVEADDRUSE": _bind(0, (ALL, EXCLUSIVE, 1)),
    "send and receive": _talk,
    "IPv4: from a source not of this host": _spoof,
    "IPv6: from a source not of this host": _spoof,
    "SO_ATTACH_FILTER": _filter,
    "SO_BINDTODEVICE, the first time": _set(
        socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0"),
    "SO_BINDTODEVICE, changed": _devices,
    "SO_MARK": _set(socket.SOL_SOCKET, 36),
    "SO_MARK in control data": lambda family: _talk(family, mark=7),
    "SO_PRIORITY 7": _set(socket.SOL_SOCKET, socket.SO_PRIORITY, 7),
    "SO_RCVBUFFORCE": _set(socket.SOL_SOCKET, 33, 1 << 20),
    "IP_TRANSPARENT, IPV6_TRANSPARENT": _each(socket.SOL_IP, 19,
                                              socket.IPPROTO_IPV6, 75),
    "IP_FREEBIND, IPV6_FREEBIND": _each(socket.SOL_IP, 15,
                                        socket.IPPROTO_IPV6, 78),
    "IPV6_HOPOPTS": _set(socket.IPPROTO_IPV6, socket.IPV6_HOPOPTS,
                         bytes([0, 0, 1, 4, 0, 0, 0, 0])),
}

def _families(what):
    """Those that a row is about."""
    return (4,) if what.startswith("IPv4:") else \
        (6,) if what.startswith(("IPv6:", "IPV6_")) else BOTH


def sockets():
    """Each row of the sockets': what came of it, in both families."""
    return {what: _same(outcome(func, family) for family in _families(what))
            for what, func in SOCKETS.items()}


# --- the host, the tool ------------------------------------------------------

def _read(path):
    with open(path) as file:
        file.read()


def _write_back(path):
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text)


def _unload():
    """Of a module that is not there: the capability is asked first."""
    with contextlib.suppress(FileNotFoundError):
        syscalls.call("delete_module", b"kraw_that_is_not", os.O_NONBLOCK)


def machine():
    """Each row of the host's."""
    found = {}
    for name in ("rules_max", "bpf_max", "userns_claims"):
        found["read parameter " + name] = outcome(_read, PARAMETERS + name)
        found["set parameter " + name] = outcome(_write_back,
                                                 PARAMETERS + name)
    found["tracepoints events/kraw"] = outcome(os.listdir, EVENTS)
    found["unload a module"] = outcome(_unload)
    return found


PROGRAMS = ("kraw show", "kraw save", "kraw -n right save",
            "kraw -all-netns show")


def programs():
    """Each row of the tool's: whether its status is 0."""
    return {line: {0: "yes", 2: "no"}.get(status, "status %d: %s" %
                                          (status, err))
            for line, (status, _, err) in
            ((line, tool.command(*line.split())) for line in PROGRAMS)}


# --- a person ----------------------------------------------------------------

def configure():
    """What the rows need; by who may do that."""
    with Client() as client:
        client.send(K.CMD_APPLY, _flags(K.FLAG_FORCE),
                    proto(ALL, claim="ports", extra=[
                        _users((K.USER_KIND_ALL, None, None))]),
                    proto(NONE, claim="plain"),
                    proto(UID, claim="plain", extra=[
                        _users((K.USER_KIND_UID, NOBODY, NOBODY))]),
                    proto(GID, claim="plain", extra=[
                        _users((K.USER_KIND_GID, 4321, 4321))]),
                    proto(DENIED),
                    rule(ALL, "all", pref=7),
                    rule(DENIED, "deny", hook="output", pref=7))
        return client.generation()


def others():
    """Another user's sockets where we are: an exclusive one, and not."""
    found = []
    for family in BOTH:
        for port in (TAKEN, MINE):
            with user(OTHERS):
                one = _dgram(family)
            if port == TAKEN:
                one.setsockopt(ALL, EXCLUSIVE, 1)
            one.bind((LOCAL[family], port))
            found.append(one)
    return found


def say(text, name="userns_claims"):
    """Set a parameter of the module's."""
    with open(PARAMETERS + name, "w") as file:
        file.write(text + "\n")


def prepare(other, who):
    """The configuration of where somebody is; the host's claims for him."""
    if who != "own":
        with lab.right:
            return configure()
    say("1")
    try:
        return other.ask(configure)
    finally:
        say("0")


def compare(who, found):
    """A point for each row."""
    for what, said in found.items():
        tap.is_(said, TABLE.get(what, {}).get(who), what)


def loopback_up():
    """Not by a program: it would not be found everywhere."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        request = struct.pack("16sh14x", b"lo", 0x41)	# IFF_UP, IFF_RUNNING
        fcntl.ioctl(one, 0x8914, request)		# SIOCSIFFLAGS


@tap.each(*PEOPLE)
def each_cell(who):
    with Other(PEOPLE[who], lab.right) as other:
        if who == "own":
            other.ask(loopback_up)
        before = prepare(other, who)
        with other.network():
            theirs = others()
        told = other.ask(filters)
        tap.is_(told, TABLE["dgram-get, of filters"][who],
                "dgram-get, of filters")
        compare(who, other.ask(sockets))
        for one in theirs:
            one.close()
        found = other.ask(machine)
        if not os.path.isdir(EVENTS):
            del found["tracepoints events/kraw"]	# no tracefs here
        compare(who, found)
        compare(who, other.ask(programs))
        found, event = other.ask(netlink)
        compare(who, found)
        tap.is_(event, "EOPNOTSUPP", "socket-event")
        with other.network(), Client() as client:
            changed = client.generation() != before
        tap.is_(changed, TABLE["proto-add"][who] == "yes",
                "changes what he may, and else nothing")
    with lab.right, Client() as client:
        client.apply()


@tap.case
def every_row_was_tried():
    tried = set(NETLINK) | {"join config", "join sockets",
                            "dgram-get, of filters"} | set(SOCKETS) | \
        set(machine()) | set(PROGRAMS)
    tap.is_(set(TABLE) ^ tried, set(), "and every try has a row")
    tap.ok(len(TABLE) * len(PEOPLE) > 350, "%d cells" %
           (len(TABLE) * len(PEOPLE)))


tap.run()
