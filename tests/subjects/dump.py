#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
Dumps larger than a message are whole and in order, or say that something has
changed meanwhile.  Each change is told to the group "config" and to a sender
that wants its echo; kraw monitor prints it, and says when it has missed some.
"""
import json
import os
import re
import select
import signal
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, tap, tool
from krawtest.client import Client, Dump, K, genl, proto, read, rule
from krawtest.netns import Lab

PROTO = 253
# Rules. The kernel writes a message ahead of the reader, so that at least
# four of them leave something to come when the first has been read.
MANY = 2000 if clock.SLOW == 1 else 1000
HEADERS = (0, 43, 44, 50, 51, 59, 60, 135, 139, 140)	# extensions of IPv6

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
client = tap.cleanup(Client(lab.right))
reader = tap.cleanup(Client(lab.right))

RULES = [rule(PROTO, "raw", pref=10 * n) for n in range(1, MANY + 1)]
PROTOS = [proto(n, families=K.FAMILY_IPV4 if n in HEADERS else None)
          for n in range(1, 255)]


def key(found):
    """What a rule or a protocol is known by."""
    return [one.get("rule", {}).get("pref") or one["proto"]["number"]
            for one in found]


# --- dumps -------------------------------------------------------------------

@tap.case
def a_rule_dump_that_nothing_interrupts():
    client.apply(proto(PROTO), *RULES)
    dump, messages, found = Dump(reader, K.CMD_RULE_GET), 0, []
    while not dump.done:
        found += dump.step()
        messages += 1
    tap.ok(messages > 3, "takes several messages", messages)
    tap.diag("%d rules in %d messages" % (len(found), messages))
    tap.ok(not dump.interrupted, "is not said to be interrupted")
    tap.is_(key(found), [10 * n for n in range(1, MANY + 1)],
            "whole, in order, nothing twice")
    tap.is_({one["generation"] for one in found}, {client.generation()},
            "of one generation")
    tap.is_(len({one["rule"]["handle"] for one in found}), MANY,
            "each has a handle of its own")


@tap.case
def a_dump_of_one_protocol():
    client.apply(proto(PROTO), proto(99), proto(6), rule(99, "none", pref=1),
                 *RULES[:300], rule(6, "raw", pref=2))
    for number, expected in ((PROTO, [10 * n for n in range(1, 301)]),
                             (99, [1]), (6, [2]), (77, [])):
        dump = Dump(reader, K.CMD_RULE_GET, rule(number))
        found = dump.rest()
        tap.is_(key(found), expected, "protocol %d" % number)
        tap.is_({one["rule"]["proto"] for one in found} - {number}, set(),
                "protocol %d: and no other" % number)


CHANGES = {
    "a rule before": lambda: client.send(K.CMD_RULE_ADD,
                                         rule(PROTO, "none", pref=1)),
    "a rule behind": lambda: client.send(K.CMD_RULE_ADD,
                                         rule(PROTO, "none", pref=99999)),
    "a rule read already": lambda: client.send(K.CMD_RULE_DEL,
                                               rule(PROTO, pref=10)),
    "a rule to come": lambda: client.send(K.CMD_RULE_DEL,
                                          rule(PROTO, pref=10 * MANY)),
    "a rule replaced": lambda: client.send(K.CMD_RULE_REPLACE,
                                           rule(PROTO, "none", pref=20)),
    "all of them": lambda: client.send(K.CMD_RULE_FLUSH, rule(PROTO)),
    "the protocol": lambda: client.send(K.CMD_PROTO_DEL, proto(PROTO)),
    "its verdict": lambda: client.send(K.CMD_PROTO_SET,
                                       proto(PROTO, deliver="none")),
    "the same again": lambda: client.apply(proto(PROTO), *RULES),
    "the whole configuration": lambda: client.apply(proto(6),
                                                    rule(6, "raw")),
}


@tap.each(*CHANGES)
def a_rule_dump_interrupted_by(what):
    client.apply(proto(PROTO), *RULES)
    dump = Dump(reader, K.CMD_RULE_GET)
    first = dump.step()
    tap.ok(first and not dump.done and not dump.interrupted, "is under way")
    CHANGES[what]()
    tap.ok(dump.end(), "NLM_F_DUMP_INTR")


@tap.case
def a_program_longer_than_a_message_that_comes_during_a_rule_dump():
    client.apply(proto(PROTO), *RULES)
    dump = Dump(reader, K.CMD_RULE_GET)
    found = dump.step()
    tap.ok(found and not dump.done, "is under way")
    longest = struct.pack("=HBBI", 6, 0, 0, 1) * 4096
    client.send(K.CMD_RULE_ADD, rule(PROTO, "none", pref=99999, bpf=longest))
    found += dump.rest()
    tap.is_(key(found)[-1], 99999, "the dump goes on to it")
    tap.is_(len(found[-1]["rule"]["bpf"]), 8 * 4096, "it is whole")
    tap.ok(dump.interrupted, "NLM_F_DUMP_INTR")
    client.apply()


@tap.case
def changes_that_do_not_interrupt():
    client.apply(proto(PROTO), *RULES)
    expected = client.rules()
    dump = Dump(reader, K.CMD_RULE_GET)
    found = dump.step()
    client.refusal(K.CMD_RULE_ADD, rule(PROTO, "raw", pref=10))
    client.apply(proto(6), check=True)
    with Client(lab.other) as other:
        other.apply(proto(PROTO), rule(PROTO, "none"))
        found += dump.rest()
        other.apply()
    tap.ok(not dump.interrupted,
           "refused, only checked, in another namespace: no interruption")
    tap.is_([one["rule"] for one in found], expected, "and all is there")


@tap.case
def a_proto_dump():
    client.apply(*PROTOS)
    dump, messages, found = Dump(reader, K.CMD_PROTO_GET), 0, []
    while not dump.done:
        found += dump.step()
        messages += 1
    tap.ok(messages > 2, "takes several messages", messages)
    tap.is_(key(found), list(range(1, 255)), "whole, in order, nothing twice")
    tap.ok(not dump.interrupted, "is not said to be interrupted")
    for name, change in (
            ("set", lambda: client.send(K.CMD_PROTO_SET,
                                        proto(254, deliver="raw"))),
            ("del", lambda: client.send(K.CMD_PROTO_DEL, proto(1))),
            ("add", lambda: client.send(K.CMD_PROTO_ADD, proto(1))),
            ("flush", client.apply)):
        dump = Dump(reader, K.CMD_PROTO_GET)
        dump.step()
        change()
        tap.ok(dump.end(), name + " interrupts it")


@tap.case
def kraw_rule_show_while_rules_change():
    client.apply(proto(PROTO), *RULES)
    pid = os.fork()
    if not pid:
        try:
            os.sched_setaffinity(0, range(os.cpu_count()))
            with Client(lab.right) as busy:
                until = clock.deadline(2)
                while clock.left(until):
                    busy.send(K.CMD_RULE_ADD, rule(PROTO, "none", pref=5))
                    busy.send(K.CMD_RULE_DEL, rule(PROTO, pref=5))
            os._exit(0)
        finally:
            os._exit(1)
    begun = client.generation()
    told = tool.kraw("-j rule show", lab.right)
    tap.is_(os.waitpid(pid, 0)[1], 0, "the changes were made")
    tap.diag("%d changes" % (client.generation() - begun))
    tap.is_((told.status, told.err), (0, ""), "it works")
    prefs = [row["pref"] for row in json.loads(told.out or "[]")]
    tap.is_([p for p in prefs if p != 5], [10 * n for n in range(1, MANY + 1)],
            "and shows one state: all rules, in order, none twice")
    client.apply()


# --- notifications -----------------------------------------------------------

# name, command, request, and what the notification says of protocol or rule
STEPS = [
    ("proto add", K.CMD_PROTO_ADD, proto(PROTO, claim="plain"),
     {"proto": {"number": PROTO, "claim": K.CLAIM_PLAIN, "rules": 0}}),
    ("proto set", K.CMD_PROTO_SET, proto(PROTO, deliver="raw"),
     {"proto": {"number": PROTO, "deliver": K.VERDICT_RAW,
                "claim": K.CLAIM_PLAIN}}),
    ("rule add", K.CMD_RULE_ADD, rule(PROTO, "none", src="10.0.0.0/8"),
     {"rule": {"proto": PROTO, "pref": 10, "verdict": K.VERDICT_NONE,
               "src_prefix": 8}}),
    ("rule replace", K.CMD_RULE_REPLACE, rule(PROTO, "raw", pref=10,
                                              ttl_max=5),
     {"rule": {"proto": PROTO, "pref": 10, "verdict": K.VERDICT_RAW,
               "ttl_min": 0, "ttl_max": 5}}),
    ("rule add", K.CMD_RULE_ADD, rule(PROTO, "all", dev="r0"),
     {"rule": {"proto": PROTO, "pref": 20, "dev": "r0"}}),
    ("rule del", K.CMD_RULE_DEL, rule(PROTO, pref=20),
     {"rule": {"proto": PROTO, "pref": 20, "dev": "r0",
               "verdict": K.VERDICT_ALL}}),
    ("rule flush", K.CMD_RULE_FLUSH, rule(PROTO), {"rule": {"proto": PROTO}}),
    ("proto add", K.CMD_PROTO_ADD, proto(6),
     {"proto": {"number": 6, "claim": K.CLAIM_NONE}}),
    ("proto del", K.CMD_PROTO_DEL, proto(PROTO), {"proto": {"number": PROTO}}),
    ("flush", K.CMD_APPLY, b"", {"proto_count": 0, "rule_count": 0}),
    ("apply", K.CMD_APPLY, proto(99) + proto(98) + rule(99, "none"),
     {"proto_count": 2, "rule_count": 1}),
]
with open("/proc/self/comm") as comm:
    ME = {"pid": os.getpid(), "comm": comm.read().strip()}


def waiting(listener):
    """The messages that have come: a change has told before it answers."""
    out = []
    while select.select([listener.nl.sock], [], [], 0)[0]:
        out += [message for _, message in listener.nl.receive()]
    return out


def says(message, command, sender, expected):
    """Why a notification is not as it should be, or None."""
    got = read(message.payload)
    got.pop("pids", None)
    if message.command != command:
        return "command %d" % message.command
    if message.portid != sender.nl.portid:
        return "port id %d" % message.portid
    if got.get("generation") != client.generation():
        return "generation %r" % got.get("generation")
    if {name: got.pop(name, None) for name in ME} != ME:
        return "somebody else did it"
    if set(got) - {"generation"} != set(expected):
        return "it has %s" % sorted(got)
    for nest, values in expected.items():
        if not isinstance(values, dict):
            if got[nest] != values:
                return "%s %r" % (nest, got[nest])
            continue
        for name, value in values.items():
            if got[nest].get(name) != value:
                return "%s %r" % (name, got[nest].get(name))
        for counters in ("packets", "bytes", "stats"):
            if counters in got[nest]:
                return "it has " + counters
    return None


@tap.each("to the group", "to the group and its sender in it")
def notifications(who):
    client.apply()
    listener = Client(lab.right)
    listener.nl.join(listener.family.groups["config"])
    stranger = Client(lab.other)
    stranger.nl.join(stranger.family.groups["config"])
    if "sender" in who:
        client.nl.join(client.family.groups["config"])
    for name, command, request, expected in STEPS:
        client.send(command, request)
        got = waiting(listener)
        if tap.is_(len(got), 1, name + ": one"):
            tap.is_(says(got[0], command, client, expected), None,
                    name + ": says what, and who")
    if "sender" not in who:
        client.refusal(K.CMD_PROTO_ADD, proto(99))
        client.apply(check=True)
        client.rules()
        tap.is_(waiting(listener), [],
                "refused, only checked, only read: none")
        tap.is_(waiting(stranger), [], "none in another namespace")
    listener.close()
    stranger.close()
    waiting(client)


@tap.case
def echo():
    client.apply()
    with Client(lab.right) as sender, Client(lab.right) as listener:
        listener.nl.join(listener.family.groups["config"])
        for name, command, request, expected in STEPS:
            got = sender.send(command, request, flags=genl.ECHO)
            tap.is_(len(got), 1, name + ": the sender gets one")
            if got:
                tap.is_(says(got[0], command, sender, expected), None,
                        name + ": says what, and who")
            tap.is_(len(waiting(listener)), 1, name + ": and so do others")
        sender.nl.join(sender.family.groups["config"])
        tap.is_(len(sender.send(K.CMD_APPLY, flags=genl.ECHO)), 1,
                "a sender that is in the group gets one, too")
        tap.is_(waiting(sender), [], "and no second one")
    with Client(lab.other) as alone:
        tap.is_(len(alone.send(K.CMD_APPLY, flags=genl.ECHO)), 1,
                "also if nobody listens")
    # It tells the handle of a new rule.
    client.apply(proto(PROTO))
    answer, = client.send(K.CMD_RULE_ADD, rule(PROTO, "none"),
                          flags=genl.ECHO)
    tap.is_(read(answer.payload)["rule"]["handle"],
            client.rules()[0]["handle"], "with the handle of a new rule")


# --- kraw monitor ------------------------------------------------------------

class Monitor:
    """A running `kraw monitor`."""
    def __init__(self, *options):
        self.process = subprocess.Popen(
            [tool.KRAW, "-n", "right", *options, "monitor"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        os.set_blocking(self.process.stdout.fileno(), False)
        self._text = b""
        # It listens as soon as the kernel says that somebody does.
        def listens():
            client.send(K.CMD_APPLY)
            return self.lines()
        if not clock.wait_until(listens):
            raise TimeoutError("kraw monitor says nothing")
        client.send(K.CMD_APPLY)
        self.until(client.generation())

    def lines(self):
        """The lines that have come."""
        while True:
            try:
                data = os.read(self.process.stdout.fileno(), 1 << 20)
            except BlockingIOError:
                break
            if not data:
                break
            self._text += data
        *whole, self._text = self._text.split(b"\n")
        return [line.decode() for line in whole]

    def until(self, generation):
        """All lines up to that of this generation."""
        out = []

        def there():
            out.extend(self.lines())
            return out and re.match(r'\[%d\] |.*"generation":%d\b' %
                                    (generation, generation), out[-1])
        if not clock.wait_until(there):
            raise TimeoutError("no line for generation %d in %r" %
                               (generation, out))
        return out

    def close(self):
        """End it as Ctrl-C does: its exit status and standard error."""
        self.process.send_signal(signal.SIGINT)
        return self.end()

    def end(self):
        """Wait for its end."""
        status = self.process.wait(30 * clock.SLOW)
        err = self.process.stderr.read().decode()
        self.process.stdout.close()
        self.process.stderr.close()
        return status, err


@tap.case
def the_monitor():
    client.apply()
    plain, as_json = Monitor(), Monitor("-j")
    generation = client.generation()
    plain.until(generation)
    for _, command, request, _ in STEPS:
        client.send(command, request)
    events = [name for name, *_ in STEPS]
    last = client.generation()
    lines, rows = plain.until(last), as_json.until(last)
    who = "  # by %(comm)s pid %(pid)d port " % ME + str(client.nl.portid)
    tap.ok(all(line.endswith(who) for line in lines), "each says who", lines)
    lines = [line.removesuffix(who) for line in lines]
    tap.is_(lines[-2:], ["[%d] flush" % (last - 1),
                         "[%d] apply  # 2 protocols, 1 rule" % last],
            "flush and apply")
    tap.is_([re.sub(r"^\[(\d+)\] (\w+( add| set| del| replace| flush)?).*",
                    r"\1 \2", line) for line in lines],
            ["%d %s" % (generation + n, name)
             for n, name in enumerate(events, 1)],
            "one line for each change: generation and command")
    rows = [json.loads(row) for row in rows]
    tap.is_([(row["generation"], row["event"]) for row in rows],
            [(generation + n, name) for n, name in enumerate(events, 1)],
            "the same as JSON")
    tap.is_([row["by"] for row in rows],
            [{"name": ME["comm"], "pid": ME["pid"],
              "port": client.nl.portid}] * len(events), "who, as JSON")
    tap.is_((rows[-1]["protos"], rows[-1]["rules"]), (2, 1), "the size")
    # Elsewhere, where handles and devices are others, they do the same.
    for line in lines[:-2]:
        words = line.split("] ", 1)[1].replace("dev r0", "dev o0")
        tool.do(re.sub(r" handle \d+", "", words), lab.other)
    with Client(lab.other) as other:
        tap.is_([p["number"] for p in other.protos()], [6],
                "the lines are commands that do the same")
        other.apply()
    tap.is_((plain.close(), as_json.close()), ((0, ""), (0, "")),
            "ends with status 0 when it is told to")


LONG = bytes(8 * 4095) + struct.pack("=HBBI", 6, 0, 0, 1)


@tap.case
def a_monitor_that_is_too_slow():
    client.apply(proto(PROTO))
    monitor = Monitor()
    client.apply(proto(PROTO))
    monitor.until(client.generation())
    monitor.process.send_signal(signal.SIGSTOP)
    for n in range(400):
        client.send(K.CMD_RULE_REPLACE, rule(
            PROTO, "raw", pref=10, ttl_max=n & 127, bpf=LONG, expr="ip"))
    last = client.generation()
    monitor.process.send_signal(signal.SIGCONT)
    lines = []

    def lost():
        lines.extend(monitor.lines())
        return any(line.startswith("#") for line in lines)
    tap.ok(clock.wait_until(lost, 30), "says that it has lost something")
    # The kernel tells it again as soon as it has read what there was.
    verdicts = ["none", "raw"] * 1000

    def again():
        client.send(K.CMD_PROTO_SET, proto(PROTO, deliver=verdicts.pop()))
        lines.extend(monitor.lines())
        return "proto set" in lines[-1]
    tap.ok(clock.wait_until(again, 30, 0.05), "and goes on")
    seen = [int(line[1:].split("]")[0]) for line in lines
            if line.startswith("[")]
    tap.is_(seen, sorted(set(seen)), "in order, nothing twice")
    tap.diag("%d of 400 changes were seen, %d lost" %
             (len([n for n in seen if n <= last]),
              400 - len([n for n in seen if n <= last])))
    tap.ok(len([n for n in seen if n <= last]) < 400, "some were lost indeed")
    tap.is_(monitor.close(), (0, ""), "ends with status 0")


@tap.case
def a_monitor_whose_module_goes():
    client.apply()
    monitor = Monitor()
    tap.ok(module.unload(), "rmmod works beside a monitor")
    status, err = monitor.end()
    tap.is_(status, 2, "which ends")
    tap.ok(err.startswith("Error: ") and err.count("\n") == 1, "with one line",
           err)


tap.run()
