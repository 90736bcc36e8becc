// SPDX-License-Identifier: Apache-2.0
/* Reading and writing of <soon/io.h>, and what <soon/file.h> does to open files. */
#include <soon/file.h>

#include "op.h"

#include <limits.h>

/* The kernel takes 32 bits and moves at most this much in one call, as the system calls do. */
#define LEN_MAX 0x7ffff000u

static uint32_t clamp(size_t len)
{
	return len < LEN_MAX ? (uint32_t)len : LEN_MAX;
}

static ssize_t transfer(enum soon__op_code code, const char *what, int fd, const void *addr,
	uint32_t len, uint64_t off)
{
	struct soon__op op = {
		.code = (uint8_t)code,
		.fd = fd,
		.addr = addr,
		.len = len,
		.off = off,
	};

	return soon__op_call(&op, what);
}

ssize_t soon_read(int fd, void *buf, size_t len)
{
	return transfer(SOON__OP_READ, "read", fd, buf, clamp(len), SOON__AT_POSITION);
}

ssize_t soon_readv(int fd, const struct iovec *iov, int count)
{
	if (count < 0 || count > IOV_MAX)
		return -EINVAL;
	return transfer(SOON__OP_READV, "readv", fd, iov, (uint32_t)count, SOON__AT_POSITION);
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
	if (count < 0 || count > IOV_MAX)
		return -EINVAL;
	return transfer(SOON__OP_WRITEV, "writev", fd, iov, (uint32_t)count, SOON__AT_POSITION);
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
