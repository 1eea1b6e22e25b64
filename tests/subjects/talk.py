#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
kraw listen and kraw send: which socket they get, raw first, then a datagram
socket, then words that help; both families; what they print and write; echoes
that end; exclusive addresses; how they end; errors and bad input.
"""
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, sock, system, tap, tool
from krawtest.dgram import Dgram, error
from krawtest.manage import Count, managed
from krawtest.netns import Lab
from krawtest.who import marker

lab = tap.cleanup(Lab())
system.no_autoload()
module = tap.cleanup(tool.Module())
flush = marker(lab.l0, lab.r0).flush
PROTO, PORT = 253, 5150
USER = ("setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups",
        "--bounding-set", "-all")
ANY = {4: "0.0.0.0", 6: "::"}
LOCAL = {4: "127.0.0.1", 6: "::1"}
SECOND = {4: "10.9.0.99", 6: "fd09::99"}
lab.right.ip("addr add 10.9.0.99/24 dev r0",
             "addr add fd09::99/64 dev r0 nodad")
lab.left.ip(*("neigh replace %s lladdr %s dev l0 nud permanent" %
              (address, lab.r0.mac) for address in SECOND.values()))


def text(data):
    """Of bytes, whatever they are."""
    return data.decode("utf-8", "surrogateescape")


class Listen:
    """A running `kraw listen`; .sockets: what it says that it has got."""
    def __init__(self, *words, space=lab.right, user=False, options=(),
                 sockets=1, said_on="stdout"):
        with space:
            self.process = subprocess.Popen(
                [*(USER if user else ()), tool.KRAW, *options, "listen",
                 "proto", str(PROTO), *words], stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._text = {"stdout": b"", "stderr": b""}
        self.sockets = self.lines(sockets, said_on)

    def lines(self, count, name="stdout"):
        """The next lines that it writes there."""
        file, text, until = getattr(self.process, name), self._text[name], \
            clock.deadline(30)
        while text.count(b"\n") < count:
            if not select.select([file], [], [], clock.left(until))[0]:
                raise TimeoutError("kraw listen is silent: %r" % text)
            data = os.read(file.fileno(), 1 << 16)
            if not data:
                raise EOFError("kraw listen has ended: %s" %
                               self.process.stderr.read().decode())
            text += data
        lines = text.decode().splitlines(True)
        self._text[name] = "".join(lines[count:]).encode()
        return [line.rstrip("\n") for line in lines[:count]]

    def objects(self, count):
        """The same as JSON."""
        return [json.loads(line) for line in self.lines(count)]

    def end(self, how=signal.SIGINT):
        """(status, rest of stdout, stderr); how: a signal, or None to wait."""
        if how is not None:
            self.process.send_signal(how)
        out, err = self.process.communicate(timeout=60 * clock.SLOW)
        return self.process.returncode, text(self._text["stdout"] + out), \
            err.decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def run(words, space=lab.left, user=False, stdin=None):
    """kraw in a namespace, as root or as a user: Result."""
    words = words.split() if isinstance(words, str) else words
    done = space.run(*(USER if user else ()), tool.KRAW, *words,
                     text=not isinstance(stdin, bytes), input=stdin,
                     **({} if stdin is not None else
                        {"stdin": subprocess.DEVNULL}))
    return tool.Result(done.returncode, done.stdout, done.stderr)


def send(words, stdin="x\n", **more):
    """kraw send, from left."""
    return run("send proto %d %s" % (PROTO, words), stdin=stdin, **more)


def raw_socket(family, space=lab.left, address=None):
    """One of Python's, to send by."""
    with space:
        out = socket.socket(sock.FAMILY[family], socket.SOCK_RAW, PROTO)
        out.bind((address or lab.l0.addr[family], 0))
    return out


# --- which socket ------------------------------------------------------------

@tap.case
def raw_sockets_first():
    """Without a claim, and beside one: two raw sockets."""
    for words in ("", "claim plain"):
        with Listen("count", "2", sockets=2) as text, \
                Listen("hex", options=["-j"], sockets=2) as as_json:
            tap.is_(text.sockets,
                    ["listening proto 253 type raw family ipv6 at ::",
                     "listening proto 253 type raw family ipv4 at 0.0.0.0"],
                    "says which sockets it got")
            tap.is_([json.loads(line) for line in as_json.sockets],
                    [{"event": "listening", "proto": 253, "name": None,
                      "type": "raw", "families": [name], "local": any_}
                     for name, any_ in (("ipv6", "::"), ("ipv4", "0.0.0.0"))],
                    "the same as JSON")
            if words:
                tool.do("proto add 253 " + words, lab.right)
            for family in (4, 6):
                with raw_socket(family) as out:
                    out.sendto(b"a\x1b\0b", (lab.r0.addr[family], 0))
                flush()
                tap.is_(text.lines(1),
                        ["from %s to %s dev r0 len 4 a\\x1b\\x00b" %
                         (lab.l0.addr[family], lab.r0.addr[family])],
                        "IPv%d: a line, escaped" % family)
                tap.is_(as_json.objects(1),
                        [{"event": "datagram", "from": lab.l0.addr[family],
                          "to": lab.r0.addr[family], "dev": "r0", "len": 4,
                          "data": "611b0062"}], "IPv%d: JSON" % family)
            tap.is_(text.end(None), (0, "", "2 datagrams, 0 lost\n"),
                    "count: ends")
            tap.is_(as_json.end(), (0, "", "2 datagrams, 0 lost\n"),
                    "SIGINT: ends, with a summary")
            if words:
                tool.do("proto del 253", lab.right)


@tap.case
def a_datagram_socket_when_raw_is_refused():
    with managed(PROTO, lab.left, "claim plain"), \
            managed(PROTO, lab.right, "claim plain users uid 1000"):
        with Listen(user=True, options=["-j"]) as one:
            tap.is_([json.loads(line) for line in one.sockets],
                    [{"event": "listening", "proto": 253, "name": None,
                      "type": "dgram", "families": ["ipv4", "ipv6"],
                      "local": "::"}], "one socket for both families")
            for family in (4, 6):
                with Dgram(family, lab.left, bind=lab.l0.addr[family],
                           connect=lab.r0.addr[family]) as out:
                    out.send(b"hello")
                got = one.objects(1)[0]
                tap.is_((got["from"], got["to"], got["data"]),
                        (lab.l0.addr[family], lab.r0.addr[family],
                         b"hello".hex()), "IPv%d" % family)
            tap.is_(one.end(signal.SIGTERM), (
                0, "", "note: no raw socket: not permitted, it needs "
                "CAP_NET_RAW: a datagram socket instead.\n"
                "2 datagrams, 0 lost\n"), "it says why")
        with Listen("dgram") as one:
            tap.is_(one.sockets,
                    ["listening proto 253 type dgram family both at ::"],
                    "dgram, as root")
            tap.is_(one.end(), (0, "", "0 datagrams, 0 lost\n"),
                    "which needs no note")


@tap.each(("family ipv4", ["ipv4"], "0.0.0.0"), ("family ipv6", ["ipv6"], "::"))
def what_is_claimed(words, families, any_):
    with managed(PROTO, lab.right, "claim ports " + words):
        with Listen("dgram", options=["-j"]) as one:
            got = json.loads(one.sockets[0])
            tap.is_((got["families"], got["local"]), (families, any_),
                    "dual stack as far as there is one")
            tap.ok(1024 <= got["local_port"] < 65536, "a port of its own", got)


@tap.each(4, 6)
def one_address(family):
    """Of one family only, and the other family is free."""
    with managed(PROTO, lab.right, "claim ports"):
        for address in (ANY[family], lab.r0.addr[family]):
            other = 10 - family
            with Listen(address, "port", str(PORT)) as one:
                tap.is_(one.sockets,
                        ["listening proto 253 type dgram family ipv%d at %s "
                         "port 5150" % (family, address)], address)
                only = [(41, socket.IPV6_V6ONLY, 1)] if other == 6 else []
                tap.is_((error(Dgram, other, lab.right, bind=ANY[other],
                               port=PORT, options=only),
                         error(Dgram, family, lab.right, bind=address,
                               port=PORT)), (None, "EADDRINUSE"),
                        "this and no other address is taken")
        with Listen(lab.r0.addr[family], "raw") as one:
            tap.has(one.sockets[0], "type raw family ipv%d at %s" %
                    (family, lab.r0.addr[family]), "raw")


@tap.case
def names():
    """A name with addresses in both families; one that there is not."""
    with managed(PROTO, lab.right, "claim ports"):
        system.append("/etc/hosts",
                      "10.9.0.2 both.example\nfd09::2 both.example\n")
        with Listen("both.example", "port", "7", sockets=2) as one:
            tap.is_(one.sockets,
                    ["listening proto 253 type dgram family ipv6 at fd09::2 "
                     "port 7", "listening proto 253 type dgram family ipv4 at "
                     "10.9.0.2 port 7"], "a socket each")
    got = send("both.example raw")
    tap.has(got.out, " to fd09::2\n", "send: the first one that works")


@tap.case
def words_that_help():
    """What the message says that root should do is what helps."""
    for user, words, reasons in (
            (True, "listen proto 253", ("CAP_NET_RAW", "not claimed")),
            (True, "listen proto 253 port 5150", ("not claimed",)),
            (False, "listen proto 253 dgram", ("not claimed",)),
            (True, "send proto 253 10.9.0.1", ("CAP_NET_RAW", "not claimed"))):
        got = run(words, lab.right, user, "" if "send" in words else None)
        tap.ok(got.status == 2 and not got.out and got.err.count("\n") == 1 and
               all(part in got.err for part in reasons), words, got)
        remedy = re.search(r"'kraw (proto add [^']*)'", got.err).group(1)
        tool.do(remedy, lab.right)
        if "listen" in words:
            with Listen(*words.split()[3:], user=user) as one:
                tap.has(one.sockets[0], "type dgram", remedy)
        else:
            tap.has(run(words, lab.right, user, "").out, "type dgram", remedy)
        tool.do("proto set 253 users none", lab.right)
        if user:
            got = run(words, lab.right, user, "" if "send" in words else None)
            tap.ok(got.status == 2 and "does not let this user in" in got.err
                   and got.err.count("\n") == 1, words + ": not let in", got)
            remedy = re.search(r"'kraw (proto set [^']*)'", got.err).group(1)
            tool.do(remedy, lab.right)
            if "listen" in words:
                with Listen(*words.split()[3:], user=user) as one:
                    tap.has(one.sockets[0], "type dgram", remedy)
        tool.do("proto del 253", lab.right)
    got = run("listen proto 253 raw", lab.right, True)
    tap.ok(got.status == 2 and "leave out 'raw'" in got.err, "raw only", got)


@tap.case
def udp():
    """The kernel's own datagram sockets are some, too."""
    with lab.right:
        process = subprocess.Popen(
            [*USER, tool.KRAW, "listen", "proto", "udp", "port", "7777",
             "count", "1", "echo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True)
    tap.is_(process.stdout.readline(), "listening proto 17 type dgram family "
            "both at :: port 7777\n", "listens")
    got = run("send proto udp 10.9.0.2 port 7777 echo", user=True, stdin="hi\n")
    tap.ok(got.status == 0 and got.out.endswith(" len 2 answer hi\n"),
           "has an answer", got)
    tap.is_(process.communicate(timeout=60 * clock.SLOW)[1],
            "1 datagram, 0 lost, 1 sent back\n", "summary")
    got = run("listen proto udp port 7777 exclusive")
    tap.ok(got.status == 2 and "kernel's own" in got.err,
           "which has no exclusive addresses", got)


# --- there and back ----------------------------------------------------------

@tap.each("raw", "plain", "ports")
def echo(claim):
    """From the address that was asked, however many this host has."""
    words = "raw" if claim == "raw" else "dgram"
    port = "port %d" % PORT if claim == "ports" else ""
    lines = "claim plain" if claim == "raw" else "claim " + claim
    with managed(PROTO, lab.left, lines), managed(PROTO, lab.right, lines), \
            Listen(*words.split(), *port.split(), "echo",
                   sockets=2 if claim == "raw" else 1) as one:
        for family in (4, 6):
            for address in (lab.r0.addr[family], SECOND[family]):
                got = send("%s %s %s echo count 2" % (address, words, port),
                           stdin="one\ntwo\n")
                tap.is_((got.status, got.err, re.findall(
                    r"^from (\S+) .*len 3 answer (\w+)$", got.out, re.M)),
                    (0, "4 datagrams sent, 4 answered\n",
                     [(address, word) for word in
                      ("one", "one", "two", "two")]), "from " + address)
        tap.is_(one.end()[::2],
                (0, "16 datagrams, 0 lost, 16 sent back\n"), "summary")


@tap.each(4, 6)
def echoes_end(family):
    """Of a host with itself, and of two that echo: answers are not answered."""
    me = LOCAL[family]
    for words in ("raw", "dgram"):
        with managed(PROTO, lab.right, "claim plain"), \
                raw_socket(family, lab.right, me) as out, \
                Listen(me, words, "echo", options=["-j"]) as one:
            out.sendto(b"first", (me, 0))
            tap.is_([(row["data"], row.get("answer"))
                     for row in one.objects(2)],
                    [(b"first".hex(), None), (b"first".hex(), True)],
                    words + ": it hears its answer")
            got = run("send proto 253 %s raw echo" % me, lab.right,
                      stdin="me\n")
            tap.is_((got.status, got.err), (0, "1 datagram sent, 1 answered\n"),
                    "as does who waits for it")
            one.lines(2)
            out.sendto(b"last", (me, 0))
            tap.is_([row.get("answer") for row in one.objects(2)],
                    [None, True], "and so on")
            tap.is_(one.end()[::2], (0, "6 datagrams, 0 lost, 3 sent back\n"),
                    "it ends")
            got = run("send proto 253 %s dgram" % me, lab.right, stdin="me\n")
            tap.ok(got.status == 2 and "use raw" in got.err and
                   got.err.count("\n") == 1, "datagrams to oneself", got)
    with managed(PROTO, lab.left, "claim plain"), \
            managed(PROTO, lab.right, "claim plain"), \
            Listen("dgram", "echo") as right, \
            Listen("dgram", "echo", space=lab.left) as left:
        with Dgram(family, lab.left, connect=lab.r0.addr[family]) as out:
            out.send(b"ping")
        tap.has(right.lines(1)[0], "len 4 ping", "two that echo")
        flush()
        # left hears it, unless the socket that sent was still there
        with Dgram(family, lab.left, connect=lab.r0.addr[family]) as out:
            out.send(b"pong")
            tap.is_(out.wait()[0], b"pong", "an answer for who waits")
        flush()
        tap.ok(right.end()[2].endswith(" sent back\n") and
               left.end()[2].endswith(", 0 sent back\n"),
               "the answers go back to nobody")


@tap.case
def forms_and_files():
    """What listen writes is what send reads."""
    body = bytes(range(256)) * 3
    for name, data in (("bytes", body), ("lines", b"one\n\ntwo"),
                       ("hex", b"6f6e65\n\n00:ff\n")):
        with open("/tmp/" + name, "wb") as file:
            file.write(data)
    wanted = {"bytes": [body], "lines": [b"one", b"", b"two"],
              "hex": [b"one", b"", b"\0\xff"]}
    again = {"bytes": body, "lines": b"one\n\ntwo\n",
             "hex": b"6f6e65\n\n00ff\n"}
    with managed(PROTO, lab.left, "claim plain"), \
            managed(PROTO, lab.right, "claim plain"):
        for name, form in (("bytes", ""), ("lines", "text"), ("hex", "hex")):
            count = len(wanted[name])
            with Listen("dgram", "json", "count", str(count)) as one, \
                    Listen("raw", "json", "count", str(count), "file",
                           "/tmp/json", sockets=2) as other:
                got = send("10.9.0.2 dgram file /tmp/%s %s" % (name, form))
                tap.is_((got.status, got.err), (0, "%d datagram%s sent\n" % (
                    count, "s"[count == 1:])), name + " are sent")
                tap.is_([bytes.fromhex(row["data"])
                         for row in one.objects(count)], wanted[name],
                        "and come")
                tap.is_([end.end(None)[0] for end in (one, other)], [0, 0],
                        "the listeners end")
            with Listen("dgram", "count", str(count), *form.split(), "file",
                        "-", said_on="stderr") as one:
                tap.is_(one.sockets,
                        ["listening proto 253 type dgram family both at ::"],
                        "with file -, on standard error")
                send("10.9.0.2 dgram json file /tmp/json")
                status, out, err = one.end(None)
                tap.is_((status, out), (0, text(again[name])),
                        "and out again, from JSON, as " + name)
                tap.is_(err, "%d datagram%s, 0 lost\n" %
                        (count, "s"[count == 1:]), "summary")
        with Listen("dgram", "count", "1", "file", "/tmp/copy") as one:
            send("10.9.0.2 dgram file -", stdin=body)
            tap.is_(one.end(None)[0], 0, "a file")
        with open("/tmp/copy", "rb") as file:
            tap.is_(file.read(), body, "byte by byte")


@tap.each(4, 6)
def large(family):
    """The largest datagram, and one byte more."""
    most = {4: 65515, 6: 65535}[family] - 8
    with managed(PROTO, lab.left, "claim ports"), \
            managed(PROTO, lab.right, "claim ports"), \
            Listen("port", "7", "count", "1", options=["-j"]) as one:
        to = "%s port 7 file -" % lab.r0.addr[family]
        got = send(to, stdin=b"x" * (most + 1))
        tap.ok(got.status == 2 and b"%d bytes are too many" % (most + 1) in
               got.err and got.err.count(b"\n") == 1, "one too many", got.err)
        got = send(to, stdin=b"x" * 65536)
        tap.ok(got.status == 1 and b"no datagram can carry" in got.err,
               "more than any", got.err)
        tap.is_(send(to, stdin=b"x" * most).status, 0, "%d" % most)
        tap.is_(one.objects(1)[0]["len"], most, "comes")


# --- beside others -----------------------------------------------------------

@tap.case
def beside_others():
    """A raw one and a datagram one both receive; verdicts come before."""
    with managed(PROTO, lab.left, "claim plain"), \
            managed(PROTO, lab.right, "claim plain",
                    "src 10.9.0.17 deliver none",
                    "src 10.9.0.33 deliver raw"), \
            Listen("raw", options=["-j"], sockets=2) as raw, \
            Listen("dgram", options=["-j"]) as dgram, \
            sock.Reader(PROTO, 4, lab.right) as reader:
        for source in ("10.9.0.17", "10.9.0.33", "10.9.0.1"):
            with Dgram(4, lab.left, bind=source, connect=lab.r0.addr[4]) as out:
                out.send(b"x")
        tap.is_([row["from"] for row in raw.objects(2)],
                ["10.9.0.33", "10.9.0.1"], "raw")
        tap.is_([row["from"] for row in dgram.objects(1)], ["10.9.0.1"],
                "datagram")
        tap.is_(reader.wait(2), [b"x"] * 2, "somebody else's raw socket")
        tap.is_([one.end()[2] for one in (raw, dgram)],
                ["2 datagrams, 0 lost\n", "1 datagram, 0 lost\n"], "no more")


@tap.case
def exclusive():
    reuse = [(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)]
    with managed(PROTO, lab.right, "claim ports users all"):
        for words, wanted in (((), None), (("exclusive",), "EACCES")):
            with Listen("port", str(PORT), *words) as one:
                tap.is_(one.sockets[0].endswith(" exclusive"), bool(words),
                        "it says so")
                tap.is_([error(Dgram, 4, lab.right, bind=ANY[4], port=PORT,
                               options=reuse),
                         error(Dgram, 6, lab.right, bind=ANY[6], port=PORT,
                               options=reuse)], [wanted] * 2, "over it")
                got = run("listen proto 253 port %d" % PORT, lab.right, True)
                tap.ok(got.status == 2 and "port 5150: taken" in got.err,
                       "another one", got)


@tap.case
def devices():
    with managed(PROTO, lab.left, "claim plain"), \
            managed(PROTO, lab.right, "claim plain"), \
            Listen("dgram", "dev", "lo") as lo, \
            Listen("dgram", "dev", "r0", "count", "1") as r0:
        tap.has(r0.sockets[0], " dev r0", "it says so")
        send("10.9.0.2 dgram dev l0")
        tap.has(r0.lines(1)[0], " dev r0 ", "the device that it came in by")
        tap.is_(lo.end()[2], "0 datagrams, 0 lost\n", "the other one")


@tap.each(4, 6)
def what_is_lost(family):
    """As many as the module counts, while nobody reads."""
    with managed(PROTO, lab.left, "claim plain"), \
            managed(PROTO, lab.right, "claim plain"), \
            Listen("dgram") as one, \
            Dgram(family, lab.left, connect=lab.r0.addr[family]) as out:
        one.process.send_signal(signal.SIGSTOP)
        with Count(PROTO, family, lab.right) as count:
            for _ in range(400):
                out.send(bytes(1400))
            flush()
        one.process.send_signal(signal.SIGCONT)
        came, lost = (count.delta.get(name, 0)
                      for name in ("dgram", "dgram_refused"))
        tap.ok(came + lost == 400 and lost, "the queue overflows", count.delta)
        one.lines(came)
        tap.is_(one.end(), (0, "", "%d datagrams, %d lost\n" % (came, lost)),
                "which it tells")


# --- ends and errors ---------------------------------------------------------

@tap.case
def ends():
    with managed(PROTO, lab.left, "claim plain"):
        tool.do("proto add 253 claim plain", lab.right)
        for words, datagrams in ((("dgram",), 0), (("dgram",), 2),
                                 (("dgram", "file", "-"), 2)):
            with Listen(*words, said_on="stderr" if "file" in words else
                        "stdout") as one:
                one.process.stdout.close()
                for _ in range(datagrams):
                    send("10.9.0.2 dgram")
                status = one.process.wait(60 * clock.SLOW)
                tap.is_((status, one.process.stderr.read()), (0, b""),
                        "its reader goes away, %d datagrams" % datagrams)
                one.process.stdout = None
        with Listen("dgram") as one:
            tool.do("proto del 253 force", lab.right)
            status, _, err = one.end(None)
            tap.ok(status == 2 and "has gone" in err and err.count("\n") == 1,
                   "its claim goes", err)
    with open("/dev/full", "w") as full:
        with lab.right:
            done = subprocess.run([tool.KRAW, "listen", "proto", "253"],
                                  stdout=full, stderr=subprocess.PIPE,
                                  text=True)
    tap.is_((done.returncode, done.stderr), (
        2, "Error: cannot write the output: No space left on device.\n"),
        "a full disk")


@tap.each(4, 6)
def what_the_network_says(family):
    """ICMP errors and rules, in words."""
    to = lab.r0.addr[family]
    long = "a line that an ICMP error can quote\n"
    for claim, words in (("plain", "raw"), ("plain", "dgram")):
        with managed(PROTO, lab.left, "claim " + claim):
            got = send("%s %s echo" % (to, words), stdin=long)
            tap.ok(got.status == 2 and "protocol unreachable" in got.err and
                   got.err.count("\n") == 1, words + ": nobody there", got)
    with managed(PROTO, lab.left, "claim ports"), \
            managed(PROTO, lab.right, "claim ports"):
        got = send(to + " port 7 echo", stdin=long)
        tap.ok(got.status == 2 and "port unreachable" in got.err, "no port",
               got)
    unknown = {4: "198.51.100.1", 6: "2001:db8::1"}[family]
    got = send(unknown)
    tap.ok(got.status == 2 and "cannot be reached" in got.err, "no route", got)
    with managed(PROTO, lab.left):
        tool.do("rule add hook output proto 253 deny", lab.left)
        got = send(to)
        tap.ok(got.status == 2 and "hook output" in got.err, "denied", got)


@tap.case
def bad_input():
    with open("/tmp/odd", "w") as file:
        file.write("00\n0\n")
    with managed(PROTO, lab.right, "claim plain"), \
            managed(252, lab.right, "claim ports"):
        for words, status, part in (
                ("listen port 7", 1, "which protocol"),
                ("listen proto", 1, "needs a value"),
                ("listen proto 256", 1, "255"),
                ("listen proto nosuchproto", 1, "nosuchproto"),
                ("listen proto 252 port 65536", 1, "65535"),
                ("listen proto 252 port -1", 1, "not a number"),
                ("listen proto 252 port x", 1, "not a number"),
                ("listen proto 253 raw port 7", 1, "raw sockets have no ports"),
                ("listen proto 253 raw exclusive", 1, "leave out"),
                ("listen proto 253 raw dgram", 1, "one of them"),
                ("listen proto 253 hex text", 1, "one of"),
                ("listen proto 253 count 0", 1, "at least 1"),
                ("listen proto 253 dev nodevice", 1, "no such device"),
                ("listen proto 253 10.9.0.2 10.9.0.3", 1, "not understood"),
                ("listen proto 253 no.such.name.invalid", 1, "no.such.name"),
                ("listen proto 253 port 7", 2, "claimed without ports"),
                ("listen proto 253 192.0.2.1", 2, "no address of this host"),
                ("listen proto 253 dgram fe80::1", 2, "device"),
                ("listen proto 253 file /nowhere/x", 2, "cannot write"),
                ("listen proto 251 dgram", 2, "not claimed"),
                ("send proto 253", 1, "to whom"),
                ("send proto 252 10.9.0.1 dgram", 2, "say port N"),
                ("send proto 253 10.9.0.1 port 7", 2, "leave it out"),
                ("send proto 253 10.9.0.1 file /nowhere", 1, "/nowhere"),
                ("send proto 253 10.9.0.1 file /tmp", 1, "Is a directory"),
                ("send proto 253 10.9.0.1 hex file /tmp/odd", 1, "/tmp/odd:2:"),
                ("send proto 253 10.9.0.1 json file /tmp/odd", 1, "JSON")):
            got = run(words, lab.right, stdin="x\n")
            tap.ok(got.status == status and got.err.startswith("Error: ") and
                   part in got.err and got.err.count("\n") == 1, words, got)
        got = run("-b -", lab.right, stdin="send proto 253 10.9.0.1\nproto\n")
        tap.ok(got.status == 1 and "file F" in got.err, "in a batch", got)
        for name in ("listen", "send"):
            got = run(name, lab.right)
            tap.ok(got.status == 1 and got.err.startswith("Usage:"), name, got)
            got = run(name + " help", lab.right)
            tap.ok(got.status == 0 and got.out.startswith("Usage:"), "help")


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
