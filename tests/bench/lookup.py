#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
What it costs to find one of many source prefixes. Each packet hits one, at
random, and is passed on; it ends at a raw socket whose filter rejects all. So
the difference to the same packet without any hook is what the hook costs.

The classic BPF program is that socket's filter: there the difference is to a
filter of one instruction.
"""
import guest
from guest import emit, missing, packets

SIZES = [1, 10, 100, 1000, 10000, 100000]
LINEAR_MAX = 10000
FOUR = (26, 28, 30, 32)

reject = guest.bpf_file(guest.REJECT, "reject")


def measure(series, size, source):
    emit(series, size, packets("-k", 1, "-f", reject, "-s", source))


guest.device()
# the longest classic program is longer than a socket's options may be
guest.run("sysctl", "-q", "net.core.optmem_max=1000000")
measure("no hook", 0, guest.sources(guest.prefixes(1)))
guest.nft_chain()
measure("nft, no rule", 0, guest.sources(guest.prefixes(1)))
guest.nft_flush()
for size in SIZES:
    networks = guest.prefixes(size)
    source = guest.sources(networks)

    program = guest.bpf_linear(networks)
    if program:
        emit("classic BPF", size,
             packets("-k", 1, "-f", guest.bpf_file(program), "-s", source))
    else:
        missing("classic BPF", size, "longer than BPF_MAXINSNS")
    if size <= LINEAR_MAX:
        guest.run("nft", "-f", guest.nft_linear(networks, "accept"))
        measure("nft, a rule each", size, source)
        guest.nft_flush()
    else:
        missing("nft, a rule each", size, "would take too long")
    guest.run("nft", "-f", guest.nft_set(networks, "accept"))
    measure("nft, a set", size, source)
    guest.nft_flush()

# What nft leaves behind must not be in the way of kraw, and the other way round.
module = guest.load()
guest.run("kraw", "proto", "add", "253")
measure("kraw, no rule", 0, guest.sources(guest.prefixes(1)))
for series, lengths in (("kraw", (28,)), ("kraw, four prefix lengths", FOUR)):
    for size in SIZES:
        networks = guest.prefixes(size, lengths)
        guest.run("kraw", "apply", guest.kraw_rules(networks, "all"))
        guest.rest()
        measure(series, size, guest.sources(networks))
guest.run("kraw", "flush")
module.close()
