// SPDX-License-Identifier: Apache-2.0
#include "poller.h"

#include <soon/assert.h>
#include <soon/test_clock.h>

#include "core/spi/park.h"
#include "core/spi/watch.h"

#include <time.h>

/*
 * A core that really waits while its virtual clock stands: after the first it is told why, after
 * the second, where there is no kernel, it is stuck for ever.
 */
#define REAL_WAIT_HINT    SOON_S(10)
#define REAL_WAIT_SECONDS 60

struct op {
	struct soon__list link; /* in kit->ops */
	struct soon__wait wait;
	struct soon__kit_poller *kit;
	soon_ns end;
	ssize_t rc;
	soon_fake_cancel cancel;
};

struct settler {
	struct soon__list link; /* in kit->settlers */
	struct soon__wait wait;
	soon_ns target; /* the clock is moved to here first; SOON_NEVER leaves it alone */
};

static _Thread_local struct soon__kit_poller *running;

static struct soon__kit_poller *kit_at(struct soon__poller *poller)
{
	return SOON_CONTAINER_OF(poller, struct soon__kit_poller, poller);
}

static struct op *op_at(struct soon__list *link)
{
	return SOON_CONTAINER_OF(link, struct op, link);
}

static soon_ns real_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return SOON_S(ts.tv_sec) + ts.tv_nsec;
}

static soon_ns kit_now(const struct soon__kit_poller *kit)
{
	return kit->is_virtual ? kit->now : real_now();
}

static soon_ns clock_now(void *clock)
{
	return kit_now(clock);
}

/* ---- scripted operations ----------------------------------------------------------------- */

static void op_insert(struct soon__kit_poller *kit, struct op *op)
{
	struct soon__list *before = kit->ops.prev;

	while (before != &kit->ops && op_at(before)->end > op->end)
		before = before->prev;
	soon__list_push_head(before, &op->link);
	kit->inflight++;
}

static void op_remove(struct soon__kit_poller *kit, struct op *op)
{
	SOON_ASSERT(kit->inflight > 0);
	soon__list_remove(&op->link);
	kit->inflight--;
}

static soon_ns ops_next(const struct soon__kit_poller *kit)
{
	return soon__list_is_empty(&kit->ops) ? SOON_NEVER : op_at(kit->ops.next)->end;
}

/* Ends what is due by now; returns whether there was anything. */
static bool deliver(struct soon__kit_poller *kit)
{
	soon_ns now = kit_now(kit);
	bool is_any = false;

	while (ops_next(kit) <= now && !soon__list_is_empty(&kit->ops)) {
		struct op *op = op_at(kit->ops.next);

		op_remove(kit, op);
		soon__unpark(&op->wait, op->rc);
		is_any = true;
	}
	return is_any;
}

/* ---- time -------------------------------------------------------------------------------- */

static void advance_to(struct soon__kit_poller *kit, soon_ns time)
{
	SOON_ASSERT(kit->is_virtual);
	if (time > kit->now)
		kit->now = time;
	(void)deliver(kit);
}

/* All tasks wait. The first of those that waited for this gets its turn, when its time has come. */
static void settle(struct soon__kit_poller *kit, soon_ns next)
{
	struct settler *settler = SOON_CONTAINER_OF(kit->settlers.next, struct settler, link);

	if (next <= kit_now(kit))
		return; /* timers are due: their tasks come first */
	if (settler->target != SOON_NEVER && settler->target > kit->now) {
		advance_to(kit, next < settler->target ? next : settler->target);
		if (soon__watch_has_work() || kit->now < settler->target)
			return;
		if (next <= kit->now)
			return; /* timers are due: their tasks come first */
	}
	soon__list_remove(&settler->link);
	soon__unpark(&settler->wait, 0);
}

static SOON_COLD void note_inflight(const char *what, int fd, void *data)
{
	(void)data;
	soon_report_file(SOON_REPORT_WARNING, -ETIMEDOUT,
		"virtual clock: it cannot jump while this is in flight: %s on descriptor %d", what,
		fd);
}

/* The clock stands still and whoever could wake the core is real. */
static int wait_for_real(struct soon__kit_poller *kit)
{
	struct timespec limit;
	int rc;

	if (kit->inner) {
		soon_ns began = real_now();

		rc = kit->inner->ops->poll(kit->inner, kit->now + REAL_WAIT_HINT);
		if (rc == 0 && real_now() - began >= REAL_WAIT_HINT &&
			kit->inner->ops->each_inflight)
			kit->inner->ops->each_inflight(kit->inner, note_inflight, NULL);
		return rc;
	}
	(void)clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += REAL_WAIT_SECONDS;
	do {
		rc = sem_timedwait(&kit->bell, &limit);
	} while (rc != 0 && errno == EINTR);
	if (rc != 0)
		soon_die("fake poller: nothing can wake this core: no operation, no timer, and no "
			 "post within %d s",
			REAL_WAIT_SECONDS);
	return 0;
}

static bool can_jump(const struct soon__kit_poller *kit, soon_ns next)
{
	if (next == SOON_NEVER || kit->holds > 0)
		return false;
	return !kit->inner ||
		(soon__watch_external() == 0 && kit->inner->ops->inflight(kit->inner) == 0);
}

/* ---- the poller -------------------------------------------------------------------------- */

static int kit_poll(struct soon__poller *poller, soon_ns until)
{
	struct soon__kit_poller *kit = kit_at(poller);
	bool is_any = deliver(kit);
	soon_ns next = until;
	int rc = 0;

	kit->counts.polls++;
	if (kit->inner) {
		/* What has arrived comes before all that time or patience would bring. */
		rc = kit->inner->ops->poll(kit->inner, 0);
		is_any |= soon__watch_has_work();
	}
	if (rc < 0 || is_any || until == 0)
		return rc;
	kit->counts.sleeps++;
	if (!kit->inner && sem_trywait(&kit->bell) == 0)
		return 0;
	if (ops_next(kit) < next)
		next = ops_next(kit);
	if (!soon__list_is_empty(&kit->settlers))
		settle(kit, next);
	else if (!kit->is_virtual)
		rc = kit->inner->ops->poll(kit->inner, next);
	else if (can_jump(kit, next))
		advance_to(kit, next);
	else
		rc = wait_for_real(kit);
	return rc;
}

static bool kit_is_due(struct soon__poller *poller)
{
	struct soon__kit_poller *kit = kit_at(poller);

	if (!soon__list_is_empty(&kit->ops) && ops_next(kit) <= kit_now(kit))
		return true;
	return kit->inner && kit->inner->ops->is_due(kit->inner);
}

static void kit_wake(struct soon__poller *poller)
{
	struct soon__kit_poller *kit = kit_at(poller);

	atomic_fetch_add_explicit(&kit->wakes, 1, memory_order_relaxed);
	if (kit->inner)
		kit->inner->ops->wake(kit->inner);
	else
		(void)sem_post(&kit->bell);
}

static unsigned kit_inflight(struct soon__poller *poller)
{
	struct soon__kit_poller *kit = kit_at(poller);

	return kit->inflight + (kit->inner ? kit->inner->ops->inflight(kit->inner) : 0);
}

static void kit_each_inflight(
	struct soon__poller *poller, void (*fn)(const char *what, int fd, void *data), void *data)
{
	struct soon__kit_poller *kit = kit_at(poller);

	for (unsigned i = 0; i < kit->inflight; i++)
		fn("scripted operation", -1, data);
	if (kit->inner && kit->inner->ops->each_inflight)
		kit->inner->ops->each_inflight(kit->inner, fn, data);
}

static void kit_stop(struct soon__poller *poller)
{
	struct soon__kit_poller *kit = kit_at(poller);

	SOON_ASSERT(kit->inflight == 0);
	kit->counts.stops++;
	if (kit->inner)
		kit->inner->ops->stop(kit->inner);
}

static void kit_destroy(struct soon__poller *poller)
{
	struct soon__kit_poller *kit = kit_at(poller);

	SOON_ASSERT(kit->counts.stops == 1);
	if (kit->inner)
		kit->inner->ops->destroy(kit->inner);
	kit->inner = NULL;
}

static const struct soon__poller_ops kit_ops = {
	.name = "test kit",
	.poll = kit_poll,
	.is_due = kit_is_due,
	.wake = kit_wake,
	.inflight = kit_inflight,
	.each_inflight = kit_each_inflight,
	.stop = kit_stop,
	.destroy = kit_destroy,
};

static int kit_open(const soon_opts *opts, soon_core *core, struct soon__poller **ret_poller)
{
	struct soon__kit_poller *kit = running;
	int rc;

	if (!kit) /* a core beyond the first, on a thread of the runtime */
		return soon__poller_open(opts, core, ret_poller);
	rc = kit->open_rc;
	kit->poller = (struct soon__poller){ .ops = &kit_ops, .core = core };
	if (rc == 0 && kit->has_kernel) {
		rc = soon__poller_open(opts, core, &kit->inner);
		if (rc == 0)
			kit->poller.io = kit->inner->io;
	}
	if (rc < 0)
		return rc;
	*ret_poller = &kit->poller;
	return 0;
}

void soon__kit_poller_init(
	struct soon__kit_poller *kit, bool has_kernel, struct soon__seams *ret_seams)
{
	*kit = (struct soon__kit_poller){ .has_kernel = has_kernel, .outer = running };
	soon__list_init(&kit->ops);
	soon__list_init(&kit->settlers);
	SOON_ASSERT(sem_init(&kit->bell, 0, 0) == 0);
	*ret_seams = (struct soon__seams){
		.poller_open = kit_open,
		.clock_now = clock_now,
		.clock = kit,
	};
	running = kit;
}

void soon__kit_poller_fini(struct soon__kit_poller *kit)
{
	running = kit->outer;
	(void)sem_destroy(&kit->bell);
}

struct soon__kit_poller *soon__kit_poller_or_null(void)
{
	return running;
}

struct soon__kit_poller *soon__kit_poller_of(const char *func)
{
	if (!running)
		soon_die("%s: this run is not under soon_test_run() or SOON_TEST", func);
	return running;
}

/* ---- for the tests ----------------------------------------------------------------------- */

static enum soon__abort op_abort(struct soon__wait *wait)
{
	struct op *op = SOON_CONTAINER_OF(wait, struct op, wait);
	struct soon__kit_poller *kit = op->kit;

	if (op->cancel == SOON_FAKE_CANCEL_IGNORED)
		return SOON__ABORT_PENDING;
	op_remove(kit, op);
	if (op->cancel == SOON_FAKE_CANCEL_DONE)
		return SOON__ABORT_DONE;
	if (op->cancel == SOON_FAKE_CANCEL_PENDING)
		op->rc = -ECANCELED;
	op->end = kit_now(kit);
	op_insert(kit, op);
	return SOON__ABORT_PENDING;
}

ssize_t soon_fake_op(soon_ns duration, ssize_t rc, soon_fake_cancel cancel)
{
	struct soon__kit_poller *kit = soon__kit_poller_of(__func__);
	struct op op = {
		.wait = { .abort = op_abort, .what = "fake operation" },
		.kit = kit,
		.rc = rc,
		.cancel = cancel,
	};
	int checked = soon__checkpoint("fake_op");
	soon_ns now = kit_now(kit);

	if (checked < 0)
		return checked;
	op.end = duration < SOON_NEVER - now ? now + duration : SOON_NEVER;
	op_insert(kit, &op);
	return soon__park(&op.wait);
}

void soon_clock_virtual(void)
{
	struct soon__kit_poller *kit = soon__kit_poller_of(__func__);

	if (kit->is_virtual)
		return;
	kit->now = soon_now();
	kit->is_virtual = true;
}

void soon_clock_hold(void)
{
	soon__kit_poller_of(__func__)->holds++;
}

void soon_clock_release(void)
{
	struct soon__kit_poller *kit = soon__kit_poller_of(__func__);

	SOON_ASSERT(kit->holds > 0);
	kit->holds--;
}

static enum soon__abort settle_abort(struct soon__wait *wait)
{
	soon__list_remove(&SOON_CONTAINER_OF(wait, struct settler, wait)->link);
	return SOON__ABORT_DONE;
}

/* The wait is external because no task, timer or operation ends it. */
static int wait_settled(struct soon__kit_poller *kit, soon_ns target, const char *what)
{
	struct settler settler = {
		.wait = { .abort = settle_abort, .what = what, .is_external = true },
		.target = target,
	};
	int rc = soon__checkpoint(what);

	if (rc < 0)
		return rc;
	soon__list_push_tail(&kit->settlers, &settler.link);
	return (int)soon__park(&settler.wait);
}

int soon_test_settle(void)
{
	return wait_settled(soon__kit_poller_of(__func__), SOON_NEVER, "test_settle");
}

int soon_clock_advance(soon_ns timeout)
{
	struct soon__kit_poller *kit = soon__kit_poller_of(__func__);

	if (!kit->is_virtual || timeout < 0)
		return -EINVAL;
	return wait_settled(kit,
		timeout < SOON_NEVER - kit->now ? kit->now + timeout : SOON_NEVER - 1,
		"clock_advance");
}
