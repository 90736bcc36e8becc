// SPDX-License-Identifier: Apache-2.0
/*
 * log_writer.c: the thread that writes, and who wakes it.
 *
 * One word says what the writer does:
 *   AWAKE    it will look at every ring again before it sleeps: nobody has to do anything;
 *   NAPPING  it has just written and looks again within a millisecond: only who has something
 *            urgent, an error or a ring that fills, wakes it. So a busy core does not pay for a
 *            wake-up per record, and lines go out in batches;
 *   ASLEEP   nothing is there: who puts something in replaces the mark and wakes, once per sleep.
 *
 * No wake-up is lost: the writer marks ASLEEP and then reads the tails; a producer moves a tail and
 * then reads the mark. All four are in one total order (seq_cst), so at least one of the two sees
 * the other. A record that is reserved but not handed over yet keeps the writer from sleeping.
 */
#include <soon/assert.h>
#include <soon/time.h>

#include "core.h"
#include "log.h"
#include "sigmask.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { AWAKE, NAPPING, ASLEEP };

enum {
	RINGS_MAX = 257, /* further cores use the ring of the threads */
	SHARED_BYTES = 256 * 1024,
	RING_PAGE = 4096,
	STACK_BYTES = 256 * 1024,
};

static const soon_ns NAP = SOON_MS(1);
static const soon_ns UNDER_WAY = SOON_US(100); /* between looks at a record under way */
static const soon_ns RETRY = SOON_S(1);        /* between attempts to start the writer */
static const soon_ns LAST = SOON_S(1);

/* Of the threads without a core; in static memory, so that there is always one. */
static _Alignas(64) char shared_data[SHARED_BYTES];
static struct soon__log_ring shared = {
	.bytes = SHARED_BYTES,
	.data = shared_data,
	.core = -1,
};

/* Never taken out again: cores are reused, and their rings with them. */
static _Atomic(struct soon__log_ring *) rings[RINGS_MAX] = { &shared };
static _Atomic(unsigned) rings_count = 1;

static _Atomic(uint32_t) mark;         /* what the writer does; a futex */
static _Atomic(uint32_t) wanted, done; /* flushes asked for, and finished; `done` is a futex */
static _Atomic(uint32_t) owner;        /* the thread that takes records; 0: none */
static _Atomic(bool) is_running, is_starting;
static _Atomic(bool) is_used;
static _Atomic(soon_ns) retry_at;

static void futex_wait(_Atomic(uint32_t) *word, uint32_t value, soon_ns timeout)
{
	const struct timespec ts = { timeout / SOON_S(1), timeout % SOON_S(1) };

	/* Whatever it was that ended it: the caller looks again. */
	(void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value,
		timeout == SOON_NEVER ? NULL : &ts, NULL, 0);
}

static void futex_wake(_Atomic(uint32_t) *word)
{
	(void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static void sleep_for(soon_ns duration)
{
	const struct timespec ts = { 0, duration };

	(void)nanosleep(&ts, NULL);
}

/* The end of a timeout. */
static soon_ns deadline_of(soon_ns timeout)
{
	soon_ns now = soon__log_now();

	return timeout > SOON_NEVER - now ? SOON_NEVER : now + timeout;
}

bool soon__log_is_used(void)
{
	return atomic_load_explicit(&is_used, memory_order_relaxed);
}

/* ---- rings ------------------------------------------------------------------------------- */

static struct soon__log_ring *ring_make(soon_core *core)
{
	size_t bytes = soon__log_ring_bytes();
	struct soon__log_ring *made, *none = NULL;
	unsigned at = atomic_load_explicit(&rings_count, memory_order_relaxed);

	/* By the system, not the allocator: a signal handler may be the first to log. */
	made = at >= RINGS_MAX ? MAP_FAILED
			       : mmap(NULL, RING_PAGE + bytes, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (made == MAP_FAILED) {
		atomic_store_explicit(&core->log, &shared, memory_order_relaxed);
		return &shared;
	}
	soon__log_ring_init(made, (char *)made + RING_PAGE, bytes);
	made->core = (int)core->index;
	if (!atomic_compare_exchange_strong_explicit(
		    &core->log, &none, made, memory_order_relaxed, memory_order_relaxed)) {
		(void)munmap(made, RING_PAGE + bytes);
		return none;
	}
	/* In the order of all: before the first record in it. */
	at = atomic_fetch_add_explicit(&rings_count, 1, memory_order_seq_cst);
	if (at < RINGS_MAX) {
		atomic_store_explicit(&rings[at], made, memory_order_seq_cst);
		return made;
	}
	/* Several cores at once were one too many. */
	atomic_store_explicit(&core->log, &shared, memory_order_relaxed);
	return &shared;
}

struct soon__log_ring *soon__log_ring_self(void)
{
	soon_core *core = soon__core;
	struct soon__log_ring *ring;

	if (!core)
		return &shared;
	/* Relaxed: only this thread sets it. */
	ring = atomic_load_explicit(&core->log, memory_order_relaxed);
	return SOON_LIKELY(ring != NULL) ? ring : ring_make(core);
}

/* Calls `fn` for each ring until it returns true; returns whether one did. */
static bool each_ring(bool (*fn)(struct soon__log_ring *ring))
{
	/* In the order of all: see ring_make(). */
	unsigned count = atomic_load_explicit(&rings_count, memory_order_seq_cst);

	for (unsigned i = 0; i < count && i < RINGS_MAX; i++) {
		struct soon__log_ring *ring = atomic_load_explicit(&rings[i], memory_order_seq_cst);

		if (ring && fn(ring))
			return true;
	}
	return false;
}

static bool has_records(struct soon__log_ring *ring)
{
	return !soon__log_is_taken(ring, soon__log_tail(ring));
}

static bool note_end(struct soon__log_ring *ring)
{
	ring->end = soon__log_tail(ring);
	return false;
}

static bool is_not_done(struct soon__log_ring *ring)
{
	return !soon__log_is_taken(ring, ring->end);
}

static bool clear(struct soon__log_ring *ring)
{
	soon__log_ring_clear(ring);
	return false;
}

uint64_t soon_log_lost(void)
{
	uint64_t lost = soon__log_refused();
	unsigned count = atomic_load_explicit(&rings_count, memory_order_seq_cst);

	for (unsigned i = 0; i < count && i < RINGS_MAX; i++) {
		struct soon__log_ring *ring = atomic_load_explicit(&rings[i], memory_order_seq_cst);

		if (ring)
			lost += atomic_load_explicit(&ring->lost, memory_order_relaxed);
	}
	return lost;
}

/* ---- taking records, by the owner -------------------------------------------------------- */

/* The oldest of the first records of all rings, among those to be taken in this round. */
static struct soon__log_record *oldest(bool is_skipping, struct soon__log_ring **ret_ring)
{
	unsigned count = atomic_load_explicit(&rings_count, memory_order_seq_cst);
	struct soon__log_record *found = NULL;

	for (unsigned i = 0; i < count && i < RINGS_MAX; i++) {
		struct soon__log_ring *ring = atomic_load_explicit(&rings[i], memory_order_seq_cst);
		struct soon__log_record *record;

		if (!ring)
			continue;
		record = soon__log_peek(ring, ring->end, is_skipping);
		if (record && (!found || record->at < found->at)) {
			found = record;
			*ret_ring = ring;
		}
	}
	return found;
}

static bool tell_lost_of(struct soon__log_ring *ring)
{
	uint64_t lost = atomic_load_explicit(&ring->lost, memory_order_relaxed);

	if (lost > ring->lost_told)
		soon__log_sink_put_lost(lost - ring->lost_told, ring->core);
	ring->lost_told = lost;
	return false;
}

static struct soon__log_style style_now(bool is_last)
{
	struct timespec wall;

	(void)clock_gettime(CLOCK_REALTIME, &wall);
	return (struct soon__log_style){
		.is_json = soon__log_sink_is_json(),
		.is_last = is_last,
		.to_wall = SOON_S(wall.tv_sec) + wall.tv_nsec - soon__log_now(),
	};
}

enum how {
	AS_USUAL,
	DYING,    /* nothing but signal-safe calls */
	AND_SKIP, /* likewise; records under way are given up */
};

/*
 * Writes all records that were there when it began, and what was lost; returns how many, or
 * -ETIMEDOUT. What could not be written by the deadline is kept.
 */
static ssize_t take_all(soon_ns deadline, enum how how)
{
	struct soon__log_style style = style_now(how != AS_USUAL);
	struct soon__log_record *record;
	struct soon__log_ring *ring = NULL;
	ssize_t taken = 0;
	int rc = 0;

	(void)each_ring(note_end);
	soon__log_sink_begin(&style);
	while (rc == 0 && (record = oldest(how == AND_SKIP, &ring)) != NULL) {
		rc = soon__log_sink_make_room(deadline);
		if (rc < 0)
			break;
		soon__log_sink_put(record);
		soon__log_pop(ring);
		taken++;
	}
	if (rc == 0 && (rc = soon__log_sink_make_room(deadline)) == 0)
		(void)each_ring(tell_lost_of);
	if (rc == 0)
		rc = soon__log_sink_flush(deadline);
	return rc < 0 ? rc : taken;
}

int soon__log_own(soon_ns timeout)
{
	soon_ns deadline = deadline_of(timeout);
	uint32_t self = soon__log_thread(), none = 0;

	if (atomic_load_explicit(&owner, memory_order_relaxed) == self)
		return -EDEADLK;
	/* Acquire: pairs with disown. */
	while (!atomic_compare_exchange_strong_explicit(
		&owner, &none, self, memory_order_acquire, memory_order_relaxed)) {
		if (soon__log_now() >= deadline)
			return -ETIMEDOUT;
		sleep_for(UNDER_WAY);
		none = 0;
	}
	return 0;
}

void soon__log_disown(void)
{
	atomic_store_explicit(&owner, 0, memory_order_release);
}

/* ---- the writer -------------------------------------------------------------------------- */

/* Has the writer look at everything again. */
static void wake(void)
{
	/* In the order of all, as the reads of the mark are. */
	if (atomic_exchange_explicit(&mark, AWAKE, memory_order_seq_cst) != AWAKE)
		futex_wake(&mark);
}

void soon__log_notify(struct soon__log_ring *ring, soon_level level)
{
	/* In the order of all: after the tail was moved, see above. */
	uint32_t now = atomic_load_explicit(&mark, memory_order_seq_cst);

	if (now == ASLEEP ||
		(now == NAPPING && (level == SOON_LOG_ERROR || soon__log_ring_is_filling(ring))))
		wake();
	if (SOON_UNLIKELY(!atomic_load_explicit(&is_running, memory_order_relaxed)))
		soon__log_start();
}

static bool is_flush_wanted(void)
{
	return atomic_load_explicit(&wanted, memory_order_seq_cst) !=
		atomic_load_explicit(&done, memory_order_relaxed);
}

/* Waits with that mark unless there is something to do. */
static void wait_marked(uint32_t how, soon_ns timeout)
{
	(void)atomic_exchange_explicit(&mark, how, memory_order_seq_cst);
	if (!is_flush_wanted() && (how == NAPPING || !each_ring(has_records)))
		futex_wait(&mark, how, timeout);
	atomic_store_explicit(&mark, AWAKE, memory_order_seq_cst);
}

static void round_done(uint32_t flush)
{
	if (atomic_load_explicit(&done, memory_order_relaxed) == flush)
		return;
	/* Release: pairs with soon__log_finish(). */
	atomic_store_explicit(&done, flush, memory_order_release);
	futex_wake(&done);
}

static void *writer_main(void *unused)
{
	(void)unused;
	(void)pthread_setname_np(pthread_self(), "soon-log");
	for (;;) {
		uint32_t flush = atomic_load_explicit(&wanted, memory_order_seq_cst);
		bool is_complete;
		ssize_t taken;

		(void)soon__log_own(SOON_NEVER);
		taken = take_all(SOON_NEVER, AS_USUAL);
		is_complete = !each_ring(is_not_done);
		soon__log_disown();
		if (is_complete)
			round_done(flush);
		if (!is_complete)
			sleep_for(UNDER_WAY);
		else if (taken > 0)
			wait_marked(NAPPING, NAP);
		else
			wait_marked(ASLEEP, SOON_NEVER);
	}
	return NULL;
}

static int thread_start(void)
{
	sigset_t before;
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	soon__sigmask_block(SOON__OPEN_FAULTS, &before);
	rc = -pthread_attr_init(&attr);
	if (rc == 0) {
		(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
		(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		rc = -pthread_create(&thread, &attr, writer_main, NULL);
		(void)pthread_attr_destroy(&attr);
	}
	soon__sigmask_restore(&before);
	return rc;
}

void soon__log_start(void)
{
	soon_ns now = soon__log_now();
	int rc;

	if (atomic_load_explicit(&is_running, memory_order_relaxed) ||
		now < atomic_load_explicit(&retry_at, memory_order_relaxed) ||
		atomic_exchange_explicit(&is_starting, true, memory_order_acquire))
		return;
	atomic_store_explicit(&is_used, true, memory_order_relaxed);
	soon__log_watch();
	if (!atomic_load_explicit(&is_running, memory_order_relaxed)) {
		rc = thread_start();
		if (rc == 0)
			atomic_store_explicit(&is_running, true, memory_order_release);
		else
			atomic_store_explicit(&retry_at, now + RETRY, memory_order_relaxed);
		if (rc < 0)
			soon_report_file(SOON_REPORT_WARNING, rc,
				"log: no thread to write with; records wait in their rings until "
				"there is one, a flush or the end");
	}
	atomic_store_explicit(&is_starting, false, memory_order_release);
}

/* ---- without it -------------------------------------------------------------------------- */

/* What the writer would do, on the calling thread, which must not be kept for long. */
static int finish_here(soon_ns deadline)
{
	soon_ns now = soon__log_now();
	int rc = soon__log_own(deadline > now ? deadline - now : 0);

	if (rc < 0)
		return rc;
	for (;;) {
		ssize_t taken = take_all(deadline, AS_USUAL);

		if (taken < 0 || !each_ring(is_not_done)) {
			rc = taken < 0 ? (int)taken : 0;
			break;
		}
		rc = soon__log_now() < deadline ? 0 : -ETIMEDOUT;
		if (rc < 0)
			break;
		sleep_for(UNDER_WAY);
	}
	soon__log_disown();
	return rc;
}

int soon__log_finish(soon_ns timeout)
{
	soon_ns deadline = deadline_of(timeout);
	uint32_t ticket;

	if (!soon__log_is_used())
		return 0;
	if (atomic_load_explicit(&owner, memory_order_relaxed) == soon__log_thread())
		return -EDEADLK;
	if (!atomic_load_explicit(&is_running, memory_order_acquire))
		return finish_here(deadline);
	ticket = atomic_fetch_add_explicit(&wanted, 1, memory_order_seq_cst) + 1;
	wake();
	for (;;) {
		/* Acquire: pairs with round_done(). */
		uint32_t now_done = atomic_load_explicit(&done, memory_order_acquire);
		soon_ns left = deadline == SOON_NEVER ? SOON_NEVER : deadline - soon__log_now();

		if ((int32_t)(now_done - ticket) >= 0)
			return 0;
		if (left <= 0)
			return -ETIMEDOUT;
		futex_wait(&done, now_done, left);
	}
}

int soon_log_flush(soon_ns timeout)
{
	return soon__log_finish(timeout > 0 ? timeout : 0);
}

void soon__log_last(void)
{
	static _Atomic(uint32_t) dying;
	uint32_t self = soon__log_thread(), other = 0;
	soon_ns deadline = deadline_of(LAST);
	int rc;

	if (!soon__log_is_used())
		return;
	if (!atomic_compare_exchange_strong_explicit(
		    &dying, &other, self, memory_order_acquire, memory_order_relaxed)) {
		/* Two threads die: the one that returns first would cut the other's words short. */
		while (other != self && atomic_load_explicit(&dying, memory_order_relaxed) != 0 &&
			soon__log_now() < deadline)
			sleep_for(UNDER_WAY);
		return;
	}
	/* It may be the writer that dies, then we are the owner. */
	rc = soon__log_own(LAST / 2);
	if (rc != -ETIMEDOUT && take_all(deadline, DYING) >= 0 && each_ring(is_not_done)) {
		sleep_for(SOON_MS(1)); /* for those that are about to hand over */
		(void)take_all(deadline, AND_SKIP);
	}
	if (rc == 0)
		soon__log_disown();
	atomic_store_explicit(&dying, 0, memory_order_release);
}

void soon__log_clear(void)
{
	(void)each_ring(clear);
	atomic_store_explicit(&is_running, false, memory_order_relaxed);
	atomic_store_explicit(&is_starting, false, memory_order_relaxed);
	atomic_store_explicit(&owner, 0, memory_order_relaxed);
	atomic_store_explicit(&mark, AWAKE, memory_order_relaxed);
	atomic_store_explicit(&wanted, 0, memory_order_relaxed);
	atomic_store_explicit(&done, 0, memory_order_relaxed);
}
