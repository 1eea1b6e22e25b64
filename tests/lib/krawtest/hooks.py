# SPDX-License-Identifier: GPL-2.0
"""
Netfilter hooks, seen in two ways.

lines() and of_module() are what `nft list hooks` prints.  That needs a kernel
with CONFIG_NETFILTER_NETLINK_HOOK, else nft prints nothing at all, whatever is
registered (Debian 12's own kernel is like that): ask listable() first.

Passage tells, on any kernel with kprobe events, how many hook points packets
find occupied: the kernel calls nf_hook_slow() for a packet if, and only if,
something is registered at that point of its way, in its namespace.  Other parts
of the kernel have hooks, too (AppArmor has one in each namespace), so compare
with what it was before.
"""
import errno
import os
import socket
import struct
import subprocess

from .ftrace import Count
from .who import Probe

_NETLINK_NETFILTER = 12
_HOOK_GET = 12 << 8		# NFNL_SUBSYS_HOOK, NFNL_MSG_HOOK_GET
_REQUEST_DUMP = 0x301


def listable():
    """Does this kernel list hooks?  Asks for those of IPv4's LOCAL_IN."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW,
                       _NETLINK_NETFILTER) as sock:
        body = struct.pack("=BBHHHI", socket.AF_INET, 0, 0, 8, 1,
                           socket.htonl(1))
        sock.send(struct.pack("=IHHII", 16 + len(body), _HOOK_GET,
                              _REQUEST_DUMP, 1, 0) + body)
        answer = sock.recv(65536)
    kind, error = struct.unpack("=4xH10xi", answer[:20])
    if kind == 2 and error in (-errno.EINVAL, -errno.EOPNOTSUPP):
        return False
    if kind == 2 and error:
        raise OSError(-error, os.strerror(-error))
    return True


class Passage:
    """Passage().points(left, right, 4): occupied points there and back."""
    def __init__(self):
        self._count = Count("nf_hook_slow")

    def points(self, sender, receiver, family, proto=252):
        """
        For a packet of a protocol that nobody has, and the answer to it.  The
        probe sees the packets of the whole machine, and some come unasked,
        neighbour discovery for one: they can only add, the least is true.
        """
        found = []
        with Probe(sender, receiver, proto, family) as probe:
            for _ in range(3):
                before = self._count.read()
                probe.send()
                found.append(self._count.read() - before)
        return min(found)

    def close(self):
        """Do not watch any more."""
        self._count.close()


def lines(namespace=None):
    """
    The hook functions, one line each: family, hook, priority, function and
    module, for example "ip input +2147483647 nf_confirm [nf_conntrack]".
    Without a namespace: where this process is.  An exception if this kernel
    cannot tell.
    """
    if not listable():
        raise RuntimeError("this kernel does not list netfilter hooks")
    command = ["nft", "list", "hooks"]
    if namespace is None:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.PIPE)
    else:
        done = namespace.run(*command)
    if done.returncode:
        raise RuntimeError("nft list hooks: " + done.stderr)
    out = []
    family = hook = ""
    for line in done.stdout.splitlines():
        words = line.split()
        if not words or words == ["}"]:
            continue
        if words[0] == "family":
            family = words[1]
        elif words[0] == "hook":
            hook = words[1]
        else:
            out.append(" ".join([family, hook] + words))
    return out


def of_module(namespace=None, module="kraw"):
    """The functions of one module."""
    return [line for line in lines(namespace) if "[%s]" % module in line]
