// SPDX-License-Identifier: Apache-2.0
/* The ring itself: no size of its queues is visible, no wake-up is missed, none is for nothing. */
#include "ring.h"

#include <soon/scope.h>
#include <soon/signal.h>
#include <soon/thread.h>

#include "kit.h"
#include "mem_san.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CROWD 3000

static int read_a_byte(int fd)
{
	char byte;

	return soon_read(fd, &byte, 1) == 1 ? 0 : -EIO;
}

/* Thousands of reads that wait at one time, then are all served. */
static int crowd(int count)
{
	static char bytes[CROWD];
	int fds[2];
	SOON_GROUP(g);

	kit_pair(fds);
	for (int i = 0; i < count; i++)
		cr_assert_eq(soon_spawn(&g, read_a_byte, fds[0]), 0);
	kit_settle();
	cr_assert_eq(soon__ring_self()->io.inflight, count);
	kit_put(fds[1], bytes, (size_t)count);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	cr_assert_eq(soon__ring_self()->io.inflight, 0);
	kit_close_both(fds);
	return 0;
}

/* Thousands at one time, all cancelled. */
static int cancelled_crowd(int count)
{
	int fds[2];
	SOON_GROUP(g);

	kit_pair(fds);
	for (int i = 0; i < count; i++)
		cr_assert_eq(soon_spawn(&g, read_a_byte, fds[0]), 0);
	kit_settle();
	soon_group_cancel(&g, "test");
	/* -EIO of read_a_byte would be told: they all have to say it is a cancel. */
	cr_assert_eq(soon_group_close(&g, 0), -EIO);
	cr_assert_eq(soon__ring_self()->io.inflight, 0);
	kit_close_both(fds);
	return 0;
}

SOON_TEST(ring, thousands_at_once)
{
	cr_assert_eq(crowd(CROWD), 0);
	cr_assert_eq(cancelled_crowd(CROWD), 0);
}

static int crowds_that_overflow(int count)
{
	cr_assert_eq(crowd(count), 0);
	cr_assert_gt(soon__ring_self()->stats.overflow_count, 0, "the queue did not run over");
	return cancelled_crowd(count);
}

SOON_TEST_PLAIN(ring, completion_queue_runs_over)
{
	soon__ring_tuning = (struct soon__ring_tuning){ .sq_count = 2, .cq_count = 4 };
	cr_assert_eq(soon_run(crowds_that_overflow, 500), 0);
}

/* Inline completions that overflow while tasks fill the submission queue again and again. */
static int poll_ready(int fd)
{
	return (soon_poll_fd(fd, POLLOUT) & POLLOUT) != 0 ? 0 : -EIO;
}

static int ready_crowd(int count)
{
	int fds[2];
	SOON_GROUP(g);

	kit_pair(fds);
	for (int i = 0; i < count; i++)
		cr_assert_eq(soon_spawn(&g, poll_ready, fds[0]), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	kit_close_both(fds);
	return 0;
}

SOON_TEST_PLAIN(ring, completions_at_submission_run_over)
{
	cr_assert_eq(soon_run(ready_crowd, CROWD), 0);
	soon__ring_tuning = (struct soon__ring_tuning){ .sq_count = 2, .cq_count = 4 };
	cr_assert_eq(soon_run(ready_crowd, CROWD), 0);
}

/* Senders that are tried, with completions of others running over at the same time. */
static int send_and_poll(const int *fds)
{
	soon_sender sender;
	int rc;

	soon_sender_init(&sender, fds[0]);
	rc = soon_sender_start(&sender, "x", 1);
	if (rc == 0)
		rc = poll_ready(fds[1]);
	if (rc == 0)
		rc = soon_sender_wait(&sender);
	soon_sender_fini(&sender);
	return rc;
}

static int tried_crowd(int is_broken)
{
	static char bytes[200];
	int fds[2];
	SOON_GROUP(g, .policy = SOON_WAIT_ALL);

	kit_pair(fds);
	if (is_broken)
		cr_assert_eq(shutdown(fds[0], SHUT_WR), 0);
	for (int i = 0; i < 200; i++)
		cr_assert_eq(soon_spawn(&g, send_and_poll, fds), 0);
	/* A failing try has a completion; while that is kept back it must not count as sent. */
	cr_assert_eq(soon_group_close(&g, 0), is_broken ? -EPIPE : 0);
	cr_assert_eq(soon_group_failures(&g, NULL, 0), is_broken ? 200 : 0);
	cr_assert_eq(recv(fds[1], bytes, sizeof(bytes), MSG_DONTWAIT), is_broken ? 0 : 200);
	kit_close_both(fds);
	return 0;
}

SOON_TEST_PLAIN(ring, tried_sends_and_overflow)
{
	cr_assert_eq(soon_run(tried_crowd, 0), 0);
	cr_assert_eq(soon_run(tried_crowd, 1), 0);
	soon__ring_tuning = (struct soon__ring_tuning){ .sq_count = 2, .cq_count = 4 };
	cr_assert_eq(soon_run(tried_crowd, 0), 0);
	cr_assert_eq(soon_run(tried_crowd, 1), 0);
}

/* The set-up ladder: every rung serves. */

static int serve_a_little(void *unused)
{
	int fds[2];
	soon_receiver receiver;
	soon_slice chunk;

	(void)unused;
	cr_assert_eq(crowd(100), 0);
	cr_assert_eq(cancelled_crowd(100), 0);
	kit_pair(fds);
	soon_receiver_init(&receiver, fds[0]);
	kit_put(fds[1], "x", 1);
	cr_assert_eq(soon_receiver_next(&receiver, &chunk), 1);
	soon_receiver_return(&receiver, chunk);
	cr_assert_eq(soon_within(KIT_SHORT, soon_receiver_next(&receiver, &chunk)), -ETIMEDOUT);
	soon_receiver_fini(&receiver);
	kit_close_both(fds);
	return 0;
}

static int check_flags(void *unused)
{
	unsigned flags = soon__ring_self()->uring.flags;

	cr_assert_eq(flags & soon__ring_tuning.setup_flags_off, 0);
	return serve_a_little(unused);
}

SOON_TEST_PLAIN(ring, every_rung_of_the_ladder_serves)
{
	static const unsigned off[] = {
		IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER,
		IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER |
			IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
			IORING_SETUP_SUBMIT_ALL,
	};

	for (unsigned i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
		soon__ring_tuning.setup_flags_off = off[i];
		cr_assert_eq(soon_run(check_flags, NULL), 0);
	}
}

/* Waking and sleeping. */

struct poster {
	soon_callback callback;
	soon_core *core;
	struct soon__ring *ring;
	bool is_called;
};

static void note_call(soon_callback *callback)
{
	SOON_CONTAINER_OF(callback, struct poster, callback)->is_called = true;
}

static int post_from_thread(struct poster *poster)
{
	struct timespec pause = { .tv_nsec = 20000000 };

	(void)nanosleep(&pause, NULL);
	return soon_post(poster->core, &poster->callback);
}

SOON_TEST(ring, bell_ends_an_endless_wait)
{
	struct poster poster = { .callback.fn = note_call, .core = soon_core_self() };

	for (int i = 0; i < 3; i++) {
		poster.is_called = false;
		cr_assert_eq(soon_offload(post_from_thread, &poster), 0);
		for (int j = 0; j < 1000 && !poster.is_called; j++)
			cr_assert_eq(soon_yield(), 0);
		cr_assert(poster.is_called);
	}
}

SOON_TEST(ring, idle_means_no_system_call)
{
	struct soon__ring *ring = soon__ring_self();
	uint64_t enters;
	char byte;
	int fds[2];

	kit_pair(fds);
	cr_assert_eq(soon_sleep(SOON_MS(5)), 0);
	enters = ring->stats.enter_count;
	cr_assert_eq(soon_within(SOON_MS(100), soon_read(fds[0], &byte, 1)), -ETIMEDOUT);
	/* The wait, the cancel, and their neighbours; not one for each millisecond. */
	cr_assert_leq(ring->stats.enter_count - enters, 5);
	kit_close_both(fds);
}

SOON_TEST(ring, one_system_call_a_turn)
{
	struct soon__ring *ring = soon__ring_self();
	uint64_t enters = ring->stats.enter_count;
	int fds[2];
	SOON_GROUP(g);

	kit_pair(fds);
	for (int i = 0; i < 400; i++)
		cr_assert_eq(soon_spawn(&g, poll_ready, fds[0]), 0);
	cr_assert_eq(soon_group_close(&g, 0), 0);
	/* Hardly more than one for all of them; a slow build may need several turns. */
	cr_assert_leq(ring->stats.enter_count - enters, 40);
	kit_close_both(fds);
}

/*
 * Whether a child of this process has no such page. On a thread: task stacks are not inherited. By
 * bare system calls: what fork(3) has libraries do in the child may map memory just there. (That is
 * why AddressSanitizer, which would hold such memory for poisoned, keeps the buffers: bufring.c.)
 */
static int is_not_inherited(void *address)
{
	void *page = (void *)((uintptr_t)address & ~(uintptr_t)4095);
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	int status = -1;

	if (pid == 0)
		(void)syscall(SYS_exit_group,
			syscall(SYS_msync, page, 4096, MS_ASYNC) != 0 && errno == ENOMEM ? 0 : 1);
	return pid > 0 && waitpid((pid_t)pid, &status, 0) == pid && status == 0;
}

SOON_TEST(ring, what_the_kernel_writes_is_not_inherited)
{
	struct soon__ring *ring = soon__ring_self();

#if !SOON__MEM_STAYS_POISONED
	cr_assert_eq(soon_offload(is_not_inherited, (void *)ring->io.bufs.memory), 1);
#endif
	cr_assert_eq(soon_offload(is_not_inherited, (void *)ring->io.bufs.ring), 1);
	cr_assert_eq(soon_offload(is_not_inherited, (void *)ring->uring.sq.sqes), 1);
	cr_assert_eq(soon_offload(is_not_inherited, ring->uring.cq.ring_ptr), 1);
}

static soon_receiver left_behind;

static int leave_a_receiver(int fd)
{
	soon_slice chunk;

	soon_receiver_init(&left_behind, fd);
	cr_assert_eq(soon_receiver_try_next(&left_behind, &chunk), -EAGAIN);
	kit_settle();
	return 0;
}

SOON_TEST_PLAIN(ring, what_was_left_in_flight_is_ended_and_reported)
{
	struct kit_reports reports;
	int fds[2];

	kit_reports_keep(&reports);
	kit_pair(fds);
	cr_assert_eq(soon_run(leave_a_receiver, fds[0]), 0);
	cr_assert_eq(reports.count, 1);
	cr_assert_not_null(strstr(reports.text, "1 I/O operations"));
	soon_test_reports_expected = 1;
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static int count_fds(unsigned *ret_count)
{
	*ret_count = kit_fd_count();
	return 0;
}

SOON_TEST_PLAIN(ring, run_leaves_no_descriptor)
{
	unsigned before = kit_fd_count(), inside = 0;

	for (int i = 0; i < 20; i++)
		cr_assert_eq(soon_run(count_fds, &inside), 0);
	cr_assert_gt(inside, before);
	cr_assert_eq(kit_fd_count(), before);
}
