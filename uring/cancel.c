// SPDX-License-Identifier: Apache-2.0
/* Ends what is in flight on a descriptor, then closes it; see cancel.h. */
#include "cancel.h"

#include <soon/io.h>

#include "core/spi/text.h"

#include "op.h"
#include "track.h"

#include <unistd.h>

void soon__closer_op_ended(struct soon__closer *closer)
{
	SOON_ASSERT(closer->pending > 0);
	closer->pending--;
	if (closer->pending == 0 && closer->is_parked)
		soon__unpark(&closer->wait, 0);
}

static struct soon__op *op_at(struct soon__list *node)
{
	return SOON_CONTAINER_OF(node, struct soon__op, by_fd);
}

static bool has_ops(struct soon__io *io, int fd)
{
	struct soon__list *bucket = &io->started[(unsigned)fd % SOON__FD_BUCKETS];

	for (struct soon__list *node = bucket->next; node != bucket; node = node->next)
		if (op_at(node)->fd == fd)
			return true;
	return false;
}

/* Instead of a descriptor: any. */
#define ANY_FD INT32_MIN

/*
 * Asks for the end of all operations on `fd` among those of its bucket, on behalf of `closer`.
 * One cancel an operation, not one for the descriptor: each operation knows its own cancel's
 * completion already, and the kernel looks a descriptor up when it gets to the cancel.
 */
static void cancel_bucket(
	struct soon__io *io, struct soon__list *bucket, int fd, struct soon__closer *closer)
{
	struct soon__list *next;

	for (struct soon__list *node = bucket->next; node != bucket; node = next) {
		struct soon__op *op = op_at(node);

		next = node->next;
		if (op->fd != fd && fd != ANY_FD)
			continue;
		/* Of two closes of one descriptor only the first gets here. */
		SOON_ASSERT(op->closer == NULL);
		op->closer = closer;
		closer->pending++;
		/* May end it before the return, but touches no other operation. */
		soon__op_cancel(io, op);
	}
}

/* What nobody closed, as "accept fd 5, ...". */
static void add_left(const char *what, int fd, void *data)
{
	struct soon__text *text = data;

	soon__text_str(text, text->len > 0 ? ", " : "");
	soon__text_str(text, what);
	if (fd < 0)
		return;
	soon__text_str(text, " fd ");
	soon__text_int(text, fd);
}

void soon__ops_name(struct soon__io *io, char names[static SOON__OPS_NAMES_BYTES])
{
	struct soon__text text;

	soon__text_init(&text, names, SOON__OPS_NAMES_BYTES, SOON__TEXT_NO_FD);
	soon__io_each_inflight(&io->poller, add_left, &text);
}

static void report_left(struct soon__io *io, unsigned count)
{
	char names[SOON__OPS_NAMES_BYTES];

	soon__ops_name(io, names);
	soon_report_file(SOON_REPORT_ERROR, -EBUSY,
		"%u I/O operations were left in flight at the end of the run: %s", count, names);
}

void soon__cancel_all(struct soon__io *io, struct soon__closer *closer)
{
	unsigned count = soon__io_inflight(&io->poller);

	if (count > 0)
		report_left(io, count);
	soon__list_init(&io->bufs.starving);
	io->bufs.starving_count = 0;
	for (unsigned i = 0; i < SOON__FD_BUCKETS; i++)
		cancel_bucket(io, &io->started[i], ANY_FD, closer);
}

/* Whether another soon_close() waits for operations on `fd`. */
static bool is_being_closed(struct soon__io *io, int fd)
{
	struct soon__list *bucket = &io->started[(unsigned)fd % SOON__FD_BUCKETS];

	for (struct soon__list *node = bucket->next; node != bucket; node = node->next)
		if (op_at(node)->fd == fd && op_at(node)->closer != NULL)
			return true;
	return false;
}

/* Ends those that there are; returns whether that took a wait. */
static bool end_some(struct soon__io *io, int fd)
{
	struct soon__closer closer = { .wait.what = "close: operations to end" };

	if (io->bufs.starving_count > 0)
		soon__receivers_close(io, fd);
	soon__acceptors_close(io, fd);
	cancel_bucket(io, &io->started[(unsigned)fd % SOON__FD_BUCKETS], fd, &closer);
	if (closer.pending == 0)
		return false;
	closer.is_parked = true;
	(void)soon__park(&closer.wait);
	SOON_ASSERT(closer.pending == 0);
	return true;
}

/*
 * While we wait for the end of one operation, others may begin: by a task whose operation completed
 * in spite of the cancel and who goes on, or by a receiver who got his buffer. They would keep the
 * file open and wait on for ever. After the last wait no other task runs before the close is asked
 * for, and what comes then is behind it.
 */
static void end_all(struct soon__io *io, int fd)
{
	while (end_some(io, fd))
		continue;
	SOON_DASSERT(!has_ops(io, fd));
}

int soon_close(int fd)
{
	struct soon__poller *poller = soon__poller_or_null();
	struct soon__op op = { .code = SOON__OP_CLOSE, .fd = fd };
	struct soon__io *io = poller != NULL ? poller->io : NULL;
	int rc;

	soon__fd_untrack(fd);
	if (io == NULL || soon_self() == NULL) {
		if (io != NULL)
			SOON_ASSERT(!has_ops(io, fd));
		return close(fd) == 0 ? 0 : -errno;
	}
	/* A second close would close somebody else's file, later. */
	if (is_being_closed(io, fd))
		return -EBADF;
	end_all(io, fd);
	/* Through the ring: the close of a file on a network may take long. */
	rc = (int)soon__op_call_shielded(&op, "close");
	soon__acceptor_retry(io);
	return rc;
}
