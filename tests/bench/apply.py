#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
How long it takes to put many rules in force, and the kernel's memory for them.

The time is that of the whole command, from its start to its end, waiting
included. Its programs, libraries and files are in memory: while the guest waits
for the host its clock would jump.

Memory is what the command's memory cgroup is charged for once it has ended:
objects as the kernel's allocators round them up. "counters" are what of that is
memory per CPU, here for one CPU.
"""
import os
import time

import guest
from guest import emit

SIZES = [1000, 10000, 100000]
ROOT = "/run/kraw/root"		# as the commands see it
GROUP = "/sys/fs/cgroup/bench"


def repetitions(size):
    """What is short varies by a timer tick: it is measured more often."""
    return {1000: 16, 10000: 4, 100000: 2}[size]


def install(*programs):
    """A root directory in memory with these programs and their libraries."""
    for program in programs:
        path = guest.run("which", program).strip()
        files = [path] + [word for word in guest.run("ldd", path).split()
                          if word.startswith("/")]
        guest.run("cp", "--parents", "-L", *files, ROOT)


def stat():
    """What the group is charged for, in bytes."""
    with open(GROUP + "/memory.stat") as file:
        return {key: int(value) for key, value in map(str.split, file)}


def timed(path, *args):
    """Run a program in the group and the root; nanoseconds."""
    begin = time.monotonic_ns()
    pid = os.fork()
    if not pid:
        try:
            with open(GROUP + "/cgroup.procs", "w") as file:
                file.write("0")
            os.chroot(ROOT)
            os.chdir("/")
            os.execv(path, (path,) + args)
        finally:
            os._exit(127)
    _, status = os.waitpid(pid, 0)
    if status:
        raise RuntimeError("%s: status %d" % (path, status))
    return time.monotonic_ns() - begin


def measure(series, size, program, *args, undo):
    path = guest.run("which", program).strip()
    os.mkdir(GROUP)
    values, rest, counters = [], [], []
    for _ in range(repetitions(size)):
        guest.rest()
        before = stat()
        values.append(timed(path, *args))
        guest.rest()
        used = {key: value - before[key] for key, value in stat().items()}
        rest.append((used["kernel"] - used["percpu"]) / size)
        counters.append(used["percpu"] / size)
        undo()
    guest.rest()
    os.rmdir(GROUP)
    # the first one loads modules, and the programs into memory
    emit(series, size, values[1:])
    emit(series + ": memory", size, rest[1:], "bytes a rule")
    emit(series + ": counters", size, counters[1:], "bytes a rule")


def file(path):
    """Where a file of guest.write() is in the root: moved there."""
    name = "/" + os.path.basename(path)
    os.rename(path, ROOT + name)
    return name


os.makedirs(ROOT)
with open("/sys/fs/cgroup/cgroup.subtree_control", "w") as control:
    control.write("+memory")
install("kraw", "nft")
module = guest.load()
for size in SIZES:
    networks = guest.prefixes(size)
    measure("kraw apply", size, "kraw", "apply",
            file(guest.kraw_rules(networks, "none")),
            undo=lambda: guest.run("kraw", "flush"))
    measure("nft -f, a set", size, "nft", "-f",
            file(guest.nft_set(networks, "drop")), undo=guest.nft_flush)
    measure("nft -f, a rule each", size, "nft", "-f",
            file(guest.nft_linear(networks, "drop")), undo=guest.nft_flush)
module.close()
