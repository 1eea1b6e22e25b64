# SPDX-License-Identifier: GPL-2.0
"""
Processes of other people: users without privileges, with a single capability,
and root of a user namespace.

    with Other("user", lab.right) as other:
        other.ask(func, 253)	# func(253) there: what it returns
"""
import contextlib
import ctypes
import json
import os
import struct
import sys
import traceback

NOBODY = 65534
CAP_NET_ADMIN, CAP_NET_RAW = 12, 13
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _call(name, *args):
    """A function of the C library that tells errors by errno."""
    if getattr(_libc, name)(*args):
        error = ctypes.get_errno()
        raise OSError(error, "%s: %s" % (name, os.strerror(error)))


def _capabilities(bits):
    """Keep these capabilities only, also for what we start."""
    head = struct.pack("=Ii", 0x20080522, 0)
    _call("capset", head, struct.pack("=IIIIII", bits, bits, bits, 0, 0, 0))
    for number in range(64):
        if bits >> number & 1:
            _call("prctl", 47, 2, number, 0, 0)	# PR_CAP_AMBIENT_RAISE


def become_user(bits=0):
    """An ordinary user with these capabilities and no others."""
    _call("prctl", 8, 1, 0, 0, 0)		# PR_SET_KEEPCAPS
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    _capabilities(bits)


def become_owner(network=True):
    """
    Root of a user namespace, and of a network namespace that belongs to it;
    outside of it an ordinary user.
    """
    become_user()
    _call("prctl", 4, 1, 0, 0, 0)		# PR_SET_DUMPABLE: /proc is ours
    _call("unshare", CLONE_NEWUSER | (CLONE_NEWNET if network else 0))
    for name, text in (("setgroups", "deny"),
                       ("uid_map", "0 %d 1" % NOBODY),
                       ("gid_map", "0 %d 1" % NOBODY)):
        with open("/proc/self/" + name, "w") as file:
            file.write(text)


WHO = {
    "user": become_user,
    "CAP_NET_RAW": lambda: become_user(1 << CAP_NET_RAW),
    "CAP_NET_ADMIN": lambda: become_user(1 << CAP_NET_ADMIN),
    "root": lambda: None,
    "root of a user namespace": become_owner,
    "root of a user namespace, not of the network's":
        lambda: become_owner(False),
}


class Other:
    """
    A process of somebody else, in the network namespace `space` unless it has
    its own.  ask(func, ...) runs a function there: what it returns.  Functions
    are found by name in the module that has them.
    """
    def __init__(self, who, space):
        mine, theirs = os.pipe(), os.pipe()
        self.pid = os.fork()
        if not self.pid:
            try:
                os.close(mine[1])
                os.close(theirs[0])
                space.__enter__()
                WHO[who]()
                self._serve(os.fdopen(mine[0]), os.fdopen(theirs[1], "w"))
            except BaseException:	# our parent's clean-up is not ours
                traceback.print_exc()
            finally:
                os._exit(1)
        os.close(mine[0])
        os.close(theirs[1])
        self._to = os.fdopen(mine[1], "w")
        self._from = os.fdopen(theirs[0])

    @staticmethod
    def _serve(requests, answers):
        for line in requests:
            module, name, args = json.loads(line)
            try:
                answer = [True, getattr(sys.modules[module], name)(*args)]
            except BaseException:
                answer = [False, traceback.format_exc()]
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
        os._exit(0)

    def ask(self, func, *args):
        """func(*args) there; arguments and result are JSON."""
        self._to.write(json.dumps([func.__module__, func.__name__, args]) +
                       "\n")
        self._to.flush()
        fine, answer = json.loads(self._from.readline() or
                                  '[false, "it died"]')
        if not fine:
            raise RuntimeError(answer)
        return answer

    @contextlib.contextmanager
    def network(self):
        """We are in its network namespace, with our own rights."""
        outer = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        theirs = os.open("/proc/%d/ns/net" % self.pid, os.O_RDONLY)
        try:
            _call("setns", theirs, CLONE_NEWNET)
            yield self
        finally:
            _call("setns", outer, CLONE_NEWNET)
            os.close(theirs)
            os.close(outer)

    def close(self):
        """It ends, and so do the namespaces that only it was in."""
        self._to.close()
        self._from.close()
        os.waitpid(self.pid, 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
