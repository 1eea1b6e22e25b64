# SPDX-License-Identifier: GPL-2.0
"""
Traffic that does not end, from a process of its own, for tests of what comes
and goes meanwhile.
"""
import ctypes
import mmap
import os
import signal
import socket
import struct
import time

from . import clock, packet, sock

ADDR = {4: "10.9.7.2", 6: "fd09:7::2"}	# behind the devices at SLOT0
PEER = {4: "10.9.7.1", 6: "fd09:7::1"}
SLOTS = 4
_libc = ctypes.CDLL(None, use_errno=True)
SENT, READ, TURNS, SLOT0 = range(4)	# in shared memory
PAUSE = 3	# behind a turn, in turns


class Flood:
    """
    A process that sends a quarter of the time: all of its CPU's would be taken
    from what it is to disturb.  It sends over the veth pair and the loopback device of lab.right, which has raw sockets
    open, and onto devices of lab.left whose indices stand at SLOT0 and behind.
    It counts in memory that we share.
    """
    def __init__(self, lab, proto):
        self._memory = mmap.mmap(-1, 4096)
        self._counts = memoryview(self._memory).cast("Q")
        self._readers = [sock.Reader(proto, family, lab.right, rcvbuf=65536)
                         for family in (4, 6) for _ in range(2)]
        self._senders = []
        for family, lo in ((4, "127.0.0.1"), (6, "::1")):
            self._add(proto, family, lab.left, lab.l0.addr[family],
                      lab.r0.addr[family])
            self._add(proto, family, lab.right, lo, lo)
        with lab.left:
            self._link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._frames = [
            b"\2\0\0\0\0\2" b"\2\0\0\0\0\1" + struct.pack("!H", ether) +
            packet.ip(PEER[family], ADDR[family], proto, b"flood")
            for family, ether in ((4, 0x0800), (6, 0x86dd))]
        self.pid = os.fork()
        if not self.pid:
            try:
                self._child()
            finally:
                os._exit(1)

    def _add(self, proto, family, space, src, dst):
        self._senders.append((sock.Sender(family, space).sock,
                              packet.ip(src, dst, proto, b"flood"), dst))

    def _child(self):
        os.sched_setaffinity(0, range(os.cpu_count()))
        os.nice(5)
        for turn in range(1, 1 << 62):
            start = time.monotonic()
            for sender, data, dst in self._senders:
                for _ in range(4):
                    try:
                        sender.sendto(data, (dst, 0))
                        self._counts[SENT] += 1
                    except OSError:	# a route or a device on its way out
                        pass
            for slot in range(SLOTS):
                # by index: a name that is gone makes the kernel call modprobe
                where = struct.pack("=HHiHBB8x", socket.AF_PACKET, 0,
                                    self._counts[SLOT0 + slot], 0, 0, 0)
                for frame in self._frames:
                    if _libc.sendto(self._link.fileno(), frame, len(frame), 0,
                                    where, len(where)) > 0:
                        self._counts[SENT] += 1
            for reader in self._readers:
                self._counts[READ] += len(reader.drain())
                reader.headers.clear()
            self._counts[TURNS] = turn
            time.sleep((time.monotonic() - start) * PAUSE)

    def __getitem__(self, index):
        return self._counts[index]

    def __setitem__(self, index, value):
        self._counts[index] = value

    def turn(self):
        """Wait until every packet of a whole turn has been sent."""
        before = self[TURNS]
        if not clock.wait_until(lambda: self[TURNS] > before + 1, pause=0.001):
            raise TimeoutError("the flood has stopped")

    def close(self):
        """End it, if that has not been done."""
        if not self.pid:
            return
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.pid = 0
        for reader in self._readers:
            reader.close()
        for sender, _, _ in self._senders:
            sender.close()
        self._link.close()
