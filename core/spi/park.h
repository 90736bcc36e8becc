// SPDX-License-Identifier: Apache-2.0
/*
 * park.h: the two verbs that all waiting is made of.
 *
 * A call that has to wait puts a soon__wait into its frame, hands its address to whoever will end
 * the wait, and parks. Exactly one unpark ends one park. A cancel of the task's scope while it is
 * parked calls `abort`, at most once per wait:
 *   SOON__ABORT_DONE     the waker no longer knows the wait; park returns -ECANCELED.
 *   SOON__ABORT_PENDING  the end was asked for and comes later, through unpark, with the real
 *                        result (completion wins) or -ECANCELED. The frame stays until then.
 * A wait without `abort` is not a cancellation point.
 *
 * Whoever parks on what another thread will end says so (`is_external`); all other waits end by
 * what the core can see: a task, a timer, an operation. So a core that has nothing of these left
 * can prove that its tasks wait for each other.
 *
 * A suspending call starts with soon__checkpoint(): it fails at once, with a turn for others, if
 * the scope is cancelled, so nothing is begun that would have to be undone.
 */
#ifndef CORE_SPI_PARK_H
#define CORE_SPI_PARK_H

#include <soon/task.h>
#include <soon/thread.h>

struct soon__text;

enum soon__abort {
	SOON__ABORT_DONE,
	SOON__ABORT_PENDING,
};

struct soon__wait {
	enum soon__abort (*abort)(struct soon__wait *wait); /* NULL: cannot be cancelled */
	const char *what;                                   /* for dumps: "read", "sleep" */

	/* Names the task that has to act before this wait can end; NULL: nobody in particular. */
	const soon_task *(*holder)(const struct soon__wait *wait);

	/* Adds what else a dump should say: " fd 7". Maybe in a signal handler. NULL: nothing. */
	void (*tell)(const struct soon__wait *wait, struct soon__text *text);
	soon_task *task;   /* set by park; NULL before and after */
	ssize_t rc;        /* of the unpark */
	soon_ns parked_at; /* set by park */
	bool is_external;  /* another thread may end it: an idle core with it is not deadlocked */
	bool is_aborted;   /* abort was called */
	bool is_unparked;  /* unpark came, maybe before the park */
};

/*
 * Suspends the running task until soon__unpark(wait, rc) and returns that rc. `abort` and `what`
 * are set by the caller, the rest is zero. An unpark that came between the preparation and the
 * park is not lost: park then returns its rc without suspending.
 */
SOON_API ssize_t soon__park(struct soon__wait *wait);

/* Makes the parked task ready; on its core only. */
SOON_API void soon__unpark(struct soon__wait *wait, ssize_t rc);

/*
 * The entry of every suspending call: 0; or -ECANCELED after a turn for others, when the scope is
 * cancelled; or -EPERM outside a task, with a report that names `what`.
 */
SOON_API int soon__checkpoint(const char *what);

/* Says so in a report, and gives -EPERM. */
int soon__not_in_task(const char *what);

/*
 * As above for a call that may finish without parking: also counts towards the time slice and
 * yields when it is used up, so that a task whose calls never block cannot starve the others.
 */
SOON_API int soon__checkpoint_inline(const char *what);

#endif
