#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
What kraw costs a packet that is none of its business: a UDP datagram over
loopback, sent and received.
"""
import guest
from guest import emit, packets

ROUNDS = 2


def udp(series, x):
    emit(series, x, packets("-u", repetitions=9))


for x in range(ROUNDS):
    udp("module absent", x)
    module = guest.load()
    udp("loaded and idle", x)
    guest.run("kraw", "proto", "add", "253")
    udp("another protocol managed", x)
    guest.run("kraw", "proto", "set", "253", "account", "exact")
    udp("another protocol managed, exact", x)
    guest.run("kraw", "apply", guest.kraw_rules(guest.prefixes(1000), "all"))
    udp("another protocol managed, 1000 rules", x)
    guest.run("kraw", "flush")
    udp("flushed", x)
    module.close()
    guest.nft_chain()
    udp("nft, an empty chain in the same hook", x)
    guest.nft_flush()
