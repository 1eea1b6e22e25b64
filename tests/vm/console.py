# SPDX-License-Identifier: GPL-2.0
"""Find the kernel's complaints in the text of a console."""

import re

# What starts a report. A stack trace alone counts as well: every report that
# these lines miss has one.
SPLAT = re.compile(r'''
    ^(?:\[[^]]*\]\s*)*                              # time stamp, caller
    (?: (?:BUG|WARNING|UBSAN|Oops|KASAN)\b.*
      | kernel\ BUG\ at\ .*
      | general\ protection\ fault.*
      | Kernel\ panic.*
      | watchdog:.*(?:soft\ lockup|hard\ LOCKUP).*
      | (?:rcu:\ )?INFO:\ (?:task\ .*\ blocked|.*detected.*stall|trying\ to\ register).*
      | .*(?:inconsistent\ lock\ state|possible\ circular\ locking|suspicious\ RCU\ usage).*
      | .*refcount_t:.*
      | .*ref_tracker:\ .*
      | unregister_netdevice:\ waiting\ for.*
      | .*unreferenced\ object\ 0x.*
      | ODEBUG:.*
      | Call\ Trace:.*
    )$''', re.VERBOSE)

# These print a stack trace too, and are what a test with failing allocations
# asks for.
EXPECTED = re.compile(r'FAULT_INJECTION: forcing a failure'
                      r'|page allocation failure'
                      r'|vmalloc error|vmap allocation for size')
TRACE = re.compile(r'Call Trace:')
CONTEXT = 100


def splat(text):
    """The first report in text and what follows it, or None."""
    lines = [line.rstrip('\r') for line in text.splitlines()]
    expected = False
    for i, line in enumerate(lines):
        if EXPECTED.search(line):
            expected = True
        elif SPLAT.match(line):
            if expected and TRACE.search(line):
                expected = False
                continue
            # WARN's own words come before its first line that is fixed
            return '\n'.join(lines[max(i - 2, 0):i + CONTEXT])
    return None
