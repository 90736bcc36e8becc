// SPDX-License-Identifier: Apache-2.0
/*
 * Every call that belongs to a core, made from elsewhere: on a thread that runs no core, on another
 * core, and in a callback, which is on the core and in no task. Each is refused with a report that
 * names both parties, and leaves what it was about as it was.
 */
#include <soon/chan.h>
#include <soon/dump.h>
#include <soon/event.h>
#include <soon/gen.h>
#include <soon/handshake.h>
#include <soon/herd.h>
#include <soon/local.h>
#include <soon/mutex.h>
#include <soon/rwlock.h>
#include <soon/sem.h>
#include <soon/start.h>

#include "sync_test.h"

SOON_GEN(numbers, int, int limit)
{
	for (int i = 0; i < limit; i++) {
		int rc = soon_emit(&i);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* One of each, in use on the first core: with somebody who waits where one can. */
static struct {
	soon_group *group;
	soon_scope *scope;
	soon_task *task;
	numbers_iter *iter;
	soon_mutex mutex, conds_mutex;
	soon_cond cond;
	soon_rwlock rwlock;
	soon_sem sem;
	soon_limiter limiter;
	soon_loan loan;
	soon_event event;
	soon_barrier barrier;
	soon_gate gate;
	soon_handshake handshake;
	soon_seq seq;
	soon_herd herd;
	soon_chan chan;
} of;

static int item = 1, value;
static const soon_local key;
static soon_loan own_loan;

static int look(int *ptr)
{
	return *ptr;
}

static int nothing(int unused)
{
	return unused;
}

static int fly(void *arg, const void *bytes, size_t key_bytes, void *ret_value)
{
	(void)arg;
	(void)bytes;
	(void)key_bytes;
	*(int *)ret_value = 1;
	return soon_sleep(SOON_S(1));
}

static int select_one(int (*select_fn)(soon_case *, size_t))
{
	soon_case cases[] = { SOON_RECV(&of.chan, &value) };

	return select_fn(cases, 1);
}

/* What has no result gives what its refusal stands for. */
#define REFUSED(statement) (statement, -EPERM)

#define CALL(name, expr)                                                                           \
	static int make_##name(void)                                                               \
	{                                                                                          \
		return (int)(expr);                                                                \
	}
CALL(spawn, soon_spawn(of.group, nothing, 0))
CALL(spawn_copy, soon_spawn_copy(of.group, look, &item))
CALL(start, soon_start(of.group, nothing, 0))
CALL(background, soon_background(nothing, 0))
CALL(group_cancel, REFUSED(soon_group_cancel(of.group, "test")))
CALL(group_drain, REFUSED(soon_group_drain(of.group, 1)))
CALL(group_failures, soon_group_failures(of.group, NULL, 0) == 0 ? -EPERM : 0)
CALL(group_live, soon_group_live(of.group) == 0 ? -EPERM : 0)
CALL(group_watch, soon_group_watch(of.group, of.task))
CALL(group_forget, soon_group_forget(of.group, of.task) ? 0 : -EPERM)
CALL(group_defer, soon_group_defer(of.group, nothing, 0))
CALL(scope_cancel, REFUSED(soon_scope_cancel(of.scope, "test")))
CALL(scope_deadline, soon_scope_deadline(of.scope, 1))
CALL(join, soon_join(of.task, NULL))
CALL(cancel_join, soon_cancel_join(of.task))
CALL(task_cancel, REFUSED(soon_task_cancel(of.task, "test")))
CALL(yield, soon_yield())
CALL(sleep, soon_sleep(1))
CALL(sleep_until, soon_sleep_until(1))
CALL(checkpoint, soon_checkpoint())
CALL(all, soon_all(&(soon_work){ 0 }, 1, NULL, NULL))
CALL(offload, soon_offload(nothing, 0))
CALL(local_set, soon_local_set(&key, &item))
CALL(mutex_lock, soon_mutex_lock(&of.mutex))
CALL(mutex_try_lock, soon_mutex_try_lock(&of.mutex))
CALL(mutex_unlock, soon_mutex_unlock(&of.mutex))
CALL(cond_wait, soon_cond_wait(&of.cond, &of.mutex))
CALL(cond_signal, soon_cond_signal(&of.cond))
CALL(cond_broadcast, soon_cond_broadcast(&of.cond))
CALL(rwlock_lock_read, soon_rwlock_lock_read(&of.rwlock))
CALL(rwlock_lock_write, soon_rwlock_lock_write(&of.rwlock))
CALL(rwlock_try_read, soon_rwlock_try_read(&of.rwlock))
CALL(rwlock_try_write, soon_rwlock_try_write(&of.rwlock))
CALL(rwlock_unlock, soon_rwlock_unlock(&of.rwlock))
CALL(sem_acquire, soon_sem_acquire(&of.sem, 1))
CALL(sem_try_acquire, soon_sem_try_acquire(&of.sem, 1))
CALL(sem_release, soon_sem_release(&of.sem, 1))
CALL(limiter_acquire, soon_limiter_acquire(&of.limiter, &own_loan))
CALL(limiter_acquire_for, soon_limiter_acquire_for(&of.limiter, &own_loan, &item))
CALL(limiter_try_acquire, soon_limiter_try_acquire(&of.limiter, &own_loan))
CALL(limiter_try_acquire_for, soon_limiter_try_acquire_for(&of.limiter, &own_loan, &item))
CALL(limiter_release, soon_limiter_release(&of.limiter, &of.loan))
CALL(limiter_resize, soon_limiter_resize(&of.limiter, 9))
CALL(event_wait, soon_event_wait(&of.event))
CALL(event_set, soon_event_set(&of.event))
CALL(event_clear, soon_event_clear(&of.event))
CALL(barrier_wait, soon_barrier_wait(&of.barrier))
CALL(barrier_abort, soon_barrier_abort(&of.barrier))
CALL(barrier_reset, soon_barrier_reset(&of.barrier))
CALL(gate_enter, soon_gate_enter(&of.gate))
CALL(gate_leave, soon_gate_leave(&of.gate))
CALL(gate_close, soon_gate_close(&of.gate))
CALL(handshake_await, soon_handshake_await(&of.handshake))
CALL(handshake_signal, soon_handshake_signal(&of.handshake))
CALL(handshake_signal_nowait, soon_handshake_signal_nowait(&of.handshake))
CALL(seq_enter, soon_seq_enter(&of.seq, 7))
CALL(seq_leave, soon_seq_leave(&of.seq))
CALL(herd_do, soon_herd_do(&of.herd, &item, sizeof item, fly, NULL, &value, sizeof value))
CALL(chan_send, soon_chan_send(&of.chan, &item))
CALL(chan_recv, soon_chan_recv(&of.chan, &value))
CALL(chan_try_send, soon_chan_try_send(&of.chan, &item))
CALL(chan_try_recv, soon_chan_try_recv(&of.chan, &value))
CALL(chan_close, soon_chan_close(&of.chan))
CALL(select, select_one(soon_select))
CALL(try_select, select_one(soon_try_select))
CALL(scope_expired, soon_scope_expired(of.scope) ? 0 : -EPERM)
CALL(sem_count, soon_sem_count(&of.sem) == 0 ? -EPERM : 0)
CALL(limiter_borrowed, soon_limiter_borrowed(&of.limiter) == 0 ? -EPERM : 0)
CALL(limiter_tokens, soon_limiter_tokens(&of.limiter) == 0 ? -EPERM : 0)
CALL(limiter_waiting, soon_limiter_waiting(&of.limiter) == 0 ? -EPERM : 0)
CALL(event_is_set, soon_event_is_set(&of.event) ? 0 : -EPERM)
CALL(barrier_waiting, soon_barrier_waiting(&of.barrier) == 0 ? -EPERM : 0)
CALL(gate_count, soon_gate_count(&of.gate) == 0 ? -EPERM : 0)
CALL(gate_is_closed, soon_gate_is_closed(&of.gate) ? 0 : -EPERM)
CALL(handshake_is_set, soon_handshake_is_set(&of.handshake) ? 0 : -EPERM)
CALL(seq_is_broken, soon_seq_is_broken(&of.seq) ? 0 : -EPERM)
CALL(herd_count, soon_herd_count(&of.herd) == 0 ? -EPERM : 0)
CALL(chan_len, soon_chan_len(&of.chan) == 0 ? -EPERM : 0)
CALL(chan_is_closed, soon_chan_is_closed(&of.chan) ? 0 : -EPERM)
CALL(next, soon_next(*of.iter, &value))
CALL(gen_close, soon_gen_close(*of.iter))

enum {
	T = 1u << 0, /* is refused on a thread that runs no core */
	O = 1u << 1, /* is refused in a task of another core */
	C = 1u << 2, /* is refused in a callback of its core */
};

static const struct call {
	const char *name; /* what the report calls it */
	int (*make)(void);
	unsigned where;
} calls[] = {
#define ROW_SAYS(name, said, where)                                                                \
	{                                                                                          \
		"soon_" said, make_##name, where                                                   \
	}
#define ROW(name, where) ROW_SAYS(name, #name, where)
	ROW(spawn, T | O),
	ROW_SAYS(spawn_copy, "spawn", T | O),
	ROW(start, T | C),
	ROW_SAYS(start, "spawn", O),
	ROW(background, T),
	ROW(group_cancel, T | O),
	ROW(group_drain, T | O),
	ROW(group_failures, T | O),
	ROW(group_live, T | O),
	ROW(group_watch, T | O),
	ROW(group_forget, T | O),
	ROW(group_defer, T | O),
	ROW(scope_cancel, T | O),
	ROW(scope_deadline, T | O),
	ROW(join, T | O | C),
	ROW(cancel_join, T | O | C),
	ROW(task_cancel, T | O),
	ROW(yield, T | C),
	ROW(sleep, T | C),
	ROW_SAYS(sleep_until, "sleep", T | C),
	ROW(checkpoint, T | C),
	ROW(all, T | C),
	ROW(offload, T | C),
	ROW(local_set, T | C),
	ROW(mutex_lock, T | O | C),
	ROW(mutex_try_lock, T | O | C),
	ROW(mutex_unlock, T | O | C),
	ROW(cond_wait, T | O | C),
	ROW(cond_signal, T | O),
	ROW(cond_broadcast, T | O),
	ROW(rwlock_lock_read, T | O | C),
	ROW(rwlock_lock_write, T | O | C),
	ROW(rwlock_try_read, T | O | C),
	ROW(rwlock_try_write, T | O | C),
	ROW(rwlock_unlock, T | O | C),
	ROW(sem_acquire, T | O | C),
	ROW(sem_try_acquire, T | O),
	ROW(sem_release, T | O),
	ROW(limiter_acquire, T | O | C),
	ROW_SAYS(limiter_acquire_for, "limiter_acquire", T | O | C),
	ROW(limiter_try_acquire, T | O | C),
	ROW_SAYS(limiter_try_acquire_for, "limiter_try_acquire", T | O),
	ROW(limiter_release, T | O | C),
	ROW(limiter_resize, T | O),
	ROW(event_wait, T | O | C),
	ROW(event_set, T | O),
	ROW(event_clear, T | O),
	ROW(barrier_wait, T | O | C),
	ROW(barrier_abort, T | O),
	ROW(barrier_reset, T | O),
	ROW(gate_enter, T | O),
	ROW(gate_leave, T | O),
	ROW(gate_close, T | O | C),
	ROW(handshake_await, T | O | C),
	ROW(handshake_signal, T | O | C),
	ROW(handshake_signal_nowait, T | O),
	ROW(seq_enter, T | O | C),
	ROW(seq_leave, T | O),
	ROW(herd_do, T | O | C),
	ROW(chan_send, T | O | C),
	ROW(chan_recv, T | O | C),
	ROW(chan_try_send, T | O),
	ROW(chan_try_recv, T | O),
	ROW(chan_close, T | O),
	ROW(select, T | O | C),
	ROW(try_select, T | O),
	ROW(scope_expired, T | O),
	ROW(sem_count, T | O),
	ROW(limiter_borrowed, T | O),
	ROW(limiter_tokens, T | O),
	ROW(limiter_waiting, T | O),
	ROW(event_is_set, T | O),
	ROW(barrier_waiting, T | O),
	ROW(gate_count, T | O),
	ROW(gate_is_closed, T | O),
	ROW(handshake_is_set, T | O),
	ROW(seq_is_broken, T | O),
	ROW(herd_count, T | O),
	ROW(chan_len, T | O),
	ROW(chan_is_closed, T | O),
	ROW(next, T | O | C),
	ROW(gen_close, T | O | C),
};

/* Makes the calls that are refused there; the report has to have both texts. */
static void make_calls(unsigned where, const char *text)
{
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		uint64_t before = soon_report_errors();

		if (!(calls[i].where & where))
			continue;
		report_text[0] = '\0';
		cr_assert_eq(calls[i].make(), -EPERM, "%s", calls[i].name);
		cr_assert_eq(soon_report_errors() - before, 1, "%s", calls[i].name);
		cr_assert_not_null(strstr(report_text, calls[i].name), "%s said: %s", calls[i].name,
			report_text);
		cr_assert_not_null(
			strstr(report_text, text), "%s said: %s", calls[i].name, report_text);
		soon_test_reports_expected++;
	}
}

static int wait_at_cond(void)
{
	int rc = soon_mutex_lock(&of.conds_mutex);

	if (rc == 0) {
		rc = soon_cond_wait(&of.cond, &of.conds_mutex);
		soon_mutex_unlock(&of.conds_mutex);
	}
	return rc;
}

static int wait_at_limiter(void)
{
	soon_loan loan = SOON_LOAN_INIT;
	int rc = soon_limiter_acquire(&of.limiter, &loan);

	if (rc == 0)
		rc = soon_limiter_release(&of.limiter, &loan);
	return rc;
}

/* Tasks that use the objects of `of` until they are cancelled. */
#define USER(name, expr)                                                                           \
	static int use_##name(int unused)                                                          \
	{                                                                                          \
		(void)unused;                                                                      \
		return (int)(expr);                                                                \
	}
USER(mutex, soon_mutex_lock(&of.mutex) == 0 ? soon_mutex_unlock(&of.mutex) : 0)
USER(cond, wait_at_cond())
USER(sem, soon_sem_acquire(&of.sem, 1))
USER(limiter, wait_at_limiter())
USER(event, soon_event_wait(&of.event))
USER(barrier, soon_barrier_wait(&of.barrier))
USER(handshake, soon_handshake_await(&of.handshake))
USER(seq, soon_seq_enter(&of.seq, 5))
USER(herd, soon_herd_do(&of.herd, &item, sizeof item, fly, NULL, &value, sizeof value))
USER(chan, soon_chan_recv(&of.chan, &value))

static int (*const users[])(int) = { use_mutex, use_cond, use_sem, use_limiter, use_event,
	use_barrier, use_handshake, use_seq, use_herd, use_chan };

static void put_to_use(soon_group *group)
{
	soon_sem_init(&of.sem, 0);
	soon_limiter_init(&of.limiter, 1);
	soon_barrier_init(&of.barrier, 2);
	of.chan = (soon_chan)SOON_CHAN_INIT(int);
	cr_assert_eq(soon_mutex_lock(&of.mutex), 0);
	cr_assert_eq(soon_rwlock_lock_write(&of.rwlock), 0);
	cr_assert_eq(soon_limiter_acquire(&of.limiter, &of.loan), 0);
	cr_assert_eq(soon_gate_enter(&of.gate), 0);
	for (size_t i = 0; i < sizeof users / sizeof *users; i++)
		cr_assert_eq(soon_spawn(group, users[i], 0), 0);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(soon_yield(), 0);
}

static void put_away(void)
{
	soon_gate_leave(&of.gate);
	soon_limiter_release(&of.limiter, &of.loan);
	soon_rwlock_unlock(&of.rwlock);
	soon_mutex_unlock(&of.mutex);
}

static void *calls_on_thread(void *unused)
{
	make_calls(T, "");
	return unused;
}

static int calls_on_other_core(void *unused)
{
	(void)unused;
	make_calls(O, "'other->fn'");
	return 0;
}

static void calls_in_callback(soon_callback *self)
{
	make_calls(C, "task");
	self->fn = NULL;
}

FAKE_TEST(affinity, calls_from_elsewhere_are_refused)
{
	soon_callback callback = { .fn = calls_in_callback };
	pthread_t thread;
	int n;
	SOON_GROUP(g);
	SOON_SCOPE(s);
	SOON_ITER(it, numbers, 3);

	of.group = &g;
	of.scope = &s;
	of.iter = &it;
	cr_assert_eq(soon_next(it, &n), 1);
	cr_assert_eq(
		soon_spawn_with(&g, &(soon_task_opts){ .ret_task = &of.task }, use_event, 0), 0);
	put_to_use(&g);

	soon_on_report(keep_report, NULL);
	cr_assert_eq(pthread_create(&thread, NULL, calls_on_thread, NULL), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_eq(on_other_core(calls_on_other_core, NULL), 0);
	cr_assert_eq(soon_post(soon_core_self(), &callback), 0);
	while (callback.fn)
		cr_assert_eq(soon_yield(), 0);
	soon_on_report(NULL, NULL);

	/* Nothing came of all that. */
	cr_assert_eq(soon_group_live(&g), 1 + sizeof users / sizeof *users);
	cr_assert_not(soon_cancelled());
	cr_assert_eq(soon_deadline(), SOON_NEVER);
	cr_assert_eq(soon_next(it, &n), 1);
	cr_assert_eq(soon_gen_close(it), 0);
	soon_group_cancel(&g, "end of the test");
	put_away();
	cr_assert_eq(soon_scope_close(&s, 0), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}
