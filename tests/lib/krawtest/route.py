# SPDX-License-Identifier: GPL-2.0
"""
Devices by route netlink, in this process: as much as tests need that make
thousands of them.
"""
import os
import socket
import struct

from .client import genl

NEWLINK, DELLINK, NEWADDR = 16, 17, 20
CREATE_EXCL = 0x600
IFNAME, ADDRESS, MASTER, LINKINFO, NET_NS_FD = 3, 1, 10, 18, 28


class Route:
    """A route netlink socket, as much of it as a veth pair needs."""
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


def link(mac, name, more=()):
    """A new device: its name, its address."""
    return b"".join([struct.pack("=BxHiII", 0, 0, 0, 0, 0),
                     genl.attr(1, mac), genl.attr(3, name + b"\0")] +
                    list(more))


def up(index):
    """What sets a device up."""
    return struct.pack("=BxHiII", 0, 0, index, 1, 1)
