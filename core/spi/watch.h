// SPDX-License-Identifier: Apache-2.0
/*
 * watch.h: what the test kit looks at: who is alive, what was reported, who gave way. Nothing here
 * changes what it looks at, and nothing of it costs a run that is not watched.
 */
#ifndef CORE_SPI_WATCH_H
#define CORE_SPI_WATCH_H

#include <soon/report.h>
#include <soon/task.h>

/* A task that has not ended. */
struct soon__live_task {
	const char *name;
	const soon_site *site; /* of its spawn */
	const char *what;      /* it waits for; NULL when it does not wait */
	soon_ns timer_at;      /* when its timer fires; SOON_NEVER when it has none */
};

typedef void soon__live_fn(const struct soon__live_task *task, void *data);

/* Shows each task of the calling thread's core but the running one, in no order that matters. */
SOON_API void soon__watch_tasks(soon__live_fn *fn, void *data);

/* How many timers of the core are armed. */
SOON_API size_t soon__watch_timers(void);

/* How many generators were left open by a task that ended; each was closed and reported. */
SOON_API unsigned soon__watch_generators_left(void);

/* Whether a task is ready to run, or a post to be taken, on the calling thread's core. */
SOON_API bool soon__watch_has_work(void);

/* How many parked waits of the core another thread is to end. */
SOON_API unsigned soon__watch_external(void);

/* How often tasks of the core have given way; it moves on in every call that suspends. */
SOON_API uint64_t soon__watch_switches(void);

/*
 * Has `fn` called for each report of the process before the sink, on the thread that files it;
 * NULL for nobody. There is one place for it. Affinity: setup (before the run).
 */
SOON_API void soon__watch_reports(soon_report_fn SOON_NULLABLE fn, void *SOON_NULLABLE data);

#endif
