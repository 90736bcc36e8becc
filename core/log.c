// SPDX-License-Identifier: Apache-2.0
/*
 * log.c: from a call to a record in a ring, and which calls make one.
 *
 * Each place that logs has a byte that says whether it is on, which is all that a disabled call
 * looks at. A place is linked to its category the first time it is reached, and whoever changes a
 * level goes through the places. A thread that finds the table busy does not wait: it decides by
 * the levels as they are, and the place stays unknown until the next time.
 */
#include "log.h"

#include <soon/assert.h>

#include "core.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OWN_CATEGORY "soon"

enum {
	CATEGORY_BYTES = 32,
	BY_DEFAULT = 255, /* the level of a category without one of its own */
	FIELDS_MAX = SOON_LOG_FIELDS_MAX + SOON_LOG_CONTEXT_MAX,
};

struct category {
	char name[CATEGORY_BYTES]; /* set before it is counted, then for good */
	_Atomic(uint8_t) level;
	soon__log_site *sites;
};

/* Behind `levels_busy`, but for what others only read: counts, names, levels. */
static struct category categories[SOON_LOG_CATEGORIES_MAX];
static _Atomic(unsigned) categories_count;
static struct category others; /* the places of categories that found no room */
static _Atomic(uint8_t) default_level = SOON_LOG_INFO;
static bool is_environment_read;
static _Atomic(bool) levels_busy;

/* Set before the run. */
static struct {
	const soon_local *key;
	bool is_number;
} context[SOON_LOG_CONTEXT_MAX];
static _Atomic(unsigned) context_count;

static _Thread_local uint32_t thread_number;

uint32_t soon__log_thread(void)
{
	if (thread_number == 0)
		thread_number = (uint32_t)gettid();
	return thread_number;
}

void soon__log_forget(void)
{
	thread_number = 0;
}

/* ---- levels ------------------------------------------------------------------------------ */

static bool try_lock_levels(void)
{
	/* Acquire: pairs with unlock. */
	return !atomic_exchange_explicit(&levels_busy, true, memory_order_acquire);
}

void soon__log_lock_levels(void)
{
	while (!try_lock_levels())
		(void)sched_yield();
}

void soon__log_unlock_levels(void)
{
	atomic_store_explicit(&levels_busy, false, memory_order_release);
}

static struct category *category_find(const char *name, size_t len)
{
	/* Acquire: pairs with category_add(), the names are there. */
	unsigned count = atomic_load_explicit(&categories_count, memory_order_acquire);

	for (unsigned i = 0; i < count; i++) {
		if (strncmp(categories[i].name, name, len) == 0 && !categories[i].name[len])
			return &categories[i];
	}
	return NULL;
}

/* Finds or makes one; NULL where there is no room, or the name is too long. */
static struct category *category_add(const char *name, size_t len)
{
	unsigned count = atomic_load_explicit(&categories_count, memory_order_relaxed);
	struct category *category;

	if (len >= CATEGORY_BYTES)
		return NULL;
	category = category_find(name, len);
	if (category || count == SOON_LOG_CATEGORIES_MAX)
		return category;
	category = &categories[count];
	memcpy(category->name, name, len);
	atomic_store_explicit(&category->level, BY_DEFAULT, memory_order_relaxed);
	/* Release: pairs with category_find(). */
	atomic_store_explicit(&categories_count, count + 1, memory_order_release);
	return category;
}

static unsigned level_of(const struct category *category)
{
	unsigned level = category ? atomic_load_explicit(&category->level, memory_order_relaxed)
				  : BY_DEFAULT;

	return level != BY_DEFAULT ? level
				   : atomic_load_explicit(&default_level, memory_order_relaxed);
}

static void site_set(soon__log_site *site, unsigned level)
{
	/* Relaxed: pairs with soon__log_is_on(), and orders nothing. */
	__atomic_store_n(&site->state,
		site->level <= level ? SOON__LOG_SITE_ON : SOON__LOG_SITE_OFF, __ATOMIC_RELAXED);
}

static void sites_set(const struct category *category)
{
	for (soon__log_site *site = category->sites; site; site = site->next)
		site_set(site, level_of(category == &others ? NULL : category));
}

static int level_set(const char *name, size_t len, soon_level level)
{
	struct category *category;

	if (!name) {
		atomic_store_explicit(&default_level, (uint8_t)level, memory_order_relaxed);
		for (unsigned i = 0; i < categories_count; i++)
			sites_set(&categories[i]);
		sites_set(&others);
		return 0;
	}
	if (len >= CATEGORY_BYTES)
		return -ENAMETOOLONG;
	category = category_add(name, len);
	if (!category)
		return -ENOSPC;
	atomic_store_explicit(&category->level, (uint8_t)level, memory_order_relaxed);
	sites_set(category);
	return 0;
}

/* The level by that name, or -EINVAL. */
static int level_named(const char *name, size_t len)
{
	for (unsigned level = SOON_LOG_OFF; level <= SOON_LOG_TRACE; level++) {
		const char *known = soon__log_level_name(level);

		if (strlen(known) == len && strncmp(known, name, len) == 0)
			return (int)level;
	}
	return -EINVAL;
}

/* One word of a list of levels: "debug", "http=debug". */
static int word_set(const char *word, size_t len)
{
	const char *equals = memchr(word, '=', len);
	size_t name_len = equals ? (size_t)(equals - word) : 0;
	size_t before = equals ? name_len + 1 : 0;
	int level = level_named(word + before, len - before);

	if (len == 0)
		return 0;
	if (level < 0 || (equals && name_len == 0))
		return -EINVAL;
	return level_set(equals ? word : NULL, name_len, (soon_level)level);
}

static int words_set(const char *text)
{
	int rc = 0;

	while (rc == 0) {
		size_t len = strcspn(text, ", ");

		rc = word_set(text, len);
		text += len;
		if (!*text)
			break;
		text++;
	}
	return rc;
}

/* What the environment says goes before the defaults, and behind all that the program says. */
static void read_environment(void)
{
	const char *text = is_environment_read ? NULL : getenv("SOON_LOG");

	is_environment_read = true;
	if (text && words_set(text) < 0)
		soon_report_file(SOON_REPORT_WARNING, -EINVAL,
			"SOON_LOG: '%.64s' is not understood; say for example info,http=debug",
			text);
}

int soon_log_level(const char *category, soon_level level)
{
	int rc;

	SOON_ASSERT(level <= SOON_LOG_TRACE);
	soon__log_lock_levels();
	read_environment();
	rc = level_set(category, category ? strlen(category) : 0, level);
	soon__log_unlock_levels();
	return rc;
}

int soon_log_levels(const char *text)
{
	int rc;

	soon__log_lock_levels();
	read_environment();
	rc = words_set(text);
	soon__log_unlock_levels();
	return rc;
}

bool soon__log_resolve(soon__log_site *site)
{
	size_t len = strlen(site->category);
	struct category *category;

	if (!try_lock_levels())
		return site->level <= level_of(category_find(site->category, len));
	if (__atomic_load_n(&site->state, __ATOMIC_RELAXED) == SOON__LOG_UNKNOWN) {
		read_environment();
		category = category_add(site->category, len);
		site->next = category ? category->sites : others.sites;
		if (category)
			category->sites = site;
		else
			others.sites = site;
		site_set(site, level_of(category));
	}
	soon__log_unlock_levels();
	return __atomic_load_n(&site->state, __ATOMIC_RELAXED) == SOON__LOG_SITE_ON;
}

/* ---- records ----------------------------------------------------------------------------- */

/* Where and when it is; false when there was no room. */
static bool put(struct soon__log_source *source)
{
	struct soon__log_ring *ring = soon__log_ring_self();
	soon_core *core = soon__core;
	const soon_task *task = soon__task_self();
	struct soon__log_sizes sizes;
	void *record;
	size_t bytes;

	source->core = core ? (int)core->index : -1;
	source->thread = core ? 0 : soon__log_thread();
	source->at = core ? soon__core_now(core) : soon__log_now();
	source->is_simulated = core && core->clock.read;
	source->task = task ? task->name : NULL;
	source->task_id = task ? task->id : 0;
	bytes = soon__log_measure(source, &sizes);
	record = soon__log_reserve(ring, bytes);
	if (record) {
		soon__log_encode(record, source, &sizes);
		soon__log_commit(record, bytes);
	}
	soon__log_notify(ring, (soon_level)source->site->level);
	return record != NULL;
}

/* Not inlined: few records need the room for it. */
static __attribute__((noinline)) bool put_with_context(struct soon__log_source *source)
{
	const soon_field *given = source->fields;
	soon_field fields[FIELDS_MAX];
	bool is_kept;
	/* Acquire: pairs with soon_log_context(). */
	unsigned keys = atomic_load_explicit(&context_count, memory_order_acquire);

	if (source->count > 0)
		memcpy(fields, given, source->count * sizeof fields[0]);
	for (unsigned i = 0; i < keys; i++) {
		void *value = soon_local_get(context[i].key);
		const char *name = context[i].key->name;

		if (!value)
			continue;
		fields[source->count++] = context[i].is_number
			? soon__field_uint(name, (uintptr_t)value)
			: soon__field_text(name, value);
	}
	source->fields = fields;
	is_kept = put(source);
	source->fields = given;
	return is_kept;
}

static bool log_it(
	const soon__log_site *site, soon_slice text, const soon_field *fields, unsigned count)
{
	struct soon__log_source source = {
		.site = site,
		.text = text,
		.fields = fields,
		.count = count,
	};

	SOON_ASSERT(count <= SOON_LOG_FIELDS_MAX);
	if (SOON_UNLIKELY(atomic_load_explicit(&context_count, memory_order_relaxed) > 0))
		return put_with_context(&source);
	return put(&source);
}

void soon__log(const soon__log_site *site, const soon_field *fields, unsigned count)
{
	/* What was dropped is counted in the ring. */
	(void)log_it(site, (soon_slice){ NULL, 0 }, fields, count);
}

void soon__logf(const soon__log_site *site, const char *fmt, ...)
{
	char text[SOON_LOG_TEXT_BYTES];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	if (len < 0)
		len = 0;
	if (len >= (int)sizeof text)
		len = (int)sizeof text - 1;
	(void)log_it(site, (soon_slice){ text, (size_t)len }, NULL, 0);
}

int soon_log_context(const soon_local *key, bool is_number)
{
	unsigned count = atomic_load_explicit(&context_count, memory_order_relaxed);

	if (!key->name)
		return -EINVAL;
	if (count == SOON_LOG_CONTEXT_MAX)
		return -ENOSPC;
	context[count].key = key;
	context[count].is_number = is_number;
	/* Release: pairs with put_with_context(). */
	atomic_store_explicit(&context_count, count + 1, memory_order_release);
	return 0;
}

int soon_log_report(const soon_report *report, void *unused)
{
	static soon__log_site sites[] = {
		[SOON_REPORT_INFO] = { { "report", "", NULL, 0 }, OWN_CATEGORY, NULL, SOON_LOG_INFO,
			SOON__LOG_UNKNOWN },
		[SOON_REPORT_WARNING] = { { "report", "", NULL, 0 }, OWN_CATEGORY, NULL,
			SOON_LOG_WARN, SOON__LOG_UNKNOWN },
		[SOON_REPORT_ERROR] = { { "report", "", NULL, 0 }, OWN_CATEGORY, NULL,
			SOON_LOG_ERROR, SOON__LOG_UNKNOWN },
	};
	soon__log_site *site = &sites[report->level];
	soon_field fields[3];
	unsigned count = 0;

	(void)unused;
	if (!soon__log_is_on(site))
		return 0;
	if (report->rc < 0)
		fields[count++] = SOON_F_ERR("rc", report->rc);
	if (report->site) {
		fields[count++] = SOON_F("about", report->site->file);
		fields[count++] = SOON_F("line", report->site->line);
	}
	return log_it(site, (soon_slice){ report->text, strlen(report->text) }, fields, count)
		? 0
		: -ENOBUFS;
}
