// SPDX-License-Identifier: Apache-2.0
/*
 * What receives, sends and accepts belongs to the core that made it: calls from elsewhere are
 * refused, and what is in flight there goes on.
 */
#include "kit.h"

#include <pthread.h>

struct world {
	soon_acceptor acceptor;
	soon_receiver receiver;
	soon_sender sender;
	int refused;
};

static int keep_count(const soon_report *report, void *data)
{
	struct world *world = data;

	if (report->level != SOON_REPORT_ERROR)
		return 0;
	cr_assert_eq(report->rc, -EPERM);
	cr_assert_not_null(strstr(report->text, "another core"), "said: %s", report->text);
	world->refused++;
	return 0;
}

static int call_all(struct world *world)
{
	soon_slice chunk;

	cr_assert_eq(soon_acceptor_next(&world->acceptor), -EPERM);
	cr_assert_eq(soon_receiver_next(&world->receiver, &chunk), -EPERM);
	cr_assert_eq(soon_receiver_try_next(&world->receiver, &chunk), -EPERM);
	cr_assert_eq(soon_sender_start(&world->sender, "x", 1), -EPERM);
	cr_assert_eq(soon_sender_wait(&world->sender), -EPERM);
	return 0;
}

static void *other_core(void *arg)
{
	struct world *world = arg;

	cr_assert_eq(soon_run(call_all, world), 0);
	return NULL;
}

static void *no_core(void *arg)
{
	struct world *world = arg;
	soon_slice chunk;

	cr_assert_eq(soon_receiver_try_next(&world->receiver, &chunk), -EPERM);
	cr_assert_eq(soon_sender_start(&world->sender, "x", 1), -EPERM);
	return NULL;
}

static void on_thread(void *(*fn)(void *), struct world *world)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, fn, world), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
}

SOON_TEST(affinity, calls_from_elsewhere_are_refused)
{
	struct world world = { .refused = 0 };
	soon_slice chunk;
	int fds[2];

	kit_pair(fds);
	soon_acceptor_init(&world.acceptor, fds[0]);
	soon_receiver_init(&world.receiver, fds[0]);
	soon_sender_init(&world.sender, fds[1]);

	soon_on_report(keep_count, &world);
	on_thread(other_core, &world);
	cr_assert_eq(world.refused, 5);
	on_thread(no_core, &world);
	cr_assert_eq(world.refused, 7);
	soon_on_report(NULL, NULL);
	soon_test_reports_expected = 7;

	cr_assert_eq(soon_sender_start(&world.sender, "here", 4), 0);
	cr_assert_eq(soon_sender_wait(&world.sender), 0);
	cr_assert_eq(soon_receiver_next(&world.receiver, &chunk), 4);
	soon_receiver_return(&world.receiver, chunk);
	soon_acceptor_fini(&world.acceptor);
	soon_receiver_fini(&world.receiver);
	soon_sender_fini(&world.sender);
	kit_close_both(fds);
}
