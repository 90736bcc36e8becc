// SPDX-License-Identifier: Apache-2.0
/*
 * track.h: what has been opened and has to be closed before the run ends.
 *
 * An object that needs a close contains a soon__track, all zero, and calls soon__track_open() when
 * it comes to be and soon__track_close() when it ends. At the end of its core's run, when nothing
 * runs any more, each one that is left is reported, the oldest first, with where it was opened.
 *
 * This is for debugging: without SOON_DEBUG=leaks an open is one look at a flag, a close one at a
 * field, and nothing is reported.
 */
#ifndef CORE_SPI_TRACK_H
#define CORE_SPI_TRACK_H

#include "core/spi/list.h"
#include "core/spi/text.h"

#define SOON__TRACK_CALLS 6

struct soon__track {
	struct soon__list link; /* next is NULL: it is on no list */
	const char *what;       /* lives as long: "generator" */
	const soon_site *site;  /* of the opening, static; NULL: `pcs` say it */

	/* Adds what else the report should say: " fd 7". NULL: nothing. Under the lock below. */
	void (*tell)(const struct soon__track *track, struct soon__text *text);

	/*
	 * Called instead of a report when `is_left` is set and says that it is gone all the same;
	 * in both cases the record is let go of. NULL: it is there.
	 */
	bool (*is_left)(struct soon__track *track);
	uint64_t run_id; /* of the core that it was opened on; 0: it is not tracked */
	unsigned forks;  /* that the process came from when it was opened */
	unsigned count;  /* of the calls that led to the opening, the innermost first */
	uintptr_t pcs[SOON__TRACK_CALLS];
};

/*
 * Begins to track, if leaks are debugged on the calling thread's core; nothing on other threads.
 * `what`, `site`, `tell` and `is_left` have been set; `caller` is the __builtin_return_address(0)
 * of the public function, for objects without a site.
 * Affinity: any, not signal-safe.
 */
SOON_API void soon__track_open(struct soon__track *track, const void *caller);

/* Ends it; nothing happens to what is not tracked. Affinity: any. */
SOON_API void soon__track_close(struct soon__track *track);

/* Whether an opening would be tracked, for objects that would have to allocate a record. */
SOON_API bool soon__track_is_on(void);

#endif
