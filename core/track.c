// SPDX-License-Identifier: Apache-2.0
#include "track.h"

#include <soon/assert.h>
#include <soon/debug.h>
#include <soon/mem.h>

#include "capture.h"
#include "core.h"
#include "symbol.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	REPORTS_MAX = 32, /* of one core; the rest is counted */
	TEXT_BYTES = 400,
};

/* All that is tracked in the process, the oldest first. Debugging may take a lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct soon__list all = { &all, &all };

/* From as many forks in a row this process came; what a parent tracked is on no list here. */
static unsigned forks;

bool soon__track_is_on(void)
{
	return soon__core && soon__core_debugs(soon__core, SOON_DEBUG_LEAKS);
}

void soon__track_open(struct soon__track *track, const void *caller)
{
	struct soon__capture calls;

	SOON_ASSERT(!track->link.next);
	if (SOON_LIKELY(!soon__track_is_on()))
		return;
	track->run_id = soon__core->run_id;
	track->count = 0;
	if (!track->site) {
		soon__capture_own(&calls, caller);
		track->count = calls.count < SOON__TRACK_CALLS ? calls.count : SOON__TRACK_CALLS;
		memcpy(track->pcs, calls.pcs, track->count * sizeof track->pcs[0]);
	}
	(void)pthread_mutex_lock(&lock);
	track->forks = forks;
	soon__list_push_tail(&all, &track->link);
	(void)pthread_mutex_unlock(&lock);
}

struct soon_tracked {
	struct soon__track track;
	char text[SOON_TRACKED_BYTES];
};

soon_tracked *soon_track(const char *fmt, ...)
{
	soon_tracked *tracked;
	va_list args;

	if (SOON_LIKELY(!soon__track_is_on()))
		return NULL;
	tracked = soon_zalloc(sizeof *tracked);
	if (!tracked)
		return NULL;
	va_start(args, fmt);
	(void)vsnprintf(tracked->text, sizeof tracked->text, fmt, args);
	va_end(args);
	tracked->track.what = tracked->text;
	soon__track_open(&tracked->track, __builtin_return_address(0));
	return tracked;
}

void soon_untrack(soon_tracked *tracked)
{
	if (SOON_LIKELY(!tracked))
		return;
	soon__track_close(&tracked->track);
	soon_free(tracked);
}

static void forget(struct soon__track *track)
{
	soon__list_remove(&track->link);
	track->link.next = NULL;
}

void soon__track_close(struct soon__track *track)
{
	if (SOON_LIKELY(track->run_id == 0))
		return;
	(void)pthread_mutex_lock(&lock);
	/* A run that has ended meanwhile has let go of it. */
	if (track->link.next && track->forks == forks)
		soon__list_remove(&track->link);
	track->link.next = NULL; /* a parent process has it on a list that is not ours */
	track->run_id = 0;
	(void)pthread_mutex_unlock(&lock);
}

static struct soon__track *next_of(uint64_t run_id)
{
	for (struct soon__list *link = all.next; link != &all; link = link->next) {
		struct soon__track *track = SOON_CONTAINER_OF(link, struct soon__track, link);

		if (track->run_id == run_id)
			return track;
	}
	return NULL;
}

static void put_opening(struct soon__text *text, const struct soon__track *track)
{
	struct soon__capture calls = { .count = track->count };
	struct soon__symbols *symbols;

	if (track->site) {
		soon__text_str(text, " at ");
		soon__text_site(text, track->site);
		return;
	}
	symbols = soon__symbols_borrow();
	if (!symbols)
		return;
	memcpy(calls.pcs, track->pcs, sizeof track->pcs);
	soon__text_str(text, " by ");
	soon__text_capture(text, symbols, &calls);
	soon__symbols_give_back();
}

/* Takes one off the list; whether there is one, and whether it is to be told. */
static bool take(uint64_t run_id, char buf[static TEXT_BYTES], const soon_site **ret_site)
{
	struct soon__track *track;
	struct soon__text text;

	soon__text_init(&text, buf, TEXT_BYTES, SOON__TEXT_NO_FD);
	(void)pthread_mutex_lock(&lock);
	track = next_of(run_id);
	if (track) {
		*ret_site = track->site;
		forget(track);
		soon__text_str(&text, track->what);
		if (track->tell)
			track->tell(track, &text);
		soon__text_str(&text, ", opened");
		put_opening(&text, track);
		if (track->is_left && !track->is_left(track))
			buf[0] = '\0';
	}
	(void)pthread_mutex_unlock(&lock);
	return track != NULL;
}

void soon__track_report(soon_core *core)
{
	const soon_site *site = NULL;
	char text[TEXT_BYTES];
	unsigned count = 0;

	while (take(core->run_id, text, &site)) {
		if (text[0] && count++ < REPORTS_MAX)
			soon_report_at(SOON_REPORT_ERROR, 0, site,
				"left open at the end of the run: %s", text);
	}
	if (count > REPORTS_MAX)
		soon_report_file(SOON_REPORT_ERROR, 0,
			"left open at the end of the run: and %u more", count - REPORTS_MAX);
}

void soon__track_forget(void)
{
	/* A thread that is not here any more may hold it. */
	lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	soon__list_init(&all);
	forks++;
}
