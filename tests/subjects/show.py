#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
`kraw show` names everybody who receives a protocol: handlers, raw sockets with
all that there is to say of each, the processes and threads that hold them,
packet sockets, who does multicast routing; in one namespace or in all.  It
works without the module, without root, without sock_diag and without /proc, and
says then what is missing and why.
"""
import ctypes
import itertools
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, packet, sock, tap, tool, traced
from krawtest.client import Client, K, genl
from krawtest.manage import managed
from krawtest.netns import Lab
from krawtest.who import token

NOBODY = 65534
SOL_RAW, ICMP_FILTER, ICMP6_FILTER = 255, 1, 1
MRT_INIT = 200
CLONE_FILES = 0x400
LEVEL = {4: socket.IPPROTO_IP, 6: socket.IPPROTO_IPV6}
NAME = {4: "ipv4", 6: "ipv6"}
ME = os.getpid()
_libc = ctypes.CDLL(None, use_errno=True)

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
lab.right.ip("link add v0 type vrf table 7", "link set v0 up")


def inode(one):
    """Of a socket."""
    return os.fstat(one.fileno()).st_ino


def rows(words="show", namespace=lab.right):
    """The rows by protocol number; what is no protocol's has None."""
    found = tool.ask(words, namespace)
    return {row["proto"]: row for row in found}


def sockets(proto, namespace=lab.right):
    """The raw sockets of one protocol, by inode."""
    return {one["inode"]: one
            for one in rows("show proto %d" % proto, namespace)[proto]["sockets"]}


def raw(family, proto, namespace=lab.right, **how):
    """A raw socket for a `with`."""
    made = sock.Reader(proto, family, namespace, **how)
    made.proto = proto
    return made


def process(one, **more):
    """How our own descriptor of a socket is shown."""
    return {"name": name_of("self"), "pid": ME, "fd": one.fileno(), **more}


def name_of(task):
    with open("/proc/%s/comm" % task) as file:
        return file.read().strip()


def alone(words, **options):
    """kraw in right, in a process of its own that inherits no session."""
    return lab.right.run(tool.KRAW, *words, **options)


def parsed(done):
    """(rows by protocol, what is said on standard error)"""
    return {row["proto"]: row for row in json.loads(done.stdout)}, done.stderr


# --- rows --------------------------------------------------------------------

@tap.case
def handlers():
    found = rows()
    told = {one["family"]: one for one in found[6]["handlers"]}
    tap.is_((told["ipv4"]["symbol"], told["ipv4"]["module"],
             told["ipv4"]["no_policy"], told["ipv4"]["kraw"]),
            ("tcp_v4_rcv", None, True, False), "TCP: built in, no policy")
    tap.is_((told["ipv6"]["symbol"], told["ipv6"]["final"]),
            ("tcp_v6_rcv", True), "IPv6")
    tap.is_([one["family"] for one in found[2]["handlers"]], ["ipv4"],
            "IGMP: IPv4 only")
    tap.ok(253 not in found, "a number that nobody has is not there")
    one = rows("show proto 253")[253]
    tap.is_((one["handlers"], one["sockets"], one["managed"]),
            ([], [], False), "but if it is asked for")
    text = tool.kraw("-d show proto tcp", lab.right).out
    tap.has(text, "tcp_v4_rcv (built in, no IPsec policy)", "in words")
    if tool.modprobe("gre").status:
        tap.skip("a handler in a module", "no gre.ko")
        return
    one = rows("show proto gre")[47]["handlers"][0]
    tap.is_((one["symbol"], one["module"]), ("gre_rcv", "gre"), "a module's")
    tap.has(tool.kraw("show proto gre", lab.right).out, "gre_rcv [gre]",
            "in words")


@tap.case
def verdicts():
    with managed(253, lab.right, "claim plain deliver raw unreach never",
                 "src 10.0.0.0/8 deliver none", "hook output deny"):
        one = rows()[253]
        tap.is_({key: one[key] for key in ("managed", "families", "deliver",
                                           "claim", "unreach", "rules")},
                {"managed": True, "families": ["ipv4", "ipv6"],
                 "deliver": "raw", "claim": "plain", "unreach": "never",
                 "rules": 2}, "what is in force")
        tap.is_([(h["kraw"], h["claimed_here"]) for h in one["handlers"]],
                [(True, True)] * 2, "claimed here")
        there = rows(namespace=lab.other)[253]
        tap.is_([(h["kraw"], h["claimed_here"]) for h in there["handlers"]],
                [(True, False)] * 2, "and not there")
        tap.has(tool.kraw("show proto 253", lab.right).out,
                "kraw (claimed here)", "in words")
        tap.has(tool.kraw("show proto 253", lab.other).out,
                "kraw (claimed by another namespace)", "in words, there")


# --- raw sockets -------------------------------------------------------------

ADDR, PEER = lab.r0.addr, lab.l0.addr


@tap.each(4, 6)
def bare(family):
    with raw(family, 253) as one:
        got = sockets(253)
        tap.is_(list(got), [inode(one)], "is there")
        got = got[inode(one)]
        limit = one.sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        tap.is_(got, {
            "netns": "right", "proto": 253, "family": NAME[family],
            "local": None, "peer": None, "dev": None, "vrf": False,
            "hdrincl": False, "filter_length": 0, "filter_kind": None,
            "filter_refuses_all": False, "multicast_routing": False,
            "receive_queue": 0, "receive_limit": limit, "drops": 0,
            "unread": None, "uid": 0, "user": "root", "inode": inode(one),
            "processes": [process(one)]}, "all that there is to say")
        tap.is_(sockets(253, lab.other), {}, "not in another namespace")
    tap.is_(sockets(253), {}, "gone")


@tap.each(4, 6)
def everything_set(family):
    hdrincl = {4: 3, 6: 36}[family]
    with raw(family, 253, bind=ADDR[family], device="r0") as one, \
            raw(family, 253, device="v0") as in_vrf, \
            raw(family, 253, connect=PEER[family], rcvbuf=8192) as third:
        one.sock.setsockopt(LEVEL[family], hdrincl, 1)
        one.filter(sock.ACCEPT * 3)
        third.filter(sock.REJECT)
        os.fchown(one.fileno(), 77777, 0)
        os.fchown(third.fileno(), NOBODY, 0)
        got = sockets(253)
        mine = got[inode(one)]
        tap.is_([mine[key] for key in ("local", "dev", "vrf", "hdrincl",
                                       "filter_length", "filter_kind",
                                       "filter_refuses_all", "uid", "user")],
                [ADDR[family], "r0", False, True, 3, "classic", False, 77777,
                 None], "bound, with its own header and a filter")
        mine = got[inode(in_vrf)]
        tap.is_([mine[key] for key in ("dev", "vrf", "hdrincl")],
                ["v0", True, False], "bound to a VRF")
        mine = got[inode(third)]
        tap.is_([mine[key] for key in ("peer", "receive_limit", "user",
                                       "filter_refuses_all")],
                [PEER[family], 16384, "nobody", True],
                "connected, with a filter that refuses all")
        if family == 4:
            lines = tool.kraw("show proto 253", lab.right).out.splitlines()
            line, = (one for one in lines if "77777" in one)
            tap.has(line, "hdrincl, filter 3", "in words")
            tap.ok(any("v0 (VRF)" in one for one in lines), "the VRF, too")
            tap.ok(any("send-only: its filter refuses all" in one
                       for one in lines), "and what only sends")


@tap.each(4, 6)
def ebpf(family):
    fd = sock.ebpf()
    if fd < 0:
        raise tap.Skip("no eBPF")
    with raw(family, 253) as one:
        one.sock.setsockopt(socket.SOL_SOCKET, 50, fd)	# SO_ATTACH_BPF
        mine = sockets(253)[inode(one)]
        tap.is_((mine["filter_kind"], mine["filter_refuses_all"]),
                ("ebpf", False), "an eBPF filter")
        tap.ok(mine["filter_length"] > 0, "and its length")
    os.close(fd)


@tap.case
def icmp_filter():
    with raw(4, 1) as one, raw(4, 1) as other, raw(6, 58) as six:
        got = sockets(1)
        tap.is_(got[inode(one)]["icmp_filter"], {"refuses": []}, "none set")
        one.sock.setsockopt(SOL_RAW, ICMP_FILTER,
                            struct.pack("=I", 1 << 8 | 1 << 13))
        other.sock.setsockopt(SOL_RAW, ICMP_FILTER,
                              struct.pack("=I", 0xffffffff ^ 1 << 11))
        six.sock.setsockopt(socket.IPPROTO_ICMPV6, ICMP6_FILTER, struct.pack(
            "=8I", *[0xffffffff] * 4, 0xffffffff ^ 1 << 1 ^ 1 << 8,
            *[0xffffffff] * 3))
        got = {**sockets(1), **sockets(58)}
        tap.is_([got[inode(it)]["icmp_filter"] for it in (one, other, six)],
                [{"refuses": [8, 13]}, {"passes": [11]},
                 {"passes": [129, 136]}], "decoded")
        text = tool.kraw("show proto icmp", lab.right).out
        tap.has(text, "refuses echo-request,timestamp-request", "in words")
        tap.has(text, "passes only time-exceeded", "the shorter list of two")
        tap.has(tool.kraw("show proto 58", lab.right).out,
                "passes only echo-reply,nd-neighbor-advert", "ICMPv6")


@tap.each(4, 6)
def many(family):
    """More than the 32 KiB of a message, in one list of the kernel's; and others."""
    mine = [raw(family, 253) for _ in range(750)]
    mine += [raw(family, proto) for proto in range(240, 250)]
    mine += [raw(family, 254), raw(10 - family, 253), raw(10 - family, 254)]
    foreign = raw(family, 253, lab.other)
    try:
        with Client(lab.right) as client:
            told = client.sockets()
            tap.is_(len(client.send(K.CMD_SOCKET_GET, flags=genl.DUMP)),
                    len(told), "the module tells of each once")
        tap.is_({inode(one) for one in mine} - set(told), set(), "and of all")
        tap.ok(inode(foreign) not in told, "but of no other namespace's")
        got = sockets(253)
        tap.is_(set(got), {inode(one) for one in mine if one.proto == 253},
                "show has them all")
        tap.ok(all(one["filter_length"] == 0 and len(one["processes"]) == 1
                   for one in got.values()), "with all that there is")
    finally:
        for one in mine + [foreign]:
            one.close()


# --- queues ------------------------------------------------------------------

class Source:
    """Sends packets of 253 from left to right."""
    def __init__(self, family):
        self._sender = sock.Sender(family, lab.left)
        self._packet = packet.ip(PEER[family], ADDR[family], 253,
                                 token() + bytes(400))

    def send(self, count=1):
        for _ in range(count):
            self._sender.send(self._packet)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._sender.close()


def queue(one):
    """Bytes in the receive queue, as the kernel counts them."""
    memory = one.sock.getsockopt(socket.SOL_SOCKET, 55, 36)	# SO_MEMINFO
    return struct.unpack("=9I", memory)[0]


def watched(sleeps):
    """Rows of a kraw that does something each time before it sleeps."""
    done = traced.run([tool.KRAW, "-j", "show", "proto", "253"], lab.right,
                      sleeps=sleeps)
    return {one["inode"]: one for one in
            json.loads(done.out)[0]["sockets"]}


@tap.each(4, 6)
def full_queue(family):
    with raw(family, 253, rcvbuf=8192) as one, raw(family, 253) as other, \
            raw(family, 253) as third, Source(family) as source:
        third.filter(sock.REJECT)
        source.send(100)
        clock.wait_until(lambda: queue(one) > 8192)
        got = sockets(253)
        mine = got[inode(one)]
        tap.is_((mine["unread"], mine["receive_queue"]),
                ("half full", queue(one)), "over half full is marked")
        tap.ok(mine["drops"], "and its drops are there")
        tap.is_(got[inode(other)]["drops"], 0, "a larger one has none")
        tap.has(tool.kraw("show proto 253", lab.right).out,
                "nobody reads: over half full", "in words")
        one.drain()
        other.drain()
        got = sockets(253)
        tap.is_([got[inode(it)]["unread"] for it in (one, other, third)],
                [None] * 3, "empty ones are not")


@tap.each(4, 6)
def growing_queue(family):
    with raw(family, 253) as one, raw(family, 253) as read, \
            raw(family, 253) as still, Source(family) as source:
        source.send(5)
        clock.wait_until(lambda: queue(one))
        still.filter(sock.REJECT)

        times = itertools.count()

        def more():
            if not next(times):
                read.drain()
            source.send(2)
        got = watched(more)
        tap.is_(got[inode(one)]["unread"], "grows", "one that only grows")
        tap.is_(got[inode(read)]["unread"], None, "one that is read now and then")
        tap.is_(got[inode(still)]["unread"], None, "one that stays as it is")


# --- processes ---------------------------------------------------------------

def child(act):
    """A process that has called act() and waits for its end."""
    ready, tell = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            act()
            os.write(tell, b"x")
            signal.pause()
        finally:
            os._exit(1)
    os.close(tell)
    os.read(ready, 1)
    os.close(ready)
    return pid


def end(pid):
    """End it, and be sure that it has ended."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@tap.each(4, 6)
def shared_socket(family):
    with raw(family, 253) as one:
        pid = child(lambda: None)
        got = sockets(253)[inode(one)]["processes"]
        tap.is_(sorted((p["pid"], p["fd"]) for p in got),
                sorted([(ME, one.fileno()), (pid, one.fileno())]),
                "both processes")
        copy = os.dup(one.fileno())
        got = sockets(253)[inode(one)]["processes"]
        tap.is_(len([p for p in got if p["pid"] == ME]), 2,
                "a second descriptor")
        os.close(copy)
        end(pid)
        tap.is_(sockets(253)[inode(one)]["processes"], [process(one)],
                "one is left")


@tap.case
def descriptors_of_a_thread():
    """A thread with descriptors of its own, and one that shares ours."""
    made, over, found = threading.Event(), threading.Event(), {}

    def own():
        if _libc.unshare(CLONE_FILES):
            found["error"] = os.strerror(ctypes.get_errno())
        found["tid"] = threading.get_native_id()
        with open("/proc/thread-self/comm", "w") as file:
            file.write("worker")
        found["sock"] = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253)
        found["fd"] = found["sock"].fileno()
        found["inode"] = inode(found["sock"])
        made.set()
        over.wait()
        found["sock"].close()

    with raw(4, 253) as one, lab.right:
        threads = [threading.Thread(target=own),
                   threading.Thread(target=over.wait)]
        for thread in threads:
            thread.start()
        made.wait()
        got = sockets(253)
        tap.is_(got[found["inode"]]["processes"],
                [{"name": "worker", "pid": ME, "thread": found["tid"],
                  "fd": found["fd"]}], "the thread")
        tap.is_(got[inode(one)]["processes"], [process(one)],
                "what it shares is shown once")
        tap.has(tool.kraw("show proto 253", lab.right).out,
                "worker pid %d thread %d fd %d" %
                (ME, found["tid"], found["fd"]), "in words")
        over.set()
        for thread in threads:
            thread.join()


@tap.each(4, 6)
def a_process_that_dies(family):
    """Between the look at the sockets and the look into /proc."""
    kraw = [tool.KRAW, "-j", "show", "proto", "253"]
    inodes = []

    def act():
        one = raw(family, 253)
        with lab.right:
            two = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                socket.htons(3))
        os.write(tell, b"%d %d" % (inode(one), inode(two)))
        inodes.append((one, two))
    with raw(family, 253) as one:
        seen, tell = os.pipe()
        pid = child(act)
        gone = [int(word) for word in os.read(seen, 64).split()]
        done = traced.run(kraw, lab.right, {"/proc": lambda: end(pid)})
        tap.is_((done.status, done.err), (0, ""), "nothing is wrong")
        got = json.loads(done.out)
        tap.is_([s["inode"] for s in got[0]["sockets"]], [inode(one)],
                "its raw socket is not shown")
        tap.ok(gone[0] != inode(one) and not any(
            s["inode"] == gone[1] for row in got
            for s in row.get("packet_sockets", [])), "nor its packet socket")
        # one of two that share a socket
        pid = child(lambda: None)
        done = traced.run(kraw, lab.right, {"/proc": lambda: end(pid)})
        tap.is_(json.loads(done.out)[0]["sockets"][0]["processes"],
                [process(one)], "the other one of two that shared it is")
        os.close(seen)
        os.close(tell)


@tap.case
def container():
    """A process of another process namespace, from outside and from inside."""
    with raw(4, 253) as one:
        done = lab.right.run("unshare", "--pid", "--fork", "--mount-proc",
                             tool.KRAW, "-j", "show", "proto", "253")
        got, told = parsed(done)
        mine, = got[253]["sockets"]
        tap.is_((mine["inode"], mine["processes"], told),
                (inode(one), [], ""), "ours, from inside: nobody to be seen")
        done = lab.right.run("unshare", "--pid", "--fork", "--mount-proc",
                             tool.KRAW, "show", "proto", "253")
        tap.has(done.stdout, "no process to be seen from here", "in words")
    script = ("import socket,sys,os; s=socket.socket(2,3,253); print(os.getpid(),"
              "flush=True); sys.stdin.read()")
    with lab.right:
        inside = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--mount-proc", sys.executable,
             "-S", "-E", "-c", script], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
    tap.is_(inside.stdout.readline(), "1\n", "a process that is number 1")
    mine, = sockets(253).values()
    tap.is_([p["name"][:6] for p in mine["processes"]], ["python"],
            "theirs, from outside")
    tap.ok(mine["processes"][0]["pid"] > 1, "by our number", mine)
    inside.communicate("")


# --- packet sockets ----------------------------------------------------------

@tap.case
def packet_sockets():
    def of(namespace=lab.right, words="show proto 253"):
        row = rows(words, namespace).get(None, {"packet_sockets": []})
        return {one["inode"]: one for one in row["packet_sockets"]}
    before = set(of())
    kinds = [(socket.SOCK_RAW, 3, "raw", "all"),
             (socket.SOCK_DGRAM, 0x0800, "dgram", "ipv4"),
             (socket.SOCK_RAW, 0x86dd, "raw", "ipv6"),
             (socket.SOCK_RAW, 0x0806, None, None), (socket.SOCK_RAW, 0, None,
                                                     None)]
    with lab.right:
        mine = [socket.socket(socket.AF_PACKET, kind, socket.htons(proto))
                for kind, proto, _, _ in kinds]
    mine[0].bind(("r0", 3))
    sock.attach_filter(mine[0], sock.ACCEPT * 2)
    fd = sock.ebpf()
    if fd >= 0:
        mine[1].setsockopt(socket.SOL_SOCKET, 50, fd)
    got = of()
    tap.is_(set(got) - before, {inode(one) for one in mine[:3]},
            "those that see IP packets, and no others")
    tap.is_([(got[inode(one)]["type"], got[inode(one)]["protocol"])
             for one in mine[:3]], [kind[2:] for kind in kinds[:3]],
            "type and protocol")
    first = got[inode(mine[0])]
    tap.is_([first[key] for key in ("dev", "filter_length", "filter_kind",
                                    "user", "processes")],
            ["r0", 2, "classic", "root", [process(mine[0])]],
            "device, filter, process")
    tap.is_(got[inode(mine[1])]["filter_kind"], "ebpf" if fd >= 0 else None,
            "an eBPF filter")
    tap.is_([got[inode(mine[2])][key] for key in ("dev", "filter_length")],
            [None, 0], "neither device nor filter")
    text = tool.kraw("show proto 253", lab.right).out
    tap.has(text, "Packet sockets, which get copies too", "in words")
    tap.is_(set(of(lab.other)) & set(got), set(), "not in another namespace")
    for one in mine:
        one.close()
    if fd >= 0:
        os.close(fd)


# --- multicast routing -------------------------------------------------------

@tap.each(4, 6)
def multicast_routing(family):
    proto = {4: 2, 6: 58}[family]

    def roles(number=proto):
        return rows("show proto %d" % number)[number]["multicast_routing"]
    if not os.path.exists("/proc/net/" + {4: "ip_mr_vif",
                                          6: "ip6_mr_vif"}[family]):
        raise tap.Skip("this kernel does not route multicast")
    tap.is_((roles(), roles(103)), ([], []), "nobody has the role")
    with raw(family, proto) as one, raw(family, proto) as other:
        tap.is_(roles(), [], "a raw socket alone does not")
        one.sock.setsockopt(LEVEL[family], MRT_INIT, 1)
        try:
            other.sock.setsockopt(LEVEL[family], MRT_INIT, 1)
            tap.ok(False, "a second one is refused")
        except OSError as error:
            tap.is_(error.strerror, "Address already in use",
                    "a second one is refused")
        role, = roles()
        tap.is_({key: role[key] for key in ("family", "inode", "certain",
                                            "processes")},
                {"family": NAME[family], "inode": inode(one), "certain": True,
                 "processes": [process(one)]}, "who has it")
        tap.is_([r["inode"] for r in roles(103)], [inode(one)],
                "PIM's is the same")
        got = sockets(proto)
        tap.is_([got[inode(it)]["multicast_routing"] for it in (one, other)],
                [True, False], "the socket says so, too")
        text = tool.kraw("show proto %d" % proto, lab.right).out
        tap.has(text, "Multicast routing:", "in words")
        tap.has(text, "certain: the kernel's table names the socket", "how sure")
        tap.is_(rows("show proto 103", lab.other)[103]["multicast_routing"],
                [], "not in another namespace")
        module.unload()
        got, _ = parsed(alone(["-j", "show", "proto", str(proto)]))
        tap.is_({(r["inode"], r["certain"])
                 for r in got[proto]["multicast_routing"]},
                {(inode(one), False), (inode(other), False)},
                "without the module: one of the two")
        other.close()
        got, _ = parsed(alone(["-j", "show", "proto", str(proto)]))
        role, = got[proto]["multicast_routing"]
        tap.is_((role["inode"], role["certain"]), (inode(one), True),
                "without the module: sure, if only one can be it")
        module.load()
    tap.is_(roles(), [], "given back")


# --- namespaces --------------------------------------------------------------

@tap.case
def all_namespaces():
    with lab.right:
        hidden = subprocess.Popen(
            ["unshare", "--net", sys.executable, "-S", "-E", "-c",
             "import socket,sys; s=socket.socket(2,3,252);"
             "print(1,flush=True); sys.stdin.read()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    hidden.stdout.readline()
    with managed(253, lab.other, "deliver none"), raw(4, 252) as one, \
            raw(6, 252, lab.other) as two:
        got = json.loads(tool.do_alone(["-j", "-all-netns", "show", "proto",
                                        "252"]))
        found = {row["netns"]: [s["inode"] for s in row["sockets"]]
                 for row in got if row["proto"] == 252}
        path = "/proc/%d/ns/net" % hidden.pid
        tap.is_({name: found.get(name) for name in ("left", "right", "other")},
                {"left": [], "right": [inode(one)], "other": [inode(two)]},
                "those with a name")
        tap.is_(len(found.get(path, [])), 1, "and one without", )
        tap.is_(len(found), 5, "and ours")
        sure = json.loads(tool.do_alone(["-j", "-n", path, "show", "proto",
                                         "252"]))
        tap.is_(len(sure[0]["sockets"]), 1, "its path is for -n")
        got = json.loads(tool.do_alone(["-j", "--all-netns", "show"], lab.left))
        tap.is_([(row["netns"], row["deliver"]) for row in got
                 if row["proto"] == 253], [("other", "none")],
                "each with its own configuration")
        tap.is_(len({row["netns"] for row in got}), 5, "the same from elsewhere")
        text = tool.do_alone(["-all-netns", "show", "proto", "252"])
        tap.has(text, "NETNS", "a column of its own")
        done = tool.kraw(["-j", "-all-netns", "-b", "-"], lab.right,
                         stdin="show proto 252\nshow proto 252\n")
        tap.is_([json.loads(line)[0]["netns"]
                 for line in done.out.splitlines()], ["right"] * 2,
                "a batch goes on where it was: ours comes first")
        done = tool.kraw("-all-netns proto add 251", lab.right)
        tap.is_((done.status, done.err.count("\n")), (1, 1),
                "no other command takes it")
    hidden.communicate("")


# --- less and less -----------------------------------------------------------

def as_user(words, **options):
    """kraw in right as an ordinary user."""
    return lab.right.run(tool.KRAW, *words, user=NOBODY, group=NOBODY,
                         extra_groups=[], **options)


def queue_limit():
    """What a socket's queue takes if nobody says otherwise."""
    with open("/proc/sys/net/core/rmem_default") as file:
        return int(file.read())


@tap.case
def ordinary_user():
    with raw(4, 253) as one:
        one.filter(sock.ACCEPT)
        got, told = parsed(as_user(["-j", "show"]))
        mine, = got[253]["sockets"]
        tap.is_([mine[key] for key in ("hdrincl", "receive_limit", "dev",
                                       "filter_length", "processes",
                                       "multicast_routing")],
                [False, queue_limit(), None, None, None, None],
                "sees the socket, not its owner and not its filter")
        tap.is_(got[6]["handlers"][0]["symbol"], "tcp_v4_rcv", "and handlers")
        tap.has(told, "filters of raw sockets are unknown: it needs "
                "CAP_NET_ADMIN", "a note")
        tap.has(told, "sockets whose owner is unknown: ", "and one on owners")
        tap.has(as_user(["show"]).stdout, "owner unknown (needs root)",
                "in words")
        done = as_user(["-j", "-all-netns", "show"])
        tap.is_({row["netns"] for row in json.loads(done.stdout)}, {"right"},
                "only this namespace")
        tap.has(done.stderr, "cannot be entered", "and is told why")


@tap.case
def without_the_module():
    module.unload()
    with raw(6, 253) as one:
        got, told = parsed(alone(["-j", "show"]))
        tap.is_({row: got[row]["managed"] for row in got if row}, {253: None},
                "only what has a socket")
        mine, = got[253]["sockets"]
        tap.is_([mine[key] for key in ("hdrincl", "filter_length",
                                       "processes")],
                [False, None, [process(one)]], "what is known of it")
        tap.has(told, "kraw.ko is not loaded: ", "a note")
        tap.is_(told.count("\n"), 1, "and no other")
        text = alone(["show"]).stdout
        tap.has(text, "filter ?", "what is unknown is shown as that")
        got, _ = parsed(as_user(["-j", "show"]))
        tap.is_(got[253]["sockets"][0]["processes"], None, "nor root")
    module.load()


def in_other_proc(mount, *words, user=False):
    """kraw where /proc is something else."""
    drop = ("setpriv --reuid %d --regid %d --clear-groups " % (NOBODY, NOBODY)
            if user else "")
    return lab.right.run("unshare", "-m", "sh", "-c", "%s && exec %s%s %s" %
                         (mount, drop, tool.KRAW, " ".join(words)))


@tap.case
def without_proc():
    with raw(4, 253) as one:
        got, told = parsed(in_other_proc("mount -t tmpfs none /proc", "-j",
                                         "show"))
        mine, = got[253]["sockets"]
        tap.is_((mine["inode"], mine["processes"]), (inode(one), None),
                "the socket, without its owner")
        tap.has(told, "there is no /proc here", "a note")
        text = in_other_proc("mount -t tmpfs none /proc", "show").stdout
        tap.has(text, "owner unknown (no /proc)", "in words")
        done = in_other_proc("mount -t tmpfs none /proc", "-all-netns", "show")
        tap.is_(done.returncode, 0, "all namespaces: what there is")
        hide = "mount -t proc -o hidepid=2 proc /proc"
        got, told = parsed(in_other_proc(hide, "-j", "show", user=True))
        tap.is_(got[253]["sockets"][0]["processes"], None, "hidepid")
        tap.has(told, "hidepid", "a note, there as well")
        got, told = parsed(in_other_proc(hide, "-j", "show"))
        tap.is_((got[253]["sockets"][0]["processes"], told),
                ([process(one)], ""), "which is nothing to root")
        hide = "mount -t proc -o hidepid=1 proc /proc"
        got, told = parsed(in_other_proc(hide, "-j", "show", user=True))
        tap.is_(got[253]["sockets"][0]["processes"], None, "the milder one")
        tap.has(told, "hidepid", "a note")


@tap.case
def without_sock_diag():
    """Nothing to ask, and nothing that the kernel could load for us."""
    helper = "/proc/sys/kernel/modprobe"
    with open(helper) as file:
        before = file.read().strip()
    tool.hang_up()
    for name in ("raw_diag", "af_packet_diag"):
        if tool.loaded(name):
            tool.command("rmmod", name)
    with open(helper, "w") as file:
        file.write("/bin/false\n")
    try:
        with raw(4, 253, bind=ADDR[4]) as one, raw(6, 253, device="r0") as six:
            with lab.right:
                sees = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                     socket.htons(3))
            one.sock.setsockopt(socket.IPPROTO_IP, 3, 1)
            got, told = parsed(alone(["-j", "show"]))
            if "raw_diag" not in told:
                raise tap.Skip("sock_diag is built in")
            mine, other = got[253]["sockets"]
            tap.is_((mine["local"], mine["processes"], other["processes"]),
                    (ADDR[4], [process(one)], [process(six)]),
                    "the sockets are there")
            tap.ok("dev" not in other and other["receive_limit"] is None,
                   "what /proc/net/raw does not say is unknown", other)
            tap.is_((mine["hdrincl"], mine["filter_length"]), (True, 0),
                    "what the module says is known")
            tap.is_([s["processes"] for s in got[None]["packet_sockets"]
                     if s["inode"] == inode(sees)], [[process(sees)]],
                    "and the packet socket")
            tap.has(told, "the kernel has no raw_diag", "a note")
            tap.has(told, "the kernel has no packet_diag", "and another")
            sees.close()
            done = in_other_proc("mount -t tmpfs none /proc", "show")
            tap.is_((done.returncode, done.stdout), (2, ""),
                    "without /proc as well: nothing to be said")
            tap.is_(done.stderr.count("\n"), 1, "in one line")
            tap.has(done.stderr, "neither sock_diag nor /proc/net/raw", "why")
    finally:
        with open(helper, "w") as file:
            file.write(before + "\n")


# --- bad input ---------------------------------------------------------------

@tap.each("show proto nosuch", "show proto 256", "show proto", "show nosuch",
          "show proto 253 254", "-n nosuchns show", "-all-netns=yes show")
def bad_input(words):
    done = tool.kraw(words, lab.right if "-n" not in words else None)
    tap.is_((done.status, done.out), (1, ""), "status")
    tap.is_(done.err.count("\n"), 1, "one line")


tap.run()
