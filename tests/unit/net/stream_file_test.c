// SPDX-License-Identifier: Apache-2.0
/* stream_file_test.c: files into streams: in order, cut short, resumed. */
#include <soon/group.h>
#include <soon/mem.h>

#include "net_kit.h"
#include "stream.h"

#define FILE_BYTES 500000

struct sending {
	soon_stream *stream, *peer;
	int file;
};

/* A file with a pattern, and two streams; "head" is gathered in the first of them. */
static void sending_make(struct sending *sending)
{
	char path[] = "/tmp/soon-stream-XXXXXX";
	char *data = malloc(FILE_BYTES);
	int fds[2];

	cr_assert_not_null(data);
	sending->file = mkstemp(path);
	cr_assert_eq(unlink(path), 0);
	pattern_fill(data, FILE_BYTES, 0);
	cr_assert_eq(write(sending->file, data, FILE_BYTES), FILE_BYTES);
	free(data);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	cr_assert_eq(soon_stream_adopt(fds[0], NULL, &sending->stream), 0);
	cr_assert_eq(soon_stream_adopt(fds[1], NULL, &sending->peer), 0);
	cr_assert_eq(soon_stream_write(sending->stream, "head", 4), 4);
}

static void sending_end(struct sending *sending)
{
	cr_expect_eq(soon_stream_close(sending->stream), 0);
	cr_expect_eq(soon_stream_close(sending->peer), 0);
	cr_assert_eq(close(sending->file), 0);
}

/* "head", the file, "tail". */
static int expect_all(struct sending *sending)
{
	char *data = malloc(FILE_BYTES), *got = malloc(FILE_BYTES);

	cr_assert(data != NULL && got != NULL);
	pattern_fill(data, FILE_BYTES, 0);
	cr_assert_eq(soon_stream_read_exact(sending->peer, got, 4, NULL), 4);
	cr_expect_eq(memcmp(got, "head", 4), 0);
	cr_assert_eq(soon_stream_read_exact(sending->peer, got, FILE_BYTES, NULL), FILE_BYTES);
	cr_expect_eq(memcmp(got, data, FILE_BYTES), 0);
	cr_assert_eq(soon_stream_read_exact(sending->peer, got, 4, NULL), 4);
	cr_expect_eq(memcmp(got, "tail", 4), 0);
	free(got);
	free(data);
	return 0;
}

/* From `offset` on to the end, with the tail, while the peer looks at all of it. */
static void send_rest(struct sending *sending, size_t offset)
{
	size_t done = 0;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, expect_all, sending), 0);
	cr_expect_eq(soon_stream_sendfile(
			     sending->stream, sending->file, (off_t)offset, SIZE_MAX, &done),
		(ssize_t)(FILE_BYTES - offset));
	cr_expect_eq(done, FILE_BYTES - offset);
	cr_expect_eq(soon_stream_write(sending->stream, "tail", 4), 4);
	cr_expect_eq(soon_stream_flush(sending->stream), 0);
	cr_expect_eq(soon_group_close(&g, 0), 0);
}

NET_TEST(stream_file, goes_in_order_with_what_is_gathered)
{
	struct sending sending;

	sending_make(&sending);
	send_rest(&sending, 0);
	sending_end(&sending);
}

NET_TEST(stream_file, a_cancel_tells_what_was_taken_and_it_goes_on_there)
{
	struct sending sending;
	size_t done = 0;

	sending_make(&sending);
	cr_expect_eq(
		soon_within(SOON_MS(5),
			soon_stream_sendfile(sending.stream, sending.file, 0, SIZE_MAX, &done)),
		-ETIMEDOUT);
	cr_expect_lt(done, FILE_BYTES);
	send_rest(&sending, done);
	sending_end(&sending);
}

NET_TEST(stream_file, what_fails_before_the_first_byte_takes_none)
{
	struct sending sending;
	size_t done = 1;
	int pipe_fds[2];

	sending_make(&sending);
	cr_assert_eq(soon_pipe(pipe_fds, 0), 0);
	cr_expect_eq(soon_stream_sendfile(sending.stream, pipe_fds[0], 0, 1, &done), -ESPIPE);
	cr_expect_eq(done, 0);
	cr_expect_eq(soon_stream_sendfile(sending.stream, sending.file, -1, 1, NULL), -EINVAL);
	cr_expect_eq(soon_stream_sendfile(sending.stream, 999, 0, 1, NULL), -EBADF);
	soon_mem_fail_at(1);
	cr_expect_eq(soon_stream_sendfile(sending.stream, sending.file, 0, 1, NULL), -ENOMEM);
	soon_mem_fail_at(0);
	cr_expect_eq(soon_stream_sendfile(sending.stream, sending.file, 0, 0, NULL), 0);
	SOON_SCOPE(s);
	soon_scope_cancel(&s, "test");
	cr_expect_eq(soon_stream_sendfile(sending.stream, sending.file, 0, 1, NULL), -ECANCELED);
	cr_expect_eq(soon_scope_close(&s, 0), 0);
	send_rest(&sending, 0);
	cr_assert_eq(soon_close(pipe_fds[0]), 0);
	cr_assert_eq(soon_close(pipe_fds[1]), 0);
	sending_end(&sending);
}
