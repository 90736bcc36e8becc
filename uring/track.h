// SPDX-License-Identifier: Apache-2.0
/* track.h: descriptors for the leak report of a run, by their numbers; see core/spi/track.h. */
#ifndef URING_TRACK_H
#define URING_TRACK_H

#include <soon/assert.h>

#include "core/spi/track.h"

void soon__fd_track(int fd, const char *what, const void *caller);
void soon__fd_untrack(int fd);

/* What a call that gives a descriptor returns, whatever it is. */
static inline int soon__fd_opened(int rc, const char *what, const void *caller)
{
	if (SOON_UNLIKELY(soon__track_is_on()) && rc >= 0)
		soon__fd_track(rc, what, caller);
	return rc;
}

#endif
