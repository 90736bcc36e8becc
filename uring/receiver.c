// SPDX-License-Identifier: Apache-2.0
/*
 * soon_receiver: one request that receives for ever, chunks queued for one reader.
 *
 * Receiving starts when the reader first waits, and goes on ahead of him until UNREAD_MAX chunks
 * lie unread; then the request is cancelled, and started again when he next waits. The kernel ends
 * it also for reasons of its own (its queue of completions ran over, no buffer was left), which
 * only the missing SOON__EVENT_MORE tells; that, too, is mended when the reader next waits. So
 * whether the reader waits is the one question, and everything that may answer it goes through
 * make_progress().
 */
#include <soon/socket.h>

#include "op.h"

/* The cap on unread chunks; the second when three quarters of the pool are out. */
#define UNREAD_MAX     8u
#define UNREAD_MAX_LOW 1u

/* Lies in a soon_receiver. */
struct __attribute__((may_alias)) receiver {
	struct soon__op op;         /* op.wait: the reader's, or that of fini */
	struct soon__list starving; /* in soon__bufs.starving */
	struct soon__io *io;        /* NULL when the run has none, and after fini */
	int rc;                     /* what comes after the chunks, once is_over */
	unsigned unread_count;
	unsigned lent_count;
	uint16_t head; /* oldest unread chunk, linked by soon__buf.next */
	uint16_t tail;
	bool is_over;
	bool is_waited;   /* a reader is parked */
	bool is_stopping; /* the request was cancelled by us */
	bool is_starving;
	bool is_finished; /* fini waits for the end */
};

_Static_assert(sizeof(struct receiver) <= sizeof(soon_receiver), "soon__opaque is too small");

static struct receiver *receiver_of(soon_receiver *receiver)
{
	return (struct receiver *)(void *)receiver;
}

static struct receiver *receiver_at(struct soon__op *op)
{
	return SOON_CONTAINER_OF(op, struct receiver, op);
}

void soon_receiver_init(soon_receiver *receiver, int fd)
{
	struct receiver *self = receiver_of(receiver);

	*self = (struct receiver){
		.op = { .code = SOON__OP_RECV_MULTI, .kind = SOON__OP_RECEIVER, .fd = fd },
		.io = soon__io_self(),
	};
	soon__list_init(&self->starving);
}

static void start(struct receiver *self)
{
	self->is_stopping = false;
	soon__op_start(self->io, &self->op);
}

static void stop(struct receiver *self)
{
	self->is_stopping = true;
	soon__op_cancel(self->io, &self->op);
}

static void wake(struct receiver *self)
{
	if (self->is_waited) {
		self->is_waited = false;
		soon__unpark(&self->op.wait, 0);
	}
}

static void end_with(struct receiver *self, int rc)
{
	if (!self->is_over) {
		self->is_over = true;
		self->rc = rc;
	}
}

static void starve(struct receiver *self)
{
	struct soon__bufs *bufs = &self->io->bufs;

	SOON_ASSERT(!self->is_starving);
	self->is_starving = true;
	bufs->starving_count++;
	soon__list_push_tail(&bufs->starving, &self->starving);
}

static void stop_starving(struct receiver *self)
{
	struct soon__bufs *bufs = &self->io->bufs;

	SOON_ASSERT(self->is_starving);
	SOON_ASSERT(bufs->starving_count > 0);
	self->is_starving = false;
	bufs->starving_count--;
	soon__list_remove(&self->starving);
}

/* For a reader who finds nothing: sees to it that something will come. */
static void make_progress(struct receiver *self)
{
	struct soon__bufs *bufs = &self->io->bufs;

	SOON_ASSERT(self->unread_count == 0);
	SOON_ASSERT(!self->is_over);
	if (self->op.state != SOON__OP_IDLE || self->is_starving)
		return;
	/* Behind the others, and not at all where the kernel would only say ENOBUFS. */
	if (bufs->starving_count > 0 || soon__bufs_ready(bufs) == 0)
		starve(self);
	else
		start(self);
}

void soon__receivers_feed(struct soon__io *io)
{
	struct soon__bufs *bufs = &io->bufs;
	unsigned count = soon__bufs_ready(bufs);

	if (bufs->starving_count < count)
		count = bufs->starving_count;
	for (unsigned i = 0; i < count; i++) {
		struct soon__list *first = bufs->starving.next;
		struct receiver *self = SOON_CONTAINER_OF(first, struct receiver, starving);

		stop_starving(self);
		start(self);
	}
}

void soon__receivers_close(struct soon__io *io, int fd)
{
	struct soon__list *list = &io->bufs.starving;
	struct soon__list *next;

	for (struct soon__list *node = list->next; node != list; node = next) {
		struct receiver *self = SOON_CONTAINER_OF(node, struct receiver, starving);

		next = node->next;
		if (self->op.fd != fd)
			continue;
		stop_starving(self);
		end_with(self, -EBADF);
		wake(self);
	}
}

static unsigned unread_max(const struct soon__bufs *bufs)
{
	return soon__bufs_idle(bufs) + bufs->provided > bufs->count / 4 ? UNREAD_MAX
									: UNREAD_MAX_LOW;
}

static void queue_chunk(struct receiver *self, unsigned id)
{
	struct soon__bufs *bufs = &self->io->bufs;

	if (SOON_UNLIKELY(self->is_over || self->is_finished)) {
		soon__bufs_drop(bufs, id);
		return;
	}
	if (self->unread_count++ == 0)
		self->head = (uint16_t)id;
	else
		bufs->buf[self->tail].next = (uint16_t)id;
	self->tail = (uint16_t)id;
	if (self->is_waited)
		wake(self);
	else if (SOON_UNLIKELY(self->unread_count >= unread_max(bufs)))
		stop(self);
}

void soon__receiver_event(struct soon__op *op, int res, uint32_t flags)
{
	struct receiver *self = receiver_at(op);
	struct soon__bufs *bufs = &self->io->bufs;
	unsigned id = flags >> SOON__EVENT_BUFFER_SHIFT;
	bool has_buffer = (flags & SOON__EVENT_BUFFER) != 0;

	/* Flag and result are believed separately: kernels differed about errors with a buffer. */
	if (has_buffer && soon__bufs_take(bufs, id, res > 0 ? (uint32_t)res : 0) < 0) {
		end_with(self, -EIO);
		stop(self);
	} else if (SOON_LIKELY(res > 0 && has_buffer)) {
		queue_chunk(self, id);
	} else if (res >= 0) {
		end_with(self, res == 0 ? 0 : -EIO);
	} else if (res == -ENOBUFS) {
		bufs->is_dry = true;
		bufs->dry_count++;
	}
}

void soon__receiver_ended(struct soon__op *op)
{
	struct receiver *self = receiver_at(op);

	if (op->closer != NULL) {
		end_with(self, -EBADF);
	} else if (op->res < 0 && op->res != -ENOBUFS && !self->is_over) {
		int rc = soon__op_failure(op, self->is_stopping);

		if (rc != -ECANCELED)
			end_with(self, rc);
	}
	if (self->is_finished)
		soon__unpark(&op->wait, 0);
	else if (!self->is_waited)
		return;
	else if (self->is_over)
		wake(self);
	else
		make_progress(self);
}

/* The reader's scope was cancelled: he goes, receiving goes on for the next call. */
static enum soon__abort abort_next(struct soon__wait *wait)
{
	struct receiver *self = receiver_at(SOON_CONTAINER_OF(wait, struct soon__op, wait));

	SOON_ASSERT(self->is_waited);
	self->is_waited = false;
	return SOON__ABORT_DONE;
}

static int wait_for_chunk(struct receiver *self)
{
	self->op.wait = (struct soon__wait){
		.abort = abort_next, .what = "receive", .tell = soon__op_tell
	};
	self->is_waited = true;
	make_progress(self);
	return (int)soon__park(&self->op.wait);
}

/* Something is there: the oldest chunk, or what comes after the last. */
static ssize_t take(struct receiver *self, soon_slice *ret_chunk)
{
	struct soon__bufs *bufs = &self->io->bufs;
	unsigned id = self->head;

	if (self->unread_count == 0) {
		SOON_ASSERT(self->is_over);
		return self->rc;
	}
	self->head = bufs->buf[id].next;
	self->unread_count--;
	self->lent_count++;
	ret_chunk->ptr = soon__bufs_lend(bufs, id);
	ret_chunk->len = bufs->buf[id].len;
	return (ssize_t)ret_chunk->len;
}

ssize_t soon_receiver_next(soon_receiver *receiver, soon_slice *ret_chunk)
{
	struct receiver *self = receiver_of(receiver);
	int rc = soon__checkpoint_inline("receive");

	if (SOON_LIKELY(rc == 0))
		rc = soon__io_enter(self->io, self->op.fd, "receiver_next");
	if (SOON_UNLIKELY(rc < 0))
		return rc;
	if (SOON_UNLIKELY(self->is_waited))
		return -EBUSY;
	/* Again if another task took the chunk between the wake-up and our turn. */
	while (self->unread_count == 0 && !self->is_over) {
		rc = wait_for_chunk(self);
		if (rc < 0)
			return rc;
	}
	return take(self, ret_chunk);
}

ssize_t soon_receiver_try_next(soon_receiver *receiver, soon_slice *ret_chunk)
{
	struct receiver *self = receiver_of(receiver);
	int rc = soon__io_enter(self->io, self->op.fd, "receiver_try_next");

	if (SOON_UNLIKELY(rc < 0))
		return rc;
	if (self->unread_count == 0 && !self->is_over) {
		make_progress(self);
		return -EAGAIN;
	}
	return take(self, ret_chunk);
}

void soon_receiver_return(soon_receiver *receiver, soon_slice chunk)
{
	struct receiver *self = receiver_of(receiver);

	if (chunk.len == 0)
		return;
	SOON_ASSERT(self->lent_count > 0);
	self->lent_count--;
	soon__bufs_return(&self->io->bufs, chunk.ptr);
}

void soon_receiver_fini(soon_receiver *receiver)
{
	struct receiver *self = receiver_of(receiver);

	if (receiver == NULL || self->io == NULL)
		return;
	SOON_ASSERT(!self->is_waited);
	SOON_ASSERT(self->lent_count == 0);
	self->is_finished = true;
	self->is_stopping = true;
	if (self->is_starving)
		stop_starving(self);
	if (self->op.state != SOON__OP_IDLE)
		soon__op_finish(self->io, &self->op, "receiver: end");
	while (self->unread_count > 0) {
		unsigned id = self->head;

		self->head = self->io->bufs.buf[id].next;
		self->unread_count--;
		soon__bufs_drop(&self->io->bufs, id);
	}
	self->io = NULL;
}
