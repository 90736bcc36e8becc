// SPDX-License-Identifier: Apache-2.0
/* Handshakes: who goes on when, and what a cancel leaves behind. */
#include <soon/handshake.h>

#include "sync_test.h"

static soon_handshake handshake = SOON_HANDSHAKE_INIT;
static struct trace trace;

static void turn(void)
{
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_yield(), 0);
}

static int await_times(int count)
{
	for (int i = 0; i < count; i++) {
		int rc = soon_handshake_await(&handshake);

		if (rc < 0)
			return rc;
		trace_add(&trace, 'a');
		rc = soon_sleep(SOON_S(1));
		if (rc < 0)
			return rc;
		trace_add(&trace, 'd'); /* dealt with */
	}
	return 0;
}

static int signal_once(char letter)
{
	int rc = soon_handshake_signal(&handshake);

	if (rc == 0)
		trace_add(&trace, letter);
	return rc;
}

FAKE_TEST(handshake, signal_waits_for_an_awaiter_and_for_its_return)
{
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	cr_assert_eq(soon_spawn(&g, signal_once, 's'), 0);
	turn();
	cr_assert_not(soon_handshake_is_set(&handshake)); /* nobody has ever come */
	cr_assert_eq(soon_spawn(&g, await_times, 5), 0);
	cr_assert_eq(soon_sleep(SOON_MS(500)), 0);
	cr_assert_str_eq(trace.text, "a");
	cr_assert_not(soon_handshake_is_set(&handshake)); /* awaiting clears */
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	cr_assert_str_eq(trace.text, "ads");
	/* It waits now: the signal is taken at once, and again answered by the next wait. */
	cr_assert_eq(signal_once('t'), 0);
	cr_assert_str_eq(trace.text, "adsadt");
	soon_group_cancel(&g, "enough");
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

FAKE_TEST(handshake, signal_while_busy_waits_for_two_returns)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, await_times, 5), 0);
	turn();
	cr_assert_eq(soon_spawn(&g, signal_once, 's'), 0);
	cr_assert_eq(soon_sleep(SOON_MS(500)), 0);
	cr_assert_str_eq(trace.text, "a");
	cr_assert_eq(soon_spawn(&g, signal_once, 't'), 0);
	cr_assert_eq(soon_spawn(&g, signal_once, 'u'), 0);
	turn();
	cr_assert(soon_handshake_is_set(&handshake));
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	cr_assert_str_eq(trace.text, "adas"); /* the second pair of signals is one, and taken */
	cr_assert_not(soon_handshake_is_set(&handshake));
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	cr_assert_str_eq(trace.text, "adasdtu");
	soon_group_cancel(&g, "enough");
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

FAKE_TEST(handshake, nowait_is_kept_until_awaited)
{
	cr_assert_eq(soon_handshake_signal_nowait(&handshake), 0);
	cr_assert_eq(soon_handshake_signal_nowait(&handshake), 0);
	cr_assert(soon_handshake_is_set(&handshake));
	cr_assert_eq(soon_handshake_await(&handshake), 0);
	cr_assert_not(soon_handshake_is_set(&handshake));
	cr_assert_eq(soon_within(SOON_S(1), soon_handshake_await(&handshake)), -ETIMEDOUT);
	cr_assert_eq(soon_handshake_signal_nowait(&handshake), 0); /* nobody awaits any more */
	cr_assert(soon_handshake_is_set(&handshake));
}

FAKE_TEST(handshake, cancelled_signal)
{
	/* Before anybody came it has not been given, later it has. */
	cr_assert_eq(soon_within(SOON_S(1), soon_handshake_signal(&handshake)), -ETIMEDOUT);
	cr_assert_not(soon_handshake_is_set(&handshake));
	cr_assert_eq(soon_within(SOON_S(1), soon_handshake_await(&handshake)), -ETIMEDOUT);
	cr_assert_eq(IN_CANCELLED(soon_handshake_signal(&handshake)), -ECANCELED);
	cr_assert_not(soon_handshake_is_set(&handshake));
	cr_assert_eq(soon_within(SOON_S(1), soon_handshake_signal(&handshake)), -ETIMEDOUT);
	cr_assert(soon_handshake_is_set(&handshake));
	cr_assert_eq(IN_CANCELLED(soon_handshake_await(&handshake)), -ECANCELED);
	cr_assert(soon_handshake_is_set(&handshake));
	cr_assert_eq(soon_handshake_await(&handshake), 0);
}

static int await_late(void *unused)
{
	(void)unused;
	cr_assert_eq(soon_handshake_await(&handshake), 0);
	cr_assert(soon_cancelled());
	return -ECANCELED;
}

FAKE_TEST(handshake, signal_that_was_handed_over_outlives_a_cancel)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, await_late, NULL), 0);
	turn();
	cr_assert_eq(soon_handshake_signal_nowait(&handshake), 0);
	cr_assert_not(soon_handshake_is_set(&handshake));
	soon_group_cancel(&g, "too late");
	cr_assert_eq(soon_handshake_signal_nowait(&handshake), 0); /* for the next */
	cr_assert(soon_handshake_is_set(&handshake));
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

static int await_over_there(void *unused)
{
	(void)unused;
	return soon_handshake_await(&handshake);
}

FAKE_TEST(handshake, misuse_is_reported)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, await_times, 1), 0);
	turn();
	ASSERT_REPORTED(soon_handshake_await(&handshake), -EBUSY, "'await_times'", "misuse");
	ASSERT_REPORTED(on_other_core(await_over_there, NULL), -EPERM, "soon_handshake_await",
		"another core");
	soon_group_cancel(&g, "enough");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_handshake_signal_nowait(&handshake), 0);
}

static int run_once(void *unused)
{
	SOON_GROUP(g);

	(void)unused;
	cr_assert_eq(soon_within(SOON_S(1), soon_handshake_signal(&handshake)), -ETIMEDOUT);
	cr_assert_not(soon_handshake_is_set(&handshake)); /* nobody has come in this run */
	cr_assert_eq(soon_spawn(&g, await_times, 2), 0);
	cr_assert_eq(signal_once('s'), 0);
	soon_group_cancel(&g, "enough");
	return (int)soon_group_close(&g, 0);
}

SOON_TEST_PLAIN(handshake, static_one_in_two_runs)
{
	cr_assert_eq(FAKE_RUN(NULL, run_once, NULL), 0);
	cr_assert_eq(FAKE_RUN(NULL, run_once, NULL), 0);
	ASSERT_REPORTED(await_over_there(NULL), -EPERM, "soon_handshake_await", "no core");
	ASSERT_REPORTED(
		soon_handshake_signal(&handshake), -EPERM, "soon_handshake_signal", "no core");
	ASSERT_REPORTED(soon_handshake_signal_nowait(&handshake), -EPERM,
		"soon_handshake_signal_nowait", "runs none");
}

/* Under a thousand orders: an answered signal was dealt with after it was given. */

enum { SIGNALLERS = 5, SIGNALS_EACH = 6 };

struct world {
	uint64_t random;
	soon_handshake handshake;
	unsigned ended; /* signals given when the dealing that ended last began */
	unsigned given, answered, cancelled;
	unsigned left;
};

static soon_ns random_time(struct world *w)
{
	return (soon_ns)random_below(&w->random, 4) * SOON_MS(1);
}

static int deal(struct world *w)
{
	int rc;

	while ((rc = soon_handshake_await(&w->handshake)) == 0) {
		unsigned given = w->given;

		rc = soon_sleep(random_time(w));
		if (rc < 0)
			break;
		w->ended = given;
	}
	return rc;
}

static int signal_often(struct world *w)
{
	for (unsigned i = 0; i < SIGNALS_EACH; i++) {
		unsigned mine = ++w->given;
		ssize_t rc = soon_within(random_time(w) * 4, soon_handshake_signal(&w->handshake));

		cr_assert(rc == 0 || rc == -ETIMEDOUT);
		if (rc == 0) {
			cr_assert_geq(w->ended, mine);
			w->answered++;
		} else {
			w->cancelled++;
		}
		cr_assert_eq(soon_sleep(random_time(w)), 0);
	}
	w->left--;
	return 0;
}

static int signal_and_deal(struct world *w)
{
	SOON_GROUP(g);

	soon_handshake_init(&w->handshake);
	w->given = w->ended = 0;
	w->left = SIGNALLERS;
	cr_assert_eq(soon_spawn(&g, deal, w), 0);
	for (unsigned i = 0; i < SIGNALLERS; i++)
		cr_assert_eq(soon_spawn(&g, signal_often, w), 0);
	while (w->left > 0)
		cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
	soon_group_cancel(&g, "all have signalled");
	return (int)soon_group_close(&g, 0);
}

SOON_TEST_PLAIN(handshake, answers_are_true_under_a_thousand_orders)
{
	struct world w = { 0 };

	FOR_SEEDS(&w, signal_and_deal);
	cr_assert_gt(w.answered, SEEDS);
	cr_assert_gt(w.cancelled, SEEDS);
}
