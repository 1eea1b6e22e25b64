# SPDX-License-Identifier: GPL-2.0
"""
Devices by route netlink, in this process: as much as krawtest.netns needs for
each lab, and tests that make thousands of them.  A process of iproute2 costs as
much as hundreds of these messages.
"""
import os
import socket
import struct

from .client import genl

NEWLINK, DELLINK, NEWADDR, NEWNEIGH = 16, 17, 20, 28
CREATE_EXCL, CREATE_REPLACE = 0x600, 0x500
IFNAME, ADDRESS, MASTER, LINKINFO, NET_NS_FD = 3, 1, 10, 18, 28
_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_NODAD, _PERMANENT = 2, 0x80


class Route:
    """A route netlink socket of the namespace that we are in."""
    def __init__(self):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self.sock.bind((0, 0))

    def send(self, kind, body, flags=0):
        """One request, acknowledged."""
        self.sock.send(struct.pack("=IHHII", 16 + len(body), kind,
                                   genl.REQUEST | genl.ACK | flags, 1, 0) +
                       body)
        error, = struct.unpack_from("=i", self.sock.recv(65536), 16)
        if error:
            raise OSError(-error, os.strerror(-error))

    def close(self):
        """Close the socket: it would keep its namespace."""
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def link(mac, name, more=(), index=0):
    """A new device: its name, its address, its number or 0 for any."""
    return b"".join([struct.pack("=BxHiII", 0, 0, index, 0, 0),
                     genl.attr(1, mac), genl.attr(3, name + b"\0")] +
                    list(more))


def up(index):
    """What sets a device up."""
    return struct.pack("=BxHiII", 0, 0, index, 1, 1)


def veth(one, two):
    """A pair of devices: the body of link() and the namespace of each."""
    (body, fd), (peer, peer_fd) = one, two
    return body + genl.attr(NET_NS_FD, struct.pack("=i", fd)) + genl.attr(
        LINKINFO, [genl.attr(1, b"veth"), genl.attr(2, [genl.attr(
            1, peer + genl.attr(NET_NS_FD, struct.pack("=i", peer_fd)))])])


def addr(family, index, address, bits):
    """An address of a device, of IPv6 at once."""
    packed = socket.inet_pton(_FAMILY[family], address)
    return struct.pack("=BBBBI", _FAMILY[family], bits,
                       _NODAD if family == 6 else 0, 0, index) + \
        genl.attr(2, packed) + genl.attr(1, packed)


def neigh(family, index, address, mac):
    """A permanent neighbour."""
    return struct.pack("=BxHiHBB", _FAMILY[family], 0, index, _PERMANENT, 0, 0) + \
        genl.attr(1, socket.inet_pton(_FAMILY[family], address)) + \
        genl.attr(2, mac)


def mac_of(text):
    """The bytes of 02:09:00:00:01:02."""
    return bytes.fromhex(text.replace(":", ""))
