// SPDX-License-Identifier: Apache-2.0
/* fork_test.c: what a child that was forked in a task may do; its parent never notices. */
#include "net_kit.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char said[SOON_REPORT_TEXT_BYTES];

static int keep(const soon_report *report, void *unused)
{
	(void)unused;
	(void)snprintf(said, sizeof said, "%s", report->text);
	return 0;
}

/* What a child checks; its process ends with the number of the line that failed. */
#define MUST(c)                                                                                    \
	do {                                                                                       \
		if (!(c))                                                                          \
			_exit((__LINE__ & 0x7f) | 0x80);                                           \
	} while (0)

static soon_core *parents;
static unsigned posted;

static void count_post(soon_callback *unused)
{
	(void)unused;
	posted++;
}

static int work_a_little(void *unused)
{
	SOON_GROUP(g);
	int rc = soon_spawn(&g, soon_sleep, SOON_MS(1));

	(void)unused;
	return (int)soon_group_close(&g, rc < 0 ? rc : 5);
}

static int call_is_refused(soon_group *group)
{
	static soon_callback callback = { .fn = count_post };
	static soon_event event;

	soon_on_report(keep, NULL);
	MUST(soon_self() == NULL && !soon_on_core());
	MUST(soon_sleep(SOON_MS(1)) == -EOWNERDEAD);
	MUST(strstr(said, "soon_sleep: this process") && strstr(said, "soon_proc_spawn"));
	MUST(soon_yield() == -EOWNERDEAD);
	MUST(soon_checkpoint() == -EOWNERDEAD);
	MUST(soon_event_wait(&event) == -EOWNERDEAD);
	MUST(soon_event_set(&event) == -EOWNERDEAD);
	MUST(soon_spawn(group, soon_sleep, 1) == -EOWNERDEAD);
	MUST(soon_background(soon_sleep, 1) == -EOWNERDEAD);
	MUST(soon_post(parents, &callback) == -EOWNERDEAD);
	MUST(soon_post(parents, &callback) == -EOWNERDEAD);
	MUST(posted == 0);
	MUST(soon_report_errors() == 1);
	return 0;
}

static int run_works(void)
{
	MUST(soon_run(work_a_little, NULL) == 5);
	MUST(soon_run(work_a_little, NULL) == 5);
	MUST(soon_sleep(1) == -EOWNERDEAD);
	return 0;
}

static int status_of(pid_t pid)
{
	int status = -1;

	cr_assert_geq(pid, 0);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

/* In the parent all is as if nothing had been: its timer, its post and its group. */
SOON_TEST(fork, child_is_refused_and_may_run_a_run_of_its_own)
{
	soon_callback callback = { .fn = count_post };
	soon_callback early = { .fn = count_post };
	pid_t pid;
	SOON_GROUP(g);

	parents = soon_core_self();
	cr_assert_eq(soon_spawn(&g, soon_sleep, SOON_MS(2)), 0);
	cr_assert_eq(soon_post(parents, &early), 0);
	pid = fork();
	if (pid == 0) {
		posted = 0;
		_exit(call_is_refused(&g) + run_works());
	}
	cr_expect_eq(status_of(pid), 0);
	cr_expect_eq(soon_post(parents, &callback), 0);
	cr_expect_eq(soon_yield(), 0);
	cr_expect_eq(soon_sleep(SOON_MS(1)), 0);
	cr_expect_eq(posted, 2);
	cr_expect_eq(soon_group_close(&g, 0), 0);
}

static int fork_and_wait(void *unused)
{
	pid_t pid = fork();

	(void)unused;
	if (pid == 0)
		_exit(soon_yield() == -EPERM ? 0 : 1);
	return status_of(pid);
}

/* A thread of the pool is no core's: its child has lost nothing, and has nothing. */
SOON_TEST(fork, child_of_a_pool_thread_is_simply_in_no_task)
{
	cr_expect_eq(soon_offload(fork_and_wait, NULL), 0);
}

static int fork_twice(void *unused)
{
	pid_t pid = fork();

	(void)unused;
	if (pid == 0) {
		pid_t second = fork();
		int status = 1;

		soon_on_report(keep, NULL);
		if (second == 0)
			_exit(soon_yield() == -EOWNERDEAD ? 0 : 1);
		(void)waitpid(second, &status, 0);
		_exit(status == 0 ? 0 : 1);
	}
	return status_of(pid);
}

SOON_TEST_PLAIN(fork, childs_child_is_refused_as_well)
{
	cr_expect_eq(soon_run(fork_twice, NULL), 0);
}
