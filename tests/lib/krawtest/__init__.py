# SPDX-License-Identifier: GPL-2.0
"""
krawtest: the library under kraw's test subjects and its demo.

A subject is an executable Python file in tests/subjects; it runs as root, alone,
in a VM that is as if it had just booted, and prints TAP.  Another subject may
have had the VM before, if that left nothing behind; one that always does says
`# leaves: WHAT`.  One that says `# cpus: N`, `# boot: PARAMETERS` or `# alone: WHY`
gets a VM of its own.  The smallest useful one:

    #!/usr/bin/python3
    # SPDX-License-Identifier: GPL-2.0
    "What this subject proves, in one sentence."
    import os, sys
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
    from krawtest import tap, tool
    from krawtest.netns import Lab
    from krawtest.who import Probe, UNREACH

    lab = tap.cleanup(Lab())
    module = tap.cleanup(tool.Module())

    @tap.each(4, 6)
    def nobody_listens(family):
        with Probe(lab.left, lab.right, 253, family) as probe:
            tap.is_(probe.send().icmp, [UNREACH[family]], "unreachable")

    tap.run()

Modules, one concept each:

    tap       test points, cases, clean-up, plan
    clock     deadlines, scaled by KRAW_SLOW; nothing here ever sleeps blindly
    netns     network namespaces, veth pairs, sysctls; the standard topology
    packet    build and read IPv4, IPv6, ICMP, TCP, SCTP ... as bytes
    sock      raw and packet sockets with deadlines
    who       send packets, report who received them
    dgram     datagram sockets of claims, users, errors by name
    outgoing  what raw sockets send: did the call work, did the packet leave
    order     which of several sockets was reached first
    counters  /proc/net/snmp, snmp6, netstat, xfrm_stat as dictionaries
    session   one running kraw for many commands
    tracer    a netlink socket that traces packets
    ftrace    the order in which kernel functions ran, and how often
    tool      the kraw command, insmod, rmmod, modprobe
    hooks     nft list hooks
    syscalls  numbers of system calls
    system    files of the whole system, as they were in the end
    inject    system calls whose n-th allocation fails
    tun       a device whose packets come from a descriptor
    raw7      the programs of tests/raw7, run and compared
"""
