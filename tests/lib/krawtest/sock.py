# SPDX-License-Identifier: GPL-2.0
"""
Raw sockets as readers, a sender that writes its own IP headers, and packet
sockets with a classic BPF filter.  Open them inside `with namespace:`, or name
the namespace.
"""
import contextlib
import ctypes
import os
import select
import socket
import struct

from . import clock, packet, syscalls

SO_ATTACH_FILTER = 26
IPV6_HDRINCL = 36
ETH_P_ALL = 3
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
# Since 6.10 the kernel passes over a raw socket that is full: if no other one
# has a packet, its sender is told that nobody has.
ROOM_FIRST = tuple(int(number) for number in
                   os.uname().release.split(".")[:2]) >= (6, 10)
ICMP_OF = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}


def _inside(namespace):
    return namespace if namespace is not None else contextlib.nullcontext()


class Reader:
    """
    A raw socket that receives: `Reader(253, 4, namespace)`.  `bind`, `connect`
    take an address, `device` a name.  A packet is what comes after the IP
    header, in both families; the IPv4 header is kept in Reader.headers.
    """
    def __init__(self, proto, family, namespace=None, bind=None, connect=None,
                 device=None, rcvbuf=None):
        self.family = family
        self.headers = []
        with _inside(namespace):
            self.sock = socket.socket(FAMILY[family], socket.SOCK_RAW, proto)
        self.sock.setblocking(False)
        if rcvbuf is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        if device is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE,
                                 device.encode())
        if bind is not None:
            self.sock.bind((bind, 0))
        if connect is not None:
            self.sock.connect((connect, 0))

    def fileno(self):
        """For select and epoll."""
        return self.sock.fileno()

    def filter(self, program):
        """Attach a classic BPF program, see attach_filter."""
        attach_filter(self.sock, program)
        return self

    def drain(self):
        """All packets that are there now, without waiting."""
        out = []
        while True:
            try:
                data = self.sock.recv(65536)
            except BlockingIOError:
                return out
            if self.family == 4:
                length = (data[0] & 15) * 4
                self.headers.append(data[:length])
                data = data[length:]
            out.append(data)

    def wait(self, wanted=1, seconds=clock.PATIENCE):
        """Packets until `wanted` have come, or as many as came in time."""
        until = clock.deadline(seconds)
        out = self.drain()
        while len(out) < wanted:
            if not select.select([self], [], [], clock.left(until))[0]:
                break
            out += self.drain()
        return out

    def close(self):
        """Close the socket."""
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Sender:
    """
    Sends complete IP packets; receives nothing and has no protocol, so it
    changes nothing for raw sockets in its namespace.
    """
    def __init__(self, family, namespace=None):
        self.family = family
        with _inside(namespace):
            self.sock = socket.socket(FAMILY[family], socket.SOCK_RAW,
                                      socket.IPPROTO_RAW)
        if family == 6:
            self.sock.setsockopt(socket.IPPROTO_IPV6, IPV6_HDRINCL, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)

    def send(self, data):
        """Send an IP packet to the destination in its header."""
        self.sock.sendto(data, (packet.destination(data), 0))

    def close(self):
        """Close the socket."""
        self.sock.close()


class Tap:
    """
    A packet socket on `device` that sees what leaves it (and only that), link
    header included; `proto` narrows it to one IP protocol.  It is told while
    the packet is being sent, not later.
    """
    def __init__(self, device, family, proto, namespace=None):
        self._open(device, outgoing(family, proto), namespace)

    def _open(self, device, program, namespace):
        with _inside(namespace):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.sock.setblocking(False)
        attach_filter(self.sock, program)
        self.sock.bind((device, ETH_P_ALL))

    def fileno(self):
        """For select and epoll."""
        return self.sock.fileno()

    def drain(self):
        """All packets that are there now, from their IP header on."""
        out = []
        while True:
            try:
                out.append(self.sock.recv(65536)[14:])
            except BlockingIOError:
                return out

    def close(self):
        """Close the socket."""
        self.sock.close()


# --- classic BPF -------------------------------------------------------------

ACCEPT = [(0x06, 0, 0, 0xffffffff)]
REJECT = [(0x06, 0, 0, 0)]
_PKTTYPE = 0xfffff000 + 4
_OUTGOING = 4


def outgoing(family, proto):
    """Ethernet frames that this host sends, of one IP protocol."""
    ethertype, at = (0x0800, 14 + 9) if family == 4 else (0x86dd, 14 + 6)
    return [
        (0x28, 0, 0, _PKTTYPE),		# ldh type of packet
        (0x15, 0, 5, _OUTGOING),
        (0x28, 0, 0, 12),		# ldh ethertype
        (0x15, 0, 3, ethertype),
        (0x30, 0, 0, at),		# ldb protocol
        (0x15, 0, 1, proto),
        (0x06, 0, 0, 0xffffffff),
        (0x06, 0, 0, 0),
    ]


def attach_filter(sock, program):
    """Attach a classic BPF program: a list of (code, jt, jf, k)."""
    code = b"".join(struct.pack("HBBI", *step) for step in program)
    buffer = ctypes.create_string_buffer(code)
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                    struct.pack("HP", len(program), ctypes.addressof(buffer)))


def ebpf():
    """A descriptor of an eBPF socket filter that accepts everything, or -1."""
    code = ctypes.create_string_buffer(
        struct.pack("=BBhi", 0xb7, 0, 0, -1) + struct.pack("=BBhi", 0x95, 0, 0,
                                                           0))
    text = ctypes.create_string_buffer(b"GPL")
    attr = struct.pack("=IIQQ", 1, 2, ctypes.addressof(code),
                       ctypes.addressof(text)).ljust(120, b"\0")
    try:
        return syscalls.call("bpf", 5, ctypes.create_string_buffer(attr),
                             len(attr))
    except OSError:
        return -1
