// SPDX-License-Identifier: Apache-2.0
/*
 * epoll.h: the back end for where io_uring is refused: a poller for the scheduler and a back end
 * for operations, by system calls that do not wait.
 *
 *   epoll.c        the turn: what is due, what is cancelled, what is ready
 *   epoll_watch.c  which descriptors the kernel watches, and for whom
 *   epoll_try.c    one attempt at an operation
 *
 * An operation that was started is tried in the next turn. If it would have to wait, it waits on
 * its descriptor until that is ready, and is tried again. What would block instead of saying so is
 * left to the waiting task, which has a thread do it (soon__op_block).
 *
 * All of it belongs to one thread.
 */
#ifndef URING_EPOLL_H
#define URING_EPOLL_H

#include "op.h"

#include <pthread.h>
#include <sys/epoll.h>

#define SOON__EPOLL_EVENTS 256

/* Where an operation is that is not IDLE. */
enum soon__place {
	SOON__PLACE_DUE,   /* in epoll.due: to be tried */
	SOON__PLACE_TRIED, /* on no list, its attempt is running */
	SOON__PLACE_IN,    /* in watch.in, and so on */
	SOON__PLACE_OUT,
	SOON__PLACE_POLL,
	SOON__PLACE_CANCEL, /* in epoll.cancels */
};

/* What an attempt came to. */
enum soon__tried {
	SOON__TRIED_ENDED, /* told; the record may be in use again */
	SOON__TRIED_AGAIN, /* not ready */
	SOON__TRIED_BLOCK, /* only a call that blocks can tell */
};

/*
 * One descriptor number: who waits for it, and what the kernel was asked.
 *
 * The kernel watches a descriptor in earnest only while somebody waits for it. Otherwise it is not
 * watched, or for one event (EPOLLONESHOT) that nobody takes. So what happens on a connection that
 * nobody reads from wakes nobody, and a file that others hold open, after its number was closed
 * here, cannot keep us awake.
 */
struct soon__fd_watch {
	struct soon__list in;   /* operations that wait for bytes, the oldest first */
	struct soon__list out;  /* that wait for room */
	struct soon__list poll; /* soon_poll_fd() */
	uint32_t armed;         /* events that the kernel will tell; 0: none */
	uint32_t generation;    /* of the number: tells its events from those of an earlier file */
	uint32_t multi_count;   /* operations in `in` that go on after an event */
	bool is_known;          /* the kernel may have it in its set */
	bool is_lasting;        /* armed for more than one event */
	bool has_gap;           /* nobody waited for a while: the file may be another by now */
	bool is_edge;           /* told when something changes only: it has an error that stays */
};

struct soon__epoll_stats {
	uint64_t wait_count;  /* epoll_wait */
	uint64_t event_count; /* that it told, without the bell */
	uint64_t ctl_count;   /* epoll_ctl */
	uint64_t try_count;   /* attempts at operations */
	uint64_t block_count; /* operations left to threads */
	uint64_t stale_count; /* events of a file that was closed here */
};

struct soon__epoll {
	struct soon__io io;
	int fd;
	int bell_fd;                   /* an eventfd; wake() writes, nobody reads */
	bool has_pwait2;               /* waits to the nanosecond */
	bool has_told_limit;           /* that the kernel watches no more, once is enough */
	unsigned waiting;              /* operations that wait on a descriptor */
	unsigned skipped;              /* how often is_due() was asked since the last look */
	soon_ns looked_at;             /* when the kernel was asked last */
	struct soon__list due;         /* STARTED, to be tried, the oldest first */
	struct soon__list cancels;     /* CANCELLING */
	struct soon__fd_watch **chunk; /* watches by number, SOON__CHUNK_WATCHES each */
	unsigned chunk_count;
	pthread_t thread;
	struct soon__epoll_stats stats;
	struct epoll_event events[SOON__EPOLL_EVENTS];
};

#define SOON__CHUNK_WATCHES 128u

/* The back end of the running core; aborts if it runs on another. For tests and watching. */
struct soon__epoll *soon__epoll_self(void);

/* `why` is static: what soon_io_backend() tells. */
int soon__epoll_open(soon_core *core, const char *why, struct soon__poller **ret_poller);

/* One attempt at a STARTED operation, which is on no list. */
enum soon__tried soon__epoll_try(struct soon__epoll *epoll, struct soon__op *op);

/* Leaves it to a thread. */
void soon__epoll_block(struct soon__epoll *epoll, struct soon__op *op);

/* Tries it, and puts it where it waits. */
void soon__epoll_attempt(struct soon__epoll *epoll, struct soon__op *op);

/* What a transfer has moved so far if it is cut short now; 0: nothing, or it is no transfer. */
int soon__epoll_moved(const struct soon__op *op);

/*
 * Has `op` wait until its descriptor is ready.
 * Errors: -EPERM it is never other than ready; -ENOMEM, -ENOSPC, -EBADF. Then it does not wait.
 */
int soon__fd_watch_wait(struct soon__epoll *epoll, struct soon__op *op);

/* It waits no longer. */
void soon__fd_watch_leave(struct soon__epoll *epoll, struct soon__op *op);

/* After the last wait on `fd` may have gone: the kernel need not tell any more. */
void soon__fd_watch_settle(struct soon__epoll *epoll, int fd);

/* An event of the kernel's. */
void soon__fd_watch_event(struct soon__epoll *epoll, const struct epoll_event *event);

/* Whether the kernel knows `fd`, so that it can be waited for: no file of a disk. */
bool soon__fd_watch_is_known(const struct soon__epoll *epoll, int fd);

/* Before `fd` is closed. */
void soon__fd_watch_forget(struct soon__epoll *epoll, int fd);

void soon__fd_watches_fini(struct soon__epoll *epoll);

#endif
