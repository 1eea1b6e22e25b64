# SPDX-License-Identifier: GPL-2.0
"""
One running `kraw -b -` for many commands: to start a process costs a tenth of
a second in an emulated machine, a line to a running one almost nothing.

With -force it goes on after a refused line.  After each command we send a word
that it cannot know; its complaint about that word says that the command before
is done, and what stands before the complaint is the command's own error.
"""
import itertools
import os
import select
import subprocess

from . import clock


class Session:
    """
    kraw in one namespace (None: where we are), text or JSON; `options` are more
    words before the object.
    """
    def __init__(self, program, namespace, json, options=()):
        words = [program]
        if namespace is not None:
            words += ["-n", namespace]
        if json:
            words.append("-j")
        words += options
        self._serial = itertools.count(1)
        self._process = subprocess.Popen(words + ["-force", "-b", "-"],
                                         stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE,
                                         stderr=subprocess.PIPE)
        os.set_blocking(self._process.stdout.fileno(), False)
        os.set_blocking(self._process.stderr.fileno(), False)

    def run(self, text):
        """Run one command: (its output, its error without notes)."""
        end = b"@end-%d" % next(self._serial)
        self._process.stdin.write(text.encode() + b"\n" + end + b"\n")
        self._process.stdin.flush()
        out, err = self._process.stdout.fileno(), self._process.stderr.fileno()
        texts = {out: b"", err: b""}
        until = clock.deadline(60)
        while end not in texts[err] or not texts[err].endswith(b"\n"):
            ready = select.select([out, err], [], [], clock.left(until))[0]
            if not ready:
                raise TimeoutError("kraw -b -: no answer to: " + text)
            for fd in ready:
                data = os.read(fd, 65536)
                if not data:
                    raise EOFError("kraw -b - ended at: %s: %s" %
                                   (text, texts[err].decode()))
                texts[fd] += data
        # what it wrote before that is in the pipe already
        while select.select([out], [], [], 0)[0]:
            data = os.read(out, 65536)
            if not data:
                break
            texts[out] += data
        errors = [line for line in texts[err].decode().splitlines()
                  if line.startswith("Error: ") and end.decode() not in line]
        return texts[out].decode(), "\n".join(errors)

    def close(self):
        """End the process."""
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._process.stderr.close()
