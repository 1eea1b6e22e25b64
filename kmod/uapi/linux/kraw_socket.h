/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * kraw's datagram sockets: socket(AF_INET or AF_INET6, SOCK_DGRAM, P) of a claimed
 * protocol P, and their own options, setsockopt(fd, P, ...).
 */
#ifndef _UAPI_LINUX_KRAW_SOCKET_H
#define _UAPI_LINUX_KRAW_SOCKET_H

/*
 * int: nobody may bind over this socket, whatever options he has. Only before
 * bind(), and not together with SO_REUSEADDR or SO_REUSEPORT: EINVAL. The number is
 * none of another level's options: P may be one of these.
 */
#define KRAW_EXCLUSIVEADDRUSE	0x6b01

#endif /* _UAPI_LINUX_KRAW_SOCKET_H */
