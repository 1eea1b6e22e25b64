#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Hostile netlink: messages made from the specification, good ones and such that
are wrong in one place or in several, from two threads, while a third one
configures and packets come.  Nothing breaks: the kernel says nothing, the family
answers, `kraw flush` works, and then there is nothing left.

    make vm RUN=tests/subjects/nlfuzz.py ARGS="SEED FIRST EPISODES"

repeats episodes; make fuzz goes through millions of messages.
"""
import os
import re
import subprocess
import sys
import zlib

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", part)
                for part in ("lib", "spec", "fuzz")]
sys.dont_write_bytecode = True

import genl  # noqa: E402
import grammar  # noqa: E402
import spec  # noqa: E402
from krawtest import clock, inject, system, tap, tool  # noqa: E402
from krawtest.client import Client  # noqa: E402
from krawtest.netns import Lab  # noqa: E402

GRAMMAR = "/run/kraw.grammar"
MESSAGES = 5000			# of each of two threads, in an episode
KERNEL = os.environ["KRAW_KERNEL"]
# CI has half a million on all its kernels together, each has its own: most of them on
# a new one, so that who only asks for the stock one does not wait
EPISODES = 44 if KERNEL.startswith("7.") else 6 if clock.SLOW == 1 else 2
FIRST = zlib.crc32(KERNEL.encode()) % 10000 * 100

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
# each claim that goes waits for a grace period
system.write("/sys/kernel/rcu_expedited", "1")
system.no_autoload()


@tap.case
def the_grammar():
    """As many commands as the family has."""
    with Client(lab.right) as client:
        text = list(grammar.lines(spec.Spec(),
                                  genl.policies(client.nl, "kraw")))
    with open(GRAMMAR, "w") as out:
        out.write("\n".join(text) + "\n")
    tap.is_(len([line for line in text if line.startswith("command")]), 21,
            "requests")
    tap.ok(len(text) > 150, "%d attributes in all" % len(text))


@tap.case
def messages():
    words = [int(word) for word in sys.argv[1:]]
    seed, first, count = (words + [0] * 3)[:3] if words else \
        (int(os.environ.get("KRAW_SEED", 4711)), FIRST, EPISODES)
    tap.diag("seed %d, episodes %d to %d; to repeat: make vm KERNEL=%s CPUS=%d "
             "RUN=tests/subjects/nlfuzz.py ARGS='%d EPISODE 1'" %
             (seed, first, first + count - 1, KERNEL,
              os.cpu_count(), seed))
    with Client(lab.right) as client:
        number = client.family.id
        before = client.handlers()
    with lab.right:
        done = subprocess.run([os.path.join(inject.BUILT, "nlfuzz"), GRAMMAR] +
                              [str(word) for word in (number, seed, first,
                                                      count, MESSAGES)],
                              text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
    tap.diag(done.stdout.strip())
    tap.is_(done.returncode, 0, "no finding")
    found = re.search(r"^(\d+) messages, (\d+) packets", done.stdout, re.M)
    tap.ok(found and int(found[1]) >= count * 2 * MESSAGES and
           int(found[2]) > count * 10, "messages and packets were sent")
    with Client(lab.right) as client:
        tap.is_(client.handlers(), before, "the handlers are as before")


@tap.case
def nothing_is_left():
    tap.is_(tool.ask("proto show", lab.right), [], "nothing managed")
    tap.ok(module.unload(), "rmmod kraw")


tap.run()
