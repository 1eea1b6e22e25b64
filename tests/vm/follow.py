# SPDX-License-Identifier: GPL-2.0
"""What a VM is told and what it says: one task after the other, and the end."""

import base64
import os
import selectors
import time

import console
import vm

# Ending processes, unloading, looking for leaks.
AFTER_SECONDS = 600


class Task:
    """Something to run in a VM, and what came of it."""

    def __init__(self, words, out=1, number=0):
        self.words = words      # a file and its arguments
        self.number = number    # as the guest calls it
        self.out = out          # the descriptor for its output
        self.status = None      # its exit status, or one of ours (vm.py)
        self.messages = []      # what there is to say of it

    def say(self, status, message, lines=()):
        """It ended so, whatever it said itself."""
        self.status = status
        self.messages.append('\n'.join([message, *lines]))


class Output:
    """The tasks' output on its way to where each wants it; the token ends it."""

    def __init__(self, token, first):
        self.token = token
        self.left = [first]
        self.held = b''

    def data(self, data):
        data = self.held + data
        while self.left:
            end = data.find(self.token)
            if end < 0:
                break
            self.emit(data[:end])
            self.left.pop(0)
            data = data[end + len(self.token):]
        # keep back what could be the first part of the token
        keep = next((n for n in range(min(len(self.token) - 1, len(data)), 0, -1)
                     if self.token.startswith(data[-n:])), 0)
        self.held = data[len(data) - keep:]
        self.emit(data[:len(data) - keep])

    def emit(self, data):
        while data and self.left:
            data = data[os.write(self.left[0], data):]

    def close(self):
        """Nothing more comes."""
        self.emit(self.held)
        self.held = b''


class Follower:
    """Serves a VM until it has run what it can, dies, or time is up."""

    def __init__(self, machine, order, token, first, more, timeout):
        self.machine = machine
        self.order = order.encode() + b'\n'
        self.tasks = [first]
        self.more = more        # gives one more task, or None
        self.timeout = timeout  # of each task
        self.output = Output(token, first.out) if token else None
        self.booted = self.started = self.ended = self.timed_out = False
        self.running = False    # a task
        self.done = 0           # how many tasks are
        self.healthy = True     # the VM, after all of these
        self.seen = 0           # how much of the console's text was looked at
        self.leaks = []
        self.text = None
        self.notes = []
        self.gcov = None

    @property
    def begun(self):
        """The tasks that have."""
        return self.tasks[:self.done + self.running]

    def splat(self):
        """What the kernel had to complain of since this was asked last."""
        text = self.machine.console_text()
        found = console.splat(text[self.seen:])
        self.seen = len(text)
        return found

    def judge(self, taint):
        """A task is over. The kernel's word counts before its own."""
        task = self.tasks[self.done]
        splat = self.splat()
        taint &= ~vm.TAINT_EXPECTED
        if splat:
            task.say(vm.SPLAT, 'the kernel complained:', [splat])
        elif taint:
            task.say(vm.TAINT, f'the kernel is tainted ({taint:#x})')
        self.healthy = not (splat or taint or self.leaks)
        self.running = False
        self.done += 1

    def line(self, line):
        """What the guest says, see there."""
        word, _, rest = line.partition(' ')
        if word == 'boot':
            self.booted = True
            if self.machine.state:
                self.machine.save()
            self.machine.control.sendall(self.order)
        elif word == 'start':
            self.started = self.running = True
            self.allow(self.timeout)
        elif word == 'exit':
            self.tasks[self.done].status = int(rest)
            self.allow(AFTER_SECONDS)
        elif word == 'done':
            self.judge(int(rest))
        elif word == 'next':
            task = self.healthy and self.more()
            if task:
                self.tasks.append(task)
                self.output.left.append(task.out)
            self.machine.control.sendall(b'%d\n' % task.number if task else b'end\n')
        elif word == 'text':
            self.text = int(rest, 16)
        elif word == 'leak':
            self.leaks.append(rest)
        elif word in ('note', 'used'):
            self.notes.append(rest)
        elif word == 'gcov':
            self.gcov = base64.b64decode(rest)
        elif word == 'end':
            self.ended = True

    def allow(self, seconds):
        """The time until the guest has to say something else."""
        self.until = time.monotonic() + seconds

    def complete(self):
        """Nothing more comes: of no task, and of none's output."""
        return self.ended and not (
            self.output and len(self.output.left) > len(self.tasks) - self.done)

    def follow(self, boot_timeout):
        """A task's time is the task's only: what the VM needs before and after it
        depends on how busy the host is."""
        self.allow(boot_timeout)
        if self.machine.restored:
            try:
                self.machine.resume()
                self.machine.control.sendall(self.order)
            except OSError:
                return
        pending = b''
        with selectors.DefaultSelector() as selector:
            selector.register(self.machine.control, selectors.EVENT_READ)
            selector.register(self.machine.out, selectors.EVENT_READ)
            while selector.get_map() and not self.complete():
                left = self.until - time.monotonic()
                if left <= 0:
                    self.timed_out = True
                    break
                for key, _ in selector.select(left):
                    try:
                        data = key.fileobj.recv(65536)
                    except ConnectionError:
                        data = b''
                    if not data:
                        selector.unregister(key.fileobj)
                    elif key.fileobj is self.machine.control:
                        *lines, pending = (pending + data).split(b'\n')
                        for line in lines:
                            self.line(line.decode(errors='replace'))
                    elif self.output:
                        self.output.data(data)
        if self.output:
            self.output.close()
