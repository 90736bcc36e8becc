// SPDX-License-Identifier: Apache-2.0
/*
 * guard.c: the blocks of <soon/test.h>.
 *
 * A block with a time limit is a group with a second task in it, which sleeps that long. When it
 * wakes, the block is stuck right now, so the dump shows where; then it cancels the group.
 */
#include <soon/assert.h>
#include <soon/dump.h>
#include <soon/scope.h>
#include <soon/test.h>

#include "core/spi/watch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char text[512];

static void expire(soon__within *guard)
{
	int rc;

	guard->is_expired = true;
	(void)fprintf(stderr, "%s:%d: the block has not ended within %.3f s:\n", guard->site->file,
		guard->site->line, (double)guard->timeout / 1e9);
	(void)fflush(stderr);
	rc = soon_dump(STDERR_FILENO, 0);
	(void)rc; /* stderr takes no more: the test fails all the same */
}

static int watch(soon__within *guard)
{
	if (soon_sleep(guard->timeout) < 0)
		return 0; /* the block was in time */
	expire(guard);
	soon_group_cancel(&guard->group, "SOON_ASSERT_WITHIN");
	return 0;
}

soon__within *soon__within_enter(soon__within *guard, soon_ns timeout, const soon_site *site)
{
	static const soon_group_opts opts = { .name = "SOON_ASSERT_WITHIN",
		.policy = SOON_WAIT_ALL };
	soon_ns now = soon_now();
	int rc;

	guard->site = site;
	guard->timeout = timeout;
	guard->end = timeout < SOON_NEVER - now ? now + timeout : SOON_NEVER;
	guard->is_expired = false;
	guard->is_open = true;
	soon__group_open(&guard->group, &opts, site);
	rc = soon_spawn(&guard->group, watch, guard);
	if (rc < 0)
		soon_die("SOON_ASSERT_WITHIN at %s:%d: no task to watch it: %d", site->file,
			site->line, rc);
	return guard;
}

const char *soon__within_leave(soon__within *guard)
{
	ssize_t rc;

	if (!guard->is_open)
		return NULL;
	guard->is_open = false;
	if (!guard->is_expired && soon_now() > guard->end)
		expire(guard); /* it computed, so nobody could see it */
	soon_group_cancel(&guard->group, "SOON_ASSERT_WITHIN ended");
	rc = soon_group_close(&guard->group, 0);
	(void)rc; /* -ECANCELED of an outer scope: the next call of the test will see it */
	if (!guard->is_expired)
		return NULL;
	(void)snprintf(text, sizeof text,
		"%s:%d: the block did not end within %.3f s; the tasks of that moment are above",
		guard->site->file, guard->site->line, (double)guard->timeout / 1e9);
	return text;
}

soon__counted *soon__counted_enter(soon__counted *guard, bool must_suspend, const soon_site *site)
{
	*guard = (soon__counted){
		.site = site,
		.before = soon__watch_switches(),
		.must_suspend = must_suspend,
		.is_open = true,
	};
	return guard;
}

const char *soon__counted_leave(soon__counted *guard)
{
	uint64_t count;

	if (!guard->is_open)
		return NULL;
	guard->is_open = false;
	count = soon__watch_switches() - guard->before;
	if ((count > 0) == guard->must_suspend)
		return NULL;
	(void)snprintf(text, sizeof text,
		guard->must_suspend ? "%s:%d: the block did not give other tasks a turn"
				    : "%s:%d: the block gave other tasks a turn",
		guard->site->file, guard->site->line);
	return text;
}

void soon__test_failed(const char *file, int line, const char *fmt, ...)
{
	va_list args;

	(void)fprintf(stderr, "%s:%d: ", file, line);
	va_start(args, fmt);
	(void)vfprintf(stderr, fmt, args);
	va_end(args);
	(void)fputc('\n', stderr);
	abort();
}
