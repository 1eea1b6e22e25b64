# SPDX-License-Identifier: GPL-2.0
"""
Deadlines.  A test waits for a condition, never for a time to pass; the time
only says when to give up.  KRAW_SLOW=5 makes every deadline five times as long
(debug kernels).
"""
import os
import time

SLOW = float(os.environ.get("KRAW_SLOW") or 1)
PATIENCE = 10.0		# seconds; what takes longer is broken, not slow


def deadline(seconds=PATIENCE):
    """The moment, on the monotonic clock, at which to give up."""
    return time.monotonic() + seconds * SLOW


def left(until):
    """Seconds until that moment, never negative."""
    return max(0.0, until - time.monotonic())


def wait_until(condition, seconds=PATIENCE, pause=0.01):
    """
    Poll until condition() is true and return its value; the last (false) value
    if the deadline passes.
    """
    until = deadline(seconds)
    while True:
        value = condition()
        if value or time.monotonic() >= until:
            return value
        time.sleep(pause)
