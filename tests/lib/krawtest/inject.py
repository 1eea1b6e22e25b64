# SPDX-License-Identifier: GPL-2.0
"""
System calls whose n-th allocation fails, on kernels with fault injection.

    injector = Injector()
    for nth in itertools.count(1):
        results, injected = injector.run(nth, Call("close", fd))
        if not injected:
            break		# it makes no nth allocation
"""
import ctypes
import os

from . import syscalls

BUILT = os.path.normpath(os.path.join(os.path.dirname(__file__), "..", "..",
                                      "..", ".cache", "build", "fuzz"))
FILE = "/proc/thread-self/fail-nth"
DEBUG = "/sys/kernel/debug"


class _Call(ctypes.Structure):
    _fields_ = [("number", ctypes.c_long), ("args", ctypes.c_long * 6),
                ("result", ctypes.c_long)]


class Call:
    """A system call: integers, bytes (their address), writable buffers."""
    def __init__(self, name, *args):
        self.number = syscalls.NUMBERS[name]
        # bytes stay where they are as long as somebody knows them
        self.args = [arg if isinstance(arg, int) else
                     ctypes.cast(arg, ctypes.c_void_p).value for arg in args]
        self._kept = args


def why_not():
    """Why allocations cannot be made to fail here, or None."""
    if not os.path.exists(FILE):
        return "this kernel injects no faults (CONFIG_FAULT_INJECTION)"
    if not os.path.exists(DEBUG + "/failslab"):
        return "this kernel has no failslab (CONFIG_FAILSLAB)"
    return None


def can_choose():
    """Whether allocations can be told apart by where they come from."""
    return os.path.exists(DEBUG + "/failslab/require-start")


class FromModules:
    """While it lasts only allocations on behalf of a module count."""
    KINDS = ("failslab", "fail_page_alloc")
    MODULES = (0xffffffffa0000000, 0xffffffffff000000)	# x86-64
    ANYTHING = (0, 2 ** 64 - 1)

    def __enter__(self):
        self._set(*self.MODULES)
        return self

    def __exit__(self, *_):
        self._set(*self.ANYTHING)

    def _set(self, start, end):
        for kind in self.KINDS:
            for name, value in (("start", start), ("end", end)):
                with open("%s/%s/require-%s" % (DEBUG, kind, name),
                          "w") as file:
                    file.write("%#x" % value)


class Injector:
    """Of the thread that makes it."""
    def __init__(self):
        self._lib = ctypes.CDLL(os.path.join(BUILT, "inject.so"))
        self._fd = os.open(FILE, os.O_RDWR)
        self.injections = 0
        # as it comes, only those that must not wait fail
        for kind in ("failslab", "fail_page_alloc"):
            with open("%s/%s/ignore-gfp-wait" % (DEBUG, kind), "w") as file:
                file.write("N")

    def run(self, nth, *calls):
        """(their results, negative errnos among them; whether one failed)."""
        array = (_Call * len(calls))()
        for i, call in enumerate(calls):
            array[i].number = call.number
            array[i].args[:len(call.args)] = call.args
        ret = self._lib.inject(self._fd, nth, array, len(calls))
        if ret < 0:
            raise OSError(-ret, "fail-nth: " + os.strerror(-ret))
        self.injections += ret
        return [one.result for one in array], bool(ret)

    def close(self):
        """Close the descriptor."""
        os.close(self._fd)
