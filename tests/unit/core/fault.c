// SPDX-License-Identifier: Apache-2.0
/* What the world can refuse: each allocation in turn, and address space. */
#include <soon/mem.h>
#include <soon/start.h>

#include "fake_test.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

static int fail_with_message(int rc)
{
	return soon_fail(rc, "message of %d", rc);
}

static int on_thread(int rc)
{
	return rc;
}

static int offload(int rc)
{
	return soon_offload(on_thread, rc);
}

/* Comes by every allocation of the core, and may fail at each. */
static int everything(void *unused)
{
	ssize_t rc;
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	(void)unused;
	fake_hold();
	rc = soon_spawn(&g, fail_with_message, -EIO);
	if (rc == 0)
		rc = soon_spawn(&g, offload, 7);
	rc = soon_group_close(&g, rc);
	fake_release();
	return (int)rc;
}

/*
 * Fails the first allocation of a run, then the second, and so on until a run needs none that
 * fails. The result may say that memory was short; the cause of a task's failure is never lost.
 */
SOON_TEST_PLAIN(fault, every_allocation_may_fail)
{
	uint64_t k = 0, asked;
	int rc;

	do {
		k++;
		cr_assert_lt(k, 100);
		soon_mem_fail_at(k);
		asked = soon_mem_count();
		rc = FAKE_RUN(NULL, everything, NULL);
		asked = soon_mem_count() - asked;
		cr_assert(rc == -EIO || (rc == -ENOMEM && asked == 1), "k %ju gave %d",
			(uintmax_t)k, rc);
	} while (asked >= k);
	soon_mem_fail_at(0);
	cr_assert_gt(k, 3);
	cr_assert_eq(rc, -EIO);
}

static soon_decision decide(soon_super *super, const soon_failure *why)
{
	return why != NULL && super->restarts == 0 ? SOON_RESTART_AFTER(0) : SOON_DROP;
}

static int say_ready_and_fail(int rc)
{
	int ready = soon_ready(3);

	return ready < 0 ? ready : soon_fail(rc, "after ready");
}

static int note_deferred(int *count)
{
	++*count;
	return 0;
}

/* All that groups can do, and what of it allocates. Gives what came of it, or -ENOMEM. */
static int everything_of_groups(void *unused)
{
	const soon_work work[] = { SOON_WORK(on_thread, 1), SOON_WORK(on_thread, 2) };
	int deferred = 0, expected = 0, rcs[2];
	ssize_t rc, last;
	SOON_GROUP(g, .policy = SOON_SUPERVISE, .on_exit = decide, .live_max = 2);
	SOON_GROUP(watching, .policy = SOON_WAIT_ALL);

	(void)unused;
	rc = soon_group_defer(&watching, note_deferred, &deferred);
	expected += rc == 0;
	if (rc == 0)
		rc = soon_start(&g, say_ready_and_fail, -EIO);
	if (rc == 3)
		rc = soon_all(work, 2, NULL, rcs);
	if (rc == 0) {
		soon_task *task;

		rc = soon_spawn_with(
			&g, &(soon_task_opts){ .ret_task = &task }, fail_with_message, -EPIPE);
		if (rc == 0)
			rc = soon_group_watch(&watching, task);
	}
	last = soon_group_close(&watching, rc);
	cr_assert_eq(deferred, expected);
	rc = soon_group_close(&g, last == -EPIPE ? 0 : last);
	return (int)(rc < 0 ? rc : last);
}

SOON_TEST_PLAIN(fault, every_allocation_of_groups_may_fail)
{
	uint64_t k = 0, asked;
	int rc;

	do {
		soon_mem_fail_at(++k);
		asked = soon_mem_count();
		rc = FAKE_RUN(NULL, everything_of_groups, NULL);
		asked = soon_mem_count() - asked;
		/* Either there was no memory, or all went as ever but for a message; restarts that
		   cannot be counted fail the group with what the task gave. */
		cr_assert(rc == 0 || rc == -ENOMEM || rc == -EIO || rc == -EPIPE, "k %ju: %d",
			(uintmax_t)k, rc);
		cr_assert_lt(k, 100);
	} while (asked >= k);
	soon_mem_fail_at(0);
	cr_assert_gt(k, 6);
	cr_assert_eq(rc, 0);
}

static int keep_first(void *unused)
{
	soon_failure failure = { 0 };
	SOON_GROUP(g);

	(void)unused;
	cr_assert_eq(soon_spawn(&g, fail_with_message, -EPIPE), 0);
	soon_mem_fail_at(1); /* the message */
	cr_assert_eq(soon_group_close(&g, 0), -EPIPE);
	cr_assert_eq(soon_group_failures(&g, &failure, 1), 1);
	cr_assert_eq(failure.rc, -EPIPE);
	cr_assert_str_eq(failure.message, "");
	return 0;
}

SOON_TEST_PLAIN(fault, failure_without_memory_for_its_message_is_a_failure)
{
	cr_assert_eq(FAKE_RUN(NULL, keep_first, NULL), 0);
}

static int keep_none(void *unused)
{
	soon_failure failures[3];
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	(void)unused;
	memset(failures, 0x55, sizeof failures);
	cr_assert_eq(soon_spawn(&g, on_thread, -EPIPE), 0);
	cr_assert_eq(soon_spawn(&g, on_thread, -EIO), 0);
	soon_mem_fail_at(1); /* what keeps failures */
	cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_group_failures(&g, failures, 3), 2);
	cr_assert_eq(failures[0].rc, -EPIPE);
	cr_assert_null(failures[0].site);
	cr_assert_str_eq(failures[0].message, "");
	return (int)soon_group_close(&g, 0);
}

SOON_TEST_PLAIN(fault, failure_without_memory_to_keep_it_is_counted)
{
	cr_assert_eq(FAKE_RUN(NULL, keep_none, NULL), -EPIPE);
}

/* Injection. */

SOON_TEST_PLAIN(fault, kth_allocation_fails_and_only_that)
{
	void *ptrs[4];
	uint64_t before = soon_mem_count();

	soon_mem_fail_at(3);
	for (int i = 0; i < 4; i++)
		ptrs[i] = soon_malloc(10);
	cr_assert_not_null(ptrs[0]);
	cr_assert_not_null(ptrs[1]);
	cr_assert_null(ptrs[2]);
	cr_assert_not_null(ptrs[3]);
	cr_assert_eq(soon_mem_count() - before, 4);
	for (int i = 0; i < 4; i++)
		soon_free(ptrs[i]);

	soon_mem_fail_at(1);
	soon_mem_fail_at(0);
	ptrs[0] = soon_malloc(1);
	cr_assert_not_null(ptrs[0]);
	soon_mem_fail_at(1);
	cr_assert_null(soon_realloc(ptrs[0], 100));
	soon_free(ptrs[0]);
}

SOON_TEST_PLAIN(fault, allocator_does_as_malloc_does)
{
	unsigned char *ptr = soon_zalloc(4096);

	cr_assert_not_null(ptr);
	for (int i = 0; i < 4096; i++)
		cr_assert_eq(ptr[i], 0);
	memset(ptr, 7, 4096);
	ptr = soon_realloc(ptr, 100000);
	cr_assert_not_null(ptr);
	cr_assert_eq(ptr[4095], 7);
	soon_free(ptr);

	/* NULL means failure and nothing else. */
	ptr = soon_malloc(0);
	cr_assert_not_null(ptr);
	ptr = soon_realloc(ptr, 0);
	cr_assert_not_null(ptr);
	soon_free(ptr);
	ptr = soon_realloc(NULL, 0);
	cr_assert_not_null(ptr);
	soon_free(ptr);
	ptr = soon_zalloc(0);
	cr_assert_not_null(ptr);
	soon_free(ptr);
	soon_free(NULL);
}

/* Address space; the checking tools use so much of it themselves that they cannot be limited. */

static size_t address_space_bytes(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	cr_assert_not_null(file);
	cr_assert_eq(fscanf(file, "%lu", &pages), 1);
	fclose(file);
	return pages * 4096;
}

static void limit_address_space(size_t more)
{
	const rlim_t bytes = address_space_bytes() + more;

	cr_assert_eq(setrlimit(RLIMIT_AS, &(struct rlimit){ bytes, RLIM_INFINITY }), 0);
}

static bool can_be_limited(void)
{
#ifdef SOON_TEST_ASAN
	return false;
#else
	return !RUNNING_ON_VALGRIND;
#endif
}

static int nothing(void *unused)
{
	(void)unused;
	return soon_yield();
}

static int spawn_all(void *unused)
{
	int count = 0, rc;
	SOON_GROUP(g);

	(void)unused;
	while ((rc = soon_spawn(&g, nothing, NULL)) == 0)
		count++;
	cr_assert(rc == -EAGAIN || rc == -ENOMEM);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	return count;
}

/* TSan reserves more than any limit. */
SOON_TEST_PLAIN(fault, little_address_space_means_fewer_tasks, .disabled = IS_UNDER_TSAN)
{
	int count;

	if (!can_be_limited())
		return;
	limit_address_space((size_t)64 << 20);
	count = FAKE_RUN(NULL, spawn_all, NULL);
	cr_assert_gt(count, 10);
	cr_assert_lt(count, 256);
	cr_assert_eq(FAKE_RUN(NULL, spawn_all, NULL), count);
}

static int ignore(const soon_report *report, void *data)
{
	(void)report;
	(void)data;
	return 0;
}

SOON_TEST_PLAIN(fault, no_address_space_fails_the_run_with_a_report)
{
	if (!can_be_limited())
		return;
	soon_on_report(ignore, NULL);
	cr_assert_eq(FAKE_RUN(NULL, nothing, NULL), 0); /* all else is there already */
	limit_address_space((size_t)1 << 20);
	cr_assert_eq(FAKE_RUN(NULL, nothing, NULL), -ENOMEM);
	soon_test_reports_expected = 1;
}
