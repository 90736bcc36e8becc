// SPDX-License-Identifier: Apache-2.0
/*
 * dump.h: soon_dump() from within: the memory it needs, and where the interrupted code stood.
 */
#ifndef CORE_DUMP_H
#define CORE_DUMP_H

#include <soon/dump.h>
#include <soon/thread.h>

#include "unwind.h"

struct soon__dumper;
struct soon__symbols;

/* Of a core's memory for dumps, zeroed once: there is none to be had in a signal handler. */
size_t soon__dumper_bytes(void);

/*
 * The names of functions; to be returned before the thread does anything else. NULL in a handler
 * that interrupted who has borrowed them; a dump lends to what it calls itself.
 */
struct soon__symbols *soon__dumper_lend(soon_core *core);
void soon__dumper_return(soon_core *core);

/* soon_dump() of `core`, by its thread; `place` is where that stands. */
int soon__dump(soon_core *core, int fd, unsigned flags, const struct soon__place *place);

/*
 * Files one of the calling thread's core as reports of level INFO, one a line: for trouble that the
 * dump explains, which is told where that is. Not signal-safe.
 */
void soon__dump_report(soon_core *core);

#endif
