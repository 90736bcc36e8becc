// SPDX-License-Identifier: Apache-2.0
/* Read-write locks: readers together, writers alone, and neither side waits for ever. */
#include <soon/rwlock.h>

#include "core.h"
#include "handle.h"
#include "sync_test.h"

static soon_rwlock lock = SOON_RWLOCK_INIT;
static struct trace trace;

FAKE_TEST(rwlock, locks_to_read_and_to_write)
{
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(soon_rwlock_lock_read(&lock), 0);
		cr_assert(soon_rwlock_is_reading(&lock));
		cr_assert_not(soon_rwlock_is_writing(&lock));
		cr_assert_eq(soon_rwlock_unlock(&lock), 0);
		cr_assert_eq(soon_rwlock_lock_write(&lock), 0);
		cr_assert_not(soon_rwlock_is_reading(&lock));
		cr_assert(soon_rwlock_is_writing(&lock));
		cr_assert_eq(soon_rwlock_unlock(&lock), 0);
	}
	cr_assert_eq(soon_rwlock_try_read(&lock), 0);
	cr_assert_eq(soon_rwlock_try_read(&lock), -EAGAIN);
	cr_assert_eq(soon_rwlock_try_write(&lock), -EAGAIN);
	cr_assert_eq(soon_rwlock_unlock(&lock), 0);
	cr_assert_eq(soon_rwlock_try_write(&lock), 0);
	cr_assert_eq(soon_rwlock_try_read(&lock), -EAGAIN);
	cr_assert_eq(soon_rwlock_try_write(&lock), -EAGAIN);
	cr_assert_eq(soon_rwlock_unlock(&lock), 0);
	cr_assert_eq(soon__task_self()->locks_held, 0);
}

/* Small letters read, capitals write; each stays inside over one sleep. */
static int use(int letter)
{
	bool is_writer = letter < 'a';
	int rc = is_writer ? soon_rwlock_lock_write(&lock) : soon_rwlock_lock_read(&lock);

	if (rc < 0)
		return rc;
	SOON_RWLOCK_OWN(&lock);
	cr_assert_eq(soon_rwlock_is_writing(&lock), is_writer);
	cr_assert_eq(soon_rwlock_is_reading(&lock), !is_writer);
	trace_add(&trace, (char)letter);
	rc = soon_sleep(SOON_S(1));
	trace_add(&trace, '.');
	return rc;
}

static void spawn_users(soon_group *group, const char *letters)
{
	for (; *letters; letters++)
		cr_assert_eq(soon_spawn(group, use, *letters), 0);
	cr_assert_eq(soon_yield(), 0);
}

FAKE_TEST(rwlock, readers_go_in_together_up_to_the_next_writer)
{
	SOON_GROUP(g);

	spawn_users(&g, "abCdeFGh");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "ab..C.de..F.G.h.");
}

FAKE_TEST(rwlock, reader_does_not_overtake_a_writer)
{
	SOON_GROUP(g);

	spawn_users(&g, "aB");
	cr_assert_eq(soon_rwlock_try_read(&lock), -EAGAIN);
	spawn_users(&g, "c");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "a.B.c.");
}

/* Readers who keep coming do not keep a writer out. */
static int read_again_and_again(const bool *is_over)
{
	while (!*is_over) {
		cr_assert_eq(soon_rwlock_lock_read(&lock), 0);
		cr_assert_eq(soon_sleep(SOON_MS(700)), 0);
		cr_assert_eq(soon_rwlock_unlock(&lock), 0);
	}
	return 0;
}

FAKE_TEST(rwlock, writer_does_not_starve)
{
	bool is_over = false;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, read_again_and_again, &is_over), 0);
	cr_assert_eq(soon_sleep(SOON_MS(300)), 0);
	cr_assert_eq(soon_spawn(&g, read_again_and_again, &is_over), 0);
	cr_assert_eq(soon_sleep(SOON_MS(300)), 0);
	cr_assert_eq(soon_within(SOON_S(1), soon_rwlock_lock_write(&lock)), 0);
	is_over = true;
	cr_assert_eq(soon_rwlock_unlock(&lock), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

FAKE_TEST(rwlock, is_not_locked_in_a_cancelled_scope)
{
	cr_assert_eq(IN_CANCELLED(soon_rwlock_lock_read(&lock)), -ECANCELED);
	cr_assert_eq(IN_CANCELLED(soon_rwlock_lock_write(&lock)), -ECANCELED);
	cr_assert_not(soon_rwlock_is_reading(&lock));
	cr_assert_eq(IN_CANCELLED(soon_rwlock_try_write(&lock)), 0);
	cr_assert_eq(IN_CANCELLED(soon_rwlock_unlock(&lock)), 0);
	cr_assert_eq(IN_CANCELLED(soon_rwlock_try_read(&lock)), 0);
	cr_assert_eq(IN_CANCELLED(soon_rwlock_unlock(&lock)), 0);
}

static int write_within(soon_ns timeout)
{
	ssize_t rc = soon_within(timeout, use('W'));

	return rc == -ETIMEDOUT ? 0 : (int)rc;
}

FAKE_TEST(rwlock, writer_who_gives_up_lets_readers_in)
{
	SOON_GROUP(g);

	spawn_users(&g, "a");
	cr_assert_eq(soon_spawn(&g, write_within, SOON_MS(100)), 0);
	spawn_users(&g, "bcD");
	cr_assert_str_eq(trace.text, "a");
	cr_assert_eq(soon_sleep(SOON_MS(200)), 0);
	cr_assert_str_eq(trace.text, "abc");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "abc...D.");
}

static int lock_with_result(int *ret_rc)
{
	bool is_writer = *ret_rc == 'W';

	*ret_rc = is_writer ? soon_rwlock_lock_write(&lock) : soon_rwlock_lock_read(&lock);
	return *ret_rc == 0 ? soon_rwlock_unlock(&lock) : 0;
}

FAKE_TEST(rwlock, cancel_after_being_let_in_comes_too_late)
{
	int reader1 = 'r', reader2 = 'r', writer = 'W';
	SOON_GROUP(g);

	cr_assert_eq(soon_rwlock_lock_write(&lock), 0);
	cr_assert_eq(soon_spawn(&g, lock_with_result, &reader1), 0);
	cr_assert_eq(soon_spawn(&g, lock_with_result, &reader2), 0);
	cr_assert_eq(soon_spawn(&g, lock_with_result, &writer), 0);
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_rwlock_unlock(&lock), 0);
	soon_group_cancel(&g, "test");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(reader1, 0);
	cr_assert_eq(reader2, 0);
	cr_assert_eq(writer, -ECANCELED);
	cr_assert_eq(soon_rwlock_try_write(&lock), 0);
	cr_assert_eq(soon_rwlock_unlock(&lock), 0);
}

static soon_task *spawn_named(soon_group *group, int letter)
{
	soon_task *task;

	cr_assert_eq(
		soon_spawn_with(group, &(soon_task_opts){ .ret_task = &task }, use, letter), 0);
	cr_assert_eq(soon_yield(), 0);
	return soon__handle_record(task);
}

FAKE_TEST(rwlock, wait_names_who_is_inside)
{
	soon_task *reader, *writer, *last;
	SOON_GROUP(g);

	reader = spawn_named(&g, 'a');
	writer = spawn_named(&g, 'B');
	last = spawn_named(&g, 'c');
	cr_assert_str_eq(writer->wait->what, "rwlock write");
	cr_assert_eq(writer->wait->holder(writer->wait), reader);
	cr_assert_str_eq(last->wait->what, "rwlock read");
	cr_assert_eq(last->wait->holder(last->wait), reader);
	cr_assert_eq(soon_sleep(SOON_MS(1500)), 0);
	cr_assert_eq(last->wait->holder(last->wait), writer);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "a.B.c.");
}

/* Misuse. */

FAKE_TEST(rwlock, locking_twice_or_to_upgrade_is_refused)
{
	cr_assert_eq(soon_rwlock_lock_read(&lock), 0);
	ASSERT_REPORTED(soon_rwlock_lock_read(&lock), -EDEADLK, "rwlock_lock_read", "to read");
	ASSERT_REPORTED(soon_rwlock_lock_write(&lock), -EDEADLK, "rwlock_lock_write", "to read");
	cr_assert_eq(soon_rwlock_unlock(&lock), 0);
	cr_assert_eq(soon_rwlock_lock_write(&lock), 0);
	ASSERT_REPORTED(soon_rwlock_lock_read(&lock), -EDEADLK, "rwlock_lock_read", "to write");
	ASSERT_REPORTED(soon_rwlock_lock_write(&lock), -EDEADLK, "rwlock_lock_write", "to write");
	cr_assert_eq(soon_rwlock_unlock(&lock), 0);
	cr_assert_eq(soon__task_self()->locks_held, 0);
}

static int unlock_others(void *unused)
{
	(void)unused;
	ASSERT_REPORTED(
		soon_rwlock_unlock(&lock), -EPERM, "unlock_others", "unlock_by_others_is_refused");
	return 0;
}

FAKE_TEST(rwlock, unlock_by_others_is_refused)
{
	ASSERT_REPORTED(soon_rwlock_unlock(&lock), -EPERM, "rwlock_unlock", "is free");
	for (int i = 0; i < 2; i++) {
		SOON_GROUP(g);

		cr_assert_eq(i ? soon_rwlock_lock_read(&lock) : soon_rwlock_lock_write(&lock), 0);
		cr_assert_eq(soon_spawn(&g, unlock_others, NULL), 0);
		cr_assert_eq(soon_group_close(&g, 0), 0);
		cr_assert_eq(soon_rwlock_unlock(&lock), 0);
	}
}

FAKE_TEST(rwlock, task_reads_a_few_at_once)
{
	soon_rwlock locks[SOON_RWLOCK_READS_MAX + 1] = { SOON_RWLOCK_INIT };

	for (int i = 0; i < SOON_RWLOCK_READS_MAX; i++)
		cr_assert_eq(soon_rwlock_lock_read(&locks[i]), 0);
	ASSERT_REPORTED(soon_rwlock_lock_read(&locks[SOON_RWLOCK_READS_MAX]), -ENOLCK,
		"task_reads_a_few", "reads 8 locks");
	ASSERT_REPORTED(soon_rwlock_try_read(&locks[SOON_RWLOCK_READS_MAX]), -ENOLCK,
		"task_reads_a_few", "reads 8 locks");
	cr_assert_eq(soon_rwlock_lock_write(&locks[SOON_RWLOCK_READS_MAX]), 0);
	cr_assert_eq(soon_rwlock_unlock(&locks[SOON_RWLOCK_READS_MAX]), 0);
	/* In another order than they were locked. */
	for (int i = 0; i < SOON_RWLOCK_READS_MAX; i++) {
		cr_assert(soon_rwlock_is_reading(&locks[i]));
		cr_assert_eq(soon_rwlock_unlock(&locks[i]), 0);
		cr_assert_not(soon_rwlock_is_reading(&locks[i]));
		cr_assert_eq(soon_rwlock_try_write(&locks[i]), 0);
		cr_assert_eq(soon_rwlock_unlock(&locks[i]), 0);
	}
}

SOON_TEST_PLAIN(rwlock, needs_a_core)
{
	ASSERT_REPORTED(soon_rwlock_lock_read(&lock), -EPERM, "rwlock_lock_read", "runs no core");
	ASSERT_REPORTED(soon_rwlock_lock_write(&lock), -EPERM, "rwlock_lock_write", "runs no");
	ASSERT_REPORTED(soon_rwlock_try_read(&lock), -EPERM, "rwlock_try_read", "in a task");
	ASSERT_REPORTED(soon_rwlock_try_write(&lock), -EPERM, "rwlock_try_write", "in a task");
	ASSERT_REPORTED(soon_rwlock_unlock(&lock), -EPERM, "rwlock_unlock", "none runs here");
	cr_assert_not(soon_rwlock_is_reading(&lock));
	cr_assert_not(soon_rwlock_is_writing(&lock));
}

static int lock_and_leave(bool as_writer)
{
	return as_writer ? soon_rwlock_lock_write(&lock) : soon_rwlock_lock_read(&lock);
}

static ssize_t leave_locked(bool as_writer)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, lock_and_leave, as_writer), 0);
	return soon_group_close(&g, 0);
}

FAKE_TEST(rwlock, left_by_a_task_that_ended_is_owner_dead)
{
	ASSERT_REPORTED(leave_locked(true), 0, "lock_and_leave", "held 1 lock");
	ASSERT_REPORTED(soon_rwlock_lock_read(&lock), -EOWNERDEAD, "lock_read", "lock_and_leave");
	ASSERT_REPORTED(soon_rwlock_lock_write(&lock), -EOWNERDEAD, "lock_write", "ended");
	ASSERT_REPORTED(soon_rwlock_try_read(&lock), -EOWNERDEAD, "try_read", "lock_and_leave");
	ASSERT_REPORTED(soon_rwlock_try_write(&lock), -EOWNERDEAD, "try_write", "ended");
	ASSERT_REPORTED(soon_rwlock_unlock(&lock), -EPERM, "rwlock_unlock", "lock_and_leave");
	soon_rwlock_init(&lock);
	ASSERT_REPORTED(leave_locked(false), 0, "lock_and_leave", "held 1 lock");
	ASSERT_REPORTED(soon_rwlock_lock_write(&lock), -EOWNERDEAD, "lock_write", "ended");
	/* Who only wants to read does not wait for it. */
	cr_assert_eq(soon_rwlock_lock_read(&lock), 0);
	cr_assert_eq(soon_rwlock_unlock(&lock), 0);
}

/* Runs after runs and beside runs. */

static int use_once(void *unused)
{
	SOON_GROUP(g);

	(void)unused;
	trace = (struct trace){ 0 };
	spawn_users(&g, "aBc");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "a.B.c.");
	return 0;
}

SOON_TEST_PLAIN(rwlock, serves_one_run_after_another)
{
	for (int i = 0; i < 3; i++)
		cr_assert_eq(FAKE_RUN(NULL, use_once, NULL), 0);
	cr_assert_eq(on_other_core(use_once, NULL), 0);
}

static int find_left(void *unused)
{
	(void)unused;
	ASSERT_REPORTED(soon_rwlock_lock_read(&lock), -EOWNERDEAD, "left in use", "lock_and_leave");
	ASSERT_REPORTED(soon_rwlock_lock_write(&lock), -EOWNERDEAD, "left in use", "'find_left'");
	ASSERT_REPORTED(soon_rwlock_try_read(&lock), -EOWNERDEAD, "left in use", "'find_left'");
	ASSERT_REPORTED(soon_rwlock_try_write(&lock), -EOWNERDEAD, "left in use", "'find_left'");
	ASSERT_REPORTED(soon_rwlock_unlock(&lock), -EOWNERDEAD, "left in use", "'find_left'");
	cr_assert_not(soon_rwlock_is_writing(&lock));
	soon_rwlock_init(&lock);
	return use_once(NULL);
}

SOON_TEST_PLAIN(rwlock, left_by_a_run_that_ended_is_owner_dead)
{
	ASSERT_REPORTED(FAKE_RUN(NULL, lock_and_leave, true), 0, "lock_and_leave", "ended");
	cr_assert_eq(FAKE_RUN(NULL, find_left, NULL), 0);
	ASSERT_REPORTED(FAKE_RUN(NULL, lock_and_leave, false), 0, "lock_and_leave", "ended");
	cr_assert_eq(FAKE_RUN(NULL, find_left, NULL), 0);
}

static int refused_elsewhere(void *unused)
{
	(void)unused;
	ASSERT_REPORTED(soon_rwlock_lock_read(&lock), -EPERM, "another core", "_is_refused_");
	ASSERT_REPORTED(soon_rwlock_lock_write(&lock), -EPERM, "another core", "_is_refused_");
	ASSERT_REPORTED(soon_rwlock_try_read(&lock), -EPERM, "another core", "_is_refused_");
	ASSERT_REPORTED(soon_rwlock_try_write(&lock), -EPERM, "another core", "_is_refused_");
	ASSERT_REPORTED(soon_rwlock_unlock(&lock), -EPERM, "another core", "_is_refused_");
	return 0;
}

FAKE_TEST(rwlock, held_on_one_core_is_refused_on_another)
{
	cr_assert_eq(soon_rwlock_lock_read(&lock), 0);
	cr_assert_eq(on_other_core(refused_elsewhere, NULL), 0);
	cr_assert_eq(soon_rwlock_unlock(&lock), 0);
	cr_assert_eq(soon_rwlock_lock_write(&lock), 0);
	cr_assert_eq(on_other_core(refused_elsewhere, NULL), 0);
	cr_assert_eq(soon_rwlock_unlock(&lock), 0);
	/* Free, and nobody ever waited for it: it may move. */
	cr_assert_eq(on_other_core(use_once, NULL), 0);
}

/* Any order: one writer or readers inside, writers served in order, nobody left behind. */

struct world {
	uint64_t random;
	soon_rwlock lock;
	unsigned readers, writers;
	uint64_t asked, served; /* tickets; the last one of a writer */
	unsigned cancelled, together;
};

static void stay(struct world *w, bool as_writer, uint64_t ticket)
{
	if (as_writer) {
		cr_assert_eq(w->writers++, 0);
		cr_assert_eq(w->readers, 0);
		cr_assert_gt(ticket, w->served);
		w->served = ticket;
	} else {
		cr_assert_eq(w->writers, 0);
		cr_assert_gt(ticket, w->served); /* no writer who came later is through */
		w->together += w->readers++ > 0;
	}
	cr_assert_eq(soon_sleep((soon_ns)random_below(&w->random, 4)), 0);
	if (as_writer)
		w->writers--;
	else
		w->readers--;
	cr_assert_eq(soon_rwlock_unlock(&w->lock), 0);
}

static int use_randomly(struct world *w)
{
	for (uint64_t i = 1 + random_below(&w->random, 4); i > 0; i--) {
		bool as_writer = random_below(&w->random, 3) == 0;
		uint64_t ticket = ++w->asked;
		ssize_t rc = soon_within((soon_ns)random_below(&w->random, 8),
			as_writer ? soon_rwlock_lock_write(&w->lock)
				  : soon_rwlock_lock_read(&w->lock));

		if (rc == -ETIMEDOUT) {
			w->cancelled++;
			continue;
		}
		cr_assert_eq(rc, 0);
		stay(w, as_writer, ticket);
	}
	return 0;
}

static int use_in_any_order(struct world *w)
{
	SOON_GROUP(g);

	w->asked = w->served = 0;
	for (int i = 0; i < 8; i++)
		cr_assert_eq(soon_spawn(&g, use_randomly, w), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_rwlock_try_write(&w->lock), 0);
	return soon_rwlock_unlock(&w->lock);
}

SOON_TEST_PLAIN(rwlock, excludes_and_keeps_the_order_under_a_thousand_orders)
{
	struct world w = { .lock = SOON_RWLOCK_INIT };

	FOR_SEEDS(&w, use_in_any_order);
	cr_assert_gt(w.cancelled, SEEDS);
	cr_assert_gt(w.together, SEEDS);
}
