# SPDX-License-Identifier: GPL-2.0
"""
guest JOB: process 1 of a VM once the root file system is there. Runs the job's first
task, and after it others, as the host says; cleans up behind each; in the end looks for
what they left behind. It reports on descriptor 3, line by line (follow.py reads these):

    start           a task begins
    exit N          its exit status
    text ADDRESS    where kraw's code was
    done N          it is cleaned up behind it; /proc/sys/kernel/tainted
    used TEXT       this VM is not what it was, TEXT says why
    next            what now? The host's answer: a number, or "end"
    leak TEXT       one line of kmemleak's report
    note TEXT       worth saying, not a failure
    gcov BASE64     what a kernel with gcov counted, tar.gz
    end             everything above is complete

A task that is a Python program is run by a child of this one: to start Python, to have
it read the library and to compile the subject takes a second on a kernel that checks
everything. Nor does cleaning up start processes.
"""

import contextlib
import ctypes
import gc
import glob
import importlib.machinery
import json
import os
import shutil
import signal
import sys
import time
import types

HERE = os.path.dirname(os.path.abspath(__file__))
LIB = os.path.join(os.path.dirname(HERE), "lib")
CONTROL = 3
KMEMLEAK = "/sys/kernel/debug/kmemleak"
GCOV = "/sys/kernel/debug/gcov"
PR_SET_NAME = 15
PYTHONS_OWN = (signal.SIGPIPE, signal.SIGXFSZ)	# signals that it ignores

# What a task can change that neither its processes nor its namespaces take with them:
# all that the tests do.
STATE_FILES = (
    "/proc/mounts", "/proc/sys/net/core/*_max*", "/proc/sys/net/core/*_default",
    "/proc/sys/kernel/modprobe", "/proc/sys/kernel/pid_max", "/sys/kernel/rcu_expedited",
    "/sys/kernel/tracing/set_event", "/sys/kernel/tracing/kprobe_events",
    "/proc/net/if_inet6", "/proc/net/route", "/etc/hosts", "/etc/group", "/etc/passwd")
STATE_NAMES = ("/sys/class/net/*", "/sys/fs/cgroup/*/")
# Modules that only bring a kind of device or an algorithm may stay; vrf cannot be
# unloaded, nor what makes the keys of IPsec random.
HARMLESS = {"veth", "dummy", "tun", "vrf", "drbg", "jitterentropy_rng", "sha3_generic",
            "sha512_generic"}

# What most subjects use.
LIBRARY = ("tap", "tool", "sock", "clock", "packet", "netns", "client", "manage", "who",
           "dgram", "tracer", "counters", "insmod")

_libc = ctypes.CDLL(None, use_errno=True)


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


def say(line):
    write_all(CONTROL, line.encode() + b"\n")


def answer():
    """One line of the host's."""
    line = b""
    while not line.endswith(b"\n"):
        data = os.read(CONTROL, 4096)
        if not data:	# nobody is there; the host ends us
            time.sleep(0.05)
        line += data
    return line.decode().strip()


def read(path):
    """The text there; '' if it cannot be read."""
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


# The library reads the environment, which is the job's not before main() has set it.

def set_up(job):
    """What this job needs of the guest."""
    from krawtest import netns
    # /tmp stays: what the host has there can be read, what is written is ours
    modules = "/lib/modules/" + job["release"]
    os.makedirs(modules, exist_ok=True)
    netns.bind(job["modules"], modules)
    # every user of the guest may run the tool, wherever the project is
    shutil.copytree(job["bin"], "/run/kraw/bin")
    # and tests find their programs, built for this machine, where they always are
    programs = job["programs"]
    for path in programs and [*glob.glob(programs + "/build/*"), programs + "/daemons"]:
        target = job["cache"] + path[len(programs):]
        os.makedirs(target, exist_ok=True)
        netns.bind(path, target)
    # for the first task as for the others
    netns.share()


# --- one task after the other -------------------------------------------------

def modules():
    return [line.split()[0] for line in read("/proc/modules").splitlines()]


def state():
    """Lines, in order."""
    found = [name for pattern in STATE_NAMES for name in sorted(glob.glob(pattern))]
    found += [f"{path}: {line}" for pattern in STATE_FILES
              for path in sorted(glob.glob(pattern)) for line in read(path).splitlines()]
    return found + ["module " + name for name in modules() if name not in HARMLESS]


def unload(name):
    """Why it stays loaded, or None."""
    from krawtest import insmod
    try:
        return None if insmod.unload_once(name) else "in use"
    except OSError as error:
        return error.strerror


def clean(slow):
    """End what a task left running, unload kraw."""
    from krawtest import netns
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    for name in os.listdir("/run/netns"):
        with contextlib.suppress(OSError):
            netns.delete(name)
    # once it is unloaded nobody can tell whose these addresses were
    text = read("/sys/module/kraw/sections/.text").strip()
    if text:
        say("text " + text)
    until = time.monotonic() + 5 * slow
    while os.path.exists("/sys/module/kraw"):
        why = unload("kraw")
        if why and time.monotonic() > until:
            # a reference that nobody can own any more
            say("leak kraw stays loaded: " + why)
            break
        if why:
            time.sleep(0.1)


def unused(before):
    """Is everything as it was before the first task?"""
    for _ in range(3):
        after = state()
        if after == before:
            return True
        # what is used by another goes in a later pass
        for name in modules():
            if name not in HARMLESS and "module " + name not in before:
                unload(name)
    changes = ["< " + line for line in before if line not in after] + \
        ["> " + line for line in after if line not in before]
    say("used " + " ".join(changes or ["the order"])[:500])
    return False


def conclude(child, job, out=None):
    """Say how the task ended that is our child, clean up behind it."""
    ended, status = 0, 0
    # whoever loses its parent is our child
    while ended != child:
        ended, status = os.waitpid(-1, 0)
    code = os.waitstatus_to_exitcode(status)
    say(f"exit {code if code >= 0 else 128 - code}")
    # Nothing of the task may live on: with its sockets and namespaces gone, what kraw
    # still holds is a leak.
    clean(job["slow"])
    # In the same channel as the output, so that nothing is behind it any more.
    if out is not None:
        write_all(out, job["token"].encode())
    say("done " + read("/proc/sys/kernel/tainted").strip())


def serve(job):
    """All that the host asks for. Returns what to become, in the child that is to."""
    out = os.open("/dev/out", os.O_WRONLY | os.O_CLOEXEC)
    before, number = state(), job["first"]
    while number != "end":
        words = job["tasks"][int(number)]
        say("start")
        child = os.fork()
        if not child:
            null = os.open("/dev/null", os.O_RDONLY)
            for source, target in ((null, 0), (out, 1), (out, 2)):
                os.dup2(source, target)
            for fd in (null, out, CONTROL):
                os.close(fd)
            return words
        conclude(child, job, out)
        say("next")
        number = answer()
        if number != "end" and not unused(before):
            break
    return None


def is_python(path):
    with open(path, "rb") as file:
        return file.readline().strip() == b"#!/usr/bin/python3"


def execute(words):
    for number in PYTHONS_OWN:
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execv(words[0], words)
    except OSError as error:
        print(f"{words[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(126)


def become(words):
    """Be the process that these words start."""
    path = words[0]
    if not is_python(path):
        execute(words)
    _libc.prctl(PR_SET_NAME, os.path.basename(path).encode())
    sys.stdout.reconfigure(line_buffering=False)
    sys.argv = words
    sys.path[:] = [os.path.dirname(path)] + \
        [one for one in sys.path if one not in (HERE, LIB, os.sep)]
    loader = importlib.machinery.SourceFileLoader("__main__", path)
    main = types.ModuleType("__main__")
    main.__file__, main.__loader__ = path, loader
    sys.modules["__main__"] = main
    exec(loader.get_code("__main__"), main.__dict__)


# --- the end ------------------------------------------------------------------

def leaks():
    """What kmemleak finds. It scans again by itself if need be, see
    kernel/cheaper.patch."""
    with open(KMEMLEAK, "w") as file:
        file.write("scan")
    for line in read(KMEMLEAK).splitlines():
        say("leak " + line)


def coverage():
    # a file in there has no size that tar could believe
    with os.popen(f"cp -r {GCOV} /run/kraw/; "
                  "tar -C /run/kraw/gcov --exclude '*.gcno' -cz . | base64 -w 0") as pipe:
        say("gcov " + pipe.read())


def finish():
    if os.path.exists(KMEMLEAK):
        leaks()
    if os.path.exists(GCOV):
        coverage()
    say("end")
    # the host ends the VM
    while True:
        time.sleep(1000)


def shell(job):
    """The one task, on a terminal."""
    say("start")
    terminal = "/dev/" + job["shell"]
    words = ["setsid", "--ctty", "--wait", *job["tasks"][0]]
    child = os.posix_spawnp("setsid", words, os.environ, setsigdef=PYTHONS_OWN, file_actions=[
        (os.POSIX_SPAWN_CLOSE, CONTROL),
        *((os.POSIX_SPAWN_OPEN, fd, terminal, os.O_RDWR, 0) for fd in (0, 1, 2))])
    conclude(child, job)


def main():
    """Returns what to become, in a child."""
    with open(sys.argv[1] + "/job.json") as file:
        job = json.load(file)
    os.environ.clear()
    os.environ.update(job["environment"])
    os.chdir(job["root"])
    sys.path.insert(0, LIB)
    set_up(job)
    if job["shell"]:
        shell(job)
        return finish()
    # Several are subjects; one may be anything, and no exception of its is tap's.
    if len(job["tasks"]) > 1:
        for name in LIBRARY:
            importlib.import_module("krawtest." + name)
        gc.freeze()
    return serve(job) or finish()


become(main())
