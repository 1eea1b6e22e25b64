# SPDX-License-Identifier: GPL-2.0
"""
What nlfuzz makes messages from, as lines of text:

    command NUMBER MODE NAME		MODE: 0 do, 1 dump
    DEPTH NUMBER KIND REQUIRED MULTI MIN MAX MASK MIN-LENGTH MAX-LENGTH [HEX ...]

A command's line is followed by those of its attributes, from depth 1, a nest by
those inside of it.  The values at the end are good ones.  The specification has
the attributes, their types and limits; which of them a command takes inside of a
nest it has no words for, so that is asked of the kernel.
"""
import socket
import struct
import sys

KINDS = {"unused": 0, "pad": 0, "flag": 1, "u8": 2, "u16": 3, "u32": 4,
         "u64": 5, "binary": 6, "string": 7, "nest": 8}
SIZE = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}
REQUIRED = {"number", "proto", "verdict", "kind", "rule", "packet"}
REQUIRED_IN = {"packet": {"src", "dst"}}	# by the nest's attributes
NUMBERS = (200, 201, 202, 253, 254)
# from elsewhere to this host, so that a packet to explain comes to its end, too
SOURCES = ("10.9.0.1", "fd09::1", "127.0.0.1", "::1", "10.9.0.0", "fd09::",
           "0.0.0.0", "::")
DESTINATIONS = ("10.9.0.2", "fd09::2", "127.0.0.1", "::1", "224.0.0.9", "ff02::9",
                "10.9.0.0", "::")


def packed(addresses):
    return [socket.inet_pton(socket.AF_INET6 if ":" in address else
                             socket.AF_INET, address) for address in addresses]


def program(*steps):
    """Instructions of classic BPF."""
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


# Values that a command may accept, by the attribute's name.
GOOD = {
    "number": [bytes([n]) for n in NUMBERS],
    "proto": [bytes([n]) for n in NUMBERS],
    "src": packed(SOURCES), "dst": packed(DESTINATIONS),
    "src-prefix": [b"\x08", b"\x18", b"\x20", b"\x40", b"\x80"],
    "dst-prefix": [b"\x08", b"\x18", b"\x20", b"\x40", b"\x80"],
    "dev": [b"lo\0", b"r0\0"], "mirror": [b"lo\0", b"r0\0"],
    "expr": [b"ip\0"], "comment": [b"why\0", b"\0"],
    "pref": [struct.pack("=I", n) for n in (1, 10, 10, 20, 30, 0xffffffff)],
    "handle": [struct.pack("=I", n) for n in range(1, 6)],
    "generation": [struct.pack("=I", 1)],
    "bpf": [program((6, 0, 0, 1)),
            program((0x30, 0, 0, 9), (0x15, 0, 1, 253), (6, 0, 0, 9), (6, 0, 0, 0)),
            # beyond the packet, before it, from its link-layer header, by X
            program((0x20, 0, 0, 70000), (6, 0, 0, 1)),
            program((0x20, 0, 0, 0xffe00000), (0x16, 0, 0, 0)),
            program((0x20, 0, 0, 0xfff00000), (6, 0, 0, 1)),
            program((0xb1, 0, 0, 0), (0x40, 0, 0, 0x7fffffff), (6, 0, 0, 1))],
    "payload": [b"x" * 64, b""],
    "limit-rate": [struct.pack("=I", n) for n in (1, 1000)],
    "snaplen": [struct.pack("=I", n) for n in (0, 64, 65535)],
    "mark": [bytes(4), struct.pack("=I", 1)],
}


def _line(depth, name, attr, required, spec):
    policy = spec.policy(attr) if attr["type"] in \
        set(KINDS) - {"unused", "pad"} else {}
    good = list(GOOD.get(name, ())) if attr["type"] != "nest" else []
    enum = spec.definitions.get(attr.get("enum"))
    if enum and not good and attr["type"] in SIZE:
        good = [value.to_bytes(SIZE[attr["type"]], sys.byteorder)
                for value in spec.entries(enum["name"]).values()]
    return "%d %d %d %d %d %d %d %d %d %d %s" % (
        depth, attr["value"], KINDS[attr["type"]], required,
        bool(attr.get("multi-attr")), policy.get("min", 0),
        policy.get("max", 0), policy.get("mask", 0),
        policy.get("min-length", 0), policy.get("max-length", 0),
        " ".join(value.hex() or "-" for value in good))


def _nest(spec, policies, index, names, depth, required=REQUIRED):
    for number in sorted(policies.get(index, {})):
        name, attr = names[number]
        if attr["type"] in ("unused", "pad"):
            continue
        yield _line(depth, name, attr, name in required, spec)
        inside = policies[index][number].get("policy")
        if attr["type"] == "nest" and inside is not None:
            yield from _nest(spec, policies, inside,
                             by_number(spec, attr["nested-attributes"]),
                             depth + 1, REQUIRED |
                             REQUIRED_IN.get(attr["nested-attributes"], set()))


def by_number(spec, attribute_set):
    """Number to (name, attribute)."""
    return {attr["value"]: (name, attr)
            for name, attr in spec.sets[attribute_set].items()}


def lines(spec, policies):
    """
    The text; spec is a spec.Spec, policies what genl.policies() returns.
    """
    by_command, by_index = policies
    for name, op in spec.ops.items():
        for mode, word in enumerate(("do", "dump")):
            if word not in op:
                continue
            yield "command %d %d %s" % (op["value"], mode, name)
            asked = set(op[word].get("request", {}).get("attributes", ()))
            index = by_command.get((op["value"], word))
            top = {number: (attr_name, attr) for number, (attr_name, attr) in
                   by_number(spec, "kraw").items() if attr_name in asked}
            known = dict(by_index)
            known[index] = {number: entry for number, entry in
                            by_index.get(index, {}).items() if number in top}
            yield from _nest(spec, known, index, top, 1)
