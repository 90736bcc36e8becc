// SPDX-License-Identifier: Apache-2.0
/*
 * poller.h: what the scheduler drives, and who implements it: the ring, the epoll fallback, and
 * the scripted fake of the tests. The scheduler knows no more of I/O than this table.
 */
#ifndef CORE_SPI_POLLER_H
#define CORE_SPI_POLLER_H

#include <soon/task.h>
#include <soon/thread.h>

struct soon__io;

struct soon__poller {
	const struct soon__poller_ops *ops;
	soon_core *core;
	struct soon__io *io; /* the operations it offers to the I/O layer; NULL for none */
};

struct soon__poller_ops {
	const char *name;

	/*
	 * Submits what is queued and reaps completions, unparking their tasks. If none was there,
	 * waits for the first one, or for wake(), until `until` (absolute, of the core's clock;
	 * 0: does not wait; SOON_NEVER). Early returns are fine. A negative errno ends the run.
	 */
	int (*poll)(struct soon__poller *poller, soon_ns until);

	/* Cheap, without a system call: is there anything to submit or to reap? */
	bool (*is_due)(struct soon__poller *poller);

	/*
	 * Whether nothing but wake() could end a wait: nothing is in flight and nothing is due.
	 * Then the core may sleep outside of poll() instead. NULL: it never may.
	 */
	bool (*is_vacant)(struct soon__poller *poller);

	/* Ends a wait, now or the next one. From any thread or signal handler. */
	void (*wake)(struct soon__poller *poller);

	/* How many operations the kernel (or the script) still owes an end. */
	unsigned (*inflight)(struct soon__poller *poller);

	/* Shows each of them: what it is, and on which descriptor (-1: none). NULL: cannot. */
	void (*each_inflight)(struct soon__poller *poller,
		void (*fn)(const char *what, int fd, void *data), void *data);

	/* Cancels all operations and reaps until none is in flight. Called once, at the end. */
	void (*stop)(struct soon__poller *poller);

	/* Frees the poller. */
	void (*destroy)(struct soon__poller *poller);
};

/*
 * Makes the poller of a core; implemented by the I/O layer. Called on the core's thread.
 * Errors: a negative errno, after a report that says what to change.
 */
SOON_API int soon__poller_open(
	const soon_opts *opts, soon_core *core, struct soon__poller **ret_poller);

/* The injectable seams of a run. NULL and 0 mean the real thing. */
struct soon__seams {
	int (*poller_open)(
		const soon_opts *opts, soon_core *core, struct soon__poller **ret_poller);
	soon_ns (*clock_now)(void *clock); /* replaces CLOCK_MONOTONIC */
	void *clock;
	uint64_t sched_seed; /* shuffles the run queue */

	/*
	 * Called on the core's thread, outside any task, when the main task has ended and before
	 * those it left in the background are cancelled.
	 */
	void (*main_ended)(void *data);
	void *data;
};

/* soon_run with seams, for the tests and the simulator. */
SOON_API int soon__run_on(const struct soon__seams *seams, const soon_opts *opts, soon__fn fn,
	uint64_t arg, const soon_site *site);

/* The poller of the calling thread's core; aborts on a thread without one. */
SOON_API struct soon__poller *soon__poller_self(void);

/* Ditto, NULL on a thread without a core. For checks that give an error rather than abort. */
SOON_API struct soon__poller *soon__poller_or_null(void);

#endif
