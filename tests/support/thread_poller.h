// SPDX-License-Identifier: Apache-2.0
/*
 * thread_poller.h: pollers without a kernel for runs of several cores: each waits for its bell, in
 * real time. What is to fail is told before the run.
 */
#ifndef TESTS_SUPPORT_THREAD_POLLER_H
#define TESTS_SUPPORT_THREAD_POLLER_H

#include <soon/cores.h>

#include "core/spi/poller.h"

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct thread_poller {
	struct soon__poller poller;
	sem_t bell;
};

static struct {
	unsigned open_fails_at; /* the core whose poller does not open; 0: none */
	int open_rc;
	atomic_uint poll_fails_at; /* the core plus one whose poller fails from now on; 0: none */
	int poll_rc;
	atomic_uint opened, destroyed;
} thread_pollers;

static inline struct thread_poller *thread_poller_of(struct soon__poller *poller)
{
	return (struct thread_poller *)(void *)poller;
}

static inline int thread_poll(struct soon__poller *poller, soon_ns until)
{
	struct thread_poller *self = thread_poller_of(poller);
	struct timespec end;
	soon_ns left = until == SOON_NEVER ? SOON_S(60) : until - soon_now();

	if (atomic_load_explicit(&thread_pollers.poll_fails_at, memory_order_acquire) ==
		soon_core_index(poller->core) + 1)
		return thread_pollers.poll_rc;
	if (left <= 0) {
		(void)sem_trywait(&self->bell);
		return 0;
	}
	(void)clock_gettime(CLOCK_REALTIME, &end);
	end.tv_nsec += left % SOON_S(1);
	end.tv_sec += left / SOON_S(1) + end.tv_nsec / SOON_S(1);
	end.tv_nsec %= SOON_S(1);
	(void)sem_timedwait(&self->bell, &end); /* an early return is fine */
	return 0;
}

static inline bool thread_poller_is_due(struct soon__poller *poller)
{
	(void)poller;
	return false;
}

static inline void thread_poller_wake(struct soon__poller *poller)
{
	(void)sem_post(&thread_poller_of(poller)->bell);
}

static inline unsigned thread_poller_inflight(struct soon__poller *poller)
{
	(void)poller;
	return 0;
}

static inline void thread_poller_stop(struct soon__poller *poller)
{
	(void)poller;
}

static inline void thread_poller_destroy(struct soon__poller *poller)
{
	(void)sem_destroy(&thread_poller_of(poller)->bell);
	free(thread_poller_of(poller));
	atomic_fetch_add_explicit(&thread_pollers.destroyed, 1, memory_order_relaxed);
}

static inline int thread_poller_open(
	const soon_opts *opts, soon_core *core, struct soon__poller **ret_poller)
{
	static const struct soon__poller_ops ops = {
		.name = "thread",
		.poll = thread_poll,
		.is_due = thread_poller_is_due,
		.wake = thread_poller_wake,
		.inflight = thread_poller_inflight,
		.stop = thread_poller_stop,
		.destroy = thread_poller_destroy,
	};
	struct thread_poller *self;

	(void)opts;
	if (thread_pollers.open_rc < 0 && soon_core_index(core) == thread_pollers.open_fails_at)
		return thread_pollers.open_rc;
	self = calloc(1, sizeof *self);
	if (!self)
		return -ENOMEM;
	self->poller = (struct soon__poller){ .ops = &ops, .core = core };
	(void)sem_init(&self->bell, 0, 0);
	atomic_fetch_add_explicit(&thread_pollers.opened, 1, memory_order_relaxed);
	*ret_poller = &self->poller;
	return 0;
}

static inline int thread_run(
	const soon_opts *opts, soon__fn fn, uint64_t arg, const soon_site *site)
{
	struct soon__seams seams = { .poller_open = thread_poller_open };

	return soon__run_on(&seams, opts, fn, arg, site);
}

/* soon_run_with() on these. */
#define THREAD_RUN(opts, fn, arg)                                                                  \
	__extension__({                                                                            \
		SOON__SITE(#fn);                                                                   \
		thread_run((opts), SOON__CALL(fn, arg), &soon__site);                              \
	})

#endif
