// SPDX-License-Identifier: GPL-2.0
#include "libpcap.h"
#include "error.h"

#include <dlfcn.h>
#include <stddef.h>

/* Debian's name for it, and its authors'. */
static const char *const names[] = { "libpcap.so.0.8", "libpcap.so.1" };

static const struct {
	const char *symbol;
	size_t offset;
} functions[] = {
#define ENTRY(name) { "pcap_" #name, offsetof(struct libpcap, name) },
	LIBPCAP_FUNCTIONS(ENTRY)
#undef ENTRY
};

/* What to say if it cannot be had is that of Debian's name. */
static void *open_it(const char **why)
{
	static char first[256];
	void *handle = NULL;
	size_t i;

	for (i = 0; !handle && i < sizeof(names) / sizeof(*names); i++) {
		handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
		if (!handle && !i)
			snprintf(first, sizeof(first), "%s", dlerror());
	}
	*why = first;
	return handle;
}

const struct libpcap *libpcap(const char *what)
{
	static struct libpcap loaded;
	static void *handle;
	const char *why;
	size_t i;

	if (handle)
		return &loaded;
	handle = open_it(&why);
	for (i = 0; handle && i < sizeof(functions) / sizeof(*functions); i++) {
		void *function = dlsym(handle, functions[i].symbol);

		if (!function) {
			why = functions[i].symbol;
			dlclose(handle);
			handle = NULL;
			break;
		}
		*(void **)((char *)&loaded + functions[i].offset) = function;
	}
	if (handle)
		return &loaded;
	refused("%s: libpcap cannot be used (Debian: apt install libpcap0.8): %s",
		what, why);
	return NULL;
}
