#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
The kernel's own YNL client, which knows nothing but the specification, drives
the running module: every command, every attribute, notifications, refusals.
"""
import os
import socket
import struct
import sys

import yaml

sys.path[:0] = [os.path.join(os.path.dirname(os.path.realpath(__file__)),
                             "..", part) for part in ("lib", "spec")]
sys.dont_write_bytecode = True

import genl  # noqa: E402
import spec  # noqa: E402
import ynl_tree  # noqa: E402
from krawtest import clock, tap, tool  # noqa: E402

try:
    tree = ynl_tree.cached()
except ynl_tree.Unavailable as why:
    tap.skip_all(str(why))
if not tree:
    tap.skip_all("no YNL client in .cache: tests/spec/ynl_tree.py fetches it")
sys.path.insert(0, str(tree / "tools/net/ynl"))
from lib import NlError, YnlFamily  # noqa: E402

# It reads two files of thousands of lines each time.
yaml.SafeLoader = spec.QUICK

SCHEMA = str(tree / ynl_tree.SCHEMA)
ECHO = 0x8

COUNTERS = {name: 0 for name in spec.Spec().sets["stats"]
            if name not in ("unspec", "family", "pad")}
ACCEPT = struct.pack("=HBBI", 6, 0, 0, 0xffffffff)

module = tap.cleanup(tool.Module())


class Client(YnlFamily):
    """The kernel's client, with two things that tests want."""

    def __init__(self, schema=SCHEMA):
        super().__init__(str(spec.PATH), schema)
        # Not settimeout(): check_ntf() would wait in spite of MSG_DONTWAIT.
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO,
                             struct.pack("=qq", 60, 0))

    def refused(self, command, values):
        """(errno name, text, path of the attribute) of a refusal, or None."""
        try:
            self.do(command, values)
        except NlError as error:
            extack = error.nl_msg.extack or {}
            return (genl.errno_name(error.error), extack.get("msg"),
                    extack.get("bad-attr"))
        return None

    def close(self):
        self.sock.close()


class Listener(Client):
    def __init__(self):
        super().__init__("")		# it was right a moment ago
        self.ntf_subscribe("config")

    def next(self):
        """The next notification: (command, attributes)."""
        def arrived():
            self.check_ntf()
            return bool(self.async_msg_queue)
        if not clock.wait_until(arrived):
            return None
        message = self.async_msg_queue.pop(0)
        return message["name"].removesuffix("-ntf"), message["msg"]


ynl = tap.cleanup(Client())
listener = tap.cleanup(Listener())


def protocols():
    """All managed protocols, without their counters."""
    found = []
    for answer in ynl.dump("proto-get", {}):
        proto, = answer["proto"]
        found.append({k: v for k, v in proto.items() if k != "stats"})
    return found


def rules(**wanted):
    """Rules as the kernel dumps them, a filter in wanted."""
    found = []
    for answer in ynl.dump("rule-get", {"rule": wanted} if wanted else {}):
        rule, = answer["rule"]
        found.append(rule)
    return found


with open("/proc/self/comm", encoding="ascii") as stream:
    ME = {"pid": [{"number": os.getpid(), "namespace":
                   os.stat("/proc/self/ns/pid").st_ino}],
          "comm": stream.read().strip()}


def generation():
    return ynl.do("config-get", {})["generation"]


def refusal(command, values, code, place, title):
    """
    A refusal with this code, with a text, and at this attribute or the nest
    that it is in.
    """
    got = ynl.refused(command, values)
    if got is None:
        tap.ok(False, title, "  accepted")
        return
    name, text, where = got
    tap.ok(name == code and (where == place or where and place and
                             place.startswith(where + ".")) and text,
           f"{title}: {code}, where and why",
           f"  got {name} at {where}: {text}\n  expected {code} at {place}")


def start(title):
    """Nothing managed, no notification waiting."""
    ynl.do("apply", {})
    told = listener.next()
    while listener.async_msg_queue:
        told = listener.next()
    tap.is_(told, ("apply", {"generation": generation(), "proto-count": 0,
                             "rule-count": 0, **ME}), title)


@tap.case
def protocols_add_get_set_del():
    start("notification of the empty apply")
    tap.is_(ynl.dump("proto-get", {}), [], "nothing is managed")
    tap.is_(ynl.do("config-get", {}).keys(),
            {"generation", "proto-count", "rule-count"},
            "that has a generation, too")
    tap.is_(ynl.do("proto-add", {"proto": {
        "number": 253, "families": ["ipv4", "ipv6"], "claim": "plain",
        "deliver": "raw", "unreach": "never", "account": "exact"}}), None,
        "add")
    whole = {"number": 253, "families": {"ipv4", "ipv6"}, "claim": "plain",
             "deliver": "raw", "unreach": "never", "account": "exact",
             "rules": 0}
    answer = ynl.do("proto-get", {"proto": {"number": 253}})
    proto, = answer["proto"]
    stats = proto.pop("stats")
    tap.is_(proto, whole, "get")
    tap.is_([s.pop("family") for s in stats], [{"ipv4"}, {"ipv6"}],
            "counters: one nest for each family")
    tap.is_(stats, [COUNTERS, COUNTERS], "counters: all of them, all zero")
    tap.is_(set(answer), {"generation", "proto"}, "get: nothing else")
    tap.is_(answer["generation"], generation(), "get: the generation in force")

    tap.is_(ynl.do("proto-add", {"proto": {"number": 47, "families": "ipv4"}}),
            None, "add another one, of one family")
    tap.is_(protocols(), [
        {"number": 47, "families": {"ipv4"}, "claim": "none", "deliver": "all",
         "unreach": "auto", "account": "match", "rules": 0}, whole],
            "dump, and defaults")
    tap.is_(ynl.do("proto-set", {"proto": {"number": 253, "deliver": "kernel",
                                           "unreach": "always"}}), None, "set")
    tap.is_(protocols()[-1], {**whole, "deliver": "kernel",
                              "unreach": "always"}, "set keeps the rest")
    tap.is_(ynl.do("proto-del", {"proto": {"number": 47}}), None, "del")
    tap.is_([p["number"] for p in protocols()], [253], "gone")
    refusal("proto-get", {"proto": {"number": 47}}, "ENOENT", ".proto.number",
            "get what is not managed")


@tap.case
def rules_with_every_attribute():
    start("nothing managed any more")
    ynl.do("proto-add", {"proto": {"number": 253}})
    first = {"proto": 253, "hook": "input", "pref": 100, "verdict": "none",
             "src": socket.inet_aton("192.0.2.0"), "src-prefix": 24,
             "dst": socket.inet_aton("198.51.100.1"), "dst-prefix": 32,
             "dev": "lo", "ttl-min": 3, "ttl-max": 9, "len-min": 40,
             "len-max": 70000, "type-min": 1, "type-max": 2, "bpf": ACCEPT,
             "expr": "ip or ip6"}
    second = {"proto": 253, "verdict": "reject",
              "src": socket.inet_pton(socket.AF_INET6, "2001:db8::"),
              "src-prefix": 32, "ttl-min": 255, "len-max": 1}
    for rule in (first, second):
        tap.is_(ynl.do("rule-add", {"rule": rule}), None, "add")
    got = rules()
    handles = [rule.pop("handle", None) for rule in got]
    tap.ok(all(handles) and len(set(handles)) == 2, "handles", f"  {handles}")
    none = {"packets": 0, "bytes": 0}
    tap.is_(got[0], {**first, **none}, "the dump is what was added")
    tap.is_(got[1], {**second, **none, "hook": "input", "pref": 110,
                     "ttl-max": 255, "len-min": 0},
            "defaults: hook, pref, the other end of a range")
    tap.is_(protocols()[0]["rules"], 2, "the protocol counts its rules")

    for name, filters, number in (("protocol", {"proto": 253}, 2),
                                  ("hook", {"hook": "input"}, 2),
                                  ("other hook", {"hook": "output"}, 0),
                                  ("other protocol", {"proto": 254}, 0)):
        tap.is_(len(rules(**filters)), number, f"dump by {name}")
    for key, value in (("handle", handles[0]), ("pref", 100)):
        answer = ynl.do("rule-get", {"rule": {"proto": 253, key: value}})
        tap.is_(answer["rule"], [{**first, **none, "handle": handles[0]}],
                f"get by {key}")

    changed = {"proto": 253, "pref": 100, "verdict": "raw", "type-min": 7}
    tap.is_(ynl.do("rule-replace", {"rule": changed}), None, "replace by pref")
    tap.is_(rules()[0], {**changed, **none, "hook": "input", "type-max": 255,
                         "handle": handles[0]}, "replaced, handle kept")
    tap.is_(ynl.do("rule-replace", {"rule": {
        "proto": 253, "handle": handles[0], "pref": 120, "verdict": "all"}}),
        None, "replace by handle")
    tap.is_([(r["handle"], r["pref"]) for r in rules()],
            [(handles[1], 110), (handles[0], 120)], "moved to its preference")
    ynl.do("rule-add", {"rule": {"proto": 253, "pref": 120, "verdict": "none",
                             "ttl-max": 1}})
    refusal("rule-del", {"rule": {"proto": 253, "pref": 120}}, "ENOTUNIQ",
            ".rule.pref", "del by an ambiguous pref")
    tap.is_(ynl.do("rule-del", {"rule": {"proto": 253, "handle": handles[0]}}),
            None, "del by handle")
    tap.is_([r["pref"] for r in rules()], [110, 120], "deleted")
    tap.is_(ynl.do("rule-flush", {"rule": {"proto": 253, "hook": "input"}}),
            None, "flush")
    tap.is_(rules(), [], "flushed")


@tap.case
def apply_all_or_nothing():
    start("nothing managed any more")
    wanted = {
        "proto": [{"number": 253, "deliver": "raw"},
                  {"number": 254, "families": "ipv6", "unreach": "always"}],
        "rule": [{"proto": 253, "verdict": "none", "ttl-min": 1, "ttl-max": 4},
                 {"proto": 254, "verdict": "reject"},
                 {"proto": 253, "verdict": "kernel", "pref": 5}]}
    tap.is_(ynl.do("apply", {**wanted, "flags": ["check"]}), None, "check")
    tap.is_((protocols(), rules()), ([], []), "check has changed nothing")
    tap.is_(ynl.do("apply", wanted), None, "apply")
    tap.is_([(p["number"], p["rules"]) for p in protocols()],
            [(253, 2), (254, 1)], "protocols")
    tap.is_([(r["proto"], r["pref"], r["verdict"]) for r in rules()],
            [(253, 5, "kernel"), (253, 10, "none"), (254, 10, "reject")],
            "rules")
    now = generation()
    before = protocols(), rules()
    for flags in ({}, {"flags": "check"}):
        refusal("apply", {"generation": now - 1, **flags}, "ESTALE",
                ".generation", "an old generation")
        refusal("apply", {"proto": [{"number": 253}, {"number": 255}], **flags},
                "EINVAL", ".proto.number", "an error in the second protocol")
        refusal("apply", {"proto": [{"number": 253}], **flags,
                          "rule": [{"proto": 254, "verdict": "all"}]},
                "ENOENT", ".rule.proto", "a rule of no protocol of it")
    tap.is_((protocols(), rules()), before, "refusals have changed nothing")
    tap.is_(generation(), now, "nor made a generation")
    tap.is_(ynl.do("apply", {**wanted, "generation": now}), None,
            "the generation in force")
    tap.is_((protocols(), rules()), before, "the same again, handles as well")


@tap.case
def handlers():
    start("nothing managed any more")
    ynl.do("proto-add", {"proto": {"number": 253, "claim": "plain"}})
    table = [answer["handler"] for answer in ynl.dump("handler-get", {})]
    order = [(h["number"], sorted(h["family"])) for h in table]
    tap.is_(order, sorted(order), "sorted by number, then family")
    tap.ok(all(len(families) == 1 for _, families in order),
           "one family in each entry")
    by = {(h["number"], *h["family"]): h for h in table}
    tap.is_(by.get((1, "ipv4")), {"number": 1, "family": {"ipv4"},
                                  "symbol": "icmp_rcv",
                                  "flags": by[1, "ipv4"].get("flags")},
            "ICMP: built in, by name")
    tap.ok(not by[1, "ipv4"]["flags"] & {"kraw", "here"}, "ICMP is not ours")
    tap.ok("final" in by[17, "ipv6"]["flags"], "UDP over IPv6 is final")
    tap.ok("no-policy" in by[17, "ipv4"]["flags"], "UDP: no policy check")
    for name in ("ipv4", "ipv6"):
        entry = by.get((253, name), {})
        tap.is_(entry.get("module"), "kraw", f"{name}: the module of a claim")
        tap.ok({"kraw", "here"} <= entry.get("flags", set()),
               f"{name}: ours, and claimed here", f"  {entry}")


@tap.case
def notifications():
    start("nothing managed any more")
    proto = {"number": 253, "claim": "none", "deliver": "all",
             "unreach": "auto"}
    rule = {"proto": 253, "pref": 7, "verdict": "none"}
    steps = [
        ("proto-add", {"proto": proto}),
        ("proto-set", {"proto": {"number": 253, "deliver": "raw"}}),
        ("rule-add", {"rule": rule}),
        ("rule-replace", {"rule": {**rule, "verdict": "raw"}}),
        ("rule-del", {"rule": {"proto": 253, "pref": 7}}),
        ("rule-flush", {"rule": {"proto": 253, "hook": "input"}}),
        ("proto-del", {"proto": {"number": 253}}),
        ("apply", {"proto": [proto]}),
    ]
    last = None
    for number, (command, request) in enumerate(steps):
        echo = ynl.do(command, request, [ECHO] if number % 2 else [])
        name, told = listener.next() or (None, {})
        tap.is_(name, command, f"{command}: its own command number")
        tap.is_(echo, told if number % 2 else None,
                f"{command}: " + ("an echo says the same" if number % 2
                                  else "no echo if none was asked for"))
        now = told.pop("generation", 0)
        tap.is_({name: told.pop(name, None) for name in ME}, ME,
                f"{command}: who it was")
        tap.ok(last is None or now == last + 1, f"{command}: next generation",
               f"  {now} after {last}")
        last = now
        if command == "apply":
            tap.is_(told, {"proto-count": 1, "rule-count": 0},
                    "apply: the size, and nothing else")
            continue
        space = command.split("-")[0]
        tap.is_(set(told), {space}, f"{command}: nothing else at top level")
        body, = told[space]
        if command == "rule-flush":
            tap.is_(body, request["rule"], f"{command}: what was flushed")
            continue
        if space == "proto":
            tap.is_(set(body), {"number", "families", "claim", "deliver",
                                "unreach", "account", "rules"},
                    f"{command}: attributes")
        else:
            tap.is_(set(body), {"proto", "hook", "pref", "handle", "verdict"},
                    f"{command}: attributes")
        asked = {k: v for k, v in request[space].items()}
        tap.is_({k: body.get(k) for k in asked}, asked, f"{command}: values")
    tap.is_(generation(), last, "the generation of an answer is the last told")


@tap.case
def refusals():
    start("nothing managed any more")
    ynl.do("proto-add", {"proto": {"number": 253}})
    ynl.do("rule-add", {"rule": {"proto": 253, "pref": 7, "verdict": "raw"}})
    v4, v6 = bytes([192, 0, 2, 0]), bytes(16)
    rule = {"proto": 253, "verdict": "raw"}
    for command, values, code, place, title in (
            ("proto-add", {"proto": {"number": 253}},
             "EEXIST", ".proto.number", "a second add"),
            ("proto-set", {"proto": {"number": 254}},
             "ENOENT", ".proto.number", "set what is not managed"),
            ("proto-del", {"proto": {"number": 254}},
             "ENOENT", ".proto.number", "del what is not managed"),
            ("proto-add", {}, "EINVAL", None, "add without a protocol"),
            ("proto-add", {"proto": {"deliver": "raw"}},
             "EINVAL", ".proto", "add without a number"),
            ("proto-add", {"proto": {"number": 255}},
             "EINVAL", ".proto.number", "255"),
            ("proto-add", {"proto": {"number": 0}},
             "EINVAL", ".proto.number", "0"),
            ("proto-add", {"proto": {"number": 60}},
             "EINVAL", ".proto.number", "an extension header"),
            ("proto-add", {"proto": {"number": 6, "claim": "plain"}},
             "EBUSY", ".proto", "claim of TCP"),
            ("proto-add", {"proto": {"number": 250, "users": {"user": [
                {"kind": "all"}]}}},
             "EINVAL", ".proto.users", "users of no claim"),
            ("proto-add", {"proto": {"number": 250, "one-by": "cpu"}},
             "EINVAL", ".proto.one-by", "a way to choose without deliver one"),
            ("proto-add", {"proto": {"number": 250, "deliver": "deny"}},
             "EINVAL", ".proto.deliver", "deliver deny"),
            ("proto-set", {"generation": 4000000000, "proto": {"number": 253}},
             "ESTALE", ".generation", "set of another generation"),
            ("rule-add", {"rule": {**rule, "pref": 7}},
             "EEXIST", ".rule", "the same rule again"),
            ("rule-add", {"rule": {**rule, "proto": 254}},
             "ENOENT", ".rule.proto", "a rule for what is not managed"),
            ("rule-add", {"rule": {"proto": 253}},
             "EINVAL", ".rule", "no verdict"),
            ("rule-add", {"rule": {"verdict": "raw"}},
             "EINVAL", ".rule", "no protocol"),
            ("rule-add", {"rule": {**rule, "hook": "output"}},
             "EINVAL", ".rule.verdict", "a verdict of hook input"),
            ("rule-add", {"rule": {**rule, "one-by": "random"}},
             "EINVAL", ".rule.one-by", "a way to choose without verdict one"),
            ("rule-add", {"rule": {**rule, "verdict": "allow"}},
             "EINVAL", ".rule.verdict", "a verdict of hook output"),
            ("rule-add", {"rule": {**rule, "src": v4[:3]}},
             "EINVAL", ".rule.src", "an address of 3 bytes"),
            ("rule-add", {"rule": {**rule, "src": v6[:8]}},
             "EINVAL", ".rule.src", "an address of 8 bytes"),
            ("rule-add", {"rule": {**rule, "src": v4, "src-prefix": 33}},
             "EINVAL", ".rule.src-prefix", "a prefix that is too long"),
            ("rule-add", {"rule": {**rule, "src": v4, "src-prefix": 23}},
             None, None, "no host bits"),
            ("rule-add", {"rule": {**rule, "dst": v4, "dst-prefix": 6}},
             "EINVAL", ".rule.dst", "host bits"),
            ("rule-add", {"rule": {**rule, "src-prefix": 8}},
             "EINVAL", ".rule.src-prefix", "a prefix length alone"),
            ("rule-add", {"rule": {**rule, "src": v4, "dst": v6}},
             "EINVAL", ".rule.dst", "two families"),
            ("rule-add", {"rule": {**rule, "dev": "no-such-dev"}},
             "ENODEV", ".rule.dev", "an unknown device"),
            ("rule-add", {"rule": {**rule, "ttl-min": 9, "ttl-max": 8}},
             "EINVAL", ".rule.ttl-min", "hop limits backwards"),
            ("rule-add", {"rule": {**rule, "len-min": 9, "len-max": 8}},
             "EINVAL", ".rule.len-min", "sizes backwards"),
            ("rule-add", {"rule": {**rule, "type-min": 9, "type-max": 8}},
             "EINVAL", ".rule.type-min", "types backwards"),
            ("rule-add", {"rule": {**rule, "bpf": b""}},
             "EINVAL", ".rule.bpf", "no program"),
            ("rule-add", {"rule": {**rule, "bpf": ACCEPT[:7]}},
             "EINVAL", ".rule.bpf", "a part of a program"),
            ("rule-add", {"rule": {**rule, "bpf": b"\xff" * 8}},
             "EINVAL", ".rule.bpf", "not a program"),
            ("rule-add", {"rule": {**rule, "expr": "ip"}},
             "EINVAL", ".rule.expr", "an expression without its program"),
            ("rule-replace", {"rule": rule},
             "EINVAL", ".rule", "replace of nothing named"),
            ("rule-replace", {"rule": {**rule, "handle": 4000000000}},
             "ENOENT", ".rule.handle", "replace of an unknown handle"),
            ("rule-del", {"rule": {"proto": 253}},
             "EINVAL", ".rule", "del of nothing named"),
            ("rule-del", {"rule": {"proto": 253, "pref": 8}},
             "ENOENT", ".rule.pref", "del of an unknown pref"),
            ("rule-get", {"rule": {"proto": 253, "handle": 4000000000}},
             "ENOENT", ".rule.handle", "get of an unknown handle"),
            ("rule-flush", {"rule": {"proto": 254}},
             "ENOENT", ".rule.proto", "flush of what is not managed")):
        if code is None:
            tap.is_(ynl.refused(command, values), None, title)
            ynl.do("rule-del", {"rule": {"proto": 253, "pref": 17}})
            continue
        refusal(command, values, code, place, title)
    tap.is_(([p["number"] for p in protocols()],
             [r["pref"] for r in rules()]), ([253], [7]),
            "refusals have changed nothing")


@tap.case
def dump_of_many():
    start("nothing managed any more")
    many = [{"proto": 253, "pref": n, "verdict": "none", "len-min": n,
             "bpf": ACCEPT * 40, "expr": "x" * 200} for n in range(1, 501)]
    ynl.do("apply", {"proto": [{"number": 253}], "rule": many[:50]})
    for rule in many[50:]:
        ynl.do("rule-add", {"rule": rule})
    tap.is_([r["pref"] for r in rules()], list(range(1, 501)),
            "a dump of several messages is complete and in order")


tap.run()
