// SPDX-License-Identifier: Apache-2.0
/* cores.c: several cores in a run: how they start, fail, and end together. */
#include <soon/cores.h>
#include <soon/event.h>
#include <soon/group.h>
#include <soon/report.h>

#include "core.h"
#include "fake_test.h"
#include "quota.h"
#include "run.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <support/thread_poller.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* A task to be started on another core, which says on which it was. */
struct there {
	soon_callback callback;
	int (*fn)(struct there *there);
	soon_core *home; /* gets `done` */
	soon_callback done;
	soon_task *waiter;
	atomic_uint *ran;
	unsigned index;
	int rc;
};

static int run_there(struct there *there)
{
	return there->fn(there);
}

static void spawn_there(soon_callback *callback)
{
	struct there *there = SOON_CONTAINER_OF(callback, struct there, callback);

	cr_assert_eq(soon_background(run_there, there), 0);
}

static void start_there(unsigned index, struct there *there)
{
	soon_core *core;

	there->callback.fn = spawn_there;
	cr_assert_eq(soon_core_at(index, &core), 0);
	cr_assert_eq(soon_post(core, &there->callback), 0);
}

static int count_and_leave(struct there *there)
{
	there->index = soon_core_index(NULL);
	cr_assert_eq(soon_core_at(there->index, &there->home), 0);
	cr_assert_eq(there->home, soon__core);
	atomic_fetch_add(there->ran, 1);
	return 0;
}

static int count_cores(atomic_uint *ran)
{
	struct there there[4];
	unsigned count = soon_core_count();

	cr_assert_eq(soon_core_index(NULL), 0);
	for (unsigned i = 0; i < count; i++) {
		there[i] = (struct there){ .fn = count_and_leave, .ran = ran };
		start_there(i, &there[i]);
	}
	while (atomic_load(ran) < count)
		cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
	for (unsigned i = 0; i < count; i++)
		cr_assert_eq(there[i].index, i);
	return (int)count;
}

SOON_TEST_PLAIN(cores, each_runs_tasks)
{
	soon_opts opts = { .cores = 4 };
	atomic_uint ran = 0;

	cr_assert_eq(THREAD_RUN(&opts, count_cores, &ran), 4);
	cr_assert_eq(thread_pollers.opened, 4);
	cr_assert_eq(thread_pollers.destroyed, 4);
}

static int look_at_first(void *unused)
{
	soon_core *core, *self = soon_core_self();

	(void)unused;
	cr_assert_eq(thread_pollers.opened, 1);
	cr_assert_geq(soon_core_count(), 1);
	cr_assert_eq(soon_core_at(0, &core), 0);
	cr_assert_eq(core, self);
	cr_assert_eq(thread_pollers.opened, 1);
	cr_assert_eq(soon_core_at(soon_core_count(), &core), -EINVAL);
	cr_assert_eq(soon_core_at(soon_core_count() - 1, &core), 0);
	cr_assert_eq(thread_pollers.opened, soon_core_count());
	cr_assert_eq(soon_core_index(core), soon_core_count() - 1);
	return 0;
}

SOON_TEST_PLAIN(cores, begin_at_their_first_use)
{
	cr_assert_eq(THREAD_RUN(NULL, look_at_first, NULL), 0);
	cr_assert_eq(soon_core_count(), 0);
	cr_assert_eq(soon_core_index(NULL), 0);
}

static int never(void *unused)
{
	(void)unused;
	cr_assert_fail("main ran without its cores");
	return -EPROTO;
}

SOON_TEST_PLAIN(cores, one_that_cannot_start_fails_the_run)
{
	soon_opts opts = { .cores = 4 };

	thread_pollers.open_fails_at = 2;
	thread_pollers.open_rc = -EMFILE;
	cr_assert_eq(THREAD_RUN(&opts, never, NULL), -EMFILE);
	cr_assert_eq(thread_pollers.opened, 3);
	cr_assert_eq(thread_pollers.destroyed, 3);
	soon_test_reports_expected = 1;
}

/* The run goes on with one core, and a later use may have more luck. */
static int fail_then_start(void *unused)
{
	soon_core *core;

	(void)unused;
	cr_assert_eq(soon_core_at(1, &core), -ENOMEM);
	cr_assert_eq(soon_report_errors(), 1);
	thread_pollers.open_rc = 0;
	cr_assert_eq(soon_core_at(1, &core), 0);
	return 7;
}

static int start_lazily(void *unused)
{
	(void)unused;
	soon__core->run->core_count = 3; /* whatever this machine has */
	return fail_then_start(NULL);
}

SOON_TEST_PLAIN(cores, a_failed_first_use_can_be_tried_again)
{
	thread_pollers.open_fails_at = 1;
	thread_pollers.open_rc = -ENOMEM;
	cr_assert_eq(THREAD_RUN(NULL, start_lazily, NULL), 7);
	soon_test_reports_expected = 1;
}

SOON_TEST_PLAIN(cores, too_many_are_refused)
{
	soon_opts opts = { .cores = SOON_CORES_MAX + 1 };

	cr_assert_eq(THREAD_RUN(&opts, never, NULL), -EINVAL);
	soon_test_reports_expected = 1;
}

static int sleep_until_cancelled(struct there *there)
{
	there->rc = soon_sleep(SOON_NEVER);
	cr_assert_eq(soon_shielded(SOON_S(1), soon_sleep(SOON_MS(5))), 0);
	atomic_fetch_add(there->ran, 1);
	return there->rc;
}

static struct there left[3];

static int leave_tasks(atomic_uint *ran)
{
	for (unsigned i = 0; i < 3; i++) {
		left[i] = (struct there){ .fn = sleep_until_cancelled, .ran = ran };
		start_there(i, &left[i]);
	}
	cr_assert_eq(soon_sleep(SOON_MS(5)), 0);
	return 3;
}

SOON_TEST_PLAIN(cores, main_s_end_cancels_and_waits_for_what_all_have)
{
	soon_opts opts = { .cores = 3 };
	atomic_uint ran = 0;

	cr_assert_eq(THREAD_RUN(&opts, leave_tasks, &ran), 3);
	cr_assert_eq(ran, 3);
	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(left[i].rc, -ECANCELED);
}

static int fail_there(struct there *there)
{
	(void)there;
	return soon_fail(-EIO, "no disk");
}

static int wait_for_failure(int *ret_rc)
{
	static struct there there = { .fn = fail_there };

	start_there(1, &there);
	*ret_rc = soon_sleep(SOON_S(30));
	cr_assert_str_eq(
		soon_cancel_reason().why, "background task 'run_there' of core 1 failed: no disk");
	return *ret_rc;
}

SOON_TEST_PLAIN(cores, a_failure_on_one_ends_the_run_with_its_cause)
{
	soon_opts opts = { .cores = 2 };
	int saw = 0;

	cr_assert_eq(THREAD_RUN(&opts, wait_for_failure, &saw), -EIO);
	cr_assert_eq(saw, -ECANCELED);
	soon_test_reports_expected = 1;
}

static int outlive_failure(void *unused)
{
	static struct there there = { .fn = fail_there };

	(void)unused;
	start_there(1, &there);
	while (soon_report_errors() == 0)
		cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
	return soon_sleep(SOON_MS(5));
}

SOON_TEST_PLAIN(cores, a_failure_may_be_outlived)
{
	soon_opts opts = { .cores = 2, .keep_running = true };

	cr_assert_eq(THREAD_RUN(&opts, outlive_failure, NULL), -EIO);
	soon_test_reports_expected = 1;
}

static void nothing(soon_callback *unused)
{
	(void)unused;
}

static int with_broken_poller(unsigned index)
{
	static soon_callback callback = { .fn = nothing };
	soon_core *core;
	int rc;

	cr_assert_eq(soon_core_at(index, &core), 0);
	atomic_store(&thread_pollers.poll_fails_at, index + 1);
	cr_assert_eq(soon_post(core, &callback), 0);
	rc = soon_sleep(SOON_S(30));
	cr_assert_not_null(strstr(soon_cancel_reason().why, "the poller 'thread' of core"));
	return rc;
}

SOON_TEST_PLAIN(cores, a_poller_that_fails_ends_the_run_with_its_cause)
{
	soon_opts opts = { .cores = 2 };

	thread_pollers.poll_rc = -EBADE;
	cr_assert_eq(THREAD_RUN(&opts, with_broken_poller, 1), -EBADE);
	soon_test_reports_expected = 1;
}

SOON_TEST_PLAIN(cores, so_does_the_first_core_s)
{
	soon_opts opts = { .cores = 2 };

	thread_pollers.poll_rc = -EBADE;
	cr_assert_eq(THREAD_RUN(&opts, with_broken_poller, 0), -EBADE);
	soon_test_reports_expected = 1;
}

/* Deadlocks: what other cores could still do counts. */

static int wait_for_ever(soon_event *event)
{
	return soon_event_wait(event);
}

static int knot(void *unused)
{
	static soon_event event;

	(void)unused;
	cr_assert_eq(soon__cores_start(soon__core->run), 0);
	return wait_for_ever(&event);
}

SOON_TEST_PLAIN(cores, a_deadlock_is_proven_beside_empty_cores)
{
	soon_opts opts = { .cores = 3 };

	cr_assert_eq(THREAD_RUN(&opts, knot, NULL), -EDEADLK);
	soon_test_reports_expected = 1;
}

/* The one beside us has a task for a while; once it is gone, nothing is left that could come. */
static int stay_a_moment(struct there *there)
{
	atomic_fetch_add(there->ran, 1);
	return soon_sleep(SOON_MS(20));
}

static int knot_beside(void *unused)
{
	static soon_event event;
	static struct there there = { .fn = stay_a_moment };
	static atomic_uint ran;
	struct soon__run *run = soon__core->run;

	(void)unused;
	there.callback.fn = spawn_there;
	there.ran = &ran;
	/* Its address is not given out, which would leave us in doubt for good. */
	cr_assert_eq(soon_post(soon__run_core(run, 1), &there.callback), 0);
	while (atomic_load(&ran) == 0)
		cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
	return wait_for_ever(&event);
}

SOON_TEST_PLAIN(cores, a_deadlock_is_proven_when_the_last_other_task_has_ended)
{
	soon_opts opts = { .cores = 2 };

	cr_assert_eq(THREAD_RUN(&opts, knot_beside, NULL), -EDEADLK);
	soon_test_reports_expected = 1;
}

static void set_event(soon_callback *callback);

static struct {
	soon_event event;
	soon_callback callback;
	soon_core *first;
} saved = { .callback = { .fn = set_event } };

static void set_event(soon_callback *callback)
{
	(void)callback;
	soon_event_set(&saved.event);
}

static int save(struct there *there)
{
	(void)there;
	cr_assert_eq(soon_sleep(SOON_MS(20)), 0);
	cr_assert_eq(soon_core_at(0, &saved.first), 0);
	cr_assert_eq(soon_post(saved.first, &saved.callback), 0);
	return 0;
}

static int be_saved(void *unused)
{
	static struct there there = { .fn = save };

	(void)unused;
	start_there(1, &there);
	return wait_for_ever(&saved.event);
}

SOON_TEST_PLAIN(cores, what_another_core_may_send_is_waited_for)
{
	soon_opts opts = { .cores = 2 };

	cr_assert_eq(THREAD_RUN(&opts, be_saved, NULL), 0);
}

static int knot_there(struct there *there)
{
	static soon_event event;

	(void)there;
	return wait_for_ever(&event);
}

static int with_knot_there(void *unused)
{
	static struct there there = { .fn = knot_there };
	struct soon__run *run = soon__core->run;

	(void)unused;
	there.callback.fn = spawn_there;
	cr_assert_eq(soon_post(soon__run_core(run, 1), &there.callback), 0);
	return soon_within(SOON_MS(20), soon_sleep(SOON_NEVER)) == -ETIMEDOUT ? 0 : -EPROTO;
}

/* Beside a task that may still do something nothing is proven; that it ends is the end. */
SOON_TEST_PLAIN(cores, main_s_end_frees_what_waits_elsewhere)
{
	soon_opts opts = { .cores = 2 };

	cr_assert_eq(THREAD_RUN(&opts, with_knot_there, NULL), 0);
}

/* Posts that a core has not run when the end comes are run all the same. */

static atomic_uint runs_seen;

static void count_run(soon_callback *callback)
{
	(void)callback;
	atomic_fetch_add(&runs_seen, 1);
}

static int leave_posts(void *unused)
{
	static soon_callback posts[2][64];

	(void)unused;
	for (unsigned i = 0; i < 64; i++) {
		for (unsigned at = 0; at < 2; at++) {
			posts[at][i].fn = count_run;
			cr_assert_eq(
				soon_post(soon__run_core(soon__core->run, at), &posts[at][i]), 0);
		}
	}
	return 0;
}

SOON_TEST_PLAIN(cores, accepted_posts_run)
{
	soon_opts opts = { .cores = 2 };

	cr_assert_eq(THREAD_RUN(&opts, leave_posts, NULL), 0);
	cr_assert_eq(runs_seen, 128);
}

/* A core that does not come to rest is named, and waited for. With TSan it stands in that. */

static atomic_bool is_hog_told;

/* Until it has been told of, or for long: Valgrind lets one thread run at a time. */
static int hog(struct there *there)
{
	soon_ns until = soon_now() + SOON_S(30);

	atomic_fetch_add(there->ran, 1);
	while (!atomic_load(&is_hog_told) && soon_now() < until)
		sched_yield();
	return 0;
}

static int leave_hog(atomic_uint *ran)
{
	static struct there there = { .fn = hog };

	there.ran = ran;
	start_there(1, &there);
	while (atomic_load(ran) == 0)
		cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
	return 0;
}

static char told[4096];

static int keep(const soon_report *report, void *unused)
{
	size_t len = strlen(told);

	(void)unused;
	(void)snprintf(told + len, sizeof told - len, "%s\n", report->text);
	if (strstr(report->text, "stands in"))
		atomic_store(&is_hog_told, true);
	return 0;
}

SOON_TEST_PLAIN(cores, one_that_keeps_others_waiting_is_named, .disabled = IS_UNDER_TSAN)
{
	soon_opts opts = { .cores = 2, .grace = SOON_MS(60) };
	atomic_uint ran = 0;

	soon_on_report(keep, NULL);
	cr_assert_eq(THREAD_RUN(&opts, leave_hog, &ran), 0);
	cr_assert_geq(soon_report_errors(), 1);
	cr_assert_not_null(strstr(told, "core 1 has tasks"), "%s", told);
	cr_assert_not_null(strstr(told, "stands in"), "%s", told);
	cr_assert_not_null(strstr(told, "hog+"), "%s", told);
	soon_test_reports_expected = (int)soon_report_errors();
}

/* Affinity and signals. */

static int see_affinity(struct there *there)
{
	cpu_set_t set;
	sigset_t blocked;

	cr_assert_eq(sched_getaffinity(0, sizeof set, &set), 0);
	there->index = (unsigned)CPU_COUNT(&set);
	cr_assert_eq(pthread_sigmask(SIG_BLOCK, NULL, &blocked), 0);
	cr_assert(sigismember(&blocked, SIGTERM));
	cr_assert(sigismember(&blocked, SIGUSR1));
	cr_assert_not(sigismember(&blocked, SIGSEGV));
	cr_assert_not(sigismember(&blocked, SIGQUIT));
	atomic_fetch_add(there->ran, 1);
	return 0;
}

static cpu_set_t unbound;

static int compare_affinity(unsigned expected)
{
	static struct there there = { .fn = see_affinity };
	static atomic_uint ran;
	cpu_set_t set;

	atomic_store(&ran, 0);
	there.ran = &ran;
	start_there(1, &there);
	while (atomic_load(&ran) == 0)
		cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
	cr_assert_eq(there.index, expected);
	cr_assert_eq(sched_getaffinity(0, sizeof set, &set), 0);
	cr_assert_eq(CPU_COUNT(&set), expected);
	if (expected == 1)
		cr_assert_eq(soon_core_cpus(1, &set), -EINVAL);
	return soon_core_cpus(sizeof unbound, &unbound);
}

SOON_TEST_PLAIN(cores, are_bound_to_a_processor_each_while_they_run)
{
	soon_opts opts = { .cores = 2 };
	unsigned quota = soon__quota_cpus("");
	cpu_set_t before, after;
	unsigned count;

	cr_assert_eq(sched_getaffinity(0, sizeof before, &before), 0);
	count = (unsigned)CPU_COUNT(&before);
	cr_assert_eq(soon_core_cpus(sizeof unbound, &unbound), 0);
	if (quota > 0 && quota < count) {
		cr_assert_eq(THREAD_RUN(&opts, compare_affinity, count), 0);
	} else {
		cr_assert_gt(THREAD_RUN(&opts, compare_affinity, 1), 0);
		cr_assert(CPU_EQUAL(&before, &unbound));
	}
	cr_assert_eq(sched_getaffinity(0, sizeof after, &after), 0);
	cr_assert(CPU_EQUAL(&before, &after));
	opts.no_pin = true;
	cr_assert_eq(THREAD_RUN(&opts, compare_affinity, count), 0);
}

static int fork_there(struct there *there)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		soon_opts opts = { .cores = 2 };
		static atomic_uint ran;

		if (soon_core_self() != NULL || soon_core_count() != 0 ||
			soon_yield() != -EOWNERDEAD)
			_exit(1);
		thread_pollers.open_rc = 0;
		_exit(THREAD_RUN(&opts, count_cores, &ran) == 2 ? 0 : 2);
	}
	cr_assert_gt(child, 0);
	cr_assert_eq(waitpid(child, &status, 0), child);
	there->rc = status;
	atomic_fetch_add(there->ran, 1);
	return 0;
}

static int fork_on_second(atomic_uint *ran)
{
	static struct there there = { .fn = fork_there };

	there.ran = ran;
	start_there(1, &there);
	while (atomic_load(ran) == 0)
		cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
	cr_assert_eq(there.rc, 0);
	return 0;
}

/* TSan lets the child of a process with threads start none. */
SOON_TEST_PLAIN(cores, a_forked_child_has_none, .disabled = IS_UNDER_TSAN)
{
	soon_opts opts = { .cores = 2 };
	atomic_uint ran = 0;

	cr_assert_eq(THREAD_RUN(&opts, fork_on_second, &ran), 0);
}

/* On each core. */

static atomic_uint each_ran;

static int note_core(atomic_uint *mask)
{
	atomic_fetch_or(mask, 1u << soon_core_index(NULL));
	cr_assert_eq(soon_yield(), 0);
	return 3;
}

static int on_each(atomic_uint *mask)
{
	return soon_on_each_core(note_core, mask);
}

SOON_TEST_PLAIN(each_core, runs_on_all)
{
	soon_opts opts = { .cores = 4 };
	atomic_uint mask = 0;

	cr_assert_eq(THREAD_RUN(&opts, on_each, &mask), 0);
	cr_assert_eq(mask, 15);
}

/* From a core that is not the first, too. */
static int from_second(atomic_uint *mask)
{
	return soon_core_index(NULL) == 1 ? soon_on_each_core(note_core, mask) : 0;
}

static int on_each_from_second(atomic_uint *mask)
{
	return soon_on_each_core(from_second, mask);
}

SOON_TEST_PLAIN(each_core, can_be_asked_from_any)
{
	soon_opts opts = { .cores = 3 };
	atomic_uint mask = 0;

	cr_assert_eq(THREAD_RUN(&opts, on_each_from_second, &mask), 0);
	cr_assert_eq(mask, 7);
}

static int fail_on_third(void *unused)
{
	int rc;

	(void)unused;
	if (soon_core_index(NULL) == 2)
		return soon_fail(-EIO, "the third failed");
	rc = soon_sleep(SOON_S(30));
	atomic_fetch_add(&each_ran, 1);
	cr_assert_eq(rc, -ECANCELED);
	return rc;
}

static int with_a_failure(void *unused)
{
	(void)unused;
	cr_assert_eq(soon_on_each_core(fail_on_third, NULL), -EIO);
	cr_assert_str_eq(soon_fail_message(), "the third failed");
	cr_assert_leq(each_ran, 3); /* one that had not begun never did */
	return 0;
}

SOON_TEST_PLAIN(each_core, the_first_failure_cancels_the_others)
{
	soon_opts opts = { .cores = 4 };

	cr_assert_eq(THREAD_RUN(&opts, with_a_failure, NULL), 0);
}

static int sleep_on_each(void *unused)
{
	int rc = -EPROTO;

	(void)unused;
	SOON_IDLE {
		rc = soon_sleep(SOON_S(30));
	}
	atomic_fetch_add(&each_ran, 1);
	return rc == -ECANCELED && !soon_cancelled() ? 0 : rc; /* drained */
}

static int each_sleeps(void *unused)
{
	(void)unused;
	return soon_on_each_core(sleep_on_each, NULL);
}

static int cancel_and_drain(void *unused)
{
	SOON_GROUP(g);

	(void)unused;
	cr_assert_eq(soon_within(SOON_MS(20), each_sleeps(NULL)), -ETIMEDOUT);
	cr_assert_eq(soon_spawn(&g, each_sleeps, NULL), 0);
	cr_assert_eq(soon_sleep(SOON_MS(20)), 0);
	atomic_store(&each_ran, 0);
	soon_group_drain(&g, SOON_S(20));
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(each_ran, 3);
	return 0;
}

SOON_TEST_PLAIN(each_core, a_cancel_and_a_drain_reach_all)
{
	soon_opts opts = { .cores = 3 };

	cr_assert_eq(THREAD_RUN(&opts, cancel_and_drain, NULL), 0);
}

/* No address space for the stack of another thread. */
static int without_threads(void *unused)
{
	struct rlimit before;
	unsigned long pages;
	soon_core *core;
	FILE *file = fopen("/proc/self/statm", "r");

	(void)unused;
	soon__core->run->core_count = 2;
	cr_assert_not_null(file);
	cr_assert_eq(fscanf(file, "%lu", &pages), 1);
	cr_assert_eq(fclose(file), 0);
	cr_assert_eq(getrlimit(RLIMIT_AS, &before), 0);
	cr_assert_eq(
		setrlimit(RLIMIT_AS, &(struct rlimit){ (pages + 1024) * 4096, before.rlim_max }),
		0);
	cr_assert_eq(soon_core_at(1, &core), -EAGAIN);
	cr_assert_eq(setrlimit(RLIMIT_AS, &before), 0);
	cr_assert_eq(soon_core_at(1, &core), 0);
	return 0;
}

SOON_TEST_PLAIN(cores, one_without_a_thread_does_not_start)
{
#ifdef SOON_TEST_ASAN
	cr_skip("address space cannot be limited here");
#endif
	cr_assert_eq(THREAD_RUN(NULL, without_threads, NULL), 0);
	soon_test_reports_expected = 1;
}

/* A task that begins on core 0 when the run has been ended there, and does not hear of it. */

static atomic_bool is_told_of, has_begun;

static int note_stuck(const soon_report *report, void *unused)
{
	(void)unused;
	if (soon__core && soon__core->index == 0 && strstr(report->text, "waited for by") &&
		strstr(report->text, "ignore_the_end"))
		atomic_store(&is_told_of, true);
	return 0;
}

static int ignore_the_end(void *unused)
{
	(void)unused;
	while (!atomic_load(&is_told_of))
		(void)!soon_shielded(SOON_S(60), soon_sleep(SOON_MS(1)));
	return 0;
}

static void begin_late(soon_callback *unused)
{
	(void)unused;
	cr_assert(soon__core->is_ending);
	cr_assert_eq(soon_background(ignore_the_end, NULL), 0);
	atomic_store(&has_begun, true);
}

static int post_at_the_end(struct there *there)
{
	atomic_store(there->ran, 1);
	cr_assert_eq(soon_sleep(SOON_NEVER), -ECANCELED);
	there->done.fn = begin_late;
	cr_assert_eq(soon_post(soon__run_core(soon__core->run, 0), &there->done), 0);
	while (!atomic_load(&has_begun)) /* else the run would be over before it */
		(void)!soon_shielded(SOON_S(60), soon_sleep(SOON_MS(1)));
	return 0;
}

static int start_one_that_posts(struct there *there)
{
	start_there(1, there);
	while (!atomic_load(there->ran))
		cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
	return 0;
}

SOON_TEST_PLAIN(cores, a_task_that_begins_after_the_end_and_is_stuck_is_told_of)
{
	const soon_opts opts = { .cores = 2, .grace = SOON_MS(1) };
	atomic_uint ran = 0;
	struct there there = { .fn = post_at_the_end, .ran = &ran };

	soon_on_report(note_stuck, NULL);
	cr_assert_eq(THREAD_RUN(&opts, start_one_that_posts, &there), 0);
	cr_assert(atomic_load(&is_told_of));
	soon_test_reports_expected = (int)soon_report_errors();
}
