#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Mirror: the bytes that came in leave by another device, whatever the verdict,
beside tc's own mirrors; a device that is down, renamed or gone costs the copy
and never the packet; and no way back makes a loop.

right has, besides r0 of the usual topology,

    m0        a dummy device that the copies leave by
    v0 - v1   a veth pair with both ends here
    f0 - fx   a way to other and
    g0 - gx   one back, for copies that return
"""
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, packet, sock, tap, tool
from krawtest.client import Client, K, proto, rule
from krawtest.manage import Count, managed
from krawtest.netns import Lab
from krawtest.who import Marker, token
import genl

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
marker = tap.cleanup(Marker(lab.l0, lab.r0))
MAC = lab.r0.mac
lab.right.ip("link add m0 type dummy", "link set m0 up",
             "link add v0 type veth peer name v1",
             "link set v0 address %s up" % MAC,
             "link set v1 address %s up" % MAC,
             "link add f0 type veth peer name fx netns other",
             "link add g0 type veth peer name gx netns other",
             "link set f0 up", "link set g0 address 02:09:00:00:07:01 up",
             "addr add 10.9.7.1/24 dev g0",
             "addr add fd09:7::1/64 dev g0 nodad")
lab.other.ip("link set fx address %s up" % MAC, "link set gx up",
             "addr add 10.9.7.2/24 dev gx",
             "addr add fd09:7::2/64 dev gx nodad",
             "neigh replace 10.9.7.1 lladdr 02:09:00:00:07:01 dev gx "
             "nud permanent",
             "neigh replace fd09:7::1 lladdr 02:09:00:00:07:01 dev gx "
             "nud permanent",
             "route add 10.9.0.2 via 10.9.7.1",
             "route add fd09::2 via fd09:7::1")
lab.other.sysctl("net.ipv4.ip_forward", 1)
lab.other.sysctl("net.ipv6.conf.all.forwarding", 1)
for device in ("r0", "v1", "g0", "lo"):
    lab.right.sysctl("net.ipv4.conf.%s.accept_local" % device, 1)

EVERYONE = b"\xff" * 6
TYPE = {4: 0x0800, 6: 0x86dd}
OUTGOING = 4


class Wire:
    """Frames of a device that contain a text, in or out, as tcpdump has them."""
    def __init__(self, device, namespace=None, out=False):
        with namespace or lab.right:
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                      socket.htons(sock.ETH_P_ALL))
        self.sock.bind((device, sock.ETH_P_ALL))
        self.sock.setblocking(False)
        self._out = out

    def drain(self, text):
        """What came since the last time."""
        frames = []
        while True:
            try:
                data, where = self.sock.recvfrom(65536)
            except BlockingIOError:
                return frames
            if text in data and (where[2] == OUTGOING) == self._out:
                frames.append(data)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Left:
    """Sends frames over l0, to right's address or to everyone's."""
    def __init__(self):
        with lab.left:
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.sock.bind(("l0", 0))

    def send(self, data, mac=None):
        """One IP packet; returns the frame."""
        mine = bytes.fromhex(lab.l0.mac.replace(":", ""))
        to = mac or bytes.fromhex(MAC.replace(":", ""))
        frame = to + mine + struct.pack("!H", TYPE[data[0] >> 4]) + data
        self.sock.send(frame)
        return frame

    def close(self):
        self.sock.close()


left = tap.cleanup(Left())


def settled(condition):
    """Copies that come back do so later than the markers."""
    marker.flush()
    return clock.wait_until(condition)


def one(family, body=b"", **more):
    """(mark, packet) for right."""
    mark = token()
    return mark, packet.ip(lab.l0.addr[family], lab.r0.addr[family], 253,
                           mark + body, **more)


def mirror_counts(delta):
    return tuple(delta.get(name, 0)
                 for name in ("seen", "mirrored", "mirror_failed"))


# --- the copy ----------------------------------------------------------------

@tap.each(4, 6)
def same_bytes(family):
    """Small and large, with options, odd headers; nothing for no match."""
    head = {4: {"tos": 0xb9, "ident": 77, "options": b"\1\1\1\0"},
            6: {"tclass": 0xb9}}[family]
    with managed(253, lab.right, "deliver raw",
                 "ttl 1-100 mirror dev m0 deliver raw"), \
            Count(253, family, lab.right) as count, \
            sock.Reader(253, family, lab.right) as reader, \
            Wire("r0") as came, Wire("m0", out=True) as leaves:
        for name, body, more in (("small", b"", {}), ("odd", b"abc", {}),
                                 ("large", bytes(range(256)) * 5, {}),
                                 ("odd header", b"x", head),
                                 ("hops 1", b"", {"ttl": 1})):
            mark, data = one(family, body, **more)
            frame = left.send(data)
            marker.flush()
            tap.is_((came.drain(mark), leaves.drain(mark)),
                    ([frame], [frame]), name + ": what came in leaves")
        mark, data = one(family, ttl=101)
        left.send(data)
        marker.flush()
        tap.is_(leaves.drain(mark), [], "no match, no copy")
        tap.is_(len(reader.drain()), 6, "the packets are delivered")
    tap.is_(mirror_counts(count.delta), (6, 5, 0), "counted")


def pcap_frames(data):
    """The frames of a capture file."""
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") \
        else ">"
    at, frames = 24, []
    while at + 16 <= len(data):
        length = struct.unpack(order + "I", data[at + 8:at + 12])[0]
        frames.append(data[at + 16:at + 16 + length])
        at += 16 + length
    return frames


@tap.each(4, 6)
def tcpdump_agrees(family):
    """The same frames on both devices for tcpdump, too."""
    marks, frames = [], []
    with lab.right:
        dumps = [subprocess.Popen(
            ["tcpdump", "-n", "-U", "-i", device, "-w", "-",
             {4: "ip", 6: "ip6"}[family] + " proto 253"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for device in ("r0", "m0")]
    got = []
    try:
        for dump in dumps:
            line = b"?"
            while line and b"istening on" not in line:
                line = dump.stderr.readline()
        with managed(253, lab.right, "deliver none",
                     "mirror dev m0 deliver none"):
            for size in range(0, 1400, 100):
                mark, data = one(family, bytes(size))
                marks.append(mark)
                frames.append(left.send(data))
            marker.flush()
            for dump in dumps:
                os.set_blocking(dump.stdout.fileno(), False)
                data = b""
                until = clock.deadline()
                while len(pcap_frames(data)) < len(frames) and \
                        select.select([dump.stdout], [], [],
                                      clock.left(until))[0]:
                    data += dump.stdout.read() or b""
                got.append(pcap_frames(data))
    finally:
        for dump in dumps:
            dump.send_signal(signal.SIGINT)
            dump.communicate()
    tap.is_(got[0], frames, "what came in")
    tap.is_(got[1], frames, "what left")


@tap.each(4, 6)
def fragments(family):
    """Joined they leave, if the device takes them as long as that."""
    src, dst = lab.l0.addr[family], lab.r0.addr[family]
    with managed(253, lab.right, "deliver raw",
                 "fragment mirror dev m0 deliver raw"), \
            sock.Reader(253, family, lab.right) as reader, \
            Wire("m0", out=True) as leaves:
        for length, mtu, wanted in ((400, 1500, 1), (3000, 1500, 0),
                                    (3000, 9000, 1), (65000, 9000, 0),
                                    (65000, 65535, 1)):
            lab.right.ip("link set m0 mtu %d" % mtu)
            body = token() + bytes(i & 0xff for i in range(length))
            mark = body[:8]
            ident = int.from_bytes(mark[-2:], "big")
            parts = packet.fragments(src, dst, 253, body, 1400 if length > 400
                                     else 96, ident=ident)
            with Count(253, family, lab.right) as count:
                for part in parts:
                    frame = left.send(part)
                marker.flush()
            whole = packet.ip(src, dst, 253, body,
                              **({"ident": ident} if family == 4 else {}))
            name = "%d bytes, MTU %d" % (length, mtu)
            tap.is_([copy == frame[:14] + whole
                     for copy in leaves.drain(mark)], [True] * wanted,
                    name + ": the joined datagram")
            tap.is_(mirror_counts(count.delta), (1, wanted, 1 - wanted),
                    name + ": counted")
            tap.is_(len(reader.drain()), 1, name + ": delivered")
        lab.right.ip("link set m0 mtu 1500")


@tap.case
def extension_headers():
    """IPv6 headers before the payload leave as well."""
    with managed(253, lab.right, "deliver raw", "mirror dev m0 deliver raw"), \
            sock.Reader(253, 6, lab.right) as reader, \
            Wire("m0", out=True) as leaves:
        for name, chain in (
                ("destination options", [(packet.DSTOPTS, packet.options6)]),
                ("hop-by-hop, routing, options",
                 [(packet.HOPOPTS, packet.options6),
                  (packet.ROUTING, lambda nexthdr:
                   packet.routing6(nexthdr, kind=0)),
                  (packet.DSTOPTS, packet.options6)])):
            mark = token()
            body, proto_ = mark, 253
            for number, make in reversed(chain):
                body, proto_ = make(proto_) + body, number
            frame = left.send(packet.ipv6(lab.l0.addr[6], lab.r0.addr[6],
                                          proto_, body))
            marker.flush()
            tap.is_(leaves.drain(mark), [frame], name)
            tap.is_(reader.drain(), [mark], name + ": delivered")


@tap.each(4, 6)
def pings(family):
    """The kernel answers a ping as ever, and the copies are right."""
    number = sock.ICMP_OF[family]
    with managed(number, lab.right, "",
                 "type %d mirror dev m0 deliver all" %
                 {4: 8, 6: 128}[family]), \
            Wire("r0") as came, Wire("m0", out=True) as leaves:
        mark = token()
        done = lab.left.run("ping", "-n", "-c", "3", "-i", "0.2", "-W", "5",
                            "-p", mark.hex(), "-s", "100",
                            lab.r0.addr[family])
        tap.is_(done.returncode, 0, "ping works")
        marker.flush()
        frames = came.drain(mark)
        tap.is_((len(frames), leaves.drain(mark)), (3, frames), "three copies")


@tap.each(*[(family, verdict) for family in (4, 6)
            for verdict in ("all", "raw", "kernel", "none", "reject")])
def every_verdict(family, verdict):
    """A copy leaves, whoever receives the packet."""
    with managed(253, lab.right, "deliver none",
                 "mirror dev m0 deliver " + verdict), \
            sock.Reader(253, family, lab.right) as reader, \
            Count(253, family, lab.right) as count, \
            Wire("m0", out=True) as leaves:
        mark, data = one(family, bytes(100))
        frame = left.send(data)
        marker.flush()
        tap.is_(leaves.drain(mark), [frame], "a copy")
        tap.is_(len(reader.drain()), int(verdict in ("all", "raw")),
                "delivered")
    tap.is_(mirror_counts(count.delta) + (count.delta[verdict],),
            (1, 1, 0, 1), "counted")


@tap.each(4, 6)
def only_the_rule_that_decides(family):
    """Not those behind it; one over its limit does not mirror."""
    with managed(253, lab.right, "deliver none",
                 "pref 1 ttl 9 deliver none",
                 "pref 2 limit 1/s burst 1 mirror dev m0 deliver none",
                 "pref 3 mirror dev v0 deliver none"), \
            Wire("m0", out=True) as first, Wire("v0", out=True) as second:
        start = clock.deadline(0)
        for name, ttl in (("other", 9), ("first", 64), ("second", 64)):
            mark, data = one(family, ttl=ttl)
            left.send(data)
            marker.flush()
            got = len(first.drain(mark)), len(second.drain(mark))
            if name == "second" and clock.deadline(0) - start >= 0.9:
                continue	# too slow to say
            tap.is_(got, {"other": (0, 0), "first": (1, 0),
                          "second": (0, 1)}[name], name)


@tap.each(4, 6)
def beside_tc(family):
    """tc mirrors what comes in to one device, kraw to another."""
    tc = ["tc", "-n", "right"]
    lab.right.ip("link add m1 type dummy", "link set m1 up")
    done = [tool.command(*tc, *words.split()) for words in (
        "qdisc add dev r0 clsact",
        "filter add dev r0 ingress matchall action mirred egress mirror "
        "dev m1")]
    try:
        if any(one_.status for one_ in done):
            raise tap.Skip("no tc mirred: " + done[-1].err.strip())
        with managed(253, lab.right, "deliver raw",
                     "mirror dev m0 deliver raw"), \
                sock.Reader(253, family, lab.right) as reader, \
                Wire("m0", out=True) as ours, Wire("m1", out=True) as theirs:
            mark, data = one(family, bytes(77))
            frame = left.send(data)
            marker.flush()
            tap.is_((ours.drain(mark), theirs.drain(mark)),
                    ([frame], [frame]), "the same frame on both")
            tap.is_(len(reader.drain()), 1, "delivered once")
    finally:
        tool.command(*tc, "qdisc", "del", "dev", "r0", "clsact")
        lab.right.ip("link del m1")


@tap.each(4, 6)
def onto_a_device_without_link_header(family):
    """A tun device gets the IP packet alone."""
    done = tool.command("ip", "-n", "right", "tuntap", "add", "t0", "mode",
                        "tun")
    if done.status:
        raise tap.Skip("no tun devices: " + done.err.strip())
    with lab.right:
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        import fcntl
        fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", b"t0", 0x1001))
    try:
        lab.right.ip("link set t0 up")
        clock.wait_until(lambda: "LOWER_UP" in lab.right.ip("link show t0"))
        with managed(253, lab.right, "deliver none",
                     "dev r0 mirror dev t0 deliver none",
                     "dev t0 mirror dev m0 deliver none"), \
                Count(253, family, lab.right) as count, \
                Wire("m0", out=True) as leaves:
            mark, data = one(family)
            left.send(data)
            marker.flush()
            got = []
            until = clock.deadline()
            while data not in got and \
                    select.select([fd], [], [], clock.left(until))[0]:
                got.append(os.read(fd, 65536))
            tap.ok(data in got, "the packet without Ethernet")
            # and the other way: nothing to put in front of it
            mark, data = one(family)
            os.write(fd, data)
            tap.ok(settled(lambda: tool.stats(253, lab.right)[family]
                           ["seen"] == 2), "a packet from the tun device")
            tap.is_(leaves.drain(mark), [], "is not sent as if it were Ethernet")
        tap.is_(mirror_counts(count.delta), (2, 1, 1), "counted")
    finally:
        os.close(fd)
        lab.right.ip("link del t0")


# --- the device --------------------------------------------------------------

@tap.each(4, 6)
def device_comes_and_goes(family):
    """Down, renamed, deleted, made anew: the packet is delivered."""
    lab.right.ip("link add d0 type dummy", "link set d0 up")
    steps = [("there", [], 1), ("down", ["link set d0 down"], 0),
             ("up", ["link set d0 up"], 1),
             ("renamed", ["link set d0 down", "link set d0 name d1",
                          "link set d1 up"], 0),
             ("back", ["link set d1 down", "link set d1 name d0",
                       "link set d0 up"], 1),
             ("deleted", ["link del d0"], 0),
             ("in another namespace", ["link add d0 type dummy",
                                       "link set d0 netns other"], 0),
             ("made anew", ["link add d0 type dummy", "link set d0 up"], 1),
             ("deleted again", ["link del d0"], 0)]
    with managed(253, lab.right, "deliver raw", "mirror dev d0 deliver raw"), \
            sock.Reader(253, family, lab.right) as reader:
        for name, lines, wanted in steps:
            if lines:
                lab.right.ip(*lines)
            with Count(253, family, lab.right) as count:
                left.send(one(family)[1])
                marker.flush()
            tap.is_(mirror_counts(count.delta) + (len(reader.drain()),),
                    (1, wanted, 1 - wanted, 1), name)
    lab.other.ip("link del d0")


@tap.case
def devices_come_and_go_under_traffic():
    """Nothing holds the device, and nothing uses it when it is gone."""
    lab.right.ip("link add d0 type dummy", "link set d0 up")
    with managed(253, lab.right, "deliver none", "mirror dev d0 deliver none"):
        pid = os.fork()
        if not pid:
            try:
                os.sched_setaffinity(0, {os.cpu_count() - 1})
                data = {family: one(family, bytes(200))[1]
                        for family in (4, 6)}
                while os.getppid() != 1:
                    for family in (4, 6):
                        left.send(data[family])
                    # the time is for what is done meanwhile
                    time.sleep(0.001)
            finally:
                os._exit(0)
        try:
            for _ in range(20):
                lab.right.ip("link del d0")
                lab.right.ip("link add d0 type dummy", "link set d0 up")
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

        def told():
            return tool.stats(253, lab.right)
        # what is still on its way on the other CPU
        settled(lambda: told() == told())
        stats = told()
        for family in (4, 6):
            row = stats[family]
            tap.is_(row["mirrored"] + row["mirror_failed"], row["seen"],
                    "IPv%d: each packet is counted once" % family)
            tap.ok(row["mirrored"] and row["mirror_failed"],
                   "IPv%d: some with the device, some without" % family)
    lab.right.ip("link del d0")


# --- loops -------------------------------------------------------------------

def returned(family, name, rules, expected, mac=None, **more):
    """Send one packet; (seen, mirrored, failed) when the copies are back."""
    with managed(253, lab.right, "deliver none", *rules):
        def now():
            return mirror_counts(tool.stats(253, lab.right)[family])
        left.send(one(family, bytes(50), **more)[1], mac)
        settled(lambda: now() >= expected)
        tap.is_(now(), expected, name)
        # one that went on would have been counted since
        marker.flush()
        tap.is_(now(), expected, name + ": and no more")


@tap.each(4, 6)
def onto_the_input_device(family):
    with Wire("r0", out=True) as leaves:
        with managed(253, lab.right, "deliver none",
                     "mirror dev r0 deliver none"), \
                Count(253, family, lab.right) as count:
            mark, data = one(family)
            left.send(data)
            marker.flush()
        tap.is_(leaves.drain(mark), [], "nothing leaves")
    tap.is_(mirror_counts(count.delta), (1, 0, 1), "counted")


@tap.each(4, 6)
def a_veth_pair(family):
    """Both of its ends are here."""
    for mac in (None, EVERYONE):
        returned(family, "to me" if mac is None else "to everyone",
                 ["mirror dev v0 deliver none"], (2, 1, 1), mac)


@tap.each(4, 6)
def two_rules(family):
    """Each mirrors what the other one sent, onto the other's device."""
    returned(family, "ping-pong",
             ["dev r0 mirror dev v0 deliver none",
              "dev v1 mirror dev v1 deliver none"], (2, 1, 1))
    lab.right.ip("link add w0 type veth peer name w1",
                 "link set w0 address %s up" % MAC,
                 "link set w1 address %s up" % MAC)
    returned(family, "two pairs",
             ["dev r0 mirror dev v0 deliver none",
              "dev v1 mirror dev w0 deliver none",
              "dev w1 mirror dev v0 deliver none"], (2, 1, 1))
    lab.right.ip("link del w0")


@tap.each(4, 6)
def a_bridge(family):
    """The copy is flooded out of a port that leads back here."""
    done = tool.command("ip", "-n", "right", "link", "add", "br0", "type",
                        "bridge")
    if done.status:
        raise tap.Skip("no bridges: " + done.err.strip())
    lab.right.ip("link set v0 master br0", "link set br0 up")
    clock.wait_until(lambda: "state forwarding" in tool.command(
        "ip", "-n", "right", "-d", "link", "show", "v0").out)
    try:
        returned(family, "flooded", ["mirror dev br0 deliver none"],
                 (2, 1, 1))
        returned(family, "to everyone", ["mirror dev br0 deliver none"],
                 (2, 1, 1), EVERYONE)
    finally:
        lab.right.ip("link del br0")


@tap.each(4, 6)
def the_loopback_device(family):
    """It delivers here what is sent by it."""
    returned(family, "to everyone", ["mirror dev lo deliver none"], (2, 1, 1),
             EVERYONE)
    # and what it delivers can be mirrored, but not onto it
    for device, expected in (("m0", (1, 1, 0)), ("lo", (1, 0, 1))):
        with managed(253, lab.right, "deliver none",
                     "mirror dev %s deliver none" % device), \
                Count(253, family, lab.right) as count, \
                Wire(device, out=True) as leaves:
            me, mark = lab.r0.addr[family], token()
            sender = sock.Sender(family, lab.right)
            sender.send(packet.ip(me, me, 253, mark))
            sender.close()
            marker.flush()
            frames = leaves.drain(mark)
        tap.is_(mirror_counts(count.delta), expected, "from lo onto " + device)
        if device == "m0":
            tap.is_([frame[:14] for frame in frames],
                    [bytes(12) + struct.pack("!H", TYPE[family])],
                    "with the Ethernet header of lo")


@tap.each((4, "forwards"), (6, "forwards"), (4, "translates"))
def another_namespace(family, what):
    """It sends the copy back, with a smaller TTL and perhaps another source."""
    if what == "translates":
        done = lab.other.run(
            "nft", "add table ip n; add chain ip n p { type nat hook "
            "postrouting priority 100; }; add rule ip n p masquerade")
        if done.returncode:
            raise tap.Skip("no nat in nft: " + done.stderr.splitlines()[0])
    try:
        with Wire("g0") as back:
            with managed(253, lab.right, "deliver none",
                         "mirror dev f0 deliver none"):
                def now():
                    return mirror_counts(tool.stats(253, lab.right)[family])
                mark, data = one(family)
                left.send(data)
                settled(lambda: now() == (2, 1, 1))
                tap.is_(now(), (2, 1, 1), "seen twice, mirrored once")
            seen = [packet.Seen(frame[14:]) for frame in back.drain(mark)]
            tap.is_([(one_.ttl, one_.src == lab.l0.addr[family])
                     for one_ in seen], [(63, what == "forwards")],
                    "it had changed on its way")
    finally:
        if what == "translates":
            lab.other.run("nft", "delete table ip n")


@tap.each(4, 6)
def two_namespaces(family):
    """Both mirror to the other one."""
    addr = "%s/%d" % (lab.r0.addr[family], {4: 32, 6: 128}[family])
    lab.other.ip("addr add %s dev lo" % addr)
    try:
        with managed(253, lab.other, "deliver none",
                     "mirror dev gx deliver none"):
            lab.right.ip("link set g0 address " + MAC)
            returned(family, "here", ["dev r0 mirror dev f0 deliver none",
                                      "dev g0 mirror dev f0 deliver none"],
                     (1, 1, 0))
            tap.is_(mirror_counts(tool.stats(253, lab.other)[family]),
                    (1, 0, 1), "there: not a copy of a copy")
    finally:
        lab.right.ip("link set g0 address 02:09:00:00:07:01")
        lab.other.ip("addr del %s dev lo" % addr)


@tap.each(4, 6)
def a_vrf(family):
    """Neither onto the port that it came in by, nor onto its VRF."""
    done = tool.command("ip", "-n", "right", "link", "add", "red", "type",
                        "vrf", "table", "10")
    if done.status:
        raise tap.Skip("no VRF devices: " + done.err.strip())
    lab.right.ip("link set red up", "link set v1 master red",
                 "addr add %s/%d dev v1" %
                 {4: ("10.9.8.1", 24), 6: ("fd09:8::1", 64)}[family] +
                 (" nodad" if family == 6 else ""))
    try:
        # from v0, whose other end is the port
        with lab.right:
            end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        end.bind(("v0", 0))
        for device, expected in (("v1", (1, 0, 1)), ("red", (1, 0, 1)),
                                 ("m0", (1, 1, 0))):
            with managed(253, lab.right, "deliver none",
                         "mirror dev %s deliver none" % device), \
                    Wire("m0", out=True) as leaves:
                def now():
                    return mirror_counts(tool.stats(253, lab.right)[family])
                mark = token()
                frame = bytes.fromhex(MAC.replace(":", "")) + b"\2" + \
                    bytes(5) + struct.pack("!H", TYPE[family]) + packet.ip(
                        {4: "10.9.8.2", 6: "fd09:8::2"}[family],
                        {4: "10.9.8.1", 6: "fd09:8::1"}[family], 253, mark)
                end.send(frame)
                settled(lambda: now() == expected)
                tap.is_(now(), expected, "onto " + device)
                tap.is_(leaves.drain(mark), [frame] * (device == "m0"),
                        "what left by m0")
        end.close()
    finally:
        lab.right.ip("link set v1 nomaster", "link del red",
                     "addr flush dev v1 scope global")


# --- rules -------------------------------------------------------------------

@tap.case
def shown_and_saved():
    with managed(253, lab.right, "", "pref 5 mirror dev m0 deliver none"):
        got = tool.ask("rule show proto 253", lab.right)
        tap.is_([one_["mirror"] for one_ in got], ["m0"], "shown")
        saved = tool.do("save", lab.right)
        tap.has(saved, "mirror dev m0", "saved")
        left.send(one(4)[1])
        marker.flush()
        with Client(lab.right) as client:
            def packets():
                return [one_["packets"] for one_ in client.rules()]
            tap.is_(packets(), [1], "counted")
            tool.do_alone("apply -", lab.right, stdin=saved)
            tap.is_(packets(), [1], "applied again: the same rule")
            for words in ("dev v0", None):
                text = saved.replace("mirror dev m0", "mirror " + words
                                     if words else "")
                tool.do_alone("apply -", lab.right, stdin=text)
                tap.is_(packets(), [0], "%s: another rule" % words)


@tap.case
def bad_input():
    """A reason, and nothing changed."""
    with Client(lab.right) as client:
        client.send(K.CMD_PROTO_ADD, proto(253))
        try:
            state = client.state()
            for name, hook, verdict, device, error, text in (
                    ("no such device", None, "none", b"nosuch\0", "ENODEV",
                     "no such device"),
                    ("a device of another namespace", None, "none", b"fx\0",
                     "ENODEV", "no such device"),
                    ("no name", None, "none", b"\0", "ENODEV",
                     "no such device"),
                    ("output", "output", "allow", b"m0\0", None, "output")):
                got = client.refusal(K.CMD_RULE_ADD, rule(
                    253, verdict, hook=hook,
                    extra=[genl.attr(K.RULE_A_MIRROR, device)]))
                tap.ok(got and (error is None or got.name == error), name,
                       got)
                if error:
                    tap.has(got.text, text, name + ": why")
            tap.is_(client.state(), state, "nothing changed")
        finally:
            client.send(K.CMD_PROTO_DEL, proto(253))


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
