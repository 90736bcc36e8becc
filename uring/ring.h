// SPDX-License-Identifier: Apache-2.0
/*
 * ring.h: the io_uring back end: a poller for the scheduler and a back end for operations.
 *
 * All of it belongs to one thread. A turn, which is one call of poll(), makes at most one system
 * call: it hands over every request made since the last one and takes every completion. Requests
 * made in a turn's handlers wait in the submission queue for the next.
 */
#ifndef URING_RING_H
#define URING_RING_H

#include "op.h"
#include "tuning.h"

#include <liburing.h>
#include <pthread.h>

/* Of the provided buffers; there is one group. */
#define SOON__BUF_GROUP 0

struct soon__ring_stats {
	uint64_t enter_count;    /* system calls */
	uint64_t submit_count;   /* requests the kernel took */
	uint64_t complete_count; /* completions */
	uint64_t overflow_count; /* turns in which the completion queue had run over */
	uint64_t queued_count;   /* operations that found no room */
	uint64_t stale_count;    /* completions of an operation that had ended */
};

struct soon__ring {
	struct soon__io io;
	struct io_uring uring;
	int enter_fd;         /* the ring's, or its index when that is registered */
	unsigned enter_flags; /* for every call */
	uint16_t generation;  /* of the latest operation */
	bool is_reaping;      /* handlers run: no system call from inside */
	bool is_bell_armed;
	bool is_stopping; /* the bell is not armed again */
	uint64_t
		known_ops; /* a bit for each soon__op_code that the kernel does; others: a thread */
	bool has_other;    /* where io_uring is refused, another back end stands in */
	unsigned stop_reports; /* since it stops, of operations that do not end */
	soon_ns grace;         /* before the first of them */
	int bell_fd;           /* an eventfd; wake() writes, the ring reads */
	uint64_t bell_value;
	struct soon__list unsubmitted; /* QUEUED operations, the oldest first */
	struct soon__list cancels;     /* CANCELLING ones whose cancel is not submitted yet */
	struct soon__list tries;       /* STARTED with is_try, in the order of submission */
	pthread_t thread;
	struct soon__ring_stats stats;
};

/* The ring of the running core; aborts if it runs on another poller. For tests and watching. */
struct soon__ring *soon__ring_self(void);

/* `why` is static: what soon_io_backend() tells. With `has_other` a refusal is only news. */
int soon__ring_open(const soon_opts *opts, soon_core *core, const char *why, bool has_other,
	struct soon__poller **ret_poller);

/* Of which operations the kernel has requests: a bit for each soon__op_code. */
uint64_t soon__sqe_known(struct io_uring *ring);

/* Fills a submission entry but for user_data and what a try adds. */
void soon__sqe_encode(struct io_uring_sqe *sqe, const struct soon__op *op);

#endif
