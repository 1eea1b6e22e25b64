#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# The options are named as they are in the Winsock page that the table is from.
"""
Who may bind where: every cell of the table of exclusive binding, for IPv4, IPv6
and between both, for one user and for two, on claims with ports and without; who
receives where two may; and the statements that go with the table.
"""
import os
import socket
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import tap, tool
from krawtest.dgram import Dgram, call, error, user
from krawtest.manage import managed
from krawtest.netns import Lab
from krawtest.who import marker

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
flush = marker(lab.l0, lab.r0).flush
lab.right.ip("addr add 10.9.0.99/24 dev r0", "addr add fd09::99/64 dev r0 nodad",
             "addr add 10.0.0.1/32 dev lo", "addr add 10.99.99.99/32 dev lo")
lab.left.ip("neigh replace 10.9.0.99 lladdr %s dev l0 nud permanent" %
            lab.r0.mac,
            "neigh replace fd09::99 lladdr %s dev l0 nud permanent" %
            lab.r0.mac)

PROTO, PORT = 253, 5150
EXCLUSIVE, REUSE = "EXCLUSIVE", "REUSE"
EXCLUSIVEADDRUSE = 0x6b01
SETTING = {EXCLUSIVE: [(PROTO, EXCLUSIVEADDRUSE, 1)], "none": [],
           REUSE: [(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)]}
IN_USE, DENIED, OK = "EADDRINUSE", "EACCES", None

# The second bind's option and address: what comes of it after a first bind that
# is exclusive, with any and with a specific address; and that is not, the same.
TABLE = {
    (EXCLUSIVE, "Wildcard"): (IN_USE, IN_USE, IN_USE, IN_USE),
    (EXCLUSIVE, "Specific"): (IN_USE, IN_USE, IN_USE, IN_USE),
    (EXCLUSIVE, "Specific2"): ("-", OK, "-", OK),
    ("none", "Wildcard"): (IN_USE, IN_USE, IN_USE, IN_USE),
    ("none", "Specific"): (IN_USE, IN_USE, IN_USE, IN_USE),
    ("none", "Specific2"): ("-", OK, "-", OK),
    (REUSE, "Wildcard"): (DENIED, DENIED, OK, OK),
    (REUSE, "Specific"): (DENIED, DENIED, OK, OK),
    (REUSE, "Specific2"): ("-", OK, "-", OK),
}
ADDRESS = {
    4: {"Wildcard": "0.0.0.0", "Specific": "10.9.0.2",
        "Specific2": "10.9.0.99"},
    6: {"Wildcard": "::", "Specific": "fd09::2", "Specific2": "fd09::99"},
    # an IPv6 socket that receives IPv4
    "mapped": {"Wildcard": "::", "Specific": "::ffff:10.9.0.2",
               "Specific2": "::ffff:10.9.0.99"},
}
# The stacks of the first and of the second socket.
STACKS = {"IPv4": (4, 4), "IPv6": (6, 6), "dual stack, IPv6 first":
          ("mapped", 4), "dual stack, IPv4 first": (4, "mapped"),
          "dual stack, both": ("mapped", "mapped")}


def bound(stack, setting, where, port=PORT, owner=None):
    """A socket in right with this option and address."""
    return Dgram(4 if stack == 4 else 6, lab.right, owner=owner, port=port,
                 options=SETTING[setting], bind=ADDRESS[stack][where])


def outcome(stacks, first, second, users, port):
    """The error of the second bind, or None."""
    with bound(stacks[0], *first, port=port, owner=users[0]):
        return error(bound, stacks[1], *second, port=port, owner=users[1])


def expected(first, second, same):
    """What the table says, and of another user's socket the rule below it."""
    cell = TABLE[second][2 * (first[0] != EXCLUSIVE) +
                         (first[1] == "Specific")]
    overlaps = second[1] != "Specific2"
    if not same and cell is OK and overlaps and first[0] != REUSE:
        return DENIED
    return cell


def every_cell(stacks, users, port, title):
    """A point for each cell."""
    for first in [(option, where) for option in (EXCLUSIVE, "none", REUSE)
                  for where in ("Wildcard", "Specific")]:
        for second in TABLE:
            wanted = expected(first, second, users[0] == users[1])
            if wanted == "-":
                continue
            tap.is_(outcome(stacks, first, second, users, port), wanted,
                    "%s: %s %s, then %s %s" % ((title,) + first + second))


@tap.each(*STACKS)
def table(name):
    with managed(PROTO, lab.right, "claim ports users all"):
        every_cell(STACKS[name], (1000, 1000), PORT, "one user")
        every_cell(STACKS[name], (1000, 1001), PORT, "two users")


@tap.each("IPv4", "IPv6")
def table_without_ports(name):
    with managed(PROTO, lab.right, "claim plain users all"):
        every_cell(STACKS[name], (1000, 1000), 0, "one user")


@tap.each(4, 6)
def root_is_a_user_as_others(family):
    with managed(PROTO, lab.right, "claim ports users all"):
        for first, second, wanted in (("none", REUSE, DENIED),
                                      (EXCLUSIVE, REUSE, DENIED),
                                      (REUSE, REUSE, OK),
                                      ("none", "none", IN_USE)):
            tap.is_(outcome((family, family), (first, "Wildcard"),
                            (second, "Wildcard"), (1000, None), PORT), wanted,
                    "over a user's: %s, then %s" % (first, second))


def who(family, *sockets):
    """Which of them receive what is sent to Specific and to Specific2."""
    got = []
    with Dgram(family, lab.left, bind=ADDRESS[family]["Wildcard"]) as left:
        for where in ("Specific", "Specific2"):
            left.send(b"x", ADDRESS[family][where], PORT)
            flush()
            got.append([at for at, one in enumerate(sockets) if one.drain()])
    return got


@tap.each(4, 6)
def who_receives(family):
    """The cells that the page leaves open: the later bind; else the closer one."""
    wild, one = (REUSE, "Wildcard"), (REUSE, "Specific")
    with managed(PROTO, lab.left, "claim ports"), \
            managed(PROTO, lab.right, "claim ports"):
        for first in ("none", REUSE):
            for a, b, wanted in (
                    ((first, "Wildcard"), wild, [[1], [1]]),
                    ((first, "Specific"), one, [[1], []]),
                    ((first, "Wildcard"), one, [[1], [0]]),
                    ((first, "Specific"), wild, [[0], [1]])):
                with bound(family, *a) as early, bound(family, *b) as late:
                    tap.is_(who(family, early, late), wanted,
                            "%s %s, then %s %s" % (a + b))
                    early.sock.connect((ADDRESS[family]["Specific"], 9))
                with bound(family, *a) as early:
                    with bound(family, *b):
                        pass
                    tap.is_(who(family, early)[0], [0],
                            "the first again when the second has gone")


@tap.case
def who_receives_dual_stack():
    with managed(PROTO, lab.left, "claim ports"), \
            managed(PROTO, lab.right, "claim ports"):
        with bound("mapped", "none", "Wildcard") as early, \
                bound(4, REUSE, "Wildcard") as late:
            tap.is_((who(4, early, late)[0], who(6, early, late)[0]),
                    ([1], [0]), "IPv4 last: it has IPv4, the other IPv6")
        with bound(4, "none", "Wildcard") as early, \
                bound("mapped", REUSE, "Wildcard") as late:
            tap.is_((who(4, early, late)[0], who(6, early, late)[0]),
                    ([1], [1]), "dual stack last: it has both")


# --- the statements ----------------------------------------------------------

@tap.each(4, 6)
def e1_only_before_bind(family):
    any_ = ADDRESS[family]["Wildcard"]
    with managed(PROTO, lab.right, "claim ports"):
        with Dgram(family, lab.right) as one:
            get = one.sock.getsockopt
            tap.is_(get(PROTO, EXCLUSIVEADDRUSE), 0, "off at first")
            one.set(PROTO, EXCLUSIVEADDRUSE)
            tap.is_(get(PROTO, EXCLUSIVEADDRUSE), 1, "on")
            one.set(PROTO, EXCLUSIVEADDRUSE, 0)
            tap.is_(get(PROTO, EXCLUSIVEADDRUSE), 0, "off again")
            one.sock.bind((any_, PORT))
            tap.is_(error(one.set, PROTO, EXCLUSIVEADDRUSE), "EINVAL",
                    "after bind")
            tap.is_(error(bound, family, REUSE, "Wildcard"), None,
                    "without effect")
        with bound(family, EXCLUSIVE, "Wildcard") as one:
            tap.is_(error(one.set, PROTO, EXCLUSIVEADDRUSE, 0), "EINVAL",
                    "nor is it taken back")
            tap.is_(error(bound, family, REUSE, "Wildcard"), "EACCES",
                    "without effect, either")
        with Dgram(family, lab.right) as one:
            for value in (b"", b"\1", b"\1\0\0"):
                tap.is_(error(one.set, PROTO, EXCLUSIVEADDRUSE, value),
                        "EINVAL", "%d bytes" % len(value))
            tap.is_(call("setsockopt", one.fileno(), PROTO, EXCLUSIVEADDRUSE,
                         None, 4), "EFAULT", "NULL")
            tap.is_(call("getsockopt", one.fileno(), PROTO, EXCLUSIVEADDRUSE,
                         None, struct.pack("=i", 4)), "EFAULT",
                    "NULL to write to")
            tap.is_(error(one.set, 252, EXCLUSIVEADDRUSE), "ENOPROTOOPT",
                    "another protocol's")


@tap.each(4, 6)
def e2_to_e4(family):
    with managed(PROTO, lab.right, "claim ports"):
        with bound(family, "none", "Wildcard"):
            tap.is_(error(bound, family, REUSE, "Wildcard"), None,
                    "E2: SO_REUSEADDR takes over from one that set nothing")
        with bound(family, EXCLUSIVE, "Wildcard"):
            tap.is_(error(bound, family, REUSE, "Wildcard"), "EACCES",
                    "E2: the option stops that")
            for setting in SETTING:
                for where in ADDRESS[family]:
                    tap.ok(error(bound, family, setting, where),
                           "E4: %s %s fails" % (setting, where))
            tap.is_(error(bound, family, "none", "Specific", port=PORT + 1),
                    None, "E4: another port does not")
        if family == 4:
            with Dgram(4, lab.right, bind="10.0.0.1", port=PORT,
                       options=SETTING[EXCLUSIVE]):
                for setting, options in SETTING.items():
                    tap.is_(error(Dgram, 4, lab.right, bind="10.99.99.99",
                                  port=PORT, options=options), None,
                            "E3: 10.99.99.99 with " + setting)


@tap.each(4, 6)
def e6_closing(family):
    with managed(PROTO, lab.right, "claim ports"):
        for turn in range(3):
            with bound(family, EXCLUSIVE, "Wildcard") as one, \
                    Dgram(family, lab.right) as peer:
                # data that nobody has read
                peer.send(b"x", {4: "127.0.0.1", 6: "::1"}[family], PORT)
                one.sock.connect(({4: "127.0.0.1", 6: "::1"}[family], PORT))
            tap.is_(error(bound, family, "none", "Wildcard"), None,
                    "free at once, turn %d" % turn)


@tap.each(4, 6)
def e7_a_contradiction(family):
    with managed(PROTO, lab.right, "claim ports"):
        for name, option in (("SO_REUSEADDR", socket.SO_REUSEADDR),
                             ("SO_REUSEPORT", socket.SO_REUSEPORT)):
            with Dgram(family, lab.right) as one:
                one.set(socket.SOL_SOCKET, option)
                tap.is_(error(one.set, PROTO, EXCLUSIVEADDRUSE), "EINVAL",
                        name + " first")
                one.set(socket.SOL_SOCKET, option, 0)
                tap.is_(error(one.set, PROTO, EXCLUSIVEADDRUSE), None,
                        "not when it is taken back")
                one.set(socket.SOL_SOCKET, option)
                any_ = ADDRESS[family]["Wildcard"]
                tap.is_((error(one.sock.bind, (any_, PORT)),
                         error(one.send, b"x", any_, 9),
                         error(one.sock.connect, (any_, 9))),
                        ("EINVAL", "EINVAL", "EAGAIN"),
                        name + " last: when it is bound")
                one.set(socket.SOL_SOCKET, option, 0)
                one.sock.bind((any_, PORT))
                one.set(socket.SOL_SOCKET, option)
                tap.ok(error(bound, family, REUSE, "Wildcard"),
                       "set after bind it does not open the address")


@tap.case
def those_that_connect():
    """Without ports: an address for one peer, and exclusive addresses."""
    peer = {4: lab.l0.addr[4], 6: lab.l0.addr[6]}
    with managed(PROTO, lab.right, "claim plain users all"):
        for family in (4, 6):
            with bound(family, EXCLUSIVE, "Wildcard", port=0, owner=1000):
                tap.is_(error(Dgram, family, lab.right, connect=peer[family],
                              owner=1000), "EADDRINUSE",
                        "connecting beside an exclusive one")
            with bound(family, "none", "Wildcard", port=0, owner=1000):
                tap.is_(error(Dgram, family, lab.right, connect=peer[family],
                              owner=1000), None, "beside another one")
                tap.is_(error(Dgram, family, lab.right, connect=peer[family],
                              owner=1001), "EADDRINUSE",
                        "beside another user's")


# --- the page's example ------------------------------------------------------

EXAMPLES = os.path.join(os.path.dirname(__file__), "..", "..", "Documentation",
                        "examples")
UAPI = os.path.join(os.path.dirname(__file__), "..", "..", "kmod", "uapi")


@tap.case
def e5_the_example():
    program = "/run/exclusive-bind"
    done = tool.command("cc", "-Wall", "-Wextra", "-Werror", "-I", UAPI, "-o",
                        program, os.path.join(EXAMPLES, "exclusive-bind.c"))
    tap.is_((done.status, done.err), (0, ""), "compiles")

    def run(words):
        return lab.right.run(program, *words.split(),
                             stdin=subprocess.DEVNULL)
    tap.has(run("4 dgram 253 5150").stderr, "Protocol not supported",
            "not claimed")
    with managed(PROTO, lab.right, "claim ports"):
        for port in ("0", "65535", "x", ""):
            done = run("4 dgram 253 " + port)
            tap.ok(done.returncode == 1 and done.stderr, "port '%s': refused" %
                   port, done)
        for family in (4, 6):
            done = run("%d dgram 253 5150" % family)
            tap.is_((done.returncode, done.stdout),
                    (0, "bound to port 5150, and nobody else can\n"),
                    "IPv%d: bound" % family)
            with bound(family, "none", "Wildcard"):
                tap.has(run("%d dgram 253 5150" % family).stderr,
                        "Address already in use", "in use")
            with lab.right:
                # the same as somebody who may not: its word for that
                left = subprocess.Popen(
                    [program, str(family), "dgram", "253", "5150"],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            left.stdout.readline()
            tap.is_(error(bound, family, REUSE, "Wildcard"), "EACCES",
                    "nobody else can")
            left.communicate()
        done = run("4 dgram 253 80")
        tap.is_(done.returncode, 0, "a privileged port, as root")
        with user(1000):
            tap.ok(os.geteuid() == 1000, "as a user")
        denied = lab.right.run("setpriv", "--reuid", "1000", "--bounding-set",
                               "-all", program, "4", "dgram", "253", "80")
        tap.ok(denied.returncode == 1 and "not permitted" in denied.stderr,
               "a user who may not open it", denied)
        tool.do("proto set 253 users all", lab.right)
        denied = lab.right.run("setpriv", "--reuid", "1000", "--bounding-set",
                               "-all", program, "4", "dgram", "253", "80")
        tap.is_((denied.returncode, denied.stderr),
                (2, "bind: access denied\n"), "access denied, told apart")


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
