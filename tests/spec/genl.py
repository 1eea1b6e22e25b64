# SPDX-License-Identifier: GPL-2.0
"""
Generic netlink on plain sockets: enough to send any message, well-formed or
not, and to ask the kernel what a family accepts. Knows no specification.
"""

import errno
import socket
import struct
import sys
from collections import namedtuple

NETLINK_GENERIC = 16
SOL_NETLINK = 270
NETLINK_ADD_MEMBERSHIP, NETLINK_CAP_ACK, NETLINK_EXT_ACK = 1, 10, 11

NLMSG_NOOP, NLMSG_ERROR, NLMSG_DONE = 1, 2, 3
REQUEST, ACK, ECHO, DUMP = 0x1, 0x4, 0x8, 0x300
DUMP_INTR, ACK_TLVS = 0x10, 0x200
NESTED = 0x8000

CTRL_ID = 16
CTRL_GETFAMILY, CTRL_GETPOLICY = 3, 10
(CTRL_FAMILY_ID, CTRL_FAMILY_NAME, CTRL_VERSION, CTRL_OPS, CTRL_GROUPS,
 CTRL_POLICY, CTRL_OP_POLICY) = 1, 2, 3, 6, 7, 8, 9
OP_ID, OP_FLAGS = 1, 2
GROUP_NAME, GROUP_ID = 1, 2
ADMIN_PERM, HAS_DO, HAS_DUMP, HAS_POLICY, UNS_ADMIN_PERM = 1, 2, 4, 8, 16

# enum netlink_policy_type_attr
POLICY_ATTRS = {1: "type", 4: "min", 5: "max", 6: "min-length",
                7: "max-length", 8: "policy", 9: "maxtype", 12: "mask"}

Message = namedtuple("Message", "command flags seq portid payload")


def errno_name(code):
    """Name of an errno value, Linux networking's where there are two."""
    return ("EOPNOTSUPP" if code == errno.EOPNOTSUPP else
            errno.errorcode.get(code, str(code)))


class Refused(OSError):
    """The kernel said no; text and offset are those of its extended ack."""

    def __init__(self, code, text, offset):
        super().__init__(code, f"{errno_name(code)}: {text}")
        self.name = errno_name(code)
        self.text = text
        self.offset = offset


_HEADER = struct.Struct("=HH")


def attr(kind, payload=b""):
    """One attribute; payload is bytes, or a list of attributes for a nest."""
    if isinstance(payload, list):
        kind |= NESTED
        payload = b"".join(payload)
    return (_HEADER.pack(4 + len(payload), kind) + payload +
            bytes(-len(payload) % 4))


def attrs(data):
    """The attributes in data: (type, payload) each, in their order."""
    at, end = 0, len(data)
    while at + 4 <= end:
        size, kind = _HEADER.unpack_from(data, at)
        if size < 4 or at + size > end:
            raise ValueError(f"attribute of {size} bytes at {at}")
        yield kind & 0x3fff, data[at + 4:at + size]
        at += (size + 3) & ~3


def number(payload):
    """An unsigned integer in host byte order, of any size."""
    if len(payload) not in (1, 2, 4, 8):
        raise ValueError(f"number of {len(payload)} bytes")
    return int.from_bytes(payload, sys.byteorder)


def text(payload):
    return payload.split(b"\0")[0].decode()


class Socket:
    """A netlink socket with extended acks, in the caller's namespace."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW,
                                  NETLINK_GENERIC)
        self.sock.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        self.sock.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
        self.sock.settimeout(60)
        self.sock.bind((0, 0))
        self.portid = self.sock.getsockname()[0]
        self.seq = 0

    def close(self):
        self.sock.close()

    def join(self, group):
        self.sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)

    def receive(self):
        """The messages of one datagram: (type, Message or raw payload)."""
        data = self.sock.recv(1 << 20)
        at = 0
        while at < len(data):
            size, kind, flags, seq, portid = struct.unpack_from("=IHHII",
                                                                data, at)
            payload = data[at + 16:at + size]
            at += (size + 3) & ~3
            if kind == NLMSG_NOOP:
                continue
            if kind in (NLMSG_ERROR, NLMSG_DONE):
                yield kind, Message(None, flags, seq, portid, payload)
            else:
                yield kind, Message(payload[0], flags, seq, portid, payload[4:])

    def request(self, family, command, payload=b"", flags=0, version=1):
        """
        Send one message and read to its end: the list of Messages that were
        answered, or Refused.
        """
        if isinstance(payload, list):
            payload = b"".join(payload)
        self.seq += 1
        self.sock.send(struct.pack("=IHHIIBBH", 20 + len(payload), family,
                                   REQUEST | ACK | flags, self.seq, 0,
                                   command, version, 0) + payload)
        answers = []
        while True:
            for kind, message in self.receive():
                if message.seq != self.seq:
                    continue
                if kind not in (NLMSG_ERROR, NLMSG_DONE):
                    answers.append(message)
                    continue
                self._check(kind, message)
                return answers

    @staticmethod
    def _check(kind, message):
        code, = struct.unpack_from("=i", message.payload)
        if not code:
            return
        found = {}
        if message.flags & ACK_TLVS:
            skip = 20 if kind == NLMSG_ERROR else 4
            found = dict(attrs(message.payload[skip:]))
        raise Refused(-code, text(found[1]) if 1 in found else None,
                      number(found[2]) if 2 in found else None)


Family = namedtuple("Family", "id version ops groups")


def family(sock, name):
    """What the controller says of a family; ops: number to flags."""
    answer, = sock.request(CTRL_ID, CTRL_GETFAMILY,
                           attr(CTRL_FAMILY_NAME, name.encode() + b"\0"))
    top = dict(attrs(answer.payload))
    ops = [dict(attrs(entry)) for _, entry in attrs(top.get(CTRL_OPS, b""))]
    groups = [dict(attrs(entry))
              for _, entry in attrs(top.get(CTRL_GROUPS, b""))]
    return Family(number(top[CTRL_FAMILY_ID]), number(top[CTRL_VERSION]),
                  {number(op[OP_ID]): number(op[OP_FLAGS]) for op in ops},
                  {text(g[GROUP_NAME]): number(g[GROUP_ID]) for g in groups})


def policies(sock, name):
    """
    What a family accepts: ({(command, "do" or "dump"): index}, {index:
    {attribute: {...}}}), the innermost as spec.Spec.policy() has it, and for a
    nest "policy", the index of the policy inside of it.
    """
    by_command, by_index = {}, {}
    for message in sock.request(CTRL_ID, CTRL_GETPOLICY,
                                attr(CTRL_FAMILY_NAME, name.encode() + b"\0"),
                                DUMP):
        for kind, payload in attrs(message.payload):
            if kind == CTRL_OP_POLICY:
                for command, modes in attrs(payload):
                    for mode, index in attrs(modes):
                        by_command[command, {1: "do", 2: "dump"}[mode]] = (
                            number(index))
            elif kind == CTRL_POLICY:
                for index, entries in attrs(payload):
                    for attribute, described in attrs(entries):
                        by_index.setdefault(index, {})[attribute] = {
                            POLICY_ATTRS[k]: number(v)
                            for k, v in attrs(described) if k in POLICY_ATTRS}
    return by_command, by_index
