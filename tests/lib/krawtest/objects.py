# SPDX-License-Identifier: GPL-2.0
"""
What lives in the kernel's memory, by who made it.  The kernel has to note that:
a subject with the line `# boot: slub_debug=U` has it do so.
"""
import collections
import glob
import os
import re

from . import clock

_SLAB = "/sys/kernel/debug/slab"
# Calls for what the kernel keeps for a while by itself; its copy of a route is
# often made inline.
_KEPT = re.compile(r"^\s+(?:_*icmp\w*_send|_*neigh_create|ip6_rt_pcpu_alloc|"
                   r"ip6_dst_alloc\+\S+\s+ip6_pol_route)\b", re.M)


def _blocks(path, word=""):
    """
    (objects, stack) of each place of one cache that has made some that live:
    a line "COUNT FUNCTION+0x... age=..." and the stack of calls below it.  Only
    those with this word in it: there are megabytes of others.
    """
    with open(path) as file:
        text = file.read()
    if word not in text:
        return
    for block in re.split(r"\n(?= *\d+ )", text):
        found = word in block and re.match(r" *(\d+) (.*)", block, re.S)
        if found:
            yield int(found[1]), found[2]


def made_by(module, caches=None):
    """
    Counter of objects that live and that code of this module asked for, by
    its innermost function and the cache they are of.  Not what the kernel keeps
    for a while by itself: address space that was given back, what it notes when
    it is asked for an ICMP error, neighbours, and the copy of an IPv6 route that
    it makes for each CPU.  Whoever kept one of the latter two would hold their
    device, too, which the end of its namespace waits for.  With `caches` only
    objects of these.
    """
    found = collections.Counter()
    if caches is None:
        caches = os.listdir(_SLAB) if os.path.isdir(_SLAB) else ()
    for name in caches:
        path = "%s/%s/alloc_traces" % (_SLAB, name)
        if name == "vmap_area" or not os.path.exists(path):
            continue
        for count, stack in _blocks(path, "[%s]" % module):
            inner = re.search(r"([\w.]+)\+0x\S+ \[%s\]" % module, stack)
            if inner and not _KEPT.search(stack):
                found["%s: %s" % (inner[1].split(".")[0], name)] += count
    return found


def left_of(module, first, seconds):
    """
    Counter of what made_by() has more than it had at first, once there is nothing
    or the time is over.  To look at all caches takes a second: meanwhile only those
    are looked at that have more.
    """
    left = made_by(module) - first
    if left:
        more = {name.split(": ")[1] for name in left}
        clock.wait_until(lambda: not made_by(module, more) - first, seconds, 0.1)
        left = made_by(module) - first
    return left


def there_are():
    """Whether this kernel notes it at all (CONFIG_SLUB_DEBUG)."""
    return bool(glob.glob(_SLAB + "/*/alloc_traces"))


def of_cache(name):
    """How many objects of one cache live; 0 if there is no such cache."""
    try:
        return sum(count for count, _ in
                   _blocks("%s/%s/alloc_traces" % (_SLAB, name)))
    except FileNotFoundError:
        return 0
