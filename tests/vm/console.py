# SPDX-License-Identifier: GPL-2.0
"""Find the kernel's complaints in the text of a console."""

import bisect
import os
import re
import subprocess

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
      | Unable\ to\ handle\ kernel\ .*              # arm64, s390
      | Internal\ error:.*                          # arm64
      | .*(?:inconsistent\ lock\ state|possible\ circular\ locking|suspicious\ RCU\ usage).*
      | .*refcount_t:.*
      | .*ref_tracker:\ .*
      | unregister_netdevice:\ waiting\ for.*
      | .*unreferenced\ object\ 0x.*
      | ODEBUG:.*
      | Call\ [Tt]race:.*
    )$''', re.VERBOSE)

# These print a stack trace too, and are what a test with failing allocations
# asks for.
EXPECTED = re.compile(r'FAULT_INJECTION: forcing a failure'
                      r'|page allocation failure'
                      r'|kmem_cache_create\w*\(\w+\) failed with error -(12|22)'
                      r'|vmalloc error|vmap allocation for size')
TRACE = re.compile(r'Call [Tt]race:')
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


def lost_patch(text):
    """Did a CPU run into the breakpoint that another one puts where it changes the
    kernel's code, and has taken away again? Then the emulator of several CPUs still
    ran what it had made of the code before: of Linux it is no fault, on no machine."""
    return re.search(r'\bint3: 0000 \[#1\]', text)


def named(lines, module, base):
    """The lines of a report with names in place of the bare addresses that
    are all that is left of a module once it is unloaded. base is where its
    code was."""
    if not base or not os.path.exists(module):
        return lines
    # "name |value| class|type|size||section"
    table = subprocess.run(['nm', '-f', 'sysv', module], stdout=subprocess.PIPE,
                           text=True, check=False).stdout
    functions = []
    for fields in (line.split('|') for line in table.splitlines()):
        if len(fields) == 7 and fields[6].strip() == '.text' and fields[3].strip() == 'FUNC':
            start = base + int(fields[1], 16)
            functions.append((start, start + int(fields[4], 16), fields[0].strip()))
    functions.sort()

    def name(match):
        address = int(match.group(), 16)
        i = bisect.bisect(functions, (address, float('inf'))) - 1
        if i >= 0 and address <= functions[i][1]:
            return f'{functions[i][2]}+{address - functions[i][0]:#x} [kraw]'
        return match.group()

    return [re.sub(r'(?<=\] )0x[0-9a-f]{16}$', name, line) for line in lines]
