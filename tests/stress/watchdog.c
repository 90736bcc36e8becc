// SPDX-License-Identifier: Apache-2.0
/*
 * The watch on slow steps under load: cores begin and end, wake and sleep, are switched to it and
 * back, while some of their steps are slow and are asked for their stacks. Nothing of it is a race,
 * each step that waits to be told of is told of, and the thread is gone in the end.
 */
#include <soon/debug.h>
#include <soon/group.h>
#include <soon/report.h>
#include <soon/task.h>
#include <soon/thread.h>

#include <dirent.h>
#include <kit/fake_poller.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <support/program.h>
#include <time.h>

#define CORES  3u
#define ROUNDS 12u

static atomic_uint caught, all;
static atomic_bool is_over;

static int count(const soon_report *report, void *unused)
{
	(void)unused;
	atomic_fetch_add(&all, 1);
	if (strstr(report->text, "still does"))
		atomic_fetch_add(&caught, 1);
	return 0;
}

static void nap(long us)
{
	const struct timespec ts = { .tv_nsec = us * 1000 };

	(void)nanosleep(&ts, NULL);
}

/* Slow in the way that ThreadSanitizer lets signals through: in calls. */
static int be_slow(unsigned us)
{
	for (unsigned i = 0; i < us / 100; i++)
		nap(100);
	return soon_yield();
}

static int be_quick(unsigned rounds)
{
	int rc = 0;

	for (unsigned i = 0; i < rounds && rc == 0; i++)
		rc = i % 16 ? soon_yield() : soon_sleep(SOON_US(50));
	return rc;
}

static int work(unsigned round)
{
	int rc = 0;
	SOON_GROUP(g);

	for (unsigned i = 0; i < 8 && rc == 0; i++)
		rc = soon_spawn(&g, be_quick, 64);
	for (unsigned i = 0; i < 3 && rc == 0; i++)
		rc = soon_spawn(&g, be_slow, 2000 * (round % 4));
	return (int)soon_group_close(&g, rc);
}

static void *run_often(void *unused)
{
	soon_opts run = { .slow_step = SOON_MS(2) };
	const struct fake_opts opts = { .run = &run };

	/* Without rings: liburing unmaps them in a way that ThreadSanitizer does not see. */
	for (unsigned i = 0; i < ROUNDS; i++) {
		run.debug = i % 3 ? 1 : -1;
		CHECK_EQ(FAKE_RUN(&opts, work, i), 0);
	}
	return unused;
}

static void *switch_often(void *unused)
{
	for (unsigned i = 0; !atomic_load(&is_over); i++) {
		CHECK_EQ(soon_set_debug(i % 2 ? SOON_DEBUG_SLOW : 0), 0);
		nap(3000);
	}
	return unused;
}

static int hang_until_told(void *unused)
{
	unsigned before = atomic_load(&caught);

	while (atomic_load(&caught) == before)
		nap(200);
	return unused != NULL;
}

static unsigned thread_count(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned entries = 0;

	CHECK(dir != NULL);
	while (readdir(dir))
		entries++;
	(void)closedir(dir);
	return entries;
}

int main(void)
{
	const soon_opts opts = { .debug = 1, .slow_step = SOON_MS(2) };
	pthread_t threads[CORES + 1];
	unsigned threads_before;

	soon_on_report(count, NULL);
	CHECK_EQ(soon_run_with(&opts, hang_until_told, NULL), 0);
	threads_before = thread_count(); /* a sanitizer may have one of its own since the first */
	for (unsigned i = 0; i < CORES; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, run_often, NULL), 0);
	CHECK_EQ(pthread_create(&threads[CORES], NULL, switch_often, NULL), 0);
	for (unsigned i = 0; i < CORES; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	atomic_store(&is_over, true);
	CHECK_EQ(pthread_join(threads[CORES], NULL), 0);
	CHECK_EQ(soon_report_errors(), 0);
	/* A thread that was joined may show for a moment. */
	for (unsigned i = 0; i < 1000 && thread_count() != threads_before; i++)
		nap(1000);
	CHECK_EQ(thread_count(), threads_before);
	fprintf(stderr, "%u reports, %u of steps that still ran\n", atomic_load(&all),
		atomic_load(&caught));
	return 0;
}
