/* SPDX-License-Identifier: GPL-2.0 */
/* Which places of the module's code the calls of a thread have reached: KCOV. */
#ifndef KRAW_FUZZ_COVER_H
#define KRAW_FUZZ_COVER_H

#include <stdint.h>

/* Of this thread, on kernels that have it; others see nothing reached. */
void cover_begin(void);
void cover_end(void);
/* Notes what was reached since the last time; after each call. */
void cover_note(void);
/* How many places all threads have reached so far. */
unsigned long cover_count(void);

#endif
