# SPDX-License-Identifier: GPL-2.0
"""
kraw by netlink, in this process: what the tool does, and what it would never
do.  Numbers come from the uapi header, so nothing here repeats them.

    with Client(lab.right) as client:
        client.send(K.CMD_PROTO_ADD, proto(253, claim="plain"))
        client.protos()		# [{"number": 253, "claim": 1, ...}]

A refusal raises genl.Refused with .name ("EBUSY"), .text and .offset.
"""
import contextlib
import os
import re
import socket
import struct
import sys
from types import SimpleNamespace

_ROOT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..",
                     "..")
sys.path.append(os.path.join(_ROOT, "tests", "spec"))
import genl		# noqa: E402

Refused = genl.Refused


def _constants():
    """KRAW_CMD_APPLY as .CMD_APPLY, and so on."""
    with open(os.path.join(_ROOT, "kmod", "uapi", "linux", "kraw.h")) as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
    found = dict((name, int(value, 0)) for name, value in
                 re.findall(r"#define KRAW_(\w+)\s+(\w+)\s*$", text, flags=re.M)
                 if value[0].isdigit())
    for body in re.findall(r"enum \w+ \{(.*?)\}", text, flags=re.S):
        value = 0
        for entry in filter(None, (e.strip() for e in body.split(","))):
            name, _, given = (part.strip() for part in entry.partition("="))
            if name.startswith("KRAW_") and not given:
                found[name[len("KRAW_"):]] = value
            value += 1
    return SimpleNamespace(**found)


K = _constants()


_BYTES = {"src", "dst", "bpf", "local", "peer", "icmp_filter", "users"}
_TEXT = {"dev", "expr", "symbol", "module", "mirror", "comment", "handler"}


def _flag_or_number(payload):
    return genl.number(payload) if payload else True


def _fields(prefix, nests=()):
    """By kind: name, and what makes a value of a payload; None for `nests`."""
    def value_of(name):
        if name in nests:
            return None
        return bytes if name in _BYTES else \
            genl.text if name in _TEXT else _flag_or_number
    return {value: (name, value_of(name)) for value, name in
            ((value, name[len(prefix):].lower())
             for name, value in vars(K).items() if name.startswith(prefix))
            if name not in ("max", "unspec", "pad")}


_TOP = {K.A_GENERATION: "generation", K.A_FLAGS: "flags", K.A_PROTO: "proto",
        K.A_RULE: "rule", K.A_HANDLER: "handler", K.A_PACKET: "packet",
        K.A_STEP: "step", K.A_TRACE: "trace", K.A_DATA: "data",
        K.A_SOCKET: "socket", K.A_PID: "pid", K.A_COMM: "comm",
        K.A_PROTO_COUNT: "proto_count", K.A_RULE_COUNT: "rule_count",
        K.A_OPEN: "open", K.A_EVENT: "event"}
_NESTS = {"proto": _fields("PROTO_A_", ("stats",)),
          "rule": _fields("RULE_A_"),
          "handler": _fields("HANDLER_A_"), "stats": _fields("STATS_A_"),
          "packet": _fields("PACKET_A_"), "step": _fields("STEP_A_"),
          "trace": _fields("TRACE_A_", ("socket", "dgram")),
          "trace_socket": _fields("TRACE_SOCKET_A_"),
          "socket": _fields("SOCKET_A_"),
          "open": _fields("OPEN_A_", ("entry",)),
          "entry": _fields("USER_A_"), "event": _fields("EVENT_A_")}
_FLAGS = ("fragment", "hdrincl", "spoofed", "trace", "one_reuseport")
_SIZES = {"pref": "=I", "handle": "=I", "len_min": "=I", "len_max": "=I",
          "mark": "=I", "mark_mask": "=I", "uid_min": "=I", "uid_max": "=I",
          "limit_rate": "=I", "limit_burst": "=I"}


# --- writing -----------------------------------------------------------------

def _word(kind, value):
    """A word such as "plain" as its number."""
    return getattr(K, "%s_%s" % (kind, value.upper())) \
        if isinstance(value, str) else value


def u8(kind, value):
    """An attribute of one byte."""
    return genl.attr(kind, struct.pack("=B", value))


def u32(kind, value):
    """An attribute of four bytes."""
    return genl.attr(kind, struct.pack("=I", value))


def proto(number, families=None, claim=None, deliver=None, unreach=None,
          extra=()):
    """A nest KRAW_A_PROTO."""
    body = [] if number is None else [u8(K.PROTO_A_NUMBER, number)]
    for name, kind, value in (("FAMILIES", "FAMILY", families),
                              ("CLAIM", "CLAIM", claim),
                              ("DELIVER", "VERDICT", deliver),
                              ("UNREACH", "UNREACH", unreach)):
        if value is not None:
            body.append(u8(getattr(K, "PROTO_A_" + name), _word(kind, value)))
    return genl.attr(K.A_PROTO, body + list(extra))


def _prefix(kind, text):
    addr, _, bits = text.partition("/")
    data = socket.inet_pton(socket.AF_INET6 if ":" in addr else
                            socket.AF_INET, addr)
    return [genl.attr(kind, data)] + ([u8(kind + 1, int(bits))] if bits else [])


def rule(number, verdict=None, hook=None, src=None, dst=None, dev=None,
         bpf=None, expr=None, comment=None, extra=(), **numbers):
    """
    A nest KRAW_A_RULE.  src, dst: text; bpf: a list of (code, jt, jf, k), or
    bytes; numbers: pref, handle, ttl_min, ttl_max, len_min, ...; flags: True
    """
    body = [] if number is None else [u8(K.RULE_A_PROTO, number)]
    if hook is not None:
        body.append(u8(K.RULE_A_HOOK, _word("HOOK", hook)))
    for name, value in numbers.items():
        kind = getattr(K, "RULE_A_" + name.upper())
        body.append(genl.attr(kind, b"" if name in _FLAGS else
                              struct.pack(_SIZES.get(name, "=B"), value)))
    if verdict is not None:
        body.append(u8(K.RULE_A_VERDICT, _word("VERDICT", verdict)))
    for kind, value in ((K.RULE_A_SRC, src), (K.RULE_A_DST, dst)):
        if value is not None:
            body += _prefix(kind, value)
    for kind, value in ((K.RULE_A_DEV, dev), (K.RULE_A_EXPR, expr),
                        (K.RULE_A_COMMENT, comment)):
        if value is not None:
            body.append(genl.attr(kind, value.encode() + b"\0"))
    if bpf is not None:
        if not isinstance(bpf, bytes):
            bpf = b"".join(struct.pack("=HBBI", *step) for step in bpf)
        body.append(genl.attr(K.RULE_A_BPF, bpf))
    return genl.attr(K.A_RULE, body + list(extra))


def packet(number, src=None, dst=None, dev=None, payload=None, fragment=False,
           extra=(), **numbers):
    """
    A nest KRAW_A_PACKET.  src, dst: text; payload: bytes; numbers: len, ttl,
    dscp, mark.
    """
    body = [] if number is None else [u8(K.PACKET_A_PROTO, number)]
    for kind, value in ((K.PACKET_A_SRC, src), (K.PACKET_A_DST, dst)):
        if value is not None:
            body += _prefix(kind, value)
    for name, value in numbers.items():
        make = u32 if name in ("len", "mark") else u8
        body.append(make(getattr(K, "PACKET_A_" + name.upper()), value))
    if dev is not None:
        body.append(genl.attr(K.PACKET_A_DEV, dev.encode() + b"\0"))
    if payload is not None:
        body.append(genl.attr(K.PACKET_A_PAYLOAD, payload))
    if fragment:
        body.append(genl.attr(K.PACKET_A_FRAGMENT))
    return genl.attr(K.A_PACKET, body + list(extra))


def generation(value):
    """The attribute KRAW_A_GENERATION."""
    return u32(K.A_GENERATION, value)


# --- reading -----------------------------------------------------------------

def _nest(fields, payload):
    out = {}
    for kind, data in genl.attrs(payload):
        name, value = fields.get(kind, (None, None))
        if value:
            out[name] = value(data)
        elif name == "stats":
            stats = _nest(_NESTS["stats"], data)
            out.setdefault("stats", {})[stats.pop("family")] = stats
        elif name == "entry":
            out[name] = _nest(_NESTS[name], data)
        elif name:
            out.setdefault(name, []).append(
                _nest(_NESTS["trace_socket"], data))
    return out


def _our_pids():
    """Our pid namespace; None where /proc is that of another one."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return None


def read(payload):
    """
    The attributes of a message as dictionaries, names as in the header.  pid is
    the number in our pid namespace, pids has all that is told, by namespace.
    """
    out = {}
    for kind, data in genl.attrs(payload):
        name = _TOP.get(kind)
        if name in _NESTS:
            out[name] = _nest(_NESTS[name], data)
        elif name == "data":
            out[name] = data
        elif name == "comm":
            out[name] = genl.text(data)
        elif name == "pid":
            nest = dict(genl.attrs(data))
            where = genl.number(nest[K.PID_A_NAMESPACE])
            out.setdefault("pids", {})[where] = genl.number(
                nest[K.PID_A_NUMBER])
            if where == _our_pids():
                out["pid"] = out["pids"][where]
        elif name:
            out[name] = genl.number(data)
    return out


# --- talking -----------------------------------------------------------------

class Client:
    """A netlink socket of one namespace (None: where we are)."""
    def __init__(self, namespace=None):
        with namespace or contextlib.nullcontext():
            self.nl = genl.Socket()
        try:
            self.family = genl.family(self.nl, "kraw")
        except BaseException:
            self.nl.close()
            raise

    def send(self, command, *attributes, flags=0):
        """One request: the Messages of its answer, or Refused."""
        return self.nl.request(self.family.id, command, b"".join(attributes),
                               flags)

    def refusal(self, command, *attributes, flags=0):
        """The Refused of a request, None if it worked."""
        try:
            self.send(command, *attributes, flags=flags)
        except Refused as refused:
            return refused
        return None

    def _dump(self, command, *attributes):
        """A dump that nothing interrupted."""
        for _ in range(100):
            messages = self.send(command, *attributes, flags=genl.DUMP)
            if not any(m.flags & genl.DUMP_INTR for m in messages):
                return [read(m.payload) for m in messages]
        raise TimeoutError("the configuration keeps changing")

    def protos(self):
        """All managed protocols, with counters."""
        return [m["proto"] for m in self._dump(K.CMD_PROTO_GET)]

    def proto(self, number):
        """One managed protocol, with counters."""
        answer, = self.send(K.CMD_PROTO_GET, proto(number))
        return read(answer.payload)["proto"]

    def rules(self):
        """All rules, with counters."""
        return [m["rule"] for m in self._dump(K.CMD_RULE_GET)]

    def rules_as_they_are(self):
        """All rules, each as the bytes of its nest: to compare many."""
        messages = self.send(K.CMD_RULE_GET, flags=genl.DUMP)
        return [dict(genl.attrs(m.payload))[K.A_RULE] for m in messages]

    def handlers(self):
        """The host's handler table, without what is said of namespaces."""
        return [{name: value & ~K.HANDLER_HERE if name == "flags" else value
                 for name, value in m["handler"].items()}
                for m in self._dump(K.CMD_HANDLER_GET)]

    def explain(self, number, src, dst, **more):
        """
        What would happen to a packet: its steps, each a message; the arguments
        are those of packet().
        """
        return [read(m.payload) for m in self.send(
            K.CMD_EXPLAIN, packet(number, src, dst, **more), flags=genl.DUMP)]

    def sockets(self):
        """What sock_diag does not tell of raw and packet sockets, by inode."""
        found = [m["socket"] for m in self._dump(K.CMD_SOCKET_GET)]
        return {one.pop("inode"): one for one in found}

    def opens(self, number, family, uid=None, gid=None):
        """Whether a datagram socket of IPv4 or 6 may be opened, and why."""
        body = [u8(K.OPEN_A_PROTO, number),
                u8(K.OPEN_A_FAMILY, {4: K.FAMILY_IPV4, 6: K.FAMILY_IPV6}[family])]
        body += [u32(kind, value) for kind, value in
                 ((K.OPEN_A_UID, uid), (K.OPEN_A_GID, gid)) if value is not None]
        answer, = self.send(K.CMD_OPEN_GET, genl.attr(K.A_OPEN, body))
        return read(answer.payload)["open"]

    def generation(self):
        """Of the configuration in force."""
        answer, = self.send(K.CMD_CONFIG_GET)
        return read(answer.payload)["generation"]

    def state(self):
        """Everything that a client can see, counters and all."""
        return {"generation": self.generation(), "protos": self.protos(),
                "rules": self.rules(), "handlers": self.handlers()}

    def apply(self, *nests, check=False, expect=None):
        """KRAW_CMD_APPLY with these nests."""
        head = []
        if check:
            head.append(u32(K.A_FLAGS, K.FLAG_CHECK))
        if expect is not None:
            head.append(generation(expect))
        data = b"".join(head + list(nests))
        if len(data) > 100000:
            self.nl.sock.setsockopt(socket.SOL_SOCKET, 32,	# SO_SNDBUFFORCE
                                    len(data) + 65536)
        return self.send(K.CMD_APPLY, data)

    def close(self):
        """Close the socket."""
        self.nl.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Dump:
    """
    A dump that is read one datagram at a time: what the kernel has not been
    asked for yet, it has not written yet.
    """
    def __init__(self, client, command, *attributes):
        self._nl = client.nl
        self._nl.seq += 1
        data = b"".join(attributes)
        self._nl.sock.send(struct.pack(
            "=IHHIIBBH", 20 + len(data), client.family.id,
            genl.REQUEST | genl.DUMP, self._nl.seq, 0, command, 1, 0) + data)
        self.interrupted = False
        self.done = False

    def _messages(self):
        """The messages of the next datagram."""
        out = []
        for kind, message in self._nl.receive():
            if message.seq != self._nl.seq:
                continue
            if message.flags & genl.DUMP_INTR:
                self.interrupted = True
            if kind in (genl.NLMSG_DONE, genl.NLMSG_ERROR):
                self.done = True
                genl.Socket._check(kind, message)
            else:
                out.append(message)
        return out

    def step(self):
        """The objects of the next datagram."""
        return [read(message.payload) for message in self._messages()]

    def end(self):
        """Read to the end, whatever is there; was it interrupted?"""
        while not self.done:
            self._messages()
        return self.interrupted

    def rest(self):
        """Everything up to the end."""
        out = []
        while not self.done:
            out += self.step()
        return out

