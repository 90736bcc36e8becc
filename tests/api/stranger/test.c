// SPDX-License-Identifier: Apache-2.0
/* The tests of somebody who has only what was installed. */
#include <soon/mem_pipe.h>
#include <soon/test.h>

SOON_TEST_F(stranger, waits_an_hour, SOON_T_VIRTUAL)
{
	soon_ns before = soon_now();

	SOON_ASSERT_WITHIN(SOON_S(3601))
	{
		cr_assert_eq(soon_sleep(SOON_S(3600)), 0);
	}
	cr_assert_eq(soon_now(), before + SOON_S(3600));
}

static int answer(soon_stream *stream)
{
	char line[16];
	ssize_t n = soon_stream_read_until(stream, "\n", line, sizeof line);

	if (n > 0)
		n = soon_stream_write(stream, line, (size_t)n);
	return n < 0 ? (int)n : soon_stream_flush(stream);
}

SOON_TEST(stranger, talks_over_memory)
{
	soon_stream *client, *server;
	char line[16];
	SOON_GROUP(g);

	cr_assert_eq(soon_mem_pipe(NULL, &client, &server), 0);
	cr_assert_eq(soon_spawn(&g, answer, server), 0);
	cr_assert_eq(soon_stream_write(client, "ping\n", 5), 5);
	cr_assert_eq(soon_stream_read_until(client, "\n", line, sizeof line), 5);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_stream_close(client), 0);
	cr_assert_eq(soon_stream_close(server), 0);
}
