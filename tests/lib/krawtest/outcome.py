# SPDX-License-Identifier: GPL-2.0
"""
Everything that some packets cause, in a form that compares with that of the
same packets at another time: what each raw socket got, the ICMP errors, and the
kernel's counters.
"""
from collections import namedtuple

from . import clock, sock
from .counters import Watch
from .who import UNREACH, Probe

# bodies: for each raw socket the numbers of the payloads that it got
Outcome = namedtuple("Outcome", "bodies icmp counters")


def once(lab, family, proto, make, readers=()):
    """
    Send what make() returns, (packets, payloads), from left to right.  Payloads
    may differ each time, so a copy is told by its number; one that is none of
    them, as it is.  A multicast that IPv6 sends on its own spoils the counters,
    so measure anew then.
    """
    def measured():
        packets, payloads = make()
        with Probe(lab.left, lab.right, proto, family) as probe:
            probe.flush()
            for reader in readers:
                reader.drain()
            with Watch(lab.right) as watch:
                # any packet contains this mark
                icmp = probe.transmit(packets, [b""]).icmp
        copies = [reader.drain() for reader in readers]
        if any("Mcast" in name for name in watch.delta):
            return None
        return Outcome([[payloads.index(data) if data in payloads else data
                         for data in one] for one in copies], icmp,
                       {name: value for name, value in watch.delta.items()
                        if name.startswith("Ip")})
    return clock.wait_until(measured)


def with_readers(lab, family, proto, make, number):
    """The same with this many raw sockets of the protocol in right."""
    readers = [sock.Reader(proto, family, lab.right) for _ in range(number)]
    try:
        return once(lab, family, proto, make, readers)
    finally:
        for reader in readers:
            reader.close()


def before_delivery(outcome):
    """Its counters of reassembly and of errors in headers."""
    return {name: value for name, value in outcome.counters.items()
            if "Reasm" in name or "HdrErrors" in name or "AddrErrors" in name}


def by_verdict(verdict, now, plain, nobody):
    """
    (what came of it, what has to come of it) with this verdict and no handler,
    if `plain` is the outcome without kraw and `nobody` that without sockets.
    """
    if verdict in ("all", "raw"):
        return now._asdict(), plain._asdict()
    icmp = nobody.icmp
    if verdict == "none":	# errors that come before delivery are sent
        unreach = [kind[:2] for kind in UNREACH.values()]
        icmp = [error for error in icmp if error[:2] not in unreach]
    return {"bodies": now.bodies, "icmp": now.icmp, **before_delivery(now)}, \
        {"bodies": [[] for _ in now.bodies], "icmp": icmp,
         **before_delivery(plain)}
