// SPDX-License-Identifier: Apache-2.0
/*
 * Dumps: what they say of each thing that can be in the tree, that they say it the same way in each
 * run, and that they can be made anywhere: deep in a task, in a signal handler, on a full stack.
 */
#include "dump.h"

#include <soon/dump.h>
#include <soon/gen.h>
#include <soon/mutex.h>

#include "core.h"
#include "fake_test.h"
#include "walk.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TEXT_MAX = 1 << 20 };

static char text[TEXT_MAX];

/* A file in memory takes whatever is dumped. */
static int sink_open(void)
{
	int fd = memfd_create("dump", MFD_CLOEXEC);

	cr_assert_geq(fd, 0);
	return fd;
}

static const char *sink_read(int fd)
{
	ssize_t len = pread(fd, text, sizeof text - 1, 0);

	cr_assert_geq(len, 0);
	text[len] = '\0';
	return text;
}

static const char *dump(unsigned flags)
{
	int fd = sink_open();

	cr_assert_eq(soon_dump(fd, flags), 0);
	(void)sink_read(fd);
	(void)close(fd);
	return text;
}

static void assert_has(const char *expected)
{
	cr_assert_not_null(strstr(text, expected), "expected '%s' in:\n%s", expected, text);
}

static void assert_lacks(const char *unexpected)
{
	cr_assert_null(strstr(text, unexpected), "unexpected '%s' in:\n%s", unexpected, text);
}

static unsigned count_of(const char *part)
{
	unsigned count = 0;

	for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part))
		count++;
	return count;
}

static void assert_well_formed(void)
{
	cr_assert_eq(strncmp(text, "soon: dump of thread ", 21), 0, "%s", text);
	cr_assert_str_eq(text + strlen(text) - 18, "soon: end of dump\n");
	cr_assert_eq(count_of("soon: dump of thread"), 1);
}

static int sleeper(void *unused)
{
	(void)unused;
	return soon_sleep(SOON_S(100));
}

static int parent(void *unused)
{
	int rc;
	SOON_GROUP(inner, .policy = SOON_WAIT_ALL);
	SOON_SCOPE(budget, .timeout = SOON_S(5));

	(void)unused;
	rc = soon_spawn(&inner, sleeper, NULL);
	rc = soon_yield();
	rc = (int)soon_shielded(SOON_NEVER, soon_sleep(SOON_S(2)));
	rc = (int)soon_scope_close(&budget, rc);
	return (int)soon_group_close(&inner, rc);
}

FAKE_TEST(dump, shows_the_tree)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, parent, NULL), 0);
	cr_assert_eq(soon_spawn(&g, sleeper, NULL), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	(void)dump(SOON_DUMP_NO_STACKS);
	assert_well_formed();
	assert_has(": 4 tasks, 0 ready, 3 timers, 0 operations in flight, 0 calls on threads\n");
	assert_has("group 'main': wait all, 1 live\n  'dump_shows_the_tree' #1: running, age ");
	assert_has("\n    group 'g': fail fast, 2 live, opened at ");
	assert_has("\n      'parent' #2: parked in sleep for 1.0 s, age 1.0 s, spawned at ");
	assert_has("\n        scope, shielded without end\n");
	assert_has("\n        scope 'budget', opened at ");
	assert_has(", deadline in 4.0 s\n        group 'inner': wait all, 1 live, opened at ");
	assert_has("\n          'sleeper' #4: parked in sleep for 1.0 s, age 1.0 s");
	assert_has("\n      'sleeper' #3: parked in sleep");
	assert_has("\ngroup 'service': wait all, 0 live\nsoon: end of dump\n");
	assert_lacks("stacks");
	soon_group_cancel(&g, "seen enough");
	(void)dump(SOON_DUMP_NO_STACKS);
	assert_has(", cancelled by explicit: seen enough at ");
	assert_has("group 'inner': wait all, 1 live, opened at ");
	assert_has(", cancelled from outside\n");
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

static __attribute__((noinline)) int wait_in_here(void)
{
	int rc = soon_sleep(SOON_S(100));

	return rc < 0 ? rc : 0;
}

static int wait_in_task(void *unused)
{
	(void)unused;
	return wait_in_here();
}

FAKE_TEST(dump, names_static_functions_and_folds_equal_stacks)
{
	SOON_GROUP(g);

	for (int i = 0; i < 3; i++)
		cr_assert_eq(soon_spawn(&g, wait_in_task, NULL), 0);
	cr_assert_eq(soon_spawn(&g, sleeper, NULL), 0);
	cr_assert_eq(soon_yield(), 0);
	(void)dump(0);
	assert_well_formed();
	assert_has("\n  3 tasks with this stack: #2 #3 #4\n");
	assert_has("\n  1 task with this stack: #5\n");
	assert_has("\n    soon_sleep_until+0x");
	assert_has("\n    wait_in_here+0x");
	cr_assert_eq(count_of("wait_in_here+0x"), 1, "%s", text);
	assert_has("\n    soon_dump+0x0");
	(void)dump(SOON_DUMP_UNFOLDED);
	assert_well_formed();
	cr_assert_eq(count_of("wait_in_here+0x"), 3, "%s", text);
	assert_lacks("stacks:");
	soon_group_cancel(&g, "seen enough");
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

/* Two mutexes taken in opposite order; and a task that closes a group over who waits for it. */

static soon_mutex first, second;

static int take_both(soon_mutex *mine)
{
	soon_mutex *other = mine == &first ? &second : &first;
	int rc = soon_mutex_lock(mine);

	if (rc < 0)
		return rc;
	rc = soon_yield();
	if (rc == 0)
		rc = soon_mutex_lock(other);
	if (rc == 0)
		soon_mutex_unlock(other);
	soon_mutex_unlock(mine);
	return rc;
}

static int take_first(void *unused)
{
	int rc;

	(void)unused;
	rc = soon_mutex_lock(&first);
	if (rc == 0)
		soon_mutex_unlock(&first);
	return rc;
}

static int close_over(void *unused)
{
	int rc = soon_mutex_lock(&first);
	SOON_GROUP(over);

	(void)unused;
	if (rc == 0)
		rc = soon_spawn(&over, take_first, NULL);
	rc = (int)soon_group_close(&over, rc);
	soon_mutex_unlock(&first);
	return rc;
}

FAKE_TEST(dump, prints_circles_of_waits)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, take_both, &first), 0);
	cr_assert_eq(soon_spawn(&g, take_both, &second), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	(void)dump(SOON_DUMP_NO_STACKS);
	assert_has("these wait for each other:\n  'take_both' #2 (mutex lock) -> 'take_both' #3 "
		   "(mutex lock) -> 'take_both' #2\nsoon: end of dump\n");
	soon_group_cancel(&g, "seen enough");
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

FAKE_TEST(dump, a_close_is_part_of_a_circle)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, sleeper, NULL), 0);
	cr_assert_eq(soon_spawn(&g, close_over, NULL), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	(void)dump(SOON_DUMP_NO_STACKS);
	assert_has("these wait for each other:\n  'close_over' #3 (group close) -> 'take_first' #4 "
		   "(mutex lock) -> 'close_over' #3\nsoon: end of dump\n");
	soon_group_cancel(&g, "seen enough");
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

static int slow_disk(void *unused)
{
	(void)unused;
	return (int)fake_op(SOON_S(10), 0, FAKE_CANCEL_IGNORED);
}

FAKE_TEST(dump, only_who_is_cancelled_and_still_there)
{
	SOON_GROUP(g);
	SOON_GROUP(stuck);

	cr_assert_eq(soon_spawn(&g, sleeper, NULL), 0);
	cr_assert_eq(soon_spawn(&stuck, slow_disk, NULL), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	soon_group_cancel(&stuck, "enough");
	cr_assert_eq(soon_shielded(SOON_S(9), soon_sleep(SOON_S(3))), 0);
	(void)dump(SOON_DUMP_CANCELLED);
	assert_well_formed();
	assert_has("'slow_disk' #3: parked in ");
	assert_has(" for 4.0 s, cancel requested 3.0 s ago, age 4.0 s");
	assert_lacks("'sleeper'");
	assert_lacks("sleeper+0x");
	cr_assert_eq(soon_group_close(&stuck, 0), 0);
	soon_group_cancel(&g, "enough");
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

static int count_up(long to)
{
	for (long i = 0; i < to; i++)
		if (soon_sleep(SOON_MS(1)) < 0)
			return -ECANCELED;
	return 0;
}

enum { MANY = 2000 };

FAKE_TEST(dump, lists_so_many_and_counts_the_rest)
{
	SOON_GROUP(g);

	for (long i = 0; i < MANY; i++)
		cr_assert_eq(soon_spawn(&g, count_up, 10), 0);
	cr_assert_eq(soon_yield(), 0);
	(void)dump(0);
	assert_well_formed();
	cr_assert_eq(count_of("'count_up' #"), SOON_DUMP_TASKS_MAX - 1);
	assert_has("\n1001 more tasks: SOON_DUMP_ALL lists them\n");
	assert_has(
		"\n  2000 tasks with this stack: #2 #3 #4 #5 #6 #7 #8 #9 #10 #11 #12 #13 #14 #15 "
		"#16 #17 ...\n");
	(void)dump(SOON_DUMP_NO_STACKS | SOON_DUMP_ALL);
	cr_assert_eq(count_of("'count_up' #"), MANY);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

FAKE_TEST(dump, many_scopes_of_one_task)
{
	soon_scope scopes[100];

	for (int i = 0; i < 100; i++)
		soon__within_open(&scopes[i], SOON_S(i + 1));
	(void)dump(SOON_DUMP_NO_STACKS);
	cr_assert_eq(count_of("\n    scope, deadline in "), SOON_DUMP_SCOPES_MAX);
	assert_has("\n    68 more scopes\n");
	for (int i = 99; i >= 0; i--)
		cr_assert_eq(soon_scope_close(&scopes[i], 0), 0);
}

static int errors_task(void *unused)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC), ends[2];

	(void)unused;
	cr_assert_eq(soon_dump(STDERR_FILENO, 1u << 31), -EINVAL);
	cr_assert_eq(soon_dump(-1, 0), -EBADF);
	cr_assert_eq(soon_dump(full, 0), -ENOSPC);
	cr_assert_eq(pipe(ends), 0);
	(void)close(ends[0]);
	cr_assert_eq(soon_dump(ends[1], 0), -EPIPE);
	(void)close(ends[1]);
	(void)close(full);
	return 0;
}

SOON_TEST_PLAIN(dump, errors)
{
	cr_assert_eq(soon_dump(STDERR_FILENO, 0), -EPERM);
	cr_assert_eq(FAKE_RUN(NULL, errors_task, NULL), 0);
	cr_assert_eq(soon_dump(STDERR_FILENO, 0), -EPERM);
}

/* The same run twice gives the same text, but for the thread. */

static char runs[2][TEXT_MAX];

static int dump_of_run(char *to)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, parent, NULL), 0);
	for (int i = 0; i < 20; i++)
		cr_assert_eq(soon_spawn(&g, i % 2 ? wait_in_task : sleeper, NULL), 0);
	cr_assert_eq(soon_sleep(SOON_S(1)), 0);
	/* The thread's number is before. */
	(void)snprintf(to, TEXT_MAX, "%s", strstr(dump(0), " tasks, "));
	soon_group_cancel(&g, "seen enough");
	return (int)soon_group_close(&g, 0);
}

SOON_TEST_PLAIN(dump, is_a_function_of_the_run)
{
	for (uint64_t seed = 0; seed < 1000; seed++) {
		const struct fake_opts opts = { .seed = seed };

		for (int i = 0; i < 2; i++)
			cr_assert_eq(FAKE_RUN(&opts, dump_of_run, runs[i]), 0);
		cr_assert_str_eq(
			runs[0], runs[1], "seed %ju:\n%s\n%s", (uintmax_t)seed, runs[0], runs[1]);
	}
}

/* Generators are below the task that opened them, wherever they are advanced. */

SOON_GEN(inner_gen, int, int from)
{
	for (int i = from; i > 0; i--) {
		int rc = soon_sleep(SOON_S(1));

		if (rc == 0)
			rc = soon_emit(&i);
		if (rc < 0)
			return rc;
	}
	return 0;
}

SOON_GEN(outer_gen, int, int from)
{
	int item, rc;
	SOON_ITER(inner, inner_gen, from);
	SOON_ITER(idle, inner_gen, from);

	while ((rc = soon_next(inner, &item)) > 0) {
		rc = soon_emit(&item);
		if (rc < 0)
			return rc;
	}
	return rc;
}

static int consume(void *unused)
{
	int item, rc;
	SOON_ITER(first_it, outer_gen, 3);
	SOON_ITER(second_it, inner_gen, 1);

	(void)unused;
	rc = soon_next(second_it, &item);
	while (rc >= 0 && (rc = soon_next(first_it, &item)) > 0)
		continue;
	return rc;
}

FAKE_TEST(dump, shows_generators_below_who_opened_them)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, consume, NULL), 0);
	cr_assert_eq(soon_spawn(&g, sleeper, NULL), 0);
	cr_assert_eq(soon_sleep(SOON_MS(1500)), 0);
	(void)dump(0);
	assert_well_formed();
	cr_assert_eq(count_of("'outer_gen' #"), 2, "%s", text); /* itself, and who waits for it */
	cr_assert_eq(count_of("\n        'outer_gen' #"), 1, "%s", text);
	cr_assert_eq(count_of("\n          'inner_gen' #"), 2, "%s", text);
	cr_assert_eq(count_of("\n        'inner_gen' #"), 1, "%s", text);
	assert_has("\n      'sleeper' #");
	soon_group_cancel(&g, "seen enough");
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

/* Trees that grow and die by chance: each task that lives is in the dump, once. */

static uint64_t draws;

static unsigned draw(unsigned below)
{
	draws = draws * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(draws >> 33) % below;
}

static int grow(long depth)
{
	int rc = 0;
	SOON_GROUP(g);
	SOON_GROUP(h, .policy = SOON_WAIT_ALL);
	SOON_SCOPE(s, .timeout = SOON_S(1 + draw(100)));
	SOON_ITER(it, outer_gen, 1);

	for (unsigned i = draw(4); i > 0 && depth > 0 && rc == 0; i--)
		rc = soon_spawn(draw(2) ? &g : &h, grow, depth - 1);
	if (draw(2)) {
		int item;

		rc = soon_next(it, &item);
		if (rc > 0)
			rc = 0;
	}
	if (rc == 0)
		rc = soon_sleep(SOON_MS(draw(3000)));
	if (rc == 0 && draw(4) == 0)
		rc = soon_yield();
	if (soon_gen_close(it) < 0 && rc == 0)
		rc = -EPROTO;
	rc = (int)soon_scope_close(&s, rc);
	rc = (int)soon_group_close(&h, rc);
	return (int)soon_group_close(&g, rc);
}

static unsigned task_lines(void)
{
	unsigned count = 0;

	for (const char *at = text; (at = strchr(at, '\n')) != NULL;) {
		at++;
		count += at[strspn(at, " ")] == '\'';
	}
	return count;
}

static int look_at_random_trees(long seed)
{
	SOON_GROUP(g);

	draws = (uint64_t)seed;
	cr_assert_eq(soon_spawn(&g, grow, 4), 0);
	while (soon_group_live(&g) > 0) {
		unsigned live;

		(void)dump(SOON_DUMP_ALL | SOON_DUMP_NO_STACKS);
		assert_well_formed();
		cr_assert_eq(sscanf(text, "soon: dump of thread %*d: %u tasks", &live), 1);
		cr_assert_eq(task_lines(), live, "seed %ld:\n%s", seed, text);
		assert_lacks("damaged");
		if (soon_sleep(SOON_MS(700)) < 0)
			break;
	}
	return (int)soon_group_close(&g, 0);
}

SOON_TEST_PLAIN(dump, each_task_once, .timeout = 120)
{
	for (long seed = 1; seed <= (long)SEEDS; seed++) {
		const struct fake_opts opts = { .seed = (uint64_t)seed };
		int rc = FAKE_RUN(&opts, look_at_random_trees, seed);

		cr_assert(rc == 0 || rc == -ETIMEDOUT, "seed %ld gave %d", seed, rc);
	}
}
