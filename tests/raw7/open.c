// SPDX-License-Identifier: GPL-2.0
/* Who may open a raw socket, and what it is then: R01, R04. */
#include "case.h"
#include "lab.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT "open.c"

/* Both ways, seen by a packet socket in the middle: IP header, then ours. */
static void opens(int family)
{
	int out = raw(LEFT, family, 253), back = raw(RIGHT, family, 253);
	const uint8_t *data;
	struct got got;

	is(send_to(out, TEXT, strlen(TEXT), right(family)), strlen(TEXT),
	   "send says how much");
	ok(drain(back, &got) == 1 && carries(family, &got, TEXT),
	   "the other side has the datagram");
	is(wire_drain(WIRE_L0, &got), 1, "one packet leaves");
	data = got.data + header_len(family);
	is(got.len, header_len(family) + strlen(TEXT),
	   "it is the IP header and the datagram");
	ok(!memcmp(data, TEXT, strlen(TEXT)), "the datagram as it was sent");
	is(got.data[0] >> 4, family, "behind no other header");
}

HOLDS(R01, "sends and receives datagrams without link-layer header")
{
	opens(V4);
}

HOLDS(R01v6, "sends and receives datagrams without link-layer header")
{
	opens(V6);
}

/*
 * What socket() says to somebody with this user id, who has these capabilities
 * and no other.
 */
static int open_as(int family, int uid, uint32_t effective)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct caps[2] = { 0 };
	int status, fd;
	pid_t pid;

	in(LEFT);
	pid = fork();
	if (pid < 0)
		bail("fork");
	if (!pid) {
		/* what is permitted stays over the change of uid */
		if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) ||
		    syscall(SYS_setresuid, uid, uid, uid))
			_exit(255);
		caps[0].effective = caps[0].permitted = effective;
		if (syscall(SYS_capset, &header, caps))
			_exit(254);
		fd = socket(address_family(family), SOCK_RAW, 253);
		_exit(fd < 0 ? errno : 0);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		bail("a child that opens a socket");
	return WEXITSTATUS(status);
}

#define NET_RAW (1U << CAP_NET_RAW)
#define ANOTHER (1U << CAP_NET_ADMIN)

static void privileged(int family)
{
	is(open_as(family, 65534, 0), EPERM, "a user without capabilities");
	is(open_as(family, 65534, ANOTHER), EPERM, "one with another one");
	is(open_as(family, 65534, NET_RAW), 0, "one with CAP_NET_RAW");
	is(open_as(family, 0, NET_RAW), 0, "root with CAP_NET_RAW");
	silence();
}

HOLDS(R04,
      "a user without CAP_NET_RAW gets EPERM, not EACCES; with it a socket")
{
	privileged(V4);
}

HOLDS(R04v6,
      "a user without CAP_NET_RAW gets EPERM, not EACCES; with it a socket")
{
	privileged(V6);
}

DIFFERS(R04, "user id 0 alone does not do: without the capability it is EPERM",
	"net/ipv4/af_inet.c, inet_create()")
{
	is(open_as(V4, 0, 0), EPERM, "root without capabilities");
	is(open_as(V4, 0, ~NET_RAW & 0xff), EPERM, "root with others");
}

DIFFERS(R04v6,
	"user id 0 alone does not do: without the capability it is EPERM",
	"net/ipv6/af_inet6.c, inet6_create()")
{
	is(open_as(V6, 0, 0), EPERM, "root without capabilities");
	is(open_as(V6, 0, ~NET_RAW & 0xff), EPERM, "root with others");
}

int main(int argc, char **argv)
{
	return cases_run(argc, argv);
}
