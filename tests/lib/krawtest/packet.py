# SPDX-License-Identifier: GPL-2.0
"""
Packets as bytes: builders for what the subjects send, readers for what they
get back.  No checks: a test must be able to build what is wrong.
"""
import functools
import struct
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

ICMP, TCP, UDP, ICMPV6, SCTP = 1, 6, 17, 58, 132
HOPOPTS, ROUTING, FRAGMENT, DSTOPTS = 0, 43, 44, 60


def checksum(data):
    """The Internet checksum, RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


@functools.lru_cache(1000)
def _aton(addr):
    return inet_pton(AF_INET6 if ":" in addr else AF_INET, addr)


def pseudo(src, dst, proto, length):
    """The pseudo-header that upper layer checksums cover."""
    if ":" in src:
        return _aton(src) + _aton(dst) + struct.pack("!IHBB", length, 0, 0,
                                                     proto)
    return _aton(src) + _aton(dst) + struct.pack("!BBH", 0, proto, length)


# --- network layer -----------------------------------------------------------

def ipv4(src, dst, proto, payload, ttl=64, tos=0, ident=0, frag=0,
         options=b""):
    """`frag` is the whole field: flags and offset in units of 8 bytes."""
    length = 20 + len(options)
    head = struct.pack("!BBHHHBBH", 0x40 | length // 4, tos,
                       length + len(payload), ident, frag, ttl, proto, 0)
    head += _aton(src) + _aton(dst) + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ipv6(src, dst, nexthdr, payload, hlim=64, tclass=0, flow=0):
    """One IPv6 header; extension headers are part of the payload."""
    return struct.pack("!IHBB", 6 << 28 | tclass << 20 | flow, len(payload),
                       nexthdr, hlim) + _aton(src) + _aton(dst) + payload


def ip(src, dst, proto, payload, ttl=64, **more):
    """ipv4() or ipv6(), by the family of the addresses."""
    if ":" in src:
        return ipv6(src, dst, proto, payload, hlim=ttl, **more)
    return ipv4(src, dst, proto, payload, ttl=ttl, **more)


def options6(nexthdr, options=b""):
    """A hop-by-hop or destination options header, padded with PadN."""
    short = -(2 + len(options)) % 8
    if short == 1:
        options += b"\0"
    elif short:
        options += bytes([1, short - 2]) + bytes(short - 2)
    return bytes([nexthdr, (2 + len(options)) // 8 - 1]) + options


def routing6(nexthdr, addrs=(), kind=2, left=0):
    """A routing header; with left=0 it is skipped on receive."""
    return struct.pack("!BBBBI", nexthdr, 2 * len(addrs), kind, left, 0) + \
        b"".join(_aton(addr) for addr in addrs)


def fragment6(nexthdr, offset, more, ident):
    """A fragment header; `offset` in bytes, a multiple of 8."""
    return struct.pack("!BBHI", nexthdr, 0, offset | more, ident)


def fragments(src, dst, proto, payload, size, ident=0x6b72, **fields):
    """
    The datagram in fragments of `size` payload bytes, a multiple of 8; `fields`
    as in ipv4() or ipv6().
    """
    out = []
    for offset in range(0, len(payload), size):
        part = payload[offset:offset + size]
        more = offset + size < len(payload)
        if ":" in src:
            out.append(ipv6(src, dst, FRAGMENT,
                            fragment6(proto, offset, int(more), ident) + part,
                            **fields))
        else:
            out.append(ipv4(src, dst, proto, part, ident=ident,
                            frag=(0x2000 if more else 0) | offset // 8,
                            **fields))
    return out


# --- upper layers ------------------------------------------------------------

def echo(src, dst, ident, seq, data=b""):
    """ICMP or ICMPv6 echo request: (protocol, bytes)."""
    six = ":" in src
    kind, proto = (128, ICMPV6) if six else (8, ICMP)
    body = struct.pack("!BBHHH", kind, 0, 0, ident, seq) + data
    head = pseudo(src, dst, proto, len(body)) if six else b""
    return proto, body[:2] + struct.pack("!H", checksum(head + body)) + body[4:]


def udp(src, dst, sport, dport, data=b""):
    """A UDP datagram with its checksum."""
    length = 8 + len(data)
    body = struct.pack("!HHHH", sport, dport, length, 0) + data
    value = checksum(pseudo(src, dst, UDP, length) + body) or 0xffff
    return body[:6] + struct.pack("!H", value) + data


def tcp(src, dst, sport, dport, seq=0, ack=0, flags=0x02, window=64240,
        data=b""):
    """A TCP segment, by default a SYN."""
    body = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags,
                       window, 0, 0) + data
    value = checksum(pseudo(src, dst, TCP, len(body)) + body)
    return body[:16] + struct.pack("!H", value) + body[18:]


def _crc32c_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82f63b78 if value & 1 else 0)
        table.append(value)
    return table


_CRC32C = []


def crc32c(data):
    """CRC-32C (Castagnoli), as SCTP uses it."""
    if not _CRC32C:
        _CRC32C.extend(_crc32c_table())
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ _CRC32C[(crc ^ byte) & 0xff]
    return crc ^ 0xffffffff


def sctp(sport, dport, vtag, chunks):
    """An SCTP packet with its checksum."""
    head = struct.pack("!HHI", sport, dport, vtag)
    crc = crc32c(head + bytes(4) + chunks)
    return head + struct.pack("<I", crc) + chunks


def sctp_init(sport, dport, tag):
    """An SCTP packet with one INIT chunk whose initiate tag is `tag`."""
    return sctp(sport, dport, 0,
                struct.pack("!BBHIIHHI", 1, 0, 20, tag, 65536, 10, 10, tag))


# --- reading -----------------------------------------------------------------

def destination(data):
    """Of an IP packet, as text."""
    return inet_ntop(AF_INET, data[16:20]) if data[0] >> 4 == 4 else \
        inet_ntop(AF_INET6, data[24:40])


class Seen:
    """An IP packet taken apart: src, dst, proto, ttl, header, payload."""
    def __init__(self, data):
        self.data = data
        self.version = data[0] >> 4
        if self.version == 4:
            length = (data[0] & 15) * 4
            self.ttl, self.proto = data[8], data[9]
            self.src = inet_ntop(AF_INET, data[12:16])
            self.dst = inet_ntop(AF_INET, data[16:20])
        else:
            length = 40
            self.proto, self.ttl = data[6], data[7]
            self.src = inet_ntop(AF_INET6, data[8:24])
            self.dst = inet_ntop(AF_INET6, data[24:40])
        self.header, self.payload = data[:length], data[length:]


class IcmpError:
    """
    An ICMP or ICMPv6 error: kind, code, pointer (0 where the type has none) and
    the packet it quotes.  `what` is (kind, code, pointer).
    """
    def __init__(self, kind, code, pointer, quoted):
        self.kind, self.code, self.pointer = kind, code, pointer
        self.quoted = quoted
        self.what = (kind, code, pointer)


def icmp_error(family, data):
    """Read the ICMP message `data`; None if it is not an error."""
    if len(data) < 8:
        return None
    kind, code = data[0], data[1]
    if family == 4:
        if kind not in (3, 4, 5, 11, 12):
            return None
        pointer = data[4] if kind == 12 else 0
    else:
        if kind >= 128:
            return None
        pointer = struct.unpack("!I", data[4:8])[0] if kind in (2, 4) else 0
    return IcmpError(kind, code, pointer, data[8:])
