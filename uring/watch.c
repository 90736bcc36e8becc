// SPDX-License-Identifier: Apache-2.0
/*
 * watch.c: inotify as events. What was read from the kernel lies in `records`; a call takes one
 * record out of it, and for the first half of a move also the second, which is then marked as told.
 */
#include <soon/mem.h>
#include <soon/offload.h>
#include <soon/scope.h>
#include <soon/watch.h>

#include "op.h"
#include "track.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define RECORDS_BYTES    16384u
#define RECORD_BYTES_MAX (sizeof(struct inotify_event) + NAME_MAX + 1)

/* The kernel puts the halves one behind the other, but not in one step. */
#define MOVE_WAIT SOON_MS(10)

struct soon_watch {
	struct soon__io *io;
	int fd;
	bool is_waiting; /* a task is in soon_watch_next() */
	uint32_t pos;    /* of the next record */
	uint32_t end;
	_Alignas(struct inotify_event) char records[RECORDS_BYTES];
};

static const struct {
	uint32_t mask;
	soon_watch_kind kind;
} kinds_of[] = {
	{ IN_CREATE, SOON_WATCH_CREATED },
	{ IN_DELETE, SOON_WATCH_DELETED },
	{ IN_MODIFY, SOON_WATCH_MODIFIED },
	{ IN_CLOSE_WRITE, SOON_WATCH_WRITTEN },
	{ IN_ATTRIB, SOON_WATCH_ATTRIBUTES },
	{ IN_MOVED_FROM | IN_MOVED_TO, SOON_WATCH_MOVED },
	{ IN_Q_OVERFLOW, SOON_WATCH_OVERFLOW },
	{ IN_IGNORED, SOON_WATCH_GONE },
};

#define KIND_COUNT (sizeof(kinds_of) / sizeof(kinds_of[0]))

/* A record that was told already, as the second half of a move, or that is nobody's business. */
#define TOLD 0u

/* ---- limits ------------------------------------------------------------------------------ */

/* In words, for a message; such a file of the kernel's is there at once. */
static void read_limit(const char *name, char *ret_text, size_t size)
{
	char path[64];
	int fd;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/sys/fs/inotify/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, ret_text, size - 1);
	if (fd >= 0)
		(void)close(fd);
	ret_text[n > 0 ? n : 0] = '\0';
	ret_text[strcspn(ret_text, "\n")] = '\0';
}

static int fail_of_limit(int rc, const char *limit, const char *what)
{
	char value[24];

	read_limit(limit, value, sizeof(value));
	return soon_fail(rc,
		"%s: too many for this user: raise the sysctl fs.inotify.%s, which is %s here%s",
		what, limit, value[0] != '\0' ? value : "unknown",
		rc == -EMFILE ? ", or the limit on open files (ulimit -n)" : "");
}

/* ---- life -------------------------------------------------------------------------------- */

int soon_watch_open(soon_watch **ret_watch)
{
	soon_watch *watch;
	int rc = soon_self() != NULL ? soon_checkpoint() : soon__checkpoint("watch_open");
	int fd;

	if (rc < 0)
		return rc;
	if (soon__io_self() == NULL)
		return -EOPNOTSUPP;
	watch = soon_malloc(sizeof(*watch));
	if (watch == NULL)
		return -ENOMEM;
	fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (fd < 0) {
		rc = -errno;
		soon_free(watch);
		return rc == -EMFILE
			? fail_of_limit(rc, "max_user_instances", "watching with inotify")
			: rc;
	}
	watch->io = soon__io_self();
	watch->fd = soon__fd_opened(fd, "watch", __builtin_return_address(0));
	watch->is_waiting = false;
	watch->pos = watch->end = 0;
	*ret_watch = watch;
	return 0;
}

void soon_watch_close(soon_watch *watch)
{
	if (watch == NULL)
		return;
	if (watch->is_waiting)
		soon_die("soon_watch_close: a task is in soon_watch_next");
	(void)soon_close(watch->fd); /* of inotify, which cannot fail */
	soon_free(watch);
}

struct adding {
	int fd;
	const char *path;
	uint32_t mask;
};

/* On a thread: it walks the path. */
static int add_watch(struct adding *job)
{
	int id = inotify_add_watch(job->fd, job->path, job->mask);

	return id < 0 ? -errno : id;
}

int soon_watch_add(soon_watch *watch, const char *path, unsigned kinds)
{
	struct adding job = { .fd = watch->fd, .path = path };
	int rc = soon__io_enter(watch->io, watch->fd, "watch_add");

	for (unsigned i = 0; i < KIND_COUNT; i++)
		if ((kinds_of[i].kind & kinds) != 0 && kinds_of[i].kind < SOON_WATCH_OVERFLOW)
			job.mask |= kinds_of[i].mask;
	if (rc < 0)
		return rc;
	if (job.mask == 0)
		return -EINVAL;
	rc = soon_offload(add_watch, &job);
	return rc == -ENOSPC ? fail_of_limit(rc, "max_user_watches", path) : rc;
}

int soon_watch_remove(soon_watch *watch, int id)
{
	int rc = soon__io_enter(watch->io, watch->fd, "watch_remove");

	if (rc < 0)
		return rc;
	return inotify_rm_watch(watch->fd, id) == 0 ? 0 : -errno;
}

/* ---- records ----------------------------------------------------------------------------- */

static struct inotify_event *record_at(soon_watch *watch, uint32_t pos)
{
	return (struct inotify_event *)(void *)(watch->records + pos);
}

static uint32_t bytes_of(const struct inotify_event *record)
{
	return (uint32_t)sizeof(*record) + record->len;
}

/* Reads what there is behind what is left. Returns: 1, 0 nothing is there, or a failure. */
static int read_more(soon_watch *watch)
{
	ssize_t n;
	int rc;

	memmove(watch->records, watch->records + watch->pos, watch->end - watch->pos);
	watch->end -= watch->pos;
	watch->pos = 0;
	if (RECORDS_BYTES - watch->end < RECORD_BYTES_MAX)
		return 0; /* room for no more, which is as good as none */
	do {
		n = read(watch->fd, watch->records + watch->end, RECORDS_BYTES - watch->end);
		rc = n < 0 ? -errno : 0;
	} while (rc == -EINTR);
	if (rc < 0)
		return rc == -EAGAIN ? 0 : rc;
	watch->end += (uint32_t)n;
	return 1;
}

/* The second half of the move `cookie`, from `pos` on; NULL if it is not there. */
static struct inotify_event *find_half(soon_watch *watch, uint32_t pos, uint32_t cookie)
{
	while (pos < watch->end) {
		struct inotify_event *record = record_at(watch, pos);

		if ((record->mask & IN_MOVED_TO) != 0 && record->cookie == cookie)
			return record;
		pos += bytes_of(record);
	}
	return NULL;
}

/* Waits until at least one record is there that was not told. */
static int wait_record(soon_watch *watch) SOON_SUSPENDS
{
	for (;;) {
		int rc;

		while (watch->pos < watch->end && record_at(watch, watch->pos)->mask == TOLD)
			watch->pos += bytes_of(record_at(watch, watch->pos));
		if (watch->pos < watch->end)
			return 0;
		rc = read_more(watch);
		if (rc == 0)
			rc = soon_poll_fd(watch->fd, POLLIN);
		if (rc < 0)
			return rc;
	}
}

/*
 * Looks for the second half of the record at `pos`, for a moment. Here `records` may move; a cancel
 * leaves the first half where it is.
 */
static int wait_half(soon_watch *watch, struct inotify_event **ret_half) SOON_SUSPENDS
{
	const struct inotify_event *first = record_at(watch, watch->pos);
	uint32_t cookie = first->cookie;
	soon_ns until = soon_now() + MOVE_WAIT;
	int rc = 1;

	*ret_half = find_half(watch, watch->pos, cookie);
	while (*ret_half == NULL && rc > 0) {
		rc = read_more(watch);
		if (rc == 0 && RECORDS_BYTES - watch->end >= RECORD_BYTES_MAX)
			rc = (int)soon_within(until - soon_now(), soon_poll_fd(watch->fd, POLLIN));
		*ret_half = find_half(watch, watch->pos, cookie);
	}
	return rc == -ETIMEDOUT || rc > 0 ? 0 : rc;
}

/* ---- events ------------------------------------------------------------------------------ */

static const char *name_of(const struct inotify_event *record)
{
	return record->len > 0 ? record->name : NULL;
}

/* One of the kinds; 0 for what is nobody's business. */
static unsigned kind_of(uint32_t mask)
{
	for (unsigned i = 0; i < KIND_COUNT; i++)
		if ((mask & kinds_of[i].mask) != 0)
			return kinds_of[i].kind;
	return 0;
}

static int take_move(soon_watch *watch, soon_watch_event *ret_event) SOON_SUSPENDS
{
	struct inotify_event *first, *half;
	int rc = wait_half(watch, &half);

	if (rc < 0)
		return rc;
	first = record_at(watch, watch->pos);
	*ret_event = (soon_watch_event){
		.kind = SOON_WATCH_MOVED,
		.id = half != NULL ? half->wd : -1,
		.name = half != NULL ? name_of(half) : NULL,
		.is_dir = (first->mask & IN_ISDIR) != 0,
		.from_id = first->wd,
		.from_name = name_of(first),
		.cookie = first->cookie,
	};
	if (half != NULL)
		half->mask = TOLD;
	return 1;
}

/* Tells the record at `pos`. Returns: 1; 0 when it is about nothing that is told. */
static int take(soon_watch *watch, soon_watch_event *ret_event) SOON_SUSPENDS
{
	const struct inotify_event *record = record_at(watch, watch->pos);
	unsigned kind = kind_of(record->mask);
	int rc = kind != 0;

	if ((record->mask & IN_MOVED_FROM) != 0)
		rc = take_move(watch, ret_event);
	else if (rc > 0)
		*ret_event = (soon_watch_event){
			.kind = (soon_watch_kind)kind,
			.id = record->wd,
			.name = name_of(record),
			.is_dir = (record->mask & IN_ISDIR) != 0,
			.from_id = -1,
			.cookie = record->cookie,
		};
	/* Its memory stays as it is until the next call. */
	if (rc >= 0)
		watch->pos += bytes_of(record_at(watch, watch->pos));
	return rc;
}

int soon_watch_next(soon_watch *watch, soon_watch_event *ret_event)
{
	int rc;

	SOON_ASSERT(watch != NULL);
	rc = soon__io_enter(watch->io, watch->fd, "watch_next");
	if (rc == 0)
		rc = soon_checkpoint();
	if (rc < 0)
		return rc;
	if (watch->is_waiting)
		return -EBUSY;
	watch->is_waiting = true;
	do {
		rc = wait_record(watch);
		if (rc == 0)
			rc = take(watch, ret_event);
	} while (rc == 0);
	watch->is_waiting = false;
	return rc;
}
