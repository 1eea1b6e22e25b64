# SPDX-License-Identifier: GPL-2.0
"""
What the benchmarks share in the guest. They run there as root, each in a VM of
its own whose clock counts instructions, and print what they find as JSON, one
object a line:

    {"series": "kraw", "x": 100, "values": [5142.5, 5142.5], "unit": ...}

x is the place on the horizontal axis, values are the same thing measured
several times. {"series": ..., "x": ..., "missing": "why"} is a point that could
not be had.

Sleeping costs nothing here: the guest's clock jumps to the next timer.
"""
import json
import os
import random
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from krawtest import tool

PACKETS = os.environ["KRAW_BENCH"] + "/packets"
DATAGRAMS = os.environ["KRAW_BENCH"] + "/datagrams"
PACKET_COUNT = 2000	# for each value
DEVICE = "bench0"	# as in packets.c
SEED = 1		# of everything random
PROTOCOL = 253


def emit(series, x, values, unit="instructions"):
    """One point."""
    print(json.dumps({"series": series, "x": x, "unit": unit,
                      "values": values}), flush=True)


def missing(series, x, why):
    """A point that cannot be had."""
    print(json.dumps({"series": series, "x": x, "missing": why}), flush=True)


def run(*command, stdin=None):
    """Run a command and insist on success; its standard output."""
    done = subprocess.run(command, input=stdin, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        raise RuntimeError("%s: %s" % (" ".join(command), done.stderr.strip()))
    return done.stdout


def device():
    """Set up the device that `packets` writes to."""
    run("modprobe", "tun")
    run("ip", "-batch", "-", stdin="""
        tuntap add %(dev)s mode tun
        addr add 10.255.255.1/8 dev %(dev)s
        link set %(dev)s up
        """ % {"dev": DEVICE})


def write(name, lines):
    """A file in memory, of these lines; its path."""
    path = "/run/kraw/" + name
    with open(path, "w") as file:
        file.writelines(line + "\n" for line in lines)
    return path


def per_packet(program, *args, count=PACKET_COUNT, repetitions=5):
    """Instructions per packet, several times over, that a program prints."""
    out = run(program, "-n", str(count), "-r", str(repetitions + 1),
              *map(str, args))
    return [float(line) for line in out.split()]


def packets(*args, **how):
    """... of packets.c."""
    return per_packet(PACKETS, *args, **how)


def datagrams(*args, **how):
    """... of datagrams.c."""
    return per_packet(DATAGRAMS, *args, **how)


# --- rules ---------------------------------------------------------------------

def _network(start, length, index):
    return "%d.%d.%d.%d/%d" % (*(start + (index << (32 - length)))
                               .to_bytes(4, "big"), length)


def prefixes(count, lengths=(28,)):
    """
    So many source prefixes in 10.0.0.0/9 that do not overlap, of these
    lengths in turn, in random order. Each length has its own part of the net.
    """
    rng = random.Random(SEED)
    part = (1 << 23) // len(lengths)
    result = []
    for number, length in enumerate(lengths):
        share = len(range(number, count, len(lengths)))
        start = (10 << 24) + number * part
        result += [_network(start, length, index) for index in
                   rng.sample(range(part >> (32 - length)), share)]
    rng.shuffle(result)
    return result


def sources(networks):
    """A file with one source address a packet, each in a random network."""
    rng = random.Random(SEED)
    lines = []
    for _ in range(PACKET_COUNT):
        base, length = rng.choice(networks).split("/")
        value = int.from_bytes(bytes(map(int, base.split("."))), "big")
        value += rng.randrange(1 << (32 - int(length)))
        lines.append("%d.%d.%d.%d" % tuple(value.to_bytes(4, "big")))
    return write("sources", lines)


def kraw_rules(networks, verdict):
    """A file for `kraw apply`."""
    return write("rules.kraw", ["proto add %d" % PROTOCOL] + [
        "rule add proto %d src %s deliver %s" % (PROTOCOL, net, verdict)
        for net in networks])


_TABLE = ["table ip bench {", "chain input {",
          "type filter hook input priority 0;"]


def nft_linear(networks, verdict):
    """A file for `nft -f`: a rule each."""
    return write("linear.nft", _TABLE + [
        "ip saddr %s %s" % (net, verdict) for net in networks] + ["}", "}"])


def nft_set(networks, verdict):
    """A file for `nft -f`: one rule with an interval set."""
    return write("set.nft", [
        "table ip bench {", "set s {", "type ipv4_addr; flags interval;",
        "elements = {", ",\n".join(networks), "}", "}"] + _TABLE[1:] +
        ["ip saddr @s " + verdict, "}", "}"])


def nft_chain(*rules):
    """A chain in the hook that kraw uses, with these rules."""
    nft_flush()
    run("nft", "-f", write("chain.nft", _TABLE + list(rules) + ["}", "}"]))


def nft_flush():
    """No nft at all."""
    run("nft", "flush", "ruleset")


# --- classic BPF ----------------------------------------------------------------

LD_W_ABS, AND_K, JEQ_K, RET_K = 0x20, 0x54, 0x15, 0x06
REJECT = [(RET_K, 0, 0, 0)]
IP_SADDR = 12
BPF_MAXINSNS = 4096


def bpf_linear(networks):
    """
    A program that compares the source with each prefix, of one length, and
    refuses the packet in the end; None if it would be too long.
    """
    length = int(networks[0].split("/")[1])
    program = [(LD_W_ABS, 0, 0, IP_SADDR),
               (AND_K, 0, 0, 0xffffffff << (32 - length) & 0xffffffff)]
    for net in networks:
        value = int.from_bytes(bytes(map(int, net.split("/")[0].split("."))),
                               "big")
        program += [(JEQ_K, 0, 1, value), (RET_K, 0, 0, 0)]
    program += REJECT
    return program if len(program) <= BPF_MAXINSNS else None


def bpf_file(program, name="filter"):
    """The program as `packets -f` reads it."""
    return write(name, ["%d %d %d %d" % insn for insn in program])


# --- the rest -----------------------------------------------------------------------

def rest(seconds=2):
    """Let the kernel finish what it does later: free memory, mostly."""
    time.sleep(seconds)


def load():
    """kraw.ko, as the test library loads it."""
    return tool.Module()
