// SPDX-License-Identifier: Apache-2.0
/* From a file to whatever: all of it, parts, cancels that tell how much; and pipes. */
#include <soon/file.h>
#include <soon/mem.h>

#include "kit_backend.h"

#include <signal.h>
#include <sys/resource.h>

#define FILE_BYTES 1000000

static char data[FILE_BYTES], back[FILE_BYTES];

static int make_empty(void)
{
	char path[] = "/tmp/soon-sendfile-XXXXXX";
	int fd = mkstemp(path);

	cr_assert_eq(unlink(path), 0);
	return fd;
}

static int make_file(void)
{
	int fd = make_empty();

	for (int i = 0; i < FILE_BYTES; i++)
		data[i] = (char)(i * 7 + i / 251);
	cr_assert_eq(write(fd, data, sizeof(data)), FILE_BYTES);
	return fd;
}

static int read_back(int fd)
{
	size_t done = 0;

	cr_assert_geq(soon_read_full(fd, back, sizeof(back), &done), 0);
	return done > 0 && memcmp(back, data + 5, done) == 0 ? (int)done : -EBADMSG;
}

static void send_to(int out, int in)
{
	int file = make_file();
	size_t done = 1;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, read_back, in), 0);
	cr_assert_eq(soon_sendfile(out, file, 5, SIZE_MAX, &done), FILE_BYTES - 5);
	cr_assert_eq(done, FILE_BYTES - 5);
	cr_assert_eq(soon_close(out), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(memcmp(back, data + 5, FILE_BYTES - 5), 0);
	cr_assert_eq(lseek(file, 0, SEEK_CUR), FILE_BYTES); /* where it was */
	cr_assert_eq(soon_close(file), 0);
	cr_assert_eq(soon_close(in), 0);
}

SOON_TEST(sendfile, to_a_socket)
{
	int fds[2];

	kit_pair(fds);
	send_to(fds[0], fds[1]);
}

SOON_TEST(sendfile, to_a_pipe)
{
	int fds[2];

	cr_assert_eq(soon_pipe(fds, 0), 0);
	send_to(fds[1], fds[0]);
}

SOON_TEST(sendfile, to_a_file)
{
	int out = make_empty(), file = make_file();

	cr_assert_eq(soon_sendfile(out, file, 10, 200000, NULL), 200000);
	cr_assert_eq(soon_sendfile(out, file, 200010, SIZE_MAX, NULL), FILE_BYTES - 200010);
	cr_assert_eq(soon_pread(out, back, sizeof(back), 0), FILE_BYTES - 10);
	cr_assert_eq(memcmp(back, data + 10, FILE_BYTES - 10), 0);
	cr_assert_eq(soon_sendfile(out, file, FILE_BYTES, SIZE_MAX, NULL), 0);
	cr_assert_eq(soon_sendfile(out, file, 0, 0, NULL), 0);
	cr_assert_eq(soon_close(out), 0);
	cr_assert_eq(soon_close(file), 0);
}

struct sending {
	int out, file;
	size_t done;
};

static int send_all(struct sending *sending)
{
	return (int)soon_sendfile(sending->out, sending->file, 5, SIZE_MAX, &sending->done);
}

SOON_TEST(sendfile, a_cancel_tells_what_went_out)
{
	struct sending sending = { .file = make_file() };
	size_t seen = 0;
	ssize_t n;
	int fds[2];
	SOON_GROUP(g);

	kit_pair(fds);
	sending.out = fds[0];
	cr_assert_eq(soon_spawn(&g, send_all, &sending), 0);
	cr_assert_eq(soon_poll_fd(fds[1], POLLIN), POLLIN);
	kit_settle();
	soon_group_cancel(&g, "test");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_gt(sending.done, 0);
	cr_assert_lt(sending.done, FILE_BYTES - 5);
	cr_assert_eq(soon_close(fds[0]), 0);
	while ((n = read(fds[1], back + seen, sizeof(back) - seen)) > 0)
		seen += (size_t)n;
	cr_assert_eq(seen, sending.done);
	cr_assert_eq(memcmp(back, data + 5, seen), 0);
	cr_assert_eq(soon_close(fds[1]), 0);
	cr_assert_eq(soon_close(sending.file), 0);
}

struct shrink {
	int file, in;
};

/* Takes the first bytes, then cuts the file. */
static int cut(struct shrink *shrink)
{
	ssize_t n;

	cr_assert_eq(soon_read_full(shrink->in, back, 1000, NULL), 1000);
	cr_assert_eq(ftruncate(shrink->file, 500000), 0);
	while ((n = soon_read(shrink->in, back, sizeof(back))) > 0)
		continue;
	return (int)n;
}

SOON_TEST(sendfile, a_file_that_shrinks_has_ended)
{
	struct shrink shrink = { .file = make_file() };
	int fds[2];
	ssize_t n;
	SOON_GROUP(g);

	kit_pair(fds);
	shrink.in = fds[1];
	cr_assert_eq(soon_spawn(&g, cut, &shrink), 0);
	n = soon_sendfile(fds[0], shrink.file, 0, FILE_BYTES, NULL);
	cr_assert(n >= 500000 && n < FILE_BYTES, "%zd", n);
	cr_assert_eq(soon_close(fds[0]), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon_close(fds[1]), 0);
	cr_assert_eq(soon_close(shrink.file), 0);
}

SOON_TEST(sendfile, what_goes_wrong)
{
	int file = make_file(), full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	size_t done = 1;
	int fds[2];

	kit_pair(fds);
	cr_assert_eq(soon_sendfile(fds[0], fds[1], 0, 1, &done), -ESPIPE);
	cr_assert_eq(done, 0);
	cr_assert_eq(soon_sendfile(fds[0], file, -1, 1, NULL), -EINVAL);
	cr_assert_eq(soon_sendfile(fds[0], 999, 0, 1, NULL), -EBADF);
	cr_assert_eq(soon_sendfile(999, file, 0, 1, NULL), -EBADF);
	cr_assert_eq(soon_sendfile(full, file, 0, 1, &done), -ENOSPC);
	cr_assert_eq(done, 0);
	cr_assert_eq(soon_close(fds[1]), 0);
	cr_assert_eq(soon_sendfile(fds[0], file, 0, SIZE_MAX, NULL), -EPIPE); /* and no signal */
	cr_assert_eq(soon_close(fds[0]), 0);
	cr_assert_eq(soon_close(file), 0);
	cr_assert_eq(soon_close(full), 0);
}

SOON_TEST(sendfile, a_full_disk_tells_what_went_out)
{
	int out = make_empty(), file = make_file();
	struct rlimit limit;
	size_t done = 0;

	cr_assert_neq(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = 300000; /* in the middle of a piece */
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_assert_eq(soon_sendfile(out, file, 0, SIZE_MAX, &done), -EFBIG);
	cr_assert_eq(done, 300000);
	limit.rlim_cur = limit.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_assert_eq(soon_sendfile(out, file, (off_t)done, SIZE_MAX, NULL), FILE_BYTES - 300000);
	cr_assert_eq(soon_pread(out, back, sizeof(back), 0), FILE_BYTES);
	cr_assert_eq(memcmp(back, data, FILE_BYTES), 0);
	cr_assert_eq(soon_close(out), 0);
	cr_assert_eq(soon_close(file), 0);
}

SOON_TEST(sendfile, what_fails_before_the_first_byte_sends_none)
{
	int file = make_file();
	size_t done = 1;
	char byte;
	int fds[2];

	kit_pair(fds);
	soon_mem_fail_at(1);
	cr_assert_eq(soon_sendfile(fds[0], file, 0, SIZE_MAX, &done), -ENOMEM);
	soon_mem_fail_at(0);
	cr_assert_eq(done, 0);
	SOON_SCOPE(s);
	soon_scope_cancel(&s, "test");
	done = 1;
	cr_assert_eq(soon_sendfile(fds[0], file, 0, SIZE_MAX, &done), -ECANCELED);
	cr_assert_eq(done, 0);
	cr_assert_eq(soon_sendfile(fds[0], file, 0, 0, NULL), -ECANCELED);
	cr_assert_eq(soon_scope_close(&s, 0), 0);
	cr_assert_eq(soon_close(fds[0]), 0);
	cr_assert_eq(soon_read(fds[1], &byte, 1), 0);
	cr_assert_eq(soon_close(fds[1]), 0);
	cr_assert_eq(soon_close(file), 0);
}

SOON_TEST(sendfile, pipes)
{
	char byte;
	int fds[2];

	cr_assert_eq(soon_pipe(fds, O_NONBLOCK), 0);
	cr_assert_eq(fcntl(fds[0], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	cr_assert_eq(fcntl(fds[1], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	cr_assert_eq(soon_within(KIT_SHORT, soon_read(fds[0], &byte, 1)), -ETIMEDOUT);
	cr_assert_eq(soon_write(fds[1], "x", 1), 1);
	cr_assert_eq(soon_read(fds[0], &byte, 1), 1);
	cr_assert_eq(soon_close(fds[0]), 0);
	cr_assert_neq(signal(SIGPIPE, SIG_IGN), SIG_ERR);
	cr_assert_eq(soon_write(fds[1], "x", 1), -EPIPE);
	cr_assert_eq(soon_close(fds[1]), 0);
	cr_assert_eq(soon_pipe(fds, -1), -EINVAL);
}
