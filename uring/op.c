// SPDX-License-Identifier: Apache-2.0
/* The life of an operation, whatever the back end and whoever the owner; see op.h. */
#include "op.h"

#include <soon/offload.h>
#include <soon/scope.h>

#include "core/spi/text.h"

#include "cancel.h"
#include "mem_san.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

static struct soon__list *bucket_of(struct soon__io *io, int fd)
{
	return &io->started[(unsigned)fd % SOON__FD_BUCKETS];
}

void soon__io_init(struct soon__io *io, const struct soon__io_ops *ops)
{
	SOON_ASSERT(ops->start != NULL);
	SOON_ASSERT(ops->cancel != NULL);
	io->poller.io = io;
	io->ops = ops;
	soon__list_init(&io->backing_off);
	for (unsigned i = 0; i < SOON__FD_BUCKETS; i++)
		soon__list_init(&io->started[i]);
}

void soon__io_fini(struct soon__io *io)
{
	SOON_ASSERT(io->inflight == 0);
	soon__signals_restore(io);
	soon__bufs_fini(&io->bufs);
}

static const char *const code_names[SOON__OP_CODES] = {
	[SOON__OP_READ] = "read",
	[SOON__OP_READV] = "readv",
	[SOON__OP_WRITE] = "write",
	[SOON__OP_WRITEV] = "writev",
	[SOON__OP_RECV] = "recv",
	[SOON__OP_SEND] = "send",
	[SOON__OP_SENDMSG] = "sendmsg",
	[SOON__OP_RECVMSG] = "recvmsg",
	[SOON__OP_ACCEPT] = "accept",
	[SOON__OP_CONNECT] = "connect",
	[SOON__OP_FSYNC] = "fsync",
	[SOON__OP_POLL] = "poll",
	[SOON__OP_CLOSE] = "close",
	[SOON__OP_OPENAT] = "openat",
	[SOON__OP_STATX] = "statx",
	[SOON__OP_UNLINKAT] = "unlinkat",
	[SOON__OP_RENAMEAT] = "renameat",
	[SOON__OP_MKDIRAT] = "mkdirat",
	[SOON__OP_LINKAT] = "linkat",
	[SOON__OP_SYMLINKAT] = "symlinkat",
	[SOON__OP_READLINKAT] = "readlinkat",
	[SOON__OP_FTRUNCATE] = "ftruncate",
	[SOON__OP_FALLOCATE] = "fallocate",
	[SOON__OP_FADVISE] = "fadvise",
	[SOON__OP_GETDENTS] = "getdents",
	[SOON__OP_ACCEPT_MULTI] = "accept (listener)",
	[SOON__OP_RECV_MULTI] = "recv (stream)",
};

unsigned soon__io_inflight(struct soon__poller *poller)
{
	return poller->io->inflight + poller->io->bufs.starving_count;
}

void soon__io_each_inflight(
	struct soon__poller *poller, void (*fn)(const char *what, int fd, void *data), void *data)
{
	for (unsigned i = 0; i < SOON__FD_BUCKETS; i++) {
		struct soon__list *bucket = &poller->io->started[i];

		for (struct soon__list *node = bucket->next; node != bucket; node = node->next) {
			const struct soon__op *op = SOON_CONTAINER_OF(node, struct soon__op, by_fd);

			fn(code_names[op->code], op->fd, data);
		}
	}
}

static void check_vector(const struct iovec *iov, size_t count)
{
	soon__mem_check(iov, count * sizeof(*iov));
	for (size_t i = 0; i < count; i++)
		soon__mem_check(iov[i].iov_base, iov[i].iov_len);
}

static void check_text(const char *text)
{
	soon__mem_check(text, strlen(text) + 1);
}

/* The kernel is not instrumented: what it will use is checked before it is asked. */
static void check_memory(const struct soon__op *op)
{
	const struct msghdr *msg = op->addr;

	switch ((enum soon__op_code)op->code) {
	case SOON__OP_READ:
	case SOON__OP_WRITE:
	case SOON__OP_RECV:
	case SOON__OP_SEND:
	case SOON__OP_GETDENTS:
		soon__mem_check(op->addr, op->len);
		break;
	case SOON__OP_READV:
	case SOON__OP_WRITEV:
		check_vector(op->addr, op->len);
		break;
	case SOON__OP_SENDMSG:
	case SOON__OP_RECVMSG:
		soon__mem_check(msg, sizeof(*msg));
		check_vector(msg->msg_iov, msg->msg_iovlen);
		soon__mem_check(msg->msg_name, msg->msg_namelen);
		soon__mem_check(msg->msg_control, msg->msg_controllen);
		break;
	case SOON__OP_CONNECT:
		soon__mem_check(op->addr, op->off);
		break;
	case SOON__OP_OPENAT:
	case SOON__OP_STATX:
	case SOON__OP_UNLINKAT:
	case SOON__OP_MKDIRAT:
		check_text(op->addr);
		break;
	case SOON__OP_RENAMEAT:
	case SOON__OP_LINKAT:
	case SOON__OP_SYMLINKAT:
		check_text(op->addr);
		check_text((const char *)(uintptr_t)op->off);
		break;
	case SOON__OP_READLINKAT:
		check_text(op->addr);
		soon__mem_check((const char *)(uintptr_t)op->off, op->len);
		break;
	case SOON__OP_ACCEPT:
	case SOON__OP_FSYNC:
	case SOON__OP_FTRUNCATE:
	case SOON__OP_FALLOCATE:
	case SOON__OP_FADVISE:
	case SOON__OP_POLL:
	case SOON__OP_CLOSE:
	case SOON__OP_ACCEPT_MULTI:
	case SOON__OP_RECV_MULTI:
	case SOON__OP_CODES:
		break;
	}
}

SOON_COLD int soon__io_refuse(const struct soon__io *io, int fd, const char *what)
{
	bool is_on_core = soon__poller_or_null() != NULL;

	if (io == NULL)
		return -EOPNOTSUPP;
	soon_report_file(SOON_REPORT_ERROR, -EPERM,
		"soon_%s: descriptor %d was taken into use on another core; the caller, '%s', %s",
		what, fd, soon_task_name(NULL),
		is_on_core ? "runs on this one" : "is a thread that runs none");
	return -EPERM;
}

void soon__op_start(struct soon__io *io, struct soon__op *op)
{
	SOON_ASSERT(io == soon__io_self());
	SOON_ASSERT(op->state == SOON__OP_IDLE);
	SOON_ASSERT(op->code < SOON__OP_CODES);
#ifdef SOON__MEM_SAN
	check_memory(op);
#else
	(void)check_memory;
#endif
	op->closer = NULL;
	soon__list_push_tail(bucket_of(io, op->fd), &op->by_fd);
	io->inflight++;
	io->ops->start(io, op);
	SOON_ASSERT(op->state == SOON__OP_STARTED || op->state == SOON__OP_QUEUED);
}

/* Tells the owner, once, that the record is his again. */
static void end(struct soon__io *io, struct soon__op *op)
{
	SOON_ASSERT(io->inflight > 0);
	io->inflight--;
	soon__list_remove(&op->by_fd);
	op->state = SOON__OP_IDLE;
	if (SOON_UNLIKELY(op->closer != NULL))
		soon__closer_op_ended(op->closer);
	switch ((enum soon__op_kind)op->kind) {
	case SOON__OP_CALL:
		soon__unpark(&op->wait, op->res);
		break;
	case SOON__OP_ACCEPTOR:
		soon__acceptor_ended(op);
		break;
	case SOON__OP_RECEIVER:
		soon__receiver_ended(op);
		break;
	case SOON__OP_SENDER:
		soon__sender_ended(op);
		break;
	}
}

void soon__op_event(struct soon__io *io, struct soon__op *op, int res, uint32_t flags)
{
	SOON_ASSERT(op->state != SOON__OP_IDLE);
	SOON_ASSERT(op->state != SOON__OP_TARGET_DONE);
	op->res = res;
	switch ((enum soon__op_kind)op->kind) {
	case SOON__OP_CALL:
		SOON_ASSERT((flags & SOON__EVENT_MORE) == 0);
		break;
	case SOON__OP_ACCEPTOR:
		soon__acceptor_event(op, res, flags);
		break;
	case SOON__OP_RECEIVER:
		soon__receiver_event(op, res, flags);
		break;
	case SOON__OP_SENDER:
		soon__sender_event(op, res);
		break;
	}
	if ((flags & SOON__EVENT_MORE) != 0)
		return;
	if (op->state == SOON__OP_CANCELLING)
		op->state = SOON__OP_TARGET_DONE;
	else
		end(io, op);
}

void soon__op_answered(struct soon__io *io, struct soon__op *op)
{
	SOON_ASSERT(op->state == SOON__OP_CANCELLING || op->state == SOON__OP_TARGET_DONE);
	if (op->state == SOON__OP_CANCELLING)
		op->state = SOON__OP_CANCEL_DONE;
	else
		end(io, op);
}

void soon__op_cancel(struct soon__io *io, struct soon__op *op)
{
	switch ((enum soon__op_state)op->state) {
	case SOON__OP_QUEUED:
		soon__list_remove(&op->link);
		op->state = SOON__OP_STARTED;
		soon__op_event(io, op, -ECANCELED, 0);
		break;
	case SOON__OP_STARTED:
		io->ops->cancel(io, op);
		break;
	case SOON__OP_IDLE:
	case SOON__OP_CANCELLING:
	case SOON__OP_TARGET_DONE:
	case SOON__OP_CANCEL_DONE:
		break;
	}
}

/* The scope of a waiting call was cancelled. */
static enum soon__abort abort_call(struct soon__wait *wait)
{
	struct soon__op *op = SOON_CONTAINER_OF(wait, struct soon__op, wait);
	struct soon__io *io = soon__io_self();

	SOON_ASSERT(op->kind == SOON__OP_CALL);
	if (op->state == SOON__OP_QUEUED) {
		/* The kernel was never asked: it did not happen. */
		soon__list_remove(&op->link);
		soon__list_remove(&op->by_fd);
		op->state = SOON__OP_IDLE;
		io->inflight--;
		if (op->closer != NULL)
			soon__closer_op_ended(op->closer);
		return SOON__ABORT_DONE;
	}
	soon__op_cancel(io, op);
	return SOON__ABORT_PENDING;
}

int soon__op_failure(const struct soon__op *op, bool is_asked)
{
	if (SOON_LIKELY(op->res != -ECANCELED && op->res != -EINTR))
		return op->res;
	if (is_asked)
		return -ECANCELED;
	if (op->closer != NULL)
		return -EBADF;
	soon_report_file(SOON_REPORT_ERROR, op->res,
		"the kernel ended an operation on descriptor %d that nobody cancelled", op->fd);
	return -EIO;
}

void soon__op_tell(const struct soon__wait *wait, struct soon__text *text)
{
	/* Only read: the macro has no way to say so. */
	const struct soon__op *op =
		(const void *)((const char *)wait - offsetof(struct soon__op, wait));

	if (op->fd < 0)
		return;
	soon__text_str(text, " fd ");
	soon__text_int(text, op->fd);
}

void soon__op_block(struct soon__op *op)
{
	SOON_ASSERT(op->kind == SOON__OP_CALL);
	SOON_ASSERT(op->state == SOON__OP_STARTED);
	op->is_blocking = true;
	soon__unpark(&op->wait, 0);
}

/* Threads for what the kernel can only do by blocking. */
static soon_pool io_pool = SOON_POOL_INIT(.name = "io");

struct blocking {
	const struct soon__op *op;
	int res;
};

static int perform(struct blocking *job)
{
	job->res = soon__op_perform(job->op);
	return 0;
}

/*
 * In the waiting task: has a thread do the operation. A cancel before a thread has it takes it
 * back, later ones wait for the end. The record stays STARTED, so that soon_close() waits, too.
 */
static ssize_t call_blocking(struct soon__io *io, struct soon__op *op, bool is_shielded)
	SOON_SUSPENDS
{
	struct blocking job = { .op = op };
	int rc = is_shielded
		? (int)soon_shielded(SOON_NEVER, soon_offload_with(&io_pool, perform, &job))
		: soon_offload_with(&io_pool, perform, &job);

	SOON_ASSERT(op->state == SOON__OP_STARTED);
	if (rc == -EAGAIN)
		rc = -ENOMEM; /* no thread; the other means that the file would block */
	op->wait = (struct soon__wait){ .what = op->wait.what };
	op->is_blocking = false;
	soon__op_event(io, op, rc < 0 ? rc : job.res, 0);
	(void)soon__park(&op->wait); /* unparked already */
	return rc == -ECANCELED ? rc : soon__op_failure(op, false);
}

static ssize_t call(struct soon__io *io, struct soon__op *op,
	enum soon__abort (*abort_fn)(struct soon__wait *), const char *what)
{
	ssize_t rc;

	op->kind = SOON__OP_CALL;
	op->wait = (struct soon__wait){ .abort = abort_fn, .what = what, .tell = soon__op_tell };
	soon__op_start(io, op);
	rc = soon__park(&op->wait);
	if (SOON_UNLIKELY(op->is_blocking)) {
		SOON_ASSERT_TASK();
		return call_blocking(io, op, abort_fn == NULL);
	}
	SOON_ASSERT(op->state == SOON__OP_IDLE);
	if (SOON_LIKELY(rc >= 0))
		return rc;
	op->res = (int)rc;
	return soon__op_failure(op, op->wait.is_aborted);
}

ssize_t soon__op_call(struct soon__op *op, const char *what)
{
	struct soon__io *io;
	int rc = soon__checkpoint(what);

	if (SOON_UNLIKELY(rc < 0))
		return rc;
	io = soon__io_self();
	if (SOON_UNLIKELY(io == NULL))
		return -EOPNOTSUPP;
	return call(io, op, abort_call, what);
}

ssize_t soon__op_call_shielded(struct soon__op *op, const char *what)
{
	SOON_ASSERT(soon_self() != NULL);
	return call(soon__io_self(), op, NULL, what);
}

void soon__op_finish(struct soon__io *io, struct soon__op *op, const char *what)
{
	SOON_ASSERT(io == soon__io_self());
	SOON_ASSERT(op->kind != SOON__OP_CALL);
	SOON_ASSERT(op->state != SOON__OP_IDLE);
	/* The cancel may end it at once: an unpark that comes before the park is not lost. */
	op->wait = (struct soon__wait){ .what = what, .tell = soon__op_tell };
	soon__op_cancel(io, op);
	(void)soon__park(&op->wait);
	SOON_ASSERT(op->state == SOON__OP_IDLE);
}
