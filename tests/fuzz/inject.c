// SPDX-License-Identifier: GPL-2.0
/*
 * System calls whose n-th allocation in the kernel fails. A library that Python
 * loads: an interpreter would make allocations of its own in between.
 *
 * /proc/thread-self/fail-nth counts what the thread asks of the slab and page
 * allocators in system calls and page faults, but not in interrupts; see
 * Documentation/fault-injection in the kernel's source.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/syscall.h>

struct call {
	long number;
	long args[6];
	long result; /* or a negative errno */
};

int inject(int fd, unsigned int nth, struct call *calls, unsigned int count);

/*
 * Makes the calls in their order. fd is this thread's fail-nth. Returns 1 if an
 * allocation was made to fail, 0 if there were fewer than nth, or a negative
 * errno.
 */
int inject(int fd, unsigned int nth, struct call *calls, unsigned int count)
{
	char text[16];
	ssize_t len;
	int size = snprintf(text, sizeof(text), "%u", nth);

	if (pwrite(fd, text, (size_t)size, 0) != size)
		return -errno;
	for (struct call *c = calls; c < calls + count; c++) {
		c->result = syscall(c->number, c->args[0], c->args[1],
				    c->args[2], c->args[3], c->args[4],
				    c->args[5]);
		if (c->result < 0)
			c->result = -errno;
	}
	len = pread(fd, text, sizeof(text) - 1, 0);
	if (len <= 0 || pwrite(fd, "0", 1, 0) != 1)
		return -errno;
	text[len] = '\0';
	return !atoi(text);
}
