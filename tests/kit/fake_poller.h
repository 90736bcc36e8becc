// SPDX-License-Identifier: Apache-2.0
/*
 * fake_poller.h: a run without a kernel: virtual time, and I/O that does what the test says.
 *
 * The clock stands still while tasks run. When all wait, it jumps to what comes first, a timer or
 * the end of an operation, so that an hour passes at once and a run is a function of its seed.
 *
 *	static int body(void *unused)
 *	{
 *		return (int)soon_within(SOON_S(1), fake_op(SOON_S(2), 7, FAKE_CANCEL_DONE));
 *	}
 *	int rc = FAKE_RUN(NULL, body, NULL);	// -ETIMEDOUT, without a second gone
 */
#ifndef TESTS_KIT_FAKE_POLLER_H
#define TESTS_KIT_FAKE_POLLER_H

#include <soon/fake.h>
#include <soon/task.h>
#include <soon/test_clock.h>

/* As soon_fake_cancel. */
enum fake_cancel {
	FAKE_CANCEL_DONE = SOON_FAKE_CANCEL_DONE,
	FAKE_CANCEL_PENDING = SOON_FAKE_CANCEL_PENDING,
	FAKE_CANCEL_LATE = SOON_FAKE_CANCEL_LATE,
	FAKE_CANCEL_IGNORED = SOON_FAKE_CANCEL_IGNORED,
};

/* Zero means the default in every field. */
struct fake_opts {
	const soon_opts *run; /* of the run */
	uint64_t seed;        /* shuffles the run queue; 0: FIFO */
	soon_ns start;        /* what the clock shows first; default one hour */
	int open_rc;          /* makes the poller fail to open with this errno */
};

/* What the scheduler did with the poller, for tests of the scheduler. */
struct fake_counts {
	uint64_t polls;  /* calls of poll */
	uint64_t sleeps; /* those that had nothing to deliver and were allowed to wait */
	uint64_t wakes;  /* calls of wake, from anywhere */
	uint64_t stops;
};

/* soon_run_with() on a fake poller of the calling thread. */
int fake_run(const struct fake_opts *opts, soon__fn fn, uint64_t arg, const soon_site *site);
#define FAKE_RUN(opts, fn, arg)                                                                    \
	__extension__({                                                                            \
		SOON__SITE(#fn);                                                                   \
		fake_run((opts), SOON__CALL(fn, arg), &soon__site);                                \
	})

/*
 * The rest is for tasks of the run.
 */

/* Parks for an operation that takes `duration` and then gives `rc`; 0 ends at the next poll. */
static inline ssize_t fake_op(soon_ns duration, ssize_t rc, enum fake_cancel cancel)
{
	return soon_fake_op(duration, rc, (soon_fake_cancel)cancel);
}

/*
 * While held, time does not jump: an idle core waits for another thread's post in real time.
 * Holds nest.
 */
static inline void fake_hold(void)
{
	soon_clock_hold();
}

static inline void fake_release(void)
{
	soon_clock_release();
}

/* Operations that have not ended. */
unsigned fake_inflight(void);

struct fake_counts fake_counts(void);

#endif
