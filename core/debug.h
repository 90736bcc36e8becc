// SPDX-License-Identifier: Apache-2.0
/* debug.h: the switches of <soon/debug.h> from within. */
#ifndef CORE_DEBUG_H
#define CORE_DEBUG_H

#include <soon/debug.h>
#include <soon/thread.h>

#include "core/spi/text.h"

/*
 * Reads "1", or words with commas between, into flags; NULL, "" and "0" are none. A word that is
 * not known is reported with those that are.
 */
unsigned soon__debug_parse(const char *value);

/* What a run that begins debugs, from its options and the environment. */
unsigned soon__debug_of(const soon_opts *opts);

/* Once in a core's life. */
void soon__debug_init(soon_core *core);

/* On the core's thread, around its loop. */
void soon__debug_begin(soon_core *core);
void soon__debug_end(soon_core *core);

/* Sets the flags of a core whose run goes on, from any thread. */
void soon__debug_change(soon_core *core, unsigned flags);

/* Whether any of `flags` is debugged here: by the thread's core, else by the latest run. */
bool soon__debug_is(unsigned flags);

/*
 * Adds who the calling thread is and by which calls it came here, for the report of a call from a
 * wrong thread; `from`: as in soon__capture_own(). Not signal-safe.
 */
void soon__debug_put_caller(struct soon__text *text, const void *from);

#endif
