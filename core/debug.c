// SPDX-License-Identifier: Apache-2.0
#include "debug.h"

#include <soon/assert.h>

#include "capture.h"
#include "core.h"
#include "symbol.h"
#include "watchdog.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	OWN_CALLS_MAX = 6, /* from a report up to the public function that it is about */
	THREAD_NAME_BYTES = 16,
};

/* As the last run that began, or soon_set_debug(), said: for threads that run no core. */
static _Atomic(unsigned) latest;

static const struct {
	const char *word;
	unsigned flags;
} words[] = {
	{ "1", SOON_DEBUG_ON },
	{ "stacks", SOON_DEBUG_STACKS },
	{ "threads", SOON_DEBUG_THREADS },
	{ "slow", SOON_DEBUG_SLOW },
	{ "leaks", SOON_DEBUG_LEAKS },
	{ "abort", SOON_DEBUG_ABORT },
};

static unsigned flags_of(const char *word, size_t len)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strlen(words[i].word) == len && memcmp(word, words[i].word, len) == 0)
			return words[i].flags;
	return 0;
}

unsigned soon__debug_parse(const char *value)
{
	unsigned flags = 0;

	if (!value || strcmp(value, "0") == 0)
		return 0;
	while (*value) {
		size_t len = strcspn(value, ",");
		unsigned found = flags_of(value, len);

		if (len > 0 && !found)
			soon_report_file(SOON_REPORT_WARNING, 0,
				"SOON_DEBUG: '%.*s' is not known; there is: 1, stacks, threads, "
				"slow, leaks, abort",
				(int)len, value);
		flags |= found;
		value += len + (value[len] == ',');
	}
	return flags;
}

/* What a run asks for goes before what the environment does. */
unsigned soon__debug_of(const soon_opts *opts)
{
	unsigned flags = opts->debug > 0 ? SOON_DEBUG_ON : 0;

	if (opts->debug == 0)
		flags = soon__debug_parse(getenv("SOON_DEBUG"));
	atomic_store_explicit(&latest, flags, memory_order_relaxed);
	return flags;
}

/* On the core: what needs more than a flag follows. */
static void follow(soon_callback *self)
{
	soon_core *core = SOON_CONTAINER_OF(self, soon_core, debug_changed);

	soon__watch_follow(core);
}

void soon__debug_init(soon_core *core)
{
	core->debug_changed.fn = follow;
}

void soon__debug_begin(soon_core *core)
{
	soon__watch_init(core);
	soon__watch_follow(core);
}

void soon__debug_end(soon_core *core)
{
	soon__watch_fini(core);
}

void soon__debug_change(soon_core *core, unsigned flags)
{
	/* Relaxed: each flag stands for itself, and the post orders what follows it. */
	atomic_store_explicit(&core->debug, flags, memory_order_relaxed);
	if (soon_post(core, &core->debug_changed) < 0)
		return; /* its run is ending: too late for anything */
}

static void change(soon_core *core, void *data)
{
	soon__debug_change(core, *(const unsigned *)data);
}

int soon_set_debug(unsigned flags)
{
	if (flags & ~(unsigned)(SOON_DEBUG_ON | SOON_DEBUG_ABORT))
		return -EINVAL;
	atomic_store_explicit(&latest, flags, memory_order_relaxed);
	soon__cores_each(change, &flags);
	return 0;
}

unsigned soon_debug(void)
{
	return soon__core ? atomic_load_explicit(&soon__core->debug, memory_order_relaxed) : 0;
}

bool soon__debug_is(unsigned flags)
{
	unsigned own =
		soon__core ? soon_debug() : atomic_load_explicit(&latest, memory_order_relaxed);

	return (own & flags) != 0;
}

/* Where our own calls end: the caller is told by the first of ours that is his. */
static unsigned first_public(struct soon__symbols *symbols, const struct soon__capture *capture)
{
	unsigned first = 0;

	for (unsigned i = 0; i < OWN_CALLS_MAX && i < capture->count; i++) {
		const char *name = soon__symbol_find(symbols, capture->pcs[i], true)->name;

		if (strncmp(name, "soon_", 5) == 0)
			first = i;
	}
	return first;
}

void soon__debug_put_caller(struct soon__text *text, const void *from)
{
	struct soon__capture capture;
	struct soon__symbols *symbols = soon__symbols_borrow();
	char name[THREAD_NAME_BYTES] = "?";
	unsigned first;

	(void)pthread_getname_np(pthread_self(), name, sizeof name);
	soon__text_str(text, " [on thread ");
	soon__text_int(text, gettid());
	soon__text_str(text, " '");
	soon__text_str(text, name);
	soon__text_str(text, "'");
	if (symbols) {
		soon__capture_own(&capture, from);
		first = first_public(symbols, &capture);
		capture.count -= first;
		memmove(capture.pcs, capture.pcs + first, capture.count * sizeof capture.pcs[0]);
		soon__text_str(text, ", in ");
		soon__text_capture(text, symbols, &capture);
		soon__symbols_give_back();
	}
	soon__text_str(text, "]");
}

int soon_slow_stats_get(soon_slow_stats *ret_stats)
{
	if (!soon__core) {
		soon_report_file(SOON_REPORT_ERROR, -EPERM,
			"soon_slow_stats_get: must be called on a core's thread; this one runs "
			"none");
		return -EPERM;
	}
	soon__watch_stats(soon__core, ret_stats);
	return 0;
}
