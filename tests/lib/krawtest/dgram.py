# SPDX-License-Identifier: GPL-2.0
"""
Datagram sockets of claimed protocols, as programs use them: opened as a user,
received from with deadlines, their control data by name.
"""
import contextlib
import ctypes
import errno
import os
import select
import socket

from . import clock
from .manage import managed
from .sock import FAMILY

SOL_IP, SOL_IPV6 = 0, 41
_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def user(uid=None, gid=None, groups=()):
    """What happens in here is that user's doing, without capabilities."""
    if uid is None:
        yield
        return
    before = os.getgroups()
    os.setgroups(list(groups))
    os.setegid(gid if gid is not None else uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


class Dgram:
    """
    `Dgram(4, namespace)`: a socket of protocol 253.  `bind` and `connect` take
    an address; `port` and `to_port` go with them.  `options` are (level, name,
    value), set before it is bound.
    """
    def __init__(self, family, namespace, proto=253, bind=None, connect=None,
                 port=0, to_port=0, options=(), owner=None):
        self.family = family
        with namespace, user(owner):
            self.sock = socket.socket(FAMILY[family], socket.SOCK_DGRAM, proto)
        try:
            self.sock.setblocking(False)
            for option in options:
                self.sock.setsockopt(*option)
            if bind is not None:
                with user(owner):
                    self.sock.bind((bind, port))
            if connect is not None:
                self.sock.connect((connect, to_port))
        except OSError:
            self.sock.close()
            raise

    def fileno(self):
        """For select and epoll."""
        return self.sock.fileno()

    def send(self, data, to=None, port=0):
        """To an address, or to where it is connected."""
        return self.sock.send(data) if to is None else \
            self.sock.sendto(data, (to, port))

    def wait(self):
        """(data, address, port) of the next datagram; TimeoutError."""
        if not select.select([self], [], [], clock.PATIENCE * clock.SLOW)[0]:
            raise TimeoutError("no datagram came")
        data, name = self.sock.recvfrom(70000)
        return data, name[0], name[1]

    def drain(self):
        """All datagrams that are there, without waiting."""
        out = []
        while True:
            try:
                out.append(self.sock.recv(70000))
            except BlockingIOError:
                return out

    def drain_one(self):
        """The next datagram, without waiting."""
        return self.sock.recv(70000)

    def control(self, size=70000, flags=0):
        """(data, {(level, type): bytes}, flags) of the next one."""
        if not flags & socket.MSG_ERRQUEUE and \
                not select.select([self], [], [],
                                  clock.PATIENCE * clock.SLOW)[0]:
            raise TimeoutError("no datagram came")
        data, notes, flags, _ = self.sock.recvmsg(size, 1024, flags)
        return data, {(level, kind): value for level, kind, value in notes}, \
            flags

    def set(self, level, name, value=1):
        """setsockopt; the socket."""
        self.sock.setsockopt(level, name, value)
        return self

    def close(self):
        """Close the socket."""
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@contextlib.contextmanager
def pair(lab, family, *options, bind=None):
    """
    Bound sockets of a claim of 253, (left, right), which know each other's
    address as .to; the options are the right one's.
    """
    with managed(253, lab.left, "claim plain"), \
            managed(253, lab.right, "claim plain"), \
            Dgram(family, lab.left, bind=lab.l0.addr[family]) as left, \
            Dgram(family, lab.right, options=options,
                  bind=bind or lab.r0.addr[family]) as right:
        left.to = lab.r0.addr[family]
        right.to = lab.l0.addr[family]
        yield left, right


def _name(number):
    """EOPNOTSUPP and ENOTSUP are one number."""
    return "EOPNOTSUPP" if number == errno.EOPNOTSUPP else \
        errno.errorcode[number]


def error(func, *args, **more):
    """The name of the error that func() fails with, or None."""
    try:
        result = func(*args, **more)
    except OSError as err:
        return _name(err.errno)
    if isinstance(result, Dgram) and result is not getattr(func, "__self__",
                                                           None):
        result.close()
    return None


def call(name, *args):
    """A function of libc's that fails: the name of its error, or None."""
    if getattr(_libc, name)(*args) >= 0:
        return None
    return _name(ctypes.get_errno())
