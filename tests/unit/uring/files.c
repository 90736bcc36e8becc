// SPDX-License-Identifier: Apache-2.0
/*
 * What is done to names and to open files: each call, its failures, its cancels. What the kernel
 * has no request for runs on threads, and on a ring that is taken to know none, everything does.
 */
#include <soon/file.h>

#include "kit_backend.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char folder[] = "/tmp/soon-files-XXXXXX";

/* An empty folder, opened; its name is in `folder`. */
static int enter_folder(void)
{
	int dir;

	cr_assert_not_null(mkdtemp(folder));
	dir = soon_open(folder, O_RDONLY | O_DIRECTORY, 0);
	cr_assert_geq(dir, 0);
	return dir;
}

static void leave_folder(int dir)
{
	cr_assert_eq(soon_close(dir), 0);
	cr_assert_eq(soon_rmdir(folder), 0, "something was left in it");
}

static void make_file(int dir, const char *name, const char *text)
{
	int fd = soon_openat(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(soon_write(fd, text, strlen(text)), (ssize_t)strlen(text));
	cr_assert_eq(soon_close(fd), 0);
}

static uint64_t size_of(int dir, const char *name)
{
	struct statx stat;

	cr_assert_eq(soon_statx(dir, name, 0, STATX_SIZE, &stat), 0);
	return stat.stx_size;
}

static void try_names(void)
{
	char text[16];
	int dir = enter_folder();

	make_file(dir, "a", "1");
	make_file(dir, "b", "22");
	cr_assert_eq(soon_renameat(dir, "a", dir, "b", RENAME_NOREPLACE), -EEXIST);
	cr_assert_eq(soon_renameat(dir, "a", dir, "b", RENAME_EXCHANGE), 0);
	cr_assert_eq(size_of(dir, "a"), 2);
	cr_assert_eq(soon_renameat(dir, "a", dir, "b", 0), 0);
	cr_assert_eq(size_of(dir, "b"), 2);
	cr_assert_eq(soon_renameat(dir, "a", dir, "b", 0), -ENOENT);

	cr_assert_eq(soon_mkdirat(dir, "sub", 0700), 0);
	cr_assert_eq(soon_mkdirat(dir, "sub", 0700), -EEXIST);
	cr_assert_eq(soon_renameat(dir, "b", dir, "sub/b", 0), 0);
	cr_assert_eq(soon_unlinkat(dir, "sub", AT_REMOVEDIR), -ENOTEMPTY);
	cr_assert_eq(soon_unlinkat(dir, "sub", 0), -EISDIR);

	cr_assert_eq(soon_linkat(dir, "sub/b", dir, "hard", 0), 0);
	cr_assert_eq(soon_linkat(dir, "sub/b", dir, "hard", 0), -EEXIST);
	cr_assert_eq(size_of(dir, "hard"), 2);
	cr_assert_eq(soon_symlinkat("sub/b", dir, "soft"), 0);
	cr_assert_eq(soon_symlinkat("sub/b", dir, "soft"), -EEXIST);
	cr_assert_eq(size_of(dir, "soft"), 2);
	cr_assert_eq(soon_readlinkat(dir, "soft", text, sizeof(text)), 5);
	cr_assert_str_eq(text, "sub/b");
	cr_assert_eq(soon_readlinkat(dir, "soft", text, 6), 5);
	cr_assert_eq(soon_readlinkat(dir, "soft", text, 5), -ENAMETOOLONG);
	cr_assert_eq(soon_readlinkat(dir, "soft", text, 0), -ENAMETOOLONG);
	cr_assert_eq(soon_readlinkat(dir, "hard", text, sizeof(text)), -EINVAL);
	cr_assert_eq(soon_readlinkat(dir, "none", text, sizeof(text)), -ENOENT);

	cr_assert_eq(soon_unlinkat(dir, "soft", 0), 0);
	cr_assert_eq(soon_unlinkat(dir, "hard", 0), 0);
	cr_assert_eq(soon_unlinkat(dir, "sub/b", 0), 0);
	cr_assert_eq(soon_unlinkat(dir, "sub", AT_REMOVEDIR), 0);
	leave_folder(dir);
}

SOON_TEST(files, names)
{
	try_names();
}

static void try_plain_names(void)
{
	char a[64], b[64];
	int dir = enter_folder();

	(void)snprintf(a, sizeof(a), "%s/a", folder);
	(void)snprintf(b, sizeof(b), "%s/b", folder);
	cr_assert_eq(soon_mkdir(a, 0700), 0);
	cr_assert_eq(soon_rename(a, b), 0);
	cr_assert_eq(soon_rmdir(a), -ENOENT);
	cr_assert_eq(soon_unlink(b), -EISDIR);
	cr_assert_eq(soon_rmdir(b), 0);
	make_file(dir, "a", "");
	cr_assert_eq(soon_rmdir(a), -ENOTDIR);
	cr_assert_eq(soon_unlink(a), 0);
	leave_folder(dir);
}

SOON_TEST(files, plain_names)
{
	try_plain_names();
}

static void try_open_files(void)
{
	char byte;
	int dir = enter_folder();
	int fd = soon_openat(dir, "f", O_RDWR | O_CREAT, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(soon_ftruncate(fd, 100), 0);
	cr_assert_eq(size_of(dir, "f"), 100);
	cr_assert_eq(soon_pread(fd, &byte, 1, 99), 1);
	cr_assert_eq(byte, 0);
	cr_assert_eq(soon_ftruncate(fd, 0), 0);
	cr_assert_eq(size_of(dir, "f"), 0);
	cr_assert_eq(soon_ftruncate(fd, -1), -EINVAL);
	cr_assert_eq(soon_fallocate(fd, 0, 4096, 4096), 0);
	cr_assert_eq(size_of(dir, "f"), 8192);
	cr_assert_eq(soon_fallocate(fd, FALLOC_FL_KEEP_SIZE, 8192, 4096), 0);
	cr_assert_eq(size_of(dir, "f"), 8192);
	cr_assert_eq(soon_fallocate(fd, 0, 0, 0), -EINVAL);
	cr_assert_eq(soon_fallocate(fd, 0, -1, 1), -EINVAL);
	cr_assert_eq(soon_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED), 0);
	cr_assert_eq(soon_fadvise(fd, 0, 0, 999), -EINVAL);
	cr_assert_eq(soon_close(fd), 0);
	cr_assert_eq(soon_ftruncate(fd, 0), -EBADF);
	cr_assert_eq(soon_fallocate(fd, 0, 0, 1), -EBADF);
	cr_assert_eq(soon_fadvise(fd, 0, 0, POSIX_FADV_NORMAL), -EBADF);
	cr_assert_eq(soon_unlinkat(dir, "f", 0), 0);
	leave_folder(dir);
}

SOON_TEST(files, open_files)
{
	try_open_files();
}

static void know_nothing(void)
{
	static const unsigned codes[] = { SOON__OP_OPENAT, SOON__OP_STATX, SOON__OP_UNLINKAT,
		SOON__OP_RENAMEAT, SOON__OP_MKDIRAT, SOON__OP_LINKAT, SOON__OP_SYMLINKAT,
		SOON__OP_FTRUNCATE, SOON__OP_FALLOCATE, SOON__OP_FSYNC };

	for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		soon__ring_tuning.ops_off |= UINT64_C(1) << codes[i];
}

static int try_all(void *unused)
{
	(void)unused;
	try_names();
	memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
	try_plain_names();
	memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
	try_open_files();
	return 0;
}

SOON_TEST_PLAIN(files, on_threads_where_the_ring_knows_none_of_it)
{
	know_nothing();
	cr_assert_eq(soon_run(try_all, NULL), 0);
}

/* Each of them in a cancelled scope: nothing happens. */
SOON_TEST(files, cancelled_before_means_not_done)
{
	char text[8];
	int dir = enter_folder();
	int fd;

	make_file(dir, "f", "123");
	fd = soon_openat(dir, "f", O_RDWR, 0);
	cr_assert_geq(fd, 0);
	SOON_SCOPE(s);
	soon_scope_cancel(&s, "test");
	cr_assert_eq(soon_renameat(dir, "f", dir, "g", 0), -ECANCELED);
	cr_assert_eq(soon_mkdirat(dir, "d", 0700), -ECANCELED);
	cr_assert_eq(soon_linkat(dir, "f", dir, "g", 0), -ECANCELED);
	cr_assert_eq(soon_symlinkat("f", dir, "g"), -ECANCELED);
	cr_assert_eq(soon_readlinkat(dir, "f", text, sizeof(text)), -ECANCELED);
	cr_assert_eq(soon_ftruncate(fd, 0), -ECANCELED);
	cr_assert_eq(soon_fallocate(fd, 0, 0, 100), -ECANCELED);
	cr_assert_eq(soon_fadvise(fd, 0, 0, POSIX_FADV_NORMAL), -ECANCELED);
	cr_assert_eq(soon_scope_close(&s, 0), 0);
	cr_assert_eq(size_of(dir, "f"), 3);
	cr_assert_eq(soon_close(fd), 0);
	cr_assert_eq(soon_unlinkat(dir, "f", 0), 0);
	leave_folder(dir);
}

struct rename_job {
	int dir;
	ssize_t rc;
};

static int rename_it(struct rename_job *job)
{
	job->rc = soon_renameat(job->dir, "a", job->dir, "b", 0);
	return (int)job->rc;
}

/* After so many yields of another task it may be anywhere: the result says what is so. */
SOON_TEST(files, a_cancelled_rename_tells_the_truth)
{
	int dir = enter_folder();

	for (int turns = 0; turns < 40; turns++) {
		struct rename_job job = { .dir = dir };
		SOON_GROUP(g);

		make_file(dir, "a", "1");
		cr_assert_eq(soon_spawn(&g, rename_it, &job), 0);
		for (int i = 0; i < turns; i++)
			cr_assert_eq(soon_yield(), 0);
		soon_group_cancel(&g, "test");
		cr_assert_eq(soon_group_close(&g, 0), 0);
		cr_assert(job.rc == 0 || job.rc == -ECANCELED, "%zd", job.rc);
		cr_assert_eq(soon_unlinkat(dir, job.rc == 0 ? "b" : "a", 0), 0);
	}
	leave_folder(dir);
}


SOON_TEST(files, no_space_and_size_limits_are_errors)
{
	static char data[8192];
	struct rlimit limit = { .rlim_cur = 4096, .rlim_max = RLIM_INFINITY };
	int dir = enter_folder();
	int fd = soon_open("/dev/full", O_WRONLY, 0);

	cr_assert_geq(fd, 0);
	cr_assert_eq(soon_write(fd, data, 1), -ENOSPC);
	cr_assert_eq(soon_close(fd), 0);

	cr_assert_neq(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
	fd = soon_openat(dir, "f", O_RDWR | O_CREAT, 0600);
	cr_assert_geq(fd, 0);
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = 4096;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_assert_eq(soon_pwrite(fd, data, sizeof(data), 0), 4096); /* short */
	cr_assert_eq(soon_pwrite(fd, data, 1, 4096), -EFBIG);
	cr_assert_eq(soon_ftruncate(fd, 8192), -EFBIG);
	cr_assert_eq(soon_fallocate(fd, 0, 0, 8192), -EFBIG);
	limit.rlim_cur = limit.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_assert_eq(soon_close(fd), 0);
	cr_assert_eq(soon_unlinkat(dir, "f", 0), 0);
	leave_folder(dir);
}

SOON_TEST(files, bad_directory)
{
	char text[8];

	cr_assert_eq(soon_renameat(999, "a", AT_FDCWD, "b", 0), -EBADF);
	cr_assert_eq(soon_mkdirat(999, "a", 0700), -EBADF);
	cr_assert_eq(soon_linkat(AT_FDCWD, "/", 999, "b", 0), -EBADF);
	cr_assert_eq(soon_symlinkat("a", 999, "b"), -EBADF);
	cr_assert_eq(soon_readlinkat(999, "a", text, sizeof(text)), -EBADF);
	cr_assert_eq(soon_mkdir("/proc/none/a", 0700), -ENOENT);
}

/* What is left of a write that was cut short goes behind it, not over it. */
SOON_TEST(files, the_position_follows_short_writes)
{
	static char data[8192], back[8192];
	struct iovec iov = { data, sizeof(data) };
	struct rlimit limit;
	int dir = enter_folder();

	cr_assert_neq(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = 4096;
	for (int is_vector = 0; is_vector < 2; is_vector++) {
		int fd = soon_openat(dir, "f", O_RDWR | O_CREAT, 0600);

		memset(data, 'a', 4096);
		memset(data + 4096, 'b', 4096);
		cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
		if (is_vector)
			cr_assert_eq(soon_writev(fd, &iov, 1), 4096);
		else
			cr_assert_eq(soon_write_full(fd, data, sizeof(data), NULL), -EFBIG);
		cr_assert_eq(lseek(fd, 0, SEEK_CUR), 4096);
		cr_assert_eq(
			setrlimit(RLIMIT_FSIZE, &(struct rlimit){ limit.rlim_max, limit.rlim_max }),
			0);
		cr_assert_eq(soon_write(fd, data + 4096, 4096), 4096);
		cr_assert_eq(soon_pread(fd, back, sizeof(back), 0), 8192);
		cr_assert_eq(memcmp(back, data, sizeof(back)), 0);
		cr_assert_eq(soon_close(fd), 0);
		cr_assert_eq(soon_unlinkat(dir, "f", 0), 0);
	}
	leave_folder(dir);
}
