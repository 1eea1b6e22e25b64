# SPDX-License-Identifier: GPL-2.0
"""
What lives in the kernel's memory, by who made it.  The kernel has to note that:
a subject with the line `# boot: slub_debug=U` has it do so.
"""
import collections
import glob
import os
import re

_SLAB = "/sys/kernel/debug/slab"


def _blocks(path):
    """
    (objects, stack) of each place of one cache that has made some that live:
    a line "COUNT FUNCTION+0x... age=..." and the stack of calls below it.
    """
    with open(path) as file:
        text = file.read()
    for block in re.split(r"\n(?= *\d+ )", text):
        found = re.match(r" *(\d+) (.*)", block, re.S)
        if found:
            yield int(found[1]), found[2]


def made_by(module):
    """
    Counter of objects that live and that code of this module asked for, by
    its innermost function and the cache they are of.  Not what the kernel keeps
    for a while by itself: address space that was given back, and what it notes
    when it is asked for an ICMP error.
    """
    found = collections.Counter()
    for path in glob.glob(_SLAB + "/*/alloc_traces"):
        if path.endswith("/vmap_area/alloc_traces"):
            continue
        for count, stack in _blocks(path):
            inner = re.search(r"([\w.]+)\+0x\S+ \[%s\]" % module, stack)
            if inner and not re.search(r"^\s+_*icmp\w*_send", stack, re.M):
                cache = os.path.basename(os.path.dirname(path))
                found["%s: %s" % (inner[1].split(".")[0], cache)] += count
    return found


def of_cache(name):
    """How many objects of one cache live; 0 if there is no such cache."""
    try:
        return sum(count for count, _ in
                   _blocks("%s/%s/alloc_traces" % (_SLAB, name)))
    except FileNotFoundError:
        return 0
