#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Whatever is wrong is refused with one clear line, exit status 1 (the command
makes no sense) or 2 (the kernel says no), and changes nothing.  The kernel
refuses what the tool would never send, too, and always says why.
"""
import os
import random
import re
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, system, tap, tool
from krawtest.client import (Client, K, genl, generation, proto,
                             rule, u8, u32)
from krawtest.netns import Lab

FILE = "/run/bad.kraw"

lab = tap.cleanup(Lab())
system.no_autoload()


def one_line(told, name):
    """Exactly one line, an error, without anything that harms a terminal."""
    lines = told.split("\n")
    return tap.ok(lines[0].startswith("Error: ") and lines[1:] == [""] and
                  lines[0].endswith(".") and lines[0].isprintable(),
                  name + ": one line", repr(told))


# --- without the module ------------------------------------------------------

@tap.case
def no_module():
    before = tool.loaded()
    tap.ok(not before, "kraw is not loaded")
    told = tool.kraw("proto add 253", lab.right)
    tap.is_((told.status, told.out), (2, ""), "proto add: exit status")
    one_line(told.err, "proto add")
    tap.has(told.err, "kraw.ko is not loaded: ", "and says so")
    with open(FILE, "w") as file:
        file.write("proto add 253\n")
    lines = ["proto", "proto show 253", "proto set 253 deliver raw",
             "proto del 253", "rule", "rule add proto 253 deliver raw",
             "rule flush proto 253", "rule del proto 253 pref 10", "stats",
             "save", "flush", "monitor", "apply " + FILE,
             "apply --check " + FILE]
    told = tool.kraw(["-force", "-b", "-"], lab.right,
                     stdin="\n".join(lines) + "\n")
    got = [line for line in told.err.splitlines()
           if re.match(r"Error: .*kraw\.ko is not loaded: ", line)]
    tap.is_((len(got), len(told.err.splitlines())), (len(lines), len(lines)),
            "every other command says so")
    tap.is_((told.status, told.out), (2, ""), "exit status")
    told = tool.kraw("show", lab.right)
    tap.is_(told.status, 0, "show works")
    tap.ok(all(line.startswith("note: ") for line in told.err.splitlines()),
           "with notes at most", told.err)


# --- the tool ----------------------------------------------------------------

# The list, each in a process of its own: words, exit status, what the
# error has to say.
ALONE = [
    ("proto add nosuchproto", 1, "nosuchproto"),
    ("proto add 256", 1, "255"),
    ("proto add 255", 1, "255"),
    ("proto add 60", 1, "extension header"),
    ("proto add 253", 2, "managed already"),
    ("proto del 99", 2, "not managed"),
    ("rule add proto 253 src 10.1.2.3/8 deliver raw", 1, "10.0.0.0/8"),
    ("rule add proto 253 dev nosuchdev deliver raw", 1, "no such device"),
    ("rule add proto 253 ttl 9-3 deliver raw", 1, "backwards"),
    (["rule", "add", "proto", "253", "match", "ip and and", "deliver", "raw"],
     1, "syntax error"),
    (["rule", "add", "proto", "253", "match", "ether host 1:2:3:4:5:6",
      "deliver", "raw"], 1, "match"),
    ("rule add proto 253 src 10.0.0.0/8", 1, "no verdict"),
    ("rule add proto 253 deny", 1, "hook output"),
    ("rule add hook output proto 253 deliver raw", 1, "allow"),
    ("rule add proto 253 dscp 64 deliver raw", 1, "63"),
    ("rule add proto 253 mark 0x11/0x10 deliver raw", 1, "mark 0x10/0x10"),
    ("rule add proto 253 uid 0 deliver raw", 1, "hook output"),
    ("rule add proto 253 hdrincl deliver raw", 1, "hook output"),
    ("rule add proto 253 spoofed deliver raw", 1, "hook output"),
    ("rule add hook output proto 253 mirror dev r0 deny", 1, "hook output"),
    ("rule add proto 253 mirror dev nosuchdev deliver raw", 1,
     "no such device"),
    ("rule add proto 253 limit 10/m deliver raw", 1, "R/s"),
    ("rule add proto 253 limit 0/s deliver raw", 1, "1/s"),
    ("rule add proto 253 limit 1/s burst 0 deliver raw", 1, "burst"),
    ("rule add proto 253 burst 5 deliver raw", 1, "limit R/s"),
    ("rule add proto 253 by flow deliver raw", 1, "deliver one"),
    (["rule", "add", "proto", "253", "comment", "x\n\x1b[2Jy", "deliver",
      "raw"], 1, r"x\x0a\x1b[2Jy"),
    (["rule", "add", "proto", "253", "comment", "x" * 129, "deliver", "raw"],
     1, "128"),
    # 128 characters, but more bytes
    (["rule", "add", "proto", "253", "comment", "\u00e9" + "x" * 127,
      "deliver", "raw"], 1, "128"),
    ("", 1, None),
    (["proto", "add", "25\n3\x1b[31m"], 1, r"25\x0a3\x1b[31m"),
    ("-n nosuchnamespace proto", 1, "nosuchnamespace"),
    ("apply /nosuch/file", 1, "/nosuch/file"),
    ("-b /nosuch/file", 1, "/nosuch/file"),
    ("-x", 1, "-x"),
]

# More of the same, in one process: refused before the kernel is asked ...
SENSELESS = """
nosuch
proto nosuch
proto add
proto add -1
proto add +253
proto add 0x10
proto add 25.3
proto add 99999999999999999999999
proto add ''
proto add mptcp
proto add 0
proto add 43
proto add 44 family ipv6
proto add 50 family both
proto add 51
proto add 59
proto add 135
proto add 139
proto add 140
proto add 99 family
proto add 99 family ipx
proto add 99 family ipv4 family ipv6
proto add 99 claim
proto add 99 claim yes
proto add 99 claim none claim plain
proto add 99 deliver
proto add 99 deliver nobody
proto add 99 deliver allow
proto add 99 deliver deny
proto add 99 deliver raw deliver none
proto add 99 deliver one by
proto add 99 deliver one by nobody
proto add 99 deliver one by flow by flow
proto add 99 deliver one by flow by cpu
proto add 99 deliver one reuseport reuseport
proto add 99 deliver one deliver one
proto add 99 deliver one flow
proto add 99 deliver all by flow
proto add 99 deliver raw reuseport
proto add 99 by flow deliver one
proto add 99 reuseport
proto add 99 burst 5
proto set 253 by cpu
proto set 253 reuseport
proto add 99 unreach
proto add 99 unreach sometimes
proto add 99 nosuch
proto add 99 raw
proto set
proto set 253
proto set 253 nosuch
proto set 60 family ipv6
proto del
proto del 256
proto del 253 now
proto show 256
proto show 253 now
rule nosuch
rule add
rule add deliver raw
rule add proto
rule add proto 256 deliver raw
rule add proto nosuchproto deliver raw
rule add proto 253 proto 99 deliver raw
rule add proto 253 deliver
rule add proto 253 deliver nobody
rule add proto 253 deliver allow
rule add proto 253 allow
rule add proto 253 allow deny
rule add proto 253 deliver raw deliver none
rule add proto 253 hook
rule add proto 253 hook forward deliver raw
rule add hook output proto 253 deliver raw
rule add proto 253 pref deliver raw
rule add proto 253 pref -1 deliver raw
rule add proto 253 pref 4294967296 deliver raw
rule add proto 253 pref 1 pref 2 deliver raw
rule add proto 253 handle 1 deliver raw
rule add proto 253 src deliver raw
rule add proto 253 src 10.0.0.0/ deliver raw
rule add proto 253 src 10.0.0.0/33 deliver raw
rule add proto 253 src 10.0.0.0/-1 deliver raw
rule add proto 253 src 10.0.0/8 deliver raw
rule add proto 253 src 10.0.0.256 deliver raw
rule add proto 253 src 010.0.0.1 deliver raw
rule add proto 253 src /8 deliver raw
rule add proto 253 src fd09::/129 deliver raw
rule add proto 253 src fd09::1/64 deliver raw
rule add proto 253 src fd09:::/64 deliver raw
rule add proto 253 src fe80::1%lo deliver raw
rule add proto 253 src localhost deliver raw
rule add proto 253 src 10.0.0.0/8 src 11.0.0.0/8 deliver raw
rule add proto 253 src 10.0.0.0/8 dst fd09::/64 deliver raw
rule add proto 253 dst 10.0.0.1/31 deliver raw
rule add proto 253 dev deliver raw
rule add proto 253 dev '' deliver raw
rule add proto 253 dev a-name-that-is-too-long deliver raw
rule add proto 253 dev ../../etc deliver raw
rule add proto 253 ttl deliver raw
rule add proto 253 ttl 256 deliver raw
rule add proto 253 ttl 1-256 deliver raw
rule add proto 253 ttl - deliver raw
rule add proto 253 ttl 1- deliver raw
rule add proto 253 ttl -1 deliver raw
rule add proto 253 ttl 1-2-3 deliver raw
rule add proto 253 ttl 1 ttl 2 deliver raw
rule add proto 253 len 1001-1000 deliver raw
rule add proto 253 len 4294967296 deliver raw
rule add proto 253 len 1k deliver raw
rule add proto 253 type 256 deliver raw
rule add proto 253 type 8-0 deliver raw
rule add proto 253 type echo deliver raw
rule add proto 253 match deliver raw
rule add proto 253 match '' deliver raw
rule add proto 253 match '   ' deliver raw
rule add proto 253 match 'vlan 3' deliver raw
rule add proto 253 match 'ip[' deliver raw
rule add proto 253 match 'host nosuch.invalid' deliver raw
rule add proto 253 match 'ip' match 'ip6' deliver raw
rule add proto 253 match 'ip' bytecode '1,6 0 0 0' deliver raw
rule add proto 253 bytecode '' deliver raw
rule add proto 253 bytecode '0' deliver raw
rule add proto 253 bytecode '1' deliver raw
rule add proto 253 bytecode '2,6 0 0 0' deliver raw
rule add proto 253 bytecode '1,6 0 0 0,6 0 0 0' deliver raw
rule add proto 253 bytecode '1,6 0 0 x' deliver raw
rule add proto 253 bytecode '4097,6 0 0 0' deliver raw
rule add proto 253 dscp deliver raw
rule add proto 253 dscp '' deliver raw
rule add proto 253 dscp -1 deliver raw
rule add proto 253 dscp 0x2e deliver raw
rule add proto 253 dscp 0-63 deliver raw
rule add proto 253 dscp cs8 deliver raw
rule add proto 253 dscp cs deliver raw
rule add proto 253 dscp cs10 deliver raw
rule add proto 253 dscp af10 deliver raw
rule add proto 253 dscp af14 deliver raw
rule add proto 253 dscp af51 deliver raw
rule add proto 253 dscp 1 dscp 1 deliver raw
rule add proto 253 mark deliver raw
rule add proto 253 mark '' deliver raw
rule add proto 253 mark -1 deliver raw
rule add proto 253 mark 0x deliver raw
rule add proto 253 mark 0xg deliver raw
rule add proto 253 mark ff deliver raw
rule add proto 253 mark 4294967296 deliver raw
rule add proto 253 mark 0x100000000 deliver raw
rule add proto 253 mark 0x10000000000000000 deliver raw
rule add proto 253 mark 1/ deliver raw
rule add proto 253 mark /1 deliver raw
rule add proto 253 mark 1/1/1 deliver raw
rule add proto 253 mark 1/0 deliver raw
rule add proto 253 mark 1-2 deliver raw
rule add proto 253 mark 1 mark 2 deliver raw
rule add proto 253 fragment yes deliver raw
rule add proto 253 fragment fragment deliver raw
rule add proto 253 uid 0 deliver raw
rule add proto 253 uid root deliver raw
rule add proto 253 hdrincl deliver raw
rule add proto 253 hook input spoofed deliver raw
rule add proto 253 uid 0 allow
rule add hook output proto 253 uid deny
rule add hook output proto 253 uid '' deny
rule add hook output proto 253 uid nosuchuser deny
rule add hook output proto 253 uid -1 deny
rule add hook output proto 253 uid 4294967296 deny
rule add hook output proto 253 uid 9-3 deny
rule add hook output proto 253 uid 0-root deny
rule add hook output proto 253 uid 0 uid 1 deny
rule add hook output proto 253 hdrincl hdrincl deny
rule add hook output proto 253 spoofed spoofed deny
rule add hook output proto 253 spoofed
rule add hook output proto 253 mirror dev lo deny
rule add hook output proto 253 deliver one
rule add hook output proto 253 allow by flow
rule add proto 253 limit deliver raw
rule add proto 253 limit '' deliver raw
rule add proto 253 limit 10 deliver raw
rule add proto 253 limit 10/ deliver raw
rule add proto 253 limit 10/m deliver raw
rule add proto 253 limit 10/second deliver raw
rule add proto 253 limit 10/s/s deliver raw
rule add proto 253 limit /s deliver raw
rule add proto 253 limit 0/s deliver raw
rule add proto 253 limit -1/s deliver raw
rule add proto 253 limit 1.5/s deliver raw
rule add proto 253 limit 4294967296/s deliver raw
rule add proto 253 limit 10/s limit 10/s deliver raw
rule add proto 253 limit 10/s burst deliver raw
rule add proto 253 limit 10/s burst 0 deliver raw
rule add proto 253 limit 10/s burst 4294967296 deliver raw
rule add proto 253 limit 10/s burst 5 burst 5 deliver raw
rule add proto 253 limit 10/s trace burst 5 deliver raw
rule add proto 253 burst 5 limit 10/s deliver raw
rule add proto 253 mirror deliver raw
rule add proto 253 mirror lo deliver raw
rule add proto 253 mirror dev
rule add proto 253 mirror dev '' deliver raw
rule add proto 253 mirror dev nosuchdev deliver raw
rule add proto 253 mirror dev a-name-that-is-too-long deliver raw
rule add proto 253 mirror dev lo mirror dev lo deliver raw
rule add proto 253 trace trace deliver raw
rule add proto 253 comment
rule add proto 253 comment a b deliver raw
rule add proto 253 comment a comment a deliver raw
rule add proto 253 comment '\x07' deliver raw
rule add proto 253 comment '\u202eevil' deliver raw
rule add proto 253 comment \xff\xfe deliver raw
rule add proto 253 deliver one by
rule add proto 253 deliver one by nobody
rule add proto 253 deliver one by flow by cpu
rule add proto 253 deliver one reuseport reuseport
rule add proto 253 deliver one flow
rule add proto 253 deliver one deliver one
rule add proto 253 deliver raw by flow
rule add proto 253 deliver all reuseport
rule add proto 253 by flow deliver one
rule add proto 253 nosuch deliver raw
rule replace proto 253 deliver raw
rule replace proto 253 pref 10
rule del proto 253
rule del pref 10
rule del proto 253 pref 10 deliver raw
rule del proto 253 pref ten
rule flush
rule flush proto 253 pref 10
rule flush proto
rule show proto
rule show proto 253 now
rule show pref 10
show proto
show nosuch
show proto 253 254
stats proto
stats nosuch
monitor now
save now
flush now
apply
apply --nosuch /run/bad.kraw
apply generation
apply generation x /run/bad.kraw
apply generation 4294967296 /run/bad.kraw
apply /run/bad.kraw /run/bad.kraw
proto add \x01\x02
proto add \xff\xfe
proto add \u202eevil
rule add proto 253 match '\x1b[2J' deliver raw
rule add proto 253 dev '\x07' deliver raw
"""

# ... and by the kernel.
REFUSED = """
proto add 253 claim plain
proto add tcp claim plain
proto add 99 users all
proto set 99 deliver raw
proto del 254
proto show 254
rule add proto 99 deliver raw
rule add proto 253 pref 10 deliver raw
rule add proto 253 bytecode '1,0 0 0 0' deliver raw
rule add proto 253 bytecode '2,5 0 0 9,6 0 0 0' deliver raw
rule add proto 253 bytecode '1,65535 0 0 0' deliver raw
rule replace proto 253 handle 4000000000 deliver raw
rule replace proto 253 pref 20 deliver raw
rule replace proto 99 pref 20 deliver raw
rule del proto 253 pref 11
rule del proto 253 pref 20
rule del proto 253 handle 4000000000
rule del proto 99 pref 10
rule flush proto 99
"""

loader = None		# the module
client = None


@tap.case
def load():
    global loader, client
    loader = tap.cleanup(tool.Module())
    client = tap.cleanup(Client(lab.right))
    # pref 20 twice
    client.apply(proto(253), rule(253, "raw", pref=10),
                 rule(253, "raw", pref=20, src="10.0.0.0/8"),
                 rule(253, "none", pref=20, src="11.0.0.0/8"))
    tap.is_(len(client.rules()), 3, "something that could be spoiled")
    with open(FILE, "w") as file:
        file.write("proto add 99\n")


@tap.case
def alone():
    before = client.state()
    for words, status, part in ALONE:
        name = repr(words)
        told = tool.kraw(words, lab.right)
        tap.is_((told.status, told.out), (status, ""), name + ": status")
        if part is None:
            tap.has(told.err, "Usage: ", name + ": usage")
            continue
        if one_line(told.err, name):
            tap.has(told.err, part, name + ": says what")
    tap.is_(client.state(), before, "nothing has changed")


@tap.case
def a_libpcap_that_cannot_be_used():
    """It is loaded by what needs it; in its place is a file that is none."""
    before = client.state()
    there = "/run/no-libpcap"
    os.mkdir(there)
    open(os.path.join(there, "libpcap.so.0.8"), "w").close()
    capture = os.path.join(there, "capture")
    for words in ("rule add proto 253 match ip deliver raw",
                  "trace proto 253 -w " + capture):
        told = lab.right.run(tool.KRAW, *words.split(),
                             env={**os.environ, "LD_LIBRARY_PATH": there})
        tap.is_((told.returncode, told.stdout), (2, ""), words + ": status")
        if one_line(told.stderr, words):
            tap.has(told.stderr, "apt install libpcap0.8",
                    words + ": says what would help")
    tap.ok(not os.path.exists(capture), "and leaves no capture file")
    tap.is_(lab.right.run(tool.KRAW, "proto", "show", "253",
                          env={**os.environ, "LD_LIBRARY_PATH": there}
                          ).returncode, 0, "other commands do without")
    tap.is_(client.state(), before, "nothing has changed")


@tap.case
def no_permission():
    before = client.state()
    told = lab.right.run(tool.KRAW, "proto", "add", "99", user=65534,
                         group=65534, extra_groups=[])
    tap.is_((told.returncode, told.stdout), (2, ""), "exit status")
    if one_line(told.stderr, "proto add"):
        tap.has(told.stderr, "CAP_NET_ADMIN", "names the capability")
    tap.is_(client.state(), before, "nothing has changed")


@tap.each("senseless", "refused by the kernel")
def in_a_batch(what):
    text, status = {"senseless": (SENSELESS, 1),
                    "refused by the kernel": (REFUSED, 2)}[what]
    before = client.state()
    lines = text.strip("\n").split("\n")
    raw = "\n".join(lines).encode("utf-8").replace(
        "\xff\xfe".encode("utf-8"), b"\xff\xfe")
    with open("/run/bad.batch", "wb") as file:
        file.write(raw + b"\n")
    done = lab.right.run(tool.KRAW, "-force", "-b", "/run/bad.batch",
                         text=False)
    tap.is_((done.returncode, done.stdout), (status, b""), "exit status")
    try:
        err = done.stderr.decode("utf-8")
    except UnicodeDecodeError as error:
        tap.ok(False, "the errors are UTF-8", error)
        err = done.stderr.decode("utf-8", "replace")
    got = {}
    for line in err.split("\n")[:-1]:
        match = re.fullmatch(r"Error: /run/bad\.batch:(\d+): (.+\.)", line)
        if not match or not line.isprintable():
            tap.ok(False, "an error has its line, and no garbage", repr(line))
            continue
        got.setdefault(int(match[1]), []).append(match[2])
    for number, line in enumerate(lines, 1):
        errors = got.pop(number, [])
        tap.is_(len(errors), 1, repr(line)) or tap.diag(errors)
    tap.is_(got, {}, "and no other")
    tap.is_(client.state(), before, "nothing has changed")


UNREADABLE = {
    "an open quote": b"proto add 99\nrule add proto 99 match 'ip\n",
    "a NUL byte": b"proto add 99\nproto add 9\0 deliver raw\n",
    "no text": b"\x7fELF\2\1\1\0\xff\x1b[2J\n" * 3,
}


@tap.each(*UNREADABLE)
def a_file_that_cannot_be_read(what):
    before = client.state()
    with open("/run/unreadable", "wb") as file:
        file.write(UNREADABLE[what])
    told = tool.kraw("apply /run/unreadable", lab.right)
    tap.is_((told.status, told.out), (1, ""), "exit status")
    if one_line(told.err, "apply"):
        tap.has(told.err, "/run/unreadable:%d: " % (1 + (what != "no text")),
                "says the line")
    tap.is_(client.state(), before, "nothing has changed")


# --- the kernel --------------------------------------------------------------

RET = (6, 0, 0, 1)
ADD, SET, DEL = K.CMD_PROTO_ADD, K.CMD_PROTO_SET, K.CMD_PROTO_DEL
RADD, RREP, RDEL = K.CMD_RULE_ADD, K.CMD_RULE_REPLACE, K.CMD_RULE_DEL

MESSAGES = [
    # missing
    ("no protocol", ADD, b"", "EINVAL", "no protocol"),
    ("no protocol", SET, b"", "EINVAL", "no protocol"),
    ("no protocol", DEL, b"", "EINVAL", "no protocol"),
    ("no protocol", K.CMD_PROTO_GET, b"", "EINVAL", "no protocol"),
    ("no number", ADD, proto(None), "EINVAL", "number"),
    ("no number, but more", SET, proto(None, deliver="raw"), "EINVAL",
     "number"),
    ("no number", DEL, proto(None), "EINVAL", "number"),
    ("no number", K.CMD_PROTO_GET, proto(None), "EINVAL", "number"),
    ("no rule", RADD, b"", "EINVAL", "no rule"),
    ("no rule", RREP, b"", "EINVAL", "no rule"),
    ("no rule", RDEL, b"", "EINVAL", "no rule"),
    ("no rule", K.CMD_RULE_FLUSH, b"", "EINVAL", "no rule"),
    ("no rule", K.CMD_RULE_GET, b"", "EINVAL", "no rule"),
    ("no protocol of the rule", RADD, rule(None, "raw"), "EINVAL",
     "protocol"),
    ("no protocol of the rule", RDEL, rule(None, pref=10), "EINVAL",
     "protocol"),
    ("no protocol of the rule", K.CMD_RULE_FLUSH, rule(None), "EINVAL",
     "protocol"),
    ("no verdict", RADD, rule(253), "EINVAL", "verdict"),
    ("no verdict", RREP, rule(253, pref=10), "EINVAL", "verdict"),
    ("nothing that names it", RDEL, rule(253), "EINVAL", "name the rule"),
    ("nothing that names it", RREP, rule(253, "raw"), "EINVAL",
     "name the rule"),
    ("nothing that names it", K.CMD_RULE_GET, rule(253), "EINVAL",
     "name the rule"),
    # protocols
    ("255", ADD, proto(255), "EINVAL", "255"),
    ("0", ADD, proto(0), "EINVAL", "extension header"),
    ("0, IPv4", ADD, proto(0, families=1), "EINVAL", "hop-by-hop"),
    ("an extension header", ADD, proto(60), "EINVAL", "extension header"),
    ("a mobility header", ADD, proto(135, families=2), "EINVAL",
     "extension header"),
    ("claim ports", ADD, proto(6, claim="ports"), "EBUSY", "handled by"),
    ("by without one", ADD, proto(99, extra=[u8(K.PROTO_A_ONE_BY, 0)]),
     "EINVAL", "verdict one"),
    ("by with raw", ADD, proto(99, deliver="raw",
                               extra=[u8(K.PROTO_A_ONE_BY, 0)]),
     "EINVAL", "verdict one"),
    ("by where one is not", SET, proto(253, extra=[u8(K.PROTO_A_ONE_BY, 1)]),
     "EINVAL", "verdict one"),
    ("reuseport without one", SET,
     proto(253, deliver="all", extra=[genl.attr(K.PROTO_A_ONE_REUSEPORT)]),
     "EINVAL", "verdict one"),
    ("by nothing known", ADD,
     proto(99, deliver="one", extra=[u8(K.PROTO_A_ONE_BY, 3)]), "ERANGE",
     None),
    ("reuseport with a value", ADD,
     proto(99, deliver="one", extra=[u8(K.PROTO_A_ONE_REUSEPORT, 1)]),
     ("EINVAL", "ERANGE"), None),
    ("deliver allow", ADD, proto(99, deliver="allow"), "EINVAL", "input"),
    ("deliver deny", SET, proto(253, deliver="deny"), "EINVAL", "input"),
    ("the holder is TCP", ADD, proto(6, claim="plain"), "EBUSY",
     "tcp_v4_rcv"),
    ("the holder is TCP", ADD, proto(6, 2, claim="plain"), "EBUSY",
     "tcp_v6_rcv"),
    ("a second time", ADD, proto(253), "EEXIST", "managed already"),
    ("what is not there", SET, proto(99, deliver="raw"), "ENOENT",
     "not managed"),
    ("what is not there", DEL, proto(99), "ENOENT", "not managed"),
    ("what is not there", K.CMD_PROTO_GET, proto(99), "ENOENT",
     "not managed"),
    ("another generation", ADD, proto(99) + generation(77), "ESTALE",
     "generation"),
    # rules
    ("of what is not managed", RADD, rule(99, "raw"), "ENOENT",
     "not managed"),
    ("the same again", RADD, rule(253, "none", pref=10), "EEXIST", "already"),
    ("by without one", RADD,
     rule(253, "raw", extra=[u8(K.RULE_A_ONE_BY, 0)]), "EINVAL",
     "verdict one"),
    ("reuseport without one", RADD,
     rule(253, "none", extra=[genl.attr(K.RULE_A_ONE_REUSEPORT)]), "EINVAL",
     "verdict one"),
    ("by nothing known", RADD,
     rule(253, "one", extra=[u8(K.RULE_A_ONE_BY, 3)]), "ERANGE", None),
    ("a verdict of hook output", RADD, rule(253, "allow"), "EINVAL", "input"),
    ("hook output with a verdict of input", RADD,
     rule(253, "raw", hook="output"), "EINVAL", "allow or deny"),
    ("a handle", RADD, rule(253, "raw", handle=5), "EINVAL", "handle"),
    ("host bits", RADD, rule(253, "raw", src="10.0.0.1/8"), "EINVAL",
     "prefix"),
    ("host bits", RADD, rule(253, "raw", dst="fd09::1/127"), "EINVAL",
     "prefix"),
    ("host bits of /0", RADD, rule(253, "raw", dst="0.0.0.1/0"), "EINVAL",
     "prefix"),
    ("a prefix longer than its address", RADD,
     rule(253, "raw", src="10.0.0.0/33"), "EINVAL", "longer"),
    ("a prefix of nothing", RADD,
     rule(253, "raw", extra=[u8(K.RULE_A_SRC_PREFIX, 8)]), "EINVAL",
     "address"),
    ("an address of no bytes", RADD,
     rule(253, "raw", extra=[genl.attr(K.RULE_A_SRC)]), "EINVAL",
     "4 or 16"),
    ("an address of 5 bytes", RADD,
     rule(253, "raw", extra=[genl.attr(K.RULE_A_DST, bytes(5))]), "EINVAL",
     "4 or 16"),
    ("both families", RADD,
     rule(253, "raw", src="10.0.0.0/8", dst="fd09::/64"), "EINVAL",
     "families"),
    ("no such device", RADD, rule(253, "raw", dev="nosuch"), "ENODEV",
     "device"),
    ("a device without a name", RADD, rule(253, "raw", dev=""), "ENODEV",
     "device"),
    ("ttl backwards", RADD, rule(253, "raw", ttl_min=9, ttl_max=8), "EINVAL",
     "backwards"),
    ("len backwards", RADD, rule(253, "raw", len_min=9, len_max=8), "EINVAL",
     "backwards"),
    ("type backwards", RADD, rule(253, "raw", type_min=1, type_max=0),
     "EINVAL", "backwards"),
    ("dscp 64", RADD, rule(253, "raw", dscp=64), ("EINVAL", "ERANGE"), None),
    ("a mask alone", RADD, rule(253, "raw", mark_mask=1), "EINVAL", "mark"),
    ("a mask of nothing", RADD, rule(253, "raw", mark=0, mark_mask=0),
     "EINVAL", "mask"),
    ("a mark outside of its mask", RADD,
     rule(253, "raw", mark=3, mark_mask=2), "EINVAL", "mask"),
    ("a user on input", RADD, rule(253, "raw", uid_min=0), "EINVAL",
     "output hook"),
    ("hdrincl on input", RADD, rule(253, "raw", hdrincl=True), "EINVAL",
     "output hook"),
    ("spoofed on input", RADD, rule(253, "raw", spoofed=True), "EINVAL",
     "output hook"),
    ("a comment of 129 bytes", RADD, rule(253, "raw", comment="x" * 129),
     ("EINVAL", "ERANGE"), None),
    # programs
    ("an expression alone", RADD, rule(253, "raw", expr="ip"), "EINVAL",
     "program"),
    ("a program of nothing", RADD, rule(253, "raw", bpf=b""), "EINVAL",
     "instructions"),
    ("half an instruction", RADD, rule(253, "raw", bpf=bytes(12)), "EINVAL",
     "instructions"),
    ("4097 instructions", RADD, rule(253, "raw", bpf=[RET] * 4097),
     ("EINVAL", "ERANGE"), None),
    ("no return", RADD, rule(253, "raw", bpf=[(0, 0, 0, 0)]), "EINVAL",
     "refuses"),
    ("a jump too far", RADD, rule(253, "raw", bpf=[(5, 0, 0, 9), RET]),
     "EINVAL", "refuses"),
    ("a conditional jump too far", RADD,
     rule(253, "raw", bpf=[(0x15, 1, 0, 9), RET]), "EINVAL", "refuses"),
    ("no instruction", RADD, rule(253, "raw", bpf=[(0xffff, 0, 0, 0), RET]),
     "EINVAL", "refuses"),
    ("division by nothing", RADD, rule(253, "raw", bpf=[(0x34, 0, 0, 0),
                                                       RET]),
     "EINVAL", "refuses"),
    ("a shift too wide", RADD, rule(253, "raw", bpf=[(0x64, 0, 0, 32), RET]),
     "EINVAL", "refuses"),
    ("memory that is not there", RADD,
     rule(253, "raw", bpf=[(0x60, 0, 0, 16), RET]), "EINVAL", "refuses"),
    ("memory never written", RADD,
     rule(253, "raw", bpf=[(0x60, 0, 0, 1), (0x16, 0, 0, 0)]), "EINVAL",
     "refuses"),
    # naming
    ("no such preference", RDEL, rule(253, pref=11), "ENOENT", None),
    ("no such handle", RDEL, rule(253, handle=4000000000), "ENOENT", None),
    ("handle and preference of two rules", RDEL,
     rule(253, pref=11, handle=1), "ENOENT", None),
    ("several", RDEL, rule(253, pref=20), "ENOTUNIQ", "handle"),
    ("several", RREP, rule(253, "raw", pref=20), "ENOTUNIQ", "handle"),
    ("several", K.CMD_RULE_GET, rule(253, pref=20), "ENOTUNIQ", "handle"),
    ("no such handle", RREP, rule(253, "raw", handle=4000000000), "ENOENT",
     None),
    ("onto another one", RREP,
     rule(253, "raw", pref=20, handle=1, src="10.0.0.0/8"),
     "EEXIST", "already"),
    ("of what is not managed", K.CMD_RULE_FLUSH, rule(99), "ENOENT",
     "not managed"),
    ("of hook output", RDEL, rule(253, hook="output", pref=10), "ENOENT",
     None),
    # apply
    ("a rule before its protocol", K.CMD_APPLY, rule(253, "raw") + proto(253),
     "ENOENT", "before it"),
    ("a protocol twice", K.CMD_APPLY, proto(99) + proto(99), "EEXIST",
     "already"),
    ("a rule twice", K.CMD_APPLY, proto(99) + rule(99, "raw", pref=1) +
     rule(99, "none", pref=1), "EEXIST", "already"),
    ("a handle", K.CMD_APPLY, proto(99) + rule(99, "raw", handle=1), "EINVAL",
     "handle"),
    ("the handle of a rule that is there", K.CMD_APPLY, proto(253) +
     rule(253, "raw", pref=10, handle=1), "EINVAL", "handle"),
    ("a handle twice", K.CMD_APPLY, proto(99) + rule(99, "raw", handle=7) +
     rule(99, "none", ttl_max=1, handle=7), "EINVAL", "handle"),
    ("a rule with 4097 instructions", K.CMD_APPLY, proto(253) +
     rule(253, "raw", bpf=[RET] * 4097), ("EINVAL", "ERANGE"), None),
    ("a rule with a program that jumps too far", K.CMD_APPLY, proto(253) +
     rule(253, "raw", bpf=[(5, 0, 0, 9), RET]), "EINVAL", "refuses"),
    ("a program that jumps too far", RREP,
     rule(253, "raw", pref=10, bpf=[(5, 0, 0, 9), RET]), "EINVAL", "refuses"),
    ("no preference left", K.CMD_APPLY, proto(99) +
     rule(99, "raw", pref=0xffffffff) + rule(99, "none"), "ERANGE",
     "preference"),
    ("a flag to come", K.CMD_APPLY, u32(K.A_FLAGS, 4) + proto(99), "EINVAL",
     None),
    # the message itself
    ("an attribute longer than the message", ADD,
     struct.pack("=HH", 40, K.A_PROTO | genl.NESTED), "EINVAL", None),
    ("an attribute shorter than its header", ADD,
     struct.pack("=HH", 3, K.A_PROTO | genl.NESTED), "EINVAL", None),
    ("bytes behind the last attribute", ADD, proto(99) + b"\0\0", "EINVAL",
     None),
    ("an attribute longer than its nest", ADD,
     genl.attr(K.A_PROTO | genl.NESTED, struct.pack("=HHI", 30,
                                                    K.PROTO_A_NUMBER, 99)),
     "EINVAL", None),
    ("a nest in place of a number", ADD,
     genl.attr(K.A_PROTO, [genl.attr(K.PROTO_A_NUMBER, [proto(99)])]),
     ("EINVAL", "ERANGE"), None),
    ("a rule's attributes in a protocol", ADD,
     genl.attr(K.A_PROTO, list(map(bytes, [rule(99, "raw")]))), "EINVAL",
     None),
]


def told(command, payload, flags=0):
    """Errno's name and text of a refusal, or two times None."""
    refused = client.refusal(command, payload, flags=flags)
    return (refused.name, refused.text) if refused else (None, None)


@tap.case
def messages():
    before = client.state()
    names = {value: name[4:].lower() for name, value in vars(K).items()
             if name.startswith("CMD_")}
    for what, command, payload, code, part in MESSAGES:
        name, text = told(command, payload)
        codes = (code,) if isinstance(code, str) else code
        title = "%s: %s" % (names[command], what)
        tap.ok(name in codes and text and text.isprintable() and
               (part is None or part in text), "%s: %s" % (title, codes[0]),
               "got %s: %s" % (name, text))
        if client.generation() != before["generation"]:
            tap.ok(False, title + ": changes nothing")
            break
    tap.is_(client.state(), before, "nothing has changed")


@tap.each(0x100, 0x200, 0x400, 0x800, 0x600, 0x10, 0x20)
def flags_that_no_command_has(flags):
    """NLM_F_REPLACE, EXCL, CREATE, APPEND ... and those of answers."""
    before = client.state()
    name, _ = told(ADD, proto(99), flags)
    # NLM_F_REPLACE and NLM_F_EXCL are half of NLM_F_DUMP: an odd dump
    tap.ok(name in ("EINVAL", "EOPNOTSUPP"), "%#x refused" % flags, name)
    tap.is_(client.state(), before, "%#x: nothing has changed" % flags)


@tap.case
def the_last_of_two_counts():
    client.send(ADD, proto(98, extra=[u8(K.PROTO_A_NUMBER, 99)]))
    tap.is_([p["number"] for p in client.protos()], [99, 253],
            "number twice in a nest")
    client.send(DEL, proto(253) + proto(99))
    tap.is_([p["number"] for p in client.protos()], [253],
            "the protocol twice in a message")


@tap.case
def four_thousand_and_ninety_six_instructions():
    client.send(RADD, rule(253, "raw", pref=5, bpf=[(0, 0, 0, 0)] * 4095 +
                           [RET], expr="x" * K.EXPR_MAX))
    tap.is_(len(client.rules()[0]["bpf"]), 4096 * 8, "are possible")
    client.send(RDEL, rule(253, pref=5))


@tap.case
def one_instruction_more():
    """By the tool: in a rule, and in a file."""
    before = client.state()
    line = "rule add proto 253 bytecode '4097%s' deliver raw" % \
        (",6 0 0 1" * 4097)
    with open(FILE, "w") as file:
        file.write("proto add 253\n%s\n" % line)
    words = ["rule", "add", "proto", "253", "bytecode", line.split("'")[1],
             "deliver", "raw"]
    for name, told in (("rule", tool.kraw(words, lab.right)),
                       ("apply", tool.kraw("apply " + FILE, lab.right))):
        tap.is_((told.status, told.out), (1, ""), name + ": exit status")
        if one_line(told.err, name):
            tap.has(told.err, "4096", name + ": says how many there may be")
    tap.has(told.err, FILE + ":2: ", "apply: says the line")
    tap.is_(client.state(), before, "nothing has changed")


TURNED = 2500 if clock.SLOW == 1 else 500	# messages


@tap.case
def any_byte_wrong():
    """Right messages with bytes turned: answered, with a text, no harm."""
    random.seed(8)
    right = [(c, p) for _, c, p, *_ in MESSAGES if 4 < len(p) < 300]
    right += [(ADD, proto(99, claim="plain", deliver="raw")),
              (RADD, rule(253, "raw", src="10.0.0.0/8", ttl_max=7, dev="r0",
                          bpf=[(0x30, 0, 0, 9), (0x15, 0, 1, 6), RET,
                               (6, 0, 0, 0)], expr="tcp")),
              (K.CMD_APPLY, proto(253) + proto(99) + rule(99, "none") +
               rule(253, "raw", len_min=3))] * 20
    silent, answered, worked = [], 0, 0
    for _ in range(TURNED):
        command, payload = random.choice(right)
        data = bytearray(payload)
        for _ in range(random.choice((1, 1, 2, 5))):
            data[random.randrange(len(data))] = random.choice(
                (0, 1, 3, 4, 255, 128, random.randrange(256)))
        refused = client.refusal(command, bytes(data))
        answered += 1
        worked += refused is None
        if refused is not None and not refused.text:
            silent.append((command, bytes(data).hex(), refused.name))
    tap.is_(answered, TURNED, "each message was answered")
    tap.is_(silent[:5], [], "each refusal says why")
    tap.diag("%d of %d worked" % (worked, TURNED))
    client.rules()
    client.apply()
    tap.is_((client.protos(), client.rules()), ([], []), "all is well")


tap.run()
