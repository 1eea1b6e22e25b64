#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Every allocation fails once: in each netlink command, each call of a datagram
socket, on each way of a packet through the hooks, when a namespace is made and
when the module is loaded, the n-th allocation fails, n = 1, 2, ... until there
are no more.  Each time the caller is told, and everything is as before; or it
worked all the same.  The VM looks for leaks afterwards.

Only on a kernel with fault injection.
"""
import ctypes
import errno
import fcntl
import mmap
import os
import socket
import struct
import sys
from contextlib import ExitStack

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import inject, insmod, packet, sock, system, tap, tool
from krawtest.client import Client, K, genl, packet as sample, proto, read, \
    rule, u8, u32
from krawtest.dgram import Dgram
from krawtest.inject import Call
from krawtest.manage import Count, check, managed
from krawtest.netns import Lab, _setns
from krawtest.tracer import Tracer
from krawtest.tun import Tun

if inject.why_not():
    tap.skip_all(inject.why_not())

MEMORY = {errno.ENOMEM, errno.ENOBUFS}
ENOTSUPP = 524		# the kernel's own: no memory to compile a filter
MOST = 5000		# no operation has as many allocations
MODULES_PART = 16	# allocations for a namespace, with some before and after
DONTWAIT = 0x40

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
tuns = [tap.cleanup(Tun(lab.right, number)) for number in (8, 9)]
injector = tap.cleanup(inject.Injector())
client = tap.cleanup(Client(lab.right))
listener = tap.cleanup(Client(lab.right))
# each claim that goes waits for a grace period
system.write("/sys/kernel/rcu_expedited", "1")
listener.nl.join(listener.family.groups["config"])
# events of sockets are made for it; it reads none
tap.cleanup(Client(lab.right)).nl.join(client.family.groups["sockets"])


def counting():
    """n = 1, 2, ...; whoever gets so far goes round for ever."""
    yield from range(1, MOST)
    raise RuntimeError("no end of allocations")


def name(code):
    """Of an errno."""
    return errno.errorcode.get(code, str(code))


class Tally:
    """What came of the injections of one operation: a test point."""
    def __init__(self, title):
        self.title = title
        self.injected = self.failed = self.lost = 0
        self.wrong = []

    def complain(self, nth, what):
        """The n-th injection was not as it should be."""
        self.wrong.append("  allocation %d: %s" % (nth, what))

    def done(self):
        """The point."""
        tap.ok(not self.wrong, "%s: %d injections, %d refused, %d unanswered" %
               (self.title, self.injected, self.failed, self.lost),
               "\n".join(self.wrong[:12]))


# --- netlink -----------------------------------------------------------------

PROGRAM = [(0x30, 0, 0, 0), (0x15, 0, 1, 7), (0x06, 0, 0, 1), (0x06, 0, 0, 0)]
USERS = genl.attr(K.PROTO_A_USERS, [genl.attr(K.USERS_A_USER, [
    u8(K.USER_A_KIND, K.USER_KIND_UID), u32(K.USER_A_LOW, 1000)])])
FULL = {"src": "10.9.0.16/28", "dst": "10.9.0.2", "dev": "r0", "bpf": PROGRAM,
        "expr": "none", "comment": "all of it", "limit_rate": 100,
        "ttl_min": 2, "len_max": 1400, "mark": 1, "trace": True,
        "extra": [genl.attr(K.RULE_A_MIRROR, b"r0\0")]}
EXACT = [u8(K.PROTO_A_ACCOUNT, K.ACCOUNT_EXACT)]
# The configuration that each command finds.
BASE = [proto(200, deliver="raw"),
        proto(253, claim="plain", extra=[USERS]),
        proto(254, claim="ports", deliver="one"),
        rule(200, "none", pref=10, src="10.9.0.0/24"),
        rule(200, "raw", pref=20, **FULL),
        rule(200, "deny", hook="output", pref=10, uid_min=1000, uid_max=1999),
        rule(253, "kernel", pref=10, src="fd09::/64")]
CLAIMS = {"claim": "plain", "extra": [USERS] + EXACT}


class Request:
    """A request on a socket of its own, and room for the answers."""
    ROOM = 8

    def __init__(self, command, data, flags=0):
        self.message = struct.pack("=IHHIIBBH", 20 + len(data),
                                   client.family.id, genl.REQUEST | genl.ACK |
                                   flags, 1, 0, command, 1, 0) + data
        self.buffers = [ctypes.create_string_buffer(b"\1" * 40000)
                        for _ in range(self.ROOM)]

    def run(self, nth, nl):
        """(errno or 0, None if there was no answer; answers; injected)."""
        fd = nl.sock.fileno()
        results, injected = injector.run(
            nth, Call("sendto", fd, self.message, len(self.message), 0, 0, 0),
            *(Call("recvfrom", fd, buffer, len(buffer), DONTWAIT, 0, 0)
              for buffer in self.buffers))
        code, answers, broken = None, [], False
        if results[0] < 0:
            return -results[0], [], injected
        for size, buffer in zip(results[1:], self.buffers):
            if size == -errno.EAGAIN:
                continue
            if size < 0:
                if -size not in MEMORY:
                    return -size, [], injected
                broken = True
                continue
            for kind, payload in messages(buffer.raw[:size]):
                if kind in (genl.NLMSG_ERROR, genl.NLMSG_DONE):
                    code = -struct.unpack_from("=i", payload)[0]
                else:
                    answers.append(read(payload[4:]))
        return None if broken and code is None else code, answers, injected


def messages(data):
    """(type, payload) of each message in a datagram."""
    at = 0
    while at < len(data):
        size, kind = struct.unpack_from("=IH", data, at)
        yield kind, data[at + 16:at + size]
        at += (size + 3) & ~3


class Again(Client):
    """Another one, without asking for the family again."""
    def __init__(self):
        with lab.right:
            self.nl = genl.Socket()
        self.family = client.family


def now():
    """All that there is, but for handlers: a slot too many stays for good."""
    return {"generation": client.generation(), "protos": client.protos(),
            "rules": client.rules()}


def plain(state):
    """What of a state another one with the same configuration shares."""
    return {"protos": [{k: v for k, v in one.items() if k != "stats"}
                       for one in state["protos"]],
            "rules": [{k: v for k, v in one.items()
                       if k not in ("handle", "packets", "bytes", "limited")}
                      for one in state["rules"]]}


def heard():
    """Whether the listener was told of something, or that it has missed it."""
    told = False
    listener.nl.sock.setblocking(False)
    while True:
        try:
            listener.nl.sock.recv(1 << 16)
        except BlockingIOError:
            return told
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
        told = True


def reset():
    """The configuration BASE."""
    client.apply()
    client.apply(*BASE)
    heard()


def command(title, number, *attributes, flags=0, prepare=lambda other: None):
    """Each allocation of a command fails once, behind what prepare() does."""
    data = b"".join(attributes)
    request = Request(number, data, flags)
    tally = Tally(title)
    reset()
    handlers = client.handlers()
    first = plain(now())
    with Again() as other:
        prepare(other)
        code, answers, _ = request.run(MOST, other.nl)
        if code:
            raise RuntimeError("%s: %s" % (title, name(code)))
    goal = plain(now())
    if goal != first:
        reset()
    before = now()
    for nth in counting():
        with Again() as other:
            prepare(other)
            code, got, injected = request.run(nth, other.nl)
            after = now()
        if not injected:
            if code:
                tally.complain(nth, "not injected, %s" % name(code))
            break
        tally.injected += 1
        if code is None:
            tally.lost += 1
            if after != before and plain(after) != goal:
                tally.complain(nth, "no answer, and neither done nor undone")
        elif code:
            tally.failed += 1
            if code not in MEMORY:
                tally.complain(nth, "says " + name(code))
            if after != before:
                tally.complain(nth, "says %s, and has changed something" %
                               name(code))
        else:
            if plain(after) != goal:
                tally.complain(nth, "done, but not as usual")
            # without memory for an echo the listeners know, the sender can tell
            if forget(got) != forget(answers) and \
                    not (flags & genl.ECHO and not got):
                tally.complain(nth, "another answer: %s" % got)
        if heard() != (after != before):
            tally.complain(nth, "listeners know of %s" %
                           ("nothing" if after != before else "what was not"))
        if after != before:
            reset()
            before = now()
    reset()
    if client.handlers() != handlers:
        tally.complain(nth, "handlers: %s" % client.handlers())
    tally.done()


def forget(answers):
    """Answers without what is another each time."""
    text = repr([{k: v for k, v in one.items()
                  if k not in ("generation", "pid", "comm", "socket")}
                 for one in answers])
    return text if "'inode'" not in text and "'handle'" not in text else \
        len(answers)


@tap.case
def commands_that_change():
    echo = {"flags": genl.ECHO}
    command("proto add", K.CMD_PROTO_ADD, proto(252), **echo)
    command("proto add, with a claim", K.CMD_PROTO_ADD, proto(252, **CLAIMS),
            **echo)
    command("proto set, with ports", K.CMD_PROTO_SET,
            proto(253, claim="ports", deliver="one"))
    command("proto set, a claim goes", K.CMD_PROTO_SET,
            proto(253, claim="none"))
    command("proto set, exact", K.CMD_PROTO_SET, proto(200, extra=EXACT))
    command("proto del", K.CMD_PROTO_DEL, proto(200), **echo)
    command("rule add", K.CMD_RULE_ADD, rule(253, "none", src="10.9.1.0/24"))
    command("rule add, all of it", K.CMD_RULE_ADD,
            rule(253, "raw", pref=7, **FULL), **echo)
    command("rule add, the first on output", K.CMD_RULE_ADD,
            rule(254, "deny", hook="output", spoofed=True))
    command("rule replace", K.CMD_RULE_REPLACE,
            rule(200, "raw", pref=10, bpf=PROGRAM))
    command("rule del", K.CMD_RULE_DEL, rule(200, pref=10), **echo)
    command("rule flush", K.CMD_RULE_FLUSH, rule(200), **echo)
    everything = [proto(252, **CLAIMS), proto(200, deliver="one"),
                  proto(254, claim="ports", deliver="one")] + \
        [rule(200, "none", pref=n, src="10.9.%d.0/24" % n) for n in range(9)] + \
        [rule(252, "raw", pref=7, **FULL),
         rule(254, "deny", hook="output", spoofed=True)]
    command("apply", K.CMD_APPLY, *everything, **echo)
    command("apply, check only", K.CMD_APPLY, u32(K.A_FLAGS, K.FLAG_CHECK),
            *everything)
    command("apply, nothing at all", K.CMD_APPLY)
    reset()


def failing(request, tally):
    """
    (n, answer) of a request whose n-th allocation has failed, until none does;
    what it changes is the caller's to look at, and to take back.  Or of
    request(n), where it cannot be done twice.
    """
    for nth in counting():
        one = request(nth) if callable(request) else request
        with Again() as other:
            code, _, injected = one.run(nth, other.nl)
        if not injected:
            return
        tally.injected += 1
        tally.failed += bool(code)
        if code and code not in MEMORY:
            tally.complain(nth, "says " + name(code))
        yield nth, code


@tap.case
def the_first_configuration():
    """Hooks are registered, and counters, which come many at a time, are made."""
    client.apply()
    request = Request(K.CMD_APPLY, proto(200) + rule(200, "deny", hook="output",
                                                     limit_rate=1))
    tally = Tally("apply, the first")
    for nth, code in failing(request, tally):
        there = len(client.rules()), len(client.protos())
        if there != ((1, 1) if code == 0 or code is None and there[0] else
                     (0, 0)):
            tally.complain(nth, "rules, protocols: %d, %d" % there)
        if there[1]:
            client.apply()
    tap.is_((len(client.rules()), len(client.protos())), (1, 1),
            "then it is there")
    tally.done()


@tap.case
def commands_that_read():
    dump = {"flags": genl.DUMP}
    reset()
    with ExitStack() as stack:
        for family in (4, 6):
            one = stack.enter_context(sock.Reader(200, family, lab.right))
            one.filter(sock.ACCEPT)
        command("proto get", K.CMD_PROTO_GET, proto(253))
        command("proto get, all", K.CMD_PROTO_GET, **dump)
        command("rule get", K.CMD_RULE_GET, rule(200, pref=20))
        command("rule get, all", K.CMD_RULE_GET, **dump)
        command("handler get", K.CMD_HANDLER_GET, **dump)
        command("config get", K.CMD_CONFIG_GET)
        command("socket get", K.CMD_SOCKET_GET, **dump)
        for family in (4, 6):
            for number in (200, 253, 254):
                command("explain, IPv%d, %d" % (family, number), K.CMD_EXPLAIN,
                        sample(number, lab.l0.addr[family],
                               lab.r0.addr[family], payload=b"x" * 64), **dump)
        command("trace", K.CMD_TRACE, rule(200, src="10.9.0.0/24", bpf=PROGRAM),
                genl.attr(K.A_TRACE, [u32(K.TRACE_A_SNAPLEN, 100)]))
        command("trace stop", K.CMD_TRACE_STOP,
                prepare=lambda other: other.send(K.CMD_TRACE))
    client.apply()


# --- datagram sockets --------------------------------------------------------

PORT = {253: 0, 254: 7000}
CLAIMED = (253, 254)
REUSEPORT = (socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


def sockaddr(family, address, port):
    """As the kernel wants it."""
    data = socket.inet_pton(sock.FAMILY[family], address)
    return struct.pack("=H", sock.FAMILY[family]) + struct.pack("!H", port) + \
        (data + bytes(8) if family == 4 else bytes(4) + data + bytes(4))


def names(one):
    """The addresses of a socket."""
    try:
        peer = one.sock.getpeername()
    except OSError as error:
        peer = error.errno
    return one.sock.getsockname(), peer


def call(title, make, does, check_after=lambda one: None, told=1, also=()):
    """
    Each allocation of a call on a socket, that make() opens, fails once.  It has
    to say so so many times; `also` are errors that the kernel's own part has.
    """
    tally = Tally(title)
    for nth in counting():
        with ExitStack() as stack:
            one = make(stack)
            before = names(one)
            (result, *_), injected = injector.run(nth, does(one))
            if injected and result < 0:
                tally.failed += 1
                if -result not in MEMORY | set(also):
                    tally.complain(nth, "says " + name(-result))
                if names(one) != before:
                    tally.complain(nth, "the socket has another address: %s" %
                                   (names(one),))
                (result, *_), _ = injector.run(MOST, does(one))
            if result < 0:
                tally.complain(nth, "then says " + name(-result))
            else:
                check_after(one)
        if not injected:
            break
        tally.injected += 1
    if tally.failed < told:
        tally.complain(nth, "nobody is told")
    tally.done()


def opened(family, number, **how):
    """What opens such a socket."""
    return lambda stack: stack.enter_context(
        Dgram(family, lab.right, proto=number, **how))


def opens(family, number):
    """Each allocation of socket() fails once."""
    tally = Tally("IPv%d, %d: socket" % (family, number))
    for nth in counting():
        with lab.right:
            (fd,), injected = injector.run(
                nth, Call("socket", sock.FAMILY[family], socket.SOCK_DGRAM,
                          number))
        if fd >= 0:
            os.close(fd)
        elif not injected or -fd not in MEMORY | {errno.ENFILE}:
            tally.complain(nth, name(-fd))
        else:		# ENFILE is what the kernel says without an inode
            tally.failed += 1
        if not injected:
            break
        tally.injected += 1
    tally.done()


@tap.each(*((family, number) for family in (4, 6) for number in CLAIMED))
def datagram_sockets(family, number):
    mine, port = lab.r0.addr[family], PORT[number]
    theirs = lab.l0.addr[family]
    title = "IPv%d, %d: " % (family, number)
    to_me = sockaddr(family, mine, port)
    to_them = sockaddr(family, theirs, port)
    bound = {"bind": mine, "port": port}
    accept = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 1000))
    program = struct.pack("HP", 1, ctypes.addressof(accept))
    with lab.right:
        r0 = socket.if_nametoindex("r0")
    group = socket.inet_aton("224.0.0.9") + socket.inet_aton(mine) \
        if family == 4 else \
        socket.inet_pton(socket.AF_INET6, "ff02::9") + struct.pack("=i", r0)
    level, join = {4: (0, 35), 6: (41, 20)}[family]
    room = ctypes.create_string_buffer(b"\1" * 2000)

    def arrives(one):
        """A datagram to a socket that is bound: TimeoutError if it does not."""
        one.send(b"still", mine, port)
        while one.wait()[0] != b"still":
            pass

    def pair(stack):
        """Another one in the same group is there."""
        opened(family, number, options=[REUSEPORT], **bound)(stack)
        return opened(family, number, options=[REUSEPORT])(stack)

    def loaded(stack):
        """With a datagram and all control data."""
        one = opened(family, number, **bound)(stack)
        one.set(level, {4: 8, 6: 49}[family])		# PKTINFO
        one.set(socket.SOL_SOCKET, 29)			# SO_TIMESTAMP
        one.send(b"x" * 1000, mine, port)
        return one

    with managed(number, lab.right, "claim " +
                 {253: "plain", 254: "ports"}[number]):
        opens(family, number)
        call(title + "bind", opened(family, number),
             lambda one: Call("bind", one.fileno(), to_me, len(to_me)), arrives)
        call(title + "bind, group of one",
             opened(family, number, options=[REUSEPORT]),
             lambda one: Call("bind", one.fileno(), to_me, len(to_me)), arrives)
        call(title + "bind, group of two", pair,
             lambda one: Call("bind", one.fileno(), to_me, len(to_me)))
        call(title + "connect, bound", opened(family, number, **bound),
             lambda one: Call("connect", one.fileno(), to_them, len(to_them)))
        call(title + "connect", lambda stack: opened(
                 family, number, bind=mine if number == 254 else None,
                 port=port)(stack),
             lambda one: Call("connect", one.fileno(), to_them, len(to_them)))
        call(title + "connect, elsewhere",
             opened(family, number, connect=mine, to_port=port or 0),
             lambda one: Call("connect", one.fileno(), to_them, len(to_them)))
        call(title + "send", opened(family, number, **bound),
             lambda one: Call("sendto", one.fileno(), room, 1000, DONTWAIT,
                              to_me, len(to_me)), arrives)
        call(title + "send, long", opened(family, number, **bound),
             lambda one: Call("sendto", one.fileno(), bytes(9000), 9000,
                              DONTWAIT, to_them, len(to_them)), arrives)
        call(title + "receive", loaded,
             lambda one: Call("recvfrom", one.fileno(), room, len(room),
                              DONTWAIT, 0, 0), arrives, told=0)
        call(title + "filter", opened(family, number, **bound),
             lambda one: Call("setsockopt", one.fileno(), socket.SOL_SOCKET,
                              sock.SO_ATTACH_FILTER, program, len(program)),
             arrives, also={ENOTSUPP})
        call(title + "join a group", opened(family, number, **bound),
             lambda one: Call("setsockopt", one.fileno(), level, join,
                              group, len(group)), arrives)


# --- packets -----------------------------------------------------------------

def counted(number, family, data):
    """What kraw counts of one packet."""
    with Count(number, family, lab.right) as count:
        os.write(tuns[0].fd, data)
    return count.all


def packets(title, family, data, number=253):
    """Each allocation on the way of a packet that comes in fails once."""
    tally = Tally("IPv%d: %s" % (family, title))
    usual = counted(number, family, data)
    with Count(number, family, lab.right) as count:	# they add up
        for nth in counting():
            (result,), injected = injector.run(
                nth, Call("write", tuns[0].fd, data, len(data)))
            if not injected:
                break
            tally.injected += 1
            tally.failed += result < 0
            for one in tuns:
                one.drain()
    if count.delta["seen"] > nth - tally.failed:
        tally.complain(nth, "more seen than sent: %s" % count.delta)
    after = counted(number, family, data)
    if after != usual:
        tally.complain(nth, "then %s, usually %s" % (after, usual))
    tally.done()


VERDICTS = ("all", "raw", "kernel", "one", "none", "reject")


@tap.each(*((family, verdict) for family in (4, 6) for verdict in VERDICTS))
def packets_in(family, verdict):
    src, dst = tuns[0].peer[family], tuns[0].addr[family]
    data = packet.ip(src, dst, 253, b"p" * 500)
    rules = ["src %s deliver %s mirror dev tun9 trace" % (src, verdict)]
    with managed(253, lab.right, "deliver none account exact", *rules), \
            ExitStack() as stack:
        packets("%s, nobody" % verdict, family, data)
        readers = [stack.enter_context(sock.Reader(253, family, lab.right))
                   for _ in range(2)]
        readers[1].filter(sock.ACCEPT)
        tracer = stack.enter_context(Tracer(lab.right, proto=253, snaplen=200,
                                            bpf=[(0x06, 0, 0, 1)]))
        packets("%s, two readers, traced" % verdict, family, data)
        records = len(tracer.records())
        seen, lost = tracer.stop()
        tap.is_(records + lost, seen, "records: each is there, or lost")


@tap.each(*((family, number) for family in (4, 6) for number in CLAIMED))
def packets_to_a_claim(family, number):
    src, dst = tuns[0].peer[family], tuns[0].addr[family]
    group = {4: "224.0.0.9", 6: "ff02::9"}[family]
    words = "claim " + {253: "plain", 254: "ports"}[number]
    body = b"p" * 100
    if number == 254:
        def build(to):
            head = struct.pack("!HHHH", 7000, 7000, 8 + len(body), 0)
            total = packet.checksum(packet.pseudo(src, to, number,
                                                  8 + len(body)) + head + body)
            return packet.ip(src, to, number,
                             head[:6] + struct.pack("!H", total) + body)
    else:
        def build(to):
            return packet.ip(src, to, number, body)
    with managed(number, lab.right, words + " unreach always"), \
            ExitStack() as stack:
        packets("%s, nobody" % words, family, build(dst), number)
        members = []
        for _ in range(3):
            one = opened(family, number, options=[
                (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)],
                bind={4: "0.0.0.0", 6: "::"}[family], port=PORT[number])(stack)
            with lab.right:
                index = socket.if_nametoindex(tuns[0].device)
            value = socket.inet_aton(group) + struct.pack("=4xi", index) \
                if family == 4 else \
                socket.inet_pton(socket.AF_INET6, group) + \
                struct.pack("=i", index)
            one.set(*{4: (0, 35), 6: (41, 20)}[family], value)
            members.append(one)
        packets("%s, a socket" % words, family, build(dst), number)
        tap.ok(sum(len(one.drain()) for one in members), "datagrams came")
        packets("%s, a group" % words, family, build(group), number)
        tap.ok(all([one.drain() for one in members]), "each has some")


@tap.each(4, 6)
def packets_out(family):
    """What a raw socket sends, past rules that allow and deny."""
    to = lab.l0.addr[family]
    address = sockaddr(family, to, 0)
    for verdict in ("allow", "deny"):
        rules = ["hook output dst %s trace %s" % (to, verdict)]
        with managed(200, lab.right, "", *rules), \
                Tracer(lab.right, proto=200, snaplen=100) as tracer, \
                sock.Reader(200, family, lab.right) as sender:
            tally = Tally("IPv%d: sent, %s" % (family, verdict))
            for nth in counting():
                (result,), injected = injector.run(nth, Call(
                    "sendto", sender.fileno(), b"o" * 100, 100, DONTWAIT,
                    address, len(address)))
                good = 100 if verdict == "allow" else -errno.EPERM
                if result != good and (not injected or -result not in MEMORY):
                    tally.complain(nth, "says %d" % result)
                if not injected:
                    break
                tally.injected += 1
                tally.failed += result != good
            tally.done()
            check(200, lab.right)
            records = len(tracer.records())
            seen, lost = tracer.stop()
            tap.is_(records + lost, seen, "records: each is there, or lost")


# --- namespaces, the module --------------------------------------------------

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None)


class Reached:
    """Whether this thread has come into the module's code, by KCOV."""
    def __init__(self):
        self._fd = os.open("/sys/kernel/debug/kcov", os.O_RDWR)
        fcntl.ioctl(self._fd, 0x80086301, 4096)		# KCOV_INIT_TRACE
        # not Python's mmap, which believes the size of the file: 0
        _libc.mmap.restype = ctypes.c_void_p
        address = _libc.mmap(None, ctypes.c_size_t(4096 * 8),
                             mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED,
                             self._fd, ctypes.c_long(0))
        self._count = ctypes.c_uint64.from_address(address)
        fcntl.ioctl(self._fd, 0x6364, 0)		# KCOV_ENABLE

    def since(self):
        """Has it, since the last time?"""
        found = self._count.value > 0
        self._count.value = 0
        return found

    def close(self):
        """Stop."""
        fcntl.ioctl(self._fd, 0x6365, 0)		# KCOV_DISABLE
        os.close(self._fd)


def before_the_module(here):
    """
    An allocation for a namespace with which it fails before the module is asked;
    those before that one are the kernel's own affair.
    """
    reached = Reached()
    low, high = 1, 1024
    while low + 1 < high:
        # the next that it does not survive
        for nth in range((low + high) // 2, high):
            reached.since()
            (result,), injected = injector.run(nth, Call("unshare",
                                                         CLONE_NEWNET))
            found = reached.since()
            if not result:
                _setns(here)
            if result or not injected:
                break
        if found:
            high = (low + high) // 2
        else:
            low = nth
    reached.close()
    return max(1, low - 5)


@tap.case
def namespaces_come():
    # the search runs through the kernel's own part, whose tables of sysctls
    # dump the stack when they get no memory, and that fails the run
    if "namespaces" not in sys.argv[1:]:
        raise tap.Skip("the kernel's own part of a namespace complains")
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    tally = Tally("a network namespace")
    first = before_the_module(here)
    tap.diag("from allocation %d on" % first)
    # what comes then, the loopback device say, is the kernel's affair again
    for nth in range(first, first + MODULES_PART):
        (result,), injected = injector.run(nth, Call("unshare", CLONE_NEWNET))
        if result:
            tally.failed += 1
            if not injected or -result not in MEMORY:
                tally.complain(nth, name(-result))
        else:
            try:
                with Client() as one:
                    if one.generation() != 1 or one.protos():
                        tally.complain(nth, "not empty")
            finally:
                _setns(here)
        if not injected:
            break
        tally.injected += 1
    os.close(here)
    tally.done()


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    tap.is_([one for one in client.handlers() if one.get("module") == "kraw"],
            [], "no slot held")


@tap.case
def the_module_loads():
    for one in (client, listener):
        one.close()
    tap.ok(module.unload(), "rmmod")
    # jump_label_module_notify() warns by itself when it gets no memory, and a
    # warning fails the run; with ARGS=insmod one can look at the rest. What the
    # module itself asks for can be told apart on the kernel with gcov.
    if "insmod" not in sys.argv[1:] and not inject.can_choose():
        raise tap.Skip("the kernel's own loader warns without memory")
    insmod.load()
    insmod.unload()
    fd = os.open(insmod._module(), os.O_RDONLY)
    tally = Tally("insmod")
    for nth in counting():
        with inject.FromModules() if "insmod" not in sys.argv[1:] else \
                ExitStack():
            (result,), injected = injector.run(
                nth, Call("finit_module", fd, b"\0", 0))
        if result:
            tally.failed += 1
            if not injected or -result not in MEMORY:
                tally.complain(nth, name(-result))
            if tool.loaded():
                tally.complain(nth, "it says %s, and is there" % name(-result))
        elif not insmod.unload():
            tally.complain(nth, "cannot be unloaded")
        if not injected:
            break
        tally.injected += 1
    os.close(fd)
    tally.done()
    insmod.load()
    the_first_claim()
    tap.ok(insmod.unload(), "rmmod")


def the_first_claim():
    """
    It makes the sockets' type known, of this protocol and at all; what is known
    already needs no memory.
    """
    global client
    client = Client(lab.right)

    def request(nth):
        return Request(K.CMD_PROTO_ADD, proto(200 + nth, claim="plain"))

    tally = Tally("the first claim")
    for nth, code in failing(request, tally):
        there = len(client.protos())
        if code is not None and there != (not code):
            tally.complain(nth, "%d protocols" % there)
        if there:
            client.apply()
    client.close()
    tally.done()


@tap.case
def in_all():
    tap.ok(injector.injections > 800, "%d injections" % injector.injections)


tap.run()
