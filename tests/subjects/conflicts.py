#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# leaves: sctp.ko, which cannot be unloaded
"""
A number whose handler the kernel has cannot be claimed, and the refusal names
the holder; managing it without a claim works and changes nothing.  A module
that wants a number which kraw holds is refused by the kernel, until kraw gives
it up.
"""
import errno
import os
import re
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import packet, sock, story, tap, tool
from krawtest.netns import Lab
from krawtest.who import Probe

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())

TAKEN = [("tcp", 6, "", "tcp_v4_rcv"),
         ("tcp", 6, "family ipv6", "tcp_v6_rcv"),
         ("udp", 17, "", "udp_rcv"),
         ("udp", 17, "family ipv6", "udpv6_rcv"),
         ("icmp", 1, "family ipv4", "icmp_rcv"),
         ("ipv6-icmp", 58, "", "icmpv6_rcv"),
         ("ipv6-icmp", 58, "family ipv6", "icmpv6_rcv")]


def nothing_changed(what):
    tap.is_(tool.ask("proto show", lab.right), [], what + ": nothing managed")


@tap.each(*TAKEN)
def claim(name, number, words, holder):
    for proto in (name, str(number)):
        told = tool.refused("proto add %s %s claim plain" % (proto, words),
                            lab.right)
        tap.is_(told.status, 2, "%s: exit status" % proto)
        tap.has(told.err, holder, "%s: names the holder" % proto)
        tap.ok(told.err.startswith("Error: ") and "\n" not in told.err,
               "%s: one line" % proto, told.err)
    nothing_changed(name)


@tap.case
def half_a_claim_is_none():
    """58 is free in IPv4: the refused claim of both must not keep it."""
    tool.refused("proto add 58 claim plain", lab.right)
    tap.is_(story.handler_symbol(lab.right, 58, 4), None,
            "the IPv4 slot is free again")


@tap.case
def set_is_refused_like_add():
    tool.do("proto add tcp deliver all", lab.right)
    told = tool.refused("proto set tcp claim plain", lab.right)
    tap.is_(told.status, 2, "exit status")
    tap.has(told.err, "tcp_v4_rcv", "names the holder")
    shown = tool.ask("proto show tcp", lab.right)
    tap.is_([entry["claim"] for entry in shown], ["none"], "as it was")
    tool.do("proto del tcp", lab.right)


def listen(family, addr):
    with lab.right:
        server = socket.socket(sock.FAMILY[family], socket.SOCK_STREAM)
    server.bind((addr, 0))
    server.listen()
    return server


def tcp_works(family):
    """Connect from left to right, say something."""
    addr = lab.r0.addr[family]
    with listen(family, addr) as server:
        with lab.left:
            client = socket.socket(sock.FAMILY[family], socket.SOCK_STREAM)
        with client:
            client.settimeout(10)
            client.connect(server.getsockname())
            accepted, _ = server.accept()
            with accepted:
                client.sendall(b"hello")
                return accepted.recv(5) == b"hello"


def tcp_refuses(family):
    """A closed port still answers with a reset."""
    with listen(family, lab.r0.addr[family]) as server:
        where = server.getsockname()
    with lab.left:
        client = socket.socket(sock.FAMILY[family], socket.SOCK_STREAM)
    with client:
        client.settimeout(10)
        return client.connect_ex(where) == errno.ECONNREFUSED


def udp_works(family):
    with lab.left:
        one = socket.socket(sock.FAMILY[family], socket.SOCK_DGRAM)
    with lab.right:
        two = socket.socket(sock.FAMILY[family], socket.SOCK_DGRAM)
    with one, two:
        two.bind((lab.r0.addr[family], 0))
        two.settimeout(10)
        one.sendto(b"hello", two.getsockname())
        return two.recv(5) == b"hello"


def ping_works(family):
    proto = sock.ICMP_OF[family]
    with Probe(lab.left, lab.right, proto, family, answers=True) as probe:
        mark = b"echo-%d" % family
        _, body = packet.echo(probe.src, probe.dst, 77, 1, mark)
        got = probe.transmit([packet.ip(probe.src, probe.dst, proto, body)],
                             [mark])
    reply = {4: 0, 6: 129}[family]
    return [data[0] for data in got.answers if mark in data].count(reply) == 1


@tap.each(4, 6)
def managing_without_a_claim_changes_nothing(family):
    """The five built-in ones at once, deliver all."""
    names = ["tcp", "udp", "icmp" if family == 4 else "ipv6-icmp"]
    for name in names:
        tool.do("proto add %s family ipv%d" % (name, family), lab.right)
    tap.ok(tcp_works(family), "TCP connects")
    tap.ok(tcp_refuses(family), "TCP resets")
    tap.ok(udp_works(family), "UDP arrives")
    tap.ok(ping_works(family), "ping is answered")
    with sock.Reader(socket.IPPROTO_UDP, family, lab.right) as reader:
        tap.ok(udp_works(family), "UDP arrives beside a raw socket")
        tap.is_(len(reader.wait()), 1, "which gets its copy")
    for name in names:
        seen = tool.stats(name, lab.right)[family]
        tap.ok(seen["seen"] > 0 and seen["all"] == seen["seen"],
               "%s was seen, all of it passed" % name, seen)
        tool.do("proto del " + name, lab.right)


@tap.each(4, 6)
def verdict_kernel_reaches_the_built_in_handlers(family):
    names = ["tcp", "udp", "icmp" if family == 4 else "ipv6-icmp"]
    for name in names:
        tool.do("proto add %s family ipv%d deliver kernel" % (name, family),
                lab.right)
    tap.ok(tcp_works(family), "TCP connects")
    tap.ok(tcp_refuses(family), "TCP resets")
    tap.ok(udp_works(family), "UDP arrives")
    tap.ok(ping_works(family), "ping is answered")
    with sock.Reader(socket.IPPROTO_UDP, family, lab.right) as reader:
        tap.ok(udp_works(family), "UDP arrives beside a raw socket")
        with Probe(lab.left, lab.right, 253, family) as probe:
            probe.flush()
        tap.is_(reader.drain(), [], "which gets nothing")
    for name in names:
        tool.do("proto del " + name, lab.right)


def failing_is_harmful():
    """
    An sctp.ko before 6.1.189 that finds 132 taken leaves a notifier behind that
    is called when an address comes or goes, and whose memory is freed.
    """
    found = re.search(r"Debian 6\.1\.(\d+)", os.uname().version)
    return found and int(found[1]) < 189


@tap.case
def sctp_cannot_load_while_kraw_claims_132():
    if failing_is_harmful():
        tool.modprobe("sctp")
        raise tap.Skip("this kernel's sctp.ko breaks the kernel when it cannot "
                       "load")
    warned = tool.kraw("proto add sctp claim plain", lab.right)
    tap.is_(warned.status, 0, "132 can be claimed")
    tap.has(warned.err, "sctp", "with a note about the module")
    told = tool.modprobe("sctp")
    tap.isnt(told.status, 0, "modprobe sctp fails")
    tap.diag("modprobe says: " + told.err.strip())
    tap.ok(not tool.loaded("sctp"), "sctp is not loaded")
    tap.is_(story.handler_symbol(lab.right, 132, 4) is None, False,
            "the slot is still kraw's")
    with Probe(lab.left, lab.right, packet.SCTP, 4) as probe:
        tap.is_(probe.send().icmp, [], "and works")
    tool.do("proto del sctp", lab.right)
    again = tool.modprobe("sctp")
    tap.is_(again.status, 0, "modprobe sctp works after proto del")
    if again.status:
        tap.diag(again.err)


@tap.each(("", "sctp4_rcv"), ("family ipv6", "sctp6_rcv"))
def claim_of_132_with_sctp_loaded(words, holder):
    if not tool.loaded("sctp"):
        raise tap.Skip("sctp.ko could not be loaded")
    told = tool.refused("proto add sctp %s claim plain" % words, lab.right)
    tap.is_(told.status, 2, "exit status")
    tap.has(told.err, holder, "names the holder")
    tap.has(told.err, "[sctp]", "and its module")
    nothing_changed("sctp")


@tap.case
def managing_132_beside_sctp():
    if not tool.loaded("sctp"):
        raise tap.Skip("sctp.ko could not be loaded")
    tool.do("proto add sctp", lab.right)
    for label, cells in story.sctp_rows(lab, "deliver all",
                                        ["5", "5", story.NOTHING]):
        for head, (got, expected) in zip(story.SCTP_HEADS, cells):
            tap.is_(got, expected, "%s: %s" % (label, head))
    tool.do("proto del sctp", lab.right)


@tap.case
def nothing_is_left():
    nothing_changed("at the end")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
