# SPDX-License-Identifier: GPL-2.0
"""
Files of the whole system, /proc/sys and /etc, for the length of a subject: what
no namespace takes with it would be there for whoever uses the VM next.

    system.write("/proc/sys/net/core/netdev_max_backlog", "20000\n")
"""
import os

from . import tap


def _put(path, text):
    with open(path, "w") as file:
        file.write(text)


def read(path):
    with open(path) as file:
        return file.read()


def write(path, text):
    """Write `text`; in the end what the file has now is written again."""
    before = read(path)
    tap.cleanup(lambda: _put(path, before))
    _put(path, text)


def append(path, text):
    """The same with what the file has now before `text`; it may be missing."""
    if os.path.exists(path):
        write(path, read(path) + text)
    else:
        tap.cleanup(lambda: os.unlink(path))
        _put(path, text)


def no_autoload():
    """
    Nobody loads modules at the kernel's request, for the length of a subject: a
    socket of a protocol that there is not starts one modprobe or two, each time.
    """
    write("/proc/sys/kernel/modprobe", "\n")
