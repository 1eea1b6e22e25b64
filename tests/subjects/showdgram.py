#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
`kraw show` lists the datagram sockets of claims as it lists raw sockets: their
addresses and options, queues, owners and processes; for everybody what sock_diag
would tell of them, and never those of another namespace.
"""
import json
import os
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, sock, tap, tool, traced
from krawtest.client import Client, K, genl
from krawtest.dgram import SOL_IPV6, Dgram
from krawtest.manage import managed
from krawtest.netns import Lab

NOBODY = 65534
EXCLUSIVE = 0x6b01
NAME = {4: "ipv4", 6: "ipv6"}
ME = os.getpid()

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
lab.right.ip("link add v0 type vrf table 7", "link set v0 up")
ADDR, PEER = lab.r0.addr, lab.l0.addr
LEFT = (socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
REUSE = (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
PORT = (socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
ONLY = (SOL_IPV6, socket.IPV6_V6ONLY, 1)


def inode(one):
    """Of a socket."""
    return os.fstat(one.fileno()).st_ino


def row(proto=253, namespace=lab.right):
    """The row of a protocol that is asked for."""
    return tool.ask("show proto %d" % proto, namespace)[0]


def sockets(proto=253, namespace=lab.right):
    """The datagram sockets of one protocol, by inode."""
    return {one["inode"]: one for one in
            row(proto, namespace)["datagram_sockets"]}


def here(family, **how):
    """A socket in right."""
    return Dgram(family, lab.right, **how)


def some(one, *keys):
    """What is told of a socket under these keys."""
    told = sockets()[inode(one)]
    return [told[key] for key in keys]


def process(one, pid=ME):
    """How a descriptor of a socket is shown."""
    with open("/proc/%d/comm" % pid) as file:
        return {"name": file.read().strip(), "pid": pid, "fd": one.fileno()}


def text():
    """The lines that a person sees."""
    return tool.kraw("show proto 253", lab.right).out


def line_of(words):
    """The one line of the text that has these words."""
    line, = (one for one in text().splitlines() if words in one)
    return line


# --- what there is to say ----------------------------------------------------

@tap.each(4, 6)
def bare(family):
    tap.is_(row()["datagram_sockets"], [], "nobody manages it")
    with managed(253, lab.right, "claim plain"), \
            managed(253, lab.other, "claim plain"):
        tap.is_(sockets(), {}, "a claim without a socket")
        with here(family) as one:
            limit = one.sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
            only = {"v6only": False} if family == 6 else {}
            tap.is_(list(sockets().values()), [{
                "netns": "right", "proto": 253, "family": NAME[family],
                "receives": [], "local": None, "local_port": None,
                "peer": None, "peer_port": None, "dev": None, "vrf": False,
                "exclusive": False, "reuseaddr": False, "reuseport": False,
                **only, "filter_length": 0, "filter_kind": None,
                "filter_refuses_all": False, "receive_queue": 0,
                "receive_limit": limit, "drops": 0, "unread": None, "uid": 0,
                "user": "root", "inode": inode(one),
                "processes": [process(one)]}], "all that there is to say")
            tap.has(text(), "not bound: gets nothing", "in words")
            tap.has(text(), "Datagram sockets of claims:", "under a title")
            tap.is_(row()["sockets"], [], "it is no raw socket")
            tap.is_(sockets(252), {}, "nor of another number")
            tap.is_(sockets(namespace=lab.other), {},
                    "nor in another namespace")
            tap.ok(253 in [r["proto"] for r in tool.ask("show", lab.right)],
                   "the number has its row")
            with Dgram(family, lab.other) as other:
                tap.is_((list(sockets()), list(sockets(namespace=lab.other))),
                        ([inode(one)], [inode(other)]), "each its own")
            with sock.Reader(253, family, lab.right) as raw:
                both = row()
                tap.is_([[s["inode"] for s in both[key]] for key in
                         ("sockets", "datagram_sockets")],
                        [[inode(raw)], [inode(one)]], "beside a raw socket")
        tap.is_(sockets(), {}, "gone")


@tap.each(4, 6)
def addresses(family):
    keys = "local", "local_port", "peer", "peer_port", "receives"
    mine = [NAME[family]]
    with managed(253, lab.right, "claim ports"):
        with here(family, bind=ADDR[family], port=5000) as one:
            tap.is_(some(one, *keys), [ADDR[family], 5000, None, None, mine],
                    "ports: bound")
            one.sock.connect((PEER[family], 6000))
            tap.is_(some(one, *keys),
                    [ADDR[family], 5000, PEER[family], 6000, mine],
                    "connected")
            tap.is_(line_of("5000").split()[3:7],
                    [ADDR[family], "5000", PEER[family], "6000"], "in words")
        with here(family, connect=PEER[family], to_port=7) as one:
            name = one.sock.getsockname()
            tap.is_(some(one, *keys),
                    [name[0], name[1], PEER[family], 7, mine],
                    "with an address and a port of the kernel's choice")
    with managed(253, lab.right, "claim plain"):
        with here(family, bind=ADDR[family]) as one:
            tap.is_(some(one, *keys), [ADDR[family], None, None, None, mine],
                    "plain: no port")
        with here(family, bind={4: "0.0.0.0", 6: "::"}[family],
                  options=[ONLY] if family == 6 else ()) as one:
            tap.is_(some(one, *keys), [None, None, None, None, mine],
                    "any address")
            tap.ok("not bound" not in text(), "is an address")


@tap.case
def dual_stack():
    with managed(253, lab.right, "claim ports"):
        with here(6, bind="::", port=5000) as one:
            tap.is_(some(one, "receives", "local", "v6only"),
                    [["ipv4", "ipv6"], None, False], "both families")
            tap.is_(line_of("5000").split()[1:3], ["ipv6", "both"], "in words")
        with here(6, bind="::ffff:" + ADDR[4], port=5000) as one:
            tap.is_(some(one, "family", "receives", "local"),
                    ["ipv6", ["ipv4"], "::ffff:" + ADDR[4]], "v4-mapped")
        with here(6, bind="::", port=5000, options=[ONLY]) as one, \
                here(4, bind="0.0.0.0", port=5000) as four:
            tap.is_((some(one, "receives", "v6only"),
                     some(four, "receives")),
                    ([["ipv6"], True], [["ipv4"]]), "one of each")
            tap.has(line_of("v6only"), "ipv6", "in words")


@tap.each(4, 6)
def everything_set(family):
    flags = "exclusive", "reuseaddr", "reuseport"
    lone = (253, EXCLUSIVE, 1)
    with managed(253, lab.right, "claim ports"), \
            here(family, bind=ADDR[family], port=1, options=[lone]) as first, \
            here(family, bind=ADDR[family], port=2, options=[REUSE]) as second, \
            here(family, bind=ADDR[family], port=3, options=[PORT, LEFT]) as third:
        with lab.right:
            first.set(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"r0")
            second.set(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"v0")
        sock.attach_filter(first.sock, sock.ACCEPT * 3)
        sock.attach_filter(third.sock, sock.REJECT)
        os.fchown(first.fileno(), 77777, 0)
        os.fchown(third.fileno(), NOBODY, 0)
        tap.is_([some(one, *flags) for one in (first, second, third)],
                [[True, False, False], [False, True, False],
                 [False, False, True]], "who may share its address")
        tap.is_([some(one, "dev", "vrf") for one in (first, second, third)],
                [["r0", False], ["v0", True], [None, False]], "devices")
        tap.is_(some(first, "filter_length", "filter_kind",
                     "filter_refuses_all", "uid", "user"),
                [3, "classic", False, 77777, None], "a filter, an owner")
        tap.is_(some(third, "filter_length", "filter_refuses_all",
                     "receive_limit", "user"), [1, True, 16384, "nobody"],
                "a filter that refuses all, a limit")
        tap.has(line_of("77777"), "exclusive, filter 3", "in words")
        tap.has(line_of("v0 (VRF)"), "reuseaddr", "the VRF")
        tap.has(line_of("reuseport"), "its filter refuses all", "and the last")
        tap.has(tool.kraw("-d show proto 253", lab.right).out,
                str(inode(first)), "-d: the inode")
    fd = sock.ebpf()
    if fd < 0:
        tap.skip("an eBPF filter", "no eBPF")
        return
    with managed(253, lab.right, "claim ports"), here(family) as one:
        one.set(socket.SOL_SOCKET, 50, fd)	# SO_ATTACH_BPF
        tap.is_(some(one, "filter_kind", "filter_refuses_all"),
                ["ebpf", False], "an eBPF filter")
    os.close(fd)


# --- queues ------------------------------------------------------------------

def watched(sleeps):
    """Sockets of a kraw that does something each time before it sleeps."""
    done = traced.run([tool.KRAW, "-j", "show", "proto", "253"], lab.right,
                      sleeps=sleeps)
    return {one["inode"]: one for one in
            json.loads(done.out)[0]["datagram_sockets"]}


@tap.each(4, 6)
def queues(family):
    with managed(253, lab.left, "claim ports"), \
            managed(253, lab.right, "claim ports"), \
            Dgram(family, lab.left) as source, \
            here(family, bind=ADDR[family], port=1, options=[LEFT]) as one, \
            here(family, bind=ADDR[family], port=2) as other:
        for _ in range(60):
            source.send(bytes(400), ADDR[family], 1)
        clock.wait_until(lambda: some(one, "drops") != [0])
        got = sockets()
        mine = got[inode(one)]
        tap.is_((mine["unread"], mine["receive_queue"] > 8192),
                ("half full", True), "over half full is marked")
        tap.is_([got[inode(other)][key] for key in
                 ("unread", "receive_queue", "drops")], [None, 0, 0],
                "one on another port is not")
        tap.has(text(), "nobody reads: over half full", "in words")
        came = len(one.drain())
        mine = sockets()[inode(one)]
        tap.is_((mine["unread"], mine["receive_queue"],
                 came + mine["drops"]), (None, 0, 60),
                "empty again; what came and what was dropped is all")
        source.send(bytes(400), ADDR[family], 2)
        clock.wait_until(lambda: some(other, "receive_queue") != [0])
        got = watched(lambda: source.send(bytes(400), ADDR[family], 2))
        tap.is_((got[inode(other)]["unread"], got[inode(one)]["unread"]),
                ("grows", None), "one that only grows")


@tap.each(4, 6)
def many(family):
    """More than the 32 KiB of a message, of one claim; and others."""
    with managed(253, lab.right, "claim ports"), \
            managed(254, lab.right, "claim plain"), \
            managed(253, lab.other, "claim ports"):
        mine = [here(family) for _ in range(300)]
        for port, one in enumerate(mine[:200]):
            one.sock.bind((ADDR[family], 2000 + port))
        more = [here(family, proto=254), here(10 - family, proto=254)]
        foreign = Dgram(family, lab.other)
        try:
            with Client(lab.right) as client:
                told = client.send(K.CMD_DGRAM_GET, flags=genl.DUMP)
            tap.is_(len(told), len(mine + more), "the module tells of each once")
            tap.is_(set(sockets()), {inode(one) for one in mine},
                    "show has them all")
            tap.is_(sorted(one["local_port"] for one in sockets().values()
                           if one["local_port"]), list(range(2000, 2200)),
                    "with their ports")
            tap.is_(set(sockets(254)), {inode(one) for one in more},
                    "and those of another protocol")
        finally:
            for one in mine + more + [foreign]:
                one.close()


# --- processes, claims, namespaces -------------------------------------------

@tap.each(4, 6)
def processes(family):
    with managed(253, lab.right, "claim ports"), here(family) as one:
        copy = os.dup(one.fileno())
        tap.is_(sorted(p["fd"] for p in some(one, "processes")[0]),
                sorted([copy, one.fileno()]), "two descriptors")
        os.close(copy)
        closing = here(family, bind=ADDR[family], port=9)
        gone = inode(closing)
        done = traced.run([tool.KRAW, "-j", "show", "proto", "253"], lab.right,
                          {"/proc": closing.close})
        tap.is_((done.status, done.err), (0, ""), "one is closed meanwhile")
        got = [s["inode"] for s in json.loads(done.out)[0]["datagram_sockets"]]
        tap.is_((got, gone in got), ([inode(one)], False), "is not shown")


@tap.each(4, 6)
def claims_that_go(family):
    tool.do("proto add 253 claim ports", lab.right)
    with here(family, bind=ADDR[family], port=9) as one:
        tap.is_(list(sockets()), [inode(one)], "is there")
        tool.do("proto del 253 force", lab.right)
        tap.is_(sockets(), {}, "its claim has gone by force, and so has it")
        with managed(253, lab.right, "claim plain"), here(family) as other:
            tap.is_(list(sockets()), [inode(other)], "a new claim, a new list")


@tap.case
def all_namespaces():
    with managed(253, lab.right, "claim plain"), \
            managed(253, lab.other, "claim ports"), here(4) as one, \
            Dgram(6, lab.other, bind="::", port=8) as two:
        got = json.loads(tool.do_alone(["-j", "-all-netns", "show", "proto",
                                        "253"]))
        found = {r["netns"]: [s["inode"] for s in r["datagram_sockets"]]
                 for r in got if r["proto"] == 253}
        tap.is_([found.get(name) for name in ("left", "right", "other")],
                [[], [inode(one)], [inode(two)]], "each with its own")
        got = json.loads(tool.do_alone(["-j", "-n", "other", "show", "proto",
                                        "253"]))
        tap.is_([s["inode"] for s in got[0]["datagram_sockets"]],
                [inode(two)], "-n")


# --- who may see what --------------------------------------------------------

def parsed(done):
    """(datagram sockets of 253 by inode, what is said on standard error)"""
    found = {r["proto"]: r for r in json.loads(done.stdout)}
    told = found[253]["datagram_sockets"]
    return {one["inode"]: one for one in told or []}, done.stderr


@tap.each(4, 6)
def ordinary_user(family):
    show = [tool.KRAW, "-j", "show", "proto", "253"]
    seen = "local", "local_port", "exclusive", "receive_limit", "drops", "uid"
    with managed(253, lab.right, "claim ports users all"), \
            here(family, bind=ADDR[family], port=9) as one, \
            here(family, owner=1000) as two:
        sock.attach_filter(one.sock, sock.REJECT)
        root = sockets()
        got, told = parsed(lab.right.run(*show, user=NOBODY, group=NOBODY,
                                         extra_groups=[]))
        tap.is_({key: [s[name] for name in seen] for key, s in got.items()},
                {key: [s[name] for name in seen] for key, s in root.items()},
                "sees what sock_diag tells of other sockets")
        tap.is_([s["uid"] for s in (got[inode(one)], got[inode(two)])],
                [0, 1000], "and whose they are")
        mine = got[inode(one)]
        tap.is_([mine[key] for key in ("filter_length", "filter_kind",
                                       "filter_refuses_all", "processes")],
                [None] * 4, "neither filters nor processes")
        tap.has(told, "sockets whose owner is unknown: 2", "and is told so")
        # root of a user namespace that has no say over this network
        got, _ = parsed(lab.right.run("unshare", "--user", "--map-root-user",
                                      *show, user=NOBODY, group=NOBODY,
                                      extra_groups=[]))
        mine = got[inode(one)]
        tap.is_([mine[key] for key in ("filter_length", "uid", "local_port")],
                [None, NOBODY, 9], "root of another user namespace")
        with Client(lab.right) as client:
            tap.is_(client.send(K.CMD_DGRAM_GET, flags=genl.DUMP) != [], True,
                    "the module answers root")
    with subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--net", *show],
            stdout=subprocess.PIPE, text=True) as empty:
        found = json.load(empty.stdout)
    tap.is_(found[0]["datagram_sockets"], [], "a network of one's own: none")


@tap.case
def without_the_module():
    module.unload()
    done = lab.right.run(tool.KRAW, "-j", "show", "proto", "253")
    tap.is_(json.loads(done.stdout)[0]["datagram_sockets"], None, "unknown")
    tap.has(done.stderr, "datagram sockets", "a note")
    module.load()


tap.run()
