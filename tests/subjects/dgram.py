#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Datagram sockets of a claim without ports: who may open one, which addresses it
has, who receives what, beside raw sockets and in other namespaces; and that a
claim stays while its sockets are open.
"""
import contextlib
import ctypes
import os
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, sock, system, tap, tool
from krawtest.dgram import SOL_IPV6, Dgram, call, error, user
from krawtest.manage import Count, managed
from krawtest.netns import SOURCES, Lab, Namespace
from krawtest.sock import FAMILY
from krawtest.who import UNREACH, Probe, marker

lab = tap.cleanup(Lab())
system.no_autoload()
module = tap.cleanup(tool.Module())
flush = marker(lab.l0, lab.r0).flush
ANY = {4: "0.0.0.0", 6: "::"}
LOOPBACK = {4: "127.0.0.1", 6: "::1"}
FOREIGN = {4: "192.0.2.1", 6: "2001:db8::1"}
REUSE = (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
ONLY = (SOL_IPV6, socket.IPV6_V6ONLY, 1)


def here(family, **how):
    """A socket in right."""
    return Dgram(family, lab.right, **how)


@contextlib.contextmanager
def both(family, words=""):
    """The protocol claimed at both ends; a socket bound to the link in left."""
    with managed(253, lab.left, "claim plain"), \
            managed(253, lab.right, "claim plain " + words), \
            Dgram(family, lab.left, bind=lab.l0.addr[family]) as left:
        yield left


# --- opening -----------------------------------------------------------------

@tap.each(4, 6)
def opening(family):
    tap.is_(error(here, family), "EPROTONOSUPPORT", "not managed")
    with managed(253, lab.right):
        tap.is_(error(here, family), "EPROTONOSUPPORT", "no claim")
        tool.do("proto set 253 claim plain", lab.right)
        tap.is_(error(here, family), None, "claimed")
        tap.is_(error(here, 10 - family), None, "the other family")
        tap.is_(error(Dgram, family, lab.other), "EPROTONOSUPPORT",
                "in another namespace")
        tap.is_(error(here, family, proto=252), "EPROTONOSUPPORT",
                "another number")
        with lab.right:
            tap.is_(error(socket.socket, FAMILY[family], socket.SOCK_STREAM,
                          253), "EPROTONOSUPPORT", "no stream socket")
        sock.Reader(253, family, lab.right).close()
        tap.ok(True, "raw sockets are opened as before")
        tool.do("proto set 253 claim none", lab.right)
        tap.is_(error(here, family), "EPROTONOSUPPORT", "claim given up")
    with managed(253, lab.right, "claim plain family ipv%d" % family):
        tap.is_(error(here, family), None, "one family claimed")
        tap.is_(error(here, 10 - family), "EPROTONOSUPPORT", "the other not")


def opens(family, uid, **how):
    """The error of that user's attempt, or None."""
    def attempt():
        with lab.right, user(uid, **how):
            socket.socket(FAMILY[family], socket.SOCK_DGRAM, 253).close()
    return error(attempt)


@tap.each(4, 6)
def permission(family):
    with managed(253, lab.right, "claim plain"):
        tap.is_(opens(family, 1000), "EPERM", "users none")
        tap.is_(opens(family, None), None, "CAP_NET_RAW")
        tool.do("proto set 253 users uid 1000-1009 gid 50", lab.right)
        tap.is_([opens(family, uid) for uid in (999, 1000, 1009, 1010)],
                ["EPERM", None, None, "EPERM"], "a range of users")
        tap.is_([opens(family, 5000, gid=gid) for gid in (49, 50)],
                ["EPERM", None], "a group")
        tap.is_(opens(family, 5000, groups=(7, 50)), None,
                "a supplementary group")
        tap.is_(opens(family, None), None, "CAP_NET_RAW besides")
        tap.is_(error(Dgram, family, lab.other), "EPROTONOSUPPORT",
                "not claimed there")
        tool.do("proto set 253 users all", lab.right)
        tap.is_(opens(family, 4000000000), None, "users all")
        tool.do("proto set 253 unreach never", lab.right)
        tap.is_(opens(family, 1000), None, "setting something else keeps them")
        tool.do("proto set 253 users none", lab.right)
        tap.is_(opens(family, 1000), "EPERM", "users none again")


@tap.case
def users_in_the_tool():
    words = "uid 5 uid 1000-1999 gid 0-4294967295"
    with managed(253, lab.right, "claim plain users " + words):
        tap.is_(tool.ask("proto show 253", lab.right)[0]["users"],
                [{"uid": [5, 5]}, {"uid": [1000, 1999]},
                 {"gid": [0, 4294967295]}], "JSON")
        tap.has(tool.do("proto show 253", lab.right), "users " + words, "text")
        saved = tool.do("save", lab.right)
        tool.do("proto set 253 users all", lab.right)
        tap.has(tool.do("save", lab.right), "users all", "save")
        tool.do_alone(["apply", "-"], lab.right, stdin=saved)
        tap.is_(tool.do("save", lab.right).splitlines()[1:],
                saved.splitlines()[1:], "apply takes what save prints")
    for line, what in (("users all", "users are of a claim"),
                       ("claim plain users", "write none, all"),
                       ("claim plain users uid", "uid"),
                       ("claim plain users uid 5-4", "5"),
                       ("claim plain users gid nobody-there", "no such group"),
                       ("claim plain users uid 4294967296", "4294967296"),
                       ("claim plain users all users none", "twice"),
                       ("claim plain users" + " uid 1" * 17, "16")):
        tap.has(tool.refused("proto add 253 " + line, lab.right).err, what,
                "refused: " + line[:40])
    tap.is_(tool.ask("proto show", lab.right), [], "nothing has changed")


# --- addresses ---------------------------------------------------------------

@tap.each(4, 6)
def names(family):
    mine, theirs = lab.r0.addr[family], lab.l0.addr[family]
    with both(family) as left:
        with here(family) as one:
            tap.is_(one.sock.getsockname()[:2], (ANY[family], 0), "unbound")
            tap.is_(error(one.sock.getpeername), "ENOTCONN", "not connected")
            tap.is_(error(one.send, b"x"), "EDESTADDRREQ", "send to nowhere")
            one.sock.bind((mine, 0))
            tap.is_(one.sock.getsockname()[:2], (mine, 0), "bound")
            tap.is_(error(one.sock.bind, (mine, 0)), "EINVAL", "bound twice")
            one.sock.connect((theirs, 0))
            tap.is_((one.sock.getsockname()[:2], one.sock.getpeername()[:2]),
                    ((mine, 0), (theirs, 0)), "connected")
            left.send(b"in", mine)
            tap.is_(one.wait(), (b"in", theirs, 0), "receives from its peer")
            one.send(b"out")
            tap.is_(left.wait(), (b"out", mine, 0), "sends to its peer")
            one.sock.connect((SOURCES[family][0][1], 0))
            left.send(b"not the peer", mine)
            flush()
            tap.is_(one.drain(), [], "connected to another address")
            with lab.right:
                unspec = struct.pack("=H14x", socket.AF_UNSPEC)
                tap.is_(call("connect", one.fileno(), unspec, 16), None,
                        "connect to AF_UNSPEC")
            tap.is_((one.sock.getsockname()[:2], error(one.sock.getpeername)),
                    ((mine, 0), "ENOTCONN"), "bound, not connected any more")
            left.send(b"anybody", mine)
            tap.is_(one.wait()[0], b"anybody", "receives from all again")
        with here(family, connect=theirs) as one:
            tap.is_(one.sock.getpeername()[:2], (theirs, 0), "not bound before")
            one.sock.connect((theirs, 0))
            one.send(b"hello")
            data, address, _ = left.wait()
            tap.is_((data, address), (b"hello", one.sock.getsockname()[0]),
                    "its address is the one that it sends from")
        with here(family) as one:
            one.send(b"hello", theirs)
            mine = left.wait()[1]
            left.send(b"answer", mine)
            tap.is_(one.wait()[:2], (b"answer", theirs),
                    "an answer comes to one that has only sent")


@tap.each(4, 6)
def bad_addresses(family):
    mine = lab.r0.addr[family]
    short = struct.pack("=H", FAMILY[family]) + bytes(5)
    other = struct.pack("=H26x", socket.AF_UNIX)
    full = ctypes.create_string_buffer(
        struct.pack("=HH", FAMILY[family], 0) + bytes(4 * (family == 6)) +
        socket.inet_pton(FAMILY[family], lab.l0.addr[family]), 28)
    with managed(253, lab.right, "claim plain"), here(family) as one:
        with user(1000):
            tap.is_(error(one.sock.bind, (FOREIGN[family], 0)),
                    "EADDRNOTAVAIL", "bind to a foreign address")
            tap.is_(error(one.sock.bind, (mine, 5000)), "EINVAL",
                    "bind to a port")
        tap.is_(error(one.sock.connect, (lab.l0.addr[family], 5000)), "EINVAL",
                "connect to a port")
        tap.is_(error(one.send, b"x", mine, 5000), "EINVAL", "send to a port")
        for name in ("bind", "connect"):
            tap.is_(call(name, one.fileno(), short, len(short)), "EINVAL",
                    name + ": short address")
            tap.is_(call(name, one.fileno(), other, 28), "EAFNOSUPPORT",
                    name + ": wrong family")
            tap.is_(call(name, one.fileno(), None, 28), "EFAULT",
                    name + ": NULL")
            tap.is_(call(name, one.fileno(), other, 10000), "EINVAL",
                    name + ": long address")
        tap.is_(one.sock.getsockname()[:2], (ANY[family], 0), "still unbound")
        tap.is_(call("sendto", one.fileno(), b"x", 1, 0, short, len(short)),
                "EINVAL", "send: short address")
        tap.is_(call("sendto", one.fileno(), b"x", 1, 0, other, 28),
                "EAFNOSUPPORT", "send: wrong family")
        tap.is_(call("sendto", one.fileno(), None, 100, 0, full, 28), "EFAULT",
                "send: NULL data")
        one.close()
        with here(family, bind=mine):
            tap.is_(error(here, family, bind=mine), "EADDRINUSE", "in use")
            tap.is_(error(here, family, bind=ANY[family]), "EADDRINUSE",
                    "in use, any address")
            tap.is_(error(here, family, bind=LOOPBACK[family]), None,
                    "another address")
        tap.is_(error(here, family, bind=mine), None, "free when it is closed")


@tap.each(4, 6)
def those_that_connect_share_an_address(family):
    theirs = lab.l0.addr[family]
    another = SOURCES[family][0][1]
    with both(family) as left, \
            Dgram(family, lab.left, bind=another) as neighbour, \
            here(family, connect=theirs) as one:
        local = one.sock.getsockname()[0]
        with here(family, connect=another) as two, \
                here(family, bind=ANY[family]) as rest:
            for sender in (left, neighbour):
                sender.send(b"to its peer", local)
            left.send(b"to another", LOOPBACK[family])
            tap.is_([one.wait()[1], two.wait()[1]], [theirs, another],
                    "each has what its peer sends")
            flush()
            tap.is_((one.drain(), two.drain(), rest.drain()), ([], [], []),
                    "and no more, and nobody else")
        tap.is_(error(here, family, connect=theirs), "EADDRINUSE",
                "the same peer a second time")
        tap.is_(error(here, family, bind=local), None,
                "binding beside it")


@tap.each(4, 6)
def each_its_own(family):
    """Ten sockets on ten addresses, and a raw one that gets everything."""
    addresses = ["10.9.0.%d" % n if family == 4 else "fd09::%x" % n
                 for n in range(100, 110)]
    length = 24 if family == 4 else 64
    flags = "" if family == 4 else " nodad"
    lab.right.ip(*("addr add %s/%d dev r0%s" % (one, length, flags)
                   for one in addresses))
    lab.left.ip(*("neigh replace %s lladdr %s dev l0 nud permanent" %
                  (one, lab.r0.mac) for one in addresses))
    with both(family) as left, contextlib.ExitStack() as stack:
        each = [stack.enter_context(here(family, bind=one))
                for one in addresses]
        raw = stack.enter_context(sock.Reader(253, family, lab.right))
        with Count(253, family, lab.right) as count:
            for one in addresses:
                left.send(one.encode(), one)
            left.send(b"nobody's", lab.r0.addr[family])
            flush()
        tap.is_([one.drain() for one in each],
                [[one.encode()] for one in addresses], "each gets its own")
        tap.is_(raw.drain(), [one.encode() for one in addresses] +
                [b"nobody's"], "the raw socket gets every packet")
        tap.is_(count.delta, {"seen": 11, "all": 11, "claim_handled": 11,
                              "raw_matched": 11, "dgram": 10,
                              "dgram_nobody": 1}, "counters")
        for verdict, wanted in (("raw", (0, 1)), ("kernel", (1, 0)),
                                ("none", (0, 0)), ("all", (1, 1))):
            tool.do("proto set 253 deliver " + verdict, lab.right)
            left.send(b"one", addresses[0])
            flush()
            tap.is_((len(each[0].drain()), len(raw.drain())), wanted,
                    "deliver " + verdict)
    lab.right.ip(*("addr del %s/%d dev r0" % (one, length)
                   for one in addresses))


@tap.each(4, 6)
def unreachable(family):
    """A claim is a handler; with unreach always it is one if a socket is."""
    for words, wanted in (("", []), ("unreach always", [UNREACH[family]])):
        with managed(253, lab.right, "claim plain " + words):
            with Probe(lab.left, lab.right, 253, family) as probe:
                tap.is_(probe.send().icmp, wanted, "nobody: " + words)
                with here(family, bind=ANY[family]) as one:
                    tap.is_(probe.send().icmp, [], "a socket: " + words)
                    tap.is_(len(one.drain()), 1, "it has it")
    with Probe(lab.left, lab.other, 253, family) as probe, \
            managed(253, lab.right, "claim plain"), here(family):
        tap.is_(probe.send().icmp, [UNREACH[family]],
                "another namespace: as without kraw")


@tap.case
def dual_stack():
    mapped = "::ffff:" + lab.r0.addr[4]
    with both(4) as left4, Dgram(6, lab.left, bind=lab.l0.addr[6]) as left6:
        with here(6, bind="::") as one:
            left4.send(b"four", lab.r0.addr[4])
            left6.send(b"six", lab.r0.addr[6])
            tap.is_([one.wait()[:2], one.wait()[:2]],
                    [(b"four", "::ffff:" + lab.l0.addr[4]),
                     (b"six", lab.l0.addr[6])], "receives both")
            one.send(b"back", "::ffff:" + lab.l0.addr[4])
            tap.is_(left4.wait()[:2], (b"back", lab.r0.addr[4]),
                    "sends to a v4-mapped address")
            tap.is_(error(here, 4, bind="0.0.0.0"), "EADDRINUSE",
                    "IPv4's any address is in use")
            tap.is_(error(here, 4, bind=lab.r0.addr[4]), "EADDRINUSE",
                    "and each of its addresses")
        with here(6, bind="::", options=[ONLY]) as six, \
                here(4, bind="0.0.0.0") as four:
            left4.send(b"four", lab.r0.addr[4])
            left6.send(b"six", lab.r0.addr[6])
            tap.is_((four.wait()[0], six.wait()[0]), (b"four", b"six"),
                    "IPV6_V6ONLY leaves IPv4 to others")
            tap.is_(error(six.send, b"x", "::ffff:" + lab.l0.addr[4]),
                    "ENETUNREACH", "and sends none")
            tap.is_(error(six.set, *ONLY), "EINVAL", "not after bind")
        with here(6, bind=mapped) as one:
            left4.send(b"four", lab.r0.addr[4])
            tap.is_(one.wait()[0], b"four", "bound to a v4-mapped address")
            tap.is_(error(here, 4, bind=lab.r0.addr[4]), "EADDRINUSE",
                    "which is then in use")
            tap.is_(error(here, 6, bind="::", options=[ONLY]), None,
                    "and none of IPv6's")
            one.sock.connect(("::ffff:" + lab.l0.addr[4], 0))
            one.send(b"connected")
            tap.is_(left4.wait()[0], b"connected", "and connected to one")
    with managed(253, lab.right, "claim plain family ipv6"), here(6) as one:
        tap.is_(error(one.sock.bind, (mapped, 0)), "EADDRNOTAVAIL",
                "IPv4 not claimed: no such address")
        tap.is_(error(one.send, b"x", "::ffff:" + lab.l0.addr[4]),
                "ENETUNREACH", "nor a way there")


# --- life --------------------------------------------------------------------

@tap.each(4, 6)
def a_claim_with_sockets_stays(family):
    tool.do("proto add 253 claim plain", lab.right)
    before = tool.do("proto show", lab.right)
    one, two = here(family, bind=LOOPBACK[family]), here(family)
    for line in ("proto del 253", "proto set 253 claim none",
                 "proto set 253 family ipv%d" % (10 - family)):
        got = tool.refused(line, lab.right)
        tap.has(got.err, "2 open datagram sockets", "refused: " + line)
    for words in ("apply -", "apply --check -"):
        got = tool.refused(words, lab.right, stdin="proto add 252\n")
        tap.has(got.err, "2 open datagram sockets", "refused: " + words)
    tap.is_(tool.do("proto show", lab.right), before, "nothing has changed")
    tap.ok(not tool.loaded() or tool.command("rmmod", "kraw").status,
           "rmmod: in use")
    with Dgram(family, lab.right):
        tap.ok(True, "another one can be opened")
    tool.do_alone(["apply", "-"], lab.right,
                  stdin="proto add 253 claim plain unreach never\n")
    tool.do("proto set 253 deliver kernel", lab.right)
    one.send(b"still there", LOOPBACK[family])
    tap.is_(one.wait()[0], b"still there", "a claim that stays keeps them")
    one.close()
    tap.has(tool.refused("proto del 253", lab.right).err,
            "1 open datagram socket", "one less")
    two.close()
    tool.do("proto del 253", lab.right)
    tap.is_(error(here, family), "EPROTONOSUPPORT", "gone")


@tap.each(4, 6)
def a_claim_goes_by_force(family):
    """Whoever waits is told at once, and whoever comes later, too."""
    ways = {"proto del 253 force": None, "proto set 253 claim none force": None,
            "proto set 253 claim ports force": None,
            "proto set 253 family ipv%d force" % (10 - family): None,
            "flush force": None, "apply --force -": "proto add 252\n"}
    for line, stdin in ways.items():
        tool.do("proto add 253 claim plain", lab.right)
        one, two = here(family, bind=LOOPBACK[family]), here(family)
        one.send(b"read later", LOOPBACK[family])
        two.sock.connect((LOOPBACK[family], 0))
        told = []

        def wait(sleeper=two):
            told.append(error(sleeper.sock.recv, 10))
        two.sock.settimeout(clock.PATIENCE * clock.SLOW)
        thread = threading.Thread(target=wait)
        thread.start()
        clock.wait_until(lambda: asleep(thread))
        if stdin is None:
            tool.do(line, lab.right)
        else:
            tool.do_alone(line.split(), lab.right, stdin=stdin)
        thread.join()
        tap.is_(told, ["ENETDOWN"], line + ": who waits is told")
        tap.is_([error(one.send, b"x", LOOPBACK[family]),
                 error(two.sock.bind, (LOOPBACK[family], 0)),
                 error(one.sock.connect, (LOOPBACK[family], 0)),
                 error(two.sock.recv, 10), error(two.sock.recv, 10)],
                ["ENETDOWN", "EINVAL", "ENETDOWN", "ENETDOWN", "ENETDOWN"],
                "and whoever does something with them")
        one.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        tap.is_((error(one.sock.recv, 100, socket.MSG_PEEK), one.drain_one()),
                (None, b"read later"), "what was there can be read")
        tap.is_(error(one.sock.recv, 10), "ENETDOWN", "then no more")
        tool.do("flush", lab.right)
        tap.ok(True, "they are in nobody's way any more")
        tool.do("proto add 253 claim plain", lab.right)
        with here(family, bind=LOOPBACK[family]) as new:
            new.send(b"new", LOOPBACK[family])
            tap.is_((new.wait()[0], error(one.sock.recv, 10)),
                    (b"new", "ENETDOWN"), "a new claim has new sockets")
        one.close()
        two.close()
        tool.do("flush", lab.right)


def asleep(thread):
    """Is it in a system call that waits?"""
    with open("/proc/self/task/%d/stat" % (thread.native_id or os.getpid())) \
            as file:
        return file.read().rsplit(")", 1)[1].split()[0] == "S"


@tap.case
def a_namespace_goes():
    """Its name goes first; the last socket takes the rest along."""
    space = Namespace("brief")
    space.ip("link set lo up")
    tool.do("proto add 252 claim plain", space)
    ones = [Dgram(family, space, proto=252, bind=LOOPBACK[family])
            for family in (4, 6)]
    space.close()
    for one in ones:
        one.send(b"to myself", LOOPBACK[one.family])
        tap.is_(one.wait()[0], b"to myself", "IPv%d: works on" % one.family)
        one.close()
    tool.do("proto add 252", lab.right)
    tap.ok(is_free(), "then the slot is free")
    tool.do("proto del 252", lab.right)


def is_free():
    """Until nobody holds the slot of 252 any more."""
    return clock.wait_until(lambda: not any(
        handler["kraw"] for row in tool.ask("show", lab.right)
        if row["proto"] == 252 for handler in row["handlers"]))


@tap.case
def aliases():
    text = tool.command("modinfo", "-F", "alias", os.environ["KRAW_KO"]).out
    tap.is_(sorted(line for line in text.split() if "type" in line),
            ["net-pf-%d-proto-%d-type-2" % (family, number)
             for family in (10, 2) for number in (253, 254)],
            "the socket type's")


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
