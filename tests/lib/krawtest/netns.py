# SPDX-License-Identifier: GPL-2.0
"""
Network namespaces and the topology that most subjects use:

      left                          right
    +---------------------+       +---------------------+
    | l0  10.9.0.1/24     |-------| r0  10.9.0.2/24     |  kraw is configured here
    |     fd09::1/64      |       |     fd09::2/64      |
    |     + SOURCES       |       +---------------------+
    |                     |         other
    |                     |       +---------------------+
    | l1  10.9.1.1/24     |-------| o0  10.9.1.2/24     |  never claims anything
    |     fd09:1::1/64    |       |     fd09:1::2/64    |
    +---------------------+       +---------------------+

left sends, right and other receive.  left has more addresses on l0, one in each
of the prefixes of SOURCES, for rules on source prefixes.

The sockets that a test opens inside `with namespace:` belong to it.  The whole
process is pinned to one CPU: what it sends then stays in order on its way
through veth pairs, which the flushing in krawtest.who relies on.

Neighbours are permanent and duplicate address detection is off, so that
addresses work at once and no ARP or NDP packet disturbs a counter; ICMP is not
rate limited.
"""
import ctypes
import itertools
import os
import socket
import subprocess

from . import clock, route

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_MS_BIND, _MS_REC, _MS_SHARED = 0x1000, 0x4000, 0x100000
_MNT_DETACH = 2
_NAMED = "/run/netns/"		# where `ip netns` has them

# Prefix and address in it; rules match the first, left sends from the second.
SOURCES = {
    4: [("10.9.0.%d/28" % (16 * n), "10.9.0.%d" % (16 * n + 1))
        for n in range(1, 7)],
    6: [("fd09::%d:0/112" % n, "fd09::%d:1" % n) for n in range(1, 7)],
}

# Default of every test namespace: (sysctl, value).
SYSCTLS = [
    ("net.ipv4.icmp_ratelimit", "0"),
    ("net.ipv4.icmp_ratemask", "0"),
    ("net.ipv6.icmp.ratelimit", "0"),
    ("net.ipv6.icmp.ratemask", "0"),
    ("net.ipv6.conf.all.accept_ra", "0"),
    ("net.ipv6.conf.default.accept_ra", "0"),
    ("net.ipv6.conf.all.accept_dad", "0"),
    ("net.ipv6.conf.default.accept_dad", "0"),
    ("net.ipv6.conf.default.router_solicitations", "0"),
    ("net.ipv6.conf.default.mldv2_unsolicited_report_interval", "10"),
    ("net.ipv4.conf.all.rp_filter", "0"),
    ("net.ipv4.conf.default.rp_filter", "0"),
]


def _call(name, *args):
    if getattr(_libc, name)(*args):
        error = ctypes.get_errno()
        raise OSError(error, "%s: %s" % (name, os.strerror(error)))


def _setns(fd):
    _call("setns", fd, _CLONE_NEWNET)


def _mount(source, target, flags):
    _call("mount", source.encode(), target.encode(), b"none",
          ctypes.c_ulong(flags), None)


def bind(source, target):
    """`mount --bind`"""
    _mount(source, target, _MS_BIND)


def share():
    """As `ip netns add`: what goes here goes in other mount namespaces, too."""
    os.makedirs(_NAMED, exist_ok=True)
    try:
        _mount("", _NAMED, _MS_SHARED | _MS_REC)
    except OSError:		# not a mount yet
        _mount(_NAMED, _NAMED, _MS_BIND | _MS_REC)
        _mount("", _NAMED, _MS_SHARED | _MS_REC)


def add(*names):
    """`ip netns add`, without a process for it."""
    share()
    outer = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        for name in names:
            os.close(os.open(_NAMED + name,
                             os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0))
            _call("unshare", _CLONE_NEWNET)
            _mount("/proc/thread-self/ns/net", _NAMED + name, _MS_BIND)
    finally:
        _setns(outer)
        os.close(outer)


def delete(name):
    """`ip netns del`, without a process for it."""
    try:
        _call("umount2", (_NAMED + name).encode(), _MNT_DETACH)
    finally:
        os.unlink(_NAMED + name)


def pin(cpu=None):
    """Keep this process, and what it starts, on one CPU."""
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cpus) if cpu is None else cpu})


def ip(*lines, namespace=None):
    """Run iproute2 commands, given without the leading `ip`, in one batch."""
    command = ["ip"]
    if namespace:
        command += ["-n", namespace]
    done = subprocess.run(command + ["-batch", "-"], text=True,
                          input="\n".join(lines) + "\n",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise RuntimeError("ip %s: %s" % ("; ".join(lines), done.stdout))
    return done.stdout


class Namespace:
    """
    A named network namespace (`ip netns`).  `with ns:` enters it and leaves it
    again; this may be nested.
    """
    def __init__(self, name, exists=False):
        self.name = name
        self.links = {}		# name of the neighbour: our end of the Link
        self.later = []		# messages of krawtest.route for _settle()
        self._outer = []
        self._closers = []
        if not exists:
            add(name)
        self._fd = os.open(_NAMED + name, os.O_RDONLY)

    def __enter__(self):
        self._outer.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY))
        _setns(self._fd)
        return self

    def __exit__(self, *_):
        outer = self._outer.pop()
        _setns(outer)
        os.close(outer)

    def fileno(self):
        """The descriptor of the namespace."""
        return self._fd

    def ip(self, *lines):
        """iproute2 commands in this namespace."""
        return ip(*lines, namespace=self.name)

    def sysctl(self, name, value=None):
        """Read a sysctl of this namespace, or write it."""
        path = "/proc/sys/" + name.replace(".", "/")
        with self:
            if value is None:
                with open(path) as file:
                    return file.read().strip()
            with open(path, "w") as file:
                file.write(str(value) + "\n")
        return value

    def link_local(self, device):
        """A device's link-local address, which it gets in its own time."""
        def found():
            with self, open("/proc/thread-self/net/if_inet6") as file:
                return [socket.inet_ntop(socket.AF_INET6,
                                         bytes.fromhex(words[0]))
                        for words in map(str.split, file)
                        if words[3] == "20" and words[5] == device]
        return clock.wait_until(found)[0]

    def run(self, *command, **options):
        """subprocess.run in this namespace; text output is captured."""
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        options.setdefault("text", True)
        with self:
            return subprocess.run(command, **options)

    def at_close(self, func):
        """Have func() called before the namespace is deleted."""
        self._closers.append(func)

    def close(self):
        """Delete it.  Its end comes when its last socket is closed, too."""
        while self._closers:
            self._closers.pop()()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            delete(self.name)


class Link:
    """One end of a veth pair: where it is and what its addresses are."""
    def __init__(self, namespace, device, index, mac, v4, v6):
        self.namespace = namespace
        self.device = device
        self.mac = mac
        self.index = index
        self.addr = {4: v4, 6: v6}
        self.marker = None	# see krawtest.who


def namespaces(*names):
    """Several namespaces at once, in their default state."""
    add(*names)
    spaces = [Namespace(name, exists=True) for name in names]
    for space in spaces:
        with space:
            for name, value in SYSCTLS:
                try:
                    with open("/proc/sys/" + name.replace(".", "/"), "w") as f:
                        f.write(value + "\n")
                except FileNotFoundError:
                    pass
        space.later = [(route.NEWLINK, route.up(1), 0)]	# lo
    return spaces


def veth(number, one, one_device, two, two_device, extra=()):
    """
    Join two namespaces: network 10.9.<number>.0/24 and fd09:<number>::/64, the
    first gets .1, the second .2.  `extra` addresses, (family, address), go to
    the first, too.  Returns the two Links.
    """
    links = _join(number, one, one_device, two, two_device, extra)
    _settle([links], [one, two])
    return links


def _join(number, one, one_device, two, two_device, extra=()):
    """The two Links, and what is to be done in each namespace, for later."""
    ends = []
    for host, space, device in ((1, one, one_device), (2, two, two_device)):
        v6 = "fd09::%d" % host if number == 0 else \
             "fd09:%d::%d" % (number, host)
        ends.append(Link(space, device, 10 * (number + 1) + host,
                         "02:09:00:00:%02x:%02x" % (number, host),
                         "10.9.%d.%d" % (number, host), v6))
    a, b = ends
    one.links[two.name], two.links[one.name] = a, b
    for end, peer, mine, theirs in ((a, b, extra, ()), (b, a, (), extra)):
        def addrs(which):
            return [(route.NEWADDR, route.addr(
                family, end.index, addr, 24 if family == 4 else 64),
                route.CREATE_EXCL) for family, addr in which]

        end.namespace.later += addrs(end.addr.items()) + \
            [(route.NEWLINK, route.up(end.index), 0)] + addrs(mine) + \
            [(route.NEWNEIGH, route.neigh(family, end.index, addr,
                                          route.mac_of(peer.mac)),
              route.CREATE_REPLACE)
             for family, addr in [*peer.addr.items(), *theirs]]
    return a, b


def _settle(pairs, spaces):
    """
    Make veth pairs, then do what was left for later.  IPv6 is ready, for
    multicasts as well, when a device has its link-local address: at once, if
    the numbers of both ends differ.  Otherwise Linux takes the end for no link
    to somewhere else and may not look at its state for a second.
    """
    with route.Route() as here:
        for pair in pairs:
            here.send(route.NEWLINK, route.veth(*(
                (route.link(route.mac_of(end.mac), end.device.encode(),
                            index=end.index), end.namespace.fileno())
                for end in pair)), route.CREATE_EXCL)
    for space in spaces:
        with space, route.Route() as here:
            for message in space.later:
                here.send(*message)
        space.later = []
    for link in itertools.chain(*pairs):
        link.namespace.link_local(link.device)


class Lab:
    """
    The standard topology: .left, .right, .other are Namespaces; .l0, .r0, .l1,
    .o0 are Links.
    """
    def __init__(self):
        pin()
        self.left, self.right, self.other = namespaces("left", "right",
                                                       "other")
        extra = [(family, addr) for family in SOURCES
                 for _, addr in SOURCES[family]]
        self.l0, self.r0 = _join(0, self.left, "l0", self.right, "r0", extra)
        self.l1, self.o0 = _join(1, self.left, "l1", self.other, "o0")
        _settle([(self.l0, self.r0), (self.l1, self.o0)],
                [self.left, self.right, self.other])

    def close(self):
        """Delete the namespaces."""
        for space in (self.other, self.right, self.left):
            space.close()
