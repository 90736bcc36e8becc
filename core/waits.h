// SPDX-License-Identifier: Apache-2.0
/*
 * waits.h: who waits for whom among a core's tasks, and where that goes in a circle.
 *
 * A parked task waits for one other where its wait names a holder (the owner of a mutex, the
 * target of a join, a generator), and for all children where it closes a group. A circle of such
 * waits ends by nothing but a cancel. Signal-safe on the core's thread, like all that a dump needs.
 */
#ifndef CORE_WAITS_H
#define CORE_WAITS_H

#include "task.h"

#define SOON__CYCLE_BYTES 512 /* of its line; longer ones are cut in the middle of the circle */

/*
 * Calls `fn` with "'a' #4 (mutex lock) -> 'b' #5 (group close) -> 'a' #4" for each circle. Finds
 * none while another search is under way, which tells of them.
 */
void soon__waits_each_cycle(soon_core *core, void (*fn)(const char *line, void *data), void *data);

#endif
