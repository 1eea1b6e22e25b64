#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
The policy Documentation/policies/winsock-raw.kraw: no TCP over raw sockets, no
UDP with a source that is not ours, and everything else as ever.  Real programs
under it: ping, traceroute, FRR's OSPF for both families, keepalived's VRRP.
"""
import os
import shutil
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from krawtest import clock, packet, sock, tap, tool
from krawtest.daemons import Daemon, Frr, write
from krawtest.netns import SOURCES, Lab
from krawtest.outgoing import Outgoing, Wire
from krawtest.who import token

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
POLICY = os.path.join(ROOT, "Documentation", "policies", "winsock-raw.kraw")
ME, PEER = lab.r0.addr, lab.l0.addr
ECHO = {4: bytes([8, 0, 0, 0, 0, 1, 0, 1]), 6: bytes([128, 0, 0, 0, 0, 1, 0, 1])}
FOREIGN = {4: "192.0.2.1", 6: "2001:db8::1"}
out = tap.cleanup(Outgoing(lab.right, lab.r0, lab.l0))


def policy(*more):
    """The policy, and nothing but the policy and these lines, is in force."""
    with open(POLICY) as file:
        text = file.read()
    tool.do("flush", lab.right)		# else rules that stay go on counting
    done = tool.kraw(["apply", "-"], lab.right,
                     stdin=text + "".join(line + "\n" for line in more))
    if done.status:
        raise tool.Refused(done.err)


def rule(proto):
    """The counter of the policy's rule for a protocol."""
    found, = [one for one in
              tool.ask("-s rule show hook output proto %s" % proto, lab.right)
              if one["verdict"] == "deny"]
    return found["packets"]


# --- the policy --------------------------------------------------------------

@tap.case
def the_file():
    done = tool.kraw(["apply", "--check", POLICY], lab.right)
    tap.is_((done.status, done.err), (0, ""), "is right")
    tap.is_(tool.ask("proto show", lab.right), [], "and was only checked")
    policy()
    tap.is_([p["proto"] for p in tool.ask("proto show", lab.right)], [6, 17],
            "applied it manages two protocols")
    saved = tool.do("save", lab.right)
    with open(POLICY) as file:
        lines = [line for line in file.read().splitlines()
                 if line and line[0] != "#"]
    tap.is_([line.split("pref")[1] for line in saved.splitlines()
             if line.startswith("rule")],
            [line.split("pref")[1] for line in lines
             if line.startswith("rule")], "save prints its rules")
    # as its comment says: beside what there is
    tool.do("flush", lab.right)
    tool.do("proto add 253", lab.right)
    both = tool.do("save", lab.right) + "\n" + "\n".join(lines) + "\n"
    done = tool.kraw(["apply", "-"], lab.right, stdin=both)
    tap.is_(done.status, 0, "saved and catenated it can be applied")
    tap.is_([p["proto"] for p in tool.ask("proto show", lab.right)],
            [6, 17, 253], "with what there was")
    tool.do("rule flush proto 6", lab.right)
    tool.do("rule flush proto 17", lab.right)
    done = tool.kraw(["-b", "-"], lab.right, stdin="\n".join(
        line for line in lines if line.startswith("rule")) + "\n")
    tap.is_((done.status, out.send(4, 6)), (0, "EPERM"), "rules by a batch")


@tap.each(4, 6)
def tcp_and_udp(family):
    policy()
    mine, foreign, inside = ME[family], FOREIGN[family], SOURCES[family][0][1]
    mark = token()
    for src in (mine, foreign):
        for flags, name in ((2, "SYN"), (4, "RST"), (24, "data"), (0, "none")):
            tap.is_(out.whole(family, packet.ip(
                src, PEER[family], 6, packet.tcp(src, PEER[family], 9, 9,
                                                 flags=flags, data=mark)),
                mark), "EPERM", "TCP from %s, %s" % (src, name))
    tap.is_(out.send(family, 6), "EPERM", "TCP without an own header")
    for src, expected in ((mine, "sent"), (foreign, "EPERM"),
                          (inside, "EPERM")):
        tap.is_(out.whole(family, packet.ip(
            src, PEER[family], 17, packet.udp(src, PEER[family], 9, 9, mark)),
            mark), expected, "UDP from " + src)
    tap.is_(out.send(family, 17), "sent", "UDP without an own header")
    tap.is_([out.whole(family, data, mark[:6]) for data in packet.fragments(
        foreign, PEER[family], 17, mark * 4, 16)], ["EPERM"] * 2,
        "UDP in fragments")
    tap.is_((rule(6), rule(17)), (9, 4), "the rules count")
    for proto, name in ((sock.ICMP_OF[family], "ICMP"), (2, "IGMP"),
                        (89, "OSPF"), (112, "VRRP"), (103, "PIM"),
                        (132, "SCTP"), (253, "an experiment")):
        # the kernel writes a checksum into ICMPv6
        tap.is_([out.send(family, proto, hdr=hdr, pre=ECHO[family])
                 for hdr in (False, True)], ["sent"] * 2, name)
        tap.is_(out.send(family, proto, hdr=True, src=foreign), "sent",
                name + " with a foreign source: not this policy's business")


@tap.case
def exceptions():
    """Those that the file's comment names."""
    policy("rule add hook output proto tcp pref 5 uid root len 40-80 match "
           "'tcp[tcpflags] == tcp-syn' allow",
           "rule add hook output proto udp pref 5 src 0.0.0.0 allow")
    mark = token()

    def tcp(flags, data, uid=0):
        return out.whole(4, packet.ip(
            ME[4], PEER[4], 6, packet.tcp(ME[4], PEER[4], 9, 9, flags=flags,
                                          data=data)), mark, uid=uid)
    tap.is_([tcp(2, mark), tcp(2, mark, 1), tcp(2, mark + bytes(99)),
             tcp(18, mark), tcp(24, mark)], ["sent"] + ["EPERM"] * 4,
            "a SYN without data, from root")


# --- programs ----------------------------------------------------------------

def run(*words):
    """A command in right: exit status and all that it says."""
    done = lab.right.run(*words, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


@tap.each(4, 6)
def ping(family):
    """A raw socket's: in a new namespace nobody may open a datagram one."""
    policy()
    words = ["ping", "-n", "-c", "1", PEER[family]]
    tap.is_(run(*words)[0], 0, "works")
    name = {4: "icmp", 6: "58"}[family]
    policy("proto add " + name, "rule add hook output proto %s deny" % name)
    status, text = run(*words, "-W", "1")
    tap.ok(status, "and by our leave", text)
    tap.is_(tool.stats(name, lab.right)[family]["deny"], 1, "so it is counted")


@tap.each(4, 6)
def traceroute(family):
    if not shutil.which("traceroute"):
        raise tap.Skip("no traceroute")

    def trace(*how):
        return run("traceroute", "-n", "-q", "1", "-m", "2", "-w", "5",
                   *how, PEER[family])
    policy()
    for how in ([], ["-I"]):
        status, text = trace(*how)
        tap.ok(not status and " ms" in text, "by %s" % (how or "UDP"), text)
    status, text = trace("-T", "-p", "7")
    tap.ok("not permitted" in text, "by TCP: not under this policy", text)
    tap.ok(rule(6), "which counts it")
    policy("rule add hook output proto tcp pref 5 uid root len 40-80 allow")
    status, text = trace("-T", "-p", "7")
    tap.ok(not status and " ms" in text, "by TCP, when it is allowed", text)


def learned():
    """The routes that right has learned from left, one of each family."""
    with lab.right:
        with open("/proc/thread-self/net/route") as file:
            found = [line for line in file if line.startswith("r0\t01004D0A")]
        with open("/proc/thread-self/net/ipv6_route") as file:
            found += [line for line in file if line.startswith("fd77") and
                      line.split()[-1] == "r0"]
    return found


@tap.case
def frr():
    policy()
    left = Frr(lab.l0, 1)
    right = None
    try:
        right = Frr(lab.r0, 2)
        tap.ok(clock.wait_until(lambda: len(learned()) == 2, 30, 0.2),
               "OSPF for both families finds its neighbour and its routes",
               learned())
        tool.do("proto add ospf", lab.right)
        tool.do("rule add hook output proto ospf deny", lab.right)
        tap.ok(clock.wait_until(lambda: not learned(), 30, 0.2),
               "and by our leave: denied, they are lost", learned())
        tap.ok(all(tool.stats("ospf", lab.right)[family]["deny"]
                   for family in (4, 6)), "both send by raw sockets")
    finally:
        if right:
            right.close()
        left.close()
    tap.is_((rule(6), rule(17)), (0, 0), "nothing of it met the policy's rules")


@tap.case
def keepalived():
    config = write("/run/keepalived/conf", """global_defs {
	vrrp_version 3
}
vrrp_instance four {
	state MASTER
	interface r0
	virtual_router_id 51
	priority 255
	advert_int 0.2
	virtual_ipaddress { 10.9.0.200/24 dev r0 }
}
vrrp_instance six {
	state MASTER
	interface r0
	virtual_router_id 52
	priority 255
	advert_int 0.2
	virtual_ipaddress { fe80::200/64 dev r0 }
}
""")
    policy("proto add vrrp")
    vrrp = {4: lambda data: data[0] >> 4 == 4 and data[9] == 112,
            6: lambda data: data[0] >> 4 == 6 and data[6] == 112}
    wire = Wire("r0", lab.right)
    daemon = Daemon(lab.right, "keepalived", "-n", "-l", "-P", "-f", config,
                    "-p", "/run/keepalived/pid", "-r",
                    "/run/keepalived/vrrp.pid")
    try:
        for family in (4, 6):
            tap.ok(wire.wait(vrrp[family], 30), "IPv%d: VRRP is sent" % family)
        tap.has(lab.right.run("ip", "addr", "show", "dev", "r0").stdout,
                "10.9.0.200", "and the address is there")
        tool.do("rule add hook output proto vrrp deny", lab.right)
        tap.ok(clock.wait_until(
            lambda: all(tool.stats("vrrp", lab.right)[family]["deny"] > 2
                        for family in (4, 6)), 30), "and by our leave")
        wire.drain()
        tap.is_(wire.wait(lambda data: any(is_(data)
                                           for is_ in vrrp.values()), 0.5),
                False, "denied, nothing is sent")
    finally:
        daemon.close()
        wire.close()
    tap.is_((rule(6), rule(17)), (0, 0), "nothing of it met the policy's rules")


@tap.case
def nothing_is_left():
    tool.do("flush", lab.right)
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
