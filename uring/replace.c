// SPDX-License-Identifier: Apache-2.0
/*
 * replace.c: the contents of a file as a whole. In the order of the steps lies the promise: the new
 * file is on the disk before it gets the name, and the name before success is told.
 */
#include <soon/dir.h>
#include <soon/mem.h>

#include "op.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAME_BYTES 48
#define TRIES_MAX  1000u

/* What remains of others who ended in the middle, in a container all with one number, is passed. */
static int open_beside(int dir, mode_t mode, char name[static NAME_BYTES]) SOON_SUSPENDS
{
	static atomic_uint count;
	int fd = -EEXIST;

	for (unsigned i = 0; i < TRIES_MAX && fd == -EEXIST; i++) {
		/* Relaxed: only the number counts, which no two get. */
		unsigned number = atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);

		(void)snprintf(name, NAME_BYTES, ".soon-%lld-%u.tmp", (long long)getpid(), number);
		fd = soon_openat(dir, name, O_WRONLY | O_CREAT | O_EXCL, mode);
	}
	return fd;
}

static int fill(int fd, const void *data, size_t len) SOON_SUSPENDS
{
	ssize_t n = soon_write_full(fd, data, len, NULL);

	return n < 0 ? (int)n : soon_fsync(fd, false);
}

/* Whatever is cancelled. */
static void remove_beside(int dir, const char *name) SOON_SUSPENDS
{
	struct soon__op op = { .code = SOON__OP_UNLINKAT, .fd = dir, .addr = name };

	(void)soon__op_call_shielded(&op, "unlink");
}

static int replace(int dir, const char *name, const void *data, size_t len, mode_t mode)
	SOON_SUSPENDS
{
	char beside[NAME_BYTES];
	int fd = open_beside(dir, mode, beside);
	int rc, closed;

	if (fd < 0)
		return fd;
	rc = fill(fd, data, len);
	closed = soon_close(fd);
	if (rc == 0)
		rc = closed;
	if (rc == 0)
		rc = soon_renameat(dir, beside, dir, name, 0);
	if (rc < 0) {
		remove_beside(dir, beside);
		return rc;
	}
	return soon_fsync(dir, false);
}

/* Opens what `path` is in. */
static int open_parent(int dir_fd, const char *path, size_t len) SOON_SUSPENDS
{
	char *parent;
	int fd;

	if (len == 0)
		return soon_openat(dir_fd, ".", O_RDONLY | O_DIRECTORY, 0);
	parent = soon_malloc(len + 1);
	if (parent == NULL)
		return -ENOMEM;
	memcpy(parent, path, len);
	parent[len] = '\0';
	fd = soon_openat(dir_fd, parent, O_RDONLY | O_DIRECTORY, 0);
	soon_free(parent);
	return fd;
}

int soon_file_replace(int dir_fd, const char *path, const void *data, size_t len, mode_t mode)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	int dir, rc;

	if (*name == '\0')
		return *path == '\0' ? -ENOENT : -EISDIR;
	dir = open_parent(dir_fd, path, (size_t)(name - path));
	if (dir < 0)
		return dir;
	rc = replace(dir, name, data, len, mode);
	(void)soon_close(dir); /* it was only read */
	return rc;
}
