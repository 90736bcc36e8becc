// SPDX-License-Identifier: Apache-2.0
/*
 * soon_acceptor: one request that accepts for ever, connections queued for one taker.
 *
 * The kernel ends the request when it fails, and sometimes when it does not (its queue of
 * completions ran over): only the missing SOON__EVENT_MORE tells. It is started again when the
 * taker next waits. Out of descriptors it would fail again at once, for as long as clients wait in
 * the backlog; so the taker sleeps before he asks again, until a descriptor is closed or the pause,
 * which doubles, is over.
 *
 * O_NONBLOCK belongs to the socket, which another process may have, too, and want it so: it is left
 * as it is. The ring then ends the request whenever nobody is there; a poll finds out when to start
 * it again.
 *
 * Several acceptors may be joined: one of them leads, its taker gets what comes to any, and only it
 * waits and backs off. They are a ring, of one member where there is nothing to join.
 */
#include <soon/io.h>
#include <soon/mem.h>
#include <soon/scope.h>
#include <soon/socket.h>

#include "op.h"
#include "track.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

/* Asked to stop at this many that nobody has taken. What comes before it does is kept, too. */
#define UNTAKEN_MAX 16u

#define PAUSE_MIN SOON_MS(10)
#define PAUSE_MAX SOON_S(1)

/* Lies in a soon_acceptor. */
struct __attribute__((may_alias)) acceptor {
	struct soon__op op;            /* op.wait: the taker's, or that of fini */
	struct soon__list backing_off; /* in soon__io.backing_off while the taker pauses */
	struct soon__io *io;           /* NULL when the run has none, and after fini */
	struct acceptor *leader;       /* whose taker gets ours; itself where it leads */
	struct acceptor *next;         /* of the ring */
	struct acceptor *turn;         /* a leader's: who is asked first */
	int *more;                     /* untaken beyond the first UNTAKEN_MAX, or NULL */
	soon_ns pause;                 /* a leader's: the last one; 0: no failure since */
	unsigned more_first;           /* the oldest in `more` */
	unsigned more_count;           /* their end */
	unsigned more_capacity;
	unsigned untaken_count; /* in `untaken`, the oldest at `first` */
	unsigned first;
	int rc;            /* a failure that stays, or 0 */
	bool is_short;     /* of descriptors or memory: pause before starting again */
	bool is_impatient; /* poll before starting again: the socket is not to wait */
	bool is_waited;    /* a leader's: a taker is parked */
	bool is_stopping;  /* the request was cancelled by us */
	bool is_finished;  /* stop or fini waits for the end */
	bool is_shut;      /* by stop: asks the kernel no more */
	int untaken[UNTAKEN_MAX];
};

_Static_assert(sizeof(struct acceptor) <= sizeof(soon_acceptor), "soon__opaque is too small");

static struct acceptor *acceptor_of(soon_acceptor *acceptor)
{
	return (struct acceptor *)(void *)acceptor;
}

static struct acceptor *acceptor_at(struct soon__op *op)
{
	return SOON_CONTAINER_OF(op, struct acceptor, op);
}

void soon_acceptor_init(soon_acceptor *acceptor, int fd)
{
	struct acceptor *self = acceptor_of(acceptor);

	*self = (struct acceptor){
		.op = {
			.code = SOON__OP_ACCEPT_MULTI,
			.kind = SOON__OP_ACCEPTOR,
			.fd = fd,
		},
		.io = soon__io_self(),
	};
	soon__list_init(&self->backing_off);
	self->leader = self->next = self->turn = self;
}

void soon_acceptor_join(soon_acceptor *acceptor, soon_acceptor *leader)
{
	struct acceptor *self = acceptor_of(acceptor);
	struct acceptor *first = acceptor_of(leader);

	SOON_ASSERT(self != first && self->next == self && !self->is_waited);
	SOON_ASSERT(first->leader == first && first->io == self->io && !first->is_waited);
	self->leader = first;
	self->next = first->next;
	first->next = self;
}

/* Out of the ring; a leader goes last. */
static void leave(struct acceptor *self)
{
	struct acceptor *before = self->leader;

	SOON_ASSERT(self->leader != self || self->next == self);
	while (before->next != self)
		before = before->next;
	before->next = self->next;
	if (self->leader->turn == self)
		self->leader->turn = self->next;
	self->next = self;
}

static void wake(struct acceptor *self)
{
	struct acceptor *leader = self->leader;

	if (leader->is_waited) {
		leader->is_waited = false;
		soon__unpark(&leader->op.wait, 0);
	}
}

/* More than the kernel was asked for: what came before it heard of the cancel. */
static void queue_more(struct acceptor *self, int fd)
{
	if (self->more_count == self->more_capacity) {
		unsigned capacity = self->more_capacity == 0 ? 64 : self->more_capacity * 2;
		int *more = soon_realloc(self->more, capacity * sizeof(*more));

		if (more == NULL) {
			(void)close(fd); /* nobody will know it; the client sees the end */
			soon_report_file(SOON_REPORT_ERROR, -ENOMEM,
				"no memory to keep an accepted connection: closed it");
			return;
		}
		self->more = more;
		self->more_capacity = capacity;
	}
	self->more[self->more_count++] = fd;
}

static void queue_one(struct acceptor *self, int fd)
{
	SOON_ASSERT(self->untaken_count < UNTAKEN_MAX);
	self->untaken[(self->first + self->untaken_count) % UNTAKEN_MAX] = fd;
	self->untaken_count++;
}

static void queue(struct acceptor *self, int fd)
{
	if (self->untaken_count == UNTAKEN_MAX) {
		queue_more(self, fd);
		return;
	}
	queue_one(self, fd);
	if (self->leader->is_waited) {
		wake(self);
	} else if (self->untaken_count == UNTAKEN_MAX) {
		self->is_stopping = true;
		soon__op_cancel(self->io, &self->op);
	}
}

static int take(struct acceptor *self)
{
	int fd = self->untaken[self->first];

	SOON_ASSERT(self->untaken_count > 0);
	self->first = (self->first + 1) % UNTAKEN_MAX;
	self->untaken_count--;
	if (SOON_UNLIKELY(self->more_first < self->more_count)) {
		queue_one(self, self->more[self->more_first++]);
		if (self->more_first == self->more_count)
			self->more_first = self->more_count = 0;
	}
	return fd;
}

/* Sorts a failure: ours to mend by waiting, the client's own, or one that stays. */
static void fail(struct acceptor *self, int res)
{
	switch (-res) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case EPERM: /* a packet filter */
		self->is_short = true;
		if (self->leader->pause == 0)
			soon_report_file(SOON_REPORT_WARNING, res,
				"cannot accept connections on descriptor %d now; will try again",
				self->op.fd);
		break;
	case EAGAIN:
		/* The ring, of a socket that is not to wait, in place of what is to come. */
		self->is_impatient = (fcntl(self->op.fd, F_GETFL) & O_NONBLOCK) != 0;
		break;
	case ECONNABORTED:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENETDOWN:
	case ENETUNREACH:
	case ENONET:
	case ENOPROTOOPT:
	case EPROTO:
	case ETIMEDOUT:
		break; /* of one connection that broke while it waited, see accept(2) */
	default:
		self->rc = res;
	}
}

void soon__acceptor_event(struct soon__op *op, int res, uint32_t flags)
{
	struct acceptor *self = acceptor_at(op);

	(void)flags;
	if (SOON_LIKELY(res >= 0 && op->code == SOON__OP_ACCEPT_MULTI)) {
		self->leader->pause = 0;
		queue(self, res);
	}
}

void soon__acceptor_ended(struct soon__op *op)
{
	struct acceptor *self = acceptor_at(op);

	if (op->closer != NULL) {
		self->rc = -EBADF;
	} else if (op->res < 0) {
		int rc = soon__op_failure(op, self->is_stopping);

		if (rc != -ECANCELED)
			fail(self, rc);
	}
	if (self->is_finished)
		soon__unpark(&op->wait, 0);
	else
		wake(self); /* he starts it again, or pauses */
}

static enum soon__abort abort_next(struct soon__wait *wait)
{
	struct acceptor *self = acceptor_at(SOON_CONTAINER_OF(wait, struct soon__op, wait));

	SOON_ASSERT(self->is_waited);
	self->is_waited = false;
	soon__list_remove(&self->backing_off);
	return SOON__ABORT_DONE;
}

static int park(struct acceptor *self, const char *what)
{
	self->op.wait =
		(struct soon__wait){ .abort = abort_next, .what = what, .tell = soon__op_tell };
	self->is_waited = true;
	return (int)soon__park(&self->op.wait);
}

void soon__acceptor_retry(struct soon__io *io)
{
	struct soon__list *first = soon__list_pop(&io->backing_off);

	if (first != NULL)
		wake(SOON_CONTAINER_OF(first, struct acceptor, backing_off));
}

void soon__acceptors_close(struct soon__io *io, int fd)
{
	struct soon__list *list = &io->backing_off;
	struct soon__list *next;

	for (struct soon__list *node = list->next; node != list; node = next) {
		struct acceptor *self = SOON_CONTAINER_OF(node, struct acceptor, backing_off);

		next = node->next;
		for (struct acceptor *member = self->next;; member = member->next) {
			if (member->op.fd == fd) {
				soon__list_remove(node);
				member->rc = -EBADF;
				wake(self);
			}
			if (member == self)
				break;
		}
	}
}

static int pause_before_retry(struct acceptor *self) SOON_SUSPENDS
{
	struct acceptor *member = self;
	int rc;

	self->pause = self->pause == 0 ? PAUSE_MIN : self->pause * 2;
	if (self->pause > PAUSE_MAX)
		self->pause = PAUSE_MAX;
	soon__list_push_tail(&self->io->backing_off, &self->backing_off);
	rc = (int)soon_within(self->pause, park(self, "accept: out of descriptors"));
	soon__list_remove(&self->backing_off); /* still there when a connection ended it */
	if (rc == -ETIMEDOUT)
		rc = 0;
	if (rc < 0)
		return rc;
	do {
		member->is_short = false;
		member = member->next;
	} while (member != self);
	return 0;
}

/* Asks the kernel for connections, or first of all whether there is one. */
static void ask(struct acceptor *self)
{
	self->op.code = self->is_impatient ? SOON__OP_POLL : SOON__OP_ACCEPT_MULTI;
	self->op.flags = self->is_impatient ? POLLIN : SOCK_CLOEXEC;
	self->is_impatient = false;
	self->is_stopping = false;
	soon__op_start(self->io, &self->op);
}

/* Waits until there may be something new. */
static int wait_for_event(struct acceptor *self) SOON_SUSPENDS
{
	struct acceptor *member = self;
	bool is_short = false;

	do {
		if (member->op.state == SOON__OP_IDLE && member->is_short) {
			is_short = true;
		} else if (member->op.state == SOON__OP_IDLE) {
			ask(member);
		}
		member = member->next;
	} while (member != self);
	return is_short ? pause_before_retry(self) : park(self, "accept");
}

/* Who has something to take, each in turn. Returns: 0; -EAGAIN nobody; why there will be none. */
static int find(struct acceptor *self, struct acceptor **ret_member)
{
	struct acceptor *member = self->turn;
	int rc = -EAGAIN;

	do {
		if (member->untaken_count > 0) {
			*ret_member = member;
			return 0;
		}
		if (member->is_shut)
			rc = -ESHUTDOWN;
		else if (member->rc < 0)
			rc = member->rc;
		member = member->next;
	} while (member != self->turn);
	return rc;
}

int soon_acceptor_next(soon_acceptor *acceptor)
{
	struct acceptor *self = acceptor_of(acceptor);
	struct acceptor *member = NULL;
	int rc = soon__checkpoint_inline("accept");

	if (SOON_LIKELY(rc == 0))
		rc = soon__io_enter(self->io, self->op.fd, "acceptor_next");
	if (SOON_UNLIKELY(rc < 0))
		return rc;
	SOON_ASSERT(self->leader == self);
	if (SOON_UNLIKELY(self->is_waited))
		return -EBUSY;
	while ((rc = find(self, &member)) == -EAGAIN) {
		rc = wait_for_event(self);
		if (rc < 0)
			return rc;
	}
	if (rc < 0)
		return rc;
	self->turn = member->next;
	return soon__fd_opened(take(member), "connection", __builtin_return_address(0));
}

void soon_acceptor_stop(soon_acceptor *acceptor)
{
	struct acceptor *self = acceptor_of(acceptor);

	if (self->io == NULL || self->is_shut)
		return;
	SOON_ASSERT(!self->leader->is_waited);
	self->is_shut = true;
	self->is_finished = true;
	self->is_stopping = true;
	if (self->op.state != SOON__OP_IDLE)
		soon__op_finish(self->io, &self->op, "acceptor: stop");
}

void soon_acceptor_fini(soon_acceptor *acceptor)
{
	struct acceptor *self = acceptor_of(acceptor);

	if (acceptor == NULL || self->io == NULL)
		return;
	soon_acceptor_stop(acceptor);
	leave(self);
	while (self->untaken_count > 0)
		(void)soon_close(take(self));
	soon_free(self->more);
	self->more = NULL;
	self->io = NULL;
}
