# SPDX-License-Identifier: GPL-2.0
"""One QEMU process: start it, talk to it, end it."""

import contextlib
import hashlib
import json
import os
import re
import shlex
import socket
import subprocess
import time
from collections import namedtuple

# Exit statuses of a run that say more than the job's own (sysexits.h ends
# below at 78, shells begin at 126).
SPLAT, LEAK, TAINT, DIED, TIMEOUT, SETUP = 80, 81, 82, 83, 84, 85

# How many saved states to keep; each has about 100 MB.
STATES = 8

# O: out-of-tree module, E: unsigned module, N: KUnit ran
TAINT_EXPECTED = 1 << 12 | 1 << 13 | 1 << 18


def kvm_usable():
    """Whether it is worth trying: a /dev/kvm alone promises nothing."""
    with open('/proc/cpuinfo') as f:
        flags = re.search(r'^flags\s*:(.*)$', f.read(), re.MULTILINE)
    if not flags or not {'vmx', 'svm'} & set(flags.group(1).split()):
        return False
    return os.access('/dev/kvm', os.R_OK | os.W_OK)


def qemu_version(program):
    return subprocess.run([program, '--version'], check=True,
                          capture_output=True, text=True).stdout


# A kind of machine: QEMU's options for it, emulated; what is in the names of its
# virtio devices; the consoles of kernel and user; parameters of its kernels.
Platform = namedtuple('Platform', 'options bus console console_device tty tty_device parameters')
PLATFORMS = {
    'x86_64': Platform(
        # QEMU 7.2 emulates cmpxchg16b wrongly when the host is busy. The CPUs' time
        # stamp counters are one: without being told, a kernel with several asks the
        # HPET for the time, which stops all of them.
        ['-M', 'q35', '-cpu', 'qemu64,-cx16,+rdrand'], 'pci',
        'ttyS0', ['-serial', 'chardev:console'], 'ttyS1', ['-serial', 'chardev:tty'],
        'nokaslr no_timer_check random.trust_cpu=on tsc=reliable'),
    's390x': Platform(
        ['-M', 's390-ccw-virtio', '-cpu', 'max'], 'ccw',
        'ttysclp0', ['-device', 'sclpconsole,chardev=console'],
        'hvc0', ['-device', 'virtconsole,chardev=tty'], 'nokaslr'),
    'aarch64': Platform(
        ['-M', 'virt', '-cpu', 'cortex-a57'], 'pci',
        'ttyAMA0', ['-serial', 'chardev:console'],
        'hvc0', ['-device', 'virtconsole,chardev=tty'], 'nokaslr'),
}


class Kernel:
    """A directory as described in tests/vm/kernels/README."""

    def __init__(self, path):
        self.path = path
        with open(os.path.join(path, 'release')) as f:
            self.release = f.read().strip()
        self.image = next(image for image in (
            os.path.join(path, name) for name in ('vmlinux', 'bzImage', 'Image'))
            if os.path.exists(image))
        # one for another machine than this comes with all that runs on it
        self.machine, self.root = 'x86_64', None
        self.own_directories = {'proc', 'sys', 'dev', 'run'}
        if os.path.exists(os.path.join(path, 'machine')):
            with open(os.path.join(path, 'machine')) as f:
                self.machine = f.read().strip()
            self.root = os.path.realpath(os.path.join(path, 'root'))
            # see init
            self.own_directories |= {'bin', 'boot', 'etc', 'lib', 'lib32', 'lib64', 'libx32',
                                     'sbin', 'usr', 'var'}
        self.platform = PLATFORMS[self.machine]
        # How many times longer than usual everything takes; a kernel that
        # checks everything also needs more memory.
        self.slow, self.memory = 1, 512
        if os.path.exists(os.path.join(path, 'slow')):
            self.slow, self.memory = 4, 512
        self.modules = os.path.join(path, 'lib/modules', self.release)


class Machine:
    """A VM with three channels to it, all inherited sockets: nothing that two
    runs could fight for has a name.

    A VM that has booted can be saved and later be restored in a fraction of
    the time, as many times as one likes."""

    def __init__(self, kernel, initrd, cpus, memory, kvm, console, tty=False,
                 snapshots=None, icount=False, plugin=None, parameters=''):
        self.console = console
        self.control, control = socket.socketpair()
        self.out, out = socket.socketpair()
        self.qmp, qmp = socket.socketpair()
        theirs = [control, out, qmp]
        platform = kernel.platform
        # norandmaps: QEMU translates code again wherever it finds it at another
        # address; with each process at addresses of its own that was a third of what
        # a subject costs.
        append = (f'console={platform.console} panic=-1 loglevel=5 cryptomgr.notests '
                  f'oops=panic norandmaps {platform.parameters} '
                  f'rcupdate.rcu_cpu_stall_timeout=200 slow={kernel.slow} {parameters}').rstrip()
        if kernel.root:
            append += f' lower={kernel.root}'
        program = f'qemu-system-{kernel.machine}'
        command = [
            # whatever ends us ends it
            'setpriv', '--pdeathsig', 'KILL',
            program, '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot',
            *platform.options,
            '-accel', 'kvm' if kvm else 'tcg', *(['-cpu', 'host'] if kvm else []),
            '-smp', str(cpus), '-m', str(memory), '-rtc', 'base=utc',
            '-kernel', kernel.image, '-initrd', initrd, '-append', append,
            '-chardev', f'file,id=console,path={console}',
            *platform.console_device,
            '-chardev', f'socket,id=qmp,fd={qmp.fileno()}',
            '-mon', 'chardev=qmp,mode=control',
            '-device', f'virtio-serial-{platform.bus}',
            '-chardev', f'socket,id=control,fd={control.fileno()}',
            '-device', 'virtserialport,chardev=control,name=control',
            '-chardev', f'socket,id=out,fd={out.fileno()}',
            '-device', 'virtserialport,chardev=out,name=out',
            '-fsdev', 'local,id=host,path=/,security_model=none,readonly=on,multidevs=remap',
            '-device', f'virtio-9p-{platform.bus},fsdev=host,mount_tag=host',
        ]
        if icount:
            # one nanosecond of the guest's time an instruction; idling takes
            # none of the host's
            command += ['-icount', 'shift=0,sleep=off']
        # Under KVM booting is quick enough. What a state depends on is in the
        # command, but for the numbers of our descriptors.
        self.state, self.restored = None, False
        if snapshots and not kvm:
            key = re.sub(r'fd=\d+|path=[^ ]*console', '', ' '.join(command)) + qemu_version(program)
            self.state = os.path.join(
                snapshots, hashlib.sha256(key.encode()).hexdigest()[:12] + '.state')
            try:
                theirs.append(open(self.state, 'rb'))
                command += ['-incoming', f'fd:{theirs[-1].fileno()}']
                self.restored = True
            except FileNotFoundError:
                pass
        if plugin:
            command += ['-plugin', plugin]
        if tty:
            command += ['-chardev', 'stdio,id=tty,signal=off', *platform.tty_device]
        # QEMU inherits it. What it has made of the guest's code fills the caches: to be
        # interrupted for each thread that wakes up would cost it an eighth of its time.
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        self.process = subprocess.Popen(
            command, stdin=None if tty else subprocess.DEVNULL,
            stdout=None if tty else subprocess.DEVNULL, stderr=subprocess.PIPE,
            pass_fds=[file.fileno() for file in theirs])
        for file in theirs:
            file.close()

    def command(self, name, **arguments):
        """A QMP command and its result."""
        if not hasattr(self, 'monitor'):
            self.monitor = self.qmp.makefile('rw')
            self.monitor.readline()
            self.command('qmp_capabilities')
        json.dump({'execute': name, 'arguments': arguments}, self.monitor)
        self.monitor.flush()
        while True:
            line = self.monitor.readline()
            if not line:
                raise OSError('QEMU went away')
            reply = json.loads(line)
            if 'error' in reply:
                raise OSError(f"{name}: {reply['error']['desc']}")
            if 'return' in reply:
                return reply['return']

    def save(self):
        """Keep the state of the running VM for later ones; it goes on. That
        it could not be kept is no reason for the run to fail."""
        directory = os.path.dirname(self.state)
        part = f'{self.state}.{os.getpid()}'
        os.makedirs(directory, exist_ok=True)
        status = None
        try:
            self.command('stop')
            self.command('migrate', uri=f'exec:cat > {shlex.quote(part)}')
            while status not in ('completed', 'failed', 'cancelled'):
                time.sleep(0.02)
                status = self.command('query-migrate').get('status')
        except OSError:
            pass
        self.command('cont')
        if status == 'completed':
            os.replace(part, self.state)
        elif os.path.exists(part):
            os.unlink(part)
        # every combination of kernel, memory, ... has one; keep those in use
        states = [os.path.join(directory, name) for name in os.listdir(directory)
                  if name.endswith('.state')]
        for path in sorted(states, key=os.path.getmtime)[:-STATES]:
            os.unlink(path)

    def resume(self):
        """Let a restored VM, which was stopped when it was saved, go on."""
        # so that a QEMU that hangs is an error, not our end
        self.qmp.settimeout(60)
        while self.command('query-status')['status'] == 'inmigrate':
            time.sleep(0.01)
        self.command('cont')
        os.utime(self.state)

    def forget(self):
        """The saved state is no good."""
        if os.path.exists(self.state):
            os.unlink(self.state)

    def end(self):
        """Stop our own child; returns what it had to say."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
        said = self.process.stderr.read().decode(errors='replace')
        self.process.wait()
        self.process.stderr.close()
        for s in (self.control, self.out, self.qmp):
            s.close()
        return ''.join(line for line in said.splitlines(True)
                       if 'terminating on signal' not in line)

    def console_text(self):
        try:
            with open(self.console, errors='replace') as f:
                return f.read()
        except OSError:
            return ''
