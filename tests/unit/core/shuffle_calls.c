// SPDX-License-Identifier: Apache-2.0
/*
 * Calls, portals and tokens under random orders: callers that wait, give up, are cancelled and
 * drained, call into their own core and through a portal that closes when it likes. What was let
 * in is answered once, when its function has returned; what was not never runs.
 */
#include <soon/calls.h>
#include <soon/portal.h>

#include "sync_test.h"

enum { CALLERS = 10 };

struct world {
	uint64_t random;
	uint64_t hash; /* of all that happened, in order */
	soon_portal portal;
	soon_token tokens[CALLERS]; /* of the callers' scopes */
	unsigned in_portal;         /* functions that run there */
	bool is_draining;
	unsigned answered, refused, interrupted, cancelled;
};

/* One call: what became of its function, and how it may have ended. */
struct item {
	struct world *world;
	int value;
	unsigned begun, ended;
	bool is_portal_s, is_interrupted;
};

static void note(struct world *w, int64_t event)
{
	w->hash = (w->hash ^ (uint64_t)event) * UINT64_C(0x100000001b3);
}

static soon_ns random_time(struct world *w)
{
	return (soon_ns)random_below(&w->random, 6) * SOON_MS(1);
}

static int work(struct item *item)
{
	struct world *w = item->world;
	int rc = 0;

	item->begun++;
	w->in_portal += item->is_portal_s;
	for (uint64_t i = random_below(&w->random, 3); i > 0 && rc == 0; i--) {
		SOON_IDLE {
			rc = soon_sleep(random_time(w));
		}
	}
	if (rc == 0 && random_below(&w->random, 4) == 0)
		rc = soon_fail(-EIO, "value %d", item->value);
	w->in_portal -= item->is_portal_s;
	item->ended++;
	note(w, item->value);
	return rc < 0 ? rc : item->value;
}

static struct item make_item(struct world *w, bool is_portal_s)
{
	return (struct item){
		.world = w,
		.value = 1 + (int)random_below(&w->random, 1000),
		.is_portal_s = is_portal_s,
	};
}

/* What a call was answered with fits what its function did. */
static void check(struct item *item, int rc)
{
	struct world *w = item->world;

	note(w, rc);
	cr_assert_leq(item->begun, 1);
	cr_assert_eq(item->ended, item->begun, "answered while its function runs");
	if (rc == item->value || rc == -EIO) {
		cr_assert_eq(item->ended, 1);
		w->answered++;
	} else if (rc == -EINTR) {
		cr_assert(item->is_interrupted);
		w->interrupted++;
	} else if (rc == -ESHUTDOWN) {
		cr_assert(item->is_portal_s);
		w->refused += item->begun == 0;
	} else {
		cr_assert_eq(rc, -ECANCELED);
		cr_assert(soon_cancelled() || w->is_draining);
		w->cancelled++;
	}
}

static void call_and_park(struct world *w)
{
	struct item item = make_item(w, false);
	int rc = 0;

	if (random_below(&w->random, 2)) {
		check(&item, soon_call_on(soon_core_self(), work, &item));
		return;
	}
	/* A caller that has run out of time gets what the function made of it. */
	rc = (int)soon_within(random_time(w), soon_call_on(soon_core_self(), work, &item));
	cr_assert_eq(item.ended, item.begun);
	if (rc != -ETIMEDOUT)
		check(&item, rc);
}

static int start(struct item *item, soon_call *call)
{
	return item->is_portal_s ? soon_portal_start(&item->world->portal, work, item, call)
				 : soon_call_start(soon_core_self(), work, item, call);
}

/* In two steps, with time between them; the storage is the caller's, who therefore stays. */
static void call_and_wait(struct world *w, bool is_portal_s)
{
	struct item item = make_item(w, is_portal_s);
	soon_call call;
	int rc = start(&item, &call);

	if (rc == -ESHUTDOWN) {
		check(&item, rc);
		cr_assert_eq(soon_shielded(SOON_NEVER, soon_sleep(random_time(w))), 0);
		cr_assert_eq(item.begun, 0);
		return;
	}
	cr_assert_eq(rc, 0);
	if (random_below(&w->random, 3) == 0) {
		rc = soon_call_wait(&call, random_time(w));
		if (rc == -ETIMEDOUT || rc == -ECANCELED) {
			item.is_interrupted = !soon_call_is_done(&call);
			soon_call_cancel(&call);
		}
	}
	rc = (int)soon_shielded(SOON_NEVER, soon_call_wait(&call, SOON_NEVER));
	check(&item, rc);
	if (rc == -EIO)
		cr_assert_not_null(soon_call_message(&call));
}

struct caller {
	struct world *world;
	unsigned place;
};

static int live(struct caller *caller)
{
	struct world *w = caller->world;
	int rc = 0;
	SOON_SCOPE(scope);

	cr_assert_eq(soon_scope_token(&scope, &w->tokens[caller->place]), 0);
	for (unsigned i = 0; i < 4 && !soon_cancelled(); i++) {
		unsigned victim = (unsigned)random_below(&w->random, CALLERS);

		switch (random_below(&w->random, 5)) {
		case 0:
		case 1:
			call_and_park(w);
			break;
		case 2:
			call_and_wait(w, false);
			break;
		case 3:
			call_and_wait(w, true);
			break;
		default:
			/* It may have ended, and another's scope be in its place. */
			cr_assert_eq(
				soon_cancel_from(soon_core_self(), w->tokens[victim], "shuffle"),
				0);
			break;
		}
		rc = soon_yield();
	}
	rc = (int)soon_scope_close(&scope, rc);
	return rc == -ECANCELED && soon_cancelled() ? rc : 0;
}

/* Opens, closes and opens again; while one closes, its calls are waited for. */
static int keep_portal(struct world *w)
{
	for (int i = 0; i < 3; i++) {
		ssize_t rc;

		soon_portal_open(&w->portal);
		rc = soon_sleep(random_time(w));
		if (random_below(&w->random, 3) == 0)
			soon_portal_cancel(&w->portal, "shuffle");
		rc = soon_portal_close(&w->portal, rc);
		cr_assert_eq(w->in_portal, 0, "left while a call runs");
		note(w, rc);
		if (rc == 0)
			rc = soon_sleep(random_time(w));
		if (rc < 0)
			return (int)rc;
	}
	return 0;
}

static int callers_at_once(struct world *w)
{
	struct caller callers[CALLERS];
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	w->portal = (soon_portal)SOON_PORTAL_INIT;
	w->is_draining = false;
	memset(w->tokens, 0, sizeof w->tokens);
	for (unsigned i = 0; i < CALLERS; i++) {
		callers[i] = (struct caller){ w, i };
		cr_assert_eq(soon_spawn(&g, live, &callers[i]), 0);
		if (i == CALLERS / 2)
			cr_assert_eq(soon_spawn(&g, keep_portal, w), 0);
	}
	cr_assert_eq(soon_sleep(random_time(w)), 0);
	w->is_draining = random_below(&w->random, 4) == 0;
	if (w->is_draining)
		soon_group_drain(&g, random_time(w));
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(w->in_portal, 0);
	return 0;
}

SOON_TEST_PLAIN(shuffle_calls, each_is_answered_once_under_a_thousand_orders)
{
	struct world w = { 0 };

	FOR_SEEDS(&w, callers_at_once);
	/* Or the worlds are too peaceful to show anything. */
	cr_assert_gt(w.answered, SEEDS);
	cr_assert_gt(w.refused, SEEDS / 2);
	cr_assert_gt(w.interrupted, SEEDS / 2);
	cr_assert_gt(w.cancelled, SEEDS / 2);
}

static uint64_t hash_of(uint64_t seed)
{
	struct world w = { .random = seed };

	cr_assert_eq(FAKE_RUN(&(struct fake_opts){ .seed = seed }, callers_at_once, &w), 0);
	return w.hash;
}

SOON_TEST_PLAIN(shuffle_calls, run_is_a_function_of_its_seed)
{
	unsigned distinct = 0;

	for (uint64_t seed = 1; seed <= 20; seed++) {
		uint64_t hash = hash_of(seed);

		cr_assert_eq(hash_of(seed), hash, "seed %ju", (uintmax_t)seed);
		distinct += hash_of(seed + 1) != hash;
	}
	cr_assert_eq(distinct, 20);
}
