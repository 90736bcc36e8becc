// SPDX-License-Identifier: Apache-2.0
/*
 * watch.h: being told what happens to files and in directories, by inotify(7).
 *
 *	soon_watch *watch;
 *	soon_watch_event event;
 *	int rc = soon_watch_open(&watch);
 *
 *	if (rc == 0)
 *		rc = soon_watch_add(watch, "/etc/app", SOON_WATCH_CHANGES);
 *	while (rc >= 0 && (rc = soon_watch_next(watch, &event)) > 0)
 *		reload(event.kind == SOON_WATCH_OVERFLOW ? NULL : event.name);
 *
 * A directory tells of itself and of what is directly in it, by name. What lies deeper has to be
 * added by itself. Programs replace files more often than they write into them, and then a watch
 * stays with the old file: to follow one file, watch its directory and look at the names.
 *
 * Events can be lost only with an event that says so, SOON_WATCH_OVERFLOW. After it, and after
 * soon_watch_add(), look at what is there: something may have happened before.
 */
#ifndef SOON_WATCH_H
#define SOON_WATCH_H

#include <soon/io.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef SOON__HANDLE struct soon_watch soon_watch;

/* What can happen. Those up to SOON_WATCH_CHANGES can be asked for; the others come unasked. */
typedef enum soon_watch_kind {
	SOON_WATCH_CREATED = 1u << 0,    /* a name in the directory: made, or linked to */
	SOON_WATCH_DELETED = 1u << 1,    /* a name in the directory: removed */
	SOON_WATCH_MODIFIED = 1u << 2,   /* written to or cut; for each write, equal ones as one */
	SOON_WATCH_WRITTEN = 1u << 3,    /* whoever had it open for writing has closed it */
	SOON_WATCH_ATTRIBUTES = 1u << 4, /* mode, owner, times, number of names */
	SOON_WATCH_MOVED = 1u << 5,      /* see moved_from; within what is watched, one event */

	/* What changes contents, without each single write. */
	SOON_WATCH_CHANGES =
		SOON_WATCH_CREATED | SOON_WATCH_DELETED | SOON_WATCH_WRITTEN | SOON_WATCH_MOVED,

	SOON_WATCH_OVERFLOW = 1u << 16, /* events were lost: look at everything; `id` is -1 */
	SOON_WATCH_GONE = 1u << 17,     /* what `id` watched is no more; its last event */
} soon_watch_kind;

typedef struct soon_watch_event {
	soon_watch_kind kind; /* one of them */
	int id;               /* as soon_watch_add() returned it */
	const char *name;     /* in the directory; NULL: what is watched itself, or SOON_WATCH_MOVED
				 to where nothing is watched */
	bool is_dir;          /* what it is about is a directory */

	/* Of SOON_WATCH_MOVED; `id` and `name` are where to. */
	int from_id;           /* -1 where it came from is not watched */
	const char *from_name; /* NULL: likewise */
	uint32_t cookie;       /* of both halves */
} soon_watch_event;

/*
 * Makes a watch, which watches nothing yet.
 * Affinity: core, in a task. Suspends: never. Ownership: returns owned.
 * Errors: -EMFILE, -ENFILE no descriptor, or too many watches of this user; the message of the
 * failure names the limit and its value. -ENOMEM. -EPERM not in a task. -EOPNOTSUPP no I/O here.
 */
SOON_API SOON_NODISCARD int soon_watch_open(soon_watch **ret_watch) SOON_SUSPENDS;

/*
 * Watches a file or directory for some `kinds`. What is watched already is watched for these kinds
 * from now on, and keeps its number.
 * Suspends: always. Cancel: cancellation point; not added.
 * Returns: its number, 1 or more, which is never used again.
 * Errors: -ENOSPC too many of this user are watched: the message names the limit and its value.
 * -EINVAL `kinds` is none of those that can be asked for. -ENOENT, -EACCES and others of
 * inotify_add_watch(2).
 */
SOON_API SOON_NODISCARD int soon_watch_add(soon_watch *watch, const char *path, unsigned kinds)
	SOON_SUSPENDS;

/*
 * Watches it no longer; events that came before are still told, the last is SOON_WATCH_GONE.
 * Suspends: never. Errors: -EINVAL nothing has that number, any more.
 */
SOON_API SOON_NODISCARD int soon_watch_remove(soon_watch *watch, int id) SOON_ON_CORE;

/*
 * Waits for the next event. The two halves of a move that both are watched come as one event, also
 * when others came between: it stands where the first half was. A half that stays alone within
 * 10 ms is told as a move from or to where nothing is watched.
 * Affinity: the core that opened it, in a task. Suspends: may, until something happens. Cancel:
 * cancellation point; no event is lost by it.
 * Ownership: names are borrowed until the next call for this watch.
 * Returns: 1. Errors: -ECANCELED. -EBUSY another task waits with it. -EPERM not in a task, or
 * another core's.
 * Limits: the kernel keeps fs.inotify.max_queued_events (16384), then SOON_WATCH_OVERFLOW.
 */
SOON_API SOON_NODISCARD int soon_watch_next(soon_watch *watch, soon_watch_event *ret_event)
	SOON_SUSPENDS;

/*
 * Ends a watch and everything it watched. No task may be in a call of it.
 * Affinity: the core that opened it. Suspends: may. Cancel: not a cancellation point.
 * Ownership: takes `watch`. Null: nothing happens.
 */
SOON_API void soon_watch_close(soon_watch *SOON_NULLABLE watch) SOON_SUSPENDS;

#ifdef __cplusplus
}
#endif

#endif
