// SPDX-License-Identifier: Apache-2.0
/*
 * soon_sender: one send at a time, in flight while its task goes on.
 *
 * Two sends in flight on one stream could overtake each other, so a second is refused. The first
 * request of a send is a try, which the kernel answers while it takes the request: nearly always
 * all bytes fit into the socket's buffer, and then there is not even a completion to reap. What is
 * left over is sent by a request that waits for room.
 */
#include <soon/socket.h>

#include "op.h"

/* As much as one request moves. */
#define REQUEST_MAX 0x7ffff000u
#define PIECES_MAX  1024

/* Lies in a soon_sender. */
struct __attribute__((may_alias)) sender {
	struct soon__op op;    /* op.wait: that of wait() or fini */
	struct msghdr msg;     /* the pieces left, when op.code is SENDMSG */
	struct soon__io *io;   /* NULL when the run has none, and after fini */
	soon_sender_fn on_end; /* may be NULL */
	size_t rest;           /* bytes not sent yet */
	int rc;                /* of the first send that failed */
	bool is_waited;        /* a task is parked in wait() */
	bool is_stopping;      /* by stop, which is parked */
	bool is_finished;      /* by fini */
};

_Static_assert(sizeof(struct sender) <= sizeof(soon_sender), "soon__opaque is too small");

static struct sender *sender_of(soon_sender *sender)
{
	return (struct sender *)(void *)sender;
}

static struct sender *sender_at(struct soon__op *op)
{
	return SOON_CONTAINER_OF(op, struct sender, op);
}

void soon_sender_init(soon_sender *sender, int fd)
{
	struct sender *self = sender_of(sender);

	*self = (struct sender){
		.op = { .kind = SOON__OP_SENDER, .fd = fd, .flags = MSG_NOSIGNAL | MSG_WAITALL },
		.io = soon__io_self(),
	};
}

void soon_sender_on_end(soon_sender *sender, soon_sender_fn fn)
{
	sender_of(sender)->on_end = fn;
}

/* Asks for what is left. */
static void start(struct sender *self, bool is_try)
{
	uint32_t bytes = self->rest < REQUEST_MAX ? (uint32_t)self->rest : REQUEST_MAX;

	SOON_ASSERT(self->rest > 0);
	self->op.is_try = is_try;
	if (self->op.code == SOON__OP_SEND)
		self->op.len = bytes;
	self->op.res = (int)bytes; /* what a try that succeeds gives */
	soon__op_start(self->io, &self->op);
}

static int can_start(const struct sender *self)
{
	int rc = soon__io_enter(self->io, self->op.fd, "sender_start");

	if (SOON_UNLIKELY(rc < 0))
		return rc;
	if (self->op.state != SOON__OP_IDLE)
		return -EBUSY;
	return self->rc;
}

int soon_sender_start(soon_sender *sender, const void *data, size_t len)
{
	struct sender *self = sender_of(sender);
	int rc = can_start(self);

	if (SOON_UNLIKELY(rc < 0) || len == 0)
		return rc;
	self->op.code = SOON__OP_SEND;
	self->op.addr = data;
	self->rest = len;
	start(self, self->io->has_try);
	return 0;
}

int soon_sender_startv(soon_sender *sender, struct iovec *iov, int count)
{
	struct sender *self = sender_of(sender);
	int rc = can_start(self);

	SOON_ASSERT(count >= 0 && count <= PIECES_MAX);
	if (SOON_UNLIKELY(rc < 0))
		return rc;
	self->rest = 0;
	for (int i = 0; i < count; i++)
		self->rest += iov[i].iov_len;
	if (self->rest == 0)
		return 0;
	self->op.code = SOON__OP_SENDMSG;
	self->op.addr = &self->msg;
	self->op.len = 1;
	self->msg = (struct msghdr){ .msg_iov = iov, .msg_iovlen = (size_t)count };
	start(self, self->io->has_try);
	return 0;
}

/* Takes `bytes` off the front of the pieces. */
static void advance_pieces(struct msghdr *msg, size_t bytes)
{
	while (bytes > 0 && bytes >= msg->msg_iov->iov_len) {
		bytes -= msg->msg_iov->iov_len;
		msg->msg_iov++;
		msg->msg_iovlen--;
	}
	if (bytes > 0) {
		SOON_ASSERT(msg->msg_iovlen > 0);
		msg->msg_iov->iov_base = (char *)msg->msg_iov->iov_base + bytes;
		msg->msg_iov->iov_len -= bytes;
	}
}

void soon__sender_event(struct soon__op *op, int res)
{
	struct sender *self = sender_at(op);

	if (res <= 0)
		return;
	SOON_ASSERT((size_t)res <= self->rest);
	self->rest -= (size_t)res;
	if (op->code == SOON__OP_SEND)
		op->addr = (const char *)op->addr + res;
	else if (self->rest > 0)
		advance_pieces(&self->msg, (size_t)res);
}

/* Why the send that has ended left a rest. */
static int failure(const struct sender *self)
{
	const struct soon__op *op = &self->op;
	bool is_asked = self->is_stopping || self->is_finished;

	if (op->closer != NULL)
		return -EBADF;
	if (op->res >= 0 || (op->is_try && op->res == -EAGAIN))
		return is_asked ? -ECANCELED : -EIO;
	return soon__op_failure(op, is_asked);
}

void soon__sender_ended(struct soon__op *op)
{
	struct sender *self = sender_at(op);
	bool is_again = op->res > 0 || (op->is_try && op->res == -EAGAIN);
	bool is_asked = self->is_stopping || self->is_finished;

	if (self->rest > 0 && is_again && !is_asked && op->closer == NULL) {
		start(self, false);
		return;
	}
	if (self->rest > 0 && self->rc == 0) {
		int rc = failure(self);

		/* What was cut short on demand does not break the stream. */
		if (rc != -ECANCELED || !self->is_stopping)
			self->rc = rc;
	}
	if (is_asked) {
		soon__unpark(&op->wait, 0);
		return;
	}
	if (self->is_waited) {
		self->is_waited = false;
		soon__unpark(&op->wait, 0);
	}
	if (self->on_end != NULL)
		self->on_end((soon_sender *)(void *)self, self->rest > 0 ? self->rc : 0);
}

bool soon_sender_is_busy(const soon_sender *sender)
{
	const struct sender *self = (const struct sender *)(const void *)sender;

	return self->op.state != SOON__OP_IDLE;
}

void soon_sender_hurry(soon_sender *sender)
{
	struct sender *self = sender_of(sender);

	if (self->op.state != SOON__OP_IDLE && self->op.is_try)
		self->io->is_hurried = true;
}

/* The waiting task's scope was cancelled: it goes, the send goes on. */
static enum soon__abort abort_wait(struct soon__wait *wait)
{
	struct sender *self = sender_at(SOON_CONTAINER_OF(wait, struct soon__op, wait));

	SOON_ASSERT(self->is_waited);
	self->is_waited = false;
	return SOON__ABORT_DONE;
}

int soon_sender_wait(soon_sender *sender)
{
	struct sender *self = sender_of(sender);
	int rc = soon__checkpoint_inline("send");

	if (SOON_LIKELY(rc == 0))
		rc = soon__io_enter(self->io, self->op.fd, "sender_wait");
	if (SOON_UNLIKELY(rc < 0))
		return rc;
	if (SOON_UNLIKELY(self->is_waited))
		return -EBUSY;
	if (self->op.state != SOON__OP_IDLE) {
		self->op.wait = (struct soon__wait){
			.abort = abort_wait, .what = "send", .tell = soon__op_tell
		};
		self->is_waited = true;
		soon_sender_hurry(sender);
		rc = (int)soon__park(&self->op.wait);
		if (rc < 0)
			return rc;
	}
	return self->rc;
}

size_t soon_sender_stop(soon_sender *sender)
{
	struct sender *self = sender_of(sender);

	SOON_ASSERT(!self->is_waited);
	if (self->io != NULL && self->op.state != SOON__OP_IDLE) {
		self->is_stopping = true;
		soon__op_finish(self->io, &self->op, "sender: stop");
		self->is_stopping = false;
	}
	return self->rest;
}

void soon_sender_fini(soon_sender *sender)
{
	struct sender *self = sender_of(sender);

	if (sender == NULL || self->io == NULL)
		return;
	SOON_ASSERT(!self->is_waited);
	self->is_finished = true;
	if (self->op.state != SOON__OP_IDLE)
		soon__op_finish(self->io, &self->op, "sender: end");
	self->io = NULL;
}
