# SPDX-License-Identifier: GPL-2.0
"""
Load and unload kraw.ko by system calls: no process, a thousandth of the time.
What the module needs has to be there, see krawtest.tool.Module.
"""
import errno
import os
import shutil
import subprocess

from . import clock, syscalls


def _module(cache=[]):
    """
    The module in memory and without its debug information, megabytes, which one
    that was built for this machine has lost before.
    """
    if not cache:
        path = "/run/krawtest.ko"
        shutil.copyfile(os.environ["KRAW_KO"], path)
        if os.path.getsize(path) > 2 << 20:
            subprocess.run(["strip", "-g", path], check=True)
        cache.append(path)
    return cache[0]


def load(params="", path=None):
    """insmod; OSError if the kernel refuses."""
    fd = os.open(path or _module(), os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.call("finit_module", fd, params.encode(), 0)
    finally:
        os.close(fd)


def unload_once(name="kraw"):
    """rmmod; False if the module is in use."""
    try:
        syscalls.call("delete_module", name.encode(), os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EBUSY):
            return False
        raise
    return True


def unload(name="kraw", seconds=clock.PATIENCE):
    """rmmod, in spite of short uses; False if the deadline passed."""
    return clock.wait_until(lambda: unload_once(name), seconds, 0.001)
