#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Programs: the documentation's examples, compiled and run, and programs that were
written for UDP and run over protocol 253 without knowing.
"""
import os
import select
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, tap, tool
from krawtest.client import Client, K, genl, read
from krawtest.manage import Count, managed
from krawtest.netns import Lab

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.join(HERE, "..", "..", "Documentation", "examples")


server, client, shim = "/run/echo-server", "/run/echo-client", "/run/udp-as.so"


@tap.each((EXAMPLES + "/echo-server.c", server),
          (EXAMPLES + "/echo-client.c", client),
          (os.path.join(HERE, "..", "lib", "udp-as.c"), shim))
def compiles(source, path):
    flags = ("-shared", "-fPIC") if path == shim else ()
    done = tool.command("cc", "-Wall", "-Wextra", "-Werror", *flags, "-o", path,
                        os.path.abspath(source))
    tap.is_((done.status, done.err), (0, ""), "without a warning")


class Running:
    """A program in a namespace, ended at the latest with the block."""
    def __init__(self, space, *words, **options):
        with space:
            self.process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, **options)

    def __enter__(self):
        return self.process

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def as_user(*words):
    """The words of a command without any privilege."""
    return ("setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups",
            "--bounding-set", "-all", *words)


@tap.each("plain", "ports")
def examples(claim):
    port = {"plain": "0", "ports": "7777"}[claim]
    with managed(253, lab.left, "claim %s users all" % claim), \
            managed(253, lab.right, "claim %s users all" % claim), \
            Running(lab.right, *as_user(server, "253", port)) as process:
        tap.is_(process.stdout.readline(), b"ready\n", "the server is ready")
        for family in (4, 6):
            done = lab.left.run(*as_user(client, "253", lab.r0.addr[family],
                                         port, "hello"))
            tap.is_((done.stdout, done.stderr), ("hello\n", ""),
                    "IPv%d: the client has its answer" % family)
        tool.do("proto del 253 force", lab.right)
        tap.is_((process.wait(clock.PATIENCE * clock.SLOW),
                 process.stderr.read()), (1, b"the claim has gone\n"),
                "the server ends with the claim")
        done = lab.left.run(client, "253", lab.r0.addr[4], port, "hello there")
        tap.is_((done.returncode, done.stderr),
                (1, "recv: Protocol not available\n"),
                "and the client is told")
        tool.do("proto add 253 claim " + claim, lab.right)
    done = lab.right.run(server, "253")
    tap.is_(done.stderr, "protocol 253 is not claimed here\n", "no claim")


def ready(port):
    """
    Wait until something is bound to this port in right.  To bind to it oneself
    tells that, too, but is in the way of who wants to.
    """
    with Client(lab.right) as client:
        def bound():
            return any(read(message.payload)["socket"].get("local_port") == port
                       for message in client.send(K.CMD_DGRAM_GET,
                                                  flags=genl.DUMP))
        if not clock.wait_until(bound):
            raise TimeoutError("nobody is bound to port %d" % port)


@tap.each(4, 6)
def socat(family):
    """An echo server and a client that know UDP."""
    env = dict(os.environ, LD_PRELOAD=shim)
    address = lab.r0.addr[family]
    if family == 6:
        address = "[%s]" % address
    with managed(253, lab.left, "claim ports"), \
            managed(253, lab.right, "claim ports"), \
            Running(lab.right, "socat",
                    "UDP%d-RECVFROM:7777,fork" % family, "EXEC:cat",
                    env=env):
        ready(7777)
        with Count(253, family, lab.right) as count, \
                Running(lab.left, "socat", "-",
                        "UDP%d:%s:7777" % (family, address),
                        env=env) as process:
            process.stdin.write(b"over 253\n")
            process.stdin.flush()
            select.select([process.stdout], [], [],
                          clock.PATIENCE * clock.SLOW)
            process.kill()
            tap.is_(process.communicate(), (b"over 253\n", b""), "an answer")
        tap.is_((count.delta.get("dgram"), count.delta.get("dgram_sent")),
                (1, 1), "which came over 253")


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
