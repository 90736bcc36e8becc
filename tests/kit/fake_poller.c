// SPDX-License-Identifier: Apache-2.0
#include "fake_poller.h"

#include <soon/assert.h>

#include "core/spi/list.h"
#include "core/spi/park.h"
#include "core/spi/poller.h"

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

/* A core that waits longer than this for another thread waits for ever, and the test has failed. */
#define REAL_WAIT_SECONDS_MAX 60

struct fake {
	struct soon__poller poller;
	soon_ns now;
	struct soon__list ops; /* by their end, the earliest first; equal ones in order of start */
	unsigned inflight;
	unsigned holds;
	int open_rc;
	sem_t bell;
	atomic_uint_least64_t wakes;
	struct fake_counts counts;
};

struct op {
	struct soon__list link; /* in fake->ops */
	struct soon__wait wait;
	struct fake *fake;
	soon_ns end;
	ssize_t rc;
	enum fake_cancel cancel;
};

/* Of the run on this thread. */
static _Thread_local struct fake *running;

static struct op *op_of(struct soon__list *link)
{
	return SOON_CONTAINER_OF(link, struct op, link);
}

static void op_insert(struct fake *fake, struct op *op)
{
	struct soon__list *before = fake->ops.prev;

	while (before != &fake->ops && op_of(before)->end > op->end)
		before = before->prev;
	soon__list_push_head(before, &op->link);
	fake->inflight++;
}

static void op_remove(struct fake *fake, struct op *op)
{
	SOON_ASSERT(fake->inflight > 0);
	soon__list_remove(&op->link);
	fake->inflight--;
}

/* Ends what is due by now; returns whether there was anything. */
static bool deliver(struct fake *fake)
{
	bool is_any = false;

	while (!soon__list_is_empty(&fake->ops) && op_of(fake->ops.next)->end <= fake->now) {
		struct op *op = op_of(fake->ops.next);

		op_remove(fake, op);
		soon__unpark(&op->wait, op->rc);
		is_any = true;
	}
	return is_any;
}

static struct fake *fake_of(struct soon__poller *poller)
{
	return SOON_CONTAINER_OF(poller, struct fake, poller);
}

static void wait_for_bell(struct fake *fake)
{
	struct timespec limit;
	int rc;

	(void)clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += REAL_WAIT_SECONDS_MAX;
	do {
		rc = sem_timedwait(&fake->bell, &limit);
	} while (rc != 0 && errno == EINTR);
	if (rc != 0)
		soon_die("fake poller: nothing can wake this core: no operation, no timer, and no "
			 "post within %d s",
			REAL_WAIT_SECONDS_MAX);
}

static int fake_poll(struct soon__poller *poller, soon_ns until)
{
	struct fake *fake = fake_of(poller);
	soon_ns next = until;

	fake->counts.polls++;
	if (deliver(fake) || until == 0)
		return 0;
	fake->counts.sleeps++;
	if (sem_trywait(&fake->bell) == 0)
		return 0;
	if (!soon__list_is_empty(&fake->ops) && op_of(fake->ops.next)->end < next)
		next = op_of(fake->ops.next)->end;
	if (next == SOON_NEVER || fake->holds > 0) {
		wait_for_bell(fake);
		return 0;
	}
	if (next > fake->now)
		fake->now = next;
	(void)deliver(fake);
	return 0;
}

static bool fake_is_due(struct soon__poller *poller)
{
	struct fake *fake = fake_of(poller);

	return !soon__list_is_empty(&fake->ops) && op_of(fake->ops.next)->end <= fake->now;
}

static void fake_wake(struct soon__poller *poller)
{
	struct fake *fake = fake_of(poller);

	atomic_fetch_add_explicit(&fake->wakes, 1, memory_order_relaxed);
	(void)sem_post(&fake->bell);
}

static unsigned poller_inflight(struct soon__poller *poller)
{
	return fake_of(poller)->inflight;
}

static void fake_stop(struct soon__poller *poller)
{
	struct fake *fake = fake_of(poller);

	SOON_ASSERT(fake->inflight == 0);
	fake->counts.stops++;
}

static void fake_destroy(struct soon__poller *poller)
{
	SOON_ASSERT(fake_of(poller)->counts.stops == 1);
}

static const struct soon__poller_ops fake_ops = {
	.name = "fake",
	.poll = fake_poll,
	.is_due = fake_is_due,
	.wake = fake_wake,
	.inflight = poller_inflight,
	.stop = fake_stop,
	.destroy = fake_destroy,
};

static int fake_open(const soon_opts *opts, soon_core *core, struct soon__poller **ret_poller)
{
	struct fake *fake = running;

	(void)opts;
	if (fake->open_rc < 0)
		return fake->open_rc;
	fake->poller = (struct soon__poller){ .ops = &fake_ops, .core = core };
	*ret_poller = &fake->poller;
	return 0;
}

static soon_ns fake_clock(void *clock)
{
	const struct fake *fake = clock;

	return fake->now;
}

int fake_run(const struct fake_opts *opts, soon__fn fn, uint64_t arg, const soon_site *site)
{
	static const struct fake_opts defaults;
	struct fake *outer = running;
	struct fake fake = { .holds = 0 };
	struct soon__seams seams = {
		.poller_open = fake_open,
		.clock_now = fake_clock,
		.clock = &fake,
	};
	int rc;

	if (opts == NULL)
		opts = &defaults;
	fake.now = opts->start != 0 ? opts->start : SOON_S(3600);
	fake.open_rc = opts->open_rc;
	seams.sched_seed = opts->seed;
	soon__list_init(&fake.ops);
	SOON_ASSERT(sem_init(&fake.bell, 0, 0) == 0);
	running = &fake;
	rc = soon__run_on(&seams, opts->run, fn, arg, site);
	running = outer;
	(void)sem_destroy(&fake.bell);
	return rc;
}

static enum soon__abort op_abort(struct soon__wait *wait)
{
	struct op *op = SOON_CONTAINER_OF(wait, struct op, wait);
	struct fake *fake = op->fake;

	if (op->cancel == FAKE_CANCEL_IGNORED)
		return SOON__ABORT_PENDING;
	op_remove(fake, op);
	if (op->cancel == FAKE_CANCEL_DONE)
		return SOON__ABORT_DONE;
	if (op->cancel == FAKE_CANCEL_PENDING)
		op->rc = -ECANCELED;
	op->end = fake->now;
	op_insert(fake, op);
	return SOON__ABORT_PENDING;
}

ssize_t fake_op(soon_ns duration, ssize_t rc, enum fake_cancel cancel)
{
	struct op op = {
		.wait = { .abort = op_abort, .what = "fake operation" },
		.fake = running,
		.rc = rc,
		.cancel = cancel,
	};
	int checked = soon__checkpoint("fake operation");

	if (checked < 0)
		return checked;
	op.end = duration < SOON_NEVER - running->now ? running->now + duration : SOON_NEVER;
	op_insert(running, &op);
	return soon__park(&op.wait);
}

void fake_hold(void)
{
	running->holds++;
}

void fake_release(void)
{
	SOON_ASSERT(running->holds > 0);
	running->holds--;
}

unsigned fake_inflight(void)
{
	return running->inflight;
}

struct fake_counts fake_counts(void)
{
	struct fake_counts counts = running->counts;

	counts.wakes = atomic_load_explicit(&running->wakes, memory_order_relaxed);
	return counts;
}
