#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Who may do what: reading is for everybody, changing needs CAP_NET_ADMIN over the
network namespace, a claim needs it over the host unless userns_claims says
otherwise.  Root of a user namespace manages its own network namespace, and
nothing of that shows anywhere else.  Each command and call against each user is
in privtable.py; here are what they see and what comes of it.
"""
import json
import os
import re
import select
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, packet, sock, tap, tool
from krawtest.client import Client, K, genl, proto, read, rule
from krawtest.client import packet as packet_nest
from krawtest.netns import Lab
from krawtest.people import Other, become_user
from krawtest.who import Probe, UNREACH

PROTO = 253
PARAMETER = "/sys/module/kraw/parameters/userns_claims"

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
host = tap.cleanup(Client(lab.right))


# --- what others do ----------------------------------------------------------

WRITES = {
    "proto add": (K.CMD_PROTO_ADD, proto(PROTO)),
    "proto set": (K.CMD_PROTO_SET, proto(PROTO, deliver="raw")),
    "rule add": (K.CMD_RULE_ADD, rule(PROTO, "none", pref=10)),
    "rule replace": (K.CMD_RULE_REPLACE, rule(PROTO, "raw", pref=10)),
    "rule del": (K.CMD_RULE_DEL, rule(PROTO, pref=10)),
    "rule flush": (K.CMD_RULE_FLUSH, rule(PROTO)),
    "proto del": (K.CMD_PROTO_DEL, proto(PROTO)),
    "apply": (K.CMD_APPLY, proto(PROTO) + rule(PROTO, "none")),
    "apply --check": (K.CMD_APPLY, genl.attr(K.A_FLAGS, struct.pack(
        "=I", K.FLAG_CHECK)) + proto(PROTO)),
    "flush": (K.CMD_APPLY, b""),
}


def write_all():
    """How each command that changes something ends: {name: error or None}."""
    with Client() as client:
        refusals = {name: client.refusal(*request)
                    for name, request in WRITES.items()}
    return {name: refused and refused.name
            for name, refused in refusals.items()}


def read_all():
    """What reading says, without bytes."""
    with Client() as client:
        state = client.state()
    return json.loads(json.dumps(state, default=repr))


def explain():
    """None, or the name of the refusal: it needs the privilege to ask."""
    with Client() as client:
        refused = client.refusal(
            K.CMD_EXPLAIN, packet_nest(PROTO, src="127.0.0.1", dst="127.0.0.1"),
            flags=genl.DUMP)
    return refused and refused.name


def trace():
    """The same of tracing, and of its end."""
    with Client() as client:
        refusals = [client.refusal(K.CMD_TRACE), client.refusal(
            K.CMD_TRACE_STOP)]
    return [refused and refused.name for refused in refusals]


def sockets():
    """The same, for what is said of sockets."""
    with Client() as client:
        refused = client.refusal(K.CMD_SOCKET_GET, flags=genl.DUMP)
    return refused and refused.name


def claim(number, families=None):
    """None, or the name and the text of the refusal."""
    with Client() as client:
        refused = client.refusal(K.CMD_PROTO_ADD,
                                 proto(number, families, claim="plain"))
    return refused and [refused.name, refused.text]


def claim_by(what):
    """The same by other commands."""
    with Client() as client:
        if what == "proto set":
            client.send(K.CMD_PROTO_ADD, proto(PROTO))
            refused = client.refusal(K.CMD_PROTO_SET, proto(PROTO,
                                                            claim="plain"))
            client.send(K.CMD_PROTO_DEL, proto(PROTO))
        else:
            flags = genl.attr(K.A_FLAGS, struct.pack("=I", K.FLAG_CHECK))
            refused = client.refusal(
                K.CMD_APPLY, (flags if "--check" in what else b"") +
                proto(PROTO, claim="plain"))
    return refused and [refused.name, refused.text]


def run(*words):
    """A program: its exit status, stdout and stderr."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return [done.returncode, done.stdout, done.stderr]


def manage():
    """Refuse 253 here, in both families; the generation after it."""
    with Client() as client:
        client.apply(proto(PROTO, deliver="reject"),
                     rule(PROTO, "none", pref=77))
        return client.generation()


def unmanage():
    """Everything as before."""
    with Client() as client:
        client.apply()



def loopback(family):
    """
    Sends a packet of 253 to itself: [packets that a raw socket got, packets
    that kraw has seen].
    """
    if os.geteuid() == 0:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    addr = {4: "127.0.0.1", 6: "::1"}[family]
    with sock.Reader(PROTO, family) as reader, Client() as client:
        sender = sock.Sender(family)
        before = client.proto(PROTO)["stats"][{4: 1, 6: 2}[family]]["seen"]
        sender.send(packet.ip(addr, addr, PROTO, b"there"))
        sender.close()

        def seen():
            return client.proto(PROTO)["stats"][{4: 1, 6: 2}[family]]["seen"]
        clock.wait_until(lambda: seen() > before, pause=0.001)
        return [len(reader.drain()), seen() - before]


# --- cases -------------------------------------------------------------------

def fresh():
    """Something to read, and to spoil."""
    host.apply(proto(PROTO, claim="plain"),
               rule(PROTO, "raw", pref=10, src="10.0.0.0/8"))


@tap.each("user", "CAP_NET_RAW",
          "root of a user namespace, not of the network's")
def may_read_and_not_write(who):
    fresh()
    before = host.state()
    with Other(who, lab.right) as other:
        seen = other.ask(read_all)
        written = other.ask(write_all)
        refused = other.ask(claim, 252)
        asked = other.ask(explain)
        traced = other.ask(trace)
        told = other.ask(sockets)
    tap.is_(asked, "EPERM", "asks for no explanation")
    tap.is_(traced, ["EPERM", "EPERM"], "traces nothing")
    tap.is_(told, "EPERM", "asks nothing about sockets")
    tap.is_(seen, json.loads(json.dumps(before, default=repr)),
            "reads everything")
    tap.is_(written, dict.fromkeys(WRITES, "EPERM"), "changes nothing")
    tap.is_(refused and refused[0], "EPERM", "claims nothing")
    tap.is_(host.state(), before, "nothing has changed")


@tap.case
def cap_net_admin_may_do_everything():
    host.apply()
    with Other("CAP_NET_ADMIN", lab.right) as other:
        tap.is_(other.ask(write_all), dict.fromkeys(WRITES), "changes")
        tap.is_(other.ask(claim, 252), None, "claims")
        with lab.right:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        tap.is_(other.ask(explain), None, "asks for an explanation")
        tap.is_(other.ask(trace), [None, None], "traces")
        tap.is_(other.ask(sockets), None, "asks about sockets")
        tap.is_(other.ask(read_all)["protos"][0]["claim"], K.CLAIM_PLAIN,
                "reads it")
    host.apply()


@tap.case
def the_tool_of_a_user():
    fresh()
    before = host.state()
    address = re.compile(r"\b(0x)?ffff[0-9a-f]{12}\b", re.I)
    with Other("user", lab.right) as other:
        status, out, err = other.ask(run, "kraw", "show")
        tap.is_(status, 0, "show works")
        tap.has(out, "253", "and shows what is managed")
        tap.has(out, "tcp_v4_rcv", "and the kernel's handlers")
        tap.is_([line for line in err.splitlines()
                 if not line.startswith("note: ")], [], "notes at most")
        status, text, err = other.ask(run, "kraw", "-d", "-j", "show")
        rows = {row["proto"]: row for row in json.loads(text)}
        tap.is_(rows[PROTO]["managed"], True, "the same as JSON")
        out += text
        status, text, err = other.ask(run, "kraw", "save")
        tap.is_((status, err), (0, ""), "save works")
        tap.has(text, "proto 253 pref 10 src 10.0.0.0/8 deliver raw\n",
                "and tells everything")
        status, text, err = other.ask(run, "kraw", "proto", "del", "253")
        tap.is_((status, text), (2, ""), "proto del: exit status")
        tap.ok(err.startswith("Error: ") and err.count("\n") == 1 and
               "CAP_NET_ADMIN" in err, "one line names the capability", err)
        everything = json.dumps(other.ask(read_all))
    tap.ok(not address.search(out) and not address.search(everything),
           "no kernel address anywhere", (out, everything))
    tap.ok(not re.search(r"0x[0-9a-f]+", everything.replace("b'", "")),
           "nor what looks like one")
    tap.is_(host.state(), before, "nothing has changed")


NEEDS = ("CAP_NET_ADMIN", "userns_claims")


@tap.case
def a_claim_from_a_user_namespace():
    host.apply()
    handlers = host.handlers()
    with Other("root of a user namespace", lab.right) as other:
        for what, told in (
                ("proto add", other.ask(claim, PROTO)),
                ("in one family", other.ask(claim, PROTO, K.FAMILY_IPV6)),
                ("proto set", other.ask(claim_by, "proto set")),
                ("apply", other.ask(claim_by, "apply")),
                ("apply --check", other.ask(claim_by, "apply --check"))):
            tap.is_(told and told[0], "EPERM", what + ": refused")
            tap.ok(told and all(word in told[1] for word in NEEDS),
                   what + ": says what is missing", told)
        status, _, err = other.ask(run, "kraw", "proto", "add", "253",
                                   "claim", "plain")
        tap.is_(status, 2, "the tool: exit status")
        tap.ok(err.startswith("Error: ") and err.count("\n") == 1 and
               all(word in err for word in NEEDS), "the tool: one line", err)
        tap.is_(other.ask(read_all)["protos"], [], "nothing is managed")
        # A slot that kraw has for the host is no reason to give it away.
        host.apply(proto(PROTO, claim="plain"))
        told = other.ask(claim, PROTO)
        tap.is_(told and told[0], "EPERM", "refused if the host claims, too")
        host.apply()
    tap.is_(host.handlers(), handlers, "the handler table is as before")


@tap.case
def a_claim_from_a_user_namespace_with_userns_claims():
    host.apply()
    handlers = host.handlers()
    with Other("root of a user namespace", lab.right) as other:
        with open(PARAMETER, "w") as file:
            file.write("1\n")
        try:
            tap.is_(other.ask(claim, PROTO), None, "a claim works")
            table = {(h["number"], h["family"]): h for h in host.handlers()}
            tap.ok((PROTO, 1) in table and (PROTO, 2) in table,
                   "the slots are taken")
            tap.is_(other.ask(claim, 6)[0], "EBUSY", "not what others have")
        finally:
            with open(PARAMETER, "w") as file:
                file.write("0\n")
        tap.is_(other.ask(claim, 252)[0], "EPERM", "and not any more later")
        for family in (4, 6):
            with Probe(lab.left, lab.right, PROTO, family) as probe:
                tap.is_(probe.send().icmp, [UNREACH[family]],
                        "IPv%d: the host's packets are as before" % family)
    tap.ok(clock.wait_until(lambda: host.handlers() == handlers),
           "with the namespace the slots are given back")


@tap.case
def managing_ones_own_namespace():
    host.apply()
    before, listening = host.state(), Client(lab.right)
    listening.nl.join(listening.family.groups["config"])
    elsewhere = Client(lab.other)
    untouched = elsewhere.state()
    with Other("root of a user namespace", lab.right) as other:
        tap.is_(other.ask(write_all), dict.fromkeys(WRITES), "everything")
        other.ask(manage)
        tap.is_(host.state(), before, "the host's namespace is as before")
        tap.is_(elsewhere.state(), untouched, "and so are others")
        tap.is_(select.select([listening.nl.sock], [], [], 0)[0], [],
                "nobody else is told")
        for family in (4, 6):
            for space in (lab.right, lab.other):
                with Probe(lab.left, space, PROTO, family, readers=1) as p:
                    tap.is_(p.send(2).raw, [2],
                            "IPv%d: packets in %s are as before" %
                            (family, space.name))
            tap.is_(other.ask(loopback, family), [0, 1],
                    "IPv%d: packets in theirs are not" % family)
        tap.is_(other.ask(explain), None, "and may be explained")
        tap.is_(other.ask(trace), [None, None], "and traced")
        tap.is_(other.ask(sockets), None, "asks about sockets")
        # The other way round
        mine = other.ask(read_all)
        host.apply(proto(77), rule(77, "none"))
        now = other.ask(read_all)
        tap.is_(now["rules"], mine["rules"], "they see nothing of ours")
        tap.is_([p["number"] for p in now["protos"]], [PROTO],
                "nor our protocols")
        tap.is_(now["generation"], mine["generation"], "nor that we changed")
        host.apply(proto(PROTO, claim="plain"))
        here = {(h["number"]): h["flags"] & K.HANDLER_HERE
                for h in other.ask(all_handlers)}
        tap.is_(here.get(PROTO), 0, "our claim is not said to be theirs")
        other.ask(unmanage)
    got = []
    while select.select([listening.nl.sock], [], [], 0)[0]:
        got += [(m.command, read(m.payload).get("generation"))
                for _, m in listening.nl.receive()]
    tap.is_([command for command, _ in got], [K.CMD_APPLY] * 2,
            "of our own changes we were told, and of nothing else")
    listening.close()
    elsewhere.close()
    host.apply()


def all_handlers():
    """The handler table with all that is said of it."""
    with Client() as client:
        return [read(m.payload)["handler"] for m in
                client.send(K.CMD_HANDLER_GET, flags=genl.DUMP)]


@tap.case
def a_socket_that_was_opened_with_more_rights():
    """What counts is the sender and the opener of the socket, both."""
    host.apply()
    reads, writes = os.pipe()
    with Client(lab.right) as client:
        pid = os.fork()
        if not pid:
            try:
                become_user()
                told = client.refusal(K.CMD_PROTO_ADD, proto(PROTO))
                os.write(writes, (told.name if told else "works").encode())
            finally:
                os._exit(0)
        os.close(writes)
        os.waitpid(pid, 0)
        tap.is_(os.read(reads, 64).decode(), "EPERM",
                "a user cannot use root's socket")
        os.close(reads)
    tap.is_(host.protos(), [], "nothing has changed")


tap.run()
