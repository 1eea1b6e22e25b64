#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
The module's KUnit suites, on kernels that have KUnit: each is a module of its
own beside kraw.ko, and the kernel keeps the results of each in debugfs.
"""
import glob
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "..", "lib"))
from krawtest import tap

RESULTS = "/sys/kernel/debug/kunit"


def suites():
    """The suites whose results the kernel has."""
    return set(os.listdir(RESULTS))


@tap.case
def all_suites():
    """Load every test module, and repeat what the kernel says of it."""
    if not os.path.isdir(RESULTS):
        raise tap.Skip("this kernel has no KUnit")
    modules = glob.glob(os.path.join(os.path.dirname(os.environ["KRAW_KO"]),
                                     "*_test.ko"))
    tap.ok(modules, "there are test modules")
    for path in modules:
        before = suites()
        subprocess.run(["insmod", path], check=True)
        for suite in suites() - before:
            with open(os.path.join(RESULTS, suite, "results")) as results:
                text = results.read()
            tap.diag(text.rstrip())
            cases = re.findall(r"^    (not ok|ok) \d+ (\S+)", text, re.M)
            tap.ok(cases, suite + ": has cases")
            for outcome, name in cases:
                tap.is_(outcome, "ok", suite + ": " + name)
        subprocess.run(["rmmod", os.path.basename(path)[:-3]], check=True)


tap.run()
