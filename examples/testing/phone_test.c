// SPDX-License-Identifier: Apache-2.0
#include "phone.h"

#include <soon/mem_pipe.h>
#include <soon/test.h>

#include <stdio.h>
#include <string.h>

/* How the directory behaves: the tests set it. */
static soon_fake_resource directory;

/* Stands in for the real one: -Wl,--wrap=directory_find. */
SOON_FAKE(int, directory_find, (const char *name, char *ret_number, size_t bytes))
{
	int rc = soon_fake_enter(&directory, NULL);

	if (rc < 0)
		return rc;
	(void)snprintf(ret_number, bytes, "%zu", strlen(name));
	return soon_fake_exit(&directory);
}

/* A client and its server, connected by memory. */
struct fixture {
	struct phone phone;
	struct call call;
	soon_stream *client;
};

static void connect_to_phone(struct fixture *f, soon_group *g, const soon_mem_pipe_opts *opts)
{
	f->call.phone = &f->phone;
	cr_assert_eq(soon_mem_pipe(opts, &f->client, &f->call.conn), 0);
	cr_assert_eq(soon_spawn(g, phone_serve, &f->call), 0);
}

static void ask(struct fixture *f, const char *question, const char *expected)
{
	char line[64];
	size_t len = strlen(question);
	ssize_t n;

	cr_assert_eq(soon_stream_write(f->client, question, len), (ssize_t)len);
	n = soon_stream_read_until(f->client, "\n", line, sizeof line - 1);
	cr_assert_gt(n, 0, "no answer: %zd", n);
	line[n] = '\0';
	cr_assert_str_eq(line, expected);
}

SOON_TEST(phone, answers)
{
	struct fixture f = { 0 };
	SOON_GROUP(g);

	connect_to_phone(&f, &g, NULL);
	ask(&f, "anna\n", "4\n");
	directory.enter_rc = -ENOENT;
	ask(&f, "nobody\n", "unknown\n");
	cr_assert_eq(soon_stream_close(f.client), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(f.phone.answered, 2);
	SOON_ASSERT_BALANCED(&directory);
}

SOON_TEST_F(phone, is_busy_when_the_directory_is_slow, SOON_T_VIRTUAL)
{
	struct fixture f = { 0 };
	soon_ns begin = soon_now();
	SOON_GROUP(g);

	directory.enter_ns = SOON_S(3600);
	connect_to_phone(&f, &g, NULL);
	SOON_ASSERT_WITHIN(SOON_S(3))
	{
		ask(&f, "anna\n", "busy\n");
	}
	cr_assert_eq(soon_now() - begin, SOON_S(2));
	cr_assert_eq(soon_stream_close(f.client), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(f.phone.busy, 1);
}

SOON_TEST_F(phone, hangs_up_on_the_silent, SOON_T_VIRTUAL)
{
	struct fixture f = { 0 };
	char c;
	SOON_GROUP(g);

	connect_to_phone(&f, &g, NULL);
	cr_assert_eq(soon_clock_advance(SOON_S(29)), 0);
	ask(&f, "anna\n", "4\n");
	cr_assert_eq(soon_clock_advance(SOON_S(29)), 0);
	cr_assert_eq(soon_group_live(&g), 1);
	cr_assert_eq(soon_clock_advance(SOON_S(1)), 0);
	cr_assert_eq(soon_group_live(&g), 0);
	cr_assert_eq(soon_stream_read(f.client, &c, 1), 0);
	cr_assert_eq(soon_stream_close(f.client), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
}

SOON_TEST(phone, survives_a_broken_line)
{
	struct fixture f = { 0 };
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	connect_to_phone(&f, &g, NULL);
	ask(&f, "anna\n", "4\n");
	soon_mem_pipe_break(f.client, 0, -ECONNRESET);
	cr_assert_eq(soon_group_close(&g, 0), -ECONNRESET);
	cr_assert_eq(soon_stream_close(f.client), 0);
	SOON_ASSERT_BALANCED(&directory);
}

/* Two callers, bytes in pieces, any order of tasks: a hundred times. */
SOON_TEST_SHUFFLED(phone, serves_two_at_once, SOON_T_NO_KERNEL, 100)
{
	const soon_mem_pipe_opts pieces = { .read_max = 3, .write_max = 2, .seed = 1 };
	struct fixture anna = { 0 }, bert = { 0 };
	soon_ns begin = soon_now();
	SOON_GROUP(g);

	directory.enter_ns = SOON_MS(5);
	connect_to_phone(&anna, &g, &pieces);
	connect_to_phone(&bert, &g, &pieces);
	cr_assert_eq(soon_stream_write(anna.client, "a\n", 2), 2);
	cr_assert_eq(soon_stream_flush(anna.client), 0);
	ask(&bert, "bb\n", "2\n");
	ask(&anna, "aaa\n", "1\n");
	cr_assert_eq(soon_now() - begin, SOON_MS(5), "one had to wait for the other");
	soon_stream_abort(anna.client);
	cr_assert_eq(soon_stream_close(bert.client), 0);
	cr_assert_eq(soon_group_close(&g, 0), -ECONNRESET);
}
