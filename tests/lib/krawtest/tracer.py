# SPDX-License-Identifier: GPL-2.0
"""
A socket that traces, by netlink, in this process.

    with Tracer(lab.right, proto=253, verdict="raw") as tracer:
        ...
        tracer.records()	# what has come: messages as client.read has them
        tracer.stop()		# (packets that it was to be told of, lost ones)
"""
import socket
import struct

from .client import Client, K, genl, read, rule, u32

SO_RCVBUFFORCE = 33


class Tracer(Client):
    """
    Arguments as in client.rule(); marked: only packets of rules with "trace";
    snaplen: bytes of each packet.
    """
    def __init__(self, namespace=None, proto=None, marked=False, snaplen=None,
                 rcvbuf=8 << 20, start=True, **filters):
        super().__init__(namespace)
        self._snaplen = snaplen
        if marked:
            filters["trace"] = True
        self._filter = rule(proto, **filters)
        self.nl.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, rcvbuf)
        if start:
            try:
                self.start()
            except BaseException:
                self.close()
                raise

    def start(self):
        """KRAW_CMD_TRACE."""
        options = [] if self._snaplen is None else \
            [genl.attr(K.A_TRACE, [u32(K.TRACE_A_SNAPLEN, self._snaplen)])]
        self.send(K.CMD_TRACE, self._filter, *options)

    def records(self):
        """The records that are there, in their order."""
        out = []
        self.nl.sock.setblocking(False)
        while True:
            try:
                data = self.nl.sock.recv(1 << 18)
            except BlockingIOError:
                self.nl.sock.settimeout(60)
                return out
            size, kind, _, seq, _, command = struct.unpack_from("=IHHIIB",
                                                                data)
            if kind == self.family.id and command == K.CMD_TRACE and not seq:
                out.append(read(data[20:size]))

    def stop(self):
        """No more records: (packets that it was to be told of, lost ones)."""
        answer, = self.send(K.CMD_TRACE_STOP)
        totals = read(answer.payload)["trace"]
        return totals["seq"], totals["lost"]
