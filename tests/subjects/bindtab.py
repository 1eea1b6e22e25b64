#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
kraw bindtab: what it says of UDP and TCP is what Python's own sockets come to,
of a claim what Winsock's table says, of raw sockets that nobody is in the way;
where it leaves that table; as a user; without one of the families; bad input.
"""
import os
import re
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, system, tap, tool
from krawtest.dgram import Dgram, error
from krawtest.manage import managed
from krawtest.netns import Lab, Namespace

lab = tap.cleanup(Lab())
system.no_autoload()
module = tap.cleanup(tool.Module())
PROTO = 253
USER = ("setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups",
        "--bounding-set", "-all")
OPTION = {"none": (), "reuse": (socket.SO_REUSEADDR,),
          "reuseport": (socket.SO_REUSEPORT,)}
ADDRESS = {
    "ipv4": {"any": "0.0.0.0", "specific": "127.0.0.1",
             "another": "127.0.0.2"},
    "ipv6": {"any": "::", "specific": "::1", "another": "fd09::2"},
    "dual": {"any": "::", "specific": "::ffff:127.0.0.1",
             "another": "::ffff:127.0.0.2"},
}
# The page's table as the page has it: rows by the second bind, columns by the
# first: exclusive and any, exclusive and specific, none or reuse and the same.
USED, DENIED, OK = "EADDRINUSE", "EACCES", None
WINSOCK = {
    ("exclusive", "any"): (USED, USED, USED, USED),
    ("exclusive", "specific"): (USED, USED, USED, USED),
    ("exclusive", "another"): ("-", OK, "-", OK),
    ("none", "any"): (USED, USED, USED, USED),
    ("none", "specific"): (USED, USED, USED, USED),
    ("none", "another"): ("-", OK, "-", OK),
    ("reuse", "any"): (DENIED, DENIED, OK, OK),
    ("reuse", "specific"): (DENIED, DENIED, OK, OK),
    ("reuse", "another"): ("-", OK, "-", OK),
}


def winsock(row):
    """The page's cell."""
    return WINSOCK[row["second_option"], row["second_address"]][
        2 * (row["first_option"] != "exclusive") +
        (row["first_address"] == "specific")]


def where(row):
    """A cell's name."""
    return "%s %s %s, then %s %s %s" % tuple(
        row[which + part] for which in ("first_", "second_")
        for part in ("family", "option", "address"))


def opened(kind, family, option, address, port):
    """One of Python's sockets, bound."""
    one = socket.socket(socket.AF_INET if family == "ipv4" else
                        socket.AF_INET6, kind)
    try:
        if family != "ipv4":
            one.setsockopt(41, socket.IPV6_V6ONLY, family == "ipv6")
        for name in OPTION[option]:
            one.setsockopt(socket.SOL_SOCKET, name, 1)
        one.bind((ADDRESS[family][address], port))
    except OSError:
        one.close()
        raise
    return one


def by_python(kind, row, port=4711):
    """The error of the second bind."""
    first, second = ([row[which + part] for part in
                      ("family", "option", "address")]
                     for which in ("first_", "second_"))
    with opened(kind, *first, port) as one:
        if kind == socket.SOCK_STREAM:
            one.listen()
        got = []
        name = error(lambda: got.append(opened(kind, *second, port)))
        for other in got:
            other.close()
        return name


def table(words, space=lab.right):
    """(cells, Result) of kraw -j bindtab."""
    return tool.ask(["bindtab", *words.split()], space)


@tap.each(("udp", socket.SOCK_DGRAM, 17), ("tcp", socket.SOCK_STREAM, 6))
def what_the_kernel_does(name, kind, number):
    """Every cell, as independent sockets have it."""
    rows = table(name)
    pairs = {(row["first_family"], row["second_family"]) for row in rows}
    tap.is_(pairs, {("ipv4", "ipv4"), ("ipv6", "ipv6"), ("dual", "ipv4"),
                    ("ipv4", "dual"), ("dual", "dual")}, "all stacks")
    # of 3 x 3 options: any before any and specific, specific before all three
    tap.is_((len(rows), len(set(map(where, rows)))), (225, 225), "all cells")
    tap.is_({(row["proto"], row["name"], row["first_error"]) for row in rows},
            {(number, name, None)}, "of " + name)
    # a slow kernel: every fourth, of each row and each column of each table
    some = rows[::1 if clock.SLOW == 1 else 4]
    for part in ("option", "address"):
        tap.is_({(row["first_family"], row["second_family"], row[which + part])
                 for row in some for which in ("first_", "second_")},
                {(row["first_family"], row["second_family"], row[which + part])
                 for row in rows for which in ("first_", "second_")},
                "compared: every " + part)
    with lab.right:
        tap.is_([where(row) + ": " + str(row["error"]) for row in some],
                [where(row) + ": " + str(by_python(kind, row)) for row in some],
                "Python's sockets find the same")
    for row in rows:
        known = "reuseport" not in (row["first_option"], row["second_option"])
        if ("winsock" in row) != known or (
                known and row["winsock"] != winsock(row)) or \
                row["departs"] != (known and row["error"] != winsock(row)):
            tap.ok(False, "Winsock: " + where(row), row)
    departs = {(row["first_option"], row["second_option"]) for row in rows
               if row["departs"]}
    tap.is_(departs, {("none", "reuse")} if name == "udp" else
            {("none", "reuse"), ("reuse", "reuse")},
            "it departs where SO_REUSEADDR takes over")
    tap.ok(any(row["error"] is None for row in rows) and
           any(row["error"] == USED for row in rows), "both answers occur")


@tap.each("plain", "ports")
def a_claim(claim):
    """Winsock's table, cell by cell, as root and as a user."""
    with managed(PROTO, lab.right, "claim %s users uid 1000" % claim):
        rows = table("253")
        tap.is_(len(rows), 400, "all cells, with the exclusive option")
        tap.is_([where(row) for row in rows if row["departs"]], [],
                "none departs from Winsock's table")
        for row in rows:
            if "winsock" in row and row["error"] != winsock(row):
                tap.ok(False, where(row), row)
        tap.is_({row["error"] for row in rows if row["second_address"] !=
                 "another" and row["first_option"] == row["second_option"] ==
                 "reuseport" and
                 row["first_address"] == row["second_address"]}, {None},
                "SO_REUSEPORT shares")
        done = lab.right.run(*USER, tool.KRAW, "-j", "bindtab", "253")
        tap.ok(done.returncode == 0 and done.stdout.count('"error"') == 400,
               "as a user who is let in", done.stderr)


@tap.case
def a_claim_of_one_family():
    for family, pairs in (("ipv4", {("ipv4", "ipv4")}),
                          ("ipv6", {("ipv6", "ipv6")})):
        with managed(PROTO, lab.right, "claim ports family " + family):
            got = tool.kraw("-j bindtab 253", lab.right)
            tap.ok(got.status == 0 and got.err.startswith(
                "note: without %s" % {"ipv4": "IPv6", "ipv6": "IPv4"}[family])
                   and got.err.count("\n") == 1, "a note", got)
            rows = table("253")
            tap.is_(({(row["first_family"], row["second_family"])
                      for row in rows},
                     [row for row in rows if row["departs"] or
                      row["first_error"]]),
                    (pairs, []), "only " + family)


@tap.case
def raw_sockets():
    rows = table("raw")
    tap.is_({(row["type"], row["first_family"], row["second_family"],
              row["error"], row["first_error"]) for row in rows},
            {("raw", name, name, None, None) for name in ("ipv4", "ipv6")},
            "nobody is in anybody's way")
    tap.is_({row["second_option"] for row in rows if row["departs"]}, {"none"},
            "which Winsock's table does not have")
    got = lab.right.run(*USER, tool.KRAW, "bindtab", "raw")
    tap.ok(got.returncode == 2 and "CAP_NET_RAW" in got.stderr and
           got.stderr.count("\n") == 1, "as a user", got)


@tap.case
def the_text():
    """The same cells; as a user; a star where it departs."""
    got = lab.right.run(*USER, tool.KRAW, "bindtab")
    tap.is_((got.returncode, got.stderr), (0, ""), "UDP, as a user")
    parts = got.stdout.split("\n\n")
    tap.is_(parts[0], "Protocol 17 (udp), dgram sockets: the first bind "
            "across, the second one down.", "what it is")
    tap.is_([part.splitlines()[0] for part in parts[1:-1]],
            ["Both IPv4", "Both IPv6", "First dual stack, second IPv4",
             "First IPv4, second dual stack", "Both dual stack"], "tables")
    tap.is_(parts[-1], "20 of 100 pairs are not as in Winsock's table.\n",
            "sum")
    head, *lines = parts[1].splitlines()[1:]
    tap.is_(head.split(), ["SECOND", "ADDRESS"] + [
        option + "/" + address for option in ("NONE", "REUSE", "RPORT")
        for address in ("ANY", "SPEC")], "columns")
    words = {None: "ok", USED: "in use", DENIED: "denied"}
    wanted = {}
    for row in table(""):
        if row["first_family"] == row["second_family"] == "ipv4":
            wanted.setdefault((row["second_option"], row["second_address"]),
                              []).append(words[row["error"]] +
                                         " *" * row["departs"])
    for key, cells in wanted.items():
        if key[1] == "another":		# never after any
            wanted[key] = ["-", cells[0], "-", cells[1], "-", cells[2]]
    tap.is_([re.findall(r"in use \*|in use|\S+", line) for line in lines],
            [list(key) + cells for key, cells in wanted.items()], "cells")


@tap.case
def one_address_only():
    """Where IPv6 has no second address; where there is none at all."""
    alone = tap.cleanup(Namespace("alone"))
    got = tool.kraw("-j bindtab", alone)
    tap.is_((got.status, got.err), (0, "note: without IPv6: no socket, or no "
                                       "address.\n"), "lo is down: a note")
    with managed(PROTO, alone, "claim ports family ipv6"):
        got = tool.kraw("bindtab 253", alone)
        tap.ok(got.status == 2 and "is lo up" in got.err and
               got.err.count("\n") == 1, "and nothing but IPv6", got)
    alone.ip("link set lo up")
    got = tool.kraw("-j bindtab", alone)
    tap.is_((got.status, got.err), (0, "note: without another address of IPv6: "
                                       "this host has one only.\n"), "a note")
    rows = table("", alone)
    tap.is_({row["second_family"] for row in rows
             if row["second_address"] == "another"}, {"ipv4", "dual"},
            "the other cells are there")


@tap.case
def bad_input():
    with managed(PROTO, lab.right, "claim plain"), \
            managed(252, lab.right, "claim ports"):
        for words, status, part in (
                ("bindtab nonsense", 1, "nonsense"),
                ("bindtab 256", 1, "255"),
                ("bindtab udp tcp", 1, "'tcp' is not understood"),
                ("bindtab 251", 2, "not claimed")):
            got = tool.kraw(words, lab.right)
            tap.ok(got.status == status and got.err.startswith("Error: ") and
                   part in got.err and got.err.count("\n") == 1 and
                   not got.out, words, got)
        got = lab.right.run(*USER, tool.KRAW, "bindtab", "253")
        tap.ok(got.returncode == 2 and "does not let this user in" in
               got.stderr, "a user who is not let in", got)
        with Dgram(4, lab.right, bind="127.0.0.1"), \
                Dgram(6, lab.right, bind="::1"):
            got = tool.kraw("bindtab 253", lab.right)
            tap.ok(got.status == 2 and "close it first" in got.err,
                   "without ports, beside a socket", got)
        with Dgram(4, lab.right, proto=252, bind="127.0.0.1", port=7777):
            got = table("252")
            tap.is_([row for row in got if row["departs"]], [],
                    "with ports, beside a socket")
        tap.is_(tool.kraw("bindtab help", lab.right).out[:6], "Usage:", "help")


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
