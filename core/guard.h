// SPDX-License-Identifier: Apache-2.0
/* guard.h: soon's side of core/spi/guard.h. */
#ifndef CORE_GUARD_H
#define CORE_GUARD_H

/* Looks for the guard, once in a process. */
void soon__guard_begin(void);

/* At the end of a run: tells how often each reported place has called. */
void soon__guard_end(void);

#endif
