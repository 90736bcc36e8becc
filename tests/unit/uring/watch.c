// SPDX-License-Identifier: Apache-2.0
/* inotify as events: each kind, moves as one, overflow, limits, cancels. */
#include <soon/watch.h>

#include "kit_backend.h"
#include "support/user_limit.h"

#include <sys/stat.h>

static char folder[] = "/tmp/soon-watch-XXXXXX";
static const char *in_folder(const char *name)
{
	static char paths[2][128];
	static unsigned turn;
	char *path = paths[turn++ % 2];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

/* All that can be asked for. */
#define ALL (SOON_WATCH_CHANGES | SOON_WATCH_MODIFIED | SOON_WATCH_ATTRIBUTES)

static soon_watch *watch_folder(unsigned kinds, int *ret_id)
{
	soon_watch *watch;

	cr_assert_not_null(mkdtemp(folder));
	cr_assert_eq(soon_watch_open(&watch), 0);
	*ret_id = soon_watch_add(watch, folder, kinds);
	cr_assert_gt(*ret_id, 0);
	return watch;
}

static void touch(const char *name)
{
	int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(close(fd), 0);
}

static soon_watch_event expect(soon_watch *watch, soon_watch_kind kind, int id, const char *name)
{
	soon_watch_event event;

	cr_assert_eq(soon_within(KIT_LONG, soon_watch_next(watch, &event)), 1);
	cr_assert_eq(event.kind, kind, "%x instead of %x", event.kind, kind);
	cr_assert_eq(event.id, id);
	if (name == NULL)
		cr_assert_null(event.name);
	else
		cr_assert_str_eq(event.name, name);
	return event;
}

static void expect_nothing(soon_watch *watch)
{
	soon_watch_event event;

	cr_assert_eq(soon_within(KIT_SHORT, soon_watch_next(watch, &event)), -ETIMEDOUT);
}

SOON_TEST(watch, what_happens_in_a_directory)
{
	int id, fd;
	soon_watch *watch = watch_folder(ALL, &id);

	expect_nothing(watch);
	fd = open(in_folder("f"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	expect(watch, SOON_WATCH_CREATED, id, "f");
	cr_assert_eq(write(fd, "x", 1), 1);
	expect(watch, SOON_WATCH_MODIFIED, id, "f");
	cr_assert_eq(fchmod(fd, 0640), 0);
	expect(watch, SOON_WATCH_ATTRIBUTES, id, "f");
	cr_assert_eq(close(fd), 0);
	expect(watch, SOON_WATCH_WRITTEN, id, "f");
	cr_assert_eq(unlink(in_folder("f")), 0);
	expect(watch, SOON_WATCH_DELETED, id, "f");
	cr_assert_eq(mkdir(in_folder("d"), 0700), 0);
	cr_assert(expect(watch, SOON_WATCH_CREATED, id, "d").is_dir);
	cr_assert_eq(rmdir(in_folder("d")), 0);
	cr_assert(expect(watch, SOON_WATCH_DELETED, id, "d").is_dir);
	expect_nothing(watch);

	cr_assert_eq(rmdir(folder), 0);
	expect(watch, SOON_WATCH_GONE, id, NULL);
	cr_assert_eq(soon_watch_remove(watch, id), -EINVAL);
	soon_watch_close(watch);
}

SOON_TEST(watch, a_move_is_one_event)
{
	int id, sub;
	soon_watch *watch = watch_folder(SOON_WATCH_MOVED, &id);
	soon_watch_event event;

	touch("a");
	cr_assert_eq(mkdir(in_folder("sub"), 0700), 0);
	sub = soon_watch_add(watch, in_folder("sub"), SOON_WATCH_MOVED);
	cr_assert_gt(sub, id);

	cr_assert_eq(rename(in_folder("a"), in_folder("b")), 0);
	event = expect(watch, SOON_WATCH_MOVED, id, "b");
	cr_assert_eq(event.from_id, id);
	cr_assert_str_eq(event.from_name, "a");
	cr_assert_neq(event.cookie, 0);

	/* Two at a time, and into another directory. */
	touch("c");
	cr_assert_eq(rename(in_folder("b"), in_folder("sub/b")), 0);
	cr_assert_eq(rename(in_folder("c"), in_folder("sub/c")), 0);
	event = expect(watch, SOON_WATCH_MOVED, sub, "b");
	cr_assert_eq(event.from_id, id);
	cr_assert_str_eq(event.from_name, "b");
	event = expect(watch, SOON_WATCH_MOVED, sub, "c");
	cr_assert_str_eq(event.from_name, "c");
	expect_nothing(watch);

	/* To and from where nobody looks. */
	cr_assert_eq(soon_watch_remove(watch, sub), 0);
	expect(watch, SOON_WATCH_GONE, sub, NULL);
	cr_assert_eq(rename(in_folder("sub/b"), in_folder("b")), 0);
	event = expect(watch, SOON_WATCH_MOVED, id, "b");
	cr_assert_eq(event.from_id, -1);
	cr_assert_null(event.from_name);
	cr_assert_eq(rename(in_folder("b"), in_folder("sub/b")), 0);
	event = expect(watch, SOON_WATCH_MOVED, -1, NULL);
	cr_assert_eq(event.from_id, id);
	cr_assert_str_eq(event.from_name, "b");
	soon_watch_close(watch);

	cr_assert_eq(unlink(in_folder("sub/b")), 0);
	cr_assert_eq(unlink(in_folder("sub/c")), 0);
	cr_assert_eq(rmdir(in_folder("sub")), 0);
	cr_assert_eq(rmdir(folder), 0);
}

/* Of different lengths. */
static void number_name(char *name, size_t size, int i)
{
	(void)snprintf(name, size, "%.*s%d", i % 27, "abcdefghijklmnopqrstuvwxyz", i);
}

/* More than a buffer full, so that halves of moves are cut apart by its end. */
SOON_TEST(watch, every_event_of_many)
{
	enum { COUNT = 2000 };
	char name[64], other[64];
	int id;
	soon_watch *watch = watch_folder(SOON_WATCH_CREATED | SOON_WATCH_MOVED, &id);

	for (int i = 0; i < COUNT; i++) {
		number_name(name, sizeof(name), i);
		(void)snprintf(other, sizeof(other), "to-%d", i);
		touch(name);
		cr_assert_eq(rename(in_folder(name), in_folder(other)), 0);
	}
	for (int i = 0; i < COUNT; i++) {
		soon_watch_event event;

		number_name(name, sizeof(name), i);
		(void)snprintf(other, sizeof(other), "to-%d", i);
		expect(watch, SOON_WATCH_CREATED, id, name);
		event = expect(watch, SOON_WATCH_MOVED, id, other);
		cr_assert_str_eq(event.from_name, name);
		cr_assert_eq(unlink(in_folder(other)), 0);
	}
	expect_nothing(watch);
	soon_watch_close(watch);
	cr_assert_eq(rmdir(folder), 0);
}

SOON_TEST(watch, overflow_is_an_event)
{
	int id;
	soon_watch *watch = watch_folder(SOON_WATCH_ATTRIBUTES | SOON_WATCH_WRITTEN, &id);
	soon_watch_event event;
	unsigned count = 0, overflows = 0;

	touch("a");
	touch("b");
	/* Equal ones in a row are one; these are not. */
	for (int i = 0; i < 20000; i++)
		cr_assert_eq(chmod(in_folder(i % 2 ? "a" : "b"), 0600), 0);
	while (soon_within(SOON_MS(50), soon_watch_next(watch, &event)) == 1) {
		count++;
		overflows += event.kind == SOON_WATCH_OVERFLOW;
		if (event.kind == SOON_WATCH_OVERFLOW)
			cr_assert_eq(event.id, -1);
	}
	cr_assert(count < 20002 ? overflows == 1 : overflows == 0);
	/* And it goes on. */
	cr_assert_eq(chmod(in_folder("a"), 0600), 0);
	expect(watch, SOON_WATCH_ATTRIBUTES, id, "a");
	soon_watch_close(watch);
	cr_assert_eq(unlink(in_folder("a")), 0);
	cr_assert_eq(unlink(in_folder("b")), 0);
	cr_assert_eq(rmdir(folder), 0);
}

static int wait_one(soon_watch *watch)
{
	soon_watch_event event;

	return soon_watch_next(watch, &event);
}

SOON_TEST(watch, one_task_waits)
{
	int id;
	soon_watch *watch = watch_folder(ALL, &id);
	soon_watch_event event;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, wait_one, watch), 0);
	kit_settle();
	cr_assert_eq(soon_watch_next(watch, &event), -EBUSY);
	soon_group_cancel(&g, "test");
	cr_assert_eq(soon_group_close(&g, 0), 0);
	/* It took none with it. */
	touch("f");
	expect(watch, SOON_WATCH_CREATED, id, "f");
	expect(watch, SOON_WATCH_WRITTEN, id, "f");
	soon_watch_close(watch);
	cr_assert_eq(unlink(in_folder("f")), 0);
	cr_assert_eq(rmdir(folder), 0);
}

/* The first half of a move waits for the second: a cancel there leaves it for the next call. */
SOON_TEST(watch, a_cancel_loses_no_half_of_a_move)
{
	int id;
	soon_watch *watch = watch_folder(SOON_WATCH_MOVED, &id);
	soon_watch_event event;

	touch("a");
	cr_assert_eq(rename(in_folder("a"), "/tmp/soon-watch-gone"), 0);
	cr_assert_eq(soon_within(SOON_US(100), soon_watch_next(watch, &event)), -ETIMEDOUT);
	event = expect(watch, SOON_WATCH_MOVED, -1, NULL);
	cr_assert_str_eq(event.from_name, "a");
	soon_watch_close(watch);
	cr_assert_eq(unlink("/tmp/soon-watch-gone"), 0);
	cr_assert_eq(rmdir(folder), 0);
}

SOON_TEST(watch, what_cannot_be_watched)
{
	int id;
	soon_watch *watch = watch_folder(ALL, &id);

	cr_assert_eq(soon_watch_add(watch, in_folder("none"), ALL), -ENOENT);
	cr_assert_eq(soon_watch_add(watch, folder, 0), -EINVAL);
	cr_assert_eq(soon_watch_add(watch, folder, SOON_WATCH_OVERFLOW), -EINVAL);
	cr_assert_eq(soon_watch_add(watch, folder, SOON_WATCH_DELETED), id); /* instead */
	touch("f");
	cr_assert_eq(unlink(in_folder("f")), 0);
	expect(watch, SOON_WATCH_DELETED, id, "f");
	SOON_SCOPE(s);
	soon_scope_cancel(&s, "test");
	cr_assert_eq(soon_watch_add(watch, folder, ALL), -ECANCELED);
	cr_assert_eq(soon_scope_close(&s, 0), 0);
	soon_watch_close(watch);
	soon_watch_close(NULL);
	cr_assert_eq(rmdir(folder), 0);
}

static int open_and_add(void *unused)
{
	soon_watch *watch;
	int rc = soon_watch_open(&watch);

	(void)unused;
	if (rc < 0)
		return rc;
	rc = soon_watch_add(watch, "/tmp", ALL);
	soon_watch_close(watch);
	return rc;
}

static void expect_advice(int rc, const char *limit)
{
	soon_failure failure;
	SOON_GROUP(g);

	cr_assert_eq(soon_spawn(&g, open_and_add, NULL), 0);
	while (soon_group_failures(&g, &failure, 1) == 0)
		(void)!soon_sleep(SOON_MS(1));
	cr_assert_eq(failure.rc, rc);
	cr_assert_not_null(strstr(failure.message, limit), "%s", failure.message);
	cr_assert_eq(soon_group_close(&g, 0), rc);
}

static int expect_no_watches(void *unused)
{
	(void)unused;
	expect_advice(-ENOSPC, "fs.inotify.max_user_watches");
	return 0;
}

static int expect_no_instances(void *unused)
{
	(void)unused;
	expect_advice(-EMFILE, "fs.inotify.max_user_instances");
	return 0;
}

SOON_TEST_PLAIN(watch, too_many_watches_come_with_advice)
{
	if (!limit_to_none("max_inotify_watches"))
		cr_skip("no user namespaces here");
	cr_assert_eq(soon_run(expect_no_watches, NULL), 0);
}

SOON_TEST_PLAIN(watch, too_many_instances_come_with_advice)
{
	if (!limit_to_none("max_inotify_instances"))
		cr_skip("no user namespaces here");
	cr_assert_eq(soon_run(expect_no_instances, NULL), 0);
}
