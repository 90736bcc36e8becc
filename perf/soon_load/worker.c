// SPDX-License-Identifier: Apache-2.0
#include "worker.h"

#include <soon/group.h>
#include <soon/scope.h>

#include "run.h"

#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#define DIALS_MAX   64 /* connections of a core that are opened at a time */
#define START_CHECK SOON_MS(1)
#define START_AHEAD SOON_MS(2)

static soon_ns thread_cpu(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return SOON_S(ts.tv_sec) + ts.tv_nsec;
}

void worker_opened(struct worker *worker)
{
	struct run *run = worker->run;

	/* acq_rel: what opened connections elsewhere has happened before the start is set. */
	if (atomic_fetch_sub_explicit(&run->opening, 1, memory_order_acq_rel) == 1)
		atomic_store_explicit(&run->start, soon_now() + START_AHEAD, memory_order_release);
}

/* Waits until all connections of all cores are open. */
static int wait_for_start(struct worker *worker)
{
	const struct plan *plan = worker->plan;
	soon_ns start;
	int rc = 0;

	/* Pairs with worker_opened. */
	while ((start = atomic_load_explicit(&worker->run->start, memory_order_acquire)) == 0 &&
		rc == 0)
		rc = soon_sleep(START_CHECK);
	if (rc < 0)
		return rc;
	worker->begin = start;
	worker->start = start + plan->warmup;
	worker->last = worker->start;
	worker->end = plan->duration == SOON_NEVER ? SOON_NEVER : worker->start + plan->duration;
	if (plan->is_open) {
		arrivals_begin(&worker->arrivals, &plan->rate, plan->duration, plan->warmup,
			worker->index, worker->run->worker_count);
		if (plan->is_poisson)
			arrivals_randomize(&worker->arrivals, plan->seed);
	}
	return soon_event_set(&worker->begun);
}

static int load(struct worker *worker, soon_scope *time)
{
	soon_ns cpu = 0;
	int rc = 0;

	SOON_GROUP(group, .name = "connections");
	for (unsigned i = 0; i < worker->conn_count && rc == 0; i++)
		rc = soon_spawn(&group, conn_run, &worker->conns[i]);
	if (rc == 0)
		rc = wait_for_start(worker);
	if (rc == 0 && worker->end != SOON_NEVER)
		rc = soon_scope_deadline(time, worker->end + worker->plan->drain);
	if (rc == 0)
		rc = soon_sleep_until(worker->start);
	if (rc == 0)
		cpu = thread_cpu();
	rc = (int)soon_group_close(&group, rc);
	if (worker->start != 0 && soon_now() > worker->start) {
		double wall = (double)(soon_now() - worker->start);

		worker->tally.busy = (double)(thread_cpu() - cpu) / wall;
	}
	return rc;
}

/* What was due and never claimed, and how long it all took. */
static void finish(struct worker *worker, soon_ns now)
{
	struct tally *tally = &worker->tally;
	/* Whoever has sent the whole schedule has loaded to its end, though it is done before. */
	soon_ns end = worker->end < now || worker->is_exhausted ? worker->end : now;

	if (worker->start == 0 || now <= worker->start)
		return;
	if (worker->plan->is_open && !worker->is_exhausted && worker->quota > 0) {
		soon_ns offset;

		while ((offset = arrivals_next(&worker->arrivals)) < end - worker->start) {
			if (offset < 0)
				continue;
			tally_due(tally, offset);
			tally->unsent++;
		}
	}
	/* A run of so many requests ends with the last of them. */
	tally->length_ns = (worker->quota == 0 ? worker->last : end) - worker->start;
}

int worker_run(struct worker *worker)
{
	int rc;

	/* Without it the kernel may wake a core 50 us late. */
	(void)prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	soon_event_init(&worker->begun);
	soon_sem_init(&worker->dialing, DIALS_MAX);

	SOON_SCOPE(time, .deadline = SOON_NEVER);
	rc = load(worker, &time);
	rc = (int)soon_scope_close(&time, rc);
	finish(worker, soon_now());
	/* What was still under way when the drain was over is counted as unfinished. */
	return rc == -ETIMEDOUT && soon_scope_expired(&time) ? 0 : rc;
}
