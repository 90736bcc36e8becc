// SPDX-License-Identifier: Apache-2.0
/* What <soon/file.h> does to names. */
#include <soon/file.h>

#include "op.h"
#include "track.h"

#include <limits.h>

static int open_for(const void *caller, int dir_fd, const char *path, int flags, mode_t mode)
{
	struct soon__op op = {
		.code = SOON__OP_OPENAT,
		.fd = dir_fd,
		.addr = path,
		.len = mode,
		.flags = (uint32_t)(flags | O_CLOEXEC),
	};

	return soon__fd_opened((int)soon__op_call(&op, "open"), "file", caller);
}

int soon_open(const char *path, int flags, mode_t mode)
{
	return open_for(__builtin_return_address(0), AT_FDCWD, path, flags, mode);
}

int soon_openat(int dir_fd, const char *path, int flags, mode_t mode)
{
	return open_for(__builtin_return_address(0), dir_fd, path, flags, mode);
}

int soon_statx(int dir_fd, const char *path, int flags, unsigned mask, struct statx *ret_stat)
{
	struct soon__op op = {
		.code = SOON__OP_STATX,
		.fd = dir_fd,
		.addr = path,
		.len = mask,
		.off = (uint64_t)(uintptr_t)ret_stat,
		.flags = (uint32_t)flags,
	};

	return (int)soon__op_call(&op, "statx");
}

int soon_unlinkat(int dir_fd, const char *path, int flags)
{
	struct soon__op op = {
		.code = SOON__OP_UNLINKAT,
		.fd = dir_fd,
		.addr = path,
		.flags = (uint32_t)flags,
	};

	return (int)soon__op_call(&op, "unlink");
}

int soon_unlink(const char *path)
{
	return soon_unlinkat(AT_FDCWD, path, 0);
}

int soon_rmdir(const char *path)
{
	return soon_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int soon_mkdirat(int dir_fd, const char *path, mode_t mode)
{
	struct soon__op op = {
		.code = SOON__OP_MKDIRAT,
		.fd = dir_fd,
		.addr = path,
		.len = mode,
	};

	return (int)soon__op_call(&op, "mkdir");
}

int soon_mkdir(const char *path, mode_t mode)
{
	return soon_mkdirat(AT_FDCWD, path, mode);
}

/* Of one name and another. */
static int pair(enum soon__op_code code, const char *what, int old_fd, const char *old_path,
	int new_fd, const char *new_path, unsigned flags)
{
	struct soon__op op = {
		.code = (uint8_t)code,
		.fd = old_fd,
		.addr = old_path,
		.len = (uint32_t)new_fd,
		.off = (uint64_t)(uintptr_t)new_path,
		.flags = flags,
	};

	return (int)soon__op_call(&op, what);
}

int soon_renameat(
	int old_dir_fd, const char *old_path, int new_dir_fd, const char *new_path, unsigned flags)
{
	return pair(SOON__OP_RENAMEAT, "rename", old_dir_fd, old_path, new_dir_fd, new_path, flags);
}

int soon_rename(const char *old_path, const char *new_path)
{
	return soon_renameat(AT_FDCWD, old_path, AT_FDCWD, new_path, 0);
}

int soon_linkat(
	int old_dir_fd, const char *old_path, int new_dir_fd, const char *new_path, int flags)
{
	return pair(SOON__OP_LINKAT, "link", old_dir_fd, old_path, new_dir_fd, new_path,
		(unsigned)flags);
}

int soon_symlinkat(const char *target, int dir_fd, const char *path)
{
	return pair(SOON__OP_SYMLINKAT, "symlink", dir_fd, target, 0, path, 0);
}

/* The kernel writes through `buf`, which the analyser cannot see. */
// NOLINTNEXTLINE(readability-non-const-parameter)
ssize_t soon_readlinkat(int dir_fd, const char *path, char *buf, size_t size)
{
	struct soon__op op = {
		.code = SOON__OP_READLINKAT,
		.fd = dir_fd,
		.addr = path,
		.len = size < PATH_MAX ? (uint32_t)size : PATH_MAX,
		.off = (uint64_t)(uintptr_t)buf,
	};
	ssize_t n;

	if (size == 0)
		return -ENAMETOOLONG;
	n = soon__op_call(&op, "readlink");
	/* One byte of it is for the NUL: what fills it all may have been cut. */
	if (n >= (ssize_t)op.len)
		return -ENAMETOOLONG;
	if (n >= 0)
		buf[n] = '\0';
	return n;
}
