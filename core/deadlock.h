// SPDX-License-Identifier: Apache-2.0
/*
 * deadlock.h: the proof that nothing will ever happen on a core again.
 *
 * A core that has nothing to run is woken by a timer, by the end of an operation, by a pool thread
 * or a future, or by a post of somebody who was given its address, or from a task of another core
 * of its run. When none of these exists and
 * tasks live, they wait for each other, and will for ever. So it is said who waits for whom,
 * everything is cancelled, and the run gives -EDEADLK. Who waits behind a shield, and then who
 * cannot be cancelled, gets the next turn; when even that moves nothing, the process ends.
 */
#ifndef CORE_DEADLOCK_H
#define CORE_DEADLOCK_H

#include "core.h"

/* Whether an idle core can never be woken again, but by its inbox: that is to be asked after. */
bool soon__deadlock_is_proven(soon_core *core);

/* Around each sleep: what other cores of the run, that are in doubt, have to know of this one. */
void soon__deadlock_sleeps(soon_core *core);
void soon__deadlock_wakes(soon_core *core);

/* Reports the wait-for graph and takes the next step towards the end of the run. */
void soon__deadlock_break(soon_core *core);

#endif
