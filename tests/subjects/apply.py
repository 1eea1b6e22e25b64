#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# cpus: 2
"""
apply makes a file the whole configuration or changes nothing; --check changes
nothing and finds what apply would find; save | apply is the identity; what
stays keeps its handles and counters; packets see the one configuration or the
other.
"""
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, packet, sock, tap, tool
from krawtest.client import Client, K, genl, proto, rule, u32
from krawtest.netns import Lab, SOURCES
from krawtest.who import Probe

PROTO = 253
FILE = "/run/apply.kraw"
MANY = 10000 if clock.SLOW == 1 else 2000	# rules in one file

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
client = tap.cleanup(Client(lab.right))

# Every kind of match, with and without a preference.
CONFIG = """
# a comment, and an empty line

proto add 253 claim plain deliver kernel unreach never
proto add ospf family ipv4 deliver raw
kraw proto add tcp
rule add proto 253 pref 10 src 10.9.0.16/28 deliver raw
rule add proto 253 pref 10 src fd09::1:0/112 deliver raw
rule add proto 253 pref 10 src 10.9.0.32/28 dst 10.9.0.2 deliver none
rule add proto 253 pref 20 dev r0 ttl 1-63 deliver none
rule add proto 253 len 1000-4294967295 deliver reject
rule add proto 253 type 7 deliver reject
rule add proto 253 match 'ip[8] == 77' deliver all
rule add proto 253 bytecode '1,6 0 0 0' deliver all
rule add proto 253 pref 4294967295 deliver \\
  raw
rule add proto tcp src 192.0.2.0/24 deliver raw
"""


def write(text):
    """The text as a file."""
    with open(FILE, "w") as file:
        file.write(text)
    return FILE


def apply(text, words=""):
    """kraw apply; how it was refused, None if it was not."""
    try:
        tool.do("apply %s %s" % (words, write(text)), lab.right)
    except tool.Refused as refused:
        return str(refused).split(": ", 1)[1]
    return None


def everything():
    """What the tool shows, and what the kernel says."""
    return {"save": tool.do("save", lab.right),
            "stats": tool.ask("stats", lab.right),
            "proto show": tool.ask("proto show", lab.right),
            "rule show": tool.ask("rule show", lab.right),
            **client.state()}


def without_generation(text):
    """The lines of a saved configuration."""
    return [line for line in text.splitlines() if not line.startswith("#")]


def send(count=1, **how):
    """Some packets for the counters."""
    for family in (4, 6):
        for number in (0, 1):
            with Probe(lab.left, lab.right, PROTO, family,
                       src=SOURCES[family][number][1]) as probe:
                probe.send(count, **how)


def start():
    """The configuration above, with counters that are not zero."""
    tap.is_(apply(CONFIG), None, "a file is applied")
    send(2)
    send(1, ttl=7)


WRONG = [
    ("a word", "proto add 253\nproto add 89 foo\n"),
    ("a verdict", "proto add 253\nrule add proto 253 deliver nobody\n"),
    ("a rule before its protocol", "rule add proto 253 deliver raw\n"
     "proto add 253\n"),
    ("a rule without its protocol", "proto add 253\n"
     "rule add proto 89 deliver raw\n"),
    ("a protocol twice", "proto add 253\nproto add 253 deliver raw\n"),
    ("a rule twice", "proto add 253\nrule add proto 253 pref 5 deliver raw\n"
     "rule add proto 253 pref 5 deliver raw\n"),
    ("a rule twice, other verdict", "proto add 253\n"
     "rule add proto 253 pref 5 src 10.0.0.0/8 deliver raw\n"
     "rule add proto 253 pref 5 src 10.0.0.0/8 deliver none\n"),
    ("a busy number", "proto add 89 claim plain\nproto add tcp claim plain\n"),
    ("a busy number in one family", "proto add 89 claim plain\n"
     "proto add 58 claim plain\n"),
    ("users without a claim", "proto add 89 claim plain\n"
     "proto add 253 users all\n"),
    ("another command", "proto add 253\nproto set 253 deliver raw\n"),
    ("no command", "proto add 253\nproto\n"),
    ("an unknown device", "proto add 253\n"
     "rule add proto 253 dev nosuch deliver raw\n"),
    ("a quote left open", "proto add 253\nrule add proto 253 match 'ip\n"),
]


@tap.case
def a_wrong_file_changes_nothing():
    start()
    before = everything()
    tap.is_(len(before["rules"]), 10, "rules")
    tap.ok(sum(r["packets"] for r in before["rules"]) > 8, "counters")
    for words in ("", "--check"):
        for what, text in WRONG:
            told = apply(text, words)
            if told is None:
                tap.ok(False, "%s %s: refused" % (words, what))
                continue
            tap.ok(told.startswith("Error: %s:" % FILE) and "\n" not in told,
                   "%s %s: one error, with the file's line" % (words, what),
                   told)
            if client.generation() != before["generation"]:
                tap.ok(False, "%s %s: changes nothing" % (words, what))
    tap.is_(everything(), before, "nothing has changed")


@tap.case
def check_changes_nothing():
    start()
    before = everything()
    tap.is_(apply("proto add 252 claim plain\nproto add 253\n"
                  "rule add proto 252 deliver none\n", "--check"), None,
            "a right file is right")
    tap.is_(apply(CONFIG, "--check"), None, "and so is what is in force")
    tap.is_(everything(), before, "nothing has changed, no slot taken")
    told = tool.refused(["apply", "--check", write(
        "proto add 252 claim plain\nproto add tcp claim plain\n")], lab.right)
    tap.is_(told.status, 2, "a number that is taken: exit status")
    tap.has(told.err, "tcp_v4_rcv", "and names who has it")
    tap.is_(everything(), before, "nothing has changed")


@tap.case
def check_by_netlink():
    tap.is_(client.refusal(K.CMD_APPLY, u32(K.A_FLAGS, K.FLAG_CHECK),
                           proto(6, claim="plain")).name, "EBUSY", "EBUSY")
    stale = client.refusal(K.CMD_APPLY, u32(K.A_FLAGS, K.FLAG_CHECK),
                           u32(K.A_GENERATION, client.generation() + 1))
    tap.is_(stale.name, "ESTALE", "the generation is looked at")
    generation = client.generation()
    handlers = client.handlers()
    for _ in range(3):
        client.apply(proto(252, claim="plain"), check=True, expect=generation)
    tap.is_((client.generation(), client.handlers()), (generation, handlers),
            "nothing has changed")
    # Somebody else's claim in another namespace does not stop ours.
    with Client(lab.other) as other:
        other.apply(proto(252, claim="plain"))
        client.apply(proto(252, claim="plain"), check=True)
        tap.ok(True, "a number that kraw holds for another namespace is free")
        other.apply()
    tap.is_(client.handlers(), handlers, "and given back")


@tap.case
def save_and_apply_is_the_identity():
    start()
    saved = tool.do("save", lab.right)
    before = client.state()
    tap.is_(apply(saved), None, "what was saved can be applied")
    after = client.state()
    again = tool.do("save", lab.right)
    tap.is_(without_generation(again), without_generation(saved), "the text")
    tap.is_(after["protos"], before["protos"], "protocols, their counters")
    tap.is_(after["rules"], before["rules"],
            "rules, their order, handles and counters")
    tap.is_(after["handlers"], before["handlers"], "handlers")
    # Into a namespace that knows nothing
    done = tool.kraw(["apply", "-"], lab.other, stdin=saved.replace(
        "dev r0", "dev o0"))
    tap.is_(done.status, 0, "applied in another namespace, from a pipe")
    tap.diag(done.err)
    tap.is_(without_generation(tool.do("save", lab.other)),
            without_generation(saved.replace("dev r0", "dev o0")),
            "which is the same there")
    tool.do("flush", lab.other)


COMMENTS = ["plain", "two words", " blanks  around ", "don't", 'say "yes"',
            "don't say \"yes\"", "a\\b \\\\ \\n", "# no comment",
            "a;b|c&$(d) `e` *?", "deliver none",
            "\u00fcml\u00e4ut \u2192 \u6f22\u5b57", "x" * 128, "\u00e9" * 64]


@tap.case
def comments_are_kept():
    """Shown, saved and applied again, byte for byte."""
    client.apply(proto(PROTO))
    for n, text in enumerate(COMMENTS):
        tool.do(["rule", "add", "proto", str(PROTO), "pref", str(n), "comment",
                 text, "deliver", "raw"], lab.right)
    tap.is_([r["comment"] for r in client.rules()], COMMENTS, "in the kernel")
    tap.is_([r["comment"] for r in tool.ask("rule show", lab.right)], COMMENTS,
            "in JSON")
    before = client.rules()
    saved = tool.do("save", lab.right)
    tap.is_(apply(saved), None, "saved, and applied again")
    tap.is_(client.rules(), before, "they are the same rules")
    done = tool.kraw(["apply", "-"], lab.other, stdin=saved)
    tap.is_((done.status, done.err), (0, ""), "applied in another namespace")
    with Client(lab.other) as other:
        tap.is_([r.get("comment") for r in other.rules()], COMMENTS,
                "with all comments")
        other.apply()
    # as a shell would have to quote it
    shown = tool.do("rule show", lab.right).splitlines()
    tap.is_(len(shown), len(COMMENTS), "a line each")
    told = tool.refused(["apply", write("proto add 253\nrule add proto 253 "
                                        "comment '%s' deliver raw\n" %
                                        ("x" * 129))], lab.right)
    tap.is_(told.status, 1, "129 bytes are too many")
    tap.has(told.err, FILE + ":2: ", "says the line")
    tap.is_(client.rules(), before, "nothing has changed")


@tap.case
def what_stays_keeps_its_counters():
    start()
    old = client.state()
    text = CONFIG.replace("src fd09::1:0/112 deliver raw",
                          "src fd09::1:0/112 deliver reject")
    text = text.replace("type 7", "type 8").replace(" unreach never", "")
    tap.is_(apply(text + "proto add 99\nrule add proto 99 deliver none\n"),
            None, "some lines are others now")
    new = client.state()
    were = {r["handle"]: r for r in old["rules"]}
    tap.ok(any(r["packets"] for r in old["rules"]), "there were counters")
    kept = [r for r in new["rules"] if r["handle"] in were]
    tap.is_(len(kept), 8, "eight rules stay")
    tap.is_(kept, [r for r in old["rules"] if r in kept],
            "with their counters, in their order")
    others = [r for r in new["rules"] if r["handle"] not in were]
    tap.is_([(r["proto"], r["packets"], r["bytes"]) for r in others],
            [(99, 0, 0), (PROTO, 0, 0), (PROTO, 0, 0)],
            "the others have new handles and count from zero")
    tap.ok(min(r["handle"] for r in others) > max(were),
           "no handle is used again")
    stats = {p["number"]: p["stats"] for p in new["protos"]}
    tap.is_({p["number"]: p["stats"] for p in old["protos"]},
            {n: s for n, s in stats.items() if n != 99},
            "protocols keep their counters")
    tap.ok(stats[PROTO][1]["seen"] > 0, "which are not zero", stats[PROTO])
    tap.is_(apply("proto add 89\n"), None, "all but one are removed")
    tap.is_(apply(CONFIG), None, "and come again")
    tap.is_([p["stats"][1]["seen"] for p in client.protos()], [0, 0, 0],
            "then they count from zero")


@tap.case
def stale_generation():
    start()
    before = everything()
    now = before["generation"]
    for wrong in (now - 1, now + 1):
        told = tool.refused(["apply", "generation", str(wrong),
                             write(CONFIG)], lab.right)
        tap.is_(told.status, 2, "%+d: exit status" % (wrong - now))
        tap.has(told.err, "generation", "%+d: says why" % (wrong - now))
    stale = client.refusal(K.CMD_APPLY, u32(K.A_GENERATION, now - 1))
    tap.is_(stale and (stale.name, stale.offset), ("ESTALE", 20),
            "by netlink, and where it stands")
    tap.is_(everything(), before, "nothing has changed")
    tap.is_(apply(CONFIG, "generation %d" % now), None, "the right one works")
    tap.is_(client.generation(), now + 1, "and is then the next one")


LINES = ["proto add 253"] + ["rule add proto 253 pref %d src 10.%d.%d.0/24 "
                             "deliver raw" % (n, n >> 8, n & 255)
                             for n in range(2, 1000)]
LINE_1000 = {
    "the tool's": ("rule add proto 253 src 10.1.1.1/8 deliver raw", 1),
    "the tool's, of another protocol": ("rule add proto 89 deliver raw", 1),
    "the kernel's, a rule that is there": (LINES[499], 2),
    "the kernel's, users of no claim": ("proto add 99 users all", 2),
    "the kernel's, a claim that cannot be":
        ("proto add tcp claim plain", 2),
}


@tap.each(*LINE_1000)
def error_in_line_1000(whose):
    before = client.state()
    line, status = LINE_1000[whose]
    told = tool.refused(["apply", write("\n".join(LINES + [
        line, "proto add 77"]) + "\n")], lab.right)
    tap.is_(told.status, status, "exit status")
    tap.ok(told.err.startswith("Error: %s:1000: " % FILE) and
           "\n" not in told.err, "one line, names the line", told.err)
    tap.is_(client.state(), before, "nothing has changed")


@tap.each("", "\n\n", "# nothing\n   # at all\n")
def nothing_in_the_file(text):
    before = client.state()
    told = tool.refused(["apply", write(text)], lab.right)
    tap.is_(told.status, 1, "exit status")
    tap.ok(told.err.startswith("Error: " + FILE) and "\n" not in told.err,
           "one line", told.err)
    tap.is_(client.state(), before, "nothing has changed")


@tap.case
def many_rules():
    lines = ["proto add 253 deliver none"] + [
        "rule add proto 253 pref %d src 10.%d.%d.%d deliver %s" %
        (n, n >> 16, n >> 8 & 255, n & 255, ("raw", "kernel")[n & 1])
        for n in range(1, MANY + 1)]
    start_time = time.monotonic()
    tap.is_(apply("\n".join(lines) + "\n"), None, "applied")
    tap.diag("%d rules applied in %.1f s" % (MANY, time.monotonic() - start_time))
    rules = client.rules_as_they_are()
    tap.is_([genl.number(dict(genl.attrs(r))[K.RULE_A_PREF]) for r in rules],
            list(range(1, MANY + 1)), "all there")
    start_time = time.monotonic()
    saved = tool.do("save", lab.right)
    tap.diag("saved in %.1f s" % (time.monotonic() - start_time))
    tap.is_(len(without_generation(saved)), MANY + 1, "saved")
    start_time = time.monotonic()
    tap.is_(apply(saved), None, "applied again")
    tap.diag("applied again in %.1f s" % (time.monotonic() - start_time))
    tap.ok(client.rules_as_they_are() == rules,
           "all of them stayed the same")
    start_time = time.monotonic()
    client.apply()
    tap.diag("removed in %.1f s" % (time.monotonic() - start_time))
    tap.is_(client.protos(), [], "nothing is managed")


COUNT = 1500
BEFORE = [proto(PROTO, deliver="kernel"), rule(PROTO, "raw", pref=10)]
AFTER = [proto(PROTO, deliver="none"), rule(PROTO, "reject", pref=10)]


def send_many(family):
    """A child that sends COUNT packets from any CPU; its process id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.sched_setaffinity(0, range(os.cpu_count()))
        sender = sock.Sender(family, lab.left)
        data = packet.ip(lab.l0.addr[family], lab.r0.addr[family], PROTO,
                         b"swap")
        for _ in range(COUNT):
            sender.send(data)
        os._exit(0)
    finally:
        os._exit(1)


class Counter:
    """Counts what a raw socket gets and `wanted` accepts."""
    def __init__(self, number, family, space, wanted=lambda data: True):
        self.reader = sock.Reader(number, family, space)
        self.reader.sock.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)
        self.wanted, self.count = wanted, 0

    def drain(self):
        """What has come so far."""
        self.count += sum(map(self.wanted, self.reader.drain()))
        self.reader.headers.clear()
        return self.count


@tap.each(4, 6)
def the_swap_is_seen_whole(family):
    client.apply()
    client.apply(*BEFORE)
    raw = Counter(PROTO, family, lab.right)
    icmp = Counter(sock.ICMP_OF[family], family, lab.left,
                   lambda data: packet.icmp_error(family, data) is not None)
    child = send_many(family)
    swaps = status = 0
    done = False
    while not done:
        client.apply(*(AFTER, BEFORE)[swaps & 1])
        swaps += 1
        raw.drain()
        icmp.drain()
        pid, status = os.waitpid(child, os.WNOHANG)
        done = pid == child
    tap.is_(status, 0, "all packets were sent")
    clock.wait_until(lambda: raw.drain() + icmp.drain() >= COUNT)
    stats = client.proto(PROTO)["stats"][{4: 1, 6: 2}[family]]
    raw.reader.close()
    icmp.reader.close()
    tap.diag("%d swaps, %d packets to the socket, %d rejected" %
             (swaps, raw.count, icmp.count))
    tap.ok(swaps > 3 and raw.count and icmp.count, "both have been seen")
    tap.is_(raw.count + icmp.count, COUNT, "each packet went one way")
    tap.is_(stats["seen"], COUNT, "all were counted")
    tap.is_({name: stats[name] for name in ("all", "raw", "kernel", "none",
                                            "reject", "passed")},
            {"all": 0, "raw": raw.count, "kernel": 0, "none": 0,
             "reject": icmp.count, "passed": 0},
            "once, and none met one configuration's rules and the other's "
            "verdict")
    client.apply()


tap.run()
