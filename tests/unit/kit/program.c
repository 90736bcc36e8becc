// SPDX-License-Identifier: Apache-2.0
/* The kit without Criterion, with threads around it: what ThreadSanitizer can look at. */
#define SOON_TEST_NO_CRITERION

#include <soon/assert.h>
#include <soon/test.h>
#include <soon/thread.h>

#include <pthread.h>
#include <string.h>
#include <support/program.h>
#include <time.h>

static soon_verdict verdict;

struct post {
	soon_callback callback;
	soon_core *core;
	int arrived;
};

static void arrive(soon_callback *callback)
{
	SOON_CONTAINER_OF(callback, struct post, callback)->arrived++;
}

static void *post_late(void *arg)
{
	struct post *post = arg;
	const struct timespec nap = { 0, 2000000 };

	(void)nanosleep(&nap, NULL);
	soon_report_file(SOON_REPORT_WARNING, 0, "from a thread");
	CHECK_EQ(soon_post(post->core, &post->callback), 0);
	return NULL;
}

/* A thread posts while the virtual clock is held: no time passes before it does. */
static int wait_for_post(struct post *post)
{
	soon_ns before = soon_now();
	pthread_t thread;

	post->core = soon_core_self();
	soon_clock_hold();
	CHECK_EQ(pthread_create(&thread, NULL, post_late, post), 0);
	while (post->arrived == 0)
		CHECK_EQ(soon_yield(), 0);
	soon_clock_release();
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(soon_now(), before);
	CHECK(soon_test_reported("from a thread"));
	return soon_sleep(SOON_S(100));
}

static int nap(void *unused)
{
	const struct timespec time = { 0, 1000000 };

	(void)unused;
	soon_report_file(SOON_REPORT_ERROR, -EIO, "on a pool thread");
	return nanosleep(&time, NULL);
}

static int offload_many(void *unused)
{
	soon_ns before = soon_now();

	(void)unused;
	for (int i = 0; i < 20; i++)
		CHECK_EQ(soon_within(SOON_S(1), soon_offload(nap, NULL)), 0);
	CHECK_EQ(soon_now(), before);
	return 0;
}

int main(void)
{
	const soon_test_opts virtual = { .flags = SOON_T_VIRTUAL };
	const soon_test_opts lenient = { .flags = SOON_T_VIRTUAL | SOON_T_ERRORS_OK };
	struct post post = { .callback = { .fn = arrive } };

	CHECK(soon_test_run(&virtual, wait_for_post, &post, &verdict));
	CHECK(!soon_test_run(&virtual, offload_many, NULL, &verdict));
	CHECK_EQ(verdict.errors, 20);
	CHECK(strstr(verdict.text, "on a pool thread") != NULL);
	CHECK(soon_test_run(&lenient, offload_many, NULL, &verdict));
	return 0;
}
