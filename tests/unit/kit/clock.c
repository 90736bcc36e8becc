// SPDX-License-Identifier: Apache-2.0
/* The virtual clock over a real kernel: when it jumps, when it must not, and in which order. */
#include <soon/soon.h>
#include <soon/test.h>

#include <time.h>
#include <unistd.h>

static soon_ns real_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return SOON_S(ts.tv_sec) + ts.tv_nsec;
}

SOON_TEST(clock, is_real_until_asked_and_goes_on_from_there)
{
	soon_ns before = soon_now();

	cr_assert_eq(soon_clock_advance(SOON_S(1)), -EINVAL);
	cr_assert_eq(soon_sleep(SOON_MS(1)), 0);
	cr_assert_geq(soon_now(), before + SOON_MS(1));
	soon_clock_virtual();
	before = soon_now();
	cr_assert_leq(before, real_now());
	cr_assert_eq(soon_sleep(SOON_S(1000)), 0);
	cr_assert_eq(soon_now(), before + SOON_S(1000));
	soon_clock_virtual();
	cr_assert_eq(soon_now(), before + SOON_S(1000));
}

SOON_TEST_F(clock, stands_still_while_anything_runs, SOON_T_VIRTUAL)
{
	soon_ns before = soon_now();

	cr_assert_eq(before, SOON_S(3600));
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(soon_yield(), 0);
	cr_assert_eq(soon_now(), before);
}

struct trace {
	char text[32];
	unsigned len;
};

static struct trace trace;

static void add(char letter)
{
	trace.text[trace.len++] = letter;
}

static int sleep_and_sign(int seconds)
{
	int rc = soon_sleep(SOON_S(seconds));

	add((char)('0' + seconds));
	return rc;
}

SOON_TEST_F(clock, jumps_from_deadline_to_deadline, SOON_T_VIRTUAL)
{
	soon_ns before = soon_now();
	soon_ns real = real_now();
	SOON_GROUP(g);

	for (int seconds = 9; seconds > 0; seconds--)
		cr_assert_eq(soon_spawn(&g, sleep_and_sign, seconds), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "123456789");
	cr_assert_eq(soon_now(), before + SOON_S(9));
	cr_assert_lt(real_now() - real, SOON_S(9));
}

static int write_late(const int *fd)
{
	/* Real time, so that the reader's operation is surely in flight when the core idles. */
	(void)usleep(2000);
	return write(*fd, "x", 1) == 1 ? 0 : -EIO;
}

static int offload_write(int *fd)
{
	return soon_offload(write_late, (const int *)fd);
}

SOON_TEST_F(clock, waits_for_real_io, SOON_T_VIRTUAL)
{
	soon_ns before = soon_now();
	int fds[2];
	char c;
	SOON_GROUP(g);

	cr_assert_eq(pipe(fds), 0);
	cr_assert_eq(soon_spawn(&g, offload_write, &fds[1]), 0);
	cr_assert_eq(soon_within(SOON_S(1), soon_read(fds[0], &c, 1)), 1);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_now(), before);
	cr_assert_eq(soon_close(fds[0]), 0);
	cr_assert_eq(soon_close(fds[1]), 0);
}

static int nap(void *unused)
{
	(void)unused;
	(void)usleep(2000);
	return 5;
}

SOON_TEST_F(clock, waits_for_offloaded_calls, SOON_T_VIRTUAL)
{
	soon_ns before = soon_now();

	cr_assert_eq(soon_within(SOON_S(1), soon_offload(nap, NULL)), 5);
	cr_assert_eq(soon_now(), before);
}

static int read_one(int *fd)
{
	char c;
	ssize_t n = soon_within(SOON_S(30), soon_read(*fd, &c, 1));

	add(n == -ETIMEDOUT ? 't' : 'r');
	return 0;
}

SOON_TEST_F(clock, is_advanced_with_io_in_flight, SOON_T_VIRTUAL)
{
	soon_ns before = soon_now();
	int fds[2];
	SOON_GROUP(g);

	cr_assert_eq(pipe(fds), 0);
	cr_assert_eq(soon_spawn(&g, read_one, &fds[0]), 0);
	cr_assert_eq(soon_spawn(&g, sleep_and_sign, 7), 0);
	cr_assert_eq(soon_clock_advance(SOON_S(29)), 0);
	cr_assert_str_eq(trace.text, "7");
	cr_assert_eq(soon_now(), before + SOON_S(29));
	cr_assert_eq(soon_clock_advance(SOON_S(1)), 0);
	cr_assert_str_eq(trace.text, "7t");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_close(fds[0]), 0);
	cr_assert_eq(soon_close(fds[1]), 0);
}

static int step(int *steps)
{
	for (int i = 0; i < 10; i++) {
		if (soon_yield() < 0)
			return -1;
		++*steps;
	}
	return soon_sleep(SOON_S(1)) < 0 ? -1 : 0;
}

SOON_TEST_F(settle, comes_before_a_jump_and_after_everybody, SOON_T_VIRTUAL)
{
	soon_ns before = soon_now();
	int steps = 0;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, step, &steps), 0);
	cr_assert_eq(soon_test_settle(), 0);
	cr_assert_eq(steps, 10);
	cr_assert_eq(soon_now(), before);
	cr_assert_eq(soon_test_settle(), 0);
	cr_assert_eq(soon_now(), before);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_now(), before + SOON_S(1));
}

SOON_TEST(settle, works_on_a_real_clock)
{
	int steps = 0;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, step, &steps), 0);
	cr_assert_eq(soon_test_settle(), 0);
	cr_assert_eq(steps, 10);
	soon_group_cancel(&g, "seen");
	(void)!soon_group_close(&g, 0);
	soon_test_expect_errors(0);
}

static int settle_and_sign(int letter)
{
	int rc = soon_test_settle();

	add((char)letter);
	return rc;
}

SOON_TEST_F(settle, several_take_turns, SOON_T_NO_KERNEL)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, settle_and_sign, 'a'), 0);
	cr_assert_eq(soon_spawn(&g, settle_and_sign, 'b'), 0);
	cr_assert_eq(soon_spawn(&g, settle_and_sign, 'c'), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "abc");
}

SOON_TEST_F(settle, is_a_cancellation_point, SOON_T_NO_KERNEL)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, settle_and_sign, 'a'), 0);
	cr_assert_eq(soon_yield(), 0);
	soon_group_cancel(&g, "test");
	cr_assert_eq(soon_test_settle(), -ECANCELED);
	cr_assert_eq(soon_clock_advance(1), -ECANCELED);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "a");
}

SOON_TEST_F(advance, stops_at_every_deadline_on_the_way, SOON_T_NO_KERNEL)
{
	SOON_GROUP(g);

	for (int seconds = 1; seconds < 6; seconds++)
		cr_assert_eq(soon_spawn(&g, sleep_and_sign, seconds), 0);
	cr_assert_eq(soon_clock_advance(SOON_MS(3999)), 0);
	cr_assert_str_eq(trace.text, "123");
	cr_assert_eq(soon_clock_advance(SOON_MS(1)), 0);
	cr_assert_str_eq(trace.text, "1234");
	cr_assert_eq(soon_clock_advance(0), 0);
	cr_assert_str_eq(trace.text, "1234");
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

static int operate(int seconds)
{
	add((char)('a' + soon_fake_op(SOON_S(seconds), seconds, SOON_FAKE_CANCEL_DONE)));
	return 0;
}

static int tick(soon_ns *last)
{
	for (;;) {
		int rc = soon_sleep(SOON_S(1));

		if (rc < 0)
			return rc;
		add('.');
		*last = soon_now();
	}
}

SOON_TEST_F(advance, lets_each_deadline_set_the_next, SOON_T_NO_KERNEL)
{
	soon_ns before = soon_now(), last = 0;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, tick, &last), 0);
	cr_assert_eq(soon_clock_advance(SOON_MS(5500)), 0);
	cr_assert_str_eq(trace.text, ".....");
	cr_assert_eq(last, before + SOON_S(5));
	cr_assert_eq(soon_now(), before + SOON_MS(5500));
	soon_group_cancel(&g, "seen");
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

SOON_TEST_F(advance, ends_scripted_operations_on_the_way, SOON_T_VIRTUAL)
{
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, operate, 2), 0);
	cr_assert_eq(soon_spawn(&g, operate, 1), 0);
	cr_assert_eq(soon_spawn(&g, sleep_and_sign, 3), 0);
	cr_assert_eq(soon_clock_advance(SOON_S(2)), 0);
	cr_assert_str_eq(trace.text, "bc");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_str_eq(trace.text, "bc3");
}
