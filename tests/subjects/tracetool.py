#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
kraw trace: lines, JSON and capture files, which tcpdump and tshark read; it
names processes, tells what was lost, and ends well: by count, by a signal, when
its reader goes away, when the disk is full, when the module goes.
"""
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from krawtest import clock, packet, sock, system, tap, tool
from krawtest.live import Trace
from krawtest.manage import managed
from krawtest.netns import Lab
from krawtest.who import marker, token

PROTO = 253
DIR = "/run/tracetool"
SO_SNDBUFFORCE = 32
COUNT = 4000 if clock.SLOW == 1 else 800

lab = tap.cleanup(Lab())
module = tap.cleanup(tool.Module())
flush = marker(lab.l0, lab.r0).flush
os.makedirs(DIR, exist_ok=True)
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "small", DIR],
               check=True)
tap.cleanup(lambda: subprocess.run(["umount", "-l", DIR], check=True))
senders = {family: sock.Sender(family, lab.left) for family in (4, 6)}


def send(family, count=1, body=b"", **more):
    """Packets from left to right; returns them."""
    packets = [packet.ip(lab.l0.addr[family], lab.r0.addr[family], PROTO,
                         token() + body, **more) for _ in range(count)]
    for data in packets:
        senders[family].send(data)
    flush()
    return packets


@tap.each(4, 6)
def lines_and_json(family):
    with managed(PROTO, lab.right, "deliver raw", "ttl 9 trace deliver reject",
                 "ttl 8 deliver all"), \
            sock.Reader(PROTO, family, lab.right) as reader, \
            sock.Reader(PROTO, family, lab.right) as deaf:
        deaf.filter(sock.REJECT)
        text = Trace("proto", str(PROTO))
        as_json = Trace("src", lab.l0.addr[family], "snaplen", "60",
                        options=["-j"])
        marked = Trace("marked", "match", "ip or ip6", "count", "1")
        data = [send(family, ttl=ttl)[0] for ttl in (64, 9, 8)]
        with open("/proc/self/comm") as file:
            me = "%s pid %d fd " % (file.read().strip(), os.getpid())
        both = {me + "%d copy" % reader.fileno(),
                me + "%d filter" % deaf.fileno()}
        head = "input proto 253 src %s dst %s dev r0 len %d " % (
            lab.l0.addr[family], lab.r0.addr[family], len(data[0]))
        lines = text.lines(3)
        tap.ok(all(re.match(r"\d\d:\d\d:\d\d\.\d{9} " + re.escape(head), line)
                   for line in lines), "time and packet", lines)
        rest = [line.split(head)[-1] for line in lines]
        tap.is_([(words.split(" -> ")[0],
                  set(words.split(" -> ")[-1].removesuffix(" (expected)")
                      .split("; ")), words.endswith("(expected)"))
                 for words in rest],
                [("raw", both, False),
                 ("pref 10 marked reject",
                  {"ICMP 3/2" if family == 4 else "ICMPv6 4/1"}, False),
                 ("pref 20 all", both, True)], "who received it")
        rows = [json.loads(line) for line in as_json.lines(3)]
        tap.is_([(row["verdict"], row["src"], row["len"], row["seq"],
                  row["lost"], row["expected"], row.get("marked"),
                  {(one["inode"], one["result"], one["processes"][0]["pid"])
                   for one in row["sockets"]}) for row in rows],
                [(verdict, lab.l0.addr[family], len(data[0]), number, 0,
                  verdict == "all", True if verdict == "reject" else None,
                  set() if verdict == "reject" else
                  {(os.fstat(reader.fileno()).st_ino, "copy", os.getpid()),
                   (os.fstat(deaf.fileno()).st_ino, "filter", os.getpid())})
                 for number, verdict in enumerate(("raw", "reject", "all"), 1)],
                "the same as JSON")
        tap.is_([bytes.fromhex(row["data"])[20:] for row in rows],
                [one[20:60] for one in data], "with snaplen the packet")
        status, out, err = marked.end(None)
        tap.is_((status, err, out.count("\n"), " marked " in out),
                (0, "1 packet, 0 lost\n", 1, True), "marked, count: ends")
        for name, one in (("text", text), ("JSON", as_json)):
            tap.is_(one.end(), (0, "", "3 packets, 0 lost\n"),
                    name + ": SIGINT")


def read_pcap(name):
    """(link type, [(nanoseconds, length, data)]) of a capture file."""
    with open(name, "rb") as file:
        data = file.read()
    magic, link = struct.unpack_from("=I16xI", data)
    tap.is_(magic, 0xa1b23c4d, "nanosecond pcap")
    at, packets = 24, []
    while at < len(data):
        seconds, nano, held, length = struct.unpack_from("=IIII", data, at)
        packets.append((seconds * 10**9 + nano, length,
                        data[at + 16:at + 16 + held]))
        at += 16 + held
    tap.is_(at, len(data), "it ends with a whole packet")
    return link, packets


@tap.case
def capture_file():
    """Both families in one; read by tcpdump, tshark and by us."""
    name = "/tmp/trace.pcap"
    with managed(PROTO, lab.right, "deliver none"):
        writer = Trace("-w", name)
        short = Trace("-w", name + "2", "snaplen", "44")
        pipe = Trace("-w", "-")
        data = send(4, body=bytes(500)) + send(6, body=bytes(500)) + send(4)
        tap.is_([one.end()[::2] for one in (writer, short)],
                [(0, "3 packets, 0 lost\n")] * 2, "SIGINT: a summary")
        pipe.process.send_signal(signal.SIGINT)
        out, _ = pipe.process.communicate(timeout=60 * clock.SLOW)
    link, packets = read_pcap(name)
    tap.is_(link, 101, "LINKTYPE_RAW")
    tap.is_([(length, got[20:]) for _, length, got in packets],
            [(len(one), one[20:]) for one in data], "the packets")
    times = [time for time, _, _ in packets]
    tap.is_(times, sorted(times), "in the order of time")
    _, cut = read_pcap(name + "2")
    tap.is_([(length, len(got)) for _, length, got in cut],
            [(len(one), min(44, len(one))) for one in data], "snaplen")
    tap.is_((out[:4], len(out)), (struct.pack("=I", 0xa1b23c4d),
                                  os.stat(name).st_size),
            "-w -: the same on standard output")
    got = tool.command("tcpdump", "-nr", name, "--time-stamp-precision=nano")
    tap.is_([re.sub(r"^\S+\.(\d{9}) ", r"\1 ", line)
             for line in got.out.splitlines()],
            ["%09d %s %s > %s:  ip-proto-253 %d" %
             (time % 10**9, "IP" if one[0] >> 4 == 4 else "IP6",
              packet.Seen(one).src, packet.Seen(one).dst,
              len(one) - (20 if one[0] >> 4 == 4 else 40))
             for time, one in zip(times, data)], "tcpdump -r")
    if clock.SLOW > 1:
        raise tap.Skip("tshark takes minutes here")
    got = tool.command("tshark", "-nr", name, "-T", "fields", "-e",
                       "frame.time_epoch", "-e", "frame.len", "-e", "ip.src",
                       "-e", "ipv6.dst")
    tap.is_([line.split("\t") for line in got.out.splitlines()],
            [["%d.%09d" % divmod(time, 10**9), str(len(one)),
              packet.Seen(one).src if one[0] >> 4 == 4 else "",
              "" if one[0] >> 4 == 4 else packet.Seen(one).dst]
             for time, one in zip(times, data)], "tshark -r")


def sender():
    """
    A raw socket in `left`, to `right`. With as much room as all that is sent at
    once: on a busy host ksoftirqd is late, what waits for it counts for the
    sender, and ip_append_data() has ENOBUFS for one that has used up its own.
    """
    with lab.left:
        out = socket.socket(socket.AF_INET, socket.SOCK_RAW, PROTO)
    out.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 64 << 20)
    out.connect((lab.r0.addr[4], 0))
    return out


@tap.case
def at_full_speed():
    """Lines: printed + lost = sent; a file, too."""
    system.write("/proc/sys/net/core/netdev_max_backlog", "20000\n")
    out = sender()
    with managed(PROTO, lab.right, "deliver none"):
        for words in (["-w", "/tmp/fast.pcap"], []):
            with open("/tmp/fast.txt", "w") as file:
                trace = Trace(*words, stdout=file)
            for _ in range(COUNT):
                out.send(b"fast")
            flush()
            status, _, err = trace.end()
            match = re.fullmatch(r"(\d+) packets, (\d+) lost\n", err)
            tap.ok(not status and match, "a summary", err)
            told, lost = map(int, match.groups())
            tap.is_(told + lost, COUNT, "told + lost = sent")
            if words:
                tap.is_(len(read_pcap("/tmp/fast.pcap")[1]), told,
                        "as many in the file")
            else:
                with open("/tmp/fast.txt") as file:
                    tap.is_(sum(" 253 " in line for line in file), told,
                            "as many lines")
    out.close()


@tap.case
def one_that_does_not_read():
    """Stopped for a while: it tells how many it has missed, and where."""
    with managed(PROTO, lab.right, "deliver none"):
        # its socket has room for 32 MiB: fill that with long packets
        trace = Trace("-w", "/tmp/slow.pcap", "proto", str(PROTO))
        text = Trace("len", "28")
        trace.process.send_signal(signal.SIGSTOP)
        text.process.send_signal(signal.SIGSTOP)
        out = sender()
        lab.left.ip("link set l0 mtu 65535")
        lab.right.ip("link set r0 mtu 65535")
        sent = 0
        body = bytes(65000)
        for _ in range(700):
            out.send(body)
            sent += 1
        flush()
        send(4)
        sent += 1
        trace.process.send_signal(signal.SIGCONT)
        text.process.send_signal(signal.SIGCONT)
        status, _, err = trace.end()
        match = re.fullmatch(r"(\d+) packets, (\d+) lost\n", err)
        tap.ok(not status and match, "ends well", err)
        told, lost = map(int, match.groups())
        tap.is_((told + lost, lost > 0), (sent, True),
                "%d told + %d lost = sent" % (told, lost))
        tap.is_(len(read_pcap("/tmp/slow.pcap")[1]), told, "in the file")
        tap.is_(text.end()[::2], (0, "1 packet, 0 lost\n"),
                "one with a filter has lost nothing")
        out.close()
        lab.left.ip("link set l0 mtu 1500")
        lab.right.ip("link set r0 mtu 1500")


@tap.case
def a_full_disk():
    """What is whole is kept; where nothing can be written it does not begin."""
    name = DIR + "/full.pcap"
    with managed(PROTO, lab.right, "deliver none"):
        trace = Trace("-w", name)
        for _ in range(80):
            send(4, body=bytes(1300))
            if trace.process.poll() is not None:
                break
        status, _, err = trace.end(None)
        tap.is_(status, 2, "it fails")
        match = re.fullmatch(r"Error: %s: cannot write: No space left on "
                             r"device; (\d+) packets are in it\.\n" % name, err)
        tap.ok(match, "one line says why", err)
        _, packets = read_pcap(name)
        tap.is_(len(packets), int(match.group(1)), "and how many are in it")
        tap.ok(len(packets) > 20 and
               {length for _, length, _ in packets} == {1328}, "whole ones")
        os.unlink(name)
        full = tool.kraw("trace -w /dev/full", lab.right)
        tap.is_((full.status, full.err), (
            2, "Error: /dev/full: cannot write: No space left on device; "
            "0 packets are in it.\n"), "/dev/full")
        with open("/dev/full", "w") as file:
            trace = Trace(stdout=file)
            send(4)
            status, _, err = trace.end(None)
        tap.is_((status, err), (2, "Error: cannot write the output: "
                                   "No space left on device.\n"), "lines")
        nowhere = tool.kraw("trace -w /nowhere/file", lab.right)
        tap.is_((nowhere.status, nowhere.err), (
            2, "Error: /nowhere/file: cannot write: No such file or "
            "directory.\n"), "no such folder")


@tap.case
def a_reader_that_goes_away():
    """kraw trace | head, and with nothing to write: quiet, status 0."""
    with managed(PROTO, lab.right, "deliver none"):
        for words, packets in (([], 3), (["-w", "-"], 3), ([], 0)):
            trace = Trace(*words)
            trace.process.stdout.close()
            if packets:
                send(4, packets)
            status = trace.process.wait(60 * clock.SLOW)
            tap.is_((status, trace.process.stderr.read()), (0, b""),
                    "%s, %d packets" % (" ".join(words) or "lines", packets))
            trace.process.stderr.close()


@tap.case
def bad_input():
    for words, status, part in (
            ("trace nonsense", 1, "not understood"),
            ("trace count 0", 1, "at least 1"),
            ("trace count", 1, "needs a value"),
            ("trace snaplen 65529", 1, "65528"),
            ("trace proto nosuchproto", 1, "nosuchproto"),
            ("trace uid 0", 1, "hook output"),
            ("trace hook output deliver raw", 1, "allow"),
            ("trace pref 1", 1, "not understood"),
            ("trace mirror dev r0", 1, "not understood"),
            ("trace deliver one by cpu", 1, "filter"),
            ("trace match 'ether'", 1, "match"),
            ("trace src 10.0.0.1 dst ::1", 1, "IPv4"),
            ("-j trace -w x", 1, "JSON"),
            ("trace dev nodevice", 1, "no such device")):
        got = tool.kraw(words, lab.right)
        tap.ok(got.status == status and got.err.startswith("Error: ") and
               part in got.err and got.err.count("\n") == 1 and not got.out,
               words, got)
    got = tool.command("setpriv", "--reuid=65534", "--clear-groups",
                       tool.KRAW, "trace")
    tap.is_((got.status, got.out, got.err),
            (2, "", "Error: trace: not permitted: it needs CAP_NET_ADMIN in "
                    "this network namespace (be root here).\n"),
            "without privilege: one line")


@tap.case
def the_module_goes():
    tool.do("proto add 253 deliver none", lab.right)
    trace = Trace()
    send(4)
    tap.ok(module.unload(), "rmmod beside a tracer")
    status, out, err = trace.end(None)
    tap.is_((status, out.count("\n")), (2, 1), "it ends, with what it had")
    tap.ok(err.startswith("Error: kraw.ko was unloaded"), "and says why", err)


for one in senders.values():
    tap.cleanup(one)
tap.run()
