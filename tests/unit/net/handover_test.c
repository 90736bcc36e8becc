// SPDX-License-Identifier: Apache-2.0
/*
 * handover_test.c: hand-overs that are refused or fail, and the listener after them. Those that
 * succeed are in tests/e2e/handover.py.
 */
#include <soon/handover.h>

#include "net_kit.h"
#include "report_kit.h"

#include <stdio.h>

static soon_listener *listen_named(const char *where, const char *name)
{
	soon_listen_opts opts = { .name = name };
	soon_listener *l = NULL;

	cr_assert_eq(soon_listen(where, &opts, &l), 0);
	return l;
}

/* Hands one listener over to a shell that runs `script`. */
static int hand_over(soon_listener *l, const char *script, soon_ns ready_timeout)
{
	soon_listener *const listeners[] = { l };
	soon_handover handover = {
		.listeners = listeners,
		.listeners_count = 1,
		.argv = SOON_ARGV("sh", "-c", script),
		.ready_timeout = ready_timeout,
	};

	return soon_handover_run(&handover);
}

static void goes_on(soon_listener *l)
{
	char text[SOON_ADDR_TEXT_BYTES];
	soon_stream *out = NULL, *in = NULL;
	soon_addr addr;

	report_has("this process goes on serving");
	soon_listener_addr(l, &addr);
	cr_assert_eq(soon_dial(soon_addr_format(&addr, text), NULL, &out), 0);
	cr_assert_eq(soon_within(SOON_S(10), soon_listener_accept(l, &in)), 0);
	cr_expect_eq(soon_stream_close(out), 0);
	cr_expect_eq(soon_stream_close(in), 0);
}

NET_TEST(handover, a_new_process_that_ends_before_it_is_ready_changes_nothing)
{
	soon_listener *l = listen_named("127.0.0.1:0", "web");

	soon_on_report(report_keep, NULL);
	cr_expect_eq(hand_over(l, "exit 7", 0), -ECONNABORTED);
	report_has("exit status 7");
	goes_on(l);
	cr_expect_eq(hand_over(l, "kill -SEGV $$", 0), -ECONNABORTED);
	report_has("SIGSEGV");
	goes_on(l);
	soon_listener_close(l);
}

NET_TEST(handover, one_that_is_not_ready_in_time_is_ended)
{
	soon_listener *l = listen_named("127.0.0.1:0", "web");

	soon_on_report(report_keep, NULL);
	cr_expect_eq(hand_over(l, "exec sleep 1000", SOON_MS(20)), -ETIMEDOUT);
	report_has("not ready in time");
	goes_on(l);
	soon_listener_close(l);
}

NET_TEST(handover, a_cancelled_one_ends_the_new_process)
{
	soon_listener *l = listen_named("127.0.0.1:0", "web");

	cr_expect_eq(soon_within(SOON_MS(20), hand_over(l, "exec sleep 1000", 0)), -ETIMEDOUT);
	soon_listener_close(l);
}

NET_TEST(handover, one_that_is_no_program_changes_nothing)
{
	soon_listener *l = listen_named("127.0.0.1:0", "web");
	soon_listener *const listeners[] = { l };
	soon_handover handover = {
		.listeners = listeners, .listeners_count = 1, .argv = SOON_ARGV("/no/such/program")
	};

	soon_on_report(report_keep, NULL);
	cr_expect_eq(soon_handover_run(&handover), -ENOENT);
	report_has("no hand-over: ");
	report_has("cannot run program");
	goes_on(l);
	soon_listener_close(l);
}

/* What it says, as it says it to us, on descriptor 3 + 2: the sockets come first. */
NET_TEST(handover, the_new_process_is_told_what_it_gets)
{
	soon_listener *l = listen_named("localhost:0", "a-name");
	soon_addr addr;
	unsigned count = 0;

	while (soon_listener_addr_at(l, count, &addr) == 0)
		count++;
	soon_on_report(report_keep, NULL);
	cr_assert_eq(setenv("TEST_COUNT", count == 2 ? "2" : "1", 1), 0);
	cr_assert_eq(setenv("LISTEN_PID", "1", 1), 0);
	cr_expect_eq(hand_over(l,
			     "test \"$LISTEN_FDS\" = $TEST_COUNT || exit 1; "
			     "test \"${LISTEN_PID-none}\" = none || exit 2; "
			     "test \"${LISTEN_FDNAMES%%:*}\" = a-name || exit 3; "
			     "test \"$SOON_HANDOVER\" = $((3 + TEST_COUNT)) || exit 4; "
			     "exit 9",
			     0),
		-ECONNABORTED);
	report_has("exit status 9");
	soon_listener_close(l);
}

NET_TEST(handover, what_cannot_be_handed_over_is_refused)
{
	soon_listener *l = listen_named("127.0.0.1:0", NULL);

	soon_on_report(report_keep, NULL);
	cr_expect_eq(hand_over(l, "exit 0", 0), -EINVAL);
	report_has("no name");
	soon_listener_close(l);
	l = listen_named("127.0.0.1:0", "a:b");
	cr_expect_eq(hand_over(l, "exit 0", 0), -EINVAL);
	report_has("a:b");
	soon_listener_close(l);
	l = listen_named("127.0.0.1:0", "web");
	soon_listener_stop(l);
	cr_expect_eq(hand_over(l, "exit 0", 0), -EINVAL);
	report_has("stopped: web");
	soon_listener_close(l);
}

NET_TEST(handover, more_than_a_process_can_be_given_is_refused)
{
	enum { COUNT = SOON_HANDOVER_SOCKETS_MAX + 1 };
	static soon_listener *listeners[COUNT];
	soon_handover handover = { .listeners = listeners,
		.listeners_count = COUNT,
		.argv = SOON_ARGV("sh", "-c", "exit 0") };

	soon_on_report(report_keep, NULL);
	for (int i = 0; i < COUNT; i++)
		listeners[i] = listen_named("127.0.0.1:0", "web");
	cr_expect_eq(soon_handover_run(&handover), -E2BIG);
	goes_on(listeners[0]);
	for (int i = 0; i < COUNT; i++)
		soon_listener_close(listeners[i]);
}

/* Nothing is left behind either, which the kit sees to. */
NET_TEST(handover, each_allocation_may_fail, .timeout = 60)
{
	int rc = -ENOMEM;

	soon_on_report(report_keep, NULL);
	for (uint64_t k = 1; rc == -ENOMEM; k++) {
		soon_listener *l = listen_named("localhost:0", "web");

		cr_assert_lt(k, 100);
		soon_mem_fail_at(k);
		rc = hand_over(l, "exit 7", 0);
		soon_mem_fail_at(0);
		soon_listener_close(l);
	}
	cr_expect_eq(rc, -ECONNABORTED);
}

NET_TEST(handover, want_of_descriptors_changes_nothing)
{
	soon_listener *l = listen_named("127.0.0.1:0", "web");
	int rc = -EMFILE;

	soon_on_report(report_keep, NULL);
	for (unsigned room = 0; rc == -EMFILE; room++) {
		struct rlimit was = leave_room(room);

		cr_assert_lt(room, 40);
		rc = hand_over(l, "exit 7", 0);
		cr_assert_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
		goes_on(l);
	}
	cr_expect_eq(rc, -ECONNABORTED);
	soon_listener_close(l);
}
