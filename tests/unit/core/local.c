// SPDX-License-Identifier: Apache-2.0
/* Task-locals: what is copied when, what never flows back, and that each value ends once. */
#include <soon/gen.h>
#include <soon/local.h>
#include <soon/mem.h>

#include "fake_test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* Values that count themselves; on offload threads, too. */
static atomic_int live, dups, drops;

struct value {
	int number;
};

static void *value_make(int number)
{
	struct value *value = soon_malloc(sizeof *value);

	if (!value)
		return NULL;
	value->number = number;
	live++;
	return value;
}

static void *value_dup(const void *value)
{
	dups++;
	return value_make(((const struct value *)value)->number);
}

static void value_drop(void *value)
{
	drops++;
	live--;
	soon_free(value);
}

static const soon_local plain = { .name = "plain" };
static const soon_local shared = { .name = "shared", .drop = value_drop };
static const soon_local copied = { .name = "copied", .dup = value_dup, .drop = value_drop };

static int number_of(const soon_local *key)
{
	const struct value *value = soon_local_get(key);

	return value ? value->number : 0;
}

static void set(const soon_local *key, int number)
{
	cr_assert_eq(soon_local_set(key, value_make(number)), 0);
}

static char a_text[] = "a", b_text[] = "b";

FAKE_TEST(local, holds_what_was_set)
{
	cr_assert_null(soon_local_get(&plain));
	cr_assert_eq(soon_local_set(&plain, a_text), 0);
	cr_assert_eq(soon_local_get(&plain), a_text);
	cr_assert_eq(soon_local_set(&plain, b_text), 0);
	cr_assert_eq(soon_local_get(&plain), b_text);
	cr_assert_null(soon_local_get(&shared));
	cr_assert_eq(soon_local_set(&plain, NULL), 0);
	cr_assert_null(soon_local_get(&plain));
	cr_assert_eq(soon_local_set(&plain, NULL), 0, "taking away nothing");
}

FAKE_TEST(local, old_value_is_dropped_when_replaced_or_taken_away)
{
	set(&shared, 1);
	set(&copied, 2);
	cr_assert_eq(live, 2);
	set(&shared, 3);
	set(&copied, 4);
	cr_assert_eq(drops, 2);
	cr_assert_eq(number_of(&shared), 3);
	cr_assert_eq(number_of(&copied), 4);
	cr_assert_eq(soon_local_set(&shared, NULL), 0);
	cr_assert_eq(live, 1);
	cr_assert_eq(number_of(&copied), 4, "the others stay");
	cr_assert_eq(soon_local_set(&copied, NULL), 0);
	cr_assert_eq(live, 0);
	cr_assert_eq(dups, 0);
}

static int set_three(void *unused)
{
	(void)unused;
	set(&shared, 1);
	set(&copied, 2);
	return soon_local_set(&plain, a_text);
}

SOON_TEST_PLAIN(local, values_of_the_main_task_end_with_it)
{
	for (int i = 1; i <= 3; i++) {
		cr_assert_eq(FAKE_RUN(NULL, set_three, NULL), 0);
		cr_assert_eq(live, 0);
		cr_assert_eq(drops, 2 * i);
	}
}

/* Inheriting. */

static int look_and_change(int expected)
{
	cr_assert_eq(number_of(&shared), expected);
	cr_assert_eq(number_of(&copied), expected);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(number_of(&shared), expected, "what the spawner set meanwhile is not seen");
	cr_assert_eq(number_of(&copied), expected);
	set(&shared, 100);
	set(&copied, 100);
	cr_assert_eq(soon_local_set(&plain, NULL), 0);
	cr_assert_eq(number_of(&shared), 100);
	cr_assert_null(soon_local_get(&plain));
	return 0;
}

FAKE_TEST(local, child_has_what_the_spawner_had_at_the_spawn)
{
	SOON_GROUP(g);

	set(&shared, 1);
	set(&copied, 1);
	cr_assert_eq(soon_local_set(&plain, a_text), 0);
	cr_assert_eq(soon_spawn(&g, look_and_change, 1), 0);
	set(&shared, 2);
	set(&copied, 2);
	cr_assert_eq(soon_spawn(&g, look_and_change, 2), 0);
	set(&shared, 3);
	set(&copied, 3);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(number_of(&shared), 3, "nothing flows back");
	cr_assert_eq(number_of(&copied), 3);
	cr_assert_eq(soon_local_get(&plain), a_text);
	cr_assert_eq(live, 2);
}

static int look(int expected)
{
	cr_assert_eq(number_of(&shared), expected);
	return 0;
}

static int look_deep(int depth)
{
	SOON_GROUP(g);
	int rc = depth > 0 ? soon_spawn(&g, look_deep, depth - 1) : 0;

	cr_assert_eq(number_of(&shared), 7);
	cr_assert_eq(number_of(&copied), 7);
	return (int)soon_group_close(&g, rc);
}

FAKE_TEST(local, grandchildren_inherit)
{
	SOON_GROUP(g);

	set(&shared, 7);
	set(&copied, 7);
	cr_assert_eq(soon_spawn(&g, look_deep, 5), 0);
	cr_assert_eq(soon_local_set(&shared, NULL), 0);
	cr_assert_eq(soon_local_set(&copied, NULL), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(live, 0);
	cr_assert_eq(dups, 6, "one for each task");
}

static int spawn_look(soon_group *group)
{
	set(&shared, 8);
	return soon_spawn(group, look, 8);
}

FAKE_TEST(local, spawner_counts_not_the_groups_owner)
{
	SOON_GROUP(g);

	set(&shared, 1);
	cr_assert_eq(soon_spawn(&g, spawn_look, &g), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

static int background_ran;

static int look_for_nothing(void *unused)
{
	(void)unused;
	cr_assert_null(soon_local_get(&shared));
	cr_assert_null(soon_local_get(&copied));
	background_ran = 1;
	return 0;
}

FAKE_TEST(local, background_starts_empty)
{
	set(&shared, 1);
	set(&copied, 1);
	cr_assert_eq(soon_background(look_for_nothing, NULL), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(background_ran, 1);
	cr_assert_eq(dups, 0);
}

SOON_GEN(numbers, int, void *unused)
{
	int n, rc;

	(void)unused;
	do {
		n = number_of(&shared);
		set(&shared, n + 1);
		rc = soon_emit(&n);
	} while (rc == 0);
	return rc;
}

FAKE_TEST(local, generator_has_its_openers)
{
	int n;

	set(&shared, 1);
	{
		SOON_ITER(it, numbers, NULL);
		SOON_ITER(never_advanced, numbers, NULL);

		set(&shared, 50);
		cr_assert_eq(soon_next(it, &n), 1);
		cr_assert_eq(n, 1);
		cr_assert_eq(soon_next(it, &n), 1);
		cr_assert_eq(n, 2);
		cr_assert_eq(number_of(&shared), 50);
		cr_assert_eq(live, 3, "ours, the first's, and the one the second got");
	}
	cr_assert_eq(live, 1);
}

/* Offload threads. */

static int on_thread(int expected)
{
	cr_assert_eq(number_of(&shared), expected);
	cr_assert_eq(number_of(&copied), expected);
	set(&shared, 100);
	cr_assert_eq(number_of(&shared), 100);
	cr_assert_eq(number_of(&copied), expected);
	cr_assert_eq(soon_local_set(&copied, NULL), 0);
	cr_assert_eq(number_of(&copied), 0);
	return 0;
}

static int on_thread_empty(void *unused)
{
	(void)unused;
	cr_assert_null(soon_local_get(&shared));
	set(&shared, 9);
	cr_assert_eq(number_of(&shared), 9);
	return 0;
}

FAKE_TEST(local, offload_thread_reads_and_its_writes_stay_there)
{
	fake_hold();
	cr_assert_eq(soon_offload(on_thread_empty, NULL), 0);
	cr_assert_eq(live, 0);
	set(&shared, 5);
	set(&copied, 5);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(soon_offload(on_thread, 5), 0);
	cr_assert_eq(number_of(&shared), 5);
	cr_assert_eq(number_of(&copied), 5);
	cr_assert_eq(live, 2);
	fake_release();
}

static int offload_it(int number)
{
	set(&copied, number);
	set(&shared, number);
	return soon_offload(on_thread, number);
}

FAKE_TEST(local, many_threads_share_a_value)
{
	SOON_GROUP(g);

	fake_hold();
	set(&shared, 1);
	for (int i = 1; i <= 40; i++)
		cr_assert_eq(soon_spawn(&g, offload_it, i), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	fake_release();
	cr_assert_eq(live, 1);
	cr_assert_eq(number_of(&shared), 1);
}

/* Limits, places, memory. */

FAKE_TEST(local, no_more_than_the_limit)
{
	static const soon_local keys[SOON_LOCALS_MAX + 1];
	struct value *one_more;

	for (int i = 0; i < SOON_LOCALS_MAX; i++)
		cr_assert_eq(soon_local_set(&keys[i], a_text), 0);
	cr_assert_eq(soon_local_set(&keys[SOON_LOCALS_MAX], a_text), -E2BIG);
	one_more = value_make(1);
	cr_assert_eq(soon_local_set(&shared, one_more), -E2BIG);
	cr_assert_eq(live, 1, "still the caller's");
	value_drop(one_more);
	for (int i = 0; i < SOON_LOCALS_MAX; i += 2)
		cr_assert_eq(soon_local_set(&keys[i], NULL), 0);
	for (int i = 0; i < SOON_LOCALS_MAX; i++)
		cr_assert_eq(soon_local_get(&keys[i]), i % 2 ? a_text : NULL);
	cr_assert_eq(soon_local_set(&keys[SOON_LOCALS_MAX], a_text), 0);
}

static char refused_text[SOON_REPORT_TEXT_BYTES];

static int keep(const soon_report *report, void *unused)
{
	(void)unused;
	(void)snprintf(refused_text, sizeof refused_text, "%s", report->text);
	return 0;
}

static void post_set(soon_callback *callback)
{
	(void)callback;
	cr_assert_null(soon_local_get(&plain));
	cr_assert_eq(soon_local_set(&plain, a_text), -EPERM);
}

FAKE_TEST(local, callbacks_have_none)
{
	soon_callback callback = { .fn = post_set };

	soon_on_report(keep, NULL);
	cr_assert_eq(soon_local_set(&plain, b_text), 0);
	cr_assert_eq(soon_post(soon_core_self(), &callback), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_sleep(1), 0);
	cr_assert_not_null(strstr(refused_text, "soon_local_set('plain')"));
	cr_assert_eq(soon_local_get(&plain), b_text);
	soon_test_reports_expected = 1;
}

SOON_TEST_PLAIN(local, other_threads_have_none)
{
	soon_on_report(keep, NULL);
	cr_assert_null(soon_local_get(&plain));
	cr_assert_eq(soon_local_set(&plain, a_text), -EPERM);
	soon_test_reports_expected = 1;
}

static void drop_and_set(void *value)
{
	set(&shared, 3);
	cr_assert_eq(number_of(&shared), 3);
	value_drop(value);
}

static int set_one_that_sets(void *unused)
{
	static const soon_local key = { .drop = drop_and_set };

	(void)unused;
	return soon_local_set(&key, value_make(1));
}

SOON_TEST_PLAIN(local, drop_may_set_another)
{
	cr_assert_eq(FAKE_RUN(NULL, set_one_that_sets, NULL), 0);
	cr_assert_eq(live, 0);
	cr_assert_eq(drops, 2);
}

static int set_or_fail(const soon_local *key, int number)
{
	struct value *value = value_make(number);
	int before = number_of(key);
	int rc = value ? soon_local_set(key, value) : -ENOMEM;

	if (rc < 0) {
		cr_assert_eq(rc, -ENOMEM);
		cr_assert_eq(number_of(key), before);
		if (value)
			value_drop(value);
	}
	return rc;
}

static unsigned ran;

static int change(int number)
{
	int rc = set_or_fail(&shared, number);

	ran++;
	return rc < 0 ? rc : set_or_fail(&copied, number);
}

static int change_on_thread(int number)
{
	return set_or_fail(&shared, number);
}

/* Comes by every allocation of locals, and may fail at each. */
static int everything(void *unused)
{
	unsigned spawned = 0;
	int rc, before = live;
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);
	SOON_ITER(it, numbers, NULL);

	(void)unused;
	ran = 0;
	rc = set_or_fail(&shared, 1);
	if (rc == 0)
		rc = set_or_fail(&copied, 1);
	for (int i = 0; i < 3 && rc == 0; i++) {
		before = live;
		rc = soon_spawn(&g, change, i);
		if (rc < 0)
			cr_assert_eq(live, before, "a spawn that failed left something");
		else
			spawned++;
	}
	if (rc == 0)
		rc = soon_offload(change_on_thread, 5);
	rc = (int)soon_group_close(&g, rc);
	cr_assert_eq(ran, spawned);
	return rc;
}

SOON_TEST_PLAIN(local, every_allocation_may_fail)
{
	const soon_opts run = { .grace = SOON_S(1) };
	uint64_t k = 0, asked;
	int rc;

	do {
		k++;
		cr_assert_lt(k, 100);
		soon_mem_fail_at(k);
		asked = soon_mem_count();
		rc = FAKE_RUN(&(struct fake_opts){ .run = &run }, everything, NULL);
		asked = soon_mem_count() - asked;
		cr_assert(rc == 0 || rc == -ENOMEM || rc == -EAGAIN, "k %ju gave %d", (uintmax_t)k,
			rc);
		cr_assert_eq(live, 0, "k %ju left %d", (uintmax_t)k, live);
	} while (asked >= k);
	soon_mem_fail_at(0);
	cr_assert_gt(k, 15);
	cr_assert_eq(rc, 0);
}
