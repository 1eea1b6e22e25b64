# SPDX-License-Identifier: GPL-2.0
"""
A command that is stopped at system calls of its own, by ptrace: what has to
happen between two of them then does, each time.

    run(["kraw", "show"], opens={"/proc": kill_it}, sleeps=send_some)
"""
import ctypes
import os
import signal
import struct
import subprocess
import tempfile

from . import syscalls
from .tool import Result

_TRACEME, _SYSCALL, _SETOPTIONS, _SYSCALL_INFO = 0, 24, 0x4200, 0x420e
_GOOD = 1			# PTRACE_O_TRACESYSGOOD
_ENTRY = 1			# PTRACE_SYSCALL_INFO_ENTRY
_INFO = struct.Struct("=B7x16x7Q")	# what is going on, number, arguments

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p,
                         ctypes.c_void_p]


def _ptrace(request, pid=0, address=0, data=0):
    return _libc.ptrace(request, pid, address, data)


def _text(pid, address):
    with open("/proc/%d/mem" % pid, "rb", 0) as memory:
        memory.seek(address)
        return memory.read(64).partition(b"\0")[0].decode()


def _at(pid, opens, sleeps):
    """The process enters a system call: is it one that was asked for?"""
    info = ctypes.create_string_buffer(_INFO.size)
    _ptrace(_SYSCALL_INFO, pid, len(info), ctypes.addressof(info))
    what, call, *args = _INFO.unpack(info.raw)
    if what != _ENTRY:
        return
    if call == syscalls.NUMBERS["openat"]:
        then = opens.pop(_text(pid, args[1]), None)
        if then:
            then()
    elif call == syscalls.NUMBERS["clock_nanosleep"] and sleeps:
        sleeps()


def run(words, namespace, opens=(), sleeps=None):
    """
    Result of the command; `opens` are files and what to do at the first try to
    open each, `sleeps` what to do before it sleeps.
    """
    opens = dict(opens)
    with tempfile.TemporaryFile("w+") as out, \
            tempfile.TemporaryFile("w+") as err:
        with namespace:
            child = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                preexec_fn=lambda: _ptrace(_TRACEME))
        _, status = os.waitpid(child.pid, 0)	# stopped at its exec
        _ptrace(_SETOPTIONS, child.pid, 0, _GOOD)
        deliver = 0
        while os.WIFSTOPPED(status):
            if os.WSTOPSIG(status) == signal.SIGTRAP | 0x80:
                _at(child.pid, opens, sleeps)
            elif os.WSTOPSIG(status) != signal.SIGTRAP:
                deliver = os.WSTOPSIG(status)
            _ptrace(_SYSCALL, child.pid, 0, deliver)
            deliver = 0
            _, status = os.waitpid(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        return Result(child.returncode, out.read(), err.read())
