# SPDX-License-Identifier: GPL-2.0
"""
The kraw command and the kernel module: run, expect, load, unload.
"""
import json
import os
import re
import subprocess
from collections import namedtuple

from . import clock, insmod
from .session import Session

KRAW = os.environ.get("KRAW", "kraw")

Result = namedtuple("Result", "status out err")


class Refused(Exception):
    """A command that should have worked did not."""


def command(*args, stdin=None):
    """Run any command; status, stdout and stderr as text."""
    done = subprocess.run(args, input=stdin, text=True,
                          stdin=subprocess.DEVNULL if stdin is None else None,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return Result(done.returncode, done.stdout, done.stderr)


def _line(namespace, text):
    words = [KRAW]
    if namespace is not None:
        words += ["-n", getattr(namespace, "name", namespace)]
    return words + (text.split() if isinstance(text, str) else list(text))


def kraw(text, namespace=None, stdin=None):
    """
    Run `kraw -n NAMESPACE <text>` whatever comes of it.  `text` is a string
    that is split at blanks, or a list of words.
    """
    return command(*_line(namespace, text), stdin=stdin)


_sessions = {}		# (namespace, JSON): a running kraw


def _session(namespace, as_json):
    name = getattr(namespace, "name", namespace)
    session = _sessions.get((name, as_json))
    if session is None:
        session = Session(KRAW, name, as_json)
        _sessions[name, as_json] = session
        if hasattr(namespace, "at_close"):
            namespace.at_close(lambda: hang_up(name))
    return session


def hang_up(name=Ellipsis):
    """End the running kraw of one namespace, or of all."""
    for key in [key for key in _sessions if name in (Ellipsis, key[0])]:
        _sessions.pop(key).close()


def _in_session(text, namespace, as_json):
    out, err = _session(namespace, as_json).run(text)
    if err:
        raise Refused("kraw %s: %s" % (text, err))
    return out


def do(text, namespace=None, stdin=None):
    """
    Run kraw and insist on success; its standard output.  Simple commands go to
    a kraw that runs already, see krawtest.session.
    """
    if isinstance(text, str) and stdin is None and not text.startswith("-"):
        return _in_session(text, namespace, False)
    return do_alone(text, namespace, stdin)


def do_alone(text, namespace=None, stdin=None):
    """The same in a process of its own."""
    result = kraw(text, namespace, stdin)
    if result.status:
        raise Refused("kraw %s: exit %d: %s" % (text, result.status,
                                                result.err.strip()))
    return result.out


def ask(text, namespace=None):
    """Run `kraw -j <text>`; the objects that it prints."""
    if isinstance(text, str) and not text.startswith("-"):
        return json.loads(_in_session(text, namespace, True) or "[]")
    return json.loads(do_alone(["-j"] + _line(None, text)[1:], namespace) or
                      "[]")


def refused(text, namespace=None, stdin=None):
    """
    Run kraw and insist on a refusal by the kernel (status 2) or by the tool
    (status 1): Result with the one line of its error.
    """
    result = kraw(text, namespace, stdin)
    if not result.status:
        raise Refused("kraw %s: worked, and should not have" % (text,))
    return Result(result.status, result.out, result.err.strip())


# --- the module --------------------------------------------------------------

def loaded(name="kraw"):
    """Is this module in the kernel?"""
    with open("/proc/modules") as file:
        return any(line.split()[0] == name for line in file)


class Module:
    """
    kraw.ko, loaded while the object lives.  close() unloads it, whatever it
    still manages.
    """
    def __init__(self, *params, path=None, load=True):
        self._path = path or os.environ.get("KRAW_KO")
        if not self._path:
            raise RuntimeError("KRAW_KO does not say where kraw.ko is")
        self._params = params
        if load:
            self.load()

    def load(self):
        """insmod, with what the module needs."""
        with open(self._path, "rb") as file:
            needs = re.search(rb"\0depends=([^\0]*)", file.read())[1].decode()
        for name in needs.split(",") if needs else []:
            command("modprobe", name)
        try:
            insmod.load(" ".join(self._params), self._path)
        except OSError as error:
            raise Refused("insmod: " + error.strerror) from error

    def unload(self):
        """rmmod; True if that worked."""
        hang_up()	# they remember the number of a netlink family
        def gone():
            return not loaded() or insmod.unload_once()
        return bool(clock.wait_until(gone))

    def close(self):
        """Unload it if it is loaded."""
        if loaded() and not self.unload():
            raise Refused("rmmod kraw: " + command("rmmod", "kraw").err)


def modprobe(name):
    """Load one of the kernel's own modules; Result."""
    return command("modprobe", name)


def stats(proto, namespace):
    """
    The counters of one managed protocol: {4: {"seen": 3, ...}, 6: {...}}, only
    the families that are managed.
    """
    return {{"ipv4": 4, "ipv6": 6}[row["family"]]: row
            for row in ask("stats proto %s" % proto, namespace)}
