// SPDX-License-Identifier: Apache-2.0
/* The turn of the epoll back end, and the poller; see epoll.h. */
#include "epoll.h"

#include <soon/mem.h>

#include "core/spi/watch.h"

#include "cancel.h"
#include "probe.h"
#include "tuning.h"

#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* In place of a number and generation: no number is that high. */
#define BELL UINT64_MAX

/* While tasks are ready all the time, the kernel is asked at least so often. */
#define SKIPS_MAX 8u
#define SKIP_TIME SOON_US(100)

static struct soon__epoll *epoll_of(struct soon__poller *poller)
{
	return (struct soon__epoll *)(void *)poller;
}

static struct soon__epoll *epoll_at(struct soon__io *io)
{
	return SOON_CONTAINER_OF(io, struct soon__epoll, io);
}

/* ---- operations -------------------------------------------------------------------------- */

/* What has no other way: soon__epoll_try would say so, a turn later. */
static bool needs_thread(const struct soon__op *op)
{
	switch (op->code) {
	case SOON__OP_FSYNC:
	case SOON__OP_OPENAT:
	case SOON__OP_STATX:
	case SOON__OP_UNLINKAT:
	case SOON__OP_RENAMEAT:
	case SOON__OP_MKDIRAT:
	case SOON__OP_LINKAT:
	case SOON__OP_SYMLINKAT:
	case SOON__OP_READLINKAT:
	case SOON__OP_FTRUNCATE:
	case SOON__OP_FALLOCATE:
	case SOON__OP_FADVISE:
	case SOON__OP_GETDENTS:
		return true;
	default:
		return false;
	}
}

void soon__epoll_block(struct soon__epoll *epoll, struct soon__op *op)
{
	epoll->stats.block_count++;
	soon__op_block(op);
}

static void epoll_start(struct soon__io *io, struct soon__op *op)
{
	struct soon__epoll *epoll = epoll_at(io);

	op->state = SOON__OP_STARTED;
	op->position = 0;
	op->is_woken = false;
	op->is_try = false;
	if (needs_thread(op)) {
		op->place = SOON__PLACE_TRIED;
		soon__epoll_block(epoll, op);
		return;
	}
	op->place = SOON__PLACE_DUE;
	soon__list_push_tail(&epoll->due, &op->link);
}

static void epoll_cancel(struct soon__io *io, struct soon__op *op)
{
	struct soon__epoll *epoll = epoll_at(io);

	if (op->is_blocking)
		return;
	switch ((enum soon__place)op->place) {
	case SOON__PLACE_DUE:
		soon__list_remove(&op->link);
		break;
	case SOON__PLACE_IN:
	case SOON__PLACE_OUT:
	case SOON__PLACE_POLL:
		soon__fd_watch_leave(epoll, op);
		break;
	case SOON__PLACE_TRIED:
	case SOON__PLACE_CANCEL:
		break;
	}
	op->place = SOON__PLACE_CANCEL;
	op->state = SOON__OP_CANCELLING;
	soon__list_push_tail(&epoll->cancels, &op->link);
}

static const struct soon__io_ops io_ops = {
	.start = epoll_start,
	.cancel = epoll_cancel,
};

void soon__epoll_attempt(struct soon__epoll *epoll, struct soon__op *op)
{
	enum soon__tried tried;
	int rc;

	op->place = SOON__PLACE_TRIED;
	tried = soon__epoll_try(epoll, op);
	if (tried == SOON__TRIED_BLOCK)
		soon__epoll_block(epoll, op);
	if (tried != SOON__TRIED_AGAIN || op->place != SOON__PLACE_TRIED)
		return; /* ended, or cancelled by who was told of an event */
	rc = soon__fd_watch_wait(epoll, op);
	if (rc == -EPERM && op->kind == SOON__OP_CALL)
		soon__epoll_block(epoll, op); /* nothing to wait for, and yet it would: the disk */
	else if (rc < 0)
		soon__op_event(&epoll->io, op, rc, 0);
}

/* ---- the turn ---------------------------------------------------------------------------- */

/* What handlers start meanwhile is for the next turn. */
static void run_due(struct soon__epoll *epoll)
{
	struct soon__list batch;

	if (soon__list_is_empty(&epoll->due))
		return;
	batch = epoll->due;
	batch.next->prev = &batch;
	batch.prev->next = &batch;
	soon__list_init(&epoll->due);
	/* A cancel takes its operation out of the batch, from inside an attempt, too. */
	while (!soon__list_is_empty(&batch))
		soon__epoll_attempt(epoll, soon__op_at(soon__list_pop(&batch)));
}

static void run_cancels(struct soon__epoll *epoll)
{
	while (!soon__list_is_empty(&epoll->cancels)) {
		struct soon__op *op = soon__op_at(soon__list_pop(&epoll->cancels));
		int moved = soon__epoll_moved(op);
		int fd = op->fd;

		soon__op_event(&epoll->io, op, moved > 0 ? moved : -ECANCELED, 0);
		soon__op_answered(&epoll->io, op);
		soon__fd_watch_settle(epoll, fd);
	}
}

static bool has_work(const struct soon__epoll *epoll)
{
	return !soon__list_is_empty(&epoll->due) || !soon__list_is_empty(&epoll->cancels) ||
		soon__bufs_can_feed(&epoll->io.bufs);
}

/*
 * Whether the kernel was not asked for so long that it should be, although tasks are ready. A core
 * without them asks by waiting: when it only looks around before it sleeps, nothing is due.
 */
static bool is_look_due(const struct soon__epoll *epoll) SOON_ON_CORE
{
	return epoll->waiting > 0 && soon__watch_has_work() &&
		(epoll->skipped >= SKIPS_MAX || soon_now() - epoll->looked_at >= SKIP_TIME);
}

/* Until `until`, rounded up: a wait that ends before a timer is due would be one more. */
static int events_wait(struct soon__epoll *epoll, soon_ns until) SOON_ON_CORE
{
	soon_ns timeout = until;
	struct timespec ts;

	epoll->stats.wait_count++;
	if (until != 0 && until != SOON_NEVER) {
		timeout = until - soon_now();
		if (timeout < 0)
			timeout = 0;
	}
	if (timeout == 0 || timeout == SOON_NEVER)
		return epoll_wait(
			epoll->fd, epoll->events, SOON__EPOLL_EVENTS, timeout == 0 ? 0 : -1);
	if (!epoll->has_pwait2) {
		soon_ns ms = timeout / SOON_MS(1) + 1;

		return epoll_wait(epoll->fd, epoll->events, SOON__EPOLL_EVENTS,
			ms < INT32_MAX ? (int)ms : INT32_MAX);
	}
	ts.tv_sec = timeout / SOON_S(1);
	ts.tv_nsec = timeout % SOON_S(1);
	return epoll_pwait2(epoll->fd, epoll->events, SOON__EPOLL_EVENTS, &ts, NULL);
}

static int look(struct soon__epoll *epoll, soon_ns until) SOON_ON_CORE
{
	int count = events_wait(epoll, until);
	int rc = count < 0 ? -errno : 0;

	epoll->skipped = 0;
	epoll->looked_at = soon_now();
	if (rc == -EINTR)
		return 0;
	if (rc < 0) {
		soon_report_file(
			SOON_REPORT_ERROR, rc, "epoll_wait failed: %s", strerrordesc_np(-rc));
		return rc;
	}
	for (int i = 0; i < count; i++) {
		if (epoll->events[i].data.u64 == BELL)
			continue; /* edge-triggered: it need not be read to be quiet */
		epoll->stats.event_count++;
		soon__fd_watch_event(epoll, &epoll->events[i]);
	}
	return 0;
}

static void run(struct soon__epoll *epoll)
{
	if (SOON_UNLIKELY(epoll->io.bufs.starving_count > 0))
		soon__receivers_feed(&epoll->io);
	run_due(epoll);
	run_cancels(epoll);
}

static int epoll_poll(struct soon__poller *poller, soon_ns until) SOON_ON_CORE
{
	struct soon__epoll *epoll = epoll_of(poller);
	bool has_tasks;

	SOON_ASSERT(pthread_equal(epoll->thread, pthread_self()));
	run(epoll);
	has_tasks = soon__watch_has_work();
	if (has_tasks || has_work(epoll))
		until = 0;
	/* Nothing to see, or not now: tasks have their turn without a system call in between. */
	if (until == 0 && (epoll->waiting == 0 || (has_tasks && !is_look_due(epoll))))
		return 0;
	return look(epoll, until);
}

/* ---- the poller -------------------------------------------------------------------------- */

static bool epoll_is_due(struct soon__poller *poller) SOON_ON_CORE
{
	struct soon__epoll *epoll = epoll_of(poller);

	epoll->skipped++;
	return has_work(epoll) || is_look_due(epoll);
}

static bool epoll_is_vacant(struct soon__poller *poller)
{
	struct soon__epoll *epoll = epoll_of(poller);

	return epoll->io.inflight == 0 && !has_work(epoll);
}

/* From any thread or signal handler: no lock, no allocation, errno as it was. */
static void epoll_wake(struct soon__poller *poller)
{
	static const uint64_t one = 1;
	int saved = errno;

	/* Fails only when the bell has rung 2^64 - 2 times. */
	(void)!write(epoll_of(poller)->bell_fd, &one, sizeof(one));
	errno = saved;
}

static void epoll_stop(struct soon__poller *poller)
{
	struct soon__epoll *epoll = epoll_of(poller);
	struct soon__closer closer = { 0 };

	soon__cancel_all(&epoll->io, &closer);
	while (epoll->io.inflight > 0 && has_work(epoll))
		run(epoll);
}

static void epoll_destroy(struct soon__poller *poller)
{
	struct soon__epoll *epoll = epoll_of(poller);

	(void)close(epoll->fd);
	(void)close(epoll->bell_fd);
	soon__io_fini(&epoll->io);
	soon__fd_watches_fini(epoll);
	soon_free(epoll);
}

static const struct soon__poller_ops poller_ops = {
	.name = "epoll",
	.poll = epoll_poll,
	.is_due = epoll_is_due,
	.is_vacant = epoll_is_vacant,
	.wake = epoll_wake,
	.inflight = soon__io_inflight,
	.each_inflight = soon__io_each_inflight,
	.stop = epoll_stop,
	.destroy = epoll_destroy,
};

struct soon__epoll *soon__epoll_self(void)
{
	struct soon__io *io = soon__io_self();

	SOON_ASSERT(io != NULL && io->ops == &io_ops);
	return epoll_at(io);
}

/* ---- set-up ------------------------------------------------------------------------------ */

/* The wrapper is there, but the kernel may be older, or a sandbox may not know it. */
static bool can_pwait2(int fd)
{
	static const struct timespec none = { 0 };
	struct epoll_event event;

	return !soon__ring_tuning.epoll_pwait2_off && epoll_pwait2(fd, &event, 1, &none, NULL) >= 0;
}

static int set_up(struct soon__epoll *epoll)
{
	unsigned count = soon__ring_tuning.buf_count;
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = BELL };

	epoll->fd = epoll_create1(EPOLL_CLOEXEC);
	epoll->bell_fd = epoll->fd < 0 ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (epoll->bell_fd < 0 || epoll_ctl(epoll->fd, EPOLL_CTL_ADD, epoll->bell_fd, &event) != 0)
		return -errno;
	epoll->has_pwait2 = can_pwait2(epoll->fd);
	return soon__bufs_init(&epoll->io.bufs, count > 0 ? count : SOON__BUF_COUNT, 0);
}

int soon__epoll_open(soon_core *core, const char *why, struct soon__poller **ret_poller)
{
	struct soon__epoll *epoll = soon_zalloc(sizeof(*epoll));
	int rc;

	if (epoll == NULL)
		return -ENOMEM;
	epoll->io.poller = (struct soon__poller){ .ops = &poller_ops, .core = core };
	soon__io_init(&epoll->io, &io_ops);
	epoll->io.backend = SOON_IO_EPOLL;
	epoll->io.why = why;
	soon__list_init(&epoll->due);
	soon__list_init(&epoll->cancels);
	epoll->thread = pthread_self();
	rc = set_up(epoll);
	if (rc < 0) {
		soon__probe_report(rc, "epoll", false);
		if (epoll->bell_fd >= 0)
			(void)close(epoll->bell_fd);
		if (epoll->fd >= 0)
			(void)close(epoll->fd);
		soon__io_fini(&epoll->io);
		soon_free(epoll);
		return rc;
	}
	*ret_poller = &epoll->io.poller;
	return 0;
}
