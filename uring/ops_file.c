// SPDX-License-Identifier: Apache-2.0
/* Reading and writing of <soon/io.h>, and what <soon/file.h> does to open files. */
#include <soon/file.h>

#include "op.h"
#include "track.h"

#include <limits.h>
#include <unistd.h>

/* The kernel takes 32 bits and moves at most this much in one call, as the system calls do. */
#define LEN_MAX 0x7ffff000u

static uint32_t clamp(size_t len)
{
	return len < LEN_MAX ? (uint32_t)len : LEN_MAX;
}

/*
 * Where a read or write at the descriptor's position begins; -1: nowhere, or it need not be known.
 *
 * The ring needs it. Of a write to a file that the disk has only room for a part of, it tells the
 * part and leaves the position where it was (Linux 6.18 does; of a read likewise): the rest would
 * be written over what was just written, with no error. So whoever is told of a part sets it.
 */
static off_t position_of(int fd, uint64_t off)
{
	const struct soon__poller *poller = soon__poller_or_null();

	if (off != SOON__AT_POSITION || poller == NULL || poller->io == NULL ||
		poller->io->backend != SOON_IO_URING)
		return -1;
	return lseek(fd, 0, SEEK_CUR);
}

static void mend_position(int fd, off_t position)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0 && (flags & O_APPEND) == 0)
		(void)lseek(fd, position, SEEK_SET);
}

/* Of `bytes` bytes in all. */
static ssize_t transfer_at(struct soon__op *op, size_t bytes, const char *what) SOON_SUSPENDS
{
	off_t position = position_of(op->fd, op->off);
	ssize_t n = soon__op_call(op, what);

	if (SOON_UNLIKELY(n > 0 && (size_t)n < bytes) && position >= 0)
		mend_position(op->fd, position + n);
	return n;
}

static ssize_t transfer(enum soon__op_code code, const char *what, int fd, const void *addr,
	uint32_t len, uint64_t off) SOON_SUSPENDS
{
	struct soon__op op = {
		.code = (uint8_t)code,
		.fd = fd,
		.addr = addr,
		.len = len,
		.off = off,
	};

	return transfer_at(&op, len, what);
}

static ssize_t transfer_vector(enum soon__op_code code, const char *what, int fd,
	const struct iovec *iov, int count) SOON_SUSPENDS
{
	struct soon__op op = {
		.code = (uint8_t)code,
		.fd = fd,
		.addr = iov,
		.len = (uint32_t)count,
		.off = SOON__AT_POSITION,
	};
	size_t bytes = 0;

	if (count < 0 || count > IOV_MAX)
		return -EINVAL;
	for (int i = 0; i < count; i++)
		bytes += iov[i].iov_len;
	return transfer_at(&op, bytes, what);
}

ssize_t soon_read(int fd, void *buf, size_t len)
{
	return transfer(SOON__OP_READ, "read", fd, buf, clamp(len), SOON__AT_POSITION);
}

ssize_t soon_readv(int fd, const struct iovec *iov, int count)
{
	return transfer_vector(SOON__OP_READV, "readv", fd, iov, count);
}

ssize_t soon_pread(int fd, void *buf, size_t len, off_t offset)
{
	if (offset < 0)
		return -EINVAL;
	return transfer(SOON__OP_READ, "pread", fd, buf, clamp(len), (uint64_t)offset);
}

ssize_t soon_write(int fd, const void *buf, size_t len)
{
	return transfer(SOON__OP_WRITE, "write", fd, buf, clamp(len), SOON__AT_POSITION);
}

ssize_t soon_writev(int fd, const struct iovec *iov, int count)
{
	return transfer_vector(SOON__OP_WRITEV, "writev", fd, iov, count);
}

ssize_t soon_pwrite(int fd, const void *buf, size_t len, off_t offset)
{
	if (offset < 0)
		return -EINVAL;
	return transfer(SOON__OP_WRITE, "pwrite", fd, buf, clamp(len), (uint64_t)offset);
}

ssize_t soon_read_full(int fd, void *buf, size_t len, size_t *ret_done)
{
	size_t done = 0;
	ssize_t n;

	do {
		n = soon_read(fd, (char *)buf + done, len - done);
		if (n > 0)
			done += (size_t)n;
	} while (n > 0 && done < len);
	if (ret_done != NULL)
		*ret_done = done;
	return n < 0 ? n : (ssize_t)done;
}

ssize_t soon_write_full(int fd, const void *buf, size_t len, size_t *ret_done)
{
	size_t done = 0;
	ssize_t n;

	do {
		n = soon_write(fd, (const char *)buf + done, len - done);
		if (n > 0)
			done += (size_t)n;
	} while (n >= 0 && done < len);
	if (ret_done != NULL)
		*ret_done = done;
	return n < 0 ? n : (ssize_t)done;
}

int soon_fsync(int fd, bool only_data)
{
	struct soon__op op = {
		.code = SOON__OP_FSYNC,
		.fd = fd,
		.flags = only_data ? SOON__FSYNC_DATA : 0,
	};

	return (int)soon__op_call(&op, only_data ? "fdatasync" : "fsync");
}

int soon_ftruncate(int fd, off_t length)
{
	struct soon__op op = {
		.code = SOON__OP_FTRUNCATE,
		.fd = fd,
		.off = (uint64_t)length,
	};

	return length < 0 ? -EINVAL : (int)soon__op_call(&op, "ftruncate");
}

/* Of the bytes from `offset` on, `length` of them. */
static int on_range(enum soon__op_code code, const char *what, int fd, uint32_t mode, off_t offset,
	off_t length, int flags)
{
	struct soon__op op = {
		.code = (uint8_t)code,
		.fd = fd,
		.addr = (const void *)(uintptr_t)length,
		.len = mode,
		.off = (uint64_t)offset,
		.flags = (uint32_t)flags,
	};

	return offset < 0 || length < 0 ? -EINVAL : (int)soon__op_call(&op, what);
}

int soon_fallocate(int fd, int mode, off_t offset, off_t length)
{
	return on_range(SOON__OP_FALLOCATE, "fallocate", fd, (uint32_t)mode, offset, length, 0);
}

int soon_fadvise(int fd, off_t offset, off_t length, int advice)
{
	return on_range(SOON__OP_FADVISE, "fadvise", fd, 0, offset, length, advice);
}

int soon_pipe(int ret_fds[2], int flags)
{
	int fds[2];

	if (pipe2(fds, flags | O_CLOEXEC) != 0)
		return -errno;
	for (int i = 0; i < 2; i++)
		ret_fds[i] = soon__fd_opened(fds[i], "pipe", __builtin_return_address(0));
	return 0;
}
