# SPDX-License-Identifier: GPL-2.0
"""
A device whose packets come from a descriptor: what is written to it has come in
when write() returns, and the receive path runs in the process that writes.

    tun = Tun(lab.right)	# .addr is right's on it, .peer the other side's
    os.write(tun.fd, packet.ip(tun.peer[4], tun.addr[4], 253, b"x"))
"""
import fcntl
import os
import struct

from . import tool

TUN, TAP, NAPI, NAPI_FRAGS = 0x0001, 0x0002, 0x0010, 0x0020
NO_PI, VNET_HDR = 0x1000, 0x4000
_TUNSETIFF, _TUNSETOFFLOAD = 0x400454ca, 0x400454d0
# the four kinds of TUN_F_*: checksums, TSO, UFO, ECN
OFFLOADS = 0x1 | 0x2 | 0x4 | 0x8


class Tun:
    """A tun device of a namespace, its number tells it from others."""
    def __init__(self, namespace, number=8, flags=TUN, name=None):
        if not os.path.exists("/sys/class/misc/tun"):
            tool.modprobe("tun")
        self.device = name or "tun%d" % number
        self.addr = {4: "10.9.%d.2" % number, 6: "fd09:%d::2" % number}
        self.peer = {4: "10.9.%d.1" % number, 6: "fd09:%d::1" % number}
        with namespace:
            self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(self.fd, _TUNSETIFF, struct.pack(
                "16sH22x", self.device.encode(), flags | NO_PI))
            if flags & VNET_HDR:
                fcntl.ioctl(self.fd, _TUNSETOFFLOAD, OFFLOADS)
        namespace.ip("addr add %s/24 dev %s" % (self.addr[4], self.device),
                     "addr add %s/64 dev %s nodad" % (self.addr[6],
                                                      self.device),
                     "link set %s up" % self.device)

    def drain(self):
        """What was sent by it, packet by packet."""
        out = []
        while True:
            try:
                out.append(os.read(self.fd, 70000))
            except BlockingIOError:
                return out

    def close(self):
        """It goes with its descriptor."""
        os.close(self.fd)
