# SPDX-License-Identifier: GPL-2.0
"""Commands of the tool that go on until they are stopped."""
import os
import select
import signal
import subprocess

from . import clock, tool


class Live:
    """A running command, which listens when this returns."""
    def __init__(self, *words, stdout=subprocess.PIPE, **how):
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL,
                                        stdout=stdout, stderr=subprocess.PIPE,
                                        **how)

        def listens():
            """It has subscribed: it sleeps in poll, with its signal file."""
            if self.process.poll() is not None:
                return True
            folder = "/proc/%d/fd" % self.process.pid
            try:
                links = [os.readlink(os.path.join(folder, one))
                         for one in os.listdir(folder)]
            except OSError:
                return False
            return "anon_inode:[signalfd]" in links
        if not clock.wait_until(listens):
            raise TimeoutError("%s does not begin" % (words,))

    def lines(self, count):
        """So many lines of standard output, or as many as came in time."""
        text, until = b"", clock.deadline()
        while text.count(b"\n") < count and \
                select.select([self.process.stdout], [], [],
                              clock.left(until))[0]:
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            if not data:
                break
            text += data
        return text.decode().splitlines()

    def end(self, how=signal.SIGINT):
        """(status, rest of stdout, stderr); how: a signal, or None to wait."""
        if how is not None:
            self.process.send_signal(how)
        out, err = self.process.communicate(timeout=60 * clock.SLOW)
        return self.process.returncode, (out or b"").decode(), err.decode()


class Trace(Live):
    """A running `kraw trace` in the namespace "right"."""
    def __init__(self, *words, options=(), **how):
        super().__init__(tool.KRAW, "-n", "right", *options, "trace", *words,
                         **how)
