// SPDX-License-Identifier: Apache-2.0
/*
 * The ring: turning operations into requests and completions into events; see ring.h.
 *
 * A request's user_data is the operation's address with a tag in the low bits, which an address has
 * free, and the generation of this use of the record in the top 16. A cancel finds its target by
 * this value alone, and a completion that comes for an earlier use is recognised.
 */
#include "ring.h"

#include <soon/mem.h>

#include "cancel.h"
#include "compat.h"
#include "mem_san.h"
#include "probe.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SQ_COUNT 512u
#define CQ_COUNT 4096u
#define BUF_GOAL 32u

#ifdef SOON__RING_SAN
char soon__rings_ended;
#endif

#define TAG_TARGET ((uint64_t)0)
#define TAG_CANCEL ((uint64_t)1)
#define TAG_BELL   ((uint64_t)2)
#define TAG_NONE   ((uint64_t)3)
#define TAG_MASK   ((uint64_t)7)

#define GENERATION_SHIFT 48
#define ADDRESS_MASK     ((((uint64_t)1) << GENERATION_SHIFT) - 1)

_Static_assert((int)SOON__EVENT_MORE == (int)IORING_CQE_F_MORE, "the ring's flags pass unchanged");
_Static_assert((int)SOON__EVENT_BUFFER == (int)IORING_CQE_F_BUFFER, "likewise");
_Static_assert((int)SOON__EVENT_BUFFER_SHIFT == (int)IORING_CQE_BUFFER_SHIFT, "likewise");
_Static_assert(_Alignof(struct soon__op) > TAG_MASK, "tags fit below an operation's address");

struct soon__ring_tuning soon__ring_tuning;

static struct soon__ring *ring_of(struct soon__poller *poller)
{
	return (struct soon__ring *)(void *)poller;
}

static struct soon__ring *ring_at(struct soon__io *io)
{
	return SOON_CONTAINER_OF(io, struct soon__ring, io);
}

static uint64_t user_data_of(const struct soon__op *op, uint64_t tag)
{
	return (uint64_t)(uintptr_t)op | tag | (uint64_t)op->generation << GENERATION_SHIFT;
}

/* ---- submission -------------------------------------------------------------------------- */

static unsigned unsubmitted_count(const struct soon__ring *ring)
{
	return ring->uring.sq.sqe_tail - *ring->uring.sq.khead;
}

static unsigned kernel_flags(const struct soon__ring *ring)
{
	return IO_URING_READ_ONCE(*ring->uring.sq.kflags);
}

/* The one system call. Waits for a completion if `timeout` is not 0. */
static int enter(struct soon__ring *ring, soon_ns timeout)
{
	struct io_uring_sq *sq = &ring->uring.sq;
	struct __kernel_timespec ts = {
		.tv_sec = timeout / 1000000000,
		.tv_nsec = timeout % 1000000000,
	};
	struct io_uring_getevents_arg arg = {
		.ts = timeout > 0 && timeout != SOON_NEVER ? (uint64_t)(uintptr_t)&ts : 0,
	};
	unsigned count = unsubmitted_count(ring);
	int rc;

	/* The entries before the tail that covers them. Pairs with the kernel's load. */
	io_uring_smp_store_release(sq->ktail, sq->sqe_tail);
	ring->stats.enter_count++;
	rc = io_uring_enter2((unsigned)ring->enter_fd, count, timeout != 0,
		ring->enter_flags | IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, (void *)&arg,
		sizeof(arg));
	if (rc >= 0)
		ring->stats.submit_count += (unsigned)rc;
	return rc;
}

/*
 * A free submission entry, NULL if there is none. From a task a full queue is handed over first;
 * a failure of that shows again in the next turn.
 */
static struct io_uring_sqe *get_sqe(struct soon__ring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

	if (SOON_LIKELY(sqe != NULL) || ring->is_reaping)
		return sqe;
	(void)enter(ring, 0);
	return io_uring_get_sqe(&ring->uring);
}

static void submit(struct soon__ring *ring, struct soon__op *op, struct io_uring_sqe *sqe)
{
	op->generation = ++ring->generation;
	op->state = SOON__OP_STARTED;
	soon__sqe_encode(sqe, op);
	sqe->user_data = user_data_of(op, TAG_TARGET);
	if (op->is_try) {
		sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
		sqe->msg_flags |= MSG_DONTWAIT;
		op->position = ring->uring.sq.sqe_tail;
		soon__list_push_tail(&ring->tries, &op->link);
	}
}

static void ring_start(struct soon__io *io, struct soon__op *op)
{
	struct soon__ring *ring = ring_at(io);
	struct io_uring_sqe *sqe = NULL;

	if (SOON_UNLIKELY((ring->known_ops >> op->code & 1) == 0)) {
		op->state = SOON__OP_STARTED;
		soon__op_block(op);
		return;
	}
	if (SOON_LIKELY(soon__list_is_empty(&ring->unsubmitted)))
		sqe = get_sqe(ring);
	if (SOON_LIKELY(sqe != NULL)) {
		submit(ring, op, sqe);
		return;
	}
	op->state = SOON__OP_QUEUED;
	ring->stats.queued_count++;
	soon__list_push_tail(&ring->unsubmitted, &op->link);
}

static void ring_cancel(struct soon__io *io, struct soon__op *op)
{
	struct soon__ring *ring = ring_at(io);

	if (SOON_UNLIKELY(op->is_blocking))
		return; /* out of our hands; its task waits for a thread */
	if (op->is_try) {
		io->is_hurried = true; /* it ends in the next turn, sent or not */
		return;
	}
	op->state = SOON__OP_CANCELLING;
	soon__list_push_tail(&ring->cancels, &op->link);
}

static const struct soon__io_ops io_ops = {
	.start = ring_start,
	.cancel = ring_cancel,
};

static void submit_queued(struct soon__ring *ring)
{
	while (!soon__list_is_empty(&ring->unsubmitted)) {
		struct io_uring_sqe *sqe = get_sqe(ring);
		struct soon__op *op;

		if (sqe == NULL)
			return;
		op = soon__op_at(ring->unsubmitted.next);
		soon__list_remove(&op->link);
		submit(ring, op, sqe);
	}
}

static void submit_cancels(struct soon__ring *ring)
{
	if (SOON_UNLIKELY(ring->stop_reports < soon__ring_tuning.cancels_after_reports))
		return;
	while (!soon__list_is_empty(&ring->cancels)) {
		struct io_uring_sqe *sqe = get_sqe(ring);
		struct soon__op *op;

		if (sqe == NULL)
			return;
		op = soon__op_at(ring->cancels.next);
		soon__list_remove(&op->link);
		io_uring_prep_cancel64(sqe, user_data_of(op, TAG_TARGET), 0);
		sqe->user_data = user_data_of(op, TAG_CANCEL);
	}
}

static void arm_bell(struct soon__ring *ring)
{
	struct io_uring_sqe *sqe = get_sqe(ring);

	if (sqe == NULL)
		return;
	io_uring_prep_read(sqe, ring->bell_fd, &ring->bell_value, sizeof(ring->bell_value), 0);
	sqe->user_data = TAG_BELL;
	ring->is_bell_armed = true;
}

/* Everything that became due since the last turn goes into the submission queue. */
static void prepare(struct soon__ring *ring)
{
	struct soon__bufs *bufs = &ring->io.bufs;

	if (SOON_UNLIKELY(!ring->is_bell_armed && !ring->is_stopping))
		arm_bell(ring);
	if (SOON_UNLIKELY(!soon__list_is_empty(&ring->unsubmitted)))
		submit_queued(ring);
	if (SOON_UNLIKELY(!soon__list_is_empty(&ring->cancels)))
		submit_cancels(ring);
	if (bufs->provided < bufs->goal || bufs->is_dry)
		soon__bufs_refill(bufs);
	if (SOON_UNLIKELY(bufs->starving_count > 0))
		soon__receivers_feed(&ring->io);
}

/* ---- completion -------------------------------------------------------------------------- */

static void on_stale(struct soon__ring *ring, const struct io_uring_cqe *cqe)
{
	ring->stats.stale_count++;
	soon_report_file(SOON_REPORT_ERROR, cqe->res,
		"a completion came for an operation that had ended (user_data %llx)",
		(unsigned long long)cqe->user_data);
}

static void dispatch(struct soon__ring *ring, const struct io_uring_cqe *cqe)
{
	uint64_t tag = cqe->user_data & TAG_MASK;
	struct soon__op *op =
		(struct soon__op *)(uintptr_t)(cqe->user_data & ADDRESS_MASK & ~TAG_MASK);

	if (SOON_UNLIKELY(tag == TAG_BELL)) {
		ring->is_bell_armed = false;
		return;
	}
	if (SOON_UNLIKELY(tag == TAG_NONE))
		return;
	if (SOON_UNLIKELY(op->generation != cqe->user_data >> GENERATION_SHIFT ||
		    op->state == SOON__OP_IDLE)) {
		on_stale(ring, cqe);
		return;
	}
	if (SOON_UNLIKELY(tag == TAG_CANCEL)) {
		soon__op_answered(&ring->io, op);
		return;
	}
	if (op->is_try)
		soon__list_remove(&op->link);
	soon__op_event(&ring->io, op, cqe->res, cqe->flags);
}

/* Takes all completions that are there; the handlers make tasks ready, they do not run them. */
static void reap(struct soon__ring *ring)
{
	struct io_uring_cq *cq = &ring->uring.cq;
	unsigned head = *cq->khead;
	unsigned tail = io_uring_smp_load_acquire(cq->ktail);

	if (head == tail)
		return;
	ring->stats.complete_count += tail - head;
	ring->is_reaping = true;
	for (; head != tail; head++)
		dispatch(ring, &cq->cqes[head & cq->ring_mask]);
	ring->is_reaping = false;
	/* The entries have been read. Pairs with the kernel's load before it writes new ones. */
	io_uring_smp_store_release(cq->khead, head);
}

/*
 * The kernel answers a try while it takes the request; one that was taken and has no completion
 * sent everything. Not to be called while completions may be kept back.
 */
static void end_tries(struct soon__ring *ring)
{
	unsigned taken = *ring->uring.sq.khead;

	ring->is_reaping = true;
	while (!soon__list_is_empty(&ring->tries)) {
		struct soon__op *op = soon__op_at(ring->tries.next);

		if ((int32_t)(taken - op->position) < 0)
			break;
		soon__list_remove(&op->link);
		soon__op_event(&ring->io, op, op->res, 0);
	}
	ring->is_reaping = false;
}

static bool has_completions(const struct soon__ring *ring)
{
	return io_uring_cq_ready(&ring->uring) > 0;
}

/* Sorts what enter() said: 0 to go on, or fatal. */
static int judge(int rc)
{
	switch (-rc) {
	case ETIME:  /* the deadline */
	case EINTR:  /* a signal */
	case EAGAIN: /* no memory for requests now: again in the next turn */
	case EBUSY:  /* completions first */
		return 0;
	case EBADR:
		soon_report_file(SOON_REPORT_ERROR, rc,
			"the kernel had no memory to keep completions and lost some");
		return rc;
	default:
		soon_report_file(
			SOON_REPORT_ERROR, rc, "io_uring_enter failed: %s", strerrordesc_np(-rc));
		return rc;
	}
}

static int turn(struct soon__ring *ring, soon_ns timeout)
{
	unsigned flags;
	int rc = 0;

	prepare(ring);
	if (has_completions(ring) || ring->io.is_hurried)
		timeout = 0;
	flags = kernel_flags(ring) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
	if (timeout != 0 || unsubmitted_count(ring) > 0 || flags != 0)
		rc = enter(ring, timeout);
	flags = kernel_flags(ring);
	reap(ring);
	if (SOON_LIKELY((flags & IORING_SQ_CQ_OVERFLOW) == 0))
		end_tries(ring);
	else
		ring->stats.overflow_count++;
	if (soon__list_is_empty(&ring->tries))
		ring->io.is_hurried = false;
	return rc < 0 ? judge(rc) : 0;
}

/* ---- the poller -------------------------------------------------------------------------- */

static int ring_poll(struct soon__poller *poller, soon_ns until) SOON_ON_CORE
{
	struct soon__ring *ring = ring_of(poller);
	soon_ns timeout = until;

	SOON_ASSERT(pthread_equal(ring->thread, pthread_self()));
	if (until != 0 && until != SOON_NEVER) {
		timeout = until - soon_now();
		if (timeout < 0)
			timeout = 0;
	}
	return turn(ring, timeout);
}

static bool ring_is_due(struct soon__poller *poller)
{
	struct soon__ring *ring = ring_of(poller);

	return unsubmitted_count(ring) > 0 || ring->io.is_hurried || has_completions(ring) ||
		(kernel_flags(ring) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0 ||
		!soon__list_is_empty(&ring->unsubmitted) || !soon__list_is_empty(&ring->cancels) ||
		soon__bufs_can_feed(&ring->io.bufs);
}

static bool ring_is_vacant(struct soon__poller *poller)
{
	return ring_of(poller)->io.inflight == 0 && !ring_is_due(poller);
}

/* From any thread or signal handler: no lock, no allocation, errno as it was. */
static void ring_wake(struct soon__poller *poller)
{
	static const uint64_t one = 1;
	int saved = errno;

	/* Fails only when the bell has rung 2^64 - 2 times unheard. */
	(void)!write(ring_of(poller)->bell_fd, &one, sizeof(one));
	errno = saved;
}

/* Real time: the core's clock stands still by now. */
static soon_ns stop_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return SOON_S(ts.tv_sec) + ts.tv_nsec;
}

static void report_unended(struct soon__ring *ring, soon_ns waited)
{
	char names[SOON__OPS_NAMES_BYTES];

	ring->stop_reports++;
	soon__ops_name(&ring->io, names);
	soon_report_file(SOON_REPORT_ERROR, -ETIMEDOUT,
		"%u I/O operations were cancelled %lld ms ago at the end of the run, and the "
		"kernel has not ended them; the run waits on, for their memory is lent: %s",
		ring->io.inflight, (long long)(waited / SOON_MS(1)), names);
}

/*
 * Reaps until nothing is in flight. Nothing else would do, for what the kernel still has it may
 * still write to; so who waits for longer than the grace is told for what, each time twice as late.
 */
static void reap_all(struct soon__ring *ring)
{
	static const soon_ns look_again = SOON_S(3600); /* the kernel adds it to its own time */
	soon_ns begun = stop_now(), wait = ring->grace;
	int rc = 0;

	while (rc == 0 && (ring->io.inflight > 0 || ring->is_bell_armed)) {
		soon_ns waited = stop_now() - begun, left;

		if (waited >= wait) {
			report_unended(ring, waited);
			wait = (waited + SOON_MS(1)) * 2;
		}
		left = wait - waited < look_again ? wait - waited : look_again;
		rc = turn(ring, soon__list_is_empty(&ring->tries) ? left : 0);
	}
}

static void ring_stop(struct soon__poller *poller)
{
	struct soon__ring *ring = ring_of(poller);
	struct soon__closer closer = { 0 };
	struct io_uring_sqe *sqe;

	ring->is_stopping = true;
	soon__cancel_all(&ring->io, &closer);
	sqe = get_sqe(ring);
	if (sqe != NULL) {
		io_uring_prep_cancel64(sqe, TAG_BELL, 0);
		sqe->user_data = TAG_NONE;
	}
	reap_all(ring);
}

static void ring_destroy(struct soon__poller *poller)
{
	struct soon__ring *ring = ring_of(poller);

	soon__san_ring_ends();
	io_uring_queue_exit(&ring->uring);
	(void)close(ring->bell_fd);
	soon__io_fini(&ring->io);
	soon_free(ring);
}

static const struct soon__poller_ops poller_ops = {
	.name = "io_uring",
	.poll = ring_poll,
	.is_due = ring_is_due,
	.is_vacant = ring_is_vacant,
	.wake = ring_wake,
	.inflight = soon__io_inflight,
	.each_inflight = soon__io_each_inflight,
	.stop = ring_stop,
	.destroy = ring_destroy,
};

struct soon__ring *soon__ring_self(void)
{
	struct soon__io *io = soon__io_self();

	SOON_ASSERT(io != NULL && io->ops == &io_ops);
	return ring_at(io);
}

/* ---- set-up ------------------------------------------------------------------------------ */

static unsigned or_default(unsigned value, unsigned fallback)
{
	return value != 0 ? value : fallback;
}

/* The pool is shared with the kernel and shown to work. */
static int open_bufs(struct soon__ring *ring, const struct soon__ring_tuning *tuning)
{
	struct soon__bufs *bufs = &ring->io.bufs;
	struct io_uring_buf_reg reg = { .bgid = SOON__BUF_GROUP };
	int rc = soon__bufs_init(bufs, or_default(tuning->buf_count, SOON__BUF_COUNT),
		or_default(tuning->buf_goal, BUF_GOAL));

	if (rc < 0) {
		soon__probe_report(rc, "io_uring", ring->has_other);
		return rc;
	}
	reg.ring_addr = (uint64_t)(uintptr_t)bufs->ring;
	reg.ring_entries = bufs->count;
	rc = io_uring_register_buf_ring(&ring->uring, &reg, 0);
	if (rc < 0) {
		soon__probe_report(rc, "io_uring", ring->has_other);
		return rc;
	}
	soon__bufs_refill(bufs);
	rc = soon__probe_streams(&ring->uring, SOON__BUF_GROUP, ring->has_other);
	return rc < 0 ? rc : soon__bufs_take(bufs, (unsigned)rc, 0);
}

static void use_registered_fd(struct soon__ring *ring)
{
	ring->enter_fd = ring->uring.ring_fd;
	if (io_uring_register_ring_fd(&ring->uring) == 1) {
		ring->enter_fd = ring->uring.enter_ring_fd;
		ring->enter_flags |= IORING_ENTER_REGISTERED_RING;
	}
	if ((ring->uring.features & IORING_FEAT_NO_IOWAIT) != 0)
		ring->enter_flags |= IORING_ENTER_NO_IOWAIT;
}

/*
 * liburing writes the indirection on every submission; it is the identity and stays so. From 2.6 on
 * liburing asks the kernel to do without (NO_SQARRAY, Linux 6.6), and there is none.
 */
static void fill_indirection(struct io_uring_sq *sq)
{
	if (sq->array == NULL)
		return;
	for (unsigned i = 0; i < sq->ring_entries; i++)
		sq->array[i] = i;
}

static int set_up(struct soon__ring *ring, const struct soon__ring_tuning *tuning)
{
	int rc;

	(void)io_uring_ring_dontfork(&ring->uring);
	use_registered_fd(ring);
	ring->known_ops = soon__sqe_known(&ring->uring) & ~tuning->ops_off;
	rc = open_bufs(ring, tuning);
	if (rc < 0)
		return rc;
	ring->io.has_try = !tuning->try_off && soon__probe_try(&ring->uring);
	fill_indirection(&ring->uring.sq);
	ring->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ring->bell_fd < 0) {
		rc = -errno;
		soon__probe_report(rc, "io_uring", ring->has_other);
		return rc;
	}
	return 0;
}

static void report_choice(const struct soon__ring *ring)
{
	unsigned flags = ring->uring.flags;

	soon_report_file(SOON_REPORT_INFO, 0, "io_uring with %u + %u entries%s%s%s%s",
		ring->uring.sq.ring_entries, ring->uring.cq.ring_entries,
		(flags & IORING_SETUP_SINGLE_ISSUER) != 0 ? ", SINGLE_ISSUER" : "",
		(flags & IORING_SETUP_DEFER_TASKRUN) != 0 ? ", DEFER_TASKRUN" : "",
		(flags & IORING_SETUP_COOP_TASKRUN) != 0 ? ", COOP_TASKRUN" : "",
		ring->io.has_try ? ", sends without completion" : "");
}

int soon__ring_open(const soon_opts *opts, soon_core *core, const char *why, bool has_other,
	struct soon__poller **ret_poller)
{
	const struct soon__ring_tuning *tuning = &soon__ring_tuning;
	struct soon__ring *ring = soon_zalloc(sizeof(*ring));
	int rc;

	if (ring == NULL)
		return -ENOMEM;
	ring->io.poller = (struct soon__poller){ .ops = &poller_ops, .core = core };
	soon__io_init(&ring->io, &io_ops);
	soon__list_init(&ring->unsubmitted);
	soon__list_init(&ring->cancels);
	soon__list_init(&ring->tries);
	ring->io.backend = SOON_IO_URING;
	ring->io.why = why;
	ring->has_other = has_other;
	ring->thread = pthread_self();
	ring->bell_fd = -1;
	ring->grace = opts != NULL ? opts->grace : 0;
	rc = soon__probe_open(or_default(tuning->sq_count, SQ_COUNT),
		or_default(tuning->cq_count, CQ_COUNT), ~tuning->setup_flags_off, &ring->uring);
	if (rc < 0) {
		soon__probe_report(rc, "io_uring", ring->has_other);
		goto out_free;
	}
	rc = set_up(ring, tuning);
	if (rc < 0)
		goto out_ring;
	report_choice(ring);
	*ret_poller = &ring->io.poller;
	return 0;

out_ring:
	soon__san_ring_ends();
	io_uring_queue_exit(&ring->uring);
	soon__io_fini(&ring->io);
out_free:
	soon_free(ring);
	return rc;
}
