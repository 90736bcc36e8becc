// SPDX-License-Identifier: Apache-2.0
/*
 * procpool.h: the record of a pool and of its workers, private to net/.
 *
 * A call has a permit of `places` from before it has a worker until it is through with it, and
 * idle workers are taken before one is started; so there are never more workers than permits.
 */
#ifndef NET_PROCPOOL_H
#define NET_PROCPOOL_H

#include <soon/debug.h>
#include <soon/event.h>
#include <soon/procpool.h>
#include <soon/sem.h>

#include <pthread.h>

/* A small call and a small answer are one piece each. */
#define SOON__WORKER_BUF_BYTES 4096

struct soon__worker {
	struct soon__worker *next; /* in pool->workers */
	struct soon__worker *next_idle;
	soon_proc *proc; /* NULL until it was started */
	int fd;
	uint64_t calls;
	char buf[SOON__WORKER_BUF_BYTES];
};

struct soon_procpool {
	soon_procpool_opts opts; /* with the defaults filled in */
	const soon_procpool_entry *table;
	uint64_t table_hash;
	pthread_t thread; /* of its core */
	soon_sem places;
	soon_gate gate;        /* calls are inside */
	soon_event is_killing; /* the close waits for nobody any more */
	struct soon__worker *workers;
	struct soon__worker *idle; /* the one used last is first */
	unsigned failures;         /* of workers, in a row */
	soon_ns retry_at;          /* no worker is started before */
	uint64_t numbers;          /* of calls */
	soon_procpool_stats stats;
	soon_tracked *tracked;
};

/* What a call has to say and to take. */
struct soon__offloaded {
	const char *name;
	uint32_t index;
	const void *in;
	size_t in_len;
	void *out;
	size_t out_cap;
	size_t out_len;
	int rc; /* what the function returned */
};

/*
 * Gives a worker that is ready: an idle one, or a new one after the back-off.
 * Suspends: may. Cancel: cancellation point. Errors: see soon_proc_offload().
 */
SOON_NODISCARD int soon__worker_get(soon_procpool *pool, struct soon__worker **ret_worker)
	SOON_SUSPENDS;

/* Puts one back that answered, or ends it where it has served its time. */
void soon__worker_put(soon_procpool *pool, struct soon__worker *worker) SOON_SUSPENDS;

/* Why it cannot be used any more. */
enum soon__worker_end {
	SOON__WORKER_DONE,     /* orderly: its socket is closed, and it goes */
	SOON__WORKER_CRASHED,  /* it ended, or broke the protocol */
	SOON__WORKER_CUT_SHORT /* its call was cancelled */
};

/* Ends it, reaped, and frees it. Not cancelled. */
void soon__worker_end(soon_procpool *pool, struct soon__worker *worker, enum soon__worker_end why)
	SOON_SUSPENDS;

/*
 * Notes how a worker ended that let go of its socket, as the message of -ECONNRESET; one that does
 * not end although it let go is killed.
 */
SOON_NODISCARD int soon__worker_died(
	soon_procpool *pool, struct soon__worker *worker, const char *what) SOON_SUSPENDS;

/*
 * Reads a whole head of that kind into `*ret_head`, and the first of the bytes behind it, if they
 * came along, into the worker's buffer, from where on `*ret_rest` says how many.
 * Errors: -ECONNRESET it let go of the socket. -EBADMSG that is no head. -ECANCELED.
 */
struct soon__wire_head;
SOON_NODISCARD int soon__worker_hear(struct soon__worker *worker, int kind,
	struct soon__wire_head *ret_head, size_t *ret_rest) SOON_SUSPENDS;

#endif
