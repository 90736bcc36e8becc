// SPDX-License-Identifier: Apache-2.0
/* Channels: who gets which item, when, and what a cancel or a close may not take away. */
#include <soon/chan.h>
#include <soon/mem.h>

#include "sync_test.h"

#include <support/death.h>

static soon_chan meet = SOON_CHAN_INIT(int);
static int places[3];
static soon_chan buffered = SOON_CHAN_BUFFERED(int, places);
static struct trace trace;

static int send(int item)
{
	int rc = soon_chan_send(&meet, &item);

	if (rc == 0)
		trace_add(&trace, (char)('a' + item));
	return rc;
}

static int recv_one(int *ret_item)
{
	int rc = soon_chan_recv(&meet, ret_item);

	trace_add(&trace, rc == 1 ? (char)('A' + *ret_item) : rc == 0 ? '0' : '!');
	return 0;
}

static void turn(void)
{
	cr_assert_eq(soon_yield(), 0);
}

FAKE_TEST(chan, sender_and_receiver_meet)
{
	int item;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, send, 1), 0);
	turn();
	turn();
	cr_assert_str_eq(trace.text, ""); /* nobody takes it */
	cr_assert_eq(soon_chan_recv(&meet, &item), 1);
	cr_assert_eq(item, 1);
	turn();
	cr_assert_str_eq(trace.text, "b");

	cr_assert_eq(soon_spawn(&g, recv_one, &item), 0);
	turn();
	cr_assert_str_eq(trace.text, "b");
	cr_assert_eq(send(2), 0); /* does not wait: somebody is there */
	cr_assert_str_eq(trace.text, "bc");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "bcC");
	cr_assert_eq(item, 2);
	cr_assert_eq(soon_chan_capacity(&meet), 0);
	cr_assert_eq(soon_chan_len(&meet), 0);
}

static int send_buffered(int item)
{
	int rc = soon_chan_send(&buffered, &item);

	trace_add(&trace, rc == 0 ? (char)('a' + item) : '!');
	return rc;
}

FAKE_TEST(chan, buffer_holds_items_in_order)
{
	int item = 0;
	SOON_GROUP(g);

	cr_assert_eq(soon_chan_capacity(&buffered), 3);
	for (int i = 0; i < 5; i++) {
		cr_assert_eq(soon_spawn(&g, send_buffered, i), 0);
		turn();
	}
	cr_assert_str_eq(trace.text, "abc");
	cr_assert_eq(soon_chan_len(&buffered), 3);
	for (int i = 0; i < 5; i++) {
		cr_assert_eq(soon_chan_recv(&buffered, &item), 1);
		cr_assert_eq(item, i);
		/* The place that became free is the next sender's, and nobody else's. */
		cr_assert_eq(soon_chan_len(&buffered), i < 2 ? 3 : 4 - i);
		if (i < 2)
			cr_assert_eq(soon_chan_try_send(&buffered, &item), -EAGAIN);
	}
	cr_assert_eq(soon_chan_try_recv(&buffered, &item), -EAGAIN);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "abcde");
}

FAKE_TEST(chan, ring_wraps_round)
{
	int next_in = 0, next_out = 0, item;

	for (int round = 0; round < 50; round++) {
		for (int i = 0; i <= round % 3; i++, next_in++)
			cr_assert_eq(soon_chan_send(&buffered, &next_in), 0);
		while (soon_chan_len(&buffered) > 0) {
			cr_assert_eq(soon_chan_recv(&buffered, &item), 1);
			cr_assert_eq(item, next_out++);
		}
	}
	cr_assert_eq(next_in, next_out);
}

struct large {
	char bytes[37];
};

#define PASSES(type, ...)                                                                          \
	do {                                                                                       \
		type in_ = __VA_ARGS__;                                                            \
		type out_;                                                                         \
		soon_chan *chan_;                                                                  \
		cr_assert_eq(soon_chan_open(sizeof in_, 2, &chan_), 0);                            \
		cr_assert_eq(soon_chan_send(chan_, &in_), 0);                                      \
		cr_assert_eq(soon_chan_send(chan_, &in_), 0);                                      \
		cr_assert_eq(soon_chan_recv(chan_, &out_), 1);                                     \
		cr_assert_eq(memcmp(&in_, &out_, sizeof in_), 0);                                  \
		memset(&out_, 0, sizeof out_);                                                     \
		cr_assert_eq(soon_chan_recv(chan_, &out_), 1);                                     \
		cr_assert_eq(memcmp(&in_, &out_, sizeof in_), 0);                                  \
		soon_chan_destroy(chan_);                                                          \
	} while (0)

FAKE_TEST(chan, items_of_every_size)
{
	PASSES(char, 'x');
	PASSES(uint16_t, 0x1234);
	PASSES(int, -5);
	PASSES(void *, &trace);
	PASSES(struct large, { "a rather long item that is copied" });
}

/* Close. */

FAKE_TEST(chan, close_wakes_receivers)
{
	int item;
	SOON_GROUP(g);

	for (int i = 0; i < 3; i++)
		cr_assert_eq(soon_spawn(&g, recv_one, &item), 0);
	turn();
	cr_assert_not(soon_chan_is_closed(&meet));
	cr_assert_eq(soon_chan_close(&meet), 0);
	cr_assert(soon_chan_is_closed(&meet));
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "000");
	cr_assert_eq(soon_chan_recv(&meet, &item), 0);
	cr_assert_eq(soon_chan_try_recv(&meet, &item), 0);
	cr_assert_eq(soon_chan_send(&meet, &item), -EPIPE);
	cr_assert_eq(soon_chan_try_send(&meet, &item), -EPIPE);
}

FAKE_TEST(chan, close_fails_senders_and_keeps_the_buffer)
{
	int item = 0;
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	for (int i = 0; i < 5; i++)
		cr_assert_eq(soon_spawn(&g, send_buffered, i), 0);
	turn();
	cr_assert_eq(soon_chan_close(&buffered), 0);
	cr_assert_eq(soon_group_close(&g, 0), -EPIPE);
	cr_assert_str_eq(trace.text, "abc!!");
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(soon_chan_recv(&buffered, &item), 1);
		cr_assert_eq(item, i);
	}
	cr_assert_eq(soon_chan_recv(&buffered, &item), 0);
	cr_assert_eq(item, 2); /* untouched */
}

FAKE_TEST(chan, closing_twice_is_reported)
{
	cr_assert_eq(soon_chan_close(&meet), 0);
	ASSERT_REPORTED(soon_chan_close(&meet), -EALREADY, "soon_chan_close",
		"chan_closing_twice_is_reported");
}

/* Cancel. */

FAKE_TEST(chan, cancelled_call_does_nothing)
{
	int item = 7;

	cr_assert_eq(IN_CANCELLED(soon_chan_send(&buffered, &item)), -ECANCELED);
	cr_assert_eq(soon_chan_len(&buffered), 0);
	cr_assert_eq(soon_chan_send(&buffered, &item), 0);
	cr_assert_eq(IN_CANCELLED(soon_chan_recv(&buffered, &item)), -ECANCELED);
	cr_assert_eq(soon_chan_len(&buffered), 1);
	/* These are no cancellation points. */
	cr_assert_eq(IN_CANCELLED(soon_chan_try_recv(&buffered, &item)), 1);
	cr_assert_eq(IN_CANCELLED(soon_chan_try_send(&buffered, &item)), 0);
	soon_chan_fini(&buffered);
}

FAKE_TEST(chan, cancelled_waiters_are_gone)
{
	int item = 1, got = 0;

	cr_assert_eq(soon_within(SOON_S(1), soon_chan_send(&meet, &item)), -ETIMEDOUT);
	cr_assert_eq(soon_chan_try_recv(&meet, &got), -EAGAIN);
	cr_assert_eq(soon_within(SOON_S(1), soon_chan_recv(&meet, &got)), -ETIMEDOUT);
	cr_assert_eq(soon_chan_try_send(&meet, &item), -EAGAIN);
	cr_assert_eq(got, 0);
}

FAKE_TEST(chan, cancelled_waiter_in_the_middle_leaves_the_others)
{
	int item = 0;
	soon_task *second;
	soon_task_opts opts = { .ret_task = &second };
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, send, 0), 0);
	{
		SOON_GROUP(inner);
		cr_assert_eq(soon_spawn_with(&inner, &opts, send, 1), 0);
		turn();
		cr_assert_eq(soon_spawn(&g, send, 2), 0);
		turn();
		soon_group_cancel(&inner, "test");
		cr_assert_eq(soon_group_close(&inner, 0), 0);
	}
	cr_assert_eq(soon_chan_recv(&meet, &item), 1);
	cr_assert_eq(item, 0);
	cr_assert_eq(soon_chan_recv(&meet, &item), 1);
	cr_assert_eq(item, 2);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

static int recv_twice(int *ret_item)
{
	cr_assert_eq(soon_chan_recv(&meet, ret_item), 1);
	cr_assert(soon_cancelled());
	cr_assert_eq(soon_chan_recv(&meet, ret_item), -ECANCELED);
	return -ECANCELED;
}

FAKE_TEST(chan, item_handed_to_a_receiver_outlives_its_cancel)
{
	int item = 5, got = 0;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, recv_twice, &got), 0);
	turn();
	cr_assert_eq(soon_chan_send(&meet, &item), 0);
	soon_group_cancel(&g, "too late");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(got, 5);
}

static int send_twice(int item)
{
	cr_assert_eq(soon_chan_send(&meet, &item), 0);
	cr_assert(soon_cancelled());
	cr_assert_eq(soon_chan_send(&meet, &item), -ECANCELED);
	return -ECANCELED;
}

FAKE_TEST(chan, item_taken_from_a_sender_counts_as_sent)
{
	int got = 0;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, send_twice, 6), 0);
	turn();
	cr_assert_eq(soon_chan_recv(&meet, &got), 1);
	soon_group_cancel(&g, "too late");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(got, 6);
}

/* Fairness. */

FAKE_TEST(chan, waiters_are_served_in_order)
{
	int items[4], item;
	SOON_GROUP(g);

	for (int i = 0; i < 4; i++) {
		items[i] = -1;
		cr_assert_eq(soon_spawn(&g, recv_one, &items[i]), 0);
	}
	turn();
	for (item = 0; item < 4; item++)
		cr_assert_eq(soon_chan_send(&meet, &item), 0);
	turn();
	for (int i = 0; i < 4; i++)
		cr_assert_eq(items[i], i);
	for (int i = 4; i < 8; i++)
		cr_assert_eq(soon_spawn(&g, send, i), 0);
	turn();
	for (int i = 4; i < 8; i++) {
		cr_assert_eq(soon_chan_recv(&meet, &item), 1);
		cr_assert_eq(item, i);
	}
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

static int send_often(int item)
{
	int rc = 0;

	for (int i = 0; i < 100 && rc == 0; i++)
		rc = soon_chan_send(&meet, &item);
	return rc;
}

/* In each round of three that wait, one may find the receiver waiting and send twice. */
FAKE_TEST(chan, busy_senders_all_get_on)
{
	int counts[3] = { 0 }, item;
	SOON_GROUP(g);

	for (int i = 0; i < 3; i++)
		cr_assert_eq(soon_spawn(&g, send_often, i), 0);
	for (int i = 0; i < 90; i++) {
		cr_assert_eq(soon_chan_recv(&meet, &item), 1);
		counts[item]++;
	}
	for (int i = 0; i < 3; i++)
		cr_assert_geq(counts[i], 20, "%d: %d", i, counts[i]);
	soon_group_cancel(&g, "enough");
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

static int add_letter(char letter)
{
	trace_add(&trace, letter);
	return 0;
}

FAKE_TEST(chan, calls_that_never_wait_leave_others_their_turn)
{
	int item = 0;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, add_letter, 'x'), 0);
	for (int i = 0; i < 1000; i++) {
		cr_assert_eq(soon_chan_send(&buffered, &item), 0);
		cr_assert_eq(soon_chan_recv(&buffered, &item), 1);
	}
	cr_assert_str_eq(trace.text, "x");
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

/* Outside of tasks. */

static void send_posted(soon_callback *callback)
{
	int item = 9;

	(void)callback;
	cr_assert_null(soon_self());
	cr_assert_eq(soon_chan_try_send(&meet, &item), 0);
	cr_assert_eq(soon_chan_try_send(&meet, &item), -EAGAIN);
	cr_assert_eq(soon_chan_try_recv(&meet, &item), -EAGAIN);
}

FAKE_TEST(chan, callback_can_send)
{
	soon_callback callback = { .fn = send_posted };
	int item = 0;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, recv_one, &item), 0);
	turn();
	cr_assert_eq(soon_post(soon_core_self(), &callback), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(item, 9);
}

SOON_TEST_PLAIN(chan, needs_a_core)
{
	int item = 0;

	ASSERT_REPORTED(soon_chan_send(&meet, &item), -EPERM, "soon_chan_send", "no core");
	ASSERT_REPORTED(soon_chan_recv(&meet, &item), -EPERM, "soon_chan_recv", "no core");
	ASSERT_REPORTED(
		soon_chan_try_send(&meet, &item), -EPERM, "soon_chan_try_send", "runs none");
	ASSERT_REPORTED(
		soon_chan_try_recv(&meet, &item), -EPERM, "soon_chan_try_recv", "runs none");
	ASSERT_REPORTED(soon_chan_close(&meet), -EPERM, "soon_chan_close", "runs none");
}

/* Whose it is. */

static int send_over_there(void *chan)
{
	int item = 1;

	return soon_chan_send((soon_chan *)chan, &item);
}

FAKE_TEST(chan, belongs_to_the_core_that_waits_at_it)
{
	int item = 0;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, recv_one, &item), 0);
	turn();
	ASSERT_REPORTED(on_other_core(send_over_there, &meet), -EPERM, "soon_chan_send",
		"'recv_one', spawned at");
	cr_assert_eq(soon_chan_close(&meet), 0);
	ASSERT_REPORTED(
		on_other_core(send_over_there, &meet), -EPERM, "soon_chan_send", "another core");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "0");
}

FAKE_TEST(chan, belongs_to_the_core_whose_sender_waits)
{
	int item = 0;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, send, 3), 0);
	turn();
	ASSERT_REPORTED(on_other_core(send_over_there, &meet), -EPERM, "soon_chan_send",
		"'send', spawned at");
	cr_assert_eq(soon_chan_recv(&meet, &item), 1);
	cr_assert_eq(item, 3);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

static int use_and_close(void *unused)
{
	int item = 4;

	(void)unused;
	cr_assert_not(soon_chan_is_closed(&buffered));
	cr_assert_eq(soon_chan_send(&buffered, &item), 0);
	cr_assert_eq(soon_chan_recv(&buffered, &item), 1);
	cr_assert_eq(soon_chan_close(&buffered), 0);
	cr_assert_eq(soon_chan_send(&buffered, &item), -EPIPE);
	return 0;
}

static int find_open(void *unused)
{
	int item = 4;

	(void)unused;
	cr_assert_eq(soon_chan_send(&buffered, &item), 0); /* and leaves it there */
	return 0;
}

static int find_left_items(void *unused)
{
	int item = 4;

	(void)unused;
	ASSERT_REPORTED(
		soon_chan_recv(&buffered, &item), -EOWNERDEAD, "soon_chan_recv", "initialise");
	soon_chan_fini(&buffered);
	cr_assert_eq(soon_chan_len(&buffered), 0);
	return use_and_close(NULL);
}

SOON_TEST_PLAIN(chan, static_channel_serves_one_run_after_another)
{
	cr_assert_eq(FAKE_RUN(NULL, use_and_close, NULL), 0);
	cr_assert_eq(FAKE_RUN(NULL, find_open, NULL), 0);
	cr_assert_eq(FAKE_RUN(NULL, find_left_items, NULL), 0);
}

static int wait_while_forking(void *unused)
{
	int status, item;
	pid_t pid;
	SOON_GROUP(g);

	(void)unused;
	cr_assert_eq(soon_spawn(&g, recv_one, &item), 0);
	turn();
	pid = fork();
	if (pid == 0) {
		soon_on_report(keep_report, NULL);
		int rc = FAKE_RUN(NULL, send_over_there, &meet);

		soon_chan_fini(&meet); /* forgets those whose run is not here */
		_exit(rc == -EOWNERDEAD && soon_report_errors() == 1 ? 7 : 8);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7, "status %#x", (unsigned)status);
	cr_assert_eq(soon_chan_close(&meet), 0);
	return (int)soon_group_close(&g, 0);
}

SOON_TEST_PLAIN(chan, waiters_of_the_parent_are_not_woken_by_its_child)
{
	cr_assert_eq(FAKE_RUN(NULL, wait_while_forking, NULL), 0);
}

static int recv_from_nobody(void *unused)
{
	int item;

	(void)unused;
	return soon_chan_recv(&meet, &item);
}

SOON_TEST_PLAIN(chan, waiting_for_nobody_is_a_proven_deadlock)
{
	ASSERT_REPORTED(
		FAKE_RUN(NULL, recv_from_nobody, NULL), -EDEADLK, "chan recv", "recv_from_nobody");
}

/* Making and misusing. */

FAKE_TEST(chan, open_fails_cleanly)
{
	soon_chan *chan = NULL;

	cr_assert_eq(soon_chan_open((size_t)1 << 20, (size_t)1 << 12, &chan), -E2BIG);
	cr_assert_eq(soon_chan_open(SIZE_MAX / 2, 3, &chan), -E2BIG);
	cr_assert_eq(soon_chan_open(SIZE_MAX, 0, &chan), -E2BIG);
	ASSERT_REPORTED(soon_chan_open(0, 3, &chan), -EINVAL, "soon_chan_open", "no bytes");
	soon_mem_fail_at(1);
	cr_assert_eq(soon_chan_open(8, 3, &chan), -ENOMEM);
	cr_assert_null(chan);
	soon_chan_destroy(chan);
}

/* Runs a body as the main task; in the child of ASSERT_ABORTS. */
#define IN_TASK(name)                                                                              \
	static int name##_task(void *unused);                                                      \
	static void name(void)                                                                     \
	{                                                                                          \
		(void)FAKE_RUN(NULL, name##_task, NULL);                                           \
	}                                                                                          \
	static int name##_task(void *unused __attribute__((unused)))

IN_TASK(send_short_item)
{
	short item = 0;

	return soon_chan_send(&meet, &item);
}

IN_TASK(fini_while_waited)
{
	int item;
	SOON_GROUP(g);

	(void)!soon_spawn(&g, recv_one, &item);
	(void)!soon_yield();
	soon_chan_fini(&meet);
	return (int)soon_group_close(&g, 0);
}

IN_TASK(destroy_static)
{
	soon_chan_destroy(&buffered);
	return 0;
}

SOON_TEST_PLAIN(chan, misuse_aborts)
{
	ASSERT_ABORTS(send_short_item, "an item of 2 bytes for a channel whose items have 4");
	ASSERT_ABORTS(fini_while_waited, "the first of them 'recv_one', spawned at");
	ASSERT_ABORTS(destroy_static, "soon_chan_destroy");
}

/* Under a thousand orders: what was sent is received once, what was not is not. */

enum { TASKS = 8, ITEMS_EACH = 12 };

struct world {
	uint64_t random;
	soon_chan *chan;
	bool was_sent[TASKS * ITEMS_EACH];
	bool was_received[TASKS * ITEMS_EACH];
	unsigned next_id, senders_left, cancelled;
};

static soon_ns random_time(struct world *w)
{
	return (soon_ns)random_below(&w->random, 4) * SOON_MS(1);
}

static int produce(struct world *w)
{
	unsigned id = w->next_id++;

	for (unsigned i = 0; i < ITEMS_EACH; i++) {
		int item = (int)(id * ITEMS_EACH + i);
		ssize_t rc = soon_within(random_time(w), soon_chan_send(w->chan, &item));

		cr_assert(rc == 0 || rc == -ETIMEDOUT || rc == -EPIPE, "%zd", rc);
		w->was_sent[item] = rc == 0;
		w->cancelled += rc == -ETIMEDOUT;
		if (random_below(&w->random, 4) == 0)
			cr_assert_eq(soon_sleep(random_time(w)), 0);
	}
	if (--w->senders_left == 0)
		cr_assert_eq(soon_chan_close(w->chan), 0);
	return 0;
}

static int consume(struct world *w)
{
	int last[TASKS];
	ssize_t rc;

	memset(last, -1, sizeof last);
	do {
		int item = -1;

		rc = soon_within(1 + random_time(w), soon_chan_recv(w->chan, &item));
		cr_assert(rc == 1 || rc == 0 || rc == -ETIMEDOUT, "%zd", rc);
		w->cancelled += rc == -ETIMEDOUT;
		if (rc != 1) {
			cr_assert_eq(item, -1);
			continue;
		}
		cr_assert_not(w->was_received[item]);
		w->was_received[item] = true;
		cr_assert_gt(item, last[item / ITEMS_EACH]);
		last[item / ITEMS_EACH] = item;
	} while (rc != 0);
	return 0;
}

static int pass_items(struct world *w)
{
	int rc = soon_chan_open(sizeof(int), random_below(&w->random, 4), &w->chan);
	SOON_GROUP(g);

	cr_assert_eq(rc, 0);
	memset(w->was_sent, 0, sizeof w->was_sent);
	memset(w->was_received, 0, sizeof w->was_received);
	w->next_id = 0;
	w->senders_left = TASKS;
	for (unsigned i = 0; i < TASKS; i++) {
		cr_assert_eq(soon_spawn(&g, produce, w), 0);
		if (i % 2 == 0)
			cr_assert_eq(soon_spawn(&g, consume, w), 0);
	}
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_chan_len(w->chan), 0);
	soon_chan_destroy(w->chan);
	cr_assert_eq(memcmp(w->was_sent, w->was_received, sizeof w->was_sent), 0);
	return 0;
}

SOON_TEST_PLAIN(chan, every_item_arrives_once_under_a_thousand_orders)
{
	struct world w = { 0 };

	FOR_SEEDS(&w, pass_items);
	cr_assert_gt(w.cancelled, SEEDS);
}
