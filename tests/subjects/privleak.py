#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
What others are told: no address of the kernel's, and nothing of a network namespace
that is not theirs.

A namespace is filled with things that can be recognised, a device, addresses, the
number of a process, texts and numbers of rules, and something happens there. Every
byte that others get meanwhile, by netlink, by sockets and from the tool, is searched
for these, and for what looks like an address. Whoever may know them is searched,
too: there they are found.
"""
import ctypes
import lzma
import os
import re
import shutil
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import packet, sock, system, tap, tool
from krawtest.client import Client, K, genl, proto, rule, u8, u32
from krawtest.client import packet as packet_nest
from krawtest.dgram import user
from krawtest.netns import Lab
from krawtest.people import Other

PROTO = 253
PLAIN = 254
HANDLED = 115			# L2TP's, by a module without names
OWNER = 0x1eafcafe
STRANGER = 1000
PID = 0x2ea5bd
SOURCE = {4: "198.18.171.205", 6: "2001:db8:dead:beef:cafe:f00d:1ea:f"}
NUMBERS = {"pref": 0x1eafc0de, "mark": 0x1eaf0bad, "limit": 0x1eafbad1,
           "bpf": 0x1eaf1eaf, "uid": 0x1eafd00d, "owner": OWNER, "pid": PID}
LAST_PID = "/proc/sys/kernel/ns_last_pid"
if not os.path.exists(LAST_PID):	# CONFIG_CHECKPOINT_RESTORE
    del NUMBERS["pid"]
TEXTS = {"device": "leakdev", "comment": "leak-comment",
         "expression": "leak-expression", "payload": "leak-payload",
         "process": "leakcomm"}
LOCAL = {4: "127.0.0.1", 6: "::1"}
PEOPLE = ("user", "CAP_NET_RAW", "root of a user namespace",
          "root of a user namespace, not of the network's")

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
_libc = ctypes.CDLL(None, use_errno=True)


# --- what is looked for ------------------------------------------------------

def is_address(value):
    """Where Linux has its memory, its code and its modules, on 64 bits."""
    return 0xffff800000000000 <= value < 0xffffff0000000000 or \
        0xffffffff80000000 <= value < 0xffffffffff000000


def addresses(data):
    """What looks like an address of the kernel's: as a number, as text."""
    found = []
    for at in range(0, len(data) - 7, 4):
        for order in "<>":
            value, = struct.unpack_from(order + "Q", data, at)
            if is_address(value):
                found.append("%x at %d in %r" % (value, at,
                                                 data[max(0, at - 16):at + 16]))
    return found + re.findall(rb"(?:0x|\b)ffff[0-9a-f]{12}\b", data) + \
        re.findall(rb"\b0x[0-9a-f]{12,}", data)


def markers(inodes):
    """{name: the forms that it could come in}"""
    found = {name: [text.encode()] for name, text in TEXTS.items()}
    for name, number in [*NUMBERS.items(), *inodes.items()]:
        found[name] = [struct.pack("<I", number), struct.pack(">I", number),
                       b"%d" % number, b"0x%x" % number]
    for family, text in SOURCE.items():
        found["source %d" % family] = [
            socket.inet_pton(sock.FAMILY[family], text), text.encode()]
    return found


def found_in(wanted, data):
    """The names of those that are in there."""
    return {name for name, forms in wanted.items()
            if any(re.search(rb"(?<![0-9])" + form + rb"(?![0-9])", data)
                   if form.isdigit() else form in data for form in forms)}


def joined(parts):
    """Pieces of text that stand for bytes: what is aligned stays aligned."""
    return "\0\0\0\0".join(part + "\0" * (-len(part) % 4)
                            for part in parts).encode("latin-1")


# --- all that somebody gets --------------------------------------------------

def _without_headers(data):
    """
    Netlink messages without what netlink itself writes: numbers of ports are by
    chance, and beside the number of an error they look like an address.
    """
    out, at = b"", 0
    while at + 16 <= len(data):
        size, kind = struct.unpack_from("=IH", data, at)
        skip = 36 if kind == genl.NLMSG_ERROR else 16
        out += bytes(skip) + data[at + skip:at + size]
        at += (size + 3) & ~3
        out += bytes(-len(out) % 4)
    return out


class Heard:
    """Netlink that keeps what it reads."""
    def __init__(self, sink):
        self.client = Client()
        real = self.client.nl.sock
        self.client.nl.sock = self
        self._real, self._sink = real, sink

    def __getattr__(self, name):
        return getattr(self._real, name)

    def recv(self, size, *flags):
        """The same, kept."""
        data = self._real.recv(size, *flags)
        self._sink.append(_without_headers(data))
        return data

    def drain(self):
        """Whatever is there without having been asked for."""
        self._real.setblocking(False)
        try:
            while True:
                self.recv(1 << 20)
        except BlockingIOError:
            pass
        self._real.settimeout(60)


_listening = []		# in a person's process


def _reads():
    """Each command that reads, and each that refuses with a text."""
    yield from ((command, b"", genl.DUMP) for command in (
        K.CMD_PROTO_GET, K.CMD_RULE_GET, K.CMD_HANDLER_GET, K.CMD_SOCKET_GET,
        K.CMD_DGRAM_GET))
    yield K.CMD_CONFIG_GET, b"", 0
    yield K.CMD_TRACE_STOP, b"", 0
    for number in (PROTO, HANDLED, 6, 200):
        yield K.CMD_PROTO_GET, proto(number), 0
        yield K.CMD_RULE_GET, rule(number, pref=10), 0
        yield K.CMD_RULE_GET, rule(number, pref=NUMBERS["pref"]), 0
        yield K.CMD_PROTO_ADD, proto(number, claim="plain"), 0
        yield K.CMD_PROTO_SET, proto(number, claim="plain"), 0
        yield K.CMD_APPLY, proto(number, claim="plain"), 0
        yield K.CMD_RULE_ADD, rule(number, "none", dev=TEXTS["device"][:4]), 0
        yield K.CMD_PROTO_DEL, proto(number), 0
        for addr in LOCAL.values():
            yield K.CMD_EXPLAIN, packet_nest(number, addr, addr), genl.DUMP
        for family in (K.FAMILY_IPV4, K.FAMILY_IPV6):
            for who in ([], [u32(K.OPEN_A_UID, 0)]):
                yield K.CMD_OPEN_GET, genl.attr(K.A_OPEN, [
                    u8(K.OPEN_A_PROTO, number),
                    u8(K.OPEN_A_FAMILY, family)] + who), 0


def listen():
    """Join and trace what one may, before something happens."""
    sink = []
    heard = Heard(sink)
    for number in heard.client.family.groups.values():
        try:
            heard.client.nl.join(number)
        except OSError:
            pass
    try:
        heard.client.send(K.CMD_PROTO_ADD, proto(201, deliver="raw"))
        heard.client.send(K.CMD_RULE_ADD, rule(201, "none", pref=10,
                                               limit_rate=1))
    except OSError:
        pass
    tracer = Heard(sink)
    tracer.client.refusal(K.CMD_TRACE, genl.attr(
        K.A_TRACE, [u32(K.TRACE_A_SNAPLEN, 2000)]))
    _listening[:] = [sink, heard, tracer]


def _names(one):
    """A received datagram's, and the socket's own, as the kernel wrote them."""
    out = []
    for call in ("getsockname", "getpeername"):
        name, size = ctypes.create_string_buffer(b"\xaa" * 128, 128), \
            ctypes.c_uint(128)
        if not getattr(_libc, call)(one.fileno(), name, ctypes.byref(size)):
            out.append(name.raw[:size.value])
    name, size = ctypes.create_string_buffer(b"\xaa" * 128, 128), \
        ctypes.c_uint(128)
    data = ctypes.create_string_buffer(2048)
    got = _libc.recvfrom(one.fileno(), data, 2048, 0, name, ctypes.byref(size))
    return out + [data.raw[:max(got, 0)], name.raw[:size.value]]


def _talks(family):
    """A datagram to oneself, with all control data."""
    out = []
    with socket.socket(sock.FAMILY[family], socket.SOCK_DGRAM, PROTO) as one:
        for level, option in ((socket.SOL_SOCKET, 29), (socket.SOL_SOCKET, 40),
                              (socket.SOL_IP, 8), (socket.SOL_IP, 12),
                              (socket.SOL_IP, 13), (41, 49), (41, 51),
                              (41, 66)):
            try:
                one.setsockopt(level, option, 1)
            except OSError:
                pass
        one.bind((LOCAL[family], 0))
        one.connect(one.getsockname())
        for _ in range(2):
            one.send(b"to myself")
        one.settimeout(60)
        _, notes, _, _ = one.recvmsg(2048, 1024)
        out += [value for _, _, value in notes] + _names(one)
        out.append(one.getsockopt(PROTO, 0x6b01, 64))
    return out


def _sends(family):
    """What a tracer here may be told of."""
    addr = LOCAL[family]
    with sock.Reader(201, family), sock.Reader(PROTO, family):
        sender = sock.Sender(family)
        for number in (201, PROTO):
            sender.send(packet.ip(addr, addr, number, bytes(16)))
        sender.close()


TOOL = ("-d -s show", "save", "-j -d show", "-all-netns show", "-j -all-netns show",
        "stats", "stats --prometheus", "-j rule", "explain open 253",
        "explain proto 253 src 127.0.0.1 dst 127.0.0.1", "trace count 1",
        "proto add 115 claim plain", "apply /proc/self/environ")


def collect(all_of_the_tool=False):
    """Everything that we can get, as text that stands for bytes."""
    sink, heard, tracer = _listening or [[], Heard([]), Heard([])]
    for command, data, flags in _reads():
        heard.client.refusal(command, data, flags=flags)
    for family in (4, 6):
        try:
            sink += _talks(family)
        except OSError:
            pass
        try:
            _sends(family)
        except OSError:
            pass
    heard.drain()
    tracer.drain()
    for line in TOOL if all_of_the_tool else TOOL[:2]:
        if line.startswith("trace") and os.geteuid() == 0:
            continue		# would wait for a packet
        done = tool.command("kraw", *line.split())
        sink += [done.out.encode(), done.err.encode()]
    for name in ("protocols", "raw", "raw6", "netlink"):
        with open("/proc/self/net/" + name, "rb") as file:
            sink.append(file.read())
    return [data.decode("latin-1") for data in sink]


# --- where it must not come from ---------------------------------------------

def plant():
    """Things to be recognised, in `other`."""
    lab.other.ip("link add leakdev type veth peer name leakdev2",
                 "addr add %s/32 dev leakdev" % SOURCE[4],
                 "addr add %s/128 dev leakdev nodad" % SOURCE[6],
                 "link set leakdev up")
    with lab.other, Client() as client:
        users = genl.attr(K.PROTO_A_USERS, [genl.attr(K.USERS_A_USER, [
            u8(K.USER_A_KIND, K.USER_KIND_UID), u32(K.USER_A_LOW, OWNER),
            u32(K.USER_A_HIGH, OWNER)])])
        client.apply(proto(PROTO, claim="ports", extra=[users]),
                     proto(PLAIN, claim="plain", extra=[users]))


def let_go():
    while held:
        held.pop().close()


def sockets():
    """Others in place of the sockets there: {"inode of " a socket: inode}."""
    let_go()
    made = {}
    with lab.other:
        made["a raw socket"] = socket.socket(socket.AF_INET, socket.SOCK_RAW,
                                             PROTO)
        for family in (4, 6):
            for number, port in ((PROTO, 0xbead), (PLAIN, 0)):
                with user(OWNER):
                    one = socket.socket(sock.FAMILY[family], socket.SOCK_DGRAM,
                                        number)
                one.bind((SOURCE[family], port))
                one.connect((SOURCE[family], port))
                made["a datagram socket, IPv%d, %d" % (family, number)] = one
    held.extend(made.values())
    return {"inode of " + name: os.fstat(one.fileno()).st_ino
            for name, one in made.items()}


def _configure():
    """The rules, and some traffic; who does it can be recognised."""
    with lab.other, Client() as client:
        client.send(K.CMD_RULE_FLUSH, rule(PROTO))
        for pref, addr in enumerate(SOURCE.values(), NUMBERS["pref"]):
            client.send(K.CMD_RULE_ADD, rule(
                PROTO, "all", pref=pref, src=addr, dev=TEXTS["device"],
                mark=NUMBERS["mark"], limit_rate=NUMBERS["limit"],
                comment=TEXTS["comment"], expr=TEXTS["expression"],
                bpf=[(0x06, 0, 0, NUMBERS["bpf"])]))
        client.send(K.CMD_RULE_ADD, rule(PROTO, "allow", hook="output", pref=1,
                                         uid_min=0, uid_max=NUMBERS["uid"]))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, PROTO) as one:
            one.bind((SOURCE[4], 0))
            one.sendto(TEXTS["payload"].encode(), one.getsockname())
        sender = sock.Sender(4)
        sender.send(packet.ip(SOURCE[4], SOURCE[4], PROTO,
                              TEXTS["payload"].encode()))
        sender.close()


def stir():
    """Something happens there, done by the process that has the number."""
    if "pid" in NUMBERS:
        with open(LAST_PID, "w") as file:
            file.write(str(PID - 1))
    pid = os.fork()
    if not pid:
        status = 1
        try:
            _libc.prctl(15, TEXTS["process"].encode(), 0, 0, 0)
            _configure()
            status = 0
        finally:
            os._exit(status)
    tap.is_((pid, os.waitpid(pid, 0)[1]), (NUMBERS.get("pid", pid), 0),
            "something happens")


def without_names():
    """
    The handler of L2TP, from a module that has lost its symbols: that has no
    name, and must not show where it is either.
    """
    path = tool.command("modinfo", "-n", "l2tp_ip6").out.strip()
    if not path or not shutil.which("strip"):
        return False
    for name in tool.command("modinfo", "-F", "depends",
                             "l2tp_ip6").out.strip().split(","):
        tool.modprobe(name)
    copy = "/run/stripped.ko"
    if path.endswith(".xz"):
        with open(copy, "wb") as file, lzma.open(path) as packed:
            file.write(packed.read())
    else:
        shutil.copy(path, copy)
    return not tool.command("strip", "--strip-unneeded", copy).status and \
        not tool.command("insmod", copy).status


system.write("/proc/sys/kernel/pid_max", "4194304\n")
nameless = without_names()
held = []
plant()
WANTED = markers(sockets())
with lab.right, Client() as administrator:
    administrator.apply(
        proto(PROTO, claim="ports", extra=[genl.attr(K.PROTO_A_USERS, [
            genl.attr(K.USERS_A_USER, [u8(K.USER_A_KIND,
                                          K.USER_KIND_ALL)])])]),
        rule(PROTO, "all", pref=10))
with lab.right:
    tool.command("ip", "link", "set", "lo", "up")


def own_network():
    """A claim of his own, for who has a network namespace of his."""
    with Client() as client:
        client.apply(proto(PROTO, claim="ports"), rule(PROTO, "all", pref=10))
    tool.command("ip", "link", "set", "lo", "up")


@tap.case
def who_may_know_them():
    """The search finds what is there."""
    with Other("root", lab.other) as other:
        other.ask(listen)
        stir()
        data = joined(other.ask(collect))
    tap.is_(set(WANTED) - found_in(WANTED, data), set(), "finds everything")
    tap.is_(addresses(data), [], "root is told no address either")
    for value in (0xffff888012345678, 0xffffc90000001000, 0xffffffffc0401000):
        for order in "<>":
            tap.is_(len(addresses(b"1234" + struct.pack(order + "Q", value) +
                                  bytes(8))), 1, "%s%x is seen" % (order, value))
        tap.ok(addresses(b"handler 0x%x end" % value), "and its text")


@tap.each(*PEOPLE)
def who_may_not(who):
    with Other(who, lab.right) as other:
        if who == "root of a user namespace":
            path = "/sys/module/kraw/parameters/userns_claims"
            for text in ("1", "0"):
                with open(path, "w") as file:
                    file.write(text + "\n")
                if text == "1":
                    other.ask(own_network)
        other.ask(listen)
        stir()
        parts = other.ask(collect, who in PEOPLE[::2])
        data = joined(parts)
        found = found_in(WANTED, data)
        if found:
            # A small number stands somewhere by chance, now and then: what is
            # told is there with other sockets, too.
            tap.diag("looking again for %s" % sorted(found))
            other.ask(let_go)	# it was forked with them
            again = markers(sockets())
            stir()
            found &= found_in(again, joined(
                other.ask(collect, who in PEOPLE[::2])))
            WANTED.update(again)
    tap.ok(len(data) > 10000, "%d bytes in %d pieces" % (len(data),
                                                        len(parts)))
    tap.is_(addresses(data), [], "no address")
    tap.is_(found, set(), "nothing of another namespace")


# What sock_diag, or /proc/net/raw, tells everybody of a socket.
TOLD = {"inode", "family", "proto", "receives", "local", "local_port", "peer",
        "peer_port", "ifindex", "uid", "queue", "limit", "drops", "flags"}


def neighbours():
    """Sockets here, {inode: what is told}: by kraw, and by /proc."""
    with Client() as client:
        found = [m["socket"] for m in client._dump(K.CMD_DGRAM_GET)]
    rows = []
    for name in ("raw", "raw6"):
        with open("/proc/self/net/" + name) as file:
            rows += [line.split() for line in file.readlines()[1:]]
    return [[one["inode"], one["uid"], sorted(one)] for one in found], \
        [[int(row[9]), int(row[7])] for row in rows]


@tap.each("user", "CAP_NET_RAW", PEOPLE[3])
def sockets_of_others_here(who):
    """No more than of their raw sockets."""
    dgrams, raws = [], []
    with lab.right:
        for family in (4, 6):
            with user(STRANGER):
                one = socket.socket(sock.FAMILY[family], socket.SOCK_DGRAM,
                                    PROTO)
            one.connect((LOCAL[family], 7))
            sock.attach_filter(one, sock.ACCEPT)
            dgrams.append(one)
            raws.append(socket.socket(sock.FAMILY[family], socket.SOCK_RAW,
                                      PROTO))
            os.fchown(raws[-1].fileno(), STRANGER, 0)
    with Other(who, lab.right) as other:
        ours, linux = other.ask(neighbours)
    uids = [{found[0]: found[1] for found in each} for each in (ours, linux)]
    wanted = [[os.fstat(one.fileno()).st_ino for one in each]
              for each in (dgrams, raws)]
    tap.is_([set(each) for each in uids], [set(each) for each in wanted],
            "these and no others")
    tap.is_(set(uids[0].values()), set(uids[1].values()),
            "the owner's number is the same")
    tap.is_(set().union(*(found[2] for found in ours)) - TOLD, set(),
            "and nothing besides")
    for one in dgrams + raws:
        one.close()


@tap.case
def a_handler_without_a_name():
    if not nameless:
        raise tap.Skip("l2tp_ip6 cannot be loaded without its symbols")
    with Client(lab.right) as client:
        here = [h for h in client.handlers() if h["number"] == HANDLED and
                h["family"] == K.FAMILY_IPV6]
    with open("/proc/kallsyms") as file:
        left = {words[2] for words in map(str.split, file)
                if "[l2tp_ip6]" in words}
    if here[0]["symbol"] in left:
        raise tap.Skip("what is left of the module's symbols is in front of it")
    tap.is_([h["symbol"] for h in here], ["unknown"], "no address for a name")
    refused = tool.refused("proto add 115 family ipv6 claim plain", lab.right)
    tap.has(refused.err, "handled by something without a name",
            "nor in the text of a refusal")


@tap.case
def done():
    for one in held:
        one.close()
    if nameless:
        tap.is_(tool.command("rmmod", "l2tp_ip6", "l2tp_ip").status, 0, "cleaned up")
    for space in (lab.other, lab.right):
        with space, Client() as client:
            client.send(K.CMD_APPLY, u32(K.A_FLAGS, K.FLAG_FORCE))
    tap.ok(True, "all is gone")


tap.run()
