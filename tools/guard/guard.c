// SPDX-License-Identifier: Apache-2.0
/*
 * guard.c: whether to look, what to say, and how often.
 *
 * Each place is reported once. Places are kept in a table of fixed size, without a lock: a report
 * is about a call that may be made anywhere.
 */
#include "guard.h"

#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define PLACES 1024u /* different ones; what is beyond is not reported */

enum { IGNORED = -1 };

struct place {
	_Atomic(const void *) caller; /* NULL: free */
	_Atomic(const char *) call;
	atomic_long count; /* IGNORED: it is ours */
};

static _Atomic(const struct soon__guard_host *) host; /* NULL: no run yet */
static struct place places[PLACES];
static bool has_files, is_fatal;

bool guard_is_on(void)
{
	/* Acquire: pairs with soon_guard_attach. */
	const struct soon__guard_host *h = atomic_load_explicit(&host, memory_order_acquire);

	return h && h->is_guarded();
}

bool guard_has_files(void)
{
	return has_files;
}

void *guard_find(const char *name, const char *version)
{
	void *symbol = version ? dlvsym(RTLD_NEXT, name, version) : NULL;

	if (!symbol)
		symbol = dlsym(RTLD_NEXT, name);
	if (!symbol)
		abort(); /* it was to stand in for nothing */
	return symbol;
}

/* Callers that know what they do: soon itself, and an allocator's short locks. */
static bool is_ours(const void *caller)
{
	static const char *const names[] = { "libsoon.so", "libjemalloc.so", "libc.so",
		"ld-linux" };
	struct dl_find_object found;
	const char *name;

	if (_dl_find_object((void *)((uintptr_t)caller - 1), &found) != 0)
		return false;
	name = found.dlfo_link_map->l_name;
	if (strrchr(name, '/'))
		name = strrchr(name, '/') + 1;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strncmp(name, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

/* The place of a caller, a new one if need be; NULL when there is no room. */
static struct place *place_of(const void *caller)
{
	uintptr_t hash = (uintptr_t)caller * UINT64_C(0x9e3779b97f4a7c15) >> 32;

	for (unsigned i = 0; i < PLACES; i++) {
		struct place *place = &places[(hash + i) % PLACES];
		const void *seen = NULL;

		/* Relaxed: the address is all that matters, and never changes again. */
		if (atomic_compare_exchange_strong_explicit(&place->caller, &seen, caller,
			    memory_order_relaxed, memory_order_relaxed) ||
			seen == caller)
			return place;
	}
	return NULL;
}

void guard_found(const char *call, const char *instead, const void *caller)
{
	const struct soon__guard_host *h = atomic_load_explicit(&host, memory_order_acquire);
	struct place *place = place_of(caller);

	if (!place || atomic_load_explicit(&place->count, memory_order_relaxed) == IGNORED)
		return;
	if (atomic_load_explicit(&place->count, memory_order_relaxed) == 0 && is_ours(caller)) {
		atomic_store_explicit(&place->count, IGNORED, memory_order_relaxed);
		return;
	}
	if (atomic_fetch_add_explicit(&place->count, 1, memory_order_relaxed) > 0)
		return;
	atomic_store_explicit(&place->call, call, memory_order_relaxed);
	h->found(call, instead, caller);
	if (is_fatal)
		abort();
}

static void summarize(void (*fn)(const char *call, const void *caller, unsigned long count))
{
	for (unsigned i = 0; i < PLACES; i++) {
		struct place *place = &places[i];
		long count = atomic_load_explicit(&place->count, memory_order_relaxed);
		const char *call = atomic_load_explicit(&place->call, memory_order_relaxed);

		if (count > 1 && call)
			fn(call, atomic_load_explicit(&place->caller, memory_order_relaxed),
				(unsigned long)count);
	}
}

static bool is_word(const char *word, size_t len, const char *name)
{
	return strlen(name) == len && memcmp(word, name, len) == 0;
}

/* SOON_GUARD: "abort", "files", "off", with commas between. False: it is off. */
static bool configure(const struct soon__guard_host *h, const char *value)
{
	bool is_off = false;

	while (value && *value) {
		size_t len = strcspn(value, ",");

		if (is_word(value, len, "abort"))
			is_fatal = true;
		else if (is_word(value, len, "files"))
			has_files = true;
		else if (is_word(value, len, "off"))
			is_off = true;
		else if (len > 0)
			h->say("SOON_GUARD has a word that is not known; there is: abort, files, "
			       "off");
		value += len + (value[len] == ',');
	}
	return !is_off;
}

GUARD_API soon__guard_attach_fn soon_guard_attach;

const struct soon__guard *soon_guard_attach(const struct soon__guard_host *h)
{
	static const struct soon__guard guard = {
		.version = SOON__GUARD_VERSION,
		.summarize = summarize,
	};

	if (h->version != SOON__GUARD_VERSION)
		return NULL;
	/* Release: pairs with guard_is_on. */
	if (configure(h, getenv("SOON_GUARD")))
		atomic_store_explicit(&host, h, memory_order_release);
	return &guard;
}
