// SPDX-License-Identifier: GPL-2.0
/*
 * Which places of the module's code were reached, see cover.h. On the debug kernel
 * the module alone is built with KCOV, so every place is one of its.
 */
#include "cover.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>
#include <linux/kcov.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define FILE_NAME "/sys/kernel/debug/kcov"
#define PLACES	  (1UL << 18) /* that a call may reach */
#define TEXT	  (1UL << 20) /* bytes of code that the module may have */

static _Thread_local uint64_t *trace;
static _Thread_local int fd = -1;
static atomic_uchar reached[TEXT];
static atomic_ulong count;

void cover_begin(void)
{
	fd = open(FILE_NAME, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	if (!ioctl(fd, KCOV_INIT_TRACE, PLACES)) {
		trace = mmap(NULL, PLACES * sizeof(*trace),
			     PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (trace != MAP_FAILED && !ioctl(fd, KCOV_ENABLE, 0)) {
			__atomic_store_n(&trace[0], 0, __ATOMIC_RELAXED);
			return;
		}
	}
	close(fd);
	trace = NULL;
	fd = -1;
}

void cover_end(void)
{
	if (fd < 0)
		return;
	ioctl(fd, KCOV_DISABLE, 0);
	munmap(trace, PLACES * sizeof(*trace));
	close(fd);
	trace = NULL;
	fd = -1;
}

void cover_note(void)
{
	uint64_t places;

	if (!trace)
		return;
	places = __atomic_load_n(&trace[0], __ATOMIC_RELAXED);
	for (uint64_t i = 1; i <= places; i++)
		if (!atomic_exchange(&reached[trace[i] % TEXT], 1))
			count++;
	__atomic_store_n(&trace[0], 0, __ATOMIC_RELAXED);
}

unsigned long cover_count(void)
{
	return count;
}
