# SPDX-License-Identifier: GPL-2.0
"""
Memory: the kernel's, who is charged for it, and how much of it nobody is; a process's.

    with Cgroup("one") as group:
        group.add(pid)
        group.limit(group.used() + (4 << 20))
"""
import ctypes
import os
import re

from . import clock

ROOT = "/sys/fs/cgroup"
MCL_CURRENT = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Cgroup:
    """A memory cgroup below the root; close() when its processes have ended."""
    def __init__(self, name):
        with open(ROOT + "/cgroup.subtree_control", "w") as file:
            file.write("+memory\n")
        self.path = "%s/%s" % (ROOT, name)
        os.mkdir(self.path)

    def _read(self, name):
        with open("%s/%s" % (self.path, name)) as file:
            return file.read()

    def _write(self, name, value):
        with open("%s/%s" % (self.path, name), "w") as file:
            file.write("%s\n" % value)

    def add(self, pid):
        """What this process allocates from now on is charged here."""
        self._write("cgroup.procs", pid)

    def used(self):
        """Bytes, but for some 100 kB that CPUs hold ready."""
        return int(self._read("memory.current"))

    def limit(self, size):
        """No more than that; None: no limit."""
        self._write("memory.max", "max" if size is None else size)

    def stat(self, name):
        """One of memory.stat, in bytes."""
        return int(re.search(r"^%s (\d+)$" % name, self._read("memory.stat"),
                             re.M).group(1))

    def killed(self):
        """How many processes its limit has cost."""
        return int(re.search(r"^oom_kill (\d+)$", self._read("memory.events"),
                             re.M).group(1))

    def close(self):
        """Remove it; a process that has just ended may still be in it."""
        def gone():
            try:
                os.rmdir(self.path)
            except OSError:
                return False
            return True
        if not clock.wait_until(gone):
            raise TimeoutError("processes are left in " + self.path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def there_is():
    """Whether this kernel charges anybody."""
    try:
        with open(ROOT + "/cgroup.controllers") as file:
            return "memory" in file.read().split()
    except FileNotFoundError:
        return False


def slabs(pattern):
    """Objects in use by name of their cache."""
    with open("/proc/slabinfo") as file:
        found = [line.split() for line in file if re.match(pattern, line)]
    return {fields[0]: int(fields[1]) for fields in found}


def kmalloc(size):
    """The cache of what has this size: some machines have none that is so small."""
    return "kmalloc-%d" % min(
        n for n in (int(name.split("-")[1]) for name in slabs(r"kmalloc-\d+ "))
        if n >= size)


def grown(before, after):
    """What slabs() says more."""
    return {name: count - before.get(name, 0) for name, count in after.items()}


def shared():
    """Kilobytes of ours that a write would have copied, as others have them too."""
    size, ours = 0, False
    with open("/proc/self/smaps") as file:
        for line in file:
            if "-" in line.split()[0]:
                ours = line.split()[1].startswith("rw-p")
            elif ours and line.startswith("Shared_"):
                size += int(line.split()[1])
    return size


def own():
    """What there is of ours is read and copied now, and stays."""
    if _libc.mlockall(MCL_CURRENT):
        error = ctypes.get_errno()
        raise OSError(error, "mlockall: " + os.strerror(error))
