// SPDX-License-Identifier: Apache-2.0
/*
 * stuck.h: groups whose cancelled tasks keep somebody waiting.
 *
 * A group never returns while a task of it lives, however long it takes; but who waits for a
 * cancelled task for longer than soon_opts.grace is told for whom, and what it is in; while the run
 * ends, with a dump of all that is left on the core. Such groups are on a list of the core, by the
 * time of their next report. They are no timers: waiting for one of them is no reason to believe
 * that something will still happen.
 */
#ifndef CORE_STUCK_H
#define CORE_STUCK_H

#include "core.h"

/* Begins the watch on a cancelled group that somebody waits for; nothing if it has begun. */
void soon__stuck_watch(struct soon__group *group);

/* Ends the watch, if there is one. */
void soon__stuck_forget(struct soon__group *group);

/* Files the reports that are due. */
void soon__stuck_check(soon_core *core);

/*
 * When to report next on what has been waited for so long: twice as long until each, for a log is
 * no place to wait in.
 */
static inline soon_ns soon__stuck_next_after(soon_ns now, soon_ns waited)
{
	return waited > SOON_NEVER - now ? SOON_NEVER : now + waited;
}

/* When the next one is due, SOON_NEVER if none. */
static inline soon_ns soon__stuck_next(const soon_core *core)
{
	const struct soon__list *first = core->stuck.next;

	if (SOON_LIKELY(first == &core->stuck))
		return SOON_NEVER;
	return SOON_CONTAINER_OF_CONST(first, struct soon__group, extras.stuck)->extras.stuck_at;
}

#endif
