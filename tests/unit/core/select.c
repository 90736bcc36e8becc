// SPDX-License-Identifier: Apache-2.0
/* Select: exactly one case happens, whichever was ready, and the others have not been there. */
#include <soon/chan.h>

#include "sync_test.h"

static soon_chan first = SOON_CHAN_INIT(int);
static soon_chan second = SOON_CHAN_INIT(int);
static int places[4];
static soon_chan buffered = SOON_CHAN_BUFFERED(int, places);

static void turn(void)
{
	cr_assert_eq(soon_yield(), 0);
}

struct pair {
	soon_case cases[2];
	int items[2];
	int rc;
};

static int select_pair(struct pair *pair)
{
	pair->rc = soon_select(pair->cases, 2);
	return 0;
}

FAKE_TEST(select, takes_what_is_ready)
{
	int a = 0, b = 0;
	soon_case cases[] = { SOON_RECV(&first, &a), SOON_RECV(&buffered, &b) };

	cr_assert_eq(soon_try_select(cases, 2), -EAGAIN);
	cr_assert_eq(soon_chan_send(&buffered, &(int){ 3 }), 0);
	cr_assert_eq(soon_select(cases, 2), 1);
	cr_assert_eq(cases[1].rc, 1);
	cr_assert_eq(b, 3);
	cr_assert_eq(a, 0);
	cases[0] = SOON_SEND(&buffered, &b);
	cases[1] = SOON_SEND(&first, &b);
	cr_assert_eq(soon_try_select(cases, 2), 0);
	cr_assert_eq(cases[0].rc, 0);
	cr_assert_eq(soon_chan_len(&buffered), 1);
	soon_chan_fini(&buffered);
}

FAKE_TEST(select, waits_for_the_first)
{
	struct pair pair = { .rc = -1 };
	int item = 8;
	SOON_GROUP(g);

	pair.cases[0] = SOON_RECV(&first, &pair.items[0]);
	pair.cases[1] = SOON_RECV(&second, &pair.items[1]);
	cr_assert_eq(soon_spawn(&g, select_pair, &pair), 0);
	turn();
	turn();
	cr_assert_eq(pair.rc, -1);
	cr_assert_eq(soon_chan_send(&second, &item), 0);
	/* Before it has run, it waits nowhere any more. */
	cr_assert_eq(soon_chan_try_send(&first, &item), -EAGAIN);
	cr_assert_eq(soon_chan_try_send(&second, &item), -EAGAIN);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(pair.rc, 1);
	cr_assert_eq(pair.cases[1].rc, 1);
	cr_assert_eq(pair.items[1], 8);
}

FAKE_TEST(select, waits_to_send)
{
	struct pair pair = { .items = { 5, 6 }, .rc = -1 };
	int item = 0;
	SOON_GROUP(g);

	pair.cases[0] = SOON_SEND(&first, &pair.items[0]);
	pair.cases[1] = SOON_SEND(&second, &pair.items[1]);
	cr_assert_eq(soon_spawn(&g, select_pair, &pair), 0);
	turn();
	cr_assert_eq(soon_chan_recv(&first, &item), 1);
	cr_assert_eq(item, 5);
	cr_assert_eq(soon_chan_try_recv(&second, &item), -EAGAIN);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(pair.rc, 0);
	cr_assert_eq(pair.cases[0].rc, 0);
}

FAKE_TEST(select, same_channel_twice)
{
	struct pair pair = { .rc = -1 };
	int item = 1;
	SOON_GROUP(g);

	pair.cases[0] = SOON_RECV(&first, &pair.items[0]);
	pair.cases[1] = SOON_RECV(&first, &pair.items[1]);
	cr_assert_eq(soon_spawn(&g, select_pair, &pair), 0);
	turn();
	cr_assert_eq(soon_chan_send(&first, &item), 0);
	cr_assert_eq(soon_chan_try_send(&first, &item), -EAGAIN);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert(pair.rc == 0 || pair.rc == 1);
	cr_assert_eq(pair.items[pair.rc], 1);
	cr_assert_eq(pair.items[1 - pair.rc], 0);
}

static void both_ways(struct pair *pair, soon_chan *chan, int item)
{
	*pair = (struct pair){ .items = { item, 0 }, .rc = -1 };
	pair->cases[0] = SOON_SEND(chan, &pair->items[0]);
	pair->cases[1] = SOON_RECV(chan, &pair->items[1]);
}

FAKE_TEST(select, never_meets_itself)
{
	struct pair one, other;
	SOON_GROUP(g);

	both_ways(&one, &first, 10);
	both_ways(&other, &first, 20);
	cr_assert_eq(soon_spawn(&g, select_pair, &one), 0);
	turn();
	turn();
	cr_assert_eq(one.rc, -1);
	cr_assert_eq(soon_spawn(&g, select_pair, &other), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	/* One of them sends, and the other receives. */
	cr_assert_eq(one.rc + other.rc, 1);
	if (one.rc == 0)
		cr_assert_eq(other.items[1], 10);
	else
		cr_assert_eq(one.items[1], 20);
}

FAKE_TEST(select, close_makes_cases_happen)
{
	struct pair pair;
	int item = 0;
	soon_case closed[] = { SOON_RECV(&first, &item) };
	SOON_GROUP(g);

	both_ways(&pair, &first, 1);
	cr_assert_eq(soon_spawn(&g, select_pair, &pair), 0);
	turn();
	cr_assert_eq(soon_chan_close(&first), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert(pair.rc == 0 || pair.rc == 1);
	cr_assert_eq(pair.cases[pair.rc].rc, pair.rc == 0 ? -EPIPE : 0);
	cr_assert_eq(soon_select(closed, 1), 0);
	cr_assert_eq(closed[0].rc, 0);
	closed[0] = SOON_SEND(&first, &item);
	cr_assert_eq(soon_try_select(closed, 1), 0);
	cr_assert_eq(closed[0].rc, -EPIPE);
}

FAKE_TEST(select, without_cases_waits_for_a_cancel)
{
	int item = 0;
	soon_case off[] = { SOON_RECV((soon_chan *)NULL, &item), SOON_RECV(&buffered, &item) };

	cr_assert_eq(soon_within(SOON_S(1), soon_select(NULL, 0)), -ETIMEDOUT);
	cr_assert_eq(soon_try_select(NULL, 0), -EAGAIN);
	cr_assert_eq(soon_within(SOON_S(1), soon_select(off, 1)), -ETIMEDOUT);
	cr_assert_eq(soon_try_select(off, 1), -EAGAIN);
	cr_assert_eq(soon_chan_send(&buffered, &(int){ 2 }), 0);
	cr_assert_eq(soon_select(off, 2), 1);
	cr_assert_eq(item, 2);
}

FAKE_TEST(select, cancelled_leaves_all_queues)
{
	int a = 1, b = 2;
	soon_case cases[] = { SOON_RECV(&first, &a), SOON_SEND(&second, &b),
		SOON_SEND(&second, &a) };

	cr_assert_eq(IN_CANCELLED(soon_select(cases, 3)), -ECANCELED);
	cr_assert_eq(soon_within(SOON_S(1), soon_select(cases, 3)), -ETIMEDOUT);
	cr_assert_eq(soon_chan_try_send(&first, &a), -EAGAIN);
	cr_assert_eq(soon_chan_try_recv(&second, &a), -EAGAIN);
	soon_chan_fini(&first);
	soon_chan_fini(&second);
}

static int select_late(struct pair *pair)
{
	pair->rc = soon_select(pair->cases, 2);
	cr_assert(soon_cancelled());
	cr_assert_eq(soon_select(pair->cases, 2), -ECANCELED);
	return -ECANCELED;
}

FAKE_TEST(select, what_happened_before_a_cancel_has_happened)
{
	struct pair pair = { .rc = -1 };
	SOON_GROUP(g);

	pair.cases[0] = SOON_RECV(&first, &pair.items[0]);
	pair.cases[1] = SOON_RECV(&second, &pair.items[1]);
	cr_assert_eq(soon_spawn(&g, select_late, &pair), 0);
	turn();
	cr_assert_eq(soon_chan_send(&second, &(int){ 4 }), 0);
	soon_group_cancel(&g, "too late");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(pair.rc, 1);
	cr_assert_eq(pair.items[1], 4);
}

static int use_elsewhere(void *unused)
{
	int item;
	soon_case cases[] = { SOON_RECV(&first, &item) };

	(void)unused;
	return soon_select(cases, 1);
}

FAKE_TEST(select, misuse_is_refused)
{
	static soon_case many[SOON_SELECT_CASES_MAX + 1];
	struct pair pair = { .rc = -1 };
	SOON_GROUP(g);

	ASSERT_REPORTED(soon_select(many, SOON_SELECT_CASES_MAX + 1), -E2BIG, "soon_select", "256");
	cr_assert_eq(soon_try_select(many, SOON_SELECT_CASES_MAX), -EAGAIN);
	pair.cases[0] = SOON_RECV(&first, &pair.items[0]);
	cr_assert_eq(soon_spawn(&g, select_pair, &pair), 0);
	turn();
	ASSERT_REPORTED(on_other_core(use_elsewhere, NULL), -EPERM, "soon_select", "another core");
	soon_group_cancel(&g, "test");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(pair.rc, -ECANCELED);
}

SOON_TEST_PLAIN(select, needs_a_task)
{
	ASSERT_REPORTED(use_elsewhere(NULL), -EPERM, "soon_select", "no core");
}

/* Fairness. */

enum { WAYS = 5, DRAWS = 5000 };

FAKE_TEST(select, ready_cases_get_equal_shares)
{
	static int storage[WAYS][2];
	soon_chan chans[WAYS];
	soon_case cases[2 * WAYS];
	unsigned counts[2 * WAYS] = { 0 };
	int item = 0;

	/* Every other case is not ready, which must not favour those behind it. */
	for (size_t i = 0; i < WAYS; i++) {
		chans[i] = (soon_chan)SOON_CHAN_BUFFERED(int, storage[i]);
		cases[2 * i] = SOON_RECV(&chans[i], &item);
		cases[2 * i + 1] = SOON_RECV(i == 0 ? &first : (soon_chan *)NULL, &item);
		cr_assert_eq(soon_chan_send(&chans[i], &item), 0);
	}
	for (unsigned i = 0; i < DRAWS; i++) {
		int index = soon_select(cases, 2 * WAYS);

		cr_assert_geq(index, 0);
		counts[index]++;
		cr_assert_eq(soon_chan_send(cases[index].chan, &item), 0);
	}
	for (size_t i = 0; i < WAYS; i++) {
		cr_assert(counts[2 * i] > DRAWS / WAYS * 8 / 10 &&
				counts[2 * i] < DRAWS / WAYS * 12 / 10,
			"case %zu: %u", 2 * i, counts[2 * i]);
		cr_assert_eq(counts[2 * i + 1], 0);
	}
}

static int draws_of_run(char *ret)
{
	static int storage[2][2];
	soon_chan one = SOON_CHAN_BUFFERED(int, storage[0]);
	soon_chan other = SOON_CHAN_BUFFERED(int, storage[1]);
	int item = 0;
	soon_case cases[] = { SOON_RECV(&one, &item), SOON_RECV(&other, &item) };

	cr_assert_eq(soon_chan_send(&one, &item), 0);
	cr_assert_eq(soon_chan_send(&other, &item), 0);
	for (int i = 0; i < 64; i++) {
		int index = soon_select(cases, 2);

		ret[i] = (char)('0' + index);
		cr_assert_eq(soon_chan_send(cases[index].chan, &item), 0);
	}
	return 0;
}

SOON_TEST_PLAIN(select, draws_are_a_function_of_the_seed)
{
	char texts[3][64];

	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(
			FAKE_RUN(&(struct fake_opts){ .seed = 5 + i / 2 }, draws_of_run, texts[i]),
			0);
	cr_assert_eq(memcmp(texts[0], texts[1], 64), 0);
	cr_assert_neq(memcmp(texts[0], texts[2], 64), 0);
}

/* Under a thousand orders: tasks that send and receive anywhere, and nothing is lost or doubled. */

enum { CHANS = 3, TASKS = 8, STEPS = 12 };

struct world {
	uint64_t random;
	soon_chan *chans[CHANS];
	unsigned sent[TASKS * STEPS];
	unsigned received[TASKS * STEPS];
	unsigned next_id, cancelled, moved;
};

static void step(struct world *w, int item)
{
	soon_case cases[4];
	int got[4] = { -1, -1, -1, -1 };
	size_t count = 1 + random_below(&w->random, 4);
	ssize_t rc;

	for (size_t i = 0; i < count; i++) {
		soon_chan *chan = w->chans[random_below(&w->random, CHANS)];

		cases[i] = random_below(&w->random, 2) ? SOON_SEND(chan, &item)
						       : SOON_RECV(chan, &got[i]);
	}
	rc = soon_within(
		(soon_ns)random_below(&w->random, 4) * SOON_MS(1), soon_select(cases, count));
	w->cancelled += rc == -ETIMEDOUT;
	for (size_t i = 0; i < count; i++) {
		if (rc == (ssize_t)i && !cases[i].is_send) {
			cr_assert_eq(cases[i].rc, 1);
			cr_assert_geq(got[i], 0);
			w->received[got[i]]++;
			w->moved++;
		} else {
			cr_assert_eq(got[i], -1);
		}
	}
	if (rc >= 0 && cases[rc].is_send) {
		cr_assert_eq(cases[rc].rc, 0);
		w->sent[item]++;
	}
}

static int mingle(struct world *w)
{
	unsigned id = w->next_id++;

	for (unsigned i = 0; i < STEPS; i++)
		step(w, (int)(id * STEPS + i));
	return 0;
}

static int mingle_all(struct world *w)
{
	int item;
	SOON_GROUP(g);

	memset(w->sent, 0, sizeof w->sent);
	memset(w->received, 0, sizeof w->received);
	w->next_id = 0;
	for (size_t i = 0; i < CHANS; i++)
		cr_assert_eq(soon_chan_open(sizeof(int), i, &w->chans[i]), 0);
	for (unsigned i = 0; i < TASKS; i++)
		cr_assert_eq(soon_spawn(&g, mingle, w), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	for (size_t i = 0; i < CHANS; i++) {
		while (soon_chan_try_recv(w->chans[i], &item) == 1)
			w->received[item]++;
		soon_chan_destroy(w->chans[i]);
	}
	cr_assert_eq(memcmp(w->sent, w->received, sizeof w->sent), 0);
	for (size_t i = 0; i < TASKS * STEPS; i++)
		cr_assert_leq(w->sent[i], 1);
	return 0;
}

SOON_TEST_PLAIN(select, exactly_one_case_happens_under_a_thousand_orders)
{
	struct world w = { 0 };

	FOR_SEEDS(&w, mingle_all);
	cr_assert_gt(w.cancelled, SEEDS);
	cr_assert_gt(w.moved, SEEDS);
}
