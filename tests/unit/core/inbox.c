// SPDX-License-Identifier: Apache-2.0
/* Posts and the inbox on one thread: what is accepted runs, in order, in bounded portions. */
#include "inbox.h"

#include "core/spi/poller.h"

#include "core.h"
#include "fake_test.h"

#include <stdlib.h>

static unsigned rings;

static void ring(struct soon__poller *poller)
{
	(void)poller;
	rings++;
}

/* A core that is nothing but an inbox and its doorbell. */
static soon_core *bare_core(void)
{
	static const struct soon__poller_ops ops = { .name = "bell", .wake = ring };
	static struct soon__poller poller = { .ops = &ops };
	static soon_core core;

	core.poller = &poller;
	soon__inbox_init(&core.inbox);
	return &core;
}

struct note {
	soon_callback callback;
	int id;
};

static int order[2000];
static int order_len;

static void note_run(soon_callback *callback)
{
	order[order_len++] = SOON_CONTAINER_OF(callback, struct note, callback)->id;
}

static struct note *notes_create(int count)
{
	struct note *notes = calloc((size_t)count, sizeof *notes);

	cr_assert_not_null(notes);
	for (int i = 0; i < count; i++)
		notes[i] = (struct note){ .callback = { .fn = note_run }, .id = i };
	return notes;
}

SOON_TEST_PLAIN(inbox, closed_one_refuses)
{
	soon_core *core = bare_core();
	struct note note = { .callback = { .fn = note_run } };

	cr_assert_eq(soon_post(core, &note.callback), -ESHUTDOWN);
	soon__inbox_open(&core->inbox);
	cr_assert_eq(soon_post(core, &note.callback), 0);
	soon__inbox_close(&core->inbox);
	cr_assert_eq(order_len, 1);
	cr_assert_eq(soon_post(core, &note.callback), -ESHUTDOWN);
	soon__inbox_close(&core->inbox);
	cr_assert_eq(order_len, 1);
}

/* First in, first out, over portions and over what comes in between. */
SOON_TEST_PLAIN(inbox, drains_in_order_and_in_portions)
{
	soon_core *core = bare_core();
	struct note *notes = notes_create(700);

	soon__inbox_open(&core->inbox);
	cr_assert_not(soon__inbox_is_due(&core->inbox));
	cr_assert_eq(soon__inbox_drain(&core->inbox, 256), 0);
	for (int i = 0; i < 600; i++)
		cr_assert_eq(soon_post(core, &notes[i].callback), 0);
	cr_assert(soon__inbox_is_due(&core->inbox));
	cr_assert_eq(soon__inbox_drain(&core->inbox, 256), 256);
	for (int i = 600; i < 700; i++)
		cr_assert_eq(soon_post(core, &notes[i].callback), 0);
	cr_assert_eq(soon__inbox_drain(&core->inbox, 256), 256);
	cr_assert_eq(soon__inbox_drain(&core->inbox, 256), 88);
	cr_assert_eq(soon__inbox_drain(&core->inbox, 256), 100);
	cr_assert_not(soon__inbox_is_due(&core->inbox));
	cr_assert_eq(order_len, 700);
	for (int i = 0; i < 700; i++)
		cr_assert_eq(order[i], i);
	soon__inbox_close(&core->inbox);
	free(notes);
}

SOON_TEST_PLAIN(inbox, posting_what_waits_already_changes_nothing)
{
	soon_core *core = bare_core();
	struct note *notes = notes_create(2);

	soon__inbox_open(&core->inbox);
	cr_assert_eq(soon_post(core, &notes[0].callback), 0);
	cr_assert_eq(soon_post(core, &notes[1].callback), 0);
	cr_assert_eq(soon_post(core, &notes[0].callback), 0);
	cr_assert_eq(soon__inbox_drain(&core->inbox, 256), 2);
	cr_assert_eq(soon_post(core, &notes[0].callback), 0);
	cr_assert_eq(soon__inbox_drain(&core->inbox, 256), 1);
	soon__inbox_close(&core->inbox);
	free(notes);
}

struct again {
	soon_callback callback;
	soon_core *core;
	int runs, rc;
};

static void post_again(soon_callback *callback)
{
	struct again *self = SOON_CONTAINER_OF(callback, struct again, callback);

	self->runs++;
	self->rc = soon_post(self->core, callback);
}

SOON_TEST_PLAIN(inbox, callback_that_posts_itself_runs_once_per_drain)
{
	struct again again = { .callback = { .fn = post_again }, .core = bare_core() };
	struct soon__inbox *inbox = &again.core->inbox;

	soon__inbox_open(inbox);
	cr_assert_eq(soon_post(again.core, &again.callback), 0);
	for (int i = 1; i <= 5; i++) {
		cr_assert_eq(soon__inbox_drain(inbox, 256), 1);
		cr_assert_eq(again.runs, i);
		cr_assert_eq(again.rc, 0);
	}
	soon__inbox_close(inbox);
	cr_assert_eq(again.runs, 6);
	cr_assert_eq(again.rc, -ESHUTDOWN);
}

static void free_itself(soon_callback *callback)
{
	order_len++;
	free(callback);
}

SOON_TEST_PLAIN(inbox, callback_may_free_itself)
{
	soon_core *core = bare_core();

	soon__inbox_open(&core->inbox);
	for (int i = 0; i < 10; i++) {
		soon_callback *callback = calloc(1, sizeof *callback);

		cr_assert_not_null(callback);
		callback->fn = free_itself;
		cr_assert_eq(soon_post(core, callback), 0);
	}
	cr_assert_eq(soon__inbox_drain(&core->inbox, 4), 4);
	soon__inbox_close(&core->inbox);
	cr_assert_eq(order_len, 10);
}

SOON_TEST_PLAIN(inbox, bell_rings_once_per_sleep)
{
	soon_core *core = bare_core();
	struct soon__inbox *inbox = &core->inbox;
	struct note *notes = notes_create(4);

	soon__inbox_open(inbox);
	cr_assert_eq(soon_post(core, &notes[0].callback), 0);
	cr_assert_eq(rings, 0);
	cr_assert_not(soon__inbox_prepare_sleep(inbox, SOON__INBOX_ASLEEP));
	cr_assert_eq(soon__inbox_drain(inbox, 256), 1);

	cr_assert(soon__inbox_prepare_sleep(inbox, SOON__INBOX_ASLEEP));
	cr_assert_eq(soon_post(core, &notes[1].callback), 0);
	cr_assert_eq(rings, 1);
	cr_assert_eq(soon_post(core, &notes[2].callback), 0);
	cr_assert_eq(rings, 1);
	soon__inbox_awake(inbox, SOON__INBOX_ASLEEP);
	cr_assert_eq(soon__inbox_drain(inbox, 1), 1);
	cr_assert_not(soon__inbox_prepare_sleep(inbox, SOON__INBOX_ASLEEP));
	cr_assert_eq(soon__inbox_drain(inbox, 1), 1);

	cr_assert(soon__inbox_prepare_sleep(inbox, SOON__INBOX_ASLEEP));
	soon__inbox_awake(inbox, SOON__INBOX_ASLEEP);
	cr_assert_eq(soon_post(core, &notes[3].callback), 0);
	cr_assert_eq(rings, 1);
	soon__inbox_close(inbox);
	cr_assert_eq(order_len, 4);
	free(notes);
}

/* A consumer that sleeps on the word is woken there, and the poller hears nothing of it. */
SOON_TEST_PLAIN(inbox, parked_one_needs_no_bell)
{
	soon_core *core = bare_core();
	struct soon__inbox *inbox = &core->inbox;
	struct note *notes = notes_create(2);

	soon__inbox_open(inbox);
	cr_assert(soon__inbox_prepare_sleep(inbox, SOON__INBOX_PARKED));
	soon__inbox_park(inbox, 1); /* a time long past */
	cr_assert_eq(soon_post(core, &notes[0].callback), 0);
	soon__inbox_park(inbox, SOON_NEVER); /* the mark has gone */
	cr_assert_eq(soon_post(core, &notes[1].callback), 0);
	soon__inbox_awake(inbox, SOON__INBOX_PARKED);
	cr_assert_eq(soon__inbox_drain(inbox, 256), 2);
	cr_assert(soon__inbox_prepare_sleep(inbox, SOON__INBOX_PARKED));
	soon__inbox_awake(inbox, SOON__INBOX_PARKED);
	soon__inbox_close(inbox);
	cr_assert_eq(rings, 0);
	free(notes);
}

/* On a whole core. */

static int post_and_leave(struct note *note)
{
	return soon_post(soon_core_self(), &note->callback);
}

SOON_TEST_PLAIN(inbox, accepted_runs_before_the_run_ends)
{
	struct note note = { .callback = { .fn = note_run } };

	cr_assert_eq(FAKE_RUN(NULL, post_and_leave, &note), 0);
	cr_assert_eq(order_len, 1);
}

static int post_for_ever(struct again *again)
{
	again->core = soon_core_self();
	return soon_post(again->core, &again->callback);
}

SOON_TEST_PLAIN(inbox, callback_that_posts_itself_does_not_keep_the_run)
{
	struct again again = { .callback = { .fn = post_again } };

	cr_assert_eq(FAKE_RUN(NULL, post_for_ever, &again), 0);
	cr_assert_gt(again.runs, 0);
	cr_assert_eq(again.rc, -ESHUTDOWN);
}

static soon_core *past_core;

static int note_core(void *unused)
{
	(void)unused;
	past_core = soon_core_self();
	return 0;
}

SOON_TEST_PLAIN(inbox, stale_pointer_meets_a_closed_inbox)
{
	struct note note = { .callback = { .fn = note_run } };

	cr_assert_eq(FAKE_RUN(NULL, note_core, NULL), 0);
	cr_assert_eq(soon_post(past_core, &note.callback), -ESHUTDOWN);
	cr_assert_eq(order_len, 0);
}

static void no_task_runs(soon_callback *callback)
{
	(void)callback;
	cr_assert_null(soon_self());
	cr_assert_str_eq(soon_task_name(NULL), "(none)");
	order_len++;
}

FAKE_TEST(inbox, callback_is_outside_any_task)
{
	soon_callback callback = { .fn = no_task_runs };

	cr_assert_eq(soon_post(soon_core_self(), &callback), 0);
	while (order_len == 0)
		cr_assert_eq(soon_yield(), 0);
}

enum { LATE = 400 }; /* more than one pass runs */

static struct {
	soon_callback callbacks[LATE];
	unsigned refused, accepted, ran;
} late;

static int late_task(void *unused)
{
	(void)unused;
	late.ran++;
	return 0;
}

static void late_spawn(soon_callback *callback)
{
	int rc = soon_background(late_task, NULL);

	(void)callback;
	cr_assert(rc == 0 || rc == -ESHUTDOWN, "%d", rc);
	if (rc == 0)
		late.accepted++;
	else
		late.refused++;
}

static int post_and_end(void *unused)
{
	(void)unused;
	for (unsigned i = 0; i < LATE; i++) {
		late.callbacks[i].fn = late_spawn;
		cr_assert_eq(soon_post(soon_core_self(), &late.callbacks[i]), 0);
	}
	return 0;
}

static void late_run_out(soon_callback *callback)
{
	(void)callback;
	order_len++;
}

static int post_more_than_a_pass(void *unused)
{
	(void)unused;
	for (unsigned i = 0; i < LATE; i++) {
		late.callbacks[i].fn = i < LATE - 1 ? late_run_out : late_spawn;
		cr_assert_eq(soon_post(soon_core_self(), &late.callbacks[i]), 0);
	}
	return 0;
}

SOON_TEST_PLAIN(inbox, tasks_asked_for_by_a_callback_after_main_run)
{
	cr_assert_eq(FAKE_RUN(NULL, post_and_end, NULL), 0);
	cr_assert_eq(late.accepted + late.refused, LATE);
	cr_assert_gt(late.accepted, 0);
	cr_assert_eq(late.ran, late.accepted);
}

/* The last callbacks run while the core closes: no task could run any more. */
SOON_TEST_PLAIN(inbox, task_asked_for_while_the_core_closes_is_refused)
{
	cr_assert_eq(FAKE_RUN(NULL, post_more_than_a_pass, NULL), 0);
	cr_assert_eq(order_len, LATE - 1);
	cr_assert_eq(late.refused, 1);
	cr_assert_eq(late.ran, 0);
}
