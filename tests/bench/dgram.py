#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
What a datagram costs, on sockets of a claimed protocol and on UDP's: the same
program, device and route, with checksums in software on both. And what more
sockets cost it.
"""
import guest
from guest import datagrams, emit

LENGTHS = [64, 1400]
SOCKETS = [10, 100, 1000, 10000]
KINDS = {"UDP": (), "ports": ("-p", 253), "plain": ("-p", 254, "-w")}
MODES = ("send", "sendto", "receive", "loopback")

guest.device()
guest.run("ip", "-batch", "-", stdin="""
    addr add fd00::1/64 dev %(dev)s nodad
    route add local 10.200.0.0/16 dev %(dev)s
    route add local fd00:1::/112 dev lo
    """ % {"dev": guest.DEVICE})


def series(kind, family, mode):
    return "%s, IPv%d, %s" % (kind, family, mode)


def measure(kind, family, mode, *args, **how):
    return datagrams(*(["-6"] if family == 6 else []), *KINDS[kind], *args,
                     mode, **how)


def all_of(kind):
    for family in (4, 6):
        for mode in MODES:
            for length in LENGTHS:
                emit(series(kind, family, mode), length,
                     measure(kind, family, mode, "-l", length, repetitions=3))
        for sockets in SOCKETS:
            emit(series(kind, family, "sockets"), sockets,
                 measure(kind, family, "deliver", "-k", sockets,
                         repetitions=3))


all_of("UDP")
module = guest.load()
guest.run("kraw", "proto", "add", "253", "claim", "ports")
guest.run("kraw", "proto", "add", "254", "claim", "plain")
all_of("ports")
all_of("plain")
guest.run("kraw", "flush")
module.close()
