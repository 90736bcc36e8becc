// SPDX-License-Identifier: Apache-2.0
/* Single flight: who starts one, who joins, who gets what, and what a cancel may not do. */
#include <soon/herd.h>
#include <soon/mem.h>

#include "sync_test.h"

static soon_herd herd = SOON_HERD_INIT;

struct work {
	unsigned started, ended, cancelled;
	int rc;
	soon_ns duration;
	bool must_not_stop; /* gives its result although it is cancelled */
};

static struct work work = { .duration = SOON_S(1) };

/* The value is the key's first byte and how often work was started. */
static int make(void *arg, const void *key, size_t key_bytes, void *ret_value)
{
	struct work *w = arg;
	int *value = ret_value;
	int mine, rc;

	cr_assert_gt(key_bytes, 0);
	cr_assert_eq(*value, 0);
	mine = (int)++w->started;
	rc = soon_sleep(w->duration);
	w->ended++;
	if (rc < 0) {
		w->cancelled++;
		if (!w->must_not_stop)
			return rc;
	}
	*value = *(const char *)key * 1000 + mine;
	return w->rc < 0 ? soon_fail(w->rc, "work %d failed", mine) : w->rc;
}

static int get(const char *key, int *ret_value)
{
	return soon_herd_do(&herd, key, strlen(key), make, &work, ret_value, sizeof *ret_value);
}

struct caller {
	const char *key;
	int rc, value;
};

static int call(struct caller *caller)
{
	caller->rc = get(caller->key, &caller->value);
	return 0;
}

static void turn(void)
{
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_yield(), 0);
}

FAKE_TEST(herd, all_get_the_result_of_one)
{
	struct caller callers[3] = { { .key = "a" }, { .key = "a" }, { .key = "a" } };
	int value = 0;
	SOON_GROUP(g);

	work.rc = 5;
	for (size_t i = 0; i < 3; i++)
		cr_assert_eq(soon_spawn(&g, call, &callers[i]), 0);
	turn();
	cr_assert_eq(soon_herd_count(&herd), 1);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(work.started, 1);
	for (size_t i = 0; i < 3; i++) {
		cr_assert_eq(callers[i].rc, 5);
		cr_assert_eq(callers[i].value, 'a' * 1000 + 1);
	}
	cr_assert_eq(soon_herd_count(&herd), 0);
	cr_assert_eq(get("a", &value), 5); /* it is no cache */
	cr_assert_eq(value, 'a' * 1000 + 2);
	cr_assert_eq(soon_herd_do(&herd, "a", 1, make, &work, NULL, sizeof(int)), 5);
}

FAKE_TEST(herd, keys_fly_apart)
{
	struct caller callers[4] = { { .key = "a" }, { .key = "b" }, { .key = "ab" },
		{ .key = "ab" } };
	SOON_GROUP(g);

	for (size_t i = 0; i < 4; i++)
		cr_assert_eq(soon_spawn(&g, call, &callers[i]), 0);
	turn();
	cr_assert_eq(soon_herd_count(&herd), 3);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(work.started, 3);
	cr_assert_eq(callers[2].value, callers[3].value);
	cr_assert_neq(callers[0].value, callers[2].value);
}

static int call_and_fail(struct caller *caller)
{
	return get(caller->key, &caller->value);
}

FAKE_TEST(herd, failure_reaches_everyone_with_its_message)
{
	struct caller callers[3] = { { .key = "a" }, { .key = "a" }, { .key = "a" } };
	soon_failure failures[3];
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	work.rc = -ENOENT;
	for (size_t i = 0; i < 3; i++)
		cr_assert_eq(soon_spawn(&g, call_and_fail, &callers[i]), 0);
	cr_assert_eq(soon_group_close(&g, 0), -ENOENT);
	cr_assert_eq(soon_group_failures(&g, failures, 3), 3);
	for (size_t i = 0; i < 3; i++) {
		cr_assert_eq(callers[i].value, 0);
		cr_assert_str_eq(failures[i].message, "work 1 failed");
	}
}

FAKE_TEST(herd, one_that_is_cancelled_leaves_the_others)
{
	struct caller first = { .key = "a" }, second = { .key = "a" };
	SOON_GROUP(outer);

	{
		SOON_GROUP(inner);
		cr_assert_eq(soon_spawn(&inner, call, &first), 0);
		turn();
		cr_assert_eq(soon_spawn(&outer, call, &second), 0);
		turn();
		soon_group_cancel(&inner, "the one who started it");
		cr_assert_eq(soon_group_close(&inner, 0), 0);
		cr_assert_eq(first.rc, -ECANCELED);
	}
	cr_assert_eq(work.ended, 0); /* nobody waited for it */
	/* The flight goes on, so who comes now joins it. */
	cr_assert_eq(get("a", &first.value), 0);
	cr_assert_eq(soon_group_close(&outer, 0), 0);
	cr_assert_eq(work.started, 1);
	cr_assert_eq(work.cancelled, 0);
	cr_assert_eq(second.rc, 0);
	cr_assert_eq(second.value, first.value);
}

FAKE_TEST(herd, last_one_cancels_the_flight_and_waits_for_it)
{
	int value = 0;

	cr_assert_eq(soon_within(SOON_MS(10), get("a", &value)), -ETIMEDOUT);
	cr_assert_eq(work.started, 1);
	cr_assert_eq(work.cancelled, 1);
	cr_assert_eq(work.ended, 1);
	cr_assert_eq(soon_herd_count(&herd), 0);
	cr_assert_eq(value, 0);
}

FAKE_TEST(herd, all_cancelled_at_once)
{
	struct caller callers[3] = { { .key = "a" }, { .key = "a" }, { .key = "a" } };
	SOON_GROUP(g);

	for (size_t i = 0; i < 3; i++)
		cr_assert_eq(soon_spawn(&g, call, &callers[i]), 0);
	turn();
	soon_group_cancel(&g, "test");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	for (size_t i = 0; i < 3; i++)
		cr_assert_eq(callers[i].rc, -ECANCELED);
	cr_assert_eq(work.cancelled, 1);
	cr_assert_eq(work.ended, 1);
}

FAKE_TEST(herd, cancelled_before_the_flight_began)
{
	struct caller caller = { .key = "a" };
	SOON_GROUP(g);

	cr_assert_eq(IN_CANCELLED(get("a", &caller.value)), -ECANCELED);
	cr_assert_eq(work.started, 0);
	cr_assert_eq(soon_spawn(&g, call, &caller), 0);
	cr_assert_eq(soon_yield(), 0); /* its flight is ready, and has not run */
	cr_assert_eq(soon_herd_count(&herd), 1);
	soon_group_cancel(&g, "test");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(caller.rc, -ECANCELED);
	cr_assert_eq(work.started, work.cancelled);
	cr_assert_eq(soon_herd_count(&herd), 0);
}

FAKE_TEST(herd, result_in_spite_of_a_cancel_counts)
{
	int value = 0;

	work.must_not_stop = true;
	work.rc = 3;
	cr_assert_eq(soon_within(SOON_MS(10), get("a", &value)), 3);
	cr_assert_eq(value, 'a' * 1000 + 1);
}

static int make_slowly_cancelled(void *arg, const void *key, size_t key_bytes, void *ret_value)
{
	int rc = make(arg, key, key_bytes, ret_value);

	if (rc == -ECANCELED)
		cr_assert_eq(soon_shielded(SOON_NEVER, soon_sleep(SOON_S(5))), 0);
	return rc;
}

static int cut_short(int *ret_value)
{
	cr_assert_eq(soon_within(SOON_MS(10),
			     soon_herd_do(&herd, "a", 1, make_slowly_cancelled, &work, ret_value,
				     sizeof *ret_value)),
		-ETIMEDOUT);
	return 0;
}

FAKE_TEST(herd, who_comes_while_a_cancelled_flight_ends_starts_the_next)
{
	int given_up = 0, value = 0;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, cut_short, &given_up), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	cr_assert_eq(work.cancelled, 1);
	cr_assert_eq(soon_herd_count(&herd), 1); /* still ending: never two at a time */
	cr_assert_eq(soon_within(SOON_S(1), get("a", &value)), -ETIMEDOUT);
	cr_assert_eq(work.started, 1);
	cr_assert_eq(get("a", &value), 0);
	cr_assert_eq(work.started, 2);
	cr_assert_eq(value, 'a' * 1000 + 2);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

/* What goes wrong. */

static int give_cancelled(void *arg, const void *key, size_t key_bytes, void *ret_value)
{
	(void)arg, (void)key, (void)key_bytes, (void)ret_value;
	return -ECANCELED;
}

static int ask_again(void *arg, const void *key, size_t key_bytes, void *ret_value)
{
	(void)arg;
	return soon_herd_do(&herd, key, key_bytes, make, &work, ret_value, sizeof(int));
}

static int get_over_there(void *key)
{
	int value;

	return get(key, &value);
}

FAKE_TEST(herd, misuse_is_reported)
{
	struct caller caller = { .key = "a" };
	int value = 0;
	char text[2];
	SOON_GROUP(g);

	ASSERT_REPORTED(soon_herd_do(&herd, "x", 1, give_cancelled, NULL, &value, sizeof value),
		-EIO, "'give_cancelled'", "-ECANCELED");
	ASSERT_REPORTED(soon_herd_do(&herd, "x", 1, ask_again, NULL, &value, sizeof value),
		-EDEADLK, "'ask_again'", "itself");
	cr_assert_eq(soon_spawn(&g, call, &caller), 0);
	turn();
	ASSERT_REPORTED(soon_herd_do(&herd, "a", 1, make, &work, text, sizeof text), -EINVAL,
		"misuse_is_reported", "another size");
	ASSERT_REPORTED(
		on_other_core(get_over_there, (void *)"a"), -EPERM, "soon_herd_do", "another core");
	cr_assert_eq(soon_herd_do(&herd, "a", SOON_HERD_KEY_BYTES_MAX + 1, make, &work, NULL, 0),
		-E2BIG);
	cr_assert_eq(soon_herd_do(&herd, "a", 1, make, &work, NULL, SOON_HERD_VALUE_BYTES_MAX + 1),
		-E2BIG);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

FAKE_TEST(herd, without_memory)
{
	int value = 0;

	soon_mem_fail_at(1);
	cr_assert_eq(get("a", &value), -ENOMEM);
	cr_assert_eq(soon_herd_count(&herd), 0);
	cr_assert_eq(get("a", &value), 0);
}

enum { MANY = 200 };

static int get_number(unsigned number)
{
	int value = 0;

	return soon_herd_do(&herd, &number, sizeof number, make, &work, &value, sizeof value);
}

static void get_many(uint64_t failing)
{
	SOON_GROUP(g);

	for (unsigned i = 1; i <= MANY; i++)
		for (int twice = 0; twice < 2; twice++)
			cr_assert_eq(soon_spawn(&g, get_number, i), 0);
	soon_mem_fail_at(failing);
	turn();
	cr_assert_eq(soon_herd_count(&herd), MANY);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	soon_mem_fail_at(0);
	cr_assert_eq(soon_herd_count(&herd), 0);
}

FAKE_TEST(herd, table_grows_and_goes)
{
	get_many(0);
	cr_assert_eq(work.started, MANY);
	get_many(17 + 1); /* the table's first growth fails; later ones do not */
	cr_assert_eq(work.started, 2 * MANY);
}

static int get_in_background(struct caller *caller)
{
	caller->rc = (int)soon_shielded(SOON_NEVER, get(caller->key, &caller->value));
	return 0;
}

static int leave_one_behind(struct caller *caller)
{
	cr_assert_eq(soon_background(get_in_background, caller), 0);
	return soon_yield();
}

SOON_TEST_PLAIN(herd, end_of_the_run_ends_flights)
{
	struct caller caller = { .key = "a" };

	for (unsigned i = 1; i <= 2; i++) {
		cr_assert_eq(FAKE_RUN(NULL, leave_one_behind, &caller), 0);
		cr_assert_eq(caller.rc, -ESHUTDOWN);
		cr_assert_eq(work.cancelled, i);
	}
	ASSERT_REPORTED(get_over_there((void *)"a"), -EPERM, "soon_herd_do", "no core");
}

/* Under a thousand orders. */

enum { KEYS = 3, TASKS = 8, CALLS_EACH = 6 };

struct world {
	uint64_t random;
	soon_herd herd;
	bool is_flying[KEYS];
	unsigned flights, got, cancelled, failed;
};

static soon_ns random_time(struct world *w)
{
	return (soon_ns)random_below(&w->random, 5) * SOON_MS(1);
}

static int fly(void *arg, const void *key, size_t key_bytes, void *ret_value)
{
	struct world *w = arg;
	int index;
	int rc;

	memcpy(&index, key, key_bytes);
	cr_assert_not(w->is_flying[index], "two flights for one key");
	w->is_flying[index] = true;
	w->flights++;
	rc = soon_sleep(random_time(w));
	if (rc < 0 && random_below(&w->random, 2))
		cr_assert_eq(soon_shielded(SOON_S(1), soon_sleep(random_time(w))), 0);
	w->is_flying[index] = false;
	if (rc == 0 && random_below(&w->random, 4) == 0)
		return soon_fail(-EPIPE, "flight %u", w->flights);
	*(int *)ret_value = index + 100;
	return rc;
}

static int call_often(struct world *w)
{
	for (unsigned i = 0; i < CALLS_EACH; i++) {
		int index = (int)random_below(&w->random, KEYS);
		int value = 0;
		ssize_t rc = soon_within(random_time(w),
			soon_herd_do(&w->herd, &index, sizeof index, fly, w, &value, sizeof value));

		cr_assert(rc == 0 || rc == -ETIMEDOUT || rc == -EPIPE, "%zd", rc);
		cr_assert_eq(value, rc == 0 ? index + 100 : 0);
		w->got += rc == 0;
		w->cancelled += rc == -ETIMEDOUT;
		w->failed += rc == -EPIPE;
		cr_assert_eq(soon_sleep(random_time(w)), 0);
	}
	return 0;
}

static int call_all(struct world *w)
{
	SOON_GROUP(g);

	for (unsigned i = 0; i < TASKS; i++)
		cr_assert_eq(soon_spawn(&g, call_often, w), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_herd_count(&w->herd), 0);
	for (size_t i = 0; i < KEYS; i++)
		cr_assert_not(w->is_flying[i]);
	return 0;
}

SOON_TEST_PLAIN(herd, never_two_flights_under_a_thousand_orders)
{
	struct world w = { 0 };

	FOR_SEEDS(&w, call_all);
	cr_assert_gt(w.got, SEEDS);
	cr_assert_gt(w.cancelled, SEEDS);
	cr_assert_gt(w.failed, SEEDS);
	cr_assert_lt(w.flights, w.got + w.failed + w.cancelled);
}
