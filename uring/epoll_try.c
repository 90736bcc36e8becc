// SPDX-License-Identifier: Apache-2.0
/*
 * One attempt at each kind of operation, by a system call that does not wait; see epoll.h. The
 * descriptor may be a blocking one: its mode is the user's, and shared by everybody who holds it.
 */
#include "epoll.h"
#include "tuning.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* So many events of one operation, then others get their turn. */
#define CHUNKS_PER_TURN  8u
#define ACCEPTS_PER_TURN 32u

#define POLL_MASK 0x3fffu

static enum soon__tried end(struct soon__epoll *epoll, struct soon__op *op, ssize_t res)
{
	soon__op_event(&epoll->io, op, (int)res, 0);
	return SOON__TRIED_ENDED;
}

/* Of a system call that has just returned `rc`. */
static int last_error(ssize_t rc)
{
	return rc < 0 ? -errno : 0;
}

/* ---- sockets ----------------------------------------------------------------------------- */

int soon__epoll_moved(const struct soon__op *op)
{
	switch (op->code) {
	case SOON__OP_RECV:
	case SOON__OP_SEND:
	case SOON__OP_READ:
	case SOON__OP_WRITE:
		return (int)op->position;
	default:
		return 0;
	}
}

/* Whether MSG_WAITALL means more than one transfer: never for messages that come as a whole. */
static bool is_whole(const struct soon__op *op)
{
	int type = 0;
	socklen_t len = sizeof(type);

	if ((op->flags & MSG_WAITALL) == 0 || op->position >= op->len ||
		(op->flags & MSG_PEEK) != 0)
		return true;
	return getsockopt(op->fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0 ||
		(type != SOCK_STREAM && type != SOCK_SEQPACKET);
}

/* Receives or sends what is there, or there is room for; with MSG_WAITALL, goes on to the end. */
static enum soon__tried try_transfer(struct soon__epoll *epoll, struct soon__op *op)
{
	int flags = (int)((op->flags & ~(uint32_t)MSG_WAITALL) | MSG_DONTWAIT);

	for (;;) {
		/* Written only by a receive, which was given memory to write. */
		char *addr = (char *)(uintptr_t)op->addr + op->position;
		size_t len = op->len - op->position;
		ssize_t n = op->code == SOON__OP_RECV ? recv(op->fd, addr, len, flags)
						      : send(op->fd, addr, len, flags);
		int err = last_error(n);

		if (err == -EINTR)
			continue;
		if (err == -EAGAIN && (op->flags & MSG_DONTWAIT) == 0)
			return SOON__TRIED_AGAIN;
		if (err != 0)
			return end(epoll, op, op->position > 0 ? (ssize_t)op->position : err);
		op->position += (uint32_t)n;
		if (n == 0 || is_whole(op))
			return end(epoll, op, (ssize_t)op->position);
	}
}

/* A part is the sender's to go on with: it keeps the pieces. Nobody else asks for all. */
static enum soon__tried try_message(struct soon__epoll *epoll, struct soon__op *op)
{
	int flags = (int)((op->flags & ~(uint32_t)MSG_WAITALL) | MSG_DONTWAIT);
	ssize_t n;

	do {
		/* Written only by a receive, which was given a record to write. */
		n = op->code == SOON__OP_RECVMSG
			? recvmsg(op->fd, (struct msghdr *)(uintptr_t)op->addr, flags)
			: sendmsg(op->fd, op->addr, flags);
	} while (last_error(n) == -EINTR);
	if (last_error(n) == -EAGAIN && (op->flags & MSG_DONTWAIT) == 0)
		return SOON__TRIED_AGAIN;
	return end(epoll, op, n < 0 ? -errno : n);
}

/* One chunk into a buffer of the pool. Returns: as recv, or -ENOBUFS. */
static ssize_t receive_chunk(struct soon__bufs *bufs, int fd, unsigned *ret_id)
{
	char *ptr;
	ssize_t n;

	*ret_id = soon__bufs_pick(bufs, &ptr);
	if (*ret_id == SOON__BUF_NONE)
		return -ENOBUFS;
	do {
		n = recv(fd, ptr, SOON__BUF_BYTES, MSG_DONTWAIT);
	} while (last_error(n) == -EINTR);
	return n < 0 ? -errno : n;
}

static enum soon__tried try_recv_multi(struct soon__epoll *epoll, struct soon__op *op)
{
	struct soon__bufs *bufs = &epoll->io.bufs;

	for (unsigned i = 0; i < CHUNKS_PER_TURN; i++) {
		unsigned id;
		ssize_t n = receive_chunk(bufs, op->fd, &id);

		if (n <= 0) {
			if (id != SOON__BUF_NONE)
				(void)soon__bufs_take(bufs, id, 0);
			return n == -EAGAIN ? SOON__TRIED_AGAIN : end(epoll, op, n);
		}
		soon__op_event(&epoll->io, op, (int)n,
			SOON__EVENT_MORE | SOON__EVENT_BUFFER | id << SOON__EVENT_BUFFER_SHIFT);
		/* A part of a buffer is mostly all there is; if not, the kernel will tell again. */
		if (op->state != SOON__OP_STARTED || (size_t)n < SOON__BUF_BYTES)
			break;
	}
	return SOON__TRIED_AGAIN;
}

/*
 * accept4() and connect() have no flag for "do not wait". So a blocking descriptor is made not to
 * for the duration of the call. Returns: its flags to restore, 0 when there is nothing to restore.
 */
static int unblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	if ((flags & O_NONBLOCK) != 0)
		return 0;
	return fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ? -errno : flags | O_NONBLOCK;
}

static void reblock(int fd, int flags)
{
	if (flags > 0)
		(void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

static int accept_one(const struct soon__op *op)
{
	bool is_multi = op->code == SOON__OP_ACCEPT_MULTI;
	/* The caller's, who wants them written. */
	struct sockaddr *addr = is_multi ? NULL : (struct sockaddr *)(uintptr_t)op->addr;
	socklen_t *len = is_multi ? NULL : (socklen_t *)(uintptr_t)op->off;
	int fd;

	do {
		fd = accept4(op->fd, addr, len, (int)op->flags);
	} while (last_error(fd) == -EINTR);
	return fd < 0 ? -errno : fd;
}

static enum soon__tried try_accept(struct soon__epoll *epoll, struct soon__op *op)
{
	int mode = unblock(op->fd);
	int fd = mode < 0 ? mode : accept_one(op);

	reblock(op->fd, mode);
	return fd == -EAGAIN ? SOON__TRIED_AGAIN : end(epoll, op, fd);
}

static enum soon__tried try_accept_multi(struct soon__epoll *epoll, struct soon__op *op)
{
	/*
	 * It stays that way: another core or process may accept from the very same socket, and if
	 * that one gave the mode back between our asking and our accept, this core would block.
	 */
	int mode = unblock(op->fd);
	int fd = mode;

	for (unsigned i = 0; i < ACCEPTS_PER_TURN && mode >= 0; i++) {
		fd = accept_one(op);
		if (fd < 0)
			break;
		soon__op_event(&epoll->io, op, fd, SOON__EVENT_MORE);
		if (op->state != SOON__OP_STARTED)
			break;
	}
	return fd < 0 && fd != -EAGAIN ? end(epoll, op, fd) : SOON__TRIED_AGAIN;
}

static int poll_now(int fd, short events)
{
	struct pollfd entry = { .fd = fd, .events = events };
	int rc;

	do {
		rc = poll(&entry, 1, 0);
	} while (last_error(rc) == -EINTR);
	if (rc <= 0)
		return rc < 0 ? -errno : 0;
	return (entry.revents & POLLNVAL) != 0 ? -EBADF : entry.revents;
}

static int connect_now(const struct soon__op *op, int *ret_mode)
{
	int rc;

	*ret_mode = unblock(op->fd);
	if (*ret_mode < 0)
		return *ret_mode;
	do {
		rc = last_error(connect(op->fd, op->addr, (socklen_t)op->off));
	} while (rc == -EINTR);
	reblock(op->fd, *ret_mode);
	return rc;
}

/*
 * A connect that is under way: what became of it. Asked by the same call, not by SO_ERROR: only
 * that tells the kernel that the user knows, so that one more connect gets what it should.
 */
static enum soon__tried try_connected(struct soon__epoll *epoll, struct soon__op *op)
{
	int rc = poll_now(op->fd, POLLOUT);
	int mode;

	if (rc > 0)
		rc = connect_now(op, &mode);
	else if (rc == 0)
		return SOON__TRIED_AGAIN;
	if (rc == -EALREADY || rc == -EINPROGRESS)
		return SOON__TRIED_AGAIN;
	return end(epoll, op, rc == -EISCONN ? 0 : rc);
}

static enum soon__tried try_connect(struct soon__epoll *epoll, struct soon__op *op)
{
	int mode;
	int rc;

	if (op->position > 0)
		return try_connected(epoll, op);
	rc = connect_now(op, &mode);
	if (rc == -EINPROGRESS) {
		op->position = 1;
		return SOON__TRIED_AGAIN;
	}
	/* A local listener's queue is full, and nothing tells when it is not. */
	if (rc == -EAGAIN && mode > 0)
		return SOON__TRIED_BLOCK;
	return end(epoll, op, rc);
}

static enum soon__tried try_poll(struct soon__epoll *epoll, struct soon__op *op)
{
	int events = poll_now(op->fd, (short)((op->flags & POLL_MASK) | POLLRDHUP));

	return events == 0 ? SOON__TRIED_AGAIN : end(epoll, op, events);
}

/* ---- reading and writing ----------------------------------------------------------------- */

static bool is_read(const struct soon__op *op)
{
	return op->code == SOON__OP_READ || op->code == SOON__OP_READV;
}

static bool is_vector(const struct soon__op *op)
{
	return op->code == SOON__OP_READV || op->code == SOON__OP_WRITEV;
}

/*
 * One system call for what is left; without `is_nowait` it blocks if the descriptor does.
 * Returns: the bytes, or a negative errno.
 */
static ssize_t move(const struct soon__op *op, uint64_t off, bool is_nowait)
{
	struct iovec rest = {
		.iov_base = (char *)(uintptr_t)op->addr + op->position,
		.iov_len = op->len - op->position,
	};
	const struct iovec *iov = is_vector(op) ? op->addr : &rest;
	int count = is_vector(op) ? (int)op->len : 1;
	off_t at = off == SOON__AT_POSITION ? -1 : (off_t)(off + op->position);
	int flags = is_nowait ? RWF_NOWAIT : 0;
	ssize_t n;

	if (is_nowait && SOON_UNLIKELY(soon__ring_tuning.nowait_off))
		return -EOPNOTSUPP;
	do {
		n = is_read(op) ? preadv2(op->fd, iov, count, at, flags)
				: pwritev2(op->fd, iov, count, at, flags);
	} while (last_error(n) == -EINTR);
	return n < 0 ? -errno : n;
}

/* A pipe or socket has no offset: it reads on. */
static ssize_t move_anywhere(const struct soon__op *op, bool is_nowait)
{
	ssize_t n = move(op, op->off, is_nowait);

	return n == -ESPIPE ? move(op, SOON__AT_POSITION, is_nowait) : n;
}

static bool is_on_disk(const struct soon__epoll *epoll, int fd)
{
	struct stat stat;

	return !soon__fd_watch_is_known(epoll, fd) && fstat(fd, &stat) == 0 &&
		S_ISREG(stat.st_mode);
}

/* A kind of file that cannot be asked not to wait. */
static enum soon__tried try_plainly(struct soon__epoll *epoll, struct soon__op *op)
{
	int flags;
	ssize_t n;

	/* First find out whether it is ever not ready: a file of a disk is not. */
	if (!op->is_woken)
		return SOON__TRIED_AGAIN;
	flags = fcntl(op->fd, F_GETFL);
	if (flags < 0)
		return end(epoll, op, -errno);
	if ((flags & O_NONBLOCK) == 0)
		return SOON__TRIED_BLOCK;
	n = move_anywhere(op, false);
	return n == -EAGAIN ? SOON__TRIED_AGAIN : end(epoll, op, n);
}

/*
 * What can be had at once. Of a file on a disk that may be a part, where the rest is not in memory:
 * that is waited for, so that a short read means the end of the file.
 */
static enum soon__tried try_move(struct soon__epoll *epoll, struct soon__op *op)
{
	ssize_t n;

	if (is_vector(op) && is_on_disk(epoll, op->fd))
		return SOON__TRIED_BLOCK;
	do {
		n = move_anywhere(op, true);
		if (n == -EAGAIN)
			return op->position > 0 ? SOON__TRIED_BLOCK : SOON__TRIED_AGAIN;
		if (n == -EOPNOTSUPP || n == -ENOSYS)
			return op->position > 0 ? SOON__TRIED_BLOCK : try_plainly(epoll, op);
		if (n < 0)
			return end(epoll, op, op->position > 0 ? (ssize_t)op->position : n);
		if (is_vector(op))
			return end(epoll, op, n);
		op->position += (uint32_t)n;
	} while (n > 0 && op->position < op->len && is_on_disk(epoll, op->fd));
	return end(epoll, op, (ssize_t)op->position);
}

/*
 * Closing a file that was written to may take long: on a network, what was written goes there
 * first. For everything else a thread would cost more than the close.
 */
static enum soon__tried try_close(struct soon__epoll *epoll, struct soon__op *op)
{
	int fd = op->fd;
	bool is_slow = is_on_disk(epoll, fd) && (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY;

	soon__fd_watch_forget(epoll, fd);
	if (is_slow)
		return SOON__TRIED_BLOCK;
	return end(epoll, op, soon__op_perform(op));
}

enum soon__tried soon__epoll_try(struct soon__epoll *epoll, struct soon__op *op)
{
	epoll->stats.try_count++;
	switch ((enum soon__op_code)op->code) {
	case SOON__OP_READ:
	case SOON__OP_READV:
	case SOON__OP_WRITE:
	case SOON__OP_WRITEV:
		return try_move(epoll, op);
	case SOON__OP_RECV:
	case SOON__OP_SEND:
		return try_transfer(epoll, op);
	case SOON__OP_SENDMSG:
	case SOON__OP_RECVMSG:
		return try_message(epoll, op);
	case SOON__OP_ACCEPT:
		return try_accept(epoll, op);
	case SOON__OP_CONNECT:
		return try_connect(epoll, op);
	case SOON__OP_POLL:
		return try_poll(epoll, op);
	case SOON__OP_CLOSE:
		return try_close(epoll, op);
	case SOON__OP_ACCEPT_MULTI:
		return try_accept_multi(epoll, op);
	case SOON__OP_RECV_MULTI:
		return try_recv_multi(epoll, op);
	case SOON__OP_FSYNC:
	case SOON__OP_OPENAT:
	case SOON__OP_STATX:
	case SOON__OP_UNLINKAT:
	case SOON__OP_RENAMEAT:
	case SOON__OP_MKDIRAT:
	case SOON__OP_LINKAT:
	case SOON__OP_SYMLINKAT:
	case SOON__OP_READLINKAT:
	case SOON__OP_FTRUNCATE:
	case SOON__OP_FALLOCATE:
	case SOON__OP_FADVISE:
	case SOON__OP_GETDENTS:
	case SOON__OP_CODES:
		break;
	}
	return SOON__TRIED_BLOCK;
}
