#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
`kraw show` and `kraw explain` beside real programs: FRR's ospfd in two
namespaces, keepalived and its socket that only sends, two multicast routing
daemons of which the second is refused, ping, traceroute, and nmap's IP protocol
scan, whose verdict follows what kraw decides.
"""
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, tap, tool
from krawtest.daemons import Daemon, Frr, write
from krawtest.manage import managed
from krawtest.netns import Lab

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
ADDR, PEER = lab.r0.addr, lab.l0.addr
OSPF, VRRP, IGMP, PIM = 89, 112, 2, 103


def row(proto, namespace=lab.right):
    """The row of one protocol."""
    return tool.ask("show proto %s" % proto, namespace)[0]


def holders(proto, namespace=lab.right):
    """[(process, family, its socket)] of a protocol."""
    return [(process["name"], one["family"], one)
            for one in row(proto, namespace)["sockets"]
            for process in one["processes"]]


def held_by(name, proto, namespace=lab.right, count=1):
    """Waits until that program has this many sockets of the protocol."""
    def found():
        mine = [one for who, _, one in holders(proto, namespace)
                if who == name]
        return mine if len(mine) >= count else []
    return clock.wait_until(found, 60, 0.2)


@tap.case
def ospf():
    daemons = []
    try:
        daemons.append(Frr(lab.l0, 1))
        daemons.append(Frr(lab.r0, 2))
        for space in (lab.left, lab.right):
            found = held_by("ospfd", OSPF, space)
            tap.is_({one["family"] for one in found}, {"ipv4"},
                    "ospfd in " + space.name)
            found = held_by("ospf6d", OSPF, space)
            tap.is_({one["family"] for one in found}, {"ipv6"},
                    "ospf6d in " + space.name)
        pids = {daemon.process.pid for frr in daemons
                for daemon in frr.daemons}
        got = [one for one in json.loads(tool.do_alone(
            ["-j", "-all-netns", "show", "proto", "ospf"]))]
        by_space = {one["netns"]: {p["pid"] for s in one["sockets"]
                                   for p in s["processes"]} for one in got}
        tap.ok(by_space["left"] and by_space["right"] and
               not by_space["left"] & by_space["right"] and
               by_space["left"] | by_space["right"] <= pids,
               "all namespaces: each with its own processes", by_space)
        tap.has(tool.kraw("show proto ospf", lab.right).out, "ospfd pid ",
                "in words")
    finally:
        while daemons:
            daemons.pop().close()
    tap.is_(row(OSPF)["sockets"], [], "gone with them")


KEEPALIVED = """global_defs {
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
"""


def explained(dst):
    """What explain says of each socket of VRRP, by inode."""
    return {step["inode"]: step for step in
            tool.ask("explain proto vrrp src %s dst %s dev r0 ttl 255" %
                     (PEER[4], dst), lab.right) if step["step"] == "socket"}


@tap.case
def keepalived():
    daemon = Daemon(lab.right, "keepalived", "-n", "-l", "-P", "-f",
                    write("/run/keepalived/conf", KEEPALIVED), "-p",
                    "/run/keepalived/pid", "-r", "/run/keepalived/vrrp.pid")
    try:
        found = held_by("keepalived", VRRP, count=2)
        tap.is_(len(found), 2, "two sockets")
        receive, = (one for one in found if not one["hdrincl"])
        send, = (one for one in found if one["hdrincl"])
        tap.is_((receive["dev"], receive["filter_refuses_all"],
                 receive["unread"]), ("r0", False, None), "one that receives")
        tap.ok(send["filter_refuses_all"] or send["unread"],
               "the one that only sends is marked", send)
        tap.has(tool.kraw("show proto vrrp", lab.right).out,
                "send-only: its filter refuses all", "in words")
        steps = explained("224.0.0.18")
        tap.is_(steps[receive["inode"]]["result"], "copy",
                "explain: VRRP's own group arrives")
        # every host is in this one, and VRRP's receiver is not
        steps = explained("224.0.0.1")
        tap.ok(steps[receive["inode"]]["result"] in ("member", "local"),
               "explain: why a packet for the wrong group does not",
               steps[receive["inode"]])
        tap.is_(steps[receive["inode"]]["processes"][0]["name"], "keepalived",
                "and to whom")
        told = tool.refused("explain proto vrrp src %s dst 224.0.0.99 dev r0" %
                            PEER[4], lab.right)
        tap.has(told.err, "group", "one that nobody here has joined")
    finally:
        daemon.close()


@tap.case
def multicast_routing():
    first = Daemon(lab.right, "usr/sbin/pimd", "-f", "-c",
                   write("/run/pimd.conf", "phyint r0 enable\n"))
    second = None
    try:
        found = held_by("pimd", IGMP)
        tap.ok(found, "pimd has a socket of IGMP")
        clock.wait_until(lambda: row(IGMP)["multicast_routing"], 30, 0.2)
        second = Daemon(lab.right, "usr/sbin/smcrouted", "-n", "-l", "debug",
                        "-f", write("/run/smcroute.conf", ""))
        tap.ok(clock.wait_until(lambda: "in use" in second.said(), 30, 0.2),
               "the second one is told that the address is in use",
               second.said())
        for proto in (IGMP, PIM):
            role, = row(proto)["multicast_routing"]
            tap.is_((role["processes"][0]["name"], role["certain"]),
                    ("pimd", True), "show proto %d names the first" % proto)
        text = tool.kraw("show proto igmp", lab.right).out
        tap.has(text, "pimd pid %d" % first.process.pid, "in words")
    finally:
        if second:
            second.close()
        first.close()
    tap.is_(row(IGMP)["multicast_routing"], [], "free again")


# --- programs ----------------------------------------------------------------

@tap.each(4, 6)
def ping(family):
    with lab.right:
        running = subprocess.Popen(["ping", "-n", "-i", "1", PEER[family]],
                                   stdout=subprocess.PIPE)
    try:
        running.stdout.readline()
        running.stdout.readline()
        mine = held_by("ping", {4: 1, 6: 58}[family])
        tap.is_([p["pid"] for one in mine for p in one["processes"]],
                [running.pid], "is named")
        tap.ok(mine[0]["icmp_filter"].get("passes") or family == 6,
               "with its ICMP filter", mine)
    finally:
        running.kill()
        running.communicate()


@tap.each(4, 6)
def traceroute(family):
    """Its socket for the answers is there as long as it waits for one."""
    if not shutil.which("traceroute"):
        raise tap.Skip("no traceroute")
    silent = {4: "10.9.0.77", 6: "fd09::77"}[family]
    lab.right.ip("neigh replace %s lladdr 02:00:00:00:00:77 dev r0" % silent)
    with lab.right:
        running = subprocess.Popen(
            ["traceroute", "-n", "-I", "-q", "1", "-m", "30", "-w", "20",
             silent], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        mine = held_by("traceroute", {4: 1, 6: 58}[family])
        tap.is_({p["pid"] for one in mine for p in one["processes"]},
                {running.pid}, "is named")
    finally:
        running.kill()
        running.wait()


def scan(family):
    """What nmap finds out about protocol 253 of right."""
    # how long an answer may take, twice; it would wait for seconds
    patience = "%dms" % (400 * clock.SLOW)
    words = ["nmap", "-sO", "-p", "253", "-n", "-Pn", "--max-retries", "1",
             "--initial-rtt-timeout", patience, "--max-rtt-timeout", patience,
             "--disable-arp-ping", "-oG", "-"]
    if family == 6:
        words.append("-6")
    done = lab.left.run(*words, ADDR[family])
    for word in done.stdout.replace("/", " ").split():
        if word in ("open", "closed", "filtered", "open|filtered"):
            return word
    return done.stdout + done.stderr


@tap.each(4, 6)
def nmap(family):
    if not shutil.which("nmap"):
        raise tap.Skip("no nmap")
    if "error while loading shared libraries" in tool.command("nmap", "-V").err:
        # BLAS is one of Debian's alternatives, which a package's script sets
        raise tap.Skip("nmap does not start in a root that nothing was set up in")
    tap.is_(scan(family), "closed", "plain Linux: unreachable")
    for words, expected in (("claim plain", "open|filtered"),
                            ("deliver reject", "closed"),
                            ("deliver none", "open|filtered"),
                            ("unreach never", "open|filtered"),
                            ("claim plain unreach always", "closed")):
        with managed(253, lab.right, words):
            tap.is_(scan(family), expected, words)
    tap.is_(scan(family), "closed", "plain Linux again")


@tap.case
def nothing_is_left():
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
