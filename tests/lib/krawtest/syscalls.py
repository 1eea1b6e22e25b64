# SPDX-License-Identifier: GPL-2.0
"""
System calls that Python has no words for: their numbers on this machine.

    syscalls.call("delete_module", b"kraw", os.O_NONBLOCK)
"""
import ctypes
import os

_NAMES = ("write", "close", "socket", "connect", "sendto", "recvfrom", "recvmsg",
          "bind", "setsockopt", "getsockopt", "unshare", "finit_module",
          "delete_module", "openat", "clock_nanosleep", "bpf")
NUMBERS = dict(zip(_NAMES, {
    "x86_64": (1, 3, 41, 42, 44, 45, 47, 49, 54, 55, 272, 313, 176, 257, 230,
               321),
    "s390x": (4, 6, 359, 362, 369, 371, 372, 361, 366, 365, 303, 344, 129, 288,
              262, 351),
    "aarch64": (64, 57, 198, 203, 206, 207, 212, 200, 208, 209, 97, 273, 106, 56,
                115, 280)}[os.uname().machine]))
_libc = ctypes.CDLL(None, use_errno=True)


def call(name, *args):
    """What it returns; OSError."""
    result = _libc.syscall(NUMBERS[name], *args)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result
