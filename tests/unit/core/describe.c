// SPDX-License-Identifier: Apache-2.0
/* A task in one line, and the formatter below it: what is said, where it is cut. */
#include "describe.h"

#include "fake_test.h"
#include "handle.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char line[SOON__DESCRIBE_BYTES];

static const char *describe(const soon_task *task)
{
	return soon__task_describe(soon__handle_record(task), line, sizeof line);
}

static void assert_says(const char *text, const char *expected)
{
	cr_assert_not_null(strstr(text, expected), "expected '%s' in: %s", expected, text);
}

static int slow_disk(void *unused)
{
	(void)unused;
	return (int)fake_op(SOON_S(10), 0, FAKE_CANCEL_IGNORED);
}

static int sleeper(void *unused)
{
	(void)unused;
	return soon_sleep(SOON_S(100));
}

FAKE_TEST(describe, a_parked_task)
{
	soon_task *task;
	char expected[128];
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn_with(&g, &(soon_task_opts){ .ret_task = &task }, sleeper, NULL), 0);
	(void)snprintf(expected, sizeof expected, "'sleeper' #2, spawned at %s:%d, ", __FILE__,
		__LINE__ - 2);
	cr_assert_eq(strncmp(describe(task), expected, strlen(expected)), 0, "%s", line);
	assert_says(line, ", ready");
	cr_assert_eq(soon_sleep(SOON_MS(1500)), 0);
	assert_says(describe(task), "parked in sleep for 1.5 s");
	cr_assert_null(strstr(line, "cancel"), "%s", line);
	cr_assert_null(soon__task_holder(soon__handle_record(task)));
	soon_group_cancel(&g, "done");
	assert_says(describe(task), "ready, cancelled");
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

FAKE_TEST(describe, a_wait_that_does_not_heed_its_cancel)
{
	soon_task *task;
	SOON_GROUP(g);

	cr_assert_eq(
		soon_spawn_with(&g, &(soon_task_opts){ .ret_task = &task }, slow_disk, NULL), 0);
	cr_assert_eq(soon_sleep(SOON_S(2)), 0);
	soon_group_cancel(&g, "done");
	cr_assert_eq(soon_shielded(SOON_S(10), soon_sleep(SOON_S(3))), 0);
	assert_says(describe(task), " for 5.0 s, cancel requested 3.0 s ago");
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

FAKE_TEST(describe, itself_and_one_that_ended)
{
	soon_task *task;
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	assert_says(describe(soon_self()), "#1, ");
	assert_says(line, ", running");
	cr_assert_eq(
		soon_spawn_with(&g, &(soon_task_opts){ .ret_task = &task }, slow_disk, NULL), 0);
	cr_assert_eq(soon_join(task, NULL), 0);
	assert_says(describe(task), ", ended with 0");
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

FAKE_TEST(describe, a_name_stays_in_one_line_and_is_cut)
{
	static char name[1000];
	soon_task_opts opts = { 0 };
	soon_task *task;
	SOON_GROUP(g);

	memset(name, 'n', sizeof name - 1);
	name[0] = '\n';
	opts.name = name;
	opts.ret_task = &task;
	cr_assert_eq(soon_spawn_with(&g, &opts, slow_disk, NULL), 0);
	cr_assert_eq(strlen(describe(task)), sizeof line - 1);
	cr_assert_null(strchr(line, '\n'));
	assert_says(line, "'?nnn");
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

static void assert_duration(soon_ns duration, const char *expected)
{
	struct soon__text text;

	soon__text_init(&text, line, sizeof line, SOON__TEXT_NO_FD);
	soon__text_duration(&text, duration);
	cr_assert_str_eq(line, expected);
}

SOON_TEST_PLAIN(text, durations)
{
	assert_duration(-1, "0 ns");
	assert_duration(0, "0 ns");
	assert_duration(999, "999 ns");
	assert_duration(1000, "1.0 us");
	assert_duration(SOON_MS(99) + SOON_US(999), "99.9 ms");
	assert_duration(SOON_MS(100), "100 ms");
	assert_duration(SOON_S(1), "1.0 s");
	assert_duration(SOON_S(3599), "3599 s");
	assert_duration(SOON_S(3600), "1 h 0 min");
	assert_duration(SOON_NEVER, "2562047 h 47 min");
}

SOON_TEST_PLAIN(text, numbers)
{
	struct soon__text text;

	soon__text_init(&text, line, sizeof line, SOON__TEXT_NO_FD);
	soon__text_int(&text, INT64_MIN);
	soon__text_spaces(&text, 2);
	soon__text_uint(&text, UINT64_MAX);
	soon__text_spaces(&text, 1);
	soon__text_hex(&text, 0x7fff0000abcdu);
	soon__text_spaces(&text, 1);
	soon__text_errno(&text, -EIO);
	soon__text_errno(&text, -9999);
	soon__text_str(&text, NULL);
	soon__text_site(&text, NULL);
	cr_assert_str_eq(
		line, "-9223372036854775808  18446744073709551615 0x7fff0000abcd -EIO-9999??");
}

SOON_TEST_PLAIN(text, goes_to_its_descriptor_when_full)
{
	struct soon__text text;
	char small[4], seen[64];
	int ends[2];
	ssize_t len;

	cr_assert_eq(pipe(ends), 0);
	soon__text_init(&text, small, sizeof small, ends[1]);
	soon__text_str(&text, "longer than the buffer");
	soon__text_end_line(&text);
	soon__text_flush(&text);
	cr_assert_eq(text.rc, 0);
	len = read(ends[0], seen, sizeof seen);
	cr_assert_eq(len, 23);
	cr_assert_eq(memcmp(seen, "longer than the buffer\n", 23), 0);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

SOON_TEST_PLAIN(text, a_reader_that_left_is_an_error_and_no_signal)
{
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	(void)close(ends[0]);
	errno = 7;
	cr_assert_eq(soon__write_all(ends[1], "x", 1), -EPIPE);
	cr_assert_eq(soon__write_all(-1, "x", 1), -EBADF);
	cr_assert_eq(errno, 7);
	(void)close(ends[1]);
}

SOON_TEST_PLAIN(text, a_full_pipe_is_waited_for_only_a_moment)
{
	static char block[65536];
	int ends[2];

	cr_assert_eq(pipe2(ends, O_NONBLOCK), 0);
	cr_assert_eq(soon__write_all(ends[1], block, sizeof block), 0);
	cr_assert_eq(soon__write_all(ends[1], block, 1), -EAGAIN);
	(void)close(ends[0]);
	(void)close(ends[1]);
}
