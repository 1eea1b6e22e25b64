# SPDX-License-Identifier: GPL-2.0
"""
Which of several sockets was reached first.

The kernel appends a socket to an epoll instance's ready list when it becomes
readable, and epoll_wait reports that list in its order.  So when both sockets
were empty before, and both are readable when epoll_wait is called, the order of
its answer is the order in which the kernel woke them.  A raw socket is woken
while its copy is being queued; a sock.Tap is woken inside the transmission of
a packet, before the function that sends it returns.  Together they tell whether
a protocol handler answered a packet before or after the raw sockets had it.
"""
import select


class Order:
    """Order(a=socket, b=socket): names and the sockets to watch."""
    def __init__(self, **socks):
        self._names = {}
        self._epoll = select.epoll()
        for name, sock in socks.items():
            sock.drain()
            self._names[sock.fileno()] = name
            self._epoll.register(sock.fileno(),
                                 select.EPOLLIN | select.EPOLLET)

    def seen(self):
        """Names of those that became readable, first one first."""
        return [self._names[fd] for fd, _ in self._epoll.poll(0)]

    def close(self):
        """Stop watching."""
        self._epoll.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
