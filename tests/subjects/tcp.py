#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
A userspace TCP beside the kernel's: TCP is managed with `deliver raw` for one
source prefix.  That peer's segments go to the raw socket alone, so it gets
neither SYN-ACK nor RST from the kernel; everybody else connects as before; and
when the rule is gone, so does that peer.
"""
import errno
import itertools
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import packet, sock, tap, tool
from krawtest.netns import SOURCES, Lab
from krawtest.who import Probe

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())

SYN_ACK, RST_ACK = 0x12, 0x14
ports = itertools.count(30000)


def server(family):
    """A listening socket in right."""
    with lab.right:
        listener = socket.socket(sock.FAMILY[family], socket.SOCK_STREAM)
    listener.bind((lab.r0.addr[family], 0))
    listener.listen()
    return listener


def syn(family, src, port, readers=0):
    """
    Send one SYN from `src`; what the raw sockets in right got of it, and the
    flags of the segments that came back.
    """
    with Probe(lab.left, lab.right, packet.TCP, family, readers=readers,
               src=src, answers=True) as probe:
        mine = next(ports)
        segment = packet.tcp(src, probe.dst, mine, port)
        got = probe.transmit([packet.ip(src, probe.dst, packet.TCP, segment)],
                             [segment[:8]])
    back = [data[13] for data in got.answers
            if data[2:4] == mine.to_bytes(2, "big")]
    return got.raw, back, got.icmp


def connect(family, src, where):
    """Connect from `src`: 0, or an errno."""
    with lab.left:
        client = socket.socket(sock.FAMILY[family], socket.SOCK_STREAM)
    client.bind((src, 0))
    client.settimeout(10)
    return client, client.connect_ex(where)


def works(family, src, listener):
    """A connection from `src` carries data both ways."""
    client, error = connect(family, src, listener.getsockname())
    with client:
        if error:
            return os.strerror(error)
        accepted, _ = listener.accept()
        with accepted:
            return talks(client, accepted)


def talks(one, two):
    """Data both ways over a connection."""
    two.settimeout(10)
    one.sendall(b"there")
    if two.recv(5) != b"there":
        return "lost there"
    two.sendall(b"back")
    return True if one.recv(4) == b"back" else "lost back"


def as_ever(family, listener, closed, when):
    """The kernel's TCP answers every peer."""
    for name, src in (("the peer", SOURCES[family][0][1]),
                      ("another", SOURCES[family][1][1])):
        tap.is_(works(family, src, listener), True,
                "%s, %s connects" % (when, name))
        client, error = connect(family, src, closed)
        client.close()
        tap.is_(error, errno.ECONNREFUSED,
                "%s, %s is refused at a closed port" % (when, name))
        tap.is_(syn(family, src, listener.getsockname()[1])[1], [SYN_ACK],
                "%s, %s gets one SYN-ACK" % (when, name))
        tap.is_(syn(family, src, closed[1], readers=1), ([1], [RST_ACK], []),
                "%s, %s: raw socket and reset" % (when, name))


@tap.each(4, 6)
def one_peer_in_user_space(family):
    prefix, peer = SOURCES[family][0]
    another = SOURCES[family][1][1]
    with server(family) as listener:
        port = listener.getsockname()[1]
        with server(family) as shut:
            closed = shut.getsockname()
        as_ever(family, listener, closed, "before")
        client, error = connect(family, another, listener.getsockname())
        tap.is_(error, 0, "a connection that stays")
        accepted, _ = listener.accept()

        tool.do("proto add tcp unreach never", lab.right)
        tool.do("rule add proto tcp pref 10 src %s deliver raw" % prefix,
                lab.right)
        tap.is_(syn(family, peer, port, 1), ([1], [], []),
                "open port: raw socket gets the SYN, the peer no answer")
        tap.is_(syn(family, peer, closed[1], 1), ([1], [], []),
                "closed port: raw socket gets the SYN, the peer no answer")
        tap.is_(syn(family, peer, port, 0), ([], [], []),
                "no raw socket: silence")
        tap.is_(works(family, another, listener), True, "another connects")
        tap.is_(syn(family, another, closed[1], 1), ([1], [RST_ACK], []),
                "another: raw socket and reset")
        tap.is_(talks(client, accepted), True, "the old connection lives")
        tap.is_(tool.stats("tcp", lab.right)[family]["raw"], 3,
                "three segments by verdict raw")

        tool.do("rule del proto tcp pref 10", lab.right)
        as_ever(family, listener, closed, "rule deleted")
        tool.do("proto del tcp", lab.right)
        as_ever(family, listener, closed, "not managed")
        tap.is_(talks(client, accepted), True, "the old connection still lives")
        accepted.close()
        client.close()


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
