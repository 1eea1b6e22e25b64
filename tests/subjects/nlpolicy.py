#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
The running module accepts exactly what the netlink specification says: family,
commands, privileges and groups; each command's attributes, their types and
limits, as the kernel's own policy dump tells; and everything else is refused
with a reason, at the right place, and changes nothing.
"""
import os
import struct
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.realpath(__file__)),
                             "..", part) for part in ("lib", "spec")]

sys.dont_write_bytecode = True

import genl  # noqa: E402
import spec  # noqa: E402
from krawtest import tap, tool  # noqa: E402

PROTO = 253
ONE = {"one-by", "one-reuseport"}
WHOLE_PROTO = {"number", "families", "claim", "deliver", "unreach",
               "account", "users"} | ONE
MATCHES = {"src", "src-prefix", "dst", "dst-prefix", "dev", "ttl-min",
           "ttl-max", "len-min", "len-max", "type-min", "type-max", "bpf",
           "expr", "dscp", "mark", "mark-mask", "fragment", "uid-min",
           "uid-max", "hdrincl", "spoofed"}
ACTIONS = {"limit-rate", "limit-burst", "mirror", "trace", "comment"} | ONE
WHOLE_RULE = {"proto", "hook", "pref", "verdict"} | MATCHES | ACTIONS
RULE_NAME = {"proto", "hook", "pref", "handle"}
PACKET = {"proto", "src", "dst", "dev", "len", "ttl", "dscp", "mark",
          "fragment", "payload"}

# What the nests of each command take; the schema has no words for it, the uapi
# header's comment says it.
NESTS = {
    ("proto-add", "do"): {"proto": WHOLE_PROTO},
    ("proto-set", "do"): {"proto": WHOLE_PROTO},
    ("proto-del", "do"): {"proto": {"number"}},
    ("proto-get", "do"): {"proto": {"number"}},
    ("proto-get", "dump"): {},
    ("rule-add", "do"): {"rule": WHOLE_RULE},
    ("rule-replace", "do"): {"rule": WHOLE_RULE | {"handle"}},
    ("rule-del", "do"): {"rule": RULE_NAME},
    ("rule-flush", "do"): {"rule": {"proto", "hook"}},
    ("rule-get", "do"): {"rule": RULE_NAME},
    ("rule-get", "dump"): {"rule": {"proto", "hook"}},
    ("apply", "do"): {"proto": WHOLE_PROTO, "rule": WHOLE_RULE},
    ("handler-get", "dump"): {},
    ("config-get", "do"): {},
    ("explain", "dump"): {"packet": PACKET},
    ("trace", "do"): {"rule": {"proto", "hook", "verdict", "trace"} |
                      MATCHES - {"expr"}, "trace": {"snaplen"}},
    ("trace-stop", "do"): {},
    ("socket-get", "dump"): {},
    ("dgram-get", "dump"): {},
    ("open-get", "do"): {"open": {"proto", "family", "uid", "gid"}},
}

# In the policy, but refused all the same, which another case proves.
REFUSED_LATER = {"rule-add": {"handle"}, "apply": {"handle"}}

# An otherwise right message of each command, to put one wrong thing into.
BASE = {
    ("rule-get", "dump"): {"rule": {"proto": PROTO}},
    ("explain", "dump"): {"packet": {"proto": PROTO, "src": None,
                                     "dst": None}},
    "proto-add": {"proto": {"number": PROTO + 1}},
    "proto-set": {"proto": {"number": PROTO}},
    "proto-del": {"proto": {"number": PROTO}},
    "proto-get": {"proto": {"number": PROTO}},
    "rule-add": {"rule": {"proto": PROTO, "verdict": 1}},
    "rule-replace": {"rule": {"proto": PROTO, "verdict": 1, "pref": 10}},
    "rule-del": {"rule": {"proto": PROTO, "pref": 10}},
    "rule-flush": {"rule": {"proto": PROTO}},
    "rule-get": {"rule": {"proto": PROTO, "pref": 10}},
    "trace": {"rule": {"proto": PROTO}, "trace": {"snaplen": 64}},
    "open-get": {"open": {"proto": PROTO, "family": 1}},
    "apply": {"proto": {"number": PROTO},
              "rule": {"proto": PROTO, "verdict": 1}},
}

# Well-formed values; anything else is made from its type.
SAMPLES = {"src": bytes([192, 0, 2, 1]), "dst": bytes([192, 0, 2, 2]),
           "bpf": struct.pack("=HBBI", 6, 0, 0, 1), "expr": b"ip\0",
           "dev": b"lo\0", "mirror": b"lo\0", "comment": b"a\0",
           "symbol": b"a\0", "module": b"a\0", "payload": b"a", "data": b"a",
           "handler": b"a\0", "comm": b"a\0",
           "src-prefix": b"\x20", "dst-prefix": b"\x20"}
SIZE = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}

kraw = spec.Spec()
# A notification, which the schema wants to be asked for.
NEVER_ASKED = kraw.ops["socket-event"]
del NEVER_ASKED["do"]


def requests():
    """(command, mode) of every request there is."""
    return [(name, mode) for name, op in kraw.ops.items()
            for mode in ("do", "dump") if mode in op]


def taken(name, mode):
    """Names of the top level attributes that a request takes."""
    return set(kraw.ops[name][mode].get("request", {}).get("attributes", []))


def sample(attribute, value=None):
    """A well-formed payload of an attribute."""
    if attribute["type"] in SIZE:
        low = kraw.policy(attribute).get("min", 1)
        value = max(low, 1) if value is None else value
        return value.to_bytes(SIZE[attribute["type"]], sys.byteorder)
    if attribute["type"] in ("nest", "pad", "unused", "flag"):
        return b""
    return SAMPLES[attribute["name"]]


def build(name, extra=(), inside=None, mode="do"):
    """
    The base message of a command, with extra attributes (raw bytes) at its end:
    of the message, or of its nest `inside`. Returns it, and the offset of the
    first extra one as an extended ack counts it.
    """
    message, offset = b"", None
    base = BASE.get(name if mode == "do" else (name, mode), {})
    for nest, values in base.items():
        space = kraw.sets[nest]
        body = b"".join(genl.attr(space[n]["value"], sample(space[n], v))
                        for n, v in values.items())
        if nest == inside:
            offset = len(message) + 4 + len(body)
            body += b"".join(extra)
        message += genl.attr(kraw.sets["kraw"][nest]["value"] | genl.NESTED,
                             body)
    if inside is not None and inside not in base:
        raise ValueError(f"{name} {mode} has no nest {inside}")
    if inside is None:
        offset = len(message)
        message += b"".join(extra)
    return message, 20 + offset


def send(name, mode, message):
    """None, or how the kernel refused."""
    try:
        sock.request(family.id, kraw.ops[name]["value"], message,
                     genl.DUMP if mode == "dump" else 0)
    except genl.Refused as refused:
        return refused
    return None


def state():
    """Everything that a client can see of the configuration."""
    return [[(m.command, m.payload)
             for m in sock.request(family.id, kraw.ops[name]["value"], b"",
                                   genl.DUMP)]
            for name in ("proto-get", "rule-get")]


class Trial:
    """Wrong messages to one command; one test point for each kind of wrong."""

    def __init__(self, name, mode):
        self.name, self.mode, self.wrong = name, mode, []

    def refused(self, what, extra, inside=None, codes=("EINVAL",)):
        message, offset = build(self.name, [extra], inside, self.mode)
        got = send(self.name, self.mode, message)
        what = f"{inside or 'message'}: {what}"
        if got is None:
            self.wrong.append(f"{what}: accepted")
        elif got.name not in codes:
            self.wrong.append(f"{what}: {got.name} ({got.text})")
        elif not got.text:
            self.wrong.append(f"{what}: {got.name} without a text")
        elif got.offset != offset and (self.mode, got.offset) != ("dump",
                                                                  None):
            # A dump that fails after its start cannot tell an offset (6.1).
            self.wrong.append(f"{what}: {got.text}: says offset {got.offset}, "
                              f"is {offset}")

    def result(self, title):
        tap.is_(self.wrong, [], f"{self.name} {self.mode}: {title}")
        self.wrong = []


def spaces(name, mode):
    """(nest or None, attribute set, names taken) of a request's levels."""
    yield None, kraw.sets["kraw"], taken(name, mode)
    for nest, inner in NESTS[name, mode].items():
        yield nest, kraw.sets[nest], inner


module = tap.cleanup(tool.Module())
sock = tap.cleanup(genl.Socket())
family = genl.family(sock, kraw.family)


@tap.case
def the_family():
    tap.is_(family.version, kraw.yaml["version"], "version")
    tap.is_(set(family.groups),
            {g["name"] for g in kraw.yaml["mcast-groups"]["list"]}, "groups")
    expected = {}
    for name, op in kraw.ops.items():
        if "do" not in op and "dump" not in op:
            continue
        expected[op["value"]] = (
            (genl.HAS_DO if "do" in op else 0) |
            (genl.HAS_DUMP if "dump" in op else 0) |
            (genl.UNS_ADMIN_PERM if "uns-admin-perm" in op.get("flags", [])
             else 0))
    tap.is_({op: flags & ~genl.HAS_POLICY for op, flags in family.ops.items()},
            expected, "commands: do, dump, and the privilege they need")
    tap.is_([op for op, flags in family.ops.items()
             if not flags & genl.HAS_POLICY], [], "each command has a policy")


@tap.case
def policies():
    by_command, by_index = genl.policies(sock, kraw.family)

    def check(index, attribute_set, names, title, later=frozenset()):
        space = kraw.sets[attribute_set]
        numbers = {a["value"]: a for a in space.values()}
        got = by_index.get(index, {})
        tap.is_({numbers[n]["name"] if n in numbers else n for n in got} -
                (later - names), names, f"{title}: attributes")
        said = {numbers[n]["name"]: {k: v for k, v in policy.items()
                                     if k not in ("policy", "maxtype")}
                for n, policy in got.items() if n in numbers}
        tap.is_(said, {name: kraw.policy(space[name]) for name in said},
                f"{title}: types and limits")

    for name, op in kraw.ops.items():
        modes = [mode for mode in ("do", "dump") if mode in op]
        if not modes:
            continue
        # One struct genl_ops has one policy for both.
        names = set().union(*(taken(name, mode) for mode in modes))
        for mode in modes:
            index = by_command.get((op["value"], mode))
            if index is None:
                tap.ok(False, f"{name} {mode}: has a policy")
                continue
            check(index, "kraw", names, f"{name} {mode}")
            for nest in sorted(names & {"proto", "rule", "packet"}):
                inner = set().union(*(NESTS[name, m].get(nest, set())
                                      for m in modes))
                number = kraw.sets["kraw"][nest]["value"]
                described = by_index.get(index, {}).get(number, {})
                check(described.get("policy"), nest, inner,
                      f"{name} {mode}, inside of {nest}",
                      REFUSED_LATER.get(name, set()) & set(kraw.sets[nest]))


@tap.case
def set_up():
    """Something that could be changed by mistake: a protocol with a rule."""
    for name in ("proto-add", "rule-add"):
        inner = {"proto-add": ("proto", {"number": PROTO}),
                 "rule-add": ("rule", {"proto": PROTO, "verdict": 1,
                                       "pref": 10})}[name]
        space = kraw.sets[inner[0]]
        body = [genl.attr(space[n]["value"], sample(space[n], v))
                for n, v in inner[1].items()]
        message = genl.attr(kraw.sets["kraw"][inner[0]]["value"], body)
        tap.is_(send(name, "do", message), None, name)


@tap.case
def unknown_and_foreign_attributes():
    before = state()
    for name, mode in requests():
        trial = Trial(name, mode)
        for nest, space, names in spaces(name, mode):
            for attribute in space.values():
                if attribute["name"] not in names:
                    trial.refused(
                        attribute["name"],
                        genl.attr(attribute["value"] |
                                  (genl.NESTED if attribute["type"] == "nest"
                                   else 0), sample(attribute)), nest)
            highest = max(a["value"] for a in space.values())
            for number in (highest + 1, highest + 100, 0x3fff):
                trial.refused(f"type {number}", genl.attr(number, b"\0" * 4),
                              nest)
        trial.result("refuses what it does not take")
    tap.is_(state(), before, "nothing has changed")


@tap.case
def malformed_attributes():
    before = state()
    for name, mode in requests():
        trial = Trial(name, mode)
        for nest, space, names in spaces(name, mode):
            for attribute in (space[n] for n in sorted(names)):
                number, kind = attribute["value"], attribute["type"]
                right = sample(attribute)
                if kind in SIZE:
                    for payload in (b"", right[1:], right + b"\0", right * 4):
                        trial.refused(f"{attribute['name']} of {len(payload)} "
                                      "bytes", genl.attr(number, payload), nest)
                elif kind == "string":
                    trial.refused(f"{attribute['name']} without its end",
                                  genl.attr(number, b"lo"), nest)
                elif kind == "nest":
                    trial.refused(f"{attribute['name']} without NLA_F_NESTED",
                                  genl.attr(number, genl.attr(1, b"\1")), nest)
        if trial.mode == "do" or taken(name, mode):
            trial.result("refuses what is malformed")
    tap.is_(state(), before, "nothing has changed")


@tap.case
def values_out_of_limits():
    before = state()
    codes = ("EINVAL", "ERANGE")
    for name, mode in requests():
        trial = Trial(name, mode)
        for nest, space, names in spaces(name, mode):
            for attribute in (space[n] for n in sorted(names)):
                policy, number = kraw.policy(attribute), attribute["value"]
                if attribute["type"] in SIZE:
                    top = (1 << 8 * SIZE[attribute["type"]]) - 1
                    bad = [policy.get("min", 0) - 1,
                           policy.get("max", policy.get("mask", 0)) + 1, top]
                    for value in {v for v in bad if 0 <= v <= top}:
                        if "mask" not in policy and (
                                policy["min"] <= value <= policy["max"]):
                            continue
                        trial.refused(f"{attribute['name']} {value}",
                                      genl.attr(number,
                                                sample(attribute, value)),
                                      nest, codes)
                elif "max-length" in policy:
                    long = policy["max-length"] + 1
                    text = attribute["type"] == "string"
                    trial.refused(f"{attribute['name']} of {long} bytes",
                                  genl.attr(number, b"x" * long + b"\0" * text),
                                  nest, codes)
        if trial.mode == "do" or taken(name, mode):
            trial.result("refuses what is out of limits")
    tap.is_(state(), before, "nothing has changed")


@tap.case
def commands_that_do_not_exist():
    for number in (0, max(op["value"] for op in kraw.ops.values()) + 1, 255,
                   NEVER_ASKED["value"]):
        try:
            sock.request(family.id, number)
            got = None
        except genl.Refused as refused:
            got = refused.name
        tap.is_(got, "EOPNOTSUPP", f"command {number}")
    for name, op in kraw.ops.items():
        for mode in ("do", "dump"):
            if mode not in op and ("do" in op or "dump" in op):
                got = send(name, mode, b"")
                tap.is_(got and got.name, "EOPNOTSUPP", f"{name} has no {mode}")


tap.run()
