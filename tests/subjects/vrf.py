#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
The receiver's device is a port of a VRF: raw sockets bound to the VRF, to the
port and to neither receive what they receive without kraw, with each value of
raw_l3mdev_accept; the answer finds its way back through the VRF; rules on a
device match the VRF and its port.
"""
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import outcome, packet, sock, tap, tool
from krawtest.client import Client, K
from krawtest.manage import Count, managed
from krawtest.netns import SOURCES, Lab
from krawtest.who import UNREACH, Probe, token

if not os.path.exists("/sys/module/vrf") and tool.modprobe("vrf").status:
    tap.skip_all("no VRF devices here")

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())

VERDICTS = ("all", "raw", "kernel", "none", "reject")
ACCEPT = "net.ipv4.raw_l3mdev_accept"
GROUP = {4: "224.0.0.5", 6: "ff02::5"}
LEVEL = {4: socket.IPPROTO_IP, 6: socket.IPPROTO_IPV6}
MULTICAST_ALL = {4: 49, 6: 29}
JOIN_GROUP = 42

lab.right.ip("link add red type vrf table 10", "link set red up",
             "link add blue type vrf table 11", "link set blue up",
             "link set r0 master red")
# A port is set down and up again, which costs its IPv6 address and neighbours.
lab.right.ip("addr replace %s/64 dev r0 nodad" % lab.r0.addr[6],
             *("neigh replace %s lladdr %s dev r0 nud permanent" %
               (addr, lab.l0.mac) for family in (4, 6) for addr in
               [lab.l0.addr[family]] + [one for _, one in SOURCES[family]]))
lab.left.ip("route add 224.0.0.0/4 dev l0",
            "route add multicast ff00::/8 dev l0 table local metric 1")

DEVICES = ("red", "r0", None, "blue", "lo")


def one(family):
    mark = token()
    return [packet.ip(lab.l0.addr[family], lab.r0.addr[family], 253, mark)], \
        [mark]


def fragmented(family):
    mark = token()
    return packet.fragments(lab.l0.addr[family], lab.r0.addr[family], 253,
                            mark + bytes(300), 104,
                            ident=int.from_bytes(mark[-2:], "big")), \
        [mark + bytes(300)]


def options(family):
    mark = token()
    if family == 4:
        return [packet.ipv4(lab.l0.addr[4], lab.r0.addr[4], 253, mark,
                            options=b"\1" * 4)], [mark]
    return [packet.ipv6(lab.l0.addr[6], lab.r0.addr[6], packet.DSTOPTS,
                        packet.options6(253) + mark)], [mark]


def measure(family, make, devices=DEVICES):
    """What sockets bound to these devices get."""
    readers = [sock.Reader(253, family, lab.right, device=device)
               for device in devices]
    try:
        return outcome.once(lab, family, 253, lambda: make(family), readers)
    finally:
        for reader in readers:
            reader.close()


# red, r0, unbound, blue, lo
EXPECTED = {0: [[0], [0], [], [], []], 1: [[0], [0], [0], [], []]}


@tap.each(*((family, accept) for family in (4, 6) for accept in (0, 1)))
def sockets(family, accept):
    lab.right.sysctl(ACCEPT, accept)
    kinds = (one, fragmented, options)
    plain = {make: measure(family, make) for make in kinds}
    nobody = {make: measure(family, make, ()) for make in kinds}
    tap.is_(plain[one].bodies, EXPECTED[accept], "plain Linux")
    tap.is_(nobody[one].icmp, [UNREACH[family]], "plain Linux: unreachable")
    stranger = measure(family, one, (None,))
    tap.is_(stranger.icmp, [] if accept else [UNREACH[family]],
            "plain Linux: with an unbound socket alone")
    for verdict in VERDICTS:
        with managed(253, lab.right, "deliver " + verdict):
            for make in kinds:
                name = "%s, %s" % (verdict, make.__name__)
                tap.is_(*outcome.by_verdict(verdict, measure(family, make),
                                            plain[make], nobody[make]), name)
                tap.is_(*outcome.by_verdict(
                    verdict, measure(family, make, ()), nobody[make],
                    nobody[make]), name + ", nobody")
            if verdict in ("all", "raw"):
                tap.is_(measure(family, one, (None,)), stranger,
                        verdict + ", an unbound socket alone")
    with managed(253, lab.right, "claim plain deliver kernel"):
        with Count(253, family, lab.right) as count:
            got = measure(family, fragmented)
        tap.is_((got.bodies, got.icmp, count.delta.get("claim_handled")),
                ([[]] * len(DEVICES), [], 1), "kernel: to a claim's handler")


@tap.each(4, 6)
def rules(family):
    """`dev` is the port or its VRF, and nothing else."""
    lab.right.sysctl(ACCEPT, 1)
    for device, matches in (("red", True), ("r0", True), ("blue", False),
                            ("lo", False)):
        for verdict, other in (("raw", "none"), ("none", "raw"),
                               ("reject", "raw"), ("kernel", "raw")):
            with managed(253, lab.right, "deliver " + other,
                         "dev %s deliver %s" % (device, verdict)):
                got = measure(family, one, ("red", "r0", None))
            now = verdict if matches else other
            tap.is_((got.bodies, got.icmp),
                    ([[0] if now == "raw" else []] * 3,
                     [UNREACH[family]] * (now in ("reject", "kernel"))),
                    "dev %s deliver %s" % (device, verdict))
    with managed(253, lab.right, "deliver none",
                 "pref 1 dev blue deliver reject",
                 "pref 2 dev r0 len 1-10 deliver reject",
                 "pref 3 dev red deliver raw",
                 "pref 4 dev r0 deliver reject"):
        got = measure(family, one, ("red",))
        tap.is_((got.bodies, got.icmp), ([[0]], []), "the first that matches")


@tap.each(*((family, accept) for family in (4, 6) for accept in (0, 1)))
def explained(family, accept):
    """kraw explain knows the port's VRF: it names the sockets that receive."""
    lab.right.sysctl(ACCEPT, accept)
    with managed(253, lab.right, "deliver none", "dev red deliver raw"), \
            Client(lab.right) as client:
        readers = [sock.Reader(253, family, lab.right, device=device)
                   for device in DEVICES]
        try:
            for device in ("r0", "red"):
                steps = [message["step"] for message in client.explain(
                    253, lab.l0.addr[family], lab.r0.addr[family], dev=device)]
                told = {step["inode"]: step["socket_result"] for step in steps
                        if step["kind"] == K.STEP_KIND_SOCKET}
                told = [told[os.fstat(reader.fileno()).st_ino]
                        for reader in readers]
                if device == "r0":
                    got = outcome.once(lab, family, 253, lambda: one(family),
                                       readers).bodies
                    tap.is_(got, EXPECTED[accept], "what they receive")
                tap.is_([result == K.SOCKET_RESULT_COPY for result in told],
                        # what comes from the VRF itself has no port
                        [bool(body) and (device, name) != ("red", "r0")
                         for body, name in zip(EXPECTED[accept], DEVICES)],
                        "dev %s: what is said of them" % device)
                tap.is_({result for body, result in zip(got, told)
                         if not body}, {K.SOCKET_RESULT_DEVICE},
                        "dev %s: why not the others" % device)
        finally:
            for reader in readers:
                reader.close()


def member(family, join, all_groups, device=None):
    """A raw socket that joined OSPF's group on a device, or on none."""
    reader = sock.Reader(89, family, lab.right, device=device,
                         bind=lab.r0.addr[6] if family == 6 else None)
    reader.sock.setsockopt(LEVEL[family], MULTICAST_ALL[family], all_groups)
    if join:
        with lab.right:
            index = socket.if_nametoindex(join)
        group = struct.pack("=HH", socket.AF_INET, 0) + \
            socket.inet_aton(GROUP[4]) if family == 4 else \
            struct.pack("=HHI", socket.AF_INET6, 0, 0) + \
            socket.inet_pton(socket.AF_INET6, GROUP[6])
        reader.sock.setsockopt(LEVEL[family], JOIN_GROUP,
                               struct.pack("=I4x", index) +
                               group.ljust(128, b"\0"))
    return reader


@tap.each(4, 6)
def multicast(family):
    """Membership on the port and on the VRF, and a handler's."""
    lab.right.sysctl(ACCEPT, 1)
    # an IPv6 address is found on its own device or in its VRF only
    device = "red" if family == 6 else None
    readers = [member(family, join, all_groups, device)
               for join, all_groups in (("r0", 0), ("red", 0), ("blue", 0),
                                        (None, 0), (None, 1))]

    def copies():
        with Probe(lab.left, lab.right, 89, family, readers=readers,
                   dst=GROUP[family]) as probe:
            return probe.send()

    try:
        plain = copies()
        tap.is_((plain.raw[0], plain.raw[3], plain.raw[4], plain.icmp),
                (1, 0, 1, []), "plain Linux: member, none, any group")
        for verdict in ("all", "raw"):
            with managed(89, lab.right, "deliver " + verdict):
                tap.is_(copies(), plain, "deliver " + verdict)
        with managed(89, lab.right, "claim plain deliver all"):
            with Count(89, family, lab.right) as count:
                copies()
            handled = count.delta.get("claim_handled")
        tap.is_(handled, 1, "all: a claim's handler has it")
        with managed(89, lab.right, "claim plain deliver kernel"):
            with Count(89, family, lab.right) as count:
                tap.is_(copies().raw, [0] * len(readers), "kernel: no socket")
            tap.is_(count.delta.get("claim_handled"), handled,
                    "kernel: the handler has it")
    finally:
        for reader in readers:
            reader.close()


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
