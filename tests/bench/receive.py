#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
What a packet costs that many raw sockets would get: the whole way from the
device to where it ends.
"""
import guest
from guest import emit, missing, packets
from krawtest import tool

SOCKETS = [1, 16, 256, 1024]
BATCH = 100		# packets that fit into a receive buffer

reject = guest.bpf_file(guest.REJECT, "reject")
# many flows: which socket "deliver one" finds soonest is chance for each
source = guest.sources(guest.prefixes(1000))


def measure(series, sockets, *args, copies=True):
    # a million instructions a packet need not be measured 2000 times
    count = 400 if copies and sockets > 256 else guest.PACKET_COUNT
    emit(series, sockets, packets("-k", sockets, "-b", BATCH, "-s", source,
                                  *args, count=count, repetitions=4))


def deliver(verdict, account="match"):
    refusal = tool.kraw("proto add 253 deliver %s account %s" %
                        (verdict, account)).err.strip()
    for sockets in SOCKETS:
        series = "deliver " + verdict
        if account != "match":
            series += ", " + account
        if refusal:
            missing(series, sockets, refusal)
        else:
            measure(series, sockets, copies=verdict in ("all", "raw"))
    guest.run("kraw", "flush")


guest.device()
for sockets in SOCKETS:
    measure("plain Linux", sockets)
    measure("reject-all filters", sockets, "-f", reject)
guest.nft_chain("ip protocol 253 drop")
for sockets in SOCKETS:
    measure("nft drop", sockets, copies=False)
guest.nft_flush()
module = guest.load()
# what watching the kernel costs each packet that the host drops
guest.nft_chain("ip protocol 253 drop")
for account in ("match", "exact"):
    guest.run("kraw", "proto", "add", "254", "account", account)
    for sockets in SOCKETS:
        measure("nft drop, 254 is managed, " + account, sockets, copies=False)
    guest.run("kraw", "flush")
guest.nft_flush()
for verdict in ("all", "raw", "one", "none"):
    deliver(verdict)
for verdict in ("all", "raw"):
    deliver(verdict, "exact")
module.close()
