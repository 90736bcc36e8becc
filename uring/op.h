// SPDX-License-Identifier: Apache-2.0
/*
 * op.h: one operation that is asked of the kernel, and the back end that asks.
 *
 * A soon__op is a record that no back end is visible in: what to do (code, fd, addr, len, off,
 * flags), whom it belongs to (kind), and how far it is (state). It lives in the frame of the call
 * that waits for it (kind CALL) or inside a receiver, sender or acceptor. From start to end the
 * kernel may use the record's memory, so nobody leaves its frame, or frees the object around it,
 * before the state is IDLE again.
 *
 *	        start                 last completion
 *	IDLE ----------> STARTED --------------------------> IDLE
 *	  |   no room      |                                  ^
 *	  +--> QUEUED -----+ cancel                           |
 *	                   v            target first          | cancel's completion
 *	              CANCELLING --> TARGET_DONE -------------+
 *	                   |                                  | target's completion
 *	                   +-------> CANCEL_DONE -------------+
 *	                    cancel first
 *
 * The end of an operation is told once, after both completions, and gives the target's result:
 * completion wins over cancel.
 */
#ifndef URING_OP_H
#define URING_OP_H

#include <soon/assert.h>
#include <soon/signal.h>

#include "core/spi/list.h"
#include "core/spi/park.h"
#include "core/spi/poller.h"

#include "bufring.h"

enum soon__op_code {
	SOON__OP_READ,
	SOON__OP_READV,
	SOON__OP_WRITE,
	SOON__OP_WRITEV,
	SOON__OP_RECV,
	SOON__OP_SEND,
	SOON__OP_SENDMSG,
	SOON__OP_RECVMSG,
	SOON__OP_ACCEPT,
	SOON__OP_CONNECT,
	SOON__OP_FSYNC,
	SOON__OP_POLL,
	SOON__OP_CLOSE,
	SOON__OP_OPENAT,
	SOON__OP_STATX,
	SOON__OP_UNLINKAT,
	SOON__OP_RENAMEAT, /* from fd, addr to the descriptor `len`, name `off`; LINKAT likewise */
	SOON__OP_MKDIRAT,
	SOON__OP_LINKAT,
	SOON__OP_SYMLINKAT,  /* with the text addr, as fd, `off` */
	SOON__OP_READLINKAT, /* of fd, addr into `off`, `len` bytes */
	SOON__OP_FTRUNCATE,
	SOON__OP_FALLOCATE, /* the length is in addr, the mode in len; FADVISE likewise */
	SOON__OP_FADVISE,
	SOON__OP_GETDENTS,
	SOON__OP_ACCEPT_MULTI, /* an event per connection until one without SOON__EVENT_MORE */
	SOON__OP_RECV_MULTI,   /* an event per chunk, in a buffer of soon__io.bufs; likewise */
	SOON__OP_CODES,
};

enum soon__op_kind {
	SOON__OP_CALL, /* a task waits in op.wait for the one completion */
	SOON__OP_ACCEPTOR,
	SOON__OP_RECEIVER,
	SOON__OP_SENDER,
};

enum soon__op_state {
	SOON__OP_IDLE,
	SOON__OP_QUEUED, /* the back end has no room; not asked yet */
	SOON__OP_STARTED,
	SOON__OP_CANCELLING,  /* both completions are owed */
	SOON__OP_TARGET_DONE, /* the cancel's completion is owed */
	SOON__OP_CANCEL_DONE, /* the target's completion is owed */
};

/* Of a completion; the buffer's number is in the upper 16 bits. Equal to the ring's own. */
enum {
	SOON__EVENT_BUFFER = 1u << 0,
	SOON__EVENT_MORE = 1u << 1,
	SOON__EVENT_BUFFER_SHIFT = 16,
};

struct soon__closer;

struct soon__op {
	struct soon__wait wait;      /* for the owner: CALL parks on it, the others as they like */
	struct soon__list link;      /* the back end's: one of its queues */
	struct soon__list by_fd;     /* in soon__io.started, unless IDLE */
	struct soon__closer *closer; /* the soon_close() that waits for the end, or NULL */
	uint64_t off;
	const void *addr;
	uint32_t len;
	uint32_t flags; /* of the system call */
	int fd;
	int res;             /* of the target's last completion, raw; before: what a try gives */
	uint32_t position;   /* the ring's: where in the submission queue; epoll's: bytes moved */
	uint16_t generation; /* the ring's: tells this use of the record from earlier ones */
	uint8_t code;        /* enum soon__op_code */
	uint8_t kind;        /* enum soon__op_kind */
	uint8_t state;       /* enum soon__op_state */
	uint8_t place;       /* epoll's: where it waits, enum soon__place */
	bool is_woken;       /* epoll's: the descriptor was ready since the start */
	bool is_try;         /* a send that must end at once: all sent, or a failure */
	bool is_blocking;    /* the back end has left it to its task, see soon__op_block() */
};

/* What a back end does with operations. */
struct soon__io_ops {
	/*
	 * Begins `op`, which is IDLE: makes it STARTED, or QUEUED if there is no room now. Never
	 * fails, never completes it from inside. The completions come by soon__op_event.
	 *
	 * What can only be done by a call that blocks, at the start or later, a back end leaves to
	 * the waiting task, by soon__op_block(): CALL operations only.
	 */
	void (*start)(struct soon__io *io, struct soon__op *op);

	/*
	 * Asks for the end of `op`, which is STARTED: makes it CANCELLING; the answer comes by
	 * soon__op_answered. Never fails. One with is_try needs no cancel and stays as it is, and
	 * so does one with is_blocking: it cannot be cancelled from outside its task.
	 */
	void (*cancel)(struct soon__io *io, struct soon__op *op);
};

/* Of SOON__OP_FSYNC: only what is needed to read the data back. */
#define SOON__FSYNC_DATA 1u

#define SOON__FD_BUCKETS 256u

/* The I/O side of a core's poller. */
struct soon__io {
	struct soon__poller poller;
	const struct soon__io_ops *ops;
	soon_io backend;   /* URING or EPOLL */
	const char *why;   /* it is this one; static */
	unsigned inflight; /* operations that are not IDLE */
	bool has_try;      /* the back end honours op.is_try: no completion means all was sent */
	bool is_hurried;   /* a task waits for a try: the next turn tells it, and must not wait */
	struct soon__bufs bufs;
	struct soon__list backing_off; /* acceptors out of descriptors, by their `backing_off` */
	soon_signals *signals;         /* open handles for signals, the newest first */
	struct soon__list started[SOON__FD_BUCKETS]; /* ops that are not IDLE, by descriptor */
};

void soon__io_init(struct soon__io *io, const struct soon__io_ops *ops);
void soon__io_fini(struct soon__io *io);

/* The running core's; NULL when its poller offers no operations. */
static inline struct soon__io *soon__io_self(void)
{
	return soon__poller_self()->io;
}

/*
 * What a call on an object made with `io` gives before it does anything: 0 on the core it was made
 * on; -EOPNOTSUPP where the run had no back end; else -EPERM, after a report.
 */
int soon__io_refuse(const struct soon__io *io, int fd, const char *what);

static inline int soon__io_enter(const struct soon__io *io, int fd, const char *what)
{
	const struct soon__poller *poller = soon__poller_or_null();

	if (SOON_LIKELY(poller != NULL && io != NULL && poller->io == io))
		return 0;
	return soon__io_refuse(io, fd, what);
}

/* In the tables of both back ends; see soon__poller_ops. */
unsigned soon__io_inflight(struct soon__poller *poller);
void soon__io_each_inflight(
	struct soon__poller *poller, void (*fn)(const char *what, int fd, void *data), void *data);

/* As an offset: the descriptor's own position. */
#define SOON__AT_POSITION UINT64_MAX

/* The operation whose `link` this is. */
static inline struct soon__op *soon__op_at(struct soon__list *node)
{
	return SOON_CONTAINER_OF(node, struct soon__op, link);
}

/* Begins an operation whose record is filled in and IDLE. Checks the memory it refers to. */
void soon__op_start(struct soon__io *io, struct soon__op *op);

/* Asks for its end, unless it is IDLE or this was asked. One QUEUED ends before the return. */
void soon__op_cancel(struct soon__io *io, struct soon__op *op);

/* From the back end: a completion of the target, the last unless it says SOON__EVENT_MORE. */
void soon__op_event(struct soon__io *io, struct soon__op *op, int res, uint32_t flags);

/* From the back end: the completion of the cancel, whatever it said. */
void soon__op_answered(struct soon__io *io, struct soon__op *op);

/*
 * From the back end: the kernel has no way to do `op`, a CALL, without blocking. It stays STARTED
 * and is out of the back end's hands: its task has a thread do it and tells of its end.
 */
void soon__op_block(struct soon__op *op);

/* Blocks until `op` is done, and returns its raw result. On a thread; see blocking.c. */
int soon__op_perform(const struct soon__op *op);

/*
 * The whole of a plain call: checkpoint, start, wait, result as the public functions return it.
 * `op` has its request filled in and is zero elsewhere.
 */
ssize_t soon__op_call(struct soon__op *op, const char *what);

/* As above in a cancelled scope too, and without being cancelled itself. */
ssize_t soon__op_call_shielded(struct soon__op *op, const char *what);

/*
 * What a target's raw failure means to the owner, who says whether he asked for the end. The
 * kernel's ECANCELED and EINTR never pass unless he did.
 */
int soon__op_failure(const struct soon__op *op, bool is_asked);

/* The `tell` of waits that lie in operations: adds the descriptor. */
void soon__op_tell(const struct soon__wait *wait, struct soon__text *text);

/*
 * For the owner of an operation that is not a CALL and not IDLE: asks for its end and waits for it,
 * without being cancelled. His `ended` has to unpark op.wait.
 */
void soon__op_finish(struct soon__io *io, struct soon__op *op, const char *what);

#include "op_owner.h"

#endif
