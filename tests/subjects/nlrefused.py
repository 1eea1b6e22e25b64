#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
What the kernel itself refuses, with a reason, that the tool would not ask for;
and what it warns of.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, tap, tool
from krawtest.client import Client, K, genl, packet, proto, rule, u8, u32
from krawtest.netns import Lab

PROTO = 253
ACCEPT = [(0x06, 0, 0, 1)]
TRACERS = 8

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
client = tap.cleanup(Client(lab.right))


def refused(name, reason, what, command, *attributes, by=client, flags=0):
    """It is, for this reason, and nothing has changed."""
    before = client.state()
    found = by.refusal(command, *attributes, flags=flags)
    tap.is_(found and found.name, name, what)
    tap.ok(found and found.text and reason in found.text, what + ": why",
           found)
    tap.is_(client.state(), before, what + ": nothing has changed")


def users(*entries):
    """A request with these entries of users."""
    return proto(PROTO, claim="plain", extra=[genl.attr(K.PROTO_A_USERS, [
        genl.attr(K.USERS_A_USER, list(entry)) for entry in entries])])


@tap.case
def users_of_a_claim():
    kind = {name: u8(K.USER_A_KIND, getattr(K, "USER_KIND_" + name))
            for name in ("ALL", "UID", "GID")}
    low, high = (lambda value: u32(K.USER_A_LOW, value),
                 lambda value: u32(K.USER_A_HIGH, value))
    for what, reason, entry in (
            ("no kind", "needs a kind", [low(1)]),
            ("backwards", "backwards", [kind["UID"], low(2), high(1)]),
            ("a range of all", "no range", [kind["ALL"], low(2)])):
        refused("EINVAL", reason, what, K.CMD_PROTO_ADD, users(entry))
    refused("E2BIG", "too many entries", "seventeen", K.CMD_PROTO_ADD,
            users(*[[kind["GID"], low(n)] for n in range(17)]))
    client.send(K.CMD_PROTO_ADD,
                users(*[[kind["GID"], low(n)] for n in range(16)]))
    tap.is_(client.proto(PROTO)["number"], PROTO, "sixteen may be")
    client.apply()


@tap.case
def a_burst_without_a_rate():
    client.apply(proto(PROTO))
    refused("EINVAL", "a burst needs a rate", "a burst alone", K.CMD_RULE_ADD,
            rule(PROTO, "none", limit_burst=7))


@tap.case
def the_same_limit_again():
    def apply(rate, burst):
        client.apply(proto(PROTO), rule(PROTO, "none", pref=1,
                                        limit_rate=rate, limit_burst=burst))
        one, = client.rules()
        return one["handle"]
    first = apply(100, 10)
    tap.is_(apply(100, 10), first, "it is the same rule")
    second = apply(100, 11)
    tap.ok(second != first, "another burst: another rule")
    tap.ok(apply(101, 11) != second, "another rate: another rule")


@tap.case
def a_rule_replaced_by_its_handle():
    client.apply(proto(PROTO), rule(PROTO, "none", pref=5))
    one, = client.rules()
    client.send(K.CMD_RULE_REPLACE, rule(PROTO, "raw", handle=one["handle"]))
    tap.is_([(got["pref"], got["handle"], got["verdict"])
             for got in client.rules()],
            [(5, one["handle"], K.VERDICT_RAW)], "it keeps its preference")


@tap.case
def who_may_open_what():
    for what, body in (("no protocol", [u8(K.OPEN_A_FAMILY, 1)]),
                       ("no family", [u8(K.OPEN_A_PROTO, PROTO)])):
        refused("EINVAL", "which socket?", what, K.CMD_OPEN_GET,
                genl.attr(K.A_OPEN, body))


@tap.case
def tracers():
    filters = rule(PROTO, hook="input", verdict="raw", bpf=ACCEPT)
    refused("ENOENT", "does not trace", "to stop what is not",
            K.CMD_TRACE_STOP)
    many = [tap.cleanup(Client(lab.right)) for _ in range(TRACERS + 1)]
    for one in many[:TRACERS]:
        one.send(K.CMD_TRACE, filters)
    refused("EEXIST", "traces already", "twice", K.CMD_TRACE, filters,
            by=many[0])
    refused("ENOSPC", "as many sockets", "a ninth", K.CMD_TRACE, filters,
            by=many[TRACERS])
    many[0].send(K.CMD_TRACE_STOP)
    many[0].send(K.CMD_TRACE, filters)
    tap.ok(True, "one that has stopped may go on, where there are eight")
    with Client(lab.other) as stranger:
        stranger.send(K.CMD_TRACE, filters)
    tap.ok(True, "and there is room in another namespace")
    for one in many:
        one.close()


@tap.case
def explained_packets_that_are_odd():
    client.apply(proto(PROTO))

    def told():
        steps = client.explain(PROTO, "fe80::77", lab.r0.addr[6], dev="r0")
        return steps[-1]["step"]["icmp_result"]

    # the device gets its own such address, and its route, in its own time
    clock.wait_until(lambda: told() == K.ICMP_RESULT_SENT)
    tap.is_(told(), K.ICMP_RESULT_SENT, "a link-local source can be told")
    for what, src, dst, dev in (
            ("what this host has no route to, by lo", "127.0.0.1", "192.0.2.9",
             "lo"),
            ("what nobody has a route to", lab.l0.addr[6], "2001:db8::9", "r0")):
        refused("EHOSTUNREACH", "not for this host", what, K.CMD_EXPLAIN,
                packet(PROTO, src, dst, dev=dev), flags=genl.DUMP)
    refused("EHOSTUNREACH", "addresses are refused", "a group of the host's, "
            "by a device", K.CMD_EXPLAIN, packet(PROTO, "fe80::77", "ff01::77",
                                                 dev="r0"), flags=genl.DUMP)
    refused("EHOSTUNREACH", "nobody here has joined", "and by lo, where nobody "
            "has joined it", K.CMD_EXPLAIN, packet(
                PROTO, "::1", "ff01::77", dev="lo"), flags=genl.DUMP)
    client.apply()


@tap.case
def a_claim_in_a_modules_way():
    """The warning is text in an answer that is no refusal."""
    taken = {one["number"] for one in client.handlers()
             if one["family"] == K.FAMILY_IPV4}
    for number, name in ((4, "tunnel4"), (41, "tunnel4"), (47, "gre"),
                         (50, "esp4"), (51, "ah4"), (108, "ipcomp"),
                         (115, "l2tp_ip"), (132, "sctp")):
        if number in taken:
            tap.diag("%d: has a handler already" % number)
            continue
        told = tool.kraw("proto add %d family ipv4 claim plain" % number,
                         lab.right)
        tap.ok(told.status == 0 and name in told.err, "%d: %s" % (number, name),
               told.err)
        client.apply()


tap.run()
