#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Datagram sockets that open, get an address, lose it and close, as listeners are
told: by netlink and by kraw monitor; in order, with the process; who may listen,
and in which namespace; what it costs when nobody does; and by which number a
process is named in pid namespaces.
"""
import ctypes
import errno
import json
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, ftrace, tap, tool
from krawtest.client import Client, K, proto, read
from krawtest.dgram import Dgram, user
from krawtest.live import Live
from krawtest.manage import managed
from krawtest.netns import Lab

PROTO = 253
COUNT = 10000 if clock.SLOW == 1 else 1000
EXCLUSIVE = (PROTO, 0x6b01, 1)		# KRAW_EXCLUSIVEADDRUSE
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
ANY = {4: "0.0.0.0", 6: "::"}

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
libc = ctypes.CDLL(None, use_errno=True)
with open("/proc/self/comm") as comm:
    ME = {"pid": os.getpid(), "comm": comm.read().strip()}
KIND = {value: name[len("EVENT_KIND_"):].lower() for name, value in
        vars(K).items() if name.startswith("EVENT_KIND_")}


class Listener(Client):
    """A member of a multicast group."""
    def __init__(self, namespace=None, group="sockets", rcvbuf=None):
        super().__init__(namespace)
        if rcvbuf:
            self.nl.sock.setsockopt(socket.SOL_SOCKET, 33, rcvbuf)
        try:
            self.nl.join(self.family.groups[group])
        except BaseException:
            self.close()
            raise

    def messages(self):
        """What has come: (command, message), None where some were lost."""
        out = []
        self.nl.sock.setblocking(False)
        while True:
            try:
                data = self.nl.sock.recv(1 << 16)
            except BlockingIOError:
                return out
            except OSError as err:
                if err.errno != errno.ENOBUFS:
                    raise
                out.append(None)
                continue
            size, command = struct.unpack_from("=I12xB", data)
            out.append((command, read(data[20:size])))

    def events(self):
        """Those of sockets: (kind, attributes), without what is always so."""
        out = []
        for command, message in self.messages():
            if command != K.CMD_SOCKET_EVENT:
                raise ValueError("command %d" % command)
            event = message["event"]
            out.append((KIND[event.pop("kind")], event, message))
        return out


def inode(one):
    """Of a socket."""
    return os.fstat(one.fileno()).st_ino


def packed(family, text):
    """An address as it is in a message."""
    return socket.inet_pton({4: socket.AF_INET, 6: socket.AF_INET6}[family],
                            text)


@tap.each(4, 6)
def a_life(family):
    """Each step, with everything that is told of it."""
    mine, theirs = lab.r0.addr[family], lab.l0.addr[family]
    for claim, port in (("ports", 7000), ("plain", 0)):
        with managed(PROTO, lab.right, "claim %s users all" % claim), \
                Listener(lab.right) as listener:
            one = Dgram(family, lab.right, bind=mine, port=port,
                        options=[EXCLUSIVE], owner=1000)
            number = inode(one)
            one.sock.connect((theirs, 9 if port else 0))
            one.close()
            base = {"proto": PROTO, "uid": 1000, "inode": number,
                    "claim": getattr(K, "CLAIM_" + claim.upper()),
                    "family": {4: K.FAMILY_IPV4, 6: K.FAMILY_IPV6}[family]}
            local = {**base, "exclusive": True, "local": packed(family, mine)}
            peer = {**local, "peer": packed(family, theirs)}
            if port:
                local["local_port"] = peer["local_port"] = port
                peer["peer_port"] = 9
            got = listener.events()
            tap.is_([(kind, event) for kind, event, _ in got],
                    [("open", base), ("bind", local), ("bind", peer),
                     ("close", peer)], claim)
            tap.is_([(message["pid"], message["comm"]) for *_, message in got],
                    [(ME["pid"], ME["comm"])] * 4, claim + ": who")


@tap.each(4, 6)
def unbound_again(family):
    """connect() gives an address and dissolving it takes it away; sending."""
    with managed(PROTO, lab.right, "claim ports"), \
            Listener(lab.right) as listener:
        one = Dgram(family, lab.right)
        one.sock.connect((lab.l0.addr[family], 5))
        libc.connect(one.fileno(), struct.pack("=HHQ", 0, 0, 0), 16)
        one.send(b"x", lab.l0.addr[family], 5)
        port = one.sock.getsockname()[1]
        one.close()
        got = [(kind, event.get("local_port"), "peer" in event)
               for kind, event, _ in listener.events()]
        first = got[1][1]
        tap.is_(got, [("open", None, False), ("bind", first, False),
                      ("bind", first, True), ("unbind", first, True),
                      ("bind", port, False), ("close", port, False)],
                "in this order")
        tap.ok(first and port, "with the ports that were chosen")


@tap.each(4, 6)
def in_order(family):
    """Who takes an address that is given up is told of after that; a refusal."""
    how = {"bind": lab.r0.addr[family], "port": 4}
    with managed(PROTO, lab.right, "claim ports"), \
            Listener(lab.right) as listener:
        one = Dgram(family, lab.right, **how)
        try:
            Dgram(family, lab.right, **how).close()
        except OSError as err:
            tap.is_(err.errno, errno.EADDRINUSE, "it is taken")
        one.close()
        Dgram(family, lab.right, **how).close()
        tap.is_([(kind, "local" in event) for kind, event, _ in
                 listener.events()],
                [("open", False), ("bind", True), ("open", False),
                 ("close", False), ("close", True), ("open", False),
                 ("bind", True), ("close", True)], "told")


@tap.case
def by_force():
    """The claim goes: a close each, by who did it, and none later."""
    tool.do("proto add 253 claim ports", lab.right)
    socks = [Dgram(4, lab.right, bind=ANY[4], port=3), Dgram(6, lab.right)]
    with Listener(lab.right) as listener, Client(lab.right) as client:
        client.send(K.CMD_PROTO_DEL, proto(PROTO),
                    struct.pack("=HHI", 8, K.A_FLAGS, K.FLAG_FORCE))
        got = listener.events()
        tap.is_([(kind, event["inode"], event.get("local_port"),
                  message["pid"]) for kind, event, message in got],
                [("close", inode(socks[0]), 3, ME["pid"]),
                 ("close", inode(socks[1]), None, ME["pid"])], "closed")
        for one in socks:
            one.close()
        tap.is_(listener.events(), [], "the files go silently")


@tap.case
def who_may_listen():
    """Changes everybody, sockets who has CAP_NET_ADMIN over the namespace."""
    def join(group, uid=None):
        try:
            with lab.right, user(uid):
                Listener(None, group).close()
        except PermissionError:
            return "EPERM"
        return None
    tap.is_((join("config", 1000), join("sockets", 1000)), (None, "EPERM"),
            "without privilege")
    tap.is_(join("sockets"), None, "root")
    read_end, write_end = os.pipe()
    pid = os.fork()
    if not pid:
        word = b"?"
        try:
            with lab.right:
                libc.unshare(CLONE_NEWUSER)
                try:
                    Listener().close()
                except PermissionError:
                    word = b"EPERM"
        finally:
            os.write(write_end, word)
            os._exit(0)
    os.close(write_end)
    os.waitpid(pid, 0)
    tap.is_(os.read(read_end, 100), b"EPERM",
            "root of a user namespace that does not own this one")
    os.close(read_end)


@tap.case
def only_of_this_namespace():
    with managed(PROTO, lab.right, "claim plain"), \
            managed(PROTO, lab.other, "claim plain"), \
            Listener(lab.right) as here, Listener(lab.other) as there, \
            Listener(lab.right, "config") as changes:
        Dgram(4, lab.right).close()
        Dgram(6, lab.other).close()
        Dgram(6, lab.other).close()
        tap.is_((len(here.events()), len(there.events())), (2, 4),
                "each its own")
        tap.is_(changes.messages(), [], "changes are something else")


@tap.case
def nobody_listens():
    """No message is made."""
    if not ftrace.available():
        raise tap.Skip("no kprobe events")
    count = ftrace.Count("kraw_message_doer_size")
    try:
        with managed(PROTO, lab.right, "claim ports"):
            for _ in range(100):
                Dgram(4, lab.right, bind=ANY[4], port=1).close()
            tap.is_(count.read(), 0, "100 sockets")
            with Listener(lab.right):
                Dgram(4, lab.right, bind=ANY[4], port=1).close()
            tap.is_(count.read(), 3, "with a listener: one for each step")
    finally:
        count.close()


@tap.case
def many_opens():
    """A listener that does not read: bounded, told of it, changes come."""
    with managed(PROTO, lab.right, "claim plain"), \
            Listener(lab.right, rcvbuf=16384) as lazy, \
            Listener(lab.right, "config", rcvbuf=16384) as changes, \
            Client(lab.right) as client:
        with lab.right:
            for _ in range(COUNT):
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM,
                              PROTO).close()
        client.send(K.CMD_PROTO_SET, proto(PROTO, deliver="kernel"))
        got = lazy.messages()
        tap.ok(0 < len(got) < 200 and None in got,
               "%d opens: %d messages are held, loss is told" %
               (COUNT, len(got)))
        tap.is_([command for command, _ in changes.messages()],
                [K.CMD_PROTO_SET], "the changes are not pushed out")
        Dgram(4, lab.right).close()
        tap.is_([kind for kind, *_ in lazy.events()], ["open", "close"],
                "and it goes on")


def child(flags, work):
    """What work() returns in a process of new namespaces, by JSON."""
    read_end, write_end = os.pipe()
    outer = os.fork()
    if not outer:
        answer = None
        try:
            if libc.unshare(flags):
                raise OSError(ctypes.get_errno(), "unshare")
            inner = os.fork()
            if not inner:
                os.write(write_end, json.dumps(work()).encode())
                os._exit(0)
            os.waitpid(inner, 0)
            answer = inner
        except OSError as err:
            os.write(write_end, json.dumps(str(err)).encode())
        finally:
            os._exit(0 if answer else 1)
    os.close(write_end)
    with open(read_end) as file:
        text = file.read()
    os.waitpid(outer, 0)
    return json.loads(text) if text else None


@tap.case
def pid_namespaces():
    """All numbers of a process, each with its namespace."""
    mine = os.stat("/proc/self/ns/pid").st_ino
    with managed(PROTO, lab.right, "claim plain"), \
            Listener(lab.right) as listener, \
            Listener(lab.right, "config") as changes:
        def work():
            """Process 1 of its namespace."""
            Dgram(4, lab.right).close()
            with Client(lab.right) as client:
                client.send(K.CMD_PROTO_SET, proto(PROTO, deliver="kernel"))
            return [os.getpid(), os.readlink("/proc/thread-self/ns/net")]
        tap.is_(child(CLONE_NEWPID, work)[0], 1, "inside it is process 1")
        told = [message["pids"] for *_, message in listener.events()] + \
            [message["pids"] for _, message in changes.messages()]
        tap.is_(len(told), 3, "two events, a change")
        tap.ok(all(pids == told[0] for pids in told), "the same", told)
        inner = [number for where, number in told[0].items() if where != mine]
        tap.ok(inner == [1] and told[0][mine] > 1 and len(told[0]) == 2,
               "1 inside, and what we see", told)


@tap.case
def pid_namespaces_of_others():
    """A namespace's owner is not told numbers from outside of what he owns."""
    def work():
        """Root of a user namespace, with a network namespace of its own."""
        with Listener(None, "config") as changes, Client() as client:
            client.send(K.CMD_PROTO_ADD, proto(PROTO, deliver="raw"))
            (_, message), = [one for one in changes.messages()
                             if one and "proto" in one[1]]
        return {"pids": list(message["pids"].values()), "me": os.getpid()}
    got = child(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET, work)
    if isinstance(got, str):
        raise tap.Skip(got)
    tap.is_(got, {"pids": [1], "me": 1}, "its own number alone")


@tap.each(4, 6)
def the_tool(family):
    """Comments between commands, and JSON."""
    mine = lab.r0.addr[family]
    words = [tool.KRAW, "-n", "right"]
    text, as_json = Live(*words, "monitor"), Live(*words, "-j", "monitor")
    with managed(PROTO, lab.right, "claim ports"):
        one = Dgram(family, lab.right, bind=mine, port=8, options=[EXCLUSIVE],
                    owner=0)
        number = inode(one)
        one.close()
    head = "# socket %%s proto 253 claim ports family ipv%d " % family
    tail = "inode %d uid 0 by %s pid %d" % (number, ME["comm"], ME["pid"])
    address = "local %s port 8 exclusive " % mine
    tap.is_(text.lines(5)[1:4], [
        head % "open" + tail, head % "bind" + address + tail,
        head % "close" + address + tail], "lines")
    rows = [json.loads(line) for line in as_json.lines(5)]
    bound = {"proto": 253, "name": None, "claim": "ports",
             "family": "ipv%d" % family, "local": mine, "port": 8,
             "exclusive": True, "inode": number, "uid": 0,
             "by": {"name": ME["comm"], "pid": ME["pid"]}}
    tap.is_([row["event"] for row in rows],
            ["proto add", "socket open", "socket bind", "socket close",
             "proto del"], "JSON")
    tap.is_(rows[2:4], [{"event": "socket bind", **bound},
                        {"event": "socket close", **bound}], "with all keys")
    for running in (text, as_json):
        tap.is_(running.end(), (0, "", ""), "ends")


@tap.case
def the_tool_without_privilege():
    """Changes are shown; a note says that sockets are not."""
    with lab.right:
        monitor = Live("setpriv", "--reuid=65534", "--clear-groups", tool.KRAW,
                       "monitor")
    with managed(PROTO, lab.right, "claim plain"):
        Dgram(4, lab.right).close()
    lines = monitor.lines(2)
    tap.ok([line.split()[1:3] for line in lines] ==
           [["proto", "add"], ["proto", "del"]], "changes alone", lines)
    status, _, err = monitor.end()
    tap.is_((status, err), (0, "note: datagram sockets are not shown: that "
                               "needs CAP_NET_ADMIN in this network "
                               "namespace.\n"), "and a note")


@tap.case
def the_module_goes():
    with Listener(lab.right) as listener:
        tap.ok(module.unload(), "rmmod beside a listener")
        tap.is_(listener.events(), [], "which hears nothing more")


tap.run()
