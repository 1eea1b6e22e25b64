/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KRAW_LIBPCAP_H
#define KRAW_LIBPCAP_H

/* Before linux/filter.h: it has names of its own for what that defines. */
#include <pcap/pcap.h>

/*
 * libpcap, loaded by the first command that needs it: Debian's brings eight more
 * libraries, and to load them all costs more than the rest of most commands.
 */
struct libpcap {
#define LIBPCAP_FUNCTIONS(use)                                            \
	use(close) use(compile) use(dump) use(dump_close) use(dump_fopen) \
		use(freecode) use(geterr) use(open_dead)                  \
			use(open_dead_with_tstamp_precision)
#define LIBPCAP_MEMBER(name) __typeof__(pcap_##name) *name;
	LIBPCAP_FUNCTIONS(LIBPCAP_MEMBER)
#undef LIBPCAP_MEMBER
};

/*
 * Its functions, without the "pcap_" before their names, or NULL: then it has
 * been said why, as of what "what" names.
 */
const struct libpcap *libpcap(const char *what);

#endif /* KRAW_LIBPCAP_H */
