// SPDX-License-Identifier: GPL-2.0
#include "capture.h"
#include "error.h"
#include "libpcap.h"
#include "live.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct capture {
	const char *name;
	const struct libpcap *lib;
	pcap_t *pcap;
	pcap_dumper_t *dumper; /* owns the file */
	FILE *file;
	off_t whole; /* end of the part that is written out */
	uint64_t packets; /* in that part */
	uint64_t added; /* and what was added behind it */
	bool failed;
};

/* What stands in the file before each packet, see pcap-savefile(5). */
struct packet_head {
	uint32_t seconds, nanoseconds, held, len;
};

/*
 * Some of what was added last may have been written: finds the end of the last
 * packet that is whole. Of a pipe or a device nothing can be taken back.
 */
static void cut(struct capture *capture)
{
	int fd = fileno(capture->file);
	struct packet_head head;
	struct stat stat;
	off_t next;

	__fpurge(capture->file);
	if (fstat(fd, &stat) || !S_ISREG(stat.st_mode))
		return;
	while (capture->whole &&
	       pread(fd, &head, sizeof(head), capture->whole) == sizeof(head)) {
		next = capture->whole + (off_t)sizeof(head) + head.held;
		if (next > stat.st_size)
			break;
		capture->whole = next;
		capture->packets++;
	}
	if (ftruncate(fd, capture->whole))
		note("%s: cannot cut it: %s: its end is no whole packet",
		     capture->name, strerror(errno));
}

/* A reader of a pipe that goes away is no error. */
static int fail_with(struct capture *capture, int error)
{
	capture->failed = true;
	if (error == EPIPE) {
		__fpurge(capture->file);
		live_leave();
		return 0;
	}
	cut(capture);
	return refused("%s: cannot write: %s; %" PRIu64 " packets are in it",
		       capture->name, strerror(error), capture->packets);
}

int capture_flush(struct capture *capture)
{
	if (capture->failed)
		return 0;
	if (fflush(capture->file))
		return fail_with(capture, errno);
	capture->whole = ftello(capture->file);
	capture->packets += capture->added;
	capture->added = 0;
	return 0;
}

int capture_open(struct capture **capture, const char *name, uint32_t snaplen)
{
	struct capture *new = xalloc(sizeof(*new));

	*capture = memset(new, 0, sizeof(*new));
	new->name = name;
	new->lib = libpcap(name);
	if (!new->lib)
		return STATUS_REFUSED;
	new->pcap =
		new->lib->open_dead_with_tstamp_precision(DLT_RAW, snaplen,
							  PCAP_TSTAMP_PRECISION_NANO);
	if (!new->pcap)
		return refused("%s: libpcap does not work here", name);
	/* To be read as well, see cut(). */
	new->file = strcmp(name, "-") ? fopen(name, "w+e") :
					fdopen(dup(STDOUT_FILENO), "w");
	if (!new->file)
		return refused("%s: cannot write: %s", name, strerror(errno));
	new->dumper = new->lib->dump_fopen(new->pcap, new->file);
	if (!new->dumper)
		return refused("%s: cannot write: %s", name,
			       new->lib->geterr(new->pcap));
	return capture_flush(new);
}

int capture_add(struct capture *capture, uint64_t time, const void *data,
		size_t held, size_t len)
{
	const struct pcap_pkthdr head = {
		.ts.tv_sec = time / 1000000000,
		.ts.tv_usec = time % 1000000000, /* nanoseconds, as it says */
		.caplen = held,
		.len = len,
	};

	if (capture->failed)
		return 0;
	capture->lib->dump((u_char *)capture->dumper, &head, data);
	capture->added++;
	return ferror(capture->file) ? fail_with(capture, errno) : 0;
}

int capture_close(struct capture *capture)
{
	int ret = 0;

	if (!capture)
		return 0;
	if (capture->dumper) {
		ret = capture_flush(capture);
		capture->lib->dump_close(capture->dumper);
	} else if (capture->file) {
		fclose(capture->file);
	}
	if (capture->pcap)
		capture->lib->close(capture->pcap);
	free(capture);
	return ret;
}
