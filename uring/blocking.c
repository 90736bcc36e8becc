// SPDX-License-Identifier: Apache-2.0
/*
 * blocking.c: operations by the system call that blocks, on a thread that may. The record is only
 * read: it belongs to the waiting task, which looks at nothing of it until the thread is done.
 */
#include <soon/file.h>

#include "op.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* What a blocking descriptor that is ready takes or gives without making the thread wait. */
#define READY_BYTES ((size_t)PIPE_BUF)

/* Of a system call that has just returned `rc`. */
static ssize_t result(ssize_t rc)
{
	return rc < 0 ? -errno : rc;
}

static ssize_t move_at(const struct soon__op *op, char *addr, size_t len, bool is_read)
{
	off_t off = (off_t)(op->off + op->position);

	return is_read ? pread(op->fd, addr, len, off) : pwrite(op->fd, addr, len, off);
}

/* What is left of a read or write: the first op->position bytes were moved without a thread. */
static ssize_t move_one(const struct soon__op *op, bool is_read)
{
	/* Written only by a read, which was given memory to write. */
	char *addr = (char *)(uintptr_t)op->addr + op->position;
	size_t len = op->len - op->position;
	ssize_t n = -ESPIPE;

	if (op->is_woken && !is_read && len > READY_BYTES)
		len = READY_BYTES;
	if (op->off != SOON__AT_POSITION)
		n = result(move_at(op, addr, len, is_read));
	if (n == -ESPIPE)
		n = result(is_read ? read(op->fd, addr, len) : write(op->fd, addr, len));
	if (op->position > 0)
		return n < 0 ? (ssize_t)op->position : n + (ssize_t)op->position;
	return n;
}

/* The first piece that is not empty, and as much of it as a ready descriptor takes. */
static ssize_t write_first(int fd, const struct iovec *iov, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (iov[i].iov_len > 0)
			return write(fd, iov[i].iov_base,
				iov[i].iov_len < READY_BYTES ? iov[i].iov_len : READY_BYTES);
	return 0;
}

/* What is done to names. Returns: as the system call. */
static ssize_t perform_on_name(const struct soon__op *op)
{
	const char *second = (const char *)(uintptr_t)op->off;
	int flags = (int)op->flags;

	if (op->code == SOON__OP_UNLINKAT)
		return unlinkat(op->fd, op->addr, flags);
	if (op->code == SOON__OP_MKDIRAT)
		return mkdirat(op->fd, op->addr, (mode_t)op->len);
	if (op->code == SOON__OP_RENAMEAT)
		return renameat2(op->fd, op->addr, (int)op->len, second, op->flags);
	if (op->code == SOON__OP_LINKAT)
		return linkat(op->fd, op->addr, (int)op->len, second, flags);
	if (op->code == SOON__OP_SYMLINKAT)
		return symlinkat(op->addr, op->fd, second);
	SOON_ASSERT(op->code == SOON__OP_READLINKAT);
	return readlinkat(op->fd, op->addr, (char *)(uintptr_t)op->off, op->len);
}

/* The ring has it where others have their memory. */
static off_t length_of(const struct soon__op *op)
{
	return (off_t)(uintptr_t)op->addr;
}

/* Returns: as the system call, or a negative errno. */
static ssize_t perform_once(const struct soon__op *op)
{
	int flags = (int)op->flags;

	switch ((enum soon__op_code)op->code) {
	case SOON__OP_READ:
		return move_one(op, true);
	case SOON__OP_WRITE:
		return move_one(op, false);
	case SOON__OP_READV:
		return result(readv(op->fd, op->addr, (int)op->len));
	case SOON__OP_WRITEV:
		return result(op->is_woken ? write_first(op->fd, op->addr, op->len)
					   : writev(op->fd, op->addr, (int)op->len));
	case SOON__OP_CONNECT:
		return result(connect(op->fd, op->addr, (socklen_t)op->off));
	case SOON__OP_FSYNC:
		return result(op->flags == SOON__FSYNC_DATA ? fdatasync(op->fd) : fsync(op->fd));
	case SOON__OP_OPENAT:
		return result(openat(op->fd, op->addr, flags, (mode_t)op->len));
	case SOON__OP_STATX:
		return result(statx(
			op->fd, op->addr, flags, op->len, (struct statx *)(uintptr_t)op->off));
	case SOON__OP_UNLINKAT:
	case SOON__OP_MKDIRAT:
	case SOON__OP_RENAMEAT:
	case SOON__OP_LINKAT:
	case SOON__OP_SYMLINKAT:
	case SOON__OP_READLINKAT:
		return result(perform_on_name(op));
	case SOON__OP_FTRUNCATE:
		return result(ftruncate(op->fd, (off_t)op->off));
	case SOON__OP_FALLOCATE:
		return result(fallocate(op->fd, (int)op->len, (off_t)op->off, length_of(op)));
	case SOON__OP_FADVISE:
		return -posix_fadvise(op->fd, (off_t)op->off, length_of(op), flags);
	case SOON__OP_GETDENTS:
		/* The memory is its caller's, who wants it written. */
		return result(getdents64(op->fd, (void *)(uintptr_t)op->addr, op->len));
	case SOON__OP_CLOSE:
		return result(close(op->fd));
	case SOON__OP_RECV:
	case SOON__OP_SEND:
	case SOON__OP_SENDMSG:
	case SOON__OP_RECVMSG:
	case SOON__OP_ACCEPT:
	case SOON__OP_POLL:
	case SOON__OP_ACCEPT_MULTI:
	case SOON__OP_RECV_MULTI:
	case SOON__OP_CODES:
		break;
	}
	soon_die("operation %d is never left to a thread", op->code);
}

int soon__op_perform(const struct soon__op *op)
{
	ssize_t rc;

	do {
		rc = perform_once(op);
	} while (rc == -EINTR && op->code != SOON__OP_CLOSE);
	return rc == -EINTR ? 0 : (int)rc; /* an interrupted close has closed */
}
