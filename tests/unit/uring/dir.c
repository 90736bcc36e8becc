// SPDX-License-Identifier: Apache-2.0
/* Listing directories: nothing lost, nothing twice, any name; and replacing files as a whole. */
#include <soon/dir.h>

#include "kit_backend.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define MANY 3000 /* some buffers full */

static char folder[] = "/tmp/soon-dir-XXXXXX";

static int enter_folder(void)
{
	int dir;

	cr_assert_not_null(mkdtemp(folder));
	dir = soon_open(folder, O_RDONLY | O_DIRECTORY, 0);
	cr_assert_geq(dir, 0);
	return dir;
}

/* Removes what is there; `count` files. */
static void leave_folder(int fd, unsigned count)
{
	soon_dir_entry entry;
	soon_dir *dir;
	unsigned seen = 0;

	cr_assert_eq(soon_dir_open(fd, ".", &dir), 0);
	for (; soon_dir_next(dir, &entry) > 0; seen++)
		cr_assert_eq(unlinkat(fd, entry.name, 0), 0, "%s", entry.name);
	cr_assert_eq(seen, count);
	cr_assert_eq(soon_dir_close(dir), 0);
	cr_assert_eq(soon_close(fd), 0);
	cr_assert_eq(rmdir(folder), 0);
}

static void touch(int dir, const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(close(fd), 0);
}

static void touch_many(int dir)
{
	char name[32];

	for (int i = 0; i < MANY; i++) {
		(void)snprintf(name, sizeof(name), "a-rather-long-name-%d", i);
		touch(dir, name);
	}
}

/* Marks an entry of touch_many(). */
static void mark(bool *seen, const soon_dir_entry *entry)
{
	int i = atoi(entry->name + strlen("a-rather-long-name-"));

	cr_assert(i >= 0 && i < MANY);
	cr_assert(!seen[i], "%s came twice", entry->name);
	seen[i] = true;
}

SOON_TEST(dir, every_entry_once)
{
	static bool seen[MANY];
	soon_dir_entry entry;
	soon_dir *dir;
	unsigned count = 0;
	int fd = enter_folder();

	touch_many(fd);
	cr_assert_eq(soon_dir_open(AT_FDCWD, folder, &dir), 0);
	for (; soon_dir_next(dir, &entry) > 0; count++) {
		cr_assert_eq(entry.name_len, strlen(entry.name));
		cr_assert_eq(entry.type, DT_REG);
		cr_assert_neq(entry.inode, 0);
		mark(seen, &entry);
	}
	cr_assert_eq(count, MANY);
	cr_assert_eq(soon_dir_next(dir, &entry), 0); /* and stays at the end */
	cr_assert_eq(soon_dir_close(dir), 0);
	leave_folder(fd, MANY);
}

/* One that is cancelled at every step, and goes on. */
SOON_TEST(dir, cancels_lose_no_entry)
{
	static bool seen[MANY];
	soon_dir_entry entry;
	soon_dir *dir;
	unsigned count = 0;
	int rc, fd = enter_folder();

	touch_many(fd);
	cr_assert_eq(soon_dir_open(fd, ".", &dir), 0);
	do {
		SOON_SCOPE(s, .timeout = count % 3 == 0 ? SOON_US(1) : 0);
		if (count % 3 == 1)
			soon_scope_cancel(&s, "test");
		rc = soon_dir_next(dir, &entry);
		if (rc > 0)
			mark(seen, &entry);
		count += rc > 0;
		cr_assert(rc >= 0 || rc == -ECANCELED, "%d", rc);
		if (rc == -ECANCELED) {
			(void)!soon_scope_close(&s, 0);
			rc = soon_dir_next(dir, &entry);
			cr_assert_geq(rc, 0);
			if (rc > 0)
				mark(seen, &entry);
			count += rc > 0;
			continue;
		}
		(void)!soon_scope_close(&s, 0);
	} while (rc > 0);
	cr_assert_eq(count, MANY);
	cr_assert_eq(soon_dir_close(dir), 0);
	leave_folder(fd, MANY);
}

SOON_TEST(dir, names_of_any_bytes)
{
	static const char *const names[] = { " ", "\n", "\x80\xff", "...", "..a", "-rf", "\t\x01" };
	static char longest[256];
	soon_dir_entry entry;
	soon_dir *dir;
	unsigned found = 0;
	int fd = enter_folder();

	memset(longest, 'x', 255);
	touch(fd, longest);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		touch(fd, names[i]);
	cr_assert_eq(soon_dir_open(fd, ".", &dir), 0);
	while (soon_dir_next(dir, &entry) > 0) {
		found += entry.name_len == 255;
		for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			found += strcmp(entry.name, names[i]) == 0;
	}
	cr_assert_eq(found, 8);
	cr_assert_eq(soon_dir_close(dir), 0);
	leave_folder(fd, 8);
}

SOON_TEST(dir, what_goes_wrong)
{
	soon_dir_entry entry;
	soon_dir *dir = NULL;
	int fd = enter_folder();

	cr_assert_eq(soon_dir_open(fd, "none", &dir), -ENOENT);
	touch(fd, "f");
	cr_assert_eq(soon_dir_open(fd, "f", &dir), -ENOTDIR);
	cr_assert_null(dir);
	cr_assert_eq(soon_dir_sync(fd, "none"), -ENOENT);
	cr_assert_eq(soon_dir_sync(fd, "."), 0);
	cr_assert_eq(soon_dir_close(NULL), 0);

	/* One that is removed while it is listed has ended. */
	cr_assert_eq(mkdirat(fd, "gone", 0700), 0);
	cr_assert_eq(soon_dir_open(fd, "gone", &dir), 0);
	cr_assert_eq(unlinkat(fd, "gone", AT_REMOVEDIR), 0);
	cr_assert_eq(soon_dir_next(dir, &entry), 0);
	cr_assert_geq(soon_dir_fd(dir), 0);
	cr_assert_eq(soon_dir_close(dir), 0);
	leave_folder(fd, 1);
}

static int next_in(soon_dir *dir)
{
	soon_dir_entry entry;

	return soon_dir_next(dir, &entry);
}

SOON_TEST(dir, one_task_at_a_time)
{
	soon_dir *dir;
	soon_dir_entry entry;
	int fd = enter_folder();
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	cr_assert_eq(soon_dir_open(fd, ".", &dir), 0);
	cr_assert_eq(soon_spawn(&g, next_in, dir), 0);
	cr_assert_eq(soon_dir_next(dir, &entry), 0); /* is on its way when the other is told */
	cr_assert_eq(soon_group_close(&g, 0), -EBUSY);
	cr_assert_eq(soon_dir_close(dir), 0);
	leave_folder(fd, 0);
}

/* Replacing. */

static void expect_text(int dir, const char *name, const char *text)
{
	char buf[64];
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, buf, sizeof(buf));

	cr_assert_eq(n, (ssize_t)strlen(text));
	cr_assert_eq(memcmp(buf, text, (size_t)n), 0);
	cr_assert_eq(close(fd), 0);
}

SOON_TEST(dir, a_file_is_replaced)
{
	char path[64];
	struct statx stat;
	int fd = enter_folder();

	(void)snprintf(path, sizeof(path), "%s/f", folder);
	cr_assert_eq(soon_file_replace(AT_FDCWD, path, "one", 3, 0640), 0);
	expect_text(fd, "f", "one");
	cr_assert_eq(soon_statx(fd, "f", 0, STATX_MODE, &stat), 0);
	cr_assert_eq(stat.stx_mode & 07777, 0640);
	cr_assert_eq(soon_file_replace(fd, "f", "three", 5, 0600), 0);
	expect_text(fd, "f", "three");
	cr_assert_eq(soon_file_replace(fd, "./f", NULL, 0, 0600), 0);
	expect_text(fd, "f", "");

	cr_assert_eq(mkdirat(fd, "d", 0700), 0);
	cr_assert_eq(soon_file_replace(fd, "d", "x", 1, 0600), -EISDIR);
	cr_assert_eq(soon_file_replace(fd, "d/", "x", 1, 0600), -EISDIR);
	cr_assert_eq(soon_file_replace(fd, "", "x", 1, 0600), -ENOENT);
	cr_assert_eq(soon_file_replace(fd, "none/f", "x", 1, 0600), -ENOENT);
	cr_assert_eq(soon_file_replace(fd, "f/f", "x", 1, 0600), -ENOTDIR);
	cr_assert_eq(unlinkat(fd, "d", AT_REMOVEDIR), 0);
	leave_folder(fd, 1); /* nothing is beside it */
}

SOON_TEST(dir, a_replacement_that_fails_changes_nothing)
{
	static char data[8192];
	struct rlimit limit;
	int fd = enter_folder();

	cr_assert_eq(soon_file_replace(fd, "f", "old", 3, 0600), 0);
	cr_assert_neq(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = 4096;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_assert_eq(soon_file_replace(fd, "f", data, sizeof(data), 0600), -EFBIG);
	limit.rlim_cur = limit.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	expect_text(fd, "f", "old");
	leave_folder(fd, 1);
}

static int replace_it(int dir)
{
	return soon_file_replace(dir, "f", "new", 3, 0600);
}

SOON_TEST(dir, a_cancelled_replacement_is_whole)
{
	int fd = enter_folder();
	unsigned changed = 0;

	for (int turns = 0; turns < 100; turns++) {
		char text[8];
		int file;
		SOON_GROUP(g);

		cr_assert_eq(soon_file_replace(fd, "f", "old", 3, 0600), 0);
		cr_assert_eq(soon_spawn(&g, replace_it, fd), 0);
		for (int i = 0; i < turns; i++)
			cr_assert_eq(i % 8 == 7 ? soon_sleep(SOON_US(1)) : soon_yield(), 0);
		soon_group_cancel(&g, "test");
		cr_assert_eq(soon_group_close(&g, 0), 0);
		file = openat(fd, "f", O_RDONLY | O_CLOEXEC);
		cr_assert_eq(read(file, text, sizeof(text)), 3);
		cr_assert(memcmp(text, "old", 3) == 0 || memcmp(text, "new", 3) == 0);
		changed += text[0] == 'n';
		cr_assert_eq(close(file), 0);
	}
	cr_assert_lt(changed, 100);
	leave_folder(fd, 1);
}
